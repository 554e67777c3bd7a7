/* kernel_team.c - see kernel_team.h. */
#include "tensor/kernels/kernel_team.h"

#include "base/invariant.h"
#include "tensor/kernels/kernel_openmp.h"

#include <sched.h>
#include <stdatomic.h>
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

struct team_start {
    struct kernel_team team; /* without index and count */
    kernel_team_work work;
    void *context;
};

static void start_member(void *context, int index, int count) {
    const struct team_start *start = context;
    struct kernel_team team = start->team;
    team.index = index;
    team.count = count;
    start->work(start->context, &team);
}

void kernel_team_run(struct kernel_cpu cpu, kernel_team_work work, void *context) {
    ASSERT_LE(1, cpu.threads);
    struct kernel_barrier barrier = {0};
    struct team_start start = {
        .team = {.isa = cpu.isa == KERNEL_ISA_BEST ? kernel_isa_best() : cpu.isa,
                 .barrier = &barrier},
        .work = work,
        .context = context,
    };
    kernel_openmp_run(cpu.threads, start_member, &start);
}
