/* cmd_demo.c - accord demo: a first run whose true answer is known. The work is in recipe_demo.c.
 */
#include "trainer/command_table.h"
#include "trainer/demo_recipe.h"

#include <stddef.h>

static const struct command_option options[] = {
    {.name = "output",
     .short_name = 'o',
     .kind = OPTION_FOLDER,
     .metavar = "FOLDER",
     .help = "keep all files in this new folder"},
    {.name = "quick",
     .kind = OPTION_FLAG,
     .help = "fewer prompts and less training, in two thirds of the time"},
    {.name = NULL},
};

static const struct command_example examples[] = {
    {"accord demo", "from votes to an aligned model, beside the truth"},
    {"accord demo --output demo", "and keep the project, the models and their runs"},
    {"accord demo --seed 7 --json", "other votes of the same people, for a program"},
    {NULL, NULL},
};

const struct command cmd_demo = {
    .name = "demo",
    .group = COMMAND_GROUP_START,
    .purpose = "go the whole way in a small world whose truth is known",
    .description =
        "People of two populations, some of them careless, vote on answers to everyday questions, "
        "on which they divide. From their votes, by the commands that it shows: import, check, "
        "stats, a tokenizer and a tiny model from nothing, a calibrated reward model, alignment by "
        "ordinary RLHF and by preference matching.\n\n"
        "The last screen holds the rewards and how often each answer is given beside the truth, "
        "which the world knows, and the commands for data of your own. Exit status 1 if the truth "
        "is missed by more than chance and 2 points allow. It takes a minute and a half of one "
        "core.",
    .options = options,
    .examples = examples,
    .function = demo_run,
    .interrupt_notice = "stopping after this step; again to stop at once\n",
};
