/* advantage.c - see advantage.h. */
#include "trainer/advantage.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>

#define WHITEN_EPSILON 1e-8 /* nats^2 */
#define FLAT_RELATIVE  1e-6 /* what sums of float log-probabilities round off */

#define NAME(name, text) text,
const char *const advantage_kind_names[ADVANTAGE_KIND_COUNT] = {ADVANTAGE_KINDS(NAME)};
#undef NAME

/* Whether a completion is judged against the others of its group. */
static bool has_group_baseline(enum advantage_kind kind) {
    return kind != ADVANTAGE_REINFORCE && kind != ADVANTAGE_GAE;
}

struct advantage_options advantage_defaults(enum advantage_kind kind) {
    return (struct advantage_options){.kind = kind,
                                      .whiten = kind == ADVANTAGE_REINFORCE ||
                                                kind == ADVANTAGE_REINFORCE_BASELINE ||
                                                kind == ADVANTAGE_GAE,
                                      .gamma = 1.0,
                                      .lambda = 0.95,
                                      .std_epsilon = 1e-6};
}

enum err_code advantage_check(const struct advantage_options *options, int64_t group_size,
                              struct error *err) {
    const char *kind = advantage_kind_names[options->kind];
    if (has_group_baseline(options->kind) && group_size < 2) {
        return err_set(err, ERR_CONFIG,
                       "advantages of '%s' are against the other answers to a prompt: %" PRId64
                       " of each is too few, take 2 or more",
                       kind, group_size);
    }
    if (!has_group_baseline(options->kind) && !(options->gamma > 0.0 && options->gamma <= 1.0)) {
        return err_set(err, ERR_CONFIG, "advantages of '%s': gamma = %g is outside (0, 1]", kind,
                       options->gamma);
    }
    if (options->kind == ADVANTAGE_GAE && !(options->lambda >= 0.0 && options->lambda <= 1.0)) {
        return err_set(err, ERR_CONFIG, "advantages of '%s': lambda = %g is outside [0, 1]", kind,
                       options->lambda);
    }
    if (options->kind == ADVANTAGE_GRPO &&
        !(options->std_epsilon > 0.0 && isfinite(options->std_epsilon))) {
        return err_set(err, ERR_CONFIG, "advantages of '%s': std_epsilon = %g is not above 0", kind,
                       options->std_epsilon);
    }
    return ERR_OK;
}

/* ---- inputs ---- */

static enum err_code check_tokens(const struct completions *c, int64_t i, const char *what,
                                  const double *values, struct error *err) {
    for (int64_t t = c->starts[i]; values && t < c->starts[i + 1]; t++) {
        if (!isfinite(values[t])) {
            return err_set(err, ERR_DATA,
                           "completion %" PRId64 ", token %" PRId64 ": the %s is %g, not a number "
                           "to learn from",
                           i, t - c->starts[i], what, values[t]);
        }
    }
    return ERR_OK;
}

static enum err_code check_input(const struct advantage_input *in, struct error *err) {
    if (in->completions.count % in->completions.group_size != 0) {
        return err_set(err, ERR_INTERNAL, "%" PRId64 " completions are no groups of %" PRId64,
                       in->completions.count, in->completions.group_size);
    }
    for (int64_t i = 0; i < in->completions.count; i++) {
        if (!isfinite(in->rewards[i])) {
            return err_set(err, ERR_DATA,
                           "completion %" PRId64 ": the reward is %g, not a number to learn from",
                           i, in->rewards[i]);
        }
        TRY(check_tokens(&in->completions, i, "cost", in->costs, err));
        TRY(check_tokens(&in->completions, i, "value", in->values, err));
    }
    return ERR_OK;
}

/* ---- groups ---- */

struct group_moments {
    double mean, std; /* over G - 1; NaN for one */
    bool is_flat;
};

static struct group_moments moments_of(const double *values, int64_t count) {
    double sum = 0.0, squares = 0.0, low = values[0], high = values[0];
    for (int64_t i = 0; i < count; i++) {
        sum += values[i];
        low = fmin(low, values[i]);
        high = fmax(high, values[i]);
    }
    const double mean = sum / (double)count;
    for (int64_t i = 0; i < count; i++) {
        squares += (values[i] - mean) * (values[i] - mean);
    }
    return (struct group_moments){
        .mean = mean,
        .std = count > 1 ? sqrt(squares / (double)(count - 1)) : (double)NAN,
        .is_flat = high - low <= FLAT_RELATIVE * (1.0 + fmax(fabs(low), fabs(high)))};
}

