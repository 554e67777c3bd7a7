/* kernel_logp.c - see kernel_logp.h. */
#include "tensor/kernels/kernel_logp.h"

#include "base/invariant.h"
#include "tensor/kernels/kernel_convert.h"
#include "tensor/kernels/kernel_cpu_internal.h"
#include "tensor/kernels/kernel_logp_internal.h"
#include "tensor/kernels/kernel_logp_rows_internal.h"

#include <math.h>
#include <stdbool.h>

struct add_plan {
    const struct kernel_logp_block *block;
    const struct kernel_logp_stats *stats;
};

struct merge_plan {
    const struct kernel_logp_stats *stats;
    const struct kernel_logp_stats *more;
};

struct grad_plan {
    const struct kernel_logp_block *block;
    const struct kernel_logp_upstream *upstream;
};

struct store_plan {
    const struct kernel_logp_block *block; /* of gradients */
    const struct kernel_logp_grad *grad;
};

static KERNEL_INLINE struct logp_sums sums_of(const float *x, int64_t n) {
    float sum[LANES] = {0};
    float weighted[LANES] = {0};
    float max = max_of(x, n);
    int64_t whole = n - n % LANES;
    for (int64_t j = 0; j < whole; j += LANES) {
        KERNEL_SIMD
        for (int l = 0; l < LANES; l++) {
            float below = kernel_logp_below(x[j + l], max);
            float e = kernel_exp(below);
            sum[l] += e;
            weighted[l] += e * below;
        }
    }
    for (int64_t j = whole; j < n; j++) {
        float below = kernel_logp_below(x[j], max);
        float e = kernel_exp(below);
        sum[j - whole] += e;
        weighted[j - whole] += e * below;
    }
    return (struct logp_sums){.max = max, .sum = add_lanes(sum), .weighted = add_lanes(weighted)};
}

static KERNEL_INLINE struct logp_sums sums_at(const struct kernel_logp_stats *s, int64_t r) {
    return (struct logp_sums){.max = s->max[r], .sum = s->sum[r], .weighted = s->weighted[r]};
}

static KERNEL_INLINE void put_sums(const struct kernel_logp_stats *s, int64_t r,
                                   struct logp_sums sums) {
    s->max[r] = sums.max;
    s->sum[r] = sums.sum;
    s->weighted[r] = sums.weighted;
}

static KERNEL_INLINE void add_range(const struct add_plan *plan, int64_t begin, int64_t end) {
    const struct kernel_logp_block *b = plan->block;
    for (int64_t r = begin; r < end; r++) {
        const float *x = logits_of_row(b, r);
        struct logp_sums sums = sums_of(x, b->columns);
        put_sums(plan->stats, r, kernel_logp_join(sums_at(plan->stats, r), sums));
        int64_t column = target_column(b, r);
        if (in_block(b, column)) {
            plan->stats->target[r] = x[column];
        }
    }
}

static KERNEL_INLINE void merge_range(const struct merge_plan *plan, int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r++) {
        put_sums(plan->stats, r, kernel_logp_join(sums_at(plan->stats, r), sums_at(plan->more, r)));
        if (isnan(plan->stats->target[r])) {
            plan->stats->target[r] = plan->more->target[r];
        }
    }
}

static KERNEL_INLINE void grad_range(const struct grad_plan *plan, int64_t begin, int64_t end) {
    const struct kernel_logp_block *b = plan->block;
    for (int64_t r = begin; r < end; r++) {
        float *x = logits_of_row(b, r);
        const struct logp_grad_row row = kernel_logp_grad_row(plan->upstream, b->scale, r);
        int64_t column = target_column(b, r);
        float at_target = in_block(b, column) ? kernel_logp_grad_of(row, x[column], 1) : 0.0F;
        KERNEL_SIMD
        for (int64_t j = 0; j < b->columns; j++) {
            x[j] = kernel_logp_grad_of(row, x[j], 0);
        }
        if (in_block(b, column)) {
            x[column] = at_target;
        }
    }
}

