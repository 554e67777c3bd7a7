#include "reward/item_graph.h"

#include "base/rng.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/comparison_sample.h"
#include "tests/support/test.h"

static void of_set(const struct comparison_set *set, bool ties_connect, struct item_graph *graph) {
    struct error err = ERROR_INIT;
    item_graph_deinit(graph);
    assert_ok(item_graph_of_set(graph, set, ties_connect, &err), &err);
    assert_ok(item_graph_find_groups(graph, &err), &err);
}

/* 0 beat 1, 1 beat 2, 2 beat 0: one group; 3 beat 0: above them; 4 lost to 1: below; 5 alone. An
 * edge leads from the loser, so 3 has the smallest number and 4 the largest of the five. */
static void test_item_graph__groups_are_numbered_from_the_top(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(item_graph) struct item_graph graph = ITEM_GRAPH_INIT;
    comparison_sample_init(&set, 6);
    comparison_sample_win(&set, 0, 1);
    comparison_sample_win(&set, 1, 2);
    comparison_sample_win(&set, 2, 0);
    comparison_sample_win(&set, 3, 0);
    comparison_sample_win(&set, 1, 4);
    of_set(&set, true, &graph);
    assert_int_equal(graph.strong[0], graph.strong[1]);
    assert_int_equal(graph.strong[0], graph.strong[2]);
    assert_true(graph.strong[3] < graph.strong[0]);
    assert_true(graph.strong[4] > graph.strong[0]);
    assert_int_equal(graph.weak[3], graph.weak[4]);
    assert_int_not_equal(graph.weak[5], graph.weak[0]);
    assert_int_not_equal(graph.strong[5], graph.strong[0]);
}

static void test_item_graph__ties_connect_or_not(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(item_graph) struct item_graph graph = ITEM_GRAPH_INIT;
    comparison_sample_init(&set, 3);
    comparison_sample_tie(&set, 0, 2);
    of_set(&set, true, &graph);
    assert_int_equal(graph.strong[0], graph.strong[2]);
    of_set(&set, false, &graph);
    assert_int_not_equal(graph.weak[0], graph.weak[2]);
}

/* 0 chosen among three, the others not compared; against a ranking with a tie. */
static void test_item_graph__last_unordered_is_no_tie(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(item_graph) struct item_graph graph = ITEM_GRAPH_INIT;
    comparison_sample_init(&set, 3);
    comparison_sample_add(&set, 3, (int32_t[]){0, 1, 2}, (int32_t[]){1, 2, 2});
    of_set(&set, true, &graph);
    assert_int_equal(graph.strong[1], graph.strong[2]);
    comparison_sample_set_last_unordered(&set);
    of_set(&set, true, &graph);
    assert_int_not_equal(graph.strong[1], graph.strong[2]);
    assert_int_equal(graph.weak[1], graph.weak[2]);
}

#define ITEMS 7

/* One step along the pairs of one ranking. */
static void reach_once(const struct comparison_set *set, int64_t c, bool ties_connect,
                       bool out[ITEMS][ITEMS]) {
    int64_t end = set->starts[c + 1];
    bool is_open = set->last_unordered && set->last_unordered[c];
    for (int64_t m = set->starts[c]; m < end; m++) {
        bool is_tied_to_last = set->ranks[m] == set->ranks[end - 1];
        for (int64_t w = m + 1; w < end; w++) {
            bool is_tie = set->ranks[m] == set->ranks[w];
            bool is_link = is_tie && ties_connect && !(is_open && is_tied_to_last);
            out[set->items[w]][set->items[m]] |= !is_tie || is_link;
            out[set->items[m]][set->items[w]] |= is_link;
        }
    }
}

/* Who can be reached from whom by every pair of every ranking, by Warshall's algorithm. */
static void reach(const struct comparison_set *set, bool ties_connect, bool out[ITEMS][ITEMS]) {
    memset(out, 0, sizeof(bool[ITEMS][ITEMS]));
    for (int i = 0; i < ITEMS; i++) {
        out[i][i] = true;
    }
    for (int64_t c = 0; c < set->count; c++) {
        reach_once(set, c, ties_connect, out);
    }
    for (int k = 0; k < ITEMS; k++) {
        for (int i = 0; i < ITEMS; i++) {
            for (int j = 0; j < ITEMS; j++) {
                out[i][j] = out[i][j] || (out[i][k] && out[k][j]);
            }
        }
    }
}

