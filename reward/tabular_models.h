/* tabular_models.h - the fitting functions behind tabular_fit_run, one per family of models.
 *
 * Each receives options that have been checked, and a zeroed fit to fill; whatever it has filled
 * when it fails is released by tabular_fit_run.
 *
 * Threads:  no state.
 */
#ifndef REWARD_TABULAR_MODELS_H
#define REWARD_TABULAR_MODELS_H

#include "reward/newton.h"
#include "reward/tabular_fit.h"

#include <math.h>

/* Bradley-Terry, Davidson, Rao-Kupper, with a position effect, with Firth's bias reduction. */
ERR_NODISCARD enum err_code tabular_fit_pairs(const struct comparison_set *set,
                                              struct tabular_fit *fit, struct error *err);

/* Plackett-Luce with ties. */
ERR_NODISCARD enum err_code tabular_fit_rankings(const struct comparison_set *set,
                                                 struct tabular_fit *fit, struct error *err);

/* Crowd-BT. */
ERR_NODISCARD enum err_code tabular_fit_crowd(const struct comparison_set *set,
                                              struct tabular_fit *fit, struct error *err);

/* ---- shared by them ---- */

/* ERR_DATA unless every block's items can be ranked by maximum likelihood: from each item every
 * other can be reached along "was beaten by or tied with" (Ford 1957). Names items by number
 * through the set. With ties that the model drops, pass `ties_connect` false. */
ERR_NODISCARD enum err_code tabular_check_estimable(const struct comparison_set *set,
                                                    bool ties_connect, struct error *err);

/* Fills covariance and standard errors from the Hessian (of the negative log-likelihood plus
 * penalty) at x, whose first item_count entries are the rewards and the next parameter_count the
 * parameters: the inverse on the space where each block's rewards sum to zero. Does nothing above
 * covariance_items_max items. */
ERR_NODISCARD enum err_code tabular_fill_covariance(const struct comparison_set *set,
                                                    const struct newton_problem *problem,
                                                    const double *x, struct tabular_fit *fit,
                                                    struct error *err);

/* Akaike's criterion of a fit whose other numbers are filled in; NaN but for maximum likelihood. */
static inline double tabular_aic(const struct tabular_fit *fit) {
    return fit->options.estimator == TABULAR_MAXIMUM_LIKELIHOOD
               ? 2.0 * ((double)fit->free_parameters - fit->log_likelihood)
               : (double)NAN;
}

/* Makes the mean over each block zero. */
void tabular_centre(const struct comparison_set *set, double *rewards);

#endif
