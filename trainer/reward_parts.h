/* reward_parts.h - the judgements to learn from, and those kept for evaluation, as examples; and
 * what there is to say about them.
 *
 * Use:      TRY(reward_parts_make(run, &data, &options, &training, &validation, err));
 * Threads:  main thread.
 */
#ifndef TRAINER_REWARD_PARTS_H
#define TRAINER_REWARD_PARTS_H

#include "trainer/reward_examples.h"
#include "trainer/run.h"

struct reward_parts_options {
    const struct reward_loss_config *loss;
    const char *keys;    /* of `loss` in messages: "loss" */
    const char *area;    /* of the log: "reward" */
    int64_t answers_max; /* of a training example; 0: all of a prompt */
    uint64_t seed;       /* of the cut */
};

/* Fills what REWARD_EXAMPLES_INIT made. Prompts for evaluation stay whole, and are evaluated at the
 * tie parameters of training. Logs what is left out and what is odd about the judgements.
 *   fails    ERR_DATA where nothing is left to learn from, or a likelihood with ties has none; as
 *            reward_examples_make */
ERR_NODISCARD enum err_code reward_parts_make(struct run *run, const struct reward_data *data,
                                              const struct reward_parts_options *options,
                                              struct reward_examples *training,
                                              struct reward_examples *validation,
                                              struct error *err);

#endif
