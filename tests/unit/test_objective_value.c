#include "trainer/objective_value.h"

#include "tests/support/near.h"

#include <math.h>

/* Clip 0.2, values from 1 to 1.5, 1.1, 0.5, 3; returns 2, 2, 2, 0:
 *   1.5: held at 1.2, which is farther off than 1.5: .8^2 / 2, no slope
 *   1.1: not held: .9^2 / 2, slope -.9
 *   0.5: held at 0.8, nearer than 0.5: 1.5^2 / 2, slope -1.5
 *   3:   held at 1.2, nearer than 3: 3^2 / 2, slope 3 */
static void test_value_loss__clipped(void **state) {
    (void)state;
    static const double values[] = {1.5, 1.1, 0.5, 3.0}, old_values[] = {1.0, 1.0, 1.0, 1.0};
    static const double returns[] = {2.0, 2.0, 2.0, 0.0};
    static const double expected[] = {0.0, -0.9, -1.5, 3.0};
    double slopes[4] = {0.0};
    int64_t clipped = 0;
    struct value_batch batch = {.count = 4,
                                .values = values,
                                .old_values = old_values,
                                .returns = returns,
                                .clip = 0.2,
                                .step_tokens = 8};
    assert_near(objective_value(&batch, slopes, &clipped), 0.5 * (0.64 + 0.81 + 2.25 + 9.0) / 8.0,
                1e-15);
    assert_int_equal(clipped, 1);
    for (int t = 0; t < 4; t++) {
        assert_near(slopes[t], expected[t] / 8.0, 1e-15);
    }
    batch.clip = (double)INFINITY;
    clipped = 0;
    assert_near(objective_value(&batch, slopes, &clipped), 0.5 * (0.25 + 0.81 + 2.25 + 9.0) / 8.0,
                1e-15);
    assert_int_equal(clipped, 0);
}

static void test_value_loss__not_a_number_shows(void **state) {
    (void)state;
    const double value = (double)NAN, zero = 0.0;
    double slope = 0.0;
    int64_t clipped = 0;
    const struct value_batch batch = {.count = 1,
                                      .values = &value,
                                      .old_values = &zero,
                                      .returns = &zero,
                                      .clip = 0.2,
                                      .step_tokens = 1};
    assert_true(isnan(objective_value(&batch, &slope, &clipped)));
    assert_true(isnan(slope));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_value_loss__clipped),
        cmocka_unit_test(test_value_loss__not_a_number_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
