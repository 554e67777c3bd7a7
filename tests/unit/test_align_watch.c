/* What alignment's signs say, and when. */
#include "trainer/align_watch.h"

#include "tests/support/test.h"

#include <math.h>
#include <stdio.h>

struct fixture {
    struct align_watch watch;
    struct log *log;
    FILE *file;
    char text[8192];
};

static int setup(void **state) {
    static struct fixture f;
    struct error err = ERROR_INIT;
    f = (struct fixture){.file = tmpfile()};
    if (!f.file) {
        return -1;
    }
    const struct log_options options = {
        .clock = clock_real(), .terminal_fd = fileno(f.file), .terminal_level = LOG_LEVEL_INFO};
    align_watch_init(&f.watch);
    *state = &f;
    return log_open(&options, &f.log, &err) == ERR_OK ? 0 : -1;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    log_close(f->log);
    return fclose(f->file);
}

static const char *said(struct fixture *f) {
    (void)fflush(f->file);
    rewind(f->file);
    const size_t bytes = fread(f->text, 1, sizeof f->text - 1, f->file);
    f->text[bytes] = '\0';
    return f->text;
}

/* Ten rounds, the first of them as given, the others as they became. */
static void watch(struct fixture *f, const double *first, const double *then, int64_t rounds) {
    align_watch_add(&f->watch, first, f->log);
    for (int64_t i = 0; i < rounds; i++) {
        align_watch_add(&f->watch, then, f->log);
    }
}

#define UNSEEN ((double)NAN)

#define SIGNS(entropy, length, cut_off, reward, held_out) \
    (const double[ALIGN_SIGN_COUNT]) {                    \
        entropy, length, cut_off, reward, held_out        \
    }

static void test_watch__says_nothing_of_what_stays(void **state) {
    struct fixture *f = *state;
    watch(f, SIGNS(2.0, 40.0, 0.5, 1.0, UNSEEN), SIGNS(1.5, 50.0, 0.6, 3.0, UNSEEN), 100);
    assert_string_equal(said(f), "");
}

/* 2 * 0.9^n + 0.4 (1 - 0.9^n) < 1 from 0.9^n < 0.375 on: n = 10. Said once. */
static void test_watch__entropy_that_halves(void **state) {
    struct fixture *f = *state;
    watch(f, SIGNS(2.0, 40.0, 0.5, 1.0, UNSEEN), SIGNS(0.4, 40.0, 0.5, 1.0, UNSEEN), 9);
    assert_string_equal(said(f), "");
    watch(f, SIGNS(0.4, 40.0, 0.5, 1.0, UNSEEN), SIGNS(0.4, 40.0, 0.5, 1.0, UNSEEN), 50);
    const char *text = said(f);
    const char *first = strstr(text, "entropy fell from 2.00 to 0.9");
    assert_non_null(first);
    assert_null(strstr(first + 1, "entropy fell"));
}

static void test_watch__answers_that_grow_and_lose_their_ends(void **state) {
    struct fixture *f = *state;
    watch(f, SIGNS(2.0, 40.0, 0.1, 1.0, UNSEEN), SIGNS(2.0, 64.0, 0.9, 1.0, UNSEEN), 100);
    assert_non_null(strstr(said(f), "answers grew from 40 to 6"));
    assert_non_null(strstr(said(f), "of answers have no end, at first 10 %"));
}

/* Looked at only now and then, and 0.25 of the rise is what it may fall by. */
static void test_watch__a_reward_that_is_pleased_at_the_cost_of_another(void **state) {
    struct fixture *f = *state;
    watch(f, SIGNS(2.0, 40.0, 0.1, 1.0, UNSEEN), SIGNS(2.0, 40.0, 0.1, 3.0, UNSEEN), 60);
    align_watch_add(&f->watch, SIGNS(UNSEEN, UNSEEN, UNSEEN, UNSEEN, 5.0), f->log);
    assert_string_equal(said(f), "");
    for (int64_t i = 0; i < 30; i++) {
        align_watch_add(&f->watch, SIGNS(UNSEEN, UNSEEN, UNSEEN, UNSEEN, 4.0), f->log);
    }
    assert_non_null(strstr(said(f), "the held-out one fell by"));
}

/* A copy of the numbers goes on as the original does. */
static void test_watch__numbers_are_all_there_is(void **state) {
    struct fixture *f = *state;
    watch(f, SIGNS(2.0, 40.0, 0.1, 1.0, 1.0), SIGNS(1.9, 41.0, 0.1, 1.5, 1.0), 3);
    struct align_watch copy;
    align_watch_init(&copy);
    for (int64_t i = 0; i < ALIGN_WATCH_NUMBERS; i++) {
        assert_string_equal(copy.numbers[i].name, f->watch.numbers[i].name);
        copy.numbers[i].value = f->watch.numbers[i].value;
    }
    align_watch_add(&copy, SIGNS(1.7, 44.0, 0.2, 2.0, UNSEEN), f->log);
    align_watch_add(&f->watch, SIGNS(1.7, 44.0, 0.2, 2.0, UNSEEN), f->log);
    for (int64_t i = 0; i < ALIGN_WATCH_NUMBERS; i++) {
        assert_true(copy.numbers[i].value == f->watch.numbers[i].value);
    }
}

int main(void) {
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_watch__says_nothing_of_what_stays),
        CASE(test_watch__entropy_that_halves),
        CASE(test_watch__answers_that_grow_and_lose_their_ends),
        CASE(test_watch__a_reward_that_is_pleased_at_the_cost_of_another),
        CASE(test_watch__numbers_are_all_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
