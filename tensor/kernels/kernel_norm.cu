/* kernel_norm.cu - see kernel_norm.h. One warp sums a block of elements, lane for lane as the CPU
 * twin does; one more warp then sums the blocks. */
#include "tensor/kernels/kernel_norm.h"

#include "base/portable.h"
#include "tensor/kernels/kernel_cuda_internal.cuh"
#include "tensor/kernels/kernel_norm_internal.h"

#include <cmath>

namespace {

constexpr int WARP = 32;
constexpr int WARPS = CUDA_THREADS / WARP;
static_assert(NORM_LANES == WARP, "a lane of the sum is a lane of a warp");

__global__ void sum_blocks_kernel(const float *x, int64_t n, double *partial, int64_t partials) {
    const int lane = threadIdx.x % WARP;
    const int64_t first = static_cast<int64_t>(blockIdx.x) * WARPS + threadIdx.x / WARP;
    for (int64_t block = first; block < partials;
         block += static_cast<int64_t>(gridDim.x) * WARPS) {
        const int64_t begin = block * NORM_BLOCK_ELEMENTS;
        const int64_t end = begin + NORM_BLOCK_ELEMENTS < n ? begin + NORM_BLOCK_ELEMENTS : n;
        double sum = 0.0;
        for (int64_t i = begin + lane; i < end; i += NORM_LANES) {
            sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
        }
        sum = norm_add_lanes(sum);
        if (lane == 0) {
            partial[block] = sum;
        }
    }
}

/* Leaves the sum in partial[0]. */
__global__ void sum_partials_kernel(double *partial, int64_t partials) {
    double sum = 0.0;
    for (int64_t i = threadIdx.x; i < partials; i += NORM_LANES) {
        sum += partial[i];
    }
    sum = norm_add_lanes(sum);
    if (threadIdx.x == 0) {
        partial[0] = sum;
    }
}

struct nonfinite {
    unsigned long long count;
    unsigned long long first;
};

/* Integer atomics: their order does not show in the result. */
__global__ void count_nonfinite_kernel(const float *x, int64_t n, struct nonfinite *found) {
    for (int64_t i = cuda_first_item(); i < n; i += cuda_item_stride()) {
        if ((portable_bits_of_f32(x[i]) & 0x7F800000U) == 0x7F800000U) {
            atomicAdd(&found->count, 1ULL);
            atomicMin(&found->first, static_cast<unsigned long long>(i));
        }
    }
}

/* The scratch doubles serve again as the counters: a non-finite sum needs at least one block, and a
 * struct nonfinite takes two doubles, which kernel_norm_scratch provides. */
enum err_code count_nonfinite(const struct kernel_norm_args *a, cudaStream_t stream,
                              struct kernel_norm_result *result, struct error *err) {
    struct nonfinite found = {0, ~0ULL};
    auto *counters = reinterpret_cast<struct nonfinite *>(a->scratch);
    TRY(cuda_check(cudaMemcpyAsync(counters, &found, sizeof found, cudaMemcpyHostToDevice, stream),
                   "norm", err));
    count_nonfinite_kernel<<<cuda_blocks(a->n), CUDA_THREADS, 0, stream>>>(a->x, a->n, counters);
    TRY(cuda_check(cudaGetLastError(), "norm", err));
    TRY(cuda_check(cudaMemcpyAsync(&found, counters, sizeof found, cudaMemcpyDeviceToHost, stream),
                   "norm", err));
    TRY(cuda_check(cudaStreamSynchronize(stream), "norm", err));
    result->nonfinite_count = static_cast<int64_t>(found.count);
    result->nonfinite_first = static_cast<int64_t>(found.first);
    return ERR_OK;
}

enum err_code sum_squares(const struct kernel_norm_args *a, cudaStream_t stream, double *out_sum,
                          struct error *err) {
    const int64_t partials = (a->n + NORM_BLOCK_ELEMENTS - 1) / NORM_BLOCK_ELEMENTS;
    sum_blocks_kernel<<<cuda_blocks(partials * WARP), CUDA_THREADS, 0, stream>>>(
        a->x, a->n, a->scratch, partials);
    TRY(cuda_check(cudaGetLastError(), "norm", err));
    sum_partials_kernel<<<1, WARP, 0, stream>>>(a->scratch, partials);
    TRY(cuda_check(cudaGetLastError(), "norm", err));
    TRY(cuda_check(
        cudaMemcpyAsync(out_sum, a->scratch, sizeof *out_sum, cudaMemcpyDeviceToHost, stream),
        "norm", err));
    return cuda_check(cudaStreamSynchronize(stream), "norm", err);
}

} // namespace

enum err_code kernel_norm_cuda(const struct kernel_norm_args *a, void *stream,
                               struct kernel_norm_result *out_result, struct error *err) {
    struct kernel_norm_result result = {0.0, 0, -1};
    if (a->n > 0) {
        TRY(sum_squares(a, static_cast<cudaStream_t>(stream), &result.sum_sq, err));
    }
    if (!std::isfinite(result.sum_sq)) {
        TRY(count_nonfinite(a, static_cast<cudaStream_t>(stream), &result, err));
    }
    *out_result = result;
    return ERR_OK;
}
