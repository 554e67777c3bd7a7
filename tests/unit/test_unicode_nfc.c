#include "data/unicode_nfc.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "data/unicode_newer.h"
#include "tests/support/test.h"

static void assert_nfc(const char *text, const char *expected) {
    struct error err = ERROR_INIT;
    SCOPED(token_edit) struct token_edit edit = TOKEN_EDIT_INIT;
    struct token_text from = token_text_of(text, (uint32_t)strlen(text), 0);
    assert_ok(unicode_nfc(&from, &edit, &err), &err);
    assert_int_equal(edit.count, strlen(expected));
    assert_memory_equal(edit.bytes, expected, edit.count);
}

/* Unicode Standard Annex 15, figures 3 to 5, and section 3.12 of the standard for Hangul. */
static void test_nfc__examples_of_the_standard(void **state) {
    (void)state;
    assert_nfc("\u212B", "\u00C5"); /* angstrom sign: a singleton */
    assert_nfc("A\u030A", "\u00C5");
    assert_nfc("\u1E9B\u0323", "\u1E9B\u0323");
    assert_nfc("s\u0323\u0307", "\u1E69");
    assert_nfc("s\u0307\u0323", "\u1E69"); /* marks are put in order first */
    assert_nfc("\u1E0B\u0323", "\u1E0D\u0307");
    assert_nfc("\u1112\u1161\u11AB", "\uD55C");
    assert_nfc("\uD558\u11AB", "\uD55C");
    assert_nfc("\u0958", "\u0915\u093C"); /* excluded from composition */
    assert_nfc("a\u0301\u0301", "\u00E1\u0301");
    assert_nfc("\u0301a", "\u0301a");
    assert_nfc("", "");
}

static void test_quick_check__is_never_wrong_about_nfc(void **state) {
    (void)state;
    assert_true(unicode_is_nfc("plain \u00E9\u4E16", 11));
    assert_true(unicode_is_nfc("", 0));
    assert_false(unicode_is_nfc("e\u0301", 3));
    assert_false(unicode_is_nfc("\u212B", 3));
}

/* A million marks of two classes in turn: sorted by counting. */
static void test_nfc__many_marks_are_not_quadratic(void **state) {
    (void)state;
    enum { PAIRS = 250000 };
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(4 * MIB);
    strbuf_add(&text, "x");
    for (int64_t i = 0; i < PAIRS; i++) {
        strbuf_add(&text, "\u0307\u0323"); /* classes 230, 220 */
    }
    struct token_text from = token_text_of(text.bytes, (uint32_t)text.length, 0);
    SCOPED(token_edit) struct token_edit edit = TOKEN_EDIT_INIT;
    assert_ok(unicode_nfc(&from, &edit, &err), &err);
    /* x + dot below has no composite, x + dot above is U+1E8B, unblocked by class 220 */
    assert_int_equal(edit.count, 3 + 2 * PAIRS + 2 * (PAIRS - 1));
    assert_memory_equal(edit.bytes, "\u1E8B\u0323\u0323", 7);
    assert_memory_equal(edit.bytes + edit.count - 4, "\u0307\u0307", 4);
}

static void test_newer__stand_ins_have_the_same_length(void **state) {
    (void)state;
    char text[] = "a\u1C89b\U000105C0";
    size_t count = sizeof text - 1;
    assert_int_equal(unicode_find_newer(text, count), 1);
    unicode_replace_newer(text, count);
    assert_int_equal(unicode_find_newer(text, count), count);
    assert_int_equal(text[4], 'b');
    assert_false(unicode_pattern_needs_newer("[\\p{Lu}\\p{M}]+|\\P{N}|\\p{^L}|\\p{Han}"));
    assert_true(unicode_pattern_needs_newer("\\p{Cyrillic}"));
    assert_true(unicode_pattern_needs_newer("a\\p{Latin}"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nfc__examples_of_the_standard),
        cmocka_unit_test(test_quick_check__is_never_wrong_about_nfc),
        cmocka_unit_test(test_nfc__many_marks_are_not_quadratic),
        cmocka_unit_test(test_newer__stand_ins_have_the_same_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
