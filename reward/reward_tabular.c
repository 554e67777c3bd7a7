/* reward_tabular.c - see reward_tabular.h. */
#include "reward/reward_tabular.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "data/preference_key.h"
#include "reward/tabular_store.h"

#include <math.h>
#include <string.h>

struct reward_tabular {
    struct reward reward; /* first: what callers hold */
    int64_t fit_id;
    bool by_origin;
    struct db_stmt *of_response; /* prompt's key, answer's key */
    struct db_stmt *of_text;     /* prompt's key, kind and text of the answer */
    struct db_stmt *of_origin;
    struct db_stmt *of_fit; /* all items */
    struct strbuf prompt_json, response_json;
};

static const char sql_of_response[] =
    "SELECT i.reward FROM prompt p JOIN response r ON r.prompt_id = p.id AND r.hash = ?3"
    " JOIN reward_item i ON i.response_id = r.id AND i.fit_id = ?1 WHERE p.hash = ?2";

static const char sql_of_text[] =
    "SELECT avg(i.reward) FROM prompt p JOIN response r ON r.prompt_id = p.id"
    " JOIN reward_item i ON i.response_id = r.id AND i.fit_id = ?1"
    " WHERE p.hash = ?2 AND r.kind = ?3 AND r.content = ?4";

static const char sql_of_origin[] =
    "SELECT reward FROM reward_item WHERE fit_id = ?1 AND origin = ?2";

static const char sql_of_fit[] =
    "SELECT coalesce(response_id, -1), coalesce(origin, ''), reward FROM reward_item"
    " WHERE fit_id = ?1 ORDER BY item";

/* The number that the statement answers with; NaN for no row or NULL. */
static enum err_code ask(struct db_stmt *stmt, double *out, struct error *err) {
    bool has_row = false;
    double reward = NAN;
    TRY(db_stmt_step(stmt, &has_row, err));
    enum err_code code = ERR_OK;
    if (has_row && !db_column_is_null(stmt, 0)) {
        code = db_column_f64(stmt, 0, &reward, err);
    }
    db_stmt_reset(stmt);
    TRY(code);
    *out = reward;
    return ERR_OK;
}

static enum err_code score_origin(struct reward_tabular *self, const struct reward_item *item,
                                  double *out, struct error *err) {
    const struct text_span *origin = &item->response->origin;
    if (!text_span_is_set(origin)) {
        *out = NAN;
        return ERR_OK;
    }
    db_bind_i64(self->of_origin, 1, self->fit_id);
    db_bind_text(self->of_origin, 2, origin->bytes, origin->count);
    return ask(self->of_origin, out, err);
}

static enum err_code score_response(struct reward_tabular *self, const struct reward_item *item,
                                    double *out, struct error *err) {
    struct hash_key prompt, response;
    TRY(preference_key_of_prompt(item->prompt, &self->prompt_json, &prompt, err));
    TRY(preference_key_of_response(item->response, &self->response_json, &response, err));
    db_bind_i64(self->of_response, 1, self->fit_id);
    db_bind_blob(self->of_response, 2, prompt.bytes, sizeof prompt.bytes);
    db_bind_blob(self->of_response, 3, response.bytes, sizeof response.bytes);
    TRY(ask(self->of_response, out, err));
    if (!isnan(*out) || text_span_is_set(&item->response->origin)) {
        return ERR_OK;
    }
    struct preference_content content;
    TRY(preference_content_of_response(item->response, &self->response_json, &content, err));
    db_bind_i64(self->of_text, 1, self->fit_id);
    db_bind_blob(self->of_text, 2, prompt.bytes, sizeof prompt.bytes);
    db_bind_text(self->of_text, 3, content.kind, strlen(content.kind));
    db_bind_text(self->of_text, 4, content.text.bytes, content.text.count);
    return ask(self->of_text, out, err);
}

static enum err_code reward_tabular_score(struct reward *reward, const struct reward_item *items,
                                          int64_t count, double *out_rewards, struct error *err) {
    struct reward_tabular *self = (struct reward_tabular *)reward;
    for (int64_t i = 0; i < count; i++) {
        if (self->by_origin) {
            TRY(score_origin(self, &items[i], &out_rewards[i], err));
        } else {
            TRY(score_response(self, &items[i], &out_rewards[i], err));
        }
    }
    return ERR_OK;
}

static enum err_code hash_item(struct db_stmt *stmt, struct hash_state *state, struct error *err) {
    int64_t response = 0;
    const char *origin = NULL;
    size_t origin_bytes = 0;
    double reward = 0.0;
    TRY(db_column_i64(stmt, 0, &response, err));
    TRY(db_column_text(stmt, 1, &origin, &origin_bytes, err));
    TRY(db_column_f64(stmt, 2, &reward, err));
    hash_update(state, &response, sizeof response);
    hash_update(state, origin, origin_bytes);
    hash_update(state, &reward, sizeof reward);
    return ERR_OK;
}

static enum err_code hash_items(struct db_stmt *stmt, struct hash_state *state, struct error *err) {
    for (bool has_row = true; has_row;) {
        TRY(db_stmt_step(stmt, &has_row, err));
        if (has_row) {
            TRY(hash_item(stmt, state, err));
        }
    }
    return ERR_OK;
}

static enum err_code reward_tabular_hash(struct reward *reward, struct hash_state *state,
                                         struct error *err) {
    struct reward_tabular *self = (struct reward_tabular *)reward;
    db_bind_i64(self->of_fit, 1, self->fit_id);
    const enum err_code code = hash_items(self->of_fit, state, err);
    db_stmt_reset(self->of_fit);
    return code;
}

static void reward_tabular_free(struct reward *reward) {
    struct reward_tabular *self = (struct reward_tabular *)reward;
    db_stmt_close(self->of_response);
    db_stmt_close(self->of_text);
    db_stmt_close(self->of_origin);
    db_stmt_close(self->of_fit);
    strbuf_deinit(&self->prompt_json);
    strbuf_deinit(&self->response_json);
    mem_free(self);
}

enum err_code reward_tabular_open(struct db *db, const char *name, struct reward **out_reward,
                                  struct error *err) {
    static const struct reward_class class = {
        .name = "tabular",
        .score = reward_tabular_score,
        .hash = reward_tabular_hash,
        .free = reward_tabular_free,
    };
    SCOPED(tabular_stored) struct tabular_stored stored = TABULAR_STORED_INIT;
    TRY(tabular_store_load(db, name, &stored, err));
    struct reward_tabular *self = mem_array_zero(1, sizeof *self);
    if (!self) {
        return err_oom(err, "reward");
    }
    *self = (struct reward_tabular){
        .reward = {.class = &class},
        .fit_id = stored.id,
        .by_origin = stored.items == COMPARISON_ITEMS_ORIGINS,
        .prompt_json = STRBUF_INIT(PREFERENCE_KEY_BYTES_MAX),
        .response_json = STRBUF_INIT(PREFERENCE_KEY_BYTES_MAX),
    };
    SCOPED(reward) struct reward *reward = &self->reward;
    TRY(db_stmt_open(db, sql_of_response, &self->of_response, err));
    TRY(db_stmt_open(db, sql_of_text, &self->of_text, err));
    TRY(db_stmt_open(db, sql_of_origin, &self->of_origin, err));
    TRY(db_stmt_open(db, sql_of_fit, &self->of_fit, err));
    *out_reward = MOVE(reward);
    return ERR_OK;
}
