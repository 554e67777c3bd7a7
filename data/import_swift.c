/* import_swift.c - ms-swift: a conversation with its answer, and what was rejected instead.
 *
 * Keys:     messages that end with the answer, or query, response, history and system; and then
 *             rejected_response   text: a comparison with the answer; of a list each is worse than
 *                                 the answer, and they are not compared with each other
 *             rejected_messages   a whole conversation: the prompt is what both share
 *             label               the answer is good or bad
 *             nothing             a demonstration; a prompt if no answer is last
 * Source:   ms-swift 4.6, dataset/preprocessor/core.py; docs, Custom dataset.
 * Threads:  no state.
 */
#include "data/import_columns.h"
#include "data/import_format.h"
#include "data/import_messages.h"

#include <inttypes.h>
#include <stdio.h>

/* A row taken apart. */
struct swift_row {
    const struct json_node *node; /* that the answer comes from, for messages */
    bool is_answered;
    struct import_content whole; /* of 'messages'; else empty */
    struct import_exchange exchange;
};

static enum err_code read_query(const struct import_json_row *row, const struct text_span *system,
                                struct import_batch *batch, struct swift_row *out,
                                struct error *err) {
    const struct json_node *query = NULL;
    TRY(import_json_need(row, "query", "query", "the question (or 'messages')", &query, err));
    struct import_dialogue dialogue = {.system = *system,
                                       .history = import_json_find(row, "history", "history")};
    TRY(import_json_text(row, query, &dialogue.question, err));
    TRY(import_dialogue_read(row, &dialogue, batch, &out->exchange.prompt, err));
    out->node = import_json_find(row, "response", "response");
    out->is_answered = out->node != NULL;
    return out->node ? import_json_text(row, out->node, &out->exchange.answer.text, err) : ERR_OK;
}

static enum err_code take_apart(const struct import_json_row *row, struct import_batch *batch,
                                struct swift_row *out, struct error *err) {
    struct text_span system = TEXT_SPAN_NONE;
    TRY(import_json_find_text(row, "system", &system, err));
    const struct json_node *messages = import_json_find(row, "messages", "messages");
    if (!messages) {
        return read_query(row, &system, batch, out, err);
    }
    out->node = messages;
    TRY(import_conversation_read(row, messages, &system, batch, &out->whole, err));
    out->is_answered = import_content_ends_answered(&out->whole);
    if (!out->is_answered) {
        out->exchange.prompt = out->whole;
        return ERR_OK;
    }
    return import_answer_split(row, messages, &out->whole, &out->exchange, err);
}

static enum err_code require_answer(const struct import_json_row *row, const struct swift_row *read,
                                    struct error *err) {
    return read->is_answered
               ? ERR_OK
               : json_refuse(row->doc, read->node ? read->node : row->node, err,
                             "no answer of the assistant at the end: expected the better one");
}

static enum err_code add_rejected_list(const struct import_json_row *row,
                                       const struct swift_row *read, const struct json_node *list,
                                       struct import_batch *batch, struct error *err) {
    int64_t count = json_count(row->doc, list);
    if (count < 1 || count > PREFERENCE_RESPONSES_MAX - 1) {
        return json_refuse(row->doc, list, err, "%" PRId64 " rejected answers: expected 1 to %d",
                           count, PREFERENCE_RESPONSES_MAX - 1);
    }
    struct import_columns columns;
    TRY(import_columns_read(row, batch, &columns, err));
    struct preference *made = NULL;
    struct preference_response *responses = NULL;
    TRY(import_batch_add(batch, PREFERENCE_COMPARISON, count + 1, &made, &responses, err));
    import_content_to_prompt(&read->exchange.prompt, &made->prompt);
    import_content_to_response(&read->exchange.answer, &responses[0]);
    responses[0].rank = 1;
    struct preference_response *next = responses + 1;
    for (const struct json_node *item = json_first(list); item; item = json_next(item)) {
        TRY(import_json_text(row, item, &next->text, err));
        next->rank = 2;
        next++;
    }
    made->last_unordered = count > 1;
    import_columns_apply(row, &columns, made);
    return ERR_OK;
}

