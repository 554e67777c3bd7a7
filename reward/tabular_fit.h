/* tabular_fit.h - preference models with one number per item, fitted to comparisons.
 *
 * Use:      SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
 *           struct tabular_options options = TABULAR_OPTIONS_DEFAULT;
 *           options.model = TABULAR_DAVIDSON;
 *           TRY(tabular_fit_run(&set, &options, &fit, err));
 *           double odds_log = fit.rewards[i] - fit.rewards[j];
 * Models:   D = r_i - r_j + position * s, where s is 1 if i was shown first (or was at home), -1 if
 *           j was, and 0 if that is not known; r in nats.
 *             bradley-terry  P(i) = sigma(D)
 *             davidson       P(i), P(j), P(tie) ~ e^(D/2), e^(-D/2), nu   (Davidson 1970)
 *             rao-kupper     P(i) = sigma(D - eta), P(j) = sigma(-D - eta)   (Rao and Kupper 1967)
 *             plackett-luce  rankings; ties by Davidson-Luce   (Turner et al. 2020, eq. 3)
 *             crowd-bt       P(a says i) = h_a sigma(D) + (1 - h_a) sigma(-D)   (Chen et al. 2013)
 *           Pair models read a ranking of k > 2 as all its pairs.
 * Rewards:  the mean over the items of each block is zero, and so it is with standard errors:
 *           those of r_i minus the mean of its block. Contrasts come from the covariance.
 * Errors:   from the curvature at the fit: of the log-likelihood, for map with the prior (so the
 *           spread of the posterior), for firth without its correction. They take comparisons for
 *           independent, which the pairs of one ranking are not, and weights for repetitions.
 * Threads:  no state.
 */
#ifndef REWARD_TABULAR_FIT_H
#define REWARD_TABULAR_FIT_H

#include "base/error.h"
#include "data/comparison_set.h"

#include <stdbool.h>
#include <stdint.h>

#define TABULAR_MODELS(X)             \
    X(BRADLEY_TERRY, "bradley-terry") \
    X(DAVIDSON, "davidson")           \
    X(RAO_KUPPER, "rao-kupper")       \
    X(PLACKETT_LUCE, "plackett-luce") \
    X(CROWD_BT, "crowd-bt")

enum tabular_model {
#define TABULAR_MODEL_ENUM(name, text) TABULAR_##name,
    TABULAR_MODELS(TABULAR_MODEL_ENUM)
#undef TABULAR_MODEL_ENUM
        TABULAR_MODEL_COUNT
};

/* map: the posterior mode under a normal prior on each reward, of precision `ridge`. */
#define TABULAR_ESTIMATORS(X)   \
    X(MAXIMUM_LIKELIHOOD, "ml") \
    X(MAXIMUM_POSTERIOR, "map") \
    X(FIRTH, "firth")

enum tabular_estimator {
#define TABULAR_ESTIMATOR_ENUM(name, text) TABULAR_##name,
    TABULAR_ESTIMATORS(TABULAR_ESTIMATOR_ENUM)
#undef TABULAR_ESTIMATOR_ENUM
        TABULAR_ESTIMATOR_COUNT
};

/* What models without ties make of them. */
#define TABULAR_TIES(X) \
    X(REFUSE, "refuse") \
    X(HALF, "half")     \
    X(DROP, "drop")

enum tabular_ties {
#define TABULAR_TIES_ENUM(name, text) TABULAR_TIES_##name,
    TABULAR_TIES(TABULAR_TIES_ENUM)
#undef TABULAR_TIES_ENUM
        TABULAR_TIES_COUNT
};

struct tabular_options {
    enum tabular_model model;
    enum tabular_estimator estimator;
    double ridge; /* > 0, nats^-2; TABULAR_MAXIMUM_POSTERIOR */
    enum tabular_ties ties;
    bool position_effect;                     /* pair models */
    double reliability_good, reliability_bad; /* > 0: Beta prior of crowd-bt's h_a */
    int64_t covariance_items_max; /* above, no covariance; standard errors if blocks are below */
    int64_t iterations_max;
};

