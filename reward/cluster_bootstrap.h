/* cluster_bootstrap.h - how far figures would scatter if other prompts had been asked: resamples of
 * sums over whole clusters.
 *
 * Use:      SCOPED(cluster_sums) struct cluster_sums sums = CLUSTER_SUMS_INIT;
 *           TRY(cluster_sums_init(&sums, is_used, cluster_count, COLUMNS, seed, err));
 *           for (...) {
 *               cluster_sums_add(&sums, pair->cluster, CORRECT, 1.0);
 *               cluster_sums_add(&sums, pair->cluster, DECIDED, 1.0);
 *           }
 *           SCOPED(mem) double *resamples = NULL;
 *           TRY(cluster_sums_resample(&sums, seed, &resamples, err));
 *           for (int64_t b = 0; b < CLUSTER_RESAMPLES; b++) {
 *               ratios[b] = resamples[b * COLUMNS + CORRECT] / resamples[b * COLUMNS + DECIDED];
 *           }
 * Method:   a resample draws as many clusters as there are, with replacement, and adds up the sums
 *           of those drawn; so any figure made of sums has an interval, and figures of one resample
 *           are paired. Beyond CLUSTER_GROUPS_MAX clusters, groups of them drawn at random take
 *           their place: groups are as independent as clusters, and that many make the width of an
 *           interval uncertain by half a per cent, less than a thousand resamples do.
 * Source:   Field and Welsh 2007, "Bootstrapping clustered data"; random groups: Wolter 2007,
 *           "Introduction to variance estimation", chapter 2.
 * Cost:     one walk over what is counted, then CLUSTER_RESAMPLES walks over the groups.
 * Owns:     its arrays (cluster_sums_deinit).
 * Threads:  no state.
 */
#ifndef REWARD_CLUSTER_BOOTSTRAP_H
#define REWARD_CLUSTER_BOOTSTRAP_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define CLUSTER_RESAMPLES  1000
#define CLUSTER_GROUPS_MAX 16384

struct cluster_sums {
    int64_t cluster_count, column_count;
    int64_t group_count; /* clusters that are used, or CLUSTER_GROUPS_MAX if those are more */
    int32_t *group_of;   /* [cluster_count], -1 for those that are not used */
    double *sums;        /* [group_count, column_count] */
};

#define CLUSTER_SUMS_INIT \
    { .group_of = NULL }

/* `is_used` [cluster_count] says which clusters are drawn: those that hold anything. */
ERR_NODISCARD enum err_code cluster_sums_init(struct cluster_sums *sums, const bool *is_used,
                                              int64_t cluster_count, int64_t column_count,
                                              uint64_t seed, struct error *err);
void cluster_sums_deinit(struct cluster_sums *sums);

/* `cluster` is one that is used. */
static inline void cluster_sums_add(struct cluster_sums *sums, int64_t cluster, int64_t column,
                                    double value) {
    sums->sums[sums->group_of[cluster] * sums->column_count + column] += value;
}

/* Sums over all clusters, each once. */
void cluster_sums_total(const struct cluster_sums *sums, double *out_total);

/* Sums [CLUSTER_RESAMPLES, column_count], owned by the caller (mem_free). Resample b of a seed
 * draws the same groups whatever the columns hold.
 *   fails  ERR_INTERRUPTED; ERR_OOM */
ERR_NODISCARD enum err_code cluster_sums_resample(const struct cluster_sums *sums, uint64_t seed,
                                                  double **out_resamples, struct error *err);

struct cluster_interval {
    double low, high;
};

/* 95 %: the percentiles 2.5 and 97.5 of what resamples gave. NaN, where a resample counted nothing,
 * is left out; not a number at either end if nothing remains. Sorts `values` [count]. */
struct cluster_interval cluster_interval_of(double *values, int64_t count);

static inline void cluster_sums_scoped_end(struct cluster_sums *sums) {
    cluster_sums_deinit(sums);
}

#endif
