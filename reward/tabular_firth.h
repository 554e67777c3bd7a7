/* tabular_firth.h - Bradley-Terry rewards with the first-order bias taken off; finite whatever the
 * data.
 *
 * Use:      TRY(tabular_firth_fit(&set, &model, iterations_max, x, &result, err));
 * Source:   Firth 1993, Biometrika 80(1); Kosmidis and Firth 2009, Biometrika 96(4), section 4. For
 *           logits it is the mode under Jeffreys' prior: maximises
 *               log-likelihood + 1/2 log det F(x),   F the Fisher information,
 *           and each cell scores as if half its leverage had been won and half lost besides.
 * Method:   scoring with the information of the so enlarged data, and step halving.
 * Needs:    an n x n triangle; O(n^3) an iteration.
 * Threads:  no state.
 */
#ifndef REWARD_TABULAR_FIRTH_H
#define REWARD_TABULAR_FIRTH_H

#include "reward/pair_likelihood.h"

/* `x` is the start, and the estimate when it returns ERR_OK; `model` is without prior.
 *   fails  ERR_LIMIT without convergence; ERR_DATA for a singular information; ERR_INTERRUPTED;
 *          ERR_OOM */
ERR_NODISCARD enum err_code tabular_firth_fit(const struct comparison_set *set,
                                              struct pair_likelihood *model, int64_t iterations_max,
                                              double *x, struct newton_result *out_result,
                                              struct error *err);

#endif
