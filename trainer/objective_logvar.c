/* objective_logvar.c - see objective_logvar.h. */
#include "trainer/objective_logvar.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>

enum err_code logvar_check(const struct regulariser *reg, int64_t group_size, struct error *err) {
    TRY(regulariser_check(reg, err));
    if (group_size < 2) {
        return err_set(err, ERR_CONFIG,
                       "logvar: a variance needs 2 answers to a prompt or more, not %" PRId64,
                       group_size);
    }
    if (!(reg->beta_in > 0.0)) {
        return err_set(err, ERR_CONFIG,
                       "logvar: beta_in = 0 leaves nothing to fit; take it above 0");
    }
    if (reg->kind == REGULARISER_CPM && reg->beta_out != reg->beta_in) {
        return err_set(err, ERR_CONFIG,
                       "logvar: with beta_in = %g and beta_out = %g its zero is not the optimum; "
                       "make them equal, or choose another method",
                       reg->beta_in, reg->beta_out);
    }
    if (reg->kl.is_loss || reg->estimator != REGULARISER_SAMPLED) {
        return err_set(err, ERR_CONFIG,
                       "logvar: it is made of the costs of sampled tokens; take the estimator "
                       "'sampled', and kl in the reward");
    }
    return ERR_OK;
}

/* r - beta (ln pi - ln w) of completion i. */
static double constant_of(const struct regulariser *reg, const struct logvar_batch *batch,
                          int64_t i) {
    const struct completions *c = &batch->completions;
    double g = batch->rewards[i];
    for (int64_t t = c->starts[i]; t < c->starts[i + 1]; t++) {
        double cost;
        regulariser_costs(reg, 1, batch->logp + t, batch->ref_logp ? batch->ref_logp + t : NULL,
                          &cost, NULL);
        g -= cost;
    }
    return g;
}

double objective_logvar(const struct regulariser *reg, const struct logvar_batch *batch,
                        double *slopes) {
    const struct completions *c = &batch->completions;
    const int64_t size = c->group_size;
    const double weight = 1.0 / ((double)(size - 1) * (double)batch->step_groups);
    double loss = 0.0;
    for (int64_t first = 0; first < c->count; first += size) {
        double mean = 0.0;
        for (int64_t i = first; i < first + size; i++) {
            mean += constant_of(reg, batch, i) / (double)size;
        }
        for (int64_t i = first; i < first + size; i++) {
            const double gap = constant_of(reg, batch, i) - mean;
            loss += 0.5 * weight * gap * gap;
            for (int64_t t = c->starts[i]; t < c->starts[i + 1]; t++) {
                slopes[t] -= weight * gap * reg->beta_in;
            }
        }
    }
    return loss;
}
