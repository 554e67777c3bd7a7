/* added_tokens.h - the tokens that are cut out of a text before anything else.
 *
 * Use:      TRY(added_set_new(&set, tokens, texts, count, err));
 *           struct added_cut cut;
 *           struct added_search search = {.text = bytes, .count = n, .as_text = false};
 *           while (added_set_next(set, &search, &cut)) { use [cut.begin, cut.end) }
 * Rules:    those of the tokenizers library: the leftmost, and of these the longest; a match that
 *           is refused (single_word, special as text) still uses up its text.
 * Owns:     a set copies the texts and flags.
 * Threads:  a set is read-only; a search belongs to its caller.
 */
#ifndef DATA_ADDED_TOKENS_H
#define DATA_ADDED_TOKENS_H

#include "base/error.h"
#include "data/text_span.h"
#include "data/tokenizer_spec.h"

#include <stdbool.h>
#include <stdint.h>

struct added_set;

/* `texts[i]` is what token i is looked for as: its own text, or that normalised; a token without is
 * never found. Of equal texts the first special one counts, else the first. NULL arrays when
 * `count` is 0. */
ERR_NODISCARD enum err_code added_set_new(const struct added_token *tokens,
                                          const struct text_span *texts, int64_t count,
                                          struct added_set **out, struct error *err);
void added_set_free(struct added_set *set);

struct added_search {
    const char *text; /* borrowed, checked UTF-8 */
    uint32_t count;
    bool as_text; /* special tokens are text like any other */
    /* Whether a special token may lie at bytes [begin, end) of the text; one that may not is passed
     * over as if it were not there. NULL: anywhere. */
    bool (*allows)(const void *context, uint32_t begin, uint32_t end);
    const void *context;
    uint32_t at;        /* where the search goes on */
    uint32_t free_from; /* end of the last cut */
};

struct added_cut {
    int32_t id;
    uint32_t begin, end; /* with the blanks that belong to it */
};

bool added_set_next(const struct added_set *set, struct added_search *search,
                    struct added_cut *out);

static inline void added_set_scoped_end(struct added_set **variable) {
    added_set_free(*variable);
}

#endif
