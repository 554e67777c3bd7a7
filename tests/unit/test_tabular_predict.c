#include "reward/tabular_predict.h"

#include "base/rng.h"
#include "base/scoped.h"
#include "reward/pair_outcome.h"
#include "reward/tabular_variance.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/comparison_sample.h"
#include "tests/support/near.h"
#include "tests/support/test.h"

#include <math.h>

/* A fit of two items made by hand, without covariance. */
struct by_hand {
    double rewards[2];
    struct tabular_fit fit;
};

static void make(struct by_hand *hand, enum tabular_model model, double difference,
                 const char *name, double value) {
    *hand = (struct by_hand){.rewards = {0.75 * difference, -0.25 * difference}};
    hand->fit = (struct tabular_fit){.options.model = model, .item_count = 2};
    hand->fit.rewards = hand->rewards;
    if (name) {
        hand->fit.parameter_count = 1;
        hand->fit.parameters[0] = (struct tabular_parameter){.name = name, .value = value};
    }
}

static struct tabular_prediction ask(const struct tabular_fit *fit, int side) {
    struct tabular_question question = {.item = 0, .other = 1, .side = side, .level = 0.95};
    struct tabular_prediction answer;
    tabular_predict(fit, &question, &answer);
    return answer;
}

static void check_values(const struct tabular_prediction *p, double win, double loss, double tie) {
    assert_near(p->win.value, win, 5e-11);
    assert_near(p->loss.value, loss, 5e-11);
    assert_near(p->tie.value, tie, 5e-11);
}

/* D = 1: Rao-Kupper with eta 0.5 and Davidson with nu 0.5, worked out elsewhere to ten digits. */
static void test_predict__checked_values(void **state) {
    (void)state;
    struct by_hand hand;
    make(&hand, TABULAR_RAO_KUPPER, 1.0, "eta", 0.5);
    struct tabular_prediction p = ask(&hand.fit, 0);
    check_values(&p, 0.6224593312, 0.1824255238, 0.1951151450);
    make(&hand, TABULAR_DAVIDSON, 1.0, "log_nu", log(0.5));
    p = ask(&hand.fit, 0);
    check_values(&p, 0.5983922024, 0.2201361890, 0.1814716086);
    make(&hand, TABULAR_PLACKETT_LUCE, 1.0, "log_delta_2", log(0.5));
    p = ask(&hand.fit, 0);
    check_values(&p, 0.5983922024, 0.2201361890, 0.1814716086);
    make(&hand, TABULAR_BRADLEY_TERRY, 1.0, NULL, 0.0);
    p = ask(&hand.fit, 0);
    check_values(&p, 0.7310585786300049, 0.2689414213699951, 0.0);
    assert_near(p.difference, 1.0, 1e-15);
    assert_true(isnan(p.win.low) && isnan(p.win.high) && isnan(p.std_error));
}

static void test_predict__position_adds_to_the_difference(void **state) {
    (void)state;
    struct by_hand hand;
    make(&hand, TABULAR_BRADLEY_TERRY, 1.0, "position", 0.25);
    assert_near(ask(&hand.fit, 0).difference, 1.0, 1e-15);
    assert_near(ask(&hand.fit, 1).difference, 1.25, 1e-15);
    assert_near(ask(&hand.fit, -1).difference, 0.75, 1e-15);
    assert_near(ask(&hand.fit, -1).win.value, 1.0 / (1.0 + exp(-0.75)), 1e-15);
}

/* However far apart items are, the three add up to one and none is negative. */
static void test_predict__shares_of_one(void **state) {
    (void)state;
    struct by_hand hand;
    for (int k = -72; k <= 72; k++) {
        for (int l = 0; l < 9; l++) {
            double d = 12.5 * k, e = 0.03 * pow(3.0, l);
            make(&hand, TABULAR_DAVIDSON, d, "log_nu", e - 5.0);
            struct tabular_prediction p = ask(&hand.fit, 0);
            assert_near(p.win.value + p.loss.value + p.tie.value, 1.0, 1e-13);
            make(&hand, TABULAR_RAO_KUPPER, d, "eta", e);
            p = ask(&hand.fit, 0);
            assert_near(p.win.value + p.loss.value + p.tie.value, 1.0, 1e-12);
            assert_true(p.win.value >= 0.0 && p.loss.value >= 0.0 && p.tie.value >= 0.0);
        }
    }
}

/* 30 wins to 10: log-odds log 3 with standard error sqrt(2/15); at 95 % the interval of P(win) is
 * sigma(log 3 -+ 1.959964 * 0.3651484) = 0.594594, 0.859866; that of P(loss) mirrors it. */
