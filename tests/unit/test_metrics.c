#include "base/metrics.h"

#include "base/file.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/io_loop.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

/* 2025-11-22T03:24:05.25Z */
#define START_NS (1763781845 * CLOCK_NS_PER_S + CLOCK_NS_PER_S / 4)

static struct metrics *must_open(struct scratch *scratch, const struct clock *clock,
                                 int64_t first_step) {
    struct error err = ERROR_INIT;
    struct metrics *metrics = NULL;
    const struct metrics_options options = {
        .path = scratch_path(scratch, "m.jsonl"), .clock = clock, .first_step = first_step};
    assert_ok(metrics_open(&options, &metrics, &err), &err);
    return metrics;
}

static void must_add(struct metrics *metrics, int64_t step, double loss, double kl) {
    struct error err = ERROR_INIT;
    const struct metric row[] = {{"loss_nats", loss}, {"kl/mean", kl}};
    assert_ok(metrics_add(metrics, step, row, 2, &err), &err);
}

static void test_metrics__one_json_line_a_step(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    struct clock clock = clock_manual(START_NS);
    SCOPED(metrics) struct metrics *metrics = must_open(scratch, &clock, 0);
    must_add(metrics, 0, 0.1, -3.0);
    clock_advance(&clock, CLOCK_NS_PER_S / 2);
    const struct metric other_order[] = {{"kl/mean", 1e-9}, {"loss_nats", 0.30000000000000004}};
    assert_ok(metrics_add(metrics, 12, other_order, 2, &err), &err);
    assert_string_equal(scratch_read(scratch, "m.jsonl"),
                        "{\"step\":0,\"time\":1763781845.25,\"loss_nats\":0.1,\"kl/mean\":-3}\n"
                        "{\"step\":12,\"time\":1763781845.75,\"loss_nats\":0.30000000000000004,"
                        "\"kl/mean\":1e-09}\n");
    assert_ok(metrics_sync(metrics, &err), &err);
}

static void test_metrics__nonfinite_is_null_and_marked(void **state) {
    struct scratch *scratch = *state;
    struct clock clock = clock_manual(START_NS);
    SCOPED(metrics) struct metrics *metrics = must_open(scratch, &clock, 0);
    must_add(metrics, 0, (double)NAN, (double)INFINITY);
    must_add(metrics, 1, 1.0, (double)-INFINITY);
    assert_string_equal(scratch_read(scratch, "m.jsonl"),
                        "{\"step\":0,\"time\":1763781845.25,\"loss_nats\":null,"
                        "\"loss_nats_nonfinite\":\"nan\",\"kl/mean\":null,"
                        "\"kl/mean_nonfinite\":\"inf\"}\n"
                        "{\"step\":1,\"time\":1763781845.25,\"loss_nats\":1,\"kl/mean\":null,"
                        "\"kl/mean_nonfinite\":\"-inf\"}\n");
}

static void test_metrics__keys_are_fixed_by_the_first_row(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    struct clock clock = clock_manual(START_NS);
    SCOPED(metrics) struct metrics *metrics = must_open(scratch, &clock, 0);
    must_add(metrics, 0, 1.0, 2.0);
    const struct metric rows[] = {
        {"loss_nats", 1.0}, {"kl/mean", 1.0}, {"lr", 1.0}, {"loss_nats", 1.0}};
    assert_fails(metrics_add(metrics, 1, rows, 3, &err), ERR_INTERNAL,
                 "metric 'lr' is new at step 1; the first row fixes the keys", &err);
    assert_fails(metrics_add(metrics, 1, rows, 1, &err), ERR_INTERNAL,
                 "metric 'kl/mean' is missing at step 1; the first row fixes the keys", &err);
    const struct metric twice[] = {rows[0], rows[1], rows[3]};
    assert_fails(metrics_add(metrics, 1, twice, 3, &err), ERR_INTERNAL,
                 "metric 'loss_nats' is given twice at step 1", &err);
    must_add(metrics, 1, 1.0, 2.0); /* none of this has written anything or taken the step */
    const char *text = scratch_read(scratch, "m.jsonl");
    assert_ptr_equal(strchr(strchr(text, '\n') + 1, '\n'), text + strlen(text) - 1);
}

static void test_metrics__steps_increase(void **state) {
    struct error err = ERROR_INIT;
    struct clock clock = clock_manual(START_NS);
    SCOPED(metrics) struct metrics *metrics = must_open(*state, &clock, 5);
    const struct metric row[] = {{"loss_nats", 1.0}};
    assert_fails(metrics_add(metrics, 4, row, 1, &err), ERR_INTERNAL,
                 "metrics for step 4, expected 5 or later", &err);
    assert_ok(metrics_add(metrics, 7, row, 1, &err), &err);
    assert_fails(metrics_add(metrics, 7, row, 1, &err), ERR_INTERNAL,
                 "metrics for step 7, expected 8 or later", &err);
}

