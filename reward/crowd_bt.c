/* crowd_bt.c - see crowd_bt.h. */
#include "reward/crowd_bt.h"

#include "base/mem.h"
#include "base/scoped.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Somebody said that `better` is better than `worse`. */
struct judgement {
    int32_t better, worse;
    int32_t annotator; /* A: not known */
    float shown_first; /* 1 if `better` was, -1 if `worse` was, 0: not known */
    double weight;
};

struct crowd_bt {
    int64_t item_count, annotator_count;
    bool has_position, hold_rewards;
    double ridge, good, bad;
    struct judgement *judgements; /* [n] */
    int64_t count;
    double *agreed;      /* [n] z + D, held in the inner problem of crowd_bt_improve */
    double *sums;        /* [A + 1] scratch by annotator */
    double *curvatures;  /* [A + 1] of the log-odds, at the profile's x */
    const double *point; /* the profile's x; borrowed */
    int64_t ties_dropped, rankings_split;
};

/* ---- judgements ---- */

static int64_t count_pairs(const struct comparison_set *set) {
    int64_t pairs = 0;
    for (int64_t c = 0; c < set->count; c++) {
        int64_t size = set->starts[c + 1] - set->starts[c];
        pairs += size * (size - 1); /* ties count twice */
    }
    return pairs;
}

static float shown_first(const struct comparison_set *set, int64_t better, int64_t worse) {
    if (!set->positions || !set->positions[better] || !set->positions[worse] ||
        set->positions[better] == set->positions[worse]) {
        return 0.0F;
    }
    return set->positions[better] < set->positions[worse] ? 1.0F : -1.0F;
}

static void add_judgement(struct crowd_bt *model, const struct comparison_set *set,
                          int64_t comparison, int64_t better, int64_t worse) {
    int32_t annotator = set->annotators ? set->annotators[comparison] : -1;
    model->judgements[model->count++] = (struct judgement){
        .better = set->items[better],
        .worse = set->items[worse],
        .annotator = annotator >= 0 ? annotator : (int32_t)model->annotator_count,
        .shown_first = shown_first(set, better, worse),
        .weight = set->weights[comparison],
    };
}

static void add_comparison(struct crowd_bt *model, const struct comparison_set *set,
                           int64_t comparison, enum tabular_ties ties) {
    int64_t begin = set->starts[comparison], end = set->starts[comparison + 1];
    bool unordered = set->last_unordered && set->last_unordered[comparison];
    for (int64_t i = begin; i < end; i++) {
        for (int64_t j = i + 1; j < end; j++) {
            bool is_tie = set->ranks[i] == set->ranks[j];
            if (is_tie && unordered && set->ranks[i] == set->ranks[end - 1]) {
                continue;
            }
            if (is_tie && ties == TABULAR_TIES_DROP) {
                model->ties_dropped++;
                continue;
            }
            add_judgement(model, set, comparison, i, j);
            if (is_tie) {
                model->judgements[model->count - 1].weight *= 0.5;
                add_judgement(model, set, comparison, j, i);
                model->judgements[model->count - 1].weight *= 0.5;
            }
        }
    }
    model->rankings_split += end - begin > 2;
}

static int64_t count_ties(const struct comparison_set *set) {
    int64_t comparisons = 0;
    for (int64_t c = 0; c < set->count; c++) {
        int64_t begin = set->starts[c], end = set->starts[c + 1];
        bool unordered = set->last_unordered && set->last_unordered[c];
        bool has_tie = false;
        for (int64_t i = begin + 1; i < end; i++) {
            has_tie = has_tie || (set->ranks[i] == set->ranks[i - 1] &&
                                  !(unordered && set->ranks[i] == set->ranks[end - 1]));
        }
        comparisons += has_tie;
    }
    return comparisons;
}

