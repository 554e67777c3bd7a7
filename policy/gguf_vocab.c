/* gguf_vocab.c - the vocabulary inside a GGUF file; see model_vocab.h.
 *
 * Source:   llama.cpp, src/llama-vocab.cpp (load), for the names of pre-tokenisers and what they
 *           imply; gguf-py for keys.
 */
#include "base/scoped.h"
#include "base/utf8.h"
#include "policy/gguf.h"
#include "policy/model_vocab.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define KEY(name)  "tokenizer.ggml." name
#define TOKENS_MAX (INT64_C(1) << 24)

/* As llama.cpp and the models' own tokenizer.json split; transformers 5.23 leaves out the digits of
 * smollm when it converts a GGUF, and so gives other ids for blanks before numbers.
 *
 * llama.cpp's name of a pre-tokeniser, the pattern, whether a word that is a token is taken whole,
 * and whether a text begins with BOS if no key says so. */
static const struct pre_tokenizer {
    const char *name;
    enum token_pattern pattern;
    bool ignore_merges;
    bool adds_bos;
} pre_tokenizers[] = {
    {"gpt-2", TOKEN_PATTERN_GPT2, false, false},
    {"phi-2", TOKEN_PATTERN_GPT2, false, false},
    {"smollm", TOKEN_PATTERN_SMOLLM2, false, false},
    {"starcoder", TOKEN_PATTERN_SMOLLM2, false, false},
    {"refact", TOKEN_PATTERN_SMOLLM2, false, false},
    {"llama-bpe", TOKEN_PATTERN_LLAMA3, true, true},
    {"llama3", TOKEN_PATTERN_LLAMA3, true, true},
    {"llama-v3", TOKEN_PATTERN_LLAMA3, true, true},
    {"falcon3", TOKEN_PATTERN_LLAMA3, true, true},
    {"qwen2", TOKEN_PATTERN_QWEN2, false, false},
    {"deepseek-r1-qwen", TOKEN_PATTERN_QWEN2, false, false},
};

#define PRE_TOKENIZER_COUNT (sizeof pre_tokenizers / sizeof *pre_tokenizers)

/* ---- tokens ---- */

/* Types of tokens in GGUF, from 1. */
static enum err_code kind_of(const struct gguf *file, int64_t id, int64_t type,
                             enum model_token_kind *out, struct error *err) {
    static const enum model_token_kind kinds[] = {
        MODEL_TOKEN_NORMAL,  MODEL_TOKEN_NORMAL, MODEL_TOKEN_SPECIAL /* unknown */,
        MODEL_TOKEN_SPECIAL, MODEL_TOKEN_ADDED,  MODEL_TOKEN_UNUSED,
        MODEL_TOKEN_BYTE,
    };
    if (type < 0 || type >= (int64_t)(sizeof kinds / sizeof *kinds)) {
        return err_set(err, ERR_DATA, "%s: token %" PRId64 " has the unknown type %" PRId64,
                       gguf_name(file), id, type);
    }
    *out = kinds[type];
    return ERR_OK;
}

static enum err_code read_kinds(const struct gguf *file, int64_t count,
                                enum model_token_kind *kinds, struct error *err) {
    const struct gguf_value *types = NULL;
    TRY(gguf_read_array(file, KEY("token_type"), GGUF_ARRAY_INTEGERS, &types, err));
    if (types && gguf_count(types) != count) {
        return err_set(err, ERR_DATA, "%s: %" PRId64 " tokens, but %" PRId64 " token types",
                       gguf_name(file), count, gguf_count(types));
    }
    for (int64_t i = 0; i < count; i++) {
        kinds[i] = MODEL_TOKEN_NORMAL;
        if (types) {
            TRY(kind_of(file, i, gguf_i64_at(types, i), &kinds[i], err));
        }
    }
    return ERR_OK;
}

static enum err_code read_tokens(const struct gguf *file, struct model_vocab *vocab,
                                 struct error *err) {
    const struct gguf_value *tokens = NULL;
    TRY(gguf_read_array(file, KEY("tokens"), GGUF_ARRAY_TEXTS, &tokens, err));
    const int64_t count = tokens ? gguf_count(tokens) : 0;
    if (count < 1 || count > TOKENS_MAX) {
        return err_set(err, ERR_DATA, "%s: %" PRId64 " tokens is outside [1, 2^24]",
                       gguf_name(file), count);
    }
    TRY(model_vocab_reserve(vocab, count, err));
    for (int64_t i = 0; i < count; i++) {
        const struct gguf_text text = gguf_text_at(tokens, i);
        if (err_wrap(err, model_vocab_add(vocab, text.bytes, text.count, false, err), "%s",
                     gguf_name(file))) {
            return err->code;
        }
    }
    return model_vocab_index(vocab, err);
}

