/* newton.c - see newton.h. */
#include "reward/newton.h"

#include "base/interrupt.h"
#include "base/mem.h"
#include "base/scoped.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* Legend: n variables; g gradient, s step, d search direction, r residual, z preconditioned
 * residual, w the Hessian times d. */

#define ARMIJO_SLOPE    1e-4 /* Nocedal and Wright, p. 33 */
#define OVERSHOOT_SLOPE 0.5
#define BACKTRACKS_MAX  40
#define FORCING_MAX     0.1
#define FORCING_MIN     1e-6
#define VALUE_ROUNDING  1e-12 /* of f: sums of up to millions of terms */
#define LEVEL_ROUNDING  1e-9  /* how much a step judged by the gradient may raise f */
#define REACH_MIN       8.0   /* of one step; with |x| added it at least doubles every time */
#define SETTLED_STEP    1e-5  /* a step above it was no quadratically converging one */
#define STALLS_MAX      3
/* A direction whose curvature, against that of its variables alone, is below this has none: what it
 * would follow is rounding. Of a chain of n items the least true one is about 1 / n^2. */
#define CURVATURE_ROUNDING    1e-14
#define PRODUCTS_PER_VARIABLE 20

struct workspace {
    double *block; /* owned; all arrays below point into it */
    double *g, *g_trial, *s, *d, *r, *z, *w, *trial, *diagonal;
    int64_t products;
};

#define WORKSPACE_ARRAYS 9

static enum err_code workspace_init(struct workspace *ws, int64_t size, struct error *err) {
    size_t n = (size_t)size;
    ws->block = mem_array_zero(n + 1, WORKSPACE_ARRAYS * sizeof(double));
    if (!ws->block) {
        return err_oom(err, "arrays of Newton's method");
    }
    double **const arrays[WORKSPACE_ARRAYS] = {
        &ws->g, &ws->g_trial, &ws->s, &ws->d, &ws->r, &ws->z, &ws->w, &ws->trial, &ws->diagonal};
    for (size_t k = 0; k < WORKSPACE_ARRAYS; k++) {
        *arrays[k] = ws->block + k * n;
    }
    return ERR_OK;
}

static inline void workspace_scoped_end(struct workspace *ws) {
    mem_free(ws->block);
}

static double dot(const double *a, const double *b, int64_t n) {
    double sum = 0.0;
    for (int64_t k = 0; k < n; k++) {
        sum += a[k] * b[k];
    }
    return sum;
}

static double max_abs(const double *a, int64_t n) {
    double max = 0.0;
    for (int64_t k = 0; k < n; k++) {
        if (!(fabs(a[k]) <= max)) { /* keeps what is not a number */
            max = fabs(a[k]);
        }
    }
    return max;
}

/* z = r / diagonal, where that is positive; returns r . z. */
static double precondition(const struct workspace *ws, int64_t n) {
    double sum = 0.0;
    for (int64_t k = 0; k < n; k++) {
        ws->z[k] = ws->diagonal[k] > 0.0 ? ws->r[k] / ws->diagonal[k] : ws->r[k];
        sum += ws->r[k] * ws->z[k];
    }
    return sum;
}

/* d . (diagonal d) */
static double size_by_diagonal(const struct workspace *ws, int64_t n) {
    double sum = 0.0;
    for (int64_t k = 0; k < n; k++) {
        sum += ws->diagonal[k] > 0.0 ? ws->diagonal[k] * ws->d[k] * ws->d[k] : 0.0;
    }
    return sum;
}

static enum err_code check_interrupt(struct error *err) {
    if (interrupt_requested()) {
        return err_set(err, ERR_INTERRUPTED, "interrupted while fitting");
    }
    return ERR_OK;
}

/* Solves H s = b from zero, with b given in ws->r; the solution is left in ws->s. Stops early where
 * the curvature along a direction is not positive: what it has then is still a descent direction,
 * and all there is to find where H is singular. `*out_reached` says whether it came below the
 * tolerance. */
