/* strbuf.c - see strbuf.h. */
#include "base/strbuf.h"

#include "base/invariant.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

/* Room for `extra` more bytes and the NUL; false marks the buffer as failed. */
static bool reserve(struct strbuf *sb, size_t extra) {
    if (sb->failure != ERR_OK) {
        return false;
    }
    if (extra > sb->length_max - sb->length) {
        sb->failure = ERR_LIMIT;
        return false;
    }
    size_t needed = sb->length + extra + 1;
    if (needed <= sb->capacity) {
        return true;
    }
    size_t capacity = mem_grown_capacity(sb->capacity, needed);
    char *bytes = mem_array_resize(sb->bytes, capacity, 1);
    if (!bytes) {
        sb->failure = ERR_OOM;
        return false;
    }
    sb->bytes = bytes;
    sb->capacity = capacity;
    return true;
}

static void set_length(struct strbuf *sb, size_t length) {
    sb->length = length;
    sb->bytes[length] = '\0';
}

void strbuf_deinit(struct strbuf *sb) {
    mem_free(sb->bytes);
    *sb = (struct strbuf)STRBUF_INIT(sb->length_max);
}

void strbuf_reset(struct strbuf *sb) {
    sb->failure = ERR_OK;
    sb->length = 0;
    if (sb->bytes) {
        sb->bytes[0] = '\0';
    }
}

void strbuf_add(struct strbuf *sb, const char *text) {
    strbuf_add_bytes(sb, text, strlen(text));
}

void strbuf_add_bytes(struct strbuf *sb, const void *bytes, size_t count) {
    if (count > 0 && reserve(sb, count)) {
        memcpy(sb->bytes + sb->length, bytes, count);
        set_length(sb, sb->length + count);
    }
}

void strbuf_add_char(struct strbuf *sb, char c) {
    strbuf_add_bytes(sb, &c, 1);
}

void strbuf_add_repeated(struct strbuf *sb, char c, size_t count) {
    if (count > 0 && reserve(sb, count)) {
        memset(sb->bytes + sb->length, c, count);
        set_length(sb, sb->length + count);
    }
}

void strbuf_addf(struct strbuf *sb, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    strbuf_vaddf(sb, fmt, args);
    va_end(args);
}

void strbuf_vaddf(struct strbuf *sb, const char *fmt, va_list args) {
    va_list measuring;
    va_copy(measuring, args);
    int count = vsnprintf(NULL, 0, fmt, measuring);
    va_end(measuring);
    if (count < 0 && sb->failure == ERR_OK) { /* longer than an int can say, or not encodable */
        sb->failure = ERR_LIMIT;
    }
    if (count > 0 && reserve(sb, (size_t)count)) {
        (void)vsnprintf(sb->bytes + sb->length, (size_t)count + 1, fmt, args);
        set_length(sb, sb->length + (size_t)count);
    }
}

void strbuf_take_failure(struct strbuf *sb, const struct strbuf *part) {
    if (sb->failure == ERR_OK) {
        sb->failure = part->failure;
    }
}

void strbuf_truncate(struct strbuf *sb, size_t length) {
    ASSERT_LE(length, sb->length);
    if (sb->bytes) {
        set_length(sb, length);
    }
}

enum err_code strbuf_check(const struct strbuf *sb, const char *what, struct error *err) {
    if (sb->failure == ERR_OOM) {
        return err_oom(err, what);
    }
    if (sb->failure == ERR_LIMIT) {
        return err_set(err, ERR_LIMIT, "%s is longer than its limit of %zu bytes", what,
                       sb->length_max);
    }
    return ERR_OK;
}

const char *strbuf_text(const struct strbuf *sb) {
    return sb->bytes ? sb->bytes : "";
}

char *strbuf_detach(struct strbuf *sb) {
    if (sb->failure != ERR_OK) {
        return NULL;
    }
    char *text = sb->bytes ? sb->bytes : mem_strdup("");
    *sb = (struct strbuf)STRBUF_INIT(sb->length_max);
    return text;
}
