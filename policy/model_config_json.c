/* model_config_json.c - config.json and generation_config.json; see model_config.h.
 *
 * The keys of each family's config class in transformers 5.23 are in tables: sizes, flags, and
 * what is refused. A key of no table changes nothing in inference.
 */
#include "base/json_writer.h"
#include "base/strbuf.h"
#include "policy/model_config.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

/* ---- keys ---- */

#define FAMILY_BIT(name) (1U << MODEL_FAMILY_##name)
#define ALL_FAMILIES     ((1U << MODEL_FAMILY_COUNT) - 1)

/* A size and its key; NULL: the family's class has no such key. */
static const struct size_key {
    size_t offset;
    const char *gpt2, *opt, *others;
} size_keys[] = {
#define SIZE_KEY(field, gpt2, opt, others) \
    { offsetof(struct model_config, field), gpt2, opt, others }
    SIZE_KEY(vocab, "vocab_size", "vocab_size", "vocab_size"),
    SIZE_KEY(hidden, "n_embd", "hidden_size", "hidden_size"),
    SIZE_KEY(layers, "n_layer", "num_hidden_layers", "num_hidden_layers"),
    SIZE_KEY(heads, "n_head", "num_attention_heads", "num_attention_heads"),
    SIZE_KEY(kv_heads, NULL, NULL, "num_key_value_heads"),
    SIZE_KEY(head_dim, NULL, NULL, "head_dim"),
    SIZE_KEY(mlp_hidden, "n_inner", "ffn_dim", "intermediate_size"),
    SIZE_KEY(context, "n_positions", "max_position_embeddings", "max_position_embeddings"),
#undef SIZE_KEY
};

#define SIZE_KEY_COUNT (sizeof size_keys / sizeof size_keys[0])

/* A flag that the decoder does not have; `accepted` is the value that says so. */
static const struct flag_key {
    unsigned families;
    const char *name;
    bool accepted;
    const char *meaning;
} flag_keys[] = {
    {ALL_FAMILIES, "is_encoder_decoder", false, "an encoder beside the decoder"},
    {ALL_FAMILIES, "add_cross_attention", false, "attention to an encoder"},
    {FAMILY_BIT(GPT2), "scale_attn_weights", true, "attention without 1/sqrt(head size)"},
    {FAMILY_BIT(GPT2), "scale_attn_by_inverse_layer_idx", false, "attention scaled by layer"},
    {FAMILY_BIT(OPT), "do_layer_norm_before", true, "norms behind attention and MLP (opt-350m)"},
    {FAMILY_BIT(OPT), "_remove_final_layer_norm", false, "no final norm"},
    {FAMILY_BIT(OPT), "layer_norm_elementwise_affine", true, "norms without weights"},
    {FAMILY_BIT(LLAMA), "mlp_bias", false, "biases in a gated MLP"},
};

/* Names of transformers' ACT2FN; gelu_fast and gelu_pytorch_tanh are gelu_new to within rounding.
 * The first name of a kind is the one that is written. */
static const struct activation {
    const char *name;
    enum model_mlp_kind mlp;
} activations[] = {
    {"relu", MODEL_MLP_RELU},          {"gelu", MODEL_MLP_GELU},
    {"gelu_new", MODEL_MLP_GELU_TANH}, {"gelu_pytorch_tanh", MODEL_MLP_GELU_TANH},
    {"silu", MODEL_MLP_SWIGLU},        {"gelu_fast", MODEL_MLP_GELU_TANH},
    {"swish", MODEL_MLP_SWIGLU},
};

#define ACTIVATION_COUNT (sizeof activations / sizeof activations[0])

static const char *activation_key(enum model_family_kind family) {
    return family == MODEL_FAMILY_GPT2 || family == MODEL_FAMILY_OPT ? "activation_function"
                                                                     : "hidden_act";
}

static const char *norm_eps_key(enum model_family_kind family) {
    if (family == MODEL_FAMILY_OPT) {
        return NULL;
    }
    return family == MODEL_FAMILY_GPT2 ? "layer_norm_epsilon" : "rms_norm_eps";
}

