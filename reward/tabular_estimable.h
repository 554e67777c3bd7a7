/* tabular_estimable.h - whether a pair model has an estimate, and if not, what is missing.
 *
 * Use:      TRY(tabular_check_pairs(&set, &table, &options, err));
 * Theory:   the log-likelihoods are concave, so an estimate fails to exist exactly where there is a
 *           direction along which none of the observed outcomes ever becomes less likely. Of the
 *           rewards alone there is one unless every item was beaten by or tied with others in such
 *           a way that each can be reached from each (Ford 1957). With a position effect a or a tie
 *           parameter e, a direction (d, a, e) needs
 *               d_i - d_j + a s >= e        for each win of i over j shown s,
 *               |d_i - d_j + a s| <= e      for each tie:
 *           differences with bounds, which can be met for given (a, e) exactly where no cycle of
 *           items has bounds of negative sum (Bellman and Ford). Each such cycle excludes a half
 *           plane of (a, e); the cone that is left shrinks until it is empty or met. Under a prior
 *           on rewards the same holds with d = 0.
 *           For Firth's estimate, which is finite, the data only have to tell the variables apart:
 *           the same conditions with every comparison won both ways.
 * Threads:  no state.
 */
#ifndef REWARD_TABULAR_ESTIMABLE_H
#define REWARD_TABULAR_ESTIMABLE_H

#include "base/error.h"
#include "data/comparison_set.h"
#include "reward/pair_table.h"
#include "reward/tabular_fit.h"

/* ERR_DATA where there is no estimate, naming items and the remedy. */
ERR_NODISCARD enum err_code tabular_check_pairs(const struct comparison_set *set,
                                                const struct pair_table *table,
                                                const struct tabular_options *options,
                                                struct error *err);

#endif
