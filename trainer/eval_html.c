/* eval_html.c - see eval_html.h. */
#include "trainer/eval_html.h"

#include "base/scoped.h"
#include "base/xml_text.h"
#include "trainer/eval_chart.h"
#include "trainer/text_table.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define REWARDS_MAX (REWARD_EVALUATION_SPECS_MAX + BASELINE_COUNT)
#define LARGE       100.0 /* from here on one decimal is enough */

static const char style[] =
    ":root{--ink:#1c2430;--quiet:#5b6676;--paper:#fff;--panel:#f6f7f9;--line:#d9dde3;"
    "--mark:#1d4ed8;--whisker:#6d8fd8;--wrong:#b4532a}\n"
    "@media (prefers-color-scheme:dark){:root{--ink:#e6e9ee;--quiet:#9aa5b5;--paper:#14181f;"
    "--panel:#1c222b;--line:#343c48;--mark:#8ab4ff;--whisker:#5f86cf;--wrong:#e0926a}}\n"
    "body{margin:0 auto;max-width:60rem;padding:1.5rem 1rem 4rem;color:var(--ink);"
    "background:var(--paper);font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,"
    "'Helvetica Neue',Arial,'DejaVu Sans',sans-serif}\n"
    "h1{font-size:1.5rem;margin:0 0 .25rem}h2{font-size:1.15rem;margin:2.5rem 0 .5rem}\n"
    ".quiet,figcaption,.note{color:var(--quiet);font-size:.875rem}\n"
    "figcaption{margin:.25rem 0 .5rem}\n"
    "figure{margin:1.25rem 0}figure b{color:var(--ink)}\n"
    ".wide{overflow-x:auto}.reward{min-width:7rem}\n"
    "table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.3rem .75rem .3rem 0;text-align:left;vertical-align:top;"
    "border-bottom:1px solid var(--line)}\n"
    "th{font-weight:600}td small{color:var(--quiet);white-space:nowrap}\n"
    "td.n,th.n{text-align:right}code{font-size:.8125rem;overflow-wrap:anywhere}\n"
    ".best td{font-weight:600}.best small{font-weight:400}\n"
    ".rows td,.rows th{vertical-align:middle;padding:.2rem .5rem .2rem 0}.rows "
    "svg{margin-left:auto}\n"
    ".rows td:first-child{overflow-wrap:anywhere}\n"
    ".families{columns:26rem 2;column-gap:2rem}.families table{width:100%;margin-bottom:1.5rem}\n"
    ".families tr{break-inside:avoid}\n"
    ".panels{display:flex;flex-wrap:wrap;gap:1rem}\n"
    ".panels div{background:var(--panel);border-radius:8px;padding:.5rem;width:250px}\n"
    ".panels p{margin:0 0 .25rem;font-size:.8125rem;overflow-wrap:anywhere}\n"
    ".verdict{border-left:3px solid var(--mark);padding-left:.75rem;margin:.75rem 0}\n"
    "svg{display:block}svg text{font-size:11px;fill:var(--quiet)}svg .letter{fill:var(--ink);"
    "font-weight:600}\n"
    ".grid{stroke:var(--line)}.axis{stroke:var(--quiet)}"
    ".coin{stroke:var(--quiet);stroke-dasharray:3 3}\n"
    ".whisker{stroke:var(--whisker);stroke-width:2;fill:none}.dot{fill:var(--mark)}"
    ".curve{stroke:var(--mark);stroke-width:1.5;fill:none}.stem{stroke:var(--whisker);"
    "stroke-width:5}\n"
    ".cloud{fill:var(--quiet);opacity:.45}.right{fill:var(--mark)}.wrong{fill:url(#hatch);"
    "stroke:var(--wrong);stroke-width:.75}.hatch{stroke:var(--wrong);stroke-width:1.5}\n"
    "@media print{.panels div,tr{break-inside:avoid}}\n";

/* ---- pieces ---------------------------------------------------------------------------------- */

/* How many tables and figures there are so far. */
struct page {
    const struct reward_evaluation *e;
    struct strbuf *out;
    int64_t tables, figures;
};

static void add_number(struct strbuf *out, double value, double scale, int decimals) {
    const double scaled = scale * value;
    strbuf_addf(out, "%.*f", fabs(scaled) < LARGE ? decimals : 1, scaled);
}

