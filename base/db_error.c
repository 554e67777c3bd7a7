/* db_error.c - SQLite's result codes as errors of ours. */
#include "base/db_internal.h"

#include <ctype.h>
#include <string.h>

#define CUT_MARK "..."

const char *db_excerpt(const char *sql, char out[DB_EXCERPT_BYTES]) {
    size_t room = DB_EXCERPT_BYTES - sizeof CUT_MARK;
    size_t used = 0;
    for (; *sql && used < room; sql++) {
        bool space = isspace((unsigned char)*sql) != 0;
        if (!space) {
            out[used++] = *sql;
        } else if (used > 0 && out[used - 1] != ' ') {
            out[used++] = ' ';
        }
    }
    memcpy(out + used, *sql ? CUT_MARK : "", *sql ? sizeof CUT_MARK : 1);
    return out;
}

/* A failure that is told with SQLite's words and the statement it happened in. */
static enum err_code fail_in_statement(const struct db *db, enum err_code code, const char *message,
                                       const char *sql, struct error *err) {
    if (!sql) {
        return err_set(err, code, "'%s': %s", db->path, message);
    }
    char excerpt[DB_EXCERPT_BYTES];
    return err_set(err, code, "'%s': %s in '%s'", db->path, message, db_excerpt(sql, excerpt));
}

/* A failure of the file below. The system's reason says more than SQLite's "disk I/O error"; where
 * SQLite has lost it, its own detailed code is the next best. */
static enum err_code fail_in_file(const struct db *db, int result, const char *message,
                                  struct error *err) {
    int errnum = db->handle ? sqlite3_system_errno(db->handle) : 0;
    if (errnum != 0) {
        return err_set_errno(err, errnum, "'%s': %s", db->path, message);
    }
    return err_set(err, ERR_IO, "'%s': %s (SQLite code %d)", db->path, message, result);
}

enum err_code db_fail(const struct db *db, int result, const char *sql, struct error *err) {
    const char *message = db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(result);
    switch (result & 0xff) { /* the rest is detail */
    case SQLITE_NOMEM:
        return err_oom(err, "SQLite");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(err, ERR_IO,
                       "'%s' has been in use by another program for %lld ms (%s): let it finish, "
                       "or close it, and try again",
                       db->path, (long long)db->busy_ms, message);
    case SQLITE_CORRUPT:
        return err_set(err, ERR_DATA,
                       "'%s' is damaged (%s): restore a copy, or save what is readable with "
                       "\"sqlite3 '%s' .recover\"",
                       db->path, message, db->path);
    case SQLITE_NOTADB:
        return err_set(err, ERR_DATA, "'%s' is not a SQLite database", db->path);
    case SQLITE_FULL:
        return err_set(err, ERR_IO, "cannot write '%s': no space left on the disk", db->path);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return fail_in_file(db, result, message, err);
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
        return fail_in_statement(db, ERR_DATA, message, sql, err);
    case SQLITE_INTERRUPT:
        return fail_in_statement(db, ERR_INTERRUPTED, message, sql, err);
    default:
        return fail_in_statement(db, ERR_INTERNAL, message, sql, err);
    }
}