static enum err_code solve(const struct newton_problem *problem, const double *x,
                           struct workspace *ws, double tolerance, bool *out_reached,
                           struct error *err) {
    int64_t n = problem->size;
    memset(ws->s, 0, (size_t)n * sizeof *ws->s);
    double rz = precondition(ws, n);
    memcpy(ws->d, ws->z, (size_t)n * sizeof *ws->d);
    double target = tolerance * tolerance * rz;
    *out_reached = rz <= 0.0;
    int64_t products_max = PRODUCTS_PER_VARIABLE * n + 100;
    for (int64_t product = 0; product < products_max && !*out_reached; product++) {
        TRY(check_interrupt(err));
        problem->hessian_times(problem->context, x, ws->d, ws->w);
        ws->products++;
        double curvature = dot(ws->d, ws->w, n);
        if (!(curvature > CURVATURE_ROUNDING * size_by_diagonal(ws, n))) {
            if (product == 0) {
                memcpy(ws->s, ws->z, (size_t)n * sizeof *ws->s);
            }
            return ERR_OK;
        }
        double length = rz / curvature;
        for (int64_t k = 0; k < n; k++) {
            ws->s[k] += length * ws->d[k];
            ws->r[k] -= length * ws->w[k];
        }
        double rz_next = precondition(ws, n);
        *out_reached = rz_next <= target;
        double beta = rz_next / rz;
        rz = rz_next;
        for (int64_t k = 0; k < n; k++) {
            ws->d[k] = ws->z[k] + beta * ws->d[k];
        }
    }
    return ERR_OK;
}

enum err_code newton_solve(const struct newton_problem *problem, const double *x, const double *b,
                           double tolerance, double *out_solution, struct error *err) {
    SCOPED(workspace) struct workspace ws = {.block = NULL};
    TRY(workspace_init(&ws, problem->size, err));
    problem->diagonal(problem->context, x, ws.diagonal);
    memcpy(ws.r, b, (size_t)problem->size * sizeof *b);
    bool reached = false;
    TRY(solve(problem, x, &ws, tolerance, &reached, err));
    if (!reached) {
        return err_set(err, ERR_LIMIT, "conjugate gradients: no solution to %g after %lld products",
                       tolerance, (long long)ws.products);
    }
    memcpy(out_solution, ws.s, (size_t)problem->size * sizeof *out_solution);
    return ERR_OK;
}

/* Largest |df/dx| / (d2f/dx2): about how far each variable is from where it would settle alone. */
static double scaled_gradient(const double *g, const double *diagonal, int64_t n) {
    double max = 0.0;
    for (int64_t k = 0; k < n; k++) {
        double scaled = diagonal[k] > 0.0 ? fabs(g[k]) / diagonal[k] : fabs(g[k]);
        if (!(scaled <= max)) {
            max = scaled;
        }
    }
    return max;
}

/* Where the method is. The problem's derivatives were asked for at x, but for a moment in a step.
 */
struct state {
    double *x;
    double value;
    double scaled;    /* scaled gradient */
    double last_step; /* largest change of a variable that the last step proposed; 0 at the start */
    int64_t stalls;   /* flat steps in a row that did not halve the gradient */
    bool done;
};

static void look_at(const struct newton_problem *problem, struct workspace *ws, double length,
                    const double *x) {
    for (int64_t k = 0; k < problem->size; k++) {
        ws->trial[k] = x[k] + length * ws->s[k];
    }
}

/* To ws->trial, whose gradient is in ws->g_trial. */
static void move(const struct newton_problem *problem, struct workspace *ws, double value,
                 struct state *state) {
    memcpy(state->x, ws->trial, (size_t)problem->size * sizeof *state->x);
    double *left = ws->g;
    ws->g = ws->g_trial;
    ws->g_trial = left;
    problem->diagonal(problem->context, state->x, ws->diagonal);
    state->value = value;
    state->scaled = scaled_gradient(ws->g, ws->diagonal, problem->size);
}

/* Halves the step until f falls enough, and does not rise steeply there: far out, where likelihoods
 * are straight lines, a step may overshoot the valley by any factor and still end lower. `slope` is
 * g . s < 0. False, and nothing moved, where no length does. */
static bool step_along(const struct newton_problem *problem, struct workspace *ws, double slope,
                       struct state *state) {
    for (int halvings = 0; halvings < BACKTRACKS_MAX; halvings++) {
        double length = ldexp(1.0, -halvings);
        look_at(problem, ws, length, state->x);
        double value = problem->value(problem->context, ws->trial);
        if (!(value < state->value) || value > state->value + ARMIJO_SLOPE * length * slope) {
            continue;
        }
        problem->gradient(problem->context, ws->trial, ws->g_trial);
        if (dot(ws->g_trial, ws->s, problem->size) <= OVERSHOOT_SLOPE * -slope) {
            move(problem, ws, value, state);
            return true;
        }
    }
    return false;
}

/* Holds each variable of the step to `reach`, or the whole step in proportion where it would not
 * descend any more. A variable whose outcomes are all but certain has next to no curvature, and
 * would be sent off to 1e14; brought nearer it has some. Returns g . s. */
