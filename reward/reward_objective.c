/* reward_objective.c - see reward_objective.h. */
#include "reward/reward_objective.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "reward/davidson_luce.h"
#include "reward/pair_outcome.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

struct reward_objective {
    const struct reward_terms *terms; /* borrowed */
    struct reward_objective_options options;
    int64_t tie_count;
    struct davidson_luce *rankings_with_ties; /* of davidson */
    double *x, *x_slopes; /* [items + T] its point: the block's scores, then the tie parameters */
    double *log_sums;     /* [longest + 1] ln of the sum of e^r from a member of a ranking on */
    double *subset_sums, *subset_slopes; /* [2^longest tie] */
};

/* What a block is asked for. */
struct point {
    const double *scores, *ties;
    double *slopes, *tie_slopes; /* NULL: value only */
    bool is_plain;               /* the likelihood alone */
};

/* ---- pairs ---- */

/* Adds the derivatives to `slope`, and returns the value. */
static double add_outcome(enum tabular_model model, double d, double tie,
                          struct pair_outcome weights, struct pair_terms *slope) {
    const struct pair_terms terms = pair_terms_of(model, d, tie, weights);
    slope->d += terms.d;
    slope->e += terms.e;
    return pair_value_of(model, d, tie, weights);
}

static double add_win(enum tabular_model model, double d, double tie, double weight,
                      struct pair_terms *slope) {
    return add_outcome(model, d, tie, (struct pair_outcome){.win = weight}, slope);
}

static double add_loss(enum tabular_model model, double d, double tie, double weight,
                       struct pair_terms *slope) {
    return add_outcome(model, d, tie, (struct pair_outcome){.loss = weight}, slope);
}

/* -ln (h sigma(D) + (1 - h) sigma(-D)) = -ln (sigma(z) sigma(D) / sigma(z + D)), z = logit h. */
static double unreliable_value(double d, double z) {
    return pair_softplus(-d) + pair_softplus(-z) - pair_softplus(-(z + d));
}

static double unreliable_slope(double d, double z) {
    return pair_sigmoid(-(z + d)) - pair_sigmoid(-d);
}

/* The opposite of what they said is as unreliable. */
static double add_unreliable(const struct reward_pair *pair, double d, double smoothing,
                             double *slope) {
    double z = pair->reliability_log_odds;
    double win = (1.0 - smoothing) * pair->win + smoothing * pair->loss;
    double loss = (1.0 - smoothing) * pair->loss + smoothing * pair->win;
    *slope += win * unreliable_slope(d, z) - loss * unreliable_slope(-d, z);
    return win * unreliable_value(d, z) + loss * unreliable_value(-d, z);
}

static double add_likelihood(const struct reward_objective *o, const struct reward_pair *pair,
                             double d, const struct point *at, struct pair_terms *slope) {
    const enum tabular_model model = o->options.model;
    const double e = at->is_plain ? 0.0 : o->options.label_smoothing;
    const double tie = o->tie_count > 0 ? at->ties[0] : 0.0;
    if (isfinite(pair->reliability_log_odds)) {
        return add_unreliable(pair, d, e, &slope->d);
    }
    if (at->is_plain || (pair->margin_win == 0.0 && pair->margin_loss == 0.0)) {
        return add_outcome(model, d, tie,
                           (struct pair_outcome){.win = (1.0 - e) * pair->win + e * pair->loss,
                                                 .loss = (1.0 - e) * pair->loss + e * pair->win,
                                                 .tie = pair->tie},
                           slope);
    }
    const double up = pair->margin_win, down = pair->margin_loss;
    const struct pair_outcome tied = {.tie = pair->tie};
    return add_win(model, d - up, tie, (1.0 - e) * pair->win, slope) +
           add_loss(model, d + up, tie, e * pair->win, slope) +
           add_loss(model, d + down, tie, (1.0 - e) * pair->loss, slope) +
           add_win(model, d - down, tie, e * pair->loss, slope) +
           add_outcome(model, d, tie, tied, slope);
}

/* c (2 M)^2 with `mean` M; returns its derivative in each of the `size` scores by `out_slope`. */
static double centring(const struct reward_objective *o, double mean, double size,
                       double *out_slope) {
    *out_slope = 8.0 * o->options.centring * mean / size;
    return 4.0 * o->options.centring * mean * mean;
}

