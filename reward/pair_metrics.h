/* pair_metrics.h - how well margins predict which side of a pair people prefer.
 *
 * Use:      SCOPED(pair_metrics) struct pair_metrics metrics = PAIR_METRICS_INIT;
 *           TRY(pair_metrics_init(&metrics, set.block_count, pairs_max, err));
 *           for (...) {
 *               pair_metrics_add(&metrics, &(struct judged_pair){.cluster = block, ...});
 *           }
 *           struct pair_scores scores;
 *           TRY(pair_metrics_scores(&metrics, seed, &scores, err));
 * Accuracy: of pairs, one vote each: the greater margin is on the side that most judgements
 *           preferred; no margin counts half; pairs that people divide on evenly are left out.
 * NLL:      mean over judgements of -ln sigma(margin), a tie half of each side; nats. At its least
 *           it is the entropy of the judgements, not zero, where people divide.
 * Brier:    mean over judgements of the squared distance between sigma(margin) and 1, 0 or, for a
 *           tie, 1/2.
 * ECE:      expected calibration error: pairs in bins of equally many judgements, by how sure the
 *           margin is of the side that it favours; mean over judgements of the distance between a
 *           bin's mean sigma(|margin|) and the share of its judgements for those sides. Against
 *           people, not labels: a pair judged 3 to 1 counts 3/4. It is above zero by chance alone,
 *           the more the fewer judgements. Source: Guo et al. 2017, arXiv 1706.04599, with bins of
 *           equal mass (Nixon et al. 2019, arXiv 1904.01685).
 * Interval: 95 %, by resampling whole prompts (cluster_bootstrap.h), since answers to one prompt
 * are not independent. Threads:  no state.
 */
#ifndef REWARD_PAIR_METRICS_H
#define REWARD_PAIR_METRICS_H

#include "base/error.h"

#include <stdint.h>

#define PAIR_BINS 10

struct judged_pair {
    int64_t cluster;
    double margin; /* nats, for the first side */
    double wins_first, wins_second, ties;
};

/* What a pair adds to the sums that scores are ratios of. */
struct judged_terms {
    double correct, decided;   /* pairs */
    double nll, brier, weight; /* judgements */
    double said, agreed;       /* judgements: sigma(|margin|), and those for the favoured side */
};

struct judged_terms judged_terms_of(const struct judged_pair *pair);

struct pair_metrics {
    int64_t cluster_count;
    struct judged_pair *pairs; /* [pair_max] */
    int64_t pair_count, pair_max;
};

#define PAIR_METRICS_INIT \
    { .pairs = NULL }

struct pair_score {
    double value;     /* NaN where nothing was counted */
    double low, high; /* NaN with fewer than two clusters */
};

/* Pairs of which the margins are about equally sure. */
struct pair_bin {
    double said;   /* mean sigma(|margin|) over judgements */
    double share;  /* of judgements, for the sides that the margins favour; a tie is half of one */
    double weight; /* judgements; 0 for a bin that equal margins left empty */
};

struct pair_scores {
    struct pair_score accuracy, nll, brier, ece;
    struct pair_bin bins[PAIR_BINS]; /* the least sure first */
    int64_t pairs;                   /* all of them */
    double decided;                  /* pairs that count for accuracy */
    double weight;                   /* judgements */
    int64_t clusters;                /* that hold anything */
};

ERR_NODISCARD enum err_code pair_metrics_init(struct pair_metrics *metrics, int64_t cluster_count,
                                              int64_t pair_max, struct error *err);
void pair_metrics_deinit(struct pair_metrics *metrics);

/* At most pair_max of them. */
void pair_metrics_add(struct pair_metrics *metrics, const struct judged_pair *pair);

ERR_NODISCARD enum err_code pair_metrics_scores(const struct pair_metrics *metrics, uint64_t seed,
                                                struct pair_scores *out_scores, struct error *err);

/* The temperature T > 0 that calibrates the margins best: the one with the least NLL of margin / T,
 * which `out_nll` gets. NaN, both, if none has: margins that are no better than none, or that are
 * never wrong. Source: temperature scaling, Guo et al. 2017, arXiv 1706.04599. */
double pair_metrics_temperature(const struct pair_metrics *metrics, double *out_nll);

static inline void pair_metrics_scoped_end(struct pair_metrics *metrics) {
    pair_metrics_deinit(metrics);
}

#endif
