/* stats.c - see stats.h. */
#include "data/stats.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "data/stats_counts.h"
#include "data/stats_pairs.h"

/* Streams of the bootstraps; those of populations begin at STATS_PEOPLE_STREAM. */
#define STREAM_AGREEMENT 1

static void count(const struct comparison_set *set, struct stats *stats) {
    stats->comparisons = set->count;
    stats->prompts = set->block_count;
    stats->items = set->item_count;
    stats->identical = set->identical;
    for (int64_t c = 0; c < set->count; c++) {
        stats->rankings += set->starts[c + 1] - set->starts[c] > 2;
        stats->weight += set->weights[c];
    }
}

enum err_code stats_load(struct db *db, const struct comparison_set *set, uint64_t seed,
                         struct stats *out_stats, struct error *err) {
    SCOPED(stats) struct stats stats = STATS_INIT;
    SCOPED(stats_pairs) struct stats_pairs pairs = STATS_PAIRS_INIT;
    SCOPED(mem) int64_t *lengths = mem_array((size_t)set->item_count, sizeof *lengths);
    if (!lengths) {
        return err_oom(err, "lengths");
    }
    count(set, &stats);
    TRY(stats_pairs_init(&pairs, set, seed, err));
    stats.item_cap = pairs.item_cap;
    stats.capped = pairs.capped;
    TRY(stats_lengths_load(db, set, lengths, err));
    TRY(stats_bias_of(set, &pairs, lengths, &stats.bias, err));
    const struct stats_agreement_options options = {.seed = seed, .stream = STREAM_AGREEMENT};
    TRY(stats_agreement_of_pairs(set, &pairs, &options, &stats.agreement, err));
    TRY(stats_transitivity_of(set, &pairs, seed, &stats.transitivity, err));
    const struct stats_people_inputs inputs = {
        .set = set, .pairs = &pairs, .lengths = lengths, .seed = seed};
    TRY(stats_people_load(db, &inputs, &stats.people, err));
    *out_stats = stats;
    stats = (struct stats)STATS_INIT;
    return ERR_OK;
}

void stats_deinit(struct stats *stats) {
    stats_people_deinit(&stats->people);
    *stats = (struct stats)STATS_INIT;
}
