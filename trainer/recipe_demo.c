/* recipe_demo.c - accord demo: a line fitted through libtorch, beside the truth. In the tensor
 * half.
 *
 * Legend: N points, D features.
 */
#include "base/interrupt.h"
#include "base/json_writer.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/scoped.h"
#include "tensor/tt.h"
#include "trainer/lm_functions.h"
#include "trainer/lm_run.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define FEATURES      3              /* D */
#define NUMBERS       (FEATURES + 2) /* weights, bias, noise */
#define BIAS          1.0
#define NOISE         0.1
#define LEARNING_RATE 0.1 /* falls linearly to zero */

/* Distance from the truth, in standard errors, that chance reaches once in 1.7 million numbers. */
#define STANDARD_ERRORS_MAX 5.0

static const double true_weights[FEATURES] = {2.0, -3.0, 0.5};

/* The points, borrowed from the scope that they were drawn on. */
struct demo_world {
    tt_tensor *x; /* [N, D] */
    tt_tensor *y; /* [N, 1] */
};

struct demo {
    int64_t points; /* N */
    int64_t steps;
    uint64_t seed;
    struct tt_device device;
};

/* One number of the world: what it is and what was found. */
struct demo_number {
    char name[24];
    double truth, found;
    double standard_error; /* of the least-squares estimate; Gaussian noise, N points */
};

struct demo_result {
    struct demo_number numbers[NUMBERS];
    double seconds;
};

/* ---- the world ---- */

/* x standard normal, y = x w + b + noise; both on `s`. */
static enum err_code draw_world(const struct demo *demo, tt_scope *s, struct demo_world *out,
                                struct error *err) {
    SCOPED(mem) float *x = mem_array((size_t)demo->points, FEATURES * sizeof *x);
    SCOPED(mem) float *y = mem_array((size_t)demo->points, sizeof *y);
    if (!x || !y) {
        return err_oom(err, "the points of the demo");
    }
    for (int64_t i = 0; i < demo->points; i++) {
        struct rng rng = rng_stream(demo->seed, RNG_WORLD, 0, i);
        double sum = BIAS;
        for (int64_t d = 0; d < FEATURES; d++) {
            double feature = rng_normal(&rng);
            x[i * FEATURES + d] = (float)feature;
            sum += true_weights[d] * feature;
        }
        y[i] = (float)(sum + NOISE * rng_normal(&rng));
    }
    struct demo_world world = {
        .x = tt_from_f32(s, x, TT_SHAPE(demo->points, FEATURES)),
        .y = tt_from_f32(s, y, TT_SHAPE(demo->points, 1)),
    };
    TRY(tt_scope_check(s, err));
    *out = world;
    return ERR_OK;
}

/* ---- the fit ---- */

static enum err_code make_params(const struct demo *demo, struct tt_params **out_params,
                                 struct error *err) {
    SCOPED(tt_params) struct tt_params *params = NULL;
    TRY(tt_params_new(demo->device, &params, err));
    const struct tt_param_spec specs[] = {
        {.name = "weight", .dtype = TT_F32, .shape = TT_SHAPE(1, FEATURES), .trainable = true},
        {.name = "bias", .dtype = TT_F32, .shape = TT_SHAPE(1), .trainable = true},
    };
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        TRY(tt_params_declare(params, &specs[i], err));
    }
    TRY(tt_params_allocate(params, err));
    *out_params = MOVE(params);
    return ERR_OK;
}

/* Mean squared residual, []. */
static tt_tensor *loss_of(tt_scope *s, const struct tt_params *params,
                          const struct demo_world *world) {
    tt_tensor *weight = tt_param(s, params, "weight");               /* [1, D] */
    tt_tensor *bias = tt_param(s, params, "bias");                   /* [1] */
    tt_tensor *predicted = tt_linear(s, world->x, weight, bias);     /* [N, 1] */
    return tt_mean(s, tt_square(s, tt_sub(s, predicted, world->y))); /* [] */
}

static enum err_code step_once(const struct demo *demo, int64_t step, struct tt_params *params,
                               struct tt_adamw *adamw, const struct demo_world *world,
                               struct error *err) {
    SCOPED(tt_scope) tt_scope *s = tt_scope_open_on(TT_GRAD, demo->device);
    double learning_rate = LEARNING_RATE * (1.0 - (double)step / (double)demo->steps);
    TRY(tt_params_zero_grad(params, err));
    TRY(tt_backward(s, loss_of(s, params, world), err));
    return tt_adamw_step(adamw, learning_rate, 1.0, err);
}

static enum err_code fit(struct run *run, const struct demo *demo, struct tt_params *params,
                         const struct demo_world *world, struct error *err) {
    const struct tt_adamw_config config = {.beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8};
    log_debug(run->log, "demo", "fitting");
    SCOPED(tt_adamw) struct tt_adamw *adamw = NULL;
    TRY(tt_adamw_new(params, &config, &adamw, err));
    SCOPED(progress) struct progress progress;
    run_progress_open(run, "demo", "steps", demo->steps, &progress);
    for (int64_t step = 0; step < demo->steps; step++) {
        TRY(step_once(demo, step, params, adamw, world, err));
        progress_update(&progress, step + 1);
        if (interrupt_requested()) {
            return err_set(err, ERR_INTERRUPTED, "stopped after step %" PRId64 " of %" PRId64,
                           step + 1, demo->steps);
        }
    }
    progress_finish(&progress);
    return ERR_OK;
}

/* ---- what was found ---- */

