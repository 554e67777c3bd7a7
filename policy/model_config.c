/* model_config.c - families, presets, consistency and rope frequencies; see model_config.h. */
#include "policy/model_config.h"

#include "base/scoped.h"
#include "base/strbuf.h"
#include "base/suggest.h"
#include "policy/model_layout.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define PARAMETERS_MAX (INT64_C(1) << 40)
#define SIZE_MAX_I64   (INT64_C(1) << 31) /* of one dimension: products of two stay in int64_t */

static const char *const family_names[] = {
#define FAMILY_NAME(name, type, gguf, lm, score) type,
    MODEL_FAMILIES(FAMILY_NAME)
#undef FAMILY_NAME
};

static const char *const class_names[][MODEL_HEAD_KIND_COUNT] = {
#define CLASS_NAMES(name, type, gguf, lm, score) {lm, score},
    MODEL_FAMILIES(CLASS_NAMES)
#undef CLASS_NAMES
};

#define ROPE_THETA_DEFAULT 10000.0
#define TWO_PI             6.283185307179586

/* The config classes of transformers 5.23. */
static const struct model_config family_defaults[] = {
    [MODEL_FAMILY_GPT2] = {.family = MODEL_FAMILY_GPT2,
                           .vocab = 50257,
                           .hidden = 768,
                           .layers = 12,
                           .heads = 12,
                           .context = 1024,
                           .norm = MODEL_NORM_LAYER,
                           .norm_eps = 1e-5,
                           .position = MODEL_POSITION_LEARNED,
                           .mlp = MODEL_MLP_GELU_TANH,
                           .qkv_bias = true,
                           .attn_out_bias = true,
                           .mlp_bias = true,
                           .tied_head = true,
                           .bos = 50256,
                           .pad = -1,
                           .eos = {50256},
                           .eos_count = 1},
    [MODEL_FAMILY_OPT] = {.family = MODEL_FAMILY_OPT,
                          .vocab = 50272,
                          .hidden = 768,
                          .layers = 12,
                          .heads = 12,
                          .mlp_hidden = 3072,
                          .context = 2048,
                          .norm = MODEL_NORM_LAYER,
                          .norm_eps = 1e-5, /* of torch.nn.LayerNorm; no key of the config */
                          .position = MODEL_POSITION_LEARNED,
                          .position_offset = 2,
                          .mlp = MODEL_MLP_RELU,
                          .qkv_bias = true,
                          .attn_out_bias = true,
                          .mlp_bias = true,
                          .tied_head = true,
                          .bos = 2,
                          .pad = 1,
                          .eos = {2},
                          .eos_count = 1},
    [MODEL_FAMILY_LLAMA] = {.family = MODEL_FAMILY_LLAMA,
                            .vocab = 32000,
                            .hidden = 4096,
                            .layers = 32,
                            .heads = 32,
                            .mlp_hidden = 11008,
                            .context = 2048,
                            .norm = MODEL_NORM_RMS,
                            .norm_eps = 1e-6,
                            .position = MODEL_POSITION_ROPE,
                            .rope = {.theta = ROPE_THETA_DEFAULT},
                            .mlp = MODEL_MLP_SWIGLU,
                            .bos = 1,
                            .pad = -1,
                            .eos = {2},
                            .eos_count = 1},
    [MODEL_FAMILY_MISTRAL] = {.family = MODEL_FAMILY_MISTRAL,
                              .vocab = 32000,
                              .hidden = 4096,
                              .layers = 32,
                              .heads = 32,
                              .kv_heads = 8,
                              .mlp_hidden = 14336,
                              .context = 131072,
                              .norm = MODEL_NORM_RMS,
                              .norm_eps = 1e-6,
                              .position = MODEL_POSITION_ROPE,
                              .rope = {.theta = ROPE_THETA_DEFAULT},
                              .mlp = MODEL_MLP_SWIGLU,
                              .bos = 1,
                              .pad = -1,
                              .eos = {2},
                              .eos_count = 1},
    [MODEL_FAMILY_QWEN2] = {.family = MODEL_FAMILY_QWEN2,
                            .vocab = 151936,
                            .hidden = 4096,
                            .layers = 32,
                            .heads = 32,
                            .kv_heads = 32,
                            .mlp_hidden = 22016,
                            .context = 32768,
                            .norm = MODEL_NORM_RMS,
                            .norm_eps = 1e-6,
                            .position = MODEL_POSITION_ROPE,
                            .rope = {.theta = ROPE_THETA_DEFAULT},
                            .mlp = MODEL_MLP_SWIGLU,
                            .qkv_bias = true,
                            .bos = -1,
                            .pad = -1},
    [MODEL_FAMILY_QWEN3] = {.family = MODEL_FAMILY_QWEN3,
                            .vocab = 151936,
                            .hidden = 4096,
                            .layers = 32,
                            .heads = 32,
                            .kv_heads = 32,
                            .head_dim = 128,
                            .mlp_hidden = 22016,
                            .context = 32768,
                            .norm = MODEL_NORM_RMS,
                            .norm_eps = 1e-6,
                            .position = MODEL_POSITION_ROPE,
                            .rope = {.theta = ROPE_THETA_DEFAULT},
                            .mlp = MODEL_MLP_SWIGLU,
                            .qk_norm = true,
                            .bos = -1,
                            .pad = -1},
};

