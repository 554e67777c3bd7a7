/* The G2 test: against numbers worked by hand, and by its error rates over simulated data. */
#include "reward/bt_test.h"

#include "base/rng.h"
#include "reward/bt_cells.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/comparison_sample.h"
#include "tests/support/near.h"
#include "tests/support/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS 6

static struct bt_test test_of(const struct comparison_set *set, struct bt_test_options options) {
    struct bt_test test;
    struct error err = ERROR_INIT;
    assert_ok(bt_test_run(set, &options, &test, &err), &err);
    return test;
}

static void add_wins(struct comparison_set *set, int32_t winner, int32_t loser, double times) {
    comparison_sample_win(set, winner, loser);
    comparison_sample_set_weight(set, times);
}

/* ---- exact values ---- */

/* A circle, each beating the next 30 : 10: by symmetry all rewards are equal, p = 1/2, and
 * G2 = 3 * 2 * (30 log(30/20) + 10 log(10/20)) = 6 * (12.16395 - 6.93147) = 31.39488, one degree of
 * freedom; the proportions are off by 1/4 everywhere; their noise is
 * (3/4) (1/4) / 39, of which one of three cells' worth is left. */
static void test_bt_test__circle_by_hand(void **state) {
    (void)state;
    struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 3);
    for (int32_t i = 0; i < 3; i++) {
        add_wins(&set, i, (i + 1) % 3, 30.0);
        add_wins(&set, (i + 1) % 3, i, 10.0);
        comparison_sample_tie(&set, i, (i + 1) % 3); /* left out */
    }
    struct bt_test test = test_of(&set, (struct bt_test_options){.seed = 1});
    double g2 = 6.0 * (30.0 * log(1.5) + 10.0 * log(0.5));
    assert_int_equal(test.skipped, BT_TEST_DONE);
    assert_near(test.g2, g2, 1e-9);
    assert_int_equal(test.degrees, 1);
    assert_int_equal(test.cells, 3);
    assert_near(test.judgements, 120.0, 0.0);
    assert_near(test.p_value, erfc(sqrt(0.5 * g2)), 1e-12); /* chi-square with one degree */
    assert_int_equal(test.replicates, 0);
    assert_near(test.distance, sqrt(0.0625 - 0.1875 / 39.0 / 3.0), 1e-9);
    comparison_set_deinit(&set);
}

/* Counts that Bradley-Terry fits exactly: odds 1 : 2 : 4. */
static void test_bt_test__exact_fit_is_zero(void **state) {
    (void)state;
    struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 3);
    add_wins(&set, 1, 0, 20.0);
    add_wins(&set, 0, 1, 10.0);
    add_wins(&set, 2, 1, 20.0);
    add_wins(&set, 1, 2, 10.0);
    add_wins(&set, 2, 0, 40.0);
    add_wins(&set, 0, 2, 10.0);
    struct bt_test test = test_of(&set, (struct bt_test_options){.seed = 1});
    assert_near(test.g2, 0.0, 1e-9);
    assert_near(test.p_value, 1.0, 1e-4);
    assert_near(test.distance, 0.0, 0.0);
    comparison_set_deinit(&set);
}

/* An item that always loses has no finite reward; its cells fit exactly and cost nothing. The rest
 * is the circle above. */
static void test_bt_test__separated_items_neither_count_nor_cost(void **state) {
    (void)state;
    struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 5);
    for (int32_t i = 0; i < 3; i++) {
        add_wins(&set, i, (i + 1) % 3, 30.0);
        add_wins(&set, (i + 1) % 3, i, 10.0);
        add_wins(&set, i, 3, 5.0);
        add_wins(&set, 4, i, 4.0);
    }
    struct bt_test test = test_of(&set, (struct bt_test_options){.seed = 1});
    assert_near(test.g2, 6.0 * (30.0 * log(1.5) + 10.0 * log(0.5)), 1e-9);
    assert_int_equal(test.degrees, 1);
    assert_near(test.settled, 27.0, 0.0);
    comparison_set_deinit(&set);
}

/* The circle again, with a chain 0 - 3 - 4 hung on, and pairs 5 - 6 and 7 - 8 apart, 7
 * shown first: none of these can be off, so nothing of the circle's test changes. */
