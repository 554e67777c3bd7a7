/* token_table.c - see token_table.h. Open addressing, at most half full. */
#include "data/token_table.h"

#include "base/invariant.h"
#include "base/mem.h"

enum err_code token_table_init(struct token_table *table, int64_t count, size_t bytes_max,
                               struct error *err) {
    *table = (struct token_table){.count = count, .bytes_max = bytes_max};
    if (bytes_max >= UINT32_MAX || count > INT32_MAX) {
        return err_set(err, ERR_LIMIT, "vocabulary: %zu bytes of text, limit 2^32 - 2", bytes_max);
    }
    table->bytes = mem_alloc(bytes_max);
    table->starts = mem_array_zero((size_t)count, sizeof *table->starts);
    table->counts = mem_array((size_t)count, sizeof *table->counts);
    if (!table->bytes || !table->starts || !table->counts) {
        token_table_deinit(table);
        return err_oom(err, "vocabulary");
    }
    for (int64_t id = 0; id < count; id++) {
        table->counts[id] = TOKEN_TABLE_NO_TEXT;
    }
    return ERR_OK;
}

void token_table_deinit(struct token_table *table) {
    mem_free(table->bytes);
    mem_free(table->starts);
    mem_free(table->counts);
    mem_free(table->slots);
    *table = (struct token_table)TOKEN_TABLE_INIT;
}

void token_table_set(struct token_table *table, int32_t id, const char *bytes, size_t count) {
    ASSERT(id >= 0 && id < table->count);
    ASSERT(count <= table->bytes_max - table->bytes_used);
    memcpy(table->bytes + table->bytes_used, bytes, count);
    table->starts[id] = (uint32_t)table->bytes_used;
    table->counts[id] = (uint32_t)count;
    table->bytes_used += count;
}

static uint64_t load(const char *bytes, size_t count) {
    uint64_t word = 0;
    memcpy(&word, bytes, count);
    return word;
}

/* Multiplication and folding, eight bytes at a time; the ends of short texts overlap so that every
 * load has a fixed size. */
static uint64_t hash_of(const char *bytes, size_t count) {
    const uint64_t odd = UINT64_C(0x9E3779B97F4A7C15);
    uint64_t hash = count * odd;
    while (count > 8) {
        hash = (hash ^ load(bytes, 8)) * odd;
        hash ^= hash >> 32;
        bytes += 8;
        count -= 8;
    }
    uint64_t tail = 0;
    if (count >= 4) {
        tail = load(bytes, 4) | load(bytes + count - 4, 4) << 32;
    } else if (count > 0) {
        tail = load(bytes, 1) | load(bytes + count / 2, 1) << 8 | load(bytes + count - 1, 1) << 16;
    }
    hash = (hash ^ tail) * odd;
    return hash ^ hash >> 29;
}

/* The slot of a text, or the free one where it belongs. */
static uint64_t slot_of(const struct token_table *table, const char *bytes, size_t count,
                        uint32_t *out_tag) {
    uint64_t hash = hash_of(bytes, count);
    *out_tag = (uint32_t)(hash >> 32);
    for (uint64_t at = hash & table->mask;; at = (at + 1) & table->mask) {
        const struct token_slot *slot = &table->slots[at];
        if (slot->id < 0 || (slot->tag == *out_tag && table->counts[slot->id] == count &&
                             memcmp(table->bytes + table->starts[slot->id], bytes, count) == 0)) {
            return at;
        }
    }
}

enum err_code token_table_index(struct token_table *table, int32_t *out_twice, struct error *err) {
    uint64_t texts = 0;
    for (int64_t id = 0; id < table->count; id++) {
        texts += table->counts[id] != TOKEN_TABLE_NO_TEXT;
    }
    uint64_t slots = 16;
    while (slots < 2 * texts) {
        slots *= 2;
    }
    table->slots = mem_array(slots, sizeof *table->slots);
    if (!table->slots) {
        return err_oom(err, "index of the vocabulary");
    }
    table->mask = slots - 1;
    for (uint64_t i = 0; i < slots; i++) {
        table->slots[i] = (struct token_slot){.tag = 0, .id = -1};
    }
    *out_twice = -1;
    for (int32_t id = 0; id < table->count; id++) {
        if (table->counts[id] == TOKEN_TABLE_NO_TEXT) {
            continue;
        }
        uint32_t tag = 0;
        uint64_t at = slot_of(table, table->bytes + table->starts[id], table->counts[id], &tag);
        if (table->slots[at].id >= 0) {
            *out_twice = id;
        } else {
            table->slots[at] = (struct token_slot){.tag = tag, .id = id};
        }
    }
    return ERR_OK;
}

int32_t token_table_find(const struct token_table *table, const char *bytes, size_t count) {
    uint32_t tag = 0;
    return table->slots[slot_of(table, bytes, count, &tag)].id;
}
