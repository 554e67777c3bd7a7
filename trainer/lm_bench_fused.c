/* lm_bench_fused.c - `accord bench head` and `accord bench linear`: the fused ops against the plain
 * formulas in ATen; in the tensor half. */
#include "base/rng.h"
#include "base/scoped.h"
#include "tensor/tt.h"
#include "trainer/bench.h"
#include "trainer/lm_functions.h"
#include "trainer/lm_run.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Operands are parameters of a store, so that each way adds its gradients to the same buffers. */
struct fused_work {
    struct tt_params *params;
    int64_t rows;
    int64_t outputs;
};

typedef tt_tensor *(*fused_loss)(tt_scope *s, const struct fused_work *work);

struct fused_case {
    const struct fused_work *work;
    fused_loss loss;
    enum tt_grad_mode grad; /* with or without backward */
};

static void fused_work_deinit(struct fused_work *work) {
    tt_params_free(work->params);
    *work = (struct fused_work){.params = NULL};
}

static inline void fused_work_scoped_end(struct fused_work *work) {
    fused_work_deinit(work);
}

static enum err_code declare(struct tt_params *params, const char *name, struct tt_shape shape,
                             struct error *err) {
    const struct tt_param_spec spec = {
        .name = name, .dtype = TT_F32, .shape = shape, .trainable = true};
    return tt_params_declare(params, &spec, err);
}

static void fill(tt_scope *s, struct tt_params *params, const char *name, int64_t item,
                 double factor) {
    const struct rng rng = rng_stream(0, RNG_BENCH, 0, item);
    tt_tensor *param = tt_param(s, params, name);
    tt_tensor *values = param ? tt_rand_normal(s, &rng, tt_shape_of(param)) : NULL;
    tt_copy_inplace(s, param, tt_scale(s, values, factor));
}

/* x [rows, inputs], weight [outputs, inputs]. */
static enum err_code fused_work_init(struct fused_work *out, const int64_t shape[3],
                                     struct error *err) {
    struct fused_work work = {.rows = shape[0], .outputs = shape[2]};
    TRY(tt_params_new((struct tt_device){TT_CPU, 0}, &work.params, err));
    *out = work; /* released by the caller from here on */
    TRY(declare(work.params, "x", TT_SHAPE(shape[0], shape[1]), err));
    TRY(declare(work.params, "weight", TT_SHAPE(shape[2], shape[1]), err));
    TRY(tt_params_allocate(work.params, err));
    TRY(tt_params_add_shadow(work.params, err));
    SCOPED(tt_scope) tt_scope *s = tt_scope_open(TT_NO_GRAD);
    fill(s, work.params, "x", 0, 1.0);
    fill(s, work.params, "weight", 1, 0.05);
    (void)tt_param_shadow(s, work.params, "weight");
    return tt_scope_check(s, err);
}

static enum err_code run_fused(void *context, struct error *err) {
    const struct fused_case *c = context;
    SCOPED(tt_scope) tt_scope *s = tt_scope_open(c->grad);
    tt_tensor *loss = c->loss(s, c->work);
    return c->grad == TT_GRAD ? tt_backward(s, loss, err) : tt_scope_check(s, err);
}

/* ---- head ---- */

static tt_tensor *targets(tt_scope *s, const struct fused_work *work) {
    const struct rng rng = rng_stream(0, RNG_BENCH, 0, 2);
    tt_tensor *uniform = tt_rand_uniform(s, &rng, TT_SHAPE(work->rows));
    return tt_cast(s, tt_scale(s, uniform, (double)work->outputs), TT_I64);
}

static tt_tensor *head_bf16(tt_scope *s, const struct fused_work *work) {
    tt_tensor *hidden = tt_cast(s, tt_param(s, work->params, "x"), TT_BF16);
    const struct tt_head head = {.weight = tt_param(s, work->params, "weight"),
                                 .shadow = tt_param_shadow(s, work->params, "weight"),
                                 .logit_scale = 1};
    return tt_mean(s, tt_head_logp(s, hidden, &head, targets(s, work)).logp);
}

static tt_tensor *head_f32(tt_scope *s, const struct fused_work *work) {
    const struct tt_head head = {.weight = tt_param(s, work->params, "weight"), .logit_scale = 1};
    tt_tensor *hidden = tt_param(s, work->params, "x");
    return tt_mean(s, tt_head_logp(s, hidden, &head, targets(s, work)).logp);
}

/* Beside a reference with the same head, as adapters leave it; and the log-probabilities, as a
 * trainer has both. */
static tt_tensor *pair_loss(tt_scope *s, const struct fused_work *work, const tt_tensor *hidden,
                            const struct tt_head *head) {
    const struct tt_head_reference reference = {.hidden = tt_scale(s, tt_detach(s, hidden), 0.9),
                                                .head = *head};
    const struct tt_matching matching = {.beta_in = 1, .beta_out = 1, .log_alpha = log(0.01)};
    const struct tt_head_pair_result r =
        tt_head_pair(s, hidden, head, &reference, targets(s, work), &matching);
    return tt_mean(s, tt_add(s, r.logp, r.matching));
}

static tt_tensor *pair_bf16(tt_scope *s, const struct fused_work *work) {
    const struct tt_head head = {.weight = tt_param(s, work->params, "weight"),
                                 .shadow = tt_param_shadow(s, work->params, "weight"),
                                 .logit_scale = 1};
    return pair_loss(s, work, tt_cast(s, tt_param(s, work->params, "x"), TT_BF16), &head);
}

