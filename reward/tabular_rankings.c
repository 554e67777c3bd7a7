/* tabular_rankings.c - see tabular_models.h: Plackett-Luce with ties (davidson_luce.h) as a tabular
 * fit. */
#include "reward/davidson_luce.h"
#include "reward/tabular_minimise.h"
#include "reward/tabular_models.h"

#include "base/mem.h"
#include "base/scoped.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Fewest judgements per possible outcome, on average, at which the deviance of rankings is taken to
 * be near chi-squared (Cochran's rule for expected counts). Pairs always have one. */
#define OUTCOME_WEIGHT_MIN 5.0

/* ---- the optimum ---- */

static enum err_code refuse_order(int64_t order, struct error *err) {
    return err_set(
        err, ERR_DATA,
        "no estimate: where %" PRId64
        " items could be tied they always were, which only an infinite %s explains; leave "
        "such comparisons out, or take a model without ties",
        order, davidson_luce_delta_name(order));
}

static enum err_code refuse_runaway(const struct davidson_luce *model,
                                    const struct comparison_set *set, int64_t variable,
                                    struct error *err) {
    int64_t count = 0;
    const int64_t *orders = davidson_luce_tie_orders(model, &count);
    const char *delta = variable < set->item_count
                            ? NULL
                            : davidson_luce_delta_name(orders[variable - set->item_count]);
    return err_set(
        err, ERR_DATA,
        "no maximum-likelihood estimate: some items are held to the others by ties alone, "
        "which rewards infinitely far apart%s%s explain best; use --estimator map",
        delta ? " and an infinite " : "", delta ? delta : "");
}

static enum err_code minimise(const struct davidson_luce *model, const struct comparison_set *set,
                              const struct newton_problem *problem, struct tabular_fit *fit,
                              double *x, struct error *err) {
    struct tabular_minimum found;
    const struct tabular_search search = {.iterations_max = fit->options.iterations_max,
                                          .loose = problem->size};
    TRY(tabular_minimise(set, problem, &search, x, &found, err));
    if (found.runaway >= 0) {
        return refuse_runaway(model, set, found.runaway, err);
    }
    fit->iterations = found.iterations;
    fit->gradient_max = found.gradient_max;
    return ERR_OK;
}

/* ---- all rewards equal ---- */

/* The tie parameters alone: x of the whole problem with rewards zero. */
struct ties_only {
    const struct newton_problem *whole;
    int64_t item_count;
    double *x, *v, *work; /* of the whole problem; v is zero for items */
};

static const double *ties_at(struct ties_only *ties, const double *deltas) {
    for (int64_t i = ties->item_count; i < ties->whole->size; i++) {
        ties->x[i] = deltas[i - ties->item_count];
    }
    return ties->x;
}

static double ties_value(void *context, const double *deltas) {
    struct ties_only *ties = context;
    return ties->whole->value(ties->whole->context, ties_at(ties, deltas));
}

static void copy_ties(const struct ties_only *ties, double *out) {
    size_t count = (size_t)(ties->whole->size - ties->item_count);
    memcpy(out, ties->work + ties->item_count, count * sizeof *out);
}

static void ties_gradient(void *context, const double *deltas, double *out) {
    struct ties_only *ties = context;
    ties->whole->gradient(ties->whole->context, ties_at(ties, deltas), ties->work);
    copy_ties(ties, out);
}

static void ties_product(void *context, const double *deltas, const double *v, double *out) {
    struct ties_only *ties = context;
    (void)deltas;
    for (int64_t i = ties->item_count; i < ties->whole->size; i++) {
        ties->v[i] = v[i - ties->item_count];
    }
    ties->whole->hessian_times(ties->whole->context, ties->x, ties->v, ties->work);
    copy_ties(ties, out);
}

static void ties_diagonal(void *context, const double *deltas, double *out) {
    struct ties_only *ties = context;
    (void)deltas;
    ties->whole->diagonal(ties->whole->context, ties->x, ties->work);
    copy_ties(ties, out);
}

static enum err_code fit_null(const struct newton_problem *whole, const double *x,
                              struct tabular_fit *fit, struct error *err) {
    size_t size = (size_t)whole->size;
    SCOPED(mem) double *zeros = mem_array_zero(size, sizeof *zeros);
    SCOPED(mem) double *zeros_v = mem_array_zero(size, sizeof *zeros_v);
    SCOPED(mem) double *work = mem_array(size, sizeof *work);
    SCOPED(mem) double *deltas = mem_array(size, sizeof *deltas);
    if (!zeros || !zeros_v || !work || !deltas) {
        return err_oom(err, "rewards");
    }
    struct ties_only ties = {whole, fit->item_count, zeros, zeros_v, work};
    struct newton_problem problem = {
        .size = whole->size - fit->item_count,
        .context = &ties,
        .value = ties_value,
        .gradient = ties_gradient,
        .hessian_times = ties_product,
        .diagonal = ties_diagonal,
    };
    memcpy(deltas, x + fit->item_count, (size_t)problem.size * sizeof *deltas);
    if (problem.size > 0) {
        struct newton_result result;
        TRY(newton_minimise(&problem, &NEWTON_OPTIONS_DEFAULT, deltas, &result, err));
    }
    fit->log_likelihood_null = -ties_value(&ties, deltas);
    return ERR_OK;
}

/* ---- goodness of fit ---- */

static enum err_code fill_goodness(const struct davidson_luce *model, struct tabular_fit *fit,
                                   struct error *err) {
    struct davidson_luce_saturated saturated;
    TRY(davidson_luce_saturate(model, &saturated, err));
    fit->log_likelihood_saturated = NAN;
    fit->deviance = fit->null_deviance = NAN;
    fit->degrees_of_freedom = -1;
    double cells = saturated.outcomes - saturated.sets;
    bool filled = saturated.weight >= OUTCOME_WEIGHT_MIN * saturated.outcomes;
    if ((saturated.pairs_only || filled) && cells >= (double)fit->free_parameters) {
        fit->log_likelihood_saturated = saturated.log_likelihood;
        fit->deviance = 2.0 * (saturated.log_likelihood - fit->log_likelihood);
        fit->null_deviance = 2.0 * (saturated.log_likelihood - fit->log_likelihood_null);
        fit->degrees_of_freedom = (int64_t)cells - fit->free_parameters;
    }
    fit->aic = tabular_aic(fit);
    return ERR_OK;
}

static void fill_parameters(const struct davidson_luce *model, const double *x,
                            struct tabular_fit *fit) {
    const int64_t *orders = davidson_luce_tie_orders(model, &fit->parameter_count);
    for (int64_t p = 0; p < fit->parameter_count; p++) {
        fit->parameters[p] = (struct tabular_parameter){
            .name = davidson_luce_delta_name(orders[p]),
            .value = x[fit->item_count + p],
            .std_error = NAN,
        };
    }
    fit->free_parameters = fit->parameter_count + fit->item_count;
}

static double log_likelihood_at(const struct newton_problem *problem, const double *x,
                                const struct tabular_fit *fit, double ridge) {
    double penalty = 0.0;
    for (int64_t i = 0; i < fit->item_count; i++) {
        penalty += 0.5 * ridge * x[i] * x[i];
    }
    return penalty - problem->value(problem->context, x);
}

/* ---- public ---- */

enum err_code tabular_fit_rankings(const struct comparison_set *set, struct tabular_fit *fit,
                                   struct error *err) {
    bool posterior = fit->options.estimator == TABULAR_MAXIMUM_POSTERIOR;
    double ridge = posterior ? fit->options.ridge : 0.0;
    if (!posterior) {
        TRY(tabular_check_estimable(set, true, err));
    }
    SCOPED(davidson_luce) struct davidson_luce *model = NULL;
    TRY(davidson_luce_new(set, ridge, &model, err));
    int64_t undetermined = davidson_luce_undetermined_order(model);
    if (undetermined) {
        return refuse_order(undetermined, err);
    }
    struct newton_problem problem = davidson_luce_problem(model);
    SCOPED(mem) double *x = mem_array_zero((size_t)problem.size, sizeof *x);
    fit->item_count = set->item_count;
    fit->rewards = mem_array((size_t)set->item_count, sizeof *fit->rewards);
    if (!x || !fit->rewards) {
        return err_oom(err, "rewards");
    }
    TRY(minimise(model, set, &problem, fit, x, err));
    memcpy(fit->rewards, x, (size_t)set->item_count * sizeof *x);
    for (int64_t c = 0; c < set->count; c++) {
        fit->weight += set->weights[c];
    }
    fill_parameters(model, x, fit);
    fit->free_parameters -= set->block_count;
    fit->log_likelihood = log_likelihood_at(&problem, x, fit, ridge);
    TRY(fit_null(&problem, x, fit, err));
    TRY(fill_goodness(model, fit, err));
    return tabular_fill_covariance(set, &problem, x, fit, err);
}
