/* What a command is given: options and configuration in their order, and exit statuses. */
#include "trainer/run.h"

#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"
#include "trainer/command_table.h"
#include "trainer/exit_status.h"

#define WORDS_MAX 16

static enum err_code start(const char *const *words, struct run *run, struct output *output,
                           struct error *err) {
    const char *argv[WORDS_MAX + 1] = {"accord"};
    int argc = 1;
    for (; words[argc - 1]; argc++) {
        argv[argc] = words[argc - 1];
    }
    SCOPED(command_args) struct command_args args = COMMAND_ARGS_INIT;
    TRY(command_parse(&cmd_root, argc, argv, &args, err));
    return run_init(run, output, &args, err);
}

#define START(run, output, err, ...) \
    start((const char *const[]){"version", __VA_ARGS__, NULL}, (run), (output), (err))

static void test_run_init__takes_the_nearest_source(void **state) {
    struct scratch *scratch = *state;
    scratch_write(
        scratch, "c.json",
        "{\"run\": {\"seed\": 1, \"threads\": 1, \"device\": \"cuda\", \"dtype\": \"f32\"}}");
    char *path = scratch_path(scratch, "c.json");
    struct error err = ERROR_INIT;
    struct output output = {.json = false};
    SCOPED(run) struct run run = RUN_INIT;
    assert_ok(START(&run, &output, &err, "--threads", "7", "-s", "run.threads=5", "-s",
                    "run.device=cpu", "-s", "run.threads=6", "--config", path),
              &err);
    assert_int_equal(run.settings->seed, 1); /* the file, over the default 0 */
    assert_int_equal(run.settings->dtype, RUN_DTYPE_F32);
    assert_string_equal(run.settings->device, "cpu"); /* --set, over the file */
    assert_int_equal(run.settings->threads, 7);       /* --threads, over --set and the file */
    assert_int_equal(run.settings->log_level, LOG_LEVEL_INFO);
    struct thread_count count = {.threads = 0};
    assert_ok(run_threads(&run, &count, &err), &err);
    assert_int_equal(count.threads, 7);
}

static void test_run_init__refuses_a_bad_file(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    struct output output = {.json = false};
    SCOPED(run) struct run run = RUN_INIT;
    scratch_write(scratch, "c.json", "{\"run\": {\"seeds\": 1}}");
    char *path = scratch_path(scratch, "c.json");
    assert_fails(START(&run, &output, &err, "--config", path), ERR_CONFIG,
                 "$.run.seeds: unknown key, did you mean 'seed'?", &err);
    run_deinit(&run);
    assert_fails(START(&run, &output, &err, "--config", scratch_path(scratch, "none.json")), ERR_IO,
                 "--config: cannot open '", &err);
}

static void test_run_init__refuses_a_bad_option_by_its_name(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct output output = {.json = false};
    SCOPED(run) struct run run = RUN_INIT;
    assert_fails(START(&run, &output, &err, "--seed", "-1"), ERR_CONFIG,
                 "--seed: $.run.seed: expected unsigned 64-bit integer, found string '-1'", &err);
    run_deinit(&run);
    assert_fails(START(&run, &output, &err, "--device", "c\xFF"), ERR_CONFIG,
                 "--device 'c\\xff': not UTF-8 at byte 1", &err);
    run_deinit(&run);
    char value[5000];
    memset(value, '1', sizeof value);
    value[sizeof value - 1] = '\0';
    assert_fails(START(&run, &output, &err, "--threads", value), ERR_CONFIG,
                 "--threads: $.run.threads: expected 64-bit integer, found string '1111", &err);
}

static enum err_code start_and_end(void *context, struct error *err) {
    struct output output = {.json = false};
    SCOPED(run) struct run run = RUN_INIT;
    return START(&run, &output, err, "--seed", "3", "-s", "run.device=cuda", "--config",
                 (const char *)context);
}

static void test_run_init__survives_every_failed_allocation(void **state) {
    struct scratch *scratch = *state;
    scratch_write(scratch, "c.json", "{\"run\": {\"device\": \"cuda:1\"}}");
    alloc_loop_check(start_and_end, scratch_path(scratch, "c.json"));
}

static void test_exit_status__is_the_documented_one(void **state) {
    (void)state;
    for (int code = 0; code < ERR_CODE_COUNT; code++) {
        int expected = 1;
        switch (code) {
        case ERR_OK:
            expected = 0;
            break;
        case ERR_USAGE:
        case ERR_CONFIG:
            expected = 2;
            break;
        case ERR_DATA:
            expected = 3;
            break;
        case ERR_VERIFY:
            expected = 4;
            break;
        case ERR_INTERRUPTED:
            expected = 130;
            break;
        default:
            break;
        }
        assert_int_equal(exit_status_of((enum err_code)code), expected);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(test_run_init__takes_the_nearest_source),
        SCRATCH_TEST(test_run_init__refuses_a_bad_file),
        cmocka_unit_test(test_run_init__refuses_a_bad_option_by_its_name),
        SCRATCH_TEST(test_run_init__survives_every_failed_allocation),
        cmocka_unit_test(test_exit_status__is_the_documented_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
