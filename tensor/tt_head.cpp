/* tt_head.cpp - log-probability, entropy and log-sum-exp straight from hidden states: the logits of
 * a batch never exist at once. See tt_head_logp in tt_ops.h.
 *
 * CPU:      a block of 256 vocabulary entries is packed once and multiplied by 64 hidden states at
 *           a time; kernel_logp reduces the 64 x 256 logits while they are in cache. Threads take
 *           segments of 1024 entries, whose sums are then joined in order.
 * Backward: needs every logit again, and recomputes them (2 N D V operations more, of 8 N D V in
 *           all): keeping them takes N V values, and the gradients that arrive are not known in the
 *           forward pass. The vocabulary is walked in spans whose d logits fit SPAN_BYTES: in a
 *           span threads first take blocks, for d logits and d weight, then rows, for d hidden.
 *           Each element of d weight is thus read and written once a backward, not once a chunk of
 *           rows.
 * CUDA:     rows in chunks whose f32 logits fit CHUNK_BYTES; products through ATen.
 * Source:   arXiv 2411.09009 (recomputation by vocabulary blocks), 2410.10989 (chunks of rows).
 */
#include "tensor/tt_internal.hpp"
#include "tensor/tt_node.hpp"
#include "tensor/tt_parallel.hpp"
#include "tensor/tt_process.hpp"
#include "tensor/tt_product.hpp"

#include "tensor/kernels/kernel_logp.h"

#include <ATen/ops/add.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <optional>

using namespace tt;

