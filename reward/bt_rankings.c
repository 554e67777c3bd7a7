/* bt_rankings.c - see bt_rankings.h. */
#include "reward/bt_rankings.h"

#include "base/mem.h"
#include "base/scoped.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct bt_runner {
    double arrival; /* its logarithm */
    int64_t member; /* place in the comparison */
};

static int64_t length_of(const struct comparison_set *set, int64_t c) {
    return set->starts[c + 1] - set->starts[c];
}

static int64_t pairs_of(const struct comparison_set *set, int64_t c) {
    int64_t k = length_of(set, c);
    return k * (k - 1) / 2;
}

static int64_t repeats_of(const struct comparison_set *set, int64_t c) {
    return (int64_t)nearbyint(set->weights[c]);
}

/* ---- which ---- */

/* In an order drawn by the seed, as long as there is room; then in the order of the set. */
static int compare_numbers(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static enum err_code choose(struct bt_rankings *r, int64_t pairs_max, uint64_t seed,
                            struct error *err) {
    const struct comparison_set *set = r->set;
    double total = 0.0;
    r->chosen = mem_array((size_t)set->count, sizeof *r->chosen);
    if (!r->chosen) {
        return err_oom(err, "rankings");
    }
    for (int64_t c = 0; c < set->count; c++) {
        r->chosen[c] = c;
        total += (double)pairs_of(set, c) * set->weights[c];
    }
    r->count = set->count;
    if (total > (double)pairs_max) {
        struct rng rng = rng_stream(seed, RNG_STATS, 3, 0);
        rng_shuffle(&rng, r->chosen, set->count);
        double taken = 0.0;
        r->count = 0;
        for (int64_t k = 0; k < set->count; k++) {
            int64_t c = r->chosen[k];
            double pairs = (double)pairs_of(set, c) * set->weights[c];
            if (taken + pairs <= (double)pairs_max) {
                taken += pairs;
                r->chosen[r->count++] = c;
            }
        }
        qsort(r->chosen, (size_t)r->count, sizeof *r->chosen, compare_numbers);
    }
    r->used = (double)r->count / (double)set->count;
    return ERR_OK;
}

enum err_code bt_rankings_init(struct bt_rankings *rankings, const struct comparison_set *set,
                               int64_t pairs_max, uint64_t seed, struct error *err) {
    SCOPED(bt_rankings) struct bt_rankings r = {.set = set};
    TRY(choose(&r, pairs_max, seed, err));
    int64_t longest = 0;
    for (int64_t k = 0; k < r.count; k++) {
        int64_t c = r.chosen[k];
        longest = length_of(set, c) > longest ? length_of(set, c) : longest;
        r.slots += pairs_of(set, c);
        r.pair_count += pairs_of(set, c) * repeats_of(set, c);
    }
    r.cell_of = mem_array((size_t)r.slots, sizeof *r.cell_of);
    r.runners = mem_array((size_t)longest, sizeof *r.runners);
    r.ranks = mem_array((size_t)longest, sizeof *r.ranks);
    if (!r.cell_of || !r.runners || !r.ranks) {
        return err_oom(err, "rankings");
    }
    *rankings = r;
    r = (struct bt_rankings)BT_RANKINGS_INIT;
    return ERR_OK;
}

void bt_rankings_deinit(struct bt_rankings *rankings) {
    mem_free(rankings->chosen);
    mem_free(rankings->cell_of);
    mem_free(rankings->runners);
    mem_free(rankings->ranks);
    *rankings = (struct bt_rankings)BT_RANKINGS_INIT;
}

/* ---- cells ---- */

/* A pair of items where some ranking holds it. */
struct place {
    int32_t low, high;
    int64_t slot;
};

static int compare_places(const void *left, const void *right) {
    const struct place *a = left;
    const struct place *b = right;
    int by_low = (a->low > b->low) - (a->low < b->low);
    return by_low != 0 ? by_low : (a->high > b->high) - (a->high < b->high);
}

static void list_places(const struct bt_rankings *r, struct place *places) {
    const struct comparison_set *set = r->set;
    int64_t slot = 0;
    for (int64_t k = 0; k < r->count; k++) {
        int64_t begin = set->starts[r->chosen[k]];
        int64_t length = length_of(set, r->chosen[k]);
        for (int64_t pair = 0, a = 0, b = 1; pair < pairs_of(set, r->chosen[k]); pair++) {
            int32_t one = set->items[begin + a];
            int32_t two = set->items[begin + b];
            places[slot] = (struct place){
                .low = one < two ? one : two, .high = one < two ? two : one, .slot = slot};
            slot++;
            b++;
            a = b == length ? a + 1 : a;
            b = b == length ? a + 1 : b;
        }
    }
}

/* Numbers equal pairs alike; returns how many there are. */
static int64_t number_cells(struct bt_rankings *r, const struct place *places) {
    int64_t count = 0;
    for (int64_t p = 0; p < r->slots; p++) {
        count += p == 0 || compare_places(&places[p - 1], &places[p]) != 0;
        r->cell_of[places[p].slot] = (int32_t)(count - 1);
    }
    return count;
}

/* Adds to the cells what one ranking says. `slot` is that of its first pair, ranks [k] by member.
 */
static void add_ranking(const struct bt_rankings *r, int64_t c, int64_t slot, const int32_t *ranks,
                        double weight, struct bt_cells *cells) {
    const struct comparison_set *set = r->set;
    int64_t length = length_of(set, c);
    const int32_t *items = set->items + set->starts[c];
    for (int64_t a = 0; a < length; a++) {
        for (int64_t b = a + 1; b < length; b++, slot++) {
            if (ranks[a] == ranks[b]) {
                continue; /* a tie, or not looked into */
            }
            int32_t cell = r->cell_of[slot];
            bool i_wins = (ranks[a] < ranks[b]) == (items[a] == cells->i[cell]);
            cells->wins[cell] += i_wins ? weight : 0.0;
            cells->losses[cell] += i_wins ? 0.0 : weight;
        }
    }
}

enum err_code bt_rankings_cells(struct bt_rankings *r, struct bt_cells *out_cells,
                                struct error *err) {
    SCOPED(mem) struct place *places = mem_array((size_t)r->slots, sizeof *places);
    if (!places) {
        return err_oom(err, "pairs of rankings");
    }
    list_places(r, places);
    qsort(places, (size_t)r->slots, sizeof *places, compare_places);
    int64_t count = number_cells(r, places);
    SCOPED(bt_cells) struct bt_cells cells = BT_CELLS_INIT;
    TRY(bt_cells_init(&cells, r->set->item_count, count, err));
    for (int64_t p = 0; p < r->slots; p++) {
        int32_t cell = r->cell_of[places[p].slot];
        cells.i[cell] = places[p].low;
        cells.j[cell] = places[p].high;
    }
    int64_t slot = 0;
    for (int64_t k = 0; k < r->count; k++) {
        int64_t c = r->chosen[k];
        add_ranking(r, c, slot, r->set->ranks + r->set->starts[c], (double)repeats_of(r->set, c),
                    &cells);
        slot += pairs_of(r->set, c);
    }
    TRY(bt_cells_prepare(&cells, err));
    *out_cells = cells;
    cells = (struct bt_cells)BT_CELLS_INIT;
    return ERR_OK;
}

/* ---- simulation ---- */

static int compare_runners(const void *left, const void *right) {
    const struct bt_runner *a = left;
    const struct bt_runner *b = right;
    return (a->arrival > b->arrival) - (a->arrival < b->arrival);
}

/* Short races are sorted by insertion: most are. */
static void sort_runners(struct bt_runner *runners, int64_t count) {
    if (count > 32) {
        qsort(runners, (size_t)count, sizeof *runners, compare_runners);
        return;
    }
    for (int64_t k = 1; k < count; k++) {
        struct bt_runner runner = runners[k];
        int64_t at = k;
        for (; at > 0 && compare_runners(&runners[at - 1], &runner) > 0; at--) {
            runners[at] = runners[at - 1];
        }
        runners[at] = runner;
    }
}

/* Ranks of one simulated ranking: what is tied stays with the place. */
static void race(struct bt_rankings *r, int64_t c, const double *x, struct rng *rng) {
    const struct comparison_set *set = r->set;
    int64_t begin = set->starts[c];
    int64_t length = length_of(set, c);
    for (int64_t m = 0; m < length; m++) {
        double arrival = log(-log(rng_uniform_open(rng))) - x[set->items[begin + m]];
        r->runners[m] = (struct bt_runner){.arrival = arrival, .member = m};
    }
    sort_runners(r->runners, length);
    for (int64_t m = 0; m < length; m++) {
        r->ranks[r->runners[m].member] = set->ranks[begin + m];
    }
}

void bt_rankings_simulate(struct bt_rankings *r, const double *x, struct rng *rng,
                          struct bt_cells *cells) {
    memset(cells->wins, 0, (size_t)cells->count * sizeof *cells->wins);
    memset(cells->losses, 0, (size_t)cells->count * sizeof *cells->losses);
    int64_t slot = 0;
    for (int64_t k = 0; k < r->count; k++) {
        int64_t c = r->chosen[k];
        for (int64_t repeat = 0; repeat < repeats_of(r->set, c); repeat++) {
            race(r, c, x, rng);
            add_ranking(r, c, slot, r->ranks, 1.0, cells);
        }
        slot += pairs_of(r->set, c);
    }
}
