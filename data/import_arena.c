/* import_arena.c - battles of two models in Chatbot Arena.
 *
 * 55k:      prompt, response_a, response_b, each a list of turns written as JSON text (or a plain
 *           list); winner_model_a, winner_model_b, winner_tie, one of them 1. A null answer is an
 *           empty one, which `accord check` finds.
 * Arena:    conversation_a, conversation_b, lists of messages; winner: model_a, model_b, tie,
 *           tie (bothbad) or both_bad. Both bad is a tie, and each answer is labelled bad.
 * Both:     model_a and model_b are the origins; a was shown first, b second; judge is the
 *           annotator, tstamp the time. What both conversations share is the prompt.
 * Threads:  no state.
 */
#include "base/scoped.h"
#include "base/utf8.h"
#include "data/import_columns.h"
#include "data/import_format.h"
#include "data/import_messages.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum outcome { OUTCOME_A, OUTCOME_B, OUTCOME_TIE, OUTCOME_BOTH_BAD };

/* --- turns as JSON text --- */

/* The turns of one side: [count] in the batch. */
struct turns {
    struct text_span *items;
    int64_t count;
};

/* Where they come from: the document of the list is the row's, or what its text was parsed to. */
struct turn_source {
    const struct import_json_row *row;
    const struct json_node *node; /* of the row, for messages */
    const struct json *doc;
    const struct json_node *list;
};

static enum err_code read_turn(const struct turn_source *source, const struct json_node *turn,
                               struct import_batch *batch, struct text_span *out,
                               struct error *err) {
    if (json_kind_of(turn) == JSON_KIND_NULL) {
        *out = text_span_of("");
        return ERR_OK;
    }
    const char *text = NULL;
    struct error inner = ERROR_INIT;
    if (json_as_string(source->doc, turn, &text, &inner) != ERR_OK) {
        return json_refuse(source->row->doc, source->node, err, "%s", inner.msg);
    }
    return import_batch_text(batch, text, strlen(text), out, err);
}

static enum err_code copy_turns(const struct turn_source *source, struct import_batch *batch,
                                struct turns *out, struct error *err) {
    int64_t count = json_count(source->doc, source->list);
    if (json_kind_of(source->list) != JSON_KIND_ARRAY || count < 1 ||
        count > PREFERENCE_MESSAGES_MAX / 2) {
        return json_refuse(source->row->doc, source->node, err, "expected a list of 1 to %d turns",
                           PREFERENCE_MESSAGES_MAX / 2);
    }
    struct text_span *items = arena_array(&batch->arena, (size_t)count, sizeof *items);
    if (!items) {
        return err_oom(err, "turns");
    }
    struct text_span *next = items;
    const struct json_node *turn = json_first(source->list);
    for (; turn; turn = json_next(turn)) {
        TRY(read_turn(source, turn, batch, next++, err));
    }
    *out = (struct turns){.items = items, .count = count};
    return ERR_OK;
}

static enum err_code read_turns(const struct import_json_row *row, const char *key,
                                struct import_batch *batch, struct turns *out, struct error *err) {
    const struct json_node *node = NULL;
    TRY(import_json_need(row, key, key, "a list of turns", &node, err));
    struct turn_source source = {.row = row, .node = node, .doc = row->doc, .list = node};
    if (json_kind_of(node) == JSON_KIND_ARRAY) {
        return copy_turns(&source, batch, out, err);
    }
    const char *text = NULL;
    TRY(json_as_string(row->doc, node, &text, err));
    SCOPED(json) struct json *doc = NULL;
    struct error inner = ERROR_INIT;
    enum err_code code = json_parse(text, strlen(text), "turns", NULL, &doc, &inner);
    if (code == ERR_DATA) {
        return json_refuse(row->doc, node, err, "expected turns as a JSON list: %s", inner.msg);
    }
    if (code != ERR_OK) {
        *err = inner;
        return code;
    }
    source.doc = doc;
    source.list = json_root(doc);
    return copy_turns(&source, batch, out, err);
}

