#include "data/stats_agreement.h"

#include "base/rng.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/comparison_sample.h"
#include "tests/support/near.h"
#include "tests/support/test.h"

#include <math.h>
#include <stdlib.h>

/* One judgement by an annotator: 1: item i is better, -1: j, 0: a tie. */
static void judge(struct comparison_set *set, int32_t annotator, int32_t i, int32_t j,
                  int outcome) {
    if (outcome == 0) {
        comparison_sample_tie(set, i, j);
    } else {
        comparison_sample_win(set, outcome > 0 ? i : j, outcome > 0 ? j : i);
    }
    comparison_sample_set_annotator(set, annotator);
}

static struct stats_agreement agreement_of(const struct comparison_set *set,
                                           const bool *annotators) {
    SCOPED(stats_pairs) struct stats_pairs pairs = STATS_PAIRS_INIT;
    struct stats_agreement agreement;
    struct error err = ERROR_INIT;
    const struct stats_agreement_options options = {.annotators = annotators, .seed = 1};
    assert_ok(stats_pairs_init(&pairs, set, 1, &err), &err);
    assert_ok(stats_agreement_of_pairs(set, &pairs, &options, &agreement, &err), &err);
    return agreement;
}

/* ---- pairs ---- */

/* Units: (0,1) by three: win, win, tie; (0,2) by two: win, loss; (1,2) by two: tie, tie; (2,3) by
 * one, which is no unit; and annotator 0 says of (0,1) again, once the same and once not.
 *   raw: pairs of judgements that agree: 1 of 3, 0 of 1, 1 of 1: 2 of 5
 *   D_o: unit 1: 4 of its 6 ordered pairs differ, over 2: 2; unit 2: 2 over 1: 2; sum 4, over n = 7
 *   D_e: 3 ties, 4 strict: 1 - 3*2/42 - 4*3/84 = 5/7
 *   alpha = 1 - (4/7) / (5/7) = 1/5 */
static void make_by_hand(struct comparison_set *set) {
    comparison_sample_init(set, 4);
    judge(set, 0, 0, 1, 1);
    judge(set, 1, 0, 1, 1);
    judge(set, 2, 0, 1, 0);
    judge(set, 0, 0, 1, 1);
    judge(set, 0, 0, 1, -1);
    judge(set, 0, 0, 2, 1);
    judge(set, 1, 0, 2, -1);
    judge(set, 1, 1, 2, 0);
    judge(set, 2, 1, 2, 0);
    judge(set, 2, 2, 3, 1);
    comparison_sample_win(set, 3, 2); /* by nobody that is named */
}

static void test_stats_agreement__by_hand(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    make_by_hand(&set);
    struct stats_agreement a = agreement_of(&set, NULL);
    assert_int_equal(a.units, 3);
    assert_int_equal(a.judgements, 7);
    assert_near(a.raw.value, 0.4, 1e-15);
    assert_near(a.alpha.value, 0.2, 1e-14);
    assert_false(a.by_prompt);
    assert_near(a.repeated.trials, 2.0, 0.0);
    assert_near(a.repeated.hits, 1.0, 0.0);
}

/* Which of two items has the smaller number must not matter, nor who was named first. */
static void test_stats_agreement__does_not_depend_on_orientation(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    make_by_hand(&set);
    double alpha = agreement_of(&set, NULL).alpha.value;
    for (int64_t m = 0; m < set.starts[set.count]; m++) {
        set.items[m] = 3 - set.items[m];
    }
    assert_near(agreement_of(&set, NULL).alpha.value, alpha, 1e-15);
}

/* All say that the lower item wins: perfect agreement, although one outcome only occurs. */
static void test_stats_agreement__unanimous_is_one(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 4);
    for (int32_t i = 1; i < 4; i++) {
        judge(&set, 0, 0, i, 1);
        judge(&set, 1, 0, i, 1);
    }
    struct stats_agreement a = agreement_of(&set, NULL);
    assert_near(a.raw.value, 1.0, 0.0);
    assert_near(a.alpha.value, 1.0, 0.0);
}

