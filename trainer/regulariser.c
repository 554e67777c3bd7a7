/* regulariser.c - see regulariser.h. */
#include "trainer/regulariser.h"

#include "base/invariant.h"

#include <math.h>
#include <stddef.h>

#define NAME(name, text) text,
const char *const regulariser_kind_names[REGULARISER_KIND_COUNT] = {REGULARISER_KINDS(NAME)};
const char *const regulariser_estimator_names[REGULARISER_ESTIMATOR_COUNT] = {
    REGULARISER_ESTIMATORS(NAME)};
const char *const kl_estimator_names[KL_ESTIMATOR_COUNT] = {KL_ESTIMATORS(NAME)};
#undef NAME

static enum err_code check_beta(const char *name, double beta, struct error *err) {
    if (!(beta >= 0.0) || isinf(beta)) {
        return err_set(err, ERR_CONFIG, "regulariser: %s = %g is not a finite number from 0 on",
                       name, beta);
    }
    return ERR_OK;
}

static enum err_code check_kl_form(const struct regulariser *reg, struct error *err) {
    const struct kl_form *kl = &reg->kl;
    if (!kl->is_loss && (kl->value != KL_K1 || kl->gradient != KL_K1)) {
        return err_set(err, ERR_CONFIG,
                       "regulariser: kl in the reward by %s would not be the KL divergence's "
                       "gradient: there only k1 is; put it into the loss for the others",
                       kl_estimator_names[kl->value != KL_K1 ? kl->value : kl->gradient]);
    }
    if (kl->is_loss && reg->kind != REGULARISER_KL) {
        return err_set(err, ERR_CONFIG, "regulariser: '%s' belongs in the reward, not in the loss",
                       regulariser_kind_names[reg->kind]);
    }
    if (kl->is_loss && kl->gradient == KL_K1) {
        return err_set(err, ERR_CONFIG,
                       "regulariser: in the loss the gradient of k1 is 0 on average, which "
                       "regularises nothing; choose k2, or k3 as GRPO does");
    }
    if (kl->is_loss && reg->estimator == REGULARISER_EXACT_TOKEN) {
        return err_set(err, ERR_CONFIG,
                       "regulariser: kl in the loss is of sampled tokens; the estimator "
                       "exact_token takes it out of the reward by itself");
    }
    return ERR_OK;
}

enum err_code regulariser_check(const struct regulariser *reg, struct error *err) {
    TRY(check_beta("beta_in", reg->beta_in, err));
    if (reg->kind == REGULARISER_CPM) {
        TRY(check_beta("beta_out", reg->beta_out, err));
        if (!(reg->alpha > 0.0 && reg->alpha < 1.0)) {
            return err_set(err, ERR_CONFIG,
                           "regulariser: alpha = %g is outside (0, 1); without a limit between "
                           "entropy and distance choose the kind pm or kl",
                           reg->alpha);
        }
    }
    return check_kl_form(reg, err);
}

bool regulariser_needs_reference(const struct regulariser *reg) {
    return reg->kind != REGULARISER_PM;
}

bool regulariser_is_inside(const struct regulariser *reg, double ref_logp) {
    return reg->kind != REGULARISER_CPM || ref_logp > log(reg->alpha);
}

/* beta (ln pi - ln w) of one token. */
struct weighing {
    double beta, log_w;
};

static struct weighing weighing_of(const struct regulariser *reg, const double *ref_logp,
                                   int64_t index) {
    if (reg->kind == REGULARISER_PM) {
        return (struct weighing){.beta = reg->beta_in, .log_w = 0.0};
    }
    const double ref = ref_logp[index];
    if (reg->kind == REGULARISER_KL) {
        return (struct weighing){.beta = reg->beta_in, .log_w = ref};
    }
    return regulariser_is_inside(reg, ref) ? (struct weighing){.beta = reg->beta_in, .log_w = 0.0}
                                           : (struct weighing){.beta = reg->beta_out, .log_w = ref};
}

void regulariser_costs(const struct regulariser *reg, int64_t count, const double *logp,
                       const double *ref_logp, double *out_costs, double *out_corrections) {
    for (int64_t t = 0; t < count; t++) {
        const struct weighing weighing = weighing_of(reg, ref_logp, t);
        out_costs[t] = reg->kl.is_loss ? 0.0 : weighing.beta * (logp[t] - weighing.log_w);
        if (out_corrections) {
            out_corrections[t] = weighing.beta - reg->beta_in;
        }
    }
}

/* e = sum of pi c with c = beta (ln pi - ln w), so de/dz_b = pi_b (c_b + beta_b - sum of
 * pi (c + beta)). */
double regulariser_expected_cost(const struct regulariser *reg, int64_t vocab, const double *logp,
                                 const double *ref_logp, double *out_slopes) {
    double cost = 0.0, mean_beta = 0.0;
    for (int64_t a = 0; a < vocab; a++) {
        const struct weighing weighing = weighing_of(reg, ref_logp, a);
        const double p = exp(logp[a]); /* 0 ln 0 is 0 */
        const double token_cost = p > 0.0 ? weighing.beta * (logp[a] - weighing.log_w) : 0.0;
        cost += p * token_cost;
        mean_beta += p * weighing.beta;
        if (out_slopes) {
            out_slopes[a] = p * (token_cost + weighing.beta);
        }
    }
    for (int64_t a = 0; out_slopes && a < vocab; a++) {
        out_slopes[a] -= exp(logp[a]) * (cost + mean_beta);
    }
    return cost;
}

double kl_estimate(enum kl_estimator estimator, double z) {
    switch (estimator) {
    case KL_K1:
        return z;
    case KL_K2:
        return 0.5 * z * z;
    case KL_K3:
        return expm1(-z) + z;
    case KL_ESTIMATOR_COUNT:
        break;
    }
    ASSERT(estimator < KL_ESTIMATOR_COUNT);
    return (double)NAN;
}

double kl_slope(enum kl_estimator estimator, double z) {
    switch (estimator) {
    case KL_K1:
        return 1.0;
    case KL_K2:
        return z;
    case KL_K3:
        return -expm1(-z);
    case KL_ESTIMATOR_COUNT:
        break;
    }
    ASSERT(estimator < KL_ESTIMATOR_COUNT);
    return (double)NAN;
}
