/* test_tt_params.c - the parameter store, its files, and AdamW over flat buffers. */
#include "base/file.h"
#include "base/file_atomic.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/scoped.h"
#include "tensor/kernels/kernel_convert.h"
#include "tensor/tt.h"
#include "tensor/tt_peers.h"
#include "tests/support/near.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <errno.h>
#include <math.h>

static const struct tt_device cpu = {TT_CPU, 0};
static const struct tt_adamw_config customary = {
    .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 0.01};

/* Each test starts with an empty folder, and ends with as many live handles as it began with. */
struct fixture {
    void *scratch;
    int64_t handles;
};

static int set_up(void **state) {
    static struct fixture fixture;
    fixture.handles = tt_live_handles();
    *state = &fixture;
    return scratch_setup(&fixture.scratch);
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    int removed = scratch_teardown(&fixture->scratch);
    return tt_live_handles() == fixture->handles ? removed : -1;
}

static const char *path_in(void **state, const char *name) {
    return scratch_path(((struct fixture *)*state)->scratch, name);
}

/* A small network's worth: matrices that decay, a bias that does not, a frozen bf16 table; blocks
 * of `block` elements of the weight. */
static struct tt_params *store_in_blocks(int64_t block) {
    struct error err = ERROR_INIT;
    struct tt_params *params = NULL;
    const struct tt_param_spec specs[] = {
        {.name = "bias", .dtype = TT_F32, .shape = TT_SHAPE(3), .trainable = true, .block = 1},
        {.name = "weight",
         .dtype = TT_F32,
         .shape = TT_SHAPE(3, 7),
         .trainable = true,
         .decay = true,
         .block = block},
        {.name = "table", .dtype = TT_BF16, .shape = TT_SHAPE(2, 2)},
        {.name = "scale",
         .dtype = TT_F32,
         .shape = TT_SHAPE_SCALAR,
         .trainable = true,
         .decay = true,
         .block = 1},
    };
    assert_ok(tt_params_new(cpu, &params, &err), &err);
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        assert_ok(tt_params_declare(params, &specs[i], &err), &err);
    }
    assert_ok(tt_params_allocate(params, &err), &err);
    return params;
}

static struct tt_params *small_store(void) {
    return store_in_blocks(1);
}

/* Values that identify parameter and element. */
static void fill_store(struct tt_params *params, uint64_t seed) {
    struct error err = ERROR_INIT;
    tt_scope *s = tt_scope_open(TT_NO_GRAD);
    for (int64_t i = 0; i < tt_params_count(params); i++) {
        const struct tt_param_spec spec = tt_params_spec(params, i);
        struct rng rng = rng_stream(seed, RNG_TEST, 0, i);
        tt_tensor *values = tt_cast(s, tt_rand_normal(s, &rng, spec.shape), spec.dtype);
        tt_copy_inplace(s, tt_param(s, params, spec.name), values);
    }
    assert_ok(tt_scope_check(s, &err), &err);
    tt_scope_close(s);
}

static void read_param(struct tt_params *params, const char *name, float *out, int64_t count) {
    struct error err = ERROR_INIT;
    tt_scope *s = tt_scope_open(TT_NO_GRAD);
    tt_tensor *values = tt_cast(s, tt_param(s, params, name), TT_F32);
    assert_ok(tt_read_f32(s, values, out, count, &err), &err);
    tt_scope_close(s);
}

/* loss = sum(weight * c) * scale + sum(bias^2): gradients depend on every parameter. */
static void accumulate(struct tt_params *params) {
    struct error err = ERROR_INIT;
    tt_scope *s = tt_scope_open(TT_GRAD);
    float c[21];
    for (int i = 0; i < 21; i++) {
        c[i] = 0.25F * (float)(i % 5) - 0.4F;
    }
    tt_tensor *product =
        tt_mul(s, tt_param(s, params, "weight"), tt_from_f32(s, c, TT_SHAPE(3, 7)));
    tt_tensor *scaled = tt_mul(s, tt_sum(s, product), tt_param(s, params, "scale"));
    tt_tensor *loss = tt_add(s, scaled, tt_sum(s, tt_square(s, tt_param(s, params, "bias"))));
    assert_ok(tt_backward(s, loss, &err), &err);
    tt_scope_close(s);
}

/* --- the store --- */

