/* reward_calibration.c - see reward_calibration.h. */
#include "reward/reward_calibration.h"

#include "base/mem.h"
#include "base/normal_quantile.h"
#include "base/scoped.h"
#include "reward/newton.h"
#include "reward/pair_outcome.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#define LEVEL              0.95
#define TIE_SHARE_MIN      1e-6  /* of the share of ties that the tie parameter starts from */
#define LOG_HALF_WIDTH_MAX 100.0 /* of the interval of ln T */

void reward_calibration_add(const struct reward_terms *terms, int64_t block, int64_t cluster,
                            const double *scores, struct pair_metrics *metrics) {
    for (int64_t p = terms->pair_starts[block]; p < terms->pair_starts[block + 1]; p++) {
        const struct reward_pair *pair = &terms->pairs[p];
        pair_metrics_add(metrics, &(struct judged_pair){.cluster = cluster,
                                                        .margin = scores[pair->i] - scores[pair->j],
                                                        .wins_first = pair->win,
                                                        .wins_second = pair->loss,
                                                        .ties = pair->tie});
    }
}

/* Legend: x = slope s (unless it is held), then the tie parameter e (of models with ties). */

struct problem {
    const struct pair_metrics *metrics;
    enum tabular_model model;
    bool is_slope_held;
    double slope; /* the slope that is held */
    /* of the point at which the gradient was last asked */
    double h_ss, h_se, h_ee;
};

struct place {
    double slope, tie;
};

static struct place place_of(const struct problem *p, const double *x) {
    struct place place = {.slope = p->slope};
    if (!p->is_slope_held) {
        place.slope = *x++;
    }
    place.tie = pair_has_ties(p->model) ? *x : 0.0;
    return place;
}

static int64_t size_of(const struct problem *p) {
    return (p->is_slope_held ? 0 : 1) + (pair_has_ties(p->model) ? 1 : 0);
}

static struct pair_outcome weights_of(enum tabular_model model, const struct judged_pair *pair) {
    const double half = pair_has_ties(model) ? 0.0 : 0.5 * pair->ties;
    return (struct pair_outcome){.win = pair->wins_first + half,
                                 .loss = pair->wins_second + half,
                                 .tie = pair_has_ties(model) ? pair->ties : 0.0};
}

static double judgements_of(const struct judged_pair *pair) {
    return pair->wins_first + pair->wins_second + pair->ties;
}

/* Derivatives in slope and tie parameter. */
static struct pair_terms terms_at(const struct problem *p, const struct judged_pair *pair,
                                  const struct place *at) {
    const double m = pair->margin;
    struct pair_terms terms =
        pair_terms_of(p->model, at->slope * m, at->tie, weights_of(p->model, pair));
    terms.d *= m;
    terms.dd *= m * m;
    terms.de *= m;
    return terms;
}

static double value_at(void *context, const double *x) {
    const struct problem *p = context;
    const struct place at = place_of(p, x);
    double sum = 0.0;
    for (int64_t k = 0; k < p->metrics->pair_count; k++) {
        const struct judged_pair *pair = &p->metrics->pairs[k];
        sum += pair_value_of(p->model, at.slope * pair->margin, at.tie, weights_of(p->model, pair));
    }
    return sum;
}

static void gradient_at(void *context, const double *x, double *out_gradient) {
    struct problem *p = context;
    const struct place at = place_of(p, x);
    double g_s = 0.0, g_e = 0.0;
    p->h_ss = p->h_se = p->h_ee = 0.0;
    for (int64_t k = 0; k < p->metrics->pair_count; k++) {
        const struct pair_terms terms = terms_at(p, &p->metrics->pairs[k], &at);
        g_s += terms.d;
        g_e += terms.e;
        p->h_ss += terms.dd;
        p->h_se += terms.de;
        p->h_ee += terms.ee;
    }
    if (!p->is_slope_held) {
        *out_gradient++ = g_s;
    }
    if (pair_has_ties(p->model)) {
        *out_gradient = g_e;
    }
}

static void hessian_times(void *context, const double *x, const double *v, double *out) {
    (void)x;
    const struct problem *p = context;
    if (size_of(p) == 2) {
        out[0] = p->h_ss * v[0] + p->h_se * v[1];
        out[1] = p->h_se * v[0] + p->h_ee * v[1];
    } else {
        out[0] = (p->is_slope_held ? p->h_ee : p->h_ss) * v[0];
    }
}

static void diagonal_at(void *context, const double *x, double *out) {
    (void)x;
    const struct problem *p = context;
    if (!p->is_slope_held) {
        *out++ = p->h_ss;
    }
    if (pair_has_ties(p->model)) {
        *out = p->h_ee;
    }
}

