/* reward_spec.h - a reward from the text that a user gives for it.
 *
 * Use:      SCOPED(reward) struct reward *reward = NULL;
 *           const struct reward_sources sources = {.db = db};
 *           TRY(reward_spec_open("command:python3 judge.py", &sources, &reward, err));
 * Grammar:  mean(SPEC, ...)   or another combination of several (reward_formula.h)
 *           WEIGHT*SPEC, WEIGHT/SCALE*SPEC, /SCALE*SPEC   that reward times WEIGHT / SCALE
 *           command:LINE      a program of the user's own (reward_command.h)
 *           fit, fit:NAME     a tabular fit of the project file (reward_tabular.h)
 *           lm:FOLDER         a language model with a score (trainer/reward_lm.h)
 *           anything else     a rule (reward_rule.h)
 * Threads:  as the reward.
 */
#ifndef REWARD_REWARD_SPEC_H
#define REWARD_REWARD_SPEC_H

#include "base/db.h"
#include "reward/reward.h"

#include <stdbool.h>

/* Where rewards are taken from. Borrowed until reward_free. */
struct reward_sources {
    struct db *db; /* of tabular fits; NULL: there are none */
    /* Opens the model in a folder; NULL: this program has none. */
    enum err_code (*open_lm)(void *context, const char *folder, struct reward **out_reward,
                             struct error *err);
    void *context; /* of open_lm */
    bool finishes; /* as in reward_command.h */
};

/* `*out_reward` is owned.
 *   fails    as reward_formula_parse, and as those that are opened */
ERR_NODISCARD enum err_code reward_spec_open(const char *spec, const struct reward_sources *sources,
                                             struct reward **out_reward, struct error *err);

/* Whether a spec that was opened is, or combines, a tabular fit: it was fitted to judgements of the
 * very answers that it knows. */
ERR_NODISCARD enum err_code reward_spec_has_fit(const char *spec, bool *out_has, struct error *err);

#endif
