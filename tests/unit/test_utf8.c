#include "base/utf8.h"

#include "tests/support/test.h"

#include <stdbool.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static void test_utf8_find_invalid__says_where(void **state) {
    (void)state;
    /* Text, length, offset of the first ill-formed sequence. */
    static const struct {
        const char *bytes;
        size_t count, invalid_at;
    } cases[] = {
        {"", 0, 0},
        {"plain", 5, 5},
        {"a\0b", 3, 3}, /* NUL is a code point like any other */
        {"gr\xC3\xBC\xC3\x9F", 6, 6},
        {"\xF0\x9F\x98\x80", 4, 4},
        {"ab\xFF", 3, 2},
        {"\x80", 1, 0},             /* continuation without a lead */
        {"\xC3", 1, 0},             /* cut: the sequence starts at 0 */
        {"xy\xE2\x82", 4, 2},       /* cut */
        {"\xE2\x28\xA1", 3, 0},     /* second byte is no continuation */
        {"\xE2\x82\x28", 3, 0},     /* third byte is none */
        {"\xC0\x80", 2, 0},         /* overlong NUL */
        {"\xC1\xBF", 2, 0},         /* overlong U+007F */
        {"\xE0\x9F\xBF", 3, 0},     /* overlong U+07FF */
        {"\xF0\x8F\xBF\xBF", 4, 0}, /* overlong U+FFFF */
        {"\xED\xA0\x80", 3, 0},     /* U+D800 */
        {"\xED\xBF\xBF", 3, 0},     /* U+DFFF */
        {"\xF4\x90\x80\x80", 4, 0}, /* U+110000 */
        {"\xF8\x88\x80\x80\x80", 5, 0},
        {"sixteen letters \xC3\xBC and more\xFF", 28, 27},
        {"1234567\xFF", 8, 7}, /* in the last byte of a word of eight */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t invalid_at = utf8_find_invalid(cases[i].bytes, cases[i].count);
        if (invalid_at != cases[i].invalid_at) {
            fail_msg("case %zu: expected %zu, got %zu", i, cases[i].invalid_at, invalid_at);
        }
    }
}

/* Ranges straight from table 3-7 of the Unicode Standard, for three bytes. */
static bool is_well_formed_3(unsigned a, unsigned b, unsigned c) {
    bool second = a == 0xE0   ? b >= 0xA0 && b <= 0xBF
                  : a == 0xED ? b >= 0x80 && b <= 0x9F
                              : a >= 0xE1 && a <= 0xEF && b >= 0x80 && b <= 0xBF;
    return second && c >= 0x80 && c <= 0xBF;
}

static void test_utf8_decode__agrees_with_the_table_on_all_three_byte_leads(void **state) {
    (void)state;
    for (unsigned i = 0xE00000; i <= 0xEFFFFF; i++) {
        const unsigned a = i >> 16, b = i >> 8 & 0xFF, c = i & 0xFF;
        const char bytes[] = {(char)a, (char)b, (char)c};
        uint32_t code_point = 0;
        size_t length = utf8_decode(bytes, 3, &code_point);
        if (length != (is_well_formed_3(a, b, c) ? 3u : 0u)) {
            fail_msg("%02x %02x %02x: length %zu", a, b, c, length);
        }
    }
}

static void test_utf8__every_code_point_survives_the_round_trip(void **state) {
    (void)state;
    for (uint32_t code_point = 0; code_point <= 0x110000; code_point++) {
        bool is_scalar = code_point <= 0x10FFFF && (code_point < 0xD800 || code_point > 0xDFFF);
        size_t expected = !is_scalar             ? 0
                          : code_point < 0x80    ? 1
                          : code_point < 0x800   ? 2
                          : code_point < 0x10000 ? 3
                                                 : 4;
        char bytes[UTF8_BYTES_MAX] = {0};
        uint32_t back = UINT32_MAX;
        size_t length = utf8_encode(code_point, bytes);
        if (length != expected || utf8_decode(bytes, length, &back) != expected ||
            (is_scalar && back != code_point)) {
            fail_msg("U+%04x: %zu bytes, back U+%04x", code_point, length, back);
        }
        if (is_scalar) {
            assert_int_equal(utf8_find_invalid(bytes, length), length);
            assert_int_equal(utf8_decode(bytes, length - 1, &back), 0); /* cut by one byte */
        }
    }
}

