/* Prompts with answers to others: which, and where they are cut. */
#include "trainer/mismatched_answers.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/comparison_sample.h"
#include "tests/support/near.h"

enum { PROMPTS = 3, ITEMS = 2 * PROMPTS };

static const struct reward_loss_config as_halves = {.ties = PAIR_TIES_HALF};

/* Prompt p is tokens 10 p, 10 p + 1; its answers are 100 + item, of 2 + p tokens; each prompt's
 * first answer was preferred. */
static void make_data(struct reward_data *data, int32_t prompts) {
    struct error err = ERROR_INIT;
    *data = (struct reward_data)REWARD_DATA_INIT;
    comparison_sample_init(&data->set, ITEMS);
    data->set.item_response_ids = mem_array_zero(ITEMS, sizeof *data->set.item_response_ids);
    data->set.block_prompt_ids = mem_array_zero(PROMPTS, sizeof *data->set.block_prompt_ids);
    data->sequence_of_item = mem_array(ITEMS, sizeof *data->sequence_of_item);
    data->part_of_block = mem_array_zero(PROMPTS, sizeof *data->part_of_block);
    assert_true(data->set.item_response_ids && data->set.block_prompt_ids &&
                data->sequence_of_item && data->part_of_block);
    for (int32_t i = 0; i < ITEMS; i++) {
        const int32_t p = i / 2;
        const int32_t ids[6] = {10 * p, 10 * p + 1, 100 + i, 100 + i, 100 + i, 100 + i};
        const bool is_target[6] = {false, false, true, true, true, true};
        data->sequence_of_item[i] = i;
        comparison_sample_set_block(&data->set, i, p);
        assert_ok(token_set_add(&data->tokens, ids, is_target, 4 + p, &err), &err);
    }
    for (int32_t p = 0; p < prompts; p++) {
        comparison_sample_win(&data->set, 2 * p, 2 * p + 1);
    }
}

static void make_examples(const struct reward_data *data, struct reward_examples *examples) {
    const struct reward_examples_plan plan = {.loss = &as_halves};
    struct error err = ERROR_INIT;
    assert_ok(reward_examples_make(data, PROMPT_TRAINING, &plan, examples, &err), &err);
}

static void check_sequence(const struct token_set *set, int64_t index, const int32_t *ids,
                           int64_t count) {
    const struct token_sequence sequence = token_set_at(set, index);
    assert_int_equal(sequence.count, count);
    assert_memory_equal(sequence.ids, ids, (size_t)count * sizeof *ids);
    assert_int_equal(sequence.targets, count - 2);
}

/* Example e takes answer e mod 2 of the next prompt, the last one that of the first; of at most
 * five tokens, so that the answers of prompt 2 lose their end. */
static void test_make__answers_go_round(void **state) {
    (void)state;
    SCOPED(reward_data) struct reward_data data;
    SCOPED(reward_examples) struct reward_examples examples = REWARD_EXAMPLES_INIT;
    SCOPED(token_set) struct token_set set = TOKEN_SET_INIT;
    struct error err = ERROR_INIT;
    make_data(&data, PROMPTS);
    make_examples(&data, &examples);
    assert_ok(mismatched_answers_make(&examples, &examples, 5, &set, &err), &err);
    assert_int_equal(set.count, 3);
    check_sequence(&set, 0, (int32_t[]){0, 1, 102, 102, 102}, 5);
    check_sequence(&set, 1, (int32_t[]){10, 11, 105, 105, 105}, 5);
    check_sequence(&set, 2, (int32_t[]){20, 21, 100, 100}, 4);
}

static void test_make__needs_two_prompts(void **state) {
    (void)state;
    SCOPED(reward_data) struct reward_data data;
    SCOPED(reward_examples) struct reward_examples examples = REWARD_EXAMPLES_INIT;
    SCOPED(token_set) struct token_set set = TOKEN_SET_INIT;
    struct error err = ERROR_INIT;
    make_data(&data, 1);
    make_examples(&data, &examples);
    assert_int_equal(mismatched_answers_make(&examples, &examples, 5, &set, &err), ERR_DATA);
    assert_non_null(strstr(err.msg, "there is one prompt only"));
    assert_int_equal(set.count, 0);
}

static enum err_code build(void *context, struct error *err) {
    SCOPED(token_set) struct token_set set = TOKEN_SET_INIT;
    return mismatched_answers_make(context, context, 5, &set, err);
}

static void test_make__survives_running_out_of_memory(void **state) {
    (void)state;
    SCOPED(reward_data) struct reward_data data;
    SCOPED(reward_examples) struct reward_examples examples = REWARD_EXAMPLES_INIT;
    make_data(&data, PROMPTS);
    make_examples(&data, &examples);
    alloc_loop_check(build, &examples);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_make__answers_go_round),
        cmocka_unit_test(test_make__needs_two_prompts),
        cmocka_unit_test(test_make__survives_running_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
