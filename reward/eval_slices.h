/* eval_slices.h - parts of the judged pairs on which rewards are looked at apart.
 *
 * Use:      SCOPED(eval_slices) struct eval_slices slices = EVAL_SLICES_INIT;
 *           TRY(eval_slices_make(db, &set, &texts, is_tested, &slices, err));
 *           int64_t of[EVAL_PAIR_FAMILIES];
 *           eval_slices_of_pair(&slices, &texts, p, of);
 *           use(slices.list[of[EVAL_FAMILY_LENGTH]].name);
 * Pairs:    are cut by length (who was preferred, the longer or the shorter side, and by which
 * factor of characters, in fifths of the pairs whose lengths differ), by how far people agree, and
 *           by whether somebody called a tie.
 * Judgements: are cut by source, by population and by annotator, of each the EVAL_LABELS_MAX with
 * the most judgements, annotators with EVAL_ANNOTATOR_MIN or more; a pair of a ranking counts as a
 * judgement. Owns:     its arrays (eval_slices_deinit). Threads:  read-only once made.
 */
#ifndef REWARD_EVAL_SLICES_H
#define REWARD_EVAL_SLICES_H

#include "base/db.h"
#include "base/error.h"
#include "data/comparison_set.h"
#include "reward/pair_texts.h"

#include <stdbool.h>
#include <stdint.h>

#define EVAL_LABELS_MAX    12
#define EVAL_ANNOTATOR_MIN 30.0

/* Family, its key in JSON, its title. Those of pairs first. */
#define EVAL_FAMILIES(X)                                \
    X(LENGTH, "length", "who was preferred, by length") \
    X(AGREEMENT, "agreement", "agreement of people")    \
    X(TIES, "ties", "ties")                             \
    X(SOURCE, "source", "source")                       \
    X(POPULATION, "population", "population")           \
    X(ANNOTATOR, "annotator", "annotator")

enum eval_family {
#define EVAL_FAMILY_ENUM(name, key, title) EVAL_FAMILY_##name,
    EVAL_FAMILIES(EVAL_FAMILY_ENUM)
#undef EVAL_FAMILY_ENUM
        EVAL_FAMILY_COUNT
};

#define EVAL_PAIR_FAMILIES  EVAL_FAMILY_SOURCE
#define EVAL_LABEL_FAMILIES (EVAL_FAMILY_COUNT - EVAL_PAIR_FAMILIES)

/* "agreement"; "agreement of people". Static. */
const char *eval_family_key(enum eval_family family);
const char *eval_family_title(enum eval_family family);

struct eval_slice {
    enum eval_family family;
    char *name; /* owned; a label's is as the data has it */
};

struct eval_slices {
    struct eval_slice *list; /* [count] by family */
    int64_t count;
    int64_t first[EVAL_FAMILY_COUNT + 1];        /* of each family; then `count` */
    double fifths[4];                            /* of |ln length ratio|, nats */
    int32_t *of_comparison[EVAL_LABEL_FAMILIES]; /* [C] slice, or -1 */
};

#define EVAL_SLICES_INIT \
    { .list = NULL }

/* `is_tested` [B] says which blocks count. */
ERR_NODISCARD enum err_code eval_slices_make(struct db *db, const struct comparison_set *set,
                                             const struct pair_texts *texts, const bool *is_tested,
                                             struct eval_slices *out_slices, struct error *err);
void eval_slices_deinit(struct eval_slices *slices);

/* |ln| of characters of the first over those of the second side of pair `p`, with its sign; an
 * empty answer counts as one character. */
double eval_length_ratio(const struct pair_texts *texts, int64_t p);

/* The slice of each family of pairs, or -1: a pair on which people divide evenly has no length
 * slice. */
void eval_slices_of_pair(const struct eval_slices *slices, const struct pair_texts *texts,
                         int64_t p, int64_t out_slices[EVAL_PAIR_FAMILIES]);

static inline void eval_slices_scoped_end(struct eval_slices *slices) {
    eval_slices_deinit(slices);
}

#endif
