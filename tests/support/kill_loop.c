/* kill_loop.c - see kill_loop.h. */
#include "tests/support/kill_loop.h"

#include "base/number.h"
#include "tests/support/test.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STATUS_ENDED 99

void kill_loop_tell(struct kill_loop_child *child) {
    if (!child->told && write(child->fd, "x", 1) != 1) {
        _exit(STATUS_ENDED);
    }
    child->told = true;
}

/* Spread over the range by a fixed rule: any moment will do, and the rule repeats. */
static void wait_a_moment(int64_t round, bool told) {
    int64_t hundredths_ms = told ? round * 7919 % 500 : 100 + round * 7919 % 1900;
    struct timespec wait = {.tv_nsec = (long)(hundredths_ms * 10000)};
    (void)nanosleep(&wait, NULL);
}

static void run_and_kill(kill_loop_writer writer, void *context, int64_t round) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        writer(context, &(struct kill_loop_child){.fd = ends[1]});
        _exit(STATUS_ENDED);
    }
    (void)close(ends[1]); /* so that a child that ends is seen, too */
    char byte = 0;
    bool told = round % 2 == 1 && read(ends[0], &byte, 1) == 1;
    wait_a_moment(round, told);
    assert_int_equal(kill(child, SIGKILL), 0);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    (void)close(ends[0]);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(told, round % 2 == 1);
}

int64_t kill_loop_rounds(void) {
    const char *wanted = getenv("ACCORD_KILL_ROUNDS");
    int64_t rounds = KILL_LOOP_ROUNDS;
    assert_true(!wanted || (number_parse_i64(wanted, &rounds) && rounds > 0));
    return rounds;
}

void kill_loop_check(kill_loop_writer writer, kill_loop_after after, void *context) {
    int64_t rounds = kill_loop_rounds();
    for (int64_t round = 0; round < rounds; round++) {
        run_and_kill(writer, context, round);
        after(context);
    }
}
