/* doctor.c - see doctor.h: the report and its two forms. The findings are in doctor_machine.c and,
 * for tensors, lm_doctor.c. */
#include "trainer/doctor.h"

#include "base/invariant.h"
#include "base/json_writer.h"
#include "base/scoped.h"
#include "base/text_wrap.h"
#include "base/utf8.h"
#include "trainer/version.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TOPIC_COLUMN 10
#define VALUE_COLUMN 24
#define REPORT_WIDTH 90

static const char *const section_titles[] = {
#define DOCTOR_SECTION_TITLE(name, title) title,
    DOCTOR_SECTIONS(DOCTOR_SECTION_TITLE)
#undef DOCTOR_SECTION_TITLE
};

static const char *const verdict_texts[] = {
#define DOCTOR_VERDICT_TEXT(name, text) text,
    DOCTOR_VERDICTS(DOCTOR_VERDICT_TEXT)
#undef DOCTOR_VERDICT_TEXT
};

static int64_t count_verdict(const struct doctor_report *report, enum doctor_verdict verdict) {
    int64_t count = 0;
    for (int64_t i = 0; i < report->count; i++) {
        count += report->findings[i].verdict == verdict;
    }
    return count;
}

/* ---- text ---- */

static void add_finding(struct strbuf *out, const struct doctor_finding *f, bool bold) {
    bool loud = bold && f->verdict != DOCTOR_OK;
    strbuf_addf(out, "  %s%-*s%s", loud ? "\x1b[1m" : "", TOPIC_COLUMN - 2,
                verdict_texts[f->verdict], loud ? "\x1b[0m" : "");
    strbuf_addf(out, "%-*s", VALUE_COLUMN - TOPIC_COLUMN, f->topic);
    text_wrap_add(out, f->value, VALUE_COLUMN, REPORT_WIDTH);
    strbuf_add_char(out, '\n');
    if (f->advice[0]) {
        strbuf_add_repeated(out, ' ', VALUE_COLUMN);
        text_wrap_add(out, f->advice, VALUE_COLUMN, REPORT_WIDTH);
        strbuf_add_char(out, '\n');
    }
}

static void add_section(struct strbuf *out, const struct doctor_report *report,
                        enum doctor_section section, bool bold) {
    bool titled = false;
    for (int64_t i = 0; i < report->count; i++) {
        if (report->findings[i].section != section) {
            continue;
        }
        if (!titled) {
            strbuf_addf(out, "\n%s%s%s\n", bold ? "\x1b[1m" : "", section_titles[section],
                        bold ? "\x1b[0m" : "");
            titled = true;
        }
        add_finding(out, &report->findings[i], bold);
    }
}

static void add_summary(struct strbuf *out, const struct doctor_report *report) {
    int64_t missing = count_verdict(report, DOCTOR_MISSING);
    int64_t slow = count_verdict(report, DOCTOR_SLOW);
    strbuf_add_char(out, '\n');
    if (missing == 0) {
        strbuf_add(out, "Nothing is missing");
    } else {
        strbuf_addf(out, "%" PRId64 " missing", missing);
    }
    if (slow > 0) {
        strbuf_addf(out, "; %" PRId64 " slow", slow);
    }
    strbuf_add(out, ".\n");
}

static void build_text(const struct doctor_report *report, bool bold, struct strbuf *out) {
    strbuf_addf(out, "accord %s (%s)\n", version_text(), version_git());
    for (int section = 0; section < DOCTOR_SECTION_COUNT; section++) {
        add_section(out, report, (enum doctor_section)section, bold);
    }
    add_summary(out, report);
}

/* ---- JSON ---- */

static void write_finding(struct json_writer *w, const struct doctor_finding *f) {
    json_write_object_begin(w);
    json_put_string(w, "section", section_titles[f->section]);
    json_put_string(w, "topic", f->topic);
    json_put_string(w, "verdict", verdict_texts[f->verdict]);
    json_put_string(w, "value", f->value);
    json_put_string(w, "advice", f->advice);
    json_write_object_end(w);
}

static enum err_code build_json(const struct doctor_report *report, struct strbuf *out,
                                struct error *err) {
    struct json_writer w = JSON_WRITER_INIT(out, JSON_INDENTED);
    json_write_object_begin(&w);
    json_put_string(&w, "version", version_text());
    json_put_string(&w, "git", version_git());
    json_put_i64(&w, "missing", count_verdict(report, DOCTOR_MISSING));
    json_put_i64(&w, "slow", count_verdict(report, DOCTOR_SLOW));
    json_put_array_begin(&w, "findings");
    for (int64_t i = 0; i < report->count; i++) {
        write_finding(&w, &report->findings[i]);
    }
    json_write_array_end(&w);
    json_write_object_end(&w);
    strbuf_add_char(out, '\n');
    return json_writer_finish(&w, err);
}

/* ---- public ---- */

void doctor_add(struct doctor_report *report, enum doctor_section section,
                enum doctor_verdict verdict, const char *topic, const char *advice,
                const char *value_fmt, ...) {
    ASSERT_LT(report->count, DOCTOR_FINDINGS_MAX);
    struct doctor_finding *f = &report->findings[report->count++];
    *f = (struct doctor_finding){.section = section, .verdict = verdict};
    (void)snprintf(f->topic, sizeof f->topic, "%s", topic);
    char value[DOCTOR_VALUE_BYTES] = "";
    va_list args;
    va_start(args, value_fmt);
    (void)vsnprintf(value, sizeof value, value_fmt, args);
    va_end(args);
    /* Both may quote paths and variables, which hold any byte. */
    (void)utf8_visible(value, strlen(value), f->value, sizeof f->value);
    if (verdict != DOCTOR_OK) {
        (void)utf8_visible(advice, strlen(advice), f->advice, sizeof f->advice);
    }
}

enum err_code doctor_finish(const struct doctor_report *report, struct run *run,
                            struct error *err) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(OUTPUT_BYTES_MAX);
    if (run->output->json) {
        TRY(build_json(report, &text, err));
    } else {
        build_text(report, run->output->bold, &text);
    }
    TRY(output_text(run->output, &text, err));
    for (int64_t i = 0; i < report->count; i++) {
        if (report->findings[i].verdict == DOCTOR_MISSING) {
            return err_set(err, ERR_UNAVAILABLE, "%s is missing", report->findings[i].topic);
        }
    }
    return ERR_OK;
}
