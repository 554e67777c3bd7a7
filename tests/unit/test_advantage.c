#include "trainer/advantage.h"

#include "tests/support/near.h"

#include <math.h>

#define TOKENS_MAX 16
#define COUNT_MAX  8

/* Arrays for a few completions. */
struct fixture {
    struct completions completions;
    double joined[COUNT_MAX], scales[COUNT_MAX];
    double advantages[TOKENS_MAX], returns[TOKENS_MAX];
    struct advantage_stats stats;
    struct error err;
};

static enum err_code compute(struct fixture *f, const struct advantage_options *options,
                             const double *rewards, const double *costs, const double *corrections,
                             const double *values) {
    const struct advantage_input input = {.completions = f->completions,
                                          .rewards = rewards,
                                          .costs = costs,
                                          .corrections = corrections,
                                          .values = values};
    const struct advantage_output output = {.joined = f->joined,
                                            .advantages = f->advantages,
                                            .scales = f->scales,
                                            .returns = f->returns};
    return advantage_compute(options, &input, &output, &f->stats, &f->err);
}

static struct advantage_options unwhitened(enum advantage_kind kind) {
    struct advantage_options options = advantage_defaults(kind);
    options.whiten = false;
    return options;
}

static const int64_t four_singles[] = {0, 1, 2, 3, 4};
static const double no_costs[TOKENS_MAX] = {0.0};

static struct fixture one_group(void) {
    return (struct fixture){.completions = {.count = 4, .group_size = 4, .starts = four_singles}};
}

/* ---- groups ---- */

/* 1 - 2.5/3, 0 - 3.5/3, .5 - 3/3, 2 - 1.5/3 */
static void test_rloo__against_the_others(void **state) {
    (void)state;
    static const double rewards[] = {1.0, 0.0, 0.5, 2.0};
    static const double expected[] = {1.0 / 6.0, -7.0 / 6.0, -0.5, 1.5};
    const struct advantage_options options = advantage_defaults(ADVANTAGE_RLOO);
    struct fixture f = one_group();
    assert_ok(compute(&f, &options, rewards, no_costs, NULL, NULL), &f.err);
    for (int i = 0; i < 4; i++) {
        assert_near(f.advantages[i], expected[i], 1e-15);
        assert_near(f.scales[i], 1.0, 0.0);
    }
    assert_near(f.stats.reward_mean, 0.875, 1e-15);
    assert_near(f.stats.reward_std, 0.85391256, 5e-9);
    assert_int_equal(f.stats.groups, 1);
    assert_int_equal(f.stats.flat_groups, 0);
}

/* Mean 0.875, deviations .125, -.875, -.375, 1.125 with squares 2.1875, over 3 the variance:
 * std .85391256. */
static void test_grpo__over_the_deviation(void **state) {
    (void)state;
    static const double rewards[] = {1.0, 0.0, 0.5, 2.0};
    static const double expected[] = {.14636787, -1.02457509, -.43910361, 1.31731083};
    struct advantage_options options = advantage_defaults(ADVANTAGE_GRPO);
    struct fixture f = one_group();
    assert_ok(compute(&f, &options, rewards, no_costs, NULL, NULL), &f.err);
    assert_near(f.advantages[3], 1.125 / (sqrt(2.1875 / 3.0) + 1e-6), 1e-14);
    options.std_epsilon = 1e-4; /* TRL's */
    assert_ok(compute(&f, &options, rewards, no_costs, NULL, NULL), &f.err);
    for (int i = 0; i < 4; i++) {
        assert_near(f.advantages[i], expected[i], 5e-9);
        assert_near(f.scales[i], 0.75 / (sqrt(2.1875 / 3.0) + 1e-4), 1e-14);
    }
}

static void test_dr_grpo__mean_only(void **state) {
    (void)state;
    static const double rewards[] = {1.0, 0.0, 0.5, 2.0};
    static const double expected[] = {0.125, -0.875, -0.375, 1.125};
    const struct advantage_options options = advantage_defaults(ADVANTAGE_DR_GRPO);
    struct fixture f = one_group();
    assert_ok(compute(&f, &options, rewards, no_costs, NULL, NULL), &f.err);
    for (int i = 0; i < 4; i++) {
        assert_near(f.advantages[i], expected[i], 1e-15);
        assert_near(f.scales[i], 0.75, 0.0);
    }
}

