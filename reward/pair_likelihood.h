/* pair_likelihood.h - minus the log-likelihood of a table of pairs under Bradley-Terry, Davidson or
 * Rao-Kupper, with its derivatives, for newton.h.
 *
 * Use:      SCOPED(pair_likelihood) struct pair_likelihood model = PAIR_LIKELIHOOD_INIT;
 *           TRY(pair_likelihood_init(&model, &set, &table, &options, err));
 *           struct newton_problem problem = pair_likelihood_problem(&model);
 *           TRY(pair_likelihood_guess(&model, x, err));
 *           TRY(newton_minimise(&problem, &NEWTON_OPTIONS_DEFAULT, x, &result, err));
 * Variables: x = I rewards, then the position effect if there is one, then log nu or eta.
 * Prior:    ridge / 2 times the sum of squared differences from the mean of the block.
 * Hessian:  two numbers a cell, whatever the number of items.
 * Sums:     are taken in the order of the cells, row by row.
 * Owns:     its arrays; set and table are borrowed until pair_likelihood_deinit.
 * Threads:  one.
 */
#ifndef REWARD_PAIR_LIKELIHOOD_H
#define REWARD_PAIR_LIKELIHOOD_H

#include "reward/newton.h"
#include "reward/pair_table.h"
#include "reward/tabular_fit.h"

struct pair_likelihood {
    const struct comparison_set *set;
    const struct pair_table *table;
    enum tabular_model model;
    double ridge;          /* 0: no prior */
    int64_t position, tie; /* their places in x; -1: none */
    int64_t size;          /* of x */
    double *curvatures;    /* [C] d2/dD2 of each cell, at the last gradient */
    double *cross;         /* [C] d2/dD de; NULL without tie parameter */
    double tie_curvature;  /* d2/de2 of all cells */
    double *block_sums;    /* [B] scratch; NULL without prior */
    int64_t *block_sizes;  /* [B] items; NULL without prior */
};

#define PAIR_LIKELIHOOD_INIT \
    { .set = NULL }

ERR_NODISCARD enum err_code pair_likelihood_init(struct pair_likelihood *model,
                                                 const struct comparison_set *set,
                                                 const struct pair_table *table,
                                                 const struct tabular_options *options,
                                                 struct error *err);
void pair_likelihood_deinit(struct pair_likelihood *model);

/* Borrows `model`. */
struct newton_problem pair_likelihood_problem(struct pair_likelihood *model);

/* A start near the optimum: from how often each item won, ties and what was shown first. */
ERR_NODISCARD enum err_code pair_likelihood_guess(const struct pair_likelihood *model,
                                                  double *out_x, struct error *err);

/* The log-likelihood without prior, in nats. */
double pair_likelihood_log(struct pair_likelihood *model, const double *x);

static inline void pair_likelihood_scoped_end(struct pair_likelihood *model) {
    pair_likelihood_deinit(model);
}

#endif
