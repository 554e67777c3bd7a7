/* test.h - what every test file includes: cmocka in the order it wants, and a few helpers.
 *
 * Functions are named test_<what>__<expected>. A failed assertion longjmps out of the test, so
 * scoped cleanups of that test do not run.
 */
#ifndef TESTS_SUPPORT_TEST_H
#define TESTS_SUPPORT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

/* The call succeeds; otherwise its message is shown. */
#define assert_ok(call, err)                                                   \
    do {                                                                       \
        if ((call) != ERR_OK) {                                                \
            fail_msg("%s: %s (%s)", #call, (err)->msg, err_name((err)->code)); \
        }                                                                      \
    } while (0)

/* The call fails with this code, and its message contains `part`. */
#define assert_fails(call, expected_code, part, err)                                         \
    do {                                                                                     \
        enum err_code code_ = (call);                                                        \
        if (code_ != (expected_code) || (err)->code != code_ || !strstr((err)->msg, part)) { \
            fail_msg("%s: expected %s with '%s', got %s with '%s'", #call,                   \
                     err_name(expected_code), part, err_name(code_), (err)->msg);            \
        }                                                                                    \
    } while (0)

#endif
