/* weight_gguf.c - GGUF files as models; see weight_files.h.
 *
 * Source:   llama.cpp's gguf-py (constants.py) for keys, convert_hf_to_gguf.py for what they mean.
 */
#include "base/scoped.h"
#include "policy/weight_files.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define KEY_BYTES 96

/* "llama.block_count" for "block_count". */
struct arch_key {
    char text[KEY_BYTES];
};

static struct arch_key key_of(const struct model_config *config, const char *name) {
    static const char *const archs[] = {
#define ARCH(family, type, gguf, lm, score) gguf,
        MODEL_FAMILIES(ARCH)
#undef ARCH
    };
    struct arch_key key;
    (void)snprintf(key.text, sizeof key.text, "%s.%s", archs[config->family], name);
    return key;
}

static enum err_code read_family(const struct gguf *file, struct model_config *config,
                                 struct error *err) {
    struct gguf_text arch;
    TRY(gguf_get_text(file, "general.architecture", &arch, err));
    for (int f = 0; f < (int)MODEL_FAMILY_COUNT; f++) {
        *config = *model_family_defaults((enum model_family_kind)f);
        struct arch_key key = key_of(config, "");
        if (strlen(key.text) == arch.count + 1 && memcmp(key.text, arch.bytes, arch.count) == 0 &&
            model_family_table(config->family, MODEL_NAMES_GGUF)) {
            return ERR_OK;
        }
    }
    return err_set(err, ERR_DATA, "%s: architecture '%.*s' is none of gpt2, llama, qwen2 and qwen3",
                   gguf_name(file), (int)(arch.count < 40 ? arch.count : 40), arch.bytes);
}

static enum err_code get_size(const struct gguf *file, const struct model_config *config,
                              const char *name, int64_t *out, struct error *err) {
    return gguf_get_i64(file, key_of(config, name).text, out, err);
}

static enum err_code read_size(const struct gguf *file, const struct model_config *config,
                               const char *name, int64_t *in_out, struct error *err) {
    return gguf_read_i64(file, key_of(config, name).text, in_out, err);
}

static enum err_code read_sizes(const struct gguf *file, struct model_config *config,
                                struct error *err) {
    TRY(get_size(file, config, "block_count", &config->layers, err));
    TRY(get_size(file, config, "context_length", &config->context, err));
    TRY(get_size(file, config, "embedding_length", &config->hidden, err));
    TRY(get_size(file, config, "feed_forward_length", &config->mlp_hidden, err));
    TRY(get_size(file, config, "attention.head_count", &config->heads, err));
    config->kv_heads = config->heads;
    TRY(read_size(file, config, "attention.head_count_kv", &config->kv_heads, err));
    if (config->heads < 1 || config->hidden < 1) {
        return err_set(err, ERR_DATA, "%s: %" PRId64 " heads and %" PRId64 " hidden units",
                       gguf_name(file), config->heads, config->hidden);
    }
    config->head_dim = config->hidden / config->heads;
    TRY(read_size(file, config, "attention.key_length", &config->head_dim, err));
    int64_t value_length = config->head_dim;
    TRY(read_size(file, config, "attention.value_length", &value_length, err));
    int64_t turned = config->head_dim;
    TRY(read_size(file, config, "rope.dimension_count", &turned, err));
    if (value_length != config->head_dim || turned != config->head_dim) {
        return err_set(err, ERR_DATA,
                       "%s: keys of %" PRId64 ", values of %" PRId64 " and rope over %" PRId64
                       " must be one size",
                       gguf_name(file), config->head_dim, value_length, turned);
    }
    return ERR_OK;
}

/* The tensors say what no key does. */
static enum err_code read_kinds(const struct gguf *file, struct model_config *config,
                                struct error *err) {
    const struct gguf_tensor *embed = gguf_find_tensor(file, "token_embd.weight");
    if (!embed) {
        return err_set(err, ERR_DATA, "%s: 'token_embd.weight' is missing: no language model",
                       gguf_name(file));
    }
    config->vocab = embed->shape[0];
    config->tied_head = !gguf_find_tensor(file, "output.weight");
    if (config->family == MODEL_FAMILY_GPT2) {
        return gguf_read_f64(file, key_of(config, "attention.layer_norm_epsilon").text,
                             &config->norm_eps, err);
    }
    config->qkv_bias = gguf_find_tensor(file, "blk.0.attn_q.bias") != NULL;
    config->attn_out_bias = gguf_find_tensor(file, "blk.0.attn_output.bias") != NULL;
    return gguf_read_f64(file, key_of(config, "attention.layer_norm_rms_epsilon").text,
                         &config->norm_eps, err);
}

