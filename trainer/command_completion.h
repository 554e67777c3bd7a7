/* command_completion.h - the completion script for bash, written from the command tables.
 *
 * Use:      command_completion_bash_add(&text, &cmd_root);
 * Script:   self-contained: two lookup functions made of `case` lines (what may follow a command,
 *           what kind of value an option takes) and a driver that walks the words typed so far. It
 *           calls no program, so that completion costs nothing.
 * Threads:  no state.
 */
#ifndef TRAINER_COMMAND_COMPLETION_H
#define TRAINER_COMMAND_COMPLETION_H

#include "base/strbuf.h"
#include "trainer/command.h"

void command_completion_bash_add(struct strbuf *out, const struct command *root);

#endif
