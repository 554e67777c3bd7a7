/* test_kernel_attention_rows.c - softmax over scores and its gradient against the formulas in
 * double, and the same bits on every instruction set. */
#include "tensor/kernels/kernel_attention_rows.h"

#include "base/rng.h"
#include "tests/support/kernel_sets.h"
#include "tests/support/near.h"

#include <string.h>

#define ROWS    7
#define COLUMNS 64
#define STRIDE  66
#define SEEN    35 /* by the first row: whole lanes and a rest */
#define SCALE   0.7

static float scores[ROWS * STRIDE];
static float d_weights[ROWS * STRIDE];

static int fill(void **state) {
    (void)state;
    struct rng rng = rng_stream(4, RNG_TEST, 0, 1);
    rng_fill_normal_f32(&rng, scores, ROWS * STRIDE);
    rng_fill_normal_f32(&rng, d_weights, ROWS * STRIDE);
    return 0;
}

static const struct kernel_attention_block block = {.rows = ROWS,
                                                    .columns = COLUMNS,
                                                    .stride = STRIDE,
                                                    .seen = SEEN,
                                                    .scale = (float)SCALE,
                                                    .scores = scores,
                                                    .operand = KERNEL_OPERAND_F32};

static void run_weights(const struct kernel_attention_block *of, void *weights, float sum[],
                        float lse[], enum kernel_isa isa) {
    kernel_attention_weights(
        &(struct kernel_attention_weights_args){
            .block = *of, .weights = weights, .sum = sum, .lse = lse},
        isa);
}

static double log_sum_of(int64_t row) {
    double sum = 0.0;
    for (int64_t i = 0; i < SEEN + row; i++) {
        sum += exp(SCALE * (double)scores[row * STRIDE + i]);
    }
    return log(sum);
}

/* weights / sum is the softmax, and lse the log of its denominator. */
static void test_kernel_attention_weights__equal_the_formula(void **state) {
    (void)state;
    float weights[ROWS * STRIDE];
    float sum[ROWS];
    float lse[ROWS];
    run_weights(&block, weights, sum, lse, KERNEL_ISA_BEST);
    for (int64_t row = 0; row < ROWS; row++) {
        const double expected_lse = log_sum_of(row);
        assert_near((double)lse[row], expected_lse, 1e-6);
        for (int64_t i = 0; i < COLUMNS; i++) {
            const int64_t at = row * STRIDE + i;
            const double p = i < SEEN + row ? exp(SCALE * (double)scores[at] - expected_lse) : 0.0;
            assert_near((double)weights[at] / (double)sum[row], p, 1e-7);
        }
    }
}

static void test_kernel_attention_grads__equal_the_formula(void **state) {
    (void)state;
    float lse[ROWS];
    float weights[ROWS * STRIDE];
    float d_scores[ROWS * STRIDE];
    for (int64_t row = 0; row < ROWS; row++) {
        lse[row] = (float)log_sum_of(row);
    }
    kernel_attention_grads(&(struct kernel_attention_grads_args){.block = block,
                                                                 .lse = lse,
                                                                 .d_weights = d_weights,
                                                                 .weights = weights,
                                                                 .d_scores = d_scores},
                           KERNEL_ISA_BEST);
    for (int64_t row = 0; row < ROWS; row++) {
        double mean = 0.0;
        for (int64_t i = 0; i < SEEN + row; i++) {
            const int64_t at = row * STRIDE + i;
            mean += exp(SCALE * (double)scores[at] - log_sum_of(row)) * (double)d_weights[at];
        }
        for (int64_t i = 0; i < COLUMNS; i++) {
            const int64_t at = row * STRIDE + i;
            const double p =
                i < SEEN + row ? exp(SCALE * (double)scores[at] - log_sum_of(row)) : 0.0;
            assert_near((double)weights[at], p, 1e-6);
            assert_near((double)d_scores[at], SCALE * p * ((double)d_weights[at] - mean), 1e-6);
        }
    }
}

/* Everything that the kernels write. */
struct outputs {
    uint16_t weights[ROWS * STRIDE], grad_weights[ROWS * STRIDE], d_scores[ROWS * STRIDE];
    uint16_t stored[ROWS * STRIDE];
    float sum[ROWS], lse[ROWS];
};

static void run_all(enum kernel_isa isa, struct outputs *out) {
    struct kernel_attention_block narrow = block;
    narrow.operand = KERNEL_OPERAND_BF16;
    memset(out, 0, sizeof *out);
    run_weights(&narrow, out->weights, out->sum, out->lse, isa);
    kernel_attention_grads(&(struct kernel_attention_grads_args){.block = narrow,
                                                                 .lse = out->lse,
                                                                 .d_weights = d_weights,
                                                                 .weights = out->grad_weights,
                                                                 .d_scores = out->d_scores},
                           isa);
    kernel_attention_store(&(struct kernel_attention_store_args){.from = scores,
                                                                 .divisor = out->sum,
                                                                 .rows = ROWS,
                                                                 .n = COLUMNS,
                                                                 .operand = KERNEL_OPERAND_BF16,
                                                                 .to = out->stored,
                                                                 .to_stride = STRIDE},
                           isa);
}

static void test_kernel_attention_rows__same_bits_everywhere(void **state) {
    (void)state;
    static struct outputs first;
    static struct outputs other;
    struct kernel_cpu sets[KERNEL_SETS_MAX];
    const int64_t count = kernel_sets_list(sets);
    run_all(sets[0].isa, &first);
    for (int64_t i = 1; i < count; i++) {
        run_all(sets[i].isa, &other);
        assert_memory_equal(&other, &first, sizeof first);
    }
}

/* One score seen: weight exp(0) = 1 whatever it is, log-sum-exp the scaled score. */
static void test_kernel_attention_weights__first_token_sees_itself(void **state) {
    (void)state;
    const float score[2] = {40, 90};
    float weights[2] = {7, 7};
    float sum = 0;
    float lse = 0;
    const struct kernel_attention_block first = {.rows = 1,
                                                 .columns = 2,
                                                 .stride = 2,
                                                 .seen = 1,
                                                 .scale = 0.5F,
                                                 .scores = score,
                                                 .operand = KERNEL_OPERAND_F32};
    run_weights(&first, weights, &sum, &lse, KERNEL_ISA_BEST);
    assert_true(weights[0] == 1.0F && weights[1] == 0.0F && sum == 1.0F && lse == 20.0F);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernel_attention_weights__equal_the_formula),
        cmocka_unit_test(test_kernel_attention_weights__first_token_sees_itself),
        cmocka_unit_test(test_kernel_attention_grads__equal_the_formula),
        cmocka_unit_test(test_kernel_attention_rows__same_bits_everywhere),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
