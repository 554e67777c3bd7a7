/* tensor.c - see tensor.h. */
#include "tests/support/tensor.h"

#include "base/mem.h"
#include "base/strbuf.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>

#define ELEMENTS_MAX 4096

/* --- the fixture --- */

struct tensor_fixture {
    tt_scope *scope;
    int64_t handles_before;
};

int tensor_test_setup(void **state) {
    struct tensor_fixture *fixture = mem_alloc(sizeof *fixture);
    if (!fixture) {
        return -1;
    }
    fixture->handles_before = tt_live_handles();
    fixture->scope = tt_scope_open(TT_GRAD);
    *state = fixture;
    return fixture->scope ? 0 : -1;
}

int tensor_test_teardown(void **state) {
    struct tensor_fixture *fixture = *state;
    tt_scope_close(fixture->scope);
    int64_t left = tt_live_handles() - fixture->handles_before;
    mem_free(fixture);
    if (left != 0) {
        print_error("%" PRId64 " handles are still alive after the test\n", left);
    }
    return left == 0 ? 0 : -1;
}

tt_scope *tensor_test_scope(void **state) {
    const struct tensor_fixture *fixture = *state;
    return fixture->scope;
}

/* --- failing --- */

#define FAIL_AT(place, ...)                                                 \
    do {                                                                    \
        print_error("ERROR: %s: ", (place).what ? (place).what : "tensor"); \
        print_error(__VA_ARGS__);                                           \
        print_error("\n");                                                  \
        _fail((place).file, (place).line);                                  \
    } while (0)

static void check_scope(tt_scope *s, struct tensor_place place) {
    struct error err = ERROR_INIT;
    if (tt_scope_check(s, &err) != ERR_OK) {
        FAIL_AT(place, "%s (%s)", err.msg, err_name(err.code));
    }
}

/* --- making --- */

static int64_t shape_count(struct tt_shape shape) {
    int64_t count = 1;
    for (int64_t i = 0; i < shape.rank; i++) {
        count *= shape.dim[i];
    }
    return count;
}

tt_tensor *tensor_of(tt_scope *s, enum tt_dtype dtype, struct tt_shape shape,
                     struct tensor_values values) {
    assert_int_equal(shape_count(shape), values.count);
    tt_scope *wide = tt_scope_open(TT_NO_GRAD);
    tt_tensor *made = tt_share(s, tt_cast(wide, tt_from_f64(wide, values.value, shape), dtype));
    tt_scope_close(wide);
    check_scope(s, TENSOR_HERE);
    return made;
}

/* --- comparing --- */

static enum err_code read_as_f32(tt_scope *s, const tt_tensor *a, double *out, int64_t count,
                                 struct error *err) {
    float values[ELEMENTS_MAX];
    TRY(tt_read_f32(s, a, values, count, err));
    for (int64_t i = 0; i < count; i++) {
        out[i] = (double)values[i];
    }
    return ERR_OK;
}

static enum err_code read_as_i64(tt_scope *s, const tt_tensor *a, double *out, int64_t count,
                                 struct error *err) {
    int64_t values[ELEMENTS_MAX];
    TRY(tt_read_i64(s, a, values, count, err));
    for (int64_t i = 0; i < count; i++) {
        out[i] = (double)values[i];
    }
    return ERR_OK;
}

/* Every dtype goes through the wider one of its kind. */
static enum err_code read_values(tt_scope *s, const tt_tensor *a, double *out, struct error *err) {
    const int64_t count = tt_count_of(a);
    switch (tt_dtype_of(a)) {
    case TT_F64:
        return tt_read_f64(s, a, out, count, err);
    case TT_F32:
        return read_as_f32(s, a, out, count, err);
    case TT_BF16:
    case TT_F16:
        return read_as_f32(s, tt_cast(s, a, TT_F32), out, count, err);
    case TT_I64:
        return read_as_i64(s, a, out, count, err);
    case TT_I32:
    case TT_U8:
    case TT_BOOL:
        return read_as_i64(s, tt_cast(s, a, TT_I64), out, count, err);
    case TT_DTYPE_COUNT:
        break;
    }
    return err_set(err, ERR_DTYPE, "not a dtype of ours");
}

