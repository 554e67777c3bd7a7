/* tt_autograd.cpp - leaves, backward and gradients. See tt.h. */
#include "tensor/tt_internal.hpp"

#include <ATen/ops/ones_like.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <vector>

using namespace tt;

tt_tensor *tt_leaf(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "leaf", {a}, FLOAT | KEEPS_GRAD,
                   [&] { return a->t.detach().clone().requires_grad_(true); });
}

tt_tensor *tt_leaf_grad(tt_scope *s, const tt_tensor *leaf) noexcept {
    return guarded(s, "leaf_grad", {leaf}, FLOAT, [&] {
        TORCH_CHECK(leaf->t.is_leaf() && leaf->t.requires_grad(),
                    "not a leaf that takes gradients");
        return leaf->t.grad().defined() ? leaf->t.grad().clone() : at::zeros_like(leaf->t);
    });
}

enum err_code tt_backward(tt_scope *s, const tt_tensor *loss, struct error *err) noexcept {
    if (!usable(s, "backward") || !admitted(s, "backward", {loss}, WIDE_FLOAT)) {
        return tt_scope_check(s, err);
    }
    if (loss->t.dim() != 0) {
        char shape[96];
        format_shape(shape, sizeof shape, loss->t.sizes());
        tt_scope_fail(s, ERR_SHAPE, "backward: the loss is a scalar [], got shape %s", shape);
        return tt_scope_check(s, err);
    }
    if (!loss->t.requires_grad()) {
        tt_scope_fail(s, ERR_INTERNAL,
                      "backward: the loss depends on no leaf that takes gradients; was its scope "
                      "opened with TT_GRAD?");
        return tt_scope_check(s, err);
    }
    return guarded_status("backward", err, [&] {
        loss->t.backward();
        return ERR_OK;
    });
}

void tt_grad_of(tt_scope *s, const tt_tensor *output, const tt_tensor *const *inputs, int64_t count,
                bool create_graph, tt_tensor **out_grads) noexcept {
    std::fill_n(out_grads, count, nullptr);
    std::vector<at::Tensor> grads;
    /* The call makes many tensors, guarded takes one: the others are adopted below. */
    (void)guarded(s, "grad_of", {output}, FLOAT, [&] {
        std::vector<at::Tensor> leaves;
        leaves.reserve(static_cast<size_t>(count));
        for (int64_t i = 0; i < count; i++) {
            TORCH_CHECK(inputs[i], "input ", i + 1, " is NULL");
            leaves.push_back(inputs[i]->t);
        }
        grads = torch::autograd::grad({output->t}, leaves, {at::ones_like(output->t)},
                                      /*retain_graph=*/create_graph, create_graph,
                                      /*allow_unused=*/false);
        return output->t;
    });
    for (size_t i = 0; i < grads.size(); i++) {
        out_grads[i] = guarded(s, "grad_of", {}, KEEPS_GRAD, [&] { return grads[i]; });
    }
}
