#include "base/mem.h"
#include "base/rng.h"
#include "base/scoped.h"
#include "reward/pair_likelihood.h"
#include "reward/pair_outcome.h"
#include "reward/tabular_fit.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/comparison_sample.h"
#include "tests/support/near.h"
#include "tests/support/tabular_case.h"
#include "tests/support/test.h"

#include <math.h>

#define NUMBERS_MAX 128

static void run(const struct comparison_set *set, const struct tabular_options *options,
                struct tabular_fit *fit) {
    struct error err = ERROR_INIT;
    tabular_fit_deinit(fit);
    assert_ok(tabular_fit_run(set, options, fit, &err), &err);
}

static double parameter(const struct tabular_fit *fit, const char *name) {
    const struct tabular_parameter *found = tabular_fit_parameter(fit, name);
    assert_non_null(found);
    return found->value;
}

static double parameter_error(const struct tabular_fit *fit, const char *name) {
    return tabular_fit_parameter(fit, name)->std_error;
}

/* ---- two items, by hand ---- */

/* 30 wins against 10: r_0 - r_1 = log 3. The information about the difference is n p q = 40 * 3/16,
 * so its standard error is sqrt(16 / 120) = 0.3651484; that of r_0, half the difference, is half of
 * it. Log-likelihood 30 log(3/4) + 10 log(1/4), null 40 log(1/2); nothing is left to deviate. */
static void test_bradley_terry__two_items(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    struct tabular_options options = TABULAR_OPTIONS_DEFAULT;
    comparison_sample_init(&set, 2);
    comparison_sample_wins(&set, 0, 1, 30);
    comparison_sample_wins(&set, 1, 0, 10);
    run(&set, &options, &fit);
    assert_near(fit.rewards[0], 0.5 * log(3.0), 1e-14);
    assert_near(fit.rewards[1], -0.5 * log(3.0), 1e-14);
    assert_near(tabular_fit_contrast_std_error(&fit, 0, 1), sqrt(16.0 / 120.0), 1e-14);
    assert_near(fit.std_errors[1], 0.5 * sqrt(16.0 / 120.0), 1e-14);
    assert_near(tabular_fit_covariance(&fit, 0, 1), -0.25 * 16.0 / 120.0, 1e-15);
    double likelihood = 30.0 * log(0.75) + 10.0 * log(0.25);
    assert_near(fit.log_likelihood, likelihood, 1e-12);
    assert_near(fit.log_likelihood_saturated, likelihood, 1e-12);
    assert_near(fit.log_likelihood_null, -40.0 * log(2.0), 1e-12);
    assert_near(fit.deviance, 0.0, 1e-12);
    assert_near(fit.null_deviance, 2.0 * (likelihood + 40.0 * log(2.0)), 1e-12);
    assert_int_equal(fit.degrees_of_freedom, 0);
    assert_int_equal(fit.free_parameters, 1);
    assert_near(fit.aic, 2.0 - 2.0 * likelihood, 1e-12);
    /* 40! / (30! 10!) = 847,660,528 */
    assert_near(fit.aic_counts, 2.0 - 2.0 * (likelihood + log(847660528.0)), 1e-9);
    assert_near(fit.weight, 40.0, 0.0);
}

/* First shown wins 12 of 16 whoever it is (s = 1: item 0 wins 12 of 16; s = -1: item 1 does), so
 * the rewards are equal and the effect is log 3; its information is 32 * 3/16 = 6. */
