/* model_config.h - what one decoder-only language model is: sizes and kinds, whatever its family.
 *
 * Use:      struct model_config config;
 *           TRY(model_config_from_json(json, &config, err));         // a parsed config.json
 *           TRY(model_config_from_preset("tiny", &config, err));     // a model from nothing
 *
 *           GGUF and llama2.c files fill one in weight_source_open (policy/weight_source.h).
 * One decoder: every family is a point in this struct; policy/model_family.h has the table that
 *           maps published tensor names to ours. Nothing else in the program asks for the family.
 * Absent keys: have the default of the family's config class in transformers 5.23; they differ by
 *           family (a qwen3 without head_dim has 128, an opt without tie_word_embeddings is tied).
 *           null is the same as absent, but for num_key_value_heads, where it means as many as
 *           heads, and sliding_window, where it means none.
 * Heads:    what stands on the decoder, by the class in `architectures`: the language model's, or
 *           one score for a text (`<Family>ForSequenceClassification` with one label), which is
 *           what reward models are. Without `architectures` it is a language model.
 * Refused:  by name, with the value: an architecture that is not in the table, and every key whose
 *           value asks for a computation that the decoder does not have (another activation or rope
 *           kind, a sliding window shorter than the context, scaled attention by layer, quantised
 *           weights ...). A key that changes nothing in inference (dropout, initialiser, cache) is
 *           ignored, and so is every key that the family's class does not have.
 * Threads:  no state; the struct is plain data and holds no pointers.
 */
#ifndef POLICY_MODEL_CONFIG_H
#define POLICY_MODEL_CONFIG_H

#include "base/error.h"
#include "base/json.h"

#include <stdbool.h>
#include <stdint.h>

/* Our name, `model_type` in config.json, `general.architecture` in GGUF, and the classes that
 * transformers names in `architectures`, of a language model and of scores. A Mistral model in GGUF
 * says "llama", which it is there: the first family of an architecture is the one read. */
#define MODEL_FAMILIES(X)                                                                    \
    X(GPT2, "gpt2", "gpt2", "GPT2LMHeadModel", "GPT2ForSequenceClassification")              \
    X(OPT, "opt", "opt", "OPTForCausalLM", "OPTForSequenceClassification")                   \
    X(LLAMA, "llama", "llama", "LlamaForCausalLM", "LlamaForSequenceClassification")         \
    X(MISTRAL, "mistral", "llama", "MistralForCausalLM", "MistralForSequenceClassification") \
    X(QWEN2, "qwen2", "qwen2", "Qwen2ForCausalLM", "Qwen2ForSequenceClassification")         \
    X(QWEN3, "qwen3", "qwen3", "Qwen3ForCausalLM", "Qwen3ForSequenceClassification")

enum model_family_kind {
#define MODEL_FAMILY_ENUM(name, type, gguf, lm, score) MODEL_FAMILY_##name,
    MODEL_FAMILIES(MODEL_FAMILY_ENUM)
#undef MODEL_FAMILY_ENUM
        MODEL_FAMILY_COUNT
};

/* What stands on the decoder: logits of the next token at each position, or one number for a text,
 * at its last token. */
enum model_head_kind { MODEL_HEAD_LM, MODEL_HEAD_SCORE, MODEL_HEAD_KIND_COUNT };

enum model_norm_kind { MODEL_NORM_LAYER, MODEL_NORM_RMS };

enum model_position_kind { MODEL_POSITION_LEARNED, MODEL_POSITION_ROPE };

/* act(up(x)) for the first three; silu(gate(x)) * up(x) for SwiGLU. GELU is exact (erf). */
enum model_mlp_kind { MODEL_MLP_RELU, MODEL_MLP_GELU, MODEL_MLP_GELU_TANH, MODEL_MLP_SWIGLU };

/* How the inverse frequencies of rope are changed for longer contexts (transformers'
 * modeling_rope_utils, which has dynamic, yarn and longrope too: refused). */
enum model_rope_kind {
    MODEL_ROPE_DEFAULT,
    MODEL_ROPE_LINEAR, /* divided by factor */
    MODEL_ROPE_LLAMA3, /* by wavelength: low frequencies divided, high ones kept, a ramp between */
};

struct model_rope {
    enum model_rope_kind kind;
    double theta;             /* base of the frequencies; customarily 10,000 */
    double factor;            /* LINEAR, LLAMA3 */
    double low_freq_factor;   /* LLAMA3 */
    double high_freq_factor;  /* LLAMA3 */
    int64_t original_context; /* LLAMA3, tokens */
};

#define MODEL_EOS_MAX 8

