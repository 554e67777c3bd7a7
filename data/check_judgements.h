/* check_judgements.h - what is looked at in the comparisons of one prompt, each in its own file.
 *
 * Use:      check_judgements.c calls these for every group, and the ..._finish ones in the end.
 * Threads:  one.
 */
#ifndef DATA_CHECK_JUDGEMENTS_H
#define DATA_CHECK_JUDGEMENTS_H

#include "data/check_group.h"

/* ---- check_repeats.c ---- */

/* Judgements that say the same as an earlier one. */
void check_repeats(struct check *check, struct check_group *group);

/* ---- check_annotators.c ---- */

/* What one annotator did. */
struct check_annotator {
    int64_t id;
    int64_t comparisons;
    int64_t shown, shown_first; /* strict pairs with positions; won by the one shown first */
    int64_t slots, slots_first; /* strict pairs without; won by the one that stands first */
    int64_t judged, agreed;     /* verdicts that others gave too; with their majority */
    struct check_place place;   /* of the first comparison */
};

struct check_annotators {
    struct check_annotator *list; /* [count] by id; owned */
    int64_t count;
};

ERR_NODISCARD enum err_code
check_annotators_init(struct check *check, struct check_annotators *annotators, struct error *err);
void check_annotators_deinit(struct check_annotators *annotators);

/* NULL for 0 and for an id that is not in the table. */
struct check_annotator *check_annotators_find(const struct check_annotators *annotators,
                                              int64_t id);
void check_annotators_add(struct check *check, struct check_annotators *annotators,
                          const struct check_group *group);
ERR_NODISCARD enum err_code check_annotators_finish(struct check *check,
                                                    struct check_annotators *annotators,
                                                    struct error *err);

/* ---- check_pairs.c ---- */

/* Pairs of responses with all verdicts on them. */
struct check_pairs {
    struct check_verdict *list; /* of one group; owned */
    int64_t count, capacity;
};

ERR_NODISCARD enum err_code check_pairs_add(struct check *check, struct check_pairs *pairs,
                                            struct check_annotators *annotators,
                                            struct check_group *group, struct error *err);
void check_pairs_deinit(struct check_pairs *pairs);

/* ---- check_graph.c ---- */

struct check_graph {
    int64_t *nodes;   /* [node_count] response ids, ascending */
    int64_t *parents; /* union-find */
    int64_t *edges;   /* [2 * edge_count] from the better to the worse */
    int64_t *starts;  /* [node_count + 1] of `targets` by node */
    int64_t *targets; /* [edge_count] */
    int64_t *stack;   /* [node_count] */
    bool *reached;    /* [node_count] */
    int64_t node_count, edge_count;
    int64_t node_capacity, edge_capacity;
};

ERR_NODISCARD enum err_code check_graph_add(struct check *check, struct check_graph *graph,
                                            const struct check_group *group, struct error *err);
void check_graph_deinit(struct check_graph *graph);

static inline void check_annotators_scoped_end(struct check_annotators *annotators) {
    check_annotators_deinit(annotators);
}

static inline void check_pairs_scoped_end(struct check_pairs *pairs) {
    check_pairs_deinit(pairs);
}

static inline void check_graph_scoped_end(struct check_graph *graph) {
    check_graph_deinit(graph);
}

#endif
