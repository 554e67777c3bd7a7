#include "trainer/lr_schedule.h"

#include "tests/support/near.h"
#include "tests/support/test.h"

/* Peak 8, four steps of warm-up: 0 2 4 6, then 8 falling to 0 over the eight steps that are left.
 */
static void test_linear__rises_over_the_warmup_and_falls_to_zero(void **state) {
    (void)state;
    const struct lr_schedule s = {
        .kind = LR_LINEAR, .peak = 8, .warmup_steps = 4, .total_steps = 12};
    const double expected[] = {0, 2, 4, 6, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0};
    for (int64_t step = 0; step < 14; step++) {
        assert_near(lr_schedule_at(&s, step), expected[step], 1e-12);
    }
}

/* (1 + cos(pi t / 4)) / 2 at t = 0 1 2 3 4: 1, 0.853553, 0.5, 0.146447, 0; a tenth stays. */
static void test_cosine__ends_at_its_minimum(void **state) {
    (void)state;
    const struct lr_schedule s = {.kind = LR_COSINE, .peak = 2, .min_ratio = 0.1, .total_steps = 4};
    const double decay[] = {1, 0.85355339059327373, 0.5, 0.14644660940672624, 0, 0};
    for (int64_t step = 0; step < 6; step++) {
        assert_near(lr_schedule_at(&s, step), 2 * (0.1 + 0.9 * decay[step]), 1e-12);
    }
}

static void test_constant__stays_at_its_peak(void **state) {
    (void)state;
    const struct lr_schedule s = {
        .kind = LR_CONSTANT, .peak = 3, .warmup_steps = 2, .total_steps = 4};
    const double expected[] = {0, 1.5, 3, 3, 3, 3};
    for (int64_t step = 0; step < 6; step++) {
        assert_near(lr_schedule_at(&s, step), expected[step], 1e-12);
    }
}

/* A warm-up as long as the run never falls: its end is the run's. */
static void test_warmup__may_take_the_whole_run(void **state) {
    (void)state;
    const struct lr_schedule s = {
        .kind = LR_LINEAR, .peak = 1, .warmup_steps = 4, .total_steps = 4};
    assert_near(lr_schedule_at(&s, 3), 0.75, 1e-12);
    assert_near(lr_schedule_at(&s, 4), 0.0, 1e-12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear__rises_over_the_warmup_and_falls_to_zero),
        cmocka_unit_test(test_cosine__ends_at_its_minimum),
        cmocka_unit_test(test_constant__stays_at_its_peak),
        cmocka_unit_test(test_warmup__may_take_the_whole_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
