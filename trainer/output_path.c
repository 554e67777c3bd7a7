/* output_path.c - see output_path.h. */
#define _XOPEN_SOURCE 700 /* NOLINT(bugprone-reserved-identifier): for realpath */

#include "trainer/output_path.h"

#include "base/file_atomic.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "data/project.h"

#include <limits.h>
#include <stdlib.h>

/* The file itself, and what SQLite and base/db.h keep beside it. */
static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", "-lock"};

static enum err_code check_beside(const char *option, const char *path, const char *project,
                                  struct error *err) {
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        SCOPED(mem) char *file = mem_strjoin(project, suffixes[i]);
        bool would_replace = false;
        if (!file) {
            return err_oom(err, "a file name");
        }
        TRY(file_atomic_would_replace(path, file, &would_replace, err));
        if (would_replace) {
            return err_set(err, ERR_USAGE,
                           "%s '%s' would overwrite '%s' of the project: choose another name",
                           option, path, file);
        }
    }
    return ERR_OK;
}

enum err_code output_path_check(const char *option, const char *path, const char *project,
                                struct error *err) {
    char real[PATH_MAX];
    TRY(project_check_path(path, err));
    TRY(check_beside(option, path, project, err));
    /* Of a link, SQLite keeps its files beside what the link leads to. */
    return realpath(project, real) ? check_beside(option, path, real, err) : ERR_OK;
}
