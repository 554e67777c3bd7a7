/* tabular_blocks.c - see tabular_blocks.h; tabular_centre of tabular_models.h. */
#include "reward/tabular_blocks.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "reward/dense_spd.h"
#include "reward/tabular_models.h"

#include <string.h>

enum err_code tabular_blocks_init(struct tabular_blocks *blocks, const struct comparison_set *set,
                                  struct error *err) {
    SCOPED(tabular_blocks) struct tabular_blocks made = TABULAR_BLOCKS_INIT;
    made.sizes = mem_array_zero((size_t)set->block_count, sizeof *made.sizes);
    made.shares = mem_array_zero((size_t)set->block_count, sizeof *made.shares);
    if (!made.sizes || !made.shares) {
        return err_oom(err, "blocks");
    }
    for (int64_t i = 0; i < set->item_count; i++) {
        made.sizes[set->item_blocks[i]]++;
    }
    *blocks = made;
    memset(&made, 0, sizeof made);
    return ERR_OK;
}

void tabular_blocks_deinit(struct tabular_blocks *blocks) {
    mem_free(blocks->sizes);
    mem_free(blocks->shares);
    *blocks = (struct tabular_blocks)TABULAR_BLOCKS_INIT;
}

int64_t tabular_blocks_used(const struct tabular_blocks *blocks, const struct comparison_set *set) {
    int64_t used = 0;
    for (int64_t b = 0; b < set->block_count; b++) {
        used += blocks->sizes[b] > 0.0;
    }
    return used;
}

void tabular_blocks_add(const struct tabular_blocks *blocks, const struct comparison_set *set,
                        double factor, double *io_triangle) {
    for (int64_t i = 0; i < set->item_count; i++) {
        int32_t block = set->item_blocks[i];
        double share = factor * blocks->shares[block];
        for (int64_t j = 0; j <= i; j++) {
            if (set->item_blocks[j] == block) {
                io_triangle[dense_spd_place(i, j)] += share;
            }
        }
    }
}

/* Looks for the items of `block` in [start, end). */
static void centre_block(const struct comparison_set *set, int32_t block, int64_t start,
                         int64_t end, double *rewards) {
    double sum = 0.0;
    int64_t count = 0;
    for (int64_t i = start; i < end; i++) {
        if (set->item_blocks[i] == block) {
            sum += rewards[i];
            count++;
        }
    }
    double mean = count > 0 ? sum / (double)count : 0.0;
    for (int64_t i = start; i < end; i++) {
        if (set->item_blocks[i] == block) {
            rewards[i] -= mean;
        }
    }
}

static bool are_blocks_sorted(const struct comparison_set *set) {
    for (int64_t i = 1; i < set->item_count; i++) {
        if (set->item_blocks[i] < set->item_blocks[i - 1]) {
            return false;
        }
    }
    return true;
}

void tabular_centre(const struct comparison_set *set, double *rewards) {
    if (!are_blocks_sorted(set)) { /* only sets made by hand: a log numbers items by block */
        for (int64_t b = 0; b < set->block_count; b++) {
            centre_block(set, (int32_t)b, 0, set->item_count, rewards);
        }
        return;
    }
    for (int64_t i = 0; i < set->item_count;) {
        int64_t start = i;
        while (i < set->item_count && set->item_blocks[i] == set->item_blocks[start]) {
            i++;
        }
        centre_block(set, set->item_blocks[start], start, i, rewards);
    }
}
