/* db.h - SQLite databases: open, migrate, prepared statements, transactions.
 *
 * Use:      SCOPED(db) struct db *db = NULL;
 *           TRY(db_open(&(struct db_options){.path = path, .mode = DB_MODE_WRITE,
 *                       .schema = &project_schema, .busy_ms = DB_BUSY_MS}, &db, err));
 *           SCOPED(db_tx) struct db_tx tx = DB_TX_INIT;
 *           TRY(db_tx_open(db, &tx, err));
 *           SCOPED(db_stmt) struct db_stmt *insert = NULL;
 *           TRY(db_stmt_open(db, "INSERT INTO owner(name, share) VALUES (?1, ?2)", &insert, err));
 *           for (...) {
 *               db_bind_text(insert, 1, name, strlen(name));
 *               db_bind_f64(insert, 2, share);
 *               TRY(db_stmt_run(insert, err));
 *           }
 *           TRY(db_tx_commit(&tx, err));        // without it the scope rolls back
 *
 * SQL:      is always a text of ours with ?1, ?2, ... for values; never built from what users give.
 * Writers:  one read-write connection per file, in all processes, held by a lock on `<path>-lock`;
 *           any number of readers beside it. (SQLite before 3.51.3 can lose a write-ahead log when
 *           two connections write.) Reading needs write access to the folder all the same, for
 *           SQLite's -shm file. Not for network file systems.
 * Durable:  commits survive kill -9; with `durable` also a loss of power. Consistent in any case.
 * Errors:   the file, SQLite's message, and the start of the statement. ERR_DATA: damaged, not a
 *           database, not ours, or a constraint broken; ERR_IO: busy, full, read-only, unreadable;
 *           ERR_INTERNAL: our own mistake, such as wrong SQL; ERR_OOM.
 * Memory:   SQLite allocates through base/mem.h, and so meets its failure hook.
 * Threads:  a connection and its statements belong to one thread.
 */
#ifndef BASE_DB_H
#define BASE_DB_H

#include "base/error.h"
#include "base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DB_BUSY_MS 5000 /* the usual wait for another process */

struct db;
struct db_stmt;

enum db_mode {
    DB_MODE_READ_ONLY,
    DB_MODE_WRITE,  /* the file must exist and be ours */
    DB_MODE_CREATE, /* as DB_MODE_WRITE, but made if missing or empty */
};

/* What a kind of file consists of. Version n is what the first n steps make of an empty file;
 * steps are only ever added. */
struct db_schema {
    const char *name;         /* in messages: "accord project" */
    int32_t application_id;   /* in the file's header; not 0 */
    const char *const *steps; /* SQL scripts; each runs in one transaction */
    int64_t step_count;
};

struct db_options {
    const char *path; /* or ":memory:" */
    enum db_mode mode;
    const struct db_schema *schema; /* borrowed for the call */
    bool durable;                   /* sync every commit: for ledgers and run state */
    int64_t busy_ms;                /* how long to wait for another process */
    struct log *log;                /* for --trace sql; borrowed until closed; may be NULL */
};

/* --- files --- */

/* Opens and, when writing, migrates to the newest version; an existing older file is first copied
 * to `<path>.v<version>.bak`. `*out_db` is owned (db_close).
 *   fails    ERR_DATA also for a version newer than ours, naming both, and for an older one when
 *            reading only; ERR_IO when another process has it open for writing */
ERR_NODISCARD enum err_code db_open(const struct db_options *options, struct db **out_db,
                                    struct error *err);

/* All statements must be closed before; an open transaction is rolled back. */
void db_close(struct db *db);

/* Reads every page and every foreign key; ERR_DATA with the first thing found. Takes a while: about
 * the time of reading the file. */
ERR_NODISCARD enum err_code db_check_integrity(struct db *db, struct error *err);

/* A compact copy at `path`, whole or not there, replacing what was; no transaction may be open.
 *   fails    ERR_IO also when a database that stands there is in use, this one included;
 *            ERR_INTERRUPTED (base/interrupt.h) */
ERR_NODISCARD enum err_code db_copy(struct db *db, const char *path, struct error *err);

/* --- statements --- */

/* `sql` is one statement with at most 64 parameters. `*out_stmt` is owned (db_stmt_close). */
ERR_NODISCARD enum err_code db_stmt_open(struct db *db, const char *sql, struct db_stmt **out_stmt,
                                         struct error *err);
void db_stmt_close(struct db_stmt *stmt);

