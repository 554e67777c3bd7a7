#include "base/regex.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/test.h"

#define CATASTROPHE "(a+)+$"
#define MANY_AS     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"

static struct regex_text text_of(const char *text) {
    return (struct regex_text){.bytes = text, .count = strlen(text)};
}

static struct regex *new_regex(const char *pattern, bool utf) {
    struct error err = ERROR_INIT;
    struct regex_options options = REGEX_OPTIONS_DEFAULT;
    options.utf = utf;
    struct regex *regex = NULL;
    assert_ok(regex_new(pattern, &options, &regex, &err), &err);
    return regex;
}

/* All matches of `pattern`, as "[first][second]". */
static void assert_matches(const char *pattern, bool utf, const char *text, const char *expected) {
    struct error err = ERROR_INIT;
    SCOPED(regex) struct regex *regex = new_regex(pattern, utf);
    SCOPED(strbuf) struct strbuf shown = STRBUF_INIT(1000);
    struct regex_text subject = text_of(text);
    struct regex_iter it = regex_iter_init(regex, &subject);
    bool found = true;
    while (found) {
        assert_ok(regex_iter_next(&it, &found, &err), &err);
        if (found) {
            struct regex_span whole = regex_group(regex, 0);
            strbuf_add_char(&shown, '[');
            strbuf_add_bytes(&shown, text + whole.start, whole.end - whole.start);
            strbuf_add_char(&shown, ']');
        }
    }
    assert_string_equal(strbuf_text(&shown), expected);
    assert_ok(regex_iter_next(&it, &found, &err), &err);
    assert_false(found); /* and stays so */
}

static void assert_span(struct regex_span span, size_t start, size_t end) {
    assert_int_equal(span.start, start);
    assert_int_equal(span.end, end);
}

static void test_regex_group__offsets_of_captures(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(regex) struct regex *regex = new_regex("(\\w+)=(?:(\\d+)|(\\w+))", false);
    assert_int_equal(regex_group_count(regex), 3);
    struct regex_text text = text_of("; beta=12, kind=pm");
    struct regex_iter it = regex_iter_init(regex, &text);
    bool found = false;
    assert_ok(regex_iter_next(&it, &found, &err), &err);
    assert_true(found);
    assert_span(regex_group(regex, 0), 2, 9);
    assert_span(regex_group(regex, 1), 2, 6);
    assert_span(regex_group(regex, 2), 7, 9);
    assert_span(regex_group(regex, 3), REGEX_UNSET, REGEX_UNSET);
    assert_ok(regex_iter_next(&it, &found, &err), &err);
    assert_true(found);
    assert_span(regex_group(regex, 0), 11, 18);
    assert_span(regex_group(regex, 2), REGEX_UNSET, REGEX_UNSET);
    assert_span(regex_group(regex, 3), 16, 18);
    assert_ok(regex_iter_next(&it, &found, &err), &err);
    assert_false(found);
}

static void test_regex_iter__in_order_without_overlap(void **state) {
    (void)state;
    assert_matches("aba", false, "abababa", "[aba][aba]");
    assert_matches("x", false, "", "");
    assert_matches("^.", false, "ab", "[a]");
    assert_matches("(?<=a)b", false, "abb ab", "[b][b]"); /* looks behind the search position */
}

/* The matches that Perl's m//g finds. */
static void test_regex_iter__empty_matches_advance(void **state) {
    (void)state;
    assert_matches("a*", false, "aab", "[aa][][]");
    assert_matches("a*?", false, "aa", "[][a][][a][]");
    assert_matches("", false, "", "[]");
    assert_matches("$", false, "ab", "[]");
    assert_matches("", true, "\xC3\xA9\xE2\x82\xAC", "[][][]"); /* never inside a character */
    assert_matches("(?m)^", false, "a\nb\n", "[][]");
    assert_matches("a\\K", false, "aa", "[][]");
}

/* GPT-2's pre-tokenizer pattern, from its published encoder. */
static void test_regex_iter__splits_text_as_gpt2_does(void **state) {
    (void)state;
    assert_matches(
        "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", true,
        "Hello,  it's \xC3\xBC"
        "ber 42!",
        "[Hello][,][ ][ it]['s][ \xC3\xBC"
        "ber][ 42][!]");
}

