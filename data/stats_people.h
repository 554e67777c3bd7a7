/* stats_people.h - who judged, and where the judgements came from: tables by annotator, population
 * and source.
 *
 * Use:      SCOPED(stats_people) struct stats_people people = STATS_PEOPLE_INIT;
 *           TRY(stats_people_load(db, &inputs, &people, err));
 * Rows:     that have no judgement in the set are left out; the most judgements come first.
 * Time:     seconds from one judgement of an annotator to their next, where the log has times;
 *           their median, so that breaks count as one gap each.
 * Owns:     arrays and texts.
 * Threads:  no state.
 */
#ifndef DATA_STATS_PEOPLE_H
#define DATA_STATS_PEOPLE_H

#include "base/arena.h"
#include "base/db.h"
#include "base/error.h"
#include "data/comparison_set.h"
#include "data/stats_agreement.h"
#include "data/stats_bias.h"
#include "data/stats_pairs.h"

#include <stdint.h>

struct stats_annotator {
    int64_t id;
    const char *name;
    const char *population; /* NULL: not known */
    struct stats_part part;
    double agreed, judged; /* with the majority of the others (stats_agreement.h) */
    double seconds_median; /* NaN: not known */
};

#define STATS_POPULATIONS_JUDGED 64

struct stats_population {
    const char *name;
    int64_t annotators;
    struct stats_part part;
    struct stats_agreement agreement; /* among themselves; NaN beyond the largest so many */
};

struct stats_source {
    int64_t id;
    const char *path, *format;
    int64_t rows, rejected; /* of the file */
    struct stats_part part;
};

struct stats_people {
    struct arena texts;
    struct stats_annotator *annotators;
    struct stats_population *populations;
    struct stats_source *sources; /* empty for comparisons made from ratings */
    int64_t annotator_count, population_count, source_count;
};

#define STATS_PEOPLE_INIT \
    { .texts = ARENA_INIT(1 * GIB), .annotator_count = 0 }

/* Bootstraps use streams from STATS_PEOPLE_STREAM on. */
#define STATS_PEOPLE_STREAM 1000

struct stats_people_inputs {
    const struct comparison_set *set;
    const struct stats_pairs *pairs; /* of it */
    const int64_t *lengths;          /* [I] as for stats_bias_of */
    uint64_t seed;
};

ERR_NODISCARD enum err_code stats_people_load(struct db *db,
                                              const struct stats_people_inputs *inputs,
                                              struct stats_people *out_people, struct error *err);
void stats_people_deinit(struct stats_people *people);

static inline void stats_people_scoped_end(struct stats_people *people) {
    stats_people_deinit(people);
}

#endif
