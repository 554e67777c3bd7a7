#include "data/text_index.h"

#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/test.h"

#include <stdio.h>

static int32_t add(struct text_index *index, const char *text, size_t count) {
    struct error err = ERROR_INIT;
    int32_t number = -7;
    assert_ok(text_index_add(index, text, count, &number, &err), &err);
    return number;
}

static void test_text_index__numbers_in_order_of_arrival(void **state) {
    (void)state;
    SCOPED(text_index) struct text_index index = TEXT_INDEX_INIT(MIB);
    assert_int_equal(text_index_find(&index, "a", 1), TEXT_INDEX_NONE);
    assert_int_equal(add(&index, "a", 1), 0);
    assert_int_equal(add(&index, "", 0), 1);
    assert_int_equal(add(&index, "a\0", 2), 2); /* zeros behind a text count */
    assert_int_equal(add(&index, "a\0\0\0\0\0\0\0", 8), 3);
    assert_int_equal(add(&index, "a", 1), 0);
    assert_int_equal(text_index_find(&index, "a\0", 2), 2);
    assert_int_equal(text_index_find(&index, "b", 1), TEXT_INDEX_NONE);
    assert_string_equal(text_index_at(&index, 0).bytes, "a");
    assert_int_equal(index.count, 4);
}

static void test_text_index__finds_each_of_many(void **state) {
    (void)state;
    SCOPED(text_index) struct text_index index = TEXT_INDEX_INIT(8 * MIB);
    char text[32];
    for (int32_t i = 0; i < 20000; i++) {
        int count = snprintf(text, sizeof text, "number %d", i);
        assert_int_equal(add(&index, text, (size_t)count), i);
    }
    for (int32_t i = 0; i < 20000; i++) {
        int count = snprintf(text, sizeof text, "number %d", i);
        assert_int_equal(text_index_find(&index, text, (size_t)count), i);
        assert_string_equal(text_index_at(&index, i).bytes, text);
    }
}

static enum err_code add_some(void *context, struct error *err) {
    (void)context;
    SCOPED(text_index) struct text_index index = TEXT_INDEX_INIT(MIB);
    char text[2] = {0};
    int32_t number = 0;
    for (int32_t i = 0; i < 100; i++) {
        text[0] = (char)i;
        TRY(text_index_add(&index, text, 2, &number, err));
    }
    return ERR_OK;
}

static void test_text_index__without_memory(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    int32_t number = 0;
    SCOPED(text_index) struct text_index small = TEXT_INDEX_INIT(16);
    alloc_loop_check(add_some, NULL);
    assert_fails(text_index_add(&small, "much too long for so little", 27, &number, &err), ERR_OOM,
                 "index of texts", &err);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_index__numbers_in_order_of_arrival),
        cmocka_unit_test(test_text_index__finds_each_of_many),
        cmocka_unit_test(test_text_index__without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
