/* tt_params.cpp - see tt_params.h. */
#include "tensor/tt_params_internal.hpp"

#include "tensor/tt_process.hpp"

#include "base/mem.h"
#include "tensor/kernels/kernel_convert.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <cinttypes>
#include <cmath>
#include <cstring>

namespace tt {
namespace {

constexpr size_t NAME_BYTES_MAX = 200;
constexpr int64_t ELEMENTS_MAX = INT64_C(1) << 48; /* so that no sum of offsets overflows */
constexpr int64_t ALIGNMENT_ELEMENTS = 16; /* 64 bytes of f32: a cache line, a vector register */

int64_t align_up(int64_t elements) {
    return (elements + ALIGNMENT_ELEMENTS - 1) / ALIGNMENT_ELEMENTS * ALIGNMENT_ELEMENTS;
}

const param_entry *find_entry(const tt_params *params, const char *name) {
    for (const param_entry &entry : params->entries) {
        if (entry.name == name) {
            return &entry;
        }
    }
    return nullptr;
}

enum err_code check_spec(const tt_params *params, const tt_param_spec *spec, struct error *err) {
    const size_t length = spec->name ? strlen(spec->name) : 0;
    if (length < 1 || length > NAME_BYTES_MAX) {
        return err_set(err, ERR_INTERNAL, "parameter name of %zu bytes; 1 to %zu are allowed",
                       length, NAME_BYTES_MAX);
    }
    if (strcmp(spec->name, "__metadata__") == 0) {
        return err_set(err, ERR_INTERNAL, "parameter '%s': safetensors keeps this name for itself",
                       spec->name);
    }
    if (params->allocated) {
        return err_set(err, ERR_INTERNAL, "parameter '%s': declared after allocation", spec->name);
    }
    if (find_entry(params, spec->name)) {
        return err_set(err, ERR_INTERNAL, "parameter '%s': declared twice", spec->name);
    }
    if (spec->trainable && spec->dtype != TT_F32) {
        return err_set(err, ERR_DTYPE, "parameter '%s': trainable parameters are f32, not %s",
                       spec->name, tt_dtype_name(spec->dtype));
    }
    const int64_t elements = element_count(spec->shape);
    if (elements < 0 || elements > ELEMENTS_MAX) {
        return err_set(err, ERR_SHAPE, "parameter '%s': its shape is negative or too large",
                       spec->name);
    }
    if (spec->block < 0 || (spec->block > 0 && elements % spec->block != 0)) {
        return err_set(err, ERR_SHAPE,
                       "parameter '%s': blocks of %" PRId64 " do not divide its %" PRId64
                       " elements",
                       spec->name, spec->block, elements);
    }
    return ERR_OK;
}

/* Assigns offsets to the trainable parameters with this decay setting, from `start`. */
flat_range lay_out(tt_params *params, bool decay, int64_t start) {
    int64_t offset = start;
    for (param_entry &entry : params->entries) {
        if (entry.spec.trainable && entry.spec.decay == decay) {
            entry.offset = offset;
            entry.first_block = params->blocks;
            params->blocks += block_count(entry.spec);
            offset = align_up(offset + element_count(entry.spec.shape));
        }
    }
    return flat_range{start, offset - start};
}

owned_handle parameter_handle(at::Tensor &&t) {
    owned_handle handle(new_handle(std::move(t), tt_home::parameter));
    if (!handle) {
        throw std::bad_alloc();
    }
    return handle;
}

void allocate_trainable(const tt_params *params, param_entry *entry) {
    /* Detached, so that each is a leaf of its own. */
    at::Tensor value = flat_window(params->values, *entry).detach();
    at::Tensor grad = flat_window(params->grads, *entry).detach();
    value.requires_grad_(true);
    /* Backward adds into a gradient that is already there, so its memory stays in the flat buffer.
     */
    value.mutable_grad() = grad;
    entry->value = parameter_handle(std::move(value));
    entry->grad = parameter_handle(std::move(grad));
}

void allocate_frozen(const tt_params *params, param_entry *entry) {
    entry->value = parameter_handle(
        at::zeros(to_sizes(entry->spec.shape), at::TensorOptions()
                                                   .dtype(to_scalar_type(entry->spec.dtype))
                                                   .device(to_device(params->device))));
}

/* Rounds every value again. On the CPU by our kernel; ATen rounds the same way. */
void refresh_shadow(tt_params *params) {
    const at::AutoGradMode mode(false);
    if (params->device.kind == TT_CPU) {
        const struct kernel_convert_args args = {.kind = KERNEL_CONVERT_F32_TO_BF16,
                                                 .from = params->values.const_data_ptr(),
                                                 .to = params->shadow.mutable_data_ptr(),
                                                 .n = params->values.numel()};
        params->shadow.unsafeGetTensorImpl()->bump_version();
        kernel_convert_cpu(&args, process_kernel_cpu());
    } else {
        params->shadow.copy_(params->values);
    }
    params->shadow_version = values_version(params);
}

/* The sum of squares on the device of the gradients. */
enum err_code grad_sum_of_squares(const tt_params *params, struct kernel_norm_result *out,
                                  struct error *err) {
    const int64_t n = params->grads.numel();
    const at::Tensor scratch = at::empty({static_cast<int64_t>(kernel_norm_scratch(n))},
                                         params->grads.options().dtype(at::kDouble));
    const struct kernel_norm_args args = {
        .x = params->grads.const_data_ptr<float>(),
        .n = n,
        .scratch = scratch.mutable_data_ptr<double>(),
    };
    if (params->device.kind == TT_CPU) {
        kernel_norm_cpu(&args, process_kernel_cpu(), out);
        return ERR_OK;
    }
    const struct cuda_half *half = nullptr;
    TRY(process_cuda_half(&half, err));
    return half->norm(&args, half->current_stream(params->device.index), out, err);
}

} // namespace

int64_t element_count(const tt_shape &shape) {
    int64_t count = 1;
    for (int64_t i = 0; i < shape.rank; i++) {
        if (shape.dim[i] < 0 || __builtin_mul_overflow(count, shape.dim[i], &count)) {
            return -1;
        }
    }
    return count;
}

int64_t block_count(const tt_param_spec &spec) {
    return spec.block > 0 ? element_count(spec.shape) / spec.block : 0;
}

at::Tensor flat_window(const at::Tensor &flat, const param_entry &entry) {
    return flat.narrow(0, entry.offset, element_count(entry.spec.shape))
        .view(to_sizes(entry.spec.shape));
}

} // namespace tt

