#include "base/array.h"

#include "base/mem.h"
#include "tests/support/test.h"

static void test_array_reserve__keeps_what_has_room(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    int64_t live = mem_live_blocks(), capacity = 0;
    int64_t *items = NULL;
    assert_int_equal(array_reserve(ARRAY_REF(items), &capacity, 1, "items", &err), ERR_OK);
    assert_int_equal(capacity, 16);
    items[15] = 7;
    const int64_t *before = items;
    assert_int_equal(array_reserve(ARRAY_REF(items), &capacity, 16, "items", &err), ERR_OK);
    assert_ptr_equal(items, before);
    mem_fail_nth(1);
    assert_int_equal(array_reserve(ARRAY_REF(items), &capacity, 17, "items", &err), ERR_OOM);
    assert_string_equal(err.msg, "out of memory for items");
    assert_int_equal(capacity, 16);
    mem_fail_nth(0);
    err = (struct error)ERROR_INIT;
    assert_int_equal(array_reserve(ARRAY_REF(items), &capacity, 17, "items", &err), ERR_OK);
    assert_int_equal(capacity, 24);
    assert_int_equal(items[15], 7);
    mem_free(items);
    assert_int_equal(mem_live_blocks(), live);
}

static void test_arrays_reserve__keeps_the_capacity_until_all_have_room(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    int64_t live = mem_live_blocks(), capacity = 0;
    int32_t *ids = NULL;
    double *sums = NULL;
    const struct array_ref arrays[] = {ARRAY_REF(ids), {&sums, 3 * sizeof *sums}};
    assert_int_equal(arrays_reserve(arrays, 2, &capacity, 16, "units", &err), ERR_OK);
    ids[15] = 4;
    sums[47] = 0.5; /* the last of 16 x 3 */
    mem_fail_nth(2);
    assert_int_equal(arrays_reserve(arrays, 2, &capacity, 17, "units", &err), ERR_OOM);
    assert_int_equal(capacity, 16);
    mem_fail_nth(0);
    err = (struct error)ERROR_INIT;
    assert_int_equal(arrays_reserve(arrays, 2, &capacity, 17, "units", &err), ERR_OK);
    assert_int_equal(capacity, 24);
    assert_int_equal(ids[15], 4);
    assert_true(sums[47] == 0.5);
    mem_free(ids);
    mem_free(sums);
    assert_int_equal(mem_live_blocks(), live);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_array_reserve__keeps_what_has_room),
        cmocka_unit_test(test_arrays_reserve__keeps_the_capacity_until_all_have_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
