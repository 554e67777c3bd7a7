/* The program as its users meet it, with tensors: finding libtorch, refusing the wrong one, and the
 * commands that compute. */
#include "base/json.h"
#include "base/scoped.h"
#include "tests/support/run_program.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define REMEDY \
    "run 'bash scripts/setup.sh', or set ACCORD_TORCH_DIR to a torch 2.11.0 package folder"

static int setup(void **state) {
    *state = calloc(1, sizeof(struct program_result));
    return *state ? 0 : -1;
}

static int teardown(void **state) {
    free(*state);
    return 0;
}

static struct json *parse_output(const struct program_result *r) {
    struct json *doc = NULL;
    struct error err = ERROR_INIT;
    assert_ok(json_parse(r->out, strlen(r->out), "output", NULL, &doc, &err), &err);
    return doc;
}

/* ---- the wrong libtorch ---- */

static void check_demo_refused(struct program_result *r, const char *torch_folder,
                               const char *message) {
    char variable[512];
    (void)snprintf(variable, sizeof variable, "ACCORD_TORCH_DIR=%s", torch_folder);
    const char *const environment[] = {variable, NULL};
    run_program_with(r, &(struct program_options){.environment = environment},
                     (const char *const[]){"demo", NULL});
    assert_string_equal(r->err, message);
    assert_string_equal(r->out, "");
    assert_int_equal(r->status, 1);
}

static void test_torch__missing_is_one_line_with_path_and_remedy(void **state) {
    check_demo_refused(*state, "/nonexistent",
                       "accord: cannot load /nonexistent/lib/libc10.so: cannot open shared object "
                       "file: No such file or directory: " REMEDY "\n");
}

static void test_torch__of_another_version_is_refused_by_name(void **state) {
    check_demo_refused(*state, TESTS_FOLDER "/fake_torch_old",
                       "accord: libtorch in '" TESTS_FOLDER
                       "/fake_torch_old' is version 2.9.1, and accord is compiled for 2.11.0: "
                       "unset ACCORD_TORCH_DIR or run 'bash scripts/setup.sh'\n");
}

static void test_torch__without_a_version_is_refused(void **state) {
    check_demo_refused(*state, TESTS_FOLDER "/fake_torch_silent",
                       "accord: libtorch in '" TESTS_FOLDER
                       "/fake_torch_silent' does not tell its version, and accord is compiled for "
                       "2.11.0: unset ACCORD_TORCH_DIR or run 'bash scripts/setup.sh'\n");
}

static void test_doctor__reports_an_unusable_torch_as_missing(void **state) {
    struct program_result *r = *state;
    const char *const environment[] = {"ACCORD_TORCH_DIR=/nonexistent", NULL};
    run_program_with(r, &(struct program_options){.environment = environment},
                     (const char *const[]){"doctor", "--json", NULL});
    assert_int_equal(r->status, 1);
    assert_string_equal(r->err, "accord: libtorch is missing\n");
    SCOPED(json) struct json *doc = parse_output(r); /* one value, though it failed */
    int64_t missing = 0;
    struct error err = ERROR_INIT;
    assert_ok(json_get_i64(doc, json_root(doc), "missing", &missing, &err), &err);
    assert_int_equal(missing, 1);
    assert_non_null(strstr(r->out, "/nonexistent/lib/libc10.so"));
}

/* ---- an environment that libraries would complain about in their own way ---- */

static void check_bench_refuses(struct program_result *r, const char *variable, int status,
                                const char *message) {
    const char *const environment[] = {variable, NULL};
    run_program_with(r, &(struct program_options){.environment = environment},
                     (const char *const[]){"bench", "scope", "-r1", NULL});
    assert_string_equal(r->err, message);
    assert_int_equal(r->status, status);
}

static void test_environment__is_refused_in_one_line(void **state) {
    check_bench_refuses(
        *state, "OMP_NUM_THREADS=abc", 2,
        "accord: OMP_NUM_THREADS='abc' is not a thread count in [1, 1024]; unset or "
        "correct it\n");
    check_bench_refuses(
        *state, "TT_TRACE=4", 2,
        "accord: TT_TRACE='4' is not a trace level in [0, 3]; unset or correct it\n");
}

static void test_environment__without_a_current_folder_is_refused_in_one_line(void **state) {
    struct program_result *r = *state;
    const struct program_options options = {.program = "/bin/bash"};
    run_program_with(r, &options,
                     (const char *const[]){"-c",
                                           "cd \"$(mktemp -d)\" && rmdir \"$PWD\" && "
                                           "exec " ACCORD_PROGRAM " demo",
                                           NULL});
    assert_string_equal(r->err, "accord: libtorch cannot start in the current folder, change to "
                                "another: No such file or directory\n");
    assert_int_equal(r->status, 1);
}

/* ---- the wrong tensor half ---- */

