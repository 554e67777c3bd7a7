/* tt_ops.h - the tensor operations. Include tensor/tt.h, which states the rules they share.
 *
 * Reading:  `a`, `b` operands; `dim` counts from 0, or from the end when negative; [N, V] shapes.
 *           "float" means f64, f32, bf16 or f16; "wide float" means f64 or f32.
 *           Results are temporaries of `s` with the dtype of `a` unless a line says otherwise.
 * To add:   an op needs a caller; declare it here, define it in one or two lines in
 *           tt_<family>.cpp, and give it a boundary test whose values would expose swapped
 *           arguments.
 */
#ifndef TENSOR_TT_OPS_H
#define TENSOR_TT_OPS_H

#include "base/rng.h"
#include "tensor/tt.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether a reduced dimension goes away or stays with size 1. */
enum tt_reduced_dim { TT_DROP_DIM, TT_KEEP_DIM };

/* --- creation, on the scope's device --------------------------------------------------------- */

/* A value that the dtype does not have, such as 0.5 of i64, is refused. */
tt_tensor *tt_zeros(tt_scope *s, enum tt_dtype dtype, struct tt_shape shape) TT_NOEXCEPT;
tt_tensor *tt_full(tt_scope *s, enum tt_dtype dtype, struct tt_shape shape,
                   double value) TT_NOEXCEPT;
