/* test_tt_network.c - matrix products, norms, attention and losses, against hand-worked numbers and
 * plain loops. */
#include "tests/support/tensor.h"
#include "tests/unit/test_tt_ops.h"

#include <math.h>

/* --- linear algebra --- */

/* [1 2; 3 4] [5 6 7; 8 9 10] = [21 24 27; 47 54 61] */
static void test_matmul__rows_by_columns(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *a = f32_of(s, TT_SHAPE(2, 2), 1, 2, 3, 4);
    tt_tensor *b = f32_of(s, TT_SHAPE(2, 3), 5, 6, 7, 8, 9, 10);
    assert_tensor(s, tt_matmul(s, a, b), TT_F32, TT_SHAPE(2, 3), 21, 24, 27, 47, 54, 61);
    tt_tensor *left = f32_of(s, TT_SHAPE(2, 1, 2), 1, 2, 3, 4);
    tt_tensor *right = f32_of(s, TT_SHAPE(2, 2, 1), 5, 6, 7, 8);
    assert_tensor(s, tt_matmul(s, left, right), TT_F32, TT_SHAPE(2, 1, 1), 17, 53);
    tt_tensor *narrow = bf16_of(s, TT_SHAPE(2, 2), 1, 2, 3, 4);
    assert_tensor(s, tt_matmul(s, narrow, narrow), TT_BF16, TT_SHAPE(2, 2), 7, 10, 15, 22);
}

static void test_matmul__refuses_broadcasting_and_vectors(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *a = tt_zeros(s, TT_F32, TT_SHAPE(2, 3));
    tt_tensor *batch = tt_zeros(s, TT_F32, TT_SHAPE(4, 3, 5));
    tt_tensor *one = tt_zeros(s, TT_F32, TT_SHAPE(1, 2, 3));
    tt_tensor *row = tt_zeros(s, TT_F32, TT_SHAPE(3));
    assert_refused(r, tt_matmul(r, a, a), ERR_SHAPE,
                   "matmul: expected [.., M, K] by [.., K, N], got [2, 3] by [2, 3]");
    assert_refused(r, tt_matmul(r, a, batch), ERR_SHAPE,
                   "matmul: expected [.., M, K] by [.., K, N], got [2, 3] by [4, 3, 5]");
    assert_refused(r, tt_matmul(r, one, batch), ERR_SHAPE,
                   "matmul: expected [.., M, K] by [.., K, N], got [1, 2, 3] by [4, 3, 5]");
    assert_refused(r, tt_matmul(r, a, row), ERR_SHAPE,
                   "matmul: expected [.., M, K] by [.., K, N], got [2, 3] by [3]");
    assert_refused(r, tt_matmul(r, a, tt_zeros(r, TT_F64, TT_SHAPE(3, 2))), ERR_DTYPE,
                   "matmul: operand 2 is f64, expected f32; cast it with tt_cast");
    assert_refused(r, tt_matmul(r, tt_zeros(r, TT_I64, TT_SHAPE(2, 2)), a), ERR_DTYPE,
                   "matmul: operand 1 is i64, expected a float; cast it with tt_cast");
    assert_refused(r, tt_matmul(r, a, NULL), ERR_INTERNAL, "matmul: operand 2 is NULL");
}

