/* tabular_minimise.c - see tabular_minimise.h. */
#include "reward/tabular_minimise.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "reward/tabular_models.h"

#include <math.h>
#include <string.h>

/* Precision of the weak prior, against the mean curvature of a variable at the start. An optimum r
 * with covariance C moves by 1e-7 C r: less than 0.01 nats unless r was hardly determined; one at
 * infinity, which rounding has stopped at 40 nats or more, comes back to about ln 1e7 = 16. */
#define WEAK_RIDGE 1e-7
#define MOVED_MAX  1.0 /* nats */

/* ---- the problem under a weak prior ---- */

struct weakened {
    const struct newton_problem *problem;
    int64_t loose; /* variables that get the prior */
    double ridge;
};

static double weakened_value(void *context, const double *x) {
    const struct weakened *w = context;
    double squares = 0.0;
    for (int64_t i = 0; i < w->loose; i++) {
        squares += x[i] * x[i];
    }
    return w->problem->value(w->problem->context, x) + 0.5 * w->ridge * squares;
}

static void add_ridge(const struct weakened *w, const double *v, double *out) {
    for (int64_t i = 0; i < w->loose; i++) {
        out[i] += w->ridge * v[i];
    }
}

static void weakened_gradient(void *context, const double *x, double *out) {
    const struct weakened *w = context;
    w->problem->gradient(w->problem->context, x, out);
    add_ridge(w, x, out);
}

static void weakened_times(void *context, const double *x, const double *v, double *out) {
    const struct weakened *w = context;
    w->problem->hessian_times(w->problem->context, x, v, out);
    add_ridge(w, v, out);
}

static void weakened_diagonal(void *context, const double *x, double *out) {
    const struct weakened *w = context;
    w->problem->diagonal(w->problem->context, x, out);
    for (int64_t i = 0; i < w->loose; i++) {
        out[i] += w->ridge;
    }
}

static double mean_diagonal(const struct newton_problem *problem, int64_t count, const double *x,
                            double *work) {
    double sum = 0.0;
    problem->gradient(problem->context, x, work);
    problem->diagonal(problem->context, x, work);
    for (int64_t i = 0; i < count; i++) {
        sum += work[i];
    }
    return count > 0 ? sum / (double)count : 0.0;
}

static int64_t find_runaway(const double *before, const double *after, int64_t item_count,
                            int64_t size) {
    for (int64_t i = item_count; i < size; i++) {
        if (fabs(after[i] - before[i]) > MOVED_MAX) {
            return i;
        }
    }
    double moved_max = MOVED_MAX;
    int64_t furthest = -1;
    for (int64_t i = 0; i < item_count; i++) {
        double moved = fabs(after[i] - before[i]);
        if (moved > moved_max) {
            moved_max = moved;
            furthest = i;
        }
    }
    return furthest;
}

/* Leaves in `io_near` [size], which begins as x, where the optimum lies under the weak prior. */
static enum err_code weaken(const struct newton_problem *problem,
                            const struct tabular_search *search, double curvature, double *io_near,
                            struct error *err) {
    struct weakened weakened = {problem, search->loose, WEAK_RIDGE * curvature};
    const struct newton_problem weak = {
        .size = problem->size,
        .context = &weakened,
        .value = weakened_value,
        .gradient = weakened_gradient,
        .hessian_times = weakened_times,
        .diagonal = weakened_diagonal,
    };
    struct newton_options options = NEWTON_OPTIONS_DEFAULT;
    options.iterations_max = search->iterations_max;
    options.gradient_tolerance = 1e-6; /* enough to tell 16 nats from 40 */
    struct newton_result ignored;
    struct error limit = ERROR_INIT;
    enum err_code code = newton_minimise(&weak, &options, io_near, &ignored, &limit);
    if (code == ERR_OOM || code == ERR_INTERRUPTED) {
        *err = limit;
        return code;
    }
    return ERR_OK; /* wherever it is, it has moved or not */
}

enum err_code tabular_minimise(const struct comparison_set *set,
                               const struct newton_problem *problem,
                               const struct tabular_search *search, double *x,
                               struct tabular_minimum *out, struct error *err) {
    SCOPED(mem) double *near = mem_array((size_t)problem->size, sizeof *near);
    if (!near) {
        return err_oom(err, "rewards");
    }
    double curvature =
        mean_diagonal(problem, search->loose, x, near); /* at the start, not far off */
    struct newton_options options = NEWTON_OPTIONS_DEFAULT;
    options.iterations_max = search->iterations_max;
    struct newton_result result = {.iterations = 0};
    struct error limit = ERROR_INIT;
    enum err_code code = newton_minimise(problem, &options, x, &result, &limit);
    if (code != ERR_OK && code != ERR_LIMIT) {
        *err = limit;
        return code;
    }
    tabular_centre(set, x);
    memcpy(near, x, (size_t)problem->size * sizeof *near);
    TRY(weaken(problem, search, curvature, near, err));
    tabular_centre(set, near);
    int64_t runaway = find_runaway(x, near, set->item_count, search->loose);
    if (code != ERR_OK && runaway < 0) {
        *err = limit;
        return code;
    }
    *out = (struct tabular_minimum){result.iterations, result.gradient_max, runaway};
    return ERR_OK;
}
