/* bench_stats.c - see bench_stats.h. */
#include "trainer/bench_stats.h"

#include "base/invariant.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int compare_doubles(const void *left, const void *right) {
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

/* The value a share `at` of the way through sorted values. */
static double quantile(const double *sorted, int64_t count, double at) {
    double position = at * (double)(count - 1);
    int64_t below = (int64_t)floor(position);
    int64_t above = below + 1 < count ? below + 1 : below;
    return sorted[below] + (position - (double)below) * (sorted[above] - sorted[below]);
}

struct bench_stats bench_stats_of(const double *values, int64_t count) {
    ASSERT_LE(1, count);
    ASSERT_LE(count, BENCH_REPEATS_MAX);
    double sorted[BENCH_REPEATS_MAX];
    memcpy(sorted, values, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, compare_doubles);
    double median = quantile(sorted, count, 0.5);
    double between_quartiles = quantile(sorted, count, 0.75) - quantile(sorted, count, 0.25);
    return (struct bench_stats){
        .best = sorted[0],
        .median = median,
        .worst = sorted[count - 1],
        .spread = between_quartiles / median,
    };
}

struct bench_stats bench_stats_of_ratios(const double *values, const double *reference,
                                         int64_t count) {
    ASSERT_LE(count, BENCH_REPEATS_MAX);
    double ratios[BENCH_REPEATS_MAX];
    for (int64_t i = 0; i < count; i++) {
        ratios[i] = values[i] / reference[i];
    }
    return bench_stats_of(ratios, count);
}
