/* reward_ties.h - how likely ties are, learnt beside the weights of a reward model.
 *
 * Use:      TRY(reward_ties_init(&ties, objective, TABULAR_DAVIDSON, err));
 *           reward_ties_values(&ties, values);                 // for reward_objective_block
 *           reward_ties_step(&ties, step, slopes);
 * Method:   Adam (arXiv 1412.6980) with its usual constants, at a rate of its own: there are one or
 *           two parameters, in nats, of which all judgements speak.
 * State:    numbers of a checkpoint, so that a resumed run goes on with the same bits.
 * Threads:  no state.
 */
#ifndef TRAINER_REWARD_TIES_H
#define TRAINER_REWARD_TIES_H

#include "reward/reward_objective.h"
#include "trainer/checkpoint.h"

#define REWARD_TIES_MAX   4 /* parameters; rankings hold ties of few sizes */
#define REWARD_TIE_STATES 3 /* numbers for each: the parameter without bounds, and its moments */

struct reward_ties {
    enum tabular_model model;
    int64_t count; /* 0 for bradley-terry */
    struct checkpoint_number state[REWARD_TIES_MAX * REWARD_TIE_STATES];
};

/*   fails    ERR_LIMIT for ties of more sizes than REWARD_TIES_MAX */
ERR_NODISCARD enum err_code reward_ties_init(struct reward_ties *ties,
                                             const struct reward_objective *objective,
                                             enum tabular_model model, struct error *err);

void reward_ties_values(const struct reward_ties *ties, double out[REWARD_TIES_MAX]);

/* `slopes` [count] of the loss by the parameters, of step 0, 1, ...; one that is not finite moves
 * nothing. */
void reward_ties_step(struct reward_ties *ties, int64_t step, const double *slopes);

/* How many numbers of `state` are in use. */
static inline int64_t reward_ties_numbers(const struct reward_ties *ties) {
    return ties->count * REWARD_TIE_STATES;
}

#endif
