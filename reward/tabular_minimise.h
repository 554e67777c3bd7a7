/* tabular_minimise.h - an optimum of a tabular model, or the variable that shows there is none.
 *
 * Use:      struct tabular_minimum found;
 *           const struct tabular_search search = {.iterations_max = 200, .loose = problem.size};
 *           TRY(tabular_minimise(set, &problem, &search, x, &found, err));
 *           if (found.runaway >= 0) { return err_set(err, ERR_DATA, ...); }
 * Method:   Newton's (newton.h); then once more under a prior so weak that an optimum that exists
 *           hardly moves, while one at infinity comes back by many nats.
 * Threads:  no state.
 */
#ifndef REWARD_TABULAR_MINIMISE_H
#define REWARD_TABULAR_MINIMISE_H

#include "data/comparison_set.h"
#include "reward/newton.h"

struct tabular_search {
    int64_t iterations_max;
    int64_t loose; /* variables from the first on that have no prior, and so may run away */
};

struct tabular_minimum {
    int64_t iterations;
    double gradient_max;
    int64_t runaway; /* variable that came back, parameters before rewards; -1: none */
};

/* The first item_count variables are rewards, and are centred in each block when it returns.
 *   fails  as newton_minimise, but ERR_LIMIT only where nothing runs away */
ERR_NODISCARD enum err_code tabular_minimise(const struct comparison_set *set,
                                             const struct newton_problem *problem,
                                             const struct tabular_search *search, double *x,
                                             struct tabular_minimum *out, struct error *err);

#endif
