/* thread_count.h - how many threads to compute with, and why.
 *
 * Use:      struct thread_count_inputs inputs = thread_count_look();
 *           inputs.wanted = options.threads;
 *           struct thread_count count = {0};
 *           TRY(thread_count_choose(&inputs, &count, err));
 *           log_info(log, "align", "%lld threads (%s)", (long long)count.threads, count.reason);
 *
 * Order:    what the user asked for; OMP_NUM_THREADS; the smallest of the cores that are online, in
 *           the affinity mask, and paid for by the cgroup's quota. A quota is rounded down (2.5
 *           cores: 2 threads): a team waits for its slowest thread, and one that is throttled
 *           stops all of them for most of a scheduling period.
 * Source:   Linux: sched_getaffinity(2), cgroups(7), Documentation/admin-guide/cgroup-v2.rst
 *           (cpu.max), Documentation/scheduler/sched-bwc.rst (cpu.cfs_quota_us).
 * Threads:  no state.
 */
#ifndef BASE_THREAD_COUNT_H
#define BASE_THREAD_COUNT_H

#include "base/error.h"

#include <stdint.h>

#define THREAD_COUNT_CHOOSE 0 /* as `wanted`: nothing was asked for */
#define THREAD_COUNT_MAX    1024

struct thread_count_inputs {
    int64_t wanted;              /* THREAD_COUNT_CHOOSE, or 1 to THREAD_COUNT_MAX */
    const char *omp_num_threads; /* the environment variable; NULL when unset; borrowed */
    int64_t cores_online;
    int64_t cores_allowed;   /* by the affinity mask */
    const char *root_folder; /* put before /proc and /sys; "" except in tests; borrowed */
};

struct thread_count {
    int64_t threads;
    char reason[96]; /* "2 of 64 cores: cgroup quota" */
};

/* What this process sees; `wanted` is THREAD_COUNT_CHOOSE. */
struct thread_count_inputs thread_count_look(void);

/* fails    ERR_USAGE for a count outside 1 to THREAD_COUNT_MAX; ERR_CONFIG for an OMP_NUM_THREADS
 *          that is none; ERR_OOM. A cgroup that cannot be read sets no limit. */
ERR_NODISCARD enum err_code thread_count_choose(const struct thread_count_inputs *inputs,
                                                struct thread_count *out, struct error *err);

#endif
