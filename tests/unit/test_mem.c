#include "base/mem.h"

#include "base/scoped.h"
#include "tests/support/test.h"

static void test_mem_array__refuses_an_overflowing_product(void **state) {
    (void)state;
    assert_null(mem_array(SIZE_MAX / 2, 3));
    assert_null(mem_array_zero(SIZE_MAX / 2, 3));
    assert_null(mem_array_resize(NULL, SIZE_MAX / 2, 3));
}

static void test_mem_array_zero__is_zero(void **state) {
    (void)state;
    int64_t *items = mem_array_zero(3, sizeof *items);
    assert_non_null(items);
    assert_int_equal(items[0] | items[1] | items[2], 0);
    mem_free(items);
}

static void test_mem_array_resize__keeps_contents_and_survives_failure(void **state) {
    (void)state;
    int *items = mem_array(2, sizeof *items);
    items[0] = 4;
    items[1] = 7;
    mem_fail_nth(1);
    assert_null(mem_array_resize(items, 4, sizeof *items));
    assert_int_equal(items[1], 7);
    items = mem_array_resize(items, 4, sizeof *items);
    assert_int_equal(items[0], 4);
    assert_int_equal(items[1], 7);
    mem_free(items);
}

static void test_mem_strndup__terminates(void **state) {
    (void)state;
    char *copy = mem_strndup("abcdef", 3);
    assert_string_equal(copy, "abc");
    mem_free(copy);
}

static void test_mem_strjoin__joins_and_terminates(void **state) {
    (void)state;
    char *joined = mem_strjoin("a.json", ".tmp");
    assert_string_equal(joined, "a.json.tmp");
    mem_free(joined);
    joined = mem_strjoin("", "");
    assert_string_equal(joined, "");
    mem_free(joined);
    mem_fail_nth(1);
    assert_null(mem_strjoin("a", "b"));
    mem_fail_nth(0);
}

static void test_mem_fail_nth__fails_that_one_only(void **state) {
    (void)state;
    int64_t live = mem_live_blocks();
    mem_fail_nth(2);
    void *first = mem_alloc(1);
    assert_int_equal(mem_fail_reached(), 0);
    assert_null(mem_alloc(1));
    assert_int_equal(mem_fail_reached(), 1);
    void *third = mem_alloc(1);
    assert_non_null(first);
    assert_non_null(third);
    assert_int_equal(mem_live_blocks(), live + 2);
    mem_free(first);
    mem_free(third);
    mem_free(NULL);
    assert_int_equal(mem_live_blocks(), live);
    mem_fail_nth(0);
}

static void test_mem_grown_capacity__grows_by_half(void **state) {
    (void)state;
    assert_int_equal(mem_grown_capacity(0, 1), 16);
    assert_int_equal(mem_grown_capacity(100, 101), 150);
    assert_int_equal(mem_grown_capacity(100, 1000), 1000);
}

static char *duplicate_scoped(const char *text) {
    SCOPED(mem) char *dropped = mem_strdup(text);
    SCOPED(mem) char *kept = mem_strdup(text);
    return dropped ? MOVE(kept) : NULL;
}

static void test_scoped__frees_what_is_not_moved(void **state) {
    (void)state;
    int64_t live = mem_live_blocks();
    char *copy = duplicate_scoped("x");
    assert_string_equal(copy, "x");
    assert_int_equal(mem_live_blocks(), live + 1);
    mem_free(copy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mem_array__refuses_an_overflowing_product),
        cmocka_unit_test(test_mem_array_zero__is_zero),
        cmocka_unit_test(test_mem_array_resize__keeps_contents_and_survives_failure),
        cmocka_unit_test(test_mem_strndup__terminates),
        cmocka_unit_test(test_mem_strjoin__joins_and_terminates),
        cmocka_unit_test(test_mem_fail_nth__fails_that_one_only),
        cmocka_unit_test(test_mem_grown_capacity__grows_by_half),
        cmocka_unit_test(test_scoped__frees_what_is_not_moved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
