/* bt_test.c - see bt_test.h. */
#include "reward/bt_test.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/scoped.h"
#include "base/special.h"
#include "reward/bt_cells.h"
#include "reward/bt_core.h"
#include "reward/bt_rankings.h"
#include "reward/pair_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SPARSE_SHARE_MAX 0.2
#define WORK_MAX         4e8 /* simulated pairs, and looks at cells: about a second and a half */
#define HARD_WORK_MAX    2e9 /* with the fewest replicates: else there is no test */
#define BINOMIAL_CHUNK   256

/* One test: the cells as observed and fitted, and what replicates need. */
struct testing {
    struct bt_test *test;
    struct bt_cells cells;
    struct bt_rankings rankings; /* empty for pairs */
    double *probabilities;       /* [C] of i winning, simulated */
    double *totals;              /* [C] judgements */
    double *x;                   /* [I + 1] simulated from, position included */
    double looks_per_fit;        /* at cells and items */
    uint64_t seed;
};

static void testing_scoped_end(struct testing *t) {
    bt_cells_deinit(&t->cells);
    bt_rankings_deinit(&t->rankings);
    mem_free(t->probabilities);
    mem_free(t->totals);
    mem_free(t->x);
}

const char *bt_test_reason_text(enum bt_test_reason reason) {
    static const char *const texts[] = {
#define BT_TEST_TEXT(name, text) text,
        BT_TEST_REASONS(BT_TEST_TEXT)
#undef BT_TEST_TEXT
    };
    return texts[reason];
}

/* ---- pairs ---- */

/* How often a cell must have been judged to be among those judged most, and how many of those
 * judged exactly so often there is still room for. */
struct cell_limit {
    double least;
    int64_t room;
};

static int compare_descending(const void *left, const void *right) {
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a < b) - (a > b);
}

static enum err_code limit_cells(const struct pair_table *table, struct cell_limit *out_limit,
                                 struct error *err) {
    *out_limit = (struct cell_limit){.least = 0.0, .room = 0};
    if (table->count <= BT_TEST_CELLS_MAX) {
        return ERR_OK;
    }
    SCOPED(mem) double *sorted = mem_array((size_t)table->count, sizeof *sorted);
    if (!sorted) {
        return err_oom(err, "cells of pairs");
    }
    for (int64_t c = 0; c < table->count; c++) {
        sorted[c] = table->wins[c] + table->losses[c];
    }
    qsort(sorted, (size_t)table->count, sizeof *sorted, compare_descending);
    out_limit->least = sorted[BT_TEST_CELLS_MAX - 1];
    if (out_limit->least <= 1.0) { /* judged once: nothing to learn from them */
        out_limit->least = 1.0;
        return ERR_OK;
    }
    for (int64_t c = BT_TEST_CELLS_MAX - 1; c >= 0 && sorted[c] == out_limit->least; c--) {
        out_limit->room++;
    }
    return ERR_OK;
}

static void copy_cell(struct bt_cells *cells, const struct pair_table *table, int64_t from,
                      int32_t i) {
    int64_t c = cells->count++;
    cells->i[c] = i;
    cells->j[c] = table->others[from];
    cells->sides[c] = table->sides[from];
    cells->wins[c] = table->wins[from];
    cells->losses[c] = table->losses[from];
    cells->position = cells->position || table->sides[from] != 0;
}

/* Cells that were judged least are dropped first; among equals, the later ones. */
static enum err_code cells_of_pairs(struct testing *t, const struct comparison_set *set,
                                    struct error *err) {
    SCOPED(pair_table) struct pair_table table = PAIR_TABLE_INIT;
    TRY(pair_table_build(set, PAIR_TIES_DROP, &table, err));
    struct cell_limit limit;
    TRY(limit_cells(&table, &limit, err));
    int64_t most = table.count < BT_TEST_CELLS_MAX ? table.count : BT_TEST_CELLS_MAX;
    TRY(bt_cells_init(&t->cells, table.item_count, most, err));
    t->cells.count = 0;
    for (int64_t i = 0; i < table.item_count; i++) {
        for (int64_t c = table.starts[i]; c < table.starts[i + 1]; c++) {
            double n = table.wins[c] + table.losses[c];
            bool even = n == limit.least && limit.room > 0;
            limit.room -= even;
            if (n > limit.least || even) {
                copy_cell(&t->cells, &table, c, (int32_t)i);
            }
        }
    }
    t->test->cells_left_out = table.count - t->cells.count;
    return bt_cells_prepare(&t->cells, err);
}

