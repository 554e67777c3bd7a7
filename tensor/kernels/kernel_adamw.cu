/* kernel_adamw.cu - see kernel_adamw.h. */
#include "tensor/kernels/kernel_adamw.h"

#include "tensor/kernels/kernel_adamw_internal.h"
#include "tensor/kernels/kernel_convert.h"
#include "tensor/kernels/kernel_cuda_internal.cuh"

namespace {

__global__ void adamw_kernel(const struct kernel_adamw_args a,
                             const struct adamw_coefficients coefficients) {
    for (int64_t i = cuda_first_item(); i < a.n; i += cuda_item_stride()) {
        const struct adamw_element old = {a.param[i], a.exp_avg[i], a.exp_avg_sq[i]};
        const struct adamw_element updated = kernel_adamw_update(&coefficients, old, a.grad[i]);
        a.param[i] = updated.param;
        a.exp_avg[i] = updated.exp_avg;
        a.exp_avg_sq[i] = updated.exp_avg_sq;
        if (a.param_bf16) {
            a.param_bf16[i] = kernel_bf16_of_f32(updated.param);
        }
    }
}

} // namespace

enum err_code kernel_adamw_cuda(const struct kernel_adamw_args *a, void *stream,
                                struct error *err) {
    if (a->n == 0) {
        return ERR_OK;
    }
    adamw_kernel<<<cuda_blocks(a->n), CUDA_THREADS, 0, static_cast<cudaStream_t>(stream)>>>(
        *a, kernel_adamw_coefficients(a));
    return cuda_check(cudaGetLastError(), "adamw", err);
}
