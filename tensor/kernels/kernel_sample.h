/* kernel_sample.h - the softmax of a row of logits, as sampling needs it.
 *
 * Use:      struct kernel_softmax s;
 *           kernel_softmax_scan(&(struct kernel_softmax_args){.logits = l, .n = V,
 *                               .inverse_temperature = 1.0F, .blocks = blocks}, isa, &s);
 *           logp of token i: (l[i] - s.max) * inverse_temperature - log(s.total)
 * Order:    weights exp((l - max) / T) in f32; a block's weights are added in double, lane l of 16
 *           taking elements l, l + 16, ..., the lanes as a tree, the blocks in order. The same bits
 *           for every instruction set.
 * Twins:    kernel_sample.c only.
 * Oracle:   the same in double (the test)
 * Threads:  no state.
 */
#ifndef TENSOR_KERNELS_KERNEL_SAMPLE_H
#define TENSOR_KERNELS_KERNEL_SAMPLE_H

#include "tensor/kernels/kernel_cpu.h"

#include <stdint.h>

#define KERNEL_SOFTMAX_BLOCK 256

struct kernel_softmax_args {
    const float *logits; /* [n], n >= 1 */
    int64_t n;
    float inverse_temperature;
    double *blocks; /* [ceil(n / KERNEL_SOFTMAX_BLOCK)], out: sums of weights */
};

struct kernel_softmax {
    float max;
    int64_t argmax; /* the lowest index of the largest logit */
    int64_t
        nonfinite; /* index of the first infinity or NaN; -1: none, else all below is undefined */
    double total;  /* sum of the weights, at least 1 */
};

void kernel_softmax_scan(const struct kernel_softmax_args *a, enum kernel_isa isa,
                         struct kernel_softmax *out);

/* The weight of one logit, the same bits as in the sums. */
float kernel_softmax_weight(float logit, float max, float inverse_temperature);

#endif