/* Successes in n trials of probability p, by inversion in chunks whose (1 - p)^n stays far from
 * the smallest double. */
static double draw_binomial(struct rng *rng, double n, double p) {
    bool flip = p > 0.5;
    double q = flip ? 1.0 - p : p;
    double sum = 0.0;
    double left = n;
    while (left > 0.5) {
        double trials = fmin(left, BINOMIAL_CHUNK);
        double mass = pow(1.0 - q, trials);
        double u = rng_uniform(rng);
        double k = 0.0;
        while (u >= mass && k < trials) {
            u -= mass;
            mass *= (trials - k) / (k + 1.0) * q / (1.0 - q);
            k += 1.0;
        }
        sum += k;
        left -= trials;
    }
    return flip ? n - sum : sum;
}

static void simulate_pairs(struct testing *t, struct rng *rng) {
    struct bt_cells *cells = &t->cells;
    for (int64_t c = 0; c < cells->count; c++) {
        cells->wins[c] = draw_binomial(rng, t->totals[c], t->probabilities[c]);
        cells->losses[c] = t->totals[c] - cells->wins[c];
    }
}

/* ---- bootstrap ---- */

/* Adds to both sides of each judged cell. */
static void smooth(struct bt_cells *cells, double pseudo) {
    for (int64_t c = 0; c < cells->count; c++) {
        double n = cells->wins[c] + cells->losses[c];
        cells->wins[c] += n > 0.0 ? pseudo : 0.0;
        cells->losses[c] += n > 0.0 ? pseudo : 0.0;
    }
}

/* The model to simulate from. Where judgements are few, the maximum-likelihood fit is more extreme
 * than the truth, data simulated from it vary less, and too many truths would be rejected. So half
 * the mean leverage of a cell (parameters over cells) is added to its wins and to its losses, which
 * is Firth's (1993) correction with leverages replaced by their mean, and everything is in one
 * group then. */
static enum err_code fit_to_simulate(struct testing *t, struct error *err) {
    struct bt_cells *cells = &t->cells;
    struct bt_cells_fit fit;
    size_t count = (size_t)cells->count;
    size_t items = (size_t)cells->item_count;
    t->probabilities = mem_array(count, sizeof *t->probabilities);
    t->totals = mem_array(count, sizeof *t->totals);
    t->x = mem_array(items + 1, sizeof *t->x);
    if (!t->probabilities || !t->totals || !t->x) {
        return err_oom(err, "simulation of pairs");
    }
    for (int64_t c = 0; c < cells->count; c++) {
        t->totals[c] = cells->wins[c] + cells->losses[c];
    }
    smooth(cells, 1e-3); /* to learn how many parameters there are when all is one group */
    bt_cells_count(cells, &fit);
    smooth(cells, 0.5 * (double)(fit.cells - fit.degrees) / (double)fit.cells - 1e-3);
    TRY(bt_cells_fit(cells, &fit, err));
    t->looks_per_fit = fit.looks;
    for (int64_t c = 0; c < cells->count; c++) {
        t->probabilities[c] = bt_cells_probability(cells, c);
    }
    memcpy(t->x, cells->x, (items + 1) * sizeof *t->x);
    return ERR_OK;
}

static int64_t choose_replicates(const struct testing *t) {
    double work = t->looks_per_fit;
    for (int64_t c = 0; c < t->cells.count && !t->test->rankings; c++) {
        work += t->totals[c] * fmin(t->probabilities[c], 1.0 - t->probabilities[c]);
    }
    work += 2.0 * (double)t->rankings.pair_count;
    double replicates = floor(WORK_MAX / work);
    return replicates > BT_TEST_REPLICATES_MAX   ? BT_TEST_REPLICATES_MAX
           : replicates < BT_TEST_REPLICATES_MIN ? BT_TEST_REPLICATES_MIN
                                                 : (int64_t)replicates;
}

