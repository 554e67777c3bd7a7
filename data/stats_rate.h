/* stats_rate.h - rates and other numbers of a log with their intervals.
 *
 * Use:      SCOPED(stats_tally) struct stats_tally tally = STATS_TALLY_INIT;
 *           TRY(stats_tally_init(&tally, set->block_count, err));
 *           stats_tally_add(&tally, block, is_hit, weight);
 *           struct stats_rate rate = stats_tally_rate(&tally);
 * Method:   Wilson's interval, 95 %. Judgements on one prompt are not independent, so from
 *           STATS_CLUSTERS_MIN prompts on the number of trials is divided by the design effect: the
 *           variance of the ratio between prompts (Cochran 1977, Sampling Techniques, 3rd ed., eq.
 *           6.13, without finite population correction) over p (1 - p) / n, at least 1. With one
 *           judgement a prompt this is Wilson's interval itself, up to n / (n - 1).
 * Owns:     a tally its arrays.
 * Threads:  no state.
 */
#ifndef DATA_STATS_RATE_H
#define DATA_STATS_RATE_H

#include "base/error.h"

#include <stdint.h>

#define STATS_CLUSTERS_MIN 10
#define STATS_Z            1.959963984540054 /* normal_quantile(0.975) */

struct stats_rate {
    double hits, trials;  /* sums of weights: judgements */
    double rate;          /* NaN without trials */
    double low, high;     /* 95 % */
    int64_t clusters;     /* prompts with trials */
    double design_effect; /* 1: as good as independent */
};

struct stats_tally {
    double *hits, *trials; /* [clusters] */
    int64_t clusters;
};

#define STATS_TALLY_INIT \
    { .hits = NULL, .trials = NULL, .clusters = 0 }

ERR_NODISCARD enum err_code stats_tally_init(struct stats_tally *tally, int64_t clusters,
                                             struct error *err);
void stats_tally_deinit(struct stats_tally *tally);

static inline void stats_tally_add(struct stats_tally *tally, int64_t cluster, double hits,
                                   double trials) {
    tally->hits[cluster] += hits;
    tally->trials[cluster] += trials;
}

struct stats_rate stats_tally_rate(const struct stats_tally *tally);

/* Of independent trials. */
struct stats_rate stats_rate_of(double hits, double trials);

/* ---- bootstrap of sums over clusters ---- */

#define STATS_SUMS_MAX       5
#define STATS_REPLICATES_MAX 999

/* A number computed from sums over all clusters; NaN where it has no value. */
typedef double (*stats_statistic)(const double sums[STATS_SUMS_MAX]);

struct stats_bootstrap {
    const double *sums; /* [clusters][STATS_SUMS_MAX] */
    int64_t clusters;
    uint64_t seed;
    int64_t stream; /* which statistic: parts it from others of that seed */
};

struct stats_estimate {
    double value;     /* NaN: there is none */
    double low, high; /* 95 %, percentiles of the replicates; NaN where not resampled */
    int64_t clusters;
    int64_t replicates; /* in which it had a value */
};

/* Resamples clusters, or, beyond 2,000 of them, groups of them (number modulo 2,000: the groups are
 * independent too, and their sums as good a basis at a fraction of the work). */
ERR_NODISCARD enum err_code stats_bootstrap_run(const struct stats_bootstrap *bootstrap,
                                                stats_statistic statistic,
                                                struct stats_estimate *out_estimate,
                                                struct error *err);

static inline void stats_tally_scoped_end(struct stats_tally *tally) {
    stats_tally_deinit(tally);
}

#endif
