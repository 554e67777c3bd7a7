/* completions.h - how the tokens of sampled answers lie in arrays: end to end, without padding.
 *
 * Use:      for (int64_t i = 0; i < c->count; i++) {
 *               for (int64_t t = c->starts[i]; t < c->starts[i + 1]; t++) { ... logp[t] ... }
 *           }
 * Legend:   S completions, T = starts[S] tokens, G completions of a group, P = S / G groups.
 *           Arrays [T] hold a number for each token, the end of a text included where one was
 *           sampled; arrays [S] one for each completion.
 * Owns:     nothing: `starts` is borrowed.
 * Threads:  constant.
 */
#ifndef TRAINER_COMPLETIONS_H
#define TRAINER_COMPLETIONS_H

#include <stdint.h>

struct completions {
    int64_t count;         /* S, a multiple of group_size */
    int64_t group_size;    /* G: so many in a row answer the same prompt */
    const int64_t *starts; /* [S + 1] ascending, from 0; every completion has a token */
};

static inline int64_t completions_tokens(const struct completions *c) {
    return c->starts[c->count];
}

static inline int64_t completions_length(const struct completions *c, int64_t i) {
    return c->starts[i + 1] - c->starts[i];
}

static inline int64_t completions_groups(const struct completions *c) {
    return c->count / c->group_size;
}

/* Sum of values [T] over the tokens of completion i. */
static inline double completions_sum(const struct completions *c, int64_t i, const double *values) {
    double sum = 0.0;
    for (int64_t t = c->starts[i]; t < c->starts[i + 1]; t++) {
        sum += values[t];
    }
    return sum;
}

#endif
