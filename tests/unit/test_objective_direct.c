/* Losses of direct methods by hand, and their slopes by central differences. What they have as
 * optimum is in tests/exact/test_direct_optimum.c. */
#include "trainer/objective_direct.h"

#include "base/rng.h"
#include "base/scoped.h"
#include "tests/support/comparison_sample.h"
#include "tests/support/near.h"

#include <math.h>

#define TOL         1e-14
#define TOL_PRINTED 5e-7 /* of values with six decimals */
#define ANSWERS     6
#define SEED        2026

struct fixture {
    struct align_config config;
    struct direct_objective o;
    struct comparison_set set;
    struct reward_terms terms;
    struct reward_objective *likelihood;
    double logp[ANSWERS], reference[ANSWERS], scores[ANSWERS], slopes[ANSWERS];
    int64_t tokens[ANSWERS];
    double ties[4], tie_slopes[4];
};

/* Without judgements yet: add them, then prepare. */
static void fixture_open(struct fixture *f, enum align_method method, int64_t answers) {
    *f = (struct fixture){
        .terms = REWARD_TERMS_INIT,
        .config = {.method = method,
                   .regulariser = {.kind = REGULARISER_PM, .beta_in = 1.0},
                   .direct = {.beta = 0.1,
                              .simpo_beta = 2.0,
                              .simpo_gamma = 1.0,
                              .orpo_lambda = 0.1,
                              .desirable = 1.0,
                              .undesirable = 1.0,
                              .loss = {.ties = PAIR_TIES_HALF}}},
        .tokens = {1, 1, 1, 1, 1, 1},
    };
    comparison_sample_init(&f->set, answers);
}

static void fixture_scoped_end(struct fixture *f) {
    reward_objective_free(f->likelihood);
    reward_terms_deinit(&f->terms);
    comparison_set_deinit(&f->set);
}

static void prepare(struct fixture *f) {
    struct error err = ERROR_INIT;
    const struct reward_loss_config loss = direct_loss_config(&f->config);
    const struct reward_terms_options options = {.ties = loss.ties,
                                                 .count = loss.count,
                                                 .split_rankings = loss.split_rankings,
                                                 .reliability_unknown = 1.0};
    const struct reward_objective_options likelihood = {
        .model = (enum tabular_model)loss.likelihood, .label_smoothing = loss.label_smoothing};
    f->o = direct_objective_of(&f->config);
    assert_ok(reward_terms_make(&f->set, &options, &f->terms, &err), &err);
    if (!f->terms.labels) {
        assert_ok(reward_objective_new(&f->terms, &likelihood, &f->likelihood, &err), &err);
        assert_true(reward_objective_tie_count(f->likelihood) <= 4);
        reward_objective_start(f->likelihood, f->ties);
    }
    direct_objective_add_margins(&f->o, &f->terms);
}

static double loss_of(struct fixture *f) {
    const struct direct_judged judged = {
        .terms = &f->terms, .likelihood = f->likelihood, .block = 0, .ties = f->ties};
    struct direct_answers answers = {.logp = f->logp,
                                     .reference = f->reference,
                                     .tokens = f->tokens,
                                     .scores = f->scores,
                                     .slopes = f->slopes,
                                     .count = reward_terms_items(&f->terms, 0)};
    memset(f->tie_slopes, 0, sizeof f->tie_slopes);
    return direct_loss(&f->o, &judged, &answers, f->tie_slopes);
}

/* One pair, the first preferred by `wins` and the second by `losses`. */
static void pair_open(struct fixture *f, enum align_method method, int64_t wins, int64_t losses) {
    fixture_open(f, method, 2);
    comparison_sample_wins(&f->set, 0, 1, wins);
    comparison_sample_wins(&f->set, 1, 0, losses);
}

static double sigma(double x) {
    return 1.0 / (1.0 + exp(-x));
}

static double central_difference(struct fixture *f, double *x) {
    const double step = 1e-5, at = *x;
    *x = at + step;
    const double above = loss_of(f);
    *x = at - step;
    const double below = loss_of(f);
    *x = at;
    return (above - below) / (2.0 * step);
}

