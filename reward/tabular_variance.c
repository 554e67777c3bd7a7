/* tabular_variance.c - see tabular_variance.h. */
#include "reward/tabular_variance.h"

#include "base/invariant.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "reward/crowd_bt.h"
#include "reward/davidson_luce.h"
#include "reward/pair_likelihood.h"
#include "reward/pair_outcome.h"
#include "reward/tabular_blocks.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Of the residual. The error of a variance is about its square, that of a covariance as it is. */
#define TOLERANCE_VARIANCE   1e-6
#define TOLERANCE_COVARIANCE 1e-8

/* How far a reward may be from where it would settle, in nats: Newton's method ends below 1e-9. */
#define UNSETTLED_MAX 1e-6

struct tabular_variance {
    const struct comparison_set *set;
    const struct tabular_fit *fit;
    struct pair_table table; /* of pair models, with what follows */
    struct pair_likelihood pairs;
    struct davidson_luce *rankings;
    struct crowd_bt *crowd;
    struct newton_problem problem; /* its Hessian is the one to invert */
    struct tabular_places places;  /* in its variables */
    struct tabular_blocks blocks;
    double *x;        /* [n], then log-odds of reliabilities */
    double *contrast; /* [n] */
    double *solution; /* [n] */
    double tie;       /* variance of the tie parameter; NaN: not computed yet */
};

/* ---- the model at the fit ---- */

static enum err_code make_pairs(struct tabular_variance *v, struct error *err) {
    const struct tabular_options *options = &v->fit->options;
    enum pair_ties ties = PAIR_TIES_KEEP;
    if (!pair_has_ties(options->model)) {
        ties = options->ties == TABULAR_TIES_HALF ? PAIR_TIES_HALF : PAIR_TIES_DROP;
    }
    TRY(pair_table_build(v->set, ties, &v->table, err));
    TRY(pair_likelihood_init(&v->pairs, v->set, &v->table, options, err));
    v->problem = pair_likelihood_problem(&v->pairs);
    return ERR_OK;
}

static enum err_code make_rankings(struct tabular_variance *v, struct error *err) {
    bool posterior = v->fit->options.estimator == TABULAR_MAXIMUM_POSTERIOR;
    double ridge = posterior ? v->fit->options.ridge : 0.0;
    TRY(davidson_luce_new(v->set, ridge, &v->rankings, err));
    v->problem = davidson_luce_problem(v->rankings);
    return ERR_OK;
}

static enum err_code make_crowd(struct tabular_variance *v, struct error *err) {
    const struct tabular_fit *fit = v->fit;
    if (v->set->annotator_count != fit->annotator_count) {
        return err_set(err, ERR_DATA,
                       "a fit of %" PRId64 " annotators, and comparisons by %" PRId64,
                       fit->annotator_count, v->set->annotator_count);
    }
    TRY(crowd_bt_new(v->set, &fit->options, &v->crowd, err));
    double *odds = v->x + fit->item_count + fit->parameter_count;
    for (int64_t a = 0; a < fit->annotator_count; a++) {
        odds[a] = log(fit->reliabilities[a] / (1.0 - fit->reliabilities[a]));
    }
    return crowd_bt_profile(v->crowd, v->x, &v->problem, err);
}

static enum err_code make_model(struct tabular_variance *v, struct error *err) {
    switch (v->fit->options.model) {
    case TABULAR_PLACKETT_LUCE:
        return make_rankings(v, err);
    case TABULAR_CROWD_BT:
        return make_crowd(v, err);
    case TABULAR_BRADLEY_TERRY:
    case TABULAR_DAVIDSON:
    case TABULAR_RAO_KUPPER:
    case TABULAR_MODEL_COUNT:
        break;
    }
    return make_pairs(v, err);
}

static enum err_code make_arrays(struct tabular_variance *v, struct error *err) {
    const struct tabular_fit *fit = v->fit;
    size_t n = (size_t)(fit->item_count + fit->parameter_count);
    v->x = mem_array(n + (size_t)fit->annotator_count, sizeof *v->x);
    v->contrast = mem_array_zero(n, sizeof *v->contrast);
    v->solution = mem_array(n, sizeof *v->solution);
    if (!v->x || !v->contrast || !v->solution) {
        return err_oom(err, "standard errors");
    }
    memcpy(v->x, fit->rewards, (size_t)fit->item_count * sizeof *v->x);
    for (int64_t p = 0; p < fit->parameter_count; p++) {
        v->x[fit->item_count + p] = fit->parameters[p].value; /* in the order of x */
    }
    return ERR_OK;
}

/* Asks for the gradient, which the Hessian is then of. Firth's estimate is where the likelihood is
 * not largest. */
static enum err_code check_settled(struct tabular_variance *v, struct error *err) {
    double *gradient = v->solution, *diagonal = v->contrast;
    v->problem.gradient(v->problem.context, v->x, gradient);
    v->problem.diagonal(v->problem.context, v->x, diagonal);
    double most = 0.0;
    for (int64_t i = 0; i < v->fit->item_count; i++) {
        double scaled = diagonal[i] > 0.0 ? fabs(gradient[i]) / diagonal[i] : fabs(gradient[i]);
        most = scaled <= most ? most : scaled; /* keeps what is not a number */
    }
    if (v->fit->options.estimator != TABULAR_FIRTH && !(most <= UNSETTLED_MAX)) {
        return err_set(err, ERR_DATA,
                       "the comparisons are not those of the fit: with them a reward would move by "
                       "about %.2g nats",
                       most);
    }
    return ERR_OK;
}

