#include "reward/reward_calibration.h"

#include "base/rng.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/comparison_sample.h"
#include "tests/support/near.h"

#include <math.h>

static void add(struct pair_metrics *metrics, int64_t cluster, double margin, double wins_first,
                double wins_second, double ties) {
    pair_metrics_add(metrics, &(struct judged_pair){.cluster = cluster,
                                                    .margin = margin,
                                                    .wins_first = wins_first,
                                                    .wins_second = wins_second,
                                                    .ties = ties});
}

static void open_metrics(struct pair_metrics *metrics, int64_t clusters, int64_t pairs) {
    struct error err = ERROR_INIT;
    assert_ok(pair_metrics_init(metrics, clusters, pairs, &err), &err);
}

static struct reward_calibration fit(const struct pair_metrics *metrics, enum tabular_model model) {
    struct error err = ERROR_INIT;
    struct reward_calibration calibration;
    assert_ok(reward_calibration_fit(metrics, model, 1, &calibration, &err), &err);
    return calibration;
}

/* Margin 2, preferred 3 to 1: sigma(2 s) = 3/4, so s = ln 3 / 2 and T = 2 / ln 3. Two prompts with
 * 2 : 0 and 1 : 1 votes. At s the slopes of -ln P are -m (wins - n p): -2 (2 - 1.5) = -1 and
 * -2 (1 - 1.5) = 1; H = 4 * 4 * 3/16 = 3. Sandwich: (1 + 1) / 9 * 2 / 1 = 4/9, error of s 2/3. */
static void test_fit__hand_worked(void **state) {
    (void)state;
    SCOPED(pair_metrics) struct pair_metrics metrics = PAIR_METRICS_INIT;
    open_metrics(&metrics, 2, 2);
    add(&metrics, 0, 2.0, 2.0, 0.0, 0.0);
    add(&metrics, 1, -2.0, 1.0, 1.0, 0.0);
    const struct reward_calibration c = fit(&metrics, TABULAR_BRADLEY_TERRY);
    const double t = 2.0 / log(3.0), error = 2.0 / 3.0 * t;
    assert_int_equal(c.kind, REWARD_CALIBRATION_FITTED);
    assert_near(c.temperature.value, t, 1e-12);
    assert_near(c.log_temperature_error, error, 1e-12);
    assert_near(c.temperature.low, t * exp(-1.959963984540054 * error), 1e-12);
    assert_near(c.temperature.high / (t * exp(1.959963984540054 * error)), 1.0, 1e-12);
    assert_true(isnan(c.tie_parameter.value));
    /* -(3 ln(3/4) + ln(1/4)) / 4, and at T = 1 (3 ln(1 + e^-2) + ln(1 + e^2)) / 4 */
    assert_near(c.nll_after, -(3.0 * log(0.75) + log(0.25)) / 4.0, 1e-14);
    assert_near(c.nll_before, (4.0 * log1p(exp(-2.0)) + 2.0) / 4.0, 1e-14);
    assert_near(c.after.nll.value, c.nll_after, 1e-14);
    assert_near(c.before.nll.value, c.nll_before, 1e-14);
    assert_near(c.after.ece.value, 0.0, 1e-12); /* as near as T */
    assert_near(c.before.accuracy.value, c.after.accuracy.value, 0.0);
}

/* Davidson: margins of +-4; of 12 judgements 6 for the greater reward, 2 for the smaller, 4 ties.
 * p : q : tie = 3 : 1 : 2 = e^(2 s) : e^(-2 s) : nu, so e^(4 s) = 3 and nu = 2 / sqrt 3.
 * Rao-Kupper: sigma(4 s - eta) = 1/2, sigma(-4 s - eta) = 1/6: 4 s = eta = ln 5 / 2. */
