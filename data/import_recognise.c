/* import_recognise.c - see import_recognise.h. */
#include "data/import_recognise.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "data/import.h"
#include "data/json_rows.h"
#include "data/line_rows.h"
#include "data/table_rows.h"

#include <inttypes.h>
#include <stdio.h>

/* The first rows may lack what tells a format: an answer that is null, an empty list. */
#define ROWS_LOOKED_AT 8

/* Names listed when nothing is recognised. */
#define SEEN_MAX 10

#define REMEDY                                                                             \
    "choose a format with --format, or name the columns with --map; 'accord help import' " \
    "lists the formats"

/* What was seen of a file, for the message that it is unknown. */
struct seen {
    struct strbuf *names; /* borrowed */
    int64_t count;
};

#define SEEN_BYTES_MAX ((size_t)SEEN_MAX * (UTF8_EXCERPT_BYTES + 8))

static void see_name(struct seen *seen, const char *bytes, size_t count) {
    char excerpt[UTF8_EXCERPT_BYTES];
    if (seen->count < SEEN_MAX) {
        strbuf_addf(seen->names, "%s'%s'", seen->count > 0 ? ", " : "",
                    utf8_excerpt(bytes, count, excerpt));
    } else if (seen->count == SEEN_MAX) {
        strbuf_add(seen->names, ", ...");
    }
    seen->count++;
}

static enum err_code refuse(const char *name, const char *what, const struct seen *seen,
                            struct error *err) {
    TRY(strbuf_check(seen->names, "a list of names", err));
    return err_set(err, ERR_DATA, "%s: no format recognised: %s %s: " REMEDY, name, what,
                   strbuf_text(seen->names));
}

/* ---- JSON ---- */

static bool ask_json(const struct import_json_row *row, struct import_recognition *out_found) {
    int64_t count = 0;
    const struct import_format *const *formats = import_formats(&count);
    for (int64_t i = 0; i < count; i++) {
        const struct import_format *format = formats[i];
        if (format->container == IMPORT_JSON && format->recognise_json &&
            format->recognise_json(row, out_found->why)) {
            out_found->format = format;
            return true;
        }
    }
    return false;
}

static void see_keys(const struct json_row *row, struct seen *seen) {
    const struct json_node *child = json_first(json_root(row->doc));
    for (; child; child = json_next(child)) {
        see_name(seen, json_key(child), strlen(json_key(child)));
    }
}

/* Rows that cannot be read are passed over, and only matter if there is no other. */
static enum err_code look_at_rows(struct json_rows *rows, const struct import_settings *settings,
                                  struct seen *seen, struct import_recognition *out_found,
                                  struct error *err) {
    struct error first = ERROR_INIT;
    bool has_row = true;
    for (int64_t i = 0; i < ROWS_LOOKED_AT && has_row; i++) {
        struct json_row row;
        struct error bad = ERROR_INIT;
        enum err_code code = json_rows_next(rows, &row, &has_row, &bad);
        if (code != ERR_OK) {
            first = first.code == ERR_OK ? bad : first;
            has_row = code == ERR_DATA && json_rows_can_go_on(rows);
            continue;
        }
        const struct import_json_row given = {.settings = settings,
                                              .doc = row.doc,
                                              .line = row.line,
                                              .node = has_row ? json_root(row.doc) : NULL};
        if (has_row && ask_json(&given, out_found)) {
            return ERR_OK;
        }
        if (has_row && seen->count == 0) {
            see_keys(&row, seen);
        }
    }
    if (seen->count == 0 && first.code != ERR_OK) {
        *err = first;
        return first.code;
    }
    return ERR_OK;
}

