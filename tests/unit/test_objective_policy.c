#include "trainer/objective_policy.h"

#include "tests/support/near.h"

#include <math.h>

#define TOKENS 3

/* Completions of two tokens and of one. */
static const int64_t starts[] = {0, 2, 3};

static struct policy_batch batch_of(const double *logp, const double *old_logp,
                                    const double *advantages) {
    return (struct policy_batch){.completions = {.count = 2, .group_size = 1, .starts = starts},
                                 .logp = logp,
                                 .old_logp = old_logp,
                                 .advantages = advantages,
                                 .step_completions = 2,
                                 .step_tokens = TOKENS};
}

static struct policy_options options_of(enum policy_ratio ratio,
                                        enum policy_aggregation aggregation) {
    struct policy_options options = policy_options_defaults();
    options.ratio = ratio;
    options.aggregation = aggregation;
    options.constant_length = 8.0;
    return options;
}

static const double ln_2 = 0.69314718055994530942;   /* ln 2 */
static const double ln_1_5 = 0.40546510810816438198; /* ln 1.5 */

/* Ratios 1/2, 1, 3/2 with advantages 1, -1, 2: max(-.5, -.8), max(1, 1), max(-3, -2.4) = -0.5, 1,
 * -2.4, mean -0.63333; the last is held by the clip and has no slope. */
static void test_token_ratio__clipped(void **state) {
    (void)state;
    static const double old_logp[TOKENS] = {-1.0, -2.0, -3.0},
                        advantages[TOKENS] = {1.0, -1.0, 2.0};
    const double logp[TOKENS] = {-1.0 - ln_2, -2.0, -3.0 + ln_1_5};
    const struct policy_options options = options_of(POLICY_RATIO_TOKEN, POLICY_TOKENS);
    const struct policy_batch batch = batch_of(logp, old_logp, advantages);
    struct policy_stats stats = {.units = 0};
    double slopes[TOKENS] = {0.0};
    assert_near(objective_policy(&options, &batch, slopes, &stats), -1.9 / 3.0, 1e-15);
    assert_near(slopes[0], -0.5 / 3.0, 1e-15);
    assert_near(slopes[1], 1.0 / 3.0, 1e-15);
    assert_near(slopes[2], 0.0, 0.0);
    assert_int_equal(stats.units, 3);
    assert_int_equal(stats.clipped_low, 0);
    assert_int_equal(stats.clipped_high, 1);
    assert_near(stats.ratio, 3.0, 1e-15);
    assert_near(stats.ratio_deviation_max, 0.5, 1e-15);
    /* rho - 1 - ln rho: -.5 + ln 2, 0, .5 - ln 1.5 */
    assert_near(stats.approx_kl, ln_2 - ln_1_5, 1e-15);
}

/* A = -1: ratio 1/2 is below 1 - 0.2 and stays there; ratio 4 counts whole, unless dual clip holds
 * it at 3. A = 1: ratio 1/2 counts whole. */
static void test_token_ratio__low_and_dual_clip(void **state) {
    (void)state;
    static const double old_logp[TOKENS] = {-1.0, -2.0, -3.0};
    static const double advantages[TOKENS] = {-1.0, -1.0, 1.0};
    const double logp[TOKENS] = {-1.0 - ln_2, -2.0 + 2.0 * ln_2, -3.0 - ln_2};
    struct policy_options options = options_of(POLICY_RATIO_TOKEN, POLICY_TOKENS);
    const struct policy_batch batch = batch_of(logp, old_logp, advantages);
    struct policy_stats stats = {.units = 0};
    double slopes[TOKENS] = {0.0};
    assert_near(objective_policy(&options, &batch, slopes, &stats), (0.8 + 4.0 - 0.5) / 3.0, 1e-15);
    assert_near(slopes[0], 0.0, 0.0);
    assert_near(slopes[1], 4.0 / 3.0, 1e-14);
    assert_near(slopes[2], -0.5 / 3.0, 1e-15);
    assert_int_equal(stats.clipped_low, 1);
    assert_int_equal(stats.clipped_dual, 0);
    options.dual_clip = 3.0;
    memset(slopes, 0, sizeof slopes);
    assert_near(objective_policy(&options, &batch, slopes, &stats), (0.8 + 3.0 - 0.5) / 3.0, 1e-15);
    assert_near(slopes[1], 0.0, 0.0);
    assert_int_equal(stats.clipped_dual, 1);
}

