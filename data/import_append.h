/* import_append.h - what a row makes, into the log: all of it or nothing, and counted.
 *
 * Use:      SCOPED(import_append) struct import_append *append = NULL;
 *           TRY(import_append_open(db, log, &append, err));
 *           TRY(import_append_batch(append, &batch, &file_report, err));
 * Errors:   ERR_DATA if the log refuses something; then nothing of the batch is in the log, and the
 *           next may follow. After any other error roll back.
 * Threads:  one.
 */
#ifndef DATA_IMPORT_APPEND_H
#define DATA_IMPORT_APPEND_H

#include "base/db.h"
#include "base/error.h"
#include "data/import.h"
#include "data/import_batch.h"
#include "data/preference_log.h"

struct import_append;

/* `db` and `log` are borrowed until closed. `*out_append` is owned. */
ERR_NODISCARD enum err_code import_append_open(struct db *db, struct preference_log *log,
                                               struct import_append **out_append,
                                               struct error *err);
void import_append_close(struct import_append *append);

/* Adds to `made`, `ties` and `works` of `report`. */
ERR_NODISCARD enum err_code import_append_batch(struct import_append *append,
                                                struct import_batch *batch,
                                                struct import_file_report *report,
                                                struct error *err);

static inline void import_append_scoped_end(struct import_append **append) {
    import_append_close(*append);
}

#endif
