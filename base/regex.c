/* regex.c - see regex.h. */
#include "base/regex.h"

#include "base/invariant.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define JIT_STACK_BYTES_MIN ((size_t)32 * 1024)
#define REASON_BYTES        128

struct regex {
    pcre2_general_context *memory;
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *context;
    pcre2_jit_stack *jit_stack; /* NULL when matching is interpreted */
    struct regex_limits limits;
    bool allocation_failed;           /* set by allocate: tells lack of memory from lack of JIT */
    char excerpt[UTF8_EXCERPT_BYTES]; /* of the pattern, for messages */
};

/* ---- memory through base/mem ---------------------------------------------------------------- */

static void *allocate(size_t bytes, void *regex) {
    void *block = mem_alloc(bytes);
    if (!block) {
        ((struct regex *)regex)->allocation_failed = true;
    }
    return block;
}

static void release(void *block, void *regex) {
    (void)regex;
    mem_free(block);
}

static void compile_context_scoped_end(pcre2_compile_context **variable) {
    pcre2_compile_context_free(*variable);
}

/* ---- compiling ------------------------------------------------------------------------------ */

/* A pattern may not turn on UTF by itself, since its text would then be checked or trusted
 * unexpectedly, nor match half a character with \C. */
static uint32_t compile_flags(const struct regex_options *options) {
    uint32_t flags = PCRE2_NEVER_BACKSLASH_C;
    flags |= options->utf ? PCRE2_UTF | PCRE2_UCP : PCRE2_NEVER_UTF | PCRE2_NEVER_UCP;
    flags |= options->ignore_case ? PCRE2_CASELESS : 0;
    return flags;
}

static enum err_code compile(struct regex *regex, const char *pattern,
                             const struct regex_options *options, struct error *err) {
    SCOPED(compile_context)
    pcre2_compile_context *context = pcre2_compile_context_create(regex->memory);
    if (!context) {
        return err_oom(err, "regular expression");
    }
    (void)pcre2_set_max_pattern_length(context, REGEX_PATTERN_BYTES_MAX);
    int error = 0;
    PCRE2_SIZE offset = 0;
    regex->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, compile_flags(options),
                                &error, &offset, context);
    if (regex->code) {
        return ERR_OK;
    }
    if (error == PCRE2_ERROR_HEAP_FAILED) {
        return err_oom(err, "regular expression");
    }
    PCRE2_UCHAR reason[REASON_BYTES] = {0};
    (void)pcre2_get_error_message(error, reason, sizeof reason);
    return err_set(err, ERR_CONFIG, "pattern '%s': at byte %zu: %s", regex->excerpt, offset,
                   (const char *)reason);
}

/* Machine code is an optimisation: without it (no support, or the system forbids executable memory)
 * the pattern is interpreted. Only a failed allocation of ours is an error. */
static enum err_code compile_jit(struct regex *regex, struct error *err) {
    if (pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE) == 0) {
        regex->jit_stack =
            pcre2_jit_stack_create(JIT_STACK_BYTES_MIN, REGEX_JIT_STACK_BYTES_MAX, regex->memory);
    }
    return regex->allocation_failed ? err_oom(err, "regular expression") : ERR_OK;
}

static enum err_code prepare_matching(struct regex *regex, struct error *err) {
    regex->match = pcre2_match_data_create_from_pattern(regex->code, regex->memory);
    regex->context = pcre2_match_context_create(regex->memory);
    if (!regex->match || !regex->context) {
        return err_oom(err, "regular expression");
    }
    (void)pcre2_set_match_limit(regex->context, regex->limits.steps);
    (void)pcre2_set_depth_limit(regex->context, regex->limits.depth);
    (void)pcre2_set_heap_limit(regex->context, regex->limits.heap_kib);
    if (regex->jit_stack) {
        pcre2_jit_stack_assign(regex->context, NULL, regex->jit_stack);
    }
    return ERR_OK;
}

enum err_code regex_new(const char *pattern, const struct regex_options *options,
                        struct regex **out, struct error *err) {
    static const struct regex_options defaults = REGEX_OPTIONS_DEFAULT;
    if (!options) {
        options = &defaults;
    }
    SCOPED(regex) struct regex *regex = mem_array_zero(1, sizeof *regex);
    if (!regex) {
        return err_oom(err, "regular expression");
    }
    regex->limits = options->limits;
    (void)utf8_excerpt(pattern, strlen(pattern), regex->excerpt);
    regex->memory = pcre2_general_context_create(allocate, release, regex);
    if (!regex->memory) {
        return err_oom(err, "regular expression");
    }
    TRY(compile(regex, pattern, options, err));
    TRY(compile_jit(regex, err));
    TRY(prepare_matching(regex, err));
    *out = MOVE(regex);
    return ERR_OK;
}

void regex_free(struct regex *regex) {
    if (!regex) {
        return;
    }
    pcre2_match_context_free(regex->context);
    pcre2_match_data_free(regex->match);
    pcre2_jit_stack_free(regex->jit_stack);
    pcre2_code_free(regex->code);
    pcre2_general_context_free(regex->memory);
    mem_free(regex);
}

