/* fuzz_tokenizer_json.c - any text as a tokenizer.json: refused with a message, or a tokenizer that
 * encodes and decodes some texts without a crash, the same twice, with places inside the text. */
#include "base/arena.h"
#include "base/json.h"
#include "base/scoped.h"
#include "data/tokenizer.h"
#include "data/tokenizer_json.h"
#include "tests/fuzz/fuzz_target.h"

#include <string.h>

static const char long_word[] =
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
static const char *const texts[] = {
    "",
    " ",
    "ab a  \u00e9e\u0301 <s>x 123\n\n'LL \u4f60\u597d\u2581\U0001F600",
    long_word,
};

static void encode(const struct tokenizer *tok, const char *text, struct token_list *list) {
    struct error err = ERROR_INIT;
    enum err_code code =
        tokenizer_encode(tok, text, strlen(text), TOKENIZER_PARSE_SPECIAL, list, &err);
    FUZZ_CHECK(code == ERR_OK || code == ERR_LIMIT || code == ERR_DATA);
    for (int64_t i = 0; i < list->count; i++) {
        FUZZ_CHECK(list->ids[i] >= 0 && list->ids[i] < tokenizer_count(tok));
        FUZZ_CHECK(list->begins[i] <= list->ends[i] && list->ends[i] <= strlen(text));
    }
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(64 * MIB);
    FUZZ_CHECK(tokenizer_decode(tok, list->ids, list->count, TOKENIZER_SKIP_SPECIAL, &out, &err) ==
               ERR_OK);
}

static void use(const struct tokenizer *tok) {
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        SCOPED(token_list) struct token_list first = TOKEN_LIST_INIT;
        SCOPED(token_list) struct token_list second = TOKEN_LIST_INIT;
        encode(tok, texts[i], &first);
        encode(tok, texts[i], &second);
        FUZZ_CHECK(first.count == second.count);
        FUZZ_CHECK(first.count == 0 ||
                   memcmp(first.ids, second.ids, (size_t)first.count * sizeof *first.ids) == 0);
    }
}

static enum err_code open_text(const struct json *doc, struct tokenizer **out, struct error *err) {
    SCOPED(tokenizer_parts) struct tokenizer_parts parts = TOKENIZER_PARTS_INIT;
    TRY(tokenizer_json_read(doc, &parts, err));
    TRY(tokenizer_config_read(doc, &parts, err)); /* its keys may stand in the same object */
    TRY(tokenizer_parts_finish(&parts, err));
    return tokenizer_new(&parts.spec, out, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    struct error err = ERROR_INIT;
    SCOPED(json) struct json *doc = NULL;
    if (json_parse((const char *)bytes, count, "tokenizer.json", NULL, &doc, &err)) {
        return 0;
    }
    SCOPED(tokenizer) struct tokenizer *tok = NULL;
    if (open_text(doc, &tok, &err)) {
        FUZZ_CHECK(err.msg[0] != '\0');
        FUZZ_CHECK(err.code == ERR_DATA || err.code == ERR_LIMIT);
        return 0;
    }
    use(tok);
    return 0;
}
