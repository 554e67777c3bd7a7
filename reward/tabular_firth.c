/* tabular_firth.c - see tabular_firth.h. */
#include "reward/tabular_firth.h"

#include "base/interrupt.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "reward/dense_spd.h"
#include "reward/pair_outcome.h"
#include "reward/tabular_blocks.h"

#include <string.h>

#define GRADIENT_TOLERANCE 1e-12 /* on each |score|, relative to its information: nats */
#define ROUNDING           1e-12 /* of the penalised likelihood */
#define SMALL_STEP         1e-3  /* nats: steps this small converge without a search */
#define HALVINGS_MAX       40
#define STALL_TOLERANCE    1e-9 /* nats: below, a score that no longer falls is rounding */

struct firth {
    const struct comparison_set *set;
    struct pair_likelihood *model;
    struct newton_problem problem;
    struct tabular_blocks blocks;
    double *matrix;    /* [n (n + 1) / 2] */
    double *score;     /* [n] of minus the penalised likelihood */
    double *diagonal;  /* [n] */
    double *step;      /* [n] */
    double *trial;     /* [n] */
    double *leverages; /* [C] */
    double value;      /* of minus the penalised likelihood */
};

static inline void firth_scoped_end(struct firth *f) {
    tabular_blocks_deinit(&f->blocks);
    mem_free(f->matrix);
    mem_free(f->score);
    mem_free(f->diagonal);
    mem_free(f->step);
    mem_free(f->trial);
    mem_free(f->leverages);
}

static enum err_code firth_init(struct firth *f, const struct comparison_set *set,
                                struct pair_likelihood *model, struct error *err) {
    size_t n = (size_t)model->size;
    f->set = set;
    f->model = model;
    f->problem = pair_likelihood_problem(model);
    TRY(tabular_blocks_init(&f->blocks, set, err));
    f->matrix = mem_array((size_t)dense_spd_entries(model->size), sizeof *f->matrix);
    f->score = mem_array(n, sizeof *f->score);
    f->diagonal = mem_array(n, sizeof *f->diagonal);
    f->step = mem_array(n, sizeof *f->step);
    f->trial = mem_array(n, sizeof *f->trial);
    f->leverages = mem_array((size_t)model->table->count, sizeof *f->leverages);
    if (!f->matrix || !f->score || !f->diagonal || !f->step || !f->trial || !f->leverages) {
        return err_oom(err, "information matrix");
    }
    return ERR_OK;
}

/* Factors the information of the curvatures in the model. Each block's shift, which it knows
 * nothing about, is given a curvature of `added`; contrasts do not notice. */
static bool factor_information(struct firth *f, const double *x, double added) {
    f->problem.dense(f->model, x, f->matrix);
    for (int64_t b = 0; b < f->set->block_count; b++) {
        f->blocks.shares[b] = f->blocks.sizes[b] > 0.0 ? added / f->blocks.sizes[b] : 0.0;
    }
    tabular_blocks_add(&f->blocks, f->set, 1.0, f->matrix);
    return dense_spd_factor(f->matrix, f->model->size);
}

static enum err_code refuse_singular(struct error *err) {
    return err_set(err, ERR_DATA,
                   "the information matrix is singular: the data do not determine "
                   "the fit; use --estimator map");
}

/* Minus the penalised likelihood at x, +infinity where items are too far apart to tell; leaves the
 * factor there, and the plain score in f->score. */
static double evaluate(struct firth *f, const double *x, double added) {
    f->problem.gradient(f->model, x, f->score);
    if (!factor_information(f, x, added)) {
        return (double)INFINITY;
    }
    return f->problem.value(f->model, x) -
           0.5 * dense_spd_log_determinant(f->matrix, f->model->size);
}

/* Variance of D of a cell. */
static double variance_of(const struct firth *f, int64_t i, int64_t c) {
    const double *v = f->matrix;
    int64_t j = f->model->table->others[c];
    int64_t a = f->model->position;
    double side = f->model->table->sides[c];
    double variance =
        v[dense_spd_place(i, i)] + v[dense_spd_place(j, j)] - 2.0 * v[dense_spd_place(i, j)];
    if (a >= 0) {
        variance += 2.0 * side * (v[dense_spd_place(a, i)] - v[dense_spd_place(a, j)]) +
                    side * side * v[dense_spd_place(a, a)];
    }
    return variance;
}

