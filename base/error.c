/* error.c - see error.h. */
#include "base/error.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define CUT_MARK " ... "

/* The analyzer's macros of error.h are for callers. */
#undef err_set
#undef err_set_errno
#undef err_oom

static const char *const code_texts[] = {
#define ERR_TEXT(name, text) text,
    ERR_CODES(ERR_TEXT)
#undef ERR_TEXT
};

static const char *const code_names[] = {
#define ERR_NAME(name, text) #name,
    ERR_CODES(ERR_NAME)
#undef ERR_NAME
};

static bool is_continuation(char byte) {
    return ((unsigned char)byte & 0xC0) == 0x80;
}

/* What does not fit is left out of the middle: a message ends with its reason and remedy. No UTF-8
 * sequence is cut in two. */
static void store_message(char *msg, const char *text, size_t length) {
    if (length < ERR_MSG_BYTES) {
        memcpy(msg, text, length + 1);
        return;
    }
    size_t head = (ERR_MSG_BYTES - sizeof CUT_MARK) / 2;
    const char *tail = text + length - (ERR_MSG_BYTES - sizeof CUT_MARK - head);
    while (head > 0 && is_continuation(text[head])) {
        head--;
    }
    while (is_continuation(*tail)) {
        tail++;
    }
    memcpy(msg, text, head);
    (void)snprintf(msg + head, ERR_MSG_BYTES - head, "%s%s", CUT_MARK, tail);
}

/* Without memory for the whole text its end is lost. */
static ERR_FORMAT(3, 0) void format_long_message(char *msg, size_t length, const char *fmt,
                                                 va_list args) {
    char *whole = mem_alloc(length + 1);
    if (whole && vsnprintf(whole, length + 1, fmt, args) >= 0) {
        store_message(msg, whole, length);
    }
    mem_free(whole);
}

/* vsnprintf reports an encoding error with a negative count; the message is then empty, not
 * garbage. */
static ERR_FORMAT(2, 0) void format_message(char *msg, const char *fmt, va_list args) {
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(msg, ERR_MSG_BYTES, fmt, args);
    if (length < 0) {
        msg[0] = '\0';
    } else if (length >= ERR_MSG_BYTES) {
        format_long_message(msg, (size_t)length, fmt, again);
    }
    va_end(again);
}

static void append_reason(char *msg, const char *reason) {
    char whole[2 * ERR_MSG_BYTES + 2];
    (void)snprintf(whole, sizeof whole, "%s: %s", msg, reason);
    store_message(msg, whole, strlen(whole));
}

const char *err_text(enum err_code code) {
    return (unsigned)code < ERR_CODE_COUNT ? code_texts[code] : "unknown error";
}

const char *err_name(enum err_code code) {
    return (unsigned)code < ERR_CODE_COUNT ? code_names[code] : "UNKNOWN";
}

enum err_code err_set(struct error *err, enum err_code code, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    format_message(err->msg, fmt, args);
    va_end(args);
    err->code = code;
    return code;
}

enum err_code err_set_errno(struct error *err, int errnum, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    format_message(err->msg, fmt, args);
    va_end(args);
    char reason[128];
    if (strerror_r(errnum, reason, sizeof reason) != 0) {
        (void)snprintf(reason, sizeof reason, "error number %d", errnum);
    }
    append_reason(err->msg, reason);
    err->code = ERR_IO;
    return ERR_IO;
}

enum err_code err_oom(struct error *err, const char *what) {
    return err_set(err, ERR_OOM, "out of memory for %s", what);
}

enum err_code err_wrap(struct error *err, enum err_code code, const char *fmt, ...) {
    if (code == ERR_OK) {
        return ERR_OK;
    }
    char inner[ERR_MSG_BYTES];
    memcpy(inner, err->msg, sizeof inner);
    va_list args;
    va_start(args, fmt);
    format_message(err->msg, fmt, args);
    va_end(args);
    append_reason(err->msg, inner);
    return code;
}
