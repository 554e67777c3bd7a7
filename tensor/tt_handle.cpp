/* tt_handle.cpp - what a handle says of itself, the rules operands must keep, and reading values
 * out. See tt.h. */
#include "tensor/tt_internal.hpp"

#include <ATen/ops/from_blob.h>
#include <c10/core/Device.h>
#include <c10/core/TensorOptions.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>

namespace tt {
namespace {

/* One row per dtype, in the order of enum tt_dtype. */
constexpr at::ScalarType scalar_types[] = {
    at::kDouble, at::kFloat, at::kBFloat16, at::kHalf, at::kLong, at::kInt, at::kByte, at::kBool,
};
static_assert(sizeof scalar_types / sizeof scalar_types[0] == TT_DTYPE_COUNT);
static_assert(scalar_types[TT_F32] == at::kFloat && scalar_types[TT_I64] == at::kLong &&
              scalar_types[TT_BOOL] == at::kBool);
static_assert(static_cast<int>(TT_CPU) == static_cast<int>(at::DeviceType::CPU) &&
              static_cast<int>(TT_CUDA) == static_cast<int>(at::DeviceType::CUDA));

bool is_float(at::ScalarType type) {
    return type == at::kFloat || type == at::kDouble || type == at::kBFloat16 || type == at::kHalf;
}

bool is_wide_float(at::ScalarType type) {
    return type == at::kFloat || type == at::kDouble;
}

/* The largest finite value of a float dtype: ATen makes larger ones infinite, silently. */
double float_max(at::ScalarType type) {
    if (type == at::kDouble) {
        return std::numeric_limits<double>::max();
    }
    float largest = std::numeric_limits<float>::max();
    if (type == at::kHalf) {
        largest = std::numeric_limits<at::Half>::max();
    } else if (type == at::kBFloat16) {
        largest = std::numeric_limits<at::BFloat16>::max();
    }
    return static_cast<double>(largest);
}

/* Whether a dtype has this value, up to rounding in a float. */
bool has_value(at::ScalarType type, double value) {
    if (is_float(type)) {
        return !std::isfinite(value) || std::abs(value) <= float_max(type);
    }
    if (type == at::kBool) {
        return value == 0.0 || value == 1.0;
    }
    return value == std::trunc(value) && value >= -0x1p63 && value < 0x1p63;
}

const char *dtype_text(const tt_tensor *a) {
    return tt_dtype_name(from_scalar_type(a->t.scalar_type()));
}

bool fail_dtype(tt_scope *s, const char *op, size_t i, const tt_tensor *a, const char *wanted) {
    tt_scope_fail(s, ERR_DTYPE, "%s: operand %zu is %s, expected %s; cast it with tt_cast", op,
                  i + 1, dtype_text(a), wanted);
    return false;
}

/* The dtype one operand must have by itself; NULL when it satisfies the rules. */
const char *dtype_violation(at::ScalarType type, unsigned rules) {
    if ((rules & FLOAT) && !is_float(type)) {
        return "a float";
    }
    if ((rules & WIDE_FLOAT) && !is_wide_float(type)) {
        return "f32 or f64";
    }
    if ((rules & WIDE_OR_I64) && !is_wide_float(type) && type != at::kLong) {
        return "f32, f64 or i64";
    }
    if ((rules & BOOL) && type != at::kBool) {
        return "bool";
    }
    if ((rules & NUMBER) && type == at::kBool) {
        return "a number";
    }
    return nullptr;
}

/* The fixed dtype of an index or mask operand; Undefined for an ordinary one. */
at::ScalarType fixed_type(size_t i, unsigned rules) {
    if (i == 1 && (rules & INDEX_SECOND)) {
        return at::kLong;
    }
    if ((i == 0 && (rules & MASK_FIRST)) || (i == 1 && (rules & MASK_SECOND))) {
        return at::kBool;
    }
    return at::ScalarType::Undefined;
}

bool check_dtypes(tt_scope *s, const char *op, operands in, unsigned rules) {
    const tt_tensor *reference = nullptr;
    for (size_t i = 0; i < in.size(); i++) {
        const tt_tensor *a = in.begin()[i];
        const at::ScalarType type = a->t.scalar_type();
        const at::ScalarType fixed = fixed_type(i, rules);
        if (fixed != at::ScalarType::Undefined) {
            if (type != fixed) {
                return fail_dtype(s, op, i, a, fixed == at::kLong ? "i64" : "bool");
            }
            continue;
        }
        if (const char *wanted = dtype_violation(type, rules)) {
            return fail_dtype(s, op, i, a, wanted);
        }
        if ((rules & SAME_DTYPE) && reference && type != reference->t.scalar_type()) {
            return fail_dtype(s, op, i, a, dtype_text(reference));
        }
        reference = reference ? reference : a;
    }
    return true;
}

bool check_shapes(tt_scope *s, const char *op, operands in, unsigned rules) {
    const tt_tensor *reference = nullptr;
    for (const tt_tensor *a : in) {
        if (!(rules & STRICT_SHAPE) && a->t.dim() == 0) {
            continue;
        }
        if (reference && !a->t.sizes().equals(reference->t.sizes())) {
            char left[96];
            char right[96];
            format_shape(left, sizeof left, reference->t.sizes());
            format_shape(right, sizeof right, a->t.sizes());
            tt_scope_fail(s, ERR_SHAPE, "%s: shapes %s and %s differ", op, left, right);
            return false;
        }
        reference = a;
    }
    return true;
}

bool check_devices(tt_scope *s, const char *op, operands in) {
    const at::Device device = in.begin()[0]->t.device();
    for (const tt_tensor *a : in) {
        if (a->t.device() != device) {
            tt_scope_fail(s, ERR_DTYPE, "%s: operands on %s and %s; move one with tt_to_device", op,
                          device.str().c_str(), a->t.device().str().c_str());
            return false;
        }
    }
    return true;
}

/* Reads all elements into `out`, which holds `count` of exactly this dtype. */
enum err_code read_values(tt_scope *s, const tt_tensor *a, tt_dtype dtype, void *out, int64_t count,
                          struct error *err) noexcept {
    if (!usable(s, "read") || !admitted(s, "read", {a}, ANY) ||
        !tt_expect_dtype(s, a, "read", dtype)) {
        return tt_scope_check(s, err);
    }
    if (a->t.numel() != count) {
        tt_scope_fail(s, ERR_SHAPE, "read: %lld elements, room for %lld",
                      static_cast<long long>(a->t.numel()), static_cast<long long>(count));
        return tt_scope_check(s, err);
    }
    return guarded_status("read", err, [&] {
        const at::AutoGradMode mode(false);
        const at::Tensor values = a->t.detach().to(at::kCPU).contiguous();
        if (count > 0) {
            memcpy(out, values.const_data_ptr(),
                   static_cast<size_t>(count * tt_dtype_bytes(dtype)));
        }
        return ERR_OK;
    });
}

/* The only element, checked to be one; NULL with the scope's error. */
const tt_tensor *single(tt_scope *s, const tt_tensor *a) {
    if (!usable(s, "item") || !admitted(s, "item", {a}, ANY)) {
        return nullptr;
    }
    if (a->t.numel() != 1) {
        char shape[96];
        format_shape(shape, sizeof shape, a->t.sizes());
        return tt_scope_fail(s, ERR_SHAPE, "item: one element expected, got shape %s", shape);
    }
    return a;
}

} // namespace

at::ScalarType to_scalar_type(tt_dtype dtype) {
    return scalar_types[dtype];
}

tt_dtype from_scalar_type(at::ScalarType type) {
    int i = 0;
    while (i < TT_DTYPE_COUNT && scalar_types[i] != type) {
        i++;
    }
    return static_cast<tt_dtype>(i);
}

at::Device to_device(tt_device device) {
    /* ATen's own words name dispatch keys. */
    TORCH_CHECK(device.kind == TT_CPU || c10::impl::hasDeviceGuardImpl(at::DeviceType::CUDA),
                "CUDA is not open; tt_device_open opens it, or says why not");
    /* ATen's CPU has no index: "cpu" and "cpu:0" would compare as different devices. */
    return device.kind == TT_CPU
               ? at::Device(at::kCPU)
               : at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(device.index));
}

