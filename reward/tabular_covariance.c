/* tabular_covariance.c - covariance of rewards and parameters from a Hessian (tabular_models.h).
 *
 * The likelihood does not change when a block's rewards shift together, so the Hessian H has the
 * block's indicator vector u as an eigenvector, with eigenvalue 0 (or that of a prior). H + a u u'
 * / |u|^2 has an inverse, which is that of H on the space where the block sums to zero, plus a
 * known multiple of u u', which is taken off. */
#include "reward/tabular_blocks.h"
#include "reward/tabular_models.h"

#include "base/interrupt.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "reward/dense_spd.h"

#include <math.h>
#include <string.h>

/* What a block's shift is given, and had: one double a block. */
struct shifts {
    double *added;       /* the mean of the block's diagonal: the scale of its other curvatures */
    double *eigenvalues; /* of H for the block's indicator */
};

static inline void shifts_scoped_end(struct shifts *shifts) {
    mem_free(shifts->added);
    mem_free(shifts->eigenvalues);
}

static enum err_code shifts_init(struct shifts *shifts, const struct comparison_set *set,
                                 struct error *err) {
    shifts->added = mem_array_zero((size_t)set->block_count, sizeof *shifts->added);
    shifts->eigenvalues = mem_array_zero((size_t)set->block_count, sizeof *shifts->eigenvalues);
    return shifts->added && shifts->eigenvalues ? ERR_OK : err_oom(err, "covariance");
}

static void find_shifts(const struct comparison_set *set, const struct tabular_blocks *blocks,
                        const double *hessian, struct shifts *shifts) {
    for (int64_t i = 0; i < set->item_count; i++) {
        int32_t block = set->item_blocks[i];
        for (int64_t j = 0; j < i; j++) {
            if (set->item_blocks[j] == block) {
                shifts->eigenvalues[block] += 2.0 * hessian[dense_spd_place(i, j)];
            }
        }
        shifts->eigenvalues[block] += hessian[dense_spd_place(i, i)];
        shifts->added[block] += hessian[dense_spd_place(i, i)];
    }
    for (int64_t b = 0; b < set->block_count; b++) {
        double size = fmax(blocks->sizes[b], 1.0);
        shifts->eigenvalues[b] /= size;
        shifts->added[b] = shifts->added[b] > 0.0 ? shifts->added[b] / size : 1.0;
    }
}

/* The Hessian becomes its inverse where blocks sum to zero. */
static enum err_code invert(const struct comparison_set *set, int64_t size, double *io_hessian,
                            struct error *err) {
    SCOPED(tabular_blocks) struct tabular_blocks blocks = TABULAR_BLOCKS_INIT;
    SCOPED(shifts) struct shifts shifts = {.added = NULL};
    TRY(tabular_blocks_init(&blocks, set, err));
    TRY(shifts_init(&shifts, set, err));
    find_shifts(set, &blocks, io_hessian, &shifts);
    for (int64_t b = 0; b < set->block_count; b++) {
        blocks.shares[b] = shifts.added[b] / fmax(blocks.sizes[b], 1.0);
    }
    tabular_blocks_add(&blocks, set, 1.0, io_hessian);
    if (!dense_spd_factor(io_hessian, size)) {
        return err_set(err, ERR_DATA,
                       "the curvature at the fit is singular: the data do not determine it; fit "
                       "with --estimator map");
    }
    dense_spd_invert(io_hessian, size);
    if (interrupt_requested()) {
        return err_set(err, ERR_INTERRUPTED, "interrupted while inverting the curvature");
    }
    for (int64_t b = 0; b < set->block_count; b++) {
        double eigenvalue = shifts.eigenvalues[b] + shifts.added[b];
        blocks.shares[b] = 1.0 / (eigenvalue * fmax(blocks.sizes[b], 1.0));
    }
    tabular_blocks_add(&blocks, set, -1.0, io_hessian);
    return ERR_OK;
}

/* The Hessian column by column, where the problem has no quicker way. */
static enum err_code fill_hessian(const struct newton_problem *problem, const double *x,
                                  double *out, struct error *err) {
    int64_t n = problem->size;
    SCOPED(mem) double *work = mem_array_zero(2 * (size_t)n, sizeof *work);
    if (!work) {
        return err_oom(err, "covariance");
    }
    double *unit = work;
    double *column = work + n;
    problem->gradient(problem->context, x, column);
    if (problem->dense) {
        problem->dense(problem->context, x, out);
        return ERR_OK;
    }
    for (int64_t j = 0; j < n; j++) {
        unit[j] = 1.0;
        problem->hessian_times(problem->context, x, unit, column);
        unit[j] = 0.0;
        for (int64_t i = j; i < n; i++) {
            out[dense_spd_place(i, j)] = column[i];
        }
        if (interrupt_requested()) {
            return err_set(err, ERR_INTERRUPTED, "interrupted while computing the curvature");
        }
    }
    return ERR_OK;
}

enum err_code tabular_fill_covariance(const struct comparison_set *set,
                                      const struct newton_problem *problem, const double *x,
                                      struct tabular_fit *fit, struct error *err) {
    int64_t n = problem->size;
    if (set->item_count > fit->options.covariance_items_max) {
        return ERR_OK;
    }
    if (n != set->item_count + fit->parameter_count) {
        return err_set(err, ERR_INTERNAL, "a covariance of %lld variables, of %lld items and %lld",
                       (long long)n, (long long)set->item_count, (long long)fit->parameter_count);
    }
    SCOPED(mem) double *matrix = mem_array((size_t)dense_spd_entries(n), sizeof *matrix);
    SCOPED(mem) double *errors = mem_array((size_t)set->item_count, sizeof *errors);
    if (!matrix || !errors) {
        return err_oom(err, "covariance");
    }
    TRY(fill_hessian(problem, x, matrix, err));
    TRY(invert(set, n, matrix, err));
    for (int64_t i = 0; i < set->item_count; i++) {
        errors[i] = sqrt(fmax(matrix[dense_spd_place(i, i)], 0.0));
    }
    for (int64_t p = 0; p < fit->parameter_count; p++) {
        int64_t k = set->item_count + p;
        fit->parameters[p].std_error = sqrt(fmax(matrix[dense_spd_place(k, k)], 0.0));
    }
    mem_free(fit->covariance);
    mem_free(fit->std_errors);
    fit->covariance = MOVE(matrix);
    fit->std_errors = MOVE(errors);
    fit->covariance_size = n;
    return ERR_OK;
}
