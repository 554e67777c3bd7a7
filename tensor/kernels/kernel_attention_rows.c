/* kernel_attention_rows.c - see kernel_attention_rows.h. */
#include "tensor/kernels/kernel_attention_rows.h"

#include "base/invariant.h"
#include "base/portable.h"
#include "tensor/kernels/kernel_exp_internal.h"
#include "tensor/kernels/kernel_rows_internal.h"

static KERNEL_INLINE int64_t seen_of(const struct kernel_attention_block *block, int64_t row) {
    const int64_t seen = block->seen + row;
    return seen < block->columns ? seen : block->columns;
}

static KERNEL_INLINE void clear_unseen(const struct kernel_attention_block *block, int64_t row,
                                       void *to) {
    for (int64_t i = seen_of(block, row); i < block->columns; i++) {
        row_store(block->operand, to, row * block->stride + i, 0.0F);
    }
}

/* --- weights ---------------------------------------------------------------------------------- */

static KERNEL_INLINE float largest_of(const float *x, int64_t n) {
    float lane[ROW_LANES];
    for (int64_t l = 0; l < ROW_LANES; l++) {
        lane[l] = x[0];
    }
    const int64_t whole = n - n % ROW_LANES;
    for (int64_t i = 0; i < whole; i += ROW_LANES) {
        KERNEL_SIMD
        for (int64_t l = 0; l < ROW_LANES; l++) {
            lane[l] = x[i + l] > lane[l] ? x[i + l] : lane[l];
        }
    }
    for (int64_t i = whole; i < n; i++) {
        lane[0] = x[i] > lane[0] ? x[i] : lane[0];
    }
    float largest = lane[0];
    for (int64_t l = 1; l < ROW_LANES; l++) {
        largest = lane[l] > largest ? lane[l] : largest;
    }
    return largest;
}

static KERNEL_INLINE void weights_row(const struct kernel_attention_weights_args *a, int64_t row,
                                      enum kernel_operand operand) {
    const struct kernel_attention_block *block = &a->block;
    const int64_t at = row * block->stride;
    const int64_t seen = seen_of(block, row);
    const float *scores = block->scores + at;
    const float scale = block->scale;
    const float largest = largest_of(scores, seen) * scale;
    const int64_t whole = seen - seen % ROW_LANES;
    float lane[ROW_LANES] = {0};
    for (int64_t i = 0; i < whole; i += ROW_LANES) {
        KERNEL_SIMD
        for (int64_t l = 0; l < ROW_LANES; l++) {
            float weight = kernel_exp(scale * scores[i + l] - largest);
            lane[l] += weight;
            row_store(operand, a->weights, at + i + l, weight);
        }
    }
    for (int64_t i = whole; i < seen; i++) {
        float weight = kernel_exp(scale * scores[i] - largest);
        lane[i - whole] += weight;
        row_store(operand, a->weights, at + i, weight);
    }
    clear_unseen(block, row, a->weights);
    a->sum[row] = row_add_lanes(lane);
    a->lse[row] = largest + (float)portable_log((double)a->sum[row]);
}

ROW_LOOP(weights, struct kernel_attention_weights_args, block.operand)
KERNEL_VARIANTS(weights, struct kernel_attention_weights_args)

void kernel_attention_weights(const struct kernel_attention_weights_args *a, enum kernel_isa isa) {
    ASSERT_LE(1, a->block.seen);
    kernel_variant(&weights_variants, isa)(a, 0, a->block.rows);
}

/* --- gradients -------------------------------------------------------------------------------- */

static KERNEL_INLINE float weight_at(const struct kernel_attention_grads_args *a, int64_t at,
                                     float lse) {
    return kernel_exp(a->block.scale * a->block.scores[at] - lse);
}

/* sum p d_weights of a row. */
static KERNEL_INLINE float mean_gradient(const struct kernel_attention_grads_args *a, int64_t at,
                                         int64_t seen, float lse) {
    const int64_t whole = seen - seen % ROW_LANES;
    float lane[ROW_LANES] = {0};
    for (int64_t i = 0; i < whole; i += ROW_LANES) {
        KERNEL_SIMD
        for (int64_t l = 0; l < ROW_LANES; l++) {
            lane[l] += weight_at(a, at + i + l, lse) * a->d_weights[at + i + l];
        }
    }
    for (int64_t i = whole; i < seen; i++) {
        lane[i - whole] += weight_at(a, at + i, lse) * a->d_weights[at + i];
    }
    return row_add_lanes(lane);
}

static KERNEL_INLINE void grads_row(const struct kernel_attention_grads_args *a, int64_t row,
                                    enum kernel_operand operand) {
    const int64_t at = row * a->block.stride;
    const int64_t seen = seen_of(&a->block, row);
    const float lse = a->lse[row];
    const float mean = mean_gradient(a, at, seen, lse);
    KERNEL_SIMD
    for (int64_t i = 0; i < seen; i++) {
        float weight = weight_at(a, at + i, lse);
        row_store(operand, a->weights, at + i, weight);
        row_store(operand, a->d_scores, at + i,
                  a->block.scale * weight * (a->d_weights[at + i] - mean));
    }
    clear_unseen(&a->block, row, a->weights);
    clear_unseen(&a->block, row, a->d_scores);
}

ROW_LOOP(grads, struct kernel_attention_grads_args, block.operand)
KERNEL_VARIANTS(grads, struct kernel_attention_grads_args)

void kernel_attention_grads(const struct kernel_attention_grads_args *a, enum kernel_isa isa) {
    ASSERT_LE(1, a->block.seen);
    kernel_variant(&grads_variants, isa)(a, 0, a->block.rows);
}

/* --- storing ---------------------------------------------------------------------------------- */

static KERNEL_INLINE void store_row(const struct kernel_attention_store_args *a, int64_t row,
                                    enum kernel_operand operand) {
    const float *from = a->from + row * a->n;
    const float divisor = a->divisor ? a->divisor[row] : 1.0F;
    KERNEL_SIMD
    for (int64_t i = 0; i < a->n; i++) {
        row_store(operand, a->to, row * a->to_stride + i, from[i] / divisor);
    }
}

ROW_LOOP(store, struct kernel_attention_store_args, operand)
KERNEL_VARIANTS(store, struct kernel_attention_store_args)

void kernel_attention_store(const struct kernel_attention_store_args *a, enum kernel_isa isa) {
    kernel_variant(&store_variants, isa)(a, 0, a->rows);
}
