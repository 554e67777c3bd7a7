/* Do nominal 95 % intervals hold the truth 95 % of the time? Data are simulated from known rewards
 * by formulas of the test's own, fitted, and the intervals of rewards, differences, parameters and
 * probabilities looked at. ACCORD_LONG_TESTS=1 takes 2,000 data sets of each model instead of 50.
 */
#include "base/normal_quantile.h"
#include "base/rng.h"
#include "base/scoped.h"
#include "reward/tabular_predict.h"
#include "tests/support/comparison_sample.h"
#include "tests/support/test.h"

#include <math.h>
#include <stdlib.h>

#define SEED      20
#define ITEMS     8
#define JUDGES    10
#define LEVEL     0.95
#define SETS      50
#define SETS_LONG 2000
#define GAPS_MAX  20 /* data sets in a hundred without an estimate, which are drawn again */
/* Standard errors are those of many comparisons: at these numbers of them, a percentage point. */
#define ASYMPTOTIC 0.01
/* Of the mean over data sets: beyond it one of 1,000 tests. */
#define ERRORS_MAX 3.3

/* What a campaign simulates. */
struct world {
    const char *name;
    enum tabular_model model;
    enum tabular_estimator estimator;
    int64_t comparisons;   /* of each pair and order shown; rankings in all */
    double spread;         /* standard deviation of the rewards */
    double position;       /* nats; 0: no order is known, and none is fitted */
    double tie;            /* log nu, eta, log delta_2; -INFINITY: no ties */
    double rewards[ITEMS]; /* truth, of mean zero */
    double skills[JUDGES]; /* reliabilities */
};

/* Intervals of one kind, and over data sets the sums of the share that held. */
struct coverage {
    double held, looked; /* in the data set at hand */
    double sum, squares;
    int64_t sets;
};

enum { REWARDS, DIFFERENCES, PARAMETERS, PROBABILITIES, KINDS };

static const char *const kind_names[KINDS] = {"rewards", "differences", "parameters",
                                              "probabilities"};

/* ---- the truth ---- */

struct chances {
    double win, loss, tie;
};

static struct chances chances_of(const struct world *w, double d) {
    if (w->model == TABULAR_RAO_KUPPER) {
        double win = 1.0 / (1.0 + exp(w->tie - d)), loss = 1.0 / (1.0 + exp(w->tie + d));
        return (struct chances){win, loss, 1.0 - win - loss};
    }
    double nu = exp(w->tie), up = exp(0.5 * d), down = exp(-0.5 * d), all = up + down + nu;
    return (struct chances){up / all, down / all, nu / all};
}

static void draw_truth(struct world *w, struct rng *rng) {
    double mean = 0.0;
    for (int i = 0; i < ITEMS; i++) {
        w->rewards[i] = w->spread * rng_normal(rng);
        mean += w->rewards[i] / ITEMS;
    }
    for (int i = 0; i < ITEMS; i++) {
        w->rewards[i] -= mean;
    }
    for (int a = 0; a < JUDGES; a++) {
        w->skills[a] = pow(rng_uniform_open(rng), 0.25); /* Beta(4, 1): the prior of the fit */
    }
}

/* ---- data ---- */

static void add_counted(struct comparison_set *set, int32_t better, int32_t worse, bool tie,
                        double times, const int32_t *positions) {
    if (times > 0.0) {
        comparison_sample_add(set, 2, (int32_t[]){better, worse}, (int32_t[]){1, tie ? 1 : 2});
        comparison_sample_set_weight(set, times);
        comparison_sample_set_positions(set, positions);
    }
}

