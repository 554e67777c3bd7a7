/* file_writer.c - see file_writer.h. */
#include "base/file_writer.h"

#include "base/file.h"
#include "base/invariant.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"

#include <string.h>

#define PRINTF_BYTES_MAX ((size_t)16 * 1024 * 1024)

enum err_code file_writer_open(const char *path, int flags, size_t capacity,
                               struct file_writer *out, struct error *err) {
    SCOPED(file_fd) int fd = -1;
    TRY(file_open(path, flags, &fd, err));
    TRY(file_writer_adopt(fd, path, capacity, out, err));
    fd = -1;
    return ERR_OK;
}

enum err_code file_writer_adopt(int fd, const char *path, size_t capacity, struct file_writer *out,
                                struct error *err) {
    ASSERT(capacity > 0);
    SCOPED(mem) char *path_copy = mem_strdup(path);
    SCOPED(mem) unsigned char *buffer = mem_array(capacity, 1);
    if (!path_copy || !buffer) {
        return err_oom(err, "a write buffer");
    }
    *out = (struct file_writer){
        .fd = fd, .path = MOVE(path_copy), .buffer = MOVE(buffer), .capacity = capacity};
    return ERR_OK;
}

static enum err_code check_writable(const struct file_writer *w, struct error *err) {
    ASSERT(w->fd >= 0);
    if (w->failed) {
        return err_set(err, ERR_IO, "'%s' is incomplete: an earlier write to it failed", w->path);
    }
    return ERR_OK;
}

static enum err_code write_through(struct file_writer *w, const void *bytes, size_t count,
                                   struct error *err) {
    enum err_code code = file_write(w->fd, w->path, bytes, count, err);
    w->failed = code != ERR_OK;
    return code;
}

enum err_code file_writer_add(struct file_writer *w, const void *bytes, size_t count,
                              struct error *err) {
    TRY(check_writable(w, err));
    if (count > w->capacity - w->buffered) {
        TRY(file_writer_flush(w, err));
    }
    if (count > w->capacity) { /* a copy would only cost time */
        return write_through(w, bytes, count, err);
    }
    if (count > 0) {
        memcpy(w->buffer + w->buffered, bytes, count);
        w->buffered += count;
    }
    return ERR_OK;
}

enum err_code file_writer_printf(struct file_writer *w, struct error *err, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    enum err_code code = file_writer_vprintf(w, err, fmt, args);
    va_end(args);
    return code;
}

enum err_code file_writer_vprintf(struct file_writer *w, struct error *err, const char *fmt,
                                  va_list args) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(PRINTF_BYTES_MAX);
    strbuf_vaddf(&text, fmt, args);
    TRY(strbuf_check(&text, "formatted text", err));
    return file_writer_add(w, strbuf_text(&text), text.length, err);
}

enum err_code file_writer_flush(struct file_writer *w, struct error *err) {
    TRY(check_writable(w, err));
    size_t count = w->buffered;
    w->buffered = 0;
    return write_through(w, w->buffer, count, err);
}

enum err_code file_writer_sync(struct file_writer *w, struct error *err) {
    TRY(file_writer_flush(w, err));
    enum err_code code = file_sync(w->fd, w->path, err);
    w->failed = code != ERR_OK;
    return code;
}

enum err_code file_writer_finish(struct file_writer *w, struct error *err) {
    enum err_code code = file_writer_flush(w, err);
    if (code == ERR_OK) {
        code = file_close(&w->fd, w->path, err);
    }
    file_writer_close(w);
    return code;
}

void file_writer_close(struct file_writer *w) {
    file_fd_scoped_end(&w->fd);
    mem_free(w->path);
    mem_free(w->buffer);
    *w = (struct file_writer)FILE_WRITER_INIT;
}
