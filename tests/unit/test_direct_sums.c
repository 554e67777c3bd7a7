/* test_direct_sums.c - metrics of direct methods: means over judgements, by hand. */
#include "trainer/direct_sums.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "tests/support/comparison_sample.h"
#include "tests/support/near.h"
#include "tests/support/test.h"

#include <math.h>
#include <string.h>

#define TOL 1e-15

/* One example of two answers, of terms alone. */
struct fixture {
    struct reward_examples examples;
};

static void fixture_prepare(struct fixture *f) {
    struct error err = ERROR_INIT;
    const struct reward_terms_options options = {.ties = PAIR_TIES_DROP,
                                                 .reliability_unknown = 1.0};
    assert_ok(reward_terms_make(&f->examples.set, &options, &f->examples.terms, &err), &err);
}

static void fixture_scoped_end(struct fixture *f) {
    reward_examples_deinit(&f->examples);
}

static const double rewards[] = {0.5, -0.25}, logps[] = {-12.0, -20.0}, starts[] = {-10.0, -16.0};
static const double mean_logits[] = {6.0, -8.0}, tops[] = {1.0, 3.0}, lengths[] = {2.0, 8.0};
static const struct direct_measured measured = {.rewards = rewards,
                                                .logps = logps,
                                                .starts = starts,
                                                .mean_logits = mean_logits,
                                                .tops = tops,
                                                .lengths = lengths};

static double value_of(const struct metric *metrics, int64_t count, const char *key) {
    for (int64_t i = 0; i < count; i++) {
        if (strcmp(metrics[i].key, key) == 0) {
            return metrics[i].value;
        }
    }
    fail_msg("no metric '%s'", key);
    return 0.0;
}

/* The first preferred by 3, the second by 1: chosen 3/4 of the first's and 1/4 of the second's. */
static void test_metrics__of_a_pair(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture f = {.examples = REWARD_EXAMPLES_INIT};
    struct metric metrics[DIRECT_METRICS_MAX];
    struct direct_sums sums = {.loss = 6.0, .entropy_nats = 5.0, .targets = 4};
    comparison_sample_init(&f.examples.set, 2);
    comparison_sample_wins(&f.examples.set, 0, 1, 3);
    comparison_sample_win(&f.examples.set, 1, 0);
    fixture_prepare(&f);
    direct_sums_add(&sums, &f.examples, 0, &measured);
    const struct direct_metrics_form form = {.is_evaluation = false};
    const int64_t count = direct_sums_metrics(&sums, &form, metrics);
    assert_string_equal(metrics[0].key, "loss");
    assert_near(metrics[0].value, 1.5, TOL);
    assert_near(value_of(metrics, count, "rewards/chosen"), 0.3125, TOL);
    assert_near(value_of(metrics, count, "rewards/rejected"), -0.0625, TOL);
    assert_near(value_of(metrics, count, "rewards/margins"), 0.375, TOL);
    assert_near(value_of(metrics, count, "rewards/accuracies"), 0.75, TOL);
    assert_near(value_of(metrics, count, "logps/chosen"), -14.0, TOL);
    assert_near(value_of(metrics, count, "logps/rejected"), -18.0, TOL);
    /* by token: of the chosen 3 * 2 + 1 * 8 = 14 tokens, of the rejected 26 */
    assert_near(value_of(metrics, count, "logits/chosen"), (18.0 - 8.0) / 14.0, TOL);
    assert_near(value_of(metrics, count, "logits/rejected"), (6.0 - 24.0) / 26.0, TOL);
    assert_near(value_of(metrics, count, "mean_token_accuracy"), (3.0 + 3.0) / 14.0, TOL);
    assert_near(value_of(metrics, count, "entropy"), 1.25, TOL);
    assert_near(direct_sums_accuracy(&sums), 0.75, TOL);
    const struct direct_fall fall = direct_sums_fall(&sums);
    assert_near(fall.chosen, 0.75 * 2.0 + 0.25 * 4.0, TOL);
    assert_near(fall.rejected, 0.25 * 2.0 + 0.75 * 4.0, TOL);
}

/* The first good, and nothing bad: of that there is no mean. Which keys there are does not change.
 */
static void test_metrics__of_labels(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture f = {.examples = REWARD_EXAMPLES_INIT};
    struct metric metrics[DIRECT_METRICS_MAX];
    struct direct_sums sums = {.loss = 0.5, .entropy_nats = 1.0, .targets = 1};
    comparison_sample_init(&f.examples.set, 2);
    comparison_sample_label(&f.examples.set, 0, true);
    fixture_prepare(&f);
    direct_sums_add(&sums, &f.examples, 0, &measured);
    const struct direct_metrics_form form = {
        .is_evaluation = true, .of_labels = true, .has_kl = true, .kl = 0.125};
    const int64_t count = direct_sums_metrics(&sums, &form, metrics);
    for (int64_t i = 0; i < count; i++) {
        assert_int_equal(strncmp(metrics[i].key, "eval_", 5), 0);
        assert_string_not_equal(metrics[i].key, "eval_rewards/accuracies");
    }
    assert_near(value_of(metrics, count, "eval_rewards/chosen"), 0.5, TOL);
    assert_true(isnan(value_of(metrics, count, "eval_rewards/rejected")));
    assert_true(isnan(value_of(metrics, count, "eval_rewards/margins")));
    assert_near(value_of(metrics, count, "eval_kl"), 0.125, TOL);
    assert_true(isnan(direct_sums_accuracy(&sums)));
    assert_near(direct_sums_fall(&sums).chosen, 2.0, TOL);
}

/* 2 nats a step: 2 (1 - 0.9^n), above 1 from the seventh on, 2 * 0.5217; a step of one side moves
 * that alone. */
static void test_fall__is_told_after_some_steps(void **state) {
    (void)state;
    struct direct_fall smoothed = {.chosen = 0.0};
    const struct direct_fall step = {.chosen = 2.0, .rejected = 2.0};
    const struct direct_fall one_side = {.chosen = 2.0, .rejected = (double)NAN};
    for (int n = 1; n <= 7; n++) {
        direct_fall_smooth(&smoothed, &step);
        assert_near(smoothed.chosen, 2.0 * (1.0 - pow(0.9, n)), TOL);
        assert_int_equal(direct_fall_is_of_both(&smoothed), n == 7);
    }
    const double rejected = smoothed.rejected;
    direct_fall_smooth(&smoothed, &one_side);
    assert_near(smoothed.rejected, rejected, 0.0);
    assert_near(smoothed.chosen, 2.0 * (1.0 - pow(0.9, 8)), TOL);
    assert_false(direct_fall_is_of_both(&(struct direct_fall){.chosen = 5.0, .rejected = 0.5}));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metrics__of_a_pair),
        cmocka_unit_test(test_metrics__of_labels),
        cmocka_unit_test(test_fall__is_told_after_some_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
