/* tabular_fit.c - see tabular_fit.h. */
#include "reward/tabular_fit.h"

#include "base/invariant.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "reward/dense_spd.h"
#include "reward/tabular_models.h"

#include <math.h>
#include <string.h>

const char *tabular_model_name(enum tabular_model model) {
    static const char *const names[] = {
#define TABULAR_MODEL_TEXT(name, text) [TABULAR_##name] = (text),
        TABULAR_MODELS(TABULAR_MODEL_TEXT)
#undef TABULAR_MODEL_TEXT
    };
    return names[model];
}

const char *tabular_estimator_name(enum tabular_estimator estimator) {
    static const char *const names[] = {
#define TABULAR_ESTIMATOR_TEXT(name, text) [TABULAR_##name] = (text),
        TABULAR_ESTIMATORS(TABULAR_ESTIMATOR_TEXT)
#undef TABULAR_ESTIMATOR_TEXT
    };
    return names[estimator];
}

const char *tabular_ties_name(enum tabular_ties ties) {
    static const char *const names[] = {
#define TABULAR_TIES_TEXT(name, text) [TABULAR_TIES_##name] = (text),
        TABULAR_TIES(TABULAR_TIES_TEXT)
#undef TABULAR_TIES_TEXT
    };
    return names[ties];
}

/* ---- options ---- */

static bool is_positive(double value) {
    return value > 0.0 && isfinite(value);
}

static enum err_code check_numbers(const struct tabular_options *options, struct error *err) {
    if (options->estimator == TABULAR_MAXIMUM_POSTERIOR && !is_positive(options->ridge)) {
        return err_set(err, ERR_CONFIG, "ridge = %g: expected a number above 0", options->ridge);
    }
    if (options->model == TABULAR_CROWD_BT &&
        (!is_positive(options->reliability_good) || !is_positive(options->reliability_bad))) {
        return err_set(err, ERR_CONFIG,
                       "prior of reliabilities %g, %g: expected two numbers above 0",
                       options->reliability_good, options->reliability_bad);
    }
    if (options->iterations_max < 1 || options->covariance_items_max < 0) {
        return err_set(err, ERR_CONFIG,
                       "at most %lld iterations, and a covariance of at most %lld items: expected "
                       "1 or more, and 0 or more",
                       (long long)options->iterations_max,
                       (long long)options->covariance_items_max);
    }
    return ERR_OK;
}

static enum err_code check_options(const struct tabular_options *options, struct error *err) {
    ASSERT_LT(options->model, TABULAR_MODEL_COUNT);
    ASSERT_LT(options->estimator, TABULAR_ESTIMATOR_COUNT);
    ASSERT_LT(options->ties, TABULAR_TIES_COUNT);
    TRY(check_numbers(options, err));
    enum tabular_model model = options->model;
    const char *name = tabular_model_name(model);
    if (options->estimator == TABULAR_FIRTH && model != TABULAR_BRADLEY_TERRY) {
        return err_set(err, ERR_CONFIG, "estimator 'firth' is for bradley-terry, not '%s'; use map",
                       name);
    }
    if (options->position_effect && model == TABULAR_PLACKETT_LUCE) {
        return err_set(err, ERR_CONFIG,
                       "'%s' has no position effect; leave it out, or use a model of pairs", name);
    }
    bool needs_ties_rule = model == TABULAR_BRADLEY_TERRY || model == TABULAR_CROWD_BT;
    if (options->ties != TABULAR_TIES_REFUSE && !needs_ties_rule) {
        return err_set(err, ERR_CONFIG, "'%s' has ties of its own; leave out --ties %s", name,
                       tabular_ties_name(options->ties));
    }
    return ERR_OK;
}

/* ---- the fit ---- */

static enum err_code run_model(const struct comparison_set *set, struct tabular_fit *fit,
                               struct error *err) {
    switch (fit->options.model) {
    case TABULAR_BRADLEY_TERRY:
    case TABULAR_DAVIDSON:
    case TABULAR_RAO_KUPPER:
        return tabular_fit_pairs(set, fit, err);
    case TABULAR_PLACKETT_LUCE:
        return tabular_fit_rankings(set, fit, err);
    case TABULAR_CROWD_BT:
        return tabular_fit_crowd(set, fit, err);
    case TABULAR_MODEL_COUNT:
        break;
    }
    return err_set(err, ERR_INTERNAL, "no tabular model %d", (int)fit->options.model);
}

enum err_code tabular_fit_run(const struct comparison_set *set,
                              const struct tabular_options *options, struct tabular_fit *out_fit,
                              struct error *err) {
    TRY(check_options(options, err));
    if (set->item_count == 0 || set->count == 0) {
        return err_set(err, ERR_DATA, "nothing to fit: %lld comparisons of %lld items",
                       (long long)set->count, (long long)set->item_count);
    }
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    fit.options = *options;
    fit.comparisons = set->count;
    fit.blocks = set->block_count;
    fit.identical = set->identical;
    fit.has_counts = comparison_set_has_counts(set);
    fit.aic = fit.aic_counts = (double)NAN;
    enum err_code code = run_model(set, &fit, err);
    if (err_wrap(err, code, "fit of '%s'", tabular_model_name(options->model))) {
        return err->code;
    }
    *out_fit = fit;
    fit = (struct tabular_fit)TABULAR_FIT_INIT;
    return ERR_OK;
}

void tabular_fit_deinit(struct tabular_fit *fit) {
    mem_free(fit->rewards);
    mem_free(fit->std_errors);
    mem_free(fit->reliabilities);
    mem_free(fit->reliability_std_errors);
    mem_free(fit->covariance);
    *fit = (struct tabular_fit)TABULAR_FIT_INIT;
}

/* ---- reading it ---- */

const struct tabular_parameter *tabular_fit_parameter(const struct tabular_fit *fit,
                                                      const char *name) {
    for (int64_t p = 0; p < fit->parameter_count; p++) {
        if (strcmp(fit->parameters[p].name, name) == 0) {
            return &fit->parameters[p];
        }
    }
    return NULL;
}

double tabular_fit_covariance(const struct tabular_fit *fit, int64_t row, int64_t column) {
    if (!fit->covariance) {
        return (double)NAN;
    }
    ASSERT(0 <= row && row < fit->covariance_size);
    ASSERT(0 <= column && column < fit->covariance_size);
    return fit->covariance[dense_spd_place(row, column)];
}

double tabular_fit_contrast_std_error(const struct tabular_fit *fit, int64_t item, int64_t other) {
    double variance = tabular_fit_covariance(fit, item, item) +
                      tabular_fit_covariance(fit, other, other) -
                      2.0 * tabular_fit_covariance(fit, item, other);
    return isnan(variance) ? variance : sqrt(fmax(variance, 0.0));
}
