/* Golden: tests/golden/bpe, by the tokenizers library (make_bpe.py). */
#include "data/bpe_train.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

static const char *const special[] = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};

static struct bpe_trainer *open_trainer(const struct bpe_train_options *options) {
    struct error err = ERROR_INIT;
    struct bpe_trainer *trainer = NULL;
    assert_ok(bpe_trainer_new(options, &trainer, &err), &err);
    return trainer;
}

static struct tokenizer *finish(struct bpe_trainer *trainer, struct bpe_train_report *report) {
    struct error err = ERROR_INIT;
    struct tokenizer *tok = NULL;
    assert_ok(bpe_trainer_finish(trainer, &tok, report, &err), &err);
    return tok;
}

/* ---- by hand ---- */

static void add_words(struct bpe_trainer *trainer) {
    static const struct {
        const char *word;
        int64_t count;
    } words[] = {{"low", 5}, {"lower", 2}, {"newest", 6}, {"widest", 3}};
    struct error err = ERROR_INIT;
    for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
        assert_ok(bpe_trainer_add_word(trainer, words[w].word, strlen(words[w].word),
                                       words[w].count, &err),
                  &err);
    }
}

static void check_merged(const struct tokenizer *tok, int32_t first, const char *const *expected,
                         int64_t count) {
    assert_int_equal(tokenizer_count(tok), first + count);
    for (int32_t m = 0; m < count; m++) {
        assert_int_equal(tokenizer_find(tok, expected[m]), first + m);
    }
}

/* The example of Sennrich, Haddow and Birch. Pairs of each round, with their counts; of equal ones
 * the first letter decides, then the second, and letters come before tokens:
 *   es 9, st 9, we 8, lo 7, ow 7 ...    es      newest 6 + widest 3; 'e' is before 's'
 *   es+t 9, lo 7, ow 7                  est
 *   lo 7, ow 7                          lo      low 5 + lower 2
 *   lo+w 7                              low
 *   ew 6, ne 6, w+est 6                 ew      'e' is before 'n' and 'w'
 *   n+ew 6, ew+est 6                    new     a letter is before a token
 *   new+est 6                           newest
 *   wi 3, id 3, d+est 3                 dest, i+dest: idest, w+idest: widest
 *   low+e 2, er 2                       er      'e' is before "low"
 *   low+er 2                            lower */
static void test_bpe_train__merges_by_hand(void **state) {
    (void)state;
    static const char *const expected[] = {"es",     "est",  "lo",    "low",    "ew", "new",
                                           "newest", "dest", "idest", "widest", "er", "lower"};
    struct bpe_train_options options = BPE_TRAIN_DEFAULT;
    struct bpe_train_report report;
    options.vocabulary = 256 + 12;
    SCOPED(bpe_trainer) struct bpe_trainer *trainer = open_trainer(&options);
    add_words(trainer);
    SCOPED(tokenizer) struct tokenizer *tok = finish(trainer, &report);
    check_merged(tok, 256, expected, 12);
    assert_int_equal(report.merges, 12);
    assert_int_equal(report.words, 16);
    assert_int_equal(report.distinct_words, 4);
    assert_int_equal(report.last_frequency, 2);
    assert_false(report.ran_out);
}

/* Seen twice or less is not often enough: all up to "widest". */
static void test_bpe_train__rare_pairs_are_left(void **state) {
    (void)state;
    static const char *const expected[] = {"es",  "est",    "lo",   "low",   "ew",
                                           "new", "newest", "dest", "idest", "widest"};
    struct bpe_train_options options = BPE_TRAIN_DEFAULT;
    struct bpe_train_report report;
    options.min_frequency = 3;
    SCOPED(bpe_trainer) struct bpe_trainer *trainer = open_trainer(&options);
    add_words(trainer);
    SCOPED(tokenizer) struct tokenizer *tok = finish(trainer, &report);
    check_merged(tok, 256, expected, 10);
    assert_int_equal(report.last_frequency, 3);
    assert_true(report.ran_out);
}

/* "aaaa" once: (a,a) stands there three times. Merged from the left it is "aa" "aa", then "aaaa".
 */
static void test_bpe_train__runs_are_merged_from_the_left(void **state) {
    (void)state;
    static const char *const expected[] = {"aa", "aaaa"};
    struct error err = ERROR_INIT;
    struct bpe_train_options options = BPE_TRAIN_DEFAULT;
    struct bpe_train_report report;
    options.min_frequency = 1;
    SCOPED(bpe_trainer) struct bpe_trainer *trainer = open_trainer(&options);
    assert_ok(bpe_trainer_add_word(trainer, "aaaa", 4, 1, &err), &err);
    SCOPED(tokenizer) struct tokenizer *tok = finish(trainer, &report);
    check_merged(tok, 256, expected, 2);
}