static enum err_code check_input(const struct comparison_set *set,
                                 const struct tabular_options *options, struct error *err) {
    if (!(options->reliability_bad > 0.0 && options->reliability_good > options->reliability_bad)) {
        return err_set(err, ERR_CONFIG,
                       "crowd-bt: the prior of reliability is beta(%g, %g), but must hold good > "
                       "bad > 0, or the rewards have no sign",
                       options->reliability_good, options->reliability_bad);
    }
    if (set->annotator_count == 0) {
        return err_set(err, ERR_DATA,
                       "crowd-bt: no comparison says who made it; use another model, such as "
                       "bradley-terry");
    }
    int64_t ties = options->ties == TABULAR_TIES_REFUSE ? count_ties(set) : 0;
    if (ties > 0) {
        return err_set(err, ERR_DATA,
                       "crowd-bt: %" PRId64 " of %" PRId64
                       " comparisons hold ties, which it has no probability for; use --ties half, "
                       "--ties drop, or the model davidson",
                       ties, set->count);
    }
    return ERR_OK;
}

static enum err_code check_position(const struct crowd_bt *model, struct error *err) {
    bool is_known = !model->has_position;
    for (int64_t n = 0; n < model->count && !is_known; n++) {
        is_known = model->judgements[n].shown_first != 0.0F;
    }
    return is_known ? ERR_OK
                    : err_set(err, ERR_DATA,
                              "no estimate of the position effect: no comparison says what was "
                              "shown first; leave it out");
}

enum err_code crowd_bt_new(const struct comparison_set *set, const struct tabular_options *options,
                           struct crowd_bt **out_model, struct error *err) {
    TRY(check_input(set, options, err));
    SCOPED(crowd_bt) struct crowd_bt *model = mem_array_zero(1, sizeof *model);
    if (!model) {
        return err_oom(err, "judgements");
    }
    *model = (struct crowd_bt){
        .item_count = set->item_count,
        .annotator_count = set->annotator_count,
        .has_position = options->position_effect,
        .ridge = options->estimator == TABULAR_MAXIMUM_POSTERIOR ? options->ridge : 0.0,
        .good = options->reliability_good,
        .bad = options->reliability_bad,
    };
    size_t pairs = (size_t)count_pairs(set), annotators = (size_t)set->annotator_count + 1;
    model->judgements = mem_array(pairs, sizeof *model->judgements);
    model->agreed = mem_array(pairs, sizeof *model->agreed);
    model->sums = mem_array(annotators, sizeof *model->sums);
    model->curvatures = mem_array(annotators, sizeof *model->curvatures);
    if (!model->judgements || !model->agreed || !model->sums || !model->curvatures) {
        return err_oom(err, "judgements");
    }
    for (int64_t c = 0; c < set->count; c++) {
        add_comparison(model, set, c, options->ties);
    }
    TRY(check_position(model, err));
    *out_model = MOVE(model);
    return ERR_OK;
}

void crowd_bt_free(struct crowd_bt *model) {
    if (model) {
        mem_free(model->judgements);
        mem_free(model->agreed);
        mem_free(model->sums);
        mem_free(model->curvatures);
        mem_free(model);
    }
}

int64_t crowd_bt_size(const struct crowd_bt *model) {
    return model->item_count + model->has_position + model->annotator_count;
}

int64_t crowd_bt_judges(const struct crowd_bt *model) {
    int64_t judges = 0;
    memset(model->sums, 0, (size_t)(model->annotator_count + 1) * sizeof *model->sums);
    for (int64_t n = 0; n < model->count; n++) {
        model->sums[model->judgements[n].annotator] = 1.0;
    }
    for (int64_t a = 0; a < model->annotator_count; a++) {
        judges += model->sums[a] > 0.0;
    }
    return judges;
}

int64_t crowd_bt_ties_dropped(const struct crowd_bt *model) {
    return model->ties_dropped;
}

int64_t crowd_bt_rankings_split(const struct crowd_bt *model) {
    return model->rankings_split;
}

void crowd_bt_hold_rewards(struct crowd_bt *model, bool hold) {
    model->hold_rewards = hold;
}

/* ---- one judgement ---- */

static double sigmoid(double z) {
    if (z >= 0.0) {
        return 1.0 / (1.0 + exp(-z));
    }
    double e = exp(z);
    return e / (1.0 + e);
}

/* sigma(z) (1 - sigma(z)), also where the latter rounds to zero */
static double spread(double z) {
    return sigmoid(z) * sigmoid(-z);
}