/* Comparisons of i and j, i shown first if `side` is 1. */
static void draw_pair(const struct world *w, struct comparison_set *set, struct rng *rng, int32_t i,
                      int32_t j, int side) {
    struct chances p = chances_of(w, w->rewards[i] - w->rewards[j] + side * w->position);
    double counts[3] = {0.0, 0.0, 0.0};
    for (int64_t n = 0; n < w->comparisons; n++) {
        double u = rng_uniform(rng);
        counts[u < p.win ? 0 : u < p.win + p.loss ? 1 : 2] += 1.0;
    }
    int32_t first = side == 0 ? 0 : side == 1 ? 1 : 2, second = side == 0 ? 0 : 3 - first;
    add_counted(set, i, j, false, counts[0], (int32_t[]){first, second});
    add_counted(set, j, i, false, counts[1], (int32_t[]){second, first});
    add_counted(set, i, j, true, counts[2], (int32_t[]){first, second});
}

static void draw_judgements(const struct world *w, struct comparison_set *set, struct rng *rng,
                            int32_t i, int32_t j) {
    double p = 1.0 / (1.0 + exp(w->rewards[j] - w->rewards[i]));
    for (int64_t n = 0; n < JUDGES * w->comparisons; n++) {
        int32_t judge = (int32_t)(n / w->comparisons);
        bool prefers_i = rng_uniform(rng) < p;
        bool i_wins = rng_uniform(rng) < w->skills[judge] ? prefers_i : !prefers_i;
        comparison_sample_win(set, i_wins ? i : j, i_wins ? j : i);
        comparison_sample_set_annotator(set, judge);
    }
}

/* One stage of a ranking of `left` items (Davidson-Luce with ties of two): who is chosen. */
static int64_t draw_stage(const struct world *w, struct rng *rng, const int32_t *items,
                          int64_t left, int64_t chosen[2]) {
    double sums[64] = {0.0}, total = 0.0;
    int64_t pairs[64][2], count = 0;
    for (int64_t a = 0; a < left; a++) {
        for (int64_t b = a; b < left; b++) {
            double weight = a == b
                                ? exp(w->rewards[items[a]])
                                : exp(w->tie + 0.5 * (w->rewards[items[a]] + w->rewards[items[b]]));
            total += weight;
            pairs[count][0] = a;
            pairs[count][1] = b;
            sums[count++] = total;
        }
    }
    double u = rng_uniform(rng) * total;
    int64_t at = 0;
    while (at < count - 1 && u >= sums[at]) {
        at++;
    }
    chosen[0] = pairs[at][0];
    chosen[1] = pairs[at][1];
    return chosen[0] == chosen[1] ? 1 : 2;
}

/* A ranking of four items, drawn stage by stage. */
static void draw_ranking(const struct world *w, struct comparison_set *set, struct rng *rng) {
    int32_t items[ITEMS], order[4], ranks[4];
    for (int32_t i = 0; i < ITEMS; i++) {
        items[i] = i;
    }
    for (int64_t i = 0; i < 4; i++) { /* the first four of a shuffle */
        int64_t other = i + rng_below(rng, ITEMS - i);
        int32_t item = items[i];
        items[i] = items[other];
        items[other] = item;
    }
    int32_t rank = 1;
    for (int64_t left = 4, placed = 0; left > 0; rank++) {
        int64_t chosen[2];
        int64_t count = draw_stage(w, rng, items, left, chosen);
        for (int64_t k = count - 1; k >= 0; k--) { /* from the back, so that places stay */
            order[placed] = items[chosen[k]];
            ranks[placed++] = rank;
            items[chosen[k]] = items[--left];
        }
    }
    comparison_sample_add(set, 4, order, ranks);
}

static void draw_data(const struct world *w, struct comparison_set *set, struct rng *rng) {
    comparison_sample_init(set, ITEMS);
    if (w->model == TABULAR_PLACKETT_LUCE) {
        for (int64_t n = 0; n < w->comparisons; n++) {
            draw_ranking(w, set, rng);
        }
        return;
    }
    bool by_judges = w->model == TABULAR_CROWD_BT;
    int side = w->position != 0.0 ? 1 : 0;
    set->annotator_count = by_judges ? JUDGES : 0;
    for (int32_t pair = 0; pair < ITEMS * ITEMS; pair++) {
        int32_t i = pair / ITEMS, j = pair % ITEMS;
        if (i < j && by_judges) {
            draw_judgements(w, set, rng, i, j);
        } else if (i < j) {
            draw_pair(w, set, rng, i, j, side);
            draw_pair(w, set, rng, i, j, -side);
        }
    }
}

