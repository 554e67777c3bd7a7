#include "data/timestamp.h"

#include "tests/support/test.h"

#include <stdio.h>

/* Expected values: Python, datetime.datetime(...).timestamp(). */
static void test_timestamp_parse__reads_days_times_and_numbers(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"1970-01-01", 0},
        {"1872-11-30", INT64_C(-3063744000000)},
        {"2000-02-29", INT64_C(951782400000)},
        {"20000229", INT64_C(951782400000)},
        {"0001-01-01", INT64_C(-62135596800000)},
        {"9999-12-31", INT64_C(253402214400000)},
        {"2023-04-05T06:07", INT64_C(1680674820000)},
        {"2023-04-05 06:07:08", INT64_C(1680674828000)},
        {"2023-04-05T06:07:08.25Z", INT64_C(1680674828250)},
        {"2023-04-05T06:07:08.123999", INT64_C(1680674828123)},
        {"2023-04-05T06:07:08+02:00", INT64_C(1680667628000)},
        {"2023-04-05T06:07:08-0230", INT64_C(1680683828000)},
        {"2023-04-05 06:07:08 UTC", INT64_C(1680674828000)},
        {"2016-12-31T23:59:60Z", INT64_C(1483228800000)},
        {"1680674828", INT64_C(1680674828000)},
        {"1680674828.25", INT64_C(1680674828250)},
        {"1680674828250", INT64_C(1680674828250)},
        {"99999999999", INT64_C(99999999999000)},
        {"100000000000", INT64_C(100000000000)},
        {"-3063744000", INT64_C(-3063744000000)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct text_span text = text_span_of(cases[i].text);
        int64_t ms = 7;
        if (!timestamp_parse(&text, &ms) || ms != cases[i].ms) {
            fail_msg("'%s': %lld", cases[i].text, (long long)ms);
        }
    }
}

static void test_timestamp_parse__refuses_what_is_no_time(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "yesterday",
        "2023-02-29",
        "1900-02-29",
        "2023-13-01",
        "2023-00-01",
        "2023-01-00",
        "0000-01-01",
        "2023-1-5",
        "2023-04-05T",
        "2023-04-05T24:00",
        "2023-04-05T06",
        "2023/04/05",
        "2023-0405",
        "2023-04-05T06:07:61",
        "2023-04-05T06:07:08.",
        "05-04-2023",
        "2023-04-05T06:07x",
        "2023-04-05 06:07 ",
        "2023-04-05T06:07+19:00",
        "2023",
        "0",
        "19360",
        "99999999",
        "nan",
        "1e400",
        "253402300800001000",
        "2023-04-05T06:07:08+02:0",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct text_span text = text_span_of(texts[i]);
        int64_t ms = 7;
        if (timestamp_parse(&text, &ms)) {
            fail_msg("'%s' was read as %lld", texts[i], (long long)ms);
        }
        assert_true(ms == 7);
    }
}

/* Every day from 1600 to 2400, counted up by hand. */
static void test_timestamp_parse__counts_every_day(void **state) {
    (void)state;
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t day_ms = INT64_C(86400000);
    int64_t expected = -135140 * day_ms; /* date(1600, 1, 1) - date(1970, 1, 1) */
    for (int year = 1600; year < 2400; year++) {
        for (int month = 1; month <= 12; month++) {
            int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
            for (int day = 1; day <= lengths[month - 1] + (month == 2 && leap); day++) {
                char buffer[32];
                snprintf(buffer, sizeof buffer, "%04d-%02d-%02d", year, month, day);
                struct text_span text = text_span_of(buffer);
                int64_t ms = 0;
                assert_true(timestamp_parse(&text, &ms));
                assert_true(ms == expected);
                expected += day_ms;
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timestamp_parse__reads_days_times_and_numbers),
        cmocka_unit_test(test_timestamp_parse__refuses_what_is_no_time),
        cmocka_unit_test(test_timestamp_parse__counts_every_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