static void test_params_declare__refusals(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(tt_params) struct tt_params *params = NULL;
    assert_ok(tt_params_new(cpu, &params, &err), &err);
    struct tt_param_spec spec = {
        .name = "w", .dtype = TT_F32, .shape = TT_SHAPE(2), .trainable = true};
    assert_ok(tt_params_declare(params, &spec, &err), &err);
    assert_fails(tt_params_declare(params, &spec, &err), ERR_INTERNAL, "'w': declared twice", &err);
    spec.name = "__metadata__";
    assert_fails(tt_params_declare(params, &spec, &err), ERR_INTERNAL, "keeps this name", &err);
    spec.name = "";
    assert_fails(tt_params_declare(params, &spec, &err), ERR_INTERNAL, "name of 0 bytes", &err);
    spec.name = "v";
    spec.dtype = TT_BF16;
    assert_fails(tt_params_declare(params, &spec, &err), ERR_DTYPE, "are f32, not bf16", &err);
    spec.dtype = TT_F32;
    spec.shape = TT_SHAPE(INT64_C(1) << 40, INT64_C(1) << 40);
    assert_fails(tt_params_declare(params, &spec, &err), ERR_SHAPE, "'v': its shape", &err);
    spec.shape = TT_SHAPE(INT64_C(1) << 62); /* twice that overflows an offset */
    assert_fails(tt_params_declare(params, &spec, &err), ERR_SHAPE, "'v': its shape", &err);
    spec.shape = TT_SHAPE(3, 7);
    spec.block = 6;
    assert_fails(tt_params_declare(params, &spec, &err), ERR_SHAPE,
                 "'v': blocks of 6 do not divide its 21 elements", &err);
    spec.block = 0;
    assert_ok(tt_params_allocate(params, &err), &err);
    spec.shape = TT_SHAPE(1);
    assert_fails(tt_params_declare(params, &spec, &err), ERR_INTERNAL, "after allocation", &err);
    assert_fails(tt_params_allocate(params, &err), ERR_INTERNAL, "allocated twice", &err);
}

static void test_params__lists_what_was_declared(void **state) {
    (void)state;
    SCOPED(tt_params) struct tt_params *params = small_store();
    assert_int_equal(tt_params_count(params), 4);
    assert_int_equal(tt_params_trainable_elements(params), 3 + 21 + 1);
    const struct tt_param_spec spec = tt_params_spec(params, 1);
    assert_string_equal(spec.name, "weight");
    assert_int_equal(spec.shape.dim[1], 7);
    assert_true(spec.trainable && spec.decay);
}

static void test_param__unknown_name_is_a_scope_error(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(tt_params) struct tt_params *params = small_store();
    tt_scope *s = tt_scope_open(TT_GRAD);
    assert_null(tt_neg(s, tt_param(s, params, "wieght")));
    assert_fails(tt_scope_check(s, &err), ERR_INTERNAL, "no parameter 'wieght'", &err);
    tt_scope_close(s);
    s = tt_scope_open(TT_GRAD);
    assert_null(tt_param_grad(s, params, "table"));
    assert_fails(tt_scope_check(s, &err), ERR_INTERNAL, "no trainable parameter 'table'", &err);
    tt_scope_close(s);
}

/* Gradients of accumulate() by hand: d/d scale = sum(weight c), d/d bias = 2 bias,
 * d/d weight = c scale. Two backwards add up; zeroing clears. */
static void test_params__gradients_accumulate_in_place(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(tt_params) struct tt_params *params = small_store();
    fill_store(params, 1);
    float bias[3];
    float scale = 0;
    read_param(params, "bias", bias, 3);
    read_param(params, "scale", &scale, 1);
    accumulate(params);
    accumulate(params);
    tt_scope *s = tt_scope_open(TT_NO_GRAD);
    float bias_grad[3];
    float weight_grad[21];
    assert_ok(tt_read_f32(s, tt_param_grad(s, params, "bias"), bias_grad, 3, &err), &err);
    assert_ok(tt_read_f32(s, tt_param_grad(s, params, "weight"), weight_grad, 21, &err), &err);
    assert_true(bias_grad[2] == 4 * bias[2]);
    assert_float_equal(weight_grad[3], 2 * (0.25F * 3 - 0.4F) * scale, 1e-6F);
    assert_ok(tt_params_zero_grad(params, &err), &err);
    assert_ok(tt_read_f32(s, tt_param_grad(s, params, "bias"), bias_grad, 3, &err), &err);
    assert_true(bias_grad[0] == 0 && bias_grad[1] == 0 && bias_grad[2] == 0);
    tt_scope_close(s);
}

/* Gradients that arrive expanded, transposed or row by row: the norm, which sees
 * the flat buffer only, is that of 1 + 2 + 3 for each weight and 1 + 2 in the row not taken. */
static void test_params__gradients_of_any_layout_reach_the_flat_buffer(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(tt_params) struct tt_params *params = small_store();
    tt_scope *s = tt_scope_open(TT_GRAD);
    tt_tensor *weight = tt_param(s, params, "weight"); /* [3, 7] */
    const int64_t taken[] = {2, 0};
    tt_tensor *rows = tt_embedding(s, weight, tt_from_i64(s, taken, TT_SHAPE(2)));
    tt_tensor *across =
        tt_matmul(s, tt_transpose(s, weight, 0, 1), tt_full(s, TT_F32, TT_SHAPE(3, 1), 2));
    tt_tensor *loss = tt_add(s, tt_sum(s, weight), tt_sum(s, across));
    loss = tt_add(s, loss, tt_scale(s, tt_sum(s, rows), 3));
    double norm = 0;
    for (int passes = 1; passes <= 2; passes++) {
        tt_tensor *grad = NULL; /* as a temporary: stored gradients stay as they are */
        tt_grad_of(s, loss, (const tt_tensor *[]){weight}, 1, true, &grad);
        tt_tensor *again = tt_sum(s, tt_mul(s, weight, tt_detach(s, grad)));
        assert_ok(tt_backward(s, again, &err), &err);
        assert_ok(tt_params_grad_norm(params, &norm, &err), &err);
        assert_true(fabs(norm - passes * sqrt(14 * 36 + 7 * 9)) < 1e-9);
    }
    assert_ok(tt_params_zero_grad(params, &err), &err);
    assert_ok(tt_backward(s, loss, &err), &err);
    assert_ok(tt_params_grad_norm(params, &norm, &err), &err);
    assert_true(norm == sqrt(14 * 36 + 7 * 9));
    tt_scope_close(s);
}

