/* progress.c - see progress.h. */
#include "base/progress.h"

#include "base/file.h"
#include "base/number.h"
#include "base/scoped.h"
#include "base/strbuf.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS_DEFAULT 80
#define COLUMNS_MAX     1000
#define BAR_COLUMNS_MIN 5
#define BAR_COLUMNS_MAX 30
#define LINE_BYTES_MAX  4096
#define CLEAR_LINE      "\r\x1b[K"

/* What does not fit its limit, or finds no memory, is left out: progress never stops the work. */
static void write_text(const struct progress *p, const char *text) {
    struct error ignored = ERROR_INIT;
    enum err_code code = file_write(p->options.fd, "progress", text, strlen(text), &ignored);
    (void)code; /* a terminal that is gone cannot be told about */
}

/* Columns of UTF-8 text, one per code point. */
static int columns_of(const char *text) {
    int columns = 0;
    for (; *text; text++) {
        columns += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return columns;
}

/* Cuts to `columns` code points. */
static void cut_to_columns(struct strbuf *line, int columns) {
    for (size_t i = 0; i < line->length; i++) {
        if (((unsigned char)line->bytes[i] & 0xc0) != 0x80 && columns-- <= 0) {
            strbuf_truncate(line, i);
        }
    }
}

/* --- numbers --- */

/* Units per second since the start; 0 while unknown. */
static double rate_of(const struct progress *p, int64_t elapsed_ns) {
    int64_t fresh = p->done - p->options.start;
    if (fresh <= 0 || elapsed_ns <= 0) {
        return 0.0;
    }
    return (double)fresh * (double)CLOCK_NS_PER_S / (double)elapsed_ns;
}

/* Three significant digits: "12.3 rows/s", "1.23k rows/s". 999.5 would round to four. */
static void add_rate(struct strbuf *line, double rate, const char *unit) {
    static const char *const scales[] = {"", "k", "M", "G", "T"};
    size_t scale = 0;
    while (rate >= 999.5 && scale + 1 < sizeof scales / sizeof scales[0]) {
        rate /= 1000.0;
        scale++;
    }
    strbuf_addf(line, "%.3g%s %s/s", rate, scales[scale], unit);
}

static bool total_known(const struct progress *p) {
    return p->options.total >= 0;
}

/* Rounded down: 100 means all of it. */
static int percent_of(const struct progress *p) {
    if (p->done >= p->options.total) {
        return 100;
    }
    return (int)((double)p->done * 100.0 / (double)p->options.total);
}

static void add_count(struct strbuf *line, const struct progress *p) {
    strbuf_addf(line, "%" PRId64, p->done);
    if (total_known(p)) {
        strbuf_addf(line, "/%" PRId64, p->options.total);
    }
    strbuf_addf(line, " %s", p->options.unit);
}

/* At this rate, in ns; no further than a clock goes. */
static int64_t time_left(const struct progress *p, double rate) {
    double left_ns = (double)(p->options.total - p->done) / rate * (double)CLOCK_NS_PER_S;
    return left_ns <= 0.0 ? 0 : left_ns < (double)INT64_MAX ? (int64_t)left_ns : INT64_MAX;
}

/* ", 12.3 rows/s, 44.7 s left"; elapsed time where the time left is unknown, or nothing is left. */
static void add_pace(struct strbuf *line, const struct progress *p, int64_t elapsed_ns) {
    double rate = rate_of(p, elapsed_ns);
    if (rate > 0.0) {
        strbuf_add(line, ", ");
        add_rate(line, rate, p->options.unit);
    }
    if (rate > 0.0 && p->done < p->options.total) {
        strbuf_addf(line, ", %s left", clock_duration_text(time_left(p, rate)).text);
    } else {
        strbuf_addf(line, ", %s", clock_duration_text(elapsed_ns).text);
    }
}

/* --- the three kinds of line --- */

static void add_bar(struct strbuf *line, const struct progress *p, int columns) {
    int filled = percent_of(p) * columns / 100;
    bool full = filled == columns;
    strbuf_add_char(line, '[');
    strbuf_add_repeated(line, '=', (size_t)filled);
    strbuf_add(line, full ? "" : ">");
    strbuf_add_repeated(line, ' ', (size_t)(columns - filled - !full));
    strbuf_add(line, "] ");
}

static void draw_bar(struct progress *p, int64_t elapsed_ns) {
    /* The last column stays free: writing there makes some terminals wrap. */
    int columns = progress_columns(p->options.fd) - 1;
    SCOPED(strbuf) struct strbuf tail = STRBUF_INIT(LINE_BYTES_MAX);
    add_count(&tail, p);
    add_pace(&tail, p, elapsed_ns);
    SCOPED(strbuf) struct strbuf line = STRBUF_INIT(LINE_BYTES_MAX);
    strbuf_add(&line, p->options.label);
    if (total_known(p)) {
        strbuf_addf(&line, " %3d%% ", percent_of(p));
        int room = columns - columns_of(strbuf_text(&line)) - columns_of(strbuf_text(&tail)) - 3;
        if (room >= BAR_COLUMNS_MIN) {
            add_bar(&line, p, room < BAR_COLUMNS_MAX ? room : BAR_COLUMNS_MAX);
        }
    } else {
        strbuf_add(&line, ": ");
    }
    strbuf_add(&line, strbuf_text(&tail));
    cut_to_columns(&line, columns);
    SCOPED(strbuf) struct strbuf output = STRBUF_INIT(LINE_BYTES_MAX);
    strbuf_add(&output, CLEAR_LINE);
    strbuf_add(&output, strbuf_text(&line));
    write_text(p, strbuf_text(&output)); /* in one write, so that it does not flicker */
    p->bar_visible = true;
}

static void write_line(struct progress *p, int64_t elapsed_ns) {
    SCOPED(strbuf) struct strbuf line = STRBUF_INIT(LINE_BYTES_MAX);
    strbuf_addf(&line, "%s: ", p->options.label);
    add_count(&line, p);
    if (total_known(p)) {
        strbuf_addf(&line, " (%d%%)", percent_of(p));
    }
    add_pace(&line, p, elapsed_ns);
    strbuf_add(&line, "\n");
    write_text(p, strbuf_text(&line));
}

static void write_last_line(struct progress *p, int64_t elapsed_ns) {
    SCOPED(strbuf) struct strbuf line = STRBUF_INIT(LINE_BYTES_MAX);
    strbuf_addf(&line, "%s%s: %" PRId64, p->bar_visible ? CLEAR_LINE : "", p->options.label,
                p->done);
    if (total_known(p) && p->done != p->options.total) {
        strbuf_addf(&line, " of %" PRId64, p->options.total);
    }
    strbuf_addf(&line, " %s in %s", p->options.unit, clock_duration_text(elapsed_ns).text);
    double rate = rate_of(p, elapsed_ns);
    if (rate > 0.0) {
        strbuf_add(&line, " (");
        add_rate(&line, rate, p->options.unit);
        strbuf_add(&line, ")");
    }
    strbuf_add(&line, "\n");
    write_text(p, strbuf_text(&line));
    p->bar_visible = false;
}

/* --- public --- */

enum progress_mode progress_mode_for(int fd) {
    const char *term = getenv("TERM");
    bool can_erase = term && strcmp(term, "dumb") != 0;
    return isatty(fd) && can_erase ? PROGRESS_MODE_BAR : PROGRESS_MODE_LINES;
}

int progress_columns(int fd) {
    int64_t columns = 0;
    const char *wanted = getenv("COLUMNS");
    if (wanted && number_parse_i64(wanted, &columns) && columns > 0 && columns <= COLUMNS_MAX) {
        return (int)columns;
    }
    struct winsize size = {0};
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col < COLUMNS_MAX ? size.ws_col : COLUMNS_MAX;
    }
    return COLUMNS_DEFAULT;
}

