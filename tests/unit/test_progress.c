/* Asks for the pseudo-terminal calls, which are in POSIX's XSI part. */
#define _XOPEN_SOURCE 700 /* NOLINT(bugprone-reserved-identifier): POSIX names it so */

#include "base/progress.h"

#include "base/file.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define MS    CLOCK_NS_PER_MS
#define S     CLOCK_NS_PER_S
#define CLEAR "\r\x1b[K"

struct fixture {
    struct scratch *scratch;
    struct clock clock;
    int fd;
    struct progress progress;
};

static void open_fixture(struct fixture *f, struct scratch *scratch, enum progress_mode mode,
                         int64_t total) {
    struct error err = ERROR_INIT;
    assert_int_equal(setenv("COLUMNS", "80", 1), 0);
    f->scratch = scratch;
    f->clock = clock_manual(0);
    assert_ok(file_open(scratch_path(scratch, "out"), O_WRONLY | O_CREAT | O_TRUNC, &f->fd, &err),
              &err);
    const struct progress_options options = {.clock = &f->clock,
                                             .fd = f->fd,
                                             .mode = mode,
                                             .label = "import",
                                             .unit = "rows",
                                             .total = total};
    progress_open(&options, &f->progress);
}

static void update_after(struct fixture *f, int64_t ns, int64_t done) {
    clock_advance(&f->clock, ns);
    progress_update(&f->progress, done);
}

/* What has been written since the last call. */
static const char *take_output(struct fixture *f) {
    const char *text = scratch_read(f->scratch, "out");
    assert_int_equal(ftruncate(f->fd, 0), 0);
    assert_int_equal(lseek(f->fd, 0, SEEK_SET), 0);
    return text;
}

static void close_fixture(struct fixture *f) {
    progress_close(&f->progress);
    (void)close(f->fd);
    assert_int_equal(unsetenv("COLUMNS"), 0);
}

/* 450 rows in 10 s: 45 rows/s, 550 left: 12.2 s. Of 79 columns "import  45% " takes 12, the text
 * after the bar 37, brackets and space 3: 27 columns of bar, 45 % of which are 12. */
static void test_progress_bar__shows_share_rate_and_time_left(void **state) {
    struct fixture f;
    open_fixture(&f, *state, PROGRESS_MODE_BAR, 1000);
    update_after(&f, 10 * S, 450);
    assert_string_equal(take_output(&f), CLEAR "import  45% [============>              ] "
                                               "450/1000 rows, 45 rows/s, 12.2 s left");
    update_after(&f, 10 * S, 1000);
    assert_string_equal(take_output(&f), CLEAR "import 100% [==============================] "
                                               "1000/1000 rows, 50 rows/s, 20.0 s");
    assert_int_equal(setenv("COLUMNS", "200", 1), 0); /* 30 columns of bar at most */
    update_after(&f, 5 * S, 1000);
    assert_string_equal(take_output(&f), CLEAR "import 100% [==============================] "
                                               "1000/1000 rows, 40 rows/s, 25.0 s");
    progress_finish(&f.progress);
    assert_string_equal(take_output(&f), CLEAR "import: 1000 rows in 25.0 s (40 rows/s)\n");
    close_fixture(&f);
}

static void test_progress_bar__is_drawn_ten_times_a_second_at_most(void **state) {
    struct fixture f;
    open_fixture(&f, *state, PROGRESS_MODE_BAR, PROGRESS_TOTAL_UNKNOWN);
    int drawn = 0;
    for (int64_t i = 1; i <= 3000; i++) { /* one update a millisecond, three seconds */
        update_after(&f, MS, i);
        drawn += take_output(&f)[0] != '\0';
    }
    assert_int_equal(drawn, 30);
    close_fixture(&f);
}

static void test_progress_bar__unknown_total_shows_elapsed_time(void **state) {
    struct fixture f;
    open_fixture(&f, *state, PROGRESS_MODE_BAR, PROGRESS_TOTAL_UNKNOWN);
    update_after(&f, 2 * S, 0);
    assert_string_equal(take_output(&f), CLEAR "import: 0 rows, 2.0 s");
    update_after(&f, 2 * S, 4936);
    assert_string_equal(take_output(&f), CLEAR "import: 4936 rows, 1.23k rows/s, 4.0 s");
    progress_finish(&f.progress);
    assert_string_equal(take_output(&f), CLEAR "import: 4936 rows in 4.0 s (1.23k rows/s)\n");
    close_fixture(&f);
}

