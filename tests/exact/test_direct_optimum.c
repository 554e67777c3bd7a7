/* What direct methods converge to, in worlds small enough to list every answer: tabular policies,
 * judgements with exactly the probabilities of known rewards, gradient descent to the end. */
#include "trainer/objective_direct.h"

#include "base/scoped.h"
#include "tests/support/comparison_sample.h"
#include "tests/support/near.h"

#include <math.h>

#define ANSWERS_MAX 9
#define TOL_PRINTED 1e-9 /* of tables with ten decimals */

/* A prompt, its answers, a tabular policy: logits of the answers themselves, or of two tokens of
 * three, where answer k is token k / 3 and then token k % 3. */
struct world {
    int64_t answers;
    bool has_two_tokens;
    struct align_config config;
    struct direct_objective o;
    struct comparison_set set;
    struct reward_terms terms;
    struct reward_objective *likelihood;
    double reference[ANSWERS_MAX]; /* R */
    double logits[4][ANSWERS_MAX]; /* of the first token, or the answer; of the second, by first */
    double tie, tie_slope;
    double policy[ANSWERS_MAX];
};

static void world_open(struct world *w, enum align_method method, int64_t answers, double beta) {
    *w = (struct world){
        .answers = answers,
        .has_two_tokens = answers == 9,
        .terms = REWARD_TERMS_INIT,
        .config = {.method = method,
                   .regulariser = {.kind = REGULARISER_CPM, .beta_in = beta},
                   .direct = {.beta = beta, .loss = {.ties = PAIR_TIES_HALF}}},
    };
    comparison_sample_init(&w->set, answers);
}

static void world_scoped_end(struct world *w) {
    reward_objective_free(w->likelihood);
    reward_terms_deinit(&w->terms);
    comparison_set_deinit(&w->set);
}

/* ---- judgements ---- */

static void add_ranking(struct world *w, int64_t size, const int32_t *items, const int32_t *ranks,
                        double weight) {
    comparison_sample_add(&w->set, size, items, ranks);
    comparison_sample_set_weight(&w->set, weight);
}

/* Every pair in both orders, and tied, as Davidson's model with tie weight nu has it: nu = 0 is
 * Bradley and Terry's. */
static void judge_pairs(struct world *w, const double *rewards, double nu) {
    for (int32_t i = 0; i < w->answers; i++) {
        for (int32_t j = i + 1; j < w->answers; j++) {
            const double up = exp(0.5 * (rewards[i] - rewards[j]));
            const double sum = up + 1.0 / up + nu;
            add_ranking(w, 2, (int32_t[]){i, j}, (int32_t[]){1, 2}, up / sum);
            add_ranking(w, 2, (int32_t[]){j, i}, (int32_t[]){1, 2}, 1.0 / (up * sum));
            if (nu > 0.0) {
                add_ranking(w, 2, (int32_t[]){i, j}, (int32_t[]){1, 1}, nu / sum);
            }
        }
    }
}

/* All orders of order[from .. 4) with Plackett and Luce's probability. */
static void judge_orders(struct world *w, const double *rewards, int32_t *order, int64_t from,
                         double probability) {
    if (from == w->answers) {
        add_ranking(w, w->answers, order, (int32_t[]){1, 2, 3, 4}, probability);
        return;
    }
    double sum = 0.0;
    for (int64_t m = from; m < w->answers; m++) {
        sum += exp(rewards[order[m]]);
    }
    for (int64_t m = from; m < w->answers; m++) {
        const int32_t item = order[m];
        order[m] = order[from];
        order[from] = item;
        judge_orders(w, rewards, order, from + 1, probability * exp(rewards[item]) / sum);
        order[from] = order[m];
        order[m] = item;
    }
}

/* ---- the policy ---- */

