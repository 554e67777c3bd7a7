/* reward.h - whatever gives an answer a number: tabular fits, rules, other programs; language-model
 * heads later.
 *
 * Use:      SCOPED(reward) struct reward *reward = NULL;
 *           TRY(reward_tabular_open(db, "tea", &reward, err));
 *           TRY(reward_score(reward, items, count, scores, err));
 * Threads:  one, unless an implementation says otherwise.
 */
#ifndef REWARD_REWARD_H
#define REWARD_REWARD_H

#include "base/error.h"
#include "base/hash.h"
#include "data/preference.h"

#include <stdint.h>

struct reward_item {
    const struct preference_prompt *prompt;     /* borrowed */
    const struct preference_response *response; /* borrowed */
};

struct reward;

/* What an implementation defines; the object begins with struct reward. */
struct reward_class {
    const char *name; /* "tabular", "rule", "command" */
    enum err_code (*score)(struct reward *reward, const struct reward_item *items, int64_t count,
                           double *out_rewards, struct error *err);
    enum err_code (*finish)(struct reward *reward, struct error *err); /* NULL: nothing to do */
    /* NULL: its spec says all. */
    enum err_code (*hash)(struct reward *reward, struct hash_state *state, struct error *err);
    void (*free)(struct reward *reward);
};

struct reward {
    const struct reward_class *class;
};

/* Rewards [count], in nats where they were fitted to preferences; NaN for what this reward knows
 * nothing about (a response that a tabular fit has not seen): the caller must decide about it. */
ERR_NODISCARD enum err_code reward_score(struct reward *reward, const struct reward_item *items,
                                         int64_t count, double *out_rewards, struct error *err);

/* After the last answer: what only the end shows, such as a program that answered more than it was
 * asked. The reward can then only be freed. */
ERR_NODISCARD enum err_code reward_finish(struct reward *reward, struct error *err);

/* Adds what rewards follow from and their spec does not say: the weights of a model, the numbers of
 * a fit. What a program does is not known. */
ERR_NODISCARD enum err_code reward_hash(struct reward *reward, struct hash_state *state,
                                        struct error *err);

void reward_free(struct reward *reward);

static inline void reward_scoped_end(struct reward **reward) {
    reward_free(*reward);
}

#endif
