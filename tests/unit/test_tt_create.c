/* test_tt_create.c - making tensors, converting them, and reading them out. */
#include "tests/support/tensor.h"
#include "tests/unit/test_tt_ops.h"

#include <math.h>

/* --- creation --- */

static void test_zeros__every_dtype(void **state) {
    tt_scope *s = tensor_test_scope(state);
    for (int dtype = 0; dtype < TT_DTYPE_COUNT; dtype++) {
        tt_tensor *zeros = tt_zeros(s, (enum tt_dtype)dtype, TT_SHAPE(2, 3));
        assert_tensor(s, zeros, (enum tt_dtype)dtype, TT_SHAPE(2, 3), 0, 0, 0, 0, 0, 0);
    }
}

static void test_full__value_dtype_and_shape(void **state) {
    tt_scope *s = tensor_test_scope(state);
    assert_tensor(s, tt_full(s, TT_F32, TT_SHAPE(3), 2.5), TT_F32, TT_SHAPE(3), 2.5, 2.5, 2.5);
    assert_tensor(s, tt_full(s, TT_I64, TT_SHAPE(1, 2), -7), TT_I64, TT_SHAPE(1, 2), -7, -7);
    assert_tensor(s, tt_full(s, TT_BOOL, TT_SHAPE(2), 1), TT_BOOL, TT_SHAPE(2), 1, 1);
    assert_tensor(s, tt_full(s, TT_U8, TT_SHAPE_SCALAR, 255), TT_U8, TT_SHAPE_SCALAR, 255);
}

static void test_zeros_like_and_full_like__follow_the_operand(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *a = i64_of(s, TT_SHAPE(2, 1), 4, 5);
    assert_tensor(s, tt_zeros_like(s, a), TT_I64, TT_SHAPE(2, 1), 0, 0);
    assert_tensor(s, tt_full_like(s, a, 9), TT_I64, TT_SHAPE(2, 1), 9, 9);
    assert_tensor(s, a, TT_I64, TT_SHAPE(2, 1), 4, 5);
}

static void test_scalar__has_no_dimension(void **state) {
    tt_scope *s = tensor_test_scope(state);
    assert_tensor(s, tt_scalar(s, TT_F64, 0.1), TT_F64, TT_SHAPE_SCALAR, 0.1);
    assert_tensor(s, tt_scalar(s, TT_I32, -3), TT_I32, TT_SHAPE_SCALAR, -3);
}

static void test_arange__start_then_count(void **state) {
    tt_scope *s = tensor_test_scope(state);
    assert_tensor(s, tt_arange(s, 5, 3), TT_I64, TT_SHAPE(3), 5, 6, 7);
    assert_int_equal(tt_count_of(tt_arange(s, 5, 0)), 0);
}

static void test_from__copies_in_row_major_order(void **state) {
    tt_scope *s = tensor_test_scope(state);
    double f64[] = {1, 2, 3, 4, 5, 6};
    float f32[] = {1, 2, 3, 4, 5, 6};
    int64_t i64[] = {1, 2, 3, 4, 5, INT64_C(1) << 40};
    int32_t i32[] = {1, 2, 3, 4, 5, -6};
    bool flags[] = {true, false, false, true, true, false};
    const struct tt_shape shape = TT_SHAPE(2, 3);
    tt_tensor *from_f64 = tt_from_f64(s, f64, shape);
    tt_tensor *from_f32 = tt_from_f32(s, f32, shape);
    tt_tensor *from_i64 = tt_from_i64(s, i64, shape);
    tt_tensor *from_i32 = tt_from_i32(s, i32, shape);
    tt_tensor *from_bool = tt_from_bool(s, flags, shape);
    f64[0] = 99; /* copies do not follow */
    f32[0] = 99;
    i64[0] = i32[0] = 99;
    flags[0] = false;
    assert_tensor(s, from_f64, TT_F64, TT_SHAPE(2, 3), 1, 2, 3, 4, 5, 6);
    assert_tensor(s, from_f32, TT_F32, TT_SHAPE(2, 3), 1, 2, 3, 4, 5, 6);
    assert_tensor(s, from_i64, TT_I64, TT_SHAPE(2, 3), 1, 2, 3, 4, 5, 1099511627776.0);
    assert_tensor(s, from_i32, TT_I32, TT_SHAPE(2, 3), 1, 2, 3, 4, 5, -6);
    assert_tensor(s, from_bool, TT_BOOL, TT_SHAPE(2, 3), 1, 0, 0, 1, 1, 0);
    /* [0][1] is the second number, whatever the columns: row-major. */
    assert_tensor(s, tt_select(s, from_f32, 0, 1), TT_F32, TT_SHAPE(3), 4, 5, 6);
}

