/* test_tt_fused.c - the vocabulary head and the mixed linear layer against the plain formulas they
 * stand for, and against numbers worked by hand. */
#include "base/scoped.h"
#include "tests/support/near.h"
#include "tests/support/tensor.h"
#include "tests/unit/test_tt_ops.h"

#include <math.h>

/* Largest differences, relative to the largest value of the tensor above 1. Forward: f32 sums of D
 * products and of V exponentials, in other orders, of bf16 values exactly as of f32 ones. */
#define TOL_FUSED 3e-6
/* Backward in bf16: gradients of logits are rounded to 8 bits, and so is the result for hidden. */
#define TOL_FUSED_BF16_GRAD 0x1p-7

struct head_size {
    int64_t rows, depth, vocab;
};

/* One of each; odd ones; just beyond a tile of 64 rows, a panel of 256 entries or of depth, a
 * segment of 1024 entries, and the 4096 rows taken at once. */
static const struct head_size head_sizes[] = {
    {1, 1, 1},      {1, 8, 5},       {7, 33, 301},  {65, 64, 257},
    {64, 257, 256}, {129, 48, 2305}, {4097, 6, 37}, {3, 1030, 1025},
};
#define HEAD_SIZES (sizeof head_sizes / sizeof head_sizes[0])

static tt_tensor *drawn(tt_scope *s, int64_t item, double factor, struct tt_shape shape) {
    const struct rng rng = rng_stream(3, RNG_TEST, 0, item);
    return tt_scale(s, tt_rand_normal(s, &rng, shape), factor);
}

/* The three gradients that arrive, as a loss: sum(logp a) + sum(entropy b) + sum(lse c). */
static tt_tensor *weighted_loss(tt_scope *s, struct tt_head_result r) {
    tt_tensor *const terms[] = {r.logp, r.entropy, r.lse};
    tt_tensor *loss = tt_scalar(s, tt_dtype_of(r.logp), 0);
    for (int64_t i = 0; i < 3; i++) {
        tt_tensor *factors = drawn(s, 10 + i, 1, tt_shape_of(r.logp));
        tt_tensor *term = tt_mul(s, terms[i], tt_cast(s, factors, tt_dtype_of(r.logp)));
        loss = tt_add(s, loss, tt_sum(s, term));
    }
    return loss;
}

/* The formula that the head stands for. */
static struct tt_head_result plain_head(tt_scope *s, const tt_tensor *hidden,
                                        const struct tt_head *head, const tt_tensor *target) {
    tt_tensor *logits =
        tt_scale(s, tt_linear(s, hidden, head->weight, head->bias), head->logit_scale);
    return (struct tt_head_result){
        .logp = tt_token_logp(s, logits, target),
        .entropy = tt_entropy(s, logits),
        .lse = tt_logsumexp(s, logits, 1, TT_DROP_DIM),
        .top = tt_sub(s, tt_max_dim(s, logits, 1, TT_DROP_DIM),
                      tt_logsumexp(s, logits, 1, TT_DROP_DIM)),
    };
}

static void check_near(tt_scope *s, const tt_tensor *got, const tt_tensor *expected,
                       double tolerance, const char *what) {
    tensor_check_near(s, got, expected, tolerance, TENSOR_FOR(what));
}

static void check_results(tt_scope *s, struct tt_head_result got, struct tt_head_result expected,
                          double tolerance) {
    check_near(s, got.logp, expected.logp, tolerance, "logp");
    check_near(s, got.entropy, expected.entropy, tolerance, "entropy");
    check_near(s, got.lse, expected.lse, tolerance, "lse");
    check_near(s, got.top, expected.top, tolerance, "top");
}

static tt_tensor *targets(tt_scope *s, struct head_size size) {
    const struct rng rng = rng_stream(3, RNG_TEST, 0, 9);
    tt_tensor *uniform = tt_rand_uniform(s, &rng, TT_SHAPE(size.rows));
    return tt_cast(s, tt_scale(s, uniform, (double)size.vocab), TT_I64);
}

/* --- the head --- */

