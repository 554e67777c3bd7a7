/* scratch.c - see scratch.h. */
#include "tests/support/scratch.h"

#include "base/file.h"
#include "base/mem.h"
#include "tests/support/test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 1024

static int visible_name(const struct dirent *entry) {
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int is_folder(const char *path) {
    struct stat info;
    return lstat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* Calls `visit` for each entry in name order, then forgets them. */
static void each_entry(const char *folder,
                       void (*visit)(void *context, const char *folder, const char *name),
                       void *context) {
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, visible_name, alphasort);
    assert_true(count >= 0);
    for (int i = 0; i < count; i++) {
        visit(context, folder, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
}

static void remove_entry(void *context, const char *folder, const char *name) {
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    if (is_folder(path)) {
        each_entry(path, remove_entry, context);
        assert_int_equal(rmdir(path), 0);
    } else {
        assert_int_equal(unlink(path), 0);
    }
}

int scratch_setup(void **state) {
    struct scratch *s = calloc(1, sizeof *s);
    assert_non_null(s);
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(s->folder, sizeof s->folder, "%s/accord-test-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(s->folder));
    *state = s;
    return 0;
}

/* A test that failed half-way must not make the next one fail too: the hooks go off. */
int scratch_teardown(void **state) {
    struct scratch *s = *state;
    mem_fail_nth(0);
    file_fail_nth(0, 0);
    each_entry(s->folder, remove_entry, NULL);
    assert_int_equal(rmdir(s->folder), 0);
    for (int i = 0; i < SCRATCH_PATHS; i++) {
        free(s->paths[i]);
    }
    free(s);
    return 0;
}

char *scratch_path(struct scratch *s, const char *name) {
    char **slot = &s->paths[s->next_path++ % SCRATCH_PATHS];
    free(*slot);
    *slot = malloc(PATH_BYTES); /* not mem_alloc: the tests count that */
    assert_non_null(*slot);
    (void)snprintf(*slot, PATH_BYTES, "%s/%s", s->folder, name);
    return *slot;
}

static void list_entry(void *context, const char *folder, const char *name) {
    struct scratch *s = context;
    size_t used = strlen(s->list);
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    (void)snprintf(s->list + used, sizeof s->list - used, "%s%s%s", used > 0 ? " " : "", name,
                   is_folder(path) ? "/" : "");
}

const char *scratch_list(struct scratch *s) {
    s->list[0] = '\0';
    each_entry(s->folder, list_entry, s);
    return s->list;
}

void scratch_write(struct scratch *s, const char *name, const char *text) {
    FILE *f = fopen(scratch_path(s, name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

const char *scratch_read(struct scratch *s, const char *name) {
    FILE *f = fopen(scratch_path(s, name), "rb");
    assert_non_null(f);
    size_t count = fread(s->list, 1, sizeof s->list - 1, f);
    assert_int_equal(fclose(f), 0);
    s->list[count] = '\0';
    return s->list;
}
