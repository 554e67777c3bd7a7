/* cmd_tokenizer.h - the subcommands of accord tokenizer, a file trainer/cmd_tokenizer_<name>.c
 * each.
 *
 * Threads:  constant.
 */
#ifndef TRAINER_CMD_TOKENIZER_H
#define TRAINER_CMD_TOKENIZER_H

#include "trainer/command.h"

#include <stddef.h>

#define TOKENIZER_COMMANDS(X) \
    X(train)                  \
    X(encode)                 \
    X(decode)                 \
    X(info)

#define TOKENIZER_COMMAND_DECLARE(name) extern const struct command cmd_tokenizer_##name;
TOKENIZER_COMMANDS(TOKENIZER_COMMAND_DECLARE)
#undef TOKENIZER_COMMAND_DECLARE

/* Names of templates below the options of a command that takes one. */
bool cmd_tokenizer_template_entry(int64_t index, const char **out_name, const char **out_help);

/* Input of encode and decode: a file, or standard input where `path` is NULL or "-". `*out_text` is
 * owned (mem_free) and ends in a NUL that is not counted.
 *   fails    as file_read_all */
ERR_NODISCARD enum err_code cmd_tokenizer_read(const char *path, char **out_text, size_t *out_bytes,
                                               struct error *err);

#endif
