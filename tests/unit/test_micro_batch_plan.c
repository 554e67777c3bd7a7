/* test_micro_batch_plan.c - units cut into micro-batches of at most so many tokens. */
#include "policy/micro_batch_plan.h"

#include "tests/support/test.h"

static int64_t count_of(const void *context, int64_t unit, int64_t first) {
    (void)first;
    const int64_t *counts = context;
    return counts[unit];
}

#define ENDS_MAX 8
struct ends {
    int64_t at[ENDS_MAX], count;
};

static struct ends ends_of(const struct micro_batch_plan *plan) {
    struct ends ends = {.count = 0};
    for (int64_t first = 0, last = 0; first < plan->count; first = last) {
        last = micro_batch_end(plan, first);
        ends.at[ends.count++] = last;
    }
    return ends;
}

static void check(const struct micro_batch_plan *plan, const int64_t *ends, int64_t count,
                  int64_t most) {
    const struct ends got = ends_of(plan);
    assert_int_equal(got.count, count);
    assert_memory_equal(got.at, ends, (size_t)count * sizeof *ends);
    assert_int_equal(micro_batch_most(plan), most);
}

/* 3 + 5 fill 8 exactly; 9 is more than 8, and goes alone; 1 + 7 again. */
static void test_cut__is_as_many_as_fit(void **state) {
    (void)state;
    static const int64_t counts[] = {3, 5, 9, 1, 7, 2};
    struct micro_batch_plan plan = {
        .count = 6, .tokens_max = 8, .tokens_of = count_of, .context = counts};
    check(&plan, (const int64_t[]){2, 3, 5, 6}, 4, 9);
    plan.tokens_max = 7; /* 3 | 5 | 9 | 1 | 7 | 2 */
    check(&plan, (const int64_t[]){1, 2, 3, 4, 5, 6}, 6, 9);
    plan.tokens_max = 27; /* their sum */
    check(&plan, (const int64_t[]){6}, 1, 27);
    plan.count = 2;
    check(&plan, (const int64_t[]){2}, 1, 8);
    plan.count = 0;
    check(&plan, NULL, 0, 0);
}

/* Two answers each to prompts of 10 tokens, of one token each. */
static int64_t shared_count(const void *context, int64_t unit, int64_t first) {
    (void)context;
    return 1 + (unit == first || unit % 2 == 0 ? 10 : 0);
}

/* 11 1 | 11 1 | in 12; 11 | 11 | ... in 11, where each brings its prompt; 11 1 11 | 11 in 23. */
static void test_cut__counts_what_is_shared_once_a_batch(void **state) {
    (void)state;
    struct micro_batch_plan plan = {.count = 4, .tokens_max = 12, .tokens_of = shared_count};
    check(&plan, (const int64_t[]){2, 4}, 2, 12);
    plan.tokens_max = 11;
    check(&plan, (const int64_t[]){1, 2, 3, 4}, 4, 11);
    plan.tokens_max = 23;
    check(&plan, (const int64_t[]){3, 4}, 2, 23);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut__is_as_many_as_fit),
        cmocka_unit_test(test_cut__counts_what_is_shared_once_a_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
