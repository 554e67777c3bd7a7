/* kernel_exp_internal.h - exp and what is made of it, in f32, for loops that vectorise.
 *
 * Portable arithmetic (base/portable.h): the same bits on every machine and instruction set.
 *
 * Source:   Cody and Waite 1980: x = n log 2 + r with |r| <= log(2) / 2, log 2 in two parts of
 *           which the larger is short enough for n times it to be exact; exp(r) by its Taylor
 *           series to r^7 / 7!, whose first term left out is below 2^-27.
 */
#ifndef TENSOR_KERNELS_KERNEL_EXP_INTERNAL_H
#define TENSOR_KERNELS_KERNEL_EXP_INTERNAL_H

#include "base/portable.h"

/* e^x is well above the smallest normal number from here on: 1.6e-38. */
#define KERNEL_EXP_LOWEST (-87.0F)

/* Within 2 units in the last place on [-87.3, 88.3]; below, 0 (so exp(-inf) = 0); above, the value
 * at 88.3, some 2.2e38; a NaN stays one. */
static PORTABLE_INLINE float kernel_exp(float x) {
    const float ln2_high = 0x1.62e4p-1F; /* 16 bits */
    const float ln2_low = 0x1.7f7d1cp-20F;
    const float rounder = 0x1.8p23F; /* its last place is 1: adding it rounds to an integer */
    float inside = x > 88.3F ? 88.3F : x;
    inside = inside < -87.3F ? -87.3F : inside;
    float shifted = inside * 0x1.715476p0F + rounder;
    float n = shifted - rounder;
    float r = (inside - n * ln2_high) - n * ln2_low;
    float series = 1.0F / 5040.0F;
    series = series * r + 1.0F / 720.0F;
    series = series * r + 1.0F / 120.0F;
    series = series * r + 1.0F / 24.0F;
    series = series * r + 1.0F / 6.0F;
    series = series * r + 0.5F;
    float value = (series * r) * r + r + 1.0F;
    uint32_t exponent = (portable_bits_of_f32(shifted) - portable_bits_of_f32(rounder)) << 23;
    float scaled = portable_f32_of_bits(portable_bits_of_f32(value) + exponent);
    float result = x < -87.3F ? 0.0F : scaled;
    return x == x ? result : x;
}

/* x / (1 + exp(-x)) */
static PORTABLE_INLINE float kernel_silu(float x) {
    return x / (1.0F + kernel_exp(-x));
}

/* 0.5 x (1 + tanh(u)) = x / (1 + exp(-2 u)), u = sqrt(2 / pi) (x + 0.044715 x^3) */
static PORTABLE_INLINE float kernel_gelu_tanh(float x) {
    const float minus_two_root = -1.5957691216057308F; /* -2 sqrt(2 / pi) */
    return x / (1.0F + kernel_exp(minus_two_root * (x + 0.044715F * x * x * x)));
}

#endif
