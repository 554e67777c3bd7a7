/* leaderboard_svg.c - see leaderboard_svg.h. */
#include "reward/leaderboard_svg.h"

#include "base/utf8.h"
#include "base/xml_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Lengths in pixels of an unscaled picture. */
#define WIDTH          880.0
#define MARGIN         24.0
#define TOP            88.0 /* title, subtitle and the labels of the columns */
#define ROW_HEIGHT     24.0
#define BOTTOM         62.0
#define RANK_WIDTH     64.0
#define VALUE_WIDTH    64.0
#define LETTER_WIDTH   7.0 /* about: of a 13 pixel sans-serif font */
#define NAME_COLUMNS   34
#define NAME_WIDTH_MIN 80.0
#define GAP            18.0
#define TICKS_TARGET   6.0
#define TICKS_MAX      64
#define NUMBER_BYTES   64
#define NAME_BYTES     (4 * NAME_COLUMNS + 8)

static const char style[] =
    "text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,"
    "'DejaVu Sans',sans-serif;font-size:13px;fill:#1f2937}"
    ".title{font-size:18px;font-weight:600;fill:#111827}"
    ".quiet{font-size:12px;fill:#6b7280}"
    ".number{font-variant-numeric:tabular-nums}"
    ".grid{stroke:#e5e7eb;stroke-width:1}"
    ".zero{stroke:#9ca3af;stroke-width:1;stroke-dasharray:3 3}"
    ".stripe{fill:#f9fafb}"
    ".whisker{stroke:#94a3b8;stroke-width:2;stroke-linecap:round}"
    ".dot{fill:#64748b}"
    ".first .whisker{stroke:#60a5fa}"
    ".first .dot{fill:#1d4ed8}";

/* ---- text ---- */

/* `name` cut to NAME_COLUMNS code points, the last an ellipsis if anything is missing; returns how
 * many. */
static int64_t shorten(const char *name, char out[NAME_BYTES]) {
    size_t used = 0, bytes = strlen(name), at = 0;
    int64_t columns = 0;
    while (at < bytes && columns < NAME_COLUMNS) {
        uint32_t code_point = 0;
        size_t length = utf8_decode(name + at, bytes - at, &code_point);
        if (columns == NAME_COLUMNS - 1 && at + length < bytes) {
            memcpy(out + used, "\xE2\x80\xA6", 3); /* ellipsis */
            used += 3;
        } else {
            memcpy(out + used, name + at, length);
            used += length;
        }
        at += length;
        columns++;
    }
    out[used] = '\0';
    return columns;
}

/* With a true minus sign, as wide as a digit. */
static void format_number(double value, int decimals, char out[NUMBER_BYTES]) {
    bool is_negative = value < -0.5 * pow(10.0, -decimals);
    (void)snprintf(out, NUMBER_BYTES, "%s%.*f", is_negative ? "\xE2\x88\x92" : "", decimals,
                   fabs(value));
}

static void add_text(struct strbuf *out, double x, double y, const char *attributes,
                     const char *text) {
    strbuf_addf(out, "<text x=\"%.1f\" y=\"%.1f\"%s>", x, y, attributes);
    xml_text_add(out, text);
    strbuf_add(out, "</text>\n");
}

/* ---- the axis ---- */

struct plot {
    double left, right; /* pixels */
    double low, high;   /* nats there */
    double step;        /* between ticks */
    int decimals;       /* of their labels */
    double name_width;
    double height;
};

static double place(const struct plot *plot, double reward) {
    return plot->left +
           (reward - plot->low) / (plot->high - plot->low) * (plot->right - plot->left);
}

/* 1, 2 or 5 times a power of ten, about TICKS_TARGET times in `span`. */
static double nice_step(double span) {
    double power = pow(10.0, floor(log10(span / TICKS_TARGET)));
    double ratio = span / TICKS_TARGET / power;
    return power * (ratio < 1.5 ? 1.0 : ratio < 3.5 ? 2.0 : ratio < 7.5 ? 5.0 : 10.0);
}

static void widen(struct plot *plot, double reward) {
    if (isfinite(reward)) {
        plot->low = fmin(plot->low, reward);
        plot->high = fmax(plot->high, reward);
    }
}

static struct plot plan(const struct leaderboard *board, const struct leaderboard_labels *labels) {
    struct plot plot = {
        .low = (double)INFINITY, .high = -(double)INFINITY, .name_width = NAME_WIDTH_MIN};
    for (int64_t r = 0; r < labels->rows; r++) {
        const struct leaderboard_row *row = &board->rows[r];
        widen(&plot, row->reward);
        widen(&plot, row->low);
        widen(&plot, row->high);
        char name[NAME_BYTES];
        plot.name_width =
            fmax(plot.name_width, LETTER_WIDTH * (double)shorten(labels->names[r], name));
    }
    if (!(plot.high - plot.low > 1e-9)) { /* no row, or one without an error */
        double middle = isfinite(plot.low) ? plot.low : 0.0;
        plot.low = middle - 1.0;
        plot.high = middle + 1.0;
    }
    plot.step = nice_step(plot.high - plot.low);
    plot.low = floor(plot.low / plot.step) * plot.step;
    plot.high = ceil(plot.high / plot.step) * plot.step;
    plot.decimals = (int)fmax(0.0, ceil(-log10(plot.step) - 1e-9));
    plot.left = MARGIN + RANK_WIDTH + plot.name_width + GAP;
    plot.right = WIDTH - MARGIN - VALUE_WIDTH - GAP;
    plot.height = (double)labels->rows * ROW_HEIGHT;
    return plot;
}