/* ln softmax of n logits. */
static void log_softmax(const double *logits, int64_t n, double *out) {
    double top = logits[0], sum = 0.0;
    for (int64_t k = 1; k < n; k++) {
        top = fmax(top, logits[k]);
    }
    for (int64_t k = 0; k < n; k++) {
        sum += exp(logits[k] - top);
    }
    for (int64_t k = 0; k < n; k++) {
        out[k] = logits[k] - top - log(sum);
    }
}

static void log_policy(const struct world *w, double *out) {
    double first[ANSWERS_MAX], second[3];
    if (!w->has_two_tokens) {
        log_softmax(w->logits[0], w->answers, out);
        return;
    }
    log_softmax(w->logits[0], 3, first);
    for (int a = 0; a < 3; a++) {
        log_softmax(w->logits[1 + a], 3, second);
        for (int b = 0; b < 3; b++) {
            out[3 * a + b] = first[a] + second[b];
        }
    }
}

/* Moves logits against the slopes [n] of a loss in ln softmax of them. */
static void move(double *logits, int64_t n, const double *slopes, double rate) {
    double p[ANSWERS_MAX], sum = 0.0;
    log_softmax(logits, n, p);
    for (int64_t k = 0; k < n; k++) {
        sum += slopes[k];
    }
    for (int64_t k = 0; k < n; k++) {
        logits[k] -= rate * (slopes[k] - sum * exp(p[k]));
    }
}

static void step(struct world *w, double rate) {
    double logp[ANSWERS_MAX], scores[ANSWERS_MAX], slopes[ANSWERS_MAX];
    const int64_t tokens[ANSWERS_MAX] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    double tie_slope = 0.0;
    const struct direct_judged judged = {
        .terms = &w->terms, .likelihood = w->likelihood, .ties = &w->tie};
    struct direct_answers answers = {logp, w->reference, tokens, scores, slopes, w->answers};
    log_policy(w, logp);
    (void)direct_loss(&w->o, &judged, &answers, &tie_slope);
    w->tie -= rate * tie_slope;
    if (!w->has_two_tokens) {
        move(w->logits[0], w->answers, slopes, rate);
        return;
    }
    double first[3];
    for (int a = 0; a < 3; a++) {
        first[a] = slopes[3 * a] + slopes[3 * a + 1] + slopes[3 * a + 2];
        move(w->logits[1 + a], 3, slopes + 3 * a, rate);
    }
    move(w->logits[0], 3, first, rate);
}

/* Descends until it stands. Curvature goes with the square of the scale of scores, and the number
 * of judgements of an answer; of a square it is eight times that of a logistic loss. */
static void converge(struct world *w) {
    struct error err = ERROR_INIT;
    const struct reward_loss_config loss = direct_loss_config(&w->config);
    const struct reward_terms_options options = {
        .ties = loss.ties, .split_rankings = loss.split_rankings, .reliability_unknown = 1.0};
    const struct reward_objective_options likelihood = {
        .model = (enum tabular_model)loss.likelihood, .label_smoothing = loss.label_smoothing};
    w->o = direct_objective_of(&w->config);
    assert_ok(reward_terms_make(&w->set, &options, &w->terms, &err), &err);
    assert_ok(reward_objective_new(&w->terms, &likelihood, &w->likelihood, &err), &err);
    const double steepness = w->o.form == DIRECT_SQUARED ? 8.0 : 1.0;
    const double rate = 1.0 / (steepness * w->o.scale * w->o.scale * (double)w->answers);
    for (int64_t k = 0; k < 40000; k++) {
        step(w, rate);
    }
    log_policy(w, w->policy);
    for (int64_t k = 0; k < w->answers; k++) {
        w->policy[k] = exp(w->policy[k]);
    }
}

static double total_variation(const double *p, const double *q, int64_t count) {
    double sum = 0.0;
    for (int64_t k = 0; k < count; k++) {
        sum += 0.5 * fabs(p[k] - q[k]);
    }
    return sum;
}

/* ---- four answers of one token ---- */

