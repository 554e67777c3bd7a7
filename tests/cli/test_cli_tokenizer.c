/* accord tokenizer, as its users meet it. */
#include "tests/support/project_case.h"
#include "tests/support/test.h"

#include <stdio.h>

static const char *path(struct project_case *cli, const char *name) {
    return scratch_path(cli->scratch, name);
}

static void succeed(struct project_case *cli, const char *in_path, const char *const *words) {
    run_program_with(&cli->r, &(struct program_options){.in_path = in_path}, words);
    if (cli->r.status != 0) {
        fail_msg("%s %s: status %d, '%s'", words[0], words[1], cli->r.status, cli->r.err);
    }
}

#define SUCCEED(cli, ...) \
    succeed((cli), NULL, (const char *const[]){"tokenizer", __VA_ARGS__, NULL})

/* "tea" is a token from the first two merges on: t+e, te+a. Ids 0 to 3 are special, 4 to 259 bytes.
 */
static void train(struct project_case *cli) {
    scratch_write(cli->scratch, "tea.txt", "tea tea tea tea tea\n");
    SUCCEED(cli, "train", path(cli, "tea.txt"), "-o", path(cli, "tok"), "--vocabulary", "300",
            "--quiet");
}

static void test_tokenizer_train__says_what_it_made(void **state) {
    struct project_case *cli = *state;
    train(cli);
    /* " tea" and "tea" make t+e, te+a, space+tea: pairs seen 5, 5 and 4 times */
    assert_non_null(strstr(cli->r.out, "263 tokens, 3 of them merges, from 0.0 MB and 3 "
                                       "distinct words\nthe last merge was seen 4 times\n"
                                       "fewer tokens than asked for: no other pair is "
                                       "frequent enough\nwritten to "));
    SUCCEED(cli, "info", path(cli, "tok"));
    assert_string_equal(cli->r.out, "tokens          263\n"
                                    "bos             none\n"
                                    "eos             0  <|endoftext|>\n"
                                    "pad             3  <|pad|>\n"
                                    "unk             none\n"
                                    "adds bos        no\n"
                                    "chat template   chatml\n"
                                    "ends a turn     2  <|im_end|>\n");
}

static void test_tokenizer__there_and_back(void **state) {
    struct project_case *cli = *state;
    train(cli);
    scratch_write(cli->scratch, "text", "tea tea\n<|im_end|>");
    succeed(cli, path(cli, "text"),
            (const char *const[]){"tokenizer", "encode", path(cli, "tok"), NULL});
    assert_int_equal(strncmp(cli->r.out, "261 262 202 ", 12), 0);
    scratch_write(cli->scratch, "ids", cli->r.out);
    SUCCEED(cli, "decode", path(cli, "tok"), path(cli, "ids"));
    assert_string_equal(cli->r.out, "tea tea\n<|im_end|>");
    SUCCEED(cli, "encode", path(cli, "tok"), path(cli, "text"), "--special");
    assert_string_equal(cli->r.out, "261 262 202 2\n");
    SUCCEED(cli, "encode", path(cli, "tok"), path(cli, "text"), "--special", "--json");
    assert_string_equal(cli->r.out, "{\"ids\":[261,262,202,2]}\n");
    SUCCEED(cli, "encode", path(cli, "tok"), path(cli, "text"), "--special", "--show");
    assert_string_equal(cli->r.out, "     261   |tea|\n"
                                    "     262   | tea|\n"
                                    "     202   |\\x0a|\n"
                                    "       2   |<|im_end|>|\n");
}

static void test_tokenizer_encode__shows_what_is_learnt(void **state) {
    struct project_case *cli = *state;
    train(cli);
    scratch_write(cli->scratch, "chat.json",
                  "[{\"role\":\"user\",\"content\":\"<|im_end|>\"},"
                  "{\"role\":\"assistant\",\"content\":\"tea\"}]");
    SUCCEED(cli, "encode", path(cli, "tok"), path(cli, "chat.json"), "--chat", "--show");
    assert_non_null(strstr(cli->r.out, "     202   |\\x0a|\n"
                                       "     261 * |tea|\n"
                                       "       2 * |<|im_end|>|\n"
                                       "     202   |\\x0a|\n"));
    int64_t ends = 0; /* of two turns; the one that was typed is text */
    for (const char *at = cli->r.out; (at = strstr(at, "|<|im_end|>|")); at++) {
        ends++;
    }
    assert_int_equal(ends, 2);
    SUCCEED(cli, "encode", path(cli, "tok"), path(cli, "chat.json"), "--chat", "--template",
            "zephyr", "--show");
    assert_non_null(strstr(cli->r.out, "     261 * |tea|\n"
                                       "       0 * |<|endoftext|>|\n"));
}

