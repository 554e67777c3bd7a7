/* Ids, places and decoded texts of the tokenizers library: tests/golden/make_tokenizer.py. */
#include "base/arena.h"
#include "base/scoped.h"
#include "data/tokenizer.h"
#include "tests/support/test.h"
#include "tests/support/token_case.h"

static void check(const char *name) {
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(KIB);
    SCOPED(tokenizer) struct tokenizer *tok = NULL;
    strbuf_addf(&path, "%s/tokenizer/%s.json", GOLDEN_FOLDER, name);
    assert_ok(tokenizer_open(strbuf_text(&path), &tok, &err), &err);
    strbuf_reset(&path);
    strbuf_addf(&path, "%s/tokenizer/%s.cases", GOLDEN_FOLDER, name);
    struct token_case_counts counts = {0};
    assert_ok(token_cases_compare(tok, strbuf_text(&path), &counts, stderr, &err), &err);
    assert_true(counts.cases > 200);
    assert_int_equal(counts.ids, 0);
    assert_int_equal(counts.places, 0);
    assert_int_equal(counts.decoded, 0);
}

#define FAMILIES(X)     \
    X(gpt2)             \
    X(gpt2_prefix)      \
    X(smollm2)          \
    X(llama3)           \
    X(qwen2)            \
    X(o200k)            \
    X(falcon)           \
    X(mixed_1)          \
    X(mixed_2)          \
    X(mixed_3)          \
    X(mixed_4)          \
    X(mixed_5)          \
    X(llama2)           \
    X(metaspace_first)  \
    X(metaspace_always) \
    X(metaspace_never)

#define GOLDEN_TEST(name)                                     \
    static void test_##name##__as_the_library(void **state) { \
        (void)state;                                          \
        check(#name);                                         \
    }
FAMILIES(GOLDEN_TEST)
#undef GOLDEN_TEST

int main(void) {
    const struct CMUnitTest tests[] = {
#define GOLDEN_CASE(name) cmocka_unit_test(test_##name##__as_the_library),
        FAMILIES(GOLDEN_CASE)
#undef GOLDEN_CASE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
