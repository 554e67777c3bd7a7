/* kernel_rows_internal.h - what kernels that go through a matrix row by row share: sums in a fixed
 * order, and values of either operand type. All of it is inlined into the variant (KERNEL_VARIANTS)
 * that calls it.
 */
#ifndef TENSOR_KERNELS_KERNEL_ROWS_INTERNAL_H
#define TENSOR_KERNELS_KERNEL_ROWS_INTERNAL_H

#include "tensor/kernels/kernel_convert.h"
#include "tensor/kernels/kernel_cpu_internal.h"
#include "tensor/kernels/kernel_operand.h"

#include <math.h>
#include <stdbool.h>

#define ROW_LANES 16

/* From `name`_with(const args_type *a, begin, end, operand) makes `name`_range, in which `operand`,
 * a member of *a, is a constant of either loop. */
#define ROW_RANGE(name, args_type, operand)                                                  \
    static KERNEL_INLINE void name##_range(const args_type *a, int64_t begin, int64_t end) { \
        if (a->operand == KERNEL_OPERAND_BF16) {                                             \
            name##_with(a, begin, end, KERNEL_OPERAND_BF16);                                 \
        } else {                                                                             \
            name##_with(a, begin, end, KERNEL_OPERAND_F32);                                  \
        }                                                                                    \
    }

/* The same from `name`_row(a, row, operand), for each row. */
#define ROW_LOOP(name, args_type, operand)                                                \
    static KERNEL_INLINE void name##_with(const args_type *a, int64_t begin, int64_t end, \
                                          enum kernel_operand constant) {                 \
        for (int64_t row = begin; row < end; row++) {                                     \
            name##_row(a, row, constant);                                                 \
        }                                                                                 \
    }                                                                                     \
    ROW_RANGE(name, args_type, operand)

static KERNEL_INLINE float row_load(enum kernel_operand operand, const void *from, int64_t at) {
    return operand == KERNEL_OPERAND_BF16 ? kernel_f32_of_bf16(((const uint16_t *)from)[at])
                                          : ((const float *)from)[at];
}

static KERNEL_INLINE void row_store(enum kernel_operand operand, void *to, int64_t at,
                                    float value) {
    if (operand == KERNEL_OPERAND_BF16) {
        ((uint16_t *)to)[at] = kernel_bf16_of_f32(value);
    } else {
        ((float *)to)[at] = value;
    }
}

static KERNEL_INLINE float row_add_lanes(float lane[ROW_LANES]) {
    for (int64_t width = ROW_LANES / 2; width > 0; width /= 2) {
        for (int64_t l = 0; l < width; l++) {
            lane[l] += lane[l + width];
        }
    }
    return lane[0];
}

/* Sum of x - shift, or of its squares. */
static KERNEL_INLINE float row_sum(const float *x, int64_t n, float shift, bool is_square) {
    float lane[ROW_LANES] = {0};
    int64_t whole = n - n % ROW_LANES;
    for (int64_t i = 0; i < whole; i += ROW_LANES) {
        KERNEL_SIMD
        for (int64_t l = 0; l < ROW_LANES; l++) {
            float value = x[i + l] - shift;
            lane[l] += is_square ? value * value : value;
        }
    }
    for (int64_t i = whole; i < n; i++) {
        float value = x[i] - shift;
        lane[i - whole] += is_square ? value * value : value;
    }
    return row_add_lanes(lane);
}

/* A norm: y = weight * (x - mean) scale + bias with scale = 1 / sqrt(var + eps), where is_rms the
 * same with mean 0 and no bias. */
struct row_norm {
    const float *weight; /* [n] */
    const float *bias;   /* [n], or NULL */
    int64_t n;
    float eps;
    bool is_rms;
};

struct row_moments {
    float mean;
    float scale;
};

static KERNEL_INLINE struct row_moments row_normalise(const struct row_norm *norm, const float *x,
                                                      enum kernel_operand operand, void *y,
                                                      int64_t y_at) {
    const float count = (float)norm->n;
    const float mean = norm->is_rms ? 0.0F : row_sum(x, norm->n, 0.0F, false) / count;
    const float scale = 1.0F / sqrtf(row_sum(x, norm->n, mean, true) / count + norm->eps);
    const float *weight = norm->weight;
    const float *bias = norm->bias;
    KERNEL_SIMD
    for (int64_t i = 0; i < norm->n; i++) {
        float value = (x[i] - mean) * scale * weight[i];
        value = bias ? value + bias[i] : value;
        row_store(operand, y, y_at + i, value);
    }
    return (struct row_moments){mean, scale};
}

#endif
