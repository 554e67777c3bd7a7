/* model_vocab.h - a vocabulary that came with a model's weights, ready for tokenizer_new.
 *
 * Use:      SCOPED(model_vocab) struct model_vocab vocab = MODEL_VOCAB_INIT;
 *           TRY(gguf_vocab_read(weight_source_gguf(source), &vocab, err));    // or
 *           TRY(llama2c_vocab_open("tok512.bin", &vocab, err));
 *           TRY(tokenizer_new(&vocab.spec, &tokenizer, err));
 * Kinds:    GGUF's "gpt2" (byte-level BPE, with merges) by the name of its pre-tokeniser, and
 *           "llama" (SentencePiece's BPE, whose merges follow from the scores); llama2.c's
 *           tokenizer.bin, which is the latter.
 * Refused:  other kinds, and pre-tokenisers that are not in the table, by name: to guess would give
 *           other ids without a word.
 * Owns:     every text and array behind the spec, until model_vocab_deinit.
 * Threads:  no state.
 */
#ifndef POLICY_MODEL_VOCAB_H
#define POLICY_MODEL_VOCAB_H

#include "base/arena.h"
#include "base/error.h"
#include "data/tokenizer_spec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gguf;

struct model_vocab {
    struct arena arena;
    struct tokenizer_spec spec;
    const char **tokens; /* spec.tokens */
    int32_t *by_text;    /* ids in the order of their texts */
};

#define MODEL_VOCAB_BYTES_MAX   ((size_t)1 << 30)
#define MODEL_VOCAB_TOKEN_BYTES 4096 /* merges of a token are looked for at every cut */
#define MODEL_VOCAB_INIT \
    { .arena = ARENA_INIT(MODEL_VOCAB_BYTES_MAX), .spec = TOKENIZER_SPEC_INIT }

/* The tokenizer.ggml keys of a GGUF file.
 *   fails    ERR_DATA naming the file, key or token, and the remedy; ERR_OOM */
ERR_NODISCARD enum err_code gguf_vocab_read(const struct gguf *file, struct model_vocab *out,
                                            struct error *err);

/* tokenizer.bin of llama2.c: the longest token's bytes, then for each token its score (f32), the
 * number of its bytes (int32) and these. */
ERR_NODISCARD enum err_code llama2c_vocab_open(const char *path, struct model_vocab *out,
                                               struct error *err);
ERR_NODISCARD enum err_code llama2c_vocab_parse(const void *bytes, size_t count, const char *name,
                                                struct model_vocab *out, struct error *err);

void model_vocab_deinit(struct model_vocab *vocab);

static inline void model_vocab_scoped_end(struct model_vocab *vocab) {
    model_vocab_deinit(vocab);
}

/* ---- for the readers ---- */

enum model_token_kind {
    MODEL_TOKEN_NORMAL,
    MODEL_TOKEN_SPECIAL,
    MODEL_TOKEN_ADDED,
    MODEL_TOKEN_BYTE,
    MODEL_TOKEN_UNUSED
};

/* Room for `count` tokens, none yet. */
ERR_NODISCARD enum err_code model_vocab_reserve(struct model_vocab *vocab, int64_t count,
                                                struct error *err);

/* Copies the text of the next token; `spaces_are_blocks`: every ' ' is written as U+2581.
 *   fails    ERR_DATA for what is not UTF-8 or holds a NUL, with its id */
ERR_NODISCARD enum err_code model_vocab_add(struct model_vocab *vocab, const char *bytes,
                                            size_t count, bool spaces_are_blocks,
                                            struct error *err);

/* Sorts, so that texts are found. */
ERR_NODISCARD enum err_code model_vocab_index(struct model_vocab *vocab, struct error *err);

/* The id of a text, or -1; of several equal ones the lowest. */
int32_t model_vocab_find(const struct model_vocab *vocab, const char *bytes, size_t count);

/* SPECIAL and ADDED tokens as the spec's added tokens. */
ERR_NODISCARD enum err_code model_vocab_set_added(struct model_vocab *vocab,
                                                  const enum model_token_kind *kinds,
                                                  struct error *err);

/* The merges that scores stand for: each two tokens whose texts make a third, best score first; of
 * one token the longest left part first, as transformers orders them. Only NORMAL and ADDED tokens
 * take part. */
ERR_NODISCARD enum err_code model_vocab_merge_by_score(struct model_vocab *vocab,
                                                       const enum model_token_kind *kinds,
                                                       const float *scores, struct error *err);

#endif
