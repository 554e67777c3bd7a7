/* small_world.c - see small_world.h. */
#include "tests/support/small_world.h"

#include <math.h>

const struct small_world small_world_one = {
    .vocab = 4,
    .length = 1,
    .rewards = {1.0, 0.5, 0.0, -1.0},
    .reference = {0.7, 0.2, 0.08, 0.02},
};

/* Tokens a, b, c; answers aa, ab, ac, ba, ...; states: nothing, a, b, c. */
const struct small_world small_world_two = {
    .vocab = 3,
    .length = 2,
    .rewards = {1.0, 0.5, 2.0, 0.0, 1.5, -0.5, 3.0, -1.0, 0.5},
    .reference = {0.6, 0.3, 0.1, 0.5, 0.4, 0.1, 0.7, 0.25, 0.05, 0.2, 0.2, 0.6},
};

static int64_t power(int64_t base, int64_t exponent) {
    int64_t product = 1;
    for (int64_t k = 0; k < exponent; k++) {
        product *= base;
    }
    return product;
}

/* States that precede token t: one of nothing, V of one token, ... */
static int64_t states_before(const struct small_world *world, int64_t t) {
    return (power(world->vocab, t) - 1) / (world->vocab - 1);
}

int64_t small_world_answers(const struct small_world *world) {
    return power(world->vocab, world->length);
}

int64_t small_world_cells(const struct small_world *world) {
    return states_before(world, world->length) * world->vocab;
}

void small_world_policy(const struct small_world *world, const double *logits, double *out_logp) {
    for (int64_t first = 0; first < small_world_cells(world); first += world->vocab) {
        double top = logits[first], sum = 0.0;
        for (int64_t a = 0; a < world->vocab; a++) {
            top = fmax(top, logits[first + a]);
        }
        for (int64_t a = 0; a < world->vocab; a++) {
            sum += exp(logits[first + a] - top);
        }
        for (int64_t a = 0; a < world->vocab; a++) {
            out_logp[first + a] = logits[first + a] - top - log(sum);
        }
    }
}

void small_world_reference(const struct small_world *world, double *out_logp) {
    for (int64_t k = 0; k < small_world_cells(world); k++) {
        out_logp[k] = log(world->reference[k]);
    }
}

int64_t small_world_cell(const struct small_world *world, int64_t answer, int64_t t) {
    const int64_t before = answer / power(world->vocab, world->length - t);
    const int64_t token = answer / power(world->vocab, world->length - t - 1) % world->vocab;
    return (states_before(world, t) + before) * world->vocab + token;
}

void small_world_tokens(const struct small_world *world, const double *table, int64_t answer,
                        double *out_values) {
    for (int64_t t = 0; t < world->length; t++) {
        out_values[t] = table[small_world_cell(world, answer, t)];
    }
}

double small_world_probability(const struct small_world *world, const double *logp,
                               int64_t answer) {
    double sum = 0.0;
    for (int64_t t = 0; t < world->length; t++) {
        sum += logp[small_world_cell(world, answer, t)];
    }
    return exp(sum);
}

void small_world_probabilities(const struct small_world *world, const double *logp,
                               double *out_probabilities) {
    for (int64_t y = 0; y < small_world_answers(world); y++) {
        out_probabilities[y] = small_world_probability(world, logp, y);
    }
}

/* ln w of one token, not by the code under test. */
static double log_weight(const struct regulariser *reg, double reference) {
    const bool is_inside =
        reg->kind == REGULARISER_PM || (reg->kind == REGULARISER_CPM && reference > reg->alpha);
    return is_inside ? 0.0 : log(reference);
}

double small_world_optimum(const struct small_world *world, const struct regulariser *reg,
                           double *out_probabilities) {
    const int64_t answers = small_world_answers(world);
    double z = 0.0;
    for (int64_t y = 0; y < answers; y++) {
        double exponent = world->rewards[y] / reg->beta_in;
        for (int64_t t = 0; t < world->length; t++) {
            exponent += log_weight(reg, world->reference[small_world_cell(world, y, t)]);
        }
        out_probabilities[y] = exp(exponent);
        z += out_probabilities[y];
    }
    for (int64_t y = 0; y < answers; y++) {
        out_probabilities[y] /= z;
    }
    return reg->beta_in * log(z);
}

/* R of an answer, and its corrections. */
static double joined_of(const struct small_world *world, const struct regulariser *reg,
                        const double *logp, int64_t answer, double *out_corrections) {
    double tokens[WORLD_LENGTH_MAX], ref_tokens[WORLD_LENGTH_MAX], costs[WORLD_LENGTH_MAX];
    double ref_logp[WORLD_CELLS_MAX], joined = world->rewards[answer];
    small_world_reference(world, ref_logp);
    small_world_tokens(world, logp, answer, tokens);
    small_world_tokens(world, ref_logp, answer, ref_tokens);
    regulariser_costs(reg, world->length, tokens, ref_tokens, costs, out_corrections);
    for (int64_t t = 0; t < world->length; t++) {
        joined -= costs[t];
    }
    return joined;
}

double small_world_objective(const struct small_world *world, const struct regulariser *reg,
                             const double *logp) {
    double corrections[WORLD_LENGTH_MAX], sum = 0.0;
    for (int64_t y = 0; y < small_world_answers(world); y++) {
        sum +=
            small_world_probability(world, logp, y) * joined_of(world, reg, logp, y, corrections);
    }
    return sum;
}

void small_world_pull_back(const struct small_world *world, const double *logp, int64_t answer,
                           const double *slopes, double weight, double *gradient) {
    for (int64_t t = 0; t < world->length; t++) {
        const int64_t cell = small_world_cell(world, answer, t);
        const int64_t first = cell - cell % world->vocab;
        gradient[cell] += weight * slopes[t];
        for (int64_t a = 0; a < world->vocab; a++) {
            gradient[first + a] -= weight * slopes[t] * exp(logp[first + a]);
        }
    }
}

void small_world_gradient(const struct small_world *world, const struct regulariser *reg,
                          const double *logp, bool is_corrected, double *gradient) {
    for (int64_t y = 0; y < small_world_answers(world); y++) {
        double corrections[WORLD_LENGTH_MAX], advantages[WORLD_LENGTH_MAX];
        const double joined = joined_of(world, reg, logp, y, corrections);
        for (int64_t t = 0; t < world->length; t++) {
            advantages[t] = joined - (is_corrected ? corrections[t] : 0.0);
        }
        small_world_pull_back(world, logp, y, advantages, small_world_probability(world, logp, y),
                              gradient);
    }
}

int64_t small_world_draw(const struct small_world *world, const double *logp, struct rng *rng) {
    int64_t answer = 0;
    for (int64_t t = 0; t < world->length; t++) {
        const int64_t first = (states_before(world, t) + answer) * world->vocab;
        double u = rng_uniform(rng);
        int64_t token = 0;
        while (token < world->vocab - 1 && u >= exp(logp[first + token])) {
            u -= exp(logp[first + token++]);
        }
        answer = answer * world->vocab + token;
    }
    return answer;
}

double small_world_distance(const struct small_world *world, const double *p, const double *q) {
    double sum = 0.0;
    for (int64_t y = 0; y < small_world_answers(world); y++) {
        sum += 0.5 * fabs(p[y] - q[y]);
    }
    return sum;
}
