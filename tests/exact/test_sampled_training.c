/* Policies trained on answers that they sample, as a recipe does it, in worlds whose optimum is
 * known: they come within 0.02 of it, in total variation. */
#include "base/rng.h"
#include "tests/support/near.h"
#include "tests/support/small_world.h"
#include "trainer/advantage.h"
#include "trainer/objective_logvar.h"
#include "trainer/objective_policy.h"
#include "trainer/objective_value.h"

#include <math.h>

#define GROUP      4
#define GROUPS     8
#define ANSWERS    (GROUP * GROUPS)
#define TOKENS_MAX (ANSWERS * WORLD_LENGTH_MAX)
#define STEPS      1500

static const struct regulariser pm = {.kind = REGULARISER_PM, .beta_in = 1.0};
static const struct regulariser kl = {.kind = REGULARISER_KL, .beta_in = 1.0};
static const struct regulariser cpm = {
    .kind = REGULARISER_CPM, .alpha = 0.15, .beta_in = 1.0, .beta_out = 1.0};

/* What a policy is trained by: answers beside each other, their variance, or a critic. */
enum trainer { GROUPS_OF_ANSWERS, LOGVAR, ACTOR_CRITIC };

/* What a step samples. */
struct sample {
    int64_t answers[ANSWERS], starts[ANSWERS + 1];
    double rewards[ANSWERS];
    double logp[TOKENS_MAX], ref_logp[TOKENS_MAX];
    double costs[TOKENS_MAX], corrections[TOKENS_MAX];
    double slopes[TOKENS_MAX];
    double cost_slopes[WORLD_CELLS_MAX]; /* of the loss, in the logits */
};

static struct completions completions_of(const struct sample *sample) {
    return (struct completions){.count = ANSWERS, .group_size = GROUP, .starts = sample->starts};
}

static void draw(struct sample *sample, const struct small_world *world, const double *logp,
                 int64_t step) {
    double ref_logp[WORLD_CELLS_MAX];
    small_world_reference(world, ref_logp);
    *sample = (struct sample){.starts = {0}};
    for (int64_t i = 0; i < ANSWERS; i++) {
        struct rng rng = rng_stream(2026, RNG_TEST, step, i);
        const int64_t y = small_world_draw(world, logp, &rng);
        const int64_t first = i * world->length;
        sample->answers[i] = y;
        sample->starts[i + 1] = first + world->length;
        sample->rewards[i] = world->rewards[y];
        small_world_tokens(world, logp, y, sample->logp + first);
        small_world_tokens(world, ref_logp, y, sample->ref_logp + first);
    }
}

/* Expected costs in place of the sampled ones, their slopes weighed as the loss does. */
static void expect_costs(struct sample *sample, const struct small_world *world,
                         const struct regulariser *reg, const double *logp) {
    double ref_logp[WORLD_CELLS_MAX], slopes[WORLD_CELLS_MAX];
    small_world_reference(world, ref_logp);
    for (int64_t t = 0; t < sample->starts[ANSWERS]; t++) {
        const int64_t y = sample->answers[t / world->length];
        const int64_t cell = small_world_cell(world, y, t % world->length);
        const int64_t first = cell - cell % world->vocab;
        sample->costs[t] =
            regulariser_expected_cost(reg, world->vocab, logp + first, ref_logp + first, slopes);
        for (int64_t a = 0; a < world->vocab; a++) {
            sample->cost_slopes[first + a] += slopes[a] / ANSWERS;
        }
    }
}

static void policy_step(struct sample *sample, const struct small_world *world,
                        const struct regulariser *reg, const double *logp) {
    struct error err = ERROR_INIT;
    double joined[ANSWERS], advantages[TOKENS_MAX], scales[ANSWERS];
    const bool is_exact = reg->estimator == REGULARISER_EXACT_TOKEN;
    const int64_t tokens = sample->starts[ANSWERS];
    if (is_exact) {
        expect_costs(sample, world, reg, logp);
    } else {
        regulariser_costs(reg, tokens, sample->logp, sample->ref_logp, sample->costs,
                          sample->corrections);
    }
    const struct advantage_options options = advantage_defaults(ADVANTAGE_RLOO);
    const struct advantage_input input = {.completions = completions_of(sample),
                                          .rewards = sample->rewards,
                                          .costs = sample->costs,
                                          .corrections = is_exact ? NULL : sample->corrections};
    const struct advantage_output output = {
        .joined = joined, .advantages = advantages, .scales = scales};
    struct advantage_stats advantage_stats;
    assert_ok(advantage_compute(&options, &input, &output, &advantage_stats, &err), &err);
    const struct policy_options policy = policy_options_defaults();
    const struct policy_batch batch = {.completions = completions_of(sample),
                                       .logp = sample->logp,
                                       .advantages = advantages,
                                       .step_completions = ANSWERS,
                                       .step_tokens = tokens};
    struct policy_stats stats = {.units = 0};
    objective_policy(&policy, &batch, sample->slopes, &stats);
}

