/* Slopes of the alignment losses by central differences, on random completions of different
 * lengths, in every mode. */
#include "base/rng.h"
#include "tests/support/near.h"
#include "trainer/objective_logvar.h"
#include "trainer/objective_policy.h"
#include "trainer/objective_value.h"

#include <math.h>

#define TOKENS 14
#define COUNT  4
#define DRAWS  50
#define STEP   1e-6

static const int64_t starts[COUNT + 1] = {0, 5, 6, 10, 14};
static const struct completions all = {.count = COUNT, .group_size = 2, .starts = starts};

struct numbers {
    double logp[TOKENS], old_logp[TOKENS], ref_logp[TOKENS], advantages[TOKENS];
    double rewards[COUNT];
};

/* Advantages are one number for a completion: what the sequence form has a loss for. */
static void draw(struct numbers *n, int64_t number, double spread) {
    struct rng rng = rng_stream(2026, RNG_TEST, 0, number);
    for (int64_t i = 0; i < COUNT; i++) {
        const double advantage = rng_normal(&rng);
        n->rewards[i] = rng_normal(&rng);
        for (int64_t t = starts[i]; t < starts[i + 1]; t++) {
            n->old_logp[t] = -2.0 + 0.5 * rng_normal(&rng);
            n->logp[t] = n->old_logp[t] + spread * rng_normal(&rng);
            n->ref_logp[t] = -2.0 + 0.5 * rng_normal(&rng);
            n->advantages[t] = advantage;
        }
    }
}

/* A loss of numbers x, whose slopes it adds. */
typedef double (*loss_function)(const struct numbers *n, const void *context, double *slopes);

/* Where the second difference is not small, a kink lies between: such tokens are passed over, few
 * as they are. */
static void check_slopes(struct numbers *n, loss_function loss, const void *context,
                         int64_t *kinks) {
    double slopes[TOKENS] = {0.0}, unused[TOKENS] = {0.0};
    const double middle = loss(n, context, slopes);
    for (int t = 0; t < TOKENS; t++) {
        const double at = n->logp[t];
        n->logp[t] = at + STEP;
        const double above = loss(n, context, unused);
        n->logp[t] = at - STEP;
        const double below = loss(n, context, unused);
        n->logp[t] = at;
        if (fabs(above - 2.0 * middle + below) > 1e-9) {
            *kinks += 1;
            continue;
        }
        assert_near(slopes[t], (above - below) / (2.0 * STEP), 2e-8 * (1.0 + fabs(slopes[t])));
    }
}

static double policy_loss(const struct numbers *n, const void *context, double *slopes) {
    struct policy_stats stats = {.units = 0};
    const struct policy_batch batch = {.completions = all,
                                       .logp = n->logp,
                                       .old_logp = n->old_logp,
                                       .advantages = n->advantages,
                                       .step_completions = 8,
                                       .step_tokens = 40};
    return objective_policy(context, &batch, slopes, &stats);
}

static void test_policy_slopes__in_every_mode(void **state) {
    (void)state;
    int64_t kinks = 0;
    for (int r = 0; r < POLICY_RATIO_COUNT; r++) {
        for (int a = 0; a < POLICY_AGGREGATION_COUNT; a++) {
            struct policy_options options = policy_options_defaults();
            options.ratio = (enum policy_ratio)r;
            options.aggregation = (enum policy_aggregation)a;
            options.constant_length = 16.0;
            options.dual_clip = 1.5;
            for (int64_t number = 0; number < DRAWS; number++) {
                struct numbers n;
                draw(&n, number, 0.25);
                check_slopes(&n, policy_loss, &options, &kinks);
            }
        }
    }
    assert_true(kinks <= 3); /* of 8,400 tokens */
}

static double kl_loss(const struct numbers *n, const void *context, double *slopes) {
    const struct policy_options options = policy_options_defaults();
    const struct policy_batch batch = {
        .completions = all, .logp = n->logp, .step_completions = 8, .step_tokens = 40};
    return policy_add_kl(&options, &batch, context, n->ref_logp, slopes);
}

static void test_kl_slopes__by_the_same_estimator(void **state) {
    (void)state;
    int64_t kinks = 0;
    for (int e = KL_K2; e < KL_ESTIMATOR_COUNT; e++) {
        const struct regulariser reg = {.kind = REGULARISER_KL,
                                        .beta_in = 0.3,
                                        .kl = {.is_loss = true,
                                               .value = (enum kl_estimator)e,
                                               .gradient = (enum kl_estimator)e}};
        for (int64_t number = 0; number < DRAWS; number++) {
            struct numbers n;
            draw(&n, number, 1.0);
            check_slopes(&n, kl_loss, &reg, &kinks);
        }
    }
    assert_int_equal(kinks, 0);
}

static double logvar_loss(const struct numbers *n, const void *context, double *slopes) {
    const struct logvar_batch batch = {.completions = all,
                                       .rewards = n->rewards,
                                       .logp = n->logp,
                                       .ref_logp = n->ref_logp,
                                       .step_groups = 5};
    return objective_logvar(context, &batch, slopes);
}

static void test_logvar_slopes__in_every_kind(void **state) {
    (void)state;
    int64_t kinks = 0;
    for (int k = 0; k < REGULARISER_KIND_COUNT; k++) {
        const struct regulariser reg = {
            .kind = (enum regulariser_kind)k, .alpha = 0.12, .beta_in = 0.7, .beta_out = 0.7};
        for (int64_t number = 0; number < DRAWS; number++) {
            struct numbers n;
            draw(&n, number, 1.0);
            check_slopes(&n, logvar_loss, &reg, &kinks);
        }
    }
    assert_int_equal(kinks, 0);
}

/* The critic's values stand where log-probabilities do, the old ones and returns likewise. */
static double value_loss(const struct numbers *n, const void *context, double *slopes) {
    int64_t clipped = 0;
    const struct value_batch batch = {.count = TOKENS,
                                      .values = n->logp,
                                      .old_values = n->old_logp,
                                      .returns = n->ref_logp,
                                      .clip = *(const double *)context,
                                      .step_tokens = 40};
    return objective_value(&batch, slopes, &clipped);
}

static void test_value_slopes__clipped_and_not(void **state) {
    (void)state;
    static const double clips[] = {0.2, (double)INFINITY};
    int64_t kinks = 0;
    for (int c = 0; c < 2; c++) {
        for (int64_t number = 0; number < DRAWS; number++) {
            struct numbers n;
            draw(&n, number, 0.4);
            check_slopes(&n, value_loss, &clips[c], &kinks);
        }
    }
    assert_int_equal(kinks, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy_slopes__in_every_mode),
        cmocka_unit_test(test_kl_slopes__by_the_same_estimator),
        cmocka_unit_test(test_logvar_slopes__in_every_kind),
        cmocka_unit_test(test_value_slopes__clipped_and_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
