/* kernel_logp_internal.h - the arithmetic that both twins of kernel_logp.h share. */
#ifndef TENSOR_KERNELS_KERNEL_LOGP_INTERNAL_H
#define TENSOR_KERNELS_KERNEL_LOGP_INTERNAL_H

#include "base/portable.h"
#include "tensor/kernels/kernel_exp_internal.h"
#include "tensor/kernels/kernel_logp.h"

#include <float.h>
#include <math.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Maxima start here: the difference of two is then finite also where every logit is -inf. */
#define LOGP_LOWEST (-FLT_MAX)

/* Sums over some columns of one row, relative to their maximum. */
struct logp_sums {
    float max;
    float sum;
    float weighted;
};

/* x - max, kept finite: where it is below -87 its e^x is nothing anyway, and 0 * -inf would be NaN.
 * A NaN stays one. */
static PORTABLE_INLINE float kernel_logp_below(float x, float max) {
    float below = x - max;
    return below < KERNEL_EXP_LOWEST ? KERNEL_EXP_LOWEST : below;
}

/* The sums over the columns of both. */
static PORTABLE_INLINE struct logp_sums kernel_logp_join(struct logp_sums a, struct logp_sums b) {
    float max = a.max > b.max ? a.max : b.max;
    float below_a = kernel_logp_below(a.max, max);
    float below_b = kernel_logp_below(b.max, max);
    float factor_a = kernel_exp(below_a);
    float factor_b = kernel_exp(below_b);
    struct logp_sums both;
    both.max = max;
    both.sum = factor_a * a.sum + factor_b * b.sum;
    both.weighted =
        factor_a * (a.weighted + below_a * a.sum) + factor_b * (b.weighted + below_b * b.sum);
    return both;
}

/* Row r's results, where the sums are over all of its columns: H = log(sum) - weighted / sum. */
static PORTABLE_INLINE void kernel_logp_finish_row(struct logp_sums s, float target, int64_t r,
                                                   const struct kernel_logp_result *result) {
    /* A NaN makes every comparison false; the logarithm takes finite numbers only. */
    int is_finite = s.max > LOGP_LOWEST && s.sum < INFINITY;
    float log_sum = is_finite ? (float)portable_log((double)s.sum) : NAN;
    result->max[r] = s.max;
    result->log_sum[r] = log_sum;
    result->logp[r] = (target - s.max) - log_sum;
    result->entropy[r] = log_sum - s.weighted / s.sum;
}

/* What of the gradient of row r does not depend on the column. */
struct logp_grad_row {
    float max;
    float log_sum;
    float constant; /* g_lse - g_logp - g_entropy H */
    float grad_entropy;
    float grad_logp;
    float scale;
};

static PORTABLE_INLINE struct logp_grad_row
kernel_logp_grad_row(const struct kernel_logp_upstream *u, float scale, int64_t r) {
    struct logp_grad_row row;
    row.max = u->max[r];
    row.log_sum = u->log_sum[r];
    row.constant = (u->grad_lse[r] - u->grad_logp[r]) - u->grad_entropy[r] * u->entropy[r];
    row.grad_entropy = u->grad_entropy[r];
    row.grad_logp = u->grad_logp[r];
    row.scale = scale;
    return row;
}

/* d z of one column. */
static PORTABLE_INLINE float kernel_logp_grad_of(struct logp_grad_row row, float x, int is_target) {
    float log_p = kernel_logp_below(x, row.max) - row.log_sum;
    float p = kernel_exp(log_p);
    float grad = p * (row.constant - row.grad_entropy * log_p);
    return row.scale * (is_target ? grad + row.grad_logp : grad);
}

#ifdef __cplusplus
}
#endif

#endif
