#include "tensor/kernels/kernel_logp_pair.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/scoped.h"
#include "tests/support/kernel_ways.h"
#include "tests/support/near.h"

#include <string.h>

#define TOL_F32 1e-6

static const struct kernel_cpu plain = {.threads = 1};

/* Results and d z of a few rows of logits, which are given in blocks of `width` columns. */
struct rows {
    int64_t rows, columns, width;
    float scale;
    const float *z; /* [rows, columns], the policy's */
    const float *u; /* likewise, the reference's, of scale 1 */
    const int64_t *target;
    struct kernel_logp_weights weights;
    const float *grads[4]; /* of logp, entropy, kl and matching; [rows] */
};

enum { LOGP, ENTROPY, MAX, LOG_SUM, KL, MATCHING, BETA, RESULTS };

/* RESULTS arrays of [rows], then d z [rows, columns]. */
struct outcome {
    float *values;
    int64_t count;
};

static void copy_columns(const struct rows *in, const float *from, int64_t first, int64_t columns,
                         float *tile) {
    for (int64_t r = 0; r < in->rows; r++) {
        memcpy(tile + r * in->width, from + r * in->columns + first,
               (size_t)columns * sizeof *tile);
    }
}

/* Of either side; `tiles` holds two tiles, the reference's second. */
static struct kernel_logp_pair pair_at(const struct rows *in, float *tiles, int64_t first) {
    const int64_t columns = in->columns - first < in->width ? in->columns - first : in->width;
    float *reference = tiles + in->rows * in->width;
    copy_columns(in, in->z, first, columns, tiles);
    copy_columns(in, in->u, first, columns, reference);
    struct kernel_logp_pair pair = {
        .policy = {.z = tiles,
                   .stride = in->width,
                   .rows = in->rows,
                   .columns = columns,
                   .first_column = first,
                   .scale = in->scale,
                   .target = in->target},
        .weights = in->weights,
    };
    pair.reference = pair.policy;
    pair.reference.z = reference;
    pair.reference.scale = 1.0F;
    return pair;
}

/* The reference's rows, by the kernel that there is for one side. */
static void reference_sums(const struct rows *in, float *tiles,
                           const struct kernel_logp_result *out) {
    const int64_t n = in->rows;
    SCOPED(mem) float *sums = mem_array((size_t)n, 4 * sizeof *sums);
    const struct kernel_logp_stats stats = {sums, sums + n, sums + 2 * n, sums + 3 * n};
    kernel_logp_start(&stats, n);
    for (int64_t first = 0; first < in->columns; first += in->width) {
        const struct kernel_logp_pair pair = pair_at(in, tiles, first);
        kernel_logp_add_cpu(&pair.reference, &stats, plain);
    }
    kernel_logp_finish(&stats, n, out);
}

static struct kernel_logp_pair_stats stats_of(float *sums, int64_t n) {
    return (struct kernel_logp_pair_stats){
        .policy = {sums, sums + n, sums + 2 * n, sums + 3 * n},
        .relative = sums + 4 * n,
        .beta = sums + 5 * n,
        .matching = sums + 6 * n,
    };
}

