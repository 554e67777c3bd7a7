/* file_atomic.h - a file that is either whole or not there.
 *
 * Use:      SCOPED(file_atomic) struct file_atomic f = FILE_ATOMIC_INIT;
 *           TRY(file_atomic_open("runs/7/config.json", &f, err));
 *           TRY(file_atomic_write(&f, bytes, count, err));
 *           TRY(file_atomic_commit(&f, err));
 *
 *           Bytes go to `<path>.tmp`; the commit syncs it, renames it over `path` and syncs the
 *           folder. At every moment, also after kill -9 or a power cut, `path` holds the old
 *           contents or the new ones. Closing without a commit removes the temporary file.
 * Writers:  the temporary name is fixed and locked (base/file_lock.h). So a second writer of the
 *           same path, in this process or another, is refused instead of mixed in, and what a
 *           killed process left behind is overwritten by the next write instead of piling up.
 * Targets:  a new file, or an existing regular file, whose permissions are kept. A device, pipe or
 *           folder is refused (renaming over /dev/null would replace it). Renaming over a symbolic
 *           link replaces the link.
 * Errors:   ERR_IO, with the path. A failure of the very last step, syncing the folder, leaves the
 *           new contents in place.
 * Threads:  no state; one writer belongs to one thread.
 */
#ifndef BASE_FILE_ATOMIC_H
#define BASE_FILE_ATOMIC_H

#include "base/error.h"
#include "base/file_writer.h"

#include <stdbool.h>

struct file_atomic {
    struct file_writer writer; /* of `<path>.tmp`, which is locked */
    char *path;                /* NULL when closed */
};

#define FILE_ATOMIC_INIT \
    { .writer = FILE_WRITER_INIT, .path = NULL }

/* Whether writing `path` would replace `other`, or empty it as the temporary file; see
 * file_is_same. */
ERR_NODISCARD enum err_code file_atomic_would_replace(const char *path, const char *other,
                                                      bool *out_would, struct error *err);

ERR_NODISCARD enum err_code file_atomic_open(const char *path, struct file_atomic *out,
                                             struct error *err);
ERR_NODISCARD enum err_code file_atomic_write(struct file_atomic *f, const void *bytes,
                                              size_t count, struct error *err);
ERR_NODISCARD enum err_code file_atomic_printf(struct file_atomic *f, struct error *err,
                                               const char *fmt, ...) ERR_FORMAT(3, 4);

/* Closed afterwards, whether it succeeds or not. */
ERR_NODISCARD enum err_code file_atomic_commit(struct file_atomic *f, struct error *err);

/* Gives up what is not committed. Safe twice. */
void file_atomic_close(struct file_atomic *f);

/* Open, write and commit in one. */
ERR_NODISCARD enum err_code file_atomic_write_whole(const char *path, const void *bytes,
                                                    size_t count, struct error *err);

static inline void file_atomic_scoped_end(struct file_atomic *f) {
    file_atomic_close(f);
}

#endif
