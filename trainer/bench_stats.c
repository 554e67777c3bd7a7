/* bench_stats.c - see bench_stats.h. */
#include "trainer/bench_stats.h"

#include "base/invariant.h"
#include "base/sorted.h"

#include <string.h>

struct bench_stats bench_stats_of(const double *values, int64_t count) {
    ASSERT_LE(1, count);
    ASSERT_LE(count, BENCH_REPEATS_MAX);
    double sorted[BENCH_REPEATS_MAX];
    memcpy(sorted, values, (size_t)count * sizeof *sorted);
    sorted_make(sorted, count);
    double median = sorted_quantile(sorted, count, 0.5);
    double between_quartiles =
        sorted_quantile(sorted, count, 0.75) - sorted_quantile(sorted, count, 0.25);
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