tt_tensor *tt_zeros_like(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT;
tt_tensor *tt_full_like(tt_scope *s, const tt_tensor *a, double value) TT_NOEXCEPT;
tt_tensor *tt_scalar(tt_scope *s, enum tt_dtype dtype, double value) TT_NOEXCEPT; /* [] */
tt_tensor *tt_arange(tt_scope *s, int64_t start, int64_t count) TT_NOEXCEPT;      /* [count] i64 */

/* Copies of `values`, row-major; as many as the shape holds. */
tt_tensor *tt_from_f32(tt_scope *s, const float *values, struct tt_shape shape) TT_NOEXCEPT;
tt_tensor *tt_from_f64(tt_scope *s, const double *values, struct tt_shape shape) TT_NOEXCEPT;
tt_tensor *tt_from_i64(tt_scope *s, const int64_t *values, struct tt_shape shape) TT_NOEXCEPT;
tt_tensor *tt_from_i32(tt_scope *s, const int32_t *values, struct tt_shape shape) TT_NOEXCEPT;
tt_tensor *tt_from_bool(tt_scope *s, const bool *values, struct tt_shape shape) TT_NOEXCEPT;

/* A view of the caller's memory on the CPU, which must outlive every use of the handle, and of any
 * graph made from it. */
tt_tensor *tt_borrow(tt_scope *s, enum tt_dtype dtype, void *values,
                     struct tt_shape shape) TT_NOEXCEPT;

/* f32 from the keyed generator: uniform in [0, 1), standard normal. Element i depends on the stream
 * and i only: the same numbers for every thread count and device. `rng` is borrowed and unchanged:
 * take a fresh stream for each tensor. */
tt_tensor *tt_rand_uniform(tt_scope *s, const struct rng *rng, struct tt_shape shape) TT_NOEXCEPT;
tt_tensor *tt_rand_normal(tt_scope *s, const struct rng *rng, struct tt_shape shape) TT_NOEXCEPT;

/* --- conversion ------------------------------------------------------------------------------ */

/* With nothing to do, cast, to_device and contiguous give `a`'s own memory: clone it before a
 * change in place. */
tt_tensor *tt_cast(tt_scope *s, const tt_tensor *a, enum tt_dtype dtype) TT_NOEXCEPT;
tt_tensor *tt_to_device(tt_scope *s, const tt_tensor *a, struct tt_device device) TT_NOEXCEPT;
tt_tensor *tt_detach(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT; /* same values, no gradient */
tt_tensor *tt_clone(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT;
tt_tensor *tt_contiguous(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT;

/* --- one operand ------------------------------------------------------------------------------ */

tt_tensor *tt_neg(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT;
tt_tensor *tt_abs(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT;
tt_tensor *tt_sign(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT;
tt_tensor *tt_square(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT;
tt_tensor *tt_scale(tt_scope *s, const tt_tensor *a, double factor) TT_NOEXCEPT;
tt_tensor *tt_shift(tt_scope *s, const tt_tensor *a, double offset) TT_NOEXCEPT;
tt_tensor *tt_clamp(tt_scope *s, const tt_tensor *a, double low,
                    double high) TT_NOEXCEPT; /* low <= high */
tt_tensor *tt_clamp_min(tt_scope *s, const tt_tensor *a, double low) TT_NOEXCEPT;
tt_tensor *tt_clamp_max(tt_scope *s, const tt_tensor *a, double high) TT_NOEXCEPT;

/* Float operands only, so that no integer silently becomes a float. */
tt_tensor *tt_exp(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT;
tt_tensor *tt_expm1(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT;
tt_tensor *tt_log(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT;
tt_tensor *tt_log1p(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT;
tt_tensor *tt_sqrt(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT;
tt_tensor *tt_rsqrt(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT;
tt_tensor *tt_reciprocal(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT;
tt_tensor *tt_pow(tt_scope *s, const tt_tensor *a, double exponent) TT_NOEXCEPT;
tt_tensor *tt_sin(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT;
tt_tensor *tt_cos(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT;
tt_tensor *tt_tanh(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT;
tt_tensor *tt_sigmoid(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT;
tt_tensor *tt_log_sigmoid(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT; /* log(1 / (1 + e^-a)) */
tt_tensor *tt_softplus(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT;    /* log(1 + e^a) */
tt_tensor *tt_relu(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT;
tt_tensor *tt_gelu(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT;      /* a Phi(a), exact (erf) */
tt_tensor *tt_gelu_tanh(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT; /* its tanh approximation */
tt_tensor *tt_silu(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT;      /* a sigmoid(a) */
tt_tensor *tt_is_finite(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT; /* bool */

/* --- two operands of equal shape, or one of them [] ------------------------------------------ */

tt_tensor *tt_add(tt_scope *s, const tt_tensor *a, const tt_tensor *b) TT_NOEXCEPT;
tt_tensor *tt_sub(tt_scope *s, const tt_tensor *a, const tt_tensor *b) TT_NOEXCEPT; /* a - b */
tt_tensor *tt_mul(tt_scope *s, const tt_tensor *a, const tt_tensor *b) TT_NOEXCEPT;
tt_tensor *tt_div(tt_scope *s, const tt_tensor *a,
                  const tt_tensor *b) TT_NOEXCEPT; /* a / b, float */
tt_tensor *tt_add_scaled(tt_scope *s, const tt_tensor *a, const tt_tensor *b,
                         double factor) TT_NOEXCEPT; /* a + factor b */
tt_tensor *tt_minimum(tt_scope *s, const tt_tensor *a, const tt_tensor *b) TT_NOEXCEPT;
tt_tensor *tt_maximum(tt_scope *s, const tt_tensor *a, const tt_tensor *b) TT_NOEXCEPT;

/* The spelled-out exception: shapes are matched from the last dimension, and size 1 repeats. */
tt_tensor *tt_add_broadcast(tt_scope *s, const tt_tensor *a, const tt_tensor *b) TT_NOEXCEPT;
tt_tensor *tt_sub_broadcast(tt_scope *s, const tt_tensor *a, const tt_tensor *b) TT_NOEXCEPT;
tt_tensor *tt_mul_broadcast(tt_scope *s, const tt_tensor *a, const tt_tensor *b) TT_NOEXCEPT;
tt_tensor *tt_div_broadcast(tt_scope *s, const tt_tensor *a, const tt_tensor *b) TT_NOEXCEPT;

/* --- comparison and choice: results are bool ------------------------------------------------- */

tt_tensor *tt_eq(tt_scope *s, const tt_tensor *a, const tt_tensor *b) TT_NOEXCEPT;
tt_tensor *tt_ne(tt_scope *s, const tt_tensor *a, const tt_tensor *b) TT_NOEXCEPT;
tt_tensor *tt_lt(tt_scope *s, const tt_tensor *a, const tt_tensor *b) TT_NOEXCEPT; /* a < b */
tt_tensor *tt_le(tt_scope *s, const tt_tensor *a, const tt_tensor *b) TT_NOEXCEPT;
tt_tensor *tt_gt(tt_scope *s, const tt_tensor *a, const tt_tensor *b) TT_NOEXCEPT;
tt_tensor *tt_ge(tt_scope *s, const tt_tensor *a, const tt_tensor *b) TT_NOEXCEPT;
tt_tensor *tt_logical_and(tt_scope *s, const tt_tensor *a, const tt_tensor *b) TT_NOEXCEPT;
tt_tensor *tt_logical_or(tt_scope *s, const tt_tensor *a, const tt_tensor *b) TT_NOEXCEPT;
tt_tensor *tt_logical_not(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT;

/* where(mask, a, b): a where the bool mask is true, else b; all of one shape. */
tt_tensor *tt_where(tt_scope *s, const tt_tensor *mask, const tt_tensor *a,
                    const tt_tensor *b) TT_NOEXCEPT;
/* `value` where the bool mask (of a's shape) is true. */
tt_tensor *tt_masked_fill(tt_scope *s, const tt_tensor *a, const tt_tensor *mask,
                          double value) TT_NOEXCEPT;

/* --- reductions ------------------------------------------------------------------------------ */

/* Over everything, to []. Sums take wide floats and i64; means and norms wide floats. */
tt_tensor *tt_sum(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT;
tt_tensor *tt_mean(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT;
tt_tensor *tt_min(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT;
tt_tensor *tt_max(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT;
tt_tensor *tt_norm(tt_scope *s, const tt_tensor *a) TT_NOEXCEPT;   /* Euclidean */
tt_tensor *tt_any(tt_scope *s, const tt_tensor *mask) TT_NOEXCEPT; /* bool to bool */
tt_tensor *tt_all(tt_scope *s, const tt_tensor *mask) TT_NOEXCEPT;

/* Over one dimension. */
tt_tensor *tt_sum_dim(tt_scope *s, const tt_tensor *a, int64_t dim,
                      enum tt_reduced_dim reduced) TT_NOEXCEPT;
tt_tensor *tt_mean_dim(tt_scope *s, const tt_tensor *a, int64_t dim,
                       enum tt_reduced_dim reduced) TT_NOEXCEPT;
tt_tensor *tt_min_dim(tt_scope *s, const tt_tensor *a, int64_t dim,
                      enum tt_reduced_dim reduced) TT_NOEXCEPT;
tt_tensor *tt_max_dim(tt_scope *s, const tt_tensor *a, int64_t dim,
                      enum tt_reduced_dim reduced) TT_NOEXCEPT;
/* Sum of squared deviations over (size - correction), which must be positive: 1 for a sample, 0 for
 * a population. */
tt_tensor *tt_var_dim(tt_scope *s, const tt_tensor *a, int64_t dim, int64_t correction,
                      enum tt_reduced_dim reduced) TT_NOEXCEPT;
tt_tensor *tt_logsumexp(tt_scope *s, const tt_tensor *a, int64_t dim,
                        enum tt_reduced_dim reduced) TT_NOEXCEPT;
tt_tensor *tt_argmax(tt_scope *s, const tt_tensor *a, int64_t dim,
                     enum tt_reduced_dim reduced) TT_NOEXCEPT; /* i64, the first of equals */
tt_tensor *tt_argmin(tt_scope *s, const tt_tensor *a, int64_t dim,
                     enum tt_reduced_dim reduced) TT_NOEXCEPT;
tt_tensor *tt_cumsum(tt_scope *s, const tt_tensor *a, int64_t dim) TT_NOEXCEPT;
tt_tensor *tt_softmax(tt_scope *s, const tt_tensor *a, int64_t dim) TT_NOEXCEPT;
tt_tensor *tt_log_softmax(tt_scope *s, const tt_tensor *a, int64_t dim) TT_NOEXCEPT;

/* Values in order, and where along the dimension each came from (i64); both NULL after an error. */
struct tt_ordered {
    tt_tensor *values;
    tt_tensor *indices;
};
/* Sorted along `dim`; ties keep their order. */
struct tt_ordered tt_sort(tt_scope *s, const tt_tensor *a, int64_t dim,
                          bool descending) TT_NOEXCEPT;
/* The k largest along `dim`, largest first. */
struct tt_ordered tt_topk(tt_scope *s, const tt_tensor *a, int64_t k, int64_t dim) TT_NOEXCEPT;

/* --- shape: views where possible ------------------------------------------------------------- */

tt_tensor *tt_reshape(tt_scope *s, const tt_tensor *a, struct tt_shape shape) TT_NOEXCEPT;
tt_tensor *tt_transpose(tt_scope *s, const tt_tensor *a, int64_t dim0, int64_t dim1) TT_NOEXCEPT;
tt_tensor *tt_permute(tt_scope *s, const tt_tensor *a, struct tt_shape dims) TT_NOEXCEPT;
tt_tensor *tt_squeeze(tt_scope *s, const tt_tensor *a, int64_t dim) TT_NOEXCEPT; /* its size is 1 */
tt_tensor *tt_unsqueeze(tt_scope *s, const tt_tensor *a, int64_t dim) TT_NOEXCEPT;
/* Repeats dimensions of size 1 up to `shape`; memory is shared. */
tt_tensor *tt_expand(tt_scope *s, const tt_tensor *a, struct tt_shape shape) TT_NOEXCEPT;
tt_tensor *tt_narrow(tt_scope *s, const tt_tensor *a, int64_t dim, int64_t start,
                     int64_t length) TT_NOEXCEPT;
tt_tensor *tt_select(tt_scope *s, const tt_tensor *a, int64_t dim, int64_t index) TT_NOEXCEPT;
tt_tensor *tt_flip(tt_scope *s, const tt_tensor *a, int64_t dim) TT_NOEXCEPT;
/* Joins along an existing dimension, or along a new one. */
tt_tensor *tt_cat(tt_scope *s, const tt_tensor *const *parts, int64_t count,
                  int64_t dim) TT_NOEXCEPT;
tt_tensor *tt_stack(tt_scope *s, const tt_tensor *const *parts, int64_t count,
                    int64_t dim) TT_NOEXCEPT;
/* Each slice along `dim` `repeats` times in a row: 1 2 -> 1 1 2 2. */
tt_tensor *tt_repeat_interleave(tt_scope *s, const tt_tensor *a, int64_t repeats,
                                int64_t dim) TT_NOEXCEPT;
/* Zero above, or below, the given diagonal of the last two dimensions (0 main, positive upwards).
 */
tt_tensor *tt_tril(tt_scope *s, const tt_tensor *a, int64_t diagonal) TT_NOEXCEPT;
tt_tensor *tt_triu(tt_scope *s, const tt_tensor *a, int64_t diagonal) TT_NOEXCEPT;

/* --- indexing: `index` is i64 ---------------------------------------------------------------- */

/* Slices a[.., index[i], ..] along `dim`; index [K]. */
tt_tensor *tt_index_select(tt_scope *s, const tt_tensor *a, int64_t dim,
                           const tt_tensor *index) TT_NOEXCEPT;
/* out[i][j] = a[i][index[i][j]] for dim 1; only along `dim` may index and `a` differ in size. */
tt_tensor *tt_gather(tt_scope *s, const tt_tensor *a, int64_t dim,
                     const tt_tensor *index) TT_NOEXCEPT;
/* A copy of `a` with out[i][index[i][j]] += source[i][j] for dim 1; only along `dim` may index and
 * `a` differ in size; source has index's shape. */
tt_tensor *tt_scatter_add(tt_scope *s, const tt_tensor *a, int64_t dim, const tt_tensor *index,
                          const tt_tensor *source) TT_NOEXCEPT;
/* A copy of `a` with slice index[i] += slice i of source along `dim`; index [K]. */
tt_tensor *tt_index_add(tt_scope *s, const tt_tensor *a, int64_t dim, const tt_tensor *index,
                        const tt_tensor *source) TT_NOEXCEPT;
tt_tensor *tt_masked_select(tt_scope *s, const tt_tensor *a,
                            const tt_tensor *mask) TT_NOEXCEPT;        /* [true count], row-major */
tt_tensor *tt_nonzero(tt_scope *s, const tt_tensor *mask) TT_NOEXCEPT; /* [true count, rank] i64 */

/* --- linear algebra -------------------------------------------------------------------------- */

/* [.., M, K] by [.., K, N] with equal leading dimensions. */
tt_tensor *tt_matmul(tt_scope *s, const tt_tensor *a, const tt_tensor *b) TT_NOEXCEPT;
/* x [.., K], weight [N, K], bias [N] or NULL: x weight^T + bias [.., N]. */
tt_tensor *tt_linear(tt_scope *s, const tt_tensor *x, const tt_tensor *weight,
                     const tt_tensor *bias) TT_NOEXCEPT;
tt_tensor *tt_outer(tt_scope *s, const tt_tensor *a, const tt_tensor *b) TT_NOEXCEPT; /* [M] [N] */
tt_tensor *tt_dot(tt_scope *s, const tt_tensor *a, const tt_tensor *b) TT_NOEXCEPT;   /* [N] [N] */

/* --- networks -------------------------------------------------------------------------------- */

/* Rows of weight [V, D] by ids (i64, any shape): [.., D]. */
tt_tensor *tt_embedding(tt_scope *s, const tt_tensor *weight, const tt_tensor *ids) TT_NOEXCEPT;
/* Over the last dimension D; weight and bias [D], bias may be NULL (arXiv 1607.06450). */
tt_tensor *tt_layer_norm(tt_scope *s, const tt_tensor *x, const tt_tensor *weight,
                         const tt_tensor *bias, double eps) TT_NOEXCEPT;
/* x / sqrt(mean(x^2) + eps) * weight over the last dimension (arXiv 1910.07467). */
tt_tensor *tt_rms_norm(tt_scope *s, const tt_tensor *x, const tt_tensor *weight,
                       double eps) TT_NOEXCEPT;

enum tt_attention_mask { TT_ATTEND_ALL, TT_ATTEND_CAUSAL };
/* softmax(q k^T scale) v. q [B, H, T, d], k and v [B, H_kv, S, d] with H a multiple of H_kv.
 * TT_ATTEND_CAUSAL aligns the *last* query with the last key (query t sees keys 0 .. S - T + t). */
tt_tensor *tt_attention(tt_scope *s, const tt_tensor *q, const tt_tensor *k, const tt_tensor *v,
                        enum tt_attention_mask mask, double scale) TT_NOEXCEPT;

/* Sequences laid end to end: i is rows starts[i] .. starts[i + 1] - 1. It may continue an earlier
 * one, its prefix, that continues none itself: several then share one. */
struct tt_sequences {
    const int64_t *starts; /* [count + 1] on the host, from 0 to the number of rows */
    int64_t count;
    const int64_t *prefixes; /* [count] on the host, -1: continues none; NULL: none does */
};
/* Causal attention within each of the sequences of N rows: q [N, H, d], k and v [N, H_kv, d] with H
 * a multiple of H_kv. A token sees its sequence up to itself, before it the whole of what that
 * continues, and nothing of another sequence. Returns [N, H, d]. */
tt_tensor *tt_attention_packed(tt_scope *s, const tt_tensor *q, const tt_tensor *k,
                               const tt_tensor *v, struct tt_sequences sequences,
                               double scale) TT_NOEXCEPT;
/* Rotary positions (arXiv 2104.09864) in the order of Hugging Face: element i < d/2 of each head
 * pairs with i + d/2. x [N, H, d] float; cosine, sine [N, d/2] wide float, in which it computes. */
tt_tensor *tt_rope(tt_scope *s, const tt_tensor *x, const tt_tensor *cosine,
                   const tt_tensor *sine) TT_NOEXCEPT;
/* silu(gate) * up (arXiv 2002.05202), of equal shape. */
tt_tensor *tt_swiglu(tt_scope *s, const tt_tensor *gate, const tt_tensor *up) TT_NOEXCEPT;

/* A part of a formula that can be run again: y = run(s, context, x), a pure function of x, of
 * parameters and of `context`, plain bytes that are copied. */
struct tt_block {
    tt_tensor *(*run)(tt_scope *s, const void *context, const tt_tensor *x);
    const void *context;
    size_t context_bytes; /* at most TT_BLOCK_CONTEXT_MAX */
};
#define TT_BLOCK_CONTEXT_MAX 128

/* The block's result, keeping x alone for backward, which runs the block a second time: memory for
 * time (arXiv 1604.06174). What the context points to, and parameters in the block, must live,
 * unchanged, until backward is done. For tt_backward only: tt_grad_of refuses it. */
tt_tensor *tt_recompute(tt_scope *s, const tt_tensor *x, const struct tt_block *block) TT_NOEXCEPT;

/* log softmax(logits)[target] per row. logits [N, V] wide float, target [N] i64; returns [N] nats.
 */
tt_tensor *tt_token_logp(tt_scope *s, const tt_tensor *logits, const tt_tensor *target) TT_NOEXCEPT;
/* -sum p log p of softmax(logits) per row. logits [N, V] wide float; returns [N] nats. */
tt_tensor *tt_entropy(tt_scope *s, const tt_tensor *logits) TT_NOEXCEPT;
/* Zeroes each element with probability `rate` and scales the rest by 1 / (1 - rate), by the keyed
 * generator (arXiv 1207.0580). */
tt_tensor *tt_dropout(tt_scope *s, const tt_tensor *a, const struct rng *rng,
                      double rate) TT_NOEXCEPT;

/* --- fused: their own kernels, the same results as the plain formulas to rounding ------------- */

/* The vocabulary head of a language model. */
struct tt_head {
    const tt_tensor
        *weight; /* [V, D]: f64 or f32 as hidden, or frozen bf16, or f32 with a shadow */
    const tt_tensor *shadow; /* [V, D] bf16: tt_param_shadow of the weight, for bf16 hidden states;
                                else NULL */
    const tt_tensor *bias;   /* [V] f32 (f64 with f64), or NULL */
    double logit_scale;      /* 1 / temperature */
};

/* [N] nats each, f32 (f64 with f64); all NULL after an error. */
struct tt_head_result {
    tt_tensor *logp;    /* log p(target) */
    tt_tensor *entropy; /* -sum p log p */
    tt_tensor *lse;     /* log sum exp of the logits */
    tt_tensor *top;     /* the largest log p of any entry; without a gradient */
};

/* tt_token_logp, tt_entropy and tt_logsumexp of (hidden weight^T + bias) logit_scale, without ever
 * making these [N, V] logits: beside operands and gradients the CPU takes 32 MiB and a few MiB a
 * thread, CUDA half a GiB. These three have gradients, with respect to hidden, weight and bias; in
 * a TT_NO_GRAD scope nothing is kept. Logits and all that follows are f32, also of bf16 operands;
 * backward rounds the gradients of logits to hidden's dtype. A backward adds straight into the
 * gradients of parameters of a store. On the CPU results do not depend on the thread count.
 *   hidden  [N, D] f64, f32 or bf16; f64, for gradient checks, is the plain formula
 *   target  [N] i64 or i32, each in [0, V)
 *   source  arXiv 2411.09009; there is no second derivative */
struct tt_head_result tt_head_logp(tt_scope *s, const tt_tensor *hidden, const struct tt_head *head,
                                   const tt_tensor *target) TT_NOEXCEPT;

/* The distribution beside which a policy's is looked at: no gradient reaches it. */
struct tt_head_reference {
    const tt_tensor *hidden; /* [N, D'] of the dtype of the policy's; D' may differ from D */
    struct tt_head head;     /* [V, D'] */
};

/* G = -sum_a beta(a) p(a) (log p(a) - log w(a)), with p the policy's distribution and q the
 * reference's: in M = {a: log q(a) > log_alpha} beta is beta_in and w is 1, elsewhere beta_out and
 * q(a). Nothing is in M from log_alpha = 0 on, and G is then -beta_out KL(p || q); everything with
 * q(a) > 0 is from -INFINITY on, and G is then beta_in times the entropy. */
struct tt_matching {
    double beta_in, beta_out; /* finite */
    double log_alpha;         /* nats */
};

/* [N] nats each, f32 (f64 with f64); all NULL after an error. */
struct tt_head_pair_result {
    tt_tensor *logp;     /* log p(target) */
    tt_tensor *ref_logp; /* log q(target); without a gradient */
    tt_tensor *entropy;  /* -sum p log p */
    tt_tensor *kl;       /* KL(p || q) = sum p (log p - log q) */
    tt_tensor *matching; /* G */
};

/* tt_head_logp of a policy and of a reference at once, with what takes both whole distributions;
 * logits of neither exist beyond a tile (on CUDA, a chunk of rows). Gradients are with respect to
 * hidden, and to head's weight and bias. On the CPU results do not depend on the thread count.
 *   hidden     [N, D] as of tt_head_logp
 *   target     [N] i64 or i32, each in [0, V)
 *   source     arXiv 2405.16455, for alpha as its authors' code has it; there is no second
 *              derivative */
struct tt_head_pair_result tt_head_pair(tt_scope *s, const tt_tensor *hidden,
                                        const struct tt_head *head,
                                        const struct tt_head_reference *reference,
                                        const tt_tensor *target,
                                        const struct tt_matching *matching) TT_NOEXCEPT;

/* x shadow^T + bias [.., N] in bf16, where shadow [N, K] is the bf16 copy (tt_param_shadow) of an
 * f32 weight, which takes the gradient: summed in f32, never rounded to bf16. x [.., K] bf16, bias
 * [N] f32 or NULL. A frozen weight costs no gradient and keeps no x. No second derivative. */
tt_tensor *tt_linear_mixed(tt_scope *s, const tt_tensor *x, const tt_tensor *weight,
                           const tt_tensor *shadow, const tt_tensor *bias) TT_NOEXCEPT;

/* tt_rms_norm or tt_layer_norm of x [.., D], f64 or f32, given in `dtype`: a norm and the cast that
 * follows it. Backward adds straight into the gradients of parameters of a store. */
struct tt_norm {
    const tt_tensor *weight; /* [D], as x */
    const tt_tensor *bias;   /* [D], as x; NULL with is_rms, or for none */
    double eps;
    bool is_rms;
};
tt_tensor *tt_fused_norm(tt_scope *s, const tt_tensor *x, const struct tt_norm *of,
                         enum tt_dtype dtype) TT_NOEXCEPT;

/* x + delta, of one shape, in x's dtype: a residual stream in f32 and what a layer adds to it in
 * the dtype of its products. */
tt_tensor *tt_add_mixed(tt_scope *s, const tt_tensor *x, const tt_tensor *delta) TT_NOEXCEPT;

/* --- in place: `a` changes; refused by autograd where it would break a gradient -------------- */

void tt_fill_inplace(tt_scope *s, tt_tensor *a, double value) TT_NOEXCEPT;
void tt_copy_inplace(tt_scope *s, tt_tensor *a, const tt_tensor *b) TT_NOEXCEPT; /* a = b */
void tt_add_inplace(tt_scope *s, tt_tensor *a, const tt_tensor *b) TT_NOEXCEPT;
void tt_add_scaled_inplace(tt_scope *s, tt_tensor *a, const tt_tensor *b,
                           double factor) TT_NOEXCEPT; /* a += factor b */
void tt_mul_inplace(tt_scope *s, tt_tensor *a, const tt_tensor *b) TT_NOEXCEPT;
void tt_scale_inplace(tt_scope *s, tt_tensor *a, double factor) TT_NOEXCEPT;
void tt_masked_fill_inplace(tt_scope *s, tt_tensor *a, const tt_tensor *mask,
                            double value) TT_NOEXCEPT;
/* Slice index[i] of `a` along `dim` = slice i of source. */
void tt_index_copy_inplace(tt_scope *s, tt_tensor *a, int64_t dim, const tt_tensor *index,
                           const tt_tensor *source) TT_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif
