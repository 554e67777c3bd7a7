/* test_works_real.c - a vocabulary and training windows of 16 novels of 13 authors. What the
 * tokenizers library 0.23.3 makes of them (BpeTrainer, vocabulary 8000, min_frequency 2,
 * ByteLevel's alphabet, "<|endoftext|>"): the SHA-256 of all tokens by id, a line each, and
 * 1,619,183 tokens of text. With an EOS a novel, cut at 1,024 by author, these are 1,589 windows
 * and 5,375 tokens in tails. */
#include "base/arena.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "data/bpe_train.h"
#include "data/import.h"
#include "data/project.h"
#include "data/sft_examples.h"
#include "data/token_windows.h"
#include "tests/support/real_data.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <stdio.h>

#define TOKENS_SHA256 "32970fc2854a79978d8e6ceb8c1d9c3c149dfe8a84e4187854d31e9207c22152"

static const char *const novels[] = {
    "Burnett_Garden_1911",  "Chesterton_Napoleon_1904", "Chesterton_Thursday_1908",
    "Conrad_Almayer_1895",  "Dickens_Oliver_1839",      "Doyle_Hound_1902",
    "Doyle_Lost_1912",      "Haggard_Mines_1885",       "Kipling_Captains_1896",
    "Lee_Brown_1884",       "Morris_Wood_1894",         "Schreiner_Trooper_1897",
    "Stevenson_Arrow_1888", "Stevenson_Treasure_1883",  "Ward_Milly_1881",
    "Woolf_Lighthouse_1927"};

#define NOVEL_COUNT (sizeof novels / sizeof *novels)

static char *path_of(const char *novel) {
    char name[128];
    snprintf(name, sizeof name, "novels/%s.txt", novel);
    char *path = mem_strdup(real_data_or_skip(name));
    assert_non_null(path);
    return path;
}

static void add_novel(struct bpe_trainer *trainer, const char *novel) {
    struct error err = ERROR_INIT;
    SCOPED(mem) char *path = path_of(novel);
    SCOPED(sft_examples) struct sft_examples *texts = NULL;
    const struct sft_options all = {.one_split = false};
    struct sft_example text;
    bool has_text = false;
    assert_ok(sft_examples_open_file(path, &all, &texts, &err), &err);
    assert_ok(sft_examples_next(texts, &text, &has_text, &err), &err);
    assert_true(has_text);
    assert_ok(bpe_trainer_add(trainer, text.text.bytes, text.text.count, &err), &err);
}

static struct tokenizer *train(void) {
    static const char *const special[] = {"<|endoftext|>"};
    struct error err = ERROR_INIT;
    struct bpe_train_options options = BPE_TRAIN_DEFAULT;
    struct bpe_train_report report;
    struct tokenizer *tok = NULL;
    options.vocabulary = 8000;
    options.special = special;
    options.special_count = 1;
    options.eos = 0;
    SCOPED(bpe_trainer) struct bpe_trainer *trainer = NULL;
    assert_ok(bpe_trainer_new(&options, &trainer, &err), &err);
    for (size_t n = 0; n < NOVEL_COUNT; n++) {
        add_novel(trainer, novels[n]);
    }
    assert_ok(bpe_trainer_finish(trainer, &tok, &report, &err), &err);
    return tok;
}

static void import_novels(struct db *db, struct scratch *scratch) {
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf manifest = STRBUF_INIT(MIB);
    SCOPED(import_report) struct import_report report = IMPORT_REPORT_INIT;
    strbuf_add(&manifest, "owner,path\n");
    for (size_t n = 0; n < NOVEL_COUNT; n++) {
        SCOPED(mem) char *path = path_of(novels[n]);
        strbuf_addf(&manifest, "%.*s,%s\n", (int)strcspn(novels[n], "_"), novels[n], path);
    }
    scratch_write(scratch, "manifest.csv", strbuf_text(&manifest));
    const char *folder = scratch->folder;
    const struct import_options import = {.paths = &folder, .path_count = 1};
    assert_ok(import_files(db, &import, &report, &err), &err);
    assert_int_equal(report.new_works, NOVEL_COUNT);
}

static void test_bpe_train__novels_as_the_library(void **state) {
    (void)state;
    SCOPED(tokenizer) struct tokenizer *tok = train();
    struct error err = ERROR_INIT;
    struct hash_state hash;
    char hex[HASH_HEX_BYTES];
    assert_ok(hash_init(&hash, &err), &err);
    for (int32_t id = 0; id < tokenizer_count(tok); id++) {
        const struct text_span token = tokenizer_token(tok, id);
        hash_update(&hash, token.bytes, token.count);
        hash_update(&hash, "\n", 1);
    }
    const struct hash_digest digest = hash_final(&hash);
    hash_to_hex(&digest, hex);
    assert_int_equal(tokenizer_count(tok), 8000);
    assert_string_equal(hex, TOKENS_SHA256);
}

static void test_token_windows__novels_by_author(void **state) {
    struct error err = ERROR_INIT;
    SCOPED(tokenizer) struct tokenizer *tok = train();
    SCOPED(db) struct db *db = NULL;
    SCOPED(token_windows) struct token_windows *kept = NULL;
    SCOPED(token_windows) struct token_windows *dropped = NULL;
    struct token_windows_options options = {.tokens = 1024, .seed = 1};
    assert_ok(project_open(":memory:", DB_MODE_CREATE, NULL, &db, &err), &err);
    import_novels(db, *state);
    assert_ok(token_windows_new(db, tok, &options, &kept, &err), &err);
    options.drop_tails = true;
    assert_ok(token_windows_new(db, tok, &options, &dropped, &err), &err);
    assert_int_equal(token_windows_counts(kept).owners, 13);
    assert_int_equal(token_windows_counts(kept).tokens, 1619199);
    assert_int_equal(token_windows_count(kept), 1589);
    assert_int_equal(token_windows_count(dropped), 1589 - 13); /* no tail is empty */
    assert_int_equal(token_windows_counts(dropped).dropped_tokens, 5375);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bpe_train__novels_as_the_library),
        SCRATCH_TEST(test_token_windows__novels_by_author),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
