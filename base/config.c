/* config.c - see config.h.
 *
 * Everything becomes JSON first: the defaults and a --set assignment are written as JSON objects
 * and then read by the same code as a file, so that all three are checked alike.
 */
#include "base/config.h"

#include "base/config_internal.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/suggest.h"
#include "base/utf8.h"

#include <string.h>

static const struct json_limits limits = {
    .bytes_max = CONFIG_TEXT_BYTES_MAX, .depth_max = 32, .values_max = 100 * 1000};

/* What is wrong with a config file is wrong configuration, not wrong data. */
static enum err_code as_config_error(enum err_code code, struct error *err) {
    if (code == ERR_DATA || code == ERR_LIMIT) {
        err->code = ERR_CONFIG;
        return ERR_CONFIG;
    }
    return code;
}

/* --- copies --- */

static enum err_code clone_section(const struct config_table *table, const void *config,
                                   void *out_config, struct error *err) {
    for (int64_t i = 0; i < table->field_count; i++) {
        const struct config_field *field = &table->fields[i];
        const void *from = config_member_const(field, config);
        void *to = config_member(field, out_config);
        TRY(field->type == CONFIG_SECTION ? clone_section(field->section, from, to, err)
                                          : config_field_clone(field, from, to, err));
    }
    return ERR_OK;
}

/* A struct of its own to work on, so that a failure halfway changes nothing. */
struct draft {
    const struct config_table *table;
    void *config;
};

static void draft_scoped_end(struct draft *draft) {
    if (draft->config) {
        config_deinit(draft->table, draft->config);
        mem_free(draft->config);
    }
}

static enum err_code draft_open(const struct config_table *table, struct draft *out,
                                struct error *err) {
    void *config = mem_array_zero(1, table->struct_bytes);
    if (!config) {
        return err_oom(err, "configuration");
    }
    *out = (struct draft){.table = table, .config = config};
    return ERR_OK;
}

/* Moves the contents to `config`, which is overwritten unread. */
static void draft_move(struct draft *draft, void *config) {
    memcpy(config, draft->config, draft->table->struct_bytes);
    mem_free(draft->config);
    draft->config = NULL;
}

/* --- reading --- */

static const struct config_field *find_field(const struct config_table *table, const char *key) {
    for (int64_t i = 0; i < table->field_count; i++) {
        if (strcmp(table->fields[i].key, key) == 0) {
            return &table->fields[i];
        }
    }
    return NULL;
}

static enum err_code refuse_key(const struct config_table *table, const struct config_input *in,
                                struct error *err) {
    const char *keys[CONFIG_FIELDS_MAX];
    size_t count = 0;
    SCOPED(strbuf) struct strbuf known = STRBUF_INIT(CONFIG_TEXT_BYTES_MAX);
    for (int64_t i = 0; i < table->field_count && count < CONFIG_FIELDS_MAX; i++) {
        strbuf_addf(&known, "%s%s", count > 0 ? ", " : "", table->fields[i].key);
        keys[count++] = table->fields[i].key;
    }
    TRY(strbuf_check(&known, "list of keys", err));
    const char *nearest = suggest_nearest(in->key, keys, count);
    if (nearest) {
        return json_refuse(in->doc, in->node, err, "unknown key, did you mean '%s'?", nearest);
    }
    return json_refuse(in->doc, in->node, err, "unknown key; known here: %s", strbuf_text(&known));
}

/* Depth is bounded by the tables, since a section is entered only where one has it. */
static enum err_code read_section(const struct config_table *table, const struct config_input *in,
                                  void *config, struct error *err) {
    const struct json_node *object = NULL;
    TRY(json_as_object(in->doc, in->node, &object, err));
    for (const struct json_node *m = json_first(object); m; m = json_next(m)) {
        const char *key = json_key(m);
        if (strcmp(key, CONFIG_COMMENT_KEY) == 0) {
            continue;
        }
        const struct config_input value = {
            .source = in->source, .doc = in->doc, .node = m, .parent = in, .key = key};
        const struct config_field *field = find_field(table, key);
        if (!field) {
            return refuse_key(table, &value, err);
        }
        void *member = config_member(field, config);
        TRY(field->type == CONFIG_SECTION ? read_section(field->section, &value, member, err)
                                          : config_field_read(field, &value, member, err));
    }
    return ERR_OK;
}

