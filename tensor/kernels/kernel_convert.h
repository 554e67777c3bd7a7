/* kernel_convert.h - between f32 and the 16-bit floats, one value or many.
 *
 * Use:      uint16_t half = kernel_f16_of_f32(0.1F);
 *           kernel_convert_cpu(&(struct kernel_convert_args){.kind = KERNEL_CONVERT_BF16_TO_F32,
 *                                                            .from = b, .to = f, .n = n}, cpu);
 * Rounding: to nearest, ties to even; values past the largest finite one become infinite; a NaN
 *           stays a NaN, with its sign and the upper part of its payload, made quiet.
 * Twins:    kernel_convert.c only; on a GPU ATen casts.
 * Oracle:   arithmetic on the definition of the formats, over all 65,536 patterns (the test).
 * Why not hardware: vcvtneps2bf16 flushes subnormals to zero, and vcvtps2ph is not everywhere; the
 *           loops below are bound by memory bandwidth anyway.
 * Threads:  no state.
 */
#ifndef TENSOR_KERNELS_KERNEL_CONVERT_H
#define TENSOR_KERNELS_KERNEL_CONVERT_H

#include "base/portable.h"
#include "tensor/kernels/kernel_cpu.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum kernel_convert_kind {
    KERNEL_CONVERT_F32_TO_BF16, /* float to uint16_t */
    KERNEL_CONVERT_BF16_TO_F32, /* uint16_t to float */
    KERNEL_CONVERT_F32_TO_F16,  /* float to uint16_t */
    KERNEL_CONVERT_F16_TO_F32,  /* uint16_t to float */
};

struct kernel_convert_args {
    enum kernel_convert_kind kind;
    const void *from; /* [n], aligned for its type, not overlapping `to` */
    void *to;         /* [n], aligned for its type */
    int64_t n;
};

void kernel_convert_cpu(const struct kernel_convert_args *a, struct kernel_cpu cpu);

/* bf16 is the upper half of an f32: adding just under half of the last place kept, and one more
 * when that place is odd, carries exactly when the value must be rounded up. */
static PORTABLE_INLINE uint16_t kernel_bf16_of_f32(float value) {
    uint32_t bits = portable_bits_of_f32(value);
    uint32_t rounded = (bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16;
    uint32_t quiet_nan = bits >> 16 | 0x0040U;
    return (uint16_t)((bits & 0x7FFFFFFFU) > 0x7F800000U ? quiet_nan : rounded);
}

static PORTABLE_INLINE float kernel_f32_of_bf16(uint16_t bf16) {
    return portable_f32_of_bits((uint32_t)bf16 << 16);
}

/* All three cases are computed and one is chosen, so that the loop vectorises. A result that is
 * subnormal in f16 is rounded by the addition of 0.5, whose last place is 2^-24, the unit of f16's
 * subnormals. */
static PORTABLE_INLINE uint16_t kernel_f16_of_f32(float value) {
    uint32_t bits = portable_bits_of_f32(value);
    uint32_t sign = bits >> 16 & 0x8000U;
    uint32_t magnitude = bits & 0x7FFFFFFFU;
    uint32_t subnormal =
        portable_bits_of_f32(portable_f32_of_bits(magnitude) + 0.5F) - portable_bits_of_f32(0.5F);
    uint32_t normal = (magnitude + 0xFFFU + (magnitude >> 13 & 1U) - (112U << 23)) >> 13;
    uint32_t quiet_nan = 0x7E00U | (magnitude >> 13 & 0x1FFU);
    uint32_t half = magnitude < 0x38800000U ? subnormal : normal; /* 2^-14 */
    half = magnitude >= 0x47800000U ? 0x7C00U : half;             /* 65536 and more */
    half = magnitude > 0x7F800000U ? quiet_nan : half;
    return (uint16_t)(sign | half);
}

/* A subnormal f16 is m * 2^-24: 2^-14 * (1 + m / 1024) has m in its mantissa, and 2^-14 is then
 * taken off, exactly. */
static PORTABLE_INLINE float kernel_f32_of_f16(uint16_t f16) {
    uint32_t sign = (f16 & 0x8000U) << 16;
    uint32_t magnitude = f16 & 0x7FFFU;
    uint32_t shifted = magnitude << 13;
    uint32_t normal = shifted + (112U << 23);
    uint32_t subnormal =
        portable_bits_of_f32(portable_f32_of_bits(shifted + (113U << 23)) - 0x1p-14F);
    uint32_t special = shifted | 0x7F800000U;
    uint32_t quiet_nan = special | 0x00400000U;
    uint32_t bits = magnitude < 0x0400U ? subnormal : normal;
    bits = magnitude >= 0x7C00U ? special : bits;
    bits = magnitude > 0x7C00U ? quiet_nan : bits;
    return portable_f32_of_bits(sign | bits);
}

#ifdef __cplusplus
}
#endif

#endif
