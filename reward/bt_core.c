/* bt_core.c - see bt_core.h. */
#include "reward/bt_core.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "reward/pair_table.h"

#include <string.h>

#define NOT_KEPT (-1)

static int64_t length_of(const struct comparison_set *set, int64_t c) {
    return set->starts[c + 1] - set->starts[c];
}

/* ---- a part of a set ---- */

/* Room for all of `set`. */
static enum err_code make_room(const struct comparison_set *set, struct comparison_set *out,
                               struct error *err) {
    size_t count = (size_t)set->count, members = (size_t)set->starts[set->count];
    out->starts = mem_array_zero(count + 1, sizeof *out->starts);
    out->comparison_ids = mem_array(count, sizeof *out->comparison_ids);
    out->weights = mem_array(count, sizeof *out->weights);
    out->items = mem_array(members, sizeof *out->items);
    out->ranks = mem_array(members, sizeof *out->ranks);
    out->positions = set->positions ? mem_array(members, sizeof *out->positions) : NULL;
    out->last_unordered =
        set->last_unordered ? mem_array(count, sizeof *out->last_unordered) : NULL;
    bool made = out->starts && out->comparison_ids && out->weights && out->items && out->ranks &&
                (out->positions || !set->positions) &&
                (out->last_unordered || !set->last_unordered);
    return made ? ERR_OK : err_oom(err, "comparisons to test");
}

static void copy_comparison(const struct comparison_set *set, int64_t c, const int32_t *numbers,
                            struct comparison_set *out) {
    int64_t to = out->count++, at = out->starts[to];
    for (int64_t m = set->starts[c]; m < set->starts[c + 1]; m++, at++) {
        out->items[at] = numbers[set->items[m]];
        out->ranks[at] = set->ranks[m];
        if (set->positions) {
            out->positions[at] = set->positions[m];
        }
    }
    out->starts[to + 1] = at;
    out->comparison_ids[to] = set->comparison_ids[c];
    out->weights[to] = set->weights[c];
    if (set->last_unordered) {
        out->last_unordered[to] = set->last_unordered[c];
    }
}

static bool has_only_kept(const struct comparison_set *set, int64_t c, const int32_t *numbers) {
    for (int64_t m = set->starts[c]; m < set->starts[c + 1]; m++) {
        if (numbers[set->items[m]] == NOT_KEPT) {
            return false;
        }
    }
    return true;
}

/* The comparisons of no more than `length_max` items, all of which have a number. */
static enum err_code select(const struct comparison_set *set, int64_t length_max,
                            const int32_t *numbers, int64_t item_count, struct comparison_set *out,
                            struct error *err) {
    out->item_count = item_count;
    TRY(make_room(set, out, err));
    for (int64_t c = 0; c < set->count; c++) {
        if (length_of(set, c) <= length_max && has_only_kept(set, c, numbers)) {
            copy_comparison(set, c, numbers, out);
        }
    }
    return ERR_OK;
}

/* ---- which items stay ---- */

struct graph {
    int64_t item_count;
    int64_t *degrees;    /* [I] cells */
    int32_t *neighbours; /* [I] all other items of them, by exclusive or: of one cell the item */
    bool *fixed;         /* [I] in a ranking */
};

static void graph_scoped_end(struct graph *graph) {
    mem_free(graph->degrees);
    mem_free(graph->neighbours);
    mem_free(graph->fixed);
}

static enum err_code count_cells(const struct comparison_set *pairs, struct graph *graph,
                                 struct error *err) {
    SCOPED(pair_table) struct pair_table table = PAIR_TABLE_INIT;
    TRY(pair_table_build(pairs, PAIR_TIES_DROP, &table, err));
    for (int64_t i = 0; i < table.item_count; i++) {
        for (int64_t c = table.starts[i]; c < table.starts[i + 1]; c++) {
            int32_t j = table.others[c];
            graph->degrees[i]++;
            graph->degrees[j]++;
            graph->neighbours[i] ^= j;
            graph->neighbours[j] ^= (int32_t)i;
        }
    }
    return ERR_OK;
}

static enum err_code make_graph(const struct comparison_set *set, struct graph *graph,
                                struct error *err) {
    size_t items = (size_t)set->item_count;
    graph->item_count = set->item_count;
    graph->degrees = mem_array_zero(items, sizeof *graph->degrees);
    graph->neighbours = mem_array_zero(items, sizeof *graph->neighbours);
    graph->fixed = mem_array_zero(items, sizeof *graph->fixed);
    if (!graph->degrees || !graph->neighbours || !graph->fixed) {
        return err_oom(err, "comparisons to test");
    }
    for (int64_t c = 0; c < set->count; c++) {
        for (int64_t m = set->starts[c]; length_of(set, c) > 2 && m < set->starts[c + 1]; m++) {
            graph->fixed[set->items[m]] = true;
        }
    }
    if (!comparison_set_has_rankings(set)) {
        return count_cells(set, graph, err);
    }
    SCOPED(mem) int32_t *same = mem_array(items, sizeof *same);
    SCOPED(comparison_set) struct comparison_set pairs = COMPARISON_SET_INIT;
    if (!same) {
        return err_oom(err, "comparisons to test");
    }
    for (int64_t i = 0; i < set->item_count; i++) {
        same[i] = (int32_t)i;
    }
    TRY(select(set, 2, same, set->item_count, &pairs, err));
    return count_cells(&pairs, graph, err);
}

/* Takes away items of one cell, and follows each to the item that this leaves with one. */
static void peel(struct graph *graph) {
    for (int64_t i = 0; i < graph->item_count; i++) {
        for (int64_t item = i; graph->degrees[item] == 1 && !graph->fixed[item];) {
            int32_t other = graph->neighbours[item];
            graph->degrees[item] = 0;
            graph->degrees[other]--;
            graph->neighbours[other] ^= (int32_t)item;
            item = other;
        }
    }
}

enum err_code bt_core_find(const struct comparison_set *set, struct comparison_set *out_core,
                           struct error *err) {
    SCOPED(graph) struct graph graph = {.item_count = 0};
    SCOPED(mem) int32_t *numbers = mem_array((size_t)set->item_count, sizeof *numbers);
    if (!numbers) {
        return err_oom(err, "comparisons to test");
    }
    TRY(make_graph(set, &graph, err));
    peel(&graph);
    int64_t kept = 0;
    for (int64_t i = 0; i < set->item_count; i++) {
        bool stays = graph.fixed[i] || graph.degrees[i] > 0;
        numbers[i] = stays ? (int32_t)kept : NOT_KEPT;
        kept += stays;
    }
    if (kept == set->item_count || kept == 0) {
        return ERR_OK;
    }
    SCOPED(comparison_set) struct comparison_set core = COMPARISON_SET_INIT;
    TRY(select(set, INT64_MAX, numbers, kept, &core, err));
    *out_core = core;
    core = (struct comparison_set)COMPARISON_SET_INIT;
    return ERR_OK;
}
