/* crowd_bt.h - the posterior of Bradley-Terry rewards and of the reliability of those who judge.
 *
 * Use:      SCOPED(crowd_bt) struct crowd_bt *model = NULL;
 *           TRY(crowd_bt_new(&set, &options, &model, err));
 *           TRY(crowd_bt_improve(model, x, err));   // one step of expectation-maximisation
 *           struct newton_problem problem = crowd_bt_problem(model);
 * Model:    P(a says i > j) = h_a sigma(D) + (1 - h_a) sigma(-D), D = r_i - r_j + position * s
 *           (Chen, Bennett, Collins-Thompson and Horvitz 2013, "Pairwise ranking aggregation in a
 *           crowdsourced setting", eq. 3). With h = sigma(z) that is sigma(z) sigma(D) /
 *           sigma(z + D), and sigma(z + D) is the probability that a said what it thought.
 * Prior:    on z, proportional to h^good (1 - h)^bad: the beta distribution (good, bad) of h with
 *           its mode taken in log-odds, so that who was always right is still not certain to be.
 *           With good > bad, it also says which way up the rewards are: their likelihood is the
 *           same with all signs turned.
 * Unknown:  a comparison without an annotator has the prior's mean, good / (good + bad).
 * Legend:   x = I rewards, position (if fitted), A log-odds z; n judgements of two items.
 * Owns:     its arrays, those of the set copied.
 * Threads:  one: evaluations share scratch memory.
 */
#ifndef REWARD_CROWD_BT_H
#define REWARD_CROWD_BT_H

#include "base/error.h"
#include "data/comparison_set.h"
#include "reward/newton.h"
#include "reward/tabular_fit.h"

#include <stdint.h>

struct crowd_bt;

/* `options` give ridge (of the map estimator), ties, position_effect and the prior.
 *   fails  ERR_CONFIG unless good > bad > 0; ERR_DATA for ties that are refused, where no
 *          comparison has an annotator, or none a position and its effect is asked for; ERR_OOM */
ERR_NODISCARD enum err_code crowd_bt_new(const struct comparison_set *set,
                                         const struct tabular_options *options,
                                         struct crowd_bt **out_model, struct error *err);
void crowd_bt_free(struct crowd_bt *model);

/* Variables in all; annotators who judged anything; tied pairs that were left out; comparisons of
 * more than two items. */
int64_t crowd_bt_size(const struct crowd_bt *model);
int64_t crowd_bt_judges(const struct crowd_bt *model);
int64_t crowd_bt_ties_dropped(const struct crowd_bt *model);
int64_t crowd_bt_rankings_split(const struct crowd_bt *model);

/* Rewards zero, every annotator at the prior's mean. */
void crowd_bt_start(const struct crowd_bt *model, double *out_x);

/* Minus the log-posterior, which is not convex: from a start near a minimum only. Its `diagonal` is
 * an upper bound of the Hessian's. */
struct newton_problem crowd_bt_problem(struct crowd_bt *model);

/* One step of expectation-maximisation: never makes the problem's value greater. */
ERR_NODISCARD enum err_code crowd_bt_improve(struct crowd_bt *model, double *x, struct error *err);

/* The curvature of rewards and position at x, with reliabilities following them: the Hessian of
 * the profile, whose inverse is the rewards' block of the whole inverse. It has no
 * `value`. ERR_DATA where x is no minimum in some annotator's reliability. */
ERR_NODISCARD enum err_code crowd_bt_profile(struct crowd_bt *model, const double *x,
                                             struct newton_problem *out_problem, struct error *err);

/* Variances of the A log-odds, given those of rewards and position: lower triangle by rows, as
 * crowd_bt_profile's inverse. */
ERR_NODISCARD enum err_code crowd_bt_variances(struct crowd_bt *model, const double *x,
                                               const double *covariance, double *out_variances,
                                               struct error *err);

/* Log-likelihood, without priors; and with all rewards equal, for that, keep them at zero. */
double crowd_bt_log_likelihood(struct crowd_bt *model, const double *x);
void crowd_bt_hold_rewards(struct crowd_bt *model, bool hold);

static inline void crowd_bt_scoped_end(struct crowd_bt **model) {
    crowd_bt_free(*model);
}

#endif
