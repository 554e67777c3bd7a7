/* pair_table.h - comparisons counted: for each two items, and each way they were shown, how much
 * weight one, the other or neither won.
 *
 * Use:      SCOPED(pair_table) struct pair_table table = PAIR_TABLE_INIT;
 *           TRY(pair_table_build(&set, PAIR_TIES_KEEP, &table, err));
 *           for (int64_t i = 0; i < table.item_count; i++) {
 *               for (int64_t c = table.starts[i]; c < table.starts[i + 1]; c++) {
 *                   use(i, table.others[c], table.wins[c]);
 *               }
 *           }
 * Cells:    are sorted by item i, then by other item j > i, then by side; none is empty. What was
 *           not compared has no cell, so memory goes with the data and not with I squared.
 * Rankings: of k > 2 are read as all their pairs, each with the weight of the ranking, but for
 *           pairs within a last rank that was not ordered.
 * Cost:     O(comparisons + items), by counting sorts. Sums are taken in the order of the set.
 * Legend:   C cells, I items.
 * Owns:     its arrays (pair_table_deinit).
 * Threads:  read-only once built.
 */
#ifndef REWARD_PAIR_TABLE_H
#define REWARD_PAIR_TABLE_H

#include "base/error.h"
#include "data/comparison_set.h"

#include <stdint.h>

enum pair_ties {
    PAIR_TIES_KEEP,
    PAIR_TIES_HALF, /* half of its weight is a win of either */
    PAIR_TIES_DROP,
};

struct pair_table {
    int64_t item_count;
    int64_t count;
    int64_t *starts;  /* [I + 1] cells whose smaller item is i */
    int32_t *others;  /* [C] the larger item, j */
    int8_t *sides;    /* [C] 1: i was shown first; -1: j was; 0: not known */
    double *wins;     /* [C] weight of comparisons that i won */
    double *losses;   /* [C] that j won */
    double *ties;     /* [C] all zero unless ties are kept */
    double weight;    /* of all pairs in the table */
    int64_t pairs;    /* as many */
    int64_t tied;     /* pairs that were tied, whatever has become of them */
    int64_t rankings; /* comparisons of k > 2 */
};

#define PAIR_TABLE_INIT \
    { .item_count = 0 }

/* `out_table` is owned (pair_table_deinit).
 *   fails  ERR_DATA for a weight that is not positive and finite; ERR_OOM */
ERR_NODISCARD enum err_code pair_table_build(const struct comparison_set *set, enum pair_ties ties,
                                             struct pair_table *out_table, struct error *err);

/* The same counts by pairs of items alone: every side is 0. For models that do not look at it. */
ERR_NODISCARD enum err_code pair_table_merge_sides(const struct pair_table *table,
                                                   struct pair_table *out_table, struct error *err);

void pair_table_deinit(struct pair_table *table);

static inline void pair_table_scoped_end(struct pair_table *table) {
    pair_table_deinit(table);
}

#endif
