/* config_field.c - see config_internal.h. One row of functions per type, at the end. */
#include "base/config_internal.h"

#include "base/invariant.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/scoped.h"
#include "base/suggest.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE_BYTES_MAX ERR_MSG_BYTES

/* --- messages --- */

static void add_path(struct strbuf *out, const struct config_input *in) {
    if (!in->parent) {
        strbuf_add(out, "$");
        return;
    }
    add_path(out, in->parent);
    if (in->key) {
        strbuf_addf(out, ".%s", in->key);
    } else {
        strbuf_addf(out, "[%" PRId64 "]", in->index);
    }
}

static void add_choices(struct strbuf *out, const struct config_field *field) {
    for (int64_t i = 0; i < field->choice_count; i++) {
        strbuf_addf(out, "%s%s", i > 0 ? ", " : "", field->choices[i]);
    }
}

static void add_range(struct strbuf *out, const struct config_field *field) {
    if (field->type != CONFIG_F64) {
        strbuf_addf(out, "[%" PRId64 ", %" PRId64 "]", field->i64_min, field->i64_max);
        return;
    }
    char min[JSON_F64_BYTES];
    char max[JSON_F64_BYTES];
    strbuf_addf(out, field->range_is_open ? "(%s, %s)" : "[%s, %s]",
                json_format_f64(field->f64_min, min), json_format_f64(field->f64_max, max));
}

/* "config 'ppo.json': $.beta = -0.1 <reason>" */
static enum err_code refuse(const struct config_input *in, const char *value,
                            const struct strbuf *reason, struct error *err) {
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(MESSAGE_BYTES_MAX);
    add_path(&path, in);
    TRY(strbuf_check(&path, "path of a key", err));
    TRY(strbuf_check(reason, "message", err));
    return err_set(err, ERR_CONFIG, "%s: %s = %s %s", in->source, strbuf_text(&path), value,
                   strbuf_text(reason));
}

static enum err_code refuse_range(const struct config_field *field, const struct config_input *in,
                                  const char *value, struct error *err) {
    SCOPED(strbuf) struct strbuf reason = STRBUF_INIT(MESSAGE_BYTES_MAX);
    strbuf_add(&reason, "is outside ");
    add_range(&reason, field);
    return refuse(in, value, &reason, err);
}

static enum err_code refuse_choice(const struct config_field *field, const struct config_input *in,
                                   const char *text, struct error *err) {
    SCOPED(strbuf) struct strbuf reason = STRBUF_INIT(CONFIG_TEXT_BYTES_MAX);
    strbuf_add(&reason, "is not one of ");
    add_choices(&reason, field);
    const char *nearest = suggest_nearest(text, field->choices, (size_t)field->choice_count);
    if (nearest) {
        strbuf_addf(&reason, ", did you mean '%s'?", nearest);
    }
    char excerpt[UTF8_EXCERPT_BYTES];
    char value[UTF8_EXCERPT_BYTES + 2];
    (void)snprintf(value, sizeof value, "'%s'", utf8_excerpt(text, strlen(text), excerpt));
    return refuse(in, value, &reason, err);
}

/* --- true or false --- */

static enum err_code read_bool(const struct config_field *field, const struct config_input *in,
                               void *member, struct error *err) {
    (void)field;
    return json_as_bool(in->doc, in->node, member, err);
}

static void write_bool(const struct config_field *field, const void *member,
                       struct json_writer *w) {
    (void)field;
    json_write_bool(w, *(const bool *)member);
}

static void write_text_bool(const char *text, struct json_writer *w) {
    bool is_true = strcmp(text, "true") == 0;
    if (is_true || strcmp(text, "false") == 0) {
        json_write_bool(w, is_true);
    } else {
        json_write_string(w, text);
    }
}

/* --- numbers --- */

