/* import_safe_rlhf.c - PKU-SafeRLHF: two answers, which is better, which is safer, which is safe.
 *
 * Keys:     prompt, response_0, response_1, better_response_id, safer_response_id,
 *           is_response_0_safe, is_response_1_safe; response_0_source is the origin.
 * Makes:    a comparison of the aspect 'better', one of the aspect 'safer', and a label of the
 *           aspect 'safe' for each answer, as far as the row has them. --prefer better, or safer,
 *           keeps that comparison alone.
 * Threads:  no state.
 */
#include "base/utf8.h"
#include "data/import_columns.h"
#include "data/import_format.h"
#include "data/import_messages.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *aspect;
    const char *key;
} judgements[] = {
    {"better", "better_response_id"},
    {"safer", "safer_response_id"},
};

#define JUDGEMENT_COUNT (sizeof judgements / sizeof judgements[0])

struct pair {
    struct import_content prompt;
    struct preference_response sides[2];
    struct import_columns columns;
};

static enum err_code read_pair(const struct import_json_row *row, struct import_batch *batch,
                               struct pair *pair, struct error *err) {
    static const char *const keys[] = {"response_0", "response_1"};
    static const char *const source_keys[] = {"response_0_source", "response_1_source"};
    const struct json_node *node = NULL;
    TRY(import_json_need(row, "prompt", "prompt", "the question", &node, err));
    TRY(import_content_read(row, node, batch, &pair->prompt, err));
    for (int i = 0; i < 2; i++) {
        TRY(import_json_need(row, keys[i], keys[i], "an answer", &node, err));
        pair->sides[i] = (struct preference_response){.rank = 0};
        TRY(import_json_text(row, node, &pair->sides[i].text, err));
        node = json_find(row->doc, row->node, source_keys[i]);
        TRY(import_json_name(row, node, batch, &pair->sides[i].origin, err));
    }
    return import_columns_read(row, batch, &pair->columns, err);
}

static enum err_code add_comparison(const struct import_json_row *row, const struct pair *pair,
                                    size_t judgement, struct import_batch *batch,
                                    struct error *err) {
    const char *key = judgements[judgement].key;
    const struct json_node *node = NULL;
    int64_t winner = 0;
    TRY(import_json_need(row, key, key, "0 or 1", &node, err));
    TRY(json_as_i64(row->doc, node, &winner, err));
    if (winner != 0 && winner != 1) {
        return json_refuse(row->doc, node, err, "expected 0 or 1, found %" PRId64, winner);
    }
    struct preference *made = NULL;
    struct preference_response *sides = NULL;
    TRY(import_batch_add(batch, PREFERENCE_COMPARISON, 2, &made, &sides, err));
    import_content_to_prompt(&pair->prompt, &made->prompt);
    memcpy(sides, pair->sides, sizeof pair->sides);
    sides[winner].rank = 1;
    sides[1 - winner].rank = 2;
    import_columns_apply(row, &pair->columns, made);
    made->aspect = text_span_of(judgements[judgement].aspect);
    return ERR_OK;
}

static enum err_code add_labels(const struct import_json_row *row, const struct pair *pair,
                                struct import_batch *batch, struct error *err) {
    static const char *const keys[] = {"is_response_0_safe", "is_response_1_safe"};
    for (int i = 0; i < 2; i++) {
        const struct json_node *node = import_json_find(row, keys[i], keys[i]);
        if (!node) {
            continue;
        }
        struct preference *made = NULL;
        struct preference_response *response = NULL;
        TRY(import_batch_add(batch, PREFERENCE_LABEL, 1, &made, &response, err));
        import_content_to_prompt(&pair->prompt, &made->prompt);
        *response = pair->sides[i];
        import_columns_apply(row, &pair->columns, made);
        made->aspect = text_span_of("safe");
        TRY(import_json_flag(row, node, &made->good, err));
    }
    return ERR_OK;
}

/* All that the row has; at least one of the comparisons. */
static enum err_code add_all(const struct import_json_row *row, const struct pair *pair,
                             struct import_batch *batch, struct error *err) {
    bool has_comparison = false;
    for (size_t j = 0; j < JUDGEMENT_COUNT; j++) {
        if (import_json_find(row, judgements[j].key, judgements[j].key)) {
            TRY(add_comparison(row, pair, j, batch, err));
            has_comparison = true;
        }
    }
    if (!has_comparison) {
        return json_refuse(row->doc, row->node, err,
                           "expected 'better_response_id' or 'safer_response_id', 0 or 1");
    }
    return add_labels(row, pair, batch, err);
}

static enum err_code read_row(void *state, const struct import_json_row *row,
                              struct import_batch *batch, struct error *err) {
    (void)state;
    struct pair pair = {.prompt = {.message_count = 0}};
    TRY(read_pair(row, batch, &pair, err));
    if (!row->settings->prefer) {
        return add_all(row, &pair, batch, err);
    }
    for (size_t j = 0; j < JUDGEMENT_COUNT; j++) {
        if (strcmp(row->settings->prefer, judgements[j].aspect) == 0) {
            return add_comparison(row, &pair, j, batch, err);
        }
    }
    return err_set(err, ERR_USAGE, "--prefer '%s': expected 'better' or 'safer'",
                   row->settings->prefer);
}

static bool recognise(const struct import_json_row *row, char out_why[IMPORT_WHY_BYTES]) {
    bool has_answers = json_find(row->doc, row->node, "response_0") &&
                       json_find(row->doc, row->node, "response_1");
    for (size_t j = 0; has_answers && j < JUDGEMENT_COUNT; j++) {
        if (json_find(row->doc, row->node, judgements[j].key)) {
            (void)snprintf(out_why, IMPORT_WHY_BYTES,
                           "the keys 'response_0', 'response_1' and '%s'", judgements[j].key);
            return true;
        }
    }
    return false;
}

const struct import_format import_safe_rlhf = {
    .name = "safe-rlhf",
    .title = "PKU-SafeRLHF: two answers, the better, the safer, and which are safe",
    .container = IMPORT_JSON,
    .recognise_json = recognise,
    .read_json = read_row,
};