static void test_bradley_terry__position_alone(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    struct tabular_options options = TABULAR_OPTIONS_DEFAULT;
    options.position_effect = true;
    comparison_sample_init(&set, 2);
    for (int32_t first = 0; first < 2; first++) {
        comparison_sample_win(&set, first, 1 - first);
        comparison_sample_set_weight(&set, 12.0);
        comparison_sample_set_positions(&set, (int32_t[]){1, 2});
        comparison_sample_win(&set, 1 - first, first);
        comparison_sample_set_weight(&set, 4.0);
        comparison_sample_set_positions(&set, (int32_t[]){2, 1});
    }
    run(&set, &options, &fit);
    assert_near(fit.rewards[0], 0.0, 1e-14);
    assert_near(parameter(&fit, "position"), log(3.0), 1e-13);
    assert_near(parameter_error(&fit, "position"), 1.0 / sqrt(6.0), 1e-13);
    assert_near(fit.log_likelihood_null, fit.log_likelihood, 1e-12); /* position is fitted */
    assert_int_equal(fit.degrees_of_freedom, 0);
    assert_int_equal(fit.free_parameters, 2);
    /* Swapping what was shown first turns the effect round. */
    for (int64_t m = 0; m < set.starts[set.count]; m++) {
        set.positions[m] = 3 - set.positions[m];
    }
    run(&set, &options, &fit);
    assert_near(parameter(&fit, "position"), -log(3.0), 1e-13);
}

/* 16 wins, 4 losses, 8 ties: e^D = 16 / 4, nu = 8 / sqrt(16 * 4) = 1. */
static void test_davidson__two_items(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    struct tabular_options options = TABULAR_OPTIONS_DEFAULT;
    options.model = TABULAR_DAVIDSON;
    comparison_sample_init(&set, 2);
    comparison_sample_wins(&set, 0, 1, 16);
    comparison_sample_wins(&set, 1, 0, 4);
    for (int k = 0; k < 8; k++) {
        comparison_sample_tie(&set, 0, 1);
    }
    run(&set, &options, &fit);
    assert_near(fit.rewards[0] - fit.rewards[1], log(4.0), 1e-12);
    assert_near(parameter(&fit, "log_nu"), 0.0, 1e-13);
    /* p = (4, 1, 2) / 7: the score of D, 1/2, -1/2 or 0, has variance 1/4 (5/7 - 9/49) = 13/98; of
     * log nu 2/7 * 5/7 = 10/49; covariance -1/2 * 3/7 * 2/7 = -3/49. Their inverse, over n = 28. */
    double dd = 13.0 / 98.0, ee = 10.0 / 49.0, de = -3.0 / 49.0;
    double determinant = dd * ee - de * de;
    assert_near(tabular_fit_contrast_std_error(&fit, 0, 1), sqrt(ee / determinant / 28.0), 1e-13);
    assert_near(parameter_error(&fit, "log_nu"), sqrt(dd / determinant / 28.0), 1e-13);
    assert_near(tabular_fit_covariance(&fit, 0, 2) - tabular_fit_covariance(&fit, 1, 2),
                -de / determinant / 28.0, 1e-13);
    assert_int_equal(fit.degrees_of_freedom, 0);
    assert_near(fit.deviance, 0.0, 1e-12);
}

/* P(0) = sigma(D - eta) = 16/28, P(1) = sigma(-D - eta) = 4/28: log-odds log(4/3), log(1/6), so
 * D = (log(4/3) - log(1/6)) / 2 = log(8) / 2 and eta = -(log(4/3) + log(1/6)) / 2 = log(4.5) / 2.
 */
static void test_rao_kupper__two_items(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    struct tabular_options options = TABULAR_OPTIONS_DEFAULT;
    options.model = TABULAR_RAO_KUPPER;
    comparison_sample_init(&set, 2);
    comparison_sample_wins(&set, 0, 1, 16);
    comparison_sample_wins(&set, 1, 0, 4);
    comparison_sample_tie(&set, 0, 1);
    comparison_sample_set_weight(&set, 8.0);
    run(&set, &options, &fit);
    assert_near(fit.rewards[0] - fit.rewards[1], 0.5 * log(8.0), 1e-13);
    assert_near(parameter(&fit, "eta"), 0.5 * log(4.5), 1e-13);
    double likelihood = 16.0 * log(16.0 / 28.0) + 4.0 * log(4.0 / 28.0) + 8.0 * log(8.0 / 28.0);
    assert_near(fit.log_likelihood, likelihood, 1e-12);
    /* equal items: wins 20, ties 8 of 28, each side half */
    assert_near(fit.log_likelihood_null, 20.0 * log(10.0 / 28.0) + 8.0 * log(8.0 / 28.0), 1e-12);
}

