/* test_tt_head_pair.c - a policy's distribution beside a reference's: the fused head against the
 * plain formulas, and against a small world solved by hand. */
#include "base/scoped.h"
#include "tests/support/near.h"
#include "tests/support/tensor.h"
#include "tests/unit/test_tt_ops.h"

#include <math.h>

/* As in test_tt_fused.c; differences of two logarithms add their errors. */
#define TOL_FUSED           5e-6
#define TOL_FUSED_BF16_GRAD 0x1p-7

struct pair_size {
    int64_t rows, depth, reference_depth, vocab;
};

/* One of each; odd ones; just beyond a tile of 64 rows, a panel of 256 entries, a segment of 1024
 * entries, and the 4096 rows taken at once. */
static const struct pair_size sizes[] = {
    {1, 1, 1, 1},        {7, 33, 20, 301}, {65, 64, 64, 257},
    {129, 48, 31, 2305}, {4097, 6, 6, 37}, {3, 1030, 8, 1025},
};
#define SIZES (sizeof sizes / sizeof sizes[0])

static const struct tt_matching some_matching = {
    .beta_in = 0.7, .beta_out = 1.3, .log_alpha = -4.0};

static tt_tensor *drawn(tt_scope *s, int64_t item, double factor, struct tt_shape shape) {
    const struct rng rng = rng_stream(6, RNG_TEST, 0, item);
    return tt_scale(s, tt_rand_normal(s, &rng, shape), factor);
}

/* What goes in, in f32. */
struct pair_inputs {
    tt_tensor *hidden, *weight, *bias, *reference_hidden, *reference_weight, *target;
};

static struct pair_inputs draw_inputs(tt_scope *s, struct pair_size size) {
    const struct rng rng = rng_stream(6, RNG_TEST, 0, 9);
    tt_tensor *uniform = tt_rand_uniform(s, &rng, TT_SHAPE(size.rows));
    return (struct pair_inputs){
        .hidden = drawn(s, 0, 2 / sqrt((double)size.depth), TT_SHAPE(size.rows, size.depth)),
        .weight = drawn(s, 1, 1, TT_SHAPE(size.vocab, size.depth)),
        .bias = drawn(s, 2, 1, TT_SHAPE(size.vocab)),
        .reference_hidden = drawn(s, 3, 2 / sqrt((double)size.reference_depth),
                                  TT_SHAPE(size.rows, size.reference_depth)),
        .reference_weight = drawn(s, 4, 1, TT_SHAPE(size.vocab, size.reference_depth)),
        .target = tt_cast(s, tt_scale(s, uniform, (double)size.vocab), TT_I64),
    };
}

/* The formulas that the op stands for, from whole rows of logits. */
static struct tt_head_pair_result plain_pair(tt_scope *s, const tt_tensor *hidden,
                                             const struct tt_head *head,
                                             const struct tt_head_reference *reference,
                                             const tt_tensor *target,
                                             const struct tt_matching *matching) {
    tt_tensor *logits =
        tt_scale(s, tt_linear(s, hidden, head->weight, head->bias), head->logit_scale);
    tt_tensor *other = tt_detach(
        s,
        tt_scale(s, tt_linear(s, reference->hidden, reference->head.weight, reference->head.bias),
                 reference->head.logit_scale));
    tt_tensor *log_p = tt_log_softmax(s, logits, 1);
    tt_tensor *log_q = tt_log_softmax(s, other, 1);
    tt_tensor *p = tt_exp(s, log_p);
    tt_tensor *ratio = tt_sub(s, log_p, log_q);
    tt_tensor *in = tt_gt(s, log_q, tt_scalar(s, tt_dtype_of(log_q), matching->log_alpha));
    tt_tensor *penalty = tt_where(s, in, tt_scale(s, log_p, matching->beta_in),
                                  tt_scale(s, ratio, matching->beta_out));
    return (struct tt_head_pair_result){
        .logp = tt_token_logp(s, logits, target),
        .ref_logp = tt_token_logp(s, other, target),
        .entropy = tt_entropy(s, logits),
        .kl = tt_sum_dim(s, tt_mul(s, p, ratio), 1, TT_DROP_DIM),
        .matching = tt_neg(s, tt_sum_dim(s, tt_mul(s, p, penalty), 1, TT_DROP_DIM)),
    };
}

