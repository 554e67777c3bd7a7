/* cluster_bootstrap.c - see cluster_bootstrap.h. */
#include "reward/cluster_bootstrap.h"

#include "base/interrupt.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/scoped.h"
#include "base/sorted.h"

#include <math.h>
#include <string.h>

#define TAIL 0.025 /* on either side of the interval */

/* Step of the streams that put clusters into groups: behind those of the resamples. */
#define GROUPING_STEP CLUSTER_RESAMPLES

/* Clusters that are used, in order, or groups of them at random. */
static int64_t make_groups(const bool *is_used, int64_t cluster_count, uint64_t seed,
                           int32_t *out_group_of) {
    int64_t used = 0;
    for (int64_t k = 0; k < cluster_count; k++) {
        out_group_of[k] = is_used[k] ? (int32_t)(used++ % CLUSTER_GROUPS_MAX) : -1;
    }
    if (used <= CLUSTER_GROUPS_MAX) {
        return used;
    }
    for (int64_t k = 0; k < cluster_count; k++) {
        if (is_used[k]) {
            struct rng rng = rng_stream(seed, RNG_BOOTSTRAP, GROUPING_STEP, k);
            out_group_of[k] = (int32_t)rng_below(&rng, CLUSTER_GROUPS_MAX);
        }
    }
    return CLUSTER_GROUPS_MAX;
}

enum err_code cluster_sums_init(struct cluster_sums *sums, const bool *is_used,
                                int64_t cluster_count, int64_t column_count, uint64_t seed,
                                struct error *err) {
    SCOPED(mem) int32_t *group_of = mem_array((size_t)cluster_count, sizeof *group_of);
    if (!group_of) {
        return err_oom(err, "clusters");
    }
    const int64_t groups = make_groups(is_used, cluster_count, seed, group_of);
    double *values = mem_array_zero((size_t)(groups * column_count), sizeof *values);
    if (!values) {
        return err_oom(err, "sums of clusters");
    }
    *sums = (struct cluster_sums){.cluster_count = cluster_count,
                                  .column_count = column_count,
                                  .group_count = groups,
                                  .group_of = MOVE(group_of),
                                  .sums = values};
    return ERR_OK;
}

void cluster_sums_deinit(struct cluster_sums *sums) {
    mem_free(sums->group_of);
    mem_free(sums->sums);
    *sums = (struct cluster_sums)CLUSTER_SUMS_INIT;
}

static void add_group(const struct cluster_sums *sums, int64_t group, double times, double *total) {
    const double *row = sums->sums + group * sums->column_count;
    for (int64_t c = 0; c < sums->column_count; c++) {
        total[c] += times * row[c];
    }
}

void cluster_sums_total(const struct cluster_sums *sums, double *out_total) {
    memset(out_total, 0, (size_t)sums->column_count * sizeof *out_total);
    for (int64_t g = 0; g < sums->group_count; g++) {
        add_group(sums, g, 1.0, out_total);
    }
}

enum err_code cluster_sums_resample(const struct cluster_sums *sums, uint64_t seed,
                                    double **out_resamples, struct error *err) {
    const size_t groups = (size_t)sums->group_count;
    SCOPED(mem) double *times = mem_array(groups, sizeof *times);
    SCOPED(mem)
    double *resamples =
        mem_array_zero(CLUSTER_RESAMPLES * (size_t)sums->column_count, sizeof *resamples);
    if (!times || !resamples) {
        return err_oom(err, "resamples");
    }
    for (int64_t b = 0; b < CLUSTER_RESAMPLES; b++) {
        if (interrupt_requested()) {
            return err_set(err, ERR_INTERRUPTED, "interrupted in resample %d of %d", (int)b,
                           CLUSTER_RESAMPLES);
        }
        struct rng rng = rng_stream(seed, RNG_BOOTSTRAP, b, 0);
        memset(times, 0, groups * sizeof *times);
        for (int64_t g = 0; g < sums->group_count; g++) {
            times[rng_below(&rng, sums->group_count)] += 1.0;
        }
        for (int64_t g = 0; g < sums->group_count; g++) {
            if (times[g] > 0.0) {
                add_group(sums, g, times[g], resamples + b * sums->column_count);
            }
        }
    }
    *out_resamples = MOVE(resamples);
    return ERR_OK;
}

struct cluster_interval cluster_interval_of(double *values, int64_t count) {
    int64_t kept = 0;
    for (int64_t i = 0; i < count; i++) {
        if (!isnan(values[i])) {
            values[kept++] = values[i];
        }
    }
    if (kept == 0) {
        return (struct cluster_interval){(double)NAN, (double)NAN};
    }
    sorted_make(values, kept);
    const double last = (double)(kept - 1);
    return (struct cluster_interval){values[(int64_t)floor(TAIL * last)],
                                     values[(int64_t)ceil((1.0 - TAIL) * last)]};
}
