#include "base/file_lock.h"

#include "base/file.h"
#include "tests/support/io_loop.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_file_lock__one_holder_at_a_time(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    const char *path = scratch_path(scratch, "lock");
    int first = -1;
    int second = 77;
    assert_ok(file_lock_open(path, &first, &err), &err);
    assert_true(first >= 0);
    assert_ok(file_lock_open(path, &second, &err), &err);
    assert_int_equal(second, -1);
    file_lock_close(&second, path); /* must not remove the holder's file */
    assert_string_equal(scratch_list(scratch), "lock");
    file_lock_close(&first, path);
    assert_int_equal(first, -1);
    assert_string_equal(scratch_list(scratch), "");
    assert_ok(file_lock_open(path, &second, &err), &err);
    assert_true(second >= 0);
    file_lock_close(&second, path);
}

/* The child takes the lock, tells so through the pipe, and is killed. */
static void test_file_lock__is_taken_over_from_a_killed_process(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    const char *path = scratch_path(scratch, "lock");
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        int fd = -1;
        if (file_lock_open(path, &fd, &err) == ERR_OK && write(ready[1], "x", 1) == 1) {
            pause();
        }
        _exit(1);
    }
    char byte = 0;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    int fd = 77;
    assert_ok(file_lock_open(path, &fd, &err), &err);
    assert_int_equal(fd, -1);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_string_equal(scratch_list(scratch), "lock");
    assert_ok(file_lock_open(path, &fd, &err), &err);
    assert_true(fd >= 0);
    file_lock_close(&fd, path);
    close(ready[0]);
    close(ready[1]);
}

static enum err_code take_and_release(void *context, struct error *err) {
    int fd = -1;
    TRY(file_lock_open(context, &fd, err));
    file_lock_close(&fd, context);
    return ERR_OK;
}

static void test_file_lock__survives_every_failure(void **state) {
    struct scratch *scratch = *state;
    char *path = scratch_path(scratch, "lock");
    io_loop_check(take_and_release, NULL, path);
    assert_string_equal(scratch_list(scratch), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(test_file_lock__one_holder_at_a_time),
        SCRATCH_TEST(test_file_lock__is_taken_over_from_a_killed_process),
        SCRATCH_TEST(test_file_lock__survives_every_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