/* Logits 0 and log 3: p = 1/4, 3/4; lse = log 4; H = log 4 - 3/4 log 3. With scale 2 and bias
 * (0, log 3 / 2) on products (0, 0) the logits are the same. */
static void test_head__hand_worked(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *weight = f32_of(s, TT_SHAPE(2, 2), 0, 1, 1, 0);
    tt_tensor *hidden = tt_scale(s, f32_of(s, TT_SHAPE(2, 2), 1, 0, 0, 1), log(3));
    tt_tensor *target = i32_of(s, TT_SHAPE(2), 1, 1);
    const struct tt_head head = {.weight = weight, .logit_scale = 1};
    struct tt_head_result r = tt_head_logp(s, hidden, &head, target);
    double entropy = log(4) - 0.75 * log(3);
    assert_tensor_near(s, r.logp, TT_F32, TT_SHAPE(2), TOL_F32, log(0.75), log(0.25));
    assert_tensor_near(s, r.entropy, TT_F32, TT_SHAPE(2), TOL_F32, entropy, entropy);
    assert_tensor_near(s, r.lse, TT_F32, TT_SHAPE(2), TOL_F32, log(4), log(4));
    assert_tensor_near(s, r.top, TT_F32, TT_SHAPE(2), TOL_F32, log(0.75), log(0.75));
    /* where the target is the likeliest, exactly: what accuracy counts */
    assert_tensor(s, tt_ge(s, r.logp, r.top), TT_BOOL, TT_SHAPE(2), 1, 0);

    const struct tt_head scaled = {.weight = weight,
                                   .bias = tt_scale(s, f32_of(s, TT_SHAPE(2), 0, 1), 0.5 * log(3)),
                                   .logit_scale = 2};
    r = tt_head_logp(s, tt_zeros_like(s, hidden), &scaled, target);
    assert_tensor_near(s, r.logp, TT_F32, TT_SHAPE(2), TOL_F32, log(0.75), log(0.75));
    assert_tensor_near(s, r.lse, TT_F32, TT_SHAPE(2), TOL_F32, log(4), log(4));
}

/* Against the plain formula in f64, which is what f64 operands get too. */
static void check_head_f32(tt_scope *s, struct head_size size) {
    struct error err = ERROR_INIT;
    tt_tensor *weight = drawn(s, 1, 1, TT_SHAPE(size.vocab, size.depth));
    tt_tensor *hidden = drawn(s, 2, 2 / sqrt((double)size.depth), TT_SHAPE(size.rows, size.depth));
    tt_tensor *bias = drawn(s, 3, 1, TT_SHAPE(size.vocab));
    tt_tensor *target = targets(s, size);
    static const enum tt_dtype dtypes[] = {TT_F32, TT_F64, TT_F64};
    struct tt_head_result result[3];
    tt_tensor *grads[3][3];
    for (int i = 0; i < 3; i++) {
        tt_tensor *h = tt_leaf(s, tt_cast(s, hidden, dtypes[i]));
        const struct tt_head head = {.weight = tt_leaf(s, tt_cast(s, weight, dtypes[i])),
                                     .bias = tt_leaf(s, tt_cast(s, bias, dtypes[i])),
                                     .logit_scale = 0.7};
        result[i] = i < 2 ? tt_head_logp(s, h, &head, target) : plain_head(s, h, &head, target);
        assert_ok(tt_backward(s, weighted_loss(s, result[i]), &err), &err);
        grads[i][0] = tt_leaf_grad(s, h);
        grads[i][1] = tt_leaf_grad(s, head.weight);
        grads[i][2] = tt_leaf_grad(s, head.bias);
    }
    static const char *const names[] = {"hidden gradient", "weight gradient", "bias gradient"};
    for (int i = 0; i < 2; i++) {
        const double tolerance = dtypes[i] == TT_F32 ? TOL_FUSED : TOL_F64;
        check_results(s, result[i], result[2], tolerance);
        for (int g = 0; g < 3; g++) {
            check_near(s, grads[i][g], grads[2][g], tolerance, names[g]);
        }
    }
}

