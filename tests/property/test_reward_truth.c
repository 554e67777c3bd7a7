/* Judgements simulated from known rewards, several votes a pair with ties by Davidson: do the
 * loss's minimum over free scores, and the temperature of the true scores, find the truth again?
 * Drawn by formulas of the test's own. */
#include "base/rng.h"
#include "base/scoped.h"
#include "reward/newton.h"
#include "reward/reward_calibration.h"
#include "reward/reward_objective.h"
#include "tests/support/comparison_sample.h"
#include "tests/support/near.h"

#include <math.h>

#define SEEDS  200
#define ITEMS  6
#define LOG_NU (-0.4)

/* Counts of a win, a loss and a tie in `votes` of difference d; all alike if the people copy one
 * another. */
static void draw_votes(struct rng *rng, double d, int votes, bool copied, double counts[3]) {
    const double up = exp(0.5 * d), down = exp(-0.5 * d), all = up + down + exp(LOG_NU);
    counts[0] = counts[1] = counts[2] = 0.0;
    for (int v = 0; v < (copied ? 1 : votes); v++) {
        const double u = rng_uniform(rng) * all;
        counts[u < up ? 0 : u < up + down ? 1 : 2] += copied ? votes : 1.0;
    }
}

/* ---- free scores ---- */

/* Scores, then the tie parameter. */
#define VARIABLES (ITEMS + 1)

static double value_at(void *context, const double *x) {
    return reward_objective_block(context, 0, x, x + ITEMS, NULL, NULL);
}

static void gradient_at(void *context, const double *x, double *out_gradient) {
    memset(out_gradient, 0, VARIABLES * sizeof *out_gradient);
    (void)reward_objective_block(context, 0, x, x + ITEMS, out_gradient, out_gradient + ITEMS);
}

static void hessian_times(void *context, const double *x, const double *v, double *out) {
    double longest = 1e-300;
    for (int k = 0; k < VARIABLES; k++) {
        longest = fmax(longest, fabs(v[k]));
    }
    const double step = 1e-5 / longest;
    double above[VARIABLES], below[VARIABLES], at[VARIABLES];
    for (int sign = 0; sign < 2; sign++) {
        for (int k = 0; k < VARIABLES; k++) {
            at[k] = x[k] + (sign ? step : -step) * v[k];
        }
        gradient_at(context, at, sign ? above : below);
    }
    for (int k = 0; k < VARIABLES; k++) {
        out[k] = (above[k] - below[k]) / (2.0 * step);
    }
}

static void diagonal_at(void *context, const double *x, double *out) {
    for (int k = 0; k < VARIABLES; k++) {
        double v[VARIABLES] = {0.0}, row[VARIABLES];
        v[k] = 1.0;
        hessian_times(context, x, v, row);
        out[k] = fmax(row[k], 0.0);
    }
}

static void draw_comparisons(struct rng *rng, const double *truth, struct comparison_set *set) {
    comparison_sample_init(set, ITEMS);
    for (int32_t i = 0; i < ITEMS; i++) {
        for (int32_t j = i + 1; j < ITEMS; j++) {
            double counts[3];
            draw_votes(rng, truth[i] - truth[j], 30, false, counts);
            comparison_sample_wins(set, i, j, (int64_t)counts[0]);
            comparison_sample_wins(set, j, i, (int64_t)counts[1]);
            for (int k = 0; k < (int)counts[2]; k++) {
                comparison_sample_tie(set, j, i);
            }
        }
    }
}

static void fit_scores(const struct comparison_set *set, const struct reward_terms_options *how,
                       enum tabular_model model, double x[VARIABLES]) {
    struct error err = ERROR_INIT;
    SCOPED(reward_terms) struct reward_terms terms = REWARD_TERMS_INIT;
    SCOPED(reward_objective) struct reward_objective *objective = NULL;
    const struct reward_objective_options options = {.model = model};
    struct newton_options search = NEWTON_OPTIONS_DEFAULT;
    struct newton_result result;
    search.gradient_tolerance = 1e-8; /* as far as differences of gradients go */
    assert_ok(reward_terms_make(set, how, &terms, &err), &err);
    assert_ok(reward_objective_new(&terms, &options, &objective, &err), &err);
    reward_objective_start(objective, x + ITEMS);
    const struct newton_problem problem = {.size = VARIABLES,
                                           .context = objective,
                                           .value = value_at,
                                           .gradient = gradient_at,
                                           .hessian_times = hessian_times,
                                           .diagonal = diagonal_at};
    assert_ok(newton_minimise(&problem, &search, x, &result, &err), &err);
}

