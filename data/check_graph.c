/* check_graph.c - who can be compared with whom: whether the responses to a prompt hang together,
 * and whether each can be reached from each going from winners to losers (then, and only then, a
 * maximum-likelihood estimate of a Bradley-Terry model exists: Ford 1957). */
#include "base/mem.h"
#include "base/scoped.h"
#include "data/check_judgements.h"

#include <stdlib.h>
#include <string.h>

void check_graph_deinit(struct check_graph *g) {
    mem_free(g->nodes);
    mem_free(g->parents);
    mem_free(g->edges);
    mem_free(g->starts);
    mem_free(g->targets);
    mem_free(g->stack);
    mem_free(g->reached);
    *g = (struct check_graph){.nodes = NULL};
}

/* Room for `nodes` nodes and `edges` edges; what is in the arrays is lost. */
static enum err_code reserve(struct check_graph *g, int64_t nodes, int64_t edges,
                             struct error *err) {
    if (nodes <= g->node_capacity && edges <= g->edge_capacity) {
        return ERR_OK;
    }
    check_graph_deinit(g);
    size_t n = mem_grown_capacity(0, (size_t)nodes), e = mem_grown_capacity(0, (size_t)edges);
    g->nodes = mem_array(n, sizeof *g->nodes);
    g->parents = mem_array(n, sizeof *g->parents);
    g->starts = mem_array(n + 1, sizeof *g->starts);
    g->stack = mem_array(n, sizeof *g->stack);
    g->reached = mem_array(n, sizeof *g->reached);
    g->edges = mem_array(2 * e, sizeof *g->edges);
    g->targets = mem_array(e, sizeof *g->targets);
    if (!g->nodes || !g->parents || !g->starts || !g->stack || !g->reached || !g->edges ||
        !g->targets) {
        return err_oom(err, "graph of comparisons");
    }
    g->node_capacity = (int64_t)n;
    g->edge_capacity = (int64_t)e;
    return ERR_OK;
}

