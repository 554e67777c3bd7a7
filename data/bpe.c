/* bpe.c - see bpe.h. */
#include "data/bpe.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "data/byte_alphabet.h"
#include "data/token_table.h"
#include "data/unicode_classes.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#define RANK_NONE       UINT32_MAX
#define SHORT_WORD_MAX  48 /* symbols; above, a heap is faster than looking through all */
#define PAIR_FREE       UINT64_MAX
#define BYTE_TOKEN_TEXT 8

struct pair_slot {
    uint64_t pair; /* left << 32 | right */
    uint32_t rank;
    int32_t merged;
};

/* What merging makes of a token's own text; learnt when it is first met as a word. */
enum { WHOLE_UNKNOWN, WHOLE_YES, WHOLE_NO };

struct memory {
    _Atomic uint8_t whole;
};

struct bpe {
    struct token_table words; /* tokens by the bytes of text that they are */
    struct pair_slot *pairs;
    uint64_t pair_mask;
    uint32_t pair_shift;
    struct memory *memory;          /* [token_count] */
    int32_t byte_ids[256];          /* tokens of single bytes; -1: none */
    char separator[UTF8_BYTES_MAX]; /* no token crosses from another character into this one, so a
                                       word may be cut before it */
    uint32_t separator_bytes;       /* 0: there is none */
    bool is_byte_level, ignore_merges, byte_fallback, fuse_unk;
    int32_t unk;
};

/* ---- making ---- */

static uint64_t pair_of(int32_t left, int32_t right) {
    return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}

static struct pair_slot *slot_of(const struct bpe *bpe, uint64_t pair) {
    uint64_t at = pair * UINT64_C(0x9E3779B97F4A7C15) >> bpe->pair_shift;
    while (bpe->pairs[at].pair != pair && bpe->pairs[at].pair != PAIR_FREE) {
        at = (at + 1) & bpe->pair_mask;
    }
    return &bpe->pairs[at];
}

static enum err_code add_words(struct bpe *bpe, const struct tokenizer_spec *spec,
                               struct error *err) {
    size_t bytes = 0;
    for (int64_t id = 0; id < spec->token_count; id++) {
        bytes += spec->tokens[id] ? strlen(spec->tokens[id]) : 0;
    }
    TRY(token_table_init(&bpe->words, spec->token_count, bytes, err));
    SCOPED(strbuf) struct strbuf word = STRBUF_INIT(bytes);
    for (int32_t id = 0; id < spec->token_count; id++) {
        const char *token = spec->tokens[id];
        if (!token || !*token) {
            continue;
        }
        if (!bpe->is_byte_level) {
            token_table_set(&bpe->words, id, token, strlen(token));
            continue;
        }
        strbuf_reset(&word);
        strbuf_add(&word, token);
        TRY(strbuf_check(&word, "token", err));
        size_t count = byte_alphabet_read(word.bytes, word.length, word.bytes);
        if (count != BYTE_ALPHABET_NONE) {
            token_table_set(&bpe->words, id, word.bytes, count);
        }
    }
    int32_t twice = -1;
    TRY(token_table_index(&bpe->words, &twice, err));
    if (twice >= 0) {
        return err_set(err, ERR_DATA, "vocabulary: token %" PRId32 ", '%s', stands there twice",
                       twice, spec->tokens[twice]);
    }
    return ERR_OK;
}

/* The token that two make together, by the spelling of the vocabulary. */
static enum err_code find_merged(const struct bpe *bpe, const struct tokenizer_spec *spec,
                                 int64_t rank, struct strbuf *text, int32_t *out,
                                 struct error *err) {
    int32_t left = spec->merges[rank].left;
    int32_t right = spec->merges[rank].right;
    struct text_span first = token_table_text(&bpe->words, left);
    struct text_span second = token_table_text(&bpe->words, right);
    if (!text_span_is_set(&first) || !text_span_is_set(&second)) {
        return err_set(err, ERR_DATA,
                       "merge %" PRId64 ": joins tokens %" PRId32 " and %" PRId32
                       ", of which not both are text of the vocabulary",
                       rank, left, right);
    }
    strbuf_reset(text);
    strbuf_add_bytes(text, first.bytes, first.count);
    strbuf_add_bytes(text, second.bytes, second.count);
    TRY(strbuf_check(text, "merged token", err));
    *out = token_table_find(&bpe->words, text->bytes, text->length);
    if (*out < 0) {
        return err_set(err, ERR_DATA,
                       "merge %" PRId64 ": '%s' and '%s' together are no token of the vocabulary",
                       rank, spec->tokens[left], spec->tokens[right]);
    }
    return ERR_OK;
}