at::IntArrayRef to_sizes(const tt_shape &shape) {
    return {shape.dim, static_cast<size_t>(shape.rank)};
}

at::TensorOptions options(const tt_scope *s, tt_dtype dtype) {
    return at::TensorOptions().dtype(to_scalar_type(dtype)).device(to_device(s->device));
}

at::Scalar to_scalar(at::ScalarType type, double value) {
    TORCH_CHECK(has_value(type, value), value, " is not a value of ",
                tt_dtype_name(from_scalar_type(type)));
    return value;
}

void format_shape(char *out, size_t bytes, at::IntArrayRef sizes) {
    size_t used = static_cast<size_t>(snprintf(out, bytes, "["));
    for (size_t i = 0; i < sizes.size() && used + 24 < bytes; i++) {
        used += static_cast<size_t>(snprintf(out + used, bytes - used, "%s%lld", i > 0 ? ", " : "",
                                             static_cast<long long>(sizes[i])));
    }
    (void)snprintf(out + used, bytes - used, "]");
}

bool valid_shape(tt_scope *s, const char *op, const tt_shape &shape) noexcept {
    for (int64_t i = 0; i < shape.rank; i++) {
        if (shape.dim[i] < 0) {
            tt_scope_fail(s, ERR_SHAPE, "%s: dimension %lld is negative: %lld", op,
                          static_cast<long long>(i), static_cast<long long>(shape.dim[i]));
            return false;
        }
    }
    return true;
}

