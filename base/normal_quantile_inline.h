/* normal_quantile_inline.h - the arithmetic of base/normal_quantile.h, for loops that vectorise and
 * for CUDA. Everybody else calls normal_quantile().
 *
 * Source:   Wichura 1988, AS 241, routine PPND16: three rational functions of degree 7 over 7. The
 *           centre is in terms of 0.180625 - (p - 0.5)^2, and two pieces of the tail are in terms
 *           of sqrt(-log(tail probability)). Coefficients as printed in the paper, highest power
 *           first. Deviation: none.
 * Threads:  no state.
 */
#ifndef BASE_NORMAL_QUANTILE_INLINE_H
#define BASE_NORMAL_QUANTILE_INLINE_H

#include "base/portable.h"

#include <math.h>

/* 0 < p < 1. The three pieces differ in coefficients only, so those are picked and one rational
 * function is evaluated: half the work of evaluating all three, and no branch. */
static PORTABLE_INLINE double normal_quantile_inline(double p) {
#define PICK(centre, near_tail, far_tail) \
    (is_centre ? (centre) : is_near ? (near_tail) : (far_tail))
    double q = p - 0.5;
    double tail = q < 0.0 ? p : 1.0 - p;
    double r = sqrt(-portable_log(tail));
    int is_centre = tail >= 0.075;
    int is_near = r <= 5.0;
    double x = PICK(0.180625 - q * q, r - 1.6, r - 5.0);
    double top =
        PICK(2.5090809287301226727e3, 7.74545014278341407640e-4, 2.01033439929228813265e-7);
    top = top * x +
          PICK(3.3430575583588128105e4, 2.27238449892691845833e-2, 2.71155556874348757815e-5);
    top = top * x +
          PICK(6.7265770927008700853e4, 2.41780725177450611770e-1, 1.24266094738807843860e-3);
    top = top * x +
          PICK(4.5921953931549871457e4, 1.27045825245236838258e0, 2.65321895265761230930e-2);
    top = top * x +
          PICK(1.3731693765509461125e4, 3.64784832476320460504e0, 2.96560571828504891230e-1);
    top =
        top * x + PICK(1.9715909503065514427e3, 5.76949722146069140550e0, 1.78482653991729133580e0);
    top =
        top * x + PICK(1.3314166789178437745e2, 4.63033784615654529590e0, 5.46378491116411436990e0);
    top =
        top * x + PICK(3.3871328727963666080e0, 1.42343711074968357734e0, 6.65790464350110377720e0);
    double bottom =
        PICK(5.2264952788528545610e3, 1.05075007164441684324e-9, 2.04426310338993978564e-15);
    bottom = bottom * x +
             PICK(2.8729085735721942674e4, 5.47593808499534494600e-4, 1.42151175831644588870e-7);
    bottom = bottom * x +
             PICK(3.9307895800092710610e4, 1.51986665636164571966e-2, 1.84631831751005468180e-5);
    bottom = bottom * x +
             PICK(2.1213794301586595867e4, 1.48103976427480074590e-1, 7.86869131145613259100e-4);
    bottom = bottom * x +
             PICK(5.3941960214247511077e3, 6.89767334985100004550e-1, 1.48753612908506148525e-2);
    bottom = bottom * x +
             PICK(6.8718700749205790830e2, 1.67638483018380384940e0, 1.36929880922735805310e-1);
    bottom = bottom * x +
             PICK(4.2313330701600911252e1, 2.05319162663775882187e0, 5.99832206555887937690e-1);
    bottom = bottom * x + 1.0;
    double ratio = top / bottom;
    return is_centre ? q * ratio : (q < 0.0 ? -ratio : ratio);
#undef PICK
}

#endif
