/* kernel_pack.h - matrices laid out as the operands of small matrix products.
 *
 * Use:      processors multiply bf16 two values of depth k at a time, so that a right operand
 *           B [K, N] is stored as K / 2 rows of N pairs (B[2k][n], B[2k + 1][n]), 32 bits each with
 *           the first in the low half. In that layout
 *               B = W,   W [K, N]:  kernel_pack_pairs(W)
 *               B = W^T, W [N, K]:  kernel_pack_transpose(W), whose pairs are words of 32 bits
 *           and a left operand A = D^T, D [K, M], is kernel_pack_transpose(kernel_pack_pairs(D)).
 *           In f32 a word is one value: B = W^T and A = D^T are kernel_pack_transpose alone.
 * Twins:    kernel_pack.c only; on a GPU cuBLAS packs.
 * Threads:  no state; runs on the calling thread.
 */
#ifndef TENSOR_KERNELS_KERNEL_PACK_H
#define TENSOR_KERNELS_KERNEL_PACK_H

#include "tensor/kernels/kernel_cpu.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* `from` has `rows` rows of `columns` elements; strides count elements of each array. */
struct kernel_pack_args {
    const void *from;
    int64_t from_stride;
    int64_t rows;
    int64_t columns;
    void *to; /* words */
    int64_t to_stride;
};

/* from: words. to[c][r] = from[r][c]. */
void kernel_pack_transpose(const struct kernel_pack_args *a, enum kernel_isa isa);

/* from: 16-bit values. to[i][c] = from[2i][c] | from[2i + 1][c] << 16; the last of an odd number of
 * rows is paired with zeros. */
void kernel_pack_pairs(const struct kernel_pack_args *a, enum kernel_isa isa);

#ifdef __cplusplus
}
#endif

#endif
