#include "reward/newton.h"

#include "base/mem.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/near.h"
#include "tests/support/test.h"

#include <math.h>

/* f = 1/2 x' A x - b' x with A = (4 1; 1 3), b = (1, 2): x = (1/11, 7/11), f = -15/22. */
static double square_value(void *context, const double *x) {
    (void)context;
    return 0.5 * (4.0 * x[0] * x[0] + 2.0 * x[0] * x[1] + 3.0 * x[1] * x[1]) - x[0] - 2.0 * x[1];
}

static void square_gradient(void *context, const double *x, double *out) {
    (void)context;
    out[0] = 4.0 * x[0] + x[1] - 1.0;
    out[1] = x[0] + 3.0 * x[1] - 2.0;
}

static void square_times(void *context, const double *x, const double *v, double *out) {
    (void)context;
    (void)x;
    out[0] = 4.0 * v[0] + v[1];
    out[1] = v[0] + 3.0 * v[1];
}

static void square_diagonal(void *context, const double *x, double *out) {
    (void)context;
    (void)x;
    out[0] = 4.0;
    out[1] = 3.0;
}

static const struct newton_problem square = {.size = 2,
                                             .value = square_value,
                                             .gradient = square_gradient,
                                             .hessian_times = square_times,
                                             .diagonal = square_diagonal};

static void test_newton__quadratic_in_one_full_solution(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct newton_result result;
    double x[2] = {100.0, -50.0};
    assert_ok(newton_minimise(&square, &NEWTON_OPTIONS_DEFAULT, x, &result, &err), &err);
    assert_near(x[0], 1.0 / 11.0, 1e-15);
    assert_near(x[1], 7.0 / 11.0, 1e-15);
    assert_near(result.value, -15.0 / 22.0, 1e-15);
    assert_true(result.gradient_max < 1e-12);
}

static void test_newton_solve__two_equations(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    double x[2] = {0.0, 0.0}, b[2] = {1.0, 2.0}, solution[2];
    assert_ok(newton_solve(&square, x, b, 1e-14, solution, &err), &err);
    assert_near(solution[0], 1.0 / 11.0, 1e-15);
    assert_near(solution[1], 7.0 / 11.0, 1e-15);
    assert_near(b[0], 1.0, 0.0); /* is not changed */
}

/* f = x^2 / (1 + ...) is not needed: -log x - log(1 - x) + 5 x on (0, 1), +infinity outside. Its
 * minimum solves 5 x^2 - 7 x + 1 = 0: x = (7 - sqrt(29)) / 10. */
static double barrier_value(void *context, const double *x) {
    int64_t *outside = context;
    if (x[0] <= 0.0 || x[0] >= 1.0) {
        ++*outside;
        return (double)INFINITY;
    }
    return -log(x[0]) - log(1.0 - x[0]) + 5.0 * x[0];
}

static void barrier_gradient(void *context, const double *x, double *out) {
    (void)context;
    out[0] = -1.0 / x[0] + 1.0 / (1.0 - x[0]) + 5.0;
}

static void barrier_diagonal(void *context, const double *x, double *out) {
    (void)context;
    out[0] = 1.0 / (x[0] * x[0]) + 1.0 / ((1.0 - x[0]) * (1.0 - x[0]));
}

static void barrier_times(void *context, const double *x, const double *v, double *out) {
    barrier_diagonal(context, x, out);
    out[0] *= v[0];
}

static void test_newton__stays_inside_of_the_domain(void **state) {
    (void)state;
    int64_t outside = 0;
    struct newton_problem barrier = {.size = 1,
                                     .context = &outside,
                                     .value = barrier_value,
                                     .gradient = barrier_gradient,
                                     .hessian_times = barrier_times,
                                     .diagonal = barrier_diagonal};
    struct error err = ERROR_INIT;
    struct newton_result result;
    double x[1] = {1.0 - 1e-9};
    assert_ok(newton_minimise(&barrier, &NEWTON_OPTIONS_DEFAULT, x, &result, &err), &err);
    assert_near(x[0], (7.0 - sqrt(29.0)) / 10.0, 1e-14);
    x[0] = 2.0;
    assert_fails(newton_minimise(&barrier, &NEWTON_OPTIONS_DEFAULT, x, &result, &err), ERR_DATA,
                 "likelihood at the start is not finite", &err);
    assert_true(outside > 0);
}

/* sum over neighbours of a ring of (x_i - x_j - d_i)^2: any constant may be added to x. What CG
 * meets of that direction is rounding, and must not be followed. */
#define RING 200

static double ring_value(void *context, const double *x) {
    const double *d = context;
    double sum = 0.0;
    for (int i = 0; i < RING; i++) {
        double off = x[i] - x[(i + 1) % RING] - d[i];
        sum += off * off;
    }
    return sum;
}

static void ring_gradient(void *context, const double *x, double *out) {
    const double *d = context;
    memset(out, 0, RING * sizeof *out);
    for (int i = 0; i < RING; i++) {
        double off = 2.0 * (x[i] - x[(i + 1) % RING] - d[i]);
        out[i] += off;
        out[(i + 1) % RING] -= off;
    }
}

static void ring_times(void *context, const double *x, const double *v, double *out) {
    static const double zeros[RING];
    (void)context;
    (void)x;
    double copy[RING];
    memcpy(copy, zeros, sizeof copy);
    ring_gradient(copy, v, out);
}

static void ring_diagonal(void *context, const double *x, double *out) {
    (void)context;
    (void)x;
    for (int i = 0; i < RING; i++) {
        out[i] = 4.0;
    }
}

