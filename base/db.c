/* db.c - connections, transactions, checks and copies: see db.h. */
#include "base/db.h"

#include "base/db_internal.h"
#include "base/file.h"
#include "base/file_lock.h"
#include "base/interrupt.h"
#include "base/invariant.h"
#include "base/mem.h"
#include "base/scoped.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define IN_MEMORY  ":memory:"
#define COPY_STEPS 1000 /* of SQLite's machine between two looks for a signal: well below 1 ms */

/* Pages of 16 KiB instead of 4 make bulk inserts of texts a third faster, for 0.7 MB of an empty
 * project; files that are there keep theirs. The cache is in KiB when negative: 64 MiB. Pages
 * beyond it are mapped, up to 256 MiB. A file from elsewhere may not run functions with side
 * effects from its schema (trusted_schema). */
static const char pragmas_all[] = "PRAGMA page_size=16384;"
                                  "PRAGMA foreign_keys=ON;"
                                  "PRAGMA temp_store=MEMORY;"
                                  "PRAGMA cache_size=-65536;"
                                  "PRAGMA mmap_size=268435456;"
                                  "PRAGMA trusted_schema=OFF;"
                                  "PRAGMA cell_size_check=ON;";
static const char pragmas_durable[] = "PRAGMA synchronous=FULL;";
static const char pragmas_normal[] = "PRAGMA synchronous=NORMAL;";

/* --- opening --- */

static enum err_code take_write_lock(struct db *db, struct error *err) {
    db->lock_path = mem_strjoin(db->path, "-lock");
    if (!db->lock_path) {
        return err_oom(err, "a database lock");
    }
    TRY(file_lock_open(db->lock_path, &db->lock_fd, err));
    if (db->lock_fd < 0) {
        return err_set(err, ERR_IO,
                       "'%s' is open for writing in another process; let it finish first",
                       db->path);
    }
    return ERR_OK;
}

static int trace_statement(unsigned kind, void *context, void *handle, void *nanoseconds) {
    const struct db *db = context;
    const char *sql = kind == SQLITE_TRACE_PROFILE ? sqlite3_sql(handle) : NULL;
    if (sql) {
        char excerpt[DB_EXCERPT_BYTES];
        sqlite3_int64 ns = 0;
        memcpy(&ns, nanoseconds, sizeof ns);
        log_trace(db->log, LOG_TRACE_SQL, "%.3f ms %s", (double)ns / 1e6, db_excerpt(sql, excerpt));
    }
    return 0;
}

static enum err_code open_handle(struct db *db, enum db_mode mode, struct error *err) {
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    flags |= mode == DB_MODE_READ_ONLY ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    flags |= mode == DB_MODE_CREATE ? SQLITE_OPEN_CREATE : 0;
    int result = sqlite3_open_v2(db->path, &db->handle, flags, NULL);
    return result == SQLITE_OK ? ERR_OK : db_fail(db, result, NULL, err);
}

/* What is a switch of the connection rather than a pragma: a damaged or hostile schema cannot be
 * edited through SQL, and "a misspelt name" in double quotes is an error instead of a text. */
static enum err_code configure_handle(struct db *db, const struct db_options *options,
                                      struct error *err) {
    static const struct {
        int option, value;
    } switches[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},
        {SQLITE_DBCONFIG_DQS_DML, 0},
        {SQLITE_DBCONFIG_DQS_DDL, 0},
    };
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++) {
        int result =
            sqlite3_db_config(db->handle, switches[i].option, switches[i].value, (int *)NULL);
        if (result != SQLITE_OK) {
            return db_fail(db, result, NULL, err);
        }
    }
    (void)sqlite3_busy_timeout(db->handle, (int)options->busy_ms);
    if (log_traces(db->log, LOG_TRACE_SQL)) {
        (void)sqlite3_trace_v2(db->handle, SQLITE_TRACE_PROFILE, trace_statement, db);
    }
    return ERR_OK;
}

/* A write-ahead log lets readers read while we write. Where the file system cannot have one SQLite
 * keeps its rollback journal: slower, as safe. The mode is written into the file, so it must be
 * ours by now. */
static enum err_code prepare_writing(struct db *db, struct error *err) {
    TRY(db_run_script(db, "PRAGMA journal_mode=WAL", err));
    return db_run_script(db, db->durable ? pragmas_durable : pragmas_normal, err);
}

static enum err_code has_journal(const struct db *db, bool *out_has, struct error *err) {
    SCOPED(mem) char *journal = mem_strjoin(db->path, "-journal");
    if (!journal) {
        return err_oom(err, "a file name");
    }
    *out_has = file_exists(journal);
    return ERR_OK;
}

static void give_write_lock(struct db *db) {
    if (db->lock_path) {
        file_lock_close(&db->lock_fd, db->lock_path);
    }
    mem_free(db->lock_path);
    db->lock_path = NULL;
}

/* A writer that was killed in db_tx_open_alone has left its journal, which only writers may play
 * back, so for once a reader is one. If it cannot be, the reader's own opening says why; a journal
 * whose writer lives is not touched. */
