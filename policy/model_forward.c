/* model_forward.c - one decoder for every family. See model.h.
 *
 * Legend: N tokens of a packed batch, M targets, A sequences added to it, D hidden, H query heads,
 * H_kv key heads, d head size, F width of the MLP, V vocabulary. The residual stream x is [N, D]
 * f32; what goes into a matrix product is in the compute dtype.
 */
#include "policy/model_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>

/* What every layer of one forward pass shares. */
struct pass {
    struct model *model;
    const struct packed_batch *batch;
    const tt_tensor *cosine; /* [N, d/2]; NULL without rope */
    const tt_tensor *sine;
    int64_t layer;
    bool without_adapters;
};
static_assert(sizeof(struct pass) <= TT_BLOCK_CONTEXT_MAX,
              "a layer is recomputed from a copy of it");

/* --- parts ------------------------------------------------------------------------------------ */

static enum model_role bias_of(enum model_role weight) {
    switch ((int)weight) {
    case MODEL_Q:
        return MODEL_Q_BIAS;
    case MODEL_K:
        return MODEL_K_BIAS;
    case MODEL_V:
        return MODEL_V_BIAS;
    case MODEL_ATTN_OUT:
        return MODEL_ATTN_OUT_BIAS;
    case MODEL_MLP_UP:
        return MODEL_MLP_UP_BIAS;
    case MODEL_MLP_DOWN:
        return MODEL_MLP_DOWN_BIAS;
    default:
        return MODEL_ROLE_COUNT; /* has none */
    }
}

static tt_tensor *to_compute(tt_scope *s, const struct model *model, const tt_tensor *a) {
    return tt_cast(s, a, model->options.compute);
}

/* x W^T + b. x [N, in], compute dtype; weight f32 with a shadow, or in the compute dtype. */
static tt_tensor *linear(tt_scope *s, const struct model *model, const tt_tensor *x,
                         const tt_tensor *weight, const tt_tensor *shadow, const tt_tensor *bias) {
    if (shadow) {
        return tt_linear_mixed(s, x, weight, shadow, bias);
    }
    return tt_linear(s, x, to_compute(s, model, weight), bias ? to_compute(s, model, bias) : NULL);
}

/* linear, with the adapter's (alpha / r) x A^T B^T where there is one: [N, out]. */
static tt_tensor *project(tt_scope *s, const struct pass *pass, enum model_role role,
                          const tt_tensor *x) {
    const struct model *model = pass->model;
    const struct model_handles *layer = &model->layers[pass->layer];
    const enum model_role bias_role = bias_of(role);
    const tt_tensor *bias = bias_role < MODEL_ROLE_COUNT ? layer->role[bias_role] : NULL;
    tt_tensor *y = linear(s, model, x, layer->role[role], layer->shadow[role], bias);
    if (!layer->lora_a[role] || pass->without_adapters) {
        return y;
    }
    tt_tensor *low = tt_linear(s, x, to_compute(s, model, layer->lora_a[role]), NULL); /* [N, r] */
    tt_tensor *update = tt_linear(s, low, to_compute(s, model, layer->lora_b[role]), NULL);
    return tt_add_scaled(s, y, update, model->lora_scale);
}

/* x [.., D] f32; the result in `dtype`. */
static tt_tensor *norm(tt_scope *s, const struct model *model, const tt_tensor *x,
                       const tt_tensor *weight, const tt_tensor *bias, enum tt_dtype dtype) {
    const struct tt_norm of = {.weight = weight,
                               .bias = bias,
                               .eps = model->config.norm_eps,
                               .is_rms = model->config.norm == MODEL_NORM_RMS};
    return tt_fused_norm(s, x, &of, dtype);
}

/* q or k of one token and head, normed over d (Qwen3), in f32. x [N, heads, d] compute dtype. */
static tt_tensor *norm_heads(tt_scope *s, const struct model *model, const tt_tensor *x,
                             const tt_tensor *weight) {
    if (!weight) {
        return tt_share(s, x);
    }
    const struct tt_norm of = {.weight = weight, .eps = model->config.norm_eps, .is_rms = true};
    return tt_fused_norm(s, tt_cast(s, x, TT_F32), &of, model->options.compute);
}