/* Jeffreys' prior of one log-odds adds half a win and half a loss: log((n + 1/2) / (1/2)). */
static void test_firth__never_lost_is_finite(void **state) {
    (void)state;
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    struct tabular_options options = TABULAR_OPTIONS_DEFAULT;
    options.estimator = TABULAR_FIRTH;
    for (int64_t wins = 1; wins < 40; wins += 6) {
        SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
        comparison_sample_init(&set, 2);
        comparison_sample_wins(&set, 1, 0, wins);
        run(&set, &options, &fit);
        double difference = log(((double)wins + 0.5) / 0.5);
        assert_near(fit.rewards[1] - fit.rewards[0], difference, 1e-11);
        double p = 1.0 / (1.0 + exp(-difference));
        assert_near(tabular_fit_contrast_std_error(&fit, 0, 1),
                    1.0 / sqrt((double)wins * p * (1.0 - p)), 1e-10);
    }
}

/* One win, ridge 1: r_0 = -r_1 = u with sigma(-2u) = u. */
static void test_map__one_win(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    struct tabular_options options = TABULAR_OPTIONS_DEFAULT;
    options.estimator = TABULAR_MAXIMUM_POSTERIOR;
    options.ridge = 1.0;
    comparison_sample_init(&set, 2);
    comparison_sample_win(&set, 0, 1);
    run(&set, &options, &fit);
    double u = fit.rewards[0];
    assert_near(u, 1.0 / (1.0 + exp(2.0 * u)), 1e-14);
    assert_near(fit.rewards[1], -u, 1e-15);
    /* curvature in u: 2 ridge + 4 p q; of r_0 = u its inverse */
    double p = 1.0 / (1.0 + exp(-2.0 * u));
    assert_near(fit.std_errors[0], 1.0 / sqrt(2.0 + 4.0 * p * (1.0 - p)), 1e-13);
    assert_near(fit.log_likelihood, log(p), 1e-14); /* without the prior */
}

/* ---- against another implementation ---- */

static void check_golden(const struct json *doc, const struct json_node *node) {
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    SCOPED(tabular_fit) struct tabular_fit by_block = TABULAR_FIT_INIT;
    struct tabular_options options;
    double expected[NUMBERS_MAX];
    struct error err = ERROR_INIT;
    tabular_case_read(doc, node, &set, &options);
    const struct json_node *golden = json_find(doc, node, "expected");
    run(&set, &options, &fit);
    assert_int_equal(tabular_case_numbers(doc, golden, "rewards", expected, NUMBERS_MAX),
                     fit.item_count);
    for (int64_t i = 0; i < fit.item_count; i++) {
        assert_near(fit.rewards[i], expected[i], 1e-9);
    }
    assert_int_equal(tabular_case_numbers(doc, golden, "parameters", expected, NUMBERS_MAX),
                     fit.parameter_count);
    for (int64_t p = 0; p < fit.parameter_count; p++) {
        assert_near(fit.parameters[p].value, expected[p], 1e-9);
    }
    int64_t n = fit.item_count + fit.parameter_count;
    assert_int_equal(fit.covariance_size, n);
    assert_int_equal(tabular_case_numbers(doc, golden, "covariance", expected, NUMBERS_MAX),
                     n * (n + 1) / 2);
    for (int64_t k = 0; k < n * (n + 1) / 2; k++) {
        assert_near(fit.covariance[k], expected[k], 1e-7);
    }
    double likelihood = 0.0;
    assert_ok(json_as_f64(doc, json_find(doc, golden, "log_likelihood"), &likelihood, &err), &err);
    assert_near(fit.log_likelihood, likelihood, 1e-9);
    assert_ok(json_as_f64(doc, json_find(doc, golden, "log_likelihood_null"), &likelihood, &err),
              &err);
    assert_near(fit.log_likelihood_null, likelihood, 1e-9);
    /* Seven items in blocks of three and four: with room for a covariance of four only, standard
     * errors come block by block. */
    options.covariance_items_max = 4;
    if (set.item_count == 7 && options.estimator != TABULAR_FIRTH) {
        run(&set, &options, &by_block);
        assert_null(by_block.covariance);
        for (int64_t i = 0; i < fit.item_count; i++) {
            assert_near(by_block.std_errors[i], fit.std_errors[i], 1e-12);
        }
        for (int64_t p = 0; p < fit.parameter_count; p++) {
            assert_near(by_block.parameters[p].std_error, fit.parameters[p].std_error, 1e-12);
        }
    }
}