static void test_bt_test__what_nothing_contradicts_changes_nothing(void **state) {
    (void)state;
    struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 9);
    static const int32_t loose[][2] = {{0, 3}, {3, 4}, {5, 6}, {7, 8}};
    for (size_t k = 0; k < sizeof loose / sizeof *loose; k++) {
        bool is_last = k == sizeof loose / sizeof *loose - 1;
        add_wins(&set, loose[k][0], loose[k][1], 2.0);
        comparison_sample_set_positions(&set, (const int32_t[]){is_last, 2 * is_last});
        add_wins(&set, loose[k][1], loose[k][0], 1.0);
        comparison_sample_set_positions(&set, (const int32_t[]){2 * is_last, is_last});
    }
    for (int32_t i = 0; i < 3; i++) {
        add_wins(&set, i, (i + 1) % 3, 30.0);
        add_wins(&set, (i + 1) % 3, i, 10.0);
    }
    struct bt_test test = test_of(&set, (struct bt_test_options){.seed = 1});
    double g2 = 6.0 * (30.0 * log(1.5) + 10.0 * log(0.5));
    assert_near(test.g2, g2, 1e-9);
    assert_int_equal(test.degrees, 1);
    assert_false(test.position);
    assert_int_equal(test.cells, 3);
    assert_near(test.judgements, 120.0, 0.0);
    assert_near(test.sparse, 0.0, 0.0);
    assert_int_equal(test.replicates, 0); /* though most cells of the whole set are sparse */
    assert_near(test.p_value, erfc(sqrt(0.5 * g2)), 1e-12);
    assert_near(test.distance, sqrt(0.0625 - 0.1875 / 39.0 / 3.0), 1e-9);
    comparison_set_deinit(&set);
}

/* Of a ranking of three and pairs hung on, the bootstrap is that of the ranking alone. */
static void test_bt_test_of_rankings__leaves_out_pairs_hung_on(void **state) {
    (void)state;
    struct bt_test tests[2];
    for (int hung = 0; hung < 2; hung++) {
        struct comparison_set set = COMPARISON_SET_INIT;
        comparison_sample_init(&set, 5);
        for (int k = 0; k < 12; k++) {
            comparison_sample_add(&set, 3, (const int32_t[]){k % 3, (k + 1) % 3, (k + 2) % 3},
                                  (const int32_t[]){1, 2, 3});
            if (hung) {
                comparison_sample_win(&set, 0, 3);
                comparison_sample_win(&set, 4, 0);
            }
        }
        tests[hung] = test_of(&set, (struct bt_test_options){.seed = 9});
        comparison_set_deinit(&set);
    }
    assert_int_equal(tests[0].cells, 3);
    assert_true(tests[0].replicates > 0);
    assert_near(tests[1].g2, tests[0].g2, 0.0);
    assert_near(tests[1].p_value, tests[0].p_value, 0.0);
    assert_int_equal(tests[1].replicates, tests[0].replicates);
}

/* Two items, each winning 30 : 10 at home: the effect of the order explains all of it, and without
 * the order nothing is left but one cell of 40 : 40. */
static void test_bt_test__order_shown_is_fitted(void **state) {
    (void)state;
    struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 3);
    for (int32_t i = 0; i < 3; i++) {
        for (int32_t j = 0; j < 3; j++) {
            if (i != j) { /* i is shown first */
                add_wins(&set, i, j, 30.0);
                comparison_sample_set_positions(&set, (const int32_t[]){1, 2});
                add_wins(&set, j, i, 10.0);
                comparison_sample_set_positions(&set, (const int32_t[]){2, 1});
            }
        }
    }
    struct bt_test test = test_of(&set, (struct bt_test_options){.seed = 1});
    assert_true(test.position);
    assert_near(test.position_effect, log(3.0), 1e-7);
    assert_near(test.g2, 0.0, 1e-9);
    assert_int_equal(test.cells, 6);
    assert_int_equal(test.degrees, 6 - 2 - 1);
    comparison_set_deinit(&set);
}

static void test_bt_test__says_why_there_is_none(void **state) {
    (void)state;
    struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 3);
    add_wins(&set, 0, 1, 1.0);
    add_wins(&set, 1, 2, 1.0);
    add_wins(&set, 2, 0, 1.0);
    struct bt_test_options options = {.seed = 1};
    assert_int_equal(test_of(&set, options).skipped, BT_TEST_ONCE);
    set.weights[0] = 1.5;
    assert_int_equal(test_of(&set, options).skipped, BT_TEST_WEIGHTS);
    comparison_set_deinit(&set);

    comparison_sample_init(&set, 2);
    add_wins(&set, 0, 1, 5.0);
    add_wins(&set, 1, 0, 3.0);
    assert_int_equal(test_of(&set, options).skipped, BT_TEST_FREEDOM);
    comparison_set_deinit(&set);
}

/* ---- error rates ---- */

static void simulate_pairs(struct comparison_set *set, uint64_t seed, int64_t number,
                           double per_cell, const double *rewards, double circle) {
    struct rng rng = rng_stream(seed, RNG_TEST, 1, number);
    comparison_sample_init(set, ITEMS);
    for (int32_t i = 0; i < ITEMS; i++) {
        for (int32_t j = i + 1; j < ITEMS; j++) {
            double logit = rewards[i] - rewards[j] + ((j - i) % 2 == 1 ? circle : -circle);
            double wins = 0.0;
            for (int64_t n = 0; n < (int64_t)per_cell; n++) {
                wins += rng_uniform(&rng) < 1.0 / (1.0 + exp(-logit));
            }
            if (wins > 0.0) {
                add_wins(set, i, j, wins);
            }
            if (wins < per_cell) {
                add_wins(set, j, i, per_cell - wins);
            }
        }
    }
}

