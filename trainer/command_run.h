/* command_run.h - a command line, from its words to a command that has run.
 *
 * Use:      main.c with the words of its process; a command that shows others at work with theirs:
 *
 *               const char *const words[] = {"accord", "check", "tea.db", NULL};
 *               TRY(command_run(&output, 3, words, err));
 *
 *           Each has a struct run of its own: configuration, log, seed.
 * Signals:  the outermost command takes them over (base/interrupt.h), with its notice. Commands
 *           within it see the same flag, and none of them may give the signals back.
 * Threads:  main thread.
 */
#ifndef TRAINER_COMMAND_RUN_H
#define TRAINER_COMMAND_RUN_H

#include "trainer/output.h"

/* Parses `words` [count], the program's name first, and runs the command that they name, or shows
 * its help. Results go to `output`, which is borrowed; so are the words.
 *   fails  as command_parse, run_init, lm_module_find and the command itself; ERR_INTERRUPTED */
ERR_NODISCARD enum err_code command_run(struct output *output, int count, const char *const *words,
                                        struct error *err);

#endif
