/* test_tt_train_rows.c - norm, rotation, gate, residual and packed attention, forward and backward:
 * the kernels in f32 and bf16 against the plain formulas in f64, on the same values. */
#include "tests/support/tensor.h"
#include "tests/unit/test_tt_ops.h"

#define INPUTS_MAX 3

/* An op as a function of tensors that take gradients. */
struct op_case {
    const char *name;
    tt_tensor *(*run)(tt_scope *s, tt_tensor *const *in, enum tt_dtype compute);
    int64_t inputs;
    struct tt_shape shape[INPUTS_MAX];
    bool is_wide[INPUTS_MAX]; /* f32 also where products are in bf16 */
    double tolerance_f32;     /* of results and gradients, relative to the largest value above 1 */
    double tolerance_bf16;
};

static tt_tensor *drawn(tt_scope *s, int64_t item, struct tt_shape shape) {
    const struct rng rng = rng_stream(11, RNG_TEST, 0, item);
    return tt_rand_normal(s, &rng, shape);
}

/* --- the ops ---------------------------------------------------------------------------------- */

static tt_tensor *rms_norm(tt_scope *s, tt_tensor *const *in, enum tt_dtype compute) {
    const struct tt_norm of = {.weight = in[1], .eps = 0.1, .is_rms = true};
    return tt_fused_norm(s, in[0], &of, compute);
}

static tt_tensor *layer_norm(tt_scope *s, tt_tensor *const *in, enum tt_dtype compute) {
    const struct tt_norm of = {.weight = in[1], .bias = in[2], .eps = 0.1};
    return tt_fused_norm(s, in[0], &of, compute);
}

static tt_tensor *rope(tt_scope *s, tt_tensor *const *in, enum tt_dtype compute) {
    const struct tt_shape shape = tt_shape_of(in[0]);
    const enum tt_dtype wide = compute == TT_F64 ? TT_F64 : TT_F32;
    tt_tensor *angles = tt_cast(s, drawn(s, 20, TT_SHAPE(shape.dim[0], shape.dim[2] / 2)), wide);
    return tt_rope(s, in[0], tt_cos(s, angles), tt_sin(s, angles));
}

static tt_tensor *swiglu(tt_scope *s, tt_tensor *const *in, enum tt_dtype compute) {
    (void)compute;
    return tt_swiglu(s, in[0], in[1]);
}

static tt_tensor *residual(tt_scope *s, tt_tensor *const *in, enum tt_dtype compute) {
    (void)compute;
    return tt_add_mixed(s, in[0], in[1]);
}

/* Lengths of one, of less than a block of 64, of a block, of a block and an odd rest, of many. */
#define PACKED_TOKENS (1 + 17 + 64 + 131 + 320)
static tt_tensor *attention(tt_scope *s, tt_tensor *const *in, enum tt_dtype compute) {
    static const int64_t starts[] = {0, 1, 18, 82, 213, PACKED_TOKENS};
    (void)compute;
    return tt_attention_packed(s, in[0], in[1], in[2],
                               (struct tt_sequences){.starts = starts, .count = 5}, 0.3);
}

/* The same rows: the third and the last continue the second, the fourth none. */
static tt_tensor *attention_shared(tt_scope *s, tt_tensor *const *in, enum tt_dtype compute) {
    static const int64_t starts[] = {0, 1, 18, 82, 213, PACKED_TOKENS};
    static const int64_t prefixes[] = {-1, -1, 1, -1, 1};
    const struct tt_sequences sequences = {.starts = starts, .count = 5, .prefixes = prefixes};
    (void)compute;
    return tt_attention_packed(s, in[0], in[1], in[2], sequences, 0.3);
}

/* TT_SHAPE is no constant expression. */
#define SHAPE(dims, ...)                       \
    {                                          \
        .rank = (dims), .dim = { __VA_ARGS__ } \
    }

