#include "reward/dense_spd.h"

#include "base/rng.h"
#include "tests/support/near.h"
#include "tests/support/test.h"

#include <math.h>

/* A = (4 2; 2 5): L = (2 0; 1 2), det 16, inverse (5 -2; -2 4) / 16. */
static void test_dense_spd__two_by_two(void **state) {
    (void)state;
    double a[3] = {4.0, 2.0, 5.0};
    assert_true(dense_spd_factor(a, 2));
    assert_near(a[0], 2.0, 0.0);
    assert_near(a[1], 1.0, 0.0);
    assert_near(a[2], 2.0, 0.0);
    assert_near(dense_spd_log_determinant(a, 2), log(16.0), 1e-15);
    double b[2] = {8.0, 9.0}; /* A (11/8, 5/4)' */
    dense_spd_solve(a, 2, b);
    assert_near(b[0], 22.0 / 16.0, 1e-15);
    assert_near(b[1], 20.0 / 16.0, 1e-15);
    dense_spd_invert(a, 2);
    assert_near(a[0], 5.0 / 16.0, 1e-16);
    assert_near(a[1], -2.0 / 16.0, 1e-16);
    assert_near(a[2], 4.0 / 16.0, 1e-16);
}

static void test_dense_spd__refuses_what_is_not_positive(void **state) {
    (void)state;
    double indefinite[3] = {1.0, 2.0, 1.0};
    double singular[3] = {1.0, 1.0, 1.0};
    double nan[1] = {(double)NAN};
    double zero[1] = {0.0};
    assert_false(dense_spd_factor(indefinite, 2));
    assert_false(dense_spd_factor(singular, 2));
    assert_false(dense_spd_factor(nan, 1));
    assert_false(dense_spd_factor(zero, 1));
    assert_true(dense_spd_factor(zero, 0));
}

#define SIZE_MAX_   23
#define ENTRIES_MAX (SIZE_MAX_ * (SIZE_MAX_ + 1) / 2)

static double entry_of(const double *a, int64_t i, int64_t j) {
    return a[dense_spd_place(i, j)];
}

static double product_entry(const double *a, const double *b, int64_t n, int64_t i, int64_t j) {
    double sum = 0.0;
    for (int64_t k = 0; k < n; k++) {
        sum += entry_of(a, i, k) * entry_of(b, k, j);
    }
    return sum;
}

/* B B' + I for random B. */
static void fill_random(double *a, int64_t n, struct rng *rng) {
    double b[SIZE_MAX_][SIZE_MAX_];
    memset(a, 0, ENTRIES_MAX * sizeof *a);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t k = 0; k < n; k++) {
            b[i][k] = rng_normal(rng);
        }
        for (int64_t j = 0; j <= i; j++) {
            double sum = i == j ? 1.0 : 0.0;
            for (int64_t k = 0; k < n; k++) {
                sum += b[i][k] * b[j][k];
            }
            a[dense_spd_place(i, j)] = sum;
        }
    }
}

/* A = B B' + I for random B, all sizes around the four-fold loops: A times its inverse is one. */
static void test_dense_spd__times_inverse_is_one(void **state) {
    (void)state;
    for (int64_t n = 1; n <= SIZE_MAX_; n++) {
        struct rng rng = rng_stream(7, RNG_TEST, n, 0);
        double a[ENTRIES_MAX], inverse[ENTRIES_MAX];
        fill_random(a, n, &rng);
        memcpy(inverse, a, sizeof a);
        assert_true(dense_spd_factor(inverse, n));
        double column[SIZE_MAX_] = {0.0};
        column[n / 2] = 1.0;
        dense_spd_solve(inverse, n, column);
        dense_spd_invert(inverse, n);
        for (int64_t i = 0; i < n; i++) {
            assert_near(entry_of(inverse, i, n / 2), column[i], 1e-13);
            for (int64_t j = 0; j < n; j++) {
                assert_near(product_entry(a, inverse, n, i, j), i == j ? 1.0 : 0.0, 1e-12);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dense_spd__two_by_two),
        cmocka_unit_test(test_dense_spd__refuses_what_is_not_positive),
        cmocka_unit_test(test_dense_spd__times_inverse_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
