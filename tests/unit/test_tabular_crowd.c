/* Crowd-BT fits: against scipy (tests/golden/make_rankings.py), against Bradley-Terry where
 * everybody is certain to be right, and against the crowd they were drawn from. */
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/scoped.h"
#include "reward/tabular_fit.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/comparison_sample.h"
#include "tests/support/near.h"

#define TOL_GOLDEN 1e-7 /* the golden standard errors come from differences of derivatives */

static struct tabular_options crowd_options(void) {
    struct tabular_options options = TABULAR_OPTIONS_DEFAULT;
    options.model = TABULAR_CROWD_BT;
    return options;
}

static void fit_set(const struct comparison_set *set, const struct tabular_options *options,
                    struct tabular_fit *fit) {
    struct error err = ERROR_INIT;
    assert_ok(tabular_fit_run(set, options, fit, &err), &err);
}

/* ---- golden ---- */

static double number_of(const struct json *doc, const struct json_node *object, const char *key) {
    double value = 0.0;
    struct error err = ERROR_INIT;
    assert_ok(json_get_f64(doc, object, key, &value, &err), &err);
    return value;
}

static void check_array(const struct json *doc, const struct json_node *object, const char *key,
                        const double *values, int64_t count) {
    const struct json_node *array = json_find(doc, object, key);
    assert_int_equal(json_count(doc, array), count);
    for (int64_t i = 0; i < count; i++) {
        double expected = 0.0;
        struct error err = ERROR_INIT;
        assert_ok(json_as_f64(doc, json_at(doc, array, i), &expected, &err), &err);
        assert_near(values[i], expected, TOL_GOLDEN);
    }
}

static void read_judgements(const struct json *doc, const struct json_node *c,
                            struct comparison_set *set) {
    int32_t annotators = (int32_t)number_of(doc, c, "annotators");
    comparison_sample_init(set, (int64_t)number_of(doc, c, "items"));
    const struct json_node *row = json_first(json_find(doc, c, "judgements"));
    for (; row; row = json_next(row)) {
        comparison_sample_win(set, (int32_t)number_of(doc, row, "better"),
                              (int32_t)number_of(doc, row, "worse"));
        comparison_sample_set_weight(set, number_of(doc, row, "weight"));
        int first = (int)number_of(doc, row, "first");
        int32_t positions[2] = {first == 0  ? 0
                                : first > 0 ? 1
                                            : 2,
                                first == 0  ? 0
                                : first > 0 ? 2
                                            : 1};
        comparison_sample_set_positions(set, positions);
        int32_t annotator = (int32_t)number_of(doc, row, "annotator");
        if (annotator < annotators) {
            comparison_sample_set_annotator(set, annotator);
        }
    }
}

static void test_fit__equals_that_of_scipy(void **state) {
    (void)state;
    SCOPED(json) struct json *doc = NULL;
    struct error err = ERROR_INIT;
    assert_ok(json_parse_file(GOLDEN_FOLDER "/rankings/crowd.json", NULL, &doc, &err), &err);
    int64_t cases = 0;
    for (const struct json_node *c = json_first(json_root(doc)); c; c = json_next(c), cases++) {
        SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
        read_judgements(doc, c, &set);
        struct tabular_options options = crowd_options();
        options.position_effect = cases == 1;
        options.ridge = number_of(doc, c, "ridge");
        options.estimator =
            options.ridge > 0.0 ? TABULAR_MAXIMUM_POSTERIOR : TABULAR_MAXIMUM_LIKELIHOOD;
        options.ridge = options.ridge > 0.0 ? options.ridge : 1.0; /* unused */
        SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
        fit_set(&set, &options, &fit);
        const struct json_node *expected = json_find(doc, c, "expected");
        check_array(doc, expected, "rewards", fit.rewards, fit.item_count);
        check_array(doc, expected, "std_errors", fit.std_errors, fit.item_count);
        check_array(doc, expected, "reliabilities", fit.reliabilities, fit.annotator_count);
        check_array(doc, expected, "reliability_std_errors", fit.reliability_std_errors,
                    fit.annotator_count);
        if (options.position_effect) {
            const struct tabular_parameter *position = tabular_fit_parameter(&fit, "position");
            assert_non_null(position);
            assert_near(position->value, number_of(doc, expected, "position"), TOL_GOLDEN);
            assert_near(position->std_error, number_of(doc, expected, "position_std_error"),
                        TOL_GOLDEN);
        }
    }
    assert_int_equal(cases, 2);
}

