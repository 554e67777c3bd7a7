/* reward_calibration.h - the temperature at which differences of rewards say how often people
 * prefer.
 *
 * Use:      for (each block b of held-out terms) {
 *               reward_calibration_add(&terms, b, b, scores, &metrics);
 *           }
 *           struct reward_calibration calibration;
 *           TRY(reward_calibration_fit(&metrics, TABULAR_BRADLEY_TERRY, seed, &calibration, err));
 *           double p = pair_sigmoid(margin / calibration.temperature.value);
 *
 *           Pairs are held out: those of training are fitted too well, and ask for a temperature
 *           that is too low.
 * Model:    scores / T for scores: P as in pair_outcome.h with D = margin / T. One number on all
 *           margins changes no ranking (Guo et al. 2017, arXiv 1706.04599). Ties are judgements of
 *           their own for models with ties, whose parameter is fitted with T; else half a win of
 *           either side.
 * Method:   maximum likelihood over judgements, by Newton's method in the slope s = 1 / T. In s and
 *           the tie parameter the loss is convex: each -ln P is a log-sum-exp, a softplus or
 *           -ln(e^(2 eta) - 1) of linear functions. In ln T it is not: as T grows the loss tends to
 *           a constant, and is concave on the way. Margins that are worse than chance have their
 *           minimum at a slope of zero or below, which no T reaches: the derivative at 0 tells.
 * Interval: 95 %, on the scale of ln T, from the sandwich variance (Huber 1967; White 1982) with
 *           the prompts as clusters: H^-1 (sum over prompts of g g') H^-1 K / (K - 1), K prompts,
 *           H the Hessian and g the gradient of a prompt's judgements; ln T has the standard error
 *           of s divided by s.
 * Bounds:   T is kept in [REWARD_TEMPERATURE_MIN, REWARD_TEMPERATURE_MAX]; what came of it is told.
 * Threads:  no state.
 */
#ifndef REWARD_REWARD_CALIBRATION_H
#define REWARD_REWARD_CALIBRATION_H

#include "base/error.h"
#include "reward/pair_metrics.h"
#include "reward/reward_terms.h"
#include "reward/tabular_fit.h"

#include <stdint.h>

#define REWARD_TEMPERATURE_MIN 0.01
#define REWARD_TEMPERATURE_MAX 100.0

/* Name, key, what it means. */
#define REWARD_CALIBRATIONS(X)                                                                    \
    X(FITTED, "fitted", "the temperature of maximum likelihood")                                  \
    X(SEPARABLE, "separable",                                                                     \
      "every judgement went to the greater reward, so the likelihood has no maximum and the "     \
      "least temperature allowed is taken; there are too few judgements to calibrate by")         \
    X(TOO_SURE, "too-sure",                                                                       \
      "the best temperature is above the greatest allowed, which is taken: margins are far too "  \
      "large, or say next to nothing")                                                            \
    X(TOO_SHY, "too-shy",                                                                         \
      "the best temperature is below the least allowed, which is taken: margins are far too "     \
      "small")                                                                                    \
    X(CHANCE, "chance",                                                                           \
      "the greater reward was preferred no more often than the smaller, so no temperature makes " \
      "these margins say anything; the greatest allowed is taken")                                \
    X(NONE, "none", "nobody calibrated: scores are as they came, and their scale means nothing")

enum reward_calibration_kind {
#define REWARD_CALIBRATION_ENUM(name, key, text) REWARD_CALIBRATION_##name,
    REWARD_CALIBRATIONS(REWARD_CALIBRATION_ENUM)
#undef REWARD_CALIBRATION_ENUM
        REWARD_CALIBRATION_KINDS
};

struct reward_calibration {
    enum tabular_model model; /* TABULAR_BRADLEY_TERRY, TABULAR_DAVIDSON or TABULAR_RAO_KUPPER */
    enum reward_calibration_kind kind;
    struct pair_score temperature; /* low and high NaN unless fitted, and from two prompts on */
    double log_temperature_error;  /* standard error of ln T; NaN likewise */
    /* ln nu, eta; NaN for bradley-terry. Its interval as that of T. */
    struct pair_score tie_parameter;
    double nll_before, nll_after; /* mean over judgements at T = 1 and at T, with the tie parameter
                                     best for either; nats */
    struct pair_scores before, after; /* of sigma(margin) and sigma(margin / T), as pair_metrics */
};

/* Adds the pairs of a block of held-out terms, at the margins that its scores [n] give them, with
 * its prompt's number for a cluster; there is room for pair_starts[B] pairs. Rankings want to be
 * split. */
void reward_calibration_add(const struct reward_terms *terms, int64_t block, int64_t cluster,
                            const double *scores, struct pair_metrics *metrics);

/* From the pairs of `metrics`, with prompts for clusters; `seed` is for their intervals.
 *   fails  ERR_DATA without judgements, where every margin is zero or one is not finite, and, for a
 *          model with ties, without a tie or without anything else; ERR_CONFIG for another model;
 *          ERR_LIMIT without convergence; ERR_OOM */
ERR_NODISCARD enum err_code reward_calibration_fit(const struct pair_metrics *metrics,
                                                   enum tabular_model model, uint64_t seed,
                                                   struct reward_calibration *out_calibration,
                                                   struct error *err);

/* "too-sure"; the text above. Static. */
const char *reward_calibration_key(enum reward_calibration_kind kind);
const char *reward_calibration_text(enum reward_calibration_kind kind);

#endif
