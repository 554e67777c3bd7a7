/* check_print.c - see check_print.h. */
#include "trainer/check_print.h"

#include "base/json_writer.h"
#include "base/text_wrap.h"
#include "base/utf8.h"
#include "data/minhash.h"
#include "trainer/text_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define REPORT_WIDTH 100
#define TEXT_COLUMN  12 /* where effects and remedies begin */
#define PATH_BYTES   256

#define LENGTH_COLUMNS 12

/* ---- pieces ---- */

static void add_bold(struct strbuf *out, const char *text, bool bold) {
    strbuf_addf(out, "%s%s%s", bold ? "\x1b[1m" : "", text, bold ? "\x1b[0m" : "");
}

/* "4 of 4,619 answers (0.087 %)" */
static void add_share(struct strbuf *out, const struct check_result *result, const char *unit) {
    text_count(out, (double)result->count, 0);
    if (result->of <= 0) {
        strbuf_addf(out, " %s", unit);
        return;
    }
    strbuf_add(out, " of ");
    text_count(out, (double)result->of, 0);
    double percent = 100.0 * (double)result->count / (double)result->of;
    strbuf_addf(out, percent < 10.0 ? " %s (%.2g %%)" : " %s (%.0f %%)", unit, percent);
}

/* "a.jsonl:17", "a.jsonl:17 and line 4", "a.jsonl:17 and b.jsonl:4" */
static void add_places(struct strbuf *out, const struct check_place *place,
                       const struct check_place *other) {
    char path[PATH_BYTES];
    if (!place->path) {
        strbuf_add(out, "(no judgement refers to it)");
        return;
    }
    strbuf_addf(out, "%s:%" PRId64,
                utf8_visible(place->path, strlen(place->path), path, sizeof path), place->line);
    if (!other->path || (strcmp(other->path, place->path) == 0 && other->line == place->line)) {
        return;
    }
    if (strcmp(other->path, place->path) == 0) {
        strbuf_addf(out, " and line %" PRId64, other->line);
        return;
    }
    strbuf_addf(out, " and %s:%" PRId64,
                utf8_visible(other->path, strlen(other->path), path, sizeof path), other->line);
}

static void add_example(struct strbuf *out, const struct check_example *example) {
    strbuf_add(out, "    ");
    add_places(out, &example->place, &example->other);
    if (example->detail[0]) {
        strbuf_addf(out, "  %s", example->detail);
    }
    strbuf_add_char(out, '\n');
    if (example->excerpt[0]) {
        strbuf_addf(out, "        \"%s\"\n", example->excerpt);
    }
}

static void add_advice(struct strbuf *out, const char *label, const char *text) {
    strbuf_addf(out, "    %-*s", TEXT_COLUMN - 4, label);
    text_wrap_add(out, text, TEXT_COLUMN, REPORT_WIDTH);
    strbuf_add_char(out, '\n');
}

static void add_finding(struct strbuf *out, const struct check_entry *entry,
                        const struct check_result *result, bool bold) {
    strbuf_add(out, "\n  ");
    add_bold(out, entry->key, bold);
    strbuf_addf(out, ": %s\n    ", entry->title);
    add_share(out, result, check_unit_text(entry->unit));
    strbuf_add_char(out, '\n');
    for (int64_t i = 0; i < result->example_count; i++) {
        add_example(out, &result->examples[i]);
    }
    add_advice(out, "effect", entry->effect);
    add_advice(out, "remedy", entry->remedy);
}

static void add_severity(struct strbuf *out, const struct check_print *print,
                         enum check_severity severity) {
    if (check_report_found(print->report, severity) == 0) {
        return;
    }
    strbuf_add_char(out, '\n');
    add_bold(out, check_severity_title(severity), print->bold);
    strbuf_add_char(out, '\n');
    for (int f = 0; f < CHECK_FINDING_COUNT; f++) {
        if (check_table[f].severity == severity && print->report->results[f].count > 0) {
            add_finding(out, &check_table[f], &print->report->results[f], print->bold);
        }
    }
}

/* ---- text ---- */

struct part {
    int64_t count;
    const char *one, *many;
    bool always; /* also if there are none */
};