/* All are ties: nothing that could have differed. */
static void test_stats_agreement__without_variation_there_is_none(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 4);
    for (int32_t i = 1; i < 4; i++) {
        judge(&set, 0, 0, i, 0);
        judge(&set, 1, 0, i, 0);
    }
    assert_true(isnan(agreement_of(&set, NULL).alpha.value));
    SCOPED(comparison_set) struct comparison_set empty = COMPARISON_SET_INIT;
    comparison_sample_init(&empty, 2);
    comparison_sample_win(&empty, 0, 1);
    assert_int_equal(agreement_of(&empty, NULL).units, 0);
    assert_true(isnan(agreement_of(&empty, NULL).raw.value));
}

/* Fair coins: alpha is near zero, and its interval holds zero; 400 units of three coins have a
 * standard deviation of about 1 / sqrt(3 * 400). Outcomes that are right in nine of ten cases:
 * two agree with probability 0.82, alpha is near 1 - 2 * 0.18 = 0.64. */
static void check_simulated(double right, double expected) {
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    struct rng rng = rng_stream(3, RNG_TEST, 0, 0);
    comparison_sample_init(&set, 800);
    for (int32_t u = 0; u < 400; u++) {
        comparison_sample_set_block(&set, 2 * u, u);
        comparison_sample_set_block(&set, 2 * u + 1, u);
        for (int32_t a = 0; a < 3; a++) {
            judge(&set, a, 2 * u, 2 * u + 1, rng_uniform(&rng) < right ? 1 : -1);
        }
    }
    struct stats_agreement a = agreement_of(&set, NULL);
    assert_true(a.by_prompt);
    assert_int_equal(a.alpha.clusters, 400);
    assert_int_equal(a.alpha.replicates, STATS_REPLICATES_MAX);
    assert_near(a.alpha.value, expected, 4.0 / sqrt(1200.0));
    assert_true(a.alpha.low < expected && expected < a.alpha.high);
    assert_in_range((uintmax_t)(1e4 * (a.alpha.high - a.alpha.low)), 600, 1700);
}

static void test_stats_agreement__of_coins_and_of_competent_people(void **state) {
    (void)state;
    check_simulated(0.5, 0.0);
    check_simulated(0.9, 0.64);
}

static void test_stats_agreement__of_some_annotators(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    make_by_hand(&set);
    const bool two[] = {true, true, false};
    struct stats_agreement a = agreement_of(&set, two);
    assert_int_equal(a.units, 2); /* (0,1) agrees, (0,2) does not */
    assert_near(a.raw.value, 0.5, 0.0);
}

/* (0,1): wins by 0 and 1, a tie by 2: of 0 the others are divided (1 win, 1 tie), and of 1 too; of
 * 2 both others say win, and 2 does not. (0,2): each disagrees with the other. (1,2): each agrees.
 */
static void test_stats_agreement_with_others__by_hand(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(stats_pairs) struct stats_pairs pairs = STATS_PAIRS_INIT;
    struct error err = ERROR_INIT;
    make_by_hand(&set);
    assert_ok(stats_pairs_init(&pairs, &set, 1, &err), &err);
    double agreed[3] = {0};
    double judged[3] = {0};
    assert_ok(stats_agreement_with_others(&set, &pairs, agreed, judged, &err), &err);
    const double expected_agreed[] = {0.0, 1.0, 1.0};
    const double expected_judged[] = {1.0, 2.0, 2.0};
    for (int a = 0; a < 3; a++) {
        assert_near(agreed[a], expected_agreed[a], 0.0);
        assert_near(judged[a], expected_judged[a], 0.0);
    }
}

/* ---- values ---- */

/* The reliability data of Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", section
 * D: four observers, twelve units, one of which only one observer saw. Ordinal 0.815 and interval
 * 0.849 in the paper; the digits beyond are those of the Python package krippendorff. */
static const double observed[4][12] = {
    {1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0},
    {1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3},
    {0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0},
    {1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0},
};

static int64_t list_observed(struct stats_value *values, double scale, double shift) {
    int64_t count = 0;
    for (int64_t unit = 0; unit < 12; unit++) {
        for (int observer = 0; observer < 4; observer++) {
            double value = observed[observer][unit];
            if (value > 0.0) {
                values[count++] = (struct stats_value){
                    .unit = 100 + unit, .cluster = unit, .value = scale * value + shift};
            }
        }
    }
    return count;
}

