/* stories260K of llama2.c: its weights are whole, and its vocabulary spells a text it wrote. */
#include "base/file.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "data/tokenizer.h"
#include "policy/model_vocab.h"
#include "policy/weight_source.h"
#include "tests/support/real_data.h"
#include "tests/support/test.h"

/* SOURCE.txt: dim 64, hidden 172, 5 layers, 8 heads, 4 for keys and values, 512 tokens. */
static void test_stories260k__every_weight_is_read(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(weight_source) struct weight_source *source = NULL;
    assert_ok(weight_source_open(real_data_or_skip("stories260k/stories260K.bin"), &source, &err),
              &err);
    const struct model_config *config = weight_source_config(source);
    assert_int_equal(config->kv_heads, 4);
    assert_int_equal(config->mlp_hidden, 172);
    assert_int_equal(weight_source_describe(source).parameters, 260032);
    for (int64_t i = 0; i < model_layout_count(config); i++) {
        struct model_tensor tensor = model_layout_at(config, i);
        SCOPED(mem)
        float *values = mem_array((size_t)model_tensor_elements(&tensor), sizeof *values);
        assert_ok(weight_source_read(source, &tensor, WEIGHT_F32, 1, values, &err), &err);
    }
}

/* 165 merges: as many as transformers 5.23's generate_merges derives from the scores. */
static void test_stories260k__spells_its_own_text(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(model_vocab) struct model_vocab vocab = MODEL_VOCAB_INIT;
    assert_ok(llama2c_vocab_open(real_data_or_skip("stories260k/tok512.bin"), &vocab, &err), &err);
    assert_int_equal(vocab.spec.token_count, 512);
    assert_int_equal(vocab.spec.merge_count, 165);
    SCOPED(tokenizer) struct tokenizer *tok = NULL;
    assert_ok(tokenizer_new(&vocab.spec, &tok, &err), &err);
    SCOPED(mem) char *text = NULL;
    size_t bytes = 0;
    assert_ok(file_read_all(real_data_or_skip("stories260k/expected_greedy_256.txt"), 4096, &text,
                            &bytes, &err),
              &err);
    SCOPED(token_list) struct token_list tokens = TOKEN_LIST_INIT;
    assert_ok(tokenizer_encode(tok, text, bytes, TOKENIZER_SPECIAL_AS_TEXT, &tokens, &err), &err);
    SCOPED(strbuf) struct strbuf back = STRBUF_INIT(4096);
    assert_ok(tokenizer_decode(tok, tokens.ids, tokens.count, TOKENIZER_KEEP_SPECIAL, &back, &err),
              &err);
    assert_string_equal(strbuf_text(&back), text);
    assert_true(tokens.count < (int64_t)bytes / 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stories260k__every_weight_is_read),
        cmocka_unit_test(test_stories260k__spells_its_own_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
