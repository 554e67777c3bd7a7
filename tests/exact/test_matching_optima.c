/* Regularised objectives whose optimum is known: exact gradients end there, and the numbers of
 * closed forms are those that a 40-digit computation gave. */
#include "tests/support/near.h"
#include "tests/support/small_world.h"
#include "trainer/matching.h"
#include "trainer/objective_logvar.h"

#include <math.h>

#define ONE (&small_world_one)
#define TWO (&small_world_two)

static const struct regulariser kl_1 = {.kind = REGULARISER_KL, .beta_in = 1.0};
static const struct regulariser kl_tenth = {.kind = REGULARISER_KL, .beta_in = 0.1};
static const struct regulariser pm_1 = {.kind = REGULARISER_PM, .beta_in = 1.0};
static const struct regulariser pm_half = {.kind = REGULARISER_PM, .beta_in = 0.5};

static struct regulariser cpm(double alpha, double beta_in, double beta_out) {
    return (struct regulariser){
        .kind = REGULARISER_CPM, .alpha = alpha, .beta_in = beta_in, .beta_out = beta_out};
}

/* ---- numbers ---- */

/* A policy of one prompt whose answers have these probabilities: logp of every cell. */
static void factorise(const struct small_world *world, const double *probabilities,
                      double *out_logp) {
    double mass[WORLD_CELLS_MAX] = {0.0}, total[WORLD_CELLS_MAX] = {0.0};
    for (int64_t y = 0; y < small_world_answers(world); y++) {
        for (int64_t t = 0; t < world->length; t++) {
            const int64_t cell = small_world_cell(world, y, t);
            mass[cell] += probabilities[y];
            total[cell / world->vocab] += probabilities[y];
        }
    }
    for (int64_t k = 0; k < small_world_cells(world); k++) {
        out_logp[k] = log(mass[k] / total[k / world->vocab]);
    }
}

static struct matching matching_under(const struct small_world *world,
                                      const double *probabilities) {
    double logp[WORLD_ANSWERS_MAX];
    int64_t lengths[WORLD_ANSWERS_MAX];
    for (int64_t y = 0; y < small_world_answers(world); y++) {
        logp[y] = log(probabilities[y]);
        lengths[y] = world->length;
    }
    const struct matching_pool pool = {.count = small_world_answers(world),
                                       .rewards = world->rewards,
                                       .logp = logp,
                                       .lengths = lengths,
                                       .weights = probabilities};
    return matching_of(&pool, 0);
}

static double entropy_of(const struct small_world *world, const double *probabilities) {
    double entropy = 0.0;
    for (int64_t y = 0; y < small_world_answers(world); y++) {
        entropy -= probabilities[y] * log(probabilities[y]);
    }
    return entropy;
}

struct optimum {
    struct regulariser reg;
    double probabilities[WORLD_ANSWERS_MAX];
    double objective, entropy, divergence, bernoulli_kl;
};

static void check_optimum(const struct small_world *world, const struct optimum *expected) {
    double probabilities[WORLD_ANSWERS_MAX], logp[WORLD_CELLS_MAX];
    const double objective = small_world_optimum(world, &expected->reg, probabilities);
    assert_near(objective, expected->objective, 1e-9);
    for (int64_t y = 0; y < small_world_answers(world); y++) {
        assert_near(probabilities[y], expected->probabilities[y], 1e-10);
    }
    /* The objective of the code at that policy is the closed form's: costs as they should be. */
    factorise(world, probabilities, logp);
    assert_near(small_world_objective(world, &expected->reg, logp), expected->objective, 1e-9);
    const struct matching m = matching_under(world, probabilities);
    assert_near(m.weight, 1.0, 1e-14);
    assert_near(m.divergence, expected->divergence, 1e-9);
    if (isfinite(expected->bernoulli_kl)) {
        assert_near(m.bernoulli_kl, expected->bernoulli_kl, 1e-9);
        assert_near(entropy_of(world, probabilities), expected->entropy, 1e-9);
    }
    assert_near(m.near_divergence, m.divergence, 1e-15);
    assert_near(m.near_bernoulli_kl, m.bernoulli_kl, 1e-15);
}

