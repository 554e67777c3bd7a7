/* bt_rankings.h - rankings as cells of pairs, and simulated from Plackett-Luce as such.
 *
 * Use:      SCOPED(bt_rankings) struct bt_rankings rankings = BT_RANKINGS_INIT;
 *           TRY(bt_rankings_init(&rankings, &set, pairs_max, seed, err));
 *           TRY(bt_rankings_cells(&rankings, &cells, err));
 *           bt_rankings_simulate(&rankings, x, &rng, &cells);
 * Weights:  a ranking of weight w is w rankings of the same items.
 * Order:    Plackett-Luce by an exponential race: item i arrives at -log(u) / e^r_i, u uniform, and
 *           the first comes first.
 * Owns:     its arrays; the set is borrowed.
 * Threads:  one.
 */
#ifndef REWARD_BT_RANKINGS_H
#define REWARD_BT_RANKINGS_H

#include "base/error.h"
#include "base/rng.h"
#include "data/comparison_set.h"
#include "reward/bt_cells.h"

#include <stdint.h>

struct bt_runner; /* an item in one race */

struct bt_rankings {
    const struct comparison_set *set;
    int64_t *chosen; /* [count] comparisons that are used */
    int64_t count;
    double used;               /* share of the comparisons */
    int64_t pair_count;        /* of the used ones, repeats by weight included */
    int32_t *cell_of;          /* cell of each pair of each used ranking, repeats not included */
    int64_t slots;             /* of cell_of */
    struct bt_runner *runners; /* [longest] scratch */
    int32_t *ranks;            /* [longest] scratch */
};

#define BT_RANKINGS_INIT \
    { .set = NULL }

/* Uses all comparisons, or, beyond `pairs_max` pairs, those drawn by a keyed generator; none if
 * even the shortest is longer. */
ERR_NODISCARD enum err_code bt_rankings_init(struct bt_rankings *rankings,
                                             const struct comparison_set *set, int64_t pairs_max,
                                             uint64_t seed, struct error *err);
void bt_rankings_deinit(struct bt_rankings *rankings);

/* Makes cells, prepared, with the counts as observed: one for each two items that some ranking
 * holds, whether it orders them or not. */
ERR_NODISCARD enum err_code bt_rankings_cells(struct bt_rankings *rankings,
                                              struct bt_cells *out_cells, struct error *err);

/* Replaces the counts by those of simulated rankings. */
void bt_rankings_simulate(struct bt_rankings *rankings, const double *x, struct rng *rng,
                          struct bt_cells *cells);

static inline void bt_rankings_scoped_end(struct bt_rankings *rankings) {
    bt_rankings_deinit(rankings);
}

#endif
