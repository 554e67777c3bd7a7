#include "reward/pair_metrics.h"

#include "base/rng.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/near.h"
#include "tests/support/test.h"

#include <math.h>
#include <stdbool.h>

#define TOL 1e-14

static void add(struct pair_metrics *metrics, int64_t cluster, double margin, double wins_first,
                double wins_second, double ties) {
    pair_metrics_add(metrics, &(struct judged_pair){.cluster = cluster,
                                                    .margin = margin,
                                                    .wins_first = wins_first,
                                                    .wins_second = wins_second,
                                                    .ties = ties});
}

/* Three pairs: margin 1 with 3 judgements to 1, margin -0.5 with 2 to 1 and a tie, no margin with 0
 * to 2. Right, wrong, half right: 1.5 of 3. By numpy, with s the logistic function:
 *   NLL    (3 (-ln s(1)) - ln s(-1) - 2.5 ln s(-0.5) - 1.5 ln s(0.5) + 2 ln 2) / 10
 *   Brier  (3 (1 - s(1))^2 + s(1)^2 + 2 (1 - s(-0.5))^2 + s(-0.5)^2 + (s(-0.5) - 0.5)^2
 *           + 2 / 4) / 10 */
static void test_pair_metrics__hand_worked(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(pair_metrics) struct pair_metrics metrics = PAIR_METRICS_INIT;
    assert_ok(pair_metrics_init(&metrics, 3, 3, &err), &err);
    add(&metrics, 0, 1.0, 3.0, 1.0, 0.0);
    add(&metrics, 0, -0.5, 2.0, 1.0, 1.0);
    add(&metrics, 2, 0.0, 0.0, 2.0, 0.0);
    struct pair_scores scores;
    assert_ok(pair_metrics_scores(&metrics, 1, &scores, &err), &err);
    assert_near(scores.accuracy.value, 0.5, TOL);
    assert_near(scores.nll.value, 0.6785649047913208, TOL);
    assert_near(scores.brier.value, 0.21838795921695392, TOL);
    assert_int_equal(scores.pairs, 3);
    assert_int_equal(scores.clusters, 2);
    assert_near(scores.decided, 3.0, 0.0);
    assert_near(scores.weight, 10.0, 0.0);
    /* Two clusters, each right in half: resampling them cannot change the accuracy. */
    assert_near(scores.accuracy.low, 0.5, 0.0);
    assert_near(scores.accuracy.high, 0.5, 0.0);
    assert_true(scores.nll.low < scores.nll.value && scores.nll.value < scores.nll.high);
}

static void test_pair_metrics__evenly_divided_pairs_do_not_count(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(pair_metrics) struct pair_metrics metrics = PAIR_METRICS_INIT;
    assert_ok(pair_metrics_init(&metrics, 1, 1, &err), &err);
    add(&metrics, 0, 2.0, 1.0, 1.0, 0.0);
    struct pair_scores scores;
    assert_ok(pair_metrics_scores(&metrics, 1, &scores, &err), &err);
    assert_true(scores.accuracy.value != scores.accuracy.value);
    assert_true(scores.nll.value > 0.0);
    assert_true(scores.nll.low != scores.nll.low); /* one cluster says nothing about the spread */
}

/* A coin that is right with probability 0.7, in 200 clusters of 5 pairs that agree with each other:
 * the interval must be that of 200 trials, not of 1000. Normal theory: 1.96 sqrt(.7 .3 / 200) =
 * 0.0635. Over 100 seeds it should hold 0.7 about 95 times. */
static void test_pair_metrics__interval_covers(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    int covered = 0;
    double width = 0.0;
    for (int64_t trial = 0; trial < 100; trial++) {
        struct rng rng = rng_stream(7, RNG_TEST, trial, 0);
        SCOPED(pair_metrics) struct pair_metrics metrics = PAIR_METRICS_INIT;
        assert_ok(pair_metrics_init(&metrics, 200, 1000, &err), &err);
        for (int64_t cluster = 0; cluster < 200; cluster++) {
            double margin = rng_uniform(&rng) < 0.7 ? 1.0 : -1.0;
            for (int pair = 0; pair < 5; pair++) {
                add(&metrics, cluster, margin, 1.0, 0.0, 0.0);
            }
        }
        struct pair_scores scores;
        assert_ok(pair_metrics_scores(&metrics, (uint64_t)trial, &scores, &err), &err);
        covered += scores.accuracy.low <= 0.7 && 0.7 <= scores.accuracy.high;
        width += (scores.accuracy.high - scores.accuracy.low) / 2.0 / 100.0;
    }
    assert_in_range(covered, 89, 100); /* 95 - 2.8 standard deviations */
    assert_near(width, 0.0635, 0.004);
}

/* 20 judgements, of which pairs take 2 + 10 + 8 in the order of |margin|; the middles of what they
 * hold lie at 1/20, 7/20 and 16/20, so they fall into bins 0, 3 and 8. Favoured sides get 1 of 2
 * (no margin), 8 + 1/2 of 10 (the second side, with a tie), 2 of 8:
 *     ECE = (|2 s(0) - 1| + |10 s(1) - 8.5| + |8 s(2) - 2|) / 20, s the logistic function */
