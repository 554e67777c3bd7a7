/* comparison_cut.c - see comparison_cut.h. */
#include "data/comparison_cut.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/scoped.h"

#include <string.h>

#define OPEN (-1) /* in example_of: in no example yet; of comparisons not used it stays */

struct cutting {
    const struct comparison_set *set;
    const bool *is_used;
    int64_t items_max;
    int32_t *example_of; /* [C] */
    int64_t examples;
    int64_t *starts;   /* [I + 1] of an item's comparisons */
    int64_t *incident; /* [M] comparisons by item */
    int64_t *missing;  /* [C] items that are not in the example being made */
    int64_t *gain;     /* [I] open comparisons, with items of the example, that an item is in */
    bool *is_in;       /* [I] the example */
    int32_t *members;  /* [I] items of the example, then those that it touches */
    int64_t member_count;
    int32_t *touched; /* [I] items with a gain, some of them in the example by now */
    int64_t touched_count;
};

static void cutting_scoped_end(struct cutting *cutting) {
    mem_free(cutting->example_of);
    mem_free(cutting->starts);
    mem_free(cutting->incident);
    mem_free(cutting->missing);
    mem_free(cutting->gain);
    mem_free(cutting->is_in);
    mem_free(cutting->members);
    mem_free(cutting->touched);
}

static int64_t length_of(const struct comparison_set *set, int64_t comparison) {
    return set->starts[comparison + 1] - set->starts[comparison];
}

/* Which comparisons each item is in. */
static void index_items(struct cutting *cutting) {
    const struct comparison_set *set = cutting->set;
    memset(cutting->starts, 0, (size_t)(set->item_count + 1) * sizeof *cutting->starts);
    for (int64_t m = 0; m < set->starts[set->count]; m++) {
        cutting->starts[set->items[m] + 1]++;
    }
    for (int64_t i = 0; i < set->item_count; i++) {
        cutting->starts[i + 1] += cutting->starts[i];
        cutting->gain[i] = cutting->starts[i]; /* for a moment: where the next one goes */
    }
    for (int64_t c = 0; c < set->count; c++) {
        for (int64_t m = set->starts[c]; m < set->starts[c + 1]; m++) {
            cutting->incident[cutting->gain[set->items[m]]++] = c;
        }
    }
    memset(cutting->gain, 0, (size_t)set->item_count * sizeof *cutting->gain);
}

static enum err_code cutting_init(struct cutting *cutting, struct error *err) {
    const struct comparison_set *set = cutting->set;
    const size_t items = (size_t)set->item_count;
    const size_t count = (size_t)set->count;
    cutting->example_of = mem_array(count, sizeof *cutting->example_of);
    cutting->starts = mem_array(items + 1, sizeof *cutting->starts);
    cutting->incident = mem_array((size_t)set->starts[set->count], sizeof *cutting->incident);
    cutting->missing = mem_array(count, sizeof *cutting->missing);
    cutting->gain = mem_array(items, sizeof *cutting->gain);
    cutting->is_in = mem_array_zero(items, sizeof *cutting->is_in);
    cutting->members = mem_array(items, sizeof *cutting->members);
    cutting->touched = mem_array(items, sizeof *cutting->touched);
    if (!cutting->example_of || !cutting->starts || !cutting->incident || !cutting->missing ||
        !cutting->gain || !cutting->is_in || !cutting->members || !cutting->touched) {
        return err_oom(err, "examples of comparisons");
    }
    for (int64_t c = 0; c < set->count; c++) {
        cutting->example_of[c] = OPEN;
        cutting->missing[c] = length_of(set, c);
    }
    index_items(cutting);
    return ERR_OK;
}

static bool is_open(const struct cutting *cutting, int64_t comparison) {
    return cutting->is_used[comparison] && cutting->example_of[comparison] == OPEN;
}

/* --- one example --- */

static void touch(struct cutting *cutting, int32_t item) {
    if (cutting->gain[item]++ == 0) {
        cutting->touched[cutting->touched_count++] = item;
    }
}