/* The second half of the blocks goes to sums of its own, which are then merged. */
static struct outcome run(const struct rows *in, struct kernel_cpu cpu) {
    const int64_t n = in->rows;
    const struct outcome out = {
        .values = mem_array_zero((size_t)(n * (RESULTS + in->columns)), sizeof(float)),
        .count = n * (RESULTS + in->columns),
    };
    SCOPED(mem) float *tiles = mem_array((size_t)(n * in->width), 2 * sizeof *tiles);
    SCOPED(mem) float *sums = mem_array((size_t)n, (14 + 4) * sizeof *sums);
    const struct kernel_logp_result reference = {sums + 14 * n, sums + 15 * n, sums + 16 * n,
                                                 sums + 17 * n};
    reference_sums(in, tiles, &reference);
    const struct kernel_logp_pair_stats halves[] = {stats_of(sums, n), stats_of(sums + 7 * n, n)};
    kernel_logp_pair_start(&halves[0], n);
    kernel_logp_pair_start(&halves[1], n);
    for (int64_t first = 0; first < in->columns; first += in->width) {
        struct kernel_logp_pair pair = pair_at(in, tiles, first);
        pair.reference_max = reference.max;
        pair.reference_log_sum = reference.log_sum;
        kernel_logp_pair_add_cpu(&pair, &halves[2 * first >= in->columns], cpu);
    }
    kernel_logp_pair_merge(&halves[0], &halves[1], n);
    float *v = out.values;
    const struct kernel_logp_pair_result result = {
        .policy = {v + LOGP * n, v + ENTROPY * n, v + MAX * n, v + LOG_SUM * n},
        .kl = v + KL * n,
        .matching = v + MATCHING * n,
        .beta = v + BETA * n,
    };
    kernel_logp_pair_finish(&halves[0], n, &result);
    const struct kernel_logp_pair_upstream up = {
        result.policy.entropy, result.policy.max, result.policy.log_sum, result.kl,
        result.matching,       result.beta,       in->grads[0],          in->grads[1],
        in->grads[2],          in->grads[3]};
    for (int64_t first = 0; first < in->columns; first += in->width) {
        struct kernel_logp_pair pair = pair_at(in, tiles, first);
        pair.reference_max = reference.max;
        pair.reference_log_sum = reference.log_sum;
        const struct kernel_logp_grad grad = {.f32 = v + RESULTS * n + first,
                                              .stride = in->columns};
        kernel_logp_pair_grad_cpu(&pair, &up, &grad, cpu);
    }
    return out;
}

/* One prompt with four answers of one token: r = (1, 1/2, 0, -1), ref = (0.7, 0.2, 0.08, 0.02),
 * alpha 0.1, so M holds the first two. At the optimum of J = sum_j p_j r_j + G that solves
 * p_j = w_j e^((r_j - lam) / beta_j - 1), found in Python by bisection of lam, the gradient of J is
 * zero: d G / d x_j = -p_j (r_j - sum p r), and G = J - sum p r.
 *
 *     beta 1, 1      p = (0.6102518451, 0.3701364542, 0.0179599286, 0.0016517721), J = 1.4938835462
 *     beta 1, 0.5    p = (0.6152893822, 0.3731918749, 0.0111417740, 0.0003769688), J = 1.4799032100
 */
static void test_kernel_logp_pair__is_stationary_at_the_optimum_of_a_small_world(void **state) {
    (void)state;
    static const double reward[] = {1, 0.5, 0, -1};
    static const float one[] = {1};
    static const float zero[] = {0};
    const float log_ref[] = {logf(0.7F), logf(0.2F), logf(0.08F), logf(0.02F)};
    const struct {
        float beta_out;
        double p[4], objective;
    } worlds[] = {
        {1.0F, {0.6102518451, 0.3701364542, 0.0179599286, 0.0016517721}, 1.4938835462},
        {0.5F, {0.6152893822, 0.3731918749, 0.0111417740, 0.0003769688}, 1.4799032100},
    };
    for (int w = 0; w < 2; w++) {
        const double *p = worlds[w].p;
        float z[4];
        double mean = 0, entropy = 0, kl = 0;
        for (int j = 0; j < 4; j++) {
            z[j] = (float)log(p[j]);
            mean += p[j] * reward[j];
            entropy -= p[j] * log(p[j]);
            kl += p[j] * (log(p[j]) - (double)log_ref[j]);
        }
        const struct rows in = {.rows = 1,
                                .columns = 4,
                                .width = 1,
                                .scale = 1,
                                .z = z,
                                .u = log_ref,
                                .target = (const int64_t[]){2},
                                .weights = {1.0F, worlds[w].beta_out, logf(0.1F)},
                                .grads = {zero, zero, zero, one}};
        struct outcome out = run(&in, plain);
        assert_near((double)out.values[LOGP], log(p[2]), TOL_F32);
        assert_near((double)out.values[ENTROPY], entropy, TOL_F32);
        assert_near((double)out.values[KL], kl, TOL_F32);
        assert_near((double)out.values[MATCHING], worlds[w].objective - mean, TOL_F32);
        assert_near((double)out.values[BETA],
                    p[0] + p[1] + (double)worlds[w].beta_out * (p[2] + p[3]), TOL_F32);
        for (int j = 0; j < 4; j++) {
            assert_near((double)out.values[RESULTS + j], -p[j] * (reward[j] - mean), TOL_F32);
        }
        mem_free(out.values);
    }
}

