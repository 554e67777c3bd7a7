/* reward_terms.h - what a reward model learns from: the judgements of each prompt, added up.
 *
 * Use:      SCOPED(reward_terms) struct reward_terms terms = REWARD_TERMS_INIT;
 *           TRY(reward_terms_make(&set, &options, &terms, err));
 *           for (int64_t b = 0; b < terms.block_count; b++) {
 *               for (int64_t p = terms.pair_starts[b]; p < terms.pair_starts[b + 1]; p++) {
 *                   use(&terms.pairs[p]);
 *               }
 *           }
 *
 *           Values and gradients: reward/reward_objective.h.
 * Pairs:    all judgements of two items, by whomever and in whichever order, are one term with the
 *           weights of its wins, losses and ties: a soft label. Its loss is the sum of theirs, and
 *           it asks for the two scores once. Judgements of different reliability have no common
 *           form: of these there is a term for each reliability.
 * Margins:  of one side's judgements the mean by weight: the loss of their mean, which for
 *           Bradley-Terry is at most their variance / 8 below the mean of their losses.
 * Rankings: of three items or more stay whole, equal ones added up, unless they are split into
 *           pairs. Those pairs share as much weight as the ranking's stages have: of a full ranking
 *           of k items k - 1 choices, so each of its k (k - 1) / 2 pairs counts 2 / k; at full
 *           weight rankings would outvote pairs, and k - 1 of their pairs already tell the order.
 * Items:    are counted within their block: item k of block b is item item_starts[b] + k of the
 *           set.
 * Legend:   B blocks (prompts), P pairs, R rankings, A annotators.
 * Owns:     its arrays (reward_terms_deinit); nothing of the set.
 * Threads:  read-only once made.
 */
#ifndef REWARD_REWARD_TERMS_H
#define REWARD_REWARD_TERMS_H

#include "base/error.h"
#include "data/comparison_set.h"
#include "reward/pair_table.h"

#include <stdbool.h>
#include <stdint.h>

/* What counts 1: a judgement times its weights; the judgements of one pair together, or of one set
 * of items that were ranked, each with its share of the votes; a prompt, with all blocks of it that
 * stand together (comparison_set_part makes several). */
#define REWARD_COUNTS(X)       \
    X(JUDGEMENTS, "judgement") \
    X(PAIRS, "pair")           \
    X(PROMPTS, "prompt")

enum reward_count {
#define REWARD_COUNT_ENUM(name, text) REWARD_COUNT_##name,
    REWARD_COUNTS(REWARD_COUNT_ENUM)
#undef REWARD_COUNT_ENUM
        REWARD_COUNT_KINDS
};

struct reward_terms_options {
    /* PAIR_TIES_KEEP for models with ties. Tied ranks of a ranking stay in it, and are read as this
     * says (reward_objective.h). */
    enum pair_ties ties;
    enum reward_count count;
    bool split_rankings;
    double margin_scale; /* >= 0: nats by which 1 on the log's own scale is better */
    /* Who said it, as factors of the weights [A] >= 0; of nobody in particular 1. NULL: all 1. */
    const double *annotator_weights;
    /* The probability [A] in (0, 1] that an annotator says what they think, as Crowd-BT estimates;
     * of nobody in particular `reliability_unknown`. NULL: all 1. Weights leave errors in, which
     * shrink differences, reliabilities take them out: with half of the annotators wrong in 5 %,
     * half in 35 %, true differences come back at 0.48 of their size taken at their word, at 0.62
     * weighed by 2 h - 1, at 1.00 so (tests/property/test_reward_truth.c). */
    const double *annotator_reliabilities;
    double reliability_unknown;
};

#define REWARD_TERMS_OPTIONS_DEFAULT \
    ((struct reward_terms_options){.ties = PAIR_TIES_KEEP, .reliability_unknown = 1.0})

struct reward_pair {
    int32_t i, j;                   /* i < j, in the block */
    double win, loss, tie;          /* weights: i was preferred, j was, neither */
    double margin_win, margin_loss; /* nats */
    double reliability_log_odds;    /* INFINITY: taken at their word */
};

/* Weights of what was said of an item by itself. */
struct reward_label {
    double good, bad;
};

/* What became of the comparisons of the set. */
struct reward_terms_counts {
    int64_t labels;          /* of one item */
    int64_t judgements;      /* of two items; the pairs of split rankings are not counted */
    int64_t rankings;        /* of three items or more, split or not */
    int64_t tied_judgements; /* among the judgements of two items: ties, whatever became of them */
    int64_t tied_rankings;   /* rankings with items of equal rank that were compared */
    int64_t used;            /* comparisons that are in some term */
    /* and those that are not, because ... */
    int64_t out_tied;       /* they say nothing once ties are dropped */
    int64_t out_unordered;  /* all their items are of a last rank that was not looked into */
    int64_t out_weightless; /* their annotator weighs nothing */
    int64_t blocks;         /* prompts with a term */
    int64_t merged;         /* pairs, rankings and items that were judged more than once */
};

struct reward_terms {
    struct reward_terms_options options; /* its arrays of annotators are NULL here */
    int64_t block_count;
    int64_t *item_starts;      /* [B + 1] */
    int64_t *pair_starts;      /* [B + 1] */
    struct reward_pair *pairs; /* [P] by block, i, j and reliability */
    /* [items of the set] place item_starts[b] + k: item k of block b; NULL: no labels. Nothing else
     * is then said, and losses of comparisons (reward_objective.h) have nothing to say. */
    struct reward_label *labels;
    int64_t *ranking_starts; /* [B + 1] */
    /* Best first, those of one rank in ascending order; a last rank of one item is ordered. Item
     * numbers are those within the block, item_count is the greatest of a block. */
    struct comparison_set rankings;
    double *weights; /* [B] sums of the terms' */
    double weight;   /* their sum */
    struct reward_terms_counts counts;
};

#define REWARD_TERMS_INIT \
    { .block_count = 0, .rankings = COMPARISON_SET_INIT }

/* `set` in the order of its blocks (comparison_set_sort).
 *   fails  ERR_DATA for a weight that is not positive and finite, a margin that is negative (it
 *          says that the worse is better) or not finite once scaled, an item of another block, a
 *          set out of order, or nothing left to learn from, saying what was left out; ERR_CONFIG
 *          for weights, reliabilities or a scale out of range; ERR_OOM */
ERR_NODISCARD enum err_code reward_terms_make(const struct comparison_set *set,
                                              const struct reward_terms_options *options,
                                              struct reward_terms *out_terms, struct error *err);
void reward_terms_deinit(struct reward_terms *terms);

/* Items of a block. */
static inline int64_t reward_terms_items(const struct reward_terms *terms, int64_t block) {
    return terms->item_starts[block + 1] - terms->item_starts[block];
}

static inline double reward_pair_weight(const struct reward_pair *pair) {
    return pair->win + pair->loss + pair->tie;
}

/* "judgement". Static. */
const char *reward_count_name(enum reward_count count);

static inline void reward_terms_scoped_end(struct reward_terms *terms) {
    reward_terms_deinit(terms);
}

#endif
