/* json_scan.h - the grammar of RFC 8259, to the letter. Only json.c uses it.
 *
 * Why:      cJSON 1.7.15 accepts raw control characters, numbers such as 01 and 1., and text after
 *           the value; it cuts strings at \u0000 and numbers after 63 characters. What passes this
 *           scan is what cJSON reads correctly.
 * Threads:  no state.
 */
#ifndef BASE_JSON_SCAN_H
#define BASE_JSON_SCAN_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct json_limits;
struct json_place;

#define JSON_NUMBER_CHARS_MAX 63 /* cJSON's buffer */

struct json_counts {
    int64_t values;     /* all, the outermost included */
    int64_t containers; /* arrays and objects among them */
};

/* ERR_DATA with file, line and column, counted from `place`, for text that is not JSON or exceeds a
 * limit. Does not look for duplicate keys. */
ERR_NODISCARD enum err_code json_scan(const char *bytes, size_t count,
                                      const struct json_place *place,
                                      const struct json_limits *limits,
                                      struct json_counts *out_counts, struct error *err);

/* Where the value number `ordinal` begins, counted from 0 in the order of the text, which has
 * passed json_scan; `place` is where the text does. */
struct json_place json_scan_place_of_value(const char *bytes, size_t count,
                                           const struct json_place *place, int64_t ordinal);

#endif
