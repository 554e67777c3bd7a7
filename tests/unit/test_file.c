#include "base/file.h"

#include "base/file_atomic.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/io_loop.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_file_read_all__returns_every_byte_and_a_nul(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    scratch_write(scratch, "a", "two\nlines");
    SCOPED(mem) char *text = NULL;
    size_t bytes = 0;
    assert_ok(file_read_all(scratch_path(scratch, "a"), 9, &text, &bytes, &err), &err);
    assert_int_equal(bytes, 9);
    assert_memory_equal(text, "two\nlines", 10);
}

static void test_file_read_all__empty_file_is_empty_text(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    scratch_write(scratch, "a", "");
    SCOPED(mem) char *text = NULL;
    size_t bytes = 1;
    assert_ok(file_read_all(scratch_path(scratch, "a"), 0, &text, &bytes, &err), &err);
    assert_int_equal(bytes, 0);
    assert_string_equal(text, "");
}

static void test_file_read_all__refuses_a_file_above_the_limit(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    scratch_write(scratch, "a", "0123456789");
    char *text = NULL;
    size_t bytes = 77;
    assert_fails(file_read_all(scratch_path(scratch, "a"), 9, &text, &bytes, &err), ERR_LIMIT,
                 "/a' has 10 bytes or more, limit 9", &err);
    assert_null(text);
    assert_int_equal(bytes, 77);
}

/* A pipe announces no size: what arrives is what counts. 20,000 bytes take more than one growth. */
static void test_file_read_all__counts_what_a_pipe_delivers(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    int ends[2];
    for (size_t limit = 19999; limit <= 20000; limit++) {
        assert_int_equal(pipe(ends), 0);
        char sent[20000];
        memset(sent, 'x', sizeof sent);
        assert_int_equal(write(ends[1], sent, sizeof sent), 20000);
        close(ends[1]);
        char path[64];
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
        SCOPED(mem) char *text = NULL;
        size_t bytes = 0;
        enum err_code code = file_read_all(path, limit, &text, &bytes, &err);
        close(ends[0]);
        assert_int_equal(code, limit == 20000 ? ERR_OK : ERR_LIMIT);
        assert_int_equal(bytes, limit == 20000 ? 20000 : 0);
    }
}

static void test_file_read_all__names_what_cannot_be_read(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    char *text = NULL;
    size_t bytes = 0;
    assert_fails(file_read_all(scratch_path(scratch, "none"), 9, &text, &bytes, &err), ERR_IO,
                 "/none': No such file or directory", &err);
    assert_fails(file_read_all(scratch->folder, 9000, &text, &bytes, &err), ERR_IO,
                 "Is a directory", &err);
}

static enum err_code read_whole(void *context, struct error *err) {
    SCOPED(mem) char *text = NULL;
    size_t bytes = 0;
    return file_read_all(context, 100, &text, &bytes, err);
}

static void test_file_read_all__survives_every_failure(void **state) {
    struct scratch *scratch = *state;
    scratch_write(scratch, "a", "text");
    char *path = scratch_path(scratch, "a");
    alloc_loop_check(read_whole, path);
    io_loop_check(read_whole, NULL, path);
}

static void test_file_size__regular_files_only(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    scratch_write(scratch, "a", "12345");
    int64_t bytes = 0;
    assert_ok(file_size(scratch_path(scratch, "a"), &bytes, &err), &err);
    assert_int_equal(bytes, 5);
    assert_fails(file_size(scratch->folder, &bytes, &err), ERR_IO, "is not a regular file", &err);
    assert_fails(file_size(scratch_path(scratch, "b"), &bytes, &err), ERR_IO, "No such file", &err);
}

static void test_file_remove__missing_is_no_error(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    scratch_write(scratch, "a", "");
    assert_true(file_exists(scratch_path(scratch, "a")));
    assert_ok(file_remove(scratch_path(scratch, "a"), &err), &err);
    assert_false(file_exists(scratch_path(scratch, "a")));
    assert_ok(file_remove(scratch_path(scratch, "a"), &err), &err);
    assert_fails(file_remove(scratch->folder, &err), ERR_IO, "cannot remove", &err);
}

