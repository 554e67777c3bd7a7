/* advantage.h - how much better each sampled token was than expected: what its log-probability is
 * pushed up by.
 *
 * Use:      const struct advantage_options options = advantage_defaults(ADVANTAGE_RLOO);
 *           TRY(advantage_check(&options, group_size, err));
 *           TRY(advantage_compute(&options, &input, &output, &stats, err));
 * Scalar:   reward and costs meet in R = r - sum of costs before anything is normalised; a
 *           normalised reward with costs beside it would change beta from prompt to prompt.
 * Kinds:    A_t = scale (R_i - mean of the other R of the group - b_t), with b_t the correction of
 *           token t (regulariser.h), G completions of a prompt, and a scale of
 *             rloo                  1
 *             grpo                  (1 - 1 / G) / (std + std_epsilon), std over G - 1
 *             dr_grpo               1 - 1 / G
 *             reinforce_baseline    1 - 1 / G
 *           for R_i - mean = (1 - 1 / G)(R_i - mean of the others). And with rho_t = -cost_t, plus
 *           r at the last token of a completion, by steps backwards from it,
 *             gae        delta_t = rho_t + gamma V_(t+1) - V_t,  V = 0 after the last token,
 *                        E_t = delta_t + gamma lambda E_(t+1),  returns E_t + V_t,  A_t = E_t - b_t
 *             reinforce  the same with V = 0 and lambda 1: returns to go
 *           Whitened: (A - mean) / sqrt(var + 1e-8) over all tokens, var over T - 1; it divides the
 *           scales too. They say what whatever joins the advantages, or the loss, has to be
 *           multiplied by to keep its proportion.
 * Flat:     a group whose R all agree, up to what float log-probabilities round off, teaches
 *           nothing about rewards. Judged on R, not on r: equal rewards still have costs to learn
 *           from. grpo, which would divide rounding by rounding, gives it scale 0.
 * Source:   Ahmadian et al. 2024 (RLOO), arXiv 2402.14740; Shao et al. 2024 (GRPO), arXiv
 *           2402.03300; Liu et al. 2025 (Dr. GRPO), arXiv 2503.20783; Hu 2025 (REINFORCE++), arXiv
 *           2501.03262; Schulman et al. 2016 (GAE), arXiv 1506.02438.
 * Legend:   completions.h: S, T, G, P. All in nats.
 * Owns:     nothing; the arrays are the caller's.
 * Threads:  no state.
 */
#ifndef TRAINER_ADVANTAGE_H
#define TRAINER_ADVANTAGE_H

#include "base/error.h"
#include "trainer/completions.h"

#include <stdbool.h>
#include <stdint.h>

#define ADVANTAGE_KINDS(X)                      \
    X(RLOO, "rloo")                             \
    X(GRPO, "grpo")                             \
    X(DR_GRPO, "dr-grpo")                       \
    X(REINFORCE, "reinforce")                   \
    X(REINFORCE_BASELINE, "reinforce-baseline") \
    X(GAE, "gae")

enum advantage_kind {
#define ADVANTAGE_ENUM(name, text) ADVANTAGE_##name,
    ADVANTAGE_KINDS(ADVANTAGE_ENUM)
#undef ADVANTAGE_ENUM
        ADVANTAGE_KIND_COUNT
};

struct advantage_options {
    enum advantage_kind kind;
    bool whiten;        /* over all tokens, after everything else */
    double gamma;       /* reinforce, gae: in (0, 1] */
    double lambda;      /* gae: in [0, 1] */
    double std_epsilon; /* grpo: > 0, nats */
};

/* "rloo" and the others, by enum value. */
extern const char *const advantage_kind_names[ADVANTAGE_KIND_COUNT];

/* As published: whitened are reinforce, reinforce_baseline and gae; gamma 1, lambda 0.95,
 * std_epsilon 1e-6. */
struct advantage_options advantage_defaults(enum advantage_kind kind);

/*   fails  ERR_CONFIG: a number out of range; a group of one where others are the baseline */
ERR_NODISCARD enum err_code advantage_check(const struct advantage_options *options,
                                            int64_t group_size, struct error *err);

struct advantage_input {
    struct completions completions;
    const double *rewards;     /* [S] */
    const double *costs;       /* [T] */
    const double *corrections; /* [T], or NULL: one beta, or expected costs */
    const double *values;      /* [T] gae: of the state before each token; else NULL */
};

struct advantage_output {
    double *joined;     /* [S] R */
    double *advantages; /* [T] */
    double *scales;     /* [S] what a nat of R counts in the advantages */
    double *returns;    /* [T] gae: what values are fitted to; else NULL */
};

struct advantage_stats {
    double reward_mean, joined_mean;
    double reward_std, joined_std; /* mean over groups of the deviation in them; NaN for G = 1 */
    int64_t groups, flat_groups;
};

/*   fails  ERR_DATA: a reward, cost or value that is not finite, naming its completion;
 *          ERR_INTERNAL: completions that are no whole groups; the outputs are untouched then */
ERR_NODISCARD enum err_code advantage_compute(const struct advantage_options *options,
                                              const struct advantage_input *input,
                                              const struct advantage_output *output,
                                              struct advantage_stats *out_stats, struct error *err);

/* (x - mean) / sqrt(var + 1e-8), var over count - 1; one number alone becomes 0. Returns the
 * divisor. */
double advantage_whiten(double *values, int64_t count);

#endif
