#include "data/token_set.h"

#include "tests/support/alloc_loop.h"
#include "tests/support/test.h"

#include <string.h>

static void test_add__keeps_sequences_apart(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct token_set set = TOKEN_SET_INIT;
    const int32_t first[] = {7, 8, 9};
    const bool learnt[] = {true, false, true};
    const int32_t second[] = {5, 6};
    const bool last[] = {false, true};
    assert_ok(token_set_add(&set, first, learnt, 3, &err), &err);
    assert_ok(token_set_add(&set, second, last, 2, &err), &err);
    struct token_sequence a = token_set_at(&set, 0);
    struct token_sequence b = token_set_at(&set, 1);
    assert_int_equal(a.count, 3);
    assert_int_equal(a.targets, 1); /* the first token has nothing before it */
    assert_false(a.is_target[0]);
    assert_true(a.is_target[2]);
    assert_memory_equal(a.ids, first, sizeof first);
    assert_int_equal(b.count, 2);
    assert_memory_equal(b.ids, second, sizeof second);
    token_set_deinit(&set);
}

static void test_add__refuses_what_teaches_nothing(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct token_set set = TOKEN_SET_INIT;
    const int32_t ids[] = {1, 2};
    const bool only_first[] = {true, false};
    assert_fails(token_set_add(&set, ids, only_first, 2, &err), ERR_DATA,
                 "a sequence without a token to learn", &err);
    assert_fails(token_set_add(&set, ids, only_first, 0, &err), ERR_DATA,
                 "a sequence without a token to learn", &err);
    assert_int_equal(set.count, 0);
}

static enum err_code add_two(void *context, struct error *err) {
    (void)context;
    struct token_set set = TOKEN_SET_INIT;
    const int32_t ids[] = {1, 2, 3};
    const bool learnt[] = {false, true, true};
    enum err_code code = token_set_add(&set, ids, learnt, 3, err);
    if (code == ERR_OK) {
        code = token_set_add(&set, ids, learnt, 3, err);
    }
    token_set_deinit(&set);
    return code;
}

static void test_add__survives_every_failing_allocation(void **state) {
    (void)state;
    alloc_loop_check(add_two, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add__keeps_sequences_apart),
        cmocka_unit_test(test_add__refuses_what_teaches_nothing),
        cmocka_unit_test(test_add__survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