/* Differences of one set whose interval holds the truth; how many there are. */
static int count_held(const struct comparison_set *set, const double *truth, int *out_looked) {
    struct error err = ERROR_INIT;
    SCOPED(tabular_fit) struct tabular_fit tabular = TABULAR_FIT_INIT;
    struct tabular_options options = TABULAR_OPTIONS_DEFAULT;
    double x[VARIABLES] = {0.0};
    int held = 0;
    options.model = TABULAR_DAVIDSON;
    fit_scores(set, &REWARD_TERMS_OPTIONS_DEFAULT, TABULAR_DAVIDSON, x);
    assert_ok(tabular_fit_run(set, &options, &tabular, &err), &err);
    assert_near(x[ITEMS], tabular_fit_parameter(&tabular, "log_nu")->value, 1e-6);
    for (int32_t i = 0; i < ITEMS; i++) {
        for (int32_t j = i + 1; j < ITEMS; j++) {
            const double d = x[i] - x[j], error = tabular_fit_contrast_std_error(&tabular, i, j);
            assert_near(d, tabular.rewards[i] - tabular.rewards[j], 1e-6);
            held += fabs(d - (truth[i] - truth[j])) <= 1.96 * error;
            ++*out_looked;
        }
    }
    return held;
}

/* The minimum is the tabular fit's, to a millionth of a nat, and its intervals hold the truth:
 * 3,000 differences, of which those of one set go together: 95 % +- 1.0. */
static void test_objective__finds_the_true_differences(void **state) {
    (void)state;
    int held = 0, looked = 0;
    for (int64_t seed = 0; seed < SEEDS; seed++) {
        SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
        struct rng rng = rng_stream((uint64_t)seed, RNG_TEST, 1, 0);
        double truth[ITEMS];
        for (int i = 0; i < ITEMS; i++) {
            truth[i] = rng_normal(&rng);
        }
        draw_comparisons(&rng, truth, &set);
        held += count_held(&set, truth, &looked);
    }
    print_message("true differences held by 95 %% intervals: %.1f %% of %d\n",
                  100.0 * held / looked, looked);
    assert_int_equal(looked, SEEDS * ITEMS * (ITEMS - 1) / 2);
    assert_in_range(1000 * held / looked, 920, 975);
}

/* ---- reliabilities ---- */

#define JUDGES 10

/* What each annotator thinks of each pair, said wrongly with probability 1 - reliability. */
static void draw_judgements(struct rng *rng, const double *truth, const double *reliabilities,
                            struct comparison_set *set) {
    comparison_sample_init(set, ITEMS);
    for (int32_t k = 0; k < 6 * JUDGES * ITEMS * ITEMS; k++) {
        const int32_t judge = k % JUDGES, i = k / JUDGES % ITEMS, j = k / JUDGES / ITEMS % ITEMS;
        if (i < j) {
            const bool thinks_i = rng_uniform(rng) < 1.0 / (1.0 + exp(truth[j] - truth[i]));
            const bool says_i = thinks_i == (rng_uniform(rng) < reliabilities[judge]);
            comparison_sample_win(set, says_i ? i : j, says_i ? j : i);
            comparison_sample_set_annotator(set, judge);
        }
    }
}

/* Of fits of one kind, against the true differences. */
struct recovery {
    double products, squares, errors;
    int64_t count;
};

static void add_recovery(struct recovery *r, const double *x, const double *truth) {
    for (int i = 0; i < ITEMS; i++) {
        for (int j = i + 1; j < ITEMS; j++) {
            const double d = truth[i] - truth[j], found = x[i] - x[j];
            r->products += d * found;
            r->squares += d * d;
            r->errors += (found - d) * (found - d);
            r->count++;
        }
    }
}

/* Half of the annotators say what they think in 95 %, half in 65 %: h - (1 - h) is 0.9 and 0.3.
 * Taken at their word they shrink small differences to the mean, 0.6, and large ones, which errors
 * cap, more; at weights 2 h - 1 to (0.9 * 0.9 + 0.3 * 0.3) / 1.2 = 0.75, and more. As a mixture
 * they do not. */
