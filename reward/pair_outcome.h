/* pair_outcome.h - how likely it is that one item wins, the other does, or neither: three models.
 *
 * Use:      struct pair_outcome p = pair_outcome_of(TABULAR_DAVIDSON, 1.0, log(0.5));
 *           double minus_log_likelihood = pair_value_of(model, difference, log_nu, observed);
 *           struct pair_terms slope = pair_terms_of(model, difference, log_nu, observed);
 * Source:   tabular_fit.h has the models. Bradley and Terry 1952; Davidson 1970; Rao and Kupper
 *           1967. The tie parameter is log nu for Davidson and eta for Rao-Kupper; Bradley-Terry
 *           has none and takes no ties.
 * Numerics: no difference of nearly equal numbers, no overflow however far items are apart.
 * Legend:   D difference in nats, e tie parameter, p and q win and loss.
 * Threads:  no state.
 */
#ifndef REWARD_PAIR_OUTCOME_H
#define REWARD_PAIR_OUTCOME_H

#include "reward/tabular_fit.h"

#include <math.h>
#include <stdbool.h>

/* Probabilities, or weights of what was observed. */
struct pair_outcome {
    double win, loss, tie;
};

/* Derivatives of minus the log-likelihood of observed weights, in D and e. */
struct pair_terms {
    double d, e;
    double dd, de, ee;
};

/* log(1 + e) for e in [0, 1], to the last place or two: what 1 + e rounds off is added back. The C
 * library's log1p took ten times as long as its log, and half of a fit (glibc 2.36, 2026-11). */
static inline double pair_log1p(double e) {
    double sum = 1.0 + e;
    return log(sum) + (e - (sum - 1.0)) / sum;
}

/* log(1 + e^x). */
static inline double pair_softplus(double x) {
    return fmax(x, 0.0) + pair_log1p(exp(-fabs(x)));
}

/* 1 / (1 + e^-x), to full relative precision at both ends. */
static inline double pair_sigmoid(double x) {
    double e = exp(-fabs(x));
    return (x >= 0.0 ? 1.0 : e) / (1.0 + e);
}

/* log(e^(2 e) - 1) for e > 0. */
static inline double pair_log_expm1_twice(double e) {
    return e > 1.0 ? 2.0 * e + log1p(-exp(-2.0 * e)) : log(expm1(2.0 * e));
}

static inline struct pair_outcome pair_outcome_davidson(double difference, double log_nu) {
    double half = 0.5 * difference;
    double top = fmax(fabs(half), log_nu);
    struct pair_outcome p = {
        .win = exp(half - top), .loss = exp(-half - top), .tie = exp(log_nu - top)};
    double sum = p.win + p.loss + p.tie;
    p.win /= sum;
    p.loss /= sum;
    p.tie /= sum;
    return p;
}

static inline struct pair_outcome pair_outcome_rao_kupper(double difference, double eta) {
    double win = pair_sigmoid(difference - eta);
    double loss = pair_sigmoid(-difference - eta);
    double tie = exp(pair_log_expm1_twice(eta) - pair_softplus(eta - difference) -
                     pair_softplus(eta + difference));
    return (struct pair_outcome){.win = win, .loss = loss, .tie = eta > 0.0 ? tie : 0.0};
}

/* Whether the model gives ties a probability of their own. */
static inline bool pair_has_ties(enum tabular_model model) {
    return model == TABULAR_DAVIDSON || model == TABULAR_RAO_KUPPER;
}

static inline struct pair_outcome pair_outcome_of(enum tabular_model model, double difference,
                                                  double tie_parameter) {
    if (model == TABULAR_DAVIDSON) {
        return pair_outcome_davidson(difference, tie_parameter);
    }
    if (model == TABULAR_RAO_KUPPER) {
        return pair_outcome_rao_kupper(difference, tie_parameter);
    }
    return (struct pair_outcome){.win = pair_sigmoid(difference),
                                 .loss = pair_sigmoid(-difference)};
}