static void test_token_ratio__asymmetric_clip(void **state) {
    (void)state;
    static const double old_logp[TOKENS] = {0.0, 0.0, 0.0}, advantages[TOKENS] = {1.0, 1.0, -1.0};
    const double logp[TOKENS] = {log(1.25), log(1.3), log(0.75)};
    struct policy_options options = options_of(POLICY_RATIO_TOKEN, POLICY_TOKENS);
    options.clip_high = 0.28;
    options.clip_low = 0.3;
    const struct policy_batch batch = batch_of(logp, old_logp, advantages);
    struct policy_stats stats = {.units = 0};
    double slopes[TOKENS] = {0.0};
    assert_near(objective_policy(&options, &batch, slopes, &stats), (-1.25 - 1.28 + 0.75) / 3.0,
                1e-15);
    assert_int_equal(stats.clipped_high, 1);
    assert_int_equal(stats.clipped_low, 0);
}

/* The first completion's ratio is 1/2 * 3 = 3/2: with A = 2, -2.4 and held; the second's 1/2 with
 * A = 1, -0.5. Sum over completions / 2. */
static void test_sequence_ratio__clipped_as_a_whole(void **state) {
    (void)state;
    static const double old_logp[TOKENS] = {-1.0, -2.0, -3.0}, advantages[TOKENS] = {2.0, 2.0, 1.0};
    const double logp[TOKENS] = {-1.0 - ln_2, -2.0 + ln_2 + ln_1_5, -3.0 - ln_2};
    const struct policy_options options = options_of(POLICY_RATIO_SEQUENCE, POLICY_SEQUENCE_SUM);
    const struct policy_batch batch = batch_of(logp, old_logp, advantages);
    struct policy_stats stats = {.units = 0};
    double slopes[TOKENS] = {0.0};
    assert_near(objective_policy(&options, &batch, slopes, &stats), (-2.4 - 0.5) / 2.0, 1e-14);
    assert_near(slopes[0], 0.0, 0.0);
    assert_near(slopes[1], 0.0, 0.0);
    assert_near(slopes[2], -0.25, 1e-15);
    assert_int_equal(stats.units, 2);
    assert_int_equal(stats.clipped_high, 1);
}

/* On the policy's own samples every form has the same slopes, -w A, and ratios of exactly 1. */
static void test_slopes__agree_on_policy(void **state) {
    (void)state;
    static const double logp[TOKENS] = {-1.0, -2.0, -3.0}, advantages[TOKENS] = {0.5, -1.5, 2.0};
    static const double weights[POLICY_AGGREGATION_COUNT][TOKENS] = {
        {1.0 / 2.0, 1.0 / 2.0, 1.0 / 2.0},    /* sequence sum */
        {1.0 / 4.0, 1.0 / 4.0, 1.0 / 2.0},    /* sequence mean: of two tokens, and of one */
        {1.0 / 16.0, 1.0 / 16.0, 1.0 / 16.0}, /* constant, 8 tokens */
        {1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0},    /* all tokens */
    };
    for (int r = 0; r < POLICY_RATIO_COUNT; r++) {
        for (int a = 0; a < POLICY_AGGREGATION_COUNT; a++) {
            const struct policy_options options =
                options_of((enum policy_ratio)r, (enum policy_aggregation)a);
            const struct policy_batch batch = batch_of(logp, logp, advantages);
            struct policy_stats stats = {.units = 0};
            double slopes[TOKENS] = {0.0};
            objective_policy(&options, &batch, slopes, &stats);
            for (int t = 0; t < TOKENS; t++) {
                assert_near(slopes[t], -weights[a][t] * advantages[t], 1e-15);
            }
            assert_near(stats.ratio_deviation_max, 0.0, 0.0);
            assert_near(stats.approx_kl, 0.0, 0.0);
        }
    }
}

