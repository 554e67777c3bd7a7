/* sorted.h - numbers in ascending order, and the quantiles of them.
 *
 * Use:      sorted_make(ms, count);
 *           double median = sorted_quantile(ms, count, 0.5);
 * Threads:  no state.
 */
#ifndef BASE_SORTED_H
#define BASE_SORTED_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sorts in place; no NaN among `values` [count]. */
void sorted_make(double *values, int64_t count);

/* The quantile for p in [0, 1] of sorted values, count >= 1: linear between the two order
 * statistics around p (count - 1), type 7 of Hyndman and Fan (1996), which is R's and NumPy's
 * default. */
double sorted_quantile(const double *sorted, int64_t count, double p);

#ifdef __cplusplus
}
#endif

#endif