static tt_tensor *heads_of(tt_scope *s, const struct pass *pass, enum model_role role,
                           const tt_tensor *x, int64_t heads) {
    const int64_t head_dim = pass->model->config.head_dim;
    tt_tensor *flat = project(s, pass, role, x); /* [N, heads d] */
    return tt_reshape(s, flat, TT_SHAPE(pass->batch->tokens, heads, head_dim));
}

static tt_tensor *rotate(tt_scope *s, const struct pass *pass, const tt_tensor *x) {
    return pass->cosine ? tt_rope(s, x, pass->cosine, pass->sine) : tt_share(s, x);
}

/* x [N, D] compute dtype; returns [N, D]. */
static tt_tensor *attention(tt_scope *s, const struct pass *pass, const tt_tensor *x) {
    const struct model *model = pass->model;
    const struct model_config *config = &model->config;
    const struct model_handles *layer = &model->layers[pass->layer];
    const struct packed_batch *batch = pass->batch;
    tt_tensor *q = heads_of(s, pass, MODEL_Q, x, config->heads);    /* [N, H, d] */
    tt_tensor *k = heads_of(s, pass, MODEL_K, x, config->kv_heads); /* [N, H_kv, d] */
    tt_tensor *v = heads_of(s, pass, MODEL_V, x, config->kv_heads); /* [N, H_kv, d] */
    q = rotate(s, pass, norm_heads(s, model, q, layer->role[MODEL_Q_NORM]));
    k = rotate(s, pass, norm_heads(s, model, k, layer->role[MODEL_K_NORM]));
    const struct tt_sequences sequences = {
        .starts = batch->starts, .count = batch->sequences, .prefixes = batch->prefixes};
    tt_tensor *mixed =
        tt_attention_packed(s, q, k, v, sequences, 1.0 / sqrt((double)config->head_dim));
    const int64_t width = config->heads * config->head_dim;
    return project(s, pass, MODEL_ATTN_OUT, tt_reshape(s, mixed, TT_SHAPE(batch->tokens, width)));
}

/* x [N, D] compute dtype; returns [N, D]. */
static tt_tensor *mlp(tt_scope *s, const struct pass *pass, const tt_tensor *x) {
    tt_tensor *up = project(s, pass, MODEL_MLP_UP, x); /* [N, F] */
    tt_tensor *inner = NULL;
    switch (pass->model->config.mlp) {
    case MODEL_MLP_SWIGLU:
        inner = tt_swiglu(s, project(s, pass, MODEL_MLP_GATE, x), up);
        break;
    case MODEL_MLP_RELU:
        inner = tt_relu(s, up);
        break;
    case MODEL_MLP_GELU:
        inner = tt_gelu(s, up);
        break;
    case MODEL_MLP_GELU_TANH:
        inner = tt_gelu_tanh(s, up);
        break;
    }
    return project(s, pass, MODEL_MLP_DOWN, inner);
}

/* One layer, pre-norm: x + attention(norm(x)), then x + mlp(norm(x)). x [N, D] f32. */
static tt_tensor *layer_forward(tt_scope *s, const void *context, const tt_tensor *x) {
    const struct pass *pass = context;
    const struct model *model = pass->model;
    const tt_tensor *const *role = (const tt_tensor *const *)model->layers[pass->layer].role;
    const enum tt_dtype compute = model->options.compute;
    tt_tensor *normed =
        norm(s, model, x, role[MODEL_ATTN_NORM], role[MODEL_ATTN_NORM_BIAS], compute);
    tt_tensor *middle = tt_add_mixed(s, x, attention(s, pass, normed));
    normed = norm(s, model, middle, role[MODEL_MLP_NORM], role[MODEL_MLP_NORM_BIAS], compute);
    return tt_add_mixed(s, middle, mlp(s, pass, normed));
}