static enum err_code join_turns(const struct import_json_row *row, const struct turns *questions,
                                const char *key, struct import_batch *batch,
                                struct import_content *out, struct error *err) {
    struct turns answers = {.count = 0};
    TRY(read_turns(row, key, batch, &answers, err));
    if (answers.count != questions->count) {
        return json_refuse(row->doc, json_find(row->doc, row->node, key), err,
                           "%" PRId64 " answers to %" PRId64 " questions", answers.count,
                           questions->count);
    }
    struct message *messages = NULL;
    TRY(import_batch_messages(batch, 2 * answers.count, &messages, err));
    for (int64_t i = 0; i < answers.count; i++) {
        messages[2 * i] =
            (struct message){.role = text_span_of("user"), .content = questions->items[i]};
        messages[2 * i + 1] =
            (struct message){.role = text_span_of("assistant"), .content = answers.items[i]};
    }
    *out = (struct import_content){.messages = messages, .message_count = 2 * answers.count};
    return ERR_OK;
}

/* --- who won --- */

static enum err_code read_flags(const struct import_json_row *row, enum outcome *out_outcome,
                                struct error *err) {
    static const char *const keys[] = {[OUTCOME_A] = "winner_model_a",
                                       [OUTCOME_B] = "winner_model_b",
                                       [OUTCOME_TIE] = "winner_tie"};
    int set = 0;
    enum outcome outcome = OUTCOME_TIE;
    for (enum outcome o = OUTCOME_A; o <= OUTCOME_TIE; o++) {
        const struct json_node *node = NULL;
        bool is_set = false;
        TRY(import_json_need(row, keys[o], keys[o], "1 or 0", &node, err));
        TRY(import_json_flag(row, node, &is_set, err));
        outcome = is_set ? o : outcome;
        set += is_set;
    }
    if (set != 1) {
        return json_refuse(row->doc, row->node, err,
                           "expected one of 'winner_model_a', 'winner_model_b' and 'winner_tie' to "
                           "be 1, found %d",
                           set);
    }
    *out_outcome = outcome;
    return ERR_OK;
}

static enum err_code read_winner(const struct import_json_row *row, const struct json_node *node,
                                 enum outcome *out_outcome, struct error *err) {
    static const struct {
        const char *name;
        enum outcome outcome;
    } winners[] = {
        {"model_a", OUTCOME_A},         {"model_b", OUTCOME_B},
        {"tie", OUTCOME_TIE},           {"tie (bothbad)", OUTCOME_BOTH_BAD},
        {"both_bad", OUTCOME_BOTH_BAD},
    };
    const char *name = NULL;
    TRY(json_as_string(row->doc, node, &name, err));
    for (size_t i = 0; i < sizeof winners / sizeof winners[0]; i++) {
        if (strcmp(name, winners[i].name) == 0) {
            *out_outcome = winners[i].outcome;
            return ERR_OK;
        }
    }
    char excerpt[UTF8_EXCERPT_BYTES];
    return json_refuse(
        row->doc, node, err,
        "winner '%s': expected 'model_a', 'model_b', 'tie', 'tie (bothbad)' or 'both_bad'",
        utf8_excerpt(name, strlen(name), excerpt));
}

static enum err_code read_outcome(const struct import_json_row *row, enum outcome *out_outcome,
                                  struct error *err) {
    const struct json_node *winner = import_json_find(row, "winner", "winner");
    return winner ? read_winner(row, winner, out_outcome, err) : read_flags(row, out_outcome, err);
}

/* --- one battle --- */

static enum err_code read_conversation(const struct import_json_row *row, const char *key,
                                       struct import_batch *batch, struct import_content *out,
                                       struct error *err) {
    static const struct text_span no_system = TEXT_SPAN_NONE;
    const struct json_node *node = NULL;
    TRY(import_json_need(row, key, key, "a list of messages", &node, err));
    TRY(import_conversation_read(row, node, &no_system, batch, out, err));
    if (!import_content_ends_answered(out)) {
        return json_refuse(row->doc, node, err,
                           "the last message is not the assistant's: expected an answer");
    }
    return ERR_OK;
}

