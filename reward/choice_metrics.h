/* choice_metrics.h - sets of more than two answers: whether the best one is found, whether equally
 * good ones stay together, how likely the order of people was.
 *
 * Use:      double hit = choice_hit(rewards, n);                     // rewards[0]: the chosen
 * answer struct choice_tied tied = choice_tied_of(rewards, correct, n); Choice:   one answer was
 * chosen among n. 1 if it has the highest reward; 1 / m if m answers share the highest and it is
 * one of them; else 0. A coin is right in 1 / n. Source: RewardBench 2 (Malik et al. 2025, arXiv
 * 2506.01937), best of four. Tied:     the first c of n answers are equally good, the others worse;
 * 1 <= c < n. With gap    = least reward of the good - greatest reward of the others spread =
 * greatest - least reward of the good a set is accurate if gap > 0, and apart if gap > spread. By
 * chance all good ones come before all others in 1 / binomial(n, c) of sets. Source: the Ties
 * subset of RewardBench 2, whose score over questions with several right answers (tied), each with
 * a reference question that has one (ref), is 0.3 P(tied accurate) + 0.3 P(ref accurate) + 0.2
 * P(gap_tied > spread_tied)
 *               + 0.2 P(min(gap_ref, gap_tied) > spread_tied)
 *               + 0.01 mean tanh(min(gap_ref, gap_tied) / spread_tied - 1)
 *           (process_single_model in rewardbench/utils.py of allenai/reward-bench, November 2025;
 *           0 where 0 / 0). So it lies in [-0.01, 1.01].
 * Order:    -ln of the Plackett-Luce probability of the order: at each place the one that stands
 *           there was chosen among those left. Nats.
 * Threads:  no state.
 */
#ifndef REWARD_CHOICE_METRICS_H
#define REWARD_CHOICE_METRICS_H

#include <stdbool.h>
#include <stdint.h>

/* `rewards` [n], the chosen answer first; n >= 2. */
double choice_hit(const double *rewards, int64_t n);

struct choice_tied {
    double gap, spread;
    bool is_accurate, is_apart;
};

/* `rewards` [n], the `correct` good ones first; 1 <= correct < n. */
struct choice_tied choice_tied_of(const double *rewards, int64_t correct, int64_t n);

/* 1 / binomial(n, correct). */
double choice_tied_chance(int64_t correct, int64_t n);

/* A question with several right answers and its reference question. */
struct choice_ties_pair {
    struct choice_tied tied, ref;
};

/* The score above; P(tied accurate) and P(ref accurate) are over the pairs. NaN without any. */
double choice_ties_score(const struct choice_ties_pair *pairs, int64_t count);

/* `rewards` [n] in the order of people, best first; only the first `places` of them were put in
 * order. */
double choice_order_nll(const double *rewards, int64_t places, int64_t n);

#endif
