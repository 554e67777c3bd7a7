/* newton.h - minimises a smooth convex function of many variables: Newton's method, its steps by
 * preconditioned conjugate gradients, its length by line search.
 *
 * Use:      struct newton_problem problem = {.size = n, .context = &likelihood, .value = value_at,
 *               .gradient = gradient_at, .hessian_times = hessian_times, .diagonal = diagonal_at};
 *           TRY(newton_minimise(&problem, &NEWTON_OPTIONS_DEFAULT, x, &result, err));
 * Method:   truncated Newton (Nocedal and Wright, Numerical Optimization, 2nd ed., algorithm 7.1)
 *           with a Jacobi preconditioner; steps are halved until f falls enough (Armijo) and does
 *           not rise steeply where they end, and are at most as long as x so far, or 8. Directions
 *           of zero curvature, as the constant shift of rewards, carry no gradient and so change
 *           nothing: the minimum is one of many then, and the caller's to normalise. Where f is too
 *           flat for its values to be compared in double precision, a step is judged by the
 *           gradient alone.
 * Needs:    no n x n array.
 * Stops:    at a signal (base/interrupt.h) with ERR_INTERRUPTED.
 * Threads:  no state of its own.
 */
#ifndef REWARD_NEWTON_H
#define REWARD_NEWTON_H

#include "base/error.h"

#include <stdint.h>

struct newton_problem {
    int64_t size;
    void *context;
    /* f(x); +infinity outside the domain. */
    double (*value)(void *context, const double *x);
    /* df/dx at x, which the functions below are then asked at. */
    void (*gradient)(void *context, const double *x, double *out_gradient);
    void (*hessian_times)(void *context, const double *x, const double *v, double *out);
    void (*diagonal)(void *context, const double *x, double *out); /* of the Hessian, >= 0 */
    /* The Hessian's lower triangle by rows, [n (n + 1) / 2]; NULL: made of products when needed. */
    void (*dense)(void *context, const double *x, double *out);
};

struct newton_options {
    int64_t iterations_max;
    double gradient_tolerance; /* on each |df/dx|, relative to d2f/dx2 there: in units of x */
};

#define NEWTON_OPTIONS_DEFAULT \
    ((struct newton_options){.iterations_max = 200, .gradient_tolerance = 1e-12})

struct newton_result {
    double value;
    double gradient_max; /* largest |df/dx| at the end */
    int64_t iterations;
    int64_t products; /* Hessian-vector products */
};

/* `x` [size] is the start, and the minimum when it returns ERR_OK. Also done when no step can make
 * f, or where that is too flat its gradient, smaller in double precision.
 *   fails  ERR_LIMIT after iterations_max steps, saying how far it came; ERR_DATA where f or its
 *          derivatives are not finite; ERR_INTERRUPTED; ERR_OOM */
ERR_NODISCARD enum err_code newton_minimise(const struct newton_problem *problem,
                                            const struct newton_options *options, double *x,
                                            struct newton_result *out_result, struct error *err);

/* Solves H s = b for the Hessian at x, for which `gradient` was called last, by conjugate gradients
 * until the preconditioned residual is `tolerance` of what it was. Of a singular H, `b` must have
 * no part in the directions of zero curvature; the solution has an arbitrary one.
 *   fails  ERR_LIMIT without convergence; ERR_INTERRUPTED; ERR_OOM */
ERR_NODISCARD enum err_code newton_solve(const struct newton_problem *problem, const double *x,
                                         const double *b, double tolerance, double *out_solution,
                                         struct error *err);

#endif