using namespace tt;

enum err_code tt_params_new(struct tt_device device, struct tt_params **out_params,
                            struct error *err) noexcept {
    TRY(tt_device_open(device, err));
    return guarded_status("parameter store", err, [&] {
        /* NOLINTNEXTLINE(bugprone-unhandled-exception-at-new): guarded_status catches it */
        *out_params = new tt_params{.device = device};
        return ERR_OK;
    });
}

void tt_params_free(struct tt_params *params) noexcept {
    delete params;
}

enum err_code tt_params_declare(struct tt_params *params, const struct tt_param_spec *spec,
                                struct error *err) noexcept {
    TRY(check_spec(params, spec, err));
    return guarded_status("parameter store", err, [&] {
        param_entry entry = {.name = spec->name, .spec = *spec};
        entry.spec.name = nullptr;
        params->entries.push_back(std::move(entry));
        return ERR_OK;
    });
}

enum err_code tt_params_allocate(struct tt_params *params, struct error *err) noexcept {
    if (params->allocated) {
        return err_set(err, ERR_INTERNAL, "parameter store allocated twice");
    }
    return guarded_status("parameter store", err, [&] {
        const at::AutoGradMode mode(true);
        params->decayed = lay_out(params, true, 0);
        params->plain = lay_out(params, false, params->decayed.count);
        const at::TensorOptions flat =
            at::TensorOptions().dtype(at::kFloat).device(to_device(params->device));
        const int64_t elements = params->decayed.count + params->plain.count;
        params->values = at::zeros({elements}, flat);
        params->grads = at::zeros({elements}, flat);
        for (param_entry &entry : params->entries) {
            if (entry.spec.trainable) {
                allocate_trainable(params, &entry);
            } else {
                allocate_frozen(params, &entry);
            }
        }
        params->allocated = true;
        return ERR_OK;
    });
}