namespace {

constexpr int64_t BLOCK_COLUMNS = 256;
constexpr int64_t SEGMENT_COLUMNS = 4 * BLOCK_COLUMNS;
constexpr int64_t ROWS_MAX = 4096; /* at once: bounds every scratch array */
constexpr int64_t SPAN_BYTES = INT64_C(32) << 20;
constexpr int64_t CHUNK_BYTES = INT64_C(512) << 20;
constexpr int64_t CHUNK_ROWS_MIN = 256;

constexpr kernel_cpu ONE_THREAD = {.threads = 1, .isa = KERNEL_ISA_BEST};

/* The tensors of one call, as the products take them. */
struct head_call {
    at::Tensor hidden; /* [N, D] of the dtype of the products, without gaps */
    at::Tensor weight; /* [V, D] likewise */
    at::Tensor bias;   /* [V] f32, or undefined */
    at::Tensor target; /* [N] i64 */
    double scale;
};

/* One row each of what backward needs of forward, and of what arrives; [rows] f32. */
struct head_results {
    at::Tensor logp, entropy, max, log_sum;
};

struct head_upstream {
    at::Tensor entropy, max, log_sum, grad_logp, grad_entropy, grad_lse;
};

/* Where gradients are added; undefined for what needs none. f32, without gaps. */
struct head_sinks {
    at::Tensor hidden; /* [N, D] zeros */
    at::Tensor weight; /* [V, D] */
    at::Tensor bias;   /* [V] */
};

float *floats_from(const at::Tensor &t, int64_t element) {
    return t.defined() ? t.mutable_data_ptr<float>() + element : nullptr;
}

int64_t ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

/* Rows [first, first + count) of whatever is defined. */
at::Tensor rows_of(const at::Tensor &t, int64_t first, int64_t count) {
    return t.defined() ? t.narrow(0, first, count) : t;
}

head_call rows_of(const head_call &c, int64_t first, int64_t count) {
    return {rows_of(c.hidden, first, count), c.weight, c.bias, rows_of(c.target, first, count),
            c.scale};
}

head_results rows_of(const head_results &r, int64_t first, int64_t count) {
    return {rows_of(r.logp, first, count), rows_of(r.entropy, first, count),
            rows_of(r.max, first, count), rows_of(r.log_sum, first, count)};
}

head_upstream rows_of(const head_upstream &u, int64_t first, int64_t count) {
    return {rows_of(u.entropy, first, count),      rows_of(u.max, first, count),
            rows_of(u.log_sum, first, count),      rows_of(u.grad_logp, first, count),
            rows_of(u.grad_entropy, first, count), rows_of(u.grad_lse, first, count)};
}

kernel_logp_result result_of(const head_results &r) {
    return {floats(r.logp), floats(r.entropy), floats(r.max), floats(r.log_sum)};
}

kernel_logp_upstream upstream_of(const head_upstream &u, int64_t row) {
    return {floats(u.entropy) + row,   floats(u.max) + row,          floats(u.log_sum) + row,
            floats(u.grad_logp) + row, floats(u.grad_entropy) + row, floats(u.grad_lse) + row};
}

/* --- on the CPU ------------------------------------------------------------------------------- */

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

/* Calls visit(block, first row) for the logits of all rows with vocabulary entries [first, first +
 * columns), columns <= BLOCK_COLUMNS, a tile of rows at a time. */
template <typename T, typename Visit>
void visit_tiles(const head_call &call, int64_t first, int64_t columns, tile_scratch<T> &scratch,
                 Visit &&visit) {
    const int64_t rows = call.hidden.size(0);
    const int64_t depth = call.hidden.size(1);
    const T *hidden = call.hidden.const_data_ptr<T>();
    const product_right<T> panel = product_transpose_right(
        call.weight.const_data_ptr<T>() + first * depth, columns, depth, scratch.panel);
    for (int64_t row = 0; row < rows; row += ROW_TILE) {
        const kernel_logp_block block = {
            .z = scratch.tile,
            .stride = BLOCK_COLUMNS,
            .rows = std::min(ROW_TILE, rows - row),
            .columns = columns,
            .first_column = first,
            .bias = floats_from(call.bias, first),
            .scale = static_cast<float>(call.scale),
            .target = call.target.const_data_ptr<int64_t>() + row,
        };
        product_run(product<T>{.m = block.rows,
                               .n = columns,
                               .k = depth,
                               .a = hidden + row * depth,
                               .a_stride = depth,
                               .b = panel,
                               .c = scratch.tile,
                               .c_stride = BLOCK_COLUMNS,
                               .accumulate = false});
        visit(block, row);
    }
}

/* The four arrays of segment `segment`, from row `row` on. */
kernel_logp_stats stats_at(const at::Tensor &storage, int64_t segment, int64_t row) {
    const int64_t rows = storage.size(2);
    float *first = storage.mutable_data_ptr<float>() + segment * 4 * rows + row;
    return {first, first + rows, first + 2 * rows, first + 3 * rows};
}

template <typename T> void forward_on_cpu(const head_call &call, const head_results &out) {
    const int64_t rows = call.hidden.size(0);
    const int64_t vocab = call.weight.size(0);
    const int64_t segments = ceil_div(vocab, SEGMENT_COLUMNS);
    const at::Tensor storage = at::empty({segments, 4, rows}, at::kFloat);
    parallel_for(segments, 1, [&](int64_t begin, int64_t end) {
        tile_scratch<T> scratch(call);
        for (int64_t segment = begin; segment < end; segment++) {
            const kernel_logp_stats whole = stats_at(storage, segment, 0);
            kernel_logp_start(&whole, rows);
            const int64_t last = std::min((segment + 1) * SEGMENT_COLUMNS, vocab);
            for (int64_t j = segment * SEGMENT_COLUMNS; j < last; j += BLOCK_COLUMNS) {
                visit_tiles<T>(call, j, std::min(BLOCK_COLUMNS, last - j), scratch,
                               [&](const kernel_logp_block &block, int64_t row) {
                                   const kernel_logp_stats stats = stats_at(storage, segment, row);
                                   kernel_logp_add_cpu(&block, &stats, ONE_THREAD);
                               });
            }
        }
        product_release<T>();
    });
    const kernel_logp_stats total = stats_at(storage, 0, 0);
    for (int64_t segment = 1; segment < segments; segment++) {
        const kernel_logp_stats more = stats_at(storage, segment, 0);
        kernel_logp_merge_cpu(&total, &more, rows, ONE_THREAD);
    }
    const kernel_logp_result result = result_of(out);
    kernel_logp_finish(&total, rows, &result);
}

/* What the threads of a backward share. */
template <typename T> struct backward_pass {
    const head_call &call;
    const head_upstream &upstream;
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

void put_grad(kernel_logp_grad *grad, float *to) {
    grad->f32 = to;
}

void put_grad(kernel_logp_grad *grad, at::BFloat16 *to) {
    grad->bf16 = reinterpret_cast<uint16_t *>(to);
}

/* d logits, d bias and d weight of the entries [j, j + columns) of the span; `turned` holds
 * BLOCK_COLUMNS columns of d logits. */
template <typename T>
void backward_block(const backward_pass<T> &pass, const backward_span<T> &span, int64_t j,
                    tile_scratch<T> &scratch, T *turned) {
    const int64_t columns = std::min(BLOCK_COLUMNS, span.columns - j);
    const int64_t first = span.first + j;
    T *d_logits = span.d_logits + j;
    visit_tiles<T>(pass.call, first, columns, scratch,
                   [&](const kernel_logp_block &block, int64_t row) {
                       const kernel_logp_upstream up = upstream_of(pass.upstream, row);
                       kernel_logp_grad grad = {.f32 = nullptr,
                                                .bf16 = nullptr,
                                                .stride = span.stride,
                                                .bias = floats_from(pass.sinks.bias, first)};
                       put_grad(&grad, d_logits + row * span.stride);
                       kernel_logp_grad_cpu(&block, &up, &grad, ONE_THREAD);
                   });
    const int64_t depth = pass.call.hidden.size(1);
    if (pass.hidden) {
        product_outer_add(d_logits, span.stride, columns, *pass.hidden, turned,
                          floats_from(pass.sinks.weight, first * depth));
    }
    if (is_paired<T> && pass.sinks.hidden.defined()) {
        product_fill_panels(span.weight, j,
                            pass.call.weight.template const_data_ptr<T>() + first * depth, columns,
                            depth);
    }
}

/* d hidden of a range of rows += d logits times the span's entries. */
template <typename T>
void backward_rows(const backward_pass<T> &pass, const backward_span<T> &span, int64_t begin,
                   int64_t end) {
    const int64_t depth = pass.call.hidden.size(1);
    const T *entries = pass.call.weight.template const_data_ptr<T>() + span.first * depth;
    product_run(product<T>{.m = end - begin,
                           .n = depth,
                           .k = product_depth<T>(span.columns),
                           .a = span.d_logits + begin * span.stride,
                           .a_stride = span.stride,
                           .b = is_paired<T> ? product_right_of(span.weight)
                                             : product_right<T>{entries, depth, PANEL_COLUMNS},
                           .c = floats_from(pass.sinks.hidden, begin * depth),
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

template <typename T>
void backward_span_on_cpu(const backward_pass<T> &pass, const backward_span<T> &span) {
    const int64_t rows = pass.call.hidden.size(0);
    const at::TensorOptions options = pass.call.hidden.options();
    const int64_t turned_elements = pass.hidden ? BLOCK_COLUMNS * product_depth<T>(rows) : 0;
    const int64_t blocks = ceil_div(span.columns, BLOCK_COLUMNS);
    parallel_for(blocks, 1, [&](int64_t begin, int64_t end) {
        tile_scratch<T> scratch(pass.call);
        const at::Tensor turned = at::empty({turned_elements}, options);
        for (int64_t block = begin; block < end; block++) {
            backward_block<T>(pass, span, block * BLOCK_COLUMNS, scratch,
                              turned.mutable_data_ptr<T>());
        }
        product_release<T>();
    });
    if (pass.sinks.hidden.defined()) {
        clear_padding(span, rows);
        parallel_for(rows, ROW_TILE,
                     [&](int64_t begin, int64_t end) { backward_rows<T>(pass, span, begin, end); });
    }
}

template <typename T>
void backward_on_cpu(const head_call &call, const head_upstream &upstream,
                     const head_sinks &sinks) {
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
    backward_pass<T> pass = {call, upstream, sinks, std::nullopt};
    if (sinks.weight.defined()) {
        pass.hidden = product_outer_prepare<T>(call.hidden);
    }
    for (int64_t first = 0; first < vocab; first += width) {
        backward_span_on_cpu<T>(pass, {.first = first,
                                       .columns = std::min(width, vocab - first),
                                       .stride = width,
                                       .d_logits = d_logits.mutable_data_ptr<T>(),
                                       .weight = {panels.mutable_data_ptr<T>(), width}});
    }
}

/* --- on CUDA ---------------------------------------------------------------------------------- */

/* bf16 or f32 in, f32 out. */
at::Tensor wide_product(const at::Tensor &a, const at::Tensor &b) {
    return a.scalar_type() == at::kFloat ? at::mm(a, b) : at::mm(a, b, at::kFloat);
}

kernel_logp_block whole_rows(const head_call &call, const at::Tensor &logits) {
    return {.z = floats(logits),
            .stride = logits.size(1),
            .rows = logits.size(0),
            .columns = logits.size(1),
            .first_column = 0,
            .bias = floats(call.bias),
            .scale = static_cast<float>(call.scale),
            .target = call.target.const_data_ptr<int64_t>()};
}

/* Runs call(half, stream, err) and throws its error. */
template <typename Call> void launch(const at::Tensor &on, Call &&call) {
    struct error err = ERROR_INIT;
    const struct cuda_half *half = nullptr;
    enum err_code code = process_cuda_half(&half, &err);
    if (code == ERR_OK) {
        code = call(half, half->current_stream(static_cast<int32_t>(on.get_device())), &err);
    }
    TORCH_CHECK(code == ERR_OK, err.msg);
}

void forward_on_cuda(const head_call &call, const head_results &out) {
    const at::Tensor logits = wide_product(call.hidden, call.weight.t());
    const kernel_logp_block block = whole_rows(call, logits);
    const kernel_logp_result result = result_of(out);
    launch(logits, [&](const struct cuda_half *half, void *stream, struct error *err) {
        return half->logp(&block, &result, stream, err);
    });
}

void backward_on_cuda(const head_call &call, const head_upstream &upstream,
                      const head_sinks &sinks) {
    const at::Tensor logits = wide_product(call.hidden, call.weight.t());
    const kernel_logp_block block = whole_rows(call, logits);
    const kernel_logp_upstream up = upstream_of(upstream, 0);
    const kernel_logp_grad grad = {
        .f32 = floats(logits), .bf16 = nullptr, .stride = logits.size(1), .bias = nullptr};
    launch(logits, [&](const struct cuda_half *half, void *stream, struct error *err) {
        return half->logp_grad(&block, &up, &grad, stream, err);
    });
    if (sinks.bias.defined()) {
        sinks.bias.add_(logits.sum(0));
    }
    const at::Tensor d_logits = logits.to(call.hidden.scalar_type());
    if (sinks.weight.defined()) {
        sinks.weight.add_(wide_product(d_logits.t(), call.hidden));
    }
    if (sinks.hidden.defined()) {
        sinks.hidden.copy_(wide_product(d_logits, call.weight));
    }
}

/* --- both ------------------------------------------------------------------------------------- */

int64_t rows_at_once(const head_call &call) {
    if (call.hidden.is_cpu()) {
        return ROWS_MAX;
    }
    const int64_t row_bytes = static_cast<int64_t>(sizeof(float)) * call.weight.size(0);
    return std::max(CHUNK_ROWS_MIN, CHUNK_BYTES / row_bytes);
}

head_results forward_all(const head_call &call) {
    const int64_t rows = call.hidden.size(0);
    const at::TensorOptions wide = call.hidden.options().dtype(at::kFloat);
    head_results all = {at::empty({rows}, wide), at::empty({rows}, wide), at::empty({rows}, wide),
                        at::empty({rows}, wide)};
    const int64_t step = rows_at_once(call);
    for (int64_t first = 0; first < rows; first += step) {
        const int64_t count = std::min(step, rows - first);
        const head_call part = rows_of(call, first, count);
        const head_results out = rows_of(all, first, count);
        if (!call.hidden.is_cpu()) {
            forward_on_cuda(part, out);
        } else if (call.hidden.scalar_type() == at::kFloat) {
            forward_on_cpu<float>(part, out);
        } else {
            forward_on_cpu<at::BFloat16>(part, out);
        }
    }
    return all;
}

void backward_all(const head_call &call, const head_upstream &upstream, const head_sinks &sinks) {
    const int64_t rows = call.hidden.size(0);
    const int64_t step = rows_at_once(call);
    for (int64_t first = 0; first < rows; first += step) {
        const int64_t count = std::min(step, rows - first);
        const head_call part = rows_of(call, first, count);
        const head_upstream up = rows_of(upstream, first, count);
        const head_sinks to = {rows_of(sinks.hidden, first, count), sinks.weight, sinks.bias};
        if (!call.hidden.is_cpu()) {
            backward_on_cuda(part, up, to);
        } else if (call.hidden.scalar_type() == at::kFloat) {
            backward_on_cpu<float>(part, up, to);
        } else {
            backward_on_cpu<at::BFloat16>(part, up, to);
        }
    }
}

/* The tensors as the products take them. bf16 is multiplied in pairs along D, from words of 32
 * bits: an odd D is padded, a matrix that starts at an odd element copied. Where the processor has
 * no bf16 products, f32 takes their place, from the f32 weight if there is one. */
at::Tensor paired(const at::Tensor &t) {
    if (t.size(1) % 2 != 0) {
        return at::constant_pad_nd(t, {0, 1});
    }
    return reinterpret_cast<uintptr_t>(t.const_data_ptr()) % sizeof(uint32_t) == 0 ? t : t.clone();
}

head_call prepare(const at::Tensor &hidden, const at::Tensor &weight, const at::Tensor &shadow,
                  const at::Tensor &bias, const at::Tensor &target, double scale) {
    head_call call = {hidden.contiguous(), shadow.defined() ? shadow : weight,
                      bias.defined() ? bias.contiguous() : bias, target, scale};
    if (hidden.is_cpu() && hidden.scalar_type() == at::kBFloat16 && !product_has_bf16()) {
        call.hidden = call.hidden.to(at::kFloat);
        call.weight = weight.to(at::kFloat);
    }
    call.weight = call.weight.contiguous();
    if (hidden.is_cpu() && call.hidden.scalar_type() == at::kBFloat16) {
        call.hidden = paired(call.hidden);
        call.weight = paired(call.weight);
    }
    return call;
}

class head_function : public torch::autograd::Function<head_function> {
  public:
    static variable_list
    /* NOLINTNEXTLINE(readability-function-size): autograd looks for tensors among the arguments */
    forward(AutogradContext *ctx, const at::Tensor &hidden, const at::Tensor &weight,
            const optional_tensor &given_bias, const optional_tensor &given_shadow,
            const at::Tensor &target, double scale) {
        const at::Tensor bias = given_bias.value_or(at::Tensor());
        const at::Tensor shadow = given_shadow.value_or(at::Tensor());
        const head_results r = forward_all(prepare(hidden, weight, shadow, bias, target, scale));
        ctx->saved_data["scale"] = scale;
        ctx->save_for_backward(
            {hidden, weight, bias, shadow, target, r.entropy.detach(), r.max, r.log_sum});
        const at::Tensor top = r.log_sum.neg();
        ctx->mark_non_differentiable({top});
        return {r.logp, r.entropy, at::add(r.max, r.log_sum), top};
    }

    static variable_list backward(AutogradContext *ctx, variable_list grads) {
        refuse_second_derivative("head_logp");
        const variable_list saved = ctx->get_saved_variables();
        const at::Tensor &hidden = saved[0];
        const at::Tensor &weight = saved[1];
        const at::Tensor &bias = saved[2];
        const head_call call =
            prepare(hidden, weight, saved[3], bias, saved[4], ctx->saved_data["scale"].toDouble());
        const head_upstream upstream = {saved[5],
                                        saved[6],
                                        saved[7],
                                        grads[0].contiguous(),
                                        grads[1].contiguous(),
                                        grads[2].contiguous()};
        const bool padded = call.hidden.size(1) != hidden.size(1);
        head_sinks sinks;
        grad_sink for_weight;
        grad_sink for_bias;
        if (ctx->needs_input_grad(0)) {
            sinks.hidden = at::zeros(call.hidden.sizes(), hidden.options().dtype(at::kFloat));
        }
        if (ctx->needs_input_grad(1)) {
            for_weight = grad_sink_of(weight);
            sinks.weight =
                padded ? at::zeros(call.weight.sizes(), for_weight.sum.options()) : for_weight.sum;
        }
        if (bias.defined() && ctx->needs_input_grad(2)) {
            for_bias = grad_sink_of(bias);
            sinks.bias = for_bias.sum;
        }
        backward_all(call, upstream, sinks);
        if (padded && sinks.weight.defined()) {
            for_weight.sum.add_(sinks.weight.narrow(1, 0, hidden.size(1)));
        }
        return {sinks.hidden.defined()
                    ? sinks.hidden.narrow(1, 0, hidden.size(1)).to(hidden.scalar_type())
                    : at::Tensor(),
                for_weight.hand_on,
                for_bias.hand_on,
                at::Tensor(),
                at::Tensor(),
                at::Tensor()};
    }
};

/* In f64, which serves gradient checks, the plain formula. */
variable_list plain_formula(const at::Tensor &hidden, const at::Tensor &weight,
                            const optional_tensor &bias, const at::Tensor &target, double scale) {
    const at::Tensor logits = at::mul(at::linear(hidden, weight, bias), scale);
    const at::Tensor logp = at::log_softmax(logits, 1);
    return {logp.gather(1, target.unsqueeze(1)).squeeze(1),
            at::mul(logp.exp(), logp.clamp_min(-1e30)).sum(1).neg(), at::logsumexp(logits, {1}),
            logp.detach().amax(1)};
}

void check_head_types(const at::Tensor &hidden, const tt_head *head) {
    const at::ScalarType compute = hidden.scalar_type();
    const at::ScalarType weight = head->weight->t.scalar_type();
    TORCH_CHECK(compute != at::kHalf, "hidden is f16, expected f64, f32 or bf16");
    if (head->shadow) {
        TORCH_CHECK(compute == at::kBFloat16 && weight == at::kFloat &&
                        head->shadow->t.scalar_type() == at::kBFloat16,
                    "a shadow is the bf16 copy of an f32 weight, for bf16 hidden states");
        TORCH_CHECK(head->shadow->t.sizes().equals(head->weight->t.sizes()),
                    "weight and shadow differ in shape");
    } else {
        TORCH_CHECK(compute == weight, "hidden and weight differ in dtype, and there is no shadow");
        TORCH_CHECK(weight != at::kBFloat16 || !head->weight->t.requires_grad(),
                    "a trained weight is f32, with a shadow");
    }
    for (const tt_tensor *a : {head->shadow, head->bias}) {
        TORCH_CHECK(!a || a->t.device() == hidden.device(), "shadow or bias is on another device");
    }
    TORCH_CHECK(!head->bias || head->bias->t.scalar_type() ==
                                   (compute == at::kDouble ? at::kDouble : at::kFloat),
                "the bias is f32, or f64 with f64 hidden states");
}

void check_head_shapes(const at::Tensor &hidden, const tt_head *head, const at::Tensor &target) {
    const at::Tensor &weight = head->weight->t;
    TORCH_CHECK(hidden.dim() == 2 && weight.dim() == 2 && target.dim() == 1 &&
                    hidden.size(1) == weight.size(1) && hidden.size(0) == target.size(0) &&
                    weight.size(0) > 0 && weight.size(1) > 0,
                "expected hidden [N, D], weight [V, D], target [N]");
    TORCH_CHECK(!head->bias ||
                    (head->bias->t.dim() == 1 && head->bias->t.size(0) == weight.size(0)),
                "bias has not one element per vocabulary entry");
    TORCH_CHECK(head->logit_scale > 0.0 && std::isfinite(head->logit_scale), "logit_scale is ",
                head->logit_scale, ", expected a positive number");
    if (target.numel() > 0) {
        const int64_t low = target.min().item<int64_t>();
        const int64_t high = target.max().item<int64_t>();
        TORCH_CHECK(low >= 0 && high < weight.size(0), "target ", low < 0 ? low : high,
                    " is outside [0, ", weight.size(0), ")");
    }
}

optional_tensor tensor_or_none(const tt_tensor *a) {
    return a ? optional_tensor(a->t) : std::nullopt;
}

variable_list run_head(const at::Tensor &hidden, const tt_head *head,
                       const at::Tensor &given_target) {
    const at::ScalarType ids = given_target.scalar_type();
    TORCH_CHECK(ids == at::kLong || ids == at::kInt, "target is neither i64 nor i32");
    const at::Tensor target = given_target.to(at::kLong).contiguous();
    check_head_types(hidden, head);
    check_head_shapes(hidden, head, target);
    const optional_tensor bias = tensor_or_none(head->bias);
    if (hidden.scalar_type() == at::kDouble) {
        return plain_formula(hidden, head->weight->t, bias, target, head->logit_scale);
    }
    return head_function::apply(hidden, head->weight->t, bias, tensor_or_none(head->shadow), target,
                                head->logit_scale);
}

} // namespace

struct tt_head_result tt_head_logp(tt_scope *s, const tt_tensor *hidden, const struct tt_head *head,
                                   const tt_tensor *target) noexcept {
    variable_list all;
    tt_tensor *logp = guarded(s, "head_logp", {hidden, head->weight, target}, ANY, [&] {
        all = run_head(hidden->t, head, target->t);
        return all[0];
    });
    tt_tensor *entropy = guarded(s, "head_logp", {}, ANY, [&] { return all[1]; });
    tt_tensor *lse = guarded(s, "head_logp", {}, ANY, [&] { return all[2]; });
    tt_tensor *top = guarded(s, "head_logp", {}, ANY, [&] { return all[3]; });
    return top ? tt_head_result{logp, entropy, lse, top} : tt_head_result{};
}