static void test_pairs__as_an_independent_implementation_has_them(void **state) {
    (void)state;
    SCOPED(json) struct json *doc = NULL;
    struct error err = ERROR_INIT;
    assert_ok(json_parse_file(GOLDEN_FOLDER "/tabular/pairs.json", NULL, &doc, &err), &err);
    assert_int_equal(json_count(doc, json_root(doc)), 28);
    for (const struct json_node *node = json_first(json_root(doc)); node; node = json_next(node)) {
        check_golden(doc, node);
    }
}

/* ---- properties ---- */

/* Random comparisons of `items` items from `first` on; everybody meets everybody. */
static void add_random(struct comparison_set *set, struct rng *rng, int32_t first, int32_t items) {
    for (int32_t a = 0; a < items; a++) {
        for (int32_t b = 0; b < items; b++) {
            for (int k = 0; k < 3 && a != b; k++) {
                bool is_tie = rng_below(rng, 4) == 0;
                comparison_sample_add(set, 2, (int32_t[]){first + a, first + b},
                                      (int32_t[]){1, is_tie ? 1 : 2});
                int32_t shown = (int32_t)rng_below(rng, 2) + 1;
                comparison_sample_set_positions(set, (int32_t[]){shown, 3 - shown});
                comparison_sample_set_weight(set, (double)(1 + rng_below(rng, 3)));
            }
        }
    }
}

static struct tabular_options with_model(enum tabular_model model, bool position) {
    struct tabular_options options = TABULAR_OPTIONS_DEFAULT;
    options.model = model;
    options.position_effect = position;
    options.ties = model == TABULAR_BRADLEY_TERRY ? TABULAR_TIES_HALF : TABULAR_TIES_REFUSE;
    return options;
}

static const enum tabular_model pair_models[] = {TABULAR_BRADLEY_TERRY, TABULAR_DAVIDSON,
                                                 TABULAR_RAO_KUPPER};

/* x +- h e_k for every variable: gradient and Hessian by central differences. */
static void check_derivatives(const struct newton_problem *problem, double *x) {
    const double h = 1e-5;
    double gradient[16], above[16], below[16], column[16], unit[16] = {0.0}, dense[256];
    double diagonal[16];
    int64_t n = problem->size;
    for (int64_t k = 0; k < n; k++) {
        double at = x[k];
        x[k] = at + h;
        double value_above = problem->value(problem->context, x);
        problem->gradient(problem->context, x, above);
        x[k] = at - h;
        double value_below = problem->value(problem->context, x);
        problem->gradient(problem->context, x, below);
        x[k] = at;
        problem->gradient(problem->context, x, gradient);
        assert_near(gradient[k], (value_above - value_below) / (2.0 * h), 1e-5);
        unit[k] = 1.0;
        problem->hessian_times(problem->context, x, unit, column);
        unit[k] = 0.0;
        problem->diagonal(problem->context, x, diagonal);
        problem->dense(problem->context, x, dense);
        assert_near(diagonal[k], column[k], 1e-9);
        for (int64_t j = 0; j < n; j++) {
            assert_near(column[j], (above[j] - below[j]) / (2.0 * h), 1e-5);
            int64_t row = j > k ? j : k;
            assert_near(dense[row * (row + 1) / 2 + (j < k ? j : k)], column[j], 1e-9);
        }
    }
}

