/* objective_policy.c - see objective_policy.h. */
#include "trainer/objective_policy.h"

#include "base/invariant.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#define LOG_RATIO_MAX 20.0 /* e^20 = 5e8 */

#define NAME(name, text) text,
const char *const policy_ratio_names[POLICY_RATIO_COUNT] = {POLICY_RATIOS(NAME)};
const char *const policy_aggregation_names[POLICY_AGGREGATION_COUNT] = {POLICY_AGGREGATIONS(NAME)};
#undef NAME

struct policy_options policy_options_defaults(void) {
    return (struct policy_options){.ratio = POLICY_RATIO_NONE,
                                   .clip_low = 0.2,
                                   .clip_high = 0.2,
                                   .dual_clip = (double)INFINITY,
                                   .aggregation = POLICY_SEQUENCE_SUM};
}

enum err_code policy_options_check(const struct policy_options *options, struct error *err) {
    const bool has_ratio = options->ratio != POLICY_RATIO_NONE;
    if (has_ratio && !(options->clip_low > 0.0 && options->clip_low < 1.0)) {
        return err_set(err, ERR_CONFIG, "policy loss: clip_low = %g is outside (0, 1)",
                       options->clip_low);
    }
    if (has_ratio && !(options->clip_high > 0.0)) {
        return err_set(err, ERR_CONFIG, "policy loss: clip_high = %g is not above 0",
                       options->clip_high);
    }
    if (has_ratio && !(options->dual_clip > 1.0)) {
        return err_set(err, ERR_CONFIG,
                       "policy loss: dual_clip = %g is not above 1; customary is 3",
                       options->dual_clip);
    }
    if (options->aggregation == POLICY_CONSTANT &&
        !(options->constant_length > 0.0 && isfinite(options->constant_length))) {
        return err_set(err, ERR_CONFIG,
                       "policy loss: constant_length = %g tokens is not above 0; customary is the "
                       "longest answer",
                       options->constant_length);
    }
    return ERR_OK;
}

double policy_weight(const struct policy_options *options, const struct policy_batch *batch,
                     int64_t i) {
    const double completions = (double)batch->step_completions;
    switch (options->aggregation) {
    case POLICY_SEQUENCE_SUM:
        return 1.0 / completions;
    case POLICY_SEQUENCE_MEAN:
        return 1.0 / (completions * (double)completions_length(&batch->completions, i));
    case POLICY_CONSTANT:
        return 1.0 / (completions * options->constant_length);
    case POLICY_TOKENS:
        return 1.0 / (double)batch->step_tokens;
    case POLICY_AGGREGATION_COUNT:
        break;
    }
    ASSERT(options->aggregation < POLICY_AGGREGATION_COUNT);
    return (double)NAN;
}

/* ---- one ratio ---- */

struct ratio {
    double value; /* rho */
    bool is_held; /* ln rho is at its limit */
};

static struct ratio ratio_of(double log_ratio, struct policy_stats *stats) {
    const bool is_held = fabs(log_ratio) > LOG_RATIO_MAX; /* not for NaN, which must show */
    const double held = is_held ? copysign(LOG_RATIO_MAX, log_ratio) : log_ratio;
    const double deviation = expm1(held);
    stats->units++;
    stats->ratio += 1.0 + deviation;
    stats->approx_kl += deviation - held;
    stats->ratio_deviation_max = fmax(stats->ratio_deviation_max, fabs(deviation));
    return (struct ratio){.value = 1.0 + deviation, .is_held = is_held};
}

enum clip { CLIP_NONE, CLIP_LOW, CLIP_HIGH, CLIP_DUAL };

/* Which limit keeps an advantage from moving the ratio any further. */
static enum clip clip_of(const struct policy_options *options, double advantage, double ratio) {
    if (advantage > 0.0) {
        return ratio > 1.0 + options->clip_high ? CLIP_HIGH : CLIP_NONE;
    }
    if (advantage < 0.0) {
        return ratio < 1.0 - options->clip_low ? CLIP_LOW
               : ratio > options->dual_clip    ? CLIP_DUAL
                                               : CLIP_NONE;
    }
    return CLIP_NONE;
}

/* f, and its derivative in ln rho. */
struct surrogate {
    double value, slope;
};

static struct surrogate surrogate_of(const struct policy_options *options, double advantage,
                                     struct ratio ratio, enum clip clip) {
    switch (clip) {
    case CLIP_LOW:
        return (struct surrogate){.value = -advantage * (1.0 - options->clip_low)};
    case CLIP_HIGH:
        return (struct surrogate){.value = -advantage * (1.0 + options->clip_high)};
    case CLIP_DUAL:
        return (struct surrogate){.value = -advantage * options->dual_clip};
    case CLIP_NONE:
        break;
    }
    const double value = -advantage * ratio.value;
    return (struct surrogate){.value = value, .slope = ratio.is_held ? 0.0 : value};
}

