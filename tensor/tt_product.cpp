/* tt_product.cpp - see tt_product.hpp. */
#include "tensor/tt_product.hpp"
#include "tensor/tt_parallel.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/graph_task.h>

namespace tt {

bool product_has_bf16() noexcept {
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

/* NOLINTNEXTLINE(readability-non-const-parameter): written by way of kernel_pack_args.to */
void product_transpose_left(const float *d, int64_t stride, int64_t k, int64_t m, float *to) {
    const kernel_pack_args args = {
        .from = d, .from_stride = stride, .rows = k, .columns = m, .to = to, .to_stride = k};
    kernel_pack_transpose(&args, KERNEL_ISA_BEST);
}

/* In strips of 16 pairs of rows, which stay in the first cache between the two steps. */
void product_transpose_left(const at::BFloat16 *d, int64_t stride, int64_t k, int64_t m,
                            at::BFloat16 *to) {
    constexpr int64_t STRIP_ROWS = 32;
    constexpr int64_t STRIP_COLUMNS = 256;
    uint32_t strip[STRIP_ROWS / 2 * STRIP_COLUMNS];
    const int64_t words = product_depth<at::BFloat16>(k) / 2;
    for (int64_t first = 0; first < k; first += STRIP_ROWS) {
        const int64_t rows = std::min(STRIP_ROWS, k - first);
        for (int64_t column = 0; column < m; column += STRIP_COLUMNS) {
            const int64_t columns = std::min(STRIP_COLUMNS, m - column);
            const kernel_pack_args pairs = {.from = d + first * stride + column,
                                            .from_stride = stride,
                                            .rows = rows,
                                            .columns = columns,
                                            .to = strip,
                                            .to_stride = STRIP_COLUMNS};
            kernel_pack_pairs(&pairs, KERNEL_ISA_BEST);
            const kernel_pack_args turned = {.from = strip,
                                             .from_stride = STRIP_COLUMNS,
                                             .rows = (rows + 1) / 2,
                                             .columns = columns,
                                             .to = to + column * 2 * words + first,
                                             .to_stride = words};
            kernel_pack_transpose(&turned, KERNEL_ISA_BEST);
        }
    }
}

template <> product_outer_right<float> product_outer_prepare(const at::Tensor &h) {
    const int64_t k = h.size(1);
    return {h, {h.const_data_ptr<float>(), k, PANEL_COLUMNS}, h.size(0), k};
}

template <> product_outer_right<at::BFloat16> product_outer_prepare(const at::Tensor &h) {
    const int64_t m = h.size(0);
    const int64_t k = h.size(1);
    const int64_t depth = product_depth<at::BFloat16>(m);
    const at::Tensor storage = at::empty({product_panels_elements(depth, k)}, h.options());
    const product_panels<at::BFloat16> panels = {storage.mutable_data_ptr<at::BFloat16>(), depth};
    const auto *from = h.const_data_ptr<at::BFloat16>();
    parallel_for((m + 1) / 2, ROW_TILE, [&](int64_t begin, int64_t end) {
        const int64_t first = 2 * begin;
        product_fill_panels(panels, first, from + first * k, std::min(2 * end, m) - first, k);
    });
    return {storage, product_right_of(panels), m, k};
}

/* The parameters of a store have their gradient from the start, and a plain backward has no list of
 * what it is to find. Hooks on leaves, which this would pass by, are not in our vocabulary. */
grad_sink grad_sink_of(const at::Tensor &leaf) {
    const auto *wanted = torch::autograd::get_current_graph_task_exec_info();
    if (wanted && wanted->empty() && leaf.is_leaf()) {
        const at::Tensor &grad = leaf.grad();
        if (grad.defined() && grad.scalar_type() == at::kFloat && grad.is_contiguous() &&
            grad.sizes().equals(leaf.sizes())) {
            grad.unsafeGetTensorImpl()->bump_version();
            return {grad, {}};
        }
    }
    at::Tensor zeros =
        at::zeros_like(leaf, leaf.options().dtype(at::kFloat), at::MemoryFormat::Contiguous);
    return {zeros, zeros};
}

} // namespace tt
