/* model_tokenizer.h - the tokenizer that comes with a model, wherever its files keep it.
 *
 * Use:      SCOPED(tokenizer) struct tokenizer *tok = NULL;
 *           TRY(model_tokenizer_open("models/smollm2.gguf", &tok, err));
 * Sources:  a folder or tokenizer.json (data/tokenizer.h); the vocabulary inside a GGUF file; of a
 *           llama2.c file the tokenizer.bin or tok512.bin beside it.
 * Threads:  no state.
 */
#ifndef POLICY_MODEL_TOKENIZER_H
#define POLICY_MODEL_TOKENIZER_H

#include "base/error.h"
#include "data/tokenizer.h"
#include "policy/model_config.h"

/* `*out` is owned (tokenizer_close).
 *   fails    ERR_DATA naming what is not understood, and where none is found; ERR_IO; ERR_OOM */
ERR_NODISCARD enum err_code model_tokenizer_open(const char *path, struct tokenizer **out,
                                                 struct error *err);

/* Whether the model embeds every token; it may embed more, since vocabularies are padded.
 *   fails    ERR_DATA where it does not: the two do not belong together */
ERR_NODISCARD enum err_code model_tokenizer_check(const struct tokenizer *tokenizer,
                                                  const struct model_config *config,
                                                  struct error *err);

#endif
