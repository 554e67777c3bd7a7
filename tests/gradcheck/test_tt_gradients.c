/* test_tt_gradients.c - tt_backward of every differentiable op against central differences in f64.
 *
 * For inputs x and a fixed direction w, L(x) = sum(w * op(x)); each dL/dx_i from backward is held
 * against (L(x + h e_i) - L(x - h e_i)) / 2h. With h = 1e-5 the differences are good to h^2 times
 * the third derivative, and to one rounding error of L over h: about 1e-10 each.
 */
#include "tests/support/tensor.h"

#include <math.h>

#define STEP          1e-5
#define TOL_GRADIENT  1e-7 /* relative above 1, absolute below */
#define INPUTS_MAX    3
#define ELEMENTS_MAX  64
#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))
#define WEIGHT_STREAM INPUTS_MAX /* inputs have the items before it */

typedef tt_tensor *(*unary_op)(tt_scope *, const tt_tensor *);
typedef tt_tensor *(*binary_op)(tt_scope *, const tt_tensor *, const tt_tensor *);
typedef tt_tensor *(*any_op)(tt_scope *, const tt_tensor *const *x);

/* One op, in the one of three forms that fits it. Inputs are uniform between low and high. */
struct gradient_case {
    const char *name;
    unary_op unary;
    binary_op binary;
    any_op any;
    int64_t inputs;
    struct tt_shape shape[INPUTS_MAX];
    double low, high;
};

/* The same numbers at the same place for every case. */
struct gradient_point {
    double value[INPUTS_MAX][ELEMENTS_MAX];
};

static tt_tensor *apply(tt_scope *s, const struct gradient_case *c, const tt_tensor *const *x) {
    if (c->unary) {
        return c->unary(s, x[0]);
    }
    return c->binary ? c->binary(s, x[0], x[1]) : c->any(s, x);
}

/* L, with leaves of the point's values put into `x`. */
static tt_tensor *loss_at(tt_scope *s, const struct gradient_case *c,
                          const struct gradient_point *at, tt_tensor *x[INPUTS_MAX]) {
    for (int64_t i = 0; i < c->inputs; i++) {
        x[i] = tt_leaf(s, tt_from_f64(s, at->value[i], c->shape[i]));
    }
    tt_tensor *y = apply(s, c, (const tt_tensor *const *)x);
    if (!y) {
        return NULL;
    }
    const struct rng stream = rng_stream(11, RNG_TEST, 0, WEIGHT_STREAM);
    tt_tensor *weight = tt_cast(s, tt_rand_normal(s, &stream, tt_shape_of(y)), TT_F64);
    return tt_sum(s, tt_mul(s, y, weight));
}

static double loss_value(const struct gradient_case *c, const struct gradient_point *at) {
    struct error err = ERROR_INIT;
    tt_tensor *x[INPUTS_MAX];
    double value = 0;
    tt_scope *s = tt_scope_open(TT_NO_GRAD);
    enum err_code code = tt_item_f64(s, loss_at(s, c, at, x), &value, &err);
    tt_scope_close(s);
    assert_ok(code, &err);
    return value;
}

static double central_difference(const struct gradient_case *c, const struct gradient_point *at,
                                 int64_t input, int64_t element) {
    struct gradient_point above = *at;
    struct gradient_point below = *at;
    above.value[input][element] += STEP;
    below.value[input][element] -= STEP;
    const double width = above.value[input][element] - below.value[input][element];
    return (loss_value(c, &above) - loss_value(c, &below)) / width;
}

static struct gradient_point draw_point(const struct gradient_case *c) {
    struct gradient_point at;
    for (int64_t i = 0; i < INPUTS_MAX; i++) {
        struct rng rng = rng_stream(11, RNG_TEST, 0, i);
        for (int64_t j = 0; j < ELEMENTS_MAX; j++) {
            at.value[i][j] = c->low + (c->high - c->low) * rng_uniform(&rng);
        }
    }
    return at;
}