static void test_optimum_of_one_token__numbers(void **state) {
    (void)state;
    const struct optimum optima[] = {
        {kl_1,
         {0.8202069052, 0.1421373244, 0.0344842580, 0.0031715124},
         0.8415237032,
         0.5742330066,
         0.7112683711,
         0.0573000964},
        {kl_tenth,
         {0.9980734026, 1.921418768e-3, 5.178567129e-6, 5.877664598e-11},
         0.9645253512,
         0.0140056514,
         0.1282211098,
         0.0065471167},
        {pm_1,
         {0.4739908463, 0.2874899807, 0.1743714876, 0.0641476854},
         1.7465672692,
         1.1929791180,
         0.0,
         0.0},
        {pm_half,
         {0.6572330228, 0.2417825172, 0.0889468173, 0.0120376427},
         1.2098583232,
         0.8875433689,
         0.2856551137,
         0.0226764688},
        {cpm(0.1, 1.0, 1.0),
         {0.6102518451, 0.3701364542, 0.0179599286, 0.0016517721},
         1.4938835462,
         0.7520389229,
         0.2743295347,
         0.0169939231},
    };
    for (size_t i = 0; i < sizeof optima / sizeof *optima; i++) {
        check_optimum(ONE, &optima[i]);
    }
}

static void test_optimum_of_two_tokens__numbers(void **state) {
    (void)state;
    const struct optimum optima[] = {
        {kl_1,
         {0.3000601124, 0.1455965263, 0.1631295902, 0.0772701625, 0.1236788724, 0.0033476230,
          0.1478107336, 0.0027072480, 0.0363991316},
         0.9997996455,
         (double)NAN,
         1.9280957850,
         (double)NAN},
        {pm_1,
         {0.0680482021, 0.0412733209, 0.1849741913, 0.0250335346, 0.1121925183, 0.0151836062,
          0.5028119829, 0.0092093227, 0.0412733209},
         3.6875389701,
         (double)NAN,
         0.0,
         (double)NAN},
        {cpm(0.15, 1.0, 1.0),
         {0.2118999509, 0.1285238170, 0.0576003786, 0.0779536355, 0.3493639563, 0.0023640635,
          0.1565740625, 0.0028677540, 0.0128523817},
         2.5516410454,
         (double)NAN,
         1.9046646877,
         (double)NAN},
        {cpm(0.15, 0.5, 0.5),
         {0.0955901764, 0.0351656607, 0.0706321176, 0.0129367236, 0.2598410394, 0.0002379577,
          0.5219046791, 0.0001750795, 0.0035165661},
         2.1738426109,
         (double)NAN,
         0.5273561431,
         (double)NAN},
    };
    for (size_t i = 0; i < sizeof optima / sizeof *optima; i++) {
        check_optimum(TWO, &optima[i]);
    }
}

/* J at policies that are not optimal. */
static void test_objective_of_two_tokens__numbers(void **state) {
    (void)state;
    const double zeros[WORLD_CELLS_MAX] = {0.0};
    const struct {
        struct regulariser reg;
        double reference, uniform;
    } cases[] = {
        {kl_1, 0.7150000000, 0.2602716222},
        {pm_1, 2.4977916136, 2.9750023551},
        {cpm(0.15, 1.0, 1.0), 2.0844420146, 1.6187720612},
        {cpm(0.15, 0.5, 0.5), 1.3997210073, 1.1982749195},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double logp[WORLD_CELLS_MAX];
        small_world_reference(TWO, logp);
        assert_near(small_world_objective(TWO, &cases[i].reg, logp), cases[i].reference, 1e-9);
        small_world_policy(TWO, zeros, logp);
        assert_near(small_world_objective(TWO, &cases[i].reg, logp), cases[i].uniform, 1e-9);
    }
}

/* Answer bc, cpm with beta 1: b is inside, c after b is not. Rewards of the tokens are minus the
 * costs, and r = -0.5 at the last: at the reference ln 0.3 and 0, under a uniform policy ln 1/3 and
 * ln 1/3 - ln 0.05. */
static void test_costs__reward_of_each_token(void **state) {
    (void)state;
    const struct regulariser reg = cpm(0.15, 1.0, 1.0);
    const double ref[2] = {log(0.3), log(0.05)}, uniform[2] = {log(1.0 / 3.0), log(1.0 / 3.0)};
    double costs[2], corrections[2];
    regulariser_costs(&reg, 2, ref, ref, costs, corrections);
    assert_near(costs[0], -1.2039728043, 1e-10);
    assert_near(costs[1], 0.0, 1e-15);
    regulariser_costs(&reg, 2, uniform, ref, costs, corrections);
    assert_near(costs[0], -1.0986122887, 1e-10);
    assert_near(-0.5 - costs[1], -2.3971199849, 1e-10);
    assert_near(corrections[0], 0.0, 0.0);
    assert_near(corrections[1], 0.0, 0.0);
}

