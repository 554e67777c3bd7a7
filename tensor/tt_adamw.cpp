/* tt_adamw.cpp - AdamW over a store's flat buffers: one kernel call per weight-decay setting. See
 * tt_params.h. */
#include "tensor/tt_params_internal.hpp"

#include "tensor/tt_process.hpp"

#include <ATen/ops/zeros_like.h>

#include <cmath>

using namespace tt;

namespace {

enum err_code check_config(const tt_adamw_config *config, struct error *err) {
    const struct {
        const char *name;
        double value;
        bool ok;
    } checks[] = {
        {"beta1", config->beta1, config->beta1 >= 0.0 && config->beta1 < 1.0},
        {"beta2", config->beta2, config->beta2 >= 0.0 && config->beta2 < 1.0},
        /* The kernel's eps is an f32: one that rounds to 0 would give 0 / 0. */
        {"eps", config->eps, static_cast<float>(config->eps) > 0.0F && std::isfinite(config->eps)},
        {"weight_decay", config->weight_decay,
         config->weight_decay >= 0.0 && std::isfinite(config->weight_decay)},
    };
    for (const auto &check : checks) {
        if (!check.ok) {
            return err_set(err, ERR_CONFIG, "adamw: %s = %g is out of range", check.name,
                           check.value);
        }
    }
    return ERR_OK;
}

enum err_code step_range(const tt_adamw *adamw, flat_range range, double weight_decay,
                         double learning_rate, double grad_scale, struct error *err) {
    if (range.count == 0) {
        return ERR_OK;
    }
    const tt_params *params = adamw->params;
    const struct kernel_adamw_args args = {
        .param = params->values.mutable_data_ptr<float>() + range.start,
        .grad = params->grads.const_data_ptr<float>() + range.start,
        .exp_avg = adamw->exp_avg.mutable_data_ptr<float>() + range.start,
        .exp_avg_sq = adamw->exp_avg_sq.mutable_data_ptr<float>() + range.start,
        .param_bf16 = params->shadow.defined()
                          ? static_cast<uint16_t *>(params->shadow.mutable_data_ptr()) + range.start
                          : nullptr,
        .n = range.count,
        .step = adamw->steps_done + 1,
        .lr = learning_rate,
        .beta1 = adamw->config.beta1,
        .beta2 = adamw->config.beta2,
        .eps = adamw->config.eps,
        .weight_decay = weight_decay,
        .grad_scale = grad_scale,
    };
    if (params->device.kind == TT_CPU) {
        kernel_adamw_cpu(&args, process_kernel_cpu());
        return ERR_OK;
    }
    const struct cuda_half *half = nullptr;
    TRY(process_cuda_half(&half, err));
    return half->adamw(&args, half->current_stream(params->device.index), err);
}

} // namespace

enum err_code tt_adamw_new(struct tt_params *params, const struct tt_adamw_config *config,
                           struct tt_adamw **out_adamw, struct error *err) noexcept {
    TRY(check_config(config, err));
    if (!params->allocated) {
        return err_set(err, ERR_INTERNAL, "adamw: the parameter store is not allocated");
    }
    return guarded_status("adamw", err, [&] {
        /* NOLINTNEXTLINE(bugprone-unhandled-exception-at-new): guarded_status catches it */
        *out_adamw = new tt_adamw{
            .params = params,
            .config = *config,
            .exp_avg = at::zeros_like(params->values),
            .exp_avg_sq = at::zeros_like(params->values),
            .steps_done = 0,
        };
        return ERR_OK;
    });
}

void tt_adamw_free(struct tt_adamw *adamw) noexcept {
    delete adamw;
}

enum err_code tt_adamw_step(struct tt_adamw *adamw, double learning_rate, double grad_scale,
                            struct error *err) noexcept {
    if (!std::isfinite(learning_rate) || learning_rate < 0.0 || !std::isfinite(grad_scale)) {
        return err_set(err, ERR_INTERNAL, "adamw: learning rate %g, gradient scale %g: not usable",
                       learning_rate, grad_scale);
    }
    return guarded_status("adamw", err, [&] {
        /* The kernel writes past autograd. All parameters share the version of `values`: counting
         * it up makes a later backward through old values an error, not a wrong gradient. The same
         * holds for shadows. */
        tt_params *params = adamw->params;
        params->values.unsafeGetTensorImpl()->bump_version();
        if (params->shadow.defined()) {
            params->shadow.unsafeGetTensorImpl()->bump_version();
        }
        TRY(step_range(adamw, params->decayed, adamw->config.weight_decay, learning_rate,
                       grad_scale, err));
        TRY(step_range(adamw, params->plain, 0.0, learning_rate, grad_scale, err));
        params->shadow_version = values_version(params);
        adamw->steps_done++;
        return ERR_OK;
    });
}

int64_t tt_adamw_steps_done(const struct tt_adamw *adamw) noexcept {
    return adamw->steps_done;
}
