/* near_index.c - see near_index.h. */
#include "data/near_index.h"

#include "base/array.h"
#include "base/interrupt.h"
#include "base/invariant.h"
#include "base/mem.h"
#include "data/text_fold.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RECALL_WANTED 0.98

/* Probability that two texts with Jaccard index `jaccard` agree in at least two of `bands`. */
static double recall(double jaccard, int64_t rows, int64_t bands) {
    double agree = pow(jaccard, (double)rows);
    double none = pow(1.0 - agree, (double)bands);
    double one = (double)bands * agree * pow(1.0 - agree, (double)(bands - 1));
    return 1.0 - none - one;
}

void near_index_begin(struct near_index *index, double threshold, int64_t texts_max) {
    near_index_deinit(index);
    index->threshold = threshold;
    index->texts_max = texts_max;
    index->rows = 1;
    /* The longer the bands, the fewer accidental candidates. */
    for (int64_t rows = 2; rows <= MINHASH_BINS / 2; rows++) {
        if (recall(threshold, rows, MINHASH_BINS / rows) >= RECALL_WANTED) {
            index->rows = rows;
        }
    }
    index->bands = MINHASH_BINS / index->rows;
}

void near_index_deinit(struct near_index *index) {
    mem_free(index->keys);
    mem_free(index->groups);
    *index = (struct near_index)NEAR_INDEX_INIT;
}

static enum err_code reserve(struct near_index *index, struct error *err) {
    const struct array_ref arrays[] = {{&index->keys, (size_t)index->bands * sizeof *index->keys},
                                       ARRAY_REF(index->groups)};
    return arrays_reserve(arrays, 2, &index->capacity, index->count + 1, "sketches of texts", err);
}

enum err_code near_index_add(struct near_index *index, const struct shingle_set *shingles,
                             struct error *err) {
    if (index->count == index->texts_max) {
        index->left_out++;
        return ERR_OK;
    }
    TRY(reserve(index, err));
    struct minhash sketch = minhash_of(shingles);
    uint32_t *keys = index->keys + index->count * index->bands;
    for (int64_t band = 0; band < index->bands; band++) {
        uint64_t key = (uint64_t)band;
        for (int64_t row = 0; row < index->rows; row++) {
            key = text_fold_mix(key * 31 + sketch.bins[band * index->rows + row] + 1);
        }
        /* 0 stands for "no shingles". */
        keys[band] = shingles->count > 0 ? (uint32_t)(key >> 32) | 1u : 0u;
    }
    index->groups[index->count] = index->count;
    index->count++;
    return ERR_OK;
}

int64_t near_index_group(const struct near_index *index, int64_t text) {
    int64_t first = text;
    while (index->groups[first] != first) {
        first = index->groups[first];
    }
    return first;
}

/* As near_index_group, halving the way for the next time. */
static int64_t group_of(struct near_index *index, int64_t text) {
    int64_t first = text;
    while (index->groups[first] != first) {
        index->groups[first] = index->groups[index->groups[first]];
        first = index->groups[first];
    }
    return first;
}

static void join_groups(struct near_index *index, int64_t left, int64_t right) {
    int64_t a = group_of(index, left), b = group_of(index, right);
    index->groups[a > b ? a : b] = a < b ? a : b;
}

/* Whether `band` is the second band in which both agree: there a pair has its one turn. */
static bool has_its_turn(const struct near_index *index, int64_t a, int64_t b, int64_t band) {
    const uint32_t *left = index->keys + a * index->bands;
    const uint32_t *right = index->keys + b * index->bands;
    int64_t agreed = 0;
    for (int64_t i = 0; i < band; i++) {
        agreed += left[i] == right[i];
    }
    return agreed == 1;
}

struct searching {
    struct near_index *index;
    const struct near_search *search;
    uint64_t *entries; /* [count] key of the band in the upper half, text in the lower */
    struct shingle_set later, earlier;
    int64_t later_text; /* whose shingles `later` holds; -1: none */
};

static void searching_scoped_end(struct searching *s) {
    mem_free(s->entries);
    shingle_set_deinit(&s->later);
    shingle_set_deinit(&s->earlier);
}

static enum err_code compare_pair(struct searching *s, int64_t earlier, int64_t later,
                                  struct error *err) {
    const struct near_search *search = s->search;
    if (s->later_text != later) {
        s->later_text = -1;
        TRY(search->fetch(search->context, later, &s->later, err));
        s->later_text = later;
    }
    TRY(search->fetch(search->context, earlier, &s->earlier, err));
    s->index->compared++;
    double jaccard = shingle_set_jaccard(&s->earlier, &s->later);
    if (jaccard < s->index->threshold) {
        return ERR_OK;
    }
    join_groups(s->index, earlier, later);
    return search->found(search->context, earlier, later, jaccard, err);
}

static int compare_entries(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* Entries [first, last) agree in this band and stand by text. */
static enum err_code search_crowd(struct searching *s, int64_t band, int64_t first, int64_t last,
                                  struct error *err) {
    const struct near_search *search = s->search;
    for (int64_t j = first + 1; j < last; j++) {
        int64_t later = (int64_t)(s->entries[j] & UINT32_MAX);
        int64_t from = j - NEAR_WINDOW > first ? j - NEAR_WINDOW : first;
        for (int64_t i = from; i < j; i++) {
            int64_t earlier = (int64_t)(s->entries[i] & UINT32_MAX);
            bool known = group_of(s->index, earlier) == group_of(s->index, later);
            bool wanted =
                !known || (search->wanted && search->wanted(search->context, earlier, later));
            if (wanted && has_its_turn(s->index, earlier, later, band)) {
                TRY(compare_pair(s, earlier, later, err));
            }
        }
    }
    return ERR_OK;
}

static enum err_code search_band(struct searching *s, int64_t band, struct error *err) {
    const struct near_index *index = s->index;
    int64_t count = 0;
    for (int64_t text = 0; text < index->count; text++) {
        uint64_t key = index->keys[text * index->bands + band];
        s->entries[count] = key << 32 | (uint64_t)text;
        count += key != 0;
    }
    qsort(s->entries, (size_t)count, sizeof *s->entries, compare_entries);
    for (int64_t first = 0, last = 0; first < count; first = last) {
        while (last < count && s->entries[last] >> 32 == s->entries[first] >> 32) {
            last++;
        }
        TRY(search_crowd(s, band, first, last, err));
        if (interrupt_requested()) {
            return err_set(err, ERR_INTERRUPTED, "stopped while looking for near duplicates");
        }
    }
    return ERR_OK;
}

enum err_code near_index_search(struct near_index *index, const struct near_search *search,
                                struct error *err) {
    ASSERT_LE(index->count, UINT32_MAX);
    SCOPED(searching)
    struct searching s = {.index = index, .search = search, .later_text = -1};
    s.entries = mem_array((size_t)index->count, sizeof *s.entries);
    if (!s.entries) {
        return err_oom(err, "bands of sketches");
    }
    for (int64_t band = 0; band < index->bands; band++) {
        TRY(search_band(&s, band, err));
    }
    return ERR_OK;
}
