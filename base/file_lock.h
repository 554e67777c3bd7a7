/* file_lock.h - at most one writer of a file, across processes and within one.
 *
 * Use:      int fd = -1;
 *           TRY(file_lock_open("project.db-lock", &fd, err));
 *           if (fd < 0) { return err_set(err, ERR_IO, "... another process ..."); }
 *           ...
 *           file_lock_close(&fd, "project.db-lock");
 *
 *           The lock belongs to the descriptor (flock) and ends with it, however the process dies;
 *           a file that was left behind by a killed process is taken over.
 * Limits:   advisory, so it binds programs that use this module only. Where the file system has no
 *           locks, everybody gets it.
 * Threads:  no state.
 */
#ifndef BASE_FILE_LOCK_H
#define BASE_FILE_LOCK_H

#include "base/error.h"

/* Opens `path` for writing, made if missing, contents as they are, and locks it without waiting.
 * `*out_fd` is owned (file_lock_close); -1 when another descriptor holds the lock.
 *   fails    ERR_IO when the file cannot be opened */
ERR_NODISCARD enum err_code file_lock_open(const char *path, int *out_fd, struct error *err);

/* Removes the file, then lets go. -1 passes. */
void file_lock_close(int *fd, const char *path);

#endif