static void test_head__f32_equals_the_plain_formula(void **state) {
    tt_scope *s = tensor_test_scope(state);
    for (size_t i = 0; i < HEAD_SIZES; i++) {
        int64_t mark = tt_scope_mark(s);
        check_head_f32(s, head_sizes[i]);
        tt_scope_rewind(s, mark);
    }
}

/* The plain formula on the same values widened to f32. */
static void check_head_bf16(tt_scope *s, struct head_size size) {
    struct error err = ERROR_INIT;
    tt_tensor *weight = drawn(s, 1, 1, TT_SHAPE(size.vocab, size.depth));
    tt_tensor *shadow = tt_cast(s, weight, TT_BF16);
    tt_tensor *hidden = tt_cast(
        s, drawn(s, 2, 2 / sqrt((double)size.depth), TT_SHAPE(size.rows, size.depth)), TT_BF16);
    tt_tensor *target = targets(s, size);

    tt_tensor *h = tt_leaf(s, hidden);
    const struct tt_head head = {.weight = tt_leaf(s, weight), .shadow = shadow, .logit_scale = 1};
    struct tt_head_result mixed = tt_head_logp(s, h, &head, target);
    assert_ok(tt_backward(s, weighted_loss(s, mixed), &err), &err);

    tt_tensor *wide = tt_leaf(s, tt_cast(s, hidden, TT_F32));
    const struct tt_head plain = {.weight = tt_leaf(s, tt_cast(s, shadow, TT_F32)),
                                  .logit_scale = 1};
    struct tt_head_result expected = plain_head(s, wide, &plain, target);
    assert_ok(tt_backward(s, weighted_loss(s, expected), &err), &err);

    check_results(s, mixed, expected, TOL_FUSED);
    check_near(s, tt_leaf_grad(s, h), tt_leaf_grad(s, wide), TOL_FUSED_BF16_GRAD, "hidden");
    check_near(s, tt_leaf_grad(s, head.weight), tt_leaf_grad(s, plain.weight), TOL_FUSED_BF16_GRAD,
               "weight");
    assert_int_equal(tt_dtype_of(tt_leaf_grad(s, head.weight)), TT_F32);

    const struct tt_head frozen = {.weight = shadow, .logit_scale = 1};
    check_results(s, tt_head_logp(s, hidden, &frozen, target), mixed, 0);
}

static void test_head__bf16_equals_the_plain_formula_on_widened_values(void **state) {
    tt_scope *s = tensor_test_scope(state);
    for (size_t i = 0; i < HEAD_SIZES; i++) {
        int64_t mark = tt_scope_mark(s);
        check_head_bf16(s, head_sizes[i]);
        tt_scope_rewind(s, mark);
    }
}

/* Logits 10000, 9999 and -10000, each a sum of two exact products: p = 1 / (1 + 1/e) = 0.731059..
 * and the third is nothing. At that size lse itself has a last place of 1e-3; logp, the entropy and
 * the gradients, which are differences, are exact to their own. */
static void test_head__extreme_logits(void **state) {
    struct error err = ERROR_INIT;
    tt_scope *s = tensor_test_scope(state);
    double p = 1 / (1 + exp(-1));
    double entropy = -p * log(p) - (1 - p) * log(1 - p);
    tt_tensor *hidden = tt_leaf(s, f32_of(s, TT_SHAPE(1, 2), 100, 1));
    const struct tt_head head = {.weight = f32_of(s, TT_SHAPE(3, 2), 100, 0, 100, -1, -100, 0),
                                 .logit_scale = 1};
    const struct tt_head_result r = tt_head_logp(s, hidden, &head, i64_of(s, TT_SHAPE(1), 1));
    assert_tensor_near(s, r.logp, TT_F32, TT_SHAPE(1), TOL_F32, log(1 - p));
    assert_tensor_near(s, r.entropy, TT_F32, TT_SHAPE(1), TOL_F32, entropy);
    assert_tensor_near(s, r.lse, TT_F32, TT_SHAPE(1), 1e-7, 10000 - log(p));
    /* d logp / d x = -p, p, 0; d hidden = 100 (-p + p), -p. */
    assert_ok(tt_backward(s, tt_sum(s, r.logp), &err), &err);
    assert_tensor_near(s, tt_leaf_grad(s, hidden), TT_F32, TT_SHAPE(1, 2), 1e-4, 0, -p);
}

