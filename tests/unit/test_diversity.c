#include "trainer/diversity.h"

#include "tests/support/alloc_loop.h"
#include "tests/support/test.h"

/* Two groups of three: "1 2 1 2", "1 2", "1 2"; "3", "1 2 3", "4 1". */
static const int64_t starts[] = {0, 4, 6, 8, 9, 12, 14};
static const int32_t tokens[] = {1, 2, 1, 2, 1, 2, 1, 2, 3, 1, 2, 3, 4, 1};
static const struct completions all = {.count = 6, .group_size = 3, .starts = starts};

static struct distinct_count count(int64_t n) {
    struct error err = ERROR_INIT;
    struct distinct_count out = {.total = -1};
    assert_ok(diversity_ngrams(&all, tokens, n, &out, &err), &err);
    return out;
}

/* Bigrams: 12 21 12, 12, 12, none, 12 23, 41: of 8 four differ. No n-gram spans two answers. */
static void test_ngrams__by_hand(void **state) {
    (void)state;
    assert_int_equal(count(1).total, 14);
    assert_int_equal(count(1).distinct, 4);
    assert_int_equal(count(2).total, 8);
    assert_int_equal(count(2).distinct, 4);
    assert_int_equal(count(4).total, 1);
    assert_int_equal(count(4).distinct, 1);
    assert_int_equal(count(5).total, 0);
    assert_int_equal(count(5).distinct, 0);
}

static void test_unique__answers_of_a_group(void **state) {
    (void)state;
    assert_int_equal(diversity_unique(&all, tokens, 0), 2);
    assert_int_equal(diversity_unique(&all, tokens, 1), 3);
}

static enum err_code count_once(void *context, struct error *err) {
    (void)context;
    struct distinct_count out;
    return diversity_ngrams(&all, tokens, 2, &out, err);
}

static void test_ngrams__out_of_memory(void **state) {
    (void)state;
    alloc_loop_check(count_once, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ngrams__by_hand),
        cmocka_unit_test(test_unique__answers_of_a_group),
        cmocka_unit_test(test_ngrams__out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