static void test_file_make_folders__makes_all_of_them_and_twice(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    const char *path = scratch_path(scratch, "a/b//c/");
    assert_ok(file_make_folders(path, &err), &err);
    assert_ok(file_make_folders(path, &err), &err);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_true(S_ISDIR(info.st_mode));
    assert_ok(file_make_folders("/", &err), &err);
    assert_ok(file_make_folders(".", &err), &err);
}

static void test_file_make_folders__names_the_file_in_the_way(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    scratch_write(scratch, "a", "");
    assert_fails(file_make_folders(scratch_path(scratch, "a/b"), &err), ERR_IO,
                 "/a': a file of that name is there", &err);
    assert_fails(file_make_folders("", &err), ERR_IO, "cannot make folder ''", &err);
}

static enum err_code make_new_folders(void *context, struct error *err) {
    struct scratch *scratch = context;
    const char *path = scratch_path(scratch, "a/b");
    enum err_code code = file_make_folders(path, err);
    (void)rmdir(path);
    (void)rmdir(scratch_path(scratch, "a"));
    return code;
}

static void test_file_make_folders__survives_every_failure(void **state) {
    struct scratch *scratch = *state;
    alloc_loop_check(make_new_folders, scratch);
    io_loop_check(make_new_folders, NULL, scratch);
}

static void test_file_map__shows_the_bytes(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    scratch_write(scratch, "a", "weights");
    SCOPED(file_map) struct file_map map = FILE_MAP_INIT;
    assert_ok(file_map_open(scratch_path(scratch, "a"), &map, &err), &err);
    assert_int_equal(map.count, 7);
    assert_memory_equal(map.bytes, "weights", 7);
    file_map_close(&map);
    assert_null(map.bytes);
    scratch_write(scratch, "empty", "");
    assert_ok(file_map_open(scratch_path(scratch, "empty"), &map, &err), &err);
    assert_int_equal(map.count, 0);
}

static void test_file_map__keeps_the_old_contents_after_a_rename(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    scratch_write(scratch, "a", "old");
    scratch_write(scratch, "b", "new");
    SCOPED(file_map) struct file_map map = FILE_MAP_INIT;
    assert_ok(file_map_open(scratch_path(scratch, "a"), &map, &err), &err);
    assert_ok(file_rename(scratch_path(scratch, "b"), scratch_path(scratch, "a"), &err), &err);
    assert_memory_equal(map.bytes, "old", 3);
}

static void test_file_read_all__does_not_wait_for_a_writer(void **state) {
    struct error err = ERROR_INIT;
    const char *path = scratch_path(*state, "pipe");
    assert_int_equal(mkfifo(path, 0600), 0);
    SCOPED(mem) char *text = NULL;
    size_t bytes = 1;
    assert_ok(file_read_all(path, 100, &text, &bytes, &err), &err);
    assert_int_equal(bytes, 0);
    assert_string_equal(text, "");
}

/* Without O_NONBLOCK the open would wait for a writer for ever. */
static void test_file_map__refuses_what_is_not_a_regular_file(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    struct file_map map = FILE_MAP_INIT;
    const char *path = scratch_path(scratch, "pipe");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_fails(file_map_open(path, &map, &err), ERR_IO, "/pipe' is not a regular file", &err);
}

static enum err_code map_whole(void *context, struct error *err) {
    SCOPED(file_map) struct file_map map = FILE_MAP_INIT;
    return file_map_open(context, &map, err);
}

static void test_file_map__survives_every_failure(void **state) {
    struct scratch *scratch = *state;
    scratch_write(scratch, "a", "text");
    char *path = scratch_path(scratch, "a");
    io_loop_check(map_whole, NULL, path);
}

