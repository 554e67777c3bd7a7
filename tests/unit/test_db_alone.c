#include "base/db.h"

#include "base/file.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/kill_loop.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const steps[] = {
    "CREATE TABLE owner(id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;"};

static const struct db_schema schema = {
    .name = "test project", .application_id = 0x61636364, .steps = steps, .step_count = 1};

#define OWNERS 300

static enum err_code open_file(const char *path, enum db_mode mode, struct db **out_db,
                               struct error *err) {
    const struct db_options options = {
        .path = path, .mode = mode, .schema = &schema, .busy_ms = 20};
    return db_open(&options, out_db, err);
}

static struct db *must_open(const char *path, enum db_mode mode) {
    struct error err = ERROR_INIT;
    struct db *db = NULL;
    assert_ok(open_file(path, mode, &db, &err), &err);
    return db;
}

static int64_t must_count(struct db *db) {
    struct error err = ERROR_INIT;
    int64_t count = -1;
    assert_ok(db_query_i64(db, "SELECT count(*) FROM owner", &count, &err), &err);
    return count;
}

/* A cache of two pages: what is written goes to the file long before the commit. */
static enum err_code shrink_cache(struct db *db, struct error *err) {
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    TRY(db_stmt_open(db, "PRAGMA cache_size=2", &stmt, err));
    return db_stmt_run(stmt, err);
}

/* OWNERS rows of 8 KB. */
static enum err_code fill(struct db *db, struct error *err) {
    SCOPED(db_stmt) struct db_stmt *insert = NULL;
    TRY(db_stmt_open(db, "INSERT INTO owner(data) VALUES (zeroblob(8000))", &insert, err));
    for (int64_t i = 0; i < OWNERS; i++) {
        TRY(db_stmt_run(insert, err));
    }
    return ERR_OK;
}

static enum err_code fill_alone(struct db *db, struct error *err) {
    SCOPED(db_tx) struct db_tx tx = DB_TX_INIT;
    TRY(db_tx_open_alone(db, &tx, err));
    TRY(fill(db, err));
    return db_tx_commit(&tx, err);
}

static bool uses_log(struct db *db) {
    struct error err = ERROR_INIT;
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    bool has_row = false;
    const char *mode = NULL;
    size_t count = 0;
    assert_ok(db_stmt_open(db, "PRAGMA journal_mode", &stmt, &err), &err);
    assert_ok(db_stmt_step(stmt, &has_row, &err), &err);
    assert_ok(db_column_text(stmt, 0, &mode, &count, &err), &err);
    return strcmp(mode, "wal") == 0;
}

static void test_alone__keeps_what_is_committed_and_goes_back_to_the_log(void **state) {
    struct error err = ERROR_INIT;
    const char *path = scratch_path(*state, "p.db");
    SCOPED(db) struct db *db = must_open(path, DB_MODE_CREATE);
    assert_ok(fill_alone(db, &err), &err);
    assert_true(uses_log(db));
    SCOPED(db) struct db *reader = must_open(path, DB_MODE_READ_ONLY);
    assert_int_equal(must_count(reader), OWNERS);
    assert_ok(db_check_integrity(reader, &err), &err);
}

static void test_alone__rolls_back_unless_committed(void **state) {
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = must_open(scratch_path(*state, "p.db"), DB_MODE_CREATE);
    assert_ok(shrink_cache(db, &err), &err);
    struct db_tx tx = DB_TX_INIT;
    assert_ok(db_tx_open_alone(db, &tx, &err), &err);
    assert_ok(fill(db, &err), &err);
    db_tx_close(&tx);
    db_tx_close(&tx);
    assert_int_equal(must_count(db), 0);
    assert_true(uses_log(db));
}

static void test_alone__others_are_told_to_wait(void **state) {
    struct error err = ERROR_INIT;
    const char *path = scratch_path(*state, "p.db");
    SCOPED(db) struct db *db = must_open(path, DB_MODE_CREATE);
    SCOPED(db_tx) struct db_tx tx = DB_TX_INIT;
    assert_ok(db_tx_open_alone(db, &tx, &err), &err);
    assert_ok(shrink_cache(db, &err), &err);
    assert_ok(fill(db, &err), &err);
    struct db *reader = NULL;
    assert_fails(open_file(path, DB_MODE_READ_ONLY, &reader, &err), ERR_IO,
                 "p.db' has been in use by another program for 20 ms", &err);
    assert_ok(db_tx_commit(&tx, &err), &err); /* the journal is there still: it was not taken */
    reader = must_open(path, DB_MODE_READ_ONLY);
    assert_int_equal(must_count(reader), OWNERS);
    db_close(reader);
}

/* Who has the file open goes on reading it as it was. */
static void test_alone__is_an_ordinary_transaction_beside_a_reader(void **state) {
    struct error err = ERROR_INIT;
    const char *path = scratch_path(*state, "p.db");
    SCOPED(db) struct db *db = must_open(path, DB_MODE_CREATE);
    SCOPED(db) struct db *reader = must_open(path, DB_MODE_READ_ONLY);
    SCOPED(db_tx) struct db_tx tx = DB_TX_INIT;
    assert_ok(db_tx_open_alone(db, &tx, &err), &err);
    assert_true(uses_log(db));
    assert_ok(fill(db, &err), &err);
    assert_int_equal(must_count(reader), 0);
    assert_ok(db_tx_commit(&tx, &err), &err);
    assert_int_equal(must_count(reader), OWNERS);
}