static enum err_code add_pairs(struct bpe *bpe, const struct tokenizer_spec *spec,
                               struct error *err) {
    if (spec->merge_count >= RANK_NONE / 4) {
        return err_set(err, ERR_LIMIT, "vocabulary: %" PRId64 " merges", spec->merge_count);
    }
    bpe->pair_shift = 60;
    while (UINT64_C(1) << (64 - bpe->pair_shift) < 2 * (uint64_t)spec->merge_count) {
        bpe->pair_shift--;
    }
    uint64_t slots = UINT64_C(1) << (64 - bpe->pair_shift);
    bpe->pair_mask = slots - 1;
    bpe->pairs = mem_array(slots, sizeof *bpe->pairs);
    if (!bpe->pairs) {
        return err_oom(err, "merges");
    }
    for (uint64_t i = 0; i < slots; i++) {
        bpe->pairs[i] = (struct pair_slot){.pair = PAIR_FREE};
    }
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(2 * bpe->words.bytes_max);
    for (int64_t rank = 0; rank < spec->merge_count; rank++) {
        int32_t merged = -1;
        TRY(find_merged(bpe, spec, rank, &text, &merged, err));
        uint64_t pair = pair_of(spec->merges[rank].left, spec->merges[rank].right);
        /* Of a pair that stands twice the last rank counts, as in the library. */
        *slot_of(bpe, pair) =
            (struct pair_slot){.pair = pair, .rank = (uint32_t)rank, .merged = merged};
    }
    return ERR_OK;
}

static enum err_code add_bytes(struct bpe *bpe, struct error *err) {
    int64_t found = 0;
    for (int64_t byte = 0; byte < 256; byte++) {
        char text[BYTE_TOKEN_TEXT] = {(char)(unsigned char)byte};
        size_t count = 1;
        if (!bpe->is_byte_level) {
            count = (size_t)snprintf(text, sizeof text, "<0x%02" PRIX64 ">", (uint64_t)byte);
        }
        bpe->byte_ids[byte] = token_table_find(&bpe->words, text, count);
        found += bpe->byte_ids[byte] >= 0;
    }
    if (!bpe->byte_fallback || found == 256) {
        return ERR_OK;
    }
    if (found > 0 || bpe->is_byte_level) {
        return err_set(err, ERR_DATA,
                       "vocabulary: byte_fallback with %" PRId64 " of the 256 tokens of bytes",
                       found);
    }
    bpe->byte_fallback = false;
    return ERR_OK;
}

/* Whether `mark` is a token, and stands in no merged token behind another character. */
static bool is_separator(const struct bpe *bpe, const struct text_span *mark) {
    if (token_table_find(&bpe->words, mark->bytes, mark->count) < 0) {
        return false;
    }
    for (uint64_t i = 0; i <= bpe->pair_mask; i++) {
        if (bpe->pairs[i].pair == PAIR_FREE) {
            continue;
        }
        struct text_span text = token_table_text(&bpe->words, bpe->pairs[i].merged);
        bool inside = false; /* behind something that is no mark */
        for (size_t at = 0; at < text.count; at += unicode_bytes_at(text.bytes + at)) {
            bool is_mark = text.count - at >= mark->count &&
                           memcmp(text.bytes + at, mark->bytes, mark->count) == 0;
            if (is_mark && inside) {
                return false;
            }
            inside = !is_mark;
        }
    }
    return true;
}

/* A vocabulary of characters that stands for blanks by U+2581 usually begins words with it only,
 * and then its one long word falls apart into many. */
static void set_separator(struct bpe *bpe) {
    static const char mark[] = "\u2581";
    struct text_span text = text_span_of(mark);
    if (!bpe->is_byte_level && !bpe->ignore_merges && is_separator(bpe, &text)) {
        memcpy(bpe->separator, mark, text.count);
        bpe->separator_bytes = (uint32_t)text.count;
    }
}

