/* cmd_model_info.c - accord model info: what a model is, before anything is loaded. */
#include "base/file.h"
#include "base/folder.h"
#include "base/json_writer.h"
#include "base/scoped.h"
#include "policy/gguf.h"
#include "policy/model_vocab.h"
#include "policy/weight_source.h"
#include "trainer/cmd_model.h"
#include "trainer/run.h"
#include "trainer/text_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PRESET_PREFIX "preset:"
#define TEXT_BYTES    (32 + ERR_MSG_BYTES)

/* Bytes a parameter: bf16 to infer; f32 weights, gradients and AdamW's two moments and a bf16 copy
 * to train all of them; bf16 to train an adapter on a frozen base. */
#define INFERENCE_BYTES 2
#define TRAINING_BYTES  18
#define ADAPTER_BYTES   2

struct model_info {
    const char *path;
    struct model_config config;
    bool stored; /* in files, not a preset */
    struct weight_source_facts facts;
    char tokenizer[TEXT_BYTES];
    bool has_chat_template;
};

/* Bytes of keys and values in bf16 that one token leaves in the cache. */
static int64_t cache_bytes_a_token(const struct model_config *config) {
    return 2 * config->layers * config->kv_heads * config->head_dim * 2;
}

/* ---- the tokenizer ---- */

static enum err_code look_into_gguf(const struct gguf *file, struct model_info *info,
                                    struct error *err) {
    struct error why = ERROR_INIT;
    SCOPED(model_vocab) struct model_vocab vocab = MODEL_VOCAB_INIT;
    const enum err_code code = gguf_vocab_read(file, &vocab, &why);
    if (code == ERR_OOM) {
        return err_wrap(err, code, "tokenizer");
    }
    if (code != ERR_OK) {
        (void)snprintf(info->tokenizer, sizeof info->tokenizer, "not usable: %s", why.msg);
        return ERR_OK;
    }
    const struct tokenizer_spec *spec = &vocab.spec;
    info->has_chat_template = spec->chat_template != NULL;
    (void)snprintf(info->tokenizer, sizeof info->tokenizer,
                   "in the file: %s, %" PRId64 " tokens, %" PRId64 " merges, %" PRId64 " added%s",
                   spec->byte_fallback ? "SentencePiece BPE" : "byte-level BPE", spec->token_count,
                   spec->merge_count, spec->added_count,
                   spec->adds_bos ? ", texts begin with BOS" : "");
    return ERR_OK;
}

static enum err_code stands_in(const char *folder, const char *name, bool *out, struct error *err) {
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(16 * KIB);
    TRY(folder_path(folder, name, &path, err));
    *out = file_exists(strbuf_text(&path));
    return ERR_OK;
}

static enum err_code look_for_tokenizer(const struct weight_source *source, struct model_info *info,
                                        struct error *err) {
    const struct gguf *file = weight_source_gguf(source);
    if (file) {
        return look_into_gguf(file, info, err);
    }
    bool found = false;
    if (strcmp(info->facts.format, "safetensors") == 0) {
        TRY(stands_in(info->path, "tokenizer.json", &found, err));
        TRY(stands_in(info->path, "chat_template.jinja", &info->has_chat_template, err));
    }
    (void)snprintf(info->tokenizer, sizeof info->tokenizer, "%s",
                   found ? "tokenizer.json" : "none with the weights");
    return ERR_OK;
}

/* ---- as text ---- */

static const char *mlp_name(enum model_mlp_kind mlp) {
    static const char *const names[] = {
        [MODEL_MLP_RELU] = "relu",
        [MODEL_MLP_GELU] = "gelu",
        [MODEL_MLP_GELU_TANH] = "gelu by tanh",
        [MODEL_MLP_SWIGLU] = "SwiGLU",
    };
    return names[mlp];
}

static const char *rope_name(enum model_rope_kind kind) {
    static const char *const names[] = {
        [MODEL_ROPE_DEFAULT] = "default",
        [MODEL_ROPE_LINEAR] = "linear",
        [MODEL_ROPE_LLAMA3] = "llama3",
    };
    return names[kind];
}

static void add_label(struct strbuf *out, const char *label) {
    strbuf_addf(out, "  %-12s", label);
}

