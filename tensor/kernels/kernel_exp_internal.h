/* kernel_exp_internal.h - e^x in f32 for loops that vectorise, the same bits in both twins. */
#ifndef TENSOR_KERNELS_KERNEL_EXP_INTERNAL_H
#define TENSOR_KERNELS_KERNEL_EXP_INTERNAL_H

#include "base/portable.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KERNEL_EXP_LOWEST (-87.0F)

/* e^x for x <= 88, within 2 units in the last place (the test walks through the range); below -87
 * it stays e^-87 = 1.6e-38. A NaN stays one.
 *
 * x = n log(2) + r with |r| <= 0.3466: adding 1.5 * 2^23 rounds x / log(2) to the integer n, which
 * is then in the low bits; log(2) is taken off in two parts, of which the larger has 9 zero bits at
 * its end, so that n times it is exact. The first term of the series left out, r^8 / 8!, is below
 * 2^-27. */
static PORTABLE_INLINE float kernel_exp(float x) {
    const float round_to_integer = 0x1.8p23F;
    float t = x < KERNEL_EXP_LOWEST ? KERNEL_EXP_LOWEST : x;
    float shifted = t * 0x1.715476p+0F + round_to_integer;
    float n = shifted - round_to_integer;
    float r = (t - n * 0x1.62e4p-1F) - n * 0x1.7f7d1cp-20F;
    float series = 1.0F / 5040.0F;
    series = series * r + 1.0F / 720.0F;
    series = series * r + 1.0F / 120.0F;
    series = series * r + 1.0F / 24.0F;
    series = series * r + 1.0F / 6.0F;
    series = series * r + 0.5F;
    series = series * r + 1.0F;
    series = series * r + 1.0F;
    uint32_t exponent = portable_bits_of_f32(shifted) - portable_bits_of_f32(round_to_integer);
    return series * portable_f32_of_bits((exponent + 127U) << 23);
}

#ifdef __cplusplus
}
#endif

#endif