static double add_pair(const struct reward_objective *o, const struct reward_pair *pair,
                       const struct point *at) {
    const double i = at->scores[pair->i], j = at->scores[pair->j];
    struct pair_terms slope = {.d = 0.0};
    double value = add_likelihood(o, pair, i - j, at, &slope), centre = 0.0;
    if (!at->is_plain) {
        const double weight = reward_pair_weight(pair);
        value += weight * centring(o, 0.5 * (i + j), 2.0, &centre);
        centre *= weight;
    }
    if (at->slopes) {
        at->slopes[pair->i] += centre + slope.d;
        at->slopes[pair->j] += centre - slope.d;
    }
    if (at->tie_slopes && o->tie_count > 0) {
        at->tie_slopes[0] += slope.e;
    }
    return value;
}

/* ---- rankings: groups of equal rank ---- */

struct ranking {
    const int32_t *items, *ranks; /* [size] best first */
    int64_t size;
    double weight;
    bool last_unordered;
};

static struct ranking ranking_at(const struct reward_objective *o, int64_t r) {
    const struct comparison_set *set = &o->terms->rankings;
    return (struct ranking){.items = set->items + set->starts[r],
                            .ranks = set->ranks + set->starts[r],
                            .size = set->starts[r + 1] - set->starts[r],
                            .weight = set->weights[r],
                            .last_unordered = set->last_unordered[r]};
}

/* Members [begin, end) of one rank; those from `end` on come after them. */
struct group {
    int64_t begin, end;
    bool is_silent; /* its items were not compared with each other */
};

static struct group group_from(const struct reward_objective *o, const struct ranking *ranking,
                               int64_t begin) {
    struct group group = {.begin = begin, .end = begin + 1};
    while (group.end < ranking->size && ranking->ranks[group.end] == ranking->ranks[begin]) {
        group.end++;
    }
    bool is_open = ranking->last_unordered && group.end == ranking->size;
    group.is_silent =
        group.end - begin > 1 && (is_open || o->terms->options.ties == PAIR_TIES_DROP);
    return group;
}

static double mean_score(const struct ranking *ranking, const double *scores, int64_t begin,
                         int64_t end) {
    double sum = 0.0;
    for (int64_t m = begin; m < end; m++) {
        sum += scores[ranking->items[m]];
    }
    return sum / (double)(end - begin);
}

static void add_slopes(const struct ranking *ranking, int64_t begin, int64_t end, double slope,
                       double *slopes) {
    for (int64_t m = begin; slopes && m < end; m++) {
        slopes[ranking->items[m]] += slope;
    }
}

/* ---- Plackett-Luce ---- */

/* ln (e^a + e^b), where one may be minus infinity; the derivative in b is sigma(b - a). */
static double log_add(double a, double b) {
    return fmax(a, b) + (isinf(a) || isinf(b) ? 0.0 : pair_log1p(exp(-fabs(a - b))));
}

static double share_of(double b, double a) {
    return isinf(a) ? 1.0 : pair_sigmoid(b - a);
}

static void fill_log_sums(struct reward_objective *o, const struct ranking *ranking,
                          const double *scores) {
    o->log_sums[ranking->size] = -(double)INFINITY;
    for (int64_t m = ranking->size - 1; m >= 0; m--) {
        o->log_sums[m] = log_add(o->log_sums[m + 1], scores[ranking->items[m]]);
    }
}

/* Each item of the group is chosen from itself and those after the group. Adds to `carry` the
 * derivative in the log-sum of those. One item is a stage of Plackett-Luce. */
static double add_chosen(const struct reward_objective *o, const struct ranking *ranking,
                         const struct group *group, const struct point *at, double *carry) {
    const double rest = o->log_sums[group->end], w = ranking->weight;
    double value = 0.0;
    for (int64_t m = group->begin; group->end < ranking->size && m < group->end; m++) {
        const double score = at->scores[ranking->items[m]];
        const double share = share_of(score, rest);
        value += w * (log_add(rest, score) - score);
        *carry += w * (1.0 - share);
        add_slopes(ranking, m, m + 1, w * (share - 1.0), at->slopes);
    }
    return value;
}

/* How often subsets of size k remain, of all orders of t: 1 / (t choose k). */
static void fill_subset_weights(int64_t t, double *out_weights) {
    double choose = 1.0;
    for (int64_t k = 1; k <= t; k++) {
        choose *= (double)(t - k + 1) / (double)k;
        out_weights[k] = 1.0 / choose;
    }
}