/* A value for each state, one number each: sums of GAE go to the policy, returns to the critic, as
 * many of whose steps as it takes follow each other. */
static void critic_step(struct sample *sample, const struct small_world *world,
                        const struct regulariser *reg, double *state_values, double rate) {
    struct error err = ERROR_INIT;
    double joined[ANSWERS], advantages[TOKENS_MAX], scales[ANSWERS], returns[TOKENS_MAX];
    double values[TOKENS_MAX], value_slopes[TOKENS_MAX] = {0.0};
    int64_t clipped = 0;
    const int64_t tokens = sample->starts[ANSWERS];
    for (int64_t t = 0; t < tokens; t++) {
        const int64_t y = sample->answers[t / world->length];
        values[t] = state_values[small_world_cell(world, y, t % world->length) / world->vocab];
    }
    regulariser_costs(reg, tokens, sample->logp, sample->ref_logp, sample->costs,
                      sample->corrections);
    const struct advantage_options options = advantage_defaults(ADVANTAGE_GAE);
    const struct advantage_input input = {.completions = completions_of(sample),
                                          .rewards = sample->rewards,
                                          .costs = sample->costs,
                                          .corrections = sample->corrections,
                                          .values = values};
    const struct advantage_output output = {
        .joined = joined, .advantages = advantages, .scales = scales, .returns = returns};
    struct advantage_stats advantage_stats;
    assert_ok(advantage_compute(&options, &input, &output, &advantage_stats, &err), &err);
    struct policy_options policy = policy_options_defaults();
    policy.aggregation = POLICY_TOKENS;
    const struct policy_batch batch = {.completions = completions_of(sample),
                                       .logp = sample->logp,
                                       .advantages = advantages,
                                       .step_completions = ANSWERS,
                                       .step_tokens = tokens};
    struct policy_stats stats = {.units = 0};
    objective_policy(&policy, &batch, sample->slopes, &stats);
    const struct value_batch critic = {.count = tokens,
                                       .values = values,
                                       .old_values = values,
                                       .returns = returns,
                                       .clip = 0.2,
                                       .step_tokens = tokens};
    objective_value(&critic, value_slopes, &clipped);
    for (int64_t t = 0; t < tokens; t++) {
        const int64_t y = sample->answers[t / world->length];
        const int64_t cell = small_world_cell(world, y, t % world->length);
        state_values[cell / world->vocab] -= rate * value_slopes[t];
    }
}

static void logvar_step(struct sample *sample, const struct regulariser *reg) {
    const struct logvar_batch batch = {.completions = completions_of(sample),
                                       .rewards = sample->rewards,
                                       .logp = sample->logp,
                                       .ref_logp = sample->ref_logp,
                                       .step_groups = GROUPS};
    objective_logvar(reg, &batch, sample->slopes);
}

/* Adam (Kingma and Ba 2015), the rate going down to nothing along a half cosine, from the
 * reference. Fills the probabilities of the answers. */
static void train(const struct small_world *world, const struct regulariser *reg,
                  enum trainer trainer, double *out_probabilities) {
    double logits[WORLD_CELLS_MAX], logp[WORLD_CELLS_MAX];
    double first[WORLD_CELLS_MAX] = {0.0}, second[WORLD_CELLS_MAX] = {0.0};
    double state_values[WORLD_CELLS_MAX] = {0.0};
    small_world_reference(world, logits);
    for (int64_t step = 0; step < STEPS; step++) {
        struct sample sample;
        double gradient[WORLD_CELLS_MAX];
        small_world_policy(world, logits, logp);
        draw(&sample, world, logp, step);
        if (trainer == LOGVAR) {
            logvar_step(&sample, reg);
        } else if (trainer == ACTOR_CRITIC) {
            critic_step(&sample, world, reg, state_values, 0.5);
        } else {
            policy_step(&sample, world, reg, logp);
        }
        memcpy(gradient, sample.cost_slopes, sizeof gradient);
        for (int64_t i = 0; i < ANSWERS; i++) {
            small_world_pull_back(world, logp, sample.answers[i], sample.slopes + sample.starts[i],
                                  1.0, gradient);
        }
        const double progress = (double)step / STEPS;
        const double rate = 0.05 * 0.5 * (1.0 + cos(3.14159265358979 * progress));
        for (int64_t k = 0; k < small_world_cells(world); k++) {
            first[k] = 0.9 * first[k] + 0.1 * gradient[k];
            second[k] = 0.99 * second[k] + 0.01 * gradient[k] * gradient[k];
            const double m = first[k] / (1.0 - pow(0.9, (double)(step + 1)));
            const double v = second[k] / (1.0 - pow(0.99, (double)(step + 1)));
            logits[k] -= rate * m / (sqrt(v) + 1e-8);
        }
    }
    small_world_policy(world, logits, logp);
    small_world_probabilities(world, logp, out_probabilities);
}

