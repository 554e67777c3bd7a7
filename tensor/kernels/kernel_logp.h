/* kernel_logp.h - log-probability of given tokens, entropy and log-sum-exp of blocks of logits, and
 * the gradient of any weighted sum of the three.
 *
 * Use:      a row of logits may come in any number of blocks of columns, one after the other, so
 *           that no whole row need exist:
 *
 *               kernel_logp_start(&stats, rows);
 *               for each block: kernel_logp_add_cpu(&block, &stats, cpu);
 *               kernel_logp_finish_cpu(&stats, rows, &result, cpu);
 *
 *           and for the gradient the same blocks again, through kernel_logp_grad_cpu.
 * Maths:    with logits x_j = scale (z_j + bias_j), p = softmax(x) and L = log sum_j e^x_j,
 *
 *               logp = x_target - L        d logp    / d x_j = 1[j = target] - p_j
 *               H    = -sum_j p_j log p_j  d entropy / d x_j = -p_j (log p_j + H)
 *               L                          d lse     / d x_j = p_j
 *
 *           so that upstream gradients g give, for each j,
 *
 *               d x_j = p_j (g_lse - g_logp - g_entropy (log p_j + H)) + g_logp 1[j = target]
 *
 *           and d z_j = d bias_j = scale d x_j.
 * Accuracy: sums are of e^(x_j - maximum) in f32, in 32 lanes; the maximum m and log(sum) are kept
 *           apart, so that logp = (x_target - m) - log(sum) is as good for logits of 1e4 as for
 *           those of 1. A logit of -inf has probability 0; a NaN, a +inf, or nothing but -inf in a
 *           row makes all its results NaN.
 * Order:    in a block lane l of 32 adds columns l, l + 32, ... and the lanes are added as a binary
 *           tree; blocks are added in the order of the calls. On the CPU results are therefore the
 *           same bits for any thread count and instruction set; the CUDA twin has a lane for each
 *           thread of a block, and its results agree to rounding.
 * Twins:    kernel_logp.c (one thread: callers share out blocks), kernel_logp.cu
 * Oracle:   at::log_softmax, then gather; -sum p log p; at::logsumexp
 * Threads:  no state.
 */
#ifndef TENSOR_KERNELS_KERNEL_LOGP_H
#define TENSOR_KERNELS_KERNEL_LOGP_H

#include "base/error.h"
#include "tensor/kernels/kernel_cpu.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Columns [first_column, first_column + columns) of the logits of some rows. */
struct kernel_logp_block {
    float *z; /* [rows, columns], row r at z + r * stride; before bias and scale; overwritten */
    int64_t stride;
    int64_t rows;
    int64_t columns;
    int64_t first_column;
    const float *bias;     /* [columns] of this block, or NULL */
    float scale;           /* 1 / temperature */
    const int64_t *target; /* [rows], each a column of the whole row */
};

/* What is known of the columns seen so far; each [rows]. */
struct kernel_logp_stats {
    float *max;
    float *sum;      /* of e^(x - max) */
    float *weighted; /* of e^(x - max) (x - max) */
    float *target;   /* x_target; NaN until its block was seen */
};

/* Each [rows], nats. */
struct kernel_logp_result {
    float *logp;
    float *entropy;
    float *max; /* log-sum-exp = max + log_sum */
    float *log_sum;
};

/* For the backward pass: results of the forward pass, and the gradients of a loss with respect to
 * them; each [rows]. */
struct kernel_logp_upstream {
    const float *entropy;
    const float *max;
    const float *log_sum;
    const float *grad_logp;
    const float *grad_entropy;
    const float *grad_lse;
};

/* Where d z goes; exactly one of the first two is given, with row r at r * stride. */
struct kernel_logp_grad {
    float *f32;     /* may be the block's own z */
    uint16_t *bf16; /* rounded to nearest even */
    int64_t stride;
    float *bias; /* [columns]: the sum over rows is added to it; or NULL */
};

/* `count` of each of the four arrays. */
void kernel_logp_start(const struct kernel_logp_stats *stats, int64_t rows);

/* Adds the block's columns. `cpu.threads` is 1: a block is for one thread. */
void kernel_logp_add_cpu(const struct kernel_logp_block *block,
                         const struct kernel_logp_stats *stats, struct kernel_cpu cpu);

/* Adds to `stats` what `more` knows of other columns of the same rows. */
void kernel_logp_merge_cpu(const struct kernel_logp_stats *stats,
                           const struct kernel_logp_stats *more, int64_t rows,
                           struct kernel_cpu cpu);

void kernel_logp_finish(const struct kernel_logp_stats *stats, int64_t rows,
                        const struct kernel_logp_result *result);

void kernel_logp_grad_cpu(const struct kernel_logp_block *block,
                          const struct kernel_logp_upstream *upstream,
                          const struct kernel_logp_grad *grad, struct kernel_cpu cpu);

/* Blocks of whole rows, first_column 0; pointers are device memory, `stream` is a cudaStream_t.
 * Return when queued; fail with ERR_BACKEND if a launch is refused. The gradient of the bias is the
 * caller's: grad->bias is NULL. */
ERR_NODISCARD enum err_code kernel_logp_cuda(const struct kernel_logp_block *block,
                                             const struct kernel_logp_result *result, void *stream,
                                             struct error *err);
ERR_NODISCARD enum err_code kernel_logp_grad_cuda(const struct kernel_logp_block *block,
                                                  const struct kernel_logp_upstream *upstream,
                                                  const struct kernel_logp_grad *grad, void *stream,
                                                  struct error *err);

#ifdef __cplusplus
}
#endif

#endif
