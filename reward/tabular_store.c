/* tabular_store.c - see tabular_store.h: writing. Reading is in tabular_store_load.c. */
#include "reward/tabular_store_internal.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/json_writer.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define JSON_BYTES_MAX (1 * MIB)

/* SQLite holds blobs below 10^9 bytes; a larger covariance would rarely be read whole. */
#define COVARIANCE_BYTES_MAX ((int64_t)(512 * MIB))

/* ---- what the fit was asked for, and what came out ---- */

static enum err_code write_config(const struct tabular_options *options,
                                  const struct comparison_set_options *read, struct strbuf *out,
                                  struct error *err) {
    struct json_writer w = JSON_WRITER_INIT(out, JSON_COMPACT);
    json_write_object_begin(&w);
    json_put_string(&w, "model", tabular_model_name(options->model));
    json_put_string(&w, "estimator", tabular_estimator_name(options->estimator));
    if (options->estimator == TABULAR_MAXIMUM_POSTERIOR) {
        json_put_f64_or_null(&w, "ridge", options->ridge);
    }
    json_put_string(&w, "ties", tabular_ties_name(options->ties));
    json_put_bool(&w, "position_effect", options->position_effect);
    if (options->model == TABULAR_CROWD_BT) {
        json_put_f64_or_null(&w, "reliability_good", options->reliability_good);
        json_put_f64_or_null(&w, "reliability_bad", options->reliability_bad);
    }
    json_put_string(&w, "items",
                    read->items == COMPARISON_ITEMS_ORIGINS ? TABULAR_STORE_ORIGINS
                                                            : TABULAR_STORE_RESPONSES);
    json_put_string(&w, "from",
                    read->from == COMPARISON_FROM_RATINGS ? TABULAR_STORE_RATINGS : "comparisons");
    json_put_string_or_null(&w, "aspect", read->aspect);
    json_put_string_or_null(&w, "population", read->population);
    json_put_string_or_null(&w, "topic", read->topic);
    json_put_string(&w, "split",
                    read->one_split ? split_name(read->split) : TABULAR_STORE_EVERY_SPLIT);
    json_write_object_end(&w);
    return json_writer_finish(&w, err);
}

static enum err_code write_result(const struct tabular_fit *fit, const char *why_model,
                                  struct strbuf *out, struct error *err) {
    struct json_writer w = JSON_WRITER_INIT(out, JSON_COMPACT);
    json_write_object_begin(&w);
    json_put_string_or_null(&w, TABULAR_STORE_WHY_MODEL, why_model);
    json_put_bool(&w, "has_counts", fit->has_counts);
#define TABULAR_STORE_WRITE_F64(field) json_put_f64_or_null(&w, #field, fit->field);
#define TABULAR_STORE_WRITE_I64(field) json_put_i64(&w, #field, fit->field);
    TABULAR_STORE_F64(TABULAR_STORE_WRITE_F64)
    TABULAR_STORE_I64(TABULAR_STORE_WRITE_I64)
#undef TABULAR_STORE_WRITE_F64
#undef TABULAR_STORE_WRITE_I64
    json_write_object_end(&w);
    return json_writer_finish(&w, err);
}

/* ---- rows ---- */

static void bind_optional(struct db_stmt *stmt, int parameter, double value) {
    if (isfinite(value)) {
        db_bind_f64(stmt, parameter, value);
    } else {
        db_bind_null(stmt, parameter);
    }
}

