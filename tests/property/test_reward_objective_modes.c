/* The loss of a reward model on random judgements, in every mode: derivatives by central
 * differences, what must not matter, and sums over orders by enumeration. */
#include "base/rng.h"
#include "base/scoped.h"
#include "reward/reward_objective.h"
#include "tests/support/comparison_sample.h"
#include "tests/support/near.h"

#include <math.h>
#include <stdlib.h>

#define SEED     2026
#define SETS     20 /* of each mode */
#define ITEMS    6
#define TIES_MAX 8
#define JUDGES   3

/* Every combination that goes together. */
struct mode {
    const char *name;
    enum tabular_model model;
    enum pair_ties ties;
    bool split, reliabilities, margins;
};

static const struct mode modes[] = {
    {"bradley-terry, halves", TABULAR_BRADLEY_TERRY, PAIR_TIES_HALF, false, false, false},
    {"bradley-terry, margins", TABULAR_BRADLEY_TERRY, PAIR_TIES_HALF, false, false, true},
    {"bradley-terry, dropped", TABULAR_BRADLEY_TERRY, PAIR_TIES_DROP, false, false, true},
    {"bradley-terry, split", TABULAR_BRADLEY_TERRY, PAIR_TIES_HALF, true, false, false},
    {"bradley-terry, reliabilities", TABULAR_BRADLEY_TERRY, PAIR_TIES_HALF, true, true, false},
    {"davidson", TABULAR_DAVIDSON, PAIR_TIES_KEEP, false, false, true},
    {"davidson, split", TABULAR_DAVIDSON, PAIR_TIES_KEEP, true, false, false},
    {"rao-kupper, split", TABULAR_RAO_KUPPER, PAIR_TIES_KEEP, true, false, true},
};

#define MODE_COUNT (sizeof modes / sizeof *modes)

struct world {
    const struct mode *mode;
    struct comparison_set set;
    struct reward_terms terms;
    struct reward_objective *objective;
    double scores[ITEMS], ties[TIES_MAX];
    int64_t tie_count;
};

static void world_scoped_end(struct world *w) {
    reward_objective_free(w->objective);
    reward_terms_deinit(&w->terms);
    comparison_set_deinit(&w->set);
}

/* ---- random judgements ---- */

static void draw_comparison(struct comparison_set *set, struct rng *rng, int64_t size) {
    int32_t items[ITEMS], ranks[ITEMS];
    for (int32_t i = 0; i < ITEMS; i++) {
        items[i] = i;
    }
    for (int64_t m = 0; m < size; m++) {
        const int64_t other = m + rng_below(rng, ITEMS - m);
        const int32_t item = items[m];
        items[m] = items[other];
        items[other] = item;
        ranks[m] = m == 0 ? 1 : ranks[m - 1] + (rng_uniform(rng) < 0.6);
    }
    comparison_sample_add(set, size, items, ranks);
    comparison_sample_set_weight(set, 0.5 + rng_uniform(rng));
    comparison_sample_set_annotator(set, (int32_t)rng_below(rng, JUDGES));
}

static void draw_set(struct comparison_set *set, struct rng *rng, bool has_rankings) {
    comparison_sample_init(set, ITEMS);
    for (int64_t c = 0; c < 16; c++) {
        draw_comparison(set, rng, has_rankings && c % 2 ? 3 + rng_below(rng, ITEMS - 2) : 2);
        if (rng_uniform(rng) < 0.2) {
            comparison_sample_set_last_unordered(set);
        }
    }
    set->margins = mem_array(16, sizeof *set->margins);
    assert_non_null(set->margins);
    for (int64_t c = 0; c < 16; c++) {
        set->margins[c] = c % 3 == 0 ? (double)NAN : rng_uniform(rng);
    }
}

static const double reliabilities[JUDGES] = {0.95, 0.7, 1.0};

static void make(struct world *w, double smoothing, double centring) {
    struct error err = ERROR_INIT;
    const struct reward_terms_options options = {
        .ties = w->mode->ties,
        .split_rankings = w->mode->split,
        .margin_scale = w->mode->margins ? 0.8 : 0.0,
        .annotator_reliabilities = w->mode->reliabilities ? reliabilities : NULL,
        .reliability_unknown = 1.0,
    };
    const struct reward_objective_options objective = {
        .model = w->mode->model, .label_smoothing = smoothing, .centring = centring};
    reward_objective_free(w->objective);
    w->objective = NULL;
    reward_terms_deinit(&w->terms);
    assert_ok(reward_terms_make(&w->set, &options, &w->terms, &err), &err);
    assert_ok(reward_objective_new(&w->terms, &objective, &w->objective, &err), &err);
    w->tie_count = reward_objective_tie_count(w->objective);
    assert_true(w->tie_count <= TIES_MAX);
}