/* ---- looking at intervals ---- */

static void look(struct coverage *c, double truth, double low, double high) {
    c->looked += 1.0;
    c->held += low <= truth && truth <= high;
}

static void look_at_error(struct coverage *c, double truth, double value, double std_error) {
    double width = normal_quantile(0.5 + 0.5 * LEVEL) * std_error;
    look(c, truth, value - width, value + width);
}

static void look_at_pairs(const struct world *w, const struct tabular_fit *fit,
                          struct coverage coverages[KINDS]) {
    int side = w->position != 0.0 ? 1 : 0;
    for (int32_t i = 0; i < ITEMS; i++) {
        for (int32_t j = i + 1; j < ITEMS; j++) {
            double truth = w->rewards[i] - w->rewards[j];
            look_at_error(&coverages[DIFFERENCES], truth, fit->rewards[i] - fit->rewards[j],
                          tabular_fit_contrast_std_error(fit, i, j));
            struct tabular_question question = {
                .item = i, .other = j, .side = side, .level = LEVEL};
            struct tabular_prediction p;
            struct chances chances = chances_of(w, truth + side * w->position);
            tabular_predict(fit, &question, &p);
            look(&coverages[PROBABILITIES], chances.win, p.win.low, p.win.high);
            if (chances.tie > 0.0) {
                look(&coverages[PROBABILITIES], chances.tie, p.tie.low, p.tie.high);
            }
        }
    }
}

static void look_at_fit(const struct world *w, const struct tabular_fit *fit,
                        struct coverage coverages[KINDS]) {
    for (int32_t i = 0; i < ITEMS; i++) {
        look_at_error(&coverages[REWARDS], w->rewards[i], fit->rewards[i], fit->std_errors[i]);
    }
    for (int64_t p = 0; p < fit->parameter_count; p++) {
        bool is_position = fit->parameters[p].name[0] == 'p';
        look_at_error(&coverages[PARAMETERS], is_position ? w->position : w->tie,
                      fit->parameters[p].value, fit->parameters[p].std_error);
    }
    look_at_pairs(w, fit, coverages);
}

static void end_set(struct coverage *c) {
    if (c->looked > 0.0) {
        double share = c->held / c->looked;
        c->sum += share;
        c->squares += share * share;
        c->sets++;
    }
    c->held = c->looked = 0.0;
}

static void check_coverage(const struct world *w, int kind, const struct coverage *c) {
    double n = (double)c->sets, mean = c->sum / n;
    double error = sqrt(fmax(0.0, c->squares / n - mean * mean) / n);
    print_message("%s: %s: %.1f %% +- %.1f\n", w->name, kind_names[kind], 100.0 * mean,
                  100.0 * error);
    if (!(fabs(mean - LEVEL) <= ASYMPTOTIC + ERRORS_MAX * error)) {
        fail_msg("%s: intervals of %s hold the truth in %.2f %% +- %.2f", w->name, kind_names[kind],
                 100.0 * mean, 100.0 * error);
    }
}

/* ---- campaigns ---- */

/* False where the data have no estimate. */
static bool run_set(struct world *w, int64_t campaign, int64_t number,
                    struct coverage coverages[KINDS]) {
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    struct rng rng = rng_stream(SEED, RNG_TEST, campaign, number);
    struct tabular_options options = TABULAR_OPTIONS_DEFAULT;
    struct error err = ERROR_INIT;
    options.model = w->model;
    options.estimator = w->estimator;
    options.ridge = 1.0 / (w->spread * w->spread);
    options.position_effect = w->position != 0.0;
    draw_truth(w, &rng);
    draw_data(w, &set, &rng);
    enum err_code code = tabular_fit_run(&set, &options, &fit, &err);
    if (code == ERR_DATA) {
        return false;
    }
    assert_ok(code, &err);
    look_at_fit(w, &fit, coverages);
    return true;
}