/* ---- what can be fitted ---- */

/* What the judgements say at a glance. */
struct overview {
    double judgements, ties, strict;
    double margin_max;           /* without sign */
    double wrong;                /* judgements for the smaller reward */
    double tied_max, strict_min; /* margins without sign of ties, and of others */
};

static struct overview overview_of(const struct pair_metrics *metrics) {
    struct overview o = {.strict_min = (double)INFINITY};
    for (int64_t k = 0; k < metrics->pair_count; k++) {
        const struct judged_pair *pair = &metrics->pairs[k];
        const double size = fabs(pair->margin), strict = pair->wins_first + pair->wins_second;
        if (!(judgements_of(pair) > 0.0)) {
            continue;
        }
        o.judgements += judgements_of(pair);
        o.ties += pair->ties;
        o.strict += strict;
        o.margin_max = fmax(o.margin_max, size);
        o.tied_max = pair->ties > 0.0 ? fmax(o.tied_max, size) : o.tied_max;
        o.strict_min = strict > 0.0 ? fmin(o.strict_min, size) : o.strict_min;
        o.wrong += pair->margin > 0.0   ? pair->wins_second
                   : pair->margin < 0.0 ? pair->wins_first
                                        : 0.0;
    }
    return o;
}

static enum err_code check_margins(const struct pair_metrics *metrics, struct error *err) {
    for (int64_t k = 0; k < metrics->pair_count; k++) {
        if (!isfinite(metrics->pairs[k].margin)) {
            return err_set(err, ERR_DATA,
                           "the margin of pair %" PRId64 " is %g; rewards must be "
                           "finite to be calibrated",
                           k, metrics->pairs[k].margin);
        }
    }
    return ERR_OK;
}

static enum err_code check_data(const struct overview *o, enum tabular_model model,
                                struct error *err) {
    if (model != TABULAR_BRADLEY_TERRY && !pair_has_ties(model)) {
        return err_set(err, ERR_CONFIG,
                       "rewards are calibrated by bradley-terry, davidson or rao-kupper, not by "
                       "'%s'",
                       tabular_model_name(model));
    }
    if (!(o->judgements > 0.0)) {
        return err_set(err, ERR_DATA, "no judgement to calibrate by; hold some prompts out");
    }
    if (!(o->margin_max > 0.0)) {
        return err_set(err, ERR_DATA,
                       "every margin is zero, so no temperature changes anything; the rewards do "
                       "not tell answers apart");
    }
    if (pair_has_ties(model) && (o->ties == 0.0 || o->strict == 0.0)) {
        return err_set(err, ERR_DATA,
                       o->ties == 0.0 ? "no judgement is a tie, so %s has no tie parameter; take "
                                        "bradley-terry"
                                      : "every judgement is a tie, so %s has no tie parameter and "
                                        "no temperature; judge pairs that differ",
                       tabular_model_name(model));
    }
    return ERR_OK;
}

/* Whether the likelihood grows for ever with the slope. All strict judgements must go to the
 * greater reward. Without ties of their own, a tie between rewards that differ holds it back; with
 * them, one whose margin is greater than that of some strict judgement: else the tie parameter can
 * grow with the slope so that it stays between the two. */
static bool is_separable(const struct overview *o, enum tabular_model model) {
    return o->wrong == 0.0 &&
           (pair_has_ties(model) ? o->tied_max <= o->strict_min : o->tied_max == 0.0);
}

/* ---- the fit ---- */

/* Of a share of ties with all rewards equal; see reward_objective.c. */
static double start_tie(const struct overview *o, enum tabular_model model) {
    const double share = fmin(fmax(o->ties / o->judgements, TIE_SHARE_MIN), 1.0 - TIE_SHARE_MIN);
    return model == TABULAR_DAVIDSON ? log(2.0 * share / (1.0 - share)) : 2.0 * atanh(share);
}

static enum err_code minimise(struct problem *p, struct place *at, struct error *err) {
    double x[2] = {at->slope, at->tie};
    if (p->is_slope_held) {
        at->slope = p->slope;
        x[0] = at->tie;
    }
    if (size_of(p) == 0) {
        return ERR_OK;
    }
    const struct newton_problem problem = {.size = size_of(p),
                                           .context = p,
                                           .value = value_at,
                                           .gradient = gradient_at,
                                           .hessian_times = hessian_times,
                                           .diagonal = diagonal_at};
    struct newton_result result;
    TRY(newton_minimise(&problem, &NEWTON_OPTIONS_DEFAULT, x, &result, err));
    *at = place_of(p, x);
    return ERR_OK;
}

