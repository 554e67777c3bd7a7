/* tt.h - tensors: the only face of libtorch that C code sees.
 *
 * Use:      A formula is nested calls on one scope, and errors wait in the scope until something
 *           leaves tensor-land:
 *
 *               SCOPED(tt_scope) tt_scope *s = tt_scope_open(TT_GRAD);
 *               tt_tensor *residual = tt_sub(s, tt_linear(s, x, weight, bias), y);  // [N, 1]
 *               tt_tensor *loss = tt_mean(s, tt_square(s, residual));               // []
 *               TRY(tt_backward(s, loss, err));
 *
 * Homes:    a tensor has exactly one of three:
 *             temporary  owned by the scope that made it, borrowed by everybody, dies with it
 *             parameter  owned by a `struct tt_params` store (tt_params.h), saved by name
 *             kept       made by tt_keep, owned by whoever holds it, released by tt_free
 *           Autograd keeps what backward still needs, so closing a scope never breaks a gradient.
 * Errors:   the first failing op records its name, the shapes and the reason; later ops on that
 *           scope do nothing and return NULL. Every function that returns `enum err_code` reports
 *           it.
 * Strict:   operands have equal shapes (or one is a scalar, []), dtypes and devices; broadcasting,
 *           casts and transfers are calls of their own. Sums, means, softmax and losses refuse bf16
 *           and f16: cast to f32 first.
 * Memory:   a scope holds every temporary made in it: its width is peak memory. Open one per
 *           micro-batch, per token, per item; or rewind to a mark.
 * Threads:  a scope is used by the thread that opened it. Other handles may be read by any thread.
 * C++:      no exception leaves these functions.
 */
#ifndef TENSOR_TT_H
#define TENSOR_TT_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define TT_NOEXCEPT noexcept
extern "C" {
#else
#define TT_NOEXCEPT
#endif

/* --- vocabulary ------------------------------------------------------------------------------ */

typedef struct tt_tensor tt_tensor;
typedef struct tt_scope tt_scope;

/* Our name, name in messages and files, bytes of one element. */
#define TT_DTYPES(X)      \
    X(TT_F64, "f64", 8)   \
    X(TT_F32, "f32", 4)   \
    X(TT_BF16, "bf16", 2) \
    X(TT_F16, "f16", 2)   \
    X(TT_I64, "i64", 8)   \
    X(TT_I32, "i32", 4)   \
    X(TT_U8, "u8", 1)     \
    X(TT_BOOL, "bool", 1)

enum tt_dtype {
#define TT_DTYPE_ENUM(name, text, bytes) name,
    TT_DTYPES(TT_DTYPE_ENUM)
#undef TT_DTYPE_ENUM
        TT_DTYPE_COUNT
};

enum tt_device_kind { TT_CPU, TT_CUDA };

struct tt_device {
    enum tt_device_kind kind;
    int32_t index; /* 0 on the CPU */
};

#define TT_RANK_MAX 8

/* Dimensions, outermost first; rank 0 is a scalar. */
struct tt_shape {
    int64_t rank;
    int64_t dim[TT_RANK_MAX];
};

/* TT_SHAPE(B, T, V): one to eight dimensions. TT_SHAPE_SCALAR: []. */
#define TT_SHAPE(...)                                                                         \
    ((struct tt_shape){.rank = (int64_t)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), \
                       .dim = {__VA_ARGS__}})
#define TT_SHAPE_SCALAR ((struct tt_shape){.rank = 0, .dim = {0}})

enum tt_grad_mode { TT_NO_GRAD, TT_GRAD };

const char *tt_dtype_name(enum tt_dtype dtype) TT_NOEXCEPT;
int64_t tt_dtype_bytes(enum tt_dtype dtype) TT_NOEXCEPT;

/* --- process: libtorch's own global state, set once before the first scope ------------------- */

struct tt_runtime {
    int64_t threads;    /* for libtorch and our kernels; 0: keep what is set */
    bool deterministic; /* refuse or replace algorithms whose result varies from run to run */
    int64_t trace;      /* 0 off; 1 the last ops in error messages; 2 each op; 3 and its values */
    void (*trace_line)(void *context,
                       const char *line); /* receives levels 2 and 3; NULL: dropped */
    void *trace_context;
};

ERR_NODISCARD enum err_code tt_runtime_set(const struct tt_runtime *runtime,
                                           struct error *err) TT_NOEXCEPT;