static enum err_code read_text(const struct config_table *table, void *config, const char *source,
                               const char *bytes, size_t count, struct error *err) {
    SCOPED(json) struct json *doc = NULL;
    TRY(json_parse(bytes, count, source, &limits, &doc, err));
    const struct config_input whole = {.source = source, .doc = doc, .node = json_root(doc)};
    return read_section(table, &whole, config, err);
}

static enum err_code apply(const struct config_table *table, void *config, const char *source,
                           const char *bytes, size_t count, struct error *err) {
    SCOPED(draft) struct draft draft = {.table = NULL, .config = NULL};
    TRY(draft_open(table, &draft, err));
    TRY(clone_section(table, config, draft.config, err));
    TRY(read_text(table, draft.config, source, bytes, count, err));
    config_deinit(table, config);
    draft_move(&draft, config);
    return ERR_OK;
}

/* --- defaults and assignments, as JSON --- */

static void write_defaults(const struct config_table *table, struct json_writer *w) {
    json_write_object_begin(w);
    for (int64_t i = 0; i < table->field_count; i++) {
        const struct config_field *field = &table->fields[i];
        json_write_key(w, field->key);
        if (field->type == CONFIG_SECTION) {
            write_defaults(field->section, w);
        } else {
            config_field_write_text(field, field->default_text, w);
        }
    }
    json_write_object_end(w);
}

/* Writes {"a": {"b": value}} for the key "a.b", which is cut into its parts. A key that is in no
 * table is written too, for the reader to refuse. */
static void write_assignment(const struct config_table *table, char *key, const char *value,
                             struct json_writer *w) {
    json_write_object_begin(w);
    char *dot = strchr(key, '.');
    if (dot) {
        *dot = '\0';
    }
    json_write_key(w, key);
    const struct config_field *field = table ? find_field(table, key) : NULL;
    if (dot) {
        write_assignment(field ? field->section : NULL, dot + 1, value, w);
    } else if (field && field->type != CONFIG_SECTION) {
        config_field_write_text(field, value, w);
    } else {
        json_write_string(w, value);
    }
    json_write_object_end(w);
}

/* "key=value" cut in two; the key not too deep to be written. */
static enum err_code split_assignment(char *text, char **out_value, struct error *err) {
    char excerpt[UTF8_EXCERPT_BYTES];
    (void)utf8_excerpt(text, strlen(text), excerpt);
    size_t invalid = utf8_find_invalid(text, strlen(text));
    if (text[invalid]) {
        return err_set(err, ERR_CONFIG, "--set '%s': not UTF-8 at byte %zu", excerpt, invalid);
    }
    char *equals = strchr(text, '=');
    if (!equals || equals == text) {
        return err_set(err, ERR_CONFIG, "--set '%s': expected key=value", excerpt);
    }
    *equals = '\0';
    int64_t depth = 0;
    for (const char *dot = strchr(text, '.'); dot; dot = strchr(dot + 1, '.')) {
        depth++;
    }
    if (depth > CONFIG_DEPTH_MAX) {
        return err_set(err, ERR_CONFIG, "--set '%s': key with more than %d dots", excerpt,
                       CONFIG_DEPTH_MAX);
    }
    *out_value = equals + 1;
    return ERR_OK;
}

/* `key` is cut into its parts. */
static enum err_code set_key(const struct config_table *table, void *config, const char *source,
                             char *key, const char *value, struct error *err) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(CONFIG_TEXT_BYTES_MAX);
    struct json_writer w = JSON_WRITER_INIT(&text, JSON_COMPACT);
    write_assignment(table, key, value, &w);
    TRY(json_writer_finish(&w, err));
    return apply(table, config, source, text.bytes, text.length, err);
}

static enum err_code set(const struct config_table *table, void *config, const char *assignment,
                         struct error *err) {
    SCOPED(mem) char *key = mem_strdup(assignment);
    if (!key) {
        return err_oom(err, "configuration");
    }
    char *value = NULL;
    TRY(split_assignment(key, &value, err));
    return set_key(table, config, "--set", key, value, err);
}