static int compare_ids(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static void set_nodes(struct check_graph *g, const struct check_group *group) {
    for (int64_t i = 0; i < group->member_count; i++) {
        g->nodes[i] = group->members[i].response_id;
    }
    qsort(g->nodes, (size_t)group->member_count, sizeof *g->nodes, compare_ids);
    g->node_count = 0;
    for (int64_t i = 0; i < group->member_count; i++) {
        if (g->node_count == 0 || g->nodes[i] != g->nodes[g->node_count - 1]) {
            g->nodes[g->node_count++] = g->nodes[i];
        }
    }
    for (int64_t i = 0; i < g->node_count; i++) {
        g->parents[i] = i;
    }
}

static int64_t node_of(const struct check_graph *g, int64_t response_id) {
    const int64_t *found =
        bsearch(&response_id, g->nodes, (size_t)g->node_count, sizeof *g->nodes, compare_ids);
    return found - g->nodes;
}

static int64_t root_of(struct check_graph *g, int64_t node) {
    while (g->parents[node] != node) {
        g->parents[node] = g->parents[g->parents[node]];
        node = g->parents[node];
    }
    return node;
}

static void add_edge(struct check_graph *g, int64_t better, int64_t worse) {
    g->edges[2 * g->edge_count] = better;
    g->edges[2 * g->edge_count + 1] = worse;
    g->edge_count++;
    g->parents[root_of(g, better)] = root_of(g, worse);
}

static int compare_ranks(const void *left, const void *right) {
    const struct check_member *a = left, *b = right;
    return (a->rank > b->rank) - (a->rank < b->rank);
}

/* At most two edges a member say all that a ranking says about who reaches whom: those of a tie are
 * joined both ways, and the first of them stands for all towards the next rank. The unordered ones
 * of a last rank are not joined, so each is a loser of its own. `sorted` is scratch. */
static void add_ranking(struct check_graph *g, const struct check_group *group,
                        const struct check_judgement *judgement, struct check_member *sorted) {
    int64_t count = judgement->count;
    memcpy(sorted, group->members + judgement->first, (size_t)count * sizeof *sorted);
    if (count > 1) {
        qsort(sorted, (size_t)count, sizeof *sorted, compare_ranks);
    }
    int64_t above = -1; /* stands for the rank above */
    int64_t rank_first = 0;
    for (int64_t i = 1; i < count; i++) {
        int64_t node = node_of(g, sorted[i].response_id);
        if (sorted[i].rank != sorted[i - 1].rank) {
            above = node_of(g, sorted[rank_first].response_id);
            rank_first = i;
            add_edge(g, above, node);
            continue;
        }
        bool unordered = judgement->last_unordered && sorted[i].rank == sorted[count - 1].rank;
        if (!unordered) {
            int64_t before = node_of(g, sorted[i - 1].response_id);
            add_edge(g, before, node);
            add_edge(g, node, before);
        } else if (above >= 0) {
            add_edge(g, above, node);
        }
    }
}

/* Whether node 0 reaches all others along the edges, or against them. */
static bool reaches_all(struct check_graph *g, bool against) {
    int64_t from = against ? 1 : 0;
    memset(g->starts, 0, (size_t)(g->node_count + 1) * sizeof *g->starts);
    for (int64_t e = 0; e < g->edge_count; e++) {
        g->starts[g->edges[2 * e + from] + 1]++;
    }
    for (int64_t n = 0; n < g->node_count; n++) {
        g->starts[n + 1] += g->starts[n];
    }
    for (int64_t e = g->edge_count; e-- > 0;) {
        int64_t slot = --g->starts[g->edges[2 * e + from] + 1];
        g->targets[slot] = g->edges[2 * e + 1 - from];
    }
    /* Now starts[n + 1] is where node n begins, and it ends where node n + 1 does. */
    memset(g->reached, 0, (size_t)g->node_count * sizeof *g->reached);
    int64_t depth = 0, reached = 1;
    g->stack[depth++] = 0;
    g->reached[0] = true;
    while (depth > 0) {
        int64_t node = g->stack[--depth];
        int64_t end = node + 1 < g->node_count ? g->starts[node + 2] : g->edge_count;
        for (int64_t t = g->starts[node + 1]; t < end; t++) {
            int64_t next = g->targets[t];
            if (!g->reached[next]) {
                g->reached[next] = true;
                g->stack[depth++] = next;
                reached++;
            }
        }
    }
    return reached == g->node_count;
}

struct parts {
    int64_t count;
    int64_t least_size; /* of the smallest part */
    int64_t member;     /* a response of it */
};

/* Uses the stack for the sizes of parts, by their roots. */
static struct parts find_parts(struct check_graph *g) {
    struct parts parts = {.least_size = INT64_MAX};
    memset(g->stack, 0, (size_t)g->node_count * sizeof *g->stack);
    for (int64_t n = 0; n < g->node_count; n++) {
        parts.count += g->stack[root_of(g, n)]++ == 0;
    }
    for (int64_t n = 0; n < g->node_count; n++) {
        int64_t size = g->stack[root_of(g, n)];
        if (size < parts.least_size) {
            parts.least_size = size;
            parts.member = g->nodes[n];
        }
    }
    return parts;
}

/* How many have no edge towards them, or, `against`, from them. */
static int64_t count_without(struct check_graph *g, bool against) {
    int64_t without = g->node_count;
    memset(g->reached, 0, (size_t)g->node_count * sizeof *g->reached);
    for (int64_t e = 0; e < g->edge_count; e++) {
        bool *reached = &g->reached[g->edges[2 * e + (against ? 0 : 1)]];
        without -= !*reached;
        *reached = true;
    }
    return without;
}

static enum err_code count_unconnected(struct check *check, const struct check_graph *g,
                                       const struct check_group *group, const struct parts *parts,
                                       struct error *err) {
    enum check_finding finding =
        group->is_items ? CHECK_UNCONNECTED_ITEMS : CHECK_UNCONNECTED_ANSWERS;
    if (!check_count(check, finding)) {
        return ERR_OK;
    }
    struct check_example *example = check_example_add(check, finding);
    check_example_set_detail(
        example, "%lld answers in %lld parts; the smallest has %lld, this among",
        (long long)g->node_count, (long long)parts->count, (long long)parts->least_size);
    TRY(check_place_response(check, parts->member, &example->place, err));
    return check_excerpt_response(check, parts->member, example, err);
}

static enum err_code count_no_estimate(struct check *check, struct check_graph *g,
                                       const struct check_group *group, struct error *err) {
    if (!check_count(check, CHECK_NO_ESTIMATE)) {
        return ERR_OK;
    }
    struct check_example *example = check_example_add(check, CHECK_NO_ESTIMATE);
    check_example_set_detail(example, "%lld answers; never beaten %lld, never better %lld",
                             (long long)g->node_count, (long long)count_without(g, false),
                             (long long)count_without(g, true));
    example->place = check_group_place(check, &group->judgements[0]);
    return check_excerpt_prompt(check, group->prompt_id, example, err);
}

enum err_code check_graph_add(struct check *check, struct check_graph *g,
                              const struct check_group *group, struct error *err) {
    check->report->results[CHECK_NO_ESTIMATE].of++;
    check->report->results[group->is_items ? CHECK_UNCONNECTED_ITEMS : CHECK_UNCONNECTED_ANSWERS]
        .of++;
    TRY(reserve(g, group->member_count, 2 * group->member_count, err));
    set_nodes(g, group);
    g->edge_count = 0;
    if (g->node_count < 3) {
        return ERR_OK; /* two answers, or one with itself: nothing to hang together */
    }
    SCOPED(mem)
    struct check_member *sorted = mem_array((size_t)group->member_count, sizeof *sorted);
    if (!sorted) {
        return err_oom(err, "graph of comparisons");
    }
    for (int64_t i = 0; i < group->count; i++) {
        add_ranking(g, group, &group->judgements[i], sorted);
    }
    struct parts parts = find_parts(g);
    if (parts.count > 1) {
        return count_unconnected(check, g, group, &parts, err);
    }
    if (reaches_all(g, false) && reaches_all(g, true)) {
        return ERR_OK;
    }
    return count_no_estimate(check, g, group, err);
}
