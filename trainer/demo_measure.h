/* demo_measure.h - what models of the demonstration say to prompts that none of them learnt from,
 * beside the truth of demo_world.h.
 *
 * Use:      SCOPED(demo_prompts) struct demo_prompts prompts = DEMO_PROMPTS_INIT;
 *           TRY(demo_prompts_read(run, "world.db", &prompts, err));
 *           TRY(demo_measure_shares(run, &prompts, &question, &shares, err));
 *           TRY(demo_measure_rewards(run, &prompts, "world.db", "lm:reward/final", &rewards, err));
 * Prompts:  those of the test split.
 * Intervals: 95 %, by resampling prompts (reward/cluster_bootstrap.h).
 * Threads:  main thread.
 */
#ifndef TRAINER_DEMO_MEASURE_H
#define TRAINER_DEMO_MEASURE_H

#include "base/arena.h"
#include "base/utf8.h"
#include "data/text_span.h"
#include "reward/cluster_bootstrap.h"
#include "trainer/demo_world.h"
#include "trainer/run.h"

#define DEMO_ELSE    DEMO_ANSWERS_MAX       /* place of all that is no answer of the world's */
#define DEMO_CHOICES (DEMO_ANSWERS_MAX + 1) /* so many places */

struct demo_prompt {
    int64_t topic; /* of demo_world.h */
    struct text_span text;
};

struct demo_prompts {
    struct demo_prompt *list; /* of the test split */
    int64_t count;
    int64_t training[DEMO_TOPICS]; /* so many of the training split */
    struct arena arena;
};

#define DEMO_PROMPTS_INIT \
    { .list = NULL, .count = 0, .arena = ARENA_INIT(16 * MIB) }

struct demo_share {
    double share;
    struct cluster_interval interval;
};

/* What was said and is no answer of the topic's, made printable. */
struct demo_other {
    int64_t topic;
    char text[UTF8_EXCERPT_BYTES];
};

struct demo_shares {
    struct demo_share of[DEMO_TOPICS][DEMO_CHOICES];
    struct demo_other favourite; /* the most frequent; "": there was none */
};

struct demo_rewards {
    double of[DEMO_TOPICS][DEMO_ANSWERS_MAX]; /* mean over prompts, less the mean over answers */
};

/* `project` holds a world with a demonstration of each prompt; `out_prompts` is owned
 * (demo_prompts_deinit).
 *   fails  ERR_DATA for another topic than the world's, or for a topic without a test prompt */
ERR_NODISCARD enum err_code demo_prompts_read(struct run *run, const char *project,
                                              struct demo_prompts *out_prompts, struct error *err);
void demo_prompts_deinit(struct demo_prompts *prompts);

/* Of whom, and how. */
struct demo_question {
    const char *folder; /* of the model */
    int64_t samples;    /* answers to each prompt, at temperature 1 */
    int64_t tokens_max; /* of an answer */
};

/* Shares of the answers that a model gives. */
ERR_NODISCARD enum err_code demo_measure_shares(struct run *run, const struct demo_prompts *prompts,
                                                const struct demo_question *question,
                                                struct demo_shares *out_shares, struct error *err);

/* Rewards by `spec` (reward/reward_spec.h) of the world's answers. */
ERR_NODISCARD enum err_code
demo_measure_rewards(struct run *run, const struct demo_prompts *prompts, const char *project,
                     const char *spec, struct demo_rewards *out_rewards, struct error *err);

static inline void demo_prompts_scoped_end(struct demo_prompts *prompts) {
    demo_prompts_deinit(prompts);
}

#endif
