#include "policy/model_vocab.h"

#include "base/scoped.h"
#include "policy/gguf.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/gguf_image.h"
#include "tests/support/test.h"

#include <stdio.h>

static struct gguf_image image;

/* ---- GGUF ---- */

/* Made by llama.cpp's package (tests/golden/make_gguf.py, add_tokens). */
static void test_gguf__byte_level_by_its_pre_tokenizer(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(gguf) struct gguf *file = NULL;
    SCOPED(model_vocab) struct model_vocab vocab = MODEL_VOCAB_INIT;
    assert_ok(gguf_open(GOLDEN_FOLDER "/gguf/llama3.gguf", &file, &err), &err);
    assert_ok(gguf_vocab_read(file, &vocab, &err), &err);
    const struct tokenizer_spec *spec = &vocab.spec;
    assert_int_equal(spec->token_count, 32);
    assert_string_equal(spec->tokens[12], "ab");
    /* a b, Ġ a, ab c, c d; a is 2, Ġ 10 */
    static const int32_t merges[][2] = {{2, 3}, {10, 2}, {12, 4}, {4, 5}};
    assert_int_equal(spec->merge_count, 4);
    for (int64_t i = 0; i < 4; i++) {
        assert_int_equal(spec->merges[i].left, merges[i][0]);
        assert_int_equal(spec->merges[i].right, merges[i][1]);
    }
    /* two control tokens, and one that users defined */
    assert_int_equal(spec->added_count, 3);
    assert_string_equal(spec->added[0].text, "<|end|>");
    assert_true(spec->added[1].special);
    assert_int_equal(spec->added[2].id, 16);
    assert_false(spec->added[2].special);
    assert_int_equal(spec->splitter_count, 2); /* smollm: digits, then GPT-2's */
    assert_int_equal(spec->splitters[0].kind, TOKEN_SPLITTER_DIGITS);
    assert_int_equal(spec->bos, 1);
    assert_int_equal(spec->eos, 0);
    assert_int_equal(spec->pad, -1);
    assert_int_equal(spec->model_unk, -1);
    assert_true(spec->adds_bos);
    assert_string_equal(spec->chat_template, "{{ messages[0]['content'] }}");
}

static void add_text(const char *key, const char *text) {
    gguf_image_key(&image, key, 8);
    gguf_image_text(&image, text);
}

static void add_texts(const char *key, const char *const *texts, uint64_t count) {
    gguf_image_key(&image, key, 9);
    gguf_image_u32(&image, 8);
    gguf_image_u64(&image, count);
    for (uint64_t i = 0; i < count; i++) {
        gguf_image_text(&image, texts[i]);
    }
}

static enum err_code read_image(struct model_vocab *vocab, struct error *err) {
    SCOPED(gguf) struct gguf *file = NULL;
    TRY(gguf_parse(image.bytes, image.count, "test", &file, err));
    return gguf_vocab_read(file, vocab, err);
}

static const char *const spm_tokens[] = {"<unk>", "<s>", "</s>", "<0x0A>", "a",      "b",
                                         "ab",    "ba",  "aba",  "\u2581", "\u2581a"};
#define SPM_COUNT (sizeof spm_tokens / sizeof *spm_tokens)

static void build_sentencepiece(bool prefix) {
    static const float scores[SPM_COUNT] = {0, 0, 0, 0, -9, -9, -1, -2, -3, -9, -2.5F};
    static const uint32_t types[SPM_COUNT] = {2, 3, 3, 6, 1, 1, 1, 1, 1, 1, 1};
    gguf_image_header(&image, 3, 0, 7);
    add_text("tokenizer.ggml.model", "llama");
    add_texts("tokenizer.ggml.tokens", spm_tokens, SPM_COUNT);
    gguf_image_key(&image, "tokenizer.ggml.scores", 9);
    gguf_image_u32(&image, 6);
    gguf_image_u64(&image, SPM_COUNT);
    gguf_image_add(&image, scores, sizeof scores);
    gguf_image_key(&image, "tokenizer.ggml.token_type", 9);
    gguf_image_u32(&image, 5);
    gguf_image_u64(&image, SPM_COUNT);
    gguf_image_add(&image, types, sizeof types);
    gguf_image_key(&image, "tokenizer.ggml.unknown_token_id", 4);
    gguf_image_u32(&image, 0);
    gguf_image_key(&image, "tokenizer.ggml.bos_token_id", 4);
    gguf_image_u32(&image, 1);
    gguf_image_key(&image, "tokenizer.ggml.add_space_prefix", 7);
    gguf_image_add(&image, prefix ? "\1" : "\0", 1);
}