/* ln(1 + e^z) */
static double softplus(double z) {
    return z > 0.0 ? z + log1p(exp(-z)) : log1p(exp(z));
}

/* D, or its derivative along v: both are linear in rewards and position. */
static double difference(const struct crowd_bt *model, const struct judgement *j, const double *x) {
    double d = model->hold_rewards ? 0.0 : x[j->better] - x[j->worse];
    return model->has_position ? d + (double)j->shown_first * x[model->item_count] : d;
}

static void add_difference(const struct crowd_bt *model, const struct judgement *j, double value,
                           double *out) {
    if (!model->hold_rewards) {
        out[j->better] += value;
        out[j->worse] -= value;
    }
    if (model->has_position) {
        out[model->item_count] += (double)j->shown_first * value;
    }
}

static void add_difference_square(const struct crowd_bt *model, const struct judgement *j,
                                  double value, double *out) {
    if (!model->hold_rewards) {
        out[j->better] += value;
        out[j->worse] += value;
    }
    if (model->has_position) {
        out[model->item_count] += (double)(j->shown_first * j->shown_first) * value;
    }
}

static int64_t odds_start(const struct crowd_bt *model) {
    return model->item_count + model->has_position;
}

static double odds_of(const struct crowd_bt *model, const struct judgement *j, const double *x) {
    return j->annotator < model->annotator_count ? x[odds_start(model) + j->annotator]
                                                 : log(model->good / model->bad);
}

/* ---- minus the log-posterior ---- */

double crowd_bt_log_likelihood(struct crowd_bt *model, const double *x) {
    double sum = 0.0;
    for (int64_t n = 0; n < model->count; n++) {
        const struct judgement *j = &model->judgements[n];
        double d = difference(model, j, x), z = odds_of(model, j, x);
        sum += j->weight * (softplus(-z - d) - softplus(-z) - softplus(-d));
    }
    return sum;
}

static double penalty_at(const struct crowd_bt *model, const double *x) {
    double penalty = 0.0;
    for (int64_t i = 0; model->ridge > 0.0 && i < model->item_count; i++) {
        penalty += 0.5 * model->ridge * x[i] * x[i];
    }
    return penalty;
}

static double value_at(void *context, const double *x) {
    struct crowd_bt *model = context;
    double value = penalty_at(model, x) - crowd_bt_log_likelihood(model, x);
    const double *odds = x + odds_start(model);
    for (int64_t a = 0; a < model->annotator_count; a++) {
        value += model->good * softplus(-odds[a]) + model->bad * softplus(odds[a]);
    }
    return value;
}

static void gradient_at(void *context, const double *x, double *out) {
    struct crowd_bt *model = context;
    int64_t start = odds_start(model);
    memset(out, 0, (size_t)crowd_bt_size(model) * sizeof *out);
    for (int64_t n = 0; n < model->count; n++) {
        const struct judgement *j = &model->judgements[n];
        double d = difference(model, j, x), z = odds_of(model, j, x);
        double agreement = sigmoid(z + d);
        add_difference(model, j, j->weight * (sigmoid(d) - agreement), out);
        if (j->annotator < model->annotator_count) {
            out[start + j->annotator] += j->weight * (sigmoid(z) - agreement);
        }
    }
    for (int64_t i = 0; i < model->item_count; i++) {
        out[i] += model->ridge * x[i];
    }
    for (int64_t a = 0; a < model->annotator_count; a++) {
        double z = x[start + a];
        out[start + a] += model->bad * sigmoid(z) - model->good * sigmoid(-z);
    }
}