/* Forward and backward on `threads` threads, all bits of what comes out. */
static void head_bits(int64_t threads, enum tt_dtype dtype, float *out, int64_t count) {
    struct error err = ERROR_INIT;
    const struct head_size size = {130, 24, 3001};
    assert_ok(tt_runtime_set(&(struct tt_runtime){.threads = threads}, &err), &err);
    tt_scope *s = tt_scope_open(TT_GRAD);
    tt_tensor *weight = tt_leaf(s, drawn(s, 1, 1, TT_SHAPE(size.vocab, size.depth)));
    tt_tensor *hidden =
        tt_leaf(s, tt_cast(s, drawn(s, 2, 0.5, TT_SHAPE(size.rows, size.depth)), dtype));
    const struct tt_head head = {
        .weight = weight,
        .shadow = dtype == TT_BF16 ? tt_cast(s, tt_detach(s, weight), dtype) : NULL,
        .logit_scale = 1};
    const struct tt_head_result r = tt_head_logp(s, hidden, &head, targets(s, size));
    assert_ok(tt_backward(s, weighted_loss(s, r), &err), &err);
    const tt_tensor *all[] = {
        r.logp, r.entropy, r.lse,
        tt_reshape(s, tt_cast(s, tt_leaf_grad(s, hidden), TT_F32),
                   TT_SHAPE(size.rows * size.depth)),
        tt_reshape(s, tt_leaf_grad(s, weight), TT_SHAPE(size.vocab * size.depth))};
    assert_ok(tt_read_f32(s, tt_cat(s, all, 5, 0), out, count, &err), &err);
    tt_scope_close(s);
}

static void test_head__same_bits_on_any_number_of_threads(void **state) {
    (void)state;
    enum { COUNT = 3 * 130 + 130 * 24 + 3001 * 24 };
    static float one[COUNT];
    static float many[COUNT];
    struct error err = ERROR_INIT;
    const int64_t before = tt_threads();
    const enum tt_dtype dtypes[] = {TT_F32, TT_BF16};
    for (int d = 0; d < 2; d++) {
        head_bits(1, dtypes[d], one, COUNT);
        for (int64_t threads = 2; threads <= 5; threads++) {
            head_bits(threads, dtypes[d], many, COUNT);
            assert_memory_equal(many, one, sizeof one);
        }
    }
    assert_ok(tt_runtime_set(&(struct tt_runtime){.threads = before}, &err), &err);
}

/* 4097 rows are taken as 4096 and 1; here also as 100 and the rest. */
static void test_head__rows_may_be_cut_anywhere(void **state) {
    tt_scope *s = tensor_test_scope(state);
    const struct head_size size = {4097, 6, 300};
    tt_tensor *hidden = drawn(s, 2, 1, TT_SHAPE(size.rows, size.depth));
    tt_tensor *target = targets(s, size);
    const struct tt_head head = {.weight = drawn(s, 1, 1, TT_SHAPE(size.vocab, size.depth)),
                                 .logit_scale = 1};
    const struct tt_head_result whole = tt_head_logp(s, hidden, &head, target);
    const int64_t cuts[] = {0, 100, 4097};
    for (int i = 0; i < 2; i++) {
        int64_t first = cuts[i], count = cuts[i + 1] - cuts[i];
        const struct tt_head_result part = tt_head_logp(
            s, tt_narrow(s, hidden, 0, first, count), &head, tt_narrow(s, target, 0, first, count));
        check_near(s, part.logp, tt_narrow(s, whole.logp, 0, first, count), TOL_FUSED, "logp");
        check_near(s, part.entropy, tt_narrow(s, whole.entropy, 0, first, count), TOL_FUSED,
                   "entropy");
    }
}

