/* stats_rate.c - see stats_rate.h. */
#include "data/stats_rate.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/scoped.h"
#include "base/sorted.h"
#include "base/special.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define GROUPS_MAX 2000

/* ---- rates ---- */

enum err_code stats_tally_init(struct stats_tally *tally, int64_t clusters, struct error *err) {
    tally->clusters = clusters;
    tally->hits = mem_array_zero((size_t)clusters, sizeof *tally->hits);
    tally->trials = mem_array_zero((size_t)clusters, sizeof *tally->trials);
    if (!tally->hits || !tally->trials) {
        stats_tally_deinit(tally);
        return err_oom(err, "tally of a rate");
    }
    return ERR_OK;
}

void stats_tally_deinit(struct stats_tally *tally) {
    mem_free(tally->hits);
    mem_free(tally->trials);
    *tally = (struct stats_tally)STATS_TALLY_INIT;
}

static void set_interval(struct stats_rate *rate) {
    double trials = rate->trials / rate->design_effect;
    struct special_interval i = special_wilson(rate->rate * trials, trials, STATS_Z);
    rate->low = i.low;
    rate->high = i.high;
}

struct stats_rate stats_rate_of(double hits, double trials) {
    struct stats_rate rate = {.hits = hits, .trials = trials, .design_effect = 1.0};
    rate.rate = trials > 0.0 ? hits / trials : (double)NAN;
    if (trials > 0.0) {
        set_interval(&rate);
    } else {
        rate.high = 1.0;
    }
    return rate;
}

/* The variance of the rate between clusters over that of as many independent trials. */
static double design_effect(const struct stats_tally *tally, const struct stats_rate *rate) {
    double p = rate->rate;
    if (rate->clusters < STATS_CLUSTERS_MIN || p <= 0.0 || p >= 1.0) {
        return 1.0;
    }
    double squares = 0.0;
    for (int64_t c = 0; c < tally->clusters; c++) {
        double residual = tally->hits[c] - p * tally->trials[c];
        squares += residual * residual;
    }
    double clusters = (double)rate->clusters;
    double variance = clusters / (clusters - 1.0) * squares / (rate->trials * rate->trials);
    return fmax(1.0, variance * rate->trials / (p * (1.0 - p)));
}

struct stats_rate stats_tally_rate(const struct stats_tally *tally) {
    double hits = 0.0;
    double trials = 0.0;
    int64_t clusters = 0;
    for (int64_t c = 0; c < tally->clusters; c++) {
        hits += tally->hits[c];
        trials += tally->trials[c];
        clusters += tally->trials[c] > 0.0;
    }
    struct stats_rate rate = stats_rate_of(hits, trials);
    rate.clusters = clusters;
    if (trials > 0.0) {
        rate.design_effect = design_effect(tally, &rate);
        set_interval(&rate);
    }
    return rate;
}

/* ---- bootstrap ---- */

static void add_sums(double *sums, const double *more) {
    for (int s = 0; s < STATS_SUMS_MAX; s++) {
        sums[s] += more[s];
    }
}

static void resample(const struct stats_bootstrap *b, const double *groups, int64_t group_count,
                     int64_t replicate, double sums[STATS_SUMS_MAX]) {
    struct rng rng = rng_stream(b->seed, RNG_BOOTSTRAP, replicate, b->stream);
    memset(sums, 0, STATS_SUMS_MAX * sizeof *sums);
    for (int64_t g = 0; g < group_count; g++) {
        add_sums(sums, groups + STATS_SUMS_MAX * rng_below(&rng, group_count));
    }
}

enum err_code stats_bootstrap_run(const struct stats_bootstrap *b, stats_statistic statistic,
                                  struct stats_estimate *out_estimate, struct error *err) {
    int64_t group_count = b->clusters < GROUPS_MAX ? b->clusters : GROUPS_MAX;
    SCOPED(mem)
    double *groups = mem_array_zero((size_t)group_count, STATS_SUMS_MAX * sizeof *groups);
    SCOPED(mem) double *values = mem_array(STATS_REPLICATES_MAX, sizeof *values);
    if (!groups || !values) {
        return err_oom(err, "bootstrap");
    }
    double sums[STATS_SUMS_MAX] = {0};
    for (int64_t c = 0; c < b->clusters; c++) {
        add_sums(groups + STATS_SUMS_MAX * (c % GROUPS_MAX), b->sums + STATS_SUMS_MAX * c);
    }
    for (int64_t g = 0; g < group_count; g++) {
        add_sums(sums, groups + STATS_SUMS_MAX * g);
    }
    struct stats_estimate estimate = {.value = statistic(sums), .clusters = b->clusters};
    for (int64_t r = 0; b->clusters > 1 && r < STATS_REPLICATES_MAX; r++) {
        resample(b, groups, group_count, r, sums);
        double value = statistic(sums);
        if (!isnan(value)) {
            values[estimate.replicates++] = value;
        }
    }
    bool known = estimate.replicates > 0 && !isnan(estimate.value);
    sorted_make(values, estimate.replicates);
    estimate.low = known ? sorted_quantile(values, estimate.replicates, 0.025) : (double)NAN;
    estimate.high = known ? sorted_quantile(values, estimate.replicates, 0.975) : (double)NAN;
    *out_estimate = estimate;
    return ERR_OK;
}