/* Simulated data sets, and bounds on how many of them are rejected at 5 %: the binomial's quantiles
 * at 0.0005 and 0.9995, but never none. */
struct campaign {
    int64_t tests;
    int64_t least, most;
};

/* ACCORD_LONG_TESTS=1 is for changes to the test itself: minutes under a sanitizer. */
static struct campaign choose_campaign(struct campaign usual, struct campaign thorough) {
    return getenv("ACCORD_LONG_TESTS") ? thorough : usual;
}

static void check_campaign(const char *what, struct campaign campaign, int64_t rejected) {
    print_message("%s: %lld of %lld rejected\n", what, (long long)rejected,
                  (long long)campaign.tests);
    assert_in_range(rejected, campaign.least, campaign.most);
}

static int64_t count_pair_rejections(int64_t tests, double per_cell, double circle,
                                     struct bt_test_options options) {
    const double rewards[ITEMS] = {-1.0, -0.5, -0.2, 0.2, 0.6, 0.9};
    int64_t rejected = 0;
    for (int64_t k = 0; k < tests; k++) {
        struct comparison_set set = COMPARISON_SET_INIT;
        simulate_pairs(&set, 7, k, per_cell, rewards, circle);
        options.seed = (uint64_t)k;
        struct bt_test test = test_of(&set, options);
        rejected += test.skipped == BT_TEST_DONE && test.p_value <= 0.05;
        comparison_set_deinit(&set);
    }
    return rejected;
}

static void test_bt_test_of_pairs__rejects_the_truth_at_its_level(void **state) {
    (void)state;
    const struct campaign campaign = {1000, 29, 74};
    check_campaign(
        "pairs, chi-square", campaign,
        count_pair_rejections(campaign.tests, 100.0, 0.0, (struct bt_test_options){.seed = 0}));
}

/* Three judgements a cell: far too few for chi-square. Discrete data make the bootstrap somewhat
 * conservative, so only the upper end is sharp. */
static void test_bt_test_of_sparse_pairs__bootstraps_at_its_level(void **state) {
    (void)state;
    const struct campaign campaign =
        choose_campaign((struct campaign){100, 1, 13}, (struct campaign){200, 2, 21});
    check_campaign(
        "sparse pairs, bootstrap", campaign,
        count_pair_rejections(campaign.tests, 3.0, 0.0, (struct bt_test_options){.seed = 0}));
}

static void test_bt_test_of_pairs__finds_circles(void **state) {
    (void)state;
    int64_t rejected = count_pair_rejections(50, 100.0, 0.5, (struct bt_test_options){.seed = 0});
    assert_int_equal(rejected, 50);
}

static void simulate_rankings(struct comparison_set *set, uint64_t seed, int64_t number,
                              int64_t count, const double rewards[2][ITEMS]) {
    struct rng rng = rng_stream(seed, RNG_TEST, 2, number);
    comparison_sample_init(set, ITEMS);
    for (int64_t n = 0; n < count; n++) {
        const double *r = rewards[n % 2];
        int32_t items[ITEMS];
        double left[ITEMS];
        int32_t ranks[ITEMS];
        for (int32_t i = 0; i < ITEMS; i++) {
            left[i] = exp(r[i]);
        }
        /* one choice after the other: not the way the code under test simulates */
        for (int32_t place = 0; place < ITEMS; place++) {
            double total = 0.0;
            for (int32_t i = 0; i < ITEMS; i++) {
                total += left[i];
            }
            double u = rng_uniform(&rng) * total;
            int32_t i = 0;
            while (i + 1 < ITEMS && (left[i] == 0.0 || u >= left[i])) {
                u -= left[i];
                i++;
            }
            while (left[i] == 0.0) {
                i--; /* rounding at the upper end */
            }
            items[place] = i;
            ranks[place] = place + 1;
            left[i] = 0.0;
        }
        comparison_sample_add(set, ITEMS, items, ranks);
    }
}

static int64_t count_ranking_rejections(int64_t tests, int64_t rankings,
                                        const double rewards[2][ITEMS], int64_t *out_chi_square) {
    int64_t rejected = 0;
    *out_chi_square = 0;
    for (int64_t k = 0; k < tests; k++) {
        struct comparison_set set = COMPARISON_SET_INIT;
        simulate_rankings(&set, 11, k, rankings, rewards);
        struct bt_test test = test_of(&set, (struct bt_test_options){.seed = (uint64_t)k});
        assert_true(test.rankings);
        assert_true(isnan(test.p_chi_square));
        rejected += test.p_value <= 0.05;
        *out_chi_square += test.g2 > 18.307; /* the 95 % point of chi-square, 10 degrees */
        comparison_set_deinit(&set);
    }
    return rejected;
}

