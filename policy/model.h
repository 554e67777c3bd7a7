/* model.h - a language model in memory: its parameters and the forward pass over them.
 *
 * Use:      SCOPED(model) struct model *model = NULL;
 *           TRY(model_open("models/smollm2", &(struct model_options){.compute = TT_BF16}, &model,
 * err));
 *           ...
 *           SCOPED(tt_scope) tt_scope *s = tt_scope_open_on(TT_NO_GRAD, model_device(model));
 *           tt_tensor *hidden = model_hidden(s, model, &batch);              // [N, D]
 *           struct token_logp out = model_token_logp(s, model, hidden, &batch); // [M] each
 * Heads:    `head` is what is asked for. A language model opened with MODEL_HEAD_SCORE becomes one
 *           of scores: its trunk is read, its head is not, and score.weight is new. A model of
 *           scores becomes nothing else.
 * Training: with MODEL_TRAIN_ALL every parameter is an f32 master in the store and takes gradients;
 *           with MODEL_TRAIN_LORA the base is frozen, in the compute dtype, and only adapters
 *           (policy/lora.h) are trained, and score.weight where there is one; with MODEL_FROZEN
 *           nothing is.
 * Dtypes:   `compute` is that of matrix products, f32 or bf16. The residual stream, norms, softmax,
 *           log-probabilities, scores and losses are f32 always.
 * Owns:     parameters; handles given out live as long as the model.
 * Threads:  one at a time.
 */
#ifndef POLICY_MODEL_H
#define POLICY_MODEL_H

#include "base/error.h"
#include "policy/lora_config.h"
#include "policy/model_config.h"
#include "policy/model_layout.h"
#include "policy/packed_batch.h"
#include "tensor/tt.h"

#include <stdbool.h>
#include <stdint.h>

struct model;
struct lora_adapter;
struct weight_source;

enum model_training { MODEL_FROZEN, MODEL_TRAIN_ALL, MODEL_TRAIN_LORA };

struct model_options {
    struct tt_device device;
    enum tt_dtype compute; /* TT_F32 or TT_BF16 */
    enum model_training training;
    bool recompute;          /* layers run again in backward instead of keeping what it needs */
    struct lora_config lora; /* MODEL_TRAIN_LORA */
    uint64_t seed;           /* of random weights: presets, adapters, a new score.weight */
    enum model_head_kind head;
    /* Elements of a new score.weight are normal with deviation score_init_std / sqrt(D). With 1,
     * which is that of arXiv 2009.01325, hidden states of elements near 1 score near 1; with 0
     * every text scores 0 at first. */
    double score_init_std;
    /* Above 0, of a language model that is trained: it also values states, by value_scale times
     * value.weight [1, D] times the hidden state. That weight begins at 0, is trained with the rest
     * and belongs to no file but checkpoints. An optimiser whose steps are of one size, as Adam's,
     * moves values value_scale times as fast as with 1. */
    double value_scale;
};

/* The model of an open weight source, with its weights.
 *   fails    as weight_source_read; ERR_DATA for a model of scores where tokens are asked for;
 *            ERR_CONFIG for a score_init_std that is negative or not finite; ERR_OOM;
 *            ERR_UNAVAILABLE for the device */
ERR_NODISCARD enum err_code model_new(const struct weight_source *source,
                                      const struct model_options *options, struct model **out_model,
                                      struct error *err);

/* The same with an adapter merged into the weights, and with its score.weight where it has one.
 *   fails    as model_new; ERR_DATA for an adapter that makes another model than is asked for */
ERR_NODISCARD enum err_code model_new_merged(const struct weight_source *base,
                                             const struct lora_adapter *adapter,
                                             const struct model_options *options,
                                             struct model **out_model, struct error *err);

/* A model from nothing: matrices normal with deviation 0.02, those that write into the residual
 * stream divided by sqrt(2 L) (GPT-2, section 2.3); norms one, biases zero; score.weight as above.
 */
ERR_NODISCARD enum err_code model_new_random(const struct model_config *config,
                                             const struct model_options *options,
                                             struct model **out_model, struct error *err);

/* Either, by a path or "preset:tiny". */
ERR_NODISCARD enum err_code model_open(const char *path, const struct model_options *options,
                                       struct model **out_model, struct error *err);
void model_free(struct model *model); /* NULL is a no-op */

const struct model_config *model_config_of(const struct model *model);
struct model_options model_options_of(const struct model *model);
struct tt_device model_device(const struct model *model);

/* What the model's files will say of the pad id. Nothing is computed from it here, but a model of
 * scores is not saved without one that ends no text (model_config_check_pad).
 *   fails    ERR_DATA outside the vocabulary, and for such a model's eos; the model is unchanged */
ERR_NODISCARD enum err_code model_set_pad(struct model *model, int64_t pad, struct error *err);

/* The store that is trained, borrowed: all parameters, by the names of model_layout.h, or the
 * adapters, by those of lora.h, and "score.weight" where there is one; NULL of a frozen model. */
struct tt_params *model_trained(struct model *model);

/* A parameter of the layout in f32, copied to the host: for files and for the decoder.
 * `out_values` [elements]; adapters are not merged into it. */