static double group_scale(const struct advantage_options *options, struct group_moments joined,
                          double shrinkage) {
    if (options->kind == ADVANTAGE_RLOO) {
        return 1.0;
    }
    if (options->kind == ADVANTAGE_GRPO) {
        return joined.is_flat ? 0.0 : shrinkage / (joined.std + options->std_epsilon);
    }
    return shrinkage;
}

static double correction_at(const struct advantage_input *in, int64_t t) {
    return in->corrections ? in->corrections[t] : 0.0;
}

static void judge_in_group(const struct advantage_options *options,
                           const struct advantage_input *in, int64_t group,
                           struct group_moments joined, const struct advantage_output *out) {
    const struct completions *c = &in->completions;
    const double shrinkage = 1.0 - 1.0 / (double)c->group_size;
    const double scale = group_scale(options, joined, shrinkage);
    for (int64_t i = group * c->group_size; i < (group + 1) * c->group_size; i++) {
        const double above_others = (out->joined[i] - joined.mean) / shrinkage;
        for (int64_t t = c->starts[i]; t < c->starts[i + 1]; t++) {
            out->advantages[t] = scale * (above_others - correction_at(in, t));
        }
        out->scales[i] = scale;
    }
}

/* ---- tokens ---- */

/* gae; of reinforce too, where values are 0 and lambda is 1. */
static void judge_backwards(const struct advantage_options *options,
                            const struct advantage_input *in, int64_t i,
                            const struct advantage_output *out) {
    const struct completions *c = &in->completions;
    const bool has_values = options->kind == ADVANTAGE_GAE;
    const double lambda = has_values ? options->lambda : 1.0;
    double reward = in->rewards[i], next_value = 0.0, estimate = 0.0;
    for (int64_t t = c->starts[i + 1] - 1; t >= c->starts[i]; t--) {
        const double value = has_values ? in->values[t] : 0.0;
        const double delta = reward - in->costs[t] + options->gamma * next_value - value;
        estimate = delta + options->gamma * lambda * estimate;
        out->advantages[t] = estimate - correction_at(in, t);
        if (has_values) {
            out->returns[t] = estimate + value;
        }
        next_value = value;
        reward = 0.0; /* only the last token has it */
    }
    out->scales[i] = 1.0;
}

double advantage_whiten(double *values, int64_t count) {
    double sum = 0.0, squares = 0.0;
    for (int64_t t = 0; t < count; t++) {
        sum += values[t];
    }
    const double mean = sum / (double)count;
    for (int64_t t = 0; t < count; t++) {
        values[t] -= mean;
        squares += values[t] * values[t];
    }
    const double divisor = sqrt((count > 1 ? squares / (double)(count - 1) : 0.0) + WHITEN_EPSILON);
    for (int64_t t = 0; t < count; t++) {
        values[t] /= divisor;
    }
    return divisor;
}

/* ---- all ---- */

static void add_group(struct advantage_stats *stats, struct group_moments reward,
                      struct group_moments joined, int64_t groups) {
    stats->reward_mean += reward.mean / (double)groups;
    stats->joined_mean += joined.mean / (double)groups;
    stats->reward_std += reward.std / (double)groups;
    stats->joined_std += joined.std / (double)groups;
    stats->flat_groups += joined.is_flat;
}

enum err_code advantage_compute(const struct advantage_options *options,
                                const struct advantage_input *input,
                                const struct advantage_output *output,
                                struct advantage_stats *out_stats, struct error *err) {
    TRY(check_input(input, err));
    const struct completions *c = &input->completions;
    const int64_t groups = completions_groups(c), size = c->group_size;
    *out_stats = (struct advantage_stats){.groups = groups};
    for (int64_t i = 0; i < c->count; i++) {
        output->joined[i] = input->rewards[i] - completions_sum(c, i, input->costs);
        if (!has_group_baseline(options->kind)) {
            judge_backwards(options, input, i, output);
        }
    }
    for (int64_t p = 0; p < groups; p++) {
        const struct group_moments joined = moments_of(output->joined + p * size, size);
        add_group(out_stats, moments_of(input->rewards + p * size, size), joined, groups);
        if (has_group_baseline(options->kind)) {
            judge_in_group(options, input, p, joined, output);
        }
    }
    if (options->whiten) {
        const double divisor = advantage_whiten(output->advantages, completions_tokens(c));
        for (int64_t i = 0; i < c->count; i++) {
            output->scales[i] /= divisor;
        }
    }
    return ERR_OK;
}