static void check_gradient(tt_scope *s, const struct gradient_case *c) {
    struct error err = ERROR_INIT;
    const struct gradient_point at = draw_point(c);
    tt_tensor *x[INPUTS_MAX] = {NULL};
    tt_tensor *loss = loss_at(s, c, &at, x);
    if (tt_backward(s, loss, &err) != ERR_OK) {
        fail_msg("%s: %s", c->name, err.msg);
    }
    for (int64_t i = 0; i < c->inputs; i++) {
        double expected[ELEMENTS_MAX];
        const int64_t count = tt_count_of(x[i]);
        assert_true(count <= ELEMENTS_MAX);
        for (int64_t j = 0; j < count; j++) {
            expected[j] = central_difference(c, &at, i, j);
        }
        const struct tensor_expected wanted = {
            TT_F64, c->shape[i], TOL_GRADIENT, {expected, count}};
        tensor_check(s, tt_leaf_grad(s, x[i]), &wanted, TENSOR_FOR(c->name));
    }
}

static void check_gradients(tt_scope *s, const struct gradient_case *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        int64_t mark = tt_scope_mark(s);
        check_gradient(s, &cases[i]);
        tt_scope_rewind(s, mark);
    }
}

/* --- cases --- */

/* An op with arguments of its own, as an `any_op`: A is its first input, and so on. */
#define OP(name, call)                                               \
    static tt_tensor *name(tt_scope *s, const tt_tensor *const *x) { \
        return call;                                                 \
    }
#define A x[0]
#define B x[1]
#define C x[2]

