/* Crowd-BT's posterior: probabilities by hand, derivatives by differences, steps that never go
 * down. Whole fits are in test_tabular_crowd.c. */
#include "reward/crowd_bt.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/comparison_sample.h"
#include "tests/support/near.h"

#include <math.h>

#define ITEMS         5
#define ANNOTATORS    4
#define VARIABLES_MAX 16

static struct tabular_options options_of(bool position, enum tabular_ties ties, double ridge) {
    struct tabular_options options = TABULAR_OPTIONS_DEFAULT;
    options.model = TABULAR_CROWD_BT;
    options.position_effect = position;
    options.ties = ties;
    options.ridge = ridge;
    options.estimator = ridge > 0.0 ? TABULAR_MAXIMUM_POSTERIOR : TABULAR_MAXIMUM_LIKELIHOOD;
    return options;
}

static double sigma(double z) {
    return 1.0 / (1.0 + exp(-z));
}

/* ---- by hand ---- */

static void test_value__is_minus_the_log_posterior(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 2);
    comparison_sample_win(&set, 0, 1);
    comparison_sample_set_annotator(&set, 0);
    comparison_sample_set_weight(&set, 2.0);
    comparison_sample_win(&set, 1, 0); /* nobody's: the prior's mean, 0.8 */
    struct tabular_options options = options_of(false, TABULAR_TIES_REFUSE, 0.5);
    SCOPED(crowd_bt) struct crowd_bt *model = NULL;
    struct error err = ERROR_INIT;
    assert_ok(crowd_bt_new(&set, &options, &model, &err), &err);
    assert_int_equal(crowd_bt_size(model), 3);
    struct newton_problem problem = crowd_bt_problem(model);
    /* D = 1, h = 0.9: 0.9 * 0.7310585786 + 0.1 * 0.2689414214; 0.8 * 0.2689414214 + 0.2 *
     * 0.7310585786; the prior 0.9^4 * 0.1; the ridge 0.25 * (0.36 + 0.16) */
    const double x[] = {0.6, -0.4, log(9.0)};
    double likelihood = 2.0 * log(0.68484686288) + log(0.36136485284);
    double posterior = likelihood + 4.0 * log(0.9) + log(0.1) - 0.13;
    assert_near(crowd_bt_log_likelihood(model, x), likelihood, 1e-9);
    assert_near(problem.value(problem.context, x), -posterior, 1e-9);
}

static void test_value__gives_half_a_tie_to_each_side(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 2);
    comparison_sample_tie(&set, 0, 1);
    comparison_sample_set_annotator(&set, 0);
    struct tabular_options options = options_of(false, TABULAR_TIES_HALF, 0.0);
    SCOPED(crowd_bt) struct crowd_bt *model = NULL;
    struct error err = ERROR_INIT;
    assert_ok(crowd_bt_new(&set, &options, &model, &err), &err);
    const double x[] = {0.5, -0.5, log(9.0)};
    double p = 0.9 * sigma(1.0) + 0.1 * sigma(-1.0);
    assert_near(crowd_bt_log_likelihood(model, x), 0.5 * log(p) + 0.5 * log(1.0 - p), 1e-12);
    assert_int_equal(crowd_bt_ties_dropped(model), 0);
}

static void test_value__splits_rankings_and_drops_ties(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 4);
    comparison_sample_add(&set, 4, (int32_t[]){0, 1, 2, 3}, (int32_t[]){1, 1, 2, 2});
    comparison_sample_set_annotator(&set, 0);
    comparison_sample_set_last_unordered(&set);
    struct tabular_options options = options_of(false, TABULAR_TIES_DROP, 0.0);
    SCOPED(crowd_bt) struct crowd_bt *model = NULL;
    struct error err = ERROR_INIT;
    assert_ok(crowd_bt_new(&set, &options, &model, &err), &err);
    assert_int_equal(crowd_bt_ties_dropped(model), 1); /* 0 = 1; 2 and 3 are no tie */
    assert_int_equal(crowd_bt_rankings_split(model), 1);
    const double x[] = {0.0, 0.0, 0.0, 0.0, 0.0};
    assert_near(crowd_bt_log_likelihood(model, x), 4.0 * log(0.5), 1e-12);
}

