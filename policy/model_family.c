/* model_family.c - see model_family.h. */
#include "policy/model_family.h"

#include "base/invariant.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- Hugging Face ---- */

static const struct model_family_entry gpt2_entries[] = {
    {.role = MODEL_EMBED, .name = "wte.weight"},
    {.role = MODEL_POSITION, .name = "wpe.weight"},
    {.role = MODEL_ATTN_NORM, .name = "ln_1.weight"},
    {.role = MODEL_ATTN_NORM_BIAS, .name = "ln_1.bias"},
    {.role = MODEL_Q, "attn.c_attn.weight", MODEL_JOINED_TRANSPOSED, .part = 0},
    {.role = MODEL_Q_BIAS, "attn.c_attn.bias", MODEL_JOINED, .part = 0},
    {.role = MODEL_K, "attn.c_attn.weight", MODEL_JOINED_TRANSPOSED, .part = 1},
    {.role = MODEL_K_BIAS, "attn.c_attn.bias", MODEL_JOINED, .part = 1},
    {.role = MODEL_V, "attn.c_attn.weight", MODEL_JOINED_TRANSPOSED, .part = 2},
    {.role = MODEL_V_BIAS, "attn.c_attn.bias", MODEL_JOINED, .part = 2},
    {.role = MODEL_ATTN_OUT, "attn.c_proj.weight", MODEL_TRANSPOSED},
    {.role = MODEL_ATTN_OUT_BIAS, .name = "attn.c_proj.bias"},
    {.role = MODEL_MLP_NORM, .name = "ln_2.weight"},
    {.role = MODEL_MLP_NORM_BIAS, .name = "ln_2.bias"},
    {.role = MODEL_MLP_UP, "mlp.c_fc.weight", MODEL_TRANSPOSED},
    {.role = MODEL_MLP_UP_BIAS, .name = "mlp.c_fc.bias"},
    {.role = MODEL_MLP_DOWN, "mlp.c_proj.weight", MODEL_TRANSPOSED},
    {.role = MODEL_MLP_DOWN_BIAS, .name = "mlp.c_proj.bias"},
    {.role = MODEL_FINAL_NORM, .name = "ln_f.weight"},
    {.role = MODEL_FINAL_NORM_BIAS, .name = "ln_f.bias"},
    {.role = MODEL_HEAD, .name = "lm_head.weight", .outside = true},
    {.role = MODEL_SCORE, .name = "score.weight", .outside = true},
};

static const struct model_family_entry opt_entries[] = {
    {.role = MODEL_EMBED, .name = "embed_tokens.weight"},
    {.role = MODEL_POSITION, .name = "embed_positions.weight"},
    {.role = MODEL_ATTN_NORM, .name = "self_attn_layer_norm.weight"},
    {.role = MODEL_ATTN_NORM_BIAS, .name = "self_attn_layer_norm.bias"},
    {.role = MODEL_Q, .name = "self_attn.q_proj.weight"},
    {.role = MODEL_Q_BIAS, .name = "self_attn.q_proj.bias"},
    {.role = MODEL_K, .name = "self_attn.k_proj.weight"},
    {.role = MODEL_K_BIAS, .name = "self_attn.k_proj.bias"},
    {.role = MODEL_V, .name = "self_attn.v_proj.weight"},
    {.role = MODEL_V_BIAS, .name = "self_attn.v_proj.bias"},
    {.role = MODEL_ATTN_OUT, .name = "self_attn.out_proj.weight"},
    {.role = MODEL_ATTN_OUT_BIAS, .name = "self_attn.out_proj.bias"},
    {.role = MODEL_MLP_NORM, .name = "final_layer_norm.weight"},
    {.role = MODEL_MLP_NORM_BIAS, .name = "final_layer_norm.bias"},
    {.role = MODEL_MLP_UP, .name = "fc1.weight"},
    {.role = MODEL_MLP_UP_BIAS, .name = "fc1.bias"},
    {.role = MODEL_MLP_DOWN, .name = "fc2.weight"},
    {.role = MODEL_MLP_DOWN_BIAS, .name = "fc2.bias"},
    {.role = MODEL_FINAL_NORM, .name = "final_layer_norm.weight"},
    {.role = MODEL_FINAL_NORM_BIAS, .name = "final_layer_norm.bias"},
    {.role = MODEL_HEAD, .name = "lm_head.weight", .outside = true},
    {.role = MODEL_SCORE, .name = "score.weight", .outside = true},
};

