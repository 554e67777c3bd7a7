/* stats_pairs.c - see stats_pairs.h. */
#include "data/stats_pairs.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/scoped.h"

#include <inttypes.h>
#include <string.h>

#define DIGIT_BITS 11
#define DIGITS     (1 << DIGIT_BITS)

/* ---- how many ---- */

static int64_t pairs_of(int64_t k) {
    return k * (k - 1) / 2;
}

/* Pairs when no ranking enters with more than `cap` items; those of the last rank are counted too
 * where they were not compared. */
static int64_t count_pairs(const struct comparison_set *set, int64_t cap) {
    int64_t count = 0;
    for (int64_t c = 0; c < set->count; c++) {
        int64_t k = set->starts[c + 1] - set->starts[c];
        count += pairs_of(k < cap ? k : cap);
    }
    return count;
}

static int64_t longest(const struct comparison_set *set) {
    int64_t most = 0;
    for (int64_t c = 0; c < set->count; c++) {
        int64_t k = set->starts[c + 1] - set->starts[c];
        most = k > most ? k : most;
    }
    return most;
}

/* The largest cap, by halving, that keeps within the limit. */
static int64_t choose_cap(const struct comparison_set *set) {
    int64_t most = longest(set);
    if (count_pairs(set, most) <= STATS_PAIRS_MAX) {
        return most;
    }
    int64_t fits = 2; /* or there are so many comparisons: then one pair each */
    int64_t not_fits = most;
    while (not_fits - fits > 1) {
        int64_t middle = fits + (not_fits - fits) / 2;
        if (count_pairs(set, middle) <= STATS_PAIRS_MAX) {
            fits = middle;
        } else {
            not_fits = middle;
        }
    }
    return fits;
}

/* ---- gathering ---- */

struct gathering {
    const struct comparison_set *set;
    struct stats_pairs *pairs;
    int64_t *chosen; /* members of the comparison at hand that enter */
    uint64_t seed;
};

/* All members, or `item_cap` of them by selection sampling (Knuth, algorithm S), in order. */
static int64_t choose_members(struct gathering *g, int64_t c) {
    const struct comparison_set *set = g->set;
    int64_t left = set->starts[c + 1] - set->starts[c];
    int64_t wanted = left;
    struct rng rng = {.words_used = 0};
    if (g->pairs->item_cap > 0 && left > g->pairs->item_cap) {
        wanted = g->pairs->item_cap;
        rng = rng_stream(g->seed, RNG_STATS, 0, c);
        g->pairs->capped++;
    }
    int64_t count = 0;
    for (int64_t m = set->starts[c]; count < wanted; m++, left--) {
        if (wanted - count == left || rng_below(&rng, left) < wanted - count) {
            g->chosen[count++] = m;
        }
    }
    return count;
}

static struct stats_pair pair_of(const struct comparison_set *set, int64_t c, int64_t a,
                                 int64_t b) {
    bool swap = set->items[a] > set->items[b];
    int64_t low = swap ? b : a;
    int64_t high = swap ? a : b;
    int32_t low_at = set->positions[low];
    int32_t high_at = set->positions[high];
    bool known = low_at > 0 && high_at > 0;
    return (struct stats_pair){
        .low = set->items[low],
        .high = set->items[high],
        .comparison = (int32_t)c,
        .outcome =
            (int8_t)((set->ranks[low] < set->ranks[high]) - (set->ranks[low] > set->ranks[high])),
        .first = (int8_t)(known ? (low_at < high_at) - (low_at > high_at) : 0),
    };
}

static void gather_comparison(struct gathering *g, int64_t c) {
    struct stats_pairs *pairs = g->pairs;
    int64_t count = choose_members(g, c);
    for (int64_t a = 0; a < count; a++) {
        for (int64_t b = a + 1; b < count; b++) {
            if (stats_pairs_compared(g->set, c, g->chosen[a], g->chosen[b])) {
                pairs->pairs[pairs->count++] = pair_of(g->set, c, g->chosen[a], g->chosen[b]);
            }
        }
    }
}

/* ---- sorting ---- */

static int32_t item_at(const struct stats_pair *pair, bool by_low) {
    return by_low ? pair->low : pair->high;
}

/* One pass of a stable radix sort; false if all have the same digit, and nothing moved. */
static bool sort_by_digit(const struct stats_pair *from, struct stats_pair *to, int64_t count,
                          bool by_low, int shift) {
    int64_t ends[DIGITS] = {0};
    for (int64_t i = 0; i < count; i++) {
        ends[(item_at(&from[i], by_low) >> shift) & (DIGITS - 1)]++;
    }
    if (ends[(item_at(&from[0], by_low) >> shift) & (DIGITS - 1)] == count) {
        return false;
    }
    int64_t begin = 0;
    for (int d = 0; d < DIGITS; d++) {
        int64_t digit_count = ends[d];
        ends[d] = begin;
        begin += digit_count;
    }
    for (int64_t i = 0; i < count; i++) {
        to[ends[(item_at(&from[i], by_low) >> shift) & (DIGITS - 1)]++] = from[i];
    }
    return true;
}

/* By low and then high; comparisons are in order already. */
static enum err_code sort_pairs(struct stats_pairs *pairs, struct error *err) {
    SCOPED(mem)
    struct stats_pair *other = mem_array((size_t)pairs->count, sizeof *other);
    if (!other) {
        return err_oom(err, "sorting of judgements");
    }
    for (int pass = 0; pairs->count > 0 && pass < 6; pass++) {
        if (sort_by_digit(pairs->pairs, other, pairs->count, pass >= 3, pass % 3 * DIGIT_BITS)) {
            struct stats_pair *sorted = other;
            other = pairs->pairs;
            pairs->pairs = sorted;
        }
    }
    return ERR_OK;
}

enum err_code stats_pairs_init(struct stats_pairs *pairs, const struct comparison_set *set,
                               uint64_t seed, struct error *err) {
    if (set->count > INT32_MAX) {
        return err_set(err, ERR_LIMIT, "%" PRId64 " comparisons, limit %" PRId32, set->count,
                       INT32_MAX);
    }
    SCOPED(stats_pairs) struct stats_pairs made = STATS_PAIRS_INIT;
    int64_t most = longest(set);
    int64_t cap = choose_cap(set);
    made.item_cap = cap < most ? cap : 0;
    made.pairs = mem_array((size_t)count_pairs(set, cap), sizeof *made.pairs);
    SCOPED(mem) int64_t *chosen = mem_array((size_t)most, sizeof *chosen);
    if (!made.pairs || !chosen) {
        return err_oom(err, "judgements on pairs");
    }
    struct gathering g = {.set = set, .pairs = &made, .chosen = chosen, .seed = seed};
    for (int64_t c = 0; c < set->count; c++) {
        gather_comparison(&g, c);
    }
    TRY(sort_pairs(&made, err));
    *pairs = made;
    made = (struct stats_pairs)STATS_PAIRS_INIT;
    return ERR_OK;
}

void stats_pairs_deinit(struct stats_pairs *pairs) {
    mem_free(pairs->pairs);
    *pairs = (struct stats_pairs)STATS_PAIRS_INIT;
}
