/* special.c - see special.h. */
#include "base/special.h"

#include <float.h>
#include <math.h>

#define TERMS_MAX     1000000
#define HALF_LOG_2_PI 0.91893853320467274178

/* Stirling's series is good to 1e-16 from here on. */
#define STIRLING_MIN 10.0
#define SQRT_HALF    0.70710678118654752440

double special_normal_cdf(double z) {
    return 0.5 * erfc(-z * SQRT_HALF);
}

double special_log_gamma(double a) {
    double shift = 0.0;
    while (a < STIRLING_MIN) {
        shift += log(a);
        a += 1.0;
    }
    double z = 1.0 / (a * a);
    double series = -691.0 / 360360.0;
    series = series * z + 1.0 / 1188.0;
    series = series * z - 1.0 / 1680.0;
    series = series * z + 1.0 / 1260.0;
    series = series * z - 1.0 / 360.0;
    series = series * z + 1.0 / 12.0;
    return (a - 0.5) * log(a) - a + HALF_LOG_2_PI + series / a - shift;
}

/* x^a e^-x / Gamma(a) */
static double front(double a, double x) {
    return exp(a * log(x) - x - special_log_gamma(a));
}

/* P(a, x) by its power series, for x < a + 1, where the terms fall from the start. */
static double lower_by_series(double a, double x) {
    double term = 1.0 / a;
    double sum = term;
    for (int n = 1; n < TERMS_MAX && term > sum * DBL_EPSILON; n++) {
        term *= x / (a + n);
        sum += term;
    }
    return sum * front(a, x);
}

/* Q(a, x) by Legendre's continued fraction, evaluated forwards (modified Lentz). */
static double upper_by_fraction(double a, double x) {
    const double tiny = 1e-300;
    double b = x + 1.0 - a;
    double c = 1.0 / tiny;
    double d = 1.0 / b;
    double value = d;
    for (int n = 1; n < TERMS_MAX; n++) {
        double numerator = -n * (n - a);
        b += 2.0;
        d = numerator * d + b;
        d = 1.0 / (fabs(d) < tiny ? tiny : d);
        c = b + numerator / c;
        c = fabs(c) < tiny ? tiny : c;
        double factor = c * d;
        value *= factor;
        if (fabs(factor - 1.0) <= DBL_EPSILON) {
            break;
        }
    }
    return value * front(a, x);
}

double special_gamma_upper(double a, double x) {
    if (!(a > 0.0 && x >= 0.0)) {
        return (double)NAN;
    }
    if (x == 0.0 || isinf(x)) {
        return x == 0.0 ? 1.0 : 0.0;
    }
    return x < a + 1.0 ? 1.0 - lower_by_series(a, x) : upper_by_fraction(a, x);
}

double special_chi_square_tail(double x, double degrees) {
    return special_gamma_upper(0.5 * degrees, 0.5 * x);
}

struct special_interval special_wilson(double hits, double trials, double z) {
    if (!(trials > 0.0)) {
        return (struct special_interval){.low = 0.0, .high = 1.0};
    }
    double p = hits / trials;
    double zz = z * z / trials;
    double centre = (p + 0.5 * zz) / (1.0 + zz);
    double half = z / (1.0 + zz) * sqrt(p * (1.0 - p) / trials + 0.25 * zz / trials);
    return (struct special_interval){
        .low = hits <= 0.0 ? 0.0 : centre - half,
        .high = hits >= trials ? 1.0 : centre + half,
    };
}