static void test_bt_test_of_rankings__rejects_the_truth_at_its_level(void **state) {
    (void)state;
    const double rewards[2][ITEMS] = {{-1.0, -0.5, -0.2, 0.2, 0.6, 0.9},
                                      {-1.0, -0.5, -0.2, 0.2, 0.6, 0.9}};
    int64_t chi_square = 0;
    const struct campaign campaign =
        choose_campaign((struct campaign){60, 1, 10}, (struct campaign){300, 4, 29});
    check_campaign("rankings, bootstrap", campaign,
                   count_ranking_rejections(campaign.tests, 60, rewards, &chi_square));
    print_message("chi-square would reject %lld\n", (long long)chi_square);
}

/* Two groups of people with orders of their own: no single set of rewards. */
static void test_bt_test_of_rankings__finds_two_populations(void **state) {
    (void)state;
    const double rewards[2][ITEMS] = {{-2.0, -1.0, 0.0, 0.5, 1.0, 1.5},
                                      {2.0, -1.5, 1.0, -0.5, 0.0, -1.0}};
    int64_t chi_square = 0;
    const struct campaign campaign =
        choose_campaign((struct campaign){4, 4, 4}, (struct campaign){50, 48, 50});
    check_campaign("two populations", campaign,
                   count_ranking_rejections(campaign.tests, 200, rewards, &chi_square));
}

/* ---- the rest ---- */

static void test_bt_test__repeats_and_does_not_depend_on_names(void **state) {
    (void)state;
    const double rewards[ITEMS] = {-1.0, -0.5, -0.2, 0.2, 0.6, 0.9};
    struct comparison_set set = COMPARISON_SET_INIT;
    simulate_pairs(&set, 3, 0, 3.0, rewards, 0.0);
    struct bt_test_options options = {.seed = 5, .bootstrap_always = true};
    struct bt_test one = test_of(&set, options);
    struct bt_test two = test_of(&set, options);
    assert_memory_equal(&one.p_value, &two.p_value, sizeof one.p_value);
    assert_true(one.replicates > 0);
    for (int64_t m = 0; m < set.starts[set.count]; m++) {
        set.items[m] = ITEMS - 1 - set.items[m];
    }
    assert_near(test_of(&set, options).g2, one.g2, 1e-8);
    comparison_set_deinit(&set);
}

static enum err_code run_once(void *context, struct error *err) {
    struct bt_test test;
    struct bt_test_options options = {.seed = 1, .bootstrap_always = true};
    return bt_test_run(context, &options, &test, err);
}

static void test_bt_test__out_of_memory(void **state) {
    (void)state;
    struct comparison_set set = COMPARISON_SET_INIT;
    const double rewards[2][ITEMS] = {{-1.0, -0.5, -0.2, 0.2, 0.6, 0.9}, {1.0, -0.5, 0, 0, 0.6, 0}};
    comparison_sample_init(&set, 4);
    for (int32_t i = 0; i < 3; i++) {
        add_wins(&set, i, (i + 1) % 3, 2.0);
        add_wins(&set, (i + 1) % 3, i, 2.0);
    }
    add_wins(&set, 3, 0, 2.0);
    alloc_loop_check(run_once, &set);
    comparison_set_deinit(&set);
    simulate_rankings(&set, 11, 0, 5, rewards);
    alloc_loop_check(run_once, &set);
    comparison_set_deinit(&set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bt_test__circle_by_hand),
        cmocka_unit_test(test_bt_test__exact_fit_is_zero),
        cmocka_unit_test(test_bt_test__separated_items_neither_count_nor_cost),
        cmocka_unit_test(test_bt_test__what_nothing_contradicts_changes_nothing),
        cmocka_unit_test(test_bt_test_of_rankings__leaves_out_pairs_hung_on),
        cmocka_unit_test(test_bt_test__order_shown_is_fitted),
        cmocka_unit_test(test_bt_test__says_why_there_is_none),
        cmocka_unit_test(test_bt_test_of_pairs__rejects_the_truth_at_its_level),
        cmocka_unit_test(test_bt_test_of_sparse_pairs__bootstraps_at_its_level),
        cmocka_unit_test(test_bt_test_of_pairs__finds_circles),
        cmocka_unit_test(test_bt_test_of_rankings__rejects_the_truth_at_its_level),
        cmocka_unit_test(test_bt_test_of_rankings__finds_two_populations),
        cmocka_unit_test(test_bt_test__repeats_and_does_not_depend_on_names),
        cmocka_unit_test(test_bt_test__out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