/* What people write never becomes a special token, however often they write it: the last merge is
 * not made, and "teatime" stays two tokens. */
static void test_bpe_train__special_tokens_are_not_learnt(void **state) {
    (void)state;
    static const char *const tea[] = {"<pad>", "teatime"};
    struct error err = ERROR_INIT;
    struct bpe_train_options options = BPE_TRAIN_DEFAULT;
    struct bpe_train_report report;
    options.special = tea;
    options.special_count = 2;
    options.eos = 1;
    SCOPED(bpe_trainer) struct bpe_trainer *trainer = open_trainer(&options);
    assert_ok(bpe_trainer_add(trainer, "teatime teatime", 15, &err), &err);
    assert_ok(bpe_trainer_add_word(trainer, "teatime", 7, 100, &err), &err);
    SCOPED(tokenizer) struct tokenizer *tok = finish(trainer, &report);
    SCOPED(token_list) struct token_list list = TOKEN_LIST_INIT;
    assert_ok(tokenizer_encode(tok, "teatime", 7, TOKENIZER_SPECIAL_AS_TEXT, &list, &err), &err);
    assert_int_equal(list.count, 2);
    assert_false(tokenizer_is_special(tok, list.ids[0]));
    assert_false(tokenizer_is_special(tok, list.ids[1]));
    token_list_reset(&list);
    assert_ok(tokenizer_encode(tok, "teatime", 7, TOKENIZER_PARSE_SPECIAL, &list, &err), &err);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.ids[0], 1);
    assert_int_equal(tokenizer_eos(tok), 1);
    assert_int_equal(tokenizer_pad(tok), -1);
}

/* ---- the library ---- */

static char *read_text(size_t *out_bytes) {
    struct error err = ERROR_INIT;
    char *text = NULL;
    assert_ok(file_read_all(GOLDEN_FOLDER "/bpe/text.txt", MIB, &text, out_bytes, &err), &err);
    return text;
}

static enum token_pattern pattern_of(const char *name) {
    return strcmp(name, "gpt2") == 0      ? TOKEN_PATTERN_GPT2
           : strcmp(name, "smollm2") == 0 ? TOKEN_PATTERN_SMOLLM2
           : strcmp(name, "llama3") == 0  ? TOKEN_PATTERN_LLAMA3
                                          : TOKEN_PATTERN_QWEN2;
}

static void check_tokens(const struct json *doc, const struct json_node *row,
                         const struct tokenizer *tok) {
    struct error err = ERROR_INIT;
    const struct json_node *tokens = NULL;
    assert_ok(json_get_array(doc, row, "tokens", &tokens, &err), &err);
    assert_int_equal(tokenizer_count(tok), json_count(doc, tokens));
    int32_t id = 0;
    for (const struct json_node *t = json_first(tokens); t; t = json_next(t)) {
        const char *token = NULL;
        assert_ok(json_as_string(doc, t, &token, &err), &err);
        assert_int_equal(tokenizer_find(tok, token), id++);
    }
}

/* "a b" or ["a", "b"], as the writer has it. */
static void check_merge(const struct json *doc, const struct json_node *merge,
                        const char *expected) {
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(KIB);
    const char *part = NULL;
    if (json_kind_of(merge) == JSON_KIND_STRING) {
        assert_ok(json_as_string(doc, merge, &part, &err), &err);
        strbuf_add(&text, part);
    } else {
        for (int64_t i = 0; i < 2; i++) {
            assert_ok(json_as_string(doc, json_at(doc, merge, i), &part, &err), &err);
            strbuf_addf(&text, "%s%s", i > 0 ? " " : "", part);
        }
    }
    assert_string_equal(strbuf_text(&text), expected);
}