static enum err_code read_i64(const struct config_field *field, const struct config_input *in,
                              void *member, struct error *err) {
    int64_t value = 0;
    TRY(json_as_i64(in->doc, in->node, &value, err));
    if (value < field->i64_min || value > field->i64_max) {
        char text[32];
        (void)snprintf(text, sizeof text, "%" PRId64, value);
        return refuse_range(field, in, text, err);
    }
    *(int64_t *)member = value;
    return ERR_OK;
}

static void write_i64(const struct config_field *field, const void *member, struct json_writer *w) {
    (void)field;
    json_write_i64(w, *(const int64_t *)member);
}

static enum err_code read_u64(const struct config_field *field, const struct config_input *in,
                              void *member, struct error *err) {
    (void)field;
    return json_as_u64(in->doc, in->node, member, err);
}

static void write_u64(const struct config_field *field, const void *member, struct json_writer *w) {
    (void)field;
    json_write_u64(w, *(const uint64_t *)member);
}

static bool is_inside(const struct config_field *field, double value) {
    if (field->range_is_open) {
        return value > field->f64_min && value < field->f64_max;
    }
    return value >= field->f64_min && value <= field->f64_max;
}

static enum err_code read_f64(const struct config_field *field, const struct config_input *in,
                              void *member, struct error *err) {
    double value = 0.0;
    TRY(json_as_f64(in->doc, in->node, &value, err));
    if (!is_inside(field, value)) {
        char text[JSON_F64_BYTES];
        return refuse_range(field, in, json_format_f64(value, text), err);
    }
    *(double *)member = value;
    return ERR_OK;
}

static void write_f64(const struct config_field *field, const void *member, struct json_writer *w) {
    (void)field;
    json_write_f64(w, *(const double *)member);
}

static void write_text_f64(const char *text, struct json_writer *w) {
    double value = 0.0;
    if (number_parse_f64(text, &value)) {
        json_write_f64(w, value);
    } else {
        json_write_string(w, text);
    }
}

/* --- texts and choices --- */

static enum err_code copy_text(const char *text, char **out, struct error *err) {
    char *copy = mem_strdup(text);
    if (!copy) {
        return err_oom(err, "configuration");
    }
    *out = copy;
    return ERR_OK;
}

static enum err_code read_string(const struct config_field *field, const struct config_input *in,
                                 void *member, struct error *err) {
    (void)field;
    const char *text = NULL;
    char *copy = NULL;
    TRY(json_as_string(in->doc, in->node, &text, err));
    TRY(copy_text(text, &copy, err));
    char **slot = member;
    mem_free(*slot);
    *slot = copy;
    return ERR_OK;
}

static void write_string(const struct config_field *field, const void *member,
                         struct json_writer *w) {
    (void)field;
    json_write_string(w, *(char *const *)member);
}

static enum err_code clone_string(const void *member, void *out_member, struct error *err) {
    return copy_text(*(char *const *)member, out_member, err);
}

static void deinit_string(void *member) {
    mem_free(*(char **)member);
}

static void write_text_string(const char *text, struct json_writer *w) {
    json_write_string(w, text);
}

static enum err_code read_enum(const struct config_field *field, const struct config_input *in,
                               void *member, struct error *err) {
    const char *text = NULL;
    TRY(json_as_string(in->doc, in->node, &text, err));
    for (int64_t i = 0; i < field->choice_count; i++) {
        if (strcmp(text, field->choices[i]) == 0) {
            *(unsigned *)member = (unsigned)i;
            return ERR_OK;
        }
    }
    return refuse_choice(field, in, text, err);
}

static void write_enum(const struct config_field *field, const void *member,
                       struct json_writer *w) {
    unsigned value = *(const unsigned *)member;
    ASSERT_LT(value, field->choice_count);
    json_write_string(w, field->choices[value]);
}

/* --- lists --- */

static struct config_input element_input(const struct config_input *list,
                                         const struct json_node *element, int64_t index) {
    return (struct config_input){
        .source = list->source, .doc = list->doc, .node = element, .parent = list, .index = index};
}

static void deinit_i64_list(void *member) {
    struct config_i64_list *list = member;
    mem_free(list->items);
}

