/* Plackett-Luce fits with and without ties, against enumeration (tests/golden/make_rankings.py) and
 * against the pair models that they contain. */
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/scoped.h"
#include "reward/tabular_fit.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/comparison_sample.h"
#include "tests/support/near.h"

#include <stdio.h>

#define TOL_FIT   1e-9 /* nats: both stop where rounding stops them */
#define ITEMS_MAX 16

static struct tabular_options options_of(enum tabular_model model) {
    struct tabular_options options = TABULAR_OPTIONS_DEFAULT;
    options.model = model;
    return options;
}

static void fit_set(const struct comparison_set *set, const struct tabular_options *options,
                    struct tabular_fit *fit) {
    struct error err = ERROR_INIT;
    assert_ok(tabular_fit_run(set, options, fit, &err), &err);
}

/* ---- golden ---- */

static double number_at(const struct json *doc, const struct json_node *array, int64_t index) {
    double value = 0.0;
    struct error err = ERROR_INIT;
    assert_ok(json_as_f64(doc, json_at(doc, array, index), &value, &err), &err);
    return value;
}

static double number_of(const struct json *doc, const struct json_node *object, const char *key) {
    double value = 0.0;
    struct error err = ERROR_INIT;
    assert_ok(json_get_f64(doc, object, key, &value, &err), &err);
    return value;
}

static void read_comparison(const struct json *doc, const struct json_node *row,
                            struct comparison_set *set) {
    const struct json_node *members = json_find(doc, row, "members");
    const struct json_node *ranks = json_find(doc, row, "ranks");
    int32_t items[ITEMS_MAX], places[ITEMS_MAX];
    int64_t k = json_count(doc, members);
    for (int64_t m = 0; m < k; m++) {
        items[m] = (int32_t)number_at(doc, members, m);
        places[m] = (int32_t)number_at(doc, ranks, m);
        /* the file leaves gaps after ties; the set does not */
        bool is_new = m > 0 && number_at(doc, ranks, m) > number_at(doc, ranks, m - 1);
        places[m] = m == 0 ? 1 : places[m - 1] + is_new;
    }
    comparison_sample_add(set, k, items, places);
    comparison_sample_set_weight(set, number_of(doc, row, "weight"));
    bool unordered = false;
    struct error err = ERROR_INIT;
    assert_ok(json_get_bool(doc, row, "last_unordered", &unordered, &err), &err);
    if (unordered) {
        comparison_sample_set_last_unordered(set);
    }
}

static void check_golden(const struct json *doc, const struct json_node *expected,
                         const struct tabular_fit *fit) {
    const struct json_node *rewards = json_find(doc, expected, "rewards");
    const struct json_node *deltas = json_find(doc, expected, "log_deltas");
    const struct json_node *orders = json_find(doc, expected, "tie_orders");
    const struct json_node *errors = json_find(doc, expected, "std_errors");
    assert_int_equal(fit->parameter_count, json_count(doc, deltas));
    for (int64_t i = 0; i < fit->item_count; i++) {
        assert_near(fit->rewards[i], number_at(doc, rewards, i), TOL_FIT);
        assert_near(fit->std_errors[i], number_at(doc, errors, i), TOL_FIT);
    }
    for (int64_t p = 0; p < fit->parameter_count; p++) {
        char name[32];
        (void)snprintf(name, sizeof name, "log_delta_%.0f", number_at(doc, orders, p));
        assert_string_equal(fit->parameters[p].name, name);
        assert_near(fit->parameters[p].value, number_at(doc, deltas, p), TOL_FIT);
        assert_near(fit->parameters[p].std_error, number_at(doc, errors, fit->item_count + p),
                    TOL_FIT);
    }
    assert_near(fit->log_likelihood, number_of(doc, expected, "log_likelihood"), TOL_FIT);
    assert_near(fit->log_likelihood_null, number_of(doc, expected, "log_likelihood_null"), 1e-8);
}