/* Scores: ab -1, ba -2, _a -2.5, aba -3. aba is ab + a or a + ba; the longer left part comes
 * first. */
static void test_gguf__merges_follow_from_scores(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(model_vocab) struct model_vocab vocab = MODEL_VOCAB_INIT;
    build_sentencepiece(true);
    assert_ok(read_image(&vocab, &err), &err);
    static const int32_t merges[][2] = {{4, 5}, {5, 4}, {9, 4}, {6, 4}, {4, 7}};
    assert_int_equal(vocab.spec.merge_count, 5);
    for (int64_t i = 0; i < 5; i++) {
        assert_int_equal(vocab.spec.merges[i].left, merges[i][0]);
        assert_int_equal(vocab.spec.merges[i].right, merges[i][1]);
    }
    assert_int_equal(vocab.spec.added_count, 3);
    assert_int_equal(vocab.spec.model_unk, 0);
    assert_true(vocab.spec.byte_fallback);
    assert_true(vocab.spec.adds_bos);
    assert_int_equal(vocab.spec.normalizer_count, 2);
    model_vocab_deinit(&vocab);
    build_sentencepiece(false);
    assert_ok(read_image(&vocab, &err), &err);
    assert_int_equal(vocab.spec.normalizer_count, 1);
    assert_int_equal(vocab.spec.normalizers[0].kind, TOKEN_NORMALIZER_REPLACE);
    assert_int_equal(vocab.spec.decoder_count, 3);
}

static void assert_vocab_refused(const char *part) {
    struct error err = ERROR_INIT;
    SCOPED(model_vocab) struct model_vocab vocab = MODEL_VOCAB_INIT;
    assert_fails(read_image(&vocab, &err), ERR_DATA, part, &err);
}

/* A token of n characters is looked at in n cuts of n characters. */
static void test_gguf__refuses_a_token_as_long_as_a_text(void **state) {
    (void)state;
    static char text[MODEL_VOCAB_TOKEN_BYTES + 2];
    memset(text, 'a', sizeof text - 1);
    const char *const tokens[] = {"a", text};
    gguf_image_header(&image, 3, 0, 2);
    add_text("tokenizer.ggml.model", "gpt2");
    add_texts("tokenizer.ggml.tokens", tokens, 2);
    assert_vocab_refused("token 1 has 4097 bytes, limit 4096");
}

static void build_byte_level(const char *pre, const char *merge) {
    static const char *const tokens[] = {"a", "b", "ab"};
    gguf_image_header(&image, 3, 0, pre ? 4 : 3);
    add_text("tokenizer.ggml.model", "gpt2");
    add_texts("tokenizer.ggml.tokens", tokens, 3);
    add_texts("tokenizer.ggml.merges", &merge, 1);
    if (pre) {
        add_text("tokenizer.ggml.pre", pre);
    }
}

static void test_gguf__what_is_not_known_is_refused_by_name(void **state) {
    (void)state;
    build_byte_level("tekken", "a b");
    assert_vocab_refused("the pre-tokenizer 'tekken' is not known here");
    build_byte_level("default", "a b");
    assert_vocab_refused("'default' is not known here");
    build_byte_level(NULL, "a b");
    assert_vocab_refused("the pre-tokenizer '' is not known here");
    build_byte_level("qwen2", "a c");
    assert_vocab_refused("the merge 'a c' is not of two tokens");
    build_byte_level("qwen2", "ab");
    assert_vocab_refused("the merge 'ab'");
    gguf_image_header(&image, 3, 0, 2);
    add_text("tokenizer.ggml.model", "t5");
    add_texts("tokenizer.ggml.tokens", spm_tokens, 1);
    assert_vocab_refused("the tokenizer 't5' is neither gpt2");
    gguf_image_header(&image, 3, 0, 1);
    add_text("tokenizer.ggml.model", "gpt2");
    assert_vocab_refused("0 tokens is outside");
    static const char *const bad[] = {"a\xff"};
    gguf_image_header(&image, 3, 0, 1);
    add_texts("tokenizer.ggml.tokens", bad, 1);
    assert_vocab_refused("token 0 'a\\xff' is not UTF-8");
}

