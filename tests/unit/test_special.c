/* Expected values are scipy's (1.17.1), but where they are worked by hand. */
#include "base/special.h"

#include "tests/support/test.h"

#include <math.h>

static void assert_relative(double value, double expected, double relative) {
    if (!(fabs(value - expected) <= relative * fabs(expected))) {
        fail_msg("expected %.17g, got %.17g", expected, value);
    }
}

static void test_special_normal_cdf__known_values(void **state) {
    (void)state;
    assert_relative(special_normal_cdf(0.0), 0.5, 1e-16);
    assert_relative(special_normal_cdf(-1.5), 0.06680720126885807, 1e-14);
    assert_relative(special_normal_cdf(1.959963984540054), 0.975, 1e-15);
}

/* Gamma(1/2) = sqrt(pi); 9! = 362880. */
static void test_special_log_gamma__known_values(void **state) {
    (void)state;
    assert_relative(special_log_gamma(0.5), 0.5723649429247001, 1e-14);
    assert_relative(special_log_gamma(10.0), log(362880.0), 1e-15);
    assert_relative(special_log_gamma(10.3), 13.482036786138359, 1e-14);
    assert_relative(special_log_gamma(3000.0), 21016.018485477893, 1e-14);
    assert_true(fabs(special_log_gamma(1.0)) < 1e-14);
    assert_true(fabs(special_log_gamma(2.0)) < 1e-14);
}

static void test_special_gamma_upper__on_both_sides_of_the_mean(void **state) {
    (void)state;
    assert_relative(special_gamma_upper(0.5, 0.1), 0.6547208460185768, 1e-13);
    assert_relative(special_gamma_upper(1.0, 2.0), exp(-2.0), 1e-14);
    assert_relative(special_gamma_upper(3.5, 3.0), 0.539749350395557, 1e-13);
    assert_relative(special_gamma_upper(10.0, 25.0), 0.0002214766382487835, 1e-13);
    assert_relative(special_gamma_upper(50.0, 45.0), 0.7531979655998298, 1e-13);
    assert_relative(special_gamma_upper(500.0, 520.0), 0.18469114909874365, 1e-12);
    assert_relative(special_gamma_upper(10000.0, 10100.0), 0.15865124955282037, 2e-11);
    assert_relative(special_gamma_upper(0.5, 300.0), 1.674167984691805e-132, 1e-12);
}

static void test_special_gamma_upper__ends_and_outside(void **state) {
    (void)state;
    assert_true(special_gamma_upper(2.0, 0.0) == 1.0);
    assert_true(special_gamma_upper(2.0, HUGE_VAL) == 0.0);
    assert_true(isnan(special_gamma_upper(0.0, 1.0)));
    assert_true(isnan(special_gamma_upper(1.0, -1.0)));
    assert_true(isnan(special_gamma_upper((double)NAN, 1.0)));
}

/* Two degrees are the exponential distribution, one is the normal one squared. */
static void test_special_chi_square_tail__known_distributions(void **state) {
    (void)state;
    for (int k = 1; k <= 160; k++) {
        double x = 0.25 * k;
        assert_relative(special_chi_square_tail(x, 2.0), exp(-0.5 * x), 1e-13);
        assert_relative(special_chi_square_tail(x, 1.0), erfc(sqrt(0.5 * x)), 1e-13);
    }
    assert_relative(special_chi_square_tail(3.841458820694124, 1.0), 0.05, 1e-13);
}

static void test_special_wilson__known_values(void **state) {
    (void)state;
    const double z = 1.959963984540054;
    struct special_interval i = special_wilson(1025.0, 2312.0, z);
    assert_relative(i.low, 0.42320002001396056, 1e-13);
    assert_relative(i.high, 0.4636661559921381, 1e-13);
    /* none of ten: the upper end is z^2 / (n + z^2) */
    i = special_wilson(0.0, 10.0, z);
    assert_true(i.low == 0.0);
    assert_relative(i.high, z * z / (10.0 + z * z), 1e-14);
    i = special_wilson(10.0, 10.0, z);
    assert_relative(i.low, 10.0 / (10.0 + z * z), 1e-14);
    assert_true(i.high == 1.0);
    i = special_wilson(0.0, 0.0, z);
    assert_true(i.low == 0.0 && i.high == 1.0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_special_normal_cdf__known_values),
        cmocka_unit_test(test_special_log_gamma__known_values),
        cmocka_unit_test(test_special_gamma_upper__on_both_sides_of_the_mean),
        cmocka_unit_test(test_special_gamma_upper__ends_and_outside),
        cmocka_unit_test(test_special_chi_square_tail__known_distributions),
        cmocka_unit_test(test_special_wilson__known_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
