/* Ties, order shown, length, and the rates they are made of. */
#include "data/stats_bias.h"

#include "base/scoped.h"
#include "base/special.h"
#include "data/stats_rate.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/comparison_sample.h"
#include "tests/support/near.h"
#include "tests/support/test.h"

#include <math.h>

/* ---- rates ---- */

static struct stats_rate rate_of(const double *hits, const double *trials, int64_t clusters) {
    SCOPED(stats_tally) struct stats_tally tally = STATS_TALLY_INIT;
    struct error err = ERROR_INIT;
    assert_ok(stats_tally_init(&tally, clusters, &err), &err);
    for (int64_t c = 0; c < clusters; c++) {
        stats_tally_add(&tally, c, hits[c], trials[c]);
    }
    return stats_tally_rate(&tally);
}

/* Ten prompts of four judgements that all go the same way, six up and four down: worth about ten
 * judgements, not forty. Between-prompt variance: 10/9 * (6 * 1.6^2 + 4 * 2.4^2) / 40^2 = 0.24/9;
 * over 0.24/40 that is 40/9. */
static void test_stats_rate__related_judgements_count_less(void **state) {
    (void)state;
    const double hits[] = {4, 4, 4, 4, 4, 4, 0, 0, 0, 0};
    const double trials[] = {4, 4, 4, 4, 4, 4, 4, 4, 4, 4};
    struct stats_rate rate = rate_of(hits, trials, 10);
    assert_near(rate.rate, 0.6, 1e-15);
    assert_near(rate.design_effect, 40.0 / 9.0, 1e-12);
    struct special_interval i = special_wilson(5.4, 9.0, STATS_Z);
    assert_near(rate.low, i.low, 1e-12);
    assert_near(rate.high, i.high, 1e-12);
    assert_int_equal(rate.clusters, 10);
}

/* Fewer prompts say too little of how they differ; evenly mixed ones are taken as independent. */
static void test_stats_rate__independent_where_nothing_says_otherwise(void **state) {
    (void)state;
    const double hits[] = {4, 4, 4, 0, 0, 0};
    const double even[] = {2, 2, 2, 2, 2, 2, 2, 2, 2, 2};
    const double trials[] = {4, 4, 4, 4, 4, 4, 4, 4, 4, 4};
    assert_near(rate_of(hits, trials, 6).design_effect, 1.0, 0.0);
    assert_near(rate_of(even, trials, 10).design_effect, 1.0, 0.0);
    struct stats_rate empty = stats_rate_of(0.0, 0.0);
    assert_true(isnan(empty.rate));
    assert_near(empty.low, 0.0, 0.0);
    assert_near(empty.high, 1.0, 0.0);
}

static double mean_of(const double sums[STATS_SUMS_MAX]) {
    return sums[0] / sums[1];
}

/* The bootstrap of a mean of n numbers has their standard error: here sqrt(p (1 - p) / n). */
static void test_stats_bootstrap__has_the_width_of_the_mean(void **state) {
    (void)state;
    double sums[400][STATS_SUMS_MAX] = {{0}};
    for (int i = 0; i < 400; i++) {
        sums[i][0] = i % 4 == 0;
        sums[i][1] = 1.0;
    }
    struct stats_estimate e;
    struct error err = ERROR_INIT;
    const struct stats_bootstrap b = {.sums = &sums[0][0], .clusters = 400, .seed = 2};
    assert_ok(stats_bootstrap_run(&b, mean_of, &e, &err), &err);
    double half = STATS_Z * sqrt(0.25 * 0.75 / 400.0);
    assert_near(e.value, 0.25, 0.0);
    assert_near(e.low, 0.25 - half, 0.15 * half);
    assert_near(e.high, 0.25 + half, 0.15 * half);
    struct stats_estimate again;
    assert_ok(stats_bootstrap_run(&b, mean_of, &again, &err), &err);
    assert_memory_equal(&e.low, &again.low, sizeof e.low);
}

/* ---- ties, order and length ---- */

/* Lengths of items 0..4: 10, 20, 20, unknown, 100. */
static const int64_t lengths[] = {10, 20, 20, STATS_LENGTH_UNKNOWN, 100};

/*   0 > 1, weight 2, 0 shown first     shorter wins, first wins
 *   4 > 0, 0 shown first               longer wins, first loses
 *   1 > 2, order not known             equal length
 *   1 = 4, 1 shown first               a tie
 *   3 > 0, order not known             length not known
 *   2, {0, 1}, {3, 4}: a ranking whose last rank was not looked into
 *     strict 2>0 longer, 2>1 equal, 2>3 unknown, 2>4 shorter, 0>3, 0>4 shorter, 1>3, 1>4 shorter,
 *     tie 0=1, and 3, 4 not compared */
