/* eval_chart.c - see eval_chart.h. */
#include "trainer/eval_chart.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Lengths in pixels. */
#define STRIP_WIDTH  230.0
#define STRIP_LEFT   18.0 /* of the axis, behind the letter */
#define STRIP_RIGHT  216.0
#define STRIP_LINE   13.0
#define PANEL_WIDTH  250.0
#define PANEL_LEFT   42.0
#define PANEL_RIGHT  240.0
#define PANEL_TOP    12.0
#define PANEL_BOTTOM 190.0
#define BARS_TOP     200.0 /* of the counts below a reliability curve */
#define BARS_BOTTOM  226.0

#define GROUPS       10
#define NUMBER_BYTES 32

/* ---- pieces ---------------------------------------------------------------------------------- */

static void begin(struct strbuf *out, double width, double height) {
    strbuf_addf(out,
                "<svg viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" height=\"%.0f\" role=\"img\">\n",
                width, height, width, height);
}

static void end(struct strbuf *out) {
    strbuf_add(out, "</svg>\n");
}

static void add_line(struct strbuf *out, const char *class, double x1, double y1, double x2,
                     double y2) {
    strbuf_addf(out, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n",
                class, x1, y1, x2, y2);
}

static void add_text(struct strbuf *out, const char *anchor, double x, double y, const char *text) {
    strbuf_addf(out, "<text text-anchor=\"%s\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", anchor, x, y,
                text);
}

/* "1,234", or in thousands and millions where that is long: "12k". */
static const char *count_text(double count, char out[NUMBER_BYTES]) {
    if (count >= 999500.0) {
        (void)snprintf(out, NUMBER_BYTES, "%.1fM", count / 1e6);
    } else if (count >= 10000.0) {
        (void)snprintf(out, NUMBER_BYTES, "%.0fk", count / 1e3);
    } else {
        (void)snprintf(out, NUMBER_BYTES, "%.0f", count);
    }
    return out;
}

static double place(double value, double low, double high, double from, double to) {
    return from + (value - low) / (high - low) * (to - from);
}

/* ---- strips ---------------------------------------------------------------------------------- */

char eval_chart_letter(int64_t reward) {
    return (char)('A' + reward % 26);
}

static void widen(double *low, double *high, double share) {
    if (!isnan(share)) {
        *low = fmin(*low, 100.0 * share);
        *high = fmax(*high, 100.0 * share);
    }
}

struct eval_chart_range eval_chart_range_of(const struct pair_score *const *scores, int64_t count) {
    double low = 50.0, high = 50.0;
    for (int64_t i = 0; i < count; i++) {
        if (scores[i]) {
            widen(&low, &high, scores[i]->value);
            widen(&low, &high, scores[i]->low);
            widen(&low, &high, scores[i]->high);
        }
    }
    struct eval_chart_range range = {.low = 10 * (int64_t)floor(low / 10.0),
                                     .high = 10 * (int64_t)ceil(high / 10.0)};
    range.high += range.high == range.low ? 10 : 0;
    return range;
}

static double strip_place(const struct eval_chart_range *range, double share) {
    return place(100.0 * share, (double)range->low, (double)range->high, STRIP_LEFT, STRIP_RIGHT);
}

static void add_score(struct strbuf *out, const struct pair_score *score, char letter, double y,
                      const struct eval_chart_range *range) {
    strbuf_addf(out, "<text class=\"letter\" x=\"0\" y=\"%.1f\">%c</text>\n", y + 4.0, letter);
    if (isnan(score->value)) {
        return;
    }
    strbuf_addf(out, "<g><title>%c: %.1f %%", letter, 100.0 * score->value);
    if (!isnan(score->low)) {
        strbuf_addf(out, " [%.1f, %.1f]</title>\n", 100.0 * score->low, 100.0 * score->high);
        const double low = strip_place(range, score->low), high = strip_place(range, score->high);
        strbuf_addf(out,
                    "<path class=\"whisker\" d=\"M%.1f %.1fH%.1fM%.1f %.1fv6M%.1f %.1fv6\"/>\n",
                    low, y, high, low, y - 3.0, high, y - 3.0);
    } else {
        strbuf_add(out, "</title>\n");
    }
    strbuf_addf(out, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.6\"/></g>\n",
                strip_place(range, score->value), y);
}