/* dJ / dlogits of two tokens at the reference, cpm with beta 1. */
static void test_gradient_at_the_reference__numbers(void **state) {
    (void)state;
    static const double expected[12] = {0.0236840953,  0.0197330522, -0.0434171475, 0.0240171893,
                                        -0.0472317963, 0.0232146070, -0.1238099325, 0.1455036233,
                                        -0.0216936908, 0.0591833475, -0.0208166525, -0.0383666949};
    const struct regulariser reg = cpm(0.15, 1.0, 1.0);
    double logp[WORLD_CELLS_MAX], gradient[WORLD_CELLS_MAX] = {0.0};
    small_world_reference(TWO, logp);
    small_world_gradient(TWO, &reg, logp, true, gradient);
    for (int k = 0; k < 12; k++) {
        assert_near(gradient[k], expected[k], 1e-9);
    }
}

/* ---- gradients to the end ---- */

/* Probability that a state is reached. */
static double visits(const struct small_world *world, const double *logp, int64_t cell) {
    double sum = 0.0;
    for (int64_t y = 0; y < small_world_answers(world); y++) {
        for (int64_t t = 0; t < world->length; t++) {
            if (small_world_cell(world, y, t) / world->vocab == cell / world->vocab) {
                sum += small_world_probability(world, logp, y);
            }
        }
    }
    return sum;
}

/* Natural gradient ascent from the reference, which divides each derivative by how often its state
 * and token come: rare answers move as fast as others. Ends where the gradient is nothing. */
static void ascend(const struct small_world *world, const struct regulariser *reg,
                   bool is_corrected, double *out_logp) {
    double logits[WORLD_CELLS_MAX];
    small_world_reference(world, logits);
    double largest = 1.0;
    for (int64_t step = 0; step < 2000 && largest > 1e-13; step++) {
        double gradient[WORLD_CELLS_MAX] = {0.0};
        small_world_policy(world, logits, out_logp);
        small_world_gradient(world, reg, out_logp, is_corrected, gradient);
        largest = 0.0;
        for (int64_t k = 0; k < small_world_cells(world); k++) {
            largest = fmax(largest, fabs(gradient[k]));
            logits[k] +=
                0.3 / reg->beta_in * gradient[k] / (visits(world, out_logp, k) * exp(out_logp[k]));
        }
    }
    assert_true(largest <= 1e-12);
}

static void check_ascent(const struct small_world *world, const struct regulariser *reg) {
    double optimum[WORLD_ANSWERS_MAX], reached[WORLD_ANSWERS_MAX], logp[WORLD_CELLS_MAX];
    const double objective = small_world_optimum(world, reg, optimum);
    ascend(world, reg, true, logp);
    small_world_probabilities(world, logp, reached);
    assert_near(small_world_distance(world, reached, optimum), 0.0, 1e-9);
    assert_near(small_world_objective(world, reg, logp), objective, 1e-10);
}

static void test_gradient_ascent__ends_at_closed_forms(void **state) {
    (void)state;
    const struct regulariser one[] = {kl_1, kl_tenth, pm_1, pm_half, cpm(0.1, 1.0, 1.0)};
    const struct regulariser two[] = {kl_1, pm_1, pm_half, cpm(0.15, 1.0, 1.0),
                                      cpm(0.15, 0.5, 0.5)};
    for (size_t i = 0; i < sizeof one / sizeof *one; i++) {
        check_ascent(ONE, &one[i]);
    }
    for (size_t i = 0; i < sizeof two / sizeof *two; i++) {
        check_ascent(TWO, &two[i]);
    }
}

/* beta 1 inside and 1/2 outside: without corrections the gradient ends somewhere else, and lower.
 */
static void test_gradient_ascent__two_betas_need_corrections(void **state) {
    (void)state;
    static const double truth[4] = {0.6152893822, 0.3731918749, 0.0111417740, 0.0003769688};
    static const double uncorrected[4] = {0.6197829865, 0.3759173837, 0.0041589177, 0.0001407121};
    const struct regulariser reg = cpm(0.1, 1.0, 0.5);
    double logp[WORLD_CELLS_MAX], reached[WORLD_ANSWERS_MAX];
    ascend(ONE, &reg, true, logp);
    small_world_probabilities(ONE, logp, reached);
    assert_near(small_world_distance(ONE, reached, truth), 0.0, 2e-10);
    assert_near(small_world_objective(ONE, &reg, logp), 1.4799032100, 1e-9);
    ascend(ONE, &reg, false, logp);
    small_world_probabilities(ONE, logp, reached);
    assert_near(small_world_distance(ONE, reached, uncorrected), 0.0, 2e-10);
    assert_near(small_world_objective(ONE, &reg, logp), 1.4783858840, 1e-9);
}

