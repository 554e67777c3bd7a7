/* tt_attention.cpp - causal attention within the sequences of a packed batch. See tt_ops.h.
 *
 * CPU:      a task is one key head of one sequence, with the query heads that share it. Queries go
 *           in blocks of 64: their scores against all keys that any of them sees, softmax of whole
 *           rows, product with the values. Backward has the log-sum-exp of each row from forward
 *           and computes the scores again. Sequences are filled up with zeros to whole blocks, so
 *           that every product is one of few shapes. A thread takes 64 rows of scores, and a few
 *           copies of its head: memory is linear in the length.
 * Numbers:  bf16 operands, f32 sums and softmax; weights and gradients of scores are rounded to the
 *           operands' type for the products. An element is summed by one thread in one order:
 *           results do not depend on the thread count.
 * Elsewhere (CUDA, and f64 for gradient checks): ATen's attention, a sequence at a time.
 * Source:   arXiv 2205.14135.
 */
#include "tensor/tt_internal.hpp"
#include "tensor/tt_node.hpp"
#include "tensor/tt_parallel.hpp"
#include "tensor/tt_product.hpp"

#include "tensor/kernels/kernel_attention_rows.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/scaled_dot_product_attention.h>

#include <cstring>
#include <vector>

using namespace tt;

namespace {

constexpr int64_t BLOCK = ROW_TILE; /* queries at a time */

template <typename T>
constexpr kernel_operand operand_of = is_paired<T> ? KERNEL_OPERAND_BF16 : KERNEL_OPERAND_F32;

int64_t whole_blocks(int64_t n) {
    return (n + BLOCK - 1) / BLOCK * BLOCK;
}

/* q [N, H, d], k and v [N, H_kv, d], without gaps. */
struct attention_call {
    at::Tensor q, k, v;
    const std::vector<int64_t> &starts; /* [sequences + 1] */
    double scale;

    int64_t kv_heads() const {
        return k.size(1);
    }
    int64_t queries_per_key() const {
        return q.size(1) / k.size(1);
    }
    int64_t head_dim() const {
        return q.size(2);
    }
    int64_t tasks() const {
        return (static_cast<int64_t>(starts.size()) - 1) * kv_heads();
    }
};

/* One head of one sequence, in a tensor [N, heads, d]. */
struct head_rows {
    int64_t head, begin, count;
};

head_rows rows_of_task(const attention_call &call, int64_t task) {
    const auto sequence = static_cast<size_t>(task / call.kv_heads());
    const int64_t begin = call.starts[sequence];
    return {task % call.kv_heads(), begin, call.starts[sequence + 1] - begin};
}

/* A thread's own arrays. */
class scratch {
    std::vector<at::Tensor> kept;

