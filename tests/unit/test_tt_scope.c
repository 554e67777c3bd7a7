/* test_tt_scope.c - lifetimes, sticky errors, grad modes and exceptions of the tensor shim. */
#include "base/mem.h"
#include "base/scoped.h"
#include "tensor/tt.h"
#include "tensor/tt_peers.h"
#include "tests/support/test.h"

#include <malloc.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>

#define TOL_F32_LOSS 1e-6F

static int remember_handles(void **state) {
    static int64_t handles;
    handles = tt_live_handles();
    *state = &handles;
    return 0;
}

static int handles_are_back(void **state) {
    return tt_live_handles() == *(int64_t *)*state ? 0 : -1;
}

static tt_tensor *vector(tt_scope *s, const float *values, int64_t count) {
    return tt_from_f32(s, values, TT_SHAPE(count));
}

/* --- lifetimes --- */

static void test_scope__owns_its_temporaries(void **state) {
    int64_t before = *(int64_t *)*state;
    tt_scope *s = tt_scope_open(TT_NO_GRAD);
    tt_tensor *a = vector(s, (float[]){1, 2, 3}, 3);
    (void)tt_neg(s, tt_exp(s, a));
    assert_int_equal(tt_live_handles(), before + 3);
    tt_scope_close(s);
    assert_int_equal(tt_live_handles(), before);
    tt_scope_close(NULL);
}

/* More handles than the scope's first slots and its first chunk hold: addresses stay valid. */
static void test_scope__holds_many_handles(void **state) {
    int64_t before = *(int64_t *)*state;
    struct error err = ERROR_INIT;
    tt_scope *s = tt_scope_open(TT_NO_GRAD);
    tt_tensor *numbers[1000];
    for (int i = 0; i < 1000; i++) {
        numbers[i] = tt_scalar(s, TT_F64, i);
    }
    for (int i = 0; i < 1000; i++) {
        double value = -1;
        assert_ok(tt_item_f64(s, numbers[i], &value, &err), &err);
        assert_true(value == i);
    }
    assert_int_equal(tt_live_handles(), before + 1000);
    tt_scope_close(s);
}

static void test_scope_rewind__frees_what_came_after_the_mark(void **state) {
    int64_t before = *(int64_t *)*state;
    struct error err = ERROR_INIT;
    tt_scope *s = tt_scope_open(TT_NO_GRAD);
    tt_tensor *kept = tt_scalar(s, TT_F32, 7);
    int64_t mark = tt_scope_mark(s);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 400; i++) {
            (void)tt_shift(s, kept, i);
        }
        tt_scope_rewind(s, mark);
        assert_int_equal(tt_live_handles(), before + 1);
    }
    double value = 0;
    assert_ok(tt_item_f64(s, kept, &value, &err), &err);
    assert_true(value == 7);
    tt_scope_close(s);
}

static void test_share__lets_a_result_outlive_its_scope(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    tt_scope *outer = tt_scope_open(TT_NO_GRAD);
    tt_scope *inner = tt_scope_open(TT_NO_GRAD);
    tt_tensor *result = tt_share(outer, tt_shift(inner, tt_scalar(inner, TT_F32, 2), 3));
    tt_scope_close(inner);
    double value = 0;
    assert_ok(tt_item_f64(outer, result, &value, &err), &err);
    assert_true(value == 5);
    tt_scope_close(outer);
}

static void test_keep__outlives_every_scope(void **state) {
    int64_t before = *(int64_t *)*state;
    struct error err = ERROR_INIT;
    tt_scope *s = tt_scope_open(TT_NO_GRAD);
    tt_tensor *kept = tt_keep(s, tt_scalar(s, TT_F64, 0.25));
    tt_scope_close(s);
    assert_int_equal(tt_live_handles(), before + 1);
    s = tt_scope_open(TT_NO_GRAD);
    double value = 0;
    assert_ok(tt_item_f64(s, kept, &value, &err), &err);
    assert_true(value == 0.25);
    tt_scope_close(s);
    tt_free(kept);
    tt_free(NULL);
}

