/* accord init, export and backup, as their users meet them. */
#include "tests/support/project_case.h"
#include "tests/support/test.h"

/* One of each kind, as export writes them. */
static const char rows[] =
    "{\"judgement\":\"comparison\",\"prompt\":\"What?\",\"chosen\":\"tea\",\"rejected\":\"coffee\","
    "\"annotator\":\"ann\",\"population\":\"uk\"}\n"
    "{\"judgement\":\"comparison\",\"prompt\":\"What?\",\"responses\":[{\"text\":\"tea\",\"rank\":"
    "1},"
    "{\"text\":\"water\",\"rank\":1}]}\n"
    "{\"judgement\":\"rating\",\"prompt\":\"What?\",\"response\":\"tea\",\"rating\":4.5}\n"
    "{\"judgement\":\"label\",\"prompt\":\"What?\",\"completion\":\"tea\",\"label\":true}\n"
    "{\"judgement\":\"demonstration\",\"prompt\":\"What?\",\"completion\":\"tea\"}\n"
    "{\"judgement\":\"prompt\",\"prompt\":\"Why?\"}\n";

static const char *path(struct project_case *cli, const char *name) {
    return scratch_path(cli->scratch, name);
}

#define SUCCEED(cli, ...)                          \
    do {                                           \
        run_program(&(cli)->r, __VA_ARGS__, NULL); \
        program_check_ok(&(cli)->r);               \
    } while (0)

static void make_project(struct project_case *cli, const char *name) {
    scratch_write(cli->scratch, "rows.jsonl", rows);
    SUCCEED(cli, "init", path(cli, name), "--quiet");
    SUCCEED(cli, "import", path(cli, name), path(cli, "rows.jsonl"), "--quiet");
}

static void test_init__makes_a_project_and_says_what_next(void **state) {
    struct project_case *cli = *state;
    SUCCEED(cli, "init", path(cli, "p.db"));
    assert_non_null(strstr(cli->r.out, "next:\n  accord import "));
    assert_string_equal(cli->r.err, "");
    assert_string_equal(scratch_list(cli->scratch), "p.db");
    run_program(&cli->r, "init", path(cli, "p.db"), NULL);
    assert_int_equal(cli->r.status, 1);
    assert_non_null(strstr(cli->r.err, "exists already, and is left as it is"));
    SUCCEED(cli, "init", path(cli, "q.db"), "--json");
    assert_non_null(strstr(cli->r.out, "\"version\": 1"));
}

static void test_export__is_what_was_imported(void **state) {
    struct project_case *cli = *state;
    make_project(cli, "p.db");
    SUCCEED(cli, "export", path(cli, "p.db"), "--quiet");
    assert_string_equal(cli->r.out, rows);
    SUCCEED(cli, "export", path(cli, "p.db"), "-o", path(cli, "out.jsonl"), "--quiet");
    assert_string_equal(scratch_read(cli->scratch, "out.jsonl"), rows);
    assert_non_null(strstr(cli->r.out, "wrote 6 rows to "));
}

/* A table that was exported is imported, and exported as JSON again: nothing that the table has
 * columns for is lost, and who won stays. */
static void check_table(struct project_case *cli, const char *kind, const char *expected) {
    scratch_write(cli->scratch, "in.jsonl", expected);
    SUCCEED(cli, "init", path(cli, "a.db"), "--quiet");
    SUCCEED(cli, "import", path(cli, "a.db"), path(cli, "in.jsonl"), "--quiet");
    SUCCEED(cli, "export", path(cli, "a.db"), "-f", "csv", "-k", kind, "-o", path(cli, "t.csv"),
            "--quiet");
    SUCCEED(cli, "init", path(cli, "b.db"), "--quiet");
    SUCCEED(cli, "import", path(cli, "b.db"), path(cli, "t.csv"), "--quiet");
    SUCCEED(cli, "export", path(cli, "b.db"), "--quiet");
    assert_string_equal(cli->r.out, expected);
}

static void test_export__tables_of_rankings_come_back(void **state) {
    check_table(*state, "comparisons",
                "{\"judgement\":\"comparison\",\"prompt\":\"What?\",\"responses\":["
                "{\"text\":\"tea\",\"origin\":\"m\",\"rank\":2,\"position\":3},"
                "{\"text\":\"coffee\",\"rank\":1,\"position\":1},"
                "{\"text\":\"\",\"rank\":2,\"position\":2}],\"margin\":0.5,\"weight\":2}\n"
                "{\"judgement\":\"comparison\",\"prompt\":\"What?\",\"responses\":["
                "{\"text\":\"tea\",\"rank\":1},{\"text\":\"milk\",\"rank\":4}]}\n");
}

