/* import_judgements.c - accord's own layout: any judgement that a log can hold.
 *
 * Keys:     with "judgement": as accord export writes them, see data/export.h. Import of an export
 *           gives the same log.
 *           Without it, for people to write: import_judgement_lists.c.
 * Threads:  no state.
 */
#include "data/import_judgements_internal.h"

#include "base/invariant.h"

#include "base/utf8.h"
#include "data/import_columns.h"
#include "data/import_format.h"
#include "data/import_messages.h"
#include "data/import_slate.h"

#include <stdio.h>
#include <string.h>

static enum err_code read_kind(const struct import_json_row *row, const struct json_node *node,
                               enum preference_kind *out_kind, struct error *err) {
    const char *name = NULL;
    TRY(json_as_string(row->doc, node, &name, err));
    for (enum preference_kind k = PREFERENCE_COMPARISON; k < PREFERENCE_KIND_COUNT; k++) {
        if (strcmp(name, preference_kind_name(k)) == 0) {
            *out_kind = k;
            return ERR_OK;
        }
    }
    char excerpt[UTF8_EXCERPT_BYTES];
    return json_refuse(row->doc, node, err,
                       "'%s': expected 'comparison', 'rating', 'label', 'demonstration' or "
                       "'prompt'",
                       utf8_excerpt(name, strlen(name), excerpt));
}

/* As written by the export, times are ms whatever their size. */
static enum err_code read_columns(const struct import_json_row *row, struct import_batch *batch,
                                  struct import_columns *columns, struct error *err) {
    TRY(import_columns_read_timeless(row, batch, columns, err));
    const struct json_node *asked_at = import_json_find(row, "asked_at", "asked_at");
    columns->has_asked_at = asked_at != NULL;
    return asked_at ? json_as_i64(row->doc, asked_at, &columns->asked_at_ms, err) : ERR_OK;
}

static enum err_code read_flag(const struct import_json_row *row, const char *key, bool *out_flag,
                               struct error *err) {
    const struct json_node *node = import_json_find(row, key, key);
    *out_flag = false;
    return node ? import_json_flag(row, node, out_flag, err) : ERR_OK;
}

static enum err_code read_content(const struct import_json_row *row, const char *key,
                                  struct import_batch *batch, struct preference_response *response,
                                  struct error *err) {
    const struct json_node *node = NULL;
    struct import_content content = {.message_count = 0};
    TRY(import_json_need(row, key, key, "a response", &node, err));
    TRY(import_content_read(row, node, batch, &content, err));
    import_content_to_response(&content, response);
    return ERR_OK;
}

/* chosen and rejected, in the order in which they stood. */
static enum err_code read_pair(const struct import_json_row *row, struct import_batch *batch,
                               struct preference **out_made, struct error *err) {
    struct preference *made = NULL;
    struct preference_response *sides = NULL;
    struct preference_response read[2] = {{.rank = 1}, {.rank = 2}};
    bool rejected_first = false;
    TRY(import_batch_add(batch, PREFERENCE_COMPARISON, 2, &made, &sides, err));
    TRY(read_content(row, "chosen", batch, &read[0], err));
    TRY(read_content(row, "rejected", batch, &read[1], err));
    TRY(import_json_pair_origins(row, batch, read, err));
    TRY(read_flag(row, "rejected_first", &rejected_first, err));
    sides[0] = read[rejected_first ? 1 : 0];
    sides[1] = read[rejected_first ? 0 : 1];
    *out_made = made;
    return ERR_OK;
}

static enum err_code read_ranking(const struct import_json_row *row,
                                  const struct import_slate *slate, struct import_batch *batch,
                                  struct preference **out_made, struct error *err) {
    if (!slate->has_ranks) {
        return json_refuse(row->doc, row->node, err,
                           "expected 'chosen' and 'rejected', or 'responses' with a 'rank' each");
    }
    struct preference *made = NULL;
    struct preference_response *responses = NULL;
    TRY(import_batch_add(batch, PREFERENCE_COMPARISON, slate->count, &made, &responses, err));
    memcpy(responses, slate->responses, (size_t)slate->count * sizeof *responses);
    TRY(read_flag(row, "last_unordered", &made->last_unordered, err));
    *out_made = made;
    return ERR_OK;
}

