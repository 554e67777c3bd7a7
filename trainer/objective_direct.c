/* objective_direct.c - see objective_direct.h; no torch. */
#include "trainer/objective_direct.h"

#include "reward/pair_outcome.h"

#include <float.h>
#include <math.h>

static double beta_of(const struct align_config *config) {
    return config->method == ALIGN_SIMPO    ? config->direct.simpo_beta
           : config->method == ALIGN_PM_DPO ? config->regulariser.beta_in
           : config->method == ALIGN_ORPO   ? config->direct.orpo_lambda
                                            : config->direct.beta;
}

struct direct_objective direct_objective_of(const struct align_config *config) {
    const struct align_direct_config *direct = &config->direct;
    const enum align_method method = config->method;
    struct direct_objective o = {
        .score = DIRECT_SUM,
        .form = DIRECT_LIKELIHOOD,
        .scale = beta_of(config),
        .beta = beta_of(config),
        .weight = 1.0,
        .sft_weight = direct->sft_weight,
        .desirable = direct->desirable,
        .undesirable = direct->undesirable,
    };
    if (method == ALIGN_IPO) {
        o.form = DIRECT_SQUARED;
        o.scale = 1.0;
    } else if (method == ALIGN_KTO) {
        o.form = DIRECT_PROSPECT;
    } else if (method == ALIGN_SIMPO) {
        o.score = DIRECT_MEAN;
        o.gamma = direct->simpo_gamma;
    } else if (method == ALIGN_ORPO) {
        o.score = DIRECT_ODDS;
        o.weight = direct->orpo_lambda;
        o.sft_weight += 1.0;
    }
    return o;
}

struct reward_loss_config direct_loss_config(const struct align_config *config) {
    struct reward_loss_config loss = config->direct.loss;
    const double e = loss.label_smoothing;
    const bool has_stages = config->method == ALIGN_DPO || config->method == ALIGN_CDPO ||
                            config->method == ALIGN_PM_DPO || config->method == ALIGN_ORPO;
    loss.split_rankings = loss.split_rankings || !has_stages;
    loss.label_smoothing = config->method == ALIGN_ROBUST_DPO ? -e / (1.0 - 2.0 * e) : e;
    return loss;
}

void direct_objective_add_margins(const struct direct_objective *o, struct reward_terms *terms) {
    const int64_t pairs = terms->block_count > 0 ? terms->pair_starts[terms->block_count] : 0;
    for (int64_t p = 0; p < pairs; p++) {
        terms->pairs[p].margin_win += o->gamma;
        terms->pairs[p].margin_loss += o->gamma;
    }
}

/* --- scores --- */

/* Of the mean token; f32 cannot tell more from a probability of 1, whose odds are infinite. */
static double mean_logp(double logp, int64_t tokens) {
    return fmin(logp / (double)tokens, -0.5 * (double)FLT_EPSILON);
}

static double score_of(const struct direct_objective *o, double logp, double reference,
                       int64_t tokens) {
    switch (o->score) {
    case DIRECT_SUM:
        return o->scale * (logp - reference);
    case DIRECT_MEAN:
        return o->scale * logp / (double)tokens;
    case DIRECT_ODDS:
        break;
    }
    const double m = mean_logp(logp, tokens);
    return m - log(-expm1(m));
}

/* Its derivative in S. */
static double score_slope_of(const struct direct_objective *o, double logp, int64_t tokens) {
    switch (o->score) {
    case DIRECT_SUM:
        return o->scale;
    case DIRECT_MEAN:
        return o->scale / (double)tokens;
    case DIRECT_ODDS:
        break;
    }
    return -1.0 / (expm1(mean_logp(logp, tokens)) * (double)tokens);
}

double direct_reward(const struct direct_objective *o, double logp, double reference,
                     int64_t tokens) {
    return o->beta * (o->score == DIRECT_SUM ? logp - reference : logp / (double)tokens);
}

/* --- pairs without a likelihood --- */

static double add_squared(const struct direct_objective *o, const struct reward_pair *pair,
                          const struct direct_answers *answers) {
    const double target = 0.5 / o->beta;
    const double d = answers->scores[pair->i] - answers->scores[pair->j];
    const double slope = 2.0 * (pair->win * (d - target) + pair->loss * (d + target));
    answers->slopes[pair->i] += slope;
    answers->slopes[pair->j] -= slope;
    return pair->win * (d - target) * (d - target) + pair->loss * (d + target) * (d + target);
}

