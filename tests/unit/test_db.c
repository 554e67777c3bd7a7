#include "base/db.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/kill_loop.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const steps[] = {
    "CREATE TABLE owner(id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;"
    "CREATE TABLE work(id INTEGER PRIMARY KEY, owner_id INTEGER NOT NULL REFERENCES owner(id),"
    "                  share REAL, data BLOB) STRICT;",
    "ALTER TABLE owner ADD COLUMN cluster INTEGER NOT NULL DEFAULT 7;",
    "CREATE INDEX owner_name ON owner(name); -- nothing more",
};

#define APPLICATION_ID 0x61636364

/* The schema as it was when it had `step_count` steps. */
static struct db_schema schema_of(int64_t step_count) {
    return (struct db_schema){.name = "test project",
                              .application_id = APPLICATION_ID,
                              .steps = steps,
                              .step_count = step_count};
}

static enum err_code open_version(const char *path, enum db_mode mode, int64_t version,
                                  struct db **out_db, struct error *err) {
    const struct db_schema schema = schema_of(version);
    const struct db_options options = {.path = path, .mode = mode, .schema = &schema};
    return db_open(&options, out_db, err);
}

static struct db *must_open(const char *path, enum db_mode mode) {
    struct error err = ERROR_INIT;
    struct db *db = NULL;
    assert_ok(open_version(path, mode, 3, &db, &err), &err);
    return db;
}

static void must_run(struct db *db, const char *sql) {
    struct error err = ERROR_INIT;
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    assert_ok(db_stmt_open(db, sql, &stmt, &err), &err);
    assert_ok(db_stmt_run(stmt, &err), &err);
}

static int64_t must_query(struct db *db, const char *sql) {
    struct error err = ERROR_INIT;
    int64_t value = -1;
    assert_ok(db_query_i64(db, sql, &value, &err), &err);
    return value;
}

/* --- statements --- */

static void test_db_stmt__integers_and_reals_come_back_bit_for_bit(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = must_open(":memory:", DB_MODE_CREATE);
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    assert_ok(db_stmt_open(db, "SELECT ?1, ?2", &stmt, &err), &err);
    static const int64_t integers[] = {0, -1, INT64_MAX, INT64_MIN, INT64_C(9007199254740993)};
    static const double reals[] = {0.1, -0.0, DBL_TRUE_MIN, DBL_MAX, -(double)INFINITY};
    for (size_t i = 0; i < 5; i++) {
        bool has_row = false;
        int64_t integer = 0;
        double real = 0;
        db_bind_i64(stmt, 1, integers[i]);
        db_bind_f64(stmt, 2, reals[i]);
        assert_ok(db_stmt_step(stmt, &has_row, &err), &err);
        assert_true(has_row);
        assert_ok(db_column_i64(stmt, 0, &integer, &err), &err);
        assert_ok(db_column_f64(stmt, 1, &real, &err), &err);
        assert_true(integer == integers[i]);
        assert_memory_equal(&real, &reals[i], sizeof real);
        assert_ok(db_stmt_step(stmt, &has_row, &err), &err);
        assert_false(has_row);
    }
}

static void test_db_stmt__text_and_blobs_keep_their_lengths(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = must_open(":memory:", DB_MODE_CREATE);
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    assert_ok(db_stmt_open(db, "SELECT ?1, ?2, ?3, ?4, ?5", &stmt, &err), &err);
    db_bind_text(stmt, 1, "a\0b", 3);
    db_bind_text(stmt, 2, NULL, 0);
    db_bind_blob(stmt, 3, "\xff\0", 2);
    db_bind_blob(stmt, 4, NULL, 0);
    db_bind_null(stmt, 5);
    bool has_row = false;
    assert_ok(db_stmt_step(stmt, &has_row, &err), &err);
    const char *text = NULL;
    const void *blob = NULL;
    size_t count = 77;
    assert_ok(db_column_text(stmt, 0, &text, &count, &err), &err);
    assert_int_equal(count, 3);
    assert_memory_equal(text, "a\0b", 4);
    assert_ok(db_column_text(stmt, 1, &text, &count, &err), &err);
    assert_int_equal(count, 0);
    assert_string_equal(text, "");
    assert_ok(db_column_blob(stmt, 2, &blob, &count, &err), &err);
    assert_int_equal(count, 2);
    assert_memory_equal(blob, "\xff\0", 2);
    assert_ok(db_column_blob(stmt, 3, &blob, &count, &err), &err);
    assert_int_equal(count, 0);
    assert_false(db_column_is_null(stmt, 3));
    assert_true(db_column_is_null(stmt, 4));
}

