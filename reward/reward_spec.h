/* reward_spec.h - a reward from the text that a user gives for it.
 *
 * Use:      SCOPED(reward) struct reward *reward = NULL;
 *           TRY(reward_spec_open("command:python3 judge.py", db, &reward, err));
 * Grammar:  mean(SPEC, ...)   or another combination of several (reward_formula.h)
 *           WEIGHT*SPEC, WEIGHT/SCALE*SPEC, /SCALE*SPEC   that reward times WEIGHT / SCALE
 *           command:LINE      a program of the user's own (reward_command.h)
 *           fit, fit:NAME     a tabular fit of the project file (reward_tabular.h)
 *           anything else     a rule (reward_rule.h)
 * Threads:  as the reward.
 */
#ifndef REWARD_REWARD_SPEC_H
#define REWARD_REWARD_SPEC_H

#include "base/db.h"
#include "reward/reward.h"

#include <stdbool.h>

/* `db` is borrowed until reward_free. `*out_reward` is owned.
 *   fails    as reward_formula_parse, and as those that are opened */
ERR_NODISCARD enum err_code reward_spec_open(const char *spec, struct db *db,
                                             struct reward **out_reward, struct error *err);

/* Whether a spec that was opened is, or combines, a tabular fit: it was fitted to judgements of the
 * very answers that it knows. */
ERR_NODISCARD enum err_code reward_spec_has_fit(const char *spec, bool *out_has, struct error *err);

#endif