static void test_params_grad_norm__and_clip_factor(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(tt_params) struct tt_params *params = small_store();
    tt_scope *s = tt_scope_open(TT_NO_GRAD);
    tt_fill_inplace(s, tt_param_grad(s, params, "scale"), 3);
    tt_fill_inplace(s, tt_param_grad(s, params, "bias"), 4); /* sqrt(9 + 3 * 16) */
    double norm = 0;
    assert_ok(tt_params_grad_norm(params, &norm, &err), &err);
    assert_true(norm == sqrt(57.0));
    assert_true(tt_clip_factor(norm, 1.0) == 1.0 / norm);
    assert_true(tt_clip_factor(norm, 100.0) == 1.0);
    assert_true(tt_clip_factor(norm, HUGE_VAL) == 1.0);
    tt_fill_inplace(s, tt_param_grad(s, params, "weight"), (double)NAN);
    assert_ok(tt_params_grad_norm(params, &norm, &err), &err);
    const bool finite = isfinite(norm);
    assert_false(finite);
    tt_scope_close(s);
}

/* 1 / inf = 0 would step as if nothing were wrong, and "NaN > 1" is false. */
static void test_clip_factor__of_what_cannot_be_clipped_stops_the_step(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(tt_params) struct tt_params *params = small_store();
    SCOPED(tt_adamw) struct tt_adamw *adamw = NULL;
    assert_ok(tt_adamw_new(params, &customary, &adamw, &err), &err);
    const double cases[][2] = {{HUGE_VAL, 1}, {(double)NAN, 1}, {2, 0}, {2, -1}, {2, (double)NAN}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const double factor = tt_clip_factor(cases[i][0], cases[i][1]);
        assert_fails(tt_adamw_step(adamw, 0.1, factor, &err), ERR_INTERNAL, "gradient scale nan",
                     &err);
    }
    assert_int_equal(tt_adamw_steps_done(adamw), 0);
}

/* --- files --- */

static void test_params_save__loads_back_the_same_bits(void **state) {
    struct error err = ERROR_INIT;
    const char *path = path_in(state, "weights.safetensors");
    SCOPED(tt_params) struct tt_params *saved = small_store();
    SCOPED(tt_params) struct tt_params *loaded = small_store();
    fill_store(saved, 2);
    const struct safetensors_entry metadata = {"format", "pt"};
    assert_ok(tt_params_save(saved, path, &metadata, 1, &err), &err);
    assert_ok(tt_params_load(loaded, path, &err), &err);
    const struct {
        const char *name;
        int64_t count;
    } params[] = {{"bias", 3}, {"weight", 21}, {"table", 4}, {"scale", 1}};
    for (size_t i = 0; i < 4; i++) {
        float left[21];
        float right[21];
        read_param(saved, params[i].name, left, params[i].count);
        read_param(loaded, params[i].name, right, params[i].count);
        assert_memory_equal(left, right, (size_t)params[i].count * sizeof(float));
    }
}

/* A store with one parameter of this name, shape and dtype, saved to `path`. */
static void save_other(const char *path, const char *name, struct tt_shape shape,
                       enum tt_dtype dtype) {
    struct error err = ERROR_INIT;
    SCOPED(tt_params) struct tt_params *params = NULL;
    assert_ok(tt_params_new(cpu, &params, &err), &err);
    const struct tt_param_spec spec = {.name = name, .dtype = dtype, .shape = shape};
    assert_ok(tt_params_declare(params, &spec, &err), &err);
    assert_ok(tt_params_allocate(params, &err), &err);
    assert_ok(tt_params_save(params, path, NULL, 0, &err), &err);
}

static void test_params_load__names_what_does_not_fit_and_changes_nothing(void **state) {
    struct error err = ERROR_INIT;
    const char *path = path_in(state, "weights.safetensors");
    SCOPED(tt_params) struct tt_params *params = NULL;
    assert_ok(tt_params_new(cpu, &params, &err), &err);
    const struct tt_param_spec spec = {
        .name = "w", .dtype = TT_F32, .shape = TT_SHAPE(2, 3), .trainable = true};
    assert_ok(tt_params_declare(params, &spec, &err), &err);
    assert_ok(tt_params_allocate(params, &err), &err);
    fill_store(params, 3);
    float before[6];
    float after[6];
    read_param(params, "w", before, 6);

    save_other(path, "v", TT_SHAPE(2, 3), TT_F32);
    assert_fails(tt_params_load(params, path, &err), ERR_DATA, "tensor 'w' is missing", &err);
    save_other(path, "w", TT_SHAPE(3, 2), TT_F32);
    assert_fails(tt_params_load(params, path, &err), ERR_DATA,
                 "tensor 'w' has shape [3, 2], expected [2, 3]", &err);
    save_other(path, "w", TT_SHAPE(2, 3), TT_BF16);
    assert_fails(tt_params_load(params, path, &err), ERR_DATA, "tensor 'w' is BF16, expected F32",
                 &err);
    SCOPED(tt_params) struct tt_params *more = small_store();
    assert_ok(tt_params_save(more, path, NULL, 0, &err), &err);
    assert_int_equal(tt_params_load(params, path, &err), ERR_DATA);
    assert_int_equal(tt_params_load(params, "/nonexistent/w", &err), ERR_IO);

    read_param(params, "w", after, 6);
    assert_memory_equal(before, after, sizeof before);
}

