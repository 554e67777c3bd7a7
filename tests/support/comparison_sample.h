/* comparison_sample.h - sets of comparisons made by hand, for tests of what reads them.
 *
 * Use:      SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
 *           comparison_sample_init(&set, 3);                       // items 0, 1, 2 in one block
 *           comparison_sample_win(&set, 0, 1);                     // 0 was preferred to 1
 *           comparison_sample_tie(&set, 1, 2);
 *           comparison_sample_set_weight(&set, 2.5);               // of the one added last
 *           comparison_sample_add(&set, 3, (int32_t[]){2, 0, 1}, (int32_t[]){1, 2, 2});
 *
 *           comparison_sample_init(&set, 0);
 *           int32_t tea = comparison_sample_item(&set, "tea");     // made when it is new
 *
 * New comparisons have weight 1, no annotator and no positions. Comparisons of several blocks are
 * to be added block by block, as a log would give them. Running out of memory fails the test.
 */
#ifndef TESTS_SUPPORT_COMPARISON_SAMPLE_H
#define TESTS_SUPPORT_COMPARISON_SAMPLE_H

#include "data/comparison_set.h"

#include <stdint.h>

/* An empty set of `item_count` items without names, all in block 0. */
void comparison_sample_init(struct comparison_set *set, int64_t item_count);

/* The item of that name; made, in the last block, when there is none. For sets whose items all come
 * from here. */
int32_t comparison_sample_item(struct comparison_set *set, const char *name);

/* Moves an item into a block, making blocks up to it. */
void comparison_sample_set_block(struct comparison_set *set, int64_t item, int32_t block);

/* `k` items, best first, with their ranks. */
void comparison_sample_add(struct comparison_set *set, int64_t k, const int32_t *items,
                           const int32_t *ranks);
void comparison_sample_win(struct comparison_set *set, int32_t winner, int32_t loser);
void comparison_sample_tie(struct comparison_set *set, int32_t item, int32_t other);

/* What an item was called by itself; for sets of nothing else. */
void comparison_sample_label(struct comparison_set *set, int32_t item, bool is_good);

/* `times` comparisons won by `winner`, as many rows. */
void comparison_sample_wins(struct comparison_set *set, int32_t winner, int32_t loser,
                            int64_t times);

/* Of the comparison added last. `positions` are of its items in their order. */
void comparison_sample_set_weight(struct comparison_set *set, double weight);
void comparison_sample_set_annotator(struct comparison_set *set, int32_t annotator);
void comparison_sample_set_positions(struct comparison_set *set, const int32_t *positions);
void comparison_sample_set_last_unordered(struct comparison_set *set);

#endif