/* --- the whole pass --------------------------------------------------------------------------- */

static bool check_batch(tt_scope *s, const struct model_config *config,
                        const struct packed_batch *batch) {
    if (batch->sequences < 1) {
        tt_scope_fail(s, ERR_DATA, "a forward pass over no sequences");
        return false;
    }
    for (int64_t i = 0; i < batch->tokens; i++) {
        if (batch->ids[i] < 0 || batch->ids[i] >= config->vocab) {
            tt_scope_fail(s, ERR_DATA,
                          "token %" PRId64 " has id %" PRId64
                          ", outside the vocabulary of %" PRId64,
                          i, batch->ids[i], config->vocab);
            return false;
        }
        if (batch->positions[i] >= config->context) {
            tt_scope_fail(s, ERR_DATA,
                          "a sequence is longer than the model's context of %" PRId64 " tokens",
                          config->context);
            return false;
        }
    }
    return true;
}

/* The embedded tokens, with learned positions where the model has them: [N, D] f32. */
static tt_tensor *embed(tt_scope *s, const struct model *model, const struct packed_batch *batch,
                        const tt_tensor *positions) {
    const tt_tensor *const *role = (const tt_tensor *const *)model->outside.role;
    tt_tensor *ids = tt_from_i64(s, batch->ids, TT_SHAPE(batch->tokens));
    tt_tensor *x = tt_cast(s, tt_embedding(s, role[MODEL_EMBED], ids), TT_F32);
    if (model->config.position != MODEL_POSITION_LEARNED) {
        return x;
    }
    tt_tensor *rows =
        tt_add(s, positions, tt_scalar(s, TT_I64, (double)model->config.position_offset));
    return tt_add(s, x, tt_cast(s, tt_embedding(s, role[MODEL_POSITION], rows), TT_F32));
}

/* Angles in f32, as transformers computes them. */
static void rope_tables(tt_scope *s, const tt_tensor *positions, struct pass *pass) {
    if (pass->model->config.position != MODEL_POSITION_ROPE) {
        return;
    }
    tt_tensor *angles =
        tt_outer(s, tt_cast(s, positions, TT_F32), pass->model->inverse_frequencies); /* [N, d/2] */
    pass->cosine = tt_cos(s, angles);
    pass->sine = tt_sin(s, angles);
}

/* A layer in a scope of its own, so that its temporaries die with it. */
static tt_tensor *layer_in_scope(tt_scope *s, const struct pass *pass, const tt_tensor *x) {
    const bool records = tt_scope_grad(s) == TT_GRAD;
    if (records && pass->model->options.recompute) {
        return tt_recompute(s, x,
                            &(struct tt_block){.run = layer_forward,
                                               .context = pass,
                                               .context_bytes = sizeof *pass});
    }
    tt_scope *inner = tt_scope_open_on(tt_scope_grad(s), pass->model->options.device);
    tt_tensor *y = tt_scope_give(s, inner, layer_forward(inner, pass, x));
    tt_scope_close(inner);
    return y;
}

static tt_tensor *hidden_of(tt_scope *s, struct model *model, const struct packed_batch *batch,
                            bool without_adapters) {
    if (!check_batch(s, &model->config, batch)) {
        return NULL;
    }
    if (model->outside.shadow[MODEL_EMBED]) {
        /* Rounds all shadows again where weights were changed other than by a step. */
        (void)tt_param_shadow(s, model->params, "embed.weight");
    }
    struct pass pass = {.model = model, .batch = batch, .without_adapters = without_adapters};
    const tt_tensor *positions = tt_from_i64(s, batch->positions, TT_SHAPE(batch->tokens));
    rope_tables(s, positions, &pass);
    tt_tensor *x = embed(s, model, batch, positions);
    for (; pass.layer < model->config.layers; pass.layer++) {
        x = layer_in_scope(s, &pass, x);
    }
    return norm(s, model, x, model->outside.role[MODEL_FINAL_NORM],
                model->outside.role[MODEL_FINAL_NORM_BIAS], TT_F32);
}

