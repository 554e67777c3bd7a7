/* kernel_convert.c - see kernel_convert.h. */
#include "tensor/kernels/kernel_convert.h"

#include "tensor/kernels/kernel_cpu_internal.h"

/* One loop for each pair of types: `value_of` is the conversion of one value. */
#define CONVERT_LOOP(name, from_type, to_type, value_of)                                       \
    static KERNEL_INLINE void name##_range(const struct kernel_convert_args *a, int64_t begin, \
                                           int64_t end) {                                      \
        const from_type *from = (const from_type *)a->from;                                    \
        to_type *to = (to_type *)a->to;                                                        \
        KERNEL_SIMD                                                                            \
        for (int64_t i = begin; i < end; i++) {                                                \
            to[i] = value_of(from[i]);                                                         \
        }                                                                                      \
    }                                                                                          \
    KERNEL_VARIANTS(name, struct kernel_convert_args)

CONVERT_LOOP(f32_to_bf16, float, uint16_t, kernel_bf16_of_f32)
CONVERT_LOOP(bf16_to_f32, uint16_t, float, kernel_f32_of_bf16)
CONVERT_LOOP(f32_to_f16, float, uint16_t, kernel_f16_of_f32)
CONVERT_LOOP(f16_to_f32, uint16_t, float, kernel_f32_of_f16)

static const struct kernel_variants *variants_of(enum kernel_convert_kind kind) {
    static const struct kernel_variants *const by_kind[] = {
        [KERNEL_CONVERT_F32_TO_BF16] = &f32_to_bf16_variants,
        [KERNEL_CONVERT_BF16_TO_F32] = &bf16_to_f32_variants,
        [KERNEL_CONVERT_F32_TO_F16] = &f32_to_f16_variants,
        [KERNEL_CONVERT_F16_TO_F32] = &f16_to_f32_variants,
    };
    return by_kind[kind];
}

void kernel_convert_cpu(const struct kernel_convert_args *a, struct kernel_cpu cpu) {
    kernel_run(variants_of(a->kind), a, a->n, cpu);
}
