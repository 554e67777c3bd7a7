/* kernel_cpu_internal.h - one loop body, compiled for each instruction set and run on a team.
 *
 * Use:      static KERNEL_INLINE void scale_range(const struct scale_args *a, int64_t begin,
 *                                                 int64_t end) {
 *               KERNEL_SIMD
 *               for (int64_t i = begin; i < end; i++) { ... }
 *           }
 *           KERNEL_VARIANTS(scale, struct scale_args)
 *           ...
 *           kernel_run(&scale_variants, a, a->n, cpu);
 *
 * Why not target_clones: gcc does not carry it into the functions that OpenMP outlines. Here the
 *           parallel region is in kernel_run alone and calls the variant through a pointer, once
 *           per thread.
 */
#ifndef TENSOR_KERNELS_KERNEL_CPU_INTERNAL_H
#define TENSOR_KERNELS_KERNEL_CPU_INTERNAL_H

#include "tensor/kernels/kernel_cpu.h"

#include <stdint.h>

/* always_inline, so that a body takes on the instruction set of each wrapper that calls it. */
#define KERNEL_INLINE inline __attribute__((always_inline))

/* The loop's iterations are independent (no pointer in it aliases a written one). */
#define KERNEL_SIMD _Pragma("omp simd")

#if defined(__x86_64__)
#define KERNEL_HAS_X86_VARIANTS 1
#define KERNEL_TARGET_AVX2      __attribute__((target("avx2")))
#define KERNEL_TARGET_AVX512    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#else
#define KERNEL_HAS_X86_VARIANTS 0
#define KERNEL_TARGET_AVX2
#define KERNEL_TARGET_AVX512
#endif

/* Works on elements [begin, end). */
typedef void (*kernel_range)(const void *args, int64_t begin, int64_t end);

struct kernel_variants {
    kernel_range generic;
    kernel_range avx2;
    kernel_range avx512;
};

/* From `name`_range(const args_type *, begin, end) makes the table `name`_variants. */
#define KERNEL_VARIANTS(name, args_type)                                                           \
    static void name##_generic(const void *args, int64_t begin, int64_t end) {                     \
        name##_range((const args_type *)args, begin, end);                                         \
    }                                                                                              \
    KERNEL_TARGET_AVX2 static void name##_avx2(const void *args, int64_t begin, int64_t end) {     \
        name##_range((const args_type *)args, begin, end);                                         \
    }                                                                                              \
    KERNEL_TARGET_AVX512 static void name##_avx512(const void *args, int64_t begin, int64_t end) { \
        name##_range((const args_type *)args, begin, end);                                         \
    }                                                                                              \
    static const struct kernel_variants name##_variants = {                                        \
        .generic = name##_generic,                                                                 \
        .avx2 = name##_avx2,                                                                       \
        .avx512 = name##_avx512,                                                                   \
    };

/* The member of the table that `isa` asks for. */
kernel_range kernel_variant(const struct kernel_variants *variants, enum kernel_isa isa);

/* Cuts [0, n) into one contiguous piece per thread and runs the chosen variant on each. Cuts fall
 * on multiples of KERNEL_PIECE_UNIT elements, so that pieces share no cache line and a sum in
 * blocks of that many elements never straddles two threads. */
#define KERNEL_PIECE_UNIT 4096

void kernel_run(const struct kernel_variants *variants, const void *args, int64_t n,
                struct kernel_cpu cpu);

/* The same for rows [0, rows) of `row_elements` each, cut on multiples of `unit_rows`. */
void kernel_run_rows(const struct kernel_variants *variants, const void *args, int64_t rows,
                     int64_t row_elements, int64_t unit_rows, struct kernel_cpu cpu);

#endif
