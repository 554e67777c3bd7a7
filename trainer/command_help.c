/* command_help.c - see command_help.h. */
#include "trainer/command_help.h"

#include "base/scoped.h"
#include "base/text_wrap.h"
#include "trainer/exit_status.h"

#include <stdio.h>
#include <string.h>

#define WIDTH           COMMAND_HELP_WIDTH
#define NAME_COLUMN     2
#define TEXT_COLUMN_MIN 14
#define TEXT_COLUMN_MAX 30
#define EXAMPLE_COLUMN  6
#define LINE_BYTES      256
#define OPTION_TEXT_MAX ((size_t)4096)
#define BOLD_ON         "\x1b[1m"
#define BOLD_OFF        "\x1b[0m"

/* A help text under construction. */
struct page {
    struct strbuf *out;
    bool bold;
};

/* ---- pieces ---- */

static void add_bold(struct page *page, const char *text) {
    strbuf_add(page->out, page->bold ? BOLD_ON : "");
    strbuf_add(page->out, text);
    strbuf_add(page->out, page->bold ? BOLD_OFF : "");
}

static void add_heading(struct page *page, const char *title) {
    strbuf_add_char(page->out, '\n');
    add_bold(page, title);
    strbuf_add_char(page->out, '\n');
}

static void add_paragraphs(struct page *page, const char *text) {
    strbuf_add_char(page->out, '\n');
    text_wrap_add(page->out, text, 0, WIDTH);
    strbuf_add_char(page->out, '\n');
}

/* "  name      what it is", with the text at `text_column`, on a line of its own if the name is too
 * long. */
static void add_entry(struct page *page, const char *name, const char *text, int64_t text_column) {
    strbuf_add_repeated(page->out, ' ', NAME_COLUMN);
    add_bold(page, name);
    int64_t column = NAME_COLUMN + text_wrap_columns(name);
    if (column + 2 > text_column) {
        strbuf_add_char(page->out, '\n');
        column = 0;
    }
    strbuf_add_repeated(page->out, ' ', (size_t)(text_column - column));
    text_wrap_add(page->out, text, text_column, WIDTH);
    strbuf_add_char(page->out, '\n');
}

/* The column for texts beside names of which the longest that fits has `columns` columns. */
static int64_t column_after(int64_t columns) {
    int64_t column = NAME_COLUMN + columns + 2;
    return column < TEXT_COLUMN_MIN ? TEXT_COLUMN_MIN : column;
}

static int64_t wider(int64_t columns, int64_t other) {
    bool fits = NAME_COLUMN + other + 2 <= TEXT_COLUMN_MAX;
    return fits && other > columns ? other : columns;
}

/* ---- options ---- */

/* "-n, --steps N", "    --json" */
static void option_line(const struct command_option *option, char out[LINE_BYTES]) {
    char value[COMMAND_VALUE_BYTES];
    command_option_value_text(option, value);
    char letter[8] = "   ";
    if (option->short_name) {
        (void)snprintf(letter, sizeof letter, "-%c,", option->short_name);
    }
    (void)snprintf(out, LINE_BYTES, "%s --%s%s%s", letter, option->name, value[0] ? " " : "",
                   value);
}

static int64_t options_column(const struct command_option *options, int64_t columns) {
    for (const struct command_option *o = options; o && o->name; o++) {
        char line[LINE_BYTES];
        option_line(o, line);
        columns = o->hidden ? columns : wider(columns, text_wrap_columns(line));
    }
    return columns;
}

static void add_options(struct page *page, const char *title, const struct command_option *options,
                        int64_t text_column) {
    if (!command_has_visible_options(options)) {
        return;
    }
    add_heading(page, title);
    for (const struct command_option *o = options; o->name; o++) {
        if (o->hidden) {
            continue;
        }
        char line[LINE_BYTES];
        option_line(o, line);
        SCOPED(strbuf) struct strbuf text = STRBUF_INIT(OPTION_TEXT_MAX);
        command_option_help_add(&text, o);
        add_entry(page, line, strbuf_text(&text), text_column);
        strbuf_take_failure(page->out, &text);
    }
}

/* Of the commands between the root and the leaf too; the root's own are only mentioned, since they
 * would drown the rest. */
static void add_all_options(struct page *page, const struct command_path *path) {
    const struct command_option *every = path->commands[0]->options;
    if (path->length == 1) {
        int64_t columns = options_column(every, 0);
        add_options(page, "Options of every command", every, column_after(columns));
        return;
    }
    int64_t columns = 0;
    for (int64_t i = 1; i < path->length; i++) {
        columns = options_column(path->commands[i]->options, columns);
    }
    for (int64_t i = path->length; i-- > 1;) {
        add_options(page, "Options", path->commands[i]->options, column_after(columns));
    }
}

/* ---- the other sections ---- */

static void add_positionals(struct page *page, const struct command_positional *positionals) {
    if (!positionals) {
        return;
    }
    int64_t columns = 0;
    for (const struct command_positional *p = positionals; p->name; p++) {
        columns = wider(columns, text_wrap_columns(p->name));
    }
    add_heading(page, "Arguments");
    for (const struct command_positional *p = positionals; p->name; p++) {
        add_entry(page, p->name, p->help, column_after(columns));
    }
}

static int64_t subcommands_column(const struct command *parent) {
    int64_t columns = 0;
    for (const struct command *const *child = parent->subcommands; *child; child++) {
        columns = (*child)->hidden ? columns : wider(columns, text_wrap_columns((*child)->name));
    }
    return column_after(columns);
}