static double shorten(struct workspace *ws, double reach, int64_t n) {
    double longest = max_abs(ws->s, n);
    double slope = dot(ws->g, ws->s, n);
    if (!(longest > reach)) {
        return slope;
    }
    double held_slope = 0.0;
    for (int64_t k = 0; k < n; k++) {
        held_slope += ws->g[k] * fmax(-reach, fmin(reach, ws->s[k]));
    }
    for (int64_t k = 0; k < n; k++) {
        ws->s[k] =
            held_slope < 0.0 ? fmax(-reach, fmin(reach, ws->s[k])) : ws->s[k] * (reach / longest);
    }
    return held_slope < 0.0 ? held_slope : slope * (reach / longest);
}

/* A full step where f is too flat to be compared. Kept only if the gradient falls. */
static void step_flat(const struct newton_problem *problem, struct workspace *ws,
                      struct state *state) {
    look_at(problem, ws, 1.0, state->x);
    double value = problem->value(problem->context, ws->trial);
    double before = state->scaled;
    double scaled = (double)INFINITY;
    if (isfinite(value)) {
        problem->gradient(problem->context, ws->trial, ws->g_trial);
        problem->diagonal(problem->context, ws->trial, ws->w);
        scaled = scaled_gradient(ws->g_trial, ws->w, problem->size);
    }
    bool is_level = value <= state->value + LEVEL_ROUNDING * (1.0 + fabs(state->value));
    bool is_better = is_level && scaled < before;
    state->stalls = scaled < 0.5 * before ? 0 : state->stalls + 1;
    if (is_better) {
        move(problem, ws, value, state);
    }
    state->done = !is_better || state->stalls >= STALLS_MAX;
}

/* One step from x, whose gradient and diagonal are in `ws`. */
static enum err_code step(const struct newton_problem *problem, struct workspace *ws,
                          struct state *state, struct error *err) {
    int64_t n = problem->size;
    for (int64_t k = 0; k < n; k++) {
        ws->r[k] = -ws->g[k];
    }
    double forcing = fmin(FORCING_MAX, fmax(FORCING_MIN, state->scaled));
    bool reached = false;
    TRY(solve(problem, state->x, ws, forcing, &reached, err));
    double slope = shorten(ws, REACH_MIN + max_abs(state->x, n), n);
    if (!isfinite(slope)) {
        return err_set(err, ERR_DATA, "the curvature is not finite");
    }
    state->last_step = max_abs(ws->s, n);
    bool is_flat = -slope <= VALUE_ROUNDING * (1.0 + fabs(state->value));
    if (is_flat || !step_along(problem, ws, slope, state)) {
        step_flat(problem, ws, state);
    }
    return ERR_OK;
}

static enum err_code check_finite(double value, const char *what, struct error *err) {
    return isfinite(value) ? ERR_OK : err_set(err, ERR_DATA, "the %s is not finite", what);
}

/* Whether it is where it should be. After a long step a small gradient may only say that f is flat
 * there. */
static bool is_settled(const struct newton_options *options, const struct state *state, int64_t n) {
    return state->done || (state->scaled <= options->gradient_tolerance &&
                           state->last_step <= SETTLED_STEP * (1.0 + max_abs(state->x, n)));
}

enum err_code newton_minimise(const struct newton_problem *problem,
                              const struct newton_options *options, double *x,
                              struct newton_result *out_result, struct error *err) {
    SCOPED(workspace) struct workspace ws = {.block = NULL};
    TRY(workspace_init(&ws, problem->size, err));
    int64_t iterations = 0;
    struct state state = {.x = x, .value = problem->value(problem->context, x)};
    TRY(check_finite(state.value, "likelihood at the start", err));
    problem->gradient(problem->context, x, ws.g);
    problem->diagonal(problem->context, x, ws.diagonal);
    state.scaled = scaled_gradient(ws.g, ws.diagonal, problem->size);
    TRY(check_finite(state.scaled, "gradient at the start", err));
    while (!is_settled(options, &state, problem->size)) {
        TRY(check_interrupt(err));
        if (iterations == options->iterations_max) {
            return err_set(err, ERR_LIMIT,
                           "no convergence in %lld iterations: a reward would still move by about "
                           "%.2g nats; allow more iterations",
                           (long long)iterations, state.scaled);
        }
        TRY(step(problem, &ws, &state, err));
        TRY(check_finite(state.scaled, "gradient", err));
        iterations++;
    }
    problem->gradient(problem->context, x,
                      ws.g); /* the last one may have been at a step not taken */
    *out_result = (struct newton_result){.value = state.value,
                                         .gradient_max = max_abs(ws.g, problem->size),
                                         .iterations = iterations,
                                         .products = ws.products};
    return ERR_OK;
}