static void test_new__refuses_what_has_no_answer(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 2);
    comparison_sample_tie(&set, 0, 1);
    struct tabular_options options = options_of(false, TABULAR_TIES_REFUSE, 0.0);
    SCOPED(crowd_bt) struct crowd_bt *model = NULL;
    struct error err = ERROR_INIT;
    assert_fails(crowd_bt_new(&set, &options, &model, &err), ERR_DATA,
                 "no comparison says who made it", &err);
    comparison_sample_set_annotator(&set, 0);
    assert_fails(crowd_bt_new(&set, &options, &model, &err), ERR_DATA,
                 "1 of 1 comparisons hold ties", &err);
    options.ties = TABULAR_TIES_HALF;
    options.reliability_good = 1.0;
    assert_fails(crowd_bt_new(&set, &options, &model, &err), ERR_CONFIG, "beta(1, 1)", &err);
    assert_null(model);
}

/* ---- derivatives and steps ---- */

/* Comparisons by four annotators and nobody, with positions known or not, weights and ties. */
static void draw(struct comparison_set *set, uint64_t seed) {
    struct rng rng = rng_stream(seed, RNG_TEST, 0, 0);
    comparison_sample_init(set, ITEMS);
    for (int c = 0; c < 40; c++) {
        int32_t i = (int32_t)rng_below(&rng, ITEMS);
        int32_t j = (int32_t)((i + 1 + rng_below(&rng, ITEMS - 1)) % ITEMS);
        if (rng_below(&rng, 5) == 0) {
            comparison_sample_tie(set, i, j);
        } else {
            comparison_sample_win(set, i, j);
        }
        comparison_sample_set_weight(set, 0.5 + rng_uniform(&rng));
        int64_t first = rng_below(&rng, 3);
        int32_t positions[2] = {(int32_t)first, first > 0 ? (int32_t)(3 - first) : 0};
        comparison_sample_set_positions(set, positions);
        int64_t annotator = rng_below(&rng, ANNOTATORS + 1);
        if (annotator < ANNOTATORS) {
            comparison_sample_set_annotator(set, (int32_t)annotator);
        }
    }
}

static struct crowd_bt *drawn_model(struct comparison_set *set, uint64_t seed) {
    struct tabular_options options =
        options_of(seed % 2 == 0, TABULAR_TIES_HALF, seed % 3 == 0 ? 0.4 : 0.0);
    struct crowd_bt *model = NULL;
    struct error err = ERROR_INIT;
    draw(set, seed);
    assert_ok(crowd_bt_new(set, &options, &model, &err), &err);
    return model;
}

static void check_near(double value, double expected, const char *what, uint64_t seed, int64_t i) {
    if (!(fabs(value - expected) <= 1e-7)) {
        fail_msg("seed %d: %s %d is %.12g, by differences %.12g", (int)seed, what, (int)i, value,
                 expected);
    }
}

static void test_derivatives__agree_with_central_differences(void **state) {
    (void)state;
    const double h = 1e-5;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
        SCOPED(crowd_bt) struct crowd_bt *model = drawn_model(&set, seed);
        struct newton_problem p = crowd_bt_problem(model);
        struct rng rng = rng_stream(seed, RNG_TEST, 1, 0);
        double x[VARIABLES_MAX], v[VARIABLES_MAX], moved[VARIABLES_MAX], gradient[VARIABLES_MAX];
        double product[VARIABLES_MAX], up[VARIABLES_MAX], down[VARIABLES_MAX];
        for (int64_t i = 0; i < p.size; i++) {
            x[i] = 1.5 * rng_normal(&rng);
            v[i] = rng_normal(&rng);
        }
        p.gradient(p.context, x, gradient);
        p.hessian_times(p.context, x, v, product);
        for (int64_t i = 0; i < p.size; i++) {
            memcpy(moved, x, sizeof x);
            moved[i] = x[i] + h;
            double above = p.value(p.context, moved);
            moved[i] = x[i] - h;
            double below = p.value(p.context, moved);
            check_near(gradient[i], (above - below) / (2.0 * h), "gradient", seed, i);
        }
        for (int64_t i = 0; i < p.size; i++) {
            moved[i] = x[i] + h * v[i];
        }
        p.gradient(p.context, moved, up);
        for (int64_t i = 0; i < p.size; i++) {
            moved[i] = x[i] - h * v[i];
        }
        p.gradient(p.context, moved, down);
        for (int64_t i = 0; i < p.size; i++) {
            check_near(product[i], (up[i] - down[i]) / (2.0 * h), "product", seed, i);
        }
    }
}

