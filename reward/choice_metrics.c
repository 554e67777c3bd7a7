/* choice_metrics.c - see choice_metrics.h. */
#include "reward/choice_metrics.h"

#include <math.h>

static double greatest(const double *r, int64_t begin, int64_t end) {
    double most = r[begin];
    for (int64_t i = begin + 1; i < end; i++) {
        most = fmax(most, r[i]);
    }
    return most;
}

double choice_hit(const double *rewards, int64_t n) {
    const double best = greatest(rewards, 0, n);
    int64_t sharing = 0;
    for (int64_t i = 0; i < n; i++) {
        sharing += rewards[i] == best;
    }
    return rewards[0] == best ? 1.0 / (double)sharing : 0.0;
}

struct choice_tied choice_tied_of(const double *rewards, int64_t correct, int64_t n) {
    double least = rewards[0];
    for (int64_t i = 1; i < correct; i++) {
        least = fmin(least, rewards[i]);
    }
    const double gap = least - greatest(rewards, correct, n);
    const double spread = greatest(rewards, 0, correct) - least;
    return (struct choice_tied){
        .gap = gap, .spread = spread, .is_accurate = gap > 0.0, .is_apart = gap > spread};
}

double choice_tied_chance(int64_t correct, int64_t n) {
    double chance = 1.0;
    for (int64_t i = 1; i <= correct; i++) {
        chance *= (double)i / (double)(n - correct + i);
    }
    return chance;
}

double choice_ties_score(const struct choice_ties_pair *pairs, int64_t count) {
    double score = 0.0;
    for (int64_t p = 0; p < count; p++) {
        const double spread = pairs[p].tied.spread;
        const double gap = fmin(pairs[p].ref.gap, pairs[p].tied.gap);
        const double margin = tanh(gap / spread - 1.0);
        score += 0.3 * pairs[p].tied.is_accurate + 0.3 * pairs[p].ref.is_accurate +
                 0.2 * pairs[p].tied.is_apart + 0.2 * (gap > spread) +
                 0.01 * (isnan(margin) ? 0.0 : margin);
    }
    return count > 0 ? score / (double)count : (double)NAN;
}

double choice_order_nll(const double *rewards, int64_t places, int64_t n) {
    double nll = 0.0;
    for (int64_t i = 0; i < places && i < n - 1; i++) {
        const double top = greatest(rewards, i, n);
        double sum = 0.0;
        for (int64_t j = i; j < n; j++) {
            sum += exp(rewards[j] - top);
        }
        nll += top + log(sum) - rewards[i];
    }
    return nll;
}
