/* stats_pairs.h - every judgement on two items, in the order of the items: what agreement,
 * transitivity and tests of fit read.
 *
 * Use:      SCOPED(stats_pairs) struct stats_pairs pairs = STATS_PAIRS_INIT;
 *           TRY(stats_pairs_init(&pairs, &set, seed, err));
 *           for (int64_t begin = 0; begin < pairs.count;) {
 *               int64_t end = stats_pairs_end(&pairs, begin);   // one pair of items
 *               ...
 *               begin = end;
 *           }
 * Order:    by low item, high item, and comparison.
 * Limit:    a ranking of k has k (k - 1) / 2 pairs. Where all of them would be more than
 *           STATS_PAIRS_MAX, long rankings enter with `item_cap` of their items, drawn by a keyed
 *           generator, so that nothing about the items decides who is drawn.
 * Owns:     its array.
 * Threads:  no state.
 */
#ifndef DATA_STATS_PAIRS_H
#define DATA_STATS_PAIRS_H

#include "base/error.h"
#include "data/comparison_set.h"

#include <stdint.h>

#define STATS_PAIRS_MAX (INT64_C(1) << 22)

struct stats_pair {
    int32_t low, high;  /* items, low < high */
    int32_t comparison; /* number in the set */
    int8_t outcome;     /* 1: low is better; -1: high is; 0: a tie */
    int8_t first;       /* 1: low was shown first; -1: high was; 0: not known */
};

struct stats_pairs {
    struct stats_pair *pairs;
    int64_t count;
    int64_t item_cap; /* of longer rankings only so many items entered; 0: all entered whole */
    int64_t capped;   /* comparisons that did not */
};

#define STATS_PAIRS_INIT \
    { .pairs = NULL, .count = 0 }

/*   fails  ERR_LIMIT beyond 2^31 - 1 comparisons; ERR_OOM */
ERR_NODISCARD enum err_code stats_pairs_init(struct stats_pairs *pairs,
                                             const struct comparison_set *set, uint64_t seed,
                                             struct error *err);
void stats_pairs_deinit(struct stats_pairs *pairs);

/* One past the last judgement on the same two items as that at `begin`. */
static inline int64_t stats_pairs_end(const struct stats_pairs *pairs, int64_t begin) {
    const struct stats_pair *p = pairs->pairs;
    int64_t end = begin + 1;
    while (end < pairs->count && p[end].low == p[begin].low && p[end].high == p[begin].high) {
        end++;
    }
    return end;
}

/* Whether members a and b of comparison c were compared with each other; of a last rank that was
 * not looked into, two are not. */
static inline bool stats_pairs_compared(const struct comparison_set *set, int64_t c, int64_t a,
                                        int64_t b) {
    return !(set->last_unordered && set->last_unordered[c] && set->ranks[a] == set->ranks[b] &&
             set->ranks[a] == set->ranks[set->starts[c + 1] - 1]);
}

static inline void stats_pairs_scoped_end(struct stats_pairs *pairs) {
    stats_pairs_deinit(pairs);
}

#endif
