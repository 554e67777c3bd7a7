/* What SIGINT at any moment leaves behind: of the commands that write, nothing but what was whole
 * before; of those that only read, which die of it, nothing. */
#include "tests/support/moments.h"
#include "tests/support/run_program.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define IN_TIME     8 /* interrupts before the command was done, of each command */
#define ROUNDS_MAX  200
#define ROWS        3000
#define INTERRUPTED 130

struct interrupt_cli {
    struct program_result r;
    struct scratch *scratch;
    char project[300], pairs[300], rejected[300];
    char made[300]; /* what export and backup write */
    struct moments moments;
};

/* ---- a project and a file to import ---- */

static void write_pairs(struct interrupt_cli *c) {
    FILE *f = fopen(c->pairs, "wb");
    assert_non_null(f);
    for (int i = 0; i < ROWS; i++) {
        (void)fprintf(f,
                      "{\"prompt\":\"What is %d and %d?\",\"chosen\":\"The sum is %d\","
                      "\"rejected\":\"I was asked about %d and do not know.\"}\n",
                      i, i + 1, 2 * i + 1, i);
    }
    assert_int_equal(fclose(f), 0);
}

static int setup(void **state) {
    struct interrupt_cli *c = calloc(1, sizeof *c);
    void *scratch = NULL;
    *state = c;
    if (!c || scratch_setup(&scratch) != 0) {
        return -1;
    }
    c->scratch = scratch;
    c->moments = (struct moments)MOMENTS_INIT;
    (void)snprintf(c->project, sizeof c->project, "%s", scratch_path(scratch, "sums.db"));
    (void)snprintf(c->pairs, sizeof c->pairs, "%s", scratch_path(scratch, "pairs.jsonl"));
    (void)snprintf(c->rejected, sizeof c->rejected, "%s", scratch_path(scratch, "rejected"));
    (void)snprintf(c->made, sizeof c->made, "%s", scratch_path(scratch, "made"));
    write_pairs(c);
    run_program(&c->r, "init", "-q", c->project, NULL);
    return c->r.status;
}

static int teardown(void **state) {
    struct interrupt_cli *c = *state;
    void *scratch = c->scratch;
    int failed = scratch_teardown(&scratch);
    free(c);
    return failed;
}

static void import_pairs(struct interrupt_cli *c) {
    run_program(&c->r, "import", "-q", c->project, c->pairs, NULL);
    assert_int_equal(c->r.status, 0);
}

/* ---- signals ---- */

/* It ends with 0 or with 130 and nothing else; true if the signal came in time. */
static bool run_and_interrupt(struct interrupt_cli *c, const char *const *words, int64_t below_us) {
    c->r.out[0] = '\0';
    c->r.err[0] = '\0';
    struct program program = program_start(&(struct program_options){.out_path = NULL}, words);
    int64_t after_us = moments_wait(&c->moments, below_us);
    (void)kill(program.pid, SIGINT);
    program_wait(&program, &c->r);
    if (c->r.status != 0 && c->r.status != INTERRUPTED) {
        fail_msg("%s, interrupted after %" PRId64 " us: status %d: %s", words[0], after_us,
                 c->r.status, c->r.err);
    }
    return c->r.status == INTERRUPTED;
}

/* Neither a lock nor half of a file; SQLite's own log may stay, also of a reader that ends well. */
static void check_no_remains(const struct interrupt_cli *c) {
    const char *list = scratch_list(c->scratch);
    assert_null(strstr(list, "-lock"));
    assert_null(strstr(list, ".tmp"));
    assert_null(strstr(list, "-journal"));
}

static int64_t time_us(struct interrupt_cli *c, const char *const *words) {
    int64_t start_us = moments_now_us();
    run_program_with(&c->r, &(struct program_options){.out_path = NULL}, words);
    assert_int_equal(c->r.status, 0);
    return moments_now_us() - start_us;
}

/* Interrupts the command at many moments of its time. What it makes, if anything, is there exactly
 * when the command says so. */