/* Eight bytes of header length, the header, and two elements, of which the second is no bool. */
static void test_params_load__refuses_a_bool_that_is_none(void **state) {
    static const char header[] =
        "{\"mask\":{\"dtype\":\"BOOL\",\"shape\":[2],\"data_offsets\":[0,2]}}";
    struct error err = ERROR_INIT;
    unsigned char bytes[8 + sizeof header - 1 + 2] = {sizeof header - 1};
    memcpy(bytes + 8, header, sizeof header - 1);
    bytes[sizeof bytes - 2] = 1;
    bytes[sizeof bytes - 1] = 2;
    const char *path = path_in(state, "mask.safetensors");
    assert_ok(file_atomic_write_whole(path, bytes, sizeof bytes, &err), &err);
    SCOPED(tt_params) struct tt_params *params = NULL;
    const struct tt_param_spec spec = {.name = "mask", .dtype = TT_BOOL, .shape = TT_SHAPE(2)};
    assert_ok(tt_params_new(cpu, &params, &err), &err);
    assert_ok(tt_params_declare(params, &spec, &err), &err);
    assert_ok(tt_params_allocate(params, &err), &err);
    assert_fails(tt_params_load(params, path, &err), ERR_DATA, "byte other than 0 and 1", &err);
}

static void test_params_save__disk_full_leaves_nothing_partial(void **state) {
    struct error err = ERROR_INIT;
    const char *path = path_in(state, "weights.safetensors");
    SCOPED(tt_params) struct tt_params *params = small_store();
    int64_t failures = 0;
    for (int64_t n = 1; n < 100; n++) {
        file_fail_nth(n, ENOSPC);
        enum err_code code = tt_params_save(params, path, NULL, 0, &err);
        bool reached = file_fail_reached();
        file_fail_nth(0, 0);
        if (!reached) {
            assert_int_equal(code, ERR_OK);
            break;
        }
        assert_int_equal(code, ERR_IO);
        /* Only the last step, syncing the folder, fails with the whole file in place. */
        const char *left_behind = scratch_list(((struct fixture *)*state)->scratch);
        if (strcmp(left_behind, "weights.safetensors") == 0) {
            assert_ok(tt_params_load(params, path, &err), &err);
        } else {
            assert_string_equal(left_behind, "");
        }
        failures++;
    }
    assert_true(failures >= 4); /* open, write, sync, rename at least */
}

/* Every element of every trainable parameter: the shadow is the value to nearest even. */
static void check_shadow(struct tt_params *params) {
    struct error err = ERROR_INIT;
    SCOPED(tt_scope) tt_scope *s = tt_scope_open(TT_NO_GRAD);
    static const char *const names[] = {"bias", "weight", "scale"};
    for (int i = 0; i < 3; i++) {
        float value[21];
        float shadow[21];
        const int64_t count = tt_count_of(tt_param(s, params, names[i]));
        read_param(params, names[i], value, count);
        tt_tensor *wide = tt_cast(s, tt_param_shadow(s, params, names[i]), TT_F32);
        assert_ok(tt_read_f32(s, wide, shadow, count, &err), &err);
        for (int64_t j = 0; j < count; j++) {
            float expected = kernel_f32_of_bf16(kernel_bf16_of_f32(value[j]));
            assert_memory_equal(&shadow[j], &expected, sizeof expected);
        }
    }
}

/* --- AdamW --- */

/* Two steps by hand, one parameter, beta1 0.9, beta2 0.999, lr 0.1, decay 0.1, gradient 2 then 2:
 * step 1: p = 1 (1 - 0.01) = 0.99, m = 0.2, v = 0.004, m^ = 2, v^ = 4, p = 0.99 - 0.1 = 0.89
 * step 2: p = 0.89 * 0.99 = 0.8811, m^ = 2, v^ = 4, p = 0.7811 */
static void test_adamw__hand_worked(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(tt_params) struct tt_params *params = small_store();
    struct tt_adamw_config config = customary;
    config.weight_decay = 0.1;
    SCOPED(tt_adamw) struct tt_adamw *adamw = NULL;
    assert_ok(tt_adamw_new(params, &config, &adamw, &err), &err);
    tt_scope *s = tt_scope_open(TT_NO_GRAD);
    tt_fill_inplace(s, tt_param(s, params, "scale"), 1); /* decays */
    tt_fill_inplace(s, tt_param(s, params, "bias"), 1);  /* does not */
    tt_fill_inplace(s, tt_param_grad(s, params, "scale"), 2);
    tt_fill_inplace(s, tt_param_grad(s, params, "bias"), 2);
    assert_ok(tt_adamw_step(adamw, 0.1, 1.0, &err), &err);
    float scale = 0;
    float bias[3];
    read_param(params, "scale", &scale, 1);
    assert_float_equal(scale, 0.89F, 1e-6F);
    assert_ok(tt_adamw_step(adamw, 0.1, 1.0, &err), &err);
    read_param(params, "scale", &scale, 1);
    read_param(params, "bias", bias, 3);
    assert_float_equal(scale, 0.7811F, 1e-6F);
    assert_float_equal(bias[0], 0.8F, 1e-6F);
    assert_int_equal(tt_adamw_steps_done(adamw), 2);
    tt_scope_close(s);
}