static void deinit_string_list(void *member) {
    struct config_string_list *list = member;
    for (int64_t i = 0; i < list->count; i++) {
        mem_free(list->items[i]);
    }
    mem_free(list->items);
}

static enum err_code read_i64_list(const struct config_field *field, const struct config_input *in,
                                   void *member, struct error *err) {
    const struct json_node *array = NULL;
    TRY(json_as_array(in->doc, in->node, &array, err));
    int64_t count = json_count(in->doc, array);
    SCOPED(mem) int64_t *items = mem_array((size_t)count, sizeof *items);
    if (!items) {
        return err_oom(err, "configuration");
    }
    int64_t index = 0;
    for (const struct json_node *e = json_first(array); e; e = json_next(e)) {
        struct config_input element = element_input(in, e, index);
        TRY(read_i64(field, &element, &items[index++], err));
    }
    deinit_i64_list(member);
    *(struct config_i64_list *)member =
        (struct config_i64_list){.items = MOVE(items), .count = count};
    return ERR_OK;
}

static void write_i64_list(const struct config_field *field, const void *member,
                           struct json_writer *w) {
    (void)field;
    const struct config_i64_list *list = member;
    json_write_array_begin(w);
    for (int64_t i = 0; i < list->count; i++) {
        json_write_i64(w, list->items[i]);
    }
    json_write_array_end(w);
}

static enum err_code clone_i64_list(const void *member, void *out_member, struct error *err) {
    const struct config_i64_list *list = member;
    int64_t *items = mem_array((size_t)list->count, sizeof *items);
    if (!items) {
        return err_oom(err, "configuration");
    }
    if (list->count > 0) {
        memcpy(items, list->items, (size_t)list->count * sizeof *items);
    }
    *(struct config_i64_list *)out_member =
        (struct config_i64_list){.items = items, .count = list->count};
    return ERR_OK;
}

static void string_list_scoped_end(struct config_string_list *list) {
    deinit_string_list(list);
}

/* Room for `count` texts; the list's own count grows as they come. */
static enum err_code reserve_strings(int64_t count, struct config_string_list *out,
                                     struct error *err) {
    char **items = mem_array((size_t)count, sizeof *items);
    if (!items) {
        return err_oom(err, "configuration");
    }
    *out = (struct config_string_list){.items = items, .count = 0};
    return ERR_OK;
}

static struct config_string_list move_strings(struct config_string_list *list) {
    struct config_string_list moved = *list;
    *list = (struct config_string_list){.items = NULL, .count = 0};
    return moved;
}

static enum err_code read_string_list(const struct config_field *field,
                                      const struct config_input *in, void *member,
                                      struct error *err) {
    (void)field;
    const struct json_node *array = NULL;
    TRY(json_as_array(in->doc, in->node, &array, err));
    SCOPED(string_list) struct config_string_list list = {.items = NULL, .count = 0};
    TRY(reserve_strings(json_count(in->doc, array), &list, err));
    for (const struct json_node *e = json_first(array); e; e = json_next(e)) {
        const char *text = NULL;
        TRY(json_as_string(in->doc, e, &text, err));
        TRY(copy_text(text, &list.items[list.count], err));
        list.count++;
    }
    deinit_string_list(member);
    *(struct config_string_list *)member = move_strings(&list);
    return ERR_OK;
}

static void write_string_list(const struct config_field *field, const void *member,
                              struct json_writer *w) {
    (void)field;
    const struct config_string_list *list = member;
    json_write_array_begin(w);
    for (int64_t i = 0; i < list->count; i++) {
        json_write_string(w, list->items[i]);
    }
    json_write_array_end(w);
}

static enum err_code clone_string_list(const void *member, void *out_member, struct error *err) {
    const struct config_string_list *from = member;
    SCOPED(string_list) struct config_string_list list = {.items = NULL, .count = 0};
    TRY(reserve_strings(from->count, &list, err));
    for (int64_t i = 0; i < from->count; i++) {
        TRY(copy_text(from->items[i], &list.items[i], err));
        list.count++;
    }
    *(struct config_string_list *)out_member = move_strings(&list);
    return ERR_OK;
}

