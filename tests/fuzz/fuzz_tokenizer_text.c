/* fuzz_tokenizer_text.c - any text through byte-level tokenizers: it decodes to itself, at once and
 * id by id, and places go forward. The first byte chooses the rules. Any bytes as ids decode to
 * UTF-8. */
#include "base/arena.h"
#include "base/scoped.h"
#include "base/utf8.h"
#include "data/byte_alphabet.h"
#include "data/tokenizer.h"
#include "data/tokenizer_spec.h"
#include "tests/fuzz/fuzz_target.h"

#include <stdbool.h>
#include <string.h>

enum { MERGED = 64, TOKENS = 256 + MERGED, SPECIAL = TOKENS };

/* The letters of a byte, or of two. */
static void spell(int32_t first, int32_t second, bool is_pair, char out[8]) {
    size_t count = utf8_encode(byte_alphabet_letter((uint8_t)first), out);
    if (is_pair) {
        count += utf8_encode(byte_alphabet_letter((uint8_t)second), out + count);
    }
    out[count] = '\0';
}

/* A token a byte, and the first 64 pairs of small letters and a blank. */
static struct tokenizer *make(enum token_pattern pattern) {
    static char spelt[TOKENS][8];
    const char *tokens[TOKENS];
    struct token_merge merges[MERGED];
    static const char letters[] = " etaoins";
    for (int32_t i = 0; i < 256; i++) {
        spell(i, 0, false, spelt[i]);
        tokens[i] = spelt[i];
    }
    for (int32_t i = 0; i < MERGED; i++) {
        int32_t left = (unsigned char)letters[i / 8];
        int32_t right = (unsigned char)letters[i % 8];
        spell(left, right, true, spelt[256 + i]);
        tokens[256 + i] = spelt[256 + i];
        merges[i] = (struct token_merge){left, right};
    }
    const struct added_token added[] = {{.text = "<s>", .id = SPECIAL, .special = true}};
    struct tokenizer_spec spec = TOKENIZER_SPEC_INIT;
    spec.tokens = tokens;
    spec.token_count = TOKENS;
    spec.merges = merges;
    spec.merge_count = MERGED;
    spec.added = added;
    spec.added_count = 1;
    tokenizer_spec_set_byte_level(&spec, pattern);
    struct error err = ERROR_INIT;
    struct tokenizer *tok = NULL;
    FUZZ_CHECK(tokenizer_new(&spec, &tok, &err) == ERR_OK);
    return tok;
}

static void check_round_trip(const struct tokenizer *tok, const char *text, size_t count) {
    struct error err = ERROR_INIT;
    SCOPED(token_list) struct token_list list = TOKEN_LIST_INIT;
    enum err_code code = tokenizer_encode(tok, text, count, TOKENIZER_PARSE_SPECIAL, &list, &err);
    FUZZ_CHECK((code == ERR_DATA) == (utf8_find_invalid(text, count) < count));
    if (code) {
        return;
    }
    uint32_t at = 0;
    for (int64_t i = 0; i < list.count; i++) {
        FUZZ_CHECK(list.begins[i] <= at && list.ends[i] >= at && list.begins[i] < list.ends[i]);
        at = list.ends[i];
    }
    FUZZ_CHECK(at == count && list.dropped_bytes == 0);
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(16 * MIB);
    FUZZ_CHECK(tokenizer_decode(tok, list.ids, list.count, TOKENIZER_KEEP_SPECIAL, &out, &err) ==
               ERR_OK);
    FUZZ_CHECK(out.length == count && memcmp(strbuf_text(&out), text, count) == 0);
}

static void check_ids(const struct tokenizer *tok, const uint8_t *bytes, size_t count) {
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(16 * MIB);
    SCOPED(token_stream) struct token_stream stream;
    token_stream_init(&stream, tok, TOKENIZER_KEEP_SPECIAL);
    for (size_t i = 0; i < count; i++) {
        FUZZ_CHECK(token_stream_push(&stream, bytes[i], &out, &err) == ERR_OK);
        FUZZ_CHECK(utf8_find_invalid(strbuf_text(&out), out.length) == out.length);
    }
    FUZZ_CHECK(token_stream_finish(&stream, &out, &err) == ERR_OK);
    FUZZ_CHECK(utf8_find_invalid(strbuf_text(&out), out.length) == out.length);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    /* NFC changes texts, so Qwen's rules have no round trip. */
    static const enum token_pattern patterns[] = {TOKEN_PATTERN_GPT2, TOKEN_PATTERN_SMOLLM2,
                                                  TOKEN_PATTERN_LLAMA3};
    if (count == 0) {
        return 0;
    }
    SCOPED(tokenizer) struct tokenizer *tok = make(patterns[bytes[0] % 3]);
    check_round_trip(tok, (const char *)bytes + 1, count - 1);
    check_ids(tok, bytes, count);
    return 0;
}