/* "63.4 [56.8, 69.6]" */
static void add_score(struct strbuf *out, const struct pair_score *score, double scale,
                      int decimals) {
    if (isnan(score->value)) {
        strbuf_add(out, "\xE2\x80\x93"); /* a dash */
        return;
    }
    add_number(out, score->value, scale, decimals);
    if (!isnan(score->low)) {
        strbuf_add(out, " <small>[");
        add_number(out, score->low, scale, decimals);
        strbuf_add(out, ", ");
        add_number(out, score->high, scale, decimals);
        strbuf_add(out, "]</small>");
    }
}

static void add_cell(struct strbuf *out, const struct pair_score *score, double scale,
                     int decimals) {
    strbuf_add(out, "<td>");
    add_score(out, score, scale, decimals);
    strbuf_add(out, "</td>");
}

/* The reward's letter and name. */
static void add_name(struct page *p, int64_t reward) {
    strbuf_addf(p->out, "<b>%c</b> <code>", eval_chart_letter(reward));
    xml_text_add(p->out, reward_evaluation_name(p->e, reward));
    strbuf_add(p->out, "</code>");
}

static void add_name_cell(struct page *p, int64_t reward) {
    strbuf_add(p->out, "<td class=\"reward\">");
    add_name(p, reward);
    strbuf_add(p->out, "</td>");
}

static void begin_table(struct page *p, const char *caption, const char *head) {
    strbuf_addf(p->out,
                "<figure><figcaption><b>Table %" PRId64 ".</b> %s</figcaption>\n<div "
                "class=\"wide\"><table>\n<tr>%s</tr>\n",
                ++p->tables, caption, head);
}

static void end_table(struct page *p) {
    strbuf_add(p->out, "</table></div></figure>\n");
}

static void end_figure(struct page *p, const char *caption) {
    strbuf_addf(p->out, "<figcaption><b>Figure %" PRId64 ".</b> %s</figcaption></figure>\n",
                ++p->figures, caption);
}

/* ---- tables ---------------------------------------------------------------------------------- */

static void add_scores(struct page *p) {
    const int64_t best = reward_evaluation_best(p->e);
    begin_table(
        p,
        "All rewards, with 95 % intervals by resampling prompts. In bold the best, if beyond "
        "chance it is more accurate than every other that was not fitted to these judgements. A "
        "coin has accuracy 50 %, NLL 0.6931, Brier 0.25. Length-adjusted: pairs reweighted so that "
        "the longer side wins half of them.",
        "<th>reward</th><th>accuracy, %</th><th>length-adjusted, %</th><th>NLL, nats</th>"
        "<th>Brier</th><th>calibration error</th><th>temperature</th>");
    for (int64_t r = 0; r < p->e->reward_count; r++) {
        const struct reward_eval_row *row = &p->e->eval.rows[r];
        strbuf_add(p->out, r == best ? "<tr class=\"best\">" : "<tr>");
        add_name_cell(p, r);
        add_cell(p->out, &row->scores.accuracy, 100.0, 1);
        add_cell(p->out, &row->length_adjusted, 100.0, 1);
        add_cell(p->out, &row->scores.nll, 1.0, 4);
        add_cell(p->out, &row->scores.brier, 1.0, 4);
        add_cell(p->out, &row->scores.ece, 1.0, 3);
        const struct pair_score temperature = {row->temperature, (double)NAN, (double)NAN};
        add_cell(p->out, &temperature, 1.0, 3);
        strbuf_add(p->out, "</tr>\n");
    }
    end_table(p);
}

static void add_differences(struct page *p) {
    if (p->e->reward_count < 2) {
        return;
    }
    begin_table(p,
                "Differences in accuracy, in points: of the first from the second, over the same "
                "pairs and the same resamples.",
                "<th>of</th><th>from</th><th>points</th><th></th>");
    for (int64_t r = 0; r < p->e->options.spec_count; r++) {
        for (int64_t other = r + 1; other < p->e->reward_count; other++) {
            const struct pair_score *d = reward_eval_difference(&p->e->eval, r, other);
            strbuf_add(p->out, "<tr>");
            add_name_cell(p, r);
            add_name_cell(p, other);
            add_cell(p->out, d, 100.0, 1);
            strbuf_addf(p->out, "<td>%s</td></tr>\n",
                        reward_eval_is_above(d)   ? "better"
                        : reward_eval_is_below(d) ? "worse"
                                                  : "may be chance");
        }
    }
    end_table(p);
}

