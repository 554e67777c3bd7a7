#include "reward/pair_table.h"

#include "base/rng.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/comparison_sample.h"
#include "tests/support/near.h"
#include "tests/support/test.h"

#include <math.h>

/* The cell of i < j and side; -1 where there is none. */
static int64_t find_cell(const struct pair_table *table, int64_t i, int32_t j, int8_t side) {
    for (int64_t c = table->starts[i]; c < table->starts[i + 1]; c++) {
        if (table->others[c] == j && table->sides[c] == side) {
            return c;
        }
    }
    return -1;
}

static void check_cell(const struct pair_table *table, int64_t i, int32_t j, int8_t side,
                       const double weights[3]) {
    int64_t c = find_cell(table, i, j, side);
    assert_true(c >= 0);
    assert_near(table->wins[c], weights[0], 0.0);
    assert_near(table->losses[c], weights[1], 0.0);
    assert_near(table->ties[c], weights[2], 0.0);
}

static void build(const struct comparison_set *set, enum pair_ties ties, struct pair_table *table) {
    struct error err = ERROR_INIT;
    assert_ok(pair_table_build(set, ties, table, &err), &err);
}

/* By hand:
 *   2 over 0, 2 first          cell (0, 2, -1): j wins 1
 *   0 over 2, 2 first          cell (0, 2, -1): i wins 1
 *   0 over 2, weight 2.5       cell (0, 2, 0): i wins 2.5
 *   0 ties 1, 0 first, twice   cell (0, 1, 1): ties 2 */
static void fill_by_hand(struct comparison_set *set) {
    comparison_sample_init(set, 3);
    comparison_sample_win(set, 2, 0);
    comparison_sample_set_positions(set, (int32_t[]){1, 2});
    comparison_sample_win(set, 0, 2);
    comparison_sample_set_positions(set, (int32_t[]){2, 1});
    comparison_sample_win(set, 0, 2);
    comparison_sample_set_weight(set, 2.5);
    for (int k = 0; k < 2; k++) {
        comparison_sample_tie(set, 0, 1);
        comparison_sample_set_positions(set, (int32_t[]){1, 2});
    }
}

static void test_pair_table__counts_by_pair_and_side(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(pair_table) struct pair_table table = PAIR_TABLE_INIT;
    fill_by_hand(&set);
    build(&set, PAIR_TIES_KEEP, &table);
    assert_int_equal(table.count, 3);
    check_cell(&table, 0, 1, 1, (double[]){0.0, 0.0, 2.0});
    check_cell(&table, 0, 2, -1, (double[]){1.0, 1.0, 0.0});
    check_cell(&table, 0, 2, 0, (double[]){2.5, 0.0, 0.0});
    assert_int_equal(table.others[0], 1); /* sorted by j, then side */
    assert_int_equal(table.sides[1], -1);
    assert_near(table.weight, 6.5, 0.0);
    assert_int_equal(table.pairs, 5);
    assert_int_equal(table.tied, 2);
    assert_int_equal(table.rankings, 0);
}

static void test_pair_table__ties_half_or_dropped(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(pair_table) struct pair_table half = PAIR_TABLE_INIT;
    SCOPED(pair_table) struct pair_table dropped = PAIR_TABLE_INIT;
    fill_by_hand(&set);
    build(&set, PAIR_TIES_HALF, &half);
    check_cell(&half, 0, 1, 1, (double[]){1.0, 1.0, 0.0});
    build(&set, PAIR_TIES_DROP, &dropped);
    assert_int_equal(find_cell(&dropped, 0, 1, 1), -1);
    assert_int_equal(dropped.tied, 2);
    assert_int_equal(dropped.pairs, 3);
    assert_near(dropped.weight, 4.5, 0.0);
}

static void test_pair_table__merged_sides(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(pair_table) struct pair_table table = PAIR_TABLE_INIT;
    SCOPED(pair_table) struct pair_table merged = PAIR_TABLE_INIT;
    struct error err = ERROR_INIT;
    fill_by_hand(&set);
    build(&set, PAIR_TIES_KEEP, &table);
    assert_ok(pair_table_merge_sides(&table, &merged, &err), &err);
    assert_int_equal(merged.count, 2);
    check_cell(&merged, 0, 1, 0, (double[]){0.0, 0.0, 2.0});
    check_cell(&merged, 0, 2, 0, (double[]){3.5, 1.0, 0.0});
    assert_int_equal(merged.starts[3], 2);
    assert_near(merged.weight, 6.5, 0.0);
}

/* 3 > 1 = 0 > 2, shown 0, 1, 2, 3 as first, second, ...: six pairs, one tied. */
static void test_pair_table__ranking_is_all_its_pairs(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(pair_table) struct pair_table table = PAIR_TABLE_INIT;
    comparison_sample_init(&set, 4);
    comparison_sample_add(&set, 4, (int32_t[]){3, 1, 0, 2}, (int32_t[]){1, 2, 2, 3});
    comparison_sample_set_positions(&set, (int32_t[]){4, 2, 1, 3});
    comparison_sample_set_weight(&set, 0.5);
    build(&set, PAIR_TIES_KEEP, &table);
    assert_int_equal(table.count, 6);
    check_cell(&table, 0, 1, 1, (double[]){0.0, 0.0, 0.5});
    check_cell(&table, 0, 2, 1, (double[]){0.5, 0.0, 0.0});
    check_cell(&table, 0, 3, 1, (double[]){0.0, 0.5, 0.0});
    check_cell(&table, 1, 2, 1, (double[]){0.5, 0.0, 0.0});
    check_cell(&table, 1, 3, 1, (double[]){0.0, 0.5, 0.0});
    check_cell(&table, 2, 3, 1, (double[]){0.0, 0.5, 0.0});
    assert_int_equal(table.rankings, 1);
    assert_int_equal(table.tied, 1);
}

