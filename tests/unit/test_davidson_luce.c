/* Rankings with ties: probabilities by hand, derivatives by central differences, and the sums over
 * subsets against their enumeration. Whole fits are in test_tabular_rankings.c. */
#include "reward/davidson_luce.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/comparison_sample.h"
#include "tests/support/near.h"

#include <math.h>

#define VARIABLES_MAX 16

static struct newton_problem problem_of(const struct comparison_set *set, double ridge,
                                        struct davidson_luce **out_model) {
    struct error err = ERROR_INIT;
    assert_ok(davidson_luce_new(set, ridge, out_model, &err), &err);
    return davidson_luce_problem(*out_model);
}

static double value_of(const struct newton_problem *problem, const double *x) {
    return problem->value(problem->context, x);
}

static void add(struct comparison_set *set, int k, const int *items, const int *ranks) {
    int32_t i[8], r[8];
    for (int m = 0; m < k; m++) {
        i[m] = items[m];
        r[m] = ranks[m];
    }
    comparison_sample_add(set, k, i, r);
}

#define RANKING(set, k, ...)                          \
    do {                                              \
        static const int rows_[2][8] = {__VA_ARGS__}; \
        add((set), (k), rows_[0], rows_[1]);          \
    } while (0)

/* ---- by hand ---- */

static void test_value__is_plackett_luce_without_ties(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 3);
    RANKING(&set, 3, {0, 1, 2}, {1, 2, 3});
    SCOPED(davidson_luce) struct davidson_luce *model = NULL;
    struct newton_problem problem = problem_of(&set, 0.0, &model);
    /* e / (e + 1 + 1/e) * 1 / (1 + 1/e) = 0.6652409558 * 0.7310585786 = 0.4863301076, the value of
     * alignment.md K */
    const double x[] = {1.0, 0.0, -1.0};
    assert_near(exp(-value_of(&problem, x)), 0.48633010763, 1e-10);
    assert_int_equal(problem.size, 3);
}

static void test_value__is_davidson_for_pairs_with_ties(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 2);
    comparison_sample_win(&set, 0, 1);
    comparison_sample_win(&set, 1, 0);
    comparison_sample_tie(&set, 0, 1);
    SCOPED(davidson_luce) struct davidson_luce *model = NULL;
    struct newton_problem problem = problem_of(&set, 0.0, &model);
    /* D = 1, nu = 0.5: 0.5983922024, 0.2201361890, 0.1814716086 (alignment.md K) */
    const double x[] = {0.3, -0.7, log(0.5)};
    double expected = -log(0.5983922024) - log(0.2201361890) - log(0.1814716086);
    assert_near(value_of(&problem, x), expected, 1e-8);
}

static void test_value__of_three_with_a_tie_is_the_sum_over_subsets(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 3);
    RANKING(&set, 3, {0, 1, 2}, {1, 1, 2});
    SCOPED(davidson_luce) struct davidson_luce *model = NULL;
    struct newton_problem problem = problem_of(&set, 0.0, &model);
    /* alpha = 4, 1, 9; delta_2 = 2. f({0,1}) = 2 sqrt(4) = 4; all of size 1: 14; of size 2:
     * 2 (sqrt 4 + sqrt 36 + sqrt 9) = 22. P = 4 / 36. Then item 2 alone: certain. */
    const double x[] = {log(4.0), log(1.0), log(9.0), log(2.0)};
    assert_near(value_of(&problem, x), log(9.0), 1e-12);
}

static void test_value__skips_a_last_group_that_is_not_ordered(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 3);
    RANKING(&set, 3, {2, 0, 1}, {1, 2, 2});
    comparison_sample_set_last_unordered(&set);
    SCOPED(davidson_luce) struct davidson_luce *model = NULL;
    struct newton_problem problem = problem_of(&set, 0.0, &model);
    int64_t ties = -1;
    (void)davidson_luce_tie_orders(model, &ties);
    assert_int_equal(ties, 0);
    const double x[] = {log(4.0), log(1.0), log(9.0)};
    assert_near(value_of(&problem, x), log(14.0 / 9.0), 1e-12);
}