/* The four gradients that arrive, as a loss: sums of each result times random factors. */
static tt_tensor *weighted_loss(tt_scope *s, struct tt_head_pair_result r) {
    tt_tensor *const terms[] = {r.logp, r.entropy, r.kl, r.matching};
    tt_tensor *loss = tt_scalar(s, tt_dtype_of(r.logp), 0);
    for (int64_t i = 0; i < 4; i++) {
        tt_tensor *factors =
            tt_cast(s, drawn(s, 10 + i, 1, tt_shape_of(r.logp)), tt_dtype_of(r.logp));
        loss = tt_add(s, loss, tt_sum(s, tt_mul(s, terms[i], factors)));
    }
    return loss;
}

static void check_near(tt_scope *s, const tt_tensor *got, const tt_tensor *expected,
                       double tolerance, const char *what) {
    tensor_check_near(s, got, expected, tolerance, TENSOR_FOR(what));
}

static void check_results(tt_scope *s, struct tt_head_pair_result got,
                          struct tt_head_pair_result expected, double tolerance) {
    check_near(s, got.logp, expected.logp, tolerance, "logp");
    check_near(s, got.ref_logp, expected.ref_logp, tolerance, "ref_logp");
    check_near(s, got.entropy, expected.entropy, tolerance, "entropy");
    check_near(s, got.kl, expected.kl, tolerance, "kl");
    check_near(s, got.matching, expected.matching, tolerance, "matching");
}

/* p = (0.6152893822, 0.3731918749, 0.0111417740, 0.0003769688) is the optimum of sum p r + G with r
 * = (1, 1/2, 0, -1), ref = (0.7, 0.2, 0.08, 0.02), alpha 0.1, betas 1 and 0.5 (bisection in Python,
 * as in test_kernel_logp_pair.c): there the gradient of G is that of -sum p r, so that with logits
 * log p = hidden weight^T, hidden 1, the gradient of sum p r + G is zero. */
static void test_pair__is_stationary_at_the_optimum_of_a_small_world(void **state) {
    struct error err = ERROR_INIT;
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *one = f32_of(s, TT_SHAPE(1, 1), 1);
    tt_tensor *p =
        f32_of(s, TT_SHAPE(4, 1), 0.6152893822, 0.3731918749, 0.0111417740, 0.0003769688);
    tt_tensor *ref = f32_of(s, TT_SHAPE(4, 1), 0.7, 0.2, 0.08, 0.02);
    const struct tt_head head = {.weight = tt_leaf(s, tt_log(s, p)), .logit_scale = 1};
    const struct tt_head_reference reference = {
        .hidden = one, .head = {.weight = tt_log(s, ref), .logit_scale = 1}};
    const struct tt_matching matching = {.beta_in = 1, .beta_out = 0.5, .log_alpha = log(0.1)};
    const struct tt_head_pair_result r =
        tt_head_pair(s, one, &head, &reference, i64_of(s, TT_SHAPE(1), 1), &matching);
    tt_tensor *reward = f32_of(s, TT_SHAPE(1, 4), 1, 0.5, 0, -1);
    tt_tensor *now = tt_softmax(s, tt_linear(s, one, head.weight, NULL), 1); /* [1, 4] */
    tt_tensor *objective = tt_add(s, tt_sum(s, tt_mul(s, now, reward)), tt_sum(s, r.matching));
    assert_tensor_near(s, objective, TT_F32, TT_SHAPE_SCALAR, TOL_F32, 1.4799032100);
    assert_tensor_near(s, r.logp, TT_F32, TT_SHAPE(1), TOL_F32, log(0.3731918749));
    assert_tensor_near(s, r.ref_logp, TT_F32, TT_SHAPE(1), TOL_F32, log(0.2));
    assert_ok(tt_backward(s, objective, &err), &err);
    assert_tensor_near(s, tt_leaf_grad(s, head.weight), TT_F32, TT_SHAPE(4, 1), TOL_F32, 0, 0, 0,
                       0);
}

