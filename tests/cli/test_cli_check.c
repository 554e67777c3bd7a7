/* accord check as its users meet it. */
#include "base/json.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "data/preference_log.h"
#include "data/project.h"
#include "tests/support/project_case.h"
#include "tests/support/test.h"

#include <stdio.h>

struct cli_row {
    const char *prompt, *better, *worse;
};

/* A project of one source "tea.jsonl", whose rows begin at line 1. */
static void make_project(struct project_case *c, const struct cli_row *rows, int64_t count) {
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = NULL;
    SCOPED(preference_log) struct preference_log *log = NULL;
    SCOPED(db_tx) struct db_tx tx = DB_TX_INIT;
    assert_ok(project_open(c->db, DB_MODE_CREATE, NULL, &db, &err), &err);
    assert_ok(preference_log_open(db, &log, &err), &err);
    assert_ok(db_tx_open(db, &tx, &err), &err);
    assert_ok(preference_log_begin_source(log, "tea.jsonl", "trl", "{}", 0, &err), &err);
    for (int64_t i = 0; i < count; i++) {
        const struct preference_response sides[] = {
            {.text = text_span_of(rows[i].better), .rank = 1},
            {.text = text_span_of(rows[i].worse), .rank = 2},
        };
        const struct preference row = {
            .kind = PREFERENCE_COMPARISON,
            .line = i + 1,
            .prompt = {.kind = PROMPT_TEXT, .text = text_span_of(rows[i].prompt)},
            .responses = sides,
            .response_count = 2,
            .weight = 1.0};
        assert_ok(preference_log_append(log, &row, &err), &err);
    }
    const struct preference_source_summary summary = {
        .sha256.bytes[0] = 1, .bytes = 1, .rows = count};
    assert_ok(preference_log_end_source(log, &summary, &err), &err);
    assert_ok(db_tx_commit(&tx, &err), &err);
}

static const struct cli_row clean_rows[] = {
    {"Tea or coffee?", "Tea.", "Coffee."},
    {"Sea or hills?", "The sea.", "Hills."},
};

static const struct cli_row bad_rows[] = {
    {"Tea or coffee?", "Tea.", "Coffee."},
    {"Sea or hills?", "", "Hills.<|im_end|>"},
    {"Sea or hills?", "Hills.<|im_end|>", ""},
};

static void test_cli_check__says_in_few_lines_that_nothing_is_wrong(void **state) {
    struct project_case *c = *state;
    make_project(c, clean_rows, 2);
    run_program(&c->r, "check", c->db, "--strict", "--quiet", NULL);
    assert_int_equal(c->r.status, 0);
    assert_string_equal(c->r.err, "");
    char expected[1024];
    (void)snprintf(expected, sizeof expected,
                   "%s: 2 comparisons, 4 answers, 2 prompts, 1 source\n"
                   "\n"
                   "  bytes           median        90 %%        99 %%     longest\n"
                   "  prompts             13          14          14          14\n"
                   "  answers              6           8           8           8\n"
                   "\n"
                   "Nothing wrong; 33 of 33 things looked for were not found.\n"
                   "Near duplicates: shingles of 3 words, Jaccard index at least 0.8, verified.\n",
                   c->db);
    assert_string_equal(c->r.out, expected);
}

static void test_cli_check__shows_count_place_effect_and_remedy(void **state) {
    struct project_case *c = *state;
    make_project(c, bad_rows, 3);
    run_program(&c->r, "check", c->db, "--quiet", "--only", "empty-answer,chat-markup",
                "--only=disagreement", NULL);
    assert_int_equal(c->r.status, 0);
    assert_string_equal(c->r.err, "");
    const char *findings = strstr(c->r.out, "\nErrors\n");
    assert_non_null(findings);
    assert_string_equal(
        findings,
        "\nErrors\n"
        "\n"
        "  empty-answer: empty answers\n"
        "    1 of 4 answers (25 %)\n"
        "    tea.jsonl:2  preferred\n"
        "    effect  a chosen one teaches the model to say nothing, a rejected one that any words "
        "are better\n"
        "    remedy  drop these rows, or find the lost text\n"
        "\n"
        "Warnings\n"
        "\n"
        "  chat-markup: texts with markup of a chat template\n"
        "    1 of 6 texts (17 %)\n"
        "    tea.jsonl:2  <|im_end|> at byte 6 of the answer\n"
        "        \"Hills.<|im_end|>\"\n"
        "    effect  the template is applied twice, and the model learns to write turns of the "
        "user\n"
        "    remedy  import with the format that takes it apart (--format hh for transcripts), or "
        "remove it\n"
        "\n"
        "Notes\n"
        "\n"
        "  disagreement: verdicts against the majority of a pair's verdicts\n"
        "    1 of 2 verdicts on pairs that were judged more than once (50 %)\n"
        "    tea.jsonl:2 and line 3  1 against 1\n"
        "    effect  nothing bad: it is what people disagree about, and a fit should keep it\n"
        "    remedy  compare with 'accord stats', which says how much of it is more than noise\n"
        "\n"
        "1 error and 1 warning, 1 note; 0 of 3 things looked for were not found.\n"
        "Near duplicates: shingles of 3 words, Jaccard index at least 0.8, verified.\n");
}

static void test_cli_check__strict_is_status_3_for_errors_and_warnings(void **state) {
    struct project_case *c = *state;
    make_project(c, bad_rows, 3);
    char expected[1024];
    run_program(&c->r, "check", c->db, "--strict", "--quiet", NULL);
    assert_int_equal(c->r.status, 3);
    (void)snprintf(expected, sizeof expected,
                   "accord: --strict: '%s' has 1 error and 1 warning; without it they are only "
                   "shown\n",
                   c->db);
    assert_string_equal(c->r.err, expected);
    assert_non_null(strstr(c->r.out, "empty-answer"));
    run_program(&c->r, "check", c->db, "--strict", "--only", "disagreement", NULL);
    assert_int_equal(c->r.status, 0); /* a note is no fault */
    run_program(&c->r, "check", c->db, "--strict", "--only", "chat-markup", NULL);
    assert_int_equal(c->r.status, 3);
}