tt_tensor *model_hidden(tt_scope *s, struct model *model, const struct packed_batch *batch) {
    return hidden_of(s, model, batch, false);
}

tt_tensor *model_hidden_base(tt_scope *s, struct model *model, const struct packed_batch *batch) {
    if (model->options.training == MODEL_TRAIN_ALL) {
        return tt_scope_fail(s, ERR_INTERNAL,
                             "the base of a model whose weights are all trained: load it beside");
    }
    return hidden_of(s, model, batch, true);
}

/* --- the head --------------------------------------------------------------------------------- */

static enum model_role head_role(const struct model *model) {
    return model->config.tied_head ? MODEL_EMBED : MODEL_HEAD;
}

/* Rows of the final hidden states, in the compute dtype: [K, D]. */
static tt_tensor *pick_rows(tt_scope *s, const struct model *model, const tt_tensor *hidden,
                            const int64_t *rows, int64_t count) {
    tt_tensor *index = tt_from_i64(s, rows, TT_SHAPE(count));
    return to_compute(s, model, tt_index_select(s, hidden, 0, index));
}

/* Whether the model has the head; otherwise the scope's error says what it has. */
static bool expect_head(tt_scope *s, const struct model *model, enum model_head_kind head) {
    struct error err = ERROR_INIT;
    const enum err_code code = model_config_need_head(&model->config, head, &err);
    if (code != ERR_OK) {
        tt_scope_fail(s, code, "%s", err.msg);
    }
    return code == ERR_OK;
}

tt_tensor *model_logits(tt_scope *s, struct model *model, const tt_tensor *hidden,
                        const int64_t *rows, int64_t count) {
    if (!expect_head(s, model, MODEL_HEAD_LM)) {
        return NULL;
    }
    tt_tensor *picked = pick_rows(s, model, hidden, rows, count); /* [K, D] */
    tt_tensor *weight = to_compute(s, model, model->outside.role[head_role(model)]);
    return tt_cast(s, tt_linear(s, picked, weight, NULL), TT_F32); /* [K, V] */
}

#define HEAD_ROWS 4096 /* of the head in f32 at a time */

/* The mean of the head's rows, f32 [1, D], which is its product with nothing but ones over V. */
static tt_tensor *mean_head(tt_scope *s, const struct model *model) {
    const tt_tensor *weight = model->outside.role[head_role(model)]; /* [V, D] */
    const int64_t vocab = model->config.vocab;
    tt_tensor *mean = NULL;
    for (int64_t first = 0; first < vocab; first += HEAD_ROWS) {
        const int64_t count = vocab - first < HEAD_ROWS ? vocab - first : HEAD_ROWS;
        tt_scope *inner = tt_scope_open_on(TT_NO_GRAD, model->options.device);
        tt_tensor *rows = tt_cast(inner, tt_narrow(inner, weight, 0, first, count), TT_F32);
        tt_tensor *sum = tt_sum_dim(inner, rows, 0, TT_KEEP_DIM);
        tt_tensor *part = tt_scale(inner, sum, 1.0 / (double)vocab); /* [1, D] */
        mean = tt_scope_give(s, inner, mean ? tt_add(inner, mean, part) : part);
        tt_scope_close(inner);
    }
    return mean;
}

tt_tensor *model_mean_logits(tt_scope *s, struct model *model, const tt_tensor *hidden,
                             const struct packed_batch *batch) {
    if (!expect_head(s, model, MODEL_HEAD_LM)) {
        return NULL;
    }
    tt_scope *inner = tt_scope_open_on(TT_NO_GRAD, model->options.device);
    tt_tensor *index = tt_from_i64(inner, batch->target_rows, TT_SHAPE(batch->targets));
    tt_tensor *picked = tt_index_select(inner, hidden, 0, index);               /* [M, D] */
    tt_tensor *means = tt_linear(inner, picked, mean_head(inner, model), NULL); /* [M, 1] */
    tt_tensor *out = tt_scope_give(s, inner, tt_squeeze(inner, means, 1));
    tt_scope_close(inner);
    return out;
}

