#include "data/project.h"

#include "base/scoped.h"
#include "tests/support/log_sample.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct db *must_open(const char *path, enum db_mode mode) {
    struct error err = ERROR_INIT;
    struct db *db = NULL;
    assert_ok(project_open(path, mode, NULL, &db, &err), &err);
    return db;
}

static int64_t query(struct db *db, const char *sql) {
    struct error err = ERROR_INIT;
    int64_t value = -1;
    assert_ok(db_query_i64(db, sql, &value, &err), &err);
    return value;
}

static void run(struct db *db, const char *sql) {
    struct error err = ERROR_INIT;
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    assert_ok(db_stmt_open(db, sql, &stmt, &err), &err);
    assert_ok(db_stmt_run(stmt, &err), &err);
}

static void refused(struct db *db, const char *sql, const char *part) {
    struct error err = ERROR_INIT;
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    assert_ok(db_stmt_open(db, sql, &stmt, &err), &err);
    assert_fails(db_stmt_run(stmt, &err), ERR_DATA, part, &err);
}

/* ---- files ---- */

static void test_project_open__new_file_is_ours(void **state) {
    (void)state;
    SCOPED(db) struct db *db = must_open(":memory:", DB_MODE_CREATE);
    assert_int_equal(query(db, "PRAGMA application_id"), 0x41434344);
    assert_int_equal(query(db, "PRAGMA user_version"), 1);
    assert_int_equal(query(db, "PRAGMA foreign_keys"), 1);
}

static void test_schema__every_table_is_strict(void **state) {
    (void)state;
    SCOPED(db) struct db *db = must_open(":memory:", DB_MODE_CREATE);
    assert_int_equal(query(db, "SELECT count(*) FROM pragma_table_list WHERE type = 'table' AND"
                               " schema = 'main' AND name NOT LIKE 'sqlite_%' AND strict = 0"),
                     0);
    assert_true(query(db, "SELECT count(*) FROM pragma_table_list WHERE strict = 1") > 20);
}

static void test_project_open__missing_file_is_told_how_to_make_one(void **state) {
    struct error err = ERROR_INIT;
    struct db *db = NULL;
    const char *path = scratch_path(*state, "p.db");
    assert_fails(project_open(path, DB_MODE_WRITE, NULL, &db, &err), ERR_IO,
                 "make one with: accord init ", &err);
    assert_fails(project_open(path, DB_MODE_READ_ONLY, NULL, &db, &err), ERR_IO, "no project file",
                 &err);
    assert_string_equal(scratch_list(*state), "");
}

/* A later program, with one step more. */
static enum err_code open_later(const char *path, struct db **out_db, struct error *err) {
    const char *const steps[] = {project_schema()->steps[0],
                                 "ALTER TABLE prompt ADD COLUMN language TEXT;"};
    struct db_schema later = *project_schema();
    later.steps = steps;
    later.step_count = 2;
    const struct db_options options = {.path = path, .mode = DB_MODE_WRITE, .schema = &later};
    return db_open(&options, out_db, err);
}

static void test_project_open__later_program_keeps_rows_and_a_copy(void **state) {
    struct scratch *scratch = *state;
    const char *path = scratch_path(scratch, "p.db");
    struct error err = ERROR_INIT;
    SCOPED(log_sample) struct log_sample sample = LOG_SAMPLE_INIT;
    log_sample_fill(&sample, 5, 40);
    struct db *first = must_open(path, DB_MODE_CREATE);
    log_sample_append(first, &sample);
    int64_t prompts = query(first, "SELECT count(*) FROM prompt");
    db_close(first);
    struct db *db = NULL;
    assert_ok(open_later(path, &db, &err), &err);
    assert_int_equal(query(db, "SELECT count(*) FROM prompt WHERE language IS NULL"), prompts);
    db_close(db);
    SCOPED(db) struct db *copy = must_open(scratch_path(scratch, "p.db.v1.bak"), DB_MODE_READ_ONLY);
    assert_int_equal(query(copy, "SELECT count(*) FROM prompt"), prompts);
    assert_int_equal(query(copy, "PRAGMA user_version"), 1);
    assert_fails(project_open(path, DB_MODE_READ_ONLY, NULL, &db, &err), ERR_DATA,
                 "is a project file of version 2, and this program knows versions up to 1: "
                 "use a newer program",
                 &err);
}

