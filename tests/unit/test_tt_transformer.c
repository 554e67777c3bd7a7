/* test_tt_transformer.c - rotary positions, gated units, attention over packed sequences, and
 * blocks that are recomputed in backward. */
#include "tests/support/tensor.h"
#include "tests/unit/test_tt_ops.h"

/* --- rope --- */

/* Pairs (1, 3) and (2, 4) turned by angles whose cosine and sine are (0, 1) and (0.6, 0.8):
 *     1*0 - 3*1, 2*0.6 - 4*0.8, 3*0 + 1*1, 4*0.6 + 2*0.8 = -3, -2, 1, 4 */
static void test_rope__turns_element_i_with_i_plus_half(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *x = f64_of(s, TT_SHAPE(1, 1, 4), 1, 2, 3, 4);
    tt_tensor *cosine = f64_of(s, TT_SHAPE(1, 2), 0, 0.6);
    tt_tensor *sine = f64_of(s, TT_SHAPE(1, 2), 1, 0.8);
    assert_tensor_near(s, tt_rope(s, x, cosine, sine), TT_F64, TT_SHAPE(1, 1, 4), TOL_F64, -3, -2,
                       1, 4);
}

/* A table row per token, shared by its heads: token 0 stays, token 1 turns by a right angle. */
static void test_rope__angle_is_the_tokens(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *x = f32_of(s, TT_SHAPE(2, 2, 2), 1, 2, 3, 4, 5, 6, 7, 8);
    tt_tensor *cosine = f32_of(s, TT_SHAPE(2, 1), 1, 0);
    tt_tensor *sine = f32_of(s, TT_SHAPE(2, 1), 0, 1);
    assert_tensor(s, tt_rope(s, x, cosine, sine), TT_F32, TT_SHAPE(2, 2, 2), 1, 2, 3, 4, -6, 5, -8,
                  7);
    tt_tensor *narrow = tt_cast(s, x, TT_BF16); /* computed in f32, given in bf16 */
    assert_tensor(s, tt_rope(s, narrow, cosine, sine), TT_BF16, TT_SHAPE(2, 2, 2), 1, 2, 3, 4, -6,
                  5, -8, 7);
}

static void test_rope__refuses_tables_that_do_not_fit(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *x = tt_zeros(s, TT_F32, TT_SHAPE(3, 2, 4));
    tt_tensor *table = tt_zeros(s, TT_F32, TT_SHAPE(3, 2));
    tt_tensor *wide = tt_zeros(s, TT_F32, TT_SHAPE(3, 4));
    tt_tensor *odd = tt_zeros(s, TT_F32, TT_SHAPE(3, 2, 3));
    assert_refused_inside(r, tt_rope(r, x, wide, wide), "cos and sin are not [N, half of the head");
    assert_refused_inside(r, tt_rope(r, x, table, wide),
                          "cos and sin are not [N, half of the head");
    assert_refused_inside(r, tt_rope(r, odd, table, table), "an even head size");
    assert_refused(r, tt_rope(r, x, tt_cast(r, table, TT_BF16), table), ERR_DTYPE,
                   "rope: operand 1 is bf16, expected f32 or f64; cast it with tt_cast");
}

/* --- swiglu --- */

/* silu(0) = 0; silu(ln 3) = ln 3 * 3/4 = 0.823959216501. */
static void test_swiglu__gates_the_second(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *gate = f64_of(s, TT_SHAPE(2), 0, 1.0986122886681098);
    tt_tensor *up = f64_of(s, TT_SHAPE(2), 5, -2);
    assert_tensor_near(s, tt_swiglu(s, gate, up), TT_F64, TT_SHAPE(2), TOL_F64, 0,
                       -1.6479184330021647);
    assert_refused(r, tt_swiglu(r, gate, tt_zeros(r, TT_F64, TT_SHAPE(1))), ERR_SHAPE,
                   "swiglu: shapes [2] and [1] differ");
}

/* --- packed attention --- */

