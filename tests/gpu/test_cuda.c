/* test_cuda.c - the CUDA half against the CPU half, through the same calls. Skipped, and reported
 * as such, where there is no GPU. */
#include "base/rng.h"
#include "base/scoped.h"
#include "tensor/tt.h"
#include "tests/support/test.h"

#include <math.h>

#define COUNT 100003 /* odd, and more than one block of any kernel */

static const struct tt_device cpu = {TT_CPU, 0};
static const struct tt_device cuda = {TT_CUDA, 0};

static float on_cpu[COUNT];
static float on_cuda[COUNT];

static void require_gpu(void) {
    struct error reason = ERROR_INIT;
    if (tt_cuda_device_count(&reason) == 0) {
        /* A CUDA half that cannot be used is no missing GPU. */
        assert_null(strstr(reason.msg, "of another build"));
        print_message("skipped: %s\n", reason.msg);
        skip();
    }
}

typedef tt_tensor *(*draw_function)(tt_scope *, const struct rng *, struct tt_shape);

static void draw(draw_function function, struct tt_device device, float *out) {
    struct error err = ERROR_INIT;
    tt_scope *s = tt_scope_open_on(TT_NO_GRAD, device);
    const struct rng rng = rng_stream(11, RNG_TEST, 0, 0);
    assert_ok(tt_read_f32(s, function(s, &rng, TT_SHAPE(COUNT)), out, COUNT, &err), &err);
    tt_scope_close(s);
}

static void test_random__same_bits_on_both_devices(void **state) {
    (void)state;
    require_gpu();
    draw(tt_rand_uniform, cpu, on_cpu);
    draw(tt_rand_uniform, cuda, on_cuda);
    assert_memory_equal(on_cpu, on_cuda, sizeof on_cpu);
    draw(tt_rand_normal, cpu, on_cpu);
    draw(tt_rand_normal, cuda, on_cuda);
    assert_memory_equal(on_cpu, on_cuda, sizeof on_cpu);
}

/* Three steps of AdamW on given gradients; the values after them and the gradient norm. */
static double three_steps(struct tt_device device, enum tt_second_moments second_moments,
                          float *out) {
    struct error err = ERROR_INIT;
    const struct tt_adamw_config config = {0.9, 0.999, 1e-8, 0.01, second_moments};
    const struct tt_param_spec spec = {.name = "w",
                                       .dtype = TT_F32,
                                       .shape = TT_SHAPE(COUNT),
                                       .trainable = true,
                                       .decay = true,
                                       .block = COUNT};
    SCOPED(tt_params) struct tt_params *params = NULL;
    SCOPED(tt_adamw) struct tt_adamw *adamw = NULL;
    assert_ok(tt_params_new(device, &params, &err), &err);
    assert_ok(tt_params_declare(params, &spec, &err), &err);
    assert_ok(tt_params_allocate(params, &err), &err);
    assert_ok(tt_adamw_new(params, &config, &adamw, &err), &err);
    tt_scope *s = tt_scope_open_on(TT_NO_GRAD, device);
    const struct rng values = rng_stream(12, RNG_TEST, 0, 0);
    tt_copy_inplace(s, tt_param(s, params, "w"), tt_rand_normal(s, &values, TT_SHAPE(COUNT)));
    double norm = 0;
    for (int64_t step = 1; step <= 3; step++) {
        const struct rng rng = rng_stream(12, RNG_TEST, step, 0);
        tt_copy_inplace(s, tt_param_grad(s, params, "w"), tt_rand_normal(s, &rng, TT_SHAPE(COUNT)));
        assert_ok(tt_scope_check(s, &err), &err);
        assert_ok(tt_params_grad_norm(params, &norm, &err), &err);
        assert_ok(tt_adamw_step(adamw, 0.01, tt_clip_factor(norm, 1.0), &err), &err);
    }
    assert_ok(tt_read_f32(s, tt_param(s, params, "w"), out, COUNT, &err), &err);
    tt_scope_close(s);
    return norm;
}

static void test_adamw__same_bits_on_both_devices(void **state) {
    (void)state;
    require_gpu();
    for (enum tt_second_moments m = TT_MOMENT_EACH; m <= TT_MOMENT_BLOCK; m++) {
        double cpu_norm = three_steps(cpu, m, on_cpu);
        double cuda_norm = three_steps(cuda, m, on_cuda);
        assert_true(cpu_norm == cuda_norm);
        assert_memory_equal(on_cpu, on_cuda, sizeof on_cpu);
    }
}

/* log p, entropy and log-sum-exp of 300 hidden states, then the gradients of a weighted sum of them
 * with respect to hidden states, weight and bias, one after the other. */
#define HEAD_ROWS  300
#define HEAD_DEPTH 24
#define HEAD_VOCAB 1001
#define HEAD_COUNT (3 * HEAD_ROWS + HEAD_ROWS * HEAD_DEPTH + HEAD_VOCAB * HEAD_DEPTH + HEAD_VOCAB)

static tt_tensor *drawn_leaf(tt_scope *s, int64_t item, struct tt_shape shape) {
    const struct rng rng = rng_stream(14, RNG_TEST, 0, item);
    return tt_leaf(s, tt_rand_normal(s, &rng, shape));
}

static tt_tensor *flat(tt_scope *s, const tt_tensor *a) {
    return tt_reshape(s, tt_cast(s, a, TT_F32), TT_SHAPE(tt_count_of(a)));
}

