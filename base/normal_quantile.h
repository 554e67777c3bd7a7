/* normal_quantile.h - inverse of the standard normal distribution function.
 *
 * Use:      double z = normal_quantile(0.975);   // 1.95996...: half width of a 95 % interval
 * Source:   Wichura 1988, "Algorithm AS 241: the percentage points of the normal distribution",
 *           Applied Statistics 37(3), routine PPND16. Deviation: none.
 * Threads:  no state.
 */
#ifndef BASE_NORMAL_QUANTILE_H
#define BASE_NORMAL_QUANTILE_H

#ifdef __cplusplus
extern "C" {
#endif

/* The z with P(Z <= z) = p for Z normal with mean 0 and variance 1; relative error about 1e-16.
 * Odd around p = 0.5. Minus and plus infinity at p = 0 and 1; not a number outside [0, 1]. */
double normal_quantile(double p);

#ifdef __cplusplus
}
#endif

#endif