/* ---- merges ---- */

/* "left right": neither holds a blank, but the left may be one, so the search begins behind it. */
static enum err_code read_merge(const struct gguf *file, const struct model_vocab *vocab,
                                struct gguf_text text, struct token_merge *out, struct error *err) {
    const char *blank = text.count > 1 ? memchr(text.bytes + 1, ' ', text.count - 1) : NULL;
    const size_t left = blank ? (size_t)(blank - text.bytes) : 0;
    out->left = blank ? model_vocab_find(vocab, text.bytes, left) : -1;
    out->right = blank ? model_vocab_find(vocab, blank + 1, text.count - left - 1) : -1;
    if (out->left < 0 || out->right < 0) {
        char excerpt[UTF8_EXCERPT_BYTES];
        return err_set(err, ERR_DATA, "%s: the merge '%s' is not of two tokens", gguf_name(file),
                       utf8_excerpt(text.bytes, text.count, excerpt));
    }
    return ERR_OK;
}

/* Whether the file lists merges is left in vocab->spec.merges. */
static enum err_code read_merges(const struct gguf *file, struct model_vocab *vocab,
                                 struct error *err) {
    const struct gguf_value *texts = NULL;
    TRY(gguf_read_array(file, KEY("merges"), GGUF_ARRAY_TEXTS, &texts, err));
    if (!texts) {
        return ERR_OK;
    }
    const int64_t count = gguf_count(texts);
    struct token_merge *merges = arena_array(&vocab->arena, (size_t)count, sizeof *merges);
    if (!merges) {
        return err_oom(err, "merges of a vocabulary");
    }
    for (int64_t i = 0; i < count; i++) {
        TRY(read_merge(file, vocab, gguf_text_at(texts, i), &merges[i], err));
    }
    vocab->spec.merges = merges;
    vocab->spec.merge_count = count;
    return ERR_OK;
}

/* ---- rules ---- */

static enum err_code refuse_pre(const struct gguf *file, struct gguf_text pre, struct error *err) {
    char excerpt[UTF8_EXCERPT_BYTES];
    return err_set(
        err, ERR_DATA,
        "%s: the pre-tokenizer '%s' is not known here, and another would give other ids: "
        "put the model's tokenizer.json beside the weights in a Hugging Face folder",
        gguf_name(file), utf8_excerpt(pre.bytes, pre.count, excerpt));
}

/* Files from before the key are told apart by nothing but GPT-2's own architecture. */
static enum err_code find_pre(const struct gguf *file, const struct pre_tokenizer **out,
                              struct error *err) {
    struct gguf_text pre = {.bytes = "", .count = 0};
    struct gguf_text arch = pre;
    TRY(gguf_read_text(file, "general.architecture", &arch, err));
    if (gguf_text_equals(arch, "gpt2")) {
        pre = (struct gguf_text){.bytes = "gpt-2", .count = 5};
    }
    TRY(gguf_read_text(file, KEY("pre"), &pre, err));
    for (size_t i = 0; i < PRE_TOKENIZER_COUNT; i++) {
        if (gguf_text_equals(pre, pre_tokenizers[i].name)) {
            *out = &pre_tokenizers[i];
            return ERR_OK;
        }
    }
    return refuse_pre(file, pre, err);
}

static enum err_code set_byte_level(const struct gguf *file, struct model_vocab *vocab,
                                    struct error *err) {
    const struct pre_tokenizer *pre = NULL;
    TRY(find_pre(file, &pre, err));
    TRY(read_merges(file, vocab, err));
    if (!vocab->spec.merges) {
        return err_set(err, ERR_DATA, "%s: '" KEY("merges") "' is missing", gguf_name(file));
    }
    tokenizer_spec_set_byte_level(&vocab->spec, pre->pattern);
    vocab->spec.ignore_merges = pre->ignore_merges;
    vocab->spec.adds_bos = pre->adds_bos;
    return ERR_OK;
}

static enum err_code merge_by_scores(const struct gguf *file, struct model_vocab *vocab,
                                     const enum model_token_kind *kinds, struct error *err) {
    const int64_t count = vocab->spec.token_count;
    const struct gguf_value *array = NULL;
    TRY(gguf_read_array(file, KEY("scores"), GGUF_ARRAY_FLOATS, &array, err));
    if (!array || gguf_count(array) != count) {
        return err_set(err, ERR_DATA, "%s: %" PRId64 " tokens, but %" PRId64 " scores",
                       gguf_name(file), count, array ? gguf_count(array) : 0);
    }
    SCOPED(mem) float *scores = mem_array((size_t)count, sizeof *scores);
    if (!scores) {
        return err_oom(err, "scores of a vocabulary");
    }
    for (int64_t i = 0; i < count; i++) {
        scores[i] = (float)gguf_f64_at(array, i);
        if (!isfinite(scores[i])) {
            return err_set(err, ERR_DATA, "%s: the score of token %" PRId64 " is %g",
                           gguf_name(file), i, (double)scores[i]);
        }
    }
    return model_vocab_merge_by_score(vocab, kinds, scores, err);
}