static const char *size_key_name(enum model_family_kind family, const struct size_key *key) {
    if (family == MODEL_FAMILY_GPT2) {
        return key->gpt2;
    }
    return family == MODEL_FAMILY_OPT ? key->opt : key->others;
}

static int64_t *size_field(struct model_config *config, const struct size_key *key) {
    return (int64_t *)(void *)((char *)config + key->offset);
}

/* ---- reading ---- */

/* The member, or NULL when it is absent or null. */
static const struct json_node *find_stated(const struct json *doc, const struct json_node *object,
                                           const char *key) {
    const struct json_node *node = json_find(doc, object, key);
    return node && json_kind_of(node) != JSON_KIND_NULL ? node : NULL;
}

static enum err_code read_family(const struct json *doc, struct model_config *config,
                                 struct error *err) {
    const char *type = NULL;
    TRY(json_get_string(doc, json_root(doc), "model_type", &type, err));
    for (size_t f = 0; f < MODEL_FAMILY_COUNT; f++) {
        enum model_family_kind family = (enum model_family_kind)f;
        if (strcmp(type, model_family_name(family)) == 0) {
            *config = *model_family_defaults(family);
            return ERR_OK;
        }
    }
    return json_refuse(doc, json_find(doc, json_root(doc), "model_type"), err,
                       "'%s' is none of gpt2, opt, llama, mistral, qwen2 and qwen3", type);
}