static void test_newton__constant_shift_is_not_followed(void **state) {
    (void)state;
    double d[RING], x[RING];
    for (int i = 0; i < RING; i++) {
        d[i] = sin(3.0 * i) * 1e3;
        x[i] = 0.1 * i;
    }
    struct newton_problem ring = {.size = RING,
                                  .context = d,
                                  .value = ring_value,
                                  .gradient = ring_gradient,
                                  .hessian_times = ring_times,
                                  .diagonal = ring_diagonal};
    struct error err = ERROR_INIT;
    struct newton_result result;
    assert_ok(newton_minimise(&ring, &NEWTON_OPTIONS_DEFAULT, x, &result, &err), &err);
    assert_true(result.iterations < 20);
    /* the differences share what the d do not sum to 0 by */
    double sum = 0.0;
    for (int i = 0; i < RING; i++) {
        sum += d[i];
    }
    for (int i = 0; i < RING; i++) {
        assert_near(x[i] - x[(i + 1) % RING], d[i] - sum / RING, 1e-7);
        assert_true(fabs(x[i]) < 1e6);
    }
}

/* log(1 + e^-x) has no minimum: it is told, or the value is as flat as doubles go. */
static double flat_value(void *context, const double *x) {
    (void)context;
    return log1p(exp(-x[0]));
}

static void flat_gradient(void *context, const double *x, double *out) {
    (void)context;
    out[0] = -1.0 / (1.0 + exp(x[0]));
}

static void flat_diagonal(void *context, const double *x, double *out) {
    (void)context;
    double p = 1.0 / (1.0 + exp(x[0]));
    out[0] = p * (1.0 - p);
}

static void flat_times(void *context, const double *x, const double *v, double *out) {
    flat_diagonal(context, x, out);
    out[0] *= v[0];
}

static void test_newton__says_how_far_it_came(void **state) {
    (void)state;
    struct newton_problem flat = {.size = 1,
                                  .value = flat_value,
                                  .gradient = flat_gradient,
                                  .hessian_times = flat_times,
                                  .diagonal = flat_diagonal};
    struct newton_options options = NEWTON_OPTIONS_DEFAULT;
    options.iterations_max = 5;
    struct error err = ERROR_INIT;
    struct newton_result result = {.iterations = -7};
    double x[1] = {0.0};
    assert_fails(newton_minimise(&flat, &options, x, &result, &err), ERR_LIMIT,
                 "no convergence in 5 iterations", &err);
    assert_int_equal(result.iterations, -7);
}

/* 4 log(1 + e^x) - 3 x has its minimum at log 3. From 60, where the curvature is 1e-26, and from
 * -700, where it is nothing, a plain step would go to the other end of the numbers. */
static double far_value(void *context, const double *x) {
    (void)context;
    return 4.0 * (fmax(x[0], 0.0) + log1p(exp(-fabs(x[0])))) - 3.0 * x[0];
}

static void far_gradient(void *context, const double *x, double *out) {
    (void)context;
    out[0] = 4.0 / (1.0 + exp(-x[0])) - 3.0;
}

static void far_diagonal(void *context, const double *x, double *out) {
    (void)context;
    double p = 1.0 / (1.0 + exp(-x[0]));
    out[0] = 4.0 * p / (1.0 + exp(x[0]));
}

static void far_times(void *context, const double *x, const double *v, double *out) {
    far_diagonal(context, x, out);
    out[0] *= v[0];
}

static void test_newton__comes_back_from_afar(void **state) {
    (void)state;
    struct newton_problem far = {.size = 1,
                                 .value = far_value,
                                 .gradient = far_gradient,
                                 .hessian_times = far_times,
                                 .diagonal = far_diagonal};
    const double starts[] = {60.0, -60.0, -700.0, 600.0};
    for (size_t k = 0; k < sizeof starts / sizeof *starts; k++) {
        struct error err = ERROR_INIT;
        struct newton_result result;
        double x[1] = {starts[k]};
        assert_ok(newton_minimise(&far, &NEWTON_OPTIONS_DEFAULT, x, &result, &err), &err);
        assert_near(x[0], log(3.0), 1e-12);
        assert_true(result.iterations < 30);
    }
}

static void bad_gradient(void *context, const double *x, double *out) {
    square_gradient(context, x, out);
    out[1] = (double)NAN;
}

static void test_newton__gradient_not_finite(void **state) {
    (void)state;
    struct newton_problem bad = square;
    bad.gradient = bad_gradient;
    struct error err = ERROR_INIT;
    struct newton_result result;
    double x[2] = {0.0, 0.0};
    assert_fails(newton_minimise(&bad, &NEWTON_OPTIONS_DEFAULT, x, &result, &err), ERR_DATA,
                 "gradient at the start is not finite", &err);
}

static enum err_code minimise_and_solve(void *context, struct error *err) {
    (void)context;
    struct newton_result result;
    double x[2] = {0.0, 0.0}, b[2] = {1.0, 0.0}, solution[2];
    TRY(newton_minimise(&square, &NEWTON_OPTIONS_DEFAULT, x, &result, err));
    return newton_solve(&square, x, b, 1e-10, solution, err);
}

static void test_newton__every_allocation_may_fail(void **state) {
    (void)state;
    alloc_loop_check(minimise_and_solve, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_newton__quadratic_in_one_full_solution),
        cmocka_unit_test(test_newton_solve__two_equations),
        cmocka_unit_test(test_newton__stays_inside_of_the_domain),
        cmocka_unit_test(test_newton__constant_shift_is_not_followed),
        cmocka_unit_test(test_newton__says_how_far_it_came),
        cmocka_unit_test(test_newton__comes_back_from_afar),
        cmocka_unit_test(test_newton__gradient_not_finite),
        cmocka_unit_test(test_newton__every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
