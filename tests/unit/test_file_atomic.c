#include "base/file_atomic.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/io_loop.h"
#include "tests/support/kill_loop.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_file_atomic__appears_with_the_commit(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    SCOPED(file_atomic) struct file_atomic f = FILE_ATOMIC_INIT;
    assert_ok(file_atomic_open(scratch_path(scratch, "a"), &f, &err), &err);
    assert_ok(file_atomic_write(&f, "one ", 4, &err), &err);
    assert_ok(file_atomic_printf(&f, &err, "%s %d", "two", 3), &err);
    assert_string_equal(scratch_list(scratch), "a.tmp");
    assert_ok(file_atomic_commit(&f, &err), &err);
    assert_string_equal(scratch_list(scratch), "a");
    assert_string_equal(scratch_read(scratch, "a"), "one two 3");
}

static void test_file_atomic_close__leaves_the_old_file_and_nothing_else(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    scratch_write(scratch, "a", "old");
    struct file_atomic f = FILE_ATOMIC_INIT;
    assert_ok(file_atomic_open(scratch_path(scratch, "a"), &f, &err), &err);
    assert_ok(file_atomic_write(&f, "new", 3, &err), &err);
    file_atomic_close(&f);
    file_atomic_close(&f);
    assert_string_equal(scratch_list(scratch), "a");
    assert_string_equal(scratch_read(scratch, "a"), "old");
}

static void test_file_atomic__refuses_a_second_writer(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    const char *path = scratch_path(scratch, "a");
    struct file_atomic first = FILE_ATOMIC_INIT;
    struct file_atomic second = FILE_ATOMIC_INIT;
    assert_ok(file_atomic_open(path, &first, &err), &err);
    assert_fails(file_atomic_open(path, &second, &err), ERR_IO, "/a': another writer is at it",
                 &err);
    assert_ok(file_atomic_write(&first, "first", 5, &err), &err);
    assert_ok(file_atomic_commit(&first, &err), &err);
    assert_string_equal(scratch_read(scratch, "a"), "first");
    assert_ok(file_atomic_open(path, &second, &err), &err);
    file_atomic_close(&second);
}

static void test_file_atomic__overwrites_what_a_killed_process_left(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    scratch_write(scratch, "a.tmp", "a longer leftover");
    assert_ok(file_atomic_write_whole(scratch_path(scratch, "a"), "new", 3, &err), &err);
    assert_string_equal(scratch_list(scratch), "a");
    assert_string_equal(scratch_read(scratch, "a"), "new");
}

static void test_file_atomic__keeps_the_permissions(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    const char *path = scratch_path(scratch, "a");
    scratch_write(scratch, "a", "old");
    assert_int_equal(chmod(path, 0640), 0);
    assert_ok(file_atomic_write_whole(path, "new", 3, &err), &err);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0640);
}

static void test_file_atomic__refuses_what_is_not_a_regular_file(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    struct file_atomic f = FILE_ATOMIC_INIT;
    assert_fails(file_atomic_open("/dev/null", &f, &err), ERR_IO,
                 "cannot write '/dev/null': not a regular file", &err);
    assert_fails(file_atomic_open(scratch->folder, &f, &err), ERR_IO, "not a regular file", &err);
    assert_fails(file_atomic_open(scratch_path(scratch, "none/a"), &f, &err), ERR_IO,
                 "none/a.tmp': No such file or directory", &err);
}

/* Root may write anywhere, so a folder without write permission tells nothing there; /proc refuses
 * everybody. */
static void test_file_atomic__names_a_folder_it_may_not_write_to(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    struct file_atomic f = FILE_ATOMIC_INIT;
    assert_fails(file_atomic_open("/proc/accord-test", &f, &err), ERR_IO,
                 "cannot create '/proc/accord-test.tmp'", &err);
    if (geteuid() != 0) {
        assert_int_equal(chmod(scratch->folder, 0500), 0);
        enum err_code code = file_atomic_open(scratch_path(scratch, "a"), &f, &err);
        assert_int_equal(chmod(scratch->folder, 0700), 0);
        assert_fails(code, ERR_IO, "Permission denied", &err);
        assert_string_equal(scratch_list(scratch), "");
    }
}

/* A file size limit is the one way to a really failing write that needs no privileges; SIGXFSZ is
 * ignored, so write(2) reports EFBIG after what fits. */