static void add_axis(struct strbuf *out, const struct plot *plot,
                     const struct leaderboard_labels *labels) {
    double bottom = TOP + plot->height;
    for (int t = 0; t < TICKS_MAX; t++) {
        double reward = plot->low + t * plot->step;
        if (reward > plot->high + 0.5 * plot->step) {
            break;
        }
        bool is_zero = fabs(reward) < 0.5 * plot->step;
        double x = place(plot, is_zero ? 0.0 : reward);
        strbuf_addf(out, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n",
                    is_zero ? "zero" : "grid", x, TOP, x, bottom + 4.0);
        char label[NUMBER_BYTES];
        format_number(is_zero ? 0.0 : reward, plot->decimals, label);
        add_text(out, x, bottom + 20.0, " class=\"quiet number\" text-anchor=\"middle\"", label);
    }
    add_text(out, (plot->left + plot->right) / 2.0, bottom + 40.0,
             " class=\"quiet\" text-anchor=\"middle\"", labels->axis);
}

/* ---- rows ---- */

static void add_whisker(struct strbuf *out, const struct plot *plot,
                        const struct leaderboard_row *row, double y) {
    double low = place(plot, row->low), high = place(plot, row->high);
    strbuf_addf(out,
                "<path class=\"whisker\" fill=\"none\" d=\"M%.1f %.1fH%.1fM%.1f %.1fv6M%.1f "
                "%.1fv6\"/>\n",
                low, y, high, low, y - 3.0, high, y - 3.0);
}

static void add_row(struct strbuf *out, const struct plot *plot, const struct leaderboard_row *row,
                    const char *full_name, double top) {
    double middle = top + ROW_HEIGHT / 2.0, base = middle + 4.5;
    char name[NAME_BYTES], text[NUMBER_BYTES];
    (void)shorten(full_name, name);
    strbuf_addf(out, "<g%s><title>", row->rank_best == 1 ? " class=\"first\"" : "");
    xml_text_add(out, name);
    strbuf_addf(out, ": %.3f", row->reward);
    if (isfinite(row->low)) {
        strbuf_addf(out, " [%.3f, %.3f]", row->low, row->high);
    }
    strbuf_add(out, "</title>\n");
    leaderboard_format_ranks(row, "\xE2\x80\x93", text);
    add_text(out, MARGIN + RANK_WIDTH - 16.0, base, " class=\"quiet number\" text-anchor=\"end\"",
             text);
    add_text(out, MARGIN + RANK_WIDTH, base, "", name);
    if (isfinite(row->low) && isfinite(row->high)) {
        add_whisker(out, plot, row, middle);
    }
    strbuf_addf(out, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"4.5\"/>\n",
                place(plot, row->reward), middle);
    format_number(row->reward, 3, text);
    add_text(out, WIDTH - MARGIN, base, " class=\"number\" text-anchor=\"end\"", text);
    strbuf_add(out, "</g>\n");
}

static void add_heading(struct strbuf *out, const struct plot *plot,
                        const struct leaderboard *board, const struct leaderboard_labels *labels) {
    double height = TOP + plot->height + BOTTOM;
    strbuf_addf(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" "
        "height=\"%.0f\" role=\"img\">\n<title>",
        WIDTH, height, WIDTH, height);
    xml_text_add(out, labels->title);
    strbuf_addf(out, "</title>\n<style>%s</style>\n", style);
    strbuf_addf(out, "<rect width=\"%.0f\" height=\"%.0f\" rx=\"8\" fill=\"#ffffff\"/>\n", WIDTH,
                height);
    add_text(out, MARGIN, 34.0, " class=\"title\"", labels->title);
    add_text(out, MARGIN, 54.0, " class=\"quiet\"", labels->subtitle);
    bool has_ranks = board->ranks != LEADERBOARD_RANKS_UNKNOWN;
    add_text(out, MARGIN + RANK_WIDTH - 16.0, TOP - 8.0, " class=\"quiet\" text-anchor=\"end\"",
             has_ranks ? "ranks" : "rank");
    add_text(out, WIDTH - MARGIN, TOP - 8.0, " class=\"quiet\" text-anchor=\"end\"", "reward");
}

enum err_code leaderboard_svg_write(const struct leaderboard *board,
                                    const struct leaderboard_labels *labels, struct strbuf *out,
                                    struct error *err) {
    for (int64_t r = 0; r < labels->rows; r++) {
        size_t bytes = strlen(labels->names[r]), bad = utf8_find_invalid(labels->names[r], bytes);
        if (bad < bytes) {
            return err_set(err, ERR_DATA, "name of item %" PRId64 " is not UTF-8 at byte %zu",
                           r + 1, bad + 1);
        }
    }
    struct plot plot = plan(board, labels);
    add_heading(out, &plot, board, labels);
    for (int64_t r = 1; r < labels->rows; r += 2) {
        strbuf_addf(out,
                    "<rect class=\"stripe\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                    "height=\"%.1f\"/>\n",
                    MARGIN - 8.0, TOP + (double)r * ROW_HEIGHT, WIDTH - 2.0 * MARGIN + 16.0,
                    ROW_HEIGHT);
    }
    add_axis(out, &plot, labels);
    for (int64_t r = 0; r < labels->rows; r++) {
        add_row(out, &plot, &board->rows[r], labels->names[r], TOP + (double)r * ROW_HEIGHT);
    }
    strbuf_add(out, "</svg>\n");
    return strbuf_check(out, "leaderboard", err);
}
