/* davidson_luce_internal.h - what davidson_luce.c and davidson_luce_cells.c share.
 *
 * Threads:  as davidson_luce.h.
 */
#ifndef REWARD_DAVIDSON_LUCE_INTERNAL_H
#define REWARD_DAVIDSON_LUCE_INTERNAL_H

#include "reward/davidson_luce.h"

struct davidson_luce {
    const struct comparison_set *set; /* borrowed */
    double ridge;
    int64_t orders[DAVIDSON_LUCE_ORDERS_MAX]; /* [T] ascending; the first is 1 */
    int64_t order_count;                      /* T */
    int32_t *order_index;                     /* [k max + 1] place in orders; -1: not observed */
    int64_t ranking_max;                      /* longest ranking, or tie order */
    double *log_subsets;                      /* [T, k max + 1] ln of n choose t */
    /* of the point at which the gradient was last asked, by order within each comparison */
    double *ratios;  /* [M T] see fill_ratios */
    double *injects; /* [M T] at members that begin a stage: d ln Z / d E_t */
    /* scratch of one ranking */
    double *sums, *tangents;        /* [T tables] E_0 .. E_t after each member */
    double *adjoint, *adjoint_next; /* [t max + 1] */
    double *adjoint_tangent, *adjoint_tangent_next;
    int64_t *tables; /* [T] where an order's table begins */
};

/* One comparison: members best first. */
struct davidson_luce_ranking {
    const int32_t *items, *ranks;
    int64_t size;
    double weight;
    bool last_unordered;
    int64_t start; /* of its members among all */
};

struct davidson_luce_ranking davidson_luce_ranking_at(const struct davidson_luce *model,
                                                      int64_t comparison);

/* How many are chosen at the stage that begins at member `i`; 0 if none begins there, or if one
 * item alone remains, or if the rest is not ordered. */
int64_t davidson_luce_stage_size(const struct davidson_luce_ranking *ranking, int64_t i);

#endif
