/* tt_internal.hpp - what the files of the shim share: handles, scopes, and the one way in and out
 * of ATen (`guarded`).
 *
 * An op is one line: guarded(scope, name, operands, rules, call). The operands are checked against
 * the rules, the call runs under the scope's grad mode inside try/catch, and its result becomes a
 * handle of the scope. Everything else about an op is ATen's.
 */
#ifndef TENSOR_TT_INTERNAL_HPP
#define TENSOR_TT_INTERNAL_HPP

#include "tensor/tt.h"

#include <ATen/core/Tensor.h>
#include <c10/core/GradMode.h>

#include <initializer_list>
#include <memory>
#include <span>
#include <utility>

enum class tt_home { temporary, parameter, kept };

struct tt_tensor {
    at::Tensor t;
    tt_home home;
};

namespace tt {

/* What the operands of an op must satisfy, beyond being there. Bits combine. */
enum rule : unsigned {
    ANY = 0,
    SAME_DTYPE = 1U << 0,
    SAME_SHAPE = 1U << 1,  /* equal, or one of two is [] */
    FLOAT = 1U << 2,       /* f64, f32, bf16, f16 */
    WIDE_FLOAT = 1U << 3,  /* f64, f32 */
    WIDE_OR_I64 = 1U << 4, /* f64, f32, i64 */
    BOOL = 1U << 5,
    NUMBER = 1U << 6,        /* not bool */
    INDEX_SECOND = 1U << 7,  /* operand 1 is i64, and exempt from the dtype rules */
    MASK_FIRST = 1U << 8,    /* operand 0 is bool, and exempt from the dtype rules */
    MASK_SECOND = 1U << 9,   /* operand 1 is bool, and exempt from the dtype rules */
    STRICT_SHAPE = 1U << 10, /* equal, scalars included */
    KEEPS_GRAD = 1U << 11,   /* the result may take gradients in a scope that records none */
    /* What most binary ops ask for. */
    ELEMENTWISE = SAME_DTYPE | SAME_SHAPE,
};

using operands = std::initializer_list<const tt_tensor *>;

/* Slots come in chunks, the first inside the scope, so that a small scope is one allocation and
 * handles never move. */
constexpr int64_t SLOTS_FIRST = 48;
constexpr int64_t SLOTS_CHUNK = 256;

struct slot {
    alignas(tt_tensor) unsigned char bytes[sizeof(tt_tensor)];
    tt_tensor *handle() {
        return reinterpret_cast<tt_tensor *>(bytes);
    }
};

struct slot_chunk {
    slot_chunk *next;
    slot slots[SLOTS_CHUNK];
};

/* One op as remembered by TT_TRACE: numbers only, so that remembering costs nanoseconds and the
 * text is made when somebody reads it. */
constexpr size_t TRACE_OPERANDS = 3;
constexpr size_t TRACE_DIMS = 4;
struct trace_entry {
    const char *op;
    size_t operands; /* at most TRACE_OPERANDS are kept */
    struct {
        size_t rank; /* the first TRACE_DIMS dimensions are kept */
        int64_t dim[TRACE_DIMS];
    } operand[TRACE_OPERANDS];
};
constexpr int64_t TRACE_ENTRIES = 32;

/* The last ops of a scope; entry i is at i % TRACE_ENTRIES. */
struct trace_ring {
    int64_t count;
    trace_entry entries[TRACE_ENTRIES];
};

} // namespace tt

struct tt_scope {
    tt_grad_mode grad;
    tt_device device;
    uintptr_t thread;       /* pthread_self() of the opener */
    int64_t used;           /* handles alive, over all chunks */
    tt::slot_chunk *chunks; /* newest first; the first SLOTS_FIRST handles are in `first` */
    struct error failure;   /* code ERR_OK until the first error */
    tt::slot first[tt::SLOTS_FIRST];
    tt::trace_ring trace; /* written when tracing only */
};