static void test_borrow__shares_the_callers_memory(void **state) {
    tt_scope *s = tensor_test_scope(state);
    float values[] = {1, 2, 3, 4};
    tt_tensor *view = tt_borrow(s, TT_F32, values, TT_SHAPE(2, 2));
    values[1] = 20;
    assert_tensor(s, view, TT_F32, TT_SHAPE(2, 2), 1, 20, 3, 4);
    tt_scale_inplace(s, view, 2);
    assert_true(values[0] == 2 && values[3] == 8);
}

static void test_creation__refuses_bad_shapes_and_values(void **state) {
    (void)state;
    float number = 0;
    const struct tt_shape negative = TT_SHAPE(3, -2);
    assert_refused(r, tt_zeros(r, TT_F32, negative), ERR_SHAPE,
                   "zeros: dimension 1 is negative: -2");
    assert_refused(r, tt_full(r, TT_F32, negative, 1), ERR_SHAPE,
                   "full: dimension 1 is negative: -2");
    assert_refused(r, tt_from_f32(r, &number, negative), ERR_SHAPE,
                   "from_f32: dimension 1 is negative: -2");
    assert_refused(r, tt_borrow(r, TT_F32, &number, negative), ERR_SHAPE,
                   "borrow: dimension 1 is negative: -2");
    assert_refused(r, tt_arange(r, 4, -1), ERR_SHAPE, "arange: dimension 0 is negative: -1");
    assert_refused(r, tt_from_i64(r, NULL, TT_SHAPE(2)), ERR_BACKEND, "from_i64: values is NULL");
    assert_refused(r, tt_borrow(r, TT_F32, NULL, TT_SHAPE(2)), ERR_BACKEND,
                   "borrow: values is NULL");
    assert_refused(r, tt_full(r, TT_I64, TT_SHAPE(2), 2.5), ERR_BACKEND,
                   "full: 2.5 is not a value of i64");
    assert_refused(r, tt_scalar(r, TT_I64, (double)NAN), ERR_BACKEND,
                   "scalar: nan is not a value of i64");
    assert_refused(r, tt_full(r, TT_I64, TT_SHAPE(1), 0x1p63), ERR_BACKEND,
                   "full: 9.22337e+18 is not a value of i64");
    assert_refused(r, tt_scalar(r, TT_F16, 65536), ERR_BACKEND,
                   "scalar: 65536 is not a value of f16");
    assert_refused(r, tt_scalar(r, TT_BOOL, 2), ERR_BACKEND, "scalar: 2 is not a value of bool");
    assert_refused_inside(r, tt_full(r, TT_U8, TT_SHAPE(2), -1), "without overflow");
    assert_refused_inside(r, tt_full(r, TT_I32, TT_SHAPE(2), 3e9), "without overflow");
    assert_refused(r, tt_full_like(r, NULL, 1), ERR_INTERNAL, "full_like: operand 1 is NULL");
    assert_refused(r, tt_zeros_like(r, NULL), ERR_INTERNAL, "zeros_like: operand 1 is NULL");
}

/* --- random numbers --- */

/* The same numbers as base/rng.h gives one by one, which test_rng.c checks. */
static void test_rand__is_the_keyed_stream(void **state) {
    tt_scope *s = tensor_test_scope(state);
    const struct rng stream = rng_stream(7, RNG_TEST, 3, 11);
    float expected[6];
    float got[6];
    struct error err = ERROR_INIT;
    struct rng copy = stream;
    rng_fill_uniform_f32(&copy, expected, 6);
    assert_ok(tt_read_f32(s, tt_rand_uniform(s, &stream, TT_SHAPE(2, 3)), got, 6, &err), &err);
    assert_memory_equal(got, expected, sizeof got);
    copy = stream;
    rng_fill_normal_f32(&copy, expected, 6);
    assert_ok(tt_read_f32(s, tt_rand_normal(s, &stream, TT_SHAPE(6)), got, 6, &err), &err);
    assert_memory_equal(got, expected, sizeof got);
    assert_refused(r, tt_rand_uniform(r, &stream, TT_SHAPE(-1)), ERR_SHAPE,
                   "rand_uniform: dimension 0 is negative: -1");
}

