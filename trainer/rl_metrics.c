/* rl_metrics.c - see rl.h: what is said of a step. */
#include "trainer/rl.h"

#include <math.h>
#include <stdio.h>

/* Deviation of the drawn tokens' log-probabilities: decoder beside forward pass. */
static void add_sampling(const struct rl_round *round, struct train_row *row) {
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

/* How well the critic foresaw a round: 1 - var(returns - values) / var(returns). */
static double explained_variance(const struct rl_round *round, int64_t tokens) {
    const double mean = rl_mean(round->returns, tokens);
    double gap_mean = 0.0;
    double variance = 0.0;
    double gap_variance = 0.0;
    for (int64_t t = 0; t < tokens; t++) {
        gap_mean += (round->returns[t] - round->old_values[t]) / (double)tokens;
    }
    for (int64_t t = 0; t < tokens; t++) {
        const double gap = round->returns[t] - round->old_values[t] - gap_mean;
        variance += (round->returns[t] - mean) * (round->returns[t] - mean);
        gap_variance += gap * gap;
    }
    return variance > 0.0 ? 1.0 - gap_variance / variance : (double)NAN;
}

static void add_critic(const struct rl *rl, struct train_row *row) {
    const int64_t tokens = rollout_answers_tokens(&rl->round.answers);
    if (!rl_has_critic(rl)) {
        return;
    }
    train_row_add(row, "loss/value_avg", rl->update.value_loss);
    train_row_add(row, "val/clipfrac_avg", (double)rl->update.values_clipped / (double)tokens);
    train_row_add(row, "val/explained_variance", explained_variance(&rl->round, tokens));
}

/* In seconds. */
static void add_times(const struct rl_stopwatch *stopwatch, struct train_row *row) {
    static const char *const names[RL_PHASE_COUNT] = {
#define PHASE_NAME(name, text) text,
        RL_PHASES(PHASE_NAME)
#undef PHASE_NAME
    };
    for (int64_t phase = 0; phase < RL_PHASE_COUNT; phase++) {
        train_row_add(row, names[phase], stopwatch->seconds[phase]);
    }
}

void rl_add_metrics(const struct rl *rl, struct train_row *row) {
    const struct rl_round *round = &rl->round;
    const struct advantage_stats *stats = &round->stats;
    const int64_t tokens = rollout_answers_tokens(&round->answers);
    const double per_answer = 1.0 / (double)round->answers.count;
    train_row_add(row, "loss", rl->update.loss);
    train_row_add(row, "reward", stats->reward_mean);
    train_row_add(row, "reward_std", stats->reward_std);
    train_row_add(row, "objective", stats->joined_mean);
    train_row_add(row, "objective_std", stats->joined_std);
    train_row_add(row, "frac_reward_zero_std", (double)stats->flat_groups / (double)stats->groups);
    train_row_add(row, "entropy", rl_mean(round->entropy, tokens));
    train_row_add(row, "logp", per_answer * (double)tokens * rl_mean(round->logp, tokens));
    if (rl->reference) {
        double kl = 0.0;
        for (int64_t t = 0; t < tokens; t++) {
            kl += round->answers.logp_nats[t] - round->reference_logp[t];
        }
        train_row_add(row, "kl", kl * per_answer);
        train_row_add(row, "kl_sqrt", sqrt(fmax(kl * per_answer, 0.0)));
    }
    add_lengths(&round->answers, row);
    add_sampling(round, row);
    add_ratio(&rl->update.stats, row);
    add_critic(rl, row);
    add_times(&rl->stopwatch, row);
    (void)snprintf(row->note, sizeof row->note, ", reward %.3f, entropy %.2f, %.0f tokens",
                   stats->reward_mean, rl_mean(round->entropy, tokens),
                   (double)tokens * per_answer);
}

void rl_watch_round(struct rl *rl) {
    const struct rollout_answers *answers = &rl->round.answers;
    double cut_off = 0.0;
    for (int64_t i = 0; i < answers->count; i++) {
        cut_off += answers->ended[i] ? 0.0 : 1.0;
    }
    const double count = (double)answers->count;
    const double signs[ALIGN_SIGN_COUNT] = {
        [ALIGN_SIGN_ENTROPY] = rl_mean(rl->round.entropy, rollout_answers_tokens(answers)),
        [ALIGN_SIGN_LENGTH] = (double)rollout_answers_tokens(answers) / count,
        [ALIGN_SIGN_CUT_OFF] = cut_off / count,
        [ALIGN_SIGN_REWARD] = rl->round.stats.reward_mean,
        [ALIGN_SIGN_HELD_OUT] = (double)NAN,
    };
    align_watch_add(&rl->watch, signs, rl->run->log);
}
