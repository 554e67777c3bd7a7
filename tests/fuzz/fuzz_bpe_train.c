/* fuzz_bpe_train.c - a vocabulary learnt of any text: it has its 256 bytes, no merge spells a
 * special token, and the text comes back. The first byte chooses the pattern, the second the size.
 */
#include "base/arena.h"
#include "base/scoped.h"
#include "data/bpe_train.h"
#include "tests/fuzz/fuzz_target.h"

#include <string.h>

static const char *const special[] = {"<|x|>", "ab"};

static void check_text(const struct tokenizer *tok, const char *text, size_t count,
                       enum token_pattern pattern) {
    struct error err = ERROR_INIT;
    SCOPED(token_list) struct token_list list = TOKEN_LIST_INIT;
    SCOPED(strbuf) struct strbuf back = STRBUF_INIT(MIB);
    FUZZ_CHECK(tokenizer_encode(tok, text, count, TOKENIZER_SPECIAL_AS_TEXT, &list, &err) ==
               ERR_OK);
    for (int64_t t = 0; t < list.count; t++) {
        FUZZ_CHECK(!tokenizer_is_special(tok, list.ids[t]));
    }
    FUZZ_CHECK(tokenizer_decode(tok, list.ids, list.count, TOKENIZER_KEEP_SPECIAL, &back, &err) ==
               ERR_OK);
    if (pattern != TOKEN_PATTERN_QWEN2) { /* composes characters */
        FUZZ_CHECK(back.length == count && memcmp(strbuf_text(&back), text, count) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    static const enum token_pattern patterns[] = {TOKEN_PATTERN_GPT2, TOKEN_PATTERN_SMOLLM2,
                                                  TOKEN_PATTERN_LLAMA3, TOKEN_PATTERN_QWEN2};
    struct error err = ERROR_INIT;
    struct bpe_train_options options = BPE_TRAIN_DEFAULT;
    struct bpe_train_report report;
    if (count < 2 || count > 16 * 1024) {
        return 0;
    }
    const char *text = (const char *)bytes + 2;
    size_t text_bytes = count - 2;
    options.pattern = patterns[bytes[0] % 4];
    options.vocabulary = 258 + bytes[1];
    options.min_frequency = 1;
    options.special = special;
    options.special_count = 2;
    SCOPED(bpe_trainer) struct bpe_trainer *trainer = NULL;
    SCOPED(tokenizer) struct tokenizer *tok = NULL;
    FUZZ_CHECK(bpe_trainer_new(&options, &trainer, &err) == ERR_OK);
    enum err_code code = bpe_trainer_add(trainer, text, text_bytes, &err);
    FUZZ_CHECK(code == ERR_OK || code == ERR_DATA);
    if (code != ERR_OK) {
        return 0;
    }
    code = bpe_trainer_finish(trainer, &tok, &report, &err);
    FUZZ_CHECK(code == ERR_OK || (code == ERR_DATA && text_bytes == 0));
    if (code == ERR_OK) {
        FUZZ_CHECK(tokenizer_count(tok) == 258 + report.merges ||
                   tokenizer_count(tok) < 258 + report.merges); /* two may spell one token */
        FUZZ_CHECK(report.ran_out || tokenizer_count(tok) == options.vocabulary);
        check_text(tok, text, text_bytes, options.pattern);
    }
    return 0;
}
