#include "tests/support/alloc_loop.h"
#include "tests/support/file_case.h"
#include "tests/support/test.h"

#include "base/scoped.h"

#define NAMES "# ALTERNATIVE NAME 1: Ann\n# ALTERNATIVE NAME 2: Bob\n# ALTERNATIVE NAME 3: Cy: 3\n"

static const struct import_settings settings = {.path = "data/votes.toi"};

static void check(const char *text, const char *expected) {
    file_case_check(&import_preflib, &settings, text, expected);
}

static void test_preflib__reads_orders_with_ties_and_counts(void **state) {
    (void)state;
    check("# FILE NAME: x.toi\n# TITLE: Best \n# DATA TYPE: toi\n# NUMBER ALTERNATIVES: 3\n"
          "# NUMBER VOTERS: 10\n# NUMBER UNIQUE ORDERS: 4\n" NAMES
          "4: 2,1\n3: {1,3},2\n\n2: 1, {2,3}\r\n1:{3 , 2,1}\n",
          "10 comparison {votes} #Best | 1 'Bob' | 2 'Ann' weight 4\n"
          "11 comparison {votes} #Best | 1 'Ann' | 1 'Cy: 3' | 2 'Bob' weight 3\n"
          "13 comparison {votes} #Best | 1 'Ann' | 2 'Bob' | 2 'Cy: 3' weight 2\n"
          "14 comparison {votes} #Best | 1 'Cy: 3' | 1 'Bob' | 1 'Ann'\n");
}

static void test_preflib__name_and_topic_of_the_user_come_first(void **state) {
    (void)state;
    const struct import_settings named = {.path = "x.soc", .name = "people", .topic = "vote"};
    file_case_check(&import_preflib, &named, "# TITLE: T\n" NAMES "1: 1,2,3\n",
                    "5 comparison {people} #vote | 1 'Ann' | 2 'Bob' | 3 'Cy: 3'\n");
}

static void test_preflib__an_empty_title_is_no_topic(void **state) {
    (void)state;
    check("# TITLE: \n" NAMES "1: 1,2\n", "5 comparison {votes} | 1 'Ann' | 2 'Bob'\n");
}

static void test_preflib__orders_of_one_are_left_out_and_told(void **state) {
    (void)state;
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(4096);
    SCOPED(strbuf) struct strbuf notes = STRBUF_INIT(4096);
    struct error err = ERROR_INIT;
    const struct file_case run = {
        .format = &import_preflib,
        .settings = &settings,
        .text = "# NUMBER VOTERS: 20\n# NUMBER UNIQUE ORDERS: 3\n" NAMES "18: 1\n1: {2}\n1: 1,2\n",
        .out = &out,
        .notes = &notes,
    };
    assert_ok(file_case_run(&run, &err), &err);
    assert_string_equal(strbuf_text(&out), "8 comparison {votes} | 1 'Ann' | 2 'Bob'\n");
    assert_string_equal(strbuf_text(&notes),
                        "2 orders of one alternative left out: they compare nothing\n");
}

static void test_preflib__says_what_is_wrong_and_where(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {NAMES "1: 1,4\n", "4:6: expected an alternative that the header names, found '4'"},
        {NAMES "1: 0,1\n", "4:4: expected an alternative that the header names, found '0,1'"},
        {NAMES "1: 1,2,1\n", "4:8: expected each alternative once, found '1'"},
        {NAMES "1: 1,{2,1}\n", "4:9: expected each alternative once, found '1}'"},
        {NAMES "1: 1,,2\n", "4:6: expected the number of an alternative, found ',2'"},
        {NAMES "1: 1,2,\n",
         "4:8: expected the number of an alternative, found the end of the line"},
        {NAMES "1: {1,2\n", "4:8: expected ',' or '}', found the end of the line"},
        {NAMES "1: {1,{2}}\n", "4:7: expected the number of an alternative, found '{2}}'"},
        {NAMES "1: {}\n", "4:5: expected the number of an alternative, found '}'"},
        {NAMES "1: 1 2\n", "4:6: expected ',' or the end of the order, found '2'"},
        {NAMES "1: Ann\n", "4:4: expected the number of an alternative, found 'Ann'"},
        {NAMES "1 1,2\n", "4:3: expected ':', found '1,2'"},
        {NAMES "0: 1,2\n",
         "4:1: expected how many gave this order, a whole number above 0, found '0: 1,2'"},
        {NAMES "-1: 1,2\n",
         "4:1: expected how many gave this order, a whole number above 0, found '-1: 1,2'"},
        {NAMES "9999999999999: 1,2\n",
         "4:1: expected how many gave this order, a whole number above 0, found '9999999999999: "
         "1,2'"},
        {NAMES "1.5: 1,2\n", "4:2: expected ':', found '.5: 1,2'"},
        {NAMES "# ALTERNATIVE NAME 2: Bo\n", "4: alternative 2 is named twice"},
        {"# ALTERNATIVE NAME 0: Bo\n",
         "1:20: expected the number of an alternative, 1 to 1000000, found '0: Bo'"},
        {"# ALTERNATIVE NAME 1000001: Bo\n",
         "1:20: expected the number of an alternative, 1 to 1000000, found '1000001: Bo'"},
        {"# ALTERNATIVE NAME 1 Bo\n", "1:22: expected ':', found 'Bo'"},
        {"# ALTERNATIVE NAME 1:\n",
         "1:22: expected the name of the alternative, found the end of the line"},
        {"# ALTERNATIVE NAME 1: \xff\n", "1:23: expected UTF-8, found '\\xff'"},
        {"# NUMBER VOTERS: many\n", "1:18: expected a whole number, found 'many'"},
        {"# DATA TYPE: wmd\n", "1:14: expected data of type soc, soi, toc or toi, which are "
                               "orders, found 'wmd'"},
        {"# DATA TYPE: soi\n" NAMES "1: 1,{2,3}\n",
         "5:6: expected no tie, since DATA TYPE is strict (soc or soi), found '{2,3}'"},
        {"# DATA TYPE: toc\n" NAMES "1: 1,2\n",
         "5: 2 of 3 alternatives, though DATA TYPE is complete (soc or toc)"},
        {"36\n1,Ann\n", "1:1: expected '# ...': this is the layout of before 2022; the data set as "
                        "preflib.org gives it now is read, found '36'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        SCOPED(strbuf) struct strbuf expected = STRBUF_INIT(4096);
        strbuf_addf(&expected, "! data/votes.toi:%s", cases[i].message);
        check(cases[i].text, strbuf_text(&expected));
    }
}

