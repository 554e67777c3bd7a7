/* tabular_pairs.c - see tabular_models.h: Bradley-Terry, Davidson and Rao-Kupper. */
#include "base/mem.h"
#include "base/scoped.h"
#include "reward/pair_likelihood.h"
#include "reward/pair_null.h"
#include "reward/pair_outcome.h"
#include "reward/tabular_block_errors.h"
#include "reward/tabular_blocks.h"
#include "reward/tabular_estimable.h"
#include "reward/tabular_firth.h"
#include "reward/tabular_models.h"

#include <string.h>

/* ---- the table ---- */

static enum err_code build_table(const struct comparison_set *set,
                                 const struct tabular_options *options,
                                 struct pair_table *out_table, struct error *err) {
    static const enum pair_ties ways[] = {[TABULAR_TIES_REFUSE] = PAIR_TIES_KEEP,
                                          [TABULAR_TIES_HALF] = PAIR_TIES_HALF,
                                          [TABULAR_TIES_DROP] = PAIR_TIES_DROP};
    bool has_ties = pair_has_ties(options->model);
    TRY(pair_table_build(set, has_ties ? PAIR_TIES_KEEP : ways[options->ties], out_table, err));
    if (!has_ties && options->ties == TABULAR_TIES_REFUSE && out_table->tied > 0) {
        return err_set(err, ERR_DATA,
                       "%lld pairs are tied, and %s has no ties; use --model davidson, or --ties "
                       "half or drop",
                       (long long)out_table->tied, tabular_model_name(options->model));
    }
    if (out_table->count == 0) {
        return err_set(err, ERR_DATA, "no pair is left to fit, of %lld comparisons",
                       (long long)set->count);
    }
    return ERR_OK;
}

/* ---- what the fit tells ---- */

static void fill_estimates(const struct pair_likelihood *model, const double *x,
                           struct tabular_fit *fit) {
    memcpy(fit->rewards, x, (size_t)fit->item_count * sizeof *x);
    if (model->position >= 0) {
        fit->parameters[fit->parameter_count++] = (struct tabular_parameter){
            .name = "position", .value = x[model->position], .std_error = (double)NAN};
    }
    if (model->tie >= 0) {
        fit->parameters[fit->parameter_count++] =
            (struct tabular_parameter){.name = model->model == TABULAR_DAVIDSON ? "log_nu" : "eta",
                                       .value = x[model->tie],
                                       .std_error = (double)NAN};
    }
}

/* `table` is the whole one: cells are by side whether or not the model looks at it. */
static enum err_code fill_goodness(const struct comparison_set *set, const struct pair_table *table,
                                   struct pair_likelihood *model, const double *x,
                                   struct tabular_fit *fit, struct error *err) {
    SCOPED(tabular_blocks) struct tabular_blocks blocks = TABULAR_BLOCKS_INIT;
    TRY(tabular_blocks_init(&blocks, set, err));
    fit->free_parameters =
        set->item_count - tabular_blocks_used(&blocks, set) + fit->parameter_count;
    fit->weight = table->weight;
    fit->rankings_split = table->rankings;
    fit->ties_dropped = fit->options.ties == TABULAR_TIES_DROP ? table->tied : 0;
    fit->log_likelihood = pair_likelihood_log(model, x);
    TRY(pair_null_log_likelihood(table, &fit->options, &fit->log_likelihood_null, err));
    fit->log_likelihood_saturated = pair_saturated_log_likelihood(table);
    fit->deviance = 2.0 * (fit->log_likelihood_saturated - fit->log_likelihood);
    fit->null_deviance = 2.0 * (fit->log_likelihood_saturated - fit->log_likelihood_null);
    int64_t outcomes = table->count * (model->tie >= 0 ? 2 : 1);
    fit->degrees_of_freedom =
        outcomes >= fit->free_parameters ? outcomes - fit->free_parameters : -1;
    fit->aic = tabular_aic(fit);
    fit->aic_counts = fit->aic - 2.0 * pair_orders_log(table);
    return ERR_OK;
}

/* ---- the fit ---- */

static enum err_code maximise(const struct comparison_set *set, struct pair_likelihood *model,
                              struct tabular_fit *fit, double *x, struct error *err) {
    struct newton_problem problem = pair_likelihood_problem(model);
    struct newton_options options = NEWTON_OPTIONS_DEFAULT;
    struct newton_result result = {.iterations = 0};
    options.iterations_max = fit->options.iterations_max;
    if (fit->options.estimator == TABULAR_FIRTH) {
        memset(x, 0, (size_t)model->size * sizeof *x); /* where the information is largest */
        TRY(tabular_firth_fit(set, model, options.iterations_max, x, &result, err));
    } else {
        TRY(pair_likelihood_guess(model, x, err));
        TRY(newton_minimise(&problem, &options, x, &result, err));
    }
    tabular_centre(set, x);
    fit->iterations = result.iterations;
    fit->gradient_max = result.gradient_max;
    return ERR_OK;
}

static enum err_code check_size(const struct comparison_set *set,
                                const struct tabular_options *options, struct error *err) {
    if (options->estimator == TABULAR_FIRTH && set->item_count > options->covariance_items_max) {
        return err_set(err, ERR_LIMIT,
                       "firth needs the covariance of all %lld items, and at most %lld are allowed "
                       "one; use --estimator map",
                       (long long)set->item_count, (long long)options->covariance_items_max);
    }
    return ERR_OK;
}

/* What is maximised over: fewer cells where the model does not look at sides. */
static enum err_code choose_table(const struct pair_table *whole,
                                  const struct tabular_options *options, struct pair_table *merged,
                                  const struct pair_table **out_table, struct error *err) {
    *out_table = whole;
    if (!options->position_effect) {
        TRY(pair_table_merge_sides(whole, merged, err));
        *out_table = merged;
    }
    return ERR_OK;
}

enum err_code tabular_fit_pairs(const struct comparison_set *set, struct tabular_fit *fit,
                                struct error *err) {
    TRY(check_size(set, &fit->options, err));
    SCOPED(pair_table) struct pair_table whole = PAIR_TABLE_INIT;
    SCOPED(pair_table) struct pair_table merged = PAIR_TABLE_INIT;
    const struct pair_table *table = NULL;
    TRY(build_table(set, &fit->options, &whole, err));
    TRY(choose_table(&whole, &fit->options, &merged, &table, err));
    TRY(tabular_check_pairs(set, table, &fit->options, err));
    SCOPED(pair_likelihood) struct pair_likelihood model = PAIR_LIKELIHOOD_INIT;
    TRY(pair_likelihood_init(&model, set, table, &fit->options, err));
    SCOPED(mem) double *x = mem_array((size_t)model.size, sizeof *x);
    fit->item_count = set->item_count;
    fit->rewards = mem_array((size_t)set->item_count, sizeof *fit->rewards);
    if (!x || !fit->rewards) {
        return err_oom(err, "rewards");
    }
    TRY(maximise(set, &model, fit, x, err));
    fill_estimates(&model, x, fit);
    TRY(fill_goodness(set, &whole, &model, x, fit, err));
    if (set->item_count > fit->options.covariance_items_max) {
        return tabular_block_errors(set, &model, x, fit, err);
    }
    struct newton_problem problem = pair_likelihood_problem(&model);
    return tabular_fill_covariance(set, &problem, x, fit, err);
}
