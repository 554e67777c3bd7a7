/* test_tt_reduce.c - sums, extremes, softmax and sorting, over everything and along one dimension.
 *
 * The matrix of most tests is square-free and unordered, so that a swapped dimension, a kept one
 * that should be dropped, or a row taken for a column changes shape or values:
 *
 *     m = [ 4  1  7 ]     row sums 12, -6     column sums -1, 9, -2
 *         [-5  8 -9 ]
 */
#include "tests/support/tensor.h"
#include "tests/unit/test_tt_ops.h"

#include <math.h>
#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static tt_tensor *matrix_of(tt_scope *s, enum tt_dtype dtype) {
    return tensor_of(s, dtype, TT_SHAPE(2, 3), TENSOR_VALUES(4, 1, 7, -5, 8, -9));
}

/* --- over everything --- */

static void test_sum_mean_norm__hand_worked(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *m = matrix_of(s, TT_F32);
    assert_tensor(s, tt_sum(s, m), TT_F32, TT_SHAPE_SCALAR, 6);
    assert_tensor(s, tt_mean(s, m), TT_F32, TT_SHAPE_SCALAR, 1);
    assert_tensor(s, tt_sum(s, matrix_of(s, TT_I64)), TT_I64, TT_SHAPE_SCALAR, 6);
    /* 2^2 + 3^2 + 6^2 = 7^2 */
    assert_tensor(s, tt_norm(s, f64_of(s, TT_SHAPE(3, 1), 2, -3, 6)), TT_F64, TT_SHAPE_SCALAR, 7);
}

static void test_min_and_max__hand_worked(void **state) {
    tt_scope *s = tensor_test_scope(state);
    const enum tt_dtype dtypes[] = {TT_F64, TT_F32, TT_BF16, TT_I64, TT_I32};
    for (size_t i = 0; i < COUNT(dtypes); i++) {
        tt_tensor *m = matrix_of(s, dtypes[i]);
        assert_tensor(s, tt_min(s, m), dtypes[i], TT_SHAPE_SCALAR, -9);
        assert_tensor(s, tt_max(s, m), dtypes[i], TT_SHAPE_SCALAR, 8);
    }
}

static void test_any_and_all__hand_worked(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *none = bool_of(s, TT_SHAPE(2), 0, 0);
    tt_tensor *some = bool_of(s, TT_SHAPE(2), 0, 1);
    tt_tensor *every = bool_of(s, TT_SHAPE(2), 1, 1);
    assert_tensor(s, tt_any(s, none), TT_BOOL, TT_SHAPE_SCALAR, 0);
    assert_tensor(s, tt_any(s, some), TT_BOOL, TT_SHAPE_SCALAR, 1);
    assert_tensor(s, tt_all(s, some), TT_BOOL, TT_SHAPE_SCALAR, 0);
    assert_tensor(s, tt_all(s, every), TT_BOOL, TT_SHAPE_SCALAR, 1);
}

/* --- over one dimension --- */

static void test_sum_dim__drops_or_keeps(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *m = matrix_of(s, TT_F32);
    assert_tensor(s, tt_sum_dim(s, m, 0, TT_DROP_DIM), TT_F32, TT_SHAPE(3), -1, 9, -2);
    assert_tensor(s, tt_sum_dim(s, m, 1, TT_DROP_DIM), TT_F32, TT_SHAPE(2), 12, -6);
    assert_tensor(s, tt_sum_dim(s, m, -1, TT_KEEP_DIM), TT_F32, TT_SHAPE(2, 1), 12, -6);
    assert_tensor(s, tt_sum_dim(s, matrix_of(s, TT_I64), 1, TT_DROP_DIM), TT_I64, TT_SHAPE(2), 12,
                  -6);
}

static void test_mean_dim__drops_or_keeps(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *m = matrix_of(s, TT_F32);
    assert_tensor(s, tt_mean_dim(s, m, 0, TT_DROP_DIM), TT_F32, TT_SHAPE(3), -0.5, 4.5, -1);
    assert_tensor(s, tt_mean_dim(s, m, 1, TT_KEEP_DIM), TT_F32, TT_SHAPE(2, 1), 4, -2);
}