/* "a,b" as ["a", "b"]; integers are strings too, which is how JSON carries 64 bits. */
static void write_text_list(const char *text, struct json_writer *w) {
    json_write_array_begin(w);
    while (*text) {
        size_t length = strcspn(text, ",");
        json_write_string_bytes(w, text, length);
        text += length;
        if (*text == ',') {
            text++;
        }
    }
    json_write_array_end(w);
}

/* --- the types --- */

/* `clone` and `deinit` are NULL for values that own nothing. */
struct type_ops {
    enum err_code (*read)(const struct config_field *field, const struct config_input *in,
                          void *member, struct error *err);
    void (*write)(const struct config_field *field, const void *member, struct json_writer *w);
    void (*write_text)(const char *text, struct json_writer *w);
    enum err_code (*clone)(const void *member, void *out_member, struct error *err);
    void (*deinit)(void *member);
};

static const struct type_ops ops_by_type[CONFIG_TYPE_COUNT] = {
    [CONFIG_BOOL] = {read_bool, write_bool, write_text_bool, NULL, NULL},
    [CONFIG_I64] = {read_i64, write_i64, write_text_string, NULL, NULL},
    [CONFIG_U64] = {read_u64, write_u64, write_text_string, NULL, NULL},
    [CONFIG_F64] = {read_f64, write_f64, write_text_f64, NULL, NULL},
    [CONFIG_STRING] = {read_string, write_string, write_text_string, clone_string, deinit_string},
    [CONFIG_PATH] = {read_string, write_string, write_text_string, clone_string, deinit_string},
    [CONFIG_ENUM] = {read_enum, write_enum, write_text_string, NULL, NULL},
    [CONFIG_I64_LIST] = {read_i64_list, write_i64_list, write_text_list, clone_i64_list,
                         deinit_i64_list},
    [CONFIG_STRING_LIST] = {read_string_list, write_string_list, write_text_list, clone_string_list,
                            deinit_string_list},
};

static const char *const type_texts[] = {
#define CONFIG_TEXT(name, text) text,
    CONFIG_TYPES(CONFIG_TEXT)
#undef CONFIG_TEXT
};

static const struct type_ops *ops_of(const struct config_field *field) {
    ASSERT_LT(field->type, CONFIG_SECTION);
    return &ops_by_type[field->type];
}

enum err_code config_field_read(const struct config_field *field, const struct config_input *in,
                                void *member, struct error *err) {
    return ops_of(field)->read(field, in, member, err);
}

void config_field_write(const struct config_field *field, const void *member,
                        struct json_writer *w) {
    ops_of(field)->write(field, member, w);
}

void config_field_write_text(const struct config_field *field, const char *text,
                             struct json_writer *w) {
    ops_of(field)->write_text(text, w);
}

enum err_code config_field_clone(const struct config_field *field, const void *member,
                                 void *out_member, struct error *err) {
    if (ops_of(field)->clone) {
        return ops_of(field)->clone(member, out_member, err);
    }
    memcpy(out_member, member, field->bytes);
    return ERR_OK;
}

void config_field_deinit(const struct config_field *field, void *member) {
    if (ops_of(field)->deinit) {
        ops_of(field)->deinit(member);
    }
    memset(member, 0, field->bytes);
}

void config_field_describe(const struct config_field *field, struct strbuf *out) {
    strbuf_add(out, type_texts[field->type]);
    if (field->type == CONFIG_ENUM) {
        strbuf_add_char(out, ' ');
        add_choices(out, field);
    } else if (field->type == CONFIG_I64 || field->type == CONFIG_F64 ||
               field->type == CONFIG_I64_LIST) {
        strbuf_add(out, " in ");
        add_range(out, field);
    }
}