static void test_db_bind__refuses_nan(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = must_open(":memory:", DB_MODE_CREATE);
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    assert_ok(
        db_stmt_open(db, "INSERT INTO work(owner_id,\n   share) VALUES (?1, ?2)", &stmt, &err),
        &err);
    db_bind_i64(stmt, 1, 1);
    db_bind_f64(stmt, 2, (double)NAN);
    assert_fails(db_stmt_run(stmt, &err), ERR_DATA,
                 "':memory:': parameter 2 is not a number (NaN) in "
                 "'INSERT INTO work(owner_id, share) VALUES (?1, ?2)'",
                 &err);
    assert_int_equal(must_query(db, "SELECT count(*) FROM work"), 0);
}

static void test_db_stmt__every_parameter_needs_a_value_each_time(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = must_open(":memory:", DB_MODE_CREATE);
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    assert_ok(db_stmt_open(db, "INSERT INTO owner(id, name) VALUES (?1, ?2)", &stmt, &err), &err);
    db_bind_i64(stmt, 1, 5);
    db_bind_text(stmt, 2, "x", 1);
    assert_ok(db_stmt_run(stmt, &err), &err);
    assert_int_equal(db_last_insert_id(db), 5);
    assert_int_equal(db_changes(db), 1);
    db_bind_i64(stmt, 1, 6);
    assert_fails(db_stmt_run(stmt, &err), ERR_INTERNAL, "parameter 2 has no value", &err);
    db_bind_i64(stmt, 3, 6);
    assert_fails(db_stmt_run(stmt, &err), ERR_INTERNAL, "index out of range", &err);
    assert_int_equal(must_query(db, "SELECT count(*) FROM owner"), 1);
}

static void test_db_column__says_what_it_found_instead(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = must_open(":memory:", DB_MODE_CREATE);
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    assert_ok(db_stmt_open(db, "SELECT NULL AS share, 'x' AS name, 2 AS n", &stmt, &err), &err);
    bool has_row = false;
    assert_ok(db_stmt_step(stmt, &has_row, &err), &err);
    int64_t integer = 77;
    double real = 77;
    const void *blob = NULL;
    size_t count = 0;
    assert_fails(db_column_f64(stmt, 0, &real, &err), ERR_DATA,
                 "column 'share' is NULL, expected a real number, in 'SELECT NULL", &err);
    assert_fails(db_column_i64(stmt, 1, &integer, &err), ERR_DATA,
                 "column 'name' is text, expected an integer", &err);
    assert_fails(db_column_blob(stmt, 1, &blob, &count, &err), ERR_DATA, "expected a blob", &err);
    assert_int_equal(integer, 77);
    assert_ok(db_column_f64(stmt, 2, &real, &err), &err);
    assert_true(real == 2.0);
}

static void test_db_stmt_open__refuses_what_is_not_one_good_statement(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = must_open(":memory:", DB_MODE_CREATE);
    struct db_stmt *stmt = NULL;
    assert_fails(db_stmt_open(db, "SELECT 1; SELECT 2", &stmt, &err), ERR_INTERNAL,
                 "not one SQL statement: 'SELECT 1; SELECT 2'", &err);
    assert_fails(db_stmt_open(db, " ", &stmt, &err), ERR_INTERNAL, "not one SQL statement", &err);
    assert_fails(db_stmt_open(db, "SELEC 1", &stmt, &err), ERR_INTERNAL,
                 "':memory:': near \"SELEC\": syntax error in 'SELEC 1'", &err);
    assert_fails(db_stmt_open(db, "SELECT \"no_such_name\" FROM owner", &stmt, &err), ERR_INTERNAL,
                 "no such column: no_such_name", &err);
    assert_null(stmt);
}

static void test_db_stmt_run__broken_constraint_is_bad_data(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = must_open(":memory:", DB_MODE_CREATE);
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    assert_ok(db_stmt_open(db, "INSERT INTO work(owner_id) VALUES (99)", &stmt, &err), &err);
    assert_fails(db_stmt_run(stmt, &err), ERR_DATA,
                 "':memory:': FOREIGN KEY constraint failed in 'INSERT INTO work(owner_id) VALUES",
                 &err);
}

static void test_db_error__cuts_a_long_statement(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = must_open(":memory:", DB_MODE_CREATE);
    struct db_stmt *stmt = NULL;
    assert_fails(db_stmt_open(db,
                              "SELECT 11111111, 22222222, 33333333, 44444444, 55555555, 66666666, "
                              "77777777, 88888888, 99999999 FROM nowhere",
                              &stmt, &err),
                 ERR_INTERNAL,
                 "no such table: nowhere in 'SELECT 11111111, 22222222, 33333333, 44444444, "
                 "55555555, 66666666, 77777777, 88888888, 99999...'",
                 &err);
}

