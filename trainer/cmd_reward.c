/* cmd_reward.c - accord reward: the group; each subcommand has a file of its own. */
#include "trainer/cmd_reward.h"

#include "trainer/command_table.h"

#include <stddef.h>

#define REWARD_COMMAND_ADDRESS(name) &cmd_reward_##name,
static const struct command *const subcommands[] = {REWARD_COMMANDS(REWARD_COMMAND_ADDRESS) NULL};
#undef REWARD_COMMAND_ADDRESS

static const struct command_example examples[] = {
    {"accord reward fit tea.db", "fit the model that suits the data"},
    {"accord reward rank tea.db", "and show who leads, and how surely"},
    {NULL, NULL},
};

const struct command cmd_reward = {
    .name = "reward",
    .group = COMMAND_GROUP_TRAIN,
    .purpose = "fit rewards to preferences, and look at them",
    .subcommands = subcommands,
    .examples = examples,
};
