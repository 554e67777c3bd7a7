/* kernel_team.h - threads that go through many kernels together, with barriers between them.
 *
 * Use:      static void forward(void *context, const struct kernel_team *team) {
 *               kernel_matmul(&product, team);      // each member computes its share
 *               kernel_team_wait(team);             // all shares are there
 *               ...
 *           }
 *           kernel_team_run((struct kernel_cpu){.threads = 2}, forward, &context);
 * Why:      a decoder's step is some two hundred kernels of a few microseconds. A parallel region
 *           for each costs more than the kernel where idle threads sleep (passive waiting, which a
 *           shared machine wants); here the step is one region.
 * Waiting:  a member spins for a short while and then yields its processor at every look, so that a
 *           team with more members than free cores gets on.
 * Threads:  the team lives for one kernel_team_run. Built without OpenMP it has one member.
 */
#ifndef TENSOR_KERNELS_KERNEL_TEAM_H
#define TENSOR_KERNELS_KERNEL_TEAM_H

#include "tensor/kernels/kernel_cpu.h"

#include <stdint.h>

struct kernel_barrier;

struct kernel_team {
    int64_t index; /* of this member, from 0 */
    int64_t count;
    enum kernel_isa isa;
    struct kernel_barrier *barrier; /* borrowed, for the run */
};

/* [begin, end) */
struct kernel_span {
    int64_t begin;
    int64_t end;
};

typedef void (*kernel_team_work)(void *context, const struct kernel_team *team);

/* Runs `work` on cpu.threads threads at once, or on fewer if the system gives fewer. */
void kernel_team_run(struct kernel_cpu cpu, kernel_team_work work, void *context);

/* Returns when every member has called it; what they wrote before is then visible to all. */
void kernel_team_wait(const struct kernel_team *team);

/* This member's contiguous part of n items; the parts differ by one item at most. */
struct kernel_span kernel_team_share(const struct kernel_team *team, int64_t n);

#endif
