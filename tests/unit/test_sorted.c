#include "base/sorted.h"

#include "tests/support/test.h"

static void test_sorted_make__ascending(void **state) {
    (void)state;
    double values[] = {3.0, -1.0, 2.0, 2.0, -0.5};
    const double expected[] = {-1.0, -0.5, 2.0, 2.0, 3.0};
    sorted_make(values, 5);
    for (int i = 0; i < 5; i++) {
        assert_true(values[i] == expected[i]);
    }
    sorted_make(values, 0);
    sorted_make(NULL, 0);
}

/* Of 10, 20, 40, 80: p (n - 1) is 0, 0.75, 1.5, 2.25, 3, so
 *   10 + 0.75 * 10 = 17.5,  20 + 0.5 * 20 = 30,  40 + 0.25 * 40 = 50 */
static void test_sorted_quantile__type_7_by_hand(void **state) {
    (void)state;
    const double values[] = {10.0, 20.0, 40.0, 80.0};
    assert_true(sorted_quantile(values, 4, 0.0) == 10.0);
    assert_true(sorted_quantile(values, 4, 0.25) == 17.5);
    assert_true(sorted_quantile(values, 4, 0.5) == 30.0);
    assert_true(sorted_quantile(values, 4, 0.75) == 50.0);
    assert_true(sorted_quantile(values, 4, 1.0) == 80.0);
    assert_true(sorted_quantile(values, 1, 0.3) == 10.0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sorted_make__ascending),
        cmocka_unit_test(test_sorted_quantile__type_7_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