/* --- conversion --- */

static void test_cast__rounds_floats_and_cuts_to_integers(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *a = f32_of(s, TT_SHAPE(4), 1.75, -1.75, 0, 300);
    assert_tensor(s, tt_cast(s, a, TT_I64), TT_I64, TT_SHAPE(4), 1, -1, 0, 300);
    assert_tensor(s, tt_cast(s, a, TT_BOOL), TT_BOOL, TT_SHAPE(4), 1, 1, 0, 1);
    assert_tensor(s, tt_cast(s, a, TT_F64), TT_F64, TT_SHAPE(4), 1.75, -1.75, 0, 300);
    /* bf16 keeps 8 bits: 1 + 2^-8 lies halfway and goes to even 1; 1 + 3 * 2^-8 to 1 + 2^-6.
     * f16 keeps 11: both are exact. */
    tt_tensor *fine = f32_of(s, TT_SHAPE(2), 1.00390625, 1.01171875);
    assert_tensor(s, tt_cast(s, fine, TT_BF16), TT_BF16, TT_SHAPE(2), 1, 1.015625);
    assert_tensor(s, tt_cast(s, fine, TT_F16), TT_F16, TT_SHAPE(2), 1.00390625, 1.01171875);
}

/* d sum(3 cast(a)) / da = 3, in the dtype of a. */
static void test_cast__gradient_has_the_dtype_of_the_leaf(void **state) {
    tt_scope *s = tensor_test_scope(state);
    struct error err = ERROR_INIT;
    tt_tensor *leaf = tt_leaf(s, bf16_of(s, TT_SHAPE(2), 1, 2));
    assert_ok(tt_backward(s, tt_sum(s, tt_scale(s, tt_cast(s, leaf, TT_F32), 3)), &err), &err);
    assert_tensor(s, tt_leaf_grad(s, leaf), TT_BF16, TT_SHAPE(2), 3, 3);
}

static void test_to_device__keeps_values(void **state) {
    tt_scope *s = tensor_test_scope(state);
    const struct tt_device cpu = {TT_CPU, 0};
    tt_tensor *a = f32_of(s, TT_SHAPE(2), 3, 4);
    assert_tensor(s, tt_to_device(s, a, cpu), TT_F32, TT_SHAPE(2), 3, 4);
    assert_int_equal(tt_device_of(a).kind, TT_CPU);
}

/* Without a GPU, or before tt_device_open. */
static void test_cuda__is_refused_until_opened(void **state) {
    tt_scope *s = tensor_test_scope(state);
    const struct tt_device cuda = {TT_CUDA, 0};
    struct error reason = ERROR_INIT;
    if (tt_cuda_device_count(&reason) > 0) {
        skip();
    }
    tt_tensor *a = f32_of(s, TT_SHAPE(2), 3, 4);
    assert_refused(r, tt_to_device(r, a, cuda), ERR_BACKEND,
                   "to_device: CUDA is not open; tt_device_open opens it, or says why not; "
                   "inputs f32 [2]");
    tt_scope *on_cuda = tt_scope_open_on(TT_NO_GRAD, cuda);
    assert_null(tt_zeros(on_cuda, TT_F32, TT_SHAPE(2)));
    assert_fails(tt_scope_check(on_cuda, &reason), ERR_BACKEND, "zeros: CUDA is not open", &reason);
    tt_scope_close(on_cuda);
}

static void test_detach__shares_values_without_gradient(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *leaf = tt_leaf(s, f32_of(s, TT_SHAPE(2), 3, 4));
    tt_tensor *detached = tt_detach(s, leaf);
    assert_true(tt_requires_grad(leaf));
    assert_false(tt_requires_grad(detached));
    tt_fill_inplace(s, detached, 6);
    assert_tensor(s, leaf, TT_F32, TT_SHAPE(2), 6, 6);
}

