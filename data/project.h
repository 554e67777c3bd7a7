/* project.h - the project file: one SQLite database, described in data/schema.sql.
 *
 * Use:      SCOPED(db) struct db *db = NULL;
 *           TRY(project_open("tea.db", DB_MODE_READ_ONLY, run->log, &db, err));
 * Errors:   as db_open (base/db.h); a file that is missing is told how to make one.
 * Threads:  as base/db.h.
 */
#ifndef DATA_PROJECT_H
#define DATA_PROJECT_H

#include "base/db.h"
#include "base/error.h"
#include "base/log.h"

#include <stdbool.h>

#define PROJECT_APPLICATION_ID 0x41434344 /* "ACCD" */

/* For tests of migration; everything else opens through project_open. Static. */
const struct db_schema *project_schema(void);

/* Whether a file begins as SQLite's do, and so may be a project: to tell it from a text.
 *   fails    ERR_IO */
ERR_NODISCARD enum err_code project_is_likely(const char *path, bool *out_is, struct error *err);

/* ERR_USAGE for a name that is not UTF-8: neither the project nor JSON output could hold it. */
ERR_NODISCARD enum err_code project_check_path(const char *path, struct error *err);

/* `*out_db` is owned (db_close); `log` is borrowed until then and may be NULL. */
ERR_NODISCARD enum err_code project_open(const char *path, enum db_mode mode, struct log *log,
                                         struct db **out_db, struct error *err);

#endif
