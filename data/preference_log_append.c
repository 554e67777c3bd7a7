/* preference_log_append.c - one judgement into the tables: see preference_log.h.
 *
 * A pair of texts costs six inserts. Each is one prepared statement; what was met lately (prompts,
 * responses, annotators) is found in tables of this process without asking SQLite. Those tables
 * only save time: they forget by overwriting.
 */
#include "base/invariant.h"
#include "data/preference_key.h"
#include "data/preference_log_internal.h"

#include <string.h>

/* ---- what was met lately ---- */

static struct preference_log_memo *memo_slot(struct preference_log_memo *memo,
                                             const struct hash_key *key, int64_t scope) {
    uint64_t leading = 0;
    memcpy(&leading, key->bytes, sizeof leading);
    leading += (uint64_t)scope * UINT64_C(0x9E3779B97F4A7C15);
    return &memo[leading % PREFERENCE_LOG_MEMOS];
}

static const struct preference_log_memo *memo_find(struct preference_log_memo *memo,
                                                   const struct hash_key *key, int64_t scope) {
    const struct preference_log_memo *entry = memo_slot(memo, key, scope);
    bool found = entry->id != 0 && entry->scope == scope &&
                 memcmp(entry->key.bytes, key->bytes, sizeof key->bytes) == 0;
    return found ? entry : NULL;
}

static void memo_put(struct preference_log_memo *memo, const struct preference_log_memo *entry) {
    *memo_slot(memo, &entry->key, entry->scope) = *entry;
}

/* ---- values ---- */

static void bind_key(struct db_stmt *stmt, int parameter, const struct hash_key *key) {
    db_lend_blob(stmt, parameter, key->bytes, sizeof key->bytes);
}

static void bind_id(struct db_stmt *stmt, int parameter, int64_t id_or_zero) {
    if (id_or_zero != 0) {
        db_bind_i64(stmt, parameter, id_or_zero);
    } else {
        db_bind_null(stmt, parameter);
    }
}

static void bind_optional_f64(struct db_stmt *stmt, int parameter, bool has, double value) {
    if (has) {
        db_bind_f64(stmt, parameter, value);
    } else {
        db_bind_null(stmt, parameter);
    }
}

/* ---- annotators ---- */

struct annotator {
    struct hash_key key; /* of name and population together: equal keys agree in both */
    int64_t id;          /* 0: not known yet, or nobody */
    bool lacks_population;
};

/* Looks only; what is missing is written by annotator_write once the row is accepted. */
static enum err_code annotator_find(struct preference_log *log, const struct preference *row,
                                    struct annotator *out, struct error *err) {
    const struct hash_part parts[] = {{row->annotator.bytes, row->annotator.count},
                                      {row->population.bytes, row->population.count}};
    TRY(hash_key_of(parts, text_span_is_set(&row->population) ? 2 : 1, &out->key, err));
    const struct preference_log_memo *known = memo_find(log->annotators, &out->key, 0);
    if (known) {
        out->id = known->id;
        return ERR_OK;
    }
    struct db_stmt *find = log->statements[STMT_ANNOTATOR_FIND];
    bool has_row = false;
    preference_log_bind_text(find, 1, &row->annotator);
    TRY(db_stmt_step(find, &has_row, err));
    if (!has_row) {
        return ERR_OK;
    }
    struct text_span population = TEXT_SPAN_NONE;
    enum err_code code = db_column_i64(find, 0, &out->id, err);
    if (code == ERR_OK) {
        code = preference_log_column_text(find, 1, &population, err);
    }
    if (code == ERR_OK) {
        const struct preference_log_field field = {"population", "annotator", &row->annotator};
        code = preference_log_check_same(&field, &population, &row->population, err);
    }
    out->lacks_population = !text_span_is_set(&population) && text_span_is_set(&row->population);
    db_stmt_reset(find);
    return code;
}

static enum err_code annotator_write(struct preference_log *log, const struct preference *row,
                                     struct annotator *annotator, struct error *err) {
    if (annotator->id == 0) {
        struct db_stmt *add = log->statements[STMT_ANNOTATOR_ADD];
        preference_log_bind_text(add, 1, &row->annotator);
        preference_log_bind_text(add, 2, &row->population);
        TRY(db_stmt_run(add, err));
        annotator->id = db_last_insert_id(log->db);
    } else if (annotator->lacks_population) {
        struct db_stmt *place = log->statements[STMT_ANNOTATOR_PLACE];
        db_bind_i64(place, 1, annotator->id);
        preference_log_bind_text(place, 2, &row->population);
        TRY(db_stmt_run(place, err));
    }
    memo_put(log->annotators,
             &(struct preference_log_memo){.key = annotator->key, .id = annotator->id});
    return ERR_OK;
}

/* ---- prompts and responses ---- */