static void test_predict__interval_by_hand(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    struct tabular_options options = TABULAR_OPTIONS_DEFAULT;
    struct error err = ERROR_INIT;
    comparison_sample_init(&set, 2);
    comparison_sample_wins(&set, 0, 1, 30);
    comparison_sample_wins(&set, 1, 0, 10);
    assert_ok(tabular_fit_run(&set, &options, &fit, &err), &err);
    struct tabular_prediction p = ask(&fit, 0);
    double width = 1.959963984540054 * sqrt(2.0 / 15.0);
    assert_near(p.win.value, 0.75, 1e-13);
    assert_near(p.std_error, sqrt(2.0 / 15.0), 1e-13);
    assert_near(p.win.low, 1.0 / (1.0 + exp(-log(3.0) + width)), 1e-13);
    assert_near(p.win.high, 1.0 / (1.0 + exp(-log(3.0) - width)), 1e-13);
    assert_near(p.loss.low, 1.0 - p.win.high, 1e-13);
    assert_near(p.loss.high, 1.0 - p.win.low, 1e-13);
    assert_true(isnan(p.tie.low)); /* the model has none */
}

static void add_random(struct comparison_set *set, struct rng *rng, int32_t items) {
    for (int32_t a = 0; a < items; a++) {
        for (int32_t b = 0; b < items; b++) {
            for (int k = 0; k < 2 && a != b; k++) {
                bool is_tie = rng_below(rng, 3) == 0;
                comparison_sample_add(set, 2, (int32_t[]){a, b}, (int32_t[]){1, is_tie ? 1 : 2});
                int32_t shown = (int32_t)rng_below(rng, 2) + 1;
                comparison_sample_set_positions(set, (int32_t[]){shown, 3 - shown});
            }
        }
    }
}

static double log_odds(double p) {
    return log(p / (1.0 - p));
}

/* Half width of an interval on the log-odds, with slopes of the log-odds by central differences and
 * the covariance of the fit: an independent way to the same number. */
static double half_width(const struct tabular_fit *fit, enum tabular_model model, int outcome,
                         double difference, int side) {
    const double h = 1e-5;
    double e = fit->parameters[1].value;
    double slopes[2];
    for (int k = 0; k < 2; k++) {
        double ends[2];
        for (int s = 0; s < 2; s++) {
            double step = s == 0 ? h : -h;
            struct pair_outcome p = pair_outcome_of(model, difference + (k == 0 ? step : 0.0),
                                                    e + (k == 1 ? step : 0.0));
            ends[s] = log_odds(outcome == 0 ? p.win : outcome == 1 ? p.loss : p.tie);
        }
        slopes[k] = (ends[0] - ends[1]) / (2.0 * h);
    }
    /* c = +1 at item 0, -1 at item 1, side at the position; n items before the parameters */
    int64_t n = fit->item_count;
    int64_t places[4] = {0, 1, n, n + 1};
    double weights[4] = {slopes[0], -slopes[0], slopes[0] * side, slopes[1]};
    double variance = 0.0;
    for (int a = 0; a < 4; a++) {
        for (int b = 0; b < 4; b++) {
            variance += weights[a] * weights[b] * tabular_fit_covariance(fit, places[a], places[b]);
        }
    }
    return 1.959963984540054 * sqrt(variance);
}

static void check_share(const struct tabular_share *share, double width) {
    assert_near(log_odds(share->high) - log_odds(share->value), width, 1e-6);
    assert_near(log_odds(share->value) - log_odds(share->low), width, 1e-6);
}

static void test_predict__intervals_with_ties_and_position(void **state) {
    (void)state;
    const enum tabular_model models[] = {TABULAR_DAVIDSON, TABULAR_RAO_KUPPER};
    for (int m = 0; m < 2; m++) {
        for (int side = -1; side <= 1; side++) {
            SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
            SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
            struct tabular_options options = TABULAR_OPTIONS_DEFAULT;
            struct rng rng = rng_stream(11, RNG_TEST, m, 0);
            struct error err = ERROR_INIT;
            options.model = models[m];
            options.position_effect = true;
            comparison_sample_init(&set, 4);
            add_random(&set, &rng, 4);
            assert_ok(tabular_fit_run(&set, &options, &fit, &err), &err);
            struct tabular_prediction p = ask(&fit, side);
            check_share(&p.win, half_width(&fit, models[m], 0, p.difference, side));
            check_share(&p.loss, half_width(&fit, models[m], 1, p.difference, side));
            check_share(&p.tie, half_width(&fit, models[m], 2, p.difference, side));
            /* seen from the other item */
            struct tabular_question question = {
                .item = 1, .other = 0, .side = -side, .level = 0.95};
            struct tabular_prediction mirror;
            tabular_predict(&fit, &question, &mirror);
            assert_near(mirror.win.low, p.loss.low, 1e-13);
            assert_near(mirror.tie.high, p.tie.high, 1e-13);
        }
    }
}

