/* invariant.h - ASSERT for what is provable from the file it stands in.
 *
 * Use:      ASSERT(count <= capacity);  ASSERT_EQ(bytes_written, bytes_planned);
 *           One condition each, no side effects. Never on data from outside: that is an ERR_*.
 * Release:  the checks stay on; they do not look at NDEBUG. A training step costs milliseconds, a
 *           check nanoseconds.
 * Threads:  no state.
 */
#ifndef BASE_INVARIANT_H
#define BASE_INVARIANT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Prints "file:line: function: text" (and both values for the _values form) to standard error and
 * ends the process by abort(). */
void invariant_failed(const char *file, int line, const char *function, const char *text)
    __attribute__((noreturn, cold));
void invariant_failed_values(const char *file, int line, const char *function, const char *text,
                             int64_t left, int64_t right) __attribute__((noreturn, cold));

#ifdef __cplusplus
}
#endif

#define ASSERT(condition)                                               \
    do {                                                                \
        if (__builtin_expect(!(condition), 0)) {                        \
            invariant_failed(__FILE__, __LINE__, __func__, #condition); \
        }                                                               \
    } while (0)

/* Integers; both values are printed. */
#define ASSERT_EQ(left, right) INVARIANT_COMPARE_(left, ==, right)
#define ASSERT_LE(left, right) INVARIANT_COMPARE_(left, <=, right)
#define ASSERT_LT(left, right) INVARIANT_COMPARE_(left, <, right)

#define INVARIANT_COMPARE_(left, op, right)                                                        \
    do {                                                                                           \
        int64_t left_ = (int64_t)(left);                                                           \
        int64_t right_ = (int64_t)(right);                                                         \
        if (__builtin_expect(!(left_ op right_), 0)) {                                             \
            invariant_failed_values(__FILE__, __LINE__, __func__, #left " " #op " " #right, left_, \
                                    right_);                                                       \
        }                                                                                          \
    } while (0)

#endif