static void test_fit__equals_the_enumerated_one(void **state) {
    (void)state;
    SCOPED(json) struct json *doc = NULL;
    struct error err = ERROR_INIT;
    assert_ok(json_parse_file(GOLDEN_FOLDER "/rankings/rankings.json", NULL, &doc, &err), &err);
    int64_t cases = 0;
    for (const struct json_node *c = json_first(json_root(doc)); c; c = json_next(c), cases++) {
        SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
        comparison_sample_init(&set, (int64_t)number_of(doc, c, "items"));
        const struct json_node *row = json_first(json_find(doc, c, "comparisons"));
        for (; row; row = json_next(row)) {
            read_comparison(doc, row, &set);
        }
        struct tabular_options options = options_of(TABULAR_PLACKETT_LUCE);
        if (number_of(doc, c, "ridge") > 0.0) {
            options.estimator = TABULAR_MAXIMUM_POSTERIOR;
            options.ridge = number_of(doc, c, "ridge");
        }
        SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
        fit_set(&set, &options, &fit);
        check_golden(doc, json_find(doc, c, "expected"), &fit);
    }
    assert_int_equal(cases, 5);
}

/* ---- the pair models inside ---- */

static void draw_pairs(struct comparison_set *set, uint64_t seed, bool with_ties) {
    struct rng rng = rng_stream(seed, RNG_TEST, 0, 0);
    comparison_sample_init(set, 6);
    for (int32_t i = 0; i < 6; i++) { /* a circle, so that everything is connected */
        comparison_sample_win(set, i, (i + 1) % 6);
    }
    for (int c = 0; c < 80; c++) {
        int32_t i = (int32_t)rng_below(&rng, 6), j = (int32_t)((i + 1 + rng_below(&rng, 5)) % 6);
        if (with_ties && rng_below(&rng, 4) == 0) {
            comparison_sample_tie(set, i, j);
        } else {
            bool upset = rng_uniform(&rng) < 1.0 / (1.0 + exp(0.4 * (i - j)));
            comparison_sample_win(set, upset ? i : j, upset ? j : i);
        }
        comparison_sample_set_weight(set, (double)(1 + rng_below(&rng, 3)));
    }
}

static void check_same(const struct tabular_fit *left, const struct tabular_fit *right) {
    for (int64_t i = 0; i < left->item_count; i++) {
        assert_near(left->rewards[i], right->rewards[i], 1e-10);
        assert_near(left->std_errors[i], right->std_errors[i], 1e-9);
    }
    assert_int_equal(left->parameter_count, right->parameter_count);
    for (int64_t p = 0; p < left->parameter_count; p++) {
        assert_near(left->parameters[p].value, right->parameters[p].value, 1e-10);
        assert_near(left->parameters[p].std_error, right->parameters[p].std_error, 1e-9);
    }
    assert_near(left->log_likelihood, right->log_likelihood, 1e-9);
    assert_near(left->log_likelihood_null, right->log_likelihood_null, 1e-8);
    assert_near(left->deviance, right->deviance, 1e-8);
    assert_near(left->null_deviance, right->null_deviance, 1e-8);
    assert_int_equal(left->degrees_of_freedom, right->degrees_of_freedom);
    assert_int_equal(left->free_parameters, right->free_parameters);
    assert_near(left->aic, right->aic, 1e-8);
}

static void check_contains(enum tabular_model model, bool with_ties) {
    for (uint64_t seed = 1; seed <= 10; seed++) {
        SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
        SCOPED(tabular_fit) struct tabular_fit rankings = TABULAR_FIT_INIT;
        SCOPED(tabular_fit) struct tabular_fit pairs = TABULAR_FIT_INIT;
        struct tabular_options ranked = options_of(TABULAR_PLACKETT_LUCE);
        struct tabular_options paired = options_of(model);
        draw_pairs(&set, seed, with_ties);
        fit_set(&set, &ranked, &rankings);
        fit_set(&set, &paired, &pairs);
        check_same(&rankings, &pairs);
    }
}

