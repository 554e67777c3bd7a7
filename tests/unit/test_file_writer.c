#include "base/file_writer.h"

#include "base/file.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/io_loop.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>

#define FLAGS_NEW (O_WRONLY | O_CREAT | O_TRUNC)

static void test_file_writer__buffers_until_full(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    SCOPED(file_writer) struct file_writer w = FILE_WRITER_INIT;
    const char *path = scratch_path(scratch, "a");
    assert_ok(file_writer_open(path, FLAGS_NEW, 4, &w, &err), &err);
    assert_ok(file_writer_add(&w, "abcd", 4, &err), &err);
    assert_string_equal(scratch_read(scratch, "a"), "");
    assert_ok(file_writer_add(&w, "e", 1, &err), &err);
    assert_string_equal(scratch_read(scratch, "a"), "abcd");
    assert_ok(file_writer_add(&w, "123456", 6, &err), &err); /* larger than the buffer */
    assert_string_equal(scratch_read(scratch, "a"), "abcde123456");
    assert_ok(file_writer_printf(&w, &err, "%d", 42), &err);
    assert_ok(file_writer_flush(&w, &err), &err);
    assert_string_equal(scratch_read(scratch, "a"), "abcde12345642");
    assert_ok(file_writer_add(&w, ".", 1, &err), &err);
    assert_ok(file_writer_finish(&w, &err), &err);
    assert_int_equal(w.fd, -1);
    assert_string_equal(scratch_read(scratch, "a"), "abcde12345642.");
}

static void test_file_writer_close__drops_what_is_buffered(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    struct file_writer w = FILE_WRITER_INIT;
    const char *path = scratch_path(scratch, "a");
    assert_ok(file_writer_open(path, FLAGS_NEW, 4, &w, &err), &err);
    assert_ok(file_writer_add(&w, "abc", 3, &err), &err);
    file_writer_close(&w);
    file_writer_close(&w);
    assert_string_equal(scratch_read(scratch, "a"), "");
}

static void test_file_writer__stays_failed(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    struct file_writer w = FILE_WRITER_INIT;
    const char *path = scratch_path(scratch, "a");
    assert_ok(file_writer_open(path, FLAGS_NEW, 8, &w, &err), &err);
    assert_ok(file_writer_add(&w, "abcd", 4, &err), &err);
    file_fail_nth(1, ENOSPC);
    assert_fails(file_writer_sync(&w, &err), ERR_IO, "No space left", &err);
    assert_fails(file_writer_add(&w, "e", 1, &err), ERR_IO, "an earlier write to it failed", &err);
    assert_fails(file_writer_sync(&w, &err), ERR_IO, "an earlier write to it failed", &err);
    assert_fails(file_writer_finish(&w, &err), ERR_IO, "an earlier write to it failed", &err);
    assert_int_equal(w.fd, -1);
    assert_string_equal(scratch_read(scratch, "a"), "ab");
}

static enum err_code write_lines(void *context, struct error *err) {
    SCOPED(file_writer) struct file_writer w = FILE_WRITER_INIT;
    TRY(file_writer_open(context, FLAGS_NEW, 16, &w, err));
    for (int i = 0; i < 5; i++) {
        TRY(file_writer_printf(&w, err, "line %d\n", i));
    }
    TRY(file_writer_sync(&w, err));
    return file_writer_finish(&w, err);
}

static void test_file_writer__survives_every_failure(void **state) {
    struct scratch *scratch = *state;
    char *path = scratch_path(scratch, "a");
    alloc_loop_check(write_lines, path);
    io_loop_check(write_lines, NULL, path);
    assert_string_equal(scratch_read(scratch, "a"), "line 0\nline 1\nline 2\nline 3\nline 4\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(test_file_writer__buffers_until_full),
        SCRATCH_TEST(test_file_writer_close__drops_what_is_buffered),
        SCRATCH_TEST(test_file_writer__stays_failed),
        SCRATCH_TEST(test_file_writer__survives_every_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
