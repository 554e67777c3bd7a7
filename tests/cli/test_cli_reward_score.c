/* accord reward score, as its users meet it. */
#include "tests/support/project_case.h"
#include "tests/support/test.h"

static const char rows[] =
    "{\"prompt\":\"What?\",\"chosen\":\"tea\",\"rejected\":\"coffee\"}\n"
    "{\"prompt\":\"What?\",\"chosen\":\"tea\",\"rejected\":\"[\\\"o\\\"]\"}\n";

static const char *path(struct project_case *cli, const char *name) {
    return scratch_path(cli->scratch, name);
}

#define SUCCEED(cli, ...)                          \
    do {                                           \
        run_program(&(cli)->r, __VA_ARGS__, NULL); \
        program_check_ok(&(cli)->r);               \
    } while (0)

static void make_project(struct project_case *cli) {
    scratch_write(cli->scratch, "rows.jsonl", rows);
    SUCCEED(cli, "init", path(cli, "p.db"), "--quiet");
    SUCCEED(cli, "import", path(cli, "p.db"), path(cli, "rows.jsonl"), "--quiet");
}

static void test_score__rows(void **state) {
    struct project_case *cli = *state;
    make_project(cli);
    SUCCEED(cli, "reward", "score", path(cli, "p.db"), "-r", "length:0.5", "--reward", "2*json",
            "-r", "command:while read -r x; do echo 0.25; done", "--quiet");
    assert_string_equal(cli->r.out,
                        "{\"comparison_id\":1,\"prompt_id\":1,\"response_id\":1,\"rank\":1,"
                        "\"rewards\":[1.5,0,0.25],\"reward\":1.75}\n"
                        "{\"comparison_id\":1,\"prompt_id\":1,\"response_id\":2,\"rank\":2,"
                        "\"rewards\":[3,0,0.25],\"reward\":3.25}\n"
                        "{\"comparison_id\":2,\"prompt_id\":1,\"response_id\":1,\"rank\":1,"
                        "\"rewards\":[1.5,0,0.25],\"reward\":1.75}\n"
                        "{\"comparison_id\":2,\"prompt_id\":1,\"response_id\":3,\"rank\":2,"
                        "\"rewards\":[2.5,2,0.25],\"reward\":4.75}\n");
}

/* Lengths 3, 6, 3, 5: mean 17 / 4 = 4.25, squares 1.25^2 + 1.75^2 + 1.25^2 + 0.75^2 = 6.75, sd
 * sqrt(6.75 / 3) = 1.5. A fit is of answers by what they say, so it knows all of them. */
static void test_score__summary(void **state) {
    struct project_case *cli = *state;
    make_project(cli);
    SUCCEED(cli, "reward", "score", path(cli, "p.db"), "-r", "length", "-o", path(cli, "out.jsonl"),
            "--quiet");
    assert_string_equal(cli->r.out,
                        "         n        mean          sd         min         max  reward\n"
                        "         4        4.25         1.5           3           6  length\n");
    assert_non_null(strstr(scratch_read(cli->scratch, "out.jsonl"), "\"rewards\":[6]"));
    SUCCEED(cli, "reward", "fit", path(cli, "p.db"), "--estimator", "firth", "--quiet");
    SUCCEED(cli, "reward", "score", path(cli, "p.db"), "-r", "fit", "-r", "length", "-o",
            path(cli, "out.jsonl"), "--json", "--quiet");
    assert_non_null(
        strstr(cli->r.out, "\"reward\": \"fit\",\n      \"n\": 4,\n      \"unknown\": 0"));
    assert_non_null(strstr(cli->r.out,
                           "\"reward\": \"length\",\n      \"n\": 4,\n      \"unknown\": "
                           "0,\n      \"mean\": 4.25,\n      \"sd\": 1.5,\n"
                           "      \"min\": 3,\n      \"max\": 6\n"));
    assert_non_null(strstr(cli->r.out, "\"reward\": \"sum\""));
}

/* "tea" has 3 characters and is no JSON, "coffee" 6, ["o"] 5 and is. worst(0.5 * 3, 1 + 1 + 0)
 * = 1.5; worst(3, 1) = 1; worst(2.5, 1 + 0 + 1) = 2. Commas and parentheses of a pattern stand in
 * quotes. */
