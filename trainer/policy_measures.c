/* policy_measures.c - see policy_measures.h. */
#include "trainer/policy_measures.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "trainer/diversity.h"

#include <math.h>

#define MEASURE_NAME(name, text) text,
const char *const policy_measure_names[POLICY_MEASURE_COUNT] = {POLICY_MEASURES(MEASURE_NAME)};
#undef MEASURE_NAME

/* --- odds ------------------------------------------------------------------------------------- */

static void write_matching(const struct matching *matching, double out_values[4]) {
    out_values[0] = matching->divergence;
    out_values[1] = matching->bernoulli_kl;
    out_values[2] = matching->near_divergence;
    out_values[3] = matching->near_bernoulli_kl;
}

void policy_measures_of_pool(const struct matching_pool *pool,
                             double out_values[POLICY_MEASURE_COUNT]) {
    const struct matching matching = matching_of(pool, POLICY_LENGTH_GAP_MAX);
    write_matching(&matching, out_values + POLICY_MEASURE_POOL_DIVERGENCE);
}

/* Distances of the odds between the group's answers from those of their rewards. */
static enum err_code measure_odds(const struct policy_sample *sample, int64_t first,
                                  double *out_values, struct error *err) {
    const struct completions *c = &sample->completions;
    const size_t count = (size_t)c->group_size;
    SCOPED(mem) double *rewards = mem_array(count, sizeof *rewards);
    SCOPED(mem) double *logp = mem_array(count, sizeof *logp);
    SCOPED(mem) int64_t *lengths = mem_array(count, sizeof *lengths);
    if (!rewards || !logp || !lengths) {
        return err_oom(err, "answers to a prompt");
    }
    for (int64_t k = 0; k < c->group_size; k++) {
        rewards[k] = sample->rewards[first + k] / sample->beta;
        logp[k] = completions_sum(c, first + k, sample->logp);
        lengths[k] = completions_length(c, first + k);
    }
    const struct matching_pool pool = {
        .count = c->group_size, .rewards = rewards, .logp = logp, .lengths = lengths};
    const struct matching matching = matching_of(&pool, POLICY_LENGTH_GAP_MAX);
    write_matching(&matching, out_values + POLICY_MEASURE_DIVERGENCE);
    return ERR_OK;
}

/* --- words ------------------------------------------------------------------------------------ */

static enum err_code measure_words(const struct policy_sample *sample, int64_t group,
                                   double *out_values, struct error *err) {
    const struct completions *c = &sample->completions;
    const int64_t first = group * c->group_size;
    const int64_t begin = c->starts[first];
    struct distinct_count pairs = {.total = 0};
    SCOPED(mem) int64_t *starts = mem_array((size_t)c->group_size + 1, sizeof *starts);
    if (!starts) {
        return err_oom(err, "answers to a prompt");
    }
    for (int64_t i = 0; i <= c->group_size; i++) {
        starts[i] = c->starts[first + i] - begin;
    }
    const struct completions own = {
        .count = c->group_size, .group_size = c->group_size, .starts = starts};
    TRY(diversity_ngrams(&own, sample->ids + begin, 2, &pairs, err));
    out_values[POLICY_MEASURE_DISTINCT_2] = (double)pairs.distinct / (double)pairs.total;
    out_values[POLICY_MEASURE_UNIQUE] =
        (double)diversity_unique(&own, sample->ids + begin, 0) / (double)c->group_size;
    return ERR_OK;
}

/* --- all of it -------------------------------------------------------------------------------- */

enum err_code policy_measures_of(const struct policy_sample *sample, int64_t group,
                                 double out_values[POLICY_MEASURE_COUNT], struct error *err) {
    const struct completions *c = &sample->completions;
    const int64_t first = group * c->group_size;
    const double count = (double)c->group_size;
    double reward = 0.0;
    double held_out = 0.0;
    double logp = 0.0;
    double reference = 0.0;
    double ended = 0.0;
    for (int64_t i = first; i < first + c->group_size; i++) {
        reward += sample->rewards[i];
        held_out += sample->held_out ? sample->held_out[i] : (double)NAN;
        logp += completions_sum(c, i, sample->logp);
        reference +=
            sample->reference_logp ? completions_sum(c, i, sample->reference_logp) : (double)NAN;
        ended += sample->ended[i] ? 1.0 : 0.0;
    }
    const double tokens = (double)(c->starts[first + c->group_size] - c->starts[first]);
    for (int64_t m = 0; m < POLICY_MEASURE_COUNT; m++) {
        out_values[m] = (double)NAN;
    }
    out_values[POLICY_MEASURE_REWARD] = reward / count;
    out_values[POLICY_MEASURE_HELD_OUT] = held_out / count;
    out_values[POLICY_MEASURE_LENGTH] = tokens / count;
    out_values[POLICY_MEASURE_CUT_OFF] = 1.0 - ended / count;
    out_values[POLICY_MEASURE_ENTROPY] = -logp / tokens;
    out_values[POLICY_MEASURE_KL] = (logp - reference) / count;
    TRY(measure_words(sample, group, out_values, err));
    return measure_odds(sample, first, out_values, err);
}

enum err_code policy_measures_mean(const struct policy_sample *sample,
                                   double out_values[POLICY_MEASURE_COUNT], struct error *err) {
    int64_t known[POLICY_MEASURE_COUNT] = {0};
    double sums[POLICY_MEASURE_COUNT] = {0.0};
    for (int64_t g = 0; g < completions_groups(&sample->completions); g++) {
        double values[POLICY_MEASURE_COUNT];
        TRY(policy_measures_of(sample, g, values, err));
        for (int64_t m = 0; m < POLICY_MEASURE_COUNT; m++) {
            known[m] += !isnan(values[m]);
            sums[m] += isnan(values[m]) ? 0.0 : values[m];
        }
    }
    for (int64_t m = 0; m < POLICY_MEASURE_COUNT; m++) {
        out_values[m] = known[m] > 0 ? sums[m] / (double)known[m] : (double)NAN;
    }
    return ERR_OK;
}
