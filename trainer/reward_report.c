/* reward_report.c - see reward_report.h. */
#include "trainer/reward_report.h"

#include "base/json_writer.h"
#include "base/scoped.h"
#include "base/special.h"
#include "base/strbuf.h"
#include "base/text_wrap.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define INDENT        18
#define REPORT_WIDTH  90
#define VISIBLE_BYTES (4 * ERR_MSG_BYTES)
#define P_REJECTED    0.01
#define P_DOUBTED     0.05
/* Fewest comparisons a cell, on average, at which the deviance is near chi-squared. */
#define CELL_WEIGHT_MIN 5.0

/* Below zero degrees there are more numbers than cells: nothing is left to judge the fit by. */
static bool has_deviance(const struct tabular_fit *fit) {
    return isfinite(fit->deviance) && fit->degrees_of_freedom >= 0;
}

/* Why the deviance is not chi-squared even where comparisons are many; NULL if it is. */
static const char *why_no_p(const struct reward_report_fit *f) {
    if (f->fit->options.estimator == TABULAR_MAXIMUM_POSTERIOR) {
        return "more than the data's own, by what the prior holds back";
    }
    if (f->fit->rankings_split > 0) {
        return "but not independent ones";
    }
    if (f->fit->options.ties == TABULAR_TIES_HALF) {
        return "but halves of ties vary less than wins";
    }
    return f->fit->has_counts ? NULL : "but the weights do not count comparisons";
}

static double p_value_of(const struct reward_report_fit *f) {
    const struct tabular_fit *fit = f->fit;
    return isfinite(fit->deviance) && fit->degrees_of_freedom > 0 && !why_no_p(f)
               ? special_chi_square_tail(fmax(fit->deviance, 0.0), (double)fit->degrees_of_freedom)
               : (double)NAN;
}

static bool is_sparse(const struct tabular_fit *fit) {
    return fit->weight < CELL_WEIGHT_MIN * (double)(fit->degrees_of_freedom + fit->free_parameters);
}

static int64_t count_unreliable(const struct tabular_fit *fit) {
    int64_t count = 0;
    for (int64_t a = 0; fit->reliabilities && a < fit->annotator_count; a++) {
        count += fit->reliabilities[a] < 0.5;
    }
    return count;
}

/* ---- what the user should know ---- */

#define NOTES_MAX  8
#define NOTE_BYTES 320

struct notes {
    char text[NOTES_MAX][NOTE_BYTES];
    int64_t count;
};

static void note(struct notes *notes, const char *fmt, ...) ERR_FORMAT(2, 3);

static void note(struct notes *notes, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(notes->text[notes->count++], NOTE_BYTES, fmt, args);
    va_end(args);
}

static void note_data(const struct reward_report_fit *f, struct notes *notes) {
    if (f->fit->identical > 0) {
        note(notes, "%" PRId64 " comparisons hold the same item twice and were left out",
             f->fit->identical);
    }
    if (f->fit->ties_dropped > 0) {
        note(notes,
             "%" PRId64 " tied pairs were left out: --model davidson (pairs) or plackett-luce "
             "(rankings) uses them",
             f->fit->ties_dropped);
    }
    if (f->fit->rankings_split > 0) {
        note(notes,
             "%" PRId64 " rankings were read as all their pairs, which are not independent: the "
             "errors are too small; --model plackett-luce reads them as rankings",
             f->fit->rankings_split);
    }
    int64_t unreliable = count_unreliable(f->fit);
    if (unreliable > 0) {
        note(notes,
             "%" PRId64 " of %" PRId64 " annotators are more often wrong than right by this fit",
             unreliable, f->fit->annotator_count);
    }
}