static void test_backward__works_after_intermediate_handles_died(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    tt_scope *outer = tt_scope_open(TT_GRAD);
    tt_tensor *x = tt_leaf(outer, vector(outer, (float[]){1, -2}, 2));
    tt_scope *inner = tt_scope_open(TT_GRAD);
    /* loss = sum(x^2 * 3), d/dx = 6 x */
    tt_tensor *loss = tt_share(outer, tt_sum(inner, tt_scale(inner, tt_square(inner, x), 3)));
    tt_scope_close(inner);
    assert_ok(tt_backward(outer, loss, &err), &err);
    float grad[2] = {0};
    assert_ok(tt_read_f32(outer, tt_leaf_grad(outer, x), grad, 2, &err), &err);
    assert_true(grad[0] == 6.0F && grad[1] == -12.0F);
    tt_scope_close(outer);
}

/* --- errors --- */

static void test_scope__keeps_the_first_error(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    tt_scope *s = tt_scope_open(TT_NO_GRAD);
    tt_tensor *a = vector(s, (float[]){1, 2, 3, 4}, 4);
    tt_tensor *b = vector(s, (float[]){1, 2, 3}, 3);
    tt_tensor *c = tt_exp(s, tt_neg(s, tt_sub(s, a, b)));
    assert_null(c);
    assert_null(tt_matmul(s, a, NULL)); /* a later mistake does not replace the first */
    assert_fails(tt_scope_check(s, &err), ERR_SHAPE, "sub: shapes [4] and [3] differ", &err);
    double value = 42;
    assert_fails(tt_item_f64(s, c, &value, &err), ERR_SHAPE, "sub: shapes", &err);
    assert_true(value == 42);
    tt_scope_close(s);
}

static void test_scope_fail__records_the_callers_error(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    tt_scope *s = tt_scope_open(TT_NO_GRAD);
    assert_null(tt_scope_fail(s, ERR_CONFIG, "alpha = %g is outside (0, 1)", 2.0));
    assert_null(tt_scope_fail(s, ERR_IO, "second"));
    assert_fails(tt_scope_check(s, &err), ERR_CONFIG, "alpha = 2 is outside (0, 1)", &err);
    tt_scope_close(s);
}

static void test_scope__null_scope_reports_missing_memory(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    mem_fail_nth(1);
    tt_scope *s = tt_scope_open(TT_NO_GRAD);
    mem_fail_nth(0);
    assert_null(s);
    assert_null(tt_scalar(s, TT_F32, 1));
    assert_null(tt_keep(s, NULL));
    assert_fails(tt_scope_check(s, &err), ERR_OOM, "tensor scope", &err);
    double value = 0;
    assert_fails(tt_item_f64(s, NULL, &value, &err), ERR_OOM, "tensor scope", &err);
}

/* The 49th handle needs a chunk, and that allocation fails. */
static void test_scope__survives_a_failed_chunk(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    tt_scope *s = tt_scope_open(TT_NO_GRAD);
    tt_tensor *a = tt_scalar(s, TT_F32, 1);
    mem_fail_nth(1);
    tt_tensor *last = a;
    for (int i = 0; i < 100 && last; i++) {
        last = tt_neg(s, last);
    }
    mem_fail_nth(0);
    assert_null(last);
    assert_fails(tt_scope_check(s, &err), ERR_OOM, "neg: out of memory", &err);
    tt_scope_close(s);
}

static void *check_in_another_thread(void *scope) {
    return tt_scalar(scope, TT_F32, 1);
}