static void test_file_write__full_disk_is_named(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(file_fd) int fd = -1;
    assert_ok(file_open("/dev/full", O_WRONLY, &fd, &err), &err);
    assert_fails(file_write(fd, "/dev/full", "x", 1, &err), ERR_IO,
                 "cannot write '/dev/full': No space left on device", &err);
}

static void test_file_fail_nth__fails_that_one_only(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    const char *path = scratch_path(scratch, "a");
    int fd = -1;
    file_fail_nth(2, EIO);
    assert_ok(file_open(path, O_WRONLY | O_CREAT, &fd, &err), &err);
    assert_false(file_fail_reached());
    assert_fails(file_write(fd, path, "1234", 4, &err), ERR_IO, "Input/output error", &err);
    assert_true(file_fail_reached());
    assert_string_equal(scratch_read(scratch, "a"), "12"); /* half, as a full disk would */
    assert_ok(file_write(fd, path, "34", 2, &err), &err);
    assert_ok(file_resize(fd, path, 3, &err), &err);
    assert_ok(file_sync(fd, path, &err), &err);
    assert_ok(file_sync_folder_of(path, &err), &err);
    assert_ok(file_close(&fd, path, &err), &err);
    assert_int_equal(fd, -1);
    assert_string_equal(scratch_read(scratch, "a"), "123");
}

static void test_file_is_same__by_inode_or_by_the_name_to_be(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    char file[512], link_path[512], dotted[512], missing[512], dotted_missing[512];
    (void)snprintf(file, sizeof file, "%s", scratch_path(scratch, "a"));
    (void)snprintf(link_path, sizeof link_path, "%s", scratch_path(scratch, "link"));
    (void)snprintf(dotted, sizeof dotted, "%s", scratch_path(scratch, "./a"));
    (void)snprintf(missing, sizeof missing, "%s", scratch_path(scratch, "none"));
    (void)snprintf(dotted_missing, sizeof dotted_missing, "%s", scratch_path(scratch, "./none"));
    assert_ok(file_atomic_write_whole(file, "1", 1, &err), &err);
    assert_int_equal(symlink(file, link_path), 0);
    assert_true(file_is_same(file, dotted));
    assert_true(file_is_same(file, link_path));
    assert_false(file_is_same(file, missing));
    assert_true(file_is_same(missing, dotted_missing));
    assert_false(file_is_same(missing, scratch_path(scratch, "other")));
    assert_false(file_is_same(missing, scratch_path(scratch, "no/none")));
    assert_true(file_is_same("accord-none", "./accord-none"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(test_file_read_all__returns_every_byte_and_a_nul),
        SCRATCH_TEST(test_file_read_all__empty_file_is_empty_text),
        SCRATCH_TEST(test_file_read_all__refuses_a_file_above_the_limit),
        SCRATCH_TEST(test_file_read_all__counts_what_a_pipe_delivers),
        SCRATCH_TEST(test_file_read_all__names_what_cannot_be_read),
        SCRATCH_TEST(test_file_read_all__survives_every_failure),
        SCRATCH_TEST(test_file_size__regular_files_only),
        SCRATCH_TEST(test_file_remove__missing_is_no_error),
        SCRATCH_TEST(test_file_make_folders__makes_all_of_them_and_twice),
        SCRATCH_TEST(test_file_make_folders__names_the_file_in_the_way),
        SCRATCH_TEST(test_file_make_folders__survives_every_failure),
        SCRATCH_TEST(test_file_read_all__does_not_wait_for_a_writer),
        SCRATCH_TEST(test_file_map__shows_the_bytes),
        SCRATCH_TEST(test_file_map__keeps_the_old_contents_after_a_rename),
        SCRATCH_TEST(test_file_map__refuses_what_is_not_a_regular_file),
        SCRATCH_TEST(test_file_map__survives_every_failure),
        SCRATCH_TEST(test_file_is_same__by_inode_or_by_the_name_to_be),
        SCRATCH_TEST(test_file_write__full_disk_is_named),
        SCRATCH_TEST(test_file_fail_nth__fails_that_one_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
