/* import.c - see import.h. */
#include "data/import.h"

#include "base/array.h"
#include "base/file_atomic.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "data/import_append.h"
#include "data/import_mapping.h"
#include "data/import_recognise.h"
#include "data/import_rejects.h"
#include "data/import_rows.h"
#include "data/project.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#define NOTES_BYTES_MAX ((size_t)1024 * 1024)

/* One call of import_files. */
struct run {
    struct db *db;
    const struct import_options *options;
    struct import_report *report;
    struct preference_log *log;
    struct import_append *append;
    struct strbuf mapping;
    struct import_rejects rejects;
    struct import_batch batch;
    struct strbuf folder_notes;
    const char *folder_why; /* IMPORT_WHY_BYTES of the folder that is read; NULL: none */
    int64_t total;          /* bytes of all files, or IMPORT_TOTAL_UNKNOWN */
    int64_t done;           /* bytes of the files before this one */
    bool has_read;          /* some file was not imported before */
    bool discard;           /* what was read turned out to be in the project already */
};

/* One file of it. */
struct job {
    struct run *run;
    struct import_settings settings; /* with the path */
    struct import_file_report *report;
    struct input_stream *in;  /* borrowed */
    struct import_rows *rows; /* borrowed */
};

static bool is_stdin(const char *path) {
    return strcmp(path, INPUT_STREAM_STDIN) == 0;
}

/* ---- the report ---- */

static enum err_code add_file(struct import_report *report, const char *path,
                              struct import_file_report **out_file, struct error *err) {
    TRY(array_reserve(ARRAY_REF(report->files), &report->file_capacity, report->file_count + 1,
                      "a report", err));
    struct import_file_report *file = &report->files[report->file_count];
    *file = (struct import_file_report){.path = mem_strdup(path)};
    if (!file->path) {
        return err_oom(err, "a report");
    }
    report->file_count++;
    *out_file = file;
    return ERR_OK;
}

void import_report_deinit(struct import_report *report) {
    for (int64_t i = 0; i < report->file_count; i++) {
        mem_free(report->files[i].path);
        mem_free(report->files[i].notes);
    }
    mem_free(report->files);
    mem_free(report->notes);
    *report = (struct import_report)IMPORT_REPORT_INIT;
}

/* Ids of these tables only grow and nothing is deleted, so the last one counts the rows. */
static enum err_code count_things(struct db *db, struct import_report *out, struct error *err) {
    static const struct {
        const char *sql;
        size_t offset;
    } counts[] = {
        {"SELECT coalesce(max(id), 0) FROM prompt", offsetof(struct import_report, new_prompts)},
        {"SELECT coalesce(max(id), 0) FROM response",
         offsetof(struct import_report, new_responses)},
        {"SELECT coalesce(max(id), 0) FROM annotator",
         offsetof(struct import_report, new_annotators)},
        {"SELECT coalesce(max(id), 0) FROM owner", offsetof(struct import_report, new_owners)},
        {"SELECT coalesce(max(id), 0) FROM work", offsetof(struct import_report, new_works)},
    };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        int64_t count = 0;
        TRY(db_query_i64(db, counts[i].sql, &count, err));
        int64_t *field = (int64_t *)(void *)((char *)out + counts[i].offset);
        *field = count - *field;
    }
    return ERR_OK;
}

static void forget_counts(struct import_report *report) {
    report->new_prompts = 0;
    report->new_responses = 0;
    report->new_annotators = 0;
    report->new_owners = 0;
    report->new_works = 0;
}

/* ---- has it been imported? ---- */

/* Only a file as large as one that has been needs to be hashed. */
static enum err_code has_source_of_size(struct db *db, int64_t bytes, bool *out_has,
                                        struct error *err) {
    SCOPED(db_stmt) struct db_stmt *find = NULL;
    TRY(db_stmt_open(db, "SELECT 1 FROM source WHERE bytes = ?1 LIMIT 1", &find, err));
    db_bind_i64(find, 1, bytes);
    TRY(db_stmt_step(find, out_has, err));
    db_stmt_reset(find);
    return ERR_OK;
}

/* Files only: what comes through a pipe can be read but once. */
static enum err_code check_imported(struct job *job, struct error *err) {
    struct import_file_report *report = job->report;
    struct stat status;
    if (is_stdin(report->path) || stat(report->path, &status) != 0 || !S_ISREG(status.st_mode)) {
        return ERR_OK;
    }
    bool may_be = false;
    TRY(has_source_of_size(job->run->db, (int64_t)status.st_size, &may_be, err));
    if (!may_be) {
        return ERR_OK;
    }
    struct hash_digest digest;
    TRY(hash_file(report->path, &digest, err));
    TRY(preference_log_find_source(job->run->db, &digest, report->format->name,
                                   strbuf_text(&job->run->mapping), &report->was_imported,
                                   &report->imported_at_ms, err));
    report->bytes = report->was_imported ? (int64_t)status.st_size : 0;
    return ERR_OK;
}

