/* chat_encode.h - a conversation as token ids, and which of them a model learns to say. The one way
 * from messages to tokens: fine-tuning, reward models, sampling and evaluation all go through here.
 *
 * Use:      SCOPED(chat_tokens) struct chat_tokens tokens = CHAT_TOKENS_INIT;
 *           const struct chat_format format = {.tok = tok, .template = template,
 *                                              .tokens_max = 1024};
 *           TRY(chat_encode(&format, &(struct chat_turns){
 *                   .messages = messages, .count = 3, .response_from = 2}, &tokens, err));
 *           for (int64_t t = 0; t < tokens.count; t++) { use(tokens.ids[t], tokens.is_target[t]); }
 * Whole:    the text is rendered once and encoded once, so that tokens are those of
 *           apply_chat_template of transformers, also where a token reaches across two parts.
 * Special tokens are recognised in the template's own parts only: who types "<|im_end|>" into a
 *           prompt gets the text of it, and that is the one difference from transformers.
 * Targets:  tokens that hold any byte of a response: its content, the end that the model must say,
 *           and what leads from the generation prompt to the content.
 * Border:   where prompt and response share a token, or the prompt alone is encoded otherwise, what
 *           is learnt is not quite what will be asked. `border_moved` says so; count it.
 * BOS:      as the template writes it. Templates that nobody publishes as Jinja (alpaca,
 *           human-assistant) get the tokenizer's where it adds one. Two in front are refused.
 * EOS, PAD: an end of turn is one special token of the tokenizer, or the template is refused: the
 *           model could not stop. PAD is no part of this: lengths are counts, and no id is compared
 *           with PAD, so that a model whose PAD is its EOS learns to stop all the same.
 * Dropped:  bytes that leave no token are refused: what is learnt is what was said.
 * Too long: more than tokens_max is refused, unless cut_prompt is set: then the oldest tokens of
 * the prompt go, behind a BOS of the template's; `cut` says how many. Of a response nothing is ever
 * cut, and one token of the prompt stays. Threads:  no state; a format may be shared.
 */
#ifndef DATA_CHAT_ENCODE_H
#define DATA_CHAT_ENCODE_H

#include "base/error.h"
#include "data/chat_template.h"
#include "data/tokenizer.h"

#include <stdbool.h>
#include <stdint.h>

struct chat_format {
    const struct tokenizer *tok;          /* borrowed */
    const struct chat_template *template; /* static; chat_encode_text needs none */
    int64_t tokens_max;                   /* 0: as long as it is */
    bool cut_prompt;
};

/* Messages from response_from on are the response; with none, response_from == count, what asks for
 * one is encoded. */
struct chat_turns {
    const struct message *messages;
    int64_t count;
    int64_t response_from;
};

struct chat_tokens {
    int32_t *ids;    /* [count] */
    bool *is_target; /* [count] */
    int64_t count, capacity;
    int64_t prompt_count; /* tokens before the first target */
    int64_t target_count;
    int64_t cut;       /* tokens of the prompt that are not there */
    bool border_moved; /* see above */
};

#define CHAT_TOKENS_INIT \
    { .ids = NULL, .is_target = NULL, .count = 0, .capacity = 0 }

/* Replaces `out`; on failure it is empty.
 *   fails    as chat_template_render; ERR_DATA for a template whose end of turn this tokenizer does
 *            not know, and for two BOS; ERR_LIMIT for more than tokens_max, naming the numbers;
 *            ERR_OOM */
ERR_NODISCARD enum err_code chat_encode(const struct chat_format *format,
                                        const struct chat_turns *turns, struct chat_tokens *out,
                                        struct error *err);

/* A plain text: BOS where the tokenizer adds one, the text without special tokens, EOS where there
 * is one. All but BOS are targets. fails    ERR_LIMIT for more than tokens_max
 * (data/token_windows.h cuts texts into pieces); ERR_DATA for what is no UTF-8; ERR_OOM */
ERR_NODISCARD enum err_code chat_encode_text(const struct chat_format *format, const char *text,
                                             size_t bytes, struct chat_tokens *out,
                                             struct error *err);

/* The token that ends an answer: where generation stops. Often, not always, tokenizer_eos.
 *   fails    ERR_DATA as above */
ERR_NODISCARD enum err_code chat_stop_id(const struct chat_format *format, int32_t *out_id,
                                         struct error *err);

/* The template named, or the one that the tokenizer brings, where `name` is NULL.
 *   fails    as chat_template_of_name and chat_template_recognise */
ERR_NODISCARD enum err_code chat_template_choose(const char *name, const struct tokenizer *tok,
                                                 const struct chat_template **out,
                                                 struct error *err);

void chat_tokens_deinit(struct chat_tokens *tokens);

static inline void chat_tokens_scoped_end(struct chat_tokens *tokens) {
    chat_tokens_deinit(tokens);
}

#endif