static void test_fit__ties_hand_worked(void **state) {
    (void)state;
    SCOPED(pair_metrics) struct pair_metrics metrics = PAIR_METRICS_INIT;
    open_metrics(&metrics, 2, 2);
    add(&metrics, 0, 4.0, 4.0, 1.0, 2.0);
    add(&metrics, 1, -4.0, 1.0, 2.0, 2.0);
    const struct reward_calibration davidson = fit(&metrics, TABULAR_DAVIDSON);
    assert_near(davidson.temperature.value, 4.0 / log(3.0), 1e-11);
    assert_near(davidson.tie_parameter.value, log(2.0 / sqrt(3.0)), 1e-12);
    assert_true(davidson.tie_parameter.low < davidson.tie_parameter.value);
    assert_near(davidson.nll_after,
                -(6.0 * log(0.5) + 2.0 * log(1.0 / 6.0) + 4.0 * log(1.0 / 3.0)) / 12.0, 1e-14);
    const struct reward_calibration rao_kupper = fit(&metrics, TABULAR_RAO_KUPPER);
    assert_near(rao_kupper.temperature.value, 8.0 / log(5.0), 1e-11);
    assert_near(rao_kupper.tie_parameter.value, 0.5 * log(5.0), 1e-12);
    /* half of a tie for either side: 8 to 4 */
    const struct reward_calibration halves = fit(&metrics, TABULAR_BRADLEY_TERRY);
    assert_near(halves.temperature.value, 4.0 / log(2.0), 1e-11);
}

/* Two prompts, of a ranking of three and of a tie: margins of their scores, the pairs' weights. */
static void test_add__takes_the_pairs_of_a_prompt(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(reward_terms) struct reward_terms terms = REWARD_TERMS_INIT;
    SCOPED(pair_metrics) struct pair_metrics metrics = PAIR_METRICS_INIT;
    struct reward_terms_options options = REWARD_TERMS_OPTIONS_DEFAULT;
    options.split_rankings = true;
    comparison_sample_init(&set, 5);
    comparison_sample_set_block(&set, 3, 1);
    comparison_sample_set_block(&set, 4, 1);
    comparison_sample_add(&set, 3, (int32_t[]){2, 0, 1}, (int32_t[]){1, 2, 3});
    comparison_sample_tie(&set, 4, 3);
    assert_ok(reward_terms_make(&set, &options, &terms, &err), &err);
    open_metrics(&metrics, terms.block_count, terms.pair_starts[terms.block_count]);
    reward_calibration_add(&terms, 0, 0, (const double[]){1.0, -2.0, 4.0}, &metrics);
    reward_calibration_add(&terms, 1, 1, (const double[]){0.5, 3.0}, &metrics);
    const struct judged_pair expected[] = {
        {.margin = 3.0, .wins_first = 2.0 / 3.0},
        {.margin = -3.0, .wins_second = 2.0 / 3.0},
        {.margin = -6.0, .wins_second = 2.0 / 3.0},
        {.cluster = 1, .margin = -2.5, .ties = 1.0},
    };
    assert_int_equal(metrics.pair_count, 4);
    for (int k = 0; k < 4; k++) {
        assert_int_equal(metrics.pairs[k].cluster, expected[k].cluster);
        assert_near(metrics.pairs[k].margin, expected[k].margin, 0.0);
        assert_near(metrics.pairs[k].wins_first, expected[k].wins_first, 1e-15);
        assert_near(metrics.pairs[k].wins_second, expected[k].wins_second, 1e-15);
        assert_near(metrics.pairs[k].ties, expected[k].ties, 0.0);
    }
}

