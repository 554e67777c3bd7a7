#include "base/clock.h"

#include "tests/support/test.h"

#define S CLOCK_NS_PER_S

static void test_clock_manual__moves_by_hand_only(void **state) {
    (void)state;
    struct clock clock = clock_manual(5 * S);
    assert_int_equal(clock_wall_ns(&clock), 5 * S);
    assert_int_equal(clock_monotonic_ns(&clock), 0);
    clock_advance(&clock, 3);
    assert_int_equal(clock_wall_ns(&clock), 5 * S + 3);
    assert_int_equal(clock_monotonic_ns(&clock), 3);
    clock_advance(&clock, S / 2 - 3);
    assert_true(clock_wall_seconds(&clock) == 5.5);
    clock = clock_manual(1763781845 * S + S / 4);
    assert_true(clock_wall_seconds(&clock) == 1763781845.25);
}

static void test_clock_real__moves_forward_and_lives_now(void **state) {
    (void)state;
    struct clock clock = clock_real();
    int64_t first = clock_monotonic_ns(&clock);
    assert_true(clock_monotonic_ns(&clock) >= first);
    /* Between 2025-01-01 and 2100-01-01, by `date -u -d ... +%s`. */
    assert_true(clock_wall_ns(&clock) > 1735689600 * S);
    assert_true(clock_wall_ns(&clock) < 4102444800 * S);
}

/* Seconds from `date -u -d @N +%FT%TZ`. */
static void test_clock_utc_text__known_instants(void **state) {
    (void)state;
    assert_string_equal(clock_utc_text(0).text, "1970-01-01T00:00:00Z");
    assert_string_equal(clock_utc_text(951782400 * S).text, "2000-02-29T00:00:00Z");
    assert_string_equal(clock_utc_text(1763781845 * S + 999999999).text, "2025-11-22T03:24:05Z");
    assert_string_equal(clock_utc_text(-1).text, "1969-12-31T23:59:59Z");
    assert_string_equal(clock_utc_ms_text(1763781845 * S + 7999999).text,
                        "2025-11-22T03:24:05.007Z");
    assert_string_equal(clock_utc_ms_text(-1).text, "1969-12-31T23:59:59.999Z");
}

static void test_clock_duration_text__two_units_at_most(void **state) {
    (void)state;
    static const struct {
        int64_t ns;
        const char *text;
    } cases[] = {
        {0, "0 ms"},
        {499999, "0 ms"},
        {500000, "1 ms"},
        {850 * CLOCK_NS_PER_MS, "850 ms"},
        {999 * CLOCK_NS_PER_MS + 499999, "999 ms"},
        {999 * CLOCK_NS_PER_MS + 500000, "1.0 s"},
        {12345 * CLOCK_NS_PER_MS, "12.3 s"},
        {59949 * CLOCK_NS_PER_MS, "59.9 s"},
        {59950 * CLOCK_NS_PER_MS, "1 m 00 s"},
        {125 * S, "2 m 05 s"},
        {3599 * S + S / 2 - 1, "59 m 59 s"},
        {3599 * S + S / 2, "1 h 00 m"},
        {(3 * 3600 + 7 * 60 + 29) * S, "3 h 07 m"},
        {(3 * 3600 + 7 * 60 + 30) * S, "3 h 08 m"},
        {(24 * 3600 - 30) * S, "1 d 00 h"},
        {(52 * 3600) * S, "2 d 04 h"},
        {-125 * S, "-2 m 05 s"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(clock_duration_text(cases[i].ns).text, cases[i].text);
    }
    /* 9,223,372,036.85 s = 106,751 d 23.79 h, the largest there is: no overflow on the way. */
    assert_string_equal(clock_duration_text(INT64_MAX).text, "106752 d 00 h");
    assert_string_equal(clock_duration_text(INT64_MIN).text, "-106752 d 00 h");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock_manual__moves_by_hand_only),
        cmocka_unit_test(test_clock_real__moves_forward_and_lives_now),
        cmocka_unit_test(test_clock_utc_text__known_instants),
        cmocka_unit_test(test_clock_duration_text__two_units_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
