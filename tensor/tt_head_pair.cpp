/* tt_head_pair.cpp - a policy's distribution beside a reference's, straight from the hidden states
 * of both. See tt_head_pair in tt_ops.h.
 *
 * CPU:      first the reference's log-sum-exp, as tt_head_logp has it, since whether a token is in
 * M is known only then; afterwards tiles of both, a pair at a time (kernel_logp_pair.h), and in
 * backward again. So forward is 6 N D V operations and backward 8 N D V, where tt_head_logp of both
 * is 4 and 6. Else:     on CUDA, and in f64, rows in chunks of CHUNK_ROWS through the plain
 * formulas of ATen, recorded again in backward. Source:   arXiv 2405.16455; of the way of computing
 * see tt_head.cpp.
 */
#include "tensor/tt_head_tiles.hpp"

#include "tensor/kernels/kernel_logp_pair.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/sub.h>
#include <ATen/ops/where.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

using namespace tt;

namespace {

using tt::rows_of; /* beside those of this file */

constexpr int64_t CHUNK_ROWS = 256;

/* What both passes take. */
struct pair_call {
    head_call policy;
    head_call reference;
    tt_matching matching;
};

/* [rows] each, f32 (f64 with f64). The last four are empty where the formulas are ATen's, which
 * need nothing of forward in backward. */
struct pair_results {
    at::Tensor logp, reference_logp, entropy, kl, matching;
    at::Tensor beta, max, log_sum, reference_max, reference_log_sum;
};

struct pair_upstream {
    at::Tensor grad_logp, grad_entropy, grad_kl, grad_matching;
};

pair_call rows_of(const pair_call &c, int64_t first, int64_t count) {
    return {rows_of(c.policy, first, count), rows_of(c.reference, first, count), c.matching};
}

pair_results rows_of(const pair_results &r, int64_t first, int64_t count) {
    return {rows_of(r.logp, first, count),          rows_of(r.reference_logp, first, count),
            rows_of(r.entropy, first, count),       rows_of(r.kl, first, count),
            rows_of(r.matching, first, count),      rows_of(r.beta, first, count),
            rows_of(r.max, first, count),           rows_of(r.log_sum, first, count),
            rows_of(r.reference_max, first, count), rows_of(r.reference_log_sum, first, count)};
}

pair_upstream rows_of(const pair_upstream &u, int64_t first, int64_t count) {
    return {rows_of(u.grad_logp, first, count), rows_of(u.grad_entropy, first, count),
            rows_of(u.grad_kl, first, count), rows_of(u.grad_matching, first, count)};
}

/* --- fused, on the CPU ------------------------------------------------------------------------ */

template <typename T> struct pair_scratch {
    tile_scratch<T> policy, reference;

    explicit pair_scratch(const pair_call &call) : policy(call.policy), reference(call.reference) {
    }
};

/* Calls visit(pair, first row) for the logits of all rows with vocabulary entries [first, first +
 * columns), a tile of rows at a time. */
template <typename T, typename Visit>
void visit_pairs(const pair_call &call, const pair_results &known, int64_t first, int64_t columns,
                 pair_scratch<T> &own, Visit &&visit) {
    const packed_entries<T> policy = pack_entries<T>(call.policy, first, columns, own.policy);
    const packed_entries<T> reference =
        pack_entries<T>(call.reference, first, columns, own.reference);
    for (int64_t row = 0; row < call.policy.hidden.size(0); row += ROW_TILE) {
        const kernel_logp_pair pair = {
            .policy = fill_tile<T>(call.policy, policy, row, own.policy),
            .reference = fill_tile<T>(call.reference, reference, row, own.reference),
            .reference_max = floats_from(known.reference_max, row),
            .reference_log_sum = floats_from(known.reference_log_sum, row),
            .weights = {static_cast<float>(call.matching.beta_in),
                        static_cast<float>(call.matching.beta_out),
                        static_cast<float>(call.matching.log_alpha)},
        };
        visit(pair, row);
    }
}

constexpr int64_t STATS_ARRAYS = 7;

/* The arrays of segment `segment`, from row `row` on. */
kernel_logp_pair_stats stats_at(const at::Tensor &storage, int64_t segment, int64_t row) {
    const int64_t rows = storage.size(2);
    float *first = storage.mutable_data_ptr<float>() + segment * STATS_ARRAYS * rows + row;
    return {.policy = {first, first + rows, first + 2 * rows, first + 3 * rows},
            .relative = first + 4 * rows,
            .beta = first + 5 * rows,
            .matching = first + 6 * rows};
}

kernel_logp_pair_result result_of(const pair_results &r) {
    return {.policy = {floats(r.logp), floats(r.entropy), floats(r.max), floats(r.log_sum)},
            .kl = floats(r.kl),
            .matching = floats(r.matching),
            .beta = floats(r.beta)};
}

template <typename T> void forward_fused(const pair_call &call, const pair_results &out) {
    const int64_t rows = call.policy.hidden.size(0);
    const int64_t vocab = call.policy.weight.size(0);
    const int64_t segments = ceil_div(vocab, SEGMENT_COLUMNS);
    const at::Tensor storage = at::empty({segments, STATS_ARRAYS, rows}, at::kFloat);
    parallel_for(segments, 1, [&](int64_t begin, int64_t end) {
        pair_scratch<T> scratch(call);
        for (int64_t segment = begin; segment < end; segment++) {
            const kernel_logp_pair_stats whole = stats_at(storage, segment, 0);
            kernel_logp_pair_start(&whole, rows);
            const int64_t last = std::min((segment + 1) * SEGMENT_COLUMNS, vocab);
            for (int64_t j = segment * SEGMENT_COLUMNS; j < last; j += BLOCK_COLUMNS) {
                visit_pairs<T>(call, out, j, std::min(BLOCK_COLUMNS, last - j), scratch,
                               [&](const kernel_logp_pair &pair, int64_t row) {
                                   const kernel_logp_pair_stats stats =
                                       stats_at(storage, segment, row);
                                   kernel_logp_pair_add_cpu(&pair, &stats, ONE_THREAD);
                               });
            }
        }
        product_release<T>();
    });
    const kernel_logp_pair_stats total = stats_at(storage, 0, 0);
    for (int64_t segment = 1; segment < segments; segment++) {
        const kernel_logp_pair_stats more = stats_at(storage, segment, 0);
        kernel_logp_pair_merge(&total, &more, rows);
    }
    const kernel_logp_pair_result result = result_of(out);
    kernel_logp_pair_finish(&total, rows, &result);
}

/* For backward_on_cpu. */
template <typename T> struct pair_logits {
    const pair_call &call;
    const pair_results &known;
    const pair_upstream &upstream;

    struct scratch : pair_scratch<T> {
        explicit scratch(const pair_logits &logits) : pair_scratch<T>(logits.call) {
        }
    };

    kernel_logp_pair_upstream upstream_at(int64_t row) const {
        return {.entropy = floats(known.entropy) + row,
                .max = floats(known.max) + row,
                .log_sum = floats(known.log_sum) + row,
                .kl = floats(known.kl) + row,
                .matching = floats(known.matching) + row,
                .beta = floats(known.beta) + row,
                .grad_logp = floats(upstream.grad_logp) + row,
                .grad_entropy = floats(upstream.grad_entropy) + row,
                .grad_kl = floats(upstream.grad_kl) + row,
                .grad_matching = floats(upstream.grad_matching) + row};
    }

    void fill(const d_logits_of_block<T> &to, scratch &own) const {
        visit_pairs<T>(call, known, to.first, to.columns, own,
                       [&](const kernel_logp_pair &pair, int64_t row) {
                           const kernel_logp_pair_upstream up = upstream_at(row);
                           const kernel_logp_grad grad = grad_at(to, row);
                           kernel_logp_pair_grad_cpu(&pair, &up, &grad, ONE_THREAD);
                       });
    }
};

/* --- the plain formulas, for all else --------------------------------------------------------- */

at::Tensor logits_of(const head_call &call) {
    const at::Tensor products = wide_product(call.hidden, call.weight.t());
    return call.bias.defined() ? products.add_(call.bias) : products;
}

/* logp, reference_logp, entropy, kl and matching, from products before the scale. */
variable_list pair_formulas(const pair_call &call, const at::Tensor &policy,
                            const at::Tensor &reference) {
    const at::Tensor log_p =
        at::log_softmax(at::mul(policy, call.policy.scale), 1).clamp_min(-1e30);
    const at::Tensor log_q =
        at::log_softmax(at::mul(reference, call.reference.scale), 1).clamp_min(-1e30);
    const at::Tensor p = log_p.exp();
    const at::Tensor ratio = at::sub(log_p, log_q);
    const at::Tensor penalty =
        at::where(log_q.gt(call.matching.log_alpha), at::mul(log_p, call.matching.beta_in),
                  at::mul(ratio, call.matching.beta_out));
    const at::Tensor index = call.policy.target.unsqueeze(1);
    return {log_p.gather(1, index).squeeze(1), log_q.gather(1, index).squeeze(1),
            at::mul(p, log_p).sum(1).neg(), at::mul(p, ratio).sum(1),
            at::mul(p, penalty).sum(1).neg()};
}

void forward_plain(const pair_call &call, const pair_results &out) {
    const variable_list results =
        pair_formulas(call, logits_of(call.policy), logits_of(call.reference));
    const at::Tensor *to[] = {&out.logp, &out.reference_logp, &out.entropy, &out.kl, &out.matching};
    for (size_t i = 0; i < results.size(); i++) {
        to[i]->copy_(results[i]);
    }
}

void backward_plain(const pair_call &call, const pair_upstream &upstream, const head_sinks &sinks) {
    const at::Tensor reference = logits_of(call.reference);
    at::Tensor policy = logits_of(call.policy);
    {
        const at::AutoGradMode mode(true);
        policy.requires_grad_(true);
        const variable_list results = pair_formulas(call, policy, reference);
        policy = torch::autograd::grad({results[0], results[2], results[3], results[4]}, {policy},
                                       {upstream.grad_logp, upstream.grad_entropy, upstream.grad_kl,
                                        upstream.grad_matching})[0];
    }
    head_add_gradients(call.policy, policy, sinks);
}

/* --- both ------------------------------------------------------------------------------------- */

bool is_fused(const pair_call &call) {
    return call.policy.hidden.is_cpu() && call.policy.hidden.scalar_type() != at::kDouble;
}

/* Calls part(first, count) for all rows. */
template <typename Part> void for_rows(const pair_call &call, Part &&part) {
    const int64_t rows = call.policy.hidden.size(0);
    const int64_t step = is_fused(call) ? ROWS_MAX : CHUNK_ROWS;
    for (int64_t first = 0; first < rows; first += step) {
        part(first, std::min(step, rows - first));
    }
}

pair_results forward_all(const pair_call &call) {
    const at::Tensor &hidden = call.policy.hidden;
    const bool is_f64 = hidden.scalar_type() == at::kDouble;
    const at::TensorOptions wide = hidden.options().dtype(is_f64 ? at::kDouble : at::kFloat);
    const auto empty = [&] { return at::empty({hidden.size(0)}, wide); };
    pair_results all = {.logp = empty(),
                        .reference_logp = empty(),
                        .entropy = empty(),
                        .kl = empty(),
                        .matching = empty(),
                        .beta = empty(),
                        .max = empty(),
                        .log_sum = empty(),
                        .reference_max = {},
                        .reference_log_sum = {}};
    if (is_fused(call)) {
        const head_results reference = head_forward(call.reference);
        all.reference_logp = reference.logp;
        all.reference_max = reference.max;
        all.reference_log_sum = reference.log_sum;
    }
    for_rows(call, [&](int64_t first, int64_t count) {
        const pair_call part = rows_of(call, first, count);
        const pair_results out = rows_of(all, first, count);
        if (!is_fused(call)) {
            forward_plain(part, out);
        } else if (hidden.scalar_type() == at::kFloat) {
            forward_fused<float>(part, out);
        } else {
            forward_fused<at::BFloat16>(part, out);
        }
    });
    return all;
}

void backward_all(const pair_call &call, const pair_results &all, const pair_upstream &upstream,
                  const head_sinks &sinks) {
    for_rows(call, [&](int64_t first, int64_t count) {
        const pair_call part = rows_of(call, first, count);
        const pair_results known = rows_of(all, first, count);
        const pair_upstream up = rows_of(upstream, first, count);
        const head_sinks to = {rows_of(sinks.hidden, first, count), sinks.weight, sinks.bias};
        if (!is_fused(call)) {
            backward_plain(part, up, to);
        } else if (call.policy.hidden.scalar_type() == at::kFloat) {
            backward_on_cpu<float>(part.policy, pair_logits<float>{part, known, up}, to);
        } else {
            backward_on_cpu<at::BFloat16>(part.policy, pair_logits<at::BFloat16>{part, known, up},
                                          to);
        }
    });
}

/* The reference as autograd's node keeps it. */
struct pair_reference {
    at::Tensor hidden, weight, bias, shadow;
    double scale;
};

class pair_function : public torch::autograd::Function<pair_function> {
  public:
    static variable_list
    /* NOLINTNEXTLINE(readability-function-size): autograd looks for tensors among the arguments */
    forward(AutogradContext *ctx, const at::Tensor &hidden, const at::Tensor &weight,
            const optional_tensor &given_bias, const optional_tensor &given_shadow,
            const at::Tensor &target, double scale, const pair_reference &reference,
            const tt_matching &matching) {
        const at::Tensor bias = given_bias.value_or(at::Tensor());
        const at::Tensor shadow = given_shadow.value_or(at::Tensor());
        const pair_call call = {prepare_head(hidden, weight, shadow, bias, target, scale),
                                prepare_head(reference.hidden, reference.weight, reference.shadow,
                                             reference.bias, target, reference.scale),
                                matching};
        const pair_results r = forward_all(call);
        ctx->saved_data["scale"] = scale;
        ctx->saved_data["reference_scale"] = reference.scale;
        ctx->saved_data["matching"] =
            std::vector<double>{matching.beta_in, matching.beta_out, matching.log_alpha};
        ctx->save_for_backward({hidden, weight, bias, shadow, target, reference.hidden,
                                reference.weight, reference.bias, reference.shadow,
                                r.entropy.detach(), r.kl.detach(), r.matching.detach(), r.beta,
                                r.max, r.log_sum, r.reference_max, r.reference_log_sum});
        ctx->mark_non_differentiable({r.reference_logp});
        return {r.logp, r.reference_logp, r.entropy, r.kl, r.matching};
    }

