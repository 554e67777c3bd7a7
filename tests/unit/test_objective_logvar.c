#include "trainer/objective_logvar.h"

#include "tests/support/near.h"

#include <math.h>

static const struct regulariser pm = {.kind = REGULARISER_PM, .beta_in = 0.5};

/* g = r - 0.5 ln pi: 1 + 0.5 * 3 = 2.5 of two tokens, 1.5 + 0.5 = 2; and 0 + 1 = 1, 0 + 1 = 1.
 * Gaps +-0.25 over G - 1 = 1 and 2 prompts: (0.25^2 + 0.25^2) / 4, slopes -+0.25 / 2 * 0.5. */
static void test_logvar__by_hand(void **state) {
    (void)state;
    static const int64_t starts[] = {0, 2, 3, 4, 5};
    static const double rewards[] = {1.0, 1.5, 0.0, 0.0}, logp[] = {-1.0, -2.0, -1.0, -2.0, -2.0};
    static const double expected[] = {-0.0625, -0.0625, 0.0625, 0.0, 0.0};
    double slopes[5] = {0.0};
    const struct logvar_batch batch = {
        .completions = {.count = 4, .group_size = 2, .starts = starts},
        .rewards = rewards,
        .logp = logp,
        .step_groups = 2};
    assert_near(objective_logvar(&pm, &batch, slopes), 0.03125, 1e-16);
    for (int t = 0; t < 5; t++) {
        assert_near(slopes[t], expected[t], 1e-16);
    }
}

static void test_check__refuses_what_has_another_zero(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct regulariser reg = {
        .kind = REGULARISER_CPM, .alpha = 0.1, .beta_in = 1.0, .beta_out = 1.0};
    assert_ok(logvar_check(&pm, 2, &err), &err);
    assert_ok(logvar_check(&reg, 2, &err), &err);
    assert_fails(logvar_check(&reg, 1, &err), ERR_CONFIG, "not 1", &err);
    reg.beta_out = 0.5;
    assert_fails(logvar_check(&reg, 2, &err), ERR_CONFIG, "beta_out = 0.5", &err);
    reg = pm;
    reg.beta_in = 0.0;
    assert_fails(logvar_check(&reg, 2, &err), ERR_CONFIG, "beta_in = 0", &err);
    reg = pm;
    reg.estimator = REGULARISER_EXACT_TOKEN;
    assert_fails(logvar_check(&reg, 2, &err), ERR_CONFIG, "'sampled'", &err);
    reg = (struct regulariser){.kind = REGULARISER_KL,
                               .beta_in = 1.0,
                               .kl = {.is_loss = true, .value = KL_K3, .gradient = KL_K2}};
    assert_fails(logvar_check(&reg, 2, &err), ERR_CONFIG, "kl in the reward", &err);
    reg.beta_in = -1.0;
    assert_fails(logvar_check(&reg, 2, &err), ERR_CONFIG, "beta_in = -1", &err);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logvar__by_hand),
        cmocka_unit_test(test_check__refuses_what_has_another_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