static const struct op_case op_cases[] = {
    {"rms_norm", rms_norm, 2, {SHAPE(2, 200, 67), SHAPE(1, 67)}, {true, true}, 4e-6, 0x1p-7},
    {"rms_norm of heads",
     rms_norm,
     2,
     {SHAPE(3, 5, 3, 16), SHAPE(1, 16)},
     {true, true},
     4e-6,
     0x1p-7},
    {"layer_norm",
     layer_norm,
     3,
     {SHAPE(2, 130, 33), SHAPE(1, 33), SHAPE(1, 33)},
     {true, true, true},
     4e-6,
     0x1p-7},
    {"rope", rope, 1, {SHAPE(3, 300, 3, 22)}, {false}, 1e-6, 0x1p-7},
    {"swiglu", swiglu, 2, {SHAPE(2, 301, 71), SHAPE(2, 301, 71)}, {false, false}, 2e-6, 0x1p-7},
    {"residual", residual, 2, {SHAPE(2, 301, 71), SHAPE(2, 301, 71)}, {true, false}, 1e-6, 0x1p-7},
    {"attention",
     attention,
     3,
     {SHAPE(3, PACKED_TOKENS, 4, 16), SHAPE(3, PACKED_TOKENS, 2, 16),
      SHAPE(3, PACKED_TOKENS, 2, 16)},
     {false, false, false},
     4e-6,
     0x1p-6},
    {"attention, shared prefix",
     attention_shared,
     3,
     {SHAPE(3, PACKED_TOKENS, 4, 16), SHAPE(3, PACKED_TOKENS, 2, 16),
      SHAPE(3, PACKED_TOKENS, 2, 16)},
     {false, false, false},
     4e-6,
     0x1p-6},
    {"attention, odd heads",
     attention,
     3,
     {SHAPE(3, PACKED_TOKENS, 3, 7), SHAPE(3, PACKED_TOKENS, 3, 7), SHAPE(3, PACKED_TOKENS, 3, 7)},
     {false, false, false},
     4e-6,
     0x1p-6},
    {"attention, wide heads",
     attention,
     3,
     {SHAPE(3, PACKED_TOKENS, 2, 80), SHAPE(3, PACKED_TOKENS, 1, 80),
      SHAPE(3, PACKED_TOKENS, 1, 80)},
     {false, false, false},
     4e-6,
     0x1p-6},
};
#define OP_CASES ((int64_t)(sizeof op_cases / sizeof op_cases[0]))

/* --- comparing -------------------------------------------------------------------------------- */

/* What an op gives, and the gradients of sum(result * factors). */
struct op_results {
    tt_tensor *value;
    tt_tensor *grad[INPUTS_MAX];
};

/* Inputs hold values that `values` has exactly, so that types differ in the computation only. */
static struct op_results run_op(tt_scope *s, const struct op_case *op, enum tt_dtype values,
                                enum tt_dtype compute) {
    struct error err = ERROR_INIT;
    tt_tensor *in[INPUTS_MAX] = {NULL};
    for (int64_t i = 0; i < op->inputs; i++) {
        tt_tensor *exact = tt_cast(s, drawn(s, i, op->shape[i]), op->is_wide[i] ? TT_F32 : values);
        const bool widens = op->is_wide[i] && compute == TT_BF16;
        in[i] = tt_leaf(s, tt_cast(s, exact, widens ? TT_F32 : compute));
    }
    struct op_results results = {.value = op->run(s, in, compute)};
    tt_tensor *factors = tt_cast(s, drawn(s, 10, tt_shape_of(results.value)), values);
    tt_tensor *weighted = tt_mul(s, tt_cast(s, results.value, TT_F64), tt_cast(s, factors, TT_F64));
    assert_ok(tt_backward(s, tt_sum(s, weighted), &err), &err);
    for (int64_t i = 0; i < op->inputs; i++) {
        results.grad[i] = tt_leaf_grad(s, in[i]);
    }
    return results;
}

