#include "tensor/kernels/kernel_adam_mini.h"

#include "base/mem.h"
#include "base/rng.h"
#include "tensor/kernels/kernel_convert.h"
#include "tests/support/kernel_ways.h"
#include "tests/support/test.h"

#include <math.h>

static const struct kernel_cpu one_thread = {.threads = 1};

/* Each value passes through a handful of f32 roundings, of 6e-8 each. */
#define TOL_F32 5e-7F

/* The hyper-parameters of test_kernel_adamw's example, and one block of two, with gradients whose
 * mean squares are that example's squares. lr 0.1, decay 0.5, eps 0.5, scale 0.5.
 *
 * step 1: gradients (2 sqrt 7, 2) * 0.5 = (sqrt 7, 1), of mean square 4
 *   second moment   0 + 0.04 * 4                          = 0.16
 *   denominator     0.4 / 0.2 + 0.5                       = 2.5
 *   first moment    0.25 * (sqrt 7, 1)                    = (0.25 sqrt 7, 0.25)
 *   parameter       0.95 - 0.4 * 0.25 (sqrt 7, 1) / 2.5   = 0.95 - 0.04 (sqrt 7, 1)
 * step 2: gradients (0, 2 sqrt 2) * 0.5, of mean square 1
 *   second moment   0.16 * 0.96 + 0.04 * 1                = 0.1936
 *   denominator     0.44 / 0.28 + 0.5                     = 29/14
 *   first moment    0.75 * 0.25 (sqrt 7, 1) + 0.25 (0, sqrt 2)
 *   parameter       0.95 p - 8/35 * first moment * 14/29
 */
static void test_kernel_adam_mini__hand_worked_two_steps(void **state) {
    (void)state;
    const float root_2 = sqrtf(2.0F);
    const float root_7 = sqrtf(7.0F);
    float param[] = {1.0F, 1.0F};
    float grad[] = {2.0F * root_7, 2.0F};
    float exp_avg[] = {0.0F, 0.0F};
    float exp_avg_sq[] = {0.0F};
    const struct kernel_adam_mini_part part = {.n = 2, .block = 2};
    struct kernel_adam_mini_args args = {
        .adamw = {.param = param,
                  .grad = grad,
                  .exp_avg = exp_avg,
                  .exp_avg_sq = exp_avg_sq,
                  .n = 2,
                  .step = 1,
                  .lr = 0.1,
                  .beta1 = 0.75,
                  .beta2 = 0.96,
                  .eps = 0.5,
                  .weight_decay = 0.5,
                  .grad_scale = 0.5},
        .parts = &part,
        .parts_count = 1,
    };
    kernel_adam_mini_cpu(&args, one_thread);
    const float first[] = {0.95F - 0.04F * root_7, 0.95F - 0.04F};
    assert_float_equal(exp_avg_sq[0], 0.16F, TOL_F32);
    assert_float_equal(exp_avg[0], 0.25F * root_7, TOL_F32);
    assert_float_equal(param[0], first[0], TOL_F32);
    assert_float_equal(param[1], first[1], TOL_F32);

    grad[0] = 0.0F;
    grad[1] = 2.0F * root_2;
    args.adamw.step = 2;
    kernel_adam_mini_cpu(&args, one_thread);
    const float moment[] = {0.1875F * root_7, 0.1875F + 0.25F * root_2};
    assert_float_equal(exp_avg_sq[0], 0.1936F, TOL_F32);
    for (int i = 0; i < 2; i++) {
        assert_float_equal(exp_avg[i], moment[i], TOL_F32);
        assert_float_equal(param[i], 0.95F * first[i] - 8.0F / 35.0F * moment[i] * 14.0F / 29.0F,
                           TOL_F32);
    }
}

/* Buffers of one run, with a guard element behind each. */
struct buffers {
    float *param, *grad, *exp_avg, *exp_avg_sq;
    uint16_t *param_bf16;
    int64_t n;
};

#define GUARD 77.0F

static float *draw(uint64_t item, int64_t n, float low, float high) {
    float *values = mem_array((size_t)n + 1, sizeof *values);
    struct rng rng = rng_stream(1, RNG_TEST, n, (int64_t)item);
    for (int64_t i = 0; i < n; i++) {
        values[i] = low + (high - low) * rng_uniform_f32(&rng);
    }
    values[n] = GUARD;
    return values;
}

