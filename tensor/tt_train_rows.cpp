/* tt_train_rows.cpp - embedding, norm, rotation, gate and residual: one kernel forward and one
 * backward each, with nothing kept but what backward needs. See tt_ops.h.
 *
 * The kernels take f32 and bf16 on the CPU. Everything else - f64, which serves gradient checks,
 * and CUDA - is the plain formula in ATen's ops.
 */
#include "tensor/tt_internal.hpp"
#include "tensor/tt_node.hpp"
#include "tensor/tt_process.hpp"
#include "tensor/tt_product.hpp"

#include "tensor/kernels/kernel_train_rows.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/embedding_dense_backward.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/index_add.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/rms_norm.h>
#include <ATen/ops/silu.h>

using namespace tt;

namespace {

bool kernel_takes(const at::Tensor &t) {
    return t.is_cpu() && (t.scalar_type() == at::kFloat || t.scalar_type() == at::kBFloat16);
}

kernel_operand operand_of(const at::Tensor &t) {
    return t.scalar_type() == at::kBFloat16 ? KERNEL_OPERAND_BF16 : KERNEL_OPERAND_F32;
}

/* --- embedding -------------------------------------------------------------------------------- */

/* Adds the gradient's rows to the weight's own gradient: ATen makes a matrix of the weight's size
 * for the rows of a batch, and adds that. */
class embedding_function : public torch::autograd::Function<embedding_function> {
  public:
    static at::Tensor forward(AutogradContext *ctx, const at::Tensor &weight,
                              const at::Tensor &ids) {
        ctx->save_for_backward({weight, ids});
        return at::embedding(weight, ids);
    }

    static variable_list backward(AutogradContext *ctx, variable_list grads) {
        const variable_list saved = ctx->get_saved_variables();
        if (at::GradMode::is_enabled()) { /* a gradient that can be differentiated again */
            return {at::embedding_dense_backward(grads[0], saved[1], saved[0].size(0),
                                                 /*padding_idx=*/-1, /*scale_grad_by_freq=*/false),
                    at::Tensor()};
        }
        const grad_sink sink = grad_sink_of(saved[0]);
        sink.sum.index_add_(0, saved[1].reshape({-1}), grads[0].reshape({-1, saved[0].size(1)}));
        return {sink.hand_on, at::Tensor()};
    }
};

at::Tensor embed(const at::Tensor &weight, const at::Tensor &ids) {
    const bool sums_rows = weight.requires_grad() && weight.is_cpu() && weight.dim() == 2 &&
                           weight.scalar_type() == at::kFloat;
    return sums_rows ? embedding_function::apply(weight, ids) : at::embedding(weight, ids);
}

/* --- norm ------------------------------------------------------------------------------------- */

struct norm_kind {
    bool is_rms;
    double eps;
    at::ScalarType dtype; /* of the result */
};

class norm_function : public torch::autograd::Function<norm_function> {
  public:
    static at::Tensor forward(AutogradContext *ctx, const at::Tensor &given,
                              const at::Tensor &weight, const optional_tensor &bias,
                              const norm_kind &kind) {
        const at::Tensor x = given.contiguous();
        const int64_t n = weight.size(0);
        const int64_t rows = x.numel() / n;
        at::Tensor y = at::empty(x.sizes(), x.options().dtype(kind.dtype));
        const at::Tensor scale = at::empty({rows}, x.options());
        const at::Tensor mean = kind.is_rms ? at::Tensor() : at::empty({rows}, x.options());
        const at::Tensor weight_rows = weight.contiguous();
        const at::Tensor bias_rows = bias ? bias->contiguous() : at::Tensor();
        const kernel_train_norm_args args = {.x = x.const_data_ptr<float>(),
                                             .rows = rows,
                                             .n = n,
                                             .weight = weight_rows.const_data_ptr<float>(),
                                             .bias = floats(bias_rows),
                                             .is_rms = kind.is_rms,
                                             .eps = static_cast<float>(kind.eps),
                                             .operand = operand_of(y),
                                             .y = y.mutable_data_ptr(),
                                             .scale = floats(scale),
                                             .mean = floats(mean)};
        kernel_train_norm(&args, process_kernel_cpu());
        ctx->save_for_backward({x, weight, bias.value_or(at::Tensor()), scale, mean});
        return y;
    }

