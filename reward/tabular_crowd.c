/* tabular_crowd.c - see tabular_models.h: Crowd-BT (crowd_bt.h) as a tabular fit. */
#include "reward/crowd_bt.h"
#include "reward/tabular_minimise.h"
#include "reward/tabular_models.h"

#include "base/mem.h"
#include "base/scoped.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Steps of expectation-maximisation before Newton's method: they come near the maximum from far,
 * where the posterior is not concave, but slowly to it. */
#define EM_STEPS_MAX   50
#define EM_GAIN_ENOUGH 1e-4 /* nats; a step that gains less is followed by Newton's */

static enum err_code refuse_runaway(const struct comparison_set *set, int64_t variable,
                                    struct error *err) {
    const char *what =
        variable < set->item_count ? "rewards infinitely far apart" : "an infinite position effect";
    return err_set(
        err, ERR_DATA,
        "no maximum-likelihood estimate: %s explain the judgements best, since those that "
        "speak against it are put down to unreliable annotators; use --estimator map",
        what);
}

static enum err_code come_near(struct crowd_bt *model, const struct newton_problem *problem,
                               double *x, int64_t *out_steps, struct error *err) {
    double value = problem->value(problem->context, x);
    for (*out_steps = 0; *out_steps < EM_STEPS_MAX; ++*out_steps) {
        TRY(crowd_bt_improve(model, x, err));
        double next = problem->value(problem->context, x);
        if (!(value - next > EM_GAIN_ENOUGH)) {
            break;
        }
        value = next;
    }
    return ERR_OK;
}

static enum err_code maximise(struct crowd_bt *model, const struct comparison_set *set,
                              struct tabular_fit *fit, double *x, struct error *err) {
    struct newton_problem problem = crowd_bt_problem(model);
    int64_t steps = 0;
    crowd_bt_start(model, x);
    TRY(come_near(model, &problem, x, &steps, err));
    struct tabular_minimum found;
    const struct tabular_search search = {
        .iterations_max = fit->options.iterations_max,
        .loose = set->item_count + fit->options.position_effect,
    };
    TRY(tabular_minimise(set, &problem, &search, x, &found, err));
    if (found.runaway >= 0) {
        return refuse_runaway(set, found.runaway, err);
    }
    fit->iterations = steps + found.iterations;
    fit->gradient_max = found.gradient_max;
    return ERR_OK;
}

static enum err_code fit_null(struct crowd_bt *model, struct tabular_fit *fit, struct error *err) {
    SCOPED(mem) double *x = mem_array((size_t)crowd_bt_size(model), sizeof *x);
    if (!x) {
        return err_oom(err, "rewards");
    }
    crowd_bt_hold_rewards(model, true);
    struct newton_problem problem = crowd_bt_problem(model);
    int64_t steps = 0;
    crowd_bt_start(model, x);
    TRY(come_near(model, &problem, x, &steps, err));
    struct newton_result result;
    TRY(newton_minimise(&problem, &NEWTON_OPTIONS_DEFAULT, x, &result, err));
    fit->log_likelihood_null = crowd_bt_log_likelihood(model, x);
    crowd_bt_hold_rewards(model, false);
    return ERR_OK;
}

static enum err_code fill_errors(struct crowd_bt *model, const struct comparison_set *set,
                                 const double *x, struct tabular_fit *fit, struct error *err) {
    struct newton_problem profile;
    TRY(crowd_bt_profile(model, x, &profile, err));
    TRY(tabular_fill_covariance(set, &profile, x, fit, err));
    if (!fit->covariance) {
        return ERR_OK;
    }
    size_t annotators = (size_t)fit->annotator_count;
    fit->reliability_std_errors = mem_array(annotators, sizeof *fit->reliability_std_errors);
    if (!fit->reliability_std_errors) {
        return err_oom(err, "standard errors of reliabilities");
    }
    TRY(crowd_bt_variances(model, x, fit->covariance, fit->reliability_std_errors, err));
    for (int64_t a = 0; a < fit->annotator_count; a++) {
        double h = fit->reliabilities[a];
        fit->reliability_std_errors[a] = h * (1.0 - h) * sqrt(fit->reliability_std_errors[a]);
    }
    return ERR_OK;
}

static void fill_estimates(const struct comparison_set *set, const struct crowd_bt *model,
                           const double *x, struct tabular_fit *fit) {
    memcpy(fit->rewards, x, (size_t)set->item_count * sizeof *x);
    const double *rest = x + set->item_count;
    if (fit->options.position_effect) {
        fit->parameters[fit->parameter_count++] =
            (struct tabular_parameter){.name = "position", .value = *rest++, .std_error = NAN};
    }
    for (int64_t a = 0; a < set->annotator_count; a++) {
        fit->reliabilities[a] = 1.0 / (1.0 + exp(-rest[a]));
    }
    for (int64_t c = 0; c < set->count; c++) {
        fit->weight += set->weights[c];
    }
    fit->free_parameters =
        set->item_count - set->block_count + fit->parameter_count + crowd_bt_judges(model);
}

enum err_code tabular_fit_crowd(const struct comparison_set *set, struct tabular_fit *fit,
                                struct error *err) {
    SCOPED(crowd_bt) struct crowd_bt *model = NULL;
    TRY(crowd_bt_new(set, &fit->options, &model, err));
    if (fit->options.estimator != TABULAR_MAXIMUM_POSTERIOR) {
        TRY(tabular_check_estimable(set, fit->options.ties == TABULAR_TIES_HALF, err));
    }
    SCOPED(mem) double *x = mem_array((size_t)crowd_bt_size(model), sizeof *x);
    fit->item_count = set->item_count;
    fit->annotator_count = set->annotator_count;
    fit->rewards = mem_array((size_t)set->item_count, sizeof *fit->rewards);
    fit->reliabilities = mem_array((size_t)set->annotator_count, sizeof *fit->reliabilities);
    if (!x || !fit->rewards || !fit->reliabilities) {
        return err_oom(err, "rewards");
    }
    TRY(maximise(model, set, fit, x, err));
    fill_estimates(set, model, x, fit);
    fit->ties_dropped = crowd_bt_ties_dropped(model);
    fit->rankings_split = crowd_bt_rankings_split(model);
    fit->log_likelihood = crowd_bt_log_likelihood(model, x);
    TRY(fit_null(model, fit, err));
    fit->log_likelihood_saturated = fit->deviance = fit->null_deviance = NAN;
    fit->degrees_of_freedom = -1;
    return fill_errors(model, set, x, fit, err);
}
