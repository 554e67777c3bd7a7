/* The gradient that sampled answers give, against the derivative of the objective over all answers:
 * by central differences, and by means over many seeds. */
#include "base/rng.h"
#include "tests/support/near.h"
#include "tests/support/small_world.h"
#include "trainer/advantage.h"
#include "trainer/objective_logvar.h"
#include "trainer/objective_policy.h"

#include <math.h>

#define WORLD  (&small_world_two)
#define CELLS  12
#define LENGTH 2
#define GROUP  4
#define TOKENS (GROUP * LENGTH)
#define SEEDS  5000

static const struct regulariser pm = {.kind = REGULARISER_PM, .beta_in = 1.0};
static const struct regulariser kl = {.kind = REGULARISER_KL, .beta_in = 0.4};
static const struct regulariser cpm = {
    .kind = REGULARISER_CPM, .alpha = 0.15, .beta_in = 1.0, .beta_out = 1.0};
static const struct regulariser two_betas = {
    .kind = REGULARISER_CPM, .alpha = 0.15, .beta_in = 1.0, .beta_out = 0.5};

static const int64_t starts[GROUP + 1] = {0, 2, 4, 6, 8};
static const struct completions group = {.count = GROUP, .group_size = GROUP, .starts = starts};

/* ---- central differences ---- */

static double objective_at(const struct regulariser *reg, const double *logits) {
    double logp[WORLD_CELLS_MAX];
    small_world_policy(WORLD, logits, logp);
    return small_world_objective(WORLD, reg, logp);
}

/* The largest distance of a gradient from that of the objective. */
static double gradient_error(const struct regulariser *reg, double *logits,
                             const double *gradient) {
    const double step = 1e-5;
    double largest = 0.0;
    for (int k = 0; k < CELLS; k++) {
        const double at = logits[k];
        logits[k] = at + step;
        const double above = objective_at(reg, logits);
        logits[k] = at - step;
        const double below = objective_at(reg, logits);
        logits[k] = at;
        largest = fmax(largest, fabs((above - below) / (2.0 * step) - gradient[k]));
    }
    return largest;
}

static double error_of(const struct regulariser *reg, double *logits, bool is_corrected) {
    double logp[WORLD_CELLS_MAX], gradient[WORLD_CELLS_MAX] = {0.0};
    small_world_policy(WORLD, logits, logp);
    small_world_gradient(WORLD, reg, logp, is_corrected, gradient);
    return gradient_error(reg, logits, gradient);
}

/* J near 3 is rounded by 4e-16, over steps of 1e-5 that is 4e-11; step^2 J''' is as much. */
static void test_detached_costs__are_the_true_gradient(void **state) {
    (void)state;
    const struct regulariser *all[] = {&pm, &kl, &cpm, &two_betas};
    for (int64_t point = 0; point < 20; point++) {
        struct rng rng = rng_stream(1, RNG_TEST, 0, point);
        double logits[CELLS];
        for (int k = 0; k < CELLS; k++) {
            logits[k] = rng_normal(&rng);
        }
        for (int i = 0; i < 4; i++) {
            assert_near(error_of(all[i], logits, true), 0.0, 1e-9);
        }
        for (int i = 0; i < 3; i++) {
            assert_near(error_of(all[i], logits, false), 0.0, 1e-9);
        }
        assert_true(error_of(&two_betas, logits, false) > 1e-2);
    }
}

/* Betas 1 and 1/2, under the uniform policy. c is outside at the start, after a and after b; so its
 * corrections of -1/2 are what is missing: at the start 1/3 (-1/2) (1 - 1/3) = -1/9 for c, half as
 * much for others. In the return, those of the second token, -1/6 on average after a and b, reach
 * the first: for c 1/3 (0 + 1/9) = 1/27. */
static void test_two_betas__corrections_belong_to_their_token(void **state) {
    (void)state;
    double logits[WORLD_CELLS_MAX] = {0.0}, logp[WORLD_CELLS_MAX], ref_logp[WORLD_CELLS_MAX];
    double in_return[WORLD_CELLS_MAX] = {0.0};
    small_world_policy(WORLD, logits, logp);
    small_world_reference(WORLD, ref_logp);
    assert_near(error_of(&two_betas, logits, true), 0.0, 1e-9);
    assert_near(error_of(&two_betas, logits, false), 1.0 / 9.0, 1e-9);
    for (int64_t y = 0; y < 9; y++) {
        double tokens[LENGTH], ref_tokens[LENGTH], costs[LENGTH], corrections[LENGTH];
        small_world_tokens(WORLD, logp, y, tokens);
        small_world_tokens(WORLD, ref_logp, y, ref_tokens);
        regulariser_costs(&two_betas, LENGTH, tokens, ref_tokens, costs, corrections);
        const double later = WORLD->rewards[y] - costs[1] - corrections[1];
        const double returns[LENGTH] = {later - costs[0] - corrections[0], later};
        small_world_pull_back(WORLD, logp, y, returns, small_world_probability(WORLD, logp, y),
                              in_return);
    }
    assert_near(gradient_error(&two_betas, logits, in_return), 1.0 / 27.0, 1e-9);
}

