/* token_set.h - tokenised sequences in memory, with which of their tokens are learnt.
 *
 * Use:      SCOPED(token_set) struct token_set set = TOKEN_SET_INIT;
 *           TRY(token_set_add(&set, ids, is_target, count, err));        // once per sequence
 *           struct token_sequence sequence = token_set_at(&set, 3);
 * Owns:     its arrays: five bytes a token; sequences given out are borrowed until the next change.
 * Threads:  may be read by many.
 */
#ifndef DATA_TOKEN_SET_H
#define DATA_TOKEN_SET_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct token_set {
    int32_t *ids;    /* [tokens] */
    bool *is_target; /* [tokens] */
    int64_t tokens, tokens_capacity;
    int64_t *ends; /* [count]: sequence i is tokens ends[i - 1] (0 for the first) .. ends[i] - 1 */
    int64_t *targets; /* [count]: how many of its tokens are targets */
    int64_t count, capacity;
};

#define TOKEN_SET_INIT                                                                   \
    {                                                                                    \
        .ids = NULL, .is_target = NULL, .tokens = 0, .tokens_capacity = 0, .ends = NULL, \
        .targets = NULL, .count = 0, .capacity = 0                                       \
    }

struct token_sequence {
    const int32_t *ids;    /* [count] */
    const bool *is_target; /* [count]; never the first, which has nothing before it */
    int64_t count;
    int64_t targets;
};

/* Adds a copy. The first token is no target, whatever is_target says.
 *   fails    ERR_DATA for no tokens, or none to learn; ERR_OOM; the set is unchanged then */
ERR_NODISCARD enum err_code token_set_add(struct token_set *set, const int32_t *ids,
                                          const bool *is_target, int64_t count, struct error *err);
struct token_sequence token_set_at(const struct token_set *set, int64_t index);

/* Of all sequences together. */
int64_t token_set_targets(const struct token_set *set);
void token_set_deinit(struct token_set *set);

static inline void token_set_scoped_end(struct token_set *set) {
    token_set_deinit(set);
}

#endif
