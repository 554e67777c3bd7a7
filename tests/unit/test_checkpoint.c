/* test_checkpoint.c - what a killed run goes on from. */
#include "trainer/checkpoint.h"

#include "base/rng.h"
#include "base/scoped.h"
#include "tests/support/kill_loop.h"
#include "tests/support/scratch.h"
#include "tests/support/tensor.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

struct training {
    struct tt_params *params;
    struct tt_adamw *adamw;
};

static struct training training_open(void) {
    struct error err = ERROR_INIT;
    struct training t = {.params = NULL};
    const struct tt_param_spec spec = {
        .name = "w", .dtype = TT_F32, .shape = TT_SHAPE(40), .trainable = true, .decay = true};
    const struct tt_adamw_config config = {
        .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.1};
    assert_ok(tt_params_new((struct tt_device){TT_CPU, 0}, &t.params, &err), &err);
    assert_ok(tt_params_declare(t.params, &spec, &err), &err);
    assert_ok(tt_params_allocate(t.params, &err), &err);
    assert_ok(tt_adamw_new(t.params, &config, &t.adamw, &err), &err);
    return t;
}

static void training_close(struct training *t) {
    tt_adamw_free(t->adamw);
    tt_params_free(t->params);
}

/* One step whose gradient follows from the step's number. */
static void train_step(struct training *t, int64_t step) {
    struct error err = ERROR_INIT;
    tt_scope *s = tt_scope_open(TT_GRAD);
    const struct rng stream = rng_stream(1, RNG_TEST, step, 0);
    tt_tensor *w = tt_param(s, t->params, "w");
    tt_tensor *loss =
        tt_sum(s, tt_square(s, tt_sub(s, w, tt_rand_normal(s, &stream, TT_SHAPE(40)))));
    assert_ok(tt_params_zero_grad(t->params, &err), &err);
    assert_ok(tt_backward(s, loss, &err), &err);
    assert_ok(tt_adamw_step(t->adamw, 0.1, 1.0, &err), &err);
    tt_scope_close(s);
}

static void read_values(struct training *t, float out[40]) {
    struct error err = ERROR_INIT;
    tt_scope *s = tt_scope_open(TT_NO_GRAD);
    assert_ok(tt_read_f32(s, tt_param(s, t->params, "w"), out, 40, &err), &err);
    tt_scope_close(s);
}

static struct checkpoint_state state_at(int64_t step) {
    struct checkpoint_state state = {
        .step = step,
        .threads = 2,
        .build = "0.1.0 test",
        .device = "cpu",
        .processor = "AVX512, avx512",
        .compute = "f32",
        .numbers = {{"num_tokens", 1000.0 * (double)step}, {"best", 0.1}},
        .numbers_count = 2,
    };
    memset(state.config.bytes, 7, sizeof state.config.bytes);
    return state;
}

/* Five steps straight, or three, a checkpoint, and two more in a fresh process's stead. */
static void test_load__goes_on_with_the_same_bits(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    const char *folder = scratch->folder;
    float straight[40];
    float resumed[40];
    struct training t = training_open();
    for (int64_t step = 0; step < 5; step++) {
        train_step(&t, step);
        if (step == 2) {
            const struct checkpoint_state three = state_at(3);
            assert_ok(checkpoint_save(folder, &three, t.params, t.adamw, &err), &err);
        }
    }
    read_values(&t, straight);
    training_close(&t);
    t = training_open();
    int64_t step = 0;
    double numbers[2] = {0, 0};
    assert_ok(checkpoint_newest(folder, &step, &err), &err);
    assert_int_equal(step, 3);
    const struct checkpoint_state expected = state_at(step);
    assert_ok(checkpoint_load(folder, &expected, t.params, t.adamw, numbers, &err), &err);
    assert_true(numbers[0] == 3000.0 && numbers[1] == 0.1);
    for (; step < 5; step++) {
        train_step(&t, step);
    }
    read_values(&t, resumed);
    assert_memory_equal(resumed, straight, sizeof straight);
    training_close(&t);
}