/* Rows of weight are outputs: [1 2] -> [1*3 + 2*4, 1*5 + 2*6, 1*7 + 2*8]. */
static void test_linear__weight_is_transposed(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *x = f32_of(s, TT_SHAPE(1, 1, 2), 1, 2);
    tt_tensor *weight = f32_of(s, TT_SHAPE(3, 2), 3, 4, 5, 6, 7, 8);
    tt_tensor *bias = f32_of(s, TT_SHAPE(3), 100, 200, 300);
    assert_tensor(s, tt_linear(s, x, weight, NULL), TT_F32, TT_SHAPE(1, 1, 3), 11, 17, 23);
    assert_tensor(s, tt_linear(s, x, weight, bias), TT_F32, TT_SHAPE(1, 1, 3), 111, 217, 323);
    assert_refused(r, tt_linear(r, x, weight, tt_zeros(r, TT_F32, TT_SHAPE(1))), ERR_BACKEND,
                   "linear: bias has not one element per output; "
                   "inputs f32 [1, 1, 2], f32 [3, 2], f32 [1]");
    assert_refused(r, tt_linear(r, x, tt_zeros(r, TT_F32, TT_SHAPE(2)), NULL), ERR_BACKEND,
                   "linear: weight has rank 1, not 2; inputs f32 [1, 1, 2], f32 [2]");
    assert_refused_inside(r, tt_linear(r, bias, weight, NULL), "inputs f32 [3], f32 [3, 2]");
    assert_refused(r, tt_linear(r, x, tt_zeros(r, TT_BF16, TT_SHAPE(3, 2)), NULL), ERR_DTYPE,
                   "linear: operand 2 is bf16, expected f32; cast it with tt_cast");
    assert_refused(r, tt_linear(r, x, weight, tt_cast(r, bias, TT_F64)), ERR_DTYPE,
                   "linear: operand 3 is f64, expected f32; cast it with tt_cast");
    assert_refused(r, tt_linear(r, tt_cast(r, x, TT_I64), weight, bias), ERR_DTYPE,
                   "linear: operand 1 is i64, expected a float; cast it with tt_cast");
    assert_refused(r, tt_linear(r, x, NULL, NULL), ERR_INTERNAL, "linear: operand 2 is NULL");
}

static void test_outer__first_is_rows(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *a = f32_of(s, TT_SHAPE(2), 1, 2);
    tt_tensor *b = f32_of(s, TT_SHAPE(3), 3, 4, 5);
    assert_tensor(s, tt_outer(s, a, b), TT_F32, TT_SHAPE(2, 3), 3, 4, 5, 6, 8, 10);
    assert_refused_inside(r, tt_outer(r, a, tt_zeros(r, TT_F32, TT_SHAPE(1, 3))), "1-D");
    assert_refused(r, tt_outer(r, a, tt_arange(r, 0, 3)), ERR_DTYPE,
                   "outer: operand 2 is i64, expected a float; cast it with tt_cast");
    assert_refused(r, tt_outer(r, a, tt_cast(r, b, TT_F64)), ERR_DTYPE,
                   "outer: operand 2 is f64, expected f32; cast it with tt_cast");
}

static void test_dot__sums_products(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *a = f32_of(s, TT_SHAPE(3), 1, 2, 3);
    tt_tensor *b = f32_of(s, TT_SHAPE(3), 4, -5, 6);
    assert_tensor(s, tt_dot(s, a, b), TT_F32, TT_SHAPE_SCALAR, 12);
    assert_refused(r, tt_dot(r, a, tt_zeros(r, TT_F32, TT_SHAPE(2))), ERR_SHAPE,
                   "dot: shapes [3] and [2] differ");
    assert_refused(r, tt_dot(r, a, tt_scalar(r, TT_F32, 1)), ERR_SHAPE,
                   "dot: shapes [3] and [] differ");
    assert_refused(r, tt_dot(r, tt_cast(r, a, TT_BF16), tt_cast(r, b, TT_BF16)), ERR_DTYPE,
                   "dot: operand 1 is bf16, expected f32 or f64; cast it with tt_cast");
    assert_refused(r, tt_dot(r, a, tt_cast(r, b, TT_F64)), ERR_DTYPE,
                   "dot: operand 2 is f64, expected f32; cast it with tt_cast");
    assert_refused(r, tt_dot(r, NULL, b), ERR_INTERNAL, "dot: operand 1 is NULL");
}

/* --- layers --- */

