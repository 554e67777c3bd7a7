/* token_set.c - see token_set.h. */
#include "data/token_set.h"

#include "base/array.h"
#include "base/mem.h"

#include <string.h>

static enum err_code reserve_tokens(struct token_set *set, int64_t needed, struct error *err) {
    const struct array_ref arrays[] = {ARRAY_REF(set->ids), ARRAY_REF(set->is_target)};
    return arrays_reserve(arrays, 2, &set->tokens_capacity, needed, "tokens", err);
}

static enum err_code reserve_sequences(struct token_set *set, int64_t needed, struct error *err) {
    const struct array_ref arrays[] = {ARRAY_REF(set->ends), ARRAY_REF(set->targets)};
    return arrays_reserve(arrays, 2, &set->capacity, needed, "token sequences", err);
}

enum err_code token_set_add(struct token_set *set, const int32_t *ids, const bool *is_target,
                            int64_t count, struct error *err) {
    int64_t targets = 0;
    for (int64_t i = 1; i < count; i++) {
        targets += is_target[i];
    }
    if (targets == 0) {
        return err_set(err, ERR_DATA, "a sequence without a token to learn");
    }
    TRY(reserve_tokens(set, set->tokens + count, err));
    TRY(reserve_sequences(set, set->count + 1, err));
    memcpy(set->ids + set->tokens, ids, (size_t)count * sizeof *ids);
    memcpy(set->is_target + set->tokens, is_target, (size_t)count * sizeof *is_target);
    set->is_target[set->tokens] = false;
    set->tokens += count;
    set->ends[set->count] = set->tokens;
    set->targets[set->count] = targets;
    set->count++;
    return ERR_OK;
}

struct token_sequence token_set_at(const struct token_set *set, int64_t index) {
    const int64_t begin = index > 0 ? set->ends[index - 1] : 0;
    return (struct token_sequence){
        .ids = set->ids + begin,
        .is_target = set->is_target + begin,
        .count = set->ends[index] - begin,
        .targets = set->targets[index],
    };
}

int64_t token_set_targets(const struct token_set *set) {
    int64_t targets = 0;
    for (int64_t i = 0; i < set->count; i++) {
        targets += set->targets[i];
    }
    return targets;
}

void token_set_deinit(struct token_set *set) {
    mem_free(set->ids);
    mem_free(set->is_target);
    mem_free(set->ends);
    mem_free(set->targets);
    *set = (struct token_set)TOKEN_SET_INIT;
}
