/* arena.h - memory of one batch, released all at once.
 *
 * Use:      SCOPED(arena) struct arena batch = ARENA_INIT(256 * MIB);
 *           char *text = arena_strndup(&batch, bytes, count);
 *           ...
 *           arena_reset(&batch);   // everything at once; blocks are kept for the next batch
 * Layout:   a list of blocks; each new block is at least as large as all before it, so n bytes cost
 *           O(log n) allocations. Addresses never move.
 * Owns:     every byte handed out, until arena_reset or arena_deinit.
 * Threads:  no state.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

struct arena_block;

struct arena {
    struct arena_block *first;
    struct arena_block *current; /* blocks after it are empty and waiting */
    size_t bytes_reserved;       /* sum over blocks */
    size_t bytes_max;            /* largest bytes_reserved allowed */
};

#define ARENA_INIT(max) \
    { .first = NULL, .current = NULL, .bytes_reserved = 0, .bytes_max = (max) }

void arena_deinit(struct arena *arena);

/* Empty, blocks kept. */
void arena_reset(struct arena *arena);

/* `count` items of `item_bytes`, aligned for any type, contents undefined; NULL when memory or the
 * maximum is exhausted or the product overflows. Borrowed until reset. */
void *arena_array(struct arena *arena, size_t count, size_t item_bytes);

/* A NUL-terminated copy; NULL as above. */
char *arena_strndup(struct arena *arena, const char *text, size_t bytes);

static inline void arena_scoped_end(struct arena *arena) {
    arena_deinit(arena);
}

#endif
