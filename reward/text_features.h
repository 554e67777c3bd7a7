/* text_features.h - texts as bags of words: what the baselines read, and nothing more.
 *
 * Use:      SCOPED(text_features) struct text_features *features = NULL;
 *           TRY(text_features_new(&features, err));
 *           for (...) { TRY(text_features_add(features, text, bytes, err)); }
 *           const struct text_matrix x = text_features_matrix(features);
 * Features: the natural logarithm of 1 + count of every word, mark and pair of neighbours. A word
 *           is a run of letters, digits and underscores, A to Z in lower case; every other visible
 *           character is a mark by itself.
 * Owns:     the matrix; borrowed until the next row is added.
 * Threads:  one.
 */
#ifndef REWARD_TEXT_FEATURES_H
#define REWARD_TEXT_FEATURES_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct text_features;

struct text_entry {
    int32_t column; /* in [0, F) */
    float value;
};

/* Sparse, by rows. Legend: N texts, F features, Z entries. */
struct text_matrix {
    int64_t row_count;                /* N */
    int64_t feature_count;            /* F */
    const int64_t *starts;            /* [N + 1] */
    const struct text_entry *entries; /* [Z] in a row by first appearance, no column twice */
    const int64_t *lengths;           /* [N] code points of the text */
};

/* `*out_features` is owned. */
ERR_NODISCARD enum err_code text_features_new(struct text_features **out_features,
                                              struct error *err);
void text_features_free(struct text_features *features);

/* One more row; `text` is UTF-8. ERR_LIMIT beyond 2^31 - 1 features; after any failure the object
 * can only be freed. */
ERR_NODISCARD enum err_code text_features_add(struct text_features *features, const char *text,
                                              size_t bytes, struct error *err);

struct text_matrix text_features_matrix(const struct text_features *features);

static inline void text_features_scoped_end(struct text_features **features) {
    text_features_free(*features);
}

#endif
