/* test_example_batches.c - the examples of training steps: which, how many at a time, and what
 * their answers share. */
#include "trainer/example_batches.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/comparison_sample.h"
#include "tests/support/near.h"

#include <string.h>

enum { PROMPTS = 3, ITEMS = 6, PROMPT_TOKENS = 4 };

/* Prompts of two answers each, compared once. Prompt b is 4 times token b, its answers one and two
 * tokens: 4 + 1 + 2 = 7 tokens for 11. */
static void make_data(struct reward_data *data) {
    struct error err = ERROR_INIT;
    *data = (struct reward_data)REWARD_DATA_INIT;
    comparison_sample_init(&data->set, ITEMS);
    data->set.item_response_ids = mem_array(ITEMS, sizeof *data->set.item_response_ids);
    data->set.block_prompt_ids = mem_array(PROMPTS, sizeof *data->set.block_prompt_ids);
    data->sequence_of_item = mem_array(ITEMS, sizeof *data->sequence_of_item);
    data->part_of_block = mem_array_zero(PROMPTS, sizeof *data->part_of_block);
    assert_true(data->set.item_response_ids && data->set.block_prompt_ids &&
                data->sequence_of_item && data->part_of_block);
    for (int32_t i = 0; i < ITEMS; i++) {
        const int32_t b = i / 2;
        const int32_t ids[] = {b, b, b, b, 10 + i, 20};
        const bool is_target[] = {false, false, false, false, true, true};
        comparison_sample_set_block(&data->set, i, b);
        data->set.item_response_ids[i] = 100 + i;
        data->set.block_prompt_ids[b] = 10 + b;
        data->sequence_of_item[i] = i;
        assert_ok(token_set_add(&data->tokens, ids, is_target, PROMPT_TOKENS + 1 + i % 2, &err),
                  &err);
    }
    for (int32_t b = 0; b < PROMPTS; b++) {
        comparison_sample_win(&data->set, 2 * b, 2 * b + 1);
    }
}

static void make_examples(const struct reward_data *data, struct reward_examples *examples) {
    struct error err = ERROR_INIT;
    const struct reward_loss_config loss = {.ties = PAIR_TIES_HALF};
    const struct reward_examples_plan plan = {.loss = &loss};
    assert_ok(reward_examples_make(data, PROMPT_TRAINING, &plan, examples, &err), &err);
    assert_int_equal(examples->count, PROMPTS);
}

static struct example_batches_options options_of(const struct reward_examples *examples) {
    return (struct example_batches_options){.examples = examples,
                                            .examples_per_step = PROMPTS,
                                            .tokens_max = 14,
                                            .context = 64,
                                            .seed = 3};
}

struct fixture {
    struct reward_data data;
    struct reward_examples examples;
    struct example_batches batches;
};

static void fixture_open(struct fixture *f) {
    struct error err = ERROR_INIT;
    *f = (struct fixture){.examples = REWARD_EXAMPLES_INIT, .batches = EXAMPLE_BATCHES_INIT};
    make_data(&f->data);
    make_examples(&f->data, &f->examples);
    const struct example_batches_options options = options_of(&f->examples);
    assert_ok(example_batches_init(&f->batches, &options, &err), &err);
}

static void fixture_scoped_end(struct fixture *f) {
    example_batches_deinit(&f->batches);
    reward_examples_deinit(&f->examples);
    reward_data_deinit(&f->data);
}

/* A step is an epoch here: each example once, in an order that follows from the step alone. */
static void test_gather__goes_through_all_examples(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture f;
    fixture_open(&f);
    int64_t first[PROMPTS];
    for (int64_t step = 0; step < 5; step++) {
        int64_t seen = 0;
        assert_near(example_batches_gather(&f.batches, step), 3.0, 0.0);
        for (int64_t i = 0; i < PROMPTS; i++) {
            seen |= INT64_C(1) << f.batches.step[i];
            first[i] = step == 0 ? f.batches.step[i] : first[i];
        }
        assert_int_equal(seen, 7);
    }
    assert_near(example_batches_gather(&f.batches, 0), 3.0, 0.0);
    assert_memory_equal(f.batches.step, first, sizeof first);
}

static void check_fill(struct fixture *f, int64_t first, int64_t last) {
    struct error err = ERROR_INIT;
    int64_t got = -1;
    assert_ok(example_batches_fill(&f->batches, first, &got, &err), &err);
    assert_int_equal(got, last);
    assert_int_equal(f->batches.batch.added, 2 * (last - first));
}

/* Two examples of 7 tokens in 14, then the third; 13 holds one at a time. */
static void test_fill__takes_whole_examples(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture f;
    fixture_open(&f);
    const struct packed_batch *batch = &f.batches.batch;
    assert_int_equal(example_batches_most(&f.batches, 0), 14);
    check_fill(&f, 0, 2);
    assert_true(batch->tokens - batch->fillers == 14 && batch->targets == 0);
    assert_int_equal(batch->tokens, PACKED_BATCH_ROWS);
    for (int64_t place = 0; place < 2; place++) {
        const int64_t b = f.batches.step[place];
        const int64_t ids[] = {b, b, b, b, 10 + 2 * b, 11 + 2 * b, 20};
        assert_memory_equal(batch->ids + 7 * place, ids, sizeof ids);
    }
    check_fill(&f, 2, 3);
    f.batches.options.tokens_max = 13;
    assert_int_equal(example_batches_most(&f.batches, 0), 7);
    check_fill(&f, 0, 1);
    f.batches.options.want = PACKED_TARGETS;
    check_fill(&f, 0, 1);
    assert_int_equal(batch->targets, 3);
    assert_memory_equal(batch->target_owners, ((const int64_t[]){0, 1, 1}), 3 * sizeof(int64_t));
}

static enum err_code run_once(void *context, struct error *err) {
    const struct example_batches_options options = options_of(context);
    SCOPED(example_batches) struct example_batches batches = EXAMPLE_BATCHES_INIT;
    int64_t last = 0;
    TRY(example_batches_init(&batches, &options, err));
    (void)example_batches_gather(&batches, 0);
    return example_batches_fill(&batches, 0, &last, err);
}

static void test_batches__survive_failing_allocations(void **state) {
    (void)state;
    SCOPED(reward_data) struct reward_data data;
    SCOPED(reward_examples) struct reward_examples examples = REWARD_EXAMPLES_INIT;
    make_data(&data);
    make_examples(&data, &examples);
    alloc_loop_check(run_once, &examples);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gather__goes_through_all_examples),
        cmocka_unit_test(test_fill__takes_whole_examples),
        cmocka_unit_test(test_batches__survive_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
