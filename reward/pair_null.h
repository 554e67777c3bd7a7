/* pair_null.h - a table of pairs under equal rewards, and under no model at all.
 *
 * Use:      double null = 0.0;
 *           TRY(pair_null_log_likelihood(&table, &options, &null, err));
 *           double best = pair_saturated_log_likelihood(&table);
 * Threads:  no state.
 */
#ifndef REWARD_PAIR_NULL_H
#define REWARD_PAIR_NULL_H

#include "base/error.h"
#include "reward/pair_table.h"
#include "reward/tabular_fit.h"

/* In nats, with all rewards equal and the other parameters fitted. These must have an estimate
 * (tabular_estimable.h). */
ERR_NODISCARD enum err_code pair_null_log_likelihood(const struct pair_table *table,
                                                     const struct tabular_options *options,
                                                     double *out_log_likelihood, struct error *err);

/* Of each cell at its own shares of wins, losses and ties. */
double pair_saturated_log_likelihood(const struct pair_table *table);

/* log of the number of orders in which the counts of the cells can have come about: n! / (wins!
 * losses! ties!) of each. Statistics programs add it to the log-likelihood of tables. NaN where a
 * weight is not a whole number, and so none counts anything. */
double pair_orders_log(const struct pair_table *table);

#endif
