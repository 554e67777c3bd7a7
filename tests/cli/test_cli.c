/* The program as its users meet it, without tensors: words in, texts and exit status out. */
#include "base/json.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "tests/support/run_program.h"
#include "tests/support/test.h"
#include "trainer/command_table.h"

#include <stdio.h>
#include <stdlib.h>

#define HELP_COLUMNS_MAX 80
#define FILE_BYTES_MAX   (256 * 1024)

static int setup(void **state) {
    *state = calloc(1, sizeof(struct program_result));
    return *state ? 0 : -1;
}

static int teardown(void **state) {
    free(*state);
    return 0;
}

/* ---- what a usage error looks like ---- */

struct refusal {
    const char *words[6];
    const char *message; /* whole line after "accord: " */
};

static void check_refusals(struct program_result *r, const struct refusal *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        char expected[512];
        (void)snprintf(expected, sizeof expected, "accord: %s\n", cases[i].message);
        run_program_with(r, &(struct program_options){.out_path = NULL}, cases[i].words);
        assert_string_equal(r->err, expected);
        assert_string_equal(r->out, "");
        assert_int_equal(r->status, 2);
    }
}

static void test_cli_usage__is_refused_in_one_line_with_status_2(void **state) {
    const struct refusal cases[] = {
        {{"docter"}, "unknown command 'accord docter': did you mean 'doctor'?"},
        {{"zzz"}, "unknown command 'accord zzz': 'accord --help' lists the commands"},
        {{"help", "bench", "adamv"}, "unknown command 'accord bench adamv': did you mean 'adamw'?"},
        {{"doctor", "--no-torc"}, "unknown option '--no-torc': did you mean '--no-torch'?"},
        {{"doctor", "--zzz=1"}, "unknown option '--zzz': 'accord doctor --help' lists the options"},
        {{"doctor", "-x"}, "unknown option '-x': 'accord doctor --help' lists the options"},
        {{"doctor", "now"}, "'now' is one argument too many for 'accord doctor'"},
        {{"bench"}, "'accord bench' needs a subcommand: 'accord bench --help' lists them"},
        {{"--json=1", "version"}, "--json takes no value, but is given '1'"},
        {{"version", "--seed"}, "--seed needs a value: --seed N"},
        {{"version", "--config", "--quiet"}, "--config needs a value: --config FILE"},
        {{"version", "--seed=1", "--seed", "2"}, "--seed is given twice: '1' and '2'"},
        {{"generate", "--samples", "ten"}, "--samples = 'ten' is not an integer"},
        {{"generate", "-n0"}, "--max-new-tokens = 0 is outside [1, 10000000]"},
        {{"generate", "--samples=99999999999999999999"},
         "--samples = '99999999999999999999' is not an integer"},
        {{"version", "--trace", "sqll"},
         "--trace: unknown trace channel 'sqll'; there are tensor data sql all"},
    };
    check_refusals(*state, cases, sizeof cases / sizeof *cases);
}

static void test_cli_config__is_refused_in_one_line_with_status_2(void **state) {
    const struct refusal cases[] = {
        {{"version", "--set", "run.sed=1"}, "--set: $.run.sed: unknown key, did you mean 'seed'?"},
        {{"version", "--threads", "5000"}, "--threads: $.run.threads = 5000 is outside [0, 1024]"},
        {{"version", "--seed", "abc"},
         "--seed: $.run.seed: expected unsigned 64-bit integer, found string 'abc'"},
        {{"version", "--device=gpu"},
         "configuration: run: device = 'gpu' is not one of cpu, cuda, cuda:N"},
    };
    check_refusals(*state, cases, sizeof cases / sizeof *cases);
}

static void test_cli_error__stays_on_its_line_whatever_it_quotes(void **state) {
    struct program_result *r = *state;
    run_program(r, "a\nb\033[2J\xff", NULL);
    assert_string_equal(r->err, "accord: unknown command 'accord a\\x0ab\\x1b[2J\\xff': "
                                "'accord --help' lists the commands\n");
    assert_int_equal(r->status, 2);
}

/* ---- version ---- */

static void test_cli_version__names_the_program_and_the_tree(void **state) {
    struct program_result *r = *state;
    run_program(r, "version", NULL);
    assert_int_equal(r->status, 0);
    assert_string_equal(r->err, "");
    assert_non_null(strstr(r->out, "accord " ACCORD_VERSION " ("));
    SCOPED(strbuf) struct strbuf first = STRBUF_INIT(PROGRAM_TEXT_BYTES);
    strbuf_add(&first, r->out);
    run_program(r, "--version", NULL);
    assert_string_equal(r->out, strbuf_text(&first));
}

/* ---- JSON ---- */