static bool is_near(double value, double expected, double tolerance) {
    if (isnan(expected) || isinf(expected)) {
        return isnan(expected) ? isnan(value) : value == expected;
    }
    return fabs(value - expected) <= tolerance * fmax(1, fabs(expected));
}

/* "[2, 3]". */
static const char *shape_text(struct tt_shape shape, struct strbuf *text) {
    strbuf_add(text, "[");
    for (int64_t i = 0; i < shape.rank; i++) {
        strbuf_addf(text, "%s%" PRId64, i > 0 ? ", " : "", shape.dim[i]);
    }
    strbuf_add(text, "]");
    return strbuf_text(text);
}

static void check_form(const tt_tensor *a, const struct tensor_expected *expected,
                       struct tensor_place place) {
    if (tt_dtype_of(a) != expected->dtype) {
        FAIL_AT(place, "expected %s, got %s", tt_dtype_name(expected->dtype),
                tt_dtype_name(tt_dtype_of(a)));
    }
    const struct tt_shape shape = tt_shape_of(a);
    if (memcmp(&shape, &expected->shape, sizeof shape) != 0) {
        struct strbuf wanted = STRBUF_INIT(200);
        struct strbuf got = STRBUF_INIT(200);
        print_error("expected shape %s, got %s\n", shape_text(expected->shape, &wanted),
                    shape_text(shape, &got));
        strbuf_deinit(&wanted);
        strbuf_deinit(&got);
        FAIL_AT(place, "shapes differ");
    }
}

void tensor_check(tt_scope *s, const tt_tensor *a, const struct tensor_expected *expected,
                  struct tensor_place place) {
    double values[ELEMENTS_MAX];
    check_scope(s, place);
    check_form(a, expected, place);
    assert_true(tt_count_of(a) <= ELEMENTS_MAX);
    if (tt_count_of(a) != expected->values.count) {
        FAIL_AT(place, "the test lists %" PRId64 " values for %" PRId64 " elements",
                expected->values.count, tt_count_of(a));
    }
    struct error err = ERROR_INIT;
    if (read_values(s, a, values, &err) != ERR_OK) {
        FAIL_AT(place, "%s (%s)", err.msg, err_name(err.code));
    }
    for (int64_t i = 0; i < expected->values.count; i++) {
        if (!is_near(values[i], expected->values.value[i], expected->tolerance)) {
            FAIL_AT(place, "element %" PRId64 ": expected %.17g, got %.17g", i,
                    expected->values.value[i], values[i]);
        }
    }
}

void tensor_check_near(tt_scope *s, const tt_tensor *a, const tt_tensor *expected, double tolerance,
                       struct tensor_place place) {
    struct error err = ERROR_INIT;
    double difference = (double)NAN;
    double largest = (double)NAN;
    tt_tensor *wide = tt_cast(s, expected, TT_F64);
    tt_tensor *error = tt_sub(s, tt_cast(s, a, TT_F64), wide);
    const bool is_read = tt_item_f64(s, tt_max(s, tt_abs(s, error)), &difference, &err) == ERR_OK &&
                         tt_item_f64(s, tt_max(s, tt_abs(s, wide)), &largest, &err) == ERR_OK;
    check_scope(s, place);
    if (!is_read || !(difference <= tolerance * fmax(1, largest))) {
        fail_msg("%s:%d: %s: off by %g, largest %g", place.file, place.line,
                 place.what ? place.what : "", difference, largest);
    }
}

/* --- refusals --- */

/* The scope's error, closing the scope. */
static struct error error_of(tt_scope *s) {
    struct error err = ERROR_INIT;
    err.code = tt_scope_check(s, &err);
    tt_scope_close(s);
    return err;
}

void tensor_check_refused(tt_scope *s, enum err_code code, const char *message,
                          struct tensor_place place) {
    const struct error err = error_of(s);
    if (err.code != code || strcmp(err.msg, message) != 0) {
        FAIL_AT(place, "expected %s '%s', got %s '%s'", err_name(code), message, err_name(err.code),
                err.msg);
    }
}

void tensor_check_refused_inside(tt_scope *s, const char *part, struct tensor_place place) {
    const struct error err = error_of(s);
    if (err.code != ERR_BACKEND || !strstr(err.msg, part)) {
        FAIL_AT(place, "expected BACKEND with '%s', got %s '%s'", part, err_name(err.code),
                err.msg);
    }
}