static int64_t tick_step(const struct eval_chart_range *range) {
    const int64_t span = range->high - range->low;
    return span <= 30 ? 10 : span <= 60 ? 20 : 25;
}

/* Whether a label or line stands at this share: multiples of the step, and always 50. */
static bool is_tick(const struct eval_chart_range *range, int64_t share) {
    return share % tick_step(range) == 0 || share == 50;
}

void eval_chart_strip(struct strbuf *out, const struct pair_score *const *scores, int64_t count,
                      const struct eval_chart_range *range) {
    const double height = STRIP_LINE * (double)count + 4.0;
    begin(out, STRIP_WIDTH, height);
    for (int64_t share = range->low; share <= range->high; share += 5) {
        if (is_tick(range, share)) {
            const double x = strip_place(range, (double)share / 100.0);
            add_line(out, share == 50 ? "coin" : "grid", x, 0.0, x, height);
        }
    }
    for (int64_t i = 0; i < count; i++) {
        if (scores[i]) {
            const double y = 2.0 + STRIP_LINE * ((double)i + 0.5);
            add_score(out, scores[i], eval_chart_letter(i), y, range);
        }
    }
    end(out);
}

void eval_chart_axis(struct strbuf *out, const struct eval_chart_range *range) {
    begin(out, STRIP_WIDTH, 18.0);
    for (int64_t share = range->low; share <= range->high; share += 5) {
        if (is_tick(range, share)) {
            char text[NUMBER_BYTES];
            (void)snprintf(text, sizeof text, "%" PRId64, share);
            add_text(out, "middle", strip_place(range, (double)share / 100.0), 13.0, text);
        }
    }
    end(out);
}

/* ---- panels ---------------------------------------------------------------------------------- */

static void add_frame(struct strbuf *out) {
    add_line(out, "axis", PANEL_LEFT, PANEL_BOTTOM, PANEL_RIGHT, PANEL_BOTTOM);
    add_line(out, "axis", PANEL_LEFT, PANEL_TOP, PANEL_LEFT, PANEL_BOTTOM);
}

static void add_y_title(struct strbuf *out, const char *title) {
    const double y = (PANEL_TOP + PANEL_BOTTOM) / 2.0;
    strbuf_addf(out,
                "<text text-anchor=\"middle\" transform=\"rotate(-90 10 %.1f)\" x=\"10\" "
                "y=\"%.1f\">%s</text>\n",
                y, y, title);
}

/* ---- reliability ----------------------------------------------------------------------------- */

static double said_place(double said) {
    return place(said, 0.5, 1.0, PANEL_LEFT, PANEL_RIGHT);
}

static double share_place(double share) {
    return place(share, 0.0, 1.0, PANEL_BOTTOM, PANEL_TOP);
}

static void add_reliability_axes(struct strbuf *out) {
    for (int tick = 0; tick <= 5; tick++) {
        char text[NUMBER_BYTES];
        const double share = 0.2 * tick, said = 0.5 + 0.1 * tick;
        add_line(out, "grid", PANEL_LEFT, share_place(share), PANEL_RIGHT, share_place(share));
        (void)snprintf(text, sizeof text, "%d", 20 * tick);
        add_text(out, "end", PANEL_LEFT - 5.0, share_place(share) + 4.0, text);
        (void)snprintf(text, sizeof text, "%d", 50 + 10 * tick);
        add_text(out, "middle", said_place(said), BARS_BOTTOM + 15.0, text);
    }
    add_text(out, "middle", (PANEL_LEFT + PANEL_RIGHT) / 2.0, BARS_BOTTOM + 30.0, "it said, %");
    add_y_title(out, "people said, %");
    add_line(out, "coin", said_place(0.5), share_place(0.5), said_place(1.0), share_place(1.0));
    add_frame(out);
    add_line(out, "axis", PANEL_LEFT, BARS_BOTTOM, PANEL_RIGHT, BARS_BOTTOM);
}

