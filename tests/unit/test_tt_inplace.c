/* test_tt_inplace.c - ops that change their first operand, and what autograd says of them. */
#include "tests/support/tensor.h"
#include "tests/unit/test_tt_ops.h"

static void test_fill_inplace__changes_every_element(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *a = i64_of(s, TT_SHAPE(2), 3, 4);
    tt_fill_inplace(s, a, -7);
    assert_tensor(s, a, TT_I64, TT_SHAPE(2), -7, -7);
    assert_refused(r, tt_fill_inplace(r, a, 0.5), ERR_BACKEND,
                   "fill_inplace: 0.5 is not a value of i64; inputs i64 [2]");
    assert_refused(r, tt_fill_inplace(r, NULL, 0), ERR_INTERNAL, "fill_inplace: operand 1 is NULL");
    assert_tensor(s, a, TT_I64, TT_SHAPE(2), -7, -7);
}

static void test_copy_inplace__from_second_to_first(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *a = f32_of(s, TT_SHAPE(2), 3, 4);
    tt_tensor *b = f32_of(s, TT_SHAPE(2), 5, 6);
    tt_copy_inplace(s, a, b);
    tt_fill_inplace(s, b, 0);
    assert_tensor(s, a, TT_F32, TT_SHAPE(2), 5, 6);
    assert_refused(r, tt_copy_inplace(r, a, tt_scalar(r, TT_F32, 1)), ERR_SHAPE,
                   "copy_inplace: shapes [2] and [] differ");
    assert_refused(r, tt_copy_inplace(r, a, f64_of(r, TT_SHAPE(2), 1, 2)), ERR_DTYPE,
                   "copy_inplace: operand 2 is f64, expected f32; cast it with tt_cast");
    assert_refused(r, tt_copy_inplace(r, a, NULL), ERR_INTERNAL, "copy_inplace: operand 2 is NULL");
}

static void test_arithmetic_inplace__hand_worked(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *a = f32_of(s, TT_SHAPE(2), 3, 4);
    tt_tensor *b = f32_of(s, TT_SHAPE(2), 5, 6);
    tt_add_inplace(s, a, b); /* 3 + 5, 4 + 6 */
    assert_tensor(s, a, TT_F32, TT_SHAPE(2), 8, 10);
    tt_add_scaled_inplace(s, a, b, -2); /* 8 - 10, 10 - 12 */
    assert_tensor(s, a, TT_F32, TT_SHAPE(2), -2, -2);
    tt_mul_inplace(s, a, b);
    assert_tensor(s, a, TT_F32, TT_SHAPE(2), -10, -12);
    tt_scale_inplace(s, a, 0.5);
    assert_tensor(s, a, TT_F32, TT_SHAPE(2), -5, -6);
    tt_add_inplace(s, a, tt_scalar(s, TT_F32, 7));
    assert_tensor(s, a, TT_F32, TT_SHAPE(2), 2, 1);
    assert_tensor(s, b, TT_F32, TT_SHAPE(2), 5, 6);
}

static void test_masked_fill_inplace__where_true(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *a = f32_of(s, TT_SHAPE(3), 1, 2, 3);
    tt_tensor *mask = bool_of(s, TT_SHAPE(3), 0, 1, 0);
    tt_masked_fill_inplace(s, a, mask, 9);
    assert_tensor(s, a, TT_F32, TT_SHAPE(3), 1, 9, 3);
    assert_refused(r, tt_masked_fill_inplace(r, a, a, 0), ERR_DTYPE,
                   "masked_fill_inplace: operand 2 is f32, expected bool; cast it with tt_cast");
    assert_refused(r, tt_masked_fill_inplace(r, mask, mask, 0), ERR_DTYPE,
                   "masked_fill_inplace: operand 1 is bool, expected a number; cast it with "
                   "tt_cast");
    assert_refused(r, tt_masked_fill_inplace(r, a, bool_of(r, TT_SHAPE(1), 1), 0), ERR_SHAPE,
                   "masked_fill_inplace: shapes [3] and [1] differ");
}

