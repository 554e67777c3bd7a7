/* tabular_block_errors.c - see tabular_block_errors.h. */
#include "reward/tabular_block_errors.h"

#include "base/interrupt.h"
#include "base/invariant.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "reward/dense_spd.h"

#include <math.h>
#include <string.h>

#define PARAMETERS_MAX 2 /* position, tie */

/* Items [start, end) of one block. */
struct span {
    int64_t start, end;
};

struct work {
    const struct comparison_set *set;
    const struct pair_likelihood *model;
    int64_t parameters;
    double *square;                 /* of the largest block, as a triangle */
    double *variances;              /* [I] without the parameters */
    double *border[PARAMETERS_MAX]; /* [I] G */
    double *solved[PARAMETERS_MAX]; /* [I] V^-1 G */
    double inner[PARAMETERS_MAX * (PARAMETERS_MAX + 1) / 2]; /* S, then S^-1 */
};

static inline void work_scoped_end(struct work *w) {
    mem_free(w->square);
    mem_free(w->variances);
    for (int64_t p = 0; p < PARAMETERS_MAX; p++) {
        mem_free(w->border[p]);
        mem_free(w->solved[p]);
    }
}

static enum err_code work_init(struct work *w, int64_t largest, struct error *err) {
    size_t items = (size_t)w->set->item_count;
    w->square = mem_array((size_t)dense_spd_entries(largest), sizeof *w->square);
    w->variances = mem_array(items, sizeof *w->variances);
    bool is_made = w->square && w->variances;
    for (int64_t p = 0; p < w->parameters; p++) {
        w->border[p] = mem_array_zero(items, sizeof *w->border[p]);
        w->solved[p] = mem_array(items, sizeof *w->solved[p]);
        is_made = is_made && w->border[p] && w->solved[p];
    }
    return is_made ? ERR_OK : err_oom(err, "standard errors");
}

static struct span block_from(const struct comparison_set *set, int64_t start) {
    struct span span = {.start = start, .end = start};
    while (span.end < set->item_count && set->item_blocks[span.end] == set->item_blocks[start]) {
        span.end++;
    }
    return span;
}

/* Items in the largest block; 0 where blocks are not in order. */
static int64_t largest_block(const struct comparison_set *set) {
    int64_t largest = 0;
    int32_t last = -1;
    for (int64_t i = 0; i < set->item_count;) {
        struct span span = block_from(set, i);
        if (set->item_blocks[i] <= last) {
            return 0;
        }
        last = set->item_blocks[i];
        largest = span.end - span.start > largest ? span.end - span.start : largest;
        i = span.end;
    }
    return largest;
}

/* The block's square of the Hessian, with `added` on the shift that it knows nothing about. */
static void fill_square(struct work *w, struct span span, double *out_added) {
    const struct pair_likelihood *model = w->model;
    int64_t n = span.end - span.start;
    double trace = 0.0;
    memset(w->square, 0, (size_t)dense_spd_entries(n) * sizeof *w->square);
    for (int64_t i = span.start; i < span.end; i++) {
        for (int64_t c = model->table->starts[i]; c < model->table->starts[i + 1]; c++) {
            int64_t a = i - span.start;
            int64_t b = model->table->others[c] - span.start;
            w->square[dense_spd_place(a, a)] += model->curvatures[c];
            w->square[dense_spd_place(b, b)] += model->curvatures[c];
            w->square[dense_spd_place(b, a)] -= model->curvatures[c];
            trace += 2.0 * model->curvatures[c];
        }
    }
    *out_added = trace > 0.0 ? trace / (double)n : 1.0;
    double shared = (*out_added - model->ridge) / (double)n;
    for (int64_t a = 0; a < n; a++) {
        for (int64_t b = 0; b < a; b++) {
            w->square[dense_spd_place(a, b)] += shared;
        }
        w->square[dense_spd_place(a, a)] += model->ridge + shared;
    }
}

