/* import_print.c - see import_print.h. */
#include "trainer/import_print.h"

#include "base/clock.h"
#include "base/json_writer.h"
#include "trainer/output.h"

#include <inttypes.h>
#include <string.h>

/* Of a folder of works there may be thousands. */
#define FILES_SHOWN_MAX 20

/* Of less than that a rate says nothing. */
#define RATE_BYTES_MIN 1000000

/* One and several of each kind. */
struct noun {
    const char *one, *many;
};

static const struct noun kinds[] = {
#define KIND_NOUN(name, one, many) [PREFERENCE_##name] = {one, many},
    PREFERENCE_KINDS(KIND_NOUN)
#undef KIND_NOUN
};

static void add_count(struct strbuf *out, int64_t count, const struct noun *noun) {
    strbuf_addf(out, "%" PRId64 " %s", count, count == 1 ? noun->one : noun->many);
}

/* ", 17 labels", if there are any; without the comma in front of the first of its line. */
static void add_some(struct strbuf *out, int64_t count, const struct noun *noun, bool *first) {
    if (count > 0) {
        strbuf_add(out, *first ? "" : ", ");
        add_count(out, count, noun);
        *first = false;
    }
}

static int64_t total_bytes(const struct import_report *report) {
    int64_t bytes = 0;
    for (int64_t i = 0; i < report->file_count; i++) {
        bytes += report->files[i].was_imported ? 0 : report->files[i].bytes;
    }
    return bytes;
}

static int64_t total_rejected(const struct import_report *report) {
    int64_t rejected = 0;
    for (int64_t i = 0; i < report->file_count; i++) {
        rejected += report->files[i].rejected;
    }
    return rejected;
}

/* ---- for people ---- */

static void add_made(const struct import_file_report *file, struct strbuf *out) {
    static const struct noun works = {"work", "works"};
    bool first = true;
    for (int kind = 0; kind < PREFERENCE_KIND_COUNT; kind++) {
        add_some(out, file->made[kind], &kinds[kind], &first);
        if (kind == PREFERENCE_COMPARISON && file->ties > 0) {
            strbuf_addf(out, " (%" PRId64 " with ties)", file->ties);
        }
    }
    add_some(out, file->works, &works, &first);
    strbuf_add(out, first ? "nothing" : "");
}

/* Lines of notes, each behind a mark. */
static void add_notes(const char *notes, struct strbuf *out) {
    for (const char *line = notes; line && *line;) {
        size_t length = strcspn(line, "\n");
        strbuf_add(out, "  note: ");
        output_add_visible(out, line, length);
        strbuf_add_char(out, '\n');
        line += length + (line[length] ? 1 : 0);
    }
}

static void add_file(const struct import_file_report *file, struct strbuf *out) {
    static const struct noun rows = {"row", "rows"}, lines = {"line", "lines"};
    output_add_visible_text(out, file->path);
    if (file->was_imported) {
        strbuf_addf(out, ": imported before, as %s at %s; nothing to do\n", file->format->name,
                    clock_utc_text(file->imported_at_ms * CLOCK_NS_PER_MS).text);
        return;
    }
    if (file->why[0]) {
        strbuf_addf(out, ": recognised as %s: ", file->format->name);
        output_add_visible_text(out, file->why);
    } else {
        strbuf_addf(out, ": read as %s", file->format->name);
    }
    strbuf_add(out, "\n  ");
    add_count(out, file->rows, file->format->container == IMPORT_LINES ? &lines : &rows);
    strbuf_add(out, ": ");
    add_made(file, out);
    if (file->rejected > 0) {
        strbuf_addf(out, "; %" PRId64 " left out", file->rejected);
    }
    strbuf_add_char(out, '\n');
    add_notes(file->notes, out);
}

/* Files from `first` on, in one. */
static void add_others(const struct import_report *report, int64_t first, struct strbuf *out) {
    static const struct noun files = {"other file", "other files"};
    struct import_file_report sum = {.path = NULL};
    int64_t passed = 0;
    for (int64_t i = first; i < report->file_count; i++) {
        const struct import_file_report *file = &report->files[i];
        for (int kind = 0; kind < PREFERENCE_KIND_COUNT; kind++) {
            sum.made[kind] += file->made[kind];
        }
        sum.ties += file->ties;
        sum.works += file->works;
        passed += file->was_imported ? 1 : 0;
    }
    add_count(out, report->file_count - first, &files);
    strbuf_add(out, ", as --json lists them: ");
    add_made(&sum, out);
    if (passed > 0) {
        strbuf_addf(out, "; %" PRId64 " of them imported before", passed);
    }
    strbuf_add_char(out, '\n');
}

