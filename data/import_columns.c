/* import_columns.c - see import_columns.h. */
#include "data/import_columns.h"

#include "data/timestamp.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool is_present(const struct json_node *node) {
    return node && json_kind_of(node) != JSON_KIND_NULL;
}

const struct json_node *import_json_find(const struct import_json_row *row, const char *role,
                                         const char *key) {
    const char *column = import_settings_column(row->settings, role, key);
    const struct json_node *node = column ? json_find(row->doc, row->node, column) : NULL;
    return is_present(node) ? node : NULL;
}

/* The first that is there of several keys, the last of which is NULL; a mapped one alone. */
static const struct json_node *find_any(const struct import_json_row *row, const char *role,
                                        const char *const *keys) {
    const char *mapped = import_settings_column(row->settings, role, NULL);
    if (mapped) {
        return import_json_find(row, role, mapped);
    }
    for (; *keys; keys++) {
        const struct json_node *node = json_find(row->doc, row->node, *keys);
        if (is_present(node)) {
            return node;
        }
    }
    return NULL;
}

enum err_code import_json_need(const struct import_json_row *row, const char *role, const char *key,
                               const char *expected, const struct json_node **out_node,
                               struct error *err) {
    const char *column = import_settings_column(row->settings, role, key);
    const struct json_node *node = json_find(row->doc, row->node, column);
    if (!node) {
        return json_refuse(row->doc, row->node, err, "missing key '%s', expected %s", column,
                           expected);
    }
    *out_node = node;
    return ERR_OK;
}

enum err_code import_json_name(const struct import_json_row *row, const struct json_node *node,
                               struct import_batch *batch, struct text_span *out_name,
                               struct error *err) {
    if (!is_present(node)) {
        *out_name = (struct text_span)TEXT_SPAN_NONE;
        return ERR_OK;
    }
    if (json_kind_of(node) == JSON_KIND_NUMBER) {
        int64_t number = 0;
        TRY(json_as_i64(row->doc, node, &number, err));
        char digits[32];
        int count = snprintf(digits, sizeof digits, "%" PRId64, number);
        return import_batch_text(batch, digits, (size_t)count, out_name, err);
    }
    const char *text = NULL;
    TRY(json_as_string(row->doc, node, &text, err));
    *out_name = text_span_of(text[0] ? text : NULL);
    return ERR_OK;
}

const char *import_json_peek(const struct import_json_row *row, const struct json_node *node) {
    struct error ignored = ERROR_INIT;
    const char *text = "";
    bool is_text = node && json_as_string(row->doc, node, &text, &ignored) == ERR_OK;
    return is_text ? text : "";
}

enum err_code import_json_flag(const struct import_json_row *row, const struct json_node *node,
                               bool *out_flag, struct error *err) {
    if (json_kind_of(node) != JSON_KIND_NUMBER) {
        return json_as_bool(row->doc, node, out_flag, err);
    }
    double number = 0.0;
    TRY(json_as_f64(row->doc, node, &number, err));
    if (number != 0.0 && number != 1.0) {
        return json_refuse(row->doc, node, err, "expected true, false, 1 or 0, found %g", number);
    }
    *out_flag = number != 0.0;
    return ERR_OK;
}

static enum err_code read_name(const struct import_json_row *row, const char *role,
                               const char *const *keys, struct import_batch *batch,
                               struct text_span *out_name, struct error *err) {
    return import_json_name(row, find_any(row, role, keys), batch, out_name, err);
}

static enum err_code read_number(const struct import_json_row *row, const char *role,
                                 bool *out_found, double *out_number, struct error *err) {
    const struct json_node *node = import_json_find(row, role, role);
    *out_found = node != NULL;
    return node ? json_as_f64(row->doc, node, out_number, err) : ERR_OK;
}

static enum err_code read_weight(const struct import_json_row *row, double *out_weight,
                                 struct error *err) {
    const struct json_node *node = import_json_find(row, "weight", "weight");
    double weight = 1.0;
    if (node) {
        TRY(json_as_f64(row->doc, node, &weight, err));
    }
    if (!(weight > 0.0)) {
        return json_refuse(row->doc, node, err, "weight %g is not above 0", weight);
    }
    *out_weight = weight;
    return ERR_OK;
}

static enum err_code read_time(const struct import_json_row *row, bool *out_found, int64_t *out_ms,
                               struct error *err) {
    static const char *const keys[] = {"asked_at", "timestamp", "tstamp", "time", NULL};
    const struct json_node *node = find_any(row, "asked_at", keys);
    *out_found = false;
    if (!node) {
        return ERR_OK;
    }
    bool is_time = false;
    if (json_kind_of(node) == JSON_KIND_NUMBER) {
        double number = 0.0;
        TRY(json_as_f64(row->doc, node, &number, err));
        is_time = timestamp_of_number(number, out_ms);
    } else {
        const char *text = NULL;
        TRY(json_as_string(row->doc, node, &text, err));
        struct text_span span = text_span_of(text);
        is_time = timestamp_parse(&span, out_ms);
    }
    if (!is_time) {
        return json_refuse(row->doc, node, err, TIMESTAMP_EXPECTED);
    }
    *out_found = true;
    return ERR_OK;
}

