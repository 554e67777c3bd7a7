/* stats_bias.c - see stats_bias.h. */
#include "data/stats_bias.h"

#include "base/mem.h"
#include "base/scoped.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

/* ---- ties ---- */

struct tie_count {
    double strict, tied;
};

/* Of one comparison, by the sizes of its groups of equal rank: exact, however long it is. */
static struct tie_count count_ties(const struct comparison_set *set, int64_t c) {
    double k = (double)(set->starts[c + 1] - set->starts[c]);
    struct tie_count count = {.strict = k * (k - 1.0) / 2.0};
    for (int64_t m = set->starts[c]; m < set->starts[c + 1];) {
        int64_t end = m + 1;
        while (end < set->starts[c + 1] && set->ranks[end] == set->ranks[m]) {
            end++;
        }
        double size = (double)(end - m);
        double together = size * (size - 1.0) / 2.0;
        bool compared = end - m == 1 || stats_pairs_compared(set, c, m, m + 1);
        count.strict -= together;
        count.tied += compared ? together : 0.0;
        m = end;
    }
    return count;
}

static enum err_code find_ties(const struct comparison_set *set, struct stats_bias *bias,
                               struct error *err) {
    SCOPED(stats_tally) struct stats_tally tally = STATS_TALLY_INIT;
    TRY(stats_tally_init(&tally, set->block_count, err));
    for (int64_t c = 0; c < set->count; c++) {
        struct tie_count count = count_ties(set, c);
        double weight = set->weights[c];
        bias->strict += weight * count.strict;
        bias->tied += weight * count.tied;
        stats_tally_add(&tally, set->item_blocks[set->items[set->starts[c]]], weight * count.tied,
                        weight * (count.strict + count.tied));
    }
    bias->ties = stats_tally_rate(&tally);
    return ERR_OK;
}

/* ---- position and length of pairs ---- */

/* What one judgement says; the trials are 0 where it says nothing. */
struct pair_view {
    double first_hit, first_trial;
    double longer_hit, longer_trial;
    int32_t winner, loser; /* -1 in a tie */
};

static struct pair_view view_pair(const struct stats_pair *p, const int64_t *lengths) {
    struct pair_view v = {.winner = -1, .loser = -1};
    if (p->outcome == 0) {
        return v;
    }
    v.winner = p->outcome > 0 ? p->low : p->high;
    v.loser = p->outcome > 0 ? p->high : p->low;
    v.first_trial = p->first != 0;
    v.first_hit = p->first == p->outcome;
    int64_t winner = lengths[v.winner];
    int64_t loser = lengths[v.loser];
    if (winner != STATS_LENGTH_UNKNOWN && loser != STATS_LENGTH_UNKNOWN) {
        v.longer_trial = winner != loser;
        v.longer_hit = winner > loser;
    }
    return v;
}

struct correlation {
    double weight, sum, squares;
};

static void correlation_add(struct correlation *c, double difference, double weight) {
    c->weight += weight;
    c->sum += weight * difference;
    c->squares += weight * difference * difference;
}

static double correlation_value(const struct correlation *c) {
    return c->squares > 0.0 ? c->sum / sqrt(c->weight * c->squares) : (double)NAN;
}

/* Per item, over the strict pairs with both lengths known. */
struct sides {
    double *won, *lost; /* [I] */
};

static void sides_scoped_end(struct sides *s) {
    mem_free(s->won);
    mem_free(s->lost);
}

struct bias_sums {
    struct stats_tally first, longer;
    struct correlation plain, logarithmic;
    struct sides sides;
};

static void bias_sums_scoped_end(struct bias_sums *s) {
    stats_tally_deinit(&s->first);
    stats_tally_deinit(&s->longer);
    sides_scoped_end(&s->sides);
}

static enum err_code bias_sums_init(struct bias_sums *s, const struct comparison_set *set,
                                    struct error *err) {
    TRY(stats_tally_init(&s->first, set->block_count, err));
    TRY(stats_tally_init(&s->longer, set->block_count, err));
    s->sides.won = mem_array_zero((size_t)set->item_count, sizeof *s->sides.won);
    s->sides.lost = mem_array_zero((size_t)set->item_count, sizeof *s->sides.lost);
    return s->sides.won && s->sides.lost ? ERR_OK : err_oom(err, "lengths");
}

static void add_lengths(struct bias_sums *s, struct stats_bias *bias, const struct pair_view *v,
                        const int64_t *lengths, double weight) {
    int64_t winner = lengths[v->winner];
    int64_t loser = lengths[v->loser];
    if (winner == STATS_LENGTH_UNKNOWN || loser == STATS_LENGTH_UNKNOWN) {
        return;
    }
    s->sides.won[v->winner] += weight;
    s->sides.lost[v->loser] += weight;
    bias->equal_length += winner == loser ? weight : 0.0;
    correlation_add(&s->plain, (double)(winner - loser), weight);
    correlation_add(&s->logarithmic, log1p((double)winner) - log1p((double)loser), weight);
}

static void add_pair(struct bias_sums *s, struct stats_bias *bias, const struct stats_pair *p,
                     const struct comparison_set *set, const int64_t *lengths) {
    double weight = set->weights[p->comparison];
    int32_t block = set->item_blocks[p->low];
    struct pair_view v = view_pair(p, lengths);
    stats_tally_add(&s->first, block, weight * v.first_hit, weight * v.first_trial);
    stats_tally_add(&s->longer, block, weight * v.longer_hit, weight * v.longer_trial);
    if (p->outcome == 0) {
        bias->first_tied += p->first != 0 ? weight : 0.0;
    } else {
        add_lengths(s, bias, &v, lengths, weight);
    }
}

