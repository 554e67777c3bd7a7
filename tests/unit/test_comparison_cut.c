/* Prompts with many answers, cut into examples of few. */
#include "data/comparison_cut.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/test.h"

#include <string.h>

enum { ITEMS = 33, PAIRS = ITEMS * (ITEMS - 1) / 2, PROMPTS = 2 };

/* Two prompts, each two of whose 33 answers were compared; the better has the smaller number. */
static void make_round_robin(struct comparison_set *set) {
    memset(set, 0, sizeof *set);
    set->item_count = PROMPTS * ITEMS;
    set->block_count = PROMPTS;
    set->item_response_ids = mem_array(PROMPTS * ITEMS, sizeof *set->item_response_ids);
    set->item_blocks = mem_array(PROMPTS * ITEMS, sizeof *set->item_blocks);
    set->block_prompt_ids = mem_array(PROMPTS, sizeof *set->block_prompt_ids);
    set->comparison_ids = mem_array(PROMPTS * PAIRS, sizeof *set->comparison_ids);
    set->starts = mem_array(PROMPTS * PAIRS + 1, sizeof *set->starts);
    set->items = mem_array(2 * PROMPTS * PAIRS, sizeof *set->items);
    set->ranks = mem_array(2 * PROMPTS * PAIRS, sizeof *set->ranks);
    set->positions = mem_array_zero(2 * PROMPTS * PAIRS, sizeof *set->positions);
    set->weights = mem_array(PROMPTS * PAIRS, sizeof *set->weights);
    set->annotators = mem_array(PROMPTS * PAIRS, sizeof *set->annotators);
    set->annotator_ids = mem_array(0, sizeof *set->annotator_ids);
    assert_non_null(set->annotators);
    set->starts[0] = 0;
    for (int32_t b = 0; b < PROMPTS; b++) {
        set->block_prompt_ids[b] = 100 + b;
        for (int32_t i = 0; i < ITEMS; i++) {
            set->item_response_ids[b * ITEMS + i] = 1000 * b + i;
            set->item_blocks[b * ITEMS + i] = b;
            for (int32_t j = i + 1; j < ITEMS; j++) {
                const int64_t c = set->count++;
                set->comparison_ids[c] = 1 + c;
                set->weights[c] = 1.0 + (double)c;
                set->annotators[c] = -1;
                set->starts[c + 1] = 2 * (c + 1);
                memcpy(set->items + 2 * c, (int32_t[]){b * ITEMS + i, b * ITEMS + j}, 8);
                memcpy(set->ranks + 2 * c, (int32_t[]){1, 2}, 8);
            }
        }
    }
}

/* All but every tenth. */
static void choose(bool is_used[PROMPTS * PAIRS]) {
    for (int64_t c = 0; c < PROMPTS * PAIRS; c++) {
        is_used[c] = c % 10 != 0;
    }
}

/* Each is in one example, of one prompt and at most 8 answers. There are at least 475 / 28 = 17 of
 * these a prompt, and greed needs not twice as many. */
static void test_cut__puts_each_comparison_into_one_small_example(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(comparison_set) struct comparison_set set;
    SCOPED(comparison_set) struct comparison_set examples = COMPARISON_SET_INIT;
    SCOPED(comparison_cut) struct comparison_cut cut = {.items_max = 8, .seed = 5};
    SCOPED(mem) int64_t *items = NULL;
    bool is_used[PROMPTS * PAIRS];
    make_round_robin(&set);
    choose(is_used);
    assert_ok(comparison_cut_make(&set, is_used, &cut, &err), &err);
    assert_ok(comparison_set_part(&set, cut.example_of, cut.count, &examples, &items, &err), &err);
    assert_true(cut.count >= 2 * 17 && cut.count < 2 * 34);
    assert_int_equal(examples.block_count, cut.count);
    assert_int_equal(examples.count, PROMPTS * PAIRS * 9 / 10);
    int64_t sizes[2 * 34] = {0};
    for (int64_t i = 0; i < examples.item_count; i++) {
        sizes[examples.item_blocks[i]]++;
        assert_int_equal(examples.item_response_ids[i], set.item_response_ids[items[i]]);
        assert_int_equal(examples.block_prompt_ids[examples.item_blocks[i]],
                         100 + set.item_blocks[items[i]]);
    }
    for (int64_t b = 0; b < cut.count; b++) {
        assert_true(sizes[b] >= 2 && sizes[b] <= 8);
    }
    bool is_met[PROMPTS * PAIRS] = {false};
    for (int64_t c = 0; c < examples.count; c++) {
        const int64_t from = examples.comparison_ids[c] - 1;
        assert_false(is_met[from]);
        is_met[from] = true;
        assert_true(is_used[from] && examples.weights[c] == set.weights[from]);
        for (int64_t k = 0; k < 2; k++) {
            const int32_t item = examples.items[examples.starts[c] + k];
            assert_int_equal(items[item], set.items[2 * from + k]);
            assert_int_equal(examples.item_blocks[item], cut.example_of[from]);
        }
    }
}

static void test_cut__takes_a_prompt_whole_where_it_may(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(comparison_set) struct comparison_set set;
    bool is_used[PROMPTS * PAIRS];
    make_round_robin(&set);
    choose(is_used);
    const int64_t most[] = {0, ITEMS};
    for (int64_t k = 0; k < 2; k++) {
        SCOPED(comparison_cut) struct comparison_cut cut = {.items_max = most[k], .seed = 5};
        assert_ok(comparison_cut_make(&set, is_used, &cut, &err), &err);
        assert_int_equal(cut.count, PROMPTS);
        for (int64_t c = 0; c < set.count; c++) {
            assert_int_equal(cut.example_of[c], is_used[c] ? c / PAIRS : -1);
        }
    }
}

/* A ranking of more items than an example may have is one by itself. */
static void test_cut__leaves_a_long_ranking_whole(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    int32_t blocks[] = {0, 0, 0, 0, 0};
    int64_t starts[] = {0, 4, 6};
    int32_t items[] = {0, 1, 2, 3, 3, 4};
    const bool is_used[] = {true, true};
    const struct comparison_set set = {.item_count = 5,
                                       .item_blocks = blocks,
                                       .block_count = 1,
                                       .count = 2,
                                       .starts = starts,
                                       .items = items};
    SCOPED(comparison_cut) struct comparison_cut cut = {.items_max = 3, .seed = 1};
    assert_ok(comparison_cut_make(&set, is_used, &cut, &err), &err);
    assert_int_equal(cut.count, 2);
    assert_int_not_equal(cut.example_of[0], cut.example_of[1]);
}

static enum err_code cut_once(void *context, struct error *err) {
    const struct comparison_set *set = context;
    bool is_used[PROMPTS * PAIRS];
    choose(is_used);
    SCOPED(comparison_cut) struct comparison_cut cut = {.items_max = 8, .seed = 5};
    SCOPED(mem) int64_t *items = NULL;
    SCOPED(comparison_set) struct comparison_set examples = COMPARISON_SET_INIT;
    TRY(comparison_cut_make(set, is_used, &cut, err));
    return comparison_set_part(set, cut.example_of, cut.count, &examples, &items, err);
}

static void test_cut__survives_every_failing_allocation(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set;
    make_round_robin(&set);
    alloc_loop_check(cut_once, &set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut__puts_each_comparison_into_one_small_example),
        cmocka_unit_test(test_cut__takes_a_prompt_whole_where_it_may),
        cmocka_unit_test(test_cut__leaves_a_long_ranking_whole),
        cmocka_unit_test(test_cut__survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