static enum err_code recognise_json(struct input_stream *in, const struct import_settings *settings,
                                    struct import_recognition *out_found, struct error *err) {
    SCOPED(json_rows) struct json_rows *rows = NULL;
    TRY(json_rows_open(in, &rows, err));
    SCOPED(strbuf) struct strbuf names = STRBUF_INIT(SEEN_BYTES_MAX);
    struct seen seen = {.names = &names};
    TRY(look_at_rows(rows, settings, &seen, out_found, err));
    if (out_found->format) {
        return ERR_OK;
    }
    return seen.count > 0
               ? refuse(input_stream_name(in), "the keys of its first row are", &seen, err)
               : err_set(err, ERR_DATA, "%s: the file holds no rows", input_stream_name(in));
}

/* ---- tables and lines ---- */

/* What a file that is not JSON begins with. */
struct beginning {
    struct text_span line; /* the first that is not empty; absent if there is none */
    bool has_header;
    struct import_table_row header;
};

static bool asks(const struct import_format *format, const struct beginning *beginning,
                 char out_why[IMPORT_WHY_BYTES]) {
    if (format->container == IMPORT_LINES && format->recognise_line) {
        return text_span_is_set(&beginning->line) &&
               format->recognise_line(&beginning->line, out_why);
    }
    return format->container == IMPORT_TABLE && format->recognise_table && beginning->has_header &&
           format->recognise_table(&beginning->header, out_why);
}

static bool ask_text(const struct beginning *beginning, struct import_recognition *out_found) {
    int64_t count = 0;
    const struct import_format *const *formats = import_formats(&count);
    for (int64_t i = 0; i < count; i++) {
        if (asks(formats[i], beginning, out_found->why)) {
            out_found->format = formats[i];
            return true;
        }
    }
    return false;
}

static enum err_code read_first_line(struct input_stream *in, struct strbuf *out,
                                     bool *out_has_line, struct error *err) {
    struct line_rows lines = LINE_ROWS_INIT(in);
    struct line_row line = {.number = 0};
    *out_has_line = true;
    do {
        TRY(line_rows_next(&lines, &line, out_has_line, err));
    } while (*out_has_line && line.text.count == 0);
    if (*out_has_line) {
        strbuf_add_bytes(out, line.text.bytes, line.text.count);
    }
    return strbuf_check(out, "a line", err);
}

static enum err_code refuse_text(struct input_stream *in, const struct beginning *beginning,
                                 struct error *err) {
    SCOPED(strbuf) struct strbuf names = STRBUF_INIT(SEEN_BYTES_MAX);
    struct seen seen = {.names = &names};
    const char *what = "its first line begins";
    if (beginning->has_header && beginning->header.cell_count > 1) {
        what = "its columns are";
        for (int64_t i = 0; i < beginning->header.cell_count; i++) {
            see_name(&seen, beginning->header.cells[i].bytes, beginning->header.cells[i].count);
        }
    } else {
        see_name(&seen, beginning->line.bytes, beginning->line.count);
    }
    return refuse(input_stream_name(in), what, &seen, err);
}

/* A table whose columns the user has named is one: the format knows what is wrong with the names.
 */
static bool take_as_table(const struct beginning *beginning, const struct import_settings *settings,
                          struct import_recognition *out_found) {
    if (settings->map_count == 0 || !beginning->has_header || beginning->header.cell_count < 2) {
        return false;
    }
    out_found->format = import_format_find("table");
    (void)snprintf(out_found->why, sizeof out_found->why, "the columns that --map names");
    return out_found->format != NULL;
}

/* A header that cannot be read as one is only a line. */
static enum err_code recognise_text(struct input_stream *in, const struct import_settings *settings,
                                    struct import_recognition *out_found, struct error *err) {
    SCOPED(strbuf) struct strbuf line = STRBUF_INIT(INPUT_ROW_BYTES_MAX);
    bool has_line = false;
    TRY(read_first_line(in, &line, &has_line, err));
    input_stream_rewind(in);
    input_stream_mark(in);
    if (!has_line) {
        return err_set(err, ERR_DATA, "%s: the file is empty", input_stream_name(in));
    }
    struct beginning beginning = {.line = {.bytes = strbuf_text(&line), .count = line.length}};
    SCOPED(table_rows) struct table_rows *rows = NULL;
    enum err_code code = table_rows_open(in, TABLE_DELIMITER_FROM_HEADER, &rows, err);
    if (code != ERR_OK && code != ERR_DATA) {
        return code;
    }
    if (code == ERR_OK) {
        const struct table_record *header = table_rows_header(rows);
        beginning.has_header = true;
        beginning.header = (struct import_table_row){
            .settings = settings,
            .place = input_stream_name(in),
            .cells = header->cells,
            .columns = header->columns,
            .lines = header->lines,
            .cell_count = header->count,
            .line = header->line,
        };
    }
    if (ask_text(&beginning, out_found) || take_as_table(&beginning, settings, out_found)) {
        return ERR_OK;
    }
    return refuse_text(in, &beginning, err);
}