  public:
    template <typename T> T *take(int64_t elements) {
        kept.push_back(at::empty({elements}, c10::CppTypeToScalarType<T>::value));
        return kept.back().mutable_data_ptr<T>();
    }
};

/* to [whole blocks, d] = the rows, then zeros. */
template <typename T> void gather(const at::Tensor &from, head_rows rows, T *to) {
    const int64_t d = from.size(2);
    const int64_t stride = from.size(1) * d;
    const T *row = from.const_data_ptr<T>() + rows.begin * stride + rows.head * d;
    const size_t bytes = static_cast<size_t>(d) * sizeof(T);
    for (int64_t i = 0; i < rows.count; i++) {
        memcpy(to + i * d, row + i * stride, bytes);
    }
    memset(static_cast<void *>(to + rows.count * d), 0,
           bytes * static_cast<size_t>(whole_blocks(rows.count) - rows.count));
}

/* Rows [first, first + count) of what `rows` names = from [count, d] / divisor. */
template <typename T>
void scatter(const float *from, const float *divisor, const at::Tensor &to, head_rows rows,
             int64_t first, int64_t count) {
    const int64_t d = to.size(2);
    const int64_t stride = to.size(1) * d;
    const kernel_attention_store_args args = {.from = from,
                                              .divisor = divisor,
                                              .rows = count,
                                              .n = d,
                                              .operand = operand_of<T>,
                                              .to = to.mutable_data_ptr<T>() +
                                                    (rows.begin + first) * stride + rows.head * d,
                                              .to_stride = stride};
    kernel_attention_store(&args, KERNEL_ISA_BEST);
}

/* w [rows, n] as the right operand of a product; `storage` holds product_panels_elements. */
template <typename T> product_right<T> right_of(const T *w, int64_t rows, int64_t n, T *storage) {
    if constexpr (is_paired<T>) {
        const product_panels<T> panels = {storage, rows};
        product_fill_panels(panels, 0, w, rows, n);
        return product_right_of(panels);
    } else {
        return {w, n, PANEL_COLUMNS};
    }
}

/* c [m, n] = a [m, k] b, a and c without gaps unless a stride is given. */
template <typename T>
product<T> block_product(int64_t m, int64_t n, int64_t k, const T *a, const product_right<T> &b,
                         float *c) {
    return {m, n, k, a, k, b, c, n, false};
}

kernel_attention_block block_of(const attention_call &call, int64_t first, int64_t rows,
                                const float *scores, int64_t stride, kernel_operand operand) {
    return {.rows = rows,
            .columns = first + BLOCK,
            .stride = stride,
            .seen = first + 1,
            .scale = static_cast<float>(call.scale),
            .scores = scores,
            .operand = operand};
}

/* --- forward ---------------------------------------------------------------------------------- */

/* out [N, H, d] and lse [H, N] for one task. */
template <typename T>
void forward_task(const attention_call &call, int64_t task, const at::Tensor &out,
                  const at::Tensor &lse) {
    const head_rows keys = rows_of_task(call, task);
    const int64_t d = call.head_dim();
    const int64_t length = whole_blocks(keys.count);
    scratch own;
    T *rows = own.take<T>(length * d);
    T *key_panels = own.take<T>(length * d);
    T *value_rows = own.take<T>(length * d);
    T *value_panels = own.take<T>(product_panels_elements(length, d));
    T *weights = own.take<T>(BLOCK * length);
    auto *scores = own.take<float>(BLOCK * length);
    auto *mixed = own.take<float>(BLOCK * d);
    float sum[BLOCK];
    gather(call.k, keys, rows);
    const product_right<T> keys_right = product_transpose_right(rows, length, d, key_panels);
    gather(call.v, keys, value_rows);
    const product_right<T> values_right = right_of(value_rows, length, d, value_panels);
    for (int64_t shared = 0; shared < call.queries_per_key(); shared++) {
        const head_rows queries = {keys.head * call.queries_per_key() + shared, keys.begin,
                                   keys.count};
        float *lse_row = lse.mutable_data_ptr<float>() + queries.head * lse.size(1) + keys.begin;
        gather(call.q, queries, rows);
        for (int64_t first = 0; first < keys.count; first += BLOCK) {
            const int64_t count = std::min(BLOCK, keys.count - first);
            const int64_t seen = first + BLOCK;
            product_run(block_product(BLOCK, seen, d, rows + first * d, keys_right, scores));
            const kernel_attention_weights_args args = {
                .block = block_of(call, first, count, scores, seen, operand_of<T>),
                .weights = weights,
                .sum = sum,
                .lse = lse_row + first};
            kernel_attention_weights(&args, KERNEL_ISA_BEST);
            product_run(block_product(BLOCK, d, seen, weights, values_right, mixed));
            scatter<T>(mixed, sum, out, queries, first, count);
        }
    }
    product_release<T>();
}

/* Calls run(task) for all tasks, on all threads. */
template <typename Run> void run_tasks(const attention_call &call, Run &&run) {
    parallel_for(call.tasks(), 1, [&](int64_t begin, int64_t end) {
        for (int64_t task = begin; task < end; task++) {
            run(task);
        }
    });
}

/* --- backward --------------------------------------------------------------------------------- */

struct attention_grads {
    at::Tensor q, k, v; /* of the operands' shapes */
};

/* What the blocks of one task share in backward. */
template <typename T> struct backward_task {
    const attention_call &call;
    head_rows keys;
    int64_t d;
    int64_t length; /* in whole blocks */
    scratch own;
    T *rows;                          /* [length, d], of which `right`s are made */
    product_right<T> keys_transposed; /* K^T, V^T [d, length], K [length, d] */
    product_right<T> values_transposed;
    product_right<T> keys_right;
    T *queries;       /* [length, d] */
    T *upstream;      /* [length, d] */
    T *weights;       /* [BLOCK, length] */
    T *d_scores;      /* [BLOCK, length] */
    T *turned;        /* [length, BLOCK] */
    T *panels;        /* of BLOCK rows of queries or of upstream */
    float *scores;    /* [BLOCK, length] */
    float *d_weights; /* [BLOCK, length] */
    float *d_queries; /* [BLOCK, d] */
    float *d_keys;    /* [length, d] */
    float *d_values;  /* [length, d] */

    backward_task(const attention_call &of, int64_t task)
        : call(of), keys(rows_of_task(of, task)), d(of.head_dim()),
          length(whole_blocks(keys.count)) {
        const int64_t panel_elements = product_panels_elements(length, d);
        rows = own.take<T>(length * d);
        gather(call.v, keys, rows);
        values_transposed = product_transpose_right(rows, length, d, own.take<T>(length * d));
        gather(call.k, keys, rows); /* stays: in f32 it is `keys_right` */
        keys_transposed = product_transpose_right(rows, length, d, own.take<T>(length * d));
        keys_right = right_of(rows, length, d, own.take<T>(panel_elements));
        queries = own.take<T>(length * d);
        upstream = own.take<T>(length * d);
        weights = own.take<T>(BLOCK * length);
        d_scores = own.take<T>(BLOCK * length);
        turned = own.take<T>(BLOCK * length);
        panels = own.take<T>(product_panels_elements(BLOCK, d));
        scores = own.take<float>(BLOCK * length);
        d_weights = own.take<float>(BLOCK * length);
        d_queries = own.take<float>(BLOCK * d);
        d_keys = own.take<float>(length * d);
        d_values = own.take<float>(length * d);
        const size_t bytes = static_cast<size_t>(length * d) * sizeof(float);
        memset(d_keys, 0, bytes);
        memset(d_values, 0, bytes);
    }
};

/* sum [columns, d] += left^T right, left [count, columns], right [count, d]. */
template <typename T>
void add_outer(backward_task<T> &task, const T *left, int64_t columns, const T *right,
               int64_t count, float *sum) {
    const int64_t depth = product_depth<T>(count);
    product_transpose_left(left, columns, count, columns, task.turned);
    product<T> p = block_product(columns, task.d, depth, task.turned,
                                 right_of(right, depth, task.d, task.panels), sum);
    p.accumulate = true;
    product_run(p);
}

/* Queries [first, first + count) of one head. */
template <typename T>
void backward_block(backward_task<T> &task, head_rows queries, const float *lse, int64_t first,
                    int64_t count, const at::Tensor &d_q) {
    const int64_t d = task.d;
    const int64_t seen = first + BLOCK;
    const T *q = task.queries + first * d;
    const T *dy = task.upstream + first * d;
    product_run(block_product(BLOCK, seen, d, q, task.keys_transposed, task.scores));
    product_run(block_product(BLOCK, seen, d, dy, task.values_transposed, task.d_weights));
    const kernel_attention_grads_args args = {
        .block = block_of(task.call, first, count, task.scores, seen, operand_of<T>),
        .lse = lse + first,
        .d_weights = task.d_weights,
        .weights = task.weights,
        .d_scores = task.d_scores};
    kernel_attention_grads(&args, KERNEL_ISA_BEST);
    add_outer(task, task.weights, seen, dy, count, task.d_values);
    add_outer(task, task.d_scores, seen, q, count, task.d_keys);
    product_run(block_product(count, d, seen, task.d_scores, task.keys_right, task.d_queries));
    scatter<T>(task.d_queries, nullptr, d_q, queries, first, count);
}

template <typename T>
void backward_of_task(const attention_call &call, int64_t number, const at::Tensor &lse,
                      const at::Tensor &dy, const attention_grads &grads) {
    backward_task<T> task(call, number);
    const head_rows keys = task.keys;
    for (int64_t shared = 0; shared < call.queries_per_key(); shared++) {
        const head_rows queries = {keys.head * call.queries_per_key() + shared, keys.begin,
                                   keys.count};
        const float *lse_row =
            lse.const_data_ptr<float>() + queries.head * lse.size(1) + keys.begin;
        gather(call.q, queries, task.queries);
        gather(dy, queries, task.upstream);
        for (int64_t first = 0; first < keys.count; first += BLOCK) {
            backward_block(task, queries, lse_row, first, std::min(BLOCK, keys.count - first),
                           grads.q);
        }
    }
    scatter<T>(task.d_keys, nullptr, grads.k, keys, 0, keys.count);
    scatter<T>(task.d_values, nullptr, grads.v, keys, 0, keys.count);
    product_release<T>();
}

/* --- the node --------------------------------------------------------------------------------- */

/* The operands as the products take them: bf16 where the processor multiplies it, in pairs along d;
 * otherwise f32, which is exact. */
at::Tensor prepared(const at::Tensor &t) {
    const bool pairs = t.scalar_type() == at::kBFloat16 && product_has_bf16() && t.size(2) % 2 == 0;
    return (pairs ? t : t.to(at::kFloat)).contiguous();
}

class attention_function : public torch::autograd::Function<attention_function> {
  public:
    static at::Tensor forward(AutogradContext *ctx, const at::Tensor &q, const at::Tensor &k,
                              const at::Tensor &v, const std::vector<int64_t> &starts,
                              double scale) {
        const attention_call call = {prepared(q), prepared(k), prepared(v), starts, scale};
        const at::Tensor out = at::empty(q.sizes(), call.q.options());
        const at::Tensor lse = at::empty({q.size(1), q.size(0)}, at::kFloat);
        run_tasks(call, [&](int64_t task) {
            if (out.scalar_type() == at::kFloat) {
                forward_task<float>(call, task, out, lse);
            } else {
                forward_task<at::BFloat16>(call, task, out, lse);
            }
        });
        ctx->save_for_backward({q, k, v, lse});
        ctx->saved_data["starts"] = starts;
        ctx->saved_data["scale"] = scale;
        return out.to(q.scalar_type());
    }