/* Values of the parameters, from 1; copied. What goes wrong here is reported by the next
 * db_stmt_step or db_stmt_run, so that a row is bound without a check per value. NaN is refused:
 * SQLite would store it as NULL. Text is UTF-8, and may hold NULs. */
void db_bind_null(struct db_stmt *stmt, int parameter);
void db_bind_i64(struct db_stmt *stmt, int parameter, int64_t value);
void db_bind_f64(struct db_stmt *stmt, int parameter, double value);
void db_bind_text(struct db_stmt *stmt, int parameter, const char *bytes, size_t count);
void db_bind_blob(struct db_stmt *stmt, int parameter, const void *bytes, size_t count);

/* A NUL-terminated text, or NULL for a NULL value. */
void db_bind_text_or_null(struct db_stmt *stmt, int parameter, const char *text_or_null);

/* As db_bind_text and db_bind_blob, but not copied: borrowed until the statement is reset, which it
 * also is at its end. For bulk inserts, of which copying takes a twentieth. */
void db_lend_text(struct db_stmt *stmt, int parameter, const char *bytes, size_t count);
void db_lend_blob(struct db_stmt *stmt, int parameter, const void *bytes, size_t count);

/* To the next row, or to the end, where the statement is reset and its values are forgotten.
 *   fails    ERR_INTERNAL when a parameter has no value */
ERR_NODISCARD enum err_code db_stmt_step(struct db_stmt *stmt, bool *out_has_row,
                                         struct error *err);

/* For statements without rows: all of it, and reset. */
ERR_NODISCARD enum err_code db_stmt_run(struct db_stmt *stmt, struct error *err);

/* Leaves a result before its end; values are forgotten. A half-read result keeps old data from
 * being cleaned up, so do not sit on one. */
void db_stmt_reset(struct db_stmt *stmt);

/* Values of the present row, columns from 0. Nothing is converted, but an integer reads as f64
 * too: any other type, NULL included, is ERR_DATA naming the column. Text and blobs are borrowed
 * until the next step or reset; text has a NUL behind it that is not counted. */
bool db_column_is_null(struct db_stmt *stmt, int column);
ERR_NODISCARD enum err_code db_column_i64(struct db_stmt *stmt, int column, int64_t *out,
                                          struct error *err);
ERR_NODISCARD enum err_code db_column_f64(struct db_stmt *stmt, int column, double *out,
                                          struct error *err);
ERR_NODISCARD enum err_code db_column_text(struct db_stmt *stmt, int column, const char **out_bytes,
                                           size_t *out_count, struct error *err);
ERR_NODISCARD enum err_code db_column_blob(struct db_stmt *stmt, int column, const void **out_bytes,
                                           size_t *out_count, struct error *err);

/* The single integer that `sql`, without parameters, answers with. */
ERR_NODISCARD enum err_code db_query_i64(struct db *db, const char *sql, int64_t *out,
                                         struct error *err);

/* Rowid of the last row inserted; rows changed by the last statement. */
int64_t db_last_insert_id(const struct db *db);
int64_t db_changes(const struct db *db);

/* --- transactions --- */

struct db_tx {
    struct db *db; /* NULL when closed */
};

#define DB_TX_INIT \
    { .db = NULL }

/* Writing connections take the write lock at once, so nothing fails half-way for being busy;
 * reading ones get a snapshot. They do not nest. */
ERR_NODISCARD enum err_code db_tx_open(struct db *db, struct db_tx *out, struct error *err);

/* As db_tx_open, for filling a file in which there is nothing to read yet: what is written goes
 * into the file itself, not into a log first and from there into the file. Until the end nobody
 * else can read the file: whoever tries waits, and after busy_ms is told that it is in use. While
 * somebody has it open this is db_tx_open. After a kill -9 the next to open the file, though it be
 * for reading, brings it back to what it was before. */
ERR_NODISCARD enum err_code db_tx_open_alone(struct db *db, struct db_tx *out, struct error *err);

/* After a failure the transaction is still to be closed, and rolls back. */
ERR_NODISCARD enum err_code db_tx_commit(struct db_tx *tx, struct error *err);

/* Rolls back what is not committed. Safe twice. */
void db_tx_close(struct db_tx *tx);

/* Version of the linked SQLite library, such as "3.40.1". Static. */
const char *db_library_version(void);

static inline void db_scoped_end(struct db **db) {
    db_close(*db);
}

static inline void db_stmt_scoped_end(struct db_stmt **stmt) {
    db_stmt_close(*stmt);
}

static inline void db_tx_scoped_end(struct db_tx *tx) {
    db_tx_close(tx);
}

#endif
