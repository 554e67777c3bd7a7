/* kernel_train_rows.h - what training does with each row between its products, and the gradients:
 * norm, rotation, gate, residual.
 *
 * Use:      kernel_train_norm(&args, cpu);  ... kernel_train_norm_grad(&grad_args, cpu);
 * Shapes:   rows without gaps; an operand is f32 or bf16, everything else f32.
 * Repeats:  sums run over 16 lanes, and over rows in blocks of KERNEL_TRAIN_BLOCK_ROWS, in a fixed
 *           order, and nothing is fused: thread count and instruction set change no bit.
 * Twins:    kernel_train_rows.c only; on a GPU ATen's ops.
 * Oracle:   the formulas in double (the test)
 * Threads:  no state.
 */
#ifndef TENSOR_KERNELS_KERNEL_TRAIN_ROWS_H
#define TENSOR_KERNELS_KERNEL_TRAIN_ROWS_H

#include "tensor/kernels/kernel_cpu.h"
#include "tensor/kernels/kernel_operand.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* y = weight * x scale with scale = 1 / sqrt(mean(x^2) + eps), or
 * y = weight * (x - mean) scale + bias with scale = 1 / sqrt(var + eps). */
struct kernel_train_norm_args {
    const float *x; /* [rows, n] */
    int64_t rows;
    int64_t n;
    const float *weight; /* [n] */
    const float *bias;   /* [n]; NULL with is_rms, or for none */
    bool is_rms;
    float eps;
    enum kernel_operand operand;
    void *y;      /* [rows, n]; out */
    float *scale; /* [rows], for the gradient; out, or NULL */
    float *mean;  /* [rows]; out, or NULL; untouched with is_rms */
};

void kernel_train_norm(const struct kernel_train_norm_args *a, struct kernel_cpu cpu);

#define KERNEL_TRAIN_BLOCK_ROWS 64

/* With h = (x - mean) scale and g = dy * weight:
 *     dx = scale (g - h mean(g h)), less scale mean(g) without is_rms
 *     dweight = sum over rows of dy * h,  dbias = sum over rows of dy */
struct kernel_train_norm_grad_args {
    const float *x; /* [rows, n] */
    int64_t rows;
    int64_t n;
    const float *weight;
    bool is_rms;
    const float *scale; /* [rows] */
    const float *mean;  /* [rows]; NULL with is_rms */
    enum kernel_operand operand;
    const void *dy; /* [rows, n] */
    float *dx;      /* [rows, n]; out */
    float *dweight; /* [n], added to; NULL for none */
    float *dbias;   /* [n], added to; NULL for none */
    float *scratch; /* kernel_train_norm_scratch(rows, n) floats, or NULL without dweight, dbias */
};

int64_t kernel_train_norm_scratch(int64_t rows, int64_t n);

void kernel_train_norm_grad(const struct kernel_train_norm_grad_args *a, struct kernel_cpu cpu);

/* Pairs (i, i + d / 2) of each head turned by the angles of their row; by minus these angles with
 * is_inverse, which is the gradient. arXiv 2104.09864. */
struct kernel_train_rotate_args {
    enum kernel_operand operand;
    const void *x; /* [rows, heads, d], d even */
    int64_t rows;
    int64_t heads;
    int64_t d;
    const float *cosine; /* [rows, d / 2] */
    const float *sine;
    bool is_inverse;
    void *y; /* [rows, heads, d]; out, not x */
};

void kernel_train_rotate(const struct kernel_train_rotate_args *a, struct kernel_cpu cpu);

/* y = silu(gate) * up. arXiv 2002.05202. */
struct kernel_train_gate_args {
    enum kernel_operand operand;
    const void *gate; /* [n] */
    const void *up;   /* [n] */
    int64_t n;
    void *y; /* [n]; out */
};

void kernel_train_gate(const struct kernel_train_gate_args *a, struct kernel_cpu cpu);

/* dup = dy silu(gate), dgate = dy up s (1 + gate (1 - s)) with s = 1 / (1 + exp(-gate)). */
struct kernel_train_gate_grad_args {
    enum kernel_operand operand;
    const void *gate; /* [n] */
    const void *up;   /* [n] */
    const void *dy;   /* [n] */
    int64_t n;
    void *dgate; /* [n]; out */
    void *dup;   /* [n]; out */
};

void kernel_train_gate_grad(const struct kernel_train_gate_grad_args *a, struct kernel_cpu cpu);

/* y = x + delta. */
struct kernel_train_residual_args {
    const float *x; /* [n] */
    enum kernel_operand operand;
    const void *delta; /* [n] */
    int64_t n;
    float *y; /* [n]; out */
};

void kernel_train_residual(const struct kernel_train_residual_args *a, struct kernel_cpu cpu);

#ifdef __cplusplus
}
#endif

#endif