static void test_index_copy_inplace__slices_by_index(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *a = tt_zeros(s, TT_F32, TT_SHAPE(2, 3));
    tt_tensor *index = i64_of(s, TT_SHAPE(2), 2, 0);
    tt_tensor *source = f32_of(s, TT_SHAPE(2, 2), 1, 2, 3, 4);
    tt_index_copy_inplace(s, a, 1, index, source);
    assert_tensor(s, a, TT_F32, TT_SHAPE(2, 3), 2, 0, 1, 4, 0, 3);
    assert_refused_inside(r, tt_index_copy_inplace(r, a, 0, index, source), "index_copy");
    tt_tensor *beyond = i64_of(s, TT_SHAPE(2), 0, 3);
    assert_refused_inside(r, tt_index_copy_inplace(r, a, 1, beyond, source), "out of bounds");
    assert_refused(r, tt_index_copy_inplace(r, a, 1, source, source), ERR_DTYPE,
                   "index_copy_inplace: operand 2 is f32, expected i64; cast it with tt_cast");
    assert_refused(r, tt_index_copy_inplace(r, a, 1, index, index), ERR_DTYPE,
                   "index_copy_inplace: operand 3 is i64, expected f32; cast it with tt_cast");
    assert_refused(r, tt_index_copy_inplace(r, a, 1, index, NULL), ERR_INTERNAL,
                   "index_copy_inplace: operand 3 is NULL");
}

static void test_arithmetic_inplace__keeps_the_rules(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *a = f32_of(s, TT_SHAPE(2), 3, 4);
    tt_tensor *integers = i64_of(s, TT_SHAPE(2), 3, 4);
    tt_tensor *flags = bool_of(s, TT_SHAPE(2), 1, 0);
    tt_tensor *column = tt_zeros(s, TT_F32, TT_SHAPE(2, 1));
    tt_tensor *scalar = tt_scalar(s, TT_F32, 1);
    assert_refused(r, tt_add_inplace(r, a, column), ERR_SHAPE,
                   "add_inplace: shapes [2] and [2, 1] differ");
    assert_refused(r, tt_add_scaled_inplace(r, a, column, 2), ERR_SHAPE,
                   "add_scaled_inplace: shapes [2] and [2, 1] differ");
    assert_refused(r, tt_mul_inplace(r, a, column), ERR_SHAPE,
                   "mul_inplace: shapes [2] and [2, 1] differ");
    assert_refused(r, tt_add_inplace(r, a, integers), ERR_DTYPE,
                   "add_inplace: operand 2 is i64, expected f32; cast it with tt_cast");
    assert_refused(r, tt_add_scaled_inplace(r, a, tt_cast(r, a, TT_F64), 2), ERR_DTYPE,
                   "add_scaled_inplace: operand 2 is f64, expected f32; cast it with tt_cast");
    assert_refused(r, tt_mul_inplace(r, a, integers), ERR_DTYPE,
                   "mul_inplace: operand 2 is i64, expected f32; cast it with tt_cast");
    assert_refused(r, tt_add_inplace(r, flags, flags), ERR_DTYPE,
                   "add_inplace: operand 1 is bool, expected a number; cast it with tt_cast");
    assert_refused(r, tt_mul_inplace(r, flags, flags), ERR_DTYPE,
                   "mul_inplace: operand 1 is bool, expected a number; cast it with tt_cast");
    assert_refused(r, tt_mul_inplace(r, scalar, a), ERR_SHAPE,
                   "mul_inplace: a scalar cannot take the values of a larger tensor");
    assert_refused(r, tt_mul_inplace(r, a, NULL), ERR_INTERNAL, "mul_inplace: operand 2 is NULL");
    assert_refused(r, tt_add_scaled_inplace(r, integers, integers, 0.5), ERR_DTYPE,
                   "add_scaled_inplace: operand 1 is i64, expected a float; cast it with tt_cast");
    assert_refused(r, tt_scale_inplace(r, integers, 0.5), ERR_DTYPE,
                   "scale_inplace: operand 1 is i64, expected a float; cast it with tt_cast");
    /* One element of memory behind three of the view: the result would depend on the order. */
    assert_refused_inside(
        r, tt_scale_inplace(r, tt_expand(r, tt_zeros(r, TT_F32, TT_SHAPE(1)), TT_SHAPE(3)), 2),
        "more than one element of the written-to tensor refers to a single memory location");
    assert_refused_inside(
        r,
        tt_masked_fill_inplace(r, tt_expand(r, tt_zeros(r, TT_F32, TT_SHAPE(1)), TT_SHAPE(2)),
                               bool_of(r, TT_SHAPE(2), 1, 0), 7),
        "more than one element of the written-to tensor refers to a single memory location");
    assert_tensor(s, a, TT_F32, TT_SHAPE(2), 3, 4);
}