/* Completions of two tokens and one, of two prompts: R = 3 - (0.5 + 0.25) = 2.25 and 1 + 1 = 2, so
 * +-0.25; and 0, 4. Corrections come off their own token, scaled as the rest. */
static void test_groups__costs_and_corrections(void **state) {
    (void)state;
    static const int64_t starts[] = {0, 2, 3, 4, 6};
    static const double rewards[] = {3.0, 1.0, 0.0, 4.0};
    static const double costs[] = {0.5, 0.25, -1.0, 0.0, 0.0, 0.0};
    static const double corrections[] = {0.0, -0.5, 0.0, -0.5, 0.0, 0.0};
    static const double above[] = {0.25, 0.75, -0.25, -3.5, 4.0, 4.0};
    struct advantage_options options = advantage_defaults(ADVANTAGE_RLOO);
    struct fixture f = {.completions = {.count = 4, .group_size = 2, .starts = starts}};
    assert_ok(compute(&f, &options, rewards, costs, corrections, NULL), &f.err);
    assert_near(f.joined[0], 2.25, 0.0);
    assert_near(f.joined[1], 2.0, 0.0);
    for (int t = 0; t < 6; t++) {
        assert_near(f.advantages[t], above[t], 1e-15);
    }
    assert_near(f.stats.joined_mean, (2.25 + 2.0 + 0.0 + 4.0) / 4.0, 1e-15);
    assert_near(f.stats.reward_mean, 2.0, 1e-15);
    assert_near(f.stats.joined_std, 0.5 * (0.25 + 4.0) / sqrt(2.0), 1e-15);
    options = advantage_defaults(ADVANTAGE_GRPO);
    assert_ok(compute(&f, &options, rewards, costs, corrections, NULL), &f.err);
    for (int t = 0; t < 6; t++) { /* std = gap / sqrt 2 */
        const double std = (t < 3 ? 0.25 : 4.0) / sqrt(2.0);
        assert_near(f.advantages[t], 0.5 * above[t] / (std + 1e-6), 1e-13);
    }
}

/* Per-token costs of a KL penalty of 0.5: scores 1, 2, 3 with gaps -0.1, -0.2, -0.3. */
static void test_joined__reward_less_costs(void **state) {
    (void)state;
    static const double rewards[] = {1.0, 2.0, 3.0, 0.0}, costs[] = {-0.05, -0.10, -0.15, 0.0};
    static const double expected[] = {1.05, 2.10, 3.15, 0.0};
    const struct advantage_options options = advantage_defaults(ADVANTAGE_RLOO);
    struct fixture f = one_group();
    assert_ok(compute(&f, &options, rewards, costs, NULL, NULL), &f.err);
    for (int i = 0; i < 4; i++) {
        assert_near(f.joined[i], expected[i], 1e-15);
    }
}

/* A constant added to the rewards of a prompt changes nothing. */
static void test_groups__constant_rewards_drop_out(void **state) {
    (void)state;
    static const double rewards[] = {1.0, 0.0, 0.5, 2.0}, shifted[] = {8.0, 7.0, 7.5, 9.0};
    for (int k = 0; k <= ADVANTAGE_REINFORCE_BASELINE; k++) {
        const struct advantage_options options = advantage_defaults((enum advantage_kind)k);
        struct fixture f = one_group(), g = one_group();
        if (k == ADVANTAGE_REINFORCE) {
            continue; /* whitened over the batch, not within prompts */
        }
        assert_ok(compute(&f, &options, rewards, no_costs, NULL, NULL), &f.err);
        assert_ok(compute(&g, &options, shifted, no_costs, NULL, NULL), &g.err);
        for (int i = 0; i < 4; i++) {
            assert_near(f.advantages[i], g.advantages[i], 1e-14);
        }
    }
}

/* Equal rewards with different costs are something to learn from; equal R is not, though rewards
 * differ. Rounding of float log-probabilities makes no difference, of which GRPO would make 1. */