static enum err_code build(struct bpe *bpe, const struct tokenizer_spec *spec, struct error *err) {
    TRY(add_words(bpe, spec, err));
    TRY(add_pairs(bpe, spec, err));
    TRY(add_bytes(bpe, err));
    set_separator(bpe);
    bpe->memory = mem_array_zero((size_t)spec->token_count, sizeof *bpe->memory);
    return bpe->memory ? ERR_OK : err_oom(err, "vocabulary");
}

enum err_code bpe_new(const struct tokenizer_spec *spec, bool is_byte_level, struct bpe **out,
                      struct error *err) {
    SCOPED(bpe) struct bpe *bpe = mem_array_zero(1, sizeof *bpe);
    if (!bpe) {
        return err_oom(err, "merges");
    }
    bpe->is_byte_level = is_byte_level;
    bpe->ignore_merges = spec->ignore_merges;
    bpe->byte_fallback = spec->byte_fallback;
    bpe->fuse_unk = spec->fuse_unk;
    bpe->unk = spec->model_unk;
    TRY(build(bpe, spec, err));
    *out = MOVE(bpe);
    return ERR_OK;
}

void bpe_free(struct bpe *bpe) {
    if (bpe) {
        token_table_deinit(&bpe->words);
        mem_free(bpe->pairs);
        mem_free(bpe->memory);
        mem_free(bpe);
    }
}

/* ---- a word as symbols ---- */

/* A token to be, bytes [begin, end) of the text. */
struct symbol {
    int32_t id;
    uint32_t begin, end;
    uint32_t rank;  /* of the pair with the next */
    int32_t merged; /* what that pair makes */
};

/* A word being read, into room for a symbol per byte. */
struct reading {
    struct symbol *symbols;
    int64_t count;
    int64_t dropped_bytes;
    struct symbol unknown; /* held back until the next known character; id -1: none */
};

static void put(struct reading *reading, int32_t id, uint32_t begin, uint32_t end) {
    reading->symbols[reading->count++] = (struct symbol){.id = id, .begin = begin, .end = end};
}

static void put_unknown(struct reading *reading) {
    if (reading->unknown.id >= 0) {
        put(reading, reading->unknown.id, reading->unknown.begin, reading->unknown.end);
        reading->unknown.id = -1;
    }
}

static void read_unknown(const struct bpe *bpe, uint32_t begin, uint32_t end,
                         struct reading *reading) {
    if (bpe->unk < 0) {
        reading->dropped_bytes += end - begin;
        return;
    }
    if (bpe->fuse_unk && reading->unknown.id >= 0) {
        reading->unknown.end = end;
        return;
    }
    put_unknown(reading);
    reading->unknown = (struct symbol){.id = bpe->unk, .begin = begin, .end = end};
}

/* Single bytes. As in the library, an unknown byte is an unknown letter of the alphabet. */
static void read_bytes(const struct bpe *bpe, const struct token_text *text, struct token_span word,
                       struct reading *reading) {
    for (uint32_t at = word.begin; at < word.end; at++) {
        int32_t id = bpe->byte_ids[(unsigned char)text->bytes[at]];
        if (id >= 0) {
            put_unknown(reading);
            put(reading, id, at, at + 1);
        } else {
            read_unknown(bpe, at, at + 1, reading);
        }
    }
    put_unknown(reading);
}

static void read_characters(const struct bpe *bpe, const struct token_text *text,
                            struct token_span word, struct reading *reading) {
    uint32_t end = 0;
    for (uint32_t at = word.begin; at < word.end; at = end) {
        end = at + (uint32_t)unicode_bytes_at(text->bytes + at);
        int32_t id = token_table_find(&bpe->words, text->bytes + at, end - at);
        if (id >= 0) {
            put_unknown(reading);
            put(reading, id, at, end);
        } else if (bpe->byte_fallback) {
            for (uint32_t byte = at; byte < end; byte++) {
                put(reading, bpe->byte_ids[(unsigned char)text->bytes[byte]], byte, byte + 1);
            }
        } else {
            read_unknown(bpe, at, end, reading);
        }
    }
    put_unknown(reading);
}

/* ---- merging ---- */

static void rank_pair(const struct bpe *bpe, struct symbol *left, const struct symbol *right) {
    const struct pair_slot *slot = slot_of(bpe, pair_of(left->id, right->id));
    bool found = slot->pair != PAIR_FREE;
    left->rank = found ? slot->rank : RANK_NONE;
    left->merged = found ? slot->merged : -1;
}

