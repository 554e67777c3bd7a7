#include "policy/kv_cache.h"

#include "tests/support/alloc_loop.h"
#include "tests/support/test.h"

static void test_kv_cache__a_page_returns_with_its_last_holder(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct kv_cache cache = {0};
    assert_ok(kv_cache_init(2, &cache, &err), &err);
    assert_true(kv_cache_reserve(&cache, 1));
    int32_t page = kv_cache_take(&cache);
    kv_cache_share(&cache, page);
    kv_cache_drop(&cache, page);
    assert_false(kv_cache_reserve(&cache, 2));
    kv_cache_drop(&cache, page);
    assert_true(kv_cache_reserve(&cache, 2));
    kv_cache_deinit(&cache);
}

static void test_kv_cache__what_is_reserved_is_there(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct kv_cache cache = {0};
    assert_ok(kv_cache_init(3, &cache, &err), &err);
    assert_true(kv_cache_reserve(&cache, 2));
    assert_false(kv_cache_reserve(&cache, 2));
    assert_true(kv_cache_reserve(&cache, 1));
    assert_int_equal(kv_cache_take(&cache), 0);
    assert_int_equal(kv_cache_take(&cache), 1);
    assert_int_equal(kv_cache_take(&cache), 2);
    assert_false(kv_cache_reserve(&cache, 1));
    kv_cache_drop(&cache, 1);
    assert_true(kv_cache_reserve(&cache, 1));
    kv_cache_unreserve(&cache, 1);
    assert_true(kv_cache_reserve(&cache, 1));
    kv_cache_deinit(&cache);
}

static enum err_code make_cache(void *context, struct error *err) {
    (void)context;
    struct kv_cache cache = {0};
    TRY(kv_cache_init(7, &cache, err));
    kv_cache_deinit(&cache);
    return ERR_OK;
}

static void test_kv_cache_init__fails_cleanly_without_memory(void **state) {
    (void)state;
    alloc_loop_check(make_cache, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kv_cache__a_page_returns_with_its_last_holder),
        cmocka_unit_test(test_kv_cache__what_is_reserved_is_there),
        cmocka_unit_test(test_kv_cache_init__fails_cleanly_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
