/* reward_tabular.h - a tabular fit of the project file as a reward.
 *
 * Use:      SCOPED(reward) struct reward *reward = NULL;
 *           TRY(reward_tabular_open(db, "tea", &reward, err));
 * Knows:    answers that were fitted, found again by what prompt and answer say (preference_key.h);
 *           with items from origins, whatever an origin that was fitted wrote. An answer that does
 *           not say who wrote it has the mean over all who wrote the same. For the rest: NaN.
 * Threads:  one, that of the database.
 */
#ifndef REWARD_REWARD_TABULAR_H
#define REWARD_REWARD_TABULAR_H

#include "base/db.h"
#include "reward/reward.h"

/* `db` is borrowed until reward_free; `name` NULL means the only fit. `*out_reward` is owned.
 *   fails  as tabular_store_load */
ERR_NODISCARD enum err_code reward_tabular_open(struct db *db, const char *name,
                                                struct reward **out_reward, struct error *err);

#endif
