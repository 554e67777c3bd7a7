/* item_graph.c - see item_graph.h. */
#include "reward/item_graph.h"

#include "base/invariant.h"
#include "base/mem.h"
#include "base/scoped.h"

/* ---- edges: the same walk first counts and then fills ---- */

struct edge_sink {
    int64_t *starts; /* [nodes + 1] */
    int32_t *heads;  /* NULL: counting */
    int64_t nodes;   /* used so far */
};

static void add_edge(struct edge_sink *sink, int64_t tail, int64_t head) {
    if (sink->heads) {
        sink->heads[sink->starts[tail]++] = (int32_t)head;
    } else {
        sink->starts[tail + 1]++;
    }
}

static void add_pair_edges(struct edge_sink *sink, const struct pair_table *table, bool both_ways) {
    for (int64_t i = 0; i < table->item_count; i++) {
        for (int64_t c = table->starts[i]; c < table->starts[i + 1]; c++) {
            bool is_tied = both_ways || table->ties[c] > 0.0;
            if (is_tied || table->wins[c] > 0.0) {
                add_edge(sink, table->others[c], i);
            }
            if (is_tied || table->losses[c] > 0.0) {
                add_edge(sink, i, table->others[c]);
            }
        }
    }
}

/* Members [start, end) of one rank. */
struct rank_group {
    int64_t start, end;
};

static struct rank_group group_from(const struct comparison_set *set, int64_t start, int64_t end) {
    struct rank_group group = {.start = start, .end = start};
    while (group.end < end && set->ranks[group.end] == set->ranks[start]) {
        group.end++;
    }
    return group;
}

/* Every worse member to every better one, through a node of their own where they are many. */
static void join_groups(struct edge_sink *sink, const struct comparison_set *set,
                        struct rank_group better, struct rank_group worse) {
    bool is_few = better.end - better.start == 1 || worse.end - worse.start == 1;
    if (is_few) {
        for (int64_t w = worse.start; w < worse.end; w++) {
            for (int64_t b = better.start; b < better.end; b++) {
                add_edge(sink, set->items[w], set->items[b]);
            }
        }
        return;
    }
    int64_t hub = sink->nodes++;
    for (int64_t w = worse.start; w < worse.end; w++) {
        add_edge(sink, set->items[w], hub);
    }
    for (int64_t b = better.start; b < better.end; b++) {
        add_edge(sink, hub, set->items[b]);
    }
}

/* A ring through all members of a group. */
static void join_tied(struct edge_sink *sink, const struct comparison_set *set,
                      struct rank_group group) {
    for (int64_t m = group.start; m + 1 < group.end; m++) {
        add_edge(sink, set->items[m], set->items[m + 1]);
    }
    if (group.end - group.start > 1) {
        add_edge(sink, set->items[group.end - 1], set->items[group.start]);
    }
}

static void add_set_edges(struct edge_sink *sink, const struct comparison_set *set,
                          bool ties_connect) {
    sink->nodes = set->item_count;
    for (int64_t c = 0; c < set->count; c++) {
        int64_t end = set->starts[c + 1];
        bool is_open = set->last_unordered && set->last_unordered[c];
        struct rank_group better = {.start = -1};
        for (int64_t m = set->starts[c]; m < end;) {
            struct rank_group group = group_from(set, m, end);
            m = group.end;
            if (better.start >= 0) {
                join_groups(sink, set, better, group);
            }
            if (ties_connect && !(is_open && m == end)) {
                join_tied(sink, set, group);
            }
            better = group;
        }
    }
}

/* Hubs of one comparison are fewer than its ranks, so this bounds all nodes. */
static int64_t nodes_max(const struct comparison_set *set) {
    return set->item_count + set->starts[set->count] / 2;
}

/* Turns counts into places, and makes room for the heads. */
static enum err_code place_edges(struct item_graph *graph, struct error *err) {
    for (int64_t v = 0; v < graph->node_count; v++) {
        graph->starts[v + 1] += graph->starts[v];
    }
    size_t edges = (size_t)graph->starts[graph->node_count];
    graph->heads = mem_array(edges, sizeof *graph->heads);
    return graph->heads ? ERR_OK : err_oom(err, "graph of comparisons");
}

/* Filling has moved each start to the next. */
static void restore_starts(struct item_graph *graph) {
    for (int64_t v = graph->node_count; v > 0; v--) {
        graph->starts[v] = graph->starts[v - 1];
    }
    graph->starts[0] = 0;
}

static enum err_code begin(struct item_graph *graph, int64_t node_count, struct error *err) {
    graph->node_count = node_count;
    graph->starts = mem_array_zero((size_t)node_count + 1, sizeof *graph->starts);
    return graph->starts ? ERR_OK : err_oom(err, "graph of comparisons");
}

static void move_graph(struct item_graph *from, struct item_graph *to) {
    *to = *from;
    *from = (struct item_graph)ITEM_GRAPH_INIT;
}

enum err_code item_graph_of_pairs(struct item_graph *graph, const struct pair_table *table,
                                  bool both_ways, struct error *err) {
    SCOPED(item_graph) struct item_graph made = ITEM_GRAPH_INIT;
    TRY(begin(&made, table->item_count, err));
    struct edge_sink sink = {.starts = made.starts};
    add_pair_edges(&sink, table, both_ways);
    TRY(place_edges(&made, err));
    sink.heads = made.heads;
    add_pair_edges(&sink, table, both_ways);
    restore_starts(&made);
    move_graph(&made, graph);
    return ERR_OK;
}

