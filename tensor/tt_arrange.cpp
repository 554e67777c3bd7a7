/* tt_arrange.cpp - views, joins and indexing: ops that move elements about. See tt_ops.h. */
#include "tensor/tt_internal.hpp"

#include <ATen/ops/cat.h>
#include <ATen/ops/flip.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/index_add.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/masked_select.h>
#include <ATen/ops/nonzero.h>
#include <ATen/ops/repeat_interleave.h>
#include <ATen/ops/scatter_add.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tril.h>
#include <ATen/ops/triu.h>
#include <c10/core/WrapDimMinimal.h>

#include <vector>

using namespace tt;

namespace {

/* Ops that are told the shape of their result. ATen takes -1 for whatever fits; we do not guess. */
template <typename Call>
tt_tensor *reshaped(tt_scope *s, const char *op, const tt_tensor *a, const tt_shape &shape,
                    Call &&call) noexcept {
    if (!usable(s, op) || !valid_shape(s, op, shape)) {
        return nullptr;
    }
    return guarded(s, op, {a}, ANY, call);
}

/* ATen reads the corner of a larger tensor, silently: only along `dim` may sizes differ. Throws. */
void check_index_shape(const at::Tensor &a, int64_t dim, const at::Tensor &index) {
    TORCH_CHECK(index.dim() == a.dim(), "index has rank ", index.dim(), ", not ", a.dim());
    const int64_t along = c10::maybe_wrap_dim(dim, a.dim());
    for (int64_t i = 0; i < a.dim(); i++) {
        TORCH_CHECK(i == along || index.size(i) == a.size(i), "index has size ", index.size(i),
                    " in dimension ", i, ", not ", a.size(i));
    }
}

/* The parts of a join have one dtype, device and rank; ATen skips empty parts of another rank. */
bool joinable(tt_scope *s, const char *op, const tt_tensor *const *parts, int64_t count) noexcept {
    if (count < 1) {
        tt_scope_fail(s, ERR_SHAPE, "%s: no tensors to join", op);
        return false;
    }
    for (int64_t i = 0; i < count; i++) {
        if (!admitted(s, op, {parts[0], parts[i]}, SAME_DTYPE)) {
            return false;
        }
        if (parts[i]->t.dim() != parts[0]->t.dim()) {
            tt_scope_fail(s, ERR_SHAPE, "%s: part %lld has rank %lld, the first %lld", op,
                          static_cast<long long>(i) + 1, static_cast<long long>(parts[i]->t.dim()),
                          static_cast<long long>(parts[0]->t.dim()));
            return false;
        }
    }
    return true;
}

template <typename Call>
tt_tensor *joined(tt_scope *s, const char *op, const tt_tensor *const *parts, int64_t count,
                  Call &&call) noexcept {
    if (!usable(s, op) || !joinable(s, op, parts, count)) {
        return nullptr;
    }
    return guarded(s, op, {parts[0]}, ANY, [&] {
        std::vector<at::Tensor> tensors;
        tensors.reserve(static_cast<size_t>(count));
        for (int64_t i = 0; i < count; i++) {
            tensors.push_back(parts[i]->t);
        }
        return call(tensors);
    });
}

} // namespace

/* --- shape ------------------------------------------------------------------------------------ */

tt_tensor *tt_reshape(tt_scope *s, const tt_tensor *a, struct tt_shape shape) noexcept {
    return reshaped(s, "reshape", a, shape, [&] { return a->t.reshape(to_sizes(shape)); });
}

tt_tensor *tt_transpose(tt_scope *s, const tt_tensor *a, int64_t dim0, int64_t dim1) noexcept {
    return guarded(s, "transpose", {a}, ANY, [&] { return a->t.transpose(dim0, dim1); });
}

tt_tensor *tt_permute(tt_scope *s, const tt_tensor *a, struct tt_shape dims) noexcept {
    return guarded(s, "permute", {a}, ANY, [&] { return a->t.permute(to_sizes(dims)); });
}

tt_tensor *tt_squeeze(tt_scope *s, const tt_tensor *a, int64_t dim) noexcept {
    return guarded(s, "squeeze", {a}, ANY, [&] {
        /* ATen leaves a larger dimension alone, silently. */
        TORCH_CHECK(a->t.size(dim) == 1, "dimension ", dim, " has size ", a->t.size(dim),
                    ", not 1");
        return a->t.squeeze(dim);
    });
}

tt_tensor *tt_unsqueeze(tt_scope *s, const tt_tensor *a, int64_t dim) noexcept {
    return guarded(s, "unsqueeze", {a}, ANY, [&] { return a->t.unsqueeze(dim); });
}

