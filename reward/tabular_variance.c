/* tabular_variance.c - see tabular_variance.h. */
#include "reward/tabular_variance.h"

#include "base/invariant.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "reward/pair_likelihood.h"
#include "reward/pair_outcome.h"
#include "reward/tabular_blocks.h"

#include <math.h>
#include <string.h>

#define TOLERANCE 1e-8 /* of the residual; the error of a variance is about its square */

struct tabular_variance {
    const struct comparison_set *set;
    struct pair_table table;
    struct pair_likelihood model;
    struct newton_problem problem;
    struct tabular_blocks blocks;
    double *x;        /* [n] */
    double *contrast; /* [n] */
    double *solution; /* [n] */
    double tie;       /* variance of the tie parameter; NaN: not computed yet */
};

static enum err_code make_table(struct tabular_variance *v, const struct tabular_options *options,
                                struct error *err) {
    enum pair_ties ties = PAIR_TIES_KEEP;
    if (!pair_has_ties(options->model)) {
        ties = options->ties == TABULAR_TIES_HALF ? PAIR_TIES_HALF : PAIR_TIES_DROP;
    }
    return pair_table_build(v->set, ties, &v->table, err);
}

static enum err_code prepare(struct tabular_variance *v, const struct tabular_fit *fit,
                             struct error *err) {
    TRY(make_table(v, &fit->options, err));
    TRY(pair_likelihood_init(&v->model, v->set, &v->table, &fit->options, err));
    TRY(tabular_blocks_init(&v->blocks, v->set, err));
    v->problem = pair_likelihood_problem(&v->model);
    if (v->model.size != fit->item_count + fit->parameter_count) {
        return err_set(err, ERR_INTERNAL, "a fit of %lld parameters where %lld are expected",
                       (long long)fit->parameter_count,
                       (long long)(v->model.size - fit->item_count));
    }
    size_t n = (size_t)v->model.size;
    v->x = mem_array(n, sizeof *v->x);
    v->contrast = mem_array_zero(n, sizeof *v->contrast);
    v->solution = mem_array(n, sizeof *v->solution);
    if (!v->x || !v->contrast || !v->solution) {
        return err_oom(err, "standard errors");
    }
    memcpy(v->x, fit->rewards, (size_t)fit->item_count * sizeof *v->x);
    for (int64_t p = 0; p < fit->parameter_count; p++) {
        v->x[fit->item_count + p] = fit->parameters[p].value; /* in the order of x */
    }
    v->problem.gradient(v->problem.context, v->x, v->solution);
    return ERR_OK;
}

enum err_code tabular_variance_open(const struct comparison_set *set, const struct tabular_fit *fit,
                                    struct tabular_variance **out_variance, struct error *err) {
    enum tabular_model model = fit->options.model;
    if (model != TABULAR_BRADLEY_TERRY && !pair_has_ties(model)) {
        return err_set(err, ERR_CONFIG,
                       "standard errors of chosen items are for models of pairs, not '%s'",
                       tabular_model_name(model));
    }
    if (set->item_count != fit->item_count) {
        return err_set(err, ERR_DATA, "a fit of %lld items, and comparisons of %lld",
                       (long long)fit->item_count, (long long)set->item_count);
    }
    SCOPED(tabular_variance) struct tabular_variance *v = mem_array_zero(1, sizeof *v);
    if (!v) {
        return err_oom(err, "standard errors");
    }
    v->set = set;
    v->tie = (double)NAN;
    TRY(prepare(v, fit, err));
    *out_variance = MOVE(v);
    return ERR_OK;
}

void tabular_variance_close(struct tabular_variance *v) {
    if (v) {
        pair_table_deinit(&v->table);
        pair_likelihood_deinit(&v->model);
        tabular_blocks_deinit(&v->blocks);
        mem_free(v->x);
        mem_free(v->contrast);
        mem_free(v->solution);
        mem_free(v);
    }
}

/* Solves for the contrast, and takes it back. `*out_variance` is that of it. */
static enum err_code solve(struct tabular_variance *v, double *out_variance, struct error *err) {
    TRY(newton_solve(&v->problem, v->x, v->contrast, TOLERANCE, v->solution, err));
    double sum = 0.0;
    for (int64_t k = 0; k < v->model.size; k++) {
        sum += v->contrast[k] * v->solution[k];
    }
    *out_variance = sum;
    return ERR_OK;
}

static enum err_code find_tie_variance(struct tabular_variance *v, struct error *err) {
    if (v->model.tie < 0 || !isnan(v->tie)) {
        return ERR_OK;
    }
    memset(v->contrast, 0, (size_t)v->model.size * sizeof *v->contrast);
    v->contrast[v->model.tie] = 1.0;
    return solve(v, &v->tie, err);
}

enum err_code tabular_variance_spread(struct tabular_variance *v,
                                      const struct tabular_question *question,
                                      struct tabular_spread *out_spread, struct error *err) {
    ASSERT(0 <= question->item && question->item < v->set->item_count);
    ASSERT(0 <= question->other && question->other < v->set->item_count);
    TRY(find_tie_variance(v, err));
    memset(v->contrast, 0, (size_t)v->model.size * sizeof *v->contrast);
    v->contrast[question->item] += 1.0;
    v->contrast[question->other] -= 1.0;
    if (v->model.position >= 0) {
        v->contrast[v->model.position] = question->side;
    }
    struct tabular_spread spread = {.difference = 0.0};
    TRY(solve(v, &spread.difference, err));
    if (v->model.tie >= 0) {
        spread.difference_tie = v->solution[v->model.tie];
        spread.tie = v->tie;
    }
    *out_spread = spread;
    return ERR_OK;
}

enum err_code tabular_variance_items(struct tabular_variance *v, const int64_t *items,
                                     int64_t count, double *out_std_errors, struct error *err) {
    for (int64_t k = 0; k < count; k++) {
        ASSERT(0 <= items[k] && items[k] < v->set->item_count);
        int32_t block = v->set->item_blocks[items[k]];
        double share = 1.0 / v->blocks.sizes[block];
        memset(v->contrast, 0, (size_t)v->model.size * sizeof *v->contrast);
        for (int64_t i = 0; i < v->set->item_count; i++) {
            v->contrast[i] = v->set->item_blocks[i] == block ? -share : 0.0;
        }
        v->contrast[items[k]] += 1.0;
        double variance = 0.0;
        TRY(solve(v, &variance, err));
        out_std_errors[k] = sqrt(fmax(variance, 0.0));
    }
    return ERR_OK;
}
