/* kernel_adamw.h - one AdamW step over a flat buffer of parameters.
 *
 * Use:      one call for the parameters that decay and one, with weight_decay 0, for those that do
 *           not (norms, biases). grad_scale is the clip coefficient divided by the loss scale; the
 *           gradients themselves are left as they are.
 * Twins:    kernel_adamw.c (OpenMP), kernel_adamw.cu; the arithmetic is in
 *           kernel_adamw_internal.h, once, and the results are the same bits.
 * Oracle:   at::_fused_adamw_ (torch 2.11, FusedAdamKernel.cpp): the same operations in the same
 *           order, but never fused into multiply-add, so the last bits differ.
 * Source:   Loshchilov and Hutter 2019 (arXiv 1711.05101), algorithm 2, eps outside the root;
 *           deviation: decay is scaled by the learning rate, as in PyTorch.
 * Cost:     28 bytes of memory traffic a parameter (4 reads, 3 writes of f32), 30 with param_bf16:
 *           bound by memory bandwidth.
 * Threads:  no state.
 */
#ifndef TENSOR_KERNELS_KERNEL_ADAMW_H
#define TENSOR_KERNELS_KERNEL_ADAMW_H

#include "base/error.h"
#include "tensor/kernels/kernel_cpu.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All arrays hold n elements, contiguous, none overlapping another. */
struct kernel_adamw_args {
    float *param;         /* in and out */
    const float *grad;    /* in */
    float *exp_avg;       /* in and out: first moment, zero before step 1 */
    float *exp_avg_sq;    /* in and out: second moment, zero before step 1 */
    uint16_t *param_bf16; /* out: the new parameters in bf16, to nearest even; or NULL */
    int64_t n;
    int64_t step; /* 1 for the first update */
    double lr;
    double beta1;        /* in [0, 1) */
    double beta2;        /* in [0, 1) */
    double eps;          /* added to the root of the corrected second moment */
    double weight_decay; /* decoupled: param *= 1 - lr * weight_decay */
    double grad_scale;   /* multiplied into every gradient; 1 for none */
};

void kernel_adamw_cpu(const struct kernel_adamw_args *a, struct kernel_cpu cpu);

/* Pointers are device memory of the current device; `stream` is a cudaStream_t, NULL for the
 * default one. Returns when the kernel is queued.
 *   fails   ERR_BACKEND if the launch is refused
 */
ERR_NODISCARD enum err_code kernel_adamw_cuda(const struct kernel_adamw_args *a, void *stream,
                                              struct error *err);

#ifdef __cplusplus
}
#endif

#endif
