#include "tensor/kernels/kernel_random.h"

#include "base/mem.h"
#include "tests/support/kernel_ways.h"
#include "tests/support/test.h"

typedef void (*fill_kernel)(const struct kernel_random_args *, struct kernel_cpu);
typedef void (*fill_oracle)(struct rng *, float *, int64_t);

#define GUARD 77.0F

/* The kernel in every way it can run, against base/rng.h's numbers one by one. */
static void check_against_oracle(fill_kernel kernel, fill_oracle oracle, struct rng start,
                                 int64_t n) {
    struct kernel_cpu ways[KERNEL_WAYS_MAX];
    int ways_count = kernel_ways_list(ways);
    size_t bytes = (size_t)n * sizeof(float);
    float *expected = mem_array((size_t)n, sizeof *expected);
    float *got = mem_array((size_t)n + 1, sizeof *got);
    struct rng rng = start;
    oracle(&rng, expected, n);
    for (int w = 0; w < ways_count; w++) {
        memset(got, 0xFF, bytes);
        got[n] = GUARD;
        kernel(&(struct kernel_random_args){.out = got, .n = n, .rng = start}, ways[w]);
        assert_memory_equal(got, expected, bytes);
        assert_true(got[n] == GUARD);
    }
    mem_free(expected);
    mem_free(got);
}

static void check_sizes(fill_kernel kernel, fill_oracle oracle) {
    for (int s = 0; s < KERNEL_WAYS_SIZES; s++) {
        struct rng start = rng_stream(7, RNG_TEST, 1, s);
        check_against_oracle(kernel, oracle, start, kernel_ways_sizes[s]);
    }
}

static void test_kernel_random_uniform__same_bits_as_the_stream(void **state) {
    (void)state;
    check_sizes(kernel_random_uniform_cpu, rng_fill_uniform_f32);
}

static void test_kernel_random_normal__same_bits_as_the_stream(void **state) {
    (void)state;
    check_sizes(kernel_random_normal_cpu, rng_fill_normal_f32);
}

/* A stream of which 1 to 9 words are gone: numbers then straddle the generator's blocks. */
static void test_kernel_random__continues_a_used_stream(void **state) {
    (void)state;
    struct rng start = rng_stream(8, RNG_TEST, 0, 0);
    for (int used = 1; used < 10; used++) {
        (void)rng_u32(&start);
        check_against_oracle(kernel_random_uniform_cpu, rng_fill_uniform_f32, start, 1234);
        check_against_oracle(kernel_random_normal_cpu, rng_fill_normal_f32, start, 1234);
    }
}

/* Up to the last word of the stream, whose block counter is 2^32 - 1. */
static void test_kernel_random__reaches_the_end_of_a_stream(void **state) {
    (void)state;
    struct rng start = rng_stream(9, RNG_TEST, 0, 0);
    start.counter[0] = UINT32_MAX - 1;
    start.words_used = RNG_BLOCK_WORDS; /* the next word opens the last block */
    check_against_oracle(kernel_random_uniform_cpu, rng_fill_uniform_f32, start, 4);
    check_against_oracle(kernel_random_normal_cpu, rng_fill_normal_f32, start, 2);
}

/* Pinned in tests/unit/test_rng.c by a separate implementation: seed 42, SAMPLE, step 7, item 11.
 */
static void test_kernel_random__pinned_numbers(void **state) {
    (void)state;
    struct rng rng = rng_stream(42, RNG_SAMPLE, 7, 11);
    struct kernel_cpu cpu = {.threads = 1};
    float uniform[2];
    float normal[2];
    kernel_random_uniform_cpu(&(struct kernel_random_args){uniform, 2, rng}, cpu);
    kernel_random_normal_cpu(&(struct kernel_random_args){normal, 2, rng}, cpu);
    assert_true(uniform[0] == (float)(0x203b67) * 0x1p-24F); /* word 0x203b673a */
    assert_true(uniform[1] == (float)(0xecef9c) * 0x1p-24F);
    assert_true(normal[0] == 1.4432939246645058F);
    assert_true(normal[1] == -2.148213599344333F);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernel_random_uniform__same_bits_as_the_stream),
        cmocka_unit_test(test_kernel_random_normal__same_bits_as_the_stream),
        cmocka_unit_test(test_kernel_random__continues_a_used_stream),
        cmocka_unit_test(test_kernel_random__reaches_the_end_of_a_stream),
        cmocka_unit_test(test_kernel_random__pinned_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
