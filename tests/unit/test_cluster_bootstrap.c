/* Resamples of clusters: sums by hand, groups where clusters are many, intervals that cover. */
#include "reward/cluster_bootstrap.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/near.h"

#include <stdlib.h>

/* Clusters 0 and 2 hold (1, 10) and (5, 50); cluster 1 is not used. Each resample holds two of
 * them: (2, 20), (6, 60) or (10, 100), in a quarter, half and a quarter of resamples. */
static void test_resample__draws_whole_clusters(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    const bool is_used[] = {true, false, true};
    SCOPED(cluster_sums) struct cluster_sums sums = CLUSTER_SUMS_INIT;
    assert_ok(cluster_sums_init(&sums, is_used, 3, 2, 1, &err), &err);
    assert_int_equal(sums.group_count, 2);
    cluster_sums_add(&sums, 0, 0, 1.0);
    cluster_sums_add(&sums, 0, 1, 10.0);
    cluster_sums_add(&sums, 2, 0, 2.0);
    cluster_sums_add(&sums, 2, 0, 3.0);
    cluster_sums_add(&sums, 2, 1, 50.0);
    double total[2];
    cluster_sums_total(&sums, total);
    assert_near(total[0], 6.0, 0.0);
    assert_near(total[1], 60.0, 0.0);
    SCOPED(mem) double *resamples = NULL;
    assert_ok(cluster_sums_resample(&sums, 1, &resamples, &err), &err);
    int64_t both = 0;
    for (int64_t b = 0; b < CLUSTER_RESAMPLES; b++) {
        const double first = resamples[2 * b];
        assert_true(first == 2.0 || first == 6.0 || first == 10.0);
        assert_near(resamples[2 * b + 1], 10.0 * first, 0.0);
        both += first == 6.0;
    }
    assert_in_range(both, 437, 563); /* 500 +- 4 sqrt(250) */
}

static int compare(const void *left, const void *right) {
    const double l = *(const double *)left, r = *(const double *)right;
    return (l > r) - (l < r);
}

/* 40,000 clusters of one coin each, in 16,384 groups: the spread of the share of heads must still
 * be that of 40,000 coins, sqrt(.25 / 40000) = 0.0025; a thousand resamples know it within 4 x 2.2
 * %. */
static void test_resample__groups_scatter_as_clusters_do(void **state) {
    (void)state;
    enum { COINS = 40000 };
    struct error err = ERROR_INIT;
    SCOPED(mem) bool *is_used = mem_array(COINS, sizeof *is_used);
    assert_non_null(is_used);
    memset(is_used, true, COINS * sizeof *is_used);
    SCOPED(cluster_sums) struct cluster_sums sums = CLUSTER_SUMS_INIT;
    assert_ok(cluster_sums_init(&sums, is_used, COINS, 2, 5, &err), &err);
    assert_int_equal(sums.group_count, CLUSTER_GROUPS_MAX);
    for (int64_t k = 0; k < COINS; k++) {
        cluster_sums_add(&sums, k, 0, (double)(k % 2));
        cluster_sums_add(&sums, k, 1, 1.0);
    }
    SCOPED(mem) double *resamples = NULL;
    assert_ok(cluster_sums_resample(&sums, 5, &resamples, &err), &err);
    double squares = 0.0, shares[CLUSTER_RESAMPLES];
    for (int64_t b = 0; b < CLUSTER_RESAMPLES; b++) {
        shares[b] = resamples[2 * b] / resamples[2 * b + 1];
        squares += (shares[b] - 0.5) * (shares[b] - 0.5);
    }
    assert_near(sqrt(squares / CLUSTER_RESAMPLES), 0.0025, 0.0025 * 0.1);
    const struct cluster_interval interval = cluster_interval_of(shares, CLUSTER_RESAMPLES);
    assert_near(interval.high - interval.low, 2.0 * 1.96 * 0.0025, 0.0015);
    qsort(shares, CLUSTER_RESAMPLES, sizeof *shares, compare);
    assert_near(interval.low, shares[24], 0.0); /* floor(0.025 * 999) */
    assert_near(interval.high, shares[975], 0.0);
}

static void test_interval__leaves_out_what_counted_nothing(void **state) {
    (void)state;
    double values[] = {3.0, (double)NAN, 1.0, 2.0};
    const struct cluster_interval interval = cluster_interval_of(values, 4);
    assert_near(interval.low, 1.0, 0.0);
    assert_near(interval.high, 3.0, 0.0);
    double none[] = {(double)NAN};
    assert_true(isnan(cluster_interval_of(none, 1).low));
}

static enum err_code resample(void *context, struct error *err) {
    (void)context;
    const bool is_used[] = {true, true};
    SCOPED(cluster_sums) struct cluster_sums sums = CLUSTER_SUMS_INIT;
    SCOPED(mem) double *resamples = NULL;
    TRY(cluster_sums_init(&sums, is_used, 2, 1, 1, err));
    return cluster_sums_resample(&sums, 1, &resamples, err);
}

static void test_every_failing_allocation__clean(void **state) {
    (void)state;
    alloc_loop_check(resample, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resample__draws_whole_clusters),
        cmocka_unit_test(test_resample__groups_scatter_as_clusters_do),
        cmocka_unit_test(test_interval__leaves_out_what_counted_nothing),
        cmocka_unit_test(test_every_failing_allocation__clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
