/* minhash.c - see minhash.h. */
#include "data/minhash.h"

#include "base/array.h"
#include "base/mem.h"
#include "data/text_fold.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define GOLDEN   UINT64_C(0x9E3779B97F4A7C15) /* 2^64 / golden ratio: spreads small integers */
#define BIN_BITS 7

static_assert(MINHASH_BINS == 1 << BIN_BITS, "a bin is chosen by the upper bits of a hash");

void shingle_set_deinit(struct shingle_set *set) {
    mem_free(set->hashes);
    *set = (struct shingle_set)SHINGLE_SET_INIT;
}

static enum err_code append(struct shingle_set *set, uint64_t hash, struct error *err) {
    if (array_reserve(ARRAY_REF(set->hashes), &set->capacity, set->count + 1, "shingles of a text",
                      err)) {
        set->count = 0;
        return err->code;
    }
    set->hashes[set->count++] = hash;
    return ERR_OK;
}

static int compare_hashes(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static void sort_and_unify(struct shingle_set *set) {
    if (set->count < 2) {
        return;
    }
    qsort(set->hashes, (size_t)set->count, sizeof *set->hashes, compare_hashes);
    int64_t kept = 1;
    for (int64_t i = 1; i < set->count; i++) {
        if (set->hashes[i] != set->hashes[kept - 1]) {
            set->hashes[kept++] = set->hashes[i];
        }
    }
    set->count = kept;
}

/* The order of the words counts. */
static uint64_t shingle_of(const uint64_t words[SHINGLE_WORDS]) {
    uint64_t hash = 0;
    for (int i = 0; i < SHINGLE_WORDS; i++) {
        hash = text_fold_mix(hash * GOLDEN + words[i]);
    }
    return hash;
}

enum err_code shingle_set_read(struct shingle_set *set, const char *bytes, size_t count,
                               struct error *err) {
    struct text_words words = TEXT_WORDS_INIT(bytes, count);
    uint64_t window[SHINGLE_WORDS] = {0}; /* the last words, the newest at the end */
    uint64_t word = 0;
    int64_t word_count = 0;
    set->count = 0;
    while (text_words_next(&words, &word)) {
        memmove(window, window + 1, sizeof window - sizeof *window);
        window[SHINGLE_WORDS - 1] = word;
        word_count++;
        if (word_count >= SHINGLE_WORDS) {
            TRY(append(set, shingle_of(window), err));
        }
    }
    if (word_count > 0 && word_count < SHINGLE_WORDS) {
        TRY(append(set, shingle_of(window), err));
    }
    sort_and_unify(set);
    return ERR_OK;
}

double shingle_set_jaccard(const struct shingle_set *left, const struct shingle_set *right) {
    int64_t both = 0;
    for (int64_t i = 0, j = 0; i < left->count && j < right->count;) {
        uint64_t a = left->hashes[i], b = right->hashes[j];
        both += a == b;
        i += a <= b;
        j += b <= a;
    }
    int64_t either = left->count + right->count - both;
    return either > 0 ? (double)both / (double)either : 0.0;
}

/* One round: every element gets a bin and a value, and a bin that earlier rounds left empty keeps
 * the least value. In the second half of the rounds the bin is given, so that all are filled in
 * the end. Returns how many bins are still empty. */
static int fill_round(const struct shingle_set *set, uint64_t round, uint64_t minima[MINHASH_BINS],
                      bool filled[MINHASH_BINS]) {
    for (int64_t i = 0; i < set->count; i++) {
        uint64_t hash = text_fold_mix(set->hashes[i] + (round + 1) * GOLDEN);
        uint64_t bin = round < MINHASH_BINS ? hash >> (64 - BIN_BITS) : round - MINHASH_BINS;
        uint64_t value = hash & UINT32_MAX;
        if (!filled[bin] && value < minima[bin]) {
            minima[bin] = value;
        }
    }
    int empty = 0;
    for (int bin = 0; bin < MINHASH_BINS; bin++) {
        filled[bin] = minima[bin] != UINT64_MAX;
        empty += !filled[bin];
    }
    return empty;
}

struct minhash minhash_of(const struct shingle_set *set) {
    uint64_t minima[MINHASH_BINS];
    bool filled[MINHASH_BINS] = {false};
    struct minhash sketch;
    memset(minima, 0xFF, sizeof minima);
    int empty = set->count > 0 ? MINHASH_BINS : 0;
    for (uint64_t round = 0; empty > 0; round++) {
        empty = fill_round(set, round, minima, filled);
    }
    for (int bin = 0; bin < MINHASH_BINS; bin++) {
        sketch.bins[bin] = (uint32_t)minima[bin];
    }
    return sketch;
}

double minhash_jaccard(const struct minhash *left, const struct minhash *right) {
    int equal = 0;
    for (int bin = 0; bin < MINHASH_BINS; bin++) {
        equal += left->bins[bin] == right->bins[bin];
    }
    return equal / (double)MINHASH_BINS;
}
