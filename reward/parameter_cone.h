/* parameter_cone.h - whether a position effect and a tie parameter have finite estimates.
 *
 * Use:      TRY(parameter_cone_check(&table, &options, err));
 * Method:   tabular_estimable.h has the theory. All arithmetic is on whole numbers.
 * Cost:     a few passes over the cells where the data are many; at worst, on sparse and nearly
 *           acyclic data, items times cells.
 * Threads:  no state.
 */
#ifndef REWARD_PARAMETER_CONE_H
#define REWARD_PARAMETER_CONE_H

#include "base/error.h"
#include "reward/pair_table.h"
#include "reward/tabular_fit.h"

/* Of rewards that have an estimate given the parameters.
 *   fails  ERR_DATA, saying which parameter and why; ERR_INTERRUPTED; ERR_OOM */
ERR_NODISCARD enum err_code parameter_cone_check(const struct pair_table *table,
                                                 const struct tabular_options *options,
                                                 struct error *err);

#endif