/* ---- llama2.c ---- */

static void add_entry(float score, const char *text) {
    const int32_t count = (int32_t)strlen(text);
    gguf_image_add(&image, &score, sizeof score);
    gguf_image_add(&image, &count, sizeof count);
    gguf_image_add(&image, text, strlen(text));
}

static void build_llama2c(void) {
    image.count = 0;
    gguf_image_u32(&image, 7);
    add_entry(0, "<unk>");
    add_entry(0, "\n<s>\n");
    add_entry(0, "\n</s>\n");
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[8];
        (void)snprintf(text, sizeof text, "<0x%02X>", byte);
        add_entry(0, text);
    }
    add_entry(-1, " t"); /* 259 */
    add_entry(-2, " ");
    add_entry(-3, "t");
}

static void test_llama2c__blanks_become_blocks(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(model_vocab) struct model_vocab vocab = MODEL_VOCAB_INIT;
    build_llama2c();
    assert_ok(llama2c_vocab_parse(image.bytes, image.count, "test", &vocab, &err), &err);
    assert_int_equal(vocab.spec.token_count, 262);
    assert_string_equal(vocab.spec.tokens[1], "<s>");
    assert_string_equal(vocab.spec.tokens[259], "\u2581t");
    assert_int_equal(vocab.spec.merge_count, 1);
    assert_int_equal(vocab.spec.merges[0].left, 260);
    assert_int_equal(vocab.spec.merges[0].right, 261);
    assert_int_equal(vocab.spec.bos, 1);
}

static void test_llama2c__damaged_files_are_refused(void **state) {
    (void)state;
    build_llama2c();
    const size_t whole = image.count;
    for (size_t count = 0; count < whole; count++) {
        struct error err = ERROR_INIT;
        SCOPED(model_vocab) struct model_vocab vocab = MODEL_VOCAB_INIT;
        enum err_code code = llama2c_vocab_parse(image.bytes, count, "test", &vocab, &err);
        assert_true(code == ERR_DATA || (code == ERR_OK && vocab.spec.token_count >= 259));
    }
    const int32_t negative = -1;
    memcpy(image.bytes + 8, &negative, sizeof negative);
    struct error err = ERROR_INIT;
    SCOPED(model_vocab) struct model_vocab vocab = MODEL_VOCAB_INIT;
    assert_fails(llama2c_vocab_parse(image.bytes, whole, "test", &vocab, &err), ERR_DATA,
                 "token 0 has -1 bytes", &err);
}

/* ---- failures ---- */

static enum err_code read_both(void *context, struct error *err) {
    (void)context;
    SCOPED(model_vocab) struct model_vocab first = MODEL_VOCAB_INIT;
    SCOPED(model_vocab) struct model_vocab second = MODEL_VOCAB_INIT;
    build_sentencepiece(true);
    TRY(read_image(&first, err));
    build_llama2c();
    return llama2c_vocab_parse(image.bytes, image.count, "test", &second, err);
}

static void test_read__survives_failing_allocations(void **state) {
    (void)state;
    alloc_loop_check(read_both, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gguf__byte_level_by_its_pre_tokenizer),
        cmocka_unit_test(test_gguf__merges_follow_from_scores),
        cmocka_unit_test(test_gguf__refuses_a_token_as_long_as_a_text),
        cmocka_unit_test(test_gguf__what_is_not_known_is_refused_by_name),
        cmocka_unit_test(test_llama2c__blanks_become_blocks),
        cmocka_unit_test(test_llama2c__damaged_files_are_refused),
        cmocka_unit_test(test_read__survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
