/* reward_formula.h - several rewards as one: sums, means, medians, the worst, lower bounds.
 *
 * Use:      SCOPED(reward_formula) struct reward_formula formula = REWARD_FORMULA_INIT;
 *           TRY(reward_formula_parse("worst(fit:a, 0.5*length)", &formula, err));
 *           double values[] = {1.25, 320.0};                      // one a leaf, in order
 *           double reward = reward_formula_value(&formula, values);
 * Grammar:  formula  = [factor "*"] (combination | leaf)
 *           factor   = WEIGHT | WEIGHT "/" SCALE | "/" SCALE      no blanks; SCALE > 0
 *           combination = ("sum" | "mean" | "median" | "worst" | "lcb:" K) "(" formula {","
 * formula}
 *                      ")"
 *           leaf     = a reward of reward_spec.h, or one in '...' or "...", where the quote itself
 *                      is written twice
 *           Blanks around what stands between parentheses do not count. There a leaf holds no
 * comma, no parenthesis and no quote unless it is quoted; outside them it is all the rest of the
 *           text, so that patterns and commands need no quotes. What is quoted is never read as a
 *           factor or a combination.
 * Meaning:  a factor multiplies the reward by WEIGHT / SCALE, each 1 where not said. SCALE is the
 *           temperature that calibrates a reward: dividing by it brings rewards of different models
 *           to one scale, nats. Over n members r_1 ... r_n, their factors applied:
 *               sum     r_1 + ... + r_n, so a weighted sum
 *               mean    sum / n
 *               median  the middle one, or the mean of the middle two
 *               worst   the least
 *               lcb:K   mean - K sd, sd^2 = (1/n) sum (r_i - mean)^2; n >= 2, K >= 0
 *           NaN of any member makes NaN.
 * Source:   worst and lcb (there with the variance): Coste et al. 2023, arXiv 2310.02743; mean,
 *           median and mean minus sd: Eisenstein et al. 2023, arXiv 2312.09244, who also show why
 *           members need one scale.
 * Owns:     its nodes (reward_formula_deinit).
 * Threads:  no state.
 */
#ifndef REWARD_REWARD_FORMULA_H
#define REWARD_REWARD_FORMULA_H

#include "base/error.h"

#include <stdint.h>

#define REWARD_FORMULA_NODES_MAX 64
#define REWARD_FORMULA_DEPTH_MAX 8

enum reward_formula_kind {
    REWARD_FORMULA_LEAF,
    REWARD_FORMULA_SUM,
    REWARD_FORMULA_MEAN,
    REWARD_FORMULA_MEDIAN,
    REWARD_FORMULA_WORST,
    REWARD_FORMULA_LCB,
};

/* A node stands before its members; the first member of node n is n + 1, and the one after member m
 * is nodes[m].end. */
struct reward_formula_node {
    enum reward_formula_kind kind;
    double factor;
    double deviations;    /* LCB: K */
    int64_t end;          /* one behind the last node below it */
    int64_t member_count; /* 0: a leaf */
    int64_t leaf;         /* which leaf, from 0 */
    char *spec;           /* leaf: what is to be opened, owned */
};

struct reward_formula {
    struct reward_formula_node *nodes; /* [node_count] the whole first */
    int64_t node_count, leaf_count;
};

#define REWARD_FORMULA_INIT \
    { .nodes = NULL }

/* `out_formula` is owned (reward_formula_deinit). A text without combination is one leaf.
 *   fails  ERR_CONFIG with the text, the byte and what is wrong there; ERR_OOM */
ERR_NODISCARD enum err_code
reward_formula_parse(const char *text, struct reward_formula *out_formula, struct error *err);
void reward_formula_deinit(struct reward_formula *formula);

/* `values` [leaf_count]. NaN if one of them is. */
double reward_formula_value(const struct reward_formula *formula, const double *values);

static inline void reward_formula_scoped_end(struct reward_formula *formula) {
    reward_formula_deinit(formula);
}

#endif
