/* policy_pass.h - the log-probabilities of answers under a model, and gradients of sums of them.
 *
 * Use:      SCOPED(policy_pass) struct policy_pass pass = {.model = model, .tokens_max = 512};
 *           const struct policy_texts texts = {.request = &request, .answers = &answers};
 *           TRY(policy_pass_logp(&pass, &texts, &out, err));                  // no gradients
 *           TRY(policy_pass_gradients(&pass, &texts, &weigh, &out, err));
 * Parts:    answers go through the model in micro-batches of whole units: answers, or all answers
 *           to a prompt; at most tokens_max tokens or one longer unit. How they are cut changes
 *           nothing beyond the rounding of matrix products. A prompt is computed once for those of
 *           its answers that are in one batch.
 * Owns:     a batch, kept for the next call, until policy_pass_deinit, which is safe twice.
 * Threads:  as the model.
 */
#ifndef TRAINER_POLICY_PASS_H
#define TRAINER_POLICY_PASS_H

#include "policy/model.h"
#include "policy/packed_batch.h"
#include "trainer/rollout.h"

/* The exact cost of states, beside that of the tokens drawn there (regulariser.h). */
struct policy_matching {
    struct model *reference;
    bool reference_is_base; /* the model itself, its adapters switched off */
    struct tt_matching form;
};

struct policy_pass {
    struct model *model;
    bool is_base;                           /* its adapters switched off */
    const struct policy_matching *matching; /* NULL: no state has a cost but its entropy */
    int64_t tokens_max;
    bool has_values;   /* the model values states: it is a critic too */
    bool whole_groups; /* a unit is all answers to a prompt; else one answer */
    struct packed_batch batch;
    int64_t prefix; /* in the batch: the prompt of the last answer added */
    int64_t tokens; /* computed so far */
};

/* Whose log-probabilities; borrowed. */
struct policy_texts {
    const struct rollout_request *request;
    const struct rollout_answers *answers;
};

/* [T] each, as the answers' tokens; NULL: not wanted. */
struct policy_numbers {
    double *logp_nats;
    double *entropy_nats; /* of the distribution that the token was drawn from */
    double *gain_nats;    /* with `matching`: minus the expected cost of its state */
    double *value_nats;   /* with `has_values`: what is expected of the state before it */
};

/* fails    as model_hidden; ERR_OOM */
ERR_NODISCARD enum err_code policy_pass_logp(struct policy_pass *pass,
                                             const struct policy_texts *texts,
                                             const struct policy_numbers *out, struct error *err);

/* What each token's log-probability, and what its state is worth, is multiplied with: the gradients
 * of SUM slope logp + SUM state_slope (gain with `matching`, else entropy) + SUM value_slope value
 * are added to the model's parameters. */
struct policy_weigh {
    /* Fills slopes of the tokens of answers first .. last - 1, whose log-probabilities are in `out`
     * by now. */
    void (*run)(void *context, int64_t first, int64_t last);
    void *context;
    const double *slopes;       /* [T] */
    const double *state_slopes; /* [T]; NULL: none */
    const double *value_slopes; /* [T] with `has_values`; NULL: none */
};

ERR_NODISCARD enum err_code policy_pass_gradients(struct policy_pass *pass,
                                                  const struct policy_texts *texts,
                                                  const struct policy_weigh *weigh,
                                                  const struct policy_numbers *out,
                                                  struct error *err);

/* Tokens of the largest micro-batch, were all answers of so many tokens. */
int64_t policy_pass_tokens(const struct policy_pass *pass, const struct rollout_request *request,
                           int64_t answer_tokens);
void policy_pass_deinit(struct policy_pass *pass);

static inline void policy_pass_scoped_end(struct policy_pass *pass) {
    policy_pass_deinit(pass);
}

#endif