/* 0 chosen among 0, 1, 2: the pair (1, 2) was never looked at. */
static void test_pair_table__last_unordered_is_no_tie(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(pair_table) struct pair_table table = PAIR_TABLE_INIT;
    comparison_sample_init(&set, 3);
    comparison_sample_tie(&set, 1, 2);
    comparison_sample_add(&set, 3, (int32_t[]){0, 1, 2}, (int32_t[]){1, 2, 2});
    comparison_sample_set_last_unordered(&set);
    build(&set, PAIR_TIES_KEEP, &table);
    assert_int_equal(table.pairs, 3);
    assert_int_equal(table.tied, 1);
    check_cell(&table, 1, 2, 0, (double[]){0.0, 0.0, 1.0});
}

static void test_pair_table__nothing_in_it(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(pair_table) struct pair_table table = PAIR_TABLE_INIT;
    comparison_sample_init(&set, 2);
    build(&set, PAIR_TIES_KEEP, &table);
    assert_int_equal(table.count, 0);
    assert_int_equal(table.starts[2], 0);
}

static void test_pair_table__weight_must_be_positive(void **state) {
    (void)state;
    const double bad[] = {0.0, -1.0, (double)NAN, (double)INFINITY};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
        struct pair_table table = PAIR_TABLE_INIT;
        struct error err = ERROR_INIT;
        comparison_sample_init(&set, 2);
        comparison_sample_win(&set, 0, 1);
        comparison_sample_win(&set, 0, 1);
        comparison_sample_set_weight(&set, bad[k]);
        assert_fails(pair_table_build(&set, PAIR_TIES_KEEP, &table, &err), ERR_DATA,
                     "comparison 2 has weight", &err);
        assert_null(table.starts);
    }
}

#define ITEMS 9

/* Sums by items i < j, side -1, 0, 1 and outcome. */
typedef double plain_sums[ITEMS][ITEMS][3][3];

static void add_random(struct comparison_set *set, struct rng *rng, plain_sums plain) {
    int32_t a = (int32_t)rng_below(rng, ITEMS);
    int32_t b = (a + 1 + (int32_t)rng_below(rng, ITEMS - 1)) % ITEMS;
    int32_t shown = (int32_t)rng_below(rng, 3); /* 0: not known; 1: a first; 2: b first */
    bool is_tie = rng_below(rng, 4) == 0;
    double weight = 0.25 * (double)(1 + rng_below(rng, 8));
    comparison_sample_add(set, 2, (int32_t[]){a, b}, (int32_t[]){1, is_tie ? 1 : 2});
    comparison_sample_set_weight(set, weight);
    comparison_sample_set_positions(set, (int32_t[]){shown, shown == 0 ? 0 : 3 - shown});
    int side = shown == 0 ? 0 : (shown == 1) == (a < b) ? 1 : -1;
    int outcome = is_tie ? 2 : a < b ? 0 : 1;
    plain[a < b ? a : b][a < b ? b : a][side + 1][outcome] += weight;
}

static void test_pair_table__equals_plain_counting(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct rng rng = rng_stream(seed, RNG_TEST, 0, 0);
        SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
        SCOPED(pair_table) struct pair_table table = PAIR_TABLE_INIT;
        plain_sums plain;
        memset(plain, 0, sizeof plain);
        comparison_sample_init(&set, ITEMS);
        for (int n = 0; n < 300; n++) {
            add_random(&set, &rng, plain);
        }
        build(&set, PAIR_TIES_KEEP, &table);
        int64_t cells = 0;
        for (int32_t k = 0; k < ITEMS * ITEMS * 3; k++) {
            int32_t i = k / (3 * ITEMS), j = k / 3 % ITEMS;
            const double *sums = plain[i][j][k % 3];
            if (sums[0] + sums[1] + sums[2] > 0.0) {
                check_cell(&table, i, j, (int8_t)(k % 3 - 1), sums);
                cells++;
            }
        }
        assert_int_equal(table.count, cells);
    }
}

static enum err_code build_by_hand(void *context, struct error *err) {
    SCOPED(pair_table) struct pair_table table = PAIR_TABLE_INIT;
    return pair_table_build(context, PAIR_TIES_KEEP, &table, err);
}

static void test_pair_table__every_allocation_may_fail(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    fill_by_hand(&set);
    alloc_loop_check(build_by_hand, &set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pair_table__counts_by_pair_and_side),
        cmocka_unit_test(test_pair_table__ties_half_or_dropped),
        cmocka_unit_test(test_pair_table__merged_sides),
        cmocka_unit_test(test_pair_table__ranking_is_all_its_pairs),
        cmocka_unit_test(test_pair_table__last_unordered_is_no_tie),
        cmocka_unit_test(test_pair_table__nothing_in_it),
        cmocka_unit_test(test_pair_table__weight_must_be_positive),
        cmocka_unit_test(test_pair_table__equals_plain_counting),
        cmocka_unit_test(test_pair_table__every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