static int64_t lowest_bit(int64_t set) {
    int64_t bit = 0;
    while ((set >> bit & 1) == 0) {
        bit++;
    }
    return bit;
}

static int64_t count_bits(int64_t set) {
    int64_t count = 0;
    for (; set != 0; set &= set - 1) {
        count++;
    }
    return count;
}

/* The mean over the orders of the group: a subset U of it remains at a stage of 1 / (t choose |U|)
 * of them. The log-sum of U and the rest is that of U without its first item, and that item; the
 * derivatives go the same way back. Of the last group, the last item is chosen for certain. */
static double add_orders(struct reward_objective *o, const struct ranking *ranking,
                         const struct group *group, const struct point *at, double *carry) {
    const int64_t t = group->end - group->begin, subsets = INT64_C(1) << t;
    const double w = ranking->weight;
    const int32_t *items = ranking->items + group->begin;
    double weights[REWARD_TIED_ITEMS_MAX + 1] = {0.0};
    fill_subset_weights(t, weights);
    double value = -w * (double)t * mean_score(ranking, at->scores, group->begin, group->end);
    o->subset_sums[0] = o->log_sums[group->end];
    for (int64_t u = 1; u < subsets; u++) {
        o->subset_sums[u] = log_add(o->subset_sums[u & (u - 1)], at->scores[items[lowest_bit(u)]]);
        o->subset_slopes[u] = w * weights[count_bits(u)];
        value += o->subset_slopes[u] * o->subset_sums[u];
    }
    o->subset_slopes[0] = 0.0;
    for (int64_t u = subsets - 1; u > 0; u--) {
        const double share =
            share_of(at->scores[items[lowest_bit(u)]], o->subset_sums[u & (u - 1)]);
        o->subset_slopes[u & (u - 1)] += o->subset_slopes[u] * (1.0 - share);
        if (at->slopes) {
            at->slopes[items[lowest_bit(u)]] += o->subset_slopes[u] * share;
        }
    }
    add_slopes(ranking, group->begin, group->end, -w, at->slopes);
    *carry += o->subset_slopes[0];
    return value;
}

/* `carry` is the derivative in the log-sum of those that remain, from the stages so far: it goes on
 * to the items of the group and to the log-sum of those after it. */
static void spread_carry(const struct reward_objective *o, const struct ranking *ranking,
                         const struct group *group, const struct point *at, double *carry) {
    for (int64_t m = group->begin; m < group->end; m++) {
        const double share = share_of(at->scores[ranking->items[m]], o->log_sums[m + 1]);
        add_slopes(ranking, m, m + 1, *carry * share, at->slopes);
        *carry *= 1.0 - share;
    }
}

static double add_plackett_luce(struct reward_objective *o, const struct ranking *ranking,
                                const struct point *at) {
    double value = 0.0, carry = 0.0;
    fill_log_sums(o, ranking, at->scores);
    for (int64_t begin = 0; begin < ranking->size;) {
        const struct group group = group_from(o, ranking, begin);
        double carry_after = 0.0;
        value += group.is_silent || group.end - begin == 1
                     ? add_chosen(o, ranking, &group, at, &carry_after)
                     : add_orders(o, ranking, &group, at, &carry_after);
        spread_carry(o, ranking, &group, at, &carry);
        carry += carry_after;
        begin = group.end;
    }
    return value;
}

/* ---- Davidson-Luce ---- */

static double add_davidson_luce(struct reward_objective *o, int64_t block, int64_t r,
                                const struct point *at) {
    const struct comparison_set *set = &o->terms->rankings;
    const int64_t items = reward_terms_items(o->terms, block);
    double *slopes = at->slopes || at->tie_slopes ? o->x_slopes : NULL;
    memcpy(o->x, at->scores, (size_t)items * sizeof *o->x);
    memcpy(o->x + set->item_count, at->ties, (size_t)o->tie_count * sizeof *o->x);
    memset(o->x_slopes, 0, (size_t)(set->item_count + o->tie_count) * sizeof *o->x_slopes);
    const double value = davidson_luce_part(o->rankings_with_ties, r, r + 1, o->x, slopes);
    for (int64_t i = 0; at->slopes && i < items; i++) {
        at->slopes[i] += slopes[i];
    }
    for (int64_t t = 0; at->tie_slopes && t < o->tie_count; t++) {
        at->tie_slopes[t] += slopes[set->item_count + t];
    }
    return value;
}