/* The prompt was there before: its id, and its topic if it had none. */
static enum err_code prompt_meet_again(struct preference_log *log,
                                       struct preference_log_memo *prompt,
                                       const struct text_span *topic, struct error *err) {
    struct db_stmt *find = log->statements[STMT_PROMPT_FIND];
    bool has_row = false;
    int64_t has_topic = 0;
    bind_key(find, 1, &prompt->key);
    TRY(db_stmt_step(find, &has_row, err));
    ASSERT(has_row); /* the insert before met it */
    enum err_code code = db_column_i64(find, 0, &prompt->id, err);
    if (code == ERR_OK) {
        code = db_column_i64(find, 1, &has_topic, err);
    }
    db_stmt_reset(find);
    TRY(code);
    prompt->complete = has_topic != 0 || text_span_is_set(topic);
    if (has_topic != 0 || !text_span_is_set(topic)) {
        return ERR_OK;
    }
    struct db_stmt *update = log->statements[STMT_PROMPT_TOPIC];
    db_bind_i64(update, 1, prompt->id);
    preference_log_bind_text(update, 2, topic);
    return db_stmt_run(update, err);
}

/* Of what a row refers to. */
struct row_ids {
    int64_t prompt;
    int64_t annotator;  /* 0: nobody */
    bool prompt_is_new; /* so no response to it can have been met */
};

static enum err_code prompt_intern(struct preference_log *log,
                                   const struct preference_prompt *prompt, struct row_ids *ids,
                                   struct error *err) {
    struct preference_content content;
    struct preference_log_memo entry = {.complete = text_span_is_set(&prompt->topic)};
    TRY(preference_content_of_prompt(prompt, &log->json, &content, err));
    TRY(preference_key_of_content(&content, NULL, &entry.key, err));
    const struct preference_log_memo *known = memo_find(log->prompts, &entry.key, 0);
    if (known && (known->complete || !entry.complete)) {
        ids->prompt = known->id;
        return ERR_OK;
    }
    struct db_stmt *add = log->statements[STMT_PROMPT_ADD];
    bind_key(add, 1, &entry.key);
    preference_log_bind_string(add, 2, content.kind);
    preference_log_bind_text(add, 3, &content.text);
    preference_log_bind_text(add, 4, &prompt->topic);
    TRY(db_stmt_run(add, err));
    entry.id = db_last_insert_id(log->db);
    ids->prompt_is_new = db_changes(log->db) > 0;
    if (!ids->prompt_is_new) {
        TRY(prompt_meet_again(log, &entry, &prompt->topic, err));
    }
    memo_put(log->prompts, &entry);
    ids->prompt = entry.id;
    return ERR_OK;
}

static enum err_code response_id_find(struct preference_log *log,
                                      struct preference_log_memo *response, struct error *err) {
    struct db_stmt *find = log->statements[STMT_RESPONSE_FIND];
    bool has_row = false;
    db_bind_i64(find, 1, response->scope);
    bind_key(find, 2, &response->key);
    TRY(db_stmt_step(find, &has_row, err));
    ASSERT(has_row); /* the insert before met it */
    enum err_code code = db_column_i64(find, 0, &response->id, err);
    db_stmt_reset(find);
    return code;
}

/* Those to a new prompt are not remembered until they are met again: most never are, and the tables
 * are larger than the processor's caches (a fortieth of the time of an import, 2026-11). */
static enum err_code response_intern(struct preference_log *log, const struct row_ids *ids,
                                     const struct preference_response *response, int64_t *out_id,
                                     struct error *err) {
    struct preference_content content;
    struct preference_log_memo entry = {.scope = ids->prompt};
    TRY(preference_content_of_response(response, &log->json, &content, err));
    TRY(preference_key_of_content(&content, &response->origin, &entry.key, err));
    const struct preference_log_memo *known =
        ids->prompt_is_new ? NULL : memo_find(log->responses, &entry.key, ids->prompt);
    if (known) {
        *out_id = known->id;
        return ERR_OK;
    }
    struct db_stmt *add = log->statements[STMT_RESPONSE_ADD];
    db_bind_i64(add, 1, ids->prompt);
    bind_key(add, 2, &entry.key);
    preference_log_bind_string(add, 3, content.kind);
    preference_log_bind_text(add, 4, &content.text);
    preference_log_bind_text(add, 5, &response->origin);
    TRY(db_stmt_run(add, err));
    entry.id = db_last_insert_id(log->db);
    if (db_changes(log->db) == 0) {
        TRY(response_id_find(log, &entry, err));
    }
    if (!ids->prompt_is_new) {
        memo_put(log->responses, &entry);
    }
    *out_id = entry.id;
    return ERR_OK;
}

/* ---- judgements ---- */