uint32_t regex_group_count(const struct regex *regex) {
    return pcre2_get_ovector_count(regex->match) - 1;
}

/* ---- matching ------------------------------------------------------------------------------- */

static enum err_code limit_reached(const struct regex_iter *it, uint32_t limit, const char *of_what,
                                   struct error *err) {
    return err_set(err, ERR_LIMIT,
                   "pattern '%s': more than %u %s on a text of %zu bytes; simplify the pattern",
                   it->regex->excerpt, limit, of_what, it->text.count);
}

static enum err_code match_failure(const struct regex_iter *it, int status, struct error *err) {
    const struct regex *regex = it->regex;
    PCRE2_UCHAR reason[REASON_BYTES] = {0};
    switch (status) {
    case PCRE2_ERROR_MATCHLIMIT:
        return limit_reached(it, regex->limits.steps, "match steps", err);
    case PCRE2_ERROR_DEPTHLIMIT:
        return limit_reached(it, regex->limits.depth, "nested backtracking points", err);
    case PCRE2_ERROR_HEAPLIMIT:
        return limit_reached(it, regex->limits.heap_kib, "KiB of memory", err);
    case PCRE2_ERROR_JIT_STACKLIMIT:
        return limit_reached(it, REGEX_JIT_STACK_BYTES_MAX / 1024, "KiB of stack", err);
    case PCRE2_ERROR_NOMEMORY:
        return err_oom(err, "matching a regular expression");
    default:
        break;
    }
    (void)pcre2_get_error_message(status, reason, sizeof reason);
    if (status <= PCRE2_ERROR_UTF8_ERR1 && status >= PCRE2_ERROR_UTF8_ERR21) {
        return err_set(err, ERR_DATA, "text for pattern '%s' is not UTF-8 at byte %zu: %s",
                       regex->excerpt, pcre2_get_startchar(regex->match), (const char *)reason);
    }
    return err_set(err, ERR_INTERNAL, "pattern '%s': matching failed: %s", regex->excerpt,
                   (const char *)reason);
}

/* A search from it->next. After an empty match, the same place may only match something; the search
 * goes on from there by itself, a character (or a CRLF) at a time. */
static int search(const struct regex_iter *it) {
    uint32_t flags = it->after_empty ? PCRE2_NOTEMPTY_ATSTART : 0;
    flags |= it->text.known_utf8 ? PCRE2_NO_UTF_CHECK : 0;
    const char *bytes = it->text.bytes ? it->text.bytes : "";
    return pcre2_match(it->regex->code, (PCRE2_SPTR)bytes, it->text.count, it->next, flags,
                       it->regex->match, it->regex->context);
}

/* Steps over the match just found. Each step must get somewhere, or the caller's loop would never
 * end; PCRE2 should see to that by refusing \K inside assertions. */
static enum err_code step_over(struct regex_iter *it, struct error *err) {
    struct regex_span whole = regex_group(it->regex, 0);
    bool empty = whole.start == whole.end;
    if (whole.end < whole.start || whole.end < it->next ||
        (whole.end == it->next && it->after_empty)) {
        return err_set(err, ERR_INTERNAL, "pattern '%s': match at byte %zu does not advance",
                       it->regex->excerpt, it->next);
    }
    it->next = whole.end;
    it->after_empty = empty;
    return ERR_OK;
}

struct regex_iter regex_iter_init(struct regex *regex, const struct regex_text *text) {
    return (struct regex_iter){.regex = regex, .text = *text};
}

enum err_code regex_iter_next(struct regex_iter *it, bool *out_found, struct error *err) {
    bool found = false;
    if (!it->done) {
        int status = search(it);
        if (status < 0 && status != PCRE2_ERROR_NOMATCH) {
            return match_failure(it, status, err);
        }
        found = status != PCRE2_ERROR_NOMATCH;
        it->done = !found;
        /* The first search has checked all of the text; checking at each match would be quadratic.
         */
        it->text.known_utf8 = true;
    }
    if (found) {
        TRY(step_over(it, err));
    }
    *out_found = found;
    return ERR_OK;
}

enum err_code regex_search(struct regex *regex, const struct regex_text *text, bool *out_found,
                           struct error *err) {
    struct regex_iter it = regex_iter_init(regex, text);
    return regex_iter_next(&it, out_found, err);
}

struct regex_span regex_group(const struct regex *regex, uint32_t group) {
    ASSERT_LT(group, pcre2_get_ovector_count(regex->match));
    const PCRE2_SIZE *offsets = pcre2_get_ovector_pointer(regex->match);
    return (struct regex_span){.start = offsets[2 * group], .end = offsets[2 * group + 1]};
}

const char *regex_library_version(char out[REGEX_VERSION_BYTES]) {
    int length = pcre2_config(PCRE2_CONFIG_VERSION, NULL);
    if (length > 0 && length <= REGEX_VERSION_BYTES) {
        (void)pcre2_config(PCRE2_CONFIG_VERSION, out);
    } else {
        (void)snprintf(out, REGEX_VERSION_BYTES, "unknown");
    }
    return out;
}
