#include "base/bus_fault.h"

#include "base/file.h"
#include "base/scoped.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOTICE "the file became shorter\n"
#define STATUS 7

/* In a child, whose standard error is `err_fd`: cuts a mapped file and reads where its end was. */
static void read_behind_the_end(const char *path, int err_fd) {
    struct error err = ERROR_INIT;
    SCOPED(file_map) struct file_map map = FILE_MAP_INIT;
    if (dup2(err_fd, STDERR_FILENO) < 0 || file_map_open(path, &map, &err) != ERR_OK ||
        truncate(path, 0) != 0) {
        _exit(1);
    }
    bus_fault_install(NOTICE, STATUS);
    const volatile unsigned char *bytes = map.bytes;
    _exit(bytes[map.count - 1]);
}

static void test_bus_fault__a_shortened_map_ends_with_the_message(void **state) {
    struct scratch *scratch = *state;
    int pipe_fds[2];
    int status = 0;
    char text[64] = {0};
    scratch_write(scratch, "weights", "abc");
    assert_int_equal(pipe(pipe_fds), 0);
    const pid_t child = fork();
    if (child == 0) {
        read_behind_the_end(scratch_path(scratch, "weights"), pipe_fds[1]);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), STATUS);
    assert_int_equal(read(pipe_fds[0], text, sizeof text - 1), strlen(NOTICE));
    assert_string_equal(text, NOTICE);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

/* Sent, not caused by a map: as without the handler. */
static void test_bus_fault__another_sigbus_ends_as_before(void **state) {
    (void)state;
    int status = 0;
    const pid_t child = fork();
    if (child == 0) {
        bus_fault_install(NOTICE, STATUS);
        (void)raise(SIGBUS);
        (void)raise(SIGBUS); /* an instruction would fault again by itself */
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGBUS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bus_fault__a_shortened_map_ends_with_the_message,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test(test_bus_fault__another_sigbus_ends_as_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
