/* accord stats as its users meet it. */
#include "base/json.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "tests/support/project_case.h"
#include "tests/support/test.h"

static void make_project(struct project_case *c, const char *file, const char *rows) {
    run_program(&c->r, "init", c->db, "--quiet", NULL);
    assert_int_equal(c->r.status, 0);
    if (rows) {
        scratch_write(c->scratch, file, rows);
        run_program(&c->r, "import", c->db, scratch_path(c->scratch, file), "--quiet", NULL);
        assert_string_equal(c->r.err, "");
        assert_int_equal(c->r.status, 0);
    }
}

static const char tea_rows[] =
    "{\"prompt\": \"Tea?\", \"chosen\": \"Yes, please.\", \"rejected\": \"No.\"}\n"
    "{\"prompt\": \"Tea?\", \"chosen\": \"No.\", \"rejected\": \"Yes, please.\"}\n"
    "{\"prompt\": \"Milk?\", \"chosen\": \"A little.\", \"rejected\": \"None, thank you.\"}\n";

/* What is below the counts, which depend on where the prompts' hashes fall. */
static const char tea_text[] =
    "\nComparisons\n"
    "  comparisons                    3  of 4 responses to 2 prompts\n"
    "  strict pairs                   3\n"
    "  tied pairs                     0\n"
    "  ties                   0.0 %                        [0.0, 56.1]  0 of 3 pairs\n"
    "\nOrder shown and length\n"
    "  shown first wins           -   no strict pairs whose order is known\n"
    "  the longer wins       33.3 %  ██████▋               [6.1, 79.2]  1 of 3 strict pairs of "
    "different length\n"
    "  correlation           -0.278  of winning with the difference in characters, -0.175 in their "
    "log\n"
    "\n"
    "  characters             all responses            chosen                   rejected\n"
    "  mean                     10                        8                       10\n"
    "  median                   11                        9                       12\n"
    "  2 - 4                25.0 % ██████            33.3 % ████████          33.3 % ████████\n"
    "  5 - 9                25.0 % ██████            33.3 % ████████           0.0 %\n"
    "  10 - 19              50.0 % ████████████      33.3 % ████████          66.7 % "
    "████████████████\n"
    "\nAgreement\n"
    "  between annotators  no pair of responses was judged by two named annotators\n"
    "\nOne order?\n"
    "  triples             no three responses to a prompt were all compared with each other\n"
    "  Bradley-Terry       not tested: the rewards alone fit every pair: nothing is left to test\n"
    "\nSources\n"
    "                              judgements      ties     first    longer   rows (rejected)\n"
    "  tea.jsonl                            3     0.0 %         -    33.3 %   3 (0) trl\n";

static void test_cli_stats__text_of_three_rows(void **state) {
    struct project_case *c = *state;
    make_project(c, "tea.jsonl", tea_rows);
    run_program(&c->r, "stats", c->db, NULL);
    assert_int_equal(c->r.status, 0);
    assert_string_equal(c->r.err, "");
    const char *counts = "  prompts                        2   2 plain text\n"
                         "  responses                      4\n"
                         "  comparisons                    3\n"
                         "  sources                        1\n";
    assert_non_null(strstr(c->r.out, counts));
    const char *judged = strstr(c->r.out, "\nComparisons\n");
    assert_non_null(judged);
    assert_string_equal(judged, tea_text);
}

static void test_cli_stats__json_has_every_number(void **state) {
    struct project_case *c = *state;
    make_project(c, "tea.jsonl", tea_rows);
    run_program(&c->r, "stats", c->db, "--json", "--seed", "7", NULL);
    assert_int_equal(c->r.status, 0);
    struct error err = ERROR_INIT;
    SCOPED(json) struct json *doc = NULL;
    assert_ok(json_parse(c->r.out, strlen(c->r.out), "output", NULL, &doc, &err), &err);
    const struct json_node *list = NULL;
    const struct json_node *length = NULL;
    const struct json_node *longer = NULL;
    int64_t seed = 0;
    int64_t count = 0;
    double rate = 0.0;
    assert_ok(json_get_i64(doc, json_root(doc), "seed", &seed, &err), &err);
    assert_int_equal(seed, 7);
    assert_ok(json_get_array(doc, json_root(doc), "comparisons", &list, &err), &err);
    const struct json_node *first = json_first(list);
    assert_non_null(first);
    assert_ok(json_get_i64(doc, first, "comparisons", &count, &err), &err);
    assert_int_equal(count, 3);
    assert_ok(json_get_object(doc, first, "length", &length, &err), &err);
    assert_ok(json_get_object(doc, length, "longer_wins", &longer, &err), &err);
    assert_ok(json_get_f64(doc, longer, "rate", &rate, &err), &err);
    assert_true(rate == 1.0 / 3.0);
}