static void test_min_dim_and_max_dim__drop_or_keep(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *m = matrix_of(s, TT_F32);
    assert_tensor(s, tt_min_dim(s, m, 0, TT_KEEP_DIM), TT_F32, TT_SHAPE(1, 3), -5, 1, -9);
    assert_tensor(s, tt_min_dim(s, m, 1, TT_DROP_DIM), TT_F32, TT_SHAPE(2), 1, -9);
    assert_tensor(s, tt_max_dim(s, m, 0, TT_DROP_DIM), TT_F32, TT_SHAPE(3), 4, 8, 7);
    assert_tensor(s, tt_max_dim(s, m, 1, TT_KEEP_DIM), TT_F32, TT_SHAPE(2, 1), 7, 8);
}

/* Rows [1 3 8] and [2 2 2]: mean 4, squares 9 + 1 + 16 = 26, over 2 or 3. Columns: 0.5^2 * 2. */
static void test_var_dim__sample_and_population(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *a = f64_of(s, TT_SHAPE(2, 3), 1, 3, 8, 2, 2, 2);
    assert_tensor_near(s, tt_var_dim(s, a, 1, 1, TT_DROP_DIM), TT_F64, TT_SHAPE(2), TOL_F64, 13, 0);
    assert_tensor_near(s, tt_var_dim(s, a, 1, 0, TT_KEEP_DIM), TT_F64, TT_SHAPE(2, 1), TOL_F64,
                       26.0 / 3, 0);
    assert_tensor_near(s, tt_var_dim(s, a, 0, 1, TT_DROP_DIM), TT_F64, TT_SHAPE(3), TOL_F64, 0.5,
                       0.5, 18);
    assert_refused(r, tt_var_dim(r, a, 0, 2, TT_DROP_DIM), ERR_BACKEND,
                   "var_dim: dimension 0 has size 2, too small for correction 2; "
                   "inputs f64 [2, 3]");
}

/* log(1 + 3) and log(2 + 6) of logarithms; a shift by 1000 must not overflow. */
static void test_logsumexp__is_stable(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *a = f64_of(s, TT_SHAPE(2, 2), 0, log(3), 1000 + log(2), 1000 + log(6));
    assert_tensor_near(s, tt_logsumexp(s, a, 1, TT_DROP_DIM), TT_F64, TT_SHAPE(2), TOL_F64, log(4),
                       1000 + log(8));
    assert_tensor_near(s, tt_logsumexp(s, a, -1, TT_KEEP_DIM), TT_F64, TT_SHAPE(2, 1), TOL_F64,
                       log(4), 1000 + log(8));
    tt_tensor *impossible = f64_of(s, TT_SHAPE(2), -HUGE_VAL, -HUGE_VAL);
    assert_tensor(s, tt_logsumexp(s, impossible, 0, TT_DROP_DIM), TT_F64, TT_SHAPE_SCALAR,
                  -HUGE_VAL);
}

static void test_argmax_and_argmin__first_of_equals(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *m = matrix_of(s, TT_F32);
    assert_tensor(s, tt_argmax(s, m, 1, TT_DROP_DIM), TT_I64, TT_SHAPE(2), 2, 1);
    assert_tensor(s, tt_argmax(s, m, 0, TT_KEEP_DIM), TT_I64, TT_SHAPE(1, 3), 0, 1, 0);
    assert_tensor(s, tt_argmin(s, m, 1, TT_KEEP_DIM), TT_I64, TT_SHAPE(2, 1), 1, 2);
    assert_tensor(s, tt_argmin(s, m, 0, TT_DROP_DIM), TT_I64, TT_SHAPE(3), 1, 0, 1);
    tt_tensor *ties = f32_of(s, TT_SHAPE(5), 1, 6, 1, 6, 6);
    assert_tensor(s, tt_argmax(s, ties, 0, TT_DROP_DIM), TT_I64, TT_SHAPE_SCALAR, 1);
    assert_tensor(s, tt_argmin(s, ties, 0, TT_DROP_DIM), TT_I64, TT_SHAPE_SCALAR, 0);
}

