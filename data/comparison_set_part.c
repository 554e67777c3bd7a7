/* comparison_set_part.c - some of a set's comparisons, in blocks of their own. See
 * comparison_set.h. */
#include "base/mem.h"
#include "base/scoped.h"
#include "data/comparison_set.h"

#include <math.h>
#include <string.h>

struct choice {
    const struct comparison_set *set;
    int64_t *order; /* [count] the comparisons chosen, by block */
    int64_t count, members;
    int32_t *numbers; /* [I] of an item in the block it was last met in */
    int32_t *last;    /* [I] that block; -1: not met yet */
};

static void choice_scoped_end(struct choice *choice) {
    mem_free(choice->order);
    mem_free(choice->numbers);
    mem_free(choice->last);
}

static int64_t length_of(const struct comparison_set *set, int64_t comparison) {
    return set->starts[comparison + 1] - set->starts[comparison];
}

/* The comparisons chosen, by block, those of one block as they stood. */
static enum err_code order_chosen(struct choice *choice, const int32_t *block_of_comparison,
                                  int64_t block_count, struct error *err) {
    const struct comparison_set *set = choice->set;
    SCOPED(mem) int64_t *next = mem_array_zero((size_t)block_count + 1, sizeof *next);
    choice->order = mem_array((size_t)set->count, sizeof *choice->order);
    choice->numbers = mem_array((size_t)set->item_count, sizeof *choice->numbers);
    choice->last = mem_array((size_t)set->item_count, sizeof *choice->last);
    if (!next || !choice->order || !choice->numbers || !choice->last) {
        return err_oom(err, "part of the comparisons");
    }
    for (int64_t c = 0; c < set->count; c++) {
        if (block_of_comparison[c] >= 0) {
            next[block_of_comparison[c] + 1]++;
            choice->count++;
            choice->members += length_of(set, c);
        }
    }
    for (int64_t b = 0; b < block_count; b++) {
        next[b + 1] += next[b];
    }
    for (int64_t c = 0; c < set->count; c++) {
        if (block_of_comparison[c] >= 0) {
            choice->order[next[block_of_comparison[c]]++] = c;
        }
    }
    for (int64_t i = 0; i < set->item_count; i++) {
        choice->last[i] = -1;
    }
    return ERR_OK;
}

/* Arrays for at most as many items as there are members. */
static enum err_code allocate(const struct choice *choice, int64_t block_count,
                              struct comparison_set *part, int64_t **out_sources,
                              struct error *err) {
    const size_t count = (size_t)choice->count;
    const size_t members = (size_t)choice->members;
    const size_t annotators = (size_t)choice->set->annotator_count;
    part->item_blocks = mem_array(members, sizeof *part->item_blocks);
    part->item_response_ids = mem_array(members, sizeof *part->item_response_ids);
    part->block_prompt_ids = mem_array_zero((size_t)block_count, sizeof *part->block_prompt_ids);
    part->comparison_ids = mem_array(count, sizeof *part->comparison_ids);
    part->starts = mem_array(count + 1, sizeof *part->starts);
    part->items = mem_array(members, sizeof *part->items);
    part->ranks = mem_array(members, sizeof *part->ranks);
    part->positions = mem_array(members, sizeof *part->positions);
    part->weights = mem_array(count, sizeof *part->weights);
    part->margins = mem_array(count, sizeof *part->margins);
    part->last_unordered = mem_array(count, sizeof *part->last_unordered);
    part->good = choice->set->good ? mem_array(count, sizeof *part->good) : NULL;
    part->annotators = mem_array(count, sizeof *part->annotators);
    part->annotator_ids = mem_array(annotators, sizeof *part->annotator_ids);
    *out_sources = mem_array(members, sizeof **out_sources);
    if (!part->item_blocks || !part->item_response_ids || !part->block_prompt_ids ||
        !part->comparison_ids || !part->starts || !part->items || !part->ranks ||
        !part->positions || !part->weights || !part->margins || !part->last_unordered ||
        !part->annotators || !part->annotator_ids || (choice->set->good && !part->good) ||
        !*out_sources) {
        return err_oom(err, "part of the comparisons");
    }
    part->block_count = block_count;
    part->annotator_count = choice->set->annotator_count;
    if (annotators > 0) {
        memcpy(part->annotator_ids, choice->set->annotator_ids,
               annotators * sizeof *part->annotator_ids);
    }
    return ERR_OK;
}

/* The number of an item in the block; a new one where it has not been met there. */
static int32_t number_of(struct choice *choice, int32_t item, int32_t block,
                         struct comparison_set *part, int64_t *sources) {
    const struct comparison_set *set = choice->set;
    if (choice->last[item] != block) {
        choice->last[item] = block;
        choice->numbers[item] = (int32_t)part->item_count;
        sources[part->item_count] = item;
        part->item_blocks[part->item_count] = block;
        part->item_response_ids[part->item_count] = set->item_response_ids[item];
        part->block_prompt_ids[block] = set->block_prompt_ids[set->item_blocks[item]];
        part->item_count++;
    }
    return choice->numbers[item];
}

static void copy_comparison(struct choice *choice, int64_t c, int32_t block,
                            struct comparison_set *part, int64_t *sources) {
    const struct comparison_set *set = choice->set;
    const int64_t to = part->count++;
    int64_t member = part->starts[to];
    for (int64_t m = set->starts[c]; m < set->starts[c + 1]; m++, member++) {
        part->items[member] = number_of(choice, set->items[m], block, part, sources);
        part->ranks[member] = set->ranks[m];
        part->positions[member] = set->positions[m];
    }
    part->starts[to + 1] = member;
    part->comparison_ids[to] = set->comparison_ids[c];
    part->weights[to] = set->weights[c];
    part->margins[to] = set->margins ? set->margins[c] : (double)NAN;
    part->last_unordered[to] = set->last_unordered && set->last_unordered[c];
    part->annotators[to] = set->annotators[c];
    if (set->good) {
        part->good[to] = set->good[c];
    }
}

enum err_code comparison_set_part(const struct comparison_set *set,
                                  const int32_t *block_of_comparison, int64_t block_count,
                                  struct comparison_set *out_part, int64_t **out_sources,
                                  struct error *err) {
    SCOPED(choice) struct choice choice = {.set = set};
    SCOPED(comparison_set) struct comparison_set part = COMPARISON_SET_INIT;
    SCOPED(mem) int64_t *sources = NULL;
    TRY(order_chosen(&choice, block_of_comparison, block_count, err));
    TRY(allocate(&choice, block_count, &part, &sources, err));
    part.starts[0] = 0;
    for (int64_t i = 0; i < choice.count; i++) {
        const int64_t c = choice.order[i];
        copy_comparison(&choice, c, block_of_comparison[c], &part, sources);
    }
    *out_part = part;
    part = (struct comparison_set)COMPARISON_SET_INIT;
    *out_sources = MOVE(sources);
    return ERR_OK;
}
