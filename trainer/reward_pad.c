/* reward_pad.c - see reward_pad.h. */
#include "trainer/reward_pad.h"

#include "base/mem.h"
#include "base/scoped.h"

struct search {
    const struct tokenizer *tokenizer;
    const int64_t *eos;
    int64_t eos_count;
    bool *is_used; /* [tokenizer_count] by some text */
};

static bool is_eos(const struct search *search, int64_t id) {
    for (int64_t i = 0; i < search->eos_count; i++) {
        if (search->eos[i] == id) {
            return true;
        }
    }
    return id == tokenizer_eos(search->tokenizer);
}

static bool suits(const struct search *search, int64_t id) {
    const int64_t count = tokenizer_count(search->tokenizer);
    if (id < 0 || id >= count || is_eos(search, id) || search->is_used[id]) {
        return false;
    }
    const struct text_span token = tokenizer_token(search->tokenizer, (int32_t)id);
    return text_span_is_set(&token);
}

/* The first special token that suits; -1 for none. */
static int32_t find_special(const struct search *search) {
    for (int64_t id = 0; id < tokenizer_count(search->tokenizer); id++) {
        if (tokenizer_is_special(search->tokenizer, (int32_t)id) && suits(search, id)) {
            return (int32_t)id;
        }
    }
    return -1;
}

static int32_t find_unused(const struct search *search) {
    int64_t id = tokenizer_count(search->tokenizer) - 1;
    while (id >= 0 && !suits(search, id)) {
        id--;
    }
    return (int32_t)id;
}

enum err_code reward_pad_choose(const struct tokenizer *tokenizer, const int64_t *eos,
                                int64_t eos_count, const struct token_set *texts, int32_t *out_pad,
                                struct error *err) {
    SCOPED(mem)
    bool *is_used = mem_array_zero((size_t)tokenizer_count(tokenizer), sizeof *is_used);
    if (!is_used) {
        return err_oom(err, "tokens in use");
    }
    for (int64_t t = 0; t < texts->tokens; t++) {
        is_used[texts->ids[t]] = true;
    }
    const struct search search = {tokenizer, eos, eos_count, is_used};
    *out_pad =
        suits(&search, tokenizer_pad(tokenizer)) ? tokenizer_pad(tokenizer) : find_special(&search);
    if (*out_pad < 0) {
        *out_pad = find_unused(&search);
    }
    if (*out_pad < 0) {
        return err_set(
            err, ERR_DATA,
            "every token of the vocabulary is in some text, so that none can be PAD: add "
            "one to the tokenizer");
    }
    return ERR_OK;
}
