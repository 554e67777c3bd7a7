/* tt_head_tiles.hpp - what tt_head.cpp and tt_head_pair.cpp share: logits a tile at a time on the
 * CPU, and the way from d logits to the gradients of a head.
 *
 * Tiles:    a block of 256 vocabulary entries is packed once and multiplied by 64 hidden states at
 *           a time; whoever visits the 64 x 256 logits finds them in cache.
 * Backward: the vocabulary is walked in spans whose d logits fit SPAN_BYTES: in a span threads
 *           first take blocks, for d logits and d weight, then rows, for d hidden. Each element of
 *           d weight is thus read and written once a backward, not once a chunk of rows.
 * Legend:   N rows, D depth, V vocabulary.
 */
#ifndef TENSOR_TT_HEAD_TILES_HPP
#define TENSOR_TT_HEAD_TILES_HPP

#include "tensor/tt_internal.hpp"
#include "tensor/tt_node.hpp"
#include "tensor/tt_parallel.hpp"
#include "tensor/tt_product.hpp"

#include "tensor/kernels/kernel_logp.h"

#include <ATen/ops/empty.h>

#include <optional>

namespace tt {

constexpr int64_t BLOCK_COLUMNS = 256;
constexpr int64_t SEGMENT_COLUMNS = 4 * BLOCK_COLUMNS; /* a thread's, whose sums are then joined */
constexpr int64_t ROWS_MAX = 4096;                     /* at once: bounds every scratch array */
constexpr int64_t SPAN_BYTES = INT64_C(32) << 20;

constexpr kernel_cpu ONE_THREAD = {.threads = 1, .isa = KERNEL_ISA_BEST};

/* The tensors of one call, as the products take them. */
struct head_call {
    at::Tensor hidden; /* [N, D] of the dtype of the products, without gaps */
    at::Tensor weight; /* [V, D] likewise */
    at::Tensor bias;   /* [V] f32, or undefined */
    at::Tensor target; /* [N] i64 */
    double scale;
};

/* One row each of what backward needs of forward; [rows] f32. */
struct head_results {
    at::Tensor logp, entropy, max, log_sum;
};

/* Where gradients are added; undefined for what needs none. f32 (f64 with f64), without gaps. */
struct head_sinks {
    at::Tensor hidden; /* [N, D] zeros */
    at::Tensor weight; /* [V, D] */
    at::Tensor bias;   /* [V] */
};

inline float *floats_from(const at::Tensor &t, int64_t element) {
    return t.defined() ? t.mutable_data_ptr<float>() + element : nullptr;
}

inline int64_t ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

/* Rows [first, first + count) of whatever is defined. */
inline at::Tensor rows_of(const at::Tensor &t, int64_t first, int64_t count) {
    return t.defined() ? t.narrow(0, first, count) : t;
}

inline head_call rows_of(const head_call &c, int64_t first, int64_t count) {
    return {rows_of(c.hidden, first, count), c.weight, c.bias, rows_of(c.target, first, count),
            c.scale};
}

inline head_results rows_of(const head_results &r, int64_t first, int64_t count) {
    return {rows_of(r.logp, first, count), rows_of(r.entropy, first, count),
            rows_of(r.max, first, count), rows_of(r.log_sum, first, count)};
}

/* --- operands --------------------------------------------------------------------------------- */

/* Throws what is wrong with a head's operands. */
void check_head(const at::Tensor &hidden, const tt_head *head);

/* [N] i64 without gaps; throws for ids outside the vocabulary. */
at::Tensor head_targets(const at::Tensor &given, const at::Tensor &hidden,
                        const at::Tensor &weight);

inline optional_tensor tensor_or_none(const tt_tensor *a) {
    return a ? optional_tensor(a->t) : std::nullopt;
}

/* The tensors as the products take them. bf16 is multiplied in pairs along D, from words of 32
 * bits: an odd D is padded, a matrix that starts at an odd element copied. Where the processor has
 * no bf16 products, f32 takes their place, from the f32 weight if there is one. */
head_call prepare_head(const at::Tensor &hidden, const at::Tensor &weight, const at::Tensor &shadow,
                       const at::Tensor &bias, const at::Tensor &target, double scale);

/* Where a backward adds, for a node whose first inputs are hidden, weight and bias (perhaps none);
 * and what of it autograd is then given for these three. f64 where hidden is. */
struct head_backward {
    head_sinks sinks;
    grad_sink weight, bias;
};
head_backward begin_backward(AutogradContext *ctx, const head_call &call, const at::Tensor &hidden,
                             const at::Tensor &weight, const at::Tensor &bias);
variable_list end_backward(const head_backward &pass, const at::Tensor &hidden);

/* What forward knows of all rows; no gradient. */
head_results head_forward(const head_call &call);

/* bf16 or f32 in, f32 out; f64 stays. */
at::Tensor wide_product(const at::Tensor &a, const at::Tensor &b);

/* From d logits [N, V], f32 or f64, by products of ATen. Rows of sinks.hidden are overwritten. */
void head_add_gradients(const head_call &call, const at::Tensor &d_logits, const head_sinks &sinks);

/* --- tiles on the CPU ------------------------------------------------------------------------- */

/* A thread's own arrays. */
template <typename T> struct tile_scratch {
    at::Tensor panel_storage, tile_storage;
    T *panel;    /* [D, BLOCK_COLUMNS] */
    float *tile; /* [ROW_TILE, BLOCK_COLUMNS] */

    explicit tile_scratch(const head_call &call)
        : panel_storage(at::empty({call.hidden.size(1) * BLOCK_COLUMNS}, call.hidden.options())),
          tile_storage(at::empty({ROW_TILE * BLOCK_COLUMNS}, at::kFloat)),
          panel(panel_storage.mutable_data_ptr<T>()), tile(tile_storage.mutable_data_ptr<float>()) {
    }
};

/* The vocabulary entries [first, first + columns), columns <= BLOCK_COLUMNS, packed. */
template <typename T> struct packed_entries {
    int64_t first, columns;
    product_right<T> panel;
};

template <typename T>
packed_entries<T> pack_entries(const head_call &call, int64_t first, int64_t columns,
                               tile_scratch<T> &scratch) {
    const int64_t depth = call.hidden.size(1);
    return {first, columns,
            product_transpose_right(call.weight.const_data_ptr<T>() + first * depth, columns, depth,
                                    scratch.panel)};
}

/* Their logits of up to ROW_TILE rows from `row` on. */
template <typename T>
kernel_logp_block fill_tile(const head_call &call, const packed_entries<T> &entries, int64_t row,
                            tile_scratch<T> &scratch) {
    const int64_t depth = call.hidden.size(1);
    const kernel_logp_block block = {
        .z = scratch.tile,
        .stride = BLOCK_COLUMNS,
        .rows = std::min(ROW_TILE, call.hidden.size(0) - row),
        .columns = entries.columns,
        .first_column = entries.first,
        .bias = floats_from(call.bias, entries.first),
        .scale = static_cast<float>(call.scale),
        .target = call.target.const_data_ptr<int64_t>() + row,
    };
    product_run(product<T>{.m = block.rows,
                           .n = entries.columns,
                           .k = depth,
                           .a = call.hidden.const_data_ptr<T>() + row * depth,
                           .a_stride = depth,
                           .b = entries.panel,
                           .c = scratch.tile,
                           .c_stride = BLOCK_COLUMNS,
                           .accumulate = false});
    return block;
}

/* --- from d logits to gradients, on the CPU --------------------------------------------------- */

/* Where a block's d logits go: all rows, `stride` apart. */
template <typename T> struct d_logits_of_block {
    int64_t first, columns; /* of the vocabulary */
    T *to;
    int64_t stride;
    float *bias; /* [columns], or NULL */
};

inline void put_grad(kernel_logp_grad *grad, float *to) {
    grad->f32 = to;
}

inline void put_grad(kernel_logp_grad *grad, at::BFloat16 *to) {
    grad->bf16 = reinterpret_cast<uint16_t *>(to);
}

template <typename T> kernel_logp_grad grad_at(const d_logits_of_block<T> &block, int64_t row) {
    kernel_logp_grad grad = {
        .f32 = nullptr, .bf16 = nullptr, .stride = block.stride, .bias = block.bias};
    put_grad(&grad, block.to + row * block.stride);
    return grad;
}

/* What the threads of a backward share. `Logits` has a type `scratch`, made from it for each
 * thread, and fill(block, scratch), which computes a block's d logits. */
template <typename T, typename Logits> struct backward_pass {
    const head_call &call;
    const Logits &logits;
    const head_sinks &sinks;
    std::optional<product_outer_right<T>> hidden; /* for d weight, if that is wanted */
};

/* One span of the vocabulary. */
template <typename T> struct backward_span {
    int64_t first;
    int64_t columns;
    int64_t stride;           /* of d_logits: even for bf16, and its padding is zero */
    T *d_logits;              /* [rows, stride] */
    product_panels<T> weight; /* in bf16 the span's entries, for d hidden */
};

/* d logits, d bias and d weight of the entries [j, j + columns) of the span; `turned` holds
 * BLOCK_COLUMNS columns of d logits. */
template <typename T, typename Logits>
void backward_block(const backward_pass<T, Logits> &pass, const backward_span<T> &span, int64_t j,
                    typename Logits::scratch &scratch, T *turned) {
    const d_logits_of_block<T> block = {.first = span.first + j,
                                        .columns = std::min(BLOCK_COLUMNS, span.columns - j),
                                        .to = span.d_logits + j,
                                        .stride = span.stride,
                                        .bias = floats_from(pass.sinks.bias, span.first + j)};
    pass.logits.fill(block, scratch);
    const int64_t depth = pass.call.hidden.size(1);
    if (pass.hidden) {
        product_outer_add(block.to, span.stride, block.columns, *pass.hidden, turned,
                          floats_from(pass.sinks.weight, block.first * depth));
    }
    if (is_paired<T> && pass.sinks.hidden.defined()) {
        product_fill_panels(span.weight, j,
                            pass.call.weight.template const_data_ptr<T>() + block.first * depth,
                            block.columns, depth);
    }
}

/* d hidden of a range of rows += d logits times the span's entries. */
template <typename T>
void backward_rows(const head_call &call, const head_sinks &sinks, const backward_span<T> &span,
                   int64_t begin, int64_t end) {
    const int64_t depth = call.hidden.size(1);
    const T *entries = call.weight.template const_data_ptr<T>() + span.first * depth;
    product_run(product<T>{.m = end - begin,
                           .n = depth,
                           .k = product_depth<T>(span.columns),
                           .a = span.d_logits + begin * span.stride,
                           .a_stride = span.stride,
                           .b = is_paired<T> ? product_right_of(span.weight)
                                             : product_right<T>{entries, depth, PANEL_COLUMNS},
                           .c = floats_from(sinks.hidden, begin * depth),
                           .c_stride = depth,
                           .accumulate = true});
    product_release<T>();
}

/* In bf16 the last of an odd number of entries is multiplied with a zero beside it. */
template <typename T> void clear_padding(const backward_span<T> &span, int64_t rows) {
    for (int64_t j = span.columns; j < product_depth<T>(span.columns); j++) {
        for (int64_t row = 0; row < rows; row++) {
            span.d_logits[row * span.stride + j] = T(0);
        }
    }
}

template <typename T, typename Logits>
void backward_span_on_cpu(const backward_pass<T, Logits> &pass, const backward_span<T> &span) {
    const int64_t rows = pass.call.hidden.size(0);
    const at::TensorOptions options = pass.call.hidden.options();
    const int64_t turned_elements = pass.hidden ? BLOCK_COLUMNS * product_depth<T>(rows) : 0;
    const int64_t blocks = ceil_div(span.columns, BLOCK_COLUMNS);
    parallel_for(blocks, 1, [&](int64_t begin, int64_t end) {
        typename Logits::scratch scratch(pass.logits);
        const at::Tensor turned = at::empty({turned_elements}, options);
        for (int64_t block = begin; block < end; block++) {
            backward_block<T>(pass, span, block * BLOCK_COLUMNS, scratch,
                              turned.mutable_data_ptr<T>());
        }
        product_release<T>();
    });
    if (pass.sinks.hidden.defined()) {
        clear_padding(span, rows);
        parallel_for(rows, ROW_TILE, [&](int64_t begin, int64_t end) {
            backward_rows<T>(pass.call, pass.sinks, span, begin, end);
        });
    }
}

template <typename T, typename Logits>
void backward_on_cpu(const head_call &call, const Logits &logits, const head_sinks &sinks) {
    const int64_t rows = call.hidden.size(0);
    const int64_t depth = call.hidden.size(1);
    const int64_t vocab = call.weight.size(0);
    const int64_t affordable = SPAN_BYTES / (static_cast<int64_t>(sizeof(T)) * (rows + depth));
    const int64_t blocks =
        std::clamp<int64_t>(affordable / BLOCK_COLUMNS, 1, ceil_div(vocab, BLOCK_COLUMNS));
    const int64_t width = blocks * BLOCK_COLUMNS;
    const int64_t panel_elements = is_paired<T> ? product_panels_elements(width, depth) : 0;
    const at::Tensor d_logits = at::empty({rows, width}, call.hidden.options());
    const at::Tensor panels = at::empty({panel_elements}, call.hidden.options());
    backward_pass<T, Logits> pass = {call, logits, sinks, std::nullopt};
    if (sinks.weight.defined()) {
        pass.hidden = product_outer_prepare<T>(call.hidden);
    }
    for (int64_t first = 0; first < vocab; first += width) {
        backward_span_on_cpu<T>(pass,
                                backward_span<T>{.first = first,
                                                 .columns = std::min(width, vocab - first),
                                                 .stride = width,
                                                 .d_logits = d_logits.mutable_data_ptr<T>(),
                                                 .weight = {panels.mutable_data_ptr<T>(), width}});
    }
}

} // namespace tt

#endif