static void test_regex__utf_knows_unicode_and_bytes_do_not(void **state) {
    (void)state;
    assert_matches("\\s", true, "a\xC2\xA0z\xC2\x85", "[\xC2\xA0][\xC2\x85]");
    assert_matches("\\s", false, "a\xC2\xA0z\xC2\x85", "");
    assert_matches("(?i)\xC3\x89", true, "\xC3\xA9", "[\xC3\xA9]");
    assert_matches(".", false, "\xC3\xA9", "[\xC3][\xA9]");
    struct error err = ERROR_INIT;
    struct regex_options options = REGEX_OPTIONS_DEFAULT;
    options.ignore_case = true;
    SCOPED(regex) struct regex *regex = NULL;
    assert_ok(regex_new("yes", &options, &regex, &err), &err);
    bool found = false;
    struct regex_text text = text_of("YES");
    assert_ok(regex_search(regex, &text, &found, &err), &err);
    assert_true(found);
}

static void test_regex_search__nothing_found(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(regex) struct regex *regex = new_regex("b", false);
    bool found = true;
    assert_ok(regex_search(regex, &(struct regex_text){.bytes = NULL, .count = 0}, &found, &err),
              &err);
    assert_false(found);
    struct regex_text with_nul = {.bytes = "a\0b", .count = 3};
    assert_ok(regex_search(regex, &with_nul, &found, &err), &err);
    assert_true(found);
    assert_span(regex_group(regex, 0), 2, 3);
}

static void test_regex_search__text_that_is_not_utf8(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(regex) struct regex *regex = new_regex("c", true);
    struct regex_text text = text_of("abc\xFFz");
    bool found = true;
    assert_fails(regex_search(regex, &text, &found, &err), ERR_DATA,
                 "text for pattern 'c' is not UTF-8 at byte 3", &err);
    assert_true(found); /* untouched */
    text = text_of("abc");
    text.known_utf8 = true;
    assert_ok(regex_search(regex, &text, &found, &err), &err);
    assert_true(found);
}

static void test_regex_new__says_where_the_pattern_is_wrong(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *message;
        bool utf;
    } cases[] = {
        {"ab(c", "pattern 'ab(c': at byte 4: missing closing parenthesis", false},
        {"a[z-a]", "pattern 'a[z-a]': at byte 4: range out of order", false},
        {"a\n(", "pattern 'a\\u000a('", false},
        {"(*UTF)a", "using UTF is disabled", false},
        {"(*UCP)a", "using UCP is disabled", false},
        {"\\C", "using \\C is disabled", true},
        {"(?=a\\K)", "\\K is not allowed in lookarounds", false},
        {"\xFF", "pattern '\\xff': at byte 0: UTF-8 error", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = ERROR_INIT;
        struct regex_options options = REGEX_OPTIONS_DEFAULT;
        options.utf = cases[i].utf;
        struct regex *regex = NULL;
        assert_fails(regex_new(cases[i].pattern, &options, &regex, &err), ERR_CONFIG,
                     cases[i].message, &err);
        assert_null(regex);
    }
}

static void test_regex_new__refuses_a_pattern_that_is_too_long(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf pattern = STRBUF_INIT(2 * REGEX_PATTERN_BYTES_MAX);
    strbuf_add_repeated(&pattern, 'a', REGEX_PATTERN_BYTES_MAX + 1);
    struct regex *regex = NULL;
    assert_fails(regex_new(strbuf_text(&pattern), NULL, &regex, &err), ERR_CONFIG,
                 "pattern string is longer than the limit", &err);
}

/* Searches MANY_AS with `limits`, first compiled, then interpreted. */
static void assert_refused(const char *pattern, const struct regex_limits *limits,
                           const char *message) {
    struct error err = ERROR_INIT;
    struct regex_options options = {.limits = *limits};
    SCOPED(regex) struct regex *regex = NULL;
    assert_ok(regex_new(pattern, &options, &regex, &err), &err);
    struct regex_text text = text_of(MANY_AS);
    bool found = true;
    assert_fails(regex_search(regex, &text, &found, &err), ERR_LIMIT, message, &err);
}

static void test_regex_search__catastrophic_pattern_is_stopped(void **state) {
    (void)state;
    const struct regex_options defaults = REGEX_OPTIONS_DEFAULT;
    assert_refused(CATASTROPHE, &defaults.limits,
                   "pattern '(a+)+$': more than 10000000 match steps on a text of 64 bytes; "
                   "simplify the pattern");
    assert_refused("(*NO_JIT)" CATASTROPHE, &defaults.limits, "more than 10000000 match steps");
}