    static variable_list backward(AutogradContext *ctx, variable_list grads) {
        refuse_second_derivative("norm");
        const variable_list saved = ctx->get_saved_variables();
        const at::Tensor &x = saved[0];
        const at::Tensor &mean = saved[4];
        const at::Tensor dy = grads[0].contiguous();
        const at::Tensor dx = at::empty(x.sizes(), x.options());
        const at::Tensor weight = saved[1].contiguous();
        const int64_t n = weight.size(0);
        const int64_t rows = x.numel() / n;
        grad_sink for_weight;
        grad_sink for_bias;
        if (ctx->needs_input_grad(1)) {
            for_weight = grad_sink_of(saved[1]);
        }
        if (saved[2].defined() && ctx->needs_input_grad(2)) {
            for_bias = grad_sink_of(saved[2]);
        }
        const bool sums = for_weight.sum.defined() || for_bias.sum.defined();
        const at::Tensor scratch =
            sums ? at::empty({kernel_train_norm_scratch(rows, n)}, x.options()) : at::Tensor();
        const kernel_train_norm_grad_args args = {.x = x.const_data_ptr<float>(),
                                                  .rows = rows,
                                                  .n = n,
                                                  .weight = weight.const_data_ptr<float>(),
                                                  .is_rms = !mean.defined(),
                                                  .scale = saved[3].const_data_ptr<float>(),
                                                  .mean = floats(mean),
                                                  .operand = operand_of(dy),
                                                  .dy = dy.const_data_ptr(),
                                                  .dx = floats(dx),
                                                  .dweight = floats(for_weight.sum),
                                                  .dbias = floats(for_bias.sum),
                                                  .scratch = floats(scratch)};
        kernel_train_norm_grad(&args, process_kernel_cpu());
        return {dx, for_weight.hand_on, for_bias.hand_on, at::Tensor()};
    }
};

at::Tensor plain_norm(const at::Tensor &x, const at::Tensor &weight, const optional_tensor &bias,
                      const norm_kind &kind) {
    const at::Tensor y = kind.is_rms ? at::rms_norm(x, weight.sizes(), weight, kind.eps)
                                     : at::layer_norm(x, weight.sizes(), weight, bias, kind.eps);
    return y.to(kind.dtype);
}

at::Tensor norm(const at::Tensor &x, const at::Tensor &weight, const optional_tensor &bias,
                const norm_kind &kind) {
    TORCH_CHECK(weight.dim() == 1 && x.dim() >= 1 && x.size(-1) == weight.size(0) &&
                    weight.size(0) > 0,
                "expected x [.., D] and weight [D]");
    TORCH_CHECK(!bias || (!kind.is_rms && bias->sizes().equals(weight.sizes())),
                "a bias is [D], and of a layer norm only");
    const bool takes = kernel_takes(x) && (kind.dtype == at::kFloat || kind.dtype == at::kBFloat16);
    return takes ? norm_function::apply(x, weight, bias, kind) : plain_norm(x, weight, bias, kind);
}

/* --- rotation --------------------------------------------------------------------------------- */

at::Tensor rotated(const at::Tensor &given, const at::Tensor &cosine, const at::Tensor &sine,
                   bool is_inverse) {
    const at::Tensor x = given.contiguous();
    at::Tensor y = at::empty(x.sizes(), x.options());
    const kernel_train_rotate_args args = {.operand = operand_of(x),
                                           .x = x.const_data_ptr(),
                                           .rows = x.size(0),
                                           .heads = x.size(1),
                                           .d = x.size(2),
                                           .cosine = cosine.const_data_ptr<float>(),
                                           .sine = sine.const_data_ptr<float>(),
                                           .is_inverse = is_inverse,
                                           .y = y.mutable_data_ptr()};
    kernel_train_rotate(&args, process_kernel_cpu());
    return y;
}

class rotate_function : public torch::autograd::Function<rotate_function> {
  public:
    static at::Tensor forward(AutogradContext *ctx, const at::Tensor &x, const at::Tensor &cosine,
                              const at::Tensor &sine) {
        ctx->save_for_backward({cosine, sine});
        return rotated(x, cosine, sine, false);
    }

    static variable_list backward(AutogradContext *ctx, variable_list grads) {
        refuse_second_derivative("rope");
        const variable_list saved = ctx->get_saved_variables();
        return {rotated(grads[0], saved[0], saved[1], true), at::Tensor(), at::Tensor()};
    }
};

at::Tensor plain_rotation(const at::Tensor &x, const at::Tensor &cosine, const at::Tensor &sine) {
    const int64_t half = x.size(2) / 2;
    const at::Tensor wide = x.to(cosine.scalar_type());
    const at::Tensor first = wide.narrow(2, 0, half);
    const at::Tensor second = wide.narrow(2, half, half);
    const at::Tensor c = cosine.unsqueeze(1);
    const at::Tensor s = sine.unsqueeze(1);
    return at::cat({first * c - second * s, second * c + first * s}, 2).to(x.scalar_type());
}

at::Tensor rotate(const at::Tensor &x, const at::Tensor &cosine, const at::Tensor &sine) {
    TORCH_CHECK(x.dim() == 3 && x.size(2) % 2 == 0, "x is not [N, heads, an even head size]");
    TORCH_CHECK(x.device() == cosine.device(), "x and the tables are on different devices");
    TORCH_CHECK(cosine.dim() == 2 && cosine.sizes().equals(sine.sizes()) &&
                    cosine.size(0) == x.size(0) && cosine.size(1) == x.size(2) / 2,
                "cos and sin are not [N, half of the head size]");
    const bool tables_are_constant = !cosine.requires_grad() && !sine.requires_grad();
    return kernel_takes(x) && cosine.scalar_type() == at::kFloat && tables_are_constant
               ? rotate_function::apply(x, cosine.contiguous(), sine.contiguous())
               : plain_rotation(x, cosine, sine);
}

/* --- gate ------------------------------------------------------------------------------------- */

class gate_function : public torch::autograd::Function<gate_function> {
  public:
    static at::Tensor forward(AutogradContext *ctx, const at::Tensor &given_gate,
                              const at::Tensor &given_up) {
        const at::Tensor gate = given_gate.contiguous();
        const at::Tensor up = given_up.contiguous();
        at::Tensor y = at::empty(gate.sizes(), gate.options());
        const kernel_train_gate_args args = {.operand = operand_of(gate),
                                             .gate = gate.const_data_ptr(),
                                             .up = up.const_data_ptr(),
                                             .n = gate.numel(),
                                             .y = y.mutable_data_ptr()};
        kernel_train_gate(&args, process_kernel_cpu());
        ctx->save_for_backward({gate, up});
        return y;
    }

