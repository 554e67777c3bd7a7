/* test_tt_arrange.c - views, joins and indexing: where each element goes. The operand of most tests
 * is m = [1 2 3; 4 5 6]. */
#include "tests/support/tensor.h"
#include "tests/unit/test_tt_ops.h"

static tt_tensor *matrix(tt_scope *s) {
    return f32_of(s, TT_SHAPE(2, 3), 1, 2, 3, 4, 5, 6);
}

/* --- shape --- */

static void test_reshape__keeps_row_major_order(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *m = matrix(s);
    assert_tensor(s, tt_reshape(s, m, TT_SHAPE(3, 2)), TT_F32, TT_SHAPE(3, 2), 1, 2, 3, 4, 5, 6);
    tt_tensor *columns = tt_transpose(s, m, 0, 1);
    assert_tensor(s, tt_reshape(s, columns, TT_SHAPE(6)), TT_F32, TT_SHAPE(6), 1, 4, 2, 5, 3, 6);
    assert_refused_inside(r, tt_reshape(r, m, TT_SHAPE(4)),
                          "reshape: shape '[4]' is invalid for input of size 6; inputs f32 [2, 3]");
    assert_refused(r, tt_reshape(r, m, TT_SHAPE(2, -1)), ERR_SHAPE,
                   "reshape: dimension 1 is negative: -1");
    assert_refused(r, tt_reshape(r, NULL, TT_SHAPE(2)), ERR_INTERNAL, "reshape: operand 1 is NULL");
}

static void test_transpose__swaps_the_two(void **state) {
    tt_scope *s = tensor_test_scope(state);
    assert_tensor(s, tt_transpose(s, matrix(s), 0, 1), TT_F32, TT_SHAPE(3, 2), 1, 4, 2, 5, 3, 6);
    tt_tensor *cube = f32_of(s, TT_SHAPE(2, 1, 3), 1, 2, 3, 4, 5, 6);
    assert_tensor(s, tt_transpose(s, cube, -1, 1), TT_F32, TT_SHAPE(2, 3, 1), 1, 2, 3, 4, 5, 6);
    assert_refused_inside(r, tt_transpose(r, cube, 0, 3), "Dimension out of range");
    assert_refused(r, tt_transpose(r, NULL, 0, 1), ERR_INTERNAL, "transpose: operand 1 is NULL");
}

/* Dimension i of the result is dimension dims[i] of the operand, not the other way round: the cycle
 * (2, 0, 1) differs from its inverse. */
static void test_permute__new_from_old(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *cube = f32_of(s, TT_SHAPE(1, 2, 3), 1, 2, 3, 4, 5, 6);
    assert_tensor(s, tt_permute(s, cube, TT_SHAPE(2, 0, 1)), TT_F32, TT_SHAPE(3, 1, 2), 1, 4, 2, 5,
                  3, 6);
    assert_refused_inside(r, tt_permute(r, cube, TT_SHAPE(0, 1)), "permute");
    assert_refused_inside(r, tt_permute(r, cube, TT_SHAPE(0, 1, 1)), "permute");
    assert_refused(r, tt_permute(r, NULL, TT_SHAPE(0)), ERR_INTERNAL, "permute: operand 1 is NULL");
}

static void test_squeeze__only_size_one(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *a = f32_of(s, TT_SHAPE(1, 2, 1), 7, 8);
    assert_tensor(s, tt_squeeze(s, a, 0), TT_F32, TT_SHAPE(2, 1), 7, 8);
    assert_tensor(s, tt_squeeze(s, a, -1), TT_F32, TT_SHAPE(1, 2), 7, 8);
    assert_refused(r, tt_squeeze(r, a, 1), ERR_BACKEND,
                   "squeeze: dimension 1 has size 2, not 1; inputs f32 [1, 2, 1]");
    assert_refused(r, tt_squeeze(r, NULL, 0), ERR_INTERNAL, "squeeze: operand 1 is NULL");
}

static void test_unsqueeze__before_the_dimension(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *m = matrix(s);
    assert_tensor(s, tt_unsqueeze(s, m, 1), TT_F32, TT_SHAPE(2, 1, 3), 1, 2, 3, 4, 5, 6);
    assert_tensor(s, tt_unsqueeze(s, m, -1), TT_F32, TT_SHAPE(2, 3, 1), 1, 2, 3, 4, 5, 6);
    assert_refused_inside(r, tt_unsqueeze(r, m, 3), "Dimension out of range");
    assert_refused(r, tt_unsqueeze(r, NULL, 0), ERR_INTERNAL, "unsqueeze: operand 1 is NULL");
}