static void test_adamw_new__refuses_a_bad_configuration(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(tt_params) struct tt_params *params = small_store();
    struct tt_adamw *adamw = NULL;
    struct tt_adamw_config config = customary;
    config.beta2 = 1.0;
    assert_fails(tt_adamw_new(params, &config, &adamw, &err), ERR_CONFIG, "beta2 = 1", &err);
    config = customary;
    config.eps = 0;
    assert_fails(tt_adamw_new(params, &config, &adamw, &err), ERR_CONFIG, "eps = 0", &err);
    config.eps = 1e-60; /* 0 as an f32 */
    assert_fails(tt_adamw_new(params, &config, &adamw, &err), ERR_CONFIG, "eps = 1e-60", &err);
    config = customary;
    config.weight_decay = (double)NAN;
    assert_fails(tt_adamw_new(params, &config, &adamw, &err), ERR_CONFIG, "weight_decay", &err);
    assert_null(adamw);
}

/* d w^2 / dw = 2 w: after the step, w is no longer what the formula saw. */
static void test_adamw_step__makes_earlier_formulas_refuse_backward(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(tt_params) struct tt_params *params = small_store();
    SCOPED(tt_adamw) struct tt_adamw *adamw = NULL;
    assert_ok(tt_adamw_new(params, &customary, &adamw, &err), &err);
    tt_scope *s = tt_scope_open(TT_GRAD);
    tt_tensor *loss = tt_sum(s, tt_square(s, tt_param(s, params, "weight")));
    assert_ok(tt_adamw_step(adamw, 0.1, 1.0, &err), &err);
    assert_fails(tt_backward(s, loss, &err), ERR_BACKEND, "modified by an inplace operation", &err);
    tt_scope_close(s);
    accumulate(params); /* a formula from after the step */
}

/* A step after k steps, a save and a load is the step without them, bit for bit. */
static void check_resuming(void **state, enum tt_second_moments second_moments) {
    struct error err = ERROR_INIT;
    struct tt_adamw_config config = customary;
    config.second_moments = second_moments;
    const char *weights = path_in(state, "weights.safetensors");
    const char *optimiser = path_in(state, "optimiser.safetensors");
    SCOPED(tt_params) struct tt_params *straight = store_in_blocks(7);
    SCOPED(tt_params) struct tt_params *resumed = store_in_blocks(7);
    SCOPED(tt_adamw) struct tt_adamw *first = NULL;
    SCOPED(tt_adamw) struct tt_adamw *second = NULL;
    assert_ok(tt_adamw_new(straight, &config, &first, &err), &err);
    assert_ok(tt_adamw_new(resumed, &config, &second, &err), &err);
    fill_store(straight, 4);
    for (int step = 1; step <= 6; step++) {
        assert_ok(tt_params_zero_grad(straight, &err), &err);
        accumulate(straight);
        assert_ok(tt_adamw_step(first, 0.01, 0.5, &err), &err);
        if (step == 3) {
            assert_ok(tt_params_save(straight, weights, NULL, 0, &err), &err);
            assert_ok(tt_adamw_save(first, optimiser, &err), &err);
            assert_ok(tt_params_load(resumed, weights, &err), &err);
            assert_ok(tt_adamw_load(second, optimiser, &err), &err);
            assert_int_equal(tt_adamw_steps_done(second), 3);
        }
        if (step > 3) {
            assert_ok(tt_params_zero_grad(resumed, &err), &err);
            accumulate(resumed);
            assert_ok(tt_adamw_step(second, 0.01, 0.5, &err), &err);
        }
    }
    float left[21];
    float right[21];
    read_param(straight, "weight", left, 21);
    read_param(resumed, "weight", right, 21);
    assert_memory_equal(left, right, sizeof left);
    /* A weights file is not an optimiser file. */
    assert_int_equal(tt_adamw_load(second, weights, &err), ERR_DATA);
}

static void test_adamw__resumes_bit_for_bit(void **state) {
    check_resuming(state, TT_MOMENT_EACH);
}

/* --- Adam-mini --- */

static void test_adam_mini__resumes_bit_for_bit(void **state) {
    check_resuming(state, TT_MOMENT_BLOCK);
}

