#include "data/text_fault.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "tests/support/test.h"

#include <stdio.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* Looks at a copy of exactly `count` bytes, so that a sanitizer sees every byte read beyond. */
static struct text_faults faults_of_bytes(const char *bytes, size_t count) {
    SCOPED(mem) char *copy = mem_array(count, 1);
    struct text_faults faults;
    assert_non_null(copy);
    memcpy(copy, bytes, count);
    text_faults_find(copy, count, &faults);
    return faults;
}

struct fault_case {
    const char *text;
    enum text_fault kind;
    size_t at;
    const char *what;
};

static void check_cases(const struct fault_case *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct text_faults faults = faults_of_bytes(cases[i].text, strlen(cases[i].text));
        for (int kind = 0; kind < TEXT_FAULT_COUNT; kind++) {
            bool expected = kind == (int)cases[i].kind;
            size_t at = expected ? cases[i].at : TEXT_FAULT_NONE;
            if (faults.at[kind] != at ||
                strcmp(faults.what[kind], expected ? cases[i].what : "") != 0) {
                fail_msg("'%s': kind %d at %zd '%s', expected at %zd '%s'", cases[i].text, kind,
                         (ssize_t)faults.at[kind], faults.what[kind], (ssize_t)at,
                         expected ? cases[i].what : "");
            }
        }
    }
}

static void test_text_faults__finds_markup_of_chat_templates(void **state) {
    (void)state;
    static const struct fault_case cases[] = {
        {"Sure.<|im_end|>", TEXT_FAULT_MARKUP, 5, "<|im_end|>"},
        {"<|im_start|>user", TEXT_FAULT_MARKUP, 0, "<|im_start|>"},
        {"<|eot_id|><|start_header_id|>", TEXT_FAULT_MARKUP, 0, "<|eot_id|>"},
        {"end <|endoftext|>", TEXT_FAULT_MARKUP, 4, "<|endoftext|>"},
        {"x </s>", TEXT_FAULT_MARKUP, 2, "</s>"},
        {"<s>x", TEXT_FAULT_MARKUP, 0, "<s>"},
        {"[INST] hi [/INST]", TEXT_FAULT_MARKUP, 0, "[INST]"},
        {"a <<SYS>> b", TEXT_FAULT_MARKUP, 2, "<<SYS>>"},
        {"a\n\nHuman: b", TEXT_FAULT_MARKUP, 3, "Human:"},
        {"Assistant: b", TEXT_FAULT_MARKUP, 0, "Assistant:"},
        {"\xC3\xA9\nUser: b", TEXT_FAULT_MARKUP, 3, "User:"},
        {"x\n### Instruction:", TEXT_FAULT_MARKUP, 2, "### Instruction:"},
        {"<start_of_turn>model", TEXT_FAULT_MARKUP, 0, "<start_of_turn>"},
    };
    check_cases(cases, COUNT_OF(cases));
}

static void test_text_faults__finds_bad_conversions(void **state) {
    (void)state;
    static const struct fault_case cases[] = {
        {"caf\xC3\x83\xC2\xA9", TEXT_FAULT_MOJIBAKE, 3, "\xC3\x83\xC2\xA9 for \xC3\xA9"},
        /* "don't" with a right single quotation mark: E2 80 99 as Windows-1252 */
        {"don\xC3\xA2\xE2\x82\xAC\xE2\x84\xA2t", TEXT_FAULT_MOJIBAKE, 3,
         "\xC3\xA2\xE2\x82\xAC\xE2\x84\xA2 for \xE2\x80\x99"},
        /* the same as Latin-1 */
        {"don\xC3\xA2\xC2\x80\xC2\x99t", TEXT_FAULT_MOJIBAKE, 3,
         "\xC3\xA2\\u0080\\u0099 for \xE2\x80\x99"},
        /* "pri" in Cyrillic: D0 BF D1 80 D0 B8 as Windows-1252 */
        {"\xC3\x90\xC2\xBF\xC3\x91\xE2\x82\xAC\xC3\x90\xC2\xB8", TEXT_FAULT_MOJIBAKE, 0,
         "\xC3\x90\xC2\xBF for \xD0\xBF"},
        {"5 \xC3\x82\xC2\xB0"
         "C",
         TEXT_FAULT_MOJIBAKE, 2, "\xC3\x82\xC2\xB0 for \xC2\xB0"},
        {"a \xEF\xBF\xBD b", TEXT_FAULT_REPLACEMENT, 2, "U+FFFD"},
        {"\xEF\xBB\xBFx", TEXT_FAULT_MARK, 0, "U+FEFF"},
        {"a\x01", TEXT_FAULT_CONTROL, 1, "U+0001"},
        {"\x7F", TEXT_FAULT_CONTROL, 0, "U+007F"},
        {"\x1B[1m", TEXT_FAULT_CONTROL, 0, "U+001B"},
        {"a\xC2\x85", TEXT_FAULT_CONTROL, 1, "U+0085"},
        {"a\xE2\x80\xAE\xE2\x80\xAC", TEXT_FAULT_CONTROL, 1, "U+202E"},
    };
    check_cases(cases, COUNT_OF(cases));
}

