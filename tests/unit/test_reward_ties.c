/* The tie parameters of a reward model, and what moves them. */
#include "trainer/reward_ties.h"

#include "base/scoped.h"
#include "tests/support/comparison_sample.h"
#include "tests/support/near.h"

#include <math.h>

#define TOL 1e-12

/* One win and one tie of two answers: with half a judgement added to either, 1.5 ties of 3. */
static void open_ties(struct reward_ties *ties, enum tabular_model model) {
    struct error err = ERROR_INIT;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(reward_terms) struct reward_terms terms = REWARD_TERMS_INIT;
    SCOPED(reward_objective) struct reward_objective *objective = NULL;
    const struct reward_objective_options options = {.model = model};
    comparison_sample_init(&set, 2);
    comparison_sample_win(&set, 0, 1);
    comparison_sample_tie(&set, 0, 1);
    assert_ok(reward_terms_make(&set, &REWARD_TERMS_OPTIONS_DEFAULT, &terms, &err), &err);
    assert_ok(reward_objective_new(&terms, &options, &objective, &err), &err);
    assert_ok(reward_ties_init(ties, objective, model, &err), &err);
}

/* A share of 1/2: nu = 2, tanh(eta / 2) = 1/2. */
static void test_ties__start_at_the_share_of_the_judgements(void **state) {
    (void)state;
    struct reward_ties ties;
    double value[REWARD_TIES_MAX];
    open_ties(&ties, TABULAR_DAVIDSON);
    assert_int_equal(reward_ties_numbers(&ties), 3);
    reward_ties_values(&ties, value);
    assert_near(value[0], log(2.0), TOL);
    open_ties(&ties, TABULAR_RAO_KUPPER);
    reward_ties_values(&ties, value);
    assert_near(value[0], log(3.0), TOL);
}

/* The first step of Adam is the rate, 0.01, against the slope, whatever its size; the second at the
 * opposite slope: m = 0.9 * 0.1 g - 0.1 g = -0.01 g, over 1 - 0.81, to the root of g^2: 0.01 / 0.19
 * of the rate the other way. */
static void test_step__is_adam(void **state) {
    (void)state;
    struct reward_ties ties;
    double value[REWARD_TIES_MAX];
    open_ties(&ties, TABULAR_DAVIDSON);
    reward_ties_step(&ties, 0, &(double){3.0});
    reward_ties_values(&ties, value);
    assert_near(value[0], log(2.0) - 0.01, 1e-10);
    reward_ties_step(&ties, 1, &(double){-3.0});
    reward_ties_values(&ties, value);
    assert_near(value[0], log(2.0) - 0.01 + 0.01 * 0.01 / 0.19, 1e-10);
}

static void test_step__is_not_moved_by_what_is_not_finite(void **state) {
    (void)state;
    struct reward_ties ties;
    double value[REWARD_TIES_MAX];
    open_ties(&ties, TABULAR_DAVIDSON);
    reward_ties_step(&ties, 0, &(double){(double)NAN});
    reward_ties_values(&ties, value);
    assert_near(value[0], log(2.0), TOL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ties__start_at_the_share_of_the_judgements),
        cmocka_unit_test(test_step__is_adam),
        cmocka_unit_test(test_step__is_not_moved_by_what_is_not_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
