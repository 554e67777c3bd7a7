/* kernel_stream.h - the memory traffic of AdamW and next to no arithmetic: what bandwidth allows.
 *
 * Use:      the reference of a benchmark of AdamW. Four arrays are read and three of them
 *           written, 28 bytes an element, split among threads as kernel_adamw.c splits them.
 * Twins:    kernel_stream.c (OpenMP) only.
 * Oracle:   by hand
 * Threads:  no state.
 */
#ifndef TENSOR_KERNELS_KERNEL_STREAM_H
#define TENSOR_KERNELS_KERNEL_STREAM_H

#include "tensor/kernels/kernel_cpu.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All arrays hold n elements; none overlaps another. Each element of `a`, `b` and `c` becomes half
 * its sum with `read`, so that values stay finite however often it is called. */
struct kernel_stream_args {
    const float *read;
    float *a, *b, *c;
    int64_t n;
};

void kernel_stream_cpu(const struct kernel_stream_args *args, struct kernel_cpu cpu);

#ifdef __cplusplus
}
#endif

#endif
