/* token_split.h - cuts a text into the words that are merged: the pre-tokenisers, in order.
 *
 * Use:      TRY(token_splits_new(spec->splitters, spec->splitter_count, &splits, err));
 *           struct token_words words = TOKEN_WORDS_INIT;
 *           TRY(token_splits_cut(splits, &text, &words, err));
 *           for (int64_t i = 0; i < words.count; i++) {
 *               use(&words.text, words.spans[i]);
 *           }
 * Patterns: well-known ones are scanned by hand (data/token_scan.h), others by PCRE2.
 * Owns:     words own their spans, and the text where a splitter changed it; reset keeps both.
 * Threads:  splits serve many threads at once; words belong to their caller.
 */
#ifndef DATA_TOKEN_SPLIT_H
#define DATA_TOKEN_SPLIT_H

#include "base/error.h"
#include "data/token_text.h"
#include "data/tokenizer_spec.h"

#include <stdbool.h>
#include <stdint.h>

struct token_splits;

/* Fails with ERR_OOM, and ERR_DATA for a pattern that PCRE2 does not take. */
ERR_NODISCARD enum err_code token_splits_new(const struct token_splitter *splitters, int64_t count,
                                             struct token_splits **out, struct error *err);
void token_splits_free(struct token_splits *splits);

/* Whether tokens are spelt in the alphabet of bytes. */
bool token_splits_is_byte_level(const struct token_splits *splits);

struct token_words {
    struct token_text text;
    struct token_span *spans; /* of `text`, none empty */
    int64_t count, capacity;
    /* For the next step: */
    struct token_span *before;
    int64_t before_count, before_capacity;
    struct token_edit edits[2]; /* `text` may stand in either */
};

#define TOKEN_WORDS_INIT                                                             \
    {                                                                                \
        .spans = NULL, .count = 0, .capacity = 0, .before = NULL, .before_count = 0, \
        .before_capacity = 0, .edits = {                                             \
            TOKEN_EDIT_INIT,                                                         \
            TOKEN_EDIT_INIT                                                          \
        }                                                                            \
    }

void token_words_deinit(struct token_words *words);

/* Replaces `words` by those of `text`, which is borrowed as long as they are used.
 *   fails    ERR_OOM; ERR_LIMIT where a pattern takes too long; ERR_DATA for text whose characters
 *            are too new for PCRE2 and a pattern that must know them */
ERR_NODISCARD enum err_code token_splits_cut(const struct token_splits *splits,
                                             const struct token_text *text,
                                             struct token_words *words, struct error *err);

static inline void token_splits_scoped_end(struct token_splits **variable) {
    token_splits_free(*variable);
}

static inline void token_words_scoped_end(struct token_words *words) {
    token_words_deinit(words);
}

#endif
