/* kernel_ways.h - every way in which a CPU kernel can run here, for tests that compare bits.
 *
 * Use:      struct kernel_cpu ways[KERNEL_WAYS_MAX];
 *           int count = kernel_ways_list(ways);   // ways[0] is generic on one thread
 */
#ifndef TESTS_SUPPORT_KERNEL_WAYS_H
#define TESTS_SUPPORT_KERNEL_WAYS_H

#include "tensor/kernels/kernel_cpu.h"

#define KERNEL_WAYS_MAX 16

/* Sizes around the vector widths, the 4096-element unit and the size from which two or more threads
 * share the work. */
static const int64_t kernel_ways_sizes[] = {1, 7, 16, 33, 4095, 4097, 32768, 70001};

#define KERNEL_WAYS_SIZES ((int)(sizeof kernel_ways_sizes / sizeof kernel_ways_sizes[0]))

static inline int kernel_ways_list(struct kernel_cpu ways[KERNEL_WAYS_MAX]) {
    static const enum kernel_isa isas[] = {KERNEL_ISA_GENERIC, KERNEL_ISA_AVX2, KERNEL_ISA_AVX512};
    static const int threads[] = {1, 2, 3, 5};
    int count = 0;
    for (int i = 0; i < 3; i++) {
        for (int t = 0; t < 4 && kernel_isa_supported(isas[i]); t++) {
            ways[count++] = (struct kernel_cpu){.threads = threads[t], .isa = isas[i]};
        }
    }
    return count;
}

#endif
