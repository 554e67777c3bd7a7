/* reward_objective.h - the loss of one prompt's scores, and its gradient: what fitting a reward
 * model minimises.
 *
 * Use:      SCOPED(reward_objective) struct reward_objective *objective = NULL;
 *           TRY(reward_objective_new(&terms, &options, &objective, err));
 *           reward_objective_start(objective, ties);
 *           for (each block b of a step) {
 *               loss += reward_objective_block(objective, b, scores, ties, slopes, tie_slopes);
 *           }
 *
 *           The trainer divides by the sum of terms.weights of the step, and runs the model
 *           backwards with the sum of score * slope.
 * Pairs:    D = r_i - r_j.
 *             bradley-terry  -ln P(i) = -ln sigma(D - m), m the margin (Touvron et al. 2023, Llama
 *                            2, arXiv 2307.09288, eq. 2); of soft labels the weighted sum
 *             davidson, rao-kupper   as pair_outcome.h; the margin moves D as above, for ties not
 *             reliability    with probability h the annotator said what they think, else the
 *                            opposite: -ln (h sigma(D) + (1 - h) sigma(-D)), bradley-terry only
 *                            (Chen et al. 2013, eq. 3). Not convex, and bounded: whoever is wrong
 *                            for certain is disbelieved.
 * Rankings: Plackett-Luce: sum over stages of ln (sum of e^r over those that remain) - r_chosen.
 *           The last rank's items, if they were not looked into, are chosen at no stage. Tied ranks
 *           as terms.options.ties says:
 *             keep   Davidson-Luce (davidson_luce.h), with davidson
 *             half   the mean over the orders of the tied items; of two, half a win of either. One
 *                    of the ways for exploded logits beside the exact likelihood, Breslow's and
 *                    Efron's (Allison and Christakis 1994), and the one which reads a ranking of
 *                    two as a pair: Breslow's and Efron's slopes there are twice as steep. Computed
 *                    from all subsets of the tied items, so at most REWARD_TIED_ITEMS_MAX
 *             drop   each tied item is chosen from itself and those after it
 *           Rao-Kupper's model has no stages: split rankings into pairs.
 * Smooth:   with label smoothing e a judgement counts 1 - e, and its opposite e, margin and all. Of
 *           a stage it moves 2 e from the chosen to all that remain, alike (Szegedy et al. 2016,
 *           arXiv 1512.00567): with two that is the same. Ties stay as they are. The best D is then
 *           finite: logit(1 - e) for Bradley-Terry. Negative e undoes flips: where a share f of the
 *           pairs' labels is flipped, e = -f / (1 - 2 f) gives the loss of the true labels on
 *           average (Natarajan et al. 2013; Chowdhury et al. 2024, arXiv 2403.00409); of
 *           labels that agree it has no least value.
 * Centring: c (2 M)^2 times its weight, for a term with mean score M; of a pair c (r_i + r_j)^2
 *           (Eisenstein et al. 2023, arXiv 2312.09244; TRL's center_rewards_coefficient).
 * Ties:     parameters [T]: davidson ln nu of ties of two, then of the larger ones that rankings
 *           hold; rao-kupper eta > 0; bradley-terry none. Optimisers without bounds take
 *           reward_tie_of.
 * Numerics: double; nothing overflows however far scores are apart.
 * Legend:   n items of the block; w weights; r scores, nats.
 * Owns:     scratch memory; the terms are borrowed until reward_objective_free.
 * Threads:  one: evaluations share scratch memory. They do not allocate.
 */
#ifndef REWARD_REWARD_OBJECTIVE_H
#define REWARD_REWARD_OBJECTIVE_H

#include "base/error.h"
#include "reward/reward_terms.h"
#include "reward/tabular_fit.h"

#include <stdint.h>

#define REWARD_TIED_ITEMS_MAX 10 /* 2^10 subsets */

struct reward_objective;

struct reward_objective_options {
    enum tabular_model model; /* TABULAR_BRADLEY_TERRY, TABULAR_DAVIDSON or TABULAR_RAO_KUPPER */
    double label_smoothing;   /* < 1/2 */
    double centring;          /* >= 0, nats^-2 */
    /* Whose tie parameters this one is evaluated at, borrowed for the call: its sizes of ties are
     * possible here too, and it must know all that the terms hold. NULL: those of the terms. */
    const struct reward_objective *ties_of;
};

/*   fails  ERR_CONFIG for options out of range, or that the terms do not go with: ties kept for
 *          bradley-terry, or not kept for a model that estimates them; rankings, reliabilities;
 *          ERR_DATA for rankings with ties of a size that `ties_of` does not know; ERR_LIMIT for
 *          tied ranks that are too long; ERR_OOM */
ERR_NODISCARD enum err_code reward_objective_new(const struct reward_terms *terms,
                                                 const struct reward_objective_options *options,
                                                 struct reward_objective **out_objective,
                                                 struct error *err);
void reward_objective_free(struct reward_objective *objective);

/* T, and where to start: for davidson and rao-kupper the share of ties with all scores equal. Where
 * the terms hold no tie at all (terms.counts) that is only a low one, and the best is lower without
 * end: take bradley-terry there. */
int64_t reward_objective_tie_count(const struct reward_objective *objective);
void reward_objective_start(const struct reward_objective *objective, double *out_ties);

/* The loss of a block in nats: the sum over its terms of weight times loss, regularisers included.
 * Its derivatives are added to slopes [n] and tie_slopes [T], both unless they are NULL; `ties` may
 * be NULL where T is 0. */
double reward_objective_block(struct reward_objective *objective, int64_t block,
                              const double *scores, const double *ties, double *slopes,
                              double *tie_slopes);

/* Minus the log-likelihood alone, without smoothing, margins and centring: for evaluation. */
double reward_objective_nll(struct reward_objective *objective, int64_t block, const double *scores,
                            const double *ties);

/* A tie parameter from one without bounds: eta = ln(1 + e^raw), of davidson the same number; and
 * its derivative. */
double reward_tie_of(enum tabular_model model, double raw, double *out_slope);
double reward_tie_raw(enum tabular_model model, double tie);

static inline void reward_objective_scoped_end(struct reward_objective **objective) {
    reward_objective_free(*objective);
}

#endif