static void test_scope__refuses_another_thread(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    tt_scope *s = tt_scope_open(TT_NO_GRAD);
    pthread_t thread;
    void *result = s;
    assert_int_equal(pthread_create(&thread, NULL, check_in_another_thread, s), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_null(result);
    assert_fails(tt_scope_check(s, &err), ERR_INTERNAL, "a thread that did not open it", &err);
    tt_scope_close(s);
}

static void test_exceptions__never_leave_the_shim(void **state) {
    (void)state;
    const struct {
        enum tt_peer_exception kind;
        enum err_code code;
        const char *message;
    } cases[] = {
        {TT_PEER_C10_ERROR, ERR_BACKEND, "throw: thrown on purpose"},
        {TT_PEER_OUT_OF_MEMORY, ERR_OOM, "throw: thrown on purpose"},
        {TT_PEER_BAD_ALLOC, ERR_OOM, "throw: out of memory"},
        {TT_PEER_STD_EXCEPTION, ERR_BACKEND, "throw: thrown on purpose"},
        {TT_PEER_INT, ERR_BACKEND, "throw: unknown exception"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = ERROR_INIT;
        tt_scope *s = tt_scope_open(TT_NO_GRAD);
        assert_null(tt_peer_throw(s, cases[i].kind));
        assert_fails(tt_scope_check(s, &err), cases[i].code, cases[i].message, &err);
        tt_scope_close(s);
    }
}

/* A petabyte: malloc refuses. */
static void test_huge_tensor__is_out_of_memory(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    tt_scope *s = tt_scope_open(TT_NO_GRAD);
    assert_null(tt_zeros(s, TT_F64, TT_SHAPE(INT64_C(1) << 47)));
    assert_fails(tt_scope_check(s, &err), ERR_OOM,
                 "zeros: can't allocate memory: 1125899906842624 bytes for a tensor", &err);
    tt_scope_close(s);
}

#define BLOCKS 64

/* 64 tensors of 64 KiB, a small one behind each so that freed neighbours do not become one. */
static void fill(tt_scope *large, tt_scope *small) {
    for (int64_t i = 0; i < BLOCKS; i++) {
        assert_non_null(tt_zeros(large, TT_F32, TT_SHAPE(16384)));
        assert_non_null(tt_zeros(small, TT_F32, TT_SHAPE(64)));
    }
}

/* The second 64 fit where the first were: the heap grows by the small ones, not by 4 MiB. */
static void test_freed_tensors__leave_room_for_others_of_their_size(void **state) {
    (void)state;
    tt_scope *small = tt_scope_open(TT_NO_GRAD);
    tt_scope *large = tt_scope_open(TT_NO_GRAD);
    fill(large, small);
    tt_scope_close(large);
    const size_t heap_bytes = mallinfo2().arena;
    large = tt_scope_open(TT_NO_GRAD);
    fill(large, small);
    assert_in_range(mallinfo2().arena, heap_bytes, heap_bytes + 1024 * 1024);
    tt_scope_close(large);
    tt_scope_close(small);
}

/* struct tt_shape holds eight dimensions. */
static void test_rank__is_at_most_eight(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    tt_scope *s = tt_scope_open(TT_NO_GRAD);
    tt_tensor *a = tt_zeros(s, TT_F32, TT_SHAPE(1, 1, 1, 1, 1, 1, 1, 2));
    assert_int_equal(tt_shape_of(a).dim[7], 2);
    assert_null(tt_unsqueeze(s, a, 0));
    assert_fails(tt_scope_check(s, &err), ERR_BACKEND, "unsqueeze: result has rank 9, limit 8",
                 &err);
    tt_scope_close(s);
}

static void test_expect__names_variable_and_dimensions(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    int64_t B = 8;
    int64_t T = 128;
    tt_scope *s = tt_scope_open(TT_NO_GRAD);
    tt_tensor *logits = tt_zeros(s, TT_F32, TT_SHAPE(B, T - 1));
    assert_true(TT_EXPECT(s, logits, B, T - 1));
    assert_true(TT_EXPECT_DTYPE(s, logits, TT_F32));
    assert_false(TT_EXPECT(s, logits, B, T));
    assert_fails(tt_scope_check(s, &err), ERR_SHAPE,
                 "logits: expected [B, T] = [8, 128], got [8, 127]", &err);
    tt_scope_close(s);

    s = tt_scope_open(TT_NO_GRAD);
    tt_tensor *loss = tt_scalar(s, TT_F32, 1);
    assert_true(TT_EXPECT_SCALAR(s, loss));
    assert_false(TT_EXPECT_DTYPE(s, loss, TT_BF16));
    assert_fails(tt_scope_check(s, &err), ERR_DTYPE, "loss: expected bf16, got f32", &err);
    tt_scope_close(s);
}

/* --- grad modes --- */

static void test_grad_mode__belongs_to_the_scope_of_the_op(void **state) {
    (void)state;
    tt_scope *with = tt_scope_open(TT_GRAD);
    tt_tensor *x = tt_leaf(with, tt_scalar(with, TT_F32, 3));
    tt_scope *without = tt_scope_open(TT_NO_GRAD);
    assert_true(tt_requires_grad(tt_neg(with, x))); /* although `without` was opened later */
    assert_false(tt_requires_grad(tt_neg(without, x)));
    assert_false(tt_requires_grad(tt_detach(with, x)));
    tt_scope_close(without);
    assert_true(tt_requires_grad(tt_neg(with, x)));
    tt_scope_close(with);
}

/* ATen's views, and its conversions with nothing to do, keep their operand's part in gradients. */
static void test_no_grad__results_take_no_gradient(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    const struct tt_device cpu = {TT_CPU, 0};
    tt_scope *with = tt_scope_open(TT_GRAD);
    tt_tensor *x = tt_leaf(with, tt_zeros(with, TT_F32, TT_SHAPE(1, 2)));
    tt_scope *without = tt_scope_open(TT_NO_GRAD);
    assert_false(tt_requires_grad(tt_cast(without, x, TT_F32)));
    assert_false(tt_requires_grad(tt_to_device(without, x, cpu)));
    assert_false(tt_requires_grad(tt_contiguous(without, x)));
    assert_false(tt_requires_grad(tt_reshape(without, x, TT_SHAPE(2, 1))));
    assert_false(tt_requires_grad(tt_transpose(without, x, 0, 1)));
    assert_false(tt_requires_grad(tt_select(without, x, 0, 0)));
    assert_true(tt_requires_grad(tt_share(without, x)));
    /* d(x + constant) / dx = 1, not 2: the copy made without gradients is a constant. */
    tt_tensor *constant = tt_cast(without, x, TT_F32);
    assert_ok(tt_backward(with, tt_sum(with, tt_add(with, x, constant)), &err), &err);
    float grad[2] = {0};
    assert_ok(tt_read_f32(with, tt_leaf_grad(with, x), grad, 2, &err), &err);
    assert_true(grad[0] == 1.0F && grad[1] == 1.0F);
    tt_scope_close(without);
    tt_scope_close(with);
}

static void test_leaf_grad__is_a_copy(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    tt_scope *s = tt_scope_open(TT_GRAD);
    tt_tensor *x = tt_leaf(s, tt_scalar(s, TT_F64, 3));
    assert_ok(tt_backward(s, tt_square(s, x), &err), &err);
    tt_tensor *first = tt_leaf_grad(s, x);
    assert_ok(tt_backward(s, tt_square(s, x), &err), &err);
    double value = 0;
    assert_ok(tt_item_f64(s, first, &value, &err), &err);
    assert_true(value == 6);
    assert_ok(tt_item_f64(s, tt_leaf_grad(s, x), &value, &err), &err);
    assert_true(value == 12);
    tt_scope_close(s);
}

static void test_backward__refuses_what_has_no_gradient(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    tt_scope *s = tt_scope_open(TT_NO_GRAD);
    tt_tensor *x = tt_leaf(s, tt_scalar(s, TT_F32, 3));
    assert_fails(tt_backward(s, tt_neg(s, x), &err), ERR_INTERNAL, "TT_GRAD", &err);
    tt_scope_close(s);

    s = tt_scope_open(TT_GRAD);
    x = tt_leaf(s, vector(s, (float[]){1, 2}, 2));
    assert_fails(tt_backward(s, tt_neg(s, x), &err), ERR_SHAPE, "scalar [], got shape [2]", &err);
    tt_scope_close(s);
}

static void test_grad_of__first_and_second_derivative(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    tt_scope *s = tt_scope_open(TT_GRAD);
    tt_tensor *x = tt_leaf(s, tt_scalar(s, TT_F64, 2));
    tt_tensor *y = tt_leaf(s, tt_scalar(s, TT_F64, 5));
    /* f = x^3 y: df/dx = 3 x^2 y = 60, df/dy = x^3 = 8, d2f/dx2 = 6 x y = 60 */
    tt_tensor *f = tt_mul(s, tt_pow(s, x, 3), y);
    tt_tensor *grads[2] = {NULL, NULL};
    tt_grad_of(s, f, (const tt_tensor *[]){x, y}, 2, true, grads);
    double dx = 0;
    double dy = 0;
    assert_ok(tt_item_f64(s, grads[0], &dx, &err), &err);
    assert_ok(tt_item_f64(s, grads[1], &dy, &err), &err);
    assert_true(fabs(dx - 60) < 1e-12 && fabs(dy - 8) < 1e-12);
    tt_tensor *second = NULL;
    tt_grad_of(s, grads[0], (const tt_tensor *[]){x}, 1, false, &second);
    assert_ok(tt_item_f64(s, second, &dx, &err), &err);
    assert_true(fabs(dx - 60) < 1e-12);
    /* y is not part of grads of an unrelated output */
    tt_tensor *unrelated = NULL;
    tt_grad_of(s, tt_neg(s, x), (const tt_tensor *[]){y}, 1, false, &unrelated);
    assert_int_equal(tt_scope_check(s, &err), ERR_BACKEND);
    assert_null(unrelated);
    tt_scope_close(s);
}

/* --- a formula, whole --- */

/* Rafailov et al. 2023 (arXiv 2305.18290), eq. 7. Margins 0 and 10 nats, beta 0.1:
 * logits 0 and 1, -log sigmoid = 0.693147, 0.313262, mean 0.503204.
 * d loss / d chosen = -beta sigmoid(-logit) / 2 = -0.025, -0.0134471. */
static void test_dpo_loss__hand_worked(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    tt_scope *s = tt_scope_open(TT_GRAD);
    tt_tensor *chosen = tt_leaf(s, vector(s, (float[]){-20, -12}, 2)); /* [P] nats */
    tt_tensor *rejected = vector(s, (float[]){-20, -25}, 2);           /* [P] nats */
    tt_tensor *ref_chosen = vector(s, (float[]){-21, -17}, 2);         /* [P] nats */
    tt_tensor *ref_rejected = vector(s, (float[]){-21, -20}, 2);       /* [P] nats */
    tt_tensor *policy_margin = tt_sub(s, chosen, rejected);
    tt_tensor *ref_margin = tt_sub(s, ref_chosen, ref_rejected);
    tt_tensor *logits = tt_scale(s, tt_sub(s, policy_margin, ref_margin), 0.1);
    tt_tensor *loss = tt_mean(s, tt_neg(s, tt_log_sigmoid(s, logits)));
    assert_ok(tt_backward(s, loss, &err), &err);
    double value = 0;
    float grad[2] = {0};
    assert_ok(tt_item_f64(s, loss, &value, &err), &err);
    assert_ok(tt_read_f32(s, tt_leaf_grad(s, chosen), grad, 2, &err), &err);
    assert_float_equal(value, 0.503204, TOL_F32_LOSS);
    assert_float_equal(grad[0], -0.025F, TOL_F32_LOSS);
    assert_float_equal(grad[1], -0.0134471F, TOL_F32_LOSS);
    tt_scope_close(s);
}

/* --- tracing --- */

struct traced {
    int lines;
    char last[512];
};

static void count_line(void *context, const char *line) {
    struct traced *traced = context;
    traced->lines++;
    (void)snprintf(traced->last, sizeof traced->last, "%s", line);
}

static void set_trace(int64_t level, struct traced *traced) {
    struct error err = ERROR_INIT;
    const struct tt_runtime runtime = {
        .trace = level, .trace_line = count_line, .trace_context = traced};
    assert_ok(tt_runtime_set(&runtime, &err), &err);
}

static void test_trace__level_1_puts_earlier_ops_into_messages(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct traced traced = {0};
    set_trace(1, &traced);
    tt_scope *s = tt_scope_open(TT_NO_GRAD);
    tt_tensor *a = tt_exp(s, tt_neg(s, vector(s, (float[]){1, 2}, 2)));
    (void)tt_reshape(s, a, TT_SHAPE(3));
    assert_fails(tt_scope_check(s, &err), ERR_BACKEND, "before: exp [2] < neg [2] < from_f32",
                 &err);
    assert_int_equal(traced.lines, 0);
    tt_scope_close(s);
    /* Also where our own checks refuse, before libtorch is asked. */
    s = tt_scope_open(TT_NO_GRAD);
    a = tt_exp(s, tt_neg(s, vector(s, (float[]){1, 2}, 2)));
    (void)tt_add(s, a, vector(s, (float[]){1, 2, 3}, 3));
    assert_fails(tt_scope_check(s, &err), ERR_SHAPE,
                 "add: shapes [2] and [3] differ; before: from_f32 < exp [2] < neg [2] < from_f32",
                 &err);
    tt_scope_close(s);
    set_trace(0, &traced);
}

static void test_trace__level_3_reports_values(void **state) {
    (void)state;
    struct traced traced = {0};
    set_trace(3, &traced);
    tt_scope *s = tt_scope_open(TT_NO_GRAD);
    tt_tensor *a = vector(s, (float[]){1, 3, INFINITY}, 3);
    (void)tt_clamp_max(s, a, 5);
    assert_int_equal(traced.lines, 2);
    assert_non_null(strstr(traced.last, "clamp_max [3] -> [3] "));
    assert_non_null(strstr(traced.last, " us min 1 max 5 mean 3 nonfinite 0"));
    tt_scale_inplace(s, tt_narrow(s, a, 0, 0, 2), 2);
    assert_int_equal(traced.lines, 4);
    assert_non_null(strstr(traced.last, "scale_inplace [2] -> [2] "));
    assert_non_null(strstr(traced.last, " us min 2 max 6 mean 4 nonfinite 0"));
    tt_scope_close(s);
    set_trace(0, &traced);
}

/* --- process and devices --- */

static void test_device_parse__known_and_unknown(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct tt_device device = {TT_CPU, 5};
    assert_ok(tt_device_parse("cpu", &device, &err), &err);
    assert_int_equal(device.kind, TT_CPU);
    assert_int_equal(device.index, 0);
    assert_ok(tt_device_parse("cuda:3", &device, &err), &err);
    assert_int_equal(device.kind, TT_CUDA);
    assert_int_equal(device.index, 3);
    assert_fails(tt_device_parse("tpu", &device, &err), ERR_USAGE, "device 'tpu' is not known",
                 &err);
    assert_fails(tt_device_parse("cuda:", &device, &err), ERR_USAGE, "'cuda:'", &err);
    assert_fails(tt_device_parse("cuda:1x", &device, &err), ERR_USAGE, "'cuda:1x'", &err);
    assert_fails(tt_device_parse("cuda:100", &device, &err), ERR_USAGE, "'cuda:100'", &err);
}

static void test_device_open__cuda_without_gpu_says_why(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    if (tt_cuda_device_count(&err) > 0) {
        skip();
    }
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_int_equal(tt_device_open((struct tt_device){TT_CUDA, 0}, &err), ERR_UNAVAILABLE);
    assert_int_equal(strncmp(err.msg, "CUDA: ", 6), 0);
    assert_null(strchr(err.msg, '\n'));
}

static void test_device_measure__is_positive_and_stays(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct tt_device_rates first = {0};
    struct tt_device_rates second = {0};
    const struct tt_device cpu = {TT_CPU, 0};
    assert_ok(tt_device_measure(cpu, &first, &err), &err);
    assert_ok(tt_device_measure(cpu, &second, &err), &err);
    assert_true(first.f32_gflops > 0.1 && first.bf16_gflops > 0.01);
    assert_memory_equal(&first, &second, sizeof first);
    enum tt_dtype dtype = TT_I64;
    assert_ok(tt_device_matmul_dtype(cpu, &dtype, &err), &err);
    assert_int_equal(dtype, kernel_isa_supported(KERNEL_ISA_AVX512_BF16) ? TT_BF16 : TT_F32);
}

static void test_runtime_set__threads(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    int64_t before = tt_threads();
    assert_ok(tt_runtime_set(&(struct tt_runtime){.threads = 1}, &err), &err);
    assert_int_equal(tt_threads(), 1);
    assert_ok(tt_runtime_set(&(struct tt_runtime){.threads = before}, &err), &err);
    assert_int_equal(tt_threads(), before);
    assert_fails(tt_runtime_set(&(struct tt_runtime){.threads = -1}, &err), ERR_CONFIG,
                 "threads = -1 is outside", &err);
}

static void test_library_describe__is_the_version_compiled_against(void **state) {
    (void)state;
    assert_string_equal(tt_library_describe().version, "2.11.0");
    assert_true(strlen(tt_library_describe().cpu_capability) > 0);
}

static void test_ten_ops__peer_and_shim_agree(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    double peer = 0;
    double ours = 1;
    assert_ok(tt_peer_ten_ops(3, &peer, &err), &err);
    assert_ok(tt_peer_ten_ops_scoped(3, &ours, &err), &err);
    assert_true(peer == ours);
}

#define scoped_test(f) cmocka_unit_test_setup_teardown(f, remember_handles, handles_are_back)

int main(void) {
    const struct CMUnitTest tests[] = {
        scoped_test(test_scope__owns_its_temporaries),
        scoped_test(test_scope__holds_many_handles),
        scoped_test(test_scope_rewind__frees_what_came_after_the_mark),
        scoped_test(test_share__lets_a_result_outlive_its_scope),
        scoped_test(test_keep__outlives_every_scope),
        scoped_test(test_backward__works_after_intermediate_handles_died),
        scoped_test(test_scope__keeps_the_first_error),
        scoped_test(test_scope_fail__records_the_callers_error),
        scoped_test(test_scope__null_scope_reports_missing_memory),
        scoped_test(test_scope__survives_a_failed_chunk),
        scoped_test(test_scope__refuses_another_thread),
        scoped_test(test_exceptions__never_leave_the_shim),
        scoped_test(test_huge_tensor__is_out_of_memory),
        scoped_test(test_freed_tensors__leave_room_for_others_of_their_size),
        scoped_test(test_rank__is_at_most_eight),
        scoped_test(test_expect__names_variable_and_dimensions),
        scoped_test(test_grad_mode__belongs_to_the_scope_of_the_op),
        scoped_test(test_no_grad__results_take_no_gradient),
        scoped_test(test_leaf_grad__is_a_copy),
        scoped_test(test_backward__refuses_what_has_no_gradient),
        scoped_test(test_grad_of__first_and_second_derivative),
        scoped_test(test_dpo_loss__hand_worked),
        scoped_test(test_trace__level_1_puts_earlier_ops_into_messages),
        scoped_test(test_trace__level_3_reports_values),
        scoped_test(test_device_parse__known_and_unknown),
        scoped_test(test_device_open__cuda_without_gpu_says_why),
        scoped_test(test_device_measure__is_positive_and_stays),
        scoped_test(test_runtime_set__threads),
        scoped_test(test_library_describe__is_the_version_compiled_against),
        scoped_test(test_ten_ops__peer_and_shim_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