static void test_reliabilities__do_not_shrink_differences(void **state) {
    (void)state;
    double reliabilities[JUDGES], weights[JUDGES];
    for (int a = 0; a < JUDGES; a++) {
        reliabilities[a] = a % 2 ? 0.65 : 0.95;
        weights[a] = 2.0 * reliabilities[a] - 1.0;
    }
    const struct reward_terms_options ways[] = {
        {.reliability_unknown = 1.0},
        {.reliability_unknown = 1.0, .annotator_weights = weights},
        {.reliability_unknown = 1.0, .annotator_reliabilities = reliabilities},
    };
    static const char *const names[] = {"at their word", "weighed", "as a mixture"};
    static const int slopes[][2] = {{300, 600}, {300, 750}, {950, 1050}};
    struct recovery recoveries[3] = {{.count = 0}};
    for (int64_t seed = 0; seed < SEEDS / 4; seed++) {
        SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
        struct rng rng = rng_stream((uint64_t)seed, RNG_TEST, 4, 0);
        double truth[ITEMS];
        for (int i = 0; i < ITEMS; i++) {
            truth[i] = rng_normal(&rng);
        }
        draw_judgements(&rng, truth, reliabilities, &set);
        for (int way = 0; way < 3; way++) {
            double x[VARIABLES] = {0.0};
            fit_scores(&set, &ways[way], TABULAR_BRADLEY_TERRY, x);
            add_recovery(&recoveries[way], x, truth);
        }
    }
    for (int way = 0; way < 3; way++) {
        const struct recovery *r = &recoveries[way];
        print_message("%s: slope %.3f, error %.3f nats\n", names[way], r->products / r->squares,
                      sqrt(r->errors / (double)r->count));
        assert_in_range((int)(1000.0 * r->products / r->squares), slopes[way][0], slopes[way][1]);
    }
    assert_true(recoveries[2].errors < recoveries[1].errors);
    assert_true(recoveries[1].errors < recoveries[0].errors);
}

/* ---- temperature ---- */

#define PROMPTS 150
#define ANSWERS 4
#define VOTES   3

/* Three pairs a prompt, at the true margins. */
static void draw_metrics(int64_t seed, bool copied, struct pair_metrics *out) {
    struct error err = ERROR_INIT;
    assert_ok(pair_metrics_init(out, PROMPTS, 3 * PROMPTS, &err), &err);
    for (int64_t prompt = 0; prompt < PROMPTS; prompt++) {
        struct rng rng = rng_stream((uint64_t)seed, RNG_TEST, 2 + copied, prompt);
        double truth[ANSWERS], counts[3];
        for (int a = 0; a < ANSWERS; a++) {
            truth[a] = rng_normal(&rng);
        }
        for (int a = 1; a < ANSWERS; a++) {
            const double margin = truth[a - 1] - truth[a];
            draw_votes(&rng, margin, VOTES, copied, counts);
            pair_metrics_add(out, &(struct judged_pair){.cluster = prompt,
                                                        .margin = margin,
                                                        .wins_first = counts[0],
                                                        .wins_second = counts[1],
                                                        .ties = counts[2]});
        }
    }
}

/* Of 200 intervals 95 % hold it, 93.5 to 96.5 within one standard deviation. Where three people
 * copy each other errors are sqrt 3 as large, and only clusters tell: without them 74 % would hold.
 */
static void test_calibration__of_true_scores_holds_one(void **state) {
    (void)state;
    for (int copied = 0; copied < 2; copied++) {
        int held = 0, tie_held = 0;
        double log_mean = 0.0;
        for (int64_t seed = 0; seed < SEEDS; seed++) {
            struct error err = ERROR_INIT;
            SCOPED(pair_metrics) struct pair_metrics metrics = PAIR_METRICS_INIT;
            struct reward_calibration c;
            draw_metrics(seed, copied != 0, &metrics);
            assert_ok(reward_calibration_fit(&metrics, TABULAR_DAVIDSON, (uint64_t)seed, &c, &err),
                      &err);
            assert_int_equal(c.kind, REWARD_CALIBRATION_FITTED);
            held += c.temperature.low <= 1.0 && 1.0 <= c.temperature.high;
            tie_held += c.tie_parameter.low <= LOG_NU && LOG_NU <= c.tie_parameter.high;
            log_mean += log(c.temperature.value) / SEEDS;
        }
        print_message("%s votes: T = 1 held by %d of %d, ln nu by %d; mean ln T %.4f\n",
                      copied ? "copied" : "independent", held, SEEDS, tie_held, log_mean);
        assert_in_range(held, 9 * SEEDS / 10, 99 * SEEDS / 100);
        assert_in_range(tie_held, 9 * SEEDS / 10, 99 * SEEDS / 100);
        assert_near(log_mean, 0.0, 0.05);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objective__finds_the_true_differences),
        cmocka_unit_test(test_reliabilities__do_not_shrink_differences),
        cmocka_unit_test(test_calibration__of_true_scores_holds_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
