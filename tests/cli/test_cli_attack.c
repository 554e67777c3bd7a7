/* What hostile files and unlucky command lines have once broken. */
#include "base/scoped.h"
#include "data/project.h"
#include "tests/support/run_program.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANY            200
#define LONG_LINE_BYTES (70 * 1000 * 1000)

static const char rows[] = "{\"prompt\":\"p\",\"chosen\":\"x\",\"rejected\":\"y\"}\n"
                           "{\"prompt\":\"q\",\"chosen\":\"x\",\"rejected\":\"y\"}\n"
                           "{}\n";

struct attack {
    struct program_result r;
    struct scratch *scratch;
    char project[300], file[300], other[300];
};

static void write_file(const char *path, const char *bytes, size_t count) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, count, f), count);
    assert_int_equal(fclose(f), 0);
}

static int setup(void **state) {
    struct attack *a = calloc(1, sizeof *a);
    void *scratch = NULL;
    *state = a;
    if (!a || scratch_setup(&scratch) != 0) {
        return -1;
    }
    a->scratch = scratch;
    (void)snprintf(a->project, sizeof a->project, "%s", scratch_path(scratch, "tea.db"));
    (void)snprintf(a->file, sizeof a->file, "%s", scratch_path(scratch, "rows.jsonl"));
    (void)snprintf(a->other, sizeof a->other, "%s", scratch_path(scratch, "other"));
    write_file(a->file, rows, sizeof rows - 1);
    run_program(&a->r, "init", "-q", a->project, NULL);
    return a->r.status;
}

static int teardown(void **state) {
    struct attack *a = *state;
    void *scratch = a->scratch;
    int failed = scratch_teardown(&scratch);
    free(a);
    return failed;
}

static int64_t comparisons(const struct attack *a) {
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = NULL;
    int64_t count = 0;
    assert_ok(project_open(a->project, DB_MODE_READ_ONLY, NULL, &db, &err), &err);
    assert_ok(db_query_i64(db, "SELECT count(*) FROM comparison", &count, &err), &err);
    return count;
}

static void import_two(struct attack *a) {
    write_file(a->file, rows, sizeof rows - sizeof "{}\n");
    run_program(&a->r, "import", "-q", a->project, a->file, NULL);
    assert_int_equal(a->r.status, 0);
    assert_int_equal(comparisons(a), 2);
}

/* ---- outputs named like what is read ---- */

static void test_cli_attack__skip_bad_never_replaces_the_project(void **state) {
    struct attack *a = *state;
    run_program(&a->r, "import", "-q", a->project, a->file, "--skip-bad", a->project, NULL);
    assert_int_equal(a->r.status, 2);
    assert_int_equal(comparisons(a), 0);
}

static void test_cli_attack__skip_bad_never_replaces_an_input_of_another_name(void **state) {
    struct attack *a = *state;
    struct stat info;
    assert_int_equal(symlink(a->file, a->other), 0);
    run_program(&a->r, "import", "-q", a->project, a->other, "--skip-bad", a->file, NULL);
    assert_int_equal(a->r.status, 2);
    assert_int_equal(stat(a->file, &info), 0);
    assert_int_equal(info.st_size, sizeof rows - 1);
    assert_int_equal(comparisons(a), 0);
}

static void test_cli_attack__skip_bad_never_replaces_the_texts(void **state) {
    struct attack *a = *state;
    static const char votes[] = "a1_id\ta2_id\tvotes(worker:choice)\nx\ty\tw1:1\nx\tz\tw1:1\n";
    static const char texts[] = "{\"id\":\"x\",\"text\":\"tx\"}\n{\"id\":\"y\",\"text\":\"ty\"}\n";
    struct stat info;
    write_file(a->file, votes, sizeof votes - 1);
    write_file(a->other, texts, sizeof texts - 1);
    const char *const words[] = {"import", "-q",         a->project, a->file, "--texts",
                                 a->other, "--skip-bad", a->other,   NULL};
    run_program_with(&a->r, &(struct program_options){.out_path = NULL}, words);
    assert_int_equal(a->r.status, 2);
    assert_int_equal(stat(a->other, &info), 0);
    assert_int_equal(info.st_size, sizeof texts - 1);
}

static void test_cli_attack__export_never_replaces_the_project(void **state) {
    struct attack *a = *state;
    import_two(a);
    run_program(&a->r, "export", "-q", a->project, "-o", a->project, NULL);
    assert_int_equal(a->r.status, 2);
    assert_int_equal(comparisons(a), 2);
}

static void test_cli_attack__rank_never_replaces_the_project(void **state) {
    struct attack *a = *state;
    import_two(a);
    run_program(&a->r, "reward", "fit", "-q", a->project, "--estimator", "map", NULL);
    assert_int_equal(a->r.status, 0);
    run_program(&a->r, "reward", "rank", "-q", a->project, "-o", a->project, NULL);
    assert_int_equal(a->r.status, 2);
    assert_int_equal(comparisons(a), 2);
}

