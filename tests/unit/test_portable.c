/* The oracle of the logarithm is the C library's log, correct to well under one unit in the last
 * place, in the cases below; so two units of difference are the most that may be seen. */
#include "base/portable.h"

#include "base/rng.h"
#include "tests/support/test.h"

#include <float.h>
#include <math.h>

static void assert_log(double x) {
    double expected = log(x);
    double got = portable_log(x);
    if (!(fabs(got - expected) <= 2.0 * DBL_EPSILON * fabs(expected))) {
        fail_msg("log(%a): expected %a, got %a", x, expected, got);
    }
}

static void test_portable_log__within_two_units_of_the_c_library(void **state) {
    (void)state;
    struct rng rng = rng_stream(5, RNG_TEST, 0, 0);
    for (int i = 0; i < 200000; i++) {
        double mantissa = 1.0 + rng_uniform(&rng);
        assert_log(mantissa);
        assert_log(ldexp(mantissa, (int)rng_below(&rng, 2045) - 1022));
        assert_log(rng_uniform_open(&rng));
    }
}

static void test_portable_log__ends_of_its_range(void **state) {
    (void)state;
    assert_true(portable_log(1.0) == 0.0);
    static const double edges[] = {DBL_MIN,
                                   DBL_MAX,
                                   DBL_TRUE_MIN,
                                   3.0 * DBL_TRUE_MIN,
                                   0x1p-53,
                                   1.0 - 0x1p-53,
                                   1.0 + 0x1p-52,
                                   0.70710678118654746,
                                   0.70710678118654757,
                                   1.4142135623730949,
                                   2.0,
                                   0.5};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        assert_log(edges[i]);
    }
}

/* From a separate Python implementation of the same formula, so that a compiler that fuses or
 * reorders is found out. */
static void test_portable_log__pinned_bits(void **state) {
    (void)state;
    assert_true(portable_log(2.0) == 0x1.62e42fefa39efp-1);
    assert_true(portable_log(0.1) == -0x1.26bb1bbb55515p+1);
    assert_true(portable_log(3e-9) == -0x1.39fe94b812f88p+4);
    assert_true(portable_log(1e-300) == -0x1.5963447f87fb5p+9);
}

static void test_portable_f64_of_u52__is_exact(void **state) {
    (void)state;
    assert_true(portable_f64_of_u52(0) == 0.0);
    assert_true(portable_f64_of_u52(1) == 1.0);
    assert_true(portable_f64_of_u52((UINT64_C(1) << 52) - 1) == 4503599627370495.0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_portable_log__within_two_units_of_the_c_library),
        cmocka_unit_test(test_portable_log__ends_of_its_range),
        cmocka_unit_test(test_portable_log__pinned_bits),
        cmocka_unit_test(test_portable_f64_of_u52__is_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