static enum err_code set_sentencepiece(const struct gguf *file, struct model_vocab *vocab,
                                       const enum model_token_kind *kinds, struct error *err) {
    TRY(read_merges(file, vocab, err));
    if (!vocab->spec.merges) {
        TRY(merge_by_scores(file, vocab, kinds, err));
    }
    struct tokenizer_spec *spec = &vocab->spec;
    tokenizer_spec_set_llama2(spec);
    bool prefix = true;
    TRY(gguf_read_bool(file, KEY("add_space_prefix"), &prefix, err));
    if (!prefix) { /* neither put in front nor taken off again */
        spec->normalizers[0] = spec->normalizers[1];
        spec->normalizer_count = 1;
        spec->decoder_count--;
    }
    spec->adds_bos = true;
    return ERR_OK;
}

/* ---- ids ---- */

static enum err_code read_id(const struct gguf *file, const char *key, int64_t count, int32_t *out,
                             struct error *err) {
    int64_t id = -1;
    TRY(gguf_read_i64(file, key, &id, err));
    if (id < -1 || id >= count) {
        return err_set(err, ERR_DATA, "%s: '%s' = %" PRId64 " is none of %" PRId64 " tokens",
                       gguf_name(file), key, id, count);
    }
    *out = (int32_t)id;
    return ERR_OK;
}

static enum err_code read_ids(const struct gguf *file, struct model_vocab *vocab,
                              struct error *err) {
    struct tokenizer_spec *spec = &vocab->spec;
    const int64_t count = spec->token_count;
    TRY(read_id(file, KEY("bos_token_id"), count, &spec->bos, err));
    TRY(read_id(file, KEY("eos_token_id"), count, &spec->eos, err));
    TRY(read_id(file, KEY("padding_token_id"), count, &spec->pad, err));
    TRY(read_id(file, KEY("unknown_token_id"), count, &spec->unk, err));
    TRY(gguf_read_bool(file, KEY("add_bos_token"), &spec->adds_bos, err));
    TRY(gguf_read_bool(file, KEY("add_eos_token"), &spec->adds_eos, err));
    spec->model_unk = spec->byte_fallback ? spec->unk : -1;
    struct gguf_text template = {.bytes = NULL, .count = 0};
    TRY(gguf_read_text(file, "tokenizer.chat_template", &template, err));
    if (template.bytes) {
        spec->chat_template = arena_strndup(&vocab->arena, template.bytes, template.count);
        return spec->chat_template ? ERR_OK : err_oom(err, "a chat template");
    }
    return ERR_OK;
}

static enum err_code read_rules(const struct gguf *file, struct model_vocab *vocab,
                                const enum model_token_kind *kinds, struct error *err) {
    struct gguf_text model;
    TRY(gguf_get_text(file, KEY("model"), &model, err));
    if (gguf_text_equals(model, "gpt2")) {
        return set_byte_level(file, vocab, err);
    }
    if (gguf_text_equals(model, "llama")) {
        return set_sentencepiece(file, vocab, kinds, err);
    }
    char excerpt[UTF8_EXCERPT_BYTES];
    return err_set(err, ERR_DATA, "%s: the tokenizer '%s' is neither gpt2 (byte-level) nor llama",
                   gguf_name(file), utf8_excerpt(model.bytes, model.count, excerpt));
}

enum err_code gguf_vocab_read(const struct gguf *file, struct model_vocab *out, struct error *err) {
    SCOPED(model_vocab) struct model_vocab vocab = MODEL_VOCAB_INIT;
    TRY(read_tokens(file, &vocab, err));
    const int64_t count = vocab.spec.token_count;
    SCOPED(mem) enum model_token_kind *kinds = mem_array((size_t)count, sizeof *kinds);
    if (!kinds) {
        return err_oom(err, "kinds of tokens");
    }
    TRY(read_kinds(file, count, kinds, err));
    TRY(model_vocab_set_added(&vocab, kinds, err));
    TRY(read_rules(file, &vocab, kinds, err));
    TRY(read_ids(file, &vocab, err));
    *out = vocab;
    vocab = (struct model_vocab)MODEL_VOCAB_INIT;
    return ERR_OK;
}
