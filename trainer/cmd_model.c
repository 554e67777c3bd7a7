/* cmd_model.c - accord model: the group; each subcommand has a file of its own. */
#include "trainer/cmd_model.h"

#include "trainer/command_table.h"

#include <stddef.h>

#define MODEL_COMMAND_ADDRESS(name) &cmd_model_##name,
static const struct command *const subcommands[] = {MODEL_COMMANDS(MODEL_COMMAND_ADDRESS) NULL};
#undef MODEL_COMMAND_ADDRESS

static const struct command_example examples[] = {
    {"accord model info models/smollm2", "what a model is, and how much memory it wants"},
    {"accord model convert smollm2.gguf models/smollm2", "a GGUF file as a Hugging Face folder"},
    {"accord model merge models/smollm2 runs/lora/final models/mine", "an adapter merged"},
    {NULL, NULL},
};

const struct command cmd_model = {
    .name = "model",
    .group = COMMAND_GROUP_TOOLS,
    .purpose = "look at language models' files, convert and merge them",
    .subcommands = subcommands,
    .examples = examples,
};
