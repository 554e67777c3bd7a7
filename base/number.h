/* number.h - numbers as people type them, read strictly.
 *
 * Use:      int64_t steps = 0;
 *           if (!number_parse_i64(text, &steps)) { return err_set(err, ERR_USAGE, ...); }
 * Accepts:  the whole text or nothing: no spaces, no '+', no hexadecimal, no infinity, no NaN.
 *           The caller knows where the text stood and words the message.
 * Threads:  no state. The process stays in the "C" locale, so the decimal point is a point.
 */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* "-12"; false when `text` is not an integer or does not fit. */
bool number_parse_i64(const char *text, int64_t *out);

/* "18446744073709551615"; false also for any '-'. */
bool number_parse_u64(const char *text, uint64_t *out);

/* "0.5", "-1e-6", ".5"; false when `text` is not a number or overflows. A number too small for a
 * double becomes zero or the nearest subnormal. */
bool number_parse_f64(const char *text, double *out);

#ifdef __cplusplus
}
#endif

#endif
