/* number.c - see number.h. */
#include "base/number.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* strtoll and strtod alone would skip spaces, take '+' and read "0x10", "inf" and "nan". */
static bool has_only(const char *text, const char *allowed) {
    return text[0] != '\0' && text[strspn(text, allowed)] == '\0';
}

bool number_parse_i64(const char *text, int64_t *out) {
    if (!has_only(text, "-0123456789")) {
        return false;
    }
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0) {
        return false;
    }
    *out = value;
    return true;
}

bool number_parse_u64(const char *text, uint64_t *out) {
    if (!has_only(text, "0123456789")) {
        return false;
    }
    errno = 0;
    unsigned long long value = strtoull(text, NULL, 10);
    if (errno != 0) {
        return false;
    }
    *out = value;
    return true;
}

bool number_parse_f64(const char *text, double *out) {
    if (!has_only(text, "-+.eE0123456789") || text[0] == '+') {
        return false;
    }
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(value)) {
        return false;
    }
    *out = value;
    return true;
}