/* ---- public ---- */

/* The first character that is no space; NUL if there is none. */
static enum err_code first_character(struct input_stream *in, char *out_c, struct error *err) {
    bool has_more = true;
    *out_c = '\0';
    while (has_more) {
        struct text_span ready = input_stream_ready(in);
        for (size_t i = 0; i < ready.count; i++) {
            if (!strchr(" \t\r\n", ready.bytes[i]) || ready.bytes[i] == '\0') {
                *out_c = ready.bytes[i];
                return ERR_OK;
            }
        }
        input_stream_skip(in, ready.count);
        TRY(input_stream_more(in, &has_more, err));
    }
    return ERR_OK;
}

enum err_code import_recognise(struct input_stream *in, const struct import_settings *settings,
                               struct import_recognition *out_found, struct error *err) {
    struct import_recognition found = {.format = NULL};
    char c = '\0';
    input_stream_mark(in);
    TRY(first_character(in, &c, err));
    input_stream_rewind(in);
    input_stream_mark(in);
    TRY(c == '{' || c == '[' ? recognise_json(in, settings, &found, err)
                             : recognise_text(in, settings, &found, err));
    input_stream_rewind(in);
    *out_found = found;
    return ERR_OK;
}

/* "works-table" for "works". */
static const struct import_format *member_of(const struct import_format *family,
                                             const char *suffix) {
    char name[64];
    (void)snprintf(name, sizeof name, "%s-%s", family->name, suffix);
    return import_format_find(name);
}

enum err_code import_recognise_member(struct input_stream *in, const struct import_format *given,
                                      const struct import_format **out_format, struct error *err) {
    const struct import_format *table = member_of(given, "table");
    *out_format = given;
    if (!table || given->container != IMPORT_JSON) {
        return ERR_OK;
    }
    char c = '\0';
    input_stream_mark(in);
    TRY(first_character(in, &c, err));
    input_stream_rewind(in);
    *out_format = c == '{' || c == '[' ? given : table;
    return ERR_OK;
}

static enum err_code use_folder_format(const char *path, const struct import_format *given,
                                       struct import_recognition *out_found, struct error *err) {
    const struct import_format *format =
        given->container == IMPORT_FOLDER ? given : member_of(given, "folder");
    if (!format) {
        return err_set(err, ERR_USAGE, "'%s' is a folder, and the format '%s' reads files", path,
                       given->name);
    }
    *out_found = (struct import_recognition){.format = format};
    return ERR_OK;
}

enum err_code import_recognise_folder(const char *path, const struct import_format *given,
                                      struct import_recognition *out_found, struct error *err) {
    if (given) {
        return use_folder_format(path, given, out_found, err);
    }
    int64_t count = 0;
    const struct import_format *const *formats = import_formats(&count);
    struct import_recognition found = {.format = NULL};
    for (int64_t i = 0; i < count && !found.format; i++) {
        if (formats[i]->container == IMPORT_FOLDER && formats[i]->recognise_folder &&
            formats[i]->recognise_folder(path, found.why)) {
            found.format = formats[i];
        }
    }
    if (!found.format) {
        return err_set(err, ERR_DATA,
                       "'%s' is a folder of no kind that is known: give the files in it", path);
    }
    *out_found = found;
    return ERR_OK;
}
