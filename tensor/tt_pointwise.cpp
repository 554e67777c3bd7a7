/* tt_pointwise.cpp - ops that work element by element, and their in-place forms. See tt_ops.h. */
#include "tensor/tt_internal.hpp"

#include <ATen/MemoryOverlap.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/add.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/clamp_max.h>
#include <ATen/ops/clamp_min.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/div.h>
#include <ATen/ops/eq.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/expm1.h>
#include <ATen/ops/ge.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/gt.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/le.h>
#include <ATen/ops/log.h>
#include <ATen/ops/log1p.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/logical_and.h>
#include <ATen/ops/logical_not.h>
#include <ATen/ops/logical_or.h>
#include <ATen/ops/lt.h>
#include <ATen/ops/masked_fill.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/ne.h>
#include <ATen/ops/neg.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/reciprocal.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/sign.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/softplus.h>
#include <ATen/ops/sqrt.h>
#include <ATen/ops/square.h>
#include <ATen/ops/sub.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/where.h>

using namespace tt;

/* --- one operand ------------------------------------------------------------------------------ */

tt_tensor *tt_neg(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "neg", {a}, NUMBER, [&] { return at::neg(a->t); });
}

tt_tensor *tt_abs(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "abs", {a}, NUMBER, [&] { return at::abs(a->t); });
}

tt_tensor *tt_sign(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "sign", {a}, NUMBER, [&] { return at::sign(a->t); });
}

tt_tensor *tt_square(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "square", {a}, NUMBER, [&] { return at::square(a->t); });
}

tt_tensor *tt_scale(tt_scope *s, const tt_tensor *a, double factor) noexcept {
    return guarded(s, "scale", {a}, FLOAT, [&] { return at::mul(a->t, factor); });
}

tt_tensor *tt_shift(tt_scope *s, const tt_tensor *a, double offset) noexcept {
    return guarded(s, "shift", {a}, FLOAT, [&] { return at::add(a->t, offset); });
}

tt_tensor *tt_clamp(tt_scope *s, const tt_tensor *a, double low, double high) noexcept {
    return guarded(s, "clamp", {a}, FLOAT, [&] {
        /* ATen gives `high` everywhere. */
        TORCH_CHECK(low <= high, "low ", low, " is above high ", high);
        return at::clamp(a->t, low, high);
    });
}

tt_tensor *tt_clamp_min(tt_scope *s, const tt_tensor *a, double low) noexcept {
    return guarded(s, "clamp_min", {a}, FLOAT, [&] { return at::clamp_min(a->t, low); });
}

tt_tensor *tt_clamp_max(tt_scope *s, const tt_tensor *a, double high) noexcept {
    return guarded(s, "clamp_max", {a}, FLOAT, [&] { return at::clamp_max(a->t, high); });
}

tt_tensor *tt_exp(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "exp", {a}, FLOAT, [&] { return at::exp(a->t); });
}

tt_tensor *tt_expm1(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "expm1", {a}, FLOAT, [&] { return at::expm1(a->t); });
}

tt_tensor *tt_log(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "log", {a}, FLOAT, [&] { return at::log(a->t); });
}

tt_tensor *tt_log1p(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "log1p", {a}, FLOAT, [&] { return at::log1p(a->t); });
}

tt_tensor *tt_sqrt(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "sqrt", {a}, FLOAT, [&] { return at::sqrt(a->t); });
}

tt_tensor *tt_rsqrt(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "rsqrt", {a}, FLOAT, [&] { return at::rsqrt(a->t); });
}

tt_tensor *tt_reciprocal(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "reciprocal", {a}, FLOAT, [&] { return at::reciprocal(a->t); });
}

tt_tensor *tt_pow(tt_scope *s, const tt_tensor *a, double exponent) noexcept {
    return guarded(s, "pow", {a}, FLOAT, [&] { return at::pow(a->t, exponent); });
}

tt_tensor *tt_sin(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "sin", {a}, FLOAT, [&] { return at::sin(a->t); });
}

tt_tensor *tt_cos(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "cos", {a}, FLOAT, [&] { return at::cos(a->t); });
}

tt_tensor *tt_tanh(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "tanh", {a}, FLOAT, [&] { return at::tanh(a->t); });
}

tt_tensor *tt_sigmoid(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "sigmoid", {a}, FLOAT, [&] { return at::sigmoid(a->t); });
}

tt_tensor *tt_log_sigmoid(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "log_sigmoid", {a}, FLOAT, [&] { return at::log_sigmoid(a->t); });
}

tt_tensor *tt_softplus(tt_scope *s, const tt_tensor *a) noexcept {
    /* ATen returns `a` itself above the threshold: at its default, 20, that is off by 2e-9, at 40
     * by less than a double can tell. */
    return guarded(s, "softplus", {a}, FLOAT,
                   [&] { return at::softplus(a->t, /*beta=*/1, /*threshold=*/40); });
}

