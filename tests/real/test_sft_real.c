/* test_sft_real.c - what is imitated of real data. Counted apart, in Python: of the 2,312 chosen
 * conversations of hh-rlhf (harmless, test) all differ, and 4 end in an empty answer. */
#include "base/scoped.h"
#include "data/import.h"
#include "data/project.h"
#include "data/sft_examples.h"
#include "tests/support/real_data.h"
#include "tests/support/test.h"

static void test_sft_examples__chosen_answers_of_hh(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    const char *path = real_data_or_skip("hh-rlhf/harmless-base_test.jsonl.gz");
    SCOPED(db) struct db *db = NULL;
    SCOPED(import_report) struct import_report report = IMPORT_REPORT_INIT;
    SCOPED(sft_examples) struct sft_examples *examples = NULL;
    const struct import_options import = {.paths = &path, .path_count = 1};
    const struct sft_options options = {.choices = SFT_CHOICES_DEFAULT};
    assert_ok(project_open(":memory:", DB_MODE_CREATE, NULL, &db, &err), &err);
    assert_ok(import_files(db, &import, &report, &err), &err);
    assert_ok(sft_examples_open(db, &options, &examples, &err), &err);
    struct sft_example example;
    bool has_example = true;
    while (has_example) {
        assert_ok(sft_examples_next(examples, &example, &has_example, &err), &err);
        assert_true(!has_example || example.message_count > example.response_from);
    }
    const struct sft_counts expected = {.examples = 2308, .blank = 4};
    const struct sft_counts counts = sft_examples_counts(examples);
    assert_memory_equal(&counts, &expected, sizeof counts);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sft_examples__chosen_answers_of_hh)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
