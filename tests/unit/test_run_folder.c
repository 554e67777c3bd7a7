/* What a run leaves in its folder, and when a folder is refused. */
#include "trainer/run_folder.h"

#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/io_loop.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"
#include "trainer/command_table.h"
#include "trainer/sft_config.h"

#include <stdio.h>
#include <string.h>

static enum err_code open_folder(struct run *run, const char *path, bool resume,
                                 struct run_folder *out, struct error *err) {
    struct command_args args = COMMAND_ARGS_INIT;
    const char *positionals[] = {"it's here"};
    args.path = (struct command_path){.commands = {&cmd_root, &cmd_sft}, .length = 2};
    args.positionals = positionals;
    args.positional_count = 1;
    const struct run_folder_options options = {
        .path = path, .resume = resume, .args = &args, .torch = "2.11.0"};
    return run_folder_open(run, &options, out, err);
}

/* A run with this seed, a log without a file, and no more. */
static void make_run(struct run *run, uint64_t seed) {
    struct error err = ERROR_INIT;
    run->clock = clock_manual(0);
    assert_ok(
        log_open(&(struct log_options){.clock = run->clock, .terminal_fd = -1}, &run->log, &err),
        &err);
    run->config_table = &sft_config_table;
    run->config = mem_array_zero(1, sizeof(struct sft_config));
    assert_non_null(run->config);
    assert_ok(config_init(run->config_table, run->config, &err), &err);
    ((struct sft_config *)run->config)->train.run.seed = seed;
    run->settings = run->config;
}

static void test_open__writes_what_the_run_is(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    SCOPED(run) struct run run = RUN_INIT;
    make_run(&run, 7);
    struct run_folder folder = RUN_FOLDER_INIT;
    assert_ok(open_folder(&run, scratch_path(scratch, "a/b"), false, &folder, &err), &err);
    assert_non_null(strstr(scratch_read(scratch, "a/b/config.json"), "\"seed\": 7"));
    assert_string_equal(scratch_read(scratch, "a/b/command.txt"),
                        "accord sft -- 'it'\\''s here'\n");
    const char *environment = scratch_read(scratch, "a/b/environments.jsonl");
    assert_non_null(strstr(environment, "{\"started_at\":\"1970-01-01T00:00:00Z\",\"build\":\""));
    assert_non_null(strstr(environment, "\"libraries\":{\"libtorch\":\"2.11.0\",\"SQLite\":"));
    assert_non_null(strstr(environment, "\"device\":\"cpu\",\"seed\":7}\n"));
    log_warn(run.log, "sft", "a line");
    assert_string_equal(scratch_read(scratch, "a/b/log.txt"),
                        "1970-01-01T00:00:00.000Z warning sft: a line\n");
    run_folder_close(&folder);
    run_folder_close(&folder);
    assert_ok(open_folder(&run, scratch_path(scratch, "a/b"), true, &folder, &err), &err);
    run_folder_close(&folder);
    assert_string_equal(scratch_read(scratch, "a/b/command.txt"),
                        "accord sft -- 'it'\\''s here'\n"
                        "accord sft -- 'it'\\''s here'\n");
}

static void test_open__refuses_a_folder_with_a_run_unless_resumed(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    SCOPED(run) struct run run = RUN_INIT;
    make_run(&run, 7);
    char *path = scratch_path(scratch, "a");
    struct run_folder folder = RUN_FOLDER_INIT;
    assert_fails(open_folder(&run, path, true, &folder, &err), ERR_USAGE,
                 "' holds no run to resume", &err);
    assert_string_equal(scratch_list(scratch), "");
    assert_ok(open_folder(&run, path, false, &folder, &err), &err);
    struct run_folder second = RUN_FOLDER_INIT;
    assert_fails(open_folder(&run, path, true, &second, &err), ERR_IO,
                 "another process is running in '", &err);
    run_folder_close(&folder);
    assert_fails(open_folder(&run, path, false, &folder, &err), ERR_USAGE,
                 "' holds a run: go on with it by --resume, or choose another --output", &err);
    assert_ok(open_folder(&run, path, true, &folder, &err), &err);
    run_folder_close(&folder);
}

