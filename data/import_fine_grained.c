/* import_fine_grained.c - FineGrainedRLHF, long-form question answering: four answers compared in
 * pairs.
 *
 * Keys:     question, passages ([title, sentence, ...] each), 'prediction 1' to 'prediction 4',
 *           preference: what was said of the pairs (1,2) (1,3) (1,4) (2,3) (2,4) (3,4), 1 for the
 *           first, 2 for the second, 0 for a tie.
 * Makes:    one ranking of the four with its ties where the six judgements agree on one, or else
 *           six comparisons of two: 22 of the 500 published rows have ties that do not chain (a = b
 *           and b = c, but a > c), which no ranking can say. The prompt is the question and below
 *           it the passages that the annotators had, each after an empty line.
 * Source:   github allenai/FineGrainedRLHF, tasks/qa_feedback.
 * Threads:  no state.
 */
#include "base/scoped.h"
#include "base/strbuf.h"
#include "data/import_columns.h"
#include "data/import_format.h"
#include "data/import_messages.h"

#include <inttypes.h>
#include <stdio.h>

#define ANSWERS          4
#define PAIRS            6
#define PROMPT_BYTES_MAX ((size_t)PREFERENCE_TEXT_BYTES_MAX)

static const int pair_members[PAIRS][2] = {{0, 1}, {0, 2}, {0, 3}, {1, 2}, {1, 3}, {2, 3}};

struct record {
    struct text_span prompt;
    struct text_span answers[ANSWERS];
    int64_t said[PAIRS]; /* 0, 1 or 2 */
    struct import_columns columns;
};

/* --- reading --- */

static enum err_code add_passage(const struct import_json_row *row, const struct json_node *passage,
                                 struct strbuf *text, struct error *err) {
    TRY(json_as_array(row->doc, passage, &passage, err));
    const struct json_node *title = json_first(passage);
    const struct json_node *sentence = title ? json_next(title) : NULL;
    const char *before = "\n\n";
    for (; sentence; sentence = json_next(sentence)) {
        const char *words = NULL;
        TRY(json_as_string(row->doc, sentence, &words, err));
        strbuf_add(text, before);
        strbuf_add(text, words);
        before = " ";
    }
    return ERR_OK;
}

static enum err_code read_prompt(const struct import_json_row *row, struct import_batch *batch,
                                 struct text_span *out_prompt, struct error *err) {
    const char *question = NULL;
    TRY(json_get_string(row->doc, row->node, "question", &question, err));
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(PROMPT_BYTES_MAX);
    strbuf_add(&text, question);
    const struct json_node *passages = import_json_find(row, "passages", "passages");
    if (passages) {
        TRY(json_as_array(row->doc, passages, &passages, err));
    }
    for (const struct json_node *p = passages ? json_first(passages) : NULL; p; p = json_next(p)) {
        TRY(add_passage(row, p, &text, err));
    }
    TRY(strbuf_check(&text, "question with its passages", err));
    return import_batch_text(batch, strbuf_text(&text), text.length, out_prompt, err);
}

static enum err_code read_said(const struct import_json_row *row, int64_t said[PAIRS],
                               struct error *err) {
    const struct json_node *list = NULL;
    TRY(json_get_array(row->doc, row->node, "preference", &list, err));
    int64_t count = json_count(row->doc, list);
    if (count != PAIRS) {
        return json_refuse(row->doc, list, err,
                           "%" PRId64 " judgements: expected %d, one for each pair of four", count,
                           PAIRS);
    }
    for (int p = 0; p < PAIRS; p++) {
        const struct json_node *node = json_at(row->doc, list, p);
        TRY(json_as_i64(row->doc, node, &said[p], err));
        if (said[p] < 0 || said[p] > 2) {
            return json_refuse(row->doc, node, err,
                               "expected 1 or 2 for the better, or 0 for a tie, found %" PRId64,
                               said[p]);
        }
    }
    return ERR_OK;
}