static void make(struct comparison_set *set) {
    comparison_sample_init(set, 5);
    comparison_sample_win(set, 0, 1);
    comparison_sample_set_weight(set, 2.0);
    comparison_sample_set_positions(set, (const int32_t[]){1, 2});
    comparison_sample_win(set, 4, 0);
    comparison_sample_set_positions(set, (const int32_t[]){2, 1});
    comparison_sample_win(set, 1, 2);
    comparison_sample_tie(set, 1, 4);
    comparison_sample_set_positions(set, (const int32_t[]){1, 2});
    comparison_sample_win(set, 3, 0);
    comparison_sample_add(set, 5, (const int32_t[]){2, 0, 1, 3, 4},
                          (const int32_t[]){1, 2, 2, 3, 3});
    comparison_sample_set_last_unordered(set);
}

static struct stats_bias bias_of(const struct comparison_set *set) {
    SCOPED(stats_pairs) struct stats_pairs pairs = STATS_PAIRS_INIT;
    struct stats_bias bias;
    struct error err = ERROR_INIT;
    assert_ok(stats_pairs_init(&pairs, set, 1, &err), &err);
    assert_ok(stats_bias_of(set, &pairs, lengths, &bias, &err), &err);
    return bias;
}

static void test_stats_bias__by_hand(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    make(&set);
    struct stats_bias bias = bias_of(&set);
    assert_near(bias.strict, 5.0 + 8.0, 0.0);
    assert_near(bias.tied, 2.0, 0.0);
    assert_near(bias.ties.rate, 2.0 / 15.0, 1e-15);
    assert_near(bias.first.hits, 2.0, 0.0);
    assert_near(bias.first.trials, 3.0, 0.0);
    assert_near(bias.first_tied, 1.0, 0.0);
    assert_near(bias.longer.hits, 2.0, 0.0); /* 4 > 0, 2 > 0 */
    assert_near(bias.longer.trials, 2.0 + 1.0 + 4.0, 0.0);
    assert_near(bias.equal_length, 2.0, 0.0); /* 1 > 2, 2 > 1 */
}

/* Winner minus loser, with weights: -10 twice, 90, 0, 10, 0, -80, -90, -80. Sum -170; squares
 * 200 + 8100 + 100 + 6400 + 8100 + 6400 = 29300; weight 9. */
static void test_stats_bias__correlation_by_hand(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    make(&set);
    assert_near(bias_of(&set).length_correlation, -170.0 / sqrt(9.0 * 29300.0), 1e-14);
}

/* All: 10, 20, 20, 100. Chosen: 0 (10) 2 + 1, 4 (100) 1, 1 (20) 1 + 1, 2 (20) 3: mean 230 / 9 and
 * median 20. Rejected: 1 (20) 2 + 1, 0 (10) 1 + 1, 2 (20) 1, 4 (100) 3. */
static void test_stats_bias__lengths_by_hand(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    make(&set);
    struct stats_bias bias = bias_of(&set);
    const struct stats_length_summary *all = &bias.lengths[STATS_LENGTH_ALL];
    const struct stats_length_summary *chosen = &bias.lengths[STATS_LENGTH_CHOSEN];
    const struct stats_length_summary *rejected = &bias.lengths[STATS_LENGTH_REJECTED];
    assert_near(all->mean, 37.5, 1e-14);
    assert_near(all->median, 20.0, 0.0);
    assert_near(chosen->count, 9.0, 0.0);
    assert_near(chosen->mean, 230.0 / 9.0, 1e-13);
    assert_near(chosen->median, 20.0, 0.0);
    assert_near(rejected->mean, 400.0 / 9.0, 1e-13);
    /* bins 10-19, 20-49, 100-199 are the 4th, 5th and 7th behind that of 0 */
    assert_near(chosen->bins[4], 3.0, 0.0);
    assert_near(chosen->bins[5], 5.0, 0.0);
    assert_near(chosen->bins[7], 1.0, 0.0);
}

static void test_stats_length_bin_begin__one_two_five(void **state) {
    (void)state;
    const int64_t begins[] = {0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000};
    for (int64_t b = 0; b < 11; b++) {
        assert_int_equal(stats_length_bin_begin(b), begins[b]);
    }
}