static void test_embedding__rows_by_id(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *weight = f32_of(s, TT_SHAPE(3, 2), 1, 2, 3, 4, 5, 6);
    tt_tensor *ids = i64_of(s, TT_SHAPE(1, 2), 2, 0);
    assert_tensor(s, tt_embedding(s, weight, ids), TT_F32, TT_SHAPE(1, 2, 2), 5, 6, 1, 2);
    assert_refused_inside(r, tt_embedding(r, weight, i64_of(r, TT_SHAPE(1), 3)),
                          "index out of range in self; inputs f32 [3, 2], i64 [1]");
    assert_refused_inside(r, tt_embedding(r, weight, i64_of(r, TT_SHAPE(1), -1)),
                          "index out of range in self");
    assert_refused_inside(r, tt_embedding(r, tt_zeros(r, TT_F32, TT_SHAPE(3)), ids), "2-D");
    assert_refused(r, tt_embedding(r, ids, weight), ERR_DTYPE,
                   "embedding: operand 1 is i64, expected a float; cast it with tt_cast");
    assert_refused(r, tt_embedding(r, weight, i32_of(r, TT_SHAPE(1), 0)), ERR_DTYPE,
                   "embedding: operand 2 is i32, expected i64; cast it with tt_cast");
}

/* Rows [1 3] and [2 6]: variances 1 and 4, so -1, 1 before weight and bias. With eps = 3 the roots
 * are 2 and sqrt(7). */
static void test_layer_norm__over_the_last_dimension(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *x = f64_of(s, TT_SHAPE(2, 2), 1, 3, 2, 6);
    tt_tensor *weight = f64_of(s, TT_SHAPE(2), 10, 20);
    tt_tensor *bias = f64_of(s, TT_SHAPE(2), 0.5, 0.25);
    assert_tensor_near(s, tt_layer_norm(s, x, weight, NULL, 0), TT_F64, TT_SHAPE(2, 2), TOL_F64,
                       -10, 20, -10, 20);
    assert_tensor_near(s, tt_layer_norm(s, x, weight, bias, 3), TT_F64, TT_SHAPE(2, 2), TOL_F64,
                       -4.5, 10.25, 0.5 - 20 / sqrt(7), 0.25 + 40 / sqrt(7));
    assert_refused(r, tt_layer_norm(r, x, x, NULL, 0), ERR_BACKEND,
                   "layer_norm: weight has rank 2, not 1; inputs f64 [2, 2], f64 [2, 2]");
    assert_refused_inside(r, tt_layer_norm(r, x, f64_of(r, TT_SHAPE(3), 1, 2, 3), NULL, 0),
                          "inputs f64 [2, 2], f64 [3]");
    assert_refused_inside(r, tt_layer_norm(r, x, weight, f64_of(r, TT_SHAPE(1), 1), 0), "bias");
    assert_refused(r, tt_layer_norm(r, x, tt_cast(r, weight, TT_F32), bias, 0), ERR_DTYPE,
                   "layer_norm: operand 2 is f32, expected f64; cast it with tt_cast");
    tt_tensor *integers = i64_of(s, TT_SHAPE(2), 1, 2);
    assert_refused(r, tt_layer_norm(r, integers, integers, NULL, 0), ERR_DTYPE,
                   "layer_norm: operand 1 is i64, expected a float; cast it with tt_cast");
    assert_refused(r, tt_layer_norm(r, x, NULL, bias, 0), ERR_INTERNAL,
                   "layer_norm: operand 2 is NULL");
}

