/* cmd_eval.c - accord eval: policies side by side. The work is in recipe_policy_eval.c. */
#include "trainer/command_table.h"
#include "trainer/policy_eval_config.h"

#include <stddef.h>

static const struct command_option options[] = {
    {.name = "model",
     .short_name = 'm',
     .kind = OPTION_FILE,
     .repeatable = true,
     .metavar = "PATH",
     .config_key = "models",
     .help = "a policy: folder, file, or folder of adapters; the first is compared with"},
    {.name = "reward",
     .short_name = 'r',
     .kind = OPTION_TEXT,
     .metavar = "SPEC",
     .config_key = "reward",
     .help = "what answers are rewarded for, as in 'accord reward score'"},
    {.name = "held-out",
     .kind = OPTION_TEXT,
     .metavar = "SPEC",
     .config_key = "held_out",
     .help = "another reward, which no policy has learnt from"},
    {.name = "reference",
     .kind = OPTION_FILE,
     .metavar = "PATH",
     .config_key = "reference",
     .help = "model that distances are measured to; else the first policy"},
    {.name = "split",
     .kind = OPTION_TEXT,
     .metavar = "NAME",
     .config_key = "split",
     .help = "whose prompts are answered: train, validation or test"},
    {.name = "prompts",
     .kind = OPTION_TEXT,
     .metavar = "N",
     .config_key = "prompts",
     .help = "at most so many prompts; 0: all"},
    {.name = "samples",
     .kind = OPTION_TEXT,
     .metavar = "N",
     .config_key = "samples",
     .help = "answers to each prompt"},
    {.name = "max-new-tokens",
     .short_name = 'n',
     .kind = OPTION_TEXT,
     .metavar = "N",
     .config_key = "new_tokens_max",
     .help = "longest answer"},
    {.name = NULL},
};

static const struct command_positional positionals[] = {
    {.name = "project.db", .kind = OPTION_FILE, .help = "the project file"},
    {.name = NULL},
};

static const struct command_example examples[] = {
    {"accord eval tea.db -r lm:reward/final -m smollm2 -m aligned/final",
     "what alignment has changed"},
    {"accord eval tea.db -r length -m smollm2 -m pm/final -m kl/final --json",
     "three policies, for a program"},
    {NULL, NULL},
};

const struct command cmd_eval = {
    .name = "eval",
    .group = COMMAND_GROUP_TRAIN,
    .purpose = "compare what policies answer: reward, variety, and faithfulness to the reward",
    .description =
        "Each policy answers the same prompts at temperature 1, uncut. Every figure has an "
        "interval of 95 % over prompts, and a paired difference from the first policy.\n\n"
        "The PM divergence is the mean squared difference between the log-odds of two answers "
        "under the policy and their difference of rewards, nats^2; its bounded form is the KL "
        "divergence between the two probabilities that follow. Both are 0 where the policy's odds "
        "are the reward's. On a policy's own answers a policy that always says the same looks "
        "faithful, so with several policies both are shown for the different answers of all of "
        "them together, too.",
    .options = options,
    .positionals = positionals,
    .examples = examples,
    .config = &policy_eval_config_table,
    .lm_function = "eval",
    .interrupt_notice = "stopping; again to stop at once\n",
};
