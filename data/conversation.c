/* conversation.c - see conversation.h. */
#include "data/conversation.h"

#include "base/array.h"
#include "base/mem.h"

#include <string.h>

static int64_t put_messages(struct message *to, const char *role, const struct text_span *text,
                            const struct message *messages, int64_t count) {
    if (count == 0) {
        *to = (struct message){text_span_of(role), *text};
        return 1;
    }
    memcpy(to, messages, (size_t)count * sizeof *to);
    return count;
}

enum err_code conversation_join(struct conversation *conversation,
                                const struct preference_prompt *prompt,
                                const struct preference_response *response, struct error *err) {
    TRY(array_reserve(ARRAY_REF(conversation->messages), &conversation->capacity,
                      prompt->message_count + response->message_count + 2,
                      "messages of a conversation", err));
    const int64_t from =
        put_messages(conversation->messages, "user", &prompt->text, prompt->messages,
                     prompt->kind == PROMPT_CHAT ? prompt->message_count : 0);
    const int64_t count = put_messages(conversation->messages + from, "assistant", &response->text,
                                       response->messages, response->message_count);
    conversation->response_from = from;
    conversation->count = from + count;
    return ERR_OK;
}

void conversation_deinit(struct conversation *conversation) {
    mem_free(conversation->messages);
    *conversation = (struct conversation)CONVERSATION_INIT;
}