static void test_fit__of_pairs_is_bradley_terry(void **state) {
    (void)state;
    check_contains(TABULAR_BRADLEY_TERRY, false);
}

static void test_fit__of_pairs_with_ties_is_davidson(void **state) {
    (void)state;
    check_contains(TABULAR_DAVIDSON, true);
}

/* One is chosen among the rest: with two items a pair. */
static void test_fit__of_a_choice_from_two_is_a_pair(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 2);
    for (int c = 0; c < 4; c++) {
        comparison_sample_win(&set, c == 0, c != 0);
        comparison_sample_set_last_unordered(&set);
    }
    struct tabular_options options = options_of(TABULAR_PLACKETT_LUCE);
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    fit_set(&set, &options, &fit);
    assert_near(fit.rewards[0] - fit.rewards[1], log(3.0), 1e-12);
}

/* ---- goodness of fit ---- */

/* Every order of three items equally often: rewards zero, and the fit is perfect. */
static void test_fit__of_all_orders_has_no_deviance(void **state) {
    (void)state;
    static const int32_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                         {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 3);
    for (int o = 0; o < 6; o++) {
        comparison_sample_add(&set, 3, orders[o], (int32_t[]){1, 2, 3});
        comparison_sample_set_weight(&set, 10.0);
    }
    struct tabular_options options = options_of(TABULAR_PLACKETT_LUCE);
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    fit_set(&set, &options, &fit);
    assert_near(fit.rewards[0], 0.0, 1e-12);
    assert_near(fit.log_likelihood, 60.0 * log(1.0 / 6.0), 1e-10);
    assert_near(fit.deviance, 0.0, 1e-10);
    /* choice among three: 2; among each of three pairs: 1; less 2 rewards */
    assert_int_equal(fit.degrees_of_freedom, 3);
    assert_int_equal(fit.free_parameters, 2);
}

static void test_fit__of_sparse_rankings_has_no_deviance_to_judge(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 4);
    comparison_sample_add(&set, 4, (int32_t[]){0, 1, 2, 3}, (int32_t[]){1, 2, 3, 4});
    comparison_sample_add(&set, 4, (int32_t[]){3, 1, 0, 2}, (int32_t[]){1, 2, 3, 4});
    struct tabular_options options = options_of(TABULAR_PLACKETT_LUCE);
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    fit_set(&set, &options, &fit);
    assert_true(isnan(fit.deviance));
    assert_int_equal(fit.degrees_of_freedom, -1);
}

/* ---- without an estimate ---- */

static void check_refused(const struct comparison_set *set, enum tabular_estimator estimator,
                          const char *part) {
    struct tabular_options options = options_of(TABULAR_PLACKETT_LUCE);
    options.estimator = estimator;
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    struct error err = ERROR_INIT;
    assert_fails(tabular_fit_run(set, &options, &fit, &err), ERR_DATA, part, &err);
    assert_null(fit.rewards);
}

static void test_fit__refuses_what_no_finite_rewards_explain(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 3);
    comparison_sample_add(&set, 3, (int32_t[]){0, 1, 2}, (int32_t[]){1, 2, 3});
    comparison_sample_add(&set, 3, (int32_t[]){0, 2, 1}, (int32_t[]){1, 2, 3});
    check_refused(&set, TABULAR_MAXIMUM_LIKELIHOOD, "--estimator map");
}

/* One win and one tie of two items: P(win) = P(tie) = 1/2 is best, with both parameters infinite.
 * The tie connects the two, so only the runaway shows it. */
static void test_fit__refuses_rewards_that_ties_alone_hold(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 2);
    comparison_sample_win(&set, 0, 1);
    comparison_sample_tie(&set, 0, 1);
    check_refused(&set, TABULAR_MAXIMUM_LIKELIHOOD, "infinit");
}