static void test_head__a_nan_reaches_its_row_only(void **state) {
    tt_scope *s = tensor_test_scope(state);
    const struct tt_head head = {.weight = f32_of(s, TT_SHAPE(2, 1), 0, 1), .logit_scale = 1};
    tt_tensor *hidden = f32_of(s, TT_SHAPE(3, 1), 0, (double)NAN, (double)INFINITY);
    const struct tt_head_result r = tt_head_logp(s, hidden, &head, i64_of(s, TT_SHAPE(3), 0, 0, 1));
    assert_tensor_near(s, r.logp, TT_F32, TT_SHAPE(3), TOL_F32, -log(2), (double)NAN, (double)NAN);
    assert_tensor_near(s, r.entropy, TT_F32, TT_SHAPE(3), TOL_F32, log(2), (double)NAN,
                       (double)NAN);
}

static void test_head__no_rows(void **state) {
    tt_scope *s = tensor_test_scope(state);
    const struct tt_head head = {.weight = f32_of(s, TT_SHAPE(2, 1), 0, 1), .logit_scale = 1};
    const struct tt_head_result r =
        tt_head_logp(s, tt_zeros(s, TT_F32, TT_SHAPE(0, 1)), &head, tt_arange(s, 0, 0));
    assert_int_equal(tt_count_of(r.logp), 0);
}

static void test_head__refusals(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *h = tt_zeros(s, TT_F32, TT_SHAPE(2, 3));
    tt_tensor *half = tt_cast(s, h, TT_BF16);
    tt_tensor *weight = tt_zeros(s, TT_F32, TT_SHAPE(4, 3));
    tt_tensor *target = i64_of(s, TT_SHAPE(2), 0, 3);
    const struct tt_head plain = {.weight = weight, .logit_scale = 1};
#define HEAD(...) (&(struct tt_head){__VA_ARGS__})
    assert_refused_inside(r, tt_head_logp(r, h, &plain, i64_of(r, TT_SHAPE(2), 0, 4)),
                          "head_logp: target 4 is outside [0, 4)");
    assert_refused_inside(r, tt_head_logp(r, h, &plain, i64_of(r, TT_SHAPE(2), -100, 0)),
                          "head_logp: target -100 is outside [0, 4)");
    assert_refused_inside(r, tt_head_logp(r, h, &plain, i64_of(r, TT_SHAPE(1), 0)),
                          "expected hidden [N, D], weight [V, D], target [N]");
    assert_refused_inside(r, tt_head_logp(r, h, &plain, tt_cast(r, target, TT_F32)),
                          "target is neither i64 nor i32");
    assert_refused_inside(r, tt_head_logp(r, half, &plain, target),
                          "hidden and weight differ in dtype, and there is no shadow");
    assert_refused_inside(r, tt_head_logp(r, h, HEAD(.weight = weight, .logit_scale = 0), target),
                          "logit_scale is 0, expected a positive number");
    assert_refused_inside(
        r, tt_head_logp(r, h, HEAD(.weight = weight, .bias = target, .logit_scale = 1), target),
        "the bias is f32");
    assert_refused_inside(
        r, tt_head_logp(r, h, HEAD(.weight = weight, .shadow = half, .logit_scale = 1), target),
        "a shadow is the bf16 copy of an f32 weight");
    assert_refused_inside(
        r, tt_head_logp(r, half, HEAD(.weight = weight, .shadow = half, .logit_scale = 1), target),
        "weight and shadow differ in shape");
    assert_refused_inside(
        r,
        tt_head_logp(r, half,
                     HEAD(.weight = tt_leaf(r, tt_cast(r, weight, TT_BF16)), .logit_scale = 1),
                     target),
        "a trained weight is f32, with a shadow");
    assert_refused(r, tt_head_logp(r, NULL, &plain, target), ERR_INTERNAL,
                   "head_logp: operand 1 is NULL");
#undef HEAD
}

/* --- the mixed linear layer --- */

/* Small whole numbers: products and sums are exact in every precision but one, the gradient of the
 * weight: 257 rows of 1 give 257, which bf16 does not have. */