/* Few symbols: look through all for the best, close the gap. Returns how many are left. */
static int64_t merge_short(const struct bpe *bpe, struct symbol *symbols, int64_t count) {
    for (int64_t i = 0; i + 1 < count; i++) {
        rank_pair(bpe, &symbols[i], &symbols[i + 1]);
    }
    while (count > 1) {
        int64_t best = 0;
        for (int64_t i = 1; i + 1 < count; i++) {
            best = symbols[i].rank < symbols[best].rank ? i : best;
        }
        if (symbols[best].rank == RANK_NONE) {
            break;
        }
        symbols[best].id = symbols[best].merged;
        symbols[best].end = symbols[best + 1].end;
        count--;
        memmove(&symbols[best + 1], &symbols[best + 2],
                (size_t)(count - best - 1) * sizeof *symbols);
        if (best + 1 < count) {
            rank_pair(bpe, &symbols[best], &symbols[best + 1]);
        }
        if (best > 0) {
            rank_pair(bpe, &symbols[best - 1], &symbols[best]);
        }
    }
    return count;
}

/* Many symbols: a chain, and a heap of rank << 32 | place, the least on top, so of equal ranks the
 * leftmost. Entries of pairs that have changed stay in it and are passed over. */
struct chain {
    struct symbol *symbols;
    uint32_t *next, *previous; /* places; the number of symbols is the end, and before the start */
    uint64_t *heap;
    int64_t heap_count;
};

static void chain_scoped_end(struct chain *chain) {
    mem_free(chain->next);
    mem_free(chain->previous);
    mem_free(chain->heap);
}

