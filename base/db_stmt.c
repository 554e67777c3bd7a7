/* db_stmt.c - prepared statements: see db.h. */
#include "base/db_internal.h"

#include "base/invariant.h"
#include "base/mem.h"
#include "base/scoped.h"

#include <ctype.h>
#include <limits.h>
#include <math.h>

#define PARAMETERS_MAX 64

struct db_stmt {
    struct db *db;
    sqlite3_stmt *handle;
    uint64_t bound;       /* bit parameter - 1: has a value */
    struct error pending; /* of a bind; reported by the next step */
    bool has_row;
};

/* --- life --- */

static enum err_code check_shape(const struct db_stmt *stmt, const char *sql, const char *tail,
                                 struct error *err) {
    char excerpt[DB_EXCERPT_BYTES];
    while (isspace((unsigned char)*tail)) {
        tail++;
    }
    if (!stmt->handle || *tail != '\0') {
        return err_set(err, ERR_INTERNAL, "not one SQL statement: '%s'", db_excerpt(sql, excerpt));
    }
    if (sqlite3_bind_parameter_count(stmt->handle) > PARAMETERS_MAX) {
        return err_set(err, ERR_INTERNAL, "more than %d parameters in '%s'", PARAMETERS_MAX,
                       db_excerpt(sql, excerpt));
    }
    return ERR_OK;
}

enum err_code db_stmt_open(struct db *db, const char *sql, struct db_stmt **out_stmt,
                           struct error *err) {
    SCOPED(db_stmt) struct db_stmt *stmt = mem_array_zero(1, sizeof *stmt);
    if (!stmt) {
        return err_oom(err, "a statement");
    }
    stmt->db = db;
    const char *tail = NULL;
    int result =
        sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt->handle, &tail);
    if (result != SQLITE_OK) {
        return db_fail(db, result, sql, err);
    }
    TRY(check_shape(stmt, sql, tail, err));
    *out_stmt = MOVE(stmt);
    return ERR_OK;
}

void db_stmt_close(struct db_stmt *stmt) {
    if (stmt) {
        (void)sqlite3_finalize(stmt->handle); /* repeats the error of the last step, if any */
        mem_free(stmt);
    }
}

/* --- values in --- */

static void note_bind(struct db_stmt *stmt, int parameter, int result) {
    ASSERT(!stmt->has_row); /* reset first: SQLite would refuse */
    if (result == SQLITE_OK) {
        stmt->bound |= UINT64_C(1) << (parameter - 1);
    } else if (stmt->pending.code == ERR_OK) {
        (void)db_fail(stmt->db, result, sqlite3_sql(stmt->handle), &stmt->pending);
    }
}

void db_bind_null(struct db_stmt *stmt, int parameter) {
    note_bind(stmt, parameter, sqlite3_bind_null(stmt->handle, parameter));
}

void db_bind_i64(struct db_stmt *stmt, int parameter, int64_t value) {
    note_bind(stmt, parameter, sqlite3_bind_int64(stmt->handle, parameter, value));
}

void db_bind_f64(struct db_stmt *stmt, int parameter, double value) {
    if (!isnan(value)) {
        note_bind(stmt, parameter, sqlite3_bind_double(stmt->handle, parameter, value));
    } else if (stmt->pending.code == ERR_OK) {
        char excerpt[DB_EXCERPT_BYTES];
        err_set(&stmt->pending, ERR_DATA, "'%s': parameter %d is not a number (NaN) in '%s'",
                stmt->db->path, parameter, db_excerpt(sqlite3_sql(stmt->handle), excerpt));
    }
}

/* SQLite takes a NULL pointer for a NULL value, and an empty text or blob may come with one. */
static void bind_text(struct db_stmt *stmt, int parameter, const char *bytes, size_t count,
                      sqlite3_destructor_type keep) {
    note_bind(stmt, parameter,
              sqlite3_bind_text64(stmt->handle, parameter, count > 0 ? bytes : "", count, keep,
                                  SQLITE_UTF8));
}

