/* pair_texts.h - the pairs of texts in a log, counted, with their words: what baselines are fitted
 * to and judged by.
 *
 * Use:      SCOPED(pair_texts) struct pair_texts texts = PAIR_TEXTS_INIT;
 *           TRY(pair_texts_load(db, &set, &texts, err));
 *           const struct text_matrix matrix = text_features_matrix(texts.features);
 *           use(texts.first[p], texts.second[p], texts.wins_first[p], texts.ties[p]);
 * Pairs:    each two responses that were compared make one pair, however often and whichever was
 *           shown first; rankings make all their pairs. Row n of the matrix is item n of the set.
 * Legend:   P pairs.
 * Owns:     its arrays and the features (pair_texts_deinit).
 * Threads:  read-only once loaded.
 */
#ifndef REWARD_PAIR_TEXTS_H
#define REWARD_PAIR_TEXTS_H

#include "base/db.h"
#include "base/error.h"
#include "data/comparison_set.h"
#include "reward/text_features.h"

#include <stdint.h>

struct pair_texts {
    struct text_features *features;
    int64_t count;
    int32_t *first, *second;    /* [P] items, first < second */
    int32_t *blocks;            /* [P] block of both */
    double *wins_first;         /* [P] weight of judgements */
    double *wins_second, *ties; /* [P] */
};

#define PAIR_TEXTS_INIT \
    { .features = NULL }

/* `set` has responses for items.
 *   fails  ERR_DATA where some are items without text; ERR_OOM; as the database and
 *          text_features_add fail */
ERR_NODISCARD enum err_code pair_texts_load(struct db *db, const struct comparison_set *set,
                                            struct pair_texts *out_texts, struct error *err);

void pair_texts_deinit(struct pair_texts *texts);

static inline void pair_texts_scoped_end(struct pair_texts *texts) {
    pair_texts_deinit(texts);
}

#endif