/* What each sequence gives alone, one after the other. */
static void test_attention_packed__is_attention_of_each_sequence(void **state) {
    tt_scope *s = tensor_test_scope(state);
    enum { H = 4, K = 2, D = 8, N = 9, S = 3 };
    const int64_t starts[S + 1] = {0, 1, 6, N};
    const struct rng stream = rng_stream(5, RNG_TEST, 0, 0);
    const struct rng other = rng_stream(5, RNG_TEST, 0, 1);
    tt_tensor *q = tt_rand_normal(s, &stream, TT_SHAPE(N, H, D));
    tt_tensor *k = tt_rand_normal(s, &other, TT_SHAPE(N, K, D));
    tt_tensor *v = tt_rand_uniform(s, &other, TT_SHAPE(N, K, D));
    tt_tensor *packed =
        tt_attention_packed(s, q, k, v, (struct tt_sequences){.starts = starts, .count = S}, 0.3);
    for (int64_t i = 0; i < S; i++) {
        const int64_t begin = starts[i];
        const int64_t T = starts[i + 1] - begin;
        tt_tensor *part[3] = {q, k, v};
        for (int64_t p = 0; p < 3; p++) {
            tt_tensor *rows = tt_narrow(s, part[p], 0, begin, T);      /* [T, heads, d] */
            part[p] = tt_unsqueeze(s, tt_transpose(s, rows, 0, 1), 0); /* [1, heads, T, d] */
        }
        tt_tensor *alone =
            tt_attention(s, part[0], part[1], part[2], TT_ATTEND_CAUSAL, 0.3); /* [1, H, T, d] */
        tt_tensor *expected = tt_transpose(s, tt_squeeze(s, alone, 0), 0, 1);  /* [T, H, d] */
        tt_tensor *got = tt_narrow(s, packed, 0, begin, T);
        double difference = 1;
        struct error err = ERROR_INIT;
        tt_tensor *largest = tt_max(s, tt_abs(s, tt_sub(s, got, expected)));
        assert_ok(tt_item_f64(s, largest, &difference, &err), &err);
        assert_true(difference < 1e-6);
    }
}

static void test_attention_packed__refuses_bounds_that_do_not_cover(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *q = tt_zeros(s, TT_F32, TT_SHAPE(4, 2, 2));
    tt_tensor *uneven = tt_zeros(s, TT_F32, TT_SHAPE(4, 3, 2));
    const int64_t shorter[] = {0, 3};
    const int64_t late[] = {1, 4};
    const int64_t hollow[] = {0, 2, 2, 4};
    const int64_t whole[] = {0, 4};
    assert_refused_inside(
        r, tt_attention_packed(r, q, q, q, (struct tt_sequences){.starts = shorter, .count = 1}, 1),
        "bounds do not cover the 4 tokens");
    assert_refused_inside(
        r, tt_attention_packed(r, q, q, q, (struct tt_sequences){.starts = late, .count = 1}, 1),
        "bounds do not cover the 4 tokens");
    assert_refused_inside(
        r, tt_attention_packed(r, q, q, q, (struct tt_sequences){.starts = hollow, .count = 3}, 1),
        "sequence 1 is empty");
    assert_refused_inside(r,
                          tt_attention_packed(r, q, uneven, uneven,
                                              (struct tt_sequences){.starts = whole, .count = 1},
                                              1),
                          "2 query heads do not share 3 key heads evenly");
}

/* Keys of one number, equal queries: weights are even over what a token sees. The values of tokens
 * 0 to 5 are 1, 2, 4, 8, 16, 32; 0 1 is continued by 2, and by 4 5 behind the 3 of another:
 *     1, 3/2, (1 + 2 + 4) / 3, 8, (1 + 2 + 16) / 3, (1 + 2 + 16 + 32) / 4 */
static void test_attention_packed__sees_the_prefix_and_itself(void **state) {
    tt_scope *s = tensor_test_scope(state);
    static const int64_t starts[] = {0, 2, 3, 4, 6};
    static const int64_t prefixes[] = {-1, 0, -1, 0};
    static const enum tt_dtype dtypes[] = {TT_F64, TT_F32, TT_BF16};
    const struct tt_sequences sequences = {.starts = starts, .count = 4, .prefixes = prefixes};
    for (int i = 0; i < 3; i++) {
        tt_tensor *values = tt_cast(s, f64_of(s, TT_SHAPE(6, 1, 1), 1, 2, 4, 8, 16, 32), dtypes[i]);
        tt_tensor *zeros = tt_zeros(s, dtypes[i], TT_SHAPE(6, 1, 1));
        tt_tensor *got = tt_attention_packed(s, zeros, zeros, values, sequences, 1);
        assert_tensor_near(s, got, dtypes[i], TT_SHAPE(6, 1, 1),
                           dtypes[i] == TT_BF16 ? 0x1p-8 : TOL_F32, 1, 1.5, 7.0 / 3, 8, 19.0 / 3,
                           12.75);
    }
}