enum err_code tabular_variance_open(const struct comparison_set *set, const struct tabular_fit *fit,
                                    struct tabular_variance **out_variance, struct error *err) {
    if (set->item_count != fit->item_count) {
        return err_set(err, ERR_DATA, "a fit of %" PRId64 " items, and comparisons of %" PRId64,
                       fit->item_count, set->item_count);
    }
    SCOPED(tabular_variance) struct tabular_variance *v = mem_array_zero(1, sizeof *v);
    if (!v) {
        return err_oom(err, "standard errors");
    }
    v->set = set;
    v->fit = fit;
    v->tie = (double)NAN;
    v->places = tabular_predict_places(fit);
    TRY(make_arrays(v, err));
    TRY(make_model(v, err));
    if (v->problem.size != fit->item_count + fit->parameter_count) {
        return err_set(err, ERR_DATA,
                       "a fit of %" PRId64 " parameters where the comparisons have %" PRId64,
                       fit->parameter_count, v->problem.size - fit->item_count);
    }
    TRY(tabular_blocks_init(&v->blocks, set, err));
    TRY(check_settled(v, err));
    *out_variance = MOVE(v);
    return ERR_OK;
}

void tabular_variance_close(struct tabular_variance *v) {
    if (v) {
        pair_likelihood_deinit(&v->pairs);
        pair_table_deinit(&v->table);
        davidson_luce_free(v->rankings);
        crowd_bt_free(v->crowd);
        tabular_blocks_deinit(&v->blocks);
        mem_free(v->x);
        mem_free(v->contrast);
        mem_free(v->solution);
        mem_free(v);
    }
}

/* ---- what is asked ---- */

static void clear_contrast(struct tabular_variance *v) {
    memset(v->contrast, 0, (size_t)v->problem.size * sizeof *v->contrast);
}

/* `*out_variance` is that of the contrast, whose covariances with all variables are then the
 * solution. */
static enum err_code solve(struct tabular_variance *v, double tolerance, double *out_variance,
                           struct error *err) {
    TRY(newton_solve(&v->problem, v->x, v->contrast, tolerance, v->solution, err));
    double sum = 0.0;
    for (int64_t k = 0; k < v->problem.size; k++) {
        sum += v->contrast[k] * v->solution[k];
    }
    *out_variance = sum;
    return ERR_OK;
}

static enum err_code find_tie_variance(struct tabular_variance *v, struct error *err) {
    if (v->places.tie < 0 || !isnan(v->tie)) {
        return ERR_OK;
    }
    clear_contrast(v);
    v->contrast[v->places.tie] = 1.0;
    return solve(v, TOLERANCE_VARIANCE, &v->tie, err);
}

enum err_code tabular_variance_spread(struct tabular_variance *v,
                                      const struct tabular_question *question,
                                      struct tabular_spread *out_spread, struct error *err) {
    ASSERT(0 <= question->item && question->item < v->set->item_count);
    ASSERT(0 <= question->other && question->other < v->set->item_count);
    TRY(find_tie_variance(v, err));
    clear_contrast(v);
    v->contrast[question->item] += 1.0;
    v->contrast[question->other] -= 1.0;
    if (v->places.position >= 0) {
        v->contrast[v->places.position] = question->side;
    }
    struct tabular_spread spread = {.difference = 0.0};
    TRY(solve(v, TOLERANCE_COVARIANCE, &spread.difference, err));
    if (v->places.tie >= 0) {
        spread.difference_tie = v->solution[v->places.tie];
        spread.tie = v->tie;
    }
    *out_spread = spread;
    return ERR_OK;
}

enum err_code tabular_variance_item(struct tabular_variance *v, int64_t item, double *out_std_error,
                                    struct error *err) {
    ASSERT(0 <= item && item < v->set->item_count);
    int32_t block = v->set->item_blocks[item];
    double share = 1.0 / v->blocks.sizes[block];
    clear_contrast(v);
    for (int64_t i = 0; i < v->set->item_count; i++) {
        v->contrast[i] = v->set->item_blocks[i] == block ? -share : 0.0;
    }
    v->contrast[item] += 1.0;
    double variance = 0.0;
    TRY(solve(v, TOLERANCE_VARIANCE, &variance, err));
    *out_std_error = sqrt(fmax(variance, 0.0));
    return ERR_OK;
}

enum err_code tabular_variance_contrast(struct tabular_variance *v, int64_t item, int64_t other,
                                        double *out_std_error, struct error *err) {
    ASSERT(0 <= item && item < v->set->item_count);
    ASSERT(0 <= other && other < v->set->item_count);
    clear_contrast(v);
    v->contrast[item] += 1.0;
    v->contrast[other] -= 1.0;
    double variance = 0.0;
    TRY(item == other ? ERR_OK : solve(v, TOLERANCE_VARIANCE, &variance, err));
    *out_std_error = sqrt(fmax(variance, 0.0));
    return ERR_OK;
}