tt_tensor *tt_relu(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "relu", {a}, FLOAT, [&] { return at::relu(a->t); });
}

tt_tensor *tt_gelu(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "gelu", {a}, FLOAT, [&] { return at::gelu(a->t, "none"); });
}

tt_tensor *tt_gelu_tanh(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "gelu_tanh", {a}, FLOAT, [&] { return at::gelu(a->t, "tanh"); });
}

tt_tensor *tt_silu(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "silu", {a}, FLOAT, [&] { return at::silu(a->t); });
}

tt_tensor *tt_is_finite(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "is_finite", {a}, FLOAT, [&] { return at::isfinite(a->t); });
}

/* --- two operands ----------------------------------------------------------------------------- */

tt_tensor *tt_add(tt_scope *s, const tt_tensor *a, const tt_tensor *b) noexcept {
    return guarded(s, "add", {a, b}, ELEMENTWISE | NUMBER, [&] { return at::add(a->t, b->t); });
}

tt_tensor *tt_sub(tt_scope *s, const tt_tensor *a, const tt_tensor *b) noexcept {
    return guarded(s, "sub", {a, b}, ELEMENTWISE | NUMBER, [&] { return at::sub(a->t, b->t); });
}

tt_tensor *tt_mul(tt_scope *s, const tt_tensor *a, const tt_tensor *b) noexcept {
    return guarded(s, "mul", {a, b}, ELEMENTWISE | NUMBER, [&] { return at::mul(a->t, b->t); });
}

tt_tensor *tt_div(tt_scope *s, const tt_tensor *a, const tt_tensor *b) noexcept {
    return guarded(s, "div", {a, b}, ELEMENTWISE | FLOAT, [&] { return at::div(a->t, b->t); });
}

tt_tensor *tt_add_scaled(tt_scope *s, const tt_tensor *a, const tt_tensor *b,
                         double factor) noexcept {
    return guarded(s, "add_scaled", {a, b}, ELEMENTWISE | FLOAT,
                   [&] { return at::add(a->t, b->t, factor); });
}

tt_tensor *tt_minimum(tt_scope *s, const tt_tensor *a, const tt_tensor *b) noexcept {
    return guarded(s, "minimum", {a, b}, ELEMENTWISE | NUMBER,
                   [&] { return at::minimum(a->t, b->t); });
}

tt_tensor *tt_maximum(tt_scope *s, const tt_tensor *a, const tt_tensor *b) noexcept {
    return guarded(s, "maximum", {a, b}, ELEMENTWISE | NUMBER,
                   [&] { return at::maximum(a->t, b->t); });
}

tt_tensor *tt_add_broadcast(tt_scope *s, const tt_tensor *a, const tt_tensor *b) noexcept {
    return guarded(s, "add_broadcast", {a, b}, SAME_DTYPE | NUMBER,
                   [&] { return at::add(a->t, b->t); });
}

tt_tensor *tt_sub_broadcast(tt_scope *s, const tt_tensor *a, const tt_tensor *b) noexcept {
    return guarded(s, "sub_broadcast", {a, b}, SAME_DTYPE | NUMBER,
                   [&] { return at::sub(a->t, b->t); });
}

tt_tensor *tt_mul_broadcast(tt_scope *s, const tt_tensor *a, const tt_tensor *b) noexcept {
    return guarded(s, "mul_broadcast", {a, b}, SAME_DTYPE | NUMBER,
                   [&] { return at::mul(a->t, b->t); });
}

tt_tensor *tt_div_broadcast(tt_scope *s, const tt_tensor *a, const tt_tensor *b) noexcept {
    return guarded(s, "div_broadcast", {a, b}, SAME_DTYPE | FLOAT,
                   [&] { return at::div(a->t, b->t); });
}

/* --- comparison and choice -------------------------------------------------------------------- */

tt_tensor *tt_eq(tt_scope *s, const tt_tensor *a, const tt_tensor *b) noexcept {
    return guarded(s, "eq", {a, b}, ELEMENTWISE, [&] { return at::eq(a->t, b->t); });
}

tt_tensor *tt_ne(tt_scope *s, const tt_tensor *a, const tt_tensor *b) noexcept {
    return guarded(s, "ne", {a, b}, ELEMENTWISE, [&] { return at::ne(a->t, b->t); });
}

tt_tensor *tt_lt(tt_scope *s, const tt_tensor *a, const tt_tensor *b) noexcept {
    return guarded(s, "lt", {a, b}, ELEMENTWISE | NUMBER, [&] { return at::lt(a->t, b->t); });
}

tt_tensor *tt_le(tt_scope *s, const tt_tensor *a, const tt_tensor *b) noexcept {
    return guarded(s, "le", {a, b}, ELEMENTWISE | NUMBER, [&] { return at::le(a->t, b->t); });
}