/* Puts an item into the example; comparisons that it completes are of the example. */
static void take_item(struct cutting *cutting, int32_t item) {
    const struct comparison_set *set = cutting->set;
    if (cutting->is_in[item]) {
        return;
    }
    cutting->is_in[item] = true;
    cutting->members[cutting->member_count++] = item;
    for (int64_t n = cutting->starts[item]; n < cutting->starts[item + 1]; n++) {
        const int64_t c = cutting->incident[n];
        if (!is_open(cutting, c)) {
            continue;
        }
        if (--cutting->missing[c] == 0) {
            cutting->example_of[c] = (int32_t)cutting->examples;
            continue;
        }
        for (int64_t m = set->starts[c]; m < set->starts[c + 1]; m++) {
            touch(cutting, set->items[m]);
        }
    }
}

/* The item outside with the largest gain, the first touched among equals; -1 for none. */
static int32_t best_item(const struct cutting *cutting) {
    int32_t best = -1;
    for (int64_t t = 0; t < cutting->touched_count; t++) {
        const int32_t item = cutting->touched[t];
        if (!cutting->is_in[item] && (best < 0 || cutting->gain[item] > cutting->gain[best])) {
            best = item;
        }
    }
    return best;
}

/* Forgets what was counted for the example; comparisons that it left half taken are whole again. */
static void end_example(struct cutting *cutting) {
    const struct comparison_set *set = cutting->set;
    for (int64_t k = 0; k < cutting->member_count; k++) {
        const int32_t item = cutting->members[k];
        cutting->is_in[item] = false;
        for (int64_t n = cutting->starts[item]; n < cutting->starts[item + 1]; n++) {
            cutting->missing[cutting->incident[n]] = length_of(set, cutting->incident[n]);
        }
    }
    for (int64_t t = 0; t < cutting->touched_count; t++) {
        cutting->gain[cutting->touched[t]] = 0;
    }
    cutting->member_count = 0;
    cutting->touched_count = 0;
    cutting->examples++;
}

static void make_example(struct cutting *cutting, int64_t comparison) {
    const struct comparison_set *set = cutting->set;
    for (int64_t m = set->starts[comparison]; m < set->starts[comparison + 1]; m++) {
        take_item(cutting, set->items[m]);
    }
    int32_t item = -1;
    while ((cutting->items_max == 0 || cutting->member_count < cutting->items_max) &&
           (item = best_item(cutting)) >= 0) {
        take_item(cutting, item);
    }
    end_example(cutting);
}

/* --- all of them --- */

static int32_t block_of(const struct comparison_set *set, int64_t comparison) {
    return set->item_blocks[set->items[set->starts[comparison]]];
}

/* The comparisons [begin, end) of one block, from each that is still open, in random order. */
static enum err_code cut_block(struct cutting *cutting, int64_t begin, int64_t end, uint64_t seed,
                               struct error *err) {
    SCOPED(mem) int64_t *order = mem_array((size_t)(end - begin), sizeof *order);
    if (!order) {
        return err_oom(err, "order of comparisons");
    }
    struct rng rng = rng_stream(seed, RNG_CUT, 0, begin);
    for (int64_t i = 0; i < end - begin; i++) {
        const int64_t j = rng_below(&rng, i + 1);
        order[i] = order[j];
        order[j] = begin + i;
    }
    for (int64_t i = 0; i < end - begin; i++) {
        if (is_open(cutting, order[i])) {
            make_example(cutting, order[i]);
        }
    }
    return ERR_OK;
}

enum err_code comparison_cut_make(const struct comparison_set *set, const bool *is_used,
                                  struct comparison_cut *cut, struct error *err) {
    SCOPED(cutting)
    struct cutting cutting = {.set = set, .is_used = is_used, .items_max = cut->items_max};
    TRY(cutting_init(&cutting, err));
    for (int64_t begin = 0, end = 0; begin < set->count; begin = end) {
        while (end < set->count && block_of(set, end) == block_of(set, begin)) {
            end++;
        }
        TRY(cut_block(&cutting, begin, end, cut->seed, err));
    }
    cut->example_of = MOVE(cutting.example_of);
    cut->count = cutting.examples;
    return ERR_OK;
}

void comparison_cut_deinit(struct comparison_cut *cut) {
    mem_free(cut->example_of);
    cut->example_of = NULL;
}
