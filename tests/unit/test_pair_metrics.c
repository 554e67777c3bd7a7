#include "reward/pair_metrics.h"

#include "base/rng.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/near.h"
#include "tests/support/test.h"

#define TOL 1e-14

/* Three pairs: margin 1 with 3 judgements to 1, margin -0.5 with 2 to 1 and a tie, no margin with 0
 * to 2. Right, wrong, half right: 1.5 of 3. By numpy, with s the logistic function:
 *   NLL    (3 (-ln s(1)) - ln s(-1) - 2.5 ln s(-0.5) - 1.5 ln s(0.5) + 2 ln 2) / 10
 *   Brier  (3 (1 - s(1))^2 + s(1)^2 + 2 (1 - s(-0.5))^2 + s(-0.5)^2 + (s(-0.5) - 0.5)^2
 *           + 2 / 4) / 10 */
static void test_pair_metrics__hand_worked(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(pair_metrics) struct pair_metrics metrics = PAIR_METRICS_INIT;
    assert_ok(pair_metrics_init(&metrics, 3, &err), &err);
    pair_metrics_add(&metrics, 0, 1.0, 3.0, 1.0, 0.0);
    pair_metrics_add(&metrics, 0, -0.5, 2.0, 1.0, 1.0);
    pair_metrics_add(&metrics, 2, 0.0, 0.0, 2.0, 0.0);
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
    assert_ok(pair_metrics_init(&metrics, 1, &err), &err);
    pair_metrics_add(&metrics, 0, 2.0, 1.0, 1.0, 0.0);
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
        assert_ok(pair_metrics_init(&metrics, 200, &err), &err);
        for (int64_t cluster = 0; cluster < 200; cluster++) {
            double margin = rng_uniform(&rng) < 0.7 ? 1.0 : -1.0;
            for (int pair = 0; pair < 5; pair++) {
                pair_metrics_add(&metrics, cluster, margin, 1.0, 0.0, 0.0);
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

static enum err_code score(void *context, struct error *err) {
    (void)context;
    SCOPED(pair_metrics) struct pair_metrics metrics = PAIR_METRICS_INIT;
    TRY(pair_metrics_init(&metrics, 2, err));
    pair_metrics_add(&metrics, 0, 1.0, 1.0, 0.0, 0.0);
    pair_metrics_add(&metrics, 1, 1.0, 0.0, 1.0, 0.0);
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
        cmocka_unit_test(test_pair_metrics__out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