static void run_campaign(struct world world, int64_t campaign) {
    int64_t sets = getenv("ACCORD_LONG_TESTS") ? SETS_LONG : SETS, done = 0, number = 0;
    struct coverage coverages[KINDS] = {{.sets = 0}};
    for (; done < sets; number++) {
        if (run_set(&world, campaign, number, coverages)) {
            done++;
        }
        for (int k = 0; k < KINDS; k++) {
            end_set(&coverages[k]);
        }
    }
    print_message("%s: %d data sets, and %d without an estimate\n", world.name, (int)sets,
                  (int)(number - done));
    assert_true((number - done) * 100 <= GAPS_MAX * sets);
    for (int k = 0; k < KINDS; k++) {
        if (coverages[k].sets > 0) {
            check_coverage(&world, k, &coverages[k]);
        }
    }
}

#define NO_TIES (-(double)INFINITY)

static void test_coverage__bradley_terry(void **state) {
    (void)state;
    run_campaign((struct world){.name = "bradley-terry",
                                .comparisons = 15,
                                .spread = 0.7,
                                .position = 0.4,
                                .tie = NO_TIES},
                 1);
}

static void test_coverage__davidson(void **state) {
    (void)state;
    run_campaign((struct world){.name = "davidson",
                                .model = TABULAR_DAVIDSON,
                                .comparisons = 15,
                                .spread = 0.7,
                                .position = 0.4,
                                .tie = -0.4},
                 2);
}

static void test_coverage__rao_kupper(void **state) {
    (void)state;
    run_campaign((struct world){.name = "rao-kupper",
                                .model = TABULAR_RAO_KUPPER,
                                .comparisons = 15,
                                .spread = 0.7,
                                .tie = 0.5},
                 3);
}

static void test_coverage__plackett_luce(void **state) {
    (void)state;
    run_campaign((struct world){.name = "plackett-luce",
                                .model = TABULAR_PLACKETT_LUCE,
                                .comparisons = 250,
                                .spread = 0.7,
                                .tie = NO_TIES},
                 4);
    run_campaign((struct world){.name = "plackett-luce with ties",
                                .model = TABULAR_PLACKETT_LUCE,
                                .comparisons = 250,
                                .spread = 0.7,
                                .tie = -1.0},
                 5);
}

/* Truths of reliabilities come from their prior: with others, intervals are too wide or too narrow
 * (98.0 % of 2,000 data sets for reliabilities between 0.7 and 0.95). */
static void test_coverage__crowd_bt(void **state) {
    (void)state;
    run_campaign((struct world){.name = "crowd-bt",
                                .model = TABULAR_CROWD_BT,
                                .comparisons = 6,
                                .spread = 0.7,
                                .tie = NO_TIES},
                 6);
}

/* With truths from the prior the posterior is calibrated however few the data. */
static void test_coverage__maximum_posterior(void **state) {
    (void)state;
    run_campaign((struct world){.name = "bradley-terry, map",
                                .estimator = TABULAR_MAXIMUM_POSTERIOR,
                                .comparisons = 2,
                                .spread = 1.0,
                                .tie = NO_TIES},
                 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_coverage__bradley_terry),
        cmocka_unit_test(test_coverage__davidson),
        cmocka_unit_test(test_coverage__rao_kupper),
        cmocka_unit_test(test_coverage__plackett_luce),
        cmocka_unit_test(test_coverage__crowd_bt),
        cmocka_unit_test(test_coverage__maximum_posterior),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