static void test_inplace__on_a_leaf_only_without_grad(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *leaf = tt_leaf(s, f32_of(s, TT_SHAPE(2), 3, 4));
    tt_tensor *mask = bool_of(s, TT_SHAPE(2), 1, 1);
    tt_tensor *index = i64_of(s, TT_SHAPE(2), 1, 0);
    tt_tensor *b = f32_of(s, TT_SHAPE(2), 5, 6);
    const char *reason =
        "a leaf Variable that requires grad is being used in an in-place operation";
    assert_refused_inside(r, tt_fill_inplace(r, leaf, 0), reason);
    assert_refused_inside(r, tt_copy_inplace(r, leaf, b), reason);
    assert_refused_inside(r, tt_add_inplace(r, leaf, b), reason);
    assert_refused_inside(r, tt_add_scaled_inplace(r, leaf, b, 2), reason);
    assert_refused_inside(r, tt_mul_inplace(r, leaf, b), reason);
    assert_refused_inside(r, tt_scale_inplace(r, leaf, 2), reason);
    assert_refused_inside(r, tt_masked_fill_inplace(r, leaf, mask, 0), reason);
    assert_refused_inside(r, tt_index_copy_inplace(r, leaf, 0, index, b), reason);
    assert_tensor(s, leaf, TT_F32, TT_SHAPE(2), 3, 4);
    tt_scope *free_of_grad = tt_scope_open(TT_NO_GRAD);
    tt_add_inplace(free_of_grad, leaf, b);
    tt_scope_close(free_of_grad);
    assert_tensor(s, leaf, TT_F32, TT_SHAPE(2), 8, 10);
}

/* exp keeps its result for backward; changing it must not give a wrong gradient silently. */
static void test_inplace__on_what_backward_needs_is_refused_there(void **state) {
    tt_scope *s = tensor_test_scope(state);
    struct error err = ERROR_INIT;
    tt_tensor *leaf = tt_leaf(s, f32_of(s, TT_SHAPE(2), 3, 4));
    tt_tensor *e = tt_exp(s, leaf);
    tt_tensor *loss = tt_sum(s, e);
    tt_fill_inplace(s, e, 0);
    assert_fails(tt_backward(s, loss, &err), ERR_BACKEND, "modified by an inplace operation", &err);
}

int tt_inplace_tests(void) {
    const struct CMUnitTest tests[] = {
        tensor_test(test_fill_inplace__changes_every_element),
        tensor_test(test_copy_inplace__from_second_to_first),
        tensor_test(test_arithmetic_inplace__hand_worked),
        tensor_test(test_masked_fill_inplace__where_true),
        tensor_test(test_index_copy_inplace__slices_by_index),
        tensor_test(test_arithmetic_inplace__keeps_the_rules),
        tensor_test(test_inplace__on_a_leaf_only_without_grad),
        tensor_test(test_inplace__on_what_backward_needs_is_refused_there),
    };
    return cmocka_run_group_tests_name("tt_inplace", tests, NULL, NULL);
}
