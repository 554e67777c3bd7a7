/* reward_pad.h - the PAD of a reward model.
 *
 * Use:      TRY(reward_pad_choose(tokenizer, eos, eos_count, &tokens, &pad, err));
 * Why:      transformers reads a score at the last token whose id is not PAD, in unpadded rows too:
 *           where PAD is EOS, as in most models, it reads one token too early (trl#937). Here the
 *           score is read by length; the PAD that is saved must let both find the same token.
 * Threads:  no state.
 */
#ifndef TRAINER_REWARD_PAD_H
#define TRAINER_REWARD_PAD_H

#include "base/error.h"
#include "data/token_set.h"
#include "data/tokenizer.h"

/* The tokenizer's own PAD where it ends no text, else a special token that does not, else the last
 * token of the vocabulary that none of `texts` has.
 *   eos    [eos_count] ids that end texts by the model's files
 *   fails  ERR_DATA where no token is left; ERR_OOM */
ERR_NODISCARD enum err_code reward_pad_choose(const struct tokenizer *tokenizer, const int64_t *eos,
                                              int64_t eos_count, const struct token_set *texts,
                                              int32_t *out_pad, struct error *err);

#endif
