/* kernel_sample.c - see kernel_sample.h. */
#include "tensor/kernels/kernel_sample.h"

#include "tensor/kernels/kernel_cpu_internal.h"
#include "tensor/kernels/kernel_exp_internal.h"

#define LANES 16

struct softmax_plan {
    const struct kernel_softmax_args *args;
    struct kernel_softmax *result;
};

static KERNEL_INLINE uint32_t is_nonfinite(float x) {
    return (portable_bits_of_f32(x) & 0x7F800000U) == 0x7F800000U;
}

static int64_t find_nonfinite(const float *x, int64_t n) {
    int64_t i = 0;
    while (i < n && !is_nonfinite(x[i])) {
        i++;
    }
    return i < n ? i : -1;
}

static int64_t find_value(const float *x, int64_t n, float value) {
    int64_t i = 0;
    while (i < n - 1 && x[i] != value) {
        i++;
    }
    return i;
}

static KERNEL_INLINE float largest(const float *x, int64_t n, uint32_t *out_nonfinite) {
    float highest[LANES];
    uint32_t bad[LANES] = {0};
    for (int64_t l = 0; l < LANES; l++) {
        highest[l] = x[0];
    }
    int64_t whole = n - n % LANES;
    for (int64_t i = 0; i < whole; i += LANES) {
        KERNEL_SIMD
        for (int64_t l = 0; l < LANES; l++) {
            highest[l] = x[i + l] > highest[l] ? x[i + l] : highest[l];
            bad[l] |= is_nonfinite(x[i + l]);
        }
    }
    for (int64_t i = whole; i < n; i++) {
        highest[0] = x[i] > highest[0] ? x[i] : highest[0];
        bad[0] |= is_nonfinite(x[i]);
    }
    for (int64_t l = 1; l < LANES; l++) {
        highest[0] = highest[l] > highest[0] ? highest[l] : highest[0];
        bad[0] |= bad[l];
    }
    *out_nonfinite = bad[0];
    return highest[0];
}

static KERNEL_INLINE double sum_block(const float *x, int64_t n, float max, float scale) {
    double lane[LANES] = {0};
    int64_t whole = n - n % LANES;
    for (int64_t i = 0; i < whole; i += LANES) {
        KERNEL_SIMD
        for (int64_t l = 0; l < LANES; l++) {
            lane[l] += (double)kernel_exp((x[i + l] - max) * scale);
        }
    }
    for (int64_t i = whole; i < n; i++) {
        lane[i - whole] += (double)kernel_exp((x[i] - max) * scale);
    }
    for (int64_t width = LANES / 2; width > 0; width /= 2) {
        for (int64_t l = 0; l < width; l++) {
            lane[l] += lane[l + width];
        }
    }
    return lane[0];
}

static KERNEL_INLINE void softmax_range(const struct softmax_plan *plan, int64_t begin,
                                        int64_t end) {
    const struct kernel_softmax_args *a = plan->args;
    uint32_t nonfinite = 0;
    float max = largest(a->logits, end, &nonfinite);
    struct kernel_softmax result = {.max = max, .nonfinite = -1};
    if (nonfinite) {
        result.nonfinite = find_nonfinite(a->logits, end);
        *plan->result = result;
        return;
    }
    result.argmax = find_value(a->logits, end, max);
    for (int64_t i = begin; i < end; i += KERNEL_SOFTMAX_BLOCK) {
        int64_t count = end - i < KERNEL_SOFTMAX_BLOCK ? end - i : KERNEL_SOFTMAX_BLOCK;
        double sum = sum_block(a->logits + i, count, max, a->inverse_temperature);
        a->blocks[i / KERNEL_SOFTMAX_BLOCK] = sum;
        result.total += sum;
    }
    *plan->result = result;
}

KERNEL_VARIANTS(softmax, struct softmax_plan)

void kernel_softmax_scan(const struct kernel_softmax_args *a, enum kernel_isa isa,
                         struct kernel_softmax *out) {
    struct softmax_plan plan = {.args = a, .result = out};
    kernel_variant(&softmax_variants, isa)(&plan, 0, a->n);
}

float kernel_softmax_weight(float logit, float max, float inverse_temperature) {
    return kernel_exp((logit - max) * inverse_temperature);
}