static void check_merges(const struct json *doc, const struct json_node *row,
                         const struct tokenizer *tok, struct scratch *scratch) {
    struct error err = ERROR_INIT;
    const struct json_node *expected = NULL;
    const struct json_node *model = NULL;
    const struct json_node *merges = NULL;
    SCOPED(json) struct json *saved = NULL;
    assert_ok(tokenizer_save(tok, scratch->folder, &err), &err);
    assert_ok(json_parse_file(scratch_path(scratch, "tokenizer.json"), NULL, &saved, &err), &err);
    assert_ok(json_get_object(saved, json_root(saved), "model", &model, &err), &err);
    assert_ok(json_get_array(saved, model, "merges", &merges, &err), &err);
    assert_ok(json_get_array(doc, row, "merges", &expected, &err), &err);
    assert_int_equal(json_count(saved, merges), json_count(doc, expected));
    const struct json_node *ours = json_first(merges);
    for (const struct json_node *m = json_first(expected); m; m = json_next(m)) {
        const char *text = NULL;
        assert_ok(json_as_string(doc, m, &text, &err), &err);
        check_merge(saved, ours, text);
        ours = json_next(ours);
    }
}

static void check_row(const struct json *doc, const char *text, size_t bytes,
                      struct scratch *scratch) {
    struct error err = ERROR_INIT;
    const struct json_node *row = json_root(doc);
    struct bpe_train_options options = BPE_TRAIN_DEFAULT;
    struct bpe_train_report report;
    const char *pattern = NULL;
    assert_ok(json_get_string(doc, row, "pattern", &pattern, &err), &err);
    assert_ok(json_get_i64(doc, row, "vocabulary", &options.vocabulary, &err), &err);
    assert_ok(json_get_i64(doc, row, "min_frequency", &options.min_frequency, &err), &err);
    options.pattern = pattern_of(pattern);
    options.special = special;
    options.special_count = 3;
    SCOPED(bpe_trainer) struct bpe_trainer *trainer = open_trainer(&options);
    assert_ok(bpe_trainer_add(trainer, text, bytes, &err), &err);
    SCOPED(tokenizer) struct tokenizer *tok = finish(trainer, &report);
    check_tokens(doc, row, tok);
    check_merges(doc, row, tok, scratch);
    assert_int_equal(report.ran_out, tokenizer_count(tok) < options.vocabulary);
}

