/* kernel_team.c - see kernel_team.h. */
#include "tensor/kernels/kernel_team.h"

#include "base/invariant.h"

#include <sched.h>
#include <stdatomic.h>
#ifdef _OPENMP
#include <omp.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* Looks before yielding: some 20 us, a few kernels' difference between two members. */
#define SPINS_MAX 1000

/* Members count themselves in; the last one opens the next round. */
struct kernel_barrier {
    atomic_int_fast64_t arrived;
    atomic_int_fast64_t round;
};

static void pause_briefly(void) {
#if defined(__x86_64__)
    _mm_pause();
#endif
}

static void wait_for_round_after(struct kernel_barrier *barrier, int64_t round) {
    int64_t spins = 0;
    while (atomic_load_explicit(&barrier->round, memory_order_acquire) == round) {
        if (spins < SPINS_MAX) {
            spins++;
            pause_briefly();
        } else {
            (void)sched_yield();
        }
    }
}

void kernel_team_wait(const struct kernel_team *team) {
    if (team->count == 1) {
        return;
    }
    struct kernel_barrier *barrier = team->barrier;
    int64_t round = atomic_load_explicit(&barrier->round, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&barrier->arrived, 1, memory_order_acq_rel) + 1 < team->count) {
        wait_for_round_after(barrier, round);
        return;
    }
    atomic_store_explicit(&barrier->arrived, 0, memory_order_relaxed);
    atomic_store_explicit(&barrier->round, round + 1, memory_order_release);
}

struct kernel_span kernel_team_share(const struct kernel_team *team, int64_t n) {
    int64_t each = n / team->count;
    int64_t more = n % team->count; /* so many members take one item more */
    int64_t begin = team->index * each + (team->index < more ? team->index : more);
    return (struct kernel_span){begin, begin + each + (team->index < more ? 1 : 0)};
}

void kernel_team_run(struct kernel_cpu cpu, kernel_team_work work, void *context) {
    ASSERT_LE(1, cpu.threads);
    struct kernel_barrier barrier = {0};
    struct kernel_team team = {.count = 1, .isa = cpu.isa, .barrier = &barrier};
    if (cpu.isa == KERNEL_ISA_BEST) {
        team.isa = kernel_isa_best();
    }
#ifdef _OPENMP
#pragma omp parallel num_threads(cpu.threads) firstprivate(team) if (cpu.threads > 1)
    {
        team.index = omp_get_thread_num();
        team.count = omp_get_num_threads();
        work(context, &team);
    }
#else
    work(context, &team);
#endif
}