static void test_value__adds_the_ridge(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 2);
    comparison_sample_win(&set, 0, 1);
    comparison_sample_set_weight(&set, 3.0);
    SCOPED(davidson_luce) struct davidson_luce *model = NULL;
    struct newton_problem problem = problem_of(&set, 0.5, &model);
    const double x[] = {2.0, 1.0};
    /* 3 ln(1 + 1/e) + 0.5 / 2 * 5 */
    assert_near(value_of(&problem, x), 3.0 * log1p(exp(-1.0)) + 1.25, 1e-12);
}

/* The parts of a set add up to the whole, and leave other items' derivatives alone. */
static void test_part__adds_up_to_the_whole(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 5);
    RANKING(&set, 3, {0, 1, 2}, {1, 1, 2});
    RANKING(&set, 3, {4, 3, 2}, {1, 2, 3});
    SCOPED(davidson_luce) struct davidson_luce *model = NULL;
    struct newton_problem problem = problem_of(&set, 0.0, &model);
    const double x[] = {0.4, -0.2, 0.1, 1.0, -0.5, -0.7};
    double whole[6], parts[6] = {0.0};
    problem.gradient(problem.context, x, whole);
    double first = davidson_luce_part(model, 0, 1, x, parts);
    assert_near(parts[3], 0.0, 0.0);
    assert_true(parts[5] != 0.0);
    double second = davidson_luce_part(model, 1, 2, x, parts);
    assert_near(first + second, value_of(&problem, x), 1e-15);
    assert_near(davidson_luce_part(model, 1, 2, x, NULL), second, 0.0);
    for (int i = 0; i < 6; i++) {
        assert_near(parts[i], whole[i], 1e-15);
    }
}

/* Three items of equal reward and delta_2 = 2: one of them is chosen with probability
 * 1 / (3 + 3 * 2), one of the two that are left with 1 / (2 + 2). */
static void test_beside_pairs__ties_of_two_are_possible(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 3);
    RANKING(&set, 3, {0, 1, 2}, {1, 2, 3});
    SCOPED(davidson_luce) struct davidson_luce *model = NULL;
    assert_ok(davidson_luce_new_beside_pairs(&set, NULL, &model, &err), &err);
    int64_t count = 0;
    assert_int_equal(davidson_luce_tie_orders(model, &count)[0], 2);
    assert_int_equal(count, 1);
    const double x[] = {0.0, 0.0, 0.0, log(2.0)};
    assert_near(davidson_luce_part(model, 0, 1, x, NULL), log(9.0 * 4.0), 1e-14);
}

/* ---- far apart, many ---- */

static void test_value__is_finite_for_rewards_far_apart(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 4);
    RANKING(&set, 4, {3, 1, 2, 0}, {1, 2, 2, 3});
    SCOPED(davidson_luce) struct davidson_luce *model = NULL;
    struct newton_problem problem = problem_of(&set, 0.0, &model);
    /* The first is chosen last by e^-5000. The tie at the second stage, 2000 and -2000 against
     * 5000: its mean, 0, is 5000 below the best. */
    const double x[] = {5000.0, 2000.0, -2000.0, 0.0, 0.0};
    assert_near(value_of(&problem, x), 10000.0, 1e-9);
    double gradient[5];
    problem.gradient(problem.context, x, gradient);
    for (int i = 0; i < 5; i++) {
        assert_true(isfinite(gradient[i]));
    }
    assert_near(gradient[0], 2.0, 1e-12);
    assert_near(gradient[3], -1.0, 1e-12);
}

/* With equal rewards every subset of a size is equally likely: Z = sum over t of delta_t (n over
 * t). */
static void test_value__of_a_tie_of_hundreds_does_not_overflow(void **state) {
    (void)state;
    enum { N = 400, T = 200 };
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, N);
    int32_t items[N], ranks[N];
    for (int32_t i = 0; i < N; i++) {
        items[i] = i;
        ranks[i] = i < T ? 1 : 2;
    }
    comparison_sample_add(&set, N, items, ranks);
    comparison_sample_set_last_unordered(&set);
    SCOPED(davidson_luce) struct davidson_luce *model = NULL;
    struct newton_problem problem = problem_of(&set, 0.0, &model);
    double x[N + 1] = {0.0};
    double log_subsets = lgamma(N + 1.0) - lgamma(T + 1.0) - lgamma(N - T + 1.0);
    assert_near(value_of(&problem, x), log_subsets, 1e-9 * log_subsets);
}