/* ---- likelihoods ---- */

/* Differences of log-ratios of 0, 10 and 20 nats, beta 0.1: -ln sigma of 0, 1 and 2. */
static void test_dpo__known_values(void **state) {
    (void)state;
    static const double known[3] = {0.693147, 0.313262, 0.126928};
    for (int k = 0; k < 3; k++) {
        SCOPED(fixture) struct fixture f;
        pair_open(&f, ALIGN_DPO, 1, 0);
        prepare(&f);
        f.logp[0] = -20.0;
        f.reference[0] = -24.0 - 5.0 * k;
        f.logp[1] = -31.0;
        f.reference[1] = -35.0 + 5.0 * k;
        assert_near(loss_of(&f), known[k], TOL_PRINTED);
        assert_near(f.slopes[0], 0.1 * (sigma(k) - 1.0), TOL);
        assert_near(f.slopes[1], -f.slopes[0], TOL);
        assert_near(f.scores[0], 0.1 * (4.0 + 5.0 * k), TOL);
    }
}

/* Four votes of five, D = 0.1 (2 - -3) = 0.5: 4 L(D) + L(-D); slope 0.1 (5 sigma(D) - 4). */
static void test_dpo__votes_are_one_soft_label(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture f;
    pair_open(&f, ALIGN_DPO, 4, 1);
    prepare(&f);
    f.logp[0] = 2.0;
    f.logp[1] = -3.0;
    assert_near(loss_of(&f), -4.0 * log(sigma(0.5)) - log(sigma(-0.5)), TOL);
    assert_near(f.slopes[0], 0.1 * (5.0 * sigma(0.5) - 4.0), TOL);
    assert_near(f.slopes[1], -f.slopes[0], TOL);
}

/* A tie is half a win of either, or has Davidson's probability: nu / (e^(D/2) + e^(-D/2) + nu). */
static void test_dpo__ties(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture half;
    fixture_open(&half, ALIGN_DPO, 2);
    comparison_sample_tie(&half.set, 0, 1);
    prepare(&half);
    half.logp[0] = 10.0;
    assert_near(loss_of(&half), -0.5 * log(sigma(1.0)) - 0.5 * log(sigma(-1.0)), TOL);
    SCOPED(fixture) struct fixture kept;
    fixture_open(&kept, ALIGN_DPO, 2);
    kept.config.direct.loss.likelihood = REWARD_DAVIDSON;
    kept.config.direct.loss.ties = PAIR_TIES_KEEP;
    comparison_sample_tie(&kept.set, 0, 1);
    prepare(&kept);
    kept.logp[0] = 10.0;
    kept.ties[0] = log(0.5);
    assert_near(loss_of(&kept), -log(0.5 / (exp(0.5) + exp(-0.5) + 0.5)), TOL);
    assert_near(kept.tie_slopes[0], 0.5 / (exp(0.5) + exp(-0.5) + 0.5) - 1.0, TOL);
}

/* Rewards 1, 0, -1 in their order: e / (e + 1 + 1/e) times e / (e + 1), 0.4863301076. */
static void test_dpo__rankings_are_plackett_luces(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture f;
    fixture_open(&f, ALIGN_DPO, 3);
    comparison_sample_add(&f.set, 3, (int32_t[]){0, 1, 2}, (int32_t[]){1, 2, 3});
    prepare(&f);
    f.logp[0] = 10.0;
    f.logp[2] = -10.0;
    assert_near(exp(-loss_of(&f)), 0.4863301076, 1e-10);
}

/* e = 0.2, D = 1: 0.8 L(1) + 0.2 L(-1); and (0.8 L(1) - 0.2 L(-1)) / 0.6. */
static void test_smoothed__hand_worked(void **state) {
    (void)state;
    const enum align_method methods[2] = {ALIGN_CDPO, ALIGN_ROBUST_DPO};
    const double agreeing = -log(sigma(1.0)), opposed = -log(sigma(-1.0));
    const double known[2] = {0.8 * agreeing + 0.2 * opposed,
                             (0.8 * agreeing - 0.2 * opposed) / 0.6};
    for (int m = 0; m < 2; m++) {
        SCOPED(fixture) struct fixture f;
        pair_open(&f, methods[m], 1, 0);
        f.config.direct.loss.label_smoothing = 0.2;
        prepare(&f);
        f.logp[0] = 10.0;
        assert_near(loss_of(&f), known[m], TOL);
    }
}

