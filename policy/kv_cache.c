/* kv_cache.c - see kv_cache.h. */
#include "policy/kv_cache.h"

#include "base/invariant.h"
#include "base/mem.h"

enum err_code kv_cache_init(int64_t pages, struct kv_cache *out, struct error *err) {
    ASSERT(pages >= 0 && pages <= INT32_MAX);
    struct kv_cache cache = {.pages = pages, .free_count = pages};
    cache.free_pages = mem_array((size_t)pages, sizeof *cache.free_pages);
    cache.holders = mem_array_zero((size_t)pages, sizeof *cache.holders);
    if (!cache.free_pages || !cache.holders) {
        kv_cache_deinit(&cache);
        return err_oom(err, "page table");
    }
    for (int64_t i = 0; i < pages; i++) {
        cache.free_pages[i] = (int32_t)(pages - 1 - i); /* page 0 is taken first */
    }
    *out = cache;
    return ERR_OK;
}

void kv_cache_deinit(struct kv_cache *cache) {
    mem_free(cache->free_pages);
    mem_free(cache->holders);
    *cache = (struct kv_cache){0};
}

bool kv_cache_reserve(struct kv_cache *cache, int64_t count) {
    if (count > cache->free_count - cache->reserved) {
        return false;
    }
    cache->reserved += count;
    return true;
}

void kv_cache_unreserve(struct kv_cache *cache, int64_t count) {
    ASSERT(count >= 0);
    ASSERT_LE(count, cache->reserved);
    cache->reserved -= count;
}

int32_t kv_cache_take(struct kv_cache *cache) {
    ASSERT_LE(1, cache->reserved);
    ASSERT_LE(cache->reserved, cache->free_count);
    cache->reserved--;
    int32_t page = cache->free_pages[--cache->free_count];
    ASSERT_EQ(cache->holders[page], 0);
    cache->holders[page] = 1;
    return page;
}

void kv_cache_share(struct kv_cache *cache, int32_t page) {
    ASSERT_LE(1, cache->holders[page]);
    cache->holders[page]++;
}

void kv_cache_drop(struct kv_cache *cache, int32_t page) {
    ASSERT_LE(1, cache->holders[page]);
    if (--cache->holders[page] == 0) {
        cache->free_pages[cache->free_count++] = page;
    }
}