namespace tt {

/* --- translation between our vocabulary and c10's -------------------------------------------- */

at::ScalarType to_scalar_type(tt_dtype dtype);
tt_dtype from_scalar_type(at::ScalarType type);  /* TT_DTYPE_COUNT for one we do not have */
at::Device to_device(tt_device device);          /* throws when CUDA is not open */
at::IntArrayRef to_sizes(const tt_shape &shape); /* borrows from `shape` */
at::TensorOptions options(const tt_scope *s, tt_dtype dtype);

/* The number for an op on this dtype; throws for one that ATen would silently cut: 2.5 for i64, 2
 * for bool. */
at::Scalar to_scalar(at::ScalarType type, double value);

/* "[8, 128]" into a fixed buffer; cut when it does not fit. */
void format_shape(char *out, size_t bytes, at::IntArrayRef sizes);

/* --- the sticky error ------------------------------------------------------------------------ */

/* False when the scope is missing, failed, or used by another thread. */
bool usable(tt_scope *s, const char *op) noexcept;

/* Checks the operands; false records the error. */
bool admitted(tt_scope *s, const char *op, operands in, unsigned rules) noexcept;

/* Records the exception being handled. Call from a catch block only. */
void record_exception(tt_scope *s, const char *op, operands in) noexcept;

/* Turns the exception being handled into an error of the caller's. */
enum err_code error_of_exception(const char *what, struct error *err) noexcept;

/* --- handles --------------------------------------------------------------------------------- */

/* A temporary of the scope; throws without memory, and for a rank above TT_RANK_MAX. Without
 * TT_GRAD, and unless KEEPS_GRAD, it takes no part in a gradient: ATen's views, and conversions
 * with nothing to do, would otherwise keep the part of their operand. */
tt_tensor *adopt(tt_scope *s, at::Tensor &&t, unsigned rules);

tt_tensor *new_handle(at::Tensor &&t, tt_home home) noexcept; /* NULL without memory */
void delete_handle(tt_tensor *a) noexcept;                    /* NULL is a no-op */

/* --- tracing --------------------------------------------------------------------------------- */

extern int64_t trace_level; /* set by tt_runtime_set only: part of libtorch's process state */
void trace_begin(tt_scope *s, const char *op, operands in) noexcept;

/* "mul [8, 4], [4]" of an entry into a fixed buffer; cut when it does not fit. */
void format_entry(char *out, size_t bytes, const trace_entry *entry);

void trace_end(tt_scope *s, const at::Tensor *result, int64_t started_ns) noexcept;
int64_t trace_clock_ns() noexcept;

/* --- the way in and out ---------------------------------------------------------------------- */

template <typename Call>
tt_tensor *guarded(tt_scope *s, const char *op, operands in, unsigned rules, Call &&call) noexcept {
    if (!usable(s, op) || !admitted(s, op, in, rules)) {
        return nullptr;
    }
    try {
        const at::AutoGradMode mode(s->grad == TT_GRAD);
        if (trace_level > 0) {
            trace_begin(s, op, in);
        }
        if (trace_level < 2) {
            return adopt(s, call(), rules);
        }
        const int64_t started_ns = trace_clock_ns();
        at::Tensor result = call();
        trace_end(s, &result, started_ns);
        return adopt(s, std::move(result), rules);
    } catch (...) {
        record_exception(s, op, in);
        return nullptr;
    }
}

/* False, with the error recorded, for a negative dimension: arithmetic gone wrong. */
bool valid_shape(tt_scope *s, const char *op, const tt_shape &shape) noexcept;

/* The same for an op that makes a tensor of this shape from no operands. */
template <typename Call>
tt_tensor *created(tt_scope *s, const char *op, const tt_shape &shape, Call &&call) noexcept {
    if (!usable(s, op) || !valid_shape(s, op, shape)) {
        return nullptr;
    }
    return guarded(s, op, {}, ANY, call);
}

/* The same for a call that changes its first operand and returns nothing. */
template <typename Call>
void guarded_inplace(tt_scope *s, const char *op, operands in, unsigned rules,
                     Call &&call) noexcept {
    if (!usable(s, op) || !admitted(s, op, in, rules)) {
        return;
    }
    try {
        const at::AutoGradMode mode(s->grad == TT_GRAD);
        if (trace_level > 0) {
            trace_begin(s, op, in);
        }
        const int64_t started_ns = trace_level < 2 ? 0 : trace_clock_ns();
        call();
        trace_end(s, &in.begin()[0]->t, started_ns);
    } catch (...) {
        record_exception(s, op, in);
    }
}

/* The same for a call outside any scope that may throw. */
template <typename Call>
enum err_code guarded_status(const char *what, struct error *err, Call &&call) noexcept {
    try {
        return call();
    } catch (...) {
        return error_of_exception(what, err);
    }
}

/* softmax(q k^T scale) v with the last query at the last key: [B, H, T, d] (tt_network.cpp). */
at::Tensor attend_causal(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
                         double scale);

} // namespace tt

#endif