static void test_pair_likelihood__derivatives(void **state) {
    (void)state;
    for (int64_t m = 0; m < 12; m++) {
        SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
        SCOPED(pair_table) struct pair_table table = PAIR_TABLE_INIT;
        SCOPED(pair_likelihood) struct pair_likelihood model = PAIR_LIKELIHOOD_INIT;
        struct error err = ERROR_INIT;
        struct rng rng = rng_stream(3, RNG_TEST, m, 0);
        comparison_sample_init(&set, 6);
        for (int32_t i = 4; i < 6; i++) {
            comparison_sample_set_block(&set, i, 1);
        }
        add_random(&set, &rng, 0, 4);
        add_random(&set, &rng, 4, 2);
        struct tabular_options options = with_model(pair_models[m % 3], m % 2 == 0);
        options.estimator = m < 6 ? TABULAR_MAXIMUM_POSTERIOR : TABULAR_MAXIMUM_LIKELIHOOD;
        enum pair_ties ties =
            options.model == TABULAR_BRADLEY_TERRY ? PAIR_TIES_HALF : PAIR_TIES_KEEP;
        assert_ok(pair_table_build(&set, ties, &table, &err), &err);
        assert_ok(pair_likelihood_init(&model, &set, &table, &options, &err), &err);
        struct newton_problem problem = pair_likelihood_problem(&model);
        double x[16];
        for (int64_t k = 0; k < problem.size; k++) {
            x[k] = 2.0 * rng_uniform(&rng) + 0.1; /* eta stays above 0 */
        }
        check_derivatives(&problem, x);
    }
}

/* Reversing every outcome, and what was shown first, reverses rewards and leaves the rest. */
static void test_pairs__reversed_outcomes_reverse_rewards(void **state) {
    (void)state;
    for (int m = 0; m < 6; m++) {
        SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
        SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
        SCOPED(tabular_fit) struct tabular_fit reversed = TABULAR_FIT_INIT;
        struct rng rng = rng_stream(4, RNG_TEST, m, 0);
        struct tabular_options options = with_model(pair_models[m % 3], m >= 3);
        comparison_sample_init(&set, 5);
        add_random(&set, &rng, 0, 5);
        run(&set, &options, &fit);
        for (int64_t k = 0; k < set.starts[set.count]; k += 2) {
            int32_t item = set.items[k];
            set.items[k] = set.items[k + 1];
            set.items[k + 1] = item; /* positions stay with places: they go with the outcome */
        }
        run(&set, &options, &reversed);
        for (int64_t i = 0; i < 5; i++) {
            assert_near(reversed.rewards[i], -fit.rewards[i], 1e-10);
            assert_near(reversed.std_errors[i], fit.std_errors[i], 1e-10);
        }
        for (int64_t p = 0; p < fit.parameter_count; p++) {
            assert_near(reversed.parameters[p].value, fit.parameters[p].value, 1e-10);
        }
        assert_near(reversed.log_likelihood, fit.log_likelihood, 1e-9);
    }
}

static void test_pairs__weight_is_repetition(void **state) {
    (void)state;
    for (int m = 0; m < 3; m++) {
        SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
        SCOPED(comparison_set) struct comparison_set repeated = COMPARISON_SET_INIT;
        SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
        SCOPED(tabular_fit) struct tabular_fit again = TABULAR_FIT_INIT;
        struct rng rng = rng_stream(5, RNG_TEST, m, 0);
        struct tabular_options options = with_model(pair_models[m], true);
        if (options.ties == TABULAR_TIES_HALF) {
            options.ties = TABULAR_TIES_DROP; /* so that counts stay whole */
        }
        comparison_sample_init(&set, 5);
        comparison_sample_init(&repeated, 5);
        add_random(&set, &rng, 0, 5);
        for (int64_t c = 0; c < set.count; c++) {
            for (int64_t w = 0; w < (int64_t)set.weights[c]; w++) {
                comparison_sample_add(&repeated, 2, &set.items[2 * c], &set.ranks[2 * c]);
                comparison_sample_set_positions(&repeated, &set.positions[2 * c]);
            }
        }
        run(&set, &options, &fit);
        run(&repeated, &options, &again);
        assert_true(repeated.count > set.count);
        for (int64_t i = 0; i < 5; i++) {
            assert_near(fit.rewards[i], again.rewards[i], 1e-12);
            assert_near(fit.std_errors[i], again.std_errors[i], 1e-12);
        }
        assert_near(fit.aic_counts, again.aic_counts, 1e-8);
    }
}