static void head_on(struct tt_device device, enum tt_dtype dtype, float *out) {
    struct error err = ERROR_INIT;
    tt_scope *s = tt_scope_open_on(TT_GRAD, device);
    tt_tensor *hidden = drawn_leaf(s, 0, TT_SHAPE(HEAD_ROWS, HEAD_DEPTH));
    tt_tensor *weight = drawn_leaf(s, 1, TT_SHAPE(HEAD_VOCAB, HEAD_DEPTH));
    tt_tensor *bias = drawn_leaf(s, 2, TT_SHAPE(HEAD_VOCAB));
    const struct tt_head head = {
        .weight = weight,
        .shadow = dtype == TT_BF16 ? tt_cast(s, tt_detach(s, weight), dtype) : NULL,
        .bias = bias,
        .logit_scale = 0.5};
    const struct tt_head_result r =
        tt_head_logp(s, tt_cast(s, hidden, dtype), &head, tt_arange(s, 7, HEAD_ROWS));
    tt_tensor *loss = tt_add_scaled(s, tt_sum(s, r.logp), tt_sum(s, r.entropy), 0.3);
    loss = tt_add_scaled(s, loss, tt_sum(s, tt_square(s, r.lse)), 0.1);
    assert_ok(tt_backward(s, loss, &err), &err);
    const tt_tensor *all[] = {r.logp,
                              r.entropy,
                              r.lse,
                              flat(s, tt_leaf_grad(s, hidden)),
                              flat(s, tt_leaf_grad(s, weight)),
                              flat(s, tt_leaf_grad(s, bias))};
    assert_ok(tt_read_f32(s, tt_cat(s, all, 6, 0), out, HEAD_COUNT, &err), &err);
    tt_scope_close(s);
}

static void check_head_on_both(enum tt_dtype dtype, float tolerance) {
    head_on(cpu, dtype, on_cpu);
    head_on(cuda, dtype, on_cuda);
    for (int64_t i = 0; i < HEAD_COUNT; i++) {
        assert_float_equal(on_cuda[i], on_cpu[i], tolerance * fmaxf(10.0F, fabsf(on_cpu[i])));
    }
}

/* In bf16 gradients of logits are rounded on both sides, of values that differ in the last place.
 */
static void test_head__agrees_on_both_devices(void **state) {
    (void)state;
    require_gpu();
    check_head_on_both(TT_F32, 1e-5F);
    check_head_on_both(TT_BF16, 0x1p-7F);
}

/* 257 rows of ones: bf16 has no 257. */
static void test_linear_mixed__weight_gradient_is_not_rounded_on_cuda(void **state) {
    (void)state;
    require_gpu();
    struct error err = ERROR_INIT;
    tt_scope *s = tt_scope_open_on(TT_GRAD, cuda);
    tt_tensor *x = tt_full(s, TT_BF16, TT_SHAPE(257, 8), 1);
    tt_tensor *weight = tt_leaf(s, tt_zeros(s, TT_F32, TT_SHAPE(16, 8)));
    tt_tensor *shadow = tt_cast(s, tt_detach(s, weight), TT_BF16);
    tt_tensor *y = tt_linear_mixed(s, x, weight, shadow, NULL);
    assert_ok(tt_backward(s, tt_sum(s, tt_cast(s, y, TT_F32)), &err), &err);
    float grad[128];
    assert_ok(tt_read_f32(s, tt_leaf_grad(s, weight), grad, 128, &err), &err);
    for (int i = 0; i < 128; i++) {
        assert_true(grad[i] == 257.0F);
    }
    tt_scope_close(s);
}

static void test_ops__cuda_tensors_compute_and_read_back(void **state) {
    (void)state;
    require_gpu();
    struct error err = ERROR_INIT;
    tt_scope *s = tt_scope_open_on(TT_GRAD, cuda);
    const float values[6] = {1, 2, 3, 4, 5, 6};
    tt_tensor *a = tt_leaf(s, tt_from_f32(s, values, TT_SHAPE(2, 3)));
    tt_tensor *product = tt_matmul(s, a, tt_transpose(s, a, 0, 1)); /* [[14, 32], [32, 77]] */
    double sum = 0;
    assert_ok(tt_item_f64(s, tt_sum(s, product), &sum, &err), &err);
    assert_true(sum == 155);
    assert_ok(tt_backward(s, tt_sum(s, product), &err), &err);
    float grad[6];
    assert_ok(tt_read_f32(s, tt_leaf_grad(s, a), grad, 6, &err), &err);
    assert_true(grad[0] == 10 && grad[5] == 18); /* 2 (a0j + a1j) */
    tt_scope_close(s);
}

static void test_devices__never_mix_silently(void **state) {
    (void)state;
    require_gpu();
    struct error err = ERROR_INIT;
    tt_scope *s = tt_scope_open_on(TT_NO_GRAD, cuda);
    tt_tensor *here = tt_to_device(s, tt_scalar(s, TT_F32, 1), cpu);
    assert_null(tt_add(s, here, tt_scalar(s, TT_F32, 1)));
    assert_fails(tt_scope_check(s, &err), ERR_DTYPE, "add: operands on cpu and cuda:0", &err);
    tt_scope_close(s);
}

static void test_device_measure__bf16_rate_of_a_gpu(void **state) {
    (void)state;
    require_gpu();
    struct error err = ERROR_INIT;
    struct tt_device_rates rates = {0};
    assert_ok(tt_device_measure(cuda, &rates, &err), &err);
    assert_true(rates.f32_gflops > 100 && rates.bf16_gflops > rates.f32_gflops);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random__same_bits_on_both_devices),
        cmocka_unit_test(test_adamw__same_bits_on_both_devices),
        cmocka_unit_test(test_head__agrees_on_both_devices),
        cmocka_unit_test(test_linear_mixed__weight_gradient_is_not_rounded_on_cuda),
        cmocka_unit_test(test_ops__cuda_tensors_compute_and_read_back),
        cmocka_unit_test(test_devices__never_mix_silently),
        cmocka_unit_test(test_device_measure__bf16_rate_of_a_gpu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
