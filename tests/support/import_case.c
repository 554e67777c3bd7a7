/* import_case.c - see import_case.h. */
#include "tests/support/import_case.h"

#include "base/file.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/preference_text.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>

#define TEXT_BYTES_MAX (8 * MIB)
#define MAP_MAX        8
#define LINE           7

struct import_case {
    const char *name, *row;
    struct strbuf expected; /* lines, each with its end */
    int line;
    struct import_settings settings;
    struct import_map_entry map[MAP_MAX];
};

enum err_code import_case_read(const struct import_format *format,
                               const struct import_settings *settings, const char *row,
                               struct strbuf *out, struct error *err) {
    struct json_place place = {.name = "rows.jsonl", .line = LINE, .column = 1};
    SCOPED(json) struct json *doc = NULL;
    SCOPED(import_batch) struct import_batch batch = IMPORT_BATCH_INIT;
    TRY(json_parse_row(row, strlen(row), &place, NULL, &doc, err));
    struct import_json_row json_row = {
        .settings = settings, .doc = doc, .node = json_root(doc), .line = LINE};
    TRY(format->read_json(NULL, &json_row, &batch, err));
    for (int64_t i = 0; i < batch.row_count; i++) {
        TRY(preference_check(batch.rows[i], err));
    }
    preference_text_add_batch(out, &batch);
    return strbuf_check(out, "preferences", err);
}

/* --- reading the file of cases --- */

/* Cuts the next line off `*rest`; NULL at the end. */
static char *next_line(char **rest) {
    char *line = *rest;
    if (!line || line[0] == '\0') {
        return NULL;
    }
    char *end = strchr(line, '\n');
    *rest = end ? end + 1 : NULL;
    if (end) {
        *end = '\0';
    }
    return line;
}

/* "@ map chosen answer_w", "@ prompt Drink?", "@" */
static void set(struct import_case *c, char *line) {
    if (line[1] == '\0') {
        c->settings = (struct import_settings){.path = "data/rows.jsonl"};
        return;
    }
    char *key = line + 2;
    char *value = strchr(key, ' ');
    assert_non_null(value);
    *value++ = '\0';
    if (strcmp(key, "map") == 0) {
        char *column = strchr(value, ' ');
        assert_non_null(column);
        *column++ = '\0';
        assert_true(c->settings.map_count < MAP_MAX);
        c->map[c->settings.map_count++] =
            (struct import_map_entry){.role = value, .column = column};
        c->settings.map = c->map;
        return;
    }
    struct {
        const char *key;
        const char **value;
    } texts[] = {{"path", &c->settings.path},
                 {"name", &c->settings.name},
                 {"prompt", &c->settings.prompt},
                 {"topic", &c->settings.topic},
                 {"prefer", &c->settings.prefer}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(key, texts[i].key) == 0) {
            *texts[i].value = value;
            return;
        }
    }
    fail_msg("no setting '%s'", key);
}

/* Fills `c` with the next case of the file; false at the end. */
static bool next_case(char **rest, struct import_case *c) {
    char *line = NULL;
    while ((line = next_line(rest)) && strncmp(line, "== ", 3) != 0) {
        c->line++;
        if (line[0] == '@') {
            set(c, line);
        } else {
            assert_true(line[0] == '#' || line[0] == '\0');
        }
    }
    if (!line) {
        return false;
    }
    c->name = line + 3;
    c->row = next_line(rest);
    assert_non_null(c->row);
    c->line += 2;
    strbuf_reset(&c->expected);
    while ((line = next_line(rest)) && line[0] != '\0') {
        strbuf_addf(&c->expected, "%s\n", line);
        c->line++;
    }
    c->line++;
    return true;
}

typedef bool (*case_holds_function)(const struct import_case *c, const void *context);

/* All cases of a file; those that do not hold are shown in one run. */
static void check_file(const char *path, case_holds_function holds, const void *context) {
    struct error err = ERROR_INIT;
    SCOPED(mem) char *text = NULL;
    size_t bytes = 0;
    assert_ok(file_read_all(path, TEXT_BYTES_MAX, &text, &bytes, &err), &err);
    struct import_case c = {.expected = STRBUF_INIT(TEXT_BYTES_MAX),
                            .settings = {.path = "data/rows.jsonl"}};
    char *rest = text;
    int count = 0;
    int failed = 0;
    while (next_case(&rest, &c)) {
        count++;
        failed += !holds(&c, context);
    }
    strbuf_deinit(&c.expected);
    assert_true(count > 0);
    assert_int_equal(failed, 0);
}

static bool say_if_different(const struct import_case *c, const struct strbuf *got) {
    if (strcmp(strbuf_text(got), strbuf_text(&c->expected)) == 0) {
        return true;
    }
    print_error("%s (before line %d)\n  row      %s\n  expected %s  got      %s", c->name, c->line,
                c->row, strbuf_text(&c->expected), strbuf_text(got));
    return false;
}

/* --- rows and what they make --- */

struct memory_case {
    const struct import_format *format;
    const struct import_case *c;
};

static enum err_code read_again(void *context, struct error *err) {
    const struct memory_case *m = context;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_BYTES_MAX);
    return import_case_read(m->format, &m->c->settings, m->c->row, &text, err);
}

static bool row_holds(const struct import_case *c, const void *context) {
    const struct import_format *format = context;
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_BYTES_MAX);
    enum err_code code = import_case_read(format, &c->settings, c->row, &text, &err);
    if (code != ERR_OK) {
        strbuf_addf(&text, "%s%s\n", code == ERR_DATA ? "! " : "!! ", err.msg);
    } else {
        struct memory_case memory = {.format = format, .c = c};
        alloc_loop_check(read_again, &memory);
    }
    return say_if_different(c, &text);
}

void import_cases_check(const struct import_format *format, const char *path) {
    check_file(path, row_holds, format);
}

/* --- rows and who recognises them --- */

struct formats {
    const struct import_format *const *items;
    size_t count;
};

static bool recognition_holds(const struct import_case *c, const void *context) {
    const struct formats *formats = context;
    struct error err = ERROR_INIT;
    SCOPED(json) struct json *doc = NULL;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_BYTES_MAX);
    assert_ok(json_parse(c->row, strlen(c->row), "rows.jsonl", NULL, &doc, &err), &err);
    struct import_json_row row = {
        .settings = &c->settings, .doc = doc, .node = json_root(doc), .line = LINE};
    for (size_t f = 0; f < formats->count && text.length == 0; f++) {
        char why[IMPORT_WHY_BYTES] = "";
        if (formats->items[f]->recognise_json(&row, why)) {
            strbuf_addf(&text, "%s: %s\n", formats->items[f]->name, why);
        }
    }
    if (text.length == 0) {
        strbuf_add(&text, "none\n");
    }
    return say_if_different(c, &text);
}

void import_cases_check_recognised(const struct import_format *const *formats, size_t count,
                                   const char *path) {
    struct formats asked = {.items = formats, .count = count};
    check_file(path, recognition_holds, &asked);
}