static void test_diagonal__is_never_below_the_hessians(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
        SCOPED(crowd_bt) struct crowd_bt *model = drawn_model(&set, seed);
        struct newton_problem p = crowd_bt_problem(model);
        struct rng rng = rng_stream(seed, RNG_TEST, 2, 0);
        double x[VARIABLES_MAX], diagonal[VARIABLES_MAX], product[VARIABLES_MAX];
        for (int64_t i = 0; i < p.size; i++) {
            x[i] = 1.5 * rng_normal(&rng);
        }
        p.diagonal(p.context, x, diagonal);
        for (int64_t i = 0; i < p.size; i++) {
            double e[VARIABLES_MAX] = {0.0};
            e[i] = 1.0;
            p.hessian_times(p.context, x, e, product);
            assert_true(diagonal[i] > 0.0 && diagonal[i] >= product[i] - 1e-12);
        }
    }
}

static void test_improve__never_makes_the_posterior_smaller(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
        SCOPED(crowd_bt) struct crowd_bt *model = drawn_model(&set, seed);
        struct newton_problem p = crowd_bt_problem(model);
        double x[VARIABLES_MAX];
        crowd_bt_start(model, x);
        double first = p.value(p.context, x), value = first;
        for (int step = 0; step < 30; step++) {
            struct error err = ERROR_INIT;
            assert_ok(crowd_bt_improve(model, x, &err), &err);
            double next = p.value(p.context, x);
            if (next > value + 1e-10) {
                fail_msg("seed %d: step %d went from %.15g to %.15g", (int)seed, step, value, next);
            }
            value = next;
        }
        assert_true(value < first - 0.1);
    }
}

/* The curvature of the profile is [H_rr - H_rz H_zz^-1 H_zr]: its product, against the whole
 * Hessian applied to v and the z that keep the gradient in z at zero. */
static void test_profile__is_the_schur_complement(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
        SCOPED(crowd_bt) struct crowd_bt *model = drawn_model(&set, seed);
        struct newton_problem whole = crowd_bt_problem(model), profile;
        double x[VARIABLES_MAX], v[VARIABLES_MAX] = {0.0}, out[VARIABLES_MAX];
        double expected[VARIABLES_MAX], e[VARIABLES_MAX], column[VARIABLES_MAX];
        struct error err = ERROR_INIT;
        struct rng rng = rng_stream(seed, RNG_TEST, 3, 0);
        crowd_bt_start(model, x);
        assert_ok(crowd_bt_improve(model, x, &err), &err);
        assert_ok(crowd_bt_profile(model, x, &profile, &err), &err);
        for (int64_t i = 0; i < profile.size; i++) {
            v[i] = rng_normal(&rng);
        }
        whole.hessian_times(whole.context, x, v, expected);
        for (int64_t a = profile.size; a < whole.size; a++) {
            memset(e, 0, sizeof e);
            e[a] = 1.0;
            whole.hessian_times(whole.context, x, e, column);
            for (int64_t i = 0; i < profile.size; i++) {
                expected[i] -= column[i] * expected[a] / column[a];
            }
        }
        profile.hessian_times(profile.context, x, v, out);
        for (int64_t i = 0; i < profile.size; i++) {
            assert_near(out[i], expected[i], 1e-10);
        }
    }
}

static enum err_code make_and_improve(void *context, struct error *err) {
    struct tabular_options options = options_of(true, TABULAR_TIES_HALF, 0.1);
    SCOPED(crowd_bt) struct crowd_bt *model = NULL;
    TRY(crowd_bt_new(context, &options, &model, err));
    double x[VARIABLES_MAX];
    crowd_bt_start(model, x);
    return crowd_bt_improve(model, x, err);
}

static void test_new__survives_the_failure_of_any_allocation(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    draw(&set, 1);
    alloc_loop_check(make_and_improve, &set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_value__is_minus_the_log_posterior),
        cmocka_unit_test(test_value__gives_half_a_tie_to_each_side),
        cmocka_unit_test(test_value__splits_rankings_and_drops_ties),
        cmocka_unit_test(test_new__refuses_what_has_no_answer),
        cmocka_unit_test(test_derivatives__agree_with_central_differences),
        cmocka_unit_test(test_diagonal__is_never_below_the_hessians),
        cmocka_unit_test(test_improve__never_makes_the_posterior_smaller),
        cmocka_unit_test(test_profile__is_the_schur_complement),
        cmocka_unit_test(test_new__survives_the_failure_of_any_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
