/* matching.c - see matching.h. */
#include "trainer/matching.h"

#include "reward/pair_outcome.h"

#include <inttypes.h>
#include <stdlib.h>

/* KL of Bernoulli(sigma(a)) from Bernoulli(sigma(b)): with ln sigma(x) = -softplus(-x). */
static double bernoulli_kl(double a, double b) {
    return pair_sigmoid(a) * (pair_softplus(-b) - pair_softplus(-a)) +
           pair_sigmoid(-a) * (pair_softplus(b) - pair_softplus(a));
}

static void add_pair(struct matching *sums, const struct matching_pool *pool, int64_t i, int64_t j,
                     double weight, int64_t length_gap_max) {
    const double of_reward = pool->rewards[i] - pool->rewards[j];
    const double of_policy = pool->logp[i] - pool->logp[j];
    const double square = (of_reward - of_policy) * (of_reward - of_policy);
    const double kl = bernoulli_kl(of_reward, of_policy);
    sums->divergence += weight * square;
    sums->bernoulli_kl += weight * kl;
    sums->weight += weight;
    if (pool->lengths && llabs(pool->lengths[i] - pool->lengths[j]) <= length_gap_max) {
        sums->near_divergence += weight * square;
        sums->near_bernoulli_kl += weight * kl;
        sums->near_weight += weight;
    }
}

/* Both measures are alike for (i, j) and (j, i). */
struct matching matching_of(const struct matching_pool *pool, int64_t length_gap_max) {
    const double *w = pool->weights;
    struct matching m = {.weight = 0.0};
    for (int64_t i = 0; i < pool->count; i++) {
        for (int64_t j = 0; j < i; j++) {
            add_pair(&m, pool, i, j, w ? 2.0 * w[i] * w[j] : 1.0, length_gap_max);
        }
        if (w) {
            add_pair(&m, pool, i, i, w[i] * w[i], length_gap_max);
        }
    }
    m.divergence /= m.weight;
    m.bernoulli_kl /= m.weight;
    m.near_divergence /= m.near_weight;
    m.near_bernoulli_kl /= m.near_weight;
    return m;
}