    static variable_list backward(AutogradContext *ctx, variable_list grads) {
        refuse_second_derivative("swiglu");
        const variable_list saved = ctx->get_saved_variables();
        const at::Tensor dy = grads[0].contiguous();
        const at::Tensor dgate = at::empty(dy.sizes(), dy.options());
        const at::Tensor dup = at::empty(dy.sizes(), dy.options());
        const kernel_train_gate_grad_args args = {.operand = operand_of(dy),
                                                  .gate = saved[0].const_data_ptr(),
                                                  .up = saved[1].const_data_ptr(),
                                                  .dy = dy.const_data_ptr(),
                                                  .n = dy.numel(),
                                                  .dgate = dgate.mutable_data_ptr(),
                                                  .dup = dup.mutable_data_ptr()};
        kernel_train_gate_grad(&args, process_kernel_cpu());
        return {dgate, dup};
    }
};

/* --- residual --------------------------------------------------------------------------------- */

class residual_function : public torch::autograd::Function<residual_function> {
  public:
    static at::Tensor forward(AutogradContext *ctx, const at::Tensor &given_x,
                              const at::Tensor &given_delta) {
        const at::Tensor x = given_x.contiguous();
        const at::Tensor delta = given_delta.contiguous();
        at::Tensor y = at::empty(x.sizes(), x.options());
        const kernel_train_residual_args args = {.x = x.const_data_ptr<float>(),
                                                 .operand = operand_of(delta),
                                                 .delta = delta.const_data_ptr(),
                                                 .n = x.numel(),
                                                 .y = floats(y)};
        kernel_train_residual(&args, process_kernel_cpu());
        ctx->saved_data["delta"] = delta.scalar_type();
        return y;
    }

    static variable_list backward(AutogradContext *ctx, variable_list grads) {
        return {grads[0], grads[0].to(ctx->saved_data["delta"].toScalarType())};
    }
};

} // namespace

tt_tensor *tt_embedding(tt_scope *s, const tt_tensor *weight, const tt_tensor *ids) noexcept {
    return guarded(s, "embedding", {weight, ids}, FLOAT | INDEX_SECOND,
                   [&] { return embed(weight->t, ids->t); });
}

tt_tensor *tt_fused_norm(tt_scope *s, const tt_tensor *x, const struct tt_norm *of,
                         enum tt_dtype dtype) noexcept {
    const auto call = [&] {
        const norm_kind kind = {of->is_rms, of->eps, to_scalar_type(dtype)};
        return norm(x->t, of->weight->t, of->bias ? optional_tensor(of->bias->t) : std::nullopt,
                    kind);
    };
    const unsigned rules = SAME_DTYPE | WIDE_FLOAT;
    return of->bias ? guarded(s, "fused_norm", {x, of->weight, of->bias}, rules, call)
                    : guarded(s, "fused_norm", {x, of->weight}, rules, call);
}

tt_tensor *tt_rope(tt_scope *s, const tt_tensor *x, const tt_tensor *cosine,
                   const tt_tensor *sine) noexcept {
    if (!usable(s, "rope") || !admitted(s, "rope", {cosine, sine}, SAME_DTYPE | WIDE_FLOAT)) {
        return nullptr;
    }
    return guarded(s, "rope", {x}, FLOAT, [&] { return rotate(x->t, cosine->t, sine->t); });
}

tt_tensor *tt_swiglu(tt_scope *s, const tt_tensor *gate, const tt_tensor *up) noexcept {
    return guarded(s, "swiglu", {gate, up}, SAME_DTYPE | FLOAT | STRICT_SHAPE, [&] {
        return kernel_takes(gate->t) ? gate_function::apply(gate->t, up->t)
                                     : at::silu(gate->t) * up->t;
    });
}

tt_tensor *tt_add_mixed(tt_scope *s, const tt_tensor *x, const tt_tensor *delta) noexcept {
    return guarded(s, "add_mixed", {x, delta}, FLOAT | STRICT_SHAPE, [&] {
        const bool takes = kernel_takes(delta->t) && x->t.scalar_type() == at::kFloat;
        return takes ? residual_function::apply(x->t, delta->t)
                     : x->t + delta->t.to(x->t.scalar_type());
    });
}
