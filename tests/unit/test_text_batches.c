/* test_text_batches.c - texts in batches: all of them once, longest groups first, within bounds. */
#include "policy/text_batches.h"

#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/test.h"

enum { TEXTS = 5, PROMPT = 40 };

/* Texts 0, 2 and 4 are 40 times token 1 and an answer of 1, 3 and 5 tokens, of which the group has
 * 49; text 1 has 60 tokens, text 3 has 10. */
struct sample {
    int32_t ids[TEXTS][64];
    struct token_sequence texts[TEXTS];
};

static void make_sample(struct sample *sample) {
    static const int64_t counts[TEXTS] = {41, 60, 43, 10, 45};
    for (int32_t i = 0; i < TEXTS; i++) {
        for (int32_t t = 0; t < 64; t++) {
            sample->ids[i][t] = i % 2 == 0 && t < PROMPT ? 1 : 10 + i;
        }
        sample->texts[i] = (struct token_sequence){.ids = sample->ids[i], .count = counts[i]};
    }
}

static void check_batch(struct text_batches *batches, struct packed_batch *batch, int64_t tokens,
                        const int64_t *places, int64_t count) {
    struct error err = ERROR_INIT;
    assert_ok(text_batches_next(batches, batch, &err), &err);
    assert_int_equal(batch->added, count);
    assert_int_equal(batch->tokens - batch->fillers, tokens);
    assert_int_equal(batch->tokens % PACKED_BATCH_ROWS, 0);
    for (int64_t k = 0; k < count; k++) {
        assert_int_equal(text_batches_place(batches, k), places[k]);
    }
}

static void test_batches__are_of_groups_that_fit(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct sample sample;
    make_sample(&sample);
    struct text_batches_options options = {.want = PACKED_ENDS, .tokens_max = 59, .context = 64};
    SCOPED(packed_batch) struct packed_batch batch = PACKED_BATCH_INIT;
    SCOPED(text_batches) struct text_batches batches = TEXT_BATCHES_INIT;
    assert_ok(text_batches_init(&batches, &options, sample.texts, TEXTS, &err), &err);
    check_batch(&batches, &batch, 60, (const int64_t[]){1}, 1); /* longer than the most */
    check_batch(&batches, &batch, 59, (const int64_t[]){0, 2, 4, 3}, 4);
    assert_int_equal(batches.done, TEXTS);
    text_batches_deinit(&batches);
    options.tokens_max = 1000;
    assert_ok(text_batches_init(&batches, &options, sample.texts, TEXTS, &err), &err);
    check_batch(&batches, &batch, 119, (const int64_t[]){1, 0, 2, 4, 3}, TEXTS);
    assert_int_equal(batches.done, TEXTS);
}

static enum err_code run_once(void *context, struct error *err) {
    const struct sample *sample = context;
    const struct text_batches_options options = {
        .want = PACKED_TARGETS, .tokens_max = 59, .context = 64};
    SCOPED(packed_batch) struct packed_batch batch = PACKED_BATCH_INIT;
    SCOPED(text_batches) struct text_batches batches = TEXT_BATCHES_INIT;
    TRY(text_batches_init(&batches, &options, sample->texts, TEXTS, err));
    while (batches.done < TEXTS) {
        TRY(text_batches_next(&batches, &batch, err));
    }
    return ERR_OK;
}

static void test_batches__survive_failing_allocations(void **state) {
    (void)state;
    struct sample sample;
    make_sample(&sample);
    alloc_loop_check(run_once, &sample);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches__are_of_groups_that_fit),
        cmocka_unit_test(test_batches__survive_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
