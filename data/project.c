/* project.c - see project.h. */
#include "data/project.h"

#include "base/file.h"
#include "base/scoped.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

extern const char schema_sql[]; /* generated from schema.sql */

static const char *const steps[] = {schema_sql};

static const struct db_schema schema = {
    .name = "project",
    .application_id = PROJECT_APPLICATION_ID,
    .steps = steps,
    .step_count = sizeof steps / sizeof *steps,
};

const struct db_schema *project_schema(void) {
    return &schema;
}

enum err_code project_check_path(const char *path, struct error *err) {
    size_t length = strlen(path);
    size_t bad = utf8_find_invalid(path, length);
    if (bad < length) {
        return err_set(err, ERR_USAGE, "'%s': the name is not UTF-8 at byte %zu; rename the file",
                       path, bad + 1);
    }
    return ERR_OK;
}

enum err_code project_open(const char *path, enum db_mode mode, struct log *log, struct db **out_db,
                           struct error *err) {
    TRY(project_check_path(path, err));
    if (mode != DB_MODE_CREATE && !file_exists(path)) {
        return err_set(err, ERR_IO, "no project file '%s'; make one with: accord init %s", path,
                       path);
    }
    /* SQLite would open it for reading and fail at the first change. */
    if (mode != DB_MODE_READ_ONLY && file_exists(path) && access(path, W_OK) != 0) {
        return err_set_errno(err, errno, "cannot write '%s' (make it writable with: chmod u+w %s)",
                             path, path);
    }
    const struct db_options options = {
        .path = path, .mode = mode, .schema = &schema, .busy_ms = DB_BUSY_MS, .log = log};
    return db_open(&options, out_db, err);
}

enum err_code project_is_likely(const char *path, bool *out_is, struct error *err) {
    static const char magic[] = "SQLite format 3"; /* with its NUL */
    char start[sizeof magic] = {0};
    size_t count = 0;
    SCOPED(file_fd) int fd = -1;
    TRY(file_open(path, O_RDONLY, &fd, err));
    TRY(file_read(fd, path, start, sizeof start, &count, err));
    *out_is = count == sizeof start && memcmp(start, magic, sizeof start) == 0;
    return ERR_OK;
}