static void test_preflib__announced_sums_must_hold(void **state) {
    (void)state;
    check("# NUMBER VOTERS: 14\n" NAMES "2: 1,2\n10: 2,1\n",
          "! data/votes.toi: NUMBER VOTERS is 14, but the file holds 12: it is cut short, or was "
          "edited; if so, correct that line");
    check("# NUMBER UNIQUE ORDERS: 3\n" NAMES "2: 1,2\n10: 2,1\n",
          "! data/votes.toi: NUMBER UNIQUE ORDERS is 3, but the file holds 2: it is cut short, or "
          "was edited; if so, correct that line");
    check("# NUMBER ALTERNATIVES: 4\n" NAMES "2: 1,2\n",
          "! data/votes.toi: NUMBER ALTERNATIVES is 4, but the file holds 3: it is cut short, or "
          "was edited; if so, correct that line");
}

static void test_preflib__a_rejected_row_is_no_missing_row(void **state) {
    (void)state;
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(4096);
    struct error err = ERROR_INIT;
    const struct file_case run = {
        .format = &import_preflib,
        .settings = &settings,
        .text = "# NUMBER VOTERS: 3\n" NAMES "1: 1,2\n1: 1,1\n1: 2,1\n",
        .skip_bad = true,
        .out = &out,
    };
    assert_ok(file_case_run(&run, &err), &err);
    assert_string_equal(strbuf_text(&out),
                        "5 comparison {votes} | 1 'Ann' | 2 'Bob'\n"
                        "! data/votes.toi:6:6: expected each alternative once, found '1'\n"
                        "7 comparison {votes} | 1 'Bob' | 2 'Ann'\n");
}

static void test_preflib__is_recognised_by_its_keys(void **state) {
    (void)state;
    char why[IMPORT_WHY_BYTES];
    assert_string_equal(file_case_recognise(&import_preflib, NULL, "# FILE NAME: 1.soc\n", why),
                        "the first line is a remark with 'FILE NAME:'");
    assert_string_equal(file_case_recognise(&import_preflib, NULL,
                                            "# Edited to remove ALTERNATIVE NAME 12: X\n", why),
                        "the first line is a remark with 'ALTERNATIVE NAME '");
    assert_string_equal(file_case_recognise(&import_preflib, NULL, "# a remark\n", why), "");
    assert_string_equal(file_case_recognise(&import_preflib, NULL, "FILE NAME: 1.soc\n", why), "");
    assert_string_equal(file_case_recognise(&import_preflib, NULL, "\n", why), "");
}

static enum err_code read_some(void *context, struct error *err) {
    (void)context;
    const struct file_case run = {
        .format = &import_preflib,
        .settings = &settings,
        .text = "# TITLE: T\n" NAMES "2: 1,{2,3}\n1: 3,2\n",
    };
    return file_case_run(&run, err);
}

static void test_preflib__survives_failing_memory(void **state) {
    (void)state;
    alloc_loop_check(read_some, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_preflib__reads_orders_with_ties_and_counts),
        cmocka_unit_test(test_preflib__name_and_topic_of_the_user_come_first),
        cmocka_unit_test(test_preflib__an_empty_title_is_no_topic),
        cmocka_unit_test(test_preflib__orders_of_one_are_left_out_and_told),
        cmocka_unit_test(test_preflib__says_what_is_wrong_and_where),
        cmocka_unit_test(test_preflib__announced_sums_must_hold),
        cmocka_unit_test(test_preflib__a_rejected_row_is_no_missing_row),
        cmocka_unit_test(test_preflib__is_recognised_by_its_keys),
        cmocka_unit_test(test_preflib__survives_failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
