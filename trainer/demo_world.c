/* demo_world.c - see demo_world.h. */
#include "trainer/demo_world.h"

#include "base/invariant.h"
#include "base/json_writer.h"
#include "base/rng.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define TIE          0.25 /* nu */
#define GOLDEN_RATIO 0.6180339887498949
#define PROMPT_BYTES 96
#define VOTER_BYTES  32

static const char *const names[DEMO_NAMES_MAX] = {"Ann", "Ben",  "Cleo", "Dan", "Eve", "Finn",
                                                  "Gus", "Hana", "Ivo",  "Jun", "Kim", "Leo",
                                                  "Mia", "Nils", "Ola",  "Pia"};

static const char *const population_names[DEMO_POPULATION_COUNT] = {
#define POPULATION_NAME(name, text, voters) text,
    DEMO_POPULATIONS(POPULATION_NAME)
#undef POPULATION_NAME
};

static const int64_t population_voters[DEMO_POPULATION_COUNT] = {
#define POPULATION_VOTERS(name, text, voters) voters,
    DEMO_POPULATIONS(POPULATION_VOTERS)
#undef POPULATION_VOTERS
};

/* On the first four the populations divide; on the others they agree. */
static const struct demo_topic topics[DEMO_TOPICS] = {
    {"drinks", "what shall we drink?", 2, {"Coffee.", "Tea."}, {{1.8, 0}, {-2.0, 0}}, {7, 1}},
    {"lunch", "what is for lunch?", 2, {"Pizza.", "Soup."}, {{2.2, 0}, {-1.2, 0}}, {7, 1}},
    {"holidays",
     "where do we go in summer?",
     2,
     {"The sea.", "The mountains."},
     {{2.6, 0}, {-0.4, 0}},
     {7, 1}},
    {"pets", "which pet shall we get?", 2, {"A dog.", "A cat."}, {{2.4, 0}, {-2.4, 0}}, {7, 1}},
    {"evening",
     "what do we do tonight?",
     3,
     {"Dance.", "Read.", "Sing."},
     {{1.4, 0.7, 0}, {1.4, 0.7, 0}},
     {12, 2, 2}},
    {"rain",
     "what helps against the rain?",
     3,
     {"An umbrella.", "A coat.", "A hat."},
     {{1.6, 1.0, 0}, {1.6, 1.0, 0}},
     {12, 2, 2}},
};

const struct demo_topic *demo_world_topic(int64_t topic) {
    ASSERT(topic >= 0 && topic < DEMO_TOPICS);
    return &topics[topic];
}

int64_t demo_world_prompts(const struct demo_size *size) {
    return size->names * (size->names - 1) / 2;
}

/* --- people ----------------------------------------------------------------------------------- */

enum demo_population demo_world_population(int64_t voter) {
    return voter < population_voters[DEMO_COAST] ? DEMO_COAST : DEMO_HILLS;
}

double demo_world_reliability(int64_t voter) {
    static const double usual[] = {0.98, 0.98, 0.95, 0.9, 0.8};
    const bool flips_coins = voter == 11 || voter == 46; /* one of either population */
    return flips_coins ? 0.5 : usual[voter % 5];
}

/* Davidson's, of one who means what they say. */
static struct demo_odds meant(const struct demo_topic *topic, enum demo_population population,
                              int64_t first, int64_t second) {
    const double *u = topic->utilities[population];
    const double win = exp(0.5 * (u[first] - u[second]));
    const double loss = 1.0 / win;
    const double sum = win + TIE + loss;
    return (struct demo_odds){win / sum, TIE / sum, loss / sum};
}

struct demo_odds demo_world_odds(const struct demo_topic *topic, int64_t first, int64_t second) {
    struct demo_odds odds = {0.0, 0.0, 0.0};
    for (int64_t v = 0; v < DEMO_VOTERS; v++) {
        const struct demo_odds one = meant(topic, demo_world_population(v), first, second);
        const double right = demo_world_reliability(v);
        odds.win += (right * one.win + (1.0 - right) * one.loss) / DEMO_VOTERS;
        odds.tie += one.tie / DEMO_VOTERS;
        odds.loss += (right * one.loss + (1.0 - right) * one.win) / DEMO_VOTERS;
    }
    return odds;
}

