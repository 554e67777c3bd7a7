/* recipe_rl.c - accord align on answers of the model's own. In the tensor half.
 *
 * One round: the next prompts of a shuffled epoch are answered G times each; an answer's reward and
 * its regulariser make one number; how much that is above the other answers to the prompt is the
 * weight that the answer's log-probability is raised with. One forward pass gives log-probabilities
 * and gradients: for the first update of a round it is also the policy that was drawn from.
 */
#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "data/epoch_order.h"
#include "data/project.h"
#include "trainer/advantage.h"
#include "trainer/align_config.h"
#include "trainer/align_prompts.h"
#include "trainer/align_recipes.h"
#include "trainer/align_watch.h"
#include "trainer/lm_run.h"
#include "trainer/objective_logvar.h"
#include "trainer/objective_policy.h"
#include "trainer/policy_measures.h"
#include "trainer/policy_pass.h"
#include "trainer/regulariser.h"
#include "trainer/reward_sources.h"
#include "trainer/rollout.h"
#include "trainer/saved_model.h"
#include "trainer/train_loop.h"
#include "trainer/train_model.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* What the updates of one round share. Arrays of [S] answers and [T] tokens lie in the arena. */
struct round {
    const struct align_prompt **prompts; /* [examples_per_step] */
    struct rollout_request request;
    struct rollout_answers answers;
    double *rewards, *joined, *scales;                                          /* [S] */
    double *old_logp, *logp, *reference_logp;                                   /* [T] */
    double *entropy, *costs, *corrections, *advantages, *slopes, *cost_weights; /* [T] */
    int64_t *batch_starts; /* [S + 1], of a micro-batch */
    struct advantage_stats stats;
    struct arena arena;
};

/* What an update adds up over its micro-batches. */
struct update {
    bool is_first; /* of the round: the policy is the one that was drawn from */
    double loss;
    struct policy_stats stats;
};

/* Where the time of a step goes. */
#define PHASES(X)                  \
    X(PACK, "time/pack")           \
    X(ANSWER, "time/answer")       \
    X(REWARD, "time/reward")       \
    X(REFERENCE, "time/reference") \
    X(UPDATE, "time/update")

enum phase {
#define PHASE_ENUM(name, text) PHASE_##name,
    PHASES(PHASE_ENUM)
#undef PHASE_ENUM
        PHASE_COUNT
};

struct stopwatch {
    int64_t last_ns;
    double seconds[PHASE_COUNT];
};

struct rl {
    struct run *run;
    const struct align_config *config;
    struct stopwatch stopwatch;
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
    struct round round;
    struct update update;
    struct align_watch watch;
};

#define WATCH_STEP  ((INT64_C(1) << 40) - 1) /* of the keys of answers nothing is learnt from */
#define TEXTS_SHOWN 2
#define SLOTS_MAX   64

/* Answers first .. last - 1, their tokens counted from 0. */
static struct completions completions_of(struct rl *rl, int64_t first, int64_t last) {
    struct round *round = &rl->round;
    for (int64_t i = first; i <= last; i++) {
        round->batch_starts[i - first] = round->answers.starts[i] - round->answers.starts[first];
    }
    return (struct completions){.starts = round->batch_starts,
                                .count = last - first,
                                .group_size = rl->config->rollout.samples};
}

static double mean_of(const double *values, int64_t count) {
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++) {
        sum += values[i];
    }
    return sum / (double)count;
}

/* What has passed since the last call is the phase's. */
static void lap(struct rl *rl, enum phase phase) {
    const int64_t now_ns = clock_monotonic_ns(&rl->run->clock);
    rl->stopwatch.seconds[phase] +=
        (double)(now_ns - rl->stopwatch.last_ns) / (double)CLOCK_NS_PER_S;
    rl->stopwatch.last_ns = now_ns;
}

/* --- a round: answers, rewards, advantages ---------------------------------------------------- */

