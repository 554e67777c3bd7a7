/* kernel_sets.h - every instruction set that this machine has, for kernels whose bits depend on it.
 *
 * Use:      struct kernel_cpu sets[KERNEL_SETS_MAX];
 *           int64_t count = kernel_sets_list(sets);    // sets[0] is generic; one thread each
 */
#ifndef TESTS_SUPPORT_KERNEL_SETS_H
#define TESTS_SUPPORT_KERNEL_SETS_H

#include "tensor/kernels/kernel_cpu.h"

#include <stdint.h>

#define KERNEL_SETS_MAX KERNEL_ISA_COUNT

static inline int64_t kernel_sets_list(struct kernel_cpu sets[KERNEL_SETS_MAX]) {
    int64_t count = 0;
    for (int64_t i = KERNEL_ISA_GENERIC; i < KERNEL_ISA_COUNT; i++) {
        if (kernel_isa_supported((enum kernel_isa)i)) {
            sets[count++] = (struct kernel_cpu){.threads = 1, .isa = (enum kernel_isa)i};
        }
    }
    return count;
}

#endif
