/* kernel_decode_rows.h - what a decoder does with each row between its products: norm, rotation,
 * the key-value cache, activation.
 *
 * Use:      inside a kernel_team_run; each call is one member's share. The argument structs are the
 *           whole team's.
 * Repeats:  a row's result depends on that row only; sums run over 16 lanes in a fixed order and
 *           nothing is fused, so thread count and instruction set change no bit.
 * Twins:    kernel_decode_rows.c only.
 * Oracle:   formulas in double (the test)
 * Threads:  no state.
 */
#ifndef TENSOR_KERNELS_KERNEL_DECODE_ROWS_H
#define TENSOR_KERNELS_KERNEL_DECODE_ROWS_H

#include "tensor/kernels/kernel_kv_page.h"
#include "tensor/kernels/kernel_matmul.h"

#include <stdbool.h>
#include <stdint.h>

/* weight * x / sqrt(mean(x^2) + eps), or weight * (x - mean) / sqrt(var + eps) + bias. */
struct kernel_decode_norm_args {
    const float *x;      /* [*, n] */
    const int64_t *pick; /* [rows]: which rows of x; NULL for all in order */
    int64_t rows;
    int64_t n;
    const float *weight; /* [n] */
    const float *bias;   /* [n]; NULL with is_rms, or for none */
    bool is_rms;
    float eps;
    enum kernel_operand operand;
    void *out; /* [rows, kernel_operand_stride(operand, n)] */
};

void kernel_decode_norm(const struct kernel_decode_norm_args *a, const struct kernel_team *team);

/* Queries to the attention's layout, keys and values to their place in the cache. */
struct kernel_decode_rotate_args {
    const float *qkv; /* [rows, (heads + 2 kv_heads) d]: queries, keys, values */
    int64_t rows;
    int64_t heads;
    const struct kernel_kv_page *page;
    const struct kernel_kv_row *row; /* [rows] */
    char *cache;                     /* this layer's part of page 0; written */
    size_t page_stride;              /* bytes from page to page */
    const float *cos_sin; /* [*, d]: by position, d / 2 cosines, d / 2 sines; NULL: no rope */
    const float *q_norm;  /* [d], or NULL: RMS norm of each head before the rotation */
    const float *k_norm;  /* [d], or NULL */
    float eps;            /* of those norms */
    void *queries; /* [kv_heads, rows, heads / kv_heads, padded d], of the page's operand; out */
};

void kernel_decode_rotate(const struct kernel_decode_rotate_args *a,
                          const struct kernel_team *team);

enum kernel_activation {
    KERNEL_ACTIVATION_RELU,
    KERNEL_ACTIVATION_GELU, /* with the error function */
    KERNEL_ACTIVATION_GELU_TANH,
    KERNEL_ACTIVATION_SILU,
};

/* out = act(gate) * up, or act(gate). */
struct kernel_decode_activate_args {
    enum kernel_activation activation;
    const float *gate; /* [rows, n] */
    const float *up;   /* [rows, n], or NULL */
    int64_t rows;
    int64_t n;
    enum kernel_operand operand;
    void *out; /* [rows, kernel_operand_stride(operand, n)] */
};

/* For columns [columns.begin, columns.end): those of this member's share of the product before, so
 * that no barrier is needed in between. */
void kernel_decode_activate(const struct kernel_decode_activate_args *a, struct kernel_span columns,
                            const struct kernel_team *team);

#endif
