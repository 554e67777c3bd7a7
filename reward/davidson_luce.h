/* davidson_luce.h - the likelihood of rankings with ties, its gradient and its curvature.
 *
 * Use:      SCOPED(davidson_luce) struct davidson_luce *model = NULL;
 *           TRY(davidson_luce_new(&set, 0.0, &model, err));
 *           struct newton_problem problem = davidson_luce_problem(model);
 *           TRY(newton_minimise(&problem, &NEWTON_OPTIONS_DEFAULT, x, &result, err));
 * Model:    A ranking is read from its best to its worst as stages. At each, of the items A that
 *           remain, a set C is chosen with probability f(C) / sum of f(S) over the subsets S of A,
 *               f(S) = delta_t (prod of e^r_i over S)^(1/t),  t = |S|,  delta_1 = 1
 *           (Davidson-Luce: Turner, van Etten, Firth and Kosmidis 2020, arXiv 1810.12068, eq. 3).
 *           Tie orders t that the data do not hold have delta_t = 0. Without ties it is
 *           Plackett-Luce, with pairs and ties Davidson's model with nu = delta_2.
 * Sums:     the sum over the subsets of size t is the elementary symmetric polynomial E_t of the
 *           e^(r_i / t). The remaining sets of a ranking are nested, so one recurrence from its
 *           worst item upwards gives all of them, and its adjoint all derivatives, in
 *           O(k t) for k items; every term is positive, so nothing cancels.
 * Scale:    each set's numbers are relative to its largest reward, and E_t is divided by its number
 *           of terms; so neither overflows however many items or however far apart.
 * Legend:   x = I rewards, then log delta of the tie orders above 1; T orders, order 1 included;
 *           k items in a ranking; n items remain at a stage.
 * Owns:     its arrays; the comparison set is borrowed until davidson_luce_free.
 * Threads:  one: evaluations share scratch memory.
 */
#ifndef REWARD_DAVIDSON_LUCE_H
#define REWARD_DAVIDSON_LUCE_H

#include "base/error.h"
#include "data/comparison_set.h"
#include "reward/newton.h"

#include <stdbool.h>
#include <stdint.h>

/* Different sizes of ties in one set of comparisons, and the largest; beyond them it is refused. */
#define DAVIDSON_LUCE_ORDERS_MAX 64
#define DAVIDSON_LUCE_ORDER_MAX  999

struct davidson_luce;

/* Minus the log-likelihood plus ridge / 2 * (sum of squared rewards). `*out_model` is owned.
 *   fails  ERR_LIMIT beyond the numbers above, or the memory that long tied rankings may take;
 *          ERR_OOM */
ERR_NODISCARD enum err_code davidson_luce_new(const struct comparison_set *set, double ridge,
                                              struct davidson_luce **out_model, struct error *err);

/* The same without a ridge, and with ties of two items in the model whether or not the set holds
 * one: for rankings beside pairs that are judged apart, by Davidson's model with nu = delta_2.
 *   like  one made so, whose tie orders are in the model too: for rankings kept apart from those
 *         that it is fitted to; NULL: none */
ERR_NODISCARD enum err_code davidson_luce_new_beside_pairs(const struct comparison_set *set,
                                                           const struct davidson_luce *like,
                                                           struct davidson_luce **out_model,
                                                           struct error *err);

void davidson_luce_free(struct davidson_luce *model);

/* I + T - 1 variables. With ties, its `diagonal` is an upper bound of the Hessian's: enough for
 * what it is for, preconditioning. Borrows the model. */
struct newton_problem davidson_luce_problem(struct davidson_luce *model);

/* Tie orders above 1, ascending, and how many; those x holds after the rewards. Borrowed. */
const int64_t *davidson_luce_tie_orders(const struct davidson_luce *model, int64_t *out_count);

/* Minus the log-likelihood of comparisons [begin, end) at x, of which only their items' rewards and
 * the tie orders' log delta are read. Its derivatives are added to `gradient` [I + T - 1], unless
 * that is NULL. */
double davidson_luce_part(struct davidson_luce *model, int64_t begin, int64_t end, const double *x,
                          double *gradient);

/* "log_delta_2"; the order in [2, DAVIDSON_LUCE_ORDER_MAX]. Static. */
const char *davidson_luce_delta_name(int64_t order);

/* A tie order whose delta has no estimate whatever the rewards: 0 if there is none. Where a tie of
 * t was chosen, c_t >= c_s for every order s that was possible there; a direction c that is not
 * zero, with c_1 = 0, exists unless these relations lead from each order to each. */
int64_t davidson_luce_undetermined_order(const struct davidson_luce *model);

/* ---- stages, for goodness of fit ---- */

/* Stages at which something is chosen, and the log-likelihood of them if each set of remaining
 * items had its own probabilities. */
struct davidson_luce_saturated {
    double log_likelihood; /* nats */
    double weight;         /* of the stages */
    double sets;           /* different sets of remaining items */
    double outcomes;       /* that could have been chosen from them, in all */
    bool pairs_only;       /* no ranking is longer than two items */
};

ERR_NODISCARD enum err_code davidson_luce_saturate(const struct davidson_luce *model,
                                                   struct davidson_luce_saturated *out,
                                                   struct error *err);

static inline void davidson_luce_scoped_end(struct davidson_luce **model) {
    davidson_luce_free(*model);
}

#endif
