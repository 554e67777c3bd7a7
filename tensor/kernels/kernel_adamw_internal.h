/* kernel_adamw_internal.h - the arithmetic that both AdamW twins share. */
#ifndef TENSOR_KERNELS_KERNEL_ADAMW_INTERNAL_H
#define TENSOR_KERNELS_KERNEL_ADAMW_INTERNAL_H

#include "base/portable.h"
#include "tensor/kernels/kernel_adamw.h"

#include <math.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a step needs of its hyper-parameters; computed in double, rounded to f32 once. */
struct adamw_coefficients {
    float grad_scale;
    float decay;            /* 1 - lr * weight_decay */
    float lerp_weight;      /* 1 - beta1, or -beta1 for the form from the gradient's side */
    int lerp_from_gradient; /* 1 - beta1 >= 0.5: the form that is exact at weight 1 */
    float beta2;
    float one_minus_beta2;
    float bias_correction2_sqrt; /* sqrt(1 - beta2^step) */
    float eps;
    float minus_step_size; /* -lr / (1 - beta1^step) */
};

struct adamw_element {
    float param;
    float exp_avg;
    float exp_avg_sq;
};

struct adamw_coefficients kernel_adamw_coefficients(const struct kernel_adamw_args *a);

/* One parameter's step. The order of operations is at::_fused_adamw_'s; the linear interpolation
 * takes the same one of its two forms. */
static PORTABLE_INLINE struct adamw_element
kernel_adamw_update(const struct adamw_coefficients *c, struct adamw_element old, float raw_grad) {
    float grad = raw_grad * c->grad_scale;
    float lerp_base = c->lerp_from_gradient ? grad : old.exp_avg;
    struct adamw_element updated;
    updated.exp_avg = lerp_base + c->lerp_weight * (grad - old.exp_avg);
    updated.exp_avg_sq = old.exp_avg_sq * c->beta2 + c->one_minus_beta2 * grad * grad;
    float denominator = sqrtf(updated.exp_avg_sq) / c->bias_correction2_sqrt + c->eps;
    updated.param = old.param * c->decay + c->minus_step_size * updated.exp_avg / denominator;
    return updated;
}

#ifdef __cplusplus
}
#endif

#endif