    static variable_list backward(AutogradContext *ctx, variable_list incoming) {
        refuse_second_derivative("attention_packed");
        const variable_list saved = ctx->get_saved_variables();
        const std::vector<int64_t> starts = ctx->saved_data["starts"].toIntVector();
        const attention_call call = {prepared(saved[0]), prepared(saved[1]), prepared(saved[2]),
                                     starts, ctx->saved_data["scale"].toDouble()};
        const at::Tensor &lse = saved[3];
        const at::Tensor dy = prepared(incoming[0]);
        const attention_grads grads = {at::empty(call.q.sizes(), call.q.options()),
                                       at::empty(call.k.sizes(), call.k.options()),
                                       at::empty(call.v.sizes(), call.v.options())};
        run_tasks(call, [&](int64_t task) {
            if (dy.scalar_type() == at::kFloat) {
                backward_of_task<float>(call, task, lse, dy, grads);
            } else {
                backward_of_task<at::BFloat16>(call, task, lse, dy, grads);
            }
        });
        const at::ScalarType type = saved[0].scalar_type();
        return {grads.q.to(type), grads.k.to(type), grads.v.to(type), at::Tensor(), at::Tensor()};
    }
};

/* --- elsewhere -------------------------------------------------------------------------------- */

/* The sequences packed in [N, heads, d], as ATen's attention wants one: [1, heads, T, d]. */
std::vector<at::Tensor> unpack(const at::Tensor &packed, const std::vector<int64_t> &starts) {
    std::vector<at::Tensor> parts;
    for (size_t i = 0; i + 1 < starts.size(); i++) {
        const at::Tensor part = packed.narrow(0, starts[i], starts[i + 1] - starts[i]);
        parts.push_back(part.transpose(0, 1).unsqueeze(0));
    }
    return parts;
}

at::Tensor plain_attention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
                           const std::vector<int64_t> &starts, double scale) {
    const std::vector<at::Tensor> queries = unpack(q, starts);
    const std::vector<at::Tensor> keys = unpack(k, starts);
    const std::vector<at::Tensor> values = unpack(v, starts);
    std::vector<at::Tensor> outputs(queries.size());
    for (size_t i = 0; i < queries.size(); i++) {
        outputs[i] = at::scaled_dot_product_attention(queries[i], keys[i], values[i], std::nullopt,
                                                      /*dropout_p=*/0.0, /*is_causal=*/true, scale,
                                                      /*enable_gqa=*/true)
                         .squeeze(0)
                         .transpose(0, 1);
    }
    return at::cat(outputs, 0);
}

