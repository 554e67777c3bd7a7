/* policy_measures.h - what a policy's answers to a prompt are like, in numbers.
 *
 * Use:      double row[POLICY_MEASURE_COUNT];
 *           TRY(policy_measures_of(&sample, group, row, err));              // one prompt
 * Numbers:  means over the G answers to a prompt, so that prompts can be resampled:
 *             reward, held_out      as given
 *             length, cut_off       tokens; share without an end
 *             entropy               -ln pi of the answers over their tokens, nats a token
 *             kl                    ln pi - ln ref of whole answers, nats; NaN without reference
 *             unique                different answers over G
 *             distinct_2            different pairs of tokens in a row over all (arXiv 1510.03055)
 *             pm_divergence, ...    distance of odds from those of the reward, on the policy's own
 *                                   answers: matching.h; bounded; and of pairs of close lengths
 *             pool_divergence, ...  the same on answers of several policies, which a collapsed one
 *                                   cannot choose to its own advantage
 * Threads:  no state.
 */
#ifndef TRAINER_POLICY_MEASURES_H
#define TRAINER_POLICY_MEASURES_H

#include "base/error.h"
#include "trainer/completions.h"
#include "trainer/matching.h"

#include <stdbool.h>
#include <stdint.h>

#define POLICY_MEASURES(X)                          \
    X(REWARD, "reward")                             \
    X(HELD_OUT, "held_out")                         \
    X(LENGTH, "mean_length")                        \
    X(CUT_OFF, "clipped_ratio")                     \
    X(ENTROPY, "entropy")                           \
    X(KL, "kl")                                     \
    X(UNIQUE, "unique")                             \
    X(DISTINCT_2, "distinct_2")                     \
    X(DIVERGENCE, "pm_divergence")                  \
    X(BOUNDED, "pm_divergence_bounded")             \
    X(NEAR_DIVERGENCE, "pm_divergence_near")        \
    X(NEAR_BOUNDED, "pm_divergence_near_bounded")   \
    X(POOL_DIVERGENCE, "pool_divergence")           \
    X(POOL_BOUNDED, "pool_divergence_bounded")      \
    X(POOL_NEAR_DIVERGENCE, "pool_divergence_near") \
    X(POOL_NEAR_BOUNDED, "pool_divergence_near_bounded")

enum policy_measure {
#define POLICY_MEASURE_ENUM(name, text) POLICY_MEASURE_##name,
    POLICY_MEASURES(POLICY_MEASURE_ENUM)
#undef POLICY_MEASURE_ENUM
        POLICY_MEASURE_COUNT
};

extern const char *const policy_measure_names[POLICY_MEASURE_COUNT];

/* Answers of a policy. All borrowed. */
struct policy_sample {
    struct completions completions; /* groups are prompts */
    const int32_t *ids;             /* [T] */
    const bool *ended;              /* [S] */
    const double *logp;             /* [T] of the policy */
    const double *reference_logp;   /* [T]; NULL: none */
    const double *rewards;          /* [S] nats */
    const double *held_out;         /* [S]; NULL: none */
    double beta;                    /* rewards over this are the odds that are aimed at */
};

/* Tokens that two answers may differ by and still be of close length. */
#define POLICY_LENGTH_GAP_MAX 2

/* Whether the measure needs a pool of several policies' answers. */
static inline bool policy_measure_is_of_pool(int64_t measure) {
    return measure >= POLICY_MEASURE_POOL_DIVERGENCE;
}

/* The numbers of one group, those of a pool NaN, as where there is nothing to measure.
 *   fails    ERR_OOM */
ERR_NODISCARD enum err_code policy_measures_of(const struct policy_sample *sample, int64_t group,
                                               double out_values[POLICY_MEASURE_COUNT],
                                               struct error *err);

/* Those of a pool, into out_values. */
void policy_measures_of_pool(const struct matching_pool *pool,
                             double out_values[POLICY_MEASURE_COUNT]);

/* Means over the groups, leaving out those that are NaN. */
ERR_NODISCARD enum err_code policy_measures_mean(const struct policy_sample *sample,
                                                 double out_values[POLICY_MEASURE_COUNT],
                                                 struct error *err);

#endif