static void add_new(const struct import_print *print, struct strbuf *out) {
    static const struct noun prompts = {"prompt", "prompts"}, responses = {"response", "responses"},
                             annotators = {"annotator", "annotators"}, owners = {"owner", "owners"},
                             works = {"work", "works"};
    const struct import_report *report = print->report;
    bool first = true;
    strbuf_add(out, "new in ");
    output_add_visible_text(out, print->project);
    strbuf_add(out, ": ");
    add_some(out, report->new_prompts, &prompts, &first);
    add_some(out, report->new_responses, &responses, &first);
    add_some(out, report->new_annotators, &annotators, &first);
    add_some(out, report->new_owners, &owners, &first);
    add_some(out, report->new_works, &works, &first);
    strbuf_add(out, first ? "no prompts, responses or people\n" : "\n");
}

void import_print_text(const struct import_print *print, struct strbuf *out) {
    const struct import_report *report = print->report;
    int64_t shown =
        report->file_count <= FILES_SHOWN_MAX ? report->file_count : FILES_SHOWN_MAX - 1;
    for (int64_t i = 0; i < shown; i++) {
        add_file(&report->files[i], out);
    }
    if (shown < report->file_count) {
        add_others(report, shown, out);
    }
    add_notes(report->notes, out);
    int64_t bytes = total_bytes(report);
    if (bytes > 0) {
        add_new(print, out);
    }
    if (bytes >= RATE_BYTES_MIN) {
        strbuf_addf(out, "%.2f MB in %s, %.1f MB/s\n", (double)bytes / 1e6,
                    clock_duration_text((int64_t)(print->seconds * 1e9)).text,
                    (double)bytes / 1e6 / print->seconds);
    }
    if (total_rejected(report) > 0) {
        strbuf_add(out, "rows left out, each with the reason: ");
        output_add_visible_text(out, print->skip_bad);
        strbuf_add_char(out, '\n');
    }
    if (print->dry_run) {
        strbuf_add(out, "dry run: nothing was kept\n");
    }
}

/* ---- for programs ---- */

static void write_file(struct json_writer *w, const struct import_file_report *file) {
    json_write_object_begin(w);
    json_put_string(w, "path", file->path);
    json_put_string(w, "format", file->format->name);
    if (file->why[0]) {
        json_put_string(w, "recognised_by", file->why);
    }
    json_put_bool(w, "imported_before", file->was_imported);
    if (file->was_imported) {
        json_put_string(w, "imported_at",
                        clock_utc_text(file->imported_at_ms * CLOCK_NS_PER_MS).text);
    }
    json_put_i64(w, "bytes", file->bytes);
    json_put_i64(w, "rows", file->rows);
    json_put_i64(w, "rejected", file->rejected);
    for (int kind = 0; kind < PREFERENCE_KIND_COUNT; kind++) {
        json_put_i64(w, kinds[kind].many, file->made[kind]);
    }
    json_put_i64(w, "comparisons_with_ties", file->ties);
    json_put_i64(w, "works", file->works);
    if (file->notes) {
        json_put_string(w, "notes", file->notes);
    }
    json_write_object_end(w);
}

static void write_new(struct json_writer *w, const struct import_report *report) {
    json_put_object_begin(w, "new");
    json_put_i64(w, "prompts", report->new_prompts);
    json_put_i64(w, "responses", report->new_responses);
    json_put_i64(w, "annotators", report->new_annotators);
    json_put_i64(w, "owners", report->new_owners);
    json_put_i64(w, "works", report->new_works);
    json_write_object_end(w);
}

enum err_code import_print_json(const struct import_print *print, struct strbuf *out,
                                struct error *err) {
    struct json_writer w = JSON_WRITER_INIT(out, JSON_INDENTED);
    json_write_object_begin(&w);
    json_put_string(&w, "project", print->project);
    json_put_bool(&w, "kept", !print->dry_run);
    json_put_array_begin(&w, "files");
    for (int64_t i = 0; i < print->report->file_count; i++) {
        write_file(&w, &print->report->files[i]);
    }
    json_write_array_end(&w);
    write_new(&w, print->report);
    json_put_i64(&w, "bytes", total_bytes(print->report));
    json_put_f64_or_null(&w, "seconds", print->seconds);
    json_write_object_end(&w);
    strbuf_add_char(out, '\n');
    return json_writer_finish(&w, err);
}
