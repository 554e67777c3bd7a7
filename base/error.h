/* error.h - one error type for the whole program.
 *
 * Use:      A function that can fail returns `enum err_code`, takes `struct error *err` last, and
 *           writes its outputs only when it succeeds:
 *
 *               TRY(tokenizer_load(path, &tok, err));
 *               if (size > limit) {
 *                   return err_set(err, ERR_DATA, "'%s': %zu bytes, limit %zu", path, size, limit);
 *               }
 *
 * Messages: say what, where, the offending value and the remedy; lower case, no full stop, strings
 *           in 'ticks', numbers with units.
 * Threads:  no state; a `struct error` belongs to its caller.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

/* Code and its text. Codes are only ever added. trainer/main.c maps them to exit statuses.
 * Input beyond a documented limit is DATA; LIMIT is what the program itself ran into: steps, the
 * size of a buffer, the range of an index. */
#define ERR_CODES(X)                                \
    X(OK, "ok")                                     \
    X(OOM, "out of memory")                         \
    X(IO, "input or output failed")                 \
    X(USAGE, "wrong usage")                         \
    X(CONFIG, "bad configuration")                  \
    X(DATA, "bad input data")                       \
    X(LIMIT, "limit exceeded")                      \
    X(SHAPE, "shape mismatch")                      \
    X(DTYPE, "dtype or device mismatch")            \
    X(BACKEND, "tensor library failed")             \
    X(UNAVAILABLE, "not available on this machine") \
    X(VERIFY, "verification failed")                \
    X(INTERRUPTED, "interrupted")                   \
    X(INTERNAL, "internal error")

enum err_code {
#define ERR_ENUM(name, text) ERR_##name,
    ERR_CODES(ERR_ENUM)
#undef ERR_ENUM
        ERR_CODE_COUNT
};

#define ERR_MSG_BYTES 512

/* Fixed buffer, so that it works when memory is gone. Untouched on success, so calls chain. */
struct error {
    enum err_code code;
    char msg[ERR_MSG_BYTES];
};

#define ERROR_INIT                   \
    {                                \
        .code = ERR_OK, .msg = { 0 } \
    }

#ifdef __cplusplus
#define ERR_NODISCARD [[nodiscard]]
extern "C" {
#else
#define ERR_NODISCARD __attribute__((warn_unused_result))
#endif

#define ERR_FORMAT(fmt_index, first_index) __attribute__((format(printf, fmt_index, first_index)))

/* The one macro that hides a return: leaves the function with the code of a failed call. */
#define TRY(call)                         \
    do {                                  \
        enum err_code try_code_ = (call); \
        if (try_code_ != ERR_OK) {        \
            return try_code_;             \
        }                                 \
    } while (0)

/* Short fixed text of a code ("out of memory"); "unknown error" outside the enum. Static. */
const char *err_text(enum err_code code);

/* Name of a code as written in the source ("OOM"). Static. */
const char *err_name(enum err_code code);

/* Fills `err` and returns `code`, for `return err_set(...)`. A text too long loses its middle, so
 * that what is said last, the remedy, stays. */
enum err_code err_set(struct error *err, enum err_code code, const char *fmt, ...) ERR_FORMAT(3, 4);

/* As err_set with ERR_IO, and appends ": " and the text of `errnum` (an errno value). */
enum err_code err_set_errno(struct error *err, int errnum, const char *fmt, ...) ERR_FORMAT(3, 4);

/* ERR_OOM for a failed allocation of `what` ("token buffer"). */
enum err_code err_oom(struct error *err, const char *what);

/* Adds context once per layer on the way up: "<context>: <old message>". Passes ERR_OK through and
 * then leaves `err` alone. Returns `code`. */
enum err_code err_wrap(struct error *err, enum err_code code, const char *fmt, ...)
    ERR_FORMAT(3, 4);

#ifdef __cplusplus
}
#endif

#ifdef __clang_analyzer__
/* The static analyzer reads one file at a time: without this it follows paths on which err_set
 * reported a failure as ERR_OK. */
#define err_set(err, failure, ...) \
    ((void)(err_set)((err), (failure), __VA_ARGS__), (err)->code = (failure))
#define err_set_errno(err, errnum, ...) \
    ((void)(err_set_errno)((err), (errnum), __VA_ARGS__), (err)->code = ERR_IO)
#define err_oom(err, what) ((void)(err_oom)((err), (what)), (err)->code = ERR_OOM)
#endif

#endif
