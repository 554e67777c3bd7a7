/* reward_lm.h - the scores of a saved reward model as a reward. In the tensor half.
 *
 * Use:      TRY(reward_lm_open(run, "runs/reward/final", &reward, err));
 *           TRY(reward_score(reward, items, count, rewards, err));
 * Scale:    nats: scores divided by the temperature of accord_reward.json (reward/reward_file.h).
 *           Without that file they are as they come, and a warning says so.
 * Too long: of a prompt that does not fit into the model's context the oldest tokens go; of an
 *           answer that does not nothing is known (NaN).
 * Threads:  one.
 */
#ifndef TRAINER_REWARD_LM_H
#define TRAINER_REWARD_LM_H

#include "reward/reward.h"
#include "trainer/run.h"

/* `*out_reward` is owned; `run` outlives it.
 *   fails    ERR_DATA for a folder that holds another kind of model; as model_open, tokenizers,
 *            templates and reward_file_read */
ERR_NODISCARD enum err_code reward_lm_open(struct run *run, const char *folder,
                                           struct reward **out_reward, struct error *err);

#endif
