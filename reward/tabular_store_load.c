/* tabular_store_load.c - see tabular_store.h: reading. */
#include "reward/tabular_store_internal.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "base/suggest.h"
#include "base/utf8.h"

#include "base/number.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define NAMES_BYTES_MAX 300 /* of a list of fits in a message */

static enum err_code refuse(const struct tabular_stored *stored, struct error *err,
                            const char *what) {
    return err_set(err, ERR_DATA, "fit '%s' is damaged: %s; make it again with --replace",
                   stored->name, what);
}

static enum err_code copy_text(struct db_stmt *stmt, int column, char **out_text,
                               struct error *err) {
    if (db_column_is_null(stmt, column)) {
        *out_text = NULL;
        return ERR_OK;
    }
    const char *text = NULL;
    size_t bytes = 0;
    TRY(db_column_text(stmt, column, &text, &bytes, err));
    *out_text = mem_strndup(text, bytes);
    return *out_text ? ERR_OK : err_oom(err, "text of a fit");
}

static enum err_code column_f64_or_nan(struct db_stmt *stmt, int column, double *out,
                                       struct error *err) {
    *out = NAN;
    return db_column_is_null(stmt, column) ? ERR_OK : db_column_f64(stmt, column, out, err);
}

/* ---- which fit ---- */

static enum err_code add_names(struct db *db, struct strbuf *out, int64_t *out_count,
                               struct error *err) {
    SCOPED(db_stmt) struct db_stmt *names = NULL;
    TRY(db_stmt_open(db, "SELECT name FROM reward_fit ORDER BY name", &names, err));
    bool has_row = false;
    for (*out_count = 0;; ++*out_count) {
        TRY(db_stmt_step(names, &has_row, err));
        if (!has_row) {
            return ERR_OK;
        }
        const char *name = NULL;
        size_t bytes = 0;
        TRY(db_column_text(names, 0, &name, &bytes, err));
        strbuf_addf(out, "%s'%s'", *out_count > 0 ? ", " : "", name);
    }
}

static enum err_code refuse_name(struct db *db, const char *name, struct error *err) {
    SCOPED(strbuf) struct strbuf names = STRBUF_INIT(64 * 1024);
    int64_t count = 0;
    TRY(add_names(db, &names, &count, err));
    TRY(strbuf_check(&names, "names of fits", err));
    if (count == 0) {
        return err_set(err, ERR_CONFIG,
                       "there is no fit in this file yet; make one with: accord reward fit");
    }
    const char *dots = names.length > NAMES_BYTES_MAX ? "..." : "";
    int shown = names.length > NAMES_BYTES_MAX ? NAMES_BYTES_MAX : (int)names.length;
    if (!name) {
        return err_set(err, ERR_CONFIG, "there are %" PRId64 " fits; say which with --fit: %.*s%s",
                       count, shown, strbuf_text(&names), dots);
    }
    return err_set(err, ERR_CONFIG, "there is no fit named '%s'; there is %.*s%s", name, shown,
                   strbuf_text(&names), dots);
}

/* The row of that name, or the only one; `found` false for any other number of them. */
static enum err_code open_fit(struct db *db, const char *name, struct db_stmt **out_stmt,
                              bool *out_found, struct error *err) {
    SCOPED(db_stmt) struct db_stmt *fit = NULL;
    TRY(db_stmt_open(db,
                     "SELECT id, name, model, config_json, population, result_json, created_at"
                     " FROM reward_fit WHERE name = ?1"
                     " OR (?1 IS NULL AND (SELECT count(*) FROM reward_fit) = 1)",
                     &fit, err));
    db_bind_text_or_null(fit, 1, name);
    TRY(db_stmt_step(fit, out_found, err));
    *out_stmt = MOVE(fit);
    return ERR_OK;
}

/* ---- its options and results ---- */