/* ---- rows ---- */

static enum err_code check_interrupt(const struct job *job, struct error *err) {
    if (!interrupt_requested()) {
        return ERR_OK;
    }
    return err_set(err, ERR_INTERRUPTED, "stopped at row %" PRId64 " of '%s'", job->report->rows,
                   job->report->path);
}

static void show_progress(const struct run *run, int64_t done) {
    if (run->options->on_progress) {
        run->options->on_progress(run->options->context, run->done + done, run->total);
    }
}

/* A row that cannot be kept: left out if that is wanted and the next one can be found. */
static enum err_code leave_out(struct job *job, enum err_code code, struct error *err) {
    struct run *run = job->run;
    if (code != ERR_DATA || !run->options->skip_bad) {
        return code;
    }
    if (!import_rows_can_go_on(job->rows)) {
        struct error bad = *err;
        return err_set(err, ERR_DATA,
                       "%s; it cannot be left out, since it is not known where the "
                       "next row begins",
                       bad.msg);
    }
    job->report->rejected++;
    if (job->report->rejected > job->report->rows) { /* an empty file, refused as a whole */
        job->report->rows = job->report->rejected;
    }
    const struct import_reject reject = {
        .file = input_stream_name(job->in),
        .line = import_rows_is_row(job->rows) ? import_rows_line(job->rows) : 0,
        .message = err->msg,
        .row = import_rows_text(job->rows),
    };
    return import_rejects_add(&run->rejects, &reject, err);
}

static enum err_code take_row(struct job *job, bool *out_has_row, struct error *err) {
    struct run *run = job->run;
    enum err_code code = import_rows_next(job->rows, &run->batch, out_has_row, err);
    if (code == ERR_OK && *out_has_row) {
        code = import_append_batch(run->append, &run->batch, job->report, err);
        code = import_rows_place(job->rows, code, err);
    }
    job->report->rows += import_rows_is_row(job->rows) ? 1 : 0;
    *out_has_row = *out_has_row || code != ERR_OK;
    return code == ERR_OK ? ERR_OK : leave_out(job, code, err);
}

static enum err_code take_rows(struct job *job, struct error *err) {
    int64_t shown = -1;
    bool has_row = true;
    while (has_row) {
        TRY(check_interrupt(job, err));
        has_row = false;
        TRY(take_row(job, &has_row, err));
        int64_t done = input_stream_bytes_read(job->in);
        if (done != shown) {
            show_progress(job->run, done);
            shown = done;
        }
    }
    return ERR_OK;
}

/* What came through a pipe is known only now. Alone in its call it is as if it had not been read;
 * else preference_log_end_source refuses it. */
static enum err_code check_pipe(struct job *job, const struct preference_source_summary *summary,
                                struct error *err) {
    struct run *run = job->run;
    if (run->options->path_count > 1 || run->report->file_count > 1) {
        return ERR_OK;
    }
    struct import_file_report *report = job->report;
    TRY(preference_log_find_source(run->db, &summary->sha256, report->format->name,
                                   strbuf_text(&run->mapping), &run->discard,
                                   &report->imported_at_ms, err));
    if (run->discard) {
        struct import_file_report read = *report;
        *report = (struct import_file_report){
            .path = read.path,
            .notes = read.notes,
            .format = read.format,
            .was_imported = true,
            .imported_at_ms = read.imported_at_ms,
            .bytes = read.bytes,
        };
        memcpy(report->why, read.why, sizeof report->why);
    }
    return ERR_OK;
}

/* Moves the text of `notes`, if there is any. */
static enum err_code keep_notes(struct strbuf *notes, char **out_notes, struct error *err) {
    TRY(strbuf_check(notes, "notes on an import", err));
    if (notes->length == 0) {
        return ERR_OK;
    }
    char *text = strbuf_detach(notes);
    if (!text) {
        return err_oom(err, "notes on an import");
    }
    *out_notes = text;
    return ERR_OK;
}

static enum err_code note_rows(struct job *job, struct error *err) {
    SCOPED(strbuf) struct strbuf notes = STRBUF_INIT(NOTES_BYTES_MAX);
    import_rows_note(job->rows, &notes);
    return keep_notes(&notes, &job->report->notes, err);
}

/* A role that no row asked for has been mistyped. Tables look at the mapping as a whole, and refuse
 * such a role by themselves. */
