/* minhash.h - how alike two texts are: sets of shingles, their Jaccard index, and sketches that
 * estimate it without the texts.
 *
 * Use:      SCOPED(shingle_set) struct shingle_set left = SHINGLE_SET_INIT, right = ...;
 *           TRY(shingle_set_read(&left, bytes, count, err));
 *           ...
 *           double exact = shingle_set_jaccard(&left, &right);
 *
 *           struct minhash sketch = minhash_of(&left);
 *           double estimate = minhash_jaccard(&sketch, &other);
 * Shingles: three words in a row (data/text_fold.h: case, blanks and punctuation do not count); a
 *           text of fewer words is one shingle, one without words has none.
 * Source:   Dahlgaard, Knudsen, Thorup 2017, "Fast Similarity Sketching" (arXiv 1704.04370): every
 *           bin of the sketch is filled, however small the set, in O(n + t log t) time, and the
 *           estimate has expectation J and at most the variance J (1 - J) / t of t independent
 *           minima.
 * Threads:  no state; a set belongs to its caller.
 */
#ifndef DATA_MINHASH_H
#define DATA_MINHASH_H

#include "base/error.h"
#include "base/scoped.h"

#include <stddef.h>
#include <stdint.h>

#define SHINGLE_WORDS 3
#define MINHASH_BINS  128 /* a power of two; the estimate's standard error is below 0.045 */

struct shingle_set {
    uint64_t *hashes; /* [count] ascending, each once; owned */
    int64_t count, capacity;
};

#define SHINGLE_SET_INIT \
    { .hashes = NULL, .count = 0, .capacity = 0 }

struct minhash {
    uint32_t bins[MINHASH_BINS]; /* of an empty set all UINT32_MAX */
};

void shingle_set_deinit(struct shingle_set *set);

/* Replaces the set by that of a text; on failure it is empty. */
ERR_NODISCARD enum err_code shingle_set_read(struct shingle_set *set, const char *bytes,
                                             size_t count, struct error *err);

/* |both| / |either|; 0 if either is empty. */
double shingle_set_jaccard(const struct shingle_set *left, const struct shingle_set *right);

struct minhash minhash_of(const struct shingle_set *set);

/* Share of bins that agree. */
double minhash_jaccard(const struct minhash *left, const struct minhash *right);

static inline void shingle_set_scoped_end(struct shingle_set *set) {
    shingle_set_deinit(set);
}

#endif