/* Without the n x n array: the same numbers by conjugate gradients. */
static void check_variance(const struct comparison_set *set, const struct tabular_fit *fit) {
    SCOPED(tabular_variance) struct tabular_variance *variance = NULL;
    struct error err = ERROR_INIT;
    assert_ok(tabular_variance_open(set, fit, &variance, &err), &err);
    for (int64_t i = 0; i < set->item_count; i++) {
        double error = 0.0;
        assert_ok(tabular_variance_item(variance, i, &error, &err), &err);
        assert_near(error, fit->std_errors[i], 1e-10);
        assert_ok(tabular_variance_contrast(variance, i, 2, &error, &err), &err);
        assert_near(error, tabular_fit_contrast_std_error(fit, i, 2), 1e-10);
    }
    struct tabular_question question = {.item = 3, .other = 7, .side = -1, .level = 0.9};
    struct tabular_prediction dense, sparse;
    struct tabular_spread spread;
    assert_ok(tabular_variance_spread(variance, &question, &spread, &err), &err);
    tabular_predict(fit, &question, &dense);
    tabular_predict_with(fit, &question, &spread, &sparse);
    assert_near(sparse.std_error, dense.std_error, 1e-10);
    assert_near(sparse.win.low, dense.win.low, 1e-9);
    if (dense.tie.value > 0.0) {
        assert_near(sparse.tie.low, dense.tie.low, 1e-9);
        assert_near(sparse.tie.high, dense.tie.high, 1e-9);
    }
}

/* Every model, by maximum likelihood and with a prior. */
static void test_variance__equals_the_covariance(void **state) {
    (void)state;
    for (int m = 0; m < 2 * TABULAR_MODEL_COUNT; m++) {
        SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
        SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
        struct tabular_options options = TABULAR_OPTIONS_DEFAULT;
        struct rng rng = rng_stream(12, RNG_TEST, m, 0);
        struct error err = ERROR_INIT;
        options.model = (enum tabular_model)(m % TABULAR_MODEL_COUNT);
        bool has_ties = options.model != TABULAR_BRADLEY_TERRY && options.model != TABULAR_CROWD_BT;
        options.ties = has_ties ? TABULAR_TIES_REFUSE : TABULAR_TIES_HALF;
        options.position_effect = options.model != TABULAR_PLACKETT_LUCE && m % 2 == 0;
        options.estimator =
            m < TABULAR_MODEL_COUNT ? TABULAR_MAXIMUM_LIKELIHOOD : TABULAR_MAXIMUM_POSTERIOR;
        comparison_sample_init(&set, 9);
        add_random(&set, &rng, 9);
        for (int64_t c = 0; c < set.count; c++) {
            set.annotators[c] = (int32_t)(c % 3);
        }
        set.annotator_count = 3;
        assert_ok(tabular_fit_run(&set, &options, &fit, &err), &err);
        check_variance(&set, &fit);
    }
}

/* A comparison more, or a judge, and the fit is not of this set. */
static void test_variance__refuses_another_set(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    struct tabular_variance *variance = NULL;
    struct tabular_options options = TABULAR_OPTIONS_DEFAULT;
    struct rng rng = rng_stream(14, RNG_TEST, 0, 0);
    struct error err = ERROR_INIT;
    options.ties = TABULAR_TIES_DROP;
    comparison_sample_init(&set, 4);
    add_random(&set, &rng, 4);
    assert_ok(tabular_fit_run(&set, &options, &fit, &err), &err);
    comparison_sample_win(&set, 0, 1);
    assert_fails(tabular_variance_open(&set, &fit, &variance, &err), ERR_DATA,
                 "the comparisons are not those of the fit", &err);
    set.item_count = 3;
    assert_fails(tabular_variance_open(&set, &fit, &variance, &err), ERR_DATA,
                 "a fit of 4 items, and comparisons of 3", &err);
    fit.item_count = 3;
    fit.options.model = TABULAR_CROWD_BT;
    fit.annotator_count = 1;
    assert_fails(tabular_variance_open(&set, &fit, &variance, &err), ERR_DATA,
                 "a fit of 1 annotators, and comparisons by 0", &err);
    fit.item_count = 4;
    assert_null(variance);
}

struct alloc_case {
    const struct comparison_set *set;
    const struct tabular_fit *fit;
};

static enum err_code open_and_ask(void *context, struct error *err) {
    const struct alloc_case *c = context;
    SCOPED(tabular_variance) struct tabular_variance *variance = NULL;
    TRY(tabular_variance_open(c->set, c->fit, &variance, err));
    struct tabular_question question = {.item = 0, .other = 1, .level = 0.5};
    struct tabular_spread spread;
    double error = 0.0;
    TRY(tabular_variance_spread(variance, &question, &spread, err));
    return tabular_variance_item(variance, 1, &error, err);
}

static void test_variance__every_allocation_may_fail(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    struct tabular_options options = TABULAR_OPTIONS_DEFAULT;
    struct rng rng = rng_stream(13, RNG_TEST, 0, 0);
    struct error err = ERROR_INIT;
    options.model = TABULAR_DAVIDSON;
    comparison_sample_init(&set, 4);
    add_random(&set, &rng, 4);
    assert_ok(tabular_fit_run(&set, &options, &fit, &err), &err);
    struct alloc_case c = {.set = &set, .fit = &fit};
    alloc_loop_check(open_and_ask, &c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_predict__checked_values),
        cmocka_unit_test(test_predict__position_adds_to_the_difference),
        cmocka_unit_test(test_predict__shares_of_one),
        cmocka_unit_test(test_predict__interval_by_hand),
        cmocka_unit_test(test_predict__intervals_with_ties_and_position),
        cmocka_unit_test(test_variance__equals_the_covariance),
        cmocka_unit_test(test_variance__refuses_another_set),
        cmocka_unit_test(test_variance__every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