    static variable_list backward(AutogradContext *ctx, variable_list grads) {
        refuse_second_derivative("head_pair");
        const variable_list saved = ctx->get_saved_variables();
        const at::Tensor &hidden = saved[0];
        const at::Tensor &weight = saved[1];
        const at::Tensor &bias = saved[2];
        const at::Tensor &target = saved[4];
        const auto matching = ctx->saved_data["matching"].toDoubleVector();
        const pair_call call = {
            prepare_head(hidden, weight, saved[3], bias, target,
                         ctx->saved_data["scale"].toDouble()),
            prepare_head(saved[5], saved[6], saved[8], saved[7], target,
                         ctx->saved_data["reference_scale"].toDouble()),
            {matching[0], matching[1], matching[2]},
        };
        const pair_results known = {.logp = {},
                                    .reference_logp = {},
                                    .entropy = saved[9],
                                    .kl = saved[10],
                                    .matching = saved[11],
                                    .beta = saved[12],
                                    .max = saved[13],
                                    .log_sum = saved[14],
                                    .reference_max = saved[15],
                                    .reference_log_sum = saved[16]};
        const pair_upstream upstream = {grads[0].contiguous(), grads[2].contiguous(),
                                        grads[3].contiguous(), grads[4].contiguous()};
        const head_backward pass = begin_backward(ctx, call.policy, hidden, weight, bias);
        backward_all(call, known, upstream, pass.sinks);
        variable_list out = end_backward(pass, hidden);
        out.resize(8); /* of all that has no gradient: none */
        return out;
    }
};

void check_matching(const tt_matching *matching) {
    TORCH_CHECK(std::isfinite(matching->beta_in) && std::isfinite(matching->beta_out),
                "beta_in is ", matching->beta_in, " and beta_out ", matching->beta_out,
                ", expected finite numbers");
    TORCH_CHECK(!std::isnan(matching->log_alpha), "log_alpha is not a number");
}

void check_reference(const at::Tensor &hidden, const tt_head *head,
                     const tt_head_reference *reference) {
    const at::Tensor &other = reference->hidden->t;
    check_head(other, &reference->head);
    TORCH_CHECK(other.scalar_type() == hidden.scalar_type(),
                "the hidden states of policy and reference differ in dtype");
    TORCH_CHECK(other.size(0) == hidden.size(0), "policy and reference have ", hidden.size(0),
                " and ", other.size(0), " rows");
    TORCH_CHECK(reference->head.weight->t.size(0) == head->weight->t.size(0),
                "policy and reference have vocabularies of ", head->weight->t.size(0), " and ",
                reference->head.weight->t.size(0));
}

at::Tensor detached(const tt_tensor *a) {
    return a ? a->t.detach() : at::Tensor();
}

variable_list run_pair(const at::Tensor &hidden, const tt_head *head,
                       const tt_head_reference *reference, const at::Tensor &given_target,
                       const tt_matching *matching) {
    check_head(hidden, head);
    check_reference(hidden, head, reference);
    check_matching(matching);
    const at::Tensor target = head_targets(given_target, hidden, head->weight->t);
    const pair_reference frozen = {detached(reference->hidden), detached(reference->head.weight),
                                   detached(reference->head.bias), detached(reference->head.shadow),
                                   reference->head.logit_scale};
    return pair_function::apply(hidden, head->weight->t, tensor_or_none(head->bias),
                                tensor_or_none(head->shadow), target, head->logit_scale, frozen,
                                *matching);
}

} // namespace

struct tt_head_pair_result tt_head_pair(tt_scope *s, const tt_tensor *hidden,
                                        const struct tt_head *head,
                                        const struct tt_head_reference *reference,
                                        const tt_tensor *target,
                                        const struct tt_matching *matching) noexcept {
    variable_list all;
    tt_tensor *logp = guarded(
        s, "head_pair", {hidden, head->weight, target, reference->hidden, reference->head.weight},
        ANY, [&] {
            all = run_pair(hidden->t, head, reference, target->t, matching);
            return all[0];
        });
    tt_tensor *reference_logp = guarded(s, "head_pair", {}, ANY, [&] { return all[1]; });
    tt_tensor *entropy = guarded(s, "head_pair", {}, ANY, [&] { return all[2]; });
    tt_tensor *kl = guarded(s, "head_pair", {}, ANY, [&] { return all[3]; });
    tt_tensor *regulariser = guarded(s, "head_pair", {}, ANY, [&] { return all[4]; });
    return regulariser ? tt_head_pair_result{logp, reference_logp, entropy, kl, regulariser}
                       : tt_head_pair_result{};
}
