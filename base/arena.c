/* arena.c - see arena.h. */
#include "base/arena.h"

#include "base/mem.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#define BLOCK_BYTES_MIN (64 * KIB)

struct arena_block {
    struct arena_block *next;
    size_t used;
    size_t capacity;
    alignas(max_align_t) unsigned char bytes[];
};

static size_t align_up(size_t bytes) {
    size_t mask = alignof(max_align_t) - 1;
    return (bytes + mask) & ~mask;
}

static void *take_from(struct arena_block *block, size_t bytes) {
    if (!block || bytes > block->capacity - block->used) {
        return NULL;
    }
    void *taken = block->bytes + block->used;
    block->used += bytes;
    return taken;
}

/* Appends a block behind `current`, which has no successor that fits. */
static struct arena_block *add_block(struct arena *arena, size_t bytes) {
    size_t allowed = arena->bytes_max - arena->bytes_reserved;
    size_t wanted =
        arena->bytes_reserved > BLOCK_BYTES_MIN ? arena->bytes_reserved : BLOCK_BYTES_MIN;
    size_t capacity = wanted > bytes ? wanted : bytes;
    capacity = capacity < allowed ? capacity : allowed;
    if (bytes > capacity || capacity > SIZE_MAX - sizeof(struct arena_block)) {
        return NULL;
    }
    struct arena_block *block = mem_alloc(sizeof *block + capacity);
    if (!block) {
        return NULL;
    }
    struct arena_block **link = arena->current ? &arena->current->next : &arena->first;
    *block = (struct arena_block){.next = *link, .used = 0, .capacity = capacity};
    *link = block;
    arena->bytes_reserved += capacity;
    return block;
}

void arena_deinit(struct arena *arena) {
    struct arena_block *block = arena->first;
    while (block) {
        struct arena_block *next = block->next;
        mem_free(block);
        block = next;
    }
    *arena = (struct arena)ARENA_INIT(arena->bytes_max);
}

void arena_reset(struct arena *arena) {
    for (struct arena_block *block = arena->first; block; block = block->next) {
        block->used = 0;
    }
    arena->current = arena->first;
}

void *arena_array(struct arena *arena, size_t count, size_t item_bytes) {
    size_t bytes = 0;
    if (__builtin_mul_overflow(count, item_bytes, &bytes) || bytes > SIZE_MAX / 2) {
        return NULL;
    }
    bytes = align_up(bytes > 0 ? bytes : 1);
    for (struct arena_block *block = arena->current; block; block = block->next) {
        void *taken = take_from(block, bytes);
        if (taken) {
            arena->current = block;
            return taken;
        }
    }
    struct arena_block *block = add_block(arena, bytes);
    if (!block) {
        return NULL;
    }
    arena->current = block;
    return take_from(block, bytes);
}

char *arena_strndup(struct arena *arena, const char *text, size_t bytes) {
    if (bytes == SIZE_MAX) {
        return NULL;
    }
    char *copy = arena_array(arena, bytes + 1, 1);
    if (copy) {
        memcpy(copy, text, bytes);
        copy[bytes] = '\0';
    }
    return copy;
}
