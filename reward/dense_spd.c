/* dense_spd.c - see dense_spd.h. */
#include "reward/dense_spd.h"

#include "base/interrupt.h"

#include <math.h>

/* A pivot that is left of a diagonal entry is rounding below this share of it. */
#define PIVOT_MIN 1e-14

static double *row_of(double *a, int64_t row) {
    return &a[row * (row + 1) / 2];
}

static const double *const_row_of(const double *a, int64_t row) {
    return &a[row * (row + 1) / 2];
}

/* Four sums side by side, so that additions need not wait for each other. */
static double dot(const double *a, const double *b, int64_t n) {
    double sums[4] = {0.0, 0.0, 0.0, 0.0};
    int64_t k = 0;
    for (; k + 4 <= n; k += 4) {
        sums[0] += a[k] * b[k];
        sums[1] += a[k + 1] * b[k + 1];
        sums[2] += a[k + 2] * b[k + 2];
        sums[3] += a[k + 3] * b[k + 3];
    }
    for (; k < n; k++) {
        sums[0] += a[k] * b[k];
    }
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

static void add_multiple(double factor, const double *from, int64_t n, double *io) {
    int64_t k = 0;
    for (; k + 4 <= n; k += 4) {
        io[k] += factor * from[k];
        io[k + 1] += factor * from[k + 1];
        io[k + 2] += factor * from[k + 2];
        io[k + 3] += factor * from[k + 3];
    }
    for (; k < n; k++) {
        io[k] += factor * from[k];
    }
}

bool dense_spd_factor(double *a, int64_t n) {
    for (int64_t i = 0; i < n && !interrupt_requested(); i++) {
        double *row = row_of(a, i);
        for (int64_t j = 0; j < i; j++) {
            const double *above = const_row_of(a, j);
            row[j] = (row[j] - dot(row, above, j)) / above[j];
        }
        double pivot = row[i] - dot(row, row, i);
        if (!(pivot > PIVOT_MIN * row[i]) || !isfinite(pivot)) {
            return false;
        }
        row[i] = sqrt(pivot);
    }
    return true;
}

void dense_spd_solve(const double *factor, int64_t n, double *b) {
    for (int64_t i = 0; i < n; i++) {
        const double *row = const_row_of(factor, i);
        b[i] = (b[i] - dot(row, b, i)) / row[i];
    }
    for (int64_t i = n - 1; i >= 0; i--) {
        const double *row = const_row_of(factor, i);
        b[i] /= row[i];
        add_multiple(-b[i], row, i, b);
    }
}

/* L becomes its inverse M: row i of M is minus the rows above it, weighted by row i of L. The
 * weights are used up from the right, since row k of M reaches only to its column k. */
static void invert_factor(double *a, int64_t n) {
    for (int64_t i = 0; i < n && !interrupt_requested(); i++) {
        double *row = row_of(a, i);
        double scale = 1.0 / row[i];
        for (int64_t k = 0; k < i; k++) {
            const double *above = const_row_of(a, k);
            double weight = row[k];
            row[k] = 0.0;
            add_multiple(-scale * weight, above, k + 1, row);
        }
        row[i] = scale;
    }
}

/* M becomes M' M, one row of M after another. */
static void multiply_by_transpose(double *a, int64_t n) {
    for (int64_t k = 0; k < n && !interrupt_requested(); k++) {
        double *row = row_of(a, k);
        for (int64_t i = 0; i < k; i++) {
            add_multiple(row[i], row, i + 1, row_of(a, i));
        }
        double last = row[k];
        for (int64_t j = 0; j <= k; j++) {
            row[j] *= last;
        }
    }
}

void dense_spd_invert(double *factor, int64_t n) {
    invert_factor(factor, n);
    multiply_by_transpose(factor, n);
}

double dense_spd_log_determinant(const double *factor, int64_t n) {
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) {
        sum += log(const_row_of(factor, i)[i]);
    }
    return 2.0 * sum;
}
