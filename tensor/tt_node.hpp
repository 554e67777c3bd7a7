/* tt_node.hpp - what autograd nodes of our own share. */
#ifndef TENSOR_TT_NODE_HPP
#define TENSOR_TT_NODE_HPP

#include <ATen/core/Tensor.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>

namespace tt {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/* Absent arguments: autograd takes no undefined tensors. */
using optional_tensor = std::optional<at::Tensor>;

/* NULL for an undefined tensor. */
inline float *floats(const at::Tensor &t) {
    return t.defined() ? t.mutable_data_ptr<float>() : nullptr;
}

/* At the beginning of a backward whose results cannot be differentiated again. */
inline void refuse_second_derivative(const char *op) {
    TORCH_CHECK(!at::GradMode::is_enabled(), op, ": it has no second derivative");
}

} // namespace tt

#endif