/* ---- limits ---- */

/* With ten billion right answers given in advance, nobody is ever wrong: Bradley-Terry. */
static void test_fit__with_certain_annotators_is_bradley_terry(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    struct rng rng = rng_stream(3, RNG_TEST, 0, 0);
    comparison_sample_init(&set, 5);
    for (int c = 0; c < 120; c++) {
        int32_t i = (int32_t)(c % 5), j = (int32_t)((i + 1 + rng_below(&rng, 4)) % 5);
        comparison_sample_win(&set, rng_below(&rng, 3) ? i : j, 0);
        int64_t start = set.starts[set.count - 1];
        set.items[start + 1] = set.items[start] == i ? j : i;
        comparison_sample_set_annotator(&set, (int32_t)rng_below(&rng, 3));
    }
    struct tabular_options crowd = crowd_options();
    crowd.reliability_good = 1e10;
    crowd.reliability_bad = 1e-10;
    struct tabular_options plain = TABULAR_OPTIONS_DEFAULT;
    SCOPED(tabular_fit) struct tabular_fit fitted = TABULAR_FIT_INIT;
    SCOPED(tabular_fit) struct tabular_fit expected = TABULAR_FIT_INIT;
    fit_set(&set, &crowd, &fitted);
    fit_set(&set, &plain, &expected);
    for (int64_t i = 0; i < 5; i++) {
        assert_near(fitted.rewards[i], expected.rewards[i], 1e-6);
        assert_near(fitted.std_errors[i], expected.std_errors[i], 1e-6);
    }
    assert_near(fitted.log_likelihood, expected.log_likelihood, 1e-5);
    assert_near(fitted.log_likelihood_null, expected.log_likelihood_null, 1e-9);
}

/* ---- a crowd with spammers and adversaries ---- */

#define ITEMS      20
#define ANNOTATORS 24
#define EACH       250

/* Careful ones, spammers who toss a coin, adversaries who say the opposite. */
static double reliability_of(int annotator) {
    return annotator < 16 ? 0.8 + 0.01 * annotator : annotator < 21 ? 0.5 : 0.1;
}

static void draw_crowd(struct comparison_set *set, uint64_t seed, double *out_truth) {
    struct rng rng = rng_stream(seed, RNG_TEST, 0, 0);
    comparison_sample_init(set, ITEMS);
    for (int i = 0; i < ITEMS; i++) {
        out_truth[i] = 0.25 * (i - 0.5 * (ITEMS - 1));
    }
    for (int a = 0; a < ANNOTATORS; a++) {
        for (int c = 0; c < EACH; c++) {
            int32_t i = (int32_t)rng_below(&rng, ITEMS);
            int32_t j = (int32_t)((i + 1 + rng_below(&rng, ITEMS - 1)) % ITEMS);
            double p = 1.0 / (1.0 + exp(out_truth[j] - out_truth[i]));
            bool thinks = rng_uniform(&rng) < p;
            bool says = rng_uniform(&rng) < reliability_of(a) ? thinks : !thinks;
            comparison_sample_win(set, says ? i : j, says ? j : i);
            comparison_sample_set_annotator(set, (int32_t)a);
        }
    }
}

static void test_fit__recovers_who_is_reliable(void **state) {
    (void)state;
    double squares = 0.0, reward_squares = 0.0;
    int64_t count = 0, reward_count = 0;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
        double truth[ITEMS];
        draw_crowd(&set, seed, truth);
        struct tabular_options options = crowd_options();
        SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
        fit_set(&set, &options, &fit);
        assert_int_equal(fit.annotator_count, ANNOTATORS);
        for (int a = 0; a < ANNOTATORS; a++, count++) {
            double z = (fit.reliabilities[a] - reliability_of(a)) / fit.reliability_std_errors[a];
            assert_near(z, 0.0, 4.0);
            squares += z * z;
        }
        for (int i = 0; i < ITEMS; i++, reward_count++) {
            double z = (fit.rewards[i] - truth[i]) / fit.std_errors[i];
            assert_near(z, 0.0, 4.0);
            reward_squares += z * z;
        }
    }
    /* Means of 72 and 60 squares: standard errors 0.17 and 0.18 if z is standard normal. */
    assert_near(squares / (double)count, 1.0, 0.55);
    assert_near(reward_squares / (double)reward_count, 1.0, 0.55);
}

