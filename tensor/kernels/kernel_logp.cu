/* kernel_logp.cu - see kernel_logp.h. One thread block a row. */
#include "tensor/kernels/kernel_logp.h"

#include "tensor/kernels/kernel_convert.h"
#include "tensor/kernels/kernel_cuda_internal.cuh"
#include "tensor/kernels/kernel_logp_internal.h"

namespace {

__device__ __forceinline__ float logit_of(const struct kernel_logp_block &b, const float *z,
                                          int64_t j) {
    return b.scale * (b.bias ? z[j] + b.bias[j] : z[j]);
}

/* Every thread's value in a binary tree of fixed shape; the result is in lane[0]. */
template <typename T, typename Join>
__device__ __forceinline__ T reduce(T *lane, T mine, Join join) {
    lane[threadIdx.x] = mine;
    __syncthreads();
    for (unsigned width = CUDA_THREADS / 2; width > 0; width /= 2) {
        if (threadIdx.x < width) {
            lane[threadIdx.x] = join(lane[threadIdx.x], lane[threadIdx.x + width]);
        }
        __syncthreads();
    }
    const T result = lane[0];
    __syncthreads();
    return result;
}

__device__ __forceinline__ float max_of_row(const struct kernel_logp_block &b, const float *z,
                                            float *lane) {
    float max = LOGP_LOWEST;
    for (int64_t j = threadIdx.x; j < b.columns; j += CUDA_THREADS) {
        const float x = logit_of(b, z, j);
        max = x > max ? x : max;
    }
    return reduce(lane, max, [](float p, float q) { return p > q ? p : q; });
}

__global__ void logp_kernel(const struct kernel_logp_block b,
                            const struct kernel_logp_result result) {
    __shared__ float lane[CUDA_THREADS];
    const auto add = [](float p, float q) { return p + q; };
    for (int64_t r = blockIdx.x; r < b.rows; r += gridDim.x) {
        const float *z = b.z + r * b.stride;
        struct logp_sums sums = {max_of_row(b, z, lane), 0.0F, 0.0F};
        for (int64_t j = threadIdx.x; j < b.columns; j += CUDA_THREADS) {
            const float below = kernel_logp_below(logit_of(b, z, j), sums.max);
            const float e = kernel_exp(below);
            sums.sum += e;
            sums.weighted += e * below;
        }
        sums.sum = reduce(lane, sums.sum, add);
        sums.weighted = reduce(lane, sums.weighted, add);
        if (threadIdx.x == 0) {
            kernel_logp_finish_row(sums, logit_of(b, z, b.target[r]), r, &result);
        }
    }
}

__global__ void logp_grad_kernel(const struct kernel_logp_block b,
                                 const struct kernel_logp_upstream upstream,
                                 const struct kernel_logp_grad grad) {
    for (int64_t r = blockIdx.x; r < b.rows; r += gridDim.x) {
        const float *z = b.z + r * b.stride;
        const struct logp_grad_row row = kernel_logp_grad_row(&upstream, b.scale, r);
        for (int64_t j = threadIdx.x; j < b.columns; j += CUDA_THREADS) {
            const float d = kernel_logp_grad_of(row, logit_of(b, z, j), j == b.target[r]);
            if (grad.bf16) {
                grad.bf16[r * grad.stride + j] = kernel_bf16_of_f32(d);
            } else {
                grad.f32[r * grad.stride + j] = d;
            }
        }
    }
}

unsigned blocks_of(int64_t rows) {
    return static_cast<unsigned>(rows < 65536 ? rows : 65536);
}

} // namespace

enum err_code kernel_logp_cuda(const struct kernel_logp_block *block,
                               const struct kernel_logp_result *result, void *stream,
                               struct error *err) {
    if (block->rows == 0) {
        return ERR_OK;
    }
    logp_kernel<<<blocks_of(block->rows), CUDA_THREADS, 0, static_cast<cudaStream_t>(stream)>>>(
        *block, *result);
    return cuda_check(cudaGetLastError(), "logp", err);
}

enum err_code kernel_logp_grad_cuda(const struct kernel_logp_block *block,
                                    const struct kernel_logp_upstream *upstream,
                                    const struct kernel_logp_grad *grad, void *stream,
                                    struct error *err) {
    if (block->rows == 0) {
        return ERR_OK;
    }
    logp_grad_kernel<<<blocks_of(block->rows), CUDA_THREADS, 0,
                       static_cast<cudaStream_t>(stream)>>>(*block, *upstream, *grad);
    return cuda_check(cudaGetLastError(), "logp_grad", err);
}
