#include "base/normal_quantile.h"

#include "tests/support/test.h"

#include <math.h>

static void assert_close(double value, double expected, double relative) {
    if (!(fabs(value - expected) <= relative * fabs(expected))) {
        fail_msg("expected %.17g, got %.17g", expected, value);
    }
}

/* The three check values printed in the paper (AS 241), one for each piece. */
static void test_normal_quantile__values_of_the_paper(void **state) {
    (void)state;
    assert_close(normal_quantile(0.25), -0.6744897501960817, 2e-15);
    assert_close(normal_quantile(0.001), -3.090232306167814, 2e-15);
    assert_close(normal_quantile(1e-20), -9.262340089798408, 2e-15);
}

static void test_normal_quantile__half_widths_of_intervals(void **state) {
    (void)state;
    assert_close(normal_quantile(0.95), 1.6448536269514722, 2e-15);
    assert_close(normal_quantile(0.975), 1.959963984540054, 2e-15);
    assert_close(normal_quantile(0.995), 2.5758293035489004, 2e-15);
}

/* Through the C library's own distribution function and back, and odd around one half. */
static void test_normal_quantile__inverts_the_distribution_function(void **state) {
    (void)state;
    for (int i = 1; i < 512; i++) {
        double p = i / 1024.0;
        double z = normal_quantile(p);
        assert_close(0.5 * erfc(-z / sqrt(2.0)), p, 2e-14);
        assert_true(normal_quantile(1.0 - p) == -z);
    }
}

static void test_normal_quantile__ends_and_outside(void **state) {
    (void)state;
    assert_true(normal_quantile(0.0) == -HUGE_VAL);
    assert_true(normal_quantile(1.0) == HUGE_VAL);
    assert_true(normal_quantile(0.5) == 0.0);
    assert_true(isnan(normal_quantile(-0.1)));
    assert_true(isnan(normal_quantile(1.1)));
    assert_true(isnan(normal_quantile((double)NAN)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_normal_quantile__values_of_the_paper),
        cmocka_unit_test(test_normal_quantile__half_widths_of_intervals),
        cmocka_unit_test(test_normal_quantile__inverts_the_distribution_function),
        cmocka_unit_test(test_normal_quantile__ends_and_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