/* --- transactions --- */

static void test_db_tx__rolls_back_unless_committed(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = must_open(":memory:", DB_MODE_CREATE);
    for (int commit = 0; commit <= 1; commit++) {
        SCOPED(db_tx) struct db_tx tx = DB_TX_INIT;
        assert_ok(db_tx_open(db, &tx, &err), &err);
        must_run(db, "INSERT INTO owner(name) VALUES ('a')");
        if (commit) {
            assert_ok(db_tx_commit(&tx, &err), &err);
        }
        db_tx_close(&tx);
        assert_int_equal(must_query(db, "SELECT count(*) FROM owner"), commit);
    }
}

static void test_db_tx__does_not_nest(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = must_open(":memory:", DB_MODE_CREATE);
    SCOPED(db_tx) struct db_tx outer = DB_TX_INIT;
    SCOPED(db_tx) struct db_tx inner = DB_TX_INIT;
    assert_ok(db_tx_open(db, &outer, &err), &err);
    assert_fails(db_tx_open(db, &inner, &err), ERR_INTERNAL,
                 "cannot start a transaction within a transaction", &err);
    assert_null(inner.db);
}

/* --- schema --- */

static void test_db_open__makes_the_newest_version(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    const char *path = scratch_path(scratch, "p.db");
    SCOPED(db) struct db *db = must_open(path, DB_MODE_CREATE);
    assert_int_equal(must_query(db, "PRAGMA user_version"), 3);
    assert_int_equal(must_query(db, "PRAGMA application_id"), APPLICATION_ID);
    assert_int_equal(must_query(db, "PRAGMA foreign_keys"), 1);
    assert_int_equal(must_query(db, "PRAGMA synchronous"), 1);
    assert_int_equal(must_query(db, "PRAGMA trusted_schema"), 0);
    assert_ok(db_check_integrity(db, &err), &err);
    assert_string_equal(scratch_list(scratch), "p.db p.db-lock p.db-shm p.db-wal");
    db_close(MOVE(db));
    assert_string_equal(scratch_list(scratch), "p.db");
    db = must_open(path, DB_MODE_CREATE); /* and again, as a no-op */
    assert_int_equal(must_query(db, "PRAGMA user_version"), 3);
}

static void test_db_open__durable_syncs_every_commit(void **state) {
    struct error err = ERROR_INIT;
    const struct db_schema schema = schema_of(3);
    const struct db_options options = {.path = scratch_path(*state, "p.db"),
                                       .mode = DB_MODE_CREATE,
                                       .schema = &schema,
                                       .durable = true};
    SCOPED(db) struct db *db = NULL;
    assert_ok(db_open(&options, &db, &err), &err);
    assert_int_equal(must_query(db, "PRAGMA synchronous"), 2);
}

static void make_version_1(const char *path) {
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = NULL;
    assert_ok(open_version(path, DB_MODE_CREATE, 1, &db, &err), &err);
    must_run(db, "INSERT INTO owner(name) VALUES ('ann')");
}

static void test_db_open__migrates_and_keeps_a_copy_of_the_old(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    make_version_1(scratch_path(scratch, "p.db"));
    SCOPED(db) struct db *db = must_open(scratch_path(scratch, "p.db"), DB_MODE_WRITE);
    assert_int_equal(must_query(db, "PRAGMA user_version"), 3);
    assert_int_equal(must_query(db, "SELECT cluster FROM owner WHERE name = 'ann'"), 7);
    SCOPED(db) struct db *old = NULL;
    assert_ok(open_version(scratch_path(scratch, "p.db.v1.bak"), DB_MODE_READ_ONLY, 1, &old, &err),
              &err);
    assert_int_equal(must_query(old, "SELECT count(*) FROM owner"), 1);
}

