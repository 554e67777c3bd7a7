/* rollout.h - answers of a model in training: drawn, with their log-probabilities, and rewarded.
 *
 * Use:      SCOPED(rollout) struct rollout *rollout = NULL;
 *           TRY(rollout_open(model, &options, &rollout, err));
 *           TRY(rollout_refresh(rollout, err));                      // after the weights moved
 *           TRY(rollout_draw(rollout, &request, &answers, err));     // G answers to each prompt
 *           TRY(rollout_reward(reward, &request, &answers, values, err));
 * Drawn at  temperature 1 from the whole vocabulary: from the policy itself, so that sums of the
 *           decoder's log-probabilities are those of the distribution that was drawn from.
 * Ends:     at the ids that end a turn or a text; that token belongs to the answer, so that when to
 *           end is learnt. An answer of new_tokens_max tokens without one is cut off.
 * Keys:     an answer depends on the weights, (seed, step, place of the prompt in the step, place
 *           of the answer in its group) and nothing else.
 * Owns:     a decoder with its packed weights and cache.
 * Threads:  main thread; a step of the decoder runs a team inside.
 */
#ifndef TRAINER_ROLLOUT_H
#define TRAINER_ROLLOUT_H

#include "base/arena.h"
#include "base/progress.h"
#include "data/chat_encode.h"
#include "policy/model.h"
#include "reward/reward.h"
#include "trainer/align_prompts.h"

struct rollout;

struct rollout_options {
    const struct tokenizer *tokenizer;    /* borrowed */
    const struct chat_template *template; /* static */
    int64_t slots;                        /* answers written at a time */
    int64_t context;                      /* tokens of the longest prompt and answer */
    int64_t new_tokens_max;
    int64_t threads;
    uint64_t seed;
    bool finishes;             /* what is drawn is drawn to its end, whoever interrupts */
    struct progress *progress; /* told how many answers are finished; NULL: nobody */
};

/* fails    as decoder_open and chat_stop_id; the model is borrowed */
ERR_NODISCARD enum err_code rollout_open(struct model *model, const struct rollout_options *options,
                                         struct rollout **out, struct error *err);
void rollout_close(struct rollout *rollout);

/* Takes over the model's weights as they are now. */
ERR_NODISCARD enum err_code rollout_refresh(struct rollout *rollout, struct error *err);

/* Answers are asked for by prompt; G = samples. */
struct rollout_request {
    const struct align_prompt *const *prompts; /* [prompt_count] */
    int64_t prompt_count;
    int64_t samples;
    int64_t step; /* of the key; below 2^40 */
};

/* S = prompts times G answers, those to one prompt together; T tokens laid end to end: answer i is
 * tokens starts[i] .. starts[i + 1] - 1, its end included. */
struct rollout_answers {
    int64_t count;           /* S */
    int64_t *starts;         /* [S + 1] */
    int32_t *ids;            /* [T] */
    double *logp_nats;       /* [T], of the distribution that was drawn from */
    bool *ended;             /* [S] by a token that ends; else cut off */
    struct text_span *texts; /* [S], decoded, without special tokens */
    struct arena arena;      /* holds all of it */
};

/* T; 0 of what was not drawn. */
static inline int64_t rollout_answers_tokens(const struct rollout_answers *answers) {
    return answers->starts ? answers->starts[answers->count] : 0;
}

#define ROLLOUT_ANSWERS_INIT \
    { .arena = ARENA_INIT(SIZE_MAX) }

/* Replaces `answers`.
 *   fails    as decoder_step; ERR_OOM */
ERR_NODISCARD enum err_code rollout_draw(struct rollout *rollout,
                                         const struct rollout_request *request,
                                         struct rollout_answers *answers, struct error *err);
void rollout_answers_deinit(struct rollout_answers *answers);

/* Their rewards [S] in nats.
 *   fails    ERR_DATA for one that is not a number, with the answer; as reward_score */
ERR_NODISCARD enum err_code rollout_reward(struct reward *reward,
                                           const struct rollout_request *request,
                                           const struct rollout_answers *answers,
                                           double *out_rewards, struct error *err);

static inline void rollout_scoped_end(struct rollout **rollout) {
    rollout_close(*rollout);
}
static inline void rollout_answers_scoped_end(struct rollout_answers *answers) {
    rollout_answers_deinit(answers);
}

#endif
