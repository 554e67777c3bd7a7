/* cmd_demo.c - accord demo: a first run whose true answer is known. The work is in recipe_demo.c.
 */
#include "trainer/command_table.h"

#include <stddef.h>

static const struct command_option options[] = {
    {.name = "points",
     .kind = OPTION_INTEGER,
     .metavar = "N",
     .default_text = "4096",
     .min = 16,
     .max = 1e6,
     .help = "points drawn from the world"},
    {.name = "steps",
     .short_name = 'n',
     .kind = OPTION_INTEGER,
     .metavar = "N",
     .default_text = "500",
     .min = 1,
     .max = 1e9,
     .help = "optimiser steps"},
    {.name = NULL},
};

static const struct command_example examples[] = {
    {"accord demo", "fit the line, and show truth and fit side by side"},
    {"accord demo --seed 7 --json", "another world, for a program"},
    {NULL, NULL},
};

const struct command cmd_demo = {
    .name = "demo",
    .group = COMMAND_GROUP_START,
    .purpose = "fit a small world whose truth is known, and show both",
    .description =
        "Draws points from y = w x + b + noise with known w, b and noise, fits them with AdamW "
        "through libtorch, and prints what was found beside the truth. It fails, with exit status "
        "4, if any number is further from the truth than chance allows.",
    .options = options,
    .examples = examples,
    .lm_function = "demo",
    .interrupt_notice = "stopping after this step; again to stop at once\n",
};
