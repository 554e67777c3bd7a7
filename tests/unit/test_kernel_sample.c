#include "tensor/kernels/kernel_sample.h"

#include "base/mem.h"
#include "base/rng.h"
#include "tests/support/kernel_sets.h"
#include "tests/support/near.h"

#include <float.h>

#define N_MAX      1000
#define BLOCKS_MAX 4

struct scan {
    double blocks[BLOCKS_MAX];
    struct kernel_softmax result;
};

static struct scan scan_of(const float *logits, int64_t n, float inverse_temperature,
                           enum kernel_isa isa) {
    struct scan scan = {.blocks = {0}};
    kernel_softmax_scan(&(struct kernel_softmax_args){.logits = logits,
                                                      .n = n,
                                                      .inverse_temperature = inverse_temperature,
                                                      .blocks = scan.blocks},
                        isa, &scan.result);
    return scan;
}

static void test_kernel_softmax_scan__equals_sums_in_double(void **state) {
    (void)state;
    float logits[N_MAX];
    struct rng rng = rng_stream(6, RNG_TEST, 0, 0);
    rng_fill_normal_f32(&rng, logits, N_MAX);
    struct kernel_cpu sets[KERNEL_SETS_MAX];
    int64_t count = kernel_sets_list(sets);
    const int64_t sizes[] = {1, 7, 16, 255, 256, 257, N_MAX};
    for (int64_t s = 0; s < 7; s++) {
        struct scan first = scan_of(logits, sizes[s], 2.0F, sets[0].isa);
        double total = 0.0;
        int64_t argmax = 0;
        for (int64_t i = 0; i < sizes[s]; i++) {
            total += exp(((double)logits[i] - (double)first.result.max) * 2.0);
            argmax = logits[i] > logits[argmax] ? i : argmax;
        }
        assert_near(first.result.total, total, 3e-7 * total);
        assert_int_equal(first.result.argmax, argmax);
        assert_true(first.result.max == logits[argmax]);
        assert_int_equal(first.result.nonfinite, -1);
        for (int64_t i = 1; i < count; i++) {
            struct scan other = scan_of(logits, sizes[s], 2.0F, sets[i].isa);
            assert_memory_equal(other.blocks, first.blocks, sizeof first.blocks);
            assert_true(other.result.total == first.result.total);
        }
    }
}

static void test_kernel_softmax_scan__lowest_index_among_equals(void **state) {
    (void)state;
    float logits[100] = {0};
    logits[41] = logits[42] = logits[99] = 3.0F;
    assert_int_equal(scan_of(logits, 100, 1.0F, KERNEL_ISA_BEST).result.argmax, 41);
}

static void test_kernel_softmax_scan__finds_the_first_that_is_not_finite(void **state) {
    (void)state;
    const float bad[] = {NAN, INFINITY, -INFINITY};
    struct kernel_cpu sets[KERNEL_SETS_MAX];
    int64_t count = kernel_sets_list(sets);
    for (int64_t b = 0; b < 3; b++) {
        for (int64_t place = 0; place < 100; place += 33) {
            float logits[100] = {0};
            logits[place] = logits[99] = bad[b];
            for (int64_t i = 0; i < count; i++) {
                assert_int_equal(scan_of(logits, 100, 1.0F, sets[i].isa).result.nonfinite, place);
            }
        }
    }
}

/* Over the range of weights: every exponent, and both ends. */
static void test_kernel_softmax_weight__is_exp_to_two_units_in_the_last_place(void **state) {
    (void)state;
    double worst = 0.0;
    for (int64_t i = 0; i <= 870000; i++) {
        float x = (float)i * -1e-4F;
        double expected = exp((double)x);
        double gap = fabs((double)kernel_softmax_weight(x, 0.0F, 1.0F) - expected);
        worst = fmax(worst, gap / expected / (double)FLT_EPSILON);
    }
    assert_true(worst < 2.0);
    assert_true(kernel_softmax_weight(0.0F, 0.0F, 1.0F) == 1.0F);
    assert_true(kernel_softmax_weight(-200.0F, 0.0F, 1.0F) == 0.0F);
    assert_true(kernel_softmax_weight(-FLT_MAX, FLT_MAX, 1.0F) == 0.0F);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernel_softmax_scan__equals_sums_in_double),
        cmocka_unit_test(test_kernel_softmax_scan__lowest_index_among_equals),
        cmocka_unit_test(test_kernel_softmax_scan__finds_the_first_that_is_not_finite),
        cmocka_unit_test(test_kernel_softmax_weight__is_exp_to_two_units_in_the_last_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
