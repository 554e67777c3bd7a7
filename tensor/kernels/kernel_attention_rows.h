/* kernel_attention_rows.h - softmax over the scores of attention, and its gradient: what happens
 * between the matrix products of a block of queries.
 *
 * Use:      S = Q K^T; kernel_attention_weights(S -> P, lse); O = P V;
 *           backward: S and dP = dO V^T again; kernel_attention_grads(S, dP, lse -> P, dS);
 *           dV += P^T dO; dQ = dS K; dK += dS^T Q.
 * Shapes:   a block of queries has `rows` rows of `columns` scores, rows `stride` apart in every
 *           array. Row r sees columns [0, seen + r); the others become 0 in what is written.
 * Repeats:  a row's result depends on the row only; sums run over 16 lanes in a fixed order and
 *           nothing is fused: the instruction set changes no bit.
 * Twins:    kernel_attention_rows.c only; on a GPU ATen's attention.
 * Oracle:   the formulas in double (the test)
 * Source:   arXiv 2205.14135 (recomputation from the log-sum-exp in backward)
 * Threads:  no state; runs on the calling thread.
 */
#ifndef TENSOR_KERNELS_KERNEL_ATTENTION_ROWS_H
#define TENSOR_KERNELS_KERNEL_ATTENTION_ROWS_H

#include "tensor/kernels/kernel_cpu.h"
#include "tensor/kernels/kernel_operand.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct kernel_attention_block {
    int64_t rows;
    int64_t columns;
    int64_t stride;
    int64_t seen;        /* by the first row, at least 1 */
    float scale;         /* of the scores, positive */
    const float *scores; /* [rows, columns] */
    enum kernel_operand operand;
};

struct kernel_attention_weights_args {
    struct kernel_attention_block block;
    void *weights; /* [rows, columns]: exp(scale s - max), max the row's largest scale s; out */
    float *sum;    /* [rows]: of the row's weights; out */
    float *lse;    /* [rows]: max + log sum; out */
};

void kernel_attention_weights(const struct kernel_attention_weights_args *a, enum kernel_isa isa);

struct kernel_attention_grads_args {
    struct kernel_attention_block block;
    const float *lse;       /* [rows] */
    const float *d_weights; /* [rows, columns] */
    void *weights;          /* [rows, columns]: p = exp(scale s - lse); out */
    void *d_scores;         /* [rows, columns]: scale p (d_weights - sum p d_weights); out */
};

void kernel_attention_grads(const struct kernel_attention_grads_args *a, enum kernel_isa isa);

/* to[r] = from[r] / divisor[r], or from[r] where there is no divisor. */
struct kernel_attention_store_args {
    const float *from; /* [rows, n], without gaps */
    const float *divisor;
    int64_t rows;
    int64_t n;
    enum kernel_operand operand;
    void *to; /* [rows, n] */
    int64_t to_stride;
};

void kernel_attention_store(const struct kernel_attention_store_args *a, enum kernel_isa isa);

#ifdef __cplusplus
}
#endif

#endif