static void add_length_table(struct page *p) {
    char head[320];
    (void)snprintf(head, sizeof head,
                   "<th>reward</th><th>Pearson</th><th>Spearman</th><th>accuracy, %%, within %g "
                   "times</th><th class=\"n\">pairs</th>",
                   p->e->options.match_factor);
    begin_table(p,
                "How rewards go with length, within prompts; and accuracy on pairs of nearly equal "
                "length.",
                head);
    for (int64_t r = 0; r < p->e->reward_count; r++) {
        const struct reward_eval_row *row = &p->e->eval.rows[r];
        strbuf_add(p->out, "<tr>");
        add_name_cell(p, r);
        add_cell(p->out, &row->pearson, 1.0, 2);
        add_cell(p->out, &row->spearman, 1.0, 2);
        add_cell(p->out, &row->length_matched, 100.0, 1);
        strbuf_addf(p->out, "<td class=\"n\">%.0f</td></tr>\n", row->matched_pairs);
    }
    end_table(p);
}

static void add_sets(struct page *p) {
    const struct reward_eval *eval = &p->e->eval;
    double orders = 0.0;
    for (int64_t r = 0; r < p->e->reward_count; r++) {
        orders += eval->rows[r].orders;
    }
    if (isnan(eval->choice_chance) && isnan(eval->tied_chance) && orders == 0.0) {
        return;
    }
    SCOPED(strbuf) struct strbuf caption = STRBUF_INIT(OUTPUT_BYTES_MAX);
    strbuf_add(&caption, "Sets of three answers or more.");
    if (!isnan(eval->choice_chance)) {
        strbuf_addf(&caption, " The chosen one is top-scored: by chance in %.1f %%.",
                    100.0 * eval->choice_chance);
    }
    if (!isnan(eval->tied_chance)) {
        strbuf_addf(&caption,
                    " Several equally good ones are all above the others: by chance in %.1f %%.",
                    100.0 * eval->tied_chance);
    }
    strbuf_add(p->out, "<h2>Sets of answers</h2>\n");
    begin_table(p, strbuf_text(&caption),
                "<th>reward</th><th>top-scored, %</th><th>NLL of orders, nats</th><th>good ones "
                "above, %</th><th>and together, %</th><th>Ties score</th>");
    for (int64_t r = 0; r < p->e->reward_count; r++) {
        const struct reward_eval_row *row = &eval->rows[r];
        const struct pair_score ties = {row->ties_score, (double)NAN, (double)NAN};
        strbuf_add(p->out, "<tr>");
        add_name_cell(p, r);
        add_cell(p->out, &row->choice, 100.0, 1);
        add_cell(p->out, &row->order_nll, 1.0, 4);
        add_cell(p->out, &row->tied_accurate, 100.0, 1);
        add_cell(p->out, &row->tied_apart, 100.0, 1);
        add_cell(p->out, &ties, 1.0, 3);
        strbuf_add(p->out, "</tr>\n");
    }
    end_table(p);
}

/* ---- figures of shares ----------------------------------------------------------------------- */

/* Accuracy and length-adjusted accuracy beside each other, on one axis. */
static void add_accuracies(struct page *p) {
    const struct pair_score *scores[2][REWARDS_MAX];
    for (int64_t r = 0; r < p->e->reward_count; r++) {
        scores[0][r] = &p->e->eval.rows[r].scores.accuracy;
        scores[1][r] = &p->e->eval.rows[r].length_adjusted;
    }
    const struct eval_chart_range plain = eval_chart_range_of(scores[0], p->e->reward_count);
    const struct eval_chart_range adjusted = eval_chart_range_of(scores[1], p->e->reward_count);
    const struct eval_chart_range range = {
        .low = plain.low < adjusted.low ? plain.low : adjusted.low,
        .high = plain.high > adjusted.high ? plain.high : adjusted.high};
    static const char *const titles[] = {"accuracy, %", "length-adjusted accuracy, %"};
    strbuf_add(p->out, "<figure><div class=\"panels\">");
    for (int k = 0; k < 2; k++) {
        strbuf_addf(p->out, "<div><p>%s</p>\n", titles[k]);
        eval_chart_axis(p->out, &range);
        eval_chart_strip(p->out, scores[k], p->e->reward_count, &range);
        strbuf_add(p->out, "</div>");
    }
    strbuf_add(p->out, "</div>");
    end_figure(p, "Accuracy of each reward, by its letter in table 1, with its interval. Dashed: a "
                  "coin.");
}

/* Judgements of a slice that any reward knows. */
static double slice_weight(const struct page *p, int64_t slice) {
    double most = 0.0;
    for (int64_t r = 0; r < p->e->reward_count; r++) {
        most = fmax(most, p->e->eval.rows[r].slices[slice].weight);
    }
    return most;
}