static struct stats_reliability reliability_of(const struct stats_value *values, int64_t count) {
    struct stats_reliability r;
    struct error err = ERROR_INIT;
    assert_ok(stats_agreement_of_values(values, count, 1, 1, &r, &err), &err);
    return r;
}

static void test_stats_agreement_of_values__krippendorffs_example(void **state) {
    (void)state;
    struct stats_value values[48];
    struct stats_reliability r = reliability_of(values, list_observed(values, 1.0, 0.0));
    assert_int_equal(r.units, 11);
    assert_int_equal(r.values, 40);
    assert_near(r.interval.value, 0.8491071428571428, 1e-14);
    assert_near(r.ordinal.value, 0.8153875037548814, 1e-14);
    assert_int_equal(r.interval.clusters, 11);
    assert_true(r.interval.low < r.interval.value && r.interval.value < r.interval.high);
}

/* A change of scale, and a large shift, leave both; squares of a million must not cancel. */
static void test_stats_agreement_of_values__is_free_of_scale(void **state) {
    (void)state;
    struct stats_value values[48];
    struct stats_reliability r = reliability_of(values, list_observed(values, 0.1, 1e6));
    assert_near(r.interval.value, 0.8491071428571428, 1e-9);
    assert_near(r.ordinal.value, 0.8153875037548814, 1e-9);
}

/* Labels: 0 and 1, where interval is nominal. Units 11, 11, 10, 00: D_o = (2/1) / 8; of 8 values
 * five are 1: D_e = 2 * 5 * 3 / (8 * 7). alpha = 1 - (1/4) / (15/28) = 8/15. */
static void test_stats_agreement_of_values__labels_by_hand(void **state) {
    (void)state;
    const double labels[] = {1, 1, 1, 1, 1, 0, 0, 0};
    struct stats_value values[8];
    for (int i = 0; i < 8; i++) {
        values[i] = (struct stats_value){.unit = i / 2, .cluster = i / 2, .value = labels[i]};
    }
    assert_near(reliability_of(values, 8).interval.value, 8.0 / 15.0, 1e-14);
    assert_true(isnan(reliability_of(values, 4).interval.value)); /* all the same */
    assert_int_equal(reliability_of(values, 0).units, 0);
}

/* ---- memory ---- */

static enum err_code run_all(void *context, struct error *err) {
    const struct comparison_set *set = context;
    SCOPED(stats_pairs) struct stats_pairs pairs = STATS_PAIRS_INIT;
    struct stats_agreement agreement;
    struct stats_reliability reliability;
    struct stats_value values[48];
    double agreed[3] = {0};
    double judged[3] = {0};
    const struct stats_agreement_options options = {.seed = 1};
    TRY(stats_pairs_init(&pairs, set, 1, err));
    TRY(stats_agreement_of_pairs(set, &pairs, &options, &agreement, err));
    TRY(stats_agreement_with_others(set, &pairs, agreed, judged, err));
    return stats_agreement_of_values(values, list_observed(values, 1.0, 0.0), 1, 1, &reliability,
                                     err);
}

static void test_stats_agreement__out_of_memory(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    make_by_hand(&set);
    alloc_loop_check(run_all, &set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stats_agreement__by_hand),
        cmocka_unit_test(test_stats_agreement__does_not_depend_on_orientation),
        cmocka_unit_test(test_stats_agreement__unanimous_is_one),
        cmocka_unit_test(test_stats_agreement__without_variation_there_is_none),
        cmocka_unit_test(test_stats_agreement__of_coins_and_of_competent_people),
        cmocka_unit_test(test_stats_agreement__of_some_annotators),
        cmocka_unit_test(test_stats_agreement_with_others__by_hand),
        cmocka_unit_test(test_stats_agreement_of_values__krippendorffs_example),
        cmocka_unit_test(test_stats_agreement_of_values__is_free_of_scale),
        cmocka_unit_test(test_stats_agreement_of_values__labels_by_hand),
        cmocka_unit_test(test_stats_agreement__out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
