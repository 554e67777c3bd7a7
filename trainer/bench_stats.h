/* bench_stats.h - what is said of a handful of timings.
 *
 * Use:      struct bench_stats seconds = bench_stats_of(samples, repeats);
 * Numbers:  quartiles and the median interpolate linearly between order statistics (R's type 7).
 *           The spread, (upper - lower quartile) / median, is not moved by one disturbed sample.
 * Threads:  no state.
 */
#ifndef TRAINER_BENCH_STATS_H
#define TRAINER_BENCH_STATS_H

#include <stdint.h>

#define BENCH_REPEATS_MAX 101

struct bench_stats {
    double best; /* least */
    double median;
    double worst;
    double spread;
};

/* Of 1 to BENCH_REPEATS_MAX values, which stay as they are. */
struct bench_stats bench_stats_of(const double *values, int64_t count);

/* Of values[i] / reference[i]: pair by pair, since both of a pair met the same state of the
 * machine. */
struct bench_stats bench_stats_of_ratios(const double *values, const double *reference,
                                         int64_t count);

#endif