static void test_expand__repeats_size_one(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *a = f32_of(s, TT_SHAPE(2, 1), 7, 8);
    assert_tensor(s, tt_expand(s, a, TT_SHAPE(2, 3)), TT_F32, TT_SHAPE(2, 3), 7, 7, 7, 8, 8, 8);
    assert_refused_inside(r, tt_expand(r, a, TT_SHAPE(4, 3)), "expand");
    assert_refused(r, tt_expand(r, a, TT_SHAPE(-1, 3)), ERR_SHAPE,
                   "expand: dimension 0 is negative: -1");
    assert_refused(r, tt_expand(r, NULL, TT_SHAPE(2)), ERR_INTERNAL, "expand: operand 1 is NULL");
}

static void test_narrow__start_then_length(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *a = f32_of(s, TT_SHAPE(2, 4), 1, 2, 3, 4, 5, 6, 7, 8);
    assert_tensor(s, tt_narrow(s, a, 1, 1, 3), TT_F32, TT_SHAPE(2, 3), 2, 3, 4, 6, 7, 8);
    assert_tensor(s, tt_narrow(s, a, 0, 1, 1), TT_F32, TT_SHAPE(1, 4), 5, 6, 7, 8);
    assert_refused_inside(r, tt_narrow(r, a, 1, 2, 3),
                          "start (2) + length (3) exceeds dimension size (4).; inputs f32 [2, 4]");
    assert_refused_inside(r, tt_narrow(r, a, 1, 2, -1), "length must be non-negative");
    assert_refused(r, tt_narrow(r, NULL, 0, 0, 0), ERR_INTERNAL, "narrow: operand 1 is NULL");
}

static void test_select__dimension_then_index(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *m = matrix(s);
    assert_tensor(s, tt_select(s, m, 0, 1), TT_F32, TT_SHAPE(3), 4, 5, 6);
    assert_tensor(s, tt_select(s, m, 1, 0), TT_F32, TT_SHAPE(2), 1, 4);
    assert_tensor(s, tt_select(s, m, 1, -1), TT_F32, TT_SHAPE(2), 3, 6);
    assert_refused_inside(r, tt_select(r, m, 0, 2), "index 2 out of range");
    assert_refused(r, tt_select(r, NULL, 0, 0), ERR_INTERNAL, "select: operand 1 is NULL");
}

static void test_views__share_memory(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *m = matrix(s);
    tt_fill_inplace(s, tt_select(s, tt_narrow(s, tt_transpose(s, m, 0, 1), 0, 1, 2), 1, 0), 9);
    assert_tensor(s, m, TT_F32, TT_SHAPE(2, 3), 1, 9, 9, 4, 5, 6);
}

static void test_flip__reverses_the_dimension(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *m = matrix(s);
    assert_tensor(s, tt_flip(s, m, 0), TT_F32, TT_SHAPE(2, 3), 4, 5, 6, 1, 2, 3);
    assert_tensor(s, tt_flip(s, m, 1), TT_F32, TT_SHAPE(2, 3), 3, 2, 1, 6, 5, 4);
    assert_refused(r, tt_flip(r, NULL, 0), ERR_INTERNAL, "flip: operand 1 is NULL");
}

/* --- joins --- */

static void test_cat__along_an_existing_dimension(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *a = f32_of(s, TT_SHAPE(1, 2), 1, 2);
    tt_tensor *b = f32_of(s, TT_SHAPE(1, 2), 3, 4);
    tt_tensor *longer = f32_of(s, TT_SHAPE(2, 2), 5, 6, 7, 8);
    assert_tensor(s, tt_cat(s, (const tt_tensor *[]){b, a}, 2, 1), TT_F32, TT_SHAPE(1, 4), 3, 4, 1,
                  2);
    assert_tensor(s, tt_cat(s, (const tt_tensor *[]){a, longer, b}, 3, 0), TT_F32, TT_SHAPE(4, 2),
                  1, 2, 5, 6, 7, 8, 3, 4);
    assert_tensor(s, tt_cat(s, (const tt_tensor *[]){a}, 1, 0), TT_F32, TT_SHAPE(1, 2), 1, 2);
}

