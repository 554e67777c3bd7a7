/* tt_recompute.cpp - a block whose inside is computed again during backward. See tt_recompute in
 * tt_ops.h. */
#include "tensor/tt_internal.hpp"
#include "tensor/tt_node.hpp"

#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/graph_task.h>

#include <cstddef>
#include <cstring>
#include <string>
#include <type_traits>

using namespace tt;

namespace {

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
    static at::Tensor forward(AutogradContext *context, const at::Tensor &x,
                              const at::Tensor & /*marker*/, const kept_block &block) {
        context->save_for_backward({x});
        context->saved_data["block"] =
            std::string(reinterpret_cast<const char *>(&block), sizeof block);
        return run_block(block, x, TT_NO_GRAD);
    }

    static variable_list backward(AutogradContext *context, const variable_list &grads) {
        refuse_second_derivative("recompute");
        const auto *wanted = torch::autograd::get_current_graph_task_exec_info();
        TORCH_CHECK(wanted && wanted->empty(),
                    "recompute: gradients as values are not to be had of "
                    "a block, which adds to those of its parameters");
        kept_block block;
        memcpy(&block, context->saved_data["block"].toStringRef().data(), sizeof block);
        const at::AutoGradMode mode(true);
        const at::Tensor x = context->get_saved_variables()[0].detach().requires_grad_(true);
        torch::autograd::backward({run_block(block, x, TT_GRAD)}, {grads[0]});
        return {x.grad(), at::Tensor(), at::Tensor()};
    }
};

} // namespace

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
