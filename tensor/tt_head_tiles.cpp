/* tt_head_tiles.cpp - operands of a head and their gradients: see tt_head_tiles.hpp. */
#include "tensor/tt_head_tiles.hpp"

#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>

using namespace tt;

namespace {

void check_head_types(const at::Tensor &hidden, const tt_head *head) {
    const at::ScalarType compute = hidden.scalar_type();
    const at::ScalarType weight = head->weight->t.scalar_type();
    TORCH_CHECK(compute != at::kHalf, "hidden is f16, expected f64, f32 or bf16");
    if (head->shadow) {
        TORCH_CHECK(compute == at::kBFloat16 && weight == at::kFloat &&
                        head->shadow->t.scalar_type() == at::kBFloat16,
                    "a shadow is the bf16 copy of an f32 weight, for bf16 hidden states");
        TORCH_CHECK(head->shadow->t.sizes().equals(head->weight->t.sizes()),
                    "weight and shadow differ in shape");
    } else {
        TORCH_CHECK(compute == weight, "hidden and weight differ in dtype, and there is no shadow");
        TORCH_CHECK(weight != at::kBFloat16 || !head->weight->t.requires_grad(),
                    "a trained weight is f32, with a shadow");
    }
    for (const tt_tensor *a : {head->shadow, head->bias}) {
        TORCH_CHECK(!a || a->t.device() == hidden.device(), "shadow or bias is on another device");
    }
    TORCH_CHECK(!head->bias || head->bias->t.scalar_type() ==
                                   (compute == at::kDouble ? at::kDouble : at::kFloat),
                "the bias is f32, or f64 with f64 hidden states");
}

void check_head_shapes(const at::Tensor &hidden, const tt_head *head) {
    const at::Tensor &weight = head->weight->t;
    TORCH_CHECK(hidden.dim() == 2 && weight.dim() == 2 && hidden.size(1) == weight.size(1) &&
                    weight.size(0) > 0 && weight.size(1) > 0,
                "expected hidden [N, D], weight [V, D], target [N]");
    TORCH_CHECK(!head->bias ||
                    (head->bias->t.dim() == 1 && head->bias->t.size(0) == weight.size(0)),
                "bias has not one element per vocabulary entry");
    TORCH_CHECK(head->logit_scale > 0.0 && std::isfinite(head->logit_scale), "logit_scale is ",
                head->logit_scale, ", expected a positive number");
}

/* bf16 is multiplied in pairs along D. */
at::Tensor paired(const at::Tensor &t) {
    if (t.size(1) % 2 != 0) {
        return at::constant_pad_nd(t, {0, 1});
    }
    return reinterpret_cast<uintptr_t>(t.const_data_ptr()) % sizeof(uint32_t) == 0 ? t : t.clone();
}

grad_sink sink_of(const at::Tensor &leaf) {
    if (leaf.scalar_type() != at::kDouble) {
        return grad_sink_of(leaf);
    }
    const at::Tensor zeros = at::zeros_like(leaf, at::MemoryFormat::Contiguous);
    return {zeros, zeros};
}

at::ScalarType wide_type(const at::Tensor &hidden) {
    return hidden.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

} // namespace

void tt::check_head(const at::Tensor &hidden, const tt_head *head) {
    check_head_types(hidden, head);
    check_head_shapes(hidden, head);
}

at::Tensor tt::head_targets(const at::Tensor &given, const at::Tensor &hidden,
                            const at::Tensor &weight) {
    const at::ScalarType ids = given.scalar_type();
    TORCH_CHECK(ids == at::kLong || ids == at::kInt, "target is neither i64 nor i32");
    TORCH_CHECK(given.dim() == 1 && given.size(0) == hidden.size(0),
                "expected hidden [N, D], weight [V, D], target [N]");
    at::Tensor target = given.to(at::kLong).contiguous();
    if (target.numel() > 0) {
        const int64_t low = target.min().item<int64_t>();
        const int64_t high = target.max().item<int64_t>();
        TORCH_CHECK(low >= 0 && high < weight.size(0), "target ", low < 0 ? low : high,
                    " is outside [0, ", weight.size(0), ")");
    }
    return target;
}

head_call tt::prepare_head(const at::Tensor &hidden, const at::Tensor &weight,
                           const at::Tensor &shadow, const at::Tensor &bias,
                           const at::Tensor &target, double scale) {
    head_call call = {hidden.contiguous(), shadow.defined() ? shadow : weight,
                      bias.defined() ? bias.contiguous() : bias, target, scale};
    if (hidden.is_cpu() && hidden.scalar_type() == at::kBFloat16 && !product_has_bf16()) {
        call.hidden = call.hidden.to(at::kFloat);
        call.weight = weight.to(at::kFloat);
    }
    call.weight = call.weight.contiguous();
    if (hidden.is_cpu() && call.hidden.scalar_type() == at::kBFloat16) {
        call.hidden = paired(call.hidden);
        call.weight = paired(call.weight);
    }
    return call;
}

at::Tensor tt::wide_product(const at::Tensor &a, const at::Tensor &b) {
    return a.scalar_type() == at::kBFloat16 ? at::mm(a, b, at::kFloat) : at::mm(a, b);
}

void tt::head_add_gradients(const head_call &call, const at::Tensor &d_logits,
                            const head_sinks &sinks) {
    if (sinks.bias.defined()) {
        sinks.bias.add_(d_logits.sum(0));
    }
    const at::Tensor narrow = d_logits.to(call.hidden.scalar_type());
    if (sinks.weight.defined()) {
        sinks.weight.add_(wide_product(narrow.t(), call.hidden));
    }
    if (sinks.hidden.defined()) {
        sinks.hidden.copy_(wide_product(narrow, call.weight));
    }
}

head_backward tt::begin_backward(AutogradContext *ctx, const head_call &call,
                                 const at::Tensor &hidden, const at::Tensor &weight,
                                 const at::Tensor &bias) {
    head_backward pass;
    if (ctx->needs_input_grad(0)) {
        pass.sinks.hidden =
            at::zeros(call.hidden.sizes(), hidden.options().dtype(wide_type(hidden)));
    }
    if (ctx->needs_input_grad(1)) {
        pass.weight = sink_of(weight);
        const bool padded = call.weight.size(1) != weight.size(1);
        pass.sinks.weight =
            padded ? at::zeros(call.weight.sizes(), pass.weight.sum.options()) : pass.weight.sum;
    }
    if (bias.defined() && ctx->needs_input_grad(2)) {
        pass.bias = sink_of(bias);
        pass.sinks.bias = pass.bias.sum;
    }
    return pass;
}

variable_list tt::end_backward(const head_backward &pass, const at::Tensor &hidden) {
    const int64_t depth = hidden.size(1);
    if (pass.sinks.weight.defined() && pass.sinks.weight.size(1) != depth) {
        pass.weight.sum.add_(pass.sinks.weight.narrow(1, 0, depth));
    }
    return {pass.sinks.hidden.defined()
                ? pass.sinks.hidden.narrow(1, 0, depth).to(hidden.scalar_type())
                : at::Tensor(),
            pass.weight.hand_on, pass.bias.hand_on};
}