tt_tensor *tt_gt(tt_scope *s, const tt_tensor *a, const tt_tensor *b) noexcept {
    return guarded(s, "gt", {a, b}, ELEMENTWISE | NUMBER, [&] { return at::gt(a->t, b->t); });
}

tt_tensor *tt_ge(tt_scope *s, const tt_tensor *a, const tt_tensor *b) noexcept {
    return guarded(s, "ge", {a, b}, ELEMENTWISE | NUMBER, [&] { return at::ge(a->t, b->t); });
}

tt_tensor *tt_logical_and(tt_scope *s, const tt_tensor *a, const tt_tensor *b) noexcept {
    return guarded(s, "logical_and", {a, b}, SAME_SHAPE | BOOL,
                   [&] { return at::logical_and(a->t, b->t); });
}

tt_tensor *tt_logical_or(tt_scope *s, const tt_tensor *a, const tt_tensor *b) noexcept {
    return guarded(s, "logical_or", {a, b}, SAME_SHAPE | BOOL,
                   [&] { return at::logical_or(a->t, b->t); });
}

tt_tensor *tt_logical_not(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "logical_not", {a}, BOOL, [&] { return at::logical_not(a->t); });
}

tt_tensor *tt_where(tt_scope *s, const tt_tensor *mask, const tt_tensor *a,
                    const tt_tensor *b) noexcept {
    return guarded(s, "where", {mask, a, b}, ELEMENTWISE | STRICT_SHAPE | MASK_FIRST,
                   [&] { return at::where(mask->t, a->t, b->t); });
}

tt_tensor *tt_masked_fill(tt_scope *s, const tt_tensor *a, const tt_tensor *mask,
                          double value) noexcept {
    return guarded(s, "masked_fill", {a, mask}, STRICT_SHAPE | NUMBER | MASK_SECOND, [&] {
        return at::masked_fill(a->t, mask->t, to_scalar(a->t.scalar_type(), value));
    });
}

/* --- in place --------------------------------------------------------------------------------- */

namespace {

/* The destination keeps its shape: a scalar may be added to a matrix, not a matrix to a scalar. */
bool keeps_shape(tt_scope *s, const char *op, const tt_tensor *a, const tt_tensor *b) noexcept {
    if (!usable(s, op) || !admitted(s, op, {a, b}, ANY)) {
        return false;
    }
    if (a->t.dim() == 0 && b->t.dim() != 0) {
        tt_scope_fail(s, ERR_SHAPE, "%s: a scalar cannot take the values of a larger tensor", op);
        return false;
    }
    return true;
}

template <typename Call>
void changed_by(tt_scope *s, const char *op, tt_tensor *a, const tt_tensor *b, unsigned rules,
                Call &&call) noexcept {
    if (keeps_shape(s, op, a, b)) {
        guarded_inplace(s, op, {a, b}, ELEMENTWISE | rules, call);
    }
}

} // namespace

void tt_fill_inplace(tt_scope *s, tt_tensor *a, double value) noexcept {
    guarded_inplace(s, "fill_inplace", {a}, ANY,
                    [&] { a->t.fill_(to_scalar(a->t.scalar_type(), value)); });
}

void tt_copy_inplace(tt_scope *s, tt_tensor *a, const tt_tensor *b) noexcept {
    guarded_inplace(s, "copy_inplace", {a, b}, ELEMENTWISE | STRICT_SHAPE,
                    [&] { a->t.copy_(b->t); });
}

void tt_add_inplace(tt_scope *s, tt_tensor *a, const tt_tensor *b) noexcept {
    changed_by(s, "add_inplace", a, b, NUMBER, [&] { a->t.add_(b->t); });
}

void tt_add_scaled_inplace(tt_scope *s, tt_tensor *a, const tt_tensor *b, double factor) noexcept {
    changed_by(s, "add_scaled_inplace", a, b, FLOAT, [&] { a->t.add_(b->t, factor); });
}

void tt_mul_inplace(tt_scope *s, tt_tensor *a, const tt_tensor *b) noexcept {
    changed_by(s, "mul_inplace", a, b, NUMBER, [&] { a->t.mul_(b->t); });
}

void tt_scale_inplace(tt_scope *s, tt_tensor *a, double factor) noexcept {
    guarded_inplace(s, "scale_inplace", {a}, FLOAT, [&] { a->t.mul_(factor); });
}

void tt_masked_fill_inplace(tt_scope *s, tt_tensor *a, const tt_tensor *mask,
                            double value) noexcept {
    guarded_inplace(s, "masked_fill_inplace", {a, mask}, STRICT_SHAPE | NUMBER | MASK_SECOND, [&] {
        /* Alone among the ops in place, ATen's only warns of a repeated element. */
        at::assert_no_internal_overlap(a->t);
        a->t.masked_fill_(mask->t, to_scalar(a->t.scalar_type(), value));
    });
}