static void test_export__tables_of_items_come_back(void **state) {
    check_table(*state, "comparisons",
                "{\"judgement\":\"comparison\",\"items\":\"league\",\"responses\":["
                "{\"text\":\"ajax\",\"rank\":1,\"position\":1},"
                "{\"text\":\"betis\",\"rank\":2,\"position\":2}]}\n"
                "{\"judgement\":\"comparison\",\"items\":\"cup\",\"responses\":["
                "{\"text\":\"betis\",\"rank\":2},{\"text\":\"ajax\",\"rank\":1}]}\n"
                "{\"judgement\":\"comparison\",\"items\":\"cup\",\"responses\":["
                "{\"text\":\"betis\",\"rank\":1},{\"text\":\"ajax\",\"rank\":1}]}\n");
}

static void test_export__tables_of_ratings_come_back(void **state) {
    check_table(*state, "ratings",
                "{\"judgement\":\"rating\",\"prompt\":\"What?\",\"response\":\"tea\","
                "\"rating\":4.5,\"low\":-1,\"high\":5,\"asked_at\":-5}\n"
                "{\"judgement\":\"rating\",\"prompt\":\"What?\",\"response\":\"tea\","
                "\"rating\":0.1,\"aspect\":\"taste\"}\n");
}

static void test_export__selects(void **state) {
    struct project_case *cli = *state;
    make_project(cli, "p.db");
    SUCCEED(cli, "export", path(cli, "p.db"), "--kind", "ratings", "--quiet");
    assert_string_equal(cli->r.out, "{\"judgement\":\"rating\",\"prompt\":\"What?\","
                                    "\"response\":\"tea\",\"rating\":4.5}\n");
    SUCCEED(cli, "export", path(cli, "p.db"), "--population", "uk", "--format", "csv", "--quiet");
    assert_string_equal(
        cli->r.out,
        "prompt,response_a,response_b,winner,origin_a,origin_b,margin,topic,aspect,annotator,"
        "population,weight,time\nWhat?,tea,coffee,a,,,,,,ann,uk,1,\n");
    SUCCEED(cli, "export", path(cli, "p.db"), "--kind", "pairs", "-o", path(cli, "o"), "--json",
            "--quiet");
    assert_non_null(strstr(cli->r.out, "\"rows\": 1,\n  \"left_out\": 1"));
    SUCCEED(cli, "export", path(cli, "p.db"), "--kind", "works", "--quiet");
    assert_string_equal(cli->r.out, "");
}

static void test_export__refuses_in_one_line(void **state) {
    struct project_case *cli = *state;
    make_project(cli, "p.db");
    run_program(&cli->r, "export", path(cli, "p.db"), "--kind", "works", "--split", "test", NULL);
    assert_int_equal(cli->r.status, 2);
    assert_string_equal(cli->r.err, "accord: --split does not go with --kind works\n");
    run_program(&cli->r, "export", path(cli, "none.db"), NULL);
    assert_int_equal(cli->r.status, 1);
    assert_non_null(strstr(cli->r.err, "make one with: accord init"));
    run_program(&cli->r, "export", path(cli, "p.db"), "-o", path(cli, "no/such/file"), NULL);
    assert_int_equal(cli->r.status, 1);
    assert_string_equal(cli->r.out, "");
}

static void test_backup__is_a_whole_project(void **state) {
    struct project_case *cli = *state;
    make_project(cli, "p.db");
    SUCCEED(cli, "backup", path(cli, "p.db"), path(cli, "copy.db"));
    SUCCEED(cli, "export", path(cli, "copy.db"), "--quiet");
    assert_string_equal(cli->r.out, rows);
    run_program(&cli->r, "backup", path(cli, "p.db"), path(cli, "rows.jsonl"), NULL);
    assert_int_equal(cli->r.status, 1);
    assert_non_null(strstr(cli->r.err, "choose another name, or add --replace"));
    assert_string_equal(scratch_read(cli->scratch, "rows.jsonl"), rows);
    SUCCEED(cli, "backup", path(cli, "p.db"), path(cli, "rows.jsonl"), "--replace");
}

int main(void) {
#define CASE(f) cmocka_unit_test_setup_teardown(f, project_case_setup, project_case_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_init__makes_a_project_and_says_what_next),
        CASE(test_export__is_what_was_imported),
        CASE(test_export__tables_of_rankings_come_back),
        CASE(test_export__tables_of_items_come_back),
        CASE(test_export__tables_of_ratings_come_back),
        CASE(test_export__selects),
        CASE(test_export__refuses_in_one_line),
        CASE(test_backup__is_a_whole_project),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
