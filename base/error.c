/* error.c - see error.h. */
#include "base/error.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

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

/* vsnprintf reports an encoding error with a negative count; the message is then empty, not
 * garbage. */
static void format_message(char *out, size_t bytes, const char *fmt, va_list args) {
    if (vsnprintf(out, bytes, fmt, args) < 0) {
        out[0] = '\0';
    }
}

static void append_text(char *msg, const char *text) {
    size_t used = strlen(msg);
    (void)snprintf(msg + used, ERR_MSG_BYTES - used, "%s", text);
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
    format_message(err->msg, sizeof err->msg, fmt, args);
    va_end(args);
    err->code = code;
    return code;
}

enum err_code err_set_errno(struct error *err, int errnum, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    format_message(err->msg, sizeof err->msg, fmt, args);
    va_end(args);
    char reason[128];
    if (strerror_r(errnum, reason, sizeof reason) != 0) {
        (void)snprintf(reason, sizeof reason, "error number %d", errnum);
    }
    append_text(err->msg, ": ");
    append_text(err->msg, reason);
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
    format_message(err->msg, sizeof err->msg, fmt, args);
    va_end(args);
    append_text(err->msg, ": ");
    append_text(err->msg, inner);
    return code;
}
