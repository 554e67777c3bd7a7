/* regex.h - regular expressions that cannot run away.
 *
 * Use:      SCOPED(regex) struct regex *digits = NULL;
 *           TRY(regex_new("(\\d+)-(\\d+)", NULL, &digits, err));
 *           struct regex_iter it =
 *               regex_iter_init(digits, &(struct regex_text){.bytes = text, .count = n});
 *           bool found = false;
 *           for (;;) {
 *               TRY(regex_iter_next(&it, &found, err));
 *               if (!found) {
 *                   break;
 *               }
 *               struct regex_span number = regex_group(digits, 1);
 *           }
 * Syntax:   Perl's, by PCRE2, of which this module is the only caller.
 * Limits:   always set: matching that takes too many steps, or too much memory, is ERR_LIMIT. A
 *           pattern may lower its limits ("(*LIMIT_MATCH=100)..."), never raise them.
 * Owns:     a regex owns its program and the groups of its last match; the text and the iterator
 *           belong to the caller.
 * Threads:  a regex holds match state: one thread, one iteration at a time. Each thread makes its
 *           own.
 */
#ifndef BASE_REGEX_H
#define BASE_REGEX_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct regex;

/* For one search from one position. Matching compiled to machine code (where PCRE2 can) has no
 * backtracking depth and keeps its stack within REGEX_JIT_STACK_BYTES_MAX instead of heap_kib. */
struct regex_limits {
    uint32_t steps;    /* match attempts inside the pattern */
    uint32_t depth;    /* of nested backtracking */
    uint32_t heap_kib; /* memory for backtracking, KiB */
};

#define REGEX_JIT_STACK_BYTES_MAX ((size_t)1024 * 1024)
#define REGEX_PATTERN_BYTES_MAX   ((size_t)64 * 1024)

struct regex_options {
    bool utf;         /* pattern and text are UTF-8; \d \s \w \b and caseless know Unicode */
    bool ignore_case; /* as (?i) */
    struct regex_limits limits;
};

/* Bytes without character set, and limits far above what sensible patterns need: ten million steps
 * are about a tenth of a second. */
#define REGEX_OPTIONS_DEFAULT                           \
    {                                                   \
        .utf = false, .ignore_case = false, .limits = { \
            .steps = 10 * 1000 * 1000,                  \
            .depth = 100 * 1000,                        \
            .heap_kib = 20 * 1024                       \
        }                                               \
    }

/* What is searched. */
struct regex_text {
    const char *bytes;
    size_t count;
    bool known_utf8; /* the caller has validated it: PCRE2 does not check again. Undefined behaviour
                        for a `utf` regex if that is not true */
};

/* Bytes [start, end) of the text; start is REGEX_UNSET for a group that took no part. */
struct regex_span {
    size_t start, end;
};

#define REGEX_UNSET SIZE_MAX

/* Matches from left to right that do not overlap. Fields are for regex.c. */
struct regex_iter {
    struct regex *regex;
    struct regex_text text;
    size_t next;      /* where the next search starts */
    bool after_empty; /* the last match was empty and ended at `next` */
    bool done;
};

/* Compiles `pattern` (NUL-terminated). `options` NULL means the defaults. `*out` is owned.
 *   fails    ERR_CONFIG with the offset in bytes if the pattern is wrong, ERR_OOM */
ERR_NODISCARD enum err_code regex_new(const char *pattern, const struct regex_options *options,
                                      struct regex **out, struct error *err);
void regex_free(struct regex *regex);

/* Number of capture groups, not counting the whole match. */
uint32_t regex_group_count(const struct regex *regex);

/* An iteration over `text`, whose struct is copied and whose bytes must outlive it. */
struct regex_iter regex_iter_init(struct regex *regex, const struct regex_text *text);

/* Goes to the next match. An empty match is reported once for each place; after the last match
 * `*out_found` is false, and stays so.
 *   fails    ERR_LIMIT; ERR_DATA if a `utf` regex meets text that is not UTF-8; ERR_OOM */
ERR_NODISCARD enum err_code regex_iter_next(struct regex_iter *it, bool *out_found,
                                            struct error *err);

/* Whether the text contains a match; the groups of the first one are then set. Fails as above. */
ERR_NODISCARD enum err_code regex_search(struct regex *regex, const struct regex_text *text,
                                         bool *out_found, struct error *err);

/* Group of the last match found: 0 is the whole match; `group` at most regex_group_count. Only
 * between a match and the next search. */
struct regex_span regex_group(const struct regex *regex, uint32_t group);

#define REGEX_VERSION_BYTES 64

/* Version of the linked PCRE2 library, such as "10.42 2022-12-11". Returns `out`. */
const char *regex_library_version(char out[REGEX_VERSION_BYTES]);

static inline void regex_scoped_end(struct regex **variable) {
    regex_free(*variable);
}

#endif
