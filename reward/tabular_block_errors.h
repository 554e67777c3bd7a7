/* tabular_block_errors.h - all standard errors of a pair model whose blocks are small, as with a
 * few answers to each of many prompts.
 *
 * Use:      TRY(tabular_block_errors(&set, &model, x, &fit, err));   // after a fit at x
 * Method:   the Hessian is one small square V_b per block, bordered by the parameters G that all
 *           share. With S = H_pp - sum of G_b' V_b^-1 G_b, the covariance of the parameters is
 *           S^-1, and a block's is V_b^-1 + V_b^-1 G_b S^-1 G_b' V_b^-1. Exact; covariances between
 *           items are not kept.
 * Cost:     the sum over blocks of n_b^3.
 * Threads:  no state.
 */
#ifndef REWARD_TABULAR_BLOCK_ERRORS_H
#define REWARD_TABULAR_BLOCK_ERRORS_H

#include "reward/pair_likelihood.h"

/* Fills the standard errors of items and parameters; leaves them alone where a block has more than
 * covariance_items_max items, or where blocks are not in order.
 *   fails  ERR_DATA for a singular block; ERR_INTERRUPTED; ERR_OOM */
ERR_NODISCARD enum err_code tabular_block_errors(const struct comparison_set *set,
                                                 struct pair_likelihood *model, const double *x,
                                                 struct tabular_fit *fit, struct error *err);

#endif