static void test_metrics__refuses_bad_keys(void **state) {
    struct error err = ERROR_INIT;
    struct clock clock = clock_manual(START_NS);
    SCOPED(metrics) struct metrics *metrics = must_open(*state, &clock, 0);
    char long_key[METRICS_KEY_BYTES + 1];
    memset(long_key, 'k', sizeof long_key - 1);
    long_key[sizeof long_key - 1] = '\0';
    static const char *const bad[] = {"",     "a b",  "a\"b",       "caf\u00e9",
                                      "step", "time", "x_nonfinite"};
    for (size_t i = 0; i <= sizeof bad / sizeof bad[0]; i++) {
        const char *key = i < sizeof bad / sizeof bad[0] ? bad[i] : long_key;
        char expected[METRICS_KEY_BYTES + 32];
        (void)snprintf(expected, sizeof expected, "metric key '%s'", key);
        const struct metric row[] = {{"good", 1.0}, {key, 1.0}};
        assert_fails(metrics_add(metrics, 1, row, 2, &err), ERR_INTERNAL, expected, &err);
    }
    const struct metric twice[] = {{"a", 1.0}, {"a", 1.0}};
    assert_fails(metrics_add(metrics, 1, twice, 2, &err), ERR_INTERNAL, "metric 'a' is given twice",
                 &err);
    long_key[METRICS_KEY_BYTES - 1] = '\0'; /* the longest allowed; bad rows fixed no keys */
    const struct metric row[] = {{long_key, 1.0}};
    assert_ok(metrics_add(metrics, 1, row, 1, &err), &err);
}

static const char three_rows[] = "{\"step\":0,\"time\":1.5,\"loss_nats\":4,\"kl/mean\":null,"
                                 "\"kl/mean_nonfinite\":\"nan\"}\n"
                                 "{\"step\":3,\"time\":2.5,\"loss_nats\":3,\"kl/mean\":1}\n"
                                 "{\"step\":6,\"time\":3.5,\"loss_nats\":2,\"kl/mean\":1}\n";

