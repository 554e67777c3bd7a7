#include "base/json_scan.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "tests/support/test.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static const struct json_limits limits_default = JSON_LIMITS_DEFAULT;

/* Scans a copy of exactly `count` bytes, so that a sanitizer sees every byte read beyond. */
static enum err_code scan_bytes(const char *bytes, size_t count, const struct json_limits *limits,
                                struct json_counts *counts, struct error *err) {
    SCOPED(mem) char *copy = mem_array(count, 1);
    assert_non_null(copy);
    memcpy(copy, bytes, count);
    const struct json_place start = {.name = "f.json", .line = 1, .column = 1};
    return json_scan(copy, count, &start, limits, counts, err);
}

struct refusal {
    const char *text, *message;
};

static void check_refusals(const struct refusal *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const char *text = cases[i].text;
        struct error err = ERROR_INIT;
        struct json_counts counts = {.values = 7};
        enum err_code code = scan_bytes(text, strlen(text), &limits_default, &counts, &err);
        if (code != ERR_DATA || strcmp(err.msg, cases[i].message) != 0 || counts.values != 7) {
            fail_msg("%s\nexpected %s\ngot      %s (%s)", text, cases[i].message, err.msg,
                     err_name(code));
        }
    }
}

/* --- grammar --- */

static void test_json_scan__counts_values_and_containers(void **state) {
    (void)state;
    /* Values: list, object, 1, list, "b", null; containers: list, object, list. */
    const char text[] = " [ {\"a\" : 1, \"c\":[]} , \"b\", null ] ";
    struct error err = ERROR_INIT;
    struct json_counts counts = {0};
    assert_ok(scan_bytes(text, strlen(text), &limits_default, &counts, &err), &err);
    assert_int_equal(counts.values, 6);
    assert_int_equal(counts.containers, 3);
}

static void test_json_scan__refuses_broken_structure(void **state) {
    (void)state;
    static const struct refusal cases[] = {
        {"", "f.json:1:1: expected a value, found the end of the text"},
        {" \n ", "f.json:2:2: expected a value, found the end of the text"},
        {"[", "f.json:1:2: expected a value or ']', found the end of the text"},
        {"[1", "f.json:1:3: expected ',' or ']', found the end of the text"},
        {"[1,", "f.json:1:4: expected a value after ',', found the end of the text"},
        {"[1,]", "f.json:1:4: expected a value after ',', found ']'"},
        {"[,1]", "f.json:1:2: expected a value or ']', found ','"},
        {"[1 2]", "f.json:1:4: expected ',' or ']', found '2'"},
        {"[1}", "f.json:1:3: expected ',' or ']', found '}'"},
        {"]", "f.json:1:1: expected a value, found ']'"},
        {"{", "f.json:1:2: expected a key in double quotes or '}', found the end of the text"},
        {"{,}", "f.json:1:2: expected a key in double quotes or '}', found ','"},
        {"{a:1}", "f.json:1:2: expected a key in double quotes or '}', found 'a'"},
        {"{'a':1}", "f.json:1:2: expected a key in double quotes or '}', found '''"},
        {"{\"a\"", "f.json:1:5: expected ':' after the key, found the end of the text"},
        {"{\"a\" 1}", "f.json:1:6: expected ':' after the key, found '1'"},
        {"{\"a\":", "f.json:1:6: expected a value, found the end of the text"},
        {"{\"a\":}", "f.json:1:6: expected a value, found '}'"},
        {"{\"a\":1", "f.json:1:7: expected ',' or '}', found the end of the text"},
        {"{\"a\":1]", "f.json:1:7: expected ',' or '}', found ']'"},
        {"{\"a\":1,}", "f.json:1:8: expected a key in double quotes after ',', found '}'"},
        {"{\"a\":1,2}", "f.json:1:8: expected a key in double quotes after ',', found '2'"},
        {"1 2", "f.json:1:3: expected nothing more after the outermost value, found '2'"},
        {"{}}", "f.json:1:3: expected nothing more after the outermost value, found '}'"},
        {"{} // x", "f.json:1:4: expected nothing more after the outermost value, found '/'"},
        {"[1, /* x */ 2]", "f.json:1:5: expected a value after ',', found '/'"},
        {"{\n  \"a\": [1,\n    2,\n    x]\n}", "f.json:4:5: expected a value after ',', found 'x'"},
        {"[\"\xC3\xBC\xE2\x82\xAC\", \xC3\xBC]",
         "f.json:1:8: expected a value after ',', found '\xC3\xBC'"},
        {"[\x01]", "f.json:1:2: expected a value or ']', found '\\u0001'"},
        {"[1\x0B]", "f.json:1:3: expected ',' or ']', found '\\u000b'"},
    };
    check_refusals(cases, COUNT_OF(cases));
}

