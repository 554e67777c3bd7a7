/* llama2c_vocab.c - tokenizer.bin of llama2.c; see model_vocab.h.
 *
 * Source:   https://github.com/karpathy/llama2.c, tokenizer.py (export) and run.c
 * (build_tokenizer).
 */
#include "base/file.h"
#include "base/scoped.h"
#include "policy/model_vocab.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* SentencePiece's first ids: <unk>, <s>, </s>, and from here a token for each byte. */
#define FIRST_BYTE  3
#define BYTES_COUNT 256
#define TOKENS_MIN  (FIRST_BYTE + BYTES_COUNT)

struct cursor {
    const unsigned char *at, *end;
    const char *name;
};

struct entry {
    float score;
    const char *bytes;
    size_t count;
};

static enum err_code next_entry(struct cursor *c, int64_t id, struct entry *out,
                                struct error *err) {
    int32_t count = 0;
    const size_t head = sizeof out->score + sizeof count;
    if ((size_t)(c->end - c->at) < head) {
        return err_set(err, ERR_DATA,
                       "'%s' ends inside token %" PRId64 ": no tokenizer of llama2.c", c->name, id);
    }
    memcpy(&out->score, c->at, sizeof out->score);
    memcpy(&count, c->at + sizeof out->score, sizeof count);
    c->at += head;
    if (count < 0 || (size_t)count > (size_t)(c->end - c->at) || !isfinite(out->score)) {
        return err_set(err, ERR_DATA,
                       "'%s': token %" PRId64 " has %" PRId32 " bytes and the score %g: no "
                       "tokenizer of llama2.c",
                       c->name, id, count, (double)out->score);
    }
    out->bytes = (const char *)c->at;
    out->count = (size_t)count;
    c->at += count;
    return ERR_OK;
}

static enum err_code count_entries(struct cursor c, int64_t *out, struct error *err) {
    struct entry entry;
    *out = 0;
    while (c.at < c.end) {
        TRY(next_entry(&c, *out, &entry, err));
        (*out)++;
    }
    if (*out < TOKENS_MIN) {
        return err_set(err, ERR_DATA,
                       "'%s' has %" PRId64 " tokens; a tokenizer of llama2.c begins with 3 and one "
                       "for each of 256 bytes",
                       c.name, *out);
    }
    return ERR_OK;
}

/* The exporter puts line ends around the two marks and blanks for SentencePiece's blocks. */
static enum err_code add_entry(struct model_vocab *vocab, int64_t id, const struct entry *entry,
                               struct error *err) {
    if (id == 1) {
        return model_vocab_add(vocab, "<s>", 3, false, err);
    }
    if (id == 2) {
        return model_vocab_add(vocab, "</s>", 4, false, err);
    }
    return model_vocab_add(vocab, entry->bytes, entry->count, true, err);
}

static enum model_token_kind kind_of(int64_t id) {
    if (id < FIRST_BYTE) {
        return MODEL_TOKEN_SPECIAL;
    }
    return id < TOKENS_MIN ? MODEL_TOKEN_BYTE : MODEL_TOKEN_NORMAL;
}

static enum err_code read_entries(struct cursor c, int64_t count, struct model_vocab *vocab,
                                  struct error *err) {
    SCOPED(mem) float *scores = mem_array((size_t)count, sizeof *scores);
    SCOPED(mem) enum model_token_kind *kinds = mem_array((size_t)count, sizeof *kinds);
    if (!scores || !kinds) {
        return err_oom(err, "a vocabulary");
    }
    TRY(model_vocab_reserve(vocab, count, err));
    for (int64_t i = 0; i < count; i++) {
        struct entry entry = {.bytes = NULL};
        TRY(next_entry(&c, i, &entry, err));
        if (err_wrap(err, add_entry(vocab, i, &entry, err), "'%s'", c.name)) {
            return err->code;
        }
        scores[i] = entry.score;
        kinds[i] = kind_of(i);
    }
    TRY(model_vocab_index(vocab, err));
    TRY(model_vocab_set_added(vocab, kinds, err));
    return model_vocab_merge_by_score(vocab, kinds, scores, err);
}

enum err_code llama2c_vocab_parse(const void *bytes, size_t count, const char *name,
                                  struct model_vocab *out, struct error *err) {
    if (count < sizeof(int32_t)) {
        return err_set(err, ERR_DATA, "'%s' of %zu bytes is no tokenizer of llama2.c", name, count);
    }
    const unsigned char *begin = bytes;
    const struct cursor c = {.at = begin + sizeof(int32_t), .end = begin + count, .name = name};
    SCOPED(model_vocab) struct model_vocab vocab = MODEL_VOCAB_INIT;
    int64_t tokens = 0;
    TRY(count_entries(c, &tokens, err));
    TRY(read_entries(c, tokens, &vocab, err));
    tokenizer_spec_set_llama2(&vocab.spec);
    vocab.spec.unk = 0;
    vocab.spec.model_unk = 0;
    vocab.spec.bos = 1;
    vocab.spec.eos = 2;
    vocab.spec.adds_bos = true;
    *out = vocab;
    vocab = (struct model_vocab)MODEL_VOCAB_INIT;
    return ERR_OK;
}

enum err_code llama2c_vocab_open(const char *path, struct model_vocab *out, struct error *err) {
    SCOPED(file_map) struct file_map map = FILE_MAP_INIT;
    TRY(file_map_open(path, &map, err));
    return llama2c_vocab_parse(map.bytes, map.count, path, out, err);
}
