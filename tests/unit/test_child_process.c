#include "base/child_process.h"

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_BYTES_MAX ((size_t)4 * 1024 * 1024)
#define LONG_MS          20000 /* never reached */

static struct child_process *start(const char *script) {
    struct error err = ERROR_INIT;
    struct child_process *child = NULL;
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    assert_ok(child_process_start(argv, &child, &err), &err);
    return child;
}

static struct child_question question_of(const char *text, int64_t lines, int64_t timeout_ms) {
    return (struct child_question){
        .bytes = text, .count = strlen(text), .lines = lines, .timeout_ms = timeout_ms};
}

static void assert_answers(struct child_process *child, const char *text, int64_t lines,
                           const char *expected) {
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(ANSWER_BYTES_MAX);
    struct child_question question = question_of(text, lines, LONG_MS);
    assert_ok(child_process_ask(child, &question, &out, &err), &err);
    assert_string_equal(strbuf_text(&out), expected);
}

/* The script's answer to three lines fails with `code` and `message`, exactly; nothing of it is
 * left, and no further question is put. */
static void assert_refused(const char *script, int64_t timeout_ms, enum err_code code,
                           const char *message) {
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(ANSWER_BYTES_MAX);
    SCOPED(child_process) struct child_process *child = start(script);
    struct child_question question = question_of("a\nb\nc\n", 3, timeout_ms);
    assert_int_equal(child_process_ask(child, &question, &out, &err), code);
    assert_string_equal(err.msg, message);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_fails(child_process_ask(child, &question, &out, &err), ERR_IO, "has failed before",
                 &err);
}

static void test_ask__answers_in_order(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(child_process)
    struct child_process *child = start("while read -r x; do echo \"<$x>\"; done");
    assert_answers(child, "1\n2\n", 2, "<1>\n<2>\n");
    assert_answers(child, "", 0, "");
    assert_answers(child, "3\n", 1, "<3>\n");
    assert_ok(child_process_finish(child, LONG_MS, &err), &err);
}

/* 1 MiB each way is 16 times what a pipe holds: who writes all before reading waits for ever. */
static void test_ask__more_than_a_pipe_holds(void **state) {
    (void)state;
    size_t count = (size_t)1024 * 1024;
    char *text = malloc(count + 1);
    assert_non_null(text);
    for (size_t i = 0; i < count; i++) {
        text[i] = i % 64 == 63 ? '\n' : (char)('a' + i / 64 % 26);
    }
    text[count] = '\0';
    struct child_process *child = start("exec cat");
    assert_answers(child, text, (int64_t)count / 64, text);
    child_process_close(child);
    free(text);
}

static void test_ask__last_line_without_its_end(void **state) {
    (void)state;
    SCOPED(child_process) struct child_process *child = start("read -r x; printf 7");
    assert_answers(child, "x\n", 1, "7\n");
}

static void test_ask__ten_megabytes_of_errors(void **state) {
    (void)state;
    SCOPED(child_process)
    struct child_process *child =
        start("read -r x; head -c 10000000 /dev/zero | tr '\\0' e >&2; printf '\\nlast\\n' >&2;"
              " echo 1; read -r x; echo 2");
    assert_answers(child, "x\n", 1, "1\n");
    assert_answers(child, "x\n", 1, "2\n");
    assert_string_equal(child_process_last_words(child), "last");
}

static void test_ask__dead_program_refused(void **state) {
    (void)state;
    assert_refused("read -r x; echo one >&2; echo 'no \033model' >&2; exit 3", LONG_MS, ERR_IO,
                   "the program ended with status 3 after 0 of 3 answers; its last words: "
                   "'no \\u001bmodel'");
    assert_refused("read -r x; echo 1; kill -9 $$", LONG_MS, ERR_IO,
                   "the program was killed by signal 9 after 1 of 3 answers");
    assert_refused("read -r x; echo 1; echo 2; exec >&-; sleep 60", LONG_MS, ERR_IO,
                   "the program closed its output after 2 of 3 answers");
    assert_refused("read -r x; no-such-judge", LONG_MS, ERR_IO,
                   "the program ended with status 127 after 0 of 3 answers; its last words: "
                   "'/bin/sh: 1: no-such-judge: not found'");
}