/* Of the f32 gradients in the block. */
static KERNEL_INLINE void bias_range(const struct store_plan *plan, int64_t begin, int64_t end) {
    const struct kernel_logp_block *b = plan->block;
    float *sum = plan->grad->bias;
    for (int64_t r = begin; r < end; r++) {
        const float *d = b->z + r * b->stride;
        KERNEL_SIMD
        for (int64_t j = 0; j < b->columns; j++) {
            sum[j] += d[j];
        }
    }
}

static KERNEL_INLINE void round_range(const struct store_plan *plan, int64_t begin, int64_t end) {
    const struct kernel_logp_block *b = plan->block;
    for (int64_t r = begin; r < end; r++) {
        const float *d = b->z + r * b->stride;
        uint16_t *out = plan->grad->bf16 + r * plan->grad->stride;
        KERNEL_SIMD
        for (int64_t j = 0; j < b->columns; j++) {
            out[j] = kernel_bf16_of_f32(d[j]);
        }
    }
}

static KERNEL_INLINE void copy_range(const struct store_plan *plan, int64_t begin, int64_t end) {
    const struct kernel_logp_block *b = plan->block;
    for (int64_t r = begin; r < end; r++) {
        const float *d = b->z + r * b->stride;
        float *out = plan->grad->f32 + r * plan->grad->stride;
        for (int64_t j = 0; j < b->columns; j++) {
            out[j] = d[j];
        }
    }
}

KERNEL_VARIANTS(add, struct add_plan)
KERNEL_VARIANTS(merge, struct merge_plan)
KERNEL_VARIANTS(grad, struct grad_plan)
KERNEL_VARIANTS(bias, struct store_plan)
KERNEL_VARIANTS(round, struct store_plan)
KERNEL_VARIANTS(copy, struct store_plan)

void kernel_logp_start(const struct kernel_logp_stats *stats, int64_t rows) {
    for (int64_t r = 0; r < rows; r++) {
        stats->max[r] = LOGP_LOWEST;
        stats->sum[r] = 0.0F;
        stats->weighted[r] = 0.0F;
        stats->target[r] = NAN;
    }
}

void kernel_logp_add_cpu(const struct kernel_logp_block *block,
                         const struct kernel_logp_stats *stats, struct kernel_cpu cpu) {
    ASSERT(cpu.threads == 1);
    struct add_plan plan = {.block = block, .stats = stats};
    kernel_run(&add_variants, &plan, block->rows, cpu);
}

void kernel_logp_merge_cpu(const struct kernel_logp_stats *stats,
                           const struct kernel_logp_stats *more, int64_t rows,
                           struct kernel_cpu cpu) {
    struct merge_plan plan = {.stats = stats, .more = more};
    kernel_run(&merge_variants, &plan, rows, cpu);
}

void kernel_logp_finish(const struct kernel_logp_stats *stats, int64_t rows,
                        const struct kernel_logp_result *result) {
    for (int64_t r = 0; r < rows; r++) {
        kernel_logp_finish_row(sums_at(stats, r), stats->target[r], r, result);
    }
}

void kernel_logp_store_grad(const struct kernel_logp_block *block,
                            const struct kernel_logp_grad *grad, struct kernel_cpu cpu) {
    struct store_plan plan = {.block = block, .grad = grad};
    if (grad->bias) {
        kernel_run(&bias_variants, &plan, block->rows, cpu);
    }
    if (grad->bf16) {
        kernel_run(&round_variants, &plan, block->rows, cpu);
    } else if (grad->f32 != block->z) {
        kernel_run(&copy_variants, &plan, block->rows, cpu);
    }
}

void kernel_logp_grad_cpu(const struct kernel_logp_block *block,
                          const struct kernel_logp_upstream *upstream,
                          const struct kernel_logp_grad *grad, struct kernel_cpu cpu) {
    ASSERT(cpu.threads == 1);
    struct grad_plan plan = {.block = block, .upstream = upstream};
    kernel_run(&grad_variants, &plan, block->rows, cpu);
    kernel_logp_store_grad(block, grad, cpu);
}
