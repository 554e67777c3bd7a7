#include "data/tokenizer.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "data/tokenizer_spec.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/test.h"

#include <pthread.h>
#include <stdio.h>

/* A vocabulary of bytes that are letters, for merging by hand:
 *   merges by rank: 0 "a b" -> ab   1 "b c" -> bc   2 "ab c" -> abc   3 "Ġ a" -> Ġa   4 "a a" -> aa
 */
static const char *const tokens[] = {"a",  "b",  "c", "Ġ",   "ab", "bc", "abc",
                                     "Ġa", "aa", "Ċ", "<s>", "Ã",  "©",  "x"};
enum { A, B, C, SPACE, AB, BC, ABC, SPACE_A, AA, NEWLINE, BOS, E_FIRST, E_SECOND, X, MASK, WORD };
static const struct token_merge merges[] = {{A, B}, {B, C}, {AB, C}, {SPACE, A}, {A, A}};

static struct tokenizer_spec letters(void) {
    struct tokenizer_spec spec = TOKENIZER_SPEC_INIT;
    spec.tokens = tokens;
    spec.token_count = sizeof tokens / sizeof *tokens;
    spec.merges = merges;
    spec.merge_count = sizeof merges / sizeof *merges;
    tokenizer_spec_set_byte_level(&spec, TOKEN_PATTERN_GPT2);
    return spec;
}

static struct tokenizer *open_spec(const struct tokenizer_spec *spec) {
    struct error err = ERROR_INIT;
    struct tokenizer *tok = NULL;
    assert_ok(tokenizer_new(spec, &tok, &err), &err);
    return tok;
}

/* The ids and places of a text as "4[0,2) 2[2,3)". */
static const char *encoded(const struct tokenizer *tok, const char *text,
                           enum tokenizer_encoding encoding) {
    static char shown[512];
    struct error err = ERROR_INIT;
    SCOPED(token_list) struct token_list list = TOKEN_LIST_INIT;
    assert_ok(tokenizer_encode(tok, text, strlen(text), encoding, &list, &err), &err);
    size_t at = 0;
    shown[0] = '\0';
    for (int64_t i = 0; i < list.count && at < sizeof shown; i++) {
        at += (size_t)snprintf(shown + at, sizeof shown - at, "%s%d[%u,%u)", i > 0 ? " " : "",
                               (int)list.ids[i], (unsigned)list.begins[i], (unsigned)list.ends[i]);
    }
    return shown;
}

/* abc: "ab" is of better rank than "bc"; then "ab c". aab: pairs (a,a) rank 4, (a,b) rank 0 -> a
 * ab. bc: rank 1. aaa: the left pair first. ababc: ab ab c -> ab abc. */
static void test_merges__best_rank_then_leftmost(void **state) {
    (void)state;
    struct tokenizer_spec spec = letters();
    SCOPED(tokenizer) struct tokenizer *tok = open_spec(&spec);
    assert_string_equal(encoded(tok, "abc", TOKENIZER_PARSE_SPECIAL), "6[0,3)");
    assert_string_equal(encoded(tok, "aab", TOKENIZER_PARSE_SPECIAL), "0[0,1) 4[1,3)");
    assert_string_equal(encoded(tok, "bc", TOKENIZER_PARSE_SPECIAL), "5[0,2)");
    assert_string_equal(encoded(tok, "aaa", TOKENIZER_PARSE_SPECIAL), "8[0,2) 0[2,3)");
    assert_string_equal(encoded(tok, "ababc", TOKENIZER_PARSE_SPECIAL), "4[0,2) 6[2,5)");
    assert_string_equal(encoded(tok, "a aa", TOKENIZER_PARSE_SPECIAL), "0[0,1) 7[1,3) 0[3,4)");
    assert_string_equal(encoded(tok, "", TOKENIZER_PARSE_SPECIAL), "");
}

/* The same word twice: what was learnt about it changes nothing. "aab" is no token; "bc" and "abc"
 * are, and come out whole. */
