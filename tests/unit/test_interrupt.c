#include "base/interrupt.h"

#include "tests/support/test.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOTICE "stopping after this step\n"

/* A child that handles signals, reports through `ready` after installing and after seeing the flag,
 * and then never ends by itself. Its standard error is `stderr_fd`. */
static pid_t start_child(int ready_fd, int stderr_fd) {
    pid_t child = fork();
    if (child != 0) {
        return child;
    }
    struct error err = ERROR_INIT;
    if (dup2(stderr_fd, STDERR_FILENO) < 0 || interrupt_install(NOTICE, &err) != ERR_OK ||
        interrupt_requested() || write(ready_fd, "i", 1) != 1) {
        _exit(1);
    }
    while (!interrupt_requested()) {
        (void)sched_yield();
    }
    if (write(ready_fd, "r", 1) != 1) {
        _exit(2);
    }
    for (;;) {
        (void)pause();
    }
}

static void assert_reads(int fd, const char *expected) {
    char text[64] = {0};
    assert_int_equal(read(fd, text, strlen(expected)), strlen(expected));
    assert_string_equal(text, expected);
}

static void check_two_signals(int first, int second) {
    int ready[2];
    int errors[2];
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(errors), 0);
    pid_t child = start_child(ready[1], errors[1]);
    assert_reads(ready[0], "i");
    assert_int_equal(kill(child, first), 0);
    assert_reads(ready[0], "r");
    assert_reads(errors[0], NOTICE);
    assert_int_equal(waitpid(child, NULL, WNOHANG), 0); /* one signal does not end it */
    assert_int_equal(kill(child, second), 0);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 130);
    close(ready[0]);
    close(ready[1]);
    close(errors[0]);
    close(errors[1]);
}

static void test_interrupt__first_sets_the_flag_second_ends_with_130(void **state) {
    (void)state;
    check_two_signals(SIGINT, SIGINT);
    check_two_signals(SIGTERM, SIGTERM);
    check_two_signals(SIGINT, SIGTERM);
}

static void own_handler(int signal_number) {
    (void)signal_number;
}

static void test_interrupt__uninstall_gives_the_signals_back(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct sigaction action;
    interrupt_uninstall();
    assert_true(signal(SIGINT, own_handler) != SIG_ERR);
    assert_ok(interrupt_install(NULL, &err), &err);
    assert_int_equal(sigaction(SIGINT, NULL, &action), 0);
    assert_true(action.sa_handler != own_handler);
    assert_true((action.sa_flags & SA_RESTART) != 0);
    interrupt_uninstall();
    assert_int_equal(sigaction(SIGINT, NULL, &action), 0);
    assert_true(action.sa_handler == own_handler);
    assert_int_equal(sigaction(SIGTERM, NULL, &action), 0);
    assert_true(action.sa_handler == SIG_DFL);
    assert_true(signal(SIGINT, SIG_DFL) != SIG_ERR);
}

static void test_interrupt_install__leaves_alone_what_is_ignored(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct sigaction action;
    assert_true(signal(SIGINT, SIG_IGN) != SIG_ERR);
    assert_ok(interrupt_install(NULL, &err), &err);
    assert_int_equal(sigaction(SIGINT, NULL, &action), 0);
    assert_true(action.sa_handler == SIG_IGN);
    assert_int_equal(raise(SIGINT), 0);
    assert_false(interrupt_requested());
    assert_int_equal(raise(SIGTERM), 0); /* not ignored */
    assert_true(interrupt_requested());
    interrupt_uninstall();
    assert_int_equal(sigaction(SIGINT, NULL, &action), 0);
    assert_true(action.sa_handler == SIG_IGN);
    assert_true(signal(SIGINT, SIG_DFL) != SIG_ERR);
}

static void test_interrupt_install__clears_the_flag(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    assert_ok(interrupt_install(NULL, &err), &err);
    assert_false(interrupt_requested());
    assert_int_equal(raise(SIGTERM), 0);
    assert_true(interrupt_requested());
    assert_ok(interrupt_install(NULL, &err), &err);
    assert_false(interrupt_requested());
    interrupt_uninstall();
}

int main(void) {
    (void)signal(SIGINT, SIG_DFL); /* ignored by what a shell has put into the background */
    (void)signal(SIGTERM, SIG_DFL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interrupt__first_sets_the_flag_second_ends_with_130),
        cmocka_unit_test(test_interrupt__uninstall_gives_the_signals_back),
        cmocka_unit_test(test_interrupt_install__leaves_alone_what_is_ignored),
        cmocka_unit_test(test_interrupt_install__clears_the_flag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