tt_tensor *tt_expand(tt_scope *s, const tt_tensor *a, struct tt_shape shape) noexcept {
    return reshaped(s, "expand", a, shape, [&] { return a->t.expand(to_sizes(shape)); });
}

tt_tensor *tt_narrow(tt_scope *s, const tt_tensor *a, int64_t dim, int64_t start,
                     int64_t length) noexcept {
    return guarded(s, "narrow", {a}, ANY, [&] { return a->t.narrow(dim, start, length); });
}

tt_tensor *tt_select(tt_scope *s, const tt_tensor *a, int64_t dim, int64_t index) noexcept {
    return guarded(s, "select", {a}, ANY, [&] { return a->t.select(dim, index); });
}

tt_tensor *tt_flip(tt_scope *s, const tt_tensor *a, int64_t dim) noexcept {
    return guarded(s, "flip", {a}, ANY, [&] { return at::flip(a->t, dim); });
}

tt_tensor *tt_cat(tt_scope *s, const tt_tensor *const *parts, int64_t count, int64_t dim) noexcept {
    return joined(s, "cat", parts, count,
                  [&](const std::vector<at::Tensor> &tensors) { return at::cat(tensors, dim); });
}

tt_tensor *tt_stack(tt_scope *s, const tt_tensor *const *parts, int64_t count,
                    int64_t dim) noexcept {
    return joined(s, "stack", parts, count,
                  [&](const std::vector<at::Tensor> &tensors) { return at::stack(tensors, dim); });
}

tt_tensor *tt_repeat_interleave(tt_scope *s, const tt_tensor *a, int64_t repeats,
                                int64_t dim) noexcept {
    return guarded(s, "repeat_interleave", {a}, ANY,
                   [&] { return at::repeat_interleave(a->t, repeats, dim); });
}

tt_tensor *tt_tril(tt_scope *s, const tt_tensor *a, int64_t diagonal) noexcept {
    return guarded(s, "tril", {a}, ANY, [&] { return at::tril(a->t, diagonal); });
}

tt_tensor *tt_triu(tt_scope *s, const tt_tensor *a, int64_t diagonal) noexcept {
    return guarded(s, "triu", {a}, ANY, [&] { return at::triu(a->t, diagonal); });
}

/* --- indexing --------------------------------------------------------------------------------- */

tt_tensor *tt_index_select(tt_scope *s, const tt_tensor *a, int64_t dim,
                           const tt_tensor *index) noexcept {
    return guarded(s, "index_select", {a, index}, INDEX_SECOND,
                   [&] { return at::index_select(a->t, dim, index->t); });
}

tt_tensor *tt_gather(tt_scope *s, const tt_tensor *a, int64_t dim,
                     const tt_tensor *index) noexcept {
    return guarded(s, "gather", {a, index}, INDEX_SECOND, [&] {
        check_index_shape(a->t, dim, index->t);
        return at::gather(a->t, dim, index->t);
    });
}

tt_tensor *tt_scatter_add(tt_scope *s, const tt_tensor *a, int64_t dim, const tt_tensor *index,
                          const tt_tensor *source) noexcept {
    return guarded(s, "scatter_add", {a, index, source}, INDEX_SECOND | SAME_DTYPE | NUMBER, [&] {
        check_index_shape(a->t, dim, index->t);
        TORCH_CHECK(source->t.sizes().equals(index->t.sizes()), "source and index differ in shape");
        return at::scatter_add(a->t, dim, index->t, source->t);
    });
}

tt_tensor *tt_index_add(tt_scope *s, const tt_tensor *a, int64_t dim, const tt_tensor *index,
                        const tt_tensor *source) noexcept {
    return guarded(s, "index_add", {a, index, source}, INDEX_SECOND | SAME_DTYPE | NUMBER,
                   [&] { return at::index_add(a->t, dim, index->t, source->t); });
}

tt_tensor *tt_masked_select(tt_scope *s, const tt_tensor *a, const tt_tensor *mask) noexcept {
    return guarded(s, "masked_select", {a, mask}, STRICT_SHAPE | MASK_SECOND,
                   [&] { return at::masked_select(a->t, mask->t); });
}

tt_tensor *tt_nonzero(tt_scope *s, const tt_tensor *mask) noexcept {
    return guarded(s, "nonzero", {mask}, BOOL, [&] { return at::nonzero(mask->t); });
}

void tt_index_copy_inplace(tt_scope *s, tt_tensor *a, int64_t dim, const tt_tensor *index,
                           const tt_tensor *source) noexcept {
    guarded_inplace(s, "index_copy_inplace", {a, index, source}, INDEX_SECOND | SAME_DTYPE,
                    [&] { a->t.index_copy_(dim, index->t, source->t); });
}