static void test_merges__second_meeting_is_the_same(void **state) {
    (void)state;
    struct tokenizer_spec spec = letters();
    SCOPED(tokenizer) struct tokenizer *tok = open_spec(&spec);
    for (int64_t i = 0; i < 3; i++) {
        assert_string_equal(encoded(tok, "abc", TOKENIZER_PARSE_SPECIAL), "6[0,3)");
        assert_string_equal(encoded(tok, "bc", TOKENIZER_PARSE_SPECIAL), "5[0,2)");
    }
}

/* Without the merge "ab c" no merging gives "abc", though it is a token: ab c. With ignore_merges
 * the word is the token. */
static void test_ignore_merges__word_is_token(void **state) {
    (void)state;
    struct tokenizer_spec spec = letters();
    spec.merge_count = 2;
    SCOPED(tokenizer) struct tokenizer *merging = open_spec(&spec);
    assert_string_equal(encoded(merging, "abc", TOKENIZER_PARSE_SPECIAL), "4[0,2) 2[2,3)");
    assert_string_equal(encoded(merging, "abc", TOKENIZER_PARSE_SPECIAL), "4[0,2) 2[2,3)");
    spec.ignore_merges = true;
    SCOPED(tokenizer) struct tokenizer *ignoring = open_spec(&spec);
    assert_string_equal(encoded(ignoring, "abc", TOKENIZER_PARSE_SPECIAL), "6[0,3)");
}

/* A word of 200 letters goes the way of the heap, one of 40 that of the scan; (aab)^n is
 * a ab a ab ... on both. */
static void test_merges__long_word_as_short(void **state) {
    (void)state;
    struct tokenizer_spec spec = letters();
    SCOPED(tokenizer) struct tokenizer *tok = open_spec(&spec);
    struct error err = ERROR_INIT;
    for (int64_t n = 1; n < 300; n++) {
        SCOPED(strbuf) struct strbuf text = STRBUF_INIT(KIB);
        for (int64_t i = 0; i < n; i++) {
            strbuf_add(&text, "aab");
        }
        SCOPED(token_list) struct token_list list = TOKEN_LIST_INIT;
        assert_ok(
            tokenizer_encode(tok, text.bytes, text.length, TOKENIZER_PARSE_SPECIAL, &list, &err),
            &err);
        assert_int_equal(list.count, 2 * n);
        for (int64_t i = 0; i < list.count; i++) {
            assert_int_equal(list.ids[i], i % 2 == 0 ? A : AB);
            assert_int_equal(list.begins[i], 3 * (i / 2) + i % 2);
        }
    }
}

/* A million bytes without a place to cut: a quadratic merge would take hours. */
static void test_merges__megabyte_word_is_not_quadratic(void **state) {
    (void)state;
    struct tokenizer_spec spec = letters();
    SCOPED(tokenizer) struct tokenizer *tok = open_spec(&spec);
    struct error err = ERROR_INIT;
    size_t bytes = MIB;
    SCOPED(mem) char *text = mem_alloc(bytes);
    assert_non_null(text);
    memset(text, 'a', bytes);
    SCOPED(token_list) struct token_list list = TOKEN_LIST_INIT;
    assert_ok(tokenizer_encode(tok, text, bytes, TOKENIZER_PARSE_SPECIAL, &list, &err), &err);
    assert_int_equal(list.count, bytes / 2);
}

/* "é" is C3 A9: its two tokens both stand at the whole character. "z" is no token and there is no
 * unknown one: it leaves nothing, and is counted. */
static void test_places__whole_characters_and_dropped_bytes(void **state) {
    (void)state;
    struct tokenizer_spec spec = letters();
    SCOPED(tokenizer) struct tokenizer *tok = open_spec(&spec);
    assert_string_equal(encoded(tok, "aé", TOKENIZER_PARSE_SPECIAL), "0[0,1) 11[1,3) 12[1,3)");
    struct error err = ERROR_INIT;
    SCOPED(token_list) struct token_list list = TOKEN_LIST_INIT;
    assert_ok(tokenizer_encode(tok, "zaz", 3, TOKENIZER_PARSE_SPECIAL, &list, &err), &err);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.begins[0], 1);
    assert_int_equal(list.dropped_bytes, 2);
}