static void draw_world(struct world *w, const struct mode *mode, int64_t number,
                       bool has_rankings) {
    struct rng rng = rng_stream(SEED, RNG_TEST, mode - modes, number);
    *w = (struct world){.mode = mode, .terms = REWARD_TERMS_INIT};
    draw_set(&w->set, &rng, has_rankings);
    for (int i = 0; i < ITEMS; i++) {
        w->scores[i] = 2.0 * rng_normal(&rng);
    }
    for (int t = 0; t < TIES_MAX; t++) {
        w->ties[t] = mode->model == TABULAR_RAO_KUPPER ? 0.2 + rng_uniform(&rng) : rng_normal(&rng);
    }
}

static double value_of(struct world *w) {
    return reward_objective_block(w->objective, 0, w->scores, w->ties, NULL, NULL);
}

/* ---- derivatives ---- */

static double central_difference(struct world *w, double *x) {
    const double step = 1e-5, at = *x;
    *x = at + step;
    const double above = value_of(w);
    *x = at - step;
    const double below = value_of(w);
    *x = at;
    return (above - below) / (2.0 * step);
}

/* Values near 50 are rounded by 1e-14, differences of them over 2e-5 by 1e-9. */
static void check_derivatives(struct world *w, int64_t number) {
    double slopes[ITEMS] = {0.0}, tie_slopes[TIES_MAX] = {0.0};
    const double value =
        reward_objective_block(w->objective, 0, w->scores, w->ties, slopes, tie_slopes);
    assert_near(value, value_of(w), 0.0);
    for (int k = 0; k < ITEMS + w->tie_count; k++) {
        double *x = k < ITEMS ? &w->scores[k] : &w->ties[k - ITEMS];
        const double slope = k < ITEMS ? slopes[k] : tie_slopes[k - ITEMS];
        const double expected = central_difference(w, x);
        if (!(fabs(slope - expected) <= 2e-8 * (1.0 + fabs(expected)))) {
            fail_msg("%s, set %d, variable %d: slope %.12g, by differences %.12g", w->mode->name,
                     (int)number, k, slope, expected);
        }
    }
}

static void test_slopes__agree_with_central_differences(void **state) {
    (void)state;
    static const double smoothings[] = {0.0, 0.1}, centrings[] = {0.0, 0.01};
    for (size_t m = 0; m < MODE_COUNT; m++) {
        for (int64_t number = 0; number < SETS; number++) {
            SCOPED(world) struct world w;
            draw_world(&w, &modes[m], number, true);
            for (int k = 0; k < 4; k++) {
                make(&w, smoothings[k & 1], centrings[k >> 1]);
                check_derivatives(&w, number);
            }
        }
    }
}

/* ---- what must not matter, and what must ---- */

static void test_value__does_not_change_with_a_constant(void **state) {
    (void)state;
    for (size_t m = 0; m < MODE_COUNT; m++) {
        for (int64_t number = 0; number < SETS; number++) {
            SCOPED(world) struct world w;
            draw_world(&w, &modes[m], number, true);
            make(&w, 0.1, 0.0);
            const double before = value_of(&w);
            double slopes[ITEMS] = {0.0}, sum = 0.0;
            (void)reward_objective_block(w.objective, 0, w.scores, w.ties, slopes, NULL);
            for (int i = 0; i < ITEMS; i++) {
                w.scores[i] += 3.25;
                sum += slopes[i];
            }
            assert_near(value_of(&w), before, 1e-12);
            assert_near(sum, 0.0, 1e-12);
        }
    }
}

/* The same judgements with every verdict turned, at scores of the opposite sign: the same loss, and
 * slopes of the opposite sign. Rankings are read from their best, so only pairs have it. */
static void test_pairs__turned_around_turn_the_slopes(void **state) {
    (void)state;
    for (size_t m = 0; m < MODE_COUNT; m++) {
        for (int64_t number = 0; number < SETS; number++) {
            SCOPED(world) struct world w;
            double slopes[ITEMS] = {0.0}, turned[ITEMS] = {0.0};
            draw_world(&w, &modes[m], number, false);
            make(&w, 0.1, 0.01);
            const double value =
                reward_objective_block(w.objective, 0, w.scores, w.ties, slopes, NULL);
            for (int64_t c = 0; c < w.set.count; c++) {
                const int32_t better = w.set.items[2 * c];
                w.set.items[2 * c] = w.set.items[2 * c + 1];
                w.set.items[2 * c + 1] = better;
            }
            for (int i = 0; i < ITEMS; i++) {
                w.scores[i] = -w.scores[i];
            }
            make(&w, 0.1, 0.01);
            assert_near(reward_objective_block(w.objective, 0, w.scores, w.ties, turned, NULL),
                        value, 1e-12);
            for (int i = 0; i < ITEMS; i++) {
                assert_near(turned[i], -slopes[i], 1e-12);
            }
        }
    }
}

