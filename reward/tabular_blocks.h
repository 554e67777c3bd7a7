/* tabular_blocks.h - items by block: what of a matrix or a vector of rewards is common to a block.
 *
 * Use:      SCOPED(tabular_blocks) struct tabular_blocks blocks = TABULAR_BLOCKS_INIT;
 *           TRY(tabular_blocks_init(&blocks, &set, err));
 *           blocks.shares[b] = ...;
 *           tabular_blocks_add(&blocks, &set, 1.0, matrix);
 * Owns:     its arrays.
 * Threads:  no state.
 */
#ifndef REWARD_TABULAR_BLOCKS_H
#define REWARD_TABULAR_BLOCKS_H

#include "base/error.h"
#include "data/comparison_set.h"

#include <stdint.h>

struct tabular_blocks {
    double *sizes;  /* [B] items */
    double *shares; /* [B] zero at first: a number for each entry of the block's square */
};

#define TABULAR_BLOCKS_INIT \
    { .sizes = NULL }

ERR_NODISCARD enum err_code tabular_blocks_init(struct tabular_blocks *blocks,
                                                const struct comparison_set *set,
                                                struct error *err);
void tabular_blocks_deinit(struct tabular_blocks *blocks);

/* Blocks that have items. */
int64_t tabular_blocks_used(const struct tabular_blocks *blocks, const struct comparison_set *set);

/* Adds `factor` times its block's share to each entry of a lower triangle by rows whose two items
 * are of one block. */
void tabular_blocks_add(const struct tabular_blocks *blocks, const struct comparison_set *set,
                        double factor, double *io_triangle);

static inline void tabular_blocks_scoped_end(struct tabular_blocks *blocks) {
    tabular_blocks_deinit(blocks);
}

#endif
