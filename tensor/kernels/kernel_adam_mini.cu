/* kernel_adam_mini.cu - see kernel_adam_mini.h. A thread block for each block of parameters: its
 * warps take runs of NORM_BLOCK_ELEMENTS in turn, lane for lane as the CPU twin does. */
#include "tensor/kernels/kernel_adam_mini.h"

#include "tensor/kernels/kernel_adamw_internal.h"
#include "tensor/kernels/kernel_convert.h"
#include "tensor/kernels/kernel_cuda_internal.cuh"
#include "tensor/kernels/kernel_norm_internal.h"

namespace {

constexpr unsigned WARP = NORM_LANES;

__device__ __forceinline__ double sum_some(const struct adamw_coefficients &c, const float *grad,
                                           int64_t begin, int64_t end) {
    double sum = 0.0;
    for (int64_t i = begin + threadIdx.x % WARP; i < end; i += NORM_LANES) {
        sum += static_cast<double>(kernel_adamw_square(&c, grad[i] * c.grad_scale));
    }
    return norm_add_lanes(sum);
}

/* Run r of the block goes to lane r % 32 of the sum of runs. The number of warps divides 32, so one
 * warp alone meets the runs of a lane, in their order. */
__device__ __forceinline__ double sum_block(const struct adamw_coefficients &c, const float *grad,
                                            int64_t n, double *lanes) {
    const unsigned warps = blockDim.x / WARP;
    __syncthreads();
    if (threadIdx.x < WARP) {
        lanes[threadIdx.x] = 0.0;
    }
    __syncthreads();
    for (int64_t run = threadIdx.x / WARP; run * NORM_BLOCK_ELEMENTS < n; run += warps) {
        const int64_t begin = run * NORM_BLOCK_ELEMENTS;
        const int64_t end = begin + NORM_BLOCK_ELEMENTS < n ? begin + NORM_BLOCK_ELEMENTS : n;
        const double sum = sum_some(c, grad, begin, end);
        if (threadIdx.x % WARP == 0) {
            lanes[run % NORM_LANES] += sum;
        }
    }
    __syncthreads();
    return threadIdx.x < WARP ? norm_add_lanes(lanes[threadIdx.x]) : 0.0;
}

__global__ void adam_mini_kernel(const struct kernel_adamw_args a,
                                 const struct kernel_adam_mini_part part,
                                 const struct adamw_coefficients c) {
    __shared__ double lanes[NORM_LANES];
    __shared__ float moment;
    const int64_t blocks = part.n / part.block;
    for (int64_t b = blockIdx.x; b < blocks; b += gridDim.x) {
        const int64_t first = part.first + b * part.block;
        const double sum = sum_block(c, a.grad + first, part.block, lanes);
        if (threadIdx.x == 0) {
            float *exp_avg_sq = a.exp_avg_sq + part.first_block + b;
            const auto mean = static_cast<float>(sum / static_cast<double>(part.block));
            moment = *exp_avg_sq = *exp_avg_sq * c.beta2 + mean;
        }
        __syncthreads();
        const float denominator = kernel_adamw_denominator(&c, moment);
        for (int64_t i = first + threadIdx.x; i < first + part.block; i += blockDim.x) {
            const float exp_avg =
                kernel_adamw_first_moment(&c, a.exp_avg[i], a.grad[i] * c.grad_scale);
            const float param = kernel_adamw_param(&c, a.param[i], exp_avg, denominator);
            a.exp_avg[i] = exp_avg;
            a.param[i] = param;
            if (a.param_bf16) {
                a.param_bf16[i] = kernel_bf16_of_f32(param);
            }
        }
    }
}

/* A power of two of warps, as many as there are runs. */
unsigned threads_of(int64_t block) {
    unsigned threads = WARP;
    while (threads < CUDA_THREADS && threads / WARP * NORM_BLOCK_ELEMENTS < block) {
        threads *= 2;
    }
    return threads;
}

} // namespace

enum err_code kernel_adam_mini_cuda(const struct kernel_adam_mini_args *a, void *stream,
                                    struct error *err) {
    const struct adamw_coefficients coefficients = kernel_adamw_coefficients(&a->adamw);
    for (int64_t p = 0; p < a->parts_count; p++) {
        const struct kernel_adam_mini_part part = a->parts[p];
        const int64_t blocks = part.n / part.block;
        if (blocks > 0) {
            const auto grid = static_cast<unsigned>(blocks < 65536 ? blocks : 65536);
            adam_mini_kernel<<<grid, threads_of(part.block), 0,
                               static_cast<cudaStream_t>(stream)>>>(a->adamw, part, coefficients);
            TRY(cuda_check(cudaGetLastError(), "adam_mini", err));
        }
    }
    return ERR_OK;
}