static struct buffers buffers_make(int64_t n) {
    return (struct buffers){
        .param = draw(0, n, -1.0F, 1.0F),
        .grad = draw(1, n, -0.1F, 0.1F),
        .exp_avg = draw(2, n, -0.1F, 0.1F),
        .exp_avg_sq = draw(3, n, 0.0F, 0.01F),
        .param_bf16 = mem_array_zero((size_t)n + 1, sizeof(uint16_t)),
        .n = n,
    };
}

static void buffers_free(struct buffers *b) {
    mem_free(b->param);
    mem_free(b->grad);
    mem_free(b->exp_avg);
    mem_free(b->exp_avg_sq);
    mem_free(b->param_bf16);
}

static struct kernel_adam_mini_args
args_of(const struct buffers *b, const struct kernel_adam_mini_part *parts, int64_t count) {
    return (struct kernel_adam_mini_args){
        .adamw = {.param = b->param,
                  .grad = b->grad,
                  .exp_avg = b->exp_avg,
                  .exp_avg_sq = b->exp_avg_sq,
                  .param_bf16 = b->param_bf16,
                  .n = b->n,
                  .step = 3,
                  .lr = 1e-3,
                  .beta1 = 0.9,
                  .beta2 = 0.999,
                  .eps = 1e-8,
                  .weight_decay = 0.1,
                  .grad_scale = 0.7},
        .parts = parts,
        .parts_count = count,
    };
}

static void assert_same_bits(const struct buffers *a, const struct buffers *b) {
    size_t bytes = ((size_t)a->n + 1) * sizeof(float);
    assert_memory_equal(a->param, b->param, bytes);
    assert_memory_equal(a->exp_avg, b->exp_avg, bytes);
    assert_memory_equal(a->exp_avg_sq, b->exp_avg_sq, bytes);
    assert_memory_equal(a->param_bf16, b->param_bf16, bytes / 2);
}

static void test_kernel_adam_mini__blocks_of_one_are_adamw_bit_for_bit(void **state) {
    (void)state;
    const double small_beta1[] = {0.9, 0.3}; /* both forms of the interpolation */
    for (int s = 0; s < KERNEL_WAYS_SIZES; s++) {
        const int64_t n = kernel_ways_sizes[s];
        struct buffers mini = buffers_make(n);
        struct buffers adamw = buffers_make(n);
        const struct kernel_adam_mini_part part = {.n = n, .block = 1};
        struct kernel_adam_mini_args args = args_of(&mini, &part, 1);
        struct kernel_adam_mini_args each = args_of(&adamw, NULL, 0);
        for (int64_t step = 1; step <= 3; step++) {
            args.adamw.step = each.adamw.step = step;
            args.adamw.beta1 = each.adamw.beta1 = small_beta1[step % 2];
            kernel_adam_mini_cpu(&args, (struct kernel_cpu){.threads = 2});
            kernel_adamw_cpu(&each.adamw, (struct kernel_cpu){.threads = 2});
        }
        assert_same_bits(&mini, &adamw);
        buffers_free(&mini);
        buffers_free(&adamw);
    }
}

/* Parts as a store lays them out, with gaps: rows that straddle the pieces of threads, blocks of
 * one, and one block that is longer than a run of the sum. */
#define PARTS_ELEMENTS 90000
static const struct kernel_adam_mini_part some_parts[] = {
    {.first = 0, .n = 7, .block = 1, .first_block = 0},
    {.first = 16, .n = 40 * 577, .block = 577, .first_block = 7},
    {.first = 23104, .n = 3 * 10001, .block = 10001, .first_block = 47},
    {.first = 53120, .n = 36864, .block = 36864, .first_block = 50},
};
#define SOME_PARTS 4

static void test_kernel_adam_mini__same_bits_for_every_isa_and_thread_count(void **state) {
    (void)state;
    struct kernel_cpu ways[KERNEL_WAYS_MAX];
    int ways_count = kernel_ways_list(ways);
    struct buffers expected = buffers_make(PARTS_ELEMENTS);
    struct kernel_adam_mini_args args = args_of(&expected, some_parts, SOME_PARTS);
    kernel_adam_mini_cpu(&args, ways[0]);
    for (int w = 1; w < ways_count; w++) {
        struct buffers got = buffers_make(PARTS_ELEMENTS);
        args = args_of(&got, some_parts, SOME_PARTS);
        kernel_adam_mini_cpu(&args, ways[w]);
        assert_same_bits(&got, &expected);
        buffers_free(&got);
    }
    buffers_free(&expected);
}