#define MATRIX TT_SHAPE(2, 3)
#define UNARY(op) \
    { .name = #op, .unary = op, .inputs = 1, .shape = {MATRIX}, .low = -2, .high = 2 }
#define POSITIVE(op) \
    { .name = #op, .unary = op, .inputs = 1, .shape = {MATRIX}, .low = 0.5, .high = 2 }
#define BINARY(op, a, b) \
    { .name = #op, .binary = op, .inputs = 2, .shape = {a, b}, .low = 0.5, .high = 2 }
#define ANY_1(op, a) \
    { .name = #op, .any = op, .inputs = 1, .shape = {a}, .low = -2, .high = 2 }
#define ANY_2(op, a, b) \
    { .name = #op, .any = op, .inputs = 2, .shape = {a, b}, .low = -2, .high = 2 }
#define ANY_3(op, a, b, c) \
    { .name = #op, .any = op, .inputs = 3, .shape = {a, b, c}, .low = -2, .high = 2 }

/* --- one operand --- */

OP(scale, tt_scale(s, A, -1.5))
OP(shift, tt_shift(s, A, 0.5))
OP(clamp, tt_clamp(s, A, -1, 0.5))
OP(clamp_min, tt_clamp_min(s, A, 0.25))
OP(clamp_max, tt_clamp_max(s, A, 0.25))
OP(cube, tt_pow(s, A, 3))
OP(root, tt_pow(s, tt_exp(s, A), 0.5))

static void test_unary__gradients(void **state) {
    const struct gradient_case cases[] = {
        UNARY(tt_neg),
        UNARY(tt_abs),
        UNARY(tt_sign),
        UNARY(tt_square),
        UNARY(tt_exp),
        UNARY(tt_expm1),
        POSITIVE(tt_log),
        POSITIVE(tt_log1p),
        POSITIVE(tt_sqrt),
        POSITIVE(tt_rsqrt),
        POSITIVE(tt_reciprocal),
        UNARY(tt_sin),
        UNARY(tt_cos),
        UNARY(tt_tanh),
        UNARY(tt_sigmoid),
        UNARY(tt_log_sigmoid),
        UNARY(tt_softplus),
        UNARY(tt_relu),
        UNARY(tt_gelu),
        UNARY(tt_gelu_tanh),
        UNARY(tt_silu),
        UNARY(tt_clone),
        UNARY(tt_contiguous),
        ANY_1(scale, MATRIX),
        ANY_1(shift, MATRIX),
        ANY_1(clamp, MATRIX),
        ANY_1(clamp_min, MATRIX),
        ANY_1(clamp_max, MATRIX),
        ANY_1(cube, MATRIX),
        ANY_1(root, MATRIX),
    };
    check_gradients(tensor_test_scope(state), cases, COUNT(cases));
}

/* --- two operands --- */

OP(add_scaled, tt_add_scaled(s, A, B, -1.5))
OP(where, tt_where(s, bool_of(s, MATRIX, 1, 0, 0, 1, 1, 0), A, B))
OP(masked_fill, tt_masked_fill(s, A, bool_of(s, MATRIX, 1, 0, 0, 1, 1, 0), 3))

static void test_binary__gradients(void **state) {
    const struct gradient_case cases[] = {
        BINARY(tt_add, MATRIX, MATRIX),
        BINARY(tt_sub, MATRIX, MATRIX),
        BINARY(tt_mul, MATRIX, MATRIX),
        BINARY(tt_div, MATRIX, MATRIX),
        BINARY(tt_div, TT_SHAPE_SCALAR, MATRIX),
        BINARY(tt_div, MATRIX, TT_SHAPE_SCALAR),
        BINARY(tt_minimum, MATRIX, MATRIX),
        BINARY(tt_maximum, MATRIX, MATRIX),
        BINARY(tt_add_broadcast, TT_SHAPE(2, 1), TT_SHAPE(3)),
        BINARY(tt_sub_broadcast, TT_SHAPE(2, 1), TT_SHAPE(3)),
        BINARY(tt_mul_broadcast, TT_SHAPE(2, 1), TT_SHAPE(3)),
        BINARY(tt_div_broadcast, TT_SHAPE(2, 1), TT_SHAPE(3)),
        ANY_2(add_scaled, MATRIX, MATRIX),
        ANY_2(where, MATRIX, MATRIX),
        ANY_1(masked_fill, MATRIX),
    };
    check_gradients(tensor_test_scope(state), cases, COUNT(cases));
}

/* --- reductions --- */

OP(sum_dim, tt_sum_dim(s, A, 0, TT_KEEP_DIM))
OP(mean_dim, tt_mean_dim(s, A, 1, TT_DROP_DIM))
OP(min_dim, tt_min_dim(s, A, 1, TT_KEEP_DIM))
OP(max_dim, tt_max_dim(s, A, 0, TT_DROP_DIM))
OP(var_dim, tt_var_dim(s, A, 1, 1, TT_DROP_DIM))
OP(logsumexp, tt_logsumexp(s, A, 1, TT_KEEP_DIM))
OP(cumsum, tt_cumsum(s, A, 1))
OP(softmax, tt_softmax(s, A, 1))
OP(log_softmax, tt_log_softmax(s, A, 0))

OP(sort, tt_sort(s, A, 1, true).values)
OP(topk, tt_topk(s, A, 2, 1).values)

static void test_reductions__gradients(void **state) {
    const struct gradient_case cases[] = {
        UNARY(tt_sum),
        UNARY(tt_mean),
        UNARY(tt_min),
        UNARY(tt_max),
        UNARY(tt_norm),
        ANY_1(sum_dim, MATRIX),
        ANY_1(mean_dim, MATRIX),
        ANY_1(min_dim, MATRIX),
        ANY_1(max_dim, MATRIX),
        ANY_1(var_dim, MATRIX),
        ANY_1(logsumexp, MATRIX),
        ANY_1(cumsum, MATRIX),
        ANY_1(softmax, MATRIX),
        ANY_1(log_softmax, MATRIX),
        ANY_1(sort, MATRIX),
        ANY_1(topk, MATRIX),
    };
    check_gradients(tensor_test_scope(state), cases, COUNT(cases));
}

/* --- arrangement --- */

OP(reshape, tt_reshape(s, A, TT_SHAPE(3, 2)))
OP(transpose, tt_transpose(s, A, 0, 1))
OP(permute, tt_permute(s, A, TT_SHAPE(2, 0, 1)))
OP(squeeze, tt_squeeze(s, A, 1))
OP(unsqueeze, tt_unsqueeze(s, A, 1))
OP(expand, tt_expand(s, A, TT_SHAPE(2, 3)))
OP(narrow, tt_narrow(s, A, 1, 1, 2))
OP(select_column, tt_select(s, A, 1, 2))
OP(flip, tt_flip(s, A, 1))
OP(cat, tt_cat(s, x, 2, 1))
OP(stack, tt_stack(s, x, 2, 1))
OP(repeat_interleave, tt_repeat_interleave(s, A, 2, 0))
OP(tril, tt_tril(s, A, 0))
OP(triu, tt_triu(s, A, 1))
OP(index_select, tt_index_select(s, A, 1, i64_of(s, TT_SHAPE(3), 2, 0, 2)))
OP(gather, tt_gather(s, A, 1, i64_of(s, TT_SHAPE(2, 2), 2, 2, 0, 1)))
OP(scatter_add, tt_scatter_add(s, A, 1, i64_of(s, TT_SHAPE(2, 2), 2, 2, 0, 1), B))
OP(index_add, tt_index_add(s, A, 1, i64_of(s, TT_SHAPE(2), 2, 2), B))
OP(masked_select, tt_masked_select(s, A, bool_of(s, MATRIX, 1, 0, 0, 1, 1, 0)))

static void test_arrangement__gradients(void **state) {
    const struct gradient_case cases[] = {
        ANY_1(reshape, MATRIX),
        ANY_1(transpose, MATRIX),
        ANY_1(permute, TT_SHAPE(1, 2, 3)),
        ANY_1(squeeze, TT_SHAPE(2, 1, 3)),
        ANY_1(unsqueeze, MATRIX),
        ANY_1(expand, TT_SHAPE(2, 1)),
        ANY_1(narrow, MATRIX),
        ANY_1(select_column, MATRIX),
        ANY_1(flip, MATRIX),
        ANY_2(cat, MATRIX, TT_SHAPE(2, 1)),
        ANY_2(stack, MATRIX, MATRIX),
        ANY_1(repeat_interleave, MATRIX),
        ANY_1(tril, MATRIX),
        ANY_1(triu, MATRIX),
        ANY_1(index_select, MATRIX),
        ANY_1(gather, MATRIX),
        ANY_2(scatter_add, MATRIX, TT_SHAPE(2, 2)),
        ANY_2(index_add, MATRIX, TT_SHAPE(2, 2)),
        ANY_1(masked_select, MATRIX),
    };
    check_gradients(tensor_test_scope(state), cases, COUNT(cases));
}

/* --- networks --- */

#define HEADS TT_SHAPE(1, 2, 3, 2) /* queries; one key head of four keys below */
#define KEYS  TT_SHAPE(1, 1, 4, 2)

OP(linear, tt_linear(s, A, B, NULL))
OP(linear_with_bias, tt_linear(s, A, B, C))
OP(embedding, tt_embedding(s, A, i64_of(s, TT_SHAPE(2, 2), 1, 0, 1, 1)))
OP(layer_norm, tt_layer_norm(s, A, B, NULL, 0.1))
OP(layer_norm_with_bias, tt_layer_norm(s, A, B, C, 0.1))
OP(rms_norm, tt_rms_norm(s, A, B, 0.1))
OP(attention_all, tt_attention(s, A, B, C, TT_ATTEND_ALL, 0.7))
OP(attention_causal, tt_attention(s, A, B, C, TT_ATTEND_CAUSAL, 0.7))
OP(token_logp, tt_token_logp(s, A, i64_of(s, TT_SHAPE(2), 2, 0)))
OP(entropy, tt_entropy(s, A))

OP(rope,
   tt_rope(s, A, f64_of(s, TT_SHAPE(3, 1), 1, 0.6, -0.8), f64_of(s, TT_SHAPE(3, 1), 0, 0.8, 0.6)))
OP(swiglu, tt_swiglu(s, A, B))
OP(fused_rms_norm,
   tt_fused_norm(s, A, &(struct tt_norm){.weight = B, .eps = 0.1, .is_rms = true}, TT_F64))
OP(fused_layer_norm,
   tt_fused_norm(s, A, &(struct tt_norm){.weight = B, .bias = C, .eps = 0.1}, TT_F64))
OP(add_mixed, tt_add_mixed(s, A, B))

static tt_tensor *attention_packed(tt_scope *s, const tt_tensor *const *x) {
    const int64_t starts[] = {0, 1, 3};
    return tt_attention_packed(s, A, B, C, (struct tt_sequences){.starts = starts, .count = 2},
                               0.7);
}

/* Two rows, continued by one and by two. */
static tt_tensor *attention_shared(tt_scope *s, const tt_tensor *const *x) {
    const int64_t starts[] = {0, 2, 3, 5};
    const int64_t prefixes[] = {-1, 0, 0};
    const struct tt_sequences sequences = {.starts = starts, .count = 3, .prefixes = prefixes};
    return tt_attention_packed(s, A, B, C, sequences, 0.7);
}

static tt_tensor *tanh_of_context(tt_scope *s, const void *context, const tt_tensor *x) {
    const tt_tensor *const *factor = context;
    return tt_tanh(s, tt_mul(s, *factor, x));
}

static tt_tensor *recompute(tt_scope *s, const tt_tensor *const *x) {
    return tt_recompute(
        s, A,
        &(struct tt_block){.run = tanh_of_context, .context = &x[1], .context_bytes = sizeof x[1]});
}
/* Hidden states, weight and bias, through each result of the head. */
static struct tt_head_result head(tt_scope *s, const tt_tensor *const *x) {
    const struct tt_head of = {.weight = B, .bias = C, .logit_scale = 0.7};
    return tt_head_logp(s, A, &of, i64_of(s, TT_SHAPE(2), 3, 0));
}
OP(head_logp, head(s, x).logp)
OP(head_entropy, head(s, x).entropy)
OP(head_lse, head(s, x).lse)

/* The same beside a reference whose q is (0.1, 0.2, 0.3, 0.4): the last two are in M. */
static struct tt_head_pair_result head_pair(tt_scope *s, const tt_tensor *const *x) {
    const struct tt_head of = {.weight = B, .bias = C, .logit_scale = 0.7};
    const struct tt_head_reference reference = {
        .hidden = f64_of(s, TT_SHAPE(2, 1), 1, 1),
        .head = {.weight = tt_log(s, f64_of(s, TT_SHAPE(4, 1), 0.1, 0.2, 0.3, 0.4)),
                 .logit_scale = 1}};
    const struct tt_matching matching = {.beta_in = 0.8, .beta_out = 1.7, .log_alpha = log(0.25)};
    return tt_head_pair(s, A, &of, &reference, i64_of(s, TT_SHAPE(2), 3, 0), &matching);
}
OP(head_pair_logp, head_pair(s, x).logp)
OP(head_pair_entropy, head_pair(s, x).entropy)
OP(head_pair_kl, head_pair(s, x).kl)
OP(head_pair_matching, head_pair(s, x).matching)

static tt_tensor *dropout(tt_scope *s, const tt_tensor *const *x) {
    const struct rng stream = rng_stream(3, RNG_DROPOUT, 0, 0);
    return tt_dropout(s, A, &stream, 0.5);
}

static void test_networks__gradients(void **state) {
    const struct gradient_case cases[] = {
        BINARY(tt_matmul, MATRIX, TT_SHAPE(3, 2)),
        BINARY(tt_matmul, TT_SHAPE(2, 1, 3), TT_SHAPE(2, 3, 2)),
        BINARY(tt_outer, TT_SHAPE(2), TT_SHAPE(3)),
        BINARY(tt_dot, TT_SHAPE(3), TT_SHAPE(3)),
        ANY_2(linear, MATRIX, TT_SHAPE(2, 3)),
        ANY_3(linear_with_bias, MATRIX, TT_SHAPE(2, 3), TT_SHAPE(2)),
        ANY_1(embedding, MATRIX),
        ANY_2(layer_norm, MATRIX, TT_SHAPE(3)),
        ANY_3(layer_norm_with_bias, MATRIX, TT_SHAPE(3), TT_SHAPE(3)),
        ANY_2(rms_norm, MATRIX, TT_SHAPE(3)),
        ANY_3(attention_all, HEADS, KEYS, KEYS),
        ANY_3(attention_causal, HEADS, KEYS, KEYS),
        ANY_3(attention_causal, KEYS, KEYS, KEYS),
        ANY_3(head_logp, MATRIX, TT_SHAPE(4, 3), TT_SHAPE(4)),
        ANY_3(head_entropy, MATRIX, TT_SHAPE(4, 3), TT_SHAPE(4)),
        ANY_3(head_lse, MATRIX, TT_SHAPE(4, 3), TT_SHAPE(4)),
        ANY_3(head_pair_logp, MATRIX, TT_SHAPE(4, 3), TT_SHAPE(4)),
        ANY_3(head_pair_entropy, MATRIX, TT_SHAPE(4, 3), TT_SHAPE(4)),
        ANY_3(head_pair_kl, MATRIX, TT_SHAPE(4, 3), TT_SHAPE(4)),
        ANY_3(head_pair_matching, MATRIX, TT_SHAPE(4, 3), TT_SHAPE(4)),
        ANY_1(token_logp, MATRIX),
        ANY_1(entropy, MATRIX),
        ANY_1(dropout, MATRIX),
        ANY_1(rope, TT_SHAPE(3, 2, 2)),
        ANY_2(swiglu, MATRIX, MATRIX),
        ANY_2(fused_rms_norm, MATRIX, TT_SHAPE(3)),
        ANY_3(fused_layer_norm, MATRIX, TT_SHAPE(3), TT_SHAPE(3)),
        ANY_2(add_mixed, MATRIX, MATRIX),
        ANY_3(attention_packed, TT_SHAPE(3, 2, 2), TT_SHAPE(3, 1, 2), TT_SHAPE(3, 1, 2)),
        ANY_3(attention_shared, TT_SHAPE(5, 2, 2), TT_SHAPE(5, 1, 2), TT_SHAPE(5, 1, 2)),
        ANY_2(recompute, MATRIX, MATRIX),
    };
    check_gradients(tensor_test_scope(state), cases, COUNT(cases));
}

/* --- in place: on a copy, since a leaf that takes gradients is refused --- */

/* The copy of A, changed by `call`, in which it is `y`. */
#define INPLACE(name, call)                                          \
    static tt_tensor *name(tt_scope *s, const tt_tensor *const *x) { \
        tt_tensor *y = tt_clone(s, A);                               \
        call;                                                        \
        return y;                                                    \
    }

INPLACE(fill_inplace, tt_fill_inplace(s, y, 2))
INPLACE(copy_inplace, tt_copy_inplace(s, y, B))
INPLACE(add_inplace, tt_add_inplace(s, y, B))
INPLACE(add_scaled_inplace, tt_add_scaled_inplace(s, y, B, -1.5))
INPLACE(mul_inplace, tt_mul_inplace(s, y, B))
INPLACE(scale_inplace, tt_scale_inplace(s, y, -1.5))
INPLACE(masked_fill_inplace, tt_masked_fill_inplace(s, y, bool_of(s, MATRIX, 1, 0, 0, 1, 1, 0), 3))
INPLACE(index_copy_inplace, tt_index_copy_inplace(s, y, 1, i64_of(s, TT_SHAPE(2), 2, 0), B))

static void test_inplace__gradients(void **state) {
    const struct gradient_case cases[] = {
        ANY_1(fill_inplace, MATRIX),        ANY_2(copy_inplace, MATRIX, MATRIX),
        ANY_2(add_inplace, MATRIX, MATRIX), ANY_2(add_scaled_inplace, MATRIX, MATRIX),
        ANY_2(mul_inplace, MATRIX, MATRIX), ANY_1(scale_inplace, MATRIX),
        ANY_1(masked_fill_inplace, MATRIX), ANY_2(index_copy_inplace, MATRIX, TT_SHAPE(2, 2)),
    };
    check_gradients(tensor_test_scope(state), cases, COUNT(cases));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        tensor_test(test_unary__gradients),      tensor_test(test_binary__gradients),
        tensor_test(test_reductions__gradients), tensor_test(test_arrangement__gradients),
        tensor_test(test_networks__gradients),   tensor_test(test_inplace__gradients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
