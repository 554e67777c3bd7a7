/* text_index.c - see text_index.h. Open addressing with linear probing, at most half full. */
#include "data/text_index.h"

#include "base/array.h"
#include "base/mem.h"
#include "data/text_fold.h"

#include <stdbool.h>

#define SLOTS_FIRST 64

void text_index_deinit(struct text_index *index) {
    size_t bytes_max = index->bytes.bytes_max;
    arena_deinit(&index->bytes);
    mem_free(index->texts);
    mem_free(index->hashes);
    mem_free(index->slots);
    *index = (struct text_index)TEXT_INDEX_INIT(bytes_max);
}

/* Eight bytes at a time; the length counts, so that zeros behind a text do. */
static uint32_t hash_of(const char *bytes, size_t count) {
    uint64_t hash = text_fold_mix(count + 1);
    for (; count >= 8; bytes += 8, count -= 8) {
        uint64_t word = 0;
        memcpy(&word, bytes, 8);
        hash = text_fold_mix(hash ^ word);
    }
    uint64_t rest = 0;
    memcpy(&rest, bytes, count);
    return (uint32_t)(text_fold_mix(hash ^ rest) >> 32);
}

/* The slot that holds the text, or the empty one where it belongs. */
static int64_t slot_of(const struct text_index *index, const char *bytes, size_t count,
                       uint32_t hash) {
    int64_t mask = index->slot_count - 1;
    int64_t slot = (int64_t)hash & mask;
    for (; index->slots[slot] != TEXT_INDEX_NONE; slot = (slot + 1) & mask) {
        int32_t number = index->slots[slot];
        const struct text_span *text = &index->texts[number];
        if (index->hashes[number] == hash && text->count == count &&
            memcmp(text->bytes, bytes, count) == 0) {
            break;
        }
    }
    return slot;
}

static enum err_code grow_slots(struct text_index *index, struct error *err) {
    if (2 * (index->count + 1) <= index->slot_count) {
        return ERR_OK;
    }
    int64_t slot_count = index->slot_count > 0 ? 2 * index->slot_count : SLOTS_FIRST;
    int32_t *slots = mem_array((size_t)slot_count, sizeof *slots);
    if (!slots) {
        return err_oom(err, "index of texts");
    }
    for (int64_t s = 0; s < slot_count; s++) {
        slots[s] = TEXT_INDEX_NONE;
    }
    mem_free(index->slots);
    index->slots = slots;
    index->slot_count = slot_count;
    for (int64_t n = 0; n < index->count; n++) {
        const struct text_span *text = &index->texts[n];
        slots[slot_of(index, text->bytes, text->count, index->hashes[n])] = (int32_t)n;
    }
    return ERR_OK;
}

static enum err_code grow_texts(struct text_index *index, struct error *err) {
    const struct array_ref arrays[] = {ARRAY_REF(index->texts), ARRAY_REF(index->hashes)};
    return arrays_reserve(arrays, 2, &index->capacity, index->count + 1, "index of texts", err);
}

enum err_code text_index_add(struct text_index *index, const char *bytes, size_t count,
                             int32_t *out_number, struct error *err) {
    uint32_t hash = hash_of(bytes, count);
    TRY(grow_slots(index, err));
    int64_t slot = slot_of(index, bytes, count, hash);
    if (index->slots[slot] != TEXT_INDEX_NONE) {
        *out_number = index->slots[slot];
        return ERR_OK;
    }
    if (index->count == INT32_MAX) {
        return err_set(err, ERR_LIMIT, "more than %d different texts", INT32_MAX);
    }
    TRY(grow_texts(index, err));
    char *copy = arena_strndup(&index->bytes, bytes, count);
    if (!copy) {
        return err_oom(err, "index of texts");
    }
    index->texts[index->count] = (struct text_span){copy, count};
    index->hashes[index->count] = hash;
    *out_number = index->slots[slot] = (int32_t)index->count++;
    return ERR_OK;
}

int32_t text_index_find(const struct text_index *index, const char *bytes, size_t count) {
    return index->slot_count == 0
               ? TEXT_INDEX_NONE
               : index->slots[slot_of(index, bytes, count, hash_of(bytes, count))];
}
