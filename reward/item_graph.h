/* item_graph.h - who was beaten by whom, and which items can reach each other that way.
 *
 * Use:      SCOPED(item_graph) struct item_graph graph = ITEM_GRAPH_INIT;
 *           TRY(item_graph_of_pairs(&graph, &table, false, err));
 *           TRY(item_graph_find_groups(&graph, err));
 *           if (graph.strong[i] == graph.strong[j]) { ... each can be reached from the other ... }
 * Edges:    from the beaten to the winner; both ways for a tie.
 * Strong:   groups of items that reach each other (Tarjan 1972), numbered so that an edge between
 *           two groups leads to the smaller number: nobody of the smallest was beaten by others.
 * Weak:     groups connected by edges of either direction; the number is one of their nodes.
 * Cost:     O(nodes + edges) time and memory; no recursion.
 * Owns:     its arrays (item_graph_deinit).
 * Threads:  read-only once made.
 */
#ifndef REWARD_ITEM_GRAPH_H
#define REWARD_ITEM_GRAPH_H

#include "base/error.h"
#include "data/comparison_set.h"
#include "reward/pair_table.h"

#include <stdbool.h>
#include <stdint.h>

struct item_graph {
    int64_t node_count; /* items, then points where many edges meet */
    int64_t *starts;    /* [nodes + 1] edges out of a node */
    int32_t *heads;     /* [edges] */
    int32_t *strong;    /* [nodes] */
    int32_t *weak;      /* [nodes] */
};

#define ITEM_GRAPH_INIT \
    { .node_count = 0 }

/* Edges of a table. `both_ways`: every win counts as a loss too. */
ERR_NODISCARD enum err_code item_graph_of_pairs(struct item_graph *graph,
                                                const struct pair_table *table, bool both_ways,
                                                struct error *err);

/* The same reachability from a set, rankings taken whole: of k members they give O(k) edges.
 *   fails  ERR_LIMIT beyond 2^31 - 1 nodes; ERR_OOM */
ERR_NODISCARD enum err_code item_graph_of_set(struct item_graph *graph,
                                              const struct comparison_set *set, bool ties_connect,
                                              struct error *err);

/* Fills `strong` and `weak`. */
ERR_NODISCARD enum err_code item_graph_find_groups(struct item_graph *graph, struct error *err);

void item_graph_deinit(struct item_graph *graph);

static inline void item_graph_scoped_end(struct item_graph *graph) {
    item_graph_deinit(graph);
}

#endif
