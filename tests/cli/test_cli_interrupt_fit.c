/* Real signals to commands that write: nothing half-made and no lock is left behind. */
#include "base/file.h"
#include "base/scoped.h"
#include "data/project.h"
#include "tests/support/project_case.h"
#include "tests/support/test.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CHAIN_ITEMS 6000
#define ROWS        60000
#define ROUNDS      40
#define LOOKS_MAX   30000 /* of a millisecond each */

static void sleep_ms(int64_t ms) {
    (void)nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static void write_rows(struct project_case *p, const char *header, int64_t count,
                       void (*row)(FILE *f, int64_t k)) {
    char path[300];
    (void)snprintf(path, sizeof path, "%s", scratch_path(p->scratch, "rows.csv"));
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    (void)fprintf(f, "%s\n", header);
    for (int64_t k = 0; k < count; k++) {
        row(f, k);
    }
    assert_int_equal(fclose(f), 0);
    project_case_import(p, path);
    assert_int_equal(unlink(path), 0);
}

/* Item m, of number m, meets the next three times; who wins two of them comes from a hash. */
static void chain_row(FILE *f, int64_t k) {
    uint32_t m = (uint32_t)(k / 3);
    bool turned = ((m * 2654435761u >> 16) & 1) != (k % 3 == 2);
    (void)fprintf(f, "one,m%u,m%u\n", turned ? m + 1 : m, turned ? m : m + 1);
}

static void long_row(FILE *f, int64_t k) {
    (void)fprintf(f, "prompt %d,good %d %0200d,bad %d\n", (int)k, (int)k, 0, (int)k);
}

static struct program start(struct project_case *p, const char *const *words) {
    p->r.out[0] = p->r.err[0] = '\0'; /* what is waited for is of this one */
    return program_start(&(struct program_options){.out_path = NULL}, words);
}

/* SQLite's readers leave -shm and -wal, which the next writer removes. */
static void check_nothing_is_left(struct project_case *p, const char *target) {
    const char *list = scratch_list(p->scratch);
    if (strstr(list, ".tmp") || strstr(list, "-lock") || (target && strstr(list, target))) {
        fail_msg("left: %s", list);
    }
}

static void check_stopped(struct project_case *p, const char *notice, const char *target) {
    assert_false(p->r.by_signal);
    if (p->r.status != 130 || !strstr(p->r.err, notice)) {
        fail_msg("expected 130 and '%s', got %d: %s", notice, p->r.status, p->r.err);
    }
    check_nothing_is_left(p, target);
}

/* A chain is what conjugate gradients take longest for. */
static void check_fit_stops_at(struct project_case *p, int signal_number) {
    struct program fit = start(p, (const char *const[]){"reward", "fit", p->db, "--verbose", NULL});
    program_wait_for_err(&fit, &p->r, "fitting 'bradley-terry' to 18000 comparisons");
    assert_int_equal(kill(fit.pid, signal_number), 0);
    program_wait(&fit, &p->r);
    check_stopped(p, "stopping; the project file stays as it was; again to stop at once\n", NULL);
    assert_non_null(strstr(p->r.err, "interrupted while fitting"));
}

static void test_reward_fit__stops_while_fitting(void **state) {
    struct project_case *p = *state;
    write_rows(p, "prompt,chosen,rejected", 3 * CHAIN_ITEMS, chain_row);
    check_fit_stops_at(p, SIGINT);
    check_fit_stops_at(p, SIGTERM);
    run_program(&p->r, "reward", "list", p->db, NULL);
    assert_non_null(strstr(p->r.out, "no fit yet"));
}

/* Held up by a transaction of ours, the fit is where it has its lock and has stored nothing. */
static void test_reward_fit__stops_before_it_has_stored(void **state) {
    struct project_case *p = *state;
    struct error err = ERROR_INIT;
    write_rows(p, "prompt,chosen,rejected", 12, chain_row);
    SCOPED(db) struct db *db = NULL;
    assert_ok(project_open(p->db, DB_MODE_WRITE, NULL, &db, &err), &err);
    char lock[330];
    (void)snprintf(lock, sizeof lock, "%s-lock", p->db);
    assert_int_equal(unlink(lock), 0); /* as a writer that does not know of it */
    SCOPED(db_tx) struct db_tx tx = DB_TX_INIT;
    assert_ok(db_tx_open(db, &tx, &err), &err);
    struct program fit = start(p, (const char *const[]){"reward", "fit", p->db, NULL});
    for (int look = 0; !file_exists(lock) && look < LOOKS_MAX; look++) {
        sleep_ms(1);
    }
    assert_int_equal(kill(fit.pid, SIGINT), 0);
    program_wait_for_err(&fit, &p->r, "stopping; the project file stays as it was");
    db_tx_close(&tx);
    program_wait(&fit, &p->r);
    db_close(db);
    db = NULL;
    check_stopped(p, "interrupted before the fit was stored", NULL);
}

/* A signal as soon as the temporary file is there. Now and then the command is done before: then
 * the target is, and no temporary file either way. */
static void check_target_whole_or_absent(struct project_case *p, const char *const *words,
                                         const char *target, const char *notice) {
    char path[300], tmp[310];
    (void)snprintf(path, sizeof path, "%s", scratch_path(p->scratch, target));
    (void)snprintf(tmp, sizeof tmp, "%s.tmp", path);
    int64_t stopped = 0;
    for (int round = 0; round < ROUNDS && stopped < 2; round++) {
        struct program program = start(p, words);
        for (int look = 0; !file_exists(tmp) && !file_exists(path) && look < LOOKS_MAX; look++) {
            sleep_ms(1);
        }
        assert_int_equal(kill(program.pid, stopped == 0 ? SIGINT : SIGTERM), 0);
        program_wait(&program, &p->r);
        if (p->r.status == 0) {
            check_nothing_is_left(p, NULL);
            assert_int_equal(unlink(path), 0);
        } else {
            check_stopped(p, notice, target);
            stopped++;
        }
    }
    assert_int_equal(stopped, 2);
}

static void test_backup__is_whole_or_absent(void **state) {
    struct project_case *p = *state;
    char copy[300];
    (void)snprintf(copy, sizeof copy, "%s", scratch_path(p->scratch, "copy.db"));
    write_rows(p, "prompt,chosen,rejected", ROWS, long_row);
    check_target_whole_or_absent(p, (const char *const[]){"backup", p->db, copy, NULL}, "copy.db",
                                 "stopping; a copy is whole or not there; again to stop at once\n");
}

static void test_export__is_whole_or_absent(void **state) {
    struct project_case *p = *state;
    char file[300];
    (void)snprintf(file, sizeof file, "%s", scratch_path(p->scratch, "rows.jsonl"));
    write_rows(p, "prompt,chosen,rejected", ROWS, long_row);
    check_target_whole_or_absent(p, (const char *const[]){"export", p->db, "-o", file, NULL},
                                 "rows.jsonl",
                                 "stopping, and writing no more; again to stop at once\n");
}

#define PROJECT_TEST(function) \
    cmocka_unit_test_setup_teardown(function, project_case_setup, project_case_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        PROJECT_TEST(test_reward_fit__stops_while_fitting),
        PROJECT_TEST(test_reward_fit__stops_before_it_has_stored),
        PROJECT_TEST(test_backup__is_whole_or_absent),
        PROJECT_TEST(test_export__is_whole_or_absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
