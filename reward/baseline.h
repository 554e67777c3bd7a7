/* baseline.h - the two rewards that every reward model must beat: how long an answer is, and which
 * words it has.
 *
 * Use:      struct baseline_options options = BASELINE_OPTIONS_DEFAULT;
 *           options.words = true;
 *           SCOPED(baseline) struct baseline words = BASELINE_INIT;
 *           TRY(baseline_fit(&matrix, &pairs, &options, &words, err));
 *           double reward = baseline_score(&words, &matrix, row);     // nats
 * Model:    reward = length_weight * ln(characters) + sum over features of weight * value;
 *           P(first preferred) = sigma(reward_first - reward_second), fitted to the shares of the
 *           judgements by maximum posterior: normal priors, of precision `ridge` on the weight of
 *           each word and `ridge_length` on that of the length. No intercept: swapping the sides
 *           flips the margin.
 * Threads:  no state.
 */
#ifndef REWARD_BASELINE_H
#define REWARD_BASELINE_H

#include "base/error.h"
#include "reward/newton.h"
#include "reward/text_features.h"

#include <stdbool.h>
#include <stdint.h>

/* Pairs of rows of a matrix and how often each side was preferred; a tie is half a win for both.
 * Borrowed arrays. */
struct baseline_pairs {
    int64_t count;
    const int32_t *first, *second; /* [count] rows */
    const double *wins_first;      /* [count] >= 0 */
    const double *wins_second;     /* [count] */
};

/* ridge 100: before seeing data, a word moves the odds by a tenth of a nat, more or less. */
struct baseline_options {
    bool words; /* else the length alone */
    double ridge, ridge_length;
    int64_t iterations_max;
};

#define BASELINE_OPTIONS_DEFAULT \
    ((struct baseline_options){.ridge = 100.0, .ridge_length = 0.01, .iterations_max = 200})

struct baseline {
    double length_weight;  /* nats per ln(character) */
    int64_t feature_count; /* 0: length alone */
    double *weights;       /* [feature_count] nats */
    struct newton_result fit;
};

#define BASELINE_INIT \
    { .weights = NULL }

/* `out_baseline` is owned (baseline_deinit).
 *   fails  ERR_DATA without any judgement; ERR_LIMIT without convergence; ERR_OOM */
ERR_NODISCARD enum err_code baseline_fit(const struct text_matrix *matrix,
                                         const struct baseline_pairs *pairs,
                                         const struct baseline_options *options,
                                         struct baseline *out_baseline, struct error *err);

void baseline_deinit(struct baseline *baseline);

/* The reward of a row, in nats. Features that came after the fit count nothing. */
double baseline_score(const struct baseline *baseline, const struct text_matrix *matrix,
                      int64_t row);

static inline void baseline_scoped_end(struct baseline *baseline) {
    baseline_deinit(baseline);
}

#endif
