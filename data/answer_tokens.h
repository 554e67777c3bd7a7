/* answer_tokens.h - a prompt and an answer to it as the tokens that a reward model reads.
 *
 * Use:      SCOPED(answer_tokens) struct answer_tokens answer = ANSWER_TOKENS_INIT;
 *           TRY(answer_tokens_encode(&format, &prompt, &response, &answer, err));
 *           use(answer.tokens.ids, answer.tokens.count);
 * Text:     the conversation in the chat template, over: the end of the turn is there, and what the
 *           template puts behind it. The score is read at the last token, so training, scoring and
 *           whoever applies the template in transformers read it at the same one.
 * Owns:     its arrays, used again for the next answer.
 * Threads:  no state.
 */
#ifndef DATA_ANSWER_TOKENS_H
#define DATA_ANSWER_TOKENS_H

#include "base/error.h"
#include "data/chat_encode.h"
#include "data/conversation.h"

struct answer_tokens {
    struct conversation conversation;
    struct chat_tokens tokens;
};

#define ANSWER_TOKENS_INIT \
    { .conversation = CONVERSATION_INIT, .tokens = CHAT_TOKENS_INIT }

/* Replaces `out->tokens`; `format` has a template.
 *   fails    ERR_DATA for a set of items without texts; as chat_encode */
ERR_NODISCARD enum err_code answer_tokens_encode(const struct chat_format *format,
                                                 const struct preference_prompt *prompt,
                                                 const struct preference_response *response,
                                                 struct answer_tokens *out, struct error *err);
void answer_tokens_deinit(struct answer_tokens *answer);

static inline void answer_tokens_scoped_end(struct answer_tokens *answer) {
    answer_tokens_deinit(answer);
}

#endif
