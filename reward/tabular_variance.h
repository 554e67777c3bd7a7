/* tabular_variance.h - standard errors of chosen rewards and differences of a fit, of however many
 * items: no n x n array.
 *
 * Use:      SCOPED(tabular_variance) struct tabular_variance *variance = NULL;
 *           TRY(tabular_variance_open(&set, &fit, &variance, err));
 *           struct tabular_spread spread;
 *           TRY(tabular_variance_spread(variance, &question, &spread, err));
 *           tabular_predict_with(&fit, &question, &spread, &prediction);
 * Method:   c' H^-1 c for the Hessian H at the fit, by conjugate gradients: some passes over the
 *           data for each number, the more the less the items are connected. Of Crowd-BT H is that
 *           of the profile (crowd_bt.h). tabular_block_errors.h gives all standard errors of pair
 *           models where blocks are small.
 * Owns:     a model of the set; the set and the fit are borrowed until tabular_variance_close.
 * Threads:  one.
 */
#ifndef REWARD_TABULAR_VARIANCE_H
#define REWARD_TABULAR_VARIANCE_H

#include "reward/tabular_predict.h"

struct tabular_variance;

/* Of the set that the fit was made from, which the gradient there tells from another.
 *   fails  ERR_DATA for a set that does not match; ERR_LIMIT as the model's making; ERR_OOM */
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

/* Standard error of an item's reward, which is relative to the mean of its block; of the difference
 * of two, of one block. Fail as above. */
ERR_NODISCARD enum err_code tabular_variance_item(struct tabular_variance *variance, int64_t item,
                                                  double *out_std_error, struct error *err);
ERR_NODISCARD enum err_code tabular_variance_contrast(struct tabular_variance *variance,
                                                      int64_t item, int64_t other,
                                                      double *out_std_error, struct error *err);

static inline void tabular_variance_scoped_end(struct tabular_variance **variance) {
    tabular_variance_close(*variance);
}

#endif
