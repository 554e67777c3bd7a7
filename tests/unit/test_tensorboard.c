#include "base/tensorboard.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/io_loop.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <errno.h>
#include <math.h>

#define HALF_S (CLOCK_NS_PER_S / 2)

/* 2025-11-22T03:24:05.25Z */
#define START_NS (1763781845 * CLOCK_NS_PER_S + CLOCK_NS_PER_S / 4)

static void add_scalars(struct tensorboard *tb, struct clock *clock, int64_t step,
                        const struct metric *metrics, size_t count) {
    struct error err = ERROR_INIT;
    clock_advance(clock, HALF_S);
    assert_ok(tensorboard_add_scalars(tb, step, metrics, count, &err), &err);
}

/* The events of tests/golden/make_tensorboard.py, which TensorBoard's reader has checked. */
static void write_golden_events(struct tensorboard *tb, struct clock *clock) {
    struct error err = ERROR_INIT;
    add_scalars(tb, clock, 0, (struct metric[]){{"train/loss_nats", 0.5}}, 1);
    add_scalars(tb, clock, 7,
                (struct metric[]){{"train/loss_nats", 0.25}, {"kl_nats_mean", -0.0015}}, 2);
    add_scalars(
        tb, clock, 8,
        (struct metric[]){{"kl_nats_mean", (double)INFINITY}, {"reward.margin-2", (double)NAN}}, 2);
    add_scalars(tb, clock, INT64_C(1) << 40,
                (struct metric[]){{"train/loss_nats", 0.0}, {"kl_nats_mean", 1e30}}, 2);
    char text[256] = "# caf\u00e9\n";
    size_t used = strlen(text);
    memset(text + used, 'x', 200);
    text[used + 200] = '\0';
    clock_advance(clock, HALF_S);
    assert_ok(tensorboard_add_text(tb, 3, "config/text_summary", text, &err), &err);
    clock_advance(clock, HALF_S);
    assert_ok(tensorboard_restart(tb, 9, &err), &err);
    assert_ok(tensorboard_sync(tb, &err), &err);
}

static void test_tensorboard__same_bytes_as_another_writer(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    struct clock clock = clock_manual(START_NS);
    SCOPED(tensorboard) struct tensorboard *tb = NULL;
    assert_ok(tensorboard_open(scratch->folder, &clock, &tb, &err), &err);
    write_golden_events(tb, &clock);
    SCOPED(mem) char *written = NULL;
    SCOPED(mem) char *golden = NULL;
    size_t written_bytes = 0;
    size_t golden_bytes = 0;
    assert_ok(file_read_all(tensorboard_path(tb), 10000, &written, &written_bytes, &err), &err);
    assert_ok(
        file_read_all(GOLDEN_FOLDER "/tensorboard/events", 10000, &golden, &golden_bytes, &err),
        &err);
    assert_int_equal(golden_bytes, 635);
    assert_int_equal(written_bytes, golden_bytes);
    assert_memory_equal(written, golden, golden_bytes);
}

static void test_tensorboard_open__makes_the_folder_and_a_new_file_each_time(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    struct clock clock = clock_manual(START_NS);
    SCOPED(tensorboard) struct tensorboard *first = NULL;
    SCOPED(tensorboard) struct tensorboard *second = NULL;
    assert_ok(tensorboard_open(scratch_path(scratch, "runs/7"), &clock, &first, &err), &err);
    assert_ok(tensorboard_open(scratch_path(scratch, "runs/7"), &clock, &second, &err), &err);
    assert_string_not_equal(tensorboard_path(first), tensorboard_path(second));
    assert_non_null(strstr(tensorboard_path(first), "/runs/7/events.out.tfevents.1763781845."));
    int64_t bytes = 0;
    assert_ok(file_size(tensorboard_path(second), &bytes, &err), &err);
    assert_int_equal(bytes, 8 + 4 + (1 + 8) + (2 + 13) + 4); /* wall time and "brain.Event:2" */
}

static void test_tensorboard__refuses_more_after_a_failed_write(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    struct clock clock = clock_manual(START_NS);
    SCOPED(tensorboard) struct tensorboard *tb = NULL;
    assert_ok(tensorboard_open(scratch->folder, &clock, &tb, &err), &err);
    const struct metric row[] = {{"loss", 1.0}};
    file_fail_nth(1, ENOSPC);
    assert_fails(tensorboard_add_scalars(tb, 1, row, 1, &err), ERR_IO, "No space left", &err);
    assert_fails(tensorboard_add_scalars(tb, 2, row, 1, &err), ERR_IO, "is incomplete", &err);
}

static void test_tensorboard__refuses_an_endless_text(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    struct clock clock = clock_manual(START_NS);
    SCOPED(tensorboard) struct tensorboard *tb = NULL;
    assert_ok(tensorboard_open(scratch->folder, &clock, &tb, &err), &err);
    size_t count = (size_t)5 * 1024 * 1024;
    SCOPED(mem) char *text = mem_array(count + 1, 1);
    memset(text, 'x', count);
    text[count] = '\0';
    assert_fails(tensorboard_add_text(tb, 1, "t", text, &err), ERR_LIMIT, "a TensorBoard event",
                 &err);
    assert_ok(tensorboard_add_text(tb, 1, "t", "short", &err), &err);
}

static enum err_code write_some(void *context, struct error *err) {
    struct clock clock = clock_manual(START_NS);
    const struct metric row[] = {{"a", 1.0}, {"b", 2.0}};
    SCOPED(tensorboard) struct tensorboard *tb = NULL;
    TRY(tensorboard_open(context, &clock, &tb, err));
    TRY(tensorboard_add_scalars(tb, 1, row, 2, err));
    TRY(tensorboard_add_text(tb, 1, "t", "text", err));
    TRY(tensorboard_restart(tb, 5, err));
    return tensorboard_sync(tb, err);
}

static void test_tensorboard__survives_every_failure(void **state) {
    struct scratch *scratch = *state;
    alloc_loop_check(write_some, scratch->folder);
    io_loop_check(write_some, NULL, scratch->folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(test_tensorboard__same_bytes_as_another_writer),
        SCRATCH_TEST(test_tensorboard_open__makes_the_folder_and_a_new_file_each_time),
        SCRATCH_TEST(test_tensorboard__refuses_more_after_a_failed_write),
        SCRATCH_TEST(test_tensorboard__refuses_an_endless_text),
        SCRATCH_TEST(test_tensorboard__survives_every_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
