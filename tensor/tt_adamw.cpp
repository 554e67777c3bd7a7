/* tt_adamw.cpp - AdamW and Adam-mini over a store's flat buffers: one kernel call per weight-decay
 * setting. See tt_params.h. */
#include "tensor/tt_params_internal.hpp"

#include "tensor/tt_process.hpp"

#include <ATen/ops/zeros.h>
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

bool is_mini(const tt_adamw *adamw) {
    return adamw->config.second_moments == TT_MOMENT_BLOCK;
}

/* Adds the parameters of one weight-decay setting. */
enum err_code add_parts(const tt_params *params, bool decay, flat_range range,
                        std::vector<kernel_adam_mini_part> *parts, struct error *err) {
    for (const param_entry &entry : params->entries) {
        if (!entry.spec.trainable || entry.spec.decay != decay) {
            continue;
        }
        if (entry.spec.block == 0) {
            return err_set(err, ERR_INTERNAL,
                           "adam-mini: parameter '%s' was declared without a block",
                           entry.name.c_str());
        }
        parts->push_back({.first = entry.offset - range.start,
                          .n = element_count(entry.spec.shape),
                          .block = entry.spec.block,
                          .first_block = entry.first_block});
    }
    return ERR_OK;
}

enum err_code make_second_moments(tt_adamw *adamw, struct error *err) {
    const tt_params *params = adamw->params;
    if (!is_mini(adamw)) {
        adamw->exp_avg_sq = at::zeros_like(params->values);
        return ERR_OK;
    }
    TRY(add_parts(params, true, params->decayed, &adamw->parts_decayed, err));
    TRY(add_parts(params, false, params->plain, &adamw->parts_plain, err));
    adamw->exp_avg_sq = at::zeros({params->blocks}, params->values.options());
    return ERR_OK;
}

/* One of the two ranges of the flat buffers, and its part of a step. */
struct step_part {
    flat_range range;
    double weight_decay;
    const std::vector<kernel_adam_mini_part> &parts; /* Adam-mini's */
};

enum err_code run_mini(const tt_adamw *adamw, const struct kernel_adamw_args &args,
                       const step_part &part, struct error *err) {
    struct kernel_adam_mini_args mini = {
        .adamw = args,
        .parts = part.parts.data(),
        .parts_count = static_cast<int64_t>(part.parts.size()),
    };
    mini.adamw.exp_avg_sq = adamw->exp_avg_sq.mutable_data_ptr<float>();
    if (adamw->params->device.kind == TT_CPU) {
        kernel_adam_mini_cpu(&mini, process_kernel_cpu());
        return ERR_OK;
    }
    const struct cuda_half *half = nullptr;
    TRY(process_cuda_half(&half, err));
    return half->adam_mini(&mini, half->current_stream(adamw->params->device.index), err);
}

enum err_code run_adamw(const tt_adamw *adamw, const struct kernel_adamw_args &args,
                        const step_part &part, struct error *err) {
    struct kernel_adamw_args each = args;
    each.exp_avg_sq = adamw->exp_avg_sq.mutable_data_ptr<float>() + part.range.start;
    if (adamw->params->device.kind == TT_CPU) {
        kernel_adamw_cpu(&each, process_kernel_cpu());
        return ERR_OK;
    }
    const struct cuda_half *half = nullptr;
    TRY(process_cuda_half(&half, err));
    return half->adamw(&each, half->current_stream(adamw->params->device.index), err);
}

enum err_code run_part(const tt_adamw *adamw, const step_part &part, double learning_rate,
                       double grad_scale, struct error *err) {
    const int64_t start = part.range.start;
    if (part.range.count == 0) {
        return ERR_OK;
    }
    const tt_params *params = adamw->params;
    const struct kernel_adamw_args args = {
        .param = params->values.mutable_data_ptr<float>() + start,
        .grad = params->grads.const_data_ptr<float>() + start,
        .exp_avg = adamw->exp_avg.mutable_data_ptr<float>() + start,
        .exp_avg_sq = nullptr,
        .param_bf16 = params->shadow.defined()
                          ? static_cast<uint16_t *>(params->shadow.mutable_data_ptr()) + start
                          : nullptr,
        .n = part.range.count,
        .step = adamw->steps_done + 1,
        .lr = learning_rate,
        .beta1 = adamw->config.beta1,
        .beta2 = adamw->config.beta2,
        .eps = adamw->config.eps,
        .weight_decay = part.weight_decay,
        .grad_scale = grad_scale,
    };
    return is_mini(adamw) ? run_mini(adamw, args, part, err) : run_adamw(adamw, args, part, err);
}

} // namespace

enum err_code tt_adamw_new(struct tt_params *params, const struct tt_adamw_config *config,
                           struct tt_adamw **out_adamw, struct error *err) noexcept {
    TRY(check_config(config, err));
    if (!params->allocated) {
        return err_set(err, ERR_INTERNAL, "adamw: the parameter store is not allocated");
    }
    return guarded_status("adamw", err, [&] {
        auto adamw = std::make_unique<tt_adamw>(tt_adamw{
            .params = params,
            .config = *config,
            .exp_avg = at::zeros_like(params->values),
        });
        TRY(make_second_moments(adamw.get(), err));
        *out_adamw = adamw.release();
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
        TRY(run_part(adamw, {params->decayed, adamw->config.weight_decay, adamw->parts_decayed},
                     learning_rate, grad_scale, err));
        TRY(run_part(adamw, {params->plain, 0.0, adamw->parts_plain}, learning_rate, grad_scale,
                     err));
        params->shadow_version = values_version(params);
        adamw->steps_done++;
        return ERR_OK;
    });
}

int64_t tt_adamw_steps_done(const struct tt_adamw *adamw) noexcept {
    return adamw->steps_done;
}

int64_t tt_adamw_state_elements(const struct tt_adamw *adamw) noexcept {
    const int64_t trained = tt_params_trainable_elements(adamw->params);
    return trained + (is_mini(adamw) ? adamw->exp_avg_sq.numel() : trained);
}

at::Tensor tt::second_moments(const tt_adamw *adamw, const param_entry &entry) {
    return is_mini(adamw) ? adamw->exp_avg_sq.narrow(0, entry.first_block, block_count(entry.spec))
                          : flat_window(adamw->exp_avg_sq, entry);
}
