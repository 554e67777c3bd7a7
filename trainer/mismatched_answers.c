/* mismatched_answers.c - see mismatched_answers.h; no torch. */
#include "trainer/mismatched_answers.h"

#include "base/mem.h"
#include "base/scoped.h"

#include <string.h>

struct mixing {
    int64_t tokens_max;
    int32_t *ids; /* [tokens_max] of the sequence being made */
    bool *is_target;
};

static void mixing_scoped_end(struct mixing *mixing) {
    mem_free(mixing->ids);
    mem_free(mixing->is_target);
}

/* Where the answer begins: at the first target. */
static int64_t answer_begin(const struct token_sequence *sequence) {
    int64_t begin = 0;
    while (!sequence->is_target[begin]) {
        begin++;
    }
    return begin;
}

static int64_t put(struct mixing *mixing, int64_t used, const struct token_sequence *sequence,
                   int64_t begin, int64_t end) {
    const int64_t room = mixing->tokens_max - used;
    const int64_t count = end - begin < room ? end - begin : room;
    memcpy(mixing->ids + used, sequence->ids + begin, (size_t)count * sizeof *mixing->ids);
    memcpy(mixing->is_target + used, sequence->is_target + begin,
           (size_t)count * sizeof *mixing->is_target);
    return used + count;
}

static enum err_code find_partner(const struct reward_examples *examples, int64_t example,
                                  const struct reward_examples *partners, int64_t *out_partner,
                                  struct error *err) {
    const int32_t prompt = reward_examples_prompt(examples, example);
    for (int64_t step = 1; step <= partners->count; step++) {
        const int64_t partner = (example + step) % partners->count;
        if (reward_examples_prompt(partners, partner) != prompt) {
            *out_partner = partner;
            return ERR_OK;
        }
    }
    return err_set(err, ERR_DATA,
                   "kto measures answers to one prompt against those to another, and there is one "
                   "prompt only");
}

enum err_code mismatched_answers_make(const struct reward_examples *examples,
                                      const struct reward_examples *partners, int64_t tokens_max,
                                      struct token_set *out_set, struct error *err) {
    SCOPED(token_set) struct token_set set = TOKEN_SET_INIT;
    SCOPED(mixing) struct mixing mixing = {.tokens_max = tokens_max};
    mixing.ids = mem_array((size_t)tokens_max, sizeof *mixing.ids);
    mixing.is_target = mem_array((size_t)tokens_max, sizeof *mixing.is_target);
    if (!mixing.ids || !mixing.is_target) {
        return err_oom(err, "mismatched answers");
    }
    for (int64_t e = 0; e < examples->count; e++) {
        int64_t partner = -1;
        TRY(find_partner(examples, e, partners, &partner, err));
        const struct token_sequence asked = reward_examples_sequence(examples, e, 0);
        const struct token_sequence said = reward_examples_sequence(
            partners, partner, e % reward_examples_answers(partners, partner));
        int64_t count = put(&mixing, 0, &asked, 0, answer_begin(&asked));
        count = put(&mixing, count, &said, answer_begin(&said), said.count);
        TRY(token_set_add(&set, mixing.ids, mixing.is_target, count, err));
    }
    *out_set = set;
    set = (struct token_set)TOKEN_SET_INIT;
    return ERR_OK;
}