/* The loss of comparison c alone; 0 where it says nothing. */
static double value_of_one(const struct world *w, int64_t c) {
    SCOPED(reward_terms) struct reward_terms terms = REWARD_TERMS_INIT;
    struct world one = {.mode = w->mode, .terms = REWARD_TERMS_INIT, .set = w->set};
    const struct reward_terms_options options = {
        .ties = w->mode->ties, .split_rankings = w->mode->split, .reliability_unknown = 1.0};
    struct error err = ERROR_INIT;
    one.set.count = 1;
    one.set.starts += c;
    one.set.weights += c;
    one.set.annotators += c;
    one.set.comparison_ids += c;
    one.set.last_unordered += w->set.last_unordered ? c : 0;
    memcpy(one.scores, w->scores, sizeof one.scores);
    memcpy(one.ties, w->ties, sizeof one.ties);
    if (reward_terms_make(&one.set, &options, &terms, &err) != ERR_OK) {
        return 0.0;
    }
    make(&one, 0.1, 0.01);
    const double value = value_of(&one);
    reward_objective_free(one.objective);
    reward_terms_deinit(&one.terms);
    return value;
}

/* One judgement at a time: what merging and soft labels must add up to. But for margins, which are
 * averaged, and for rankings by Davidson-Luce, where each alone has only its own sizes of ties. */
static void test_terms__are_the_sum_of_their_judgements(void **state) {
    (void)state;
    for (size_t m = 0; m < MODE_COUNT; m++) {
        struct mode mode = modes[m];
        mode.margins = false;
        for (int64_t number = 0; number < SETS; number++) {
            SCOPED(world) struct world w;
            draw_world(&w, &modes[m], number, mode.model != TABULAR_DAVIDSON);
            w.mode = &mode;
            make(&w, 0.1, 0.01);
            double sum = 0.0;
            for (int64_t c = 0; c < w.set.count; c++) {
                sum += value_of_one(&w, c);
            }
            assert_near(value_of(&w), sum, 1e-12 * (1.0 + fabs(sum)));
        }
    }
}

/* ---- orders of tied items, by enumeration ---- */

#define SMOOTHING 0.1

/* -ln P of the items in this order, of Plackett-Luce, every stage smoothed. */
static double order_value(const double *scores, const int32_t *order, int64_t count) {
    double value = 0.0;
    for (int64_t k = 0; k < count; k++) {
        double sum = 0.0, mean = 0.0;
        for (int64_t m = k; m < count; m++) {
            sum += exp(scores[order[m]]);
            mean += scores[order[m]] / (double)(count - k);
        }
        value += log(sum) - (1.0 - 2.0 * SMOOTHING) * scores[order[k]] - 2.0 * SMOOTHING * mean;
    }
    return value;
}

/* Sum over all orders of order[from .. to), Heap's way by recursion; `*orders` counts them. */
static double sum_orders(const double *scores, int32_t *order, int64_t from, int64_t to,
                         int64_t *orders) {
    if (from == to) {
        ++*orders;
        return order_value(scores, order, ITEMS);
    }
    double sum = 0.0;
    for (int64_t k = from; k < to; k++) {
        const int32_t item = order[k];
        order[k] = order[from];
        order[from] = item;
        sum += sum_orders(scores, order, from + 1, to, orders);
        order[from] = order[k];
        order[k] = item;
    }
    return sum;
}

/* Ties of every length at every place of a ranking of six. */
static void test_halves__are_the_mean_over_orders(void **state) {
    (void)state;
    for (int64_t from = 0; from < ITEMS; from++) {
        for (int64_t to = from + 2; to <= ITEMS; to++) {
            SCOPED(world) struct world w;
            int32_t order[ITEMS], ranks[ITEMS];
            int64_t orders = 0;
            draw_world(&w, &modes[0], from * ITEMS + to, true);
            comparison_set_deinit(&w.set);
            comparison_sample_init(&w.set, ITEMS);
            for (int32_t i = 0; i < ITEMS; i++) {
                order[i] = i;
                ranks[i] = i == 0 ? 1 : ranks[i - 1] + !(i > from && i < to);
            }
            comparison_sample_add(&w.set, ITEMS, order, ranks);
            make(&w, SMOOTHING, 0.0);
            const double sum = sum_orders(w.scores, order, from, to, &orders);
            assert_near(value_of(&w), sum / (double)orders, 1e-12);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slopes__agree_with_central_differences),
        cmocka_unit_test(test_value__does_not_change_with_a_constant),
        cmocka_unit_test(test_pairs__turned_around_turn_the_slopes),
        cmocka_unit_test(test_terms__are_the_sum_of_their_judgements),
        cmocka_unit_test(test_halves__are_the_mean_over_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