static void test_stack__along_a_new_dimension(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *a = f32_of(s, TT_SHAPE(2), 1, 2);
    tt_tensor *b = f32_of(s, TT_SHAPE(2), 3, 4);
    const tt_tensor *both[] = {a, b};
    assert_tensor(s, tt_stack(s, both, 2, 0), TT_F32, TT_SHAPE(2, 2), 1, 2, 3, 4);
    assert_tensor(s, tt_stack(s, both, 2, 1), TT_F32, TT_SHAPE(2, 2), 1, 3, 2, 4);
}

static void test_joins__refuse_none_and_unlike_parts(void **state) {
    tt_scope *s = tensor_test_scope(state);
    const tt_tensor *a = f32_of(s, TT_SHAPE(2), 1, 2);
    const tt_tensor *integers = i64_of(s, TT_SHAPE(2), 1, 2);
    const tt_tensor *longer = f32_of(s, TT_SHAPE(3), 1, 2, 3);
    const tt_tensor *wide = f32_of(s, TT_SHAPE(1, 2), 1, 2);
    const tt_tensor *no_rows = tt_zeros(s, TT_F32, TT_SHAPE(0));
    assert_refused(r, tt_cat(r, NULL, 0, 0), ERR_SHAPE, "cat: no tensors to join");
    assert_refused(r, tt_stack(r, NULL, 0, 0), ERR_SHAPE, "stack: no tensors to join");
    assert_refused(r, tt_cat(r, (const tt_tensor *[]){a, integers}, 2, 0), ERR_DTYPE,
                   "cat: operand 2 is i64, expected f32; cast it with tt_cast");
    assert_refused(r, tt_cat(r, (const tt_tensor *[]){NULL, a}, 2, 0), ERR_INTERNAL,
                   "cat: operand 1 is NULL");
    assert_refused(r, tt_stack(r, (const tt_tensor *[]){a, NULL}, 2, 0), ERR_INTERNAL,
                   "stack: operand 2 is NULL");
    assert_refused_inside(r, tt_stack(r, (const tt_tensor *[]){a, longer}, 2, 0),
                          "stack expects each tensor to be equal size");
    /* libtorch leaves an empty vector out of any join. */
    assert_refused(r, tt_cat(r, (const tt_tensor *[]){wide, no_rows}, 2, 0), ERR_SHAPE,
                   "cat: part 2 has rank 1, the first 2");
}

static void test_repeat_interleave__each_slice_in_a_row(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *a = f32_of(s, TT_SHAPE(2, 2), 1, 2, 3, 4);
    assert_tensor(s, tt_repeat_interleave(s, a, 3, 0), TT_F32, TT_SHAPE(6, 2), 1, 2, 1, 2, 1, 2, 3,
                  4, 3, 4, 3, 4);
    assert_tensor(s, tt_repeat_interleave(s, a, 2, 1), TT_F32, TT_SHAPE(2, 4), 1, 1, 2, 2, 3, 3, 4,
                  4);
    assert_refused_inside(r, tt_repeat_interleave(r, a, -1, 0), "negative");
    assert_refused(r, tt_repeat_interleave(r, NULL, 2, 0), ERR_INTERNAL,
                   "repeat_interleave: operand 1 is NULL");
}

static void test_tril_and_triu__about_the_diagonal(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *m = matrix(s);
    assert_tensor(s, tt_tril(s, m, 0), TT_F32, TT_SHAPE(2, 3), 1, 0, 0, 4, 5, 0);
    assert_tensor(s, tt_tril(s, m, 1), TT_F32, TT_SHAPE(2, 3), 1, 2, 0, 4, 5, 6);
    assert_tensor(s, tt_triu(s, m, 0), TT_F32, TT_SHAPE(2, 3), 1, 2, 3, 0, 5, 6);
    assert_tensor(s, tt_triu(s, m, 1), TT_F32, TT_SHAPE(2, 3), 0, 2, 3, 0, 0, 6);
    assert_refused_inside(r, tt_tril(r, tt_arange(r, 0, 3), 0), "at least 2 dimensions");
    assert_refused_inside(r, tt_triu(r, tt_arange(r, 0, 3), 0), "at least 2 dimensions");
}

/* --- indexing --- */