/* Minus the log-likelihood alone; +infinity for Rao-Kupper's eta <= 0. */
static inline double pair_value_of(enum tabular_model model, double difference,
                                   double tie_parameter, struct pair_outcome weights) {
    if (model == TABULAR_DAVIDSON) {
        double half = 0.5 * difference;
        double top = fmax(fabs(half), tie_parameter);
        double log_sum = top + log(exp(half - top) + exp(-half - top) + exp(tie_parameter - top));
        return weights.win * (log_sum - half) + weights.loss * (log_sum + half) +
               weights.tie * (log_sum - tie_parameter);
    }
    if (model == TABULAR_RAO_KUPPER) {
        if (!(tie_parameter > 0.0)) {
            return (double)INFINITY;
        }
        double not_won = pair_softplus(tie_parameter - difference);
        double not_lost = pair_softplus(tie_parameter + difference);
        return weights.win * not_won + weights.loss * not_lost +
               weights.tie * (not_won + not_lost - pair_log_expm1_twice(tie_parameter));
    }
    /* log(1 + e^-|D|) is common to both. */
    double common = pair_log1p(exp(-fabs(difference)));
    return (weights.win + weights.loss) * common +
           fabs(difference) * (difference >= 0.0 ? weights.loss : weights.win);
}

static inline struct pair_terms pair_terms_davidson(double difference, double log_nu,
                                                    struct pair_outcome weights) {
    struct pair_outcome p = pair_outcome_davidson(difference, log_nu);
    double n = weights.win + weights.loss + weights.tie;
    double lead = p.win - p.loss;
    return (struct pair_terms){
        .d = 0.5 * (n * lead - (weights.win - weights.loss)),
        .e = n * p.tie - weights.tie,
        /* variance of the score (1/2, -1/2, 0): 1/4 (p + q - (p - q)^2), without cancellation */
        .dd = n * (p.win * p.loss + 0.25 * p.tie * (p.win + p.loss)),
        .de = -0.5 * n * lead * p.tie,
        .ee = n * p.tie * (p.win + p.loss),
    };
}

static inline struct pair_terms pair_terms_rao_kupper(double difference, double eta,
                                                      struct pair_outcome weights) {
    double u = pair_sigmoid(eta - difference); /* not won */
    double v = pair_sigmoid(eta + difference); /* not lost */
    double u_slope = u * pair_sigmoid(difference - eta);
    double v_slope = v * pair_sigmoid(-difference - eta);
    double not_lost = weights.win + weights.tie;
    double not_won = weights.loss + weights.tie;
    double sinh_eta = sinh(fmin(eta, 300.0));
    return (struct pair_terms){
        .d = not_won * v - not_lost * u,
        .e = not_lost * u + not_won * v - weights.tie * 2.0 / -expm1(-2.0 * eta),
        .dd = not_lost * u_slope + not_won * v_slope,
        .de = not_won * v_slope - not_lost * u_slope,
        .ee = not_lost * u_slope + not_won * v_slope + weights.tie / (sinh_eta * sinh_eta),
    };
}

static inline struct pair_terms pair_terms_of(enum tabular_model model, double difference,
                                              double tie_parameter, struct pair_outcome weights) {
    if (model == TABULAR_DAVIDSON) {
        return pair_terms_davidson(difference, tie_parameter, weights);
    }
    if (model == TABULAR_RAO_KUPPER) {
        return pair_terms_rao_kupper(difference, tie_parameter, weights);
    }
    double e = exp(-fabs(difference));
    double large = 1.0 / (1.0 + e);
    double small = e * large;
    double win = difference >= 0.0 ? large : small;
    double loss = difference >= 0.0 ? small : large;
    return (struct pair_terms){.d = weights.loss * win - weights.win * loss,
                               .dd = (weights.win + weights.loss) * small * large};
}

#endif
