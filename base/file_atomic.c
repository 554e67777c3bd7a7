/* file_atomic.c - see file_atomic.h. */
#include "base/file_atomic.h"

#include "base/file.h"
#include "base/file_lock.h"
#include "base/mem.h"
#include "base/scoped.h"

#include <stdarg.h>
#include <stdbool.h>
#include <sys/stat.h>

#define BUFFER_BYTES ((size_t)1024 * 1024)
#define TMP_SUFFIX   ".tmp"

/* Empties the locked temporary file, gives it the permissions of the file it will replace, and
 * starts a writer on it; `fd` is moved on success. */
static enum err_code start_writer(int fd, const char *tmp_path, const struct stat *replaced,
                                  struct file_writer *out, struct error *err) {
    TRY(file_resize(fd, tmp_path, 0, err));
    if (replaced) {
        /* A file system without permissions refuses; the contents matter more. */
        (void)fchmod(fd, replaced->st_mode & 07777);
    }
    return file_writer_adopt(fd, tmp_path, BUFFER_BYTES, out, err);
}

static enum err_code open_tmp(const char *tmp_path, const char *path, const struct stat *replaced,
                              struct file_writer *out, struct error *err) {
    int fd = -1;
    TRY(file_lock_open(tmp_path, &fd, err));
    if (fd < 0) {
        return err_set(err, ERR_IO,
                       "cannot write '%s': another writer is at it and holds '%s'; let it finish",
                       path, tmp_path);
    }
    enum err_code code = start_writer(fd, tmp_path, replaced, out, err);
    if (code != ERR_OK) {
        file_lock_close(&fd, tmp_path);
    }
    return code;
}

enum err_code file_atomic_would_replace(const char *path, const char *other, bool *out_would,
                                        struct error *err) {
    SCOPED(mem) char *tmp_path = mem_strjoin(path, TMP_SUFFIX);
    if (!tmp_path) {
        return err_oom(err, "a file name");
    }
    *out_would = file_is_same(path, other) || file_is_same(tmp_path, other);
    return ERR_OK;
}

enum err_code file_atomic_open(const char *path, struct file_atomic *out, struct error *err) {
    struct stat info = {0};
    bool exists = stat(path, &info) == 0;
    if (exists && !S_ISREG(info.st_mode)) {
        return err_set(err, ERR_IO, "cannot write '%s': not a regular file", path);
    }
    SCOPED(mem) char *path_copy = mem_strdup(path);
    SCOPED(mem) char *tmp_path = mem_strjoin(path, TMP_SUFFIX);
    if (!path_copy || !tmp_path) {
        return err_oom(err, "a file name");
    }
    TRY(open_tmp(tmp_path, path, exists ? &info : NULL, &out->writer, err));
    out->path = MOVE(path_copy);
    return ERR_OK;
}

enum err_code file_atomic_write(struct file_atomic *f, const void *bytes, size_t count,
                                struct error *err) {
    return file_writer_add(&f->writer, bytes, count, err);
}

enum err_code file_atomic_printf(struct file_atomic *f, struct error *err, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    enum err_code code = file_writer_vprintf(&f->writer, err, fmt, args);
    va_end(args);
    return code;
}

/* The rename comes before the close, hence under the lock: once it is gone another writer may
 * empty the temporary file, and that must not be the one we rename. */
static enum err_code publish(struct file_atomic *f, struct error *err) {
    TRY(file_writer_sync(&f->writer, err));
    TRY(file_rename(f->writer.path, f->path, err));
    TRY(file_writer_finish(&f->writer, err));
    return file_sync_folder_of(f->path, err);
}

enum err_code file_atomic_commit(struct file_atomic *f, struct error *err) {
    enum err_code code = publish(f, err);
    file_atomic_close(f);
    return code;
}

void file_atomic_close(struct file_atomic *f) {
    if (f->writer.fd >= 0) { /* not renamed: publish closes the writer right after that */
        file_lock_close(&f->writer.fd, f->writer.path);
    }
    file_writer_close(&f->writer);
    mem_free(f->path);
    *f = (struct file_atomic)FILE_ATOMIC_INIT;
}

enum err_code file_atomic_write_whole(const char *path, const void *bytes, size_t count,
                                      struct error *err) {
    SCOPED(file_atomic) struct file_atomic f = FILE_ATOMIC_INIT;
    TRY(file_atomic_open(path, &f, err));
    TRY(file_atomic_write(&f, bytes, count, err));
    return file_atomic_commit(&f, err);
}