static void test_ask__too_slow_refused(void **state) {
    (void)state;
    struct clock clock = clock_real();
    int64_t start_ns = clock_monotonic_ns(&clock);
    assert_refused("read -r x; echo 1; echo thinking >&2; sleep 60", 2000, ERR_LIMIT,
                   "the program's time was up after 1 of 3 answers; its last words: 'thinking'");
    assert_in_range(clock_monotonic_ns(&clock) - start_ns, 2 * CLOCK_NS_PER_S, 20 * CLOCK_NS_PER_S);
}

static void test_ask__too_many_answers_refused(void **state) {
    (void)state;
    assert_refused("read -r x; exec yes 1", LONG_MS, ERR_DATA,
                   "the program writes more lines than it was asked for");
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(ANSWER_BYTES_MAX);
    struct child_question question = question_of("x\n", 1, LONG_MS);
    for (int32_t finishes = 0; finishes < 2; finishes++) { /* the second line comes later */
        SCOPED(child_process)
        struct child_process *child =
            start("read -r x; echo 1; sleep 0.2; echo 2; echo . >&2; read -r x");
        assert_ok(child_process_ask(child, &question, &out, &err), &err);
        while (!finishes && !*child_process_last_words(child)) {
        }
        assert_fails(finishes ? child_process_finish(child, LONG_MS, &err)
                              : child_process_ask(child, &question, &out, &err),
                     ERR_DATA, "more lines than it was asked for", &err);
    }
}

static void test_ask__greeting_refused(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(ANSWER_BYTES_MAX);
    SCOPED(child_process) struct child_process *child = start("echo 0; echo . >&2; exec cat");
    struct child_question question = question_of("1\n", 1, LONG_MS);
    while (!*child_process_last_words(child)) {
    }
    assert_fails(child_process_ask(child, &question, &out, &err), ERR_DATA,
                 "more lines than it was asked for", &err);
    assert_int_equal(out.length, 0);
}

static void test_ask__long_answer_refused(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(1000);
    SCOPED(child_process) struct child_process *child = start("read -r x; exec cat /dev/zero");
    struct child_question question = question_of("x\n", 1, LONG_MS);
    assert_fails(child_process_ask(child, &question, &out, &err), ERR_LIMIT, "answer of a program",
                 &err);
}

static void test_finish__status_counts(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(child_process) struct child_process *child = start("cat; echo bad >&2; exit 4");
    assert_answers(child, "1\n", 1, "1\n");
    assert_fails(child_process_finish(child, LONG_MS, &err), ERR_IO,
                 "ended with status 4 after its last answer; its last words: 'bad'", &err);
    SCOPED(child_process) struct child_process *deaf = start("read -r x; echo 1; sleep 60");
    assert_answers(deaf, "x\n", 1, "1\n");
    assert_fails(child_process_finish(deaf, 200, &err), ERR_LIMIT, "time was up before it ended",
                 &err);
}

/* The reader is gone before the question is: with its default action SIGPIPE would end the test. */
static void test_ask__no_sigpipe(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(ANSWER_BYTES_MAX);
    void (*former)(int) = signal(SIGPIPE, SIG_DFL);
    struct child_process *child = start("read -r x; exec <&-; echo 1; sleep 0.3; exit 5");
    assert_answers(child, "x\n", 1, "1\n");
    struct child_question question = question_of("x\n", 1, LONG_MS);
    assert_fails(child_process_ask(child, &question, &out, &err), ERR_IO,
                 "ended with status 5 after 0 of 1 answers", &err);
    child_process_close(child);
    (void)signal(SIGPIPE, former);
}

