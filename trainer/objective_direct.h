/* objective_direct.h - what is minimised where a policy learns straight from judgements: the loss
 * of one example's answers, and its slopes in their log-probabilities.
 *
 * Use:      const struct direct_objective o = direct_objective_of(config);
 *           const struct reward_loss_config loss = direct_loss_config(config);
 *           ... examples, made with that loss ...
 *           direct_objective_add_margins(&o, &examples.terms);
 *           loss += direct_loss(&o, &judged, &answers, tie_slopes);     // answers.slopes
 * Scores:   u of an answer, from S = ln pi(y|x), the sum over its T tokens, and its reference R:
 *             dpo, cdpo, robust-dpo, kto   u = beta (S - R), R = ln ref(y|x)
 *             ipo                          u = S - R
 *             pm-dpo                       u = beta (S - R), R = 0, or with cpm the sum of ln w
 *             simpo                        u = beta S / T
 *             orpo                         u = m - ln(1 - e^m), m = S / T: log-odds
 * Losses:   of differences D = u_i - u_j, every judgement by its weight:
 *             dpo, pm-dpo   -ln P of the judgements at rewards u (reward/reward_objective.h):
 *                           Rafailov et al. 2023 (arXiv 2305.18290), eq. 7, with soft labels, and
 *                           their appendix A.3 for rankings; Davidson's and Rao-Kupper's for ties
 *                           (Chen et al. 2024, arXiv 2409.17431)
 *             cdpo          the same with smoothing e (Mitchell 2023)
 *             robust-dpo    [(1 - e) L(D) - e L(-D)] / (1 - 2 e), which is smoothing by
 *                           -e / (1 - 2 e) (Chowdhury et al. 2024, arXiv 2403.00409)
 *             simpo         -ln sigma(D - gamma) (Meng et al. 2024, arXiv 2405.14734, eq. 6)
 *             orpo          lambda (-ln sigma(D)) - m of the chosen (Hong et al. 2024, arXiv
 *                           2403.07691, eqs. 6 and 7)
 *             ipo           (D - 1 / (2 beta))^2 (Azar et al. 2023, arXiv 2310.12036, eq. 17); sums
 *                           as there, where TRL divides S - R by T
 *             kto           mean over both of desirable sigma(z - u) for what was chosen, and
 *                           undesirable sigma(u - z) for the other, z = beta max(0, KL estimate)
 *                           (Ethayarajh et al. 2024, arXiv 2402.01306, eq. 7); of labels the
 *                           same of each answer by itself, by how many called it good, and bad
 * Optimum:  over all policies, of judgements whose probabilities are those of rewards r:
 *             dpo      pi ~ ref e^(r / beta): the odds of the reference times those of people
 *             pm-dpo   pi ~ w e^(r / beta): with beta 1 the people's own odds, among all answers
 *                      (w = 1), or with cpm among those of tokens with ref > alpha
 *             ipo      of two answers: ln(pi_1 / pi_2) = ln(ref_1 / ref_2) + (P(1) - 1/2) / beta
 * Legend:   nats; n answers of the example.
 * Threads:  as reward_objective.h.
 */
#ifndef TRAINER_OBJECTIVE_DIRECT_H
#define TRAINER_OBJECTIVE_DIRECT_H

#include "reward/reward_objective.h"
#include "trainer/align_config.h"

#include <stdint.h>

enum direct_score { DIRECT_SUM, DIRECT_MEAN, DIRECT_ODDS };
enum direct_form { DIRECT_LIKELIHOOD, DIRECT_SQUARED, DIRECT_PROSPECT };

struct direct_objective {
    enum direct_score score;
    enum direct_form form;
    double scale;  /* of scores that are sums or means */
    double beta;   /* of rewards; of ipo that of the target */
    double gamma;  /* simpo */
    double weight; /* of the objective beside imitation */
    double sft_weight;
    double desirable, undesirable;
    double kl; /* kto: the estimate, nats >= 0, of the step */
};

struct direct_objective direct_objective_of(const struct align_config *config);

/* What likelihoods of examples are made with: smoothing as above, and rankings as their pairs for
 * robust-dpo, simpo, ipo and kto, which have no form for them. */
struct reward_loss_config direct_loss_config(const struct align_config *config);

/* Adds simpo's gamma to the margins of all pairs. */
void direct_objective_add_margins(const struct direct_objective *o, struct reward_terms *terms);

/* What was said of an example's answers. All borrowed. */
struct direct_judged {
    const struct reward_terms *terms;
    struct reward_objective *likelihood; /* of the terms */
    int64_t block;
    const double *ties; /* at which parameters; NULL where the likelihood has none */
};

/* Its answers, arrays of the caller [n]. */
struct direct_answers {
    const double *logp;      /* S */
    const double *reference; /* R */
    const int64_t *tokens;   /* T >= 1 */
    double *scores;          /* out: u */
    double *slopes;          /* out: of the loss in S */
    int64_t count;
};

/* The loss of an example, times its weight in `terms`. Slopes in the tie parameters are added to
 * `tie_slopes`, unless it is NULL. */
double direct_loss(const struct direct_objective *o, const struct direct_judged *judged,
                   struct direct_answers *answers, double *tie_slopes);

/* An answer's reward under TRL's names: beta (S - R), of simpo beta m, of orpo lambda m. */
double direct_reward(const struct direct_objective *o, double logp, double reference,
                     int64_t tokens);

#endif
