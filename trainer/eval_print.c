/* eval_print.c - see eval_print.h: the text. */
#include "trainer/eval_print.h"

#include "base/scoped.h"
#include "base/text_wrap.h"
#include "trainer/eval_chart.h"
#include "trainer/text_table.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#define WIDTH         100
#define NAME_COLUMNS  26
#define SLICE_COLUMNS 36
#define LARGE         100.0 /* from here on fewer decimals are enough */

/* ---- pieces ---------------------------------------------------------------------------------- */

/* How a figure is written. */
struct form {
    double scale;
    int decimals, decimals_large; /* below and from LARGE on */
    bool has_sign;                /* '+' before what is positive */
    int64_t columns;              /* filled up to so many */
};

static const struct form percent = {.scale = 100.0, .decimals = 1, .columns = 18};
static const struct form nats = {.scale = 1.0, .decimals = 4, .decimals_large = 1, .columns = 24};
static const struct form points = {
    .scale = 100.0, .decimals = 1, .decimals_large = 1, .has_sign = true, .columns = 22};
static const struct form plain = {.scale = 1.0, .decimals = 2, .decimals_large = 1, .columns = 22};

static void add_number(struct strbuf *out, const struct form *form, double value) {
    const double scaled = form->scale * value;
    const int decimals = fabs(scaled) < LARGE ? form->decimals : form->decimals_large;
    strbuf_addf(out, form->has_sign ? "%+.*f" : "%.*f", decimals, scaled);
}

/* A figure with its interval, after two spaces. */
static void add_figure(struct strbuf *out, const struct pair_score *score,
                       const struct form *form) {
    strbuf_add(out, "  ");
    const size_t begin = out->length;
    if (isnan(score->value)) {
        strbuf_add_char(out, '-');
    } else {
        add_number(out, form, score->value);
    }
    if (!isnan(score->low)) {
        strbuf_add(out, " [");
        add_number(out, form, score->low);
        strbuf_add(out, ", ");
        add_number(out, form, score->high);
        strbuf_add_char(out, ']');
    }
    const size_t used = out->length - begin, columns = (size_t)form->columns;
    strbuf_add_repeated(out, ' ', columns > used ? columns - used : 0);
}

static void end_line(struct strbuf *out) {
    while (out->length > 0 && out->bytes[out->length - 1] == ' ') {
        strbuf_truncate(out, out->length - 1);
    }
    strbuf_add_char(out, '\n');
}

/* Whether names are cut, after which two may look the same: rewards then have letters, those of the
 * page that --html writes, and a legend. */
static bool has_letters(const struct reward_evaluation *e) {
    bool has = false;
    for (int64_t r = 0; r < e->reward_count; r++) {
        has = has || text_wrap_columns(reward_evaluation_name(e, r)) > NAME_COLUMNS;
    }
    return has;
}

static void add_name_cell(struct strbuf *out, const struct reward_evaluation *e, int64_t reward,
                          int64_t columns) {
    if (has_letters(e)) {
        strbuf_addf(out, "%c ", eval_chart_letter(reward));
        columns -= 2;
    }
    text_cell(out, reward_evaluation_name(e, reward), columns);
}

static void add_name(struct strbuf *out, const struct reward_evaluation *e, int64_t reward,
                     const char *mark) {
    strbuf_addf(out, "%-2s", mark);
    add_name_cell(out, e, reward, NAME_COLUMNS);
}

static void add_legend(struct strbuf *out, const struct reward_evaluation *e) {
    for (int64_t r = 0; r < e->reward_count && has_letters(e); r++) {
        strbuf_addf(out, "  %c  ", eval_chart_letter(r));
        output_add_visible_text(out, reward_evaluation_name(e, r));
        strbuf_add(out, r + 1 < e->reward_count ? "\n" : "\n\n");
    }
}

static void add_paragraph(struct strbuf *out, const char *text) {
    text_wrap_add(out, text, 0, WIDTH);
    strbuf_add_char(out, '\n');
}

/* ---- the tables ------------------------------------------------------------------------------ */