/* The mean cost of the state whose cells start at `first`. */
static double expected_cost_at(const struct regulariser *reg, const double *logits, int64_t first,
                               double *out_slopes) {
    double logp[WORLD_CELLS_MAX], ref_logp[WORLD_CELLS_MAX];
    small_world_policy(WORLD, logits, logp);
    small_world_reference(WORLD, ref_logp);
    return regulariser_expected_cost(reg, WORLD->vocab, logp + first, ref_logp + first, out_slopes);
}

static void check_cost_slopes(const struct regulariser *reg, double *logits, int64_t first) {
    const double step = 1e-5;
    double slopes[3];
    expected_cost_at(reg, logits, first, slopes);
    for (int64_t a = 0; a < 3; a++) {
        const double at = logits[first + a];
        logits[first + a] = at + step;
        const double above = expected_cost_at(reg, logits, first, NULL);
        logits[first + a] = at - step;
        const double below = expected_cost_at(reg, logits, first, NULL);
        logits[first + a] = at;
        assert_near(slopes[a], (above - below) / (2.0 * step), 1e-9);
    }
}

static void test_expected_cost__slopes_by_differences(void **state) {
    (void)state;
    const struct regulariser *all[] = {&pm, &kl, &cpm, &two_betas};
    struct rng rng = rng_stream(2, RNG_TEST, 0, 0);
    double logits[CELLS];
    for (int k = 0; k < CELLS; k++) {
        logits[k] = rng_normal(&rng);
    }
    for (int i = 0; i < 4; i++) {
        for (int64_t first = 0; first < CELLS; first += 3) {
            check_cost_slopes(all[i], logits, first);
        }
    }
}

/* ---- samples ---- */

/* One group of samples, and what is known of its tokens. */
struct draw {
    int64_t answers[GROUP];
    double rewards[GROUP];
    double logp[TOKENS], ref_logp[TOKENS];
    double costs[TOKENS], corrections[TOKENS], values[TOKENS];
};

static void draw_group(struct draw *draw, const struct regulariser *reg, const double *logp,
                       int64_t seed) {
    double ref_logp[WORLD_CELLS_MAX];
    small_world_reference(WORLD, ref_logp);
    for (int64_t i = 0; i < GROUP; i++) {
        struct rng rng = rng_stream(3, RNG_TEST, seed, i);
        const int64_t y = small_world_draw(WORLD, logp, &rng);
        draw->answers[i] = y;
        draw->rewards[i] = WORLD->rewards[y];
        small_world_tokens(WORLD, logp, y, draw->logp + starts[i]);
        small_world_tokens(WORLD, ref_logp, y, draw->ref_logp + starts[i]);
        for (int64_t t = 0; t < LENGTH; t++) { /* a poor critic is still a baseline */
            const int64_t cell = small_world_cell(WORLD, y, t);
            const int64_t state = cell / WORLD->vocab;
            draw->values[starts[i] + t] = 0.5 + 0.25 * (double)state;
        }
    }
    regulariser_costs(reg, TOKENS, draw->logp, draw->ref_logp, draw->costs, draw->corrections);
}

/* The mean cost of each state passed through in place of the token's, and its gradient. */
static void expect_costs(struct draw *draw, const struct regulariser *reg, const double *logp,
                         double slopes[TOKENS][3]) {
    double ref_logp[WORLD_CELLS_MAX];
    small_world_reference(WORLD, ref_logp);
    for (int64_t t = 0; t < TOKENS; t++) {
        const int64_t cell = small_world_cell(WORLD, draw->answers[t / LENGTH], t % LENGTH);
        const int64_t first = cell - cell % WORLD->vocab;
        draw->costs[t] =
            regulariser_expected_cost(reg, WORLD->vocab, logp + first, ref_logp + first, slopes[t]);
    }
}

struct method {
    enum advantage_kind kind;
    enum policy_ratio ratio;
    bool is_uncorrected;
};

