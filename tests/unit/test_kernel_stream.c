#include "tensor/kernels/kernel_stream.h"

#include "base/mem.h"
#include "tests/support/kernel_ways.h"
#include "tests/support/test.h"

#define N     40000
#define GUARD 77.0F

/* slope times 0, 1, 2, ..., and a guard behind. */
static void fill(float *values, float slope) {
    for (int i = 0; i < N; i++) {
        values[i] = slope * (float)(i % 1000);
    }
    values[N] = GUARD;
}

/* r is read: a = (3r + r) / 2 = 2r, b = (-r + r) / 2 = 0, c = (r / 2 + r) / 2 = 0.75 r. */
static void test_kernel_stream__halves_the_sum_with_what_is_read(void **state) {
    (void)state;
    float *arrays[4];
    for (int k = 0; k < 4; k++) {
        arrays[k] = mem_array(N + 1, sizeof(float));
    }
    struct kernel_cpu ways[KERNEL_WAYS_MAX];
    int ways_count = kernel_ways_list(ways);
    for (int w = 0; w < ways_count; w++) {
        fill(arrays[0], 1.0F);
        fill(arrays[1], 3.0F);
        fill(arrays[2], -1.0F);
        fill(arrays[3], 0.5F);
        kernel_stream_cpu(
            &(struct kernel_stream_args){arrays[0], arrays[1], arrays[2], arrays[3], N}, ways[w]);
        for (int i = 0; i < N; i++) {
            float read = (float)(i % 1000);
            assert_true(arrays[1][i] == 2.0F * read);
            assert_true(arrays[2][i] == 0.0F);
            assert_true(arrays[3][i] == 0.75F * read);
        }
        assert_true(arrays[1][N] == GUARD && arrays[2][N] == GUARD && arrays[3][N] == GUARD);
    }
    for (int k = 0; k < 4; k++) {
        mem_free(arrays[k]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernel_stream__halves_the_sum_with_what_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
