/* Paths in folders, and folders that are whole or not there. */
#include "base/folder.h"

#include "base/file.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/io_loop.h"
#include "tests/support/kill_loop.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

static void test_path__joins_and_replaces(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(PATH_MAX);
    strbuf_add(&path, "what stood there");
    assert_ok(folder_path("runs/7", "config.json", &path, &err), &err);
    assert_string_equal(strbuf_text(&path), "runs/7/config.json");
    SCOPED(strbuf) struct strbuf small = STRBUF_INIT(8);
    assert_fails(folder_path("runs/7", "config.json", &small, &err), ERR_LIMIT, "a path", &err);
}

static void test_remove__only_files_and_only_all_of_them(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    assert_ok(folder_remove(scratch_path(scratch, "missing"), &err), &err);
    assert_ok(file_make_folders(scratch_path(scratch, "a/b"), &err), &err);
    scratch_write(scratch, "a/1", "one");
    assert_fails(folder_remove(scratch_path(scratch, "a"), &err), ERR_IO, "/a/b' is a folder",
                 &err);
    assert_string_equal(scratch_read(scratch, "a/1"), "one");
    assert_ok(folder_remove(scratch_path(scratch, "a/b"), &err), &err);
    assert_ok(folder_remove(scratch_path(scratch, "a"), &err), &err);
    assert_string_equal(scratch_list(scratch), "");
}

/* --- whole or not at all --- */

static enum err_code write_file(const char *folder, const char *name, struct error *err) {
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(PATH_MAX);
    SCOPED(file_fd) int fd = -1;
    TRY(folder_path(folder, name, &path, err));
    TRY(file_open(strbuf_text(&path), O_WRONLY | O_CREAT, &fd, err));
    TRY(file_write(fd, strbuf_text(&path), name, strlen(name), err));
    return file_close(&fd, strbuf_text(&path), err);
}

/* Two files that hold their names; between them it fails where `context` is not NULL. */
static enum err_code fill(void *context, const char *folder, struct error *err) {
    TRY(write_file(folder, "one", err));
    if (context) {
        return err_set(err, ERR_DATA, "half");
    }
    return write_file(folder, "two", err);
}

static void test_write_whole__replaces_what_a_kill_left(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    assert_ok(file_make_folders(scratch_path(scratch, "a.tmp"), &err), &err);
    scratch_write(scratch, "a.tmp/three", "of a try before");
    assert_ok(folder_write_whole(scratch_path(scratch, "a/"), fill, NULL, &err), &err);
    assert_string_equal(scratch_list(scratch), "a/");
    assert_string_equal(scratch_read(scratch, "a/one"), "one");
    assert_string_equal(scratch_read(scratch, "a/two"), "two");
    assert_false(file_exists(scratch_path(scratch, "a/three")));
}

static void test_write_whole__only_over_an_empty_folder(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    const char *path = scratch_path(scratch, "a");
    assert_ok(file_make_folders(path, &err), &err);
    assert_ok(folder_write_whole(path, fill, NULL, &err), &err);
    assert_fails(folder_write_whole(path, fill, NULL, &err), ERR_USAGE,
                 "/a' is there and not empty", &err);
    assert_string_equal(scratch_read(scratch, "a/two"), "two");
    assert_string_equal(scratch_list(scratch), "a/");
}

static void test_check_free__wants_a_name(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    assert_fails(folder_check_free("", &err), ERR_USAGE, "is empty", &err);
}

static void test_write_whole__a_failing_one_leaves_nothing(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    bool half = true;
    assert_fails(folder_write_whole(scratch_path(scratch, "a"), fill, &half, &err), ERR_DATA,
                 "half", &err);
    assert_string_equal(scratch_list(scratch), "");
}

static enum err_code write_anew(void *context, struct error *err) {
    TRY(folder_remove(scratch_path(context, "a"), err));
    return folder_write_whole(scratch_path(context, "a"), fill, NULL, err);
}

static void check_whole_or_absent(void *context) {
    if (*scratch_list(context)) {
        assert_string_equal(scratch_list(context), "a/");
        assert_string_equal(scratch_read(context, "a/two"), "two");
    }
}

static void test_write_whole__survives_every_failure(void **state) {
    alloc_loop_check(write_anew, *state);
    io_loop_check(write_anew, check_whole_or_absent, *state);
}

static void write_for_ever(void *context, struct kill_loop_child *child) {
    struct error err = ERROR_INIT;
    for (;;) {
        assert_ok(write_anew(context, &err), &err);
        kill_loop_tell(child);
    }
}

static void check_after_kill(void *context) {
    struct error err = ERROR_INIT;
    if (file_exists(scratch_path(context, "a/one"))) {
        assert_string_equal(scratch_read(context, "a/one"), "one");
    }
    assert_ok(write_anew(context, &err), &err);
    assert_string_equal(scratch_list(context), "a/");
}

static void test_write_whole__survives_being_killed(void **state) {
    kill_loop_check(write_for_ever, check_after_kill, *state);
}

static void test_remove_tree__takes_all_below_and_follows_no_link(void **state) {
    struct scratch *s = *state;
    struct error err = ERROR_INIT;
    assert_ok(file_make_folders(scratch_path(s, "tree/one/two"), &err), &err);
    assert_ok(file_make_folders(scratch_path(s, "kept"), &err), &err);
    scratch_write(s, "tree/one/two/leaf", "leaf");
    scratch_write(s, "kept/leaf", "leaf");
    assert_int_equal(symlink(scratch_path(s, "kept"), scratch_path(s, "tree/one/link")), 0);
    assert_ok(folder_remove_tree(scratch_path(s, "tree"), &err), &err);
    assert_ok(folder_remove_tree(scratch_path(s, "tree"), &err), &err);
    assert_string_equal(scratch_list(s), "kept/");
    assert_string_equal(scratch_read(s, "kept/leaf"), "leaf");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check_free__wants_a_name),
        cmocka_unit_test(test_path__joins_and_replaces),
        SCRATCH_TEST(test_remove__only_files_and_only_all_of_them),
        SCRATCH_TEST(test_remove_tree__takes_all_below_and_follows_no_link),
        SCRATCH_TEST(test_write_whole__replaces_what_a_kill_left),
        SCRATCH_TEST(test_write_whole__only_over_an_empty_folder),
        SCRATCH_TEST(test_write_whole__a_failing_one_leaves_nothing),
        SCRATCH_TEST(test_write_whole__survives_every_failure),
        SCRATCH_TEST(test_write_whole__survives_being_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
