/* sorted.c - see sorted.h. */
#include "base/sorted.h"

#include "base/invariant.h"

#include <math.h>
#include <stdlib.h>

static int compare(const void *left, const void *right) {
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

void sorted_make(double *values, int64_t count) {
    if (count > 0) {
        qsort(values, (size_t)count, sizeof *values, compare);
    }
}

double sorted_quantile(const double *sorted, int64_t count, double p) {
    ASSERT_LE(1, count);
    double at = p * (double)(count - 1);
    int64_t below = (int64_t)floor(at);
    int64_t above = below + 1 < count ? below + 1 : below;
    return sorted[below] + (at - (double)below) * (sorted[above] - sorted[below]);
}
