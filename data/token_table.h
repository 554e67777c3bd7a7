/* token_table.h - texts by token id, and the id of a text.
 *
 * Use:      SCOPED(token_table) struct token_table table = TOKEN_TABLE_INIT;
 *           TRY(token_table_init(&table, count, bytes_max, err));
 *           token_table_set(&table, id, bytes, n);      // once per id, in any order
 *           TRY(token_table_index(&table, err));
 *           int32_t id = token_table_find(&table, bytes, n);
 * Owns:     copies of the texts.
 * Threads:  read-only once indexed.
 */
#ifndef DATA_TOKEN_TABLE_H
#define DATA_TOKEN_TABLE_H

#include "base/error.h"
#include "data/text_span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct token_slot {
    uint32_t tag; /* upper half of the text's hash */
    int32_t id;   /* -1: free */
};

struct token_table {
    char *bytes;      /* the texts, one after the other */
    uint32_t *starts; /* [count] */
    uint32_t *counts; /* [count] bytes; TOKEN_TABLE_NO_TEXT: none */
    struct token_slot *slots;
    uint64_t mask;
    int64_t count;
    size_t bytes_used, bytes_max;
};

#define TOKEN_TABLE_NO_TEXT UINT32_MAX
#define TOKEN_TABLE_INIT                                                                     \
    {                                                                                        \
        .bytes = NULL, .starts = NULL, .counts = NULL, .slots = NULL, .mask = 0, .count = 0, \
        .bytes_used = 0, .bytes_max = 0                                                      \
    }

/* Ids 0 .. count - 1 without texts, which may have `bytes_max` bytes together. */
ERR_NODISCARD enum err_code token_table_init(struct token_table *table, int64_t count,
                                             size_t bytes_max, struct error *err);
void token_table_deinit(struct token_table *table);

void token_table_set(struct token_table *table, int32_t id, const char *bytes, size_t count);

/* Builds the index. Of equal texts the smallest id is found; `*out_twice` is then another, else
 * -1. */
ERR_NODISCARD enum err_code token_table_index(struct token_table *table, int32_t *out_twice,
                                              struct error *err);

/* The id of a text, or -1. */
int32_t token_table_find(const struct token_table *table, const char *bytes, size_t count);

/* The text of an id, absent where it has none; borrowed. */
static inline struct text_span token_table_text(const struct token_table *table, int32_t id) {
    if (id < 0 || id >= table->count || table->counts[id] == TOKEN_TABLE_NO_TEXT) {
        return (struct text_span)TEXT_SPAN_NONE;
    }
    return (struct text_span){.bytes = table->bytes + table->starts[id],
                              .count = table->counts[id]};
}

static inline void token_table_scoped_end(struct token_table *table) {
    token_table_deinit(table);
}

#endif
