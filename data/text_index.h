/* text_index.h - distinct texts, numbered from 0 in the order in which they came.
 *
 * Use:      SCOPED(text_index) struct text_index words = TEXT_INDEX_INIT(256 * MIB);
 *           int32_t number = 0;
 *           TRY(text_index_add(&words, bytes, count, &number, err));
 *           struct text_span word = text_index_at(&words, number);
 * Cost:     O(1) a text, if nobody chooses texts whose hashes agree: hashes are not keyed.
 * Owns:     copies of the texts; addresses never move.
 * Threads:  no state; adding is for one thread.
 */
#ifndef DATA_TEXT_INDEX_H
#define DATA_TEXT_INDEX_H

#include "base/arena.h"
#include "base/error.h"
#include "data/text_span.h"

#include <stdint.h>

#define TEXT_INDEX_NONE (-1)

struct text_index {
    struct arena bytes;
    struct text_span *texts; /* [count], each with a NUL behind it */
    uint32_t *hashes;        /* [count] */
    int32_t *slots;          /* [slot_count] numbers or TEXT_INDEX_NONE; a power of two */
    int64_t count, capacity, slot_count;
};

/* `bytes_max` bounds the memory of the texts. */
#define TEXT_INDEX_INIT(bytes_max) \
    { .bytes = ARENA_INIT(bytes_max) }

void text_index_deinit(struct text_index *index);

/* The number of a text; new ones get the next.
 *   fails    ERR_LIMIT at 2^31 - 1 texts; ERR_OOM, also for `bytes_max` */
ERR_NODISCARD enum err_code text_index_add(struct text_index *index, const char *bytes,
                                           size_t count, int32_t *out_number, struct error *err);

/* TEXT_INDEX_NONE for a text that is not there. */
int32_t text_index_find(const struct text_index *index, const char *bytes, size_t count);

/* Borrowed; NUL-terminated. */
static inline struct text_span text_index_at(const struct text_index *index, int32_t number) {
    return index->texts[number];
}

static inline void text_index_scoped_end(struct text_index *index) {
    text_index_deinit(index);
}

#endif
