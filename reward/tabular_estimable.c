/* tabular_estimable.c - see tabular_estimable.h and tabular_models.h: rewards. The parameters
 * besides them are in parameter_cone.c. */
#include "reward/tabular_estimable.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "reward/item_graph.h"
#include "reward/pair_outcome.h"
#include "reward/parameter_cone.h"
#include "reward/tabular_models.h"

#define NAMES_MAX   3
#define NAMES_BYTES 200

/* What a message is about. */
struct complaint {
    const struct comparison_set *set;
    const struct item_graph *graph;
    int32_t block;      /* the first one whose items cannot be ranked */
    int64_t blocks_bad; /* such blocks */
    const char *remedy;
};

static void add_item(const struct comparison_set *set, int64_t item, struct strbuf *out) {
    char name[UTF8_EXCERPT_BYTES];
    if (set->item_names) {
        const char *text = set->item_names[item];
        strbuf_addf(out, "'%s'", utf8_excerpt(text, strlen(text), name));
    } else if (set->item_response_ids) {
        strbuf_addf(out, "response %lld", (long long)set->item_response_ids[item]);
    } else {
        strbuf_addf(out, "item %lld", (long long)item + 1);
    }
}

/* "'a', 'b' and 7 more" of the block's items whose group is, or is not, `group`; returns how many
 * they are. */
static int64_t add_members(const struct complaint *complaint, const int32_t *groups, int32_t group,
                           bool is_of_group, struct strbuf *out) {
    const struct comparison_set *set = complaint->set;
    int64_t count = 0;
    for (int64_t i = 0; i < set->item_count; i++) {
        if (set->item_blocks[i] == complaint->block && (groups[i] == group) == is_of_group) {
            if (count < NAMES_MAX) {
                strbuf_add(out, count > 0 ? ", " : "");
                add_item(set, i, out);
            }
            count++;
        }
    }
    if (count > NAMES_MAX) {
        strbuf_addf(out, " and %lld more", (long long)(count - NAMES_MAX));
    }
    return count;
}

/* " (prompt 17, and 3 more like it)", where there are prompts. */
static void add_place(const struct complaint *complaint, struct strbuf *out) {
    if (complaint->set->block_prompt_ids) {
        strbuf_addf(out, " (prompt %lld",
                    (long long)complaint->set->block_prompt_ids[complaint->block]);
    } else if (complaint->set->block_count > 1) {
        strbuf_addf(out, " (block %lld", (long long)complaint->block + 1);
    } else {
        return;
    }
    if (complaint->blocks_bad > 1) {
        strbuf_addf(out, ", and %lld more like it", (long long)(complaint->blocks_bad - 1));
    }
    strbuf_add(out, ")");
}

static int64_t first_item(const struct complaint *complaint) {
    int64_t item = 0;
    while (complaint->set->item_blocks[item] != complaint->block) {
        item++;
    }
    return item;
}

static enum err_code complain_unconnected(const struct complaint *complaint, struct error *err) {
    SCOPED(strbuf) struct strbuf one = STRBUF_INIT(NAMES_BYTES * NAMES_MAX);
    SCOPED(strbuf) struct strbuf others = STRBUF_INIT(NAMES_BYTES * NAMES_MAX);
    SCOPED(strbuf) struct strbuf place = STRBUF_INIT(NAMES_BYTES);
    int32_t group = complaint->graph->weak[first_item(complaint)];
    add_members(complaint, complaint->graph->weak, group, true, &one);
    add_members(complaint, complaint->graph->weak, group, false, &others);
    add_place(complaint, &place);
    TRY(strbuf_check(&one, "message", err));
    TRY(strbuf_check(&others, "message", err));
    TRY(strbuf_check(&place, "message", err));
    return err_set(err, ERR_DATA,
                   "no estimate: %s were never compared with %s, not even through others%s; "
                   "import comparisons that connect them, or use --estimator map",
                   strbuf_text(&one), strbuf_text(&others), strbuf_text(&place));
}

