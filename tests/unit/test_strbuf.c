#include "base/strbuf.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/test.h"

static void test_strbuf__builds_text_in_order(void **state) {
    (void)state;
    SCOPED(strbuf) struct strbuf sb = STRBUF_INIT(100);
    assert_string_equal(strbuf_text(&sb), "");
    strbuf_add(&sb, "a");
    strbuf_addf(&sb, "%d-%s", 12, "b");
    strbuf_add_char(&sb, '.');
    strbuf_add_repeated(&sb, '=', 3);
    strbuf_add_bytes(&sb, "xyz", 2);
    assert_string_equal(strbuf_text(&sb), "a12-b.===xy");
    assert_int_equal(sb.length, 11);
    strbuf_truncate(&sb, 1);
    assert_string_equal(strbuf_text(&sb), "a");
}

static void test_strbuf__reaches_its_maximum_and_not_beyond(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf sb = STRBUF_INIT(4);
    strbuf_add(&sb, "1234");
    assert_ok(strbuf_check(&sb, "line", &err), &err);
    strbuf_add(&sb, "5");
    assert_fails(strbuf_check(&sb, "line", &err), ERR_LIMIT, "limit of 4 bytes", &err);
    assert_string_equal(strbuf_text(&sb), "1234");
    assert_null(strbuf_detach(&sb));
    strbuf_reset(&sb);
    strbuf_add(&sb, "5");
    assert_ok(strbuf_check(&sb, "line", &err), &err);
    assert_string_equal(strbuf_text(&sb), "5");
}

/* U+D800 has no encoding, so the whole text cannot be formatted. */
static void test_strbuf_addf__what_cannot_be_formatted_is_not_lost_silently(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf sb = STRBUF_INIT(64);
    strbuf_addf(&sb, "before %ls after", L"\xD800");
    assert_fails(strbuf_check(&sb, "line", &err), ERR_LIMIT, "line", &err);
}

static void test_strbuf_detach__hands_the_text_over(void **state) {
    (void)state;
    SCOPED(strbuf) struct strbuf sb = STRBUF_INIT(100);
    strbuf_add(&sb, "kept");
    SCOPED(mem) char *text = strbuf_detach(&sb);
    assert_string_equal(text, "kept");
    assert_string_equal(strbuf_text(&sb), "");
    SCOPED(mem) char *empty = strbuf_detach(&sb);
    assert_string_equal(empty, "");
}

static void test_strbuf_take_failure__keeps_the_first(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf whole = STRBUF_INIT(4);
    SCOPED(strbuf) struct strbuf part = STRBUF_INIT(2);
    strbuf_take_failure(&whole, &part);
    assert_ok(strbuf_check(&whole, "whole", &err), &err);
    strbuf_add(&part, "123");
    strbuf_take_failure(&whole, &part);
    assert_fails(strbuf_check(&whole, "whole", &err), ERR_LIMIT, "whole is longer", &err);
    strbuf_reset(&part);
    strbuf_take_failure(&whole, &part);
    assert_fails(strbuf_check(&whole, "whole", &err), ERR_LIMIT, "whole is longer", &err);
}

static enum err_code build_long_text(void *context, struct error *err) {
    (void)context;
    SCOPED(strbuf) struct strbuf sb = STRBUF_INIT(10000);
    for (int i = 0; i < 1000; i++) {
        strbuf_addf(&sb, "%d,", i);
    }
    return strbuf_check(&sb, "numbers", err);
}

static void test_strbuf__survives_every_failed_allocation(void **state) {
    (void)state;
    alloc_loop_check(build_long_text, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strbuf__builds_text_in_order),
        cmocka_unit_test(test_strbuf__reaches_its_maximum_and_not_beyond),
        cmocka_unit_test(test_strbuf_take_failure__keeps_the_first),
        cmocka_unit_test(test_strbuf_addf__what_cannot_be_formatted_is_not_lost_silently),
        cmocka_unit_test(test_strbuf_detach__hands_the_text_over),
        cmocka_unit_test(test_strbuf__survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