static void test_attention_packed__refuses_prefixes_that_are_none(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *q = tt_zeros(s, TT_F32, TT_SHAPE(3, 2, 2));
    static const int64_t starts[] = {0, 1, 2, 3};
    static const int64_t later[] = {-1, 2, -1};
    static const int64_t itself[] = {0, -1, -1};
    static const int64_t chain[] = {-1, 0, 1};
    static const int64_t strange[] = {-1, -2, -1};
    const struct {
        const int64_t *prefixes;
        const char *part;
    } cases[] = {
        {later, "sequence 1 continues sequence 2, which is not before it"},
        {itself, "sequence 0 continues sequence 0, which is not before it"},
        {strange, "sequence 1 continues sequence -2, which is not before it"},
        {chain, "sequence 2 continues sequence 1, which continues another itself"},
    };
    for (int i = 0; i < 4; i++) {
        const struct tt_sequences sequences = {
            .starts = starts, .count = 3, .prefixes = cases[i].prefixes};
        assert_refused_inside(r, tt_attention_packed(r, q, q, q, sequences, 1), cases[i].part);
    }
}

/* --- recompute --- */

struct square_context {
    const tt_tensor *weight;
    int64_t *runs;
    bool fails;
};

/* weight * x^2 */
static tt_tensor *weighted_square(tt_scope *s, const void *context, const tt_tensor *x) {
    const struct square_context *c = context;
    (*c->runs)++;
    if (c->fails && *c->runs > 1) {
        return tt_scope_fail(s, ERR_DATA, "no second time");
    }
    return tt_mul(s, c->weight, tt_square(s, x));
}

/* y = w x^2 at w = 3, x = 2: y = 12, dy/dx = 2 w x = 12, dy/dw = x^2 = 4; run twice. */
static void test_recompute__gives_the_same_gradients(void **state) {
    tt_scope *s = tensor_test_scope(state);
    struct error err = ERROR_INIT;
    tt_tensor *x = tt_leaf(s, tt_scalar(s, TT_F64, 2));
    tt_tensor *weight = tt_leaf(s, tt_scalar(s, TT_F64, 3));
    int64_t runs = 0;
    const struct square_context context = {.weight = weight, .runs = &runs};
    tt_tensor *y = tt_recompute(s, x,
                                &(struct tt_block){.run = weighted_square,
                                                   .context = &context,
                                                   .context_bytes = sizeof context});
    assert_tensor(s, y, TT_F64, TT_SHAPE_SCALAR, 12);
    assert_int_equal(runs, 1);
    assert_ok(tt_backward(s, y, &err), &err);
    assert_int_equal(runs, 2);
    assert_tensor(s, tt_leaf_grad(s, x), TT_F64, TT_SHAPE_SCALAR, 12);
    assert_tensor(s, tt_leaf_grad(s, weight), TT_F64, TT_SHAPE_SCALAR, 4);
}

/* An input without a gradient, as behind a frozen embedding: the parameter inside still gets its.
 */
static void test_recompute__reaches_parameters_behind_a_plain_input(void **state) {
    tt_scope *s = tensor_test_scope(state);
    struct error err = ERROR_INIT;
    tt_tensor *x = tt_scalar(s, TT_F64, 2);
    tt_tensor *weight = tt_leaf(s, tt_scalar(s, TT_F64, 3));
    int64_t runs = 0;
    const struct square_context context = {.weight = weight, .runs = &runs};
    tt_tensor *y = tt_recompute(s, x,
                                &(struct tt_block){.run = weighted_square,
                                                   .context = &context,
                                                   .context_bytes = sizeof context});
    assert_ok(tt_backward(s, y, &err), &err);
    assert_tensor(s, tt_leaf_grad(s, weight), TT_F64, TT_SHAPE_SCALAR, 4);
}