static void test_progress_bar__fits_a_narrow_terminal(void **state) {
    struct fixture f;
    open_fixture(&f, *state, PROGRESS_MODE_BAR, 1000);
    assert_int_equal(setenv("COLUMNS", "60", 1), 0); /* 59 - 12 - 37 - 3 = 7 columns of bar */
    update_after(&f, 10 * S, 450);
    assert_string_equal(take_output(&f), CLEAR "import  45% [===>   ] "
                                               "450/1000 rows, 45 rows/s, 12.2 s left");
    assert_int_equal(setenv("COLUMNS", "56", 1), 0); /* 55 - 12 - 36 - 3 = 4: too few */
    update_after(&f, 10 * S, 900);
    assert_string_equal(take_output(&f), CLEAR "import  90% 900/1000 rows, 45 rows/s, 2.2 s left");
    assert_int_equal(setenv("COLUMNS", "20", 1), 0);
    update_after(&f, S, 945);
    assert_string_equal(take_output(&f), CLEAR "import  94% 945/100");
    close_fixture(&f);
}

static void test_progress_bar__counts_code_points_not_bytes(void **state) {
    struct fixture f;
    open_fixture(&f, *state, PROGRESS_MODE_BAR, PROGRESS_TOTAL_UNKNOWN);
    f.progress.options.label = "\xc3\xa9\xc3\xa9\xc3\xa9";
    assert_int_equal(setenv("COLUMNS", "3", 1), 0);
    update_after(&f, S, 1);
    assert_string_equal(take_output(&f), CLEAR "\xc3\xa9\xc3\xa9");
    close_fixture(&f);
}

static void test_progress_close__ends_a_visible_bar_with_a_line_end(void **state) {
    struct fixture f;
    open_fixture(&f, *state, PROGRESS_MODE_BAR, PROGRESS_TOTAL_UNKNOWN);
    progress_close(&f.progress);
    assert_string_equal(take_output(&f), "");
    close_fixture(&f);
    open_fixture(&f, *state, PROGRESS_MODE_BAR, PROGRESS_TOTAL_UNKNOWN);
    update_after(&f, S, 1);
    (void)take_output(&f);
    progress_close(&f.progress);
    assert_string_equal(take_output(&f), "\n");
    progress_finish(&f.progress);
    assert_string_equal(take_output(&f), "");
    close_fixture(&f);
}

static void test_progress_lines__one_every_ten_seconds_and_a_last_one(void **state) {
    struct fixture f;
    open_fixture(&f, *state, PROGRESS_MODE_LINES, 1000);
    update_after(&f, 10 * S - 1, 300);
    assert_string_equal(take_output(&f), "");
    update_after(&f, 1, 450);
    assert_string_equal(take_output(&f), "import: 450/1000 rows (45%), 45 rows/s, 12.2 s left\n");
    update_after(&f, 9 * S, 999);
    assert_string_equal(take_output(&f), "");
    progress_finish(&f.progress);
    assert_string_equal(take_output(&f), "import: 999 of 1000 rows in 19.0 s (52.6 rows/s)\n");
    close_fixture(&f);
}

/* 500 done before, 100 in 10 s now: 10 rows/s, 400 left: 40 s. */
static void test_progress__rate_leaves_out_what_was_done_before(void **state) {
    struct fixture f;
    open_fixture(&f, *state, PROGRESS_MODE_LINES, 1000);
    f.progress.options.start = 500;
    update_after(&f, 10 * S, 600);
    assert_string_equal(take_output(&f), "import: 600/1000 rows (60%), 10 rows/s, 40.0 s left\n");
    close_fixture(&f);
}

static void test_progress_quiet__writes_nothing(void **state) {
    struct fixture f;
    open_fixture(&f, *state, PROGRESS_MODE_QUIET, 10);
    update_after(&f, 100 * S, 5);
    progress_finish(&f.progress);
    assert_string_equal(take_output(&f), "");
    close_fixture(&f);
}

static void test_progress__rates_have_three_digits(void **state) {
    static const struct {
        int64_t done; /* in 10 s */
        const char *rate;
    } cases[] = {{1, "0.1 "},       {9994, "999 "},        {9995, "1k "},
                 {12345, "1.23k "}, {9999999, "1M "},      {123456789, "12.3M "},
                 {98765, "9.88k "}, {1234567890, "123M "}, {12345678900, "1.23G "}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        open_fixture(&f, *state, PROGRESS_MODE_LINES, PROGRESS_TOTAL_UNKNOWN);
        update_after(&f, 10 * S, cases[i].done);
        const char *rate = strstr(take_output(&f), "rows, ");
        assert_non_null(rate);
        assert_memory_equal(rate + 6, cases[i].rate, strlen(cases[i].rate));
        close_fixture(&f);
    }
}