static void test_load__names_what_differs(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    struct training t = training_open();
    const struct checkpoint_state good = state_at(3);
    double numbers[2];
    assert_ok(checkpoint_save(scratch->folder, &good, t.params, t.adamw, &err), &err);
    struct checkpoint_state other = good;
    other.config.bytes[0] = 8;
    assert_fails(checkpoint_load(scratch->folder, &other, t.params, t.adamw, numbers, &err),
                 ERR_CONFIG, "has config_sha256 '0707", &err);
    other = good;
    other.data.bytes[0] = 9;
    assert_fails(checkpoint_load(scratch->folder, &other, t.params, t.adamw, numbers, &err),
                 ERR_CONFIG, "has data_sha256 '0000", &err);
    other = good;
    other.model.bytes[0] = 10;
    assert_fails(checkpoint_load(scratch->folder, &other, t.params, t.adamw, numbers, &err),
                 ERR_CONFIG, "has model_sha256 '0000", &err);
    other = good;
    other.threads = 4;
    assert_fails(checkpoint_load(scratch->folder, &other, t.params, t.adamw, numbers, &err),
                 ERR_CONFIG, "was computed on 2 threads, this run has 4: give --threads 2", &err);
    other = good;
    (void)snprintf(other.build, sizeof other.build, "0.2.0");
    assert_fails(checkpoint_load(scratch->folder, &other, t.params, t.adamw, numbers, &err),
                 ERR_CONFIG, "has build '0.1.0 test', this run '0.2.0'", &err);
    other = good;
    other.compute = "bf16";
    assert_fails(checkpoint_load(scratch->folder, &other, t.params, t.adamw, numbers, &err),
                 ERR_CONFIG, "has compute 'f32', this run 'bf16'", &err);
    other = good;
    (void)snprintf(other.processor, sizeof other.processor, "AVX2, avx2");
    assert_fails(checkpoint_load(scratch->folder, &other, t.params, t.adamw, numbers, &err),
                 ERR_CONFIG, "has processor 'AVX512, avx512', this run 'AVX2, avx2'", &err);
    training_close(&t);
}

static void test_load__refuses_a_file_that_changed(void **state) {
    static const char *const names[] = {"checkpoint-3/params.safetensors",
                                        "checkpoint-3/optimizer.safetensors"};
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    struct training t = training_open();
    const struct checkpoint_state three = state_at(3);
    double numbers[2];
    for (size_t i = 0; i < 2; i++) {
        assert_ok(checkpoint_save(scratch->folder, &three, t.params, t.adamw, &err), &err);
        FILE *f = fopen(scratch_path(scratch, names[i]), "r+b");
        assert_non_null(f);
        assert_int_equal(fseek(f, -1, SEEK_END), 0); /* still a number, but another one */
        assert_int_equal(fputc(0x41, f), 0x41);
        assert_int_equal(fclose(f), 0);
        assert_fails(checkpoint_load(scratch->folder, &three, t.params, t.adamw, numbers, &err),
                     ERR_DATA, "' is not as it was saved: remove its folder", &err);
        assert_non_null(strstr(err.msg, names[i]));
    }
    training_close(&t);
}

static void test_keep_newest__removes_old_and_unfinished_ones(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    struct training t = training_open();
    const int64_t steps[] = {5, 10, 100, 20};
    for (int i = 0; i < 4; i++) {
        const struct checkpoint_state at = state_at(steps[i]);
        assert_ok(checkpoint_save(scratch->folder, &at, t.params, t.adamw, &err), &err);
    }
    assert_int_equal(
        rename(scratch_path(scratch, "checkpoint-5"), scratch_path(scratch, "checkpoint-5.tmp")),
        0);
    scratch_write(scratch, "config.json", "{}");
    assert_ok(checkpoint_keep_newest(scratch->folder, 2, &err), &err);
    assert_string_equal(scratch_list(scratch), "checkpoint-100/ checkpoint-20/ config.json");
    training_close(&t);
}

/* --- kill -9 ------------------------------------------------------------------------------------
 */

static void save_for_ever(void *context, struct kill_loop_child *child) {
    struct scratch *scratch = context;
    struct error err = ERROR_INIT;
    struct training t = training_open();
    int64_t step = 0;
    assert_ok(checkpoint_newest(scratch->folder, &step, &err), &err);
    for (step = step < 0 ? 0 : step;; step++) {
        const struct checkpoint_state at = state_at(step + 1);
        assert_ok(checkpoint_save(scratch->folder, &at, t.params, t.adamw, &err), &err);
        assert_ok(checkpoint_keep_newest(scratch->folder, 2, &err), &err);
        kill_loop_tell(child);
    }
}

/* Whatever the moment, the newest checkpoint is whole. */
static void check_newest(void *context) {
    struct scratch *scratch = context;
    struct error err = ERROR_INIT;
    struct training t = training_open();
    double numbers[2];
    int64_t step = 0;
    assert_ok(checkpoint_newest(scratch->folder, &step, &err), &err);
    if (step >= 0) {
        const struct checkpoint_state expected = state_at(step);
        assert_ok(checkpoint_load(scratch->folder, &expected, t.params, t.adamw, numbers, &err),
                  &err);
    }
    training_close(&t);
}

static void test_save__is_whole_or_absent_after_a_kill(void **state) {
    kill_loop_check(save_for_ever, check_newest, *state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        /* first: it forks, and libtorch must not have started threads by then */
        SCRATCH_TEST(test_save__is_whole_or_absent_after_a_kill),
        SCRATCH_TEST(test_load__goes_on_with_the_same_bits),
        SCRATCH_TEST(test_load__names_what_differs),
        SCRATCH_TEST(test_load__refuses_a_file_that_changed),
        SCRATCH_TEST(test_keep_newest__removes_old_and_unfinished_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