enum err_code item_graph_of_set(struct item_graph *graph, const struct comparison_set *set,
                                bool ties_connect, struct error *err) {
    if (nodes_max(set) > INT32_MAX) {
        return err_set(err, ERR_LIMIT,
                       "%lld items and %lld of them compared: too many to tell "
                       "whether a fit exists",
                       (long long)set->item_count, (long long)set->starts[set->count]);
    }
    SCOPED(item_graph) struct item_graph made = ITEM_GRAPH_INIT;
    TRY(begin(&made, nodes_max(set), err));
    struct edge_sink sink = {.starts = made.starts};
    add_set_edges(&sink, set, ties_connect);
    TRY(place_edges(&made, err));
    sink.heads = made.heads;
    add_set_edges(&sink, set, ties_connect);
    restore_starts(&made);
    move_graph(&made, graph);
    return ERR_OK;
}

/* ---- strongly connected: Tarjan's algorithm with its own stack ---- */

struct tarjan {
    const struct item_graph *graph;
    int32_t *index; /* [nodes] order of discovery from 1; 0: not seen */
    int32_t *low;   /* [nodes] */
    int32_t *stack; /* [nodes] of nodes without a group yet */
    int32_t *path;  /* [nodes] from the root to where we are */
    int64_t *edge;  /* [nodes] next edge to look at */
    int64_t stack_count, path_count;
    int32_t seen, groups;
};

static inline void tarjan_scoped_end(struct tarjan *t) {
    mem_free(t->index);
    mem_free(t->low);
    mem_free(t->stack);
    mem_free(t->path);
    mem_free(t->edge);
}

static enum err_code tarjan_init(struct tarjan *t, const struct item_graph *graph,
                                 struct error *err) {
    size_t nodes = (size_t)graph->node_count;
    t->graph = graph;
    t->index = mem_array_zero(nodes, sizeof *t->index);
    t->low = mem_array(nodes, sizeof *t->low);
    t->stack = mem_array(nodes, sizeof *t->stack);
    t->path = mem_array(nodes, sizeof *t->path);
    t->edge = mem_array(nodes, sizeof *t->edge);
    if (!t->index || !t->low || !t->stack || !t->path || !t->edge) {
        return err_oom(err, "graph of comparisons");
    }
    return ERR_OK;
}

static void enter(struct tarjan *t, int32_t v) {
    t->index[v] = t->low[v] = ++t->seen;
    t->edge[v] = t->graph->starts[v];
    t->stack[t->stack_count++] = v;
    t->path[t->path_count++] = v;
}

/* All edges of v are seen: closes its group if it is the first of one, and goes back. */
static void leave(struct tarjan *t, int32_t v) {
    t->path_count--;
    if (t->low[v] == t->index[v]) {
        int32_t member;
        do {
            member = t->stack[--t->stack_count];
            t->graph->strong[member] = t->groups;
        } while (member != v);
        t->groups++;
    }
    if (t->path_count > 0) {
        int32_t parent = t->path[t->path_count - 1];
        t->low[parent] = t->low[v] < t->low[parent] ? t->low[v] : t->low[parent];
    }
}

static void search_from(struct tarjan *t, int32_t root) {
    enter(t, root);
    while (t->path_count > 0) {
        int32_t v = t->path[t->path_count - 1];
        if (t->edge[v] == t->graph->starts[v + 1]) {
            leave(t, v);
            continue;
        }
        int32_t next = t->graph->heads[t->edge[v]++];
        if (t->index[next] == 0) {
            enter(t, next);
        } else if (t->graph->strong[next] < 0 && t->index[next] < t->low[v]) {
            t->low[v] = t->index[next];
        }
    }
}

/* ---- weakly connected: union by halving of paths ---- */

static int32_t root_of(int32_t *parents, int32_t v) {
    while (parents[v] != v) {
        parents[v] = parents[parents[v]];
        v = parents[v];
    }
    return v;
}

static void find_weak(const struct item_graph *graph) {
    for (int64_t v = 0; v < graph->node_count; v++) {
        graph->weak[v] = (int32_t)v;
    }
    for (int64_t v = 0; v < graph->node_count; v++) {
        for (int64_t e = graph->starts[v]; e < graph->starts[v + 1]; e++) {
            int32_t one = root_of(graph->weak, (int32_t)v);
            int32_t other = root_of(graph->weak, graph->heads[e]);
            graph->weak[one > other ? one : other] = one < other ? one : other;
        }
    }
    for (int64_t v = 0; v < graph->node_count; v++) {
        graph->weak[v] = root_of(graph->weak, (int32_t)v);
    }
}

enum err_code item_graph_find_groups(struct item_graph *graph, struct error *err) {
    ASSERT(!graph->strong && !graph->weak);
    size_t nodes = (size_t)graph->node_count;
    graph->strong = mem_array(nodes, sizeof *graph->strong);
    graph->weak = mem_array(nodes, sizeof *graph->weak);
    SCOPED(tarjan) struct tarjan t = {.graph = NULL};
    TRY(tarjan_init(&t, graph, err));
    if (!graph->strong || !graph->weak) {
        return err_oom(err, "graph of comparisons");
    }
    for (int64_t v = 0; v < graph->node_count; v++) {
        graph->strong[v] = -1;
    }
    for (int64_t v = 0; v < graph->node_count; v++) {
        if (t.index[v] == 0) {
            search_from(&t, (int32_t)v);
        }
    }
    find_weak(graph);
    return ERR_OK;
}

void item_graph_deinit(struct item_graph *graph) {
    mem_free(graph->starts);
    mem_free(graph->heads);
    mem_free(graph->strong);
    mem_free(graph->weak);
    *graph = (struct item_graph)ITEM_GRAPH_INIT;
}