static void test_alone__does_not_nest(void **state) {
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = must_open(scratch_path(*state, "p.db"), DB_MODE_CREATE);
    SCOPED(db_tx) struct db_tx tx = DB_TX_INIT;
    SCOPED(db_tx) struct db_tx second = DB_TX_INIT;
    assert_ok(db_tx_open(db, &tx, &err), &err);
    assert_int_not_equal(db_tx_open_alone(db, &second, &err), ERR_OK);
    assert_null(second.db);
}

/* Dies in the middle, when much of it is in the file already. */
static void die_filling(const char *path) {
    struct error err = ERROR_INIT;
    struct db *db = NULL;
    struct db_tx tx = DB_TX_INIT;
    enum err_code code = open_file(path, DB_MODE_WRITE, &db, &err);
    code = code == ERR_OK ? shrink_cache(db, &err) : code;
    code = code == ERR_OK ? db_tx_open_alone(db, &tx, &err) : code;
    code = code == ERR_OK ? fill(db, &err) : code;
    (void)kill(getpid(), code == ERR_OK ? SIGKILL : SIGTERM);
}

static void must_die_filling(const char *path) {
    pid_t child = fork();
    if (child == 0) {
        die_filling(path);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void test_alone__a_reader_finds_the_state_before_a_kill(void **state) {
    struct error err = ERROR_INIT;
    struct scratch *scratch = *state;
    const char *path = scratch_path(scratch, "p.db");
    struct db *db = must_open(path, DB_MODE_CREATE);
    assert_ok(fill_alone(db, &err), &err);
    db_close(db);
    must_die_filling(path);
    assert_true(file_exists(scratch_path(scratch, "p.db-journal")));
    db = must_open(path, DB_MODE_READ_ONLY);
    assert_int_equal(must_count(db), OWNERS);
    assert_ok(db_check_integrity(db, &err), &err);
    db_close(db);
    assert_string_equal(scratch_list(scratch), "p.db");
}

static void test_alone__so_does_a_writer(void **state) {
    struct scratch *scratch = *state;
    const char *path = scratch_path(scratch, "p.db");
    db_close(must_open(path, DB_MODE_CREATE));
    must_die_filling(path);
    struct db *db = must_open(path, DB_MODE_WRITE);
    assert_int_equal(must_count(db), 0);
    assert_true(uses_log(db));
    db_close(db);
    assert_string_equal(scratch_list(scratch), "p.db");
}

static void write_for_ever(void *context, struct kill_loop_child *child) {
    struct error err = ERROR_INIT;
    struct db *db = must_open(context, DB_MODE_WRITE);
    assert_ok(shrink_cache(db, &err), &err);
    for (;;) {
        assert_ok(fill_alone(db, &err), &err);
        kill_loop_tell(child);
    }
}

static void check_whole_transactions(void *context) {
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = must_open(context, DB_MODE_READ_ONLY);
    assert_int_equal(must_count(db) % OWNERS, 0);
    assert_ok(db_check_integrity(db, &err), &err);
}

static void test_alone__is_whole_or_absent_after_a_kill(void **state) {
    char *path = scratch_path(*state, "p.db");
    db_close(must_open(path, DB_MODE_CREATE));
    kill_loop_check(write_for_ever, check_whole_transactions, path);
    SCOPED(db) struct db *db = must_open(path, DB_MODE_READ_ONLY);
    assert_true(must_count(db) >= kill_loop_rounds() / 2 * OWNERS);
}

static enum err_code use_alone(void *context, struct error *err) {
    SCOPED(db) struct db *db = NULL;
    TRY(open_file(context, DB_MODE_CREATE, &db, err));
    return fill_alone(db, err);
}

static void test_alone__survives_every_failed_allocation(void **state) {
    struct error err = ERROR_INIT;
    char *path = scratch_path(*state, "p.db");
    assert_ok(use_alone(path, &err), &err); /* what SQLite allocates once is allocated here */
    alloc_loop_check_tolerant(use_alone, path);
    SCOPED(db) struct db *db = must_open(path, DB_MODE_READ_ONLY);
    assert_ok(db_check_integrity(db, &err), &err);
    assert_int_equal(must_count(db) % OWNERS, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(test_alone__keeps_what_is_committed_and_goes_back_to_the_log),
        SCRATCH_TEST(test_alone__rolls_back_unless_committed),
        SCRATCH_TEST(test_alone__others_are_told_to_wait),
        SCRATCH_TEST(test_alone__is_an_ordinary_transaction_beside_a_reader),
        SCRATCH_TEST(test_alone__does_not_nest),
        SCRATCH_TEST(test_alone__a_reader_finds_the_state_before_a_kill),
        SCRATCH_TEST(test_alone__so_does_a_writer),
        SCRATCH_TEST(test_alone__is_whole_or_absent_after_a_kill),
        SCRATCH_TEST(test_alone__survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
