/* tt_reduce.cpp - sums, extremes, softmax, sorting: ops that look along dimensions. See tt_ops.h.
 *
 * Those that add refuse bf16 and f16, so that no sum is silently kept in eight bits of mantissa;
 * extremes and orders are exact in every dtype.
 */
#include "tensor/tt_internal.hpp"

#include <ATen/ops/all.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/amin.h>
#include <ATen/ops/any.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/argmin.h>
#include <ATen/ops/cumsum.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/max.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/min.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/topk.h>
#include <ATen/ops/var.h>

using namespace tt;

namespace {

bool keep(tt_reduced_dim reduced) {
    return reduced == TT_KEEP_DIM;
}

/* Ops with two results, values and i64 indices. */
template <typename Call>
struct tt_ordered ordered(tt_scope *s, const char *op, const tt_tensor *a, Call &&call) noexcept {
    at::Tensor indices;
    tt_tensor *first = guarded(s, op, {a}, NUMBER, [&] {
        std::tuple<at::Tensor, at::Tensor> both = call();
        indices = std::get<1>(both);
        return std::get<0>(both);
    });
    tt_tensor *second = guarded(s, op, {}, ANY, [&] { return indices; });
    return {.values = second ? first : nullptr, .indices = second};
}

} // namespace

/* --- over everything -------------------------------------------------------------------------- */

tt_tensor *tt_sum(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "sum", {a}, WIDE_OR_I64, [&] { return at::sum(a->t); });
}

tt_tensor *tt_mean(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "mean", {a}, WIDE_FLOAT, [&] { return at::mean(a->t); });
}

tt_tensor *tt_min(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "min", {a}, NUMBER, [&] { return at::min(a->t); });
}

tt_tensor *tt_max(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "max", {a}, NUMBER, [&] { return at::max(a->t); });
}

tt_tensor *tt_norm(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "norm", {a}, WIDE_FLOAT, [&] { return at::linalg_vector_norm(a->t); });
}

tt_tensor *tt_any(tt_scope *s, const tt_tensor *mask) noexcept {
    return guarded(s, "any", {mask}, BOOL, [&] { return at::any(mask->t); });
}

tt_tensor *tt_all(tt_scope *s, const tt_tensor *mask) noexcept {
    return guarded(s, "all", {mask}, BOOL, [&] { return at::all(mask->t); });
}

/* --- over one dimension ----------------------------------------------------------------------- */

tt_tensor *tt_sum_dim(tt_scope *s, const tt_tensor *a, int64_t dim,
                      enum tt_reduced_dim reduced) noexcept {
    return guarded(s, "sum_dim", {a}, WIDE_OR_I64,
                   [&] { return at::sum(a->t, dim, keep(reduced)); });
}

tt_tensor *tt_mean_dim(tt_scope *s, const tt_tensor *a, int64_t dim,
                       enum tt_reduced_dim reduced) noexcept {
    return guarded(s, "mean_dim", {a}, WIDE_FLOAT,
                   [&] { return at::mean(a->t, dim, keep(reduced)); });
}

tt_tensor *tt_min_dim(tt_scope *s, const tt_tensor *a, int64_t dim,
                      enum tt_reduced_dim reduced) noexcept {
    return guarded(s, "min_dim", {a}, NUMBER, [&] { return at::amin(a->t, dim, keep(reduced)); });
}

tt_tensor *tt_max_dim(tt_scope *s, const tt_tensor *a, int64_t dim,
                      enum tt_reduced_dim reduced) noexcept {
    return guarded(s, "max_dim", {a}, NUMBER, [&] { return at::amax(a->t, dim, keep(reduced)); });
}

tt_tensor *tt_var_dim(tt_scope *s, const tt_tensor *a, int64_t dim, int64_t correction,
                      enum tt_reduced_dim reduced) noexcept {
    return guarded(s, "var_dim", {a}, WIDE_FLOAT, [&] {
        /* ATen divides by zero or less, and prints a warning. */
        TORCH_CHECK(a->t.size(dim) > correction, "dimension ", dim, " has size ", a->t.size(dim),
                    ", too small for correction ", correction);
        return at::var(a->t, at::OptionalIntArrayRef(dim), at::Scalar(correction), keep(reduced));
    });
}

tt_tensor *tt_logsumexp(tt_scope *s, const tt_tensor *a, int64_t dim,
                        enum tt_reduced_dim reduced) noexcept {
    return guarded(s, "logsumexp", {a}, WIDE_FLOAT,
                   [&] { return at::logsumexp(a->t, dim, keep(reduced)); });
}

tt_tensor *tt_argmax(tt_scope *s, const tt_tensor *a, int64_t dim,
                     enum tt_reduced_dim reduced) noexcept {
    return guarded(s, "argmax", {a}, NUMBER, [&] { return at::argmax(a->t, dim, keep(reduced)); });
}

tt_tensor *tt_argmin(tt_scope *s, const tt_tensor *a, int64_t dim,
                     enum tt_reduced_dim reduced) noexcept {
    return guarded(s, "argmin", {a}, NUMBER, [&] { return at::argmin(a->t, dim, keep(reduced)); });
}

tt_tensor *tt_cumsum(tt_scope *s, const tt_tensor *a, int64_t dim) noexcept {
    return guarded(s, "cumsum", {a}, WIDE_OR_I64, [&] { return at::cumsum(a->t, dim); });
}

tt_tensor *tt_softmax(tt_scope *s, const tt_tensor *a, int64_t dim) noexcept {
    return guarded(s, "softmax", {a}, WIDE_FLOAT, [&] { return at::softmax(a->t, dim); });
}

tt_tensor *tt_log_softmax(tt_scope *s, const tt_tensor *a, int64_t dim) noexcept {
    return guarded(s, "log_softmax", {a}, WIDE_FLOAT, [&] { return at::log_softmax(a->t, dim); });
}

struct tt_ordered tt_sort(tt_scope *s, const tt_tensor *a, int64_t dim, bool descending) noexcept {
    return ordered(s, "sort", a, [&] { return at::sort(a->t, /*stable=*/true, dim, descending); });
}

struct tt_ordered tt_topk(tt_scope *s, const tt_tensor *a, int64_t k, int64_t dim) noexcept {
    return ordered(s, "topk", a,
                   [&] { return at::topk(a->t, k, dim, /*largest=*/true, /*sorted=*/true); });
}
