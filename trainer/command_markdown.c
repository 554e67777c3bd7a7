/* command_markdown.c - see command_markdown.h. */
#include "trainer/command_markdown.h"

#include "base/markdown.h"
#include "base/scoped.h"
#include "trainer/command_help.h"
#include "trainer/exit_status.h"

#include <ctype.h>

#define CELL_BYTES_MAX ((size_t)4096)

static void add_option_row(struct strbuf *out, const struct command_option *option) {
    char value[COMMAND_VALUE_BYTES];
    command_option_value_text(option, value);
    SCOPED(strbuf) struct strbuf help = STRBUF_INIT(CELL_BYTES_MAX);
    command_option_help_add(&help, option);
    strbuf_add(out, "| ");
    if (option->short_name) {
        strbuf_addf(out, "`-%c`, ", option->short_name);
    }
    strbuf_addf(out, "`--%s%s", option->name, value[0] ? " " : "");
    markdown_add_cell(out, value);
    strbuf_add(out, "` | ");
    markdown_add_cell(out, strbuf_text(&help));
    strbuf_take_failure(out, &help);
    strbuf_add(out, " |\n");
}

static void add_options(struct strbuf *out, const struct command_option *options) {
    if (!command_has_visible_options(options)) {
        return;
    }
    strbuf_add(out, "\n| option | |\n|---|---|\n");
    for (const struct command_option *o = options; o->name; o++) {
        if (!o->hidden) {
            add_option_row(out, o);
        }
    }
}

static void add_positionals(struct strbuf *out, const struct command_positional *positionals) {
    if (!positionals) {
        return;
    }
    strbuf_add(out, "\n| argument | |\n|---|---|\n");
    for (const struct command_positional *p = positionals; p->name; p++) {
        strbuf_addf(out, "| `%s` | ", p->name);
        markdown_add_cell(out, p->help);
        strbuf_add(out, " |\n");
    }
}

static void add_list(struct strbuf *out, const struct command_list *list) {
    strbuf_add(out, "\n| ");
    markdown_add_cell(out, list->title);
    strbuf_add(out, " | |\n|---|---|\n");
    const char *name = NULL, *help = NULL;
    for (int64_t i = 0; list->entry(i, &name, &help); i++) {
        strbuf_addf(out, "| `%s` | ", name);
        markdown_add_cell(out, help);
        strbuf_add(out, " |\n");
    }
}

static void add_examples(struct strbuf *out, const struct command_example *examples) {
    if (!examples) {
        return;
    }
    strbuf_add(out, "\n```\n");
    for (const struct command_example *example = examples; example->line; example++) {
        strbuf_addf(out, "# %s\n%s\n", example->help, example->line);
    }
    strbuf_add(out, "```\n");
}

/* A purpose as a sentence: "Time the pieces." */
static void add_sentence(struct strbuf *out, const char *text) {
    strbuf_add_char(out, (char)toupper((unsigned char)text[0]));
    strbuf_addf(out, "%s.", text + 1);
}

static void add_body(struct strbuf *out, const struct command_path *path) {
    const struct command *leaf = command_path_leaf(path);
    strbuf_add_char(out, '\n');
    add_sentence(out, leaf->purpose);
    strbuf_add(out, "\n\n```\n");
    command_usage_add(out, path);
    strbuf_add(out, "\n```\n");
    if (leaf->description) {
        strbuf_addf(out, "\n%s\n", leaf->description);
    }
    add_positionals(out, leaf->positionals);
    add_options(out, leaf->options);
    for (const struct command_list *list = leaf->lists; list && list->title; list++) {
        add_list(out, list);
    }
    add_examples(out, leaf->examples);
}

static void add_title(struct strbuf *out, const struct command_path *path, int64_t level) {
    char text[COMMAND_PATH_BYTES];
    command_path_text(path, text);
    strbuf_add_char(out, '\n');
    strbuf_add_repeated(out, '#', (size_t)level);
    strbuf_addf(out, " %s\n", text);
}

/* A command and all below it; as deep as COMMAND_DEPTH_MAX at most. */
static void add_section(struct strbuf *out, const struct command_path *path, int64_t level) {
    add_title(out, path, level);
    add_body(out, path);
    const struct command *leaf = command_path_leaf(path);
    for (const struct command *const *child = leaf->subcommands; child && *child; child++) {
        if (!(*child)->hidden) {
            struct command_path below = command_path_below(path, *child);
            add_section(out, &below, level + 1);
        }
    }
}

static void add_group(struct strbuf *out, const struct command_path *root_path,
                      enum command_group group) {
    const struct command *root = command_path_leaf(root_path);
    bool titled = false;
    for (const struct command *const *child = root->subcommands; *child; child++) {
        if ((*child)->hidden || (*child)->group != group) {
            continue;
        }
        if (!titled) {
            strbuf_addf(out, "\n## %s\n", command_group_title(group));
            titled = true;
        }
        struct command_path below = command_path_below(root_path, *child);
        add_section(out, &below, 3);
    }
}

static void add_exit_statuses(struct strbuf *out) {
    strbuf_add(out, "\n## Exit status\n\n| status | meaning |\n|---|---|\n");
#define EXIT_STATUS_ROW(name, value, text) strbuf_add(out, "| " #value " | " text " |\n");
    EXIT_STATUSES(EXIT_STATUS_ROW)
#undef EXIT_STATUS_ROW
}

void command_markdown_add(struct strbuf *out, const struct command *root) {
    struct command_path path = {.commands = {root}, .length = 1};
    strbuf_add(out, "<!-- Generated by `accord help --markdown`; do not edit. -->\n"
                    "# The command line\n");
    add_body(out, &path);
    add_exit_statuses(out);
    for (int group = 0; group < COMMAND_GROUP_COUNT; group++) {
        add_group(out, &path, (enum command_group)group);
    }
}