static void hessian_times(void *context, const double *x, const double *v, double *out) {
    struct crowd_bt *model = context;
    int64_t start = odds_start(model);
    memset(out, 0, (size_t)crowd_bt_size(model) * sizeof *out);
    for (int64_t n = 0; n < model->count; n++) {
        const struct judgement *j = &model->judgements[n];
        double d = difference(model, j, x), z = odds_of(model, j, x);
        double v_d = difference(model, j, v);
        double shared = -spread(z + d); /* by D and D, D and z, z and z */
        bool known = j->annotator < model->annotator_count;
        double v_z = known ? v[start + j->annotator] : 0.0;
        add_difference(model, j, j->weight * (spread(d) * v_d + shared * (v_d + v_z)), out);
        if (known) {
            out[start + j->annotator] += j->weight * (spread(z) * v_z + shared * (v_d + v_z));
        }
    }
    for (int64_t i = 0; i < model->item_count; i++) {
        out[i] += model->ridge * v[i];
    }
    for (int64_t a = 0; a < model->annotator_count; a++) {
        out[start + a] += (model->good + model->bad) * spread(x[start + a]) * v[start + a];
    }
}

/* The curvature that there would be if it were known who said what they thought. */
static void diagonal_at(void *context, const double *x, double *out) {
    struct crowd_bt *model = context;
    int64_t start = odds_start(model);
    memset(out, 0, (size_t)crowd_bt_size(model) * sizeof *out);
    for (int64_t i = 0; i < model->item_count; i++) {
        out[i] = model->ridge;
    }
    for (int64_t a = 0; a < model->annotator_count; a++) {
        out[start + a] = model->good + model->bad;
    }
    for (int64_t n = 0; n < model->count; n++) {
        const struct judgement *j = &model->judgements[n];
        add_difference_square(model, j, j->weight * spread(difference(model, j, x)), out);
        if (j->annotator < model->annotator_count) {
            out[start + j->annotator] += j->weight;
        }
    }
    for (int64_t a = 0; a < model->annotator_count; a++) {
        out[start + a] *= spread(x[start + a]);
    }
}

struct newton_problem crowd_bt_problem(struct crowd_bt *model) {
    return (struct newton_problem){
        .size = crowd_bt_size(model),
        .context = model,
        .value = value_at,
        .gradient = gradient_at,
        .hessian_times = hessian_times,
        .diagonal = diagonal_at,
    };
}

void crowd_bt_start(const struct crowd_bt *model, double *out_x) {
    memset(out_x, 0, (size_t)crowd_bt_size(model) * sizeof *out_x);
    for (int64_t a = 0; a < model->annotator_count; a++) {
        out_x[odds_start(model) + a] = log(model->good / model->bad);
    }
}

/* ---- expectation-maximisation ----
 *
 * With the agreements q = sigma(z + D) held, rewards and reliabilities part: the former are a
 * Bradley-Terry fit to judgements that are right with probability q, the latter are means. */

static double inner_value(void *context, const double *x) {
    struct crowd_bt *model = context;
    double value = penalty_at(model, x);
    for (int64_t n = 0; n < model->count; n++) {
        const struct judgement *j = &model->judgements[n];
        double d = difference(model, j, x), z = model->agreed[n];
        value += j->weight * (sigmoid(z) * softplus(-d) + sigmoid(-z) * softplus(d));
    }
    return value;
}

static void inner_gradient(void *context, const double *x, double *out) {
    struct crowd_bt *model = context;
    memset(out, 0, (size_t)odds_start(model) * sizeof *out);
    for (int64_t i = 0; i < model->item_count; i++) {
        out[i] = model->ridge * x[i];
    }
    for (int64_t n = 0; n < model->count; n++) {
        const struct judgement *j = &model->judgements[n];
        double p = sigmoid(difference(model, j, x));
        add_difference(model, j, j->weight * (p - sigmoid(model->agreed[n])), out);
    }
}

static void inner_times(void *context, const double *x, const double *v, double *out) {
    struct crowd_bt *model = context;
    memset(out, 0, (size_t)odds_start(model) * sizeof *out);
    for (int64_t i = 0; i < model->item_count; i++) {
        out[i] = model->ridge * v[i];
    }
    for (int64_t n = 0; n < model->count; n++) {
        const struct judgement *j = &model->judgements[n];
        double curvature = spread(difference(model, j, x));
        add_difference(model, j, j->weight * curvature * difference(model, j, v), out);
    }
}

