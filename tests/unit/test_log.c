#include "base/log.h"

#include "base/file.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/io_loop.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

/* 2025-11-22T03:24:05.123Z */
#define WALL_NS (1763781845 * CLOCK_NS_PER_S + 123 * CLOCK_NS_PER_MS)

/* A log whose terminal is the file "terminal" and whose file is "file". */
struct sinks {
    struct log *log;
    int terminal_fd;
};

static struct sinks open_sinks(struct scratch *scratch, enum log_level terminal,
                               enum log_level file, uint32_t trace_mask) {
    struct error err = ERROR_INIT;
    struct sinks sinks = {.log = NULL, .terminal_fd = -1};
    assert_ok(file_open(scratch_path(scratch, "terminal"), O_WRONLY | O_CREAT | O_APPEND,
                        &sinks.terminal_fd, &err),
              &err);
    const struct log_options options = {
        .clock = clock_manual(WALL_NS),
        .terminal_fd = sinks.terminal_fd,
        .terminal_level = terminal,
        .file_path = scratch_path(scratch, "file"),
        .file_level = file,
        .trace_mask = trace_mask,
    };
    assert_ok(log_open(&options, &sinks.log, &err), &err);
    return sinks;
}

static void close_sinks(struct sinks *sinks) {
    (void)close(sinks->terminal_fd);
    log_close(sinks->log);
}

static void test_log__levels_choose_per_sink(void **state) {
    struct scratch *scratch = *state;
    struct sinks sinks = open_sinks(scratch, LOG_LEVEL_WARN, LOG_LEVEL_INFO, 0);
    log_error(sinks.log, "reward", "no %s", "rows");
    log_warn(sinks.log, "import", "%d rows skipped", 3);
    log_info(sinks.log, "import", "done");
    log_debug(sinks.log, "import", "hidden");
    close_sinks(&sinks);
    assert_string_equal(scratch_read(scratch, "terminal"), "error: reward: no rows\n"
                                                           "warning: import: 3 rows skipped\n");
    assert_string_equal(scratch_read(scratch, "file"),
                        "2025-11-22T03:24:05.123Z error reward: no rows\n"
                        "2025-11-22T03:24:05.123Z warning import: 3 rows skipped\n"
                        "2025-11-22T03:24:05.123Z info import: done\n");
}

static void test_log__info_needs_no_level_on_the_terminal(void **state) {
    struct scratch *scratch = *state;
    struct sinks sinks = open_sinks(scratch, LOG_LEVEL_DEBUG, LOG_LEVEL_ERROR, 0);
    log_info(sinks.log, "import", "done");
    log_debug(sinks.log, "db", "opened");
    close_sinks(&sinks);
    assert_string_equal(scratch_read(scratch, "terminal"), "import: done\ndebug: db: opened\n");
    assert_string_equal(scratch_read(scratch, "file"), "");
}

static void test_log_trace__only_channels_that_are_on(void **state) {
    struct scratch *scratch = *state;
    struct sinks sinks = open_sinks(scratch, LOG_LEVEL_ERROR, LOG_LEVEL_ERROR, 1U << LOG_TRACE_SQL);
    assert_true(log_traces(sinks.log, LOG_TRACE_SQL));
    assert_false(log_traces(sinks.log, LOG_TRACE_DATA));
    log_trace(sinks.log, LOG_TRACE_SQL, "select %d", 1);
    log_trace(sinks.log, LOG_TRACE_DATA, "hidden");
    close_sinks(&sinks);
    assert_string_equal(scratch_read(scratch, "terminal"), "trace: sql: select 1\n");
    assert_string_equal(scratch_read(scratch, "file"),
                        "2025-11-22T03:24:05.123Z trace sql: select 1\n");
}

