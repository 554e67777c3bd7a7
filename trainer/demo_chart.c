/* demo_chart.c - see demo_chart.h. */
#include "trainer/demo_chart.h"

#include "base/xml_text.h"

#include <inttypes.h>
#include <stdio.h>

/* Lengths in pixels of an unscaled picture. */
#define WIDTH        720.0
#define MARGIN       24.0
#define TOP          112.0 /* title and legend */
#define HEAD_HEIGHT  28.0  /* of a question */
#define ROW_HEIGHT   26.0
#define BOTTOM       46.0
#define LEFT         170.0 /* of the axis */
#define RIGHT        (WIDTH - MARGIN - 8.0)
#define BAR_HEIGHT   16.0
#define MARK         5.0 /* half a mark */
#define TICKS        5
#define LEGEND_WIDTH 128.0

static const char style[] =
    "text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,"
    "'DejaVu Sans',sans-serif;font-size:13px;fill:#1f2937}"
    ".title{font-size:18px;font-weight:600;fill:#111827}"
    ".question{font-weight:600}"
    ".quiet{font-size:12px;fill:#6b7280}"
    ".grid{stroke:#e5e7eb;stroke-width:1}"
    ".people{fill:#cbd5e1}"
    ".start{stroke:#6b7280;fill:#ffffff}"
    ".kl{stroke:#b45309;fill:#f59e0b}"
    ".matched{stroke:#1e40af;fill:#2563eb}"
    ".whisker{stroke-width:2;stroke-linecap:round;fill:none}";

static const char *const titles[DEMO_POLICY_COUNT] = {
    [DEMO_POLICY_START] = "the start",
    [DEMO_POLICY_KL] = "KL, beta 0.1",
    [DEMO_POLICY_MATCHED] = "matched",
};

static const char *const classes[DEMO_POLICY_COUNT] = {
#define POLICY_CLASS(name, key, title) key,
    DEMO_POLICIES(POLICY_CLASS)
#undef POLICY_CLASS
};

static double place(double share) {
    return LEFT + share * (RIGHT - LEFT);
}

static double height_of_rows(void) {
    double height = 0.0;
    for (int64_t t = 0; t < DEMO_TOPICS; t++) {
        height += HEAD_HEIGHT + ROW_HEIGHT * (double)demo_world_topic(t)->answer_count;
    }
    return height;
}

static void add_text(struct strbuf *out, double x, double y, const char *attributes,
                     const char *text) {
    strbuf_addf(out, "<text x=\"%.1f\" y=\"%.1f\"%s>", x, y, attributes);
    xml_text_add(out, text);
    strbuf_add(out, "</text>\n");
}

/* A circle, a triangle, a square that stands on a corner. */
static void add_mark(struct strbuf *out, enum demo_policy policy, double x, double y) {
    strbuf_addf(out, "<path class=\"%s\" d=\"", classes[policy]);
    switch (policy) {
    case DEMO_POLICY_START:
        strbuf_addf(out, "M%.1f %.1fa%.1f %.1f 0 1 0 0.01 0z", x, y - MARK, MARK, MARK);
        break;
    case DEMO_POLICY_KL:
        strbuf_addf(out, "M%.1f %.1fl%.1f %.1fh%.1fz", x, y - MARK, MARK, 2.0 * MARK, -2.0 * MARK);
        break;
    case DEMO_POLICY_MATCHED:
    case DEMO_POLICY_COUNT:
        strbuf_addf(out, "M%.1f %.1fl%.1f %.1fl%.1f %.1fl%.1f %.1fz", x, y - 1.2 * MARK, 1.2 * MARK,
                    1.2 * MARK, -1.2 * MARK, 1.2 * MARK, -1.2 * MARK, -1.2 * MARK);
        break;
    }
    strbuf_add(out, "\"/>\n");
}

static void add_legend(struct strbuf *out) {
    const double y = TOP - 36.0;
    strbuf_addf(out, "<rect class=\"people\" x=\"%.1f\" y=\"%.1f\" width=\"20\" height=\"10\"/>\n",
                MARGIN, y - 9.0);
    add_text(out, MARGIN + 28.0, y, "", "people (the truth)");
    for (int64_t p = 0; p < DEMO_POLICY_COUNT; p++) {
        const double x = MARGIN + 178.0 + LEGEND_WIDTH * (double)p;
        add_mark(out, (enum demo_policy)p, x, y - 4.5);
        add_text(out, x + 14.0, y, "", titles[p]);
    }
}