/* The weight of a store after three steps, and with `shadow` its bf16 copy. */
static void three_steps(int64_t block, enum tt_second_moments second_moments, bool with_shadow,
                        float out_weight[21]) {
    struct error err = ERROR_INIT;
    struct tt_adamw_config config = customary;
    config.second_moments = second_moments;
    SCOPED(tt_params) struct tt_params *params = store_in_blocks(block);
    SCOPED(tt_adamw) struct tt_adamw *adamw = NULL;
    fill_store(params, 10);
    if (with_shadow) {
        assert_ok(tt_params_add_shadow(params, &err), &err);
    }
    assert_ok(tt_adamw_new(params, &config, &adamw, &err), &err);
    for (int step = 0; step < 3; step++) {
        accumulate(params);
        assert_ok(tt_adamw_step(adamw, 0.05, 0.5, &err), &err);
        if (with_shadow) {
            check_shadow(params);
        }
    }
    read_param(params, "weight", out_weight, 21);
}

static void test_adam_mini__is_adamw_with_blocks_of_one_and_not_otherwise(void **state) {
    (void)state;
    float adamw[21];
    float one[21];
    float shadowed[21];
    float rows[21];
    three_steps(1, TT_MOMENT_EACH, false, adamw);
    three_steps(1, TT_MOMENT_BLOCK, false, one);
    three_steps(7, TT_MOMENT_BLOCK, false, rows);
    three_steps(7, TT_MOMENT_BLOCK, true, shadowed);
    assert_memory_equal(one, adamw, sizeof adamw);
    assert_memory_not_equal(rows, adamw, sizeof adamw);
    assert_memory_equal(shadowed, rows, sizeof rows);
}

/* Rows of 7, lr 0.1, no decay of the bias, one step from zero moments with gradient 2 everywhere
 * but 0 in one element of row 0: the mean square of row 0 is 4 * 6 / 7, so that its other elements
 * move by lr 2 / sqrt(24 / 7), and those of rows 1 and 2 by lr. */
static void test_adam_mini__hand_worked(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    const struct tt_adamw_config config = {
        .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-12, .second_moments = TT_MOMENT_BLOCK};
    SCOPED(tt_params) struct tt_params *params = store_in_blocks(7);
    SCOPED(tt_adamw) struct tt_adamw *adamw = NULL;
    assert_ok(tt_adamw_new(params, &config, &adamw, &err), &err);
    assert_int_equal(tt_adamw_state_elements(adamw), 25 + 3 + 3 + 1); /* of AdamW: 50 */
    float grads[21];
    for (int i = 0; i < 21; i++) {
        grads[i] = i == 3 ? 0.0F : 2.0F;
    }
    tt_scope *s = tt_scope_open(TT_NO_GRAD);
    tt_copy_inplace(s, tt_param_grad(s, params, "weight"), tt_from_f32(s, grads, TT_SHAPE(3, 7)));
    tt_fill_inplace(s, tt_param_grad(s, params, "bias"), -3);
    assert_ok(tt_adamw_step(adamw, 0.1, 1.0, &err), &err);
    tt_scope_close(s);
    float weight[21];
    float bias[3];
    read_param(params, "weight", weight, 21);
    read_param(params, "bias", bias, 3);
    for (int i = 0; i < 21; i++) {
        const float expected = i == 3 ? 0.0F : i < 7 ? -0.2F / sqrtf(24.0F / 7.0F) : -0.1F;
        assert_float_equal(weight[i], expected, 1e-6F);
    }
    assert_float_equal(bias[2], 0.1F, 1e-6F);
}

static void test_adam_mini__refuses_what_has_no_blocks(void **state) {
    struct error err = ERROR_INIT;
    const char *optimiser = path_in(state, "optimiser.safetensors");
    struct tt_adamw_config config = customary;
    SCOPED(tt_params) struct tt_params *open = store_in_blocks(0);
    SCOPED(tt_params) struct tt_params *params = store_in_blocks(7);
    SCOPED(tt_adamw) struct tt_adamw *adamw = NULL;
    SCOPED(tt_adamw) struct tt_adamw *mini = NULL;
    assert_ok(tt_adamw_new(open, &config, &adamw, &err), &err);
    assert_int_equal(tt_adamw_state_elements(adamw), 50);
    assert_ok(tt_adamw_save(adamw, optimiser, &err), &err);
    config.second_moments = TT_MOMENT_BLOCK;
    assert_fails(tt_adamw_new(open, &config, &mini, &err), ERR_INTERNAL,
                 "'weight' was declared without a block", &err);
    assert_null(mini);
    assert_ok(tt_adamw_new(params, &config, &mini, &err), &err);
    assert_fails(tt_adamw_load(mini, optimiser, &err), ERR_DATA,
                 "'exp_avg_sq.weight' has shape [3, 7], expected [3]", &err);
}

/* --- the kernel against ATen --- */

struct buffers {
    float *param, *grad, *exp_avg, *exp_avg_sq;
};

static struct buffers random_buffers(int64_t n) {
    struct buffers b = {mem_array((size_t)n, 4), mem_array((size_t)n, 4), mem_array((size_t)n, 4),
                        mem_array((size_t)n, 4)};
    struct rng rng = rng_stream(9, RNG_TEST, 0, n);
    for (int64_t i = 0; i < n; i++) {
        b.param[i] = (float)rng_normal(&rng);
        b.grad[i] = (float)rng_normal(&rng);
        b.exp_avg[i] = 0.1F * (float)rng_normal(&rng);
        b.exp_avg_sq[i] = (float)rng_uniform(&rng);
    }
    return b;
}