static void test_fit__refuses_nothing_but_ties(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 3);
    comparison_sample_add(&set, 3, (int32_t[]){0, 1, 2}, (int32_t[]){1, 1, 1});
    check_refused(&set, TABULAR_MAXIMUM_LIKELIHOOD, "an infinite log_delta_3");
    check_refused(&set, TABULAR_MAXIMUM_POSTERIOR, "an infinite log_delta_3");
}

/* A chain of items, each a little better than the next, is far apart at its ends but determined. */
static void test_fit__of_a_long_chain_is_no_runaway(void **state) {
    (void)state;
    enum { N = 40 };
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, N);
    for (int32_t i = 0; i + 1 < N; i++) {
        comparison_sample_win(&set, i, i + 1);
        comparison_sample_set_weight(&set, 20.0);
        comparison_sample_win(&set, i + 1, i);
    }
    struct tabular_options options = options_of(TABULAR_PLACKETT_LUCE);
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    fit_set(&set, &options, &fit);
    assert_near(fit.rewards[0] - fit.rewards[N - 1], (N - 1) * log(20.0), 1e-8);
}

/* ---- many ---- */

/* 300 items, rankings of 8: the rewards that they were drawn with come back. */
static void test_fit__recovers_rewards_of_many_items(void **state) {
    (void)state;
    enum { N = 300, K = 8, RANKINGS = 4000 };
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    struct rng rng = rng_stream(5, RNG_TEST, 0, 0);
    comparison_sample_init(&set, N);
    double truth[N], mean = 0.0;
    for (int i = 0; i < N; i++) {
        truth[i] = rng_normal(&rng);
        mean += truth[i] / N;
    }
    for (int c = 0; c < RANKINGS; c++) {
        int32_t items[K], ranks[K];
        double noisy[K];
        for (int m = 0; m < K; m++) {
            int32_t item = (int32_t)((c * 7 + m * 37 + (int)rng_below(&rng, 36)) % N);
            double value = truth[item] - log(-log(rng_uniform_open(&rng)));
            int at = m;
            for (; at > 0 && noisy[at - 1] < value; at--) {
                noisy[at] = noisy[at - 1];
                items[at] = items[at - 1];
            }
            noisy[at] = value;
            items[at] = item;
            ranks[m] = m + 1;
        }
        comparison_sample_add(&set, K, items, ranks);
    }
    struct tabular_options options = options_of(TABULAR_PLACKETT_LUCE);
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    fit_set(&set, &options, &fit);
    double squares = 0.0;
    for (int i = 0; i < N; i++) {
        double z = (fit.rewards[i] - truth[i] + mean) / fit.std_errors[i];
        squares += z * z;
        assert_near(z, 0.0, 4.5);
    }
    assert_near(squares / N, 1.0, 0.25); /* 3 standard errors of a mean of 300 chi-squares */
}

static enum err_code run_fit(void *context, struct error *err) {
    struct tabular_options options = options_of(TABULAR_PLACKETT_LUCE);
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    return tabular_fit_run(context, &options, &fit, err);
}

static void test_fit__survives_the_failure_of_any_allocation(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    draw_pairs(&set, 3, true);
    alloc_loop_check(run_fit, &set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fit__equals_the_enumerated_one),
        cmocka_unit_test(test_fit__of_pairs_is_bradley_terry),
        cmocka_unit_test(test_fit__of_pairs_with_ties_is_davidson),
        cmocka_unit_test(test_fit__of_a_choice_from_two_is_a_pair),
        cmocka_unit_test(test_fit__of_all_orders_has_no_deviance),
        cmocka_unit_test(test_fit__of_sparse_rankings_has_no_deviance_to_judge),
        cmocka_unit_test(test_fit__refuses_what_no_finite_rewards_explain),
        cmocka_unit_test(test_fit__refuses_rewards_that_ties_alone_hold),
        cmocka_unit_test(test_fit__refuses_nothing_but_ties),
        cmocka_unit_test(test_fit__of_a_long_chain_is_no_runaway),
        cmocka_unit_test(test_fit__recovers_rewards_of_many_items),
        cmocka_unit_test(test_fit__survives_the_failure_of_any_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
