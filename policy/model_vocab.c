/* model_vocab.c - see model_vocab.h. */
#include "policy/model_vocab.h"

#include "base/array.h"
#include "base/invariant.h"
#include "base/scoped.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK "\xe2\x96\x81" /* U+2581, SentencePiece's blank */

void model_vocab_deinit(struct model_vocab *vocab) {
    arena_deinit(&vocab->arena);
    *vocab = (struct model_vocab)MODEL_VOCAB_INIT;
}

/* ---- texts ---- */

enum err_code model_vocab_reserve(struct model_vocab *vocab, int64_t count, struct error *err) {
    vocab->tokens = arena_array(&vocab->arena, (size_t)count, sizeof *vocab->tokens);
    vocab->by_text = arena_array(&vocab->arena, (size_t)count, sizeof *vocab->by_text);
    vocab->spec.token_count = 0;
    vocab->spec.tokens = vocab->tokens;
    return vocab->tokens && vocab->by_text ? ERR_OK : err_oom(err, "a vocabulary");
}

/* Each ' ' takes two bytes more. */
static char *with_blocks(struct arena *arena, const char *bytes, size_t count) {
    char *text = arena_array(arena, 3 * count + 1, 1);
    char *at = text;
    for (size_t i = 0; text && i < count; i++) {
        if (bytes[i] == ' ') {
            memcpy(at, BLOCK, sizeof BLOCK - 1);
            at += sizeof BLOCK - 1;
        } else {
            *at++ = bytes[i];
        }
    }
    if (text) {
        *at = '\0';
    }
    return text;
}

enum err_code model_vocab_add(struct model_vocab *vocab, const char *bytes, size_t count,
                              bool spaces_are_blocks, struct error *err) {
    const int64_t id = vocab->spec.token_count;
    if (count > MODEL_VOCAB_TOKEN_BYTES) {
        return err_set(err, ERR_DATA, "token %" PRId64 " has %zu bytes, limit %d", id, count,
                       MODEL_VOCAB_TOKEN_BYTES);
    }
    if (memchr(bytes, 0, count) || utf8_find_invalid(bytes, count) < count) {
        char excerpt[UTF8_EXCERPT_BYTES];
        return err_set(err, ERR_DATA, "token %" PRId64 " '%s' is not UTF-8 without NUL", id,
                       utf8_excerpt(bytes, count, excerpt));
    }
    const char *text = spaces_are_blocks ? with_blocks(&vocab->arena, bytes, count)
                                         : arena_strndup(&vocab->arena, bytes, count);
    if (!text) {
        return err_oom(err, "texts of a vocabulary");
    }
    vocab->tokens[id] = text;
    vocab->spec.token_count++;
    return ERR_OK;
}

/* ---- finding ---- */

struct keyed_token {
    const char *text;
    int32_t id;
};

static int compare_keyed(const void *left, const void *right) {
    const struct keyed_token *a = left;
    const struct keyed_token *b = right;
    const int order = strcmp(a->text, b->text);
    return order != 0 ? order : (a->id > b->id) - (a->id < b->id);
}

enum err_code model_vocab_index(struct model_vocab *vocab, struct error *err) {
    const int64_t count = vocab->spec.token_count;
    SCOPED(mem) struct keyed_token *keyed = mem_array((size_t)count, sizeof *keyed);
    if (!keyed) {
        return err_oom(err, "the order of a vocabulary");
    }
    for (int64_t i = 0; i < count; i++) {
        keyed[i] = (struct keyed_token){.text = vocab->tokens[i], .id = (int32_t)i};
    }
    qsort(keyed, (size_t)count, sizeof *keyed, compare_keyed);
    for (int64_t i = 0; i < count; i++) {
        vocab->by_text[i] = keyed[i].id;
    }
    return ERR_OK;
}

/* As strcmp, for a text without a NUL behind it. */
static int compare_bytes(const char *token, const char *bytes, size_t count) {
    const int order = strncmp(token, bytes, count);
    return order != 0 ? order : token[count] != '\0';
}

