/* stats_transitivity.h - whether the majority's judgements can be put into an order.
 *
 * Use:      struct stats_transitivity t;
 *           TRY(stats_transitivity_of(&set, &pairs, seed, &t, err));
 * Majority: of two items, the one with more weight of judgements; equal weights are a tie.
 * Triples:  of items of one prompt with all three pairs judged. One is cyclic if a beats b, b beats
 *           c and c beats a; intransitive if it is no weak order: cyclic, or such as a beats b, b
 *           ties with c, c beats or ties with a. A single ranking, ties included, has neither.
 * Source:   Kendall and Babington Smith 1940: in a complete tournament of n items without ties the
 *           cyclic triples are C(n, 3) - sum over items of C(wins, 2), at most (n^3 - n) / 24 for
 *           odd n and (n^3 - 4 n) / 24 for even n; zeta is 1 minus their ratio.
 * Cost:     a tournament by that formula; else the triangles of the graph of judged pairs, by
 *           intersection of neighbour lists. Where that would take more than about a second, pairs
 *           are drawn by a keyed generator with probability `sampled` and the counts scaled up.
 * Threads:  no state.
 */
#ifndef DATA_STATS_TRANSITIVITY_H
#define DATA_STATS_TRANSITIVITY_H

#include "base/error.h"
#include "data/comparison_set.h"
#include "data/stats_pairs.h"

#include <stdint.h>

struct stats_transitivity {
    int64_t pairs;       /* of items that were judged */
    int64_t tied_pairs;  /* by the majority */
    double triples;      /* estimated where sampled */
    double cyclic;       /* likewise */
    double intransitive; /* likewise; cyclic ones included */
    double sampled;      /* 1: all were counted */
    int64_t tournaments; /* prompts of three items or more, every pair judged, none tied */
    double zeta;         /* 1: no cycles; 0: as many as can be; over all tournaments; NaN: none */
};

ERR_NODISCARD enum err_code stats_transitivity_of(const struct comparison_set *set,
                                                  const struct stats_pairs *pairs, uint64_t seed,
                                                  struct stats_transitivity *out_transitivity,
                                                  struct error *err);

#endif
