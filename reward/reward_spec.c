/* reward_spec.c - see reward_spec.h. */
#include "reward/reward_spec.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "reward/reward_combined.h"
#include "reward/reward_command.h"
#include "reward/reward_rule.h"
#include "reward/reward_tabular.h"

#include <string.h>

#define COMMAND_WORD "command:"
#define FIT_WORD     "fit:"
#define LM_WORD      "lm:"

static bool is_fit(const char *spec) {
    return strcmp(spec, "fit") == 0 || strncmp(spec, FIT_WORD, strlen(FIT_WORD)) == 0;
}

static enum err_code open_lm(const struct reward_sources *sources, const char *folder,
                             struct reward **out_reward, struct error *err) {
    if (!sources->open_lm) {
        return err_set(err, ERR_UNAVAILABLE, "no language model can give rewards here");
    }
    return sources->open_lm(sources->context, folder, out_reward, err);
}

static enum err_code open_leaf(const char *spec, const struct reward_sources *sources,
                               struct reward **out_reward, struct error *err) {
    if (strncmp(spec, COMMAND_WORD, strlen(COMMAND_WORD)) == 0) {
        struct reward_command_options options = REWARD_COMMAND_OPTIONS_DEFAULT;
        options.finishes = sources->finishes;
        return reward_command_open(spec + strlen(COMMAND_WORD), &options, out_reward, err);
    }
    if (is_fit(spec)) {
        const char *name = strchr(spec, ':');
        return reward_tabular_open(sources->db, name ? name + 1 : NULL, out_reward, err);
    }
    if (strncmp(spec, LM_WORD, strlen(LM_WORD)) == 0) {
        return open_lm(sources, spec + strlen(LM_WORD), out_reward, err);
    }
    return reward_rule_open(spec, out_reward, err);
}

struct leaves {
    struct reward *list[REWARD_FORMULA_NODES_MAX];
    int64_t count;
};

static void leaves_scoped_end(struct leaves *leaves) {
    for (int64_t l = 0; l < leaves->count; l++) {
        reward_free(leaves->list[l]);
    }
}

enum err_code reward_spec_open(const char *spec, const struct reward_sources *sources,
                               struct reward **out_reward, struct error *err) {
    SCOPED(reward_formula) struct reward_formula formula = REWARD_FORMULA_INIT;
    SCOPED(leaves) struct leaves leaves = {.count = 0};
    TRY(reward_formula_parse(spec, &formula, err));
    for (int64_t n = 0; n < formula.node_count; n++) {
        const struct reward_formula_node *node = &formula.nodes[n];
        if (node->kind == REWARD_FORMULA_LEAF) {
            TRY(open_leaf(node->spec, sources, &leaves.list[leaves.count], err));
            leaves.count++;
        }
    }
    if (formula.node_count == 1 && formula.nodes[0].factor == 1.0) {
        *out_reward = MOVE(leaves.list[0]);
        return ERR_OK;
    }
    return reward_combined_new(&formula, leaves.list, out_reward, err);
}

enum err_code reward_spec_has_fit(const char *spec, bool *out_has, struct error *err) {
    SCOPED(reward_formula) struct reward_formula formula = REWARD_FORMULA_INIT;
    TRY(reward_formula_parse(spec, &formula, err));
    *out_has = false;
    for (int64_t n = 0; n < formula.node_count; n++) {
        *out_has = *out_has || (formula.nodes[n].spec && is_fit(formula.nodes[n].spec));
    }
    return ERR_OK;
}
