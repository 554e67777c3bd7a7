/* kernel_norm.h - the sum of squares of a flat buffer, and whether every element is finite.
 *
 * Use:      for clipping by global norm:
 *           SCOPED(mem) double *scratch = mem_array(kernel_norm_scratch(n), sizeof *scratch);
 *           struct kernel_norm_result r;
 *           kernel_norm_cpu(&(struct kernel_norm_args){.x = grad, .n = n, .scratch = scratch},
 *                           cpu, &r);
 *           if (r.nonfinite_count > 0) { ... } else { norm = sqrt(r.sum_sq); }
 * Order:    blocks of 4096 elements; in a block, lane l of 32 adds elements l, l + 32, ... in
 *           turn, and the lanes are added as a binary tree; the sums of the blocks are added in the
 *           same way. So the result is the same bits for any thread count, instruction set and
 *           device (a square of an f32 is exact in f64, so fused or not makes no difference).
 * Twins:    kernel_norm.c (OpenMP), kernel_norm.cu
 * Oracle:   at::sum of the squares in f64
 * Threads:  no state.
 */
#ifndef TENSOR_KERNELS_KERNEL_NORM_H
#define TENSOR_KERNELS_KERNEL_NORM_H

#include "base/error.h"
#include "tensor/kernels/kernel_cpu.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct kernel_norm_args {
    const float *x; /* [n] */
    int64_t n;
    double *scratch; /* [kernel_norm_scratch(n)], contents undefined before and after */
};

struct kernel_norm_result {
    double sum_sq;           /* not finite when an element is not; it cannot overflow otherwise */
    int64_t nonfinite_count; /* infinities and NaNs */
    int64_t nonfinite_first; /* index of the first of them, -1 when there is none */
};

/* How many doubles kernel_norm_* needs as scratch memory for n elements: one a block, at least
 * two. */
size_t kernel_norm_scratch(int64_t n);

void kernel_norm_cpu(const struct kernel_norm_args *a, struct kernel_cpu cpu,
                     struct kernel_norm_result *out_result);

/* `x` and `scratch` are device memory, `out_result` is host memory. Waits for `stream`: the result
 * decides what the host does next.
 *   fails   ERR_BACKEND if a launch or the copy back fails
 */
ERR_NODISCARD enum err_code kernel_norm_cuda(const struct kernel_norm_args *a, void *stream,
                                             struct kernel_norm_result *out_result,
                                             struct error *err);

#ifdef __cplusplus
}
#endif

#endif
