/* file_writer.h - a buffered writer that never writes past a failure.
 *
 * Use:      SCOPED(file_writer) struct file_writer w = FILE_WRITER_INIT;
 *           TRY(file_writer_open(path, O_WRONLY | O_CREAT | O_APPEND, 64 * KIB, &w, err));
 *           TRY(file_writer_printf(&w, err, "%s\n", line));
 *           TRY(file_writer_finish(&w, err));
 *
 *           file_writer_finish is the way out that says whether every byte arrived;
 *           file_writer_close is the way out of a failure, and drops what is still buffered.
 * Failure:  after the first failed write the file may hold a part of it, so every later call fails
 *           too: nothing is written behind a gap.
 * Owns:     the descriptor, a copy of the path, the buffer.
 * Threads:  no state; one writer belongs to one thread.
 */
#ifndef BASE_FILE_WRITER_H
#define BASE_FILE_WRITER_H

#include "base/error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct file_writer {
    int fd;     /* -1 when closed */
    char *path; /* for messages */
    unsigned char *buffer;
    size_t buffered;
    size_t capacity;
    bool failed;
};

#define FILE_WRITER_INIT \
    { .fd = -1, .path = NULL, .buffer = NULL, .buffered = 0, .capacity = 0, .failed = false }

/* `flags` as for file_open; `capacity` of the buffer in bytes, at least 1. `out` is open only on
 * success. */
ERR_NODISCARD enum err_code file_writer_open(const char *path, int flags, size_t capacity,
                                             struct file_writer *out, struct error *err);

/* As file_writer_open for a descriptor the caller has opened; it is moved on success. */
ERR_NODISCARD enum err_code file_writer_adopt(int fd, const char *path, size_t capacity,
                                              struct file_writer *out, struct error *err);

ERR_NODISCARD enum err_code file_writer_add(struct file_writer *w, const void *bytes, size_t count,
                                            struct error *err);
ERR_NODISCARD enum err_code file_writer_printf(struct file_writer *w, struct error *err,
                                               const char *fmt, ...) ERR_FORMAT(3, 4);
ERR_NODISCARD enum err_code file_writer_vprintf(struct file_writer *w, struct error *err,
                                                const char *fmt, va_list args) ERR_FORMAT(3, 0);

/* Hands the buffer to the system: from here on it survives the death of this process. */
ERR_NODISCARD enum err_code file_writer_flush(struct file_writer *w, struct error *err);

/* Flushes and waits for the disk: from here on it survives a loss of power. */
ERR_NODISCARD enum err_code file_writer_sync(struct file_writer *w, struct error *err);

/* Flushes and closes; closed in any case. */
ERR_NODISCARD enum err_code file_writer_finish(struct file_writer *w, struct error *err);

/* Drops the buffer and closes. Safe twice. */
void file_writer_close(struct file_writer *w);

static inline void file_writer_scoped_end(struct file_writer *w) {
    file_writer_close(w);
}

#endif
