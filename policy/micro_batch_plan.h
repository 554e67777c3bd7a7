/* micro_batch_plan.h - which units of work go through a model together: as many, in order, as fit.
 *
 * Use:      const struct micro_batch_plan plan = {
 *               .count = 8, .tokens_max = 2048, .tokens_of = tokens_of, .context = texts};
 *           for (int64_t first = 0, last = 0; first < plan.count; first = last) {
 *               last = micro_batch_end(&plan, first);
 *               ... units first .. last - 1: texts, or all answers of an example ...
 *           }
 * Threads:  no state.
 */
#ifndef POLICY_MICRO_BATCH_PLAN_H
#define POLICY_MICRO_BATCH_PLAN_H

#include <stdint.h>

struct micro_batch_plan {
    int64_t count;      /* units */
    int64_t tokens_max; /* of a micro-batch; a longer unit goes alone */
    /* What a unit adds, >= 0, to the micro-batch that begins with unit `first`: behind others it
     * may share what they have brought along. */
    int64_t (*tokens_of)(const void *context, int64_t unit, int64_t first);
    const void *context;
};

/* The first unit that is not in the micro-batch that begins with unit `first`, in [0, count). */
int64_t micro_batch_end(const struct micro_batch_plan *plan, int64_t first);

/* Tokens of the largest micro-batch; 0 without units. */
int64_t micro_batch_most(const struct micro_batch_plan *plan);

#endif