/* Bradley-Terry takes the adversaries at their word: its rewards come out too near to each other.
 */
static void test_fit__is_nearer_to_the_truth_than_bradley_terry(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    double truth[ITEMS], errors[2] = {0.0, 0.0};
    draw_crowd(&set, 4, truth);
    for (int m = 0; m < 2; m++) {
        struct tabular_options options = crowd_options();
        options.model = m == 0 ? TABULAR_CROWD_BT : TABULAR_BRADLEY_TERRY;
        SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
        fit_set(&set, &options, &fit);
        for (int i = 0; i < ITEMS; i++) {
            errors[m] += (fit.rewards[i] - truth[i]) * (fit.rewards[i] - truth[i]);
        }
    }
    assert_true(errors[0] < 0.25 * errors[1]);
}

/* ---- without an estimate ---- */

/* Item 2 lost every comparison that somebody reliable made: likelihood alone puts its one win down
 * to the liar, and its reward to minus infinity. */
static void test_fit__refuses_a_reward_that_only_a_liar_holds(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 3);
    for (int32_t c = 0; c < 60; c++) {
        comparison_sample_win(&set, c % 3 == 0, c % 3 != 0);
        comparison_sample_set_annotator(&set, c % 3);
        comparison_sample_win(&set, c % 2, 2);
        comparison_sample_set_annotator(&set, c % 3);
        comparison_sample_win(&set, 2, c % 2); /* annotator 3 always says the opposite */
        comparison_sample_set_annotator(&set, 3);
    }
    struct tabular_options options = crowd_options();
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    struct error err = ERROR_INIT;
    assert_fails(tabular_fit_run(&set, &options, &fit, &err), ERR_DATA, "--estimator map", &err);
    options.estimator = TABULAR_MAXIMUM_POSTERIOR;
    fit_set(&set, &options, &fit);
    assert_true(fit.rewards[2] < -1.0 && fit.reliabilities[3] < 0.1);
}

/* Annotator 2 is one of the log's who judged none of these comparisons. */
static void test_fit__idle_annotators_are_no_parameters(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 2);
    for (int32_t c = 0; c < 12; c++) {
        comparison_sample_win(&set, c % 3 == 0, c % 3 != 0);
        comparison_sample_set_annotator(&set, c % 4 == 1 ? 3 : c % 2);
    }
    struct tabular_options options = crowd_options();
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    fit_set(&set, &options, &fit);
    assert_int_equal(fit.annotator_count, 4);
    assert_int_equal(fit.free_parameters, 1 + 3);
    assert_near(fit.reliabilities[2], 0.8, 1e-9); /* the prior's */
}

static void test_fit__refuses_a_position_effect_without_positions(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 2);
    for (int32_t c = 0; c < 4; c++) {
        comparison_sample_win(&set, c % 2, 1 - c % 2);
        comparison_sample_set_annotator(&set, 0);
    }
    struct tabular_options options = crowd_options();
    options.estimator = TABULAR_MAXIMUM_POSTERIOR;
    options.position_effect = true;
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    struct error err = ERROR_INIT;
    assert_fails(tabular_fit_run(&set, &options, &fit, &err), ERR_DATA,
                 "no comparison says what was shown first; leave it out", &err);
}

static enum err_code run_fit(void *context, struct error *err) {
    struct tabular_options options = crowd_options();
    options.estimator = TABULAR_MAXIMUM_POSTERIOR;
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    return tabular_fit_run(context, &options, &fit, err);
}

static void test_fit__survives_the_failure_of_any_allocation(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 3);
    for (int32_t c = 0; c < 12; c++) {
        comparison_sample_win(&set, c % 3, (c + 1 + (c > 6)) % 3);
        comparison_sample_set_annotator(&set, c % 2);
    }
    alloc_loop_check(run_fit, &set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fit__equals_that_of_scipy),
        cmocka_unit_test(test_fit__with_certain_annotators_is_bradley_terry),
        cmocka_unit_test(test_fit__recovers_who_is_reliable),
        cmocka_unit_test(test_fit__is_nearer_to_the_truth_than_bradley_terry),
        cmocka_unit_test(test_fit__refuses_a_reward_that_only_a_liar_holds),
        cmocka_unit_test(test_fit__idle_annotators_are_no_parameters),
        cmocka_unit_test(test_fit__refuses_a_position_effect_without_positions),
        cmocka_unit_test(test_fit__survives_the_failure_of_any_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