static bool ends_with(const char *text, const char *end) {
    const size_t length = strlen(text);
    return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

/* One label is one score. Absent are two, as transformers has it: it writes the labels of every
 * other number. */
static enum err_code refuse_labels(const struct json *doc, struct error *err) {
    const struct json_node *names = find_stated(doc, json_root(doc), "id2label");
    const struct json_node *number = find_stated(doc, json_root(doc), "num_labels");
    int64_t labels = names || number ? 1 : 2;
    if (number) {
        TRY(json_as_i64(doc, number, &labels, err));
    }
    if (names && labels == 1) {
        TRY(json_as_object(doc, names, &names, err));
        labels = json_count(doc, names);
    }
    if (labels == 1) {
        return ERR_OK;
    }
    return json_refuse(doc, names ? names : (number ? number : json_root(doc)), err,
                       "%" PRId64 " labels%s: only models of one score are supported", labels,
                       names || number ? "" : " (the default without id2label)");
}

/* By the class in `architectures`. Classes that are neither are told apart by their tensors. */
static enum err_code read_head(const struct json *doc, struct model_config *config,
                               struct error *err) {
    const struct json_node *classes = find_stated(doc, json_root(doc), "architectures");
    if (!classes) {
        return ERR_OK;
    }
    TRY(json_as_array(doc, classes, &classes, err));
    for (const struct json_node *class = json_first(classes); class; class = json_next(class)) {
        const char *name = NULL;
        TRY(json_as_string(doc, class, &name, err));
        if (!ends_with(name, "ForSequenceClassification")) {
            continue;
        }
        const char *expected = model_class_name(config->family, MODEL_HEAD_SCORE);
        if (strcmp(name, expected) != 0) {
            return json_refuse(doc, class, err, "'%s' is not the %s of a %s", name, expected,
                               model_family_name(config->family));
        }
        config->head = MODEL_HEAD_SCORE;
        return refuse_labels(doc, err);
    }
    return ERR_OK;
}

static enum err_code refuse_flags(const struct json *doc, enum model_family_kind family,
                                  struct error *err) {
    for (size_t i = 0; i < sizeof flag_keys / sizeof flag_keys[0]; i++) {
        const struct flag_key *key = &flag_keys[i];
        const struct json_node *node = find_stated(doc, json_root(doc), key->name);
        if (!node || !(key->families >> family & 1U)) {
            continue;
        }
        bool value = false;
        TRY(json_as_bool(doc, node, &value, err));
        if (value != key->accepted) {
            return json_refuse(doc, node, err, "%s means %s, which is not supported",
                               value ? "true" : "false", key->meaning);
        }
    }
    return ERR_OK;
}

/* Keys that ask for another model by being there. */
static enum err_code refuse_presence(const struct json *doc, struct error *err) {
    const struct json_node *root = json_root(doc);
    const struct json_node *quantised = find_stated(doc, root, "quantization_config");
    if (quantised) {
        const char *method = "an unnamed method";
        const struct json_node *named = json_find(doc, quantised, "quant_method");
        if (named) {
            TRY(json_as_string(doc, named, &method, err));
        }
        return json_refuse(
            doc, quantised, err,
            "weights quantised by '%s' are not supported: use the unquantised model, "
            "or a GGUF file of it",
            method);
    }
    const struct json_node *by_layer = find_stated(doc, root, "per_layer_config");
    if (by_layer && json_count(doc, by_layer) > 0) {
        return json_refuse(doc, by_layer, err, "layers that differ are not supported");
    }
    return ERR_OK;
}

static enum err_code read_size(const struct json *doc, const struct size_key *key,
                               struct model_config *config, struct error *err) {
    const char *name = size_key_name(config->family, key);
    if (!name) {
        return ERR_OK;
    }
    const struct json_node *node = json_find(doc, json_root(doc), name);
    if (!node) {
        return ERR_OK;
    }
    if (json_kind_of(node) == JSON_KIND_NULL) {
        if (key->offset == offsetof(struct model_config, kv_heads)) {
            config->kv_heads = 0;
        }
        return ERR_OK;
    }
    int64_t value = 0;
    TRY(json_as_i64(doc, node, &value, err));
    if (value < 1) {
        return json_refuse(doc, node, err, "%" PRId64 " is not positive", value);
    }
    *size_field(config, key) = value;
    return ERR_OK;
}

static enum err_code read_sizes(const struct json *doc, struct model_config *config,
                                struct error *err) {
    for (size_t i = 0; i < SIZE_KEY_COUNT; i++) {
        TRY(read_size(doc, &size_keys[i], config, err));
    }
    if (config->kv_heads == 0) {
        config->kv_heads = config->heads;
    }
    if (config->mlp_hidden == 0) {
        config->mlp_hidden = 4 * config->hidden;
    }
    if (config->head_dim == 0) {
        if (config->hidden % config->heads != 0) {
            return json_refuse(doc, json_root(doc), err,
                               "hidden size %" PRId64 " is no multiple of %" PRId64 " heads",
                               config->hidden, config->heads);
        }
        config->head_dim = config->hidden / config->heads;
    }
    return ERR_OK;
}

static enum err_code read_flag(const struct json *doc, const char *key, bool *in_out,
                               struct error *err) {
    const struct json_node *node = find_stated(doc, json_root(doc), key);
    return node ? json_as_bool(doc, node, in_out, err) : ERR_OK;
}

static enum err_code read_biases(const struct json *doc, struct model_config *config,
                                 struct error *err) {
    if (config->family == MODEL_FAMILY_OPT) {
        TRY(read_flag(doc, "enable_bias", &config->qkv_bias, err));
        config->attn_out_bias = config->qkv_bias;
        config->mlp_bias = config->qkv_bias;
    } else if (config->family == MODEL_FAMILY_LLAMA || config->family == MODEL_FAMILY_QWEN3) {
        TRY(read_flag(doc, "attention_bias", &config->qkv_bias, err));
        config->attn_out_bias = config->qkv_bias;
    }
    return ERR_OK;
}

static enum err_code read_activation(const struct json *doc, struct model_config *config,
                                     struct error *err) {
    const struct json_node *node = find_stated(doc, json_root(doc), activation_key(config->family));
    if (!node) {
        return ERR_OK;
    }
    const char *name = NULL;
    TRY(json_as_string(doc, node, &name, err));
    bool gated = config->mlp == MODEL_MLP_SWIGLU;
    for (size_t i = 0; i < ACTIVATION_COUNT; i++) {
        if (strcmp(name, activations[i].name) == 0 &&
            (activations[i].mlp == MODEL_MLP_SWIGLU) == gated) {
            config->mlp = activations[i].mlp;
            return ERR_OK;
        }
    }
    return json_refuse(doc, node, err, "activation '%s' is not supported here: %s", name,
                       gated ? "silu is" : "relu, gelu, gelu_new and gelu_pytorch_tanh are");
}

static enum err_code read_number(const struct json *doc, const struct json_node *object,
                                 const char *key, double *in_out, struct error *err) {
    const struct json_node *node = find_stated(doc, object, key);
    return node ? json_as_f64(doc, node, in_out, err) : ERR_OK;
}

static enum err_code refuse_partial_rotary(const struct json *doc, const struct json_node *object,
                                           struct error *err) {
    double share = 1.0;
    TRY(read_number(doc, object, "partial_rotary_factor", &share, err));
    if (share < 1.0 || share > 1.0) {
        return json_refuse(doc, json_find(doc, object, "partial_rotary_factor"), err,
                           "%g: only whole heads are turned here", share);
    }
    return ERR_OK;
}

/* "rope_type", or "type" before transformers 4.43. */
static enum err_code read_rope_kind(const struct json *doc, const struct json_node *parameters,
                                    enum model_rope_kind *out_kind, struct error *err) {
    const struct json_node *node = find_stated(doc, parameters, "rope_type");
    if (!node) {
        node = find_stated(doc, parameters, "type");
    }
    const char *type = "default";
    if (node) {
        TRY(json_as_string(doc, node, &type, err));
    }
    static const char *const types[] = {"default", "linear", "llama3"}; /* enum model_rope_kind */
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(type, types[i]) == 0) {
            *out_kind = (enum model_rope_kind)i;
            return ERR_OK;
        }
    }
    return json_refuse(doc, node, err, "rope type '%s' is none of default, linear and llama3",
                       type);
}

