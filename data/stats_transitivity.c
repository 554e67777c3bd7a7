/* stats_transitivity.c - see stats_transitivity.h. */
#include "data/stats_transitivity.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/scoped.h"

#include <math.h>
#include <stdbool.h>

#define COST_MAX 1e8 /* steps along a shorter list, of up to eight looks each: about a second */

/* ---- the majority's graph ---- */

/* Edges from the low item to the high one, by low and then high. */
struct majority_graph {
    int64_t count;
    int32_t *low, *high; /* [count] */
    int8_t *sign;        /* [count] 1: low beats high; -1: high beats low; 0: tie */
    int64_t *starts;     /* [I + 1] edges by low item */
};

static void majority_graph_scoped_end(struct majority_graph *g) {
    mem_free(g->low);
    mem_free(g->high);
    mem_free(g->sign);
    mem_free(g->starts);
}

static int64_t count_edges(const struct stats_pairs *pairs) {
    int64_t count = 0;
    for (int64_t begin = 0; begin < pairs->count; begin = stats_pairs_end(pairs, begin)) {
        count++;
    }
    return count;
}

static int8_t sign_of(const struct comparison_set *set, const struct stats_pairs *pairs,
                      int64_t begin, int64_t end) {
    double balance = 0.0;
    double weight = 0.0;
    for (int64_t i = begin; i < end; i++) {
        double w = set->weights[pairs->pairs[i].comparison];
        balance += w * pairs->pairs[i].outcome;
        weight += w;
    }
    /* Weights such as 0.1 do not add up exactly. */
    bool even = fabs(balance) <= 1e-12 * weight;
    return (int8_t)(even ? 0 : balance > 0.0 ? 1 : -1);
}

static enum err_code majority_graph_init(struct majority_graph *g, const struct comparison_set *set,
                                         const struct stats_pairs *pairs, struct error *err) {
    int64_t count = count_edges(pairs);
    g->low = mem_array((size_t)count, sizeof *g->low);
    g->high = mem_array((size_t)count, sizeof *g->high);
    g->sign = mem_array((size_t)count, sizeof *g->sign);
    g->starts = mem_array_zero((size_t)set->item_count + 1, sizeof *g->starts);
    if (!g->low || !g->high || !g->sign || !g->starts) {
        return err_oom(err, "majority of judgements");
    }
    for (int64_t begin = 0; begin < pairs->count;) {
        int64_t end = stats_pairs_end(pairs, begin);
        g->low[g->count] = pairs->pairs[begin].low;
        g->high[g->count] = pairs->pairs[begin].high;
        g->sign[g->count] = sign_of(set, pairs, begin, end);
        g->starts[g->low[g->count] + 1]++;
        g->count++;
        begin = end;
    }
    for (int64_t i = 0; i < set->item_count; i++) {
        g->starts[i + 1] += g->starts[i];
    }
    return ERR_OK;
}

/* ---- tournaments ---- */

struct block_count {
    int64_t items, edges, ties;
    double wins_twice; /* sum over items of C(wins, 2) */
};

static bool is_tournament(const struct block_count *b) {
    return b->items >= 3 && b->ties == 0 && b->edges == b->items * (b->items - 1) / 2;
}

static void count_blocks(const struct comparison_set *set, const struct majority_graph *g,
                         int64_t *wins, struct block_count *blocks) {
    for (int64_t i = 0; i < set->item_count; i++) {
        blocks[set->item_blocks[i]].items++;
    }
    for (int64_t e = 0; e < g->count; e++) {
        struct block_count *b = &blocks[set->item_blocks[g->low[e]]];
        b->edges++;
        b->ties += g->sign[e] == 0;
        wins[g->low[e]] += g->sign[e] > 0;
        wins[g->high[e]] += g->sign[e] < 0;
    }
    for (int64_t i = 0; i < set->item_count; i++) {
        double w = (double)wins[i];
        blocks[set->item_blocks[i]].wins_twice += w * (w - 1.0) / 2.0;
    }
}

/* Adds the tournaments' triples, and sets zeta. */
static void add_tournaments(const struct block_count *blocks, int64_t count,
                            struct stats_transitivity *t) {
    double cyclic = 0.0;
    double cyclic_max = 0.0;
    for (int64_t b = 0; b < count; b++) {
        if (!is_tournament(&blocks[b])) {
            continue;
        }
        double n = (double)blocks[b].items;
        double triples = n * (n - 1.0) * (n - 2.0) / 6.0;
        t->tournaments++;
        t->triples += triples;
        cyclic += triples - blocks[b].wins_twice;
        cyclic_max += n * (n * n - (blocks[b].items % 2 == 1 ? 1.0 : 4.0)) / 24.0;
    }
    t->cyclic += cyclic;
    t->intransitive += cyclic;
    t->zeta = t->tournaments > 0 ? 1.0 - cyclic / cyclic_max : (double)NAN;
}

/* ---- triangles of the rest ---- */