/* Name, V, D, L, H, H_kv, width of the MLP, context: the table of the header. */
#define MODEL_PRESETS(X)                          \
    X("tiny", 2048, 128, 4, 4, 2, 352, 512)       \
    X("small", 8192, 256, 8, 8, 4, 704, 1024)     \
    X("15m", 32000, 288, 6, 6, 6, 768, 256)       \
    X("42m", 32000, 512, 8, 8, 8, 1376, 1024)     \
    X("110m", 32000, 768, 12, 12, 12, 2048, 1024) \
    X("135m", 49152, 576, 30, 9, 3, 1536, 2048)   \
    X("360m", 49152, 960, 32, 15, 5, 2560, 2048)

static const char *const preset_names[] = {
#define PRESET_NAME(name, v, d, l, h, h_kv, m, c) name,
    MODEL_PRESETS(PRESET_NAME)
#undef PRESET_NAME
};

#define PRESET_COUNT (sizeof preset_names / sizeof preset_names[0])

static const struct preset {
    int64_t vocab, hidden, layers, heads, kv_heads, mlp_hidden, context;
} presets[] = {
#define PRESET_SIZES(name, v, d, l, h, h_kv, m, c) {v, d, l, h, h_kv, m, c},
    MODEL_PRESETS(PRESET_SIZES)
#undef PRESET_SIZES
};

const char *model_family_name(enum model_family_kind family) {
    return family_names[family];
}

const char *model_class_name(enum model_family_kind family, enum model_head_kind head) {
    return class_names[family][head];
}

const struct model_config *model_family_defaults(enum model_family_kind family) {
    return &family_defaults[family];
}

/* ---- presets ---- */

const char *const *model_preset_names(int64_t *out_count) {
    *out_count = (int64_t)PRESET_COUNT;
    return preset_names;
}

const char *model_preset_of(const char *path) {
    static const char prefix[] = "preset:";
    return strncmp(path, prefix, strlen(prefix)) == 0 ? path + strlen(prefix) : NULL;
}