static enum err_code read_llama3_rope(const struct json *doc, const struct json_node *parameters,
                                      struct model_config *config, struct error *err) {
    struct model_rope *rope = &config->rope;
    TRY(json_get_f64(doc, parameters, "low_freq_factor", &rope->low_freq_factor, err));
    TRY(json_get_f64(doc, parameters, "high_freq_factor", &rope->high_freq_factor, err));
    const char *key = "original_max_position_embeddings";
    const struct json_node *original = find_stated(doc, json_root(doc), key);
    if (!original) {
        original = find_stated(doc, parameters, key);
    }
    rope->original_context = config->context;
    return original ? json_as_i64(doc, original, &rope->original_context, err) : ERR_OK;
}

/* A filled rope_scaling goes before rope_parameters, and what stands inside before what stands
 * beside, as in transformers. */
static enum err_code read_rope(const struct json *doc, struct model_config *config,
                               struct error *err) {
    const struct json_node *root = json_root(doc);
    TRY(refuse_partial_rotary(doc, root, err));
    TRY(read_number(doc, root, "rope_theta", &config->rope.theta, err));
    const struct json_node *parameters = find_stated(doc, root, "rope_scaling");
    if (parameters) {
        TRY(json_as_object(doc, parameters, &parameters, err));
    }
    if (!parameters || json_count(doc, parameters) == 0) {
        parameters = find_stated(doc, root, "rope_parameters");
    }
    if (!parameters) {
        return ERR_OK;
    }
    TRY(json_as_object(doc, parameters, &parameters, err));
    for (const struct json_node *m = json_first(parameters); m; m = json_next(m)) {
        if (json_kind_of(m) == JSON_KIND_OBJECT) {
            return json_refuse(doc, m, err, "rope that differs by layer is not supported");
        }
    }
    TRY(refuse_partial_rotary(doc, parameters, err));
    TRY(read_number(doc, parameters, "rope_theta", &config->rope.theta, err));
    TRY(read_rope_kind(doc, parameters, &config->rope.kind, err));
    if (config->rope.kind != MODEL_ROPE_DEFAULT) {
        TRY(json_get_f64(doc, parameters, "factor", &config->rope.factor, err));
    }
    return config->rope.kind == MODEL_ROPE_LLAMA3 ? read_llama3_rope(doc, parameters, config, err)
                                                  : ERR_OK;
}

#define WINDOW_DEFAULT 4096 /* of mistral, qwen2 and qwen3 */

