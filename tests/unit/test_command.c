/* Parsing on a small tree of its own, and what must hold of the program's tables. */
#include "trainer/command_parse.h"

#include "base/number.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/test.h"
#include "trainer/command_completion.h"
#include "trainer/command_help.h"
#include "trainer/command_markdown.h"
#include "trainer/command_table.h"

#include <ctype.h>

static enum err_code nothing_run(struct run *run, const struct command_args *args,
                                 struct error *err) {
    (void)run;
    (void)args;
    (void)err;
    return ERR_OK;
}

static const char *const colours[] = {"red", "green", NULL};

static const struct command_option paint_options[] = {
    {.name = "colour", .kind = OPTION_CHOICE, .choices = colours, .help = "x"},
    {.name = "layers",
     .short_name = 'n',
     .kind = OPTION_INTEGER,
     .metavar = "N",
     .default_text = "2",
     .min = -5,
     .max = 5,
     .help = "x"},
    {.name = "rate", .kind = OPTION_REAL, .metavar = "X", .min = 0, .max = 1, .help = "x"},
    {.name = "tag", .repeatable = true, .kind = OPTION_TEXT, .metavar = "T", .help = "x"},
    {.name = "out", .short_name = 'o', .kind = OPTION_FILE, .metavar = "FILE", .help = "x"},
    {.name = NULL},
};

static const struct command_positional paint_positionals[] = {
    {.name = "wall", .kind = OPTION_FILE, .help = "x"},
    {.name = "more", .optional = true, .repeatable = true, .help = "x"},
    {.name = NULL},
};

static const struct command paint = {
    .name = "paint",
    .purpose = "x",
    .options = paint_options,
    .positionals = paint_positionals,
    .function = nothing_run,
};

static const struct command *const house_commands[] = {&paint, NULL};
static const struct command house = {
    .name = "house", .purpose = "x", .subcommands = house_commands};

static const struct command_option root_options[] = {
    {.name = "help", .short_name = 'h', .kind = OPTION_FLAG, .help = "x"},
    {.name = "quiet", .short_name = 'q', .kind = OPTION_FLAG, .help = "x"},
    {.name = NULL},
};

static const struct command *const root_commands[] = {&house, NULL};
static const struct command root = {
    .name = "tool", .purpose = "x", .options = root_options, .subcommands = root_commands};

#define WORDS_MAX 16

static enum err_code parse(const char *const *words, struct command_args *out, struct error *err) {
    const char *argv[WORDS_MAX + 1] = {"tool"};
    int argc = 1;
    for (; words[argc - 1]; argc++) {
        argv[argc] = words[argc - 1];
    }
    return command_parse(&root, argc, argv, out, err);
}

#define PARSE(args, err, ...) parse((const char *const[]){__VA_ARGS__, NULL}, (args), (err))

/* ---- what is accepted ---- */

static void test_command_parse__takes_values_in_every_form(void **state) {
    (void)state;
    SCOPED(command_args) struct command_args args = COMMAND_ARGS_INIT;
    struct error err = ERROR_INIT;
    assert_ok(PARSE(&args, &err, "-q", "house", "paint", "--colour=green", "-n", "-3", "north",
                    "--rate", "0.5", "-oa.txt"),
              &err);
    assert_ptr_equal(command_path_leaf(&args.path), &paint);
    assert_string_equal(command_args_text(&args, "colour"), "green");
    assert_int_equal(command_args_integer(&args, "layers"), -3);
    assert_true(command_args_real(&args, "rate") == 0.5);
    assert_string_equal(command_args_text(&args, "out"), "a.txt");
    assert_true(command_args_has(&args, "quiet"));
    assert_false(command_args_has(&args, "help"));
    assert_int_equal(args.positional_count, 1);
    assert_string_equal(args.positionals[0], "north");
}

static void test_command_parse__falls_back_to_defaults(void **state) {
    (void)state;
    SCOPED(command_args) struct command_args args = COMMAND_ARGS_INIT;
    struct error err = ERROR_INIT;
    assert_ok(PARSE(&args, &err, "house", "paint", "north"), &err);
    assert_int_equal(command_args_integer(&args, "layers"), 2);
    assert_false(command_args_has(&args, "layers"));
    assert_null(command_args_text(&args, "out"));
    assert_null(command_args_repeated(&args, "tag", 0));
}

static void test_command_parse__keeps_repeated_values_in_order(void **state) {
    (void)state;
    SCOPED(command_args) struct command_args args = COMMAND_ARGS_INIT;
    struct error err = ERROR_INIT;
    assert_ok(PARSE(&args, &err, "house", "paint", "--tag", "a", "north", "--tag=", "--tag=c=d"),
              &err);
    assert_string_equal(command_args_repeated(&args, "tag", 0), "a");
    assert_string_equal(command_args_repeated(&args, "tag", 1), "");
    assert_string_equal(command_args_repeated(&args, "tag", 2), "c=d");
    assert_null(command_args_repeated(&args, "tag", 3));
    assert_string_equal(command_args_text(&args, "tag"), "c=d");
}

