/* tt_product.hpp - matrix products of our own blocking, on the CPU: bf16 or f32 operands, f32 sums.
 *
 * Why:      at::mm rounds the product of bf16 matrices to bf16, and has no way to add it to an f32
 *           matrix; MKL's cblas_gemm_bf16bf16f32 can, but takes 3 times as long on processors of
 *           AMD (its AVX2 path; Zen 4, 2026-11-22). libtorch exports oneDNN's micro-kernel
 *           (at::native::cpublas::brgemm), which multiplies packed tiles into an f32 tile with
 *           AVX-512 or AMX, and is made at run time for the processor at hand. The loops around it
 *           are ours, so what is done with a tile while it is in cache is ours, too.
 * Order:    an element of C is summed by one thread, over depth in one fixed order: results do not
 *           depend on the thread count.
 * Threads:  everything here runs on the calling thread; callers share out rows or columns.
 */
#ifndef TENSOR_TT_PRODUCT_HPP
#define TENSOR_TT_PRODUCT_HPP

#include "tensor/kernels/kernel_pack.h"

#include <ATen/core/Tensor.h>
#include <ATen/native/CPUBlas.h>

#include <algorithm>
#include <type_traits>

namespace tt {

constexpr int64_t PANEL_COLUMNS = 64; /* of B: 217 GF/s a core on Zen 4 in bf16, 256: 182 */
constexpr int64_t DEPTH_TILE = 1024;  /* 128 KiB of a panel stay in the second cache */
constexpr int64_t ROW_TILE = 64;

/* Whether this processor multiplies bf16; otherwise callers widen to f32, which is exact. */
bool product_has_bf16() noexcept;

/* B, in panels of PANEL_COLUMNS columns: row k of panel p is at data + p * panel_stride + k *
 * stride, for bf16 with k even and pairs of rows interleaved (kernel_pack.h). */
template <typename T> struct product_right {
    const T *data;
    int64_t stride;
    int64_t panel_stride;
};

/* C [m, n] = A [m, k] B [k, n], or += . k is even for bf16. */
template <typename T> struct product {
    int64_t m, n, k;
    const T *a;
    int64_t a_stride;
    product_right<T> b;
    float *c;
    int64_t c_stride;
    bool accumulate;
};

template <typename T> constexpr bool is_paired = std::is_same_v<T, at::BFloat16>;

/* Depth as products take it: even for bf16. */
template <typename T> constexpr int64_t product_depth(int64_t k) {
    return is_paired<T> ? (k + 1) / 2 * 2 : k;
}

template <typename T> void product_run(const product<T> &p) {
    for (int64_t k = 0; k < p.k; k += DEPTH_TILE) {
        const int64_t depth = std::min(DEPTH_TILE, p.k - k);
        for (int64_t n = 0; n < p.n; n += PANEL_COLUMNS) {
            const int64_t columns = std::min(PANEL_COLUMNS, p.n - n);
            const T *b = p.b.data + n / PANEL_COLUMNS * p.b.panel_stride + k * p.b.stride;
            for (int64_t m = 0; m < p.m; m += ROW_TILE) {
                at::native::cpublas::brgemm(std::min(ROW_TILE, p.m - m), columns, depth, p.a_stride,
                                            p.b.stride, p.c_stride, p.accumulate || k > 0,
                                            p.a + m * p.a_stride + k, b, p.c + m * p.c_stride + n,
                                            is_paired<T>);
            }
        }
    }
}

/* At the end of a task that ran products: gives back the tile registers of AMX. */
template <typename T> void product_release() {
    at::native::cpublas::brgemm_release(is_paired<T>);
}

/* B = W^T, from W [n, k] without gaps; `to` holds k times n rounded up to whole panels. */
template <typename T>
product_right<T> product_transpose_right(const T *w, int64_t n, int64_t k, T *to) {
    const int64_t words = is_paired<T> ? k / 2 : k;
    for (int64_t column = 0; column < n; column += PANEL_COLUMNS) {
        const kernel_pack_args args = {.from = w + column * k,
                                       .from_stride = words,
                                       .rows = std::min(PANEL_COLUMNS, n - column),
                                       .columns = words,
                                       .to = to + column * k,
                                       .to_stride = PANEL_COLUMNS};
        kernel_pack_transpose(&args, KERNEL_ISA_BEST);
    }
    return {to, PANEL_COLUMNS, k * PANEL_COLUMNS};
}

/* B = W [k, n] whole: in f32 W itself; in bf16 panels in `to`, which has k_total (even) rows of
 * which this call fills those from `first` (even) on. */
template <typename T> struct product_panels {
    T *to;
    int64_t rows_total;
};

inline int64_t product_panels_elements(int64_t rows_total, int64_t n) {
    return rows_total * ((n + PANEL_COLUMNS - 1) / PANEL_COLUMNS * PANEL_COLUMNS);
}

template <typename T>
void product_fill_panels(const product_panels<T> &panels, int64_t first, const T *w, int64_t rows,
                         int64_t n) {
    for (int64_t column = 0; column < n; column += PANEL_COLUMNS) {
        T *panel = panels.to + column * panels.rows_total;
        const kernel_pack_args args = {.from = w + column,
                                       .from_stride = n,
                                       .rows = rows,
                                       .columns = std::min(PANEL_COLUMNS, n - column),
                                       .to = panel + first * PANEL_COLUMNS,
                                       .to_stride = PANEL_COLUMNS};
        kernel_pack_pairs(&args, KERNEL_ISA_BEST);
    }
}

template <typename T> product_right<T> product_right_of(const product_panels<T> &panels) {
    return {panels.to, PANEL_COLUMNS, panels.rows_total * PANEL_COLUMNS};
}

/* A = D^T from D [k, m] with rows `stride` apart; `to` is [m, product_depth(k)]. */
void product_transpose_left(const float *d, int64_t stride, int64_t k, int64_t m, float *to);
void product_transpose_left(const at::BFloat16 *d, int64_t stride, int64_t k, int64_t m,
                            at::BFloat16 *to);

/* For gradients of weights: C [n, k] += D^T H, D [m, n] with rows `stride` apart, H [m, k]. */
template <typename T> struct product_outer_right {
    at::Tensor storage; /* keeps `right` alive */
    product_right<T> right;
    int64_t m, k;
};

/* H without gaps; it is borrowed in f32 and copied into panels in bf16, on all threads. */
template <typename T> product_outer_right<T> product_outer_prepare(const at::Tensor &h);

/* C without gaps; runs on the calling thread. `scratch` holds n * product_depth(m). */
template <typename T>
void product_outer_add(
    const T *d, int64_t stride, int64_t n, const product_outer_right<T> &h,
    /* NOLINTNEXTLINE(readability-non-const-parameter): a dependent type writes it */
    T *scratch, float *c) {
    const int64_t depth = product_depth<T>(h.m);
    product_transpose_left(d, stride, h.m, n, scratch);
    product_run(product<T>{.m = n,
                           .n = h.k,
                           .k = depth,
                           .a = scratch,
                           .a_stride = depth,
                           .b = h.right,
                           .c = c,
                           .c_stride = h.k,
                           .accumulate = true});
}

/* --- gradients of parameters ----------------------------------------------------------------- */

/* Where the gradient of a leaf is added up in f32. In a plain backward that is the leaf's own
 * gradient, with no second matrix of its size, and nothing is handed on; when gradients are asked
 * for as values (tt_grad_of), or the leaf has none yet, it is a matrix of zeros that is handed on.
 */
struct grad_sink {
    at::Tensor sum;     /* f32, without gaps */
    at::Tensor hand_on; /* undefined when `sum` is the leaf's own gradient */
};
grad_sink grad_sink_of(const at::Tensor &leaf);

} // namespace tt

#endif
