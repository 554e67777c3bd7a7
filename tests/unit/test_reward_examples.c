/* Which comparisons of a part become examples, what they weigh, and how scores agree with them. */
#include "trainer/reward_examples.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/comparison_sample.h"
#include "tests/support/near.h"

#define TOL 1e-15

enum { ITEMS = 9, PROMPTS = 4 };

/* Prompts of answers 0 1 2 | 3 4 | 5 6 | 7 8. The last is of the test; answer 4 has no tokens; item
 * i has i + 1 tokens, all of them i. */
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
    data->part_of_block[3] = PROMPT_TEST;
    const int32_t blocks[ITEMS] = {0, 0, 0, 1, 1, 2, 2, 3, 3};
    for (int32_t i = 0; i < ITEMS; i++) {
        const int32_t ids[ITEMS] = {i, i, i, i, i, i, i, i, i};
        const bool is_target[ITEMS] = {false, true, true, true, true, true, true, true, true};
        comparison_sample_set_block(&data->set, i, blocks[i]);
        data->set.item_response_ids[i] = 100 + i;
        data->set.block_prompt_ids[blocks[i]] = 10 + blocks[i];
        data->sequence_of_item[i] = i == 0 || i == 4 ? -1 : data->tokens.count;
        if (i > 0 && i != 4) {
            assert_ok(token_set_add(&data->tokens, ids, is_target, i + 1, &err), &err);
        }
    }
}

static const struct reward_loss_config as_halves = {.ties = PAIR_TIES_HALF};
static const struct reward_loss_config dropped = {.ties = PAIR_TIES_DROP};

static void make(const struct reward_data *data, const struct reward_examples_plan *plan,
                 struct reward_examples *examples) {
    struct error err = ERROR_INIT;
    assert_ok(reward_examples_make(data, PROMPT_TRAINING, plan, examples, &err), &err);
}

/* Once ties are dropped, prompt 5 6 has nothing to say: a step of it alone would divide by 0. */
static void test_make__leaves_out_what_says_nothing(void **state) {
    (void)state;
    SCOPED(reward_data) struct reward_data data;
    SCOPED(reward_examples) struct reward_examples half = REWARD_EXAMPLES_INIT;
    SCOPED(reward_examples) struct reward_examples drop = REWARD_EXAMPLES_INIT;
    make_data(&data);
    comparison_sample_win(&data.set, 2, 1);
    comparison_sample_win(&data.set, 3, 4); /* no tokens */
    comparison_sample_tie(&data.set, 5, 6);
    comparison_sample_win(&data.set, 7, 8); /* of the test */
    make(&data, &(struct reward_examples_plan){.loss = &as_halves}, &half);
    assert_int_equal(half.count, 2);
    assert_int_equal(half.without_tokens, 1);
    assert_int_equal(half.silent, 0);
    make(&data, &(struct reward_examples_plan){.loss = &dropped}, &drop);
    assert_int_equal(drop.count, 1);
    assert_int_equal(drop.without_tokens, 1);
    assert_int_equal(drop.silent, 1);
    assert_near(drop.terms.weights[0], 1.0, TOL);
    assert_int_equal(reward_examples_answers(&drop, 0), 2);
    assert_int_equal(reward_examples_tokens(&drop, 0), 3 + 2);
    assert_int_equal(reward_examples_sequence(&drop, 0, 0).ids[0], 2); /* the better stands first */
    assert_int_equal(reward_examples_prompt(&drop, 0), 0);
}

static void test_make__a_part_without_comparisons_has_no_examples(void **state) {
    (void)state;
    SCOPED(reward_data) struct reward_data data;
    SCOPED(reward_examples) struct reward_examples examples = REWARD_EXAMPLES_INIT;
    make_data(&data);
    comparison_sample_tie(&data.set, 5, 6);
    make(&data, &(struct reward_examples_plan){.loss = &dropped}, &examples);
    assert_int_equal(examples.count, 0);
    assert_int_equal(examples.silent, 1);
}

/* Five answers, so two in each of four examples, one a comparison; the prompt counts one. */
static void test_make__a_cut_prompt_counts_once(void **state) {
    (void)state;
    const struct reward_loss_config loss = {.ties = PAIR_TIES_HALF, .count = REWARD_COUNT_PROMPTS};
    const struct reward_examples_plan plan = {.loss = &loss, .answers_max = 2, .seed = 7};
    SCOPED(reward_data) struct reward_data data;
    SCOPED(reward_examples) struct reward_examples examples = REWARD_EXAMPLES_INIT;
    make_data(&data);
    for (int32_t i = 3; i < 7; i++) {
        data.sequence_of_item[i] = 1;
        comparison_sample_set_block(&data.set, i, 0);
    }
    for (int32_t i = 2; i < 6; i++) {
        comparison_sample_win(&data.set, i, i + 1);
    }
    comparison_sample_set_weight(&data.set, 5.0);
    make(&data, &plan, &examples);
    assert_int_equal(examples.count, 4);
    assert_int_equal(examples.answers, 8);
    assert_near(examples.terms.weight, 1.0, TOL);
    for (int64_t e = 0; e < examples.count; e++) {
        const bool is_last = reward_examples_sequence(&examples, e, 0).ids[0] == 5 ||
                             examples.items[examples.terms.item_starts[e]] == 5;
        assert_near(examples.terms.weights[e], is_last ? 5.0 / 8.0 : 1.0 / 8.0, TOL);
    }
}