/* The third step of this schema fails half-way: the second stays, nothing of the third does. */
static void test_db_open__failed_step_leaves_the_version_before(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    const char *path = scratch_path(scratch, "p.db");
    make_version_1(path);
    const char *const bad_steps[] = {steps[0], steps[1], "CREATE TABLE half(id); SELECT wrong;"};
    struct db_schema schema = schema_of(3);
    schema.steps = bad_steps;
    const struct db_options options = {.path = path, .mode = DB_MODE_WRITE, .schema = &schema};
    struct db *db = NULL;
    assert_fails(db_open(&options, &db, &err), ERR_INTERNAL, "to version 3: '", &err);
    assert_non_null(strstr(err.msg, "no such column: wrong in 'SELECT wrong;'"));
    assert_null(db);
    assert_ok(open_version(path, DB_MODE_READ_ONLY, 2, &db, &err), &err);
    assert_int_equal(must_query(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'half'"), 0);
    db_close(db);
}

static void test_db_open__refuses_a_newer_version_naming_both(void **state) {
    struct error err = ERROR_INIT;
    const char *path = scratch_path(*state, "p.db");
    db_close(must_open(path, DB_MODE_CREATE));
    struct db *db = NULL;
    assert_fails(open_version(path, DB_MODE_WRITE, 2, &db, &err), ERR_DATA,
                 "p.db' is a test project file of version 3, and this program knows versions up to "
                 "2: use a newer program",
                 &err);
}

static void test_db_open__read_only_does_not_migrate(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    const char *path = scratch_path(scratch, "p.db");
    make_version_1(path);
    struct db *db = NULL;
    assert_fails(open_version(path, DB_MODE_READ_ONLY, 3, &db, &err), ERR_DATA,
                 "of version 1, and this program reads version 3: open it once for writing", &err);
    assert_false(file_exists(scratch_path(scratch, "p.db.v1.bak")));
}

static void test_db_open__refuses_files_that_are_not_ours(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    struct db *db = NULL;
    const char *path = scratch_path(scratch, "p.db");
    db_close(must_open(path, DB_MODE_CREATE));
    struct db_schema schema = schema_of(3);
    schema.application_id = 5;
    const struct db_options options = {.path = path, .mode = DB_MODE_CREATE, .schema = &schema};
    assert_fails(db_open(&options, &db, &err), ERR_DATA,
                 "p.db' is no test project file (application id 1633903460, expected 5)", &err);
    scratch_write(scratch, "text",
                  "This is not a database, but a text of more than 100 bytes. It "
                  "goes on for a while to be longer than SQLite's header.");
    assert_fails(open_version(scratch_path(scratch, "text"), DB_MODE_WRITE, 3, &db, &err), ERR_DATA,
                 "text' is not a SQLite database", &err);
    scratch_write(scratch, "empty", "");
    assert_fails(open_version(scratch_path(scratch, "empty"), DB_MODE_WRITE, 3, &db, &err),
                 ERR_DATA, "empty' is no test project file (application id 0", &err);
    assert_fails(open_version(scratch_path(scratch, "none"), DB_MODE_WRITE, 3, &db, &err), ERR_IO,
                 "none': unable to open database file: No such file or directory", &err);
    assert_fails(open_version(scratch_path(scratch, "no/p.db"), DB_MODE_CREATE, 3, &db, &err),
                 ERR_IO, "No such file or directory", &err);
    assert_fails(open_version(scratch->folder, DB_MODE_READ_ONLY, 3, &db, &err), ERR_IO,
                 "Is a directory", &err);
    assert_fails(open_version("", DB_MODE_CREATE, 3, &db, &err), ERR_IO, "path", &err);
    assert_string_equal(scratch_list(scratch), "empty p.db text");
}

/* Not ours, and of the kind that SQLite makes by default: with a rollback journal. */
static void make_foreign(const char *path) {
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = must_open(path, DB_MODE_CREATE);
    must_run(db, "PRAGMA application_id=5");
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    assert_ok(db_stmt_open(db, "PRAGMA journal_mode=DELETE", &stmt, &err), &err);
    bool has_row = false;
    assert_ok(db_stmt_step(stmt, &has_row, &err), &err);
}

static void test_db_open__leaves_what_it_refuses_as_it_was(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    const char *path = scratch_path(scratch, "foreign.db");
    make_foreign(path);
    SCOPED(mem) char *before = NULL;
    SCOPED(mem) char *after = NULL;
    size_t before_bytes = 0;
    size_t after_bytes = 0;
    assert_ok(file_read_all(path, 1 << 20, &before, &before_bytes, &err), &err);
    struct db *db = NULL;
    assert_fails(open_version(path, DB_MODE_CREATE, 3, &db, &err), ERR_DATA,
                 "(application id 5, expected", &err);
    assert_ok(file_read_all(path, 1 << 20, &after, &after_bytes, &err), &err);
    assert_int_equal(after_bytes, before_bytes);
    assert_memory_equal(after, before, before_bytes);
}

/* The version counts the steps done, and so is an index of the first one to do. */
static void test_db_open__refuses_a_negative_version(void **state) {
    struct error err = ERROR_INIT;
    const char *path = scratch_path(*state, "p.db");
    struct db *db = must_open(path, DB_MODE_CREATE);
    must_run(db, "PRAGMA user_version=-3");
    db_close(db);
    assert_fails(open_version(path, DB_MODE_WRITE, 3, &db, &err), ERR_DATA, "version -3", &err);
}

/* As a URI this names a database in memory. */
static void test_db_open__a_path_is_no_uri(void **state) {
    struct scratch *scratch = *state;
    char former[4096];
    assert_non_null(getcwd(former, sizeof former));
    assert_int_equal(chdir(scratch->folder), 0);
    db_close(must_open("file:p.db?mode=memory", DB_MODE_CREATE));
    assert_int_equal(chdir(former), 0);
    assert_string_equal(scratch_list(scratch), "file:p.db?mode=memory");
}

/* --- several at a time --- */

static void test_db_open__one_writer_and_any_readers(void **state) {
    struct error err = ERROR_INIT;
    const char *path = scratch_path(*state, "p.db");
    SCOPED(db) struct db *writer = must_open(path, DB_MODE_CREATE);
    struct db *second = NULL;
    assert_fails(open_version(path, DB_MODE_WRITE, 3, &second, &err), ERR_IO,
                 "p.db' is open for writing in another process; let it finish first", &err);
    SCOPED(db) struct db *reader = must_open(path, DB_MODE_READ_ONLY);
    must_run(writer, "INSERT INTO owner(name) VALUES ('a')");
    assert_int_equal(must_query(reader, "SELECT count(*) FROM owner"), 1);
    SCOPED(db_tx) struct db_tx snapshot = DB_TX_INIT;
    assert_ok(db_tx_open(reader, &snapshot, &err), &err);
    assert_int_equal(must_query(reader, "SELECT count(*) FROM owner"), 1);
    must_run(writer, "INSERT INTO owner(name) VALUES ('b')");
    assert_int_equal(must_query(reader, "SELECT count(*) FROM owner"), 1);
    db_tx_close(&snapshot);
    assert_int_equal(must_query(reader, "SELECT count(*) FROM owner"), 2);
}

static void test_db_open__read_only_refuses_to_write(void **state) {
    struct error err = ERROR_INIT;
    const char *path = scratch_path(*state, "p.db");
    db_close(must_open(path, DB_MODE_CREATE));
    SCOPED(db) struct db *db = must_open(path, DB_MODE_READ_ONLY);
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    assert_ok(db_stmt_open(db, "DELETE FROM owner", &stmt, &err), &err);
    assert_fails(db_stmt_run(stmt, &err), ERR_IO, "attempt to write a readonly database", &err);
}

/* Stands for another program, which does not look at our lock: the lock file is removed. */
static void test_db_tx__busy_names_the_remedy(void **state) {
    struct error err = ERROR_INIT;
    const char *path = scratch_path(*state, "p.db");
    SCOPED(db) struct db *other = must_open(path, DB_MODE_CREATE);
    assert_int_equal(unlink(scratch_path(*state, "p.db-lock")), 0);
    SCOPED(db) struct db *db = must_open(path, DB_MODE_WRITE);
    SCOPED(db_tx) struct db_tx held = DB_TX_INIT;
    SCOPED(db_tx) struct db_tx tx = DB_TX_INIT;
    assert_ok(db_tx_open(other, &held, &err), &err);
    assert_fails(db_tx_open(db, &tx, &err), ERR_IO,
                 "p.db' has been in use by another program for 0 ms (database is locked): let it "
                 "finish, or close it, and try again",
                 &err);
}

/* --- damage --- */

static void fill_with_owners(struct db *db) {
    must_run(db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "
                 "INSERT INTO owner(name) SELECT 'owner ' || i FROM n");
}

static void overwrite(const char *path, off_t offset, size_t count) {
    char garbage[4096];
    memset(garbage, 0xa5, sizeof garbage);
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0 && count <= sizeof garbage);
    assert_int_equal(pwrite(fd, garbage, count, offset), count);
    assert_int_equal(close(fd), 0);
}

static void test_db_check_integrity__finds_damage(void **state) {
    struct error err = ERROR_INIT;
    const char *path = scratch_path(*state, "p.db");
    SCOPED(db) struct db *db = must_open(path, DB_MODE_CREATE);
    fill_with_owners(db);
    assert_ok(db_check_integrity(db, &err), &err);
    db_close(MOVE(db));
    for (off_t page = 5; page < 25; page++) { /* of about 60: leaves of the table and its index */
        overwrite(path, page * 4096, 4096);
    }
    db = must_open(path, DB_MODE_READ_ONLY);
    assert_fails(db_check_integrity(db, &err), ERR_DATA,
                 "p.db' is damaged: integrity check says '*** in database main *** ", &err);
    int64_t count = 0;
    assert_fails(db_query_i64(db, "SELECT sum(length(name)) FROM owner NOT INDEXED", &count, &err),
                 ERR_DATA,
                 "p.db' is damaged (database disk image is malformed): restore a copy, or save "
                 "what is readable with \"sqlite3 '",
                 &err);
}

static void test_db_check_integrity__finds_a_lost_reference(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = must_open(":memory:", DB_MODE_CREATE);
    must_run(db, "PRAGMA foreign_keys=OFF");
    must_run(db, "INSERT INTO work(owner_id) VALUES (99)");
    assert_fails(db_check_integrity(db, &err), ERR_DATA,
                 "a row refers to one that is missing, in table 'work'", &err);
}

static void test_db_open__truncated_file_is_refused(void **state) {
    struct error err = ERROR_INIT;
    const char *path = scratch_path(*state, "p.db");
    SCOPED(db) struct db *db = must_open(path, DB_MODE_CREATE);
    fill_with_owners(db);
    db_close(MOVE(db));
    assert_int_equal(truncate(path, 3000), 0); /* within the first page */
    assert_fails(open_version(path, DB_MODE_READ_ONLY, 3, &db, &err), ERR_DATA, "p.db' is damaged",
                 &err);
}

/* --- copies --- */

static void test_db_copy__is_whole_and_replaces(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = must_open(scratch_path(scratch, "p.db"), DB_MODE_CREATE);
    scratch_write(scratch, "copy.db", "something older");
    scratch_write(scratch, "copy.db.tmp", "left by a killed copy");
    fill_with_owners(db);
    assert_ok(db_copy(db, scratch_path(scratch, "copy.db"), &err), &err);
    db_close(MOVE(db));
    assert_string_equal(scratch_list(scratch), "copy.db p.db");
    db = must_open(scratch_path(scratch, "copy.db"), DB_MODE_READ_ONLY);
    assert_int_equal(must_query(db, "SELECT count(*) FROM owner"), 5000);
    assert_ok(db_check_integrity(db, &err), &err);
}

/* The log of the old database would be played into the new one. */
static void test_db_copy__refuses_a_database_in_use(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = must_open(scratch_path(scratch, "p.db"), DB_MODE_CREATE);
    must_run(db, "INSERT INTO owner(name) VALUES ('a')");
    assert_fails(db_copy(db, scratch_path(scratch, "p.db"), &err), ERR_IO, "p.db-wal' is there",
                 &err);
    scratch_write(scratch, "other.db-journal", "");
    assert_fails(db_copy(db, scratch_path(scratch, "other.db"), &err), ERR_IO,
                 "choose another name", &err);
    assert_int_equal(must_query(db, "SELECT count(*) FROM owner"), 1);
}

static void test_db_copy__leaves_nothing_when_it_fails(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = must_open(scratch_path(scratch, "p.db"), DB_MODE_CREATE);
    assert_fails(db_copy(db, scratch_path(scratch, "no/copy.db"), &err), ERR_IO, "no/copy.db",
                 &err);
    for (int64_t n = 1; n <= 5; n++) { /* open, sync, rename, open and sync of the folder */
        file_fail_nth(n, ENOSPC);
        assert_fails(db_copy(db, scratch_path(scratch, "copy.db"), &err), ERR_IO,
                     "No space left on device", &err);
        assert_true(file_fail_reached());
        bool renamed = n > 3;
        assert_int_equal(file_exists(scratch_path(scratch, "copy.db")), renamed);
        assert_false(file_exists(scratch_path(scratch, "copy.db.tmp")));
    }
    file_fail_nth(0, 0);
}

/* --- hard times --- */

/* A file size limit stands for a full disk: no privileges needed. SQLite sees EFBIG. */
static void test_db_tx__full_disk_changes_nothing(void **state) {
    struct error err = ERROR_INIT;
    const char *path = scratch_path(*state, "p.db");
    db_close(must_open(path, DB_MODE_CREATE));
    pid_t child = fork();
    if (child == 0) {
        (void)signal(SIGXFSZ, SIG_IGN);
        const struct rlimit limit = {.rlim_cur = 60000, .rlim_max = 60000};
        (void)setrlimit(RLIMIT_FSIZE, &limit);
        struct db *db = NULL;
        struct db_stmt *stmt = NULL;
        enum err_code code = open_version(path, DB_MODE_WRITE, 3, &db, &err);
        code = code != ERR_OK
                   ? code
                   : db_stmt_open(db, "INSERT INTO owner(name) VALUES (?1)", &stmt, &err);
        static const char name[30000];
        for (int i = 0; i < 10 && code == ERR_OK; i++) {
            db_bind_text(stmt, 1, name, sizeof name);
            code = db_stmt_run(stmt, &err);
        }
        _exit(code == ERR_IO && strstr(err.msg, "p.db': disk I/O error (SQLite code 778)") ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    SCOPED(db) struct db *db = must_open(path, DB_MODE_WRITE);
    assert_ok(db_check_integrity(db, &err), &err);
    assert_true(must_query(db, "SELECT count(*) FROM owner") < 10);
}

static void test_db_open__full_disk_leaves_no_file(void **state) {
    struct scratch *scratch = *state;
    pid_t child = fork();
    if (child == 0) {
        (void)signal(SIGXFSZ, SIG_IGN);
        const struct rlimit limit = {.rlim_cur = 2000, .rlim_max = 2000}; /* half a page */
        (void)setrlimit(RLIMIT_FSIZE, &limit);
        struct error err = ERROR_INIT;
        struct db *db = NULL;
        enum err_code code =
            open_version(scratch_path(scratch, "p.db"), DB_MODE_CREATE, 3, &db, &err);
        _exit(code == ERR_IO && strstr(err.msg, "p.db") ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_string_equal(scratch_list(scratch), "");
}

static void test_db_stmt_run__no_space_left_is_named(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = must_open(":memory:", DB_MODE_CREATE);
    assert_int_equal(must_query(db, "PRAGMA max_page_count=10"), 10);
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    assert_ok(
        db_stmt_open(db, "INSERT INTO owner(name) VALUES (hex(zeroblob(50000)))", &stmt, &err),
        &err);
    assert_fails(db_stmt_run(stmt, &err), ERR_IO,
                 "cannot write ':memory:': no space left on the disk", &err);
    assert_int_equal(must_query(db, "SELECT count(*) FROM owner"), 0);
}

/* For ever: one owner and two works of it per transaction. */
static void write_for_ever(void *context, struct kill_loop_child *child) {
    struct db *db = must_open(context, DB_MODE_WRITE);
    for (;;) {
        struct error err = ERROR_INIT;
        struct db_tx tx = DB_TX_INIT;
        assert_ok(db_tx_open(db, &tx, &err), &err);
        must_run(db, "INSERT INTO owner(name) VALUES ('x')");
        must_run(db, "INSERT INTO work(owner_id) SELECT max(id) FROM owner");
        must_run(db, "INSERT INTO work(owner_id) SELECT max(id) FROM owner");
        assert_ok(db_tx_commit(&tx, &err), &err);
        kill_loop_tell(child);
    }
}

static void check_whole_transactions(void *context) {
    SCOPED(db) struct db *db = must_open(context, DB_MODE_READ_ONLY);
    int64_t owners = must_query(db, "SELECT count(*) FROM owner");
    assert_int_equal(must_query(db, "SELECT count(*) FROM work"), 2 * owners);
}

static void test_db_tx__is_whole_or_absent_after_a_kill(void **state) {
    struct error err = ERROR_INIT;
    char *path = scratch_path(*state, "p.db");
    db_close(must_open(path, DB_MODE_CREATE));
    kill_loop_check(write_for_ever, check_whole_transactions, path);
    SCOPED(db) struct db *db = must_open(path, DB_MODE_WRITE);
    assert_ok(db_check_integrity(db, &err), &err);
    /* Every second child had committed at least once when it died, and none of it is lost. */
    assert_true(must_query(db, "SELECT count(*) FROM owner") >= kill_loop_rounds() / 2);
}

static enum err_code insert_and_read(struct db *db, struct error *err) {
    SCOPED(db_tx) struct db_tx tx = DB_TX_INIT;
    TRY(db_tx_open(db, &tx, err));
    SCOPED(db_stmt) struct db_stmt *insert = NULL;
    TRY(db_stmt_open(db, "INSERT INTO owner(name) VALUES (?1)", &insert, err));
    for (int i = 0; i < 20; i++) {
        db_bind_text(insert, 1, "somebody", 8);
        TRY(db_stmt_run(insert, err));
    }
    SCOPED(db_stmt) struct db_stmt *select = NULL;
    TRY(db_stmt_open(db, "SELECT name FROM owner ORDER BY name DESC", &select, err));
    bool has_row = false;
    TRY(db_stmt_step(select, &has_row, err));
    const char *text = NULL;
    size_t count = 0;
    TRY(db_column_text(select, 0, &text, &count, err));
    return db_tx_commit(&tx, err);
}

static enum err_code use_database(void *context, struct error *err) {
    SCOPED(db) struct db *db = NULL;
    TRY(open_version(context, DB_MODE_CREATE, 3, &db, err));
    return insert_and_read(db, err);
}

static void test_db__survives_every_failed_allocation(void **state) {
    struct error err = ERROR_INIT;
    char *path = scratch_path(*state, "p.db");
    assert_ok(use_database(path, &err), &err); /* what SQLite allocates once is allocated here */
    alloc_loop_check_tolerant(use_database, path);
    SCOPED(db) struct db *db = must_open(path, DB_MODE_READ_ONLY);
    assert_ok(db_check_integrity(db, &err), &err);
    assert_int_equal(must_query(db, "SELECT count(*) % 20 FROM owner"), 0);
}

static void test_db__traces_statements_into_the_log(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    SCOPED(log) struct log *log = NULL;
    const struct log_options log_options = {.clock = clock_real(),
                                            .terminal_fd = open("/dev/null", O_WRONLY),
                                            .file_path = scratch_path(scratch, "log"),
                                            .trace_mask = 1U << LOG_TRACE_SQL};
    assert_ok(log_open(&log_options, &log, &err), &err);
    const struct db_schema schema = schema_of(3);
    const struct db_options options = {
        .path = ":memory:", .mode = DB_MODE_CREATE, .schema = &schema, .log = log};
    SCOPED(db) struct db *db = NULL;
    assert_ok(db_open(&options, &db, &err), &err);
    must_run(db, "DELETE FROM\n\towner WHERE id = 5");
    (void)close(log_options.terminal_fd);
    assert_non_null(strstr(scratch_read(scratch, "log"), " ms DELETE FROM owner WHERE id = 5\n"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(test_db_stmt__integers_and_reals_come_back_bit_for_bit),
        SCRATCH_TEST(test_db_stmt__text_and_blobs_keep_their_lengths),
        SCRATCH_TEST(test_db_bind__refuses_nan),
        SCRATCH_TEST(test_db_stmt__every_parameter_needs_a_value_each_time),
        SCRATCH_TEST(test_db_column__says_what_it_found_instead),
        SCRATCH_TEST(test_db_stmt_open__refuses_what_is_not_one_good_statement),
        SCRATCH_TEST(test_db_stmt_run__broken_constraint_is_bad_data),
        SCRATCH_TEST(test_db_error__cuts_a_long_statement),
        SCRATCH_TEST(test_db_tx__rolls_back_unless_committed),
        SCRATCH_TEST(test_db_tx__does_not_nest),
        SCRATCH_TEST(test_db_open__makes_the_newest_version),
        SCRATCH_TEST(test_db_open__durable_syncs_every_commit),
        SCRATCH_TEST(test_db_open__migrates_and_keeps_a_copy_of_the_old),
        SCRATCH_TEST(test_db_open__failed_step_leaves_the_version_before),
        SCRATCH_TEST(test_db_open__refuses_a_newer_version_naming_both),
        SCRATCH_TEST(test_db_open__read_only_does_not_migrate),
        SCRATCH_TEST(test_db_open__refuses_files_that_are_not_ours),
        SCRATCH_TEST(test_db_open__leaves_what_it_refuses_as_it_was),
        SCRATCH_TEST(test_db_open__refuses_a_negative_version),
        SCRATCH_TEST(test_db_open__a_path_is_no_uri),
        SCRATCH_TEST(test_db_open__one_writer_and_any_readers),
        SCRATCH_TEST(test_db_open__read_only_refuses_to_write),
        SCRATCH_TEST(test_db_tx__busy_names_the_remedy),
        SCRATCH_TEST(test_db_check_integrity__finds_damage),
        SCRATCH_TEST(test_db_check_integrity__finds_a_lost_reference),
        SCRATCH_TEST(test_db_open__truncated_file_is_refused),
        SCRATCH_TEST(test_db_copy__is_whole_and_replaces),
        SCRATCH_TEST(test_db_copy__refuses_a_database_in_use),
        SCRATCH_TEST(test_db_copy__leaves_nothing_when_it_fails),
        SCRATCH_TEST(test_db_tx__full_disk_changes_nothing),
        SCRATCH_TEST(test_db_open__full_disk_leaves_no_file),
        SCRATCH_TEST(test_db_stmt_run__no_space_left_is_named),
        SCRATCH_TEST(test_db_tx__is_whole_or_absent_after_a_kill),
        SCRATCH_TEST(test_db__survives_every_failed_allocation),
        SCRATCH_TEST(test_db__traces_statements_into_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