static const double rewards_1[4] = {1.0, 0.5, 0.0, -1.0};
static const double reference_1[4] = {0.7, 0.2, 0.08, 0.02};
static const double pm_1[4] = {0.4739908463, 0.2874899807, 0.1743714876, 0.0641476854};
static const double cpm_1[4] = {0.6102518451, 0.3701364542, 0.0179599286, 0.0016517721};

static void test_pm_dpo__has_the_odds_of_the_people(void **state) {
    (void)state;
    SCOPED(world) struct world w;
    world_open(&w, ALIGN_PM_DPO, 4, 1.0);
    judge_pairs(&w, rewards_1, 0.0);
    converge(&w);
    assert_true(total_variation(w.policy, pm_1, 4) < TOL_PRINTED);
}

/* w = 1 above 0.1, else the reference. */
static void test_pm_dpo__matches_within_the_language(void **state) {
    (void)state;
    SCOPED(world) struct world w;
    world_open(&w, ALIGN_PM_DPO, 4, 1.0);
    judge_pairs(&w, rewards_1, 0.0);
    w.reference[2] = log(reference_1[2]);
    w.reference[3] = log(reference_1[3]);
    converge(&w);
    assert_true(total_variation(w.policy, cpm_1, 4) < TOL_PRINTED);
}

/* pi ~ ref e^(r / beta), for beta 1 and 0.1: the odds of the reference stay in. */
static void test_dpo__multiplies_the_odds_of_the_reference(void **state) {
    (void)state;
    static const double known[2][4] = {
        {0.8202069052, 0.1421373244, 0.0344842580, 0.0031715124},
        {0.9980734026, 1.921418768e-3, 5.178567129e-6, 5.877664598e-11}};
    for (int k = 0; k < 2; k++) {
        SCOPED(world) struct world w;
        world_open(&w, ALIGN_DPO, 4, k == 0 ? 1.0 : 0.1);
        judge_pairs(&w, rewards_1, 0.0);
        for (int a = 0; a < 4; a++) {
            w.reference[a] = log(reference_1[a]);
        }
        converge(&w);
        assert_true(total_variation(w.policy, known[k], 4) < TOL_PRINTED);
    }
}

/* Fifths of the labels flipped, and told so: as from the labels themselves. */
static void test_robust_dpo__sees_through_flips(void **state) {
    (void)state;
    SCOPED(world) struct world w;
    world_open(&w, ALIGN_ROBUST_DPO, 4, 1.0);
    w.config.direct.loss.label_smoothing = 0.2;
    for (int32_t i = 0; i < 4; i++) {
        for (int32_t j = 0; j < 4; j++) {
            const double p = 1.0 / (1.0 + exp(rewards_1[j] - rewards_1[i]));
            if (i != j) {
                add_ranking(&w, 2, (int32_t[]){i, j}, (int32_t[]){1, 2}, 0.8 * p + 0.2 * (1.0 - p));
            }
        }
    }
    converge(&w);
    assert_true(total_variation(w.policy, pm_1, 4) < TOL_PRINTED);
}

/* Ties have their share, and change no odds. */
static void test_pm_dpo__ties_by_davidson(void **state) {
    (void)state;
    SCOPED(world) struct world w;
    world_open(&w, ALIGN_PM_DPO, 4, 1.0);
    w.config.direct.loss.likelihood = REWARD_DAVIDSON;
    w.config.direct.loss.ties = PAIR_TIES_KEEP;
    judge_pairs(&w, rewards_1, 0.7);
    converge(&w);
    assert_true(total_variation(w.policy, pm_1, 4) < TOL_PRINTED);
    assert_near(w.tie, log(0.7), 1e-9);
}

