/* kernel_adam_mini.c - see kernel_adam_mini.h. */
#include "tensor/kernels/kernel_adam_mini.h"

#include "tensor/kernels/kernel_adamw_internal.h"
#include "tensor/kernels/kernel_convert.h"
#include "tensor/kernels/kernel_cpu_internal.h"
#include "tensor/kernels/kernel_norm_internal.h"

#include <stdbool.h>

struct mini_plan {
    const struct kernel_adam_mini_args *args;
    struct adamw_coefficients coefficients;
};

static KERNEL_INLINE double square_of(const struct adamw_coefficients *c, float raw_grad) {
    return (double)kernel_adamw_square(c, raw_grad * c->grad_scale);
}

static KERNEL_INLINE double sum_some(const struct adamw_coefficients *c, const float *grad,
                                     int64_t n) {
    double lane[NORM_LANES] = {0};
    int64_t whole = n - n % NORM_LANES;
    for (int64_t i = 0; i < whole; i += NORM_LANES) {
        KERNEL_SIMD
        for (int l = 0; l < NORM_LANES; l++) {
            lane[l] += square_of(c, grad[i + l]);
        }
    }
    for (int64_t i = whole; i < n; i++) {
        lane[i - whole] += square_of(c, grad[i]);
    }
    return norm_add_lanes(lane);
}

/* Of (1 - beta2) g^2 over a block of n. */
static KERNEL_INLINE float mean_square(const struct adamw_coefficients *c, const float *grad,
                                       int64_t n) {
    if (n <= NORM_BLOCK_ELEMENTS) {
        return (float)(sum_some(c, grad, n) / (double)n);
    }
    double lane[NORM_LANES] = {0};
    for (int64_t i = 0; i < n; i += NORM_BLOCK_ELEMENTS) {
        int64_t count = n - i < NORM_BLOCK_ELEMENTS ? n - i : NORM_BLOCK_ELEMENTS;
        lane[i / NORM_BLOCK_ELEMENTS % NORM_LANES] += sum_some(c, grad + i, count);
    }
    return (float)(norm_add_lanes(lane) / (double)n);
}

static KERNEL_INLINE void update_block(const struct mini_plan *plan, int64_t begin, int64_t n,
                                       float *exp_avg_sq, bool with_bf16) {
    const struct adamw_coefficients c = plan->coefficients;
    const struct kernel_adamw_args *a = &plan->args->adamw;
    float *param = a->param + begin;
    const float *grad = a->grad + begin;
    float *exp_avg = a->exp_avg + begin;
    uint16_t *param_bf16 = with_bf16 ? a->param_bf16 + begin : NULL;
    *exp_avg_sq = *exp_avg_sq * c.beta2 + mean_square(&c, grad, n);
    const float denominator = kernel_adamw_denominator(&c, *exp_avg_sq);
    KERNEL_SIMD
    for (int64_t i = 0; i < n; i++) {
        exp_avg[i] = kernel_adamw_first_moment(&c, exp_avg[i], grad[i] * c.grad_scale);
        param[i] = kernel_adamw_param(&c, param[i], exp_avg[i], denominator);
        if (with_bf16) {
            param_bf16[i] = kernel_bf16_of_f32(param[i]);
        }
    }
}

/* The blocks of a part whose first element is in [begin, end). */
static KERNEL_INLINE void update_part(const struct mini_plan *plan,
                                      const struct kernel_adam_mini_part *part, int64_t begin,
                                      int64_t end, bool with_bf16) {
    int64_t skipped = begin > part->first ? begin - part->first : 0;
    for (int64_t b = (skipped + part->block - 1) / part->block; b < part->n / part->block; b++) {
        int64_t first = part->first + b * part->block;
        if (first >= end) {
            break;
        }
        float *exp_avg_sq = plan->args->adamw.exp_avg_sq + part->first_block + b;
        update_block(plan, first, part->block, exp_avg_sq, with_bf16);
    }
}

static KERNEL_INLINE void update_parts(const struct mini_plan *plan, int64_t begin, int64_t end,
                                       bool with_bf16) {
    for (int64_t p = 0; p < plan->args->parts_count; p++) {
        update_part(plan, &plan->args->parts[p], begin, end, with_bf16);
    }
}

static KERNEL_INLINE void mini_range(const struct mini_plan *plan, int64_t begin, int64_t end) {
    update_parts(plan, begin, end, false);
}

static KERNEL_INLINE void mini_bf16_range(const struct mini_plan *plan, int64_t begin,
                                          int64_t end) {
    update_parts(plan, begin, end, true);
}

KERNEL_VARIANTS(mini, struct mini_plan)
KERNEL_VARIANTS(mini_bf16, struct mini_plan)

void kernel_adam_mini_cpu(const struct kernel_adam_mini_args *a, struct kernel_cpu cpu) {
    struct mini_plan plan = {.args = a, .coefficients = kernel_adamw_coefficients(&a->adamw)};
    kernel_run(a->adamw.param_bf16 ? &mini_bf16_variants : &mini_variants, &plan, a->adamw.n, cpu);
}