static void test_new__refuses_a_tie_of_a_thousand(void **state) {
    (void)state;
    enum { N = 1001 };
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, N);
    static int32_t items[N], ranks[N];
    for (int32_t i = 0; i < N; i++) {
        items[i] = i;
        ranks[i] = i == 0 ? 1 : 2;
    }
    comparison_sample_add(&set, N, items, ranks);
    SCOPED(davidson_luce) struct davidson_luce *model = NULL;
    struct error err = ERROR_INIT;
    assert_fails(davidson_luce_new(&set, 0.0, &model, &err), ERR_LIMIT, "a tie of 1000 items",
                 &err);
    assert_null(model);
}

/* ---- against enumeration and central differences ---- */

/* Rankings of 2 to 6 of 7 items with ties, weights and ends that are not ordered. */
static void draw(struct comparison_set *set, uint64_t seed, bool with_ties) {
    struct rng rng = rng_stream(seed, RNG_TEST, 0, 0);
    comparison_sample_init(set, 7);
    for (int c = 0; c < 12; c++) {
        int64_t order[7] = {0, 1, 2, 3, 4, 5, 6};
        int32_t items[7], ranks[7], rank = 1;
        int64_t k = 2 + rng_below(&rng, 5);
        rng_shuffle(&rng, order, 7);
        for (int64_t m = 0; m < k; m++) {
            items[m] = (int32_t)order[m];
            rank += m > 0 && (!with_ties || rng_below(&rng, 2) == 0);
            ranks[m] = rank;
        }
        comparison_sample_add(set, k, items, ranks);
        comparison_sample_set_weight(set, 0.5 + rng_uniform(&rng));
        if (rng_below(&rng, 3) == 0 && rank > 1) {
            comparison_sample_set_last_unordered(set);
        }
    }
}

static void draw_point(double *x, int64_t size, uint64_t seed) {
    struct rng rng = rng_stream(seed, RNG_TEST, 1, 0);
    for (int64_t i = 0; i < size; i++) {
        x[i] = 1.5 * rng_normal(&rng);
    }
}

/* ln of the sum of f over the subsets of `items` with a size that `log_deltas` knows. */
static double log_z(const int32_t *items, int64_t n, const double *x, const double *log_deltas) {
    double sum = 0.0;
    for (int subset = 1; subset < 1 << n; subset++) {
        int size = 0;
        double reward = 0.0;
        for (int64_t m = 0; m < n; m++) {
            if (subset >> m & 1) {
                size++;
                reward += x[items[m]];
            }
        }
        sum += exp(log_deltas[size] + reward / size);
    }
    return log(sum);
}

static double enumerated(const struct comparison_set *set, const double *x,
                         const double *log_deltas) {
    double loss = 0.0;
    for (int64_t c = 0; c < set->count; c++) {
        int64_t end = set->starts[c + 1];
        bool unordered = set->last_unordered && set->last_unordered[c];
        for (int64_t i = set->starts[c], next = i; i < end - 1; i = next) {
            double reward = 0.0;
            for (next = i; next < end && set->ranks[next] == set->ranks[i]; next++) {
                reward += x[set->items[next]];
            }
            if (next == end && unordered) {
                break;
            }
            loss += set->weights[c] * (log_z(set->items + i, end - i, x, log_deltas) -
                                       log_deltas[next - i] - reward / (double)(next - i));
        }
    }
    return loss;
}

static void test_value__equals_the_enumeration_of_subsets(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
        draw(&set, seed, seed % 5 != 0);
        SCOPED(davidson_luce) struct davidson_luce *model = NULL;
        struct newton_problem problem = problem_of(&set, 0.0, &model);
        double x[VARIABLES_MAX], log_deltas[8];
        draw_point(x, problem.size, seed);
        int64_t count = 0;
        const int64_t *orders = davidson_luce_tie_orders(model, &count);
        for (int t = 0; t < 8; t++) {
            log_deltas[t] = t == 1 ? 0.0 : -(double)INFINITY;
        }
        for (int64_t o = 0; o < count; o++) {
            log_deltas[orders[o]] = x[7 + o];
        }
        double expected = enumerated(&set, x, log_deltas);
        if (fabs(value_of(&problem, x) - expected) > 1e-11 * expected) {
            fail_msg("seed %d: %.15g, enumerated %.15g", (int)seed, value_of(&problem, x),
                     expected);
        }
    }
}