/* Fused in f32, and in chunks in f64, against the formulas in f64. */
static void check_wide(tt_scope *s, struct pair_size size) {
    struct error err = ERROR_INIT;
    const struct pair_inputs in = draw_inputs(s, size);
    static const enum tt_dtype dtypes[] = {TT_F32, TT_F64, TT_F64};
    struct tt_head_pair_result result[3];
    tt_tensor *grads[3][3];
    for (int i = 0; i < 3; i++) {
        tt_tensor *h = tt_leaf(s, tt_cast(s, in.hidden, dtypes[i]));
        const struct tt_head head = {.weight = tt_leaf(s, tt_cast(s, in.weight, dtypes[i])),
                                     .bias = tt_leaf(s, tt_cast(s, in.bias, dtypes[i])),
                                     .logit_scale = 0.7};
        const struct tt_head_reference reference = {
            .hidden = tt_cast(s, in.reference_hidden, dtypes[i]),
            .head = {.weight = tt_cast(s, in.reference_weight, dtypes[i]),
                     .bias = tt_cast(s, in.bias, dtypes[i]),
                     .logit_scale = 1.1}};
        result[i] =
            (i < 2 ? tt_head_pair : plain_pair)(s, h, &head, &reference, in.target, &some_matching);
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

static void test_pair__f32_and_f64_equal_the_plain_formulas(void **state) {
    tt_scope *s = tensor_test_scope(state);
    for (size_t i = 0; i < SIZES; i++) {
        int64_t mark = tt_scope_mark(s);
        check_wide(s, sizes[i]);
        tt_scope_rewind(s, mark);
    }
}

/* The plain formulas on the same values widened to f32; the policy's weight has a shadow, the
 * reference's is frozen. */
static void check_bf16(tt_scope *s, struct pair_size size) {
    struct error err = ERROR_INIT;
    const struct pair_inputs in = draw_inputs(s, size);
    tt_tensor *h = tt_leaf(s, tt_cast(s, in.hidden, TT_BF16));
    tt_tensor *shadow = tt_cast(s, in.weight, TT_BF16);
    const struct tt_head head = {
        .weight = tt_leaf(s, in.weight), .shadow = shadow, .logit_scale = 1};
    const struct tt_head_reference reference = {
        .hidden = tt_cast(s, in.reference_hidden, TT_BF16),
        .head = {.weight = tt_cast(s, in.reference_weight, TT_BF16), .logit_scale = 1}};
    const struct tt_head_pair_result mixed =
        tt_head_pair(s, h, &head, &reference, in.target, &some_matching);
    assert_ok(tt_backward(s, weighted_loss(s, mixed), &err), &err);

    tt_tensor *wide = tt_leaf(s, tt_cast(s, h, TT_F32));
    const struct tt_head plain = {.weight = tt_leaf(s, tt_cast(s, shadow, TT_F32)),
                                  .logit_scale = 1};
    const struct tt_head_reference beside = {
        .hidden = tt_cast(s, reference.hidden, TT_F32),
        .head = {.weight = tt_cast(s, reference.head.weight, TT_F32), .logit_scale = 1}};
    const struct tt_head_pair_result expected =
        plain_pair(s, wide, &plain, &beside, in.target, &some_matching);
    assert_ok(tt_backward(s, weighted_loss(s, expected), &err), &err);
    check_results(s, mixed, expected, TOL_FUSED);
    check_near(s, tt_leaf_grad(s, h), tt_leaf_grad(s, wide), TOL_FUSED_BF16_GRAD, "hidden");
    check_near(s, tt_leaf_grad(s, head.weight), tt_leaf_grad(s, plain.weight), TOL_FUSED_BF16_GRAD,
               "weight");
}

static void test_pair__bf16_equals_the_plain_formulas_on_widened_values(void **state) {
    tt_scope *s = tensor_test_scope(state);
    for (size_t i = 0; i < SIZES; i++) {
        int64_t mark = tt_scope_mark(s);
        check_bf16(s, sizes[i]);
        tt_scope_rewind(s, mark);
    }
}

/* Nothing in M: -beta_out KL; everything: beta_in times the entropy. The policy's own numbers are
 * those of tt_head_logp. */
static void test_pair__its_ends_are_the_divergence_and_the_entropy(void **state) {
    tt_scope *s = tensor_test_scope(state);
    const struct pair_inputs in = draw_inputs(s, (struct pair_size){9, 12, 12, 700});
    const struct tt_head head = {.weight = in.weight, .bias = in.bias, .logit_scale = 1};
    const struct tt_head_reference reference = {
        .hidden = in.reference_hidden, .head = {.weight = in.reference_weight, .logit_scale = 1}};
    const double ends[] = {0, (double)INFINITY, -(double)INFINITY};
    for (int i = 0; i < 3; i++) {
        const struct tt_matching matching = {.beta_in = 3, .beta_out = 0.5, .log_alpha = ends[i]};
        const struct tt_head_pair_result r =
            tt_head_pair(s, in.hidden, &head, &reference, in.target, &matching);
        tt_tensor *expected = i < 2 ? tt_scale(s, r.kl, -0.5) : tt_scale(s, r.entropy, 3);
        check_near(s, r.matching, expected, TOL_F32, "matching");
        const struct tt_head_result alone = tt_head_logp(s, in.hidden, &head, in.target);
        check_near(s, r.logp, alone.logp, 0, "logp");
        check_near(s, r.entropy, alone.entropy, TOL_F32, "entropy");
    }
}

static void test_pair__no_divergence_from_itself(void **state) {
    tt_scope *s = tensor_test_scope(state);
    const struct pair_inputs in = draw_inputs(s, (struct pair_size){70, 12, 12, 3001});
    const struct tt_head head = {.weight = in.weight, .logit_scale = 1};
    const struct tt_head_reference itself = {.hidden = in.hidden, .head = head};
    const struct tt_head_pair_result r =
        tt_head_pair(s, in.hidden, &head, &itself, in.target, &some_matching);
    check_near(s, r.ref_logp, r.logp, 0, "ref_logp");
    check_near(s, r.kl, tt_zeros_like(s, r.kl), TOL_FUSED, "kl");
}

/* Forward and backward on `threads` threads, all bits of what comes out. */
static void pair_bits(int64_t threads, enum tt_dtype dtype, float *out, int64_t count) {
    struct error err = ERROR_INIT;
    const struct pair_size size = {130, 24, 16, 3001};
    assert_ok(tt_runtime_set(&(struct tt_runtime){.threads = threads}, &err), &err);
    tt_scope *s = tt_scope_open(TT_GRAD);
    const struct pair_inputs in = draw_inputs(s, size);
    tt_tensor *weight = tt_leaf(s, in.weight);
    tt_tensor *hidden = tt_leaf(s, tt_cast(s, in.hidden, dtype));
    const struct tt_head head = {
        .weight = weight,
        .shadow = dtype == TT_BF16 ? tt_cast(s, tt_detach(s, weight), dtype) : NULL,
        .logit_scale = 1};
    const struct tt_head_reference reference = {
        .hidden = tt_cast(s, in.reference_hidden, dtype),
        .head = {.weight = tt_cast(s, in.reference_weight, dtype), .logit_scale = 1}};
    const struct tt_head_pair_result r =
        tt_head_pair(s, hidden, &head, &reference, in.target, &some_matching);
    assert_ok(tt_backward(s, weighted_loss(s, r), &err), &err);
    const tt_tensor *all[] = {
        r.logp,
        r.ref_logp,
        r.entropy,
        r.kl,
        r.matching,
        tt_reshape(s, tt_cast(s, tt_leaf_grad(s, hidden), TT_F32),
                   TT_SHAPE(size.rows * size.depth)),
        tt_reshape(s, tt_leaf_grad(s, weight), TT_SHAPE(size.vocab * size.depth))};
    assert_ok(tt_read_f32(s, tt_cat(s, all, 7, 0), out, count, &err), &err);
    tt_scope_close(s);
}

static void test_pair__same_bits_on_any_number_of_threads(void **state) {
    (void)state;
    enum { COUNT = 5 * 130 + 130 * 24 + 3001 * 24 };
    static float one[COUNT];
    static float many[COUNT];
    struct error err = ERROR_INIT;
    const int64_t before = tt_threads();
    const enum tt_dtype dtypes[] = {TT_F32, TT_BF16};
    for (int d = 0; d < 2; d++) {
        pair_bits(1, dtypes[d], one, COUNT);
        for (int64_t threads = 2; threads <= 5; threads++) {
            pair_bits(threads, dtypes[d], many, COUNT);
            assert_memory_equal(many, one, sizeof one);
        }
    }
    assert_ok(tt_runtime_set(&(struct tt_runtime){.threads = before}, &err), &err);
}

/* Asked for as values; no gradient reaches the reference; a second derivative is refused. */
static void test_pair__gradients_as_values(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *weight = tt_leaf(s, f32_of(s, TT_SHAPE(2, 1), 0, 1));
    tt_tensor *hidden = tt_leaf(s, f32_of(s, TT_SHAPE(1, 1), 0));
    const struct tt_head head = {.weight = weight, .logit_scale = 1};
    tt_tensor *reference_hidden = tt_leaf(s, f32_of(s, TT_SHAPE(1, 1), 2));
    const struct tt_head_reference reference = {.hidden = reference_hidden, .head = head};
    tt_tensor *target = i64_of(s, TT_SHAPE(1), 1);
    struct tt_head_pair_result r =
        tt_head_pair(s, hidden, &head, &reference, target, &some_matching);
    tt_tensor *loss = tt_sum(s, tt_add(s, r.logp, tt_scale(s, r.kl, 0)));
    tt_tensor *grads[2] = {NULL};
    tt_grad_of(s, loss, (const tt_tensor *[]){hidden, weight}, 2, false, grads);
    assert_tensor(s, grads[0], TT_F32, TT_SHAPE(1, 1), 0.5); /* w_1 - sum p w */
    assert_tensor(s, grads[1], TT_F32, TT_SHAPE(2, 1), 0, 0);
    struct error err = ERROR_INIT;
    r = tt_head_pair(s, hidden, &head, &reference, target, &some_matching);
    assert_ok(tt_backward(s, tt_sum(s, r.kl), &err), &err);
    assert_tensor(s, tt_leaf_grad(s, reference_hidden), TT_F32, TT_SHAPE(1, 1), 0);
    tt_scope *refused = tt_scope_open(TT_GRAD);
    r = tt_head_pair(refused, hidden, &head, &reference, target, &some_matching);
    tt_grad_of(refused, tt_sum(refused, r.kl), (const tt_tensor *[]){hidden, weight}, 2, true,
               grads);
    tensor_check_refused_inside(refused, "it has no second derivative", TENSOR_HERE);
}

static void test_pair__no_rows(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *none = tt_zeros(s, TT_F32, TT_SHAPE(0, 1));
    const struct tt_head head = {.weight = f32_of(s, TT_SHAPE(2, 1), 0, 1), .logit_scale = 1};
    const struct tt_head_reference reference = {.hidden = none, .head = head};
    const struct tt_head_pair_result r =
        tt_head_pair(s, none, &head, &reference, tt_arange(s, 0, 0), &some_matching);
    assert_int_equal(tt_count_of(r.matching), 0);
}

static void test_pair__refusals(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *h = tt_zeros(s, TT_F32, TT_SHAPE(2, 3));
    tt_tensor *target = i64_of(s, TT_SHAPE(2), 0, 3);
    const struct tt_head head = {.weight = tt_zeros(s, TT_F32, TT_SHAPE(4, 3)), .logit_scale = 1};
    const struct tt_head more = {.weight = tt_zeros(s, TT_F32, TT_SHAPE(5, 3)), .logit_scale = 1};
    const struct tt_head wide = {.weight = tt_cast(s, head.weight, TT_F64), .logit_scale = 1};
    const struct tt_head_reference itself = {h, head};
#define REFERENCE(...) (&(struct tt_head_reference){__VA_ARGS__})
#define MATCHING(...)  (&(struct tt_matching){__VA_ARGS__})
    assert_refused_inside(r, tt_head_pair(r, h, &head, REFERENCE(h, more), target, &some_matching),
                          "policy and reference have vocabularies of 4 and 5");
    assert_refused_inside(r,
                          tt_head_pair(r, h, &head,
                                       REFERENCE(tt_zeros(r, TT_F32, TT_SHAPE(1, 3)), head), target,
                                       &some_matching),
                          "policy and reference have 2 and 1 rows");
    assert_refused_inside(
        r,
        tt_head_pair(r, h, &head, REFERENCE(tt_cast(r, h, TT_F64), wide), target, &some_matching),
        "hidden states of policy and reference differ in dtype");
    assert_refused_inside(
        r, tt_head_pair(r, h, &head, &itself, i64_of(r, TT_SHAPE(2), 0, 4), &some_matching),
        "head_pair: target 4 is outside [0, 4)");
    assert_refused_inside(r,
                          tt_head_pair(r, h, &head, &itself, target,
                                       MATCHING(.beta_in = 1, .beta_out = (double)INFINITY)),
                          "beta_in is 1 and beta_out inf, expected finite numbers");
    assert_refused_inside(
        r, tt_head_pair(r, h, &head, &itself, target, MATCHING(.log_alpha = (double)NAN)),
        "log_alpha is not a number");
    assert_refused(r, tt_head_pair(r, NULL, &head, &itself, target, &some_matching), ERR_INTERNAL,
                   "head_pair: operand 1 is NULL");
#undef REFERENCE
#undef MATCHING
}

int tt_head_pair_tests(void) {
    const struct CMUnitTest tests[] = {
        tensor_test(test_pair__is_stationary_at_the_optimum_of_a_small_world),
        tensor_test(test_pair__f32_and_f64_equal_the_plain_formulas),
        tensor_test(test_pair__bf16_equals_the_plain_formulas_on_widened_values),
        tensor_test(test_pair__its_ends_are_the_divergence_and_the_entropy),
        tensor_test(test_pair__no_divergence_from_itself),
        tensor_test(test_pair__same_bits_on_any_number_of_threads),
        tensor_test(test_pair__gradients_as_values),
        tensor_test(test_pair__no_rows),
        tensor_test(test_pair__refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
