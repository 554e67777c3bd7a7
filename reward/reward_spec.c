/* reward_spec.c - see reward_spec.h. */
#include "reward/reward_spec.h"

#include "reward/reward_command.h"
#include "reward/reward_rule.h"
#include "reward/reward_tabular.h"

#include <string.h>

#define COMMAND_WORD "command:"
#define FIT_WORD     "fit:"

enum err_code reward_spec_open(const char *spec, struct db *db, struct reward **out_reward,
                               struct error *err) {
    if (strncmp(spec, COMMAND_WORD, strlen(COMMAND_WORD)) == 0) {
        return reward_command_open(spec + strlen(COMMAND_WORD), NULL, out_reward, err);
    }
    if (strcmp(spec, "fit") == 0) {
        return reward_tabular_open(db, NULL, out_reward, err);
    }
    if (strncmp(spec, FIT_WORD, strlen(FIT_WORD)) == 0) {
        return reward_tabular_open(db, spec + strlen(FIT_WORD), out_reward, err);
    }
    return reward_rule_open(spec, out_reward, err);
}
