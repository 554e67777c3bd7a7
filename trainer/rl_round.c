/* rl_round.c - see rl.h: answers, rewards, advantages. */
#include "trainer/rl.h"

struct completions rl_completions(struct rl *rl, int64_t first, int64_t last) {
    struct rl_round *round = &rl->round;
    for (int64_t i = first; i <= last; i++) {
        round->batch_starts[i - first] = round->answers.starts[i] - round->answers.starts[first];
    }
    return (struct completions){.starts = round->batch_starts,
                                .count = last - first,
                                .group_size = rl->config->rollout.samples};
}

void rl_lap(struct rl *rl, enum rl_phase phase) {
    const int64_t now_ns = clock_monotonic_ns(&rl->run->clock);
    rl->stopwatch.seconds[phase] +=
        (double)(now_ns - rl->stopwatch.last_ns) / (double)CLOCK_NS_PER_S;
    rl->stopwatch.last_ns = now_ns;
}

void rl_choose_prompts(struct rl *rl, int64_t number) {
    struct rl_round *round = &rl->round;
    const int64_t count = rl->config->train.examples_per_step;
    for (int64_t i = 0; i < count; i++) {
        const int64_t place = epoch_order_at(&rl->order, number * count + i);
        round->prompts[i] = &rl->prompts.list[PROMPT_TRAINING][place];
    }
    round->request = (struct rollout_request){
        .prompts = round->prompts,
        .prompt_count = count,
        .samples = rl->config->rollout.samples,
        .step = number,
    };
}

/* Room for the numbers of S answers of T tokens. */
static enum err_code make_room(struct rl_round *round, struct error *err) {
    const size_t answers = (size_t)round->answers.count;
    const size_t tokens = (size_t)round->answers.starts[answers];
    double **const of_answers[] = {&round->rewards, &round->joined, &round->scales};
    double **const of_tokens[] = {&round->old_logp,    &round->logp,   &round->reference_logp,
                                  &round->entropy,     &round->costs,  &round->corrections,
                                  &round->advantages,  &round->slopes, &round->cost_weights,
                                  &round->old_values,  &round->values, &round->returns,
                                  &round->value_slopes};
    bool has_room = false;
    arena_reset(&round->arena);
    round->batch_starts = arena_array(&round->arena, answers + 1, sizeof *round->batch_starts);
    has_room = round->batch_starts != NULL;
    for (size_t i = 0; i < sizeof of_answers / sizeof *of_answers; i++) {
        *of_answers[i] = arena_array(&round->arena, answers, sizeof(double));
        has_room = has_room && *of_answers[i];
    }
    for (size_t i = 0; i < sizeof of_tokens / sizeof *of_tokens; i++) {
        *of_tokens[i] = arena_array(&round->arena, tokens, sizeof(double));
        has_room = has_room && *of_tokens[i];
    }
    return has_room ? ERR_OK : err_oom(err, "the numbers of a round");
}

/* What the configuration takes off rewards: for length, and for having no end. */
static void charge(const struct rl *rl, const struct rollout_answers *answers, double *rewards) {
    const struct align_rollout_config *config = &rl->config->rollout;
    for (int64_t i = 0; i < answers->count; i++) {
        const int64_t tokens = answers->starts[i + 1] - answers->starts[i];
        const int64_t charged = tokens - config->length_penalty_from;
        rewards[i] -= charged > 0 ? config->length_penalty * (double)charged : 0.0;
        rewards[i] -= answers->ended[i] ? 0.0 : config->missing_eos_penalty;
    }
}

enum err_code rl_reward(const struct rl *rl, const struct rollout_request *request,
                        const struct rollout_answers *answers, double *out_rewards,
                        struct error *err) {
    TRY(rollout_reward(rl->reward, request, answers, out_rewards, err));
    charge(rl, answers, out_rewards);
    return ERR_OK;
}

/* What the policy itself says of the states that tokens were drawn in, where that is asked for. */
static enum err_code look_at_states(struct rl *rl, const struct policy_texts *texts,
                                    struct error *err) {
    struct rl_round *round = &rl->round;
    const struct policy_numbers numbers = {
        .entropy_nats = round->entropy, .gain_nats = round->costs, .value_nats = round->old_values};
    const bool is_asked = rl_is_exact(rl) || rl_has_critic(rl);
    return is_asked ? policy_pass_logp(&rl->pass, texts, &numbers, err) : ERR_OK;
}

/* Of the drawn tokens by the decoder's log-probabilities, which are those of the distribution that
 * they were drawn from; or of their states, by the entropy. */
static void price_tokens(struct rl *rl) {
    struct rl_round *round = &rl->round;
    const int64_t tokens = rollout_answers_tokens(&round->answers);
    if (!rl_is_exact(rl)) {
        regulariser_costs(&rl->regulariser, tokens, round->answers.logp_nats, round->reference_logp,
                          round->costs, round->corrections);
        return;
    }
    for (int64_t t = 0; t < tokens; t++) {
        round->costs[t] =
            rl->reference ? -round->costs[t] : -rl->regulariser.beta_in * round->entropy[t];
    }
}

static enum err_code judge_round(struct rl *rl, struct error *err) {
    struct rl_round *round = &rl->round;
    const struct rollout_answers *answers = &round->answers;
    const struct policy_texts texts = {&round->request, answers};
    const struct policy_numbers reference = {.logp_nats = round->reference_logp};
    TRY(rl_reward(rl, &round->request, answers, round->rewards, err));
    rl_lap(rl, RL_REWARD);
    if (rl->reference) {
        TRY(policy_pass_logp(&rl->reference_pass, &texts, &reference, err));
    }
    rl_lap(rl, RL_REFERENCE);
    TRY(look_at_states(rl, &texts, err));
    price_tokens(rl);
    const struct advantage_input input = {
        .completions = rl_completions(rl, 0, answers->count),
        .rewards = round->rewards,
        .costs = round->costs,
        .corrections = rl_is_exact(rl) ? NULL : round->corrections,
        .values = rl_has_critic(rl) ? round->old_values : NULL,
    };
    const struct advantage_output output = {
        .joined = round->joined,
        .advantages = round->advantages,
        .scales = round->scales,
        .returns = rl_has_critic(rl) ? round->returns : NULL,
    };
    return advantage_compute(&rl->advantage, &input, &output, &round->stats, err);
}

enum err_code rl_begin_round(struct rl *rl, int64_t number, struct error *err) {
    rl_choose_prompts(rl, number);
    TRY(rollout_refresh(rl->rollout, err));
    rl_lap(rl, RL_PACK);
    TRY(rollout_draw(rl->rollout, &rl->round.request, &rl->round.answers, err));
    rl_lap(rl, RL_ANSWER);
    TRY(make_room(&rl->round, err));
    return judge_round(rl, err);
}
