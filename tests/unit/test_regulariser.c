#include "trainer/regulariser.h"

#include "tests/support/near.h"

#include <math.h>

static const struct regulariser kl = {.kind = REGULARISER_KL, .beta_in = 0.5};
static const struct regulariser pm = {.kind = REGULARISER_PM, .beta_in = 2.0};
static const struct regulariser cpm = {
    .kind = REGULARISER_CPM, .alpha = 0.1, .beta_in = 2.0, .beta_out = 0.5};

/* pi = 1/2 and 1/4; ref = 1/4 and 1/16, of which the second is below alpha = 0.1:
 *   kl   0.5 ln 2,       0.5 ln 4
 *   pm   2 ln 1/2,       2 ln 1/4
 *   cpm  2 ln 1/2,       0.5 ln 4, corrected by 0 and by 0.5 - 2 */
static void test_costs__by_hand(void **state) {
    (void)state;
    const double logp[2] = {log(0.5), log(0.25)}, ref_logp[2] = {log(0.25), log(0.0625)};
    double costs[2], corrections[2];
    regulariser_costs(&kl, 2, logp, ref_logp, costs, corrections);
    assert_near(costs[0], 0.5 * log(2.0), 1e-15);
    assert_near(costs[1], 0.5 * log(4.0), 1e-15);
    assert_near(corrections[0], 0.0, 0.0);
    assert_near(corrections[1], 0.0, 0.0);
    regulariser_costs(&pm, 2, logp, NULL, costs, corrections);
    assert_near(costs[0], -2.0 * log(2.0), 1e-15);
    assert_near(costs[1], -2.0 * log(4.0), 1e-15);
    assert_near(corrections[1], 0.0, 0.0);
    regulariser_costs(&cpm, 2, logp, ref_logp, costs, corrections);
    assert_near(costs[0], -2.0 * log(2.0), 1e-15);
    assert_near(costs[1], 0.5 * log(4.0), 1e-15);
    assert_near(corrections[0], 0.0, 0.0);
    assert_near(corrections[1], -1.5, 0.0);
    regulariser_costs(&cpm, 2, logp, ref_logp, costs, NULL);
    assert_near(costs[1], 0.5 * log(4.0), 1e-15);
}

static void test_is_inside__strict_at_alpha(void **state) {
    (void)state;
    assert_false(regulariser_is_inside(&cpm, log(0.1)));
    assert_true(regulariser_is_inside(&cpm, nextafter(log(0.1), 0.0)));
    assert_true(regulariser_is_inside(&pm, -1e3));
    assert_true(regulariser_is_inside(&kl, -1e3));
}

static void test_needs_reference__all_but_pm(void **state) {
    (void)state;
    assert_false(regulariser_needs_reference(&pm));
    assert_true(regulariser_needs_reference(&kl));
    assert_true(regulariser_needs_reference(&cpm));
}

/* pi = (1/2, 1/4, 1/4), ref = (1/4, 1/16, 11/16), the second token outside:
 *   pm   -2 H, H = 1.5 ln 2
 *   kl   0.5 (1/2 ln 2 + 1/4 ln 4 + 1/4 ln (4 / 11))
 *   cpm  2 (1/2 ln 1/2 + 1/4 ln 1/4) + 0.5 (1/4 ln 4) */
static void test_expected_cost__by_hand(void **state) {
    (void)state;
    const double logp[3] = {log(0.5), log(0.25), log(0.25)};
    const double ref_logp[3] = {log(0.25), log(0.0625), log(0.6875)};
    assert_near(regulariser_expected_cost(&pm, 3, logp, NULL, NULL), -3.0 * log(2.0), 1e-15);
    assert_near(regulariser_expected_cost(&kl, 3, logp, ref_logp, NULL),
                0.5 * (0.5 * log(2.0) + 0.25 * log(4.0) + 0.25 * log(4.0 / 11.0)), 1e-15);
    assert_near(regulariser_expected_cost(&cpm, 3, logp, ref_logp, NULL),
                -log(2.0) - 0.5 * log(4.0) + 0.125 * log(4.0), 1e-15);
}

