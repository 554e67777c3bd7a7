/* tt_attention.cpp - causal attention within the sequences of a packed batch. See tt_ops.h.
 *
 * CPU:      a task is one key head, with the query heads that share it, of one group: a sequence
 *           and those that continue it, one after the other, each behind the keys of the first.
 *           Queries go in blocks of 64: their scores against all keys that any of them sees,
 *           softmax of whole rows, product with the values. Backward has the log-sum-exp of each
 *           row from forward and computes the scores again. Keys are filled up with zeros to whole
 *           blocks, so that every product is one of few shapes. A thread takes 64 rows of scores,
 *           and a few copies of its head: memory is linear in the length.
 * Numbers:  bf16 operands, f32 sums and softmax; weights and gradients of scores are rounded to the
 *           operands' type for the products. An element is summed by one thread in one order, the
 *           gradients of a prefix over the sequences in theirs: results do not depend on the thread
 *           count.
 * Elsewhere (CUDA, and f64 for gradient checks): ATen's attention, a sequence at a time.
 * Source:   arXiv 2205.14135; prefixes computed once: arXiv 2402.05099.
 */
#include "tensor/tt_internal.hpp"
#include "tensor/tt_node.hpp"
#include "tensor/tt_parallel.hpp"
#include "tensor/tt_product.hpp"

#include "tensor/kernels/kernel_attention_rows.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>
#include <vector>

using namespace tt;

namespace {

constexpr int64_t BLOCK = ROW_TILE; /* queries at a time */

template <typename T>
constexpr kernel_operand operand_of = is_paired<T> ? KERNEL_OPERAND_BF16 : KERNEL_OPERAND_F32;

int64_t whole_blocks(int64_t n) {
    return (n + BLOCK - 1) / BLOCK * BLOCK;
}

/* What tt_sequences says, by group: a sequence that continues none, then those that continue it.
 */
struct sequence_layout {
    std::vector<int64_t> starts;   /* [sequences + 1] */
    std::vector<int64_t> prefixes; /* [sequences], -1: none */
    std::vector<int64_t> members;  /* [sequences]: of all groups, one after the other */
    std::vector<int64_t> groups;   /* [groups + 1]: where in `members` each begins */

    sequence_layout(std::vector<int64_t> bounds, std::vector<int64_t> continued)
        : starts(std::move(bounds)), prefixes(std::move(continued)), members(prefixes.size()) {
        const auto first_of = [&](int64_t i) { return prefix_of(i) < 0 ? i : prefix_of(i); };
        std::iota(members.begin(), members.end(), 0);
        std::stable_sort(members.begin(), members.end(),
                         [&](int64_t i, int64_t j) { return first_of(i) < first_of(j); });
        for (int64_t m = 0; m < sequences(); m++) {
            if (prefix_of(members[static_cast<size_t>(m)]) < 0) {
                groups.push_back(m);
            }
        }
        groups.push_back(sequences());
    }

    int64_t sequences() const {
        return static_cast<int64_t>(prefixes.size());
    }
    int64_t prefix_of(int64_t i) const {
        return prefixes[static_cast<size_t>(i)];
    }
    int64_t start(int64_t i) const {
        return starts[static_cast<size_t>(i)];
    }
    int64_t length(int64_t i) const {
        return start(i + 1) - start(i);
    }
};

/* q [N, H, d], k and v [N, H_kv, d], without gaps. */
struct attention_call {
    at::Tensor q, k, v;
    const sequence_layout &layout;
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
        return (static_cast<int64_t>(layout.groups.size()) - 1) * kv_heads();
    }
};

/* Rows of one head, in a tensor [N, heads, d]. */
struct head_rows {
    int64_t head, begin, count;
};

/* A sequence of a task: its keys, and how many of the group's first it sees before them. */
struct member {
    head_rows keys;
    int64_t before;

    int64_t length() const { /* of all keys, in whole blocks */
        return whole_blocks(before + keys.count);
    }
    int64_t whole_before() const { /* keys in blocks that have none of its own */
        return before / BLOCK * BLOCK;
    }
};

