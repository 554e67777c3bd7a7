/* fold_plan.h - which prompts are tested when: by the log's splits, or in folds of whole groups.
 *
 * Use:      SCOPED(mem) int32_t *folds = NULL;
 *           const struct fold_prompts prompts = fold_prompts_of(&set);
 *           TRY(fold_plan_by_group(db, &prompts, 5, "^[^_]*", &folds, err));
 * Result:   [count] the fold that tests the prompt, or -1 where it is left out; owned (mem_free).
 * Threads:  no state.
 */
#ifndef REWARD_FOLD_PLAN_H
#define REWARD_FOLD_PLAN_H

#include "base/db.h"
#include "base/error.h"
#include "data/comparison_set.h"
#include "data/split.h"

#include <stdint.h>

/* Prompts by their ids in the project file; borrowed. */
struct fold_prompts {
    const int64_t *ids; /* [count] */
    int64_t count;
};

/* Those of a set's blocks. */
static inline struct fold_prompts fold_prompts_of(const struct comparison_set *set) {
    return (struct fold_prompts){.ids = set->block_prompt_ids, .count = set->block_count};
}

/* The `enum split` of each prompt. */
ERR_NODISCARD enum err_code fold_plan_splits(struct db *db, const struct fold_prompts *prompts,
                                             const struct split_shares *shares,
                                             int32_t **out_splits, struct error *err);

/* 0 for prompts of the test split, 1 for training, -1 for validation. */
ERR_NODISCARD enum err_code fold_plan_by_split(struct db *db, const struct fold_prompts *prompts,
                                               const struct split_shares *shares,
                                               int32_t **out_folds, struct error *err);

/* Prompts of one group stay together: the groups' names are sorted by their bytes, and group g is
 * tested in fold g modulo `fold_count`. The group is what `pattern` (base/regex.h) first matches in
 * the prompt, or, without a pattern, the prompt's topic, or the prompt itself if it has none.
 *   fails  ERR_DATA with fewer groups than folds, or where the pattern matches nothing, naming the
 *          prompt; ERR_CONFIG for a wrong pattern */
ERR_NODISCARD enum err_code fold_plan_by_group(struct db *db, const struct fold_prompts *prompts,
                                               int64_t fold_count, const char *pattern,
                                               int32_t **out_folds, struct error *err);

#endif