/* 0 ln 0 is 0: a token that the policy never says costs nothing, and has no slope. */
static void test_expected_cost__impossible_token(void **state) {
    (void)state;
    const double logp[2] = {0.0, -(double)INFINITY}, ref_logp[2] = {log(0.5), log(0.5)};
    double slopes[2];
    assert_near(regulariser_expected_cost(&pm, 2, logp, NULL, slopes), 0.0, 0.0);
    assert_near(slopes[0], 0.0, 0.0);
    assert_near(slopes[1], 0.0, 0.0);
    assert_near(regulariser_expected_cost(&kl, 2, logp, ref_logp, slopes), 0.5 * log(2.0), 1e-15);
    assert_near(slopes[1], 0.0, 0.0);
}

/* ---- kl ---- */

/* z = 0.2, -0.5, 0, and far ones: e^-14 - 1 + 14, e^-29 - 1 + 29. */
static void test_kl_estimate__numbers(void **state) {
    (void)state;
    static const double cases[][4] = {
        {0.2, 0.2, 0.02, 0.01873075},  {-0.5, -0.5, 0.125, 0.14872127}, {0.0, 0.0, 0.0, 0.0},
        {-1.0, -1.0, 0.5, 0.71828183}, {14.0, 14.0, 98.0, 13.00000083}, {29.0, 29.0, 420.5, 28.0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_near(kl_estimate(KL_K1, cases[i][0]), cases[i][1], 0.0);
        assert_near(kl_estimate(KL_K2, cases[i][0]), cases[i][2], 1e-15);
        assert_near(kl_estimate(KL_K3, cases[i][0]), cases[i][3], 5e-9);
    }
}

static void test_kl_slope__is_the_derivative(void **state) {
    (void)state;
    const double step = 1e-6;
    for (int e = 0; e < KL_ESTIMATOR_COUNT; e++) {
        for (int i = -8; i <= 8; i++) {
            const double z = 0.37 * i;
            const double above = kl_estimate((enum kl_estimator)e, z + step);
            const double below = kl_estimate((enum kl_estimator)e, z - step);
            assert_near(kl_slope((enum kl_estimator)e, z), (above - below) / (2.0 * step), 1e-8);
        }
    }
}

/* Three tokens, pi = (.5, .3, .2), ref = (.2, .3, .5). Mean over pi of slope times
 * d ln pi(a) / d logit_b = 1[a = b] - pi_b: nothing by k1, d KL(pi | ref) by k2, d KL(ref | pi) =
 * pi - ref by k3. Of the first token d KL(pi | ref) = .5 (ln 2.5 - KL), KL = .3 ln 2.5. */
static void test_kl_slope__gradients_on_average(void **state) {
    (void)state;
    static const double p[3] = {0.5, 0.3, 0.2}, q[3] = {0.2, 0.3, 0.5};
    double means[KL_ESTIMATOR_COUNT] = {0.0};
    for (int e = 0; e < KL_ESTIMATOR_COUNT; e++) {
        for (int a = 0; a < 3; a++) {
            const double slope = kl_slope((enum kl_estimator)e, log(p[a] / q[a]));
            means[e] += p[a] * slope * ((a == 0 ? 1.0 : 0.0) - p[0]);
        }
    }
    assert_near(means[KL_K1], 0.0, 1e-15);
    assert_near(means[KL_K2], 0.5 * (log(2.5) - 0.3 * log(2.5)), 1e-15);
    assert_near(means[KL_K3], 0.5 - 0.2, 1e-15);
}

static void test_costs__none_for_kl_in_the_loss(void **state) {
    (void)state;
    struct regulariser reg = kl;
    reg.kl = (struct kl_form){.is_loss = true, .value = KL_K3, .gradient = KL_K2};
    const double logp = -1.0, ref_logp = -2.0;
    double cost, correction;
    regulariser_costs(&reg, 1, &logp, &ref_logp, &cost, &correction);
    assert_near(cost, 0.0, 0.0);
    assert_near(correction, 0.0, 0.0);
}

/* ---- checks ---- */

static void test_check__accepts_every_sound_form(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct regulariser in_loss = kl;
    in_loss.kl = (struct kl_form){.is_loss = true, .value = KL_K1, .gradient = KL_K2};
    const struct regulariser *sound[] = {&kl, &pm, &cpm, &in_loss};
    for (size_t i = 0; i < sizeof sound / sizeof *sound; i++) {
        assert_ok(regulariser_check(sound[i], &err), &err);
    }
    in_loss.kl = (struct kl_form){.is_loss = true, .value = KL_K3, .gradient = KL_K3};
    assert_ok(regulariser_check(&in_loss, &err), &err);
}

static void test_check__refuses_numbers_out_of_range(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct regulariser reg = cpm;
    reg.alpha = 0.0;
    assert_fails(regulariser_check(&reg, &err), ERR_CONFIG, "alpha = 0 is outside (0, 1)", &err);
    reg.alpha = 1.0;
    assert_fails(regulariser_check(&reg, &err), ERR_CONFIG, "alpha = 1", &err);
    reg.alpha = (double)NAN;
    assert_fails(regulariser_check(&reg, &err), ERR_CONFIG, "alpha = ", &err);
    reg = cpm;
    reg.beta_out = -0.1;
    assert_fails(regulariser_check(&reg, &err), ERR_CONFIG, "beta_out = -0.1", &err);
    reg = pm;
    reg.beta_in = (double)INFINITY;
    assert_fails(regulariser_check(&reg, &err), ERR_CONFIG, "beta_in = inf", &err);
    reg.beta_in = (double)NAN;
    assert_fails(regulariser_check(&reg, &err), ERR_CONFIG, "beta_in = ", &err);
}

static void test_check__refuses_estimators_that_mislead(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct regulariser reg = kl;
    reg.kl.value = KL_K3;
    assert_fails(regulariser_check(&reg, &err), ERR_CONFIG, "in the reward by k3", &err);
    reg.kl = (struct kl_form){.gradient = KL_K2};
    assert_fails(regulariser_check(&reg, &err), ERR_CONFIG, "in the reward by k2", &err);
    reg.kl = (struct kl_form){.is_loss = true, .value = KL_K3, .gradient = KL_K1};
    assert_fails(regulariser_check(&reg, &err), ERR_CONFIG, "regularises nothing", &err);
    reg.kl.gradient = KL_K2;
    reg.estimator = REGULARISER_EXACT_TOKEN;
    assert_fails(regulariser_check(&reg, &err), ERR_CONFIG, "sampled tokens", &err);
    reg = pm;
    reg.kl.is_loss = true;
    assert_fails(regulariser_check(&reg, &err), ERR_CONFIG, "'pm' belongs in the reward", &err);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_costs__by_hand),
        cmocka_unit_test(test_is_inside__strict_at_alpha),
        cmocka_unit_test(test_needs_reference__all_but_pm),
        cmocka_unit_test(test_expected_cost__by_hand),
        cmocka_unit_test(test_expected_cost__impossible_token),
        cmocka_unit_test(test_kl_estimate__numbers),
        cmocka_unit_test(test_kl_slope__is_the_derivative),
        cmocka_unit_test(test_kl_slope__gradients_on_average),
        cmocka_unit_test(test_costs__none_for_kl_in_the_loss),
        cmocka_unit_test(test_check__accepts_every_sound_form),
        cmocka_unit_test(test_check__refuses_numbers_out_of_range),
        cmocka_unit_test(test_check__refuses_estimators_that_mislead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
