/* reward_combined.h - a formula of several rewards as a reward.
 *
 * Use:      TRY(reward_combined_new(&formula, leaves, &reward, err));
 * Meaning:  reward_formula.h. Each leaf gives all answers of a batch their rewards, in the order of
 *           the formula.
 * Threads:  as the leaves.
 */
#ifndef REWARD_REWARD_COMBINED_H
#define REWARD_REWARD_COMBINED_H

#include "reward/reward.h"
#include "reward/reward_formula.h"

/* `*formula` and `leaves` [leaf_count] are taken over on success, and then empty. `*out_reward` is
 * owned. A combination beyond a double fails when it is scored, ERR_LIMIT.
 *   fails  ERR_OOM */
ERR_NODISCARD enum err_code reward_combined_new(struct reward_formula *formula,
                                                struct reward **leaves, struct reward **out_reward,
                                                struct error *err);

#endif
