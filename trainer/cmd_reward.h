/* cmd_reward.h - the subcommands of accord reward, a file trainer/cmd_reward_<name>.c each.
 *
 * Threads:  constant.
 */
#ifndef TRAINER_CMD_REWARD_H
#define TRAINER_CMD_REWARD_H

#include "trainer/command.h"

#define REWARD_COMMANDS(X) \
    X(fit)                 \
    X(rank)                \
    X(predict)             \
    X(list)                \
    X(show)                \
    X(baseline)            \
    X(score)

#define REWARD_COMMAND_DECLARE(name) extern const struct command cmd_reward_##name;
REWARD_COMMANDS(REWARD_COMMAND_DECLARE)
#undef REWARD_COMMAND_DECLARE

/* An entry of a table of options: the fit that a command looks at. */
#define REWARD_OPTION_FIT                                                         \
    {                                                                             \
        .name = "fit", .short_name = 'f', .kind = OPTION_TEXT, .metavar = "NAME", \
        .help = "which fit; not needed where there is one"                        \
    }

#endif