static void test_cumsum__along_the_dimension(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *m = matrix_of(s, TT_F32);
    assert_tensor(s, tt_cumsum(s, m, 1), TT_F32, TT_SHAPE(2, 3), 4, 5, 12, -5, 3, -6);
    assert_tensor(s, tt_cumsum(s, m, 0), TT_F32, TT_SHAPE(2, 3), 4, 1, 7, -1, 9, -2);
    assert_tensor(s, tt_cumsum(s, matrix_of(s, TT_I64), 1), TT_I64, TT_SHAPE(2, 3), 4, 5, 12, -5, 3,
                  -6);
}

/* Logits log [1 2; 3 6]: along rows 1/3 2/3, along columns 1/4 3/4. */
static void test_softmax__sums_to_one_along_the_dimension(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *a = f64_of(s, TT_SHAPE(2, 2), log(1), log(2), log(3), log(6));
    assert_tensor_near(s, tt_softmax(s, a, 1), TT_F64, TT_SHAPE(2, 2), TOL_F64, 1.0 / 3, 2.0 / 3,
                       1.0 / 3, 2.0 / 3);
    assert_tensor_near(s, tt_softmax(s, a, 0), TT_F64, TT_SHAPE(2, 2), TOL_F64, 0.25, 0.25, 0.75,
                       0.75);
    assert_tensor_near(s, tt_log_softmax(s, a, 0), TT_F64, TT_SHAPE(2, 2), TOL_F64, log(0.25),
                       log(0.25), log(0.75), log(0.75));
    tt_tensor *far = f64_of(s, TT_SHAPE(2), 1000, 0);
    assert_tensor(s, tt_log_softmax(s, far, 0), TT_F64, TT_SHAPE(2), 0, -1000);
}

/* --- sorting --- */

static tt_tensor *sort_values(tt_scope *s, const tt_tensor *a, int64_t dim) {
    return tt_sort(s, a, dim, false).values;
}

static tt_tensor *topk_values(tt_scope *s, const tt_tensor *a, int64_t k) {
    return tt_topk(s, a, k, 0).values;
}

static void test_sort__ties_keep_their_order(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *a = f32_of(s, TT_SHAPE(2, 4), 3, 1, 3, 2, 0, 9, 0, 9);
    struct tt_ordered rows = tt_sort(s, a, 1, false);
    assert_tensor(s, rows.values, TT_F32, TT_SHAPE(2, 4), 1, 2, 3, 3, 0, 0, 9, 9);
    assert_tensor(s, rows.indices, TT_I64, TT_SHAPE(2, 4), 1, 3, 0, 2, 0, 2, 1, 3);
    struct tt_ordered falling = tt_sort(s, a, -1, true);
    assert_tensor(s, falling.values, TT_F32, TT_SHAPE(2, 4), 3, 3, 2, 1, 9, 9, 0, 0);
    assert_tensor(s, falling.indices, TT_I64, TT_SHAPE(2, 4), 0, 2, 3, 1, 1, 3, 0, 2);
    struct tt_ordered columns = tt_sort(s, a, 0, false);
    assert_tensor(s, columns.values, TT_F32, TT_SHAPE(2, 4), 0, 1, 0, 2, 3, 9, 3, 9);
    assert_tensor(s, columns.indices, TT_I64, TT_SHAPE(2, 4), 1, 0, 1, 0, 0, 1, 0, 1);
}

static void test_topk__largest_first(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *m = matrix_of(s, TT_F32);
    struct tt_ordered rows = tt_topk(s, m, 2, 1);
    assert_tensor(s, rows.values, TT_F32, TT_SHAPE(2, 2), 7, 4, 8, -5);
    assert_tensor(s, rows.indices, TT_I64, TT_SHAPE(2, 2), 2, 0, 1, 0);
    struct tt_ordered columns = tt_topk(s, m, 1, 0);
    assert_tensor(s, columns.values, TT_F32, TT_SHAPE(1, 3), 4, 8, 7);
    assert_tensor(s, columns.indices, TT_I64, TT_SHAPE(1, 3), 0, 1, 0);
}