/* llama, mistral, qwen2 and qwen3; model_has_role says which of them a model has. */
static const struct model_family_entry llama_entries[] = {
    {.role = MODEL_EMBED, .name = "embed_tokens.weight"},
    {.role = MODEL_ATTN_NORM, .name = "input_layernorm.weight"},
    {.role = MODEL_Q, .name = "self_attn.q_proj.weight"},
    {.role = MODEL_Q_BIAS, .name = "self_attn.q_proj.bias"},
    {.role = MODEL_K, .name = "self_attn.k_proj.weight"},
    {.role = MODEL_K_BIAS, .name = "self_attn.k_proj.bias"},
    {.role = MODEL_V, .name = "self_attn.v_proj.weight"},
    {.role = MODEL_V_BIAS, .name = "self_attn.v_proj.bias"},
    {.role = MODEL_Q_NORM, .name = "self_attn.q_norm.weight"},
    {.role = MODEL_K_NORM, .name = "self_attn.k_norm.weight"},
    {.role = MODEL_ATTN_OUT, .name = "self_attn.o_proj.weight"},
    {.role = MODEL_ATTN_OUT_BIAS, .name = "self_attn.o_proj.bias"},
    {.role = MODEL_MLP_NORM, .name = "post_attention_layernorm.weight"},
    {.role = MODEL_MLP_GATE, .name = "mlp.gate_proj.weight"},
    {.role = MODEL_MLP_UP, .name = "mlp.up_proj.weight"},
    {.role = MODEL_MLP_DOWN, .name = "mlp.down_proj.weight"},
    {.role = MODEL_FINAL_NORM, .name = "norm.weight"},
    {.role = MODEL_HEAD, .name = "lm_head.weight", .outside = true},
    {.role = MODEL_SCORE, .name = "score.weight", .outside = true},
};

/* ---- GGUF ---- */

#define GGUF_COMMON                                                  \
    {.role = MODEL_EMBED, .name = "token_embd.weight"},              \
        {.role = MODEL_ATTN_NORM, .name = "attn_norm.weight"},       \
        {.role = MODEL_ATTN_OUT, .name = "attn_output.weight"},      \
        {.role = MODEL_ATTN_OUT_BIAS, .name = "attn_output.bias"},   \
        {.role = MODEL_MLP_NORM, .name = "ffn_norm.weight"},         \
        {.role = MODEL_MLP_UP, .name = "ffn_up.weight"},             \
        {.role = MODEL_MLP_DOWN, .name = "ffn_down.weight"},         \
        {.role = MODEL_FINAL_NORM, .name = "output_norm.weight"}, {  \
        .role = MODEL_HEAD, .name = "output.weight", .outside = true \
    }

static const struct model_family_entry gguf_gpt2_entries[] = {
    GGUF_COMMON,
    {.role = MODEL_POSITION, .name = "position_embd.weight"},
    {.role = MODEL_ATTN_NORM_BIAS, .name = "attn_norm.bias"},
    {.role = MODEL_Q, "attn_qkv.weight", MODEL_JOINED, .part = 0},
    {.role = MODEL_Q_BIAS, "attn_qkv.bias", MODEL_JOINED, .part = 0},
    {.role = MODEL_K, "attn_qkv.weight", MODEL_JOINED, .part = 1},
    {.role = MODEL_K_BIAS, "attn_qkv.bias", MODEL_JOINED, .part = 1},
    {.role = MODEL_V, "attn_qkv.weight", MODEL_JOINED, .part = 2},
    {.role = MODEL_V_BIAS, "attn_qkv.bias", MODEL_JOINED, .part = 2},
    {.role = MODEL_MLP_NORM_BIAS, .name = "ffn_norm.bias"},
    {.role = MODEL_MLP_UP_BIAS, .name = "ffn_up.bias"},
    {.role = MODEL_MLP_DOWN_BIAS, .name = "ffn_down.bias"},
    {.role = MODEL_FINAL_NORM_BIAS, .name = "output_norm.bias"},
};

