/* test_packed_batch.c - where sequences and what they share lie. */
#include "policy/packed_batch.h"

#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/test.h"

#define assert_i64s(array, ...)                                    \
    assert_memory_equal((array), ((const int64_t[]){__VA_ARGS__}), \
                        sizeof((const int64_t[]){__VA_ARGS__}))

#define TEXT(...)                                                         \
    {                                                                     \
        .ids = (const int32_t[]){__VA_ARGS__},                            \
        .count = sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t) \
    }

static void test_add_after__goes_on_behind_the_prefix(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(packed_batch) struct packed_batch batch = PACKED_BATCH_INIT;
    static const int32_t prompt[] = {7, 8};
    static const int32_t first[] = {9, 4};
    static const int32_t second[] = {5, 6};
    static const bool last_only[] = {false, true};
    int64_t prefix = -1;
    assert_ok(packed_batch_add(&batch, first, 2, NULL, &err), &err);
    assert_ok(packed_batch_add_prefix(&batch, prompt, 2, &prefix, &err), &err);
    assert_int_equal(prefix, 1);
    assert_ok(packed_batch_add_after(&batch, prefix, first, 2, NULL, &err), &err);
    assert_ok(packed_batch_add(&batch, second, 2, NULL, &err), &err); /* between the two */
    assert_ok(packed_batch_add_after(&batch, prefix, second, 2, last_only, &err), &err);
    assert_ok(packed_batch_fill(&batch, 12, 9, &err), &err);
    assert_i64s(batch.ids, 9, 4, 7, 8, 9, 4, 5, 6, 5, 6, 0, 0);
    assert_i64s(batch.positions, 0, 1, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1);
    assert_i64s(batch.starts, 0, 2, 4, 6, 8, 10, 12);
    assert_i64s(batch.prefixes, -1, -1, 1, -1, 1, -1);
    assert_i64s(batch.last_rows, 1, 5, 7, 9); /* not that of the prefix */
    assert_int_equal(batch.added, 4);
    assert_int_equal(batch.targets, 5); /* 9 behind the prefix is one */
    assert_i64s(batch.target_rows, 0, 3, 4, 6, 8);
    assert_i64s(batch.target_ids, 4, 9, 4, 6, 6);
    assert_i64s(batch.target_owners, 0, 1, 1, 2, 3);
}

static void test_add_after__refuses_what_cannot_be_continued(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(packed_batch) struct packed_batch batch = PACKED_BATCH_INIT;
    static const int32_t ids[] = {1, 2};
    int64_t prefix = -1;
    assert_fails(packed_batch_add_after(&batch, 0, ids, 2, NULL, &err), ERR_INTERNAL,
                 "sequence 0 cannot be continued: there are 0", &err);
    assert_ok(packed_batch_add_prefix(&batch, ids, 2, &prefix, &err), &err);
    assert_fails(packed_batch_add_after(&batch, prefix, ids, 0, NULL, &err), ERR_DATA,
                 "an empty sequence", &err);
    assert_ok(packed_batch_add_after(&batch, prefix, ids, 2, NULL, &err), &err);
    assert_fails(packed_batch_add_after(&batch, 1, ids, 2, NULL, &err), ERR_INTERNAL,
                 "sequence 1 cannot be continued", &err);
    assert_true(batch.sequences == 2 && batch.tokens == 4 && batch.targets == 2);
}

/* 1 2 | 3, and nothing, and 4 5: five tokens for eight. */
static void test_add_texts__shares_what_all_begin_with(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(packed_batch) struct packed_batch batch = PACKED_BATCH_INIT;
    const struct token_sequence texts[] = {TEXT(1, 2, 3), TEXT(1, 2), TEXT(1, 2, 4, 5)};
    const struct token_sequence others[] = {TEXT(6, 1), TEXT(7, 1)};
    const struct token_sequence equal[] = {TEXT(8, 9), TEXT(8, 9)};
    assert_int_equal(packed_batch_common(&texts[0], &texts[2]), 2);
    assert_int_equal(packed_batch_tokens_of(PACKED_ENDS, texts, 3), 5);
    assert_int_equal(packed_batch_tokens_of(PACKED_ENDS, texts, 1), 3);
    assert_int_equal(packed_batch_tokens_of(PACKED_ENDS, texts, 0), 0);
    assert_int_equal(packed_batch_tokens_of(PACKED_ENDS, others, 2), 4);
    assert_int_equal(packed_batch_tokens_of(PACKED_ENDS, equal, 2), 2);
    assert_ok(packed_batch_add_texts(&batch, PACKED_ENDS, texts, 3, &err), &err);
    assert_ok(packed_batch_add_texts(&batch, PACKED_ENDS, others, 2, &err), &err);
    assert_ok(packed_batch_add_texts(&batch, PACKED_ENDS, equal, 2, &err), &err);
    assert_ok(packed_batch_add_texts(&batch, PACKED_ENDS, texts, 1, &err), &err);
    assert_i64s(batch.ids, 1, 2, 3, 4, 5, 6, 1, 7, 1, 8, 9, 1, 2, 3);
    assert_i64s(batch.positions, 0, 1, 2, 2, 3, 0, 1, 0, 1, 0, 1, 0, 1, 2);
    assert_i64s(batch.starts, 0, 2, 3, 5, 7, 9, 11, 14);
    assert_i64s(batch.prefixes, -1, 0, 0, -1, -1, -1, -1);
    assert_i64s(batch.last_rows, 2, 1, 4, 6, 8, 10, 10, 13);
    assert_true(batch.added == 8 && batch.targets == 0);
}