/* Judgements drawn at margins m, told as a m: T = a, whatever the units. */
static void test_fit__finds_the_scale_of_margins(void **state) {
    (void)state;
    static const double scales[] = {0.05, 1.0, 30.0};
    double first = 0.0;
    for (int k = 0; k < 3; k++) {
        struct rng rng = rng_stream(5, RNG_TEST, 0, 0);
        SCOPED(pair_metrics) struct pair_metrics metrics = PAIR_METRICS_INIT;
        open_metrics(&metrics, 1000, 4000);
        for (int64_t pair = 0; pair < 4000; pair++) {
            const double margin = 1.5 * rng_normal(&rng);
            const bool first_wins = rng_uniform(&rng) < 1.0 / (1.0 + exp(-margin));
            add(&metrics, pair / 4, scales[k] * margin, first_wins, !first_wins, 0.0);
        }
        const struct reward_calibration c = fit(&metrics, TABULAR_BRADLEY_TERRY);
        assert_int_equal(c.kind, REWARD_CALIBRATION_FITTED);
        const double t = c.temperature.value / scales[k];
        assert_near(t, 1.0, 0.1);
        assert_true(c.temperature.low <= scales[k] && scales[k] <= c.temperature.high);
        first = k == 0 ? t : first;
        assert_near(t, first, 1e-8);
        assert_true(c.nll_after <= c.nll_before + 1e-12);
    }
}

/* ---- what has no temperature ---- */

static void test_fit__separable_judgements_are_told(void **state) {
    (void)state;
    SCOPED(pair_metrics) struct pair_metrics metrics = PAIR_METRICS_INIT;
    open_metrics(&metrics, 3, 3);
    add(&metrics, 0, 1.0, 2.0, 0.0, 0.0);
    add(&metrics, 1, -0.5, 0.0, 1.0, 0.0);
    struct reward_calibration c = fit(&metrics, TABULAR_BRADLEY_TERRY);
    assert_int_equal(c.kind, REWARD_CALIBRATION_SEPARABLE);
    assert_near(c.temperature.value, REWARD_TEMPERATURE_MIN, 1e-15);
    assert_true(isnan(c.temperature.low) && isnan(c.log_temperature_error));
    /* A tie at a margin below all others: with a probability of its own it can stay between. */
    add(&metrics, 2, 0.3, 0.0, 0.0, 1.0);
    c = fit(&metrics, TABULAR_DAVIDSON);
    assert_int_equal(c.kind, REWARD_CALIBRATION_SEPARABLE);
    assert_true(isfinite(c.tie_parameter.value) && isnan(c.tie_parameter.low));
    c = fit(&metrics, TABULAR_RAO_KUPPER);
    assert_int_equal(c.kind, REWARD_CALIBRATION_SEPARABLE);
    c = fit(&metrics, TABULAR_BRADLEY_TERRY); /* half of it went to the smaller */
    assert_int_equal(c.kind, REWARD_CALIBRATION_FITTED);
    metrics.pairs[2].margin = 0.6; /* above that of a strict judgement */
    c = fit(&metrics, TABULAR_DAVIDSON);
    assert_int_equal(c.kind, REWARD_CALIBRATION_FITTED);
}

static void test_fit__worse_than_chance_is_told(void **state) {
    (void)state;
    for (int all = 0; all < 2; all++) {
        SCOPED(pair_metrics) struct pair_metrics metrics = PAIR_METRICS_INIT;
        open_metrics(&metrics, 2, 2);
        add(&metrics, 0, 2.0, all ? 0.0 : 1.0, 2.0, 1.0);
        add(&metrics, 1, -1.0, 2.0, 0.0, 0.0);
        for (enum tabular_model model = TABULAR_BRADLEY_TERRY; model <= TABULAR_RAO_KUPPER;
             model++) {
            const struct reward_calibration c = fit(&metrics, model);
            assert_int_equal(c.kind, REWARD_CALIBRATION_CHANCE);
            assert_near(c.temperature.value, REWARD_TEMPERATURE_MAX, 1e-12);
            assert_true(isnan(c.temperature.high));
            assert_true(c.nll_after < c.nll_before);
        }
    }
}