static double distance_after_training(const struct small_world *world,
                                      const struct regulariser *reg, enum trainer trainer) {
    double optimum[WORLD_ANSWERS_MAX], reached[WORLD_ANSWERS_MAX];
    small_world_optimum(world, reg, optimum);
    train(world, reg, trainer, reached);
    return small_world_distance(world, reached, optimum);
}

static struct regulariser exact(struct regulariser reg) {
    reg.estimator = REGULARISER_EXACT_TOKEN;
    return reg;
}

static void check_optima(enum trainer trainer, const struct regulariser *regs, size_t count) {
    const struct small_world *worlds[] = {&small_world_one, &small_world_two};
    for (int w = 0; w < 2; w++) {
        for (size_t r = 0; r < count; r++) {
            assert_near(distance_after_training(worlds[w], &regs[r], trainer), 0.0, 0.02);
        }
    }
}

static void test_training__reaches_the_optimum(void **state) {
    (void)state;
    const struct regulariser regs[] = {kl, pm, cpm, exact(kl), exact(pm), exact(cpm)};
    check_optima(GROUPS_OF_ANSWERS, regs, 6);
    check_optima(LOGVAR, regs, 3);
    check_optima(ACTOR_CRITIC, regs, 3);
}

/* beta 1 inside and 1/2 outside: the optimum is that with the corrections. */
static void test_training_with_two_betas__reaches_the_optimum(void **state) {
    (void)state;
    static const double truth[4] = {0.6152893822, 0.3731918749, 0.0111417740, 0.0003769688};
    const struct regulariser reg = {
        .kind = REGULARISER_CPM, .alpha = 0.1, .beta_in = 1.0, .beta_out = 0.5};
    const struct regulariser both[] = {reg, exact(reg)};
    for (int i = 0; i < 2; i++) {
        double reached[WORLD_ANSWERS_MAX];
        train(&small_world_one, &both[i], GROUPS_OF_ANSWERS, reached);
        assert_near(small_world_distance(&small_world_one, reached, truth), 0.0, 0.02);
    }
}

/* ---- a reference with opinions ---- */

/* Two answers, of which a share of people prefers the first; the reference gives it another. */
static struct small_world divided_world(double share, double reference) {
    return (struct small_world){.vocab = 2,
                                .length = 1,
                                .rewards = {log(share / (1.0 - share)), 0.0},
                                .reference = {reference, 1.0 - reference}};
}

/* KL-regularised, odds are those of people times those of the reference: 0.6 / 0.4 * 99 gives
 * 0.9933, 0.4 / 0.6 * 99 gives 0.9851, 0.6 / 0.4 / 99 gives 0.0149. With beta 0.1 and 0.6 of the
 * people, 1.5^10 * 99 leaves the others 0.0002. Preference matching gives people's own shares. */
static void test_biased_reference__matching_keeps_shares(void **state) {
    (void)state;
    const struct regulariser kl_tenth = {.kind = REGULARISER_KL, .beta_in = 0.1};
    static const struct {
        double share, reference, by_kl;
    } cases[] = {{0.6, 0.99, 0.9933}, {0.4, 0.99, 0.9851}, {0.6, 0.01, 0.0149}};
    double reached[WORLD_ANSWERS_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct small_world world = divided_world(cases[i].share, cases[i].reference);
        train(&world, &kl, GROUPS_OF_ANSWERS, reached);
        assert_near(reached[0], cases[i].by_kl, 0.02);
        train(&world, &pm, GROUPS_OF_ANSWERS, reached);
        assert_near(reached[0], cases[i].share, 0.02);
    }
    const struct small_world world = divided_world(0.6, 0.99);
    train(&world, &kl_tenth, GROUPS_OF_ANSWERS, reached);
    assert_true(reached[1] < 0.002);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_training__reaches_the_optimum),
        cmocka_unit_test(test_training_with_two_betas__reaches_the_optimum),
        cmocka_unit_test(test_biased_reference__matching_keeps_shares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
