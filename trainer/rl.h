/* rl.h - alignment on answers of the model's own, as its files see it. In the tensor half.
 *
 * Files:    recipe_rl.c opens everything and runs the loop; rl_round.c draws answers and judges
 *           them; rl_update.c turns that into gradients; rl_metrics.c says what a step was like,
 *           rl_evaluate.c what the policy says to prompts that nothing is learnt from.
 * Use:      TRY(rl_begin_round(&rl, number, err));                 // then, `updates` times:
 *           TRY(rl_gradients(&rl, step, &row, err));
 * Owns:     struct rl is opened and closed by recipe_rl.c.
 * Threads:  main thread.
 */
#ifndef TRAINER_RL_H
#define TRAINER_RL_H

#include "base/arena.h"
#include "data/epoch_order.h"
#include "reward/reward.h"
#include "trainer/advantage.h"
#include "trainer/align_config.h"
#include "trainer/align_prompts.h"
#include "trainer/align_watch.h"
#include "trainer/objective_policy.h"
#include "trainer/policy_pass.h"
#include "trainer/regulariser.h"
#include "trainer/rollout.h"
#include "trainer/run.h"
#include "trainer/train_loop.h"

/* What the updates of one round share. Arrays of [S] answers and [T] tokens lie in the arena. */
struct rl_round {
    const struct align_prompt **prompts; /* [examples_per_step] */
    struct rollout_request request;
    struct rollout_answers answers;
    double *rewards, *joined, *scales;                                          /* [S] */
    double *old_logp, *logp, *reference_logp;                                   /* [T] */
    double *entropy, *costs, *corrections, *advantages, *slopes, *cost_weights; /* [T] */
    double *old_values, *values, *returns, *value_slopes;                       /* [T] of ppo */
    int64_t *batch_starts; /* [S + 1], of a micro-batch */
    struct advantage_stats stats;
    struct arena arena;
};

/* What an update adds up over its micro-batches. */
struct rl_update {
    bool is_first; /* of the round: the policy is the one that was drawn from */
    double loss;
    struct policy_stats stats;
    double value_loss;
    int64_t values_clipped;
};

/* Where the time of a step goes. */
#define RL_PHASES(X)               \
    X(PACK, "time/pack")           \
    X(ANSWER, "time/answer")       \
    X(REWARD, "time/reward")       \
    X(REFERENCE, "time/reference") \
    X(UPDATE, "time/update")

enum rl_phase {
#define PHASE_ENUM(name, text) RL_##name,
    RL_PHASES(PHASE_ENUM)
#undef PHASE_ENUM
        RL_PHASE_COUNT
};

struct rl_stopwatch {
    int64_t last_ns;
    double seconds[RL_PHASE_COUNT];
};

struct rl {
    struct run *run;
    const struct align_config *config;
    struct rl_stopwatch stopwatch;
    const struct tokenizer *tokenizer;
    struct model *model;
    struct model *reference;     /* NULL: none is needed; the model itself: its adapters off */
    struct model *own_reference; /* what is freed; NULL: nothing */
    struct policy_matching matching;
    struct db *db; /* of tabular rewards */
    struct reward *reward;
    struct reward *held_out; /* NULL: none */
    struct align_prompts prompts;
    struct rollout *rollout;
    struct policy_pass pass, reference_pass;
    struct epoch_order order;
    struct regulariser regulariser;
    struct advantage_options advantage;
    struct policy_options policy;
    struct rl_round round;
    struct rl_update update;
    struct align_watch watch;
};

/* Costs are means over the vocabulary, not those of the tokens that were drawn. */
static inline bool rl_is_exact(const struct rl *rl) {
    return rl->regulariser.estimator == REGULARISER_EXACT_TOKEN;
}

/* The model is a critic too. */
static inline bool rl_has_critic(const struct rl *rl) {
    return rl->config->method == ALIGN_PPO;
}

static inline double rl_mean(const double *values, int64_t count) {
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++) {
        sum += values[i];
    }
    return sum / (double)count;
}

/* --- rl_round.c --- */

/* The prompts of round 0, 1, ..., into rl->round.request. */
void rl_choose_prompts(struct rl *rl, int64_t number);
/* Chooses prompts, draws answers and judges them; rl->round is the round's from then on.
 *   fails  as the decoder and the reward; ERR_DATA for a reward that is not finite */
ERR_NODISCARD enum err_code rl_begin_round(struct rl *rl, int64_t number, struct error *err);

/* Rewards of answers, minus what the configuration charges: out_rewards [S], nats. */
ERR_NODISCARD enum err_code rl_reward(const struct rl *rl, const struct rollout_request *request,
                                      const struct rollout_answers *answers, double *out_rewards,
                                      struct error *err);

/* Answers first .. last - 1 of the round, their tokens counted from 0. */
struct completions rl_completions(struct rl *rl, int64_t first, int64_t last);

/* What has passed since the last call is the phase's. */
void rl_lap(struct rl *rl, enum rl_phase phase);

/* --- rl_update.c: the functions of struct train_recipe --- */

ERR_NODISCARD enum err_code rl_gradients(void *context, int64_t step, struct train_row *out_row,
                                         struct error *err);
int64_t rl_step_tokens(void *context, int64_t step);

/* --- rl_metrics.c --- */

/* A round's signs, for the alarms. */
void rl_watch_round(struct rl *rl);
void rl_add_metrics(const struct rl *rl, struct train_row *row);

/* --- rl_evaluate.c: of struct train_recipe --- */

ERR_NODISCARD enum err_code rl_evaluate(void *context, int64_t examples, struct train_row *out_row,
                                        struct error *err);

#endif