static void test_tokenizer_train__reads_projects_and_rows(void **state) {
    struct project_case *cli = *state;
    scratch_write(cli->scratch, "rows.jsonl",
                  "{\"prompt\":\"tea\",\"chosen\":\"tea tea\",\"rejected\":\"tea tea tea\"}\n");
    scratch_write(cli->scratch, "texts.jsonl", "{\"text\":\"tea\"}\n{\"text\":\"tea\"}\n");
    run_program(&cli->r, "init", path(cli, "p.db"), "--quiet", NULL);
    run_program(&cli->r, "import", path(cli, "p.db"), path(cli, "rows.jsonl"), "--quiet", NULL);
    SUCCEED(cli, "train", path(cli, "p.db"), path(cli, "texts.jsonl"), "-o", path(cli, "tok"),
            "--vocabulary", "300", "--json", "--quiet");
    /* 3 + 7 + 11 + 3 + 3 bytes, 1 + 2 + 3 + 1 + 1 words */
    assert_non_null(strstr(cli->r.out, "\"bytes\": 27,\n  \"words\": 8,\n"
                                       "  \"distinct_words\": 2,\n"
                                       "  \"last_frequency\": 3,\n"));
}

static void check_fails(struct project_case *cli, int status, const char *message,
                        const char *const *words) {
    run_program_with(&cli->r, &(struct program_options){.in_path = NULL}, words);
    assert_int_equal(cli->r.status, status);
    if (!strstr(cli->r.err, message)) {
        fail_msg("'%s' is not in '%s'", message, cli->r.err);
    }
}

static void test_tokenizer__says_what_is_wrong(void **state) {
    struct project_case *cli = *state;
    train(cli);
    const char *tok = path(cli, "tok");
    scratch_write(cli->scratch, "ids", "1 263");
    scratch_write(cli->scratch, "tool.json", "[{\"role\":\"tool\",\"content\":\"x\"}]");
    const char *ids = path(cli, "ids"), *nul = path(cli, "nul"), *tool = path(cli, "tool.json");
    check_fails(cli, 3, "'263' is no token id in [0, 263)",
                (const char *const[]){"tokenizer", "decode", tok, ids, NULL});
    FILE *f = fopen(nul, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite("1 2\0 3", 1, 6, f), 6);
    assert_int_equal(fclose(f), 0);
    check_fails(cli, 3, "'2\\u0000' is no token id",
                (const char *const[]){"tokenizer", "decode", tok, nul, NULL});
    check_fails(cli, 3, "message 1: role 'tool': chat template 'chatml' knows system, user and",
                (const char *const[]){"tokenizer", "encode", tok, tool, "--chat", NULL});
    check_fails(cli, 2, "no chat template 'chatlm', did you mean 'chatml'",
                (const char *const[]){"tokenizer", "encode", tok, tool, "--chat", "--template",
                                      "chatlm", NULL});
    check_fails(cli, 2, "--template goes with --chat only",
                (const char *const[]){"tokenizer", "encode", tok, "--template", "chatml", NULL});
    check_fails(cli, 2, "--output FOLDER is missing",
                (const char *const[]){"tokenizer", "train", tool, NULL});
}

/* Models are useless without the very vocabulary that they were trained with. */
static void test_tokenizer_train__never_replaces_a_tokenizer(void **state) {
    struct project_case *cli = *state;
    train(cli);
    check_fails(cli, 2, "tok' is there and not empty: choose another, or remove it",
                (const char *const[]){"tokenizer", "train", path(cli, "tea.txt"), "-o",
                                      path(cli, "tok"), "--vocabulary", "262", NULL});
    SUCCEED(cli, "info", path(cli, "tok"));
    assert_int_equal(strncmp(cli->r.out, "tokens          263\n", 20), 0);
    check_fails(
        cli, 3, "there is no text to train a tokenizer on",
        (const char *const[]){"tokenizer", "train", "/dev/null", "-o", path(cli, "other"), NULL});
    assert_string_equal(scratch_list(cli->scratch), "tea.txt tok/");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tokenizer_train__says_what_it_made, project_case_setup,
                                        project_case_teardown),
        cmocka_unit_test_setup_teardown(test_tokenizer__there_and_back, project_case_setup,
                                        project_case_teardown),
        cmocka_unit_test_setup_teardown(test_tokenizer_encode__shows_what_is_learnt,
                                        project_case_setup, project_case_teardown),
        cmocka_unit_test_setup_teardown(test_tokenizer_train__reads_projects_and_rows,
                                        project_case_setup, project_case_teardown),
        cmocka_unit_test_setup_teardown(test_tokenizer_train__never_replaces_a_tokenizer,
                                        project_case_setup, project_case_teardown),
        cmocka_unit_test_setup_teardown(test_tokenizer__says_what_is_wrong, project_case_setup,
                                        project_case_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
