/* strbuf.h - a growing text with a stated maximum and an error that waits.
 *
 * Use:      SCOPED(strbuf) struct strbuf line = STRBUF_INIT(64 * 1024);
 *           strbuf_addf(&line, "%s: ", name);
 *           strbuf_add(&line, value);
 *           TRY(strbuf_check(&line, "metrics line", err));
 *           use(strbuf_text(&line));
 *
 *           Appending past the maximum, or without memory, marks the buffer as failed; later
 *           appends do nothing. So a text is built without a check per call, and checked once
 *           before it leaves.
 * Owns:     its bytes; strbuf_deinit releases them, is safe twice and leaves the struct reusable.
 * Threads:  no state.
 */
#ifndef BASE_STRBUF_H
#define BASE_STRBUF_H

#include "base/error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct strbuf {
    char *bytes; /* NULL, or `length` bytes and a terminating NUL; may hold NULs inside */
    size_t length;
    size_t capacity;
    size_t length_max;
    enum err_code failure; /* ERR_OK, ERR_OOM or ERR_LIMIT: the first thing that went wrong */
};

/* `max` is the largest length in bytes that this buffer may reach. */
#define STRBUF_INIT(max) \
    { .bytes = NULL, .length = 0, .capacity = 0, .length_max = (max), .failure = ERR_OK }

void strbuf_deinit(struct strbuf *sb);

/* Empty and no longer failed, capacity kept. */
void strbuf_reset(struct strbuf *sb);

void strbuf_add(struct strbuf *sb, const char *text);
void strbuf_add_bytes(struct strbuf *sb, const void *bytes, size_t count);
void strbuf_add_char(struct strbuf *sb, char c);
void strbuf_add_repeated(struct strbuf *sb, char c, size_t count);
void strbuf_addf(struct strbuf *sb, const char *fmt, ...) ERR_FORMAT(2, 3);
void strbuf_vaddf(struct strbuf *sb, const char *fmt, va_list args) ERR_FORMAT(2, 0);

/* Marks `sb` as failed if `part`, whose text went into it, has failed; so both are checked once. */
void strbuf_take_failure(struct strbuf *sb, const struct strbuf *part);

/* Cuts to `length` bytes, which must not exceed the present length. */
void strbuf_truncate(struct strbuf *sb, size_t length);

/* ERR_OK, or the first failure with `what` ("metrics line") in its message. */
ERR_NODISCARD enum err_code strbuf_check(const struct strbuf *sb, const char *what,
                                         struct error *err);

/* The NUL-terminated text, "" when empty; borrowed until the next change. */
const char *strbuf_text(const struct strbuf *sb);

/* Hands the text to the caller (mem_free) and empties the buffer; NULL if the buffer has failed or
 * memory is gone, so check first. */
char *strbuf_detach(struct strbuf *sb);

static inline void strbuf_scoped_end(struct strbuf *sb) {
    strbuf_deinit(sb);
}

#endif