struct triangles {
    const struct majority_graph *graph;
    double triples, cyclic, intransitive;
};

/* signs: a to b, b to c, and a to c. */
static void add_triangle(struct triangles *t, const int8_t signs[3]) {
    int8_t ab = signs[0];
    int8_t bc = signs[1];
    int8_t ac = signs[2];
    bool cyclic = ab != 0 && ab == bc && ac == -ab;
    /* Going on in the same direction, or staying level, leads there too. */
    bool weak_order = ab == 0 ? ac == bc : bc == 0 || ab == bc ? ac == ab : true;
    t->triples += 1.0;
    t->cyclic += cyclic;
    t->intransitive += !weak_order;
}

/* First edge in [begin, end) whose high item is not below `item`. */
static int64_t find_edge(const struct majority_graph *g, int64_t begin, int64_t end, int32_t item) {
    while (begin < end) {
        int64_t middle = begin + (end - begin) / 2;
        if (g->high[middle] < item) {
            begin = middle + 1;
        } else {
            end = middle;
        }
    }
    return begin;
}

/* All c above b that a and b, joined by edge ab, were both judged with. */
static void close_edge(struct triangles *t, int64_t ab) {
    const struct majority_graph *g = t->graph;
    int64_t a = ab + 1;
    int64_t a_end = g->starts[g->low[ab] + 1];
    int64_t b = g->starts[g->high[ab]];
    int64_t b_end = g->starts[g->high[ab] + 1];
    bool a_shorter = a_end - a <= b_end - b;
    int64_t walk = a_shorter ? a : b;
    int64_t walk_end = a_shorter ? a_end : b_end;
    int64_t find = a_shorter ? b : a;
    int64_t find_end = a_shorter ? b_end : a_end;
    bool gallop = (find_end - find) / 8 > walk_end - walk;
    for (; walk < walk_end && find < find_end; walk++) {
        if (gallop) {
            find = find_edge(g, find, find_end, g->high[walk]);
        }
        while (find < find_end && g->high[find] < g->high[walk]) {
            find++;
        }
        if (find < find_end && g->high[find] == g->high[walk]) {
            const int8_t signs[] = {g->sign[ab], g->sign[a_shorter ? find : walk],
                                    g->sign[a_shorter ? walk : find]};
            add_triangle(t, signs);
        }
    }
}

static double cost_of(const struct majority_graph *g, int64_t ab) {
    double a = (double)(g->starts[g->low[ab] + 1] - ab);
    double b = (double)(g->starts[g->high[ab] + 1] - g->starts[g->high[ab]]);
    return 1.0 + (a < b ? a : b);
}

/* Triangles of the blocks that are no tournaments. Each has one lowest edge, so a part of the edges
 * gives the same part of the triangles, on average. */
static void add_triangles(const struct comparison_set *set, const struct majority_graph *g,
                          const struct block_count *blocks, uint64_t seed,
                          struct stats_transitivity *t) {
    double cost = 0.0;
    for (int64_t e = 0; e < g->count; e++) {
        cost += is_tournament(&blocks[set->item_blocks[g->low[e]]]) ? 0.0 : cost_of(g, e);
    }
    t->sampled = cost > COST_MAX ? COST_MAX / cost : 1.0;
    struct triangles found = {.graph = g};
    struct rng rng = rng_stream(seed, RNG_STATS, 1, 0);
    for (int64_t e = 0; e < g->count; e++) {
        bool drawn = t->sampled >= 1.0 || rng_uniform(&rng) < t->sampled;
        if (drawn && !is_tournament(&blocks[set->item_blocks[g->low[e]]])) {
            close_edge(&found, e);
        }
    }
    t->triples += found.triples / t->sampled;
    t->cyclic += found.cyclic / t->sampled;
    t->intransitive += found.intransitive / t->sampled;
}

enum err_code stats_transitivity_of(const struct comparison_set *set,
                                    const struct stats_pairs *pairs, uint64_t seed,
                                    struct stats_transitivity *out_transitivity,
                                    struct error *err) {
    SCOPED(majority_graph) struct majority_graph graph = {.count = 0};
    SCOPED(mem) int64_t *wins = mem_array_zero((size_t)set->item_count, sizeof *wins);
    SCOPED(mem)
    struct block_count *blocks = mem_array_zero((size_t)set->block_count, sizeof *blocks);
    if (!wins || !blocks) {
        return err_oom(err, "majority of judgements");
    }
    TRY(majority_graph_init(&graph, set, pairs, err));
    struct stats_transitivity t = {.pairs = graph.count};
    for (int64_t e = 0; e < graph.count; e++) {
        t.tied_pairs += graph.sign[e] == 0;
    }
    count_blocks(set, &graph, wins, blocks);
    add_tournaments(blocks, set->block_count, &t);
    add_triangles(set, &graph, blocks, seed, &t);
    *out_transitivity = t;
    return ERR_OK;
}