/* One block of `old` by the formula in double; `updated` holds the kernel's. */
static void check_block(const struct kernel_adamw_args *a, const struct buffers *old,
                        const struct buffers *updated, int64_t first, int64_t block,
                        int64_t moment) {
    double sum = 0.0;
    for (int64_t i = first; i < first + block; i++) {
        const double grad = (double)old->grad[i] * a->grad_scale;
        sum += grad * grad;
    }
    const double v =
        a->beta2 * (double)old->exp_avg_sq[moment] + (1.0 - a->beta2) * sum / (double)block;
    assert_true(fabs((double)updated->exp_avg_sq[moment] / v - 1.0) < 1e-6);
    const double denominator = sqrt(v / (1.0 - pow(a->beta2, (double)a->step))) + a->eps;
    for (int64_t i = first; i < first + block; i++) {
        const double grad = (double)old->grad[i] * a->grad_scale;
        const double m = a->beta1 * (double)old->exp_avg[i] + (1.0 - a->beta1) * grad;
        const double expected = (double)old->param[i] * (1.0 - a->lr * a->weight_decay) -
                                a->lr * m / (1.0 - pow(a->beta1, (double)a->step)) / denominator;
        assert_true(fabs((double)updated->param[i] - expected) < 3e-7);
        assert_int_equal(updated->param_bf16[i], kernel_bf16_of_f32(updated->param[i]));
    }
}

static void test_kernel_adam_mini__agrees_with_the_formula_and_leaves_gaps_alone(void **state) {
    (void)state;
    struct buffers old = buffers_make(PARTS_ELEMENTS);
    struct buffers updated = buffers_make(PARTS_ELEMENTS);
    const struct kernel_adam_mini_args args = args_of(&updated, some_parts, SOME_PARTS);
    kernel_adam_mini_cpu(&args, (struct kernel_cpu){.threads = 2});
    int64_t end = 0;
    for (int64_t p = 0; p < SOME_PARTS; p++) {
        const struct kernel_adam_mini_part *part = &some_parts[p];
        for (; end < part->first; end++) { /* the gap before it */
            assert_float_equal(updated.param[end], old.param[end], 0.0F);
            assert_int_equal(updated.param_bf16[end], 0);
        }
        for (int64_t b = 0; b < part->n / part->block; b++) {
            check_block(&args.adamw, &old, &updated, part->first + b * part->block, part->block,
                        part->first_block + b);
        }
        end += part->n;
    }
    assert_float_equal(updated.exp_avg_sq[51], old.exp_avg_sq[51], 0.0F); /* behind the last */
    assert_float_equal(updated.param[old.n], GUARD, 0.0F);
    buffers_free(&old);
    buffers_free(&updated);
}

static void test_kernel_adam_mini__same_bits_with_and_without_a_bf16_copy(void **state) {
    (void)state;
    struct buffers with = buffers_make(PARTS_ELEMENTS);
    struct buffers without = buffers_make(PARTS_ELEMENTS);
    struct kernel_adam_mini_args args = args_of(&with, some_parts, SOME_PARTS);
    kernel_adam_mini_cpu(&args, one_thread);
    args = args_of(&without, some_parts, SOME_PARTS);
    args.adamw.param_bf16 = NULL;
    kernel_adam_mini_cpu(&args, one_thread);
    assert_memory_equal(with.param, without.param, PARTS_ELEMENTS * sizeof(float));
    buffers_free(&with);
    buffers_free(&without);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernel_adam_mini__hand_worked_two_steps),
        cmocka_unit_test(test_kernel_adam_mini__blocks_of_one_are_adamw_bit_for_bit),
        cmocka_unit_test(test_kernel_adam_mini__same_bits_for_every_isa_and_thread_count),
        cmocka_unit_test(test_kernel_adam_mini__agrees_with_the_formula_and_leaves_gaps_alone),
        cmocka_unit_test(test_kernel_adam_mini__same_bits_with_and_without_a_bf16_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