struct model_config {
    enum model_family_kind family;
    enum model_head_kind head;
    int64_t vocab;    /* V, rows of the embedding (may exceed the tokenizer's count) */
    int64_t hidden;   /* D */
    int64_t layers;   /* L */
    int64_t heads;    /* H, query heads */
    int64_t kv_heads; /* H_kv, divides H */
    int64_t head_dim; /* d; H d need not be D */
    int64_t mlp_hidden;
    int64_t context; /* tokens: the most positions the model was made for */
    enum model_norm_kind norm;
    double norm_eps;
    enum model_position_kind position;
    int64_t position_offset; /* LEARNED: row of the first position (OPT: 2) */
    struct model_rope rope;  /* ROPE */
    enum model_mlp_kind mlp;
    bool qkv_bias;
    bool attn_out_bias;
    bool mlp_bias;  /* of up and down */
    bool qk_norm;   /* RMS norm over each head of q and k, before rope (Qwen3) */
    bool tied_head; /* the output head is the embedding; of scores: of the model they came from */
    int64_t bos;    /* token ids; -1: none stated */
    int64_t pad;
    int64_t eos[MODEL_EOS_MAX];
    int64_t eos_count;
};

/* `model_type` of the family; static. */
const char *model_family_name(enum model_family_kind family);

/* The class that transformers names in `architectures`; static. */
const char *model_class_name(enum model_family_kind family, enum model_head_kind head);

/* That the model has this head.
 *   fails    ERR_DATA saying what the model is and what is needed instead */
ERR_NODISCARD enum err_code model_config_need_head(const struct model_config *config,
                                                   enum model_head_kind head, struct error *err);

/* That transformers, whose class scores the last token that is not the pad id, finds the last token
 * of a text: of a model of scores the pad id is stated, and is none of eos. Others pass.
 *   fails    ERR_DATA saying which of the two, and what to do */
ERR_NODISCARD enum err_code model_config_check_pad(const struct model_config *config,
                                                   struct error *err);

/* What a config.json of this family that says nothing else would mean: 0 for kv_heads, head_dim and
 * mlp_hidden that follow from the other sizes, -1 for ids not there. */
const struct model_config *model_family_defaults(enum model_family_kind family);

/* Reads a parsed config.json, of transformers 4 and 5 spellings (`rope_scaling` and
 * `rope_parameters`).
 *   fails    ERR_DATA naming key and value */
ERR_NODISCARD enum err_code model_config_from_json(const struct json *object,
                                                   struct model_config *out_config,
                                                   struct error *err);

/* Reads the token ids of a parsed generation_config.json into `config`: what it states about bos,
 * eos and pad goes before config.json, as it does when transformers generates.
 *   fails    ERR_DATA naming key and value */
ERR_NODISCARD enum err_code model_config_read_generation(const struct json *object,
                                                         struct model_config *config,
                                                         struct error *err);

/* "tiny" and the other presets, all of them llama with a tied head:
 *
 *   name    parameters     V      D    L   H  H_kv   mlp   context   shape of
 *   tiny     1,000,576     2048  128   4   4   2     352      512
 *   small    7,999,744     8192  256   8   8   4     704     1024
 *   15m     15,191,712    32000  288   6   6   6     768      256    llama2.c stories15M
 *   42m     41,689,600    32000  512   8   8   8    1376     1024    llama2.c stories42M
 *   110m   109,529,856    32000  768  12  12  12    2048     1024    llama2.c stories110M
 *   135m   134,515,008    49152  576  30   9   3    1536     2048    SmolLM2-135M
 *   360m   361,821,120    49152  960  32  15   5    2560     2048    SmolLM2-360M
 *
 * No token ids are set: they are the tokenizer's. Random weights are policy/model.h's matter.
 *   fails    ERR_USAGE with the names there are and the nearest one */
ERR_NODISCARD enum err_code
model_config_from_preset(const char *name, struct model_config *out_config, struct error *err);

/* The names above, and their number. Static. */
const char *const *model_preset_names(int64_t *out_count);

/* The NAME of "preset:NAME", as paths of models may be given; NULL for any other path. */
const char *model_preset_of(const char *path);

/* The same config as a config.json that transformers 4.40 and newer read, 5.x too; `dtype` is
 * torch's name of the stored type ("bfloat16"). llama3 rope needs transformers 4.43. */
struct json_writer;
void model_config_write_json(const struct model_config *config, const char *dtype,
                             struct json_writer *out);

/* generation_config.json: the ids. */
void model_config_write_generation(const struct model_config *config, struct json_writer *out);

/* That every size is positive and consistent (kv_heads divides heads, head_dim even with rope, ids
 * inside the vocabulary ...); the readers above call it.
 *   fails    ERR_DATA naming the fields and values; ERR_LIMIT for sizes whose parameters pass 2^40
 */
ERR_NODISCARD enum err_code model_config_check(const struct model_config *config,
                                               struct error *err);

/* inv_freq [head_dim / 2], by kind (see enum model_rope_kind), in f32 steps as transformers takes
 * them. The power is rounded correctly; torch's is off by one or two units in the last place for
 * about one value in a hundred, so the values differ there and are equal elsewhere. */
void model_rope_frequencies(const struct model_config *config, float *out_inv_freq);

#endif
