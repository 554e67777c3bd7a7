/* normal_quantile.c - see normal_quantile.h. */
#include "base/normal_quantile.h"

#include "base/normal_quantile_inline.h"

double normal_quantile(double p) {
    if (!(p >= 0.0 && p <= 1.0)) {
        return (double)NAN;
    }
    if (p == 0.0 || p == 1.0) {
        return p == 0.0 ? -HUGE_VAL : HUGE_VAL;
    }
    return normal_quantile_inline(p);
}