static void test_sort_and_topk__failing_give_nothing(void **state) {
    tt_scope *s = tensor_test_scope(state);
    struct error err = ERROR_INIT;
    tt_tensor *m = matrix_of(s, TT_F32);
    struct tt_ordered too_many = tt_topk(s, m, 4, 1);
    assert_null(too_many.values);
    assert_null(too_many.indices);
    assert_null(tt_sort(s, m, 0, false).values); /* the scope has failed */
    assert_fails(tt_scope_check(s, &err), ERR_BACKEND,
                 "topk: selected index k out of range; inputs f32 [2, 3]", &err);
}

/* --- the rules --- */

static tt_tensor *sum_dim_0(tt_scope *s, const tt_tensor *a) {
    return tt_sum_dim(s, a, 0, TT_DROP_DIM);
}

static tt_tensor *mean_dim_0(tt_scope *s, const tt_tensor *a) {
    return tt_mean_dim(s, a, 0, TT_DROP_DIM);
}

static tt_tensor *min_dim_0(tt_scope *s, const tt_tensor *a) {
    return tt_min_dim(s, a, 0, TT_DROP_DIM);
}

static tt_tensor *max_dim_0(tt_scope *s, const tt_tensor *a) {
    return tt_max_dim(s, a, 0, TT_DROP_DIM);
}

static tt_tensor *var_dim_0(tt_scope *s, const tt_tensor *a) {
    return tt_var_dim(s, a, 0, 0, TT_DROP_DIM);
}

static tt_tensor *logsumexp_0(tt_scope *s, const tt_tensor *a) {
    return tt_logsumexp(s, a, 0, TT_DROP_DIM);
}

static tt_tensor *argmax_0(tt_scope *s, const tt_tensor *a) {
    return tt_argmax(s, a, 0, TT_DROP_DIM);
}

static tt_tensor *argmin_0(tt_scope *s, const tt_tensor *a) {
    return tt_argmin(s, a, 0, TT_DROP_DIM);
}

static tt_tensor *cumsum_0(tt_scope *s, const tt_tensor *a) {
    return tt_cumsum(s, a, 0);
}

static tt_tensor *softmax_0(tt_scope *s, const tt_tensor *a) {
    return tt_softmax(s, a, 0);
}

static tt_tensor *log_softmax_0(tt_scope *s, const tt_tensor *a) {
    return tt_log_softmax(s, a, 0);
}

static tt_tensor *sort_0(tt_scope *s, const tt_tensor *a) {
    return sort_values(s, a, 0);
}

static tt_tensor *topk_1(tt_scope *s, const tt_tensor *a) {
    return topk_values(s, a, 1);
}

/* What each op takes: sums wide floats and i64, averages and softmax wide floats (eight bits of
 * mantissa lose a sum), extremes every number (they are exact). */
static const struct reduction {
    const char *name;
    tt_tensor *(*op)(tt_scope *, const tt_tensor *);
    const char *accepted;
    const char *dtypes; /* of these letters: f wide float, h bf16 and f16, i i64, j i32, b bool */
} reductions[] = {
    {"sum", tt_sum, "f32, f64 or i64", "fi"},
    {"sum_dim", sum_dim_0, "f32, f64 or i64", "fi"},
    {"cumsum", cumsum_0, "f32, f64 or i64", "fi"},
    {"mean", tt_mean, "f32 or f64", "f"},
    {"mean_dim", mean_dim_0, "f32 or f64", "f"},
    {"norm", tt_norm, "f32 or f64", "f"},
    {"var_dim", var_dim_0, "f32 or f64", "f"},
    {"logsumexp", logsumexp_0, "f32 or f64", "f"},
    {"softmax", softmax_0, "f32 or f64", "f"},
    {"log_softmax", log_softmax_0, "f32 or f64", "f"},
    {"min", tt_min, "a number", "fhij"},
    {"max", tt_max, "a number", "fhij"},
    {"min_dim", min_dim_0, "a number", "fhij"},
    {"max_dim", max_dim_0, "a number", "fhij"},
    {"argmax", argmax_0, "a number", "fhij"},
    {"argmin", argmin_0, "a number", "fhij"},
    {"sort", sort_0, "a number", "fhij"},
    {"topk", topk_1, "a number", "fhij"},
    {"any", tt_any, "bool", "b"},
    {"all", tt_all, "bool", "b"},
};

