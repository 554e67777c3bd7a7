/* portable.h - arithmetic that gives the same bits in C, C++ and CUDA, on every machine.
 *
 * Use:      static PORTABLE_INLINE float half_of(float x) { return 0.5F * x; }
 *           Such functions use only what IEEE 754 rounds exactly (+ - * / sqrt, integer work), and
 *           no function of the C library whose last bit it may choose. Contraction to fused
 *           multiply-add is off on both sides (-ffp-contract=off, nvcc -fmad=false).
 * Speed:    no branches on data, so that loops over these functions vectorise.
 * Threads:  no state.
 */
#ifndef BASE_PORTABLE_H
#define BASE_PORTABLE_H

#include <stdint.h>
#include <string.h>

/* always_inline, so that a function takes on the instruction set of the loop it is called in. */
#ifdef __CUDACC__
#define PORTABLE_INLINE __host__ __device__ __forceinline__
#else
#define PORTABLE_INLINE inline __attribute__((always_inline))
#endif

static PORTABLE_INLINE uint32_t portable_bits_of_f32(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static PORTABLE_INLINE float portable_f32_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static PORTABLE_INLINE uint64_t portable_bits_of_f64(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static PORTABLE_INLINE double portable_f64_of_bits(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* An integer below 2^52 as a double, exactly: it becomes the mantissa of 2^52. AVX2 converts 64-bit
 * integers in no other way. */
static PORTABLE_INLINE double portable_f64_of_u52(uint64_t integer) {
    return portable_f64_of_bits(0x4330000000000000U | integer) - 0x1p52;
}

/* Natural logarithm of a finite x > 0, within 1 unit in the last place.
 *
 * x = 2^k (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)), and with s = f / (2 + f), |s| < 0.1716,
 *     log(1 + f) = 2 atanh(s) = f - f^2/2 + s (f^2/2 + R),   R = 2/3 s^2 + 2/5 s^4 + ...
 * whose large part f is exact. The first term left out, 2/23 s^22, is below 2^-59 of the sum. k
 * log(2) is added in two parts, of which the larger has 21 zero bits at its end, so that k times it
 * is exact. */
static PORTABLE_INLINE double portable_log(double x) {
    const double ln2_high = 0x1.62e42feep-1;
    const double ln2_low = 0x1.a39ef35793c76p-33;
    const uint64_t sqrt_half = 0x3FE6A09E00000000U; /* rounded down; need not be exact */
    int is_subnormal = x < 0x1p-1022;
    uint64_t bits = portable_bits_of_f64(is_subnormal ? x * 0x1p54 : x);
    uint64_t biased = (bits - sqrt_half + ((uint64_t)1023 << 52)) >> 52;
    double k = portable_f64_of_u52(biased) - (is_subnormal ? 1023.0 + 54.0 : 1023.0);
    double f = portable_f64_of_bits(bits - ((biased - 1023) << 52)) - 1.0;
    double s = f / (2.0 + f);
    double z = s * s;
    double series = 2.0 / 21.0;
    series = series * z + 2.0 / 19.0;
    series = series * z + 2.0 / 17.0;
    series = series * z + 2.0 / 15.0;
    series = series * z + 2.0 / 13.0;
    series = series * z + 2.0 / 11.0;
    series = series * z + 2.0 / 9.0;
    series = series * z + 2.0 / 7.0;
    series = series * z + 2.0 / 5.0;
    series = series * z + 2.0 / 3.0;
    double half_square = 0.5 * f * f;
    double small = s * (half_square + series * z) + k * ln2_low;
    return k * ln2_high - ((half_square - small) - f);
}

#endif