static void add_parts(struct strbuf *out, const struct check_report *r) {
    const struct part parts[] = {
        {r->comparison_count, "comparison", "comparisons", true},
        {r->rating_count, "rating", "ratings", false},
        {r->label_count, "label", "labels", false},
        {r->demonstration_count, "demonstration", "demonstrations", false},
        {r->response_count, "answer", "answers", true},
        {r->prompt_count, "prompt", "prompts", true},
        {r->annotator_count, "annotator", "annotators", false},
        {r->source_count, "source", "sources", true},
    };
    const char *comma = "";
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i].count == 0 && !parts[i].always) {
            continue;
        }
        strbuf_add(out, comma);
        text_count(out, (double)parts[i].count, 0);
        strbuf_addf(out, " %s", parts[i].count == 1 ? parts[i].one : parts[i].many);
        comma = ", ";
    }
}

static void add_lengths(struct strbuf *out, const char *label, const struct check_lengths *l) {
    if (l->count == 0) {
        return;
    }
    strbuf_addf(out, "  %-10s", label);
    text_count(out, (double)l->median, LENGTH_COLUMNS);
    text_count(out, (double)l->p90, LENGTH_COLUMNS);
    text_count(out, (double)l->p99, LENGTH_COLUMNS);
    text_count(out, (double)l->max, LENGTH_COLUMNS);
    strbuf_add_char(out, '\n');
}

static void add_summary(struct strbuf *out, const struct check_print *print) {
    const struct check_report *r = print->report;
    int64_t looked = 0, found = 0;
    for (int f = 0; f < CHECK_FINDING_COUNT; f++) {
        looked += r->results[f].looked;
        found += r->results[f].count > 0;
    }
    char summary[CHECK_PRINT_SUMMARY_BYTES];
    check_print_summary(r, summary);
    int64_t notes = check_report_found(r, CHECK_NOTE);
    strbuf_add_char(out, '\n');
    if (summary[0]) {
        strbuf_addf(out, "%s", summary);
    } else {
        strbuf_add(out, "Nothing wrong");
    }
    if (notes > 0) {
        strbuf_addf(out, ", %" PRId64 " %s", notes, notes == 1 ? "note" : "notes");
    }
    strbuf_addf(out, "; %" PRId64 " of %" PRId64 " things looked for were not found.\n",
                looked - found, looked);
    strbuf_addf(out,
                "Near duplicates: shingles of %d words, Jaccard index at least %.2g, verified.\n",
                SHINGLE_WORDS, print->options->near_threshold);
    if (r->near_left_out > 0) {
        text_count(out, (double)r->near_left_out, 0);
        strbuf_add(out, " texts beyond the limits were not searched for near duplicates.\n");
    }
}

void check_print_text(const struct check_print *print, struct strbuf *out) {
    const struct check_report *r = print->report;
    char path[PATH_BYTES];
    strbuf_addf(out, "%s: ", utf8_visible(print->path, strlen(print->path), path, sizeof path));
    add_parts(out, r);
    strbuf_add_char(out, '\n');
    if (r->prompts.count + r->answers.count > 0) {
        strbuf_addf(out, "\n  %-10s%12s%12s%12s%12s\n", "bytes", "median", "90 %", "99 %",
                    "longest");
        add_lengths(out, "prompts", &r->prompts);
        add_lengths(out, "answers", &r->answers);
    }
    for (int severity = 0; severity < CHECK_SEVERITY_COUNT; severity++) {
        add_severity(out, print, (enum check_severity)severity);
    }
    add_summary(out, print);
}

void check_print_summary(const struct check_report *report, char out[CHECK_PRINT_SUMMARY_BYTES]) {
    int64_t errors = check_report_found(report, CHECK_ERROR);
    int64_t warnings = check_report_found(report, CHECK_WARNING);
    char first[40] = "", second[40] = "";
    if (errors > 0) {
        (void)snprintf(first, sizeof first, "%" PRId64 " %s", errors,
                       errors == 1 ? "error" : "errors");
    }
    if (warnings > 0) {
        (void)snprintf(second, sizeof second, "%" PRId64 " %s", warnings,
                       warnings == 1 ? "warning" : "warnings");
    }
    (void)snprintf(out, CHECK_PRINT_SUMMARY_BYTES, "%s%s%s", first,
                   errors > 0 && warnings > 0 ? " and " : "", second);
}

