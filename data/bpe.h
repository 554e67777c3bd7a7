/* bpe.h - byte-pair encoding of one word: the vocabulary, the merges, and the merging.
 *
 * Use:      TRY(bpe_new(&spec, is_byte_level, &bpe, err));
 *           TRY(bpe_encode(bpe, &text, word, &tokens, err));
 * Source:   Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units":
 *           again and again the neighbours of best rank are merged, the leftmost first. Radford et
 *           al. 2019: on bytes instead of characters.
 * Oracle:   the BPE model of the tokenizers library.
 * Cost:     of a word of n bytes O(n log n); one that is a token by itself, as most are, one
 *           look-up, once it is known that merging gives just that token.
 * Threads:  one bpe serves many threads; what is remembered about a token is one atomic byte, and
 *           the same whoever writes it.
 */
#ifndef DATA_BPE_H
#define DATA_BPE_H

#include "base/error.h"
#include "data/token_list.h"
#include "data/token_text.h"
#include "data/tokenizer_spec.h"

#include <stdbool.h>
#include <stdint.h>

struct bpe;

/* Words are bytes whose tokens are spelt in the alphabet of bytes if `is_byte_level`, else
 * characters. `spec` is borrowed for the call.
 *   fails    ERR_OOM; ERR_DATA for a merge of or into what is no token, a token that stands twice,
 *            an incomplete set of "<0x..>" */
ERR_NODISCARD enum err_code bpe_new(const struct tokenizer_spec *spec, bool is_byte_level,
                                    struct bpe **out, struct error *err);
void bpe_free(struct bpe *bpe);

/* Appends the tokens of a word, a span of `text` that is not empty. */
ERR_NODISCARD enum err_code bpe_encode(const struct bpe *bpe, const struct token_text *text,
                                       struct token_span word, struct token_list *out,
                                       struct error *err);

static inline void bpe_scoped_end(struct bpe **variable) {
    bpe_free(*variable);
}

#endif
