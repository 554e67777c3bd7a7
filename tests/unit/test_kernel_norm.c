#include "tensor/kernels/kernel_norm.h"

#include "base/mem.h"
#include "base/rng.h"
#include "tests/support/kernel_ways.h"
#include "tests/support/test.h"

#include <math.h>

static struct kernel_norm_result norm_of(const float *x, int64_t n, struct kernel_cpu cpu) {
    double *scratch = mem_array(kernel_norm_scratch(n), sizeof *scratch);
    struct kernel_norm_result result;
    kernel_norm_cpu(&(struct kernel_norm_args){.x = x, .n = n, .scratch = scratch}, cpu, &result);
    mem_free(scratch);
    return result;
}

static const struct kernel_cpu two_threads = {.threads = 2};

static void test_kernel_norm__hand_worked(void **state) {
    (void)state;
    const float x[] = {3.0F, -4.0F, 12.0F}; /* 9 + 16 + 144 */
    struct kernel_norm_result r = norm_of(x, 3, two_threads);
    assert_true(r.sum_sq == 169.0);
    assert_int_equal(r.nonfinite_count, 0);
    assert_int_equal(r.nonfinite_first, -1);
    assert_true(norm_of(x, 0, two_threads).sum_sq == 0.0);
}

/* 1^2 + 2^2 + ... + n^2 = n (n + 1) (2n + 1) / 6, all integers below 2^53 on the way. */
static void test_kernel_norm__counts_every_element_once(void **state) {
    (void)state;
    enum { N = 70001 };
    float *x = mem_array(N, sizeof *x);
    for (int64_t i = 0; i < N; i++) {
        x[i] = (float)(i + 1);
    }
    for (int s = 0; s < KERNEL_WAYS_SIZES; s++) {
        double n = (double)kernel_ways_sizes[s];
        double expected = n * (n + 1.0) * (2.0 * n + 1.0) / 6.0;
        assert_true(norm_of(x, kernel_ways_sizes[s], two_threads).sum_sq == expected);
    }
    mem_free(x);
}

static void test_kernel_norm__same_bits_for_every_isa_and_thread_count(void **state) {
    (void)state;
    enum { N = 70001 };
    float *x = mem_array(N, sizeof *x);
    struct rng rng = rng_stream(2, RNG_TEST, 0, 0);
    rng_fill_normal_f32(&rng, x, N);
    struct kernel_cpu ways[KERNEL_WAYS_MAX];
    int ways_count = kernel_ways_list(ways);
    for (int s = 0; s < KERNEL_WAYS_SIZES; s++) {
        double expected = norm_of(x, kernel_ways_sizes[s], ways[0]).sum_sq;
        for (int w = 1; w < ways_count; w++) {
            double got = norm_of(x, kernel_ways_sizes[s], ways[w]).sum_sq;
            assert_memory_equal(&got, &expected, sizeof got);
        }
    }
    mem_free(x);
}

/* The documented order, spelled out: lane l of 32 takes elements l, l + 32, ... of its block of
 * 4096; lanes are added as a tree; blocks likewise. */
static double tree(double lane[32]) {
    for (int width = 16; width > 0; width /= 2) {
        for (int l = 0; l < width; l++) {
            lane[l] += lane[l + width];
        }
    }
    return lane[0];
}

static void test_kernel_norm__sums_in_the_documented_order(void **state) {
    (void)state;
    enum { BLOCKS = 40, N = BLOCKS * 4096 };
    float *x = mem_array(N, sizeof *x);
    struct rng rng = rng_stream(3, RNG_TEST, 0, 0);
    rng_fill_normal_f32(&rng, x, N);
    double blocks[32] = {0};
    for (int b = 0; b < BLOCKS; b++) {
        double lane[32] = {0};
        for (int i = 0; i < 4096; i++) {
            double value = (double)x[b * 4096 + i];
            lane[i % 32] += value * value;
        }
        blocks[b % 32] += tree(lane);
    }
    double expected = tree(blocks);
    double got = norm_of(x, N, two_threads).sum_sq;
    assert_memory_equal(&got, &expected, sizeof got);
    mem_free(x);
}

static void test_kernel_norm__does_not_overflow_where_f32_would(void **state) {
    (void)state;
    const float x[] = {1e30F, -1e30F};
    double square = (double)1e30F * (double)1e30F;
    struct kernel_norm_result r = norm_of(x, 2, two_threads);
    assert_true(r.sum_sq == square + square);
    assert_int_equal(r.nonfinite_count, 0);
}

static void test_kernel_norm__finds_non_finite_elements(void **state) {
    (void)state;
    enum { N = 10000 };
    float *x = mem_array_zero(N, sizeof *x);
    x[5000] = INFINITY;
    x[9999] = -INFINITY;
    struct kernel_norm_result r = norm_of(x, N, two_threads);
    assert_int_equal(r.nonfinite_count, 2);
    assert_int_equal(r.nonfinite_first, 5000);
    assert_true(isfinite(r.sum_sq) == 0);
    x[17] = NAN;
    r = norm_of(x, N, two_threads);
    assert_int_equal(r.nonfinite_count, 3);
    assert_int_equal(r.nonfinite_first, 17);
    assert_true(isfinite(r.sum_sq) == 0);
    mem_free(x);
}

static void test_kernel_norm_scratch__one_double_a_block(void **state) {
    (void)state;
    assert_int_equal(kernel_norm_scratch(0), 2);
    assert_int_equal(kernel_norm_scratch(4097), 2);
    assert_int_equal(kernel_norm_scratch(2 * 4096), 2);
    assert_int_equal(kernel_norm_scratch(2 * 4096 + 1), 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernel_norm__hand_worked),
        cmocka_unit_test(test_kernel_norm__counts_every_element_once),
        cmocka_unit_test(test_kernel_norm__same_bits_for_every_isa_and_thread_count),
        cmocka_unit_test(test_kernel_norm__sums_in_the_documented_order),
        cmocka_unit_test(test_kernel_norm__does_not_overflow_where_f32_would),
        cmocka_unit_test(test_kernel_norm__finds_non_finite_elements),
        cmocka_unit_test(test_kernel_norm_scratch__one_double_a_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