static void test_command_parse__takes_flags_together_and_twice(void **state) {
    (void)state;
    SCOPED(command_args) struct command_args args = COMMAND_ARGS_INIT;
    struct error err = ERROR_INIT;
    assert_ok(PARSE(&args, &err, "house", "paint", "-qn4", "--quiet", "north"), &err);
    assert_true(command_args_has(&args, "quiet"));
    assert_int_equal(command_args_integer(&args, "layers"), 4);
}

static void test_command_parse__ends_options_at_two_dashes(void **state) {
    (void)state;
    SCOPED(command_args) struct command_args args = COMMAND_ARGS_INIT;
    struct error err = ERROR_INIT;
    assert_ok(PARSE(&args, &err, "house", "paint", "-", "--", "--tag", "-q"), &err);
    assert_int_equal(args.positional_count, 3);
    assert_string_equal(args.positionals[0], "-");
    assert_string_equal(args.positionals[1], "--tag");
    assert_string_equal(args.positionals[2], "-q");
    assert_false(command_args_has(&args, "quiet"));
}

static void test_command_parse__lets_help_pass_without_arguments(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(command_args) struct command_args args = COMMAND_ARGS_INIT;
    assert_ok(PARSE(&args, &err, "house", "paint", "-h"), &err);
    SCOPED(command_args) struct command_args group = COMMAND_ARGS_INIT;
    assert_ok(PARSE(&group, &err, "house", "--help"), &err);
    assert_ptr_equal(command_path_leaf(&group.path), &house);
    SCOPED(command_args) struct command_args none = COMMAND_ARGS_INIT;
    assert_ok(PARSE(&none, &err, "-q"), &err);
    assert_ptr_equal(command_path_leaf(&none.path), &root);
}

static void test_command_args_line__can_be_typed_again(void **state) {
    (void)state;
    SCOPED(command_args) struct command_args args = COMMAND_ARGS_INIT;
    SCOPED(strbuf) struct strbuf line = STRBUF_INIT(1024);
    struct error err = ERROR_INIT;
    assert_ok(PARSE(&args, &err, "-q", "house", "paint", "-n-3", "it's north", "--rate=0.5",
                    "--tag", "", "--tag=$HOME", "-o", "~/a;b", "--", "-w"),
              &err);
    command_args_line(&args, &line);
    assert_ok(strbuf_check(&line, "line", &err), &err);
    assert_string_equal(strbuf_text(&line),
                        "tool house paint --quiet --layers -3 --rate 0.5 --tag '' --tag '$HOME' "
                        "--out '~/a;b' -- 'it'\\''s north' -w");
}

/* ---- what is refused ---- */

static void test_command_parse__refuses_and_leaves_the_output_alone(void **state) {
    (void)state;
    const struct {
        const char *words[6];
        const char *message;
    } cases[] = {
        {{"hose"}, "unknown command 'tool hose': did you mean 'house'?"},
        {{"house"}, "'tool house' needs a subcommand"},
        {{"house", "paint"}, "<wall> is missing: 'tool house paint --help' shows the usage"},
        {{"house", "paint", "--color", "red"},
         "unknown option '--color': did you mean '--colour'?"},
        {{"house", "paint", "--colour", "blue"}, "--colour = 'blue' is not one of red|green"},
        {{"house", "paint", "--colour="}, "--colour = '' is not one of red|green"},
        {{"house", "paint", "w", "--layers", "6"}, "--layers = 6 is outside [-5, 5]"},
        {{"house", "paint", "w", "-n", "1.5"}, "--layers = '1.5' is not an integer"},
        {{"house", "paint", "w", "-n"}, "--layers needs a value: --layers N"},
        {{"house", "paint", "w", "--rate", "1.01"}, "--rate = 1.01 is outside [0, 1]"},
        {{"house", "paint", "w", "--rate=nan"}, "--rate = 'nan' is not a number"},
        {{"house", "paint", "w", "--out="}, "--out is empty: expected a path"},
        {{"house", "paint", "w", "-q1"}, "unknown option '-1'"},
        {{"house", "paint", "w", "-n1", "-n2"}, "--layers is given twice: '1' and '2'"},
        {{"--rate", "1", "house"}, "unknown option '--rate'"}, /* belongs behind its command */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct command_args args = COMMAND_ARGS_INIT;
        struct error err = ERROR_INIT;
        assert_fails(parse(cases[i].words, &args, &err), ERR_USAGE, cases[i].message, &err);
        assert_null(args.uses);
        assert_int_equal(args.path.length, 0);
    }
}

static enum err_code parse_all(void *context, struct error *err) {
    (void)context;
    SCOPED(command_args) struct command_args args = COMMAND_ARGS_INIT;
    return PARSE(&args, err, "house", "paint", "--colour=green", "-n", "3", "north");
}