/* Columns of the Hessian that belong to the parameters, and their own square. */
static void fill_border(struct work *w) {
    const struct pair_likelihood *model = w->model;
    const struct pair_table *table = model->table;
    int64_t tie = model->position >= 0 ? 1 : 0;
    for (int64_t i = 0; i < table->item_count; i++) {
        for (int64_t c = table->starts[i]; c < table->starts[i + 1]; c++) {
            double side = table->sides[c];
            int64_t j = table->others[c];
            if (model->position >= 0) {
                ASSERT(w->border[0]);
                w->border[0][i] += side * model->curvatures[c];
                w->border[0][j] -= side * model->curvatures[c];
                w->inner[0] += side * side * model->curvatures[c];
            }
            if (model->tie >= 0) {
                ASSERT(w->border[tie]);
                w->border[tie][i] += model->cross[c];
                w->border[tie][j] -= model->cross[c];
            }
            if (model->position >= 0 && model->tie >= 0) {
                w->inner[dense_spd_place(1, 0)] += side * model->cross[c];
            }
        }
    }
    if (model->tie >= 0) {
        w->inner[dense_spd_place(tie, tie)] += model->tie_curvature;
    }
}

/* Of one block: variances as if the parameters were known, V^-1 G, and what it takes off S. */
static enum err_code solve_block(struct work *w, struct span span, struct error *err) {
    int64_t n = span.end - span.start;
    double added = 0.0;
    fill_square(w, span, &added);
    if (!dense_spd_factor(w->square, n)) {
        return err_set(err, ERR_DATA,
                       "the curvature at the fit is singular: the data do not determine it; fit "
                       "with --estimator map");
    }
    for (int64_t p = 0; p < w->parameters; p++) {
        double *solved = w->solved[p] + span.start;
        memcpy(solved, w->border[p] + span.start, (size_t)n * sizeof *solved);
        dense_spd_solve(w->square, n, solved);
        for (int64_t q = 0; q <= p; q++) {
            for (int64_t i = 0; i < n; i++) {
                w->inner[dense_spd_place(p, q)] -= w->border[q][span.start + i] * solved[i];
            }
        }
    }
    dense_spd_invert(w->square, n);
    for (int64_t i = 0; i < n; i++) {
        w->variances[span.start + i] = w->square[dense_spd_place(i, i)] - 1.0 / (added * (double)n);
    }
    return ERR_OK;
}

static void add_parameters(struct work *w) {
    for (int64_t i = 0; i < w->set->item_count; i++) {
        for (int64_t p = 0; p < w->parameters; p++) {
            for (int64_t q = 0; q < w->parameters; q++) {
                w->variances[i] +=
                    w->solved[p][i] * w->inner[dense_spd_place(p, q)] * w->solved[q][i];
            }
        }
    }
}

static enum err_code solve_all(struct work *w, struct error *err) {
    fill_border(w);
    for (int64_t i = 0; i < w->set->item_count;) {
        struct span span = block_from(w->set, i);
        if (interrupt_requested()) {
            return err_set(err, ERR_INTERRUPTED, "interrupted while computing standard errors");
        }
        TRY(solve_block(w, span, err));
        i = span.end;
    }
    if (w->parameters > 0) {
        if (!dense_spd_factor(w->inner, w->parameters)) {
            return err_set(err, ERR_DATA,
                           "the curvature of the parameters is singular: the data do not determine "
                           "them; leave them out");
        }
        dense_spd_invert(w->inner, w->parameters);
        add_parameters(w);
    }
    return ERR_OK;
}

enum err_code tabular_block_errors(const struct comparison_set *set, struct pair_likelihood *model,
                                   const double *x, struct tabular_fit *fit, struct error *err) {
    int64_t largest = largest_block(set);
    if (largest == 0 || largest > fit->options.covariance_items_max) {
        return ERR_OK;
    }
    SCOPED(work)
    struct work w = {.set = set, .model = model, .parameters = model->size - set->item_count};
    SCOPED(mem) double *gradient = mem_array((size_t)model->size, sizeof *gradient);
    if (!gradient) {
        return err_oom(err, "standard errors");
    }
    TRY(work_init(&w, largest, err));
    struct newton_problem problem = pair_likelihood_problem(model);
    problem.gradient(problem.context, x, gradient); /* so that curvatures are those at x */
    TRY(solve_all(&w, err));
    for (int64_t i = 0; i < set->item_count; i++) {
        w.variances[i] = sqrt(fmax(w.variances[i], 0.0));
    }
    for (int64_t p = 0; p < w.parameters; p++) {
        fit->parameters[p].std_error = sqrt(w.inner[dense_spd_place(p, p)]);
    }
    mem_free(fit->std_errors);
    fit->std_errors = MOVE(w.variances);
    return ERR_OK;
}