/* Whether any layer of a Qwen looks through the window: by layer_types if it is there, otherwise
 * the layers from max_window_layers on. */
static enum err_code has_window_layers(const struct json *doc, const struct model_config *config,
                                       bool *out_has, struct error *err) {
    const struct json_node *types = find_stated(doc, json_root(doc), "layer_types");
    if (!types) {
        int64_t first = 28;
        const struct json_node *node = find_stated(doc, json_root(doc), "max_window_layers");
        if (node) {
            TRY(json_as_i64(doc, node, &first, err));
        }
        *out_has = first < config->layers;
        return ERR_OK;
    }
    *out_has = false;
    for (const struct json_node *type = json_first(types); type; type = json_next(type)) {
        const char *name = NULL;
        TRY(json_as_string(doc, type, &name, err));
        *out_has = *out_has || strcmp(name, "full_attention") != 0;
    }
    return ERR_OK;
}

/* A window that is as long as the context hides nothing. */
static enum err_code refuse_window(const struct json *doc, const struct model_config *config,
                                   struct error *err) {
    const struct json_node *root = json_root(doc);
    bool used = config->family == MODEL_FAMILY_MISTRAL;
    if (config->family == MODEL_FAMILY_QWEN2 || config->family == MODEL_FAMILY_QWEN3) {
        TRY(read_flag(doc, "use_sliding_window", &used, err));
        if (used) {
            TRY(has_window_layers(doc, config, &used, err));
        }
    }
    const struct json_node *node = json_find(doc, root, "sliding_window");
    if (!used || (node && json_kind_of(node) == JSON_KIND_NULL)) {
        return ERR_OK;
    }
    int64_t window = WINDOW_DEFAULT;
    if (node) {
        TRY(json_as_i64(doc, node, &window, err));
    }
    if (window >= config->context) {
        return ERR_OK;
    }
    return json_refuse(doc, node ? node : root, err,
                       "a sliding window of %" PRId64 " tokens%s is shorter than the context of "
                       "%" PRId64 ": not supported; for texts that fit the window, set "
                       "max_position_embeddings to it",
                       window, node ? "" : " (the default of sliding_window)", config->context);
}

static enum err_code refuse_projection(const struct json *doc, const struct model_config *config,
                                       struct error *err) {
    const struct json_node *node = find_stated(doc, json_root(doc), "word_embed_proj_dim");
    int64_t size = config->hidden;
    if (config->family != MODEL_FAMILY_OPT || !node) {
        return ERR_OK;
    }
    TRY(json_as_i64(doc, node, &size, err));
    if (size != config->hidden) {
        return json_refuse(doc, node, err,
                           "%" PRId64 " differs from hidden_size %" PRId64
                           ": embeddings that are projected (opt-350m) are not supported",
                           size, config->hidden);
    }
    return ERR_OK;
}

static enum err_code read_id(const struct json *doc, const struct json_node *node, int64_t vocab,
                             int64_t *out, struct error *err) {
    TRY(json_as_i64(doc, node, out, err));
    if (*out < 0 || *out >= vocab) {
        return json_refuse(doc, node, err,
                           "token id %" PRId64 " is outside the vocabulary of %" PRId64, *out,
                           vocab);
    }
    return ERR_OK;
}

/* A default id that a small vocabulary does not have was stated by nobody. */
static enum err_code read_id_or_none(const struct json *doc, const char *key, int64_t vocab,
                                     int64_t *in_out, struct error *err) {
    const struct json_node *node = json_find(doc, json_root(doc), key);
    if (!node) {
        *in_out = *in_out < vocab ? *in_out : -1;
        return ERR_OK;
    }
    if (json_kind_of(node) == JSON_KIND_NULL) {
        *in_out = -1;
        return ERR_OK;
    }
    int64_t id = 0;
    TRY(json_as_i64(doc, node, &id, err));
    if (id == -1) { /* how some converters write none */
        *in_out = -1;
        return ERR_OK;
    }
    return read_id(doc, node, vocab, in_out, err);
}