/* 2 before 1 by weight 3, 1 before 2 by 1, and a tie, half of which either has: margins of 0.5 by
 * 3.5, and of -0.5 by 1.5, of five judgements. */
static void test_agree__counts_judgements_by_weight(void **state) {
    (void)state;
    const double scores[] = {0.75, 0.25}; /* of 2, of 1 */
    SCOPED(reward_data) struct reward_data data;
    SCOPED(reward_examples) struct reward_examples examples = REWARD_EXAMPLES_INIT;
    struct reward_agreement agreement = {.right = 0.0};
    make_data(&data);
    comparison_sample_win(&data.set, 2, 1);
    comparison_sample_set_weight(&data.set, 3.0);
    comparison_sample_win(&data.set, 1, 2);
    comparison_sample_tie(&data.set, 1, 2);
    make(&data, &(struct reward_examples_plan){.loss = &as_halves}, &examples);
    reward_examples_agree(&examples, 0, scores, &agreement);
    assert_near(agreement.right, 3.5, TOL);
    assert_near(agreement.wrong, 1.5, TOL);
    assert_near(agreement.margin, 0.5 * 3.5 - 0.5 * 1.5, TOL);
    assert_near(agreement.chosen, 0.75 * 3.5 + 0.25 * 1.5, TOL);
    assert_near(agreement.rejected, 0.25 * 3.5 + 0.75 * 1.5, TOL);
    assert_near(agreement.chosen_weight, 5.0, TOL);
    assert_near(agreement.rejected_weight, 5.0, TOL);
}

/* Answer 1 twice, answers 2 and 5 once; 4 has no tokens, 7 is of the test. Ties say nothing here,
 * and dropping them drops no label. */
static void test_make__labelled_answers_are_examples(void **state) {
    (void)state;
    SCOPED(reward_data) struct reward_data data;
    SCOPED(reward_examples) struct reward_examples examples = REWARD_EXAMPLES_INIT;
    struct reward_agreement agreement = {.right = 0.0};
    make_data(&data);
    comparison_sample_label(&data.set, 1, true);
    comparison_sample_label(&data.set, 2, false);
    comparison_sample_label(&data.set, 1, false);
    comparison_sample_set_weight(&data.set, 3.0);
    comparison_sample_label(&data.set, 4, true);
    comparison_sample_label(&data.set, 5, true);
    comparison_sample_label(&data.set, 7, true);
    make(&data, &(struct reward_examples_plan){.loss = &dropped, .answers_max = 2}, &examples);
    assert_true(examples.count == 3 && examples.answers == 3 && examples.without_tokens == 1 &&
                examples.silent == 0);
    assert_null(examples.objective);
    for (int64_t e = 0; e < examples.count; e++) {
        const double score = examples.items[e] == 1 ? 0.5 : examples.items[e] == 2 ? 2.0 : 7.0;
        assert_int_equal(reward_examples_answers(&examples, e), 1);
        assert_near(examples.terms.weights[e], examples.items[e] == 1 ? 4.0 : 1.0, TOL);
        reward_examples_agree(&examples, e, &score, &agreement);
    }
    assert_near(agreement.chosen, 0.5 + 7.0, TOL);
    assert_near(agreement.rejected, 3.0 * 0.5 + 2.0, TOL);
    assert_near(agreement.chosen_weight, 2.0, TOL);
    assert_near(agreement.rejected_weight, 4.0, TOL);
    assert_near(agreement.right + agreement.wrong, 0.0, TOL);
}

static enum err_code build(void *context, struct error *err) {
    const struct reward_examples_plan plan = {.loss = &as_halves, .answers_max = 2};
    SCOPED(reward_examples) struct reward_examples examples = REWARD_EXAMPLES_INIT;
    return reward_examples_make(context, PROMPT_TRAINING, &plan, &examples, err);
}

static void test_make__survives_running_out_of_memory(void **state) {
    (void)state;
    SCOPED(reward_data) struct reward_data data;
    make_data(&data);
    comparison_sample_win(&data.set, 2, 1);
    comparison_sample_tie(&data.set, 5, 6);
    alloc_loop_check(build, &data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_make__leaves_out_what_says_nothing),
        cmocka_unit_test(test_make__a_part_without_comparisons_has_no_examples),
        cmocka_unit_test(test_make__a_cut_prompt_counts_once),
        cmocka_unit_test(test_make__labelled_answers_are_examples),
        cmocka_unit_test(test_agree__counts_judgements_by_weight),
        cmocka_unit_test(test_make__survives_running_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