static void add_count(struct strbuf *out, int64_t count, const char *unit) {
    text_count(out, (double)count, 0);
    strbuf_add(out, unit);
}

static void add_bytes(struct strbuf *out, double bytes) {
    if (bytes >= 1e9) {
        strbuf_addf(out, "%.2f GB", bytes / 1e9);
    } else {
        strbuf_addf(out, "%.1f MB", bytes / 1e6);
    }
}

static void print_shape(const struct model_config *c, struct strbuf *out) {
    add_label(out, "family");
    strbuf_addf(out, "%s (%s)\n", model_family_name(c->family),
                model_class_name(c->family, c->head));
    add_label(out, "parameters");
    add_count(out, model_parameters(c), "\n");
    add_label(out, "layers");
    strbuf_addf(out, "%" PRId64 ", hidden %" PRId64 ", MLP %" PRId64 " (%s)\n", c->layers,
                c->hidden, c->mlp_hidden, mlp_name(c->mlp));
    add_label(out, "heads");
    strbuf_addf(out, "%" PRId64 " of %" PRId64 ", %" PRId64 " for keys and values%s%s\n", c->heads,
                c->head_dim, c->kv_heads, c->qk_norm ? ", normed" : "",
                c->qkv_bias ? ", with biases" : "");
    add_label(out, "vocabulary");
    const bool is_lm = c->head == MODEL_HEAD_LM;
    add_count(out, c->vocab, is_lm && c->tied_head ? ", the head is the embedding\n" : "\n");
    add_label(out, "context");
    add_count(out, c->context, " tokens, ");
    if (c->position == MODEL_POSITION_ROPE) {
        strbuf_addf(out, "rope %s, theta ", rope_name(c->rope.kind));
        text_count(out, c->rope.theta, 0);
        strbuf_add_char(out, '\n');
    } else {
        strbuf_add(out, "learned positions\n");
    }
}

static void print_files(const struct model_info *info, struct strbuf *out) {
    add_label(out, "stored as");
    strbuf_addf(out, "%s, %" PRId64 " file%s, ", info->facts.format, info->facts.files,
                info->facts.files == 1 ? "" : "s");
    add_bytes(out, (double)info->facts.bytes);
    strbuf_addf(out, ": %s\n", info->facts.stored_as);
    add_label(out, "tokenizer");
    output_add_visible_text(out, info->tokenizer);
    strbuf_add(out, info->has_chat_template ? ", with a chat template\n" : "\n");
}

static void print_memory(const struct model_config *c, struct strbuf *out) {
    const double parameters = (double)model_parameters(c);
    const double token = (double)cache_bytes_a_token(c);
    add_label(out, "inference");
    add_bytes(out, parameters * INFERENCE_BYTES);
    strbuf_add(out, " in bf16, and ");
    add_bytes(out, token * (double)c->context);
    strbuf_add(out, " for each sequence of the whole context\n");
    add_label(out, "training");
    add_bytes(out, parameters * TRAINING_BYTES);
    strbuf_add(out, " for all weights, ");
    add_bytes(out, parameters * ADAPTER_BYTES);
    strbuf_add(out, " below an adapter; activations come on top\n");
}

static void print_info(const struct model_info *info, struct strbuf *out) {
    output_add_visible_text(out, info->path);
    strbuf_add_char(out, '\n');
    print_shape(&info->config, out);
    if (info->stored) {
        print_files(info, out);
    }
    print_memory(&info->config, out);
}

/* ---- as JSON ---- */

static void write_files(const struct model_info *info, struct json_writer *w) {
    json_put_string(w, "format", info->facts.format);
    json_put_string(w, "stored_as", info->facts.stored_as);
    json_put_i64(w, "files", info->facts.files);
    json_put_i64(w, "file_bytes", info->facts.bytes);
    json_put_string(w, "tokenizer", info->tokenizer);
    json_put_bool(w, "has_chat_template", info->has_chat_template);
}

