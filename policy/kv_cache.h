/* kv_cache.h - which pages of the key-value cache are whose.
 *
 * Use:      if (kv_cache_reserve(&cache, n)) { ... later, at most n times:
 *               int32_t page = kv_cache_take(&cache); }
 *           kv_cache_share(&cache, page);      // a second holder
 *           kv_cache_drop(&cache, page);       // by each holder
 *           kv_cache_unreserve(&cache, rest);  // what was not taken
 * Why reserved: a sequence that has been let in must never find the cache full half way; so it
 *           reserves what it can need at most, and whoever cannot reserve waits outside.
 * Source:   pages with counts of holders: Kwon et al. 2023 (PagedAttention, arXiv 2309.06180).
 *           Deviation: reservation instead of eviction and recomputation.
 * Owns:     numbers only; the pages' memory belongs to the decoder's backend.
 * Threads:  one at a time.
 */
#ifndef POLICY_KV_CACHE_H
#define POLICY_KV_CACHE_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct kv_cache {
    int64_t pages;
    int64_t free_count;
    int64_t reserved;    /* of the free ones, already promised */
    int32_t *free_pages; /* [pages], a stack of free_count */
    int32_t *holders;    /* [pages] */
};

ERR_NODISCARD enum err_code kv_cache_init(int64_t pages, struct kv_cache *out, struct error *err);
void kv_cache_deinit(struct kv_cache *cache);

/* Whether `count` more pages could be promised. */
bool kv_cache_reserve(struct kv_cache *cache, int64_t count);
void kv_cache_unreserve(struct kv_cache *cache, int64_t count);

/* A page out of a reservation, with one holder. */
int32_t kv_cache_take(struct kv_cache *cache);
void kv_cache_share(struct kv_cache *cache, int32_t page);
void kv_cache_drop(struct kv_cache *cache, int32_t page);

#endif