static void test_command_parse__survives_every_failed_allocation(void **state) {
    (void)state;
    alloc_loop_check(parse_all, NULL);
}

/* ---- the program's own tables ---- */

static bool is_sentence_part(const char *text) {
    size_t length = text ? strlen(text) : 0;
    return length > 0 && text[length - 1] != '.' && text[length - 1] != ' ';
}

static void check_option(const struct command_path *path, const struct command_option *o) {
    bool is_choice = o->kind == OPTION_CHOICE, is_flag = o->kind == OPTION_FLAG;
    if (!is_sentence_part(o->help) || is_choice != (o->choices != NULL) ||
        (is_flag || is_choice) != (o->metavar == NULL)) {
        fail_msg("--%s: bad help, choices or metavar", o->name);
    }
    double value = 0.0;
    bool is_number = o->kind == OPTION_INTEGER || o->kind == OPTION_REAL;
    if (is_number && o->default_text) {
        assert_true(number_parse_f64(o->default_text, &value));
        assert_true(value >= o->min && value <= o->max);
    }
    int64_t names = 0, letters = 0; /* of this option and all that it could be mistaken for */
    for (int64_t i = 0; i < path->length; i++) {
        for (const struct command_option *p = path->commands[i]->options; p && p->name; p++) {
            names += strcmp(p->name, o->name) == 0;
            letters += o->short_name && p->short_name == o->short_name;
        }
    }
    assert_int_equal(names, 1);
    assert_int_equal(letters, o->short_name ? 1 : 0);
}

static void check_command(const struct command_path *path) {
    const struct command *c = command_path_leaf(path);
    if (!is_sentence_part(c->purpose) || isupper((unsigned char)c->purpose[0])) {
        fail_msg("%s: bad purpose '%s'", c->name, c->purpose);
    }
    int homes = (c->subcommands != NULL) + (c->function != NULL) + (c->lm_function != NULL);
    if (homes != 1) {
        fail_msg("%s: %d of subcommands, function and lm_function, expected 1", c->name, homes);
    }
    for (const struct command_option *o = c->options; o && o->name; o++) {
        check_option(path, o);
    }
    for (const struct command *const *child = c->subcommands; child && *child; child++) {
        struct command_path below = command_path_below(path, *child);
        check_command(&below);
    }
}

static void test_command_tables__are_sound(void **state) {
    (void)state;
    struct command_path path = {.commands = {&cmd_root}, .length = 1};
    check_command(&path);
}

static enum err_code write_everything(void *context, struct error *err) {
    (void)context;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1024 * 1024);
    struct command_path path = {.commands = {&root, &house, &paint}, .length = 3};
    command_help_add(&text, &path, COMMAND_HELP_BOLD);
    command_markdown_add(&text, &root);
    command_completion_bash_add(&text, &root);
    return strbuf_check(&text, "everything", err);
}

static void test_command_texts__survive_every_failed_allocation(void **state) {
    (void)state;
    alloc_loop_check(write_everything, NULL);
}

static void test_command_help__lays_out_a_command(void **state) {
    (void)state;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(4096);
    struct command_path path = {.commands = {&root, &house, &paint}, .length = 3};
    command_help_add(&text, &path, COMMAND_HELP_PLAIN);
    assert_string_equal(strbuf_text(&text),
                        "tool house paint: x\n"
                        "\n"
                        "Usage: tool house paint <wall> [more]... [options]\n"
                        "\n"
                        "Arguments\n"
                        "  wall        x\n"
                        "  more        x\n"
                        "\n"
                        "Options\n"
                        "      --colour red|green  x\n"
                        "  -n, --layers N          x; -5 to 5 (default: 2)\n"
                        "      --rate X            x; 0 to 1\n"
                        "      --tag T             x; may be repeated\n"
                        "  -o, --out FILE          x\n"
                        "\n"
                        "'accord help' lists the options of every command, such as --json, "
                        "--quiet and\n"
                        "--set.\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command_parse__takes_values_in_every_form),
        cmocka_unit_test(test_command_parse__falls_back_to_defaults),
        cmocka_unit_test(test_command_parse__keeps_repeated_values_in_order),
        cmocka_unit_test(test_command_parse__takes_flags_together_and_twice),
        cmocka_unit_test(test_command_parse__ends_options_at_two_dashes),
        cmocka_unit_test(test_command_parse__lets_help_pass_without_arguments),
        cmocka_unit_test(test_command_args_line__can_be_typed_again),
        cmocka_unit_test(test_command_parse__refuses_and_leaves_the_output_alone),
        cmocka_unit_test(test_command_parse__survives_every_failed_allocation),
        cmocka_unit_test(test_command_tables__are_sound),
        cmocka_unit_test(test_command_texts__survive_every_failed_allocation),
        cmocka_unit_test(test_command_help__lays_out_a_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