/* The optimum with two betas of answers of two tokens, state by state: pi(a) = w(a)
 * e^((Q_a - lambda) / beta_a - 1), lambda such that they add up to 1, V = lambda + sum of pi beta.
 */
static double solve_state(const struct small_world *world, const struct regulariser *reg,
                          int64_t first_cell, const double *q, double *out_logp) {
    double low = -20.0, high = 20.0, value = 0.0;
    for (int i = 0; i < 200; i++) {
        const double lambda = 0.5 * (low + high);
        double sum = 0.0;
        value = lambda;
        for (int64_t a = 0; a < world->vocab; a++) {
            const double ref = world->reference[first_cell + a];
            const double beta = ref > reg->alpha ? reg->beta_in : reg->beta_out;
            const double log_w = ref > reg->alpha ? 0.0 : log(ref);
            out_logp[first_cell + a] = log_w + (q[a] - lambda) / beta - 1.0;
            sum += exp(out_logp[first_cell + a]);
            value += beta * exp(out_logp[first_cell + a]);
        }
        low = sum > 1.0 ? lambda : low;
        high = sum > 1.0 ? high : lambda;
    }
    return value;
}

static void test_gradient_ascent__two_betas_in_two_tokens(void **state) {
    (void)state;
    const struct regulariser reg = cpm(0.15, 1.0, 0.5);
    double values[3], expected[WORLD_CELLS_MAX], logp[WORLD_CELLS_MAX];
    double optimum[WORLD_ANSWERS_MAX], reached[WORLD_ANSWERS_MAX];
    for (int64_t a = 0; a < 3; a++) {
        values[a] = solve_state(TWO, &reg, 3 + 3 * a, TWO->rewards + 3 * a, expected);
    }
    const double objective = solve_state(TWO, &reg, 0, values, expected);
    ascend(TWO, &reg, true, logp);
    small_world_probabilities(TWO, expected, optimum);
    small_world_probabilities(TWO, logp, reached);
    assert_near(small_world_distance(TWO, reached, optimum), 0.0, 1e-9);
    assert_near(small_world_objective(TWO, &reg, logp), objective, 1e-10);
}

/* ---- limits ---- */

/* alpha below every probability of the reference: all tokens are inside. Above all of them: none.
 */
static void test_cpm__between_pm_and_kl(void **state) {
    (void)state;
    const struct regulariser all = cpm(0.01, 1.0, 0.5), none = cpm(0.9, 0.5, 1.0);
    double logp[WORLD_CELLS_MAX], ref_logp[WORLD_CELLS_MAX];
    double costs[WORLD_CELLS_MAX], corrections[WORLD_CELLS_MAX], expected[WORLD_CELLS_MAX];
    small_world_policy(TWO, TWO->rewards, logp);
    small_world_reference(TWO, ref_logp);
    regulariser_costs(&pm_1, 9, logp, NULL, expected, NULL);
    regulariser_costs(&all, 9, logp, ref_logp, costs, corrections);
    for (int k = 0; k < 9; k++) {
        assert_near(costs[k], expected[k], 0.0);
        assert_near(corrections[k], 0.0, 0.0);
    }
    regulariser_costs(&kl_1, 9, logp, ref_logp, expected, NULL);
    regulariser_costs(&none, 9, logp, ref_logp, costs, corrections);
    for (int k = 0; k < 9; k++) {
        assert_near(costs[k], expected[k], 0.0);
        assert_near(corrections[k], 0.5, 0.0); /* the same everywhere: no direction */
    }
}

/* kl is the KL-regularised reward of RLHF: J = E[r] - beta KL(pi | ref) over whole answers. */
static void test_kl__is_the_divergence_of_answers(void **state) {
    (void)state;
    double logp[WORLD_CELLS_MAX], ref_logp[WORLD_CELLS_MAX], expected = 0.0;
    small_world_policy(TWO, TWO->rewards, logp);
    small_world_reference(TWO, ref_logp);
    for (int64_t y = 0; y < 9; y++) {
        const double p = small_world_probability(TWO, logp, y);
        const double q = small_world_probability(TWO, ref_logp, y);
        expected += p * (TWO->rewards[y] - 0.1 * log(p / q));
    }
    assert_near(small_world_objective(TWO, &kl_tenth, logp), expected, 1e-14);
}