/* An answer that was chosen by `good` and rejected by `bad`. */
static double add_prospect(const struct direct_objective *o, double good, double bad, int32_t k,
                           const struct direct_answers *answers) {
    const double over = answers->scores[k] - o->beta * o->kl;
    const double up = pair_sigmoid(over), down = pair_sigmoid(-over);
    const double gain = good * o->desirable, loss = bad * o->undesirable;
    answers->slopes[k] += (loss - gain) * up * down;
    return gain * down + loss * up;
}

static const struct reward_label *labels_of(const struct direct_judged *judged) {
    const struct reward_terms *terms = judged->terms;
    return terms->labels ? terms->labels + terms->item_starts[judged->block] : NULL;
}

static double add_labels(const struct direct_objective *o, const struct direct_judged *judged,
                         const struct direct_answers *answers) {
    const struct reward_label *labels = labels_of(judged);
    double value = 0.0;
    for (int32_t k = 0; labels && k < answers->count; k++) {
        value += add_prospect(o, labels[k].good, labels[k].bad, k, answers);
    }
    return value;
}

static double add_pairs(const struct direct_objective *o, const struct direct_judged *judged,
                        const struct direct_answers *answers) {
    const struct reward_terms *terms = judged->terms;
    double value = add_labels(o, judged, answers);
    for (int64_t p = terms->pair_starts[judged->block]; p < terms->pair_starts[judged->block + 1];
         p++) {
        const struct reward_pair *pair = &terms->pairs[p];
        if (o->form == DIRECT_SQUARED) {
            value += add_squared(o, pair, answers);
        } else {
            value += add_prospect(o, 0.5 * pair->win, 0.5 * pair->loss, pair->i, answers) +
                     add_prospect(o, 0.5 * pair->loss, 0.5 * pair->win, pair->j, answers);
        }
    }
    return value;
}

/* --- imitation of the better answers --- */

static double add_imitated(double weight, int64_t k, const struct direct_answers *answers) {
    const double t = (double)answers->tokens[k];
    answers->slopes[k] -= weight / t;
    return -weight * answers->logp[k] / t;
}

/* Of a ranking its first rank, alike. */
static double imitate_ranking(double weight, const struct comparison_set *rankings, int64_t r,
                              const struct direct_answers *answers) {
    const int64_t begin = rankings->starts[r];
    int64_t end = begin;
    double value = 0.0;
    while (end < rankings->starts[r + 1] && rankings->ranks[end] == rankings->ranks[begin]) {
        end++;
    }
    for (int64_t m = begin; m < end; m++) {
        value += add_imitated(weight * rankings->weights[r] / (double)(end - begin),
                              rankings->items[m], answers);
    }
    return value;
}

static double imitate(const struct direct_objective *o, const struct direct_judged *judged,
                      const struct direct_answers *answers) {
    const struct reward_terms *terms = judged->terms;
    const struct reward_label *labels = labels_of(judged);
    const int64_t b = judged->block;
    double value = 0.0;
    for (int64_t k = 0; labels && k < answers->count; k++) {
        value += add_imitated(o->sft_weight * labels[k].good, k, answers);
    }
    for (int64_t p = terms->pair_starts[b]; p < terms->pair_starts[b + 1]; p++) {
        const struct reward_pair *pair = &terms->pairs[p];
        value += add_imitated(o->sft_weight * pair->win, pair->i, answers) +
                 add_imitated(o->sft_weight * pair->loss, pair->j, answers);
    }
    for (int64_t r = terms->ranking_starts[b]; r < terms->ranking_starts[b + 1]; r++) {
        value += imitate_ranking(o->sft_weight, &terms->rankings, r, answers);
    }
    return value;
}

/* --- the loss --- */

double direct_loss(const struct direct_objective *o, const struct direct_judged *judged,
                   struct direct_answers *answers, double *tie_slopes) {
    for (int64_t k = 0; k < answers->count; k++) {
        answers->scores[k] =
            score_of(o, answers->logp[k], answers->reference[k], answers->tokens[k]);
        answers->slopes[k] = 0.0;
    }
    const double value =
        o->form == DIRECT_LIKELIHOOD
            ? reward_objective_block(judged->likelihood, judged->block, answers->scores,
                                     judged->ties, answers->slopes, tie_slopes)
            : add_pairs(o, judged, answers);
    for (int64_t k = 0; k < answers->count; k++) {
        answers->slopes[k] *= o->weight * score_slope_of(o, answers->logp[k], answers->tokens[k]);
    }
    return o->weight * value + (o->sft_weight > 0.0 ? imitate(o, judged, answers) : 0.0);
}
