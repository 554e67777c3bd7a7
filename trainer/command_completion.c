/* command_completion.c - see command_completion.h. */
#include "trainer/command_completion.h"

/* The part of the script that the tables do not change. bash hands "--name=value" over as three
 * words; `accord help` takes the words of a command, so it is stepped over. */
static const char *const driver =
    "_accord() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
    "    local path=accord subcommands= options= operand= value= word i\n"
    "    COMPREPLY=()\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        _accord_command \"$path\"\n"
    "        if [[ $word =~ ^[a-z-]+$ && $word != help && \" $subcommands \" == *\" $word \"* ]]; "
    "then\n"
    "            path+=\" $word\"\n"
    "        fi\n"
    "    done\n"
    "    if [[ $cur == = ]]; then\n"
    "        cur=\n"
    "    elif [[ $prev == = ]]; then\n"
    "        prev=${COMP_WORDS[COMP_CWORD - 2]}\n"
    "    fi\n"
    "    _accord_command \"$path\"\n"
    "    _accord_value \"$path\" \"$prev\"\n"
    "    case $value in\n"
    "    flag) ;;\n"
    "    file | folder) operand=$value subcommands= ;;\n"
    "    *) operand= subcommands=$value ;;\n"
    "    esac\n"
    "    if [[ $value == flag && $cur == -* ]]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$cur\")\n"
    "    elif [[ $operand == file ]]; then\n"
    "        compopt -o filenames 2>/dev/null\n"
    "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
    "    elif [[ $operand == folder ]]; then\n"
    "        compopt -o filenames 2>/dev/null\n"
    "        mapfile -t COMPREPLY < <(compgen -d -- \"$cur\")\n"
    "    else\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$subcommands\" -- \"$cur\")\n"
    "    fi\n"
    "}\n"
    "complete -F _accord accord\n";

typedef void (*section_writer)(struct strbuf *out, const struct command_path *path);

/* One section for a command and each visible one below it; as deep as COMMAND_DEPTH_MAX. */
static void write_tree(struct strbuf *out, const struct command_path *path, section_writer write) {
    write(out, path);
    const struct command *leaf = command_path_leaf(path);
    for (const struct command *const *child = leaf->subcommands; child && *child; child++) {
        if (!(*child)->hidden) {
            struct command_path below = command_path_below(path, *child);
            write_tree(out, &below, write);
        }
    }
}

static void add_case(struct strbuf *out, const struct command_path *path) {
    char text[COMMAND_PATH_BYTES];
    command_path_text(path, text);
    strbuf_addf(out, "    '%s')\n", text);
}

static const char *path_kind(enum option_kind kind) {
    return kind == OPTION_FILE ? "file" : kind == OPTION_FOLDER ? "folder" : "";
}

/* What may follow: subcommands, options (also those of the commands above), operands. */
static void write_command_case(struct strbuf *out, const struct command_path *path) {
    const struct command *leaf = command_path_leaf(path);
    add_case(out, path);
    strbuf_add(out, "        subcommands='");
    for (const struct command *const *child = leaf->subcommands; child && *child; child++) {
        if (!(*child)->hidden) {
            strbuf_addf(out, "%s ", (*child)->name);
        }
    }
    strbuf_add(out, "'\n        options='");
    for (int64_t i = path->length; i-- > 0;) {
        for (const struct command_option *o = path->commands[i]->options; o && o->name; o++) {
            if (!o->hidden) {
                strbuf_addf(out, "--%s ", o->name);
            }
        }
    }
    const struct command_positional *operand = leaf->positionals;
    strbuf_addf(out, "'\n        operand='%s'\n        ;;\n",
                operand ? path_kind(operand->kind) : "");
}

static void add_value_case(struct strbuf *out, const struct command_option *o) {
    if (o->kind == OPTION_FLAG || o->hidden) {
        return;
    }
    strbuf_add(out, "        ");
    if (o->short_name) {
        strbuf_addf(out, "-%c | ", o->short_name);
    }
    strbuf_addf(out, "--%s) value='%s", o->name, path_kind(o->kind));
    for (const char *const *choice = o->choices; choice && *choice; choice++) {
        strbuf_addf(out, "%s ", *choice);
    }
    strbuf_add(out, "' ;;\n");
}

/* What the value of an option may be: words, "file", "folder", or nothing that can be guessed. */
static void write_value_case(struct strbuf *out, const struct command_path *path) {
    add_case(out, path);
    strbuf_add(out, "        case $2 in\n");
    for (int64_t i = path->length; i-- > 0;) {
        for (const struct command_option *o = path->commands[i]->options; o && o->name; o++) {
            add_value_case(out, o);
        }
    }
    strbuf_add(out, "        *) value=flag ;;\n        esac\n        ;;\n");
}

static void add_function(struct strbuf *out, const char *comment, const char *name,
                         const struct command_path *root_path, section_writer write) {
    strbuf_addf(out, "# %s\n%s() {\n    case $1 in\n", comment, name);
    write_tree(out, root_path, write);
    strbuf_add(out, "    esac\n}\n\n");
}

void command_completion_bash_add(struct strbuf *out, const struct command *root) {
    struct command_path path = {.commands = {root}, .length = 1};
    strbuf_add(out,
               "# bash completion for accord, made by `accord completion bash`; do not edit.\n\n");
    add_function(out, "_accord_command PATH: sets subcommands, options, operand.",
                 "_accord_command", &path, write_command_case);
    add_function(out, "_accord_value PATH OPTION: sets value; \"flag\" when none follows.",
                 "_accord_value", &path, write_value_case);
    strbuf_add(out, driver);
}