/* 0.5 * 1 + (-1.5) * 2 and 2 * 3, over 2 completions. */
static void test_no_ratio__minus_advantage_times_logp(void **state) {
    (void)state;
    static const double logp[TOKENS] = {-1.0, -2.0, -3.0}, advantages[TOKENS] = {0.5, -1.5, 2.0};
    const struct policy_options options = policy_options_defaults();
    const struct policy_batch batch = batch_of(logp, NULL, advantages);
    struct policy_stats stats = {.units = 0};
    double slopes[TOKENS] = {1.0, 1.0, 1.0};
    assert_near(objective_policy(&options, &batch, slopes, &stats), (0.5 - 3.0 + 6.0) / 2.0, 1e-15);
    assert_near(slopes[0], 1.0 - 0.25, 1e-15); /* added to what was there */
    assert_int_equal(stats.units, 0);
}

/* A step cut into micro-batches gives the same loss and slopes. */
static void test_micro_batches__add_up(void **state) {
    (void)state;
    static const double old_logp[TOKENS] = {-1.0, -2.0, -3.0},
                        advantages[TOKENS] = {0.5, -1.5, 2.0};
    static const double logp[TOKENS] = {-1.1, -1.95, -3.05};
    static const int64_t first_starts[] = {0, 2}, second_starts[] = {0, 1};
    for (int r = 0; r < POLICY_RATIO_COUNT; r++) {
        for (int a = 0; a < POLICY_AGGREGATION_COUNT; a++) {
            const struct policy_options options =
                options_of((enum policy_ratio)r, (enum policy_aggregation)a);
            const struct policy_batch whole = batch_of(logp, old_logp, advantages);
            struct policy_batch first = whole,
                                second = batch_of(logp + 2, old_logp + 2, advantages + 2);
            first.completions = (struct completions){.count = 1, .starts = first_starts};
            second.completions = (struct completions){.count = 1, .starts = second_starts};
            struct policy_stats stats = {.units = 0}, parts = {.units = 0};
            double slopes[TOKENS] = {0.0}, in_parts[TOKENS] = {0.0};
            const double loss = objective_policy(&options, &whole, slopes, &stats);
            const double sum = objective_policy(&options, &first, in_parts, &parts) +
                               objective_policy(&options, &second, in_parts + 2, &parts);
            assert_near(sum, loss, 1e-15);
            for (int t = 0; t < TOKENS; t++) {
                assert_near(in_parts[t], slopes[t], 0.0);
            }
            assert_int_equal(parts.units, stats.units);
        }
    }
}

/* ln rho of 25 counts as 20, without a slope; one that is no number shows. */
static void test_ratio__held_and_not_a_number(void **state) {
    (void)state;
    static const double logp[TOKENS] = {-1.0, -2.0, -3.0}, advantages[TOKENS] = {-1.0, 1.0, 1.0};
    const struct policy_options options = options_of(POLICY_RATIO_TOKEN, POLICY_TOKENS);
    double old_logp[TOKENS] = {-26.0, -2.0, -3.0}, slopes[TOKENS] = {0.0};
    const struct policy_batch batch = batch_of(logp, old_logp, advantages);
    struct policy_stats stats = {.units = 0};
    assert_near(objective_policy(&options, &batch, slopes, &stats), (exp(20.0) - 2.0) / 3.0, 1e-6);
    assert_near(slopes[0], 0.0, 0.0);
    old_logp[0] = (double)NAN;
    assert_true(isnan(objective_policy(&options, &batch, slopes, &stats)));
    assert_true(isnan(slopes[0]));
}

