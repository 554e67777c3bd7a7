#include "base/error.h"

#include "base/mem.h"
#include "base/utf8.h"
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

/* 253 bytes of either end fit beside the mark; 'z' stands for a value that is too long. */
static void check_both_ends(const struct error *err, const char *start, const char *end) {
    assert_int_equal(strlen(err->msg), ERR_MSG_BYTES - 1);
    assert_memory_equal(err->msg, start, strlen(start));
    assert_string_equal(err->msg + strlen(err->msg) - strlen(end), end);
    assert_non_null(strstr(err->msg, "zzz ... zzz"));
}

static void test_err_set__keeps_the_remedy_of_a_long_message(void **state) {
    (void)state;
    char value[5000];
    memset(value, 'z', sizeof value);
    value[sizeof value - 1] = '\0';
    struct error err = ERROR_INIT;
    err_set(&err, ERR_USAGE, "unknown option '--%s': 'accord --help' lists the options", value);
    check_both_ends(&err, "unknown option '--zzz", "zzz': 'accord --help' lists the options");
    err_set_errno(&err, ENOENT, "cannot open '%s'", value);
    check_both_ends(&err, "cannot open 'zzz", "zzz': No such file or directory");
    err_set(&err, ERR_CONFIG, "expected object");
    err_wrap(&err, ERR_CONFIG, "config '%s'", value);
    check_both_ends(&err, "config 'zzz", "zzz': expected object");
}

static void test_err_set__cuts_between_code_points(void **state) {
    (void)state;
    char value[5001]; /* U+20AC, 3 bytes each, at every offset that the cuts can meet */
    for (size_t i = 0; i + 3 < sizeof value; i += 3) {
        memcpy(value + i, "\xE2\x82\xAC", 4);
    }
    for (int offset = 0; offset < 3; offset++) {
        struct error err = ERROR_INIT;
        err_set(&err, ERR_DATA, "%.*s%s", offset, "ab", value);
        assert_int_equal(utf8_find_invalid(err.msg, strlen(err.msg)), strlen(err.msg));
        assert_true(strlen(err.msg) >= ERR_MSG_BYTES - 5);
    }
}

static void test_err_set__without_memory_keeps_the_start(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    mem_fail_nth(1);
    err_set(&err, ERR_DATA, "start %0*d", 2 * ERR_MSG_BYTES, 7);
    assert_true(mem_fail_reached());
    mem_fail_nth(0);
    assert_int_equal(strlen(err.msg), ERR_MSG_BYTES - 1);
    assert_memory_equal(err.msg, "start 000", 9);
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
        cmocka_unit_test(test_err_set__keeps_the_remedy_of_a_long_message),
        cmocka_unit_test(test_err_set__cuts_between_code_points),
        cmocka_unit_test(test_err_set__without_memory_keeps_the_start),
        cmocka_unit_test(test_err_set_errno__names_the_reason),
        cmocka_unit_test(test_err_wrap__puts_context_in_front),
        cmocka_unit_test(test_err_wrap__leaves_success_alone),
        cmocka_unit_test(test_try__returns_the_first_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