static void test_encode__refuses_what_is_not_utf8_and_leaves_the_list(void **state) {
    (void)state;
    struct tokenizer_spec spec = letters();
    SCOPED(tokenizer) struct tokenizer *tok = open_spec(&spec);
    struct error err = ERROR_INIT;
    SCOPED(token_list) struct token_list list = TOKEN_LIST_INIT;
    assert_ok(tokenizer_encode(tok, "ab", 2, TOKENIZER_PARSE_SPECIAL, &list, &err), &err);
    assert_fails(tokenizer_encode(tok, "ab\xC3", 3, TOKENIZER_PARSE_SPECIAL, &list, &err), ERR_DATA,
                 "not UTF-8 at byte 2", &err);
    assert_int_equal(list.count, 1);
}

static struct tokenizer *with_added(const struct added_token *added, int64_t count) {
    struct tokenizer_spec spec = letters();
    spec.added = added;
    spec.added_count = count;
    return open_spec(&spec);
}

/* Special tokens are cut out, or are text: "<s>" has no tokens for its letters here, so nothing is
 * left. */
static void test_added__special_as_text(void **state) {
    (void)state;
    const struct added_token added[] = {{.text = "<s>", .id = BOS, .special = true},
                                        {.text = "<x>", .id = MASK}};
    SCOPED(tokenizer) struct tokenizer *tok = with_added(added, 2);
    assert_string_equal(encoded(tok, "a<s>b", TOKENIZER_PARSE_SPECIAL), "0[0,1) 10[1,4) 1[4,5)");
    assert_string_equal(encoded(tok, "a<s>b", TOKENIZER_SPECIAL_AS_TEXT), "0[0,1) 1[4,5)");
    assert_string_equal(encoded(tok, "a<x>b", TOKENIZER_SPECIAL_AS_TEXT), "0[0,1) 14[1,4) 1[4,5)");
    assert_true(tokenizer_is_special(tok, BOS));
    assert_false(tokenizer_is_special(tok, MASK));
    assert_false(tokenizer_is_special(tok, -1));
    assert_int_equal(tokenizer_find(tok, "<x>"), MASK);
    assert_int_equal(tokenizer_count(tok), MASK + 1);
}

/* lstrip and rstrip take the blanks beside them, U+00A0 and U+3000 too. */
static void test_added__strips_blanks(void **state) {
    (void)state;
    const struct added_token added[] = {
        {.text = "<l>", .id = MASK, .lstrip = true},
        {.text = "<r>", .id = WORD, .rstrip = true},
    };
    SCOPED(tokenizer) struct tokenizer *tok = with_added(added, 2);
    assert_string_equal(encoded(tok, "a \n<l> a", TOKENIZER_PARSE_SPECIAL),
                        "0[0,1) 14[1,6) 7[6,8)");
    assert_string_equal(encoded(tok,
                                "a <r> \xE3\x80\x80"
                                "b",
                                TOKENIZER_PARSE_SPECIAL),
                        "0[0,1) 3[1,2) 15[2,9) 1[9,10)");
    assert_string_equal(encoded(tok, "a\xC2\xA0<l>", TOKENIZER_PARSE_SPECIAL), "0[0,1) 14[1,6)");
    /* The blank belongs to the first that takes it. */
    assert_string_equal(encoded(tok, "<r> <l>", TOKENIZER_PARSE_SPECIAL), "15[0,4) 14[4,7)");
}

static void test_added__single_word(void **state) {
    (void)state;
    const struct added_token added[] = {{.text = "ab", .id = AB, .single_word = true}};
    SCOPED(tokenizer) struct tokenizer *tok = with_added(added, 1);
    /* Cut out, "ab" parts the blank from "a"; inside a word it is text like any other. */
    assert_string_equal(encoded(tok, "ab", TOKENIZER_PARSE_SPECIAL), "4[0,2)");
    assert_string_equal(encoded(tok, "abc", TOKENIZER_PARSE_SPECIAL), "6[0,3)");
    assert_string_equal(encoded(tok, "a ab", TOKENIZER_PARSE_SPECIAL), "0[0,1) 3[1,2) 4[2,4)");
    assert_string_equal(encoded(tok, "a aab", TOKENIZER_PARSE_SPECIAL), "0[0,1) 7[1,3) 4[3,5)");
}

