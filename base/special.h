/* special.h - distribution functions and intervals that statistics need.
 *
 * Use:      double p = special_chi_square_tail(statistic, degrees_of_freedom);
 *           struct special_interval i = special_wilson(hits, trials, normal_quantile(0.975));
 * Source:   Incomplete gamma function: power series below the mean, continued fraction above (Gil,
 *           Segura and Temme 2007, Numerical Methods for Special Functions, 8.2 and 6.7). Interval:
 *           Wilson 1927; the comparison of Brown, Cai and DasGupta 2001 is why it is this one.
 * Threads:  no state.
 */
#ifndef BASE_SPECIAL_H
#define BASE_SPECIAL_H

#ifdef __cplusplus
extern "C" {
#endif

struct special_interval {
    double low, high;
};

/* P(Z <= z) for Z normal with mean 0 and variance 1. */
double special_normal_cdf(double z);

/* log Gamma(a) for a > 0; unlike lgamma() of the C library it writes no global. */
double special_log_gamma(double a);

/* Q(a, x) = Gamma(a, x) / Gamma(a), for a > 0 and x >= 0; not a number elsewhere. Relative error
 * about 1e-14, or 2e-15 a where that is more. */
double special_gamma_upper(double a, double x);

/* P(X >= x) for X chi-square with `degrees` > 0 degrees of freedom. */
double special_chi_square_tail(double x, double degrees);

/* For a rate of `hits` in `trials` (which may be sums of weights), of half width z; [0, 1] without
 * trials. */
struct special_interval special_wilson(double hits, double trials, double z);

#ifdef __cplusplus
}
#endif

#endif