static void test_clone__has_memory_of_its_own(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *a = f32_of(s, TT_SHAPE(2), 3, 4);
    tt_tensor *copy = tt_clone(s, a);
    tt_fill_inplace(s, a, 0);
    assert_tensor(s, copy, TT_F32, TT_SHAPE(2), 3, 4);
    assert_true(tt_requires_grad(tt_clone(s, tt_leaf(s, copy))));
}

static void test_contiguous__keeps_the_values(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *a = tt_transpose(s, f32_of(s, TT_SHAPE(2, 3), 1, 2, 3, 4, 5, 6), 0, 1);
    tt_tensor *copy = tt_contiguous(s, a);
    tt_fill_inplace(s, a, 0); /* its memory is in another order, so it is a copy */
    assert_tensor(s, copy, TT_F32, TT_SHAPE(3, 2), 1, 4, 2, 5, 3, 6);
}

/* --- leaving tensor-land --- */

static void test_item_f64__every_kind_of_number(void **state) {
    tt_scope *s = tensor_test_scope(state);
    struct error err = ERROR_INIT;
    double value = 0;
    assert_ok(tt_item_f64(s, f64_of(s, TT_SHAPE_SCALAR, 0.1), &value, &err), &err);
    assert_true(value == 0.1);
    assert_ok(tt_item_f64(s, bf16_of(s, TT_SHAPE(1, 1), 1.5), &value, &err), &err);
    assert_true(value == 1.5);
    assert_ok(tt_item_f64(s, i64_of(s, TT_SHAPE(1), -4), &value, &err), &err);
    assert_true(value == -4);
    assert_ok(tt_item_f64(s, bool_of(s, TT_SHAPE(1), 1), &value, &err), &err);
    assert_true(value == 1);
    tt_tensor *leaf = tt_leaf(s, f32_of(s, TT_SHAPE(1), 8));
    assert_ok(tt_item_f64(s, leaf, &value, &err), &err);
    assert_true(value == 8);
    const int64_t beyond = (INT64_C(1) << 53) + 1;
    assert_fails(tt_item_f64(s, tt_from_i64(s, &beyond, TT_SHAPE(1)), &value, &err), ERR_BACKEND,
                 "item: an integer from 2^53 on may not fit a double; use tt_item_i64", &err);
}

static void test_item_i64__integers_only(void **state) {
    tt_scope *s = tensor_test_scope(state);
    struct error err = ERROR_INIT;
    const int64_t large = (INT64_C(1) << 53) + 1; /* not a double */
    int64_t value = 0;
    assert_ok(tt_item_i64(s, tt_from_i64(s, &large, TT_SHAPE(1)), &value, &err), &err);
    assert_true(value == large);
    assert_ok(tt_item_i64(s, bool_of(s, TT_SHAPE(1), 1), &value, &err), &err);
    assert_int_equal(value, 1);
    assert_fails(tt_item_i64(s, f32_of(s, TT_SHAPE(1), 1), &value, &err), ERR_DTYPE,
                 "item: f32 is not an integer", &err);
    assert_int_equal(value, 1);
}

static void test_item__wants_one_element(void **state) {
    tt_scope *s = tensor_test_scope(state);
    struct error err = ERROR_INIT;
    double value = 42;
    assert_fails(tt_item_f64(s, f32_of(s, TT_SHAPE(1, 2), 1, 2), &value, &err), ERR_SHAPE,
                 "item: one element expected, got shape [1, 2]", &err);
    assert_true(value == 42);
    /* The scope has failed for good: what comes later reports the first error. */
    assert_fails(tt_item_f64(s, NULL, &value, &err), ERR_SHAPE, "item: one element expected", &err);
}

static void test_item__of_null_is_refused(void **state) {
    tt_scope *s = tensor_test_scope(state);
    struct error err = ERROR_INIT;
    int64_t value = 42;
    assert_fails(tt_item_i64(s, NULL, &value, &err), ERR_INTERNAL, "item: operand 1 is NULL", &err);
    assert_int_equal(value, 42);
}