static void interrupt_often(struct interrupt_cli *c, const char *const *words, const char *made) {
    int64_t whole_us = time_us(c, words), rounds = 0;
    for (int64_t in_time = 0; in_time < IN_TIME; rounds++) {
        assert_true(rounds < ROUNDS_MAX);
        assert_true(!made || remove(made) == 0);
        bool interrupted = run_and_interrupt(c, words, whole_us);
        check_no_remains(c);
        in_time += interrupted;
        FILE *found = made ? fopen(made, "rb") : NULL;
        assert_true(!made || (found != NULL) == !interrupted);
        if (found) {
            assert_int_equal(fclose(found), 0);
        } else {
            whole_us = time_us(c, words);
        }
    }
    print_message("%s: %d of %" PRId64 " interrupts came in time\n", words[0], IN_TIME, rounds);
}

/* ---- the commands ---- */

static void test_interrupt_export__writes_all_or_nothing(void **state) {
    struct interrupt_cli *c = *state;
    import_pairs(c);
    interrupt_often(c, (const char *const[]){"export", "-q", c->project, "-o", c->made, NULL},
                    c->made);
}

static void test_interrupt_backup__copies_all_or_nothing(void **state) {
    struct interrupt_cli *c = *state;
    import_pairs(c);
    interrupt_often(c, (const char *const[]){"backup", "-q", c->project, c->made, NULL}, c->made);
}

static void test_interrupt_readers__leave_nothing(void **state) {
    struct interrupt_cli *c = *state;
    import_pairs(c);
    interrupt_often(c, (const char *const[]){"check", "-q", c->project, NULL}, NULL);
    interrupt_often(c, (const char *const[]){"stats", "-q", c->project, NULL}, NULL);
}

static bool has_rows(struct interrupt_cli *c) {
    run_program(&c->r, "export", "-q", c->project, "-o", c->made, NULL);
    assert_int_equal(c->r.status, 0);
    return scratch_read(c->scratch, "made")[0] != '\0';
}

/* A signal during the last write may find all of it kept. */
static void test_interrupt_import__keeps_all_or_nothing(void **state) {
    struct interrupt_cli *c = *state;
    const char *const import[] = {"import",     "-q",        c->project, c->pairs,
                                  "--skip-bad", c->rejected, NULL};
    int64_t whole_us = time_us(c, import), rounds = 0;
    for (int64_t in_time = 0; in_time < IN_TIME; rounds++) {
        assert_true(rounds < ROUNDS_MAX);
        assert_int_equal(remove(c->project), 0);
        run_program(&c->r, "init", "-q", c->project, NULL);
        bool interrupted = run_and_interrupt(c, import, whole_us);
        check_no_remains(c);
        in_time += interrupted;
        assert_true(has_rows(c) || interrupted);
    }
    print_message("import: %d of %" PRId64 " interrupts came in time\n", IN_TIME, rounds);
}

/* The second one comes while the first is being obeyed: the same status, whoever is quicker. */
static void test_interrupt_twice__ends_with_the_same_status(void **state) {
    struct interrupt_cli *c = *state;
    const char *const import[] = {"import", "-q", c->project, "-", "-f", "trl", NULL};
    for (int64_t round = 0; round < IN_TIME; round++) {
        c->r.out[0] = '\0';
        c->r.err[0] = '\0';
        const struct program_options endless = {.in_path = c->pairs};
        struct program program = program_start(&endless, import);
        (void)moments_wait(&c->moments, 20000);
        (void)kill(program.pid, SIGINT);
        (void)moments_wait(&c->moments, 500);
        (void)kill(program.pid, SIGINT);
        program_wait(&program, &c->r);
        assert_true(c->r.status == 0 || c->r.status == INTERRUPTED);
    }
    import_pairs(c); /* whatever was left: the next one takes it over */
}

int main(void) {
#define INTERRUPT_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        INTERRUPT_TEST(test_interrupt_export__writes_all_or_nothing),
        INTERRUPT_TEST(test_interrupt_backup__copies_all_or_nothing),
        INTERRUPT_TEST(test_interrupt_readers__leave_nothing),
        INTERRUPT_TEST(test_interrupt_import__keeps_all_or_nothing),
        INTERRUPT_TEST(test_interrupt_twice__ends_with_the_same_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
