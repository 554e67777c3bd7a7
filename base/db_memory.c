/* db_memory.c - what SQLite is told once per process, most of all its allocator: base/mem.h, with
 * each block's size kept in front of it.
 *
 * The mutable globals stand for SQLite's own: its configuration is per process.
 */
#include "base/db_internal.h"

#include "base/mem.h"

#include <pthread.h>
#include <stdalign.h>
#include <stddef.h>

/* As wide as the strictest alignment, so that what follows is aligned for anything. */
union header {
    int bytes;
    max_align_t align;
};

static void *block_of(union header *header, int bytes) {
    if (!header) {
        return NULL;
    }
    header->bytes = bytes;
    return header + 1;
}

static union header *header_of(void *block) {
    return block ? (union header *)block - 1 : NULL;
}

static void *allocate(int bytes) {
    return block_of(mem_alloc(sizeof(union header) + (size_t)bytes), bytes);
}

static void release(void *block) {
    mem_free(header_of(block));
}

static void *resize(void *block, int bytes) {
    size_t total = sizeof(union header) + (size_t)bytes;
    return block_of(mem_array_resize(header_of(block), total, 1), bytes);
}

static int size_of(void *block) {
    return block ? header_of(block)->bytes : 0;
}

static int round_up(int bytes) {
    return (bytes + 7) & ~7;
}

static int start(void *unused) {
    (void)unused;
    return SQLITE_OK;
}

static void stop(void *unused) {
    (void)unused;
}

static const sqlite3_mem_methods methods = {
    .xMalloc = allocate,
    .xFree = release,
    .xRealloc = resize,
    .xSize = size_of,
    .xRoundup = round_up,
    .xInit = start,
    .xShutdown = stop,
};

static pthread_mutex_t start_lock = PTHREAD_MUTEX_INITIALIZER;
static bool configured;

/* SQLite counts nothing itself: its statistics would take a global lock per allocation. And a path
 * is a path: Debian's SQLite would read "file:..." as a URI, whose parameters can turn a file into
 * memory that is lost at the end. */
static int configure_once(void) {
    if (configured) {
        return SQLITE_OK;
    }
    int result = sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
    if (result == SQLITE_OK) {
        result = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    }
    if (result == SQLITE_OK) {
        result = sqlite3_config(SQLITE_CONFIG_URI, 0);
    }
    configured = result == SQLITE_OK;
    return result;
}

enum err_code db_memory_start(struct error *err) {
    (void)pthread_mutex_lock(&start_lock);
    int result = configure_once();
    if (result == SQLITE_OK) {
        result = sqlite3_initialize(); /* may be tried again after it found no memory */
    }
    (void)pthread_mutex_unlock(&start_lock);
    if (result == SQLITE_NOMEM) {
        return err_oom(err, "SQLite");
    }
    if (result != SQLITE_OK) {
        return err_set(err, ERR_INTERNAL, "cannot start SQLite: %s", sqlite3_errstr(result));
    }
    return ERR_OK;
}