/* All begin with 1 2 3, but 3 is an answer's of two of them: 1 2 | 3 4, 3 5 and 3, whose second
 * token alone is a target. By itself a text goes as it is; without is_target the first token is the
 * only one to share. */
static void test_add_texts__shares_what_lies_before_targets(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(packed_batch) struct packed_batch batch = PACKED_BATCH_INIT;
    static const bool behind_two[] = {false, false, true, true},
                      last[] = {false, false, false, true};
    struct token_sequence texts[] = {TEXT(1, 2, 3, 4), TEXT(1, 2, 3, 5), TEXT(1, 2, 3)};
    const struct token_sequence plain[] = {TEXT(6, 7, 8), TEXT(6, 7, 9)};
    texts[0].is_target = texts[2].is_target = behind_two;
    texts[1].is_target = last;
    assert_int_equal(packed_batch_sharable(PACKED_TARGETS, &texts[0]), 2);
    assert_int_equal(packed_batch_sharable(PACKED_TARGETS, &texts[1]), 3);
    assert_int_equal(packed_batch_sharable(PACKED_TARGETS, &plain[0]), 1);
    assert_int_equal(packed_batch_sharable(PACKED_ENDS, &texts[0]), 4);
    assert_int_equal(packed_batch_tokens_of(PACKED_TARGETS, texts, 3), 7);
    assert_int_equal(packed_batch_tokens_of(PACKED_TARGETS, plain, 2), 5);
    assert_ok(packed_batch_add_texts(&batch, PACKED_TARGETS, texts, 3, &err), &err);
    assert_ok(packed_batch_add_texts(&batch, PACKED_TARGETS, texts, 1, &err), &err);
    assert_ok(packed_batch_add_texts(&batch, PACKED_TARGETS, plain, 2, &err), &err);
    assert_i64s(batch.ids, 1, 2, 3, 4, 3, 5, 3, 1, 2, 3, 4, 6, 7, 8, 7, 9);
    assert_i64s(batch.positions, 0, 1, 2, 3, 2, 3, 2, 0, 1, 2, 3, 0, 1, 2, 1, 2);
    assert_i64s(batch.target_rows, 1, 2, 4, 1, 8, 9, 11, 12, 11, 14);
    assert_i64s(batch.target_ids, 3, 4, 5, 3, 3, 4, 7, 8, 7, 9);
    assert_i64s(batch.target_owners, 0, 0, 1, 2, 3, 3, 4, 4, 5, 5);
    assert_true(batch.added == 6 && batch.targets == 10);
}

static void test_add_texts__an_empty_one_changes_nothing(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(packed_batch) struct packed_batch batch = PACKED_BATCH_INIT;
    const struct token_sequence whole[] = {TEXT(1, 2)};
    const struct token_sequence texts[] = {TEXT(1, 2, 3), {.ids = NULL, .count = 0}};
    assert_ok(packed_batch_add_texts(&batch, PACKED_ENDS, whole, 1, &err), &err);
    assert_fails(packed_batch_add_texts(&batch, PACKED_ENDS, texts, 2, &err), ERR_DATA,
                 "an empty sequence", &err);
    assert_true(batch.tokens == 2 && batch.sequences == 1 && batch.added == 1);
    assert_i64s(batch.starts, 0, 2);
    assert_fails(packed_batch_add_texts(&batch, PACKED_TARGETS, texts, 2, &err), ERR_DATA,
                 "an empty sequence", &err);
    assert_true(batch.tokens == 2 && batch.targets == 0);
}

static enum err_code add_all(void *context, struct error *err) {
    (void)context;
    SCOPED(packed_batch) struct packed_batch batch = PACKED_BATCH_INIT;
    static const int32_t ids[40] = {1};
    const struct token_sequence texts[] = {TEXT(1, 2, 3), TEXT(1, 2), TEXT(1, 2, 4, 5)};
    int64_t prefix = -1;
    TRY(packed_batch_add_prefix(&batch, ids, 40, &prefix, err));
    TRY(packed_batch_add_after(&batch, prefix, ids, 40, NULL, err));
    for (int i = 0; i < 4; i++) {
        const int64_t tokens = batch.tokens;
        const enum err_code code = packed_batch_add_texts(&batch, PACKED_ENDS, texts, 3, err);
        assert_int_equal(batch.tokens, tokens + (code == ERR_OK ? 5 : 0));
        assert_int_equal(batch.starts[batch.sequences], batch.tokens);
        TRY(code);
    }
    return packed_batch_fill(&batch, 64, 7, err);
}

static void test_add__survives_failing_allocations(void **state) {
    (void)state;
    alloc_loop_check(add_all, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add_after__goes_on_behind_the_prefix),
        cmocka_unit_test(test_add_after__refuses_what_cannot_be_continued),
        cmocka_unit_test(test_add_texts__shares_what_all_begin_with),
        cmocka_unit_test(test_add_texts__shares_what_lies_before_targets),
        cmocka_unit_test(test_add_texts__an_empty_one_changes_nothing),
        cmocka_unit_test(test_add__survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
