/* kernel_norm.c - see kernel_norm.h. */
#include "tensor/kernels/kernel_norm.h"

#include "base/portable.h"
#include "tensor/kernels/kernel_cpu_internal.h"
#include "tensor/kernels/kernel_norm_internal.h"

#include <assert.h>
#include <math.h>

static_assert(KERNEL_PIECE_UNIT % NORM_BLOCK_ELEMENTS == 0, "a thread must own whole blocks");
static_assert(NORM_BLOCK_ELEMENTS % NORM_LANES == 0, "only the last block has a tail");

static KERNEL_INLINE double square(float x) {
    return (double)x * (double)x;
}

static KERNEL_INLINE double sum_block(const float *x, int64_t count) {
    double lane[NORM_LANES] = {0};
    int64_t whole = count - count % NORM_LANES;
    for (int64_t i = 0; i < whole; i += NORM_LANES) {
        KERNEL_SIMD
        for (int l = 0; l < NORM_LANES; l++) {
            lane[l] += square(x[i + l]);
        }
    }
    for (int64_t i = whole; i < count; i++) {
        lane[i - whole] += square(x[i]);
    }
    return norm_add_lanes(lane);
}

static KERNEL_INLINE void norm_range(const struct kernel_norm_args *a, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += NORM_BLOCK_ELEMENTS) {
        int64_t count = end - i < NORM_BLOCK_ELEMENTS ? end - i : NORM_BLOCK_ELEMENTS;
        a->scratch[i / NORM_BLOCK_ELEMENTS] = sum_block(a->x + i, count);
    }
}

KERNEL_VARIANTS(norm, struct kernel_norm_args)

static size_t count_blocks(int64_t n) {
    return (size_t)((n + NORM_BLOCK_ELEMENTS - 1) / NORM_BLOCK_ELEMENTS);
}

static double sum_partials(const double *partial, size_t count) {
    double lane[NORM_LANES] = {0};
    for (size_t i = 0; i < count; i++) {
        lane[i % NORM_LANES] += partial[i];
    }
    return norm_add_lanes(lane);
}

/* Exponent all ones. On the bits, so that no compiler option can remove it. */
static bool is_nonfinite(float x) {
    return (portable_bits_of_f32(x) & 0x7F800000U) == 0x7F800000U;
}

static void count_nonfinite(const struct kernel_norm_args *a, struct kernel_norm_result *result) {
    for (int64_t i = 0; i < a->n; i++) {
        if (is_nonfinite(a->x[i])) {
            result->nonfinite_first = result->nonfinite_count > 0 ? result->nonfinite_first : i;
            result->nonfinite_count++;
        }
    }
}

size_t kernel_norm_scratch(int64_t n) {
    size_t blocks = count_blocks(n);
    return blocks > NORM_SCRATCH_MIN ? blocks : NORM_SCRATCH_MIN;
}

/* The elements are searched only when the sum is not finite: at most 2^63 squares below 2^256
 * cannot overflow a double, and an infinity or a NaN survives every addition. */
void kernel_norm_cpu(const struct kernel_norm_args *a, struct kernel_cpu cpu,
                     struct kernel_norm_result *out_result) {
    kernel_run(&norm_variants, a, a->n, cpu);
    *out_result = (struct kernel_norm_result){
        .sum_sq = sum_partials(a->scratch, count_blocks(a->n)),
        .nonfinite_count = 0,
        .nonfinite_first = -1,
    };
    if (!isfinite(out_result->sum_sq)) {
        count_nonfinite(a, out_result);
    }
}