/* Keys whose values ask for another computation. */
static enum err_code refuse_others(const struct gguf *file, const struct model_config *config,
                                   struct error *err) {
    int64_t experts = 0;
    TRY(read_size(file, config, "expert_count", &experts, err));
    if (experts != 0) {
        return err_set(err, ERR_DATA,
                       "%s: %" PRId64 " experts: mixtures of experts are not supported",
                       gguf_name(file), experts);
    }
    int64_t window = config->context;
    TRY(read_size(file, config, "attention.sliding_window", &window, err));
    if (window != 0 && window < config->context) {
        return err_set(err, ERR_DATA,
                       "%s: a sliding window of %" PRId64 " tokens is shorter than the context of "
                       "%" PRId64 ": not supported",
                       gguf_name(file), window, config->context);
    }
    static const char *const scales[] = {"attention.scale", "logit_scale", "embedding_scale",
                                         "residual_scale"};
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
        struct arch_key key = key_of(config, scales[i]);
        if (gguf_find(file, key.text)) {
            return err_set(err, ERR_DATA, "%s: '%s' is not supported", gguf_name(file), key.text);
        }
    }
    return ERR_OK;
}

/* ---- rope ---- */

/* The factors by which llama3 rope divides frequencies stand in the file, the numbers they come
 * from do not. Every published model has low_freq_factor 1 and high_freq_factor 4; the factor is
 * the largest, and a frequency on the ramp gives the original context: it keeps the share s =
 * (context / wavelength - 1) / (4 - 1),  1 / f = (1 - s) / factor + s. */
static void guess_llama3(const float *factors, const float *inv_freq, int64_t count,
                         struct model_rope *rope) {
    rope->kind = MODEL_ROPE_LLAMA3;
    rope->low_freq_factor = 1.0;
    rope->high_freq_factor = 4.0;
    rope->factor = 1.0;
    rope->original_context = 8192;
    for (int64_t i = 0; i < count; i++) {
        rope->factor = fmax(rope->factor, (double)factors[i]);
    }
    for (int64_t i = 0; i < count; i++) {
        const double kept = 1.0 / (double)factors[i];
        const double least = 1.0 / rope->factor;
        const double share = (kept - least) / (1.0 - least);
        if (share > 0.01 && share < 0.99) {
            const double wavelength = 6.283185307179586 / (double)inv_freq[i];
            rope->original_context = llround(fmin(wavelength * (3.0 * share + 1.0), 1e9));
            return;
        }
    }
}

/* `config` has the plain frequencies so far. */
static enum err_code read_rope_factors(const struct gguf *file, struct model_config *config,
                                       struct error *err) {
    const struct gguf_tensor *tensor = gguf_find_tensor(file, "rope_freqs.weight");
    const int64_t count = config->head_dim / 2;
    if (!tensor) {
        return ERR_OK;
    }
    if (tensor->type != KERNEL_QUANT_F32 || tensor->dims != 1 || tensor->shape[0] != count) {
        return err_set(err, ERR_DATA, "%s: 'rope_freqs.weight' must be F32 [%" PRId64 "]",
                       gguf_name(file), count);
    }
    SCOPED(mem) float *factors = mem_array((size_t)count, sizeof *factors);
    SCOPED(mem) float *plain = mem_array((size_t)count, sizeof *plain);
    SCOPED(mem) float *scaled = mem_array((size_t)count, sizeof *scaled);
    if (!factors || !plain || !scaled) {
        return err_oom(err, "factors of rope");
    }
    memcpy(factors, tensor->data, (size_t)count * sizeof *factors);
    model_rope_frequencies(config, plain);
    guess_llama3(factors, plain, count, &config->rope);
    TRY(model_config_check(config, err));
    model_rope_frequencies(config, scaled);
    for (int64_t i = 0; i < count; i++) {
        const double ratio = (double)(plain[i] / scaled[i]);
        if (!(fabs((double)factors[i] - ratio) <= 1e-4 * ratio)) {
            return err_set(err, ERR_DATA,
                           "%s: rope_freqs.weight[%" PRId64 "] = %g does not follow from llama3 "
                           "rope (factor %g over %" PRId64 " tokens gives %g): not supported",
                           gguf_name(file), i, (double)factors[i], config->rope.factor,
                           config->rope.original_context, ratio);
        }
    }
    return ERR_OK;
}