static void test_bpe_train__as_the_library(void **state) {
    struct error err = ERROR_INIT;
    SCOPED(mem) char *rows = NULL;
    size_t bytes = 0, row_bytes = 0;
    SCOPED(mem) char *text = read_text(&bytes);
    assert_ok(file_read_all(GOLDEN_FOLDER "/bpe/trained.jsonl", MIB, &rows, &row_bytes, &err),
              &err);
    char *rest = NULL;
    int64_t count = 0;
    for (char *line = strtok_r(rows, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        SCOPED(json) struct json *doc = NULL;
        assert_ok(json_parse(line, strlen(line), "trained.jsonl", NULL, &doc, &err), &err);
        check_row(doc, text, bytes, *state);
        count++;
    }
    assert_int_equal(count, 6);
}

/* ---- properties ---- */

/* Words in any order and any portions give the same tokens. */
static void test_bpe_train__order_of_words_does_not_count(void **state) {
    (void)state;
    static const char *const words[] = {"aab", "aaab", "abab", "bba", "baab", "aaaaaaa", "abb"};
    struct error err = ERROR_INIT;
    struct bpe_train_options options = BPE_TRAIN_DEFAULT;
    options.min_frequency = 1;
    for (int64_t seed = 0; seed < 50; seed++) {
        struct bpe_train_report first_report, report;
        SCOPED(bpe_trainer) struct bpe_trainer *first = open_trainer(&options);
        SCOPED(bpe_trainer) struct bpe_trainer *second = open_trainer(&options);
        struct rng rng = rng_stream(1, RNG_TEST, 0, seed);
        int64_t order[] = {0, 1, 2, 3, 4, 5, 6};
        rng_shuffle(&rng, order, 7);
        for (int64_t w = 0; w < 7; w++) {
            int64_t n = order[w];
            assert_ok(bpe_trainer_add_word(first, words[w], strlen(words[w]), w + 2, &err), &err);
            assert_ok(bpe_trainer_add_word(second, words[n], strlen(words[n]), 1, &err), &err);
            assert_ok(bpe_trainer_add_word(second, words[n], strlen(words[n]), n + 1, &err), &err);
        }
        SCOPED(tokenizer) struct tokenizer *one = finish(first, &first_report);
        SCOPED(tokenizer) struct tokenizer *two = finish(second, &report);
        assert_int_equal(tokenizer_count(one), tokenizer_count(two));
        for (int32_t id = 0; id < tokenizer_count(one); id++) {
            const struct text_span text = tokenizer_bytes_of(one, id);
            const struct text_span other = tokenizer_bytes_of(two, id);
            assert_true(text_span_equal(&text, &other));
        }
    }
}

/* Every text comes back, also one that nothing was learnt of. */
static void test_bpe_train__texts_come_back(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    size_t bytes = 0;
    SCOPED(mem) char *text = read_text(&bytes);
    struct bpe_train_options options = BPE_TRAIN_DEFAULT;
    struct bpe_train_report report;
    options.vocabulary = 400;
    SCOPED(bpe_trainer) struct bpe_trainer *trainer = open_trainer(&options);
    size_t part = bytes / 2;
    while (text[part - 1] != '\n') {
        part--;
    }
    assert_ok(bpe_trainer_add(trainer, text, part, &err), &err);
    SCOPED(tokenizer) struct tokenizer *tok = finish(trainer, &report);
    SCOPED(token_list) struct token_list list = TOKEN_LIST_INIT;
    SCOPED(strbuf) struct strbuf back = STRBUF_INIT(MIB);
    assert_ok(tokenizer_encode(tok, text, bytes, TOKENIZER_SPECIAL_AS_TEXT, &list, &err), &err);
    assert_ok(tokenizer_decode(tok, list.ids, list.count, TOKENIZER_KEEP_SPECIAL, &back, &err),
              &err);
    assert_int_equal(back.length, bytes);
    assert_memory_equal(back.bytes, text, bytes);
    assert_true(list.count < (int64_t)bytes / 2);
}

/* ---- refusals ---- */

static void check_refused(const struct bpe_train_options *options, const char *message) {
    struct error err = ERROR_INIT;
    struct bpe_trainer *trainer = NULL;
    assert_fails(bpe_trainer_new(options, &trainer, &err), ERR_USAGE, message, &err);
}

static void test_bpe_train__refuses_what_cannot_be(void **state) {
    (void)state;
    static const char *const doubled[] = {"<a>", "<b>", "<a>"};
    static const char *const single[] = {"a"};
    struct error err = ERROR_INIT;
    struct bpe_train_options options = BPE_TRAIN_DEFAULT;
    struct bpe_train_report report;
    struct tokenizer *tok = NULL;
    options.vocabulary = 258;
    options.special = doubled;
    options.special_count = 3;
    check_refused(&options,
                  "a vocabulary of 258 tokens is outside [259, 1000000]: 256 bytes and 3");
    options.vocabulary = 300;
    check_refused(&options, "special token '<a>' is given twice");
    options.special = single;
    options.special_count = 1;
    check_refused(&options, "special token 'a': expected two characters or more");
    options.special_count = 0;
    SCOPED(bpe_trainer) struct bpe_trainer *trainer = open_trainer(&options);
    assert_fails(bpe_trainer_finish(trainer, &tok, &report, &err), ERR_DATA,
                 "there is no text to train a tokenizer on", &err);
    assert_fails(bpe_trainer_add(trainer, "a\xff", 2, &err), ERR_DATA,
                 "byte 1 of a text is no UTF-8", &err);
}

static enum err_code train_once(void *context, struct error *err) {
    const struct text_span *text = context;
    struct bpe_train_options options = BPE_TRAIN_DEFAULT;
    struct bpe_train_report report;
    options.vocabulary = 270;
    options.special = special;
    options.special_count = 3;
    SCOPED(bpe_trainer) struct bpe_trainer *trainer = NULL;
    SCOPED(tokenizer) struct tokenizer *tok = NULL;
    TRY(bpe_trainer_new(&options, &trainer, err));
    TRY(bpe_trainer_add(trainer, text->bytes, text->count, err));
    return bpe_trainer_finish(trainer, &tok, &report, err);
}

static void test_bpe_train__without_memory(void **state) {
    (void)state;
    struct text_span text = text_span_of("tea for two, and two for tea, tea, tea\n");
    alloc_loop_check(train_once, &text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bpe_train__merges_by_hand),
        cmocka_unit_test(test_bpe_train__rare_pairs_are_left),
        cmocka_unit_test(test_bpe_train__runs_are_merged_from_the_left),
        cmocka_unit_test(test_bpe_train__special_tokens_are_not_learnt),
        SCRATCH_TEST(test_bpe_train__as_the_library),
        cmocka_unit_test(test_bpe_train__order_of_words_does_not_count),
        cmocka_unit_test(test_bpe_train__texts_come_back),
        cmocka_unit_test(test_bpe_train__refuses_what_cannot_be),
        cmocka_unit_test(test_bpe_train__without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