static enum err_code set_option(const struct config_table *table, void *config,
                                const struct config_option *option, struct error *err) {
    char excerpt[UTF8_EXCERPT_BYTES];
    size_t invalid = utf8_find_invalid(option->value, strlen(option->value));
    if (option->value[invalid]) {
        return err_set(err, ERR_CONFIG, "%s '%s': not UTF-8 at byte %zu", option->name,
                       utf8_excerpt(option->value, strlen(option->value), excerpt), invalid);
    }
    SCOPED(mem) char *key = mem_strdup(option->key);
    if (!key) {
        return err_oom(err, "configuration");
    }
    return set_key(table, config, option->name, key, option->value, err);
}

static enum err_code validate_section(const struct config_table *table, const void *config,
                                      struct error *err) {
    for (int64_t i = 0; i < table->field_count; i++) {
        const struct config_field *field = &table->fields[i];
        if (field->type == CONFIG_SECTION) {
            const void *member = config_member_const(field, config);
            TRY(err_wrap(err, validate_section(field->section, member, err), "%s", field->key));
        }
    }
    return table->validate ? table->validate(config, err) : ERR_OK;
}

/* --- the whole --- */

enum err_code config_load(const struct config_table *table, const struct config_source *source,
                          void *out_config, struct error *err) {
    SCOPED(draft) struct draft draft = {.table = NULL, .config = NULL};
    TRY(draft_open(table, &draft, err));
    TRY(config_init(table, draft.config, err));
    if (source->path) {
        TRY(config_apply_file(table, draft.config, source->path, err));
    }
    for (int64_t i = 0; i < source->assignment_count; i++) {
        TRY(config_set(table, draft.config, source->assignments[i], err));
    }
    for (int64_t i = 0; i < source->option_count; i++) {
        TRY(as_config_error(set_option(table, draft.config, &source->options[i], err), err));
    }
    TRY(config_validate(table, draft.config, err));
    draft_move(&draft, out_config);
    return ERR_OK;
}

enum err_code config_init(const struct config_table *table, void *out_config, struct error *err) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(CONFIG_TEXT_BYTES_MAX);
    struct json_writer w = JSON_WRITER_INIT(&text, JSON_COMPACT);
    write_defaults(table, &w);
    TRY(json_writer_finish(&w, err));
    SCOPED(draft) struct draft draft = {.table = NULL, .config = NULL};
    TRY(draft_open(table, &draft, err));
    TRY(as_config_error(read_text(table, draft.config, "defaults", text.bytes, text.length, err),
                        err));
    draft_move(&draft, out_config);
    return ERR_OK;
}

void config_deinit(const struct config_table *table, void *config) {
    for (int64_t i = 0; i < table->field_count; i++) {
        const struct config_field *field = &table->fields[i];
        if (field->type == CONFIG_SECTION) {
            config_deinit(field->section, config_member(field, config));
        } else {
            config_field_deinit(field, config_member(field, config));
        }
    }
    memset(config, 0, table->struct_bytes);
}

enum err_code config_clone(const struct config_table *table, const void *config, void *out_config,
                           struct error *err) {
    SCOPED(draft) struct draft draft = {.table = NULL, .config = NULL};
    TRY(draft_open(table, &draft, err));
    TRY(clone_section(table, config, draft.config, err));
    draft_move(&draft, out_config);
    return ERR_OK;
}

enum err_code config_apply_text(const struct config_table *table, void *config, const char *source,
                                const char *bytes, size_t count, struct error *err) {
    return as_config_error(apply(table, config, source, bytes, count, err), err);
}

enum err_code config_apply_file(const struct config_table *table, void *config, const char *path,
                                struct error *err) {
    SCOPED(mem) char *bytes = NULL;
    size_t count = 0;
    TRY(err_wrap(
        err, as_config_error(file_read_all(path, CONFIG_TEXT_BYTES_MAX, &bytes, &count, err), err),
        "--config"));
    SCOPED(strbuf) struct strbuf source = STRBUF_INIT(CONFIG_TEXT_BYTES_MAX);
    strbuf_addf(&source, "config '%s'", path);
    TRY(strbuf_check(&source, "name of the configuration", err));
    return config_apply_text(table, config, strbuf_text(&source), bytes, count, err);
}

enum err_code config_set(const struct config_table *table, void *config, const char *assignment,
                         struct error *err) {
    return as_config_error(set(table, config, assignment, err), err);
}

enum err_code config_validate(const struct config_table *table, const void *config,
                              struct error *err) {
    return err_wrap(err, validate_section(table, config, err), "configuration");
}