static const struct json_node *finding(const struct json *doc, const char *key) {
    struct error err = ERROR_INIT;
    const struct json_node *list = NULL;
    assert_ok(json_get_array(doc, json_root(doc), "findings", &list, &err), &err);
    for (const struct json_node *f = json_first(list); f; f = json_next(f)) {
        const char *name = NULL;
        assert_ok(json_get_string(doc, f, "finding", &name, &err), &err);
        if (strcmp(name, key) == 0) {
            return f;
        }
    }
    fail_msg("there is no finding '%s'", key);
    return NULL;
}

static void test_cli_check__json_holds_everything(void **state) {
    struct project_case *c = *state;
    struct error err = ERROR_INIT;
    make_project(c, bad_rows, 3);
    run_program(&c->r, "check", c->db, "--json", "--strict", NULL);
    assert_int_equal(c->r.status, 3);
    SCOPED(json) struct json *doc = NULL;
    assert_ok(json_parse(c->r.out, strlen(c->r.out), "output", NULL, &doc, &err), &err);
    int64_t errors = 0, count = 0, line = 0;
    double threshold = 0.0;
    assert_ok(json_get_i64(doc, json_root(doc), "errors", &errors, &err), &err);
    assert_ok(json_get_f64(doc, json_root(doc), "near_threshold", &threshold, &err), &err);
    assert_int_equal(errors, 1);
    assert_true(threshold == 0.8);
    const struct json_node *empty = finding(doc, "empty-answer");
    const struct json_node *examples = NULL, *place = NULL;
    assert_ok(json_get_i64(doc, empty, "count", &count, &err), &err);
    assert_ok(json_get_array(doc, empty, "examples", &examples, &err), &err);
    assert_ok(json_get_object(doc, json_first(examples), "place", &place, &err), &err);
    assert_ok(json_get_i64(doc, place, "line", &line, &err), &err);
    assert_int_equal(count, 1);
    assert_int_equal(line, 2);
    assert_ok(json_get_i64(doc, finding(doc, "contradiction"), "count", &count, &err), &err);
    assert_int_equal(count, 0); /* what was looked for and not found is there too */
}

static void test_cli_check__refuses_what_it_does_not_know(void **state) {
    struct project_case *c = *state;
    make_project(c, clean_rows, 2);
    run_program(&c->r, "check", c->db, "--only", "empty-answr", NULL);
    assert_int_equal(c->r.status, 2);
    assert_string_equal(c->r.err, "accord: --only: there is no finding 'empty-answr', did you mean "
                                  "'empty-answer'?\n");
    run_program(&c->r, "check", c->db, "--only", "empty-answer,,", NULL);
    assert_int_equal(c->r.status, 2);
    run_program(&c->r, "check", c->db, "--near", "0.2", NULL);
    assert_int_equal(c->r.status, 2);
    run_program(&c->r, "check", scratch_path(c->scratch, "none.db"), NULL);
    assert_int_equal(c->r.status, 1);
    assert_non_null(strstr(c->r.err, "accord init"));
}

/* Overwrites the beginning of every page that holds this text; some may be free ones. */
static void damage_pages_with(const char *path, const char *text) {
    static unsigned char page[65536];
    unsigned char garbage[64];
    int64_t damaged = 0;
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    memset(garbage, 0xA5, sizeof garbage);
    assert_int_equal(fread(page, 1, 18, file), 18);
    size_t page_bytes = (size_t)page[16] << 8 | page[17]; /* sqlite.org/fileformat2.html */
    assert_int_equal(fseek(file, 0, SEEK_SET), 0);
    for (long at = 0; fread(page, 1, page_bytes, file) == page_bytes; at += (long)page_bytes) {
        bool holds = false;
        for (size_t i = 0; i + strlen(text) <= page_bytes; i++) {
            holds = holds || memcmp(page + i, text, strlen(text)) == 0;
        }
        if (holds) {
            assert_int_equal(fseek(file, at, SEEK_SET), 0);
            assert_int_equal(fwrite(garbage, 1, sizeof garbage, file), sizeof garbage);
            assert_int_equal(fseek(file, at + (long)page_bytes, SEEK_SET), 0);
            damaged++;
        }
    }
    assert_int_equal(fclose(file), 0);
    assert_true(damaged > 0);
}

static void test_cli_check__reads_every_page_first(void **state) {
    struct project_case *c = *state;
    make_project(c, clean_rows, 2);
    damage_pages_with(c->db, "Sea or hills?");
    run_program(&c->r, "check", c->db, "--quiet", NULL);
    assert_int_equal(c->r.status, 3);
    assert_string_equal(c->r.out, "");
    assert_non_null(strstr(c->r.err, "is damaged: integrity check says"));
}

#define CHECK_CLI_TEST(function) \
    cmocka_unit_test_setup_teardown(function, project_case_setup, project_case_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CHECK_CLI_TEST(test_cli_check__says_in_few_lines_that_nothing_is_wrong),
        CHECK_CLI_TEST(test_cli_check__shows_count_place_effect_and_remedy),
        CHECK_CLI_TEST(test_cli_check__strict_is_status_3_for_errors_and_warnings),
        CHECK_CLI_TEST(test_cli_check__json_holds_everything),
        CHECK_CLI_TEST(test_cli_check__refuses_what_it_does_not_know),
        CHECK_CLI_TEST(test_cli_check__reads_every_page_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
