/* mem.c - see mem.h.
 *
 * The counters are the only mutable globals here: a census and a test hook make sense per process
 * only, since SQLite and cJSON allocate through the same functions without passing any context.
 */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static atomic_int_fast64_t live_blocks;
static atomic_int_fast64_t fail_countdown; /* 0: hook off; reaches 0 on the call that fails */
static atomic_int fail_reached;

static int should_fail(void) {
    if (atomic_load_explicit(&fail_countdown, memory_order_relaxed) <= 0) {
        return 0;
    }
    if (atomic_fetch_sub_explicit(&fail_countdown, 1, memory_order_relaxed) != 1) {
        return 0;
    }
    atomic_store_explicit(&fail_reached, 1, memory_order_relaxed);
    return 1;
}

static void *count_block(void *block) {
    if (block) {
        atomic_fetch_add_explicit(&live_blocks, 1, memory_order_relaxed);
    }
    return block;
}

void *mem_alloc(size_t bytes) {
    return should_fail() ? NULL : count_block(malloc(bytes > 0 ? bytes : 1));
}

void *mem_array(size_t count, size_t item_bytes) {
    size_t bytes = 0;
    if (__builtin_mul_overflow(count, item_bytes, &bytes)) {
        return NULL;
    }
    return mem_alloc(bytes);
}

void *mem_array_zero(size_t count, size_t item_bytes) {
    size_t bytes = 0; /* checked here too: sanitizers end the process where calloc returns NULL */
    if (__builtin_mul_overflow(count, item_bytes, &bytes) || should_fail()) {
        return NULL;
    }
    return count_block(calloc(bytes > 0 ? bytes : 1, 1));
}

void *mem_array_resize(void *block, size_t count, size_t item_bytes) {
    size_t bytes = 0;
    if (__builtin_mul_overflow(count, item_bytes, &bytes) || should_fail()) {
        return NULL;
    }
    void *resized = realloc(block, bytes > 0 ? bytes : 1);
    return block ? resized : count_block(resized);
}

char *mem_strdup(const char *text) {
    return mem_strndup(text, strlen(text));
}

char *mem_strndup(const char *text, size_t bytes) {
    char *copy = mem_array(bytes + 1, 1);
    if (copy) {
        memcpy(copy, text, bytes);
        copy[bytes] = '\0';
    }
    return copy;
}

char *mem_strjoin(const char *first, const char *second) {
    size_t first_bytes = strlen(first);
    size_t second_bytes = strlen(second);
    char *joined = mem_alloc(first_bytes + second_bytes + 1);
    if (joined) {
        memcpy(joined, first, first_bytes);
        memcpy(joined + first_bytes, second, second_bytes + 1);
    }
    return joined;
}

void mem_free(void *block) {
    if (block) {
        atomic_fetch_sub_explicit(&live_blocks, 1, memory_order_relaxed);
        free(block);
    }
}

size_t mem_grown_capacity(size_t capacity, size_t needed) {
    size_t grown = capacity + capacity / 2;
    if (grown < 16) {
        grown = 16;
    }
    return grown > needed ? grown : needed;
}

int64_t mem_live_blocks(void) {
    return atomic_load_explicit(&live_blocks, memory_order_relaxed);
}

void mem_fail_nth(int64_t n) {
    atomic_store_explicit(&fail_reached, 0, memory_order_relaxed);
    atomic_store_explicit(&fail_countdown, n, memory_order_relaxed);
}

int mem_fail_reached(void) {
    return atomic_load_explicit(&fail_reached, memory_order_relaxed);
}
