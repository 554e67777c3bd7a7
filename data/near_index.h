/* near_index.h - which of many texts are nearly the same, without comparing all with all.
 *
 * Use:      SCOPED(near_index) struct near_index index = NEAR_INDEX_INIT;
 *           near_index_begin(&index, 0.8, texts_max);
 *           TRY(near_index_add(&index, &shingles, err));     // text 0, 1, 2, ...
 *           ...
 *           TRY(near_index_search(&index, &(struct near_search){.fetch = read_shingles,
 *                                 .found = note_pair, .context = this}, err));
 * How:      the sketch of a text (minhash.h) is cut into bands; texts that agree in two bands are
 *           candidates, and a pair is found when the exact Jaccard index of its shingles reaches
 *           the threshold. So nothing is found wrongly, and a pair exactly at the threshold is
 *           missed with a probability of at most 2 %; of those above it, fewer.
 * Groups:   texts that are found to be alike form a group. Two of one group are not compared again,
 *           unless `wanted` asks for it, so that n copies of a text cost n comparisons. In a crowd
 *           of texts that share a band, each is compared with the NEAR_WINDOW before it only.
 * Memory:   4 bytes a band and text (at the threshold 0.8: 84), and 24 more while searching.
 * Source:   Broder 1997; banding as in Leskovec, Rajaraman, Ullman, Mining of Massive Datasets,
 *           3.4.
 * Owns:     its arrays (near_index_deinit).
 * Threads:  none of its own; one at a time.
 */
#ifndef DATA_NEAR_INDEX_H
#define DATA_NEAR_INDEX_H

#include "base/error.h"
#include "data/minhash.h"

#include <stdbool.h>
#include <stdint.h>

#define NEAR_WINDOW        16
#define NEAR_THRESHOLD_MIN 0.3 /* below it, texts are alike by accident */

struct near_index {
    double threshold;
    int64_t rows, bands; /* bins of a band; bands */
    uint32_t *keys;      /* [count, bands] */
    int64_t *groups;     /* [count] a text of the same group; itself: the group's first */
    int64_t count, capacity, texts_max;
    int64_t left_out; /* texts beyond texts_max */
    int64_t compared; /* exactly, by near_index_search */
};

#define NEAR_INDEX_INIT \
    { .keys = NULL, .groups = NULL }

struct near_search {
    /* The shingles of a text again. */
    enum err_code (*fetch)(void *context, int64_t text, struct shingle_set *out, struct error *err);
    /* Whether two texts of one group are to be compared all the same; NULL: never. */
    bool (*wanted)(void *context, int64_t earlier, int64_t later);
    /* A pair at or above the threshold, each at most once. */
    enum err_code (*found)(void *context, int64_t earlier, int64_t later, double jaccard,
                           struct error *err);
    void *context;
};

/* Empties `index` and chooses its bands; threshold in [NEAR_THRESHOLD_MIN, 1]. */
void near_index_begin(struct near_index *index, double threshold, int64_t texts_max);

void near_index_deinit(struct near_index *index);

/* The next text; one without shingles counts, and is never found. Beyond texts_max it is left out
 * and counted as such. */
ERR_NODISCARD enum err_code near_index_add(struct near_index *index,
                                           const struct shingle_set *shingles, struct error *err);

/* ERR_INTERRUPTED after a signal (base/interrupt.h); else only what the callbacks return, and
 * ERR_OOM. */
ERR_NODISCARD enum err_code near_index_search(struct near_index *index,
                                              const struct near_search *search, struct error *err);

/* The first text of a text's group. */
int64_t near_index_group(const struct near_index *index, int64_t text);

static inline void near_index_scoped_end(struct near_index *index) {
    near_index_deinit(index);
}

#endif
