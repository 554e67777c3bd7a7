/* direct_sums.h - what a pass of a direct method over examples adds up, and the metrics of it.
 *
 * Use:      struct direct_sums sums = {.loss = 0.0};
 *           sums.loss += direct_loss(...);
 *           direct_sums_add(&sums, &examples, example, &measured);     // once per example
 *           const int64_t count = direct_sums_metrics(&sums, &form, metrics);
 * Means:    over judgements, by their weights. Chosen is what was preferred, or called good, and
 *           rejected the other; ties are in neither.
 * Names:    TRL's (DPOTrainer and KTOTrainer 1.16), "eval_" before those of an evaluation.
 * Threads:  no state.
 */
#ifndef TRAINER_DIRECT_SUMS_H
#define TRAINER_DIRECT_SUMS_H

#include "base/metrics.h"
#include "trainer/reward_examples.h"

struct direct_sums {
    double loss;    /* nats, times weight */
    double weights; /* of the examples */
    struct reward_agreement rewards, logps, starts;
    struct reward_agreement mean_logits, tops, lengths; /* of tokens */
    double entropy_nats;                                /* of the targets */
    int64_t targets;
    int64_t tokens; /* of the texts */
};

/* Of the answers of an example, [answers] each. */
struct direct_measured {
    const double *rewards;
    const double *logps;       /* S, nats */
    const double *starts;      /* S of the first weights, nats; 0 where it is not known */
    const double *mean_logits; /* sums over tokens of the mean logit of the vocabulary */
    const double *tops;        /* how many tokens are the likeliest there */
    const double *lengths;     /* T, in tokens */
};

void direct_sums_add(struct direct_sums *sums, const struct reward_examples *examples,
                     int64_t example, const struct direct_measured *measured);

#define DIRECT_METRICS_MAX 12

/* Which metrics there are: the same for all rows of a run. */
struct direct_metrics_form {
    bool is_evaluation;
    bool of_labels; /* which have no accuracy */
    bool has_kl;
    double kl; /* KTO's estimate, nats */
};

/* NaN are means of nothing, as of rejected answers where all were called good.
 *   returns  how many `out` has */
int64_t direct_sums_metrics(const struct direct_sums *sums, const struct direct_metrics_form *form,
                            struct metric out[DIRECT_METRICS_MAX]);

/* Share of judgements whose chosen answer has the greater reward; NaN without any. */
double direct_sums_accuracy(const struct direct_sums *sums);

/* By how many nats either side is less likely than at the start; NaN for a side without answers. */
struct direct_fall {
    double chosen, rejected;
};

struct direct_fall direct_sums_fall(const struct direct_sums *sums);

/* Moves a mean of the last steps, 0 before the first, a tenth of the way to the step's; a side
 * without answers stays. */
void direct_fall_smooth(struct direct_fall *smoothed, const struct direct_fall *step);

/* Whether both sides fell by more than a nat. */
bool direct_fall_is_of_both(const struct direct_fall *fall);

#endif