/* Threads that libtorch and our kernels use. */
int64_t tt_threads(void) TT_NOEXCEPT;

/* Handles alive in the whole process, in all three homes: back at its start value after each test.
 */
int64_t tt_live_handles(void) TT_NOEXCEPT;

/* --- devices --------------------------------------------------------------------------------- */

/* "cpu", "cuda" or "cuda:1". fails ERR_USAGE. */
ERR_NODISCARD enum err_code tt_device_parse(const char *text, struct tt_device *out_device,
                                            struct error *err) TT_NOEXCEPT;

/* Makes a device usable: for CUDA loads the CUDA half of the program and starts the driver.
 * fails ERR_UNAVAILABLE with the reason in one line (no driver, no GPU, not built). */
ERR_NODISCARD enum err_code tt_device_open(struct tt_device device, struct error *err) TT_NOEXCEPT;

/* Matrix-product rates of a device, measured once per process and device (about 0.1 s). */
struct tt_device_rates {
    double f32_gflops;
    double bf16_gflops;
};
ERR_NODISCARD enum err_code tt_device_measure(struct tt_device device,
                                              struct tt_device_rates *out_rates,
                                              struct error *err) TT_NOEXCEPT;

/* The dtype in which this device multiplies matrices fastest, f32 or bf16: of a CPU bf16 where it
 * has instructions for it, always the same answer; of a GPU by those rates. */
ERR_NODISCARD enum err_code tt_device_matmul_dtype(struct tt_device device,
                                                   enum tt_dtype *out_dtype,
                                                   struct error *err) TT_NOEXCEPT;

/* What libtorch says of itself; static texts. */
struct tt_library_info {
    const char *version;        /* "2.11.0" */
    const char *cpu_capability; /* "AVX512", ... */
    bool has_mkldnn;
    bool has_mkl;
};
struct tt_library_info tt_library_describe(void) TT_NOEXCEPT;

/* CUDA devices that tt_device_open would accept, 0 with the reason when none. */
int64_t tt_cuda_device_count(struct error *reason) TT_NOEXCEPT;

/* --- scopes ---------------------------------------------------------------------------------- */

/* A scope on the CPU, or on `device`, where creation ops put their results. Ops made in it record
 * gradients only with TT_GRAD. Owned; NULL without memory, and then every op on it returns NULL and
 * every check reports ERR_OOM. */
tt_scope *tt_scope_open(enum tt_grad_mode grad) TT_NOEXCEPT;
tt_scope *tt_scope_open_on(enum tt_grad_mode grad, struct tt_device device) TT_NOEXCEPT;

/* Releases every temporary; NULL is a no-op. */
void tt_scope_close(tt_scope *s) TT_NOEXCEPT;

/* The scope's first error, or ERR_OK. */
ERR_NODISCARD enum err_code tt_scope_check(const tt_scope *s, struct error *err) TT_NOEXCEPT;

/* A mark, and the release of every temporary made since it; handles made since are dead. */
int64_t tt_scope_mark(const tt_scope *s) TT_NOEXCEPT;
void tt_scope_rewind(tt_scope *s, int64_t mark) TT_NOEXCEPT;

/* Records an error of the caller's own in the scope, unless one is there already. Returns NULL, so
 * that a function returning a tensor can end with it. */
tt_tensor *tt_scope_fail(tt_scope *s, enum err_code code, const char *fmt, ...) TT_NOEXCEPT
    ERR_FORMAT(3, 4);

/* How the scope was opened; TT_NO_GRAD for NULL. */
enum tt_grad_mode tt_scope_grad(const tt_scope *s) TT_NOEXCEPT;

/* A handle in `s` to the values of `a`, which lives in `inner`, as tt_share, but with inner's error
 * where inner has failed: how a formula with a scope of its own hands out its result. */
tt_tensor *tt_scope_give(tt_scope *s, const tt_scope *inner, const tt_tensor *a) TT_NOEXCEPT;

static inline void tt_scope_scoped_end(tt_scope **s) {
    tt_scope_close(*s);
}

/* --- handles --------------------------------------------------------------------------------- */

