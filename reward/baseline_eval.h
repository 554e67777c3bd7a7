/* baseline_eval.h - fits the baselines to some prompts and judges them by others.
 *
 * Use:      SCOPED(baseline_eval) struct baseline_eval eval = BASELINE_EVAL_INIT;
 *           TRY(baseline_eval_run(&set, &texts, &plan, &eval, err));
 *           use(eval.pooled[BASELINE_WORDS].accuracy.value);
 * Folds:    each prompt (block of the set) is tested in one fold and trained on in all others; or,
 *           with one fold, fold 0 tests what the plan calls 0 and trains on what it calls 1.
 * Words:    the dictionary holds the words of all texts; those of test texts alone get no weight.
 * Threads:  no state.
 */
#ifndef REWARD_BASELINE_EVAL_H
#define REWARD_BASELINE_EVAL_H

#include "base/error.h"
#include "data/comparison_set.h"
#include "reward/baseline.h"
#include "reward/pair_metrics.h"
#include "reward/pair_texts.h"

#include <stdint.h>

#define BASELINES(X)                            \
    X(LENGTH, "length", "length in characters") \
    X(WORDS, "words", "words, word pairs and length")

enum baseline_kind {
#define BASELINE_ENUM(name, text, help) BASELINE_##name,
    BASELINES(BASELINE_ENUM)
#undef BASELINE_ENUM
        BASELINE_COUNT
};

#define BASELINE_FOLDS_MAX 100

struct baseline_plan {
    int64_t fold_count;           /* >= 1 */
    const int32_t *fold_of_block; /* [B] in [0, max(fold_count, 2)), or -1: left out */
    double ridge;
    uint64_t seed; /* of the intervals */
};

struct baseline_fold {
    int64_t train_pairs, test_pairs;
    double length_weight[BASELINE_COUNT]; /* nats per ln(character) */
    struct pair_scores scores[BASELINE_COUNT];
};

struct baseline_eval {
    int64_t fold_count;
    struct baseline_fold *folds; /* [fold_count] */
    struct pair_scores pooled[BASELINE_COUNT];
};

#define BASELINE_EVAL_INIT \
    { .folds = NULL }

/* `out_eval` is owned (baseline_eval_deinit).
 *   fails  ERR_DATA where a fold has nothing to train on or to test; as baseline_fit */
ERR_NODISCARD enum err_code baseline_eval_run(const struct comparison_set *set,
                                              const struct pair_texts *texts,
                                              const struct baseline_plan *plan,
                                              struct baseline_eval *out_eval, struct error *err);

void baseline_eval_deinit(struct baseline_eval *eval);

/* A baseline fitted to the pairs of all folds but this one; `fold_of_block` as above.
 * `out_baseline` is owned (baseline_deinit). fails  as baseline_fit */
ERR_NODISCARD enum err_code baseline_eval_fit(const struct pair_texts *texts,
                                              const int32_t *fold_of_block, int64_t fold,
                                              const struct baseline_options *options,
                                              struct baseline *out_baseline, struct error *err);

/* "words"; "words, word pairs and length". Static. */
const char *baseline_name(enum baseline_kind kind);
const char *baseline_title(enum baseline_kind kind);

static inline void baseline_eval_scoped_end(struct baseline_eval *eval) {
    baseline_eval_deinit(eval);
}

#endif
