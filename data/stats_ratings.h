/* stats_ratings.h - statistics of ratings and of labels.
 *
 * Use:      struct stats_ratings ratings;
 *           TRY(stats_ratings_load(db, &(struct stats_ratings_options){.aspect = "harm"}, &ratings,
 *                                  err));
 * Values:   a label is a rating of 1 (good) or 0. Numbers and means count each row once; agreement
 *           takes the last rating that a named annotator gave a response.
 * Threads:  no state.
 */
#ifndef DATA_STATS_RATINGS_H
#define DATA_STATS_RATINGS_H

#include "base/db.h"
#include "base/error.h"
#include "data/split.h"
#include "data/stats_agreement.h"
#include "data/stats_rate.h"

#include <stdbool.h>
#include <stdint.h>

#define STATS_LEVELS_MAX 16

struct stats_ratings_options {
    bool labels;            /* else ratings */
    const char *aspect;     /* NULL: rows that name none */
    const char *population; /* NULL: everybody */
    bool one_split;
    enum split split;
    uint64_t seed;
    int64_t stream; /* of the bootstraps */
};

struct stats_level {
    double value;
    int64_t count;
};

struct stats_ratings {
    int64_t count;     /* rows */
    int64_t responses; /* that have some */
    double mean, sd, least, greatest;
    int64_t level_count; /* distinct values, ascending; 0 if more than STATS_LEVELS_MAX */
    struct stats_level levels[STATS_LEVELS_MAX];
    struct stats_rate good; /* labels only */
    struct stats_reliability reliability;
};

ERR_NODISCARD enum err_code stats_ratings_load(struct db *db,
                                               const struct stats_ratings_options *options,
                                               struct stats_ratings *out_ratings,
                                               struct error *err);

#endif
