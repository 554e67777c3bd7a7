/* align_config.h - the keys of `accord align`: reinforcement learning on answers of the model's
 * own, and objectives that learn straight from the log.
 *
 * Threads:  constant.
 */
#ifndef TRAINER_ALIGN_CONFIG_H
#define TRAINER_ALIGN_CONFIG_H

#include "trainer/regulariser.h"
#include "trainer/reward_fit_config.h"
#include "trainer/train_config.h"

/* Method, its name, what it does. Those that learn from the model's own answers first. */
#define ALIGN_METHODS(X)                                                                        \
    X(RLOO, "rloo", "each sample against the mean of the others (arXiv 2402.14740)")            \
    X(GRPO, "grpo", "over the deviation of the group, token means (arXiv 2402.03300)")          \
    X(DR_GRPO, "dr-grpo", "against the mean of the group, undivided (arXiv 2503.20783)")        \
    X(REINFORCE, "reinforce", "REINFORCE++, whitened over the step (arXiv 2501.03262)")         \
    X(PPO, "ppo", "a critic learns what to expect of each token (arXiv 1707.06347)")            \
    X(LOGVAR, "logvar", "variance within a prompt of reward minus penalty, zero at the target") \
    X(DPO, "dpo", "direct preference optimisation (arXiv 2305.18290)")                          \
    X(IPO, "ipo", "squared distance of the log-ratio to a margin (arXiv 2310.12036)")           \
    X(CDPO, "cdpo", "DPO with smoothed labels")                                                 \
    X(ROBUST_DPO, "robust-dpo", "DPO, unbiased where labels are flipped (arXiv 2403.00409)")    \
    X(KTO, "kto", "answers that are good or bad by themselves (arXiv 2402.01306)")              \
    X(SIMPO, "simpo", "mean log-probabilities and a margin, no reference (arXiv 2405.14734)")   \
    X(ORPO, "orpo", "odds ratio beside imitation, no reference (arXiv 2403.07691)")             \
    X(PM_DPO, "pm-dpo", "odds of answers become those of the people, no reference")

enum align_method {
#define ALIGN_ENUM(name, text, help) ALIGN_##name,
    ALIGN_METHODS(ALIGN_ENUM)
#undef ALIGN_ENUM
        ALIGN_METHOD_COUNT
};

/* Whether the method learns from answers of the model's own. */
static inline bool align_is_on_policy(enum align_method method) {
    return method < ALIGN_DPO;
}

/* --- on-policy -------------------------------------------------------------------------------- */

struct align_rollout_config {
    int64_t samples;        /* G, of a prompt */
    int64_t new_tokens_max; /* of an answer */
    int64_t slots;          /* decoded at a time; 0: all samples of a step, at most 64 */
    double missing_eos_penalty;
    double length_penalty;       /* nats a token */
    int64_t length_penalty_from; /* tokens that cost nothing */
};

struct align_regulariser_config {
    enum regulariser_kind kind;
    double alpha, beta_in, beta_out;
    enum regulariser_estimator estimator;
};

struct align_policy_config {
    int64_t updates; /* of the weights with the samples of a step */
    double clip_low, clip_high;
    double gamma;                                            /* reinforce, ppo */
    bool whiten;                                             /* ppo */
    double gae_lambda, value_clip, value_weight, value_rate; /* ppo */
};

struct align_watch_config {
    int64_t prompts; /* of those for evaluation */
    int64_t samples; /* of each */
    char *held_out;  /* a reward that nothing is learnt from; "": none */
};

/* --- direct ----------------------------------------------------------------------------------- */

struct align_direct_config {
    double beta;                    /* of dpo, cdpo, robust-dpo, ipo and kto */
    double simpo_beta, simpo_gamma; /* gamma in nats */
    double orpo_lambda;
    double desirable, undesirable; /* kto */
    double sft_weight;
    struct reward_loss_config loss;
};

/* --- all -------------------------------------------------------------------------------------- */

struct align_config {
    struct train_config train; /* an example is a prompt, or of direct methods a comparison's */
    enum align_method method;
    char *reference; /* "": the model that training starts from */
    struct reward_data_config data;
    char *reward; /* reward/reward_spec.h */
    struct align_rollout_config rollout;
    struct align_regulariser_config regulariser;
    struct align_policy_config policy;
    struct align_direct_config direct;
    struct align_watch_config watch;
};

/* Of a direct method: whether it measures log-probabilities against those of another model. */
static inline bool align_direct_has_reference(const struct align_config *config) {
    const bool is_plain_pm =
        config->method == ALIGN_PM_DPO && config->regulariser.kind == REGULARISER_PM;
    return config->method != ALIGN_SIMPO && config->method != ALIGN_ORPO && !is_plain_pm;
}

/* Whose log-probabilities distances are measured to. */
static inline const char *align_reference_path(const struct align_config *config) {
    return config->reference[0] ? config->reference : config->train.model;
}

extern const struct config_table align_config_table;
extern const char *const align_method_names[ALIGN_METHOD_COUNT];

#endif