/* Row [1 7]: mean square 25, root 5; with eps = 144: root 13. */
static void test_rms_norm__over_the_last_dimension(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *x = f64_of(s, TT_SHAPE(1, 2), 1, 7);
    tt_tensor *weight = f64_of(s, TT_SHAPE(2), 10, 20);
    assert_tensor_near(s, tt_rms_norm(s, x, weight, 0), TT_F64, TT_SHAPE(1, 2), TOL_F64, 2, 28);
    assert_tensor_near(s, tt_rms_norm(s, x, weight, 144), TT_F64, TT_SHAPE(1, 2), TOL_F64,
                       10.0 / 13, 140.0 / 13);
    assert_refused(r, tt_rms_norm(r, x, x, 0), ERR_BACKEND,
                   "rms_norm: weight has rank 2, not 1; inputs f64 [1, 2], f64 [1, 2]");
    assert_refused_inside(r, tt_rms_norm(r, x, f64_of(r, TT_SHAPE(3), 1, 2, 3), 0),
                          "inputs f64 [1, 2], f64 [3]");
    assert_refused(r, tt_rms_norm(r, x, tt_cast(r, weight, TT_F32), 0), ERR_DTYPE,
                   "rms_norm: operand 2 is f32, expected f64; cast it with tt_cast");
    assert_refused(r, tt_rms_norm(r, tt_cast(r, x, TT_I64), weight, 0), ERR_DTYPE,
                   "rms_norm: operand 1 is i64, expected a float; cast it with tt_cast");
    assert_refused(r, tt_rms_norm(r, x, NULL, 0), ERR_INTERNAL, "rms_norm: operand 2 is NULL");
}

/* --- attention --- */

/* B sequences, H query heads, K key heads, T queries, S keys, D numbers a head. */
struct attention_case {
    const char *name;
    int64_t B, H, K, T, S, D;
    enum tt_attention_mask mask;
};

#define ATTENTION_MAX   512
#define ATTENTION_SCALE 0.7

struct attention_inputs {
    double q[ATTENTION_MAX]; /* [B, H, T, D] */
    double k[ATTENTION_MAX]; /* [B, K, S, D] */
    double v[ATTENTION_MAX]; /* [B, K, S, D] */
};

/* Where element j of row i lies, in rows of n. */
static int64_t index_of(int64_t i, int64_t n, int64_t j) {
    return i * n + j;
}

/* One query against the keys of its head: softmax(q k^T scale) v over keys 0 .. seen - 1. */
static void attend_one(const struct attention_case *c, const double *q, const double *k,
                       const double *v, int64_t seen, double *out) {
    double weight[16];
    double total = 0;
    for (int64_t j = 0; j < seen; j++) {
        double score = 0;
        for (int64_t d = 0; d < c->D; d++) {
            score += q[d] * k[index_of(j, c->D, d)];
        }
        weight[j] = exp(score * ATTENTION_SCALE);
        total += weight[j];
    }
    for (int64_t d = 0; d < c->D; d++) {
        out[d] = 0;
        for (int64_t j = 0; j < seen; j++) {
            out[d] += weight[j] / total * v[index_of(j, c->D, d)];
        }
    }
}

static void attend_all(const struct attention_case *c, const struct attention_inputs *in,
                       double *out) {
    for (int64_t b = 0; b < c->B; b++) {
        for (int64_t h = 0; h < c->H; h++) {
            const int64_t head = index_of(b, c->K, h / (c->H / c->K)); /* of k and v */
            for (int64_t t = 0; t < c->T; t++) {
                const int64_t query = index_of(index_of(b, c->H, h), c->T, t) * c->D;
                const int64_t keys = head * c->S * c->D;
                const int64_t seen = c->mask == TT_ATTEND_CAUSAL ? c->S - c->T + t + 1 : c->S;
                attend_one(c, in->q + query, in->k + keys, in->v + keys, seen, out + query);
            }
        }
    }
}

