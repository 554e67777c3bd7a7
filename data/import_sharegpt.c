/* import_sharegpt.c - conversations of from and value, as LLaMA-Factory and others read them.
 *
 * Keys:     conversations (or messages), system; and then
 *             chosen, rejected   one message each, or text: a comparison of two answers
 *             kto_tag            the last message, an answer, is good or bad
 *             nothing            a demonstration; a prompt if no answer is last
 * Source:   LLaMA-Factory 0.9.5, data/converter.py, SharegptDatasetConverter.
 * Threads:  no state.
 */
#include "data/import_columns.h"
#include "data/import_format.h"
#include "data/import_messages.h"

#include <stdio.h>

static const struct json_node *find_turns(const struct import_json_row *row) {
    const struct json_node *node = import_json_find(row, "messages", "conversations");
    return node ? node : import_json_find(row, "messages", "messages");
}

/* An object is a message, a string its content, a list the turns of the answer. */
static enum err_code read_answer(const struct import_json_row *row, const struct json_node *node,
                                 struct import_batch *batch, struct import_content *out,
                                 struct error *err) {
    if (json_kind_of(node) != JSON_KIND_OBJECT) {
        return import_content_read(row, node, batch, out, err);
    }
    struct message *message = NULL;
    TRY(import_batch_messages(batch, 1, &message, err));
    TRY(import_message_read(row, node, message, err));
    *out = (struct import_content){.messages = message, .message_count = 1};
    return ERR_OK;
}

static enum err_code read_pair(const struct import_json_row *row, const struct json_node *turns,
                               const struct import_content *prompt, struct import_batch *batch,
                               struct error *err) {
    if (import_content_ends_answered(prompt)) {
        return json_refuse(row->doc, turns, err,
                           "the last message is the assistant's: expected the question that "
                           "'chosen' and 'rejected' answer");
    }
    struct import_pair pair = {.prompt = *prompt};
    const struct json_node *node = NULL;
    TRY(import_json_need(row, "chosen", "chosen", "the better answer", &node, err));
    TRY(read_answer(row, node, batch, &pair.chosen, err));
    TRY(import_json_need(row, "rejected", "rejected", "the worse answer", &node, err));
    TRY(read_answer(row, node, batch, &pair.rejected, err));
    struct import_columns columns;
    TRY(import_columns_read(row, batch, &columns, err));
    return import_pair_add(row, &pair, &columns, batch, err);
}

static enum err_code read_row(void *state, const struct import_json_row *row,
                              struct import_batch *batch, struct error *err) {
    (void)state;
    TRY(import_json_refuse_media(row, err));
    const struct json_node *turns = find_turns(row);
    if (!turns) {
        TRY(import_json_need(row, "messages", "conversations", "a list of turns", &turns, err));
    }
    struct text_span system = TEXT_SPAN_NONE;
    struct import_content whole = {.message_count = 0};
    TRY(import_json_find_text(row, "system", &system, err));
    TRY(import_conversation_read(row, turns, &system, batch, &whole, err));
    if (import_json_find(row, "chosen", "chosen") ||
        import_json_find(row, "rejected", "rejected")) {
        return read_pair(row, turns, &whole, batch, err);
    }
    struct preference *made = NULL;
    struct import_exchange exchange = {.prompt = whole};
    const struct json_node *tag = import_json_find(row, "kto_tag", "kto_tag");
    if (!tag && !import_content_ends_answered(&whole)) {
        return import_answer_add(row, PREFERENCE_PROMPT, &exchange, batch, &made, err);
    }
    TRY(import_answer_split(row, turns, &whole, &exchange, err));
    TRY(import_answer_add(row, tag ? PREFERENCE_LABEL : PREFERENCE_DEMONSTRATION, &exchange, batch,
                          &made, err));
    return tag ? import_json_flag(row, tag, &made->good, err) : ERR_OK;
}

static bool recognise(const struct import_json_row *row, char out_why[IMPORT_WHY_BYTES]) {
    if (import_is_conversation(row, json_find(row->doc, row->node, "conversations"))) {
        (void)snprintf(out_why, IMPORT_WHY_BYTES, "the key 'conversations' holds turns");
        return true;
    }
    const char *beside = import_json_find(row, "chosen", "chosen")     ? "chosen"
                         : import_json_find(row, "kto_tag", "kto_tag") ? "kto_tag"
                                                                       : NULL;
    if (beside && import_is_conversation(row, json_find(row->doc, row->node, "messages"))) {
        (void)snprintf(out_why, IMPORT_WHY_BYTES,
                       "the key 'messages' holds turns, and there is a '%s'", beside);
        return true;
    }
    return false;
}

const struct import_format import_sharegpt = {
    .name = "sharegpt",
    .title = "ShareGPT, also LLaMA-Factory's: conversations of from and value, chosen, rejected",
    .container = IMPORT_JSON,
    .recognise_json = recognise,
    .read_json = read_row,
};