static enum err_code read_one(const struct import_json_row *row, enum preference_kind kind,
                              const char *key, struct import_batch *batch,
                              struct preference **out_made, struct error *err) {
    struct preference *made = NULL;
    struct preference_response *response = NULL;
    TRY(import_batch_add(batch, kind, 1, &made, &response, err));
    TRY(read_content(row, key, batch, response, err));
    TRY(import_json_origin(row, batch, response, err));
    *out_made = made;
    return ERR_OK;
}

static enum err_code read_rating(const struct import_json_row *row, struct import_batch *batch,
                                 struct preference **out_made, struct error *err) {
    struct preference *made = NULL;
    TRY(read_one(row, PREFERENCE_RATING, "response", batch, &made, err));
    TRY(json_get_f64(row->doc, row->node, "rating", &made->value, err));
    const struct json_node *low = import_json_find(row, "low", "low");
    const struct json_node *high = import_json_find(row, "high", "high");
    if (low || high) {
        TRY(json_get_f64(row->doc, row->node, "low", &made->scale_low, err));
        TRY(json_get_f64(row->doc, row->node, "high", &made->scale_high, err));
        made->has_scale = true;
    }
    *out_made = made;
    return ERR_OK;
}

static enum err_code read_label(const struct import_json_row *row, struct import_batch *batch,
                                struct preference **out_made, struct error *err) {
    struct preference *made = NULL;
    TRY(read_one(row, PREFERENCE_LABEL, "completion", batch, &made, err));
    TRY(json_get_bool(row->doc, row->node, "label", &made->good, err));
    *out_made = made;
    return ERR_OK;
}

static enum err_code read_prompt_only(struct import_batch *batch, struct preference **out_made,
                                      struct error *err) {
    struct preference_response *none = NULL;
    return import_batch_add(batch, PREFERENCE_PROMPT, 0, out_made, &none, err);
}

static enum err_code read_judgement(const struct import_json_row *row,
                                    const struct json_node *judgement, struct import_batch *batch,
                                    struct error *err) {
    enum preference_kind kind = PREFERENCE_COMPARISON;
    struct import_slate slate = {.count = 0};
    struct import_columns columns;
    struct preference *made = NULL;
    TRY(read_kind(row, judgement, &kind, err));
    TRY(import_slate_read(row, batch, &slate, err));
    TRY(read_columns(row, batch, &columns, err));
    enum err_code code = ERR_OK;
    switch (kind) {
    case PREFERENCE_COMPARISON:
        code = import_json_find(row, "chosen", "chosen")
                   ? read_pair(row, batch, &made, err)
                   : read_ranking(row, &slate, batch, &made, err);
        break;
    case PREFERENCE_RATING:
        code = read_rating(row, batch, &made, err);
        break;
    case PREFERENCE_LABEL:
        code = read_label(row, batch, &made, err);
        break;
    case PREFERENCE_DEMONSTRATION:
        code = read_one(row, kind, "completion", batch, &made, err);
        break;
    case PREFERENCE_PROMPT:
    case PREFERENCE_KIND_COUNT:
        code = read_prompt_only(batch, &made, err);
        break;
    }
    TRY(code);
    ASSERT(made);
    made->prompt = slate.prompt;
    import_columns_apply(row, &columns, made);
    return ERR_OK;
}

static enum err_code read_row(void *state, const struct import_json_row *row,
                              struct import_batch *batch, struct error *err) {
    (void)state;
    const struct json_node *judgement = json_find(row->doc, row->node, "judgement");
    return judgement ? read_judgement(row, judgement, batch, err)
                     : import_judgement_lists_read(row, batch, err);
}

static bool recognise(const struct import_json_row *row, char out_why[IMPORT_WHY_BYTES]) {
    if (json_find(row->doc, row->node, "judgement")) {
        (void)snprintf(out_why, IMPORT_WHY_BYTES, "the key 'judgement', as accord writes it");
        return true;
    }
    return import_judgement_lists_recognise(row, out_why);
}

const struct import_format import_judgements = {
    .name = "judgements",
    .title = "accord's own: rankings with ties, votes, ratings, labels; what export writes",
    .container = IMPORT_JSON,
    .recognise_json = recognise,
    .read_json = read_row,
};