static struct json *parse_output(const struct program_result *r) {
    struct json *doc = NULL;
    struct error err = ERROR_INIT;
    assert_ok(json_parse(r->out, strlen(r->out), "output", NULL, &doc, &err), &err);
    return doc;
}

static void test_cli_json__is_one_value_with_what_was_asked_for(void **state) {
    struct program_result *r = *state;
    const char *version = NULL;
    struct error err = ERROR_INIT;
    run_program(r, "version", "--json", NULL);
    SCOPED(json) struct json *doc = parse_output(r);
    assert_ok(json_get_string(doc, json_root(doc), "version", &version, &err), &err);
    assert_string_equal(version, ACCORD_VERSION);
}

static void test_cli_json__also_holds_the_error(void **state) {
    struct program_result *r = *state;
    const struct json_node *failure = NULL;
    const char *code = NULL, *message = NULL;
    int64_t status = 0;
    struct error err = ERROR_INIT;
    run_program(r, "docter", "--json", NULL);
    assert_int_equal(r->status, 2);
    assert_string_equal(r->err, "");
    SCOPED(json) struct json *doc = parse_output(r);
    assert_ok(json_get_object(doc, json_root(doc), "error", &failure, &err), &err);
    assert_ok(json_get_string(doc, failure, "code", &code, &err), &err);
    assert_ok(json_get_i64(doc, failure, "exit_status", &status, &err), &err);
    assert_ok(json_get_string(doc, failure, "message", &message, &err), &err);
    assert_string_equal(code, "USAGE");
    assert_int_equal(status, 2);
    assert_string_equal(message, "unknown command 'accord docter': did you mean 'doctor'?");
}

static void test_cli_config__says_whose_keys_it_lists(void **state) {
    struct program_result *r = *state;
    run_program(r, "config", NULL);
    assert_int_equal(r->status, 0);
    assert_non_null(strstr(r->out, "reward fit: ")); /* a subcommand's too */
    assert_int_equal(strncmp(r->out, "accord: keys of every command\n  run.seed ", 41), 0);
}

static void test_cli_config_json__is_a_file_that_config_takes_back(void **state) {
    struct program_result *r = *state;
    run_program(r, "config", "--json", "--seed", "18446744073709551615", "-j3", NULL);
    assert_int_equal(r->status, 0);
    SCOPED(json) struct json *doc = parse_output(r);
    const struct json_node *run = NULL;
    uint64_t seed = 0;
    int64_t threads = 0;
    struct error err = ERROR_INIT;
    assert_ok(json_get_object(doc, json_root(doc), "run", &run, &err), &err);
    assert_ok(json_get_u64(doc, run, "seed", &seed, &err), &err);
    assert_ok(json_get_i64(doc, run, "threads", &threads, &err), &err);
    assert_true(seed == UINT64_MAX);
    assert_int_equal(threads, 3);
}

/* ---- writing ---- */

static void test_cli_output__reports_a_full_disk(void **state) {
    struct program_result *r = *state;
    const struct program_options options = {.out_path = "/dev/full"};
    run_program_with(r, &options, (const char *const[]){"version", NULL});
    assert_string_equal(r->err,
                        "accord: cannot write 'standard output': No space left on device\n");
    assert_int_equal(r->status, 1);
    run_program_with(r, &options, (const char *const[]){"version", "--json", NULL});
    assert_string_equal(r->err,
                        "accord: cannot write 'standard output': No space left on device\n");
    assert_int_equal(r->status, 1);
}

static void test_cli_output__reports_a_reader_that_went_away(void **state) {
    struct program_result *r = *state;
    const struct program_options options = {.close_reader = true};
    run_program_with(r, &options, (const char *const[]){"--help", NULL});
    assert_false(r->by_signal);
    assert_string_equal(r->err, "accord: cannot write 'standard output': Broken pipe\n");
    assert_int_equal(r->status, 1);
}

static void test_cli_output__survives_a_file_size_limit(void **state) {
#ifdef ACCORD_COVERAGE
    skip(); /* gcov complains on standard error that it cannot write its counters either */
#endif
    struct program_result *r = *state;
    const struct program_options options = {.program = "/bin/bash"};
    run_program_with(r, &options,
                     (const char *const[]){"-c",
                                           "file=$(mktemp); (ulimit -f 0; exec " ACCORD_PROGRAM
                                           " version >\"$file\"); status=$?; rm \"$file\"; "
                                           "exit $status",
                                           NULL});
    assert_string_equal(r->err, "accord: cannot write 'standard output': File too large\n");
    assert_int_equal(r->status, 1);
}