static void check_results(tt_scope *s, const struct op_case *op, enum tt_dtype dtype,
                          double tolerance) {
    struct op_results got = run_op(s, op, dtype, dtype);
    struct op_results expected = run_op(s, op, dtype, TT_F64);
    const struct tensor_place place = TENSOR_FOR(op->name);
    tensor_check_near(s, got.value, expected.value, tolerance, place);
    for (int64_t i = 0; i < op->inputs; i++) {
        tensor_check_near(s, got.grad[i], expected.grad[i], tolerance, place);
    }
}

static void test_train_rows__f32_equals_the_formula(void **state) {
    for (int64_t i = 0; i < OP_CASES; i++) {
        check_results(tensor_test_scope(state), &op_cases[i], TT_F32, op_cases[i].tolerance_f32);
    }
}

static void test_train_rows__bf16_equals_the_formula(void **state) {
    for (int64_t i = 0; i < OP_CASES; i++) {
        check_results(tensor_test_scope(state), &op_cases[i], TT_BF16, op_cases[i].tolerance_bf16);
    }
}

static enum err_code set_threads(int64_t threads, struct error *err) {
    return tt_runtime_set(&(struct tt_runtime){.threads = threads}, err);
}

static void check_same_bits(tt_scope *s, const struct op_case *op, enum tt_dtype dtype) {
    struct error err = ERROR_INIT;
    struct op_results results[3];
    const int64_t threads = tt_threads();
    for (int i = 0; i < 3; i++) {
        assert_ok(set_threads(i + 1, &err), &err);
        results[i] = run_op(s, op, dtype, dtype);
    }
    assert_ok(set_threads(threads, &err), &err);
    for (int i = 1; i < 3; i++) {
        const struct tensor_place place = TENSOR_FOR(op->name);
        tensor_check_near(s, results[i].value, results[0].value, 0, place);
        for (int64_t g = 0; g < op->inputs; g++) {
            tensor_check_near(s, results[i].grad[g], results[0].grad[g], 0, place);
        }
    }
}

static void test_train_rows__threads_change_no_bit(void **state) {
    for (int64_t i = 0; i < OP_CASES; i++) {
        check_same_bits(tensor_test_scope(state), &op_cases[i], TT_F32);
        check_same_bits(tensor_test_scope(state), &op_cases[i], TT_BF16);
    }
}

/* --- refusals --------------------------------------------------------------------------------- */

static void test_fused_norm__refuses_what_does_not_fit(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *x = tt_zeros(s, TT_F32, TT_SHAPE(2, 3));
    const struct tt_norm short_weight = {.weight = tt_zeros(s, TT_F32, TT_SHAPE(2)),
                                         .is_rms = true};
    const struct tt_norm biased = {.weight = tt_zeros(s, TT_F32, TT_SHAPE(3)),
                                   .bias = tt_zeros(s, TT_F32, TT_SHAPE(3)),
                                   .is_rms = true};
    const struct tt_norm narrow = {.weight = tt_zeros(s, TT_BF16, TT_SHAPE(3)), .is_rms = true};
    assert_refused_inside(r, tt_fused_norm(r, x, &short_weight, TT_F32),
                          "expected x [.., D] and weight [D]");
    assert_refused_inside(r, tt_fused_norm(r, x, &biased, TT_F32), "of a layer norm only");
    assert_refused(r, tt_fused_norm(r, x, &narrow, TT_F32), ERR_DTYPE,
                   "fused_norm: operand 2 is bf16, expected f32 or f64; cast it with tt_cast");
}

static void test_add_mixed__refuses_other_shapes(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *x = tt_zeros(s, TT_F32, TT_SHAPE(2, 3));
    assert_refused(r, tt_add_mixed(r, x, tt_zeros(r, TT_BF16, TT_SHAPE(3))), ERR_SHAPE,
                   "add_mixed: shapes [2, 3] and [3] differ");
}

int tt_train_rows_tests(void) {
    const struct CMUnitTest tests[] = {
        tensor_test(test_train_rows__f32_equals_the_formula),
        tensor_test(test_train_rows__bf16_equals_the_formula),
        tensor_test(test_train_rows__threads_change_no_bit),
        tensor_test(test_fused_norm__refuses_what_does_not_fit),
        tensor_test(test_add_mixed__refuses_other_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
