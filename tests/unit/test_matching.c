#include "trainer/matching.h"

#include "base/rng.h"
#include "tests/support/near.h"

#include <math.h>

/* d_r = 1, d_p = 2: (1 - 2)^2; sigma(1) = .7310585786, sigma(2) = .8807970780,
 * .7310585786 ln (.7310585786 / .8807970780) + .2689414214 ln (.2689414214 / .1192029220). */
static void test_matching__one_pair(void **state) {
    (void)state;
    static const double rewards[] = {1.0, 0.0}, logp[] = {-1.0, -3.0};
    static const int64_t lengths[] = {4, 6};
    const struct matching_pool pool = {
        .count = 2, .rewards = rewards, .logp = logp, .lengths = lengths};
    struct matching m = matching_of(&pool, 2);
    assert_near(m.divergence, 1.0, 1e-15);
    assert_near(m.bernoulli_kl, 0.0826077449, 1e-10);
    assert_near(m.weight, 1.0, 0.0);
    assert_near(m.near_divergence, 1.0, 1e-15);
    assert_near(m.near_weight, 1.0, 0.0);
    m = matching_of(&pool, 1);
    assert_near(m.near_weight, 0.0, 0.0);
    assert_true(isnan(m.near_divergence) && isnan(m.near_bernoulli_kl));
}

/* Answers alike but for a length that costs 10 nats: only pairs of near lengths are free of it.
 * Pairs: (a, b) near with (d_r - d_p)^2 = 1, two others 10^2 and 9^2. */
static void test_matching__lengths_apart(void **state) {
    (void)state;
    static const double rewards[] = {0.0, 1.0, 0.0}, logp[] = {-5.0, -5.0, -15.0};
    static const int64_t lengths[] = {10, 11, 30};
    const struct matching_pool pool = {
        .count = 3, .rewards = rewards, .logp = logp, .lengths = lengths};
    const struct matching m = matching_of(&pool, 2);
    assert_near(m.weight, 3.0, 0.0);
    assert_near(m.divergence, (1.0 + 100.0 + 81.0) / 3.0, 1e-13);
    assert_near(m.near_weight, 1.0, 0.0);
    assert_near(m.near_divergence, 1.0, 1e-15);
}

/* Over pairs of a sample the divergence is twice the unbiased variance of r - ln pi. */
static void test_matching__twice_the_variance(void **state) {
    (void)state;
    enum { COUNT = 12 };
    double rewards[COUNT], logp[COUNT], sum = 0.0, squares = 0.0;
    struct rng rng = rng_stream(1, RNG_TEST, 0, 0);
    for (int i = 0; i < COUNT; i++) {
        rewards[i] = rng_normal(&rng);
        logp[i] = -20.0 + 3.0 * rng_normal(&rng);
        sum += rewards[i] - logp[i];
    }
    for (int i = 0; i < COUNT; i++) {
        const double gap = rewards[i] - logp[i] - sum / COUNT;
        squares += gap * gap;
    }
    const struct matching_pool pool = {.count = COUNT, .rewards = rewards, .logp = logp};
    const struct matching m = matching_of(&pool, 0);
    assert_near(m.divergence, 2.0 * squares / (COUNT - 1), 1e-12);
    assert_near(m.weight, 0.5 * COUNT * (COUNT - 1), 0.0);
    assert_near(m.near_weight, 0.0, 0.0);
}

/* A matched policy: ln pi = r - ln Z. */
static void test_matching__nothing_at_the_match(void **state) {
    (void)state;
    static const double rewards[] = {1.0, -2.0, 0.25}, logp[] = {-3.0, -6.0, -3.75};
    const struct matching_pool pool = {.count = 3, .rewards = rewards, .logp = logp};
    const struct matching m = matching_of(&pool, 0);
    assert_near(m.divergence, 0.0, 0.0);
    assert_near(m.bernoulli_kl, 0.0, 0.0);
}

/* Gaps of hundreds of nats: sigma is 0 or 1 in double, the divergence is finite all the same:
 * ln 2 parts of half a chance each, 1/2 * 800 - ln 2. */
static void test_matching__gaps_of_hundreds_of_nats(void **state) {
    (void)state;
    static const double rewards[] = {0.0, 0.0}, logp[] = {-100.0, -900.0};
    const struct matching_pool pool = {.count = 2, .rewards = rewards, .logp = logp};
    const struct matching m = matching_of(&pool, 0);
    assert_near(m.bernoulli_kl, 400.0 - log(2.0), 1e-12);
    assert_near(m.divergence, 640000.0, 1e-9);
}

static void test_matching__no_pairs(void **state) {
    (void)state;
    static const double number[] = {0.0};
    const struct matching_pool one = {.count = 1, .rewards = number, .logp = number};
    const struct matching_pool none = {.count = 0};
    assert_true(isnan(matching_of(&one, 0).divergence));
    assert_near(matching_of(&one, 0).weight, 0.0, 0.0);
    assert_true(isnan(matching_of(&none, 0).bernoulli_kl));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matching__one_pair),
        cmocka_unit_test(test_matching__lengths_apart),
        cmocka_unit_test(test_matching__twice_the_variance),
        cmocka_unit_test(test_matching__nothing_at_the_match),
        cmocka_unit_test(test_matching__gaps_of_hundreds_of_nats),
        cmocka_unit_test(test_matching__no_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