static void clear_bar(void *context) {
    struct progress *p = context;
    if (p->bar_visible) {
        write_text(p, CLEAR_LINE);
        p->bar_visible = false;
    }
}

static int64_t interval_of(const struct progress *p) {
    return p->options.mode == PROGRESS_MODE_BAR ? PROGRESS_DRAW_NS : PROGRESS_LINE_NS;
}

void progress_open(const struct progress_options *options, struct progress *out) {
    int64_t now_ns = clock_monotonic_ns(options->clock);
    *out = (struct progress){
        .options = *options, .opened_ns = now_ns, .done = options->start, .open = true};
    out->next_write_ns = now_ns + interval_of(out);
    if (options->mode == PROGRESS_MODE_BAR) {
        log_set_before_line(options->log, clear_bar, out);
    }
}

void progress_update(struct progress *p, int64_t done) {
    p->done = done;
    if (p->options.mode == PROGRESS_MODE_QUIET) {
        return;
    }
    int64_t now_ns = clock_monotonic_ns(p->options.clock);
    if (now_ns < p->next_write_ns) {
        return;
    }
    p->next_write_ns = now_ns + interval_of(p);
    if (p->options.mode == PROGRESS_MODE_BAR) {
        draw_bar(p, now_ns - p->opened_ns);
    } else {
        write_line(p, now_ns - p->opened_ns);
    }
}

void progress_finish(struct progress *p) {
    if (p->open && p->options.mode != PROGRESS_MODE_QUIET) {
        write_last_line(p, clock_monotonic_ns(p->options.clock) - p->opened_ns);
    }
    progress_close(p);
}

void progress_close(struct progress *p) {
    if (!p->open) {
        return;
    }
    if (p->bar_visible) {
        write_text(p, "\n");
        p->bar_visible = false;
    }
    if (p->options.mode == PROGRESS_MODE_BAR) {
        log_set_before_line(p->options.log, NULL, NULL);
    }
    p->open = false;
}
