/* tt_random.cpp - tensors from the keyed generator (base/rng.h), never from libtorch's. See
 * tt_ops.h.
 */
#include "tensor/tt_internal.hpp"
#include "tensor/tt_process.hpp"

#include "tensor/kernels/kernel_random.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/lt.h>
#include <ATen/ops/masked_fill.h>
#include <ATen/ops/mul.h>

using namespace tt;

namespace {

/* The two twins of one distribution. */
struct distribution {
    void (*on_cpu)(const struct kernel_random_args *, struct kernel_cpu);
    enum err_code (*cuda_half::*on_cuda)(const struct kernel_random_args *, void *, struct error *);
};

constexpr distribution UNIFORM = {kernel_random_uniform_cpu, &cuda_half::random_uniform};
constexpr distribution NORMAL = {kernel_random_normal_cpu, &cuda_half::random_normal};

void draw_on_cuda(const struct kernel_random_args *args, tt_device device, distribution from) {
    struct error err = ERROR_INIT;
    const struct cuda_half *half = nullptr;
    enum err_code code = process_cuda_half(&half, &err);
    if (code == ERR_OK) {
        code = (half->*from.on_cuda)(args, half->current_stream(device.index), &err);
    }
    TORCH_CHECK(code == ERR_OK, err.msg);
}

at::Tensor drawn(const struct rng *rng, at::IntArrayRef sizes, tt_device device,
                 distribution from) {
    at::Tensor values =
        at::empty(sizes, at::TensorOptions().dtype(at::kFloat).device(to_device(device)));
    const struct kernel_random_args args = {
        .out = values.mutable_data_ptr<float>(),
        .n = values.numel(),
        .rng = *rng,
    };
    if (device.kind == TT_CPU) {
        from.on_cpu(&args, process_kernel_cpu());
    } else {
        draw_on_cuda(&args, device, from);
    }
    return values;
}

} // namespace

tt_tensor *tt_rand_uniform(tt_scope *s, const struct rng *rng, struct tt_shape shape) noexcept {
    return created(s, "rand_uniform", shape,
                   [&] { return drawn(rng, to_sizes(shape), s->device, UNIFORM); });
}

tt_tensor *tt_rand_normal(tt_scope *s, const struct rng *rng, struct tt_shape shape) noexcept {
    return created(s, "rand_normal", shape,
                   [&] { return drawn(rng, to_sizes(shape), s->device, NORMAL); });
}

tt_tensor *tt_dropout(tt_scope *s, const tt_tensor *a, const struct rng *rng,
                      double rate) noexcept {
    if (usable(s, "dropout") && !(rate >= 0.0 && rate < 1.0)) {
        return tt_scope_fail(s, ERR_CONFIG, "dropout: rate %g is outside [0, 1)", rate);
    }
    return guarded(s, "dropout", {a}, FLOAT, [&] {
        const at::Tensor dropped = at::lt(drawn(rng, a->t.sizes(), tt_device_of(a), UNIFORM), rate);
        /* Scaled by a number, not by a mask of bf16, which would round the factor itself. */
        return at::mul(at::masked_fill(a->t, dropped, 0), 1.0 / (1.0 - rate));
    });
}
