/* command_run.c - see command_run.h. */
#include "trainer/command_run.h"

#include "base/interrupt.h"
#include "base/scoped.h"
#include "trainer/command_help.h"
#include "trainer/command_parse.h"
#include "trainer/command_table.h"
#include "trainer/lm_module.h"
#include "trainer/run.h"

static enum err_code show_help(struct output *output, const struct command_path *path,
                               struct error *err) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(OUTPUT_BYTES_MAX);
    command_help_add(&text, path, output->bold ? COMMAND_HELP_BOLD : COMMAND_HELP_PLAIN);
    return output_document(output, &text, err);
}

static enum err_code find_function(const struct command *command, command_function *out_function,
                                   struct error *err) {
    if (command->lm_function) {
        return lm_module_find(command->lm_function, out_function, err);
    }
    *out_function = command->function;
    return ERR_OK;
}

static enum err_code call(const struct command *command, command_function function, struct run *run,
                          const struct command_args *args, struct error *err) {
    if (!command->interrupt_notice || interrupt_installed()) {
        return function(run, args, err);
    }
    TRY(interrupt_install(command->interrupt_notice, err));
    return interrupt_end(function(run, args, err));
}

static enum err_code run_parsed(struct output *output, const struct command_args *args,
                                struct error *err) {
    const struct command *command = command_path_leaf(&args->path);
    if (command_args_has(args, "version")) {
        command = &cmd_version;
    } else if (command_args_has(args, "help") || command_is_group(command)) {
        return show_help(output, &args->path, err);
    }
    SCOPED(run) struct run run = RUN_INIT;
    TRY(run_init(&run, output, args, err));
    command_function function = NULL;
    TRY(find_function(command, &function, err));
    return call(command, function, &run, args, err);
}

enum err_code command_run(struct output *output, int count, const char *const *words,
                          struct error *err) {
    SCOPED(command_args) struct command_args args = COMMAND_ARGS_INIT;
    TRY(command_parse(&cmd_root, count, words, &args, err));
    return run_parsed(output, &args, err);
}
