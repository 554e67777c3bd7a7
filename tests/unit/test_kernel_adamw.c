#include "tensor/kernels/kernel_adamw.h"

#include "base/mem.h"
#include "base/rng.h"
#include "tensor/kernels/kernel_convert.h"
#include "tests/support/kernel_ways.h"
#include "tests/support/test.h"

#include <math.h>

/* Each value passes through a handful of f32 roundings, of 6e-8 each. */
#define TOL_F32 5e-7F

static const struct kernel_cpu one_thread = {.threads = 1};

/* Element 0 by hand; element 1 is its mirror image. The betas are chosen so that both steps' roots
 * are rational: 1 - 0.96 = 0.2^2 and 1 - 0.96^2 = 0.28^2. lr 0.1, decay 0.5, eps 0.5, scale 0.5.
 *
 * step 1: gradient 4 * 0.5 = 2
 *   decayed parameter       1 * (1 - 0.1 * 0.5)           = 0.95
 *   first moment            0 + 0.25 * (2 - 0)            = 0.5
 *   second moment           0 + 0.04 * 2 * 2              = 0.16
 *   denominator             0.4 / 0.2 + 0.5               = 2.5
 *   step size               0.1 / 0.25                    = 0.4
 *   parameter               0.95 - 0.4 * 0.5 / 2.5        = 0.87
 * step 2: gradient 2 * 0.5 = 1
 *   decayed parameter       0.87 * 0.95                   = 0.8265
 *   first moment            0.5 + 0.25 * (1 - 0.5)        = 0.625
 *   second moment           0.16 * 0.96 + 0.04 * 1 * 1    = 0.1936
 *   denominator             0.44 / 0.28 + 0.5             = 29/14
 *   step size               0.1 / (1 - 0.75^2)            = 8/35
 *   parameter               0.8265 - 8/35 * 0.625 / (29/14) = 0.8265 - 2/29 = 0.757534
 */
static void test_kernel_adamw__hand_worked_two_steps(void **state) {
    (void)state;
    float param[] = {1.0F, -1.0F};
    float grad[] = {4.0F, -4.0F};
    float exp_avg[] = {0.0F, 0.0F};
    float exp_avg_sq[] = {0.0F, 0.0F};
    struct kernel_adamw_args args = {
        .param = param,
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
        .grad_scale = 0.5,
    };
    kernel_adamw_cpu(&args, one_thread);
    assert_float_equal(param[0], 0.87F, TOL_F32);
    assert_float_equal(exp_avg[0], 0.5F, 0.0F);
    assert_float_equal(exp_avg_sq[0], 0.16F, TOL_F32);

    grad[0] = 2.0F;
    grad[1] = -2.0F;
    args.step = 2;
    kernel_adamw_cpu(&args, one_thread);
    assert_float_equal(param[0], 0.8265F - 2.0F / 29.0F, TOL_F32);
    assert_float_equal(exp_avg[0], 0.625F, 0.0F);
    assert_float_equal(exp_avg_sq[0], 0.1936F, TOL_F32);
    assert_float_equal(param[1], -param[0], 0.0F);
    assert_float_equal(exp_avg[1], -0.625F, 0.0F);
    assert_float_equal(exp_avg_sq[1], exp_avg_sq[0], 0.0F);
    assert_float_equal(grad[0], 2.0F, 0.0F);
}

/* beta1 < 0.5: the interpolation starts from the gradient, 2 - 0.25 * (2 - 1) = 1.75; with beta1 =
 * 0 the moment is the gradient itself, whatever it was before. */
static void test_kernel_adamw__small_beta1_interpolates_from_the_gradient(void **state) {
    (void)state;
    float param = 0.0F;
    float grad = 2.0F;
    float exp_avg = 1.0F;
    float exp_avg_sq = 0.0F;
    struct kernel_adamw_args args = {
        .param = &param,
        .grad = &grad,
        .exp_avg = &exp_avg,
        .exp_avg_sq = &exp_avg_sq,
        .n = 1,
        .step = 1,
        .beta1 = 0.25,
        .beta2 = 0.5,
        .grad_scale = 1.0,
    };
    kernel_adamw_cpu(&args, one_thread);
    assert_float_equal(exp_avg, 1.75F, 0.0F);
    args.beta1 = 0.0;
    exp_avg = 12345.678F;
    kernel_adamw_cpu(&args, one_thread);
    assert_float_equal(exp_avg, 2.0F, 0.0F);
    assert_float_equal(param, 0.0F, 0.0F); /* lr 0 */
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
    struct buffers b = {
        .param = draw(0, n, -1.0F, 1.0F),
        .grad = draw(1, n, -0.1F, 0.1F),
        .exp_avg = draw(2, n, -0.1F, 0.1F),
        .exp_avg_sq = draw(3, n, 0.0F, 0.01F),
        .param_bf16 = mem_array_zero((size_t)n + 1, sizeof(uint16_t)),
        .n = n,
    };
    return b;
}