static void slice_scores(const struct page *p, int64_t slice,
                         const struct pair_score *scores[REWARDS_MAX]) {
    for (int64_t r = 0; r < p->e->reward_count; r++) {
        const struct eval_slice_score *score = &p->e->eval.rows[r].slices[slice];
        scores[r] = score->decided > 0.0 ? &score->accuracy : NULL;
    }
}

static bool has_decided(const struct page *p, int64_t slice) {
    double decided = 0.0;
    for (int64_t r = 0; r < p->e->reward_count; r++) {
        decided += p->e->eval.rows[r].slices[slice].decided;
    }
    return decided > 0.0;
}

static void add_slice(struct page *p, int64_t slice) {
    static const struct eval_chart_range whole = {.low = 0, .high = 100};
    const struct pair_score *scores[REWARDS_MAX];
    slice_scores(p, slice, scores);
    strbuf_add(p->out, "<tr><td>");
    xml_text_add(p->out, p->e->slices.list[slice].name);
    strbuf_add(p->out, "</td><td class=\"n\">");
    text_count(p->out, slice_weight(p, slice), 0);
    strbuf_add(p->out, "</td><td>\n");
    eval_chart_strip(p->out, scores, p->e->reward_count, &whole);
    strbuf_add(p->out, "</td></tr>\n");
}

static void add_family(struct page *p, enum eval_family family) {
    static const struct eval_chart_range whole = {.low = 0, .high = 100};
    const struct eval_slices *slices = &p->e->slices;
    int64_t filled = 0;
    for (int64_t s = slices->first[family]; s < slices->first[family + 1]; s++) {
        filled += has_decided(p, s);
    }
    if (filled < 2) {
        return;
    }
    strbuf_addf(p->out, "<table class=\"rows\">\n<tr><th>%s</th><th class=\"n\">judged</th><th>",
                eval_family_title(family));
    eval_chart_axis(p->out, &whole);
    strbuf_add(p->out, "</th></tr>\n");
    for (int64_t s = slices->first[family]; s < slices->first[family + 1]; s++) {
        if (has_decided(p, s)) {
            add_slice(p, s);
        }
    }
    strbuf_add(p->out, "</table>\n");
}

static void add_slices(struct page *p) {
    strbuf_add(p->out, "<h2>Where it is right</h2>\n<figure><div class=\"families\">\n");
    for (enum eval_family family = 0; family < EVAL_FAMILY_COUNT; family++) {
        add_family(p, family);
    }
    strbuf_add(p->out, "</div>");
    end_figure(p,
               "Accuracy in per cent by slice, with intervals; dashed: a coin. A reward that knows "
               "length alone is always right where one side of it is preferred, and always "
               "wrong where the other is.");
}

/* ---- figures of margins ---------------------------------------------------------------------- */

static void begin_panel(struct page *p, int64_t reward) {
    strbuf_add(p->out, "<div><p>");
    add_name(p, reward);
    strbuf_add(p->out, "</p>\n");
}

static void add_reliability(struct page *p) {
    strbuf_add(p->out, "<h2>How sure it is</h2>\n<figure><div class=\"panels\">");
    for (int64_t r = 0; r < p->e->reward_count; r++) {
        begin_panel(p, r);
        eval_chart_reliability(p->out, &p->e->eval.rows[r].scores);
        strbuf_add(p->out, "</div>");
    }
    strbuf_add(p->out, "</div>");
    end_figure(p,
               "Reliability: in each of ten bins, how sure the margins were of the side that they "
               "favour, and how many judgements of people were for it. On the dashed line the "
               "two agree; below it the reward claims too much. Bars: judgements in the bin.");
}

static void add_margins(struct page *p) {
    strbuf_add(p->out, "<figure><div class=\"panels\">");
    for (int64_t r = 0; r < p->e->reward_count; r++) {
        begin_panel(p, r);
        eval_chart_margins(p->out, &p->e->eval.rows[r].margins);
        strbuf_add(p->out, "</div>");
    }
    strbuf_add(p->out, "</div>");
    end_figure(p, "Margins between the side that people prefer and the other. Hatched, below zero: "
                  "the reward prefers the other side. The outermost hundredth is in the last bars; "
                  "pairs without any margin are counted above, and in no bar.");
}