static void heap_push(struct chain *chain, uint64_t entry) {
    int64_t at = chain->heap_count++;
    while (at > 0 && chain->heap[(at - 1) / 2] > entry) {
        chain->heap[at] = chain->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    chain->heap[at] = entry;
}

static uint64_t heap_pop(struct chain *chain) {
    uint64_t top = chain->heap[0];
    uint64_t moved = chain->heap[--chain->heap_count];
    int64_t at = 0;
    for (;;) {
        int64_t child = 2 * at + 1;
        if (child >= chain->heap_count) {
            break;
        }
        if (child + 1 < chain->heap_count && chain->heap[child + 1] < chain->heap[child]) {
            child++;
        }
        if (chain->heap[child] >= moved) {
            break;
        }
        chain->heap[at] = chain->heap[child];
        at = child;
    }
    chain->heap[at] = moved;
    return top;
}

static void chain_rank(const struct bpe *bpe, struct chain *chain, uint32_t at, uint32_t next) {
    rank_pair(bpe, &chain->symbols[at], &chain->symbols[next]);
    if (chain->symbols[at].rank != RANK_NONE) {
        heap_push(chain, (uint64_t)chain->symbols[at].rank << 32 | at);
    }
}

static void chain_merge(const struct bpe *bpe, struct chain *chain, uint32_t at, uint32_t end) {
    struct symbol *symbol = &chain->symbols[at];
    uint32_t gone = chain->next[at];
    uint32_t next = chain->next[gone];
    symbol->id = symbol->merged;
    symbol->end = chain->symbols[gone].end;
    symbol->rank = RANK_NONE;
    chain->symbols[gone].id = -1;
    chain->symbols[gone].rank = RANK_NONE;
    chain->next[at] = next;
    if (next != end) {
        chain->previous[next] = at;
        chain_rank(bpe, chain, at, next);
    }
    if (chain->previous[at] != end) {
        chain_rank(bpe, chain, chain->previous[at], at);
    }
}

static enum err_code merge_long(const struct bpe *bpe, struct symbol *symbols, int64_t *count,
                                struct error *err) {
    uint32_t end = (uint32_t)*count;
    /* Each of at most `end` merges adds two entries. */
    SCOPED(chain)
    struct chain chain = {.symbols = symbols,
                          .next = mem_array(end, sizeof *chain.next),
                          .previous = mem_array(end, sizeof *chain.previous),
                          .heap = mem_array(3 * (size_t)end, sizeof *chain.heap)};
    if (!chain.next || !chain.previous || !chain.heap) {
        return err_oom(err, "long word");
    }
    for (uint32_t i = 0; i < end; i++) {
        chain.next[i] = i + 1;
        chain.previous[i] = i > 0 ? i - 1 : end;
        symbols[i].rank = RANK_NONE;
        if (i + 1 < end) {
            chain_rank(bpe, &chain, i, i + 1);
        }
    }
    while (chain.heap_count > 0) {
        uint64_t entry = heap_pop(&chain);
        uint32_t at = (uint32_t)entry;
        if (symbols[at].rank == entry >> 32) {
            chain_merge(bpe, &chain, at, end);
        }
    }
    int64_t kept = 0;
    for (uint32_t i = 0; i < end; i++) {
        if (symbols[i].id >= 0) {
            symbols[kept++] = symbols[i];
        }
    }
    *count = kept;
    return ERR_OK;
}

/* ---- encoding ---- */

static void emit(const struct token_text *text, int32_t id, uint32_t begin, uint32_t end,
                 struct token_list *out) {
    struct token_place place =
        token_text_place(text, (struct token_span){.begin = begin, .end = end});
    token_list_put(out, id, place.begin, place.end);
}

/* Reads and merges a word into `symbols`, room for one a byte. */
static enum err_code merge_word(const struct bpe *bpe, const struct token_text *text,
                                struct token_span word, struct symbol *symbols,
                                struct token_list *out, struct error *err) {
    struct reading reading = {.symbols = symbols, .unknown = {.id = -1}};
    if (bpe->is_byte_level) {
        read_bytes(bpe, text, word, &reading);
    } else {
        read_characters(bpe, text, word, &reading);
    }
    int64_t count = reading.count;
    if (count <= SHORT_WORD_MAX) {
        count = merge_short(bpe, symbols, count);
    } else {
        TRY(merge_long(bpe, symbols, &count, err));
    }
    TRY(token_list_reserve(out, count, err));
    for (int64_t i = 0; i < count; i++) {
        emit(text, symbols[i].id, symbols[i].begin, symbols[i].end, out);
    }
    out->dropped_bytes += reading.dropped_bytes;
    return ERR_OK;
}

static enum err_code encode_word(const struct bpe *bpe, const struct token_text *text,
                                 struct token_span word, struct token_list *out,
                                 struct error *err) {
    uint32_t bytes = word.end - word.begin;
    int32_t id = token_table_find(&bpe->words, text->bytes + word.begin, bytes);
    uint8_t whole =
        id < 0 ? WHOLE_NO : atomic_load_explicit(&bpe->memory[id].whole, memory_order_relaxed);
    if (id >= 0 && (bpe->ignore_merges || whole == WHOLE_YES)) {
        TRY(token_list_reserve(out, 1, err));
        emit(text, id, word.begin, word.end, out);
        return ERR_OK;
    }
    int64_t before = out->count;
    if (bytes <= SHORT_WORD_MAX) {
        struct symbol symbols[SHORT_WORD_MAX];
        TRY(merge_word(bpe, text, word, symbols, out, err));
    } else {
        SCOPED(mem) struct symbol *symbols = mem_array(bytes, sizeof *symbols);
        if (!symbols) {
            return err_oom(err, "long word");
        }
        TRY(merge_word(bpe, text, word, symbols, out, err));
    }
    if (id >= 0 && whole == WHOLE_UNKNOWN) {
        bool is_whole = out->count == before + 1 && out->ids[before] == id;
        atomic_store_explicit(&bpe->memory[id].whole, is_whole ? WHOLE_YES : WHOLE_NO,
                              memory_order_relaxed);
    }
    return ERR_OK;
}

static bool is_separator_at(const struct bpe *bpe, const struct token_text *text, uint32_t at,
                            uint32_t end) {
    return end - at >= bpe->separator_bytes &&
           memcmp(text->bytes + at, bpe->separator, bpe->separator_bytes) == 0;
}

enum err_code bpe_encode(const struct bpe *bpe, const struct token_text *text,
                         struct token_span word, struct token_list *out, struct error *err) {
    if (bpe->separator_bytes == 0) {
        return encode_word(bpe, text, word, out, err);
    }
    bool after_separator = true;
    uint32_t begin = word.begin;
    for (uint32_t at = word.begin; at < word.end;) {
        bool is_mark = is_separator_at(bpe, text, at, word.end);
        if (is_mark && !after_separator) {
            TRY(encode_word(bpe, text, (struct token_span){begin, at}, out, err));
            begin = at;
        }
        after_separator = is_mark;
        at += (uint32_t)unicode_bytes_at(text->bytes + at);
    }
    return encode_word(bpe, text, (struct token_span){begin, word.end}, out, err);
}
