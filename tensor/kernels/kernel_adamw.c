/* kernel_adamw.c - see kernel_adamw.h. */
#include "tensor/kernels/kernel_adamw.h"

#include "tensor/kernels/kernel_adamw_internal.h"
#include "tensor/kernels/kernel_convert.h"
#include "tensor/kernels/kernel_cpu_internal.h"

#include <stdbool.h>
#include <stddef.h>

struct adamw_plan {
    const struct kernel_adamw_args *args;
    struct adamw_coefficients coefficients;
};

static KERNEL_INLINE void update_elements(const struct adamw_plan *plan, int64_t begin, int64_t end,
                                          bool with_bf16) {
    const struct adamw_coefficients c = plan->coefficients;
    float *param = plan->args->param;
    const float *grad = plan->args->grad;
    float *exp_avg = plan->args->exp_avg;
    float *exp_avg_sq = plan->args->exp_avg_sq;
    uint16_t *param_bf16 = plan->args->param_bf16;
    KERNEL_SIMD
    for (int64_t i = begin; i < end; i++) {
        struct adamw_element old = {
            .param = param[i],
            .exp_avg = exp_avg[i],
            .exp_avg_sq = exp_avg_sq[i],
        };
        struct adamw_element updated = kernel_adamw_update(&c, old, grad[i]);
        param[i] = updated.param;
        exp_avg[i] = updated.exp_avg;
        exp_avg_sq[i] = updated.exp_avg_sq;
        if (with_bf16) {
            param_bf16[i] = kernel_bf16_of_f32(updated.param);
        }
    }
}

/* Two variants rather than a test of the pointer inside the loop, which would keep gcc from
 * vectorising it without masked stores. */
static KERNEL_INLINE void adamw_range(const struct adamw_plan *plan, int64_t begin, int64_t end) {
    update_elements(plan, begin, end, false);
}

static KERNEL_INLINE void adamw_bf16_range(const struct adamw_plan *plan, int64_t begin,
                                           int64_t end) {
    update_elements(plan, begin, end, true);
}

KERNEL_VARIANTS(adamw, struct adamw_plan)
KERNEL_VARIANTS(adamw_bf16, struct adamw_plan)

struct adamw_coefficients kernel_adamw_coefficients(const struct kernel_adamw_args *a) {
    double bias_correction1 = 1.0 - pow(a->beta1, (double)a->step);
    double bias_correction2 = 1.0 - pow(a->beta2, (double)a->step);
    float lerp_weight = (float)(1.0 - a->beta1);
    bool from_gradient = lerp_weight >= 0.5F;
    return (struct adamw_coefficients){
        .grad_scale = (float)a->grad_scale,
        .decay = (float)(1.0 - a->lr * a->weight_decay),
        .lerp_weight = from_gradient ? lerp_weight - 1.0F : lerp_weight,
        .lerp_from_gradient = from_gradient,
        .beta2 = (float)a->beta2,
        .one_minus_beta2 = (float)(1.0 - a->beta2),
        .bias_correction2_sqrt = (float)sqrt(bias_correction2),
        .eps = (float)a->eps,
        .minus_step_size = (float)(-(a->lr / bias_correction1)),
    };
}

void kernel_adamw_cpu(const struct kernel_adamw_args *a, struct kernel_cpu cpu) {
    struct adamw_plan plan = {.args = a, .coefficients = kernel_adamw_coefficients(a)};
    kernel_run(a->param_bf16 ? &adamw_bf16_variants : &adamw_variants, &plan, a->n, cpu);
}
