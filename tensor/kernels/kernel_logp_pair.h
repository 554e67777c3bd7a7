/* kernel_logp_pair.h - a policy's distribution beside a reference's, over blocks of the logits of
 * both: entropy, divergence and the regulariser of conditional preference matching, and the
 * gradient of any weighted sum of them and of the targets' log-probabilities.
 *
 * Use:      the reference's max and log_sum first, by kernel_logp.h over all its columns; then
 *           blocks of columns of both, one after the other, as there:
 *
 *               kernel_logp_pair_start(&stats, rows);
 *               for each pair of blocks: kernel_logp_pair_add_cpu(&pair, &stats, cpu);
 *               kernel_logp_pair_finish(&stats, rows, &result);
 *
 *           and for the gradient the same pairs again, through kernel_logp_pair_grad_cpu.
 * Maths:    with p and q the policy's and the reference's softmax, x the policy's logits,
 *           M = {j: log q_j > log_alpha}, beta_j = beta_in and log w_j = 0 in M, and elsewhere
 *           beta_j = beta_out and log w_j = log q_j,
 *
 *               K = sum_j p_j (log p_j - log q_j)
 *               G = -sum_j beta_j p_j (log p_j - log w_j)             b = sum_j p_j beta_j
 *               d K / d x_j = p_j (log p_j - log q_j - K)
 *               d G / d x_j = -p_j (beta_j (log p_j - log w_j + 1) + G - b)
 *
 *           M, and with it beta and w, do not depend on x.
 * Accuracy: as kernel_logp.h. log q is at least -1e30, so that what both never say is nothing, and
 *           what only the reference never says is a huge number, not NaN.
 * Order:    as kernel_logp.h: the same bits for any instruction set; callers keep the order of
 *           blocks.
 * Oracle:   the formulas in ATen, from at::log_softmax
 * Source:   arXiv 2405.16455; the form of alpha is that of its authors' code.
 * Threads:  no state.
 */
#ifndef TENSOR_KERNELS_KERNEL_LOGP_PAIR_H
#define TENSOR_KERNELS_KERNEL_LOGP_PAIR_H

#include "tensor/kernels/kernel_cpu.h"
#include "tensor/kernels/kernel_logp.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct kernel_logp_weights {
    float beta_in, beta_out;
    float log_alpha; /* nats */
};

/* The same columns of the same rows of both; the z of both are overwritten. */
struct kernel_logp_pair {
    struct kernel_logp_block policy;
    struct kernel_logp_block reference; /* its targets are not looked at */
    const float *reference_max;         /* [rows], of whole rows */
    const float *reference_log_sum;     /* [rows] */
    struct kernel_logp_weights weights;
};

/* What is known of the columns seen so far, with m the largest x of them and e_j = e^(x_j - m);
 * each [rows]. */
struct kernel_logp_pair_stats {
    struct kernel_logp_stats policy;
    float *relative; /* sum of e_j (x_j - m - log q_j) */
    float *beta;     /* sum of e_j beta_j */
    float *matching; /* sum of e_j beta_j (x_j - m - log w_j) */
};

/* Each [rows], nats. */
struct kernel_logp_pair_result {
    struct kernel_logp_result policy;
    float *kl;       /* K */
    float *matching; /* G */
    float *beta;     /* b */
};

/* For the backward pass: results of the forward pass, and the gradients of a loss with respect to
 * them; each [rows]. */
struct kernel_logp_pair_upstream {
    const float *entropy;
    const float *max;
    const float *log_sum;
    const float *kl;
    const float *matching;
    const float *beta;
    const float *grad_logp;
    const float *grad_entropy;
    const float *grad_kl;
    const float *grad_matching;
};

void kernel_logp_pair_start(const struct kernel_logp_pair_stats *stats, int64_t rows);

/* Adds the columns. `cpu.threads` is 1: a pair of blocks is for one thread. */
void kernel_logp_pair_add_cpu(const struct kernel_logp_pair *pair,
                              const struct kernel_logp_pair_stats *stats, struct kernel_cpu cpu);

/* Adds to `stats` what `more` knows of other columns of the same rows. */
void kernel_logp_pair_merge(const struct kernel_logp_pair_stats *stats,
                            const struct kernel_logp_pair_stats *more, int64_t rows);

void kernel_logp_pair_finish(const struct kernel_logp_pair_stats *stats, int64_t rows,
                             const struct kernel_logp_pair_result *result);

/* d z of the policy. */
void kernel_logp_pair_grad_cpu(const struct kernel_logp_pair *pair,
                               const struct kernel_logp_pair_upstream *upstream,
                               const struct kernel_logp_grad *grad, struct kernel_cpu cpu);

#ifdef __cplusplus
}
#endif

#endif