static void check_attention(tt_scope *s, const struct attention_case *c, enum tt_dtype dtype,
                            double tolerance) {
    struct attention_inputs in;
    double expected[ATTENTION_MAX];
    const int64_t queries = c->B * c->H * c->T * c->D;
    const int64_t keys = c->B * c->K * c->S * c->D;
    assert_true(queries <= ATTENTION_MAX && keys <= ATTENTION_MAX);
    struct rng rng = rng_stream(1, RNG_TEST, 0, 0);
    for (int64_t i = 0; i < ATTENTION_MAX; i++) {
        /* Multiples of 1/8 are the same in f32 and f64. */
        in.q[i] = (double)rng_below(&rng, 17) / 8 - 1;
        in.k[i] = (double)rng_below(&rng, 17) / 8 - 1;
        in.v[i] = (double)rng_below(&rng, 17) / 8 - 1;
    }
    attend_all(c, &in, expected);
    const struct tt_shape q_shape = TT_SHAPE(c->B, c->H, c->T, c->D);
    const struct tt_shape k_shape = TT_SHAPE(c->B, c->K, c->S, c->D);
    tt_tensor *q = tensor_of(s, dtype, q_shape, (struct tensor_values){in.q, queries});
    tt_tensor *k = tensor_of(s, dtype, k_shape, (struct tensor_values){in.k, keys});
    tt_tensor *v = tensor_of(s, dtype, k_shape, (struct tensor_values){in.v, keys});
    const struct tensor_expected wanted = {dtype, q_shape, tolerance, {expected, queries}};
    tensor_check(s, tt_attention(s, q, k, v, c->mask, ATTENTION_SCALE), &wanted,
                 TENSOR_FOR(c->name));
}

