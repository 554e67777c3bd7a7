/* test_check_real.c - real files through import and check: what is known to be wrong with them.
 *
 * Near prompts: counted over all pairs by an independent program (Python's re and set), with the
 * same shingles and threshold.
 */
#include "base/scoped.h"
#include "data/check.h"
#include "data/import.h"
#include "data/project.h"
#include "tests/support/real_data.h"
#include "tests/support/test.h"

#include <string.h>

/* The only file imported into a project in memory. */
static void check_file(const char *path, struct check_report *out_report) {
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = NULL;
    assert_ok(project_open(":memory:", DB_MODE_CREATE, NULL, &db, &err), &err);
    const char *const paths[] = {path};
    const struct import_options files = {.paths = paths, .path_count = 1};
    SCOPED(import_report) struct import_report imported = IMPORT_REPORT_INIT;
    assert_ok(import_files(db, &files, &imported, &err), &err);
    const struct check_options options = CHECK_OPTIONS_DEFAULT;
    assert_ok(check_run(db, &options, out_report, &err), &err);
}

static void expect_lines(const struct check_result *result, const int64_t *lines, int64_t count) {
    assert_int_equal(result->example_count, count);
    for (int64_t i = 0; i < count; i++) {
        assert_int_equal(result->examples[i].place.line, lines[i]);
    }
}

static void test_check_hh__known_counts(void **state) {
    (void)state;
    SCOPED(check_report) struct check_report report = CHECK_REPORT_INIT;
    check_file(real_data_or_skip("hh-rlhf/harmless-base_test.jsonl.gz"), &report);
    assert_int_equal(report.comparison_count, 2312);
    assert_int_equal(report.results[CHECK_CONTEXT_DIFFERS].count, 5);
    assert_int_equal(report.results[CHECK_EMPTY_ANSWER].count, 4);
    assert_int_equal(report.results[CHECK_IDENTICAL_PAIR].count, 0);
    assert_int_equal(report.results[CHECK_NEAR_PROMPT].count, 8);
    assert_int_equal(report.results[CHECK_SPLIT_LEAK].count, 0);
    assert_int_equal(check_report_found(&report, CHECK_ERROR), 1);
    expect_lines(&report.results[CHECK_EMPTY_ANSWER], (const int64_t[]){87, 517, 926}, 3);
    expect_lines(&report.results[CHECK_CONTEXT_DIFFERS], (const int64_t[]){1255, 1689, 1951}, 3);
}

static void test_check_fine_grained__known_counts(void **state) {
    (void)state;
    SCOPED(check_report) struct check_report report = CHECK_REPORT_INIT;
    check_file(real_data_or_skip("finegrained-rlhf-qa/dev_feedback.json"), &report);
    assert_int_equal(report.prompt_count, 500);
    assert_int_equal(report.results[CHECK_NEAR_PROMPT].count, 4);
    assert_int_equal(report.results[CHECK_CONTRADICTION].count, 0);
    assert_int_equal(check_report_found(&report, CHECK_ERROR), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check_hh__known_counts),
        cmocka_unit_test(test_check_fine_grained__known_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
