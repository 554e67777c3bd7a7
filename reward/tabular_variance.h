/* tabular_variance.h - standard errors of chosen rewards and differences of a pair model, of
 * however many items: no n x n array.
 *
 * Use:      SCOPED(tabular_variance) struct tabular_variance *variance = NULL;
 *           TRY(tabular_variance_open(&set, &fit, &variance, err));
 *           struct tabular_spread spread;
 *           TRY(tabular_variance_spread(variance, &question, &spread, err));
 *           tabular_predict_with(&fit, &question, &spread, &prediction);
 * Method:   c' H^-1 c for the Hessian H at the fit, by conjugate gradients on its cells: some
 * dozens of passes over the data for each number. tabular_block_errors.h gives all standard
 *           errors where blocks are small.
 * Owns:     a table of the set; the set and the fit are borrowed until tabular_variance_close.
 * Threads:  one.
 */
#ifndef REWARD_TABULAR_VARIANCE_H
#define REWARD_TABULAR_VARIANCE_H

#include "reward/tabular_predict.h"

struct tabular_variance;

/* Of the set that the fit was made from.
 *   fails  ERR_CONFIG for a fit of other models than pairs; ERR_DATA for a set that does not match;
 *          ERR_OOM */
ERR_NODISCARD enum err_code tabular_variance_open(const struct comparison_set *set,
                                                  const struct tabular_fit *fit,
                                                  struct tabular_variance **out_variance,
                                                  struct error *err);

void tabular_variance_close(struct tabular_variance *variance);

/* Of the difference that a question is about, and of the tie parameter. Its items are of one block
 * and connected by comparisons.
 *   fails  ERR_LIMIT without convergence; ERR_INTERRUPTED; ERR_OOM */
ERR_NODISCARD enum err_code tabular_variance_spread(struct tabular_variance *variance,
                                                    const struct tabular_question *question,
                                                    struct tabular_spread *out_spread,
                                                    struct error *err);

/* Standard errors of `count` items' rewards, which are relative to the means of their blocks. */
ERR_NODISCARD enum err_code tabular_variance_items(struct tabular_variance *variance,
                                                   const int64_t *items, int64_t count,
                                                   double *out_std_errors, struct error *err);

static inline void tabular_variance_scoped_end(struct tabular_variance **variance) {
    tabular_variance_close(*variance);
}

#endif
