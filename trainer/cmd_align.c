/* cmd_align.c - accord align: alignment. The work is in recipe_rl.c and recipe_direct.c. */
#include "trainer/align_config.h"
#include "trainer/command_table.h"

#include <stddef.h>

static const struct command_option options[] = {
    {.name = "model",
     .short_name = 'm',
     .kind = OPTION_FILE,
     .metavar = "PATH",
     .config_key = "model",
     .help = "Hugging Face folder or GGUF file to start from"},
    {.name = "tokenizer",
     .kind = OPTION_FILE,
     .metavar = "PATH",
     .config_key = "tokenizer",
     .help = "folder or file of a tokenizer, for a model from nothing"},
    {.name = "method",
     .kind = OPTION_TEXT,
     .metavar = "NAME",
     .config_key = "method",
     .help =
         "how it learns: rloo, grpo, dr-grpo, reinforce, ppo, logvar; dpo, ipo, cdpo, robust-dpo, "
         "kto, simpo, orpo, pm-dpo"},
    {.name = "reward",
     .short_name = 'r',
     .kind = OPTION_TEXT,
     .metavar = "SPEC",
     .config_key = "reward",
     .help = "what answers are rewarded for, as in 'accord reward score'"},
    {.name = "output",
     .short_name = 'o',
     .kind = OPTION_FOLDER,
     .metavar = "FOLDER",
     .config_key = "output",
     .help = "run folder to write; the model is saved in its final/"},
    {.name = "epochs",
     .kind = OPTION_TEXT,
     .metavar = "N",
     .config_key = "epochs",
     .help = "times that each prompt is seen"},
    {.name = "resume",
     .kind = OPTION_FLAG,
     .help = "go on where a stopped or killed run left off, bit for bit"},
    {.name = "dry-run",
     .kind = OPTION_FLAG,
     .help = "measure a little, and print the plan: time, memory, tokens"},
    {.name = NULL},
};

static const struct command_positional positionals[] = {
    {.name = "project.db", .kind = OPTION_FILE, .help = "the project file"},
    {.name = NULL},
};

static const struct command_example examples[] = {
    {"accord align tea.db -m models/smollm2 -r lm:runs/reward/final -o runs/aligned",
     "odds of answers become those of the reward model"},
    {"accord align tea.db -m smollm2 -r 2*json -o kl -s regulariser.kind=kl",
     "by a rule, and near the start: ordinary RLHF"},
    {"accord align tea.db -m models/smollm2 --method dpo -o runs/dpo", "from the log alone"},
    {NULL, NULL},
};

const struct command cmd_align = {
    .name = "align",
    .group = COMMAND_GROUP_TRAIN,
    .purpose = "align a language model with people's preferences",
    .description =
        "On-policy methods answer the training prompts of a project file with the model itself, "
        "give each answer its reward, and raise what does better than other answers to the same "
        "prompt. Reward and regulariser are one number before that: with preference matching, the "
        "default, the odds of two answers become those of the reward, exp of its difference, so "
        "that answers which fewer people prefer survive; with kl they are multiplied by those of "
        "the reference, and go to nothing. The reward's scale is copied: calibrate it first, as "
        "'accord reward fit' does.\n\n"
        "Direct methods learn from the comparisons of the log without samples.\n\n"
        "The run folder is that of 'accord sft'. Everything else is set by --set or --config: "
        "'accord config' lists the keys, below align.",
    .options = options,
    .positionals = positionals,
    .examples = examples,
    .config = &align_config_table,
    .lm_function = "align",
    .interrupt_notice = "stopping after this step; again to stop at once\n",
};
