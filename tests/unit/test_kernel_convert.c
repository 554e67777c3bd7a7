#include "tensor/kernels/kernel_convert.h"

#include "base/mem.h"
#include "tests/support/kernel_ways.h"
#include "tests/support/test.h"

#include <math.h>

#define PATTERNS 65536

/* A 16-bit float by the definition of its format: `mantissa_bits` of mantissa, then the exponent
 * with this bias, then the sign. f16: 10 and 15; bf16: 7 and 127. */
struct format {
    int mantissa_bits;
    int bias;
};

static const struct format f16 = {.mantissa_bits = 10, .bias = 15};
static const struct format bf16 = {.mantissa_bits = 7, .bias = 127};

static double value_of(struct format format, uint32_t pattern) {
    int exponent_bits = 15 - format.mantissa_bits;
    uint32_t exponent_max = (1U << exponent_bits) - 1;
    uint32_t exponent = pattern >> format.mantissa_bits & exponent_max;
    uint32_t mantissa = pattern & ((1U << format.mantissa_bits) - 1);
    double sign = pattern & 0x8000U ? -1.0 : 1.0;
    if (exponent == exponent_max) {
        return mantissa ? (double)NAN : sign * (double)INFINITY;
    }
    double fraction = ldexp((double)mantissa, -format.mantissa_bits);
    if (exponent == 0) {
        return sign * ldexp(fraction, 1 - format.bias);
    }
    return sign * ldexp(1.0 + fraction, (int)exponent - format.bias);
}

static void convert(enum kernel_convert_kind kind, const void *from, void *to, int64_t n,
                    struct kernel_cpu cpu) {
    struct kernel_convert_args args = {.kind = kind, .from = from, .to = to, .n = n};
    kernel_convert_cpu(&args, cpu);
}

static void fill_patterns(uint16_t *patterns) {
    for (uint32_t i = 0; i < PATTERNS; i++) {
        patterns[i] = (uint16_t)i;
    }
}

/* Every pattern to f32 equals its definition, and comes back as itself (a NaN as a quiet one). */
static void check_all_patterns(struct format format, enum kernel_convert_kind widen,
                               enum kernel_convert_kind narrow, struct kernel_cpu cpu) {
    uint16_t *patterns = mem_array(PATTERNS, sizeof *patterns);
    uint16_t *back = mem_array(PATTERNS, sizeof *back);
    float *wide = mem_array(PATTERNS, sizeof *wide);
    fill_patterns(patterns);
    convert(widen, patterns, wide, PATTERNS, cpu);
    convert(narrow, wide, back, PATTERNS, cpu);
    uint32_t quiet_bit = 1U << (format.mantissa_bits - 1);
    for (uint32_t p = 0; p < PATTERNS; p++) {
        double expected = value_of(format, p);
        if (isnan(expected)) {
            assert_true(isnan(wide[p]));
            assert_int_equal(back[p], p | quiet_bit);
        } else {
            assert_true((double)wide[p] == expected);
            assert_int_equal(signbit(wide[p]) != 0, p >> 15);
            assert_int_equal(back[p], p);
        }
    }
    mem_free(patterns);
    mem_free(back);
    mem_free(wide);
}

static void test_kernel_convert__every_pattern_means_what_its_format_says(void **state) {
    (void)state;
    struct kernel_cpu ways[KERNEL_WAYS_MAX];
    int ways_count = kernel_ways_list(ways);
    for (int w = 0; w < ways_count; w++) {
        check_all_patterns(f16, KERNEL_CONVERT_F16_TO_F32, KERNEL_CONVERT_F32_TO_F16, ways[w]);
        check_all_patterns(bf16, KERNEL_CONVERT_BF16_TO_F32, KERNEL_CONVERT_F32_TO_BF16, ways[w]);
    }
}

/* Between the neighbours p and p + 1 of one sign: the midpoint goes to the even one, the f32 values
 * just below and above it to p and p + 1. The midpoints are exact in f32 (one bit more). At the
 * largest finite p, p + 1 is infinity, and "midpoint" is where the next value would be rounded. */
static void check_rounding(struct format format, uint32_t pattern, uint16_t (*narrow)(float)) {
    double low = value_of(format, pattern);
    double high = value_of(format, pattern + 1);
    if (isinf(high)) {
        high = low + (low - value_of(format, pattern - 1));
    }
    float midpoint = (float)((low + high) / 2.0);
    assert_true((double)midpoint == (low + high) / 2.0);
    assert_int_equal(narrow(midpoint), pattern % 2 == 0 ? pattern : pattern + 1);
    assert_int_equal(narrow(nextafterf(midpoint, 0.0F)), pattern);
    assert_int_equal(narrow(nextafterf(midpoint, INFINITY)), pattern + 1);
    assert_int_equal(narrow(-midpoint), 0x8000U | (pattern % 2 == 0 ? pattern : pattern + 1));
}