/* Minus the gradient of the loss, over the scale. */
static void estimate(const struct method *method, const struct regulariser *reg, const double *logp,
                     int64_t seed, double *out_gradient) {
    struct error err = ERROR_INIT;
    struct draw draw;
    double cost_slopes[TOKENS][3], joined[GROUP], advantages[TOKENS], scales[GROUP];
    double returns[TOKENS], slopes[TOKENS] = {0.0}, weights[TOKENS];
    const bool is_exact = reg->estimator == REGULARISER_EXACT_TOKEN;
    draw_group(&draw, reg, logp, seed);
    if (is_exact) {
        expect_costs(&draw, reg, logp, cost_slopes);
    }
    struct advantage_options options = advantage_defaults(method->kind);
    options.whiten = false;
    options.lambda = 1.0;
    const struct advantage_input input = {
        .completions = group,
        .rewards = draw.rewards,
        .costs = draw.costs,
        .corrections = is_exact || method->is_uncorrected ? NULL : draw.corrections,
        .values = draw.values};
    const struct advantage_output output = {
        .joined = joined, .advantages = advantages, .scales = scales, .returns = returns};
    struct advantage_stats advantage_stats;
    assert_ok(advantage_compute(&options, &input, &output, &advantage_stats, &err), &err);
    struct policy_options policy = policy_options_defaults();
    policy.ratio = method->ratio;
    struct policy_stats policy_stats = {.units = 0};
    const struct policy_batch batch = {.completions = group,
                                       .logp = draw.logp,
                                       .old_logp = draw.logp,
                                       .advantages = advantages,
                                       .step_completions = GROUP,
                                       .step_tokens = TOKENS};
    objective_policy(&policy, &batch, slopes, &policy_stats);
    assert_near(policy_stats.ratio_deviation_max, 0.0, 0.0);
    policy_cost_weights(&policy, &batch, scales, weights);
    memset(out_gradient, 0, CELLS * sizeof *out_gradient);
    for (int64_t i = 0; i < GROUP; i++) {
        small_world_pull_back(WORLD, logp, draw.answers[i], slopes + starts[i], -1.0 / scales[i],
                              out_gradient);
    }
    for (int64_t t = 0; is_exact && t < TOKENS; t++) {
        const int64_t i = t / LENGTH;
        const int64_t cell = small_world_cell(WORLD, draw.answers[i], t % LENGTH);
        for (int64_t a = 0; a < WORLD->vocab; a++) {
            out_gradient[cell - cell % WORLD->vocab + a] -=
                weights[t] / scales[i] * cost_slopes[t][a];
        }
    }
}

struct deviation {
    double standard_errors; /* the largest over cells */
    double variance;        /* of one estimate, summed over cells */
};

static struct deviation deviation_at(const double *logp, const struct method *method,
                                     const struct regulariser *reg) {
    double truth[CELLS] = {0.0}, sums[CELLS] = {0.0}, squares[CELLS] = {0.0};
    small_world_gradient(WORLD, reg, logp, true, truth);
    for (int64_t seed = 0; seed < SEEDS; seed++) {
        double gradient[CELLS];
        estimate(method, reg, logp, seed, gradient);
        for (int k = 0; k < CELLS; k++) {
            sums[k] += gradient[k];
            squares[k] += (gradient[k] - truth[k]) * (gradient[k] - truth[k]);
        }
    }
    struct deviation deviation = {.variance = 0.0};
    for (int k = 0; k < CELLS; k++) {
        const double bias = sums[k] / SEEDS - truth[k];
        const double variance = squares[k] / SEEDS - bias * bias;
        deviation.variance += variance;
        deviation.standard_errors =
            fmax(deviation.standard_errors, fabs(bias) / sqrt(variance / SEEDS));
    }
    return deviation;
}

/* At some policy. */
static struct deviation deviation_of(const struct method *method, const struct regulariser *reg) {
    double logits[CELLS], logp[CELLS];
    struct rng rng = rng_stream(4, RNG_TEST, 0, 0);
    for (int k = 0; k < CELLS; k++) {
        logits[k] = 0.7 * rng_normal(&rng);
    }
    small_world_policy(WORLD, logits, logp);
    return deviation_at(logp, method, reg);
}

static struct regulariser with_estimator(struct regulariser reg,
                                         enum regulariser_estimator estimator) {
    reg.estimator = estimator;
    return reg;
}

