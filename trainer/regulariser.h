/* regulariser.h - what a reward is balanced with, as a cost in nats of each sampled token: the
 * distance to a reference, the entropy (preference matching), or either, token by token.
 *
 * Use:      const struct regulariser reg = {
 *               .kind = REGULARISER_CPM, .alpha = 0.05, .beta_in = 1.0, .beta_out = 1.0};
 *           TRY(regulariser_check(&reg, err));
 *           regulariser_costs(&reg, tokens, logp, ref_logp, costs, corrections);
 *           ... advantage_compute() joins the costs with the rewards ...
 * Objective: J = E[ r(y) - sum over t of cost_t ],
 *               cost_t = beta_t (ln pi(a_t | s_t) - ln w(a_t | s_t))
 *             kl   w = ref, beta_in                      optimum ref(y) e^(r / beta) / Z
 *             pm   w = 1, beta_in; no reference          optimum e^(r / beta) / Z
 *             cpm  inside, ln ref(a_t | s_t) > ln alpha: w = 1, beta_in; else w = ref, beta_out
 * Gradient: with one beta the costs are a reward like any other, detached from the policy. With
 *           two, the derivative of the costs themselves does not vanish on average: beta(a_t)
 *           comes off the advantage of token t, and of that token only. Its mean over actions is
 *           nothing, so beta(a_t) - beta_in does as well, which is 0 inside and with one beta: the
 *           corrections.
 * Exact:    the mean cost of a state over all tokens in place of that of the sampled one
 *           (regulariser_expected_cost): passed to advantage_compute as the costs, without
 *           corrections, and its slopes added to the loss. All costs of a state's past, and its
 *           own mean, do not depend on the token sampled there: they are a baseline. It takes the
 *           noise of the token drawn away. At the optimum of one beta that noise and the reward's
 *           cancel, and sampled costs are the better ones.
 * KL:       z = ln pi - ln ref of a sampled token estimates KL(pi | ref) as
 *               k1 = z      k2 = z^2 / 2      k3 = e^-z - 1 + z
 *           k1 is unbiased and may be negative; k3 is unbiased and never is; k2 is biased. As a
 *           detached reward k1 is right, and the others are not. In the loss the slope counts: that
 *           of k1 is nothing on average, that of k2 is the gradient of KL(pi | ref) on samples of
 *           pi, that of k3 is the gradient of KL(ref | pi), which is GRPO's.
 * Source:   Xiao et al. 2024, "On the Algorithmic Bias of Aligning Large Language Models with
 *           RLHF" (preference matching), arXiv 2405.16455; Schulman 2020, "Approximating KL
 *           divergence" (k1, k2, k3). docs/methods/preference_matching.md
 * Legend:   pi policy, ref reference, a_t token, s_t what precedes it, V tokens of the vocabulary.
 * Threads:  no state.
 */
#ifndef TRAINER_REGULARISER_H
#define TRAINER_REGULARISER_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define REGULARISER_KINDS(X) \
    X(KL, "kl")              \
    X(PM, "pm")              \
    X(CPM, "cpm")

enum regulariser_kind {
#define REGULARISER_ENUM(name, text) REGULARISER_##name,
    REGULARISER_KINDS(REGULARISER_ENUM)
#undef REGULARISER_ENUM
        REGULARISER_KIND_COUNT
};

/* Of a state's cost: that of the token sampled there, or the mean over the vocabulary. */
#define REGULARISER_ESTIMATORS(X) \
    X(SAMPLED, "sampled")         \
    X(EXACT_TOKEN, "exact_token")

enum regulariser_estimator {
#define REGULARISER_ENUM(name, text) REGULARISER_##name,
    REGULARISER_ESTIMATORS(REGULARISER_ENUM)
#undef REGULARISER_ENUM
        REGULARISER_ESTIMATOR_COUNT
};

#define KL_ESTIMATORS(X) \
    X(K1, "k1")          \
    X(K2, "k2")          \
    X(K3, "k3")

enum kl_estimator {
#define KL_ENUM(name, text) KL_##name,
    KL_ESTIMATORS(KL_ENUM)
#undef KL_ENUM
        KL_ESTIMATOR_COUNT
};

/* Of kind kl. All zero: in the reward, by k1. */
struct kl_form {
    bool is_loss;               /* beside the policy's loss; else in the reward */
    enum kl_estimator value;    /* what is reported, and in the reward; there k1 */
    enum kl_estimator gradient; /* in the loss, k2 or k3; in the reward k1 */
};

struct regulariser {
    enum regulariser_kind kind;
    double alpha;    /* cpm: in (0, 1) */
    double beta_in;  /* >= 0; cpm: of tokens inside, else of all */
    double beta_out; /* >= 0; cpm: of tokens outside */
    enum regulariser_estimator estimator;
    struct kl_form kl;
};

/* "kl", "sampled", "k1" and the others, by enum value; for FIELD_ENUM. */
extern const char *const regulariser_kind_names[REGULARISER_KIND_COUNT];
extern const char *const regulariser_estimator_names[REGULARISER_ESTIMATOR_COUNT];
extern const char *const kl_estimator_names[KL_ESTIMATOR_COUNT];

/*   fails  ERR_CONFIG, naming the number and its range, or an estimator that would regularise
 *          nothing or towards something else */
ERR_NODISCARD enum err_code regulariser_check(const struct regulariser *reg, struct error *err);

/* False for pm: its costs read no reference, and ref_logp may be NULL below. */
bool regulariser_needs_reference(const struct regulariser *reg);

/* Whether the weight of a token is beta_in; strict at alpha. */
bool regulariser_is_inside(const struct regulariser *reg, double ref_logp);

/* Costs of sampled tokens, and what comes off their own advantages.
 *   logp, ref_logp   [count] nats, of the policy that sampled them
 *   out_costs        [count] nats; 0 for kl in the loss
 *   out_corrections  [count] nats: beta(a_t) - beta_in; may be NULL */
void regulariser_costs(const struct regulariser *reg, int64_t count, const double *logp,
                       const double *ref_logp, double *out_costs, double *out_corrections);

/* The mean cost of one state over its next token: -beta H for pm, beta KL for kl.
 *   logp, ref_logp  [vocab] nats, of every token
 *   out_slopes      [vocab] its derivatives in the logits; may be NULL */
double regulariser_expected_cost(const struct regulariser *reg, int64_t vocab, const double *logp,
                                 const double *ref_logp, double *out_slopes);

/* An estimate of KL(pi | ref) in nats from z = ln pi - ln ref, and its derivative in ln pi. */
double kl_estimate(enum kl_estimator estimator, double z);
double kl_slope(enum kl_estimator estimator, double z);

#endif
