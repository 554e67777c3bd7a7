/* pair_null.c - see pair_null.h. */
#include "reward/pair_null.h"

#include "base/special.h"
#include "reward/newton.h"
#include "reward/pair_outcome.h"

#include <string.h>

/* Equal items: all that differs is whether the first one shown is known. */
struct null_model {
    enum tabular_model model;
    bool has_position;
    struct pair_outcome known;   /* win: of the item shown first */
    struct pair_outcome unknown; /* of either, in equal parts */
    double hessian[2][2];        /* at the last gradient */
};

static double position_of(const struct null_model *null, const double *x) {
    return null->has_position ? x[0] : 0.0;
}

static double tie_of(const struct null_model *null, const double *x) {
    return pair_has_ties(null->model) ? x[null->has_position ? 1 : 0] : 0.0;
}

static double value_at(void *context, const double *x) {
    const struct null_model *null = context;
    double tie = tie_of(null, x);
    return pair_value_of(null->model, position_of(null, x), tie, null->known) +
           pair_value_of(null->model, 0.0, tie, null->unknown);
}

static void gradient_at(void *context, const double *x, double *out) {
    struct null_model *null = context;
    double tie = tie_of(null, x);
    struct pair_terms known = pair_terms_of(null->model, position_of(null, x), tie, null->known);
    struct pair_terms unknown = pair_terms_of(null->model, 0.0, tie, null->unknown);
    int64_t k = 0;
    if (null->has_position) {
        out[k] = known.d;
        null->hessian[k][k] = known.dd;
        k++;
    }
    if (pair_has_ties(null->model)) {
        out[k] = known.e + unknown.e;
        null->hessian[k][k] = known.ee + unknown.ee;
        if (k > 0) {
            null->hessian[0][1] = null->hessian[1][0] = known.de;
        }
    }
}

static int64_t size_of(const struct null_model *null) {
    return (null->has_position ? 1 : 0) + (pair_has_ties(null->model) ? 1 : 0);
}

static void hessian_times(void *context, const double *x, const double *v, double *out) {
    const struct null_model *null = context;
    (void)x;
    for (int64_t i = 0; i < size_of(null); i++) {
        out[i] = 0.0;
        for (int64_t j = 0; j < size_of(null); j++) {
            out[i] += null->hessian[i][j] * v[j];
        }
    }
}

static void diagonal_at(void *context, const double *x, double *out) {
    const struct null_model *null = context;
    (void)x;
    for (int64_t i = 0; i < size_of(null); i++) {
        out[i] = null->hessian[i][i];
    }
}

static void sum_table(const struct pair_table *table, struct null_model *null) {
    for (int64_t c = 0; c < table->count; c++) {
        if (null->has_position && table->sides[c] != 0) {
            bool is_first = table->sides[c] > 0;
            null->known.win += is_first ? table->wins[c] : table->losses[c];
            null->known.loss += is_first ? table->losses[c] : table->wins[c];
            null->known.tie += table->ties[c];
        } else {
            double half = 0.5 * (table->wins[c] + table->losses[c]);
            null->unknown.win += half;
            null->unknown.loss += half;
            null->unknown.tie += table->ties[c];
        }
    }
}

enum err_code pair_null_log_likelihood(const struct pair_table *table,
                                       const struct tabular_options *options,
                                       double *out_log_likelihood, struct error *err) {
    struct null_model null = {.model = options->model, .has_position = options->position_effect};
    sum_table(table, &null);
    struct newton_problem problem = {.size = size_of(&null),
                                     .context = &null,
                                     .value = value_at,
                                     .gradient = gradient_at,
                                     .hessian_times = hessian_times,
                                     .diagonal = diagonal_at};
    double x[2] = {0.0, 0.0};
    x[null.has_position ? 1 : 0] = options->model == TABULAR_RAO_KUPPER ? 1.0 : 0.0;
    struct newton_result result = {.value = value_at(&null, x)};
    if (problem.size > 0) {
        TRY(newton_minimise(&problem, &NEWTON_OPTIONS_DEFAULT, x, &result, err));
    }
    *out_log_likelihood = -result.value;
    return ERR_OK;
}

/* log n and log n! of small numbers, which most cells hold. */
#define SMALL 256

struct small_logs {
    double of[SMALL]; /* [0] is not used */
    double factorial[SMALL];
};

static void fill_small(struct small_logs *logs) {
    logs->of[0] = 0.0;
    logs->factorial[0] = 0.0;
    for (int n = 1; n < SMALL; n++) {
        logs->of[n] = log(n);
        logs->factorial[n] = logs->factorial[n - 1] + logs->of[n];
    }
}

static bool is_whole(double w) {
    return w == floor(w);
}

static bool is_small(double w) {
    return w < SMALL && is_whole(w);
}

static double log_of(const struct small_logs *logs, double w) {
    return is_small(w) ? logs->of[(int)w] : log(w);
}

static double log_factorial_of(const struct small_logs *logs, double w) {
    return is_small(w) ? logs->factorial[(int)w] : special_log_gamma(w + 1.0);
}

/* w log(w / n), 0 for w = 0. */
static double share_log(const struct small_logs *logs, double w, double log_n) {
    return w > 0.0 ? w * (log_of(logs, w) - log_n) : 0.0;
}

double pair_saturated_log_likelihood(const struct pair_table *table) {
    struct small_logs logs;
    fill_small(&logs);
    double sum = 0.0;
    for (int64_t c = 0; c < table->count; c++) {
        double log_n = log_of(&logs, table->wins[c] + table->losses[c] + table->ties[c]);
        sum += share_log(&logs, table->wins[c], log_n) + share_log(&logs, table->losses[c], log_n) +
               share_log(&logs, table->ties[c], log_n);
    }
    return sum;
}

double pair_orders_log(const struct pair_table *table) {
    struct small_logs logs;
    fill_small(&logs);
    double sum = 0.0;
    for (int64_t c = 0; c < table->count; c++) {
        double wins = table->wins[c], losses = table->losses[c], ties = table->ties[c];
        if (!is_whole(wins) || !is_whole(losses) || !is_whole(ties)) {
            return (double)NAN;
        }
        sum += log_factorial_of(&logs, wins + losses + ties) - log_factorial_of(&logs, wins) -
               log_factorial_of(&logs, losses) - log_factorial_of(&logs, ties);
    }
    return sum;
}
