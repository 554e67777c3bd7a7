/* objective_policy.h - the loss of a policy gradient in the log-probabilities of sampled tokens,
 * and its slopes.
 *
 * Use:      struct policy_stats stats = {.units = 0};
 *           memset(slopes, 0, ...);
 *           loss += objective_policy(&options, &batch, slopes, &stats);
 *           ... backward with the sum of logp_t * slopes_t, the slopes constants ...
 * Loss:     sum over tokens of w_i f_t; w_i by `aggregation`, of the whole optimiser step, so that
 *           micro-batches add up to it.
 *             no ratio  f_t = -A_t ln pi(a_t): right on the policy's own samples
 *             token     f_t = max(-A_t rho_t, -A_t clip(rho_t, 1 - low, 1 + high)),
 *                       rho_t = pi(a_t) / pi_old(a_t)
 *             sequence  the same with rho of the whole completion, and the mean of f_t over its
 *                       tokens in place of their sum; its slopes are -A_t rho, the derivative of
 *                       that for advantages which are one number for a completion, and with
 *                       different ones the token form (Zheng et al. 2025, GSPO-token)
 *           Dual clip: for A < 0, f_t is at most -A_t dual_clip. ln rho is held within +-20, and
 *           has no slope beyond.
 * Weights:  sequence_sum   1 / S            the policy gradient of E[R]
 *           sequence_mean  1 / (S |y_i|)    GRPO: changes what is optimised, towards long answers
 *                                           where they are bad, and short where they are good
 *           constant       1 / (S L)        Dr. GRPO
 *           tokens         1 / T            DAPO
 *           Preference matching is the sequence sum, or the constant.
 * Source:   Schulman et al. 2017 (PPO), arXiv 1707.06347, eq. 7; Ye et al. 2020 (dual clip), arXiv
 *           1912.09729; Yu et al. 2025 (DAPO), arXiv 2503.14476; GSPO arXiv 2507.18071.
 * Legend:   completions.h; A advantages, nats.
 * Threads:  no state.
 */
#ifndef TRAINER_OBJECTIVE_POLICY_H
#define TRAINER_OBJECTIVE_POLICY_H

#include "base/error.h"
#include "trainer/completions.h"
#include "trainer/regulariser.h"

#include <stdint.h>

#define POLICY_RATIOS(X) \
    X(NONE, "none")      \
    X(TOKEN, "token")    \
    X(SEQUENCE, "sequence")

enum policy_ratio {
#define POLICY_ENUM(name, text) POLICY_RATIO_##name,
    POLICY_RATIOS(POLICY_ENUM)
#undef POLICY_ENUM
        POLICY_RATIO_COUNT
};

#define POLICY_AGGREGATIONS(X)        \
    X(SEQUENCE_SUM, "sequence-sum")   \
    X(SEQUENCE_MEAN, "sequence-mean") \
    X(CONSTANT, "constant")           \
    X(TOKENS, "tokens")

enum policy_aggregation {
#define POLICY_ENUM(name, text) POLICY_##name,
    POLICY_AGGREGATIONS(POLICY_ENUM)
#undef POLICY_ENUM
        POLICY_AGGREGATION_COUNT
};

extern const char *const policy_ratio_names[POLICY_RATIO_COUNT];
extern const char *const policy_aggregation_names[POLICY_AGGREGATION_COUNT];

struct policy_options {
    enum policy_ratio ratio;
    double clip_low, clip_high; /* with a ratio: in (0, 1), > 0 */
    double dual_clip;           /* with a ratio: > 1; infinity: none */
    enum policy_aggregation aggregation;
    double constant_length; /* L, of constant: > 0 tokens */
};

/* No ratio, clips 0.2, no dual clip, sequence sums. */
struct policy_options policy_options_defaults(void);

/*   fails  ERR_CONFIG: a number out of range */
ERR_NODISCARD enum err_code policy_options_check(const struct policy_options *options,
                                                 struct error *err);

/* Completions of one micro-batch, and how many the whole step has. group_size is not read. */
struct policy_batch {
    struct completions completions;
    const double *logp;       /* [T] under the policy that is updated */
    const double *old_logp;   /* [T] when sampled; NULL without ratio: then no ratio in the stats */
    const double *advantages; /* [T] */
    int64_t step_completions, step_tokens;
};

/* Sums over units: tokens, or completions for the ratio of sequences. Divide by `units`; the
 * largest deviation as it is. */
struct policy_stats {
    int64_t units;
    int64_t clipped_low, clipped_high; /* that the clip stopped: TRL's clip_ratio/low, high */
    int64_t clipped_dual;
    double ratio;               /* rho */
    double approx_kl;           /* rho - 1 - ln rho: KL(pi_old | pi), nats, of a unit */
    double ratio_deviation_max; /* |rho - 1|: 0 in the first update, or log-probabilities differ */
};

/* The loss; its derivatives in logp are added to `slopes` [T], its counts to `stats`. */
double objective_policy(const struct policy_options *options, const struct policy_batch *batch,
                        double *slopes, struct policy_stats *stats);

/* w_i: for what else is added to the loss token by token. */
double policy_weight(const struct policy_options *options, const struct policy_batch *batch,
                     int64_t i);

/* Expected costs in the loss (REGULARISER_EXACT_TOKEN): w_i scales_i for each token, to multiply
 * the slopes of regulariser_expected_cost with; of pm, -beta_in times it is the entropy's.
 *   scales  [S] of advantage_compute */
void policy_cost_weights(const struct policy_options *options, const struct policy_batch *batch,
                         const double *scales, double *out_weights);

/* kl in the loss: sum of w_i beta_in k(z_t), k by reg->kl.value, slopes by reg->kl.gradient.
 *   ref_logp  [T] */
double policy_add_kl(const struct policy_options *options, const struct policy_batch *batch,
                     const struct regulariser *reg, const double *ref_logp, double *slopes);

#endif
