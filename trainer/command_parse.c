/* command_parse.c - see command_parse.h. */
#include "trainer/command_parse.h"

#include "base/invariant.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/scoped.h"
#include "base/shell_word.h"
#include "base/suggest.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define HELP_OPTION "help"
#define OPTIONS_MAX 64 /* of one command and all above it, as candidates for a suggestion */

/* Where the parser stands among the words. */
struct parser {
    const char *const *words; /* argv without the program's name */
    int64_t count;
    int64_t next;
    bool options_ended; /* after "--" */
    struct command_args *args;
};

/* ---- looking options up: the command's own first, then those of the commands above it ---- */

static const struct command_option *path_find_long(const struct command_path *path,
                                                   const char *name) {
    for (int64_t i = path->length; i-- > 0;) {
        const struct command_option *option = command_option_find(path->commands[i], name);
        if (option) {
            return option;
        }
    }
    return NULL;
}

static const struct command_option *path_find_short(const struct command_path *path, char name) {
    for (int64_t i = path->length; i-- > 0;) {
        for (const struct command_option *o = path->commands[i]->options; o && o->name; o++) {
            if (o->short_name == name) {
                return o;
            }
        }
    }
    return NULL;
}

static const char *suggest_option(const struct command_path *path, const char *name) {
    const char *names[OPTIONS_MAX];
    size_t count = 0;
    for (int64_t i = 0; i < path->length; i++) {
        for (const struct command_option *o = path->commands[i]->options; o && o->name; o++) {
            if (!o->hidden && count < OPTIONS_MAX) {
                names[count++] = o->name;
            }
        }
    }
    return suggest_nearest(name, names, count);
}

static enum err_code fail_unknown_option(const struct parser *p, const char *name,
                                         struct error *err) {
    char path_text[COMMAND_PATH_BYTES];
    command_path_text(&p->args->path, path_text);
    const char *nearest = suggest_option(&p->args->path, name);
    if (nearest) {
        return err_set(err, ERR_USAGE, "unknown option '--%s': did you mean '--%s'?", name,
                       nearest);
    }
    return err_set(err, ERR_USAGE, "unknown option '--%s': '%s --help' lists the options", name,
                   path_text);
}

/* ---- checking one value against its table entry ---- */

static enum err_code check_integer(const struct command_option *o, const char *text,
                                   struct error *err) {
    int64_t value = 0;
    if (!number_parse_i64(text, &value)) {
        return err_set(err, ERR_USAGE, "--%s = '%s' is not an integer", o->name, text);
    }
    if ((double)value < o->min || (double)value > o->max) {
        return err_set(err, ERR_USAGE, "--%s = %s is outside [%.0f, %.0f]", o->name, text, o->min,
                       o->max);
    }
    return ERR_OK;
}

static enum err_code check_real(const struct command_option *o, const char *text,
                                struct error *err) {
    double value = 0.0;
    if (!number_parse_f64(text, &value)) {
        return err_set(err, ERR_USAGE, "--%s = '%s' is not a number", o->name, text);
    }
    if (value < o->min || value > o->max) {
        return err_set(err, ERR_USAGE, "--%s = %s is outside [%g, %g]", o->name, text, o->min,
                       o->max);
    }
    return ERR_OK;
}

static enum err_code check_choice(const struct command_option *o, const char *text,
                                  struct error *err) {
    for (const char *const *choice = o->choices; *choice; choice++) {
        if (strcmp(*choice, text) == 0) {
            return ERR_OK;
        }
    }
    char choices[COMMAND_VALUE_BYTES];
    command_option_value_text(o, choices);
    return err_set(err, ERR_USAGE, "--%s = '%s' is not one of %s", o->name, text, choices);
}

static enum err_code check_value(const struct command_option *option, const char *text,
                                 struct error *err) {
    switch (option->kind) {
    case OPTION_INTEGER:
        return check_integer(option, text, err);
    case OPTION_REAL:
        return check_real(option, text, err);
    case OPTION_CHOICE:
        return check_choice(option, text, err);
    case OPTION_FILE:
    case OPTION_FOLDER:
        if (text[0] == '\0') {
            return err_set(err, ERR_USAGE, "--%s is empty: expected a path", option->name);
        }
        return ERR_OK;
    case OPTION_FLAG:
    case OPTION_TEXT:
        return ERR_OK;
    }
    return err_set(err, ERR_INTERNAL, "--%s has no kind", option->name);
}

/* ---- taking words in ---- */