static void test_pm_dpo__rankings_by_plackett_luce(void **state) {
    (void)state;
    SCOPED(world) struct world w;
    world_open(&w, ALIGN_PM_DPO, 4, 1.0);
    judge_orders(&w, rewards_1, (int32_t[]){0, 1, 2, 3}, 0, 1.0);
    converge(&w);
    assert_true(total_variation(w.policy, pm_1, 4) < TOL_PRINTED);
}

/* P = 0.7, beta 0.5, odds 3 of the reference: ln(pi_1 / pi_2) = ln 3 + (0.7 - 0.5) / 0.5. */
static void test_ipo__stays_near_the_reference(void **state) {
    (void)state;
    SCOPED(world) struct world w;
    world_open(&w, ALIGN_IPO, 2, 0.5);
    add_ranking(&w, 2, (int32_t[]){0, 1}, (int32_t[]){1, 2}, 0.7);
    add_ranking(&w, 2, (int32_t[]){1, 0}, (int32_t[]){1, 2}, 0.3);
    w.reference[0] = log(0.75);
    w.reference[1] = log(0.25);
    converge(&w);
    assert_near(log(w.policy[0] / w.policy[1]), log(3.0) + 0.4, 1e-12);
}

/* ---- nine answers of two tokens ---- */

static const double rewards_2[9] = {1.0, 0.5, 2.0, 0.0, 1.5, -0.5, 3.0, -1.0, 0.5};
/* ref; with alpha 0.15 all but c first, and c behind a and b, are of the language */
static const double reference_2[9] = {0.30, 0.24, 0.06, 0.21, 0.075, 0.015, 0.02, 0.02, 0.06};
static const double weights_2[9] = {1.0, 1.0, 0.1, 1.0, 1.0, 0.05, 0.1, 0.1, 0.1};

static void test_two_tokens__known_optima(void **state) {
    (void)state;
    static const struct {
        enum align_method method;
        double beta;
        const double *reference; /* NULL: 1 */
        double known[9];
    } cases[] = {
        {ALIGN_PM_DPO,
         1.0,
         NULL,
         {0.0680482021, 0.0412733209, 0.1849741913, 0.0250335346, 0.1121925183, 0.0151836062,
          0.5028119829, 0.0092093227, 0.0412733209}},
        {ALIGN_PM_DPO,
         1.0,
         weights_2,
         {0.2118999509, 0.1285238170, 0.0576003786, 0.0779536355, 0.3493639563, 0.0023640635,
          0.1565740625, 0.0028677540, 0.0128523817}},
        {ALIGN_PM_DPO,
         0.5,
         weights_2,
         {0.0955901764, 0.0351656607, 0.0706321176, 0.0129367236, 0.2598410394, 0.0002379577,
          0.5219046791, 0.0001750795, 0.0035165661}},
        {ALIGN_DPO,
         1.0,
         reference_2,
         {0.3000601124, 0.1455965263, 0.1631295902, 0.0772701625, 0.1236788724, 0.0033476230,
          0.1478107336, 0.0027072480, 0.0363991316}},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        SCOPED(world) struct world w;
        world_open(&w, cases[c].method, 9, cases[c].beta);
        judge_pairs(&w, rewards_2, 0.0);
        for (int k = 0; cases[c].reference && k < 9; k++) {
            w.reference[k] = log(cases[c].reference[k]);
        }
        converge(&w);
        assert_true(total_variation(w.policy, cases[c].known, 9) < TOL_PRINTED);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pm_dpo__has_the_odds_of_the_people),
        cmocka_unit_test(test_pm_dpo__matches_within_the_language),
        cmocka_unit_test(test_dpo__multiplies_the_odds_of_the_reference),
        cmocka_unit_test(test_robust_dpo__sees_through_flips),
        cmocka_unit_test(test_pm_dpo__ties_by_davidson),
        cmocka_unit_test(test_pm_dpo__rankings_by_plackett_luce),
        cmocka_unit_test(test_ipo__stays_near_the_reference),
        cmocka_unit_test(test_two_tokens__known_optima),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
