/* reward_eval_internal.h - the sums that figures of an evaluation are made of.
 *
 * Use:      TRY(reward_eval_add_up(&input, &sums, &eval, err));
 * Columns:  COLUMN_SHARED ones, then for each reward COLUMN_OWN and for each slice SLICE_COLUMNS.
 * Threads:  no state.
 */
#ifndef REWARD_REWARD_EVAL_INTERNAL_H
#define REWARD_REWARD_EVAL_INTERNAL_H

#include "reward/cluster_bootstrap.h"
#include "reward/reward_eval.h"

enum eval_column {
    EVAL_COMMON_CORRECT, /* over pairs that all rewards know */
    EVAL_COMMON_DECIDED,
    EVAL_COMMON_NLL,
    EVAL_COMMON_WEIGHT,
    EVAL_LONGER_CORRECT, /* people prefer the longer side */
    EVAL_LONGER_DECIDED,
    EVAL_SHORTER_CORRECT,
    EVAL_SHORTER_DECIDED,
    EVAL_MATCHED_CORRECT,
    EVAL_MATCHED_DECIDED,
    EVAL_XY, /* length and reward, off their means within prompts */
    EVAL_XX,
    EVAL_YY,
    EVAL_RANK_XY,
    EVAL_RANK_XX,
    EVAL_RANK_YY,
    EVAL_CHOICE_HITS,
    EVAL_CHOICES,
    EVAL_TIED_ACCURATE,
    EVAL_TIED_APART,
    EVAL_TIED,
    EVAL_ORDER_NLL,
    EVAL_ORDERS,
    EVAL_SLICES, /* from here on, SLICE_COLUMNS each */
};

enum eval_slice_column {
    EVAL_SLICE_CORRECT,
    EVAL_SLICE_DECIDED,
    EVAL_SLICE_NLL,
    EVAL_SLICE_WEIGHT,
    EVAL_SLICE_COLUMNS
};

static inline int64_t reward_eval_columns(int64_t slice_count) {
    return EVAL_SLICES + EVAL_SLICE_COLUMNS * slice_count;
}

/* What is counted into. `eval` has room for its rows; their counts and pictures are written. */
struct reward_eval_sums {
    struct cluster_sums sums;     /* by blocks, [R * reward_eval_columns] */
    struct pair_metrics *metrics; /* [R] */
    int64_t reward_count;
};

ERR_NODISCARD enum err_code reward_eval_add_up(const struct reward_eval_input *input,
                                               struct reward_eval_sums *sums,
                                               struct reward_eval *eval, struct error *err);

#endif
