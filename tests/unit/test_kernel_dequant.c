#include "tensor/kernels/kernel_dequant.h"

#include "base/mem.h"
#include "base/rng.h"
#include "tests/support/kernel_ways.h"
#include "tests/support/test.h"

#include <math.h>

/* Against ggml's own package: tests/unit/test_gguf.c. */

#define BLOCKS ((int64_t)70001)

static void dequant(enum kernel_quant_type type, const void *blocks, float *values, int64_t n,
                    struct kernel_cpu cpu) {
    kernel_dequant_cpu(
        &(struct kernel_dequant_args){.type = type, .blocks = blocks, .values = values, .n = n},
        cpu);
}

/* d = 0.5, m = -1 (f16 0x3800, 0xbc00); the first byte of quants is 0x7a: low 10, high 7.
 *   Q4_0  0.5 (10 - 8) = 1     0.5 (7 - 8) = -0.5
 *   Q4_1  0.5 10 - 1 = 4       0.5 7 - 1 = 2.5
 *   Q5_0  with fifth bits 0x00010001 (values 0 and 16): 0.5 (26 - 16) = 5    0.5 (23 - 16) = 3.5
 *   Q5_1  0.5 26 - 1 = 12      0.5 23 - 1 = 10.5
 *   Q8_0  0x7a is 122: 61 */
static void test_dequant__blocks_of_32_by_hand(void **state) {
    (void)state;
    static const unsigned char q4_0[18] = {0x00, 0x38, 0x7a};
    static const unsigned char q4_1[20] = {0x00, 0x38, 0x00, 0xbc, 0x7a};
    static const unsigned char q5_0[22] = {0x00, 0x38, 0x01, 0x00, 0x01, 0x00, 0x7a};
    static const unsigned char q5_1[24] = {0x00, 0x38, 0x00, 0xbc, 0x01, 0x00, 0x01, 0x00, 0x7a};
    static const unsigned char q8_0[34] = {0x00, 0x38, 0x7a};
    static const struct {
        enum kernel_quant_type type;
        const unsigned char *block;
        float first, seventeenth;
    } cases[] = {
        {KERNEL_QUANT_Q4_0, q4_0, 1.0F, -0.5F}, {KERNEL_QUANT_Q4_1, q4_1, 4.0F, 2.5F},
        {KERNEL_QUANT_Q5_0, q5_0, 5.0F, 3.5F},  {KERNEL_QUANT_Q5_1, q5_1, 12.0F, 10.5F},
        {KERNEL_QUANT_Q8_0, q8_0, 61.0F, 0.0F},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float y[32];
        dequant(cases[i].type, cases[i].block, y, 32, (struct kernel_cpu){.threads = 1});
        assert_true(y[0] == cases[i].first); /* exact: powers of two and small integers */
        assert_true(y[16] == cases[i].seventeenth);
    }
}

/* Random bytes, so NaN scales too; which NaN a product of two has is the compiler's choice. */
static void assert_same_values(const float *values, const float *expected, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        if (!(isnan(values[i]) && isnan(expected[i]))) {
            assert_memory_equal(&values[i], &expected[i], sizeof values[i]);
        }
    }
}

static void test_dequant__same_bits_in_every_way(void **state) {
    (void)state;
    struct kernel_cpu ways[KERNEL_WAYS_MAX];
    const int count = kernel_ways_list(ways);
    for (int t = 0; t < (int)KERNEL_QUANT_TYPE_COUNT; t++) {
        enum kernel_quant_type type = (enum kernel_quant_type)t;
        const int64_t per_block = kernel_quant_block_values(type);
        const int64_t blocks_count = per_block == 1 ? BLOCKS : BLOCKS / per_block;
        const size_t bytes = (size_t)(blocks_count * kernel_quant_block_bytes(type));
        const int64_t n = blocks_count * per_block;
        unsigned char *blocks = mem_array(bytes + 1, 1);
        float *expected = mem_array((size_t)n, sizeof *expected);
        float *values = mem_array((size_t)n, sizeof *values);
        struct rng rng = rng_stream(1, RNG_TEST, t, 0);
        for (size_t i = 0; i <= bytes; i++) {
            blocks[i] = (unsigned char)rng_u32(&rng);
        }
        /* From an odd address, as a file may have it. */
        dequant(type, blocks + 1, expected, n, ways[0]);
        for (int w = 1; w < count; w++) {
            memset(values, 0, (size_t)n * sizeof *values);
            dequant(type, blocks + 1, values, n, ways[w]);
            assert_same_values(values, expected, n);
        }
        mem_free(blocks);
        mem_free(expected);
        mem_free(values);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dequant__blocks_of_32_by_hand),
        cmocka_unit_test(test_dequant__same_bits_in_every_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