static void test_log_set_file__takes_the_lines_from_then_on(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    const struct log_options options = {.clock = clock_manual(WALL_NS), .terminal_fd = -1};
    SCOPED(log) struct log *log = NULL;
    assert_ok(log_open(&options, &log, &err), &err);
    log_info(log, "sft", "before");
    assert_fails(log_set_file(log, scratch_path(scratch, "no/file"), LOG_LEVEL_INFO, &err), ERR_IO,
                 "no/file'", &err);
    scratch_write(scratch, "file", "of an earlier process\n");
    assert_ok(log_set_file(log, scratch_path(scratch, "file"), LOG_LEVEL_INFO, &err), &err);
    log_info(log, "sft", "after");
    log_debug(log, "sft", "hidden");
    assert_string_equal(scratch_read(scratch, "file"),
                        "of an earlier process\n"
                        "2025-11-22T03:24:05.123Z info sft: after\n");
    assert_ok(log_set_file(log, scratch_path(scratch, "other"), LOG_LEVEL_INFO, &err), &err);
    log_info(log, "sft", "elsewhere");
    assert_null(strstr(scratch_read(scratch, "file"), "elsewhere"));
    assert_string_equal(scratch_read(scratch, "other"),
                        "2025-11-22T03:24:05.123Z info sft: elsewhere\n");
}

static void test_log__null_drops_everything(void **state) {
    struct error err = ERROR_INIT;
    assert_ok(log_set_file(NULL, scratch_path(*state, "file"), LOG_LEVEL_INFO, &err), &err);
    assert_string_equal(scratch_list(*state), "");
    log_error(NULL, "reward", "nobody reads this");
    log_trace(NULL, LOG_TRACE_SQL, "nor this");
    log_set_before_line(NULL, NULL, NULL);
    assert_false(log_traces(NULL, LOG_TRACE_SQL));
}

static void test_log__disarms_control_characters(void **state) {
    struct scratch *scratch = *state;
    struct sinks sinks = open_sinks(scratch, LOG_LEVEL_INFO, LOG_LEVEL_ERROR, 0);
    log_info(sinks.log, "import",
             "a\nerror: forged\x1b[2J\x7f \xc3\xa9\t. \xc2\x9b"
             "2J \xc2\xa0");
    close_sinks(&sinks);
    assert_string_equal(scratch_read(scratch, "terminal"),
                        "import: a error: forged?[2J? \xc3\xa9 . ??2J \xc2\xa0\n");
}

static void test_log__cuts_a_long_line(void **state) {
    struct scratch *scratch = *state;
    struct sinks sinks = open_sinks(scratch, LOG_LEVEL_INFO, LOG_LEVEL_ERROR, 0);
    char text[2 * LOG_LINE_BYTES];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    log_info(sinks.log, "import", "%s", text);
    close_sinks(&sinks);
    const char *line = scratch_read(scratch, "terminal");
    assert_int_equal(strlen(line), LOG_LINE_BYTES - 1);
    assert_string_equal(line + LOG_LINE_BYTES - 6, "x...\n");
}

static void test_log__says_once_that_the_file_failed(void **state) {
    struct scratch *scratch = *state;
    struct sinks sinks = open_sinks(scratch, LOG_LEVEL_ERROR, LOG_LEVEL_INFO, 0);
    log_info(sinks.log, "a", "1");
    file_fail_nth(1, ENOSPC);
    log_info(sinks.log, "a", "2");
    log_info(sinks.log, "a", "3");
    close_sinks(&sinks);
    const char *text = scratch_read(scratch, "terminal");
    assert_non_null(strstr(text, "warning: log: cannot write '"));
    assert_non_null(strstr(text, "file': No space left on device; the log file ends here\n"));
    assert_ptr_equal(strchr(text, '\n'), strrchr(text, '\n'));
    assert_null(strstr(scratch_read(scratch, "file"), "a: 3"));
}

static void count_call(void *context) {
    ++*(int *)context;
}