static enum err_code insert_fit(struct db *db, const struct tabular_fit *fit,
                                const struct tabular_record *record, int64_t *out_id,
                                struct error *err) {
    SCOPED(strbuf) struct strbuf config = STRBUF_INIT(JSON_BYTES_MAX);
    SCOPED(strbuf) struct strbuf result = STRBUF_INIT(JSON_BYTES_MAX);
    TRY(write_config(&fit->options, record->read, &config, err));
    TRY(write_result(fit, record->why_model, &result, err));
    SCOPED(db_stmt) struct db_stmt *insert = NULL;
    TRY(db_stmt_open(db,
                     "INSERT INTO reward_fit(name, model, config_json, population, result_json,"
                     " created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                     &insert, err));
    db_bind_text_or_null(insert, 1, record->name);
    db_bind_text_or_null(insert, 2, tabular_model_name(fit->options.model));
    db_bind_text_or_null(insert, 3, strbuf_text(&config));
    db_bind_text_or_null(insert, 4, record->read->population);
    db_bind_text_or_null(insert, 5, strbuf_text(&result));
    db_bind_i64(insert, 6, record->now_ms);
    TRY(db_stmt_run(insert, err));
    *out_id = db_last_insert_id(db);
    return ERR_OK;
}

static enum err_code insert_items(struct db *db, const struct comparison_set *set,
                                  const struct tabular_fit *fit, int64_t fit_id,
                                  struct error *err) {
    SCOPED(db_stmt) struct db_stmt *insert = NULL;
    TRY(db_stmt_open(db,
                     "INSERT INTO reward_item(fit_id, item, response_id, origin, reward, std_error)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                     &insert, err));
    for (int64_t i = 0; i < fit->item_count; i++) {
        db_bind_i64(insert, 1, fit_id);
        db_bind_i64(insert, 2, i);
        if (set->item_response_ids) {
            db_bind_i64(insert, 3, set->item_response_ids[i]);
            db_bind_null(insert, 4);
        } else {
            db_bind_null(insert, 3);
            db_bind_text_or_null(insert, 4, set->item_names[i]);
        }
        db_bind_f64(insert, 5, fit->rewards[i]);
        bind_optional(insert, 6, fit->std_errors ? fit->std_errors[i] : (double)NAN);
        TRY(db_stmt_run(insert, err));
    }
    return ERR_OK;
}

static enum err_code insert_parameters(struct db *db, const struct comparison_set *set,
                                       const struct tabular_fit *fit, int64_t fit_id,
                                       struct error *err) {
    SCOPED(db_stmt) struct db_stmt *insert = NULL;
    TRY(db_stmt_open(db,
                     "INSERT INTO reward_parameter(fit_id, name, annotator_id, value, std_error)"
                     " VALUES (?1, ?2, ?3, ?4, ?5)",
                     &insert, err));
    for (int64_t p = 0; p < fit->parameter_count; p++) {
        db_bind_i64(insert, 1, fit_id);
        db_bind_text_or_null(insert, 2, fit->parameters[p].name);
        db_bind_null(insert, 3);
        db_bind_f64(insert, 4, fit->parameters[p].value);
        bind_optional(insert, 5, fit->parameters[p].std_error);
        TRY(db_stmt_run(insert, err));
    }
    for (int64_t a = 0; fit->reliabilities && a < fit->annotator_count; a++) {
        db_bind_i64(insert, 1, fit_id);
        db_bind_text_or_null(insert, 2, TABULAR_STORE_RELIABILITY);
        db_bind_i64(insert, 3, set->annotator_ids[a]);
        db_bind_f64(insert, 4, fit->reliabilities[a]);
        bind_optional(insert, 5,
                      fit->reliability_std_errors ? fit->reliability_std_errors[a] : (double)NAN);
        TRY(db_stmt_run(insert, err));
    }
    return ERR_OK;
}

static enum err_code insert_covariance(struct db *db, const struct tabular_fit *fit, int64_t fit_id,
                                       struct error *err) {
    int64_t size = fit->covariance_size, numbers = size * (size + 1) / 2;
    if (!fit->covariance || numbers * TABULAR_STORE_F64_BYTES > COVARIANCE_BYTES_MAX) {
        return ERR_OK;
    }
    SCOPED(mem) uint8_t *bytes = mem_array((size_t)numbers, TABULAR_STORE_F64_BYTES);
    if (!bytes) {
        return err_oom(err, "covariance");
    }
    for (int64_t i = 0; i < numbers; i++) {
        tabular_store_put_f64(bytes + i * TABULAR_STORE_F64_BYTES, fit->covariance[i]);
    }
    SCOPED(db_stmt) struct db_stmt *insert = NULL;
    TRY(db_stmt_open(db, "INSERT INTO reward_covariance(fit_id, size, lower) VALUES (?1, ?2, ?3)",
                     &insert, err));
    db_bind_i64(insert, 1, fit_id);
    db_bind_i64(insert, 2, size);
    db_bind_blob(insert, 3, bytes, (size_t)(numbers * TABULAR_STORE_F64_BYTES));
    return db_stmt_run(insert, err);
}

/* ---- the name ---- */

static enum err_code check_name(const char *name, struct error *err) {
    size_t bytes = strlen(name);
    if (bytes == 0 || bytes > TABULAR_NAME_BYTES_MAX) {
        return err_set(err, ERR_CONFIG, "the name of a fit has %zu bytes, but must have 1 to %d",
                       bytes, TABULAR_NAME_BYTES_MAX);
    }
    for (size_t at = 0; at < bytes;) {
        uint32_t code_point = 0;
        size_t length = utf8_decode(name + at, bytes - at, &code_point);
        if (length == 0 || utf8_is_control(code_point)) {
            char shown[UTF8_EXCERPT_BYTES];
            return err_set(err, ERR_CONFIG,
                           "the name of a fit, '%s', holds what cannot be printed at byte %zu",
                           utf8_excerpt(name, bytes, shown), at + 1);
        }
        at += length;
    }
    return ERR_OK;
}

static enum err_code find_taken(struct db *db, const char *name, int64_t *out_id,
                                int64_t *out_created_ms, struct error *err) {
    SCOPED(db_stmt) struct db_stmt *find = NULL;
    TRY(db_stmt_open(db, "SELECT id, created_at FROM reward_fit WHERE name = ?1", &find, err));
    db_bind_text(find, 1, name, strlen(name));
    bool has_row = false;
    TRY(db_stmt_step(find, &has_row, err));
    *out_id = 0;
    if (has_row) {
        TRY(db_column_i64(find, 0, out_id, err));
        TRY(db_column_i64(find, 1, out_created_ms, err));
    }
    return ERR_OK;
}

static enum err_code delete_fit(struct db *db, int64_t id, struct error *err) {
    static const char *const deletions[] = {
        "DELETE FROM reward_covariance WHERE fit_id = ?1",
        "DELETE FROM reward_parameter WHERE fit_id = ?1",
        "DELETE FROM reward_item WHERE fit_id = ?1",
        "DELETE FROM reward_fit WHERE id = ?1",
    };
    for (size_t d = 0; d < sizeof deletions / sizeof *deletions; d++) {
        SCOPED(db_stmt) struct db_stmt *stmt = NULL;
        TRY(db_stmt_open(db, deletions[d], &stmt, err));
        db_bind_i64(stmt, 1, id);
        TRY(db_stmt_run(stmt, err));
    }
    return ERR_OK;
}

/* ---- public ---- */

static enum err_code look_for(struct db *db, const char *name, bool replace, int64_t *out_taken,
                              struct error *err) {
    int64_t created_ms = 0;
    TRY(check_name(name, err));
    TRY(find_taken(db, name, out_taken, &created_ms, err));
    if (*out_taken && !replace) {
        return err_set(
            err, ERR_DATA,
            "a fit named '%s' has been there since %s; give another --name, or --replace "
            "it",
            name, clock_utc_text(created_ms * CLOCK_NS_PER_MS).text);
    }
    return ERR_OK;
}

enum err_code tabular_store_check_name(struct db *db, const char *name, bool replace,
                                       struct error *err) {
    int64_t taken = 0;
    return look_for(db, name, replace, &taken, err);
}

enum err_code tabular_store_save(struct db *db, const struct comparison_set *set,
                                 const struct tabular_fit *fit, const struct tabular_record *record,
                                 struct error *err) {
    int64_t taken = 0, id = 0;
    TRY(look_for(db, record->name, record->replace, &taken, err));
    if (taken) {
        TRY(delete_fit(db, taken, err));
    }
    TRY(insert_fit(db, fit, record, &id, err));
    TRY(insert_items(db, set, fit, id, err));
    TRY(insert_parameters(db, set, fit, id, err));
    return insert_covariance(db, fit, id, err);
}
