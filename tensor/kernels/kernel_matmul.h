/* kernel_matmul.h - y = x W^T with weights packed once: the products of a decoder.
 *
 * Use:      struct kernel_matrix w = kernel_matrix_of(N, K, KERNEL_OPERAND_BF16);
 *           w.packed = ... kernel_matrix_bytes(&w) bytes, on a 64-byte boundary ...
 *           kernel_matrix_pack(&w, 0, N, values, cpu);
 *           ...
 *           kernel_matmul(&(struct kernel_matmul_args){.w = &w, .x = x, .rows = M, .y = y}, team);
 * Layout:   panels of 48 columns (rows of W), each [K][48], or [K / 2][48][2] for bf16, so that one
 *           pass over a panel is one stream through memory. N is filled up with zeros.
 * Numbers:  sums are f32. Operands of KERNEL_OPERAND_BF16 are bf16 on both sides, so every product
 *           is exact and instruction sets differ in the order and fusing of additions only.
 * Repeats:  an element of y depends on its row of x and its row of W only: not on M, on the place
 * of the row in the batch, or on the thread count, bit for bit. It does depend on the instruction
 * set (fused multiply-add, dot products of pairs). Speed:    M = 1 runs at memory bandwidth, M >= 8
 * near the arithmetic limit (docs/BENCHMARKS.md). Not here yet: AMX tiles; they would be one more
 * kernel_tile_function for bf16 and a permission asked of the kernel at start. Twins:
 * kernel_matmul.c only; on a GPU cuBLAS multiplies. Oracle:   sums in double (the test) Threads: no
 * state; a packed matrix may be read by many teams.
 */
#ifndef TENSOR_KERNELS_KERNEL_MATMUL_H
#define TENSOR_KERNELS_KERNEL_MATMUL_H

#include "tensor/kernels/kernel_operand.h"
#include "tensor/kernels/kernel_team.h"

#include <stddef.h>
#include <stdint.h>

#define KERNEL_PANEL_COLUMNS 48
#define KERNEL_MATRIX_ALIGN  64

struct kernel_matrix {
    enum kernel_operand operand;
    int64_t n;    /* outputs, rows of W */
    int64_t k;    /* inputs, columns of W */
    void *packed; /* kernel_matrix_bytes(), on KERNEL_MATRIX_ALIGN; borrowed */
};

/* Without memory yet. */
struct kernel_matrix kernel_matrix_of(int64_t n, int64_t k, enum kernel_operand operand);

size_t kernel_matrix_bytes(const struct kernel_matrix *w);

/* Bytes of one value. */
size_t kernel_operand_bytes(enum kernel_operand operand);

/* Values from row to row of an operand x [M, K]: K, made even for bf16. The value that is added
 * must be 0. */
int64_t kernel_operand_stride(enum kernel_operand operand, int64_t k);

/* Packs `count` rows of W, values [count, K] f32, as its rows from `first` on; f32 is rounded to
 * bf16 to nearest even. Rows that are never packed must be zeroed by the caller (a fresh matrix of
 * zero bytes is a matrix of zeros). */
void kernel_matrix_pack(struct kernel_matrix *w, int64_t first, int64_t count, const float *values,
                        struct kernel_cpu cpu);

/* Row `row` of W as f32, out [K]: the embedding of a token when the head is the embedding. */
void kernel_matrix_row(const struct kernel_matrix *w, int64_t row, float *out);

struct kernel_matmul_args {
    const struct kernel_matrix *w; /* [N, K] */
    const void *x;                 /* [rows, kernel_operand_stride] of w's operand */
    int64_t rows;                  /* M */
    const float *bias;             /* [N], or NULL */
    float *y;                      /* [rows, y_stride], out */
    int64_t y_stride;              /* at least N */
    bool accumulate;               /* y += x W^T + bias instead of y = */
    const struct kernel_matrix
        *next; /* multiplied next: its beginning is fetched meanwhile; or NULL */
};

/* Which columns of y this member computes. Two matrices of equal N have equal shares. */
struct kernel_span kernel_matmul_columns(const struct kernel_matrix *w,
                                         const struct kernel_team *team);

/* This member's share. x must be complete; y is, after the next kernel_team_wait. */
void kernel_matmul(const struct kernel_matmul_args *a, const struct kernel_team *team);

#endif