static void test_linear_mixed__weight_gradient_is_not_rounded(void **state) {
    struct error err = ERROR_INIT;
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *x = tt_leaf(s, tt_full(s, TT_BF16, TT_SHAPE(1, 257, 2), 1));
    tt_tensor *weight = tt_leaf(s, f32_of(s, TT_SHAPE(3, 2), 1, 2, 3, 4, 5, 6));
    tt_tensor *bias = tt_leaf(s, f32_of(s, TT_SHAPE(3), 10, 20, 30));
    tt_tensor *shadow = tt_cast(s, tt_detach(s, weight), TT_BF16);
    tt_tensor *y = tt_linear_mixed(s, x, weight, shadow, bias);
    assert_tensor(s, tt_select(s, tt_select(s, y, 0, 0), 0, 256), TT_BF16, TT_SHAPE(3), 13, 27, 41);
    assert_ok(tt_backward(s, tt_sum(s, tt_cast(s, y, TT_F32)), &err), &err);
    assert_tensor(s, tt_leaf_grad(s, weight), TT_F32, TT_SHAPE(3, 2), 257, 257, 257, 257, 257, 257);
    assert_tensor(s, tt_leaf_grad(s, bias), TT_F32, TT_SHAPE(3), 257, 257, 257);
    tt_tensor *row = tt_select(s, tt_select(s, tt_leaf_grad(s, x), 0, 0), 0, 0);
    assert_tensor(s, row, TT_BF16, TT_SHAPE(2), 9, 12);
}

/* Against f32 on the same values: y and d x are rounded once, d weight is not. */
static void check_linear_mixed(tt_scope *s, int64_t rows, int64_t inputs, int64_t outputs) {
    struct error err = ERROR_INIT;
    tt_tensor *x = tt_cast(s, drawn(s, 1, 1, TT_SHAPE(rows, inputs)), TT_BF16);
    tt_tensor *weight =
        tt_leaf(s, drawn(s, 2, 1 / sqrt((double)inputs), TT_SHAPE(outputs, inputs)));
    tt_tensor *shadow = tt_cast(s, tt_detach(s, weight), TT_BF16);
    tt_tensor *up = tt_cast(s, drawn(s, 3, 1, TT_SHAPE(rows, outputs)), TT_BF16);
    tt_tensor *mixed_x = tt_leaf(s, x);
    tt_tensor *y = tt_linear_mixed(s, mixed_x, weight, shadow, NULL);
    assert_ok(tt_backward(s, tt_sum(s, tt_cast(s, tt_mul(s, y, up), TT_F32)), &err), &err);

    tt_tensor *wide_x = tt_leaf(s, tt_cast(s, x, TT_F32));
    tt_tensor *wide_weight = tt_leaf(s, tt_cast(s, shadow, TT_F32));
    tt_tensor *wide_y = tt_linear(s, wide_x, wide_weight, NULL);
    assert_ok(tt_backward(s, tt_sum(s, tt_mul(s, wide_y, tt_cast(s, up, TT_F32))), &err), &err);
    check_near(s, y, wide_y, 0x1p-8, "y");
    check_near(s, tt_leaf_grad(s, mixed_x), tt_leaf_grad(s, wide_x), 0x1p-8, "x gradient");
    check_near(s, tt_leaf_grad(s, weight), tt_leaf_grad(s, wide_weight), TOL_FUSED,
               "weight gradient");
}

static void test_linear_mixed__equals_f32_up_to_one_rounding(void **state) {
    tt_scope *s = tensor_test_scope(state);
    check_linear_mixed(s, 1, 1, 1);
    check_linear_mixed(s, 33, 7, 301);
    check_linear_mixed(s, 100, 300, 65);
    check_linear_mixed(s, 1100, 64, 48);
}

static void test_linear_mixed__frozen_weight_takes_no_gradient(void **state) {
    struct error err = ERROR_INIT;
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *x = tt_leaf(s, bf16_of(s, TT_SHAPE(1, 2), 1, 2));
    tt_tensor *weight = f32_of(s, TT_SHAPE(1, 2), 3, 4);
    tt_tensor *y = tt_linear_mixed(s, x, weight, tt_cast(s, weight, TT_BF16), NULL);
    assert_tensor(s, y, TT_BF16, TT_SHAPE(1, 1), 11);
    assert_ok(tt_backward(s, tt_sum(s, tt_cast(s, y, TT_F32)), &err), &err);
    assert_tensor(s, tt_leaf_grad(s, x), TT_BF16, TT_SHAPE(1, 2), 3, 4);
}