static float *draw(int64_t item, int64_t n, double deviation) {
    float *values = mem_array((size_t)n, sizeof *values);
    struct rng rng = rng_stream(5, RNG_TEST, n, item);
    for (int64_t i = 0; i < n; i++) {
        values[i] = (float)(deviation * rng_normal(&rng));
    }
    return values;
}

/* One column of a row in double: log p, log q, beta and log w. */
struct column {
    double log_p, log_q, beta, log_w;
};

static double log_sum_exp(const float *x, int64_t n, double scale) {
    double max = -HUGE_VAL, sum = 0;
    for (int64_t j = 0; j < n; j++) {
        max = fmax(max, scale * (double)x[j]);
    }
    for (int64_t j = 0; j < n; j++) {
        sum += exp(scale * (double)x[j] - max);
    }
    return max + log(sum);
}

static struct column column_of(const struct rows *in, int64_t r, int64_t j, double lse,
                               double reference_lse) {
    const double log_q = (double)in->u[r * in->columns + j] - reference_lse;
    const bool is_in = log_q > (double)in->weights.log_alpha;
    return (struct column){
        .log_p = (double)in->scale * (double)in->z[r * in->columns + j] - lse,
        .log_q = log_q,
        .beta = (double)(is_in ? in->weights.beta_in : in->weights.beta_out),
        .log_w = is_in ? 0.0 : log_q,
    };
}

/* Row r against the formulas in double. */
static void check_row(const struct rows *in, const struct outcome *out, int64_t r) {
    const int64_t n = in->rows;
    const double lse = log_sum_exp(in->z + r * in->columns, in->columns, (double)in->scale);
    const double reference = log_sum_exp(in->u + r * in->columns, in->columns, 1.0);
    double entropy = 0, kl = 0, matching = 0, beta = 0;
    for (int64_t j = 0; j < in->columns; j++) {
        const struct column c = column_of(in, r, j, lse, reference);
        const double p = exp(c.log_p);
        entropy -= p * c.log_p;
        kl += p * (c.log_p - c.log_q);
        matching -= c.beta * p * (c.log_p - c.log_w);
        beta += p * c.beta;
    }
    assert_near((double)out->values[ENTROPY * n + r], entropy, 5e-6);
    assert_near((double)out->values[KL * n + r], kl, 1e-5);
    assert_near((double)out->values[MATCHING * n + r], matching, 1e-5);
    assert_near((double)out->values[BETA * n + r], beta, TOL_F32);
    const double g[] = {(double)in->grads[0][r], (double)in->grads[1][r], (double)in->grads[2][r],
                        (double)in->grads[3][r]};
    for (int64_t j = 0; j < in->columns; j++) {
        const struct column c = column_of(in, r, j, lse, reference);
        const double p = exp(c.log_p);
        const double expected =
            (double)in->scale *
            (g[0] * ((j == in->target[r] ? 1 : 0) - p) - g[1] * p * (c.log_p + entropy) +
             g[2] * p * (c.log_p - c.log_q - kl) -
             g[3] * p * (c.beta * (c.log_p - c.log_w + 1) + matching - beta));
        assert_near((double)out->values[RESULTS * n + r * in->columns + j], expected, 5e-6);
    }
}

