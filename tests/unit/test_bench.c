#include "trainer/bench.h"

#include "base/json.h"
#include "base/scoped.h"
#include "tests/support/test.h"

#include <math.h>

/* Sorted: 1 2 3 4 5 6 7; type 7 quartiles lie at positions 1.5 and 4.5: 2.5 and 5.5. */
static void test_bench_stats__of_an_odd_count(void **state) {
    (void)state;
    const double values[] = {7, 1, 6, 2, 5, 3, 4};
    struct bench_stats stats = bench_stats_of(values, 7);
    assert_true(stats.best == 1.0);
    assert_true(stats.median == 4.0);
    assert_true(stats.worst == 7.0);
    assert_true(stats.spread == 0.75);
    assert_true(values[0] == 7.0);
}

/* Sorted: 10 20 30 100; positions 0.75, 1.5 and 2.25: 17.5, 25 and 47.5. */
static void test_bench_stats__of_an_even_count_and_of_one(void **state) {
    (void)state;
    const double values[] = {100, 30, 20, 10};
    struct bench_stats stats = bench_stats_of(values, 4);
    assert_true(stats.median == 25.0);
    assert_true(stats.spread == 30.0 / 25.0);
    stats = bench_stats_of(values, 1);
    assert_true(stats.best == 100.0 && stats.median == 100.0 && stats.worst == 100.0);
    assert_true(stats.spread == 0.0);
}

/* 2/1, 9/3, 4/4: the ratio of the medians, 4/3, is none of them. */
static void test_bench_stats_of_ratios__compares_pair_by_pair(void **state) {
    (void)state;
    const double values[] = {2, 9, 4};
    const double reference[] = {1, 3, 4};
    struct bench_stats stats = bench_stats_of_ratios(values, reference, 3);
    assert_true(stats.best == 1.0);
    assert_true(stats.median == 2.0);
    assert_true(stats.worst == 3.0);
}

/* Work that takes a known time on the run's manual clock, and notes its turn. */
struct timed {
    struct run *run;
    const int64_t *ms; /* one entry a call */
    int64_t calls;
    char letter;
    char *order; /* shared by both, NUL-terminated, room for 32 */
};

static enum err_code run_timed(void *context, struct error *err) {
    (void)err;
    struct timed *t = context;
    clock_advance(&t->run->clock, t->ms[t->calls++] * CLOCK_NS_PER_MS);
    t->order[strlen(t->order)] = t->letter;
    return ERR_OK;
}

/* The first call of each is the unmeasured one, of 999 ms, and must not be seen in the result.
 * Ratios by turn: 2.0 2.1 1.9 2.0 4.0 2.0 2.0. */
static const int64_t times_a[] = {999, 10, 10, 10, 10, 10, 10, 10};
static const int64_t times_b[] = {999, 20, 21, 19, 20, 40, 20, 20};

struct world {
    struct run run;
    char order[33];
    struct timed a, b;
    struct bench_case cases[2];
    struct bench_report report;
};

static void world_init(struct world *world) {
    *world = (struct world){.run = RUN_INIT, .report = {.title = "A title", .count = 0}};
    world->run.clock = clock_manual(0);
    world->a = (struct timed){&world->run, times_a, 0, 'A', world->order};
    world->b = (struct timed){&world->run, times_b, 0, 'B', world->order};
    world->cases[0] = (struct bench_case){"first", run_timed, &world->a, 5e6, BENCH_GB_PER_S};
    world->cases[1] = (struct bench_case){"second", run_timed, &world->b, 0.0, BENCH_NONE};
}

static void world_measure(struct world *world) {
    struct error err = ERROR_INIT;
    world_init(world);
    assert_ok(bench_measure(&world->run, world->cases, 2, 7, &world->report, &err), &err);
}

static void assert_near(double value, double expected) {
    assert_true(fabs(value - expected) < 1e-12 * fabs(expected));
}

