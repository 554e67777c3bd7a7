/* command_markdown.h - docs/CLI.md, written from the command tables.
 *
 * Use:      command_markdown_add(&text, &cmd_root);    // accord help --markdown > docs/CLI.md
 * Threads:  no state.
 */
#ifndef TRAINER_COMMAND_MARKDOWN_H
#define TRAINER_COMMAND_MARKDOWN_H

#include "base/strbuf.h"
#include "trainer/command.h"

/* Appends the whole page: the program, its commands by group, each with all it takes. */
void command_markdown_add(struct strbuf *out, const struct command *root);

#endif