static struct tt_head head_of(const struct model *model) {
    const enum model_role role = head_role(model);
    return (struct tt_head){
        .weight = model->outside.role[role],
        .shadow = model->outside.shadow[role],
        .logit_scale = 1.0,
    };
}

struct token_logp model_token_logp(tt_scope *s, struct model *model, const tt_tensor *hidden,
                                   const struct packed_batch *batch) {
    if (!expect_head(s, model, MODEL_HEAD_LM)) {
        return (struct token_logp){.logp = NULL};
    }
    const struct tt_head head = head_of(model);
    tt_tensor *picked =
        pick_rows(s, model, hidden, batch->target_rows, batch->targets); /* [M, D] */
    tt_tensor *targets = tt_from_i64(s, batch->target_ids, TT_SHAPE(batch->targets));
    const struct tt_head_result result = tt_head_logp(s, picked, &head, targets);
    return (struct token_logp){
        .logp = result.logp, .entropy = result.entropy, .logsumexp = result.lse, .top = result.top};
}

struct token_matching model_token_matching(tt_scope *s, struct model *model,
                                           const tt_tensor *hidden,
                                           const struct model_reference *reference,
                                           const struct tt_matching *matching,
                                           const struct packed_batch *batch) {
    if (!expect_head(s, model, MODEL_HEAD_LM) || !expect_head(s, reference->model, MODEL_HEAD_LM)) {
        return (struct token_matching){.logp = NULL};
    }
    const struct tt_head head = head_of(model);
    tt_tensor *picked =
        pick_rows(s, model, hidden, batch->target_rows, batch->targets); /* [M, D] */
    const struct tt_head_reference beside = {
        .hidden = pick_rows(s, reference->model, reference->hidden, batch->target_rows,
                            batch->targets), /* [M, D'] */
        .head = head_of(reference->model),
    };
    tt_tensor *targets = tt_from_i64(s, batch->target_ids, TT_SHAPE(batch->targets));
    const struct tt_head_pair_result result =
        tt_head_pair(s, picked, &head, &beside, targets, matching);
    return (struct token_matching){
        .logp = result.logp,
        .ref_logp = result.ref_logp,
        .entropy = result.entropy,
        .kl = result.kl,
        .matching = result.matching,
    };
}

tt_tensor *model_values(tt_scope *s, const struct model *model, const tt_tensor *hidden,
                        const struct packed_batch *batch) {
    if (!model->value) {
        return tt_scope_fail(s, ERR_INTERNAL, "the model was made without values");
    }
    tt_tensor *rows = tt_from_i64(s, batch->target_rows, TT_SHAPE(batch->targets));
    tt_tensor *states = tt_index_select(s, hidden, 0, rows);      /* [M, D] */
    tt_tensor *values = tt_linear(s, states, model->value, NULL); /* [M, 1] */
    return tt_scale(s, tt_reshape(s, values, TT_SHAPE(batch->targets)), model->options.value_scale);
}

tt_tensor *model_scores(tt_scope *s, const struct model *model, const tt_tensor *hidden,
                        const struct packed_batch *batch) {
    if (!expect_head(s, model, MODEL_HEAD_SCORE)) {
        return NULL;
    }
    if (batch->added < 1) {
        return tt_scope_fail(s, ERR_DATA, "scores of no sequences");
    }
    if (!TT_EXPECT(s, hidden, batch->tokens, model->config.hidden)) {
        return NULL;
    }
    tt_tensor *rows = tt_from_i64(s, batch->last_rows, TT_SHAPE(batch->added));
    tt_tensor *last = tt_index_select(s, hidden, 0, rows);                          /* [A, D] */
    tt_tensor *scores = tt_linear(s, last, model->outside.role[MODEL_SCORE], NULL); /* [A, 1] */
    return tt_reshape(s, scores, TT_SHAPE(batch->added));
}