static const struct option_use *last_use(const struct command_args *args, const char *name) {
    for (int64_t i = args->use_count; i-- > 0;) {
        if (strcmp(args->uses[i].option->name, name) == 0) {
            return &args->uses[i];
        }
    }
    return NULL;
}

static enum err_code add_use(struct parser *p, const struct command_option *option,
                             const char *text, struct error *err) {
    struct command_args *args = p->args;
    const struct option_use *before = last_use(args, option->name);
    if (before && option->kind == OPTION_FLAG) {
        return ERR_OK;
    }
    if (before && !option->repeatable) {
        return err_set(err, ERR_USAGE, "--%s is given twice: '%s' and '%s'", option->name,
                       before->text, text);
    }
    if (option->kind != OPTION_FLAG) {
        TRY(check_value(option, text, err));
    }
    args->uses[args->use_count++] = (struct option_use){.option = option, .text = text};
    return ERR_OK;
}

/* The word after an option, as its value. A following option is a forgotten value, not a value;
 * but "-1" may be a number. */
static enum err_code take_value(struct parser *p, const struct command_option *option,
                                const char **out_text, struct error *err) {
    const char *word = p->next < p->count ? p->words[p->next] : NULL;
    if (!word || strncmp(word, "--", 2) == 0) {
        char value[COMMAND_VALUE_BYTES];
        command_option_value_text(option, value);
        return err_set(err, ERR_USAGE, "--%s needs a value: --%s %s", option->name, option->name,
                       value);
    }
    p->next++;
    *out_text = word;
    return ERR_OK;
}

/* `body` is the word without "--": "name" or "name=value". */
static enum err_code take_long(struct parser *p, const char *body, struct error *err) {
    size_t name_length = strcspn(body, "=");
    SCOPED(mem) char *name = mem_strndup(body, name_length);
    if (!name) {
        return err_oom(err, "an option's name");
    }
    const struct command_option *option = path_find_long(&p->args->path, name);
    if (!option) {
        return fail_unknown_option(p, name, err);
    }
    const char *text = body[name_length] == '=' ? body + name_length + 1 : NULL;
    if (option->kind == OPTION_FLAG && text) {
        return err_set(err, ERR_USAGE, "--%s takes no value, but is given '%s'", name, text);
    }
    if (option->kind != OPTION_FLAG && !text) {
        TRY(take_value(p, option, &text, err));
    }
    return add_use(p, option, text, err);
}

/* `letters` is the word without "-": flags, the last perhaps with a value ("qn5" is -q -n 5). */
static enum err_code take_short(struct parser *p, const char *letters, struct error *err) {
    for (; *letters; letters++) {
        const struct command_option *option = path_find_short(&p->args->path, *letters);
        if (!option) {
            char path_text[COMMAND_PATH_BYTES];
            command_path_text(&p->args->path, path_text);
            return err_set(err, ERR_USAGE, "unknown option '-%c': '%s --help' lists the options",
                           *letters, path_text);
        }
        if (option->kind == OPTION_FLAG) {
            TRY(add_use(p, option, NULL, err));
            continue;
        }
        const char *text = letters + 1;
        if (*text == '\0') {
            TRY(take_value(p, option, &text, err));
        }
        return add_use(p, option, text, err);
    }
    return ERR_OK;
}

static enum err_code take_operand(struct parser *p, const char *word, struct error *err) {
    struct command_args *args = p->args;
    if (command_is_group(command_path_leaf(&args->path))) {
        return command_path_descend(&args->path, word, err);
    }
    args->positionals[args->positional_count++] = word;
    return ERR_OK;
}

static enum err_code take_word(struct parser *p, struct error *err) {
    const char *word = p->words[p->next++];
    if (p->options_ended || word[0] != '-' || word[1] == '\0') { /* a lone "-" is an operand */
        return take_operand(p, word, err);
    }
    if (word[1] != '-') {
        return take_short(p, word + 1, err);
    }
    if (word[2] == '\0') {
        p->options_ended = true;
        return ERR_OK;
    }
    return take_long(p, word + 2, err);
}

/* ---- what must hold at the end ---- */

static enum err_code fail_group(const struct command_path *path, struct error *err) {
    char path_text[COMMAND_PATH_BYTES];
    command_path_text(path, path_text);
    return err_set(err, ERR_USAGE, "'%s' needs a subcommand: '%s --help' lists them", path_text,
                   path_text);
}

