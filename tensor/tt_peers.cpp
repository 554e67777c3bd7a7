/* tt_peers.cpp - see tt_peers.h. */
#include "tensor/tt_peers.h"

#include "tensor/tt_internal.hpp"

#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/add.h>
#include <ATen/ops/div.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/neg.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/sub.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <new>
#include <stdexcept>
#include <vector>

using namespace tt;

namespace {

at::Tensor flat(const float *values, int64_t count) {
    return at::from_blob(const_cast<float *>(values), {count}, at::kFloat);
}

at::Tensor scaled_grad(const struct kernel_adamw_args *args) {
    const at::Tensor grad = flat(args->grad, args->n);
    return args->grad_scale == 1.0 ? grad : at::mul(grad, args->grad_scale);
}

/* torch/csrc/api/src/optim/adamw.cpp, operation by operation. */
void adamw_piece(const struct kernel_adamw_args *args, const at::Tensor &param,
                 const at::Tensor &grad, const at::Tensor &exp_avg, const at::Tensor &exp_avg_sq) {
    const auto step = static_cast<double>(args->step);
    const double correction1 = 1.0 - std::pow(args->beta1, step);
    const double correction2 = 1.0 - std::pow(args->beta2, step);
    param.mul_(1.0 - args->lr * args->weight_decay);
    exp_avg.mul_(args->beta1).add_(grad, 1.0 - args->beta1);
    exp_avg_sq.mul_(args->beta2).addcmul_(grad, grad, 1.0 - args->beta2);
    const at::Tensor denominator =
        at::div(exp_avg_sq.sqrt(), std::sqrt(correction2)).add_(args->eps);
    param.addcdiv_(exp_avg, denominator, -args->lr / correction1);
}

void throw_kind(tt_peer_exception kind) {
    switch (kind) {
    case TT_PEER_C10_ERROR:
        TORCH_CHECK(false, "thrown on purpose");
    case TT_PEER_OUT_OF_MEMORY:
        TORCH_CHECK_WITH(OutOfMemoryError, false, "thrown on purpose");
    case TT_PEER_BAD_ALLOC:
        throw std::bad_alloc();
    case TT_PEER_STD_EXCEPTION:
        throw std::runtime_error("thrown on purpose");
    case TT_PEER_INT:
        throw 7;
    }
}

} // namespace

enum err_code tt_peer_adamw_fused(const struct kernel_adamw_args *args,
                                  struct error *err) noexcept {
    return guarded_status("fused adamw", err, [&] {
        const at::AutoGradMode mode(false);
        /* The op counts from the step it is given. */
        const at::Tensor step = at::scalar_tensor(static_cast<double>(args->step), at::kFloat);
        at::_fused_adamw_({flat(args->param, args->n)}, {scaled_grad(args)},
                          {flat(args->exp_avg, args->n)}, {flat(args->exp_avg_sq, args->n)}, {},
                          {step}, args->lr, args->beta1, args->beta2, args->weight_decay, args->eps,
                          /*amsgrad=*/false, /*maximize=*/false);
        return ERR_OK;
    });
}

enum err_code tt_peer_adamw_per_tensor(const struct kernel_adamw_args *args, int64_t tensors,
                                       struct error *err) noexcept {
    return guarded_status("per-tensor adamw", err, [&] {
        const at::AutoGradMode mode(false);
        const at::Tensor grad = scaled_grad(args);
        const int64_t piece = args->n / tensors;
        for (int64_t i = 0; i < tensors; i++) {
            const int64_t start = i * piece;
            const int64_t count = i + 1 == tensors ? args->n - start : piece;
            adamw_piece(args, flat(args->param + start, count), grad.narrow(0, start, count),
                        flat(args->exp_avg + start, count), flat(args->exp_avg_sq + start, count));
        }
        return ERR_OK;
    });
}

enum err_code tt_peer_ten_ops(int64_t cycles, double *out_value, struct error *err) noexcept {
    return guarded_status("ten ops", err, [&] {
        const at::AutoGradMode mode(false);
        const at::Tensor a = at::zeros({1}, at::kFloat).fill_(0.5);
        const at::Tensor b = at::zeros({1}, at::kFloat).fill_(0.25);
        at::Tensor last = a;
        for (int64_t i = 0; i < cycles; i++) {
            const at::Tensor t1 = at::add(a, b);
            const at::Tensor t2 = at::sub(t1, b);
            const at::Tensor t3 = at::mul(t2, t1);
            const at::Tensor t4 = at::neg(t3);
            const at::Tensor t5 = at::exp(t4);
            const at::Tensor t6 = at::add(t5, a);
            const at::Tensor t7 = at::tanh(t6);
            const at::Tensor t8 = at::mul(t7, b);
            const at::Tensor t9 = at::sub(t8, t1);
            last = at::add(t9, t2);
        }
        *out_value = last.item().toDouble();
        return ERR_OK;
    });
}

enum err_code tt_peer_ten_ops_scoped(int64_t cycles, double *out_value,
                                     struct error *err) noexcept {
    tt_scope *outer = tt_scope_open(TT_NO_GRAD);
    tt_tensor *a = tt_full(outer, TT_F32, {1, {1}}, 0.5);
    tt_tensor *b = tt_full(outer, TT_F32, {1, {1}}, 0.25);
    enum err_code code = tt_scope_check(outer, err);
    for (int64_t i = 0; i < cycles && code == ERR_OK; i++) {
        tt_scope *s = tt_scope_open(TT_NO_GRAD);
        tt_tensor *t1 = tt_add(s, a, b);
        tt_tensor *t2 = tt_sub(s, t1, b);
        tt_tensor *t3 = tt_mul(s, t2, t1);
        tt_tensor *t4 = tt_neg(s, t3);
        tt_tensor *t5 = tt_exp(s, t4);
        tt_tensor *t6 = tt_add(s, t5, a);
        tt_tensor *t7 = tt_tanh(s, t6);
        tt_tensor *t8 = tt_mul(s, t7, b);
        tt_tensor *t9 = tt_sub(s, t8, t1);
        tt_tensor *t10 = tt_add(s, t9, t2);
        code = i + 1 < cycles ? tt_scope_check(s, err) : tt_item_f64(s, t10, out_value, err);
        tt_scope_close(s);
    }
    tt_scope_close(outer);
    return code;
}

tt_tensor *tt_peer_throw(tt_scope *s, enum tt_peer_exception kind) noexcept {
    return guarded(s, "throw", {}, ANY, [&] {
        throw_kind(kind);
        return at::Tensor();
    });
}