static void test_linear_mixed__refusals(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *x = tt_zeros(s, TT_BF16, TT_SHAPE(1, 2));
    tt_tensor *weight = tt_zeros(s, TT_F32, TT_SHAPE(3, 2));
    tt_tensor *shadow = tt_cast(s, weight, TT_BF16);
    assert_refused_inside(r, tt_linear_mixed(r, weight, weight, shadow, NULL),
                          "expected x bf16, weight f32 and its shadow bf16");
    assert_refused_inside(r, tt_linear_mixed(r, x, weight, x, NULL),
                          "weight and shadow differ in shape");
    assert_refused_inside(
        r, tt_linear_mixed(r, tt_zeros(r, TT_BF16, TT_SHAPE(1, 3)), weight, shadow, NULL),
        "expected x [.., K], weight [N, K]");
    assert_refused_inside(r,
                          tt_linear_mixed(r, x, weight, shadow, tt_zeros(r, TT_F32, TT_SHAPE(1))),
                          "bias is not f32 with one element per output");
    assert_refused(r, tt_linear_mixed(r, x, weight, NULL, NULL), ERR_INTERNAL,
                   "linear_mixed: operand 3 is NULL");
}

/* --- gradients of both --- */

/* Asked for as values they are given as values, and a second derivative is refused. */
static void test_fused__gradients_as_values(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *weight = tt_leaf(s, f32_of(s, TT_SHAPE(2, 1), 0, 1));
    tt_tensor *hidden = tt_leaf(s, f32_of(s, TT_SHAPE(1, 1), 0));
    const struct tt_head head = {.weight = weight, .logit_scale = 1};
    tt_tensor *logp = tt_sum(s, tt_head_logp(s, hidden, &head, i64_of(s, TT_SHAPE(1), 1)).logp);
    tt_tensor *grads[2] = {NULL};
    tt_grad_of(s, logp, (const tt_tensor *[]){hidden, weight}, 2, false, grads);
    assert_tensor(s, grads[0], TT_F32, TT_SHAPE(1, 1), 0.5); /* w_1 - sum p w */
    assert_tensor(s, grads[1], TT_F32, TT_SHAPE(2, 1), 0, 0);
    assert_tensor(s, tt_leaf_grad(s, weight), TT_F32, TT_SHAPE(2, 1), 0, 0);
    tt_scope *r = tt_scope_open(TT_GRAD);
    logp = tt_sum(r, tt_head_logp(r, hidden, &head, i64_of(r, TT_SHAPE(1), 1)).logp);
    tt_grad_of(r, logp, (const tt_tensor *[]){hidden, weight}, 2, true, grads);
    tensor_check_refused_inside(r, "it has no second derivative", TENSOR_HERE);
}

int tt_fused_tests(void) {
    const struct CMUnitTest tests[] = {
        tensor_test(test_head__hand_worked),
        tensor_test(test_head__f32_equals_the_plain_formula),
        tensor_test(test_head__bf16_equals_the_plain_formula_on_widened_values),
        tensor_test(test_head__extreme_logits),
        tensor_test(test_head__same_bits_on_any_number_of_threads),
        tensor_test(test_head__rows_may_be_cut_anywhere),
        tensor_test(test_head__a_nan_reaches_its_row_only),
        tensor_test(test_head__no_rows),
        tensor_test(test_head__refusals),
        tensor_test(test_linear_mixed__weight_gradient_is_not_rounded),
        tensor_test(test_linear_mixed__equals_f32_up_to_one_rounding),
        tensor_test(test_linear_mixed__frozen_weight_takes_no_gradient),
        tensor_test(test_linear_mixed__refusals),
        tensor_test(test_fused__gradients_as_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
