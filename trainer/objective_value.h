/* objective_value.h - the loss of a critic: squared distance of values to returns, clipped.
 *
 * Use:      loss += objective_value(&options, &batch, slopes, &clipped);
 * Loss:     1 / T times the sum of max((V - R)^2, (clip(V, V_old - e, V_old + e) - R)^2) / 2, T the
 *           tokens of the whole optimiser step.
 * Source:   Schulman et al. 2017 (PPO), as in its published code; Huang et al. 2024, "The N+
 *           implementation details of RLHF with PPO", arXiv 2403.17031.
 * Legend:   V values, R returns (advantage.h), nats.
 * Threads:  no state.
 */
#ifndef TRAINER_OBJECTIVE_VALUE_H
#define TRAINER_OBJECTIVE_VALUE_H

#include <stdint.h>

struct value_batch {
    int64_t count;            /* tokens of this micro-batch */
    const double *values;     /* [count] now */
    const double *old_values; /* [count] when sampled */
    const double *returns;    /* [count] */
    double clip;              /* e > 0, nats; infinity: none */
    int64_t step_tokens;      /* T */
};

/* The loss; its derivatives in the values are added to `slopes` [count], to `clipped` how many the
 * clip held. */
double objective_value(const struct value_batch *batch, double *slopes, int64_t *clipped);

#endif
