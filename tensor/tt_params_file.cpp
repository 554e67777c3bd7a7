/* tt_params_file.cpp - parameters and optimiser state to and from safetensors. See tt_params.h.
 *
 * Loading checks every tensor before it changes the first, so a wrong file leaves the store as it
 * was.
 */
#include "tensor/tt_params_internal.hpp"

#include "base/number.h"
#include "tensor/safetensors.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace {

using namespace tt;

/* One row per dtype, in the order of enum tt_dtype. */
constexpr safetensors_dtype file_dtypes[] = {
    SAFETENSORS_F64, SAFETENSORS_F32, SAFETENSORS_BF16, SAFETENSORS_F16,
    SAFETENSORS_I64, SAFETENSORS_I32, SAFETENSORS_U8,   SAFETENSORS_BOOL,
};
static_assert(sizeof file_dtypes / sizeof file_dtypes[0] == TT_DTYPE_COUNT);

/* A tensor of a file and its counterpart here. */
struct named_tensor {
    std::string name;
    at::Tensor t;
};

using file_handle = std::unique_ptr<struct safetensors, decltype(&safetensors_close)>;

safetensors_tensor describe(const named_tensor &named, const at::Tensor &on_cpu) {
    safetensors_tensor out = {};
    out.name = named.name.c_str();
    out.dtype = file_dtypes[from_scalar_type(on_cpu.scalar_type())];
    out.dims = on_cpu.dim();
    std::copy(on_cpu.sizes().begin(), on_cpu.sizes().end(), out.shape);
    out.data = on_cpu.const_data_ptr();
    out.bytes = on_cpu.nbytes();
    return out;
}

enum err_code write_tensors(const char *path, const std::vector<named_tensor> &tensors,
                            const safetensors_entry *metadata, int64_t metadata_count,
                            struct error *err) {
    std::vector<at::Tensor> on_cpu;
    std::vector<safetensors_tensor> rows;
    for (const named_tensor &named : tensors) {
        on_cpu.push_back(named.t.detach().to(at::kCPU).contiguous());
        rows.push_back(describe(named, on_cpu.back()));
    }
    return safetensors_write(path, rows.data(), static_cast<int64_t>(rows.size()), metadata,
                             metadata_count, err);
}

/* A C bool that is neither 0 nor 1 is undefined behaviour wherever it is read. */
bool holds_only_bools(const safetensors_tensor *found) {
    const auto *bytes = static_cast<const unsigned char *>(found->data);
    return std::all_of(bytes, bytes + found->bytes, [](unsigned char byte) { return byte <= 1; });
}

enum err_code check_tensor(const char *path, const named_tensor &named,
                           const safetensors_tensor *found, struct error *err) {
    if (!found) {
        return err_set(err, ERR_DATA, "'%s': tensor '%s' is missing", path, named.name.c_str());
    }
    const tt_dtype dtype = from_scalar_type(named.t.scalar_type());
    if (found->dtype != file_dtypes[dtype]) {
        return err_set(err, ERR_DATA, "'%s': tensor '%s' is %s, expected %s", path, found->name,
                       safetensors_dtype_name(found->dtype),
                       safetensors_dtype_name(file_dtypes[dtype]));
    }
    const at::IntArrayRef shape(found->shape, static_cast<size_t>(found->dims));
    if (!named.t.sizes().equals(shape)) {
        char got[96];
        char wanted[96];
        format_shape(got, sizeof got, shape);
        format_shape(wanted, sizeof wanted, named.t.sizes());
        return err_set(err, ERR_DATA, "'%s': tensor '%s' has shape %s, expected %s", path,
                       found->name, got, wanted);
    }
    if (dtype == TT_BOOL && !holds_only_bools(found)) {
        return err_set(err, ERR_DATA, "'%s': tensor '%s' is BOOL with a byte other than 0 and 1",
                       path, found->name);
    }
    return ERR_OK;
}

enum err_code check_tensors(const char *path, const struct safetensors *file,
                            const std::vector<named_tensor> &tensors, struct error *err) {
    for (const named_tensor &named : tensors) {
        TRY(check_tensor(path, named, safetensors_find(file, named.name.c_str()), err));
    }
    for (int64_t i = 0; i < safetensors_count(file); i++) {
        const char *name = safetensors_at(file, i)->name;
        const auto known = std::find_if(tensors.begin(), tensors.end(),
                                        [&](const named_tensor &t) { return t.name == name; });
        if (known == tensors.end()) {
            return err_set(err, ERR_DATA, "'%s': tensor '%s' is unexpected", path, name);
        }
    }
    return ERR_OK;
}

