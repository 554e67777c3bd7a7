#include "base/error.h"

#include "tests/support/test.h"

#include <errno.h>

static void test_err_text__known_and_unknown_codes(void **state) {
    (void)state;
    assert_string_equal(err_text(ERR_OOM), "out of memory");
    assert_string_equal(err_name(ERR_OOM), "OOM");
    assert_string_equal(err_text(ERR_CODE_COUNT), "unknown error");
    assert_string_equal(err_name((enum err_code) - 1), "UNKNOWN");
}

static void test_err_set__formats_and_returns_the_code(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    assert_int_equal(err_set(&err, ERR_CONFIG, "$.beta = %g is outside [%g, %g]", -0.1, 0.0, 1.0),
                     ERR_CONFIG);
    assert_int_equal(err.code, ERR_CONFIG);
    assert_string_equal(err.msg, "$.beta = -0.1 is outside [0, 1]");
}

static void test_err_set__cuts_a_long_message(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    err_set(&err, ERR_DATA, "%0*d", 2 * ERR_MSG_BYTES, 7);
    assert_int_equal(strlen(err.msg), ERR_MSG_BYTES - 1);
}

static void test_err_set_errno__names_the_reason(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    assert_int_equal(err_set_errno(&err, ENOENT, "cannot open '%s'", "x"), ERR_IO);
    assert_string_equal(err.msg, "cannot open 'x': No such file or directory");
}

static void test_err_wrap__puts_context_in_front(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    err_set(&err, ERR_DATA, "$.model: expected object");
    assert_int_equal(err_wrap(&err, ERR_DATA, "policy '%s'", "runs/7"), ERR_DATA);
    assert_string_equal(err.msg, "policy 'runs/7': $.model: expected object");
}

static void test_err_wrap__leaves_success_alone(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    assert_int_equal(err_wrap(&err, ERR_OK, "context"), ERR_OK);
    assert_string_equal(err.msg, "");
}

static enum err_code fails_then_unreachable(struct error *err, int *reached) {
    TRY(err_set(err, ERR_IO, "first"));
    *reached = 1;
    return ERR_OK;
}

static void test_try__returns_the_first_failure(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    int reached = 0;
    assert_int_equal(fails_then_unreachable(&err, &reached), ERR_IO);
    assert_int_equal(reached, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_err_text__known_and_unknown_codes),
        cmocka_unit_test(test_err_set__formats_and_returns_the_code),
        cmocka_unit_test(test_err_set__cuts_a_long_message),
        cmocka_unit_test(test_err_set_errno__names_the_reason),
        cmocka_unit_test(test_err_wrap__puts_context_in_front),
        cmocka_unit_test(test_err_wrap__leaves_success_alone),
        cmocka_unit_test(test_try__returns_the_first_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
