/* reward_findings.c - see reward_findings.h. */
#include "reward/reward_findings.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "reward/item_graph.h"

#include <math.h>
#include <stdbool.h>

/* ---- the order shown ---- */

/* How many judgements went to the answer shown first, or, if all did to the other, that; 0 where
 * they differ. */
static int64_t count_one_side(const struct comparison_set *set) {
    int64_t sides[2] = {0, 0};
    for (int64_t c = 0; set->positions && c < set->count; c++) {
        const int64_t m = set->starts[c];
        const int32_t better = set->positions[m], worse = set->positions[m + 1];
        const bool is_pair = set->starts[c + 1] - m == 2;
        if (is_pair && better > 0 && worse > 0 && set->ranks[m] != set->ranks[m + 1]) {
            sides[better > worse] += better != worse;
        }
    }
    const int64_t count = sides[0] + sides[1];
    return count >= REWARD_ONE_SIDE_MIN && (sides[0] == 0 || sides[1] == 0) ? count : 0;
}

/* ---- votes ---- */

static double entropy_part(double share) {
    return share > 0.0 ? -share * log(share) : 0.0;
}

/* The votes on one pair: terms of different reliability stand together. */
static void look_at_pairs(const struct reward_terms *terms, struct reward_findings *out) {
    double entropy = 0.0, weight = 0.0;
    bool has_reliabilities = false;
    for (int64_t b = 0; b < terms->block_count; b++) {
        for (int64_t p = terms->pair_starts[b]; p < terms->pair_starts[b + 1];) {
            const struct reward_pair *first = &terms->pairs[p];
            double win = 0.0, loss = 0.0, tie = 0.0;
            for (; p < terms->pair_starts[b + 1] && terms->pairs[p].i == first->i &&
                   terms->pairs[p].j == first->j;
                 p++) {
                win += terms->pairs[p].win;
                loss += terms->pairs[p].loss;
                tie += terms->pairs[p].tie;
                has_reliabilities =
                    has_reliabilities || isfinite(terms->pairs[p].reliability_log_odds);
            }
            const double w = win + loss + tie;
            entropy += w * (entropy_part(win / w) + entropy_part(loss / w) + entropy_part(tie / w));
            weight += w;
            out->counts[REWARD_FINDING_DIVIDED] += (win > 0.0) + (loss > 0.0) + (tie > 0.0) > 1;
        }
    }
    out->pair_loss_min = weight > 0.0 && !has_reliabilities ? entropy / weight : (double)NAN;
}

/* Comparisons that put anything before anything. */
static int64_t count_strict(const struct comparison_set *set) {
    int64_t strict = 0;
    for (int64_t c = 0; c < set->count; c++) {
        strict += set->ranks[set->starts[c]] != set->ranks[set->starts[c + 1] - 1];
    }
    return strict;
}

/* Whether no two items can be reached from each other, from the beaten to the winner. */
static enum err_code is_separable(const struct comparison_set *set,
                                  const struct reward_terms *terms, bool *out_is,
                                  struct error *err) {
    SCOPED(item_graph) struct item_graph graph = ITEM_GRAPH_INIT;
    TRY(item_graph_of_set(&graph, set, terms->options.ties != PAIR_TIES_DROP, err));
    TRY(item_graph_find_groups(&graph, err));
    SCOPED(mem) bool *seen = mem_array_zero((size_t)graph.node_count, sizeof *seen);
    if (!seen) {
        return err_oom(err, "groups of answers");
    }
    *out_is = true;
    for (int64_t i = 0; i < set->item_count; i++) {
        *out_is = *out_is && !seen[graph.strong[i]];
        seen[graph.strong[i]] = true;
    }
    return ERR_OK;
}

enum err_code reward_findings_of(const struct comparison_set *set, const struct reward_terms *terms,
                                 struct reward_findings *out_findings, struct error *err) {
    struct reward_findings findings = {.pair_loss_min = (double)NAN};
    const int64_t strict = count_strict(set);
    bool separable = false;
    TRY(is_separable(set, terms, &separable, err));
    findings.counts[REWARD_FINDING_ONE_SIDE] = count_one_side(set);
    findings.counts[REWARD_FINDING_ONE_PROMPT] = terms->counts.blocks == 1;
    findings.counts[REWARD_FINDING_ONLY_TIES] = strict == 0 ? terms->counts.used : 0;
    findings.counts[REWARD_FINDING_SEPARABLE] = separable && strict > 0 ? terms->counts.used : 0;
    look_at_pairs(terms, &findings);
    *out_findings = findings;
    return ERR_OK;
}

const char *reward_finding_key(enum reward_finding finding) {
    static const char *const keys[] = {
#define REWARD_FINDING_KEY(name, key, text) [REWARD_FINDING_##name] = (key),
        REWARD_FINDINGS(REWARD_FINDING_KEY)
#undef REWARD_FINDING_KEY
    };
    return keys[finding];
}

const char *reward_finding_text(enum reward_finding finding) {
    static const char *const texts[] = {
#define REWARD_FINDING_TEXT(name, key, text) [REWARD_FINDING_##name] = (text),
        REWARD_FINDINGS(REWARD_FINDING_TEXT)
#undef REWARD_FINDING_TEXT
    };
    return texts[finding];
}