static void bind_blob(struct db_stmt *stmt, int parameter, const void *bytes, size_t count,
                      sqlite3_destructor_type keep) {
    note_bind(stmt, parameter,
              sqlite3_bind_blob64(stmt->handle, parameter, count > 0 ? bytes : "", count, keep));
}

void db_bind_text(struct db_stmt *stmt, int parameter, const char *bytes, size_t count) {
    bind_text(stmt, parameter, bytes, count, SQLITE_TRANSIENT);
}

void db_bind_blob(struct db_stmt *stmt, int parameter, const void *bytes, size_t count) {
    bind_blob(stmt, parameter, bytes, count, SQLITE_TRANSIENT);
}

void db_bind_text_or_null(struct db_stmt *stmt, int parameter, const char *text_or_null) {
    if (text_or_null) {
        db_bind_text(stmt, parameter, text_or_null, strlen(text_or_null));
    } else {
        db_bind_null(stmt, parameter);
    }
}

void db_lend_text(struct db_stmt *stmt, int parameter, const char *bytes, size_t count) {
    bind_text(stmt, parameter, bytes, count, SQLITE_STATIC);
}

void db_lend_blob(struct db_stmt *stmt, int parameter, const void *bytes, size_t count) {
    bind_blob(stmt, parameter, bytes, count, SQLITE_STATIC);
}

/* --- running --- */

static enum err_code check_bound(const struct db_stmt *stmt, struct error *err) {
    if (stmt->pending.code != ERR_OK) {
        *err = stmt->pending;
        return err->code;
    }
    int count = sqlite3_bind_parameter_count(stmt->handle);
    for (int parameter = 1; parameter <= count; parameter++) {
        if ((stmt->bound >> (parameter - 1) & 1) == 0) {
            char excerpt[DB_EXCERPT_BYTES];
            return err_set(err, ERR_INTERNAL, "parameter %d has no value in '%s'", parameter,
                           db_excerpt(sqlite3_sql(stmt->handle), excerpt));
        }
    }
    return ERR_OK;
}

static enum err_code step(struct db_stmt *stmt, bool *out_has_row, struct error *err) {
    if (!stmt->has_row) {
        TRY(check_bound(stmt, err));
    }
    int result = sqlite3_step(stmt->handle);
    if (result != SQLITE_ROW && result != SQLITE_DONE) {
        return db_fail(stmt->db, result, sqlite3_sql(stmt->handle), err);
    }
    stmt->has_row = result == SQLITE_ROW;
    *out_has_row = stmt->has_row;
    return ERR_OK;
}

enum err_code db_stmt_step(struct db_stmt *stmt, bool *out_has_row, struct error *err) {
    enum err_code code = step(stmt, out_has_row, err);
    if (code != ERR_OK || !stmt->has_row) {
        db_stmt_reset(stmt);
    }
    return code;
}

enum err_code db_stmt_run(struct db_stmt *stmt, struct error *err) {
    bool has_row = false;
    TRY(db_stmt_step(stmt, &has_row, err));
    if (has_row) {
        char excerpt[DB_EXCERPT_BYTES];
        db_stmt_reset(stmt);
        return err_set(err, ERR_INTERNAL, "unexpected row from '%s'",
                       db_excerpt(sqlite3_sql(stmt->handle), excerpt));
    }
    return ERR_OK;
}

void db_stmt_reset(struct db_stmt *stmt) {
    (void)sqlite3_reset(stmt->handle); /* repeats the error of the last step, if any */
    (void)sqlite3_clear_bindings(stmt->handle);
    stmt->bound = 0;
    stmt->has_row = false;
    stmt->pending.code = ERR_OK;
}

static enum err_code run_one(struct db *db, const char *script, const char **out_tail,
                             struct error *err) {
    sqlite3_stmt *handle = NULL;
    int result = sqlite3_prepare_v2(db->handle, script, -1, &handle, out_tail);
    if (result == SQLITE_OK && handle) { /* no handle: a comment, or nothing */
        do {
            result = sqlite3_step(handle);
        } while (result == SQLITE_ROW);
    }
    enum err_code code = ERR_OK;
    if (result != SQLITE_OK && result != SQLITE_DONE) {
        code = db_fail(db, result, script, err);
    }
    (void)sqlite3_finalize(handle);
    return code;
}

