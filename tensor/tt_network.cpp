/* tt_network.cpp - matrix products and the parts of a network. See tt_ops.h. */
#include "tensor/tt_internal.hpp"

#include <ATen/ops/dot.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/rms_norm.h>
#include <ATen/ops/scaled_dot_product_attention.h>

using namespace tt;

namespace {

/* ATen broadcasts leading dimensions and accepts vectors; we do neither silently. */
bool matmul_shapes(tt_scope *s, const tt_tensor *a, const tt_tensor *b) noexcept {
    if (!usable(s, "matmul") || !admitted(s, "matmul", {a, b}, ANY)) {
        return false;
    }
    const at::IntArrayRef left = a->t.sizes();
    const at::IntArrayRef right = b->t.sizes();
    const size_t rank = left.size();
    if (rank >= 2 && right.size() == rank && left[rank - 1] == right[rank - 2] &&
        left.slice(0, rank - 2).equals(right.slice(0, rank - 2))) {
        return true;
    }
    char left_text[96];
    char right_text[96];
    format_shape(left_text, sizeof left_text, left);
    format_shape(right_text, sizeof right_text, right);
    tt_scope_fail(s, ERR_SHAPE, "matmul: expected [.., M, K] by [.., K, N], got %s by %s",
                  left_text, right_text);
    return false;
}

/* Norms run over as many dimensions as the weight has, and linear takes a vector: only one rank is
 * meant. */
void check_rank(const at::Tensor &weight, int64_t rank) {
    TORCH_CHECK(weight.dim() == rank, "weight has rank ", weight.dim(), ", not ", rank);
}

/* True at (t, j) where query t of T may see key j of S: j <= S - T + t. */
at::Tensor causal_mask(const at::Tensor &q, const at::Tensor &k) {
    const int64_t queries = q.size(2);
    const int64_t keys = k.size(2);
    return at::ones({queries, keys}, q.options().dtype(at::kBool)).tril(keys - queries);
}

/* ATen broadcasts batches, and its fused kernel reads v as if it had the shape of k. */
void check_attention_shapes(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v) {
    TORCH_CHECK(q.dim() == 4 && k.dim() == 4 && v.dim() == 4, "q, k and v have four dimensions");
    TORCH_CHECK(k.sizes().equals(v.sizes()), "k and v differ in shape");
    TORCH_CHECK(k.size(2) > 0, "there are no keys"); /* ATen then gives zeros */
    TORCH_CHECK(q.size(0) == k.size(0) && q.size(3) == k.size(3),
                "q and k differ in batch or head size");
    TORCH_CHECK(k.size(1) > 0 && q.size(1) % k.size(1) == 0, q.size(1),
                " query heads do not share ", k.size(1), " key heads evenly");
}

at::Tensor attend(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
                  tt_attention_mask mask, double scale) {
    check_attention_shapes(q, k, v);
    if (mask == TT_ATTEND_CAUSAL) {
        TORCH_CHECK(q.size(2) <= k.size(2), q.size(2), " queries for only ", k.size(2), " keys");
        return attend_causal(q, k, v, scale);
    }
    return at::scaled_dot_product_attention(q, k, v, std::nullopt, /*dropout_p=*/0.0,
                                            /*is_causal=*/false, scale, /*enable_gqa=*/true);
}

} // namespace

at::Tensor tt::attend_causal(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
                             double scale) {
    /* ATen's own is_causal aligns the first query with the first key, which agrees with ours only
     * when there are as many of both. */
    const bool square = q.size(2) == k.size(2);
    const bool masked = !square && q.size(2) > 1;
    const std::optional<at::Tensor> explicit_mask =
        masked ? std::optional<at::Tensor>(causal_mask(q, k)) : std::nullopt;
    return at::scaled_dot_product_attention(q, k, v, explicit_mask, /*dropout_p=*/0.0, square,
                                            scale, /*enable_gqa=*/true);
}

