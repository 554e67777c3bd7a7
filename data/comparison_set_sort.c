/* comparison_set_sort.c - the order of a comparison set: by block. See comparison_set.h. */
#include "base/mem.h"
#include "base/scoped.h"
#include "data/comparison_set.h"

#include <string.h>

static int32_t block_of(const struct comparison_set *set, int64_t comparison) {
    return set->item_blocks[set->items[set->starts[comparison]]];
}

static bool is_sorted(const struct comparison_set *set) {
    for (int64_t i = 1; i < set->item_count; i++) {
        if (set->item_blocks[i - 1] > set->item_blocks[i]) {
            return false;
        }
    }
    for (int64_t c = 1; c < set->count; c++) {
        if (block_of(set, c - 1) > block_of(set, c)) {
            return false;
        }
    }
    return true;
}

/* Where each of `count` things goes when sorted by block, those of one block as they are:
 * `next` [block_count + 1] is scratch. */
static void places_by_block(const int32_t *blocks, int64_t count, int64_t block_count,
                            int64_t *next, int64_t *out_places) {
    memset(next, 0, (size_t)(block_count + 1) * sizeof *next);
    for (int64_t i = 0; i < count; i++) {
        next[blocks[i] + 1]++;
    }
    for (int64_t b = 0; b < block_count; b++) {
        next[b + 1] += next[b];
    }
    for (int64_t i = 0; i < count; i++) {
        out_places[i] = next[blocks[i]]++;
    }
}

/* Moves each of `count` elements to its place. False when memory is gone. */
static bool permute(void *array, size_t element_bytes, const int64_t *places, int64_t count) {
    if (!array) {
        return true;
    }
    SCOPED(mem) unsigned char *moved = mem_array((size_t)count, element_bytes);
    if (!moved) {
        return false;
    }
    const unsigned char *bytes = array;
    for (int64_t i = 0; i < count; i++) {
        memcpy(moved + (size_t)places[i] * element_bytes, bytes + (size_t)i * element_bytes,
               element_bytes);
    }
    memcpy(array, moved, (size_t)count * element_bytes);
    return true;
}

struct scratch {
    int64_t *next;              /* [B + 1] */
    int64_t *item_places;       /* [I] */
    int64_t *comparison_places; /* [C] */
    int64_t *member_places;     /* [M] */
    int64_t *lengths;           /* [C], then starts [C + 1] */
    int32_t *blocks;            /* [C] of the comparisons */
};

static void scratch_scoped_end(struct scratch *s) {
    mem_free(s->next);
    mem_free(s->item_places);
    mem_free(s->comparison_places);
    mem_free(s->member_places);
    mem_free(s->lengths);
    mem_free(s->blocks);
}

static enum err_code scratch_init(struct scratch *s, const struct comparison_set *set,
                                  struct error *err) {
    size_t comparisons = (size_t)set->count;
    s->next = mem_array((size_t)set->block_count + 1, sizeof *s->next);
    s->item_places = mem_array((size_t)set->item_count, sizeof *s->item_places);
    s->comparison_places = mem_array(comparisons, sizeof *s->comparison_places);
    s->member_places = mem_array((size_t)set->starts[set->count], sizeof *s->member_places);
    s->lengths = mem_array(comparisons + 1, sizeof *s->lengths);
    s->blocks = mem_array(comparisons, sizeof *s->blocks);
    if (!s->next || !s->item_places || !s->comparison_places || !s->member_places || !s->lengths ||
        !s->blocks) {
        return err_oom(err, "the order of comparisons");
    }
    return ERR_OK;
}

/* Where the members go, and the new starts, from where the comparisons go. */
static void place_members(const struct comparison_set *set, struct scratch *s) {
    int64_t *starts = s->lengths;
    starts[0] = 0;
    for (int64_t c = 0; c < set->count; c++) {
        starts[s->comparison_places[c] + 1] = set->starts[c + 1] - set->starts[c];
    }
    for (int64_t c = 0; c < set->count; c++) {
        starts[c + 1] += starts[c];
    }
    for (int64_t c = 0; c < set->count; c++) {
        int64_t to = starts[s->comparison_places[c]];
        for (int64_t m = set->starts[c]; m < set->starts[c + 1]; m++) {
            s->member_places[m] = to++;
        }
    }
}

static bool move_all(struct comparison_set *set, const struct scratch *s) {
    int64_t members = set->starts[set->count];
    return permute(set->item_response_ids, sizeof *set->item_response_ids, s->item_places,
                   set->item_count) &&
           permute(set->item_names, sizeof *set->item_names, s->item_places, set->item_count) &&
           permute(set->item_blocks, sizeof *set->item_blocks, s->item_places, set->item_count) &&
           permute(set->comparison_ids, sizeof *set->comparison_ids, s->comparison_places,
                   set->count) &&
           permute(set->weights, sizeof *set->weights, s->comparison_places, set->count) &&
           permute(set->margins, sizeof *set->margins, s->comparison_places, set->count) &&
           permute(set->last_unordered, sizeof *set->last_unordered, s->comparison_places,
                   set->count) &&
           permute(set->good, sizeof *set->good, s->comparison_places, set->count) &&
           permute(set->annotators, sizeof *set->annotators, s->comparison_places, set->count) &&
           permute(set->items, sizeof *set->items, s->member_places, members) &&
           permute(set->ranks, sizeof *set->ranks, s->member_places, members) &&
           permute(set->positions, sizeof *set->positions, s->member_places, members);
}

enum err_code comparison_set_sort(struct comparison_set *set, struct error *err) {
    if (is_sorted(set)) {
        return ERR_OK;
    }
    SCOPED(scratch) struct scratch s = {.next = NULL};
    TRY(scratch_init(&s, set, err));
    places_by_block(set->item_blocks, set->item_count, set->block_count, s.next, s.item_places);
    for (int64_t c = 0; c < set->count; c++) {
        s.blocks[c] = block_of(set, c);
    }
    places_by_block(s.blocks, set->count, set->block_count, s.next, s.comparison_places);
    place_members(set, &s);
    for (int64_t m = 0; m < set->starts[set->count]; m++) {
        set->items[m] = (int32_t)s.item_places[set->items[m]];
    }
    if (!move_all(set, &s)) {
        return err_oom(err, "the order of comparisons");
    }
    memcpy(set->starts, s.lengths, (size_t)(set->count + 1) * sizeof *set->starts);
    return ERR_OK;
}