/* Three labels of ten flipped: in 7 : 3 the robust losses are ten times that of the true label. */
static void test_robust__is_unbiased(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture f;
    pair_open(&f, ALIGN_ROBUST_DPO, 7, 3);
    f.config.direct.loss.label_smoothing = 0.3;
    prepare(&f);
    f.logp[0] = 13.0;
    assert_near(loss_of(&f), -10.0 * log(sigma(1.3)), TOL);
    assert_near(f.slopes[0], 0.1 * 10.0 * (sigma(1.3) - 1.0), TOL);
}

/* beta 1 of the regulariser, not direct.beta; R as it stands. */
static void test_pm_dpo__scores_are_log_probabilities(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture f;
    pair_open(&f, ALIGN_PM_DPO, 1, 0);
    prepare(&f);
    f.logp[0] = -20.0;
    f.logp[1] = -21.5;
    f.reference[1] = -0.5;
    assert_near(loss_of(&f), -log(sigma(1.0)), TOL);
    assert_near(f.slopes[0], sigma(1.0) - 1.0, TOL);
}

/* S of -6 over 3 tokens and -4 over 4, beta 2: u = -4 and -2; gamma 1: -ln sigma(-3). */
static void test_simpo__hand_worked(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture f;
    pair_open(&f, ALIGN_SIMPO, 1, 0);
    prepare(&f);
    f.logp[0] = -6.0;
    f.logp[1] = -4.0;
    f.tokens[0] = 3;
    f.tokens[1] = 4;
    assert_near(loss_of(&f), 3.0485873516, 1e-10);
    assert_near(f.slopes[0], -sigma(3.0) * 2.0 / 3.0, TOL);
    assert_near(f.slopes[1], sigma(3.0) * 2.0 / 4.0, TOL);
    assert_near(direct_reward(&f.o, -6.0, 0.0, 3), -4.0, TOL);
}

/* Mean tokens of probability 1/2 and 1/5: odds 1 and 1/4, sigma(ln 4) = 4/5, lambda 0.1:
 * -0.1 ln 0.8 + ln 2. Slopes: 0.1 (-0.2) / (1 - 1/2) / 2 tokens - 1/2, and 0.02 / (1 - 1/5). */
static void test_orpo__hand_worked(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture f;
    pair_open(&f, ALIGN_ORPO, 1, 0);
    prepare(&f);
    f.logp[0] = 2.0 * log(0.5);
    f.logp[1] = log(0.2);
    f.tokens[0] = 2;
    assert_near(loss_of(&f), -0.1 * log(0.8) + log(2.0), TOL);
    assert_near(f.slopes[0], -0.02 - 0.5, TOL);
    assert_near(f.slopes[1], 0.025, TOL);
    assert_near(direct_reward(&f.o, f.logp[0], 0.0, 2), 0.1 * log(0.5), TOL);
    f.logp[0] = 0.0; /* certain, as far as f32 can tell */
    assert_true(isfinite(loss_of(&f)) && isfinite(f.slopes[0]));
}

/* ---- others ---- */

/* beta 0.5, so a target of 1; D = 1 - -0.5: 0.5^2. A tie: (D - 1)^2 / 2 + (D + 1)^2 / 2. */
static void test_ipo__hand_worked(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture f;
    pair_open(&f, ALIGN_IPO, 1, 0);
    f.config.direct.beta = 0.5;
    prepare(&f);
    f.logp[0] = -9.0;
    f.reference[0] = -10.0;
    f.logp[1] = -0.5;
    assert_near(loss_of(&f), 0.25, TOL);
    assert_near(f.slopes[0], 1.0, TOL);
    assert_near(f.slopes[1], -1.0, TOL);
    assert_near(direct_reward(&f.o, -9.0, -10.0, 7), 0.5, TOL);
    SCOPED(fixture) struct fixture tie;
    fixture_open(&tie, ALIGN_IPO, 2);
    tie.config.direct.beta = 0.5;
    comparison_sample_tie(&tie.set, 0, 1);
    prepare(&tie);
    tie.logp[0] = 1.5;
    assert_near(loss_of(&tie), 0.5 * 0.25 + 0.5 * 6.25, TOL);
}