std::vector<member> members_of_task(const attention_call &call, int64_t task) {
    const sequence_layout &layout = call.layout;
    const auto group = static_cast<size_t>(task / call.kv_heads());
    const int64_t head = task % call.kv_heads();
    std::vector<member> members;
    for (int64_t m = layout.groups[group]; m < layout.groups[group + 1]; m++) {
        const int64_t i = layout.members[static_cast<size_t>(m)];
        const int64_t before = members.empty() ? 0 : members[0].keys.count;
        members.push_back({{head, layout.start(i), layout.length(i)}, before});
    }
    return members;
}

int64_t longest_of(const std::vector<member> &members) {
    int64_t longest = 0;
    for (const member &m : members) {
        longest = std::max(longest, m.length());
    }
    return longest;
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

/* Rows `before` and on of to [whole blocks, d] = the rows, then zeros. */
template <typename T> void gather(const at::Tensor &from, head_rows rows, int64_t before, T *to) {
    const int64_t d = from.size(2);
    const int64_t stride = from.size(1) * d;
    const T *row = from.const_data_ptr<T>() + rows.begin * stride + rows.head * d;
    const size_t bytes = static_cast<size_t>(d) * sizeof(T);
    const int64_t end = before + rows.count;
    for (int64_t i = 0; i < rows.count; i++) {
        memcpy(to + (before + i) * d, row + i * stride, bytes);
    }
    memset(static_cast<void *>(to + end * d), 0,
           bytes * static_cast<size_t>(whole_blocks(end) - end));
}

/* The rows = from [count, d] / divisor. */
template <typename T>
void scatter(const float *from, const float *divisor, const at::Tensor &to, head_rows rows) {
    const int64_t d = to.size(2);
    const int64_t stride = to.size(1) * d;
    const kernel_attention_store_args args = {.from = from,
                                              .divisor = divisor,
                                              .rows = rows.count,
                                              .n = d,
                                              .operand = operand_of<T>,
                                              .to = to.mutable_data_ptr<T>() + rows.begin * stride +
                                                    rows.head * d,
                                              .to_stride = stride};
    kernel_attention_store(&args, KERNEL_ISA_BEST);
}

/* w [rows, n] as the right operand of a product, rows from `first` on being new; `storage` holds
 * product_panels_elements(rows_max, n). */
template <typename T>
product_right<T> right_of(const T *w, int64_t first, int64_t rows, int64_t n,
                          const product_panels<T> &storage) {
    if constexpr (is_paired<T>) {
        product_fill_panels(storage, first, w + first * n, rows - first, n);
        return product_right_of(storage);
    } else {
        return {w, n, PANEL_COLUMNS};
    }
}

/* The same of w^T; `first` is that of a block, and `to` holds as much as w. */
template <typename T>
product_right<T> transposed_of(const T *w, int64_t first, int64_t rows, int64_t n, T *to) {
    product_right<T> right =
        product_transpose_right(w + first * n, rows - first, n, to + first * n);
    right.data = to;
    return right;
}

/* c [m, n] = a [m, k] b, a and c without gaps unless a stride is given. */
template <typename T>
product<T> block_product(int64_t m, int64_t n, int64_t k, const T *a, const product_right<T> &b,
                         float *c) {
    return {m, n, k, a, k, b, c, n, false};
}

/* A block of the queries of a member. */
struct query_block {
    head_rows queries;
    int64_t seen;    /* keys, by the first of them */
    int64_t columns; /* keys that any of them sees, in whole blocks */
};

query_block block_at(const member &of, int64_t head, int64_t first) {
    const int64_t count = std::min(BLOCK, of.keys.count - first);
    return {{head, of.keys.begin + first, count},
            of.before + first + 1,
            whole_blocks(of.before + first + count)};
}

kernel_attention_block kernel_block_of(const attention_call &call, const query_block &block,
                                       const float *scores, kernel_operand operand) {
    return {.rows = block.queries.count,
            .columns = block.columns,
            .stride = block.columns,
            .seen = block.seen,
            .scale = static_cast<float>(call.scale),
            .scores = scores,
            .operand = operand};
}

/* Calls run(block) for the queries of a member: all heads that share its key head. */
template <typename Run> void run_blocks(const attention_call &call, const member &of, Run &&run) {
    const int64_t shared = call.queries_per_key();
    for (int64_t head = of.keys.head * shared; head < (of.keys.head + 1) * shared; head++) {
        for (int64_t first = 0; first < of.keys.count; first += BLOCK) {
            run(block_at(of, head, first));
        }
    }
}

/* --- forward ---------------------------------------------------------------------------------- */

/* out [N, H, d] and lse [H, N] for one task. */
template <typename T>
void forward_task(const attention_call &call, int64_t task, const at::Tensor &out,
                  const at::Tensor &lse) {
    const std::vector<member> members = members_of_task(call, task);
    const int64_t d = call.head_dim();
    const int64_t length = longest_of(members);
    scratch own;
    T *key_rows = own.take<T>(length * d);
    T *value_rows = own.take<T>(length * d);
    T *key_panels = own.take<T>(length * d);
    const product_panels<T> value_panels = {own.take<T>(product_panels_elements(length, d)),
                                            length};
    T *queries = own.take<T>(BLOCK * d);
    T *weights = own.take<T>(BLOCK * length);
    auto *scores = own.take<float>(BLOCK * length);
    auto *mixed = own.take<float>(BLOCK * d);
    float sum[BLOCK];
    for (const member &of : members) {
        gather(call.k, of.keys, of.before, key_rows);
        gather(call.v, of.keys, of.before, value_rows);
        const product_right<T> keys_right =
            transposed_of(key_rows, of.whole_before(), of.length(), d, key_panels);
        const product_right<T> values_right =
            right_of(value_rows, of.whole_before(), of.length(), d, value_panels);
        run_blocks(call, of, [&](const query_block &block) {
            gather(call.q, block.queries, 0, queries);
            product_run(block_product(BLOCK, block.columns, d, queries, keys_right, scores));
            const kernel_attention_weights_args args = {
                .block = kernel_block_of(call, block, scores, operand_of<T>),
                .weights = weights,
                .sum = sum,
                .lse = lse.mutable_data_ptr<float>() + block.queries.head * lse.size(1) +
                       block.queries.begin};
            kernel_attention_weights(&args, KERNEL_ISA_BEST);
            product_run(block_product(BLOCK, d, block.columns, weights, values_right, mixed));
            scatter<T>(mixed, sum, out, block.queries);
        });
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
    std::vector<member> members;
    int64_t d;
    int64_t length; /* of the longest member's keys */
    scratch own;
    T *key_rows;   /* [length, d], of which `right`s are made */
    T *value_rows; /* [length, d] */
    T *key_panels; /* of K^T, V^T and K */
    T *value_panels;
    product_panels<T> key_row_panels;
    product_right<T> keys_transposed; /* K^T, V^T [d, length], K [length, d] */
    product_right<T> values_transposed;
    product_right<T> keys_right;
    T *queries;       /* [BLOCK, d] */
    T *upstream;      /* [BLOCK, d] */
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
        : call(of), members(members_of_task(of, task)), d(of.head_dim()),
          length(longest_of(members)) {
        key_rows = own.take<T>(length * d);
        value_rows = own.take<T>(length * d);
        key_panels = own.take<T>(length * d);
        value_panels = own.take<T>(length * d);
        key_row_panels = {own.take<T>(product_panels_elements(length, d)), length};
        queries = own.take<T>(BLOCK * d);
        upstream = own.take<T>(BLOCK * d);
        weights = own.take<T>(BLOCK * length);
        d_scores = own.take<T>(BLOCK * length);
        turned = own.take<T>(BLOCK * length);
        panels = own.take<T>(product_panels_elements(BLOCK, d));
        scores = own.take<float>(BLOCK * length);
        d_weights = own.take<float>(BLOCK * length);
        d_queries = own.take<float>(BLOCK * d);
        d_keys = own.take<float>(length * d);
        d_values = own.take<float>(length * d);
    }
};

/* The member's keys and values behind those of the group's first, with gradients of zero. */
template <typename T> void load_member(backward_task<T> &task, const member &of) {
    const int64_t d = task.d;
    const int64_t rows = of.length();
    const int64_t kept = of.whole_before();
    gather(task.call.k, of.keys, of.before, task.key_rows);
    gather(task.call.v, of.keys, of.before, task.value_rows);
    task.keys_transposed = transposed_of(task.key_rows, kept, rows, d, task.key_panels);
    task.values_transposed = transposed_of(task.value_rows, kept, rows, d, task.value_panels);
    task.keys_right = right_of(task.key_rows, kept, rows, d, task.key_row_panels);
    const size_t bytes = static_cast<size_t>((rows - of.before) * d) * sizeof(float);
    memset(task.d_keys + of.before * d, 0, bytes);
    memset(task.d_values + of.before * d, 0, bytes);
}

template <typename T>
void store_member(const backward_task<T> &task, const member &of, const attention_grads &grads) {
    scatter<T>(task.d_keys + of.before * task.d, nullptr, grads.k, of.keys);
    scatter<T>(task.d_values + of.before * task.d, nullptr, grads.v, of.keys);
}

/* sum [columns, d] += left^T right, left [count, columns], right [count, d]. */
template <typename T>
void add_outer(backward_task<T> &task, const T *left, int64_t columns, const T *right,
               int64_t count, float *sum) {
    const int64_t depth = product_depth<T>(count);
    product_transpose_left(left, columns, count, columns, task.turned);
    product<T> p = block_product(columns, task.d, depth, task.turned,
                                 right_of(right, 0, depth, task.d, {task.panels, depth}), sum);
    p.accumulate = true;
    product_run(p);
}

template <typename T>
void backward_block(backward_task<T> &task, const query_block &block, const at::Tensor &lse,
                    const at::Tensor &dy, const at::Tensor &d_q) {
    const int64_t d = task.d;
    const int64_t seen = block.columns;
    const int64_t count = block.queries.count;
    gather(task.call.q, block.queries, 0, task.queries);
    gather(dy, block.queries, 0, task.upstream);
    product_run(block_product(BLOCK, seen, d, task.queries, task.keys_transposed, task.scores));
    product_run(
        block_product(BLOCK, seen, d, task.upstream, task.values_transposed, task.d_weights));
    const kernel_attention_grads_args args = {
        .block = kernel_block_of(task.call, block, task.scores, operand_of<T>),
        .lse = lse.const_data_ptr<float>() + block.queries.head * lse.size(1) + block.queries.begin,
        .d_weights = task.d_weights,
        .weights = task.weights,
        .d_scores = task.d_scores};
    kernel_attention_grads(&args, KERNEL_ISA_BEST);
    add_outer(task, task.weights, seen, task.upstream, count, task.d_values);
    add_outer(task, task.d_scores, seen, task.queries, count, task.d_keys);
    product_run(block_product(count, d, seen, task.d_scores, task.keys_right, task.d_queries));
    scatter<T>(task.d_queries, nullptr, d_q, block.queries);
}

/* The first's gradients are complete when all that continue it have added theirs. */
template <typename T>
void backward_of_task(const attention_call &call, int64_t number, const at::Tensor &lse,
                      const at::Tensor &dy, const attention_grads &grads) {
    backward_task<T> task(call, number);
    for (size_t m = 0; m < task.members.size(); m++) {
        const member &of = task.members[m];
        load_member(task, of);
        run_blocks(call, of, [&](const query_block &block) {
            backward_block(task, block, lse, dy, grads.q);
        });
        if (m > 0) {
            store_member(task, of, grads);
        }
    }
    store_member(task, task.members[0], grads);
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
                              const at::Tensor &v, const sequence_layout &layout, double scale) {
        const attention_call call = {prepared(q), prepared(k), prepared(v), layout, scale};
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
        ctx->saved_data["starts"] = layout.starts;
        ctx->saved_data["prefixes"] = layout.prefixes;
        ctx->saved_data["scale"] = scale;
        return out.to(q.scalar_type());
    }

    static variable_list backward(AutogradContext *ctx, variable_list incoming) {
        refuse_second_derivative("attention_packed");
        const variable_list saved = ctx->get_saved_variables();
        const sequence_layout layout(ctx->saved_data["starts"].toIntVector(),
                                     ctx->saved_data["prefixes"].toIntVector());
        const attention_call call = {prepared(saved[0]), prepared(saved[1]), prepared(saved[2]),
                                     layout, ctx->saved_data["scale"].toDouble()};
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

/* A sequence packed in [N, heads, d], as ATen's attention wants it: [1, heads, T, d]. */
at::Tensor unpack(const at::Tensor &packed, const sequence_layout &layout, int64_t i) {
    const at::Tensor part = packed.narrow(0, layout.start(i), layout.length(i));
    return part.transpose(0, 1).unsqueeze(0);
}

/* With what it continues before it. */
at::Tensor unpack_whole(const at::Tensor &packed, const sequence_layout &layout, int64_t i) {
    const at::Tensor own = unpack(packed, layout, i);
    const int64_t prefix = layout.prefix_of(i);
    return prefix < 0 ? own : at::cat({unpack(packed, layout, prefix), own}, 2);
}

at::Tensor plain_attention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
                           const sequence_layout &layout, double scale) {
    std::vector<at::Tensor> outputs;
    for (int64_t i = 0; i < layout.sequences(); i++) {
        const at::Tensor queries = unpack(q, layout, i);
        const at::Tensor keys = unpack_whole(k, layout, i);
        const at::Tensor values = unpack_whole(v, layout, i);
        outputs.push_back(attend_causal(queries, keys, values, scale).squeeze(0).transpose(0, 1));
    }
    return at::cat(outputs, 0);
}

sequence_layout checked_layout(tt_sequences sequences, int64_t tokens) {
    const int64_t *starts = sequences.starts;
    const int64_t *prefixes = sequences.prefixes;
    TORCH_CHECK(sequences.count > 0 && starts[0] == 0 && starts[sequences.count] == tokens,
                "the sequences' bounds do not cover the ", tokens, " tokens");
    for (int64_t i = 0; i < sequences.count; i++) {
        TORCH_CHECK(starts[i + 1] > starts[i], "sequence ", i, " is empty");
        const int64_t prefix = prefixes ? prefixes[i] : -1;
        TORCH_CHECK(prefix >= -1 && prefix < i, "sequence ", i, " continues sequence ", prefix,
                    ", which is not before it");
        TORCH_CHECK(prefix < 0 || prefixes[prefix] < 0, "sequence ", i, " continues sequence ",
                    prefix, ", which continues another itself");
    }
    std::vector<int64_t> continued(static_cast<size_t>(sequences.count), -1);
    if (prefixes) {
        continued.assign(prefixes, prefixes + sequences.count);
    }
    return {{starts, starts + sequences.count + 1}, std::move(continued)};
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
    const sequence_layout layout = checked_layout(sequences, q.size(0));
    const bool ours = q.is_cpu() && q.size(2) > 0 &&
                      (q.scalar_type() == at::kFloat || q.scalar_type() == at::kBFloat16);
    return ours ? attention_function::apply(q, k, v, layout, scale)
                : plain_attention(q, k, v, layout, scale);
}

} // namespace

tt_tensor *tt_attention_packed(tt_scope *s, const tt_tensor *q, const tt_tensor *k,
                               const tt_tensor *v, struct tt_sequences sequences,
                               double scale) noexcept {
    return guarded(s, "attention_packed", {q, k, v}, SAME_DTYPE | FLOAT,
                   [&] { return attend_packed(q->t, k->t, v->t, sequences, scale); });
}
