#include "data/stats_transitivity.h"

#include "base/rng.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/comparison_sample.h"
#include "tests/support/near.h"
#include "tests/support/test.h"

#include <stdbool.h>
#include <stdlib.h>

static struct stats_transitivity transitivity_of(const struct comparison_set *set) {
    SCOPED(stats_pairs) struct stats_pairs pairs = STATS_PAIRS_INIT;
    struct stats_transitivity t;
    struct error err = ERROR_INIT;
    assert_ok(stats_pairs_init(&pairs, set, 1, &err), &err);
    assert_ok(stats_transitivity_of(set, &pairs, 1, &t, &err), &err);
    return t;
}

/* a > b > c > a in block 0; a > b > c and a > c in block 1, where the majority of weight decides
 * the last pair: one of two tournaments is a circle. Each holds at most one: zeta is 1 - 1/2. */
static void test_stats_transitivity__circle_and_order(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 6);
    for (int32_t i = 3; i < 6; i++) {
        comparison_sample_set_block(&set, i, 1);
    }
    comparison_sample_win(&set, 0, 1);
    comparison_sample_win(&set, 1, 2);
    comparison_sample_win(&set, 2, 0);
    comparison_sample_win(&set, 3, 4);
    comparison_sample_win(&set, 4, 5);
    comparison_sample_win(&set, 5, 3);
    comparison_sample_win(&set, 3, 5);
    comparison_sample_set_weight(&set, 1.5);
    struct stats_transitivity t = transitivity_of(&set);
    assert_int_equal(t.pairs, 6);
    assert_int_equal(t.tied_pairs, 0);
    assert_near(t.triples, 2.0, 0.0);
    assert_near(t.cyclic, 1.0, 0.0);
    assert_near(t.intransitive, 1.0, 0.0);
    assert_int_equal(t.tournaments, 2);
    assert_near(t.zeta, 0.5, 1e-15);
}

/* Every outcome of three pairs, 27 in all: 13 are weak orders (the ordered Bell number of 3), 2 are
 * circles. Tournaments among them are the 8 without ties. */
static void test_stats_transitivity__all_triples(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 3 * 27);
    for (int32_t k = 0; k < 27; k++) {
        const int outcomes[] = {k % 3, k / 3 % 3, k / 9};
        const int32_t pairs[3][2] = {{0, 1}, {1, 2}, {0, 2}};
        for (int32_t i = 0; i < 3; i++) {
            comparison_sample_set_block(&set, 3 * k + i, k);
        }
        for (int p = 0; p < 3; p++) {
            int32_t a = 3 * k + pairs[p][0];
            int32_t b = 3 * k + pairs[p][1];
            if (outcomes[p] == 0) {
                comparison_sample_tie(&set, a, b);
            } else {
                comparison_sample_win(&set, outcomes[p] == 1 ? a : b, outcomes[p] == 1 ? b : a);
            }
        }
    }
    struct stats_transitivity t = transitivity_of(&set);
    assert_near(t.triples, 27.0, 0.0);
    assert_near(t.cyclic, 2.0, 0.0);
    assert_near(t.intransitive, 14.0, 0.0);
    assert_int_equal(t.tournaments, 8);
    assert_int_equal(t.tied_pairs, 27);
}

/* A regular tournament of five, each beating the next two, has as many circles as can be: 5. */
static void test_stats_transitivity__regular_tournament_has_zeta_zero(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 5);
    for (int32_t i = 0; i < 5; i++) {
        comparison_sample_win(&set, i, (i + 1) % 5);
        comparison_sample_win(&set, i, (i + 2) % 5);
    }
    struct stats_transitivity t = transitivity_of(&set);
    assert_near(t.cyclic, 5.0, 0.0);
    assert_near(t.zeta, 0.0, 1e-15);
}

/* Outcomes of the pairs of up to 64 items, and what they come to. */
struct table {
    int32_t n;
    int8_t sign[64][64]; /* 1: row beats column */
    bool known[64][64];
    double triples, cyclic, intransitive;
};

/* Random outcomes on a part of the pairs. */
static void fill_table(struct table *t, struct rng *rng, double density, double ties) {
    for (int32_t k = 0; k < t->n * t->n; k++) {
        int32_t i = k / t->n;
        int32_t j = k % t->n;
        if (i < j) {
            double u = rng_uniform(rng);
            t->known[i][j] = t->known[j][i] = rng_uniform(rng) < density;
            t->sign[i][j] = (int8_t)(u < ties ? 0 : u < 0.5 + 0.5 * ties ? 1 : -1);
            t->sign[j][i] = (int8_t)-t->sign[i][j];
        }
    }
}

static void add_table(const struct table *t, struct comparison_set *set) {
    for (int32_t i = 0; i < t->n; i++) {
        for (int32_t j = i + 1; j < t->n; j++) {
            if (t->known[i][j] && t->sign[i][j] == 0) {
                comparison_sample_tie(set, i, j);
            } else if (t->known[i][j]) {
                comparison_sample_win(set, t->sign[i][j] > 0 ? i : j, t->sign[i][j] > 0 ? j : i);
            }
        }
    }
}

