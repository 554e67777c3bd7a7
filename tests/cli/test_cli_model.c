/* accord model info and convert, as their users meet them. */
#include "tests/support/gguf_image.h"
#include "tests/support/run_program.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

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
    const char *adapter = scratch_path(cli->scratch, "adapter");
    assert_int_equal(mkdir(adapter, 0700), 0);
    scratch_write(cli->scratch, "adapter/adapter_config.json", "{}");
    EXPECT(cli, 3, "model", "info", adapter);
    assert_has(cli->result.err, "holds an adapter, no model: give 'accord generate'");
}

static void test_score__models_are_told_apart_from_language_models(void **state) {
    static const char reward[] = SOURCE_FOLDER "/tests/golden/models/opt_score";
    struct cli *cli = *state;
    EXPECT(cli, 0, "model", "info", reward);
    assert_has(cli->result.out, "family      opt (OPTForSequenceClassification)\n");
    EXPECT(cli, 0, "model", "convert", reward, scratch_path(cli->scratch, "copy"), "-q");
    EXPECT(cli, 0, "model", "info", scratch_path(cli->scratch, "copy"), "--json");
    assert_has(cli->result.out, "\"class\": \"OPTForSequenceClassification\"");
    EXPECT(cli, 3, "generate", reward, "hello");
    assert_has(cli->result.err, "opt_score': OPTForSequenceClassification gives scores of texts");
}

/* The adapter brings the head; the base says no pad id. */
static void test_merge__makes_a_reward_model(void **state) {
    static const char base[] = SOURCE_FOLDER "/tests/golden/models/llama";
    static const char adapter[] = SOURCE_FOLDER "/tests/golden/lora/llama_score";
    struct cli *cli = *state;
    const char *folder = scratch_path(cli->scratch, "out");
    EXPECT(cli, 3, "generate", base, "hello", "--adapter", adapter);
    assert_has(cli->result.err, "llama_score': LlamaForSequenceClassification gives scores");
    EXPECT(cli, 3, "model", "merge", base, adapter, folder, "-q");
    assert_has(cli->result.err, "the model has scores and no pad_token_id");
    EXPECT(cli, 3, "model", "merge", base, adapter, folder, "-q", "--pad", "32");
    assert_has(cli->result.err, "pad token id 32 is outside the vocabulary of 32");
    assert_string_equal(scratch_list(cli->scratch), "");
    EXPECT(cli, 0, "model", "merge", base, adapter, folder, "-q", "--pad", "0");
    EXPECT(cli, 0, "model", "info", folder, "--json");
    assert_has(cli->result.out, "\"class\": \"LlamaForSequenceClassification\"");
    assert_has(scratch_read(cli->scratch, "out/config.json"), "\"pad_token_id\": 0");
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

/* ---- llama2.c ---- */

static void write_image(struct cli *cli, const char *name, const struct gguf_image *image) {
    FILE *f = fopen(scratch_path(cli->scratch, name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(image->bytes, 1, image->count, f), image->count);
    assert_int_equal(fclose(f), 0);
}

/* dim 4, hidden 3, 1 layer, 2 heads of 2, 1 key-value head, 6 tokens of context, all zero: embed
 * 4 vocab, norms 3 x 4, q and out 16, k and v 8, mlp 3 x 12, tables of rope 12: 4 vocab + 108. */
static void write_llama2c_model(struct cli *cli, uint32_t vocab) {
    static struct gguf_image image;
    const uint32_t header[] = {4, 3, 1, 2, 1, vocab, 6};
    image.count = 0;
    gguf_image_add(&image, header, sizeof header);
    gguf_image_zeros(&image, (4 * vocab + 108) * sizeof(float));
    write_image(cli, "m.bin", &image);
}

/* Its three special tokens and 256 bytes: 259. */
static void write_llama2c_vocabulary(struct cli *cli, const char *name) {
    static struct gguf_image image;
    static const char *const special[] = {"<unk>", "\n<s>\n", "\n</s>\n"};
    image.count = 0;
    gguf_image_u32(&image, 7);
    for (uint32_t i = 0; i < 259; i++) {
        char byte[8];
        (void)snprintf(byte, sizeof byte, "<0x%02X>", (i - 3) & 0xff);
        const char *text = i < 3 ? special[i] : byte;
        gguf_image_u32(&image, 0); /* score 0 */
        gguf_image_u32(&image, (uint32_t)strlen(text));
        gguf_image_add(&image, text, strlen(text));
    }
    write_image(cli, name, &image);
}

static void test_convert__finds_the_vocabulary_of_a_llama2c_file(void **state) {
    struct cli *cli = *state;
    const char *model = scratch_path(cli->scratch, "m.bin");
    write_llama2c_model(cli, 259);
    EXPECT(cli, 0, "model", "convert", model, scratch_path(cli->scratch, "none"), "-q");
    assert_has(cli->result.err, "has no vocabulary: put tokenizer.bin beside it");
    write_llama2c_vocabulary(cli, "tokenizer.bin");
    EXPECT(cli, 0, "model", "convert", model, scratch_path(cli->scratch, "beside"), "-q");
    assert_has(cli->result.out, ", with its tokenizer");
    assert_has(scratch_read(cli->scratch, "beside/tokenizer.json"), "\"<0x00>\"");
}

/* Of another model, as where several lie in one folder. */
static void test_convert__a_vocabulary_larger_than_the_model_is_not_its_own(void **state) {
    struct cli *cli = *state;
    const char *model = scratch_path(cli->scratch, "m.bin");
    const char *folder = scratch_path(cli->scratch, "out");
    const char *vocabulary = scratch_path(cli->scratch, "tokenizer.bin");
    write_llama2c_model(cli, 258);
    write_llama2c_vocabulary(cli, "tokenizer.bin");
    EXPECT(cli, 3, "model", "convert", model, folder, "--tokenizer", vocabulary, "-q");
    assert_has(cli->result.err, "the tokenizer has 259 tokens, the model embeds 258");
    assert_string_equal(scratch_list(cli->scratch), "m.bin tokenizer.bin");
    EXPECT(cli, 3, "generate", model, "a", "--template", "none"); /* whatever is asked */
    assert_has(cli->result.err, "the tokenizer has 259 tokens, the model embeds 258");
    EXPECT(cli, 0, "model", "convert", model, folder, "-q");
    assert_has(cli->result.err, "the tokenizer has 259 tokens, the model embeds 258");
    assert_has(cli->result.err, "no tokenizer was written");
}

#define CLI_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CLI_TEST(test_info__of_files_and_presets),
        CLI_TEST(test_score__models_are_told_apart_from_language_models),
        CLI_TEST(test_merge__makes_a_reward_model),
        CLI_TEST(test_convert__gguf_to_folder_to_folder),
        CLI_TEST(test_convert__writes_the_vocabulary_of_a_gguf),
        CLI_TEST(test_convert__finds_the_vocabulary_of_a_llama2c_file),
        CLI_TEST(test_convert__a_vocabulary_larger_than_the_model_is_not_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
