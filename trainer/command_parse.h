/* command_parse.h - from the words of the command line to a command and its checked arguments.
 *
 * Use:      SCOPED(command_args) struct command_args args = COMMAND_ARGS_INIT;
 *           TRY(command_parse(&cmd_root, argc, argv, &args, err));
 *           int64_t steps = command_args_integer(&args, "steps");
 *           const char *path = command_args_text(&args, "output");   // NULL: not given, no default
 *
 * Syntax:   --name value, --name=value, -n value, -nvalue, -qv (flags together), -- ends options.
 *           Options may stand before or after positional arguments.
 * Owns:     its arrays; the words of argv are borrowed and must outlive it.
 * Threads:  no state.
 */
#ifndef TRAINER_COMMAND_PARSE_H
#define TRAINER_COMMAND_PARSE_H

#include "base/strbuf.h"
#include "trainer/command.h"

/* One occurrence of an option on the command line, checked against its table entry. */
struct option_use {
    const struct command_option *option;
    const char *text; /* NULL for a flag */
};

struct command_args {
    struct command_path path; /* the root first, the command that was asked for last */
    struct option_use *uses;  /* in order of appearance */
    int64_t use_count;
    const char **positionals;
    int64_t positional_count;
};

#define COMMAND_ARGS_INIT                                                         \
    {                                                                             \
        .path = {.length = 0}, .uses = NULL, .use_count = 0, .positionals = NULL, \
        .positional_count = 0                                                     \
    }

/* Parses argv[1..argc-1] with the tree under `root`. On success `out_args` may stand at a command
 * with subcommands when none was given: then only help can be shown. With the flag `help` among
 * the options, missing and surplus arguments are let pass.
 *   fails  ERR_USAGE: unknown command or option (with the nearest name), a missing or surplus
 *          argument, a value of the wrong kind or out of range, an option given twice; ERR_OOM */
ERR_NODISCARD enum err_code command_parse(const struct command *root, int argc,
                                          const char *const *argv, struct command_args *out_args,
                                          struct error *err);

void command_args_deinit(struct command_args *args);

/* The getters take the long name of an option that the command or one above it has. */

bool command_args_has(const struct command_args *args, const char *name);

/* The last value given, else the default, else NULL. Borrowed. */
const char *command_args_text(const struct command_args *args, const char *name);

/* As above, as a number; the option must have a default or command_args_has must hold. */
int64_t command_args_integer(const struct command_args *args, const char *name);
double command_args_real(const struct command_args *args, const char *name);

/* The n-th value of a repeatable option, n from 0; NULL past the last. */
const char *command_args_repeated(const struct command_args *args, const char *name, int64_t n);

/* Appends the command as it could be typed again in a POSIX shell, with the long names of options:
 *     accord sft --data 'my notes.txt' --seed 7 */
void command_args_line(const struct command_args *args, struct strbuf *out);

static inline void command_args_scoped_end(struct command_args *args) {
    command_args_deinit(args);
}

#endif
