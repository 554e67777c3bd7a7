/* tt_transformer.cpp - rotary positions, gated units, attention over packed sequences, and the
 * recomputation of a block during backward. See tt_ops.h. */
#include "tensor/tt_internal.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/silu.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cstddef>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

using namespace tt;

namespace {

/* Rows of `sequences` packed in [N, heads, d], as ATen's attention wants one: [1, heads, T, d]. */
std::vector<at::Tensor> unpack(const at::Tensor &packed, at::IntArrayRef lengths) {
    std::vector<at::Tensor> parts = packed.split_with_sizes(lengths, 0);
    for (at::Tensor &part : parts) {
        part = part.transpose(0, 1).unsqueeze(0);
    }
    return parts;
}

std::vector<int64_t> lengths_of(const int64_t *starts, int64_t sequences, int64_t tokens) {
    TORCH_CHECK(sequences > 0 && starts[0] == 0 && starts[sequences] == tokens,
                "the sequences' bounds do not cover the ", tokens, " tokens");
    std::vector<int64_t> lengths(static_cast<size_t>(sequences));
    for (int64_t i = 0; i < sequences; i++) {
        lengths[static_cast<size_t>(i)] = starts[i + 1] - starts[i];
        TORCH_CHECK(starts[i + 1] > starts[i], "sequence ", i, " is empty");
    }
    return lengths;
}

at::Tensor attend_packed(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
                         const int64_t *starts, int64_t sequences, double scale) {
    TORCH_CHECK(q.dim() == 3 && k.dim() == 3 && k.sizes().equals(v.sizes()),
                "q, k and v have three dimensions, and k and v one shape");
    TORCH_CHECK(q.size(0) == k.size(0) && q.size(2) == k.size(2),
                "q and k differ in tokens or head size");
    TORCH_CHECK(k.size(1) > 0 && q.size(1) % k.size(1) == 0, q.size(1),
                " query heads do not share ", k.size(1), " key heads evenly");
    const std::vector<int64_t> lengths = lengths_of(starts, sequences, q.size(0));
    const std::vector<at::Tensor> queries = unpack(q, lengths);
    const std::vector<at::Tensor> keys = unpack(k, lengths);
    const std::vector<at::Tensor> values = unpack(v, lengths);
    std::vector<at::Tensor> outputs(lengths.size());
    for (size_t i = 0; i < lengths.size(); i++) {
        outputs[i] = at::scaled_dot_product_attention(queries[i], keys[i], values[i], std::nullopt,
                                                      /*dropout_p=*/0.0, /*is_causal=*/true, scale,
                                                      /*enable_gqa=*/true)
                         .squeeze(0)
                         .transpose(0, 1);
    }
    return at::cat(outputs, 0);
}

at::Tensor rotate(const at::Tensor &x, const at::Tensor &cosine, const at::Tensor &sine) {
    TORCH_CHECK(x.dim() == 3 && x.size(2) % 2 == 0, "x is not [N, heads, an even head size]");
    const int64_t half = x.size(2) / 2;
    TORCH_CHECK(cosine.dim() == 2 && cosine.sizes().equals(sine.sizes()) &&
                    cosine.size(0) == x.size(0) && cosine.size(1) == half,
                "cos and sin are not [N, half of the head size]");
    const at::Tensor wide = x.to(cosine.scalar_type());
    const at::Tensor first = wide.narrow(2, 0, half);
    const at::Tensor second = wide.narrow(2, half, half);
    const at::Tensor c = cosine.unsqueeze(1);
    const at::Tensor sn = sine.unsqueeze(1);
    return at::cat({first * c - second * sn, second * c + first * sn}, 2).to(x.scalar_type());
}

/* What a node keeps of its block: the function and a copy of the context. */
struct kept_block {
    decltype(tt_block::run) run;
    tt_device device;
    alignas(std::max_align_t) unsigned char context[TT_BLOCK_CONTEXT_MAX];
};
static_assert(std::is_trivially_copyable_v<kept_block>, "it travels as bytes");

/* A failure inside becomes an exception that carries its text, for whoever called. */
at::Tensor run_block(const kept_block &block, const at::Tensor &x, tt_grad_mode grad) {
    const std::unique_ptr<tt_scope, decltype(&tt_scope_close)> scope(
        tt_scope_open_on(grad, block.device), tt_scope_close);
    if (!scope) {
        throw std::bad_alloc();
    }
    const tt_tensor *input = guarded(scope.get(), "block", {}, KEEPS_GRAD, [&] { return x; });
    const tt_tensor *output = block.run(scope.get(), block.context, input);
    struct error err = ERROR_INIT;
    const enum err_code code = tt_scope_check(scope.get(), &err);
    TORCH_CHECK(code == ERR_OK && output, code == ERR_OK ? "the block gave nothing" : err.msg);
    return output->t;
}

/* Runs a block without recording, and again with recording when its gradient is asked for. */
class recomputed : public torch::autograd::Function<recomputed> {
  public:
    static at::Tensor forward(torch::autograd::AutogradContext *context, const at::Tensor &x,
                              const at::Tensor & /*marker*/, const kept_block &block) {
        context->save_for_backward({x});
        context->saved_data["block"] =
            std::string(reinterpret_cast<const char *>(&block), sizeof block);
        return run_block(block, x, TT_NO_GRAD);
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context,
                                                   const torch::autograd::variable_list &grads) {
        kept_block block;
        memcpy(&block, context->saved_data["block"].toStringRef().data(), sizeof block);
        const at::AutoGradMode mode(true);
        const at::Tensor x = context->get_saved_variables()[0].detach().requires_grad_(true);
        torch::autograd::backward({run_block(block, x, TT_GRAD)}, {grads[0]});
        return {x.grad(), at::Tensor(), at::Tensor()};
    }
};

} // namespace