/* ---- lengths ---- */

int64_t stats_length_bin_begin(int64_t bin) {
    static const int64_t steps[] = {1, 2, 5};
    if (bin == 0) {
        return 0;
    }
    int64_t power = 1;
    for (int64_t i = 0; i < (bin - 1) / 3; i++) {
        power *= 10;
    }
    return steps[(bin - 1) % 3] * power;
}

static int64_t bin_of(int64_t length) {
    int64_t bin = 0;
    while (bin + 1 < STATS_LENGTH_BINS && length >= stats_length_bin_begin(bin + 1)) {
        bin++;
    }
    return bin;
}

struct sized {
    int64_t length;
    int64_t item;
};

static int compare_sized(const void *left, const void *right) {
    const struct sized *a = left;
    const struct sized *b = right;
    int by_length = (a->length > b->length) - (a->length < b->length);
    return by_length != 0 ? by_length : (a->item > b->item) - (a->item < b->item);
}

static double weight_on_side(const struct sides *sides, int side, int64_t item) {
    return side == STATS_LENGTH_ALL      ? 1.0
           : side == STATS_LENGTH_CHOSEN ? sides->won[item]
                                         : sides->lost[item];
}

/* The median of weighted lengths: where the running sum passes one half; the mean of two neighbours
 * if it comes to rest on it. */
static void summarise(const struct sized *sorted, int64_t count, const struct sides *sides,
                      int side, struct stats_length_summary *out) {
    double sum = 0.0;
    *out = (struct stats_length_summary){.mean = (double)NAN, .median = (double)NAN};
    for (int64_t i = 0; i < count; i++) {
        double weight = weight_on_side(sides, side, sorted[i].item);
        out->count += weight;
        sum += weight * (double)sorted[i].length;
        out->bins[bin_of(sorted[i].length)] += weight;
    }
    if (out->count <= 0.0) {
        return;
    }
    out->mean = sum / out->count;
    double half = 0.5 * out->count;
    double before = 0.0;
    double lower = (double)NAN;
    for (int64_t i = 0; i < count && isnan(out->median); i++) {
        double weight = weight_on_side(sides, side, sorted[i].item);
        double length = (double)sorted[i].length;
        if (weight > 0.0 && before + weight > half) {
            out->median = isnan(lower) ? length : 0.5 * (lower + length);
        }
        before += weight;
        lower = weight > 0.0 && before == half ? length : lower;
    }
}

static enum err_code summarise_sides(const struct comparison_set *set, const int64_t *lengths,
                                     const struct sides *sides, struct stats_bias *bias,
                                     struct error *err) {
    SCOPED(mem) struct sized *sorted = mem_array((size_t)set->item_count, sizeof *sorted);
    if (!sorted) {
        return err_oom(err, "lengths");
    }
    int64_t count = 0;
    for (int64_t i = 0; i < set->item_count; i++) {
        if (lengths[i] != STATS_LENGTH_UNKNOWN) {
            sorted[count++] = (struct sized){.length = lengths[i], .item = i};
        }
    }
    qsort(sorted, (size_t)count, sizeof *sorted, compare_sized);
    for (int side = 0; side < STATS_SIDES; side++) {
        summarise(sorted, count, sides, side, &bias->lengths[side]);
    }
    return ERR_OK;
}

enum err_code stats_bias_of(const struct comparison_set *set, const struct stats_pairs *pairs,
                            const int64_t *lengths, struct stats_bias *out_bias,
                            struct error *err) {
    struct stats_bias bias = {.strict = 0.0};
    SCOPED(bias_sums) struct bias_sums s = {.first = STATS_TALLY_INIT};
    TRY(bias_sums_init(&s, set, err));
    TRY(find_ties(set, &bias, err));
    for (int64_t i = 0; i < pairs->count; i++) {
        add_pair(&s, &bias, &pairs->pairs[i], set, lengths);
    }
    bias.first = stats_tally_rate(&s.first);
    bias.longer = stats_tally_rate(&s.longer);
    bias.length_correlation = correlation_value(&s.plain);
    bias.log_length_correlation = correlation_value(&s.logarithmic);
    TRY(summarise_sides(set, lengths, &s.sides, &bias, err));
    *out_bias = bias;
    return ERR_OK;
}

void stats_bias_by_part(const struct comparison_set *set, const struct stats_pairs *pairs,
                        const int64_t *lengths, const int32_t *part_of, struct stats_part *parts) {
    for (int64_t c = 0; c < set->count; c++) {
        if (part_of[c] >= 0) {
            parts[part_of[c]].comparisons += 1.0;
        }
    }
    for (int64_t i = 0; i < pairs->count; i++) {
        const struct stats_pair *p = &pairs->pairs[i];
        if (part_of[p->comparison] < 0) {
            continue;
        }
        struct stats_part *part = &parts[part_of[p->comparison]];
        double weight = set->weights[p->comparison];
        struct pair_view v = view_pair(p, lengths);
        part->strict += p->outcome != 0 ? weight : 0.0;
        part->tied += p->outcome == 0 ? weight : 0.0;
        part->first_hits += weight * v.first_hit;
        part->first_trials += weight * v.first_trial;
        part->longer_hits += weight * v.longer_hit;
        part->longer_trials += weight * v.longer_trial;
    }
}