static void test_utf8_encode__writes_published_bytes(void **state) {
    (void)state;
    /* The Unicode Standard, table 3-4: U+004D, U+0430, U+4E8C, U+10302. */
    char bytes[UTF8_BYTES_MAX];
    assert_int_equal(utf8_encode(0x4D, bytes), 1);
    assert_memory_equal(bytes, "\x4D", 1);
    assert_int_equal(utf8_encode(0x430, bytes), 2);
    assert_memory_equal(bytes, "\xD0\xB0", 2);
    assert_int_equal(utf8_encode(0x4E8C, bytes), 3);
    assert_memory_equal(bytes, "\xE4\xBA\x8C", 3);
    assert_int_equal(utf8_encode(0x10302, bytes), 4);
    assert_memory_equal(bytes, "\xF0\x90\x8C\x82", 4);
}

static void test_utf8_excerpt__is_fit_for_one_line(void **state) {
    (void)state;
    char out[UTF8_EXCERPT_BYTES];
    assert_string_equal(utf8_excerpt("", 0, out), "");
    assert_string_equal(utf8_excerpt("gr\xC3\xBC\xC3\x9F", 6, out), "gr\xC3\xBC\xC3\x9F");
    assert_string_equal(utf8_excerpt("a\nb\x1B[2J", 7, out), "a\\u000ab\\u001b[2J");
    assert_string_equal(utf8_excerpt("\xC2\x9B\x7F", 3, out), "\\u009b\\u007f");
    assert_string_equal(utf8_excerpt("a\0b", 3, out), "a\\u0000b");
    assert_string_equal(utf8_excerpt("\xFF\xC3", 2, out), "\\xff\\xc3");
}

/* U+2028 line separator, U+202E right-to-left override, U+2066 isolate; their neighbours pass. */
static void test_utf8_excerpt__shows_what_turns_text_round(void **state) {
    (void)state;
    char out[UTF8_EXCERPT_BYTES];
    /* As bytes: in a literal the compiler warns of them, which is the point. */
    static const unsigned char turned[] = {0xE2, 0x80, 0xAE, 0xE2, 0x80, 0xA8, 0xE2, 0x81, 0xA6};
    assert_string_equal(utf8_excerpt((const char *)turned, sizeof turned, out),
                        "\\u202e\\u2028\\u2066");
    assert_false(utf8_is_control(0x2027));
    assert_false(utf8_is_control(0x202F));
    assert_false(utf8_is_control(0x2065));
    assert_true(utf8_is_control(0x2069));
    assert_false(utf8_is_control(0x206A));
}

static void test_utf8_visible__fills_the_room_it_is_given(void **state) {
    (void)state;
    char out[8];
    assert_string_equal(utf8_visible("1234567", 7, out, sizeof out), "1234567");
    assert_string_equal(utf8_visible("12345678", 8, out, sizeof out), "1234...");
    assert_string_equal(utf8_visible("12\x1B\x1B", 4, out, sizeof out), "12...");
}

static void test_utf8_excerpt__cuts_between_code_points(void **state) {
    (void)state;
    char out[UTF8_EXCERPT_BYTES];
    char text[200];
    memset(text, 'x', sizeof text);
    utf8_excerpt(text, UTF8_EXCERPT_BYTES - 1, out); /* just fits */
    assert_int_equal(strlen(out), UTF8_EXCERPT_BYTES - 1);
    assert_null(strchr(out, '.'));
    utf8_excerpt(text, UTF8_EXCERPT_BYTES, out);
    assert_int_equal(strlen(out), UTF8_EXCERPT_BYTES - 1);
    assert_string_equal(out + UTF8_EXCERPT_BYTES - 5, "x...");
    for (size_t i = 0; i + 3 <= sizeof text; i += 3) {
        memcpy(text + i, "\xE2\x82\xAC", 3);
    }
    utf8_excerpt(text, 198, out); /* 63 bytes: 20 euro signs and the dots */
    assert_int_equal(strlen(out), 63);
    assert_int_equal(utf8_find_invalid(out, strlen(out)), 63);
    assert_string_equal(out + 57, "\xE2\x82\xAC...");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8_find_invalid__says_where),
        cmocka_unit_test(test_utf8_decode__agrees_with_the_table_on_all_three_byte_leads),
        cmocka_unit_test(test_utf8__every_code_point_survives_the_round_trip),
        cmocka_unit_test(test_utf8_encode__writes_published_bytes),
        cmocka_unit_test(test_utf8_excerpt__is_fit_for_one_line),
        cmocka_unit_test(test_utf8_excerpt__shows_what_turns_text_round),
        cmocka_unit_test(test_utf8_visible__fills_the_room_it_is_given),
        cmocka_unit_test(test_utf8_excerpt__cuts_between_code_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