static void count_clip(enum clip clip, struct policy_stats *stats) {
    stats->clipped_low += clip == CLIP_LOW;
    stats->clipped_high += clip == CLIP_HIGH;
    stats->clipped_dual += clip == CLIP_DUAL;
}

/* ---- one completion: the sum of its f_t; `weight` times their slopes are added ---- */

static double add_plain(const struct policy_batch *batch, int64_t i, double weight, double *slopes,
                        struct policy_stats *stats) {
    double sum = 0.0;
    for (int64_t t = batch->completions.starts[i]; t < batch->completions.starts[i + 1]; t++) {
        sum -= batch->advantages[t] * batch->logp[t];
        slopes[t] -= weight * batch->advantages[t];
        if (batch->old_logp) {
            (void)ratio_of(batch->logp[t] - batch->old_logp[t], stats);
        }
    }
    return sum;
}

static double add_by_token(const struct policy_options *options, const struct policy_batch *batch,
                           int64_t i, double weight, double *slopes, struct policy_stats *stats) {
    double sum = 0.0;
    for (int64_t t = batch->completions.starts[i]; t < batch->completions.starts[i + 1]; t++) {
        const struct ratio ratio = ratio_of(batch->logp[t] - batch->old_logp[t], stats);
        const enum clip clip = clip_of(options, batch->advantages[t], ratio.value);
        const struct surrogate f = surrogate_of(options, batch->advantages[t], ratio, clip);
        count_clip(clip, stats);
        sum += f.value;
        slopes[t] += weight * f.slope;
    }
    return sum;
}

/* A completion counts as clipped by its mean advantage; each token's slope follows its own. */
static double add_by_sequence(const struct policy_options *options,
                              const struct policy_batch *batch, int64_t i, double weight,
                              double *slopes, struct policy_stats *stats) {
    const struct completions *c = &batch->completions;
    const double length = (double)completions_length(c, i);
    const double log_ratio =
        completions_sum(c, i, batch->logp) - completions_sum(c, i, batch->old_logp);
    const struct ratio ratio = ratio_of(log_ratio, stats);
    double sum = 0.0;
    for (int64_t t = c->starts[i]; t < c->starts[i + 1]; t++) {
        const enum clip clip = clip_of(options, batch->advantages[t], ratio.value);
        const struct surrogate f = surrogate_of(options, batch->advantages[t], ratio, clip);
        sum += f.value;
        slopes[t] += weight * f.slope;
    }
    const double mean_advantage = completions_sum(c, i, batch->advantages) / length;
    count_clip(clip_of(options, mean_advantage, ratio.value), stats);
    return sum / length;
}

double objective_policy(const struct policy_options *options, const struct policy_batch *batch,
                        double *slopes, struct policy_stats *stats) {
    double loss = 0.0;
    for (int64_t i = 0; i < batch->completions.count; i++) {
        const double weight = policy_weight(options, batch, i);
        switch (options->ratio) {
        case POLICY_RATIO_NONE:
            loss += weight * add_plain(batch, i, weight, slopes, stats);
            break;
        case POLICY_RATIO_TOKEN:
            loss += weight * add_by_token(options, batch, i, weight, slopes, stats);
            break;
        case POLICY_RATIO_SEQUENCE:
            loss += weight * add_by_sequence(options, batch, i, weight, slopes, stats);
            break;
        case POLICY_RATIO_COUNT:
            ASSERT(options->ratio < POLICY_RATIO_COUNT);
        }
    }
    return loss;
}

/* ---- beside it ---- */

void policy_cost_weights(const struct policy_options *options, const struct policy_batch *batch,
                         const double *scales, double *out_weights) {
    const struct completions *c = &batch->completions;
    for (int64_t i = 0; i < c->count; i++) {
        const double weight = policy_weight(options, batch, i) * scales[i];
        for (int64_t t = c->starts[i]; t < c->starts[i + 1]; t++) {
            out_weights[t] = weight;
        }
    }
}

double policy_add_kl(const struct policy_options *options, const struct policy_batch *batch,
                     const struct regulariser *reg, const double *ref_logp, double *slopes) {
    const struct completions *c = &batch->completions;
    double loss = 0.0;
    for (int64_t i = 0; i < c->count; i++) {
        const double weight = policy_weight(options, batch, i) * reg->beta_in;
        for (int64_t t = c->starts[i]; t < c->starts[i + 1]; t++) {
            const double z = batch->logp[t] - ref_logp[t];
            loss += weight * kl_estimate(reg->kl.value, z);
            slopes[t] += weight * kl_slope(reg->kl.gradient, z);
        }
    }
    return loss;
}
