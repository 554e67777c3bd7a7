/* token_normalize.h - the normalisers of a tokenizer, in order.
 *
 * Use:      TRY(token_normalize(spec->normalizers, spec->normalizer_count, edits, &text, err));
 * Source:   the tokenizers library, places included: what is prepended stands at the first
 *           character, what replaces at the last of those replaced.
 * Threads:  no state.
 */
#ifndef DATA_TOKEN_NORMALIZE_H
#define DATA_TOKEN_NORMALIZE_H

#include "base/error.h"
#include "data/token_text.h"
#include "data/tokenizer_spec.h"

#include <stdint.h>

/* Replaces `*text` by its normal form, which may stand in either of `edits`; unchanged text stays
 * what it is. */
ERR_NODISCARD enum err_code token_normalize(const struct token_normalizer *normalizers,
                                            int64_t count, struct token_edit edits[2],
                                            struct token_text *text, struct error *err);

#endif