/* A weak order is what wins minus losses put in order. */
static void look_at(struct table *t, int i, int j, int k) {
    if (!t->known[i][j] || !t->known[j][k] || !t->known[i][k]) {
        return;
    }
    int8_t ij = t->sign[i][j];
    int8_t jk = t->sign[j][k];
    int8_t ik = t->sign[i][k];
    int wins[] = {ij + ik, jk - ij, -ik - jk};
    bool order = ij == (wins[0] > wins[1]) - (wins[0] < wins[1]) &&
                 jk == (wins[1] > wins[2]) - (wins[1] < wins[2]) &&
                 ik == (wins[0] > wins[2]) - (wins[0] < wins[2]);
    t->triples += 1.0;
    t->intransitive += !order;
    t->cyclic += ij != 0 && wins[0] == 0 && wins[1] == 0;
}

static void look_at_all(struct table *t) {
    for (int i = 0; i < t->n; i++) {
        for (int j = i + 1; j < t->n; j++) {
            for (int k = j + 1; k < t->n; k++) {
                look_at(t, i, j, k);
            }
        }
    }
}

static void check_random(int64_t number, int32_t n, double density, double ties) {
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    struct rng rng = rng_stream(4, RNG_TEST, 0, number);
    static struct table table;
    table = (struct table){.n = n};
    fill_table(&table, &rng, density, ties);
    comparison_sample_init(&set, n);
    add_table(&table, &set);
    look_at_all(&table);
    struct stats_transitivity t = transitivity_of(&set);
    assert_near(t.triples, table.triples, 0.0);
    assert_near(t.cyclic, table.cyclic, 0.0);
    assert_near(t.intransitive, table.intransitive, 0.0);
    assert_near(t.sampled, 1.0, 0.0);
}

static void test_stats_transitivity__equals_a_look_at_every_triple(void **state) {
    (void)state;
    for (int64_t number = 0; number < 60; number++) {
        int32_t n = (int32_t)(3 + number % 40);
        check_random(number, n, number % 3 == 0 ? 1.0 : 0.4, number % 2 == 0 ? 0.0 : 0.3);
    }
}

/* One item compared with all others, which are compared in part: lists of very different length. */
static void test_stats_transitivity__hub(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 201);
    for (int32_t i = 1; i <= 200; i++) {
        comparison_sample_win(&set, 0, i);
    }
    for (int32_t i = 1; i < 200; i += 2) {
        comparison_sample_win(&set, i, i + 1);
    }
    struct stats_transitivity t = transitivity_of(&set);
    assert_near(t.triples, 100.0, 0.0);
    assert_near(t.cyclic, 0.0, 0.0);
}

/* All pairs of 1,300 items but one: no tournament, and too much to count. By fair coins a quarter
 * of the triples are circles. */
static void test_stats_transitivity__large_graphs_are_sampled(void **state) {
    (void)state;
    enum { ITEMS = 1300 };
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    struct rng rng = rng_stream(5, RNG_TEST, 0, 0);
    comparison_sample_init(&set, ITEMS);
    for (int32_t k = 1; k < ITEMS * ITEMS; k++) {
        int32_t i = k / ITEMS;
        int32_t j = k % ITEMS;
        if (i < j && k > 1) {
            bool wins = rng_below(&rng, 2) == 1;
            comparison_sample_win(&set, wins ? i : j, wins ? j : i);
        }
    }
    struct stats_transitivity t = transitivity_of(&set);
    double triples = 1300.0 * 1299.0 * 1298.0 / 6.0 - 1298.0;
    assert_true(t.sampled < 1.0);
    assert_near(t.triples, triples, 0.01 * triples);
    assert_near(t.cyclic / t.triples, 0.25, 0.002);
    assert_int_equal(t.tournaments, 0);
}

static enum err_code run_all(void *context, struct error *err) {
    SCOPED(stats_pairs) struct stats_pairs pairs = STATS_PAIRS_INIT;
    struct stats_transitivity t;
    TRY(stats_pairs_init(&pairs, context, 1, err));
    return stats_transitivity_of(context, &pairs, 1, &t, err);
}

static void test_stats_transitivity__out_of_memory(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 3);
    comparison_sample_win(&set, 0, 1);
    comparison_sample_win(&set, 1, 2);
    alloc_loop_check(run_all, &set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stats_transitivity__circle_and_order),
        cmocka_unit_test(test_stats_transitivity__all_triples),
        cmocka_unit_test(test_stats_transitivity__regular_tournament_has_zeta_zero),
        cmocka_unit_test(test_stats_transitivity__equals_a_look_at_every_triple),
        cmocka_unit_test(test_stats_transitivity__hub),
        cmocka_unit_test(test_stats_transitivity__large_graphs_are_sampled),
        cmocka_unit_test(test_stats_transitivity__out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
