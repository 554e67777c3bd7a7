/* import.h - files of preferences and works, into the project file.
 *
 * Use:      const char *const paths[] = {"a.jsonl.gz", "b.csv"};
 *           const struct import_options options = {.paths = paths, .path_count = 2,
 *                                                  .now_ms = now_ms};
 *           SCOPED(import_report) struct import_report report = IMPORT_REPORT_INIT;
 *           TRY(import_files(db, &options, &report, err));
 * All:      files of a call are imported in one transaction: all of it or nothing.
 * Again:    a file that has been imported with the same format and mapping is passed over, whatever
 *           its name; its report says when that was.
 * Errors:   ERR_DATA for the first bad row, with file, line and column; or, with `skip_bad`, for a
 *           row behind which it is not known where the next one begins. ERR_INTERRUPTED after a
 *           signal (base/interrupt.h). ERR_USAGE for a format or mapping that does not fit. After
 *           any error the project is as before.
 * Memory:   one row and SQLite's cache, however large a file is.
 * Threads:  one.
 */
#ifndef DATA_IMPORT_H
#define DATA_IMPORT_H

#include "base/db.h"
#include "base/error.h"
#include "data/import_format.h"
#include "data/preference.h"

#include <stdbool.h>
#include <stdint.h>

/* Every format there is, in the order of IMPORT_FORMATS. Static. */
const struct import_format *const *import_formats(int64_t *out_count);

/* By its name; NULL if there is none. */
const struct import_format *import_format_find(const char *name);

#define IMPORT_TOTAL_UNKNOWN (-1)

/* Called now and then; both in bytes as they lie on the disk; `total` may be unknown. */
typedef void (*import_progress)(void *context, int64_t done, int64_t total);

struct import_options {
    const char *const *paths; /* files, folders, or "-" for standard input */
    int64_t path_count;
    const char *format;              /* NULL: recognised for each file */
    struct import_settings settings; /* but for `path` */
    const char *skip_bad;            /* a file for rows left out; NULL: the first one is an error */
    bool dry_run;                    /* everything but keep it */
    int64_t now_ms;                  /* Unix milliseconds */
    import_progress on_progress;     /* may be NULL */
    void *context;
};

struct import_file_report {
    char *path;                         /* owned */
    const struct import_format *format; /* static */
    char why[IMPORT_WHY_BYTES];         /* by what it was recognised; "" if it was given */
    bool was_imported;                  /* before: nothing was read now */
    int64_t imported_at_ms;             /* then */
    int64_t bytes;
    int64_t rows, rejected;
    int64_t made[PREFERENCE_KIND_COUNT];
    int64_t ties; /* comparisons in which two responses have the same rank */
    int64_t works;
    char *notes; /* lines of what was left out or is worth a word; owned; NULL: none */
};

struct import_report {
    struct import_file_report *files; /* [file_count] owned */
    int64_t file_count, file_capacity;
    char *notes; /* of folders; owned; NULL: none */
    int64_t new_prompts, new_responses, new_annotators, new_owners, new_works;
};

#define IMPORT_REPORT_INIT \
    { .files = NULL, .file_count = 0 }

/* `db` is open for writing, without a transaction. */
ERR_NODISCARD enum err_code import_files(struct db *db, const struct import_options *options,
                                         struct import_report *out_report, struct error *err);

void import_report_deinit(struct import_report *report);

static inline void import_report_scoped_end(struct import_report *report) {
    import_report_deinit(report);
}

#endif
