/* fold_plan.h - which prompts are tested when: by the log's splits, or in folds of whole groups.
 *
 * Use:      SCOPED(mem) int32_t *fold_of_block = NULL;
 *           TRY(fold_plan_by_group(db, &set, 5, "^[^_]*", &fold_of_block, err));
 * Result:   [B] the fold that tests the block, or -1 where it is left out; owned (mem_free).
 * Threads:  no state.
 */
#ifndef REWARD_FOLD_PLAN_H
#define REWARD_FOLD_PLAN_H

#include "base/db.h"
#include "base/error.h"
#include "data/comparison_set.h"
#include "data/split.h"

#include <stdint.h>

/* The `enum split` of each block's prompt. */
ERR_NODISCARD enum err_code fold_plan_splits(struct db *db, const struct comparison_set *set,
                                             const struct split_shares *shares,
                                             int32_t **out_split_of_block, struct error *err);

/* 0 for prompts of the test split, 1 for training, -1 for validation. */
ERR_NODISCARD enum err_code fold_plan_by_split(struct db *db, const struct comparison_set *set,
                                               const struct split_shares *shares,
                                               int32_t **out_fold_of_block, struct error *err);

/* Prompts of one group stay together: the groups' names are sorted by their bytes, and group g is
 * tested in fold g modulo `fold_count`. The group is what `pattern` (base/regex.h) first matches in
 * the prompt, or, without a pattern, the prompt's topic, or the prompt itself if it has none.
 *   fails  ERR_DATA with fewer groups than folds, or where the pattern matches nothing, naming the
 *          prompt; ERR_CONFIG for a wrong pattern */
ERR_NODISCARD enum err_code fold_plan_by_group(struct db *db, const struct comparison_set *set,
                                               int64_t fold_count, const char *pattern,
                                               int32_t **out_fold_of_block, struct error *err);

#endif
