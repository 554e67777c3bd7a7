/* policy_table.h - the measures of several policies on the same prompts: means, intervals, and
 * differences from the first.
 *
 * Use:      SCOPED(policy_table) struct policy_table table = POLICY_TABLE_INIT;
 *           TRY(policy_table_init(&table, names, policies, prompts, err));
 *           policy_table_row(&table, policy, prompt)[POLICY_MEASURE_REWARD] = 1.25;
 *           TRY(policy_table_summarise(&table, seed, err));
 *           policy_table_print(&table, &text);
 * Interval: 95 %, by resampling prompts; differences are paired: of the same prompts.
 * Owns:     its numbers (policy_table_deinit); the names are borrowed.
 * Threads:  no state.
 */
#ifndef TRAINER_POLICY_TABLE_H
#define TRAINER_POLICY_TABLE_H

#include "base/strbuf.h"
#include "reward/cluster_bootstrap.h"
#include "trainer/policy_measures.h"

struct policy_estimate {
    double mean; /* NaN: not measured */
    struct cluster_interval interval;
};

struct policy_summary {
    struct policy_estimate measures[POLICY_MEASURE_COUNT];
    struct policy_estimate differences[POLICY_MEASURE_COUNT]; /* from the first policy */
};

struct policy_table {
    const char *const *names; /* [policies] */
    int64_t policies, prompts;
    double *values; /* [policies, prompts, POLICY_MEASURE_COUNT]; NaN to begin with */
    struct policy_summary *summaries; /* [policies] */
};

#define POLICY_TABLE_INIT \
    { .values = NULL }

ERR_NODISCARD enum err_code policy_table_init(struct policy_table *table, const char *const *names,
                                              int64_t policies, int64_t prompts, struct error *err);
void policy_table_deinit(struct policy_table *table);

/* The measures of a policy on a prompt, to be written. */
double *policy_table_row(struct policy_table *table, int64_t policy, int64_t prompt);

/* fails    as cluster_sums_resample */
ERR_NODISCARD enum err_code policy_table_summarise(struct policy_table *table, uint64_t seed,
                                                   struct error *err);

void policy_table_print(const struct policy_table *table, struct strbuf *out);
ERR_NODISCARD enum err_code policy_table_json(const struct policy_table *table, struct strbuf *out,
                                              struct error *err);

static inline void policy_table_scoped_end(struct policy_table *table) {
    policy_table_deinit(table);
}

#endif