/* A second handle, in scope `s`, to the same values: how a result leaves an inner scope. */
tt_tensor *tt_share(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT;

/* An owned handle to the same values, for a struct member; tt_free. NULL with the scope's error. */
tt_tensor *tt_keep(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT;

/* Releases a kept handle; NULL is a no-op. */
void tt_free(tt_tensor *a) TT_NOEXCEPT;

static inline void tt_tensor_scoped_end(tt_tensor **a) {
    tt_free(*a);
}

struct tt_shape tt_shape_of(const tt_tensor *a) TT_NOEXCEPT;
enum tt_dtype tt_dtype_of(const tt_tensor *a) TT_NOEXCEPT;
struct tt_device tt_device_of(const tt_tensor *a) TT_NOEXCEPT;
int64_t tt_count_of(const tt_tensor *a) TT_NOEXCEPT;
bool tt_requires_grad(const tt_tensor *a) TT_NOEXCEPT;

/* Checks a shape and names the variable and its dimensions in the message:
 *     TT_EXPECT(s, logits, B, T, V);
 *     -> logits: expected [B, T, V] = [8, 128, 32000], got [8, 127, 32000] */
#define TT_EXPECT(s, a, ...) tt_expect_shape((s), (a), #a, #__VA_ARGS__, TT_SHAPE(__VA_ARGS__))

#define TT_EXPECT_SCALAR(s, a)       tt_expect_shape((s), (a), #a, "", TT_SHAPE_SCALAR)
#define TT_EXPECT_DTYPE(s, a, dtype) tt_expect_dtype((s), (a), #a, (dtype))

bool tt_expect_shape(tt_scope *s, const tt_tensor *a, const char *name, const char *legend,
                     struct tt_shape expected) TT_NOEXCEPT;
bool tt_expect_dtype(tt_scope *s, const tt_tensor *a, const char *name,
                     enum tt_dtype expected) TT_NOEXCEPT;

/* --- leaving tensor-land --------------------------------------------------------------------- */

/* The one element of a floating, or integer or bool, tensor. */
ERR_NODISCARD enum err_code tt_item_f64(tt_scope *s, const tt_tensor *a, double *out,
                                        struct error *err) TT_NOEXCEPT;
ERR_NODISCARD enum err_code tt_item_i64(tt_scope *s, const tt_tensor *a, int64_t *out,
                                        struct error *err) TT_NOEXCEPT;

/* Copies all elements in row-major order into `out` [count]; count and dtype must match exactly. */
ERR_NODISCARD enum err_code tt_read_f32(tt_scope *s, const tt_tensor *a, float *out, int64_t count,
                                        struct error *err) TT_NOEXCEPT;
ERR_NODISCARD enum err_code tt_read_f64(tt_scope *s, const tt_tensor *a, double *out, int64_t count,
                                        struct error *err) TT_NOEXCEPT;
ERR_NODISCARD enum err_code tt_read_i64(tt_scope *s, const tt_tensor *a, int64_t *out,
                                        int64_t count, struct error *err) TT_NOEXCEPT;
ERR_NODISCARD enum err_code tt_read_i32(tt_scope *s, const tt_tensor *a, int32_t *out,
                                        int64_t count, struct error *err) TT_NOEXCEPT;
ERR_NODISCARD enum err_code tt_read_bool(tt_scope *s, const tt_tensor *a, bool *out, int64_t count,
                                         struct error *err) TT_NOEXCEPT;

/* Adds d loss / d parameter to the gradient of every leaf that requires one; `loss` is [] f32 or
 * f64. fails with the scope's error before anything is accumulated. */
ERR_NODISCARD enum err_code tt_backward(tt_scope *s, const tt_tensor *loss,
                                        struct error *err) TT_NOEXCEPT;

/* d sum(output) / d inputs[i] as `count` temporaries, leaving every stored gradient alone; NULLs
 * with the scope's error. Set `create_graph` to differentiate the result again. An input that
 * `output` does not depend on is an error. */
void tt_grad_of(tt_scope *s, const tt_tensor *output, const tt_tensor *const *inputs, int64_t count,
                bool create_graph, tt_tensor **out_grads) TT_NOEXCEPT;

/* A leaf with the values of `a` that requires a gradient, and a copy of the gradient accumulated so
 * far (zeros before the first backward). For tests and probes; trained tensors live in a parameter
 * store. */
tt_tensor *tt_leaf(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT;
tt_tensor *tt_leaf_grad(tt_scope *s, const tt_tensor *leaf) TT_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#include "tensor/tt_ops.h"
#include "tensor/tt_params.h"

#endif