static enum err_code check_roles(const struct job *job, struct error *err) {
    const struct import_settings *settings = &job->settings;
    if (job->report->format->container != IMPORT_JSON || job->report->rows == 0) {
        return ERR_OK;
    }
    for (int64_t i = 0; i < settings->map_count; i++) {
        if (!settings->asked[i]) {
            return err_set(err, ERR_USAGE,
                           "--map %s=%s: no row of '%s' asks for such a role, as %s",
                           settings->map[i].role, settings->map[i].column, job->report->path,
                           job->report->format->name);
        }
    }
    return ERR_OK;
}

/* Whatever its layout; of a folder some file may well be empty. */
static enum err_code check_any(const struct job *job, struct error *err) {
    return job->report->rows > 0 || job->run->folder_why
               ? ERR_OK
               : err_set(err, ERR_DATA, "%s: the file holds no rows", input_stream_name(job->in));
}

static enum err_code take_source(struct job *job, struct error *err) {
    struct run *run = job->run;
    run->has_read = true;
    TRY(preference_log_begin_source(run->log, job->report->path, job->report->format->name,
                                    strbuf_text(&run->mapping), run->options->now_ms, err));
    TRY(take_rows(job, err));
    TRY(check_any(job, err));
    TRY(check_roles(job, err));
    struct preference_source_summary summary = {.rows = job->report->rows,
                                                .rejected = job->report->rejected};
    TRY(input_stream_finish(job->in, &summary.sha256, &summary.bytes, err));
    job->report->bytes = summary.bytes;
    TRY(note_rows(job, err));
    TRY(check_pipe(job, &summary, err));
    return run->discard ? ERR_OK : preference_log_end_source(run->log, &summary, err);
}

/* ---- files ---- */

static enum err_code check_path(const struct import_options *options, const char *path,
                                struct error *err) {
    bool would_replace = false;
    if (is_stdin(path)) {
        return ERR_OK;
    }
    TRY(project_check_path(path, err));
    if (options->skip_bad) {
        TRY(file_atomic_would_replace(options->skip_bad, path, &would_replace, err));
    }
    return would_replace ? err_set(err, ERR_USAGE, "--skip-bad '%s' would overwrite the input '%s'",
                                   options->skip_bad, path)
                         : ERR_OK;
}

static enum err_code choose_format(struct job *job, const struct import_format *given,
                                   struct error *err) {
    if (given) {
        return import_recognise_member(job->in, given, &job->report->format, err);
    }
    struct import_recognition found;
    TRY(import_recognise(job->in, &job->settings, &found, err));
    job->report->format = found.format;
    memcpy(job->report->why, found.why, sizeof found.why);
    return ERR_OK;
}

static enum err_code import_file(struct run *run, const char *path,
                                 const struct import_format *format, struct error *err) {
    TRY(check_path(run->options, path, err));
    struct job job = {.run = run, .settings = run->options->settings};
    SCOPED(mem) bool *asked = mem_array_zero((size_t)job.settings.map_count, sizeof *asked);
    if (!asked) {
        return err_oom(err, "a mapping");
    }
    job.settings.asked = asked;
    SCOPED(input_stream) struct input_stream *in = NULL;
    TRY(input_stream_open(path, &in, err));
    TRY(add_file(run->report, path, &job.report, err));
    job.in = in;
    job.settings.path = path;
    TRY(choose_format(&job, format, err));
    if (run->folder_why) {
        memcpy(job.report->why, run->folder_why, sizeof job.report->why);
    }
    TRY(check_imported(&job, err));
    if (!job.report->was_imported) {
        SCOPED(import_rows) struct import_rows *rows = NULL;
        TRY(import_rows_open(job.report->format, &job.settings, in, &rows, err));
        job.rows = rows;
        TRY(take_source(&job, err));
    }
    run->done += job.report->bytes;
    return ERR_OK;
}

static enum err_code import_files_of(struct run *run, const struct import_format *folder,
                                     void *state, struct error *err) {
    bool has_file = true;
    while (has_file) {
        SCOPED(mem) char *path = NULL;
        const struct import_format *format = NULL;
        TRY(folder->next_file(state, &path, &format, &has_file, err));
        if (has_file) {
            TRY(import_file(run, path, format, err));
        }
    }
    return ERR_OK;
}

static enum err_code import_folder(struct run *run, const char *path,
                                   const struct import_format *given, struct error *err) {
    struct import_recognition found = {.format = NULL};
    TRY(import_recognise_folder(path, given, &found, err));
    struct import_settings settings = run->options->settings;
    settings.path = path;
    void *state = NULL;
    TRY(found.format->open(&settings, NULL, &state, err));
    run->folder_why = found.why;
    enum err_code code = import_files_of(run, found.format, state, err);
    run->folder_why = NULL;
    if (code == ERR_OK && found.format->note) {
        found.format->note(state, &run->folder_notes);
    }
    found.format->close(state);
    return code;
}

