/* invariant.c - see invariant.h. The one place in the program that may abort. */
#include "base/invariant.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void invariant_failed(const char *file, int line, const char *function, const char *text) {
    (void)fprintf(stderr, "%s:%d: %s: broken invariant: %s\n", file, line, function, text);
    abort();
}

void invariant_failed_values(const char *file, int line, const char *function, const char *text,
                             int64_t left, int64_t right) {
    (void)fprintf(stderr, "%s:%d: %s: broken invariant: %s (left %" PRId64 ", right %" PRId64 ")\n",
                  file, line, function, text, left, right);
    abort();
}