static void test_bench_measure__takes_turns_and_compares_turn_by_turn(void **state) {
    (void)state;
    struct world world;
    world_measure(&world);
    assert_string_equal(world.order, "ABABABABABABABAB");
    assert_int_equal(world.report.count, 2);
    const struct bench_row *a = &world.report.rows[0];
    assert_near(a->seconds.best, 0.010);
    assert_near(a->seconds.worst, 0.010);
    assert_near(a->rate, 0.5);
    assert_true(a->ratios.best == 1.0 && a->ratios.worst == 1.0);
    const struct bench_row *b = &world.report.rows[1];
    assert_near(b->seconds.best, 0.019);
    assert_near(b->seconds.median, 0.020);
    assert_near(b->seconds.worst, 0.040);
    assert_near(b->ratios.best, 1.9);
    assert_near(b->ratios.median, 2.0);
    assert_near(b->ratios.worst, 4.0);
}

static enum err_code run_failing(void *context, struct error *err) {
    (void)context;
    return err_set(err, ERR_UNAVAILABLE, "no such device");
}

static void test_bench_measure__names_the_case_that_fails(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct world world;
    world_init(&world);
    world.cases[1].run = run_failing;
    assert_fails(bench_measure(&world.run, world.cases, 2, 7, &world.report, &err), ERR_UNAVAILABLE,
                 "second: no such device", &err);
    assert_int_equal(world.report.count, 0);
}

/* Quartiles of the second: 20 and 20.5 ms, so a spread of 0.5 / 20. */
static void test_bench_add_text__one_line_a_case(void **state) {
    (void)state;
    struct world world;
    world_measure(&world);
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(4096);
    bench_add_text(&world.report, false, &text);
    assert_string_equal(
        strbuf_text(&text),
        "A title\n"
        "7 repeats, taking turns\n"
        "\n"
        "                                          best    median     worst  spread           rate"
        "    time\n"
        "  first                                10.0 ms   10.0 ms   10.0 ms   0.0 %       0.5 GB/s"
        "   1.00x (1.00 to 1.00)\n"
        "  second                               19.0 ms   20.0 ms   40.0 ms   2.5 %               "
        "   2.00x (1.90 to 4.00)\n");
}

static double number_in(const struct json *doc, const struct json_node *row, const char *key) {
    struct error err = ERROR_INIT;
    double value = 0.0;
    assert_ok(json_get_f64(doc, row, key, &value, &err), &err);
    return value;
}

static void test_bench_add_json__reads_back(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct world world;
    world_measure(&world);
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(4096);
    assert_ok(bench_add_json(&world.report, &text, &err), &err);
    SCOPED(json) struct json *doc = NULL;
    assert_ok(json_parse(strbuf_text(&text), text.length, "bench", NULL, &doc, &err), &err);
    const struct json_node *rows = NULL;
    assert_ok(json_get_array(doc, json_root(doc), "rows", &rows, &err), &err);
    assert_int_equal(json_count(doc, rows), 2);
    assert_true(number_in(doc, json_root(doc), "repeats") == 7.0);
    const struct json_node *a = json_at(doc, rows, 0);
    const struct json_node *b = json_at(doc, rows, 1);
    assert_near(number_in(doc, a, "rate"), 0.5);
    assert_null(json_find(doc, b, "rate"));
    assert_near(number_in(doc, b, "best_s"), 0.019);
    assert_near(number_in(doc, b, "median_s"), 0.020);
    assert_near(number_in(doc, b, "worst_s"), 0.040);
    assert_true(fabs(number_in(doc, b, "spread") - 0.025) < 1e-12);
    assert_near(number_in(doc, b, "ratio_min"), 1.9);
    assert_near(number_in(doc, b, "ratio_median"), 2.0);
    assert_near(number_in(doc, b, "ratio_max"), 4.0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bench_stats__of_an_odd_count),
        cmocka_unit_test(test_bench_stats__of_an_even_count_and_of_one),
        cmocka_unit_test(test_bench_stats_of_ratios__compares_pair_by_pair),
        cmocka_unit_test(test_bench_measure__takes_turns_and_compares_turn_by_turn),
        cmocka_unit_test(test_bench_measure__names_the_case_that_fails),
        cmocka_unit_test(test_bench_add_text__one_line_a_case),
        cmocka_unit_test(test_bench_add_json__reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