int64_t tt_params_count(const struct tt_params *params) noexcept {
    return static_cast<int64_t>(params->entries.size());
}

int64_t tt_params_trainable_elements(const struct tt_params *params) noexcept {
    int64_t elements = 0;
    for (const param_entry &entry : params->entries) {
        elements += entry.spec.trainable ? element_count(entry.spec.shape) : 0;
    }
    return elements;
}

struct tt_param_spec tt_params_spec(const struct tt_params *params, int64_t i) noexcept {
    const param_entry &entry = params->entries[static_cast<size_t>(i)];
    struct tt_param_spec spec = entry.spec;
    spec.name = entry.name.c_str();
    return spec;
}

tt_tensor *tt_param(tt_scope *s, const struct tt_params *params, const char *name) noexcept {
    if (!usable(s, "param")) {
        return nullptr;
    }
    const param_entry *entry = find_entry(params, name);
    return entry && entry->value ? entry->value.get()
                                 : tt_scope_fail(s, ERR_INTERNAL, "param: no parameter '%s'", name);
}

tt_tensor *tt_param_grad(tt_scope *s, const struct tt_params *params, const char *name) noexcept {
    if (!usable(s, "param_grad")) {
        return nullptr;
    }
    const param_entry *entry = find_entry(params, name);
    return entry && entry->grad
               ? entry->grad.get()
               : tt_scope_fail(s, ERR_INTERNAL, "param_grad: no trainable parameter '%s'", name);
}

enum err_code tt_params_add_shadow(struct tt_params *params, struct error *err) noexcept {
    if (!params->allocated || params->shadow.defined()) {
        return err_set(err, ERR_INTERNAL,
                       "parameter store: its shadow is made once, when allocated");
    }
    return guarded_status("parameter store", err, [&] {
        at::Tensor shadow =
            at::zeros({params->values.numel()}, params->values.options().dtype(at::kBFloat16));
        for (param_entry &entry : params->entries) {
            if (entry.spec.trainable) {
                entry.shadow = parameter_handle(flat_window(shadow, entry));
            }
        }
        params->shadow = std::move(shadow);
        refresh_shadow(params);
        return ERR_OK;
    });
}

tt_tensor *tt_param_shadow(tt_scope *s, struct tt_params *params, const char *name) noexcept {
    if (!usable(s, "param_shadow")) {
        return nullptr;
    }
    const param_entry *entry = find_entry(params, name);
    if (!entry || !entry->shadow) {
        return tt_scope_fail(s, ERR_INTERNAL, "param_shadow: no parameter '%s' with a shadow",
                             name);
    }
    try {
        if (params->shadow_version != values_version(params)) {
            refresh_shadow(params);
        }
    } catch (...) {
        record_exception(s, "param_shadow", {});
        return nullptr;
    }
    return entry->shadow.get();
}

enum err_code tt_params_zero_grad(struct tt_params *params, struct error *err) noexcept {
    return guarded_status("zero_grad", err, [&] {
        params->grads.zero_();
        return ERR_OK;
    });
}

enum err_code tt_params_grad_norm(const struct tt_params *params, double *out_norm,
                                  struct error *err) noexcept {
    return guarded_status("grad_norm", err, [&] {
        struct kernel_norm_result result = {};
        TRY(grad_sum_of_squares(params, &result, err));
        *out_norm = std::sqrt(result.sum_sq);
        return ERR_OK;
    });
}

double tt_clip_factor(double norm, double norm_max) noexcept {
    if (!std::isfinite(norm) || !(norm_max > 0.0)) {
        return std::nan("");
    }
    return norm > norm_max ? norm_max / norm : 1.0;
}
