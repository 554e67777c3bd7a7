/* tt_process.hpp - libtorch's state that belongs to the process: the trace sink, the CUDA half. The
 * one module allowed to keep it (tt_process.cpp). */
#ifndef TENSOR_TT_PROCESS_HPP
#define TENSOR_TT_PROCESS_HPP

#include "tensor/cuda_half.h"

namespace tt {

/* How our CPU kernels run: on as many threads as libtorch. */
struct kernel_cpu process_kernel_cpu() noexcept;

/* Hands a line to the sink of tt_runtime_set; dropped when there is none. */
void process_trace_line(const char *line) noexcept;

/* The CUDA half, opened on first use; fails ERR_UNAVAILABLE with the reason, the same each time. */
enum err_code process_cuda_half(const struct cuda_half **out_half, struct error *err) noexcept;

} // namespace tt

#endif
