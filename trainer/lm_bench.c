/* lm_bench.c - the cases of `accord bench` that need tensors; in the tensor half. */
#include "base/mem.h"
#include "base/rng.h"
#include "base/scoped.h"
#include "tensor/kernels/kernel_adam_mini.h"
#include "tensor/kernels/kernel_adamw.h"
#include "tensor/kernels/kernel_stream.h"
#include "tensor/tt.h"
#include "tensor/tt_peers.h"
#include "trainer/bench.h"
#include "trainer/lm_functions.h"
#include "trainer/lm_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ADAMW_BYTES_PER_PARAMETER 28.0 /* reads 4 floats, writes 3 */
#define MINI_BYTES_PER_PARAMETER  20.0 /* reads 3, writes 2 */
#define MINI_BLOCK                1024
#define ADAMW_BUFFERS             4
#define OPS_PER_CYCLE             10.0

/* ---- adamw ---- */

struct adamw_work {
    struct kernel_adamw_args args;
    struct kernel_cpu cpu;
    int64_t tensors; /* that the per-tensor peer cuts the buffers into */
    float *buffers;  /* param, grad, exp_avg, exp_avg_sq, one after the other */
};

static void adamw_work_deinit(struct adamw_work *work) {
    mem_free(work->buffers);
    *work = (struct adamw_work){.buffers = NULL};
}

static inline void adamw_work_scoped_end(struct adamw_work *work) {
    adamw_work_deinit(work);
}

static enum err_code adamw_work_init(struct adamw_work *out, int64_t n, int64_t tensors,
                                     struct error *err) {
    float *buffers = mem_array((size_t)n, ADAMW_BUFFERS * sizeof *buffers);
    if (!buffers) {
        return err_set(err, ERR_OOM, "out of memory for %" PRId64 " parameters of 16 bytes", n);
    }
    struct rng rng = rng_stream(0, RNG_BENCH, 0, 0);
    rng_fill_normal_f32(&rng, buffers, 2 * n);
    memset(buffers + 2 * n, 0, 2 * (size_t)n * sizeof *buffers);
    *out = (struct adamw_work){
        .args = {.param = buffers,
                 .grad = buffers + n,
                 .exp_avg = buffers + 2 * n,
                 .exp_avg_sq = buffers + 3 * n,
                 .n = n,
                 .step = 1,
                 .lr = 1e-6,
                 .beta1 = 0.9,
                 .beta2 = 0.999,
                 .eps = 1e-8,
                 .weight_decay = 0.01,
                 .grad_scale = 1.0},
        .cpu = {.threads = (int)tt_threads()},
        .tensors = tensors,
        .buffers = buffers,
    };
    return ERR_OK;
}

static enum err_code run_traffic(void *context, struct error *err) {
    (void)err;
    const struct adamw_work *work = context;
    const struct kernel_adamw_args *a = &work->args;
    const struct kernel_stream_args stream = {
        .read = a->grad, .a = a->param, .b = a->exp_avg, .c = a->exp_avg_sq, .n = a->n};
    kernel_stream_cpu(&stream, work->cpu);
    return ERR_OK;
}

static enum err_code run_kernel(void *context, struct error *err) {
    (void)err;
    const struct adamw_work *work = context;
    kernel_adamw_cpu(&work->args, work->cpu);
    return ERR_OK;
}

/* In rows of MINI_BLOCK, and what is left in blocks of one. */
static enum err_code run_mini(void *context, struct error *err) {
    (void)err;
    const struct adamw_work *work = context;
    const int64_t n = work->args.n;
    const int64_t rows = n / MINI_BLOCK;
    const int64_t whole = rows * MINI_BLOCK;
    const struct kernel_adam_mini_part parts[] = {
        {.first = 0, .n = whole, .block = MINI_BLOCK, .first_block = 0},
        {.first = whole, .n = n - whole, .block = 1, .first_block = rows},
    };
    const struct kernel_adam_mini_args args = {
        .adamw = work->args, .parts = parts, .parts_count = 2};
    kernel_adam_mini_cpu(&args, work->cpu);
    return ERR_OK;
}

static enum err_code run_fused(void *context, struct error *err) {
    const struct adamw_work *work = context;
    return tt_peer_adamw_fused(&work->args, err);
}

static enum err_code run_per_tensor(void *context, struct error *err) {
    const struct adamw_work *work = context;
    return tt_peer_adamw_per_tensor(&work->args, work->tensors, err);
}