static enum err_code refuse_preset(const char *name, struct error *err) {
    SCOPED(strbuf) struct strbuf names = STRBUF_INIT(256);
    for (size_t i = 0; i < PRESET_COUNT; i++) {
        strbuf_addf(&names, "%s%s", i > 0 ? ", " : "", preset_names[i]);
    }
    TRY(strbuf_check(&names, "names of presets", err));
    const char *nearest = suggest_nearest(name, preset_names, PRESET_COUNT);
    return err_set(err, ERR_USAGE, "no preset '%s'; there are %s%s%s%s", name, strbuf_text(&names),
                   nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

enum err_code model_config_from_preset(const char *name, struct model_config *out_config,
                                       struct error *err) {
    size_t found = 0;
    while (found < PRESET_COUNT && strcmp(name, preset_names[found]) != 0) {
        found++;
    }
    if (found == PRESET_COUNT) {
        return refuse_preset(name, err);
    }
    const struct preset *sizes = &presets[found];
    struct model_config config = family_defaults[MODEL_FAMILY_LLAMA];
    config.vocab = sizes->vocab;
    config.hidden = sizes->hidden;
    config.layers = sizes->layers;
    config.heads = sizes->heads;
    config.kv_heads = sizes->kv_heads;
    config.head_dim = sizes->hidden / sizes->heads;
    config.mlp_hidden = sizes->mlp_hidden;
    config.context = sizes->context;
    config.norm_eps = 1e-5;
    config.tied_head = true;
    config.bos = -1;
    config.eos_count = 0;
    TRY(model_config_check(&config, err));
    *out_config = config;
    return ERR_OK;
}

/* ---- consistency ---- */

static enum err_code check_sizes(const struct model_config *config, struct error *err) {
    const struct {
        const char *name;
        int64_t value;
    } sizes[] = {
        {"vocabulary", config->vocab},
        {"hidden size", config->hidden},
        {"layers", config->layers},
        {"heads", config->heads},
        {"key-value heads", config->kv_heads},
        {"head size", config->head_dim},
        {"MLP size", config->mlp_hidden},
        {"context", config->context},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        if (sizes[i].value < 1 || sizes[i].value > SIZE_MAX_I64) {
            return err_set(err, ERR_DATA, "%s %" PRId64 " is outside [1, 2^31]", sizes[i].name,
                           sizes[i].value);
        }
    }
    if (config->heads % config->kv_heads != 0) {
        return err_set(err, ERR_DATA,
                       "%" PRId64 " heads are no multiple of %" PRId64 " key-value heads",
                       config->heads, config->kv_heads);
    }
    if (config->heads * config->head_dim > SIZE_MAX_I64) {
        return err_set(err, ERR_LIMIT,
                       "%" PRId64 " heads of %" PRId64 " make rows longer than 2^31", config->heads,
                       config->head_dim);
    }
    return ERR_OK;
}

static bool is_positive(double value) {
    return isfinite(value) && value > 0.0;
}

static enum err_code check_rope(const struct model_config *config, struct error *err) {
    const struct model_rope *rope = &config->rope;
    if (config->head_dim % 2 != 0) {
        return err_set(err, ERR_DATA, "head size %" PRId64 " is odd: rope turns pairs",
                       config->head_dim);
    }
    if (!is_positive(rope->theta)) {
        return err_set(err, ERR_DATA, "rope theta %g is not a positive number", rope->theta);
    }
    if (rope->kind != MODEL_ROPE_DEFAULT && !is_positive(rope->factor)) {
        return err_set(err, ERR_DATA, "rope factor %g is not a positive number", rope->factor);
    }
    if (rope->kind == MODEL_ROPE_LLAMA3 &&
        !(is_positive(rope->low_freq_factor) && isfinite(rope->high_freq_factor) &&
          rope->low_freq_factor < rope->high_freq_factor && rope->original_context > 0)) {
        return err_set(err, ERR_DATA,
                       "llama3 rope with low_freq_factor %g, high_freq_factor %g and "
                       "original_max_position_embeddings %" PRId64
                       ": needs 0 < low < high and a positive context",
                       rope->low_freq_factor, rope->high_freq_factor, rope->original_context);
    }
    return ERR_OK;
}

static enum err_code check_id(const char *what, int64_t id, const struct model_config *config,
                              struct error *err) {
    if (id < -1 || id >= config->vocab) {
        return err_set(err, ERR_DATA,
                       "%s token id %" PRId64 " is outside the vocabulary of %" PRId64, what, id,
                       config->vocab);
    }
    return ERR_OK;
}

static enum err_code check_ids(const struct model_config *config, struct error *err) {
    TRY(check_id("bos", config->bos, config, err));
    TRY(check_id("pad", config->pad, config, err));
    if (config->eos_count < 0 || config->eos_count > MODEL_EOS_MAX) {
        return err_set(err, ERR_LIMIT, "%" PRId64 " eos token ids, limit %d", config->eos_count,
                       MODEL_EOS_MAX);
    }
    for (int64_t i = 0; i < config->eos_count; i++) {
        TRY(check_id("eos", config->eos[i], config, err));
    }
    return ERR_OK;
}

/* In doubles, where 2^31 layers of 2^31 by 2^31 do not overflow. */
static enum err_code check_parameters(const struct model_config *config, struct error *err) {
    double hidden = (double)config->hidden;
    double attention =
        2.0 * hidden * (double)config->head_dim * (double)(config->heads + config->kv_heads);
    double layer = attention + 3.0 * hidden * (double)config->mlp_hidden;
    double about = (double)config->layers * layer +
                   hidden * (2.0 * (double)config->vocab + (double)config->context);
    if (about > (double)PARAMETERS_MAX) {
        return err_set(err, ERR_LIMIT, "these sizes make about %.3g parameters, limit 2^40", about);
    }
    return ERR_OK;
}

enum err_code model_config_check(const struct model_config *config, struct error *err) {
    if ((unsigned)config->family >= MODEL_FAMILY_COUNT) {
        return err_set(err, ERR_DATA, "family %d is none", (int)config->family);
    }
    if ((unsigned)config->head >= MODEL_HEAD_KIND_COUNT) {
        return err_set(err, ERR_DATA, "head %d is none", (int)config->head);
    }
    TRY(check_sizes(config, err));
    if (!is_positive(config->norm_eps) || config->norm_eps > 1.0) {
        return err_set(err, ERR_DATA, "norm epsilon %g is outside (0, 1]", config->norm_eps);
    }
    if (config->position == MODEL_POSITION_ROPE) {
        TRY(check_rope(config, err));
    } else if (config->position_offset < 0 || config->position_offset > SIZE_MAX_I64) {
        return err_set(err, ERR_DATA, "position offset %" PRId64 " is outside [0, 2^31]",
                       config->position_offset);
    }
    TRY(check_ids(config, err));
    return check_parameters(config, err);
}

/* ---- heads ---- */

enum err_code model_config_need_head(const struct model_config *config, enum model_head_kind head,
                                     struct error *err) {
    if (config->head == head) {
        return ERR_OK;
    }
    const char *name = model_class_name(config->family, config->head);
    if (head == MODEL_HEAD_LM) {
        return err_set(err, ERR_DATA,
                       "%s gives scores of texts, no next tokens: name a language model", name);
    }
    return err_set(err, ERR_DATA,
                   "%s gives next tokens, no scores: name a reward model, such as 'accord reward "
                   "fit' makes of it",
                   name);
}

enum err_code model_config_check_pad(const struct model_config *config, struct error *err) {
    static const char remedy[] = "transformers would score another token than the last one: state "
                                 "as pad_token_id a token that no text holds";
    if (config->head != MODEL_HEAD_SCORE) {
        return ERR_OK;
    }
    if (config->pad < 0) {
        return err_set(err, ERR_DATA, "the model has scores and no pad_token_id, and %s", remedy);
    }
    for (int64_t i = 0; i < config->eos_count; i++) {
        if (config->eos[i] == config->pad) {
            return err_set(err, ERR_DATA,
                           "the model has scores, and its pad_token_id %" PRId64
                           " is an eos_token_id too: %s",
                           config->pad, remedy);
        }
    }
    return ERR_OK;
}

/* ---- rope ---- */

/* Llama 3: wavelengths beyond the original context are stretched by `factor`, those that fit
 * high_freq_factor times into it stay, and between the two the share goes linearly in the number of
 * turns that fit. Each step rounds to f32, as torch does. */
static float llama3_frequency(const struct model_rope *rope, float inv_freq) {
    float context = (float)rope->original_context;
    float wavelength = (float)TWO_PI / inv_freq;
    if (wavelength < (float)((double)rope->original_context / rope->high_freq_factor)) {
        return inv_freq;
    }
    float factor = (float)rope->factor;
    if (wavelength > (float)((double)rope->original_context / rope->low_freq_factor)) {
        return inv_freq / factor;
    }
    float kept = (context / wavelength - (float)rope->low_freq_factor) /
                 (float)(rope->high_freq_factor - rope->low_freq_factor);
    return (1.0F - kept) * inv_freq / factor + kept * inv_freq;
}

void model_rope_frequencies(const struct model_config *config, float *out_inv_freq) {
    const struct model_rope *rope = &config->rope;
    for (int64_t i = 0; i < config->head_dim / 2; i++) {
        float exponent = (float)(2 * i) / (float)config->head_dim;
        float inv_freq = 1.0F / (float)pow((double)(float)rope->theta, (double)exponent);
        if (rope->kind == MODEL_ROPE_LINEAR) {
            inv_freq = inv_freq / (float)rope->factor;
        } else if (rope->kind == MODEL_ROPE_LLAMA3) {
            inv_freq = llama3_frequency(rope, inv_freq);
        }
        out_inv_freq[i] = inv_freq;
    }
}