bool admitted(tt_scope *s, const char *op, operands in, unsigned rules) noexcept {
    for (size_t i = 0; i < in.size(); i++) {
        if (!in.begin()[i]) {
            tt_scope_fail(s, ERR_INTERNAL, "%s: operand %zu is NULL", op, i + 1);
            return false;
        }
    }
    if (in.size() == 0) {
        return true;
    }
    return check_dtypes(s, op, in, rules) && check_devices(s, op, in) &&
           (!(rules & (SAME_SHAPE | STRICT_SHAPE)) || check_shapes(s, op, in, rules));
}

} // namespace tt

using namespace tt;

const char *tt_dtype_name(enum tt_dtype dtype) noexcept {
    static const char *const names[] = {
#define TT_DTYPE_TEXT(name, text, bytes) text,
        TT_DTYPES(TT_DTYPE_TEXT)
#undef TT_DTYPE_TEXT
    };
    return dtype < TT_DTYPE_COUNT ? names[dtype] : "unsupported dtype";
}

int64_t tt_dtype_bytes(enum tt_dtype dtype) noexcept {
    static const int64_t sizes[] = {
#define TT_DTYPE_BYTES(name, text, bytes) bytes,
        TT_DTYPES(TT_DTYPE_BYTES)
#undef TT_DTYPE_BYTES
    };
    return dtype < TT_DTYPE_COUNT ? sizes[dtype] : 0;
}

struct tt_shape tt_shape_of(const tt_tensor *a) noexcept {
    struct tt_shape shape = {};
    for (int64_t dim : a->t.sizes()) {
        if (shape.rank < TT_RANK_MAX) {
            shape.dim[shape.rank++] = dim;
        }
    }
    return shape;
}

enum tt_dtype tt_dtype_of(const tt_tensor *a) noexcept {
    return from_scalar_type(a->t.scalar_type());
}