/* Weights of the costs in the loss are those of the advantages. */
static void test_cost_weights__loss_times_scale(void **state) {
    (void)state;
    static const double logp[TOKENS] = {-1.0, -2.0, -3.0}, scales[2] = {2.0, 0.5};
    const struct policy_options options = options_of(POLICY_RATIO_NONE, POLICY_SEQUENCE_MEAN);
    const struct policy_batch batch = batch_of(logp, NULL, logp);
    double weights[TOKENS];
    policy_cost_weights(&options, &batch, scales, weights);
    assert_near(weights[0], 0.5, 1e-15);
    assert_near(weights[1], 0.5, 1e-15);
    assert_near(weights[2], 0.25, 1e-15);
}

/* GRPO's: beta 0.04, k3 of z = 0.2, -0.5, 0 over tokens of each completion; slopes 1 - e^-z. */
static void test_add_kl__value_and_gradient_apart(void **state) {
    (void)state;
    static const double logp[TOKENS] = {-1.0, -2.0, -0.5}, ref_logp[TOKENS] = {-1.2, -1.5, -0.5};
    struct regulariser reg = {.kind = REGULARISER_KL,
                              .beta_in = 0.04,
                              .kl = {.is_loss = true, .value = KL_K3, .gradient = KL_K3}};
    const struct policy_options options = options_of(POLICY_RATIO_TOKEN, POLICY_SEQUENCE_MEAN);
    const struct policy_batch batch = batch_of(logp, logp, logp);
    double slopes[TOKENS] = {0.0};
    const double k3 = 0.04 * (0.01873075 + 0.14872127) / 4.0;
    assert_near(policy_add_kl(&options, &batch, &reg, ref_logp, slopes), k3, 1e-10);
    assert_near(slopes[0], 0.01 * (1.0 - exp(-0.2)), 1e-15);
    assert_near(slopes[1], 0.01 * (1.0 - exp(0.5)), 1e-15);
    assert_near(slopes[2], 0.0, 0.0);
    reg.kl.gradient = KL_K2; /* the value stays, the slopes become z */
    memset(slopes, 0, sizeof slopes);
    assert_near(policy_add_kl(&options, &batch, &reg, ref_logp, slopes), k3, 1e-10);
    assert_near(slopes[0], 0.01 * 0.2, 1e-15);
    assert_near(slopes[1], 0.01 * -0.5, 1e-15);
}

static void test_options_check__refuses_numbers_out_of_range(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct policy_options options = options_of(POLICY_RATIO_TOKEN, POLICY_CONSTANT);
    assert_ok(policy_options_check(&options, &err), &err);
    options.clip_low = 1.0;
    assert_fails(policy_options_check(&options, &err), ERR_CONFIG, "clip_low = 1", &err);
    options.clip_low = 0.2;
    options.clip_high = 0.0;
    assert_fails(policy_options_check(&options, &err), ERR_CONFIG, "clip_high = 0", &err);
    options.clip_high = 0.2;
    options.dual_clip = 1.0;
    assert_fails(policy_options_check(&options, &err), ERR_CONFIG, "dual_clip = 1", &err);
    options.ratio = POLICY_RATIO_NONE; /* there is nothing to clip */
    assert_ok(policy_options_check(&options, &err), &err);
    options.constant_length = 0.0;
    assert_fails(policy_options_check(&options, &err), ERR_CONFIG, "constant_length = 0", &err);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token_ratio__clipped),
        cmocka_unit_test(test_token_ratio__low_and_dual_clip),
        cmocka_unit_test(test_token_ratio__asymmetric_clip),
        cmocka_unit_test(test_sequence_ratio__clipped_as_a_whole),
        cmocka_unit_test(test_slopes__agree_on_policy),
        cmocka_unit_test(test_no_ratio__minus_advantage_times_logp),
        cmocka_unit_test(test_micro_batches__add_up),
        cmocka_unit_test(test_ratio__held_and_not_a_number),
        cmocka_unit_test(test_cost_weights__loss_times_scale),
        cmocka_unit_test(test_add_kl__value_and_gradient_apart),
        cmocka_unit_test(test_options_check__refuses_numbers_out_of_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