static void test_attention__agrees_with_plain_loops(void **state) {
    tt_scope *s = tensor_test_scope(state);
    const struct attention_case cases[] = {
        {"all", 2, 2, 2, 3, 5, 4, TT_ATTEND_ALL},
        {"all, more queries than keys", 1, 2, 2, 5, 3, 4, TT_ATTEND_ALL},
        {"causal, as many queries as keys", 2, 2, 2, 5, 5, 4, TT_ATTEND_CAUSAL},
        {"causal, last query on last key", 2, 2, 2, 3, 5, 4, TT_ATTEND_CAUSAL},
        {"causal, one query", 2, 2, 2, 1, 5, 4, TT_ATTEND_CAUSAL},
        {"causal, one query, one key", 1, 1, 1, 1, 1, 2, TT_ATTEND_CAUSAL},
        {"shared keys, all", 2, 6, 2, 3, 5, 4, TT_ATTEND_ALL},
        {"shared keys, causal", 2, 6, 2, 5, 5, 4, TT_ATTEND_CAUSAL},
        {"shared keys, causal, fewer queries", 2, 4, 2, 3, 5, 3, TT_ATTEND_CAUSAL},
        {"one key head, causal, one query", 2, 4, 1, 1, 5, 4, TT_ATTEND_CAUSAL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check_attention(s, &cases[i], TT_F64, TOL_F64);
        check_attention(s, &cases[i], TT_F32, TOL_F32);
    }
}

static void test_attention__refuses_shapes_that_do_not_fit(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *q = tt_zeros(s, TT_F32, TT_SHAPE(2, 4, 3, 8));
    tt_tensor *k = tt_zeros(s, TT_F32, TT_SHAPE(2, 2, 5, 8));
    tt_tensor *fewer = tt_zeros(s, TT_F32, TT_SHAPE(2, 2, 2, 8));
    tt_tensor *one = tt_zeros(s, TT_F32, TT_SHAPE(1, 2, 5, 8));
    tt_tensor *thin = tt_zeros(s, TT_F32, TT_SHAPE(2, 2, 5, 4));
    tt_tensor *uneven = tt_zeros(s, TT_F32, TT_SHAPE(2, 3, 5, 8));
    tt_tensor *none = tt_zeros(s, TT_F32, TT_SHAPE(2, 2, 0, 8));
    tt_tensor *flat = tt_zeros(s, TT_F32, TT_SHAPE(4, 5, 8));
    const enum tt_attention_mask all = TT_ATTEND_ALL;
    assert_refused(r, tt_attention(r, q, fewer, fewer, TT_ATTEND_CAUSAL, 1), ERR_BACKEND,
                   "attention: 3 queries for only 2 keys; "
                   "inputs f32 [2, 4, 3, 8], f32 [2, 2, 2, 8], f32 [2, 2, 2, 8]");
    assert_refused_inside(r, tt_attention(r, q, k, fewer, all, 1), "k and v differ in shape");
    assert_refused_inside(r, tt_attention(r, q, one, one, all, 1),
                          "q and k differ in batch or head size");
    assert_refused_inside(r, tt_attention(r, q, thin, thin, all, 1),
                          "q and k differ in batch or head size");
    assert_refused_inside(r, tt_attention(r, q, uneven, uneven, all, 1),
                          "4 query heads do not share 3 key heads evenly");
    assert_refused_inside(r, tt_attention(r, q, none, none, all, 1), "there are no keys");
    assert_refused_inside(r, tt_attention(r, flat, k, k, all, 1),
                          "q, k and v have four dimensions");
    assert_refused(r, tt_attention(r, q, k, tt_cast(r, k, TT_BF16), all, 1), ERR_DTYPE,
                   "attention: operand 3 is bf16, expected f32; cast it with tt_cast");
    assert_refused(r, tt_attention(r, tt_cast(r, q, TT_I64), k, k, all, 1), ERR_DTYPE,
                   "attention: operand 1 is i64, expected a float; cast it with tt_cast");
    assert_refused(r, tt_attention(r, q, k, NULL, all, 1), ERR_INTERNAL,
                   "attention: operand 3 is NULL");
}

/* --- losses --- */

/* Logits log [1 3] and log [2 2]: probabilities 1/4, 3/4 and 1/2, 1/2. */
static void test_token_logp__of_the_target(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *logits = f64_of(s, TT_SHAPE(3, 2), log(1), log(3), log(1), log(3), log(2), log(2));
    tt_tensor *target = i64_of(s, TT_SHAPE(3), 0, 1, 1);
    assert_tensor_near(s, tt_token_logp(s, logits, target), TT_F64, TT_SHAPE(3), TOL_F64, log(0.25),
                       log(0.75), log(0.5));
    assert_refused_inside(r, tt_token_logp(r, logits, i64_of(r, TT_SHAPE(3), 0, 2, 1)),
                          "index 2 is out of bounds for dimension 1 with size 2");
    assert_refused_inside(r, tt_token_logp(r, logits, i64_of(r, TT_SHAPE(3), 0, -1, 1)),
                          "index -1 is out of bounds");
    assert_refused(r, tt_token_logp(r, logits, i64_of(r, TT_SHAPE(2), 0, 1)), ERR_BACKEND,
                   "token_logp: expected logits [N, V], target [N]; inputs f64 [3, 2], i64 [2]");
    assert_refused(r, tt_token_logp(r, logits, i64_of(r, TT_SHAPE(3, 1), 0, 1, 1)), ERR_BACKEND,
                   "token_logp: expected logits [N, V], target [N]; inputs f64 [3, 2], i64 [3, 1]");
    assert_refused(r, tt_token_logp(r, tt_cast(r, logits, TT_BF16), target), ERR_DTYPE,
                   "token_logp: operand 1 is bf16, expected f32 or f64; cast it with tt_cast");
    assert_refused(r, tt_token_logp(r, logits, logits), ERR_DTYPE,
                   "token_logp: operand 2 is f64, expected i64; cast it with tt_cast");
    assert_refused(r, tt_token_logp(r, logits, NULL), ERR_INTERNAL,
                   "token_logp: operand 2 is NULL");
}

/* log 4 for four equal; 0 for a sure one, also where the others are impossible;
 * -(1/4) log(1/4) - (3/4) log(3/4). */
static void test_entropy__in_nats(void **state) {
    tt_scope *s = tensor_test_scope(state);
    const double never = -HUGE_VAL;
    tt_tensor *logits =
        f64_of(s, TT_SHAPE(3, 4), 7, 7, 7, 7, never, 1, never, never, 0, never, log(3), never);
    assert_tensor_near(s, tt_entropy(s, logits), TT_F64, TT_SHAPE(3), TOL_F64, log(4), 0,
                       -0.25 * log(0.25) - 0.75 * log(0.75));
    assert_refused(r, tt_entropy(r, tt_zeros(r, TT_F32, TT_SHAPE(4))), ERR_BACKEND,
                   "entropy: expected logits [N, V]; inputs f32 [4]");
    assert_refused(r, tt_entropy(r, tt_zeros(r, TT_F16, TT_SHAPE(1, 4))), ERR_DTYPE,
                   "entropy: operand 1 is f16, expected f32 or f64; cast it with tt_cast");
    assert_refused(r, tt_entropy(r, NULL), ERR_INTERNAL, "entropy: operand 1 is NULL");
}

/* An impossible token must not turn the gradient of the others into NaN. */
static void test_entropy__gradient_beside_impossible_tokens(void **state) {
    tt_scope *s = tensor_test_scope(state);
    struct error err = ERROR_INIT;
    tt_tensor *logits = tt_leaf(s, f64_of(s, TT_SHAPE(1, 3), 0, -HUGE_VAL, log(3)));
    assert_ok(tt_backward(s, tt_sum(s, tt_entropy(s, logits)), &err), &err);
    /* dH/dz_i = -p_i (log p_i + H), and p = 1/4, 0, 3/4 */
    const double entropy = -0.25 * log(0.25) - 0.75 * log(0.75);
    assert_tensor_near(s, tt_leaf_grad(s, logits), TT_F64, TT_SHAPE(1, 3), TOL_F64,
                       -0.25 * (log(0.25) + entropy), 0, -0.75 * (log(0.75) + entropy));
}

/* --- dropout --- */

#define DROPOUT_N 4000

static void test_dropout__zeroes_where_the_uniform_is_below_the_rate(void **state) {
    tt_scope *s = tensor_test_scope(state);
    struct error err = ERROR_INIT;
    const struct rng stream = rng_stream(5, RNG_DROPOUT, 1, 2);
    float uniform[DROPOUT_N];
    float kept[DROPOUT_N];
    tt_tensor *ones = tt_full(s, TT_F32, TT_SHAPE(40, DROPOUT_N / 40), 1);
    assert_ok(
        tt_read_f32(s, tt_rand_uniform(s, &stream, TT_SHAPE(DROPOUT_N)), uniform, DROPOUT_N, &err),
        &err);
    assert_ok(tt_read_f32(s, tt_dropout(s, ones, &stream, 0.25), kept, DROPOUT_N, &err), &err);
    double sum = 0;
    for (int i = 0; i < DROPOUT_N; i++) {
        const float expected = uniform[i] < 0.25F ? 0 : 1 / 0.75F;
        assert_true(fabsf(kept[i] - expected) <= 1e-6F);
        sum += (double)kept[i];
    }
    /* The mean stays 1: its standard deviation is sqrt(0.25 / 0.75 / 4000) = 0.0091. */
    assert_true(fabs(sum / DROPOUT_N - 1) < 4 * 0.0091);
}

static void test_dropout__is_keyed(void **state) {
    tt_scope *s = tensor_test_scope(state);
    struct error err = ERROR_INIT;
    const struct rng stream = rng_stream(5, RNG_DROPOUT, 1, 2);
    const struct rng other = rng_stream(5, RNG_DROPOUT, 1, 3);
    tt_tensor *ones = tt_full(s, TT_F32, TT_SHAPE(64), 1);
    float first[64];
    float again[64];
    float different[64];
    assert_ok(tt_read_f32(s, tt_dropout(s, ones, &stream, 0.5), first, 64, &err), &err);
    assert_ok(tt_read_f32(s, tt_dropout(s, ones, &stream, 0.5), again, 64, &err), &err);
    assert_ok(tt_read_f32(s, tt_dropout(s, ones, &other, 0.5), different, 64, &err), &err);
    assert_memory_equal(first, again, sizeof first);
    assert_memory_not_equal(first, different, sizeof first);
}

/* 0.8984375 / 0.9 = 0.99826 is 1 in bf16; with 1 / 0.9 rounded to bf16 first, 0.99670 and so
 * 0.99609375. And what is dropped is 0, whatever it was. */
static void test_dropout__rounds_once_and_drops_infinities(void **state) {
    tt_scope *s = tensor_test_scope(state);
    struct error err = ERROR_INIT;
    const struct rng stream = rng_stream(5, RNG_DROPOUT, 1, 2);
    tt_tensor *a = tt_full(s, TT_BF16, TT_SHAPE(64), 0.8984375);
    tt_tensor *infinite = tt_full(s, TT_F32, TT_SHAPE(64), HUGE_VAL);
    float kept[64];
    float infinities[64];
    assert_ok(tt_read_f32(s, tt_cast(s, tt_dropout(s, a, &stream, 0.1), TT_F32), kept, 64, &err),
              &err);
    assert_ok(tt_read_f32(s, tt_dropout(s, infinite, &stream, 0.1), infinities, 64, &err), &err);
    int dropped = 0;
    for (int i = 0; i < 64; i++) {
        assert_true(kept[i] == 0 || kept[i] == 1);
        assert_true(kept[i] == 0 ? infinities[i] == 0 : infinities[i] == HUGE_VALF);
        dropped += kept[i] == 0;
    }
    assert_in_range(dropped, 1, 63);
}

static void test_dropout__rate_is_in_zero_to_one(void **state) {
    tt_scope *s = tensor_test_scope(state);
    const struct rng stream = rng_stream(5, RNG_DROPOUT, 0, 0);
    tt_tensor *a = bf16_of(s, TT_SHAPE(3), 1, -2, 3);
    assert_tensor(s, tt_dropout(s, a, &stream, 0), TT_BF16, TT_SHAPE(3), 1, -2, 3);
    assert_refused(r, tt_dropout(r, a, &stream, 1), ERR_CONFIG,
                   "dropout: rate 1 is outside [0, 1)");
    assert_refused(r, tt_dropout(r, a, &stream, -0.5), ERR_CONFIG,
                   "dropout: rate -0.5 is outside [0, 1)");
    assert_refused(r, tt_dropout(r, a, &stream, (double)NAN), ERR_CONFIG,
                   "dropout: rate nan is outside [0, 1)");
    assert_refused(r, tt_dropout(r, tt_arange(r, 0, 3), &stream, 0.5), ERR_DTYPE,
                   "dropout: operand 1 is i64, expected a float; cast it with tt_cast");
}

int tt_network_tests(void) {
    const struct CMUnitTest tests[] = {
        tensor_test(test_matmul__rows_by_columns),
        tensor_test(test_matmul__refuses_broadcasting_and_vectors),
        tensor_test(test_linear__weight_is_transposed),
        tensor_test(test_outer__first_is_rows),
        tensor_test(test_dot__sums_products),
        tensor_test(test_embedding__rows_by_id),
        tensor_test(test_layer_norm__over_the_last_dimension),
        tensor_test(test_rms_norm__over_the_last_dimension),
        tensor_test(test_attention__agrees_with_plain_loops),
        tensor_test(test_attention__refuses_shapes_that_do_not_fit),
        tensor_test(test_token_logp__of_the_target),
        tensor_test(test_entropy__in_nats),
        tensor_test(test_entropy__gradient_beside_impossible_tokens),
        tensor_test(test_dropout__zeroes_where_the_uniform_is_below_the_rate),
        tensor_test(test_dropout__is_keyed),
        tensor_test(test_dropout__rounds_once_and_drops_infinities),
        tensor_test(test_dropout__rate_is_in_zero_to_one),
    };
    return cmocka_run_group_tests_name("tt_network", tests, NULL, NULL);
}