/* Without parameters in common, blocks are fitted as if each were alone. */
static void test_pairs__blocks_do_not_see_each_other(void **state) {
    (void)state;
    struct tabular_options options = with_model(TABULAR_BRADLEY_TERRY, false);
    for (int e = 0; e < 3; e++) {
        SCOPED(comparison_set) struct comparison_set both = COMPARISON_SET_INIT;
        SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
        SCOPED(tabular_fit) struct tabular_fit alone = TABULAR_FIT_INIT;
        options.estimator = (enum tabular_estimator)e;
        struct rng rng = rng_stream(6, RNG_TEST, 0, 0);
        comparison_sample_init(&both, 8);
        for (int32_t i = 3; i < 8; i++) {
            comparison_sample_set_block(&both, i, 1);
        }
        add_random(&both, &rng, 0, 3);
        add_random(&both, &rng, 3, 5);
        run(&both, &options, &fit);
        double likelihood = 0.0;
        rng = rng_stream(6, RNG_TEST, 0, 0);
        for (int32_t b = 0; b < 2; b++) {
            SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
            int32_t items = b == 0 ? 3 : 5;
            comparison_sample_init(&set, items);
            add_random(&set, &rng, 0, items);
            run(&set, &options, &alone);
            likelihood += alone.log_likelihood;
            for (int32_t i = 0; i < items; i++) {
                assert_near(fit.rewards[3 * b + i], alone.rewards[i], 1e-9);
                assert_near(fit.std_errors[3 * b + i], alone.std_errors[i], 1e-9);
            }
        }
        assert_near(fit.log_likelihood, likelihood, 1e-9);
        assert_near(tabular_fit_covariance(&fit, 1, 5), 0.0, 1e-12);
    }
}

/* A chain, which conjugate gradients see the ends of last: neighbours met 8 times and 2 of these
 * went the other way, so every difference is log 3; the middle of 400 is mean 0. */
static void test_bradley_terry__long_chain(void **state) {
    (void)state;
    enum { ITEMS = 400 };
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    struct tabular_options options = TABULAR_OPTIONS_DEFAULT;
    comparison_sample_init(&set, ITEMS);
    for (int32_t i = 0; i + 1 < ITEMS; i++) {
        comparison_sample_wins(&set, i, i + 1, 6);
        comparison_sample_wins(&set, i + 1, i, 2);
    }
    run(&set, &options, &fit);
    for (int64_t i = 0; i < ITEMS; i++) {
        assert_near(fit.rewards[i], (199.5 - (double)i) * log(3.0), 1e-8);
    }
    /* each link adds 1 / (8 * 3/16) to the variance of a difference */
    assert_near(tabular_fit_contrast_std_error(&fit, 0, ITEMS - 1), sqrt((ITEMS - 1) / 1.5), 1e-6);
}

/* Weights a thousand million times as large, and as small, give the same rewards. */
static void test_bradley_terry__scale_of_weights(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    SCOPED(tabular_fit) struct tabular_fit scaled = TABULAR_FIT_INIT;
    struct rng rng = rng_stream(8, RNG_TEST, 0, 0);
    struct tabular_options options = with_model(TABULAR_BRADLEY_TERRY, true);
    comparison_sample_init(&set, 5);
    add_random(&set, &rng, 0, 5);
    run(&set, &options, &fit);
    for (int k = 0; k < 2; k++) {
        double factor = k == 0 ? 1e9 : 1e-18; /* the second on top of the first */
        for (int64_t c = 0; c < set.count; c++) {
            set.weights[c] *= factor;
        }
        run(&set, &options, &scaled);
        for (int64_t i = 0; i < 5; i++) {
            assert_near(scaled.rewards[i], fit.rewards[i], 1e-9);
        }
    }
    assert_true(isnan(scaled.aic_counts)); /* weights of 1e-9 count nothing */
}

/* Weights over eight powers of ten, rewards so far apart that most outcomes are certain, and priors
 * down to 1e-9: whatever has an estimate is fitted, with a gradient of rounding and finite errors.
 */