static void test_cli_output__reports_a_closed_file(void **state) {
    struct program_result *r = *state;
    const struct program_options options = {.program = "/bin/bash"};
    run_program_with(r, &options,
                     (const char *const[]){"-c", "exec " ACCORD_PROGRAM " version >&-", NULL});
    assert_string_equal(r->err, "accord: cannot write 'standard output': Bad file descriptor\n");
    assert_int_equal(r->status, 1);
}

/* ---- help ---- */

/* Lines as wide as promised, none ending in a space, and the command's name in front. */
static void check_help_text(const char *text, const char *name) {
    assert_true(strncmp(text, name, strlen(name)) == 0);
    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n");
        if (length > HELP_COLUMNS_MAX || (length > 0 && line[length - 1] == ' ')) {
            fail_msg("%s: bad line: '%.*s'", name, (int)length, line);
        }
        assert_int_equal(line[length], '\n');
        line += length + 1;
    }
}

/* `accord <words> --help` and `accord help <words>` for a command and all below it. */
static void check_help_tree(struct program_result *r, const struct command_path *path) {
    const char *words[PROGRAM_WORDS_MAX] = {NULL};
    char name[COMMAND_PATH_BYTES];
    command_path_text(path, name);
    for (int64_t i = 1; i < path->length; i++) {
        words[i] = path->commands[i]->name;
    }
    words[0] = "help";
    run_program_with(r, &(struct program_options){.out_path = NULL}, words);
    assert_int_equal(r->status, 0);
    check_help_text(r->out, name);
    SCOPED(strbuf) struct strbuf by_help = STRBUF_INIT(PROGRAM_TEXT_BYTES);
    strbuf_add(&by_help, r->out);
    words[path->length] = "--help";
    run_program_with(r, &(struct program_options){.out_path = NULL}, words + 1);
    assert_string_equal(r->out, strbuf_text(&by_help));

    const struct command *leaf = command_path_leaf(path);
    for (const struct command *const *child = leaf->subcommands; child && *child; child++) {
        struct command_path below = command_path_below(path, *child);
        check_help_tree(r, &below);
    }
}

static void test_cli_help__of_every_command_is_well_formed(void **state) {
    struct command_path path = {.commands = {&cmd_root}, .length = 1};
    check_help_tree(*state, &path);
}

static void test_cli_help__shows_what_the_table_says(void **state) {
    struct program_result *r = *state;
    run_program(r, "demo", "--help", NULL);
    assert_non_null(strstr(r->out, "Usage: accord demo [options]\n"));
    run_program(r, "generate", "--help", NULL);
    assert_non_null(strstr(
        r->out, "\n  -n, --max-new-tokens N  longest answer; 1 to 10000000 (default: 256)\n"));
    run_program(r, NULL);
    assert_int_equal(r->status, 0);
    assert_non_null(strstr(r->out, "\nStart here\n"));
    assert_null(strstr(r->out, "one-op")); /* hidden */
}

/* ---- generated files ---- */

static void read_file(const char *path, char *out) {
    FILE *file = fopen(path, "rb");
    if (!file) {
        fail_msg("cannot open '%s': run 'bash scripts/generate_docs.sh'", path);
        return;
    }
    size_t got = fread(out, 1, FILE_BYTES_MAX - 1, file);
    out[got] = '\0';
    (void)fclose(file);
}

static void check_generated(struct program_result *r, const char *name, const char *const *words) {
    char path[512];
    (void)snprintf(path, sizeof path, "%s/docs/%s", SOURCE_FOLDER, name);
    char *text = malloc(FILE_BYTES_MAX);
    assert_non_null(text);
    read_file(path, text);
    run_program_with(r, &(struct program_options){.out_path = NULL}, words);
    bool same = strcmp(r->out, text) == 0;
    free(text);
    if (!same) {
        fail_msg("docs/%s is not current: run 'bash scripts/generate_docs.sh'", name);
    }
}

static void test_cli_generated_files__are_current(void **state) {
    check_generated(*state, "CLI.md", (const char *const[]){"help", "--markdown", NULL});
    check_generated(*state, "CONFIG.md", (const char *const[]){"config", "--markdown", NULL});
    check_generated(*state, "accord_completion.bash",
                    (const char *const[]){"completion", "bash", NULL});
}

/* ---- completion ---- */

/* What bash would offer after `words`, a shell array in which the last is being typed, to somebody
 * who has unset variables and failed commands end the shell. */
static void complete(struct program_result *r, const char *words, const char *expected) {
    char script[1024];
    (void)snprintf(script, sizeof script,
                   "set -eu; source <(%s completion bash) && COMP_WORDS=(%s) && "
                   "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) && _accord && echo \"${COMPREPLY[*]}\"",
                   ACCORD_PROGRAM, words);
    const struct program_options options = {.program = "/bin/bash"};
    run_program_with(r, &options, (const char *const[]){"-c", script, NULL});
    assert_string_equal(r->err, "");
    assert_string_equal(r->out, expected);
}

