/* io_loop.c - see io_loop.h. */
#include "tests/support/io_loop.h"

#include "base/file.h"
#include "base/mem.h"
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>

#define OPERATIONS_MAX  10000
#define DESCRIPTORS_MAX 1024

int io_loop_open_descriptors(void) {
    int count = 0;
    for (int fd = 0; fd < DESCRIPTORS_MAX; fd++) {
        count += fcntl(fd, F_GETFD) != -1;
    }
    return count;
}

/* One run with the n-th call failing; false when that call was not reached. */
static bool run_once(io_loop_operation operation, void *context, int64_t n, int errnum) {
    int64_t blocks = mem_live_blocks();
    int descriptors = io_loop_open_descriptors();
    struct error err = ERROR_INIT;
    file_fail_nth(n, errnum);
    enum err_code code = operation(context, &err);
    bool reached = file_fail_reached();
    file_fail_nth(0, 0);
    if (mem_live_blocks() != blocks || io_loop_open_descriptors() != descriptors) {
        fail_msg("file operation %lld failing: leaked %lld blocks, %d descriptors", (long long)n,
                 (long long)(mem_live_blocks() - blocks), io_loop_open_descriptors() - descriptors);
    }
    if (!reached) {
        if (code != ERR_OK) {
            fail_msg("no file operation failed, yet: %s", err.msg);
        }
        assert_true(n > 1); /* an operation that touches no file tests nothing */
        return false;
    }
    if (code != ERR_IO || !strstr(err.msg, strerror(errnum))) {
        fail_msg("file operation %lld failing: expected IO with '%s', got %s with '%s'",
                 (long long)n, strerror(errnum), err_name(code), err.msg);
    }
    return true;
}

void io_loop_check(io_loop_operation operation, io_loop_after after, void *context) {
    static const int errnums[] = {ENOSPC, EIO};
    for (size_t i = 0; i < sizeof errnums / sizeof errnums[0]; i++) {
        bool reached = true;
        for (int64_t n = 1; reached; n++) {
            assert_true(n <= OPERATIONS_MAX);
            reached = run_once(operation, context, n, errnums[i]);
            if (after) {
                after(context);
            }
        }
    }
}
