/* scratch.h - an empty folder for one test, removed with all it holds.
 *
 * Use:      static void test_thing__expected(void **state) {
 *               struct scratch *scratch = *state;
 *               save(scratch_path(scratch, "a.json"));
 *               assert_string_equal(scratch_list(scratch), "a.json");   // nothing else is left
 *           }
 *           const struct CMUnitTest tests[] = { SCRATCH_TEST(test_thing__expected), ... };
 *
 * The folder lies below $TMPDIR, or /tmp.
 */
#ifndef TESTS_SUPPORT_SCRATCH_H
#define TESTS_SUPPORT_SCRATCH_H

#define SCRATCH_PATHS 8

struct scratch {
    char folder[256];
    char *paths[SCRATCH_PATHS]; /* a ring: a path stays valid for the next seven calls */
    int next_path;
    char list[4096];
};

/* cmocka fixtures: `*state` is a struct scratch. */
int scratch_setup(void **state);
int scratch_teardown(void **state);

#define SCRATCH_TEST(function) \
    cmocka_unit_test_setup_teardown(function, scratch_setup, scratch_teardown)

/* `<folder>/<name>`; borrowed. Not const, so that it can be the context of a loop. */
char *scratch_path(struct scratch *s, const char *name);

/* Names in the folder, sorted, separated by spaces; folders end in "/". Borrowed. */
const char *scratch_list(struct scratch *s);

/* Plain file access that does not go through the code under test. `text` is NUL-terminated. */
void scratch_write(struct scratch *s, const char *name, const char *text);

/* Contents of a file of at most 4095 bytes; borrowed until the next call. */
const char *scratch_read(struct scratch *s, const char *name);

#endif
