#include "data/text_fold.h"

#include "base/strbuf.h"
#include "tests/support/test.h"

#include <stdio.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static uint64_t key(const char *text) {
    return text_fold_key(text, strlen(text));
}

static int count_words(const char *text) {
    struct text_words words = TEXT_WORDS_INIT(text, strlen(text));
    uint64_t word = 0;
    int count = 0;
    while (text_words_next(&words, &word)) {
        count++;
    }
    return count;
}

static uint64_t nth_word(const char *text, int n) {
    struct text_words words = TEXT_WORDS_INIT(text, strlen(text));
    uint64_t word = 0;
    for (int i = 0; i <= n; i++) {
        assert_true(text_words_next(&words, &word));
    }
    return word;
}

static void test_text_fold_key__ignores_case_and_blanks_only(void **state) {
    (void)state;
    static const char *const same[][2] = {
        {"Hello you", "  hello\tYOU\n"},
        {"\xC3\x89t\xC3\xA9", "\xC3\xA9T\xC3\x89"},               /* Latin-1 */
        {"\xC4\x8C\xC5\xBD", "\xC4\x8D\xC5\xBE"},                 /* Latin Extended-A */
        {"\xCE\xA9\xCE\x91", "\xCF\x89\xCE\xB1"},                 /* Greek */
        {"\xD0\x9F\xD0\xAF\xD0\x81", "\xD0\xBF\xD1\x8F\xD1\x91"}, /* Cyrillic */
        {"a\xC2\xA0"
         "b",
         "a b"},
        {"\xEF\xBB\xBF"
         "a",
         "a"},
        {"", " \n "},
    };
    for (size_t i = 0; i < COUNT_OF(same); i++) {
        if (key(same[i][0]) != key(same[i][1])) {
            fail_msg("'%s' and '%s' differ", same[i][0], same[i][1]);
        }
    }
    static const char *const different[][2] = {
        {"C", "C++"},
        {"ab", "a b"},
        {"a.", "a"},
        {"ab", "ba"},
        {"", "a"},
        {"\xC3\x97", "\xC3\xB7"}, /* times and divided by: 0x20 apart, and no letters */
        {"\xC5\xB8", "\xC5\xB9"},
    };
    for (size_t i = 0; i < COUNT_OF(different); i++) {
        if (key(different[i][0]) == key(different[i][1])) {
            fail_msg("'%s' and '%s' are alike", different[i][0], different[i][1]);
        }
    }
}

static void test_text_fold_case__is_a_projection_and_keeps_small_letters(void **state) {
    (void)state;
    for (uint32_t c = 0; c < 0x3000; c++) {
        uint32_t folded = text_fold_case(c);
        assert_int_equal(text_fold_case(folded), folded);
    }
    assert_int_equal(text_fold_case('Z'), 'z');
    assert_int_equal(text_fold_case('['), '[');
    assert_int_equal(text_fold_case(0x139), 0x13A);
    assert_int_equal(text_fold_case(0x13A), 0x13A);
    assert_int_equal(text_fold_case(0x148), 0x148);
    assert_int_equal(text_fold_case(0x17D), 0x17E);
    assert_int_equal(text_fold_case(0x178), 0x178); /* its small letter is in Latin-1: left alone */
}

static void test_text_words__are_runs_of_letters_and_digits(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int words;
    } cases[] = {
        {"", 0},
        {" .,;:!? ", 0},
        {"one", 1},
        {"don't", 2},
        {"a1 b2-c3", 3},
        {"caf\xC3\xA9 cr\xC3\xA8me", 2},
        {"\xE2\x80\x9Cquoted\xE2\x80\x9D \xE2\x80\x94 dash", 2},
        {"\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E", 3},              /* three characters of Japanese */
        {"go\xE6\x97\xA5go", 3},                                  /* one of them between words */
        {"\xEB\x8C\x80\xED\x95\x9C \xEB\xAF\xBC\xEA\xB5\xAD", 2}, /* Korean has blanks */
        {"\xEF\xBC\x8C\xE3\x80\x82", 0},                          /* full-width punctuation */
        {"\xFF\xFE", 2 - 1},                                      /* ill-formed: 0xFF, 0xFE */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int words = count_words(cases[i].text);
        if (words != cases[i].words) {
            fail_msg("'%s': %d words, expected %d", cases[i].text, words, cases[i].words);
        }
    }
    assert_true(nth_word("One two", 0) == nth_word("(ONE) two", 0));
    assert_true(nth_word("One two", 0) != nth_word("One two", 1));
}

static void test_text_is_blank__knows_invisible_characters(void **state) {
    (void)state;
    static const char *const blank[] = {"",
                                        " \t\r\n",
                                        "\xC2\xA0",
                                        "\xE2\x80\x8B",
                                        "\xE2\x80\x8D",
                                        "\xE3\x80\x80",
                                        "\xEF\xBB\xBF",
                                        "\xE2\x81\xA0"};
    for (size_t i = 0; i < COUNT_OF(blank); i++) {
        assert_true(text_is_blank(blank[i], strlen(blank[i])));
    }
    static const char *const visible[] = {".", " a ", "\xC3\xA9", "\x01", "\xFF"};
    for (size_t i = 0; i < COUNT_OF(visible); i++) {
        assert_false(text_is_blank(visible[i], strlen(visible[i])));
    }
    assert_false(text_is_blank("\0", 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_fold_key__ignores_case_and_blanks_only),
        cmocka_unit_test(test_text_fold_case__is_a_projection_and_keeps_small_letters),
        cmocka_unit_test(test_text_words__are_runs_of_letters_and_digits),
        cmocka_unit_test(test_text_is_blank__knows_invisible_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