static void test_json_scan__refuses_what_is_no_scalar(void **state) {
    (void)state;
    static const struct refusal cases[] = {
        {"nul", "f.json:1:1: expected a value, found 'nul'"},
        {"nulll", "f.json:1:1: expected a value, found 'nulll'"},
        {"[True]", "f.json:1:2: expected a value or ']', found 'True'"},
        {"NaN", "f.json:1:1: expected a value, found 'NaN'"},
        {"Infinity", "f.json:1:1: expected a value, found 'Infinity'"},
        {"-Infinity", "f.json:1:2: expected a digit after '-', found 'Infinity'"},
        {"-", "f.json:1:2: expected a digit after '-', found the end of the text"},
        {"+1", "f.json:1:1: expected a value, found '+'"},
        {".5", "f.json:1:1: expected a value, found '.'"},
        {"01", "f.json:1:1: number with a leading zero"},
        {"[-01]", "f.json:1:2: number with a leading zero"},
        {"1.", "f.json:1:3: expected a digit after '.', found the end of the text"},
        {"1.e3", "f.json:1:3: expected a digit after '.', found 'e3'"},
        {"1e", "f.json:1:3: expected a digit in the exponent, found the end of the text"},
        {"1e+", "f.json:1:4: expected a digit in the exponent, found the end of the text"},
        {"0x10", "f.json:1:2: expected nothing more after the outermost value, found 'x10'"},
        {"1e400", "f.json:1:1: number 1e400 is too large for a double, limit 1.8e308"},
        {"[-2e308]", "f.json:1:2: number -2e308 is too large for a double, limit 1.8e308"},
        {"1234567890123456789012345678901234567890123456789012345678901234",
         "f.json:1:1: number of 64 characters, limit 63"},
    };
    check_refusals(cases, COUNT_OF(cases));
}

static void test_json_scan__refuses_broken_strings(void **state) {
    (void)state;
    static const struct refusal cases[] = {
        {"[\"abc", "f.json:1:2: string without a closing '\"'"},
        {"\"abc\\\"", "f.json:1:1: string without a closing '\"'"},
        {"\"a\nb\"", "f.json:1:3: line break in a string; close it with '\"' or write '\\n'"},
        {"\"a\tb\"", "f.json:1:3: control character in a string; write it as '\\u0009'"},
        {"{\"a\x1F\":1}", "f.json:1:4: control character in a string; write it as '\\u001f'"},
        {"\"C:\\dir\"", "f.json:1:4: unknown escape in a string; a backslash is written '\\\\'"},
        {"\"\\", "f.json:1:2: unknown escape in a string; a backslash is written '\\\\'"},
        {"\"\\u12g4\"", "f.json:1:2: expected four hexadecimal digits after '\\u'"},
        {"\"\\u123\"", "f.json:1:2: expected four hexadecimal digits after '\\u'"},
        {"\"\\u12", "f.json:1:2: expected four hexadecimal digits after '\\u'"},
        {"\"\\u0000\"", "f.json:1:2: NUL (\\u0000) in a string is not supported"},
        {"\"\\ud800\"", "f.json:1:2: lone surrogate \\ud800 in a string; surrogates come in "
                        "pairs, such as \\ud83d\\ude00"},
        {"\"\\ud800\\u0041\"", "f.json:1:2: lone surrogate \\ud800 in a string; surrogates come "
                               "in pairs, such as \\ud83d\\ude00"},
        {"\"\\udbff\\udbff\"", "f.json:1:2: lone surrogate \\udbff in a string; surrogates come "
                               "in pairs, such as \\ud83d\\ude00"},
        {"\"\\udc00\\udc00\"", "f.json:1:2: lone surrogate \\udc00 in a string; surrogates come "
                               "in pairs, such as \\ud83d\\ude00"},
        {"\"\\ud800\\ue000\"", "f.json:1:2: lone surrogate \\ud800 in a string; surrogates come "
                               "in pairs, such as \\ud83d\\ude00"},
        {"\"\\uDFFF\\ud800\"", "f.json:1:2: lone surrogate \\udfff in a string; surrogates come "
                               "in pairs, such as \\ud83d\\ude00"},
    };
    check_refusals(cases, COUNT_OF(cases));
}