static void test_flat_groups__judged_on_the_joined_scalar(void **state) {
    (void)state;
    static const int64_t starts[] = {0, 1, 2, 3, 4, 5, 6};
    static const double rewards[] = {1.0, 1.0, 2.0, 1.0, 0.5, 0.5};
    static const double costs[] = {0.0, 0.5, 1.0, 0.0, 0.1, 0.1000003};
    static const double corrections[] = {0.5, 0.5, 0.5, 0.5, 0.5, 0.5};
    const struct advantage_options grpo = advantage_defaults(ADVANTAGE_GRPO);
    const struct advantage_options rloo = advantage_defaults(ADVANTAGE_RLOO);
    struct fixture f = {.completions = {.count = 6, .group_size = 2, .starts = starts}};
    assert_ok(compute(&f, &grpo, rewards, costs, corrections, NULL), &f.err);
    assert_int_equal(f.stats.groups, 3);
    assert_int_equal(f.stats.flat_groups, 2);
    assert_true(f.scales[0] > 1.0);
    for (int i = 2; i < 6; i++) {
        assert_near(f.scales[i], 0.0, 0.0);
        assert_near(f.advantages[i], 0.0, 0.0);
    }
    assert_ok(compute(&f, &rloo, rewards, costs, corrections, NULL), &f.err);
    assert_near(f.scales[4], 1.0, 0.0);
    assert_near(f.advantages[2], -0.5, 1e-15); /* the correction has its direction still */
}

/* ---- tokens ---- */

/* deltas -.05 + .1 - .3, .02 - .2 - .1, -.01 + .4 + .2, 1.5 - .4; lambda .95 */
static void test_gae__numbers(void **state) {
    (void)state;
    static const int64_t starts[] = {0, 4};
    static const double reward = 1.5, costs[] = {0.05, -0.02, 0.01, 0.0};
    static const double values[] = {0.3, 0.1, -0.2, 0.4};
    static const double advantages[] = {.9595875, 1.27325, 1.635, 1.1};
    static const double returns[] = {1.2595875, 1.37325, 1.435, 1.5};
    static const double whitened[] = {-.96787036, .10725313, 1.34720347, -.48658625};
    struct advantage_options options = unwhitened(ADVANTAGE_GAE);
    struct fixture f = {.completions = {.count = 1, .group_size = 1, .starts = starts}};
    assert_ok(compute(&f, &options, &reward, costs, NULL, values), &f.err);
    for (int t = 0; t < 4; t++) {
        assert_near(f.advantages[t], advantages[t], 1e-14);
        assert_near(f.returns[t], returns[t], 1e-14);
    }
    assert_near(f.scales[0], 1.0, 0.0);
    assert_true(isnan(f.stats.reward_std));
    options.whiten = true;
    assert_ok(compute(&f, &options, &reward, costs, NULL, values), &f.err);
    for (int t = 0; t < 4; t++) {
        assert_near(f.advantages[t], whitened[t], 5e-9);
        assert_near(f.returns[t], returns[t], 1e-14);
    }
    /* Deviations -.28237, .03129, .39304, -.14196 of the mean: var .0851138. */
    assert_near(f.scales[0], whitened[2] / (advantages[2] - 1.241959375), 1e-7);
}

/* Values 0, 0, 0, 1, a reward of 1, gamma 0.9, lambda 0.95: delta = 0, 0, 0.9, 0, so the
 * advantages are 0.9 (.855)^2, 0.9 (.855), 0.9, 0. */
static void test_gae__discounted(void **state) {
    (void)state;
    static const int64_t starts[] = {0, 4};
    static const double reward = 1.0, values[] = {0.0, 0.0, 0.0, 1.0};
    static const double returns[] = {0.6579225, 0.7695, 0.9, 1.0};
    struct advantage_options options = unwhitened(ADVANTAGE_GAE);
    options.gamma = 0.9;
    struct fixture f = {.completions = {.count = 1, .group_size = 1, .starts = starts}};
    assert_ok(compute(&f, &options, &reward, no_costs, NULL, values), &f.err);
    for (int t = 0; t < 4; t++) {
        assert_near(f.returns[t], returns[t], 1e-15);
    }
}

/* A completion's estimates end at its last token: nothing comes over from the next one. Corrections
 * lower an advantage, and no return. */