static void test_text_faults__lets_good_text_pass(void **state) {
    (void)state;
    static const struct fault_case cases[] = {
        {"", TEXT_FAULT_COUNT, 0, ""},
        {"\ttab\nline\r\n", TEXT_FAULT_COUNT, 0, ""},
        {"a < b, [x], <b>bold</b>, <|>, <||>, <|A|>, <| end", TEXT_FAULT_COUNT, 0, ""},
        {"The Human: a study. The User: manual", TEXT_FAULT_COUNT, 0, ""},
        {"## Instruction", TEXT_FAULT_COUNT, 0, ""},
        {"na\xC3\xAFve caf\xC3\xA9, 5 \xC2\xB0"
         "C",
         TEXT_FAULT_COUNT, 0, ""},
        /* a capital and a closing guillemet: C9 BB would be UTF-8 too */
        {"\xC2\xAB"
         "CAF\xC3\x89\xC2\xBB",
         TEXT_FAULT_COUNT, 0, ""},
        {"S\xC3\x83O PAULO", TEXT_FAULT_COUNT, 0, ""},
        {"\xD0\x9F\xD1\x80\xD0\xB8\xD0\xB2\xD0\xB5\xD1\x82", TEXT_FAULT_COUNT, 0, ""},
        {"\xE6\x97\xA5\xE6\x9C\xAC \xF0\x9F\x98\x80", TEXT_FAULT_COUNT, 0, ""},
        {"\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D \xE2\x80\x8F", TEXT_FAULT_COUNT, 0, ""},
    };
    check_cases(cases, COUNT_OF(cases));
}

/* Whatever UTF-8 is read as Latin-1 and written as UTF-8 again is found, where it holds letters
 * beyond ASCII that Latin-1 has, or anything of three bytes or more. */
static void test_text_faults__finds_every_double_encoding(void **state) {
    (void)state;
    static const uint32_t ranges[][2] = {{0xA0, 0xFF}, {0x800, 0xD7FF}, {0x10000, 0x10FFFF}};
    for (int64_t trial = 0; trial < 20000; trial++) {
        struct rng rng = rng_stream(7, RNG_TEST, 0, trial);
        const uint32_t *range = ranges[rng_below(&rng, 3)];
        uint32_t c = range[0] + (uint32_t)rng_below(&rng, range[1] - range[0] + 1);
        char once[UTF8_BYTES_MAX], twice[2 * UTF8_BYTES_MAX];
        size_t once_count = utf8_encode(c, once), twice_count = 0;
        for (size_t i = 0; i < once_count; i++) {
            twice_count += utf8_encode((unsigned char)once[i], twice + twice_count);
        }
        struct text_faults faults = faults_of_bytes(twice, twice_count);
        if (faults.at[TEXT_FAULT_MOJIBAKE] != 0) {
            fail_msg("trial %lld: U+%04X is not found", (long long)trial, (unsigned)c);
        }
    }
}

static void test_text_faults__reads_any_bytes(void **state) {
    (void)state;
    for (int64_t trial = 0; trial < 20000; trial++) {
        struct rng rng = rng_stream(8, RNG_TEST, 0, trial);
        char bytes[24];
        size_t count = (size_t)rng_below(&rng, sizeof bytes + 1);
        static const char alphabet[] = "<|>s[/\n\x01\xC3\xA9\xE2\x82\xAC\xF0\x9F\x80\xEF\xBF\xBD";
        for (size_t i = 0; i < count; i++) {
            bytes[i] = alphabet[rng_below(&rng, sizeof alphabet)];
        }
        struct text_faults faults = faults_of_bytes(bytes, count);
        for (int kind = 0; kind < TEXT_FAULT_COUNT; kind++) {
            assert_true(faults.at[kind] == TEXT_FAULT_NONE || faults.at[kind] < count);
            size_t length = strlen(faults.what[kind]);
            assert_int_equal(utf8_find_invalid(faults.what[kind], length), length);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_faults__finds_markup_of_chat_templates),
        cmocka_unit_test(test_text_faults__finds_bad_conversions),
        cmocka_unit_test(test_text_faults__lets_good_text_pass),
        cmocka_unit_test(test_text_faults__finds_every_double_encoding),
        cmocka_unit_test(test_text_faults__reads_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
