#include "base/text_wrap.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/test.h"

static void check_wrapped(const char *start, const char *text, int64_t indent, int64_t width,
                          const char *expected) {
    SCOPED(strbuf) struct strbuf sb = STRBUF_INIT(1000);
    strbuf_add(&sb, start);
    text_wrap_add(&sb, text, indent, width);
    assert_string_equal(strbuf_text(&sb), expected);
}

static void test_text_wrap__fills_lines_to_the_width(void **state) {
    (void)state;
    check_wrapped("", "one two three", 0, 80, "one two three");
    check_wrapped("", "one two three", 0, 7, "one two\nthree"); /* exactly 7 columns fit */
    check_wrapped("", "one two three", 0, 6, "one\ntwo\nthree");
    check_wrapped("", "", 0, 80, "");
    check_wrapped("", "  one \n two  ", 0, 80, "one two");
}

static void test_text_wrap__continues_the_line_and_indents_the_next(void **state) {
    (void)state;
    check_wrapped("x\n--n  ", "one two three", 5, 12, "x\n--n  one two\n     three");
    check_wrapped("--n  ", "one two", 5, 11, "--n  one\n     two");
}

static void test_text_wrap__keeps_paragraphs_and_long_words(void **state) {
    (void)state;
    check_wrapped("  ", "one\n\n two", 2, 80, "  one\n\n  two");
    check_wrapped("", "a unbreakable b", 0, 4, "a\nunbreakable\nb");
}

static void test_text_wrap__counts_code_points(void **state) {
    (void)state;
    assert_int_equal(text_wrap_columns("na\xc3\xafve"), 5);
    check_wrapped("", "na\xc3\xafve ab", 0, 8, "na\xc3\xafve ab");
}

static enum err_code wrap_long_text(void *context, struct error *err) {
    (void)context;
    SCOPED(strbuf) struct strbuf sb = STRBUF_INIT(1000);
    text_wrap_add(&sb, "one two three four five six seven eight nine ten", 4, 10);
    return strbuf_check(&sb, "wrapped text", err);
}

static void test_text_wrap__survives_every_failed_allocation(void **state) {
    (void)state;
    alloc_loop_check(wrap_long_text, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_wrap__fills_lines_to_the_width),
        cmocka_unit_test(test_text_wrap__continues_the_line_and_indents_the_next),
        cmocka_unit_test(test_text_wrap__keeps_paragraphs_and_long_words),
        cmocka_unit_test(test_text_wrap__counts_code_points),
        cmocka_unit_test(test_text_wrap__survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
