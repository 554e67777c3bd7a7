/* tt_create.cpp - making tensors from numbers and memory, and converting them. See tt_ops.h. */
#include "tensor/tt_internal.hpp"

#include <ATen/ops/arange.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/util/accumulate.h>

using namespace tt;

namespace {

/* A view of host memory. from_blob never writes through it here, so casting const away is safe for
 * the copies below; tt_borrow takes a pointer that may be written. */
at::Tensor view_of(const void *values, tt_dtype dtype, const tt_shape &shape) {
    return at::from_blob(const_cast<void *>(values), to_sizes(shape),
                         at::TensorOptions().dtype(to_scalar_type(dtype)));
}

void check_there(const void *values, const tt_shape &shape) {
    TORCH_CHECK(values || c10::multiply_integers(to_sizes(shape)) == 0, "values is NULL");
}

tt_tensor *copied(tt_scope *s, const char *op, const void *values, tt_dtype dtype,
                  const tt_shape &shape) noexcept {
    return created(s, op, shape, [&] {
        check_there(values, shape);
        return view_of(values, dtype, shape)
            .to(at::TensorOptions().device(to_device(s->device)), /*non_blocking=*/false,
                /*copy=*/true);
    });
}

} // namespace

tt_tensor *tt_zeros(tt_scope *s, enum tt_dtype dtype, struct tt_shape shape) noexcept {
    return created(s, "zeros", shape,
                   [&] { return at::zeros(to_sizes(shape), options(s, dtype)); });
}

tt_tensor *tt_full(tt_scope *s, enum tt_dtype dtype, struct tt_shape shape, double value) noexcept {
    return created(s, "full", shape, [&] {
        return at::full(to_sizes(shape), to_scalar(to_scalar_type(dtype), value),
                        options(s, dtype));
    });
}

tt_tensor *tt_zeros_like(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "zeros_like", {a}, ANY, [&] { return at::zeros_like(a->t); });
}

tt_tensor *tt_full_like(tt_scope *s, const tt_tensor *a, double value) noexcept {
    return guarded(s, "full_like", {a}, ANY,
                   [&] { return at::full_like(a->t, to_scalar(a->t.scalar_type(), value)); });
}

tt_tensor *tt_scalar(tt_scope *s, enum tt_dtype dtype, double value) noexcept {
    return guarded(s, "scalar", {}, ANY, [&] {
        return at::scalar_tensor(to_scalar(to_scalar_type(dtype), value), options(s, dtype));
    });
}

tt_tensor *tt_arange(tt_scope *s, int64_t start, int64_t count) noexcept {
    return created(s, "arange", tt_shape{1, {count}},
                   [&] { return at::arange(start, start + count, options(s, TT_I64)); });
}

tt_tensor *tt_from_f32(tt_scope *s, const float *values, struct tt_shape shape) noexcept {
    return copied(s, "from_f32", values, TT_F32, shape);
}

tt_tensor *tt_from_f64(tt_scope *s, const double *values, struct tt_shape shape) noexcept {
    return copied(s, "from_f64", values, TT_F64, shape);
}

tt_tensor *tt_from_i64(tt_scope *s, const int64_t *values, struct tt_shape shape) noexcept {
    return copied(s, "from_i64", values, TT_I64, shape);
}

tt_tensor *tt_from_i32(tt_scope *s, const int32_t *values, struct tt_shape shape) noexcept {
    return copied(s, "from_i32", values, TT_I32, shape);
}

tt_tensor *tt_from_bool(tt_scope *s, const bool *values, struct tt_shape shape) noexcept {
    return copied(s, "from_bool", values, TT_BOOL, shape);
}

tt_tensor *tt_borrow(tt_scope *s, enum tt_dtype dtype, void *values,
                     struct tt_shape shape) noexcept {
    return created(s, "borrow", shape, [&] {
        check_there(values, shape);
        return view_of(values, dtype, shape);
    });
}

tt_tensor *tt_cast(tt_scope *s, const tt_tensor *a, enum tt_dtype dtype) noexcept {
    return guarded(s, "cast", {a}, ANY, [&] { return a->t.to(to_scalar_type(dtype)); });
}

tt_tensor *tt_to_device(tt_scope *s, const tt_tensor *a, struct tt_device device) noexcept {
    return guarded(s, "to_device", {a}, ANY, [&] { return a->t.to(to_device(device)); });
}

tt_tensor *tt_detach(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "detach", {a}, ANY, [&] { return a->t.detach(); });
}

tt_tensor *tt_clone(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "clone", {a}, ANY, [&] { return a->t.clone(); });
}

tt_tensor *tt_contiguous(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "contiguous", {a}, ANY, [&] { return a->t.contiguous(); });
}