static uint16_t to_f16(float value) {
    return kernel_f16_of_f32(value);
}

static uint16_t to_bf16(float value) {
    return kernel_bf16_of_f32(value);
}

static void test_kernel_convert__rounds_to_nearest_even_between_all_neighbours(void **state) {
    (void)state;
    for (uint32_t p = 0; p < 0x7C00U; p++) {
        check_rounding(f16, p, to_f16);
    }
    for (uint32_t p = 0; p < 0x7F7FU; p++) {
        check_rounding(bf16, p, to_bf16);
    }
}

static void test_kernel_convert__extremes(void **state) {
    (void)state;
    assert_int_equal(kernel_f16_of_f32(65519.996F), 0x7BFF); /* below 65504 + 16 */
    assert_int_equal(kernel_f16_of_f32(65520.0F), 0x7C00);
    assert_int_equal(kernel_f16_of_f32(3.4e38F), 0x7C00);
    assert_int_equal(kernel_f16_of_f32(-INFINITY), 0xFC00);
    assert_int_equal(kernel_f16_of_f32(0x1p-25F), 0x0000); /* half the least subnormal: even */
    assert_int_equal(kernel_f16_of_f32(1e-45F), 0x0000);
    assert_int_equal(kernel_f16_of_f32(-0.0F), 0x8000);
    assert_int_equal(kernel_bf16_of_f32(0x1.fep127F), 0x7F7F);
    assert_int_equal(kernel_bf16_of_f32(0x1.ffp127F), 0x7F80); /* the tie above the largest */
    assert_int_equal(kernel_bf16_of_f32(3.4028235e38F), 0x7F80);
    assert_int_equal(kernel_bf16_of_f32(-INFINITY), 0xFF80);
    assert_int_equal(kernel_bf16_of_f32(1e-45F), 0x0000); /* an f32 subnormal */
    assert_int_equal(kernel_bf16_of_f32(0x1p-133F), 0x0001);
}

/* A NaN whose payload lies in the bits that are cut off must not become infinity. */
static void test_kernel_convert__keeps_nans(void **state) {
    (void)state;
    float low_payload = portable_f32_of_bits(0x7F800001U);
    float negative = portable_f32_of_bits(0xFFABC123U);
    assert_int_equal(kernel_bf16_of_f32(low_payload), 0x7FC0);
    assert_int_equal(kernel_bf16_of_f32(negative), 0xFFEB);
    assert_int_equal(kernel_f16_of_f32(low_payload), 0x7E00);
    assert_int_equal(kernel_f16_of_f32(negative), 0xFF5E);
}

static void test_kernel_convert__same_bits_for_every_isa_and_thread_count(void **state) {
    (void)state;
    enum { N = 70001 };
    float *wide = mem_array(N, sizeof *wide);
    uint16_t *expected = mem_array(N, sizeof *expected);
    uint16_t *got = mem_array(N, sizeof *got);
    for (uint32_t i = 0; i < N; i++) {
        wide[i] = portable_f32_of_bits(i * 0x9E3779B1U); /* all exponents, NaNs among them */
    }
    struct kernel_cpu ways[KERNEL_WAYS_MAX];
    int ways_count = kernel_ways_list(ways);
    static const enum kernel_convert_kind kinds[] = {KERNEL_CONVERT_F32_TO_BF16,
                                                     KERNEL_CONVERT_F32_TO_F16};
    for (int k = 0; k < 2; k++) {
        convert(kinds[k], wide, expected, N, ways[0]);
        for (int w = 1; w < ways_count; w++) {
            convert(kinds[k], wide, got, N, ways[w]);
            assert_memory_equal(got, expected, N * sizeof *got);
        }
    }
    mem_free(wide);
    mem_free(expected);
    mem_free(got);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernel_convert__every_pattern_means_what_its_format_says),
        cmocka_unit_test(test_kernel_convert__rounds_to_nearest_even_between_all_neighbours),
        cmocka_unit_test(test_kernel_convert__extremes),
        cmocka_unit_test(test_kernel_convert__keeps_nans),
        cmocka_unit_test(test_kernel_convert__same_bits_for_every_isa_and_thread_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
