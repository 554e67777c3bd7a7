/* command_table.h - the commands of accord.
 *
 * Use:      A command is a file trainer/cmd_<name>.c that defines the table cmd_<name>, and one
 *           line here.
 * Threads:  constant.
 */
#ifndef TRAINER_COMMAND_TABLE_H
#define TRAINER_COMMAND_TABLE_H

#include "trainer/command.h"

/* Within a group, `accord help` keeps this order. */
#define COMMANDS(X) \
    X(demo)         \
    X(doctor)       \
    X(init)         \
    X(import)       \
    X(check)        \
    X(stats)        \
    X(export)       \
    X(backup)       \
    X(reward)       \
    X(model)        \
    X(tokenizer)    \
    X(sft)          \
    X(align)        \
    X(generate)     \
    X(eval)         \
    X(bench)        \
    X(config)       \
    X(help)         \
    X(version)      \
    X(completion)

#define COMMAND_DECLARE(name) extern const struct command cmd_##name;
COMMANDS(COMMAND_DECLARE)
#undef COMMAND_DECLARE

/* The program: its subcommands are the commands, its options are accepted by all of them. */
extern const struct command cmd_root;

#endif
