/* demo_world.h - a small world whose truth is known: people of two populations, who judge answers
 * to questions on which they divide, and of whom some are less reliable than others.
 *
 * Use:      const struct demo_topic *topic = demo_world_topic(0);
 *           double shares[DEMO_ANSWERS_MAX];
 *           demo_world_shares(topic, shares);              // what a policy should come to
 *           TRY(demo_world_add_votes(&size, seed, &json_lines, err));
 * Prompts:  "Ann and Ben ask: what shall we drink?", each topic once for each pair of names.
 * Votes:    a voter compares two answers, Davidson (1970) with the utilities of their population:
 *           win : tie : loss = e^(d/2) : nu : e^(-d/2) for a difference d. With probability 1 -
 *           reliability the vote is then taken down the wrong way round. Two voters have 1/2:
 * theirs are coin flips. Truth:    what votes say in expectation, over all voters, wrong ones
 * included. The reward of an answer is its mean log-odds of winning against the others (ties
 * apart); with two answers their difference is the log-odds themselves, and with more it is what
 * the log-odds add up to, as near as they do: two populations, or wrong votes, make them miss by
 * little. Shares are exp of the reward over the sum of it. Source:   Davidson 1970, "On extending
 * the Bradley-Terry model to accommodate ties". Threads:  no state.
 */
#ifndef TRAINER_DEMO_WORLD_H
#define TRAINER_DEMO_WORLD_H

#include "base/error.h"
#include "base/strbuf.h"

#include <stdint.h>

#define DEMO_TOPICS      6
#define DEMO_ANSWERS_MAX 3
#define DEMO_NAMES_MAX   16
#define DEMO_VOTERS      60

/* Name, voters. */
#define DEMO_POPULATIONS(X) \
    X(COAST, "coast", 36)   \
    X(HILLS, "hills", 24)

enum demo_population {
#define DEMO_ENUM(name, text, voters) DEMO_##name,
    DEMO_POPULATIONS(DEMO_ENUM)
#undef DEMO_ENUM
        DEMO_POPULATION_COUNT
};

struct demo_topic {
    const char *name, *question;
    int64_t answer_count;
    const char *answers[DEMO_ANSWERS_MAX];
    double utilities[DEMO_POPULATION_COUNT][DEMO_ANSWERS_MAX]; /* nats */
    int64_t shown[DEMO_ANSWERS_MAX]; /* demonstrations, of as many as their sum */
};

struct demo_size {
    int64_t names;            /* in [2, DEMO_NAMES_MAX] */
    int64_t votes_per_prompt; /* in [1, DEMO_VOTERS]: of as many voters */
};

/* Probabilities of a vote on two answers. */
struct demo_odds {
    double win, tie, loss; /* of the first */
};

const struct demo_topic *demo_world_topic(int64_t topic);

/* Prompts of one topic. */
int64_t demo_world_prompts(const struct demo_size *size);

/* "voter 07" belongs to a population, and means what they say so often. `voter` from 0. */
enum demo_population demo_world_population(int64_t voter);
double demo_world_reliability(int64_t voter);

/* Of a vote on answers `first` and `second` by any of the voters. */
struct demo_odds demo_world_odds(const struct demo_topic *topic, int64_t first, int64_t second);

/* [answer_count] nats, with mean 0; and the shares that they make, with sum 1. */
void demo_world_rewards(const struct demo_topic *topic, double *out_rewards);
void demo_world_shares(const struct demo_topic *topic, double *out_shares);

/* Standard error, nats, of the difference of two rewards that are fitted to `votes` on a topic,
 * spread evenly over its pairs of answers: 1 / sqrt of the information, w = votes x variance of a
 * vote, of the pair itself and of the way round by the third answer. */
double demo_world_error(const struct demo_topic *topic, int64_t first, int64_t second,
                        double votes);

/* Append JSON lines as `accord import` reads them: each prompt's votes; a demonstration of each
 * prompt, in which the answer that most prefer stands far more often than in people's mouths. */
ERR_NODISCARD enum err_code demo_world_add_votes(const struct demo_size *size, uint64_t seed,
                                                 struct strbuf *out, struct error *err);
ERR_NODISCARD enum err_code demo_world_add_demonstrations(const struct demo_size *size,
                                                          uint64_t seed, struct strbuf *out,
                                                          struct error *err);

#endif