static void copy_program(const char *to) {
    FILE *from_file = fopen(ACCORD_PROGRAM, "rb");
    FILE *to_file = fopen(to, "wb");
    assert_non_null(from_file);
    assert_non_null(to_file);
    char piece[65536];
    size_t count = 0;
    while ((count = fread(piece, 1, sizeof piece, from_file)) > 0) {
        assert_int_equal(fwrite(piece, 1, count, to_file), count);
    }
    (void)fclose(from_file);
    assert_int_equal(fclose(to_file), 0);
    assert_int_equal(chmod(to, 0755), 0);
}

static void run_copy(struct program_result *r, const char *program) {
    copy_program(program);
    run_program_with(r, &(struct program_options){.program = program},
                     (const char *const[]){"demo", NULL});
    assert_int_equal(r->status, 1);
    assert_string_equal(r->out, "");
}

static void test_module__missing_is_one_line_with_path_and_remedy(void **state) {
    struct program_result *r = *state;
    (void)mkdir(TESTS_FOLDER "/no_module", 0755);
    run_copy(r, TESTS_FOLDER "/no_module/accord");
    assert_string_equal(
        r->err, "accord: cannot load " TESTS_FOLDER
                "/no_module/../lib/accord/libaccord_lm.so: cannot open shared object file: "
                "No such file or directory: build the target 'accord_lm', or install accord "
                "again\n");
}

static void test_bench__says_once_why_the_timed_program_fails(void **state) {
    struct program_result *r = *state;
    const char *program = TESTS_FOLDER "/no_module/accord";
    (void)mkdir(TESTS_FOLDER "/no_module", 0755);
    copy_program(program);
    run_program_with(r, &(struct program_options){.program = program},
                     (const char *const[]){"bench", "torch", "-r1", NULL});
    assert_string_equal(r->err, "accord: load libtorch, add two numbers: 'accord bench one-op' "
                                "failed: run it to see why\n");
    assert_int_equal(r->status, 1);
}

static void test_module__of_another_build_is_refused(void **state) {
    struct program_result *r = *state;
    (void)mkdir(TESTS_FOLDER "/fake_install/bin", 0755);
    run_copy(r, TESTS_FOLDER "/fake_install/bin/accord");
    assert_non_null(strstr(r->err, "libaccord_lm.so' is from build '0.0.9 other', and this program "
                                   "from '" ACCORD_VERSION " "));
    assert_non_null(
        strstr(r->err, "': run 'cmake --build' on the whole, or install accord again\n"));
}

/* ---- computing ---- */

static void test_doctor__finds_one_openmp_runtime(void **state) {
    struct program_result *r = *state;
    run_program(r, "doctor", NULL);
    assert_int_equal(r->status, 0);
    assert_non_null(strstr(r->out, " libgomp loaded"));
    assert_non_null(strstr(r->out, "1 libgomp loaded"));
    assert_non_null(strstr(r->out, "2.11.0"));
    assert_non_null(strstr(r->out, "GFLOP/s"));
    assert_non_null(strstr(r->out, "Nothing is missing"));
}

static void test_device__that_is_not_there_is_one_line(void **state) {
    struct program_result *r = *state;
    run_program(r, "bench", "scope", "-r1", "--device", "cuda:77", NULL);
    assert_int_equal(r->status, 1);
    assert_non_null(strstr(r->err, "accord: CUDA: "));
    assert_ptr_equal(strchr(r->err, '\n'), r->err + strlen(r->err) - 1);
}

static void test_bench__scope_compares_both_ways(void **state) {
    struct program_result *r = *state;
    run_program(r, "bench", "scope", "--cycles", "10", "-r1", "--json", NULL);
    assert_int_equal(r->status, 0);
    SCOPED(json) struct json *doc = parse_output(r);
    const struct json_node *rows = NULL;
    struct error err = ERROR_INIT;
    assert_ok(json_get_array(doc, json_root(doc), "rows", &rows, &err), &err);
    assert_int_equal(json_count(doc, rows), 2);
}

static void test_bench__adamw_runs_every_case(void **state) {
    struct program_result *r = *state;
    run_program(r, "bench", "adamw", "-n1003", "-r1", "--json", NULL);
    assert_int_equal(r->status, 0);
    assert_non_null(strstr(r->out, "at::_fused_adamw_"));
    assert_non_null(strstr(r->out, "GB/s"));
}

int main(void) {
#define CLI_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        CLI_TEST(test_torch__missing_is_one_line_with_path_and_remedy),
        CLI_TEST(test_torch__of_another_version_is_refused_by_name),
        CLI_TEST(test_torch__without_a_version_is_refused),
        CLI_TEST(test_doctor__reports_an_unusable_torch_as_missing),
        CLI_TEST(test_module__missing_is_one_line_with_path_and_remedy),
        CLI_TEST(test_module__of_another_build_is_refused),
        CLI_TEST(test_environment__is_refused_in_one_line),
        CLI_TEST(test_environment__without_a_current_folder_is_refused_in_one_line),
        CLI_TEST(test_bench__says_once_why_the_timed_program_fails),
        CLI_TEST(test_doctor__finds_one_openmp_runtime),
        CLI_TEST(test_device__that_is_not_there_is_one_line),
        CLI_TEST(test_bench__scope_compares_both_ways),
        CLI_TEST(test_bench__adamw_runs_every_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
