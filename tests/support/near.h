/* near.h - doubles compared as doubles: cmocka's own comparison rounds to float first.
 *
 * Use:      assert_near(reward, 0.4863301076, 1e-10);   // NaN is near nothing
 */
#ifndef TESTS_SUPPORT_NEAR_H
#define TESTS_SUPPORT_NEAR_H

#include "tests/support/test.h"

#include <math.h>

#define assert_near(value, expected, tolerance)                                     \
    do {                                                                            \
        double value_ = (value), expected_ = (expected);                            \
        if (!(fabs(value_ - expected_) <= (tolerance))) {                           \
            fail_msg("%s = %.17g, expected %.17g +- %g", #value, value_, expected_, \
                     (double)(tolerance));                                          \
        }                                                                           \
    } while (0)

#endif
