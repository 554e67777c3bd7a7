/* reward_examples.h - one part of a reward model's data as examples: answers of one prompt, and
 * what was said about them.
 *
 * Use:      SCOPED(reward_examples) struct reward_examples examples = REWARD_EXAMPLES_INIT;
 *           TRY(reward_examples_make(&data, PROMPT_TRAINING, &plan, &examples, err));
 *           for (int64_t e = 0; e < examples.count; e++) {
 *               for (int64_t k = 0; k < reward_examples_answers(&examples, e); k++) {
 *                   use(reward_examples_sequence(&examples, e, k));
 *               }
 *               loss += reward_objective_block(examples.objective, e, scores, ties, slopes, NULL);
 *           }
 * Labels:   each answer is an example by itself, with all that was said of it; there is no
 * objective. Example:  a block of the terms: all comparisons of a prompt, or, where it has more
 * answers than answers_max, some of them (data/comparison_cut.h). Comparisons with an answer that
 * has no tokens, and those that say nothing, are left out, and counted; so every example has some
 * weight. Owns:     its arrays; the data is borrowed. Threads:  one (reward_objective.h).
 */
#ifndef TRAINER_REWARD_EXAMPLES_H
#define TRAINER_REWARD_EXAMPLES_H

#include "reward/reward_objective.h"
#include "reward/reward_terms.h"
#include "trainer/reward_data.h"

struct reward_examples_plan {
    const struct reward_loss_config *loss;
    int64_t answers_max; /* 0: all of a prompt */
    uint64_t seed;       /* of the cut */
    /* At whose tie parameters they are evaluated (reward_objective.h); NULL: their own. */
    const struct reward_objective *ties_of;
};

struct reward_examples {
    const struct reward_data *data;
    struct comparison_set set; /* blocks are examples */
    int64_t *items;            /* of the data's set, by item of `set` */
    struct reward_terms terms;
    struct reward_objective *objective; /* NULL of labels */
    int64_t count;                      /* examples */
    int64_t answers;                    /* of all examples; those in several count in each */
    int64_t tokens;                     /* likewise */
    /* comparisons left out: ... */
    int64_t without_tokens; /* of an answer that has none */
    int64_t silent;         /* that say nothing: ties that are dropped, items not compared */
};

#define REWARD_EXAMPLES_INIT \
    { .set = COMPARISON_SET_INIT, .terms = REWARD_TERMS_INIT }

/* Fills what REWARD_EXAMPLES_INIT made, which stays where it is: the objective borrows the terms.
 *   fails  as reward_terms_make and reward_objective_new; nothing is wrong with a part without
 *          comparisons, which has no examples */
ERR_NODISCARD enum err_code reward_examples_make(const struct reward_data *data,
                                                 enum prompt_part part,
                                                 const struct reward_examples_plan *plan,
                                                 struct reward_examples *examples,
                                                 struct error *err);
void reward_examples_deinit(struct reward_examples *examples);

static inline int64_t reward_examples_answers(const struct reward_examples *examples,
                                              int64_t example) {
    return reward_terms_items(&examples->terms, example);
}

/* Of all its answers. */
int64_t reward_examples_tokens(const struct reward_examples *examples, int64_t example);

/* The block of its prompt in the data's set. */
int32_t reward_examples_prompt(const struct reward_examples *examples, int64_t example);

/* The tokens of answer `k` of an example. */
struct token_sequence reward_examples_sequence(const struct reward_examples *examples,
                                               int64_t example, int64_t k);

/* Which judgements go with the scores [answers of the example], and by how much. Chosen is what was
 * preferred, or called good. */
struct reward_agreement {
    double right, wrong;     /* weights of judgements: for the greater score, for the smaller */
    double margin;           /* sum over judgements of chosen minus rejected score */
    double chosen, rejected; /* sums over judgements of the scores of either side */
    double chosen_weight, rejected_weight; /* of what is in those */
};

/* Adds an example's; ties are for neither, and equal scores half right. Rankings count as their
 * pairs; labels are neither right nor wrong. */
void reward_examples_agree(const struct reward_examples *examples, int64_t example,
                           const double *scores, struct reward_agreement *agreement);

static inline void reward_examples_scoped_end(struct reward_examples *examples) {
    reward_examples_deinit(examples);
}

#endif
