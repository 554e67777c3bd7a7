/* matching.h - how far a policy's odds between answers are from those of the reward.
 *
 * Use:      const struct matching_pool pool = {
 *               .count = n, .rewards = r, .logp = logp, .lengths = lengths};
 *           struct matching m = matching_of(&pool, 2);      // one prompt; bootstrap over prompts
 * Measures: over pairs of answers of the pool, d_r = r_i - r_j, d_p = ln pi(y_i) - ln pi(y_j),
 *             divergence    mean of (d_r - d_p)^2, nats^2: of samples of the policy itself the
 *                           preference-matching divergence, 2 Var[r - ln pi]
 *             bernoulli_kl  mean of KL(Bernoulli(sigma(d_r)) | Bernoulli(sigma(d_p))), nats: grows
 *                           with a gap of log-probabilities like the gap, not like its square
 *           and both over pairs whose lengths are close: what sums of log-probabilities owe to
 *           length drops out.
 * Pools:    the samples of one policy flatter it when it has collapsed: compare policies on one
 *           pool of answers too, of which each knows its own log-probabilities.
 * Target:   for odds softmax(r / beta), rewards are r / beta; for cpm, r / beta + sum of ln w.
 * Source:   Xiao et al. 2024, arXiv 2405.16455. docs/methods/preference_matching.md
 * Threads:  no state.
 */
#ifndef TRAINER_MATCHING_H
#define TRAINER_MATCHING_H

#include <stdint.h>

struct matching_pool {
    int64_t count;
    const double *rewards;  /* [count] nats */
    const double *logp;     /* [count] nats, sums over tokens */
    const int64_t *lengths; /* [count] tokens; NULL: none is close */
    /* NULL: the answers are a sample, and pairs are of two of them. Else [count] probabilities:
     * they are all answers there are, and both of a pair are drawn by these. */
    const double *weights;
};

/* Means, NaN where no pair is; and the weight of their pairs: how many, or how likely. */
struct matching {
    double divergence, bernoulli_kl, weight;
    double near_divergence, near_bernoulli_kl, near_weight; /* of close lengths */
};

/*   length_gap_max  in tokens, of a close pair */
struct matching matching_of(const struct matching_pool *pool, int64_t length_gap_max);

#endif
