/* dense_spd.h - Cholesky factor, solutions and inverse of a symmetric positive definite matrix.
 *
 * Use:      if (!dense_spd_factor(a, n)) { ... not positive definite ... }
 *           dense_spd_solve(a, n, b);    // b becomes the solution
 *           dense_spd_invert(a, n);      // the factor becomes the inverse
 * Layout:   the lower triangle by rows: entry (row, column <= row) at row (row + 1) / 2 + column.
 * Source:   Golub and Van Loan, Matrix Computations, 4th ed., 4.2. Every inner loop runs along a
 *           row, sums in a fixed order.
 * Cost:     n^3 / 6 multiplications for the factor, n^3 / 3 for the inverse. Stops when a signal
 *           has come: what is left then is of no use, and interrupt_requested() says so.
 * Threads:  no state.
 */
#ifndef REWARD_DENSE_SPD_H
#define REWARD_DENSE_SPD_H

#include <stdbool.h>
#include <stdint.h>

static inline int64_t dense_spd_place(int64_t row, int64_t column) {
    return row >= column ? row * (row + 1) / 2 + column : column * (column + 1) / 2 + row;
}

/* Entries of a triangle with n rows. */
static inline int64_t dense_spd_entries(int64_t n) {
    return n * (n + 1) / 2;
}

/* False, and `a` spoilt, where a pivot is not above its rounding error. */
bool dense_spd_factor(double *a, int64_t n);

void dense_spd_solve(const double *factor, int64_t n, double *b);

void dense_spd_invert(double *factor, int64_t n);

/* log of the determinant of what was factored. */
double dense_spd_log_determinant(const double *factor, int64_t n);

#endif
