/* test_import_json.c - every JSON format on the rows of tests/cases/import, and limits. */
#include "base/scoped.h"
#include "tests/support/import_case.h"
#include "tests/support/test.h"

#include <stdio.h>

/* test_<format>__cases: the rows of its file. */
#define FORMATS(X)   \
    X(arena)         \
    X(fine_grained)  \
    X(hh)            \
    X(judgements)    \
    X(llama_factory) \
    X(nemo)          \
    X(pre_tokenised) \
    X(safe_rlhf)     \
    X(sharegpt)      \
    X(swift)         \
    X(trl)

#define DEFINE_CASES(name)                                                        \
    static void test_##name##__cases(void **state) {                              \
        (void)state;                                                              \
        import_cases_check(&import_##name, CASES_FOLDER "/import/" #name ".txt"); \
    }
FORMATS(DEFINE_CASES)
#undef DEFINE_CASES

/* In the order of IMPORT_FORMATS, those that are no JSON left out. */
static void test_recognise__first_of_all_formats(void **state) {
    (void)state;
    static const struct import_format *const formats[] = {
        &import_pre_tokenised, &import_arena,    &import_safe_rlhf, &import_nemo,
        &import_llama_factory, &import_sharegpt, &import_swift,     &import_fine_grained,
        &import_judgements,    &import_hh,       &import_trl,
    };
    import_cases_check_recognised(formats, sizeof formats / sizeof formats[0],
                                  CASES_FOLDER "/import/recognise.txt");
}

/* A row of 10,000 answers is beyond the stated limit; one of 4,096 is not. */
static void check_responses(int count) {
    static const struct import_settings settings = {.path = "rows.jsonl"};
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf row = STRBUF_INIT(4 * 1024 * 1024);
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(4 * 1024 * 1024);
    strbuf_add(&row, "{\"context\": \"Tea?\", \"completions\": [");
    for (int i = 0; i < count; i++) {
        strbuf_addf(&row, "%s{\"rank\": %d, \"completion\": \"%d\"}", i > 0 ? ", " : "", i, i);
    }
    strbuf_add(&row, "]}");
    enum err_code code = import_case_read(&import_nemo, &settings, strbuf_text(&row), &text, &err);
    assert_int_equal(code, count <= 4096 ? ERR_OK : ERR_DATA);
    if (code != ERR_OK) {
        char expected[128];
        (void)snprintf(expected, sizeof expected,
                       "rows.jsonl:7:36: $.completions: %d completions: expected 2 to 4096", count);
        assert_string_equal(err.msg, expected);
    }
}

static void test_limits__responses(void **state) {
    (void)state;
    check_responses(4096);
    check_responses(4097);
    check_responses(10000);
}

static void check_messages(int count, const char *system, const char *expected) {
    static const struct import_settings settings = {.path = "rows.jsonl"};
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf row = STRBUF_INIT(1024 * 1024);
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1024 * 1024);
    strbuf_addf(&row, "{\"system\": \"%s\", \"conversations\": [", system);
    for (int i = 0; i < count; i++) {
        strbuf_addf(&row, "%s{\"from\": \"human\", \"value\": \"%d\"}", i > 0 ? ", " : "", i);
    }
    strbuf_add(&row, "]}");
    enum err_code code =
        import_case_read(&import_sharegpt, &settings, strbuf_text(&row), &text, &err);
    assert_int_equal(code, expected[0] == '\0' ? ERR_OK : ERR_DATA);
    assert_string_equal(code == ERR_OK ? "" : err.msg, expected);
}

static void test_limits__messages(void **state) {
    (void)state;
    check_messages(4096, "", "");
    check_messages(4097, "", "rows.jsonl:7:33: $.conversations: 4097 messages: expected 1 to 4096");
    check_messages(4095, "a", "");
    check_messages(4096, "a",
                   "rows.jsonl:7:34: $.conversations: 4096 messages: expected 1 to 4095");
}

static void test_limits__turns_of_a_transcript(void **state) {
    (void)state;
    static const struct import_settings settings = {.path = "rows.jsonl"};
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf row = STRBUF_INIT(1024 * 1024);
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1024 * 1024);
    strbuf_add(&row, "{\"chosen\": \"");
    for (int i = 0; i < PREFERENCE_MESSAGES_MAX; i++) {
        strbuf_add(&row, "\\n\\nHuman: a");
    }
    strbuf_add(&row, "\\n\\nAssistant: b\", \"rejected\": \"\\n\\nHuman: a\\n\\nAssistant: c\"}");
    assert_fails(import_case_read(&import_hh, &settings, strbuf_text(&row), &text, &err), ERR_DATA,
                 "rows.jsonl:7:12: $.chosen: 4097 turns: the limit is 4096", &err);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST_OF(name) cmocka_unit_test(test_##name##__cases),
        FORMATS(TEST_OF)
#undef TEST_OF
            cmocka_unit_test(test_recognise__first_of_all_formats),
        cmocka_unit_test(test_limits__responses),
        cmocka_unit_test(test_limits__messages),
        cmocka_unit_test(test_limits__turns_of_a_transcript),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
