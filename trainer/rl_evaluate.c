/* rl_evaluate.c - see rl.h: what the policy says to prompts that nothing is learnt from. */
#include "base/mem.h"
#include "base/scoped.h"
#include "base/utf8.h"
#include "trainer/policy_measures.h"
#include "trainer/rl.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define WATCH_STEP  ((INT64_C(1) << 40) - 1) /* of the keys of answers nothing is learnt from */
#define TEXTS_SHOWN 2

/* What the policy says to prompts that nothing is learnt from, the same ones every time. */
struct viewing {
    const struct align_prompt **prompts;
    struct rollout_request request;
    struct rollout_answers answers;
    double *rewards, *held_out, *reference_logp;
};

static void viewing_scoped_end(struct viewing *viewing) {
    mem_free(viewing->prompts);
    mem_free(viewing->rewards);
    mem_free(viewing->held_out);
    mem_free(viewing->reference_logp);
    rollout_answers_deinit(&viewing->answers);
}

static enum err_code view_prompts(struct rl *rl, int64_t count, struct viewing *viewing,
                                  struct error *err) {
    viewing->prompts = mem_array((size_t)count, sizeof(struct align_prompt *));
    if (!viewing->prompts) {
        return err_oom(err, "prompts of the evaluation");
    }
    for (int64_t i = 0; i < count; i++) {
        viewing->prompts[i] = &rl->prompts.list[PROMPT_VALIDATION][i];
    }
    viewing->request = (struct rollout_request){.prompts = viewing->prompts,
                                                .prompt_count = count,
                                                .samples = rl->config->watch.samples,
                                                .step = WATCH_STEP};
    TRY(rollout_refresh(rl->rollout, err));
    return rollout_draw(rl->rollout, &viewing->request, &viewing->answers, err);
}

static enum err_code view_rewards(struct rl *rl, struct viewing *viewing, struct error *err) {
    const struct rollout_answers *answers = &viewing->answers;
    const size_t count = (size_t)answers->count;
    const size_t tokens = (size_t)rollout_answers_tokens(answers);
    viewing->rewards = mem_array(count, sizeof *viewing->rewards);
    viewing->held_out = mem_array(count, sizeof *viewing->held_out);
    viewing->reference_logp = mem_array(tokens, sizeof *viewing->reference_logp);
    if (!viewing->rewards || !viewing->held_out || !viewing->reference_logp) {
        return err_oom(err, "numbers of the evaluation");
    }
    TRY(rl_reward(rl, &viewing->request, answers, viewing->rewards, err));
    if (rl->held_out) {
        TRY(rollout_reward(rl->held_out, &viewing->request, answers, viewing->held_out, err));
    }
    if (rl->reference) {
        const struct policy_texts texts = {&viewing->request, answers};
        const struct policy_numbers numbers = {.logp_nats = viewing->reference_logp};
        TRY(policy_pass_logp(&rl->reference_pass, &texts, &numbers, err));
    }
    return ERR_OK;
}

static struct policy_sample sample_of(const struct rl *rl, const struct viewing *viewing) {
    const struct rollout_answers *answers = &viewing->answers;
    return (struct policy_sample){
        .completions = {.starts = answers->starts,
                        .count = answers->count,
                        .group_size = viewing->request.samples},
        .ids = answers->ids,
        .ended = answers->ended,
        .logp = answers->logp_nats,
        .reference_logp = rl->reference ? viewing->reference_logp : NULL,
        .rewards = viewing->rewards,
        .held_out = rl->held_out ? viewing->held_out : NULL,
        .beta = rl->regulariser.beta_in > 0.0 ? rl->regulariser.beta_in : 1.0,
    };
}

/* Reward minus costs: what is maximised, so that less of its negative is better. */
static enum err_code objective_mean(struct rl *rl, const struct viewing *viewing, double *out_mean,
                                    struct error *err) {
    const struct rollout_answers *answers = &viewing->answers;
    const int64_t tokens = rollout_answers_tokens(answers);
    SCOPED(mem) double *costs = mem_array((size_t)tokens, sizeof *costs);
    if (!costs) {
        return err_oom(err, "costs of tokens");
    }
    struct regulariser sampled = rl->regulariser;
    sampled.estimator = REGULARISER_SAMPLED;
    regulariser_costs(&sampled, tokens, answers->logp_nats, viewing->reference_logp, costs, NULL);
    *out_mean = rl_mean(viewing->rewards, answers->count) -
                rl_mean(costs, tokens) * (double)tokens / (double)answers->count;
    return ERR_OK;
}

static void show_answers(const struct rl *rl, const struct viewing *viewing) {
    for (int64_t g = 0; g < viewing->request.prompt_count && g < TEXTS_SHOWN; g++) {
        char excerpt[UTF8_EXCERPT_BYTES];
        const int64_t i = g * viewing->request.samples;
        const struct text_span text = viewing->answers.texts[i];
        log_info(rl->run->log, "align", "prompt %" PRId64 ", reward %.2f: %s",
                 viewing->prompts[g]->id, viewing->rewards[i],
                 utf8_excerpt(text.bytes, text.count, excerpt));
    }
}

enum err_code rl_evaluate(void *context, int64_t examples, struct train_row *out_row,
                          struct error *err) {
    static const char *const names[POLICY_MEASURE_COUNT] = {
#define EVAL_NAME(name, text) "eval_" text,
        POLICY_MEASURES(EVAL_NAME)
#undef EVAL_NAME
    };
    struct rl *rl = context;
    double objective = 0.0;
    double values[POLICY_MEASURE_COUNT];
    SCOPED(viewing) struct viewing viewing = {.answers = ROLLOUT_ANSWERS_INIT};
    TRY(view_prompts(rl, examples, &viewing, err));
    TRY(view_rewards(rl, &viewing, err));
    TRY(objective_mean(rl, &viewing, &objective, err));
    const struct policy_sample sample = sample_of(rl, &viewing);
    TRY(policy_measures_mean(&sample, values, err));
    train_row_add(out_row, "eval_loss", -objective);
    for (int64_t m = 0; m < POLICY_MEASURE_COUNT; m++) {
        const bool is_measured = m == POLICY_MEASURE_KL         ? rl->reference != NULL
                                 : m == POLICY_MEASURE_HELD_OUT ? rl->held_out != NULL
                                                                : !policy_measure_is_of_pool(m);
        if (is_measured) {
            train_row_add(out_row, names[m], values[m]);
        }
    }
    if (rl->reference) {
        train_row_add(out_row, "eval_kl_sqrt", sqrt(fmax(values[POLICY_MEASURE_KL], 0.0)));
    }
    align_watch_add(&rl->watch,
                    (const double[ALIGN_SIGN_COUNT]){
                        [ALIGN_SIGN_ENTROPY] = (double)NAN,
                        [ALIGN_SIGN_LENGTH] = (double)NAN,
                        [ALIGN_SIGN_CUT_OFF] = (double)NAN,
                        [ALIGN_SIGN_REWARD] = (double)NAN,
                        [ALIGN_SIGN_HELD_OUT] = values[POLICY_MEASURE_HELD_OUT],
                    },
                    rl->run->log);
    out_row->tokens = sample.completions.starts[sample.completions.count];
    (void)snprintf(out_row->note, sizeof out_row->note, ", reward %.3f, PM divergence %.3g (%.3g)",
                   values[POLICY_MEASURE_REWARD], values[POLICY_MEASURE_DIVERGENCE],
                   values[POLICY_MEASURE_BOUNDED]);
    show_answers(rl, &viewing);
    return ERR_OK;
}