std::vector<int64_t> checked_starts(tt_sequences sequences, int64_t tokens) {
    const int64_t *starts = sequences.starts;
    TORCH_CHECK(sequences.count > 0 && starts[0] == 0 && starts[sequences.count] == tokens,
                "the sequences' bounds do not cover the ", tokens, " tokens");
    for (int64_t i = 0; i < sequences.count; i++) {
        TORCH_CHECK(starts[i + 1] > starts[i], "sequence ", i, " is empty");
    }
    return {starts, starts + sequences.count + 1};
}

at::Tensor attend_packed(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
                         tt_sequences sequences, double scale) {
    TORCH_CHECK(q.dim() == 3 && k.dim() == 3 && k.sizes().equals(v.sizes()),
                "q, k and v have three dimensions, and k and v one shape");
    TORCH_CHECK(q.size(0) == k.size(0) && q.size(2) == k.size(2),
                "q and k differ in tokens or head size");
    TORCH_CHECK(scale > 0.0, "the scale ", scale, " is not positive");
    TORCH_CHECK(k.size(1) > 0 && q.size(1) % k.size(1) == 0, q.size(1),
                " query heads do not share ", k.size(1), " key heads evenly");
    const std::vector<int64_t> starts = checked_starts(sequences, q.size(0));
    const bool ours = q.is_cpu() && q.size(2) > 0 &&
                      (q.scalar_type() == at::kFloat || q.scalar_type() == at::kBFloat16);
    return ours ? attention_function::apply(q, k, v, starts, scale)
                : plain_attention(q, k, v, starts, scale);
}

} // namespace

tt_tensor *tt_attention_packed(tt_scope *s, const tt_tensor *q, const tt_tensor *k,
                               const tt_tensor *v, struct tt_sequences sequences,
                               double scale) noexcept {
    return guarded(s, "attention_packed", {q, k, v}, SAME_DTYPE | FLOAT,
                   [&] { return attend_packed(q->t, k->t, v->t, sequences, scale); });
}
