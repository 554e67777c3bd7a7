#include "data/token_scan.h"

#include "base/arena.h"
#include "base/regex.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "data/unicode_classes.h"
#include "tests/support/test.h"

/* The words of a text with '|' between. */
static const char *words(enum token_scan scan, const char *text) {
    static char shown[256];
    uint32_t end = (uint32_t)strlen(text);
    size_t length = 0;
    for (uint32_t at = 0; at < end;) {
        uint32_t next = token_scan_next(scan, text, at, end);
        assert_true(next > at && next <= end);
        if (at > 0) {
            shown[length++] = '|';
        }
        memcpy(shown + length, text + at, next - at);
        length += next - at;
        at = next;
    }
    shown[length] = '\0';
    return shown;
}

static void test_gpt2__words_by_hand(void **state) {
    (void)state;
    assert_string_equal(words(TOKEN_SCAN_GPT2, "I'll don't we'VE 's"),
                        "I|'ll| don|'t| we|'|VE| '|s");
    assert_string_equal(words(TOKEN_SCAN_GPT2, "a  b   "), "a| | b|   ");
    assert_string_equal(words(TOKEN_SCAN_GPT2, "x\n\n y"), "x|\n\n| y");
    assert_string_equal(words(TOKEN_SCAN_GPT2, "x\n\ny"), "x|\n|\n|y");
    assert_string_equal(words(TOKEN_SCAN_GPT2, "abc123 45!?"), "abc|123| 45|!?");
    /* A combining mark is neither letter nor number nor blank; U+3000 is a blank, no ' '. */
    assert_string_equal(words(TOKEN_SCAN_GPT2, "e\u0301a\u3000b"), "e|\u0301|a|\u3000|b");
}

static void test_llama3__words_by_hand(void **state) {
    (void)state;
    assert_string_equal(words(TOKEN_SCAN_LLAMA3, "I'LL don'T x'\u017Fa"),
                        "I|'LL| don|'T| x|'\u017F|a");
    assert_string_equal(words(TOKEN_SCAN_LLAMA3, "1234567"), "123|456|7");
    assert_string_equal(words(TOKEN_SCAN_QWEN2, "123"), "1|2|3");
    assert_string_equal(words(TOKEN_SCAN_LLAMA3, "(ab) \tcd"), "(ab|)| |\tcd");
    assert_string_equal(words(TOKEN_SCAN_LLAMA3, "x;\n\n\ty"), "x|;\n\n|\ty");
    assert_string_equal(words(TOKEN_SCAN_LLAMA3, "x \n \n  y"), "x| \n \n| | y");
    assert_string_equal(words(TOKEN_SCAN_LLAMA3, "\na"), "\n|a");
    assert_string_equal(words(TOKEN_SCAN_LLAMA3, "a !!\r\nb"), "a| !!\r\n|b");
}

static void test_find__exact_patterns_only(void **state) {
    (void)state;
    for (enum token_scan scan = TOKEN_SCAN_GPT2; scan < TOKEN_SCAN_COUNT; scan++) {
        assert_int_equal(token_scan_find(token_scan_pattern(scan)), scan);
    }
    assert_int_equal(token_scan_find("\\s+"), TOKEN_SCAN_NONE);
}

/* Text of characters on which Unicode 14 and 16 agree, from a few per class. */
static void random_text(uint64_t *seed, struct strbuf *out) {
    static const char *const parts[] = {
        "a",      "B",      "s",      "'",          "'s",     "'LL", " ",      "  ",
        "\n",     "\r",     "7",      "\t",         "!",      "-",   "\u00e9", "\u0301",
        "\u00a0", "\u4e16", "\u0663", "\U0001F600", "\u017F", "re",  "_"};
    strbuf_reset(out);
    for (int64_t i = 0; i < 24; i++) {
        *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        strbuf_add(out, parts[(*seed >> 33) % (sizeof parts / sizeof *parts)]);
    }
}

static void check_against(struct regex *regex, enum token_scan scan, const struct strbuf *text) {
    struct error err = ERROR_INIT;
    struct regex_iter it =
        regex_iter_init(regex, &(struct regex_text){.bytes = text->bytes, .count = text->length});
    for (uint32_t at = 0; at < text->length;) {
        bool found = false;
        assert_ok(regex_iter_next(&it, &found, &err), &err);
        assert_true(found);
        struct regex_span match = regex_group(regex, 0);
        uint32_t next = token_scan_next(scan, text->bytes, at, (uint32_t)text->length);
        if (match.start != at || match.end != next) {
            fail_msg("scan %d: '%s' at %u", (int)scan, strbuf_text(text), (unsigned)at);
        }
        at = next;
    }
}

/* Independent of the tables: PCRE2 on the same pattern. */
static void test_scan__as_pcre2(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct regex_options options = REGEX_OPTIONS_DEFAULT;
    options.utf = true;
    for (enum token_scan scan = TOKEN_SCAN_GPT2; scan < TOKEN_SCAN_COUNT; scan++) {
        SCOPED(regex) struct regex *regex = NULL;
        assert_ok(regex_new(token_scan_pattern(scan), &options, &regex, &err), &err);
        SCOPED(strbuf) struct strbuf text = STRBUF_INIT(KIB);
        uint64_t seed = 7;
        for (int64_t i = 0; i < 20000; i++) {
            random_text(&seed, &text);
            check_against(regex, scan, &text);
        }
    }
}

static void test_classes__by_hand(void **state) {
    (void)state;
    assert_int_equal(unicode_flags('a'), UNICODE_LETTER | UNICODE_WORD);
    assert_int_equal(unicode_flags('_'), UNICODE_WORD | UNICODE_PUNCTUATION);
    assert_int_equal(unicode_flags(0x20), UNICODE_SPACE);
    assert_int_equal(unicode_flags(0x180E), 0); /* a blank for PCRE2 */
    assert_true(unicode_flags(0x0301) & UNICODE_COMPOSING);
    assert_true(unicode_flags(0x1C89) & UNICODE_LETTER);       /* new in Unicode 16 */
    assert_int_equal(unicode_flags(0x11DE0), UNICODE_NUMERIC); /* new in 17: for Digits only */
    assert_int_equal(unicode_flags(0xE0100), UNICODE_WORD);
    assert_int_equal(unicode_flags(0xE01F0), 0);
    assert_int_equal(unicode_flags(0x10FFFF), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gpt2__words_by_hand),
        cmocka_unit_test(test_llama3__words_by_hand),
        cmocka_unit_test(test_find__exact_patterns_only),
        cmocka_unit_test(test_scan__as_pcre2),
        cmocka_unit_test(test_classes__by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