/* More done than promised, an empty whole, and nothing done at all must not divide by zero. */
static void test_progress__survives_odd_totals(void **state) {
    struct fixture f;
    open_fixture(&f, *state, PROGRESS_MODE_LINES, 10);
    update_after(&f, 10 * S, 20);
    assert_string_equal(take_output(&f), "import: 20/10 rows (100%), 2 rows/s, 10.0 s\n");
    close_fixture(&f);
    open_fixture(&f, *state, PROGRESS_MODE_LINES, 0);
    update_after(&f, 10 * S, 0);
    assert_string_equal(take_output(&f), "import: 0/0 rows (100%), 10.0 s\n");
    progress_finish(&f.progress);
    assert_string_equal(take_output(&f), "import: 0 rows in 10.0 s\n");
    close_fixture(&f);
}

static void test_progress_bar__makes_room_for_log_lines(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    struct fixture f;
    open_fixture(&f, scratch, PROGRESS_MODE_BAR, PROGRESS_TOTAL_UNKNOWN);
    struct log *log = NULL;
    const struct log_options options = {.clock = f.clock, .terminal_fd = f.fd};
    assert_ok(log_open(&options, &log, &err), &err);
    struct progress_options with_log = f.progress.options;
    with_log.log = log;
    progress_open(&with_log, &f.progress);
    update_after(&f, S, 5);
    log_error(log, "import", "oops");
    log_error(log, "import", "again");
    progress_finish(&f.progress);
    log_error(log, "import", "later");
    assert_string_equal(take_output(&f),
                        CLEAR "import: 5 rows, 5 rows/s, 1.0 s" CLEAR "error: import: oops\n"
                              "error: import: again\n"
                              "import: 5 rows in 1.0 s (5 rows/s)\n"
                              "error: import: later\n");
    log_close(log);
    close_fixture(&f);
}

static int open_terminal_or_skip(void) {
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    if (terminal < 0) {
        print_message("skipped: no pseudo-terminals here (is /dev/pts mounted?)\n");
        skip();
    }
    return terminal;
}

static void test_progress_mode_for__bar_on_a_terminal_only(void **state) {
    struct scratch *scratch = *state;
    scratch_write(scratch, "file", "");
    int file = open(scratch_path(scratch, "file"), O_RDWR);
    int terminal = open_terminal_or_skip();
    assert_true(file >= 0);
    assert_int_equal(setenv("TERM", "xterm", 1), 0);
    assert_int_equal(progress_mode_for(file), PROGRESS_MODE_LINES);
    assert_int_equal(progress_mode_for(terminal), PROGRESS_MODE_BAR);
    assert_int_equal(setenv("TERM", "dumb", 1), 0);
    assert_int_equal(progress_mode_for(terminal), PROGRESS_MODE_LINES);
    (void)close(file);
    (void)close(terminal);
}

static void test_progress_columns__environment_then_terminal_then_80(void **state) {
    (void)state;
    int terminal = open_terminal_or_skip();
    const struct winsize size = {.ws_row = 10, .ws_col = 47};
    assert_int_equal(ioctl(terminal, TIOCSWINSZ, &size), 0);
    assert_int_equal(unsetenv("COLUMNS"), 0);
    assert_int_equal(progress_columns(terminal), 47);
    assert_int_equal(progress_columns(-1), 80);
    assert_int_equal(setenv("COLUMNS", "33", 1), 0);
    assert_int_equal(progress_columns(terminal), 33);
    assert_int_equal(setenv("COLUMNS", "wide", 1), 0);
    assert_int_equal(progress_columns(terminal), 47);
    assert_int_equal(unsetenv("COLUMNS"), 0);
    (void)close(terminal);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(test_progress_bar__shows_share_rate_and_time_left),
        SCRATCH_TEST(test_progress_bar__is_drawn_ten_times_a_second_at_most),
        SCRATCH_TEST(test_progress_bar__unknown_total_shows_elapsed_time),
        SCRATCH_TEST(test_progress_bar__fits_a_narrow_terminal),
        SCRATCH_TEST(test_progress_bar__counts_code_points_not_bytes),
        SCRATCH_TEST(test_progress_close__ends_a_visible_bar_with_a_line_end),
        SCRATCH_TEST(test_progress_lines__one_every_ten_seconds_and_a_last_one),
        SCRATCH_TEST(test_progress__rate_leaves_out_what_was_done_before),
        SCRATCH_TEST(test_progress_quiet__writes_nothing),
        SCRATCH_TEST(test_progress__rates_have_three_digits),
        SCRATCH_TEST(test_progress__survives_odd_totals),
        SCRATCH_TEST(test_progress_bar__makes_room_for_log_lines),
        SCRATCH_TEST(test_progress_mode_for__bar_on_a_terminal_only),
        SCRATCH_TEST(test_progress_columns__environment_then_terminal_then_80),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
