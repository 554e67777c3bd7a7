/* file.h - files and folders: the primitives through which the program reads and writes.
 *
 * Use:      SCOPED(mem) char *text = NULL;
 *           size_t bytes = 0;
 *           TRY(file_read_all(path, 16 * MIB, &text, &bytes, err));
 *
 *           To write: a file that must be whole or absent, base/file_atomic.h; a file that grows,
 *           base/file_writer.h. Both stand on the descriptor functions here.
 * Errors:   ERR_IO naming the path and the system's reason, where nothing else is said:
 *           "cannot write 'runs/7/log.txt': No space left on device".
 * Tests:    file_fail_nth(n, ENOSPC) makes the n-th primitive from now on fail; a loop over n
 *           drives every failure path of a writer (see tests/support/io_loop.h).
 * Threads:  no state but the test hook, which is process-wide and atomic.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- whole files --- */

/* The contents of `path`, followed by a NUL that is not counted. `*out_text` is owned (mem_free).
 * Works on pipes and /proc too: what is read counts, not the size announced.
 *   fails    ERR_IO; ERR_OOM; ERR_LIMIT above `bytes_max`, naming path, size and limit */
ERR_NODISCARD enum err_code file_read_all(const char *path, size_t bytes_max, char **out_text,
                                          size_t *out_bytes, struct error *err);

/* Size of a regular file, in bytes; ERR_IO for anything else. */
ERR_NODISCARD enum err_code file_size(const char *path, int64_t *out_bytes, struct error *err);

/* Whether anything, file or folder, stands at `path`. For messages and choices only: by the time of
 * use it may have changed. */
bool file_exists(const char *path);

/* Whether both name one file, by device and inode: through links and other spellings too. Of files
 * that are not there yet, whether they would be one: the same name in the same folder. */
bool file_is_same(const char *left, const char *right);

/* A file that is already missing is no error. */
ERR_NODISCARD enum err_code file_remove(const char *path, struct error *err);

/* Makes `path` and every missing folder above it (mkdir -p); existing folders are no error. */
ERR_NODISCARD enum err_code file_make_folders(const char *path, struct error *err);

/* --- read-only maps --- */

/* Bytes of a file as memory, for weights: pages are read on first touch and shared by processes.
 *
 * Caution: when another process truncates the file while it is mapped, touching a page behind the
 * new end raises SIGBUS and ends the program, in the program with a message (base/bus_fault.h); the
 * size is checked at opening only. Files that are replaced by rename (base/file_atomic.h) are safe:
 * the map keeps the old contents. */
struct file_map {
    const unsigned char *bytes; /* NULL when the file is empty or the map closed */
    size_t count;
};

#define FILE_MAP_INIT \
    { .bytes = NULL, .count = 0 }

/* `out_map` is owned (file_map_close); regular files only. */
ERR_NODISCARD enum err_code file_map_open(const char *path, struct file_map *out_map,
                                          struct error *err);
void file_map_close(struct file_map *map);

static inline void file_map_scoped_end(struct file_map *map) {
    file_map_close(map);
}

/* --- descriptors; `path` is for messages only --- */

/* `flags` as for open(2); O_CLOEXEC is added, and new files get 0666 less the umask. */
ERR_NODISCARD enum err_code file_open(const char *path, int flags, int *out_fd, struct error *err);

/* Up to `count` bytes; `*out_count` is 0 at the end of the file only. */
ERR_NODISCARD enum err_code file_read(int fd, const char *path, void *bytes, size_t count,
                                      size_t *out_count, struct error *err);

/* All of `count` bytes; after a failure some of them may be in the file. */
ERR_NODISCARD enum err_code file_write(int fd, const char *path, const void *bytes, size_t count,
                                       struct error *err);

/* Cuts (or extends with zeros) to `bytes`. */
ERR_NODISCARD enum err_code file_resize(int fd, const char *path, int64_t bytes, struct error *err);

/* Returns when contents and size are on the disk (fsync). */
ERR_NODISCARD enum err_code file_sync(int fd, const char *path, struct error *err);

/* As file_sync for the folder that holds `path`: makes a creation or rename there last. */
ERR_NODISCARD enum err_code file_sync_folder_of(const char *path, struct error *err);

/* Replaces `to` in one step; both on one file system. */
ERR_NODISCARD enum err_code file_rename(const char *from, const char *to, struct error *err);

/* `*fd` becomes -1 whatever happens; -1 passes. The return value matters to writers: network file
 * systems report a full disk here. */
ERR_NODISCARD enum err_code file_close(int *fd, const char *path, struct error *err);

/* For descriptors that are read from: SCOPED(file_fd) int fd = -1. */
void file_fd_scoped_end(int *fd);

/* --- failing on demand, for tests --- */

/* Fails the n-th call of open, read, write, resize, sync, rename, close, mkdir or map from now on
 * (n >= 1), once, with `errnum`; 0 switches the hook off. A failing write first writes half of its
 * bytes, as a full disk does. Removing never fails: it is what cleans up. */
void file_fail_nth(int64_t n, int errnum);

/* Whether the call chosen by file_fail_nth has been reached since. */
bool file_fail_reached(void);

#endif
