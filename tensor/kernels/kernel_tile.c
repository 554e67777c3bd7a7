/* kernel_tile.c - see kernel_tile_internal.h: the tiles in plain C, and which one to use. */
#include "tensor/kernels/kernel_tile_internal.h"

#include "tensor/kernels/kernel_convert.h"

#include <string.h>

/* One row, one vector of columns. */
static void add_f32(const struct kernel_tile *t, int64_t row, int64_t vector,
                    float sum[KERNEL_TILE_LANES]) {
    const float *x = (const float *)t->x + row * t->x_stride;
    const float *w = (const float *)t->w + vector * KERNEL_TILE_LANES;
    for (int64_t step = 0; step < t->steps; step++, w += t->w_stride) {
        KERNEL_SIMD
        for (int64_t lane = 0; lane < KERNEL_TILE_LANES; lane++) {
            sum[lane] += x[step] * w[lane];
        }
    }
}

static void add_bf16(const struct kernel_tile *t, int64_t row, int64_t vector,
                     float sum[KERNEL_TILE_LANES]) {
    const uint16_t *x = (const uint16_t *)t->x + row * t->x_stride;
    const uint16_t *w = (const uint16_t *)t->w + vector * KERNEL_TILE_LANES * 2;
    for (int64_t step = 0; step < t->steps; step++, w += t->w_stride) {
        float x_first = kernel_f32_of_bf16(x[2 * step]);
        float x_second = kernel_f32_of_bf16(x[2 * step + 1]);
        KERNEL_SIMD
        for (int64_t lane = 0; lane < KERNEL_TILE_LANES; lane++) {
            sum[lane] += x_first * kernel_f32_of_bf16(w[2 * lane]);
            sum[lane] += x_second * kernel_f32_of_bf16(w[2 * lane + 1]);
        }
    }
}

static KERNEL_INLINE void tile_generic(const struct kernel_tile *t, enum kernel_operand operand) {
    for (int64_t row = 0; row < t->rows; row++) {
        for (int64_t vector = 0; vector < t->vectors; vector++) {
            float sum[KERNEL_TILE_LANES] = {0};
            if (operand == KERNEL_OPERAND_F32) {
                add_f32(t, row, vector, sum);
            } else {
                add_bf16(t, row, vector, sum);
            }
            memcpy(t->y + row * t->y_stride + vector * KERNEL_TILE_LANES, sum, sizeof sum);
        }
    }
}

static void tile_f32_generic(const struct kernel_tile *t) {
    tile_generic(t, KERNEL_OPERAND_F32);
}

static void tile_bf16_generic(const struct kernel_tile *t) {
    tile_generic(t, KERNEL_OPERAND_BF16);
}

kernel_tile_function kernel_tile_of(enum kernel_operand operand, enum kernel_isa isa) {
    bool is_f32 = operand == KERNEL_OPERAND_F32;
#if KERNEL_HAS_X86_VARIANTS
    if (isa == KERNEL_ISA_AVX512_BF16 && !is_f32) {
        return kernel_tile_bf16_dot;
    }
    if (isa == KERNEL_ISA_AVX512 || isa == KERNEL_ISA_AVX512_BF16) {
        return is_f32 ? kernel_tile_f32_avx512 : kernel_tile_bf16_avx512;
    }
    if (isa == KERNEL_ISA_AVX2) {
        return is_f32 ? kernel_tile_f32_avx2 : kernel_tile_bf16_avx2;
    }
#else
    (void)isa;
#endif
    return is_f32 ? tile_f32_generic : tile_bf16_generic;
}
