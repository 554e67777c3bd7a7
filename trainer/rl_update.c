/* rl_update.c - see rl.h: gradients of a round's answers.
 *
 * One forward pass gives log-probabilities and gradients: for the first update of a round it is
 * also the policy that was drawn from.
 */
#include "trainer/objective_logvar.h"
#include "trainer/objective_value.h"
#include "trainer/rl.h"

#include <string.h>

static double weigh_logvar(struct rl *rl, int64_t first, int64_t last) {
    struct rl_round *round = &rl->round;
    const int64_t begin = round->answers.starts[first];
    const struct logvar_batch batch = {
        .completions = rl_completions(rl, first, last),
        .rewards = round->rewards + first,
        .logp = round->logp + begin,
        .ref_logp = round->reference_logp + begin,
        .step_groups = round->request.prompt_count,
    };
    return objective_logvar(&rl->regulariser, &batch, round->slopes + begin);
}

static double weigh_policy(struct rl *rl, int64_t first, int64_t last) {
    struct rl_round *round = &rl->round;
    const int64_t begin = round->answers.starts[first];
    const struct policy_batch batch = {
        .completions = rl_completions(rl, first, last),
        .logp = round->logp + begin,
        .old_logp = round->old_logp + begin,
        .advantages = round->advantages + begin,
        .step_completions = round->answers.count,
        .step_tokens = rollout_answers_tokens(&round->answers),
    };
    if (rl_is_exact(rl)) {
        double *weights = round->cost_weights + begin;
        policy_cost_weights(&rl->policy, &batch, round->scales + first, weights);
        for (int64_t t = 0; t < round->answers.starts[last] - begin; t++) {
            weights[t] *= rl->reference ? -1.0 : -rl->regulariser.beta_in;
        }
    }
    return objective_policy(&rl->policy, &batch, round->slopes + begin, &rl->update.stats);
}

static double weigh_values(struct rl *rl, int64_t begin, int64_t tokens) {
    struct rl_round *round = &rl->round;
    const double weight = rl->config->policy.value_weight;
    double *slopes = round->value_slopes + begin;
    const struct value_batch batch = {
        .count = tokens,
        .values = round->values + begin,
        .old_values = round->old_values + begin,
        .returns = round->returns + begin,
        .clip = rl->config->policy.value_clip,
        .step_tokens = rollout_answers_tokens(&round->answers),
    };
    memset(slopes, 0, (size_t)tokens * sizeof *slopes);
    const double loss = objective_value(&batch, slopes, &rl->update.values_clipped);
    rl->update.value_loss += loss;
    for (int64_t t = 0; t < tokens; t++) {
        slopes[t] *= weight;
    }
    return weight * loss;
}

/* Slopes of answers first .. last - 1, whose log-probabilities are known by now. */
static void weigh(void *context, int64_t first, int64_t last) {
    struct rl *rl = context;
    struct rl_round *round = &rl->round;
    const int64_t begin = round->answers.starts[first];
    const size_t tokens = (size_t)(round->answers.starts[last] - begin);
    if (rl->update.is_first) {
        memcpy(round->old_logp + begin, round->logp + begin, tokens * sizeof *round->logp);
    }
    memset(round->slopes + begin, 0, tokens * sizeof *round->slopes);
    rl->update.loss += rl->config->method == ALIGN_LOGVAR ? weigh_logvar(rl, first, last)
                                                          : weigh_policy(rl, first, last);
    if (rl_has_critic(rl)) {
        rl->update.loss += weigh_values(rl, begin, (int64_t)tokens);
    }
}

/* --- the step --------------------------------------------------------------------------------- */

enum err_code rl_gradients(void *context, int64_t step, struct train_row *out_row,
                           struct error *err) {
    struct rl *rl = context;
    struct rl_round *round = &rl->round;
    const int64_t updates = rl->config->policy.updates;
    const int64_t tokens_before = rl->pass.tokens + rl->reference_pass.tokens;
    rl->update = (struct rl_update){.is_first = step % updates == 0};
    rl->stopwatch = (struct rl_stopwatch){.last_ns = clock_monotonic_ns(&rl->run->clock)};
    if (rl->update.is_first) {
        TRY(rl_begin_round(rl, step / updates, err));
    }
    const struct policy_texts texts = {&round->request, &round->answers};
    const struct policy_numbers numbers = {
        .logp_nats = round->logp, .entropy_nats = round->entropy, .value_nats = round->values};
    const struct policy_weigh weighing = {
        .run = weigh,
        .context = rl,
        .slopes = round->slopes,
        .state_slopes = rl_is_exact(rl) ? round->cost_weights : NULL,
        .value_slopes = rl_has_critic(rl) ? round->value_slopes : NULL,
    };
    TRY(policy_pass_gradients(&rl->pass, &texts, &weighing, &numbers, err));
    rl_lap(rl, RL_UPDATE);
    if (rl->update.is_first) {
        rl_watch_round(rl);
    }
    rl_add_metrics(rl, out_row);
    out_row->tokens = rl->pass.tokens + rl->reference_pass.tokens - tokens_before;
    return ERR_OK;
}

int64_t rl_step_tokens(void *context, int64_t step) {
    struct rl *rl = context;
    rl_choose_prompts(rl, step / rl->config->policy.updates);
    return policy_pass_tokens(&rl->pass, &rl->round.request, rl->config->rollout.new_tokens_max);
}