/* ---- log-variance ---- */

/* All answers as one group. */
static double logvar_of(const struct small_world *world, const struct regulariser *reg,
                        const double *logp, double *gradient) {
    int64_t starts[WORLD_ANSWERS_MAX + 1] = {0};
    double tokens[WORLD_ANSWERS_MAX * WORLD_LENGTH_MAX], ref_logp[WORLD_CELLS_MAX];
    double ref_tokens[WORLD_ANSWERS_MAX * WORLD_LENGTH_MAX];
    double slopes[WORLD_ANSWERS_MAX * WORLD_LENGTH_MAX] = {0.0};
    const int64_t answers = small_world_answers(world), length = world->length;
    small_world_reference(world, ref_logp);
    for (int64_t y = 0; y < answers; y++) {
        starts[y + 1] = (y + 1) * length;
        small_world_tokens(world, logp, y, tokens + y * length);
        small_world_tokens(world, ref_logp, y, ref_tokens + y * length);
    }
    const struct logvar_batch batch = {
        .completions = {.count = answers, .group_size = answers, .starts = starts},
        .rewards = world->rewards,
        .logp = tokens,
        .ref_logp = ref_tokens,
        .step_groups = 1};
    const double loss = objective_logvar(reg, &batch, slopes);
    for (int64_t y = 0; y < answers; y++) {
        small_world_pull_back(world, logp, y, slopes + y * length, 1.0, gradient);
    }
    return loss;
}

static void check_logvar(const struct small_world *world, const struct regulariser *reg) {
    double logits[WORLD_CELLS_MAX], logp[WORLD_CELLS_MAX];
    double optimum[WORLD_ANSWERS_MAX], reached[WORLD_ANSWERS_MAX];
    small_world_optimum(world, reg, optimum);
    small_world_reference(world, logits);
    for (int64_t step = 0; step < 4000; step++) {
        double gradient[WORLD_CELLS_MAX] = {0.0};
        small_world_policy(world, logits, logp);
        (void)logvar_of(world, reg, logp, gradient);
        for (int64_t k = 0; k < small_world_cells(world); k++) {
            logits[k] -= 1.5 / (reg->beta_in * reg->beta_in) * gradient[k];
        }
    }
    small_world_probabilities(world, logp, reached);
    assert_near(small_world_distance(world, reached, optimum), 0.0, 1e-6);
    /* At the closed form itself neither loss nor slopes are left. */
    double gradient[WORLD_CELLS_MAX] = {0.0};
    factorise(world, optimum, logp);
    assert_near(logvar_of(world, reg, logp, gradient), 0.0, 1e-28);
    for (int64_t k = 0; k < small_world_cells(world); k++) {
        assert_near(gradient[k], 0.0, 1e-14);
    }
}

static void test_logvar__descends_to_closed_forms(void **state) {
    (void)state;
    const struct regulariser one[] = {kl_1, kl_tenth, pm_1, pm_half, cpm(0.1, 1.0, 1.0)};
    const struct regulariser two[] = {kl_1, pm_1, pm_half, cpm(0.15, 1.0, 1.0),
                                      cpm(0.15, 0.5, 0.5)};
    for (size_t i = 0; i < sizeof one / sizeof *one; i++) {
        check_logvar(ONE, &one[i]);
    }
    for (size_t i = 0; i < sizeof two / sizeof *two; i++) {
        check_logvar(TWO, &two[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_optimum_of_one_token__numbers),
        cmocka_unit_test(test_optimum_of_two_tokens__numbers),
        cmocka_unit_test(test_objective_of_two_tokens__numbers),
        cmocka_unit_test(test_costs__reward_of_each_token),
        cmocka_unit_test(test_gradient_at_the_reference__numbers),
        cmocka_unit_test(test_gradient_ascent__ends_at_closed_forms),
        cmocka_unit_test(test_gradient_ascent__two_betas_need_corrections),
        cmocka_unit_test(test_gradient_ascent__two_betas_in_two_tokens),
        cmocka_unit_test(test_cpm__between_pm_and_kl),
        cmocka_unit_test(test_kl__is_the_divergence_of_answers),
        cmocka_unit_test(test_logvar__descends_to_closed_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
