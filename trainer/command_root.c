/* command_root.c - see command_table.h: the program's own table, with the options that every
 * command accepts. They are read in run.c. */
#include "trainer/command_table.h"

#include <stddef.h>

static const struct command *const subcommands[] = {
#define COMMAND_ADDRESS(name) &cmd_##name,
    COMMANDS(COMMAND_ADDRESS)
#undef COMMAND_ADDRESS
        NULL,
};

static const struct command_option options[] = {
    {.name = "help",
     .short_name = 'h',
     .kind = OPTION_FLAG,
     .help = "show the help of the command instead of running it"},
    {.name = "version",
     .short_name = 'V',
     .kind = OPTION_FLAG,
     .help = "show the version instead of running anything"},
    {.name = "json",
     .kind = OPTION_FLAG,
     .help = "print the result, or the error, as one JSON value"},
    {.name = "quiet",
     .short_name = 'q',
     .kind = OPTION_FLAG,
     .help = "no progress, and of the log only warnings and errors"},
    {.name = "verbose", .short_name = 'v', .kind = OPTION_FLAG, .help = "log details too"},
    {.name = "trace",
     .kind = OPTION_TEXT,
     .metavar = "CHANNELS",
     .help = "log every step of these parts, parted by commas: tensor, data, sql, all"},
    {.name = "seed",
     .kind = OPTION_TEXT,
     .metavar = "N",
     .config_key = "run.seed",
     .help = "what random numbers follow from; short for --set run.seed=N"},
    {.name = "threads",
     .short_name = 'j',
     .kind = OPTION_TEXT,
     .metavar = "N",
     .config_key = "run.threads",
     .help = "threads that compute; short for --set run.threads=N"},
    {.name = "device",
     .kind = OPTION_TEXT,
     .metavar = "DEVICE",
     .config_key = "run.device",
     .help = "cpu, cuda or cuda:N; short for --set run.device=DEVICE"},
    {.name = "config",
     .short_name = 'c',
     .kind = OPTION_FILE,
     .metavar = "FILE",
     .help = "read the configuration from a JSON file"},
    {.name = "set",
     .short_name = 's',
     .repeatable = true,
     .kind = OPTION_TEXT,
     .metavar = "KEY=VALUE",
     .help = "set one key of the configuration, over what the file says"},
    {.name = NULL},
};

static const struct command_example examples[] = {
    {"accord doctor", "what this machine offers, and what would be slow on it"},
    {"accord demo", "a first run, whose true answer is known"},
    {"accord help bench", "more about one command"},
    {NULL, NULL},
};

const struct command cmd_root = {
    .name = "accord",
    .purpose = "alignment of language models with what people actually prefer",
    .description =
        "accord is to turn a log of human preferences into a language model that reflects how "
        "people divide, and the same training into an answer to who should be paid, how much, and "
        "how sure that is. So far it goes from the log to rewards, reward models and an aligned "
        "model; shares are to come.",
    .options = options,
    .examples = examples,
    .subcommands = subcommands,
};
