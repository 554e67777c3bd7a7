/* cmd_model.h - the subcommands of accord model, in trainer/cmd_model_<name>.c; merge beside
 * convert.
 *
 * Threads:  constant.
 */
#ifndef TRAINER_CMD_MODEL_H
#define TRAINER_CMD_MODEL_H

#include "trainer/command.h"

#define MODEL_COMMANDS(X) \
    X(info)               \
    X(convert)            \
    X(merge)

#define MODEL_COMMAND_DECLARE(name) extern const struct command cmd_model_##name;
MODEL_COMMANDS(MODEL_COMMAND_DECLARE)
#undef MODEL_COMMAND_DECLARE

#endif
