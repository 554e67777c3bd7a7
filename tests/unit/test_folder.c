/* Paths in folders, and folders removed. */
#include "base/folder.h"

#include "base/file.h"
#include "base/scoped.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <limits.h>

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path__joins_and_replaces),
        SCRATCH_TEST(test_remove__only_files_and_only_all_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