tt_tensor *tt_matmul(tt_scope *s, const tt_tensor *a, const tt_tensor *b) noexcept {
    if (!matmul_shapes(s, a, b)) {
        return nullptr;
    }
    return guarded(s, "matmul", {a, b}, SAME_DTYPE | FLOAT, [&] { return at::matmul(a->t, b->t); });
}

tt_tensor *tt_linear(tt_scope *s, const tt_tensor *x, const tt_tensor *weight,
                     const tt_tensor *bias) noexcept {
    if (!bias) {
        return guarded(s, "linear", {x, weight}, SAME_DTYPE | FLOAT, [&] {
            check_rank(weight->t, 2);
            return at::linear(x->t, weight->t);
        });
    }
    return guarded(s, "linear", {x, weight, bias}, SAME_DTYPE | FLOAT, [&] {
        check_rank(weight->t, 2);
        TORCH_CHECK(bias->t.dim() == 1 && bias->t.size(0) == weight->t.size(0),
                    "bias has not one element per output");
        return at::linear(x->t, weight->t, bias->t);
    });
}

tt_tensor *tt_outer(tt_scope *s, const tt_tensor *a, const tt_tensor *b) noexcept {
    return guarded(s, "outer", {a, b}, SAME_DTYPE | FLOAT, [&] { return at::outer(a->t, b->t); });
}

tt_tensor *tt_dot(tt_scope *s, const tt_tensor *a, const tt_tensor *b) noexcept {
    return guarded(s, "dot", {a, b}, SAME_DTYPE | WIDE_FLOAT | STRICT_SHAPE,
                   [&] { return at::dot(a->t, b->t); });
}

tt_tensor *tt_layer_norm(tt_scope *s, const tt_tensor *x, const tt_tensor *weight,
                         const tt_tensor *bias, double eps) noexcept {
    if (!bias) {
        return guarded(s, "layer_norm", {x, weight}, SAME_DTYPE | FLOAT, [&] {
            check_rank(weight->t, 1);
            return at::layer_norm(x->t, weight->t.sizes(), weight->t, {}, eps);
        });
    }
    return guarded(s, "layer_norm", {x, weight, bias}, SAME_DTYPE | FLOAT, [&] {
        check_rank(weight->t, 1);
        return at::layer_norm(x->t, weight->t.sizes(), weight->t, bias->t, eps);
    });
}

tt_tensor *tt_rms_norm(tt_scope *s, const tt_tensor *x, const tt_tensor *weight,
                       double eps) noexcept {
    return guarded(s, "rms_norm", {x, weight}, SAME_DTYPE | FLOAT, [&] {
        check_rank(weight->t, 1);
        return at::rms_norm(x->t, weight->t.sizes(), weight->t, eps);
    });
}

tt_tensor *tt_attention(tt_scope *s, const tt_tensor *q, const tt_tensor *k, const tt_tensor *v,
                        enum tt_attention_mask mask, double scale) noexcept {
    return guarded(s, "attention", {q, k, v}, SAME_DTYPE | FLOAT,
                   [&] { return attend(q->t, k->t, v->t, mask, scale); });
}

tt_tensor *tt_token_logp(tt_scope *s, const tt_tensor *logits, const tt_tensor *target) noexcept {
    return guarded(s, "token_logp", {logits, target}, WIDE_FLOAT | INDEX_SECOND, [&] {
        TORCH_CHECK(logits->t.dim() == 2 && target->t.dim() == 1 &&
                        logits->t.size(0) == target->t.size(0),
                    "expected logits [N, V], target [N]");
        return at::log_softmax(logits->t, 1).gather(1, target->t.unsqueeze(1)).squeeze(1);
    });
}

tt_tensor *tt_entropy(tt_scope *s, const tt_tensor *logits) noexcept {
    return guarded(s, "entropy", {logits}, WIDE_FLOAT, [&] {
        TORCH_CHECK(logits->t.dim() == 2, "expected logits [N, V]");
        const at::Tensor logp = at::log_softmax(logits->t, 1);
        /* p log p is 0 where p is 0, although log p is then minus infinity. */
        return at::mul(logp.exp(), logp.clamp_min(-1e30)).sum(1).neg();
    });
}