static void test_open__names_what_differs_from_the_run_resumed(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    SCOPED(run) struct run run = RUN_INIT;
    SCOPED(run) struct run other = RUN_INIT;
    make_run(&run, 7);
    make_run(&other, 71);
    char *path = scratch_path(scratch, "a");
    struct run_folder folder = RUN_FOLDER_INIT;
    assert_ok(open_folder(&run, path, false, &folder, &err), &err);
    run_folder_close(&folder);
    assert_fails(open_folder(&other, path, true, &folder, &err), ERR_CONFIG,
                 "another configuration, there \"seed\": 7: resume it with --config ", &err);
    assert_non_null(strstr(scratch_read(scratch, "a/config.json"), "\"seed\": 7"));
}

/* Where it stands and how much it says changes nothing that it computes. */
static void test_open__takes_up_a_folder_that_was_moved(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    SCOPED(run) struct run run = RUN_INIT;
    make_run(&run, 7);
    char *path = scratch_path(scratch, "a");
    char *moved = scratch_path(scratch, "b");
    struct run_folder folder = RUN_FOLDER_INIT;
    assert_ok(config_set(run.config_table, run.config, "output=a", &err), &err);
    assert_ok(open_folder(&run, path, false, &folder, &err), &err);
    const struct hash_digest begun = folder.config;
    run_folder_close(&folder);
    assert_int_equal(rename(path, moved), 0);
    assert_ok(config_set(run.config_table, run.config, "output=b", &err), &err);
    assert_ok(config_set(run.config_table, run.config, "run.log_level=debug", &err), &err);
    assert_ok(open_folder(&run, moved, true, &folder, &err), &err);
    assert_memory_equal(&folder.config, &begun, sizeof begun);
    run_folder_close(&folder);
}

struct opening {
    struct scratch *scratch;
    struct run *run;
};

static enum err_code open_and_close(void *context, struct error *err) {
    const struct opening *opening = context;
    struct run_folder folder = RUN_FOLDER_INIT;
    enum err_code code =
        open_folder(opening->run, scratch_path(opening->scratch, "a"),
                    strstr(scratch_list(opening->scratch), "a/") != NULL, &folder, err);
    run_folder_close(&folder);
    return code;
}

static void test_open__survives_every_failing_allocation(void **state) {
    struct error err = ERROR_INIT;
    SCOPED(run) struct run run = RUN_INIT;
    make_run(&run, 7);
    struct opening opening = {.scratch = *state, .run = &run};
    assert_ok(open_and_close(&opening, &err), &err);
    alloc_loop_check_tolerant(open_and_close, &opening); /* machine_look does without */
}

static void test_metrics__cut_off_what_the_resumed_run_writes_again(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    SCOPED(run) struct run run = RUN_INIT;
    make_run(&run, 7);
    SCOPED(run_folder) struct run_folder folder = RUN_FOLDER_INIT;
    assert_ok(open_folder(&run, scratch_path(scratch, "a"), false, &folder, &err), &err);
    for (int64_t first = 0; first < 2; first++) {
        SCOPED(metrics) struct metrics *metrics = NULL;
        assert_ok(run_folder_metrics(&folder, "rows.jsonl", first, &metrics, &err), &err);
        const struct metric row[] = {{"loss", 0.5}};
        for (int64_t step = first; step < 3; step++) {
            assert_ok(metrics_add(metrics, step, row, 1, &err), &err);
        }
    }
    const char *rows = scratch_read(scratch, "a/rows.jsonl");
    assert_non_null(strstr(rows, "\"step\":2"));
    assert_null(strstr(strstr(rows, "\"step\":2") + 1, "\"step\""));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(test_open__writes_what_the_run_is),
        SCRATCH_TEST(test_open__refuses_a_folder_with_a_run_unless_resumed),
        SCRATCH_TEST(test_open__names_what_differs_from_the_run_resumed),
        SCRATCH_TEST(test_open__takes_up_a_folder_that_was_moved),
        SCRATCH_TEST(test_open__survives_every_failing_allocation),
        SCRATCH_TEST(test_metrics__cut_off_what_the_resumed_run_writes_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