static void buffers_free(struct buffers *b) {
    mem_free(b->param);
    mem_free(b->grad);
    mem_free(b->exp_avg);
    mem_free(b->exp_avg_sq);
    mem_free(b->param_bf16);
}

static struct kernel_adamw_args args_of(const struct buffers *b) {
    return (struct kernel_adamw_args){
        .param = b->param,
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
        .grad_scale = 0.7,
    };
}

static void assert_same_bits(const struct buffers *a, const struct buffers *b) {
    size_t bytes = ((size_t)a->n + 1) * sizeof(float);
    assert_memory_equal(a->param, b->param, bytes);
    assert_memory_equal(a->exp_avg, b->exp_avg, bytes);
    assert_memory_equal(a->exp_avg_sq, b->exp_avg_sq, bytes);
    assert_memory_equal(a->param_bf16, b->param_bf16, bytes / 2);
}

static void test_kernel_adamw__same_bits_for_every_isa_and_thread_count(void **state) {
    (void)state;
    struct kernel_cpu ways[KERNEL_WAYS_MAX];
    int ways_count = kernel_ways_list(ways);
    for (int s = 0; s < KERNEL_WAYS_SIZES; s++) {
        struct buffers expected = buffers_make(kernel_ways_sizes[s]);
        struct kernel_adamw_args args = args_of(&expected);
        kernel_adamw_cpu(&args, ways[0]);
        for (int w = 1; w < ways_count; w++) {
            struct buffers got = buffers_make(kernel_ways_sizes[s]);
            args = args_of(&got);
            kernel_adamw_cpu(&args, ways[w]);
            assert_same_bits(&got, &expected);
            buffers_free(&got);
        }
        buffers_free(&expected);
    }
}

/* The formula in double, for elements of ordinary size. */
static double expected_param(const struct kernel_adamw_args *a, double param, double raw_grad,
                             double exp_avg, double exp_avg_sq) {
    double grad = raw_grad * a->grad_scale;
    double m = a->beta1 * exp_avg + (1.0 - a->beta1) * grad;
    double v = a->beta2 * exp_avg_sq + (1.0 - a->beta2) * grad * grad;
    double m_hat = m / (1.0 - pow(a->beta1, (double)a->step));
    double v_hat = v / (1.0 - pow(a->beta2, (double)a->step));
    return param * (1.0 - a->lr * a->weight_decay) - a->lr * m_hat / (sqrt(v_hat) + a->eps);
}

static void test_kernel_adamw__agrees_with_the_formula_in_double(void **state) {
    (void)state;
    struct buffers old = buffers_make(5000);
    struct buffers updated = buffers_make(5000);
    struct kernel_adamw_args args = args_of(&updated);
    kernel_adamw_cpu(&args, (struct kernel_cpu){.threads = 2});
    for (int64_t i = 0; i < old.n; i++) {
        double expected = expected_param(&args, (double)old.param[i], (double)old.grad[i],
                                         (double)old.exp_avg[i], (double)old.exp_avg_sq[i]);
        assert_true(fabs((double)updated.param[i] - expected) < 3e-7);
    }
    assert_float_equal(updated.param[old.n], GUARD, 0.0F);
    buffers_free(&old);
    buffers_free(&updated);
}

static void test_kernel_adamw__writes_the_bf16_copy_and_nothing_behind_it(void **state) {
    (void)state;
    struct buffers b = buffers_make(1000);
    struct buffers plain = buffers_make(1000);
    struct kernel_adamw_args args = args_of(&b);
    kernel_adamw_cpu(&args, one_thread);
    for (int64_t i = 0; i < b.n; i++) {
        assert_int_equal(b.param_bf16[i], kernel_bf16_of_f32(b.param[i]));
    }
    assert_int_equal(b.param_bf16[b.n], 0);
    args = args_of(&plain);
    args.param_bf16 = NULL;
    kernel_adamw_cpu(&args, one_thread);
    assert_memory_equal(plain.param, b.param, (size_t)b.n * sizeof(float));
    buffers_free(&b);
    buffers_free(&plain);
}

static void test_kernel_adamw__nothing_to_do_for_no_elements(void **state) {
    (void)state;
    struct kernel_adamw_args args = {.n = 0, .step = 1, .beta1 = 0.9, .beta2 = 0.999};
    kernel_adamw_cpu(&args, (struct kernel_cpu){.threads = 4}); /* would crash on its NULLs */
    assert_null(args.param);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernel_adamw__hand_worked_two_steps),
        cmocka_unit_test(test_kernel_adamw__small_beta1_interpolates_from_the_gradient),
        cmocka_unit_test(test_kernel_adamw__same_bits_for_every_isa_and_thread_count),
        cmocka_unit_test(test_kernel_adamw__agrees_with_the_formula_in_double),
        cmocka_unit_test(test_kernel_adamw__writes_the_bf16_copy_and_nothing_behind_it),
        cmocka_unit_test(test_kernel_adamw__nothing_to_do_for_no_elements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