/* u of 0.3 and -0.1, z = 0.1 * 2: a half of 2 sigma(-0.1) for the chosen, and of 3 sigma(-0.3). */
static void test_kto__hand_worked(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture f;
    pair_open(&f, ALIGN_KTO, 1, 0);
    f.config.direct.desirable = 2.0;
    f.config.direct.undesirable = 3.0;
    prepare(&f);
    f.o.kl = 2.0;
    f.logp[0] = 3.0;
    f.logp[1] = -1.0;
    assert_near(loss_of(&f), sigma(-0.1) + 1.5 * sigma(-0.3), TOL);
    assert_near(f.slopes[0], -0.1 * sigma(0.1) * sigma(-0.1), TOL);
    assert_near(f.slopes[1], 0.15 * sigma(0.3) * sigma(-0.3), TOL);
}

/* Answers by themselves, u of 0.3 and -0.1, z = 0.2; the first is called good by 3 and bad by 1,
 * the second bad. As KTOTrainer has it, lambda_D (1 - sigma(u - z)) of good ones and lambda_U (1 -
 * sigma(z - u)) of bad ones: 2 * 3 sigma(-0.1) + 3 sigma(0.1) + 3 sigma(-0.3). Imitated are the
 * good: 0.5 * 3 times -3 / 4. */
static void test_kto__labels_by_hand(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture f;
    fixture_open(&f, ALIGN_KTO, 2);
    f.config.direct.desirable = 2.0;
    f.config.direct.undesirable = 3.0;
    comparison_sample_label(&f.set, 0, true);
    comparison_sample_set_weight(&f.set, 3.0);
    comparison_sample_label(&f.set, 0, false);
    comparison_sample_label(&f.set, 1, false);
    prepare(&f);
    f.o.kl = 2.0;
    f.tokens[0] = 4;
    f.logp[0] = 3.0;
    f.logp[1] = -1.0;
    const double plain = 6.0 * sigma(-0.1) + 3.0 * sigma(0.1) + 3.0 * sigma(-0.3);
    assert_near(loss_of(&f), plain, TOL);
    assert_near(f.slopes[0], 0.1 * (3.0 - 6.0) * sigma(0.1) * sigma(-0.1), TOL);
    assert_near(f.slopes[1], 0.1 * 3.0 * sigma(0.3) * sigma(-0.3), TOL);
    f.o.sft_weight = 0.5;
    assert_near(loss_of(&f), plain - 1.5 * 3.0 / 4.0, TOL);
    for (int k = 0; k < 2; k++) {
        const double slope = f.slopes[k];
        assert_near(central_difference(&f, &f.logp[k]), slope, 1e-9);
    }
}

/* 0.5 times the mean token of the better answer: of pairs the winner's, of a ranking the first. */
static void test_imitation__is_of_what_was_preferred(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture f;
    fixture_open(&f, ALIGN_DPO, 3);
    f.config.direct.sft_weight = 0.5;
    comparison_sample_wins(&f.set, 0, 1, 3);
    comparison_sample_win(&f.set, 1, 0);
    comparison_sample_add(&f.set, 3, (int32_t[]){2, 0, 1}, (int32_t[]){1, 2, 2});
    prepare(&f);
    const int64_t tokens[3] = {2, 4, 5};
    memcpy(f.tokens, tokens, sizeof tokens);
    struct fixture plain = f;
    plain.o.sft_weight = 0.0;
    for (int k = 0; k < 3; k++) {
        f.logp[k] = plain.logp[k] = -10.0;
    }
    const double imitated = 3.0 * 5.0 + 2.5 + f.terms.rankings.weights[0] * 2.0;
    assert_near(loss_of(&f), loss_of(&plain) + 0.5 * imitated, TOL);
    assert_near(f.slopes[0], plain.slopes[0] - 0.5 * 3.0 / 2.0, TOL);
    assert_near(f.slopes[1], plain.slopes[1] - 0.5 / 4.0, TOL);
    assert_near(f.slopes[2], plain.slopes[2] - 0.5 * f.terms.rankings.weights[0] / 5.0, TOL);
}

