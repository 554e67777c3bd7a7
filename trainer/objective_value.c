/* objective_value.c - see objective_value.h. */
#include "trainer/objective_value.h"

#include <math.h>
#include <stdbool.h>

double objective_value(const struct value_batch *batch, double *slopes, int64_t *clipped) {
    const double weight = 1.0 / (double)batch->step_tokens;
    double loss = 0.0;
    for (int64_t t = 0; t < batch->count; t++) {
        const double value = batch->values[t], old = batch->old_values[t];
        const double held = fmin(fmax(value, old - batch->clip), old + batch->clip);
        const double gap = value - batch->returns[t], held_gap = held - batch->returns[t];
        const bool is_clipped = held_gap * held_gap > gap * gap; /* held there: no slope */
        loss += 0.5 * weight * (is_clipped ? held_gap * held_gap : gap * gap);
        slopes[t] += is_clipped ? 0.0 : weight * gap;
        *clipped += is_clipped;
    }
    return loss;
}