static void test_file_atomic__leaves_nothing_when_the_space_ends(void **state) {
    struct scratch *scratch = *state;
    pid_t child = fork();
    if (child == 0) {
        struct error err = ERROR_INIT;
        struct file_atomic f = FILE_ATOMIC_INIT;
        char block[4096] = {0};
        (void)signal(SIGXFSZ, SIG_IGN);
        const struct rlimit limit = {.rlim_cur = 1500000, .rlim_max = 1500000};
        (void)setrlimit(RLIMIT_FSIZE, &limit);
        enum err_code code = file_atomic_open(scratch_path(scratch, "a"), &f, &err);
        for (int i = 0; i < 1024 && code == ERR_OK; i++) { /* 4 MiB */
            code = file_atomic_write(&f, block, sizeof block, &err);
        }
        file_atomic_close(&f);
        _exit(code == ERR_IO && strstr(err.msg, "a.tmp': File too large") ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_string_equal(scratch_list(scratch), "");
}

/* Larger than the buffer, so that writes happen before the commit. */
static enum err_code save_large(void *context, struct error *err) {
    struct scratch *scratch = context;
    SCOPED(file_atomic) struct file_atomic f = FILE_ATOMIC_INIT;
    TRY(file_atomic_open(scratch_path(scratch, "a"), &f, err));
    for (int i = 0; i < 50000; i++) {
        TRY(file_atomic_printf(&f, err, "new line, number %7d\n", i));
    }
    return file_atomic_commit(&f, err);
}

#define LARGE_BYTES (50000 * 25)

static void check_old_or_new(void *context) {
    struct scratch *scratch = context;
    assert_string_equal(scratch_list(scratch), "a");
    struct error err = ERROR_INIT;
    int64_t bytes = 0;
    assert_ok(file_size(scratch_path(scratch, "a"), &bytes, &err), &err);
    assert_true(bytes == 3 || bytes == LARGE_BYTES);
}

static void test_file_atomic__survives_every_failed_operation(void **state) {
    struct scratch *scratch = *state;
    scratch_write(scratch, "a", "old");
    io_loop_check(save_large, check_old_or_new, scratch);
}

static enum err_code save_small(void *context, struct error *err) {
    struct scratch *scratch = context;
    return file_atomic_write_whole(scratch_path(scratch, "a"), "new", 3, err);
}

static void test_file_atomic__survives_every_failed_allocation(void **state) {
    struct scratch *scratch = *state;
    alloc_loop_check(save_small, scratch);
    assert_string_equal(scratch_list(scratch), "a");
}

/* Rewrites the file for ever: 20,000 bytes, all the same letter. */
static void write_for_ever(void *context, struct kill_loop_child *child) {
    struct error err = ERROR_INIT;
    char bytes[20000];
    for (int i = 0;; i++) {
        memset(bytes, 'a' + i % 26, sizeof bytes);
        if (file_atomic_write_whole(scratch_path(context, "a"), bytes, sizeof bytes, &err) !=
            ERR_OK) {
            _exit(1);
        }
        kill_loop_tell(child);
    }
}

static void check_whole_and_uniform(void *context) {
    struct error err = ERROR_INIT;
    SCOPED(mem) char *text = NULL;
    size_t bytes = 0;
    assert_ok(file_read_all(scratch_path(context, "a"), 30000, &text, &bytes, &err), &err);
    assert_true(bytes == 3 || bytes == 20000);
    for (size_t i = 1; i < bytes; i++) {
        assert_int_equal(text[i], text[0]);
    }
}

static void test_file_atomic__is_old_or_new_after_a_kill(void **state) {
    struct scratch *scratch = *state;
    scratch_write(scratch, "a", "000");
    kill_loop_check(write_for_ever, check_whole_and_uniform, scratch);
    assert_string_not_equal(scratch_read(scratch, "a"), "000");
    (void)unlink(
        scratch_path(scratch, "a.tmp")); /* a last one may be left; the next write reuses it */
    assert_string_equal(scratch_list(scratch), "a");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(test_file_atomic__appears_with_the_commit),
        SCRATCH_TEST(test_file_atomic_close__leaves_the_old_file_and_nothing_else),
        SCRATCH_TEST(test_file_atomic__refuses_a_second_writer),
        SCRATCH_TEST(test_file_atomic__overwrites_what_a_killed_process_left),
        SCRATCH_TEST(test_file_atomic__keeps_the_permissions),
        SCRATCH_TEST(test_file_atomic__refuses_what_is_not_a_regular_file),
        SCRATCH_TEST(test_file_atomic__names_a_folder_it_may_not_write_to),
        SCRATCH_TEST(test_file_atomic__leaves_nothing_when_the_space_ends),
        SCRATCH_TEST(test_file_atomic__survives_every_failed_operation),
        SCRATCH_TEST(test_file_atomic__survives_every_failed_allocation),
        SCRATCH_TEST(test_file_atomic__is_old_or_new_after_a_kill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