/* The longest of those that begin at the leftmost place. */
static void test_added__leftmost_longest(void **state) {
    (void)state;
    const struct added_token added[] = {{.text = "aa", .id = AA}, {.text = "aabb", .id = MASK}};
    SCOPED(tokenizer) struct tokenizer *tok = with_added(added, 2);
    assert_string_equal(encoded(tok, "aabb", TOKENIZER_PARSE_SPECIAL), "14[0,4)");
    assert_string_equal(encoded(tok, "aaabb", TOKENIZER_PARSE_SPECIAL), "8[0,2) 4[2,4) 1[4,5)");
}

/* Looked for in the normalised text: with NFC, e + U+0301 is "é" too. */
static void test_added__normalized(void **state) {
    (void)state;
    const struct added_token added[] = {{.text = "e\u0301", .id = MASK, .normalized = true}};
    struct tokenizer_spec spec = letters();
    tokenizer_spec_set_byte_level(&spec, TOKEN_PATTERN_QWEN2);
    spec.added = added;
    spec.added_count = 1;
    SCOPED(tokenizer) struct tokenizer *tok = open_spec(&spec);
    assert_string_equal(encoded(tok, "aé", TOKENIZER_PARSE_SPECIAL), "0[0,1) 14[1,3)");
    /* The composed character stands where its letter did. */
    assert_string_equal(encoded(tok, "ae\u0301", TOKENIZER_PARSE_SPECIAL), "0[0,1) 14[1,2)");
}

static const char *decoded(const struct tokenizer *tok, const int32_t *ids, int64_t count,
                           enum tokenizer_decoding decoding) {
    static char shown[256];
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(KIB);
    assert_ok(tokenizer_decode(tok, ids, count, decoding, &out, &err), &err);
    snprintf(shown, sizeof shown, "%s", strbuf_text(&out));
    return shown;
}

/* C3 alone, and A9 alone, are no characters: U+FFFD each. */
static void test_decode__broken_characters(void **state) {
    (void)state;
    const struct added_token added[] = {{.text = "<s>", .id = BOS, .special = true}};
    SCOPED(tokenizer) struct tokenizer *tok = with_added(added, 1);
    const int32_t whole[] = {BOS, A, E_FIRST, E_SECOND};
    const int32_t broken[] = {E_FIRST, A, E_SECOND, E_FIRST};
    assert_string_equal(decoded(tok, whole, 4, TOKENIZER_KEEP_SPECIAL), "<s>aé");
    assert_string_equal(decoded(tok, whole, 4, TOKENIZER_SKIP_SPECIAL), "aé");
    assert_string_equal(decoded(tok, broken, 4, TOKENIZER_KEEP_SPECIAL), "\uFFFDa\uFFFD\uFFFD");
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(KIB);
    const int32_t outside[] = {99};
    assert_fails(tokenizer_decode(tok, outside, 1, TOKENIZER_KEEP_SPECIAL, &out, &err), ERR_DATA,
                 "token id 99 is not in the vocabulary of 14 ids", &err);
}

/* A character comes out when it is whole, not before. */
static void test_stream__holds_back_half_characters(void **state) {
    (void)state;
    struct tokenizer_spec spec = letters();
    SCOPED(tokenizer) struct tokenizer *tok = open_spec(&spec);
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(KIB);
    SCOPED(token_stream) struct token_stream stream;
    token_stream_init(&stream, tok, TOKENIZER_KEEP_SPECIAL);
    assert_ok(token_stream_push(&stream, E_FIRST, &out, &err), &err);
    assert_int_equal(out.length, 0);
    assert_ok(token_stream_push(&stream, E_SECOND, &out, &err), &err);
    assert_string_equal(strbuf_text(&out), "é");
    assert_ok(token_stream_push(&stream, E_FIRST, &out, &err), &err);
    assert_ok(token_stream_push(&stream, A, &out, &err), &err);
    assert_string_equal(strbuf_text(&out), "é\uFFFDa");
    assert_ok(token_stream_push(&stream, E_FIRST, &out, &err), &err);
    assert_ok(token_stream_finish(&stream, &out, &err), &err);
    assert_string_equal(strbuf_text(&out), "é\uFFFDa\uFFFD");
}

/* ---- threads ---- */

enum { THREADS = 4, ROUNDS = 200 };

struct encoder {
    const struct tokenizer *tok;
    int64_t wrong; /* encodings that were not as expected */
};

