/* tt_parallel.hpp - loops of the shim on all threads.
 *
 * Why not at::parallel_for: it is a template that is compiled here, and without -fopenmp, which
 * would link libgomp (tensor/kernels/kernel_openmp.h), it is a plain loop.
 */
#ifndef TENSOR_TT_PARALLEL_HPP
#define TENSOR_TT_PARALLEL_HPP

#include "tensor/kernels/kernel_openmp.h"
#include "tensor/tt_process.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>

namespace tt {

/* Calls body(begin, end) for pieces of [0, count), one for each thread and none smaller than
 * `grain`, but the last. Throws what a piece threw, after all have ended. */
template <typename Body> void parallel_for(int64_t count, int64_t grain, const Body &body) {
    struct job {
        const Body &body;
        int64_t count, piece;
        std::atomic<bool> failed;
        std::exception_ptr failure;
    };
    const int64_t threads = process_kernel_cpu().threads;
    const int64_t piece = std::max(grain, (count + threads - 1) / threads);
    job shared = {body, count, piece, {false}, nullptr};
    if (count <= 0) {
        return;
    }
    const auto member = [](void *context, int index, int members) {
        auto *all = static_cast<job *>(context);
        for (int64_t begin = index * all->piece; begin < all->count;
             begin += members * all->piece) {
            try {
                all->body(begin, std::min(begin + all->piece, all->count));
            } catch (...) {
                if (!all->failed.exchange(true)) {
                    all->failure = std::current_exception();
                }
            }
        }
    };
    kernel_openmp_run(static_cast<int>((count + piece - 1) / piece), member, &shared);
    if (shared.failure) {
        std::rethrow_exception(shared.failure);
    }
}

} // namespace tt

#endif
