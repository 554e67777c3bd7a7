/* kernel_cuda_internal.cuh - launches and their errors, for the .cu twins. */
#ifndef TENSOR_KERNELS_KERNEL_CUDA_INTERNAL_CUH
#define TENSOR_KERNELS_KERNEL_CUDA_INTERNAL_CUH

#include "base/error.h"

#include <cuda_runtime_api.h>
#include <stdint.h>

#define CUDA_THREADS 256

/* Blocks for `n` items, one a thread; each thread then strides over the grid, so the cap of 2^16
 * blocks (enough to fill any device several times) limits nothing. */
static inline unsigned cuda_blocks(int64_t n) {
    const int64_t blocks = (n + CUDA_THREADS - 1) / CUDA_THREADS;
    return static_cast<unsigned>(blocks < 65536 ? blocks : 65536);
}

/* This thread's first item and the distance to its next one. */
static __device__ __forceinline__ int64_t cuda_first_item() {
    return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

static __device__ __forceinline__ int64_t cuda_item_stride() {
    return static_cast<int64_t>(gridDim.x) * blockDim.x;
}

/* ERR_OK, or ERR_BACKEND naming the kernel and the runtime's reason. */
static inline enum err_code cuda_check(cudaError_t status, const char *kernel, struct error *err) {
    if (status == cudaSuccess) {
        return ERR_OK;
    }
    return err_set(err, ERR_BACKEND, "CUDA kernel '%s': %s", kernel, cudaGetErrorString(status));
}

#endif
