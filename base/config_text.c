/* config_text.c - see config_text.h. */
#include "base/config_text.h"

#include "base/config_internal.h"
#include "base/invariant.h"
#include "base/markdown.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/shell_word.h"
#include "base/text_wrap.h"

#include <stdio.h>
#include <string.h>

#define KEY_COLUMN      2
#define KEY_BYTES       256 /* of a whole name; config_table_check sees to it */
#define TEXT_BYTES_MAX  ((size_t)8192)
#define TEXT_COLUMN_MAX 34 /* a longer key has a line of its own */

/* --- every key, those in sections by their full name --- */

/* What is done with each; `key` is borrowed for the call. */
struct visitor {
    enum err_code (*visit)(const struct visitor *v, const char *key,
                           const struct config_field *field, struct error *err);
    struct strbuf *out;
    int64_t *columns;    /* widest key that fits beside its text */
    int64_t text_column; /* where texts start */
    int64_t width;
};

static enum err_code visit_keys(const struct visitor *v, const struct config_table *table,
                                const char *prefix, struct error *err) {
    for (int64_t i = 0; i < table->field_count; i++) {
        const struct config_field *field = &table->fields[i];
        char key[KEY_BYTES];
        bool is_section = field->type == CONFIG_SECTION;
        (void)snprintf(key, sizeof key, "%s%s%s", prefix, field->key, is_section ? "." : "");
        TRY(is_section ? visit_keys(v, field->section, key, err) : v->visit(v, key, field, err));
    }
    return ERR_OK;
}

static void add_default(struct strbuf *out, const struct config_field *field) {
    strbuf_add(out, field->default_text[0] ? field->default_text : "empty");
}

/* --- help --- */

static enum err_code measure_key(const struct visitor *v, const char *key,
                                 const struct config_field *field, struct error *err) {
    (void)field;
    (void)err;
    int64_t columns = text_wrap_columns(key);
    if (KEY_COLUMN + columns + 2 <= TEXT_COLUMN_MAX && columns > *v->columns) {
        *v->columns = columns;
    }
    return ERR_OK;
}

static enum err_code add_help_entry(const struct visitor *v, const char *key,
                                    const struct config_field *field, struct error *err) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_BYTES_MAX);
    strbuf_addf(&text, "%s; ", field->help);
    config_field_describe(field, &text);
    strbuf_add(&text, ", default ");
    add_default(&text, field);
    TRY(strbuf_check(&text, "help of a key", err));

    int64_t column = KEY_COLUMN + text_wrap_columns(key);
    strbuf_add_repeated(v->out, ' ', KEY_COLUMN);
    strbuf_add(v->out, key);
    if (column + 2 > v->text_column) {
        strbuf_add_char(v->out, '\n');
        column = 0;
    }
    strbuf_add_repeated(v->out, ' ', (size_t)(v->text_column - column));
    text_wrap_add(v->out, strbuf_text(&text), v->text_column, v->width);
    strbuf_add_char(v->out, '\n');
    return strbuf_check(v->out, "help of a configuration", err);
}

enum err_code config_help(const struct config_table *table, int64_t width, struct strbuf *out,
                          struct error *err) {
    int64_t columns = 0;
    const struct visitor measure = {.visit = measure_key, .columns = &columns};
    TRY(visit_keys(&measure, table, "", err));
    const struct visitor add = {.visit = add_help_entry,
                                .out = out,
                                .text_column = KEY_COLUMN + columns + 2,
                                .width = width};
    return visit_keys(&add, table, "", err);
}

/* --- effective config --- */

static void write_section(const struct config_table *table, const void *config,
                          struct json_writer *w) {
    json_write_object_begin(w);
    for (int64_t i = 0; i < table->field_count; i++) {
        const struct config_field *field = &table->fields[i];
        const void *member = config_member_const(field, config);
        json_write_key(w, field->key);
        if (field->type == CONFIG_SECTION) {
            write_section(field->section, member, w);
        } else {
            config_field_write(field, member, w);
        }
    }
    json_write_object_end(w);
}

enum err_code config_dump(const struct config_table *table, const void *config, struct strbuf *out,
                          struct error *err) {
    struct json_writer w = JSON_WRITER_INIT(out, JSON_INDENTED);
    write_section(table, config, &w);
    strbuf_add_char(out, '\n');
    return json_writer_finish(&w, err);
}

