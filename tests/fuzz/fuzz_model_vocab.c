/* fuzz_model_vocab.c - vocabularies from anywhere: whatever is accepted has its tokens, and merges
 * and added tokens among them. The first byte chooses the format. */
#include "base/scoped.h"
#include "policy/gguf.h"
#include "policy/model_vocab.h"
#include "tests/fuzz/fuzz_target.h"

#include <string.h>

static enum err_code read_vocab(const uint8_t *bytes, size_t count, struct model_vocab *vocab,
                                struct error *err) {
    if (bytes[0] == 'l') {
        return llama2c_vocab_parse(bytes + 1, count - 1, "fuzz", vocab, err);
    }
    SCOPED(gguf) struct gguf *file = NULL;
    TRY(gguf_parse(bytes, count, "fuzz", &file, err));
    return gguf_vocab_read(file, vocab, err);
}

static void check_spec(const struct tokenizer_spec *spec) {
    FUZZ_CHECK(spec->token_count > 0);
    for (int64_t i = 0; i < spec->token_count; i++) {
        FUZZ_CHECK(spec->tokens[i] != NULL);
    }
    for (int64_t i = 0; i < spec->merge_count; i++) {
        FUZZ_CHECK(spec->merges[i].left >= 0 && spec->merges[i].left < spec->token_count);
        FUZZ_CHECK(spec->merges[i].right >= 0 && spec->merges[i].right < spec->token_count);
    }
    for (int64_t i = 0; i < spec->added_count; i++) {
        FUZZ_CHECK(spec->added[i].id < spec->token_count && spec->added[i].text[0] != '\0');
    }
    FUZZ_CHECK(spec->bos < spec->token_count && spec->eos < spec->token_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    struct error err = ERROR_INIT;
    SCOPED(model_vocab) struct model_vocab vocab = MODEL_VOCAB_INIT;
    if (count == 0) {
        return 0;
    }
    if (read_vocab(bytes, count, &vocab, &err) == ERR_OK) {
        check_spec(&vocab.spec);
    } else {
        FUZZ_CHECK(err.msg[0] != '\0');
    }
    return 0;
}
