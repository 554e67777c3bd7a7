/* kernel_adam_mini.h - one Adam-mini step over a flat buffer: AdamW with one second moment for each
 * block of parameters.
 *
 * Use:      as kernel_adamw.h, with the partition beside it. Parameters between its parts (the gaps
 *           of a flat layout) are left alone.
 * Maths:    v_b = beta2 v_b + (1 - beta2) mean of g^2 over block b, and the rest is AdamW's with
 * v_b for each element of b. With blocks of one element it is AdamW, bit for bit. Order:    the
 * mean is added in double, in the order of kernel_norm.h, by one thread for each block: the same
 * bits for any thread count, instruction set and device. Twins:    kernel_adam_mini.c (OpenMP),
 * kernel_adam_mini.cu Oracle:   the formula in double; kernel_adamw.h Source:   Zhang et al. 2024
 * (arXiv 2406.16793), algorithm 2. Cost:     20 bytes of memory traffic a parameter (3 reads, 2
 * writes of f32), 22 with param_bf16, where a block's gradients stay in cache between the two
 * passes over them. Threads:  no state.
 */
#ifndef TENSOR_KERNELS_KERNEL_ADAM_MINI_H
#define TENSOR_KERNELS_KERNEL_ADAM_MINI_H

#include "tensor/kernels/kernel_adamw.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Elements [first, first + n) of the flat buffer, in n / block blocks of neighbours, whose second
 * moments are exp_avg_sq[first_block], [first_block + 1], ... */
struct kernel_adam_mini_part {
    int64_t first;
    int64_t n;     /* a multiple of block */
    int64_t block; /* at least 1 */
    int64_t first_block;
};

struct kernel_adam_mini_args {
    struct kernel_adamw_args adamw;            /* exp_avg_sq is one for each block */
    const struct kernel_adam_mini_part *parts; /* host memory; disjoint, inside [0, adamw.n) */
    int64_t parts_count;
};

void kernel_adam_mini_cpu(const struct kernel_adam_mini_args *a, struct kernel_cpu cpu);

/* As kernel_adamw_cuda; a launch for each part. */
ERR_NODISCARD enum err_code kernel_adam_mini_cuda(const struct kernel_adam_mini_args *a,
                                                  void *stream, struct error *err);

#ifdef __cplusplus
}
#endif

#endif
