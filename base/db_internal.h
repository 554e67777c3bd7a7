/* db_internal.h - what the db*.c files share; included by nobody else. */
#ifndef BASE_DB_INTERNAL_H
#define BASE_DB_INTERNAL_H

#include "base/db.h"

#include <sqlite3.h>

#define DB_EXCERPT_BYTES 96

struct db {
    sqlite3 *handle;
    char *path;
    char *lock_path; /* NULL when reading only and in memory */
    int lock_fd;     /* -1 likewise */
    struct log *log;
    int64_t busy_ms;
    bool read_only;
    bool durable;
    bool fresh; /* no file was there before */
    bool alone; /* in a transaction of db_tx_open_alone */
};

/* db_memory.c: configures SQLite, once per process, before its first use. */
ERR_NODISCARD enum err_code db_memory_start(struct error *err);

/* db_error.c: turns a result code of SQLite's into a code and message of ours; `sql` may be NULL.
 * Returns the code, never ERR_OK. */
enum err_code db_fail(const struct db *db, int result, const char *sql, struct error *err);

/* The start of a statement, or of another text of SQLite's, on one line, for messages. Returns
 * `out`. */
const char *db_excerpt(const char *sql, char out[DB_EXCERPT_BYTES]);

/* db_stmt.c: runs a script of statements without parameters, dropping their rows. */
ERR_NODISCARD enum err_code db_run_script(struct db *db, const char *script, struct error *err);

/* db_schema.c: refuses a file that is not ours, without changing it; and brings one of ours from
 * `version` to the newest. */
ERR_NODISCARD enum err_code db_schema_check(struct db *db, const struct db_schema *schema,
                                            enum db_mode mode, int64_t *out_version,
                                            struct error *err);
ERR_NODISCARD enum err_code db_schema_migrate(struct db *db, const struct db_schema *schema,
                                              int64_t version, struct error *err);

#endif