static void check_near(double value, double expected, double scale, const char *what, uint64_t seed,
                       int64_t i) {
    if (!(fabs(value - expected) <= 2e-8 * (1.0 + scale))) {
        fail_msg("seed %d: %s %d is %.12g, by differences %.12g", (int)seed, what, (int)i, value,
                 expected);
    }
}

static void check_derivatives(const struct newton_problem *problem, uint64_t seed) {
    double x[VARIABLES_MAX], v[VARIABLES_MAX], moved[VARIABLES_MAX];
    double gradient[VARIABLES_MAX], product[VARIABLES_MAX], up[VARIABLES_MAX], down[VARIABLES_MAX];
    const double h = 1e-5;
    draw_point(x, problem->size, seed);
    draw_point(v, problem->size, seed + 1000);
    problem->gradient(problem->context, x, gradient);
    for (int64_t i = 0; i < problem->size; i++) {
        memcpy(moved, x, sizeof x);
        moved[i] = x[i] + h;
        double above = value_of(problem, moved);
        moved[i] = x[i] - h;
        double below = value_of(problem, moved);
        check_near(gradient[i], (above - below) / (2.0 * h), fabs(above), "gradient", seed, i);
    }
    problem->gradient(problem->context, x, gradient);
    problem->hessian_times(problem->context, x, v, product);
    for (int64_t i = 0; i < problem->size; i++) {
        moved[i] = x[i] + h * v[i];
    }
    problem->gradient(problem->context, moved, up);
    for (int64_t i = 0; i < problem->size; i++) {
        moved[i] = x[i] - h * v[i];
    }
    problem->gradient(problem->context, moved, down);
    for (int64_t i = 0; i < problem->size; i++) {
        check_near(product[i], (up[i] - down[i]) / (2.0 * h), 1.0, "product", seed, i);
    }
}

static void test_derivatives__agree_with_central_differences(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
        draw(&set, seed, seed % 5 != 0);
        SCOPED(davidson_luce) struct davidson_luce *model = NULL;
        struct newton_problem problem = problem_of(&set, seed % 2 ? 0.0 : 0.3, &model);
        check_derivatives(&problem, seed);
    }
}

/* Equal to the Hessian's without ties, and never below it with them. */
static void test_diagonal__is_exact_without_ties_and_a_bound_with_them(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        bool with_ties = seed % 2 == 0;
        SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
        draw(&set, seed, with_ties);
        SCOPED(davidson_luce) struct davidson_luce *model = NULL;
        struct newton_problem problem = problem_of(&set, 0.3, &model);
        double x[VARIABLES_MAX], work[VARIABLES_MAX], diagonal[VARIABLES_MAX];
        draw_point(x, problem.size, seed);
        problem.gradient(problem.context, x, work);
        problem.diagonal(problem.context, x, diagonal);
        for (int64_t i = 0; i < problem.size; i++) {
            double e[VARIABLES_MAX] = {0.0};
            e[i] = 1.0;
            problem.hessian_times(problem.context, x, e, work);
            assert_true(diagonal[i] >= work[i] - 1e-12);
            if (!with_ties || i >= 7) {
                assert_near(diagonal[i], work[i], 1e-12);
            }
        }
    }
}

/* The whole matrix, where there is one, against the products with unit vectors. */
static void test_dense__is_made_of_the_products(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
        draw(&set, seed, false);
        SCOPED(davidson_luce) struct davidson_luce *model = NULL;
        struct newton_problem problem = problem_of(&set, 0.3, &model);
        double x[VARIABLES_MAX], work[VARIABLES_MAX];
        double dense[VARIABLES_MAX * (VARIABLES_MAX + 1) / 2];
        assert_non_null(problem.dense);
        draw_point(x, problem.size, seed);
        x[seed % 7] += 30.0; /* far from the rest */
        problem.gradient(problem.context, x, work);
        problem.dense(problem.context, x, dense);
        for (int64_t i = 0; i < problem.size; i++) {
            double e[VARIABLES_MAX] = {0.0};
            e[i] = 1.0;
            problem.hessian_times(problem.context, x, e, work);
            for (int64_t j = i; j < problem.size; j++) {
                assert_near(dense[j * (j + 1) / 2 + i], work[j], 1e-12);
            }
        }
    }
}

