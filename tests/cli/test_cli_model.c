/* accord model info and convert, as their users meet them. */
#include "tests/support/run_program.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <stdlib.h>

static const char llama3_gguf[] = SOURCE_FOLDER "/tests/golden/gguf/llama3.gguf";
static const char gpt2_gguf[] = SOURCE_FOLDER "/tests/golden/gguf/gpt2.gguf";
static const char models[] = SOURCE_FOLDER "/tests/golden/models";
static const char sharded[] = SOURCE_FOLDER "/tests/golden/models/sharded";

struct cli {
    struct program_result result;
    void *scratch;
};

static int setup(void **state) {
    struct cli *cli = calloc(1, sizeof *cli);
    *state = cli;
    return cli ? scratch_setup(&cli->scratch) : -1;
}

static int teardown(void **state) {
    struct cli *cli = *state;
    /* Folders of models are the program's; scratch removes them with all they hold. */
    int result = scratch_teardown(&cli->scratch);
    free(cli);
    return result;
}

static void expect(struct cli *cli, int status, const char *const *words) {
    run_program_with(&cli->result, &(struct program_options){.out_path = NULL}, words);
    if (cli->result.status != status) {
        fail_msg("%s %s: status %d, '%s'", words[0], words[1], cli->result.status, cli->result.err);
    }
}

#define EXPECT(cli, status, ...) expect((cli), (status), (const char *const[]){__VA_ARGS__, NULL})

static void assert_has(const char *text, const char *part) {
    if (!strstr(text, part)) {
        fail_msg("no '%s' in '%s'", part, text);
    }
}

static void test_info__of_files_and_presets(void **state) {
    struct cli *cli = *state;
    EXPECT(cli, 0, "model", "info", llama3_gguf);
    assert_has(cli->result.out, "family      llama (LlamaForCausalLM)\n");
    assert_has(cli->result.out, "rope llama3, theta 500\n");
    assert_has(cli->result.out, "stored as   GGUF, 1 file");
    assert_has(cli->result.out, "byte-level BPE, 32 tokens, 4 merges, 3 added");
    EXPECT(cli, 0, "model", "info", sharded, "--json");
    assert_has(cli->result.out, "\"parameters\": 3200,");
    assert_has(cli->result.out, "\"stored_as\": \"BF16 x 14\"");
    EXPECT(cli, 0, "model", "info", "preset:15m");
    assert_has(cli->result.out, "15,191,712");
    EXPECT(cli, 2, "model", "info", "preset:15n");
    assert_has(cli->result.err, "did you mean '15m'?");
    EXPECT(cli, 3, "model", "info", models);
    assert_has(cli->result.err, "has no config.json");
}

static void test_convert__gguf_to_folder_to_folder(void **state) {
    struct cli *cli = *state;
    const char *first = scratch_path(cli->scratch, "first");
    EXPECT(cli, 0, "model", "convert", gpt2_gguf, first, "--dtype", "f32", "-q");
    assert_has(cli->result.err, "no tokenizer was written");
    scratch_write(cli->scratch, "first/tokenizer.json", "{}");
    const char *second = scratch_path(cli->scratch, "second");
    EXPECT(cli, 0, "model", "convert", first, second, "--json", "-q");
    assert_has(cli->result.out, "\"dtype\": \"bf16\"");
    assert_has(cli->result.out, "\"tokenizer\": true");
    assert_string_equal(scratch_read(cli->scratch, "second/tokenizer.json"), "{}");
    EXPECT(cli, 2, "model", "convert", first, second, "-q");
    assert_has(cli->result.err, "not empty");
    assert_string_equal(scratch_list(cli->scratch), "first/ second/");
}

static void test_convert__writes_the_vocabulary_of_a_gguf(void **state) {
    struct cli *cli = *state;
    const char *folder = scratch_path(cli->scratch, "out");
    EXPECT(cli, 0, "model", "convert", llama3_gguf, folder, "-q");
    assert_has(cli->result.out, ", with its tokenizer");
    assert_has(scratch_read(cli->scratch, "out/tokenizer.json"), "\"<|extra|>\"");
    assert_has(scratch_read(cli->scratch, "out/tokenizer_config.json"), "\"<|user|>\"");
}

#define CLI_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CLI_TEST(test_info__of_files_and_presets),
        CLI_TEST(test_convert__gguf_to_folder_to_folder),
        CLI_TEST(test_convert__writes_the_vocabulary_of_a_gguf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
