/* Sets of answers: best of n, ties as in RewardBench 2, the likelihood of an order; by hand. */
#include "reward/choice_metrics.h"

#include "tests/support/near.h"

#define TOL 1e-14

static void test_hit__shares_where_rewards_are_equal(void **state) {
    (void)state;
    assert_near(choice_hit((const double[]){2.0, 1.0, -3.0, 0.0}, 4), 1.0, 0.0);
    assert_near(choice_hit((const double[]){1.0, 2.0, -3.0, 0.0}, 4), 0.0, 0.0);
    assert_near(choice_hit((const double[]){2.0, 1.0, 2.0, 2.0}, 4), 1.0 / 3.0, TOL);
    assert_near(choice_hit((const double[]){1.0, 2.0, 2.0}, 3), 0.0, 0.0);
}

static void test_tied__gap_and_spread(void **state) {
    (void)state;
    const struct choice_tied apart = choice_tied_of((const double[]){3.0, 2.5, 1.0, 0.0}, 2, 4);
    assert_near(apart.gap, 1.5, TOL);
    assert_near(apart.spread, 0.5, TOL);
    assert_true(apart.is_accurate && apart.is_apart);
    const struct choice_tied wide = choice_tied_of((const double[]){3.0, 1.5, 1.0}, 2, 3);
    assert_true(wide.is_accurate);
    assert_false(wide.is_apart); /* gap 0.5, spread 1.5 */
    const struct choice_tied wrong = choice_tied_of((const double[]){3.0, 1.0, 1.0}, 2, 3);
    assert_false(wrong.is_accurate); /* a gap of zero does not count */
    assert_near(choice_tied_chance(1, 4), 0.25, TOL);
    assert_near(choice_tied_chance(2, 4), 1.0 / 6.0, TOL);
    assert_near(choice_tied_chance(4, 6), 1.0 / 15.0, TOL);
}

/* Pair 1: tied (gap 1.5, spread 0.5), ref gap 0.25: accurate both, apart, but not with the ref:
 * 0.3 + 0.3 + 0.2 + 0 + 0.01 tanh(0.25 / 0.5 - 1). Pair 2: tied (gap -1, spread 1), ref gap 2:
 * 0.3 + 0.01 tanh(-2). Pair 3: spread 0 and gap 0: 0 / 0 counts 0; ref gap 0 is not accurate. */
static void test_ties_score__hand_worked(void **state) {
    (void)state;
    const struct choice_ties_pair pairs[] = {
        {choice_tied_of((const double[]){3.0, 2.5, 1.0}, 2, 3),
         choice_tied_of((const double[]){0.25, 0.0}, 1, 2)},
        {choice_tied_of((const double[]){1.0, 0.0, 1.0}, 2, 3),
         choice_tied_of((const double[]){2.0, 0.0}, 1, 2)},
        {choice_tied_of((const double[]){1.0, 1.0, 1.0}, 2, 3),
         choice_tied_of((const double[]){0.0, 0.0}, 1, 2)},
    };
    const double expected = (0.8 + 0.01 * tanh(-0.5) + 0.3 + 0.01 * tanh(-2.0)) / 3.0;
    assert_near(choice_ties_score(pairs, 3), expected, TOL);
    assert_true(isnan(choice_ties_score(pairs, 0)));
}

/* Rewards (1, 0, -1). Of three answers with the best one
 * named only: -ln(e / (e + 1 + 1/e)) = 0.4076059644; equal rewards: ln 3! = ln 6. */
static void test_order__nll(void **state) {
    (void)state;
    const double rewards[] = {1.0, 0.0, -1.0};
    assert_near(choice_order_nll(rewards, 3, 3), 0.4076059644443803 + log(1.0 + exp(-1.0)), 1e-12);
    assert_near(choice_order_nll(rewards, 1, 3), 0.4076059644443803, 1e-12);
    assert_near(choice_order_nll((const double[]){7.0, 7.0, 7.0}, 3, 3), log(6.0), 1e-12);
    assert_near(choice_order_nll((const double[]){1e4, -1e4}, 2, 2), 0.0, 0.0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hit__shares_where_rewards_are_equal),
        cmocka_unit_test(test_tied__gap_and_spread),
        cmocka_unit_test(test_ties_score__hand_worked),
        cmocka_unit_test(test_order__nll),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