/* ---- regularisers of rankings ---- */

/* How many stages of those that remain, n after the group, are smoothed over: the sum of n / (m +
 * n) over stages with m of the group there. See add_smoothing. */
static double smoothed_stages(const struct group *group, double after, bool keeps_ties) {
    const int64_t size = group->end - group->begin;
    double stages = 0.0;
    for (int64_t m = 1; m <= size; m++) {
        stages += after / ((group->is_silent ? 1.0 : (double)m) + after);
    }
    return keeps_ties && size > 1 && !group->is_silent ? 0.0 : stages;
}

/* A stage with m items of the group and n after it loses 2 e of r_chosen and gains 2 e of the mean
 * of all m + n: the log-sum stays. In the mean over the group that is 2 e n / (m + n) times the
 * group's mean less that of those after it. */
static double add_smoothing(const struct reward_objective *o, const struct ranking *ranking,
                            const struct point *at) {
    const double twice = 2.0 * o->options.label_smoothing * ranking->weight;
    double value = 0.0;
    for (int64_t begin = 0; twice > 0.0 && begin < ranking->size;) {
        const struct group group = group_from(o, ranking, begin);
        const int64_t after = ranking->size - group.end;
        const double amount = twice * smoothed_stages(&group, (double)after, o->tie_count > 0);
        begin = group.end;
        if (amount > 0.0) {
            value += amount * (mean_score(ranking, at->scores, group.begin, group.end) -
                               mean_score(ranking, at->scores, group.end, ranking->size));
            add_slopes(ranking, group.begin, group.end, amount / (double)(group.end - group.begin),
                       at->slopes);
            add_slopes(ranking, group.end, ranking->size, -amount / (double)after, at->slopes);
        }
    }
    return value;
}

static double add_centring(const struct reward_objective *o, const struct ranking *ranking,
                           const struct point *at) {
    double slope = 0.0;
    const double mean = mean_score(ranking, at->scores, 0, ranking->size);
    const double value = ranking->weight * centring(o, mean, (double)ranking->size, &slope);
    add_slopes(ranking, 0, ranking->size, ranking->weight * slope, at->slopes);
    return value;
}

/* ---- blocks ---- */

static double add_ranking(struct reward_objective *o, int64_t block, int64_t r,
                          const struct point *at) {
    const struct ranking ranking = ranking_at(o, r);
    double value = o->rankings_with_ties ? add_davidson_luce(o, block, r, at)
                                         : add_plackett_luce(o, &ranking, at);
    if (!at->is_plain) {
        value += add_smoothing(o, &ranking, at) + add_centring(o, &ranking, at);
    }
    return value;
}

static double add_block(struct reward_objective *o, int64_t block, const struct point *at) {
    const struct reward_terms *terms = o->terms;
    double value = 0.0;
    for (int64_t p = terms->pair_starts[block]; p < terms->pair_starts[block + 1]; p++) {
        value += add_pair(o, &terms->pairs[p], at);
    }
    for (int64_t r = terms->ranking_starts[block]; r < terms->ranking_starts[block + 1]; r++) {
        value += add_ranking(o, block, r, at);
    }
    return value;
}

double reward_objective_block(struct reward_objective *objective, int64_t block,
                              const double *scores, const double *ties, double *slopes,
                              double *tie_slopes) {
    struct point at = {.scores = scores, .ties = ties};
    at.slopes = slopes;
    at.tie_slopes = tie_slopes;
    return add_block(objective, block, &at);
}

double reward_objective_nll(struct reward_objective *objective, int64_t block, const double *scores,
                            const double *ties) {
    const struct point at = {.scores = scores, .ties = ties, .is_plain = true};
    return add_block(objective, block, &at);
}

/* ---- tie parameters ---- */

int64_t reward_objective_tie_count(const struct reward_objective *objective) {
    return objective->tie_count;
}

/* With equal scores a tie has probability nu / (2 + nu), and tanh(eta / 2). A share of 0 or 1 has
 * no finite parameter: half a judgement is added to either. */