static void test_cli_stats__of_nothing(void **state) {
    struct project_case *c = *state;
    make_project(c, NULL, NULL);
    run_program(&c->r, "stats", c->db, NULL);
    assert_int_equal(c->r.status, 0);
    assert_non_null(strstr(c->r.out, "prompts                        0\n"));
    run_program(&c->r, "stats", c->db, "--json", NULL);
    assert_int_equal(c->r.status, 0);
    assert_non_null(strstr(c->r.out, "\"comparisons\": [],"));
}

/* Five annotators judge three teams in a circle, again and again. */
static void test_cli_stats__annotators_circles_and_fit(void **state) {
    struct project_case *c = *state;
    SCOPED(strbuf) struct strbuf rows = STRBUF_INIT(4096);
    strbuf_add(&rows, "winner,loser,annotator\n");
    const char *const teams[] = {"Ajax", "Bonn", "Celtic"};
    for (int k = 0; k < 60; k++) {
        const char *one = teams[k % 3];
        const char *two = teams[(k + 1) % 3];
        bool upset = k % 4 == 3;
        strbuf_addf(&rows, "%s,%s,ann%d\n", upset ? two : one, upset ? one : two, k % 5);
    }
    make_project(c, "matches.csv", strbuf_text(&rows));
    run_program(&c->r, "stats", c->db, "--annotators", "2", NULL);
    assert_string_equal(c->r.err, "");
    assert_int_equal(c->r.status, 0);
    assert_non_null(strstr(c->r.out, "of 3 items in 1 set\n"));
    assert_non_null(strstr(c->r.out, "  cycles                         1  100 %: a beats b"));
    assert_non_null(strstr(c->r.out, "  Kendall zeta               0.000  "));
    /* 15 : 5 round the circle: 6 (15 log(3/2) + 5 log(1/2)) */
    assert_non_null(strstr(c->r.out, "G2 = 15.70 on 1 degree of freedom, p = 7.43e-05, "));
    assert_non_null(strstr(c->r.out, "One number per response does not explain the pairs"));
    assert_non_null(strstr(c->r.out, "  and 3 more\n"));
}

/* What names no aspect is shown beside what does, and can be asked for. */
static void test_cli_stats__rows_without_an_aspect_are_not_lost(void **state) {
    struct project_case *c = *state;
    make_project(c, "tea.jsonl",
                 "{\"prompt\": \"Tea?\", \"chosen\": \"Yes.\", \"rejected\": \"No.\"}\n"
                 "{\"prompt\": \"Tea?\", \"chosen\": \"No.\", \"rejected\": \"Yes.\"}\n"
                 "{\"prompt\": \"Tea?\", \"chosen\": \"Yes.\", \"rejected\": \"No.\", "
                 "\"aspect\": \"taste\"}\n");
    run_program(&c->r, "stats", c->db, NULL);
    assert_int_equal(c->r.status, 0);
    assert_non_null(strstr(c->r.out, "Comparisons of aspect 'taste'\n  comparisons               "
                                     "     1 "));
    assert_non_null(strstr(c->r.out, "Comparisons of aspect '(none)'\n  comparisons              "
                                     "      2 "));
    run_program(&c->r, "stats", c->db, "--aspect", "(none)", NULL);
    assert_int_equal(c->r.status, 0);
    assert_null(strstr(c->r.out, "'taste'"));
    assert_non_null(strstr(c->r.out, "'(none)'"));
}

static void test_cli_stats__refusals(void **state) {
    struct project_case *c = *state;
    make_project(c, "tea.jsonl", tea_rows);
    run_program(&c->r, "stats", scratch_path(c->scratch, "none.db"), NULL);
    assert_int_equal(c->r.status, 1);
    assert_non_null(strstr(c->r.err, "no project file"));
    run_program(&c->r, "stats", c->db, "--split", "exam", NULL);
    assert_int_equal(c->r.status, 2);
    run_program(&c->r, "stats", c->db, "--aspect", "taste", NULL);
    assert_int_equal(c->r.status, 3);
    assert_non_null(strstr(c->r.err, "nothing is judged in aspect 'taste'"));
    run_program(&c->r, "stats", c->db, "--population", "bakers", NULL);
    assert_int_equal(c->r.status, 3);
    assert_non_null(strstr(c->r.err, "no annotator is of population 'bakers'"));
    run_program(&c->r, "stats", c->db, "--from-ratings", NULL);
    assert_int_equal(c->r.status, 3);
    assert_non_null(strstr(c->r.err, "there are no ratings"));
    assert_string_equal(c->r.out, "");
}

int main(void) {
#define STATS_TEST(function) \
    cmocka_unit_test_setup_teardown(function, project_case_setup, project_case_teardown)
    const struct CMUnitTest tests[] = {
        STATS_TEST(test_cli_stats__text_of_three_rows),
        STATS_TEST(test_cli_stats__json_has_every_number),
        STATS_TEST(test_cli_stats__of_nothing),
        STATS_TEST(test_cli_stats__annotators_circles_and_fit),
        STATS_TEST(test_cli_stats__rows_without_an_aspect_are_not_lost),
        STATS_TEST(test_cli_stats__refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