static void test_index_select__slices_in_the_order_asked(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *m = matrix(s);
    tt_tensor *columns = i64_of(s, TT_SHAPE(3), 2, 0, 2);
    tt_tensor *row = i64_of(s, TT_SHAPE(1), 1);
    assert_tensor(s, tt_index_select(s, m, 1, columns), TT_F32, TT_SHAPE(2, 3), 3, 1, 3, 6, 4, 6);
    assert_tensor(s, tt_index_select(s, m, 0, row), TT_F32, TT_SHAPE(1, 3), 4, 5, 6);
    assert_refused_inside(r, tt_index_select(r, m, 0, columns), "out of range");
    assert_refused_inside(r, tt_index_select(r, m, 0, i64_of(r, TT_SHAPE(1), -1)), "out of range");
    assert_refused_inside(r, tt_index_select(r, m, 0, i64_of(r, TT_SHAPE(1, 1), 0)), "vector");
    assert_refused(r, tt_index_select(r, m, 0, m), ERR_DTYPE,
                   "index_select: operand 2 is f32, expected i64; cast it with tt_cast");
}

static void test_gather__along_the_dimension(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *m = matrix(s);
    tt_tensor *in_rows = i64_of(s, TT_SHAPE(2, 2), 2, 0, 1, 1);
    tt_tensor *in_columns = i64_of(s, TT_SHAPE(1, 3), 1, 0, 1);
    assert_tensor(s, tt_gather(s, m, 1, in_rows), TT_F32, TT_SHAPE(2, 2), 3, 1, 5, 5);
    assert_tensor(s, tt_gather(s, m, 0, in_columns), TT_F32, TT_SHAPE(1, 3), 4, 2, 6);
    assert_refused_inside(r, tt_gather(r, m, 1, i64_of(r, TT_SHAPE(2, 1), 0, 3)),
                          "index 3 is out of bounds for dimension 1 with size 3");
    assert_refused_inside(r, tt_gather(r, m, 1, i64_of(r, TT_SHAPE(2, 1), 0, -1)),
                          "index -1 is out of bounds");
    assert_refused(r, tt_gather(r, m, 1, i64_of(r, TT_SHAPE(1, 1), 0)), ERR_BACKEND,
                   "gather: index has size 1 in dimension 0, not 2; inputs f32 [2, 3], i64 [1, 1]");
    assert_refused(r, tt_gather(r, m, 1, i64_of(r, TT_SHAPE(2), 0, 0)), ERR_BACKEND,
                   "gather: index has rank 1, not 2; inputs f32 [2, 3], i64 [2]");
    assert_refused(r, tt_gather(r, m, 1, i32_of(r, TT_SHAPE(2, 1), 0, 0)), ERR_DTYPE,
                   "gather: operand 2 is i32, expected i64; cast it with tt_cast");
}

static void test_scatter_add__adds_equal_targets(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *m = matrix(s);
    tt_tensor *index = i64_of(s, TT_SHAPE(2, 2), 2, 2, 0, 1);
    tt_tensor *source = f32_of(s, TT_SHAPE(2, 2), 10, 20, 30, 40);
    assert_tensor(s, tt_scatter_add(s, m, 1, index, source), TT_F32, TT_SHAPE(2, 3), 1, 2, 33, 34,
                  45, 6);
    assert_tensor(s, m, TT_F32, TT_SHAPE(2, 3), 1, 2, 3, 4, 5, 6);
    assert_refused(r, tt_scatter_add(r, m, 1, index, m), ERR_BACKEND,
                   "scatter_add: source and index differ in shape; "
                   "inputs f32 [2, 3], i64 [2, 2], f32 [2, 3]");
    assert_refused(r, tt_scatter_add(r, m, 0, index, source), ERR_BACKEND,
                   "scatter_add: index has size 2 in dimension 1, not 3; "
                   "inputs f32 [2, 3], i64 [2, 2], f32 [2, 2]");
    tt_tensor *beyond = i64_of(s, TT_SHAPE(2, 2), 0, 0, 0, 3);
    assert_refused_inside(r, tt_scatter_add(r, m, 1, beyond, source), "index 3 is out of bounds");
    assert_refused(r, tt_scatter_add(r, m, 1, index, index), ERR_DTYPE,
                   "scatter_add: operand 3 is i64, expected f32; cast it with tt_cast");
    assert_refused(r, tt_scatter_add(r, m, 1, index, NULL), ERR_INTERNAL,
                   "scatter_add: operand 3 is NULL");
    assert_refused(r, tt_scatter_add(r, m, 1, tt_select(r, index, 0, 0), source), ERR_BACKEND,
                   "scatter_add: index has rank 1, not 2; "
                   "inputs f32 [2, 3], i64 [2], f32 [2, 2]");
    tt_tensor *flags = bool_of(s, TT_SHAPE(2, 2), 1, 0, 0, 1);
    assert_refused(r, tt_scatter_add(r, flags, 1, index, flags), ERR_DTYPE,
                   "scatter_add: operand 1 is bool, expected a number; cast it with tt_cast");
}

