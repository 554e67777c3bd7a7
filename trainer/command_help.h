/* command_help.h - help texts, written from the command tables.
 *
 * Use:      SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1 * MIB);
 *           command_help_add(&text, &args->path, COMMAND_HELP_PLAIN);
 *
 * Layout:   at most COMMAND_HELP_WIDTH columns, whatever the terminal, so that the text is the same
 *           everywhere.
 * Threads:  no state.
 */
#ifndef TRAINER_COMMAND_HELP_H
#define TRAINER_COMMAND_HELP_H

#include "base/strbuf.h"
#include "trainer/command.h"

#define COMMAND_HELP_WIDTH 80

enum command_help_style {
    COMMAND_HELP_PLAIN,
    COMMAND_HELP_BOLD /* headings and names, by the escape sequences of a terminal */
};

/* Appends the help of the path's leaf: of the program when it is the root alone. */
void command_help_add(struct strbuf *out, const struct command_path *path,
                      enum command_help_style style);

/* Appends "accord reward fit <project.db> [options]". */
void command_usage_add(struct strbuf *out, const struct command_path *path);

/* Appends an option's help with what the table knows besides: range, default, repetition. */
void command_option_help_add(struct strbuf *out, const struct command_option *option);

/* Whether any option of `options` (NULL: none) is visible. */
bool command_has_visible_options(const struct command_option *options);

#endif
