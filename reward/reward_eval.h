/* reward_eval.h - how good rewards are at saying what people prefer, and whether length is all they
 * know.
 *
 * Use:      SCOPED(reward_eval) struct reward_eval eval = REWARD_EVAL_INIT;
 *           TRY(reward_eval_run(&input, &eval, err));
 *           use(eval.rows[r].scores.accuracy.value, eval.rows[r].length_adjusted.low);
 *           const struct pair_score *d = reward_eval_difference(&eval, r, other);
 * Pairs:    those of pair_texts.h in blocks that are tested: each two answers that were compared,
 * once, with the judgements of all people; rankings make all their pairs. A pair of which a reward
 * does not know one answer (NaN) counts for the others only, and for no difference. Figures:
 * accuracy, NLL, Brier score and calibration error as in pair_metrics.h. Besides, per reward:
 *             length_adjusted  accuracy with pairs reweighted so that the longer side is preferred
 * in half of them: the mean of the accuracies where people prefer the longer side and where they
 * prefer the shorter. Whatever looks at nothing but which side is longer gets 1/2. It is the
 * balanced accuracy of Brodersen et al. 2010 ("The balanced accuracy and its posterior
 * distribution") with the longer side as the class: a direct standardisation, which fits no model
 * of length, unlike the regression of Dubois et al. 2024 (arXiv 2404.04475). length_matched
 * accuracy on pairs with |ln length ratio| <= match_nats pearson, spearman  between characters and
 * reward, within prompts: of both, the mean over the answers of a prompt is taken off first; for
 * spearman of ranks within the prompt (equal ones share their mean). All answers of the tested
 * blocks. choice, tied     over comparisons of three answers or more (choice_metrics.h) order_nll
 * mean over rankings without ties, and over choices of one among several Intervals: 95 %, over
 * prompts (cluster_bootstrap.h). Differences are of the same resamples, over pairs that every
 * reward knows. Legend:   B blocks, C comparisons, I items, P pairs, R rewards, S slices. Owns: its
 * arrays (reward_eval_deinit). Threads:  no state.
 */
#ifndef REWARD_REWARD_EVAL_H
#define REWARD_REWARD_EVAL_H

#include "base/error.h"
#include "data/comparison_set.h"
#include "reward/eval_slices.h"
#include "reward/pair_metrics.h"
#include "reward/pair_texts.h"

#include <stdbool.h>
#include <stdint.h>

#define REWARD_EVAL_REWARDS_MAX 32
#define REWARD_EVAL_DOTS_MAX    400 /* pairs kept of each reward, for pictures */
#define REWARD_EVAL_MARGIN_BINS 24

struct reward_eval_input {
    const struct comparison_set *set;
    const struct pair_texts *texts;
    const struct eval_slices *slices;
    const bool *is_tested; /* [B] */
    const int32_t *topics; /* [B] or -1: questions of one topic belong together (ties); NULL */
    const double *rewards; /* [R, I] NaN: not known */
    int64_t reward_count;  /* in [1, REWARD_EVAL_REWARDS_MAX] */
    double match_nats;     /* |ln length ratio| up to which lengths match */
    uint64_t seed;
};

struct eval_slice_score {
    struct pair_score accuracy, nll;
    double decided, weight; /* pairs or judgements that count for accuracy; judgements */
};

/* Pairs turned so that the longer side is first. */
struct eval_dot {
    double ratio;  /* ln length ratio, nats, >= 0 */
    double margin; /* of the longer side, nats */
};

/* Margins towards the side that people prefer; the ends take what lies beyond. */
struct eval_margins {
    double high; /* of the last bin; the first begins at its negative */
    int64_t counts[REWARD_EVAL_MARGIN_BINS];
    int64_t zeros; /* margins of exactly 0: in no bin */
};

struct reward_eval_row {
    struct pair_scores scores;
    int64_t pairs_unknown, answers, answers_unknown;
    double temperature, calibrated_nll; /* pair_metrics_temperature, of these same pairs */
    struct pair_score common_accuracy, common_nll; /* over pairs that all rewards know */
    struct pair_score length_adjusted, length_matched;
    double matched_pairs;
    struct pair_score pearson, spearman;
    struct pair_score choice, tied_accurate, tied_apart, order_nll;
    double choices, tied, orders; /* how many of them */
    double ties_score;            /* of RewardBench 2; NaN without pairs of questions */
    int64_t ties_pairs;
    struct eval_slice_score *slices; /* [S] */
    struct eval_margins margins;
    struct eval_dot *dots; /* [dot_count] */
    int64_t dot_count;
};

struct reward_eval {
    int64_t reward_count, slice_count;
    struct reward_eval_row *rows;                  /* [R] */
    struct pair_score *accuracy_gaps, *nll_gaps;   /* [R, R] row minus column */
    int64_t pairs, common_pairs, prompts, answers; /* tested */
    double judgements;
    double longer_preferred;           /* share of decided pairs of different length */
    double choice_chance, tied_chance; /* NaN without any */
};

#define REWARD_EVAL_INIT \
    { .rows = NULL }

/* `out_eval` is owned (reward_eval_deinit).
 *   fails  ERR_DATA where no pair is tested; ERR_INTERRUPTED; ERR_OOM */
ERR_NODISCARD enum err_code reward_eval_run(const struct reward_eval_input *input,
                                            struct reward_eval *out_eval, struct error *err);
void reward_eval_deinit(struct reward_eval *eval);

/* Accuracy of `reward` minus that of `other`. */
const struct pair_score *reward_eval_difference(const struct reward_eval *eval, int64_t reward,
                                                int64_t other);

/* Whether all of an interval lies above, or below, zero; false without one. */
bool reward_eval_is_above(const struct pair_score *difference);
bool reward_eval_is_below(const struct pair_score *difference);

/* The reward with the highest accuracy over common pairs among those that compete, if the interval
 * of its difference to every other of them lies above zero; -1 if there is none such, or only one
 * that competes. `competes` [R]. */
int64_t reward_eval_best(const struct reward_eval *eval, const bool *competes);

static inline void reward_eval_scoped_end(struct reward_eval *eval) {
    reward_eval_deinit(eval);
}

#endif