static enum err_code read_sides(const struct import_json_row *row, struct import_batch *batch,
                                struct import_pair *pair, struct error *err) {
    struct import_content a = {.message_count = 0};
    struct import_content b = {.message_count = 0};
    if (json_find(row->doc, row->node, "conversation_a")) {
        TRY(read_conversation(row, "conversation_a", batch, &a, err));
        TRY(read_conversation(row, "conversation_b", batch, &b, err));
    } else {
        struct turns questions = {.count = 0};
        TRY(read_turns(row, "prompt", batch, &questions, err));
        TRY(join_turns(row, &questions, "response_a", batch, &a, err));
        TRY(join_turns(row, &questions, "response_b", batch, &b, err));
    }
    return import_pair_split(row, &a, &b, pair, err);
}

static enum err_code read_columns(const struct import_json_row *row, struct import_batch *batch,
                                  struct import_columns *columns, struct text_span origins[2],
                                  struct error *err) {
    TRY(import_columns_read(row, batch, columns, err));
    const struct json_node *judge = json_find(row->doc, row->node, "judge");
    if (!text_span_is_set(&columns->annotator) && judge &&
        json_kind_of(judge) == JSON_KIND_STRING) { /* MT-bench has lists: model and prompt */
        TRY(import_json_name(row, judge, batch, &columns->annotator, err));
    }
    const struct json_node *model_a = json_find(row->doc, row->node, "model_a");
    const struct json_node *model_b = json_find(row->doc, row->node, "model_b");
    TRY(import_json_name(row, model_a, batch, &origins[0], err));
    return import_json_name(row, model_b, batch, &origins[1], err);
}

static enum err_code add_both_bad(const struct import_json_row *row,
                                  const struct preference *battle,
                                  const struct import_columns *columns, struct import_batch *batch,
                                  struct error *err) {
    for (int64_t i = 0; i < battle->response_count; i++) {
        struct preference *label = NULL;
        struct preference_response *response = NULL;
        TRY(import_batch_add(batch, PREFERENCE_LABEL, 1, &label, &response, err));
        label->prompt = battle->prompt;
        *response = battle->responses[i];
        response->rank = 0;
        response->position = 0;
        label->good = false;
        import_columns_apply(row, columns, label);
    }
    return ERR_OK;
}

static enum err_code read_row(void *state, const struct import_json_row *row,
                              struct import_batch *batch, struct error *err) {
    (void)state;
    enum outcome outcome = OUTCOME_TIE;
    struct import_pair pair = {.prompt = {.message_count = 0}};
    struct import_columns columns;
    struct text_span origins[2];
    TRY(read_outcome(row, &outcome, err));
    TRY(read_sides(row, batch, &pair, err));
    TRY(read_columns(row, batch, &columns, origins, err));
    struct preference *made = NULL;
    struct preference_response *sides = NULL;
    TRY(import_batch_add(batch, PREFERENCE_COMPARISON, 2, &made, &sides, err));
    import_content_to_prompt(&pair.prompt, &made->prompt);
    import_content_to_response(&pair.chosen, &sides[0]);
    import_content_to_response(&pair.rejected, &sides[1]);
    sides[0].rank = outcome == OUTCOME_B ? 2 : 1;
    sides[1].rank = outcome == OUTCOME_A ? 2 : 1;
    for (int i = 0; i < 2; i++) {
        sides[i].origin = origins[i];
        sides[i].position = i + 1;
    }
    import_columns_apply(row, &columns, made);
    return outcome == OUTCOME_BOTH_BAD ? add_both_bad(row, made, &columns, batch, err) : ERR_OK;
}

static bool has(const struct import_json_row *row, const char *key) {
    return json_find(row->doc, row->node, key) != NULL;
}

static bool recognise(const struct import_json_row *row, char out_why[IMPORT_WHY_BYTES]) {
    if (has(row, "response_a") && has(row, "response_b") && has(row, "winner_model_a")) {
        (void)snprintf(out_why, IMPORT_WHY_BYTES,
                       "the keys 'response_a', 'response_b' and 'winner_model_a'");
        return true;
    }
    if (has(row, "conversation_a") && has(row, "conversation_b") && has(row, "winner")) {
        (void)snprintf(out_why, IMPORT_WHY_BYTES,
                       "the keys 'conversation_a', 'conversation_b' and 'winner'");
        return true;
    }
    return false;
}

const struct import_format import_arena = {
    .name = "arena",
    .title = "Chatbot Arena: two answers, the winner or a tie",
    .container = IMPORT_JSON,
    .recognise_json = recognise,
    .read_json = read_row,
};