static void test_gae__completions_apart(void **state) {
    (void)state;
    static const int64_t starts[] = {0, 2, 3};
    static const double rewards[] = {1.0, 10.0}, costs[] = {0.25, 0.5, 0.0};
    static const double values[] = {0.5, 0.25, 4.0}, corrections[] = {0.0, -0.5, 0.0};
    struct advantage_options options = unwhitened(ADVANTAGE_GAE);
    options.lambda = 0.5;
    struct fixture f = {.completions = {.count = 2, .group_size = 1, .starts = starts}};
    assert_ok(compute(&f, &options, rewards, costs, corrections, values), &f.err);
    /* delta: -0.25 + 0.25 - 0.5 = -0.5; 0.5 - 0.25 = 0.25; 10 - 4 = 6 */
    assert_near(f.advantages[0], -0.5 + 0.5 * 0.25, 1e-15);
    assert_near(f.advantages[1], 0.25 + 0.5, 1e-15);
    assert_near(f.advantages[2], 6.0, 1e-15);
    assert_near(f.returns[0], 0.125, 1e-15);
    assert_near(f.returns[1], 0.5, 1e-15);
}

/* Costs 0.25, 0.5, reward 1: to go are 0.5 and 0.25 ... and gamma 1/2 halves what comes later. */
static void test_reinforce__returns_to_go(void **state) {
    (void)state;
    static const int64_t starts[] = {0, 2, 3};
    static const double rewards[] = {1.0, -2.0}, costs[] = {0.25, 0.5, 1.0};
    struct advantage_options options = unwhitened(ADVANTAGE_REINFORCE);
    struct fixture f = {.completions = {.count = 2, .group_size = 1, .starts = starts}};
    assert_ok(compute(&f, &options, rewards, costs, NULL, NULL), &f.err);
    assert_near(f.advantages[0], 0.25, 1e-15);
    assert_near(f.advantages[1], 0.5, 1e-15);
    assert_near(f.advantages[2], -3.0, 1e-15);
    options.gamma = 0.5;
    assert_ok(compute(&f, &options, rewards, costs, NULL, NULL), &f.err);
    assert_near(f.advantages[0], -0.25 + 0.5 * 0.5, 1e-15);
}

/* REINFORCE++: mean 0 and variance 1 over tokens, so long completions count more. Returns to go
 * 0.25, 0.5, -3: mean -0.75, deviations 1, 1.25, -2.25, variance 7.625 / 2. */
static void test_reinforce__whitened_over_tokens(void **state) {
    (void)state;
    static const int64_t starts[] = {0, 2, 3};
    static const double rewards[] = {1.0, -2.0}, costs[] = {0.25, 0.5, 1.0};
    const struct advantage_options options = advantage_defaults(ADVANTAGE_REINFORCE);
    struct fixture f = {.completions = {.count = 2, .group_size = 1, .starts = starts}};
    assert_true(options.whiten);
    assert_ok(compute(&f, &options, rewards, costs, NULL, NULL), &f.err);
    const double divisor = sqrt(7.625 / 2.0 + 1e-8);
    assert_near(f.advantages[0], 1.0 / divisor, 1e-14);
    assert_near(f.advantages[1], 1.25 / divisor, 1e-14);
    assert_near(f.advantages[2], -2.25 / divisor, 1e-14);
    assert_near(f.scales[1], 1.0 / divisor, 1e-15);
}

/* Group means off first: +-1 of one prompt, +-3 of the other; variance 20 / 3. */
static void test_reinforce_baseline__group_mean_first(void **state) {
    (void)state;
    static const double rewards[] = {1.0, 3.0, 10.0, 4.0};
    static const double deviations[] = {-1.0, 1.0, 3.0, -3.0};
    const struct advantage_options options = advantage_defaults(ADVANTAGE_REINFORCE_BASELINE);
    struct fixture f = one_group();
    f.completions.group_size = 2;
    assert_ok(compute(&f, &options, rewards, no_costs, NULL, NULL), &f.err);
    for (int i = 0; i < 4; i++) {
        assert_near(f.advantages[i], deviations[i] / sqrt(20.0 / 3.0 + 1e-8), 1e-14);
        assert_near(f.scales[i], 0.5 / sqrt(20.0 / 3.0 + 1e-8), 1e-14);
    }
}