static void test_ask__interrupt_ends_the_wait(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    assert_ok(interrupt_install(NULL, &err), &err);
    char script[64]; /* what a terminal's Ctrl-C does, but for the group of the child */
    (void)snprintf(script, sizeof script, "kill -INT %ld; sleep 60", (long)getpid());
    assert_refused(script, LONG_MS, ERR_INTERRUPTED, "interrupted after 0 of 3 answers");
    interrupt_uninstall();
    assert_ok(interrupt_install(NULL, &err), &err); /* clears the flag for the tests that follow */
    interrupt_uninstall();
}

/* A program that heeds the end of its input ends by itself; of one that does not, nothing is left,
 * what it started included. */
static void test_close__whole_group_ends(void **state) {
    struct scratch *scratch = *state;
    char script[512];
    (void)snprintf(script, sizeof script, "while read -r x; do echo 1; done; echo done >%s",
                   scratch_path(scratch, "done"));
    struct child_process *child = start(script);
    assert_answers(child, "x\n", 1, "1\n");
    child_process_close(child);
    assert_string_equal(scratch_read(scratch, "done"), "done\n");

    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(ANSWER_BYTES_MAX);
    struct error err = ERROR_INIT;
    child = start("read -r x; trap '' HUP TERM INT; sleep 60 & echo $!; sleep 60");
    struct child_question question = question_of("x\n", 1, LONG_MS);
    assert_ok(child_process_ask(child, &question, &out, &err), &err);
    child_process_close(child);
    strbuf_truncate(&out, out.length - 1);
    int64_t grandchild = 0;
    assert_true(number_parse_i64(strbuf_text(&out), &grandchild) && grandchild > 1);
    for (int32_t i = 0; kill((pid_t)grandchild, 0) == 0 && i < 2000; i++) {
        (void)poll(NULL, 0, 1); /* until init has reaped it */
    }
    char stat_path[64];
    (void)snprintf(stat_path, sizeof stat_path, "/proc/%ld/stat", (long)grandchild);
    FILE *stat = fopen(stat_path, "r");
    if (stat) { /* no init in some containers: a zombie then */
        char text[256] = {0};
        assert_non_null(fgets(text, sizeof text, stat));
        (void)fclose(stat);
        assert_non_null(strstr(text, ") Z "));
    }
}

static void test_start__no_such_program(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct child_process *child = NULL;
    const char *const argv[] = {"/no/such/program", NULL};
    assert_fails(child_process_start(argv, &child, &err), ERR_IO,
                 "cannot start '/no/such/program': No such file", &err);
    assert_null(child);
}

static enum err_code start_and_ask(void *context, struct error *err) {
    (void)context;
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(ANSWER_BYTES_MAX);
    SCOPED(child_process) struct child_process *child = NULL;
    TRY(child_process_start((const char *const[]){"/bin/cat", NULL}, &child, err));
    struct child_question question = question_of("x\n", 1, LONG_MS);
    TRY(child_process_ask(child, &question, &out, err));
    return child_process_finish(child, LONG_MS, err);
}

static void test_every_failing_allocation__clean(void **state) {
    (void)state;
    alloc_loop_check(start_and_ask, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ask__answers_in_order),
        cmocka_unit_test(test_ask__more_than_a_pipe_holds),
        cmocka_unit_test(test_ask__last_line_without_its_end),
        cmocka_unit_test(test_ask__ten_megabytes_of_errors),
        cmocka_unit_test(test_ask__dead_program_refused),
        cmocka_unit_test(test_ask__too_slow_refused),
        cmocka_unit_test(test_ask__too_many_answers_refused),
        cmocka_unit_test(test_ask__greeting_refused),
        cmocka_unit_test(test_ask__long_answer_refused),
        cmocka_unit_test(test_finish__status_counts),
        cmocka_unit_test(test_ask__no_sigpipe),
        cmocka_unit_test(test_ask__interrupt_ends_the_wait),
        SCRATCH_TEST(test_close__whole_group_ends),
        cmocka_unit_test(test_start__no_such_program),
        cmocka_unit_test(test_every_failing_allocation__clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