static void test_read__every_dtype_in_row_major_order(void **state) {
    tt_scope *s = tensor_test_scope(state);
    struct error err = ERROR_INIT;
    double f64[3];
    float f32[6];
    int64_t i64[2];
    int32_t i32[2];
    bool flags[3];
    assert_ok(tt_read_f64(s, f64_of(s, TT_SHAPE(3), 1, 0.1, -2), f64, 3, &err), &err);
    assert_true(f64[0] == 1 && f64[1] == 0.1 && f64[2] == -2);
    assert_ok(tt_read_i64(s, i64_of(s, TT_SHAPE(2), 7, -8), i64, 2, &err), &err);
    assert_true(i64[0] == 7 && i64[1] == -8);
    assert_ok(tt_read_i32(s, i32_of(s, TT_SHAPE(2), 7, -8), i32, 2, &err), &err);
    assert_true(i32[0] == 7 && i32[1] == -8);
    assert_ok(tt_read_bool(s, bool_of(s, TT_SHAPE(3), 1, 0, 1), flags, 3, &err), &err);
    assert_true(flags[0] && !flags[1] && flags[2]);
    /* A view that is not contiguous is read in the order of its own indices. */
    tt_tensor *a = tt_transpose(s, f32_of(s, TT_SHAPE(2, 3), 1, 2, 3, 4, 5, 6), 0, 1);
    assert_ok(tt_read_f32(s, a, f32, 6, &err), &err);
    assert_memory_equal(f32, ((const float[]){1, 4, 2, 5, 3, 6}), sizeof f32);
    assert_ok(tt_read_f32(s, tt_zeros(s, TT_F32, TT_SHAPE(0, 4)), NULL, 0, &err), &err);
}

static void test_read__dtype_and_count_are_exact(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    float values[3] = {42, 42, 42};
    tt_scope *s = tt_scope_open(TT_NO_GRAD);
    assert_fails(tt_read_f32(s, i64_of(s, TT_SHAPE(3), 1, 2, 3), values, 3, &err), ERR_DTYPE,
                 "read: expected f32, got i64", &err);
    tt_scope_close(s);
    s = tt_scope_open(TT_NO_GRAD);
    assert_fails(tt_read_f32(s, f32_of(s, TT_SHAPE(2), 1, 2), values, 3, &err), ERR_SHAPE,
                 "read: 2 elements, room for 3", &err);
    tt_scope_close(s);
    s = tt_scope_open(TT_NO_GRAD);
    assert_fails(tt_read_f32(s, NULL, values, 3, &err), ERR_INTERNAL, "read: operand 1 is NULL",
                 &err);
    tt_scope_close(s);
    assert_true(values[0] == 42 && values[2] == 42);
}

int tt_create_tests(void) {
    const struct CMUnitTest tests[] = {
        tensor_test(test_zeros__every_dtype),
        tensor_test(test_full__value_dtype_and_shape),
        tensor_test(test_zeros_like_and_full_like__follow_the_operand),
        tensor_test(test_scalar__has_no_dimension),
        tensor_test(test_arange__start_then_count),
        tensor_test(test_from__copies_in_row_major_order),
        tensor_test(test_borrow__shares_the_callers_memory),
        tensor_test(test_creation__refuses_bad_shapes_and_values),
        tensor_test(test_rand__is_the_keyed_stream),
        tensor_test(test_cast__rounds_floats_and_cuts_to_integers),
        tensor_test(test_cast__gradient_has_the_dtype_of_the_leaf),
        tensor_test(test_to_device__keeps_values),
        tensor_test(test_cuda__is_refused_until_opened),
        tensor_test(test_detach__shares_values_without_gradient),
        tensor_test(test_clone__has_memory_of_its_own),
        tensor_test(test_contiguous__keeps_the_values),
        tensor_test(test_item_f64__every_kind_of_number),
        tensor_test(test_item_i64__integers_only),
        tensor_test(test_item__wants_one_element),
        tensor_test(test_item__of_null_is_refused),
        tensor_test(test_read__every_dtype_in_row_major_order),
        tensor_test(test_read__dtype_and_count_are_exact),
    };
    return cmocka_run_group_tests_name("tt_create", tests, NULL, NULL);
}