static void add_bins(struct strbuf *out, const struct pair_bin bins[PAIR_BINS]) {
    double most = 0.0;
    char begun = 'M', text[NUMBER_BYTES];
    strbuf_add(out, "<path class=\"curve\" d=\"");
    for (int b = 0; b < PAIR_BINS; b++) {
        if (bins[b].weight > 0.0) {
            strbuf_addf(out, "%c%.1f %.1f", begun, said_place(bins[b].said),
                        share_place(bins[b].share));
            begun = 'L';
            most = fmax(most, bins[b].weight);
        }
    }
    strbuf_add(out, begun == 'M' ? "M0 0\"/>\n" : "\"/>\n");
    for (int b = 0; b < PAIR_BINS; b++) {
        if (bins[b].weight > 0.0) {
            const double x = said_place(bins[b].said);
            strbuf_addf(out,
                        "<g><title>it said %.1f %%, people said %.1f %%: %.0f judgements</title>"
                        "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.6\"/>\n",
                        100.0 * bins[b].said, 100.0 * bins[b].share, bins[b].weight, x,
                        share_place(bins[b].share));
            add_line(out, "stem", x, BARS_BOTTOM, x,
                     place(bins[b].weight, 0.0, most, BARS_BOTTOM, BARS_TOP));
            strbuf_add(out, "</g>\n");
        }
    }
    add_text(out, "end", PANEL_LEFT - 5.0, BARS_TOP + 8.0, count_text(most, text));
}

void eval_chart_reliability(struct strbuf *out, const struct pair_scores *scores) {
    begin(out, PANEL_WIDTH, BARS_BOTTOM + 36.0);
    add_reliability_axes(out);
    add_bins(out, scores->bins);
    end(out);
}

/* ---- margins --------------------------------------------------------------------------------- */

/* With few digits, whatever the size. */
static const char *margin_text(double margin, char out[NUMBER_BYTES]) {
    (void)snprintf(out, NUMBER_BYTES, "%.2g", margin);
    return out;
}

static void add_margin_axis(struct strbuf *out, const struct eval_margins *margins) {
    char text[NUMBER_BYTES];
    add_frame(out);
    for (int tick = -1; tick <= 1; tick++) {
        const double x = place(tick, -1.0, 1.0, PANEL_LEFT, PANEL_RIGHT);
        add_line(out, "axis", x, PANEL_BOTTOM, x, PANEL_BOTTOM + 4.0);
        add_text(out,
                 tick < 0   ? "start"
                 : tick > 0 ? "end"
                            : "middle",
                 x, PANEL_BOTTOM + 17.0, margin_text(tick * margins->high, text));
    }
    add_text(out, "middle", (PANEL_LEFT + PANEL_RIGHT) / 2.0, PANEL_BOTTOM + 32.0,
             "margin of the preferred side, nats");
    add_y_title(out, "pairs");
}

void eval_chart_margins(struct strbuf *out, const struct eval_margins *margins) {
    int64_t most = 1;
    char text[NUMBER_BYTES];
    for (int b = 0; b < REWARD_EVAL_MARGIN_BINS; b++) {
        most = margins->counts[b] > most ? margins->counts[b] : most;
    }
    begin(out, PANEL_WIDTH, PANEL_BOTTOM + 38.0);
    const double width = (PANEL_RIGHT - PANEL_LEFT) / REWARD_EVAL_MARGIN_BINS;
    for (int b = 0; b < REWARD_EVAL_MARGIN_BINS; b++) {
        const bool is_wrong = b < REWARD_EVAL_MARGIN_BINS / 2;
        const double top =
            place((double)margins->counts[b], 0.0, (double)most, PANEL_BOTTOM, PANEL_TOP);
        strbuf_addf(out,
                    "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\">"
                    "<title>%" PRId64 " pairs</title></rect>\n",
                    is_wrong ? "wrong" : "right", PANEL_LEFT + width * b + 0.5, top, width - 1.0,
                    PANEL_BOTTOM - top, margins->counts[b]);
    }
    add_text(out, "end", PANEL_LEFT - 5.0, PANEL_TOP + 8.0, count_text((double)most, text));
    if (margins->zeros > 0) {
        char zeros[2 * NUMBER_BYTES];
        (void)snprintf(zeros, sizeof zeros, "no margin: %s",
                       count_text((double)margins->zeros, text));
        add_text(out, "start", PANEL_LEFT, PANEL_TOP - 3.0, zeros);
    }
    add_margin_axis(out, margins);
    end(out);
}

/* ---- lengths --------------------------------------------------------------------------------- */

static int compare_dots(const void *left, const void *right) {
    const struct eval_dot *l = left;
    const struct eval_dot *r = right;
    return (l->ratio > r->ratio) - (l->ratio < r->ratio);
}

struct lengths_plot {
    double ratio_most, margin_most;
};