static enum err_code add_pair(const struct import_json_row *row, const struct swift_row *read,
                              const struct json_node *rejected, struct import_batch *batch,
                              struct error *err) {
    if (json_kind_of(rejected) == JSON_KIND_ARRAY && !import_is_conversation(row, rejected)) {
        return add_rejected_list(row, read, rejected, batch, err);
    }
    struct import_pair pair = {.prompt = read->exchange.prompt, .chosen = read->exchange.answer};
    TRY(import_content_read(row, rejected, batch, &pair.rejected, err));
    struct import_columns columns;
    TRY(import_columns_read(row, batch, &columns, err));
    return import_pair_add(row, &pair, &columns, batch, err);
}

static enum err_code add_conversations(const struct import_json_row *row,
                                       const struct swift_row *read,
                                       const struct json_node *rejected, struct import_batch *batch,
                                       struct error *err) {
    if (!import_content_is_chat(&read->whole)) {
        return json_refuse(row->doc, rejected, err, "expected 'messages' beside it");
    }
    struct text_span system = TEXT_SPAN_NONE;
    struct import_content whole = {.message_count = 0};
    struct import_pair pair = {.prompt = {.message_count = 0}};
    TRY(import_json_find_text(row, "system", &system, err));
    TRY(import_conversation_read(row, rejected, &system, batch, &whole, err));
    if (!import_content_ends_answered(&whole)) {
        return json_refuse(row->doc, rejected, err,
                           "the last message is not the assistant's: expected an answer");
    }
    TRY(import_pair_split(row, &read->whole, &whole, &pair, err));
    struct import_columns columns;
    TRY(import_columns_read(row, batch, &columns, err));
    return import_pair_add(row, &pair, &columns, batch, err);
}

static enum err_code read_row(void *state, const struct import_json_row *row,
                              struct import_batch *batch, struct error *err) {
    (void)state;
    struct swift_row read = {.node = NULL};
    struct preference *made = NULL;
    TRY(import_json_refuse_media(row, err));
    TRY(take_apart(row, batch, &read, err));
    const struct json_node *text = import_json_find(row, "rejected_response", "rejected_response");
    const struct json_node *turns = import_json_find(row, "rejected_messages", "rejected_messages");
    const struct json_node *label = import_json_find(row, "label", "label");
    if (!text && !turns && !label && !read.is_answered) {
        return import_answer_add(row, PREFERENCE_PROMPT, &read.exchange, batch, &made, err);
    }
    TRY(require_answer(row, &read, err));
    if (text) {
        return add_pair(row, &read, text, batch, err);
    }
    if (turns) {
        return add_conversations(row, &read, turns, batch, err);
    }
    TRY(import_answer_add(row, label ? PREFERENCE_LABEL : PREFERENCE_DEMONSTRATION, &read.exchange,
                          batch, &made, err));
    return label ? import_json_flag(row, label, &made->good, err) : ERR_OK;
}

static bool recognise(const struct import_json_row *row, char out_why[IMPORT_WHY_BYTES]) {
    static const char *const keys[] = {"rejected_response", "rejected_messages", "label"};
    const char *first = import_json_find(row, "messages", "messages") ? "messages"
                        : import_json_find(row, "query", "query")     ? "query"
                                                                      : NULL;
    for (size_t i = 0; first && i < sizeof keys / sizeof keys[0]; i++) {
        if (import_json_find(row, keys[i], keys[i])) {
            (void)snprintf(out_why, IMPORT_WHY_BYTES, "the keys '%s' and '%s'", first, keys[i]);
            return true;
        }
    }
    if (first && import_json_find(row, "response", "response")) {
        (void)snprintf(out_why, IMPORT_WHY_BYTES, "the keys '%s' and 'response'", first);
        return true;
    }
    return false;
}

const struct import_format import_swift = {
    .name = "swift",
    .title = "ms-swift: messages, and rejected_response, rejected_messages or label",
    .container = IMPORT_JSON,
    .recognise_json = recognise,
    .read_json = read_row,
};
