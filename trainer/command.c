/* command.c - see command.h. */
#include "trainer/command.h"

#include "base/invariant.h"
#include "base/suggest.h"

#include <stdio.h>
#include <string.h>

#define COMMAND_SUGGESTIONS_MAX 64 /* visible subcommands looked at; more are never needed */

static const char *const group_titles[] = {
#define COMMAND_GROUP_TITLE(name, title) title,
    COMMAND_GROUPS(COMMAND_GROUP_TITLE)
#undef COMMAND_GROUP_TITLE
};

/* The text joined by '|', cut if it does not fit. */
static void join_choices(const char *const *choices, char out[COMMAND_VALUE_BYTES]) {
    size_t used = 0;
    out[0] = '\0';
    for (; *choices && used < COMMAND_VALUE_BYTES; choices++) {
        int added =
            snprintf(out + used, COMMAND_VALUE_BYTES - used, "%s%s", used > 0 ? "|" : "", *choices);
        ASSERT_LE(0, added);
        used += (size_t)added;
    }
}

static const char *suggest_subcommand(const struct command *parent, const char *name) {
    const char *names[COMMAND_SUGGESTIONS_MAX];
    size_t count = 0;
    for (const struct command *const *child = parent->subcommands; child && *child; child++) {
        if (!(*child)->hidden && count < COMMAND_SUGGESTIONS_MAX) {
            names[count++] = (*child)->name;
        }
    }
    return suggest_nearest(name, names, count);
}

const char *command_group_title(enum command_group group) {
    ASSERT_LT(group, COMMAND_GROUP_COUNT);
    return group_titles[group];
}

bool command_is_group(const struct command *command) {
    return command->subcommands != NULL;
}

const struct command *command_find(const struct command *parent, const char *name) {
    for (const struct command *const *child = parent->subcommands; child && *child; child++) {
        if (strcmp((*child)->name, name) == 0) {
            return *child;
        }
    }
    return NULL;
}

const struct command_option *command_option_find(const struct command *command, const char *name) {
    for (const struct command_option *o = command->options; o && o->name; o++) {
        if (strcmp(o->name, name) == 0) {
            return o;
        }
    }
    return NULL;
}

void command_option_value_text(const struct command_option *option, char out[COMMAND_VALUE_BYTES]) {
    if (option->kind == OPTION_CHOICE) {
        join_choices(option->choices, out);
    } else {
        (void)snprintf(out, COMMAND_VALUE_BYTES, "%s", option->metavar ? option->metavar : "");
    }
}

const struct command *command_path_leaf(const struct command_path *path) {
    ASSERT_LT(0, path->length);
    return path->commands[path->length - 1];
}

struct command_path command_path_below(const struct command_path *path,
                                       const struct command *child) {
    ASSERT_LT(path->length, COMMAND_DEPTH_MAX);
    struct command_path below = *path;
    below.commands[below.length++] = child;
    return below;
}

enum err_code command_path_descend(struct command_path *path, const char *name, struct error *err) {
    const struct command *leaf = command_path_leaf(path);
    const struct command *child = command_find(leaf, name);
    if (child) {
        *path = command_path_below(path, child);
        return ERR_OK;
    }
    char path_text[COMMAND_PATH_BYTES];
    command_path_text(path, path_text);
    const char *nearest = suggest_subcommand(leaf, name);
    if (nearest) {
        return err_set(err, ERR_USAGE, "unknown command '%s %s': did you mean '%s'?", path_text,
                       name, nearest);
    }
    return err_set(err, ERR_USAGE, "unknown command '%s %s': '%s --help' lists the commands",
                   path_text, name, path_text);
}

void command_path_text(const struct command_path *path, char out[COMMAND_PATH_BYTES]) {
    size_t used = 0;
    for (int64_t i = 0; i < path->length && used < COMMAND_PATH_BYTES; i++) {
        int added = snprintf(out + used, COMMAND_PATH_BYTES - used, "%s%s", i > 0 ? " " : "",
                             path->commands[i]->name);
        ASSERT_LE(0, added);
        used += (size_t)added;
    }
}