/* Two rows of `columns`; in every second case nothing, or everything, is in M. */
static void check_case(int64_t columns, int64_t width, float log_alpha) {
    SCOPED(mem) float *z = draw(0, 2 * columns, 3.0);
    SCOPED(mem) float *u = draw(1, 2 * columns, 3.0);
    const struct rows in = {
        .rows = 2,
        .columns = columns,
        .width = width,
        .scale = 0.8F,
        .z = z,
        .u = u,
        .target = (const int64_t[]){columns - 1, 0},
        .weights = {0.7F, 1.3F, log_alpha},
        .grads = {(const float[]){0.5F, -1}, (const float[]){2, 0.25F}, (const float[]){-0.5F, 1},
                  (const float[]){1, -0.75F}},
    };
    struct kernel_cpu ways[KERNEL_WAYS_MAX];
    const int ways_count = kernel_ways_list(ways);
    struct outcome expected = run(&in, ways[0]);
    check_row(&in, &expected, 0);
    check_row(&in, &expected, 1);
    for (int w = 1; w < ways_count; w++) {
        if (ways[w].threads == 1) {
            struct outcome got = run(&in, ways[w]);
            assert_memory_equal(got.values, expected.values,
                                (size_t)expected.count * sizeof(float));
            mem_free(got.values);
        }
    }
    mem_free(expected.values);
}

static void test_kernel_logp_pair__agrees_with_the_formulas_for_every_isa(void **state) {
    (void)state;
    const float log_alphas[] = {-3.0F, -INFINITY, INFINITY, 0.0F};
    for (int a = 0; a < 4; a++) {
        check_case(1, 1, log_alphas[a]);
        check_case(7, 3, log_alphas[a]);
        check_case(33, 33, log_alphas[a]);
        check_case(513, 64, log_alphas[a]);
    }
}

/* Row 0: neither ever says the third token. Row 1: p is 1 where q is 0. Row 2: a NaN of the
 * reference, which touches nothing that is the policy's alone. */
static void test_kernel_logp_pair__certain_and_impossible(void **state) {
    (void)state;
    const float lowest = -INFINITY;
    const float ones[] = {1, 1, 1};
    const struct rows in = {.rows = 3,
                            .columns = 3,
                            .width = 2,
                            .scale = 1,
                            .z = (const float[]){0, 0, lowest, lowest, lowest, 0, 0, 0, 0},
                            .u = (const float[]){0, 0, lowest, 0, 0, lowest, NAN, 0, 0},
                            .target = (const int64_t[]){0, 2, 0},
                            .weights = {1, 1, logf(0.1F)},
                            .grads = {ones, ones, ones, ones}};
    struct outcome out = run(&in, plain);
    assert_near((double)out.values[KL * 3], 0, TOL_F32);
    assert_near((double)out.values[MATCHING * 3], log(2), TOL_F32); /* both are in M */
    for (int j = 0; j < 3; j++) {
        assert_true(isfinite(out.values[RESULTS * 3 + j]));
    }
    assert_true(out.values[KL * 3 + 1] > 1e29F && isfinite(out.values[KL * 3 + 1]));
    assert_near((double)out.values[LOGP * 3 + 2], -log(3), TOL_F32);
    assert_near((double)out.values[ENTROPY * 3 + 2], log(3), TOL_F32);
    assert_true(isnan(out.values[KL * 3 + 2]) && isnan(out.values[MATCHING * 3 + 2]));
    mem_free(out.values);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernel_logp_pair__is_stationary_at_the_optimum_of_a_small_world),
        cmocka_unit_test(test_kernel_logp_pair__agrees_with_the_formulas_for_every_isa),
        cmocka_unit_test(test_kernel_logp_pair__certain_and_impossible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