static enum err_code read_people(const struct import_json_row *row, struct import_batch *batch,
                                 struct import_columns *columns, struct error *err) {
    static const char *const annotator_keys[] = {"annotator", "annotator_id", NULL};
    static const char *const population_keys[] = {"population", NULL};
    TRY(read_name(row, "annotator", annotator_keys, batch, &columns->annotator, err));
    TRY(read_name(row, "population", population_keys, batch, &columns->population, err));
    if (text_span_is_set(&columns->population) && !text_span_is_set(&columns->annotator)) {
        return json_refuse(row->doc, find_any(row, "population", population_keys), err,
                           "a population without an annotator who belongs to it; add 'annotator', "
                           "or name its column with --map annotator=...");
    }
    return ERR_OK;
}

enum err_code import_columns_read_timeless(const struct import_json_row *row,
                                           struct import_batch *batch,
                                           struct import_columns *out_columns, struct error *err) {
    static const char *const aspect_keys[] = {"aspect", NULL};
    static const char *const topic_keys[] = {"topic", NULL};
    struct import_columns columns = {.weight = 1.0};
    TRY(read_people(row, batch, &columns, err));
    TRY(read_name(row, "aspect", aspect_keys, batch, &columns.aspect, err));
    TRY(read_name(row, "topic", topic_keys, batch, &columns.topic, err));
    TRY(read_weight(row, &columns.weight, err));
    TRY(read_number(row, "margin", &columns.has_margin, &columns.margin, err));
    if (!text_span_is_set(&columns.topic)) {
        columns.topic = text_span_of(row->settings->topic);
    }
    *out_columns = columns;
    return ERR_OK;
}

enum err_code import_columns_read(const struct import_json_row *row, struct import_batch *batch,
                                  struct import_columns *out_columns, struct error *err) {
    struct import_columns columns;
    TRY(import_columns_read_timeless(row, batch, &columns, err));
    TRY(read_time(row, &columns.has_asked_at, &columns.asked_at_ms, err));
    *out_columns = columns;
    return ERR_OK;
}

void import_columns_apply(const struct import_json_row *row, const struct import_columns *columns,
                          struct preference *made) {
    made->line = row->line;
    made->annotator = columns->annotator;
    made->population = columns->population;
    made->aspect = columns->aspect;
    made->weight = columns->weight;
    made->has_asked_at = columns->has_asked_at;
    made->asked_at_ms = columns->asked_at_ms;
    if (made->kind == PREFERENCE_COMPARISON) {
        made->has_margin = columns->has_margin;
        made->margin = columns->margin;
    }
    if (!text_span_is_set(&made->prompt.topic)) {
        made->prompt.topic = columns->topic;
    }
}

enum err_code import_json_origin(const struct import_json_row *row, struct import_batch *batch,
                                 struct preference_response *response, struct error *err) {
    static const char *const keys[] = {"origin", "model", NULL};
    return read_name(row, "origin", keys, batch, &response->origin, err);
}

static enum err_code read_position(const struct import_json_row *row, const char *role,
                                   int64_t *out_position, struct error *err) {
    const struct json_node *node = import_json_find(row, role, role);
    if (!node) {
        return ERR_OK;
    }
    int64_t position = 0;
    TRY(json_as_i64(row->doc, node, &position, err));
    if (position < 1) {
        return json_refuse(row->doc, node, err,
                           "position %" PRId64 " is below 1, the place of what is shown first",
                           position);
    }
    *out_position = position;
    return ERR_OK;
}

enum err_code import_json_pair_origins(const struct import_json_row *row,
                                       struct import_batch *batch,
                                       struct preference_response sides[2], struct error *err) {
    static const char *const chosen_keys[] = {"chosen_origin", "chosen_model", NULL};
    static const char *const rejected_keys[] = {"rejected_origin", "rejected_model", NULL};
    TRY(read_name(row, "chosen_origin", chosen_keys, batch, &sides[0].origin, err));
    TRY(read_name(row, "rejected_origin", rejected_keys, batch, &sides[1].origin, err));
    TRY(read_position(row, "chosen_position", &sides[0].position, err));
    return read_position(row, "rejected_position", &sides[1].position, err);
}

/* null, "", "[]", [] and lists of nothing but nulls, as tables turned into JSON have them. */
static bool is_empty(const struct import_json_row *row, const struct json_node *node) {
    if (!is_present(node)) {
        return true;
    }
    if (json_kind_of(node) == JSON_KIND_STRING) {
        const char *text = import_json_peek(row, node);
        return text[0] == '\0' || strcmp(text, "[]") == 0;
    }
    if (json_kind_of(node) != JSON_KIND_ARRAY) {
        return false;
    }
    for (const struct json_node *item = json_first(node); item; item = json_next(item)) {
        if (is_present(item)) {
            return false;
        }
    }
    return true;
}

enum err_code import_json_refuse_media(const struct import_json_row *row, struct error *err) {
    static const char *const keys[] = {"images", "image", "videos", "video",
                                       "audios", "audio", "tools"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const struct json_node *node = json_find(row->doc, row->node, keys[i]);
        if (!is_empty(row, node)) {
            return json_refuse(row->doc, node, err,
                               "a log of preferences holds text: '%s' cannot be kept, and the row "
                               "would mean something else without",
                               keys[i]);
        }
    }
    return ERR_OK;
}
