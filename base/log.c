/* log.c - see log.h. */
#include "base/log.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/scoped.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define CUT_MARK "..."

static const char *const level_texts[] = {
#define LOG_LEVEL_TEXT(name, text) text,
    LOG_LEVELS(LOG_LEVEL_TEXT)
#undef LOG_LEVEL_TEXT
};

static const char *const trace_names[] = {
#define LOG_TRACE_NAME(name, text, help) text,
    LOG_TRACE_CHANNELS(LOG_TRACE_NAME)
#undef LOG_TRACE_NAME
};

static const char *const trace_helps[] = {
#define LOG_TRACE_HELP(name, text, help) help,
    LOG_TRACE_CHANNELS(LOG_TRACE_HELP)
#undef LOG_TRACE_HELP
};

#define LEVEL_COUNT (sizeof level_texts / sizeof level_texts[0])

struct log {
    struct log_options options; /* file_path is `path` */
    char *path;                 /* NULL without a file */
    int file_fd;                /* -1 without a file */
    atomic_bool file_failed;
    void (*before_line)(void *context); /* NULL for none */
    void *before_line_context;
};

static void close_file(struct log *log) {
    file_fd_scoped_end(&log->file_fd);
    mem_free(log->path);
}

enum err_code log_set_file(struct log *log, const char *path, enum log_level level,
                           struct error *err) {
    if (!log) {
        return ERR_OK;
    }
    SCOPED(mem) char *copy = mem_strdup(path);
    SCOPED(file_fd) int fd = -1;
    if (!copy) {
        return err_oom(err, "the log's file name");
    }
    TRY(file_open(copy, O_WRONLY | O_CREAT | O_APPEND, &fd, err));
    close_file(log);
    log->file_fd = fd;
    log->path = MOVE(copy);
    log->options.file_path = log->path;
    log->options.file_level = level;
    atomic_store(&log->file_failed, false);
    fd = -1;
    return ERR_OK;
}

enum err_code log_open(const struct log_options *options, struct log **out_log, struct error *err) {
    SCOPED(log) struct log *log = mem_array_zero(1, sizeof *log);
    if (!log) {
        return err_oom(err, "the log");
    }
    log->options = *options;
    log->file_fd = -1;
    if (options->file_path) {
        TRY(log_set_file(log, options->file_path, options->file_level, err));
    }
    *out_log = MOVE(log);
    return ERR_OK;
}

void log_close(struct log *log) {
    if (log) {
        close_file(log);
        mem_free(log);
    }
}

/* --- composing a line --- */

/* One line under construction; `used` excludes the line end, for which there is always room. */
struct line {
    char bytes[LOG_LINE_BYTES];
    size_t used;
};

#define LINE_TEXT_BYTES (LOG_LINE_BYTES - 1)

static ERR_FORMAT(2, 0) void line_vadd(struct line *line, const char *fmt, va_list args) {
    size_t room = LINE_TEXT_BYTES - line->used;
    int wanted = vsnprintf(line->bytes + line->used, room, fmt, args);
    if (wanted < 0) {
        return;
    }
    if ((size_t)wanted < room) {
        line->used += (size_t)wanted;
        return;
    }
    line->used = LINE_TEXT_BYTES - 1;
    memcpy(line->bytes + line->used - strlen(CUT_MARK), CUT_MARK, strlen(CUT_MARK));
}

static ERR_FORMAT(2, 3) void line_add(struct line *line, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    line_vadd(line, fmt, args);
    va_end(args);
}

static void line_finish(struct line *line) {
    for (size_t i = 0; i < line->used; i++) {
        unsigned char c = (unsigned char)line->bytes[i];
        unsigned char next = i + 1 < line->used ? (unsigned char)line->bytes[i + 1] : 0;
        if (c == '\n' || c == '\t') {
            line->bytes[i] = ' ';
        } else if (c < ' ' || c == 0x7f) {
            line->bytes[i] = '?';
        } else if (c == 0xc2 && next >= 0x80 && next <= 0x9f) { /* U+0080 to U+009F */
            line->bytes[i] = '?';
            line->bytes[i + 1] = '?';
        }
    }
    line->bytes[line->used++] = '\n';
}

/* --- the two sinks --- */

static void write_terminal(struct log *log, struct line *line) {
    line_finish(line);
    if (log->before_line) {
        log->before_line(log->before_line_context);
    }
    /* A terminal that is gone cannot be told about. */
    struct error ignored = ERROR_INIT;
    enum err_code code =
        file_write(log->options.terminal_fd, "terminal", line->bytes, line->used, &ignored);
    (void)code;
}