/* One id or a list. */
static enum err_code read_eos(const struct json *doc, struct model_config *config,
                              struct error *err) {
    const struct json_node *node = json_find(doc, json_root(doc), "eos_token_id");
    if (!node || json_kind_of(node) != JSON_KIND_ARRAY) {
        int64_t id = config->eos_count > 0 ? config->eos[0] : -1;
        TRY(read_id_or_none(doc, "eos_token_id", config->vocab, &id, err));
        if (node || id < 0) {
            config->eos[0] = id;
            config->eos_count = id < 0 ? 0 : 1;
        }
        return ERR_OK;
    }
    if (json_count(doc, node) > MODEL_EOS_MAX) {
        return json_refuse(doc, node, err, "%" PRId64 " ids, limit %d", json_count(doc, node),
                           MODEL_EOS_MAX);
    }
    config->eos_count = 0;
    for (const struct json_node *id = json_first(node); id; id = json_next(id)) {
        TRY(read_id(doc, id, config->vocab, &config->eos[config->eos_count], err));
        config->eos_count++;
    }
    return ERR_OK;
}

static enum err_code read_ids(const struct json *doc, struct model_config *config,
                              struct error *err) {
    TRY(read_id_or_none(doc, "bos_token_id", config->vocab, &config->bos, err));
    TRY(read_id_or_none(doc, "pad_token_id", config->vocab, &config->pad, err));
    return read_eos(doc, config, err);
}

enum err_code model_config_from_json(const struct json *object, struct model_config *out_config,
                                     struct error *err) {
    struct model_config config;
    TRY(read_family(object, &config, err));
    TRY(read_head(object, &config, err));
    TRY(refuse_presence(object, err));
    TRY(refuse_flags(object, config.family, err));
    TRY(read_sizes(object, &config, err));
    TRY(refuse_projection(object, &config, err));
    TRY(read_activation(object, &config, err));
    TRY(read_biases(object, &config, err));
    const char *eps = norm_eps_key(config.family);
    if (eps) {
        TRY(read_number(object, json_root(object), eps, &config.norm_eps, err));
    }
    if (config.position == MODEL_POSITION_ROPE) {
        TRY(read_rope(object, &config, err));
        TRY(refuse_window(object, &config, err));
    }
    TRY(read_flag(object, "tie_word_embeddings", &config.tied_head, err));
    TRY(read_ids(object, &config, err));
    struct error why = ERROR_INIT;
    if (model_config_check(&config, &why)) {
        return json_refuse(object, json_root(object), err, "%s", why.msg);
    }
    *out_config = config;
    return ERR_OK;
}

enum err_code model_config_read_generation(const struct json *object, struct model_config *config,
                                           struct error *err) {
    struct model_config changed = *config;
    TRY(read_ids(object, &changed, err));
    *config = changed;
    return ERR_OK;
}

/* ---- writing ---- */

/* With a point: transformers before 4.43 refuses a factor that Python reads as an integer. */
static void write_f64(struct json_writer *out, const char *key, double value) {
    json_write_key(out, key);
    json_write_f64_point(out, value);
}

static void write_id(struct json_writer *out, const char *key, int64_t id) {
    json_write_key(out, key);
    if (id < 0) {
        json_write_null(out);
    } else {
        json_write_i64(out, id);
    }
}

static void write_ids(const struct model_config *config, struct json_writer *out) {
    write_id(out, "bos_token_id", config->bos);
    if (config->eos_count > 1) {
        json_put_array_begin(out, "eos_token_id");
        for (int64_t i = 0; i < config->eos_count; i++) {
            json_write_i64(out, config->eos[i]);
        }
        json_write_array_end(out);
    } else {
        write_id(out, "eos_token_id", config->eos_count == 1 ? config->eos[0] : -1);
    }
    write_id(out, "pad_token_id", config->pad);
}

static const char *activation_name(enum model_mlp_kind mlp) {
    for (size_t i = 0; i < ACTIVATION_COUNT; i++) {
        if (activations[i].mlp == mlp) {
            return activations[i].name;
        }
    }
    return activations[0].name;
}

