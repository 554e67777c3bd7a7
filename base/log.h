/* log.h - lines for people: on the terminal, and in a file if wanted.
 *
 * Use:      log_info(log, "import", "%lld rows from '%s'", rows, path);
 *           if (log_traces(log, LOG_TRACE_SQL)) { log_trace(log, LOG_TRACE_SQL, "%s", sql); }
 *
 *           The log travels as an argument; NULL is a log that drops everything. Library code logs
 *           at debug level only: what users read is written by trainer/.
 * Lines:    terminal  "warning: import: 3 rows skipped"; info lines without the level
 *           file      "2025-11-22T03:24:05.123Z warning import: 3 rows skipped"
 *           Control characters of a message become '?', line ends a space (texts from outside must
 *           not move the cursor or forge lines); a line is cut at LOG_LINE_BYTES.
 * Failure:  a log never stops the work: when the file cannot be written, the terminal says so once
 *           and the file gets no more.
 * Threads:  safe once open; a line leaves in one write.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/clock.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LOG_LINE_BYTES 4096

/* Most urgent first: a level lets itself and everything above it through. */
#define LOG_LEVELS(X)  \
    X(ERROR, "error")  \
    X(WARN, "warning") \
    X(INFO, "info")    \
    X(DEBUG, "debug")

/* Channels of --trace: name, what they show. */
#define LOG_TRACE_CHANNELS(X)                                   \
    X(TENSOR, "tensor", "each op with shapes and time")         \
    X(DATA, "data", "batches and tokens as they are assembled") \
    X(SQL, "sql", "each statement with its time")

enum log_level {
#define LOG_LEVEL_ENUM(name, text) LOG_LEVEL_##name,
    LOG_LEVELS(LOG_LEVEL_ENUM)
#undef LOG_LEVEL_ENUM
};

enum log_trace_channel {
#define LOG_TRACE_ENUM(name, text, help) LOG_TRACE_##name,
    LOG_TRACE_CHANNELS(LOG_TRACE_ENUM)
#undef LOG_TRACE_ENUM
        LOG_TRACE_COUNT
};

struct log_options {
    struct clock clock;
    int terminal_fd; /* borrowed, usually STDERR_FILENO */
    enum log_level terminal_level;
    const char *file_path; /* appended to; NULL for none */
    enum log_level file_level;
    uint32_t trace_mask; /* bit 1 << channel; shown in both places whatever the level */
};

struct log;

/* `*out_log` is owned (log_close). The options are copied.
 *   fails    ERR_IO when the file cannot be opened; ERR_OOM */
ERR_NODISCARD enum err_code log_open(const struct log_options *options, struct log **out_log,
                                     struct error *err);
void log_close(struct log *log);

/* From here on the lines go to this file, appended, in place of the one before: for a folder that
 * is known late. Not while other threads log.
 *   fails    as log_open; then nothing has changed */
ERR_NODISCARD enum err_code log_set_file(struct log *log, const char *path, enum log_level level,
                                         struct error *err);

/* `area`: folder or file stem the line comes from. */
void log_write(struct log *log, enum log_level level, const char *area, const char *fmt, ...)
    ERR_FORMAT(4, 5);

#define log_error(log, ...) log_write(log, LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(log, ...)  log_write(log, LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(log, ...)  log_write(log, LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(log, ...) log_write(log, LOG_LEVEL_DEBUG, __VA_ARGS__)

/* Whether a channel is on: ask before composing anything costly. */
bool log_traces(const struct log *log, enum log_trace_channel channel);
void log_trace(struct log *log, enum log_trace_channel channel, const char *fmt, ...)
    ERR_FORMAT(3, 4);

/* Called before each line on the terminal; NULL to stop. At most one at a time. */
void log_set_before_line(struct log *log, void (*before_line)(void *context), void *context);

/* "info"; ERR_USAGE naming the levels there are. */
ERR_NODISCARD enum err_code log_level_parse(const char *text, enum log_level *out,
                                            struct error *err);

/* "tensor,sql" or "all" to a mask; ERR_USAGE naming the channels there are. */
ERR_NODISCARD enum err_code log_trace_parse(const char *text, uint32_t *out_mask,
                                            struct error *err);

/* Texts of the lists above; static. */
const char *log_level_text(enum log_level level);
const char *log_trace_name(enum log_trace_channel channel);
const char *log_trace_help(enum log_trace_channel channel);

static inline void log_scoped_end(struct log **log) {
    log_close(*log);
}

#ifdef __cplusplus
}
#endif

#endif