static enum err_code read_record(const struct import_json_row *row, struct import_batch *batch,
                                 struct record *record, struct error *err) {
    static const char *const keys[ANSWERS] = {"prediction 1", "prediction 2", "prediction 3",
                                              "prediction 4"};
    TRY(read_prompt(row, batch, &record->prompt, err));
    for (int i = 0; i < ANSWERS; i++) {
        const char *text = NULL;
        TRY(json_get_string(row->doc, row->node, keys[i], &text, err));
        record->answers[i] = text_span_of(text);
    }
    TRY(read_said(row, record->said, err));
    return import_columns_read(row, batch, &record->columns, err);
}

/* --- from pairs to a ranking --- */

/* 1 if `left` is the better of the two, -1 if `right` is, 0 for a tie. */
static int sign_of(int64_t left, int64_t right) {
    return (left > right) - (left < right);
}

/* Ranks that say just what the six judgements say; false if there are none. In a ranking with ties
 * the better of two has the greater difference of wins and losses, and tied ones the same: so if
 * there is a ranking, these differences order it. */
static bool ranks_of(const int64_t said[PAIRS], int64_t ranks[ANSWERS]) {
    int64_t net[ANSWERS] = {0};
    for (int p = 0; p < PAIRS; p++) {
        int sign = (said[p] == 1) - (said[p] == 2);
        net[pair_members[p][0]] += sign;
        net[pair_members[p][1]] -= sign;
    }
    for (int p = 0; p < PAIRS; p++) {
        int sign = (said[p] == 1) - (said[p] == 2);
        if (sign_of(net[pair_members[p][0]], net[pair_members[p][1]]) != sign) {
            return false;
        }
    }
    for (int i = 0; i < ANSWERS; i++) {
        ranks[i] = 1;
        for (int j = 0; j < ANSWERS; j++) {
            ranks[i] += net[j] > net[i];
        }
    }
    return true;
}

static enum err_code add_comparison(const struct import_json_row *row, const struct record *record,
                                    int64_t count, struct import_batch *batch,
                                    struct preference_response **out_responses, struct error *err) {
    struct preference *made = NULL;
    TRY(import_batch_add(batch, PREFERENCE_COMPARISON, count, &made, out_responses, err));
    made->prompt = (struct preference_prompt){.kind = PROMPT_TEXT, .text = record->prompt};
    import_columns_apply(row, &record->columns, made);
    return ERR_OK;
}

static enum err_code add_pairs(const struct import_json_row *row, const struct record *record,
                               struct import_batch *batch, struct error *err) {
    for (int p = 0; p < PAIRS; p++) {
        struct preference_response *sides = NULL;
        TRY(add_comparison(row, record, 2, batch, &sides, err));
        for (int side = 0; side < 2; side++) {
            sides[side].text = record->answers[pair_members[p][side]];
            sides[side].rank = record->said[p] == 0 || record->said[p] == side + 1 ? 1 : 2;
        }
    }
    return ERR_OK;
}

static enum err_code read_row(void *state, const struct import_json_row *row,
                              struct import_batch *batch, struct error *err) {
    (void)state;
    struct record record = {.said = {0}};
    int64_t ranks[ANSWERS];
    TRY(read_record(row, batch, &record, err));
    if (!ranks_of(record.said, ranks)) {
        return add_pairs(row, &record, batch, err);
    }
    struct preference_response *responses = NULL;
    TRY(add_comparison(row, &record, ANSWERS, batch, &responses, err));
    for (int i = 0; i < ANSWERS; i++) {
        responses[i].text = record.answers[i];
        responses[i].rank = ranks[i];
    }
    return ERR_OK;
}

static bool recognise(const struct import_json_row *row, char out_why[IMPORT_WHY_BYTES]) {
    if (!json_find(row->doc, row->node, "prediction 1") ||
        !json_find(row->doc, row->node, "preference")) {
        return false;
    }
    (void)snprintf(out_why, IMPORT_WHY_BYTES, "the keys 'prediction 1' and 'preference'");
    return true;
}

const struct import_format import_fine_grained = {
    .name = "fine-grained",
    .title = "FineGrainedRLHF: a question, passages, and four answers compared in pairs",
    .container = IMPORT_JSON,
    .recognise_json = recognise,
    .read_json = read_row,
};