static void write_info(const struct model_info *info, struct json_writer *w) {
    const struct model_config *c = &info->config;
    const int64_t parameters = model_parameters(c);
    json_write_object_begin(w);
    json_put_string(w, "path", info->path);
    json_put_string(w, "family", model_family_name(c->family));
    json_put_string(w, "class", model_class_name(c->family, c->head));
    json_put_i64(w, "parameters", parameters);
    json_put_i64(w, "layers", c->layers);
    json_put_i64(w, "hidden", c->hidden);
    json_put_i64(w, "mlp_hidden", c->mlp_hidden);
    json_put_i64(w, "heads", c->heads);
    json_put_i64(w, "kv_heads", c->kv_heads);
    json_put_i64(w, "head_dim", c->head_dim);
    json_put_i64(w, "vocab", c->vocab);
    json_put_i64(w, "context_tokens", c->context);
    json_put_bool(w, "tied_head", c->tied_head);
    if (info->stored) {
        write_files(info, w);
    }
    json_put_i64(w, "inference_bytes", parameters * INFERENCE_BYTES);
    json_put_i64(w, "cache_bytes_per_token", cache_bytes_a_token(c));
    json_put_i64(w, "training_bytes", parameters * TRAINING_BYTES);
    json_put_i64(w, "adapter_training_bytes", parameters * ADAPTER_BYTES);
    json_write_object_end(w);
}

/* ---- the command ---- */

static enum err_code print_result(struct run *run, const struct model_info *info,
                                  struct error *err) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(OUTPUT_BYTES_MAX);
    if (!run->output->json) {
        print_info(info, &text);
        return output_text(run->output, &text, err);
    }
    struct json_writer w = JSON_WRITER_INIT(&text, JSON_INDENTED);
    write_info(info, &w);
    TRY(json_writer_finish(&w, err));
    strbuf_add_char(&text, '\n');
    return output_text(run->output, &text, err);
}

static enum err_code info_run(struct run *run, const struct command_args *args, struct error *err) {
    struct model_info info = {.path = args->positionals[0]};
    if (strncmp(info.path, PRESET_PREFIX, strlen(PRESET_PREFIX)) == 0) {
        TRY(model_config_from_preset(info.path + strlen(PRESET_PREFIX), &info.config, err));
        return print_result(run, &info, err);
    }
    SCOPED(weight_source) struct weight_source *source = NULL;
    TRY(weight_source_open(info.path, &source, err));
    info.config = *weight_source_config(source);
    info.stored = true;
    info.facts = weight_source_describe(source);
    TRY(look_for_tokenizer(source, &info, err));
    return print_result(run, &info, err);
}

static const struct command_positional positionals[] = {
    {.name = "model",
     .kind = OPTION_FILE,
     .help = "a Hugging Face folder, a GGUF or llama2.c file, or preset:NAME"},
    {.name = NULL},
};

static bool preset_entry(int64_t index, const char **out_name, const char **out_help) {
    static const char *const helps[] = {
        "1.0 million parameters, for tests and first runs",
        "8.0 million",
        "15 million, the shape of stories15M",
        "42 million, the shape of stories42M",
        "110 million, the shape of stories110M",
        "135 million, the shape of SmolLM2-135M",
        "362 million, the shape of SmolLM2-360M",
    };
    int64_t count = 0;
    const char *const *names = model_preset_names(&count);
    if (index >= count || index >= (int64_t)(sizeof helps / sizeof *helps)) {
        return false;
    }
    *out_name = names[index];
    *out_help = helps[index];
    return true;
}

static const struct command_list lists[] = {
    {.title = "Presets", .entry = preset_entry},
    {.title = NULL},
};

static const struct command_example examples[] = {
    {"accord model info models/smollm2", "family, sizes, how it is stored, memory"},
    {"accord model info preset:15m --json", "what a preset would make, for a program"},
    {NULL, NULL},
};

const struct command cmd_model_info = {
    .name = "info",
    .purpose = "say what a model is and what it needs",
    .description =
        "Reads the configuration and checks that every tensor is there with its shape; no weight "
        "is "
        "loaded. Families: gpt2, opt, llama (with SmolLM2 and TinyLlama), mistral, qwen2, qwen3. A "
        "model that asks for something else is refused by the key that says so.",
    .positionals = positionals,
    .lists = lists,
    .examples = examples,
    .function = info_run,
};
