/* kernel_pack.c - see kernel_pack.h. */
#include "tensor/kernels/kernel_pack.h"

#include "tensor/kernels/kernel_cpu_internal.h"

/* Rows read side by side: their elements make one cache line of `to`. */
#define STRIP 16

static KERNEL_INLINE void transpose_strip(const uint32_t *from, int64_t from_stride,
                                          int64_t columns, uint32_t *to, int64_t to_stride) {
    for (int64_t c = 0; c < columns; c++) {
        KERNEL_SIMD
        for (int64_t r = 0; r < STRIP; r++) {
            to[c * to_stride + r] = from[r * from_stride + c];
        }
    }
}

static KERNEL_INLINE void transpose_range(const struct kernel_pack_args *a, int64_t begin,
                                          int64_t end) {
    const uint32_t *from = (const uint32_t *)a->from;
    uint32_t *to = (uint32_t *)a->to;
    int64_t r = begin;
    for (; r + STRIP <= end; r += STRIP) {
        transpose_strip(from + r * a->from_stride, a->from_stride, a->columns, to + r,
                        a->to_stride);
    }
    for (; r < end; r++) {
        for (int64_t c = 0; c < a->columns; c++) {
            to[c * a->to_stride + r] = from[r * a->from_stride + c];
        }
    }
}

/* Of pairs, not of rows. */
static KERNEL_INLINE void pairs_range(const struct kernel_pack_args *a, int64_t begin,
                                      int64_t end) {
    for (int64_t i = begin; i < end; i++) {
        const uint16_t *low = (const uint16_t *)a->from + 2 * i * a->from_stride;
        const uint16_t *high = low + a->from_stride;
        uint32_t *to = (uint32_t *)a->to + i * a->to_stride;
        if (2 * i + 1 < a->rows) {
            KERNEL_SIMD
            for (int64_t c = 0; c < a->columns; c++) {
                to[c] = (uint32_t)low[c] | (uint32_t)high[c] << 16;
            }
        } else {
            for (int64_t c = 0; c < a->columns; c++) {
                to[c] = low[c];
            }
        }
    }
}

KERNEL_VARIANTS(transpose, struct kernel_pack_args)
KERNEL_VARIANTS(pairs, struct kernel_pack_args)

void kernel_pack_transpose(const struct kernel_pack_args *a, enum kernel_isa isa) {
    kernel_run(&transpose_variants, a, a->rows, (struct kernel_cpu){.threads = 1, .isa = isa});
}

void kernel_pack_pairs(const struct kernel_pack_args *a, enum kernel_isa isa) {
    kernel_run(&pairs_variants, a, (a->rows + 1) / 2,
               (struct kernel_cpu){.threads = 1, .isa = isa});
}
