#include "base/arena.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/test.h"

#include <stdalign.h>

static void test_arena_array__aligned_and_disjoint(void **state) {
    (void)state;
    SCOPED(arena) struct arena arena = ARENA_INIT(MIB);
    unsigned char *previous_end = NULL;
    for (size_t bytes = 0; bytes < 40; bytes++) {
        unsigned char *taken = arena_array(&arena, bytes, 1);
        assert_non_null(taken);
        assert_int_equal((uintptr_t)taken % alignof(max_align_t), 0);
        assert_true(!previous_end || taken >= previous_end);
        memset(taken, 0xAB, bytes);
        previous_end = taken + bytes;
    }
}

static void test_arena_reset__reuses_its_blocks(void **state) {
    (void)state;
    SCOPED(arena) struct arena arena = ARENA_INIT(10 * MIB);
    for (int i = 0; i < 100; i++) {
        assert_non_null(arena_array(&arena, 10, KIB));
    }
    size_t reserved = arena.bytes_reserved;
    int64_t live = mem_live_blocks();
    arena_reset(&arena);
    for (int i = 0; i < 100; i++) {
        assert_non_null(arena_array(&arena, 10, KIB));
    }
    assert_int_equal(arena.bytes_reserved, reserved);
    assert_int_equal(mem_live_blocks(), live);
}

static void test_arena_array__stops_at_its_maximum(void **state) {
    (void)state;
    SCOPED(arena) struct arena arena = ARENA_INIT(100 * KIB);
    assert_non_null(arena_array(&arena, 60, KIB));
    assert_null(arena_array(&arena, 60, KIB));
    assert_non_null(arena_array(&arena, 30, KIB));
    assert_null(arena_array(&arena, SIZE_MAX / 2, 3));
    assert_null(arena_array(&arena, SIZE_MAX, 1));
}

static void test_arena_strndup__copies(void **state) {
    (void)state;
    SCOPED(arena) struct arena arena = ARENA_INIT(MIB);
    assert_string_equal(arena_strndup(&arena, "abcdef", 2), "ab");
}

static enum err_code fill(void *context, struct error *err) {
    (void)context;
    SCOPED(arena) struct arena arena = ARENA_INIT(GIB);
    for (int i = 0; i < 40; i++) {
        if (!arena_array(&arena, 32, KIB)) {
            return err_oom(err, "batch");
        }
    }
    return ERR_OK;
}

static void test_arena__survives_every_failed_allocation(void **state) {
    (void)state;
    alloc_loop_check(fill, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena_array__aligned_and_disjoint),
        cmocka_unit_test(test_arena_reset__reuses_its_blocks),
        cmocka_unit_test(test_arena_array__stops_at_its_maximum),
        cmocka_unit_test(test_arena_strndup__copies),
        cmocka_unit_test(test_arena__survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