/* What is written goes through '<name>.tmp' first. */
static void test_cli_attack__no_temporary_file_empties_the_project(void **state) {
    struct attack *a = *state;
    char tmp[300];
    (void)snprintf(tmp, sizeof tmp, "%s", scratch_path(a->scratch, "other.tmp"));
    assert_int_equal(rename(a->project, tmp), 0);
    (void)snprintf(a->project, sizeof a->project, "%s", tmp);
    import_two(a);
    run_program(&a->r, "export", "-q", a->project, "-o", a->other, NULL);
    assert_int_equal(a->r.status, 2);
    run_program(&a->r, "backup", "-q", a->project, a->other, NULL);
    assert_int_equal(a->r.status, 1);
    assert_int_equal(comparisons(a), 2);
}

static void test_cli_attack__names_that_json_cannot_hold_are_refused(void **state) {
    struct attack *a = *state;
    char name[300];
    (void)snprintf(name, sizeof name, "%s", scratch_path(a->scratch, "b\xFF.jsonl"));
    write_file(name, rows, sizeof rows - sizeof "{}\n");
    run_program(&a->r, "import", "-q", a->project, name, NULL);
    assert_int_equal(a->r.status, 2);
    assert_non_null(strstr(a->r.err, "b\\xff.jsonl"));
    assert_int_equal(comparisons(a), 0);
}

/* As root it would replace a device just as well. */
static void test_cli_attack__backup_replaces_regular_files_only(void **state) {
    struct attack *a = *state;
    struct stat info;
    import_two(a);
    assert_int_equal(mkfifo(a->other, 0600), 0);
    run_program(&a->r, "backup", "-q", a->project, a->other, "--replace", NULL);
    assert_int_equal(a->r.status, 1);
    assert_int_equal(stat(a->other, &info), 0);
    assert_true(S_ISFIFO(info.st_mode));
}

/* ---- files whose rows refer to what is not there ---- */

static void execute(struct db *db, const char *sql) {
    struct error err = ERROR_INIT;
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    assert_ok(db_stmt_open(db, sql, &stmt, &err), &err);
    assert_ok(db_stmt_run(stmt, &err), &err);
}

/* Enough of them that what is out of range is not in the slack of an allocation. */
static void import_many(struct attack *a) {
    FILE *f = fopen(a->file, "wb");
    assert_non_null(f);
    for (int i = 0; i < MANY; i++) {
        assert_true(fprintf(f, "{\"prompt\":\"p%d\",\"chosen\":\"x\",\"rejected\":\"y\"}\n", i) >
                    0);
    }
    assert_int_equal(fclose(f), 0);
    run_program(&a->r, "import", "-q", a->project, a->file, NULL);
    assert_int_equal(a->r.status, 0);
}

static void damage(struct attack *a, const char *sql, const char *more_sql) {
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = NULL;
    import_many(a);
    assert_ok(project_open(a->project, DB_MODE_WRITE, NULL, &db, &err), &err);
    execute(db, "PRAGMA foreign_keys=OFF");
    execute(db, sql);
    execute(db, more_sql);
}

static void check_refused(struct attack *a) {
    run_program(&a->r, "stats", "-q", a->project, NULL);
    assert_int_equal(a->r.status, 3);
    run_program(&a->r, "reward", "fit", "-q", a->project, "--estimator", "map", NULL);
    assert_int_equal(a->r.status, 3);
}

static void test_cli_attack__missing_responses_are_refused(void **state) {
    damage(*state, "DELETE FROM response WHERE id % 3 = 0", "DELETE FROM source WHERE id < 0");
    check_refused(*state);
}

static void test_cli_attack__missing_prompts_are_refused(void **state) {
    damage(*state, "DELETE FROM prompt WHERE id % 2 = 0", "DELETE FROM source WHERE id < 0");
    check_refused(*state);
}

/* ---- input ---- */

static void test_cli_attack__a_first_line_without_end_is_bad_data(void **state) {
    struct attack *a = *state;
    char *line = malloc(LONG_LINE_BYTES);
    assert_non_null(line);
    memset(line, 'a', LONG_LINE_BYTES);
    write_file(a->file, line, LONG_LINE_BYTES);
    free(line);
    run_program(&a->r, "import", "-q", a->project, a->file, NULL);
    assert_int_equal(a->r.status, 3);
    assert_non_null(strstr(a->r.err, "rows.jsonl:1"));
}

static void test_cli_attack__names_of_files_do_not_reach_the_terminal_raw(void **state) {
    struct attack *a = *state;
    char name[300];
    (void)snprintf(name, sizeof name, "%s", scratch_path(a->scratch, "a\033[31m.jsonl"));
    write_file(name, rows, sizeof rows - sizeof "{}\n");
    run_program(&a->r, "import", "-q", a->project, name, NULL);
    assert_int_equal(a->r.status, 0);
    assert_null(strchr(a->r.out, '\033'));
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(test_cli_attack__##name, setup, teardown)
        T(skip_bad_never_replaces_the_project),
        T(skip_bad_never_replaces_an_input_of_another_name),
        T(skip_bad_never_replaces_the_texts),
        T(export_never_replaces_the_project),
        T(rank_never_replaces_the_project),
        T(no_temporary_file_empties_the_project),
        T(names_that_json_cannot_hold_are_refused),
        T(backup_replaces_regular_files_only),
        T(missing_responses_are_refused),
        T(missing_prompts_are_refused),
        T(a_first_line_without_end_is_bad_data),
        T(names_of_files_do_not_reach_the_terminal_raw),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
