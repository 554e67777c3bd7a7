/* reward_spec.h - a reward from the text that a user gives for it.
 *
 * Use:      SCOPED(reward) struct reward *reward = NULL;
 *           TRY(reward_spec_open("command:python3 judge.py", db, &reward, err));
 * Grammar:  command:LINE    a program of the user's own (reward_command.h)
 *           fit, fit:NAME   a tabular fit of the project file (reward_tabular.h)
 *           anything else   a rule (reward_rule.h)
 * Threads:  as the reward.
 */
#ifndef REWARD_REWARD_SPEC_H
#define REWARD_REWARD_SPEC_H

#include "base/db.h"
#include "reward/reward.h"

/* `db` is borrowed until reward_free. `*out_reward` is owned.
 *   fails    as the one that is opened */
ERR_NODISCARD enum err_code reward_spec_open(const char *spec, struct db *db,
                                             struct reward **out_reward, struct error *err);

#endif