static void test_fit__beyond_the_bounds_is_told(void **state) {
    (void)state;
    SCOPED(pair_metrics) struct pair_metrics metrics = PAIR_METRICS_INIT;
    open_metrics(&metrics, 2, 1);
    add(&metrics, 0, 1000.0, 3.0, 1.0, 0.0); /* T = 1000 / ln 3 */
    assert_int_equal(fit(&metrics, TABULAR_BRADLEY_TERRY).kind, REWARD_CALIBRATION_TOO_SURE);
    metrics.pairs[0].margin = 0.001;
    assert_int_equal(fit(&metrics, TABULAR_BRADLEY_TERRY).kind, REWARD_CALIBRATION_TOO_SHY);
    metrics.pairs[0].margin = 1.0; /* one prompt: no interval */
    const struct reward_calibration c = fit(&metrics, TABULAR_BRADLEY_TERRY);
    assert_int_equal(c.kind, REWARD_CALIBRATION_FITTED);
    assert_true(isnan(c.temperature.low) && isnan(c.log_temperature_error));
    assert_string_equal(reward_calibration_key(REWARD_CALIBRATION_TOO_SHY), "too-shy");
    assert_non_null(strstr(reward_calibration_text(REWARD_CALIBRATION_CHANCE), "no temperature"));
}

static void assert_refused(const struct pair_metrics *metrics, enum tabular_model model,
                           enum err_code code, const char *part) {
    struct error err = ERROR_INIT;
    struct reward_calibration c = {.temperature = {.value = -7.0}};
    assert_fails(reward_calibration_fit(metrics, model, 1, &c, &err), code, part, &err);
    assert_near(c.temperature.value, -7.0, 0.0);
}

static void test_fit__refuses_what_says_nothing(void **state) {
    (void)state;
    SCOPED(pair_metrics) struct pair_metrics metrics = PAIR_METRICS_INIT;
    open_metrics(&metrics, 2, 2);
    assert_refused(&metrics, TABULAR_BRADLEY_TERRY, ERR_DATA, "no judgement to calibrate by");
    add(&metrics, 0, 0.0, 1.0, 2.0, 0.0);
    assert_refused(&metrics, TABULAR_BRADLEY_TERRY, ERR_DATA, "every margin is zero");
    add(&metrics, 1, 1.0, 1.0, 2.0, 0.0);
    assert_refused(&metrics, TABULAR_DAVIDSON, ERR_DATA, "no judgement is a tie");
    assert_refused(&metrics, TABULAR_PLACKETT_LUCE, ERR_CONFIG, "not by 'plackett-luce'");
    metrics.pairs[0] = metrics.pairs[1] = (struct judged_pair){.margin = 1.0, .ties = 3.0};
    assert_refused(&metrics, TABULAR_RAO_KUPPER, ERR_DATA, "every judgement is a tie");
    metrics.pairs[1].margin = (double)NAN;
    assert_refused(&metrics, TABULAR_BRADLEY_TERRY, ERR_DATA, "the margin of pair 1 is nan");
}

static enum err_code calibrate(void *context, struct error *err) {
    struct reward_calibration calibration;
    return reward_calibration_fit(context, TABULAR_DAVIDSON, 1, &calibration, err);
}

static void test_fit__out_of_memory(void **state) {
    (void)state;
    SCOPED(pair_metrics) struct pair_metrics metrics = PAIR_METRICS_INIT;
    open_metrics(&metrics, 2, 2);
    add(&metrics, 0, 4.0, 4.0, 1.0, 2.0);
    add(&metrics, 1, -4.0, 1.0, 2.0, 2.0);
    alloc_loop_check(calibrate, &metrics);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fit__hand_worked),
        cmocka_unit_test(test_fit__ties_hand_worked),
        cmocka_unit_test(test_add__takes_the_pairs_of_a_prompt),
        cmocka_unit_test(test_fit__finds_the_scale_of_margins),
        cmocka_unit_test(test_fit__separable_judgements_are_told),
        cmocka_unit_test(test_fit__worse_than_chance_is_told),
        cmocka_unit_test(test_fit__beyond_the_bounds_is_told),
        cmocka_unit_test(test_fit__refuses_what_says_nothing),
        cmocka_unit_test(test_fit__out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