static double ratio_place(const struct lengths_plot *plot, double ratio) {
    return place(fmin(ratio, plot->ratio_most), 0.0, plot->ratio_most, PANEL_LEFT, PANEL_RIGHT);
}

static double margin_place(const struct lengths_plot *plot, double margin) {
    const double within = fmax(fmin(margin, plot->margin_most), -plot->margin_most);
    return place(within, -plot->margin_most, plot->margin_most, PANEL_BOTTOM, PANEL_TOP);
}

static void add_length_axes(struct strbuf *out, const struct lengths_plot *plot) {
    static const double factors[] = {1, 2, 5, 10, 20, 50, 100, 1000};
    char text[NUMBER_BYTES];
    for (size_t f = 0; f < sizeof factors / sizeof factors[0]; f++) {
        if (log(factors[f]) <= plot->ratio_most) {
            const double x = ratio_place(plot, log(factors[f]));
            add_line(out, "axis", x, PANEL_BOTTOM, x, PANEL_BOTTOM + 4.0);
            (void)snprintf(text, sizeof text, "%.0f", factors[f]);
            add_text(out, "middle", x, PANEL_BOTTOM + 17.0, text);
        }
    }
    for (int tick = -1; tick <= 1; tick++) {
        const double y = margin_place(plot, tick * plot->margin_most);
        add_line(out, tick == 0 ? "coin" : "grid", PANEL_LEFT, y, PANEL_RIGHT, y);
        add_text(out, "end", PANEL_LEFT - 5.0, y + 4.0,
                 margin_text(tick * plot->margin_most, text));
    }
    add_text(out, "middle", (PANEL_LEFT + PANEL_RIGHT) / 2.0, PANEL_BOTTOM + 32.0,
             "the longer side is so many times longer");
    add_y_title(out, "its margin, nats");
    add_frame(out);
}

/* Means of groups of equally many dots, from the least ratio to the greatest; `dots` sorted. */
static void add_means(struct strbuf *out, const struct lengths_plot *plot,
                      const struct eval_dot *dots, int64_t count) {
    double x[GROUPS], y[GROUPS];
    int64_t groups = count < GROUPS ? count : GROUPS;
    for (int64_t g = 0; g < groups; g++) {
        const int64_t first = g * count / groups, last = (g + 1) * count / groups;
        double ratio = 0.0, margin = 0.0;
        for (int64_t i = first; i < last; i++) {
            ratio += dots[i].ratio;
            margin += dots[i].margin;
        }
        x[g] = ratio_place(plot, ratio / (double)(last - first));
        y[g] = margin_place(plot, margin / (double)(last - first));
    }
    strbuf_add(out, "<path class=\"curve\" d=\"");
    for (int64_t g = 0; g < groups; g++) {
        strbuf_addf(out, "%c%.1f %.1f", g == 0 ? 'M' : 'L', x[g], y[g]);
    }
    strbuf_add(out, groups == 0 ? "M0 0\"/>\n" : "\"/>\n");
    for (int64_t g = 0; g < groups; g++) {
        strbuf_addf(out, "<rect class=\"dot\" x=\"%.1f\" y=\"%.1f\" width=\"7\" height=\"7\"/>\n",
                    x[g] - 3.5, y[g] - 3.5);
    }
}

void eval_chart_lengths(struct strbuf *out, const struct reward_eval_row *row) {
    struct lengths_plot plot = {.ratio_most = log(2.0), .margin_most = row->margins.high};
    struct eval_dot dots[REWARD_EVAL_DOTS_MAX];
    for (int64_t d = 0; d < row->dot_count; d++) {
        dots[d] = row->dots[d];
    }
    qsort(dots, (size_t)row->dot_count, sizeof *dots, compare_dots);
    if (row->dot_count > 0) { /* the farthest fiftieth lies at the edge */
        plot.ratio_most = fmax(plot.ratio_most, dots[row->dot_count * 49 / 50].ratio);
    }
    begin(out, PANEL_WIDTH, PANEL_BOTTOM + 38.0);
    add_length_axes(out, &plot);
    for (int64_t d = 0; d < row->dot_count; d++) {
        strbuf_addf(out, "<circle class=\"cloud\" cx=\"%.1f\" cy=\"%.1f\" r=\"1.8\"/>\n",
                    ratio_place(&plot, dots[d].ratio), margin_place(&plot, dots[d].margin));
    }
    add_means(out, &plot, dots, row->dot_count);
    end(out);
}
