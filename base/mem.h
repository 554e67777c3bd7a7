/* mem.h - every allocation of the program, with checked sizes and a way to make one fail.
 *
 * Use:      struct item *items = mem_array(n, sizeof *items);
 *           if (!items) { return err_oom(err, "items"); }
 *           ...
 *           mem_free(items);
 * Tests:    mem_fail_nth(n) makes the n-th allocation from now on return NULL; a loop over n drives
 *           every failure path of a constructor (see tests/support/alloc_loop.h).
 *           mem_live_blocks() is the census of blocks not yet freed.
 * Threads:  safe; the counters are atomic. The failure hook is process-wide and for tests only.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A block of `bytes` bytes, contents undefined; a valid unique pointer for 0 bytes; NULL when
 * memory is gone. Owned; mem_free. */
void *mem_alloc(size_t bytes);

/* `count` items of `item_bytes`, contents undefined / all zero; NULL also when the product
 * overflows. */
void *mem_array(size_t count, size_t item_bytes);
void *mem_array_zero(size_t count, size_t item_bytes);

/* Resizes an array made by this module (or NULL), keeping its contents; NULL on failure, and then
 * the old block stays valid and owned by the caller. */
void *mem_array_resize(void *block, size_t count, size_t item_bytes);

/* Copies: NULL on failure. */
char *mem_strdup(const char *text);
char *mem_strndup(const char *text, size_t bytes);

/* "<first><second>" ("a.json", ".tmp"); NULL on failure. */
char *mem_strjoin(const char *first, const char *second);

/* mem_free(NULL) does nothing. */
void mem_free(void *block);

/* Asks the system to back a block of many megabytes with huge pages, before it is first written:
 * streams through it and jumps in it then miss the address cache less often. A wish, without a
 * result; docs/BENCHMARKS.md has what it gains. */
void mem_prefer_huge_pages(void *block, size_t bytes);

/* Gives freed memory back to the system; the heap of the program keeps it otherwise. For after the
 * release of what a later stage has no use for: it walks the whole heap. */
void mem_trim(void);

/* Capacity for at least `needed` items, growing by half again so that n appends cost O(n). */
size_t mem_grown_capacity(size_t capacity, size_t needed);

/* Blocks allocated and not yet freed, over all threads. */
int64_t mem_live_blocks(void);

/* Fails the n-th allocation from now on, once (n >= 1); 0 switches the hook off. */
void mem_fail_nth(int64_t n);

/* Whether the allocation chosen by mem_fail_nth has been reached since that call. */
int mem_fail_reached(void);

#ifdef __cplusplus
}
#endif

#endif
