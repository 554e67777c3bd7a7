/* kernel_cpu.h - how a CPU kernel is to run: on how many threads, with which instructions.
 *
 * Use:      kernel_adamw_cpu(&args, (struct kernel_cpu){.threads = 2});
 *           Neither member changes a result, bit for bit: kernels work element by element or sum in
 *           a fixed order, and nothing is contracted to fused multiply-add. The tests say so. One
 *           exception, which says so itself: products of kernel_matmul.h and what is built on them
 *           use fused multiply-add where the instruction set has it.
 * Threads:  a team of `threads` for each call, from libgomp's one pool, which is libtorch's too
 *           (kernel_openmp.h); small arrays run on the calling thread.
 */
#ifndef TENSOR_KERNELS_KERNEL_CPU_H
#define TENSOR_KERNELS_KERNEL_CPU_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Instruction set and its name. BEST is the fastest that this processor has; GENERIC is what the
 * compiler emits for any processor of the architecture (SSE2 on x86-64). AVX2 includes FMA.
 * AVX512_BF16 adds bf16 dot products to AVX512; kernels without products do the same with both. */
#define KERNEL_ISAS(X)    \
    X(BEST, "best")       \
    X(GENERIC, "generic") \
    X(AVX2, "avx2")       \
    X(AVX512, "avx512")   \
    X(AVX512_BF16, "avx512-bf16")

enum kernel_isa {
#define KERNEL_ISA_ENUM(name, text) KERNEL_ISA_##name,
    KERNEL_ISAS(KERNEL_ISA_ENUM)
#undef KERNEL_ISA_ENUM
        KERNEL_ISA_COUNT
};

struct kernel_cpu {
    int threads;         /* at least 1 */
    enum kernel_isa isa; /* KERNEL_ISA_BEST (0), except in tests and benchmarks */
};

/* Whether this processor and this build can run it; always true for BEST and GENERIC. */
bool kernel_isa_supported(enum kernel_isa isa);

/* What BEST stands for here. */
enum kernel_isa kernel_isa_best(void);

/* "avx512"; static. */
const char *kernel_isa_name(enum kernel_isa isa);

#ifdef __cplusplus
}
#endif

#endif
