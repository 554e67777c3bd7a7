/* kernel_adamw_internal.h - the arithmetic that the twins of AdamW and of Adam-mini share. */
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

/* The parts of a step, which Adam-mini (kernel_adam_mini.h) has too. The order of operations is
 * at::_fused_adamw_'s; the linear interpolation takes the same one of its two forms. */
static PORTABLE_INLINE float kernel_adamw_first_moment(const struct adamw_coefficients *c,
                                                       float exp_avg, float grad) {
    float lerp_base = c->lerp_from_gradient ? grad : exp_avg;
    return lerp_base + c->lerp_weight * (grad - exp_avg);
}

/* What a gradient adds to the second moment. */
static PORTABLE_INLINE float kernel_adamw_square(const struct adamw_coefficients *c, float grad) {
    return c->one_minus_beta2 * grad * grad;
}

static PORTABLE_INLINE float kernel_adamw_denominator(const struct adamw_coefficients *c,
                                                      float exp_avg_sq) {
    return sqrtf(exp_avg_sq) / c->bias_correction2_sqrt + c->eps;
}

static PORTABLE_INLINE float kernel_adamw_param(const struct adamw_coefficients *c, float param,
                                                float exp_avg, float denominator) {
    return param * c->decay + c->minus_step_size * exp_avg / denominator;
}

/* One parameter's step. */
static PORTABLE_INLINE struct adamw_element
kernel_adamw_update(const struct adamw_coefficients *c, struct adamw_element old, float raw_grad) {
    float grad = raw_grad * c->grad_scale;
    struct adamw_element updated;
    updated.exp_avg = kernel_adamw_first_moment(c, old.exp_avg, grad);
    updated.exp_avg_sq = old.exp_avg_sq * c->beta2 + kernel_adamw_square(c, grad);
    updated.param = kernel_adamw_param(c, old.param, updated.exp_avg,
                                       kernel_adamw_denominator(c, updated.exp_avg_sq));
    return updated;
}

#ifdef __cplusplus
}
#endif

#endif