static enum err_code play_journal_back(struct db *db, struct error *err) {
    bool has = false;
    TRY(has_journal(db, &has, err));
    if (!has) {
        return ERR_OK;
    }
    struct error ignored = ERROR_INIT;
    enum err_code code = take_write_lock(db, &ignored);
    if (code == ERR_OK) {
        code = open_handle(db, DB_MODE_WRITE, &ignored);
    }
    if (code == ERR_OK) {
        code = db_run_script(db, "PRAGMA user_version", &ignored); /* any reading does it */
    }
    (void)sqlite3_close(db->handle);
    db->handle = NULL;
    give_write_lock(db);
    return code == ERR_OOM ? err_oom(err, "a database") : ERR_OK;
}

static enum err_code open_into(struct db *db, const struct db_options *options, struct error *err) {
    db->lock_fd = -1;
    if (options->path[0] == '\0') { /* for SQLite, a file that is gone once closed */
        return err_set(err, ERR_IO, "the path of a database is empty");
    }
    db->log = options->log;
    db->busy_ms = options->busy_ms;
    db->read_only = options->mode == DB_MODE_READ_ONLY;
    db->durable = options->durable;
    db->path = mem_strdup(options->path);
    if (!db->path) {
        return err_oom(err, "a database");
    }
    if (!db->read_only && strcmp(db->path, IN_MEMORY) != 0) {
        TRY(take_write_lock(db, err));
        db->fresh = options->mode == DB_MODE_CREATE && !file_exists(db->path);
    }
    if (db->read_only) {
        TRY(play_journal_back(db, err));
    }
    TRY(open_handle(db, options->mode, err));
    TRY(configure_handle(db, options, err));
    TRY(db_run_script(db, pragmas_all, err));
    int64_t version = 0;
    TRY(db_schema_check(db, options->schema, options->mode, &version, err));
    if (db->read_only) {
        return ERR_OK;
    }
    TRY(prepare_writing(db, err));
    return db_schema_migrate(db, options->schema, version, err);
}

/* On the way out of a failure, which is the one to report. */
static void remove_quietly(const char *path) {
    struct error ignored = ERROR_INIT;
    enum err_code removed = file_remove(path, &ignored);
    (void)removed;
}

/* A database that could not be made whole is not left behind, empty or half migrated. */
static void discard_fresh(struct db *db) {
    (void)sqlite3_close(db->handle);
    db->handle = NULL;
    remove_quietly(db->path);
}

enum err_code db_open(const struct db_options *options, struct db **out_db, struct error *err) {
    ASSERT(options->busy_ms >= 0 && options->busy_ms <= INT32_MAX);
    TRY(db_memory_start(err));
    SCOPED(db) struct db *db = mem_array_zero(1, sizeof *db);
    if (!db) {
        return err_oom(err, "a database");
    }
    enum err_code code = open_into(db, options, err);
    if (code != ERR_OK) {
        if (db->fresh) {
            discard_fresh(db);
        }
        return code;
    }
    *out_db = MOVE(db);
    return ERR_OK;
}

void db_close(struct db *db) {
    if (!db) {
        return;
    }
    int result = sqlite3_close(db->handle); /* the last connection moves the log into the file */
    ASSERT(result == SQLITE_OK);            /* a statement was left open */
    give_write_lock(db);
    mem_free(db->path);
    mem_free(db);
}

/* --- transactions --- */

enum err_code db_tx_open(struct db *db, struct db_tx *out, struct error *err) {
    TRY(db_run_script(db, db->read_only ? "BEGIN" : "BEGIN IMMEDIATE", err));
    out->db = db;
    return ERR_OK;
}

/* Back to the log. Where a reader is in the way the journal stays until the file is opened anew:
 * slower, as safe. */
static void end_alone(struct db *db) {
    if (db->alone) {
        struct error ignored = ERROR_INIT;
        enum err_code code = prepare_writing(db, &ignored);
        (void)code;
        db->alone = false;
    }
}

/* A journal is synced before what it keeps is overwritten, so it is as safe as the log: but only
 * with synchronous=FULL. The lock is taken at once, since SQLite would else want it when its cache
 * is full, and wait for every reader in the middle of some insert. */
enum err_code db_tx_open_alone(struct db *db, struct db_tx *out, struct error *err) {
    ASSERT(!db->read_only);
    struct error refused = ERROR_INIT;
    db->alone = true;
    enum err_code code = db_run_script(
        db, "PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL; BEGIN EXCLUSIVE", &refused);
    if (code == ERR_OK) {
        out->db = db;
        return ERR_OK;
    }
    end_alone(db);
    return code == ERR_IO ? db_tx_open(db, out, err) : err_set(err, code, "%s", refused.msg);
}

enum err_code db_tx_commit(struct db_tx *tx, struct error *err) {
    ASSERT(tx->db);
    TRY(db_run_script(tx->db, "COMMIT", err));
    end_alone(tx->db);
    tx->db = NULL;
    return ERR_OK;
}

