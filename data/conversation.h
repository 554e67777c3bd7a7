/* conversation.h - a prompt and an answer to it as one list of messages: what templates are given.
 *
 * Use:      SCOPED(conversation) struct conversation conversation = CONVERSATION_INIT;
 *           TRY(conversation_join(&conversation, &prompt, &response, err));
 *           const struct chat_turns turns = conversation_turns(&conversation);
 * Roles:    a prompt that is text is the user's, an answer that is text the assistant's; messages
 *           stay as they are.
 * Owns:     the list; the texts are borrowed.
 * Threads:  no state.
 */
#ifndef DATA_CONVERSATION_H
#define DATA_CONVERSATION_H

#include "base/error.h"
#include "data/chat_encode.h"
#include "data/preference.h"

struct conversation {
    struct message *messages; /* [count] */
    int64_t count, capacity;
    int64_t response_from; /* messages from this one on are the answer */
};

#define CONVERSATION_INIT \
    { .messages = NULL }

/* Replaces what was there.
 *   fails    ERR_OOM */
ERR_NODISCARD enum err_code conversation_join(struct conversation *conversation,
                                              const struct preference_prompt *prompt,
                                              const struct preference_response *response,
                                              struct error *err);

static inline struct chat_turns conversation_turns(const struct conversation *conversation) {
    return (struct chat_turns){.messages = conversation->messages,
                               .count = conversation->count,
                               .response_from = conversation->response_from};
}

void conversation_deinit(struct conversation *conversation);

static inline void conversation_scoped_end(struct conversation *conversation) {
    conversation_deinit(conversation);
}

#endif