/* The best tie parameter for a slope that is given. */
static enum err_code minimise_tie(struct problem *p, double slope, struct place *at,
                                  struct error *err) {
    p->is_slope_held = true;
    p->slope = slope;
    return minimise(p, at, err);
}

static double nll_at(const struct problem *p, const struct place *at, double judgements) {
    struct problem open = {.metrics = p->metrics, .model = p->model};
    const double x[2] = {at->slope, at->tie};
    return value_at(&open, x) / judgements;
}

/* Whether the loss, at the slope 0 and the tie parameter that is best there, falls with the slope.
 * It is convex: where it does not, no slope above 0 is better. */
static bool falls_at_zero(struct problem *p, double tie) {
    const double x[2] = {0.0, tie};
    double gradient[2] = {0.0, 0.0};
    gradient_at(p, x, gradient);
    return gradient[0] < 0.0;
}

static enum reward_calibration_kind kind_of(double slope) {
    return slope * REWARD_TEMPERATURE_MAX < 1.0   ? REWARD_CALIBRATION_TOO_SURE
           : slope * REWARD_TEMPERATURE_MIN > 1.0 ? REWARD_CALIBRATION_TOO_SHY
                                                  : REWARD_CALIBRATION_FITTED;
}

/* The slope that the kind takes where it is not fitted. */
static double bound_of(enum reward_calibration_kind kind) {
    bool is_least = kind == REWARD_CALIBRATION_SEPARABLE || kind == REWARD_CALIBRATION_TOO_SHY;
    return 1.0 / (is_least ? REWARD_TEMPERATURE_MIN : REWARD_TEMPERATURE_MAX);
}

static enum err_code find_place(struct problem *p, const struct overview *o, struct place *at,
                                enum reward_calibration_kind *out_kind, struct error *err) {
    enum reward_calibration_kind kind = REWARD_CALIBRATION_CHANCE;
    if (is_separable(o, p->model)) {
        kind = REWARD_CALIBRATION_SEPARABLE;
    } else if (falls_at_zero(p, at->tie)) {
        TRY(minimise(p, at, err)); /* from slope 0: the first step then has the margins' units */
        kind = kind_of(at->slope);
    }
    if (kind != REWARD_CALIBRATION_FITTED) {
        at->tie = start_tie(o, p->model);
        TRY(minimise_tie(p, bound_of(kind), at, err));
    }
    *out_kind = kind;
    return ERR_OK;
}

/* ---- errors ---- */

/* sum over clusters of g g', of the gradients (slope, tie parameter); how many hold judgements. */
static enum err_code add_up_clusters(const struct problem *p, const struct place *at,
                                     double out_b[3], int64_t *out_clusters, struct error *err) {
    const size_t clusters = (size_t)p->metrics->cluster_count;
    SCOPED(mem) double *sums = mem_array_zero(clusters, 2 * sizeof *sums);
    SCOPED(mem) bool *used = mem_array_zero(clusters, sizeof *used);
    if (!sums || !used) {
        return err_oom(err, "gradients by prompt");
    }
    for (int64_t k = 0; k < p->metrics->pair_count; k++) {
        const struct judged_pair *pair = &p->metrics->pairs[k];
        const struct pair_terms terms = terms_at(p, pair, at);
        sums[2 * pair->cluster] += terms.d;
        sums[2 * pair->cluster + 1] += terms.e;
        used[pair->cluster] = used[pair->cluster] || judgements_of(pair) > 0.0;
    }
    out_b[0] = out_b[1] = out_b[2] = 0.0;
    *out_clusters = 0;
    for (int64_t c = 0; c < p->metrics->cluster_count; c++) {
        out_b[0] += sums[2 * c] * sums[2 * c];
        out_b[1] += sums[2 * c] * sums[2 * c + 1];
        out_b[2] += sums[2 * c + 1] * sums[2 * c + 1];
        *out_clusters += used[c];
    }
    return ERR_OK;
}

/* v' B v for the symmetric B. */
static double form(const double b[3], double v_s, double v_e) {
    return v_s * v_s * b[0] + 2.0 * v_s * v_e * b[1] + v_e * v_e * b[2];
}

