/* tt_linear_mixed.cpp - a linear layer in bf16 whose weight gradient is summed in f32. See
 * tt_linear_mixed in tt_ops.h. */
#include "tensor/tt_internal.hpp"
#include "tensor/tt_node.hpp"
#include "tensor/tt_parallel.hpp"
#include "tensor/tt_product.hpp"

#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>

#include <optional>
#include <vector>

using namespace tt;

namespace {

/* sum [K, D] += d^T x, for d [N, K] and x [N, D] in bf16. at::mm would round the product to bf16
 * before it is added. */
void add_weight_grad(const at::Tensor &d, const at::Tensor &x, const at::Tensor &sum) {
    if (!d.is_cpu()) {
        sum.add_(at::mm(d.t(), x, at::kFloat));
        return;
    }
    if (!product_has_bf16()) {
        sum.addmm_(d.to(at::kFloat).t(), x.to(at::kFloat));
        return;
    }
    const auto right = product_outer_prepare<at::BFloat16>(x);
    const int64_t outputs = d.size(1);
    const auto *from = d.const_data_ptr<at::BFloat16>();
    parallel_for((outputs + ROW_TILE - 1) / ROW_TILE, 1, [&](int64_t begin, int64_t end) {
        const at::Tensor turned =
            at::empty({ROW_TILE * product_depth<at::BFloat16>(x.size(0))}, x.options());
        for (int64_t first = begin * ROW_TILE; first < std::min(end * ROW_TILE, outputs);
             first += ROW_TILE) {
            product_outer_add(from + first, outputs, std::min(ROW_TILE, outputs - first), right,
                              turned.mutable_data_ptr<at::BFloat16>(),
                              sum.mutable_data_ptr<float>() + first * x.size(1));
        }
        product_release<at::BFloat16>();
    });
}

class linear_mixed_function : public torch::autograd::Function<linear_mixed_function> {
  public:
    static at::Tensor forward(AutogradContext *ctx, const at::Tensor &x, const at::Tensor &weight,
                              const optional_tensor &bias, const at::Tensor &shadow) {
        /* A frozen weight needs no inputs kept: with LoRA that is most of a model's activations. */
        ctx->save_for_backward({weight.requires_grad() ? x : at::Tensor(), weight,
                                bias.value_or(at::Tensor()), shadow});
        return at::linear(x, shadow, bias ? optional_tensor(bias->to(at::kBFloat16)) : bias);
    }

    static variable_list backward(AutogradContext *ctx, variable_list grads) {
        refuse_second_derivative("linear_mixed");
        const variable_list saved = ctx->get_saved_variables();
        const at::Tensor &shadow = saved[3];
        const at::Tensor d = grads[0].contiguous();
        const at::Tensor d_rows = d.view({-1, d.size(-1)});
        at::Tensor x_grad;
        grad_sink weight_grad;
        grad_sink bias_grad;
        if (ctx->needs_input_grad(0)) {
            std::vector<int64_t> sizes = d.sizes().vec();
            sizes.back() = shadow.size(1);
            x_grad = at::mm(d_rows, shadow).view(sizes);
        }
        if (ctx->needs_input_grad(1)) {
            weight_grad = grad_sink_of(saved[1]);
            const at::Tensor x = saved[0].reshape({-1, shadow.size(1)}).contiguous();
            add_weight_grad(d_rows, x, weight_grad.sum);
        }
        if (saved[2].defined() && ctx->needs_input_grad(2)) {
            bias_grad = grad_sink_of(saved[2]);
            bias_grad.sum.add_(d_rows.sum(0, /*keepdim=*/false, at::kFloat));
        }
        return {x_grad, weight_grad.hand_on, bias_grad.hand_on, at::Tensor()};
    }
};

void check_linear_mixed(const at::Tensor &x, const at::Tensor &weight, const at::Tensor &shadow,
                        const tt_tensor *bias) {
    TORCH_CHECK(x.scalar_type() == at::kBFloat16 && weight.scalar_type() == at::kFloat &&
                    shadow.scalar_type() == at::kBFloat16,
                "expected x bf16, weight f32 and its shadow bf16");
    TORCH_CHECK(weight.dim() == 2 && weight.sizes().equals(shadow.sizes()),
                "weight and shadow differ in shape, or have not rank 2");
    TORCH_CHECK(x.dim() >= 2 && x.size(-1) == weight.size(1), "expected x [.., K], weight [N, K]");
    TORCH_CHECK(!bias || (bias->t.scalar_type() == at::kFloat && bias->t.dim() == 1 &&
                          bias->t.size(0) == weight.size(0)),
                "bias is not f32 with one element per output");
}

at::Tensor linear_mixed(const at::Tensor &x, const at::Tensor &weight, const at::Tensor &shadow,
                        const tt_tensor *bias) {
    check_linear_mixed(x, weight, shadow, bias);
    return linear_mixed_function::apply(x, weight, bias ? optional_tensor(bias->t) : std::nullopt,
                                        shadow);
}

} // namespace

tt_tensor *tt_linear_mixed(tt_scope *s, const tt_tensor *x, const tt_tensor *weight,
                           const tt_tensor *shadow, const tt_tensor *bias) noexcept {
    const auto call = [&] { return linear_mixed(x->t, weight->t, shadow->t, bias); };
    return bias ? guarded(s, "linear_mixed", {x, weight, shadow, bias}, ANY, call)
                : guarded(s, "linear_mixed", {x, weight, shadow}, ANY, call);
}