struct tt_device tt_device_of(const tt_tensor *a) noexcept {
    const at::Device device = a->t.device();
    return tt_device{device.is_cuda() ? TT_CUDA : TT_CPU, device.is_cuda() ? device.index() : 0};
}

int64_t tt_count_of(const tt_tensor *a) noexcept {
    return a->t.numel();
}

bool tt_requires_grad(const tt_tensor *a) noexcept {
    return a->t.requires_grad();
}

bool tt_expect_shape(tt_scope *s, const tt_tensor *a, const char *name, const char *legend,
                     struct tt_shape expected) noexcept {
    if (!usable(s, name) || !admitted(s, name, {a}, ANY)) {
        return false;
    }
    if (a->t.sizes().equals(to_sizes(expected))) {
        return true;
    }
    char wanted[96];
    char got[96];
    format_shape(wanted, sizeof wanted, to_sizes(expected));
    format_shape(got, sizeof got, a->t.sizes());
    tt_scope_fail(s, ERR_SHAPE, "%s: expected [%s] = %s, got %s", name, legend, wanted, got);
    return false;
}

bool tt_expect_dtype(tt_scope *s, const tt_tensor *a, const char *name,
                     enum tt_dtype expected) noexcept {
    if (!usable(s, name) || !admitted(s, name, {a}, ANY)) {
        return false;
    }
    if (a->t.scalar_type() == to_scalar_type(expected)) {
        return true;
    }
    tt_scope_fail(s, ERR_DTYPE, "%s: expected %s, got %s", name, tt_dtype_name(expected),
                  dtype_text(a));
    return false;
}

enum err_code tt_item_f64(tt_scope *s, const tt_tensor *a, double *out,
                          struct error *err) noexcept {
    if (!single(s, a)) {
        return tt_scope_check(s, err);
    }
    return guarded_status("item", err, [&] {
        const at::Scalar item = a->t.item();
        const double value = item.toDouble();
        /* Below 2^53 a double holds every integer; from there on it may be another one. */
        TORCH_CHECK(item.isFloatingPoint() || std::fabs(value) < 0x1p53,
                    "an integer from 2^53 on may not fit a double; use tt_item_i64");
        *out = value;
        return ERR_OK;
    });
}

enum err_code tt_item_i64(tt_scope *s, const tt_tensor *a, int64_t *out,
                          struct error *err) noexcept {
    if (!single(s, a)) {
        return tt_scope_check(s, err);
    }
    if (is_float(a->t.scalar_type())) {
        tt_scope_fail(s, ERR_DTYPE, "item: %s is not an integer", dtype_text(a));
        return tt_scope_check(s, err);
    }
    return guarded_status("item", err, [&] {
        *out = a->t.item().toLong();
        return ERR_OK;
    });
}

enum err_code tt_read_f32(tt_scope *s, const tt_tensor *a, float *out, int64_t count,
                          struct error *err) noexcept {
    return read_values(s, a, TT_F32, out, count, err);
}

enum err_code tt_read_f64(tt_scope *s, const tt_tensor *a, double *out, int64_t count,
                          struct error *err) noexcept {
    return read_values(s, a, TT_F64, out, count, err);
}

enum err_code tt_read_i64(tt_scope *s, const tt_tensor *a, int64_t *out, int64_t count,
                          struct error *err) noexcept {
    return read_values(s, a, TT_I64, out, count, err);
}

enum err_code tt_read_i32(tt_scope *s, const tt_tensor *a, int32_t *out, int64_t count,
                          struct error *err) noexcept {
    return read_values(s, a, TT_I32, out, count, err);
}

enum err_code tt_read_bool(tt_scope *s, const tt_tensor *a, bool *out, int64_t count,
                           struct error *err) noexcept {
    static_assert(sizeof(bool) == 1);
    return read_values(s, a, TT_BOOL, out, count, err);
}