void reward_objective_start(const struct reward_objective *objective, double *out_ties) {
    const struct reward_terms *terms = objective->terms;
    double ties = 0.5, all = 1.0;
    for (int64_t p = 0; p < terms->pair_starts[terms->block_count]; p++) {
        ties += terms->pairs[p].tie;
        all += reward_pair_weight(&terms->pairs[p]);
    }
    const double share = ties / all;
    for (int64_t t = 0; t < objective->tie_count; t++) {
        out_ties[t] = objective->options.model == TABULAR_DAVIDSON
                          ? log(2.0 * share / (1.0 - share))
                          : 2.0 * atanh(share);
    }
}

double reward_tie_of(enum tabular_model model, double raw, double *out_slope) {
    *out_slope = model == TABULAR_RAO_KUPPER ? pair_sigmoid(raw) : 1.0;
    return model == TABULAR_RAO_KUPPER ? pair_softplus(raw) : raw;
}

/* ln(e^eta - 1) */
double reward_tie_raw(enum tabular_model model, double tie) {
    return model == TABULAR_RAO_KUPPER ? tie + log(-expm1(-tie)) : tie;
}

/* ---- making ---- */

static enum err_code check_numbers(const struct reward_objective_options *o, struct error *err) {
    if (o->model != TABULAR_BRADLEY_TERRY && !pair_has_ties(o->model)) {
        return err_set(err, ERR_CONFIG,
                       "a reward model is fitted by bradley-terry, davidson or rao-kupper, not by "
                       "'%s'",
                       tabular_model_name(o->model));
    }
    if (!(o->label_smoothing < 0.5) || !isfinite(o->label_smoothing)) {
        return err_set(err, ERR_CONFIG, "label smoothing is %g; expected less than 0.5",
                       o->label_smoothing);
    }
    if (!(o->centring >= 0.0) || !isfinite(o->centring)) {
        return err_set(err, ERR_CONFIG, "the centring coefficient is %g; expected 0 or more",
                       o->centring);
    }
    return ERR_OK;
}

static enum err_code check_ties(const struct reward_terms *terms, enum tabular_model model,
                                struct error *err) {
    const struct reward_terms_counts *counts = &terms->counts;
    const bool is_kept = terms->options.ties == PAIR_TIES_KEEP;
    if (is_kept && !pair_has_ties(model) && counts->tied_judgements + counts->tied_rankings > 0) {
        return err_set(err, ERR_DATA,
                       "%" PRId64 " comparisons hold ties, and bradley-terry has no probability "
                       "for them; take davidson or rao-kupper, or ties as halves or dropped",
                       counts->tied_judgements + counts->tied_rankings);
    }
    if (!is_kept && pair_has_ties(model)) {
        return err_set(err, ERR_CONFIG,
                       "%s estimates how likely ties are, and they were taken out; keep them, or "
                       "take bradley-terry",
                       tabular_model_name(model));
    }
    return ERR_OK;
}

static enum err_code check_reliabilities(const struct reward_terms *terms, enum tabular_model model,
                                         struct error *err) {
    for (int64_t p = 0; p < terms->pair_starts[terms->block_count]; p++) {
        const struct reward_pair *pair = &terms->pairs[p];
        if (!isfinite(pair->reliability_log_odds)) {
            continue;
        }
        if (model != TABULAR_BRADLEY_TERRY) {
            return err_set(err, ERR_CONFIG,
                           "reliabilities of annotators go with bradley-terry, not with %s",
                           tabular_model_name(model));
        }
        if (pair->margin_win > 0.0 || pair->margin_loss > 0.0) {
            return err_set(err, ERR_CONFIG,
                           "margins and reliabilities of annotators do not go together; scale "
                           "margins by 0");
        }
    }
    return ERR_OK;
}

/* The greatest number of items of one rank that orders are averaged over. */
static int64_t longest_tie(const struct reward_objective *o) {
    int64_t longest = 0;
    for (int64_t r = 0; r < o->terms->rankings.count; r++) {
        const struct ranking ranking = ranking_at(o, r);
        for (int64_t begin = 0; begin < ranking.size;) {
            const struct group group = group_from(o, &ranking, begin);
            const int64_t size = group.is_silent ? 1 : group.end - group.begin;
            longest = size > longest ? size : longest;
            begin = group.end;
        }
    }
    return longest;
}

