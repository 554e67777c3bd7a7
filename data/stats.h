/* stats.h - everything that statistics say about one set of comparisons.
 *
 * Use:      SCOPED(stats) struct stats stats = STATS_INIT;
 *           TRY(stats_load(db, &set, seed, &stats, err));
 * Parts:    ties, order shown and length (stats_bias.h), agreement (stats_agreement.h), whether
 *           there is an order (stats_transitivity.h), annotators, populations and sources
 *           (stats_people.h). How well Bradley-Terry fits is reward/bt_test.h's, since this folder
 *           knows no models.
 * Random:   bootstraps and samples follow from the seed alone.
 * Owns:     the tables of people.
 * Threads:  no state.
 */
#ifndef DATA_STATS_H
#define DATA_STATS_H

#include "base/db.h"
#include "base/error.h"
#include "data/comparison_set.h"
#include "data/stats_agreement.h"
#include "data/stats_bias.h"
#include "data/stats_people.h"
#include "data/stats_transitivity.h"

#include <stdint.h>

struct stats {
    int64_t comparisons, rankings; /* rankings: of more than two */
    int64_t prompts, items;
    double weight;            /* sum over comparisons: judgements */
    int64_t identical;        /* comparisons left out since they hold one item twice */
    int64_t item_cap, capped; /* long rankings, see stats_pairs.h */
    struct stats_bias bias;
    struct stats_agreement agreement;
    struct stats_transitivity transitivity;
    struct stats_people people;
};

#define STATS_INIT \
    { .people = STATS_PEOPLE_INIT }

ERR_NODISCARD enum err_code stats_load(struct db *db, const struct comparison_set *set,
                                       uint64_t seed, struct stats *out_stats, struct error *err);
void stats_deinit(struct stats *stats);

static inline void stats_scoped_end(struct stats *stats) {
    stats_deinit(stats);
}

#endif