static void test_cli_completion__offers_what_may_follow(void **state) {
    complete(*state, "accord doc", "doctor\n");
    complete(*state, "accord bench ''", "start fit torch adamw scope head linear\n");
    complete(*state, "accord help bench to", "torch\n");
    complete(*state, "accord doctor --no", "--no-torch\n");
    complete(*state, "accord doctor --q", "--quiet\n");
    complete(*state, "accord generate --samples ''", "\n");
    complete(*state, "accord '' 'demo doctor' '[' d", "demo doctor\n"); /* words of no command */
    complete(*state, "accord --config " SOURCE_FOLDER "/CMakeLi",
             SOURCE_FOLDER "/CMakeLists.txt\n");
    complete(*state, "accord --config = " SOURCE_FOLDER "/CMakeLi",
             SOURCE_FOLDER "/CMakeLists.txt\n");
}

/* ---- doctor ---- */

static void test_cli_doctor__without_torch_never_looks_for_it(void **state) {
    struct program_result *r = *state;
    const char *const environment[] = {"ACCORD_TORCH_DIR=/nonexistent", NULL};
    run_program_with(r, &(struct program_options){.environment = environment},
                     (const char *const[]){"doctor", "--no-torch", "--json", NULL});
    assert_int_equal(r->status, 0);
    SCOPED(json) struct json *doc = parse_output(r);
    const struct json_node *findings = NULL;
    struct error err = ERROR_INIT;
    assert_ok(json_get_array(doc, json_root(doc), "findings", &findings, &err), &err);
    assert_true(json_count(doc, findings) >= 8);
    assert_null(strstr(r->out, "libtorch"));
}

static void test_cli_doctor__shows_any_byte_it_quotes(void **state) {
    struct program_result *r = *state;
    const char *const environment[] = {"OMP_NUM_THREADS=\x1B[31m\xFF", NULL};
    const struct program_options options = {.environment = environment};
    run_program_with(r, &options, (const char *const[]){"doctor", "--no-torch", "--json", NULL});
    assert_int_equal(r->status, 1);
    SCOPED(json) struct json *doc = parse_output(r);
    assert_int_equal(json_kind_of(json_root(doc)), JSON_KIND_OBJECT); /* it is valid UTF-8, then */
    assert_non_null(strstr(r->out, "OMP_NUM_THREADS='\\\\u001b[31m\\\\xff'"));
    run_program_with(r, &options, (const char *const[]){"doctor", "--no-torch", NULL});
    assert_non_null(strstr(r->out, "OMP_NUM_THREADS='\\u001b[31m\\xff'"));
}

#ifndef ACCORD_WITH_TORCH
static void test_cli_tensors__are_refused_when_built_without(void **state) {
    struct program_result *r = *state;
    run_program(r, "demo", NULL);
    assert_string_equal(r->err, "accord: sft: this accord is built without libtorch: build it with "
                                "-DACCORD_WITH_TORCH=ON\n");
    assert_int_equal(r->status, 1);
}
#endif

int main(void) {
#define CLI_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        CLI_TEST(test_cli_usage__is_refused_in_one_line_with_status_2),
        CLI_TEST(test_cli_config__is_refused_in_one_line_with_status_2),
        CLI_TEST(test_cli_error__stays_on_its_line_whatever_it_quotes),
        CLI_TEST(test_cli_version__names_the_program_and_the_tree),
        CLI_TEST(test_cli_json__is_one_value_with_what_was_asked_for),
        CLI_TEST(test_cli_json__also_holds_the_error),
        CLI_TEST(test_cli_config__says_whose_keys_it_lists),
        CLI_TEST(test_cli_config_json__is_a_file_that_config_takes_back),
        CLI_TEST(test_cli_output__reports_a_full_disk),
        CLI_TEST(test_cli_output__reports_a_reader_that_went_away),
        CLI_TEST(test_cli_output__survives_a_file_size_limit),
        CLI_TEST(test_cli_output__reports_a_closed_file),
        CLI_TEST(test_cli_help__of_every_command_is_well_formed),
        CLI_TEST(test_cli_help__shows_what_the_table_says),
        CLI_TEST(test_cli_generated_files__are_current),
        CLI_TEST(test_cli_completion__offers_what_may_follow),
        CLI_TEST(test_cli_doctor__without_torch_never_looks_for_it),
        CLI_TEST(test_cli_doctor__shows_any_byte_it_quotes),
#ifndef ACCORD_WITH_TORCH
        CLI_TEST(test_cli_tensors__are_refused_when_built_without),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
