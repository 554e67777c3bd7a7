/* bt_core.h - the comparisons that others could contradict: what a test of Bradley-Terry is about.
 *
 * Use:      SCOPED(comparison_set) struct comparison_set core = COMPARISON_SET_INIT;
 *           TRY(bt_core_find(&set, &core, err));
 *           const struct comparison_set *tested = core.count > 0 ? &core : &set;
 * Method:   an item that was compared with one other only, and shown in one way, has a reward that
 *           fits this exactly whatever the others have, so the cell adds nothing to G2, and as many
 *           parameters as cells. It is taken away, and then those that it leaves with one other:
 *           what remains is the 2-core of the graph of cells (Seidman 1983). Prompts of two answers
 *           go entirely; items of a ranking of k > 2 stay, as its pairs are circles.
 * Cost:     O(comparisons + items).
 * Threads:  no state.
 */
#ifndef REWARD_BT_CORE_H
#define REWARD_BT_CORE_H

#include "base/error.h"
#include "data/comparison_set.h"

/* `out_core` is owned (comparison_set_deinit), and empty where every comparison stays or none does:
 * the set itself serves then. It has what models read of comparisons, in the order of the set, with
 * its items renumbered in their order; no annotators, blocks or names.
 *   fails  ERR_DATA for a weight that is not positive and finite; ERR_OOM */
ERR_NODISCARD enum err_code bt_core_find(const struct comparison_set *set,
                                         struct comparison_set *out_core, struct error *err);

#endif
