/* small_world.h - languages so small that all of their answers can be written down: expectations
 * are sums, gradients of tabular softmax policies exact.
 *
 * Use:      double logp[WORLD_CELLS_MAX], gradient[WORLD_CELLS_MAX] = {0.0};
 *           small_world_policy(&small_world_two, logits, logp);
 *           const double j = small_world_objective(&small_world_two, &reg, logp);
 *           small_world_gradient(&small_world_two, &reg, logp, true, gradient);
 * Legend:   V tokens, L tokens of every answer, V^L answers numbered in base V, their first token
 *           first; states are what precedes a token, shortest first; a cell is a state and a token,
 *           so a policy is logp [states * V].
 */
#ifndef TESTS_SUPPORT_SMALL_WORLD_H
#define TESTS_SUPPORT_SMALL_WORLD_H

#include "base/rng.h"
#include "trainer/regulariser.h"

#include <stdbool.h>
#include <stdint.h>

#define WORLD_ANSWERS_MAX 16
#define WORLD_CELLS_MAX   16
#define WORLD_LENGTH_MAX  2

struct small_world {
    int64_t vocab, length;
    double rewards[WORLD_ANSWERS_MAX]; /* [V^L] nats */
    double reference[WORLD_CELLS_MAX]; /* [states * V] probabilities */
};

/* One prompt, four answers of one token; and answers of two tokens of three. */
extern const struct small_world small_world_one, small_world_two;

int64_t small_world_answers(const struct small_world *world);
int64_t small_world_cells(const struct small_world *world);

/* Log-softmax of logits [cells] in each state; the reference as log-probabilities. */
void small_world_policy(const struct small_world *world, const double *logits, double *out_logp);
void small_world_reference(const struct small_world *world, double *out_logp);

/* The cell of token t of an answer; an answer's token numbers out of a table, its probability. */
int64_t small_world_cell(const struct small_world *world, int64_t answer, int64_t t);
void small_world_tokens(const struct small_world *world, const double *table, int64_t answer,
                        double *out_values);
double small_world_probability(const struct small_world *world, const double *logp, int64_t answer);
void small_world_probabilities(const struct small_world *world, const double *logp,
                               double *out_probabilities);

/* The optimum with one beta: probabilities [V^L] of e^(r / beta) prod of w / Z; returns
 * beta ln Z. */
double small_world_optimum(const struct small_world *world, const struct regulariser *reg,
                           double *out_probabilities);

/* E[r - sum of costs]. */
double small_world_objective(const struct small_world *world, const struct regulariser *reg,
                             const double *logp);

/* Adds the gradient of the sum of slopes_t ln pi(a_t) of one answer in the logits, times weight. */
void small_world_pull_back(const struct small_world *world, const double *logp, int64_t answer,
                           const double *slopes, double weight, double *gradient);

/* Adds the gradient of the objective in the logits, as policy gradients have it: the expectation
 * of (R - correction_t) grad ln pi(a_t). Without corrections, what comes of a detached reward. */
void small_world_gradient(const struct small_world *world, const struct regulariser *reg,
                          const double *logp, bool is_corrected, double *gradient);

/* Draws an answer from the policy. */
int64_t small_world_draw(const struct small_world *world, const double *logp, struct rng *rng);

/* Half the sum of |p - q| over answers. */
double small_world_distance(const struct small_world *world, const double *p, const double *q);

#endif