/* 1, 2, 3: mean 2, variance 1 over n - 1. */
static void test_whiten__unbiased_variance(void **state) {
    (void)state;
    double values[] = {1.0, 2.0, 3.0}, alone[] = {5.0}, equal[] = {2.0, 2.0};
    assert_near(advantage_whiten(values, 3), sqrt(1.0 + 1e-8), 1e-15);
    assert_near(values[0], -1.0 / sqrt(1.0 + 1e-8), 1e-15);
    assert_near(values[1], 0.0, 0.0);
    advantage_whiten(alone, 1);
    assert_near(alone[0], 0.0, 0.0);
    advantage_whiten(equal, 2);
    assert_near(equal[0], 0.0, 0.0);
}

/* ---- refusals ---- */

static void test_compute__refuses_what_is_no_number(void **state) {
    (void)state;
    static const int64_t starts[] = {0, 2, 3};
    double rewards[] = {1.0, (double)NAN}, costs[] = {0.0, 0.0, 0.0}, values[] = {0.0, 0.0, 0.0};
    const struct advantage_options options = advantage_defaults(ADVANTAGE_GAE);
    struct fixture f = {.completions = {.count = 2, .group_size = 1, .starts = starts}};
    f.advantages[0] = 7.0;
    assert_fails(compute(&f, &options, rewards, costs, NULL, values), ERR_DATA,
                 "completion 1: the reward is", &f.err);
    rewards[1] = 0.0;
    costs[1] = (double)INFINITY;
    assert_fails(compute(&f, &options, rewards, costs, NULL, values), ERR_DATA,
                 "completion 0, token 1: the cost is inf", &f.err);
    costs[1] = 0.0;
    values[2] = -(double)INFINITY;
    assert_fails(compute(&f, &options, rewards, costs, NULL, values), ERR_DATA,
                 "completion 1, token 0: the value is -inf", &f.err);
    values[2] = 0.0;
    f.completions.group_size = 3;
    assert_fails(compute(&f, &options, rewards, costs, NULL, values), ERR_INTERNAL,
                 "2 completions are no groups of 3", &f.err);
    assert_near(f.advantages[0], 7.0, 0.0);
}

static void test_check__refuses_options(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    for (int k = 0; k < ADVANTAGE_KIND_COUNT; k++) {
        const struct advantage_options options = advantage_defaults((enum advantage_kind)k);
        assert_ok(advantage_check(&options, 2, &err), &err);
    }
    struct advantage_options options = advantage_defaults(ADVANTAGE_RLOO);
    assert_fails(advantage_check(&options, 1, &err), ERR_CONFIG, "1 of each is too few", &err);
    options = advantage_defaults(ADVANTAGE_GRPO);
    options.std_epsilon = 0.0;
    assert_fails(advantage_check(&options, 2, &err), ERR_CONFIG, "std_epsilon = 0", &err);
    options = advantage_defaults(ADVANTAGE_REINFORCE);
    assert_ok(advantage_check(&options, 1, &err), &err);
    options.gamma = 1.5;
    assert_fails(advantage_check(&options, 1, &err), ERR_CONFIG, "gamma = 1.5", &err);
    options = advantage_defaults(ADVANTAGE_GAE);
    options.lambda = -0.1;
    assert_fails(advantage_check(&options, 1, &err), ERR_CONFIG, "lambda = -0.1", &err);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rloo__against_the_others),
        cmocka_unit_test(test_grpo__over_the_deviation),
        cmocka_unit_test(test_dr_grpo__mean_only),
        cmocka_unit_test(test_groups__costs_and_corrections),
        cmocka_unit_test(test_joined__reward_less_costs),
        cmocka_unit_test(test_groups__constant_rewards_drop_out),
        cmocka_unit_test(test_flat_groups__judged_on_the_joined_scalar),
        cmocka_unit_test(test_gae__numbers),
        cmocka_unit_test(test_gae__discounted),
        cmocka_unit_test(test_gae__completions_apart),
        cmocka_unit_test(test_reinforce__returns_to_go),
        cmocka_unit_test(test_reinforce__whitened_over_tokens),
        cmocka_unit_test(test_reinforce_baseline__group_mean_first),
        cmocka_unit_test(test_whiten__unbiased_variance),
        cmocka_unit_test(test_compute__refuses_what_is_no_number),
        cmocka_unit_test(test_check__refuses_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
