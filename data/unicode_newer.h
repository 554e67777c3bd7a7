/* unicode_newer.h - characters that PCRE2 does not know yet, and others that stand in for them.
 *
 * Use:      if (unicode_find_newer(bytes, count) < count) {
 *               memcpy(copy, bytes, count);
 *               unicode_replace_newer(copy, count);    // and match the copy
 *           }
 * Why:      PCRE2 10.42 has the tables of Unicode 14, the tokenizers library those of 16. A pattern
 *           that asks for categories only finds the same in the copy, at the same places.
 * Table:    tests/golden/make_unicode_tables.py. U+180E is in it too: PCRE2 counts it as a blank.
 * Threads:  no state.
 */
#ifndef DATA_UNICODE_NEWER_H
#define DATA_UNICODE_NEWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct unicode_newer_run {
    uint32_t first, last, stand_in; /* of the same length in UTF-8 */
};

extern const int64_t unicode_newer_run_count; /* ascending */
extern const struct unicode_newer_run unicode_newer_runs[];

/* Where the first such character stands in checked UTF-8; `count` if nowhere. */
size_t unicode_find_newer(const char *bytes, size_t count);

/* Replaces every such character. */
void unicode_replace_newer(char *bytes, size_t count);

/* Whether a pattern asks for other properties than general categories and Han, so that stand-ins
 * might mislead it. */
bool unicode_pattern_needs_newer(const char *pattern);

#endif