static void note_fit(const struct reward_report_fit *f, struct notes *notes) {
    double p = p_value_of(f);
    if (!f->fit->std_errors) {
        note(notes,
             "standard errors of more than %" PRId64
             " items are not kept: 'accord reward rank' and "
             "'predict' compute those that they show",
             f->fit->options.covariance_items_max);
    }
    if (!isnan(p) && is_sparse(f->fit)) {
        note(notes, "with so few comparisons a pair the deviance is far from chi-squared: p says "
                    "little; 'accord stats' has a test that holds");
    } else if (p < P_REJECTED) {
        note(notes,
             "one number an item does not explain these comparisons (p = %.2g): tastes "
             "differ, or something else decides; see 'accord stats', and --by-population",
             p);
    }
}

static struct notes notes_of(const struct reward_report_fit *f) {
    struct notes notes = {.count = 0};
    note_data(f, &notes);
    note_fit(f, &notes);
    return notes;
}

/* ---- text ---- */

static void add_count(struct strbuf *out, double count) {
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%.0f", count);
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0 && digits[i - 1] != '-') {
            strbuf_add_char(out, ',');
        }
        strbuf_add_char(out, digits[i]);
    }
}

static const char *estimator_words(const struct tabular_fit *fit) {
    switch (fit->options.estimator) {
    case TABULAR_MAXIMUM_POSTERIOR:
        return "maximum posterior";
    case TABULAR_FIRTH:
        return "maximum likelihood with Firth's bias reduction";
    case TABULAR_MAXIMUM_LIKELIHOOD:
    case TABULAR_ESTIMATOR_COUNT:
        break;
    }
    return "maximum likelihood";
}

static void add_opening(const struct reward_report_fit *f, struct strbuf *out) {
    strbuf_addf(out, "%s of ", tabular_model_name(f->fit->options.model));
    add_count(out, (double)f->fit->item_count);
    strbuf_add(out, " items");
    if (f->fit->blocks > 1) {
        strbuf_add(out, " of ");
        add_count(out, (double)f->fit->blocks);
        strbuf_add(out, " prompts");
    }
    strbuf_add(out, " to ");
    add_count(out, (double)f->fit->comparisons);
    strbuf_add(out, f->population ? " comparisons of " : " comparisons");
    output_add_visible_text(out, f->population ? f->population : "");
    strbuf_addf(out, ", %s", estimator_words(f->fit));
    if (f->fit->options.estimator == TABULAR_MAXIMUM_POSTERIOR) {
        strbuf_addf(out, ", ridge %g", f->fit->options.ridge);
    }
    strbuf_add_char(out, '\n');
    if (f->why_model) {
        strbuf_add(out, "(this model because ");
        output_add_visible_text(out, f->why_model);
        strbuf_add(out, "; --model takes another)\n");
    }
    strbuf_add_char(out, '\n');
}

static void add_label(struct strbuf *out, const char *label) {
    strbuf_addf(out, "  %-*s", INDENT - 2, label);
}

static void add_goodness(const struct reward_report_fit *f, struct strbuf *out) {
    const struct tabular_fit *fit = f->fit;
    double p = p_value_of(f);
    add_label(out, "log-likelihood");
    strbuf_addf(out, "%.3f nats; %.3f if all items were equal\n", fit->log_likelihood,
                fit->log_likelihood_null);
    if (!has_deviance(fit)) {
        return;
    }
    add_label(out, "deviance");
    strbuf_addf(out, "%.3f on %" PRId64 " degrees of freedom", fit->deviance,
                fit->degrees_of_freedom);
    if (why_no_p(f)) {
        strbuf_addf(out, ", %s", why_no_p(f));
    } else if (!isnan(p)) {
        const char *words = is_sparse(fit)   ? "few comparisons a pair"
                            : p < P_REJECTED ? "the model does not fit"
                            : p < P_DOUBTED  ? "the fit is doubtful"
                                             : "the model fits";
        strbuf_addf(out, ", p = %.3g: %s", p, words);
    }
    strbuf_add_char(out, '\n');
}