static void add_ranking(struct comparison_set *set, struct rng *rng) {
    int64_t order[ITEMS];
    int32_t items[ITEMS], ranks[ITEMS];
    int64_t k = 2 + rng_below(rng, ITEMS - 1);
    for (int64_t i = 0; i < ITEMS; i++) {
        order[i] = i;
    }
    rng_shuffle(rng, order, ITEMS);
    for (int64_t i = 0; i < k; i++) {
        items[i] = (int32_t)order[i];
        ranks[i] = i == 0 ? 1 : ranks[i - 1] + (int32_t)rng_below(rng, 2);
    }
    comparison_sample_add(set, k, items, ranks);
    if (rng_below(rng, 3) == 0) {
        comparison_sample_set_last_unordered(set);
    }
}

static void test_item_graph__groups_are_mutual_reachability(void **state) {
    (void)state;
    for (int64_t seed = 0; seed < 400; seed++) {
        struct rng rng = rng_stream((uint64_t)seed, RNG_TEST, 1, 0);
        SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
        SCOPED(item_graph) struct item_graph graph = ITEM_GRAPH_INIT;
        SCOPED(item_graph) struct item_graph of_pairs = ITEM_GRAPH_INIT;
        SCOPED(pair_table) struct pair_table table = PAIR_TABLE_INIT;
        struct error err = ERROR_INIT;
        bool ties_connect = seed % 2 == 0;
        bool reached[ITEMS][ITEMS];
        comparison_sample_init(&set, ITEMS);
        for (int64_t n = rng_below(&rng, 5); n >= 0; n--) {
            add_ranking(&set, &rng);
        }
        of_set(&set, ties_connect, &graph);
        enum pair_ties ties = ties_connect ? PAIR_TIES_KEEP : PAIR_TIES_DROP;
        assert_ok(pair_table_build(&set, ties, &table, &err), &err);
        assert_ok(item_graph_of_pairs(&of_pairs, &table, false, &err), &err);
        assert_ok(item_graph_find_groups(&of_pairs, &err), &err);
        reach(&set, ties_connect, reached);
        for (int k = 0; k < ITEMS * ITEMS; k++) {
            int i = k / ITEMS, j = k % ITEMS;
            bool is_mutual = reached[i][j] && reached[j][i];
            assert_int_equal(graph.strong[i] == graph.strong[j], is_mutual);
            assert_int_equal(of_pairs.strong[i] == of_pairs.strong[j], is_mutual);
            assert_int_equal(graph.weak[i] == graph.weak[j], of_pairs.weak[i] == of_pairs.weak[j]);
            if (reached[i][j] && !is_mutual) {
                assert_true(graph.strong[j] < graph.strong[i]);
                assert_int_equal(graph.weak[i], graph.weak[j]);
            }
        }
    }
}

/* Would end any recursion. */
static void test_item_graph__chain_of_a_million(void **state) {
    (void)state;
    enum { LONG = 1000000 };
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(item_graph) struct item_graph graph = ITEM_GRAPH_INIT;
    comparison_sample_init(&set, LONG);
    for (int32_t i = 0; i + 1 < LONG; i++) {
        comparison_sample_win(&set, i + 1, i);
    }
    of_set(&set, true, &graph);
    assert_int_not_equal(graph.strong[0], graph.strong[LONG - 1]);
    comparison_sample_win(&set, 0, LONG - 1);
    of_set(&set, true, &graph);
    assert_int_equal(graph.strong[0], graph.strong[LONG - 1]);
    assert_int_equal(graph.strong[0], graph.strong[LONG / 2]);
}

static enum err_code make(void *context, struct error *err) {
    SCOPED(item_graph) struct item_graph graph = ITEM_GRAPH_INIT;
    TRY(item_graph_of_set(&graph, context, true, err));
    return item_graph_find_groups(&graph, err);
}

static void test_item_graph__every_allocation_may_fail(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 3);
    comparison_sample_win(&set, 2, 0);
    alloc_loop_check(make, &set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_item_graph__groups_are_numbered_from_the_top),
        cmocka_unit_test(test_item_graph__ties_connect_or_not),
        cmocka_unit_test(test_item_graph__last_unordered_is_no_tie),
        cmocka_unit_test(test_item_graph__groups_are_mutual_reachability),
        cmocka_unit_test(test_item_graph__chain_of_a_million),
        cmocka_unit_test(test_item_graph__every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