static void test_index_add__adds_whole_slices(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *m = matrix(s);
    tt_tensor *index = i64_of(s, TT_SHAPE(2), 2, 2);
    tt_tensor *source = f32_of(s, TT_SHAPE(2, 2), 10, 20, 30, 40);
    assert_tensor(s, tt_index_add(s, m, 1, index, source), TT_F32, TT_SHAPE(2, 3), 1, 2, 33, 4, 5,
                  76);
    assert_tensor(s, m, TT_F32, TT_SHAPE(2, 3), 1, 2, 3, 4, 5, 6);
    assert_refused_inside(r, tt_index_add(r, m, 1, i64_of(r, TT_SHAPE(2), 0, 3), source),
                          "index 3 is out of bounds for dimension 1 with size 3");
    assert_refused_inside(r, tt_index_add(r, m, 0, index, source), "index_add");
    assert_refused(r, tt_index_add(r, m, 1, source, source), ERR_DTYPE,
                   "index_add: operand 2 is f32, expected i64; cast it with tt_cast");
    assert_refused(r, tt_index_add(r, m, 1, index, tt_cast(r, source, TT_F64)), ERR_DTYPE,
                   "index_add: operand 3 is f64, expected f32; cast it with tt_cast");
    tt_tensor *flags = bool_of(s, TT_SHAPE(2, 2), 1, 0, 0, 1);
    assert_refused(r, tt_index_add(r, flags, 1, i64_of(r, TT_SHAPE(2), 0, 1), flags), ERR_DTYPE,
                   "index_add: operand 1 is bool, expected a number; cast it with tt_cast");
}

static void test_masked_select__row_major(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *m = matrix(s);
    tt_tensor *mask = bool_of(s, TT_SHAPE(2, 3), 0, 1, 1, 1, 0, 0);
    assert_tensor(s, tt_masked_select(s, m, mask), TT_F32, TT_SHAPE(3), 2, 3, 4);
    assert_refused(r, tt_masked_select(r, m, bool_of(r, TT_SHAPE(3), 1, 0, 0)), ERR_SHAPE,
                   "masked_select: shapes [2, 3] and [3] differ");
    assert_refused(r, tt_masked_select(r, mask, m), ERR_DTYPE,
                   "masked_select: operand 2 is f32, expected bool; cast it with tt_cast");
}

static void test_nonzero__indices_of_true(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *mask = bool_of(s, TT_SHAPE(2, 3), 0, 1, 1, 1, 0, 0);
    assert_tensor(s, tt_nonzero(s, mask), TT_I64, TT_SHAPE(3, 2), 0, 1, 0, 2, 1, 0);
    assert_refused(r, tt_nonzero(r, matrix(r)), ERR_DTYPE,
                   "nonzero: operand 1 is f32, expected bool; cast it with tt_cast");
}

int tt_arrange_tests(void) {
    const struct CMUnitTest tests[] = {
        tensor_test(test_reshape__keeps_row_major_order),
        tensor_test(test_transpose__swaps_the_two),
        tensor_test(test_permute__new_from_old),
        tensor_test(test_squeeze__only_size_one),
        tensor_test(test_unsqueeze__before_the_dimension),
        tensor_test(test_expand__repeats_size_one),
        tensor_test(test_narrow__start_then_length),
        tensor_test(test_select__dimension_then_index),
        tensor_test(test_views__share_memory),
        tensor_test(test_flip__reverses_the_dimension),
        tensor_test(test_cat__along_an_existing_dimension),
        tensor_test(test_stack__along_a_new_dimension),
        tensor_test(test_joins__refuse_none_and_unlike_parts),
        tensor_test(test_repeat_interleave__each_slice_in_a_row),
        tensor_test(test_tril_and_triu__about_the_diagonal),
        tensor_test(test_index_select__slices_in_the_order_asked),
        tensor_test(test_gather__along_the_dimension),
        tensor_test(test_scatter_add__adds_equal_targets),
        tensor_test(test_index_add__adds_whole_slices),
        tensor_test(test_masked_select__row_major),
        tensor_test(test_nonzero__indices_of_true),
    };
    return cmocka_run_group_tests_name("tt_arrange", tests, NULL, NULL);
}