static void add_lengths(struct page *p) {
    strbuf_add(p->out, "<h2>Reward and length</h2>\n<figure><div class=\"panels\">");
    for (int64_t r = 0; r < p->e->reward_count; r++) {
        begin_panel(p, r);
        eval_chart_lengths(p->out, &p->e->eval.rows[r]);
        strbuf_add(p->out, "</div>");
    }
    strbuf_add(p->out, "</div>");
    end_figure(p, "Margin of the longer side over how much longer it is, for at most 400 pairs; "
                  "squares: means of ten groups. A line that climbs, or falls, away from zero is a "
                  "reward that goes by length.");
}

/* ---- the page -------------------------------------------------------------------------------- */

static void add_head(struct page *p) {
    strbuf_addf(p->out,
                "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n"
                "<head><meta charset=\"utf-8\"/>\n<meta name=\"viewport\" "
                "content=\"width=device-width, initial-scale=1\"/>\n<title>Rewards judged by "
                "preferences</title>\n<style>\n%s</style></head>\n<body>\n",
                style);
    /* The hatching that histograms refer to. */
    strbuf_add(p->out, "<svg width=\"0\" height=\"0\" style=\"position:absolute\" "
                       "aria-hidden=\"true\"><defs><pattern id=\"hatch\" width=\"4\" height=\"4\" "
                       "patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><line "
                       "class=\"hatch\" x1=\"0\" y1=\"0\" x2=\"0\" y2=\"4\"/></pattern></defs>"
                       "</svg>\n");
}

static void add_summary(struct page *p) {
    const struct reward_evaluation *e = p->e;
    strbuf_add(p->out, "<h1>Rewards judged by preferences</h1>\n<p class=\"quiet\"><code>");
    xml_text_add(p->out, e->options.project);
    strbuf_add(p->out, "</code>: ");
    text_count(p->out, (double)e->eval.pairs, 0);
    strbuf_add(p->out, " pairs with ");
    text_count(p->out, e->eval.judgements, 0);
    strbuf_add(p->out, " judgements, on ");
    text_count(p->out, (double)e->eval.prompts, 0);
    strbuf_add(p->out, " prompts ");
    reward_evaluation_where(e, p->out);
    strbuf_addf(p->out, "; seed %" PRIu64 ".", e->seed);
    if (!isnan(e->eval.longer_preferred)) {
        strbuf_addf(p->out, " People prefer the longer side in %.1f %% of pairs.",
                    100.0 * e->eval.longer_preferred);
    }
    strbuf_add(p->out, "</p>\n");
}

static void add_verdicts(struct page *p) {
    for (int64_t r = 0; r < p->e->options.spec_count; r++) {
        SCOPED(strbuf) struct strbuf verdict = STRBUF_INIT(OUTPUT_BYTES_MAX);
        reward_evaluation_verdict(p->e, r, &verdict);
        strbuf_add(p->out, "<p class=\"verdict\">");
        add_name(p, r);
        strbuf_add(p->out, "<br/>");
        xml_text_add(p->out, strbuf_text(&verdict));
        strbuf_add(p->out, "</p>\n");
        strbuf_take_failure(p->out, &verdict);
    }
}

static void add_notes(struct page *p) {
    strbuf_add(
        p->out,
        "<h2>How to read this</h2>\n<p class=\"note\">Accuracy counts pairs on which more "
        "people prefer one side; a margin of zero is half right. NLL, Brier score and "
        "calibration are over judgements, a tie being half of each side, and take "
        "differences of rewards as nats: a reward of another scale fails them, whatever its "
        "accuracy. The temperature is what margins would have to be divided by; to use it, take it "
        "from the validation split. Slices by source, population and annotator are over "
        "judgements.</p>\n");
    for (int64_t n = 0;; n++) {
        SCOPED(strbuf) struct strbuf note = STRBUF_INIT(OUTPUT_BYTES_MAX);
        if (!reward_evaluation_note(p->e, n, &note)) {
            break;
        }
        strbuf_add(p->out, "<p class=\"note\">");
        xml_text_add(p->out, strbuf_text(&note));
        strbuf_add(p->out, "</p>\n");
        strbuf_take_failure(p->out, &note);
    }
}

enum err_code eval_html(const struct reward_evaluation *e, struct strbuf *out, struct error *err) {
    struct page page = {.e = e, .out = out};
    add_head(&page);
    add_summary(&page);
    add_verdicts(&page);
    add_scores(&page);
    add_accuracies(&page);
    add_differences(&page);
    add_sets(&page);
    add_slices(&page);
    add_reliability(&page);
    add_margins(&page);
    add_lengths(&page);
    add_length_table(&page);
    add_notes(&page);
    strbuf_add(out, "</body></html>\n");
    return strbuf_check(out, "page", err);
}
