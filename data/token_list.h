/* token_list.h - token ids with the bytes of the text that each came from.
 *
 * Use:      SCOPED(token_list) struct token_list tokens = TOKEN_LIST_INIT;
 *           TRY(token_list_add(&tokens, id, begin, end, err));
 * Places:   whole characters: a token that is a part of a character has the place of all of it.
 * Owns:     its arrays; reset keeps them for the next text.
 * Threads:  no state.
 */
#ifndef DATA_TOKEN_LIST_H
#define DATA_TOKEN_LIST_H

#include "base/error.h"

#include <stdint.h>

struct token_list {
    int32_t *ids;
    uint32_t *begins; /* bytes of the text, [begin, end) */
    uint32_t *ends;
    int64_t count;
    int64_t capacity;
    /* Bytes that left no token, because the vocabulary has neither one for them nor an unknown
     * token. The library drops them silently; whoever encodes should say so. */
    int64_t dropped_bytes;
};

#define TOKEN_LIST_INIT \
    { .ids = NULL, .begins = NULL, .ends = NULL, .count = 0, .capacity = 0, .dropped_bytes = 0 }

void token_list_deinit(struct token_list *list);
void token_list_reset(struct token_list *list);

/* Room for `more` tokens, so that token_list_put may follow as often. */
ERR_NODISCARD enum err_code token_list_reserve(struct token_list *list, int64_t more,
                                               struct error *err);

static inline void token_list_put(struct token_list *list, int32_t id, uint32_t begin,
                                  uint32_t end) {
    list->ids[list->count] = id;
    list->begins[list->count] = begin;
    list->ends[list->count] = end;
    list->count++;
}

ERR_NODISCARD enum err_code token_list_add(struct token_list *list, int32_t id, uint32_t begin,
                                           uint32_t end, struct error *err);

static inline void token_list_scoped_end(struct token_list *list) {
    token_list_deinit(list);
}

#endif
