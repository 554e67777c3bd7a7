/* stats_bias.h - ties, and what should not decide who wins but may: the order shown, the length.
 *
 * Use:      struct stats_bias bias;
 *           TRY(stats_bias_of(&set, &pairs, lengths, &bias, err));
 * Counts:   are sums of weights: a row that stands for five judgements counts five times; a ranking
 *           of k is all its pairs.
 * Position: P(the item shown first wins | strict), over pairs whose order shown is known. Ties are
 *           left out of it. With sports, shown first means at home.
 * Length:   in characters (code points). P(the longer wins | strict, lengths differ). The
 *           correlation is that of the length difference with winning, over each pair seen from
 *           both its sides, which makes both means zero: sum d / sqrt(n sum d^2), with d winner
 *           minus loser.
 * Threads:  no state.
 */
#ifndef DATA_STATS_BIAS_H
#define DATA_STATS_BIAS_H

#include "base/error.h"
#include "data/comparison_set.h"
#include "data/stats_pairs.h"
#include "data/stats_rate.h"

#include <stdint.h>

#define STATS_LENGTH_UNKNOWN (-1)

/* 0; then 1, 2, 5, 10, 20, 50, ...: bins of nearly equal width in the logarithm. */
#define STATS_LENGTH_BINS 23

enum stats_length_side {
    STATS_LENGTH_ALL,
    STATS_LENGTH_CHOSEN,
    STATS_LENGTH_REJECTED,
    STATS_SIDES
};

/* Of all responses, each once; of the winners (losers) of strict pairs, once a pair. */
struct stats_length_summary {
    double count;
    double mean, median; /* characters; NaN without any */
    double bins[STATS_LENGTH_BINS];
};

struct stats_bias {
    double strict, tied; /* pairs */
    struct stats_rate ties;
    struct stats_rate first; /* of strict pairs with the order known */
    double first_tied;       /* ties with the order known, left out */
    struct stats_rate longer;
    double equal_length;           /* strict pairs of equal length, left out */
    double length_correlation;     /* NaN without strict pairs of different length */
    double log_length_correlation; /* of log(1 + length) */
    struct stats_length_summary lengths[STATS_SIDES];
};

/* `lengths` [I] in characters, or STATS_LENGTH_UNKNOWN. */
ERR_NODISCARD enum err_code stats_bias_of(const struct comparison_set *set,
                                          const struct stats_pairs *pairs, const int64_t *lengths,
                                          struct stats_bias *out_bias, struct error *err);

/* First length of a bin; that of the next is where it ends. */
int64_t stats_length_bin_begin(int64_t bin);

/* ---- the same for parts of the comparisons ---- */

struct stats_part {
    double comparisons;  /* rows */
    double strict, tied; /* pairs that entered (stats_pairs.h) */
    double first_hits, first_trials;
    double longer_hits, longer_trials;
};

/* Adds to parts[part_of[c]] what comparison c says; part_of[c] < 0 is left out. */
void stats_bias_by_part(const struct comparison_set *set, const struct stats_pairs *pairs,
                        const int64_t *lengths, const int32_t *part_of, struct stats_part *parts);

#endif