static void test_samples__unbiased_and_less_noise_by_exact_costs(void **state) {
    (void)state;
    const struct method methods[] = {
        {.kind = ADVANTAGE_RLOO, .ratio = POLICY_RATIO_NONE},
        {.kind = ADVANTAGE_RLOO, .ratio = POLICY_RATIO_SEQUENCE},
        {.kind = ADVANTAGE_DR_GRPO, .ratio = POLICY_RATIO_TOKEN},
        {.kind = ADVANTAGE_REINFORCE, .ratio = POLICY_RATIO_NONE},
        {.kind = ADVANTAGE_GAE, .ratio = POLICY_RATIO_TOKEN},
    };
    const struct regulariser regs[] = {pm, kl, cpm, two_betas};
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        for (size_t r = 0; r < sizeof regs / sizeof *regs; r++) {
            const struct regulariser sampled = with_estimator(regs[r], REGULARISER_SAMPLED);
            const struct regulariser exact = with_estimator(regs[r], REGULARISER_EXACT_TOKEN);
            const struct deviation of_sampled = deviation_of(&methods[m], &sampled);
            const struct deviation of_exact = deviation_of(&methods[m], &exact);
            assert_true(of_sampled.standard_errors < 4.0);
            assert_true(of_exact.standard_errors < 4.0);
            assert_true(of_exact.variance < of_sampled.variance);
        }
    }
}

/* At the optimum every answer has the same R, so samples of costs leave nothing to noise; expected
 * costs leave the rewards'. Plain preference matching: pi(aa) : pi(ab) : ... = e^r. */
static void test_samples_at_the_optimum__no_noise(void **state) {
    (void)state;
    const struct method method = {.kind = ADVANTAGE_RLOO, .ratio = POLICY_RATIO_NONE};
    const struct regulariser exact = with_estimator(pm, REGULARISER_EXACT_TOKEN);
    double logits[CELLS], logp[CELLS];
    for (int64_t a = 0; a < 3; a++) { /* the first token's: ln of the sum over the second's */
        double sum = 0.0;
        for (int64_t b = 0; b < 3; b++) {
            logits[3 + 3 * a + b] = WORLD->rewards[3 * a + b];
            sum += exp(WORLD->rewards[3 * a + b]);
        }
        logits[a] = log(sum);
    }
    small_world_policy(WORLD, logits, logp);
    assert_near(deviation_at(logp, &method, &pm).variance, 0.0, 1e-28);
    assert_true(deviation_at(logp, &method, &exact).variance > 0.1);
}

/* The same test sees what is missing: betas 1 and 1/2 without corrections. */
static void test_samples__biased_without_corrections(void **state) {
    (void)state;
    const struct method method = {
        .kind = ADVANTAGE_RLOO, .ratio = POLICY_RATIO_NONE, .is_uncorrected = true};
    assert_true(deviation_of(&method, &two_betas).standard_errors > 10.0);
}

/* On samples of the policy, log-variance is RLOO: its slopes are beta times theirs. */
static void test_logvar__slopes_are_those_of_rloo(void **state) {
    (void)state;
    double logits[CELLS] = {0.3, -0.4}, logp[CELLS], rloo[CELLS], slopes[TOKENS] = {0.0};
    double gradient[CELLS] = {0.0};
    struct draw draw;
    small_world_policy(WORLD, logits, logp);
    draw_group(&draw, &kl, logp, 7);
    const struct logvar_batch batch = {.completions = group,
                                       .rewards = draw.rewards,
                                       .logp = draw.logp,
                                       .ref_logp = draw.ref_logp,
                                       .step_groups = 1};
    objective_logvar(&kl, &batch, slopes);
    for (int64_t i = 0; i < GROUP; i++) {
        small_world_pull_back(WORLD, logp, draw.answers[i], slopes + starts[i], -1.0, gradient);
    }
    const struct method method = {.kind = ADVANTAGE_RLOO, .ratio = POLICY_RATIO_NONE};
    estimate(&method, &kl, logp, 7, rloo);
    for (int k = 0; k < CELLS; k++) {
        assert_near(gradient[k], kl.beta_in * rloo[k], 1e-14);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_detached_costs__are_the_true_gradient),
        cmocka_unit_test(test_two_betas__corrections_belong_to_their_token),
        cmocka_unit_test(test_expected_cost__slopes_by_differences),
        cmocka_unit_test(test_samples__unbiased_and_less_noise_by_exact_costs),
        cmocka_unit_test(test_samples_at_the_optimum__no_noise),
        cmocka_unit_test(test_samples__biased_without_corrections),
        cmocka_unit_test(test_logvar__slopes_are_those_of_rloo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