/* From the factor at x: leverages, the score with them, and curvatures enlarged by them. */
static void adjust(struct firth *f, const double *x) {
    const struct pair_table *table = f->model->table;
    dense_spd_invert(f->matrix, f->model->size);
    int64_t a = f->model->position;
    for (int64_t i = 0; i < table->item_count; i++) {
        for (int64_t c = table->starts[i]; c < table->starts[i + 1]; c++) {
            int64_t j = table->others[c];
            double side = table->sides[c];
            double difference = x[i] - x[j] + (a >= 0 ? x[a] * side : 0.0);
            double leverage = f->model->curvatures[c] * variance_of(f, i, c);
            double part = leverage * 0.5 * tanh(0.5 * difference); /* p - 1/2 */
            f->score[i] += part;
            f->score[j] -= part;
            if (a >= 0) {
                f->score[a] += side * part;
            }
            double total = table->wins[c] + table->losses[c];
            f->model->curvatures[c] *= 1.0 + leverage / total;
        }
    }
}

static double scaled_score(const struct firth *f) {
    double max = 0.0;
    for (int64_t k = 0; k < f->model->size; k++) {
        double scaled = f->diagonal[k] > 0.0 ? fabs(f->score[k]) / f->diagonal[k] : 0.0;
        max = fmax(max, scaled);
    }
    return max;
}

static double largest(const double *values, int64_t n) {
    double max = 0.0;
    for (int64_t k = 0; k < n; k++) {
        max = fmax(max, fabs(values[k]));
    }
    return max;
}

/* Goes along f->step, shortened until the penalised likelihood does not fall; false where no length
 * does. */
static bool search(struct firth *f, double *x, double added) {
    int64_t n = f->model->size;
    bool is_small = largest(f->step, n) <= SMALL_STEP;
    for (int halvings = 0; halvings < HALVINGS_MAX; halvings++) {
        double length = ldexp(1.0, -halvings);
        for (int64_t k = 0; k < n; k++) {
            f->trial[k] = x[k] + length * f->step[k];
        }
        double value = evaluate(f, f->trial, added);
        bool is_lower = value <= f->value + ROUNDING * (1.0 + fabs(f->value));
        if (isfinite(value) && (is_lower || is_small)) {
            memcpy(x, f->trial, (size_t)n * sizeof *x);
            f->value = value;
            return true;
        }
    }
    return false;
}

enum err_code tabular_firth_fit(const struct comparison_set *set, struct pair_likelihood *model,
                                int64_t iterations_max, double *x, struct newton_result *out_result,
                                struct error *err) {
    SCOPED(firth) struct firth f = {.set = NULL};
    TRY(firth_init(&f, set, model, err));
    int64_t n = model->size;
    double added = model->table->weight / (double)model->table->item_count; /* like the diagonal */
    f.value = evaluate(&f, x, added);
    if (!isfinite(f.value)) {
        return refuse_singular(err);
    }
    double before = (double)INFINITY;
    for (int64_t iteration = 0;; iteration++) {
        adjust(&f, x);
        f.problem.diagonal(model, x, f.diagonal);
        double off = scaled_score(&f);
        bool is_stalled = off <= STALL_TOLERANCE && off >= before;
        before = off;
        if (off <= GRADIENT_TOLERANCE || is_stalled) {
            *out_result = (struct newton_result){
                .value = f.value, .gradient_max = largest(f.score, n), .iterations = iteration};
            return ERR_OK;
        }
        if (iteration == iterations_max) {
            return err_set(err, ERR_LIMIT,
                           "no convergence in %lld iterations: a reward would still move by about "
                           "%.2g nats; allow more iterations",
                           (long long)iteration, off);
        }
        if (interrupt_requested()) {
            return err_set(err, ERR_INTERRUPTED, "interrupted while fitting");
        }
        if (!factor_information(&f, x, added)) {
            return refuse_singular(err);
        }
        for (int64_t k = 0; k < n; k++) {
            f.step[k] = -f.score[k];
        }
        dense_spd_solve(f.matrix, n, f.step);
        if (!search(&f, x, added) && !interrupt_requested()) {
            return err_set(err, ERR_LIMIT,
                           "no step improves the penalised likelihood, and a reward would still "
                           "move by about %.2g nats; use --estimator map",
                           off);
        }
    }
}
