/* cmd_tokenizer.c - accord tokenizer: the group; each subcommand has a file of its own. */
#include "trainer/cmd_tokenizer.h"

#include "base/arena.h"
#include "base/file.h"
#include "data/chat_template.h"
#include "trainer/command_table.h"

#include <string.h>

bool cmd_tokenizer_template_entry(int64_t index, const char **out_name, const char **out_help) {
    const struct chat_template *template = chat_template_at(index);
    if (template) {
        *out_name = chat_template_name(template);
        *out_help = chat_template_help(template);
    }
    return template != NULL;
}

enum err_code cmd_tokenizer_read(const char *path, char **out_text, size_t *out_bytes,
                                 struct error *err) {
    bool is_stdin = !path || strcmp(path, "-") == 0;
    return file_read_all(is_stdin ? "/dev/stdin" : path, GIB, out_text, out_bytes, err);
}

#define TOKENIZER_COMMAND_ADDRESS(name) &cmd_tokenizer_##name,
static const struct command *const subcommands[] = {TOKENIZER_COMMANDS(TOKENIZER_COMMAND_ADDRESS)
                                                        NULL};
#undef TOKENIZER_COMMAND_ADDRESS

static const struct command_example examples[] = {
    {"accord tokenizer train novels/*.txt -o tokenizer", "a vocabulary of one's own"},
    {"echo 'Tea?' | accord tokenizer encode tokenizer", "what a text becomes"},
    {NULL, NULL},
};

const struct command cmd_tokenizer = {
    .name = "tokenizer",
    .group = COMMAND_GROUP_TRAIN,
    .purpose = "train tokenizers, and look at what they do",
    .subcommands = subcommands,
    .examples = examples,
};