/* --- a section for another command --- */

/* A value as --set takes it: of JSON without quotes and brackets. */
static enum err_code add_value(const struct config_field *field, const void *member,
                               struct strbuf *out, struct error *err) {
    if (field->type == CONFIG_STRING || field->type == CONFIG_PATH) {
        strbuf_add(out, *(char *const *)member);
        return ERR_OK;
    }
    SCOPED(strbuf) struct strbuf json = STRBUF_INIT(CONFIG_TEXT_BYTES_MAX);
    struct json_writer w = JSON_WRITER_INIT(&json, JSON_COMPACT);
    config_field_write(field, member, &w);
    TRY(json_writer_finish(&w, err));
    for (const char *c = strbuf_text(&json); *c; c++) {
        if (!strchr("\"[]", *c)) {
            strbuf_add_char(out, *c);
        }
    }
    return ERR_OK;
}

static enum err_code add_setting(const char *section, const struct config_field *field,
                                 const void *member, const void *default_member, struct strbuf *out,
                                 struct error *err) {
    SCOPED(strbuf) struct strbuf word = STRBUF_INIT(CONFIG_TEXT_BYTES_MAX);
    SCOPED(strbuf) struct strbuf unchanged = STRBUF_INIT(CONFIG_TEXT_BYTES_MAX);
    strbuf_addf(&word, "%s.%s=", section, field->key);
    strbuf_add(&unchanged, strbuf_text(&word));
    TRY(add_value(field, member, &word, err));
    TRY(add_value(field, default_member, &unchanged, err));
    TRY(strbuf_check(&word, "a setting", err));
    TRY(strbuf_check(&unchanged, "a setting", err));
    if (strcmp(strbuf_text(&word), strbuf_text(&unchanged)) != 0) {
        strbuf_add(out, " --set ");
        shell_word_add(out, strbuf_text(&word));
    }
    return ERR_OK;
}

static enum err_code add_settings(const struct config_field *section, const void *config,
                                  const void *defaults, struct strbuf *out, struct error *err) {
    for (int64_t i = 0; i < section->section->field_count; i++) {
        const struct config_field *field = &section->section->fields[i];
        ASSERT_LT(field->type, CONFIG_SECTION);
        TRY(add_setting(section->key, field, config_member_const(field, config),
                        config_member_const(field, defaults), out, err));
    }
    return strbuf_check(out, "settings", err);
}

enum err_code config_settings(const struct config_table *table, const char *section,
                              const void *config, struct strbuf *out, struct error *err) {
    const struct config_field *field = table->fields;
    while (strcmp(field->key, section) != 0) {
        field++;
        ASSERT_LT(field - table->fields, table->field_count);
    }
    SCOPED(mem) void *defaults = mem_array_zero(1, field->bytes);
    if (!defaults) {
        return err_oom(err, "configuration");
    }
    TRY(config_init(field->section, defaults, err));
    const enum err_code code =
        add_settings(field, config_member_const(field, config), defaults, out, err);
    config_deinit(field->section, defaults);
    return code;
}

/* --- reference page --- */

static enum err_code add_row(const struct visitor *v, const char *key,
                             const struct config_field *field, struct error *err) {
    SCOPED(strbuf) struct strbuf type = STRBUF_INIT(TEXT_BYTES_MAX);
    config_field_describe(field, &type);
    TRY(strbuf_check(&type, "type of a key", err));
    strbuf_addf(v->out, "| `%s` | ", key);
    markdown_add_cell(v->out, strbuf_text(&type));
    strbuf_add(v->out, " | ");
    if (field->default_text[0]) {
        strbuf_add_char(v->out, '`');
        markdown_add_cell(v->out, field->default_text);
        strbuf_add_char(v->out, '`');
    } else {
        add_default(v->out, field);
    }
    strbuf_add(v->out, " | ");
    markdown_add_cell(v->out, field->help);
    strbuf_add(v->out, " |\n");
    return strbuf_check(v->out, "reference of a configuration", err);
}

enum err_code config_markdown(const struct config_table *table, struct strbuf *out,
                              struct error *err) {
    strbuf_addf(out, "## %s\n\n%s\n\n", table->name, table->help);
    strbuf_add(out, "| key | value | default | meaning |\n|---|---|---|---|\n");
    const struct visitor add = {.visit = add_row, .out = out};
    return visit_keys(&add, table, "", err);
}