static void inner_diagonal(void *context, const double *x, double *out) {
    struct crowd_bt *model = context;
    memset(out, 0, (size_t)odds_start(model) * sizeof *out);
    for (int64_t i = 0; i < model->item_count; i++) {
        out[i] = model->ridge;
    }
    for (int64_t n = 0; n < model->count; n++) {
        const struct judgement *j = &model->judgements[n];
        add_difference_square(model, j, j->weight * spread(difference(model, j, x)), out);
    }
}

/* Right and wrong answers are summed apart: where nearly all are right, the difference of sums
 * would lose the rest. */
static void improve_odds(struct crowd_bt *model, double *odds) {
    double *right = model->sums, *wrong = model->curvatures; /* free outside crowd_bt_profile */
    for (int64_t a = 0; a <= model->annotator_count; a++) {
        right[a] = model->good;
        wrong[a] = model->bad;
    }
    for (int64_t n = 0; n < model->count; n++) {
        const struct judgement *j = &model->judgements[n];
        right[j->annotator] += j->weight * sigmoid(model->agreed[n]);
        wrong[j->annotator] += j->weight * sigmoid(-model->agreed[n]);
    }
    for (int64_t a = 0; a < model->annotator_count; a++) {
        odds[a] = log(right[a] / wrong[a]);
    }
}

enum err_code crowd_bt_improve(struct crowd_bt *model, double *x, struct error *err) {
    for (int64_t n = 0; n < model->count; n++) {
        const struct judgement *j = &model->judgements[n];
        model->agreed[n] = odds_of(model, j, x) + difference(model, j, x);
    }
    struct newton_problem inner = {
        .size = odds_start(model),
        .context = model,
        .value = inner_value,
        .gradient = inner_gradient,
        .hessian_times = inner_times,
        .diagonal = inner_diagonal,
    };
    struct newton_result result;
    /* Near enough: the next step changes the problem. */
    struct newton_options options = {.iterations_max = 200, .gradient_tolerance = 1e-6};
    TRY(newton_minimise(&inner, &options, x, &result, err));
    improve_odds(model, x + odds_start(model));
    return ERR_OK;
}

/* ---- standard errors ---- */

/* The Hessian is [H_rr H_rz; H_zr H_zz] with H_zz diagonal, since nobody's reliability touches
 * another's: so H_rr - H_rz H_zz^-1 H_zr costs one more pass over the judgements. */
static void profile_times(void *context, const double *x, const double *v, double *out) {
    (void)x;
    struct crowd_bt *model = context;
    const double *at = model->point;
    memset(model->sums, 0, (size_t)(model->annotator_count + 1) * sizeof *model->sums);
    for (int64_t n = 0; n < model->count; n++) {
        const struct judgement *j = &model->judgements[n];
        double shared = spread(odds_of(model, j, at) + difference(model, j, at));
        model->sums[j->annotator] -= j->weight * shared * difference(model, j, v);
    }
    for (int64_t a = 0; a < model->annotator_count; a++) {
        model->sums[a] /= model->curvatures[a];
    }
    model->sums[model->annotator_count] = 0.0;
    memset(out, 0, (size_t)odds_start(model) * sizeof *out);
    for (int64_t n = 0; n < model->count; n++) {
        const struct judgement *j = &model->judgements[n];
        double d = difference(model, j, at), v_d = difference(model, j, v);
        double shared = -spread(odds_of(model, j, at) + d);
        double curvature = spread(d) * v_d + shared * (v_d - model->sums[j->annotator]);
        add_difference(model, j, j->weight * curvature, out);
    }
    for (int64_t i = 0; i < model->item_count; i++) {
        out[i] += model->ridge * v[i];
    }
}

/* Zero at the minimum, where the profile is asked. */
static void profile_gradient(void *context, const double *x, double *out) {
    (void)x;
    struct crowd_bt *model = context;
    const double *at = model->point;
    memset(out, 0, (size_t)odds_start(model) * sizeof *out);
    for (int64_t i = 0; i < model->item_count; i++) {
        out[i] = model->ridge * at[i];
    }
    for (int64_t n = 0; n < model->count; n++) {
        const struct judgement *j = &model->judgements[n];
        double d = difference(model, j, at);
        add_difference(model, j, j->weight * (sigmoid(d) - sigmoid(odds_of(model, j, at) + d)),
                       out);
    }
}