void db_tx_close(struct db_tx *tx) {
    if (!tx->db) {
        return;
    }
    /* Some failures (a full disk, no memory) have made SQLite roll back already. */
    if (!sqlite3_get_autocommit(tx->db->handle)) {
        struct error ignored = ERROR_INIT;
        enum err_code code = db_run_script(tx->db, "ROLLBACK", &ignored);
        (void)code; /* what is not committed is not there, whether this works or not */
    }
    end_alone(tx->db);
    tx->db = NULL;
}

/* --- checks and copies --- */

/* The first row of a check; its first column is a text that says what is wrong, or "ok". */
static enum err_code check_rows(struct db *db, const char *sql, const char *what,
                                struct error *err) {
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    TRY(db_stmt_open(db, sql, &stmt, err));
    bool has_row = false;
    TRY(db_stmt_step(stmt, &has_row, err));
    if (!has_row) {
        return ERR_OK;
    }
    const char *text = NULL;
    size_t count = 0;
    TRY(db_column_text(stmt, 0, &text, &count, err));
    if (strcmp(text, "ok") == 0) {
        return ERR_OK;
    }
    char excerpt[DB_EXCERPT_BYTES];
    return err_set(err, ERR_DATA, "'%s' is damaged: %s '%s'", db->path, what,
                   db_excerpt(text, excerpt));
}

enum err_code db_check_integrity(struct db *db, struct error *err) {
    TRY(check_rows(db, "PRAGMA integrity_check(1)", "integrity check says", err));
    return check_rows(db, "PRAGMA foreign_key_check",
                      "a row refers to one that is missing, in table", err);
}

static int stop_if_interrupted(void *context) {
    (void)context;
    return interrupt_requested();
}

static enum err_code vacuum_into(struct db *db, const char *path, struct error *err) {
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    TRY(db_stmt_open(db, "VACUUM INTO ?1", &stmt, err));
    db_bind_text(stmt, 1, path, strlen(path));
    sqlite3_progress_handler(db->handle, COPY_STEPS, stop_if_interrupted, NULL);
    enum err_code code = db_stmt_run(stmt, err);
    sqlite3_progress_handler(db->handle, 0, NULL, NULL);
    return code;
}

/* SQLite does not sync what VACUUM INTO writes. */
static enum err_code sync_path(const char *path, struct error *err) {
    SCOPED(file_fd) int fd = -1;
    TRY(file_open(path, O_RDWR, &fd, err));
    return file_sync(fd, path, err);
}

/* A log beside the target is of a database that is open or was killed, perhaps this one: SQLite
 * would play it into the copy and so damage it. */
static enum err_code check_no_log(const char *path, const char *suffix, struct error *err) {
    SCOPED(mem) char *log_path = mem_strjoin(path, suffix);
    if (!log_path) {
        return err_oom(err, "a file name");
    }
    if (file_exists(log_path)) {
        return err_set(err, ERR_IO,
                       "the database there is in use, or was not closed ('%s' is there): choose "
                       "another name",
                       log_path);
    }
    return ERR_OK;
}

/* A rename would put the copy in the place of a pipe or device, and what is removed first must not
 * be the database itself. */
static enum err_code check_target(const struct db *db, const char *tmp_path, const char *path,
                                  struct error *err) {
    struct stat info = {0};
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) {
        return err_set(err, ERR_IO, "not a regular file: choose another name");
    }
    if (strcmp(db->path, IN_MEMORY) != 0 && file_is_same(tmp_path, db->path)) {
        return err_set(err, ERR_IO,
                       "it would be written through '%s', which is the database that is copied: "
                       "choose another name",
                       tmp_path);
    }
    return ERR_OK;
}

static enum err_code copy_through(struct db *db, const char *tmp_path, const char *path,
                                  struct error *err) {
    TRY(check_no_log(path, "-wal", err));
    TRY(check_no_log(path, "-journal", err));
    TRY(check_no_log(path, "-lock", err)); /* a writer of ours, whatever its log */
    TRY(file_remove(tmp_path, err));       /* of a killed copy; VACUUM INTO wants a new file */
    TRY(vacuum_into(db, tmp_path, err));
    TRY(sync_path(tmp_path, err));
    TRY(file_rename(tmp_path, path, err));
    return file_sync_folder_of(path, err);
}

enum err_code db_copy(struct db *db, const char *path, struct error *err) {
    SCOPED(mem) char *tmp_path = mem_strjoin(path, ".tmp");
    if (!tmp_path) {
        return err_oom(err, "a file name");
    }
    enum err_code code = check_target(db, tmp_path, path, err);
    if (code == ERR_OK) {
        code = copy_through(db, tmp_path, path, err);
        if (code != ERR_OK) {
            remove_quietly(tmp_path);
        }
    }
    return err_wrap(err, code, "copy to '%s'", path);
}

const char *db_library_version(void) {
    return sqlite3_libversion();
}
