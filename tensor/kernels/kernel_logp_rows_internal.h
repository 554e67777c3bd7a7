/* kernel_logp_rows_internal.h - rows of logits, as kernel_logp.c and kernel_logp_pair.c go through
 * them: 32 lanes, added as a binary tree. All of it is inlined into the variant that calls it.
 */
#ifndef TENSOR_KERNELS_KERNEL_LOGP_ROWS_INTERNAL_H
#define TENSOR_KERNELS_KERNEL_LOGP_ROWS_INTERNAL_H

#include "tensor/kernels/kernel_cpu_internal.h"
#include "tensor/kernels/kernel_logp.h"
#include "tensor/kernels/kernel_logp_internal.h"

#include <stdbool.h>

#define LANES 32

static KERNEL_INLINE float larger(float a, float b) {
    return a > b ? a : b;
}

static KERNEL_INLINE float add_lanes(float lane[LANES]) {
    for (int width = LANES / 2; width > 0; width /= 2) {
        for (int l = 0; l < width; l++) {
            lane[l] += lane[l + width];
        }
    }
    return lane[0];
}

/* In place: z becomes x = scale (z + bias). */
static KERNEL_INLINE float *logits_of_row(const struct kernel_logp_block *b, int64_t r) {
    float *x = b->z + r * b->stride;
    const float *bias = b->bias;
    float scale = b->scale;
    if (bias) {
        KERNEL_SIMD
        for (int64_t j = 0; j < b->columns; j++) {
            x[j] = scale * (x[j] + bias[j]);
        }
    } else if (scale != 1.0F) {
        KERNEL_SIMD
        for (int64_t j = 0; j < b->columns; j++) {
            x[j] *= scale;
        }
    }
    return x;
}

/* At least LOGP_LOWEST. */
static KERNEL_INLINE float max_of(const float *x, int64_t n) {
    float lane[LANES];
    for (int l = 0; l < LANES; l++) {
        lane[l] = LOGP_LOWEST;
    }
    int64_t whole = n - n % LANES;
    for (int64_t j = 0; j < whole; j += LANES) {
        KERNEL_SIMD
        for (int l = 0; l < LANES; l++) {
            lane[l] = larger(x[j + l], lane[l]);
        }
    }
    for (int64_t j = whole; j < n; j++) {
        lane[j - whole] = larger(x[j], lane[j - whole]);
    }
    for (int width = LANES / 2; width > 0; width /= 2) {
        for (int l = 0; l < width; l++) {
            lane[l] = larger(lane[l], lane[l + width]);
        }
    }
    return lane[0];
}

/* The target's column in the block, or a number outside it. */
static KERNEL_INLINE int64_t target_column(const struct kernel_logp_block *b, int64_t r) {
    return b->target[r] - b->first_column;
}

static KERNEL_INLINE bool in_block(const struct kernel_logp_block *b, int64_t column) {
    return 0 <= column && column < b->columns;
}

/* The block's gradients, which are in its z, to where `grad` says. */
void kernel_logp_store_grad(const struct kernel_logp_block *block,
                            const struct kernel_logp_grad *grad, struct kernel_cpu cpu);

#endif
