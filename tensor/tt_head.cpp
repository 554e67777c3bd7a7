/* tt_head.cpp - log-probability, entropy and log-sum-exp straight from hidden states: the logits of
 * a batch never exist at once. See tt_head_logp in tt_ops.h.
 *
 * CPU:      kernel_logp reduces the 64 x 256 logits of a tile (tt_head_tiles.hpp) while they are in
 *           cache. Threads take segments of 1024 entries, whose sums are then joined in order.
 * Backward: needs every logit again, and recomputes them (2 N D V operations more, of 8 N D V in
 *           all): keeping them takes N V values, and the gradients that arrive are not known in the
 *           forward pass.
 * CUDA:     rows in chunks whose f32 logits fit CHUNK_BYTES; products through ATen.
 * Source:   arXiv 2411.09009 (recomputation by vocabulary blocks), 2410.10989 (chunks of rows).
 */
#include "tensor/tt_head_tiles.hpp"
#include "tensor/tt_process.hpp"

#include <ATen/ops/add.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/mul.h>

using namespace tt;

namespace {

using tt::rows_of; /* beside those of this file */

constexpr int64_t CHUNK_BYTES = INT64_C(512) << 20;
constexpr int64_t CHUNK_ROWS_MIN = 256;

struct head_upstream {
    at::Tensor entropy, max, log_sum, grad_logp, grad_entropy, grad_lse;
};

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
                const packed_entries<T> entries =
                    pack_entries(call, j, std::min(BLOCK_COLUMNS, last - j), scratch);
                for (int64_t row = 0; row < rows; row += ROW_TILE) {
                    const kernel_logp_block block = fill_tile(call, entries, row, scratch);
                    const kernel_logp_stats stats = stats_at(storage, segment, row);
                    kernel_logp_add_cpu(&block, &stats, ONE_THREAD);
                }
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

/* For backward_on_cpu. */
template <typename T> struct logp_logits {
    const head_call &call;
    const head_upstream &upstream;

    struct scratch : tile_scratch<T> {
        explicit scratch(const logp_logits &logits) : tile_scratch<T>(logits.call) {
        }
    };

    void fill(const d_logits_of_block<T> &to, scratch &own) const {
        const packed_entries<T> entries = pack_entries<T>(call, to.first, to.columns, own);
        for (int64_t row = 0; row < call.hidden.size(0); row += ROW_TILE) {
            const kernel_logp_block block = fill_tile<T>(call, entries, row, own);
            const kernel_logp_upstream up = upstream_of(upstream, row);
            const kernel_logp_grad grad = grad_at(to, row);
            kernel_logp_grad_cpu(&block, &up, &grad, ONE_THREAD);
        }
    }
};

template <typename T>
void logp_backward_on_cpu(const head_call &call, const head_upstream &upstream,
                          const head_sinks &sinks) {
    backward_on_cpu<T>(call, logp_logits<T>{call, upstream}, sinks);
}

/* --- on CUDA ---------------------------------------------------------------------------------- */

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
    head_add_gradients(call, logits, sinks);
}

/* --- both ------------------------------------------------------------------------------------- */

int64_t rows_at_once(const head_call &call) {
    if (call.hidden.is_cpu()) {
        return ROWS_MAX;
    }
    const int64_t row_bytes = static_cast<int64_t>(sizeof(float)) * call.weight.size(0);
    return std::max(CHUNK_ROWS_MIN, CHUNK_BYTES / row_bytes);
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
            logp_backward_on_cpu<float>(part, up, to);
        } else {
            logp_backward_on_cpu<at::BFloat16>(part, up, to);
        }
    }
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
        const head_results r =
            head_forward(prepare_head(hidden, weight, shadow, bias, target, scale));
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
        const head_call call = prepare_head(hidden, weight, saved[3], bias, saved[4],
                                            ctx->saved_data["scale"].toDouble());
        const head_upstream upstream = {saved[5],
                                        saved[6],
                                        saved[7],
                                        grads[0].contiguous(),
                                        grads[1].contiguous(),
                                        grads[2].contiguous()};
        const head_backward pass = begin_backward(ctx, call, hidden, weight, bias);
        backward_all(call, upstream, pass.sinks);
        variable_list out = end_backward(pass, hidden);
        out.resize(6); /* of shadow, target and scale: none */
        return out;
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

variable_list run_head(const at::Tensor &hidden, const tt_head *head,
                       const at::Tensor &given_target) {
    check_head(hidden, head);
    const at::Tensor target = head_targets(given_target, hidden, head->weight->t);
    const optional_tensor bias = tensor_or_none(head->bias);
    if (hidden.scalar_type() == at::kDouble) {
        return plain_formula(hidden, head->weight->t, bias, target, head->logit_scale);
    }
    return head_function::apply(hidden, head->weight->t, bias, tensor_or_none(head->shadow), target,
                                head->logit_scale);
}

} // namespace

head_results tt::head_forward(const head_call &call) {
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