/* ---- JSON ---- */

static void write_place(struct json_writer *w, const char *key, const struct check_place *place) {
    if (!place->path) {
        json_put_null(w, key);
        return;
    }
    char path[PATH_BYTES];
    json_put_object_begin(w, key);
    json_put_string(w, "path", utf8_visible(place->path, strlen(place->path), path, sizeof path));
    json_put_i64(w, "line", place->line);
    json_write_object_end(w);
}

static void write_example(struct json_writer *w, const struct check_example *example) {
    json_write_object_begin(w);
    write_place(w, "place", &example->place);
    write_place(w, "other", &example->other);
    json_put_string(w, "detail", example->detail);
    json_put_string(w, "excerpt", example->excerpt);
    json_write_object_end(w);
}

static void write_finding(struct json_writer *w, const struct check_entry *entry,
                          const struct check_result *result) {
    json_write_object_begin(w);
    json_put_string(w, "finding", entry->key);
    json_put_string(w, "severity", check_severity_key(entry->severity));
    json_put_string(w, "title", entry->title);
    json_put_i64(w, "count", result->count);
    json_put_i64(w, "of", result->of);
    json_put_string(w, "unit", check_unit_text(entry->unit));
    json_put_string(w, "effect", entry->effect);
    json_put_string(w, "remedy", entry->remedy);
    json_put_array_begin(w, "examples");
    for (int64_t i = 0; i < result->example_count; i++) {
        write_example(w, &result->examples[i]);
    }
    json_write_array_end(w);
    json_write_object_end(w);
}

static void write_lengths(struct json_writer *w, const char *key, const struct check_lengths *l) {
    json_put_object_begin(w, key);
    json_put_i64(w, "count", l->count);
    json_put_i64(w, "bytes_total", l->total);
    json_put_i64(w, "bytes_median", l->median);
    json_put_i64(w, "bytes_p90", l->p90);
    json_put_i64(w, "bytes_p99", l->p99);
    json_put_i64(w, "bytes_max", l->max);
    json_write_object_end(w);
}

static void write_counts(struct json_writer *w, const struct check_report *r) {
    json_put_i64(w, "comparisons", r->comparison_count);
    json_put_i64(w, "ratings", r->rating_count);
    json_put_i64(w, "labels", r->label_count);
    json_put_i64(w, "demonstrations", r->demonstration_count);
    json_put_i64(w, "answers", r->response_count);
    json_put_i64(w, "prompts", r->prompt_count);
    json_put_i64(w, "annotators", r->annotator_count);
    json_put_i64(w, "sources", r->source_count);
    json_put_i64(w, "works", r->work_count);
}

static void write_settings(struct json_writer *w, const struct check_print *print) {
    json_put_f64(w, "near_threshold", print->options->near_threshold);
    json_put_i64(w, "shingle_words", SHINGLE_WORDS);
    json_put_i64(w, "long_bytes", print->options->long_bytes);
    json_put_i64(w, "near_left_out", print->report->near_left_out);
}

enum err_code check_print_json(const struct check_print *print, struct strbuf *out,
                               struct error *err) {
    const struct check_report *r = print->report;
    char path[PATH_BYTES];
    struct json_writer w = JSON_WRITER_INIT(out, JSON_INDENTED);
    json_write_object_begin(&w);
    json_put_string(&w, "project",
                    utf8_visible(print->path, strlen(print->path), path, sizeof path));
    write_counts(&w, r);
    write_settings(&w, print);
    write_lengths(&w, "prompt_lengths", &r->prompts);
    write_lengths(&w, "answer_lengths", &r->answers);
    json_put_i64(&w, "errors", check_report_found(r, CHECK_ERROR));
    json_put_i64(&w, "warnings", check_report_found(r, CHECK_WARNING));
    json_put_i64(&w, "notes", check_report_found(r, CHECK_NOTE));
    json_put_array_begin(&w, "findings");
    for (int f = 0; f < CHECK_FINDING_COUNT; f++) {
        if (r->results[f].looked) {
            write_finding(&w, &check_table[f], &r->results[f]);
        }
    }
    json_write_array_end(&w);
    json_write_object_end(&w);
    strbuf_add_char(out, '\n');
    return json_writer_finish(&w, err);
}
