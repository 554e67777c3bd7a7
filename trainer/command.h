/* command.h - what a command is: one table entry, from which all else is made.
 *
 * Use:      A command is a `const struct command` in its own file trainer/cmd_<name>.c, named in
 *           command_table.h. Parsing (command_parse.h), help (command_help.h), docs/CLI.md
 *           (command_markdown.h) and the completion script (command_completion.h) read nothing
 *           else:
 *
 *               static const struct command_option options[] = {
 *                   {.name = "steps", .short_name = 'n', .kind = OPTION_INTEGER, .metavar = "N",
 *                    .default_text = "100", .min = 1, .max = 1e6, .help = "optimiser steps"},
 *                   {.name = NULL},
 *               };
 *               const struct command cmd_fit = {
 *                   .name = "fit", .purpose = "fit a reward model", .options = options,
 *                   .function = fit_run,
 *               };
 *
 * Tree:     A command either does something (`function` or `lm_function`) or has subcommands. The
 *           root stands for the program; its options are accepted by every command.
 * Tensors:  `lm_function` names a function of the tensor half (lm_entry.h), which is opened only
 *           when such a command runs; its table stays in the program, so that help never opens it.
 * Threads:  tables are constant.
 */
#ifndef TRAINER_COMMAND_H
#define TRAINER_COMMAND_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define COMMAND_DEPTH_MAX  4 /* root, command, subcommand, and one to spare */
#define COMMAND_PATH_BYTES 64

struct command_args;
struct config_table;
struct run;

typedef enum err_code (*command_function)(struct run *run, const struct command_args *args,
                                          struct error *err);

enum option_kind {
    OPTION_FLAG,    /* no value */
    OPTION_TEXT,    /* any text */
    OPTION_INTEGER, /* decimal, in [min, max] */
    OPTION_REAL,    /* finite decimal, in [min, max] */
    OPTION_CHOICE,  /* one of `choices` */
    OPTION_FILE,    /* a path; completed as one */
    OPTION_FOLDER
};

/* Arrays of options end with an entry without a name. */
struct command_option {
    const char *name; /* long name without dashes */
    char short_name;  /* 0: none */
    bool repeatable;  /* every occurrence counts; else a second one is an error */
    bool hidden;      /* accepted, but in no help, page or completion */
    enum option_kind kind;
    const char *metavar;        /* "FILE"; NULL for a flag or a choice */
    const char *default_text;   /* as the user would type it; NULL: none */
    const char *const *choices; /* NULL-terminated; OPTION_CHOICE only */
    double min, max;            /* OPTION_INTEGER (within 2^53) and OPTION_REAL */
    const char *help;           /* one sentence, lower case, no full stop */
    const char *config_key;     /* "run.seed": its value is that key's, over --set; NULL: none.
                                   Several values of a repeatable one make a list. */
};

/* Arrays end with an entry without a name. Only the last may be repeatable, and required ones come
 * before optional ones. */
struct command_positional {
    const char *name; /* as shown in usage: "command", "project.db" */
    bool optional;
    bool repeatable;
    enum option_kind kind; /* OPTION_TEXT, OPTION_FILE, OPTION_FOLDER: for completion */
    const char *help;
};

/* Arrays end with an entry without a line. */
struct command_example {
    const char *line; /* as typed */
    const char *help; /* what it does, in one sentence */
};

/* A list of names that a command knows, below its options in help: formats, models. Arrays end with
 * one without a title. */
struct command_list {
    const char *title; /* "Formats" */
    /* The entry number `index`, from 0; false behind the last. Both are static. */
    bool (*entry)(int64_t index, const char **out_name, const char **out_help);
};

/* Headings of `accord help`, in that order. */
#define COMMAND_GROUPS(X)             \
    X(START, "Start here")            \
    X(DATA, "Preferences")            \
    X(TRAIN, "Training")              \
    X(ROYALTIES, "Royalties")         \
    X(TOOLS, "Measure and configure") \
    X(HELP, "Help")

enum command_group {
#define COMMAND_GROUP_ENUM(name, title) COMMAND_GROUP_##name,
    COMMAND_GROUPS(COMMAND_GROUP_ENUM)
#undef COMMAND_GROUP_ENUM
        COMMAND_GROUP_COUNT
};

struct command {
    const char *name;
    enum command_group group;
    bool hidden;
    const char *purpose;     /* one line, lower case, no full stop */
    const char *description; /* paragraphs parted by blank lines; newlines inside are as spaces */
    const struct command_option *options;         /* NULL: none */
    const struct command_positional *positionals; /* NULL: none */
    const struct command_list *lists;             /* NULL: none */
    const struct command_example *examples;       /* NULL: none */
    const struct command *const *subcommands;     /* NULL-terminated; NULL: a leaf */
    const struct config_table *config; /* keys of its own (run_config.h); NULL: only "run" */
    command_function function;         /* in the program */
    /* Of one that stops in good order at a signal (base/interrupt.h), which command_run.c takes
     * over before it begins: what the user is told then, with a newline. NULL: a signal ends it at
     * once.
     */
    const char *interrupt_notice;
    const char *lm_function; /* in the tensor half, by name */
};

/* Title of a group of the root help ("Start here"). Static. */
const char *command_group_title(enum command_group group);

/* Whether it only has subcommands. */
bool command_is_group(const struct command *command);

/* The subcommand of that name, also a hidden one; NULL if there is none. */
const struct command *command_find(const struct command *parent, const char *name);

/* The command's own option of that name; NULL if there is none. */
const struct command_option *command_option_find(const struct command *command, const char *name);

#define COMMAND_VALUE_BYTES 96

/* How an option's value is written in help: "FILE", "cpu|cuda", "" for a flag. */
void command_option_value_text(const struct command_option *option, char out[COMMAND_VALUE_BYTES]);

/* A line of commands from the root down, kept while the tree is walked. */
struct command_path {
    const struct command *commands[COMMAND_DEPTH_MAX];
    int64_t length; /* >= 1 once the root is in */
};

const struct command *command_path_leaf(const struct command_path *path);

/* Goes down to the subcommand `name` of the leaf.
 *   fails  ERR_USAGE if there is none, naming the nearest */
ERR_NODISCARD enum err_code command_path_descend(struct command_path *path, const char *name,
                                                 struct error *err);

/* `path` and one more; there must be room. */
struct command_path command_path_below(const struct command_path *path,
                                       const struct command *child);

/* "accord reward fit". */
void command_path_text(const struct command_path *path, char out[COMMAND_PATH_BYTES]);

#endif