static enum err_code check_operands(const struct command_args *args, struct error *err) {
    char path_text[COMMAND_PATH_BYTES];
    command_path_text(&args->path, path_text);
    const struct command_positional *expected = command_path_leaf(&args->path)->positionals;
    int64_t taken = 0;
    for (; expected && expected->name; expected++) {
        if (taken == args->positional_count && !expected->optional) {
            return err_set(err, ERR_USAGE, "<%s> is missing: '%s --help' shows the usage",
                           expected->name, path_text);
        }
        taken = expected->repeatable ? args->positional_count : taken + 1;
    }
    if (taken < args->positional_count) {
        return err_set(err, ERR_USAGE, "'%s' is one argument too many for '%s'",
                       args->positionals[taken], path_text);
    }
    return ERR_OK;
}

static enum err_code check_complete(const struct command_args *args, struct error *err) {
    if (last_use(args, HELP_OPTION) || args->path.length == 1) {
        return ERR_OK;
    }
    if (command_is_group(command_path_leaf(&args->path))) {
        return fail_group(&args->path, err);
    }
    return check_operands(args, err);
}

enum err_code command_parse(const struct command *root, int argc, const char *const *argv,
                            struct command_args *out_args, struct error *err) {
    int64_t count = argc > 0 ? argc - 1 : 0;
    SCOPED(command_args) struct command_args args = COMMAND_ARGS_INIT;
    args.path = (struct command_path){.commands = {root}, .length = 1};
    /* No word makes more uses than it has letters, nor more operands than one. */
    size_t letters = 0;
    for (int64_t i = 1; i <= count; i++) {
        letters += strlen(argv[i]);
    }
    args.uses = mem_array(letters, sizeof *args.uses);
    args.positionals = mem_array((size_t)count, sizeof *args.positionals);
    if (!args.uses || !args.positionals) {
        return err_oom(err, "the command line");
    }
    struct parser p = {.words = argv + 1, .count = count, .args = &args};
    while (p.next < p.count) {
        TRY(take_word(&p, err));
    }
    TRY(check_complete(&args, err));
    *out_args = args;
    args = (struct command_args)COMMAND_ARGS_INIT;
    return ERR_OK;
}

void command_args_deinit(struct command_args *args) {
    mem_free(args->uses);
    mem_free(args->positionals);
    *args = (struct command_args)COMMAND_ARGS_INIT;
}

bool command_args_has(const struct command_args *args, const char *name) {
    ASSERT(path_find_long(&args->path, name) != NULL);
    return last_use(args, name) != NULL;
}

const char *command_args_text(const struct command_args *args, const char *name) {
    const struct command_option *option = path_find_long(&args->path, name);
    ASSERT(option != NULL);
    const struct option_use *use = last_use(args, name);
    return use ? use->text : option->default_text;
}

int64_t command_args_integer(const struct command_args *args, const char *name) {
    int64_t value = 0;
    const char *text = command_args_text(args, name);
    ASSERT(text != NULL);
    bool is_integer = number_parse_i64(text, &value);
    ASSERT(is_integer); /* checked when it was taken in */
    return value;
}

double command_args_real(const struct command_args *args, const char *name) {
    double value = 0.0;
    const char *text = command_args_text(args, name);
    ASSERT(text != NULL);
    bool is_number = number_parse_f64(text, &value);
    ASSERT(is_number);
    return value;
}

const char *command_args_repeated(const struct command_args *args, const char *name, int64_t n) {
    ASSERT(path_find_long(&args->path, name) != NULL);
    for (int64_t i = 0; i < args->use_count; i++) {
        if (strcmp(args->uses[i].option->name, name) == 0 && n-- == 0) {
            return args->uses[i].text;
        }
    }
    return NULL;
}

static void add_word(struct strbuf *out, const char *word) {
    strbuf_add_char(out, ' ');
    shell_word_add(out, word);
}

void command_args_line(const struct command_args *args, struct strbuf *out) {
    char path[COMMAND_PATH_BYTES];
    command_path_text(&args->path, path);
    strbuf_add(out, path);
    for (int64_t i = 0; i < args->use_count; i++) {
        strbuf_addf(out, " --%s", args->uses[i].option->name);
        if (args->uses[i].text) {
            add_word(out, args->uses[i].text);
        }
    }
    if (args->positional_count > 0) {
        strbuf_add(out, " --");
    }
    for (int64_t i = 0; i < args->positional_count; i++) {
        add_word(out, args->positionals[i]);
    }
}