static bool find_text(const char *text, const char *(*name_of)(int), int count, int *out) {
    for (int i = 0; i < count; i++) {
        if (strcmp(text, name_of(i)) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static const char *model_name(int model) {
    return tabular_model_name((enum tabular_model)model);
}

static const char *estimator_name(int estimator) {
    return tabular_estimator_name((enum tabular_estimator)estimator);
}

static const char *ties_name(int ties) {
    return tabular_ties_name((enum tabular_ties)ties);
}

static enum err_code read_config(struct tabular_stored *stored, struct error *err) {
    SCOPED(json) struct json *doc = NULL;
    const char *name = stored->name, *text = stored->config_json;
    TRY(json_parse(text, strlen(text), name, NULL, &doc, err));
    const struct json_node *root = json_root(doc), *node = NULL;
    const char *model = NULL, *estimator = NULL, *ties = NULL, *items = NULL;
    TRY(json_get_string(doc, root, "model", &model, err));
    TRY(json_get_string(doc, root, "estimator", &estimator, err));
    TRY(json_get_string(doc, root, "ties", &ties, err));
    TRY(json_get_string(doc, root, "items", &items, err));
    struct tabular_options *options = &stored->fit.options;
    *options = TABULAR_OPTIONS_DEFAULT;
    TRY(json_get_bool(doc, root, "position_effect", &options->position_effect, err));
    if ((node = json_find(doc, root, "ridge"))) {
        TRY(json_as_f64(doc, node, &options->ridge, err));
    }
    int model_at = 0, estimator_at = 0, ties_at = 0;
    if (!find_text(model, model_name, TABULAR_MODEL_COUNT, &model_at) ||
        !find_text(estimator, estimator_name, TABULAR_ESTIMATOR_COUNT, &estimator_at) ||
        !find_text(ties, ties_name, TABULAR_TIES_COUNT, &ties_at)) {
        return err_set(err, ERR_DATA,
                       "fit '%s': this version does not know the model '%s' with the estimator "
                       "'%s' and ties '%s'",
                       name, model, estimator, ties);
    }
    options->model = (enum tabular_model)model_at;
    options->estimator = (enum tabular_estimator)estimator_at;
    options->ties = (enum tabular_ties)ties_at;
    stored->items = strcmp(items, TABULAR_STORE_ORIGINS) == 0 ? COMPARISON_ITEMS_ORIGINS
                                                              : COMPARISON_ITEMS_RESPONSES;
    return ERR_OK;
}

static enum err_code read_f64(const struct json *doc, const char *key, double *out,
                              struct error *err) {
    const struct json_node *node = json_find(doc, json_root(doc), key);
    *out = NAN;
    return !node || json_kind_of(node) == JSON_KIND_NULL ? ERR_OK
                                                         : json_as_f64(doc, node, out, err);
}

static enum err_code read_result(struct tabular_stored *stored, struct error *err) {
    SCOPED(json) struct json *doc = NULL;
    struct tabular_fit *fit = &stored->fit;
    TRY(json_parse(stored->result_json, strlen(stored->result_json), stored->name, NULL, &doc,
                   err));
#define TABULAR_STORE_READ_F64(field) TRY(read_f64(doc, #field, &fit->field, err));
#define TABULAR_STORE_READ_I64(field) \
    TRY(json_get_i64(doc, json_root(doc), #field, &fit->field, err));
    TABULAR_STORE_F64(TABULAR_STORE_READ_F64)
    TABULAR_STORE_I64(TABULAR_STORE_READ_I64)
#undef TABULAR_STORE_READ_F64
#undef TABULAR_STORE_READ_I64
    const struct json_node *why = json_find(doc, json_root(doc), TABULAR_STORE_WHY_MODEL);
    const char *text = NULL;
    if (why && json_kind_of(why) != JSON_KIND_NULL) {
        TRY(json_as_string(doc, why, &text, err));
        stored->why_model = mem_strndup(text, strlen(text));
        if (!stored->why_model) {
            return err_oom(err, "text of a fit");
        }
    }
    return json_get_bool(doc, json_root(doc), "has_counts", &fit->has_counts, err);
}

/* ---- items ---- */

static enum err_code count_rows(struct db *db, const char *sql, int64_t fit_id, int64_t *out,
                                struct error *err) {
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    TRY(db_stmt_open(db, sql, &stmt, err));
    db_bind_i64(stmt, 1, fit_id);
    bool has_row = false;
    TRY(db_stmt_step(stmt, &has_row, err));
    return db_column_i64(stmt, 0, out, err);
}

static enum err_code make_items(struct tabular_stored *stored, int64_t count, struct error *err) {
    bool origins = stored->items == COMPARISON_ITEMS_ORIGINS;
    size_t items = (size_t)count;
    stored->fit.rewards = mem_array_zero(items, sizeof *stored->fit.rewards);
    stored->fit.std_errors = mem_array_zero(items, sizeof *stored->fit.std_errors);
    if (origins) {
        stored->origins = mem_array_zero(items, sizeof *stored->origins);
    } else {
        stored->response_ids = mem_array_zero(items, sizeof *stored->response_ids);
        stored->prompt_ids = mem_array_zero(items, sizeof *stored->prompt_ids);
    }
    bool made = origins ? stored->origins != NULL : stored->response_ids && stored->prompt_ids;
    stored->fit.item_count = count;
    return stored->fit.rewards && stored->fit.std_errors && made ? ERR_OK
                                                                 : err_oom(err, "items of a fit");
}

static enum err_code read_item(struct db_stmt *stmt, struct tabular_stored *stored, int64_t i,
                               struct error *err) {
    int64_t item = 0;
    TRY(db_column_i64(stmt, 0, &item, err));
    if (item != i || db_column_is_null(stmt, stored->origins ? 3 : 1)) {
        return refuse(stored, err, "its items are not numbered in order");
    }
    TRY(db_column_f64(stmt, 4, &stored->fit.rewards[i], err));
    TRY(column_f64_or_nan(stmt, 5, &stored->fit.std_errors[i], err));
    if (stored->origins) {
        return copy_text(stmt, 3, &stored->origins[i], err);
    }
    TRY(db_column_i64(stmt, 1, &stored->response_ids[i], err));
    return db_column_i64(stmt, 2, &stored->prompt_ids[i], err);
}

static enum err_code read_items(struct db *db, struct tabular_stored *stored, struct error *err) {
    int64_t count = 0;
    TRY(count_rows(db, "SELECT count(*) FROM reward_item WHERE fit_id = ?1", stored->id, &count,
                   err));
    TRY(make_items(stored, count, err));
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    TRY(db_stmt_open(db,
                     "SELECT i.item, i.response_id, r.prompt_id, i.origin, i.reward, i.std_error"
                     " FROM reward_item i LEFT JOIN response r ON r.id = i.response_id"
                     " WHERE i.fit_id = ?1 ORDER BY i.item",
                     &stmt, err));
    db_bind_i64(stmt, 1, stored->id);
    bool any_error = false;
    for (int64_t i = 0; i < count; i++) {
        bool has_row = false;
        TRY(db_stmt_step(stmt, &has_row, err));
        TRY(read_item(stmt, stored, i, err));
        any_error = any_error || !isnan(stored->fit.std_errors[i]);
    }
    if (!any_error) {
        mem_free(MOVE(stored->fit.std_errors));
    }
    return ERR_OK;
}

/* ---- parameters ---- */

static enum err_code make_parameters(struct db *db, struct tabular_stored *stored,
                                     struct error *err) {
    int64_t parameters = 0, annotators = 0;
    TRY(count_rows(db,
                   "SELECT count(*) FROM reward_parameter"
                   " WHERE fit_id = ?1 AND annotator_id IS NULL",
                   stored->id, &parameters, err));
    TRY(count_rows(db,
                   "SELECT count(*) FROM reward_parameter"
                   " WHERE fit_id = ?1 AND annotator_id IS NOT NULL",
                   stored->id, &annotators, err));
    if (parameters > TABULAR_PARAMETERS_MAX) {
        return refuse(stored, err, "it has too many parameters");
    }
    stored->parameter_names = mem_array_zero((size_t)parameters, sizeof *stored->parameter_names);
    stored->fit.parameter_count = parameters;
    if (!stored->parameter_names) {
        return err_oom(err, "parameters of a fit");
    }
    if (annotators == 0) {
        return ERR_OK;
    }
    size_t count = (size_t)annotators;
    stored->fit.annotator_count = annotators;
    stored->fit.reliabilities = mem_array_zero(count, sizeof *stored->fit.reliabilities);
    stored->fit.reliability_std_errors =
        mem_array_zero(count, sizeof *stored->fit.reliability_std_errors);
    stored->annotator_ids = mem_array_zero(count, sizeof *stored->annotator_ids);
    bool made =
        stored->fit.reliabilities && stored->fit.reliability_std_errors && stored->annotator_ids;
    return made ? ERR_OK : err_oom(err, "reliabilities of a fit");
}

static enum err_code read_parameter(struct db_stmt *stmt, struct tabular_stored *stored, int64_t p,
                                    int64_t a, struct error *err) {
    if (!db_column_is_null(stmt, 1)) {
        TRY(db_column_i64(stmt, 1, &stored->annotator_ids[a], err));
        TRY(db_column_f64(stmt, 2, &stored->fit.reliabilities[a], err));
        return column_f64_or_nan(stmt, 3, &stored->fit.reliability_std_errors[a], err);
    }
    struct tabular_parameter *parameter = &stored->fit.parameters[p];
    TRY(copy_text(stmt, 0, &stored->parameter_names[p], err));
    parameter->name = stored->parameter_names[p];
    TRY(db_column_f64(stmt, 2, &parameter->value, err));
    return column_f64_or_nan(stmt, 3, &parameter->std_error, err);
}

static enum err_code read_parameters(struct db *db, struct tabular_stored *stored,
                                     struct error *err) {
    TRY(make_parameters(db, stored, err));
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    TRY(db_stmt_open(db,
                     "SELECT name, annotator_id, value, std_error FROM reward_parameter"
                     " WHERE fit_id = ?1 ORDER BY annotator_id IS NOT NULL, id",
                     &stmt, err));
    db_bind_i64(stmt, 1, stored->id);
    int64_t parameters = stored->fit.parameter_count;
    for (int64_t i = 0; i < parameters + stored->fit.annotator_count; i++) {
        bool has_row = false;
        TRY(db_stmt_step(stmt, &has_row, err));
        TRY(read_parameter(stmt, stored, i, i - parameters, err));
    }
    return ERR_OK;
}

static enum err_code read_covariance(struct db *db, struct tabular_stored *stored,
                                     struct error *err) {
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    TRY(db_stmt_open(db, "SELECT size, lower FROM reward_covariance WHERE fit_id = ?1", &stmt,
                     err));
    db_bind_i64(stmt, 1, stored->id);
    bool has_row = false;
    TRY(db_stmt_step(stmt, &has_row, err));
    if (!has_row) {
        return ERR_OK;
    }
    int64_t size = 0, expected = stored->fit.item_count + stored->fit.parameter_count;
    const void *blob = NULL;
    size_t bytes = 0;
    TRY(db_column_i64(stmt, 0, &size, err));
    TRY(db_column_blob(stmt, 1, &blob, &bytes, err));
    size_t numbers = (size_t)expected * ((size_t)expected + 1) / 2;
    if (size != expected || bytes != numbers * TABULAR_STORE_F64_BYTES) {
        return refuse(stored, err, "its covariance has the wrong size");
    }
    stored->fit.covariance = mem_array(numbers, sizeof *stored->fit.covariance);
    if (!stored->fit.covariance) {
        return err_oom(err, "covariance");
    }
    for (size_t i = 0; i < numbers; i++) {
        stored->fit.covariance[i] =
            tabular_store_get_f64((const uint8_t *)blob + i * TABULAR_STORE_F64_BYTES);
    }
    stored->fit.covariance_size = size;
    return ERR_OK;
}

/* ---- public ---- */

static enum err_code load(struct db *db, const char *name, struct tabular_stored *stored,
                          struct error *err) {
    SCOPED(db_stmt) struct db_stmt *fit = NULL;
    bool found = false;
    TRY(open_fit(db, name, &fit, &found, err));
    if (!found) {
        return refuse_name(db, name, err);
    }
    TRY(db_column_i64(fit, 0, &stored->id, err));
    TRY(copy_text(fit, 1, &stored->name, err));
    TRY(copy_text(fit, 3, &stored->config_json, err));
    TRY(copy_text(fit, 4, &stored->population, err));
    TRY(copy_text(fit, 5, &stored->result_json, err));
    TRY(db_column_i64(fit, 6, &stored->created_at_ms, err));
    TRY(read_config(stored, err));
    TRY(read_result(stored, err));
    TRY(read_items(db, stored, err));
    TRY(read_parameters(db, stored, err));
    return read_covariance(db, stored, err);
}

enum err_code tabular_store_load(struct db *db, const char *name, struct tabular_stored *out,
                                 struct error *err) {
    SCOPED(tabular_stored) struct tabular_stored stored = TABULAR_STORED_INIT;
    TRY(load(db, name, &stored, err));
    *out = stored;
    stored = (struct tabular_stored)TABULAR_STORED_INIT;
    return ERR_OK;
}

void tabular_stored_deinit(struct tabular_stored *stored) {
    mem_free(stored->name);
    mem_free(stored->population);
    mem_free(stored->config_json);
    mem_free(stored->result_json);
    mem_free(stored->why_model);
    mem_free(stored->response_ids);
    mem_free(stored->prompt_ids);
    for (int64_t i = 0; stored->origins && i < stored->fit.item_count; i++) {
        mem_free(stored->origins[i]);
    }
    mem_free(stored->origins);
    mem_free(stored->annotator_ids);
    for (int64_t p = 0; stored->parameter_names && p < stored->fit.parameter_count; p++) {
        mem_free(stored->parameter_names[p]);
    }
    mem_free(stored->parameter_names);
    tabular_fit_deinit(&stored->fit);
    *stored = (struct tabular_stored)TABULAR_STORED_INIT;
}

/* ---- items by name ---- */

enum err_code tabular_stored_item_text(struct db *db, const struct tabular_stored *stored,
                                       int64_t item, int64_t bytes_max, char **out_text,
                                       struct error *err) {
    const struct comparison_set view = {
        .item_count = stored->fit.item_count,
        .item_response_ids = stored->response_ids,
        .item_names = stored->origins,
    };
    return comparison_set_item_text(db, &view, item, bytes_max, out_text, err);
}

bool tabular_stored_comparable(const struct tabular_stored *stored, int64_t item, int64_t other) {
    return stored->origins || stored->prompt_ids[item] == stored->prompt_ids[other];
}

/* The item of that response, or -1. */
static int64_t item_of_response(const struct tabular_stored *stored, int64_t response_id) {
    for (int64_t i = 0; stored->response_ids && i < stored->fit.item_count; i++) {
        if (stored->response_ids[i] == response_id) {
            return i;
        }
    }
    return -1;
}

struct search {
    int64_t item, hits;
    int64_t nearest_distance;
    char nearest[SUGGEST_BYTES_MAX + 1];
};

static void look_at(struct search *search, int64_t item, const char *name, size_t bytes,
                    const char *text) {
    if (strlen(text) == bytes && memcmp(text, name, bytes) == 0) {
        search->item = search->hits == 0 ? item : search->item;
        search->hits++;
        return;
    }
    if (bytes > SUGGEST_BYTES_MAX || memchr(name, '\0', bytes)) {
        return;
    }
    char candidate[SUGGEST_BYTES_MAX + 1];
    memcpy(candidate, name, bytes);
    candidate[bytes] = '\0';
    const char *const candidates[] = {candidate};
    int64_t distance = suggest_distance(text, candidate);
    if (distance < search->nearest_distance && suggest_nearest(text, candidates, 1)) {
        search->nearest_distance = distance;
        memcpy(search->nearest, candidate, bytes + 1);
    }
}

static enum err_code search_responses(struct db *db, const struct tabular_stored *stored,
                                      const char *text, struct search *search, struct error *err) {
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    TRY(db_stmt_open(db,
                     "SELECT i.item, r.content FROM reward_item i"
                     " JOIN response r ON r.id = i.response_id WHERE i.fit_id = ?1",
                     &stmt, err));
    db_bind_i64(stmt, 1, stored->id);
    for (;;) {
        bool has_row = false;
        TRY(db_stmt_step(stmt, &has_row, err));
        if (!has_row) {
            return ERR_OK;
        }
        int64_t item = 0;
        const char *content = NULL;
        size_t bytes = 0;
        TRY(db_column_i64(stmt, 0, &item, err));
        TRY(db_column_text(stmt, 1, &content, &bytes, err));
        look_at(search, item, content, bytes, text);
    }
}

static enum err_code refuse_search(const struct search *search, const char *text,
                                   struct error *err) {
    char shown[UTF8_EXCERPT_BYTES];
    utf8_excerpt(text, strlen(text), shown);
    if (search->hits > 1) {
        return err_set(
            err, ERR_USAGE,
            "item '%s' is an answer to %" PRId64
            " prompts; say which by its number, as in '#12' ('accord reward rank --json' "
            "lists them)",
            shown, search->hits);
    }
    if (search->nearest[0]) {
        return err_set(err, ERR_USAGE, "no item '%s' in this fit: did you mean '%s'?", shown,
                       search->nearest);
    }
    return err_set(err, ERR_USAGE, "no item '%s' in this fit; 'accord reward rank' lists them",
                   shown);
}

enum err_code tabular_stored_find_item(struct db *db, const struct tabular_stored *stored,
                                       const char *text, int64_t *out_item, struct error *err) {
    struct search search = {.nearest_distance = INT64_MAX};
    for (int64_t i = 0; stored->origins && i < stored->fit.item_count; i++) {
        look_at(&search, i, stored->origins[i], strlen(stored->origins[i]), text);
    }
    if (!stored->origins) {
        TRY(search_responses(db, stored, text, &search, err));
    }
    int64_t response_id = 0;
    if (search.hits == 0 && text[0] == '#' && number_parse_i64(text + 1, &response_id)) {
        search.item = item_of_response(stored, response_id);
        search.hits = search.item >= 0;
    }
    if (search.hits != 1) {
        return refuse_search(&search, text, err);
    }
    if (search.item < 0 || search.item >= stored->fit.item_count) {
        return refuse(stored, err, "its items are not numbered in order");
    }
    *out_item = search.item;
    return ERR_OK;
}

/* ---- lists ---- */

static enum err_code read_summary(struct db_stmt *stmt, struct tabular_summary *out,
                                  struct error *err) {
    TRY(copy_text(stmt, 0, &out->name, err));
    TRY(copy_text(stmt, 1, &out->model, err));
    TRY(copy_text(stmt, 2, &out->population, err));
    TRY(copy_text(stmt, 3, &out->result_json, err));
    TRY(db_column_i64(stmt, 4, &out->created_at_ms, err));
    return db_column_i64(stmt, 5, &out->item_count, err);
}

enum err_code tabular_store_list(struct db *db, struct tabular_list *out, struct error *err) {
    SCOPED(tabular_list) struct tabular_list list = TABULAR_LIST_INIT;
    int64_t count = 0;
    TRY(db_query_i64(db, "SELECT count(*) FROM reward_fit", &count, err));
    list.fits = mem_array_zero((size_t)count, sizeof *list.fits);
    if (!list.fits) {
        return err_oom(err, "list of fits");
    }
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    TRY(db_stmt_open(db,
                     "SELECT name, model, population, result_json, created_at,"
                     " (SELECT count(*) FROM reward_item WHERE fit_id = reward_fit.id)"
                     " FROM reward_fit ORDER BY name",
                     &stmt, err));
    bool has_row = true;
    while (has_row && list.count < count) {
        TRY(db_stmt_step(stmt, &has_row, err));
        if (has_row) {
            list.count++; /* first, so that a half-read one is released */
            TRY(read_summary(stmt, &list.fits[list.count - 1], err));
        }
    }
    *out = list;
    memset(&list, 0, sizeof list);
    return ERR_OK;
}

void tabular_list_deinit(struct tabular_list *list) {
    for (int64_t f = 0; f < list->count; f++) {
        mem_free(list->fits[f].name);
        mem_free(list->fits[f].model);
        mem_free(list->fits[f].population);
        mem_free(list->fits[f].result_json);
    }
    mem_free(list->fits);
    *list = (struct tabular_list)TABULAR_LIST_INIT;
}