static void test_metrics_open__drops_what_the_resumed_run_writes_again(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    struct clock clock = clock_manual(START_NS);
    static const struct {
        int64_t first_step;
        int lines_kept;
    } cases[] = {{7, 3}, {6, 2}, {4, 2}, {3, 1}, {1, 1}, {0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[512];
        (void)snprintf(text, sizeof text, "%s{\"step\":7,\"time\":4.5,\"lo", three_rows);
        scratch_write(scratch, "m.jsonl", text); /* ends in a line that a kill has cut */
        SCOPED(metrics) struct metrics *metrics = must_open(scratch, &clock, cases[i].first_step);
        const char *end = three_rows;
        for (int line = 0; line < cases[i].lines_kept; line++) {
            end = strchr(end, '\n') + 1;
        }
        const char *kept = scratch_read(scratch, "m.jsonl");
        assert_int_equal(strlen(kept), end - three_rows);
        assert_memory_equal(kept, three_rows, (size_t)(end - three_rows));
        const struct metric other[] = {{"other", 1.0}};
        assert_int_equal(metrics_add(metrics, 9, other, 1, &err),
                         cases[i].lines_kept > 0 ? ERR_INTERNAL : ERR_OK);
    }
}

static void test_metrics_open__continues_with_the_same_keys(void **state) {
    struct scratch *scratch = *state;
    struct clock clock = clock_manual(START_NS);
    scratch_write(scratch, "m.jsonl", three_rows);
    SCOPED(metrics) struct metrics *metrics = must_open(scratch, &clock, 7);
    must_add(metrics, 7, 1.0, 2.0);
    const char *text = scratch_read(scratch, "m.jsonl");
    assert_memory_equal(text, three_rows, sizeof three_rows - 1);
    assert_string_equal(text + sizeof three_rows - 1,
                        "{\"step\":7,\"time\":1763781845.25,\"loss_nats\":1,\"kl/mean\":2}\n");
}

static void test_metrics_open__leaves_other_files_alone(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    struct clock clock = clock_manual(START_NS);
    static const char *const others[] = {"my notes\n", "{\"a\":1}\n", "[1]\n",
                                         "\n",         "no line end", "{\"steps\": 5}"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        scratch_write(scratch, "m.jsonl", others[i]);
        const struct metrics_options options = {.path = scratch_path(scratch, "m.jsonl"),
                                                .clock = &clock};
        struct metrics *metrics = NULL;
        assert_fails(metrics_open(&options, &metrics, &err), ERR_DATA, "m.jsonl': row at byte 0",
                     &err);
        assert_null(metrics);
        assert_string_equal(scratch_read(scratch, "m.jsonl"), others[i]);
    }
}

static void test_metrics__writes_tensorboard_too(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    struct clock clock = clock_manual(START_NS);
    const struct metrics_options options = {.path = scratch_path(scratch, "m.jsonl"),
                                            .tensorboard_folder = scratch->folder,
                                            .clock = &clock,
                                            .first_step = 5};
    SCOPED(metrics) struct metrics *metrics = NULL;
    assert_ok(metrics_open(&options, &metrics, &err), &err);
    must_add(metrics, 5, 1.0, 2.0);
    const char *list = scratch_list(scratch);
    assert_memory_equal(list, "events.out.tfevents.1763781845.", 31);
    char name[512] = {0};
    memcpy(name, list, strcspn(list, " "));
    int64_t bytes = 0;
    assert_ok(file_size(scratch_path(scratch, name), &bytes, &err), &err);
    /* Records of 16 bytes of frame: version 9 + 15; restart 9 + 2 + 4; row 9 + 2 + 2 and the values
     * 2 + (2 + 9) + 5 and 2 + (2 + 7) + 5. */
    assert_int_equal(bytes, 16 + 24 + 16 + 15 + 16 + 13 + 18 + 16);
    assert_ok(metrics_sync(metrics, &err), &err);
}

static void test_metrics__stops_after_a_failed_write(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    struct clock clock = clock_manual(START_NS);
    SCOPED(metrics) struct metrics *metrics = must_open(scratch, &clock, 0);
    must_add(metrics, 0, 1.0, 2.0);
    const struct metric row[] = {{"loss_nats", 1.0}, {"kl/mean", 1.0}};
    file_fail_nth(1, ENOSPC);
    assert_fails(metrics_add(metrics, 1, row, 2, &err), ERR_IO, "m.jsonl': No space left on device",
                 &err);
    assert_fails(metrics_add(metrics, 1, row, 2, &err), ERR_IO, "is incomplete", &err);
    metrics_close(MOVE(metrics));
    metrics = must_open(scratch, &clock, 1); /* and what was cut is repaired */
    assert_string_equal(scratch_read(scratch, "m.jsonl"),
                        "{\"step\":0,\"time\":1763781845.25,\"loss_nats\":1,\"kl/mean\":2}\n");
}

static enum err_code resume_and_write(void *context, struct error *err) {
    struct scratch *scratch = context;
    struct clock clock = clock_manual(START_NS);
    scratch_write(scratch, "m.jsonl", three_rows);
    const struct metrics_options options = {.path = scratch_path(scratch, "m.jsonl"),
                                            .tensorboard_folder = scratch->folder,
                                            .clock = &clock,
                                            .first_step = 4};
    SCOPED(metrics) struct metrics *metrics = NULL;
    TRY(metrics_open(&options, &metrics, err));
    const struct metric row[] = {{"loss_nats", 1.0}, {"kl/mean", (double)NAN}};
    TRY(metrics_add(metrics, 4, row, 2, err));
    return metrics_sync(metrics, err);
}

/* Whatever fails, the file can be taken over again, with the rows before. */
static void check_rows_before(void *context) {
    struct scratch *scratch = context;
    struct clock clock = clock_manual(START_NS);
    metrics_close(must_open(scratch, &clock, 4));
    const char *text = scratch_read(scratch, "m.jsonl");
    assert_int_equal(strlen(text), strrchr(three_rows, '{') - three_rows);
}

static void test_metrics__survives_every_failure(void **state) {
    alloc_loop_check(resume_and_write, *state);
    io_loop_check(resume_and_write, check_rows_before, *state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(test_metrics__one_json_line_a_step),
        SCRATCH_TEST(test_metrics__nonfinite_is_null_and_marked),
        SCRATCH_TEST(test_metrics__keys_are_fixed_by_the_first_row),
        SCRATCH_TEST(test_metrics__steps_increase),
        SCRATCH_TEST(test_metrics__refuses_bad_keys),
        SCRATCH_TEST(test_metrics_open__drops_what_the_resumed_run_writes_again),
        SCRATCH_TEST(test_metrics_open__continues_with_the_same_keys),
        SCRATCH_TEST(test_metrics_open__leaves_other_files_alone),
        SCRATCH_TEST(test_metrics__writes_tensorboard_too),
        SCRATCH_TEST(test_metrics__stops_after_a_failed_write),
        SCRATCH_TEST(test_metrics__survives_every_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