static bool is_folder(const char *path) {
    struct stat status;
    return !is_stdin(path) && stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static enum err_code import_path(struct run *run, const char *path, struct error *err) {
    const struct import_format *format = NULL;
    if (run->options->format) {
        format = import_format_find(run->options->format);
        if (!format) {
            return err_set(err, ERR_USAGE, "unknown format '%s': 'accord help import' lists them",
                           run->options->format);
        }
    }
    return is_folder(path) ? import_folder(run, path, format, err)
                           : import_file(run, path, format, err);
}

/* ---- the whole call ---- */

static int64_t total_of(const struct import_options *options) {
    int64_t total = 0;
    for (int64_t i = 0; i < options->path_count; i++) {
        struct stat status;
        if (is_stdin(options->paths[i]) || stat(options->paths[i], &status) != 0 ||
            !S_ISREG(status.st_mode)) {
            return IMPORT_TOTAL_UNKNOWN;
        }
        total += (int64_t)status.st_size;
    }
    return total;
}

/* Files of folders are not known yet: import_file checks them. */
static enum err_code check_paths(const struct import_options *options, struct error *err) {
    if (options->settings.texts) {
        TRY(check_path(options, options->settings.texts, err));
    }
    for (int64_t i = 0; i < options->path_count; i++) {
        TRY(check_path(options, options->paths[i], err));
    }
    return ERR_OK;
}

/* The file of rejected rows comes first: without it, rows would be missing and nobody could say
 * which. */
static enum err_code keep(struct run *run, struct db_tx *tx, struct error *err) {
    if (run->options->skip_bad && run->has_read && !run->discard) {
        TRY(import_rejects_commit(&run->rejects, err));
    }
    if (run->options->dry_run || run->discard) {
        db_tx_close(tx);
        return ERR_OK;
    }
    return db_tx_commit(tx, err);
}

/* The first import is often the largest, and nobody misses an empty project while it runs. */
static enum err_code open_transaction(struct db *db, struct db_tx *out_tx, struct error *err) {
    int64_t sources = 0;
    TRY(db_query_i64(db, "SELECT count(*) FROM source", &sources, err));
    return sources == 0 ? db_tx_open_alone(db, out_tx, err) : db_tx_open(db, out_tx, err);
}

static enum err_code import_all(struct run *run, struct error *err) {
    SCOPED(db_tx) struct db_tx tx = DB_TX_INIT;
    TRY(check_paths(run->options, err));
    TRY(import_mapping_write(&run->options->settings, &run->mapping, err));
    if (run->options->skip_bad) {
        TRY(import_rejects_open(run->options->skip_bad, &run->rejects, err));
    }
    TRY(open_transaction(run->db, &tx, err));
    TRY(count_things(run->db, run->report, err));
    run->total = total_of(run->options);
    for (int64_t i = 0; i < run->options->path_count; i++) {
        TRY(import_path(run, run->options->paths[i], err));
    }
    TRY(count_things(run->db, run->report, err));
    TRY(keep_notes(&run->folder_notes, &run->report->notes, err));
    if (run->discard) {
        forget_counts(run->report);
    }
    return keep(run, &tx, err);
}

enum err_code import_files(struct db *db, const struct import_options *options,
                           struct import_report *out_report, struct error *err) {
    SCOPED(import_report) struct import_report report = IMPORT_REPORT_INIT;
    SCOPED(preference_log) struct preference_log *log = NULL;
    SCOPED(import_append) struct import_append *append = NULL;
    TRY(preference_log_open(db, &log, err));
    TRY(import_append_open(db, log, &append, err));
    struct run run = {
        .db = db,
        .options = options,
        .report = &report,
        .log = log,
        .append = append,
        .mapping = STRBUF_INIT(IMPORT_MAPPING_BYTES_MAX),
        .rejects = IMPORT_REJECTS_INIT,
        .batch = IMPORT_BATCH_INIT,
        .folder_notes = STRBUF_INIT(NOTES_BYTES_MAX),
    };
    enum err_code code = import_all(&run, err);
    if (code == ERR_INTERRUPTED) {
        struct error stop = *err;
        (void)err_set(err, code, "%s: nothing of this import was kept", stop.msg);
    }
    strbuf_deinit(&run.mapping);
    import_rejects_close(&run.rejects);
    import_batch_deinit(&run.batch);
    strbuf_deinit(&run.folder_notes);
    if (code == ERR_OK) {
        *out_report = report;
        report = (struct import_report)IMPORT_REPORT_INIT;
    }
    return code;
}
