/* comparison_cut.h - the comparisons of prompts with many answers, cut into examples of few.
 *
 * Use:      SCOPED(comparison_cut) struct comparison_cut cut = {.items_max = 8, .seed = seed};
 *           TRY(comparison_cut_make(&set, is_used, &cut, err));
 *           TRY(comparison_set_part(&set, cut.example_of, cut.count, &examples, &items, err));
 * Why:      what reads whole texts pays by the answer, not by the comparison: among 8 answers lie
 *           up to 28 pairs. Each comparison is in one example, an answer in as many as it takes.
 * How:      greedily: the items of a comparison drawn at random, then again and again the item
 *           that completes most comparisons with those already there.
 * Order:    follows from the seed. A block of at most `items_max` items, each joined to the
 *           others by comparisons, is one example.
 * Threads:  no state.
 */
#ifndef DATA_COMPARISON_CUT_H
#define DATA_COMPARISON_CUT_H

#include "base/error.h"
#include "data/comparison_set.h"

#include <stdbool.h>
#include <stdint.h>

struct comparison_cut {
    int64_t items_max; /* of an example, 0: all of a block; a longer ranking is one by itself */
    uint64_t seed;
    int32_t *example_of; /* [C] in [0, count), by block; -1: not used. Owned. */
    int64_t count;
};

/* Fills `example_of` and `count`.
 *   is_used  [C] which comparisons are wanted
 *   fails    ERR_OOM */
ERR_NODISCARD enum err_code comparison_cut_make(const struct comparison_set *set,
                                                const bool *is_used, struct comparison_cut *cut,
                                                struct error *err);
void comparison_cut_deinit(struct comparison_cut *cut);

static inline void comparison_cut_scoped_end(struct comparison_cut *cut) {
    comparison_cut_deinit(cut);
}

#endif