static void test_log_set_before_line__is_called_for_shown_lines(void **state) {
    struct scratch *scratch = *state;
    struct sinks sinks = open_sinks(scratch, LOG_LEVEL_WARN, LOG_LEVEL_INFO, 0);
    int calls = 0;
    log_set_before_line(sinks.log, count_call, &calls);
    log_warn(sinks.log, "a", "shown");
    log_info(sinks.log, "a", "in the file only");
    assert_int_equal(calls, 1);
    log_set_before_line(sinks.log, NULL, NULL);
    log_warn(sinks.log, "a", "shown");
    assert_int_equal(calls, 1);
    close_sinks(&sinks);
}

static void *write_lines(void *log) {
    for (int i = 0; i < 20; i++) {
        log_info(log, "thread", "a line that must stay in one piece");
    }
    return NULL;
}

static void test_log__lines_of_two_threads_do_not_mix(void **state) {
    struct scratch *scratch = *state;
    struct sinks sinks = open_sinks(scratch, LOG_LEVEL_INFO, LOG_LEVEL_ERROR, 0);
    pthread_t other;
    assert_int_equal(pthread_create(&other, NULL, write_lines, sinks.log), 0);
    (void)write_lines(sinks.log);
    assert_int_equal(pthread_join(other, NULL), 0);
    close_sinks(&sinks);
    static const char line[] = "thread: a line that must stay in one piece\n";
    const char *text = scratch_read(scratch, "terminal");
    assert_int_equal(strlen(text), 40 * (sizeof line - 1));
    for (size_t i = 0; i < 40; i++) {
        assert_memory_equal(text + i * (sizeof line - 1), line, sizeof line - 1);
    }
}

static void test_log_parse__names_what_there_is(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    enum log_level level = LOG_LEVEL_ERROR;
    assert_ok(log_level_parse("debug", &level, &err), &err);
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_fails(log_level_parse("loud", &level, &err), ERR_USAGE,
                 "unknown log level 'loud'; there are error warning info debug", &err);
    uint32_t mask = 0;
    assert_ok(log_trace_parse("tensor,sql", &mask, &err), &err);
    assert_int_equal(mask, 1U << LOG_TRACE_TENSOR | 1U << LOG_TRACE_SQL);
    assert_ok(log_trace_parse("all", &mask, &err), &err);
    assert_int_equal(mask, 7);
    assert_fails(log_trace_parse("sql,dat", &mask, &err), ERR_USAGE,
                 "unknown trace channel 'dat'; there are tensor data sql all", &err);
    assert_fails(log_trace_parse("sql,", &mask, &err), ERR_USAGE, "channel ''", &err);
    assert_int_equal(mask, 7);
    assert_string_equal(log_trace_help(LOG_TRACE_SQL), "each statement with its time");
}

static enum err_code open_and_close(void *context, struct error *err) {
    struct log_options options = {.terminal_fd = -1, .file_path = context};
    SCOPED(log) struct log *log = NULL;
    return log_open(&options, &log, err);
}

static void test_log_open__survives_every_failure(void **state) {
    struct scratch *scratch = *state;
    char *path = scratch_path(scratch, "file");
    alloc_loop_check(open_and_close, path);
    io_loop_check(open_and_close, NULL, path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(test_log__levels_choose_per_sink),
        SCRATCH_TEST(test_log__info_needs_no_level_on_the_terminal),
        SCRATCH_TEST(test_log_trace__only_channels_that_are_on),
        SCRATCH_TEST(test_log_set_file__takes_the_lines_from_then_on),
        SCRATCH_TEST(test_log__null_drops_everything),
        SCRATCH_TEST(test_log__disarms_control_characters),
        SCRATCH_TEST(test_log__cuts_a_long_line),
        SCRATCH_TEST(test_log__says_once_that_the_file_failed),
        SCRATCH_TEST(test_log_set_before_line__is_called_for_shown_lines),
        SCRATCH_TEST(test_log__lines_of_two_threads_do_not_mix),
        SCRATCH_TEST(test_log_parse__names_what_there_is),
        SCRATCH_TEST(test_log_open__survives_every_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