/* Parts add up to the whole, whatever the parts. */
static void test_stats_bias_by_part__adds_up(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(stats_pairs) struct stats_pairs pairs = STATS_PAIRS_INIT;
    struct error err = ERROR_INIT;
    struct stats_part parts[2] = {{.strict = 0.0}};
    const int32_t part_of[] = {0, 1, 0, 1, -1, 1};
    make(&set);
    struct stats_bias bias = bias_of(&set);
    assert_ok(stats_pairs_init(&pairs, &set, 1, &err), &err);
    stats_bias_by_part(&set, &pairs, lengths, part_of, parts);
    assert_near(parts[0].comparisons, 2.0, 0.0);
    assert_near(parts[1].comparisons, 3.0, 0.0);
    assert_near(parts[0].strict, 3.0, 0.0);
    assert_near(parts[0].strict + parts[1].strict + 1.0, bias.strict, 0.0);
    assert_near(parts[0].tied + parts[1].tied, bias.tied, 0.0);
    assert_near(parts[0].first_hits + parts[1].first_hits, bias.first.hits, 0.0);
    assert_near(parts[0].longer_trials + parts[1].longer_trials, bias.longer.trials, 0.0);
}

/* ---- pairs ---- */

static void test_stats_pairs__in_order_and_oriented(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(stats_pairs) struct stats_pairs pairs = STATS_PAIRS_INIT;
    struct error err = ERROR_INIT;
    make(&set);
    assert_ok(stats_pairs_init(&pairs, &set, 1, &err), &err);
    assert_int_equal(pairs.count, 14);
    assert_int_equal(pairs.item_cap, 0);
    const struct stats_pair expected[] = {
        {0, 1, 0, 1, 1}, {0, 1, 5, 0, 0},  {0, 2, 5, -1, 0}, {0, 3, 4, -1, 0},
        {0, 3, 5, 1, 0}, {0, 4, 1, -1, 1}, {0, 4, 5, 1, 0},  {1, 2, 2, 1, 0},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_memory_equal(&pairs.pairs[i], &expected[i], 14);
    }
    assert_int_equal(stats_pairs_end(&pairs, 0), 2);
    assert_int_equal(stats_pairs_end(&pairs, 2), 3);
}

/* Rankings of 3,000 items have 4.5 million pairs: more than enter. */
static void test_stats_pairs__long_rankings_are_sampled(void **state) {
    (void)state;
    enum { LENGTH = 3000 };
    static int32_t items[LENGTH];
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(stats_pairs) struct stats_pairs pairs = STATS_PAIRS_INIT;
    struct error err = ERROR_INIT;
    comparison_sample_init(&set, LENGTH);
    for (int32_t i = 0; i < LENGTH; i++) {
        items[i] = i;
    }
    static int32_t ranks[LENGTH];
    for (int32_t i = 0; i < LENGTH; i++) {
        ranks[i] = i + 1;
    }
    comparison_sample_add(&set, LENGTH, items, ranks);
    comparison_sample_win(&set, 7, 5);
    assert_ok(stats_pairs_init(&pairs, &set, 1, &err), &err);
    /* the largest k with k (k - 1) / 2 + 1 <= 2^22 is 2896 */
    assert_int_equal(pairs.item_cap, 2896);
    assert_int_equal(pairs.capped, 1);
    assert_int_equal(pairs.count, 2896 * 2895 / 2 + 1);
    struct stats_bias bias;
    static int64_t unknown[LENGTH];
    for (int i = 0; i < LENGTH; i++) {
        unknown[i] = STATS_LENGTH_UNKNOWN;
    }
    assert_ok(stats_bias_of(&set, &pairs, unknown, &bias, &err), &err);
    assert_near(bias.strict, 3000.0 * 2999.0 / 2.0 + 1.0, 0.0); /* counted whole */
}

static enum err_code run_all(void *context, struct error *err) {
    SCOPED(stats_pairs) struct stats_pairs pairs = STATS_PAIRS_INIT;
    struct stats_bias bias;
    TRY(stats_pairs_init(&pairs, context, 1, err));
    return stats_bias_of(context, &pairs, lengths, &bias, err);
}

static void test_stats_bias__out_of_memory(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    make(&set);
    alloc_loop_check(run_all, &set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stats_rate__related_judgements_count_less),
        cmocka_unit_test(test_stats_rate__independent_where_nothing_says_otherwise),
        cmocka_unit_test(test_stats_bootstrap__has_the_width_of_the_mean),
        cmocka_unit_test(test_stats_bias__by_hand),
        cmocka_unit_test(test_stats_bias__correlation_by_hand),
        cmocka_unit_test(test_stats_bias__lengths_by_hand),
        cmocka_unit_test(test_stats_length_bin_begin__one_two_five),
        cmocka_unit_test(test_stats_bias_by_part__adds_up),
        cmocka_unit_test(test_stats_pairs__in_order_and_oriented),
        cmocka_unit_test(test_stats_pairs__long_rankings_are_sampled),
        cmocka_unit_test(test_stats_bias__out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