static tt_tensor *pair_f32(tt_scope *s, const struct fused_work *work) {
    const struct tt_head head = {.weight = tt_param(s, work->params, "weight"), .logit_scale = 1};
    return pair_loss(s, work, tt_param(s, work->params, "x"), &head);
}

static tt_tensor *aten_head_f32(tt_scope *s, const struct fused_work *work) {
    tt_tensor *logits =
        tt_linear(s, tt_param(s, work->params, "x"), tt_param(s, work->params, "weight"), NULL);
    return tt_mean(s, tt_token_logp(s, logits, targets(s, work)));
}

/* As autocast has it: the weight is rounded in each pass, the logits are bf16. */
static tt_tensor *aten_head_bf16(tt_scope *s, const struct fused_work *work) {
    tt_tensor *logits = tt_linear(s, tt_cast(s, tt_param(s, work->params, "x"), TT_BF16),
                                  tt_cast(s, tt_param(s, work->params, "weight"), TT_BF16), NULL);
    return tt_mean(s, tt_token_logp(s, tt_cast(s, logits, TT_F32), targets(s, work)));
}

/* ---- linear ---- */

/* The gradient that arrives at y is one in bf16. */
static tt_tensor *sum_of(tt_scope *s, tt_tensor *y) {
    return tt_sum(s, tt_cast(s, y, TT_F32));
}

static tt_tensor *linear_mixed(tt_scope *s, const struct fused_work *work) {
    tt_tensor *x = tt_cast(s, tt_param(s, work->params, "x"), TT_BF16);
    tt_tensor *weight = tt_param(s, work->params, "weight");
    return sum_of(s,
                  tt_linear_mixed(s, x, weight, tt_param_shadow(s, work->params, "weight"), NULL));
}

static tt_tensor *linear_f32(tt_scope *s, const struct fused_work *work) {
    return sum_of(
        s, tt_linear(s, tt_param(s, work->params, "x"), tt_param(s, work->params, "weight"), NULL));
}

static tt_tensor *linear_bf16(tt_scope *s, const struct fused_work *work) {
    tt_tensor *x = tt_cast(s, tt_param(s, work->params, "x"), TT_BF16);
    tt_tensor *weight = tt_cast(s, tt_param(s, work->params, "weight"), TT_BF16);
    return sum_of(s, tt_linear(s, x, weight, NULL));
}

/* ---- both ---- */

struct fused_way {
    const char *name;
    fused_loss loss;
};

static const struct fused_way head_ways[] = {
    {"tt_head_logp, bf16", head_bf16},
    {"tt_head_logp, f32", head_f32},
    {"ATen, f32", aten_head_f32},
    {"ATen, bf16", aten_head_bf16},
    {"tt_head_pair, bf16", pair_bf16},
    {"tt_head_pair, f32", pair_f32},
    {NULL, NULL},
};

static const struct fused_way linear_ways[] = {
    {"tt_linear_mixed", linear_mixed},
    {"at::linear, f32", linear_f32},
    {"at::linear, bf16", linear_bf16},
    {NULL, NULL},
};

#define WAYS_MAX 6

/* Measures all ways, or the one whose number is `only`, forward or with backward. */
static enum err_code measure_pass(struct run *run, const struct command_args *args,
                                  const struct fused_work *work, const struct fused_way *ways,
                                  struct bench_report *report, struct error *err) {
    int64_t only = command_args_integer(args, "only");
    bool forward = command_args_has(args, "forward");
    struct fused_case contexts[WAYS_MAX];
    struct bench_case cases[WAYS_MAX];
    int64_t count = 0;
    double products = forward ? 2.0 : 6.0;
    double inputs = (double)command_args_integer(args, "inputs");
    for (int64_t i = 0; ways[i].name; i++) {
        if (only != 0 && only != i + 1) {
            continue;
        }
        contexts[count] = (struct fused_case){
            .work = work, .loss = ways[i].loss, .grad = forward ? TT_NO_GRAD : TT_GRAD};
        cases[count] = (struct bench_case){.name = ways[i].name,
                                           .run = run_fused,
                                           .context = &contexts[count],
                                           .work = products * (double)work->rows *
                                                   (double)work->outputs * inputs,
                                           .rate = BENCH_GFLOP_PER_S};
        count++;
    }
    return bench_measure(run, cases, count, command_args_integer(args, "repeats"), report, err);
}

static enum err_code bench_fused(struct run *run, const struct command_args *args,
                                 const struct fused_way *ways, const char *what,
                                 struct error *err) {
    struct tt_device device;
    TRY(lm_run_open(run, &device, err));
    const int64_t shape[] = {command_args_integer(args, "rows"),
                             command_args_integer(args, "inputs"),
                             command_args_integer(args, "outputs")};
    SCOPED(fused_work) struct fused_work work = {.params = NULL};
    TRY(fused_work_init(&work, shape, err));
    struct bench_report report = {.count = 0};
    (void)snprintf(report.title, sizeof report.title,
                   "%s, %s: %" PRId64 " rows, %" PRId64 " to %" PRId64 ", %" PRId64 " threads",
                   what, command_args_has(args, "forward") ? "forward" : "forward and backward",
                   shape[0], shape[1], shape[2], tt_threads());
    TRY(measure_pass(run, args, &work, ways, &report, err));
    return bench_finish(&report, run, err);
}

enum err_code bench_head_run(struct run *run, const struct command_args *args, struct error *err) {
    return bench_fused(run, args, head_ways, "Log-probabilities of tokens", err);
}

enum err_code bench_linear_run(struct run *run, const struct command_args *args,
                               struct error *err) {
    return bench_fused(run, args, linear_ways, "A linear layer", err);
}