static void free_buffers(struct buffers *b) {
    mem_free(b->param);
    mem_free(b->grad);
    mem_free(b->exp_avg);
    mem_free(b->exp_avg_sq);
}

static struct kernel_adamw_args args_of(const struct buffers *b, int64_t n) {
    return (struct kernel_adamw_args){.param = b->param,
                                      .grad = b->grad,
                                      .exp_avg = b->exp_avg,
                                      .exp_avg_sq = b->exp_avg_sq,
                                      .n = n,
                                      .step = 5,
                                      .lr = 1e-2,
                                      .beta1 = 0.9,
                                      .beta2 = 0.95,
                                      .eps = 1e-8,
                                      .weight_decay = 0.1,
                                      .grad_scale = 0.25};
}

/* Both differ from the exact result by a few roundings: 4 ulp of values near 1. */
#define TOL_F32_ADAMW 5e-7F

static void assert_close(const float *left, const float *right, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        float scale = fabsf(right[i]) > 1.0F ? fabsf(right[i]) : 1.0F;
        assert_true(fabsf(left[i] - right[i]) <= TOL_F32_ADAMW * scale);
    }
}

static void test_kernel_adamw__agrees_with_aten(void **state) {
    (void)state;
    const int64_t sizes[] = {1, 15, 16, 1000, 65537};
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        struct error err = ERROR_INIT;
        int64_t n = sizes[k];
        struct buffers ours = random_buffers(n);
        struct buffers fused = random_buffers(n);
        struct buffers pieces = random_buffers(n);
        struct kernel_adamw_args args = args_of(&ours, n);
        kernel_adamw_cpu(&args, (struct kernel_cpu){.threads = 2});
        args = args_of(&fused, n);
        assert_ok(tt_peer_adamw_fused(&args, &err), &err);
        args = args_of(&pieces, n);
        assert_ok(tt_peer_adamw_per_tensor(&args, n < 7 ? 1 : 7, &err), &err);
        assert_close(ours.param, fused.param, n);
        assert_close(ours.exp_avg, fused.exp_avg, n);
        assert_close(ours.exp_avg_sq, fused.exp_avg_sq, n);
        assert_close(ours.param, pieces.param, n);
        assert_close(ours.exp_avg_sq, pieces.exp_avg_sq, n);
        free_buffers(&ours);
        free_buffers(&fused);
        free_buffers(&pieces);
    }
}

/* --- the shadow --- */

/* After it is made, an op, a load, each of two steps, and an op after a step. */
static void test_shadow__is_always_the_rounded_values(void **state) {
    struct error err = ERROR_INIT;
    const char *path = path_in(state, "weights.safetensors");
    SCOPED(tt_params) struct tt_params *params = small_store();
    SCOPED(tt_adamw) struct tt_adamw *adamw = NULL;
    assert_ok(tt_adamw_new(params, &customary, &adamw, &err), &err);
    fill_store(params, 6);
    assert_ok(tt_params_save(params, path, NULL, 0, &err), &err);
    assert_ok(tt_params_add_shadow(params, &err), &err);
    check_shadow(params);
    fill_store(params, 7);
    check_shadow(params);
    assert_ok(tt_params_load(params, path, &err), &err);
    check_shadow(params);
    for (int step = 0; step < 2; step++) {
        accumulate(params);
        assert_ok(tt_adamw_step(adamw, 0.05, 1.0, &err), &err);
        check_shadow(params);
    }
    fill_store(params, 8);
    check_shadow(params);
}

static void test_adamw_step__same_bits_with_and_without_a_shadow(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    float weight[2][21];
    for (int shadowed = 0; shadowed < 2; shadowed++) {
        SCOPED(tt_params) struct tt_params *params = small_store();
        SCOPED(tt_adamw) struct tt_adamw *adamw = NULL;
        fill_store(params, 9);
        if (shadowed) {
            assert_ok(tt_params_add_shadow(params, &err), &err);
        }
        assert_ok(tt_adamw_new(params, &customary, &adamw, &err), &err);
        for (int step = 0; step < 3; step++) {
            accumulate(params);
            assert_ok(tt_adamw_step(adamw, 0.05, 0.5, &err), &err);
        }
        read_param(params, "weight", weight[shadowed], 21);
    }
    assert_memory_equal(weight[0], weight[1], sizeof weight[0]);
}

static void test_shadow__refusals(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(tt_params) struct tt_params *params = NULL;
    assert_ok(tt_params_new(cpu, &params, &err), &err);
    assert_fails(tt_params_add_shadow(params, &err), ERR_INTERNAL, "made once, when allocated",
                 &err);
    SCOPED(tt_params) struct tt_params *store = small_store();
    tt_scope *s = tt_scope_open(TT_NO_GRAD);
    assert_null(tt_param_shadow(s, store, "weight"));
    assert_fails(tt_scope_check(s, &err), ERR_INTERNAL, "no parameter 'weight' with a shadow",
                 &err);
    tt_scope_close(s);
    assert_ok(tt_params_add_shadow(store, &err), &err);
    assert_fails(tt_params_add_shadow(store, &err), ERR_INTERNAL, "made once", &err);
    s = tt_scope_open(TT_NO_GRAD);
    assert_null(tt_param_shadow(s, store, "table")); /* frozen: bf16 itself, if it is to be */
    assert_fails(tt_scope_check(s, &err), ERR_INTERNAL, "no parameter 'table' with a shadow", &err);
    tt_scope_close(s);
}

