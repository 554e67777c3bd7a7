/* item_rewards.h - what rewards say of the answers of a set of comparisons, each asked once.
 *
 * Use:      struct item_rewards_options options = {.is_wanted = wanted, .advance = show};
 *           TRY(item_rewards_score(db, &set, &options, reward, rewards, err));
 *           if (isnan(rewards[item])) { ... }        // not wanted, or not known to the reward
 * Batches:  answers come in the order of their prompts, ITEM_REWARDS_BATCH at a time; memory for
 * the texts of one batch. Threads:  those of the database and the reward.
 */
#ifndef REWARD_ITEM_REWARDS_H
#define REWARD_ITEM_REWARDS_H

#include "base/db.h"
#include "base/error.h"
#include "data/comparison_set.h"
#include "reward/reward.h"

#include <stdbool.h>
#include <stdint.h>

#define ITEM_REWARDS_BATCH 64

struct item_rewards_options {
    const bool *is_wanted;                         /* [I] */
    void (*advance)(void *context, int64_t count); /* so many more are done; NULL: nobody asks */
    void *context;
};

/* `set` has responses for items. `out_rewards` [I] is written for all items: NaN where it is not
 * wanted or the reward knows nothing. reward_finish is called after the last.
 *   fails  as the reward, naming the prompt's number; ERR_INTERRUPTED; as the database */
ERR_NODISCARD enum err_code item_rewards_score(struct db *db, const struct comparison_set *set,
                                               const struct item_rewards_options *options,
                                               struct reward *reward, double *out_rewards,
                                               struct error *err);

#endif