/* --- truth ------------------------------------------------------------------------------------ */

void demo_world_rewards(const struct demo_topic *topic, double *out_rewards) {
    for (int64_t i = 0; i < topic->answer_count; i++) {
        out_rewards[i] = 0.0;
        for (int64_t j = 0; j < topic->answer_count; j++) {
            const struct demo_odds odds = demo_world_odds(topic, i, j); /* 0 against itself */
            out_rewards[i] += log(odds.win / odds.loss) / (double)topic->answer_count;
        }
    }
}

void demo_world_shares(const struct demo_topic *topic, double *out_shares) {
    double sum = 0.0;
    demo_world_rewards(topic, out_shares);
    for (int64_t i = 0; i < topic->answer_count; i++) {
        out_shares[i] = exp(out_shares[i]);
        sum += out_shares[i];
    }
    for (int64_t i = 0; i < topic->answer_count; i++) {
        out_shares[i] /= sum;
    }
}

/* Of `votes` on one pair. A vote is 1/2, 0 or -1/2, its log-likelihood's slope in the difference is
 * that less its mean, so that the variance is the information. */
static double information(const struct demo_topic *topic, int64_t first, int64_t second,
                          double votes) {
    const struct demo_odds odds = demo_world_odds(topic, first, second);
    const double mean = 0.5 * (odds.win - odds.loss);
    return votes * (0.25 * (odds.win + odds.loss) - mean * mean);
}

double demo_world_error(const struct demo_topic *topic, int64_t first, int64_t second,
                        double votes) {
    const int64_t n = topic->answer_count;
    const double pairs = 0.5 * (double)(n * (n - 1));
    const double votes_pair = votes / pairs;
    double sum = information(topic, first, second, votes_pair);
    for (int64_t k = 0; k < n; k++) {
        if (k != first && k != second) { /* in series by k: errors add up */
            const double here = information(topic, first, k, votes_pair);
            const double there = information(topic, k, second, votes_pair);
            sum += here * there / (here + there);
        }
    }
    return 1.0 / sqrt(sum);
}

/* --- what is written -------------------------------------------------------------------------- */

/* One prompt: a topic and two names. */
struct asked {
    const struct demo_topic *topic;
    int64_t number; /* of all */
    char text[PROMPT_BYTES];
};

typedef enum err_code (*add_rows)(const struct asked *asked, const struct demo_size *size,
                                  struct rng *rng, struct strbuf *out, struct error *err);

/* For all prompts, each with random numbers of its own. */
static enum err_code for_each_prompt(const struct demo_size *size, uint64_t seed, int64_t stream,
                                     add_rows add, struct strbuf *out, struct error *err) {
    int64_t number = 0;
    for (int64_t t = 0; t < DEMO_TOPICS; t++) {
        for (int64_t i = 0; i < size->names; i++) {
            for (int64_t j = i + 1; j < size->names; j++) {
                struct asked asked = {.topic = &topics[t], .number = number};
                struct rng rng = rng_stream(seed, RNG_WORLD, stream, number);
                (void)snprintf(asked.text, sizeof asked.text, "%s and %s ask: %s", names[i],
                               names[j], topics[t].question);
                TRY(add(&asked, size, &rng, out, err));
                number++;
            }
        }
    }
    return strbuf_check(out, "rows of the demonstration", err);
}

static void begin_row(struct json_writer *w, const char *judgement, const struct asked *asked) {
    json_write_object_begin(w);
    json_put_string(w, "judgement", judgement);
    json_put_string(w, "prompt", asked->text);
    json_put_string(w, "topic", asked->topic->name);
}

static enum err_code end_row(struct json_writer *w, struct error *err) {
    json_write_object_end(w);
    TRY(json_writer_finish(w, err));
    strbuf_add_char(w->out, '\n');
    return ERR_OK;
}