static void test_score__combines_rewards(void **state) {
    struct project_case *cli = *state;
    make_project(cli);
    static const char formula[] =
        "worst(0.5*length, sum('command:while read -r x; do echo 1,5 | tr -d ,5; done', "
        "'regex:^(tea|,)', json))";
    SUCCEED(cli, "reward", "score", path(cli, "p.db"), "-r", formula, "--quiet");
    assert_non_null(strstr(cli->r.out, "\"response_id\":1,\"rank\":1,\"rewards\":[1.5]"));
    assert_non_null(strstr(cli->r.out, "\"response_id\":2,\"rank\":2,\"rewards\":[1]"));
    assert_non_null(strstr(cli->r.out, "\"response_id\":3,\"rank\":2,\"rewards\":[2]"));
    run_program(&cli->r, "reward", "score", path(cli, "p.db"), "-r", "mean(length,)", NULL);
    assert_int_equal(cli->r.status, 2);
    assert_non_null(strstr(cli->r.err, "reward 'mean(length,)': at byte 13: a reward is missing"));
}

/* The program counts what it is asked: tea is in both comparisons, and is asked about once. */
static void test_score__asks_about_an_answer_once(void **state) {
    struct project_case *cli = *state;
    project_case_import_rows(cli,
                             "{\"prompt\":\"Drink?\",\"chosen\":\"tea\",\"rejected\":\"mud\"}\n"
                             "{\"prompt\":\"Drink?\",\"chosen\":\"milk\",\"rejected\":\"tea\"}\n");
    SUCCEED(cli, "reward", "score", cli->db, "-r",
            "command:n=0; while read -r x; do n=$((n+1)); echo $n; done", "--quiet");
    assert_non_null(strstr(cli->r.out, "\"comparison_id\":1,\"prompt_id\":1,\"response_id\":1,"
                                       "\"rank\":1,\"rewards\":[1]"));
    assert_non_null(strstr(cli->r.out, "\"comparison_id\":2,\"prompt_id\":1,\"response_id\":3,"
                                       "\"rank\":1,\"rewards\":[3]"));
    assert_non_null(strstr(cli->r.out, "\"comparison_id\":2,\"prompt_id\":1,\"response_id\":1,"
                                       "\"rank\":2,\"rewards\":[1]"));
}

static void test_score__refuses_in_one_line(void **state) {
    struct project_case *cli = *state;
    make_project(cli);
    run_program(&cli->r, "reward", "score", path(cli, "p.db"), NULL);
    assert_int_equal(cli->r.status, 2);
    assert_non_null(strstr(cli->r.err, "which reward? Give --reward"));
    run_program(&cli->r, "reward", "score", path(cli, "p.db"), "-r", "lenght", NULL);
    assert_int_equal(cli->r.status, 2);
    assert_non_null(strstr(cli->r.err, "did you mean 'length'"));
    run_program(&cli->r, "reward", "score", path(cli, "p.db"), "-r", "command:echo no >&2; exit 3",
                "-o", path(cli, "out.jsonl"), NULL);
    assert_int_equal(cli->r.status, 1);
    assert_non_null(strstr(
        cli->r.err, "comparisons 1 to 2: reward command 'echo no >&2; exit 3': answer 1 of 3: the "
                    "program ended with status 3 after 0 of 1 answers; its last words: 'no'"));
    assert_null(strstr(scratch_list(cli->scratch), "out.jsonl"));
    /* too much, seen only when its input ends */
    run_program(&cli->r, "reward", "score", path(cli, "p.db"), "-r",
                "command:while read -r x; do echo 1; done; echo 2", "-o", path(cli, "out.jsonl"),
                NULL);
    assert_int_equal(cli->r.status, 3);
    assert_non_null(strstr(cli->r.err, "more lines than it was asked for"));
    assert_null(strstr(scratch_list(cli->scratch), "out.jsonl"));
}

int main(void) {
#define CASE(f) cmocka_unit_test_setup_teardown(f, project_case_setup, project_case_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_score__rows),
        CASE(test_score__asks_about_an_answer_once),
        CASE(test_score__summary),
        CASE(test_score__combines_rewards),
        CASE(test_score__refuses_in_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