tt_tensor *tt_attention_packed(tt_scope *s, const tt_tensor *q, const tt_tensor *k,
                               const tt_tensor *v, struct tt_sequences sequences,
                               double scale) noexcept {
    return guarded(s, "attention_packed", {q, k, v}, SAME_DTYPE | FLOAT, [&] {
        return attend_packed(q->t, k->t, v->t, sequences.starts, sequences.count, scale);
    });
}

tt_tensor *tt_rope(tt_scope *s, const tt_tensor *x, const tt_tensor *cosine,
                   const tt_tensor *sine) noexcept {
    if (!usable(s, "rope") || !admitted(s, "rope", {cosine, sine}, SAME_DTYPE | WIDE_FLOAT)) {
        return nullptr;
    }
    return guarded(s, "rope", {x}, FLOAT, [&] { return rotate(x->t, cosine->t, sine->t); });
}

tt_tensor *tt_swiglu(tt_scope *s, const tt_tensor *gate, const tt_tensor *up) noexcept {
    return guarded(s, "swiglu", {gate, up}, SAME_DTYPE | FLOAT | STRICT_SHAPE,
                   [&] { return at::silu(gate->t) * up->t; });
}

tt_tensor *tt_recompute(tt_scope *s, const tt_tensor *x, const struct tt_block *block) noexcept {
    return guarded(s, "recompute", {x}, FLOAT, [&] {
        TORCH_CHECK(block->context_bytes <= TT_BLOCK_CONTEXT_MAX, "a context of ",
                    block->context_bytes, " bytes; at most ", TT_BLOCK_CONTEXT_MAX);
        kept_block kept = {.run = block->run, .device = s->device, .context = {}};
        memcpy(kept.context, block->context, block->context_bytes);
        /* The marker makes the result require a gradient although x may not: parameters inside the
         * block are no inputs of the node, but get theirs when it runs again. */
        const at::Tensor marker = at::empty({0}, x->t.options().dtype(at::kFloat));
        return recomputed::apply(x->t, s->grad == TT_GRAD ? marker.requires_grad_(true) : marker,
                                 kept);
    });
}