static enum err_code check_rankings(const struct reward_objective *o, int64_t tied_items,
                                    struct error *err) {
    if (o->terms->rankings.count > 0 && o->options.model == TABULAR_RAO_KUPPER) {
        return err_set(err, ERR_CONFIG,
                       "rao-kupper has no form for rankings; split them into pairs, or take "
                       "davidson");
    }
    if (o->options.model == TABULAR_BRADLEY_TERRY && tied_items > REWARD_TIED_ITEMS_MAX) {
        return err_set(err, ERR_LIMIT,
                       "a ranking ties %" PRId64 " items, and the mean over the orders of at most "
                       "%d is computed; drop ties, split rankings into pairs, or take davidson",
                       tied_items, REWARD_TIED_ITEMS_MAX);
    }
    return ERR_OK;
}

static enum err_code make_scratch(struct reward_objective *o, int64_t tied_items,
                                  struct error *err) {
    const struct comparison_set *set = &o->terms->rankings;
    size_t variables = (size_t)(set->item_count + o->tie_count), longest = 0;
    for (int64_t r = 0; r < set->count; r++) {
        size_t size = (size_t)(set->starts[r + 1] - set->starts[r]);
        longest = size > longest ? size : longest;
    }
    bool has_subsets = o->options.model == TABULAR_BRADLEY_TERRY;
    size_t subsets = has_subsets ? (size_t)1 << tied_items : 0;
    o->x = mem_array_zero(variables, sizeof *o->x);
    o->x_slopes = mem_array(variables, sizeof *o->x_slopes);
    o->log_sums = mem_array(longest + 1, sizeof *o->log_sums);
    o->subset_sums = mem_array(subsets, sizeof *o->subset_sums);
    o->subset_slopes = mem_array(subsets, sizeof *o->subset_slopes);
    bool made = o->x && o->x_slopes && o->log_sums && o->subset_sums && o->subset_slopes;
    return made ? ERR_OK : err_oom(err, "room to evaluate rankings");
}

static enum err_code check_tie_orders(const struct davidson_luce *ours,
                                      const struct davidson_luce *like, struct error *err) {
    int64_t ours_count = 0, like_count = 0;
    const int64_t *orders = davidson_luce_tie_orders(ours, &ours_count);
    const int64_t *known = davidson_luce_tie_orders(like, &like_count);
    for (int64_t o = 0; o < ours_count; o++) {
        if (o == like_count || orders[o] != known[o]) {
            return err_set(err, ERR_DATA,
                           "a ranking ties %" PRId64 " items, and none of those to learn from "
                           "does: how likely that is cannot be known; split rankings into pairs",
                           orders[o]);
        }
    }
    return ERR_OK;
}

static enum err_code make_ties(struct reward_objective *o, struct error *err) {
    if (o->options.model != TABULAR_DAVIDSON) {
        o->tie_count = o->options.model == TABULAR_RAO_KUPPER ? 1 : 0;
        return ERR_OK;
    }
    const struct davidson_luce *like =
        o->options.ties_of ? o->options.ties_of->rankings_with_ties : NULL;
    TRY(davidson_luce_new_beside_pairs(&o->terms->rankings, like, &o->rankings_with_ties, err));
    (void)davidson_luce_tie_orders(o->rankings_with_ties, &o->tie_count);
    return like ? check_tie_orders(o->rankings_with_ties, like, err) : ERR_OK;
}

enum err_code reward_objective_new(const struct reward_terms *terms,
                                   const struct reward_objective_options *options,
                                   struct reward_objective **out_objective, struct error *err) {
    TRY(check_numbers(options, err));
    TRY(check_ties(terms, options->model, err));
    TRY(check_reliabilities(terms, options->model, err));
    SCOPED(reward_objective) struct reward_objective *o = mem_array_zero(1, sizeof *o);
    if (!o) {
        return err_oom(err, "objective of rewards");
    }
    o->terms = terms;
    o->options = *options;
    int64_t tied_items = longest_tie(o);
    TRY(check_rankings(o, tied_items, err));
    TRY(make_ties(o, err));
    o->options.ties_of = NULL; /* it may go now */
    TRY(make_scratch(o, tied_items, err));
    *out_objective = MOVE(o);
    return ERR_OK;
}

void reward_objective_free(struct reward_objective *objective) {
    if (objective) {
        davidson_luce_free(objective->rankings_with_ties);
        mem_free(objective->x);
        mem_free(objective->x_slopes);
        mem_free(objective->log_sums);
        mem_free(objective->subset_sums);
        mem_free(objective->subset_slopes);
        mem_free(objective);
    }
}