/* Least squares with N points of unit variance: the error of a weight or the bias is
 * noise / sqrt(N), and that of the noise is noise / sqrt(2 N), up to O(1 / N). */
static enum err_code read_numbers(const struct demo *demo, const struct tt_params *params,
                                  const struct demo_world *world, struct demo_number out[NUMBERS],
                                  struct error *err) {
    SCOPED(tt_scope) tt_scope *s = tt_scope_open_on(TT_NO_GRAD, demo->device);
    float weights[FEATURES];
    float bias = 0.0F;
    double loss = 0.0;
    TRY(tt_read_f32(s, tt_param(s, params, "weight"), weights, FEATURES, err));
    TRY(tt_read_f32(s, tt_param(s, params, "bias"), &bias, 1, err));
    TRY(tt_item_f64(s, loss_of(s, params, world), &loss, err));
    double standard_error = NOISE / sqrt((double)demo->points);
    for (int64_t d = 0; d < FEATURES; d++) {
        out[d] = (struct demo_number){.truth = true_weights[d],
                                      .found = (double)weights[d],
                                      .standard_error = standard_error};
        (void)snprintf(out[d].name, sizeof out[d].name, "w[%" PRId64 "]", d);
    }
    out[FEATURES] = (struct demo_number){
        .name = "b", .truth = BIAS, .found = (double)bias, .standard_error = standard_error};
    out[FEATURES + 1] = (struct demo_number){.name = "noise",
                                             .truth = NOISE,
                                             .found = sqrt(loss),
                                             .standard_error = standard_error / sqrt(2.0)};
    return ERR_OK;
}

static double distance(const struct demo_number *number) {
    return fabs(number->found - number->truth) / number->standard_error;
}

static enum err_code check_numbers(const struct demo_result *result, struct error *err) {
    for (int i = 0; i < NUMBERS; i++) {
        const struct demo_number *n = &result->numbers[i];
        if (!(distance(n) <= STANDARD_ERRORS_MAX)) { /* also when not a number */
            return err_set(err, ERR_VERIFY,
                           "demo: %s is %.4g and was found as %.4g, %.0f standard errors away, "
                           "limit %.0f: allow more --steps",
                           n->name, n->truth, n->found, distance(n), STANDARD_ERRORS_MAX);
        }
    }
    return ERR_OK;
}

/* ---- printing ---- */

static void build_text(const struct demo *demo, const struct demo_result *result,
                       struct strbuf *out) {
    strbuf_addf(out,
                "%" PRId64 " points of y = w x + b + noise, %" PRId64
                " steps of AdamW through libtorch, %s\n\n",
                demo->points, demo->steps,
                clock_duration_text((int64_t)(result->seconds * 1e9)).text);
    strbuf_addf(out, "  %-6s %9s %9s   %s\n", "", "truth", "found", "standard errors apart");
    for (int i = 0; i < NUMBERS; i++) {
        const struct demo_number *n = &result->numbers[i];
        strbuf_addf(out, "  %-6s %9.4f %9.4f   %.1f\n", n->name, n->truth, n->found, distance(n));
    }
}

static enum err_code build_json(const struct demo *demo, const struct demo_result *result,
                                struct strbuf *out, struct error *err) {
    struct json_writer w = JSON_WRITER_INIT(out, JSON_INDENTED);
    json_write_object_begin(&w);
    json_put_i64(&w, "points", demo->points);
    json_put_i64(&w, "steps", demo->steps);
    json_put_u64(&w, "seed", demo->seed);
    json_put_f64_or_null(&w, "seconds", result->seconds);
    json_put_array_begin(&w, "numbers");
    for (int i = 0; i < NUMBERS; i++) {
        const struct demo_number *n = &result->numbers[i];
        json_write_object_begin(&w);
        json_put_string(&w, "name", n->name);
        json_put_f64_or_null(&w, "truth", n->truth);
        json_put_f64_or_null(&w, "found", n->found);
        json_put_f64_or_null(&w, "standard_error", n->standard_error);
        json_write_object_end(&w);
    }
    json_write_array_end(&w);
    json_write_object_end(&w);
    strbuf_add_char(out, '\n');
    return json_writer_finish(&w, err);
}

static enum err_code print_result(struct run *run, const struct demo *demo,
                                  const struct demo_result *result, struct error *err) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(OUTPUT_BYTES_MAX);
    if (run->output->json) {
        TRY(build_json(demo, result, &text, err));
    } else {
        build_text(demo, result, &text);
    }
    return output_text(run->output, &text, err);
}

enum err_code demo_run(struct run *run, const struct command_args *args, struct error *err) {
    struct demo demo = {
        .points = command_args_integer(args, "points"),
        .steps = command_args_integer(args, "steps"),
        .seed = run->settings->seed,
    };
    TRY(lm_run_open(run, &demo.device, err));
    int64_t start_ns = clock_monotonic_ns(&run->clock);
    SCOPED(tt_scope) tt_scope *s = tt_scope_open_on(TT_NO_GRAD, demo.device);
    struct demo_world world = {.x = NULL};
    TRY(draw_world(&demo, s, &world, err));
    SCOPED(tt_params) struct tt_params *params = NULL;
    TRY(make_params(&demo, &params, err));
    TRY(fit(run, &demo, params, &world, err));
    struct demo_result result;
    TRY(read_numbers(&demo, params, &world, result.numbers, err));
    result.seconds = (double)(clock_monotonic_ns(&run->clock) - start_ns) * 1e-9;
    TRY(print_result(run, &demo, &result, err));
    return check_numbers(&result, err);
}