/* ---- all ---- */

static void draw(struct fixture *f, enum align_method method, int64_t number) {
    struct rng rng = rng_stream(SEED, RNG_TEST, method, number);
    fixture_open(f, method, ANSWERS);
    f->config.direct.loss.label_smoothing =
        method == ALIGN_CDPO || method == ALIGN_ROBUST_DPO ? 0.1 : 0.0;
    f->config.direct.sft_weight = number % 2 == 0 ? 0.3 : 0.0;
    if (number % 3 == 0 && (method == ALIGN_DPO || method == ALIGN_PM_DPO)) {
        f->config.direct.loss.likelihood = REWARD_DAVIDSON;
        f->config.direct.loss.ties = PAIR_TIES_KEEP;
    }
    for (int c = 0; c < 12; c++) {
        const int32_t i = (int32_t)rng_below(&rng, ANSWERS);
        const int32_t j = (int32_t)((i + 1 + rng_below(&rng, ANSWERS - 1)) % ANSWERS);
        const int32_t k = (int32_t)(j == (i + 1) % ANSWERS ? (i + 2) % ANSWERS : (i + 1) % ANSWERS);
        const int32_t tied = rng_uniform(&rng) < 0.3;
        comparison_sample_add(&f->set, c % 4 == 0 ? 3 : 2, (int32_t[]){i, j, k},
                              (int32_t[]){1, 2 - tied, 3 - tied});
    }
    prepare(f);
    f->o.kl = 1.5;
    for (int k = 0; k < ANSWERS; k++) {
        f->tokens[k] = 1 + rng_below(&rng, 9);
        f->logp[k] = -(double)f->tokens[k] * (0.1 + rng_uniform(&rng));
        f->reference[k] = f->logp[k] + 5.0 * rng_normal(&rng);
    }
}

static void test_slopes__agree_with_central_differences(void **state) {
    (void)state;
    for (enum align_method method = ALIGN_DPO; method < ALIGN_METHOD_COUNT; method++) {
        for (int64_t number = 0; number < 24; number++) {
            SCOPED(fixture) struct fixture f;
            double slopes[ANSWERS], tie_slopes[4];
            draw(&f, method, number);
            (void)loss_of(&f);
            memcpy(slopes, f.slopes, sizeof slopes);
            memcpy(tie_slopes, f.tie_slopes, sizeof tie_slopes);
            for (int k = 0; k < ANSWERS; k++) {
                assert_near(central_difference(&f, &f.logp[k]), slopes[k],
                            1e-7 * (1.0 + fabs(slopes[k])));
            }
            for (int t = 0; t < reward_objective_tie_count(f.likelihood); t++) {
                assert_near(central_difference(&f, &f.ties[t]), tie_slopes[t], 1e-7);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dpo__known_values),
        cmocka_unit_test(test_dpo__votes_are_one_soft_label),
        cmocka_unit_test(test_dpo__ties),
        cmocka_unit_test(test_dpo__rankings_are_plackett_luces),
        cmocka_unit_test(test_smoothed__hand_worked),
        cmocka_unit_test(test_robust__is_unbiased),
        cmocka_unit_test(test_pm_dpo__scores_are_log_probabilities),
        cmocka_unit_test(test_simpo__hand_worked),
        cmocka_unit_test(test_orpo__hand_worked),
        cmocka_unit_test(test_ipo__hand_worked),
        cmocka_unit_test(test_kto__hand_worked),
        cmocka_unit_test(test_kto__labels_by_hand),
        cmocka_unit_test(test_imitation__is_of_what_was_preferred),
        cmocka_unit_test(test_slopes__agree_with_central_differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