static void write_file(struct log *log, struct line *line) {
    line_finish(line);
    struct error err = ERROR_INIT;
    if (atomic_load(&log->file_failed) ||
        file_write(log->file_fd, log->options.file_path, line->bytes, line->used, &err) == ERR_OK) {
        return;
    }
    if (!atomic_exchange(&log->file_failed, true)) {
        struct line notice = {.used = 0};
        line_add(&notice, "warning: log: %s; the log file ends here", err.msg);
        write_terminal(log, &notice);
    }
}

/* What stands before the message, and where the line goes. */
struct head {
    enum log_level level;
    const char *prefix; /* "info", "trace" */
    const char *area;   /* "import", "sql" */
    bool forced;        /* shown whatever the level */
};

static ERR_FORMAT(3, 0) void write_both(struct log *log, const struct head *head, const char *fmt,
                                        va_list args) {
    bool shown = head->forced || head->level <= log->options.terminal_level;
    bool filed = log->file_fd >= 0 && (head->forced || head->level <= log->options.file_level);
    if (!shown && !filed) {
        return;
    }
    struct line message = {.used = 0};
    line_vadd(&message, fmt, args);
    if (shown) {
        struct line line = {.used = 0};
        if (head->level != LOG_LEVEL_INFO) {
            line_add(&line, "%s: ", head->prefix);
        }
        line_add(&line, "%s: %s", head->area, message.bytes);
        write_terminal(log, &line);
    }
    if (filed) {
        struct line line = {.used = 0};
        int64_t now = clock_wall_ns(&log->options.clock);
        line_add(&line, "%s %s %s: %s", clock_utc_ms_text(now).text, head->prefix, head->area,
                 message.bytes);
        write_file(log, &line);
    }
}

void log_write(struct log *log, enum log_level level, const char *area, const char *fmt, ...) {
    if (!log) {
        return;
    }
    const struct head head = {.level = level, .prefix = log_level_text(level), .area = area};
    va_list args;
    va_start(args, fmt);
    write_both(log, &head, fmt, args);
    va_end(args);
}

bool log_traces(const struct log *log, enum log_trace_channel channel) {
    return log && (log->options.trace_mask >> channel & 1) != 0;
}

void log_trace(struct log *log, enum log_trace_channel channel, const char *fmt, ...) {
    if (!log_traces(log, channel)) {
        return;
    }
    const struct head head = {.level = LOG_LEVEL_DEBUG,
                              .prefix = "trace",
                              .area = log_trace_name(channel),
                              .forced = true};
    va_list args;
    va_start(args, fmt);
    write_both(log, &head, fmt, args);
    va_end(args);
}

void log_set_before_line(struct log *log, void (*before_line)(void *context), void *context) {
    if (log) {
        log->before_line = before_line;
        log->before_line_context = context;
    }
}

/* --- names --- */

const char *log_level_text(enum log_level level) {
    return level_texts[level];
}

const char *log_trace_name(enum log_trace_channel channel) {
    return trace_names[channel];
}

const char *log_trace_help(enum log_trace_channel channel) {
    return trace_helps[channel];
}

#define LEVEL_ITEM(name, text)         " " text
#define CHANNEL_ITEM(name, text, help) " " text

enum err_code log_level_parse(const char *text, enum log_level *out, struct error *err) {
    for (size_t i = 0; i < LEVEL_COUNT; i++) {
        if (strcmp(text, level_texts[i]) == 0) {
            *out = (enum log_level)i;
            return ERR_OK;
        }
    }
    return err_set(err, ERR_USAGE, "unknown log level '%s'; there are%s", text,
                   LOG_LEVELS(LEVEL_ITEM));
}

/* The bit of the channel named by `count` bytes, all bits for "all", 0 when there is none. */
static uint32_t trace_bits(const char *name, size_t count) {
    for (size_t i = 0; i < LOG_TRACE_COUNT; i++) {
        if (strlen(trace_names[i]) == count && strncmp(name, trace_names[i], count) == 0) {
            return UINT32_C(1) << i;
        }
    }
    return count == 3 && strncmp(name, "all", 3) == 0 ? (UINT32_C(1) << LOG_TRACE_COUNT) - 1 : 0;
}

enum err_code log_trace_parse(const char *text, uint32_t *out_mask, struct error *err) {
    uint32_t mask = 0;
    for (const char *name = text;; name++) {
        size_t count = strcspn(name, ",");
        uint32_t bits = trace_bits(name, count);
        if (bits == 0) {
            return err_set(err, ERR_USAGE, "unknown trace channel '%.*s'; there are%s all",
                           (int)count, name, LOG_TRACE_CHANNELS(CHANNEL_ITEM));
        }
        mask |= bits;
        name += count;
        if (*name == '\0') {
            *out_mask = mask;
            return ERR_OK;
        }
    }
}
