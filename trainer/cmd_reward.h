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
    X(score)               \
    X(eval)

#define REWARD_COMMAND_DECLARE(name) extern const struct command cmd_reward_##name;
REWARD_COMMANDS(REWARD_COMMAND_DECLARE)
#undef REWARD_COMMAND_DECLARE

/* What SPEC may be, for the descriptions of commands that take one. */
#define REWARD_SPEC_HELP                                                                           \
    "SPEC is one of: length:A[@N] (A for each character; with @N, minus A for each that the "      \
    "answer has more or less than N), regex:PATTERN and not-regex:PATTERN (1 or 0), json (1 "      \
    "where the whole answer is JSON); command:LINE, a program that reads a JSON object with "      \
    "messages, prompt and completion a line and answers each with a number, or {\"reward\": "      \
    "number}, a line; fit or fit:NAME, a tabular fit of reward fit; lm:FOLDER, a language model "  \
    "with a score, or its adapter, divided by the temperature stored with it.\n\n"                 \
    "Any of them may have a factor before it: 2*json, -0.5*fit:a, or /1.7*fit:a, which divides "   \
    "by 1.7, the temperature that calibrates it. And any of them may be combined: sum(SPEC, "      \
    "...), mean(...), median(...), worst(...) (the least), lcb:K(...) (mean minus K standard "     \
    "deviations), also within each other. There a SPEC with a comma, a parenthesis or a quote in " \
    "it stands in quotes: mean(fit:a, 'regex:^(Yes|No),'). What a member does not know, the "      \
    "combination does not."

/* An entry of a table of options: the fit that a command looks at. */
#define REWARD_OPTION_FIT                                                         \
    {                                                                             \
        .name = "fit", .short_name = 'f', .kind = OPTION_TEXT, .metavar = "NAME", \
        .help = "which fit; not needed where there is one"                        \
    }

#endif
