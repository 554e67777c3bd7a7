/* test_tt_pointwise.c - element by element: results against libm, hand-worked numbers, and the
 * strict rules on shapes and dtypes. */
#include "tests/support/tensor.h"
#include "tests/unit/test_tt_ops.h"

#include <math.h>
#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

typedef tt_tensor *(*unary_op)(tt_scope *, const tt_tensor *);
typedef tt_tensor *(*binary_op)(tt_scope *, const tt_tensor *, const tt_tensor *);

/* "<op>: <rest>". */
static const char *text_of(char out[200], const char *op, const char *rest) {
    (void)snprintf(out, 200, "%s: %s", op, rest);
    return out;
}

/* --- one operand --- */

static double negate(double x) {
    return -x;
}

static double sign(double x) {
    return (x > 0) - (x < 0);
}

static double square(double x) {
    return x * x;
}

static double reciprocal(double x) {
    return 1 / x;
}

static double reciprocal_root(double x) {
    return 1 / sqrt(x);
}

static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

static double softplus(double x) {
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

static double log_sigmoid(double x) {
    return -softplus(-x);
}

static double relu(double x) {
    return fmax(x, 0);
}

static double gelu(double x) {
    return x * 0.5 * (1 + erf(x * sqrt(0.5)));
}

/* Hendrycks and Gimpel 2016 (arXiv 1606.08415), section 2. */
static double gelu_tanh(double x) {
    const double two_over_pi = 0.63661977236758134308;
    return 0.5 * x * (1 + tanh(sqrt(two_over_pi) * (x + 0.044715 * x * x * x)));
}

static double silu(double x) {
    return x * sigmoid(x);
}

enum domain { NUMBERS, FLOATS };

/* Each op against its formula, at points where neighbours in the list differ. */
static const struct unary_case {
    const char *name;
    unary_op op;
    double (*formula)(double);
    double at[4];
    enum domain domain;
} unary_cases[] = {
    {"neg", tt_neg, negate, {-2, 0.5, 3, 0}, NUMBERS},
    {"abs", tt_abs, fabs, {-2, 0.5, -3, 0}, NUMBERS},
    {"sign", tt_sign, sign, {-2, 0.5, 3, 0}, NUMBERS},
    {"square", tt_square, square, {-2, 0.5, 3, 0}, NUMBERS},
    {"exp", tt_exp, exp, {-2, 0.5, 3, 1e-10}, FLOATS},
    {"expm1", tt_expm1, expm1, {-2, 0.5, 3, 1e-10}, FLOATS},
    {"log", tt_log, log, {0.25, 1, 8, 1e-10}, FLOATS},
    {"log1p", tt_log1p, log1p, {-0.5, 1, 8, 1e-10}, FLOATS},
    {"sqrt", tt_sqrt, sqrt, {0.25, 2, 9, 0}, FLOATS},
    {"rsqrt", tt_rsqrt, reciprocal_root, {0.25, 2, 9, 1e10}, FLOATS},
    {"reciprocal", tt_reciprocal, reciprocal, {-0.25, 2, 9, 1e10}, FLOATS},
    {"sin", tt_sin, sin, {-2, 0.5, 3, 0}, FLOATS},
    {"cos", tt_cos, cos, {-2, 0.5, 3, 0}, FLOATS},
    {"tanh", tt_tanh, tanh, {-2, 0.5, 3, 1e-10}, FLOATS},
    {"sigmoid", tt_sigmoid, sigmoid, {-2, 0.5, 3, -700}, FLOATS},
    {"log_sigmoid", tt_log_sigmoid, log_sigmoid, {-2, 0.5, 30, -1000}, FLOATS},
    {"softplus", tt_softplus, softplus, {-2, 0.5, 21, 1000}, FLOATS},
    {"relu", tt_relu, relu, {-2, 0.5, 3, 0}, FLOATS},
    {"gelu", tt_gelu, gelu, {-2, 0.5, 3, -0.1}, FLOATS},
    {"gelu_tanh", tt_gelu_tanh, gelu_tanh, {-2, 0.5, 3, -0.1}, FLOATS},
    {"silu", tt_silu, silu, {-2, 0.5, 3, -0.1}, FLOATS},
};

static void check_unary(tt_scope *s, const struct unary_case *c, enum tt_dtype dtype, double tol) {
    double expected[4];
    for (int i = 0; i < 4; i++) {
        expected[i] = c->formula(c->at[i]);
    }
    const struct tt_shape shape = TT_SHAPE(2, 2);
    tt_tensor *x = tensor_of(s, dtype, shape, (struct tensor_values){c->at, 4});
    tensor_check(s, c->op(s, x), &(struct tensor_expected){dtype, shape, tol, {expected, 4}},
                 TENSOR_FOR(c->name));
}

static void test_unary__agrees_with_the_formula(void **state) {
    tt_scope *s = tensor_test_scope(state);
    for (size_t i = 0; i < COUNT(unary_cases); i++) {
        check_unary(s, &unary_cases[i], TT_F64, TOL_F64);
        check_unary(s, &unary_cases[i], TT_F32, TOL_F32);
    }
}

static void test_unary__bf16_stays_bf16(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *x = bf16_of(s, TT_SHAPE(2), -2, 0.5);
    assert_tensor(s, tt_square(s, x), TT_BF16, TT_SHAPE(2), 4, 0.25);
    for (size_t i = 0; i < COUNT(unary_cases); i++) {
        assert_int_equal(tt_dtype_of(unary_cases[i].op(s, x)), TT_BF16);
    }
}

/* Ops with numbers, as unary ops. */
#define WITH_NUMBERS(name, call)                              \
    static tt_tensor *name(tt_scope *s, const tt_tensor *a) { \
        return call;                                          \
    }
WITH_NUMBERS(scale_by_minus_3, tt_scale(s, a, -3))
WITH_NUMBERS(shift_by_minus_3, tt_shift(s, a, -3))
WITH_NUMBERS(clamp_minus_1_2, tt_clamp(s, a, -1, 2))
WITH_NUMBERS(clamp_min_1, tt_clamp_min(s, a, 1))
WITH_NUMBERS(clamp_max_1, tt_clamp_max(s, a, 1))
WITH_NUMBERS(cube, tt_pow(s, a, 3))

static void test_ops_with_numbers__hand_worked(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *x = f32_of(s, TT_SHAPE(3), -2, 0.5, 4);
    assert_tensor(s, scale_by_minus_3(s, x), TT_F32, TT_SHAPE(3), 6, -1.5, -12);
    assert_tensor(s, shift_by_minus_3(s, x), TT_F32, TT_SHAPE(3), -5, -2.5, 1);
    assert_tensor(s, clamp_minus_1_2(s, x), TT_F32, TT_SHAPE(3), -1, 0.5, 2);
    assert_refused(r, tt_clamp(r, x, 2, -1), ERR_BACKEND,
                   "clamp: low 2 is above high -1; inputs f32 [3]");
    assert_tensor(s, clamp_min_1(s, x), TT_F32, TT_SHAPE(3), 1, 1, 4);
    assert_tensor(s, clamp_max_1(s, x), TT_F32, TT_SHAPE(3), -2, 0.5, 1);
    assert_tensor(s, cube(s, x), TT_F32, TT_SHAPE(3), -8, 0.125, 64);
}

static void test_is_finite__marks_infinities_and_nan(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *x = f32_of(s, TT_SHAPE(4), 1, HUGE_VAL, -HUGE_VAL, (double)NAN);
    assert_tensor(s, tt_is_finite(s, x), TT_BOOL, TT_SHAPE(4), 1, 0, 0, 0);
}

static void check_unary_refusals(tt_scope *s, const char *name, unary_op op, enum domain domain) {
    char text[200];
    tt_tensor *flags = bool_of(s, TT_SHAPE(2), 0, 1);
    tt_tensor *integers = i64_of(s, TT_SHAPE(2), 3, -4);
    assert_refused(r, op(r, NULL), ERR_INTERNAL, text_of(text, name, "operand 1 is NULL"));
    if (domain == NUMBERS) {
        assert_refused(
            r, op(r, flags), ERR_DTYPE,
            text_of(text, name, "operand 1 is bool, expected a number; cast it with tt_cast"));
        assert_int_equal(tt_dtype_of(op(s, integers)), TT_I64);
        return;
    }
    assert_refused(
        r, op(r, flags), ERR_DTYPE,
        text_of(text, name, "operand 1 is bool, expected a float; cast it with tt_cast"));
    assert_refused(r, op(r, integers), ERR_DTYPE,
                   text_of(text, name, "operand 1 is i64, expected a float; cast it with tt_cast"));
}

static void test_unary__refuses_bool_null_and_silent_floats(void **state) {
    tt_scope *s = tensor_test_scope(state);
    for (size_t i = 0; i < COUNT(unary_cases); i++) {
        const struct unary_case *c = &unary_cases[i];
        check_unary_refusals(s, c->name, c->op, c->domain);
    }
    check_unary_refusals(s, "scale", scale_by_minus_3, FLOATS);
    check_unary_refusals(s, "shift", shift_by_minus_3, FLOATS);
    check_unary_refusals(s, "clamp", clamp_minus_1_2, FLOATS);
    check_unary_refusals(s, "clamp_min", clamp_min_1, FLOATS);
    check_unary_refusals(s, "clamp_max", clamp_max_1, FLOATS);
    check_unary_refusals(s, "pow", cube, FLOATS);
    check_unary_refusals(s, "is_finite", tt_is_finite, FLOATS);
}

/* --- two operands --- */

static tt_tensor *add_scaled_by_minus_2(tt_scope *s, const tt_tensor *a, const tt_tensor *b) {
    return tt_add_scaled(s, a, b, -2);
}

enum result { SAME, FLAGS };

/* Each op on a = [5, -3, 0.5] and b = [2, 4, 0.5]. */
static const struct binary_case {
    const char *name;
    binary_op op;
    double expected[3];
    enum domain domain;
    enum result result;
} binary_cases[] = {
    {"add", tt_add, {7, 1, 1}, NUMBERS, SAME},
    {"sub", tt_sub, {3, -7, 0}, NUMBERS, SAME},
    {"mul", tt_mul, {10, -12, 0.25}, NUMBERS, SAME},
    {"div", tt_div, {2.5, -0.75, 1}, FLOATS, SAME},
    {"add_scaled", add_scaled_by_minus_2, {1, -11, -0.5}, FLOATS, SAME},
    {"minimum", tt_minimum, {2, -3, 0.5}, NUMBERS, SAME},
    {"maximum", tt_maximum, {5, 4, 0.5}, NUMBERS, SAME},
    {"lt", tt_lt, {0, 1, 0}, NUMBERS, FLAGS},
    {"le", tt_le, {0, 1, 1}, NUMBERS, FLAGS},
    {"gt", tt_gt, {1, 0, 0}, NUMBERS, FLAGS},
    {"ge", tt_ge, {1, 0, 1}, NUMBERS, FLAGS},
};

/* The spelled-out exceptions: everything but equal shapes is asked of them too. */
static const struct binary_case broadcast_cases[] = {
    {"add_broadcast", tt_add_broadcast, {7, 1, 1}, NUMBERS, SAME},
    {"sub_broadcast", tt_sub_broadcast, {3, -7, 0}, NUMBERS, SAME},
    {"mul_broadcast", tt_mul_broadcast, {10, -12, 0.25}, NUMBERS, SAME},
    {"div_broadcast", tt_div_broadcast, {2.5, -0.75, 1}, FLOATS, SAME},
};

static void check_binary(tt_scope *s, const struct binary_case *c, enum tt_dtype dtype) {
    tt_tensor *a = tensor_of(s, dtype, TT_SHAPE(3), TENSOR_VALUES(5, -3, 0.5));
    tt_tensor *b = tensor_of(s, dtype, TT_SHAPE(3), TENSOR_VALUES(2, 4, 0.5));
    const struct tensor_expected expected = {
        c->result == FLAGS ? TT_BOOL : dtype, TT_SHAPE(3), 0, {c->expected, 3}};
    tensor_check(s, c->op(s, a, b), &expected, TENSOR_FOR(c->name));
}

static void test_binary__hand_worked(void **state) {
    tt_scope *s = tensor_test_scope(state);
    const enum tt_dtype floats[] = {TT_F64, TT_F32, TT_BF16, TT_F16};
    for (size_t dtype = 0; dtype < COUNT(floats); dtype++) {
        for (size_t i = 0; i < COUNT(binary_cases); i++) {
            check_binary(s, &binary_cases[i], floats[dtype]);
        }
        for (size_t i = 0; i < COUNT(broadcast_cases); i++) {
            check_binary(s, &broadcast_cases[i], floats[dtype]);
        }
    }
}

static void test_binary__a_scalar_meets_every_shape(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *ten = tt_scalar(s, TT_F32, 10);
    tt_tensor *a = f32_of(s, TT_SHAPE(1, 3), 1, 2, 3);
    assert_tensor(s, tt_sub(s, a, ten), TT_F32, TT_SHAPE(1, 3), -9, -8, -7);
    assert_tensor(s, tt_sub(s, ten, a), TT_F32, TT_SHAPE(1, 3), 9, 8, 7);
    assert_tensor(s, tt_gt(s, ten, a), TT_BOOL, TT_SHAPE(1, 3), 1, 1, 1);
    assert_tensor(s, tt_sub(s, ten, tt_scalar(s, TT_F32, 4)), TT_F32, TT_SHAPE_SCALAR, 6);
}

static void test_binary__integers_stay_integers(void **state) {
    tt_scope *s = tensor_test_scope(state);
    const int64_t large[] = {(INT64_C(1) << 53) + 1}; /* not a double */
    tt_tensor *a = tt_from_i64(s, large, TT_SHAPE(1));
    tt_tensor *difference = tt_sub(s, a, tt_from_i64(s, (int64_t[]){1}, TT_SHAPE(1)));
    assert_tensor(s, difference, TT_I64, TT_SHAPE(1), 9007199254740992.0);
    assert_tensor(s, tt_minimum(s, i32_of(s, TT_SHAPE(2), 3, -1), i32_of(s, TT_SHAPE(2), 2, 5)),
                  TT_I32, TT_SHAPE(2), 2, -1);
}

/* [2, 1] and [3] make [2, 3] only where the name says so. */
static void test_broadcast__repeats_size_one(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *a = f32_of(s, TT_SHAPE(2, 1), 12, 24);
    tt_tensor *b = f32_of(s, TT_SHAPE(3), 1, 2, 4);
    assert_tensor(s, tt_add_broadcast(s, a, b), TT_F32, TT_SHAPE(2, 3), 13, 14, 16, 25, 26, 28);
    assert_tensor(s, tt_sub_broadcast(s, a, b), TT_F32, TT_SHAPE(2, 3), 11, 10, 8, 23, 22, 20);
    assert_tensor(s, tt_mul_broadcast(s, a, b), TT_F32, TT_SHAPE(2, 3), 12, 24, 48, 24, 48, 96);
    assert_tensor(s, tt_div_broadcast(s, a, b), TT_F32, TT_SHAPE(2, 3), 12, 6, 3, 24, 12, 6);
    assert_refused_inside(r, tt_add_broadcast(r, f32_of(r, TT_SHAPE(2), 1, 2), b),
                          "must match the size of tensor b (3) at non-singleton dimension 0; "
                          "inputs f32 [2], f32 [3]");
}

static void check_binary_refusals(tt_scope *s, const struct binary_case *c) {
    char text[200];
    tt_tensor *a = f32_of(s, TT_SHAPE(3), 1, 2, 3);
    tt_tensor *wide = f64_of(s, TT_SHAPE(3), 1, 2, 3);
    tt_tensor *flags = bool_of(s, TT_SHAPE(3), 1, 0, 1);
    tt_tensor *integers = i64_of(s, TT_SHAPE(3), 1, 2, 3);
    assert_refused(r, c->op(r, NULL, a), ERR_INTERNAL, text_of(text, c->name, "operand 1 is NULL"));
    assert_refused(r, c->op(r, a, NULL), ERR_INTERNAL, text_of(text, c->name, "operand 2 is NULL"));
    assert_refused(r, c->op(r, a, wide), ERR_DTYPE,
                   text_of(text, c->name, "operand 2 is f64, expected f32; cast it with tt_cast"));
    if (c->domain == NUMBERS) {
        assert_refused(
            r, c->op(r, a, integers), ERR_DTYPE,
            text_of(text, c->name, "operand 2 is i64, expected f32; cast it with tt_cast"));
        assert_refused(
            r, c->op(r, flags, flags), ERR_DTYPE,
            text_of(text, c->name, "operand 1 is bool, expected a number; cast it with tt_cast"));
        return;
    }
    assert_refused(
        r, c->op(r, integers, integers), ERR_DTYPE,
        text_of(text, c->name, "operand 1 is i64, expected a float; cast it with tt_cast"));
}

/* The classic bug: [P] minus [P, 1] quietly giving [P, P]. */
static void check_shape_refusals(tt_scope *s, const char *name, binary_op op, enum tt_dtype dtype) {
    char text[200];
    tt_tensor *row = tt_zeros(s, dtype, TT_SHAPE(3));
    assert_refused(r, op(r, row, tt_zeros(r, dtype, TT_SHAPE(3, 1))), ERR_SHAPE,
                   text_of(text, name, "shapes [3] and [3, 1] differ"));
    assert_refused(r, op(r, row, tt_zeros(r, dtype, TT_SHAPE(1))), ERR_SHAPE,
                   text_of(text, name, "shapes [3] and [1] differ"));
    assert_refused(r, op(r, tt_zeros(r, dtype, TT_SHAPE(2, 3)), row), ERR_SHAPE,
                   text_of(text, name, "shapes [2, 3] and [3] differ"));
}

static void test_binary__refuses_mixed_shapes_and_dtypes(void **state) {
    tt_scope *s = tensor_test_scope(state);
    for (size_t i = 0; i < COUNT(binary_cases); i++) {
        check_binary_refusals(s, &binary_cases[i]);
        check_shape_refusals(s, binary_cases[i].name, binary_cases[i].op, TT_F32);
    }
    for (size_t i = 0; i < COUNT(broadcast_cases); i++) {
        check_binary_refusals(s, &broadcast_cases[i]);
    }
}

/* --- comparison and choice --- */

static void test_eq_and_ne__every_dtype(void **state) {
    tt_scope *s = tensor_test_scope(state);
    for (int dtype = 0; dtype < TT_DTYPE_COUNT; dtype++) {
        tt_tensor *a = tensor_of(s, (enum tt_dtype)dtype, TT_SHAPE(3), TENSOR_VALUES(0, 1, 1));
        tt_tensor *b = tensor_of(s, (enum tt_dtype)dtype, TT_SHAPE(3), TENSOR_VALUES(1, 1, 0));
        assert_tensor(s, tt_eq(s, a, b), TT_BOOL, TT_SHAPE(3), 0, 1, 0);
        assert_tensor(s, tt_ne(s, a, b), TT_BOOL, TT_SHAPE(3), 1, 0, 1);
    }
    check_shape_refusals(s, "eq", tt_eq, TT_F32);
    check_shape_refusals(s, "ne", tt_ne, TT_BOOL);
    assert_refused(r, tt_eq(r, f32_of(r, TT_SHAPE(1), 1), i64_of(r, TT_SHAPE(1), 1)), ERR_DTYPE,
                   "eq: operand 2 is i64, expected f32; cast it with tt_cast");
    assert_refused(r, tt_ne(r, f32_of(r, TT_SHAPE(1), 1), bool_of(r, TT_SHAPE(1), 1)), ERR_DTYPE,
                   "ne: operand 2 is bool, expected f32; cast it with tt_cast");
    assert_refused(r, tt_ne(r, NULL, NULL), ERR_INTERNAL, "ne: operand 1 is NULL");
}

static void test_logical__truth_tables(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *a = bool_of(s, TT_SHAPE(4), 0, 0, 1, 1);
    tt_tensor *b = bool_of(s, TT_SHAPE(4), 0, 1, 0, 1);
    assert_tensor(s, tt_logical_and(s, a, b), TT_BOOL, TT_SHAPE(4), 0, 0, 0, 1);
    assert_tensor(s, tt_logical_or(s, a, b), TT_BOOL, TT_SHAPE(4), 0, 1, 1, 1);
    assert_tensor(s, tt_logical_not(s, b), TT_BOOL, TT_SHAPE(4), 1, 0, 1, 0);
    check_shape_refusals(s, "logical_and", tt_logical_and, TT_BOOL);
    check_shape_refusals(s, "logical_or", tt_logical_or, TT_BOOL);
    tt_tensor *number = f32_of(s, TT_SHAPE(4), 0, 1, 0, 1);
    assert_refused(r, tt_logical_and(r, a, number), ERR_DTYPE,
                   "logical_and: operand 2 is f32, expected bool; cast it with tt_cast");
    assert_refused(r, tt_logical_or(r, number, b), ERR_DTYPE,
                   "logical_or: operand 1 is f32, expected bool; cast it with tt_cast");
    assert_refused(r, tt_logical_not(r, number), ERR_DTYPE,
                   "logical_not: operand 1 is f32, expected bool; cast it with tt_cast");
}

static void test_where__takes_the_first_where_true(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *mask = bool_of(s, TT_SHAPE(3), 1, 0, 1);
    tt_tensor *a = f32_of(s, TT_SHAPE(3), 1, 2, 3);
    tt_tensor *b = f32_of(s, TT_SHAPE(3), 10, 20, 30);
    assert_tensor(s, tt_where(s, mask, a, b), TT_F32, TT_SHAPE(3), 1, 20, 3);
    assert_refused(r, tt_where(r, a, a, b), ERR_DTYPE,
                   "where: operand 1 is f32, expected bool; cast it with tt_cast");
    assert_refused(r, tt_where(r, mask, a, i64_of(r, TT_SHAPE(3), 1, 2, 3)), ERR_DTYPE,
                   "where: operand 3 is i64, expected f32; cast it with tt_cast");
    assert_refused(r, tt_where(r, mask, a, tt_scalar(r, TT_F32, 0)), ERR_SHAPE,
                   "where: shapes [3] and [] differ");
    assert_refused(r, tt_where(r, bool_of(r, TT_SHAPE(1), 1), a, b), ERR_SHAPE,
                   "where: shapes [1] and [3] differ");
    assert_refused(r, tt_where(r, mask, a, NULL), ERR_INTERNAL, "where: operand 3 is NULL");
}

static void test_masked_fill__where_true(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *mask = bool_of(s, TT_SHAPE(3), 0, 1, 0);
    tt_tensor *a = f32_of(s, TT_SHAPE(3), 1, 2, 3);
    assert_tensor(s, tt_masked_fill(s, a, mask, -HUGE_VAL), TT_F32, TT_SHAPE(3), 1, -HUGE_VAL, 3);
    assert_tensor(s, a, TT_F32, TT_SHAPE(3), 1, 2, 3);
    assert_refused(r, tt_masked_fill(r, a, bool_of(r, TT_SHAPE(1), 1), 0), ERR_SHAPE,
                   "masked_fill: shapes [3] and [1] differ");
    assert_refused(r, tt_masked_fill(r, a, a, 0), ERR_DTYPE,
                   "masked_fill: operand 2 is f32, expected bool; cast it with tt_cast");
    assert_refused(r, tt_masked_fill(r, mask, mask, 0), ERR_DTYPE,
                   "masked_fill: operand 1 is bool, expected a number; cast it with tt_cast");
    assert_refused(r, tt_masked_fill(r, i64_of(r, TT_SHAPE(3), 1, 2, 3), mask, 0.5), ERR_BACKEND,
                   "masked_fill: 0.5 is not a value of i64; inputs i64 [3], bool [3]");
}

int tt_pointwise_tests(void) {
    const struct CMUnitTest tests[] = {
        tensor_test(test_unary__agrees_with_the_formula),
        tensor_test(test_unary__bf16_stays_bf16),
        tensor_test(test_ops_with_numbers__hand_worked),
        tensor_test(test_is_finite__marks_infinities_and_nan),
        tensor_test(test_unary__refuses_bool_null_and_silent_floats),
        tensor_test(test_binary__hand_worked),
        tensor_test(test_binary__a_scalar_meets_every_shape),
        tensor_test(test_binary__integers_stay_integers),
        tensor_test(test_broadcast__repeats_size_one),
        tensor_test(test_binary__refuses_mixed_shapes_and_dtypes),
        tensor_test(test_eq_and_ne__every_dtype),
        tensor_test(test_logical__truth_tables),
        tensor_test(test_where__takes_the_first_where_true),
        tensor_test(test_masked_fill__where_true),
    };
    return cmocka_run_group_tests_name("tt_pointwise", tests, NULL, NULL);
}