static void add_scores(struct strbuf *out, const struct reward_evaluation *e) {
    const int64_t best = reward_evaluation_best(e);
    strbuf_addf(out, "  %-*s  %-18s  %-18s  %s\n", NAME_COLUMNS, "reward", "accuracy, %",
                "length-adjusted, %", "NLL, nats");
    for (int64_t r = 0; r < e->reward_count; r++) {
        const struct reward_eval_row *row = &e->eval.rows[r];
        add_name(out, e, r, r == best ? "*" : "");
        add_figure(out, &row->scores.accuracy, &percent);
        add_figure(out, &row->length_adjusted, &percent);
        add_figure(out, &row->scores.nll, &nats);
        end_line(out);
    }
    strbuf_add(out, best >= 0
                        ? "\n  * best: beyond chance more accurate than every other that was not "
                          "fitted to these judgements\n"
                        : "\n  none is marked best: none is, beyond chance, more accurate than all "
                          "others that\n  were not fitted to these judgements\n");
}

static void add_differences(struct strbuf *out, const struct reward_evaluation *e, bool bold) {
    if (e->reward_count < 2) {
        return;
    }
    text_heading(out, "Differences in accuracy, points", bold);
    strbuf_addf(out, "  %-*s  %-*s\n", NAME_COLUMNS, "of", NAME_COLUMNS, "from");
    for (int64_t r = 0; r < e->options.spec_count; r++) {
        for (int64_t other = r + 1; other < e->reward_count; other++) {
            const struct pair_score *d = reward_eval_difference(&e->eval, r, other);
            add_name(out, e, r, "");
            strbuf_add(out, "  ");
            add_name_cell(out, e, other, NAME_COLUMNS);
            add_figure(out, d, &points);
            strbuf_add(out, reward_eval_is_above(d)   ? "  better"
                            : reward_eval_is_below(d) ? "  worse"
                                                      : "");
            end_line(out);
        }
    }
}

static void add_length(struct strbuf *out, const struct reward_evaluation *e, bool bold) {
    char title[64];
    text_heading(out, "Length", bold);
    (void)snprintf(title, sizeof title, "accuracy, %%, within %g times", e->options.match_factor);
    strbuf_addf(out, "  %-*s  %-22s  %-22s  %s\n", NAME_COLUMNS, "reward", "Pearson", "Spearman",
                title);
    for (int64_t r = 0; r < e->reward_count; r++) {
        const struct reward_eval_row *row = &e->eval.rows[r];
        add_name(out, e, r, "");
        add_figure(out, &row->pearson, &plain);
        add_figure(out, &row->spearman, &plain);
        add_figure(out, &row->length_matched, &percent);
        strbuf_addf(out, "  (%.0f pairs)", row->matched_pairs);
        end_line(out);
    }
}

static void add_choices(struct strbuf *out, const struct reward_evaluation *e) {
    strbuf_addf(out, "  %-*s  %-18s  %s\n", NAME_COLUMNS, "one chosen among several",
                "top-scored, %", "NLL of orders, nats");
    for (int64_t r = 0; r < e->reward_count; r++) {
        const struct reward_eval_row *row = &e->eval.rows[r];
        add_name(out, e, r, "");
        add_figure(out, &row->choice, &percent);
        add_figure(out, &row->order_nll, &nats);
        end_line(out);
    }
    if (!isnan(e->eval.choice_chance)) {
        strbuf_addf(out, "  by chance %.1f %%, in %.0f sets\n", 100.0 * e->eval.choice_chance,
                    e->eval.rows[e->reward_count - 1].choices);
    }
}

static void add_tied(struct strbuf *out, const struct reward_evaluation *e) {
    strbuf_addf(out, "\n  %-*s  %-18s  %-18s  %s\n", NAME_COLUMNS, "several equally good",
                "above others, %", "and together, %", "Ties score");
    for (int64_t r = 0; r < e->reward_count; r++) {
        const struct reward_eval_row *row = &e->eval.rows[r];
        add_name(out, e, r, "");
        add_figure(out, &row->tied_accurate, &percent);
        add_figure(out, &row->tied_apart, &percent);
        if (!isnan(row->ties_score)) {
            strbuf_addf(out, "  %.3f (%" PRId64 " pairs of questions)", row->ties_score,
                        row->ties_pairs);
        }
        end_line(out);
    }
    strbuf_addf(out, "  by chance %.1f %%, in %.0f sets\n", 100.0 * e->eval.tied_chance,
                e->eval.rows[e->reward_count - 1].tied);
}