static void test_project_open__other_programs_files_are_refused(void **state) {
    const char *path = scratch_path(*state, "other.db");
    static const char *const steps[] = {"CREATE TABLE t(x INTEGER) STRICT;"};
    const struct db_schema other = {
        .name = "other", .application_id = 77, .steps = steps, .step_count = 1};
    const struct db_options options = {.path = path, .mode = DB_MODE_CREATE, .schema = &other};
    struct error err = ERROR_INIT;
    struct db *db = NULL;
    assert_ok(db_open(&options, &db, &err), &err);
    db_close(db);
    static const enum db_mode modes[] = {DB_MODE_READ_ONLY, DB_MODE_WRITE, DB_MODE_CREATE};
    for (size_t i = 0; i < 3; i++) {
        assert_fails(project_open(path, modes[i], NULL, &db, &err), ERR_DATA,
                     "is no project file (application id 77, expected 1094927172)", &err);
    }
    scratch_write(*state, "text.db", "prompt,chosen,rejected\nWhat?,tea,coffee\n");
    assert_fails(project_open(scratch_path(*state, "text.db"), DB_MODE_WRITE, NULL, &db, &err),
                 ERR_DATA, "is not a SQLite database", &err);
}

static void test_project_is_likely__tells_a_project_from_a_text(void **state) {
    struct error err = ERROR_INIT;
    bool is = false;
    db_close(must_open(scratch_path(*state, "p.db"), DB_MODE_CREATE));
    assert_ok(project_is_likely(scratch_path(*state, "p.db"), &is, &err), &err);
    assert_true(is);
    static const char *const texts[] = {"", "SQLite format 3", "SQLite format 3\n and so on"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        scratch_write(*state, "text", texts[i]);
        assert_ok(project_is_likely(scratch_path(*state, "text"), &is, &err), &err);
        assert_false(is);
    }
    assert_fails(project_is_likely(scratch_path(*state, "missing"), &is, &err), ERR_IO, "missing'",
                 &err);
}

static void test_project_open__second_writer_is_refused(void **state) {
    const char *path = scratch_path(*state, "p.db");
    struct error err = ERROR_INIT;
    struct db *db = NULL;
    SCOPED(db) struct db *first = must_open(path, DB_MODE_CREATE);
    assert_int_equal(query(first, "PRAGMA user_version"), 1);
    assert_fails(project_open(path, DB_MODE_WRITE, NULL, &db, &err), ERR_IO,
                 "is open for writing in another process; let it finish first", &err);
    SCOPED(db) struct db *reader = must_open(path, DB_MODE_READ_ONLY);
    assert_int_equal(query(reader, "SELECT count(*) FROM prompt"), 0);
}

static void test_project_open__write_protected_file_is_told_the_remedy(void **state) {
    if (geteuid() == 0) {
        print_message("skipped: root may write everything\n");
        skip();
    }
    const char *path = scratch_path(*state, "p.db");
    struct error err = ERROR_INIT;
    struct db *db = must_open(path, DB_MODE_CREATE);
    db_close(db);
    assert_int_equal(chmod(path, 0444), 0);
    assert_fails(project_open(path, DB_MODE_WRITE, NULL, &db, &err), ERR_IO,
                 "make it writable with: chmod u+w", &err);
    SCOPED(db) struct db *reader = must_open(path, DB_MODE_READ_ONLY);
    assert_int_equal(query(reader, "SELECT count(*) FROM prompt"), 0);
}

/* Overwrites the last page, which holds rows, not the schema. */
static void damage(const char *path) {
    char page[4096];
    struct stat info;
    memset(page, 0x5a, sizeof page);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &info), 0);
    assert_int_equal(pwrite(fd, page, sizeof page, info.st_size - 16384), sizeof page);
    assert_int_equal(close(fd), 0);
}

static void test_project__damaged_page_is_found(void **state) {
    const char *path = scratch_path(*state, "p.db");
    struct error err = ERROR_INIT;
    SCOPED(log_sample) struct log_sample sample = LOG_SAMPLE_INIT;
    log_sample_fill(&sample, 6, 3000);
    struct db *db = must_open(path, DB_MODE_CREATE);
    log_sample_append(db, &sample);
    assert_ok(db_check_integrity(db, &err), &err);
    db_close(db);
    damage(path);
    SCOPED(db) struct db *damaged = must_open(path, DB_MODE_READ_ONLY);
    assert_fails(db_check_integrity(damaged, &err), ERR_DATA, "is damaged", &err);
}

/* ---- money ---- */