/* ---- saturated ---- */

static void test_saturate__counts_sets_and_outcomes(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 3);
    RANKING(&set, 3, {0, 1, 2}, {1, 2, 3});
    RANKING(&set, 3, {2, 1, 0}, {1, 2, 3}); /* the same first set in another order */
    RANKING(&set, 3, {0, 2, 1}, {1, 2, 2});
    RANKING(&set, 2, {1, 2}, {1, 2});
    SCOPED(davidson_luce) struct davidson_luce *model = NULL;
    (void)problem_of(&set, 0.0, &model);
    struct davidson_luce_saturated saturated;
    struct error err = ERROR_INIT;
    assert_ok(davidson_luce_saturate(model, &saturated, &err), &err);
    /* {0,1,2}: 0 twice, 2 once. {1,2}: 1 twice (first row, last row), both once. {0,1}: 1 once.
     * Tie orders 1 and 2: outcomes 3 + 3, 2 + 1, 2 + 1. */
    double expected = 2.0 * log(2.0 / 3.0) + log(1.0 / 3.0);
    assert_near(saturated.log_likelihood, 2.0 * expected, 1e-12);
    assert_near(saturated.weight, 7.0, 0.0);
    assert_near(saturated.sets, 3.0, 0.0);
    assert_near(saturated.outcomes, 12.0, 0.0);
    assert_false(saturated.pairs_only);
}

static void test_delta_name__is_that_of_the_order(void **state) {
    (void)state;
    assert_string_equal(davidson_luce_delta_name(2), "log_delta_2");
    assert_string_equal(davidson_luce_delta_name(10), "log_delta_10");
    assert_string_equal(davidson_luce_delta_name(99), "log_delta_99");
    assert_string_equal(davidson_luce_delta_name(100), "log_delta_100");
    assert_string_equal(davidson_luce_delta_name(999), "log_delta_999");
}

static enum err_code make_and_saturate(void *context, struct error *err) {
    SCOPED(davidson_luce) struct davidson_luce *model = NULL;
    struct davidson_luce_saturated saturated;
    TRY(davidson_luce_new(context, 0.0, &model, err));
    return davidson_luce_saturate(model, &saturated, err);
}

static void test_new__survives_the_failure_of_any_allocation(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    draw(&set, 2, true);
    alloc_loop_check(make_and_saturate, &set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_value__is_plackett_luce_without_ties),
        cmocka_unit_test(test_value__is_davidson_for_pairs_with_ties),
        cmocka_unit_test(test_value__of_three_with_a_tie_is_the_sum_over_subsets),
        cmocka_unit_test(test_value__skips_a_last_group_that_is_not_ordered),
        cmocka_unit_test(test_value__adds_the_ridge),
        cmocka_unit_test(test_part__adds_up_to_the_whole),
        cmocka_unit_test(test_beside_pairs__ties_of_two_are_possible),
        cmocka_unit_test(test_value__is_finite_for_rewards_far_apart),
        cmocka_unit_test(test_value__of_a_tie_of_hundreds_does_not_overflow),
        cmocka_unit_test(test_new__refuses_a_tie_of_a_thousand),
        cmocka_unit_test(test_value__equals_the_enumeration_of_subsets),
        cmocka_unit_test(test_derivatives__agree_with_central_differences),
        cmocka_unit_test(test_diagonal__is_exact_without_ties_and_a_bound_with_them),
        cmocka_unit_test(test_dense__is_made_of_the_products),
        cmocka_unit_test(test_saturate__counts_sets_and_outcomes),
        cmocka_unit_test(test_delta_name__is_that_of_the_order),
        cmocka_unit_test(test_new__survives_the_failure_of_any_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
