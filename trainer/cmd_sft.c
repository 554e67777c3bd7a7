/* cmd_sft.c - accord sft: supervised fine-tuning. The work is in recipe_sft.c. */
#include "trainer/command_table.h"
#include "trainer/sft_config.h"

#include <stddef.h>

static const struct command_option options[] = {
    {.name = "model",
     .short_name = 'm',
     .kind = OPTION_FILE,
     .metavar = "PATH",
     .config_key = "model",
     .help = "Hugging Face folder, GGUF file or preset:NAME to start from"},
    {.name = "tokenizer",
     .kind = OPTION_FILE,
     .metavar = "PATH",
     .config_key = "tokenizer",
     .help = "folder or file of a tokenizer, for a model from nothing"},
    {.name = "data",
     .short_name = 'd',
     .repeatable = true,
     .kind = OPTION_FILE,
     .metavar = "FILE",
     .config_key = "data.files",
     .help = "project file, text, or JSON lines with a member \"text\""},
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
     .help = "times that each example is seen"},
    {.name = "resume",
     .kind = OPTION_FLAG,
     .help = "go on where a stopped or killed run left off, bit for bit"},
    {.name = "dry-run",
     .kind = OPTION_FLAG,
     .help = "measure a little, and print the plan: time, memory, tokens"},
    {.name = NULL},
};

static const struct command_example examples[] = {
    {"accord sft -m models/smollm2 -d project.db -o runs/sft", "imitate the best answers of a log"},
    {"accord sft -m models/smollm2 -d project.db -o runs/lora -s train=lora",
     "train adapters only"},
    {"accord sft -m preset:tiny --tokenizer tok -d book.txt -o runs/tiny",
     "a small model from nothing"},
    {"accord sft -m models/smollm2 -d project.db --dry-run", "what it would take"},
    {NULL, NULL},
};

const struct command cmd_sft = {
    .name = "sft",
    .group = COMMAND_GROUP_TRAIN,
    .purpose = "fine-tune a language model on answers and texts to imitate",
    .description =
        "Trains a language model on the answers that people preferred, demonstrated or rated well "
        "in a project file, or on plain texts. Of a conversation only the answer is learnt, with "
        "the end that the model must say; of a text every token is. The loss is the mean over the "
        "target tokens of a whole optimiser step, so that it does not depend on how a step is cut "
        "into micro-batches.\n\n"
        "The run folder gets the configuration, the command, build, libraries and machine of each "
        "process, the log, metrics (JSON lines and TensorBoard), checkpoints, and in final/ a "
        "model that transformers loads, or an adapter that PEFT loads; what was written is read "
        "back and compared. A run that was stopped or killed goes on with --resume, and gives the "
        "same bytes as one that was not.\n\n"
        "Everything else is set by --set or --config: 'accord config' lists the keys, below sft. "
        "A checkpoint takes 12 bytes a trained parameter, with Adam-mini 8.",
    .options = options,
    .examples = examples,
    .config = &sft_config_table,
    .lm_function = "sft",
    .interrupt_notice = "stopping after this step; again to stop at once\n",
};