static struct db *ledger(void) {
    struct db *db = must_open(":memory:", DB_MODE_CREATE);
    run(db, "INSERT INTO owner(id, name) VALUES (1, 'Ann')");
    run(db, "INSERT INTO account(id, name, owner_id, currency) VALUES (1, 'pool', NULL, 'EUR'),"
            " (2, 'owner:1', 1, 'EUR'), (3, 'owner:1', 1, 'USD'), (4, 'cash', NULL, 'EUR')");
    run(db, "INSERT INTO transfer(key, debit_id, credit_id, amount, kind, posted_at)"
            " VALUES ('a', 4, 1, 1000000, 'receive', 1), ('b', 1, 2, 700000, 'accrue', 2)");
    return db;
}

static void test_ledger__entries_are_the_two_sides_of_transfers(void **state) {
    (void)state;
    SCOPED(db) struct db *db = ledger();
    assert_int_equal(query(db, "SELECT count(*) FROM entry"), 4);
    assert_int_equal(query(db, "SELECT sum(amount) FROM entry"), 0);
    assert_int_equal(query(db, "SELECT sum(amount) FROM entry WHERE account_id = 1"), 300000);
    assert_int_equal(query(db, "SELECT sum(amount) FROM entry WHERE account_id = 2"), 700000);
    assert_int_equal(query(db, "SELECT sum(amount) FROM entry WHERE account_id = 4"), -1000000);
    struct error err = ERROR_INIT; /* and there is no way to write one side alone */
    struct db_stmt *stmt = NULL;
    assert_int_not_equal(db_stmt_open(db, "INSERT INTO entry VALUES (1, 1, 5)", &stmt, &err),
                         ERR_OK);
}

static void test_ledger__nothing_is_changed_or_removed(void **state) {
    (void)state;
    SCOPED(db) struct db *db = ledger();
    static const char *const attempts[] = {
        "UPDATE transfer SET amount = 5 WHERE id = 1",
        "DELETE FROM transfer",
        "INSERT OR REPLACE INTO transfer(id, key, debit_id, credit_id, amount, kind, posted_at)"
        " VALUES (1, 'c', 4, 1, 5, 'x', 1)",
        "REPLACE INTO transfer(key, debit_id, credit_id, amount, kind, posted_at)"
        " VALUES ('a', 4, 1, 5, 'x', 1)",
        "INSERT INTO transfer(key, debit_id, credit_id, amount, kind, posted_at)"
        " VALUES ('a', 4, 1, 5, 'x', 1) ON CONFLICT (key) DO UPDATE SET amount = 5",
        "UPDATE account SET currency = 'USD' WHERE id = 1",
        "DELETE FROM account WHERE id = 3",
        "REPLACE INTO account(id, name, currency) VALUES (3, 'x', 'EUR')",
    };
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
        refused(db, attempts[i], "never changed");
    }
    assert_int_equal(query(db, "SELECT sum(amount) FROM transfer"), 1700000);
}

static void test_ledger__money_is_whole_positive_and_of_one_currency(void **state) {
    (void)state;
    SCOPED(db) struct db *db = ledger();
#define POST(debit, credit, amount)                                                                \
    "INSERT INTO transfer(key, debit_id, credit_id, amount, kind, posted_at) VALUES ('n', " #debit \
    ", " #credit ", " #amount ", 'x', 1)"
    refused(db, POST(1, 3, 5), "a transfer between two currencies");
    refused(db, POST(1, 2, 0), "CHECK");
    refused(db, POST(1, 2, -5), "CHECK");
    refused(db, POST(1, 2, 0.5), "INTEGER");
    refused(db, POST(1, 1, 5), "CHECK");
    refused(db, POST(1, 99, 5), "two currencies"); /* none is another than EUR */
    refused(db, POST(98, 99, 5), "FOREIGN KEY");
    run(db, POST(1, 2, 5));
}

