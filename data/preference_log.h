/* preference_log.h - writing preferences, works and their sources into the project file.
 *
 * Use:      SCOPED(preference_log) struct preference_log *log = NULL;
 *           TRY(preference_log_open(db, &log, err));
 *           SCOPED(db_tx) struct db_tx tx = DB_TX_INIT;
 *           TRY(db_tx_open(db, &tx, err));
 *           TRY(preference_log_begin_source(log, "pairs.jsonl", "trl", "{}", now_ms, err));
 *           for (...) {
 *               TRY(preference_log_append(log, &row, err));
 *           }
 *           TRY(preference_log_end_source(log, &summary, err));
 *           TRY(db_tx_commit(&tx, err));
 * Content:  equal prompts, equal responses to a prompt, annotators and owners are stored once;
 *           judgements are stored as often as they come, since two people may say the same.
 * Errors:   ERR_DATA for a row that preference_check refuses, or that contradicts what the log
 *           holds (an annotator in two populations); such a row leaves nothing behind and the next
 *           may follow. After any other error roll back.
 * Owns:     prepared statements; close it before the database. The transaction is the caller's.
 *           Opened before the transaction it is a quarter faster: while it is open foreign keys are
 *           not checked, since every id it writes was looked up just before.
 * Threads:  one.
 */
#ifndef DATA_PREFERENCE_LOG_H
#define DATA_PREFERENCE_LOG_H

#include "base/db.h"
#include "base/error.h"
#include "base/hash.h"
#include "data/preference.h"

#include <stdbool.h>
#include <stdint.h>

struct preference_log;

/* `db` is borrowed until closed, and open for writing. `*out_log` is owned. */
ERR_NODISCARD enum err_code preference_log_open(struct db *db, struct preference_log **out_log,
                                                struct error *err);
void preference_log_close(struct preference_log *log);

/* What follows comes from this file, read as `format` with the options `mapping` (JSON, "{}" if
 * none). Needs an open transaction. */
ERR_NODISCARD enum err_code preference_log_begin_source(struct preference_log *log,
                                                        const char *path, const char *format,
                                                        const char *mapping, int64_t now_ms,
                                                        struct error *err);

ERR_NODISCARD enum err_code preference_log_append(struct preference_log *log,
                                                  const struct preference *row, struct error *err);

ERR_NODISCARD enum err_code preference_log_append_work(struct preference_log *log,
                                                       const struct preference_work *work,
                                                       struct error *err);

struct preference_source_summary {
    struct hash_digest sha256; /* of the file as it lay on the disk */
    int64_t bytes;
    int64_t rows; /* rejected ones included */
    int64_t rejected;
};

/* ERR_DATA if the same file has been imported before with the same format and mapping: roll back.
 */
ERR_NODISCARD enum err_code
preference_log_end_source(struct preference_log *log,
                          const struct preference_source_summary *summary, struct error *err);

/* Whether such a file has been imported, and when; `*out_imported_at_ms` is set if so. */
ERR_NODISCARD enum err_code preference_log_find_source(struct db *db,
                                                       const struct hash_digest *sha256,
                                                       const char *format, const char *mapping,
                                                       bool *out_found, int64_t *out_imported_at_ms,
                                                       struct error *err);

static inline void preference_log_scoped_end(struct preference_log **log) {
    preference_log_close(*log);
}

#endif