static enum err_code bootstrap(struct testing *t, struct error *err) {
    struct bt_test *test = t->test;
    TRY(fit_to_simulate(t, err));
    if (t->looks_per_fit * BT_TEST_REPLICATES_MIN > HARD_WORK_MAX) {
        test->skipped = BT_TEST_LOOSE;
        return ERR_OK;
    }
    int64_t replicates_max = choose_replicates(t);
    double sum = 0.0;
    while (test->replicates < replicates_max && test->exceeded < BT_TEST_EXCEEDED) {
        struct bt_cells_fit fit;
        struct rng rng = rng_stream(t->seed, RNG_STATS, 2, test->replicates);
        if (test->rankings) {
            bt_rankings_simulate(&t->rankings, t->x, &rng, &t->cells);
        } else {
            simulate_pairs(t, &rng);
        }
        memcpy(t->cells.x, t->x, ((size_t)t->cells.item_count + 1) * sizeof *t->x);
        TRY(bt_cells_fit(&t->cells, &fit, err));
        sum += fit.g2;
        /* Equal data may come back with another last digit. */
        test->exceeded += fit.g2 >= test->g2 * (1.0 - 1e-9);
        test->replicates++;
    }
    double replicates = (double)test->replicates;
    bool stopped = test->exceeded == BT_TEST_EXCEEDED && test->replicates < replicates_max;
    test->g2_expected = sum / replicates;
    test->p_value = stopped ? (double)test->exceeded / replicates
                            : (1.0 + (double)test->exceeded) / (1.0 + replicates);
    return ERR_OK;
}

/* ---- the test ---- */

static bool any_judged_twice(const struct bt_cells *cells) {
    for (int64_t c = 0; c < cells->count; c++) {
        if (cells->wins[c] + cells->losses[c] > 1.5) {
            return true;
        }
    }
    return false;
}

/* Of the noise, the fit has taken up a part of parameters over cells. */
static double distance_of(const struct bt_cells_fit *fit) {
    double left = (double)fit->degrees / (double)fit->cells;
    double square = (fit->distance - left * fit->noise) / fit->repeated;
    return fit->repeated > 0.0 ? sqrt(fmax(0.0, square)) : (double)NAN;
}

static enum err_code test_cells(struct testing *t, bool always, struct error *err) {
    struct bt_test *test = t->test;
    struct bt_cells_fit fit;
    if (!any_judged_twice(&t->cells)) {
        test->skipped = BT_TEST_ONCE;
        return ERR_OK;
    }
    TRY(bt_cells_fit(&t->cells, &fit, err));
    test->position = t->cells.position;
    test->position_effect = fit.position;
    test->judgements = fit.weight;
    test->settled = fit.settled;
    test->cells = fit.cells;
    test->degrees = fit.degrees;
    if (fit.degrees <= 0) {
        test->skipped = BT_TEST_FREEDOM;
        return ERR_OK;
    }
    test->g2 = fit.g2;
    test->distance = distance_of(&fit);
    test->sparse = (double)fit.sparse / (double)fit.cells;
    double p = special_chi_square_tail(fit.g2, (double)fit.degrees);
    test->p_chi_square = test->rankings ? (double)NAN : p;
    test->p_value = p;
    if (test->rankings || test->sparse > SPARSE_SHARE_MAX || always) {
        TRY(bootstrap(t, err));
    }
    return ERR_OK;
}

static enum err_code test_set(struct testing *t, const struct comparison_set *set,
                              const struct bt_test_options *options, struct error *err) {
    struct bt_test *test = t->test;
    if (test->rankings) {
        TRY(bt_rankings_init(&t->rankings, set, BT_TEST_RANKED_PAIRS_MAX, options->seed, err));
        test->rankings_used = t->rankings.used;
        if (t->rankings.count == 0) {
            test->skipped = BT_TEST_LONG;
            return ERR_OK;
        }
        TRY(bt_rankings_cells(&t->rankings, &t->cells, err));
    } else {
        TRY(cells_of_pairs(t, set, err));
    }
    return test_cells(t, options->bootstrap_always, err);
}

enum err_code bt_test_run(const struct comparison_set *set, const struct bt_test_options *options,
                          struct bt_test *out_test, struct error *err) {
    struct bt_test test = {.rankings_used = 1.0,
                           .rankings = comparison_set_has_rankings(set),
                           .p_chi_square = (double)NAN,
                           .p_value = (double)NAN,
                           .g2_expected = (double)NAN,
                           .distance = (double)NAN};
    SCOPED(testing) struct testing t = {.test = &test, .seed = options->seed};
    SCOPED(comparison_set) struct comparison_set core = COMPARISON_SET_INIT;
    if (comparison_set_has_counts(set)) {
        TRY(bt_core_find(set, &core, err));
        TRY(test_set(&t, core.count > 0 ? &core : set, options, err));
    } else {
        test.skipped = BT_TEST_WEIGHTS;
    }
    *out_test = test;
    return ERR_OK;
}
