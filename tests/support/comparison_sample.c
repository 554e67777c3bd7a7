/* comparison_sample.c - see comparison_sample.h. */
#include "tests/support/comparison_sample.h"

#include "base/mem.h"
#include "tests/support/test.h"

#include <stdlib.h>

/* An array that holds `count` items, with room for `extra` more. Capacity is not stored: it is the
 * power of two at or above the count, so that it is only left when the count crosses one. */
static void *grown(void *array, int64_t count, int64_t extra, size_t item_bytes) {
    size_t capacity = 4;
    while (capacity < (size_t)(count + extra)) {
        capacity *= 2;
    }
    if (array && capacity / 2 < (size_t)count && (size_t)count <= capacity) {
        return array; /* made at this capacity already */
    }
    void *larger = mem_array_resize(array, capacity, item_bytes);
    assert_non_null(larger);
    return larger;
}

static void grow_items(struct comparison_set *set, int64_t count) {
    size_t items = (size_t)count + 1;
    int32_t *blocks = mem_array_resize(set->item_blocks, items, sizeof *blocks);
    assert_non_null(blocks);
    set->item_blocks = blocks;
    for (int64_t i = set->item_count; i < count; i++) {
        blocks[i] = set->block_count > 0 ? (int32_t)(set->block_count - 1) : 0;
    }
    set->item_count = count;
}

void comparison_sample_init(struct comparison_set *set, int64_t item_count) {
    *set = (struct comparison_set)COMPARISON_SET_INIT;
    set->block_count = 1;
    grow_items(set, item_count);
    set->starts = mem_array_zero(4, sizeof *set->starts);
    assert_non_null(set->starts);
}

int32_t comparison_sample_item(struct comparison_set *set, const char *name) {
    for (int64_t i = 0; i < set->item_count; i++) {
        if (strcmp(set->item_names[i], name) == 0) {
            return (int32_t)i;
        }
    }
    size_t count = (size_t)set->item_count + 1;
    char **names = mem_array_resize(set->item_names, count, sizeof *names);
    assert_non_null(names);
    set->item_names = names;
    names[set->item_count] = mem_strdup(name);
    assert_non_null(names[set->item_count]);
    grow_items(set, (int64_t)count);
    return (int32_t)(set->item_count - 1);
}

void comparison_sample_set_block(struct comparison_set *set, int64_t item, int32_t block) {
    set->item_blocks[item] = block;
    if (block >= set->block_count) {
        set->block_count = block + 1;
    }
}

void comparison_sample_add(struct comparison_set *set, int64_t k, const int32_t *items,
                           const int32_t *ranks) {
    int64_t c = set->count;
    int64_t members = set->starts[c];
    set->comparison_ids = grown(set->comparison_ids, c, 1, sizeof *set->comparison_ids);
    set->weights = grown(set->weights, c, 1, sizeof *set->weights);
    set->annotators = grown(set->annotators, c, 1, sizeof *set->annotators);
    set->starts = grown(set->starts, c + 1, 1, sizeof *set->starts);
    set->items = grown(set->items, members, k, sizeof *set->items);
    set->ranks = grown(set->ranks, members, k, sizeof *set->ranks);
    set->positions = grown(set->positions, members, k, sizeof *set->positions);
    set->comparison_ids[c] = c + 1;
    set->weights[c] = 1.0;
    set->annotators[c] = -1;
    for (int64_t m = 0; m < k; m++) {
        set->items[members + m] = items[m];
        set->ranks[members + m] = ranks[m];
        set->positions[members + m] = 0;
    }
    if (set->last_unordered) {
        set->last_unordered = grown(set->last_unordered, c, 1, sizeof *set->last_unordered);
        set->last_unordered[c] = false;
    }
    set->starts[c + 1] = members + k;
    set->count = c + 1;
}

void comparison_sample_win(struct comparison_set *set, int32_t winner, int32_t loser) {
    comparison_sample_add(set, 2, (int32_t[]){winner, loser}, (int32_t[]){1, 2});
}

void comparison_sample_tie(struct comparison_set *set, int32_t item, int32_t other) {
    comparison_sample_add(set, 2, (int32_t[]){item, other}, (int32_t[]){1, 1});
}

void comparison_sample_label(struct comparison_set *set, int32_t item, bool is_good) {
    set->good = grown(set->good, set->count, 1, sizeof *set->good);
    set->good[set->count] = is_good;
    comparison_sample_add(set, 1, &item, (int32_t[]){is_good ? 1 : 2});
}

void comparison_sample_wins(struct comparison_set *set, int32_t winner, int32_t loser,
                            int64_t times) {
    for (int64_t i = 0; i < times; i++) {
        comparison_sample_win(set, winner, loser);
    }
}

void comparison_sample_set_weight(struct comparison_set *set, double weight) {
    set->weights[set->count - 1] = weight;
}

void comparison_sample_set_annotator(struct comparison_set *set, int32_t annotator) {
    set->annotators[set->count - 1] = annotator;
    if (annotator < set->annotator_count) {
        return;
    }
    int64_t *ids = mem_array_resize(set->annotator_ids, (size_t)annotator + 1, sizeof *ids);
    assert_non_null(ids);
    for (int64_t a = set->annotator_count; a <= annotator; a++) {
        ids[a] = a + 1;
    }
    set->annotator_ids = ids;
    set->annotator_count = annotator + 1;
}

void comparison_sample_set_positions(struct comparison_set *set, const int32_t *positions) {
    int64_t start = set->starts[set->count - 1];
    for (int64_t m = start; m < set->starts[set->count]; m++) {
        set->positions[m] = positions[m - start];
    }
}

void comparison_sample_set_last_unordered(struct comparison_set *set) {
    if (!set->last_unordered) {
        size_t capacity = 4;
        while (capacity < (size_t)set->count) {
            capacity *= 2;
        }
        set->last_unordered = mem_array_zero(capacity, sizeof *set->last_unordered);
        assert_non_null(set->last_unordered);
    }
    set->last_unordered[set->count - 1] = true;
}
