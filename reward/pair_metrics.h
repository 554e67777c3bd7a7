/* pair_metrics.h - how well margins predict which side of a pair people prefer.
 *
 * Use:      SCOPED(pair_metrics) struct pair_metrics metrics = PAIR_METRICS_INIT;
 *           TRY(pair_metrics_init(&metrics, set.block_count, err));
 *           for (...) {
 *               pair_metrics_add(&metrics, block, margin, wins_first, wins_second, ties);
 *           }
 *           struct pair_scores scores;
 *           TRY(pair_metrics_scores(&metrics, seed, &scores, err));
 * Accuracy: of pairs, one vote each: the greater margin is on the side that most judgements
 *           preferred; no margin counts half; pairs that people divide on evenly are left out.
 * NLL:      mean over judgements of -ln sigma(margin), a tie half of each side; nats. At its least
 *           it is the entropy of the judgements, not zero, where people divide.
 * Brier:    mean over judgements of the squared distance between sigma(margin) and 1, 0 or, for a
 *           tie, 1/2.
 * Interval: 95 %, percentiles of PAIR_BOOTSTRAPS resamples of whole prompts (or groups of them),
 *           since answers to one prompt are not independent.
 * Threads:  no state.
 */
#ifndef REWARD_PAIR_METRICS_H
#define REWARD_PAIR_METRICS_H

#include "base/error.h"

#include <stdint.h>

#define PAIR_BOOTSTRAPS 1000

/* Sums of one cluster. */
struct pair_sums {
    double correct, decided;   /* pairs */
    double nll, brier, weight; /* judgements */
};

struct pair_metrics {
    int64_t cluster_count;
    struct pair_sums *clusters; /* [cluster_count] */
    int64_t pair_count;
};

#define PAIR_METRICS_INIT \
    { .clusters = NULL }

struct pair_score {
    double value;     /* NaN where nothing was counted */
    double low, high; /* NaN with fewer than two clusters */
};

struct pair_scores {
    struct pair_score accuracy, nll, brier;
    int64_t pairs;    /* all of them */
    double decided;   /* pairs that count for accuracy */
    double weight;    /* judgements */
    int64_t clusters; /* that hold anything */
};

ERR_NODISCARD enum err_code pair_metrics_init(struct pair_metrics *metrics, int64_t cluster_count,
                                              struct error *err);
void pair_metrics_deinit(struct pair_metrics *metrics);

/* `margin` in nats; the weights are those of the pair's judgements. */
void pair_metrics_add(struct pair_metrics *metrics, int64_t cluster, double margin,
                      double wins_first, double wins_second, double ties);

ERR_NODISCARD enum err_code pair_metrics_scores(const struct pair_metrics *metrics, uint64_t seed,
                                                struct pair_scores *out_scores, struct error *err);

static inline void pair_metrics_scoped_end(struct pair_metrics *metrics) {
    pair_metrics_deinit(metrics);
}

#endif
