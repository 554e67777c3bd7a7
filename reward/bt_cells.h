/* bt_cells.h - how far counts of wins are from any Bradley-Terry model: the likelihood-ratio
 * statistic, also where the maximum-likelihood estimate does not exist.
 *
 * Use:      SCOPED(bt_cells) struct bt_cells cells = BT_CELLS_INIT;
 *           ... fill items, i, j, sides, wins, losses ...
 *           TRY(bt_cells_prepare(&cells, err));
 *           struct bt_cells_fit fit;
 *           TRY(bt_cells_fit(&cells, &fit, err));   // again after the counts have changed
 * Method:   G2 = 2 sum over cells of log-likelihood at the cell's own proportion minus that at the
 *           fit. Items fall into groups that can be reached from each other along "has beaten"
 *           (strongly connected components). Between groups every cell has one winner only, and the
 *           likelihood rises to 1 there as the groups move apart: those cells fit exactly and
 *           neither count nor cost degrees of freedom. Within a group the estimate exists (Ford
 *           1957). So G2 is the infimum over all models, found by fits that exist.
 * Model:    logit P(i wins) = r_i - r_j + side * position, the last only with `position`.
 * Legend:   C cells, I items.
 * Owns:     its arrays.
 * Threads:  one.
 */
#ifndef REWARD_BT_CELLS_H
#define REWARD_BT_CELLS_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct bt_cells {
    int64_t item_count, count;
    int32_t *i, *j;        /* [C] */
    int8_t *sides;         /* [C] 1: i shown first; -1: j; 0: not known */
    double *wins, *losses; /* [C] of i */
    bool position;         /* fit an effect of the order shown */
    /* made by bt_cells_prepare */
    int64_t *starts;   /* [I + 1] */
    int32_t *incident; /* [2 C] cells of each item */
    /* made by bt_cells_fit */
    int32_t *groups; /* [I] whoever beat somebody of another group has a greater number than they */
    double *x;       /* [I + 1] rewards, position; the start of the next fit too */
    int32_t *inside; /* cells whose items share a group */
    int64_t inside_count;
    double *curvature; /* [C] scratch */
    int32_t *scratch;  /* [5 I] */
};

#define BT_CELLS_INIT \
    { .item_count = 0 }

struct bt_cells_fit {
    double g2;
    int64_t degrees; /* of freedom: of cells inside groups with data, less parameters */
    int64_t cells;   /* those */
    double weight;   /* in them */
    double settled;  /* weight in cells between groups */
    double position; /* nats; 0 without */
    double repeated; /* weight in those of more than one judgement; of these */
    double distance; /* sum of n (proportion - p)^2 */
    double noise;    /* sum of what n (proportion - truth)^2 is on average, unbiased */
    int64_t sparse;  /* of them with an expected number of wins or losses below 5 */
    double looks;    /* at cells and items, while fitting: what it cost */
};

/* Allocates the six input arrays. */
ERR_NODISCARD enum err_code bt_cells_init(struct bt_cells *cells, int64_t item_count, int64_t count,
                                          struct error *err);
void bt_cells_deinit(struct bt_cells *cells);

/* After the items of the cells are filled in; they must not change any more. */
ERR_NODISCARD enum err_code bt_cells_prepare(struct bt_cells *cells, struct error *err);

/*   fails  ERR_LIMIT without convergence; ERR_INTERRUPTED; ERR_OOM */
ERR_NODISCARD enum err_code bt_cells_fit(struct bt_cells *cells, struct bt_cells_fit *out_fit,
                                         struct error *err);

/* The counts of a fit alone: groups, cells, weights and degrees of freedom. */
void bt_cells_count(struct bt_cells *cells, struct bt_cells_fit *out_fit);

/* P(i wins) in a cell, at the last fit; only within a group. */
double bt_cells_probability(const struct bt_cells *cells, int64_t cell);

static inline void bt_cells_scoped_end(struct bt_cells *cells) {
    bt_cells_deinit(cells);
}

#endif