static void test_pair_metrics__calibration_hand_worked(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(pair_metrics) struct pair_metrics metrics = PAIR_METRICS_INIT;
    assert_ok(pair_metrics_init(&metrics, 2, 3, &err), &err);
    add(&metrics, 0, 2.0, 2.0, 6.0, 0.0);
    add(&metrics, 0, -1.0, 1.0, 8.0, 1.0);
    add(&metrics, 1, 0.0, 2.0, 0.0, 0.0);
    struct pair_scores scores;
    assert_ok(pair_metrics_scores(&metrics, 1, &scores, &err), &err);
    const double sure[PAIR_BINS] = {[0] = 0.5, [3] = 0.7310585786300049, [8] = 0.8807970779778824};
    const double share[PAIR_BINS] = {[0] = 0.5, [3] = 0.85, [8] = 0.25};
    const double weight[PAIR_BINS] = {[0] = 2, [3] = 10, [8] = 8};
    for (int b = 0; b < PAIR_BINS; b++) {
        assert_near(scores.bins[b].weight, weight[b], 0.0);
        if (weight[b] > 0.0) {
            assert_near(scores.bins[b].said, sure[b], TOL);
            assert_near(scores.bins[b].share, share[b], TOL);
        }
    }
    const double expected = (8.5 - 10 * sure[3] + 8 * sure[8] - 2) / 20;
    assert_near(scores.ece.value, expected, TOL);
    assert_true(scores.ece.low <= scores.ece.value && scores.ece.value <= scores.ece.high);
}

/* Judgements drawn with the very chances that the margins say: the error is that of sampling, about
 * sqrt(2 / pi) sqrt(p (1 - p) / n) a bin with n = 2000, at most 0.009. Margins twice as large claim
 * more than people say. */
static void test_pair_metrics__calibrated_margins_have_no_error(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    double ece[2];
    for (int doubled = 0; doubled < 2; doubled++) {
        struct rng rng = rng_stream(7, RNG_TEST, 0, 1);
        SCOPED(pair_metrics) struct pair_metrics metrics = PAIR_METRICS_INIT;
        assert_ok(pair_metrics_init(&metrics, 20000, 20000, &err), &err);
        for (int64_t pair = 0; pair < 20000; pair++) {
            const double margin = 4.0 * rng_uniform(&rng) - 2.0;
            const bool first_wins = rng_uniform(&rng) < 1.0 / (1.0 + exp(-margin));
            add(&metrics, pair, doubled ? 2.0 * margin : margin, first_wins, !first_wins, 0.0);
        }
        struct pair_scores scores;
        assert_ok(pair_metrics_scores(&metrics, 1, &scores, &err), &err);
        ece[doubled] = scores.ece.value;
    }
    assert_true(ece[0] < 0.015);
    assert_true(ece[1] > 0.08);
}

/* Margins of 1 and -1 that three of four judgements agree with, a tie being half of each side:
 * s(k) = 3/4 at k = ln 3, so T = 1 / ln 3, and the NLL is the entropy of 3 to 1. Margins ten times
 * as large take ten times the temperature. */
static void test_pair_metrics__temperature(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    for (int scale = 1; scale <= 10; scale += 9) {
        SCOPED(pair_metrics) struct pair_metrics metrics = PAIR_METRICS_INIT;
        assert_ok(pair_metrics_init(&metrics, 2, 2, &err), &err);
        add(&metrics, 0, scale, 3.0, 1.0, 0.0);
        add(&metrics, 1, -scale, 0.5, 2.5, 1.0);
        double nll = 0.0;
        assert_near(pair_metrics_temperature(&metrics, &nll), scale / log(3.0), scale * 1e-11);
        assert_near(nll, log(4.0) - 0.75 * log(3.0), 1e-12);
    }
}

/* Margins that are wrong as often as right, all wrong, never wrong, or absent have none. */
static void test_pair_metrics__no_temperature(void **state) {
    (void)state;
    static const double votes[][2] = {{1.0, 1.0}, {0.0, 3.0}, {2.0, 0.0}};
    struct error err = ERROR_INIT;
    for (int i = 0; i < 3; i++) {
        SCOPED(pair_metrics) struct pair_metrics metrics = PAIR_METRICS_INIT;
        double nll = 0.0;
        assert_ok(pair_metrics_init(&metrics, 1, 1, &err), &err);
        assert_true(isnan(pair_metrics_temperature(&metrics, &nll)));
        add(&metrics, 0, 1.5, votes[i][0], votes[i][1], 0.0);
        assert_true(isnan(pair_metrics_temperature(&metrics, &nll)));
        assert_true(isnan(nll));
    }
}

static enum err_code score(void *context, struct error *err) {
    (void)context;
    SCOPED(pair_metrics) struct pair_metrics metrics = PAIR_METRICS_INIT;
    TRY(pair_metrics_init(&metrics, 2, 2, err));
    add(&metrics, 0, 1.0, 1.0, 0.0, 0.0);
    add(&metrics, 1, 1.0, 0.0, 1.0, 0.0);
    struct pair_scores scores;
    return pair_metrics_scores(&metrics, 1, &scores, err);
}

static void test_pair_metrics__out_of_memory(void **state) {
    (void)state;
    alloc_loop_check(score, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pair_metrics__hand_worked),
        cmocka_unit_test(test_pair_metrics__evenly_divided_pairs_do_not_count),
        cmocka_unit_test(test_pair_metrics__interval_covers),
        cmocka_unit_test(test_pair_metrics__calibration_hand_worked),
        cmocka_unit_test(test_pair_metrics__calibrated_margins_have_no_error),
        cmocka_unit_test(test_pair_metrics__temperature),
        cmocka_unit_test(test_pair_metrics__no_temperature),
        cmocka_unit_test(test_pair_metrics__out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
