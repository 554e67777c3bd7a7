/* cuda_half.cpp - the CUDA half of the program: see cuda_half.h. The only file that sees libtorch's
 * CUDA headers. */
#include "tensor/cuda_half.h"

#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>

#include <cuda_runtime_api.h>

namespace {

enum err_code cuda_error(cudaError_t status, const char *what, struct error *err) noexcept {
    return err_set(err, ERR_UNAVAILABLE, "CUDA: %s: %s", what, cudaGetErrorString(status));
}

enum err_code device_count(int64_t *out_count, struct error *err) noexcept {
    int count = 0;
    const cudaError_t status = cudaGetDeviceCount(&count);
    if (status != cudaSuccess) {
        return cuda_error(status, "no usable device", err);
    }
    *out_count = count;
    return ERR_OK;
}

void *current_stream(int32_t device) noexcept {
    const auto index = static_cast<c10::DeviceIndex>(device);
    c10::cuda::set_device(index);
    return c10::cuda::getCurrentCUDAStream(index).stream();
}

enum err_code synchronize(int32_t device, struct error *err) noexcept {
    const cudaError_t status =
        cudaStreamSynchronize(static_cast<cudaStream_t>(current_stream(device)));
    return status == cudaSuccess ? ERR_OK : cuda_error(status, "a kernel failed", err);
}

} // namespace

const struct cuda_half *accord_cuda_half(void) {
    static const struct cuda_half half = {
        .version = CUDA_HALF_VERSION,
        .device_count = device_count,
        .current_stream = current_stream,
        .synchronize = synchronize,
        .adamw = kernel_adamw_cuda,
        .adam_mini = kernel_adam_mini_cuda,
        .norm = kernel_norm_cuda,
        .random_uniform = kernel_random_uniform_cuda,
        .random_normal = kernel_random_normal_cuda,
        .logp = kernel_logp_cuda,
        .logp_grad = kernel_logp_grad_cuda,
    };
    return &half;
}
