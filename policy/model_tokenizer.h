/* model_tokenizer.h - the tokenizer that comes with a model, wherever its files keep it.
 *
 * Use:      SCOPED(tokenizer) struct tokenizer *tok = NULL;
 *           TRY(model_tokenizer_open("models/smollm2.gguf", &tok, err));
 * Sources:  a folder or tokenizer.json (data/tokenizer.h); the vocabulary inside a GGUF file; of a
 *           llama2.c file the tok*.bin beside it.
 * Threads:  no state.
 */
#ifndef POLICY_MODEL_TOKENIZER_H
#define POLICY_MODEL_TOKENIZER_H

#include "base/error.h"
#include "data/tokenizer.h"

/* `*out` is owned (tokenizer_close). */
ERR_NODISCARD enum err_code model_tokenizer_open(const char *path, struct tokenizer **out,
                                                 struct error *err);

#endif