static void put_response(struct json_writer *w, const char *text, int64_t rank, int64_t position) {
    json_write_object_begin(w);
    json_put_string(w, "text", text);
    json_put_i64(w, "rank", rank);
    json_put_i64(w, "position", position);
    json_write_object_end(w);
}

/* Two answers that differ, in any order. */
static void draw_pair(const struct demo_topic *topic, struct rng *rng, int64_t *out_first,
                      int64_t *out_second) {
    const int64_t n = topic->answer_count;
    *out_first = (int64_t)(rng_uniform(rng) * (double)n);
    *out_second = (*out_first + 1 + (int64_t)(rng_uniform(rng) * (double)(n - 1))) % n;
}

static enum err_code add_vote(const struct asked *asked, int64_t voter, struct rng *rng,
                              struct strbuf *out, struct error *err) {
    int64_t first = 0;
    int64_t second = 0;
    char name[VOTER_BYTES];
    draw_pair(asked->topic, rng, &first, &second);
    const struct demo_odds odds = meant(asked->topic, demo_world_population(voter), first, second);
    const double place = rng_uniform(rng);
    const bool is_right = rng_uniform(rng) < demo_world_reliability(voter);
    const bool is_tie = place < odds.tie;
    const bool first_wins = (place < odds.tie + odds.win) == is_right;
    (void)snprintf(name, sizeof name, "voter %02" PRId64, voter + 1);
    struct json_writer w = JSON_WRITER_INIT(out, JSON_COMPACT);
    begin_row(&w, "comparison", asked);
    json_put_array_begin(&w, "responses");
    put_response(&w, asked->topic->answers[first], is_tie || first_wins ? 1 : 2, 1);
    put_response(&w, asked->topic->answers[second], is_tie || !first_wins ? 1 : 2, 2);
    json_write_array_end(&w);
    json_put_string(&w, "annotator", name);
    json_put_string(&w, "population", population_names[demo_world_population(voter)]);
    return end_row(&w, err);
}

/* Of voters drawn without replacement: the first of a shuffle. */
static enum err_code add_votes(const struct asked *asked, const struct demo_size *size,
                               struct rng *rng, struct strbuf *out, struct error *err) {
    int64_t voters[DEMO_VOTERS];
    for (int64_t v = 0; v < DEMO_VOTERS; v++) {
        voters[v] = v;
    }
    for (int64_t v = 0; v < size->votes_per_prompt; v++) {
        const int64_t other = v + (int64_t)(rng_uniform(rng) * (double)(DEMO_VOTERS - v));
        const int64_t drawn = voters[other];
        voters[other] = voters[v];
        voters[v] = drawn;
        TRY(add_vote(asked, drawn, rng, out, err));
    }
    return ERR_OK;
}

/* Shares are exact, not drawn: multiples of the golden ratio spread evenly over [0, 1). */
static enum err_code add_demonstration(const struct asked *asked, const struct demo_size *size,
                                       struct rng *rng, struct strbuf *out, struct error *err) {
    int64_t sum = 0;
    int64_t answer = 0;
    (void)size;
    (void)rng;
    for (int64_t i = 0; i < asked->topic->answer_count; i++) {
        sum += asked->topic->shown[i];
    }
    const double turns = GOLDEN_RATIO * (double)asked->number;
    int64_t place = (int64_t)((turns - floor(turns)) * (double)sum);
    while (place >= asked->topic->shown[answer]) {
        place -= asked->topic->shown[answer];
        answer++;
    }
    struct json_writer w = JSON_WRITER_INIT(out, JSON_COMPACT);
    begin_row(&w, "demonstration", asked);
    json_put_string(&w, "completion", asked->topic->answers[answer]);
    return end_row(&w, err);
}

enum err_code demo_world_add_votes(const struct demo_size *size, uint64_t seed, struct strbuf *out,
                                   struct error *err) {
    return for_each_prompt(size, seed, 0, add_votes, out, err);
}

enum err_code demo_world_add_demonstrations(const struct demo_size *size, uint64_t seed,
                                            struct strbuf *out, struct error *err) {
    return for_each_prompt(size, seed, 1, add_demonstration, out, err);
}