/* Of the two groups at the ends, the smaller is named. */
static enum err_code complain_separated(const struct complaint *complaint, struct error *err) {
    const struct comparison_set *set = complaint->set;
    const int32_t *strong = complaint->graph->strong;
    int64_t first = first_item(complaint);
    int32_t top = strong[first], bottom = strong[first];
    for (int64_t i = first; i < set->item_count; i++) {
        if (set->item_blocks[i] == complaint->block) {
            top = strong[i] < top ? strong[i] : top;
            bottom = strong[i] > bottom ? strong[i] : bottom;
        }
    }
    int64_t top_count = 0, bottom_count = 0, count = 0;
    for (int64_t i = first; i < set->item_count; i++) {
        bool is_ours = set->item_blocks[i] == complaint->block;
        count += is_ours;
        top_count += is_ours && strong[i] == top;
        bottom_count += is_ours && strong[i] == bottom;
    }
    bool is_top = top_count <= bottom_count;
    SCOPED(strbuf) struct strbuf names = STRBUF_INIT(NAMES_BYTES * NAMES_MAX);
    SCOPED(strbuf) struct strbuf others = STRBUF_INIT(NAMES_BYTES * NAMES_MAX);
    SCOPED(strbuf) struct strbuf place = STRBUF_INIT(NAMES_BYTES);
    add_members(complaint, strong, is_top ? top : bottom, true, &names);
    int64_t left = count - (is_top ? top_count : bottom_count);
    if (left == 1) {
        add_members(complaint, strong, is_top ? top : bottom, false, &others);
    } else {
        strbuf_addf(&others, "any of the other %lld", (long long)left);
    }
    add_place(complaint, &place);
    TRY(strbuf_check(&names, "message", err));
    TRY(strbuf_check(&others, "message", err));
    TRY(strbuf_check(&place, "message", err));
    return err_set(
        err, ERR_DATA,
        "no maximum-likelihood estimate: %s never %s %s%s, which only rewards infinitely "
        "far apart explain; use --estimator %s",
        strbuf_text(&names), is_top ? "lost to" : "won against", strbuf_text(&others),
        strbuf_text(&place), complaint->remedy);
}

/* Looks for blocks of more than one group. */
static enum err_code check_groups(const struct comparison_set *set, const struct item_graph *graph,
                                  const char *remedy, struct error *err) {
    SCOPED(mem) int32_t *firsts = mem_array((size_t)set->block_count, sizeof *firsts);
    SCOPED(mem) uint8_t *faults = mem_array_zero((size_t)set->block_count, sizeof *faults);
    if (!firsts || !faults) {
        return err_oom(err, "blocks");
    }
    for (int64_t i = set->item_count - 1; i >= 0; i--) {
        firsts[set->item_blocks[i]] = (int32_t)i;
    }
    enum { SEPARATED = 1, UNCONNECTED = 2 };
    for (int64_t i = 0; i < set->item_count; i++) {
        int32_t block = set->item_blocks[i];
        faults[block] |= graph->strong[i] != graph->strong[firsts[block]] ? SEPARATED : 0;
        faults[block] |= graph->weak[i] != graph->weak[firsts[block]] ? UNCONNECTED : 0;
    }
    struct complaint complaint = {.set = set, .graph = graph, .block = -1, .remedy = remedy};
    for (int64_t b = set->block_count - 1; b >= 0; b--) {
        complaint.block = faults[b] != 0 ? (int32_t)b : complaint.block;
        complaint.blocks_bad += faults[b] != 0;
    }
    if (complaint.blocks_bad == 0) {
        return ERR_OK;
    }
    bool is_connected = (faults[complaint.block] & UNCONNECTED) == 0;
    return is_connected ? complain_separated(&complaint, err)
                        : complain_unconnected(&complaint, err);
}

enum err_code tabular_check_estimable(const struct comparison_set *set, bool ties_connect,
                                      struct error *err) {
    SCOPED(item_graph) struct item_graph graph = ITEM_GRAPH_INIT;
    TRY(item_graph_of_set(&graph, set, ties_connect, err));
    TRY(item_graph_find_groups(&graph, err));
    return check_groups(set, &graph, "map", err);
}

enum err_code tabular_check_pairs(const struct comparison_set *set, const struct pair_table *table,
                                  const struct tabular_options *options, struct error *err) {
    if (options->estimator != TABULAR_MAXIMUM_POSTERIOR) {
        bool both_ways = options->estimator == TABULAR_FIRTH;
        bool can_firth = options->model == TABULAR_BRADLEY_TERRY;
        SCOPED(item_graph) struct item_graph graph = ITEM_GRAPH_INIT;
        TRY(item_graph_of_pairs(&graph, table, both_ways, err));
        TRY(item_graph_find_groups(&graph, err));
        TRY(check_groups(set, &graph, can_firth ? "map or firth" : "map", err));
    }
    if (options->position_effect || pair_has_ties(options->model)) {
        TRY(parameter_cone_check(table, options, err));
    }
    return ERR_OK;
}