enum err_code bench_adamw_run(struct run *run, const struct command_args *args, struct error *err) {
    struct tt_device device;
    TRY(lm_run_open(run, &device, err));
    int64_t n = command_args_integer(args, "parameters");
    SCOPED(adamw_work) struct adamw_work work = {.buffers = NULL};
    TRY(adamw_work_init(&work, n, command_args_integer(args, "tensors"), err));
    double bytes = ADAMW_BYTES_PER_PARAMETER * (double)n;
#define ADAMW_CASE(case_name, function)                                          \
    {                                                                            \
        .name = (case_name), .run = (function), .context = &work, .work = bytes, \
        .rate = BENCH_GB_PER_S                                                   \
    }
    const struct bench_case cases[] = {
        ADAMW_CASE("memory: 4 reads, 3 writes", run_traffic),
        ADAMW_CASE("accord, one flat buffer", run_kernel),
        {.name = "accord, Adam-mini, rows of 1024",
         .run = run_mini,
         .context = &work,
         .work = MINI_BYTES_PER_PARAMETER * (double)n,
         .rate = BENCH_GB_PER_S},
        ADAMW_CASE("at::_fused_adamw_", run_fused),
        ADAMW_CASE("ATen ops, tensor by tensor", run_per_tensor),
    };
#undef ADAMW_CASE
    struct bench_report report = {.count = 0};
    (void)snprintf(report.title, sizeof report.title,
                   "One AdamW step on %" PRId64 " parameters, %.0f MB moved, %d threads", n,
                   bytes * 1e-6, work.cpu.threads);
    TRY(bench_measure(run, cases, 4, command_args_integer(args, "repeats"), &report, err));
    return bench_finish(&report, run, err);
}

/* ---- scope ---- */

struct scope_work {
    int64_t cycles;
    double value; /* what the ten ops give; both ways must agree */
};

static enum err_code run_plain_ops(void *context, struct error *err) {
    struct scope_work *work = context;
    return tt_peer_ten_ops(work->cycles, &work->value, err);
}

static enum err_code run_scoped_ops(void *context, struct error *err) {
    struct scope_work *work = context;
    return tt_peer_ten_ops_scoped(work->cycles, &work->value, err);
}

static enum err_code check_same_value(const struct scope_work *plain,
                                      const struct scope_work *scoped, struct error *err) {
    if (plain->value != scoped->value) {
        return err_set(err, ERR_INTERNAL, "the ten ops gave %.9g in C++ and %.9g in a scope",
                       plain->value, scoped->value);
    }
    return ERR_OK;
}

enum err_code bench_scope_run(struct run *run, const struct command_args *args, struct error *err) {
    struct tt_device device;
    TRY(lm_run_open(run, &device, err));
    int64_t cycles = command_args_integer(args, "cycles");
    struct scope_work plain = {.cycles = cycles}, scoped = {.cycles = cycles};
    double ops = OPS_PER_CYCLE * (double)cycles;
    const struct bench_case cases[] = {
        {.name = "ten ops called from C++",
         .run = run_plain_ops,
         .context = &plain,
         .work = ops,
         .rate = BENCH_NS_EACH},
        {.name = "open a scope, ten ops, close it",
         .run = run_scoped_ops,
         .context = &scoped,
         .work = ops,
         .rate = BENCH_NS_EACH},
    };
    struct bench_report report = {.count = 0};
    (void)snprintf(report.title, sizeof report.title,
                   "%" PRId64 " cycles of ten ops on tensors of one element", cycles);
    TRY(bench_measure(run, cases, 2, command_args_integer(args, "repeats"), &report, err));
    TRY(check_same_value(&plain, &scoped, err));
    return bench_finish(&report, run, err);
}

/* ---- torch ---- */

enum err_code bench_one_op_run(struct run *run, const struct command_args *args,
                               struct error *err) {
    (void)args;
    struct tt_device device;
    TRY(lm_run_open(run, &device, err));
    SCOPED(tt_scope) tt_scope *s = tt_scope_open(TT_NO_GRAD);
    double sum = 0.0;
    TRY(tt_item_f64(s, tt_add(s, tt_scalar(s, TT_F64, 1.0), tt_scalar(s, TT_F64, 2.0)), &sum, err));
    if (sum != 3.0) {
        return err_set(err, ERR_INTERNAL, "1 + 2 gave %g", sum);
    }
    return ERR_OK;
}