static void write_sizes(const struct model_config *config, struct json_writer *out) {
    struct model_config copy = *config;
    for (size_t i = 0; i < SIZE_KEY_COUNT; i++) {
        const char *name = size_key_name(config->family, &size_keys[i]);
        if (name) {
            json_put_i64(out, name, *size_field(&copy, &size_keys[i]));
        }
    }
}

/* Before 4.43 transformers took linear scaling in exactly two keys, "type" and "factor", and later
 * ones still read that; llama3 came with the key "rope_type". */
static void write_rope_scaling(const struct model_rope *rope, struct json_writer *out) {
    json_write_object_begin(out);
    if (rope->kind == MODEL_ROPE_LINEAR) {
        json_put_string(out, "type", "linear");
        write_f64(out, "factor", rope->factor);
    } else {
        json_put_string(out, "rope_type", "llama3");
        write_f64(out, "factor", rope->factor);
        write_f64(out, "low_freq_factor", rope->low_freq_factor);
        write_f64(out, "high_freq_factor", rope->high_freq_factor);
        json_put_i64(out, "original_max_position_embeddings", rope->original_context);
    }
    json_write_object_end(out);
}

/* In the spelling of transformers 4, which 5 reads as well. */
static void write_rope(const struct model_config *config, struct json_writer *out) {
    write_f64(out, "rope_theta", config->rope.theta);
    json_write_key(out, "rope_scaling");
    if (config->rope.kind == MODEL_ROPE_DEFAULT) {
        json_write_null(out);
    } else {
        write_rope_scaling(&config->rope, out);
    }
}

/* What only some families have. */
static void write_kinds(const struct model_config *config, struct json_writer *out) {
    enum model_family_kind family = config->family;
    if (family == MODEL_FAMILY_OPT) {
        json_put_bool(out, "enable_bias", config->qkv_bias);
        json_put_bool(out, "do_layer_norm_before", true);
        json_put_i64(out, "word_embed_proj_dim", config->hidden);
    }
    if (family == MODEL_FAMILY_LLAMA || family == MODEL_FAMILY_QWEN3) {
        json_put_bool(out, "attention_bias", config->qkv_bias);
    }
    if (family == MODEL_FAMILY_LLAMA) {
        json_put_bool(out, "mlp_bias", false);
    }
    if (family == MODEL_FAMILY_MISTRAL) {
        json_put_null(out, "sliding_window");
    }
    if (family == MODEL_FAMILY_QWEN2 || family == MODEL_FAMILY_QWEN3) {
        json_put_bool(out, "use_sliding_window", false);
    }
}

/* One label is one score (num_labels is not written: transformers counts id2label). */
static void write_labels(struct json_writer *out) {
    json_put_object_begin(out, "id2label");
    json_put_string(out, "0", "LABEL_0");
    json_write_object_end(out);
    json_put_object_begin(out, "label2id");
    json_put_i64(out, "LABEL_0", 0);
    json_write_object_end(out);
}

void model_config_write_json(const struct model_config *config, const char *dtype,
                             struct json_writer *out) {
    json_write_object_begin(out);
    json_put_array_begin(out, "architectures");
    json_write_string(out, model_class_name(config->family, config->head));
    json_write_array_end(out);
    json_put_string(out, "model_type", model_family_name(config->family));
    write_sizes(config, out);
    json_put_string(out, activation_key(config->family), activation_name(config->mlp));
    const char *eps = norm_eps_key(config->family);
    if (eps) {
        write_f64(out, eps, config->norm_eps);
    }
    if (config->position == MODEL_POSITION_ROPE) {
        write_rope(config, out);
    }
    write_kinds(config, out);
    if (config->head == MODEL_HEAD_SCORE) {
        write_labels(out);
    }
    json_put_bool(out, "tie_word_embeddings", config->tied_head);
    write_ids(config, out);
    json_put_bool(out, "use_cache", true);
    json_put_string(out, "torch_dtype", dtype);
    json_put_string(out, "dtype", dtype);
    json_write_object_end(out);
}

void model_config_write_generation(const struct model_config *config, struct json_writer *out) {
    json_write_object_begin(out);
    write_ids(config, out);
    json_write_object_end(out);
}