/* Copies through an aligned buffer, since data in a file may start at any byte. */
void copy_values(const named_tensor &named, const safetensors_tensor *found) {
    at::Tensor staged = at::empty(named.t.sizes(), named.t.options().device(at::kCPU));
    if (found->bytes > 0) {
        memcpy(staged.mutable_data_ptr(), found->data, found->bytes);
    }
    const at::AutoGradMode mode(false);
    named.t.copy_(staged);
}

/* Opens and checks; `out_file` is owned. */
enum err_code open_checked(const char *path, const std::vector<named_tensor> &tensors,
                           file_handle *out_file, struct error *err) {
    struct safetensors *file = nullptr;
    TRY(safetensors_open(path, &file, err));
    out_file->reset(file);
    return check_tensors(path, file, tensors, err);
}

void copy_all(const struct safetensors *file, const std::vector<named_tensor> &tensors) {
    for (const named_tensor &named : tensors) {
        copy_values(named, safetensors_find(file, named.name.c_str()));
    }
}

std::vector<named_tensor> store_tensors(const tt_params *params) {
    std::vector<named_tensor> tensors;
    for (const param_entry &entry : params->entries) {
        tensors.push_back({entry.name, entry.value->t});
    }
    return tensors;
}

/* "exp_avg.<name>" and "exp_avg_sq.<name>" for each trainable parameter. */
std::vector<named_tensor> moment_tensors(const tt_adamw *adamw) {
    std::vector<named_tensor> tensors;
    for (const param_entry &entry : adamw->params->entries) {
        if (entry.spec.trainable) {
            tensors.push_back({"exp_avg." + entry.name, flat_window(adamw->exp_avg, entry)});
            tensors.push_back({"exp_avg_sq." + entry.name, second_moments(adamw, entry)});
        }
    }
    return tensors;
}

enum err_code read_steps(const char *path, const struct safetensors *file, int64_t *out_steps,
                         struct error *err) {
    const char *text = safetensors_metadata_find(file, "steps_done");
    int64_t steps = -1;
    if (!text || !number_parse_i64(text, &steps) || steps < 0) {
        return err_set(err, ERR_DATA, "'%s': metadata 'steps_done' is %s%s%s, expected a count",
                       path, text ? "'" : "", text ? text : "missing", text ? "'" : "");
    }
    *out_steps = steps;
    return ERR_OK;
}

} // namespace

enum err_code tt_params_save(const struct tt_params *params, const char *path,
                             const struct safetensors_entry *metadata, int64_t metadata_count,
                             struct error *err) noexcept {
    if (!params->allocated) {
        return err_set(err, ERR_INTERNAL, "parameter store saved before it is allocated");
    }
    return guarded_status("save parameters", err, [&] {
        return write_tensors(path, store_tensors(params), metadata, metadata_count, err);
    });
}

enum err_code tt_params_load(struct tt_params *params, const char *path,
                             struct error *err) noexcept {
    if (!params->allocated) {
        return err_set(err, ERR_INTERNAL, "parameter store loaded before it is allocated");
    }
    return guarded_status("load parameters", err, [&] {
        const std::vector<named_tensor> tensors = store_tensors(params);
        file_handle file(nullptr, safetensors_close);
        TRY(open_checked(path, tensors, &file, err));
        copy_all(file.get(), tensors);
        return ERR_OK;
    });
}

enum err_code tt_adamw_save(const struct tt_adamw *adamw, const char *path,
                            struct error *err) noexcept {
    return guarded_status("save optimiser", err, [&] {
        const std::string steps = std::to_string(adamw->steps_done);
        const safetensors_entry metadata = {"steps_done", steps.c_str()};
        return write_tensors(path, moment_tensors(adamw), &metadata, 1, err);
    });
}

enum err_code tt_adamw_load(struct tt_adamw *adamw, const char *path, struct error *err) noexcept {
    return guarded_status("load optimiser", err, [&] {
        const std::vector<named_tensor> tensors = moment_tensors(adamw);
        file_handle file(nullptr, safetensors_close);
        int64_t steps = 0;
        TRY(open_checked(path, tensors, &file, err));
        TRY(read_steps(path, file.get(), &steps, err));
        copy_all(file.get(), tensors);
        adamw->steps_done = steps;
        return ERR_OK;
    });
}