static void *encode_often(void *context) {
    struct encoder *encoder = context;
    static const char text[] = "abc bc aab abca <s> aa";
    for (int64_t i = 0; i < ROUNDS; i++) {
        struct error err = ERROR_INIT;
        SCOPED(token_list) struct token_list list = TOKEN_LIST_INIT;
        enum err_code code = tokenizer_encode(encoder->tok, text, sizeof text - 1,
                                              TOKENIZER_PARSE_SPECIAL, &list, &err);
        /* abc|Ġ bc|Ġa ab|Ġ abc a|Ġ|<s>|Ġa a */
        static const int32_t expected[] = {ABC, SPACE, BC,    SPACE_A, AB,      SPACE,
                                           ABC, A,     SPACE, BOS,     SPACE_A, A};
        encoder->wrong +=
            code != ERR_OK || list.count != 12 || memcmp(list.ids, expected, sizeof expected) != 0;
    }
    return NULL;
}

/* A fresh tokenizer, so that all of them learn about its words at once; with a pattern of PCRE2, of
 * which each takes one. */
static void test_threads__encode_at_once(void **state) {
    (void)state;
    struct tokenizer_spec spec = letters();
    const struct added_token added[] = {{.text = "<s>", .id = BOS, .special = true}};
    spec.added = added;
    spec.added_count = 1;
    spec.splitters[0] = (struct token_splitter){
        .kind = TOKEN_SPLITTER_REGEX, .pattern = " ?\\w+| ", .behavior = TOKEN_SPLIT_ISOLATED};
    spec.splitters[1] = (struct token_splitter){.kind = TOKEN_SPLITTER_BYTE_LEVEL};
    spec.splitter_count = 2;
    SCOPED(tokenizer) struct tokenizer *tok = open_spec(&spec);
    pthread_t threads[THREADS];
    struct encoder encoders[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        encoders[i] = (struct encoder){.tok = tok};
        assert_int_equal(pthread_create(&threads[i], NULL, encode_often, &encoders[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(encoders[i].wrong, 0);
    }
}

/* ---- Llama 2's rules ---- */

/* 256 bytes behind three special tokens, then letters. */
enum { UNK, S, END, BYTES, MARK = BYTES + 256, L_A, L_B, L_AB, L_MARK_A, L_COUNT };

static struct tokenizer_spec llama2(void) {
    static char byte_texts[256][8];
    static const char *texts[L_COUNT] = {"<unk>", "<s>", "</s>"};
    static const struct token_merge pairs[] = {{L_A, L_B}, {MARK, L_A}};
    static const struct added_token added[] = {{.text = "<s>", .id = S, .special = true}};
    for (int64_t i = 0; i < 256; i++) {
        snprintf(byte_texts[i], sizeof byte_texts[i], "<0x%02X>", (unsigned)i);
        texts[BYTES + i] = byte_texts[i];
    }
    texts[MARK] = "\u2581";
    texts[L_A] = "a";
    texts[L_B] = "b";
    texts[L_AB] = "ab";
    texts[L_MARK_A] = "\u2581a";
    struct tokenizer_spec spec = TOKENIZER_SPEC_INIT;
    spec.tokens = texts;
    spec.token_count = L_COUNT;
    spec.merges = pairs;
    spec.merge_count = 2;
    spec.added = added;
    spec.added_count = 1;
    spec.model_unk = UNK;
    tokenizer_spec_set_llama2(&spec);
    return spec;
}

/* "ab a" is "▁ab▁a": (a, b) has rank 0, so ▁ ab ▁a. A stretch behind a special token gets its own
 * ▁. "é" is two bytes, C3 A9, both at the whole character. */
static void test_llama2__marks_and_bytes(void **state) {
    (void)state;
    struct tokenizer_spec spec = llama2();
    SCOPED(tokenizer) struct tokenizer *tok = open_spec(&spec);
    char expected[128];
    snprintf(expected, sizeof expected, "%d[0,1) %d[0,2) %d[2,4)", MARK, L_AB, L_MARK_A);
    assert_string_equal(encoded(tok, "ab a", TOKENIZER_PARSE_SPECIAL), expected);
    snprintf(expected, sizeof expected, "%d[0,3) %d[3,4) %d[3,5)", S, MARK, L_AB);
    assert_string_equal(encoded(tok, "<s>ab", TOKENIZER_PARSE_SPECIAL), expected);
    snprintf(expected, sizeof expected, "%d[0,2) %d[0,2) %d[0,2)", MARK, BYTES + 0xC3,
             BYTES + 0xA9);
    assert_string_equal(encoded(tok, "é", TOKENIZER_PARSE_SPECIAL), expected);
}

/* A run of byte tokens is one text if it is UTF-8, else U+FFFD for each; one leading blank goes. */
static void test_llama2__decodes_bytes_and_strips_one_blank(void **state) {
    (void)state;
    struct tokenizer_spec spec = llama2();
    SCOPED(tokenizer) struct tokenizer *tok = open_spec(&spec);
    const int32_t good[] = {L_MARK_A, MARK, BYTES + 0xC3, BYTES + 0xA9, L_MARK_A};
    const int32_t bad[] = {BYTES + 0xC3, BYTES + 0xA9, BYTES + 0xC3, L_A};
    const int32_t blanks[] = {MARK, MARK, L_A};
    assert_string_equal(decoded(tok, good, 5, TOKENIZER_KEEP_SPECIAL), "a é a");
    assert_string_equal(decoded(tok, bad, 4, TOKENIZER_KEEP_SPECIAL), "\uFFFD\uFFFD\uFFFDa");
    assert_string_equal(decoded(tok, blanks, 3, TOKENIZER_KEEP_SPECIAL), " a");
    struct text_span bytes = tokenizer_bytes_of(tok, L_MARK_A);
    assert_int_equal(bytes.count, 2);
    assert_memory_equal(bytes.bytes, " a", 2);
}

/* Behind a text the blank in front is part of what is said. */
static void test_stream__continues_a_text_with_its_blank(void **state) {
    (void)state;
    struct tokenizer_spec spec = llama2();
    SCOPED(tokenizer) struct tokenizer *tok = open_spec(&spec);
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(KIB);
    SCOPED(token_stream) struct token_stream stream;
    token_stream_init(&stream, tok, TOKENIZER_SKIP_SPECIAL);
    token_stream_continue(&stream);
    assert_ok(token_stream_push(&stream, L_MARK_A, &out, &err), &err);
    assert_ok(token_stream_finish(&stream, &out, &err), &err);
    assert_string_equal(strbuf_text(&out), " a");
}

/* Without byte_fallback what is unknown is <unk>, neighbours together. */
static void test_unknown__fused(void **state) {
    (void)state;
    struct tokenizer_spec spec = llama2();
    spec.byte_fallback = false;
    SCOPED(tokenizer) struct tokenizer *fused = open_spec(&spec);
    char expected[128];
    snprintf(expected, sizeof expected, "%d[0,1) %d[1,4) %d[4,5)", L_MARK_A, UNK, L_A);
    assert_string_equal(encoded(fused, "azéa", TOKENIZER_PARSE_SPECIAL), expected);
    spec.fuse_unk = false;
    SCOPED(tokenizer) struct tokenizer *single = open_spec(&spec);
    snprintf(expected, sizeof expected, "%d[0,1) %d[1,2) %d[2,4) %d[4,5)", L_MARK_A, UNK, UNK, L_A);
    assert_string_equal(encoded(single, "azéa", TOKENIZER_PARSE_SPECIAL), expected);
}

/* ---- what does not fit together ---- */

static void assert_refused(const struct tokenizer_spec *spec, const char *part) {
    struct error err = ERROR_INIT;
    struct tokenizer *tok = NULL;
    assert_fails(tokenizer_new(spec, &tok, &err), ERR_DATA, part, &err);
    assert_null(tok);
}

static void test_new__refuses_parts_that_do_not_fit(void **state) {
    (void)state;
    struct tokenizer_spec spec = letters();
    const struct token_merge no_result[] = {{C, A}};
    spec.merges = no_result;
    spec.merge_count = 1;
    assert_refused(&spec, "merge 0: 'c' and 'a' together are no token");
    spec = letters();
    const struct token_merge outside[] = {{A, 77}};
    spec.merges = outside;
    spec.merge_count = 1;
    assert_refused(&spec, "merge 0: joins tokens 0 and 77");
    spec = letters();
    const struct added_token other[] = {{.text = "<y>", .id = A}};
    spec.added = other;
    spec.added_count = 1;
    assert_refused(&spec, "its id 0 is 'a' in the vocabulary");
    const struct added_token second_id[] = {{.text = "a", .id = 40}};
    spec.added = second_id;
    assert_refused(&spec, "has another id too");
    const struct added_token empty[] = {{.text = "", .id = 40}};
    spec.added = empty;
    assert_refused(&spec, "added token 40 is empty");
    spec = letters();
    spec.bos = 77;
    assert_refused(&spec, "bos token: id 77 is no token");
    spec = letters();
    spec.byte_fallback = true;
    assert_refused(&spec, "byte_fallback with");
    spec = letters();
    spec.decoders[1] = (struct token_decoder){.kind = TOKEN_DECODER_FUSE};
    spec.decoder_count = 2;
    assert_refused(&spec, "order of decoders");
    spec = letters();
    spec.splitters[0] = (struct token_splitter){.kind = TOKEN_SPLITTER_REGEX, .pattern = "("};
    assert_refused(&spec, "pattern of the pre-tokenizer");
}

static enum err_code make_and_use(void *context, struct error *err) {
    const struct tokenizer_spec *spec = context;
    SCOPED(tokenizer) struct tokenizer *tok = NULL;
    TRY(tokenizer_new(spec, &tok, err));
    SCOPED(token_list) struct token_list list = TOKEN_LIST_INIT;
    static const char text[] =
        "ab a\u0301 <s> aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    TRY(tokenizer_encode(tok, text, sizeof text - 1, TOKENIZER_PARSE_SPECIAL, &list, err));
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(KIB);
    return tokenizer_decode(tok, list.ids, list.count, TOKENIZER_KEEP_SPECIAL, &out, err);
}

static void test_new__survives_every_failing_allocation(void **state) {
    (void)state;
    struct tokenizer_spec spec = letters();
    tokenizer_spec_set_byte_level(&spec, TOKEN_PATTERN_QWEN2);
    const struct added_token added[] = {{.text = "<s>", .id = BOS, .special = true},
                                        {.text = "e\u0301", .id = MASK, .normalized = true}};
    spec.added = added;
    spec.added_count = 2;
    spec.chat_template = "{{ messages }}";
    alloc_loop_check(make_and_use, &spec);
    spec = llama2();
    alloc_loop_check(make_and_use, &spec);
    spec = letters();
    spec.splitters[0] = (struct token_splitter){
        .kind = TOKEN_SPLITTER_REGEX, .pattern = "\\p{Lu}+|.", .behavior = TOKEN_SPLIT_ISOLATED};
    alloc_loop_check_tolerant(make_and_use, &spec); /* PCRE2 can do without machine code */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merges__best_rank_then_leftmost),
        cmocka_unit_test(test_merges__second_meeting_is_the_same),
        cmocka_unit_test(test_ignore_merges__word_is_token),
        cmocka_unit_test(test_merges__long_word_as_short),
        cmocka_unit_test(test_merges__megabyte_word_is_not_quadratic),
        cmocka_unit_test(test_places__whole_characters_and_dropped_bytes),
        cmocka_unit_test(test_encode__refuses_what_is_not_utf8_and_leaves_the_list),
        cmocka_unit_test(test_added__special_as_text),
        cmocka_unit_test(test_added__strips_blanks),
        cmocka_unit_test(test_added__single_word),
        cmocka_unit_test(test_added__leftmost_longest),
        cmocka_unit_test(test_added__normalized),
        cmocka_unit_test(test_decode__broken_characters),
        cmocka_unit_test(test_stream__holds_back_half_characters),
        cmocka_unit_test(test_threads__encode_at_once),
        cmocka_unit_test(test_llama2__marks_and_bytes),
        cmocka_unit_test(test_llama2__decodes_bytes_and_strips_one_blank),
        cmocka_unit_test(test_stream__continues_a_text_with_its_blank),
        cmocka_unit_test(test_unknown__fused),
        cmocka_unit_test(test_new__refuses_parts_that_do_not_fit),
        cmocka_unit_test(test_new__survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
