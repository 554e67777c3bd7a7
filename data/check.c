/* check.c - see check.h: the table of findings, the report, and the order of the passes. */
#include "data/check.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "data/check_internal.h"

#include <string.h>

const struct check_entry check_table[CHECK_FINDING_COUNT] = {
#define CHECK_ENTRY(name, key, severity, unit, title, effect, remedy) \
    [CHECK_##name] = {key, CHECK_##severity, CHECK_OF_##unit, title, effect, remedy},
    CHECK_FINDINGS(CHECK_ENTRY)
#undef CHECK_ENTRY
};

enum check_finding check_find(const char *key) {
    int finding = 0;
    while (finding < CHECK_FINDING_COUNT && strcmp(check_table[finding].key, key) != 0) {
        finding++;
    }
    return (enum check_finding)finding;
}

const char *check_severity_key(enum check_severity severity) {
    static const char *const keys[] = {
#define CHECK_SEVERITY_KEY(name, key, title, help) key,
        CHECK_SEVERITIES(CHECK_SEVERITY_KEY)
#undef CHECK_SEVERITY_KEY
    };
    return keys[severity];
}

const char *check_severity_title(enum check_severity severity) {
    static const char *const titles[] = {
#define CHECK_SEVERITY_TITLE(name, key, title, help) title,
        CHECK_SEVERITIES(CHECK_SEVERITY_TITLE)
#undef CHECK_SEVERITY_TITLE
    };
    return titles[severity];
}

const char *check_unit_text(enum check_unit unit) {
    static const char *const texts[] = {
#define CHECK_UNIT_TEXT(name, text) text,
        CHECK_UNITS(CHECK_UNIT_TEXT)
#undef CHECK_UNIT_TEXT
    };
    return texts[unit];
}

/* ---- report ---- */

static enum err_code count_tables(struct db *db, struct check_report *report, struct error *err) {
    TRY(db_query_i64(db, "SELECT count(*) FROM prompt", &report->prompt_count, err));
    TRY(db_query_i64(db, "SELECT count(*) FROM response", &report->response_count, err));
    TRY(db_query_i64(db, "SELECT count(*) FROM annotator", &report->annotator_count, err));
    TRY(db_query_i64(db, "SELECT count(*) FROM comparison", &report->comparison_count, err));
    TRY(db_query_i64(db, "SELECT count(*) FROM rating", &report->rating_count, err));
    TRY(db_query_i64(db, "SELECT count(*) FROM label", &report->label_count, err));
    TRY(db_query_i64(db, "SELECT count(*) FROM demonstration", &report->demonstration_count, err));
    return db_query_i64(db, "SELECT count(*) FROM work", &report->work_count, err);
}

static enum err_code load_source(struct db_stmt *stmt, struct check_report *report,
                                 struct error *err) {
    struct check_source source = {.path = NULL};
    const char *path = NULL;
    size_t count = 0;
    TRY(db_column_i64(stmt, 0, &source.id, err));
    TRY(db_column_text(stmt, 1, &path, &count, err));
    source.path = mem_strndup(path, count);
    if (!source.path) {
        return err_oom(err, "paths of sources");
    }
    report->sources[report->source_count++] = source;
    return ERR_OK;
}

static enum err_code load_sources(struct db *db, struct check_report *report, struct error *err) {
    int64_t count = 0;
    TRY(db_query_i64(db, "SELECT count(*) FROM source", &count, err));
    report->sources = mem_array_zero((size_t)count, sizeof *report->sources);
    if (!report->sources) {
        return err_oom(err, "sources");
    }
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    TRY(db_stmt_open(db, "SELECT id, path FROM source ORDER BY id", &stmt, err));
    bool has_row = false;
    TRY(db_stmt_step(stmt, &has_row, err));
    while (has_row && report->source_count < count) {
        TRY(load_source(stmt, report, err));
        TRY(db_stmt_step(stmt, &has_row, err));
    }
    return ERR_OK;
}

static enum err_code make_examples(struct check *check, struct error *err) {
    for (int f = 0; f < CHECK_FINDING_COUNT; f++) {
        struct check_result *result = &check->report->results[f];
        result->looked = check_wants(check, (enum check_finding)f);
        result->examples = mem_array((size_t)check->options->examples, sizeof *result->examples);
        if (!result->examples) {
            return err_oom(err, "examples of findings");
        }
    }
    return ERR_OK;
}

void check_report_deinit(struct check_report *report) {
    for (int f = 0; f < CHECK_FINDING_COUNT; f++) {
        mem_free(report->results[f].examples);
    }
    for (int64_t i = 0; i < report->source_count; i++) {
        mem_free(report->sources[i].path);
    }
    mem_free(report->sources);
    *report = (struct check_report)CHECK_REPORT_INIT;
}

int64_t check_report_found(const struct check_report *report, enum check_severity severity) {
    int64_t found = 0;
    for (int f = 0; f < CHECK_FINDING_COUNT; f++) {
        found += check_table[f].severity == severity && report->results[f].count > 0;
    }
    return found;
}

/* ---- run ---- */

enum err_code check_rows(struct db *db, int64_t *out_rows, struct error *err) {
    struct check_report counts = CHECK_REPORT_INIT;
    TRY(count_tables(db, &counts, err));
    *out_rows = counts.prompt_count + counts.response_count + counts.comparison_count;
    return ERR_OK;
}

/* One transaction, so that what is imported meanwhile does not come in half. */
static enum err_code run_passes(struct check *check, struct error *err) {
    SCOPED(db_tx) struct db_tx tx = DB_TX_INIT;
    TRY(db_tx_open(check->db, &tx, err));
    TRY(count_tables(check->db, check->report, err));
    TRY(load_sources(check->db, check->report, err));
    TRY(make_examples(check, err));
    TRY(check_prompts(check, err));
    TRY(check_answers(check, err));
    TRY(check_judgements(check, err));
    TRY(check_others(check, err));
    if (check->options->progress) {
        progress_update(check->options->progress, check->rows_done);
    }
    return db_tx_commit(&tx, err);
}

enum err_code check_run(struct db *db, const struct check_options *options,
                        struct check_report *out_report, struct error *err) {
    SCOPED(check_report) struct check_report report = CHECK_REPORT_INIT;
    struct check check = {.db = db, .options = options, .report = &report};
    enum err_code code = run_passes(&check, err);
    check_marks_deinit(&check.same_text);
    check_marks_deinit(&check.before_last);
    TRY(code);
    *out_report = report;
    report = (struct check_report)CHECK_REPORT_INIT; /* moved */
    return ERR_OK;
}
