#include "base/number.h"

#include "tests/support/test.h"

#include <math.h>

static void test_number_parse_i64__reads_the_whole_range(void **state) {
    (void)state;
    int64_t value = 7;
    assert_true(number_parse_i64("0", &value));
    assert_int_equal(value, 0);
    assert_true(number_parse_i64("-12", &value));
    assert_int_equal(value, -12);
    assert_true(number_parse_i64("9223372036854775807", &value));
    assert_true(value == INT64_MAX);
    assert_true(number_parse_i64("-9223372036854775808", &value));
    assert_true(value == INT64_MIN);
}

static void test_number_parse_i64__refuses_anything_else(void **state) {
    (void)state;
    const char *const texts[] = {
        "", "-", "--1", "+1", " 1", "1 ", "1.0", "1e3", "0x10", "1-", "9223372036854775808",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int64_t value = 7;
        if (number_parse_i64(texts[i], &value)) {
            fail_msg("'%s' was read as an integer", texts[i]);
        }
        assert_int_equal(value, 7);
    }
}

static void test_number_parse_u64__reads_the_whole_range_and_nothing_else(void **state) {
    (void)state;
    uint64_t value = 7;
    assert_true(number_parse_u64("0", &value));
    assert_true(value == 0);
    assert_true(number_parse_u64("18446744073709551615", &value));
    assert_true(value == UINT64_MAX);
    const char *const texts[] = {"", "-1", "-0", "+1", " 1", "1.0", "0x1", "18446744073709551616"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (number_parse_u64(texts[i], &value)) {
            fail_msg("'%s' was read as an unsigned integer", texts[i]);
        }
        assert_true(value == UINT64_MAX);
    }
}

static void test_number_parse_f64__reads_exactly(void **state) {
    (void)state;
    double value = 7.0;
    assert_true(number_parse_f64("0.1", &value));
    assert_true(value == 0.1);
    assert_true(number_parse_f64("-1e-6", &value));
    assert_true(value == -1e-6);
    assert_true(number_parse_f64(".5", &value));
    assert_true(value == 0.5);
    assert_true(number_parse_f64("2E+3", &value));
    assert_true(value == 2000.0);
    assert_true(number_parse_f64("1e-400", &value));
    assert_true(value == 0.0);
}

static void test_number_parse_f64__refuses_anything_else(void **state) {
    (void)state;
    const char *const texts[] = {"",    "-",   "+1",    "e5",  "1e",    " 1", "1 ",
                                 "nan", "inf", "1e400", "0x1", "1.2.3", "1,5"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        double value = 7.0;
        if (number_parse_f64(texts[i], &value)) {
            fail_msg("'%s' was read as %g", texts[i], value);
        }
        assert_true(value == 7.0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_number_parse_i64__reads_the_whole_range),
        cmocka_unit_test(test_number_parse_i64__refuses_anything_else),
        cmocka_unit_test(test_number_parse_u64__reads_the_whole_range_and_nothing_else),
        cmocka_unit_test(test_number_parse_f64__reads_exactly),
        cmocka_unit_test(test_number_parse_f64__refuses_anything_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