static void profile_diagonal(void *context, const double *x, double *out) {
    (void)x;
    struct crowd_bt *model = context;
    inner_diagonal(context, model->point, out);
}

enum err_code crowd_bt_profile(struct crowd_bt *model, const double *x,
                               struct newton_problem *out_problem, struct error *err) {
    const double *odds = x + odds_start(model);
    for (int64_t a = 0; a < model->annotator_count; a++) {
        model->curvatures[a] = (model->good + model->bad) * spread(odds[a]);
    }
    for (int64_t n = 0; n < model->count; n++) {
        const struct judgement *j = &model->judgements[n];
        double z = odds_of(model, j, x);
        model->curvatures[j->annotator] +=
            j->weight * (spread(z) - spread(z + difference(model, j, x)));
    }
    for (int64_t a = 0; a < model->annotator_count; a++) {
        if (!(model->curvatures[a] > 0.0)) {
            return err_set(err, ERR_DATA,
                           "the reliability of annotator %" PRId64
                           " is at no maximum: its curvature is %g",
                           a + 1, -model->curvatures[a]);
        }
    }
    model->point = x;
    *out_problem = (struct newton_problem){
        .size = odds_start(model),
        .context = model,
        .gradient = profile_gradient,
        .hessian_times = profile_times,
        .diagonal = profile_diagonal,
    };
    return ERR_OK;
}

static double covariance_at(const double *lower, int64_t row, int64_t column) {
    return row >= column ? lower[row * (row + 1) / 2 + column]
                         : lower[column * (column + 1) / 2 + row];
}

/* g' C g over the entries of g that are not zero. */
static double quadratic_form(const double *g, int64_t size, const double *covariance,
                             int64_t *places) {
    int64_t count = 0;
    for (int64_t i = 0; i < size; i++) {
        if (g[i] != 0.0) {
            places[count++] = i;
        }
    }
    double sum = 0.0;
    for (int64_t p = 0; p < count; p++) {
        for (int64_t q = 0; q < count; q++) {
            sum += g[places[p]] * g[places[q]] * covariance_at(covariance, places[p], places[q]);
        }
    }
    return sum;
}

/* By blocks of the inverse: var z = 1 / H_zz + H_zr C H_rz / H_zz^2. */
enum err_code crowd_bt_variances(struct crowd_bt *model, const double *x, const double *covariance,
                                 double *out_variances, struct error *err) {
    int64_t size = odds_start(model);
    struct newton_problem unused;
    TRY(crowd_bt_profile(model, x, &unused, err));
    SCOPED(mem) double *cross = mem_array((size_t)size, sizeof *cross);
    SCOPED(mem) int64_t *places = mem_array((size_t)size, sizeof *places);
    SCOPED(mem) int64_t *order = mem_array((size_t)model->count + 1, sizeof *order);
    SCOPED(mem) int64_t *ends = mem_array_zero((size_t)model->annotator_count + 2, sizeof *ends);
    if (!cross || !places || !order || !ends) {
        return err_oom(err, "variances of reliabilities");
    }
    for (int64_t n = 0; n < model->count; n++) { /* judgements by annotator: a counting sort */
        ends[model->judgements[n].annotator + 1]++;
    }
    for (int64_t a = 0; a <= model->annotator_count; a++) {
        ends[a + 1] += ends[a];
    }
    for (int64_t n = 0; n < model->count; n++) {
        order[ends[model->judgements[n].annotator]++] = n;
    }
    int64_t begin = 0;
    for (int64_t a = 0; a < model->annotator_count; begin = ends[a++]) {
        memset(cross, 0, (size_t)size * sizeof *cross);
        for (int64_t n = begin; n < ends[a]; n++) {
            const struct judgement *j = &model->judgements[order[n]];
            double shared = spread(odds_of(model, j, x) + difference(model, j, x));
            add_difference(model, j, -j->weight * shared, cross);
        }
        double curvature = model->curvatures[a];
        out_variances[a] = 1.0 / curvature + quadratic_form(cross, size, covariance, places) /
                                                 (curvature * curvature);
    }
    return ERR_OK;
}