/* Its backward adds to the gradients of the block's parameters, which tt_grad_of must not touch. */
static void test_recompute__refuses_gradients_as_values(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *x = tt_leaf(s, tt_scalar(s, TT_F64, 2));
    tt_tensor *weight = tt_leaf(s, tt_scalar(s, TT_F64, 3));
    int64_t runs = 0;
    const struct square_context context = {.weight = weight, .runs = &runs};
    const struct tt_block block = {
        .run = weighted_square, .context = &context, .context_bytes = sizeof context};
    tt_scope *r = tt_scope_open(TT_GRAD);
    tt_tensor *grad = NULL;
    tt_grad_of(r, tt_recompute(r, x, &block), (const tt_tensor *[]){x}, 1, false, &grad);
    tensor_check_refused_inside(r, "gradients as values", TENSOR_HERE);
    assert_int_equal(runs, 1);
}

static void test_recompute__reports_what_failed_inside(void **state) {
    tt_scope *s = tensor_test_scope(state);
    struct error err = ERROR_INIT;
    tt_tensor *x = tt_leaf(s, tt_scalar(s, TT_F64, 2));
    int64_t runs = 0;
    const struct square_context context = {.weight = x, .runs = &runs, .fails = true};
    tt_tensor *y = tt_recompute(s, x,
                                &(struct tt_block){.run = weighted_square,
                                                   .context = &context,
                                                   .context_bytes = sizeof context});
    assert_fails(tt_backward(s, y, &err), ERR_BACKEND, "no second time", &err);
    const struct square_context wrong = {.weight = tt_zeros(s, TT_F32, TT_SHAPE(2)), .runs = &runs};
    runs = -5;
    assert_refused_inside(r,
                          tt_recompute(r, tt_scalar(r, TT_F64, 2),
                                       &(struct tt_block){.run = weighted_square,
                                                          .context = &wrong,
                                                          .context_bytes = sizeof wrong}),
                          "operand 2 is f64, expected f32");
}

/* --- scopes in scopes --- */

static void test_scope_give__hands_out_a_result_or_the_inner_error(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_scope *inner = tt_scope_open(tt_scope_grad(s));
    assert_int_equal(tt_scope_grad(inner), TT_GRAD);
    tt_tensor *three = tt_scope_give(s, inner, tt_scalar(inner, TT_F32, 3));
    tt_scope_close(inner);
    assert_tensor(s, three, TT_F32, TT_SHAPE_SCALAR, 3);
    tt_scope *failed = tt_scope_open(TT_NO_GRAD);
    tt_tensor *none = tt_scope_fail(failed, ERR_DATA, "id 7 is outside the vocabulary");
    assert_refused(r, tt_scope_give(r, failed, none), ERR_DATA, "id 7 is outside the vocabulary");
    tt_scope_close(failed);
    assert_int_equal(tt_scope_grad(NULL), TT_NO_GRAD);
}

int tt_transformer_tests(void) {
    const struct CMUnitTest tests[] = {
        tensor_test(test_rope__turns_element_i_with_i_plus_half),
        tensor_test(test_rope__angle_is_the_tokens),
        tensor_test(test_rope__refuses_tables_that_do_not_fit),
        tensor_test(test_swiglu__gates_the_second),
        tensor_test(test_attention_packed__is_attention_of_each_sequence),
        tensor_test(test_attention_packed__refuses_bounds_that_do_not_cover),
        tensor_test(test_attention_packed__sees_the_prefix_and_itself),
        tensor_test(test_attention_packed__refuses_prefixes_that_are_none),
        tensor_test(test_recompute__gives_the_same_gradients),
        tensor_test(test_recompute__reaches_parameters_behind_a_plain_input),
        tensor_test(test_recompute__refuses_gradients_as_values),
        tensor_test(test_recompute__reports_what_failed_inside),
        tensor_test(test_scope_give__hands_out_a_result_or_the_inner_error),
    };
    return cmocka_run_group_tests_name("tt_transformer", tests, NULL, NULL);
}