ERR_NODISCARD enum err_code model_read(const struct model *model, enum model_role role,
                                       int64_t layer, float *out_values, int64_t count,
                                       struct error *err);

/* The same with adapters merged into it, as a decoder wants it: out_values [elements]. */
ERR_NODISCARD enum err_code model_read_merged(const struct model *model,
                                              const struct model_tensor *tensor, float *out_values,
                                              struct error *err);

/* The adapters of a model trained with MODEL_TRAIN_LORA, out of tensor-land; owned
 * (lora_adapter_free). And values into them: an adapter of the same targets and rank.
 *   fails    ERR_INTERNAL without adapters; ERR_CONFIG where targets or rank differ; ERR_DATA where
 *            one has scores and the other has none; ERR_OOM */
ERR_NODISCARD enum err_code model_take_adapter(struct model *model, struct lora_adapter **out,
                                               struct error *err);
ERR_NODISCARD enum err_code
model_put_adapter(struct model *model, const struct lora_adapter *adapter, struct error *err);

/* The final hidden states of all tokens of the batch: [N, D] f32, after the final norm.
 *   fails    (in the scope) ERR_DATA for an id outside the vocabulary or a sequence longer than the
 *            model's context */
tt_tensor *model_hidden(tt_scope *s, struct model *model, const struct packed_batch *batch);

/* The same with the adapters switched off: what the base model gives, bit for bit, so that it can
 * be its own reference. fails    ERR_INTERNAL where all weights are trained, and so the base is
 * gone */
tt_tensor *model_hidden_base(tt_scope *s, struct model *model, const struct packed_batch *batch);

/* Of each target, in the batch's order; NULLs with the scope's error. All f32 [M], in nats, and
 * differentiable. */
struct token_logp {
    tt_tensor *logp;      /* log-probability of the target */
    tt_tensor *entropy;   /* of the distribution it was drawn from */
    tt_tensor *logsumexp; /* of the logits */
    tt_tensor *top;       /* log-probability of the likeliest token; not differentiable */
};
struct token_logp model_token_logp(tt_scope *s, struct model *model, const tt_tensor *hidden,
                                   const struct packed_batch *batch);

/* Where a policy's reference comes from: another model, or the same with its adapters off. */
struct model_reference {
    struct model *model;     /* of the same vocabulary and compute dtype */
    const tt_tensor *hidden; /* [N, D'] f32: its model_hidden, or model_hidden_base, of the batch */
};

/* Of each target, in the batch's order; NULLs with the scope's error. All f32 [M], in nats, and
 * differentiable with respect to the policy: see tt_head_pair. */
struct token_matching {
    tt_tensor *logp;     /* log-probability of the target */
    tt_tensor *ref_logp; /* the reference's; not differentiable */
    tt_tensor *entropy;
    tt_tensor *kl;       /* from the reference, over the whole vocabulary */
    tt_tensor *matching; /* the regulariser G of struct tt_matching */
};
struct token_matching model_token_matching(tt_scope *s, struct model *model,
                                           const tt_tensor *hidden,
                                           const struct model_reference *reference,
                                           const struct tt_matching *matching,
                                           const struct packed_batch *batch);

/* What the model expects of the state that each target was drawn in: [M] f32, differentiable, in
 * the unit of whatever it is fitted to.
 *   hidden   [N, D] f32, of model_hidden
 *   fails    ERR_INTERNAL of a model that values nothing
 *   source   Ziegler et al. 2019 (arXiv 1909.08593), where policy and value share the trunk */
tt_tensor *model_values(tt_scope *s, const struct model *model, const tt_tensor *hidden,
                        const struct packed_batch *batch);

/* Means over the vocabulary of the logits that the targets are drawn by: f32 [M], not
 * differentiable. A mean of products is a product with the mean: no logits are made. Fails with
 * ERR_DATA for a model of scores. */
tt_tensor *model_mean_logits(tt_scope *s, struct model *model, const tt_tensor *hidden,
                             const struct packed_batch *batch);

/* Logits [K, V] of the given rows of `hidden` [N, D], rounded to the compute dtype and given as
 * f32: K times V numbers, so for few rows. Both fail with ERR_DATA for a model of scores. */
tt_tensor *model_logits(tt_scope *s, struct model *model, const tt_tensor *hidden,
                        const int64_t *rows, int64_t count);

/* The score of each sequence added to the batch, fillers left out: score.weight times the hidden
 * state of its last token, which is found by length, whatever its id. Differentiable.
 *   hidden   [N, D] f32, of model_hidden
 *   returns  [A] f32, in the order of packed_batch_add; no unit, and only differences have meaning
 *   fails    ERR_DATA for a language model, and for a batch of no sequences
 *   source   Stiennon et al. 2020 (arXiv 2009.01325), section 3.4; the tensors are those of
 *            transformers' ForSequenceClassification with one label */
tt_tensor *model_scores(tt_scope *s, const struct model *model, const tt_tensor *hidden,
                        const struct packed_batch *batch);

static inline void model_scoped_end(struct model **model) {
    model_free(*model);
}

#endif
