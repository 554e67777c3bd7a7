/* objective_logvar.h - the variance within a prompt of what a matched policy keeps constant.
 *
 * Use:      loss += objective_logvar(&reg, &batch, slopes);
 * Loss:     of g = r(y) - sum over t of cost_t, half its variance (over G - 1) among the G
 *           completions of a prompt, mean over the prompts of the step. At the optimum of the
 *           regulariser g is ln Z times beta for every answer, so the loss is 0 whichever answers
 *           were sampled, and its slopes are too: no noise remains. On samples of the policy itself
 *           its slopes are beta times those of RLOO; on other answers it is a loss as well.
 * Betas:    one: with two, g is not constant at the optimum (logvar_check).
 * Source:   Richter, Boustati, Nüsken, Ruiz, Akyildiz 2020, "VarGrad", arXiv 2010.10436.
 * Legend:   completions.h, regulariser.h.
 * Threads:  no state.
 */
#ifndef TRAINER_OBJECTIVE_LOGVAR_H
#define TRAINER_OBJECTIVE_LOGVAR_H

#include "base/error.h"
#include "trainer/completions.h"
#include "trainer/regulariser.h"

#include <stdint.h>

/* Whole groups; [S] rewards, [T] log-probabilities. */
struct logvar_batch {
    struct completions completions; /* G >= 2 */
    const double *rewards;
    const double *logp, *ref_logp; /* ref_logp NULL for pm */
    int64_t step_groups;           /* of the whole optimiser step */
};

/*   fails  ERR_CONFIG: two betas, a beta of 0, expected costs, kl in the loss; G < 2 */
ERR_NODISCARD enum err_code logvar_check(const struct regulariser *reg, int64_t group_size,
                                         struct error *err);

/* The loss in nats^2; its derivatives in logp are added to `slopes` [T]. */
double objective_logvar(const struct regulariser *reg, const struct logvar_batch *batch,
                        double *slopes);

#endif
