/* import_nemo.c - NeMo-RL: any number of answers to one context, with ranks.
 *
 * Keys:     context (messages), completions: [{"rank": 0, "completion": messages}, ...]; task_name
 *           is the topic. The lowest rank is the best, whether it is 0 or 1; equal ranks are ties.
 * Source:   NeMo-RL 0.6, preference_datasets/preference_dataset.py.
 * Threads:  no state.
 */
#include "data/import_columns.h"
#include "data/import_format.h"
#include "data/import_messages.h"

#include <inttypes.h>
#include <stdio.h>

/* Beyond any ranking: keeps the difference of two ranks within int64_t. */
#define RANK_MAX INT64_C(1000000000)

static enum err_code read_rank(const struct import_json_row *row, const struct json_node *item,
                               int64_t *out_rank, struct error *err) {
    TRY(json_get_i64(row->doc, item, "rank", out_rank, err));
    if (*out_rank < 0 || *out_rank > RANK_MAX) {
        return json_refuse(row->doc, json_find(row->doc, item, "rank"), err,
                           "rank %" PRId64 " is outside [0, %" PRId64 "]", *out_rank, RANK_MAX);
    }
    return ERR_OK;
}

static enum err_code read_completion(const struct import_json_row *row,
                                     const struct json_node *item, struct import_batch *batch,
                                     struct preference_response *response, struct error *err) {
    TRY(read_rank(row, item, &response->rank, err));
    const struct json_node *completion = json_find(row->doc, item, "completion");
    if (!completion) {
        return json_refuse(row->doc, item, err, "missing key 'completion', expected an answer");
    }
    struct import_content content = {.message_count = 0};
    TRY(import_content_read(row, completion, batch, &content, err));
    import_content_to_response(&content, response);
    return ERR_OK;
}

/* Ranks from 1 on. */
static void shift_ranks(struct preference_response *responses, int64_t count) {
    int64_t best = RANK_MAX;
    for (int64_t i = 0; i < count; i++) {
        best = responses[i].rank < best ? responses[i].rank : best;
    }
    for (int64_t i = 0; i < count; i++) {
        responses[i].rank += 1 - best;
    }
}

static enum err_code read_row(void *state, const struct import_json_row *row,
                              struct import_batch *batch, struct error *err) {
    (void)state;
    const struct json_node *context = NULL;
    const struct json_node *list = NULL;
    TRY(import_json_need(row, "context", "context", "a list of messages", &context, err));
    TRY(json_get_array(row->doc, row->node, "completions", &list, err));
    int64_t count = json_count(row->doc, list);
    if (count < 2 || count > PREFERENCE_RESPONSES_MAX) {
        return json_refuse(row->doc, list, err, "%" PRId64 " completions: expected 2 to %d", count,
                           PREFERENCE_RESPONSES_MAX);
    }
    struct import_content prompt = {.message_count = 0};
    struct import_columns columns;
    TRY(import_content_read(row, context, batch, &prompt, err));
    TRY(import_columns_read(row, batch, &columns, err));
    struct preference *made = NULL;
    struct preference_response *responses = NULL;
    TRY(import_batch_add(batch, PREFERENCE_COMPARISON, count, &made, &responses, err));
    import_content_to_prompt(&prompt, &made->prompt);
    int64_t i = 0;
    for (const struct json_node *item = json_first(list); item; item = json_next(item)) {
        TRY(read_completion(row, item, batch, &responses[i++], err));
    }
    shift_ranks(responses, count);
    const struct json_node *task = json_find(row->doc, row->node, "task_name");
    TRY(import_json_name(row, task, batch, &made->prompt.topic, err));
    import_columns_apply(row, &columns, made);
    return ERR_OK;
}

static bool recognise(const struct import_json_row *row, char out_why[IMPORT_WHY_BYTES]) {
    const struct json_node *list = json_find(row->doc, row->node, "completions");
    if (!json_find(row->doc, row->node, "context") || !list ||
        json_kind_of(list) != JSON_KIND_ARRAY ||
        !json_find(row->doc, json_first(list), "completion")) {
        return false;
    }
    (void)snprintf(out_why, IMPORT_WHY_BYTES,
                   "the keys 'context' and 'completions', which have a 'completion' each");
    return true;
}

const struct import_format import_nemo = {
    .name = "nemo",
    .title = "NeMo-RL: a context, and completions with ranks",
    .container = IMPORT_JSON,
    .recognise_json = recognise,
    .read_json = read_row,
};