static void choose_prompts(struct rl *rl, int64_t number) {
    struct round *round = &rl->round;
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
static enum err_code make_room(struct round *round, struct error *err) {
    const size_t answers = (size_t)round->answers.count;
    const size_t tokens = (size_t)round->answers.starts[answers];
    double **const of_answers[] = {&round->rewards, &round->joined, &round->scales};
    double **const of_tokens[] = {&round->old_logp,   &round->logp,   &round->reference_logp,
                                  &round->entropy,    &round->costs,  &round->corrections,
                                  &round->advantages, &round->slopes, &round->cost_weights};
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

static enum err_code reward_answers(const struct rl *rl, const struct rollout_request *request,
                                    const struct rollout_answers *answers, double *out_rewards,
                                    struct error *err) {
    TRY(rollout_reward(rl->reward, request, answers, out_rewards, err));
    charge(rl, answers, out_rewards);
    return ERR_OK;
}

static bool is_exact(const struct rl *rl) {
    return rl->regulariser.estimator == REGULARISER_EXACT_TOKEN;
}

/* Of the drawn tokens by the decoder's log-probabilities, which are those of the distribution that
 * they were drawn from; or of their states, by the entropy. */
static enum err_code price_tokens(struct rl *rl, const struct policy_texts *texts,
                                  struct error *err) {
    struct round *round = &rl->round;
    const int64_t tokens = rollout_answers_tokens(texts->answers);
    if (!is_exact(rl)) {
        regulariser_costs(&rl->regulariser, tokens, texts->answers->logp_nats,
                          round->reference_logp, round->costs, round->corrections);
        return ERR_OK;
    }
    const struct policy_numbers numbers = {.entropy_nats = round->entropy,
                                           .gain_nats = round->costs};
    TRY(policy_pass_logp(&rl->pass, texts, &numbers, err));
    for (int64_t t = 0; t < tokens; t++) {
        round->costs[t] =
            rl->reference ? -round->costs[t] : -rl->regulariser.beta_in * round->entropy[t];
    }
    return ERR_OK;
}

static enum err_code judge_round(struct rl *rl, struct error *err) {
    struct round *round = &rl->round;
    const struct rollout_answers *answers = &round->answers;
    const struct policy_texts texts = {&round->request, answers};
    const struct policy_numbers reference = {.logp_nats = round->reference_logp};
    TRY(reward_answers(rl, &round->request, answers, round->rewards, err));
    lap(rl, PHASE_REWARD);
    if (rl->reference) {
        TRY(policy_pass_logp(&rl->reference_pass, &texts, &reference, err));
    }
    lap(rl, PHASE_REFERENCE);
    TRY(price_tokens(rl, &texts, err));
    const struct advantage_input input = {
        .completions = completions_of(rl, 0, answers->count),
        .rewards = round->rewards,
        .costs = round->costs,
        .corrections = is_exact(rl) ? NULL : round->corrections,
    };
    const struct advantage_output output = {
        .joined = round->joined, .advantages = round->advantages, .scales = round->scales};
    return advantage_compute(&rl->advantage, &input, &output, &round->stats, err);
}

static void watch_round(struct rl *rl, double entropy) {
    const struct rollout_answers *answers = &rl->round.answers;
    double cut_off = 0.0;
    for (int64_t i = 0; i < answers->count; i++) {
        cut_off += answers->ended[i] ? 0.0 : 1.0;
    }
    const double count = (double)answers->count;
    const double signs[ALIGN_SIGN_COUNT] = {
        [ALIGN_SIGN_ENTROPY] = entropy,
        [ALIGN_SIGN_LENGTH] = (double)rollout_answers_tokens(answers) / count,
        [ALIGN_SIGN_CUT_OFF] = cut_off / count,
        [ALIGN_SIGN_REWARD] = rl->round.stats.reward_mean,
        [ALIGN_SIGN_HELD_OUT] = (double)NAN,
    };
    align_watch_add(&rl->watch, signs, rl->run->log);
}

static enum err_code begin_round(struct rl *rl, int64_t number, struct error *err) {
    choose_prompts(rl, number);
    TRY(rollout_refresh(rl->rollout, err));
    lap(rl, PHASE_PACK);
    TRY(rollout_draw(rl->rollout, &rl->round.request, &rl->round.answers, err));
    lap(rl, PHASE_ANSWER);
    TRY(make_room(&rl->round, err));
    return judge_round(rl, err);
}

/* --- an update -------------------------------------------------------------------------------- */

static double weigh_logvar(struct rl *rl, int64_t first, int64_t last) {
    struct round *round = &rl->round;
    const int64_t begin = round->answers.starts[first];
    const struct logvar_batch batch = {
        .completions = completions_of(rl, first, last),
        .rewards = round->rewards + first,
        .logp = round->logp + begin,
        .ref_logp = round->reference_logp + begin,
        .step_groups = round->request.prompt_count,
    };
    return objective_logvar(&rl->regulariser, &batch, round->slopes + begin);
}

static double weigh_policy(struct rl *rl, int64_t first, int64_t last) {
    struct round *round = &rl->round;
    const int64_t begin = round->answers.starts[first];
    const struct policy_batch batch = {
        .completions = completions_of(rl, first, last),
        .logp = round->logp + begin,
        .old_logp = round->old_logp + begin,
        .advantages = round->advantages + begin,
        .step_completions = round->answers.count,
        .step_tokens = rollout_answers_tokens(&round->answers),
    };
    if (is_exact(rl)) {
        double *weights = round->cost_weights + begin;
        policy_cost_weights(&rl->policy, &batch, round->scales + first, weights);
        for (int64_t t = 0; t < round->answers.starts[last] - begin; t++) {
            weights[t] *= rl->reference ? -1.0 : -rl->regulariser.beta_in;
        }
    }
    return objective_policy(&rl->policy, &batch, round->slopes + begin, &rl->update.stats);
}

/* Slopes of answers first .. last - 1, whose log-probabilities are known by now. */
static void weigh(void *context, int64_t first, int64_t last) {
    struct rl *rl = context;
    struct round *round = &rl->round;
    const int64_t begin = round->answers.starts[first];
    const size_t tokens = (size_t)(round->answers.starts[last] - begin);
    if (rl->update.is_first) {
        memcpy(round->old_logp + begin, round->logp + begin, tokens * sizeof *round->logp);
    }
    memset(round->slopes + begin, 0, tokens * sizeof *round->slopes);
    rl->update.loss += rl->config->method == ALIGN_LOGVAR ? weigh_logvar(rl, first, last)
                                                          : weigh_policy(rl, first, last);
}

/* --- what is said of a step ------------------------------------------------------------------- */

/* Deviation of the drawn tokens' log-probabilities: decoder beside forward pass. */
static void add_sampling(const struct round *round, struct train_row *row) {
    const int64_t tokens = rollout_answers_tokens(&round->answers);
    double sum = 0.0;
    double most = 0.0;
    for (int64_t t = 0; t < tokens; t++) {
        const double gap = fabs(round->answers.logp_nats[t] - round->old_logp[t]);
        sum += gap;
        most = fmax(most, gap);
    }
    train_row_add(row, "sampling/sampling_logp_difference/mean", sum / (double)tokens);
    train_row_add(row, "sampling/sampling_logp_difference/max", most);
}

static void add_lengths(const struct rollout_answers *answers, struct train_row *row) {
    int64_t least = INT64_MAX;
    int64_t most = 0;
    int64_t ended = 0;
    int64_t ended_tokens = 0;
    for (int64_t i = 0; i < answers->count; i++) {
        const int64_t tokens = answers->starts[i + 1] - answers->starts[i];
        least = tokens < least ? tokens : least;
        most = tokens > most ? tokens : most;
        ended += answers->ended[i];
        ended_tokens += answers->ended[i] ? tokens : 0;
    }
    const double count = (double)answers->count;
    train_row_add(row, "completions/mean_length", (double)rollout_answers_tokens(answers) / count);
    train_row_add(row, "completions/min_length", (double)least);
    train_row_add(row, "completions/max_length", (double)most);
    train_row_add(row, "completions/clipped_ratio", 1.0 - (double)ended / count);
    train_row_add(row, "completions/mean_terminated_length",
                  ended > 0 ? (double)ended_tokens / (double)ended : (double)NAN);
}

static void add_ratio(const struct policy_stats *stats, struct train_row *row) {
    if (stats->units == 0) { /* no ratio was taken */
        return;
    }
    const double units = (double)stats->units;
    train_row_add(row, "ratio_deviation_max", stats->ratio_deviation_max);
    train_row_add(row, "clip_ratio/low_mean", (double)stats->clipped_low / units);
    train_row_add(row, "clip_ratio/high_mean", (double)stats->clipped_high / units);
    train_row_add(row, "policy/approxkl_avg", stats->approx_kl / units);
}

/* In seconds. */
static void add_times(const struct stopwatch *stopwatch, struct train_row *row) {
    static const char *const names[PHASE_COUNT] = {
#define PHASE_NAME(name, text) text,
        PHASES(PHASE_NAME)
#undef PHASE_NAME
    };
    for (int64_t phase = 0; phase < PHASE_COUNT; phase++) {
        train_row_add(row, names[phase], stopwatch->seconds[phase]);
    }
}

static void add_metrics(const struct rl *rl, struct train_row *row) {
    const struct round *round = &rl->round;
    const struct advantage_stats *stats = &round->stats;
    const int64_t tokens = rollout_answers_tokens(&round->answers);
    const double per_answer = 1.0 / (double)round->answers.count;
    train_row_add(row, "loss", rl->update.loss);
    train_row_add(row, "reward", stats->reward_mean);
    train_row_add(row, "reward_std", stats->reward_std);
    train_row_add(row, "objective", stats->joined_mean);
    train_row_add(row, "objective_std", stats->joined_std);
    train_row_add(row, "frac_reward_zero_std", (double)stats->flat_groups / (double)stats->groups);
    train_row_add(row, "entropy", mean_of(round->entropy, tokens));
    train_row_add(row, "logp", per_answer * (double)tokens * mean_of(round->logp, tokens));
    if (rl->reference) {
        double kl = 0.0;
        for (int64_t t = 0; t < tokens; t++) {
            kl += round->answers.logp_nats[t] - round->reference_logp[t];
        }
        train_row_add(row, "kl", kl * per_answer);
    }
    add_lengths(&round->answers, row);
    add_sampling(round, row);
    add_ratio(&rl->update.stats, row);
    add_times(&rl->stopwatch, row);
    (void)snprintf(row->note, sizeof row->note, ", reward %.3f, entropy %.2f, %.0f tokens",
                   stats->reward_mean, mean_of(round->entropy, tokens),
                   (double)tokens * per_answer);
}

/* --- the recipe ------------------------------------------------------------------------------- */

static enum err_code gradients(void *context, int64_t step, struct train_row *out_row,
                               struct error *err) {
    struct rl *rl = context;
    struct round *round = &rl->round;
    const int64_t updates = rl->config->policy.updates;
    const int64_t tokens_before = rl->pass.tokens + rl->reference_pass.tokens;
    rl->update = (struct update){.is_first = step % updates == 0};
    rl->stopwatch = (struct stopwatch){.last_ns = clock_monotonic_ns(&rl->run->clock)};
    if (rl->update.is_first) {
        TRY(begin_round(rl, step / updates, err));
    }
    const struct policy_texts texts = {&round->request, &round->answers};
    const struct policy_numbers numbers = {.logp_nats = round->logp,
                                           .entropy_nats = round->entropy};
    const struct policy_weigh weighing = {
        .run = weigh,
        .context = rl,
        .slopes = round->slopes,
        .state_slopes = is_exact(rl) ? round->cost_weights : NULL,
    };
    TRY(policy_pass_gradients(&rl->pass, &texts, &weighing, &numbers, err));
    lap(rl, PHASE_UPDATE);
    if (rl->update.is_first) {
        watch_round(rl, mean_of(round->entropy, rollout_answers_tokens(&round->answers)));
    }
    add_metrics(rl, out_row);
    out_row->tokens = rl->pass.tokens + rl->reference_pass.tokens - tokens_before;
    return ERR_OK;
}

static int64_t step_tokens(void *context, int64_t step) {
    struct rl *rl = context;
    choose_prompts(rl, step / rl->config->policy.updates);
    return policy_pass_tokens(&rl->pass, &rl->round.request, rl->config->rollout.new_tokens_max);
}

/* --- evaluation ------------------------------------------------------------------------------- */

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
    TRY(reward_answers(rl, &viewing->request, answers, viewing->rewards, err));
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
    *out_mean = mean_of(viewing->rewards, answers->count) -
                mean_of(costs, tokens) * (double)tokens / (double)answers->count;
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

static enum err_code evaluate(void *context, int64_t examples, struct train_row *out_row,
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

/* --- from beginning to end -------------------------------------------------------------------- */

/* logvar has no advantages; those of rloo are what its metrics show. */
static const enum advantage_kind advantage_kinds[ALIGN_DPO] = {
    [ALIGN_RLOO] = ADVANTAGE_RLOO,       [ALIGN_GRPO] = ADVANTAGE_GRPO,
    [ALIGN_DR_GRPO] = ADVANTAGE_DR_GRPO, [ALIGN_REINFORCE] = ADVANTAGE_REINFORCE,
    [ALIGN_LOGVAR] = ADVANTAGE_RLOO,
};

/* rloo and reinforce are sequence sums; grpo and dr-grpo as their papers have them. One update
 * needs no ratio, which would be 1. */
static struct policy_options policy_of(const struct align_config *config) {
    struct policy_options options = policy_options_defaults();
    options.clip_low = config->policy.clip_low;
    options.clip_high = config->policy.clip_high;
    if (config->policy.updates > 1) {
        options.ratio = config->method == ALIGN_RLOO ? POLICY_RATIO_SEQUENCE : POLICY_RATIO_TOKEN;
    }
    if (config->method == ALIGN_GRPO) {
        options.aggregation = POLICY_SEQUENCE_MEAN;
    } else if (config->method == ALIGN_DR_GRPO) {
        options.aggregation = POLICY_CONSTANT;
        options.constant_length = (double)config->rollout.new_tokens_max;
    }
    return options;
}

static enum err_code check_method(const struct rl *rl, struct error *err) {
    const struct align_config *config = rl->config;
    TRY(regulariser_check(&rl->regulariser, err));
    if (config->method == ALIGN_LOGVAR) {
        return logvar_check(&rl->regulariser, config->rollout.samples, err);
    }
    TRY(policy_options_check(&rl->policy, err));
    return advantage_check(&rl->advantage, config->rollout.samples, err);
}

static enum err_code open_rewards(struct rl *rl, const char *project, struct error *err) {
    if (!rl->config->reward[0]) {
        return err_set(err, ERR_USAGE,
                       "what are answers rewarded for? give --reward, such as "
                       "lm:runs/reward/final");
    }
    TRY(project_open(project, DB_MODE_READ_ONLY, rl->run->log, &rl->db, err));
    const struct reward_sources sources = reward_sources_of(rl->run, rl->db);
    TRY(reward_spec_open(rl->config->reward, &sources, &rl->reward, err));
    if (rl->config->watch.held_out[0]) {
        TRY(reward_spec_open(rl->config->watch.held_out, &sources, &rl->held_out, err));
    }
    return ERR_OK;
}

/* Another model, frozen. */
static enum err_code open_other_reference(struct rl *rl, const char *path, struct error *err) {
    const struct model_options options = {.device = model_device(rl->model),
                                          .compute = model_options_of(rl->model).compute,
                                          .training = MODEL_FROZEN};
    TRY(err_wrap(err, saved_model_open(path, &options, &rl->own_reference, err), "the reference"));
    const int64_t vocab = model_config_of(rl->model)->vocab;
    if (model_config_of(rl->own_reference)->vocab != vocab) {
        return err_set(err, ERR_DATA,
                       "the reference '%s' has a vocabulary of %" PRId64 " tokens, the model of "
                       "%" PRId64 ": their probabilities cannot be compared",
                       path, model_config_of(rl->own_reference)->vocab, vocab);
    }
    rl->reference = rl->own_reference;
    return ERR_OK;
}

/* None where the regulariser reads none; adapters have theirs below them. */
static enum err_code open_reference(struct rl *rl, struct error *err) {
    const struct train_config *train = &rl->config->train;
    const char *path = rl->config->reference;
    if (!regulariser_needs_reference(&rl->regulariser)) {
        return ERR_OK;
    }
    if (path[0] || train->train != TRAIN_LORA) {
        return open_other_reference(rl, path[0] ? path : train->model, err);
    }
    rl->reference = rl->model;
    return ERR_OK;
}

/* Inside is where the reference gives more than alpha: for kl nowhere. */
static struct policy_matching matching_form(const struct rl *rl) {
    const struct regulariser *reg = &rl->regulariser;
    const bool is_cpm = reg->kind == REGULARISER_CPM;
    return (struct policy_matching){
        .reference = rl->reference,
        .reference_is_base = rl->reference == rl->model,
        .form = {.beta_in = reg->beta_in,
                 .beta_out = is_cpm ? reg->beta_out : reg->beta_in,
                 .log_alpha = is_cpm ? log(reg->alpha) : 0.0},
    };
}

static int64_t longest_prompt(const struct align_prompts *prompts) {
    int64_t most = 0;
    for (int64_t part = 0; part < PROMPT_TEST; part++) {
        for (int64_t i = 0; i < prompts->count[part]; i++) {
            const int64_t count = prompts->list[part][i].count;
            most = count > most ? count : most;
        }
    }
    return most;
}

static enum err_code open_rollout(struct rl *rl, const struct chat_template *template,
                                  struct error *err) {
    const struct align_config *config = rl->config;
    const int64_t answers = config->train.examples_per_step * config->rollout.samples;
    const int64_t most = answers < SLOTS_MAX ? answers : SLOTS_MAX;
    struct thread_count threads = {.threads = 0};
    TRY(run_threads(rl->run, &threads, err));
    const struct rollout_options options = {
        .tokenizer = rl->tokenizer,
        .template = template,
        .slots = config->rollout.slots > 0 ? config->rollout.slots : most,
        .context = longest_prompt(&rl->prompts) + config->rollout.new_tokens_max,
        .new_tokens_max = config->rollout.new_tokens_max,
        .threads = threads.threads,
        .seed = config->train.run.seed,
        .finishes = true,
    };
    return rollout_open(rl->model, &options, &rl->rollout, err);
}

static enum err_code rl_init(struct rl *rl, struct error *err) {
    const struct train_config *train = &rl->config->train;
    rl->pass = (struct policy_pass){.model = rl->model,
                                    .tokens_max = train_micro_batch_tokens(train, rl->model),
                                    .whole_groups = rl->config->method == ALIGN_LOGVAR,
                                    .batch = PACKED_BATCH_INIT};
    if (is_exact(rl) && rl->reference) {
        rl->matching = matching_form(rl);
        rl->pass.matching = &rl->matching;
    }
    rl->reference_pass =
        (struct policy_pass){.is_base = rl->reference && rl->reference == rl->model,
                             .model = rl->reference,
                             .tokens_max = rl->pass.tokens_max,
                             .batch = PACKED_BATCH_INIT};
    rl->round.prompts = mem_array((size_t)train->examples_per_step, sizeof(struct align_prompt *));
    if (!rl->round.prompts) {
        return err_oom(err, "prompts of a step");
    }
    align_watch_init(&rl->watch);
    return epoch_order_init(&rl->order, rl->prompts.count[PROMPT_TRAINING], train->run.seed, err);
}

static void rl_scoped_end(struct rl *rl) {
    policy_pass_deinit(&rl->pass);
    policy_pass_deinit(&rl->reference_pass);
    rollout_answers_deinit(&rl->round.answers);
    arena_deinit(&rl->round.arena);
    mem_free(rl->round.prompts);
    epoch_order_deinit(&rl->order);
    rollout_close(rl->rollout);
    reward_free(rl->held_out);
    reward_free(rl->reward);
    db_close(rl->db);
    align_prompts_deinit(&rl->prompts);
    model_free(rl->own_reference);
}

static enum err_code run_recipe(struct rl *rl, const struct hash_digest *base_hash,
                                const struct command_args *args, struct error *err) {
    const struct align_config *config = rl->config;
    const int64_t kept = rl->prompts.count[PROMPT_VALIDATION];
    const int64_t watched = kept < config->watch.prompts ? kept : config->watch.prompts;
    const int64_t per_prompt = config->rollout.samples * config->rollout.new_tokens_max;
    const int64_t training = rl->prompts.count[PROMPT_TRAINING];
    SCOPED(strbuf) struct strbuf next = STRBUF_INIT(PATH_MAX);
    strbuf_addf(&next, "accord eval %s --reward '%s' -m %s -m ", args->positionals[0],
                config->reward, config->train.model);
    TRY(strbuf_check(&next, "the next command", err));
    const struct train_recipe recipe = {
        .name = "align",
        .context = rl,
        .next = strbuf_text(&next),
        .examples = training,
        .updates = config->policy.updates,
        .tokens = config->rollout.samples * align_prompts_tokens(&rl->prompts, PROMPT_TRAINING) +
                  training * per_prompt,
        .target_tokens = training * per_prompt,
        .target_text = "are answers, at most",
        .evaluation_examples = watched,
        .evaluation_tokens = watched * config->watch.samples * config->rollout.new_tokens_max,
        .evaluates_start = true,
        .numbers = rl->watch.numbers,
        .numbers_count = ALIGN_WATCH_NUMBERS,
        .step_tokens = step_tokens,
        .gradients = gradients,
        .evaluate = evaluate,
    };
    struct train_job job = {
        .run = rl->run,
        .recipe = &recipe,
        .model = rl->model,
        .tokenizer = rl->tokenizer,
        .base_hash = *base_hash,
    };
    TRY(align_prompts_hash(&rl->prompts, &job.data_hash, err));
    return train_job_run(&job, args, err);
}

enum err_code rl_run(struct run *run, const struct command_args *args, struct error *err) {
    const struct align_config *config = run->config;
    const struct train_head head = {.kind = MODEL_HEAD_LM};
    struct train_base base;
    struct tt_device device;
    const struct chat_template *template = NULL;
    TRY(lm_run_open(run, &device, err));
    SCOPED(tokenizer) struct tokenizer *tokenizer = NULL;
    SCOPED(model) struct model *model = NULL;
    SCOPED(rl)
    struct rl rl = {
        .run = run,
        .config = config,
        .prompts = ALIGN_PROMPTS_INIT,
        .order = EPOCH_ORDER_INIT,
        .regulariser = {.kind = config->regulariser.kind,
                        .alpha = config->regulariser.alpha,
                        .beta_in = config->regulariser.beta_in,
                        .beta_out = config->regulariser.beta_out,
                        .estimator = config->regulariser.estimator},
        .advantage = advantage_defaults(advantage_kinds[config->method]),
        .policy = policy_of(config),
        .round = {.answers = ROLLOUT_ANSWERS_INIT, .arena = ARENA_INIT(SIZE_MAX)},
    };
    TRY(check_method(&rl, err));
    TRY(train_model_open_tokenizer(&config->train, &tokenizer, err));
    TRY(train_model_look(&config->train, head.kind, &base, err));
    TRY(chat_template_choose(config->data.template[0] ? config->data.template : NULL, tokenizer,
                             &template, err));
    const struct align_prompts_source source = {.project = args->positionals[0],
                                                .config = &config->data,
                                                .tokenizer = tokenizer,
                                                .template = template,
                                                .parts =
                                                    1U << PROMPT_TRAINING | 1U << PROMPT_VALIDATION,
                                                .needed = PROMPT_TRAINING,
                                                .context = base.context,
                                                .new_tokens_max = config->rollout.new_tokens_max};
    TRY(align_prompts_read(run, &source, &rl.prompts, err));
    TRY(open_rewards(&rl, args->positionals[0], err));
    const struct train_start start = {
        .config = &config->train, .device = device, .tokenizer = tokenizer, .head = head};
    TRY(train_model_open(run, &start, &model, err));
    rl.model = model;
    rl.tokenizer = tokenizer;
    TRY(open_reference(&rl, err));
    TRY(open_rollout(&rl, template, err));
    TRY(rl_init(&rl, err));
    return run_recipe(&rl, &base.hash, args, err);
}