static void add_sets(struct strbuf *out, const struct reward_evaluation *e, bool bold) {
    double orders = 0.0;
    for (int64_t r = 0; r < e->reward_count; r++) {
        orders += e->eval.rows[r].orders;
    }
    if (isnan(e->eval.choice_chance) && isnan(e->eval.tied_chance) && orders == 0.0) {
        return;
    }
    text_heading(out, "Sets of three answers or more", bold);
    if (!isnan(e->eval.choice_chance) || orders > 0.0) {
        add_choices(out, e);
    }
    if (!isnan(e->eval.tied_chance)) {
        add_tied(out, e);
    }
}

/* ---- slices ---------------------------------------------------------------------------------- */

/* Judgements of a slice that any reward knows. */
static double slice_weight(const struct reward_evaluation *e, int64_t slice) {
    double most = 0.0;
    for (int64_t r = 0; r < e->reward_count; r++) {
        most = fmax(most, e->eval.rows[r].slices[slice].weight);
    }
    return most;
}

static void add_slice_row(struct strbuf *out, const struct reward_evaluation *e, int64_t slice) {
    strbuf_add(out, "    ");
    text_cell(out, e->slices.list[slice].name, SLICE_COLUMNS);
    text_count(out, slice_weight(e, slice), 9);
    for (int64_t r = 0; r < e->reward_count; r++) {
        add_figure(out, &e->eval.rows[r].slices[slice].accuracy, &percent);
    }
    end_line(out);
}

/* A family of one slice says nothing. */
static void add_family(struct strbuf *out, const struct reward_evaluation *e,
                       enum eval_family family) {
    int64_t filled = 0;
    for (int64_t s = e->slices.first[family]; s < e->slices.first[family + 1]; s++) {
        filled += slice_weight(e, s) > 0.0;
    }
    if (filled < 2) {
        return;
    }
    strbuf_addf(out, "  %s\n", eval_family_title(family));
    for (int64_t s = e->slices.first[family]; s < e->slices.first[family + 1]; s++) {
        if (slice_weight(e, s) > 0.0) {
            add_slice_row(out, e, s);
        }
    }
}

static void add_slices(struct strbuf *out, const struct reward_evaluation *e, bool bold) {
    text_heading(out, "Accuracy by slice, %", bold);
    strbuf_addf(out, "    %-*s%9s", SLICE_COLUMNS, "", "judged");
    for (int64_t r = 0; r < e->reward_count; r++) {
        strbuf_add(out, "  ");
        add_name_cell(out, e, r, percent.columns);
    }
    end_line(out);
    for (enum eval_family family = 0; family < EVAL_FAMILY_COUNT; family++) {
        add_family(out, e, family);
    }
}

/* ---- reliability ----------------------------------------------------------------------------- */

static void add_bins(struct strbuf *out, const struct reward_evaluation *e, int64_t reward) {
    strbuf_add(out, "\n  ");
    output_add_visible_text(out, reward_evaluation_name(e, reward));
    strbuf_addf(out, "\n    %12s  %14s  %10s\n", "it said, %", "people said, %", "judgements");
    for (int b = 0; b < PAIR_BINS; b++) {
        const struct pair_bin *bin = &e->eval.rows[reward].scores.bins[b];
        if (bin->weight > 0.0) {
            strbuf_addf(out, "    %12.1f  %14.1f  %10.0f\n", 100.0 * bin->said, 100.0 * bin->share,
                        bin->weight);
        }
    }
}