#define GGUF_SWIGLU(qk_transform)                                                   \
    GGUF_COMMON, {.role = MODEL_MLP_GATE, .name = "ffn_gate.weight"},               \
        {.role = MODEL_Q, .name = "attn_q.weight", .transform = (qk_transform)},    \
        {.role = MODEL_Q_BIAS, .name = "attn_q.bias", .transform = (qk_transform)}, \
        {.role = MODEL_K, .name = "attn_k.weight", .transform = (qk_transform)},    \
        {.role = MODEL_K_BIAS, .name = "attn_k.bias", .transform = (qk_transform)}, \
        {.role = MODEL_V, .name = "attn_v.weight"}, {                               \
        .role = MODEL_V_BIAS, .name = "attn_v.bias"                                 \
    }

/* llama.cpp turns neighbours for this architecture, and so its converter permutes q and k. */
static const struct model_family_entry gguf_llama_entries[] = {GGUF_SWIGLU(MODEL_PAIRS)};

static const struct model_family_entry gguf_qwen_entries[] = {
    GGUF_SWIGLU(MODEL_PLAIN),
    {.role = MODEL_Q_NORM, .name = "attn_q_norm.weight"},
    {.role = MODEL_K_NORM, .name = "attn_k_norm.weight"},
};

/* ---- llama2.c: the fields of its struct ---- */

static const struct model_family_entry llama2c_entries[] = {
    {.role = MODEL_EMBED, .name = "token_embedding_table"},
    {.role = MODEL_ATTN_NORM, .name = "rms_att_weight"},
    {.role = MODEL_Q, .name = "wq", .transform = MODEL_PAIRS},
    {.role = MODEL_K, .name = "wk", .transform = MODEL_PAIRS},
    {.role = MODEL_V, .name = "wv"},
    {.role = MODEL_ATTN_OUT, .name = "wo"},
    {.role = MODEL_MLP_NORM, .name = "rms_ffn_weight"},
    {.role = MODEL_MLP_GATE, .name = "w1"},
    {.role = MODEL_MLP_DOWN, .name = "w2"},
    {.role = MODEL_MLP_UP, .name = "w3"},
    {.role = MODEL_FINAL_NORM, .name = "rms_final_weight"},
    {.role = MODEL_HEAD, .name = "wcls"},
};

/* ---- tables ---- */

#define TABLE(body_prefix, layer_prefix, list)                             \
    {                                                                      \
        .body = (body_prefix), .layer = (layer_prefix), .entries = (list), \
        .count = sizeof(list) / sizeof *(list)                             \
    }

static const struct model_family_table tables[][MODEL_FAMILY_COUNT] = {
    [MODEL_NAMES_HF] =
        {
            [MODEL_FAMILY_GPT2] = TABLE("transformer.", "h.", gpt2_entries),
            [MODEL_FAMILY_OPT] = TABLE("model.decoder.", "layers.", opt_entries),
            [MODEL_FAMILY_LLAMA] = TABLE("model.", "layers.", llama_entries),
            [MODEL_FAMILY_MISTRAL] = TABLE("model.", "layers.", llama_entries),
            [MODEL_FAMILY_QWEN2] = TABLE("model.", "layers.", llama_entries),
            [MODEL_FAMILY_QWEN3] = TABLE("model.", "layers.", llama_entries),
        },
    [MODEL_NAMES_GGUF] =
        {
            [MODEL_FAMILY_GPT2] = TABLE("", "blk.", gguf_gpt2_entries),
            [MODEL_FAMILY_LLAMA] = TABLE("", "blk.", gguf_llama_entries),
            [MODEL_FAMILY_MISTRAL] = TABLE("", "blk.", gguf_llama_entries),
            [MODEL_FAMILY_QWEN2] = TABLE("", "blk.", gguf_qwen_entries),
            [MODEL_FAMILY_QWEN3] = TABLE("", "blk.", gguf_qwen_entries),
        },
    [MODEL_NAMES_LLAMA2C] = {[MODEL_FAMILY_LLAMA] = TABLE("", "layers.", llama2c_entries)},
};