static void check_hard_case(int64_t seed) {
    struct rng rng = rng_stream(14, RNG_TEST, seed, 0);
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    struct error err = ERROR_INIT;
    struct tabular_options options =
        with_model(pair_models[rng_below(&rng, 3)], rng_below(&rng, 2) == 0);
    options.estimator = (enum tabular_estimator)rng_below(&rng, 2);
    options.ridge = pow(10.0, 12.0 * rng_uniform(&rng) - 9.0);
    int64_t items = 2 + rng_below(&rng, 40);
    double spread = pow(10.0, 2.0 * rng_uniform(&rng) - 1.0), truth[42];
    for (int64_t i = 0; i < items; i++) {
        truth[i] = spread * rng_normal(&rng);
    }
    comparison_sample_init(&set, items);
    for (int64_t n = rng_below(&rng, 10 * items); n >= 0; n--) {
        int64_t a = rng_below(&rng, items);
        int64_t b = (a + 1 + rng_below(&rng, items - 1)) % items;
        bool is_won = rng_uniform(&rng) < 1.0 / (1.0 + exp(truth[b] - truth[a]));
        int32_t shown = 1 + (int32_t)rng_below(&rng, 2);
        comparison_sample_add(&set, 2,
                              (int32_t[]){(int32_t)(is_won ? a : b), (int32_t)(is_won ? b : a)},
                              (int32_t[]){1, rng_below(&rng, 6) == 0 ? 1 : 2});
        comparison_sample_set_positions(&set, (int32_t[]){shown, 3 - shown});
        comparison_sample_set_weight(&set, pow(10.0, 8.0 * rng_uniform(&rng) - 4.0));
    }
    enum err_code code = tabular_fit_run(&set, &options, &fit, &err);
    if (code != ERR_OK) {
        assert_int_equal(code, ERR_DATA);
        assert_non_null(strstr(err.msg, ": no "));
        return;
    }
    assert_true(fit.gradient_max <= 5e-12 * fit.weight);
    assert_true(fit.iterations < 150);
    for (int64_t i = 0; i < items; i++) {
        assert_true(isfinite(fit.rewards[i]) && isfinite(fit.std_errors[i]));
    }
}

static void test_pairs__hard_cases_converge(void **state) {
    (void)state;
    for (int64_t seed = 0; seed < 1000; seed++) {
        check_hard_case(seed);
    }
}

static void test_pair_log1p__to_the_last_places(void **state) {
    (void)state;
    struct rng rng = rng_stream(9, RNG_TEST, 0, 0);
    for (int k = 0; k < 20000; k++) {
        double e = pow(10.0, -20.0 * rng_uniform(&rng));
        assert_near(pair_log1p(e), log1p(e), 4e-16 * log1p(e));
    }
    assert_near(pair_log1p(0.0), 0.0, 0.0);
    assert_near(pair_log1p(1.0), log(2.0), 0.0);
}

/* ---- what is refused ---- */

static void refuse(const struct comparison_set *set, const struct tabular_options *options,
                   enum err_code code, const char *part) {
    struct error err = ERROR_INIT;
    struct tabular_fit fit = {.item_count = -5};
    assert_fails(tabular_fit_run(set, options, &fit, &err), code, part, &err);
    assert_int_equal(fit.item_count, -5);
}

static void test_tabular_fit__options_that_do_not_go_together(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 2);
    comparison_sample_tie(&set, 0, 1);
    struct tabular_options options = with_model(TABULAR_DAVIDSON, false);
    options.estimator = TABULAR_FIRTH;
    refuse(&set, &options, ERR_CONFIG, "estimator 'firth' is for bradley-terry, not 'davidson'");
    options = with_model(TABULAR_RAO_KUPPER, false);
    options.ties = TABULAR_TIES_DROP;
    refuse(&set, &options, ERR_CONFIG, "'rao-kupper' has ties of its own; leave out --ties drop");
    options = with_model(TABULAR_PLACKETT_LUCE, true);
    refuse(&set, &options, ERR_CONFIG, "'plackett-luce' has no position effect");
    options = with_model(TABULAR_BRADLEY_TERRY, false);
    options.estimator = TABULAR_MAXIMUM_POSTERIOR;
    options.ridge = 0.0;
    refuse(&set, &options, ERR_CONFIG, "ridge = 0");
    options.ridge = (double)NAN;
    refuse(&set, &options, ERR_CONFIG, "ridge");
    options = with_model(TABULAR_CROWD_BT, false);
    options.reliability_bad = -1.0;
    refuse(&set, &options, ERR_CONFIG, "prior of reliabilities 4, -1");
    options = with_model(TABULAR_BRADLEY_TERRY, false);
    options.iterations_max = 0;
    refuse(&set, &options, ERR_CONFIG, "at most 0 iterations");
}

