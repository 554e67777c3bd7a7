/* progress.h - how far, how fast, how long still.
 *
 * Use:      SCOPED(progress) struct progress p;
 *           progress_open(&(struct progress_options){.clock = &clock, .log = log,
 *                         .fd = STDERR_FILENO, .mode = progress_mode_for(STDERR_FILENO),
 *                         .label = "import", .unit = "rows", .total = rows}, &p);
 *           for (...) { progress_update(&p, row); }
 *           progress_finish(&p);
 *
 * Shows:    on a terminal one line that is redrawn, at most ten times a second, fitted to its
 *           width; elsewhere a line every ten seconds; in the end, in both, one line:
 *               import  45% [======>        ] 450/1000 rows, 12.3 rows/s, 44.7 s left
 *               import: 450/1000 rows (45%), 12.3 rows/s, 44.7 s left
 *               import: 1000 rows in 1 m 21 s (12.3 rows/s)
 *           The rate is the mean since the start, so the time left does not jump about.
 * Failure:  none; what cannot be written is not shown.
 * Threads:  one progress belongs to one thread; with a bar, so do the lines of its log.
 */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include "base/clock.h"
#include "base/log.h"

#include <stdbool.h>
#include <stdint.h>

#define PROGRESS_TOTAL_UNKNOWN (-1)
#define PROGRESS_DRAW_NS       (CLOCK_NS_PER_S / 10)
#define PROGRESS_LINE_NS       (10 * CLOCK_NS_PER_S)

enum progress_mode { PROGRESS_MODE_QUIET, PROGRESS_MODE_LINES, PROGRESS_MODE_BAR };

struct progress_options {
    const struct clock *clock; /* borrowed until closed */
    struct log *log;           /* the bar is cleared before its lines; borrowed; may be NULL */
    int fd;                    /* borrowed until closed */
    enum progress_mode mode;
    const char *label; /* "import"; borrowed until closed */
    const char *unit;  /* plural: "rows"; borrowed until closed */
    int64_t total;     /* in units, or PROGRESS_TOTAL_UNKNOWN */
    int64_t start;     /* done before this process began (--resume): not part of the rate */
};

struct progress {
    struct progress_options options;
    int64_t opened_ns;     /* monotonic */
    int64_t next_write_ns; /* monotonic; nothing is written before */
    int64_t done;
    bool bar_visible; /* the terminal's current line is ours */
    bool open;
};

/* A bar on a terminal that can erase, lines elsewhere. */
enum progress_mode progress_mode_for(int fd);

/* Width of the terminal: $COLUMNS, else what the terminal says, else 80. */
int progress_columns(int fd);

/* `out` must stay where it is until closed. */
void progress_open(const struct progress_options *options, struct progress *out);

/* `done` in units since the very start, `options.start` included. Cheap enough for a hot loop: one
 * look at the clock. */
void progress_update(struct progress *p, int64_t done);

/* Writes the last line, and closes. */
void progress_finish(struct progress *p);

/* Without a last line, after a failure; ends a visible bar with a line end so that the message
 * starts on a line of its own. Safe twice and after progress_finish. */
void progress_close(struct progress *p);

static inline void progress_scoped_end(struct progress *p) {
    progress_close(p);
}

#endif
