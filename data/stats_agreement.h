/* stats_agreement.h - how far annotators agree, with each other and with themselves.
 *
 * Use:      struct stats_agreement agreement;
 *           TRY(stats_agreement_of_pairs(&set, &pairs, &options, &agreement, err));
 * Units:    a pair of items that two or more named annotators judged; of each, the first judgement
 *           that an annotator made on it. Judgements without an annotator, and weights, do not
 *           count here: two such rows may be one person.
 * Source:   Krippendorff 2019, Content Analysis, 4th ed., ch. 12: alpha = 1 - D_o / D_e over all
 *           values of units with two or more.
 * Pairs:    outcomes first, tie, second are nominal. Which item of a pair is called the first is
 *           arbitrary, and often the winner (of `chosen` and `rejected`), so D_e is taken in
 *           expectation over orientations drawn by fair coins: two judgements at random, n in all
 *           and t of them ties, differ with probability
 *               D_e = 1 - t (t - 1) / (n (n - 1)) - (n - t) (n - t - 1) / (2 n (n - 1))
 *           Deviation from the book: only that.
 * Ratings:  interval: squared differences. Ordinal: the same on mid-ranks, which is Krippendorff's
 *           ordinal metric; in its bootstrap the ranks stay those of the whole.
 * Interval: bootstrap of prompts, if STATS_CLUSTERS_MIN of them have units, else of units.
 * Threads:  no state.
 */
#ifndef DATA_STATS_AGREEMENT_H
#define DATA_STATS_AGREEMENT_H

#include "base/error.h"
#include "data/comparison_set.h"
#include "data/stats_pairs.h"
#include "data/stats_rate.h"

#include <stdbool.h>
#include <stdint.h>

struct stats_agreement_options {
    const bool *annotators; /* [A] whose judgements count; NULL: everybody's */
    uint64_t seed;
    int64_t stream; /* of the bootstrap: as many again are used as there are estimates */
};

struct stats_agreement {
    int64_t units;
    int64_t judgements;        /* of units */
    struct stats_estimate raw; /* share of pairs of judgements on a unit that agree */
    struct stats_estimate alpha;
    bool by_prompt;             /* what was resampled: prompts, or else units */
    struct stats_rate repeated; /* judging the same pair again, the same answer */
};

ERR_NODISCARD enum err_code stats_agreement_of_pairs(const struct comparison_set *set,
                                                     const struct stats_pairs *pairs,
                                                     const struct stats_agreement_options *options,
                                                     struct stats_agreement *out_agreement,
                                                     struct error *err);

/* Of each annotator, how often the majority of the others on a unit was of the same opinion; units
 * where the others are divided evenly do not count. Adds to agreed [A] and judged [A]. */
ERR_NODISCARD enum err_code stats_agreement_with_others(const struct comparison_set *set,
                                                        const struct stats_pairs *pairs,
                                                        double *agreed, double *judged,
                                                        struct error *err);

/* ---- ratings ---- */

struct stats_value {
    int64_t unit; /* what was rated; equal values stand together */
    int64_t cluster;
    double value;
};

struct stats_reliability {
    int64_t units;  /* with two values or more */
    int64_t values; /* of those */
    struct stats_estimate interval, ordinal;
};

/* `values` by unit; they stay as they are. */
ERR_NODISCARD enum err_code stats_agreement_of_values(const struct stats_value *values,
                                                      int64_t count, uint64_t seed, int64_t stream,
                                                      struct stats_reliability *out_reliability,
                                                      struct error *err);

#endif