static void add_parameter_words(const char *name, struct strbuf *out) {
    static const char delta[] = "log_delta_";
    if (strncmp(name, delta, sizeof delta - 1) == 0) {
        strbuf_addf(out, " nats for a tie of %s", name + sizeof delta - 1);
    } else if (strcmp(name, "position") == 0) {
        strbuf_add(out, " nats for being shown first, or at home");
    } else if (strcmp(name, "log_nu") == 0) {
        strbuf_add(out, " nats for a tie");
    } else if (strcmp(name, "eta") == 0) {
        strbuf_add(out, " nats by which one must be ahead to win");
    }
}

static void add_parameters(const struct tabular_fit *fit, struct strbuf *out) {
    for (int64_t p = 0; p < fit->parameter_count; p++) {
        const struct tabular_parameter *parameter = &fit->parameters[p];
        char name[UTF8_EXCERPT_BYTES];
        add_label(out, utf8_excerpt(parameter->name, strlen(parameter->name), name));
        strbuf_addf(out, "%.4f", parameter->value);
        if (!isnan(parameter->std_error)) {
            strbuf_addf(out, " +- %.4f", parameter->std_error);
        }
        add_parameter_words(parameter->name, out);
        strbuf_add_char(out, '\n');
    }
    if (fit->reliabilities) {
        double low = 1.0, high = 0.0, sum = 0.0;
        for (int64_t a = 0; a < fit->annotator_count; a++) {
            low = fmin(low, fit->reliabilities[a]);
            high = fmax(high, fit->reliabilities[a]);
            sum += fit->reliabilities[a];
        }
        add_label(out, "reliability");
        strbuf_addf(out, "of %" PRId64 " annotators: mean %.3f, from %.3f to %.3f\n",
                    fit->annotator_count, sum / (double)fit->annotator_count, low, high);
    }
}

static void add_fit(const struct reward_report_fit *f, const char *path, struct strbuf *out) {
    add_opening(f, out);
    add_label(out, "converged");
    strbuf_addf(out, "after %" PRId64 " steps; largest gradient %.1e\n", f->fit->iterations,
                f->fit->gradient_max);
    add_goodness(f, out);
    add_parameters(f->fit, out);
    add_label(out, "stored");
    strbuf_add(out, "as '");
    output_add_visible_text(out, f->name);
    strbuf_add(out, "' in ");
    output_add_visible_text(out, path);
    strbuf_add_char(out, '\n');
    struct notes notes = notes_of(f);
    for (int64_t n = 0; n < notes.count; n++) {
        add_label(out, "note");
        text_wrap_add(out, notes.text[n], INDENT, REPORT_WIDTH);
        strbuf_add_char(out, '\n');
    }
}

/* A message may hold any byte of a name. */
static const char *visible(const struct error *why, char out[VISIBLE_BYTES]) {
    return utf8_visible(why->msg, strlen(why->msg), out, VISIBLE_BYTES);
}

static void add_gap(const struct reward_report_gap *gap, struct strbuf *out) {
    char why[VISIBLE_BYTES];
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(OUTPUT_BYTES_MAX);
    strbuf_add(&text, "of population '");
    output_add_visible_text(&text, gap->population);
    strbuf_addf(&text, "': %s", visible(&gap->why, why));
    strbuf_take_failure(out, &text);
    add_label(out, "no fit");
    text_wrap_add(out, strbuf_text(&text), INDENT, REPORT_WIDTH);
    strbuf_add_char(out, '\n');
}

static void write_text(const struct reward_report *report, struct strbuf *out) {
    for (int64_t f = 0; f < report->count; f++) {
        if (f > 0) {
            strbuf_add_char(out, '\n');
        }
        add_fit(&report->fits[f], report->path, out);
    }
    for (int64_t g = 0; g < report->gap_count; g++) {
        strbuf_add(out, g == 0 ? "\n" : "");
        add_gap(&report->gaps[g], out);
    }
    strbuf_add(out, "\nnext: accord reward rank ");
    output_add_visible_text(out, report->path);
    strbuf_add(out, " --fit '");
    output_add_visible_text(out, report->fits[0].name);
    strbuf_add(out, "'\n");
}

/* ---- JSON ---- */