static enum err_code append_comparison(struct preference_log *log, const struct preference *row,
                                       const struct row_ids *ids, struct error *err) {
    struct db_stmt *add = log->statements[STMT_COMPARISON_ADD];
    db_bind_i64(add, 1, ids->prompt);
    bind_id(add, 2, ids->annotator);
    db_bind_i64(add, 3, log->source_id);
    db_bind_i64(add, 4, row->line);
    db_bind_f64(add, 5, row->weight);
    bind_optional_f64(add, 6, row->has_margin, row->margin);
    db_bind_i64(add, 7, row->last_unordered);
    preference_log_bind_text(add, 8, &row->aspect);
    preference_log_bind_i64(add, 9, row->has_asked_at, row->asked_at_ms);
    TRY(db_stmt_run(add, err));
    int64_t comparison_id = db_last_insert_id(log->db);
    for (int64_t slot = 0; slot < row->response_count; slot++) {
        const struct preference_response *response = &row->responses[slot];
        int64_t response_id = 0;
        TRY(response_intern(log, ids, response, &response_id, err));
        struct db_stmt *item = log->statements[STMT_COMPARISON_ITEM_ADD];
        db_bind_i64(item, 1, comparison_id);
        db_bind_i64(item, 2, slot);
        db_bind_i64(item, 3, response_id);
        db_bind_i64(item, 4, response->rank);
        bind_id(item, 5, response->position);
        TRY(db_stmt_run(item, err));
    }
    return ERR_OK;
}

static enum err_code append_rating(struct preference_log *log, const struct preference *row,
                                   const struct row_ids *ids, struct error *err) {
    int64_t response_id = 0;
    TRY(response_intern(log, ids, &row->responses[0], &response_id, err));
    struct db_stmt *add = log->statements[STMT_RATING_ADD];
    db_bind_i64(add, 1, response_id);
    bind_id(add, 2, ids->annotator);
    db_bind_i64(add, 3, log->source_id);
    db_bind_i64(add, 4, row->line);
    db_bind_f64(add, 5, row->weight);
    db_bind_f64(add, 6, row->value);
    bind_optional_f64(add, 7, row->has_scale, row->scale_low);
    bind_optional_f64(add, 8, row->has_scale, row->scale_high);
    preference_log_bind_text(add, 9, &row->aspect);
    preference_log_bind_i64(add, 10, row->has_asked_at, row->asked_at_ms);
    return db_stmt_run(add, err);
}

static enum err_code append_label(struct preference_log *log, const struct preference *row,
                                  const struct row_ids *ids, struct error *err) {
    int64_t response_id = 0;
    TRY(response_intern(log, ids, &row->responses[0], &response_id, err));
    struct db_stmt *add = log->statements[STMT_LABEL_ADD];
    db_bind_i64(add, 1, response_id);
    bind_id(add, 2, ids->annotator);
    db_bind_i64(add, 3, log->source_id);
    db_bind_i64(add, 4, row->line);
    db_bind_f64(add, 5, row->weight);
    db_bind_i64(add, 6, row->good);
    preference_log_bind_text(add, 7, &row->aspect);
    preference_log_bind_i64(add, 8, row->has_asked_at, row->asked_at_ms);
    return db_stmt_run(add, err);
}

static enum err_code append_demonstration(struct preference_log *log, const struct preference *row,
                                          const struct row_ids *ids, struct error *err) {
    int64_t response_id = 0;
    TRY(response_intern(log, ids, &row->responses[0], &response_id, err));
    struct db_stmt *add = log->statements[STMT_DEMONSTRATION_ADD];
    db_bind_i64(add, 1, response_id);
    bind_id(add, 2, ids->annotator);
    db_bind_i64(add, 3, log->source_id);
    db_bind_i64(add, 4, row->line);
    db_bind_f64(add, 5, row->weight);
    preference_log_bind_i64(add, 6, row->has_asked_at, row->asked_at_ms);
    return db_stmt_run(add, err);
}

static enum err_code append_prompt(struct preference_log *log, const struct preference *row,
                                   const struct row_ids *ids, struct error *err) {
    struct db_stmt *add = log->statements[STMT_PROMPT_ONLY_ADD];
    db_bind_i64(add, 1, ids->prompt);
    db_bind_i64(add, 2, log->source_id);
    db_bind_i64(add, 3, row->line);
    db_bind_f64(add, 4, row->weight);
    return db_stmt_run(add, err);
}

enum err_code preference_log_append(struct preference_log *log, const struct preference *row,
                                    struct error *err) {
    static enum err_code (*const append[])(struct preference_log *, const struct preference *,
                                           const struct row_ids *, struct error *) = {
        [PREFERENCE_COMPARISON] = append_comparison,
        [PREFERENCE_RATING] = append_rating,
        [PREFERENCE_LABEL] = append_label,
        [PREFERENCE_DEMONSTRATION] = append_demonstration,
        [PREFERENCE_PROMPT] = append_prompt,
    };
    ASSERT(log->source_id != 0);
    TRY(preference_check(row, err));
    struct annotator annotator = {.id = 0};
    bool has_annotator = text_span_is_set(&row->annotator);
    if (has_annotator) {
        TRY(annotator_find(log, row, &annotator, err));
        TRY(annotator_write(log, row, &annotator, err));
    }
    struct row_ids ids = {.annotator = annotator.id};
    TRY(prompt_intern(log, &row->prompt, &ids, err));
    return append[row->kind](log, row, &ids, err);
}
