#include "base/arena.h"
#include "base/file.h"
#include "base/scoped.h"
#include "data/tokenizer.h"
#include "data/tokenizer_spec.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <stdio.h>

/* A whole tokenizer.json, of which a test changes a part. */
static const char *file_with(const char *model, const char *rest) {
    static char text[4096];
    snprintf(text, sizeof text,
             "{\"version\":\"1.0\",\"added_tokens\":[{\"id\":4,\"content\":\"<s>\","
             "\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,"
             "\"special\":true}],\"model\":{%s\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"c\":3},"
             "\"merges\":[\"a b\"]}%s}",
             model, rest);
    return text;
}

#define BYTE_LEVEL                                                                          \
    ",\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,"                \
    "\"trim_offsets\":true},\"decoder\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true," \
    "\"trim_offsets\":true,\"use_regex\":true},\"normalizer\":null,\"truncation\":null"

static void assert_refused(struct scratch *s, const char *text, const char *part) {
    struct error err = ERROR_INIT;
    struct tokenizer *tok = NULL;
    scratch_write(s, "tokenizer.json", text);
    assert_fails(tokenizer_open(scratch_path(s, "tokenizer.json"), &tok, &err), ERR_DATA, part,
                 &err);
    assert_null(tok);
}

static int64_t count_tokens(const struct tokenizer *tok, const char *text) {
    struct error err = ERROR_INIT;
    SCOPED(token_list) struct token_list list = TOKEN_LIST_INIT;
    assert_ok(tokenizer_encode(tok, text, strlen(text), TOKENIZER_PARSE_SPECIAL, &list, &err),
              &err);
    return list.count;
}

static void test_open__file_or_folder(void **state) {
    struct scratch *s = *state;
    struct error err = ERROR_INIT;
    scratch_write(s, "tokenizer.json", file_with("\"type\":\"BPE\",", BYTE_LEVEL));
    SCOPED(tokenizer) struct tokenizer *file = NULL;
    SCOPED(tokenizer) struct tokenizer *folder = NULL;
    assert_ok(tokenizer_open(scratch_path(s, "tokenizer.json"), &file, &err), &err);
    assert_ok(tokenizer_open(s->folder, &folder, &err), &err);
    assert_int_equal(count_tokens(file, "ab<s>c"), 3);
    assert_int_equal(count_tokens(folder, "ab<s>c"), 3);
    assert_int_equal(tokenizer_bos(folder), -1);
    assert_fails(tokenizer_open(scratch_path(s, "none"), &file, &err), ERR_IO, "none", &err);
    assert_fails(tokenizer_open(CASES_FOLDER, &file, &err), ERR_DATA,
                 "' has no tokenizer: put tokenizer.json", &err);
    assert_ok(file_make_folders(scratch_path(s, "run/final"), &err), &err);
    scratch_write(s, "run/final/tokenizer.json", "{}");
    assert_fails(tokenizer_open(scratch_path(s, "run"), &file, &err), ERR_DATA,
                 "is the folder of a run: its model is '", &err);
}

static void test_config__roles_flags_and_template(void **state) {
    struct scratch *s = *state;
    struct error err = ERROR_INIT;
    scratch_write(s, "tokenizer.json", file_with("", BYTE_LEVEL));
    scratch_write(s, "tokenizer_config.json",
                  "{\"bos_token\":\"<s>\",\"eos_token\":{\"content\":\"c\",\"lstrip\":false},"
                  "\"pad_token\":null,\"add_bos_token\":true,\"model_max_length\":1e30,"
                  "\"chat_template\":[{\"name\":\"rag\",\"template\":\"no\"},"
                  "{\"name\":\"default\",\"template\":\"{{ m }}\"}],"
                  "\"added_tokens_decoder\":{\"5\":{\"content\":\"<x>\",\"special\":true}}}");
    SCOPED(tokenizer) struct tokenizer *tok = NULL;
    assert_ok(tokenizer_open(s->folder, &tok, &err), &err);
    assert_int_equal(tokenizer_bos(tok), 4);
    assert_int_equal(tokenizer_eos(tok), 3);
    assert_int_equal(tokenizer_pad(tok), -1);
    assert_int_equal(tokenizer_find(tok, "<x>"), 5);
    assert_true(tokenizer_is_special(tok, 3)); /* a token with a role is special */
    assert_true(tokenizer_adds_bos(tok));
    assert_false(tokenizer_adds_eos(tok));
    assert_string_equal(tokenizer_chat_template(tok), "{{ m }}");
}

static void test_template__says_whether_bos_is_added(void **state) {
    struct scratch *s = *state;
    struct error err = ERROR_INIT;
    scratch_write(s, "tokenizer.json",
                  file_with("", BYTE_LEVEL
                            ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":["
                            "{\"SpecialToken\":{\"id\":\"<s>\",\"type_id\":0}},"
                            "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],\"pair\":[],"
                            "\"special_tokens\":{}}"));
    SCOPED(tokenizer) struct tokenizer *tok = NULL;
    assert_ok(tokenizer_open(s->folder, &tok, &err), &err);
    assert_true(tokenizer_adds_bos(tok));
    assert_false(tokenizer_adds_eos(tok));
    assert_int_equal(tokenizer_bos(tok), 4);
}

