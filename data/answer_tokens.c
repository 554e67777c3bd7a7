/* answer_tokens.c - see answer_tokens.h. */
#include "data/answer_tokens.h"

#include "base/utf8.h"

enum err_code answer_tokens_encode(const struct chat_format *format,
                                   const struct preference_prompt *prompt,
                                   const struct preference_response *response,
                                   struct answer_tokens *out, struct error *err) {
    if (prompt->kind == PROMPT_ITEMS) {
        char excerpt[UTF8_EXCERPT_BYTES];
        return err_set(err, ERR_DATA,
                       "'%s' is a set of items without texts, which a language model cannot read",
                       utf8_excerpt(prompt->text.bytes, prompt->text.count, excerpt));
    }
    TRY(conversation_join(&out->conversation, prompt, response, err));
    const struct chat_turns turns = conversation_turns(&out->conversation);
    return chat_encode(format, &turns, &out->tokens, err);
}

void answer_tokens_deinit(struct answer_tokens *answer) {
    conversation_deinit(&answer->conversation);
    chat_tokens_deinit(&answer->tokens);
}
