#include "base/arena.h"
#include "base/file.h"
#include "base/scoped.h"
#include "data/tokenizer.h"
#include "tests/support/real_data.h"
#include "tests/support/test.h"

static struct tokenizer *open_real(const char *relative) {
    struct error err = ERROR_INIT;
    struct tokenizer *tok = NULL;
    assert_ok(tokenizer_open(real_data_or_skip(relative), &tok, &err), &err);
    return tok;
}

static void assert_round_trip(const struct tokenizer *tok, const char *text, size_t bytes,
                              int64_t expected_tokens) {
    struct error err = ERROR_INIT;
    SCOPED(token_list) struct token_list list = TOKEN_LIST_INIT;
    assert_ok(tokenizer_encode(tok, text, bytes, TOKENIZER_PARSE_SPECIAL, &list, &err), &err);
    assert_int_equal(list.count, expected_tokens);
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(16 * MIB);
    assert_ok(tokenizer_decode(tok, list.ids, list.count, TOKENIZER_KEEP_SPECIAL, &out, &err),
              &err);
    assert_int_equal(out.length, bytes);
    assert_memory_equal(out.bytes, text, bytes);
}

/* OPT's vocabulary is GPT-2's in another order, so both give the same number of tokens; 80241 is
 * that of the tokenizers library. */
static void test_gpt2_and_opt__a_novel_round_trips(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(mem) char *text = NULL;
    size_t bytes = 0;
    assert_ok(file_read_all(real_data_or_skip("novels/Doyle_Hound_1902.txt"), 16 * MIB, &text,
                            &bytes, &err),
              &err);
    SCOPED(tokenizer) struct tokenizer *gpt2 = open_real("tokenizers/gpt2");
    SCOPED(tokenizer) struct tokenizer *opt = open_real("tokenizers/opt");
    assert_round_trip(gpt2, text, bytes, 80241);
    assert_round_trip(opt, text, bytes, 80241);
}

static void test_gpt2__roles_and_known_ids(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(tokenizer) struct tokenizer *tok = open_real("tokenizers/gpt2");
    assert_int_equal(tokenizer_count(tok), 50257);
    assert_int_equal(tokenizer_bos(tok), 50256);
    assert_int_equal(tokenizer_eos(tok), 50256);
    assert_int_equal(tokenizer_pad(tok), -1);
    assert_false(tokenizer_adds_bos(tok));
    assert_null(tokenizer_chat_template(tok));
    /* "Hello world" is 15496 995 in every GPT-2 implementation. */
    SCOPED(token_list) struct token_list list = TOKEN_LIST_INIT;
    assert_ok(tokenizer_encode(tok, "Hello world", 11, TOKENIZER_PARSE_SPECIAL, &list, &err), &err);
    assert_int_equal(list.count, 2);
    assert_int_equal(list.ids[0], 15496);
    assert_int_equal(list.ids[1], 995);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gpt2_and_opt__a_novel_round_trips),
        cmocka_unit_test(test_gpt2__roles_and_known_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
