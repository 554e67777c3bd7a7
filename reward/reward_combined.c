/* reward_combined.c - see reward_combined.h. */
#include "reward/reward_combined.h"

#include "base/mem.h"
#include "base/scoped.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

struct reward_combined {
    struct reward reward; /* first: what callers hold */
    struct reward_formula formula;
    struct reward *leaves[REWARD_FORMULA_NODES_MAX];
};

static bool has_nan(const double *values, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        if (isnan(values[i])) {
            return true;
        }
    }
    return false;
}

/* `scores` [leaf_count, count] are those of the leaves. */
static enum err_code combine(const struct reward_formula *formula, const double *scores,
                             int64_t count, double *out_rewards, struct error *err) {
    double values[REWARD_FORMULA_NODES_MAX];
    for (int64_t i = 0; i < count; i++) {
        for (int64_t l = 0; l < formula->leaf_count; l++) {
            values[l] = scores[l * count + i];
        }
        out_rewards[i] = reward_formula_value(formula, values);
        if (!isfinite(out_rewards[i]) && !has_nan(values, formula->leaf_count)) {
            return err_set(err, ERR_LIMIT, "the combination of rewards is beyond a double");
        }
    }
    return ERR_OK;
}

static enum err_code reward_combined_score(struct reward *reward, const struct reward_item *items,
                                           int64_t count, double *out_rewards, struct error *err) {
    struct reward_combined *self = (struct reward_combined *)reward;
    const int64_t leaves = self->formula.leaf_count;
    SCOPED(mem) double *scores = mem_array((size_t)(leaves * count), sizeof *scores);
    if (!scores) {
        return err_oom(err, "rewards of a combination");
    }
    for (int64_t l = 0; l < leaves; l++) {
        TRY(reward_score(self->leaves[l], items, count, scores + l * count, err));
    }
    return combine(&self->formula, scores, count, out_rewards, err);
}

static enum err_code reward_combined_finish(struct reward *reward, struct error *err) {
    struct reward_combined *self = (struct reward_combined *)reward;
    for (int64_t l = 0; l < self->formula.leaf_count; l++) {
        TRY(reward_finish(self->leaves[l], err));
    }
    return ERR_OK;
}

static enum err_code reward_combined_hash(struct reward *reward, struct hash_state *state,
                                          struct error *err) {
    struct reward_combined *self = (struct reward_combined *)reward;
    for (int64_t l = 0; l < self->formula.leaf_count; l++) {
        TRY(reward_hash(self->leaves[l], state, err));
    }
    return ERR_OK;
}

static void reward_combined_free(struct reward *reward) {
    struct reward_combined *self = (struct reward_combined *)reward;
    for (int64_t l = 0; l < self->formula.leaf_count; l++) {
        reward_free(self->leaves[l]);
    }
    reward_formula_deinit(&self->formula);
    mem_free(self);
}

enum err_code reward_combined_new(struct reward_formula *formula, struct reward **leaves,
                                  struct reward **out_reward, struct error *err) {
    static const struct reward_class class = {
        .name = "combined",
        .score = reward_combined_score,
        .finish = reward_combined_finish,
        .hash = reward_combined_hash,
        .free = reward_combined_free,
    };
    struct reward_combined *self = mem_array_zero(1, sizeof *self);
    if (!self) {
        return err_oom(err, "reward");
    }
    self->reward.class = &class;
    self->formula = *formula;
    for (int64_t l = 0; l < formula->leaf_count; l++) {
        self->leaves[l] = MOVE(leaves[l]);
    }
    *formula = (struct reward_formula)REWARD_FORMULA_INIT;
    *out_reward = &self->reward;
    return ERR_OK;
}