/* The visible subcommands of one group, or of all with COMMAND_GROUP_COUNT. */
static void add_subcommands(struct page *page, const struct command *parent, const char *title,
                            enum command_group group) {
    bool titled = false;
    for (const struct command *const *child = parent->subcommands; *child; child++) {
        bool in_group = group == COMMAND_GROUP_COUNT || (*child)->group == group;
        if ((*child)->hidden || !in_group) {
            continue;
        }
        if (!titled) {
            add_heading(page, title);
            titled = true;
        }
        add_entry(page, (*child)->name, (*child)->purpose, subcommands_column(parent));
    }
}

static void add_commands(struct page *page, const struct command_path *path) {
    const struct command *leaf = command_path_leaf(path);
    if (!command_is_group(leaf)) {
        return;
    }
    if (path->length > 1) {
        add_subcommands(page, leaf, "Commands", COMMAND_GROUP_COUNT);
        return;
    }
    for (int group = 0; group < COMMAND_GROUP_COUNT; group++) {
        add_subcommands(page, leaf, command_group_title((enum command_group)group),
                        (enum command_group)group);
    }
}

static void add_list(struct page *page, const struct command_list *list) {
    const char *name = NULL, *help = NULL;
    int64_t columns = 0;
    for (int64_t i = 0; list->entry(i, &name, &help); i++) {
        columns = wider(columns, text_wrap_columns(name));
    }
    add_heading(page, list->title);
    for (int64_t i = 0; list->entry(i, &name, &help); i++) {
        add_entry(page, name, help, column_after(columns));
    }
}

static void add_examples(struct page *page, const struct command_example *examples) {
    if (!examples) {
        return;
    }
    add_heading(page, "Examples");
    for (const struct command_example *example = examples; example->line; example++) {
        strbuf_add_repeated(page->out, ' ', NAME_COLUMN);
        add_bold(page, example->line);
        strbuf_add_char(page->out, '\n');
        strbuf_add_repeated(page->out, ' ', EXAMPLE_COLUMN);
        text_wrap_add(page->out, example->help, EXAMPLE_COLUMN, WIDTH);
        strbuf_add_char(page->out, '\n');
    }
}

static void add_exit_statuses(struct page *page) {
    static const struct {
        const char *status, *text;
    } rows[] = {
#define EXIT_STATUS_ROW(name, value, text) {#value, text},
        EXIT_STATUSES(EXIT_STATUS_ROW)
#undef EXIT_STATUS_ROW
    };
    add_heading(page, "Exit status");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        add_entry(page, rows[i].status, rows[i].text, column_after(0));
    }
}

/* "accord doctor: what this machine offers" and how to type it. */
static void add_top(struct page *page, const struct command_path *path) {
    char path_text[COMMAND_PATH_BYTES];
    command_path_text(path, path_text);
    const char *purpose = command_path_leaf(path)->purpose;
    add_bold(page, path_text);
    int64_t column = text_wrap_columns(path_text) + 2;
    strbuf_add(page->out, ": ");
    text_wrap_add(page->out, purpose, column, WIDTH);
    strbuf_add(page->out, "\n\n");
    add_bold(page, "Usage:");
    strbuf_add_char(page->out, ' ');
    command_usage_add(page->out, path);
    strbuf_add_char(page->out, '\n');
}

/* ---- public ---- */

void command_help_add(struct strbuf *out, const struct command_path *path,
                      enum command_help_style style) {
    struct page page = {.out = out, .bold = style == COMMAND_HELP_BOLD};
    const struct command *leaf = command_path_leaf(path);
    add_top(&page, path);
    if (leaf->description) {
        add_paragraphs(&page, leaf->description);
    }
    add_commands(&page, path);
    add_positionals(&page, leaf->positionals);
    add_all_options(&page, path);
    for (const struct command_list *list = leaf->lists; list && list->title; list++) {
        add_list(&page, list);
    }
    add_examples(&page, leaf->examples);
    if (path->length == 1) {
        add_exit_statuses(&page);
        add_paragraphs(&page, "'accord help <command>' says more about one command.");
    } else {
        add_paragraphs(&page, "'accord help' lists the options of every command, such as --json, "
                              "--quiet and --set.");
    }
}

void command_usage_add(struct strbuf *out, const struct command_path *path) {
    char path_text[COMMAND_PATH_BYTES];
    command_path_text(path, path_text);
    strbuf_add(out, path_text);
    const struct command *leaf = command_path_leaf(path);
    if (command_is_group(leaf)) {
        strbuf_add(out, " <command>");
    }
    for (const struct command_positional *p = leaf->positionals; p && p->name; p++) {
        strbuf_addf(out, p->optional ? " [%s]" : " <%s>", p->name);
        strbuf_add(out, p->repeatable ? "..." : "");
    }
    strbuf_add(out, " [options]");
}

void command_option_help_add(struct strbuf *out, const struct command_option *option) {
    strbuf_add(out, option->help);
    bool is_number = option->kind == OPTION_INTEGER || option->kind == OPTION_REAL;
    if (is_number) {
        strbuf_addf(out, "; %.15g to %.15g", option->min, option->max);
    }
    if (option->default_text) {
        strbuf_addf(out, " (default: %s)", option->default_text);
    }
    if (option->repeatable) {
        strbuf_add(out, "; may be repeated");
    }
}

bool command_has_visible_options(const struct command_option *options) {
    for (const struct command_option *o = options; o && o->name; o++) {
        if (!o->hidden) {
            return true;
        }
    }
    return false;
}