/* Variances of slope and tie parameter. */
static enum err_code variances_at(struct problem *p, const struct place *at, double *out_slope,
                                  double *out_tie, struct error *err) {
    double b[3], x[2] = {at->slope, at->tie}, unused[2];
    int64_t clusters = 0;
    *out_slope = *out_tie = (double)NAN;
    TRY(add_up_clusters(p, at, b, &clusters, err));
    if (clusters < 2) {
        return ERR_OK;
    }
    gradient_at(p, x, unused); /* for the Hessian */
    const double few = (double)clusters / (double)(clusters - 1);
    if (!pair_has_ties(p->model)) {
        *out_slope = few * b[0] / (p->h_ss * p->h_ss);
        return ERR_OK;
    }
    const double det = p->h_ss * p->h_ee - p->h_se * p->h_se;
    *out_slope = few * form(b, p->h_ee / det, -p->h_se / det);
    *out_tie = few * form(b, -p->h_se / det, p->h_ss / det);
    return ERR_OK;
}

static struct pair_score without_interval(double value) {
    return (struct pair_score){.value = value, .low = (double)NAN, .high = (double)NAN};
}

static enum err_code set_intervals(struct problem *p, const struct place *at,
                                   struct reward_calibration *out, struct error *err) {
    const double z = normal_quantile(0.5 + 0.5 * LEVEL);
    double slope = 0.0, tie = 0.0;
    TRY(variances_at(p, at, &slope, &tie, err));
    const double t = out->temperature.value, error = sqrt(slope) / at->slope;
    if (!(z * error < LOG_HALF_WIDTH_MAX)) {
        return ERR_OK; /* one prompt; or an interval that says nothing, and might overflow */
    }
    out->log_temperature_error = error;
    out->temperature =
        (struct pair_score){.value = t, .low = t * exp(-z * error), .high = t * exp(z * error)};
    if (pair_has_ties(p->model)) {
        out->tie_parameter = (struct pair_score){
            .value = at->tie, .low = at->tie - z * sqrt(tie), .high = at->tie + z * sqrt(tie)};
    }
    return ERR_OK;
}

static enum err_code scores_at(const struct pair_metrics *metrics, double temperature,
                               uint64_t seed, struct pair_scores *out_scores, struct error *err) {
    SCOPED(pair_metrics) struct pair_metrics scaled = PAIR_METRICS_INIT;
    TRY(pair_metrics_init(&scaled, metrics->cluster_count, metrics->pair_count, err));
    for (int64_t k = 0; k < metrics->pair_count; k++) {
        struct judged_pair pair = metrics->pairs[k];
        pair.margin /= temperature;
        pair_metrics_add(&scaled, &pair);
    }
    return pair_metrics_scores(&scaled, seed, out_scores, err);
}

enum err_code reward_calibration_fit(const struct pair_metrics *metrics, enum tabular_model model,
                                     uint64_t seed, struct reward_calibration *out_calibration,
                                     struct error *err) {
    TRY(check_margins(metrics, err));
    const struct overview overview = overview_of(metrics);
    TRY(check_data(&overview, model, err));
    struct problem p = {.metrics = metrics, .model = model};
    struct place at = {.tie = start_tie(&overview, model)}, before = at;
    struct reward_calibration fit = {.model = model, .log_temperature_error = (double)NAN};
    TRY(find_place(&p, &overview, &at, &fit.kind, err));
    fit.temperature = without_interval(1.0 / at.slope);
    fit.tie_parameter = without_interval(pair_has_ties(model) ? at.tie : (double)NAN);
    fit.nll_after = nll_at(&p, &at, overview.judgements);
    if (fit.kind == REWARD_CALIBRATION_FITTED) {
        TRY(set_intervals(&p, &at, &fit, err));
    }
    TRY(minimise_tie(&p, 1.0, &before, err));
    fit.nll_before = nll_at(&p, &before, overview.judgements);
    TRY(scores_at(metrics, 1.0, seed, &fit.before, err));
    TRY(scores_at(metrics, fit.temperature.value, seed, &fit.after, err));
    *out_calibration = fit;
    return ERR_OK;
}

const char *reward_calibration_key(enum reward_calibration_kind kind) {
    static const char *const keys[] = {
#define REWARD_CALIBRATION_KEY(name, key, text) [REWARD_CALIBRATION_##name] = (key),
        REWARD_CALIBRATIONS(REWARD_CALIBRATION_KEY)
#undef REWARD_CALIBRATION_KEY
    };
    return keys[kind];
}

const char *reward_calibration_text(enum reward_calibration_kind kind) {
    static const char *const texts[] = {
#define REWARD_CALIBRATION_TEXT(name, key, text) [REWARD_CALIBRATION_##name] = (text),
        REWARD_CALIBRATIONS(REWARD_CALIBRATION_TEXT)
#undef REWARD_CALIBRATION_TEXT
    };
    return texts[kind];
}