static void add_axis(struct strbuf *out, double bottom) {
    for (int64_t tick = 0; tick <= TICKS; tick++) {
        const double share = (double)tick / TICKS;
        char label[16];
        (void)snprintf(label, sizeof label, "%.0f %%", 100.0 * share);
        strbuf_addf(out, "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n",
                    place(share), TOP - 12.0, place(share), bottom + 4.0);
        add_text(out, place(share), bottom + 20.0, " class=\"quiet\" text-anchor=\"middle\"",
                 label);
    }
    add_text(out, (LEFT + RIGHT) / 2.0, bottom + 38.0, " class=\"quiet\" text-anchor=\"middle\"",
             "share of the answers; lines: 95 % by resampling prompts");
}

static void add_policy(struct strbuf *out, const struct demo_share *share, enum demo_policy policy,
                       double y) {
    strbuf_addf(out, "<g><title>%s: %.1f %% [%.1f, %.1f]</title>\n", titles[policy],
                100.0 * share->share, 100.0 * share->interval.low, 100.0 * share->interval.high);
    strbuf_addf(out, "<path class=\"whisker %s\" d=\"M%.1f %.1fH%.1f\"/>\n", classes[policy],
                place(share->interval.low), y, place(share->interval.high));
    add_mark(out, policy, place(share->share), y);
    strbuf_add(out, "</g>\n");
}

static void add_topic(struct strbuf *out, const struct demo_result *result, int64_t t, double y) {
    const struct demo_topic *topic = demo_world_topic(t);
    double shares[DEMO_ANSWERS_MAX];
    demo_world_shares(topic, shares);
    add_text(out, MARGIN, y + 18.0, " class=\"question\"", topic->question);
    for (int64_t i = 0; i < topic->answer_count; i++) {
        const double middle = y + HEAD_HEIGHT + ROW_HEIGHT * ((double)i + 0.5);
        add_text(out, MARGIN + 12.0, middle + 4.5, "", topic->answers[i]);
        strbuf_addf(out,
                    "<rect class=\"people\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                    "height=\"%.1f\"><title>people: %.1f %%</title></rect>\n",
                    LEFT, middle - BAR_HEIGHT / 2.0, place(shares[i]) - LEFT, BAR_HEIGHT,
                    100.0 * shares[i]);
        for (int64_t p = 0; p < DEMO_POLICY_COUNT; p++) {
            add_policy(out, &result->shares[p].of[t][i], (enum demo_policy)p, middle);
        }
    }
}

enum err_code demo_chart_add(const struct demo_result *result, struct strbuf *out,
                             struct error *err) {
    static const char title[] = "What people prefer, and what the models say";
    const double rows = height_of_rows(), height = TOP + rows + BOTTOM;
    strbuf_addf(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" "
        "height=\"%.0f\" role=\"img\">\n<title>%s</title>\n<style>%s</style>\n"
        "<rect width=\"%.0f\" height=\"%.0f\" rx=\"8\" fill=\"#ffffff\"/>\n",
        WIDTH, height, WIDTH, height, title, style, WIDTH, height);
    add_text(out, MARGIN, 34.0, " class=\"title\"", title);
    strbuf_addf(out,
                "<text x=\"%.1f\" y=\"54\" class=\"quiet\">%" PRId64 " answers of each "
                "model to each of %" PRId64 " prompts that nothing was learnt from</text>\n",
                MARGIN, result->samples, result->prompts);
    add_legend(out);
    add_axis(out, TOP + rows);
    double y = TOP - 12.0;
    for (int64_t t = 0; t < DEMO_TOPICS; t++) {
        add_topic(out, result, t, y);
        y += HEAD_HEIGHT + ROW_HEIGHT * (double)demo_world_topic(t)->answer_count;
    }
    strbuf_add(out, "</svg>\n");
    return strbuf_check(out, "the picture", err);
}