/* The values in a formula from before a step are gone, also those of the shadow. */
static void test_shadow__a_step_makes_earlier_formulas_refuse_backward(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(tt_params) struct tt_params *params = small_store();
    SCOPED(tt_adamw) struct tt_adamw *adamw = NULL;
    assert_ok(tt_params_add_shadow(params, &err), &err);
    assert_ok(tt_adamw_new(params, &customary, &adamw, &err), &err);
    tt_scope *s = tt_scope_open(TT_GRAD);
    tt_tensor *x = tt_leaf(s, tt_zeros(s, TT_BF16, TT_SHAPE(1, 7)));
    tt_tensor *y = tt_linear_mixed(s, x, tt_detach(s, tt_param(s, params, "weight")),
                                   tt_param_shadow(s, params, "weight"), NULL);
    tt_tensor *loss = tt_sum(s, tt_cast(s, y, TT_F32));
    assert_ok(tt_adamw_step(adamw, 0.1, 1.0, &err), &err);
    assert_fails(tt_backward(s, loss, &err), ERR_BACKEND, "modified by an inplace operation", &err);
    tt_scope_close(s);
}

/* The fused ops add into the store's own gradients: the norm, which sees the flat buffer alone, is
 * that of the weight's gradient. x is 1 in one of 7 inputs, and there are 3 outputs: 3 ones of 21 a
 * pass. The head's logits are equal: d logit = 2/3, -1/3, -1/3, which in bf16 are 171/256 and
 * 171/512. */
static void test_fused__adds_into_the_gradients_of_the_store(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(tt_params) struct tt_params *params = small_store();
    assert_ok(tt_params_add_shadow(params, &err), &err);
    tt_scope *s = tt_scope_open(TT_GRAD);
    const float one_hot[7] = {0, 0, 1, 0, 0, 0, 0};
    const int64_t target = 0;
    tt_tensor *x = tt_cast(s, tt_from_f32(s, one_hot, TT_SHAPE(1, 7)), TT_BF16);
    tt_tensor *weight = tt_param(s, params, "weight");
    tt_tensor *shadow = tt_param_shadow(s, params, "weight");
    double norm = 0;
    for (int passes = 1; passes <= 2; passes++) {
        tt_tensor *y = tt_cast(s, tt_linear_mixed(s, x, weight, shadow, NULL), TT_F32);
        assert_ok(tt_backward(s, tt_sum(s, y), &err), &err);
        assert_ok(tt_params_grad_norm(params, &norm, &err), &err);
        assert_true(norm == passes * sqrt(3));
    }
    assert_ok(tt_params_zero_grad(params, &err), &err);
    const struct tt_head head = {.weight = weight, .shadow = shadow, .logit_scale = 1};
    for (int passes = 1; passes <= 2; passes++) {
        tt_tensor *ids = tt_from_i64(s, &target, TT_SHAPE(1));
        assert_ok(tt_backward(s, tt_sum(s, tt_head_logp(s, x, &head, ids).logp), &err), &err);
        assert_ok(tt_params_grad_norm(params, &norm, &err), &err);
        assert_near(norm, passes * sqrt(1.5) * 171 / 256, 1e-12);
    }
    tt_scope_close(s);
}

#define store_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        store_test(test_params_declare__refusals),
        store_test(test_params__lists_what_was_declared),
        store_test(test_param__unknown_name_is_a_scope_error),
        store_test(test_params__gradients_accumulate_in_place),
        store_test(test_params__gradients_of_any_layout_reach_the_flat_buffer),
        store_test(test_params_grad_norm__and_clip_factor),
        store_test(test_clip_factor__of_what_cannot_be_clipped_stops_the_step),
        store_test(test_params_save__loads_back_the_same_bits),
        store_test(test_params_load__names_what_does_not_fit_and_changes_nothing),
        store_test(test_params_load__refuses_a_bool_that_is_none),
        store_test(test_params_save__disk_full_leaves_nothing_partial),
        store_test(test_adamw__hand_worked),
        store_test(test_adamw_new__refuses_a_bad_configuration),
        store_test(test_adamw_step__makes_earlier_formulas_refuse_backward),
        store_test(test_adamw__resumes_bit_for_bit),
        store_test(test_adam_mini__resumes_bit_for_bit),
        store_test(test_adam_mini__is_adamw_with_blocks_of_one_and_not_otherwise),
        store_test(test_adam_mini__hand_worked),
        store_test(test_adam_mini__refuses_what_has_no_blocks),
        store_test(test_kernel_adamw__agrees_with_aten),
        store_test(test_shadow__is_always_the_rounded_values),
        store_test(test_adamw_step__same_bits_with_and_without_a_shadow),
        store_test(test_shadow__refusals),
        store_test(test_shadow__a_step_makes_earlier_formulas_refuse_backward),
        store_test(test_fused__adds_into_the_gradients_of_the_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