enum err_code db_run_script(struct db *db, const char *script, struct error *err) {
    while (*script) {
        TRY(run_one(db, script, &script, err));
    }
    return ERR_OK;
}

/* --- values out --- */

static const char *type_name(int type) {
    switch (type) {
    case SQLITE_INTEGER:
        return "an integer";
    case SQLITE_FLOAT:
        return "a real number";
    case SQLITE_TEXT:
        return "text";
    case SQLITE_BLOB:
        return "a blob";
    default:
        return "NULL";
    }
}

static enum err_code check_type(struct db_stmt *stmt, int column, int expected, struct error *err) {
    ASSERT(stmt->has_row);
    ASSERT(column >= 0 && column < sqlite3_column_count(stmt->handle));
    int found = sqlite3_column_type(stmt->handle, column);
    if (found == expected || (expected == SQLITE_FLOAT && found == SQLITE_INTEGER)) {
        return ERR_OK;
    }
    char excerpt[DB_EXCERPT_BYTES];
    const char *name = sqlite3_column_name(stmt->handle, column);
    return err_set(err, ERR_DATA, "'%s': column '%s' is %s, expected %s, in '%s'", stmt->db->path,
                   name ? name : "?", type_name(found), type_name(expected),
                   db_excerpt(sqlite3_sql(stmt->handle), excerpt));
}

bool db_column_is_null(struct db_stmt *stmt, int column) {
    ASSERT(stmt->has_row);
    return sqlite3_column_type(stmt->handle, column) == SQLITE_NULL;
}

enum err_code db_column_i64(struct db_stmt *stmt, int column, int64_t *out, struct error *err) {
    TRY(check_type(stmt, column, SQLITE_INTEGER, err));
    *out = sqlite3_column_int64(stmt->handle, column);
    return ERR_OK;
}

enum err_code db_column_f64(struct db_stmt *stmt, int column, double *out, struct error *err) {
    TRY(check_type(stmt, column, SQLITE_FLOAT, err));
    *out = sqlite3_column_double(stmt->handle, column);
    return ERR_OK;
}

/* The pointer has to be taken before the count, which is of what the pointer asked for. */
enum err_code db_column_text(struct db_stmt *stmt, int column, const char **out_bytes,
                             size_t *out_count, struct error *err) {
    TRY(check_type(stmt, column, SQLITE_TEXT, err));
    const void *bytes = sqlite3_column_text(stmt->handle, column);
    if (!bytes) { /* adding the NUL may take memory */
        return err_oom(err, "a text column");
    }
    *out_bytes = bytes;
    *out_count = (size_t)sqlite3_column_bytes(stmt->handle, column);
    return ERR_OK;
}

enum err_code db_column_blob(struct db_stmt *stmt, int column, const void **out_bytes,
                             size_t *out_count, struct error *err) {
    TRY(check_type(stmt, column, SQLITE_BLOB, err));
    const void *bytes = sqlite3_column_blob(stmt->handle, column);
    int count = sqlite3_column_bytes(stmt->handle, column);
    if (!bytes && count > 0) {
        return err_oom(err, "a blob column");
    }
    *out_bytes = bytes ? bytes : "";
    *out_count = (size_t)count;
    return ERR_OK;
}

enum err_code db_query_i64(struct db *db, const char *sql, int64_t *out, struct error *err) {
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    TRY(db_stmt_open(db, sql, &stmt, err));
    ASSERT(stmt);
    bool has_row = false;
    TRY(db_stmt_step(stmt, &has_row, err));
    if (!has_row) {
        char excerpt[DB_EXCERPT_BYTES];
        return err_set(err, ERR_INTERNAL, "no row from '%s'", db_excerpt(sql, excerpt));
    }
    return db_column_i64(stmt, 0, out, err);
}

int64_t db_last_insert_id(const struct db *db) {
    return sqlite3_last_insert_rowid(db->handle);
}

int64_t db_changes(const struct db *db) {
    return sqlite3_changes64(db->handle);
}