static enum err_code read_rope(const struct gguf *file, struct model_config *config,
                               struct error *err) {
    TRY(gguf_read_f64(file, key_of(config, "rope.freq_base").text, &config->rope.theta, err));
    struct gguf_text type = {.bytes = "none", .count = 4};
    TRY(gguf_read_text(file, key_of(config, "rope.scaling.type").text, &type, err));
    double factor = 1.0;
    TRY(gguf_read_f64(file, key_of(config, "rope.scale_linear").text, &factor, err));
    if (gguf_text_equals(type, "linear")) {
        TRY(gguf_read_f64(file, key_of(config, "rope.scaling.factor").text, &factor, err));
    } else if (!gguf_text_equals(type, "none")) {
        return err_set(err, ERR_DATA, "%s: rope scaling '%.*s' is neither none nor linear",
                       gguf_name(file), (int)(type.count < 40 ? type.count : 40), type.bytes);
    }
    if (factor < 1.0 || factor > 1.0) {
        config->rope.kind = MODEL_ROPE_LINEAR;
        config->rope.factor = factor;
    }
    TRY(model_config_check(config, err));
    return read_rope_factors(file, config, err);
}

/* ---- ids ---- */

static enum err_code read_id(const struct gguf *file, const char *key, int64_t vocab,
                             int64_t *in_out, struct error *err) {
    *in_out = -1;
    TRY(gguf_read_i64(file, key, in_out, err));
    if (*in_out < -1 || *in_out >= vocab) {
        return err_set(err, ERR_DATA,
                       "%s: '%s' = %" PRId64 " is outside the vocabulary of %" PRId64,
                       gguf_name(file), key, *in_out, vocab);
    }
    return ERR_OK;
}

/* The end of a turn ends an answer, too. */
static enum err_code read_ids(const struct gguf *file, struct model_config *config,
                              struct error *err) {
    static const char *const ends[] = {"tokenizer.ggml.eos_token_id",
                                       "tokenizer.ggml.eot_token_id"};
    TRY(read_id(file, "tokenizer.ggml.bos_token_id", config->vocab, &config->bos, err));
    TRY(read_id(file, "tokenizer.ggml.padding_token_id", config->vocab, &config->pad, err));
    config->eos_count = 0;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        int64_t id = -1;
        TRY(read_id(file, ends[i], config->vocab, &id, err));
        if (id >= 0 && (config->eos_count == 0 || config->eos[0] != id)) {
            config->eos[config->eos_count++] = id;
        }
    }
    return ERR_OK;
}

enum err_code gguf_model_config(const struct gguf *file, struct model_config *out,
                                struct error *err) {
    struct model_config config;
    TRY(read_family(file, &config, err));
    TRY(read_sizes(file, &config, err));
    TRY(read_kinds(file, &config, err));
    TRY(refuse_others(file, &config, err));
    TRY(read_ids(file, &config, err));
    if (err_wrap(err, model_config_check(&config, err), "%s", gguf_name(file))) {
        return err->code;
    }
    if (config.position == MODEL_POSITION_ROPE) {
        TRY(read_rope(file, &config, err));
    }
    *out = config;
    return ERR_OK;
}

/* ---- tensors ---- */

static struct stored_tensor stored_from(const struct gguf_tensor *tensor, const char *file) {
    struct stored_tensor stored = {.name = tensor->name,
                                   .file = file,
                                   .type_name = kernel_quant_name(tensor->type),
                                   .readable = true,
                                   .type = tensor->type,
                                   .dims = tensor->dims,
                                   .data = tensor->data,
                                   .bytes = tensor->bytes};
    if (tensor->dims <= 2) {
        stored.shape[0] = tensor->shape[0];
        stored.shape[1] = tensor->dims == 2 ? tensor->shape[1] : 1;
    }
    return stored;
}

enum err_code weight_files_open_gguf(const char *path, struct weight_files *files,
                                     struct error *err) {
    files->names = MODEL_NAMES_GGUF;
    files->format = "GGUF";
    TRY(file_size(path, &files->bytes, err));
    TRY(gguf_open(path, &files->gguf, err));
    files->files = 1;
    TRY(gguf_model_config(files->gguf, &files->config, err));
    TRY(weight_files_reserve(files, gguf_tensors(files->gguf), err));
    for (int64_t i = 0; i < gguf_tensors(files->gguf); i++) {
        files->stored[files->stored_count++] =
            stored_from(gguf_tensor_at(files->gguf, i), gguf_name(files->gguf));
    }
    return ERR_OK;
}