int32_t model_vocab_find(const struct model_vocab *vocab, const char *bytes, size_t count) {
    int64_t low = 0;
    int64_t high = vocab->spec.token_count;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (compare_bytes(vocab->tokens[vocab->by_text[middle]], bytes, count) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    const bool found = low < vocab->spec.token_count &&
                       compare_bytes(vocab->tokens[vocab->by_text[low]], bytes, count) == 0;
    return found ? vocab->by_text[low] : -1;
}

/* ---- added tokens ---- */

enum err_code model_vocab_set_added(struct model_vocab *vocab, const enum model_token_kind *kinds,
                                    struct error *err) {
    const int64_t count = vocab->spec.token_count;
    struct added_token *added = arena_array(&vocab->arena, (size_t)count, sizeof *added);
    if (!added) {
        return err_oom(err, "added tokens");
    }
    vocab->spec.added = added;
    vocab->spec.added_count = 0;
    for (int64_t i = 0; i < count; i++) {
        const bool special = kinds[i] == MODEL_TOKEN_SPECIAL;
        if ((special || kinds[i] == MODEL_TOKEN_ADDED) && vocab->tokens[i][0] != '\0') {
            added[vocab->spec.added_count++] = (struct added_token){
                .text = vocab->tokens[i], .id = (int32_t)i, .special = special};
        }
    }
    return ERR_OK;
}

/* ---- merges from scores ---- */

struct scored_merge {
    struct token_merge merge;
    float score;
    int32_t merged;
    int32_t left_chars, right_chars;
};

struct merge_list {
    struct scored_merge *items;
    int64_t count, capacity;
};

static void merge_list_scoped_end(struct merge_list *list) {
    mem_free(list->items);
}

/* A higher score first; then the longer left part, the longer right part, and the lower ids. */
static int compare_merges(const void *left, const void *right) {
    const struct scored_merge *a = left;
    const struct scored_merge *b = right;
    if (a->score < b->score || a->score > b->score) {
        return a->score > b->score ? -1 : 1;
    }
    const int32_t keys[][2] = {
        {b->left_chars, a->left_chars}, {b->right_chars, a->right_chars}, {a->merged, b->merged},
        {a->merge.left, b->merge.left}, {a->merge.right, b->merge.right},
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (keys[i][0] != keys[i][1]) {
            return keys[i][0] < keys[i][1] ? -1 : 1;
        }
    }
    return 0;
}

static bool takes_part(enum model_token_kind kind) {
    return kind == MODEL_TOKEN_NORMAL || kind == MODEL_TOKEN_ADDED;
}

static enum err_code add_merge(struct merge_list *list, struct scored_merge merge,
                               struct error *err) {
    TRY(array_reserve(ARRAY_REF(list->items), &list->capacity, list->count + 1,
                      "merges of a vocabulary", err));
    list->items[list->count++] = merge;
    return ERR_OK;
}

static int32_t count_chars(const char *bytes, size_t count) {
    int32_t chars = 0;
    for (size_t i = 0; i < count; i++) {
        chars += ((unsigned char)bytes[i] & 0xC0U) != 0x80U;
    }
    return chars;
}

/* Every cut between two characters whose halves are tokens. */
static enum err_code split_token(const struct model_vocab *vocab,
                                 const enum model_token_kind *kinds, float score, int32_t id,
                                 struct merge_list *list, struct error *err) {
    const char *text = vocab->tokens[id];
    const size_t length = strlen(text);
    for (size_t cut = 1; cut < length; cut++) {
        if (((unsigned char)text[cut] & 0xC0U) == 0x80U) {
            continue;
        }
        const int32_t left = model_vocab_find(vocab, text, cut);
        const int32_t right = left < 0 ? -1 : model_vocab_find(vocab, text + cut, length - cut);
        if (right < 0 || !takes_part(kinds[left]) || !takes_part(kinds[right])) {
            continue;
        }
        const struct scored_merge merge = {
            .merge = {.left = left, .right = right},
            .score = score,
            .merged = id,
            .left_chars = count_chars(text, cut),
            .right_chars = count_chars(text + cut, length - cut),
        };
        TRY(add_merge(list, merge, err));
    }
    return ERR_OK;
}

enum err_code model_vocab_merge_by_score(struct model_vocab *vocab,
                                         const enum model_token_kind *kinds, const float *scores,
                                         struct error *err) {
    SCOPED(merge_list) struct merge_list list = {.items = NULL};
    for (int64_t i = 0; i < vocab->spec.token_count; i++) {
        if (takes_part(kinds[i])) {
            TRY(split_token(vocab, kinds, scores[i], (int32_t)i, &list, err));
        }
    }
    struct token_merge *merges = arena_array(&vocab->arena, (size_t)list.count, sizeof *merges);
    if (!merges) {
        return err_oom(err, "merges of a vocabulary");
    }
    if (list.count > 0) {
        qsort(list.items, (size_t)list.count, sizeof *list.items, compare_merges);
    }
    for (int64_t i = 0; i < list.count; i++) {
        merges[i] = list.items[i].merge;
    }
    vocab->spec.merges = merges;
    vocab->spec.merge_count = list.count;
    return ERR_OK;
}