static void test_settlement__is_a_chain_that_nobody_changes(void **state) {
    (void)state;
    SCOPED(db) struct db *db = ledger();
    run(db, "INSERT INTO run(id, command, config_json, git, seed, started_at, status)"
            " VALUES (1, 'x', '{}', 'g', 1, 1, 'done')");
    run(db, "INSERT INTO release(id, run_id, base_hash, manifest_hash)"
            " VALUES (1, 1, zeroblob(32), zeroblob(32))");
#define SETTLE(id, previous, root)                                                        \
    "INSERT INTO settlement(id, release_id, pool, currency, policy_json, values_hash,"    \
    " previous_root, root) VALUES (" #id ", 1, 100, 'EUR', '{}', zeroblob(32), " previous \
    ", " root ")"
#define ROOT(n) "CAST(printf('%032d', " #n ") AS BLOB)"
    run(db, SETTLE(1, "NULL", ROOT(1)));
    run(db, SETTLE(2, ROOT(1), ROOT(2)));
    refused(db, SETTLE(3, ROOT(1), ROOT(3)), "never changed"); /* two behind one */
    refused(db, SETTLE(3, ROOT(2), "zeroblob(31)"), "CHECK");
    refused(db, "UPDATE settlement SET pool = 1", "never changed");
    refused(db, "DELETE FROM settlement WHERE id = 2", "never changed");
    run(db, "INSERT INTO signature VALUES (1, zeroblob(32), zeroblob(64))");
    refused(db, "UPDATE signature SET sig = randomblob(64)", "never changed");
    refused(db, "REPLACE INTO signature VALUES (1, zeroblob(32), randomblob(64))", "never changed");
}

static void test_coalition_value__reads_back_to_the_same_double(void **state) {
    (void)state;
    static const double values[] = {-1234.56789012345678, 0.1, 5e-324, 1.7976931348623157e308};
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = ledger();
    run(db, "INSERT INTO run(id, command, config_json, git, seed, started_at, status)"
            " VALUES (1, 'x', '{}', 'g', 1, 1, 'done')");
    run(db, "INSERT INTO release(id, run_id, base_hash, manifest_hash)"
            " VALUES (1, 1, zeroblob(32), zeroblob(32))");
    run(db, "INSERT INTO coalition(id, release_id, members, size) VALUES (1, 1, x'03', 2)");
    run(db, "INSERT INTO coalition_model VALUES (1, 7, zeroblob(32))");
    run(db, "INSERT INTO output(id, release_id, hash) VALUES (1, 1, zeroblob(32)),"
            " (2, 1, x'0000000000000000000000000000000000000000000000000000000000000001'),"
            " (3, 1, x'0000000000000000000000000000000000000000000000000000000000000002'),"
            " (4, 1, x'0000000000000000000000000000000000000000000000000000000000000003')");
    for (int64_t i = 0; i < 4; i++) {
        SCOPED(db_stmt) struct db_stmt *add = NULL;
        SCOPED(db_stmt) struct db_stmt *read = NULL;
        bool has_row = false;
        double value = 0.0;
        assert_ok(db_stmt_open(db, "INSERT INTO coalition_value VALUES (1, 7, ?1, ?2)", &add, &err),
                  &err);
        db_bind_i64(add, 1, i + 1);
        db_bind_f64(add, 2, values[i]);
        assert_ok(db_stmt_run(add, &err), &err);
        assert_ok(
            db_stmt_open(db, "SELECT value FROM coalition_value WHERE output_id = ?1", &read, &err),
            &err);
        db_bind_i64(read, 1, i + 1);
        assert_ok(db_stmt_step(read, &has_row, &err), &err);
        assert_ok(db_column_f64(read, 0, &value, &err), &err);
        assert_memory_equal(&value, &values[i], sizeof value);
    }
    refused(db, "UPDATE coalition_value SET value = 0", "never changed");
    refused(db, "DELETE FROM coalition_value", "never changed");
    refused(db, "REPLACE INTO coalition_value VALUES (1, 7, 1, 0.5)", "never changed");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_project_open__new_file_is_ours),
        cmocka_unit_test(test_schema__every_table_is_strict),
        SCRATCH_TEST(test_project_open__missing_file_is_told_how_to_make_one),
        SCRATCH_TEST(test_project_open__later_program_keeps_rows_and_a_copy),
        SCRATCH_TEST(test_project_open__other_programs_files_are_refused),
        SCRATCH_TEST(test_project_is_likely__tells_a_project_from_a_text),
        SCRATCH_TEST(test_project_open__second_writer_is_refused),
        SCRATCH_TEST(test_project_open__write_protected_file_is_told_the_remedy),
        SCRATCH_TEST(test_project__damaged_page_is_found),
        cmocka_unit_test(test_ledger__entries_are_the_two_sides_of_transfers),
        cmocka_unit_test(test_ledger__nothing_is_changed_or_removed),
        cmocka_unit_test(test_ledger__money_is_whole_positive_and_of_one_currency),
        cmocka_unit_test(test_settlement__is_a_chain_that_nobody_changes),
        cmocka_unit_test(test_coalition_value__reads_back_to_the_same_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