static void test_tabular_fit__nothing_to_fit(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 2);
    struct tabular_options options = with_model(TABULAR_BRADLEY_TERRY, false);
    refuse(&set, &options, ERR_DATA, "nothing to fit: 0 comparisons of 2 items");
    comparison_sample_tie(&set, 0, 1);
    options.ties = TABULAR_TIES_DROP;
    refuse(&set, &options, ERR_DATA, "no pair is left to fit, of 1 comparisons");
    options.ties = TABULAR_TIES_REFUSE;
    refuse(&set, &options, ERR_DATA,
           "fit of 'bradley-terry': 1 pairs are tied, and bradley-terry has no ties");
    options.estimator = TABULAR_FIRTH;
    options.ties = TABULAR_TIES_HALF;
    options.covariance_items_max = 1;
    refuse(&set, &options, ERR_LIMIT, "firth needs the covariance of all 2 items");
}

struct alloc_case {
    const struct comparison_set *set;
    struct tabular_options options;
};

static enum err_code fit_once(void *context, struct error *err) {
    const struct alloc_case *c = context;
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    return tabular_fit_run(c->set, &c->options, &fit, err);
}

static void test_tabular_fit__every_allocation_may_fail(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    struct rng rng = rng_stream(10, RNG_TEST, 0, 0);
    comparison_sample_init(&set, 4);
    add_random(&set, &rng, 0, 4);
    struct alloc_case c = {.set = &set, .options = with_model(TABULAR_DAVIDSON, true)};
    alloc_loop_check(fit_once, &c);
    c.options = with_model(TABULAR_BRADLEY_TERRY, false);
    c.options.estimator = TABULAR_FIRTH;
    alloc_loop_check(fit_once, &c);
    SCOPED(comparison_set) struct comparison_set blocks = COMPARISON_SET_INIT;
    comparison_sample_init(&blocks, 4);
    for (int32_t i = 2; i < 4; i++) {
        comparison_sample_set_block(&blocks, i, 1);
    }
    add_random(&blocks, &rng, 0, 2);
    add_random(&blocks, &rng, 2, 2);
    c.set = &blocks;
    c.options = with_model(TABULAR_DAVIDSON, true);
    c.options.covariance_items_max = 2; /* standard errors block by block */
    alloc_loop_check(fit_once, &c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bradley_terry__two_items),
        cmocka_unit_test(test_bradley_terry__position_alone),
        cmocka_unit_test(test_davidson__two_items),
        cmocka_unit_test(test_rao_kupper__two_items),
        cmocka_unit_test(test_firth__never_lost_is_finite),
        cmocka_unit_test(test_map__one_win),
        cmocka_unit_test(test_pairs__as_an_independent_implementation_has_them),
        cmocka_unit_test(test_pair_likelihood__derivatives),
        cmocka_unit_test(test_pairs__reversed_outcomes_reverse_rewards),
        cmocka_unit_test(test_pairs__weight_is_repetition),
        cmocka_unit_test(test_pairs__blocks_do_not_see_each_other),
        cmocka_unit_test(test_bradley_terry__long_chain),
        cmocka_unit_test(test_bradley_terry__scale_of_weights),
        cmocka_unit_test(test_pairs__hard_cases_converge),
        cmocka_unit_test(test_pair_log1p__to_the_last_places),
        cmocka_unit_test(test_tabular_fit__options_that_do_not_go_together),
        cmocka_unit_test(test_tabular_fit__nothing_to_fit),
        cmocka_unit_test(test_tabular_fit__every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