#define TABULAR_OPTIONS_DEFAULT                               \
    ((struct tabular_options){.model = TABULAR_BRADLEY_TERRY, \
                              .ridge = 0.1,                   \
                              .reliability_good = 4.0,        \
                              .reliability_bad = 1.0,         \
                              .covariance_items_max = 2000,   \
                              .iterations_max = 200})

/* What is fitted besides rewards and reliabilities. */
struct tabular_parameter {
    const char *name; /* "position"; "log_nu"; "eta"; "log_delta_2": static */
    double value;
    double std_error; /* NaN: not known */
};

#define TABULAR_PARAMETERS_MAX 64

struct tabular_fit {
    struct tabular_options options;
    int64_t item_count;
    double *rewards;    /* [I] nats */
    double *std_errors; /* [I] nats; NULL: not known */
    int64_t parameter_count;
    struct tabular_parameter parameters[TABULAR_PARAMETERS_MAX];
    int64_t annotator_count;
    double *reliabilities;          /* [A] in (0, 1); NULL but for crowd-bt */
    double *reliability_std_errors; /* [A]; NULL without covariance */
    int64_t covariance_size;        /* I + parameter_count, or 0 */
    double *covariance; /* [n (n + 1) / 2] lower triangle by rows: items, then parameters */
    /* what it was fitted to */
    int64_t comparisons, blocks; /* of the set */
    int64_t identical;           /* comparisons left out of it: they hold one item twice */
    bool has_counts;             /* every weight is a whole number, as where it counts them */
    /* how well it fits */
    double weight;                   /* of the comparisons used */
    double log_likelihood;           /* nats */
    double log_likelihood_null;      /* all rewards equal, other parameters fitted likewise */
    double log_likelihood_saturated; /* NaN where there is none */
    double deviance, null_deviance;  /* 2 (saturated - fit); NaN likewise */
    /* outcomes of cells that are free to differ, less free parameters; -1: no deviance, or more
     * parameters than that. A cell is two items and how they were shown. */
    int64_t degrees_of_freedom;
    /* 2 (free parameters - log_likelihood), Akaike's criterion; NaN unless that likelihood was
     * maximised: a prior or a penalty leaves it short of its maximum, and free parameters fewer
     * than their number, so the formula says nothing of such a fit. */
    double aic;
    /* The same of a table of counts, as R's glm() has it: with the log of the number of orders in
     * which each cell's wins, losses and ties can have come added to the log-likelihood. Pair
     * models only; NaN where `aic` is, and where weights are not whole numbers. */
    double aic_counts;
    int64_t free_parameters;
    int64_t iterations;
    double gradient_max;
    int64_t ties_dropped;   /* tied pairs that were left out */
    int64_t rankings_split; /* comparisons of k > 2 read as pairs */
};

#define TABULAR_FIT_INIT \
    { .item_count = 0 }

/* `out_fit` is owned (tabular_fit_deinit).
 *   fails  ERR_DATA where the maximum-likelihood estimate does not exist, saying which items are
 *          cut off or never lost (never won), and what to do; ERR_CONFIG for options that do not go
 *          together; ERR_LIMIT without convergence; ERR_OOM */
ERR_NODISCARD enum err_code tabular_fit_run(const struct comparison_set *set,
                                            const struct tabular_options *options,
                                            struct tabular_fit *out_fit, struct error *err);

void tabular_fit_deinit(struct tabular_fit *fit);

/* The parameter of that name; NULL if the model has none. */
const struct tabular_parameter *tabular_fit_parameter(const struct tabular_fit *fit,
                                                      const char *name);

/* Covariance of two of the items and parameters, in the order of `covariance`; NaN without one. */
double tabular_fit_covariance(const struct tabular_fit *fit, int64_t row, int64_t column);

/* Standard error of r_item - r_other; NaN without covariance. */
double tabular_fit_contrast_std_error(const struct tabular_fit *fit, int64_t item, int64_t other);

/* "davidson", "ml", "half". Static. */
const char *tabular_model_name(enum tabular_model model);
const char *tabular_estimator_name(enum tabular_estimator estimator);
const char *tabular_ties_name(enum tabular_ties ties);

static inline void tabular_fit_scoped_end(struct tabular_fit *fit) {
    tabular_fit_deinit(fit);
}

#endif
