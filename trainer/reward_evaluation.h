/* reward_evaluation.h - rewards judged by the comparisons of a project file, beside the two
 * baselines: what accord reward eval computes, and its reports show.
 *
 * Use:      SCOPED(reward_evaluation) struct reward_evaluation e = REWARD_EVALUATION_INIT;
 *           TRY(reward_evaluation_run(run, &options, &e, err));
 *           eval_print(&e, bold, &text);
 * Order:    rewards come as they were given, then the baselines, if there are any; that is also the
 *           order of eval.rows.
 * Folds:    "{fold}" in a reward's text is the fold of a prompt: each answer is scored by the
 * reward of its own fold, so that models of a cross-validation are judged together. Owns:     all
 * it holds (reward_evaluation_deinit); the texts of the options are borrowed. Threads:  main
 * thread.
 */
#ifndef TRAINER_REWARD_EVALUATION_H
#define TRAINER_REWARD_EVALUATION_H

#include "data/comparison_set.h"
#include "data/split.h"
#include "reward/baseline_eval.h"
#include "reward/reward_eval.h"
#include "trainer/run.h"

#define REWARD_EVALUATION_SPECS_MAX 16
#define REWARD_EVALUATION_FOLDS_MAX 100

struct reward_evaluation_options {
    const char *project;
    const char *const *specs; /* [spec_count] */
    int64_t spec_count;
    struct comparison_set_options comparisons; /* of all splits */
    bool all_splits;
    enum split split;
    /* Instead of splits: folds of whole groups (reward/fold_plan.h); 0: none. */
    int64_t fold_count;
    const char *group; /* regular expression; NULL: by topic, or prompt */
    bool is_test_fold[REWARD_EVALUATION_FOLDS_MAX];
    bool is_crossed;     /* all folds are tested, each by baselines fitted to all others */
    double match_factor; /* lengths match up to this factor, >= 1 */
};

struct reward_evaluation {
    struct reward_evaluation_options options;
    uint64_t seed;
    struct comparison_set set;
    struct pair_texts texts;
    struct eval_slices slices;
    struct reward_eval eval;
    double *rewards; /* [reward_count, I] */
    int64_t reward_count;
    bool has_baselines;                        /* else the training split has no pairs */
    int64_t train_pairs;                       /* that baselines were fitted to, in any fold */
    bool has_fit[REWARD_EVALUATION_SPECS_MAX]; /* the reward has seen these judgements */
};

#define REWARD_EVALUATION_INIT \
    { .rewards = NULL }

/* `out` is owned (reward_evaluation_deinit).
 *   fails  ERR_DATA where the split has no pair of texts to judge; as the rewards, the baselines
 * and the database; ERR_INTERRUPTED */
ERR_NODISCARD enum err_code reward_evaluation_run(struct run *run,
                                                  const struct reward_evaluation_options *options,
                                                  struct reward_evaluation *out, struct error *err);
void reward_evaluation_deinit(struct reward_evaluation *e);

/* The text that the user gave for a reward, or "length only", "bag of words". */
const char *reward_evaluation_name(const struct reward_evaluation *e, int64_t reward);

/* "of the split test", "of 4 of 16 folds", "of 5 folds, each judged out of fold". */
void reward_evaluation_where(const struct reward_evaluation *e, struct strbuf *out);

/* Row of a baseline, or -1. */
int64_t reward_evaluation_baseline(const struct reward_evaluation *e, enum baseline_kind kind);

/* The reward that is best beyond chance (reward_eval_best), or -1. What was fitted to these very
 * judgements, fits and perhaps baselines, does not compete with what was not. */
int64_t reward_evaluation_best(const struct reward_evaluation *e);

/* Whether a reward has learned more than length, in one sentence. */
void reward_evaluation_verdict(const struct reward_evaluation *e, int64_t reward,
                               struct strbuf *out);

/* What the reader should know, a sentence each; false behind the last. */
bool reward_evaluation_note(const struct reward_evaluation *e, int64_t index, struct strbuf *out);

static inline void reward_evaluation_scoped_end(struct reward_evaluation *e) {
    reward_evaluation_deinit(e);
}

#endif
