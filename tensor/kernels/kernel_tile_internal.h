/* kernel_tile_internal.h - a few rows times a few columns of a product, in registers.
 *
 * Everything that multiplies (kernel_matmul.h, kernel_decode_attention.h) is cut into such tiles:
 *     y[r][c] = sum over k of x[r][k] w[k][c],   r < rows, c < 16 * vectors
 *
 * Layouts:  KERNEL_OPERAND_F32   x [rows][k], w [k][16 vectors]
 *           KERNEL_OPERAND_BF16  two steps of k side by side, as dot products of pairs want them:
 *                                x [rows][k / 2][2], w [k / 2][16 vectors][2]; k is even.
 * Order:    each y[r][c] has one accumulator, which takes the products in the order of k (of pairs
 *           of k where the processor adds pairs). So a result depends neither on the other rows and
 *           columns of its tile nor on how many there are.
 */
#ifndef TENSOR_KERNELS_KERNEL_TILE_INTERNAL_H
#define TENSOR_KERNELS_KERNEL_TILE_INTERNAL_H

#include "tensor/kernels/kernel_cpu_internal.h"
#include "tensor/kernels/kernel_matmul.h"

#include <stdint.h>

#define KERNEL_TILE_LANES 16 /* columns of a vector: f32 in 512 bits */

/* 8 x 3 and 6 x 4 accumulators leave room for the operands among 32 registers. */
#define KERNEL_TILE_VECTORS_MAX 4
#define KERNEL_TILE_ROWS_MAX    8
#define KERNEL_TILE_ROWS_OF_4   6

struct kernel_tile {
    const void *x;
    int64_t x_stride; /* elements from row to row */
    const void *w;
    int64_t w_stride; /* elements from step to step; a step is one k, or one pair of them */
    int64_t steps;
    float *y;
    int64_t y_stride;
    int64_t rows;            /* 1 to 8, to 6 with four vectors */
    int64_t vectors;         /* 1 to 4 */
    const char *prefetch;    /* at every step two cache lines are asked for: here, and `gap` on */
    int64_t prefetch_gap;    /* bytes */
    int64_t prefetch_stride; /* bytes from step to step; 0: the same lines */
};

typedef void (*kernel_tile_function)(const struct kernel_tile *t);

/* `isa` is not KERNEL_ISA_BEST. */
kernel_tile_function kernel_tile_of(enum kernel_operand operand, enum kernel_isa isa);

#if KERNEL_HAS_X86_VARIANTS
void kernel_tile_f32_avx2(const struct kernel_tile *t);
void kernel_tile_bf16_avx2(const struct kernel_tile *t);
void kernel_tile_f32_avx512(const struct kernel_tile *t);
void kernel_tile_bf16_avx512(const struct kernel_tile *t);
void kernel_tile_bf16_dot(const struct kernel_tile *t); /* AVX512_BF16 */
#endif

/* In this many steps of k a row of bf16 pairs or f32 values is read. */
static inline int64_t kernel_tile_steps(enum kernel_operand operand, int64_t k) {
    return operand == KERNEL_OPERAND_BF16 ? (k + 1) / 2 : k;
}

/* Values of w in one column of a step. */
static inline int64_t kernel_tile_pair(enum kernel_operand operand) {
    return operand == KERNEL_OPERAND_BF16 ? 2 : 1;
}

static inline int64_t kernel_tile_rows(int64_t vectors) {
    return vectors == KERNEL_TILE_VECTORS_MAX ? KERNEL_TILE_ROWS_OF_4 : KERNEL_TILE_ROWS_MAX;
}

#endif
