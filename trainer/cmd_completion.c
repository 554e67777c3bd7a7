/* cmd_completion.c - accord completion bash: the completion script of a shell. */
#include "base/scoped.h"
#include "trainer/command_completion.h"
#include "trainer/command_table.h"
#include "trainer/run.h"

static enum err_code completion_bash_run(struct run *run, const struct command_args *args,
                                         struct error *err) {
    (void)args;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(OUTPUT_BYTES_MAX);
    command_completion_bash_add(&text, &cmd_root);
    return output_document(run->output, &text, err);
}

static const struct command_example examples[] = {
    {"source <(accord completion bash)", "complete in this shell"},
    {"accord completion bash >> ~/.bash_completion", "complete in every shell from now on"},
    {NULL, NULL},
};

static const struct command bash = {
    .name = "bash",
    .purpose = "print the completion script for bash",
    .examples = examples,
    .function = completion_bash_run,
};

static const struct command *const shells[] = {&bash, NULL};

const struct command cmd_completion = {
    .name = "completion",
    .group = COMMAND_GROUP_HELP,
    .purpose = "print a script that completes commands and options in a shell",
    .subcommands = shells,
};