static const struct lettered_dtype {
    char letter;
    enum tt_dtype dtype;
} lettered_dtypes[] = {
    {'f', TT_F64}, {'f', TT_F32}, {'h', TT_BF16}, {'h', TT_F16},
    {'i', TT_I64}, {'j', TT_I32}, {'b', TT_BOOL},
};

static void check_reduction(tt_scope *s, const struct reduction *c,
                            const struct lettered_dtype *d) {
    tt_tensor *a = tensor_of(s, d->dtype, TT_SHAPE(2), TENSOR_VALUES(1, 0));
    if (strchr(c->dtypes, d->letter)) {
        assert_non_null(c->op(s, a));
        return;
    }
    char text[200];
    (void)snprintf(text, sizeof text, "%s: operand 1 is %s, expected %s; cast it with tt_cast",
                   c->name, tt_dtype_name(d->dtype), c->accepted);
    assert_refused(r, c->op(r, a), ERR_DTYPE, text);
}

static void test_reductions__take_only_dtypes_that_lose_nothing(void **state) {
    tt_scope *s = tensor_test_scope(state);
    struct error err = ERROR_INIT;
    for (size_t i = 0; i < COUNT(reductions); i++) {
        for (size_t j = 0; j < COUNT(lettered_dtypes); j++) {
            check_reduction(s, &reductions[i], &lettered_dtypes[j]);
        }
        char text[200];
        (void)snprintf(text, sizeof text, "%s: operand 1 is NULL", reductions[i].name);
        assert_refused(r, reductions[i].op(r, NULL), ERR_INTERNAL, text);
    }
    assert_ok(tt_scope_check(s, &err), &err);
}

static void test_reductions__name_a_dimension_out_of_range(void **state) {
    tt_scope *s = tensor_test_scope(state);
    tt_tensor *m = matrix_of(s, TT_F32);
    const char *part = "Dimension out of range (expected to be in range of [-2, 1], but got 2); "
                       "inputs f32 [2, 3]";
    assert_refused_inside(r, tt_sum_dim(r, m, 2, TT_DROP_DIM), part);
    assert_refused_inside(r, tt_var_dim(r, m, 2, 0, TT_DROP_DIM), part);
    assert_refused_inside(r, tt_softmax(r, m, 2), part);
    assert_refused_inside(r, tt_max(r, tt_zeros(r, TT_F32, TT_SHAPE(0))), "max");
}

int tt_reduce_tests(void) {
    const struct CMUnitTest tests[] = {
        tensor_test(test_sum_mean_norm__hand_worked),
        tensor_test(test_min_and_max__hand_worked),
        tensor_test(test_any_and_all__hand_worked),
        tensor_test(test_sum_dim__drops_or_keeps),
        tensor_test(test_mean_dim__drops_or_keeps),
        tensor_test(test_min_dim_and_max_dim__drop_or_keep),
        tensor_test(test_var_dim__sample_and_population),
        tensor_test(test_logsumexp__is_stable),
        tensor_test(test_argmax_and_argmin__first_of_equals),
        tensor_test(test_cumsum__along_the_dimension),
        tensor_test(test_softmax__sums_to_one_along_the_dimension),
        tensor_test(test_sort__ties_keep_their_order),
        tensor_test(test_topk__largest_first),
        tensor_test(test_sort_and_topk__failing_give_nothing),
        tensor_test(test_reductions__take_only_dtypes_that_lose_nothing),
        tensor_test(test_reductions__name_a_dimension_out_of_range),
    };
    return cmocka_run_group_tests_name("tt_reduce", tests, NULL, NULL);
}