static void add_calibration(struct strbuf *out, const struct reward_evaluation *e, bool bold) {
    text_heading(out, "Calibration", bold);
    strbuf_addf(out, "  %-*s  %-24s  %-24s  %-12s  %s\n", NAME_COLUMNS, "reward", "Brier",
                "calibration error", "temperature", "NLL at it");
    for (int64_t r = 0; r < e->reward_count; r++) {
        add_name(out, e, r, "");
        add_figure(out, &e->eval.rows[r].scores.brier, &nats);
        add_figure(out, &e->eval.rows[r].scores.ece, &nats);
        if (isnan(e->eval.rows[r].temperature)) {
            strbuf_add(out, "  none");
        } else {
            strbuf_addf(out, "  %-12.4g  %.4f", e->eval.rows[r].temperature,
                        e->eval.rows[r].calibrated_nll);
        }
        end_line(out);
    }
    for (int64_t r = 0; r < e->options.spec_count; r++) {
        add_bins(out, e, r);
    }
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void add_counts(struct strbuf *out, const struct reward_evaluation *e) {
    text_count(out, (double)e->eval.pairs, 0);
    strbuf_add(out, " pairs, ");
    text_count(out, e->eval.judgements, 0);
    strbuf_add(out, " judgements, ");
    text_count(out, (double)e->eval.prompts, 0);
    strbuf_add(out, " prompts ");
    reward_evaluation_where(e, out);
    strbuf_addf(out, "; seed %" PRIu64 "\n", e->seed);
    if (!isnan(e->eval.longer_preferred)) {
        strbuf_addf(out, "people prefer the longer side in %.1f %% of pairs whose lengths differ\n",
                    100.0 * e->eval.longer_preferred);
    }
    if (e->has_baselines) {
        strbuf_add(out, "length only and bag of words were fitted to ");
        if (!e->options.is_crossed) {
            text_count(out, (double)e->train_pairs, 0);
            strbuf_add(out, " pairs of ");
        }
        strbuf_add(out, e->options.fold_count > 0 ? "the other folds\n" : "the training split\n");
    }
    strbuf_add_char(out, '\n');
}

static void add_verdicts(struct strbuf *out, const struct reward_evaluation *e, bool bold) {
    text_heading(out, "Beyond length?", bold);
    for (int64_t r = 0; r < e->options.spec_count; r++) {
        SCOPED(strbuf) struct strbuf line = STRBUF_INIT(OUTPUT_BYTES_MAX);
        output_add_visible_text(&line, reward_evaluation_name(e, r));
        strbuf_add(&line, ": ");
        reward_evaluation_verdict(e, r, &line);
        strbuf_add(out, "  ");
        text_wrap_add(out, strbuf_text(&line), 4, WIDTH);
        strbuf_add_char(out, '\n');
        strbuf_take_failure(out, &line);
    }
}

static void add_notes(struct strbuf *out, const struct reward_evaluation *e) {
    strbuf_add_char(out, '\n');
    add_paragraph(
        out, "Intervals: 95 %, by resampling prompts. A coin has accuracy 50 %, NLL 0.6931 and "
             "Brier 0.25. Accuracy counts pairs on which more people prefer one side. NLL, "
             "Brier and calibration take differences of rewards as nats; a reward of another "
             "scale fails them, whatever its accuracy. Length-adjusted: pairs reweighted so "
             "that the longer side wins half of them. Temperature: what margins would be divided "
             "by to say best how sure people are; take it from --split validation, and give the "
             "reward as /T*SPEC.");
    for (int64_t n = 0;; n++) {
        SCOPED(strbuf) struct strbuf note = STRBUF_INIT(OUTPUT_BYTES_MAX);
        SCOPED(strbuf) struct strbuf visible = STRBUF_INIT(OUTPUT_BYTES_MAX);
        if (!reward_evaluation_note(e, n, &note)) {
            break;
        }
        strbuf_add(&visible, "Note: ");
        output_add_visible(&visible, strbuf_text(&note), note.length);
        strbuf_add_char(out, '\n');
        add_paragraph(out, strbuf_text(&visible));
    }
}

void eval_print(const struct reward_evaluation *e, bool bold, struct strbuf *out) {
    add_counts(out, e);
    add_legend(out, e);
    add_scores(out, e);
    add_verdicts(out, e, bold);
    add_differences(out, e, bold);
    add_length(out, e, bold);
    add_sets(out, e, bold);
    add_slices(out, e, bold);
    add_calibration(out, e, bold);
    add_notes(out, e);
}
