/* cmd_help.c - accord help: what a command does and takes. */
#include "base/scoped.h"
#include "trainer/command_help.h"
#include "trainer/command_markdown.h"
#include "trainer/command_parse.h"
#include "trainer/command_table.h"
#include "trainer/run.h"

static enum err_code help_run(struct run *run, const struct command_args *args, struct error *err) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(OUTPUT_BYTES_MAX);
    if (command_args_has(args, "markdown")) {
        command_markdown_add(&text, &cmd_root);
        return output_document(run->output, &text, err);
    }
    struct command_path path = {.commands = {&cmd_root}, .length = 1};
    for (int64_t i = 0; i < args->positional_count; i++) {
        TRY(command_path_descend(&path, args->positionals[i], err));
    }
    command_help_add(&text, &path, run->output->bold ? COMMAND_HELP_BOLD : COMMAND_HELP_PLAIN);
    return output_document(run->output, &text, err);
}

static const struct command_option options[] = {
    {.name = "markdown",
     .kind = OPTION_FLAG,
     .help = "print the whole reference as Markdown: docs/CLI.md"},
    {.name = NULL},
};

static const struct command_positional positionals[] = {
    {.name = "command",
     .optional = true,
     .repeatable = true,
     .help = "the words of a command; none for an overview"},
    {.name = NULL},
};

static const struct command_example examples[] = {
    {"accord help doctor", "about one command; the same as accord doctor --help"},
    {"accord help bench torch", "about a subcommand"},
    {NULL, NULL},
};

const struct command cmd_help = {
    .name = "help",
    .group = COMMAND_GROUP_HELP,
    .purpose = "say what a command does and takes",
    .options = options,
    .positionals = positionals,
    .examples = examples,
    .function = help_run,
};