static void test_open__refuses_by_name_and_path(void **state) {
    struct scratch *s = *state;
    assert_refused(s, file_with("\"type\":\"Unigram\",", ""), "$.model.type: model 'Unigram'");
    assert_refused(s, file_with("\"dropout\":0.1,", ""), "$.model.dropout: dropout");
    assert_refused(s, file_with("\"end_of_word_suffix\":\"</w>\",", ""),
                   "$.model.end_of_word_suffix: '</w>'");
    assert_refused(s, file_with("\"new_rule\":true,", ""),
                   "$.model.new_rule: this key is not known");
    assert_refused(s, file_with("\"unk_token\":\"<unk>\",", ""), "'<unk>' is no token");
    assert_refused(s, file_with("", ",\"extra\":1"), "$.extra: this key is not known");
    assert_refused(s, file_with("", ",\"normalizer\":{\"type\":\"Lowercase\"}"),
                   "$.normalizer: normalizer 'Lowercase' is not supported");
    assert_refused(s,
                   file_with("", ",\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":["
                                 "{\"type\":\"NFC\"},{\"type\":\"NFKC\"}]}"),
                   "$.normalizer.normalizers[1]: normalizer 'NFKC'");
    assert_refused(s,
                   file_with("", ",\"normalizer\":{\"type\":\"Replace\",\"pattern\":"
                                 "{\"Regex\":\" +\"},\"content\":\"x\"}"),
                   "regular expression");
    assert_refused(s, file_with("", ",\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}"),
                   "pre-tokenizer 'BertPreTokenizer'");
    assert_refused(s,
                   file_with("", ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":"
                                 "{\"String\":\"x\"},\"behavior\":\"Shuffled\",\"invert\":false}"),
                   "$.pre_tokenizer.behavior: 'Shuffled'");
    assert_refused(s, file_with("", ",\"decoder\":{\"type\":\"WordPiece\"}"),
                   "decoder 'WordPiece'");
    assert_refused(s,
                   file_with("", ",\"decoder\":{\"type\":\"Strip\",\"content\":\"ab\",\"start\":1,"
                                 "\"stop\":0}"),
                   "expected one character");
    assert_refused(s, file_with("", ",\"post_processor\":{\"type\":\"BertProcessing\"}"),
                   "post-processor 'BertProcessing'");
    assert_refused(s, "{\"version\":\"2.0\",\"model\":{},\"added_tokens\":[]}", "version '2.0'");
    assert_refused(s, "[]", "expected object");
    assert_refused(s,
                   "{\"version\":\"1.0\",\"added_tokens\":[],\"model\":{\"vocab\":{\"a\":0},"
                   "\"merges\":[[\"a\",\"b\"]]}}",
                   "$.model.merges[0]: merges 'b', which is no token");
    assert_refused(s,
                   "{\"version\":\"1.0\",\"added_tokens\":[],\"model\":{\"vocab\":{\"a\":0},"
                   "\"merges\":[\"a a a\"]}}",
                   "$.model.merges[0]: expected two tokens");
    assert_refused(s,
                   "{\"version\":\"1.0\",\"added_tokens\":[],\"model\":{\"vocab\":{\"a\":0,"
                   "\"b\":0},\"merges\":[]}}",
                   "id 0 is that of 'a' too");
    assert_refused(s,
                   "{\"version\":\"1.0\",\"added_tokens\":[],\"model\":{\"vocab\":{"
                   "\"a\":99999999},\"merges\":[]}}",
                   "id 99999999 is outside");
}

static void test_open__refuses_files_that_contradict(void **state) {
    struct scratch *s = *state;
    struct error err = ERROR_INIT;
    struct tokenizer *tok = NULL;
    scratch_write(s, "tokenizer.json", file_with("", BYTE_LEVEL));
    scratch_write(s, "tokenizer_config.json", "{\"add_prefix_space\":true}");
    assert_fails(tokenizer_open(s->folder, &tok, &err), ERR_DATA, "contradicts the pre_tokenizer",
                 &err);
    scratch_write(s, "tokenizer_config.json", "{\"pad_token\":\"<pad>\"}");
    assert_fails(tokenizer_open(s->folder, &tok, &err), ERR_DATA,
                 "pad_token '<pad>' is no token of the vocabulary", &err);
    scratch_write(s, "tokenizer_config.json",
                  "{\"added_tokens_decoder\":{\"4\":{\"content\":\"<s>\",\"lstrip\":true}}}");
    assert_fails(tokenizer_open(s->folder, &tok, &err), ERR_DATA, "other text or flags", &err);
}

static void test_two_files__as_gpt2(void **state) {
    struct scratch *s = *state;
    struct error err = ERROR_INIT;
    scratch_write(s, "vocab.json", "{\"a\":0,\"b\":1,\"ab\":2,\"\u0120\":3,\"<e>\":4}");
    scratch_write(s, "merges.txt", "#version: 0.2\na b\n");
    scratch_write(s, "special_tokens_map.json", "{\"eos_token\":\"<e>\"}");
    SCOPED(tokenizer) struct tokenizer *tok = NULL;
    assert_ok(tokenizer_open(s->folder, &tok, &err), &err);
    assert_int_equal(count_tokens(tok, "ab a<e>"), 4);
    assert_int_equal(tokenizer_eos(tok), 4);
    scratch_write(s, "merges.txt", "a b\na c\n");
    struct tokenizer *none = NULL;
    assert_fails(tokenizer_open(s->folder, &none, &err), ERR_DATA,
                 "merges.txt:2: merges 'c', which is no token", &err);
    scratch_write(s, "tokenizer_config.json", "{\"tokenizer_class\":\"CLIPTokenizer\"}");
    assert_fails(tokenizer_open(s->folder, &none, &err), ERR_DATA, "'CLIPTokenizer'", &err);
}

/* What was read is written back byte for byte. */
static void test_save__copies_what_was_read(void **state) {
    struct scratch *s = *state;
    struct error err = ERROR_INIT;
    const char *text = file_with("", BYTE_LEVEL);
    scratch_write(s, "tokenizer.json", text);
    scratch_write(s, "tokenizer_config.json", "{\"eos_token\": \"<s>\"}");
    scratch_write(s, "chat_template.jinja", "{{ x }}\n");
    SCOPED(tokenizer) struct tokenizer *tok = NULL;
    assert_ok(tokenizer_open(s->folder, &tok, &err), &err);
    assert_string_equal(tokenizer_chat_template(tok), "{{ x }}\n");
    assert_ok(tokenizer_save(tok, scratch_path(s, "copy"), &err), &err);
    assert_string_equal(scratch_read(s, "copy/tokenizer.json"), text);
    assert_string_equal(scratch_read(s, "copy/tokenizer_config.json"), "{\"eos_token\": \"<s>\"}");
    assert_string_equal(scratch_read(s, "copy/chat_template.jinja"), "{{ x }}\n");
}

/* Made from parts, written, read: the same tokenizer. */
static void test_save__spec_reads_back(void **state) {
    struct scratch *s = *state;
    struct error err = ERROR_INIT;
    static const char *const tokens[] = {"a", "b", "ab", "\u0120", "<s>"};
    static const struct token_merge merges[] = {{0, 1}};
    static const struct added_token added[] = {
        {.text = "<s>", .id = 4, .special = true, .lstrip = true},
        {.text = "word", .id = 9, .single_word = true, .normalized = true}};
    struct tokenizer_spec spec = TOKENIZER_SPEC_INIT;
    spec.tokens = tokens;
    spec.token_count = 5;
    spec.merges = merges;
    spec.merge_count = 1;
    spec.added = added;
    spec.added_count = 2;
    spec.bos = 4;
    spec.adds_bos = true;
    spec.chat_template = "{{ y }}";
    tokenizer_spec_set_byte_level(&spec, TOKEN_PATTERN_QWEN2);
    SCOPED(tokenizer) struct tokenizer *made = NULL;
    SCOPED(tokenizer) struct tokenizer *back = NULL;
    assert_ok(tokenizer_new(&spec, &made, &err), &err);
    assert_ok(tokenizer_save(made, s->folder, &err), &err);
    assert_string_equal(
        scratch_list(s),
        "chat_template.jinja special_tokens_map.json tokenizer.json tokenizer_config.json");
    assert_ok(tokenizer_open(s->folder, &back, &err), &err);
    assert_int_equal(tokenizer_count(back), 10);
    assert_int_equal(tokenizer_bos(back), 4);
    assert_true(tokenizer_adds_bos(back));
    assert_string_equal(tokenizer_chat_template(back), "{{ y }}");
    assert_int_equal(count_tokens(back, "ab a <s> word words"),
                     count_tokens(made, "ab a <s> word words"));
    assert_int_equal(tokenizer_find(back, "word"), 9);
}

static enum err_code open_and_save(void *context, struct error *err) {
    struct scratch *s = context;
    SCOPED(tokenizer) struct tokenizer *tok = NULL;
    TRY(tokenizer_open(s->folder, &tok, err));
    return tokenizer_save(tok, scratch_path(s, "copy"), err);
}

static void test_open__survives_every_failing_allocation(void **state) {
    struct scratch *s = *state;
    scratch_write(s, "tokenizer.json", file_with("", BYTE_LEVEL));
    scratch_write(s, "tokenizer_config.json", "{\"eos_token\":\"<s>\",\"chat_template\":\"x\"}");
    alloc_loop_check(open_and_save, s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(test_open__file_or_folder),
        SCRATCH_TEST(test_config__roles_flags_and_template),
        SCRATCH_TEST(test_template__says_whether_bos_is_added),
        SCRATCH_TEST(test_open__refuses_by_name_and_path),
        SCRATCH_TEST(test_open__refuses_files_that_contradict),
        SCRATCH_TEST(test_two_files__as_gpt2),
        SCRATCH_TEST(test_save__copies_what_was_read),
        SCRATCH_TEST(test_save__spec_reads_back),
        SCRATCH_TEST(test_open__survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