static void put_parameters(struct json_writer *w, const struct tabular_fit *fit) {
    json_put_array_begin(w, "parameters");
    for (int64_t p = 0; p < fit->parameter_count; p++) {
        json_write_object_begin(w);
        json_put_string(w, "name", fit->parameters[p].name);
        json_put_f64_or_null(w, "value", fit->parameters[p].value);
        json_put_f64_or_null(w, "std_error", fit->parameters[p].std_error);
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

static void put_fit(struct json_writer *w, const struct reward_report_fit *f) {
    const struct tabular_fit *fit = f->fit;
    json_write_object_begin(w);
    json_put_string(w, "name", f->name);
    json_put_string(w, "model", tabular_model_name(fit->options.model));
    json_put_string_or_null(w, "model_chosen_because", f->why_model);
    json_put_string(w, "estimator", tabular_estimator_name(fit->options.estimator));
    json_put_string_or_null(w, "population", f->population);
    json_put_i64(w, "items", fit->item_count);
    json_put_i64(w, "prompts", f->fit->blocks);
    json_put_i64(w, "comparisons", f->fit->comparisons);
    json_put_f64_or_null(w, "weight", fit->weight);
    json_put_i64(w, "iterations", fit->iterations);
    json_put_f64_or_null(w, "gradient_max", fit->gradient_max);
    json_put_f64_or_null(w, "log_likelihood", fit->log_likelihood);
    json_put_f64_or_null(w, "log_likelihood_null", fit->log_likelihood_null);
    json_put_f64_or_null(w, "deviance", fit->deviance);
    json_put_f64_or_null(w, "null_deviance", fit->null_deviance);
    if (has_deviance(fit)) {
        json_put_i64(w, "degrees_of_freedom", fit->degrees_of_freedom);
    } else {
        json_put_null(w, "degrees_of_freedom");
    }
    json_put_f64_or_null(w, "p_value", p_value_of(f));
    json_put_f64_or_null(w, "aic", fit->aic);
    json_put_f64_or_null(w, "aic_counts", fit->aic_counts);
    put_parameters(w, fit);
    json_put_i64(w, "annotators", fit->annotator_count);
    json_put_i64(w, "annotators_below_half", count_unreliable(fit));
    json_put_bool(w, "has_std_errors", fit->std_errors != NULL);
    struct notes notes = notes_of(f);
    json_put_array_begin(w, "notes");
    for (int64_t n = 0; n < notes.count; n++) {
        json_write_string(w, notes.text[n]);
    }
    json_write_array_end(w);
    json_write_object_end(w);
}

static void put_gap(struct json_writer *w, const struct reward_report_gap *gap) {
    char why[VISIBLE_BYTES];
    json_write_object_begin(w);
    json_put_string(w, "population", gap->population);
    json_put_string(w, "code", err_name(gap->why.code));
    json_put_string(w, "message", visible(&gap->why, why));
    json_write_object_end(w);
}

static enum err_code write_json(const struct reward_report *report, struct strbuf *out,
                                struct error *err) {
    struct json_writer w = JSON_WRITER_INIT(out, JSON_INDENTED);
    json_write_object_begin(&w);
    json_put_array_begin(&w, "fits");
    for (int64_t f = 0; f < report->count; f++) {
        put_fit(&w, &report->fits[f]);
    }
    json_write_array_end(&w);
    json_put_array_begin(&w, "without_fit");
    for (int64_t g = 0; g < report->gap_count; g++) {
        put_gap(&w, &report->gaps[g]);
    }
    json_write_array_end(&w);
    json_write_object_end(&w);
    strbuf_add_char(out, '\n');
    return json_writer_finish(&w, err);
}

enum err_code reward_report_print(struct run *run, const struct reward_report *report,
                                  struct error *err) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(OUTPUT_BYTES_MAX);
    if (run->output->json) {
        TRY(write_json(report, &text, err));
    } else {
        write_text(report, &text);
    }
    return output_text(run->output, &text, err);
}
