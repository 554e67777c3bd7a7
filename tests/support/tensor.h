/* tensor.h - small tensors in tests: making them, comparing them, and expecting refusals.
 *
 * Use:      static void test_sub__is_first_minus_second(void **state) {
 *               tt_scope *s = tensor_test_scope(state);
 *               tt_tensor *a = f32_of(s, TT_SHAPE(2), 5, 7);
 *               tt_tensor *b = f32_of(s, TT_SHAPE(2), 1, 4);
 *               assert_tensor(s, tt_sub(s, a, b), TT_F32, TT_SHAPE(2), 4, 3);
 *               assert_refused(r, tt_sub(r, a, NULL), ERR_INTERNAL, "sub: operand 2 is NULL");
 *           }
 *           ... tensor_test(test_sub__is_first_minus_second), in the list of tests
 * Owns:     the test's scope, opened with TT_GRAD before it and closed after it; the census of
 *           handles must then be what it was.
 */
#ifndef TESTS_SUPPORT_TENSOR_H
#define TESTS_SUPPORT_TENSOR_H

#include "tensor/tt.h"
#include "tests/support/test.h"

/* Largest difference from an exact value, relative above 1 and absolute below. */
#define TOL_F64 1e-12
#define TOL_F32 1e-6

#define tensor_test(f) cmocka_unit_test_setup_teardown(f, tensor_test_setup, tensor_test_teardown)

int tensor_test_setup(void **state);
int tensor_test_teardown(void **state);
tt_scope *tensor_test_scope(void **state);

/* Where an assertion stands and, in a table of cases, for which of them; NULL outside. */
struct tensor_place {
    const char *file;
    int line;
    const char *what;
};
#define TENSOR_HERE      ((struct tensor_place){__FILE__, __LINE__, NULL})
#define TENSOR_FOR(what) ((struct tensor_place){__FILE__, __LINE__, (what)})

/* --- making ---------------------------------------------------------------------------------- */

/* Numbers in row-major order; borrowed. */
struct tensor_values {
    const double *value;
    int64_t count;
};
#define TENSOR_VALUES(...)                                 \
    ((struct tensor_values){(const double[]){__VA_ARGS__}, \
                            sizeof((const double[]){__VA_ARGS__}) / sizeof(double)})

/* A tensor of these values, each exact in `dtype`; fails the test if it cannot be made. */
tt_tensor *tensor_of(tt_scope *s, enum tt_dtype dtype, struct tt_shape shape,
                     struct tensor_values values);

#define f64_of(s, shape, ...)  tensor_of((s), TT_F64, shape, TENSOR_VALUES(__VA_ARGS__))
#define f32_of(s, shape, ...)  tensor_of((s), TT_F32, shape, TENSOR_VALUES(__VA_ARGS__))
#define bf16_of(s, shape, ...) tensor_of((s), TT_BF16, shape, TENSOR_VALUES(__VA_ARGS__))
#define i64_of(s, shape, ...)  tensor_of((s), TT_I64, shape, TENSOR_VALUES(__VA_ARGS__))
#define i32_of(s, shape, ...)  tensor_of((s), TT_I32, shape, TENSOR_VALUES(__VA_ARGS__))
#define bool_of(s, shape, ...) tensor_of((s), TT_BOOL, shape, TENSOR_VALUES(__VA_ARGS__))

/* --- comparing ------------------------------------------------------------------------------- */

/* What a tensor must be. NaN equals NaN. */
struct tensor_expected {
    enum tt_dtype dtype;
    struct tt_shape shape;
    double tolerance; /* relative above 1, absolute below; 0: equal */
    struct tensor_values values;
};

void tensor_check(tt_scope *s, const tt_tensor *a, const struct tensor_expected *expected,
                  struct tensor_place place);

#define assert_tensor_near(s, a, type, size, tol, ...)                            \
    tensor_check((s), (a),                                                        \
                 &(struct tensor_expected){.dtype = (type),                       \
                                           .shape = size,                         \
                                           .tolerance = (tol),                    \
                                           .values = TENSOR_VALUES(__VA_ARGS__)}, \
                 TENSOR_HERE)
#define assert_tensor(s, a, type, size, ...) assert_tensor_near(s, a, type, size, 0, __VA_ARGS__)

/* Every element of `a` is that of `expected`, off by at most tolerance times the larger of 1 and
 * expected's largest; NaN is near nothing. */
void tensor_check_near(tt_scope *s, const tt_tensor *a, const tt_tensor *expected, double tolerance,
                       struct tensor_place place);

/* --- refusals -------------------------------------------------------------------------------- */

/* `call` on a scope of its own, named `scope` and opened with TT_GRAD, fails with exactly this
 * message. */
#define assert_refused(scope, call, code, message)                   \
    do {                                                             \
        tt_scope *scope = tt_scope_open(TT_GRAD);                    \
        (void)(call);                                                \
        tensor_check_refused(scope, (code), (message), TENSOR_HERE); \
    } while (0)

/* The same where the refusal comes out of libtorch, whose message contains `part`. */
#define assert_refused_inside(scope, call, part)                 \
    do {                                                         \
        tt_scope *scope = tt_scope_open(TT_GRAD);                \
        (void)(call);                                            \
        tensor_check_refused_inside(scope, (part), TENSOR_HERE); \
    } while (0)

/* Both close the scope, whatever they find. */
void tensor_check_refused(tt_scope *s, enum err_code code, const char *message,
                          struct tensor_place place);
void tensor_check_refused_inside(tt_scope *s, const char *part, struct tensor_place place);

#endif