static void test_json_scan__refuses_broken_encoding(void **state) {
    (void)state;
    static const struct refusal cases[] = {
        {"\xEF\xBB\xBF{}", "f.json:1:1: byte order mark; save the file as UTF-8 without one"},
        {"[\n\"a\xFF\"]", "f.json:2:3: invalid UTF-8 at byte 0xff"},
        {"\"\xC0\x80\"", "f.json:1:2: invalid UTF-8 at byte 0xc0"},
        {"\"\xED\xA0\x80\"", "f.json:1:2: invalid UTF-8 at byte 0xed"},
        {"\"\xE2\x82", "f.json:1:2: invalid UTF-8 at byte 0xe2"},
    };
    check_refusals(cases, COUNT_OF(cases));
}

static void test_json_scan__refuses_raw_nul(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct json_counts counts = {0};
    assert_int_equal(scan_bytes("{}\0", 3, &limits_default, &counts, &err), ERR_DATA);
    assert_string_equal(
        err.msg, "f.json:1:3: expected nothing more after the outermost value, found '\\u0000'");
    assert_int_equal(scan_bytes("\"a\0b\"", 5, &limits_default, &counts, &err), ERR_DATA);
    assert_string_equal(err.msg,
                        "f.json:1:3: control character in a string; write it as '\\u0000'");
}

/* --- limits --- */

static void check_limit(const struct json_limits *limits, const char *accepted, const char *refused,
                        const char *message) {
    struct error err = ERROR_INIT;
    struct json_counts counts = {0};
    assert_ok(scan_bytes(accepted, strlen(accepted), limits, &counts, &err), &err);
    assert_int_equal(scan_bytes(refused, strlen(refused), limits, &counts, &err), ERR_DATA);
    assert_string_equal(err.msg, message);
}

static void test_json_scan__keeps_the_size_limit(void **state) {
    (void)state;
    struct json_limits limits = limits_default;
    limits.bytes_max = 5;
    check_limit(&limits, "[1,2]", "[1,22]", "f.json: 6 bytes of JSON, limit 5");
}

static void test_json_scan__keeps_the_limit_on_values(void **state) {
    (void)state;
    struct json_limits limits = limits_default;
    limits.values_max = 3;
    check_limit(&limits, "[1,2]", "[1,2,3]", "f.json:1:6: more than 3 values");
}

static void test_json_scan__keeps_the_depth_limit(void **state) {
    (void)state;
    char text[2 * 65 + 1] = {0};
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    char less[2 * 64 + 1] = {0};
    memcpy(less, text + 1, 128);
    check_limit(&limits_default, less, text, "f.json:1:65: more than 64 levels of nesting");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_scan__counts_values_and_containers),
        cmocka_unit_test(test_json_scan__refuses_broken_structure),
        cmocka_unit_test(test_json_scan__refuses_what_is_no_scalar),
        cmocka_unit_test(test_json_scan__refuses_broken_strings),
        cmocka_unit_test(test_json_scan__refuses_broken_encoding),
        cmocka_unit_test(test_json_scan__refuses_raw_nul),
        cmocka_unit_test(test_json_scan__keeps_the_size_limit),
        cmocka_unit_test(test_json_scan__keeps_the_depth_limit),
        cmocka_unit_test(test_json_scan__keeps_the_limit_on_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