static void test_regex_search__each_limit_is_set(void **state) {
    (void)state;
    const struct regex_options defaults = REGEX_OPTIONS_DEFAULT;
    struct regex_limits limits = defaults.limits;
    limits.steps = 50;
    assert_refused("(*NO_JIT)" CATASTROPHE, &limits, "more than 50 match steps");
    assert_refused(CATASTROPHE, &limits, "more than 50 match steps");
    limits = defaults.limits;
    limits.depth = 10;
    assert_refused("(*NO_JIT)" CATASTROPHE, &limits, "more than 10 nested backtracking points");
    limits = defaults.limits;
    limits.heap_kib = 0;
    assert_refused("(*NO_JIT)" CATASTROPHE, &limits, "more than 0 KiB of memory");
}

/* Compiled to machine code, the pattern runs out of stack; interpreted, out of depth. */
static void test_regex_search__memory_is_limited(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(regex) struct regex *regex = new_regex("(?:(a)|b)*$", false);
    SCOPED(strbuf) struct strbuf long_text = STRBUF_INIT(1000 * 1000);
    strbuf_add_repeated(&long_text, 'a', 999 * 1000);
    strbuf_add_char(&long_text, 'c');
    struct regex_text text = {.bytes = strbuf_text(&long_text), .count = long_text.length};
    bool found = false;
    assert_fails(regex_search(regex, &text, &found, &err), ERR_LIMIT,
                 "pattern '(?:(a)|b)*$': more than 10", &err); /* 1024 KiB or 100000 deep */
    SCOPED(regex) struct regex *interpreted = new_regex("(*NO_JIT)(?:(a)|b)*$", false);
    assert_fails(regex_search(interpreted, &text, &found, &err), ERR_LIMIT,
                 "more than 100000 nested backtracking points", &err);
}

static void test_regex_free__null_is_nothing(void **state) {
    (void)state;
    int64_t live = mem_live_blocks();
    regex_free(NULL);
    struct regex *regex = new_regex("a", true);
    assert_true(mem_live_blocks() > live);
    regex_free(regex);
    assert_int_equal(mem_live_blocks(), live);
}

/* Long enough that the interpreter needs memory of its own. */
static enum err_code compile_and_search(void *context, struct error *err) {
    const char *pattern = context;
    SCOPED(regex) struct regex *regex = NULL;
    struct regex *const untouched = regex;
    enum err_code code = regex_new(pattern, NULL, &regex, err);
    if (code != ERR_OK) {
        assert_ptr_equal(regex, untouched);
        return code;
    }
    static char bytes[20000];
    memset(bytes, 'a', sizeof bytes);
    struct regex_text text = {.bytes = bytes, .count = sizeof bytes};
    bool found = false;
    TRY(regex_search(regex, &text, &found, err));
    assert_true(found);
    return ERR_OK;
}

static void test_regex__survives_every_failed_allocation(void **state) {
    (void)state;
    char compiled[] = "(?:(a)|b)*";
    char interpreted[] = "(*NO_JIT)(?:(a)|b)*";
    alloc_loop_check(compile_and_search, compiled);
    alloc_loop_check(compile_and_search, interpreted);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_regex_group__offsets_of_captures),
        cmocka_unit_test(test_regex_iter__in_order_without_overlap),
        cmocka_unit_test(test_regex_iter__empty_matches_advance),
        cmocka_unit_test(test_regex_iter__splits_text_as_gpt2_does),
        cmocka_unit_test(test_regex__utf_knows_unicode_and_bytes_do_not),
        cmocka_unit_test(test_regex_search__nothing_found),
        cmocka_unit_test(test_regex_search__text_that_is_not_utf8),
        cmocka_unit_test(test_regex_new__says_where_the_pattern_is_wrong),
        cmocka_unit_test(test_regex_new__refuses_a_pattern_that_is_too_long),
        cmocka_unit_test(test_regex_search__catastrophic_pattern_is_stopped),
        cmocka_unit_test(test_regex_search__each_limit_is_set),
        cmocka_unit_test(test_regex_search__memory_is_limited),
        cmocka_unit_test(test_regex_free__null_is_nothing),
        cmocka_unit_test(test_regex__survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