const struct model_family_table *model_family_table(enum model_family_kind family,
                                                    enum model_names names) {
    const struct model_family_table *table = &tables[names][family];
    return table->count > 0 ? table : NULL;
}

const struct model_family_entry *model_family_entry(const struct model_family_table *table,
                                                    enum model_role role) {
    for (int64_t i = 0; i < table->count; i++) {
        if (table->entries[i].role == role) {
            return &table->entries[i];
        }
    }
    return NULL;
}

void model_family_spell(const struct model_family_table *table,
                        const struct model_family_entry *entry, int64_t layer, bool bare,
                        char out_name[MODEL_PUBLISHED_BYTES]) {
    const char *body = table->body;
    if (bare && strchr(body, '.')) {
        body = strchr(body, '.') + 1;
    }
    if (entry->outside) {
        body = "";
    }
    if (model_role_in_layer(entry->role)) {
        (void)snprintf(out_name, MODEL_PUBLISHED_BYTES, "%s%s%" PRId64 ".%s", body, table->layer,
                       layer, entry->name);
    } else {
        (void)snprintf(out_name, MODEL_PUBLISHED_BYTES, "%s%s", body, entry->name);
    }
}

/* Ends of names: buffers that old checkpoints hold and newer code makes anew, and GGUF's factors of
 * llama3 rope, which are read with the configuration. */
static const char *const ignored_ends[][3] = {
    [MODEL_NAMES_HF] = {".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq"},
    [MODEL_NAMES_GGUF] = {"rope_freqs.weight"},
    [MODEL_NAMES_LLAMA2C] = {NULL},
};

bool model_family_ignores(enum model_names names, const char *name) {
    const size_t length = strlen(name);
    for (size_t i = 0; i < 3 && ignored_ends[names][i]; i++) {
        const char *end = ignored_ends[names][i];
        const size_t end_length = strlen(end);
        if (length >= end_length && strcmp(name + length - end_length, end) == 0) {
            return true;
        }
    }
    return false;
}

void model_family_stored_shape(const struct model_family_entry *entry,
                               const struct model_tensor *tensor, int64_t out_shape[2]) {
    const int64_t rows = tensor->shape[0];
    const int64_t columns = tensor->shape[1];
    const bool joined =
        entry->transform == MODEL_JOINED || entry->transform == MODEL_JOINED_TRANSPOSED;
    const bool transposed =
        entry->transform == MODEL_TRANSPOSED || entry->transform == MODEL_JOINED_TRANSPOSED;
    const int64_t all_rows = joined ? 3 * rows : rows;
    out_shape[0] = transposed ? columns : all_rows;
    out_shape[1] = transposed ? all_rows : columns;
}

/* Our row i of a head, i < d/2, is theirs 2 i; our row i + d/2 is theirs 2 i + 1. */
static int64_t row_of_pairs(int64_t row, int64_t head_dim) {
    const int64_t head = row / head_dim;
    const int64_t i = row % head_dim;
    const int64_t half = head_dim / 2;
    return head * head_dim + (i < half ? 2 * i : 2 * (i - half) + 1);
}

struct model_row_place model_family_row(const struct model_family_entry *entry,
                                        const struct model_tensor *tensor, int64_t head_dim,
                                        int64_t row) {
    const int64_t rows = tensor->shape[0];
    const int64_t columns = tensor->shape[1];
    switch (entry->transform) {
    case MODEL_TRANSPOSED:
        return (struct model_row_place){.begin = row, .step = rows};
    case MODEL_JOINED:
        return (struct model_row_place){.begin = (entry->part * rows + row) * columns, .step = 1};
    case MODEL_JOINED_TRANSPOSED:
        return (struct model_row_place){.begin = entry->part * rows + row, .step = 3 * rows};
    case MODEL_PAIRS:
        return (struct model_row_place){.begin = row_of_pairs(row, head_dim) * columns, .step = 1};
    case MODEL_PLAIN:
        break;
    }
    return (struct model_row_place){.begin = row * columns, .step = 1};
}
