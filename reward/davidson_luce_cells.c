/* davidson_luce_cells.c - see davidson_luce.h: the stages counted by what remained and what was
 * chosen, as the saturated model needs them. */
#include "reward/davidson_luce_internal.h"

#include "base/mem.h"
#include "base/scoped.h"

#include <math.h>
#include <stdlib.h>

/* A set of items as the sum of its members' hashes: equal for equal sets, and for others with
 * probability 2^-128 a pair. */
struct set_key {
    uint64_t a, b;
};

struct cell {
    struct set_key remaining, chosen;
    double weight;
    int64_t remaining_count;
};

/* The finaliser of splitmix64 (Steele, Lea and Flood 2014). */
static uint64_t mix(uint64_t z) {
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static void set_key_add(struct set_key *key, int32_t item) {
    uint64_t seed = (uint64_t)(uint32_t)item + 1;
    key->a += mix(seed * UINT64_C(0x9E3779B97F4A7C15));
    key->b += mix(seed * UINT64_C(0xD1342543DE82EF95) + 1);
}

static int compare_keys(const struct set_key *left, const struct set_key *right) {
    if (left->a != right->a) {
        return left->a < right->a ? -1 : 1;
    }
    return left->b == right->b ? 0 : left->b < right->b ? -1 : 1;
}

static int compare_cells(const void *left, const void *right) {
    const struct cell *l = left, *r = right;
    int order = compare_keys(&l->remaining, &r->remaining);
    return order ? order : compare_keys(&l->chosen, &r->chosen);
}

static int64_t add_stages(const struct davidson_luce *model, int64_t comparison, struct cell *out) {
    struct davidson_luce_ranking ranking = davidson_luce_ranking_at(model, comparison);
    struct set_key remaining = {0, 0};
    int64_t count = 0;
    for (int64_t i = ranking.size - 1; i >= 0; i--) {
        set_key_add(&remaining, ranking.items[i]);
        int64_t chosen = davidson_luce_stage_size(&ranking, i);
        if (chosen == 0) {
            continue;
        }
        out[count] = (struct cell){
            .remaining = remaining, .weight = ranking.weight, .remaining_count = ranking.size - i};
        for (int64_t j = i; j < i + chosen; j++) {
            set_key_add(&out[count].chosen, ranking.items[j]);
        }
        count++;
    }
    return count;
}

static double outcomes_of(const struct davidson_luce *model, int64_t remaining) {
    double outcomes = 0.0;
    for (int64_t o = 0; o < model->order_count; o++) {
        if (model->orders[o] <= remaining) {
            outcomes += exp(model->log_subsets[o * (model->ranking_max + 1) + remaining]);
        }
    }
    return round(outcomes);
}

/* Sums n ln(n / N) over the cells of each set, sorted by set and then by what was chosen. */
static void add_sets(const struct davidson_luce *model, const struct cell *cells, int64_t count,
                     struct davidson_luce_saturated *out) {
    int64_t end = 0;
    for (int64_t begin = 0; begin < count; begin = end) {
        double of_set = 0.0, by_cells = 0.0;
        for (end = begin;
             end < count && compare_keys(&cells[end].remaining, &cells[begin].remaining) == 0;) {
            double of_cell = 0.0;
            int64_t first = end;
            for (; end < count && compare_cells(&cells[end], &cells[first]) == 0; end++) {
                of_cell += cells[end].weight;
            }
            by_cells += of_cell * log(of_cell);
            of_set += of_cell;
        }
        out->log_likelihood += by_cells - of_set * log(of_set);
        out->weight += of_set;
        out->sets += 1.0;
        out->outcomes += outcomes_of(model, cells[begin].remaining_count);
    }
}

enum err_code davidson_luce_saturate(const struct davidson_luce *model,
                                     struct davidson_luce_saturated *out, struct error *err) {
    const struct comparison_set *set = model->set;
    SCOPED(mem) struct cell *cells = mem_array((size_t)set->starts[set->count], sizeof *cells);
    if (!cells) {
        return err_oom(err, "stages of rankings");
    }
    int64_t count = 0;
    for (int64_t c = 0; c < set->count; c++) {
        count += add_stages(model, c, cells + count);
    }
    qsort(cells, (size_t)count, sizeof *cells, compare_cells);
    struct davidson_luce_saturated found = {.pairs_only = model->ranking_max <= 2};
    add_sets(model, cells, count, &found);
    *out = found;
    return ERR_OK;
}
